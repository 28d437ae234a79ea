#include "tests/node/observe/database.h"
#include "tests/node/observe/source.h"
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL TEST_DATA "/observe/browsers/firefox-esr153_places.sqlite"

#define SCHEMA                                                                                               \
    "CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url TEXT, title TEXT, hidden INTEGER DEFAULT 0);"       \
    "CREATE TABLE moz_historyvisits(id INTEGER PRIMARY KEY, is_local INTEGER, place_id INTEGER, visit_date " \
    "INTEGER,"                                                                                               \
    "visit_type INTEGER);"                                                                                   \
    "INSERT INTO moz_places VALUES (1, 'https://a.example/', 'A', 0), (2, 'https://b.example/', NULL, 1);"

static void desktop_times_are_microseconds(void **state)
{
    struct source *x = *state;
    source_run_path(x, REAL);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 2);
    assert_true(
        import_has(&x->im, "o 2026-11-24T04:20:47.008Z shared source=firefox app=firefox title=Page a"));
}

static void mobile_times_are_milliseconds(void **state)
{
    struct source *x = *state;
    source_run_path(x, TEST_DATA "/observe/browserexport/firefox_mobile.sqlite");
    assert_int_equal(x->im.observations, 5);
    assert_true(
        import_has(&x->im, "o 2022-02-12T08:55:34.611Z shared source=firefox app=firefox title=Memex"));
}

static void the_reached_page_of_a_redirect_is_kept_and_the_way_left_out(void **state)
{
    struct source *x = *state;
    source_run_path(x, TEST_DATA "/observe/browserexport/firefox.sqlite");
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.skipped, 2);
    assert_true(import_has(&x->im, "url=https://www.mozilla.org/en-US/privacy/firefox/\n"));
}

static void what_the_user_did_not_read_is_skipped(void **state)
{
    struct source *x = *state;
    database_run(x->path, SCHEMA "INSERT INTO moz_historyvisits VALUES"
                                 "(1, 1, 1, 1593250194513750, 1), (2, 0, 1, 1593250194513750, 1),"
                                 "(3, 1, 1, 1593250194513750, 4), (4, 1, 1, 1593250194513750, 8),"
                                 "(5, 1, 2, 1593250194513750, 1), (6, 1, 1, 1593250194513750, 7);");
    source_run(x);
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.skipped, 4);
}

static void impossible_visits_are_named(void **state)
{
    struct source *x = *state;
    database_run(x->path,
                 SCHEMA "INSERT INTO moz_historyvisits VALUES"
                        "(1, 1, 1, 0, 1), (2, 1, 1, -1593250194513750, 1), (3, 1, 1, 9223372036854775807, 1),"
                        "(4, 1, 7, 1593250194513750, 1), (5, 1, 1, NULL, 1), (6, 1, 1, 'yesterday', 1);");
    source_run(x);
    assert_int_equal(x->im.observations, 0);
    assert_int_equal(x->im.bad, 6);
    assert_true(import_has(&x->im, "b 1 visit_date: no time\n"));
    assert_true(import_has(&x->im, "b 2 visit_date: year 1919 is out of range\n"));
    assert_true(import_has(&x->im, "b 3 visit_date: year 294247 is out of range\n"));
}

static void the_profile_used_last_is_taken(void **state)
{
    struct source *x = *state;
    char old[TMP_PATH_BYTES], new[TMP_PATH_BYTES], file[TMP_PATH_BYTES + 32];
    assert_int_equal(mkdir(tmp_path(&x->dir, "aaa.default", old), 0700), 0);
    assert_int_equal(mkdir(tmp_path(&x->dir, "bbb.default-release", new), 0700), 0);
    (void)snprintf(file, sizeof file, "%s/places.sqlite", new);
    tmp_copy(REAL, file);
    (void)snprintf(file, sizeof file, "%s/places.sqlite", old);
    tmp_copy(TEST_DATA "/observe/browserexport/firefox_mobile.sqlite", file);
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.err.code, 0);
    source_run_path(x, old);
    assert_int_equal(x->im.observations, 5);
}

static void a_folder_without_history_is_named(void **state)
{
    struct source *x = *state;
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.opened, ERR_NOTFOUND);
    assert_non_null(strstr(x->im.err.text, "no 'places.sqlite' in the folder"));
}

static void another_database_is_named(void **state)
{
    struct source *x = *state;
    source_run_path(x, TEST_DATA "/observe/browserexport/chrome.sqlite");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "no table 'moz_historyvisits'"));
    assert_non_null(strstr(x->im.err.text, "not a firefox history"));
}

static void the_second_import_reads_nothing(void **state)
{
    struct source *x = *state;
    source_run_path(x, REAL);
    source_run_path(x, REAL);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 0);
}

static void rows_in_front_of_a_cut_are_kept(void **state)
{
    struct source *x = *state;
    database_run(x->path,
                 SCHEMA "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)"
                        "INSERT INTO moz_historyvisits SELECT i, 1, 1, 1593250194513750 + i, 1 FROM c;");
    struct stat st;
    assert_int_equal(stat(x->path, &st), 0);
    assert_int_equal(truncate(x->path, st.st_size / 2), 0);
    source_run(x);
    assert_int_equal(x->im.rc, ERR_CORRUPT);
    assert_in_range(x->im.observations, 500, 2999);
    assert_non_null(strstr(x->im.err.text, "behind row"));
}

#define TEST(f) SOURCE_TEST(f, observer_firefox)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(desktop_times_are_microseconds),
        TEST(mobile_times_are_milliseconds),
        TEST(the_reached_page_of_a_redirect_is_kept_and_the_way_left_out),
        TEST(what_the_user_did_not_read_is_skipped),
        TEST(impossible_visits_are_named),
        TEST(the_profile_used_last_is_taken),
        TEST(a_folder_without_history_is_named),
        TEST(another_database_is_named),
        TEST(the_second_import_reads_nothing),
        TEST(rows_in_front_of_a_cut_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
