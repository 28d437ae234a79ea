#include "store/hlc.h"

#include "base/limits.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#define MS INT64_C(1700000000000)
#define DRIFT_MS (INT64_C(10) * 60 * 1000)

_Static_assert(DRIFT_MS == (int64_t)LIMIT_DRIFT_MS, "the drift is ten minutes");

static uint64_t stamp(int64_t ms, uint16_t counter)
{
    return (uint64_t)ms << 16 | counter;
}

static void next_takes_the_wall_time_when_it_is_later(void **state)
{
    (void)state;
    assert_int_equal(hlc_next(0, MS), stamp(MS, 0));
    assert_int_equal(hlc_next(stamp(MS, 7), MS + 1), stamp(MS + 1, 0));
}

static void next_counts_while_the_wall_stands_or_goes_back(void **state)
{
    (void)state;
    assert_int_equal(hlc_next(stamp(MS, 7), MS), stamp(MS, 8));
    assert_int_equal(hlc_next(stamp(MS, 8), MS - 100000), stamp(MS, 9));
}

static void full_counter_carries_into_the_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(hlc_next(stamp(MS, UINT16_MAX), MS), stamp(MS + 1, 0));
    assert_int_equal(hlc_ms(hlc_next(stamp(MS, UINT16_MAX), MS)), MS + 1);
}

static void wall_times_that_do_not_fit_are_clamped(void **state)
{
    (void)state;
    assert_int_equal(hlc_next(0, -5), 1);
    assert_int_equal(hlc_next(0, INT64_MIN), 1);
    assert_int_equal(hlc_ms(hlc_next(0, INT64_MAX)), (INT64_C(1) << 48) - 1);
}

static void next_always_rises(void **state)
{
    struct test_rng rng;
    uint64_t last = 0;
    (void)state;
    test_rng_init(&rng, 1);
    for (int i = 0; i < 300000; i++) {
        uint64_t next = hlc_next(last, MS + (int64_t)test_rng_below(&rng, 50));
        assert_true(next > last);
        last = next;
    }
}

static void merge_is_the_higher_one(void **state)
{
    (void)state;
    assert_int_equal(hlc_merge(5, 6), 6);
    assert_int_equal(hlc_merge(6, 5), 6);
}

static void ahead_begins_behind_the_allowed_drift(void **state)
{
    (void)state;
    assert_false(hlc_is_ahead(stamp(MS + DRIFT_MS, UINT16_MAX), MS));
    assert_true(hlc_is_ahead(stamp(MS + DRIFT_MS + 1, 0), MS));
    assert_false(hlc_is_ahead(stamp(0, 0), MS));
    assert_true(hlc_is_ahead(UINT64_MAX, MS));
    assert_true(hlc_is_ahead(stamp(MS, 0), INT64_MIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_takes_the_wall_time_when_it_is_later),
        cmocka_unit_test(next_counts_while_the_wall_stands_or_goes_back),
        cmocka_unit_test(full_counter_carries_into_the_milliseconds),
        cmocka_unit_test(wall_times_that_do_not_fit_are_clamped),
        cmocka_unit_test(next_always_rises),
        cmocka_unit_test(merge_is_the_higher_one),
        cmocka_unit_test(ahead_begins_behind_the_allowed_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
