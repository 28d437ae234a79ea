#include "tests/node/observe/source.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL TEST_DATA "/observe/jsonl/restic_commits.jsonl"
#define TIME "\"time\":\"2026-01-02T03:04:05Z\",\"source\":\"note\""

static void real_commits_are_read_with_their_offset(void **state)
{
    struct source *x = *state;
    source_run_path(x, REAL);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 60);
    assert_int_equal(x->im.bad, 0);
    assert_true(import_has(&x->im, "o 2018-07-11T19:18:01Z offset=120 shared source=git app=restic "
                                   "title=restore: Move documentation to godoc "
                                   "file=RESTORE_concurrent-pack-order.md file=internal/restorer/doc.go\n"));
}

static void every_member_has_its_place_and_others_are_canonical_data(void **state)
{
    struct source *x = *state;
    source_run_text(
        x, "{\"time\":\"2026-01-02T03:04:05+01:00\",\"end\":\"2026-01-02T03:05:05+01:00\",\"source\":\"a.b_"
           "c-1\","
           "\"app\":\"A\",\"title\":\"T\",\"text\":\"X\",\"url\":\"U\",\"command\":\"C\",\"cwd\":\"W\","
           "\"files\":[\"f\",\"g\"],"
           "\"id\":\"I\",\"z\": {\"b\": 1.50, \"a\": [true, null, \"\\u00e9\\n\"]}, \"origin\":\"model\", "
           "\"y\" : -0 }\n");
    assert_true(import_has(
        &x->im, "o 2026-01-02T02:04:05Z end=2026-01-02T02:05:05Z offset=60 model source=a.b_c-1 app=A "
                "title=T text=X url=U command=C cwd=W id=I "
                "data={\"y\":-0,\"z\":{\"a\":[true,null,\"\xc3\xa9\\n\"],\"b\":1.50}} file=f file=g\n"));
}

static void only_a_written_offset_is_the_users(void **state)
{
    struct source *x = *state;
    source_run_text(
        x,
        "{\"time\":\"2026-01-02T03:04:05Z\",\"source\":\"a\"}\n{\"time\":\"2026-01-02\",\"source\":\"b\"}\n"
        "{\"time\":\"2026-01-02T03:04:05+00:00\",\"source\":\"c\"}\n{\"time\":\"2026-01-02T03:04:05-07:30\","
        "\"source\":\"d\"}");
    assert_true(import_has(&x->im, "o 2026-01-02T03:04:05Z source=a\n"));
    assert_true(import_has(&x->im, "o 2026-01-02T00:00:00Z source=b\n"));
    assert_true(import_has(&x->im, "o 2026-01-02T03:04:05Z offset=0 source=c\n"));
    assert_true(import_has(&x->im, "o 2026-01-02T10:34:05Z offset=-450 source=d\n"));
}

static void what_is_wrong_is_named_and_costs_one_line(void **state)
{
    static const struct {
        const char *line, *report;
    } cases[] = {
        {"{\"source\":\"a\"}", "time: missing"},
        {"{\"time\":null,\"source\":\"a\"}", "time: missing"},
        {"{\"time\":5,\"source\":\"a\"}", "time: not a text"},
        {"{\"time\":\"\",\"source\":\"a\"}", "time: not a time"},
        {"{\"time\":\"10312-01-01T00:00:00Z\",\"source\":\"a\"}", "time: not a time"},
        {"{\"time\":\"0000-01-01T00:00:00Z\",\"source\":\"a\"}", "time: the year is out of range"},
        {"{\"time\":\"1969-12-31T23:59:59Z\",\"source\":\"a\"}", "time: the year is out of range"},
        {"{\"time\":\"9999-12-31T23:59:59-01:00\",\"source\":\"a\"}", "time: the year is out of range"},
        {"{\"time\":\"2026-01-02T03:04:05Z\"}", "source: missing"},
        {"{\"time\":\"2026-01-02T03:04:05Z\",\"source\":\"A b\"}", "source: not 1 to 64"},
        {"{\"time\":\"2026-01-02T03:04:05Z\",\"source\":\"a\\u0000\"}", "source: not 1 to 64"},
        {"{" TIME ",\"end\":\"2026-01-01T00:00:00Z\"}", "end: before time"},
        {"{" TIME ",\"title\":[]}", "title: not a text"},
        {"{" TIME ",\"files\":\"a\"}", "files: not a list of texts"},
        {"{" TIME ",\"files\":[\"a\",1]}", "files: not a list of texts"},
        {"{" TIME ",\"origin\":\"robot\"}", "origin: neither 'model' nor 'user'"},
        {"{" TIME ",\"title\":\"a\",\"title\":\"b\"}", "title: occurs twice"},
        {"{" TIME ",\"x\":1,\"x\":2}", ": a member occurs twice"},
        {"{" TIME ",\"x\":{\"y\":1,\"y\":2}}", "x: a member occurs twice"},
        {"{" TIME "} x", ": line"},
        {"{" TIME ",}", ": line"},
        {"{" TIME ",\"x\":01}", ": line"},
        {"{" TIME ",\"x\":+1}", ": line"},
        {"{" TIME ",\"x\":1.}", ": line"},
        {"{" TIME ",\"x\":nul}", ": line"},
        {"{" TIME ",\"x\":\"\\x\"}", ": line"},
        {"{" TIME ",\"x\":\"\t\"}", ": line"},
        {"{" TIME ",\"x\":\"\\ud8", ": line"},
        {"{" TIME, ": line"},
        {"[]", ": not a JSON object"},
        {"garbage", ": line"},
        {"\xff\xfe", ": line"},
        {"{" TIME ",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
         "x: line 2, byte 83: nested too deeply"},
    };
    struct source *x = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char content[1024], expect[256];
        (void)snprintf(content, sizeof content, "{" TIME "}\n%s\n{" TIME ",\"title\":\"behind\"}\n",
                       cases[i].line);
        source_run_text(x, content);
        (void)snprintf(expect, sizeof expect, "b 2 %s", cases[i].report);
        if (x->im.rc != ROW_DONE || x->im.bad != 1 || x->im.observations != 2 || !import_has(&x->im, expect))
            fail_msg("%s\ngave\n%s", cases[i].line, buf_cstr(&x->im.text));
        assert_true(import_has(&x->im, "title=behind"));
    }
}

static void raw_bytes_come_through(void **state)
{
    struct source *x = *state;
    source_run_text(x, "{" TIME
                       ",\"title\":\"a\xff\xc3(\",\"text\":\"\\ud83d\\ude00 \\ud83d \\ud83d\\n\\u0041\"}");
    assert_true(import_has(&x->im, "title=a\\xFF\\xC3( text=\xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbf\xbd A"));
    tmp_write(x->path, BYTES_LIT("{" TIME ",\"title\":\"a\0b\"}\n"));
    source_run(x);
    assert_int_equal(x->im.bad, 1);
}

static void a_byte_order_mark_crlf_and_blank_lines_do_no_harm(void **state)
{
    struct source *x = *state;
    source_run_text(x, "\xef\xbb\xbf{" TIME "}\r\n\r\n   \n{" TIME "}");
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.bad, 0);
    source_run_text(x, "");
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 0);
}

static void long_texts_are_cut_and_long_lines_reported(void **state)
{
    struct source *x = *state;
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    (void)buf_str(&b, "{" TIME ",\"title\":\"");
    memset(buf_extend(&b, (size_t)1 << 20), 'x', (size_t)1 << 20);
    (void)buf_str(&b, "\",\"app\":\"z\"}\n{" TIME ",\"title\":\"");
    memset(buf_extend(&b, (size_t)10 << 20), 'x', (size_t)10 << 20);
    (void)buf_str(&b, "\"}\n{" TIME ",\"q\":\"");
    memset(buf_extend(&b, (size_t)1 << 20), 'x', (size_t)1 << 20);
    (void)buf_str(&b, "\"}\n{" TIME "}\n");
    tmp_write(x->path, buf_view(&b));
    buf_release(&b);
    source_run(x);
    assert_int_equal(x->im.observations, 2);
    assert_true(import_has(&x->im, "app=z title=xxxx"));
    assert_true(import_has(&x->im, "b 2 : the line is longer than 4 MB\n"));
    assert_true(import_has(&x->im, "b 3 q: too large\n"));
}

static void only_the_first_files_of_many_are_kept(void **state)
{
    struct source *x = *state;
    struct buf b;
    buf_init(&b, 65536);
    (void)buf_str(&b, "{" TIME ",\"files\":[\"f0\"");
    for (int i = 1; i < 3000; i++)
        (void)buf_printf(&b, ",\"f%d\"", i);
    (void)buf_str(&b, "]}\n");
    source_run_text(x, buf_cstr(&b));
    buf_release(&b);
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(&x->im, "file=f63\n"));
}

static void the_second_import_reads_only_what_was_added(void **state)
{
    struct source *x = *state;
    source_run_text(x, "{" TIME "}\n{" TIME "}\n");
    assert_int_equal(x->im.observations, 2);
    source_run(x);
    assert_int_equal(x->im.observations, 0);
    tmp_append(x->path, BYTES_LIT("{" TIME ",\"title\":\"new\"}\nbad\n"));
    source_run(x);
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(&x->im, "b 4 : "));
    tmp_write(x->path, BYTES_LIT("{" TIME ",\"title\":\"other file\"}\n"));
    source_run(x);
    assert_int_equal(x->im.observations, 1);
}

static void stdin_is_read(void **state)
{
    struct source *x = *state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    static const char lines[] = "{" TIME "}\n{" TIME "}";
    assert_int_equal(write(fd[1], lines, sizeof lines - 1), sizeof lines - 1);
    (void)close(fd[1]);
    import_run_fd(&x->im, &observer_jsonl, fd[0], &x->tmp);
    (void)close(fd[0]);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 2);
}

static void what_is_no_file_is_refused(void **state)
{
    struct source *x = *state;
    source_run(x);
    assert_int_equal(x->im.opened, ERR_NOTFOUND);
    assert_int_equal(mkfifo(x->path, 0600), 0);
    source_run(x);
    assert_int_equal(x->im.opened, ERR_FORMAT);
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.opened, ERR_FORMAT);
}

#define TEST(f) SOURCE_TEST(f, observer_jsonl)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(real_commits_are_read_with_their_offset),
        TEST(every_member_has_its_place_and_others_are_canonical_data),
        TEST(only_a_written_offset_is_the_users),
        TEST(what_is_wrong_is_named_and_costs_one_line),
        TEST(raw_bytes_come_through),
        TEST(a_byte_order_mark_crlf_and_blank_lines_do_no_harm),
        TEST(long_texts_are_cut_and_long_lines_reported),
        TEST(only_the_first_files_of_many_are_kept),
        TEST(the_second_import_reads_only_what_was_added),
        TEST(stdin_is_read),
        TEST(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
