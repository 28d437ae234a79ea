/* Whom to dial and when, on virtual time. */
#include "node/net/dial.h"

#include "base/time.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

#define SEED 11

static struct test_rng seeded;
static struct rng rng;
static struct dial d;
static const struct id self = {{0x50}}, lower = {{0x10}}, higher = {{0x90}}, third = {{0x91}};

static int setup(void **state)
{
    (void)state;
    test_rng_init(&seeded, SEED);
    rng = test_rng_iface(&seeded);
    dial_init(&d, &self, &rng);
    return 0;
}

static struct addr at(const char *host, uint16_t port)
{
    struct addr a;
    assert_true(addr_from_host(&a, host));
    a.port = port;
    return a;
}

static struct dial_target *next(const struct id *missing, size_t n, int64_t now, struct id *whom)
{
    const struct dial_missing m = {missing, n};
    return dial_next(&d, &m, now, whom);
}

static void an_address_of_the_user_is_dialed_at_once(void **state)
{
    (void)state;
    struct id whom;
    assert_int_equal(dial_add(&d, "[::1]:7", 1000, NULL), 0);
    struct dial_target *t = next(&lower, 1, 1000, &whom);
    assert_non_null(t);
    assert_string_equal(t->host, "::1");
    assert_int_equal(t->port, 7);
    assert_true(id_eq(&whom, &lower));
}

static void nobody_missing_nobody_dialed(void **state)
{
    (void)state;
    struct id whom;
    const struct dial_missing none = {NULL, 0};
    struct addr a = at("192.0.2.1", 7);
    assert_int_equal(dial_add(&d, "[::1]:7", 1000, NULL), 0);
    (void)dial_heard(&d, &lower, &a, 1000);
    assert_null(dial_next(&d, &none, 100000, &whom));
    assert_int_equal(dial_deadline(&d, &none), TIME_NONE);
}

static void rests_double_up_to_five_minutes(void **state)
{
    (void)state;
    struct id whom;
    int64_t now = 1000, want = DIAL_REST_MS_MIN;
    assert_int_equal(dial_add(&d, "h:7", now, NULL), 0);
    const struct dial_missing m = {&lower, 1};
    for (int i = 0; i < 20; i++) {
        struct dial_target *t = dial_next(&d, &m, now, &whom);
        assert_non_null(t);
        t->busy = true;
        assert_null(dial_next(&d, &m, now, &whom));
        dial_unreachable(&d, t, now);
        int64_t rest = dial_deadline(&d, &m) - now;
        assert_true(rest >= want * 3 / 4 && rest <= want * 5 / 4 && rest <= DIAL_REST_MS_MAX);
        assert_null(dial_next(&d, &m, now + rest - 1, &whom));
        now += rest;
        want = want * 2 > DIAL_REST_MS_MAX ? DIAL_REST_MS_MAX : want * 2;
    }
}

static void an_unknown_owner_is_guessed_one_after_the_other(void **state)
{
    (void)state;
    const struct id missing[] = {lower, higher, third};
    const struct dial_missing m = {missing, 3};
    int64_t now = 1000;
    assert_int_equal(dial_add(&d, "h:7", now, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        struct id whom;
        struct dial_target *t = dial_next(&d, &m, now, &whom);
        assert_non_null(t);
        assert_true(id_eq(&whom, &missing[i]));
        t->busy = true;
        dial_wrong(&d, t, &m, now);
        int64_t rest = dial_deadline(&d, &m) - now;
        assert_true(i < 2 ? rest == DIAL_GUESS_MS : rest >= DIAL_REST_MS_MIN * 3 / 4);
        now += rest;
    }
}

static void an_owner_once_met_is_no_longer_guessed(void **state)
{
    (void)state;
    const struct id missing[] = {lower, higher};
    const struct dial_missing both = {missing, 2};
    struct id whom;
    assert_int_equal(dial_add(&d, "h:7", 1000, NULL), 0);
    struct dial_target *t = next(missing, 2, 1000, &whom);
    assert_non_null(t);
    t->busy = true;
    dial_wrong(&d, t, &both, 1000);
    t = next(missing, 2, 2000, &whom);
    assert_non_null(t);
    assert_true(id_eq(&whom, &higher));
    t->busy = true;
    dial_met(t, &higher);
    assert_null(next(missing, 1, 99999, &whom)); /* it is up, and nobody else is there */
    dial_ended(&d, t, &higher, DIAL_STEADY_MS, 100000);
    assert_null(next(missing, 1, 200000, &whom));
    assert_non_null(next(missing, 2, 200000, &whom));
    assert_true(id_eq(&whom, &higher));
}

static void a_fixed_address_may_get_another_owner(void **state)
{
    (void)state;
    const struct id missing[] = {lower, higher};
    const struct dial_missing both = {missing, 2};
    struct id whom;
    assert_int_equal(dial_add(&d, "h:7", 1000, NULL), 0);
    struct dial_target *t = next(missing, 2, 1000, &whom);
    t->busy = true;
    dial_met(t, &lower);
    dial_ended(&d, t, &lower, 0, 1000);
    t = next(missing, 2, 9000, &whom);
    assert_non_null(t);
    t->busy = true;
    dial_wrong(&d, t, &both, 9000); /* lower is elsewhere now */
    t = next(missing, 2, 9000 + DIAL_GUESS_MS, &whom);
    assert_non_null(t);
    assert_true(id_eq(&whom, &higher));
}

static void the_lower_id_gets_a_start(void **state)
{
    (void)state;
    struct id whom;
    struct addr a = at("192.0.2.1", 7);
    struct addr b = at("192.0.2.2", 7);
    assert_true(dial_heard(&d, &higher, &a, 1000));
    assert_true(dial_heard(&d, &lower, &b, 1000));
    assert_non_null(next(&higher, 1, 1200, &whom));
    assert_null(next(&lower, 1, 1000 + DIAL_LATER_MS - 1, &whom));
    assert_non_null(next(&lower, 1, 1200 + DIAL_LATER_MS, &whom));
}

static void beacons_of_a_device_that_is_there_do_not_hurry(void **state)
{
    (void)state;
    struct id whom;
    struct addr a = at("192.0.2.1", 7);
    int64_t now = 1000;
    (void)dial_heard(&d, &higher, &a, now);
    for (int i = 0; i < 8; i++) {
        struct dial_target *t = next(&higher, 1, now + 400000, &whom);
        assert_non_null(t);
        t->busy = true;
        dial_unreachable(&d, t, now);
    }
    assert_false(dial_heard(&d, &higher, &a, now + 30000));
    assert_null(next(&higher, 1, now + 31000, &whom));
    /* Away and back: at once. */
    assert_true(dial_heard(&d, &higher, &a, now + 30000 + DIAL_SILENT_MS + 1));
    assert_non_null(next(&higher, 1, now + 30000 + DIAL_SILENT_MS + 300, &whom));
}

static void a_new_address_of_a_device_is_tried_at_once(void **state)
{
    (void)state;
    struct id whom;
    struct addr a = at("192.0.2.1", 7);
    struct addr b = at("192.0.2.1", 8);
    (void)dial_heard(&d, &higher, &a, 1000);
    struct dial_target *t = next(&higher, 1, 1300, &whom);
    assert_non_null(t);
    t->busy = true;
    (void)dial_heard(&d, &higher, &b, 1300);
    t = next(&higher, 1, 1600, &whom);
    assert_non_null(t);
    assert_int_equal(t->port, 8);
}

static void a_session_that_ended_at_once_is_not_a_success(void **state)
{
    (void)state;
    struct id whom;
    struct addr a = at("192.0.2.1", 7);
    const struct dial_missing m = {&higher, 1};
    int64_t now = 1000, last = 0;
    (void)dial_heard(&d, &higher, &a, now);
    now += 300;
    for (int i = 0; i < 8; i++) {
        struct dial_target *t = dial_next(&d, &m, now, &whom);
        assert_non_null(t);
        t->busy = true;
        dial_met(t, &higher);
        dial_ended(&d, t, &higher, 10, now);
        last = dial_deadline(&d, &m) - now;
        now += last;
    }
    assert_true(last > 60000);
    struct dial_target *t = dial_next(&d, &m, now, &whom);
    t->busy = true;
    dial_ended(&d, t, &higher, DIAL_STEADY_MS, now);
    assert_true(dial_deadline(&d, &m) - now <= DIAL_REST_MS_MIN * 5 / 4);
}

static void many_addresses_stay_bounded_and_keep_those_of_the_user(void **state)
{
    (void)state;
    struct id whom;
    assert_int_equal(dial_add(&d, "mine:7", 1000, NULL), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        struct id who = {{0x60, (uint8_t)(i >> 8), (uint8_t)i}};
        struct addr a = at("10.0.0.1", (uint16_t)(i + 1));
        (void)dial_heard(&d, &who, &a, 1000 + i);
        (void)dial_heard(&d, &higher, &a, 1000 + i);
    }
    size_t own = 0, fixed = 0;
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        own += d.targets[i].used && id_eq(&d.targets[i].device, &higher) ? 1 : 0;
        fixed += d.targets[i].used && d.targets[i].fixed ? 1 : 0;
    }
    assert_int_equal(fixed, 1);
    assert_true(own >= 1 && own <= DIAL_ADDRESSES_EACH);
    assert_non_null(next(&higher, 1, 5000, &whom));
}

static void addresses_not_heard_for_long_are_dropped(void **state)
{
    (void)state;
    struct id whom;
    struct addr a = at("192.0.2.1", 7);
    (void)dial_heard(&d, &higher, &a, 1000);
    assert_null(next(&higher, 1, 1001 + DIAL_HEARD_MS, &whom));
    assert_false(d.targets[0].used);
}

static void an_address_that_was_good_once_is_kept(void **state)
{
    (void)state;
    struct id whom;
    dial_remember(&d, &higher, "h", 7, 1000);
    assert_non_null(next(&higher, 1, 1001 + DIAL_HEARD_MS, &whom));
    dial_remember(&d, NULL, "i", 8, 1000);
    struct dial_target *t = next(&third, 1, 1000, &whom);
    assert_non_null(t);
    assert_string_equal(t->host, "i");
    assert_true(id_eq(&whom, &third));
}

static void dialing_everybody_forgets_the_rests(void **state)
{
    (void)state;
    struct id whom;
    assert_int_equal(dial_add(&d, "h:7", 1000, NULL), 0);
    for (int i = 0; i < 6; i++) {
        dial_unreachable(&d, &d.targets[0], 1000);
    }
    assert_null(next(&lower, 1, 2000, &whom));
    dial_all(&d, 2000);
    assert_non_null(next(&lower, 1, 2000, &whom));
}

#define T(f) cmocka_unit_test_setup(f, setup)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_address_of_the_user_is_dialed_at_once),
        T(nobody_missing_nobody_dialed),
        T(rests_double_up_to_five_minutes),
        T(an_unknown_owner_is_guessed_one_after_the_other),
        T(an_owner_once_met_is_no_longer_guessed),
        T(a_fixed_address_may_get_another_owner),
        T(the_lower_id_gets_a_start),
        T(beacons_of_a_device_that_is_there_do_not_hurry),
        T(a_new_address_of_a_device_is_tried_at_once),
        T(a_session_that_ended_at_once_is_not_a_success),
        T(many_addresses_stay_bounded_and_keep_those_of_the_user),
        T(addresses_not_heard_for_long_are_dropped),
        T(an_address_that_was_good_once_is_kept),
        T(dialing_everybody_forgets_the_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
