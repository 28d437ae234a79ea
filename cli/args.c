#include "cli/args.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64

struct parse {
    struct args *a;
    struct err *e;
    int argc, at;
    char **argv;
    bool only_positionals; /* behind "--" */
    int rc;
};

/* Only the first mistake is told. */
static struct err *mistake(struct parse *p)
{
    if (p->rc != 0) {
        return NULL;
    }
    p->rc = ERR_USAGE;
    return p->e;
}

/* ---- likeness --------------------------------------------------------------------------------------------
 */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) that turn a into b. */
static size_t word_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t na = strnlen(a, WORD_MAX);
    size_t nb = strnlen(b, WORD_MAX);
    for (size_t j = 0; j <= nb; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= na; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        const size_t *older = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = least(before[j - 1] + cost, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], older[j - 2] + 1);
            }
        }
    }
    return rows[na % 3][nb];
}

const char *nearest_word(const char *word, const char *const *words)
{
    const char *best = NULL;
    size_t best_distance = 3;
    size_t n = strlen(word);
    if (n == 0 || n > WORD_MAX) {
        return NULL;
    }
    for (; *words != NULL; words++) {
        size_t d = n >= 3 && strncmp(*words, word, n) == 0 ? 1 : word_distance(word, *words);
        if (d < best_distance && d < n) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}

static void suggest_command(struct parse *p, const char *word)
{
    const char *words[64] = {NULL};
    size_t n = 0;
    for (const struct command *c = commands; c->name != NULL && n + 1 < 64; c++) {
        words[n++] = c->name;
    }
    const char *near = nearest_word(word, words);
    struct err *e = mistake(p);
    (void)err_set(e, ERR_USAGE, "unknown command '%s'", word);
    if (near != NULL) {
        err_hint(e, "did you mean: selfsame %s", near);
    } else {
        err_hint(e, "list the commands with: selfsame help");
    }
}

static void suggest_option(struct parse *p, const char *word)
{
    const char *words[OPTIONS_MAX + GLOBALS_MAX + 1] = {NULL};
    const struct command *c = p->a->command;
    size_t n = 0;
    for (size_t i = 0; c != NULL && i < options_count(c->options); i++) {
        words[n++] = c->options[i].name;
    }
    for (size_t i = 0; i < options_count(global_options); i++) {
        words[n++] = global_options[i].name;
    }
    const char *near = nearest_word(word, words);
    struct err *e = mistake(p);
    (void)err_set(e, ERR_USAGE, "unknown option '%s%s'", strlen(word) > 1 ? "--" : "-", word);
    if (near != NULL) {
        err_hint(e, "did you mean: --%s", near);
    } else {
        err_hint(e, "list the options with: selfsame %s%s-h", c != NULL ? c->name : "", c != NULL ? " " : "");
    }
}

/* ---- values ----------------------------------------------------------------------------------------------
 */

static bool choice_fits(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; p != NULL && n > 0; p = strchr(p, '|')) {
        p += *p == '|' ? 1 : 0;
        if (strncmp(p, value, n) == 0 && (p[n] == '|' || p[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static void value_check(struct parse *p, const struct option_def *o, const char *value)
{
    char *end = NULL;
    if (o->type == VALUE_CHOICE && !choice_fits(o->choices, value)) {
        (void)err_set(mistake(p), ERR_USAGE, "--%s is one of %s, not '%s'", o->name, o->choices, value);
    }
    if (o->type == VALUE_NUMBER) {
        errno = 0;
        long v = strtol(value, &end, 10);
        if (end == value || *end != '\0' || errno != 0 || v < o->low || v > o->high) {
            (void)err_set(mistake(p), ERR_USAGE, "--%s is a number from %ld to %ld, not '%s'", o->name,
                          o->low, o->high, value);
        }
    }
    if (o->type != VALUE_TEXT && o->type != VALUE_FLAG && value[0] == '\0') {
        (void)err_set(mistake(p), ERR_USAGE, "--%s needs a %s", o->name, o->value);
    }
}

/* ---- options ---------------------------------------------------------------------------------------------
 */

static const struct option_def *by_letter(const struct option_def *list, char letter)
{
    for (size_t i = 0; i < options_count(list); i++) {
        if (list[i].letter == letter) {
            return &list[i];
        }
    }
    return NULL;
}

/* Where the value of option o goes. */
static const char **slot_of(struct args *a, const struct option_def *o)
{
    const struct command *c = a->command;
    if (c != NULL && o >= c->options && o < c->options + OPTIONS_MAX) {
        return &a->values[o - c->options];
    }
    return &a->globals[o - global_options];
}

/* `joined` is the value written in the same word, or NULL. */
static void option_take(struct parse *p, const struct option_def *o, const char *joined)
{
    const char *value = joined;
    if (o->type == VALUE_FLAG && joined != NULL) {
        (void)err_set(mistake(p), ERR_USAGE, "--%s takes no value", o->name);
        return;
    }
    if (o->type == VALUE_FLAG) {
        value = "";
    } else if (joined == NULL) {
        if (p->at >= p->argc) {
            (void)err_set(mistake(p), ERR_USAGE, "--%s needs a %s", o->name, o->value);
            return;
        }
        value = p->argv[p->at++];
    }
    value_check(p, o, value);
    *slot_of(p->a, o) = value;
}

static void long_option(struct parse *p, const char *word)
{
    char name[WORD_MAX + 1];
    const char *equals = strchr(word, '=');
    size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
    if (n > WORD_MAX) {
        suggest_option(p, word);
        return;
    }
    memcpy(name, word, n);
    name[n] = '\0';
    const struct command *c = p->a->command;
    const struct option_def *o = c != NULL ? option_find(c->options, name) : NULL;
    if (o == NULL) {
        o = option_find(global_options, name);
    }
    if (o == NULL) {
        suggest_option(p, name);
        return;
    }
    option_take(p, o, equals != NULL ? equals + 1 : NULL);
}

/* "-qn5": flags joined, the last one may take the rest as its value. */
static void short_options(struct parse *p, const char *word)
{
    const struct command *c = p->a->command;
    while (*word != '\0') {
        const struct option_def *o = c != NULL ? by_letter(c->options, *word) : NULL;
        if (o == NULL) {
            o = by_letter(global_options, *word);
        }
        if (o == NULL) {
            char one[2] = {*word, '\0'};
            suggest_option(p, one);
            return;
        }
        word++;
        bool takes = o->type != VALUE_FLAG;
        option_take(p, o, takes && *word != '\0' ? word : NULL);
        if (takes) {
            return;
        }
    }
}

static void positional_take(struct parse *p, const char *word)
{
    struct args *a = p->a;
    if (a->command == NULL && p->rc == 0) {
        a->command = command_find(word);
        if (a->command == NULL) {
            suggest_command(p, word);
        }
        return;
    }
    if (a->n_positionals < ARGS_POSITIONALS_MAX) {
        a->positionals[a->n_positionals++] = word;
    } else {
        (void)err_set(mistake(p), ERR_USAGE, "more than %d arguments", ARGS_POSITIONALS_MAX);
    }
}

static void word_take(struct parse *p)
{
    const char *word = p->argv[p->at++];
    if (p->only_positionals || word[0] != '-' || word[1] == '\0') {
        positional_take(p, word);
    } else if (strcmp(word, "--") == 0) {
        p->only_positionals = true;
    } else if (word[1] == '-') {
        long_option(p, word + 2);
    } else {
        short_options(p, word + 1);
    }
}

/* As many arguments as the table says, and of the right kind. */
static void positionals_check(struct parse *p)
{
    const struct command *c = p->a->command;
    size_t n = p->a->n_positionals;
    size_t i = 0;
    for (; c != NULL && i < POSITIONALS_MAX && c->args[i].name != NULL; i++) {
        const struct positional_def *d = &c->args[i];
        if (d->required && i >= n) {
            struct err *e = mistake(p);
            (void)err_set(e, ERR_USAGE, "'%s' needs %s", c->name, d->name);
            err_hint(e, "selfsame %s -h", c->name);
        }
        if (i < n && d->type == VALUE_CHOICE && !choice_fits(d->choices, p->a->positionals[i])) {
            (void)err_set(mistake(p), ERR_USAGE, "%s is one of %s, not '%s'", d->name, d->choices,
                          p->a->positionals[i]);
        }
        if (d->rest) {
            return;
        }
    }
    if (c != NULL && n > i) {
        struct err *e = mistake(p);
        (void)err_set(e, ERR_USAGE, "'%s' takes no argument '%s'", c->name, p->a->positionals[i]);
        err_hint(e, "selfsame %s -h", c->name);
    }
}

int args_parse(struct args *a, int argc, char **argv, struct err *e)
{
    struct parse p = {.a = a, .e = e, .argc = argc, .at = 1, .argv = argv};
    memset(a, 0, sizeof(*a));
    a->positionals = calloc(ARGS_POSITIONALS_MAX, sizeof(*a->positionals));
    CHECK(a->positionals != NULL);
    CHECK(options_count(global_options) <= GLOBALS_MAX);
    while (p.at < argc) {
        word_take(&p);
    }
    if (p.rc == 0) {
        positionals_check(&p);
    }
    return p.rc;
}

void args_release(struct args *a)
{
    free(a->positionals);
    a->positionals = NULL;
}

/* ---- reading what was parsed ------------------------------------------------------------------------------
 */

const char *args_value(const struct args *a, const char *name)
{
    const struct option_def *o = a->command != NULL ? option_find(a->command->options, name) : NULL;
    if (o != NULL) {
        return a->values[o - a->command->options];
    }
    o = option_find(global_options, name);
    CHECK(o != NULL);
    return a->globals[o - global_options];
}

bool args_flag(const struct args *a, const char *name)
{
    return args_value(a, name) != NULL;
}

long args_number(const struct args *a, const char *name, long otherwise)
{
    const char *v = args_value(a, name);
    return v != NULL ? strtol(v, NULL, 10) : otherwise;
}

const char *args_at(const struct args *a, size_t i)
{
    return i < a->n_positionals ? a->positionals[i] : NULL;
}

char *args_join(const struct args *a, size_t i)
{
    size_t n = 1;
    for (size_t k = i; k < a->n_positionals; k++) {
        n += strlen(a->positionals[k]) + 1;
    }
    char *text = malloc(n);
    CHECK(text != NULL);
    size_t at = 0;
    for (size_t k = i; k < a->n_positionals; k++) {
        size_t len = strlen(a->positionals[k]);
        if (k > i) {
            text[at++] = ' ';
        }
        memcpy(text + at, a->positionals[k], len);
        at += len;
    }
    text[at] = '\0';
    return text;
}
