/* ActivityWatch: windows, browser tabs and editor files with their durations.
 *
 * Reads three forms, told apart by their first bytes: the export of all or of one bucket (JSON, of any size:
 * see json_stream.h), and the servers' own databases (aw-server's peewee file, aw-server-rust's). Each holds
 * buckets of events {timestamp, duration, data}. From data, `app`, `title`, `url` and `file` become fields of
 * the observation, `project` its folder when it is a path, `incognito` marks a private window, everything
 * else is kept as data. Buckets of type afkstatus say only whether somebody was there, buckets named
 * …-synced-from-… belong to another device: both are skipped.
 *
 * The newest event of a bucket grows in place while its window stays open: same timestamp, longer duration.
 * So the record's id is bucket and timestamp and nothing else; an import that meets the event again, longer,
 * gives an observation with the same id and a later end_ms. Of the databases the last rows are read again for
 * the same reason.
 */
#include "base/limits.h"
#include "node/observe/bad.h"
#include "node/observe/dbrows.h"
#include "node/observe/json_stream.h"
#include "node/observe/stamped.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ID_BYTES_MAX (LIMIT_NAME_BYTES + 1 + RFC3339_TEXT)
/* Rows of the database that are read again: more than there are buckets that grow at one time. */
#define ROWS_AGAIN 64

enum place { AT_START, IN_TOP, IN_BUCKETS, IN_BUCKET, IN_EVENTS, AT_END };

/* Texts of data that have a field of their own. */
enum field { FIELD_APP, FIELD_TITLE, FIELD_URL, FIELD_FILE, FIELD_PROJECT, N_FIELDS };
static const char *const field_names[N_FIELDS] = {"app", "title", "url", "file", "project"};

struct event {
    int64_t time_ms, duration_ms;
    bool private_window;
    struct buf field[N_FIELDS];
    struct json_members rest;
    struct buf data, id;
    struct bytes file;
    const char *bad_field; /* NULL while it is good */
    char bad_reason[96];
};

struct reader {
    /* one of the two */
    struct stamped file;
    struct rows rows;
    bool is_db, unchanged, rust;

    struct json_stream json;
    enum place place, outer; /* outer: where a list of events lies */
    bool saw_events;
    uint64_t number; /* of the event in its bucket */
    struct buf bucket, type;
    struct event event;
};

/* ---- one event ---- */

static void event_init(struct event *v)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        buf_init(&v->field[i], LIMIT_OBSERVATION_BYTES);
    json_members_init(&v->rest, LIMIT_OBSERVATION_BYTES);
    buf_init(&v->data, LIMIT_OBSERVATION_BYTES);
    buf_init(&v->id, ID_BYTES_MAX);
}

static void event_release(struct event *v)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        buf_release(&v->field[i]);
    json_members_release(&v->rest);
    buf_release(&v->data);
    buf_release(&v->id);
}

static void event_clear(struct event *v)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        buf_clear(&v->field[i]);
    json_members_clear(&v->rest);
    buf_clear(&v->data);
    buf_clear(&v->id);
    v->time_ms = TIME_NONE;
    v->duration_ms = 0;
    v->private_window = false;
    v->bad_field = NULL;
}

/* The first thing that is wrong with an event is what is reported. */
static void event_bad(struct event *v, const char *field, const char *reason)
{
    if (v->bad_field)
        return;
    v->bad_field = field;
    (void)snprintf(v->bad_reason, sizeof v->bad_reason, "%s", reason);
}

static void take_time(struct event *v, struct bytes text)
{
    int rc = rfc3339_parse(text, &v->time_ms, NULL);
    if (rc)
        event_bad(v, "timestamp", rc == ERR_LIMIT ? "the year is out of range" : "not a time");
}

static void take_duration(struct event *v, int64_t ms)
{
    if (ms < 0 || ms > LIMIT_TIME_MS_MAX)
        event_bad(v, "duration", ms < 0 ? "negative" : "out of range");
    else
        v->duration_ms = ms;
}

static int field_of(struct bytes key)
{
    for (int i = 0; i < N_FIELDS; i++) {
        if (bytes_eq(key, bytes_str(field_names[i])))
            return i;
    }
    return -1;
}

/* Says nothing about the user. */
static bool is_noise(struct bytes key)
{
    return bytes_eq(key, BYTES_LIT("audible")) || bytes_eq(key, BYTES_LIT("tabCount")) ||
           bytes_eq(key, BYTES_LIT("tab_count"));
}

/* A member of data without a field: kept as data. */
static int take_rest(struct json_stream *s, struct event *v, struct bytes key, struct err *e)
{
    struct json_token t;
    struct err inner = ERR_INIT;
    int full = json_members_add(&v->rest, key);
    int rc = json_next(s, &t, e);
    if (rc)
        return rc;
    rc = full ? full : json_canonical(s, &t, &v->rest, &inner);
    if (s->err && e)
        *e = inner;
    else if (rc)
        event_bad(v, "data", rc == ERR_FORMAT ? "a member occurs twice" : "too large");
    return s->err;
}

static int take_field(struct json_stream *s, struct event *v, int field, struct err *e)
{
    struct json_token t;
    int rc = json_next(s, &t, e);
    if (rc)
        return rc;
    if (t.kind == JSON_STRING) {
        buf_clear(&v->field[field]);
        return buf_bytes(&v->field[field], t.text);
    }
    if (t.kind != JSON_NULL)
        event_bad(v, field_names[field], "not a text");
    return json_skip(s, &t, e);
}

static int take_flag(struct json_stream *s, struct event *v, struct err *e)
{
    struct json_token t;
    int rc = json_next(s, &t, e);
    if (rc)
        return rc;
    v->private_window = t.kind == JSON_TRUE;
    if (t.kind != JSON_TRUE && t.kind != JSON_FALSE && t.kind != JSON_NULL)
        event_bad(v, "incognito", "neither true nor false");
    return json_skip(s, &t, e);
}

static int skip_next(struct json_stream *s, struct err *e)
{
    struct json_token t;
    int rc = json_next(s, &t, e);
    return rc ? rc : json_skip(s, &t, e);
}

/* The members of data, behind its '{'. */
static int read_data(struct json_stream *s, struct event *v, struct err *e)
{
    unsigned depth = s->depth;
    for (;;) {
        struct json_token t;
        int rc = json_next(s, &t, e);
        if (rc || t.kind == JSON_OBJECT_END)
            return rc;
        int field = field_of(t.text);
        if (field >= 0)
            rc = take_field(s, v, field, e);
        else if (bytes_eq(t.text, BYTES_LIT("incognito")))
            rc = take_flag(s, v, e);
        else if (is_noise(t.text))
            rc = skip_next(s, e);
        else
            rc = take_rest(s, v, t.text, e);
        if (!rc)
            rc = json_leave(s, depth, e);
        if (rc)
            return rc;
    }
}

/* One member of an event, its key given. */
static int event_member(struct json_stream *s, struct event *v, struct bytes key, struct err *e)
{
    enum {
        OTHER,
        TIMESTAMP,
        DURATION,
        DATA
    } which = bytes_eq(key, BYTES_LIT("timestamp"))  ? TIMESTAMP
              : bytes_eq(key, BYTES_LIT("duration")) ? DURATION
              : bytes_eq(key, BYTES_LIT("data"))     ? DATA
                                                     : OTHER;
    struct json_token t;
    int64_t ms;
    int rc = json_next(s, &t, e);
    if (rc)
        return rc;
    if (which == TIMESTAMP && t.kind == JSON_STRING)
        take_time(v, t.text);
    else if (which == TIMESTAMP)
        event_bad(v, "timestamp", "not a text");
    else if (which == DURATION && t.kind == JSON_NUMBER)
        take_duration(v, json_number_milli(t.text, &ms) ? INT64_MAX : ms);
    else if (which == DURATION && t.kind != JSON_NULL)
        event_bad(v, "duration", "not a number");
    else if (which == DATA && t.kind == JSON_OBJECT)
        return read_data(s, v, e);
    else if (which == DATA && t.kind != JSON_NULL)
        event_bad(v, "data", "not an object");
    return json_skip(s, &t, e);
}

/* An event, behind its '{'. */
static int read_event(struct json_stream *s, struct event *v, struct err *e)
{
    event_clear(v);
    for (;;) {
        struct json_token t;
        int rc = json_next(s, &t, e);
        if (rc || t.kind == JSON_OBJECT_END)
            return rc;
        rc = event_member(s, v, t.text, e);
        if (rc)
            return rc;
    }
}

/* ---- from an event to an observation ---- */

static bool bucket_is_skipped(struct bytes bucket, struct bytes type)
{
    return bytes_find(bucket, BYTES_LIT("-synced-from-")) != SIZE_MAX ||
           bytes_eq(type, BYTES_LIT("afkstatus")) || bytes_starts(bucket, BYTES_LIT("aw-watcher-afk"));
}

/* "aw-watcher-web-firefox_laptop" → "firefox": the program, where the event does not name it. */
static struct bytes bucket_app(struct bytes bucket)
{
    static const char *const prefixes[] = {"aw-watcher-", "web-"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes prefix = bytes_str(prefixes[i]);
        if (!bytes_starts(bucket, prefix))
            return BYTES_NONE;
        bucket = bytes_slice(bucket, prefix.n, bucket.n);
        if (i == 0 && !bytes_starts(bucket, bytes_str(prefixes[1])))
            break;
    }
    size_t end = bytes_find(bucket, BYTES_LIT("_"));
    return bytes_slice(bucket, 0, end == SIZE_MAX ? bucket.n : end);
}

static int put_id(struct event *v, struct bytes bucket)
{
    char text[RFC3339_TEXT + 1];
    rfc3339_print(v->time_ms, text);
    (void)buf_bytes(&v->id, bytes_slice(bucket, 0, LIMIT_NAME_BYTES));
    (void)buf_put(&v->id, ' ');
    return buf_str(&v->id, text);
}

static void fill(struct event *v, struct bytes bucket, struct observation *o)
{
    struct bytes project = buf_view(&v->field[FIELD_PROJECT]);
    int64_t end_ms = v->time_ms + v->duration_ms;
    *o = (struct observation){
        .time_ms = v->time_ms,
        .end_ms = v->duration_ms > 0 && end_ms <= LIMIT_TIME_MS_MAX ? end_ms : TIME_NONE,
        .offset_min = OFFSET_UNKNOWN, /* its times are always in UTC */
        .private_window = v->private_window,
        .source = BYTES_LIT("activitywatch"),
        .app = buf_view(&v->field[FIELD_APP]),
        .title = buf_view(&v->field[FIELD_TITLE]),
        .url = buf_view(&v->field[FIELD_URL]),
        .cwd = bytes_starts(project, BYTES_LIT("/")) ? project : BYTES_NONE,
        .id = buf_view(&v->id),
        .data = buf_view(&v->data),
    };
    if (o->app.n == 0)
        o->app = bucket_app(bucket);
    v->file = buf_view(&v->field[FIELD_FILE]);
    if (v->file.n > 0) {
        o->files = &v->file;
        o->n_files = 1;
    }
}

/* The row that an event makes: ROW_OBSERVATION or ROW_BAD, or an error. */
static int event_row(struct event *v, struct bytes bucket, struct observation *o, struct err *e)
{
    if (!v->bad_field && v->time_ms == TIME_NONE)
        event_bad(v, "timestamp", "no time");
    struct bytes project = buf_view(&v->field[FIELD_PROJECT]);
    if (!v->bad_field && project.n > 0) {
        int rc = json_members_add(&v->rest, bytes_str("project"));
        if (rc || json_put_string(&v->rest.text, project))
            event_bad(v, "data", "too large");
    }
    if (!v->bad_field) {
        int rc = json_members_end(&v->rest, &v->data);
        if (rc == ERR_NOMEM || put_id(v, bucket) == ERR_NOMEM)
            return err_set(e, ERR_NOMEM, "out of memory");
        if (rc)
            event_bad(v, "data", rc == ERR_FORMAT ? "a member occurs twice" : "too large");
    }
    if (v->bad_field)
        return ROW_BAD;
    fill(v, bucket, o);
    return ROW_OBSERVATION;
}

/* ---- the export ---- */

/* An element of a list of events, whose first token is given. */
static int json_event(struct reader *r, const struct json_token *first, struct observation *o,
                      struct bad_record *b, struct err *e)
{
    struct bytes bucket = buf_view(&r->bucket);
    r->number++;
    if (bucket_is_skipped(bucket, buf_view(&r->type))) {
        int rc = json_skip(&r->json, first, e);
        return rc ? rc : ROW_SKIPPED;
    }
    uint64_t line = r->json.line;
    int rc;
    if (first->kind == JSON_OBJECT) {
        rc = read_event(&r->json, &r->event, e);
    } else {
        event_clear(&r->event);
        event_bad(&r->event, "events", "not an object");
        rc = json_skip(&r->json, first, e);
    }
    if (!rc)
        rc = event_row(&r->event, bucket, o, e);
    if (rc == ROW_BAD)
        return bad_row(b, line, r->event.bad_field, "event %llu of '%.60s': %s",
                       (unsigned long long)r->number, buf_cstr(&r->bucket), r->event.bad_reason);
    return rc;
}

static void keep_name(struct buf *out, struct bytes text)
{
    buf_clear(out);
    (void)buf_bytes(out, bytes_slice(text, 0, LIMIT_NAME_BYTES));
}

static int not_export(struct err *e)
{
    return err_set(e, ERR_FORMAT, "not an activitywatch export");
}

/* A member of the document or of a bucket, its key given. */
static int bucket_member(struct reader *r, struct bytes key, struct err *e)
{
    struct json_token t;
    bool buckets = r->place == IN_TOP && bytes_eq(key, BYTES_LIT("buckets"));
    bool events = bytes_eq(key, BYTES_LIT("events"));
    struct buf *name = bytes_eq(key, BYTES_LIT("id"))     ? &r->bucket
                       : bytes_eq(key, BYTES_LIT("type")) ? &r->type
                                                          : NULL;
    int rc = json_next(&r->json, &t, e);
    if (rc)
        return rc;
    if (buckets && (t.kind == JSON_OBJECT || t.kind == JSON_ARRAY)) {
        r->place = IN_BUCKETS;
        r->saw_events = true;
        return 0;
    }
    if (events && t.kind == JSON_ARRAY) {
        r->outer = r->place;
        r->place = IN_EVENTS;
        r->saw_events = true;
        r->number = 0;
        return 0;
    }
    if (name && t.kind == JSON_STRING)
        keep_name(name, t.text);
    return json_skip(&r->json, &t, e);
}

/* A bucket in the list of buckets: by name, or (as the schema says) as an element. */
static int bucket_begin(struct reader *r, const struct json_token *first, struct err *e)
{
    struct json_token t = *first;
    keep_name(&r->bucket, BYTES_NONE);
    keep_name(&r->type, BYTES_NONE);
    if (t.kind == JSON_KEY) {
        keep_name(&r->bucket, t.text);
        int rc = json_next(&r->json, &t, e);
        if (rc)
            return rc;
    }
    if (t.kind == JSON_OBJECT)
        r->place = IN_BUCKET;
    return t.kind == JSON_OBJECT ? 0 : not_export(e);
}

static int document_begin(struct reader *r, const struct json_token *t, struct err *e)
{
    if (t->kind == JSON_OBJECT)
        r->place = IN_TOP;
    else if (t->kind == JSON_ARRAY) /* the answer of /api/0/buckets/ID/events */
        r->place = IN_EVENTS;
    else
        return not_export(e);
    r->outer = AT_END;
    r->saw_events = r->place == IN_EVENTS;
    return 0;
}

/* Takes one token outside of events: 0, or an error. */
static int json_walk(struct reader *r, const struct json_token *t, struct err *e)
{
    bool closed = t->kind == JSON_OBJECT_END || t->kind == JSON_ARRAY_END;
    switch (r->place) {
    case AT_START:
        return document_begin(r, t, e);
    case IN_TOP:
        if (!closed)
            return bucket_member(r, t->text, e);
        r->place = AT_END;
        return 0;
    case IN_BUCKETS:
        if (!closed)
            return bucket_begin(r, t, e);
        r->place = IN_TOP;
        return 0;
    case IN_BUCKET:
        if (!closed)
            return bucket_member(r, t->text, e);
        r->place = IN_BUCKETS;
        return 0;
    case IN_EVENTS:
        r->place = r->outer; /* closed: json_rows takes the elements */
        return 0;
    case AT_END:
        break;
    }
    return 0;
}

static int json_rows(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    for (;;) {
        struct json_token t;
        int rc = json_next(&r->json, &t, e);
        if (rc)
            return rc;
        if (r->place == AT_END)
            return r->saw_events ? ROW_DONE
                                 : err_set(e, ERR_FORMAT, "no buckets: not an activitywatch export");
        if (r->place == IN_EVENTS && t.kind != JSON_ARRAY_END)
            return json_event(r, &t, o, b, e);
        rc = json_walk(r, &t, e);
        if (rc)
            return rc;
    }
}

/* ---- the databases ---- */

enum column { COL_ROW, COL_MARK, COL_BUCKET, COL_TYPE, COL_TIME, COL_DURATION, COL_DATA };

/* 2026-11-20 09:00:00… as the number 20261120090000 */
#define PEEWEE_MARK                                                                                          \
    "CAST(substr(timestamp, 1, 4) || substr(timestamp, 6, 2) || substr(timestamp, 9, 2) || "                 \
    "substr(timestamp, 12, 2) "                                                                              \
    "|| substr(timestamp, 15, 2) || substr(timestamp, 18, 2) AS INTEGER)"

static const char peewee_sql[] =
    "SELECT e.id, " PEEWEE_MARK
    ", b.id, b.type, e.timestamp, CAST(e.duration * 1000 + 0.001 AS INTEGER), e.datastr "
    "FROM eventmodel e LEFT JOIN bucketmodel b ON b.key = e.bucket_id WHERE e.id > ?1 ORDER BY e.id";
static const char rust_sql[] =
    "SELECT e.id, e.starttime, b.name, b.type, e.starttime / 1000000, (e.endtime - e.starttime) / 1000000, "
    "e.data "
    "FROM events e LEFT JOIN buckets b ON b.id = e.bucketrow WHERE e.id > ?1 ORDER BY e.id";

static const char *const peewee_needs[] = {"eventmodel",  "timestamp", "eventmodel", "datastr",
                                           "bucketmodel", "id",        NULL};
static const char *const rust_needs[] = {"events", "starttime", "events", "endtime", "events",
                                         "data",   "buckets",   "name",   NULL};
static const struct rows_plan peewee_plan = {
    .what = "an activitywatch database",
    .needs = peewee_needs,
    .mark_sql = "SELECT " PEEWEE_MARK " FROM eventmodel WHERE id = ?1",
    .max_sql = "SELECT max(id) FROM eventmodel",
    .again = ROWS_AGAIN,
};
static const struct rows_plan rust_plan = {
    .what = "an activitywatch database",
    .needs = rust_needs,
    .mark_sql = "SELECT starttime FROM events WHERE id = ?1",
    .max_sql = "SELECT max(id) FROM events",
    .again = ROWS_AGAIN,
};

static int db_open(struct reader *r, const char *path, struct bytes cursor, const struct observer_env *env,
                   struct err *e)
{
    r->is_db = true;
    int rc = rows_open(&r->rows, path, &peewee_plan, env, e);
    if (rc == ERR_FORMAT && r->rows.db && foreign_has(r->rows.db, "events", "starttime")) {
        rows_close(&r->rows);
        r->rust = true;
        rc = rows_open(&r->rows, path, &rust_plan, env, e);
        if (!rc && e)
            *e = ERR_INIT;
    }
    return rc ? rc : rows_start(&r->rows, r->rust ? rust_sql : peewee_sql, cursor, e);
}

/* The event of the current row. */
static int db_event(struct reader *r, struct err *e)
{
    struct foreign *db = r->rows.db;
    struct event *v = &r->event;
    struct json_stream s;
    struct json_token t;
    event_clear(v);
    json_init_bytes(&s, foreign_text(db, COL_DATA));
    int rc = json_next(&s, &t, e);
    if (!rc && t.kind == JSON_OBJECT)
        rc = read_data(&s, v, e);
    else if (!rc)
        event_bad(v, "data", "not an object");
    if (rc && rc != ERR_NOMEM) {
        event_bad(v, "data", e && e->text[0] ? e->text : "malformed");
        rc = 0;
    }
    json_release(&s);
    if (r->rust)
        v->time_ms = foreign_int(db, COL_TIME);
    else
        take_time(v, foreign_text(db, COL_TIME));
    if (r->rust && (v->time_ms < 0 || v->time_ms > LIMIT_TIME_MS_MAX))
        event_bad(v, "starttime", "the year is out of range");
    take_duration(v, foreign_int(db, COL_DURATION));
    return rc;
}

static int db_rows(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    int rc = rows_step(&r->rows, e);
    if (rc <= 0)
        return rc;
    struct foreign *db = r->rows.db;
    struct bytes bucket = foreign_text(db, COL_BUCKET);
    if (foreign_is_null(db, COL_BUCKET))
        return bad_row(b, (uint64_t)r->rows.last, "bucket", "event of a bucket that is not there");
    if (bucket_is_skipped(bucket, foreign_text(db, COL_TYPE)))
        return ROW_SKIPPED;
    struct err inner = ERR_INIT;
    rc = db_event(r, &inner);
    if (!rc)
        rc = event_row(&r->event, bucket, o, &inner);
    if (rc < 0)
        return err_set(e, rc, "%s", inner.text);
    if (rc == ROW_BAD)
        return bad_row(b, (uint64_t)r->rows.last, r->event.bad_field, "%s", r->event.bad_reason);
    return rc;
}

/* ---- the observer ---- */

static void aw_close(struct reader *r)
{
    if (!r)
        return;
    stamped_close(&r->file);
    rows_close(&r->rows);
    json_release(&r->json);
    buf_release(&r->bucket);
    buf_release(&r->type);
    event_release(&r->event);
    free(r);
}

/* Looks at the first bytes of the file. */
static int aw_start(struct reader *r, const char *path, struct bytes cursor, const struct observer_env *env,
                    struct err *e)
{
    char head[512];
    int rc = stamped_open(&r->file, path, cursor, &r->unchanged, e);
    if (rc)
        return rc;
    ssize_t n = pread(r->file.fd, head, sizeof head, 0);
    struct bytes start = bytes_of(head, n > 0 ? (size_t)n : 0);
    if (bytes_starts(start, BYTES_LIT("SQLite format 3")))
        return db_open(r, path, cursor, env, e);
    bool bom = bytes_starts(start, BYTES_LIT("\xef\xbb\xbf"));
    struct bytes text = bytes_trim(bytes_slice(start, bom ? 3 : 0, start.n));
    if (text.n == 0 || (text.p[0] != '{' && text.p[0] != '['))
        return err_set(e, ERR_FORMAT, "'%s' is %s: not an activitywatch export", path,
                       start.n ? "no JSON document" : "empty");
    if (lseek(r->file.fd, bom ? 3 : 0, SEEK_SET) < 0)
        return err_set(e, ERR_IO, "cannot read '%s'", path);
    return json_init_fd(&r->json, r->file.fd) ? err_set(e, ERR_NOMEM, "opening '%s'", path) : 0;
}

static int aw_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                   const struct observer_env *env, struct err *e)
{
    (void)fd;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "opening '%s'", path);
    r->file.fd = -1;
    buf_init(&r->bucket, LIMIT_NAME_BYTES + 1);
    buf_init(&r->type, LIMIT_NAME_BYTES + 1);
    event_init(&r->event);
    int rc = aw_start(r, path, cursor, env, e);
    if (rc) {
        aw_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

static int aw_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    if (r->is_db)
        return db_rows(r, o, b, e);
    return r->unchanged ? ROW_DONE : json_rows(r, o, b, e);
}

/* Of an export that was not read to its end there is no place to go on from: an empty cursor. */
static int aw_cursor(struct reader *r, struct buf *out)
{
    if (r->is_db)
        return rows_cursor(&r->rows, out);
    return r->unchanged || (r->place == AT_END && !r->json.err) ? stamped_cursor(&r->file, out) : 0;
}

static void aw_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    if (r->is_db) {
        rows_progress(&r->rows, done, total);
        return;
    }
    *done = json_offset(&r->json);
    *total = r->file.size;
}

static const char *const defaults[] = {
    ".local/share/activitywatch/aw-server/peewee-sqlite.v2.db",
    ".local/share/activitywatch/aw-server-rust/sqlite.db",
    NULL,
};

const struct observer observer_activitywatch = {
    .name = "activitywatch",
    .summary = "windows, tabs and editor files recorded by ActivityWatch",
    .path_hint = "export (JSON) or database of the server",
    .defaults = defaults,
    .open = aw_open,
    .next = aw_next,
    .cursor = aw_cursor,
    .progress = aw_progress,
    .close = aw_close,
};
