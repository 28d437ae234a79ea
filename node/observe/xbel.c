/* recently-used.xbel: which files the user opened, and with which program (GTK and others write it).
 *
 * expat reads it in chunks and is suspended at the end of each <bookmark>, so one bookmark is in memory. Each
 * <bookmark:application> gives one observation: that program opened the file at its `modified` time. A
 * bookmark without applications gives one at its own visited, modified or added time, whichever comes first
 * in this order. Bookmarks marked <bookmark:private/> are skipped.
 *
 * Hostile input: entity declarations are refused, so nothing can be blown up by expansion; a tag that is
 * larger than TAG_BYTES_MAX ends the import before expat buffers more of it; nesting is bounded; names and
 * addresses are cut. The file is written anew as a whole at each change, so the cursor is its stamp
 * (stamped.h).
 */
#include "base/limits.h"
#include "node/observe/bad.h"
#include "node/observe/stamped.h"

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 16384
#define TAG_BYTES_MAX (1 << 20)
#define DEPTH_MAX 64
/* Programs of one bookmark; the rest are left out. */
#define APPS_MAX 32
/* With XML_ParserCreateNS, names read "namespace|name". */
#define NS "http://www.freedesktop.org/standards/desktop-bookmarks|"
#define TIME_TEXT_BYTES 64

struct app {
    size_t at, n; /* its name in reader.names */
    char time[TIME_TEXT_BYTES];
};

struct bookmark {
    bool open, private;
    uint64_t line;
    char visited[TIME_TEXT_BYTES], modified[TIME_TEXT_BYTES], added[TIME_TEXT_BYTES];
    size_t n_apps, given; /* of its observations, how many were yielded */
    struct app apps[APPS_MAX];
};

struct reader {
    struct stamped file;
    bool unchanged; /* there is nothing to read */
    bool finished;  /* the document was read to its end */
    XML_Parser parser;
    uint64_t fed;
    unsigned depth;
    bool saw_xbel, in_title, ready;
    const char *refused; /* why the parser was stopped for good */
    struct bookmark mark;
    struct buf href, names, title, path;
    struct bytes one_file;
};

/* ---- what expat calls ---- */

static void copy_time(char out[TIME_TEXT_BYTES], const char *value)
{
    int n = snprintf(out, TIME_TEXT_BYTES, "%s", value);
    if (n >= TIME_TEXT_BYTES)
        out[0] = '?'; /* too long for a time: must not read as one */
}

static void bookmark_begin(struct reader *r, const char **attr)
{
    struct bookmark *m = &r->mark;
    memset(m, 0, sizeof *m);
    buf_clear(&r->href);
    buf_clear(&r->names);
    buf_clear(&r->title);
    m->open = true;
    m->line = (uint64_t)XML_GetCurrentLineNumber(r->parser);
    for (; attr[0]; attr += 2) {
        if (strcmp(attr[0], "href") == 0)
            (void)buf_str(&r->href, attr[1]);
        else if (strcmp(attr[0], "visited") == 0)
            copy_time(m->visited, attr[1]);
        else if (strcmp(attr[0], "modified") == 0)
            copy_time(m->modified, attr[1]);
        else if (strcmp(attr[0], "added") == 0)
            copy_time(m->added, attr[1]);
    }
}

static void application(struct reader *r, const char **attr)
{
    struct bookmark *m = &r->mark;
    if (m->n_apps >= APPS_MAX)
        return;
    struct app *a = &m->apps[m->n_apps];
    *a = (struct app){.at = r->names.n};
    for (; attr[0]; attr += 2) {
        if (strcmp(attr[0], "name") == 0)
            (void)buf_bytes(&r->names, bytes_slice(bytes_str(attr[1]), 0, LIMIT_NAME_BYTES));
        else if (strcmp(attr[0], "modified") == 0)
            copy_time(a->time, attr[1]);
    }
    a->n = r->names.n - a->at;
    m->n_apps++;
}

static void refuse(struct reader *r, const char *why)
{
    r->refused = why;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *ctx, const char *name, const char **attr)
{
    struct reader *r = ctx;
    if (++r->depth > DEPTH_MAX) {
        refuse(r, "nested too deeply");
        return;
    }
    if (r->depth == 1)
        r->saw_xbel = strcmp(name, "xbel") == 0;
    if (r->depth == 1 && !r->saw_xbel)
        refuse(r, "not a list of bookmarks");
    else if (strcmp(name, "bookmark") == 0 && !r->mark.open)
        bookmark_begin(r, attr);
    else if (r->mark.open && strcmp(name, NS "application") == 0)
        application(r, attr);
    else if (r->mark.open && strcmp(name, NS "private") == 0)
        r->mark.private = true;
    else if (r->mark.open && strcmp(name, "title") == 0)
        r->in_title = true;
}

static void on_end(void *ctx, const char *name)
{
    struct reader *r = ctx;
    r->depth--;
    r->in_title = false;
    if (!r->mark.open || strcmp(name, "bookmark") != 0)
        return;
    r->mark.open = false;
    r->ready = true;
    (void)XML_StopParser(r->parser, XML_TRUE);
}

static void on_text(void *ctx, const char *text, int n)
{
    struct reader *r = ctx;
    if (r->in_title && r->title.n + (size_t)n <= LIMIT_TEXT_BYTES)
        (void)buf_append(&r->title, text, (size_t)n);
}

static void on_entity(void *ctx, const char *name, int is_parameter, const char *value, int n,
                      const char *base, const char *system, const char *public_id, const char *notation)
{
    (void)name, (void)is_parameter, (void)value, (void)n, (void)base, (void)system, (void)public_id,
        (void)notation;
    refuse(ctx, "entity declarations are refused");
}

/* ---- reading ---- */

static void xbel_close(struct reader *r)
{
    if (!r)
        return;
    if (r->parser)
        XML_ParserFree(r->parser);
    stamped_close(&r->file);
    buf_release(&r->href);
    buf_release(&r->names);
    buf_release(&r->title);
    buf_release(&r->path);
    free(r);
}

static bool parser_make(struct reader *r)
{
    r->parser = XML_ParserCreateNS(NULL, '|');
    if (!r->parser)
        return false;
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetEntityDeclHandler(r->parser, on_entity);
    return true;
}

static int xbel_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                     const struct observer_env *env, struct err *e)
{
    (void)fd, (void)env;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "opening '%s'", path);
    buf_init(&r->href, TAG_BYTES_MAX);
    buf_init(&r->names, APPS_MAX * LIMIT_NAME_BYTES);
    buf_init(&r->title, LIMIT_TEXT_BYTES);
    buf_init(&r->path, LIMIT_PATH_BYTES);
    int rc = stamped_open(&r->file, path, cursor, &r->unchanged, e);
    if (!rc && r->file.size == 0)
        rc = err_set(e, ERR_FORMAT, "'%s' is empty: not a list of recently used files", path);
    if (!rc && !parser_make(r))
        rc = err_set(e, ERR_NOMEM, "opening '%s'", path);
    if (rc) {
        xbel_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

static int parse_error(struct reader *r, struct err *e)
{
    enum XML_Error code = XML_GetErrorCode(r->parser);
    unsigned long line = XML_GetCurrentLineNumber(r->parser);
    if (r->refused)
        return err_set(e, ERR_FORMAT, "line %lu: %s", line, r->refused);
    if (code == XML_ERROR_NO_MEMORY)
        return err_set(e, ERR_NOMEM, "line %lu: out of memory", line);
    return err_set(e, ERR_FORMAT, "line %lu, column %lu: %s", line, XML_GetCurrentColumnNumber(r->parser),
                   XML_ErrorString(code));
}

/* Feeds the next chunk. */
static enum XML_Status feed(struct reader *r, int *rc, struct err *e)
{
    XML_Index index = XML_GetCurrentByteIndex(r->parser);
    if (r->fed > TAG_BYTES_MAX && (index < 0 || r->fed - (uint64_t)index > TAG_BYTES_MAX)) {
        *rc = err_set(e, ERR_LIMIT, "line %lu: a tag larger than 1 MB",
                      (unsigned long)XML_GetCurrentLineNumber(r->parser));
        return XML_STATUS_ERROR;
    }
    void *chunk = XML_GetBuffer(r->parser, CHUNK_BYTES);
    if (!chunk)
        return XML_STATUS_ERROR;
    ssize_t n;
    do {
        n = read(r->file.fd, chunk, CHUNK_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        *rc = err_errno(e, errno, "cannot read on at byte %llu", (unsigned long long)r->fed);
        return XML_STATUS_ERROR;
    }
    r->fed += (uint64_t)n;
    return XML_ParseBuffer(r->parser, (int)n, n == 0);
}

/* Parses to the end of the next bookmark: 1, at the end of the document: 0, or a negative error. */
static int advance(struct reader *r, struct err *e)
{
    while (!r->finished) {
        XML_ParsingStatus now;
        int rc = 0;
        XML_GetParsingStatus(r->parser, &now);
        enum XML_Status status = now.parsing == XML_SUSPENDED ? XML_ResumeParser(r->parser) : feed(r, &rc, e);
        if (r->ready) {
            r->ready = false;
            return 1;
        }
        if (status == XML_STATUS_ERROR)
            return rc ? rc : parse_error(r, e);
        XML_GetParsingStatus(r->parser, &now);
        r->finished = now.parsing == XML_FINISHED;
    }
    return 0;
}

/* ---- one bookmark ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "file:///a%20b" or "file://localhost/…" → path; false when it is no file of this machine. */
static bool file_path(struct bytes url, struct buf *out)
{
    buf_clear(out);
    if (!bytes_starts(url, BYTES_LIT("file://")))
        return false;
    struct bytes rest = bytes_slice(url, 7, url.n);
    if (bytes_starts(rest, BYTES_LIT("localhost/")))
        rest = bytes_slice(rest, 9, rest.n);
    if (rest.n == 0 || rest.p[0] != '/')
        return false;
    for (size_t i = 0; i < rest.n; i++) {
        int high = rest.p[i] == '%' && i + 2 < rest.n ? hex_digit(rest.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(rest.p[i + 2]) : -1;
        uint8_t c = low >= 0 ? (uint8_t)(high * 16 + low) : rest.p[i];
        i += low >= 0 ? 2 : 0;
        if (c == 0 || buf_put(out, c))
            return false;
    }
    return true;
}

/* The time of the n-th observation: of its program, else of the bookmark. */
static const char *time_of(const struct bookmark *m, size_t n, const char **field)
{
    *field = "application modified";
    if (n < m->n_apps && m->apps[n].time[0])
        return m->apps[n].time;
    *field = m->visited[0] ? "visited" : m->modified[0] ? "modified" : "added";
    return m->visited[0] ? m->visited : m->modified[0] ? m->modified : m->added;
}

static int bookmark_row(struct reader *r, size_t n, struct observation *o, struct bad_record *b)
{
    const struct bookmark *m = &r->mark;
    const char *field, *text = time_of(m, n, &field);
    int64_t ms;
    if (!text[0])
        return bad_row(b, m->line, "visited", "no time");
    int rc = rfc3339_parse(bytes_str(text), &ms, NULL);
    if (rc)
        return bad_row(b, m->line, field, rc == ERR_LIMIT ? "'%s' is out of range" : "'%s' is not a time",
                       text);
    struct bytes href = buf_view(&r->href);
    if (href.n == 0)
        return bad_row(b, m->line, "href", "no address");
    *o = (struct observation){
        .time_ms = ms,
        .end_ms = TIME_NONE,
        .offset_min = OFFSET_UNKNOWN,
        .source = BYTES_LIT("xbel"),
        .title = buf_view(&r->title),
    };
    if (n < m->n_apps)
        o->app = bytes_slice(buf_view(&r->names), m->apps[n].at, m->apps[n].n);
    if (file_path(href, &r->path)) {
        r->one_file = buf_view(&r->path);
        o->files = &r->one_file;
        o->n_files = 1;
    } else {
        o->url = bytes_slice(href, 0, LIMIT_OBSERVATION_BYTES);
    }
    return ROW_OBSERVATION;
}

static size_t rows_left(const struct bookmark *m)
{
    size_t rows = m->n_apps ? m->n_apps : 1;
    return rows - m->given;
}

static int xbel_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    if (r->unchanged)
        return ROW_DONE;
    if (r->mark.line == 0 || rows_left(&r->mark) == 0) {
        int rc = advance(r, e);
        if (rc <= 0)
            return rc;
    }
    size_t n = r->mark.given++;
    if (!r->mark.private)
        return bookmark_row(r, n, o, b);
    r->mark.given = r->mark.n_apps ? r->mark.n_apps : 1;
    return ROW_SKIPPED;
}

/* Before the end of the file there is no place to go on from: an empty cursor. */
static int xbel_cursor(struct reader *r, struct buf *out)
{
    return r->unchanged || r->finished ? stamped_cursor(&r->file, out) : 0;
}

static void xbel_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    *done = r->fed;
    *total = r->file.size;
}

static const char *const defaults[] = {".local/share/recently-used.xbel", NULL};

const struct observer observer_xbel = {
    .name = "xbel",
    .summary = "recently used files, as the desktop remembers them",
    .path_hint = "recently-used.xbel",
    .defaults = defaults,
    .open = xbel_open,
    .next = xbel_next,
    .cursor = xbel_cursor,
    .progress = xbel_progress,
    .close = xbel_close,
};
