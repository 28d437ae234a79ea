#include "tests/support/unit.h"

#include "store/local.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <string.h>

static int64_t observe(struct kit *k, unsigned n)
{
    struct err e = ERR_INIT;
    struct stored_observation o = {.time_ms = KIT_MS, .end_ms = TIME_NONE, .source = BYTES_LIT("s")};
    o.key[0] = (uint8_t)n;
    o.key[1] = (uint8_t)(n >> 8);
    int64_t row = 0;
    bool fresh;
    kit_ok(local_observation_add(k->s, &o, &row, &fresh, &e), &e);
    return row;
}

static int64_t feature(struct kit *k, uint8_t kind, const char *key)
{
    struct err e = ERR_INIT;
    int64_t f = 0;
    kit_ok(local_feature(k->s, kind, bytes_str(key), &f, &e), &e);
    assert_true(f > 0);
    return f;
}

static void trace(struct kit *k, int64_t f, int64_t observation, int32_t day, uint16_t minute)
{
    struct err e = ERR_INIT;
    kit_ok(local_trace_add(k->s, f, observation, day, minute, &e), &e);
}

static int on_feature(void *ctx, const struct feature *f)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%d:%.*s ", f->kind, (int)f->key.n, (const char *)f->key.p);
    return 0;
}

static int on_trace(void *ctx, const struct trace *t)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%d/%d/%lld ", (int)t->day, t->minute, (long long)t->observation);
    return 0;
}

static int stop_at_once(void *ctx, const struct trace *t)
{
    (void)ctx;
    (void)t;
    return -123;
}

static const char *dirty(struct kit *k)
{
    static char text[2000];
    struct err e = ERR_INIT;
    text[0] = '\0';
    kit_ok(local_dirty(k->s, on_feature, text, &e), &e);
    return text;
}

static const char *traces(struct kit *k, int64_t f, int32_t from)
{
    static char text[20000];
    struct err e = ERR_INIT;
    text[0] = '\0';
    kit_ok(local_traces(k->s, f, from, on_trace, text, &e), &e);
    return text;
}

static void a_feature_is_made_once_and_found_by_kind_and_key(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    char text[200] = "";
    int64_t a = feature(k, 1, "rg"), b = feature(k, 2, "rg"), c = feature(k, 1, "ag");
    assert_true(a != b && b != c && a != c);
    assert_int_equal(feature(k, 1, "rg"), a);
    kit_ok(store_begin(k->s, &e), &e);
    assert_int_equal(feature(k, 1, "rg"), a);
    assert_int_equal(feature(k, 1, "rg"), a); /* now from memory */
    assert_int_equal(feature(k, 2, "rg"), b);
    kit_ok(store_commit(k->s, &e), &e);
    kit_ok(local_features(k->s, 1, on_feature, text, &e), &e);
    assert_string_equal(text, "1:ag 1:rg ");
    struct feature f;
    kit_ok(local_feature_get(k->s, b, &f, &e), &e);
    assert_true(f.feature == b && f.kind == 2 && bytes_eq(f.key, BYTES_LIT("rg")));
    assert_int_equal(local_feature_get(k->s, 999, &f, &e), ERR_NOTFOUND);
}

static void traces_come_in_order_however_they_were_added(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t f = feature(k, 1, "rg"), g = feature(k, 1, "ag");
    kit_ok(store_begin(k->s, &e), &e);
    int64_t one = observe(k, 1), two = observe(k, 2);
    trace(k, f, two, -3, 1439);
    trace(k, g, two, 5, 7);
    trace(k, f, one, 20000, 0);
    trace(k, f, one, -3, 1439);
    trace(k, f, one, -3, 1439); /* again: once */
    char want[200];
    snprintf(want, sizeof want, "-3/1439/%lld -3/1439/%lld 20000/0/%lld ", (long long)one, (long long)two,
             (long long)one);
    assert_string_equal(traces(k, f, INT32_MIN), want); /* inside the transaction, too */
    trace(k, f, two, 20000, 0);
    kit_ok(store_commit(k->s, &e), &e);
    snprintf(want, sizeof want, "20000/0/%lld 20000/0/%lld ", (long long)one, (long long)two);
    assert_string_equal(traces(k, f, 0), want);
    assert_int_equal(local_traces(k->s, f, INT32_MIN, stop_at_once, NULL, &e), -123);
}

static void dirty_features_survive_reopening_until_they_are_cleared(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t f = feature(k, 1, "rg"), g = feature(k, 3, "lisbon");
    trace(k, f, observe(k, 1), 1, 1);
    trace(k, g, observe(k, 2), 1, 1);
    kit_reopen(k);
    assert_string_equal(dirty(k), "1:rg 3:lisbon ");
    kit_ok(local_dirty_clear(k->s, &e), &e);
    assert_string_equal(dirty(k), "");
    trace(k, g, observe(k, 3), 1, 2);
    assert_string_equal(dirty(k), "3:lisbon ");
}

static void erasing_takes_the_traces_and_the_empty_features(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t f = feature(k, 1, "rg"), g = feature(k, 3, "lisbon");
    int64_t one = observe(k, 1), two = observe(k, 2);
    kit_ok(store_begin(k->s, &e), &e);
    trace(k, f, one, 1, 1);
    trace(k, g, one, 1, 1);
    kit_ok(store_commit(k->s, &e), &e);
    trace(k, f, two, 2, 2);
    trace(k, g, one, 9, 9); /* a later trace of an observation that has some */
    kit_ok(local_dirty_clear(k->s, &e), &e);

    const int64_t rows[] = {one, 12345};
    kit_ok(local_observations_erase(k->s, rows, 2, &e), &e);
    assert_string_equal(dirty(k), "1:rg 3:lisbon ");
    assert_string_equal(traces(k, g, INT32_MIN), "");
    char want[40];
    snprintf(want, sizeof want, "2/2/%lld ", (long long)two);
    assert_string_equal(traces(k, f, INT32_MIN), want);

    kit_ok(local_dirty_clear(k->s, &e), &e);
    struct feature got;
    assert_int_equal(local_feature_get(k->s, g, &got, &e), ERR_NOTFOUND);
    kit_ok(local_feature_get(k->s, f, &got, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
}

static void more_traces_than_are_held_are_all_there(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t f = feature(k, 1, "rg"), one = observe(k, 1);
    kit_ok(store_begin(k->s, &e), &e);
    for (int32_t i = 0; i < 70000; i++)
        trace(k, f, one, i / 1440, (uint16_t)(i % 1440));
    kit_ok(store_commit(k->s, &e), &e);
    char want[60];
    snprintf(want, sizeof want, "48/878/%lld 48/879/%lld ", (long long)one, (long long)one);
    const char *got = traces(k, f, 48);
    assert_string_equal(got + strlen(got) - strlen(want), want);
    kit_ok(local_observations_erase(k->s, &one, 1, &e), &e);
    assert_string_equal(traces(k, f, INT32_MIN), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_feature_is_made_once_and_found_by_kind_and_key),
        KIT_TEST(traces_come_in_order_however_they_were_added),
        KIT_TEST(dirty_features_survive_reopening_until_they_are_cleared),
        KIT_TEST(erasing_takes_the_traces_and_the_empty_features),
        KIT_TEST(more_traces_than_are_held_are_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
