#include "store/search.h"

#include "tests/support/unit.h"

#include "store/local.h"
#include "tests/store/kit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HITS 64

static unsigned number_of(struct kit *k, int64_t row)
{
    struct err e = ERR_INIT;
    struct prop p;
    kit_ok(store_prop_row(k->s, row, &p, &e), &e);
    return (unsigned)p.id.b[0] | (unsigned)p.id.b[ID_BYTES - 2] << 8;
}

/* The numbers of the propositions found, best first, as text. */
static const char *found(struct kit *k, const char *query)
{
    static char text[HITS * 8];
    struct err e = ERR_INIT;
    struct search_hit hits[HITS];
    size_t n = 0, at = 0;
    text[0] = '\0';
    kit_ok(search_props(k->s, bytes_str(query), 0, hits, HITS, &n, &e), &e);
    for (size_t i = 0; i < n; i++) {
        assert_true(hits[i].score > 0 && hits[i].matched > 0);
        assert_true(i == 0 || hits[i].score <= hits[i - 1].score);
        at += (size_t)snprintf(text + at, sizeof text - at, "%u ", number_of(k, hits[i].row));
    }
    return text;
}

static void some_props(struct kit *k)
{
    kit_told(k, 1, "Prefers plain-text mail over HTML mail");
    kit_told(k, 2, "Drinks coffee in a café near the office every morning");
    kit_told(k, 3, "Works on the network stack of a small database");
    kit_told(k, 4, "Reads mail before coffee");
    kit_told(k, 5, "每天早上喝咖啡看新闻");
    kit_told(k, 6, "コーヒーより紅茶が好き");
    kit_told(k, 7, "喜欢看电影");
}

static void words_are_found_whatever_their_case_and_accents(void **state)
{
    struct kit *k = *state;
    some_props(k);
    assert_string_equal(found(k, "DATABASE"), "3 ");
    assert_string_equal(found(k, "cafe"), "2 ");
    assert_string_equal(found(k, "cafe\u0301"), "2 ");
    assert_string_equal(found(k, "plain-text"), "1 ");
    assert_string_equal(found(k, "nothing-like-it"), "");
    assert_string_equal(found(k, ""), "");
}

static void more_and_rarer_words_rank_higher(void **state)
{
    struct kit *k = *state;
    some_props(k);
    assert_string_equal(found(k, "coffee mail"), "4 1 2 ");
    assert_string_equal(found(k, "mail"), "1 4 ");     /* twice in a short one */
    assert_string_equal(found(k, "the office"), "2 "); /* a stop word finds nothing by itself … */
    assert_string_equal(found(k, "the"), "3 2 ");      /* … unless nothing else is asked */
}

static void phrases_are_found_as_phrases(void **state)
{
    struct kit *k = *state;
    some_props(k);
    assert_string_equal(found(k, "\"small database\""), "3 ");
    assert_string_equal(found(k, "\"database small\""), "");
    assert_string_equal(found(k, "\"text mail\" office"), "1 2 ");
    assert_string_equal(found(k, "mail\"coffee in\"x"), "1 4 2 ");
    assert_string_equal(found(k, "\"small database"), "3 "); /* never closed: words */
}

static void unspaced_text_is_found_by_any_part_of_it(void **state)
{
    struct kit *k = *state;
    some_props(k);
    assert_string_equal(found(k, "咖啡"), "5 ");
    assert_string_equal(found(k, "早上喝咖"), "5 ");
    assert_string_equal(found(k, "喝"), "5 ");
    assert_string_equal(found(k, "\"上喝咖啡\""), "5 ");
    assert_string_equal(found(k, "\"咖喝\""), "");
    assert_string_equal(found(k, "紅茶"), "6 ");
    assert_string_equal(found(k, "我喜欢咖啡"), "7 5 "); /* by pairs: 喜欢, 咖啡; the shorter text first */
}

static void the_last_word_may_be_half_typed(void **state)
{
    struct kit *k = *state;
    some_props(k);
    assert_string_equal(found(k, "datab"), "3 ");
    assert_string_equal(found(k, "zzz netw"), "3 ");
    assert_string_equal(found(k, "da"), "");
    assert_string_equal(found(k, "datab zzz"), "");
}

static void nothing_in_a_query_is_syntax(void **state)
{
    struct kit *k = *state;
    static const char *const odd[] = {"\"",           "\"\"",
                                      "\"\"\"",       "AND",
                                      "OR NOT",       "NEAR(a b)",
                                      "text:",        "*",
                                      "a*",           "^",
                                      "^mail -",      "{text}: x",
                                      "()",           "';DROP TABLE prop;--",
                                      "\xff\xfe\x80", "\" \xf0\x9f",
                                      "-mail",        "+",
                                      "\\",           "\t\n\v ",
                                      "\"(\" ) \"*\""};
    struct search_hit hits[HITS];
    struct err e = ERR_INIT;
    some_props(k);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        found(k, odd[i]);
    size_t n;
    kit_ok(search_props(k->s, BYTES_LIT("\0mail\0"), 0, hits, HITS, &n, &e), &e);
    assert_int_equal(n, 2);
    char *big = malloc(1 << 20);
    assert_non_null(big);
    for (size_t i = 0; i < 1 << 20; i++)
        big[i] = "ab \"c\x80"[i * 7919 % 6];
    kit_ok(search_props(k->s, bytes_of(big, 1 << 20), 0, hits, HITS, &n, &e), &e);
    memset(big, 'm', 1 << 20);
    kit_ok(search_props(k->s, bytes_of(big, 1 << 20), 0, hits, HITS, &n, &e), &e);
    free(big);
}

static void flags_leave_out_and_max_cuts(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct search_hit hits[HITS];
    struct draft d;
    struct id one = kit_id(1);
    size_t n;
    some_props(k);
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, &one);
    draft_reg_u8(&d, REG_PINNED, 1, NULL, 0);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
    assert_string_equal(found(k, "mail"), "1 4 ");
    kit_ok(search_props(k->s, BYTES_LIT("mail"), PROP_PINNED, hits, HITS, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_int_equal(number_of(k, hits[0].row), 4);
    kit_ok(search_props(k->s, BYTES_LIT("mail"), 0, hits, 1, &n, &e), &e);
    assert_int_equal(n, 1);
    kit_ok(search_props(k->s, BYTES_LIT("mail"), 0, NULL, 0, &n, &e), &e);
    assert_int_equal(n, 0);
}

static void weights_count_words_as_they_stand(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct search_hit hits[HITS];
    size_t n;
    some_props(k);
    static const struct {
        double weights[4];
        unsigned best, n;
    } cases[] = {
        {{1, 0.1, 0.1, 1}, 3, 2}, {{0.1, 1, 1, 1}, 2, 2}, {{0, 1, 1, 1}, 2, 1}, {{1, 0, 0, 1}, 3, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weighted_query q = {BYTES_LIT("  network \"office every\""), cases[i].weights, 3, 0};
        kit_ok(search_props_weighted(k->s, &q, hits, HITS, &n, &e), &e);
        assert_int_equal(n, cases[i].n);
        assert_int_equal(number_of(k, hits[0].row), cases[i].best);
    }
    struct weighted_query same = {BYTES_LIT("coffee mail"), NULL, 0, 0};
    kit_ok(search_props_weighted(k->s, &same, hits, HITS, &n, &e), &e);
    assert_int_equal(number_of(k, hits[0].row), 4);
}

static void the_heaviest_words_of_a_long_query_are_kept(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct search_hit hits[HITS];
    char text[2000] = "";
    double weights[201];
    size_t n;
    some_props(k);
    for (unsigned i = 0; i < 200; i++) {
        sprintf(text + strlen(text), "w%u ", i);
        weights[i] = 0.5;
    }
    strcat(text, "network");
    weights[200] = 0.6;
    struct weighted_query q = {bytes_str(text), weights, 201, 0};
    kit_ok(search_props_weighted(k->s, &q, hits, HITS, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_int_equal(number_of(k, hits[0].row), 3);
}

/* 6000 propositions: "common" in all, "usual" in every third, "often" in every fifth, "rareN" in one. */
static void many_props(struct kit *k)
{
    struct err e = ERR_INIT;
    char text[100];
    kit_ok(store_begin(k->s, &e), &e);
    for (unsigned i = 1; i <= 6000; i++) {
        snprintf(text, sizeof text, "common%s%s rare%u", i % 3 == 0 ? " usual" : "",
                 i % 5 == 0 ? " often" : "", i);
        kit_told(k, i, text);
    }
    kit_ok(store_commit(k->s, &e), &e);
}

static void common_words_do_not_hide_what_matches_best(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    static struct search_hit hits[4096], again[4096];
    size_t n, m;
    many_props(k);
    kit_ok(search_props(k->s, BYTES_LIT("common rare7"), 0, hits, 4096, &n, &e), &e);
    assert_int_equal(number_of(k, hits[0].row),
                     7); /* an old one; the newest rows have only the common word */
    assert_int_equal(hits[0].matched, 2);
    assert_int_equal(hits[1].matched, 1);
    assert_true(n > 100 && n <= 4096);

    kit_ok(search_props(k->s, BYTES_LIT("common usual often"), 0, hits, 4096, &n, &e), &e);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(hits[i].matched, 3);
        assert_int_equal(number_of(k, hits[i].row) % 15, 0);
        assert_true(i == 0 || hits[i].row < hits[i - 1].row); /* equal scores: newer first */
    }
    kit_ok(search_props(k->s, BYTES_LIT("common usual often"), 0, again, 4096, &m, &e), &e);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        assert_true(hits[i].row == again[i].row && hits[i].matched == again[i].matched);
}

static int64_t observe(struct kit *k, unsigned n, struct stored_observation o)
{
    struct err e = ERR_INIT;
    int64_t row = 0;
    bool fresh;
    o.time_ms = KIT_MS + n;
    o.end_ms = TIME_NONE;
    o.key[0] = (uint8_t)n;
    o.source = BYTES_LIT("test");
    kit_ok(local_observation_add(k->s, &o, &row, &fresh, &e), &e);
    return row;
}

static int64_t first_observation(struct kit *k, const char *query, size_t *n)
{
    struct err e = ERR_INIT;
    struct search_hit hits[HITS];
    kit_ok(search_observations(k->s, bytes_str(query), hits, HITS, n, &e), &e);
    return *n > 0 ? hits[0].row : 0;
}

static void observations_are_found_by_what_they_show(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    size_t n;
    int64_t rows[5];
    rows[0] = observe(
        k, 1,
        (struct stored_observation){.title = BYTES_LIT("Invoice overview"), .app = BYTES_LIT("firefox")});
    rows[1] = observe(k, 2, (struct stored_observation){.command = BYTES_LIT("rg --files | wc -l")});
    rows[2] = observe(
        k, 3, (struct stored_observation){.url = BYTES_LIT("https://docs.example.org/sqlite/fts5?x=1")});
    rows[3] = observe(k, 4, (struct stored_observation){.text = BYTES_LIT("写给妈妈的信")});
    static const char *const queries[] = {"invoice", "rg", "fts5 sqlite", "妈妈"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(first_observation(k, queries[i], &n), rows[i]);
        assert_int_equal(n, 1);
    }
    assert_int_equal(first_observation(k, "FIREFOX", &n), rows[0]);
    kit_ok(local_observations_erase(k->s, rows, 2, &e), &e);
    first_observation(k, "invoice rg", &n);
    assert_int_equal(n, 0);
    assert_int_equal(first_observation(k, "example", &n), rows[2]);
    kit_ok(store_check(k->s, &e), &e);
}

static void a_word_far_behind_in_a_long_text_still_counts(void **state)
{
    struct kit *k = *state;
    size_t n, size = 32000;
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 5 == 4 ? ' ' : 'x';
    memcpy(text + size - 7, " needle", 7);
    int64_t row = observe(k, 1, (struct stored_observation){.text = bytes_of(text, size)});
    assert_int_equal(first_observation(k, "needle", &n), row);
    free(text);
}

static void the_index_follows_edits_and_forgetting(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct id one = kit_id(1), four = kit_id(4);
    some_props(k);
    kit_told(k, 1, "Prefers letters on paper");
    assert_string_equal(found(k, "html"), "");
    assert_string_equal(found(k, "paper"), "1 ");
    kit_ok(store_forget(k->s, &four, NULL, 0, &e), &e);
    assert_string_equal(found(k, "coffee"), "2 ");
    kit_ok(store_rebuild(k->s, &e), &e);
    assert_string_equal(found(k, "coffee"), "2 ");
    assert_string_equal(found(k, "paper"), "1 ");
    kit_ok(store_forget(k->s, &one, NULL, 0, &e), &e);
    assert_string_equal(found(k, "paper"), "");
    kit_ok(store_check(k->s, &e), &e);
}

static void erased_words_are_in_no_file_after_a_scrub(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct id secret = kit_id(600), own = kit_id(601);
    kit_ok(store_begin(k->s, &e), &e);
    for (unsigned i = 1; i < 500; i++) /* so that the indexes have several pages */
        kit_told(k, i, "something that says quite little about xylophones");
    kit_ok(store_commit(k->s, &e), &e);
    kit_told(k, 600, "visits the quagmirewort every week");
    int64_t row =
        observe(k, 1, (struct stored_observation){.title = BYTES_LIT("Quagmirewort opening times")});
    kit_ok(store_scrub(k->s, &e), &e);
    assert_true(tmp_count_files_with(k->dir.path, BYTES_LIT("uagmirewort")) > 0);
    kit_ok(store_forget(k->s, &secret, NULL, 0, &e), &e);
    kit_ok(local_observations_erase(k->s, &row, 1, &e), &e);

    /* written and erased in one transaction, as the only deletion of its index segment */
    kit_ok(store_begin(k->s, &e), &e);
    kit_told(k, 601, "knows the brambleflux");
    kit_ok(store_forget(k->s, &own, NULL, 0, &e), &e);
    kit_ok(store_commit(k->s, &e), &e);
    kit_ok(store_scrub(k->s, &e), &e);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("uagmirewort")), 0);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("brambleflux")), 0);
    kit_close(k);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("uagmirewort")), 0);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("brambleflux")), 0);
}

static void a_lone_deletion_is_scrubbed_too(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_begin(k->s, &e), &e);
    int64_t row = observe(k, 1, (struct stored_observation){.title = BYTES_LIT("brambleflux")});
    kit_ok(local_observations_erase(k->s, &row, 1, &e), &e);
    kit_ok(store_commit(k->s, &e), &e);
    kit_ok(store_scrub(k->s, &e), &e);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("brambleflux")), 0);
}

static void an_index_that_differs_from_the_texts_is_reported(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    sqlite3 *db;
    observe(k, 1, (struct stored_observation){.title = BYTES_LIT("one two")});
    kit_ok(store_check(k->s, &e), &e);
    kit_close(k);
    assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE observation SET title='three'", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    kit_ok(kit_open(k, &e), &e);
    assert_int_equal(store_check(k->s, &e), ERR_CORRUPT);
    assert_non_null(strstr(e.text, "full-text"));
}

static int join_term(void *ctx, struct bytes term)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%.*s|", (int)term.n, (const char *)term.p);
    return bytes_eq(term, BYTES_LIT("stop")) ? 9 : 0;
}

static void terms_are_the_words_of_the_index(void **state)
{
    struct kit *k = *state;
    char text[200] = "";
    assert_int_equal(search_terms(k->s, BYTES_LIT("The Café of 手机, and y'all"), false, join_term, text), 0);
    assert_string_equal(text, "the|cafe|of|手|机|and|y|all|");
    text[0] = '\0';
    assert_int_equal(search_terms(k->s, BYTES_LIT("The Café of 手机, stop here"), true, join_term, text), 9);
    assert_string_equal(text, "cafe|手|机|stop|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(words_are_found_whatever_their_case_and_accents),
        KIT_TEST(more_and_rarer_words_rank_higher),
        KIT_TEST(phrases_are_found_as_phrases),
        KIT_TEST(unspaced_text_is_found_by_any_part_of_it),
        KIT_TEST(the_last_word_may_be_half_typed),
        KIT_TEST(nothing_in_a_query_is_syntax),
        KIT_TEST(flags_leave_out_and_max_cuts),
        KIT_TEST(weights_count_words_as_they_stand),
        KIT_TEST(the_heaviest_words_of_a_long_query_are_kept),
        KIT_TEST(common_words_do_not_hide_what_matches_best),
        KIT_TEST(observations_are_found_by_what_they_show),
        KIT_TEST(a_word_far_behind_in_a_long_text_still_counts),
        KIT_TEST(the_index_follows_edits_and_forgetting),
        KIT_TEST(erased_words_are_in_no_file_after_a_scrub),
        KIT_TEST(a_lone_deletion_is_scrubbed_too),
        KIT_TEST(an_index_that_differs_from_the_texts_is_reported),
        KIT_TEST(terms_are_the_words_of_the_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
