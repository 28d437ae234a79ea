/* The data folder: made private, refused when loose, and a lease that notices another database. */
#include "node/home.h"

#include "crypto/hash.h"
#include "node/file.h"
#include "node/node.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tmp_dir dir;
static char home_path[TMP_PATH_BYTES];

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "home", home_path);
    return crypt_start();
}

static int teardown(void **state)
{
    (void)state;
    tmp_dir_remove(&dir);
    return 0;
}

static void home_make(void)
{
    struct err e = ERR_INIT;
    assert_int_equal(node_init(home_path, BYTES_LIT("laptop"), &e), 0);
}

static void home_new_folder_is_private(void **state)
{
    (void)state;
    struct stat st;
    char path[TMP_PATH_BYTES];
    static const char *const files[] = {"home/device", "home/keys", "home/selfsame.db", "home/lock"};
    home_make();
    assert_int_equal(stat(home_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(stat(tmp_path(&dir, files[i], path), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void home_second_init_is_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    home_make();
    assert_int_equal(node_init(home_path, BYTES_LIT("other"), &e), ERR_EXISTS);
}

static void home_bad_names_are_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    static const uint8_t bad_utf8[] = {0xc3, 0x28};
    assert_int_equal(node_init(home_path, BYTES_NONE, &e), ERR_USAGE);
    assert_int_equal(node_init(home_path, BYTES_LIT("a\nb"), &e), ERR_USAGE);
    assert_int_equal(node_init(home_path, bytes_of(bad_utf8, 2), &e), ERR_USAGE);
    assert_false(tmp_exists(home_path));
}

static void home_loose_permissions_name_the_cure(void **state)
{
    (void)state;
    struct home h;
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    home_make();
    assert_int_equal(chmod(home_path, 0755), 0);
    assert_int_equal(home_open(&h, home_path, &e), ERR_PERM);
    assert_non_null(strstr(e.hint, "chmod 700"));
    assert_int_equal(chmod(home_path, 0700), 0);
    assert_int_equal(chmod(tmp_path(&dir, "home/keys", path), 0640), 0);
    assert_int_equal(home_open(&h, home_path, &e), ERR_PERM);
    assert_non_null(strstr(e.hint, "chmod 600"));
}

static void home_damaged_or_newer_identity_is_refused(void **state)
{
    (void)state;
    struct home h;
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    home_make();
    tmp_write(tmp_path(&dir, "home/device", path), BYTES_LIT("selfsame-device 2\nfoo bar\n"));
    assert_int_equal(home_open(&h, home_path, &e), ERR_VERSION);
    tmp_write(path, BYTES_LIT("\x7f"
                              "ELF garbage"));
    assert_int_equal(home_open(&h, home_path, &e), ERR_FORMAT);
    tmp_write(path, BYTES_LIT("selfsame-device 1\ndevice xyz\n"));
    assert_int_equal(home_open(&h, home_path, &e), ERR_FORMAT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(home_open(&h, home_path, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "selfsame init"));
}

static void home_identity_survives_saving_and_opening(void **state)
{
    (void)state;
    struct home a;
    struct home b;
    struct err e = ERR_INIT;
    home_make();
    assert_int_equal(home_open(&a, home_path, &e), 0);
    assert_string_equal(a.name, "laptop");
    memset(a.lease[1], 0x5a, 16);
    assert_int_equal(home_save(&a, &e), 0);
    assert_int_equal(home_open(&b, home_path, &e), 0);
    assert_true(id_eq(&a.device, &b.device));
    assert_true(id_eq(&a.log, &b.log));
    assert_memory_equal(a.lease, b.lease, sizeof(a.lease));
    assert_memory_equal(a.keys.event.p, b.keys.event.p, KEY_BYTES);
    home_close(&a);
    home_close(&b);
    for (size_t i = 0; i < sizeof(a.keys.event.p); i++) {
        assert_int_equal(a.keys.event.p[i], 0);
    }
}

static void home_second_writer_is_told(void **state)
{
    (void)state;
    struct node *a = NULL;
    struct node *b = NULL;
    struct err e = ERR_INIT;
    struct node_options o = {.home = home_path};
    home_make();
    assert_int_equal(node_open(&a, &o, &e), 0);
    assert_int_equal(node_open(&b, &o, &e), ERR_INUSE);
    o.read_only = true;
    assert_int_equal(node_open(&b, &o, &e), 0); /* reading beside it is fine */
    node_close(b);
    node_close(a);
}

static struct id log_of_home(void)
{
    struct home h;
    struct err e = ERR_INIT;
    assert_int_equal(home_open(&h, home_path, &e), 0);
    struct id log = h.log;
    home_close(&h);
    return log;
}

static void reopen(void)
{
    struct node *n = NULL;
    struct err e = ERR_INIT;
    struct node_options o = {.home = home_path};
    assert_int_equal(node_open(&n, &o, &e), 0);
    node_close(n);
}

static void home_reopening_keeps_the_log(void **state)
{
    (void)state;
    home_make();
    struct id first = log_of_home();
    reopen();
    reopen();
    struct id later = log_of_home();
    assert_true(id_eq(&first, &later));
}

static void home_writers_at_the_same_time_keep_the_log(void **state)
{
    (void)state;
    pid_t writers[8];
    home_make();
    struct id first = log_of_home();
    for (size_t i = 0; i < 8; i++) {
        writers[i] = fork();
        if (writers[i] == 0) {
            struct node *n = NULL;
            struct err e = ERR_INIT;
            struct node_options o = {.home = home_path, .lock_wait_ms = 20000};
            int rc = node_open(&n, &o, &e);
            node_close(n);
            _exit(rc == 0 ? 0 : 1);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        int status = -1;
        assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
        assert_int_equal(status, 0);
    }
    struct id later = log_of_home();
    assert_true(id_eq(&first, &later));
}

static void home_restored_database_opens_a_new_log(void **state)
{
    (void)state;
    char db[TMP_PATH_BYTES];
    char old[TMP_PATH_BYTES];
    home_make();
    struct id first = log_of_home();
    tmp_copy(tmp_path(&dir, "home/selfsame.db", db), tmp_path(&dir, "old.db", old));
    reopen();
    reopen();
    tmp_copy(old, db);
    reopen();
    struct id later = log_of_home();
    assert_false(id_eq(&first, &later));
}

static void home_deleted_database_opens_a_new_log(void **state)
{
    (void)state;
    char db[TMP_PATH_BYTES];
    home_make();
    struct id first = log_of_home();
    assert_int_equal(unlink(tmp_path(&dir, "home/selfsame.db", db)), 0);
    reopen();
    struct id later = log_of_home();
    assert_false(id_eq(&first, &later));
}

static void home_crash_between_file_and_database_keeps_the_log(void **state)
{
    (void)state;
    struct home h;
    struct err e = ERR_INIT;
    home_make();
    struct id first = log_of_home();
    /* What a crash after writing `device` and before writing the database leaves. */
    assert_int_equal(home_open(&h, home_path, &e), 0);
    memcpy(h.lease[0], h.lease[1], 16);
    memset(h.lease[1], 0x77, 16);
    assert_int_equal(home_save(&h, &e), 0);
    home_close(&h);
    reopen();
    struct id later = log_of_home();
    assert_true(id_eq(&first, &later));
}

static void damaged_database_is_named_with_what_to_do(void **state)
{
    (void)state;
    struct node *n = NULL;
    struct err e = ERR_INIT;
    char db[TMP_PATH_BYTES];
    struct node_options o = {.home = home_path};
    home_make();
    tmp_write(tmp_path(&dir, "home/selfsame.db", db), BYTES_LIT("SQLite format 3\0 no more of it"));
    int rc = node_open(&n, &o, &e);
    assert_true(rc == ERR_CORRUPT || rc == ERR_FORMAT);
    assert_non_null(strstr(e.text, db));
    assert_non_null(strstr(e.hint, "copy of the folder"));
    assert_int_equal(unlink(db), 0);
    o.read_only = true;
    e = ERR_INIT;
    assert_int_equal(node_open(&n, &o, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "backup"));
    tmp_write(db, BYTES_NONE);
    e = ERR_INIT;
    assert_int_equal(node_open(&n, &o, &e), ERR_PERM);
    assert_non_null(strstr(e.hint, "command that writes"));
}

static void file_replace_is_whole_or_not_at_all(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, 64);
    assert_int_equal(file_replace(tmp_path(&dir, "f", path), BYTES_LIT("one"), &e), 0);
    assert_int_equal(file_replace(path, BYTES_LIT("two"), &e), 0);
    assert_int_equal(file_read(path, &b, &e), 0);
    assert_true(bytes_eq(buf_view(&b), BYTES_LIT("two")));
    assert_true(file_replace(tmp_path(&dir, "missing/f", path), BYTES_LIT("x"), &e) < 0);
    buf_release(&b);
    buf_init(&b, 2);
    assert_int_equal(file_read(tmp_path(&dir, "f", path), &b, &e), ERR_LIMIT);
    buf_release(&b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(home_new_folder_is_private),
        T(home_second_init_is_refused),
        T(home_bad_names_are_refused),
        T(home_loose_permissions_name_the_cure),
        T(home_damaged_or_newer_identity_is_refused),
        T(home_identity_survives_saving_and_opening),
        T(home_second_writer_is_told),
        T(home_reopening_keeps_the_log),
        T(home_writers_at_the_same_time_keep_the_log),
        T(home_restored_database_opens_a_new_log),
        T(home_deleted_database_opens_a_new_log),
        T(home_crash_between_file_and_database_keeps_the_log),
        T(damaged_database_is_named_with_what_to_do),
        T(file_replace_is_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
