#include "tests/node/observe/database.h"
#include "tests/node/observe/source.h"
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA TEST_DATA "/observe/activitywatch/"
#define EXPORT DATA "aw-buckets-export.json"
#define DATABASE DATA "aw-server-peewee-sqlite.v2.db"
#define BUCKET(id, events)                                                                                   \
    "\"" id "\": {\"id\": \"" id "\", \"type\": \"currentwindow\", \"events\": [" events "]}"
#define EVENT(time, duration, data)                                                                          \
    "{\"timestamp\": \"" time "\", \"duration\": " duration ", \"data\": {" data "}}"
#define GOOD EVENT("2026-01-02T03:04:05Z", "1.5", "\"app\": \"a\", \"title\": \"t\"")

static void an_export_gives_windows_tabs_and_files(void **state)
{
    struct source *x = *state;
    source_run_path(x, EXPORT);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 402 + 128 + 79);
    assert_int_equal(x->im.skipped, 10); /* afk */
    assert_int_equal(x->im.bad, 0);
    assert_true(import_has(&x->im,
                           "o 2026-11-20T09:00:00.123Z end=2026-11-20T09:00:05.123Z source=activitywatch "
                           "app=firefox title=Inbox \xe2\x80\x94 Mozilla Firefox "
                           "id=aw-watcher-window_testlaptop 2026-11-20T09:00:00.123Z\n"));
    assert_true(import_has(&x->im, "app=firefox title=libsodium - crypto_aead_xchacha20poly1305 "
                                   "url=https://doc.libsodium.org/secret-key_cryptography/aead "
                                   "id=aw-watcher-web-firefox_testlaptop 2026-11-20T09:02:34.234Z\n"));
    assert_true(import_has(
        &x->im, "app=vscode cwd=/home/u/src/gumd id=aw-watcher-vscode_testlaptop "
                "2026-11-20T09:03:21.292Z data={\"branch\":\"main\",\"language\":\"c\",\"project\":"
                "\"/home/u/src/gumd\"} file=/home/u/src/gumd/store.c\n"));
}

/* The rows of an import, sorted. */
static char *sorted_rows(struct source *x, const char *path)
{
    char sorted[TMP_PATH_BYTES], command[3 * TMP_PATH_BYTES], raw[TMP_PATH_BYTES];
    struct buf all;
    source_run_path(x, path);
    tmp_write(tmp_path(&x->dir, "raw", raw), buf_view(&x->im.text));
    (void)tmp_path(&x->dir, "sorted", sorted);
    (void)snprintf(command, sizeof command, "LC_ALL=C sort '%s' > '%s'", raw, sorted);
    assert_int_equal(system(command), 0);
    buf_init(&all, (size_t)16 << 20);
    tmp_read(sorted, &all);
    char *copy = strdup(buf_cstr(&all));
    buf_release(&all);
    return copy;
}

static void the_database_gives_the_same_as_the_export(void **state)
{
    struct source *x = *state;
    char *from_export = sorted_rows(x, EXPORT);
    buf_clear(&x->im.cursor);
    char *from_database = sorted_rows(x, DATABASE);
    assert_int_equal(x->im.observations, 609);
    assert_string_equal(from_export, from_database);
    free(from_export);
    free(from_database);
}

static void the_second_import_is_short(void **state)
{
    struct source *x = *state;
    source_run_path(x, EXPORT);
    source_run_path(x, EXPORT);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 0);
    source_run_path(x, DATABASE);
    assert_int_equal(x->im.observations, 609);
    source_run_path(x, DATABASE);
    assert_in_range(x->im.observations + x->im.skipped, 1, 64); /* the last ones may have grown */
}

static void a_grown_event_keeps_its_id(void **state)
{
    struct source *x = *state;
    source_run_text(x, "{\"buckets\": {" BUCKET(
                           "w", EVENT("2026-01-02T03:04:05.678901+00:00", "1", "\"app\": \"a\"")) "}}");
    assert_true(import_has(&x->im, "end=2026-01-02T03:04:06.678Z"));
    assert_true(import_has(&x->im, "id=w 2026-01-02T03:04:05.678Z"));
    source_run_text(x, "{\"buckets\": {" BUCKET(
                           "w", EVENT("2026-01-02T03:04:05.678901+00:00", "90.25", "\"app\": \"a\"")) "}}");
    assert_true(import_has(&x->im, "end=2026-01-02T03:05:35.928Z"));
    assert_true(import_has(&x->im, "id=w 2026-01-02T03:04:05.678Z"));
}

static void one_bucket_and_lists_are_read_too(void **state)
{
    struct source *x = *state;
    source_run_text(x,
                    "{\"id\": \"aw-watcher-window_h\", \"type\": \"currentwindow\", \"events\": [" GOOD "]}");
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(&x->im, "id=aw-watcher-window_h 2026"));
    source_run_text(x, "\xef\xbb\xbf {\"buckets\": [{\"id\": \"w\", \"events\": [" GOOD "," GOOD "]}]}");
    assert_int_equal(x->im.observations, 2);
    source_run_text(x, "[" GOOD "]");
    assert_int_equal(x->im.observations, 1);
    source_run_text(x, "{\"buckets\": {}}");
    assert_int_equal(x->im.rc, ROW_DONE);
}

static void other_devices_and_absence_are_skipped(void **state)
{
    struct source *x = *state;
    source_run_text(x,
                    "{\"buckets\": {" BUCKET("aw-watcher-window_a-synced-from-b", GOOD "," GOOD) "," BUCKET(
                        "aw-watcher-afk_x", GOOD) "," BUCKET("w", GOOD) "}}");
    assert_int_equal(x->im.skipped, 3);
    assert_int_equal(x->im.observations, 1);
}

static void incognito_marks_a_private_window(void **state)
{
    struct source *x = *state;
    source_run_text(
        x, "{\"buckets\": {" BUCKET(
               "w", EVENT("2026-01-02T03:04:05Z", "0", "\"url\": \"https://a/\", \"incognito\": true")) "}}");
    assert_true(import_has(&x->im, "o 2026-01-02T03:04:05Z private source"));
}

static void impossible_events_are_named_and_the_rest_read(void **state)
{
    static const char *const events[] = {
        EVENT("yesterday", "1", ""),
        EVENT("9999-12-31T23:59:59Z", "1", ""), /* fine */
        EVENT("0000-01-01T00:00:00Z", "1", ""),
        "{\"duration\": 1, \"data\": {}}",
        "{\"timestamp\": 5, \"data\": {\"app\": [{}]}}",
        "17",
        EVENT("2026-01-02T03:04:05Z", "-1", ""),
        EVENT("2026-01-02T03:04:05Z", "1e300", ""),
        EVENT("2026-01-02T03:04:05Z", "1", "\"x\": 1, \"x\": 2"),
        EVENT("2026-01-02T03:04:05Z", "1", "\"x\": {\"y\": 1, \"y\": [[{}]]}, \"app\": \"z\""),
        EVENT("2026-01-02T03:04:05Z", "1e-07", "\"title\": 5"),
    };
    struct source *x = *state;
    struct buf content;
    buf_init(&content, 65536);
    (void)buf_str(&content, "{\"buckets\": {\"w\": {\"id\": \"w\", \"events\": [");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        (void)buf_printf(&content, "%s,\n", events[i]);
    (void)buf_str(&content, GOOD "]}}}");
    source_run_text(x, buf_cstr(&content));
    buf_release(&content);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.bad, 10);
    assert_int_equal(x->im.observations, 2);
    assert_true(import_has(&x->im, "b 1 timestamp: event 1 of 'w': not a time\n"));
    assert_true(import_has(&x->im, "b 3 timestamp: event 3 of 'w': the year is out of range\n"));
    assert_true(import_has(&x->im, "b 4 timestamp: event 4 of 'w': no time\n"));
    assert_true(import_has(&x->im, "b 5 timestamp: event 5 of 'w': not a text\n"));
    assert_true(import_has(&x->im, "b 6 events: event 6 of 'w': not an object\n"));
    assert_true(import_has(&x->im, "b 7 duration: event 7 of 'w': negative\n"));
    assert_true(import_has(&x->im, "b 8 duration: event 8 of 'w': out of range\n"));
    assert_true(import_has(&x->im, "b 9 data: event 9 of 'w': a member occurs twice\n"));
    assert_true(import_has(&x->im, "b 10 data: event 10 of 'w': a member occurs twice\n"));
    assert_true(import_has(&x->im, "b 11 title: event 11 of 'w': not a text\n"));
}

static void what_comes_before_a_cut_stands(void **state)
{
    struct source *x = *state;
    source_run_text(x, "{\"buckets\": {\"w\": {\"events\": [" GOOD ", {\"timestamp\": \"20");
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.rc, ERR_FORMAT);
    assert_int_equal(x->im.cursor.n, 0);
    assert_non_null(strstr(x->im.err.text, "ends in the middle"));
}

static void what_is_no_export_is_refused(void **state)
{
    struct source *x = *state;
    source_run_text(x, "");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "is empty: not an activitywatch export"));
    source_run_text(x, "hello");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    source_run_text(x, "{\"a\": 1}");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "no buckets"));
    source_run_text(x, "{\"buckets\": {\"a\": 1}}");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    source_run_path(x, TEST_DATA "/observe/browserexport/chrome.sqlite");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "not an activitywatch database"));
    assert_int_equal(unlink(x->path), 0);
    assert_int_equal(mkfifo(x->path, 0600), 0);
    source_run(x);
    assert_int_equal(x->im.opened, ERR_FORMAT);
}

static void the_database_of_the_rust_server_is_read(void **state)
{
    struct source *x = *state;
    database_run(
        x->path,
        "CREATE TABLE buckets(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, type TEXT NOT "
        "NULL,"
        "client TEXT NOT NULL, hostname TEXT NOT NULL, created TEXT NOT NULL, data TEXT NOT NULL DEFAULT "
        "'{}');"
        "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, bucketrow INTEGER NOT NULL, starttime "
        "INTEGER"
        " NOT NULL, endtime INTEGER NOT NULL, data TEXT NOT NULL);"
        "INSERT INTO buckets VALUES (1, 'w', 'currentwindow', 'c', 'h', '', '{}');"
        "INSERT INTO events VALUES (1, 1, 1700000000123456789, 1700000002500000000, '{\"app\": \"a\"}'),"
        "(2, 1, -5000000, 0, '{}'), (3, 1, 1700000000123456789, 1700000002500000000, '{\"app\"'),"
        "(4, 9, 1700000000123456789, 1700000002500000000, '{}');");
    source_run(x);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_true(import_has(
        &x->im, "o 2023-11-14T22:13:20.123Z end=2023-11-14T22:13:22.499Z source=activitywatch app=a"));
    assert_true(import_has(&x->im, "b 2 starttime: "));
    assert_true(import_has(&x->im, "b 3 data: line 1, byte 6: ends in the middle"));
    assert_true(import_has(&x->im, "b 4 bucket: "));
}

/* 200 MB, and memory grows by a few. */
static void a_huge_export_is_read_in_little_memory(void **state)
{
    struct source *x = *state;
    static const char event[] = EVENT("2026-01-02T03:04:05Z", "1", "\"app\": \"a\"") ",\n";
    struct rusage before, after;
    struct reader *r = NULL;
    FILE *out = fopen(x->path, "w");
    assert_non_null(out);
    (void)fputs("{\"buckets\": {\"w\": {\"events\": [", out);
    for (int i = 0; i < 60000; i++) {
        (void)fputs(event, out);
        if (i % 300 == 0) { /* a text of a megabyte now and then */
            (void)fputs("{\"timestamp\": \"2026-01-02T03:04:05Z\", \"data\": {\"title\": \"", out);
            for (int j = 0; j < 1 << 20; j += 64)
                (void)fputs("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", out);
            (void)fputs("\"}},\n", out);
        }
    }
    (void)fputs(GOOD "]}}}", out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    struct observer_env env = {.tmp_dir = x->tmp.path};
    assert_int_equal(observer_activitywatch.open(&r, x->path, -1, BYTES_NONE, &env, NULL), 0);
    int n = 0, rc;
    struct observation o;
    struct bad_record b;
    while ((rc = observer_activitywatch.next(r, &o, &b, NULL)) == ROW_OBSERVATION)
        n++;
    assert_int_equal(rc, ROW_DONE);
    assert_int_equal(n, 60201);
    observer_activitywatch.close(r);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 8192); /* kB */
}

#define TEST(f) SOURCE_TEST(f, observer_activitywatch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_export_gives_windows_tabs_and_files),
        TEST(the_database_gives_the_same_as_the_export),
        TEST(the_second_import_is_short),
        TEST(a_grown_event_keeps_its_id),
        TEST(one_bucket_and_lists_are_read_too),
        TEST(other_devices_and_absence_are_skipped),
        TEST(incognito_marks_a_private_window),
        TEST(impossible_events_are_named_and_the_rest_read),
        TEST(what_comes_before_a_cut_stands),
        TEST(what_is_no_export_is_refused),
        TEST(the_database_of_the_rust_server_is_read),
        TEST(a_huge_export_is_read_in_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
