#include "tests/node/observe/source.h"

#include "tests/support/unit.h"

#include <string.h>

static void records_have_command_time_and_files(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/real_fish3.6_history"));
    source_expect(x, "o 2026-11-24T04:32:37Z source=fish command=echo one\\\\two 'a b'\n"
                     "o 2026-11-24T04:32:38Z source=fish command=cat /etc/hostname file=/etc/hostname\n"
                     "o 2026-11-24T04:32:39Z source=fish command=exit\n");
}

static void escapes_are_undone(void **state)
{
    struct source *x = *state;
    source_fresh(x, "- cmd: a\\nb\\\\n\\t\\\n  when: 1700000000\n  paths:\n    - c\\\\d\n    - e\n");
    source_expect(x, "o 2023-11-14T22:13:20Z source=fish command=a b\\n\\t\\ file=c\\d file=e\n");
}

static void lines_of_no_record_are_bad_and_the_rest_is_kept(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/fish_history_complex"));
    assert_int_equal(x->im.observations, 8);
    assert_int_equal(x->im.bad, 5);
    assert_true(import_has(&x->im, "b 15 : line belongs to no '- cmd:' record\n"));
}

static void a_corrupt_when_is_named_and_the_rest_is_kept(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/fish_history_corrupt_when"));
    source_expect(x, "o 2021-12-10T19:00:32Z source=fish command=echo before\n"
                     "b 4 when: '999999999999999' is outside the years 1970 to 9999\n"
                     "o 2021-12-10T19:00:51Z source=fish command=echo after\n");
    source_fresh(x, "- cmd: a\n- cmd: b\n  when: soon\n- cmd: c\n  when: 1700000000\n");
    source_expect(x, "b 1 when: missing\n"
                     "b 3 when: 'soon' is not a time in seconds\n"
                     "o 2023-11-14T22:13:20Z source=fish command=c\n");
}

static void a_second_import_goes_on(void **state)
{
    struct source *x = *state;
    source_fresh(x, "- cmd: a\n  when: 1700000000\n- cmd: b\n  when: 1700000001\n");
    assert_int_equal(x->im.observations, 2);
    source_more(x, "- cmd: c\n  when: 1700000002\n");
    source_expect(x, "o 2023-11-14T22:13:21Z source=fish command=b\n"
                     "o 2023-11-14T22:13:22Z source=fish command=c\n");
}

static void a_watch_waits_for_the_time(void **state)
{
    struct source *x = *state;
    x->im.growing = true;
    source_fresh(x, "- cmd: a\n");
    source_expect(x, "");
    source_more(x, "  when: 17000");
    source_expect(x, "");
    source_more(x, "00000\n");
    source_expect(x, "o 2023-11-14T22:13:20Z source=fish command=a\n");
}

static void only_so_many_files_are_taken(void **state)
{
    struct source *x = *state;
    tmp_write(x->path, BYTES_LIT("- cmd: a\n  when: 1700000000\n  paths:\n"));
    for (int i = 0; i < 100; i++)
        tmp_append(x->path, BYTES_LIT("    - f\n"));
    source_read(x);
    size_t n = 0;
    for (const char *p = buf_cstr(&x->im.text); (p = strstr(p, " file=")); p++)
        n++;
    assert_int_equal(n, 64);
}

static void garbage_is_harmless(void **state)
{
    struct source *x = *state;
    tmp_write(x->path, BYTES_LIT("- cmd:\n  when:\n  paths:\n    -\n\xff\0\n  when: 1\n- cmd"));
    source_read(x);
    assert_int_equal(x->im.observations, 0);
    source_refuses_what_is_no_file(x);
}

static void a_large_history_needs_little_memory(void **state)
{
    struct source *x = *state;
    source_streams(x, "- cmd: make all\n  when: 1700000000\n  paths:\n    - all\n", 400000);
}

#define TEST(f) SOURCE_TEST(f, observer_fish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_have_command_time_and_files),
        TEST(escapes_are_undone),
        TEST(lines_of_no_record_are_bad_and_the_rest_is_kept),
        TEST(a_corrupt_when_is_named_and_the_rest_is_kept),
        TEST(a_second_import_goes_on),
        TEST(a_watch_waits_for_the_time),
        TEST(only_so_many_files_are_taken),
        TEST(garbage_is_harmless),
        TEST(a_large_history_needs_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
