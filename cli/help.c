#include "cli/help.h"

#include <string.h>

#define HELP_COLUMNS 78
#define OPTION_COLUMNS 26

/* Paragraphs of `text`, wrapped, each line indented. */
static void paragraphs(struct page *p, const char *text, const char *indent)
{
    while (*text != '\0') {
        char one[2048];
        const char *end = strchrnul(text, '\n');
        (void)snprintf(one, sizeof(one), "%.*s", (int)(end - text), text);
        page_str(p, one[0] != '\0' ? indent : "");
        page_wrapped(p, one, HELP_COLUMNS - strlen(indent), indent);
        page_line(p);
        text = *end != '\0' ? end + 1 : end;
    }
}

static void heading(struct page *p, const char *text)
{
    page_line(p);
    page_paint(p, PAINT_STRONG, text);
    page_line(p);
}

static void draw_option(struct page *p, const struct option_def *o)
{
    char left[64];
    char indent[OPTION_COLUMNS + 3];
    if (o->letter != 0) {
        (void)snprintf(left, sizeof(left), "-%c, --%s", o->letter, o->name);
    } else {
        (void)snprintf(left, sizeof(left), "    --%s", o->name);
    }
    size_t n = strlen(left);
    (void)snprintf(left + n, sizeof(left) - n, "%s%s", o->value != NULL ? " " : "",
                   o->value != NULL ? o->value : "");
    (void)snprintf(indent, sizeof(indent), "%*s", OPTION_COLUMNS + 2, "");
    page_str(p, "  ");
    page_cell(p, PAINT_NONE, left, OPTION_COLUMNS, false);
    page_wrapped(p, o->help, HELP_COLUMNS - OPTION_COLUMNS - 2, indent);
    page_line(p);
}

static void draw_options(struct page *p, const char *title, const struct option_def *list)
{
    if (options_count(list) == 0) {
        return;
    }
    heading(p, title);
    for (size_t i = 0; i < options_count(list); i++) {
        draw_option(p, &list[i]);
    }
}

/* Each line of `lines` behind a lead-in. */
static void each_line(struct page *p, const char *lines, const char *first, const char *others)
{
    const char *lead = first;
    do {
        const char *end = strchrnul(lines, '\n');
        page_str(p, lead);
        page_printf(p, "%.*s", (int)(end - lines), lines);
        page_line(p);
        lines = *end != '\0' ? end + 1 : end;
        lead = others;
    } while (*lines != '\0');
}

void help_command(struct page *p, const struct command *c)
{
    char first[64], others[64];
    (void)snprintf(first, sizeof(first), "Usage: selfsame %s ", c->name);
    (void)snprintf(others, sizeof(others), "       selfsame %s ", c->name);
    page_printf(p, "selfsame %s: %s\n\n", c->name, c->summary);
    each_line(p, c->usage, first, others);
    if (c->about != NULL) {
        page_line(p);
        paragraphs(p, c->about, "");
    }
    draw_options(p, "Options:", c->options);
    draw_options(p, "Options of every command:", global_options);
    if (c->examples != NULL) {
        heading(p, "Examples:");
        each_line(p, c->examples, "  ", "  ");
    }
}

void help_program(struct page *p)
{
    page_str(p, "selfsame: one private model of you, the same on every device you own\n\n"
                "Usage: selfsame [COMMAND] [OPTIONS] [ARGUMENTS]\n");
    heading(p, "Commands:");
    for (const struct command *c = commands; c->name != NULL; c++) {
        page_str(p, "  ");
        page_cell(p, PAINT_NONE, c->name, 13, false);
        page_str(p, c->summary);
        page_line(p);
    }
    draw_options(p, "Options of every command:", global_options);
    heading(p, "Topics:");
    for (const struct topic *t = topics; t->name != NULL; t++) {
        page_str(p, "  ");
        page_cell(p, PAINT_NONE, t->name, 13, false);
        page_str(p, t->summary);
        page_line(p);
    }
    page_str(p, "\nMore: selfsame help COMMAND, selfsame help TOPIC\n");
}

int help_print(const struct style *st, const struct command *c)
{
    struct page p;
    page_init(&p, st, stdout);
    if (c != NULL) {
        help_command(&p, c);
    } else {
        help_program(&p);
    }
    page_release(&p);
    return 0;
}
