#include "node/observe/shell.h"

#include "base/text.h"
#include "node/observe/record.h"

#include <stdlib.h>

/* In the mark's flags: a record without a time stands before it, so going on needs the count. */
#define MARK_UNTIMED 1u

void shell_mark(struct reader *r, struct line_mark m)
{
    r->mark.at = m.at;
    r->mark.no = m.no;
}

/* Is it anything but a command line? Other character sets than UTF-8 still leave half of it readable. */
static bool is_binary(struct bytes b)
{
    size_t odd = 0;
    for (size_t at = 0; at < b.n;) {
        size_t from = at;
        int32_t cp = utf8_next(b, &at);
        odd += cp < 0 || (cp < 0x20 && cp != '\t' && cp != '\n' && cp != '\r') ? at - from : 0;
    }
    return odd * 2 > b.n;
}

/* Reads one record and counts it when it has no time. */
static int read_counted(struct reader *r, struct bad_record *b, uint32_t *occurrence, struct err *e)
{
    buf_clear(&r->command);
    buf_clear(&r->paths);
    r->n_files = 0;
    r->time_ms = r->end_ms = TIME_NONE;
    *occurrence = 0;
    int row = r->format->read(r, b, e);
    if (r->command.err == ERR_NOMEM || r->paths.err == ERR_NOMEM)
        return err_set(e, ERR_NOMEM, "out of memory");
    if (row == ROW_OBSERVATION && is_binary(buf_view(&r->command)))
        return bad_row(b, lines_here(&r->lines).no, "command", "not text");
    if (row != ROW_OBSERVATION || r->time_ms != TIME_NONE)
        return row;
    *occurrence = tally_add(&r->tally, buf_view(&r->command));
    if (*occurrence == 0)
        return err_set(e, ERR_NOMEM, "out of memory");
    r->mark.flags |= MARK_UNTIMED;
    return row;
}

/* Reads, without giving, what stands before `m`. */
static int recount(struct reader *r, const struct line_mark *m, struct err *e)
{
    int row = ROW_OBSERVATION;
    while (r->mark.at < m->at && row > ROW_DONE) {
        struct bad_record b;
        uint32_t occurrence;
        row = read_counted(r, &b, &occurrence, e);
    }
    return row < 0 ? row : 0;
}

static int resume(struct reader *r, struct bytes cursor, struct err *e)
{
    struct line_mark m;
    if (!lines_cursor_fits(&r->lines, cursor, &m))
        return 0;
    if (m.flags & MARK_UNTIMED)
        return recount(r, &m, e);
    r->mark = m;
    return lines_seek(&r->lines, &m, e);
}

int shell_open(struct reader **out, const struct shell_format *format, const struct shell_input *in,
               struct err *e)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "out of memory");
    r->format = format;
    buf_init(&r->command, LIMIT_LINE_BYTES);
    buf_init(&r->paths, LIMIT_LINE_BYTES);
    int rc = lines_open(&r->lines, in->path, in->fd, in->growing, e);
    if (!rc)
        rc = resume(r, in->cursor, e);
    if (rc) {
        shell_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

int shell_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    uint32_t occurrence;
    int row = read_counted(r, b, &occurrence, e);
    if (row != ROW_OBSERVATION)
        return row;
    observation_init(o, r->format->source);
    o->time_ms = r->time_ms;
    o->end_ms = r->end_ms;
    o->occurrence = occurrence;
    o->command = buf_view(&r->command);
    o->files = r->files;
    o->n_files = r->n_files;
    return row;
}

int shell_cursor(struct reader *r, struct buf *out)
{
    return lines_cursor_put(&r->lines, &r->mark, out);
}

void shell_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    lines_progress(&r->lines, done, total);
}

void shell_close(struct reader *r)
{
    if (!r)
        return;
    lines_close(&r->lines);
    tally_release(&r->tally);
    buf_release(&r->command);
    buf_release(&r->paths);
    free(r);
}
