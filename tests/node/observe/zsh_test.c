#include "tests/node/observe/source.h"

#include "tests/support/unit.h"

#include <string.h>

static void extended_history_has_times_and_durations(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/real_zsh5.9_extended"));
    source_expect(x, "o 2026-11-24T04:32:31Z source=zsh command=echo héllo 你好\n"
                     "o 2026-11-24T04:32:32Z end=2026-11-24T04:32:33Z source=zsh command=sleep 1; true\n"
                     "o 2026-11-24T04:32:34Z source=zsh command=for i in 1 2; do echo $i done\n"
                     "o 2026-11-24T04:32:35Z source=zsh command=exit\n");
}

static void continued_lines_are_one_command(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/zsh_history_extended"));
    assert_int_equal(x->im.observations, 3);
    assert_true(import_has(&x->im, "o 2021-02-14T17:07:49Z end=2021-02-14T17:07:59Z source=zsh "
                                   "command=cargo install atuin; \\ cargo update\n"));
    buf_clear(&x->im.cursor);
    source_run_path(x, SAMPLE("shell/hpi_zsh_zsh_history"));
    assert_int_equal(x->im.bad, 0);
    assert_true(import_has(&x->im, "command=while true; do for i in {1..\"$(tput cols)\"}; do"));
}

static void zsh_metafied_bytes_are_decoded(void **state)
{
    struct source *x = *state;
    source_run_path(x, SAMPLE("shell/zsh_history_metafied"));
    source_expect(x, "o source=zsh command=echo 你好\no source=zsh command=ls ~/音乐\n");
}

static void plain_and_extended_lines_mix(void **state)
{
    struct source *x = *state;
    source_fresh(x, "ls\n: 1700000000:3;make\n\n: not a header\n\\:colon\n");
    source_expect(x, "o source=zsh command=ls\n"
                     "o 2023-11-14T22:13:20Z end=2023-11-14T22:13:23Z source=zsh command=make\n"
                     "o source=zsh command=: not a header\n"
                     "o source=zsh command=:colon\n");
}

static void trailing_backslashes_are_kept(void **state)
{
    struct source *x = *state;
    source_fresh(x, "echo \\ \nls  \n"); /* zsh puts one space behind a last backslash */
    source_expect(x, "o source=zsh command=echo \\\no source=zsh command=ls  \n");
}

static void bad_times_are_named_and_the_rest_is_kept(void **state)
{
    struct source *x = *state;
    source_fresh(x, ": 263302300800:0;far\n: -1:0;before\n: 1700000000:99999999999999;long\n: "
                    "1700000001:-4;back\n: 0:0;none\n");
    source_expect(x, "b 1 time: '263302300800' is outside the years 1970 to 9999\n"
                     "b 2 time: '-1' is outside the years 1970 to 9999\n"
                     "b 3 duration: '99999999999999' is outside the years 1970 to 9999\n"
                     "o 2023-11-14T22:13:21Z source=zsh command=back\n"
                     "o source=zsh command=none\n");
}

static void a_second_import_goes_on(void **state)
{
    struct source *x = *state;
    source_fresh(x, ": 1700000000:0;a\\\nb\n: 1700000001:0;c\n");
    assert_int_equal(x->im.observations, 2);
    source_read(x);
    source_expect(x, "");
    source_more(x, ": 1700000002:0;d\n");
    source_expect(x, "o 2023-11-14T22:13:22Z source=zsh command=d\n");
}

static void a_watch_waits_for_the_end_of_a_continued_command(void **state)
{
    struct source *x = *state;
    x->im.growing = true;
    source_fresh(x, ": 1700000000:0;for x\\\n");
    source_expect(x, "");
    source_more(x, "do\\\ndon");
    source_expect(x, "");
    source_more(x, "e\n");
    source_expect(x, "o 2023-11-14T22:13:20Z source=zsh command=for x do done\n");
}

static void an_import_takes_what_the_file_ends_with(void **state)
{
    struct source *x = *state;
    source_fresh(x, "ls\ngit comm");
    assert_int_equal(x->im.observations, 2);
    source_more(x, "it\n");
    source_expect(x, "o source=zsh command=git commit\n");
}

static void garbage_is_harmless(void **state)
{
    struct source *x = *state;
    tmp_write(x->path, BYTES_LIT("\x83\n\x83\x83\n\xff\0\n: 12\n:\n: :;\n\\"));
    source_read(x);
    assert_int_equal(x->im.bad, 3); /* what is no text */
    source_refuses_what_is_no_file(x);
}

static void a_large_history_needs_little_memory(void **state)
{
    struct source *x = *state;
    source_streams(x, ": 1700000000:3;make \\\nall\n", 800000);
}

#define TEST(f) SOURCE_TEST(f, observer_zsh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(extended_history_has_times_and_durations),
        TEST(continued_lines_are_one_command),
        TEST(zsh_metafied_bytes_are_decoded),
        TEST(plain_and_extended_lines_mix),
        TEST(trailing_backslashes_are_kept),
        TEST(bad_times_are_named_and_the_rest_is_kept),
        TEST(a_second_import_goes_on),
        TEST(a_watch_waits_for_the_end_of_a_continued_command),
        TEST(an_import_takes_what_the_file_ends_with),
        TEST(garbage_is_harmless),
        TEST(a_large_history_needs_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
