/* ~/.bash_history: one command a line, or, with HISTTIMEFORMAT set, a `#seconds` line before each command.
 *
 * As bash itself reads it: behind a `#seconds` line everything up to the next one is one command, several
 * lines if need be; before the first such line every line is a command. bash truncates the file from the
 * front and rewrites it at will: then the cursor does not fit, reading starts over, and event keys drop what
 * is known. A time that cannot be (atuin has seen
 * `#-377705116800`) makes its record bad. */
#include "node/observe/record.h"
#include "node/observe/shell.h"

static bool is_stamp(struct bytes line)
{
    size_t i = 1;
    if (line.n < 2 || line.p[0] != '#')
        return false;
    if (line.p[1] == '-' && line.n > 2)
        i++;
    while (i < line.n && line.p[i] >= '0' && line.p[i] <= '9')
        i++;
    return i == line.n;
}

struct stamp {
    uint64_t line; /* 0: none */
    int rc;
    char text[24]; /* for the report; cut */
};

static void stamp_take(struct stamp *s, const struct line *l, int64_t *ms)
{
    struct bytes text = bytes_slice(l->text, 1, l->text.n);
    size_t n = text.n < sizeof s->text - 1 ? text.n : sizeof s->text - 1;
    for (size_t i = 0; i < n; i++)
        s->text[i] = (char)text.p[i];
    s->text[n] = 0;
    s->line = l->no;
    s->rc = epoch_parse(text, ms);
}

static int finish(struct reader *r, const struct stamp *s, struct bad_record *b, uint64_t line)
{
    if (r->command.err)
        return bad_long(b, line);
    if (s->rc)
        return bad_time(b, s->line, "time", bytes_str(s->text), s->rc);
    while (r->command.n > 0 && r->command.p[r->command.n - 1] == '\n')
        r->command.n--; /* blank lines between records */
    return ROW_OBSERVATION;
}

/* The lines of one command behind its stamp. */
static int read_stamped(struct reader *r, struct stamp *s, struct line_mark start, struct bad_record *b,
                        struct err *e)
{
    struct line l;
    int kind;
    bool any = false;
    while ((kind = lines_next(&r->lines, &l, e)) > LINE_END) {
        if (kind == LINE_TEXT && is_stamp(l.text)) {
            if (any) {
                lines_back(&r->lines);
                shell_mark(r, lines_here(&r->lines));
                return finish(r, s, b, s->line);
            }
            start = (struct line_mark){.at = l.at, .no = l.no - 1};
            stamp_take(s, &l, &r->time_ms);
            continue;
        }
        if (kind == LINE_LONG)
            r->command.err = ERR_LIMIT;
        if (any)
            buf_put(&r->command, '\n');
        if (any || l.text.n > 0 || kind == LINE_LONG)
            buf_bytes(&r->command, l.text), any = true;
    }
    if (kind < 0 || !any || lines_unfinished(&r->lines))
        return kind;
    shell_mark(r, start);
    return finish(r, s, b, s->line);
}

static int bash_read(struct reader *r, struct bad_record *b, struct err *e)
{
    struct line l;
    int kind;
    struct stamp none = {0};
    while ((kind = lines_next(&r->lines, &l, e)) > LINE_END) {
        struct line_mark start = {.at = l.at, .no = l.no - 1};
        if (kind == LINE_TEXT && l.text.n == 0)
            continue;
        if (kind == LINE_TEXT && is_stamp(l.text)) {
            struct stamp s;
            stamp_take(&s, &l, &r->time_ms);
            return read_stamped(r, &s, start, b, e);
        }
        shell_mark(r, l.ended ? lines_here(&r->lines) : start);
        if (kind == LINE_LONG)
            return bad_long(b, l.no);
        buf_bytes(&r->command, l.text);
        return finish(r, &none, b, l.no);
    }
    return kind;
}

static const struct shell_format bash_format = {.source = "bash", .read = bash_read};

static int bash_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                     const struct observer_env *env, struct err *e)
{
    struct shell_input in = {.path = path, .fd = fd, .cursor = cursor, .growing = env->growing};
    return shell_open(out, &bash_format, &in, e);
}

static const char *const bash_defaults[] = {".bash_history", NULL};

const struct observer observer_bash = {
    .name = "bash",
    .summary = "commands from bash's history, with or without times",
    .path_hint = "history file",
    .defaults = bash_defaults,
    .open = bash_open,
    .next = shell_next,
    .cursor = shell_cursor,
    .progress = shell_progress,
    .close = shell_close,
};
