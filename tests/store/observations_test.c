#include "tests/support/unit.h"

#include "store/local.h"
#include "store/search.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <string.h>

static struct stored_observation sample(unsigned n)
{
    struct stored_observation o = {.time_ms = KIT_MS + (int64_t)n * MS_MINUTE, .end_ms = TIME_NONE};
    o.added_ms = KIT_MS + MS_DAY;
    o.key[0] = (uint8_t)n;
    o.key[1] = (uint8_t)(n >> 8);
    o.offset_min = 60;
    o.source = BYTES_LIT("bash");
    o.command = BYTES_LIT("make test");
    return o;
}

static int64_t add(struct kit *k, const struct stored_observation *o, bool *fresh)
{
    struct err e = ERR_INIT;
    int64_t row = -1;
    kit_ok(local_observation_add(k->s, o, &row, fresh, &e), &e);
    return row;
}

static int64_t add_n(struct kit *k, unsigned n)
{
    bool fresh = false;
    struct stored_observation o = sample(n);
    int64_t row = add(k, &o, &fresh);
    assert_true(fresh);
    return row;
}

static void everything_comes_back_as_it_was_added(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct stored_observation o = sample(1), got;
    o.end_ms = o.time_ms + 5;
    o.offset_min = -570;
    o.shared_event = o.untimed = true;
    o.app = BYTES_LIT("editor");
    o.title = BYTES_LIT("naïve — 手机");
    o.text = bytes_of("a\0b", 3);
    o.url = BYTES_LIT("https://example.org/?q=1");
    o.cwd = BYTES_LIT("/home/user");
    o.files = BYTES_LIT("a.c\nb.c");
    o.ext_id = BYTES_LIT("x1");
    o.data = BYTES_LIT("{\"k\":1}");
    bool fresh = false;
    int64_t row = add(k, &o, &fresh);
    assert_true(fresh);
    kit_ok(local_observation(k->s, row, &got, &e), &e);
    assert_int_equal(got.row, row);
    assert_memory_equal(got.key, o.key, sizeof o.key);
    assert_true(got.time_ms == o.time_ms && got.end_ms == o.end_ms && got.added_ms == o.added_ms);
    assert_int_equal(got.offset_min, -570);
    assert_true(got.shared_event && got.untimed);
    const struct bytes pairs[][2] = {{got.source, o.source}, {got.app, o.app},     {got.title, o.title},
                                     {got.text, o.text},     {got.url, o.url},     {got.command, o.command},
                                     {got.cwd, o.cwd},       {got.files, o.files}, {got.ext_id, o.ext_id},
                                     {got.data, o.data}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_true(bytes_eq(pairs[i][0], pairs[i][1]));
    assert_int_equal(local_observation(k->s, row + 1, &got, &e), ERR_NOTFOUND);
}

static void a_known_key_is_not_added_again_but_its_end_grows(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct stored_observation o = sample(1), got;
    bool fresh = false;
    int64_t row = add(k, &o, &fresh);
    static const struct {
        int64_t end, want;
    } steps[] = {{TIME_NONE, TIME_NONE},
                 {KIT_MS + 90000, KIT_MS + 90000},
                 {KIT_MS + 80000, KIT_MS + 90000},
                 {TIME_NONE, KIT_MS + 90000},
                 {KIT_MS + 95000, KIT_MS + 95000}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        o.end_ms = steps[i].end;
        o.command = BYTES_LIT("other text is not taken over");
        assert_int_equal(add(k, &o, &fresh), row);
        assert_false(fresh);
        kit_ok(local_observation(k->s, row, &got, &e), &e);
        assert_true(got.end_ms == steps[i].want);
        assert_true(bytes_eq(got.command, BYTES_LIT("make test")));
    }
}

static void blocked_keys_and_spans_are_not_taken_up(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct stored_observation o = sample(1), later = sample(200);
    struct id prop = kit_id(9);
    kit_ok(kit_tell(k, &prop, "runs make", &e), &e);
    const uint8_t keys[1][16] = {{1}};
    kit_ok(store_forget(k->s, &prop, keys, 1, &e), &e);
    bool fresh = true;
    assert_int_equal(add(k, &o, &fresh), 0);
    assert_false(fresh);
    kit_ok(store_block_source(k->s, BYTES_LIT("bash"), later.time_ms, later.time_ms, &e), &e);
    assert_int_equal(add(k, &later, &fresh), 0);
    assert_false(fresh);
    later.source = BYTES_LIT("zsh");
    assert_true(add(k, &later, &fresh) > 0);
    assert_true(fresh);
}

struct walk {
    char seen[400];
    size_t stop_after, n;
};

static int on_observation(void *ctx, const struct stored_observation *o)
{
    struct walk *w = ctx;
    size_t at = strlen(w->seen);
    snprintf(w->seen + at, sizeof w->seen - at, "%lld ", (long long)((o->time_ms - KIT_MS) / MS_MINUTE));
    return ++w->n == w->stop_after ? 42 : 0;
}

static void listing_filters_orders_and_stops(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    for (unsigned i = 1; i <= 6; i++) {
        struct stored_observation o = sample(7 - i);
        if (i % 2 == 0)
            o.source = BYTES_LIT("zsh");
        bool fresh;
        add(k, &o, &fresh);
    }
    static const struct {
        const char *source;
        int64_t from, until;
        uint32_t max;
        bool newest;
        const char *want;
    } cases[] = {
        {NULL, TIME_NONE, TIME_NONE, 100, false, "1 2 3 4 5 6 "},
        {NULL, TIME_NONE, TIME_NONE, 2, true, "6 5 "},
        {NULL, KIT_MS + 2 * MS_MINUTE, KIT_MS + 4 * MS_MINUTE, 100, false, "2 3 4 "},
        {"bash", TIME_NONE, TIME_NONE, 100, true, "6 4 2 "},
        {"zsh", KIT_MS + 3 * MS_MINUTE, TIME_NONE, 100, false, "3 5 "},
        {"fish", TIME_NONE, TIME_NONE, 100, false, ""},
        {NULL, TIME_NONE, TIME_NONE, 0, false, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct observation_filter f = {bytes_str(cases[i].source), cases[i].from, cases[i].until,
                                       cases[i].max, cases[i].newest};
        struct walk w = {0};
        kit_ok(local_observations(k->s, &f, on_observation, &w, &e), &e);
        assert_string_equal(w.seen, cases[i].want);
    }
    struct observation_filter all = {BYTES_NONE, TIME_NONE, TIME_NONE, 100, false};
    struct walk w = {.stop_after = 2};
    assert_int_equal(local_observations(k->s, &all, on_observation, &w, &e), 42);
    assert_string_equal(w.seen, "1 2 ");
}

static int on_source(void *ctx, const struct source_count *c)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%.*s %llu %lld..%lld;", (int)c->source.n, (const char *)c->source.p,
            (unsigned long long)c->n, (long long)(c->first_ms - KIT_MS), (long long)(c->last_ms - KIT_MS));
    return 0;
}

static void sources_are_counted_and_leave_with_their_last_observation(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    char text[200] = "";
    add_n(k, 1);
    add_n(k, 3);
    struct stored_observation o = sample(2);
    o.source = BYTES_LIT("a");
    bool fresh;
    add(k, &o, &fresh);
    kit_ok(local_sources(k->s, on_source, text, &e), &e);
    assert_string_equal(text, "a 1 120000..120000;bash 2 60000..180000;");
    uint64_t n = 0;
    kit_ok(local_source_erase(k->s, BYTES_LIT("bash"), TIME_NONE, TIME_NONE, &n, &e), &e);
    assert_int_equal(n, 2);
    kit_ok(store_scrub(k->s, &e), &e);
    text[0] = '\0';
    kit_ok(local_sources(k->s, on_source, text, &e), &e);
    assert_string_equal(text, "a 1 120000..120000;");
    kit_ok(local_source_erase(k->s, BYTES_LIT("bash"), TIME_NONE, TIME_NONE, &n, &e), &e);
    assert_int_equal(n, 0);
    add_n(k, 9); /* the name can come back */
}

static void erasing_a_source_keeps_what_is_outside_the_span(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_begin(k->s, &e), &e);
    for (unsigned i = 1; i <= 700; i++) /* more than one batch */
        add_n(k, i);
    kit_ok(store_commit(k->s, &e), &e);
    uint64_t n = 0;
    kit_ok(local_source_erase(k->s, BYTES_LIT("bash"), KIT_MS + 100 * MS_MINUTE, KIT_MS + 699 * MS_MINUTE, &n,
                              &e),
           &e);
    assert_int_equal(n, 600);
    struct observation_filter f = {BYTES_NONE, KIT_MS + 99 * MS_MINUTE, TIME_NONE, 100, false};
    struct walk w = {0};
    kit_ok(local_observations(k->s, &f, on_observation, &w, &e), &e);
    assert_string_equal(w.seen, "99 700 ");
    kit_ok(store_check(k->s, &e), &e);
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t feature = 0;
    struct stored_observation got;
    kit_ok(store_begin(k->s, &e), &e);
    int64_t row = add_n(k, 1);
    kit_ok(local_feature(k->s, 1, BYTES_LIT("make"), &feature, &e), &e);
    kit_ok(local_trace_add(k->s, feature, row, 1, 1, &e), &e);
    store_rollback(k->s);
    assert_int_equal(local_observation(k->s, row, &got, &e), ERR_NOTFOUND);
    assert_int_equal(local_feature_get(k->s, feature, &(struct feature){0}, &e), ERR_NOTFOUND);
    add_n(k, 2); /* the source's name is looked up anew */
    kit_ok(store_check(k->s, &e), &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(everything_comes_back_as_it_was_added),
        KIT_TEST(a_known_key_is_not_added_again_but_its_end_grows),
        KIT_TEST(blocked_keys_and_spans_are_not_taken_up),
        KIT_TEST(listing_filters_orders_and_stops),
        KIT_TEST(sources_are_counted_and_leave_with_their_last_observation),
        KIT_TEST(erasing_a_source_keeps_what_is_outside_the_span),
        KIT_TEST(a_rolled_back_transaction_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
