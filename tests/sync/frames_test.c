/* Frames between devices: made, made again, stripped, taken and refused. */
#include "sync/frames.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/members.h"
#include "sync/frames_int.h"
#include "tests/support/unit.h"
#include "tests/sync/house.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void setup_pair(struct house *h, size_t n, uint64_t seed)
{
    house_init(h, n, seed);
    house_pair_all(h);
}

static void assert_same_models(struct house *h)
{
    struct hash first, other;
    house_digest(h, 0, &first);
    for (size_t i = 1; i < h->n; i++) {
        house_digest(h, i, &other);
        assert_memory_equal(first.b, other.b, HASH_BYTES);
    }
}

static void what_one_device_tells_all_come_to_hold(void **state)
{
    struct house h;
    (void)state;
    setup_pair(&h, 3, 1);
    for (size_t i = 0; i < 300; i++)
        house_tell(&h, i % 3, "prefers plain text mail");
    house_sync(&h);
    assert_same_models(&h);
    house_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_device_tells_all_come_to_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
