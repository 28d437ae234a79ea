/* Opening: what is ours, what is not, what is newer, older, damaged, locked. */
#include "tests/support/unit.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "store/search.h"
#include "store/store_int.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_all(const char *path, struct buf *out)
{
    buf_init(out, 64u << 20);
    tmp_read(path, out);
}

/* The open store's file is replaced by `content`; opening gives `code` and leaves it as it is. */
static void refused(struct kit *k, struct bytes content, int code)
{
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    struct buf after;
    kit_close(k);
    tmp_path(&k->dir, "other.db", path);
    memcpy(k->path, path, sizeof path);
    tmp_write(path, content);
    int rc = kit_open(k, &e);
    if (rc != code) {
        fail_msg("error %d '%s' instead of %d", rc, e.text, code);
    }
    assert_null(k->s);
    assert_true(strstr(e.text, "opening the store") == e.text);
    read_all(path, &after);
    assert_true(bytes_eq(content, buf_view(&after)));
    buf_release(&after);
}

static void garbage_is_refused_and_left_alone(void **state)
{
    uint8_t garbage[5000];
    struct test_rng rng;
    test_rng_init(&rng, 3);
    test_rng_fill(&rng, garbage, sizeof garbage);
    refused(*state, bytes_of(garbage, sizeof garbage), ERR_FORMAT);
    refused(*state, BYTES_LIT("{\"not\":\"a database\"}\n"), ERR_FORMAT);
    refused(*state, BYTES_LIT("S"), ERR_FORMAT);
}

static void sql_on(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_database_of_another_program_is_refused_and_left_alone(void **state)
{
    struct kit *k = *state;
    char path[TMP_PATH_BYTES];
    struct buf content;
    tmp_path(&k->dir, "places.sqlite", path);
    sql_on(path, "PRAGMA user_version=7; CREATE TABLE moz_places(id INTEGER, url TEXT); INSERT INTO "
                 "moz_places VALUES(1, 'x')");
    read_all(path, &content);
    refused(k, buf_view(&content), ERR_FORMAT);
    buf_release(&content);
}

static void a_newer_schema_is_refused_and_left_alone(void **state)
{
    struct kit *k = *state;
    struct buf content;
    kit_told(k, 5, "drinks tea");
    kit_close(k);
    sql_on(k->path, "PRAGMA journal_mode=DELETE; PRAGMA user_version=99");
    read_all(k->path, &content);
    refused(k, buf_view(&content), ERR_VERSION);
    buf_release(&content);
}

static void a_truncated_store_is_reported_as_damaged(void **state)
{
    struct kit *k = *state;
    struct buf content;
    for (unsigned n = 5; n < 400; n++) {
        kit_told(k, n, "drinks tea");
    }
    kit_close(k);
    sql_on(k->path, "PRAGMA journal_mode=DELETE");
    read_all(k->path, &content);
    for (size_t keep = content.n - 4096; keep > 4096; keep /= 2) {
        tmp_write(k->path, bytes_slice(buf_view(&content), 0, keep));
        struct err e = ERR_INIT;
        int rc = kit_open(k, &e);
        if (rc == 0) {
            rc = store_check(k->s, &e);
        }
        assert_int_equal(rc, ERR_CORRUPT);
        kit_close(k);
    }
    buf_release(&content);
}

/* Damage anywhere gives errors, never a crash, a hang or a wrong "fine" where it matters. */
static void use_whatever_opens(struct kit *k)
{
    struct err e = ERR_INIT;
    struct hash h;
    uint64_t n;
    struct search_hit hits[8];
    size_t found;
    struct id id = kit_id(9);
    if (kit_open(k, &e) != 0) {
        return;
    }
    (void)!store_check(k->s, &e);
    (void)!store_verify(k->s, &e);
    (void)!store_digest(k->s, &h, &e);
    (void)!store_prop_count(k->s, 0, &n, &e);
    (void)!search_props(k->s, BYTES_LIT("drinks tea"), 0, hits, 8, &found, &e);
    (void)!kit_tell(k, &id, "writes into damage", &e);
    (void)!store_forget(k->s, &id, NULL, 0, &e);
    (void)!store_rebuild(k->s, &e);
    (void)!store_scrub(k->s, &e);
    kit_close(k);
}

static void flipped_bytes_give_errors_and_no_crash(void **state)
{
    struct kit *k = *state;
    struct buf content;
    struct test_rng rng;
    for (unsigned n = 5; n < 60; n++) {
        kit_told(k, n, "drinks tea");
        kit_edge(k, n % 2 == 0 ? SET_SAME_AS : SET_SUPERSEDES, n, n - 1);
    }
    kit_close(k);
    sql_on(k->path, "PRAGMA journal_mode=DELETE");
    read_all(k->path, &content);
    test_rng_init(&rng, 5);
    for (int round = 0; round < 120; round++) {
        struct buf bad;
        buf_init(&bad, content.n);
        (void)buf_bytes(&bad, buf_view(&content));
        for (int i = 0; i < 20; i++) {
            bad.p[100 + test_rng_below(&rng, bad.n - 100)] ^= (uint8_t)(1 + test_rng_below(&rng, 255));
        }
        char wal[TMP_PATH_BYTES + 8];
        (void)snprintf(wal, sizeof wal, "%s-wal", k->path);
        (void)unlink(wal);
        tmp_write(k->path, buf_view(&bad));
        use_whatever_opens(k);
        buf_release(&bad);
    }
    buf_release(&content);
}

static void an_empty_file_becomes_a_store(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_close(k);
    tmp_path(&k->dir, "new.db", k->path);
    tmp_write(k->path, BYTES_NONE);
    kit_ok(kit_open(k, &e), &e);
    kit_told(k, 5, "drinks tea");
    kit_ok(store_check(k->s, &e), &e);
}

static void an_empty_schema_version_is_brought_up_to_date(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t v;
    kit_close(k);
    tmp_path(&k->dir, "new.db", k->path);
    char sql[96];
    (void)snprintf(sql, sizeof sql, "PRAGMA application_id=%d; CREATE TABLE x(y); DROP TABLE x",
                   SCHEMA_APPLICATION_ID);
    sql_on(k->path, sql);
    kit_ok(kit_open(k, &e), &e);
    kit_ok(db_query_int(k->s, "PRAGMA user_version", &v, &e), &e);
    assert_int_equal(v, SCHEMA_VERSION);
}

/* What version 2 had of it: no end of validity. */
static void a_store_of_an_older_schema_is_merged_anew(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct prop p;
    struct id id = kit_id(5);
    const int64_t until = KIT_MS + 7;
    struct draft d;
    struct buf v;
    kit_told(k, 5, "drinks tea");
    kit_told(k, 6, "drinks water");
    buf_init(&v, 16);
    wr_svarint(&v, until);
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
    draft_reg(&d, REG_VALID_UNTIL, buf_view(&v), NULL, 0);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
    buf_release(&v);
    kit_close(k);
    sql_on(k->path,
           "PRAGMA journal_mode=DELETE; ALTER TABLE prop DROP COLUMN until_ms; PRAGMA user_version=2");
    kit_ok(kit_open(k, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
    kit_ok(store_prop(k->s, &id, false, &p, &e), &e);
    assert_int_equal(p.until_ms, until);
    id = kit_id(6);
    kit_ok(store_prop(k->s, &id, false, &p, &e), &e);
    assert_int_equal(p.until_ms, TIME_NONE);
}

static void the_file_is_private(void **state)
{
    struct kit *k = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    kit_told(k, 5, "drinks tea");
    for (size_t i = 0; i < 3; i++) {
        char path[TMP_PATH_BYTES + 8];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s%s", k->path, ends[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static int open_as(struct kit *k, struct store **out, bool read_only, bool must_exist)
{
    struct err e = ERR_INIT;
    struct store_config cfg = {.path = k->path,
                               .clock = &k->clock,
                               .rng = &k->rng,
                               .read_only = read_only,
                               .must_exist = must_exist};
    return store_open(out, &cfg, &e);
}

static void what_must_exist_is_not_made(void **state)
{
    struct kit *k = *state;
    struct store *s;
    kit_close(k);
    tmp_path(&k->dir, "missing.db", k->path);
    assert_int_equal(open_as(k, &s, false, true), ERR_NOTFOUND);
    assert_int_equal(open_as(k, &s, true, false), ERR_NOTFOUND);
    assert_false(tmp_exists(k->path));
    tmp_path(&k->dir, "no folder/missing.db", k->path);
    assert_int_equal(open_as(k, &s, false, false), ERR_NOTFOUND);
}

static void a_reader_follows_a_writer(void **state)
{
    struct kit *k = *state;
    struct store *reader;
    struct err e = ERR_INIT;
    struct hash a, b;
    uint64_t n;
    kit_told(k, 5, "drinks tea");
    assert_int_equal(open_as(k, &reader, true, true), 0);
    kit_ok(store_digest(reader, &a, &e), &e);
    kit_ok(store_begin(k->s, &e), &e);
    kit_told(k, 6, "works in Porto");
    kit_ok(store_prop_count(reader, 0, &n, &e), &e);
    assert_int_equal(n, 1);
    kit_ok(store_commit(k->s, &e), &e);
    kit_ok(store_prop_count(reader, 0, &n, &e), &e);
    assert_int_equal(n, 2);
    kit_ok(store_digest(reader, &b, &e), &e);
    assert_memory_not_equal(a.b, b.b, HASH_BYTES);
    kit_ok(store_digest(k->s, &a, &e), &e);
    assert_memory_equal(a.b, b.b, HASH_BYTES);
    kit_ok(store_check(reader, &e), &e);
    struct id id = kit_id(7);
    store_use_log(reader, &id, &id);
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, &id);
    draft_reg(&d, REG_TEXT, BYTES_LIT("x"), NULL, 0);
    assert_int_equal(store_write(reader, &d, &e), ERR_PERM);
    draft_release(&d);
    store_close(reader);
    kit_told(k, 8, "the writer goes on");
}

static void a_store_left_by_a_killed_process_opens_for_reading(void **state)
{
    struct kit *k = *state;
    struct kit copy = *k;
    static const char *const ends[] = {"", "-wal"};
    struct store *reader;
    struct err e = ERR_INIT;
    uint64_t n;
    kit_told(k, 5, "drinks tea");
    tmp_path(&k->dir, "copy.db", copy.path);
    for (size_t i = 0; i < 2; i++) { /* without -shm, and with frames in the log only */
        char from[TMP_PATH_BYTES + 8], to[TMP_PATH_BYTES + 8];
        (void)snprintf(from, sizeof from, "%s%s", k->path, ends[i]);
        (void)snprintf(to, sizeof to, "%s%s", copy.path, ends[i]);
        tmp_copy(from, to);
    }
    assert_int_equal(open_as(&copy, &reader, true, true), 0);
    kit_ok(store_prop_count(reader, 0, &n, &e), &e);
    assert_int_equal(n, 1);
    store_close(reader);
}

static void a_file_without_permission_is_reported_as_such(void **state)
{
    struct kit *k = *state;
    struct store *s;
    if (geteuid() == 0) {
        skip(); /* root may read everything */
    }
    kit_close(k);
    assert_int_equal(chmod(k->path, 0), 0);
    assert_int_equal(open_as(k, &s, false, true), ERR_PERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(garbage_is_refused_and_left_alone),
        KIT_TEST(a_database_of_another_program_is_refused_and_left_alone),
        KIT_TEST(a_newer_schema_is_refused_and_left_alone),
        KIT_TEST(a_truncated_store_is_reported_as_damaged),
        KIT_TEST(flipped_bytes_give_errors_and_no_crash),
        KIT_TEST(an_empty_file_becomes_a_store),
        KIT_TEST(an_empty_schema_version_is_brought_up_to_date),
        KIT_TEST(a_store_of_an_older_schema_is_merged_anew),
        KIT_TEST(the_file_is_private),
        KIT_TEST(what_must_exist_is_not_made),
        KIT_TEST(a_reader_follows_a_writer),
        KIT_TEST(a_store_left_by_a_killed_process_opens_for_reading),
        KIT_TEST(a_file_without_permission_is_reported_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
