/* Files and folders of pictures: which are yielded, and which again. */
#include "node/observe/observe.h"

#include "base/cursor.h"
#include "tests/node/observe/pictures.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct tmp_dir dir;
static struct buf cursor;
static struct err e;
static char rows[4096]; /* a line a row: its sign and the file's name, or the reason */
static int64_t last_ms;

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    buf_init(&cursor, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&cursor);
    tmp_dir_remove(&dir);
    return 0;
}

static int16_t no_offset(void *ctx, int64_t ms)
{
    (void)ctx;
    (void)ms;
    return 0;
}

static int64_t wall_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void row_note(int row, const struct observation *o, const struct bad_record *b)
{
    size_t at = strlen(rows);
    const char *slash = row == ROW_PICTURE ? strrchr((const char *)o->files[0].p, '/') : NULL;
    if (slash != NULL)
        (void)snprintf(rows + at, sizeof rows - at, "+ %s\n", slash + 1);
    else if (row == ROW_BAD)
        (void)snprintf(rows + at, sizeof rows - at, "! %s: %s\n", b->field, b->reason);
    else
        (void)snprintf(rows + at, sizeof rows - at, "~\n");
}

/* Reads from the cursor on, as at now_ms. */
static int read_path(const char *path, bool growing, int64_t now_ms)
{
    struct reader *r = NULL;
    struct observation o = {0};
    struct bad_record b = {0};
    int row = ROW_DONE;
    const struct observer_env env = {.now_ms = now_ms, .zone_offset = no_offset, .growing = growing};
    rows[0] = '\0';
    int rc = observer_image.open(&r, path, -1, buf_view(&cursor), &env, &e);
    if (rc != 0)
        return rc;
    while ((row = observer_image.next(r, &o, &b, &e)) > 0) {
        row_note(row, &o, &b);
        if (row == ROW_PICTURE) {
            assert_true(bytes_eq(o.source, BYTES_LIT("image")));
            assert_int_equal(o.id.n, 64);
            last_ms = o.time_ms;
        }
    }
    buf_clear(&cursor);
    assert_int_equal(observer_image.cursor(r, &cursor), 0);
    observer_image.close(r);
    return row;
}

static int64_t later_ms(void)
{
    return wall_ms() + MS_MINUTE;
}

static const char *path_of(const char *name)
{
    static char path[TMP_PATH_BYTES];
    return tmp_path(&dir, name, path);
}

static void file_make(const char *name, size_t cut)
{
    struct buf file;
    buf_init(&file, 1u << 20);
    picture_png(&(struct picture_spec){.pixels = name}, &file);
    picture_write(path_of(name), bytes_slice(buf_view(&file), 0, file.n - cut));
    buf_release(&file);
}

static void a_folder_yields_files_called_like_pictures_in_order(void **state)
{
    (void)state;
    file_make("b.png", 0);
    file_make("a.PNG", 0);
    file_make("c.txt", 0);
    file_make(".d.png", 0);
    picture_write(path_of("e.jpg"), BYTES_LIT("this is no picture"));
    assert_int_equal(mkdir(path_of("f.png"), 0700), 0);
    assert_int_equal(read_path(dir.path, false, later_ms()), 0);
    assert_string_equal(rows, "+ a.PNG\n+ b.png\n! e.jpg: not a PNG, JPEG, WebP or GIF picture\n");
}

static void a_file_is_read_whatever_its_name(void **state)
{
    (void)state;
    file_make("picture", 0);
    assert_int_equal(read_path(path_of("picture"), false, later_ms()), 0);
    assert_string_equal(rows, "+ picture\n");
    assert_int_equal(cursor.n, 0); /* read anew each time */
}

static void only_what_has_changed_is_yielded_again(void **state)
{
    (void)state;
    file_make("a.png", 0);
    file_make("b.png", 0);
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    char moved[TMP_PATH_BYTES];
    (void)tmp_path(&dir, "c.png", moved);
    struct stat before, after;
    assert_int_equal(stat(path_of("b.png"), &before), 0);
    do { /* until the file system's clock, by which changes are told, has moved on */
        file_make("tick.txt", 0);
        assert_int_equal(stat(path_of("tick.txt"), &after), 0);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    assert_int_equal(rename(path_of("a.png"), moved), 0); /* an old file in a new place */
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    assert_non_null(strstr(rows, "+ c.png\n"));
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    assert_string_equal(rows, "+ c.png\n"); /* at the mark: once more */
}

static void a_cursor_from_the_future_is_not_believed(void **state)
{
    (void)state;
    file_make("a.png", 0);
    wr_u8(&cursor, 1);
    wr_svarint(&cursor, later_ms() * 1000000);
    assert_int_equal(read_path(dir.path, true, wall_ms()), 0);
    assert_string_equal(rows, "+ a.png\n");
}

static void a_damaged_cursor_is_not_believed(void **state)
{
    (void)state;
    file_make("a.png", 0);
    wr_u8(&cursor, 9);
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    assert_string_equal(rows, "+ a.png\n");
}

static void a_watch_leaves_what_is_being_written(void **state)
{
    (void)state;
    file_make("a.png", 5);
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    assert_string_equal(rows, "~\n");
    assert_int_equal(read_path(path_of("a.png"), false, later_ms()), 0);
    assert_string_equal(rows, "! : the picture is cut off\n");
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    file_make("a.png", 0);
    assert_int_equal(read_path(dir.path, true, later_ms()), 0);
    assert_string_equal(rows, "+ a.png\n");
}

static void the_time_is_the_names_else_the_files(void **state)
{
    (void)state;
    const struct timespec when[2] = {{.tv_sec = 1760000000}, {.tv_sec = 1760000000}};
    const char *names[] = {"plain.png", "IMG_20250101_120000.png", "IMG_20300101_120000.png"};
    const int64_t wanted[] = {INT64_C(1760000000000), INT64_C(1735732800000), INT64_C(1760000000000)};
    for (size_t i = 0; i < 3; i++) {
        file_make(names[i], 0);
        assert_int_equal(utimensat(AT_FDCWD, path_of(names[i]), when, 0), 0);
        assert_int_equal(read_path(path_of(names[i]), false, later_ms()), 0);
        assert_int_equal(last_ms, wanted[i]); /* a name may not be later than its file */
    }
}

static void what_is_neither_file_nor_folder_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(read_path(path_of("pipe"), false, later_ms()), ERR_FORMAT);
    assert_int_equal(read_path(path_of("none"), false, later_ms()), ERR_NOTFOUND);
    assert_int_equal(read_path("/dev/zero", false, later_ms()), ERR_FORMAT);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_folder_yields_files_called_like_pictures_in_order),
        CASE(a_file_is_read_whatever_its_name),
        CASE(only_what_has_changed_is_yielded_again),
        CASE(a_cursor_from_the_future_is_not_believed),
        CASE(a_damaged_cursor_is_not_believed),
        CASE(a_watch_leaves_what_is_being_written),
        CASE(the_time_is_the_names_else_the_files),
        CASE(what_is_neither_file_nor_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
