/* Manual pages, written as roff from the table. Text is escaped for roff: a backslash and a dash are not what
 * they seem, and a line may not begin with a dot or a quote. */
#include "cli/help.h"

#include "base/text.h"

#include <string.h>

static void roff_text(struct page *p, const char *text)
{
    struct bytes b = bytes_str(text);
    bool start = true;
    for (size_t at = 0; at < b.n;) {
        int32_t cp = utf8_next(b, &at);
        if (start && (cp == '.' || cp == '\'')) {
            page_str(p, "\\&");
        }
        if (cp == '\\') {
            page_str(p, "\\e");
        } else if (cp == '-') {
            page_str(p, "\\-");
        } else if (cp < 0x80) {
            page_printf(p, "%c", (char)cp);
        } else {
            page_printf(p, "\\[u%04X]", (unsigned)cp);
        }
        start = cp == '\n';
    }
}

/* Paragraphs, one a line of `text`; an empty line begins the next. */
static void roff_paragraphs(struct page *p, const char *text)
{
    while (*text != '\0') {
        char one[2048];
        const char *end = strchrnul(text, '\n');
        (void)snprintf(one, sizeof(one), "%.*s", (int)(end - text), text);
        if (one[0] == '\0') {
            page_str(p, ".PP\n");
        } else {
            roff_text(p, one);
            page_str(p, "\n");
        }
        text = *end != '\0' ? end + 1 : end;
    }
}

static void roff_option(struct page *p, const struct option_def *o)
{
    page_str(p, ".TP\n");
    if (o->letter != 0) {
        page_printf(p, "\\fB\\-%c\\fR, ", o->letter);
    }
    page_str(p, "\\fB\\-\\-");
    roff_text(p, o->name);
    page_str(p, "\\fR");
    if (o->value != NULL) {
        page_printf(p, " \\fI%s\\fR", o->value);
    }
    page_str(p, "\n");
    roff_text(p, o->help);
    page_str(p, "\n");
}

static void roff_options(struct page *p, const struct option_def *list)
{
    for (size_t i = 0; i < options_count(list); i++) {
        roff_option(p, &list[i]);
    }
}

static void roff_lines(struct page *p, const char *lines)
{
    page_str(p, ".nf\n");
    roff_text(p, lines);
    page_str(p, "\n.fi\n");
}

static void roff_usage(struct page *p, const struct command *c)
{
    const char *form = c->usage;
    page_str(p, ".nf\n");
    do {
        char one[256];
        const char *end = strchrnul(form, '\n');
        (void)snprintf(one, sizeof(one), "selfsame %s %.*s", c->name, (int)(end - form), form);
        roff_text(p, one);
        page_str(p, "\n");
        form = *end != '\0' ? end + 1 : end;
    } while (*form != '\0');
    page_str(p, ".fi\n");
}

static void roff_command(struct page *p, const struct command *c)
{
    page_printf(p, ".SS %s\n", c->name);
    roff_usage(p, c);
    page_str(p, ".PP\n");
    roff_text(p, c->summary);
    page_str(p, "\n");
    if (c->about != NULL) {
        page_str(p, ".PP\n");
        roff_paragraphs(p, c->about);
    }
    roff_options(p, c->options);
    if (c->examples != NULL) {
        page_str(p, ".PP\nExamples:\n.RS 4\n");
        roff_lines(p, c->examples);
        page_str(p, ".RE\n");
    }
}

static void roff_title(struct page *p, const char *name, const char *upper, const char *what)
{
    page_printf(p, ".TH %s 1 \"\" \"selfsame " SELFSAME_VERSION "\" \"User Commands\"\n", upper);
    page_str(p, ".SH NAME\n");
    roff_text(p, name);
    page_str(p, " \\- ");
    roff_text(p, what);
    page_str(p, "\n");
}

static void man_selfsame(struct page *p)
{
    roff_title(p, "selfsame", "SELFSAME", "one private model of you, the same on every device you own");
    page_str(
        p,
        ".SH SYNOPSIS\n\\fBselfsame\\fR [\\fICOMMAND\\fR] [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n"
        ".SH DESCRIPTION\n"
        "Selfsame learns from the histories that programs keep on your device, turns them into propositions\n"
        "about you, each with a confidence and the evidence it rests on, and answers from them. Everything\n"
        "stays on your devices.\n"
        ".PP\n"
        "With the node running, see\n.BR selfsamed (1),\ncommands go through it; without it they open the "
        "data "
        "folder themselves.\n"
        "Without a command the state is shown, and what to do next.\n"
        ".PP\n"
        "Wherever an ID is asked for, any unique beginning of it will do.\n"
        ".SH OPTIONS\n");
    roff_options(p, global_options);
    page_str(p, ".SH COMMANDS\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        roff_command(p, c);
    }
    for (const struct topic *t = topics; t->name != NULL; t++) {
        page_str(p, ".SH \"");
        roff_text(p, t->summary);
        page_str(p, "\"\n");
        roff_lines(p, t->text);
    }
    page_str(p, ".SH SEE ALSO\n.BR selfsamed (1)\n");
}

static void man_selfsamed(struct page *p)
{
    roff_title(p, "selfsamed", "SELFSAMED", "the node of selfsame");
    page_str(
        p,
        ".SH SYNOPSIS\n\\fBselfsamed\\fR [\\fB\\-\\-listen\\fR HOST:PORT] [\\fB\\-\\-peer\\fR HOST:PORT]... "
        "[\\fB\\-\\-no\\-discovery\\fR]\n"
        ".SH DESCRIPTION\n"
        "Runs in the foreground on the data folder: watches the files that\n"
        ".B selfsame import \\-\\-watch\n"
        "named and picks up what is new in them, and answers the\n"
        ".BR selfsame (1)\n"
        "command over a socket in the data folder that only its owner can open.\n"
        "Meets the user's other devices over the network, once they have been paired.\n"
        ".PP\n"
        "Says on standard output when it is ready, logs to standard error, ends on SIGTERM or SIGINT.\n"
        ".SH OPTIONS\n"
        ".TP\n\\fB\\-\\-listen\\fR HOST:PORT\nwhere other devices can connect; port 0 takes any free one.\n"
        "Otherwise all addresses, and port 21736 or, when that is taken, any.\n"
        "On a loopback address the node is found by nodes of the same machine only.\n"
        ".TP\n\\fB\\-\\-peer\\fR HOST:PORT\nan address to connect to, besides those that discovery "
        "finds; may be repeated\n"
        ".TP\n\\fB\\-\\-no\\-discovery\\fR\nneither announce this device on the local network nor look "
        "for others\n"
        ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nexplain the program\n"
        ".TP\n\\fB\\-\\-version\\fR\nprint the version\n"
        ".SH ENVIRONMENT\n"
        ".TP\nSELFSAME_HOME\nthe data folder; otherwise $XDG_DATA_HOME/selfsame, otherwise\n"
        "~/.local/share/selfsame\n"
        ".SH SEE ALSO\n.BR selfsame (1)\n");
}

bool man_page(struct page *p, const char *program)
{
    if (strcmp(program, "selfsame") == 0) {
        man_selfsame(p);
        return true;
    }
    if (strcmp(program, "selfsamed") == 0) {
        man_selfsamed(p);
        return true;
    }
    return false;
}
