#include "node/observe/lines.h"

#include "base/limits.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct tmp_dir dir;
    char path[TMP_PATH_BYTES];
    struct lines l;
    struct line line;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);
    if (!x)
        return -1;
    tmp_dir_make(&x->dir);
    (void)tmp_path(&x->dir, "file", x->path);
    x->l.fd = -1;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    lines_close(&x->l);
    tmp_dir_remove(&x->dir);
    free(x);
    return 0;
}

static void open_with(struct fixture *x, struct bytes content, bool growing)
{
    lines_close(&x->l);
    tmp_write(x->path, content);
    assert_int_equal(lines_open(&x->l, x->path, -1, growing, NULL), 0);
}

static int next(struct fixture *x)
{
    return lines_next(&x->l, &x->line, NULL);
}

static void expect(struct fixture *x, const char *text, uint64_t no, uint64_t at)
{
    assert_int_equal(next(x), LINE_TEXT);
    assert_true(bytes_eq(x->line.text, bytes_str(text)));
    assert_int_equal(x->line.no, no);
    assert_int_equal(x->line.at, at);
}

static void lines_carry_number_and_offset(void **state)
{
    struct fixture *x = *state;
    open_with(x, BYTES_LIT("one\n\nthree\n"), false);
    expect(x, "one", 1, 0);
    expect(x, "", 2, 4);
    expect(x, "three", 3, 5);
    assert_int_equal(x->line.end, 11);
    assert_int_equal(next(x), LINE_END);
    assert_int_equal(next(x), LINE_END);
}

static void crlf_and_byte_order_mark_are_no_text(void **state)
{
    struct fixture *x = *state;
    open_with(x,
              BYTES_LIT("\xef\xbb\xbf"
                        "a\r\nb\rc\r\n"),
              false);
    expect(x, "a", 1, 0);
    expect(x, "b\rc", 2, 6);
}

static void an_empty_file_has_no_lines(void **state)
{
    struct fixture *x = *state;
    open_with(x, BYTES_NONE, false);
    assert_int_equal(next(x), LINE_END);
}

static void a_last_line_without_newline_is_given_unended(void **state)
{
    struct fixture *x = *state;
    open_with(x, BYTES_LIT("one\ntwo"), false);
    expect(x, "one", 1, 0);
    assert_true(x->line.ended);
    expect(x, "two", 2, 4);
    assert_false(x->line.ended);
    assert_int_equal(next(x), LINE_END);
}

static void a_watch_leaves_a_last_line_without_newline(void **state)
{
    struct fixture *x = *state;
    open_with(x, BYTES_LIT("one\ntwo"), true);
    expect(x, "one", 1, 0);
    assert_int_equal(next(x), LINE_END);
    assert_true(lines_unfinished(&x->l));
    assert_int_equal(lines_here(&x->l).at, 4);
}

static void a_line_put_back_comes_again(void **state)
{
    struct fixture *x = *state;
    open_with(x, BYTES_LIT("one\ntwo\n"), false);
    expect(x, "one", 1, 0);
    expect(x, "two", 2, 4);
    lines_back(&x->l);
    assert_int_equal(lines_here(&x->l).no, 1);
    expect(x, "two", 2, 4);
    assert_int_equal(next(x), LINE_END);
}

static void long_file(struct fixture *x, size_t n, const char *tail, bool growing)
{
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    buf_str(&b, "first\n");
    memset(buf_extend(&b, n), 'x', n);
    buf_str(&b, tail);
    open_with(x, buf_view(&b), growing);
    buf_release(&b);
    expect(x, "first", 1, 0);
}

static void a_line_at_the_limit_is_whole(void **state)
{
    struct fixture *x = *state;
    long_file(x, LIMIT_LINE_BYTES, "\r\nlast\n", false);
    assert_int_equal(next(x), LINE_TEXT);
    assert_int_equal(x->line.text.n, LIMIT_LINE_BYTES);
    expect(x, "last", 3, 6 + (uint64_t)LIMIT_LINE_BYTES + 2);
}

static void a_line_over_the_limit_is_skipped_and_reported_once(void **state)
{
    struct fixture *x = *state;
    const size_t sizes[] = {LIMIT_LINE_BYTES + 1, LIMIT_LINE_BYTES + 2, LIMIT_LINE_BYTES + 3,
                            (size_t)10 << 20};
    for (size_t i = 0; i < 4; i++) {
        long_file(x, sizes[i], "\nlast\n", false);
        assert_int_equal(next(x), LINE_LONG);
        assert_int_equal(x->line.no, 2);
        assert_int_equal(x->line.end, 6 + sizes[i] + 1);
        expect(x, "last", 3, 6 + sizes[i] + 1);
        assert_int_equal(next(x), LINE_END);
    }
}

static void a_long_line_still_being_written_is_left(void **state)
{
    struct fixture *x = *state;
    long_file(x, (size_t)10 << 20, "", true);
    assert_int_equal(next(x), LINE_END);
    assert_true(lines_unfinished(&x->l));
    long_file(x, (size_t)10 << 20, "", false);
    assert_int_equal(next(x), LINE_LONG);
    assert_int_equal(next(x), LINE_END);
}

static void cursor_of(struct fixture *x, struct buf *out)
{
    struct line_mark m = lines_here(&x->l);
    m.flags = 7;
    buf_init(out, 256);
    assert_int_equal(lines_cursor_put(&x->l, &m, out), 0);
}

static void a_cursor_goes_on_behind_its_mark(void **state)
{
    struct fixture *x = *state;
    struct buf cursor;
    struct line_mark m;
    open_with(x, BYTES_LIT("one\ntwo\n"), false);
    expect(x, "one", 1, 0);
    cursor_of(x, &cursor);
    open_with(x, BYTES_LIT("one\ntwo\nthree\n"), false);
    assert_true(lines_cursor_fits(&x->l, buf_view(&cursor), &m));
    assert_int_equal(m.flags, 7);
    assert_int_equal(lines_seek(&x->l, &m, NULL), 0);
    expect(x, "two", 2, 4);
    buf_release(&cursor);
}

static void a_cursor_does_not_fit_a_changed_file(void **state)
{
    struct fixture *x = *state;
    struct buf cursor;
    struct line_mark m;
    open_with(x, BYTES_LIT("one\ntwo\n"), false);
    expect(x, "one", 1, 0);
    expect(x, "two", 2, 4);
    cursor_of(x, &cursor);
    const char *others[] = {"", "one\n", "two\nthree\nfour\n", "onE\ntwo\nthree\n"};
    for (size_t i = 0; i < 4; i++) {
        open_with(x, bytes_str(others[i]), false);
        assert_false(lines_cursor_fits(&x->l, buf_view(&cursor), &m));
    }
    buf_release(&cursor);
}

static void garbage_is_no_cursor(void **state)
{
    struct fixture *x = *state;
    struct buf cursor;
    struct line_mark m;
    open_with(x, BYTES_LIT("one\n"), false);
    expect(x, "one", 1, 0);
    cursor_of(x, &cursor);
    for (size_t n = 0; n < cursor.n; n++)
        assert_false(lines_cursor_fits(&x->l, bytes_of(cursor.p, n), &m));
    assert_true(lines_cursor_fits(&x->l, buf_view(&cursor), &m));
    buf_put(&cursor, 0);
    assert_false(lines_cursor_fits(&x->l, buf_view(&cursor), &m));
    buf_release(&cursor);
}

static void a_pipe_is_read_and_has_no_cursor(void **state)
{
    struct fixture *x = *state;
    int fds[2];
    struct buf cursor;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "one\ntwo", 7), 7);
    close(fds[1]);
    assert_int_equal(lines_open(&x->l, "-", fds[0], false, NULL), 0);
    expect(x, "one", 1, 0);
    expect(x, "two", 2, 4);
    cursor_of(x, &cursor);
    assert_int_equal(cursor.n, 0);
    lines_close(&x->l);
    close(fds[0]);
    buf_release(&cursor);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    struct fixture *x = *state;
    struct err e = ERR_INIT;
    assert_int_equal(lines_open(&x->l, x->dir.path, -1, false, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "is a folder"));
    assert_int_equal(mkfifo(x->path, 0600), 0);
    assert_int_equal(lines_open(&x->l, x->path, -1, false, &e), ERR_FORMAT);
    assert_int_equal(lines_open(&x->l, "/dev/zero", -1, false, &e), ERR_FORMAT);
    assert_int_equal(lines_open(&x->l, "/nowhere/at/all", -1, false, &e), ERR_NOTFOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_carry_number_and_offset),
        TEST(crlf_and_byte_order_mark_are_no_text),
        TEST(an_empty_file_has_no_lines),
        TEST(a_last_line_without_newline_is_given_unended),
        TEST(a_watch_leaves_a_last_line_without_newline),
        TEST(a_line_put_back_comes_again),
        TEST(a_line_at_the_limit_is_whole),
        TEST(a_line_over_the_limit_is_skipped_and_reported_once),
        TEST(a_long_line_still_being_written_is_left),
        TEST(a_cursor_goes_on_behind_its_mark),
        TEST(a_cursor_does_not_fit_a_changed_file),
        TEST(garbage_is_no_cursor),
        TEST(a_pipe_is_read_and_has_no_cursor),
        TEST(what_is_no_file_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
