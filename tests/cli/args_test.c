#include "cli/args.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 16

/* Parses "selfsame" and the given words (NULL-terminated). */
static int parse(struct args *a, struct err *e, const char *const *words)
{
    static char *argv[WORDS_MAX + 2];
    static char program[] = "selfsame";
    int n = 0;
    argv[n++] = program;
    for (; *words != NULL && n <= WORDS_MAX; words++)
        argv[n++] = (char *)(uintptr_t)*words;
    argv[n] = NULL;
    *e = ERR_INIT;
    return args_parse(a, n, argv, e);
}
#define PARSE(a, e, ...) parse(a, e, (const char *const[]){__VA_ARGS__, NULL})

static void options_are_found_before_between_and_behind_arguments(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "--json", "query", "--max", "3", "which", "-a", "editor", "--scope=work"),
                     0);
    assert_string_equal(a.command->name, "query");
    assert_true(args_flag(&a, "json"));
    assert_true(args_flag(&a, "all"));
    assert_int_equal(args_number(&a, "max", 10), 3);
    assert_string_equal(args_value(&a, "scope"), "work");
    assert_null(args_value(&a, "at"));
    char *text = args_join(&a, 0);
    assert_string_equal(text, "which editor");
    free(text);
    args_release(&a);
}

static void short_options_join_and_take_values(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "show", "-qan7"), 0);
    assert_true(args_flag(&a, "quiet"));
    assert_true(args_flag(&a, "all"));
    assert_int_equal(args_number(&a, "max", 0), 7);
    args_release(&a);
}

static void behind_two_dashes_everything_is_an_argument(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "tell", "--", "--json", "-h", "--"), 0);
    assert_false(args_flag(&a, "json"));
    assert_false(args_flag(&a, "help"));
    assert_int_equal(a.n_positionals, 3);
    assert_string_equal(args_at(&a, 2), "--");
    args_release(&a);
}

static void a_single_dash_is_an_argument(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "import", "jsonl", "-"), 0);
    assert_string_equal(args_at(&a, 1), "-");
    args_release(&a);
}

static void an_unknown_option_is_refused_with_the_nearest(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "show", "--scpoe", "x"), ERR_USAGE);
    assert_string_equal(e.text, "unknown option '--scpoe'");
    assert_string_equal(e.hint, "did you mean: --scope");
    args_release(&a);
    assert_int_equal(PARSE(&a, &e, "show", "-Z"), ERR_USAGE);
    assert_string_equal(e.text, "unknown option '-Z'");
    args_release(&a);
}

static void an_unknown_command_is_refused_with_the_nearest(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "improt", "bash"), ERR_USAGE);
    assert_string_equal(e.text, "unknown command 'improt'");
    assert_string_equal(e.hint, "did you mean: selfsame import");
    args_release(&a);
    assert_int_equal(PARSE(&a, &e, "qqqqqqqqqq"), ERR_USAGE);
    assert_string_equal(e.hint, "list the commands with: selfsame help");
    args_release(&a);
}

static void values_are_checked(void **state)
{
    static const char *const bad[][3] = {
        {"show", "--max", "0"},      {"show", "--max", "ten"},    {"show", "--max", "9999999999999999999"},
        {"tell", "--decay", "11"},   {"show", "--color", "pink"}, {"export", "--format", "js"},
        {"show", "--all=yes", NULL}, {"show", "--max", NULL},     {"show", "--home", ""},
    };
    struct args a;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(PARSE(&a, &e, bad[i][0], bad[i][1], bad[i][2]), ERR_USAGE);
        assert_true(e.text[0] != '\0');
        args_release(&a);
    }
}

static void too_few_and_too_many_arguments_are_refused(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "why"), ERR_USAGE);
    assert_string_equal(e.text, "'why' needs ID");
    args_release(&a);
    assert_int_equal(PARSE(&a, &e, "why", "a", "b"), ERR_USAGE);
    assert_string_equal(e.text, "'why' takes no argument 'b'");
    args_release(&a);
    assert_int_equal(PARSE(&a, &e, "completion", "tcsh"), ERR_USAGE);
    args_release(&a);
}

static void help_and_json_count_behind_a_mistake(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(PARSE(&a, &e, "why", "--bogus", "--json", "-h"), ERR_USAGE);
    assert_string_equal(e.text, "unknown option '--bogus'");
    assert_true(args_flag(&a, "json"));
    assert_true(args_flag(&a, "help"));
    assert_string_equal(a.command->name, "why");
    args_release(&a);
}

static void nothing_at_all_is_no_command(void **state)
{
    struct args a;
    struct err e;
    (void)state;
    assert_int_equal(parse(&a, &e, (const char *const[]){NULL}), 0);
    assert_null(a.command);
    args_release(&a);
}

static void very_long_words_are_refused(void **state)
{
    struct args a;
    struct err e;
    static char word[5000];
    (void)state;
    memset(word, 'x', sizeof word - 1);
    assert_int_equal(PARSE(&a, &e, word), ERR_USAGE);
    args_release(&a);
    word[0] = word[1] = '-';
    assert_int_equal(PARSE(&a, &e, "show", word), ERR_USAGE);
    args_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_found_before_between_and_behind_arguments),
        cmocka_unit_test(short_options_join_and_take_values),
        cmocka_unit_test(behind_two_dashes_everything_is_an_argument),
        cmocka_unit_test(a_single_dash_is_an_argument),
        cmocka_unit_test(an_unknown_option_is_refused_with_the_nearest),
        cmocka_unit_test(an_unknown_command_is_refused_with_the_nearest),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(too_few_and_too_many_arguments_are_refused),
        cmocka_unit_test(help_and_json_count_behind_a_mistake),
        cmocka_unit_test(nothing_at_all_is_no_command),
        cmocka_unit_test(very_long_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
