/* fish's fish_history, which looks like YAML but is fish's own:
 *
 *     - cmd: echo one\\two\nthree        (backslash and newline escaped, nothing else)
 *       when: 1639162851
 *       paths:                           (files the command named, if any)
 *         - ~/.bash_history
 *
 * A record goes up to the next line that is not indented. Lines that are no part of a record are bad, each
 * for itself; a record without a readable `when` is bad, the rest is kept. */
#include "node/observe/record.h"
#include "node/observe/shell.h"

#define CMD BYTES_LIT("- cmd:")

/* Appends text without its escapes. */
static void unescape(struct bytes text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool escaped = c == '\\' && i + 1 < text.n && (text.p[i + 1] == '\\' || text.p[i + 1] == 'n');
        if (escaped)
            c = text.p[++i] == 'n' ? '\n' : '\\';
        buf_put(out, c);
    }
}

/* What follows the key, without the one space fish writes there. */
static struct bytes value_of(struct bytes line, size_t key)
{
    struct bytes v = bytes_slice(line, key, line.n);
    return bytes_starts(v, BYTES_LIT(" ")) ? bytes_slice(v, 1, v.n) : v;
}

/* The views are set when the record is complete, since the buffer moves; until then only lengths are kept. */
static void take_path(struct reader *r, struct bytes text)
{
    if (r->n_files == LIMIT_OBSERVATION_FILES || text.n > LIMIT_PATH_BYTES)
        return;
    size_t from = r->paths.n;
    unescape(text, &r->paths);
    if (!r->paths.err)
        r->files[r->n_files++] = (struct bytes){.n = r->paths.n - from};
}

static void fix_paths(struct reader *r)
{
    size_t at = 0;
    for (size_t i = 0; i < r->n_files; i++) {
        r->files[i].p = r->paths.p + at;
        at += r->files[i].n;
    }
}

struct fields {
    uint64_t line; /* of the command */
    bool when, paths;
    int row; /* ROW_OBSERVATION, or ROW_BAD with the report filled */
};

static void take_field(struct reader *r, const struct line *l, struct fields *f, struct bad_record *b)
{
    struct bytes text = bytes_trim(l->text);
    if (bytes_starts(text, BYTES_LIT("when:"))) {
        struct bytes v = bytes_trim(value_of(text, 5));
        int rc = epoch_parse(v, &r->time_ms);
        f->when = true;
        f->paths = false;
        if (rc)
            f->row = bad_time(b, l->no, "when", v, rc);
    } else if (bytes_starts(text, BYTES_LIT("paths:"))) {
        f->paths = true;
    } else if (f->paths && bytes_starts(text, BYTES_LIT("- "))) {
        take_path(r, bytes_slice(text, 2, text.n));
    }
}

static int finish(struct reader *r, struct fields *f, struct bad_record *b)
{
    if (r->command.err)
        return bad_long(b, f->line);
    if (!f->when)
        return bad_row(b, f->line, "when", "missing");
    fix_paths(r);
    return f->row;
}

/* The indented lines behind a command. */
static int read_fields(struct reader *r, struct line_mark start, struct bad_record *b, struct err *e)
{
    struct fields f = {.line = start.no + 1, .row = ROW_OBSERVATION};
    struct line l;
    int kind;
    while ((kind = lines_next(&r->lines, &l, e)) > LINE_END) {
        if (kind == LINE_LONG)
            continue; /* no field of ours is that long */
        if (l.text.n > 0 && l.text.p[0] != ' ') {
            lines_back(&r->lines);
            shell_mark(r, lines_here(&r->lines));
            return finish(r, &f, b);
        }
        take_field(r, &l, &f, b);
    }
    if (kind < 0)
        return kind;
    if (r->lines.growing && (!f.when || lines_unfinished(&r->lines)))
        return ROW_DONE;
    shell_mark(r, start);
    return finish(r, &f, b);
}

static int fish_read(struct reader *r, struct bad_record *b, struct err *e)
{
    struct line l;
    int kind;
    while ((kind = lines_next(&r->lines, &l, e)) > LINE_END) {
        struct line_mark start = {.at = l.at, .no = l.no - 1};
        if (kind == LINE_TEXT && bytes_starts(l.text, CMD)) {
            unescape(value_of(l.text, CMD.n), &r->command);
            return read_fields(r, start, b, e);
        }
        if (kind == LINE_TEXT && bytes_trim(l.text).n == 0)
            continue;
        shell_mark(r, l.ended ? lines_here(&r->lines) : start);
        if (kind == LINE_LONG)
            return bad_long(b, l.no);
        return bad_row(b, l.no, "", "line belongs to no '- cmd:' record");
    }
    return kind;
}

static const struct shell_format fish_format = {.source = "fish", .read = fish_read};

static int fish_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                     const struct observer_env *env, struct err *e)
{
    struct shell_input in = {.path = path, .fd = fd, .cursor = cursor, .growing = env->growing};
    return shell_open(out, &fish_format, &in, e);
}

static const char *const fish_defaults[] = {".local/share/fish/fish_history", NULL};

const struct observer observer_fish = {
    .name = "fish",
    .summary = "commands from fish's history, with times and files",
    .path_hint = "fish_history file",
    .defaults = fish_defaults,
    .open = fish_open,
    .next = shell_next,
    .cursor = shell_cursor,
    .progress = shell_progress,
    .close = shell_close,
};
