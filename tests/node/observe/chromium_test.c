#include "tests/node/observe/database.h"
#include "tests/node/observe/source.h"
#include "tests/support/unit.h"

#include <string.h>
#include <unistd.h>

#define REAL TEST_DATA "/observe/browsers/chromium156_History.sqlite"

/* Microseconds since 1601 of 2021-04-19T22:40:32Z and of the years around it. */
#define SCHEMA                                                                                               \
    "CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT, title TEXT);"                                       \
    "CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER, from_visit INTEGER,"       \
    "transition INTEGER, visit_duration INTEGER DEFAULT 0, originator_cache_guid TEXT);"                     \
    "INSERT INTO urls VALUES (1, 'https://a.example/', 'A');"

static void real_visits_get_their_unix_time(void **state)
{
    struct source *x = *state;
    source_run_path(x, REAL);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 4);
    assert_true(import_has(&x->im,
                           "o 2026-11-24T04:20:45.008Z end=2026-11-24T04:20:45.046Z shared source=chromium "
                           "app=chromium title=Page index"));
    assert_true(import_has(&x->im, "url=http://127.0.0.1:38080/b.html?q=hello+world&token=abc"));
}

static void older_browsers_are_read_and_redirects_left_out(void **state)
{
    struct source *x = *state;
    source_run_path(x, TEST_DATA "/observe/browserexport/chrome.sqlite");
    assert_int_equal(x->im.observations, 6);
    source_run_path(x, TEST_DATA "/observe/browserexport/chromium.sqlite");
    assert_int_equal(x->im.observations, 1);
    source_run_path(x, TEST_DATA "/observe/browserexport/brave.sqlite");
    assert_int_equal(x->im.observations, 1); /* the end of a redirect */
    assert_int_equal(x->im.skipped, 1);      /* its start */
    assert_true(import_has(&x->im, "url=https://basicattentiontoken.org/user-terms-of-service/\n"));
}

static void a_profile_folder_is_searched(void **state)
{
    struct source *x = *state;
    char history[TMP_PATH_BYTES];
    tmp_copy(REAL, tmp_path(&x->dir, "History", history));
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.observations, 4);
    assert_int_equal(unlink(history), 0);
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.opened, ERR_NOTFOUND);
}

static void the_second_import_reads_only_what_is_new(void **state)
{
    struct source *x = *state;
    tmp_copy(REAL, x->path);
    source_run(x);
    source_run(x);
    assert_int_equal(x->im.observations, 0);
    database_run(x->path,
                 "INSERT INTO visits(url, visit_time, transition) VALUES (1, 13439967745008085, 805306368)");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
}

static void a_cleared_history_is_read_from_the_beginning(void **state)
{
    struct source *x = *state;
    tmp_copy(REAL, x->path);
    source_run(x);
    database_run(
        x->path,
        "DELETE FROM visits;"
        "INSERT INTO visits(id, url, visit_time, transition) VALUES (4, 1, 13439967999008085, 805306368)");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    (void)buf_str(&x->im.cursor, "garbage");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
}

static void what_the_user_did_not_read_is_skipped(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA "INSERT INTO visits VALUES"
                                 "(1, 1, 13263345632000000, 0, 805306368, 0, ''),"     /* read */
                                 "(2, 1, 13263345632000000, 0, 805306371, 0, ''),"     /* frame */
                                 "(3, 1, 13263345632000000, 0, 805306372, 0, NULL),"   /* frame */
                                 "(4, 1, 13263345632000000, 0, 805306368, 0, 'abc=')," /* another device */
                                 "(5, 1, 13263345632000000, 0, 268435456, 0, ''),"     /* leads on */
                                 "(6, 1, 13263345632000000, 0, 2147483648, 0, ''),"    /* middle of a chain */
                                 "(7, 1, 13263345632000000, 0, 0, 0, '');"             /* no qualifiers */
                                 "CREATE TABLE visit_source(id INTEGER PRIMARY KEY, source INTEGER NOT NULL);"
                                 "INSERT INTO visit_source VALUES (7, 0)"); /* synced */
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.skipped, 6);
    assert_true(import_has(&x->im, "o 2021-04-19T22:40:32Z shared"));
}

static void impossible_visits_are_named_and_the_rest_read(void **state)
{
    struct source *x = *state;
    database_run(x->path,
                 SCHEMA "INSERT INTO visits VALUES"
                        "(1, 1, 0, 0, 805306368, 0, ''), (2, 1, 9223372036854775807, 0, 805306368, 0, ''),"
                        "(3, 1, -9223372036854775807, 0, 805306368, 0, ''),"
                        "(4, 9, 13263345632000000, 0, 805306368, 0, ''),"
                        "(5, 1, 13263345632000000, 0, 805306368, -5, ''),"
                        "(6, 1, 265046774400000000, 0, 805306368, 0, ''),"
                        "(7, 1, 13263345632000000, 0, 805306368, 9223372036854775807, '');");
    source_run(x);
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.bad, 5);
    assert_true(import_has(&x->im, "b 1 visit_time: year 1601 is out of range\n"));
    assert_true(import_has(&x->im, "b 6 visit_time: year 10000 is out of range\n"));
    assert_true(import_has(&x->im, "b 4 url: "));
}

static void a_title_that_is_no_text_is_passed_on_raw(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA "INSERT INTO urls VALUES (2, CAST(x'ff00fe' AS TEXT), x'80');"
                                 "INSERT INTO visits VALUES (1, 2, 13263345632000000, 0, 805306368, 0, '')");
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(&x->im, "title=\\x80"));
}

static void another_database_is_named(void **state)
{
    struct source *x = *state;
    source_run_path(x, TEST_DATA "/observe/browserexport/safari.sqlite");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "no table 'visits'"));
    assert_non_null(strstr(x->im.err.text, "not a chromium history"));
    source_run_path(x, TEST_DATA "/observe/browserexport/LICENSE");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    database_run(x->path, "CREATE TABLE visits(id INTEGER PRIMARY KEY, visit_time)");
    source_run(x);
    assert_non_null(strstr(x->im.err.text, "no column 'transition'"));
}

#define TEST(f) SOURCE_TEST(f, observer_chromium)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(real_visits_get_their_unix_time),
        TEST(older_browsers_are_read_and_redirects_left_out),
        TEST(a_profile_folder_is_searched),
        TEST(the_second_import_reads_only_what_is_new),
        TEST(a_cleared_history_is_read_from_the_beginning),
        TEST(what_the_user_did_not_read_is_skipped),
        TEST(impossible_visits_are_named_and_the_rest_read),
        TEST(a_title_that_is_no_text_is_passed_on_raw),
        TEST(another_database_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
