#include "tests/node/observe/source.h"

#include "base/limits.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void commands_with_times_are_read(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/bash_history_0"));
    source_expect(x, "o 2023-01-05T11:43:19Z source=bash command=git reset\n"
                     "o 2023-01-05T11:43:26Z source=bash command=git clean -dxf\n"
                     "o 2023-01-05T11:43:40Z source=bash command=cd ../\n");
}

static void a_command_of_several_lines_is_one(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/hpi_bash_history"));
    assert_int_equal(x->im.observations, 4);
    assert_true(import_has(&x->im, "command=echo \"$( date uname )\"\n"));
    buf_clear(&x->im.cursor);
    source_run_path(x, SAMPLE("shell/real_bash5.2_histtimeformat"));
    assert_int_equal(x->im.observations, 6);
    assert_true(import_has(&x->im, "command=echo \"multi line\"\n"));
}

static void a_time_out_of_range_is_bad_and_the_rest_is_kept(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/bash_history_1"));
    source_expect(x, "o source=bash command=cargo install atuin\n"
                     "b 2 time: '-377705116800' is outside the years 1970 to 9999\n");
    source_fresh(
        x, "#253402300799\nlast\n#253402300800\nover\n#99999999999999999999999999\nfar\n#1700000000\nok\n");
    source_expect(x, "o 9999-12-31T23:59:59Z source=bash command=last\n"
                     "b 3 time: '253402300800' is outside the years 1970 to 9999\n"
                     "b 5 time: '99999999999999999999999' is outside the years 1970 to 9999\n"
                     "o 2023-11-14T22:13:20Z source=bash command=ok\n");
}

/* The occurrences of the observations, as digits. */
static void occurrences(struct source *x, char *out, size_t max)
{
    struct observer_env env = {.now_ms = 0};
    struct reader *r = NULL;
    struct observation o;
    struct bad_record b;
    size_t n = 0;
    assert_int_equal(x->observer->open(&r, x->path, -1, buf_view(&x->im.cursor), &env, NULL), 0);
    while (x->observer->next(r, &o, &b, NULL) == ROW_OBSERVATION && n + 1 < max)
        out[n++] = (char)('0' + o.occurrence);
    out[n] = 0;
    x->observer->close(r);
}

static void commands_without_times_are_numbered(void **state)
{
    struct source *x = *state;
    char seen[16];
    tmp_write(x->path, BYTES_LIT("ls\ncd\n\nls\nls\ncd\n"));
    occurrences(x, seen, sizeof seen);
    assert_string_equal(seen, "11232");
}

static void numbers_go_on_behind_a_cursor(void **state)
{
    struct source *x = *state;
    char seen[16];
    source_fresh(x, "ls\ncd\nls\n");
    assert_int_equal(x->im.observations, 3);
    tmp_append(x->path, BYTES_LIT("ls\ncd\nnew\n"));
    occurrences(x, seen, sizeof seen);
    assert_string_equal(seen, "321");
}

static void a_history_cut_from_the_front_starts_over(void **state)
{
    struct source *x = *state;
    char seen[16];
    source_fresh(x, "one\nls\nls\nls\n");
    tmp_write(x->path, BYTES_LIT("ls\nls\nnew\n"));
    occurrences(x, seen, sizeof seen);
    assert_string_equal(seen, "121"); /* known ones again, none beyond */
}

static void a_second_import_goes_on(void **state)
{
    struct source *x = *state;
    source_fresh(x, "#1700000000\nls\n#1700000001\npwd\n");
    assert_int_equal(x->im.observations, 2);
    source_read(x); /* the last one, which could still grow */
    source_expect(x, "o 2023-11-14T22:13:21Z source=bash command=pwd\n");
    source_more(x, "#1700000002\nid\n");
    source_expect(x, "o 2023-11-14T22:13:21Z source=bash command=pwd\n"
                     "o 2023-11-14T22:13:22Z source=bash command=id\n");
}

static void an_import_takes_an_unfinished_line_and_reads_it_again(void **state)
{
    struct source *x = *state;
    source_fresh(x, "ls\ngit comm");
    source_expect(x, "o source=bash command=ls\no source=bash command=git comm\n");
    source_more(x, "it\n");
    source_expect(x, "o source=bash command=git commit\n");
}

static void a_watch_leaves_an_unfinished_record(void **state)
{
    struct source *x = *state;
    x->im.growing = true;
    source_fresh(x, "ls\ngit comm");
    source_expect(x, "o source=bash command=ls\n");
    source_more(x, "it\n");
    source_expect(x, "o source=bash command=git commit\n");
    source_fresh(x, "#1700000000\necho '\ntwo");
    assert_int_equal(x->im.observations, 0);
    source_more(x, "'\n#1700000005\n");
    source_expect(x, "o 2023-11-14T22:13:20Z source=bash command=echo ' two'\n");
    source_more(x, "id\n");
    source_expect(x, "o 2023-11-14T22:13:25Z source=bash command=id\n");
}

static void zero_stands_for_no_time(void **state)
{
    struct source *x = *state;
    source_fresh(x, "#0\nls\n#1700000000\npwd\n");
    source_expect(x, "o source=bash command=ls\no 2023-11-14T22:13:20Z source=bash command=pwd\n");
}

static void comments_that_are_no_times_are_commands(void **state)
{
    struct source *x = *state;
    source_fresh(x, "#\n#-\n# note\n#12a\n");
    assert_int_equal(x->im.observations, 4);
}

static void long_lines_are_bad_and_the_rest_is_kept(void **state)
{
    struct source *x = *state;
    size_t n = (size_t)10 << 20;
    char *text = malloc(n + 1);
    memset(text, 'x', n);
    text[n] = 0;
    tmp_write(x->path, BYTES_LIT("before\n"));
    tmp_append(x->path, bytes_str(text));
    source_more(x, "\nafter\n#1700000000\n");
    tmp_append(x->path, bytes_str(text));
    source_more(x, "\n#1700000001\nls\n");
    free(text);
    buf_clear(&x->im.cursor);
    source_read(x);
    source_expect(x, "o source=bash command=before\n"
                     "b 2 : record is longer than 4194304 bytes\n"
                     "o source=bash command=after\n"
                     "b 4 : record is longer than 4194304 bytes\n"
                     "o 2023-11-14T22:13:21Z source=bash command=ls\n");
}

static void bytes_are_passed_on_raw(void **state)
{
    struct source *x = *state;
    tmp_write(x->path, BYTES_LIT("echo \xff\xfe\0x\n\r\n"));
    source_read(x);
    source_expect(x, "o source=bash command=echo \\xFF\\xFE\\x00x\n");
    source_fresh(x, "");
    source_expect(x, "");
}

static void garbage_is_bad_and_the_rest_is_kept(void **state)
{
    struct source *x = *state;
    source_fresh(x, "ls\n\x8f\xa1\x03\x9c\xfe\x80k\nmkdir \xe9t\xe9\n"); /* Latin-1 is somebody's text */
    source_expect(x, "o source=bash command=ls\n"
                     "b 2 command: not text\n"
                     "o source=bash command=mkdir \\xE9t\\xE9\n");
}

static void what_is_no_file_is_refused(void **state)
{
    struct source *x = *state;
    source_refuses_what_is_no_file(x);
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.opened, ERR_FORMAT);
}

static void a_large_history_needs_little_memory(void **state)
{
    struct source *x = *state;
    source_streams(x, "echo a command of a history without times\n", 800000);
}

#define TEST(f) SOURCE_TEST(f, observer_bash)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_with_times_are_read),
        TEST(a_command_of_several_lines_is_one),
        TEST(a_time_out_of_range_is_bad_and_the_rest_is_kept),
        TEST(commands_without_times_are_numbered),
        TEST(numbers_go_on_behind_a_cursor),
        TEST(a_history_cut_from_the_front_starts_over),
        TEST(a_second_import_goes_on),
        TEST(an_import_takes_an_unfinished_line_and_reads_it_again),
        TEST(a_watch_leaves_an_unfinished_record),
        TEST(zero_stands_for_no_time),
        TEST(comments_that_are_no_times_are_commands),
        TEST(long_lines_are_bad_and_the_rest_is_kept),
        TEST(bytes_are_passed_on_raw),
        TEST(garbage_is_bad_and_the_rest_is_kept),
        TEST(what_is_no_file_is_refused),
        TEST(a_large_history_needs_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
