#include "node/observe/tally.h"

#include "tests/support/unit.h"

#include <string.h>

static void equal_contents_are_counted_apart_from_others(void **state)
{
    struct tally t = {0};
    (void)state;
    assert_int_equal(tally_add(&t, BYTES_LIT("ls")), 1);
    assert_int_equal(tally_add(&t, BYTES_LIT("cd")), 1);
    assert_int_equal(tally_add(&t, BYTES_LIT("ls")), 2);
    assert_int_equal(tally_add(&t, BYTES_NONE), 1);
    assert_int_equal(tally_add(&t, BYTES_LIT("ls")), 3);
    tally_release(&t);
}

static uint32_t add_number(struct tally *t, uint32_t i)
{
    return tally_add(t, bytes_of(&i, sizeof i));
}

static void a_full_tally_counts_low_and_stays_small(void **state)
{
    struct tally t = {0};
    (void)state;
    for (uint32_t i = 0; i < 2 * TALLY_MAX; i++)
        assert_int_equal(add_number(&t, i), 1);
    assert_int_equal(add_number(&t, 0), 2);
    assert_int_equal(add_number(&t, 2 * TALLY_MAX - 1), 1);
    assert_true(t.slots <= 2 * TALLY_MAX);
    tally_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_contents_are_counted_apart_from_others),
        cmocka_unit_test(a_full_tally_counts_low_and_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
