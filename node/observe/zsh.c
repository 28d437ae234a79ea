/* ~/.zsh_history: `: start:duration;command` with EXTENDED_HISTORY, else the command alone; both may stand in
 * one file.
 *
 * As zsh's Src/hist.c writes and reads it: a backslash before the newline continues the command on the next
 * line; a command that ends in backslashes gets one space behind them so that it does not; a plain command
 * that starts with ':' is written with a backslash before it; a start of 0 means that no time is known. All
 * bytes zsh uses itself are metafied: 0x83, then the byte xor 0x20. */
#include "node/observe/record.h"
#include "node/observe/shell.h"

#define META 0x83

/* Undoes metafication in place. */
static void unmetafy(struct buf *b)
{
    size_t to = 0;
    for (size_t i = 0; i < b->n; i++) {
        uint8_t c = b->p[i];
        if (c == META && i + 1 < b->n)
            c = b->p[++i] ^ 0x20;
        b->p[to++] = c;
    }
    b->n = to;
}

/* Appends one line; true when the command goes on in the next. */
static bool take_line(struct reader *r, struct bytes text)
{
    if (text.n > 0 && text.p[text.n - 1] == '\\') {
        buf_append(&r->command, text.p, text.n - 1);
        buf_put(&r->command, '\n');
        return true;
    }
    size_t n = text.n;
    while (n > 0 && text.p[n - 1] == ' ')
        n--;
    if (n > 0 && n < text.n && text.p[n - 1] == '\\')
        text.n--;
    buf_bytes(&r->command, text);
    return false;
}

static void drop_front(struct buf *b, size_t n)
{
    for (size_t i = n; i < b->n; i++)
        b->p[i - n] = b->p[i];
    b->n -= n;
}

/* An optional '-' and digits at *at, then `stop`; moves *at behind it. */
static bool take_number(struct bytes t, size_t *at, char stop, struct bytes *out)
{
    size_t i = *at;
    if (i < t.n && t.p[i] == '-')
        i++;
    size_t digits = i;
    while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
        i++;
    if (i == digits || i == t.n || t.p[i] != (uint8_t)stop)
        return false;
    *out = bytes_slice(t, *at, i - *at);
    *at = i + 1;
    return true;
}

static int extended(struct reader *r, struct bytes start, struct bytes lasted, struct bad_record *b,
                    uint64_t line)
{
    int64_t lasted_ms = 0;
    int rc = epoch_parse(start, &r->time_ms);
    if (rc)
        return bad_time(b, line, "time", start, rc);
    if (lasted.p[0] == '-') /* the clock was set back meanwhile */
        return ROW_OBSERVATION;
    rc = epoch_parse(lasted, &lasted_ms);
    if (rc)
        return bad_time(b, line, "duration", lasted, rc);
    if (r->time_ms == TIME_NONE || lasted_ms == TIME_NONE)
        return ROW_OBSERVATION;
    r->end_ms = r->time_ms + lasted_ms;
    if (r->end_ms > LIMIT_TIME_MS_MAX)
        return bad_time(b, line, "duration", lasted, ERR_LIMIT);
    return ROW_OBSERVATION;
}

/* Takes the header off what was read, and decodes the rest. */
static int decode(struct reader *r, struct bad_record *b, uint64_t line)
{
    if (r->command.err)
        return bad_long(b, line);
    struct bytes t = buf_view(&r->command), start, lasted;
    size_t at = 1;
    int row = ROW_OBSERVATION;
    if (bytes_starts(t, BYTES_LIT(":"))) {
        while (at < t.n && t.p[at] == ' ')
            at++;
        if (take_number(t, &at, ':', &start) && take_number(t, &at, ';', &lasted)) {
            row = extended(r, start, lasted, b, line);
            drop_front(&r->command, at);
        }
    } else if (bytes_starts(t, BYTES_LIT("\\:"))) {
        drop_front(&r->command, 1);
    }
    unmetafy(&r->command);
    return row;
}

/* Gathers the lines of one record. LINE_TEXT, or LINE_END or an error; *first is its first line. */
static int gather(struct reader *r, struct line *first, struct line_mark *after, struct err *e)
{
    struct line l;
    int kind;
    bool any = false, more = true;
    while (more && (kind = lines_next(&r->lines, &l, e)) > LINE_END) {
        if (!any)
            *first = l;
        any = true;
        if (kind == LINE_LONG)
            r->command.err = ERR_LIMIT;
        more = take_line(r, l.text);
    }
    if (more && (kind < 0 || !any || r->lines.growing))
        return kind;
    *after = l.ended ? lines_here(&r->lines) : (struct line_mark){.at = first->at, .no = first->no - 1};
    return LINE_TEXT;
}

static int zsh_read(struct reader *r, struct bad_record *b, struct err *e)
{
    for (;;) {
        struct line first = {0};
        struct line_mark after;
        int kind = gather(r, &first, &after, e);
        if (kind <= LINE_END)
            return kind;
        int row = decode(r, b, first.no);
        if (row == ROW_OBSERVATION && r->command.n == 0) {
            r->time_ms = r->end_ms = TIME_NONE;
            continue; /* an empty line */
        }
        shell_mark(r, after);
        return row;
    }
}

static const struct shell_format zsh_format = {.source = "zsh", .read = zsh_read};

static int zsh_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                    const struct observer_env *env, struct err *e)
{
    struct shell_input in = {.path = path, .fd = fd, .cursor = cursor, .growing = env->growing};
    return shell_open(out, &zsh_format, &in, e);
}

static const char *const zsh_defaults[] = {".zsh_history", ".local/share/zsh/history", ".histfile", NULL};

const struct observer observer_zsh = {
    .name = "zsh",
    .summary = "commands from zsh's history, plain or extended",
    .path_hint = "history file",
    .defaults = zsh_defaults,
    .open = zsh_open,
    .next = shell_next,
    .cursor = shell_cursor,
    .progress = shell_progress,
    .close = shell_close,
};
