#include "node/model/kinds.h"

#include "tests/support/unit.h"

#include <math.h>

static void probability_is_the_mean_of_the_beta_posterior(void **state)
{
    (void)state;
    struct prop p = {.until_ms = TIME_NONE, .kind = KIND_TOOL, .support = 6, .against = 2};
    assert_true(fabs(prop_probability(&p) - (0.5 * 2 + 6) / 10) < 1e-12);
    p.prior = 900;
    assert_true(fabs(prop_probability(&p) - (0.9 * 2 + 6) / 10) < 1e-12);
}

static void support_raises_and_contradiction_lowers_for_every_kind(void **state)
{
    (void)state;
    for (uint8_t kind = 0; kind < KIND_COUNT; kind++) {
        struct prop p = {.until_ms = TIME_NONE, .kind = kind, .support = 3, .against = 3};
        double now = prop_probability(&p);
        p.support++;
        double more = prop_probability(&p);
        p.support--;
        p.against++;
        assert_true(more > now && prop_probability(&p) < now);
    }
}

static void the_users_verdict_overrides(void **state)
{
    (void)state;
    struct prop p = {.until_ms = TIME_NONE, .kind = KIND_TOOL, .against = 50, .flags = PROP_CONFIRMED};
    assert_true(prop_probability(&p) >= 0.97);
    p.flags = PROP_EDITED;
    assert_true(prop_probability(&p) >= 0.97);
    p.flags = PROP_REJECTED | PROP_CONFIRMED;
    assert_true(prop_probability(&p) <= 0);
}

static void half_lives_grow_with_the_score(void **state)
{
    (void)state;
    for (uint8_t d = 1; d < 10; d++)
        assert_true(half_life_ms(d) < half_life_ms((uint8_t)(d + 1)));
    assert_true(half_life_ms(1) < MS_DAY);
    assert_true(half_life_ms(10) > 5 * 365 * MS_DAY);
    assert_int_equal(half_life_ms(0), half_life_ms(1));
    assert_int_equal(half_life_ms(255), half_life_ms(10));
}

static void recency_halves_after_a_half_life_from_the_last_support(void **state)
{
    (void)state;
    int64_t now = INT64_C(1790000000000);
    struct prop p = {.until_ms = TIME_NONE,
                     .kind = KIND_TOOL,
                     .decay = 4,
                     .last_ms = now - half_life_ms(4),
                     .created_ms = 0,
                     .changed_ms = now};
    assert_true(fabs(prop_recency(&p, now) - 0.5) < 1e-9);
    p.flags = PROP_CONFIRMED; /* the user's word is newer */
    assert_true(fabs(prop_recency(&p, now) - 1) < 1e-9);
    p.flags = 0;
    p.last_ms = TIME_NONE;
    p.created_ms = now - 2 * half_life_ms(4);
    assert_true(fabs(prop_recency(&p, now) - 0.25) < 1e-9);
}

static void an_event_ahead_grows_nearer_and_is_gone_soon_after(void **state)
{
    (void)state;
    int64_t at = INT64_C(1790000000000);
    struct prop p = {.until_ms = TIME_NONE, .kind = KIND_EVENT, .decay = 2, .last_ms = at};
    assert_true(prop_recency(&p, at - 40 * MS_DAY) < prop_recency(&p, at - MS_DAY));
    assert_true(prop_recency(&p, at - MS_HOUR) > 0.95);
    assert_true(prop_recency(&p, at + 5 * MS_DAY) < 0.05);
}

static void what_ended_is_not_recent_any_more(void **state)
{
    (void)state;
    int64_t now = INT64_C(1790000000000);
    struct prop p = {.kind = KIND_MODEL, .decay = 10, .last_ms = now, .until_ms = now + 1};
    assert_false(prop_ended(&p, now));
    assert_true(prop_recency(&p, now) > 0.99);
    assert_true(prop_ended(&p, now + 1));
    assert_true(prop_recency(&p, now + 1) <= 0);
}

static void scores_are_for_people(void **state)
{
    (void)state;
    assert_int_equal(probability_score(0), 0);
    assert_int_equal(probability_score(0.001), 0);
    assert_int_equal(probability_score(0.02), 1);
    assert_int_equal(probability_score(0.5), 5);
    assert_int_equal(probability_score(1), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probability_is_the_mean_of_the_beta_posterior),
        cmocka_unit_test(support_raises_and_contradiction_lowers_for_every_kind),
        cmocka_unit_test(the_users_verdict_overrides),
        cmocka_unit_test(half_lives_grow_with_the_score),
        cmocka_unit_test(recency_halves_after_a_half_life_from_the_last_support),
        cmocka_unit_test(an_event_ahead_grows_nearer_and_is_gone_soon_after),
        cmocka_unit_test(what_ended_is_not_recent_any_more),
        cmocka_unit_test(scores_are_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
