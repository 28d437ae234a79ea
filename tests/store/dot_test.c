#include "store/dot.h"
#include "tests/support/unit.h"

#include "tests/support/rng.h"

static int64_t plain(const int8_t *v, const int16_t *q, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (int64_t)v[i] * q[i];
    return sum;
}

static void it_is_the_plain_sum(void **state)
{
    (void)state;
    static int8_t v[DOT_DIMS_MAX];
    static int16_t q[DOT_DIMS_MAX];
    struct test_rng r;
    test_rng_init(&r, 7);
    for (size_t n = 0; n <= DOT_DIMS_MAX; n += n < 512 ? DOT_STEP : 448) {
        for (size_t i = 0; i < n; i++) {
            v[i] = (int8_t)((int)test_rng_below(&r, 255) - 127);
            q[i] = (int16_t)((int)test_rng_below(&r, 2 * DOT_QUERY_MAX + 1) - DOT_QUERY_MAX);
        }
        assert_true(dot_i8(v, q, n) == plain(v, q, n));
    }
}

static void the_largest_sum_fits(void **state)
{
    (void)state;
    static int8_t v[DOT_DIMS_MAX];
    static int16_t q[DOT_DIMS_MAX];
    for (size_t i = 0; i < DOT_DIMS_MAX; i++) {
        v[i] = -127;
        q[i] = DOT_QUERY_MAX;
    }
    assert_true(dot_i8(v, q, DOT_DIMS_MAX) == plain(v, q, DOT_DIMS_MAX));
    assert_true(plain(v, q, DOT_DIMS_MAX) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_plain_sum),
        cmocka_unit_test(the_largest_sum_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
