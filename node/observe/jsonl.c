/* Our own JSON lines: one observation a line, from a file or from stdin.
 *
 *   {"time","end","source","app","title","text","url","command","cwd","files","id","origin", …}
 *
 * time and source are required. Texts are strings, files is a list of strings, times are RFC 3339. A written
 * offset is the user's clock; 'Z' leaves it unknown. "origin":"model" marks text that the model itself
 * produced. All other members are kept as canonical JSON in `data`. What is wrong with a line is reported
 * with the member's name and costs that line only: a missing or impossible time, a member of the wrong type,
 * a member that occurs twice, malformed or too deep JSON. A member that is null counts as absent. Texts
 * longer than LIMIT_OBSERVATION_BYTES are cut, further files are left out.
 *
 * Records of sources that several devices see (git, mail, calendars, notifications) are shared events.
 */
#include "base/limits.h"
#include "node/observe/bad.h"
#include "node/observe/json_stream.h"
#include "node/observe/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_BYTES_MAX 64
/* Text of all files together. */
#define FILES_BYTES_MAX (LIMIT_OBSERVATION_FILES * LIMIT_PATH_BYTES)

/* Members that are a text, in the order of `keys`. */
enum text {
    TEXT_SOURCE,
    TEXT_APP,
    TEXT_TITLE,
    TEXT_TEXT,
    TEXT_URL,
    TEXT_COMMAND,
    TEXT_CWD,
    TEXT_ID,
    N_TEXTS
};
enum key { KEY_TIME = N_TEXTS, KEY_END, KEY_FILES, KEY_ORIGIN, N_KEYS };
static const char *const keys[N_KEYS] = {"source", "app", "title", "text", "url",   "command",
                                         "cwd",    "id",  "time",  "end",  "files", "origin"};

struct reader {
    struct lines lines;
    struct line_mark mark; /* behind the last complete line */
    /* the line that is being read */
    struct json_stream json;
    unsigned seen; /* bits of enum key */
    int64_t time_ms, end_ms;
    int16_t offset_min;
    bool from_model;
    struct buf text[N_TEXTS];
    struct buf file_text, data;
    size_t n_files;
    size_t file_end[LIMIT_OBSERVATION_FILES];
    struct bytes files[LIMIT_OBSERVATION_FILES];
    struct json_members rest;
    struct err err; /* what is wrong with it */
};

static void jsonl_close(struct reader *r)
{
    if (!r)
        return;
    lines_close(&r->lines);
    for (size_t i = 0; i < N_TEXTS; i++)
        buf_release(&r->text[i]);
    buf_release(&r->file_text);
    buf_release(&r->data);
    json_members_release(&r->rest);
    free(r);
}

static int jsonl_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                      const struct observer_env *env, struct err *e)
{
    (void)env;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "opening '%s'", path);
    for (size_t i = 0; i < N_TEXTS; i++)
        buf_init(&r->text[i], LIMIT_OBSERVATION_BYTES);
    buf_init(&r->file_text, FILES_BYTES_MAX);
    buf_init(&r->data, LIMIT_OBSERVATION_BYTES);
    json_members_init(&r->rest, LIMIT_OBSERVATION_BYTES);
    int rc = lines_open(&r->lines, path, fd, false, e);
    if (!rc && lines_cursor_fits(&r->lines, cursor, &r->mark))
        rc = lines_seek(&r->lines, &r->mark, e);
    else
        r->mark = (struct line_mark){0};
    if (rc) {
        jsonl_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

/* ---- one line ---- */

static void line_begin(struct reader *r)
{
    for (size_t i = 0; i < N_TEXTS; i++)
        buf_clear(&r->text[i]);
    buf_clear(&r->file_text);
    buf_clear(&r->data);
    json_members_clear(&r->rest);
    r->seen = 0;
    r->n_files = 0;
    r->time_ms = r->end_ms = TIME_NONE;
    r->offset_min = OFFSET_UNKNOWN;
    r->from_model = false;
    r->err = ERR_INIT;
}

static int key_of(struct bytes name)
{
    for (int i = 0; i < N_KEYS; i++) {
        if (bytes_eq(name, bytes_str(keys[i])))
            return i;
    }
    return -1;
}

static int take_time(struct reader *r, const struct json_token *t, int64_t *ms, int16_t *offset_min)
{
    int offset;
    if (t->kind != JSON_STRING)
        return err_set(&r->err, ERR_FORMAT, "not a text");
    int rc = rfc3339_parse(t->text, ms, &offset);
    if (rc)
        return err_set(&r->err, rc,
                       rc == ERR_LIMIT ? "the year is out of range"
                                       : "not a time of the form "
                                         "2026-11-24T13:22:31+01:00");
    struct bytes last = bytes_slice(t->text, t->text.n - 1, 1);
    bool written = t->text.n > 10 && !bytes_ieq(last, BYTES_LIT("z"));
    *offset_min = written ? (int16_t)offset : OFFSET_UNKNOWN;
    return 0;
}

static int take_files(struct reader *r, const struct json_token *first)
{
    struct json_token t = *first;
    if (t.kind != JSON_ARRAY)
        return err_set(&r->err, ERR_FORMAT, "not a list of texts");
    for (;;) {
        int rc = json_next(&r->json, &t, &r->err);
        if (rc || t.kind == JSON_ARRAY_END)
            return rc;
        if (t.kind != JSON_STRING)
            return err_set(&r->err, ERR_FORMAT, "not a list of texts");
        if (r->n_files >= LIMIT_OBSERVATION_FILES)
            continue;
        rc = buf_bytes(&r->file_text, bytes_slice(t.text, 0, LIMIT_PATH_BYTES));
        if (rc)
            return err_set(&r->err, rc, "out of memory");
        r->file_end[r->n_files++] = r->file_text.n;
    }
}

static int take_origin(struct reader *r, const struct json_token *t)
{
    r->from_model = bytes_eq(t->text, BYTES_LIT("model"));
    if (t->kind == JSON_STRING && (r->from_model || bytes_eq(t->text, BYTES_LIT("user"))))
        return 0;
    return err_set(&r->err, ERR_FORMAT, "neither 'model' nor 'user'");
}

/* The value of a member that has a meaning. */
static int take_value(struct reader *r, int key, const struct json_token *t)
{
    int16_t unused;
    if (t->kind == JSON_NULL)
        return 0;
    switch ((enum key)key) {
    case KEY_TIME:
        return take_time(r, t, &r->time_ms, &r->offset_min);
    case KEY_END:
        return take_time(r, t, &r->end_ms, &unused);
    case KEY_FILES:
        return take_files(r, t);
    case KEY_ORIGIN:
        return take_origin(r, t);
    case N_KEYS:
        break;
    }
    if (t->kind != JSON_STRING)
        return err_set(&r->err, ERR_FORMAT, "not a text");
    int rc = buf_bytes(&r->text[key], t->text);
    return rc ? err_set(&r->err, rc, "out of memory") : 0;
}

/* A member, its name given; on failure *field says which. */
static int take_member(struct reader *r, struct bytes name, char field[64])
{
    struct json_token t;
    int key = key_of(name);
    (void)snprintf(field, 64, "%.*s", (int)(name.n < 63 ? name.n : 63), (const char *)name.p);
    if (key >= 0 && (r->seen & 1u << key))
        return err_set(&r->err, ERR_FORMAT, "occurs twice");
    if (key >= 0)
        r->seen |= 1u << key;
    int rc = key < 0 ? json_members_add(&r->rest, name) : 0;
    if (rc)
        return err_set(&r->err, rc, "too large");
    rc = json_next(&r->json, &t, &r->err);
    if (rc) {
        field[0] = '\0'; /* malformed JSON, not this member */
        return rc;
    }
    return key < 0 ? json_canonical(&r->json, &t, &r->rest, &r->err) : take_value(r, key, &t);
}

static int read_object(struct reader *r, char field[64])
{
    struct json_token t;
    int rc = json_next(&r->json, &t, &r->err);
    if (!rc && t.kind != JSON_OBJECT)
        return err_set(&r->err, ERR_FORMAT, "not a JSON object");
    while (!rc) {
        field[0] = '\0';
        rc = json_next(&r->json, &t, &r->err);
        if (!rc && t.kind == JSON_OBJECT_END)
            return json_next(&r->json, &t, &r->err); /* nothing may follow */
        if (!rc)
            rc = take_member(r, t.text, field);
    }
    return rc;
}

static bool source_valid(struct bytes s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", s.p[i]))
            return false;
    }
    return s.n > 0 && s.n <= SOURCE_BYTES_MAX;
}

/* What must hold between the members; returns 0, or an error with the field. */
static int check(struct reader *r, char field[64])
{
    struct bytes source = buf_view(&r->text[TEXT_SOURCE]);
    const char *at = "", *why = NULL;
    if (r->time_ms == TIME_NONE) {
        at = "time";
        why = "missing";
    } else if (source.n == 0) {
        at = "source";
        why = "missing";
    } else if (!source_valid(source)) {
        at = "source";
        why = "not 1 to 64 of a-z 0-9 . _ -";
    } else if (r->end_ms != TIME_NONE && r->end_ms < r->time_ms) {
        at = "end";
        why = "before time";
    }
    (void)snprintf(field, 64, "%s", at);
    if (why)
        return err_set(&r->err, ERR_FORMAT, "%s", why);
    int rc = json_members_end(&r->rest, &r->data);
    return rc ? err_set(&r->err, rc, rc == ERR_FORMAT ? "a member occurs twice" : "too large") : 0;
}

static bool source_is_shared(struct bytes source)
{
    static const char *const shared[] = {"git", "mail", "calendar", "ical", "notification"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        if (bytes_eq(source, bytes_str(shared[i])))
            return true;
    }
    return false;
}

static void fill(struct reader *r, struct observation *o)
{
    size_t from = 0;
    for (size_t i = 0; i < r->n_files; i++) {
        r->files[i] = bytes_slice(buf_view(&r->file_text), from, r->file_end[i] - from);
        from = r->file_end[i];
    }
    *o = (struct observation){
        .time_ms = r->time_ms,
        .end_ms = r->end_ms,
        .offset_min = r->offset_min,
        .from_model = r->from_model,
        .source = buf_view(&r->text[TEXT_SOURCE]),
        .app = buf_view(&r->text[TEXT_APP]),
        .title = buf_view(&r->text[TEXT_TITLE]),
        .text = buf_view(&r->text[TEXT_TEXT]),
        .url = buf_view(&r->text[TEXT_URL]),
        .command = buf_view(&r->text[TEXT_COMMAND]),
        .cwd = buf_view(&r->text[TEXT_CWD]),
        .id = buf_view(&r->text[TEXT_ID]),
        .data = buf_view(&r->data),
        .files = r->files,
        .n_files = r->n_files,
    };
    o->shared_event = source_is_shared(o->source);
}

static int line_row(struct reader *r, const struct line *l, struct observation *o, struct bad_record *b,
                    struct err *e)
{
    char field[64] = "";
    line_begin(r);
    json_init_bytes(&r->json, l->text);
    r->json.line = l->no;
    int rc = read_object(r, field);
    if (!rc)
        rc = check(r, field);
    json_release(&r->json);
    if (rc == ERR_NOMEM)
        return err_set(e, rc, "line %llu: out of memory", (unsigned long long)l->no);
    if (rc)
        return bad_row(b, l->no, field, "%s", r->err.text);
    fill(r, o);
    return ROW_OBSERVATION;
}

static int jsonl_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    struct line l;
    int kind;
    while ((kind = lines_next(&r->lines, &l, e)) > LINE_END) {
        if (l.ended)
            r->mark = lines_here(&r->lines);
        if (kind == LINE_LONG)
            return bad_row(b, l.no, "", "the line is longer than 4 MB");
        if (bytes_trim(l.text).n > 0)
            return line_row(r, &l, o, b, e);
    }
    return kind;
}

static int jsonl_cursor(struct reader *r, struct buf *out)
{
    return lines_cursor_put(&r->lines, &r->mark, out);
}

static void jsonl_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    lines_progress(&r->lines, done, total);
}

const struct observer observer_jsonl = {
    .name = "jsonl",
    .summary = "observations as JSON lines, from a file or stdin",
    .path_hint = "file, or - for stdin",
    .reads_stdin = true,
    .open = jsonl_open,
    .next = jsonl_next,
    .cursor = jsonl_cursor,
    .progress = jsonl_progress,
    .close = jsonl_close,
};
