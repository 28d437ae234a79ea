#include "node/model/calibrate.h"

#include "tests/support/unit.h"

#include <math.h>

static struct calibration fit(uint8_t stated, unsigned held, unsigned failed)
{
    struct calibrate_outcome v[400];
    struct calibration c;
    size_t n = 0;
    for (unsigned i = 0; i < held + failed; i++)
        v[n++] = (struct calibrate_outcome){stated, i < held, 1};
    calibrate_fit(v, n, &c);
    return c;
}

static void without_data_it_is_conservative(void **state)
{
    (void)state;
    struct calibration c = fit(5, 0, 0);
    assert_true(calibrate_probability(&c, 10) < 0.8);
    assert_true(calibrate_probability(&c, 8) < 0.65);
    assert_true(calibrate_probability(&c, 1) < 0.25);
    for (uint8_t s = 2; s <= 10; s++)
        assert_true(calibrate_probability(&c, s) > calibrate_probability(&c, (uint8_t)(s - 1)));
}

static void few_outcomes_move_little(void **state)
{
    (void)state;
    struct calibration none = fit(9, 0, 0), two = fit(9, 0, 2);
    double before = calibrate_probability(&none, 9), after = calibrate_probability(&two, 9);
    assert_true(after < before);
    assert_true(before - after < 0.15);
}

static void many_outcomes_move_it_to_what_they_showed(void **state)
{
    (void)state;
    struct calibration c = fit(9, 90, 210);
    assert_true(fabs(calibrate_probability(&c, 9) - 0.3) < 0.05);
    c = fit(3, 240, 60);
    assert_true(fabs(calibrate_probability(&c, 3) - 0.8) < 0.05);
}

static void it_is_never_certain_and_more_is_never_less(void **state)
{
    (void)state;
    struct calibrate_outcome turned[200];
    for (size_t i = 0; i < 200; i++)
        turned[i] = (struct calibrate_outcome){i % 2 == 0 ? 10 : 1, i % 2 == 1, 1};
    struct calibration c = fit(10, 400, 0);
    assert_true(calibrate_probability(&c, 10) <= CALIBRATE_MAX);
    assert_int_equal(calibrate_prior(&c, 10), 900);
    c = fit(1, 0, 400);
    assert_true(calibrate_probability(&c, 1) >= CALIBRATE_MIN);
    calibrate_fit(turned, 200, &c);
    assert_true(calibrate_probability(&c, 10) >= calibrate_probability(&c, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_data_it_is_conservative),
        cmocka_unit_test(few_outcomes_move_little),
        cmocka_unit_test(many_outcomes_move_it_to_what_they_showed),
        cmocka_unit_test(it_is_never_certain_and_more_is_never_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
