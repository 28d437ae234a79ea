#include "store/foreign.h"

#include "base/limits.h"
#include "tests/support/tmp.h"

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct tmp_dir source, tmp;
    char path[TMP_PATH_BYTES];
    struct err err;
    struct foreign *f;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);
    tmp_dir_make(&x->source);
    tmp_dir_make(&x->tmp);
    (void)tmp_path(&x->source, "db", x->path);
    *state = x;
    return x == NULL;
}

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *d = readdir(dir); d; d = readdir(dir))
        n += d->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    foreign_close(x->f);
    size_t left = files_in(x->tmp.path);
    tmp_dir_remove(&x->source);
    tmp_dir_remove(&x->tmp);
    free(x);
    assert_int_equal(left, 0); /* no copy is ever left */
    return 0;
}

static sqlite3 *writer(const struct fixture *x)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(x->path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

static void build(const struct fixture *x, const char *sql)
{
    sqlite3 *db = writer(x);
    run(db, sql);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int open_it(struct fixture *x)
{
    foreign_close(x->f);
    x->f = NULL;
    x->err = ERR_INIT;
    return foreign_open(&x->f, x->path, x->tmp.path, &x->err);
}

/* Rows that a query gives, or the negative error that ends it; *before gets the rows in front of it. */
static int count_rows(struct fixture *x, const char *sql, int *before)
{
    int n = 0;
    int rc = foreign_query(x->f, sql, NULL, 0, &x->err);
    while (!rc && (rc = foreign_step(x->f, &x->err)) == 1) {
        n++;
        rc = 0;
    }
    *before = n;
    return rc < 0 ? rc : n;
}

static int64_t number(struct fixture *x, const char *sql)
{
    assert_int_equal(foreign_query(x->f, sql, NULL, 0, &x->err), 0);
    assert_int_equal(foreign_step(x->f, &x->err), 1);
    return foreign_int(x->f, 0);
}

#define THOUSAND                                                                                             \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"                                                        \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)"                         \
    "INSERT INTO t SELECT i, printf('row %d %0100d', i, i) FROM c;"

static void rows_and_parameters_are_read(void **state)
{
    struct fixture *x = *state;
    build(x,
          "CREATE TABLE t(a INTEGER, b TEXT, c); INSERT INTO t VALUES (1, 'one', NULL), (2, x'62ff00', 7);");
    assert_int_equal(open_it(x), 0);
    assert_true(foreign_has(x->f, "t", NULL));
    assert_true(foreign_has(x->f, "t", "b"));
    assert_false(foreign_has(x->f, "t", "d"));
    assert_false(foreign_has(x->f, "u", NULL));
    int64_t from = 1;
    assert_int_equal(foreign_query(x->f, "SELECT a, b, c FROM t WHERE a > ?1", &from, 1, &x->err), 0);
    assert_int_equal(foreign_step(x->f, &x->err), 1);
    assert_int_equal(foreign_int(x->f, 0), 2);
    assert_true(bytes_eq(foreign_text(x->f, 1), bytes_of("b\xff", 3)));
    assert_int_equal(foreign_int(x->f, 2), 7);
    assert_int_equal(foreign_step(x->f, &x->err), 0);
    assert_int_equal(foreign_step(x->f, &x->err), 0);
    assert_int_equal(foreign_int(x->f, 0), 0);
}

static void the_copy_is_gone_while_it_is_read(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    assert_int_equal(open_it(x), 0);
    assert_int_equal(files_in(x->tmp.path), 0);
    int n;
    assert_int_equal(count_rows(x, "SELECT v FROM t", &n), 1000);
}

static void an_open_write_ahead_log_is_read_and_left_alone(void **state)
{
    struct fixture *x = *state;
    sqlite3 *db = writer(x);
    run(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;" THOUSAND);
    struct stat before, after;
    char wal[TMP_PATH_BYTES];
    (void)tmp_path(&x->source, "db-wal", wal);
    assert_int_equal(stat(wal, &before), 0);
    assert_true(before.st_size > 0);
    assert_int_equal(open_it(x), 0);
    int n;
    assert_int_equal(count_rows(x, "SELECT v FROM t", &n), 1000);
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void an_exclusively_locked_database_is_read(void **state)
{
    struct fixture *x = *state;
    sqlite3 *db = writer(x);
    run(db, THOUSAND "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;");
    assert_int_equal(open_it(x), 0);
    int n;
    assert_int_equal(count_rows(x, "SELECT v FROM t", &n), 1000);
    run(db, "COMMIT");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A child changes the database without committing, forces the pages out, and is killed: a hot journal stays.
 */
static void leave_hot_journal(const struct fixture *x)
{
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db = writer(x);
        run(db, "PRAGMA cache_size=2; BEGIN; UPDATE t SET v = 'half' || v;");
        (void)kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void a_half_written_transaction_is_rolled_back_in_the_copy(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    leave_hot_journal(x);
    assert_int_equal(open_it(x), 0);
    assert_int_equal(number(x, "SELECT count(*) FROM t WHERE substr(v, 1, 4) = 'half'"), 0);
    char journal[TMP_PATH_BYTES];
    assert_true(tmp_exists(tmp_path(&x->source, "db-journal", journal)));
}

static void a_journal_that_names_a_super_journal_is_not_played(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    char victim[TMP_PATH_BYTES], journal[TMP_PATH_BYTES];
    (void)tmp_path(&x->source, "victim", victim);
    (void)tmp_path(&x->source, "db-journal", journal);
    tmp_write(victim, BYTES_LIT("keep me"));
    leave_hot_journal(x);
    /* The trailer: page number, name, length, checksum, magic. */
    uint32_t sum = 0, n = (uint32_t)strlen(victim);
    struct buf tail;
    buf_init(&tail, 4096);
    (void)buf_append(&tail, "\0\0\0\0", 4);
    (void)buf_str(&tail, victim);
    for (const char *c = victim; *c; c++)
        sum += (uint8_t)*c;
    for (int i = 3; i >= 0; i--)
        (void)buf_put(&tail, (uint8_t)(n >> 8 * i));
    for (int i = 3; i >= 0; i--)
        (void)buf_put(&tail, (uint8_t)(sum >> 8 * i));
    (void)buf_append(&tail, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    tmp_append(journal, buf_view(&tail));
    buf_release(&tail);
    assert_int_equal(open_it(x), 0);
    assert_true(tmp_exists(victim));
}

static void what_is_no_database_is_named(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(open_it(x), ERR_NOTFOUND);
    tmp_write(x->path, BYTES_NONE);
    assert_int_equal(open_it(x), ERR_FORMAT);
    assert_non_null(strstr(x->err.text, "is empty: not a SQLite database"));
    tmp_write(x->path, BYTES_LIT("hello"));
    assert_int_equal(open_it(x), ERR_FORMAT);
    assert_non_null(strstr(x->err.text, "is not a SQLite database"));
    tmp_write(x->path, bytes_of("SQLite format 3\0garbage garbage", 31));
    assert_int_equal(open_it(x), ERR_CORRUPT);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(mkfifo(x->path, 0600), 0);
    assert_int_equal(open_it(x), ERR_FORMAT);
    assert_non_null(strstr(x->err.text, "is not a regular file"));
    assert_int_equal(foreign_open(&x->f, x->source.path, x->tmp.path, &x->err), ERR_FORMAT);
    assert_int_equal(foreign_open(&x->f, "/dev/zero", x->tmp.path, &x->err), ERR_FORMAT);
}

static void rows_in_front_of_a_cut_are_read(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    struct stat st;
    int n, longest = 0;
    assert_int_equal(stat(x->path, &st), 0);
    for (off_t size = st.st_size - 1; size > 0; size -= 1777) {
        assert_int_equal(truncate(x->path, size), 0);
        int rc = open_it(x);
        if (rc) {
            assert_true(rc == ERR_CORRUPT || rc == ERR_FORMAT);
            continue;
        }
        assert_int_equal(count_rows(x, "SELECT id, v FROM t ORDER BY id", &n), ERR_CORRUPT);
        assert_int_equal(foreign_step(x->f, &x->err), ERR_CORRUPT); /* and stays so */
        longest = n > longest ? n : longest;
    }
    assert_true(longest > 900);
}

static void a_damaged_page_ends_the_reading_with_its_error(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    struct buf all;
    buf_init(&all, (size_t)1 << 20);
    tmp_read(x->path, &all);
    memset(all.p + all.n / 2, 0xa5, 4096);
    tmp_write(x->path, buf_view(&all));
    buf_release(&all);
    int n;
    assert_int_equal(open_it(x), 0);
    assert_int_equal(count_rows(x, "SELECT id, v FROM t ORDER BY id", &n), ERR_CORRUPT);
    assert_in_range(n, 100, 900);
    assert_non_null(strstr(x->err.text, "damaged"));
}

/* The cells of a page are checked when it comes into the cache; one that failed must not stay there. */
static void a_damaged_page_is_damaged_for_every_query(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    struct buf all;
    buf_init(&all, (size_t)1 << 20);
    tmp_read(x->path, &all);
    uint8_t *page = all.p + all.n / 8192 * 4096;
    assert_int_equal(page[0], 0x0d); /* a leaf, its cells behind 8 bytes of header */
    memset(page + 8, 0, 8);
    tmp_write(x->path, buf_view(&all));
    buf_release(&all);
    int first, second;
    assert_int_equal(open_it(x), 0);
    assert_int_equal(count_rows(x, "SELECT id, v FROM t ORDER BY id", &first), ERR_CORRUPT);
    assert_int_equal(count_rows(x, "SELECT id, v FROM t ORDER BY id", &second), ERR_CORRUPT);
    assert_int_equal(first, second);
}

static void only_selects_on_tables_are_allowed(void **state)
{
    static const char *const refused[] = {
        "SELECT * FROM v",
        "SELECT load_extension('x')",
        "SELECT printf('%d', 1)",
        "SELECT randomblob(1000000000)",
        "SELECT * FROM pragma_table_info('t')",
        "SELECT * FROM json_each('[1]')",
        "SELECT * FROM f",
    };
    struct fixture *x = *state;
    build(x, "CREATE TABLE t(a); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT a FROM t;"
             "CREATE VIRTUAL TABLE f USING fts5(x);");
    assert_int_equal(open_it(x), 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int n;
        assert_true(count_rows(x, refused[i], &n) < 0);
        assert_true(x->err.text[0] != '\0');
    }
    assert_int_equal(number(x, "SELECT count(*) FROM t"), 1);
}

static void a_query_that_never_ends_is_stopped(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    int n;
    assert_int_equal(open_it(x), 0);
    assert_int_equal(count_rows(x, "SELECT count(*) FROM t a, t b, t c, t d", &n), ERR_LIMIT);
    assert_non_null(strstr(x->err.text, "too many steps"));
}

static void long_values_are_cut_and_monstrous_ones_refused(void **state)
{
    struct fixture *x = *state;
    build(x, "CREATE TABLE t(v); INSERT INTO t VALUES (printf('%.*c', 1000000, 'x'));"
             "INSERT INTO t VALUES (zeroblob(20000000));");
    assert_int_equal(open_it(x), 0);
    assert_int_equal(foreign_query(x->f, "SELECT v FROM t", NULL, 0, &x->err), 0);
    assert_int_equal(foreign_step(x->f, &x->err), 1);
    assert_int_equal(foreign_text(x->f, 0).n, LIMIT_OBSERVATION_BYTES);
    assert_int_equal(foreign_step(x->f, &x->err), ERR_LIMIT);
}

static void a_file_that_keeps_changing_is_reported(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            tmp_append(x->path, BYTES_LIT("x"));
    }
    int rc = 0;
    for (int i = 0; i < 2000 && rc != ERR_INUSE; i++) {
        rc = open_it(x);
        assert_true(rc == 0 || rc == ERR_INUSE);
    }
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(rc, ERR_INUSE);
    assert_true(x->err.hint[0] != '\0');
}

static void a_copy_left_by_a_dead_import_is_removed(void **state)
{
    struct fixture *x = *state;
    char left[TMP_PATH_BYTES], copy[TMP_PATH_BYTES + 8];
    build(x, THOUSAND);
    assert_int_equal(mkdir(tmp_path(&x->tmp, "foreign-0", left), 0700), 0);
    (void)snprintf(copy, sizeof copy, "%s/db", left);
    tmp_write(copy, BYTES_LIT("somebody's history"));
    assert_int_equal(open_it(x), 0);
    assert_false(tmp_exists(copy));
    assert_false(tmp_exists(left));
}

static void a_missing_temporary_folder_is_named(void **state)
{
    struct fixture *x = *state;
    build(x, THOUSAND);
    assert_int_equal(foreign_open(&x->f, x->path, "/nonexistent", &x->err), ERR_NOTFOUND);
    assert_non_null(strstr(x->err.text, "/nonexistent"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_and_parameters_are_read),
        TEST(the_copy_is_gone_while_it_is_read),
        TEST(an_open_write_ahead_log_is_read_and_left_alone),
        TEST(an_exclusively_locked_database_is_read),
        TEST(a_half_written_transaction_is_rolled_back_in_the_copy),
        TEST(a_journal_that_names_a_super_journal_is_not_played),
        TEST(what_is_no_database_is_named),
        TEST(what_is_no_file_is_refused_without_waiting),
        TEST(rows_in_front_of_a_cut_are_read),
        TEST(a_damaged_page_ends_the_reading_with_its_error),
        TEST(a_damaged_page_is_damaged_for_every_query),
        TEST(only_selects_on_tables_are_allowed),
        TEST(a_query_that_never_ends_is_stopped),
        TEST(long_values_are_cut_and_monstrous_ones_refused),
        TEST(a_file_that_keeps_changing_is_reported),
        TEST(a_copy_left_by_a_dead_import_is_removed),
        TEST(a_missing_temporary_folder_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
