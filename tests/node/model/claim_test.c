#include "node/model/claim.h"

#include "tests/support/unit.h"

#include "tests/node/infer/device.h"

#include <stdlib.h>
#include <string.h>

#define NOW DAY_MS(MONDAY + 60)

static struct device d;
static struct claim_writer *w;
static struct err e;

static int setup(void **state)
{
    (void)state;
    device_init(&d, 1, NOW);
    w = claim_writer_new(d.s, &d.id, DEVICE_SECRET);
    return w == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    claim_writer_free(w);
    device_release(&d);
    return 0;
}

static const struct claim base = {.kind = KIND_TOOL,
                                  .key = {(const uint8_t *)"rg", 2},
                                  .text = {(const uint8_t *)"Uses rg", 7},
                                  .reasoning = {(const uint8_t *)"Seen", 4},
                                  .created_ms = NOW,
                                  .until_ms = TIME_NONE};

static enum claim_outcome apply(const struct claim *c)
{
    enum claim_outcome outcome;
    assert_int_equal(claim_apply(w, c, NULL, &outcome, &e), 0);
    return outcome;
}

static void ids_depend_on_kind_key_and_secret(void **state)
{
    (void)state;
    struct id a, b;
    claim_id(DEVICE_SECRET, KIND_TOOL, BYTES_LIT("rg"), &a);
    claim_id(DEVICE_SECRET, KIND_TOOL, BYTES_LIT("rg"), &b);
    assert_true(id_eq(&a, &b));
    claim_id(DEVICE_SECRET, KIND_TOPIC, BYTES_LIT("rg"), &b);
    assert_false(id_eq(&a, &b));
    claim_id(DEVICE_SECRET, KIND_TOOL, BYTES_LIT("fd"), &b);
    assert_false(id_eq(&a, &b));
    claim_id(BYTES_LIT("another secret, 32 bytes long..."), KIND_TOOL, BYTES_LIT("rg"), &b);
    assert_false(id_eq(&a, &b));
}

static void applying_the_same_claim_again_writes_nothing(void **state)
{
    (void)state;
    struct count count = {.source = BYTES_LIT("zsh"), .support = 3, .first_ms = NOW, .last_ms = NOW};
    struct claim c = base;
    c.counts = &count;
    c.n_counts = 1;
    assert_int_equal(apply(&c), CLAIM_ADDED);
    uint64_t ops = device_ops(&d);
    assert_int_equal(apply(&c), CLAIM_SAME);
    assert_int_equal(device_ops(&d), ops);
    count.support = 4;
    assert_int_equal(apply(&c), CLAIM_RAISED);
    assert_int_equal(device_ops(&d), ops + 1);
    count.against = 2;
    assert_int_equal(apply(&c), CLAIM_LOWERED);
}

static void a_source_that_says_nothing_more_is_counted_zero(void **state)
{
    (void)state;
    struct prop p;
    struct count counts[2] = {{.source = BYTES_LIT("bash"), .support = 5, .first_ms = NOW, .last_ms = NOW},
                              {.source = BYTES_LIT("zsh"), .support = 3, .first_ms = NOW, .last_ms = NOW}};
    struct claim c = base;
    c.counts = counts;
    c.n_counts = 2;
    (void)apply(&c);
    c.counts = counts + 1;
    c.n_counts = 1;
    (void)apply(&c);
    assert_true(device_claim(&d, "Uses rg", &p));
    assert_int_equal(p.support, 3);
}

static void shared_occasions_beyond_a_page_are_all_written(void **state)
{
    (void)state;
    enum { N = 2500 };
    struct prop p;
    struct seen *seen = calloc(N, sizeof *seen);
    struct id id;
    assert_non_null(seen);
    claim_id(DEVICE_SECRET, base.kind, base.key, &id);
    for (int i = 0; i < N; i++) {
        const struct occasion o = {BYTES_LIT("git"), i, BYTES_NONE};
        claim_occasion(DEVICE_SECRET, &id, &o, seen[i].key);
        seen[i].time_ms = DAY_MS(i);
    }
    struct claim c = base;
    c.seen = seen;
    c.n_seen = N;
    assert_int_equal(apply(&c), CLAIM_ADDED);
    assert_true(device_claim(&d, "Uses rg", &p));
    assert_int_equal(p.support, N);
    uint64_t ops = device_ops(&d);
    (void)apply(&c);
    assert_int_equal(device_ops(&d), ops);
    free(seen);
}

static void a_retracted_claim_is_dropped_and_revived(void **state)
{
    (void)state;
    struct prop p;
    struct id id;
    enum claim_outcome outcome;
    struct count count = {.source = BYTES_LIT("zsh"), .support = 3, .first_ms = NOW, .last_ms = NOW};
    struct claim c = base;
    c.counts = &count;
    c.n_counts = 1;
    (void)apply(&c);
    claim_id(DEVICE_SECRET, base.kind, base.key, &id);
    assert_int_equal(claim_retract(w, &id, &outcome, &e), 0);
    assert_int_equal(outcome, CLAIM_LOWERED);
    assert_false(device_claim(&d, "Uses rg", &p));
    assert_int_equal(store_prop(d.s, &id, false, &p, &e), 0); /* not gone */
    assert_int_equal(p.support, 0);
    assert_int_equal(claim_retract(w, &id, &outcome, &e), 0);
    assert_int_equal(outcome, CLAIM_SAME);
    assert_int_equal(apply(&c), CLAIM_REVIVED);
    assert_true(device_claim(&d, "Uses rg", &p));
}

static void retracting_what_never_was_is_nothing(void **state)
{
    (void)state;
    struct id id = {{9}};
    enum claim_outcome outcome;
    assert_int_equal(claim_retract(w, &id, &outcome, &e), 0);
    assert_int_equal(outcome, CLAIM_SAME);
    assert_int_equal(device_ops(&d), 0);
}

static void a_forgotten_id_is_left_alone(void **state)
{
    (void)state;
    struct prop p;
    struct claim c = base;
    (void)apply(&c);
    assert_true(device_claim(&d, "Uses rg", &p));
    assert_int_equal(store_forget(d.s, &p.id, NULL, 0, &e), 0);
    uint64_t ops = device_ops(&d);
    assert_int_equal(apply(&c), CLAIM_FORGOTTEN);
    assert_int_equal(device_ops(&d), ops);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ids_depend_on_kind_key_and_secret),
        T(applying_the_same_claim_again_writes_nothing),
        T(a_source_that_says_nothing_more_is_counted_zero),
        T(shared_occasions_beyond_a_page_are_all_written),
        T(a_retracted_claim_is_dropped_and_revived),
        T(retracting_what_never_was_is_nothing),
        T(a_forgotten_id_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
