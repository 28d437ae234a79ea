/* Beacons: recognised by those who have the secret, within an hour either way, and by nobody else. */
#include "crypto/beacon.h"

#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

#define HOUR INT64_C(3600000)
#define NOW (500000 * HOUR + 1234)

static const uint8_t secret[KEY_BYTES] = {1, 2, 3};
static const uint8_t other[KEY_BYTES] = {1, 2, 4};

static void make(int64_t now, uint8_t out[BEACON_BYTES])
{
    struct test_rng t;
    struct rng rng;
    test_rng_init(&t, 1);
    rng = test_rng_iface(&t);
    beacon_make(secret, now, &rng, BYTES_LIT("port"), out);
}

static void beacon_is_recognised_an_hour_either_way(void **state)
{
    uint8_t b[BEACON_BYTES];
    (void)state;
    for (int64_t base = -3; base <= 500000; base += 500003) {
        int64_t start = base * HOUR;
        make(start + 5, b);
        assert_true(beacon_check(secret, start, BYTES_LIT("port"), b));
        assert_true(beacon_check(secret, start - HOUR, BYTES_LIT("port"), b));
        assert_true(beacon_check(secret, start + 2 * HOUR - 1, BYTES_LIT("port"), b));
        assert_false(beacon_check(secret, start - HOUR - 1, BYTES_LIT("port"), b));
        assert_false(beacon_check(secret, start + 2 * HOUR, BYTES_LIT("port"), b));
    }
}

static void strangers_changed_beacons_and_other_ports_are_not(void **state)
{
    uint8_t b[BEACON_BYTES];
    (void)state;
    make(NOW, b);
    assert_false(beacon_check(other, NOW, BYTES_LIT("port"), b));
    assert_false(beacon_check(secret, NOW, BYTES_LIT("porz"), b));
    for (unsigned bit = 0; bit < sizeof b * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(beacon_check(secret, NOW, BYTES_LIT("port"), b));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Two beacons of one device in one hour have nothing in common. */
static void beacons_differ_each_time(void **state)
{
    struct test_rng t;
    struct rng rng;
    uint8_t a[BEACON_BYTES], b[BEACON_BYTES];
    (void)state;
    test_rng_init(&t, 2);
    rng = test_rng_iface(&t);
    beacon_make(secret, NOW, &rng, BYTES_NONE, a);
    beacon_make(secret, NOW, &rng, BYTES_NONE, b);
    assert_memory_not_equal(a, b, BEACON_NONCE_BYTES);
    assert_memory_not_equal(a + BEACON_NONCE_BYTES, b + BEACON_NONCE_BYTES, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beacon_is_recognised_an_hour_either_way),
        cmocka_unit_test(strangers_changed_beacons_and_other_ports_are_not),
        cmocka_unit_test(beacons_differ_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
