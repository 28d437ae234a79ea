/* Observations: added once by event key, read in order of time, erased with all that was derived from them.
 */
#include "store/local_int.h"
#include "store/search_int.h"

#include <string.h>

/* Rows erased in one go: bounds memory, not the transaction. */
#define ERASE_BATCH 256

static int64_t or_zero(int64_t ms)
{
    return ms == TIME_NONE ? 0 : ms;
}

static void bind_time(struct stmt *q, int i, int64_t ms)
{
    if (ms == TIME_NONE)
        db_bind_null(q, i);
    else
        db_bind_int(q, i, ms);
}

static int64_t read_time(struct stmt *q, int column)
{
    return db_is_null(q, column) ? TIME_NONE : db_int(q, column);
}

/* Runs a query of one integer; *out = 0 and *found = false without a row. Ends the statement. */
static int one_int(struct stmt *q, int64_t *out, bool *found, struct err *e)
{
    int rc = db_step(q, e);
    *found = rc == 1;
    *out = rc == 1 ? db_int(q, 0) : 0;
    db_done(q);
    return rc < 0 ? rc : 0;
}

static int source_find(struct store *s, struct bytes name, int64_t *source, bool *found, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT source FROM source WHERE name=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_text(q, 1, name);
    return one_int(q, source, found, e);
}

static int source_insert(struct store *s, struct bytes name, int64_t *source, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "INSERT INTO source(name) VALUES(?1)", &q, e);
    if (rc != 0)
        return rc;
    db_bind_text(q, 1, name);
    rc = db_run(q, e);
    *source = sqlite3_last_insert_rowid(s->db);
    return rc;
}

static int source_make(struct store *s, struct bytes name, int64_t *source, struct err *e)
{
    struct map_slot *known = local_cached(s, CACHE_SOURCE, name);
    *source = known != NULL ? (int64_t)known->v.num : 0;
    if (*source != 0)
        return 0;
    bool found = false;
    int rc = source_find(s, name, source, &found, e);
    if (rc == 0 && !found)
        rc = source_insert(s, name, source, e);
    if (rc == 0 && known != NULL)
        known->v.num = (uint64_t)*source;
    return rc;
}

/* ---- adding */

static void bind_observation(struct stmt *q, const struct stored_observation *o, int64_t source)
{
    db_bind_blob(q, 1, bytes_of(o->key, sizeof o->key));
    db_bind_int(q, 2, o->time_ms);
    bind_time(q, 3, o->end_ms);
    db_bind_int(q, 4, or_zero(o->added_ms));
    db_bind_int(q, 5, o->offset_min);
    db_bind_int(q, 6, o->shared_event);
    db_bind_int(q, 7, o->untimed);
    db_bind_int(q, 8, source);
    const struct bytes texts[] = {o->app, o->title, o->text,   o->url, o->command,
                                  o->cwd, o->files, o->ext_id, o->data};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        db_bind_text(q, 9 + (int)i, texts[i]);
}

/* *row = 0 when the key was there. */
static int observation_insert(struct store *s, const struct stored_observation *o, int64_t *row,
                              struct err *e)
{
    int64_t source = 0;
    struct stmt *q = NULL;
    int rc = source_make(s, o->source, &source, e);
    if (rc == 0)
        rc = db_prepare(
            s,
            "INSERT INTO observation(key,time_ms,end_ms,added_ms,offset_min,shared_event,untimed,source,"
            "app,title,text,url,command,cwd,files,ext_id,data)"
            "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"
            "ON CONFLICT(key) DO NOTHING",
            &q, e);
    if (rc != 0)
        return rc;
    bind_observation(q, o, source);
    rc = db_run(q, e);
    *row = rc == 0 && sqlite3_changes(s->db) == 1 ? sqlite3_last_insert_rowid(s->db) : 0;
    return rc;
}

/* The event is known: takes over a later end, gives its row. */
static int observation_grow(struct store *s, const struct stored_observation *o, int64_t *row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT row,end_ms FROM observation WHERE key=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_blob(q, 1, bytes_of(o->key, sizeof o->key));
    rc = db_step(q, e);
    *row = rc == 1 ? db_int(q, 0) : 0;
    int64_t end_ms = rc == 1 ? read_time(q, 1) : TIME_NONE;
    db_done(q);
    if (rc < 0 || o->end_ms == TIME_NONE || o->end_ms <= end_ms)
        return rc < 0 ? rc : 0;
    rc = db_prepare(s, "UPDATE observation SET end_ms=?2 WHERE row=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, *row);
    db_bind_int(q, 2, o->end_ms);
    return db_run(q, e);
}

int local_observation_add(struct store *s, const struct stored_observation *o, int64_t *row, bool *fresh,
                          struct err *e)
{
    *row = 0;
    *fresh = false;
    bool own = false, blocked = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = store_blocked(s, o->key, o->source, o->time_ms, &blocked, e);
    if (rc == 0 && !blocked) {
        rc = observation_insert(s, o, row, e);
        *fresh = rc == 0 && *row != 0;
        if (*fresh)
            rc = search_observation_added(s, *row, o, e);
        else if (rc == 0)
            rc = observation_grow(s, o, row, e);
    }
    return local_write_end(s, own, rc, e);
}

/* ---- reading */

int local_observation_known(struct store *s, const uint8_t key[16], bool *out, struct err *e)
{
    struct stmt *q = NULL;
    int64_t row = 0;
    *out = false;
    int rc = db_prepare(s, "SELECT row FROM observation WHERE key=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_blob(q, 1, bytes_of(key, 16));
    return one_int(q, &row, out, e);
}

int observation_read(struct stmt *q, struct stored_observation *out, struct err *e)
{
    struct bytes key = db_bytes(q, 1);
    if (key.n != sizeof out->key)
        return err_set(e, ERR_CORRUPT, "observation %lld: key has %zu bytes", (long long)db_int(q, 0), key.n);
    out->row = db_int(q, 0);
    memcpy(out->key, key.p, sizeof out->key);
    out->time_ms = db_int(q, 2);
    out->end_ms = read_time(q, 3);
    out->added_ms = db_int(q, 4);
    out->offset_min = (int16_t)db_int(q, 5);
    out->shared_event = db_int(q, 6) != 0;
    out->untimed = db_int(q, 7) != 0;
    struct bytes *const texts[] = {&out->source,  &out->app, &out->title, &out->text,   &out->url,
                                   &out->command, &out->cwd, &out->files, &out->ext_id, &out->data};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = db_bytes(q, 8 + (int)i);
    return 0;
}

/* One by row, into s->read_buf so that the views outlive the statement. */
static int observation_keep(struct store *s, struct stored_observation *o, struct err *e)
{
    struct bytes *const texts[] = {&o->source,  &o->app, &o->title, &o->text,   &o->url,
                                   &o->command, &o->cwd, &o->files, &o->ext_id, &o->data};
    buf_clear(&s->read_buf);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_bytes(&s->read_buf, *texts[i]);
    if (s->read_buf.err != 0)
        return err_set(e, s->read_buf.err, "reading observation %lld", (long long)o->row);
    size_t at = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = bytes_slice(buf_view(&s->read_buf), at, texts[i]->n);
        at += texts[i]->n;
    }
    return 0;
}

int local_observation_rekey(struct store *s, int64_t row, const uint8_t key[16], struct err *e)
{
    struct stmt *q = NULL;
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = db_prepare(s, "UPDATE OR IGNORE observation SET key=?2 WHERE row=?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
        db_bind_blob(q, 2, bytes_of(key, 16));
        rc = db_run(q, e);
    }
    return db_write_end(s, own, rc, e);
}

int local_observation(struct store *s, int64_t row, struct stored_observation *out, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT " OBSERVATION_COLUMNS("o") " FROM observation o WHERE row=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row);
    rc = db_step(q, e);
    if (rc == 1) {
        rc = observation_read(q, out, e);
        if (rc == 0)
            rc = observation_keep(s, out, e);
    } else if (rc == 0) {
        rc = err_set(e, ERR_NOTFOUND, "no observation %lld", (long long)row);
    }
    db_done(q);
    return rc;
}

#define OBSERVATIONS_WHERE(cond, order)                                                                      \
    "SELECT " OBSERVATION_COLUMNS("o") " FROM observation o WHERE " cond                                     \
                                       " o.time_ms BETWEEN ?2 AND ?3 ORDER BY o.time_ms " order              \
                                       ",o.row " order " LIMIT ?4"

static const char *const observations_sql[2][2] = {
    {OBSERVATIONS_WHERE("", "ASC"), OBSERVATIONS_WHERE("", "DESC")},
    {OBSERVATIONS_WHERE("o.source=?1 AND", "ASC"), OBSERVATIONS_WHERE("o.source=?1 AND", "DESC")},
};

/* Gives fn each row of a prepared query. */
static int observations_walk(struct stmt *q, int (*fn)(void *ctx, const struct stored_observation *o),
                             void *ctx, struct err *e)
{
    int rc;
    while ((rc = db_step(q, e)) == 1) {
        struct stored_observation o;
        rc = observation_read(q, &o, e);
        if (rc == 0)
            rc = fn(ctx, &o);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}

int local_observations(struct store *s, const struct observation_filter *f,
                       int (*fn)(void *ctx, const struct stored_observation *o), void *ctx, struct err *e)
{
    int64_t source = 0;
    bool found = true;
    int rc = f->source.n > 0 ? source_find(s, f->source, &source, &found, e) : 0;
    if (rc != 0 || !found)
        return rc;
    struct stmt *q = NULL;
    rc = db_prepare(s, observations_sql[f->source.n > 0][f->newest_first], &q, e);
    if (rc != 0)
        return rc;
    if (f->source.n > 0)
        db_bind_int(q, 1, source);
    db_bind_int(q, 2, f->from_ms); /* TIME_NONE is below every time */
    db_bind_int(q, 3, f->until_ms == TIME_NONE ? INT64_MAX : f->until_ms);
    db_bind_int(q, 4, f->max);
    return observations_walk(q, fn, ctx, e);
}

int local_observations_behind(struct store *s, int64_t row, uint32_t max,
                              int (*fn)(void *ctx, const struct stored_observation *o), void *ctx,
                              struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        s, "SELECT " OBSERVATION_COLUMNS("o") " FROM observation o WHERE o.row>?1 ORDER BY o.row LIMIT ?2",
        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row);
    db_bind_int(q, 2, max);
    return observations_walk(q, fn, ctx, e);
}

int local_observation_newest(struct store *s, int64_t *row, struct err *e)
{
    return db_query_int(s, "SELECT coalesce(max(row),0) FROM observation", row, e);
}

int local_sources_behind(struct store *s, int64_t row, int (*fn)(void *ctx, const struct source_count *c),
                         void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "SELECT s.name,count(*),min(o.time_ms),max(o.time_ms) FROM source s "
                   "JOIN observation o ON o.source=s.source WHERE o.row>?1 GROUP BY s.name ORDER BY s.name",
                   &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row);
    while ((rc = db_step(q, e)) == 1) {
        struct source_count c = {db_bytes(q, 0), (uint64_t)db_int(q, 1), db_int(q, 2), db_int(q, 3)};
        rc = fn(ctx, &c);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}

int local_sources(struct store *s, int (*fn)(void *ctx, const struct source_count *c), void *ctx,
                  struct err *e)
{
    return local_sources_behind(s, 0, fn, ctx, e);
}

/* ---- erasing */

static int observation_erase(struct store *s, int64_t row, struct err *e)
{
    int rc = features_observation_gone(s, row, e);
    if (rc == 0)
        rc = links_observation_gone(s, row, e);
    if (rc == 0)
        rc = search_observation_gone(s, row, e);
    return rc == 0 ? local_run_row(s, "DELETE FROM observation WHERE row=?1", row, e) : rc;
}

int local_observations_erase(struct store *s, const int64_t *rows, size_t n, struct err *e)
{
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = observation_erase(s, rows[i], e);
    return local_write_end(s, own, rc, e);
}

/* Up to ERASE_BATCH rows of a source in a span. */
static int source_rows(struct store *s, int64_t source, const int64_t span[2], int64_t rows[ERASE_BATCH],
                       size_t *n, struct err *e)
{
    *n = 0;
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "SELECT row FROM observation WHERE source=?1 AND time_ms BETWEEN ?2 AND ?3 "
                        "ORDER BY time_ms LIMIT ?4",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, source);
    db_bind_int(q, 2, span[0]);
    db_bind_int(q, 3, span[1] == TIME_NONE ? INT64_MAX : span[1]);
    db_bind_int(q, 4, ERASE_BATCH);
    while ((rc = db_step(q, e)) == 1 && *n < ERASE_BATCH)
        rows[(*n)++] = db_int(q, 0);
    db_done(q);
    return rc < 0 ? rc : 0;
}

static int source_erase_all(struct store *s, int64_t source, const int64_t span[2], uint64_t *n,
                            struct err *e)
{
    int64_t rows[ERASE_BATCH];
    size_t got = 0;
    do {
        int rc = source_rows(s, source, span, rows, &got, e);
        for (size_t i = 0; rc == 0 && i < got; i++)
            rc = observation_erase(s, rows[i], e);
        if (rc != 0)
            return rc;
        *n += got;
    } while (got == ERASE_BATCH);
    return 0;
}

/* The name itself is content, too: it goes when nothing is left under it. */
static int source_drop_unused(struct store *s, int64_t source, struct err *e)
{
    local_forget_names(s);
    return local_run_row(s,
                         "DELETE FROM source WHERE source=?1 AND NOT EXISTS"
                         "(SELECT 1 FROM observation o WHERE o.source=?1)",
                         source, e);
}

int local_source_erase(struct store *s, struct bytes source, int64_t from_ms, int64_t until_ms, uint64_t *n,
                       struct err *e)
{
    const int64_t span[2] = {from_ms, until_ms};
    int64_t id = 0;
    bool own = false, found = false;
    *n = 0;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = source_find(s, source, &id, &found, e);
    if (rc == 0 && found)
        rc = source_erase_all(s, id, span, n, e);
    if (rc == 0 && found)
        rc = source_drop_unused(s, id, e);
    return local_write_end(s, own, rc, e);
}
