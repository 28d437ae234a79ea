/* The table, and that its four readers agree: parser, help, manual page, completion. */
#include "cli/command.h"

#include "cli/args.h"
#include "cli/help.h"
#include "node/serve/api.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct style plain = {.utf8 = true};

/* What `fill` writes, as a C string in p->b. */
static const char *content(struct page *p)
{
    return buf_cstr(&p->b);
}

static const char *sample_value(const struct option_def *o, char out[64])
{
    if (o->type == VALUE_CHOICE)
        (void)snprintf(out, 64, "%.*s", (int)strcspn(o->choices, "|"), o->choices);
    else if (o->type == VALUE_NUMBER)
        (void)snprintf(out, 64, "%ld", o->low);
    else
        (void)snprintf(out, 64, "value");
    return out;
}

static void parse_one(const struct command *c, const struct option_def *o, const char *dash, const char *name)
{
    char command[32], word[64], value[64], argument[] = "bash";
    char program[] = "selfsame";
    struct args a;
    struct err e = ERR_INIT;
    int n = 0;
    char *argv[8] = {NULL};
    (void)snprintf(command, sizeof command, "%s", c->name);
    (void)snprintf(word, sizeof word, "%s%s", dash, name);
    argv[n++] = program;
    argv[n++] = command;
    argv[n++] = word;
    if (o->type != VALUE_FLAG) {
        (void)sample_value(o, value);
        argv[n++] = value;
    }
    for (size_t i = 0; i < POSITIONALS_MAX && c->args[i].name != NULL; i++)
        argv[n++] = argument;
    if (args_parse(&a, n, argv, &e) != 0)
        fail_msg("%s %s: %s", c->name, word, e.text);
    assert_true(args_flag(&a, o->name));
    args_release(&a);
}

static void every_option_of_the_table_parses(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        const struct option_def *lists[] = {c->options, global_options};
        for (size_t k = 0; k < 2; k++) {
            for (size_t i = 0; i < options_count(lists[k]); i++) {
                const struct option_def *o = &lists[k][i];
                parse_one(c, o, "--", o->name);
                if (o->letter != 0)
                    parse_one(c, o, "-", (char[]){o->letter, '\0'});
            }
        }
    }
}

static void expect(const char *text, const char *needle, const char *where)
{
    if (strstr(text, needle) == NULL)
        fail_msg("'%s' is not in %s", needle, where);
}

static void every_option_of_the_table_is_in_the_help_of_its_command(void **state)
{
    char word[64];
    (void)state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        struct page p;
        page_init(&p, &plain, NULL);
        help_command(&p, c);
        for (size_t i = 0; i < options_count(c->options); i++) {
            (void)snprintf(word, sizeof word, "--%s", c->options[i].name);
            expect(content(&p), word, c->name);
        }
        for (size_t i = 0; i < options_count(global_options); i++) {
            (void)snprintf(word, sizeof word, "--%s", global_options[i].name);
            expect(content(&p), word, c->name);
        }
        page_release(&p);
    }
}

/* The part of the page between this heading and the next. */
static const char *section(const char *page, const char *name, char *out, size_t size)
{
    char heading[64];
    (void)snprintf(heading, sizeof heading, ".SS %s\n", name);
    const char *from = strstr(page, heading);
    assert_non_null(from);
    from += strlen(heading);
    const char *to = strstr(from, "\n.S");
    (void)snprintf(out, size, "%.*s", (int)(to != NULL ? to - from : (long)strlen(from)), from);
    return out;
}

/* roff writes a dash as "\-". */
static void roff_name(const char *name, char out[128])
{
    size_t n = 0;
    for (; *name != '\0'; name++) {
        if (*name == '-')
            out[n++] = '\\';
        out[n++] = *name;
    }
    out[n] = '\0';
}

static void every_command_and_option_is_in_its_section_of_the_manual(void **state)
{
    struct page p;
    static char part[16384];
    char name[128], word[160];
    (void)state;
    page_init(&p, &plain, NULL);
    assert_true(man_page(&p, "selfsame"));
    for (const struct command *c = commands; c->name != NULL; c++) {
        section(content(&p), c->name, part, sizeof part);
        for (size_t i = 0; i < options_count(c->options); i++) {
            roff_name(c->options[i].name, name);
            (void)snprintf(word, sizeof word, "\\fB\\-\\-%s\\fR", name);
            expect(part, word, c->name);
        }
    }
    page_release(&p);
}

static void no_line_of_the_manual_is_an_accidental_request(void **state)
{
    static const char *const requests[] = {".TH", ".SH", ".SS", ".TP", ".PP", ".nf",
                                           ".fi", ".RS", ".RE", ".BR", ".B "};
    static const char *const pages[] = {"selfsame", "selfsamed"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct page p;
        page_init(&p, &plain, NULL);
        assert_true(man_page(&p, pages[k]));
        for (const char *line = content(&p); line != NULL && *line != '\0';) {
            bool known = line[0] != '.' && line[0] != '\'';
            for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
                known = known || strncmp(line, requests[i], strlen(requests[i])) == 0;
            if (!known)
                fail_msg("accidental request: %.40s", line);
            line = strchr(line, '\n');
            line = line != NULL ? line + 1 : NULL;
        }
        page_release(&p);
    }
}

static void every_command_and_option_is_completed_by_every_shell(void **state)
{
    static const struct {
        const char *shell, *format;
    } shells[] = {{"bash", " --%s"}, {"zsh", "'--%s"}, {"fish", " -l %s"}};
    char word[64];
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct page p;
        page_init(&p, &plain, NULL);
        assert_true(completion(&p, shells[k].shell));
        for (const struct command *c = commands; c->name != NULL; c++) {
            expect(content(&p), c->name, shells[k].shell);
            for (size_t i = 0; i < options_count(c->options); i++) {
                (void)snprintf(word, sizeof word, "--%s", c->options[i].name);
                if (k == 2)
                    (void)snprintf(word, sizeof word, "from %s' -l %s", c->name, c->options[i].name);
                expect(content(&p), word, shells[k].shell);
            }
        }
        for (size_t i = 0; i < options_count(global_options); i++) {
            (void)snprintf(word, sizeof word, k == 2 ? " -l %s" : "--%s", global_options[i].name);
            expect(content(&p), word, shells[k].shell);
        }
        page_release(&p);
    }
}

static void every_option_that_the_usage_names_is_in_the_table(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        for (const char *at = strstr(c->usage, "--"); at != NULL; at = strstr(at, "--")) {
            char name[64];
            at += 2;
            (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " ]\n"), at);
            if (option_find(c->options, name) == NULL)
                fail_msg("usage of %s names --%s", c->name, name);
        }
    }
}

/* Takes a line of the examples apart like a shell would: blanks, single quotes, up to a redirection. */
static int split(char *line, char **argv, int max)
{
    int n = 0;
    while (*line != '\0' && n < max) {
        line += strspn(line, " ");
        if (*line == '<' || *line == '>' || *line == '|' || *line == '\0')
            break;
        bool quoted = *line == '\'';
        argv[n++] = line += quoted;
        line += strcspn(line, quoted ? "'" : " ");
        if (*line != '\0')
            *line++ = '\0';
    }
    argv[n] = NULL;
    return n;
}

static void every_example_parses(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        const char *line = c->examples;
        while (line != NULL && *line != '\0') {
            char copy[512];
            char *argv[32];
            struct args a;
            struct err e = ERR_INIT;
            (void)snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
            int n = split(copy, argv, 31);
            assert_string_equal(argv[0], "selfsame");
            if (args_parse(&a, n, argv, &e) != 0)
                fail_msg("example '%.*s': %s", (int)strcspn(line, "\n"), line, e.text);
            args_release(&a);
            line += strcspn(line, "\n");
            line += *line == '\n';
        }
    }
}

static void names_of_one_command_do_not_clash(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        assert_ptr_equal(command_find(c->name), c);
        for (size_t i = 0; i < options_count(c->options); i++) {
            const struct option_def *o = &c->options[i];
            assert_ptr_equal(option_find(c->options, o->name), o);
            assert_null(option_find(global_options, o->name));
            for (size_t k = 0; k < options_count(c->options); k++)
                assert_true(k == i || o->letter == 0 || o->letter != c->options[k].letter);
            for (size_t k = 0; k < options_count(global_options); k++)
                assert_true(o->letter == 0 || o->letter != global_options[k].letter);
        }
    }
}

static void commands_that_read_are_those_that_the_node_lets_read(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (c->reads && !api_reads(c->name))
            fail_msg("%s", c->name);
        if (api_reads(c->name) && !c->reads)
            fail_msg("%s", c->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_of_the_table_parses),
        cmocka_unit_test(every_option_of_the_table_is_in_the_help_of_its_command),
        cmocka_unit_test(every_command_and_option_is_in_its_section_of_the_manual),
        cmocka_unit_test(no_line_of_the_manual_is_an_accidental_request),
        cmocka_unit_test(every_command_and_option_is_completed_by_every_shell),
        cmocka_unit_test(every_option_that_the_usage_names_is_in_the_table),
        cmocka_unit_test(every_example_parses),
        cmocka_unit_test(names_of_one_command_do_not_clash),
        cmocka_unit_test(commands_that_read_are_those_that_the_node_lets_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
