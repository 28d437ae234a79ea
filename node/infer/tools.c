/* The tools of a command line: the first word of each simple command, behind assignments and wrappers such as
 * sudo. */
#include "node/infer/features.h"
#include "node/infer/words.h"

#include <string.h>

#define TOOL_BYTES_MAX 32

/* One word of a shell line, quotes kept; `at` ends behind it. Empty at an operator or the end. */
static struct bytes shell_word(struct bytes line, size_t *at)
{
    while (*at < line.n && (line.p[*at] == ' ' || line.p[*at] == '\t'))
        ++*at;
    size_t from = *at;
    uint8_t quote = 0;
    for (; *at < line.n; ++*at) {
        uint8_t c = line.p[*at];
        if (quote != 0) {
            quote = c == quote ? 0 : quote;
        } else if (c == '\'' || c == '"' || c == '`') {
            quote = c;
        } else if (c == '\\' && *at + 1 < line.n) {
            ++*at;
        } else if (c == ' ' || c == '\t' || c == '|' || c == ';' || c == '&' || c == '\n' || c == '(' ||
                   c == ')') {
            break;
        }
    }
    return bytes_slice(line, from, *at - from);
}

static bool is_assignment(struct bytes w)
{
    for (size_t i = 0; i < w.n; i++) {
        uint8_t c = w.p[i];
        if (c == '=')
            return i > 0;
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return false;
}

static bool is_wrapper(struct bytes w)
{
    static const char *const list[] = {"sudo",    "doas",   "env",        "time",        "nohup",
                                       "command", "exec",   "nice",       "ionice",      "builtin",
                                       "setsid",  "stdbuf", "caffeinate", "proxychains", "then",
                                       "do",      "else",   "!",          "{",           NULL};
    for (size_t i = 0; list[i] != NULL; i++) {
        if (bytes_eq(w, bytes_str(list[i])))
            return true;
    }
    return false;
}

/* Options of sudo and its like that take the next word. */
static bool option_takes_word(struct bytes w)
{
    return w.n == 2 && w.p[0] == '-' && memchr("ugnhpC", w.p[1], 6) != NULL;
}

static struct bytes tool_name(struct bytes w)
{
    const uint8_t *slash = w.n > 0 ? memrchr(w.p, '/', w.n) : NULL;
    if (slash != NULL) {
        if (w.p[0] != '/')
            return BYTES_NONE; /* ./script, ~/bin/x: of this folder or this person's own */
        w = bytes_slice(w, (size_t)(slash + 1 - w.p), w.n);
    }
    bool letter = false;
    for (size_t i = 0; i < w.n; i++) {
        uint8_t c = w.p[i];
        bool alpha = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        letter |= alpha;
        if (!alpha && !(c >= '0' && c <= '9') && (i == 0 || memchr("._+-", c, 4) == NULL))
            return BYTES_NONE;
    }
    return letter && w.n <= TOOL_BYTES_MAX && !word_is_shell(w) ? w : BYTES_NONE;
}

/* The tool of the simple command that starts at `at`; `at` moves to its end. */
static struct bytes command_tool(struct bytes line, size_t *at)
{
    bool wrapped = false;
    for (;;) {
        struct bytes w = shell_word(line, at);
        if (w.n == 0)
            return BYTES_NONE;
        if (wrapped && w.p[0] == '-') {
            if (option_takes_word(w))
                (void)shell_word(line, at);
            continue;
        }
        if (is_wrapper(w)) {
            wrapped = true;
            continue;
        }
        if (!is_assignment(w))
            return tool_name(w);
    }
}

static void command_skip(struct bytes line, size_t *at)
{
    while (*at < line.n && line.p[*at] != '|' && line.p[*at] != ';' && line.p[*at] != '&' &&
           line.p[*at] != '\n') {
        size_t before = *at;
        (void)shell_word(line, at);
        if (*at == before)
            ++*at; /* a bracket */
    }
}

/* Without what follows the line of a here-document's mark. */
static struct bytes without_document(struct bytes command)
{
    size_t mark = bytes_find(command, BYTES_LIT("<<"));
    if (mark == SIZE_MAX || bytes_starts(bytes_slice(command, mark, command.n), BYTES_LIT("<<<")))
        return command;
    size_t line = bytes_find(bytes_slice(command, mark, command.n), BYTES_LIT("\n"));
    return line == SIZE_MAX ? command : bytes_slice(command, 0, mark + line);
}

int command_tools(struct bytes command, name_fn fn, void *ctx)
{
    struct bytes found[TOOLS_MAX];
    size_t n = 0, at = 0;
    bool piped = false;
    command = without_document(command);
    while (at < command.n && n < TOOLS_MAX) {
        struct bytes tool = command_tool(command, &at);
        bool known = tool.n == 0 || (piped && tool_is_filter(tool));
        for (size_t i = 0; i < n; i++)
            known |= bytes_eq(found[i], tool);
        if (!known) {
            found[n++] = tool;
            int rc = fn(ctx, tool);
            if (rc != 0)
                return rc;
        }
        command_skip(command, &at);
        piped = at < command.n && command.p[at] == '|' && !(at + 1 < command.n && command.p[at + 1] == '|');
        while (at < command.n && memchr("|;&\n()", command.p[at], 6) != NULL)
            at++;
    }
    return 0;
}
