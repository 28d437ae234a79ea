/* Features and traces: the index that inference reads, and the set of features whose traces changed.
 *
 * Traces are the bulk of an import, four or so for each observation, and lie all over their table. So they
 * are held back until the transaction commits (or somebody reads them, or there are TRACES_HELD_MAX), and are
 * then written in the order of the table: half the time. The names looked up are held as long.
 */
#include "base/cursor.h"
#include "store/local_int.h"

#include <stdlib.h>
#include <string.h>

/* 1.5 MB. */
#define TRACES_HELD_MAX 65536u
/* Names held; an import rarely sees more in one transaction. */
#define NAMES_HELD_MAX 8192u
#define NAME_BYTES_MAX 1024u
/* Traces of one observation: more features are never made of one. */
#define OBSERVATION_TRACES_BYTES_MAX (1u << 20)

struct held_trace {
    int64_t feature;
    struct trace t;
};

struct local_cache {
    struct held_trace *held;
    size_t n, cap;
    struct map *names;
    struct buf scratch;
};

/* ---- what a transaction holds back */

static struct local_cache *cache_of(struct store *s)
{
    if (s->local != NULL)
        return s->local;
    struct local_cache *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->names = map_new();
    if (c->names == NULL) {
        free(c);
        return NULL;
    }
    buf_init(&c->scratch, OBSERVATION_TRACES_BYTES_MAX);
    s->local = c;
    return c;
}

void local_release(struct store *s)
{
    if (s->local == NULL)
        return;
    map_free(s->local->names);
    buf_release(&s->local->scratch);
    free(s->local->held);
    free(s->local);
    s->local = NULL;
}

void local_forget_names(struct store *s)
{
    if (s->local != NULL && map_count(s->local->names) > 0)
        map_clear(s->local->names);
}

void local_forget_cache(struct store *s)
{
    local_forget_names(s);
    if (s->local != NULL)
        s->local->n = 0;
}

struct map_slot *local_cached(struct store *s, unsigned kind, struct bytes name)
{
    struct local_cache *c = s->in_txn ? cache_of(s) : NULL;
    uint8_t key[NAME_BYTES_MAX + 2] = {(uint8_t)(kind >> 8), (uint8_t)kind};
    if (c == NULL || name.n > NAME_BYTES_MAX)
        return NULL;
    if (map_count(c->names) >= NAMES_HELD_MAX)
        map_clear(c->names);
    if (name.n > 0)
        memcpy(key + 2, name.p, name.n);
    return map_add(c->names, bytes_of(key, name.n + 2), NULL);
}

int local_feature_find(struct store *s, uint8_t kind, struct bytes key, int64_t *feature, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT feature FROM feature WHERE kind=?1 AND key=?2", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, kind);
    db_bind_text(q, 2, key);
    rc = db_step(q, e);
    *feature = rc == 1 ? db_int(q, 0) : 0;
    db_done(q);
    return rc < 0 ? rc : 0;
}

static int mark_dirty(struct store *s, int64_t feature, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "INSERT OR IGNORE INTO dirty VALUES(?1)", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, feature);
    return db_run(q, e);
}

static int feature_make(struct store *s, uint8_t kind, struct bytes key, int64_t *feature, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "INSERT INTO feature(kind,key) VALUES(?1,?2)", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, kind);
    db_bind_text(q, 2, key);
    rc = db_run(q, e);
    if (rc != 0)
        return rc;
    *feature = sqlite3_last_insert_rowid(s->db);
    return mark_dirty(s, *feature, e); /* so that it goes again if no trace ever comes */
}

int local_feature(struct store *s, uint8_t kind, struct bytes key, int64_t *feature, struct err *e)
{
    struct map_slot *known = local_cached(s, kind, key);
    *feature = known != NULL ? (int64_t)known->v.num : 0;
    if (*feature != 0)
        return 0;
    bool own = false;
    int rc = local_feature_find(s, kind, key, feature, e);
    if (rc == 0 && *feature == 0) {
        rc = db_write_begin(s, &own, e);
        if (rc != 0)
            return rc;
        rc = feature_make(s, kind, key, feature, e);
        rc = local_write_end(s, own, rc, e);
    }
    if (rc == 0 && known != NULL)
        known->v.num = (uint64_t)*feature;
    return rc;
}

/* ---- traces: held, written, erased */

static int held_push(struct local_cache *c, const struct held_trace *t)
{
    if (c->n == c->cap) {
        size_t cap = c->cap > 0 ? 2 * c->cap : 256;
        struct held_trace *more = realloc(c->held, cap * sizeof *more);
        if (more == NULL)
            return ERR_NOMEM;
        c->held = more;
        c->cap = cap;
    }
    c->held[c->n++] = *t;
    return 0;
}

static int trace_hold(struct store *s, const struct held_trace *t, struct err *e)
{
    struct local_cache *c = cache_of(s);
    int rc = c != NULL ? held_push(c, t) : ERR_NOMEM;
    if (rc != 0)
        return err_set(e, rc, "adding a trace");
    return c->n >= TRACES_HELD_MAX ? local_flush(s, e) : 0;
}

int local_trace_add(struct store *s, int64_t feature, int64_t observation, int32_t day, uint16_t minute,
                    struct err *e)
{
    const struct held_trace t = {feature, {observation, day, minute}};
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = trace_hold(s, &t, e);
    return local_write_end(s, own, rc, e);
}

static int trace_run(struct store *s, const char *sql, const struct held_trace *t, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, t->feature);
    db_bind_int(q, 2, t->t.day);
    db_bind_int(q, 3, t->t.minute);
    db_bind_int(q, 4, t->t.observation);
    return db_run(q, e);
}

/* The observation's own list: those it had, then the new ones. */
static int observation_traces_write(struct store *s, int64_t observation, struct bytes traces, struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "INSERT INTO observation_trace(observation,traces) VALUES(?1,?2) ON CONFLICT(observation) "
                   "DO UPDATE SET traces=CAST(traces||excluded.traces AS BLOB)",
                   &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, observation);
    db_bind_blob(q, 2, traces);
    return db_run(q, e);
}

/* Held traces stand in the order of their adding: those of one observation mostly together. */
static int flush_by_observation(struct store *s, struct local_cache *c, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->n;) {
        int64_t observation = c->held[i].t.observation;
        buf_clear(&c->scratch);
        for (; i < c->n && c->held[i].t.observation == observation; i++) {
            wr_svarint(&c->scratch, c->held[i].t.day);
            wr_varint(&c->scratch, c->held[i].t.minute);
            wr_varint(&c->scratch, (uint64_t)c->held[i].feature);
        }
        rc = c->scratch.err != 0 ? err_set(e, c->scratch.err, "adding traces")
                                 : observation_traces_write(s, observation, buf_view(&c->scratch), e);
    }
    return rc;
}

#define BY(a, b)                                                                                             \
    if ((a) != (b))                                                                                          \
    return (a) < (b) ? -1 : 1

static int table_order(const void *x, const void *y)
{
    const struct held_trace *a = x, *b = y;
    BY(a->feature, b->feature);
    BY(a->t.day, b->t.day);
    BY(a->t.minute, b->t.minute);
    BY(a->t.observation, b->t.observation);
    return 0;
}

static int flush_by_feature(struct store *s, struct local_cache *c, struct err *e)
{
    static const char sql[] =
        "INSERT OR IGNORE INTO trace(feature,day,minute,observation) VALUES(?1,?2,?3,?4)";
    int rc = 0;
    qsort(c->held, c->n, sizeof *c->held, table_order);
    for (size_t i = 0; rc == 0 && i < c->n; i++) {
        rc = trace_run(s, sql, &c->held[i], e);
        if (rc == 0 && (i == 0 || c->held[i].feature != c->held[i - 1].feature))
            rc = mark_dirty(s, c->held[i].feature, e);
    }
    return rc;
}

int local_flush(struct store *s, struct err *e)
{
    struct local_cache *c = s->local;
    if (c == NULL || c->n == 0)
        return 0;
    int rc = flush_by_observation(s, c, e);
    if (rc == 0)
        rc = flush_by_feature(s, c, e);
    c->n = 0;
    db_poison(s, rc);
    return rc;
}

/* Deletes the traces that an observation's list names. */
static int traces_drop(struct store *s, int64_t observation, struct bytes list, struct err *e)
{
    struct rd r;
    rd_init(&r, list);
    while (rd_left(&r) > 0) {
        struct held_trace t = {.t.observation = observation};
        t.t.day = (int32_t)rd_svarint(&r);
        t.t.minute = (uint16_t)rd_varint(&r);
        t.feature = (int64_t)rd_varint(&r);
        if (r.err != 0)
            return err_set(e, ERR_CORRUPT, "observation %lld: its list of traces is damaged",
                           (long long)observation);
        int rc = trace_run(
            s, "DELETE FROM trace WHERE feature=?1 AND day=?2 AND minute=?3 AND observation=?4", &t, e);
        if (rc == 0)
            rc = mark_dirty(s, t.feature, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int features_observation_gone(struct store *s, int64_t observation, struct err *e)
{
    struct stmt *q = NULL;
    int rc = local_flush(s, e);
    if (rc == 0)
        rc = db_prepare(s, "SELECT traces FROM observation_trace WHERE observation=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, observation);
    rc = db_step(q, e);
    bool any = rc == 1;
    if (any)
        rc = traces_drop(s, observation, db_bytes(q, 0), e);
    db_done(q);
    return rc == 0 && any
               ? local_run_row(s, "DELETE FROM observation_trace WHERE observation=?1", observation, e)
               : rc;
}

/* ---- reading */

static struct feature feature_read(struct stmt *q)
{
    return (struct feature){db_int(q, 0), (uint8_t)db_int(q, 1), db_bytes(q, 2)};
}

static int features_walk(struct stmt *q, int (*fn)(void *ctx, const struct feature *f), void *ctx,
                         struct err *e)
{
    int rc;
    while ((rc = db_step(q, e)) == 1) {
        const struct feature f = feature_read(q);
        rc = fn(ctx, &f);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}

int local_feature_get(struct store *s, int64_t feature, struct feature *out, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT feature,kind,key FROM feature WHERE feature=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, feature);
    rc = db_step(q, e);
    if (rc == 1) {
        *out = feature_read(q);
        buf_clear(&s->read_buf);
        rc = buf_bytes(&s->read_buf, out->key);
        out->key = buf_view(&s->read_buf);
        if (rc != 0)
            err_set(e, rc, "reading feature %lld", (long long)feature);
    } else if (rc == 0) {
        rc = err_set(e, ERR_NOTFOUND, "no feature %lld", (long long)feature);
    }
    db_done(q);
    return rc;
}

int local_features(struct store *s, uint8_t kind, int (*fn)(void *ctx, const struct feature *f), void *ctx,
                   struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT feature,kind,key FROM feature WHERE kind=?1 ORDER BY key", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, kind);
    return features_walk(q, fn, ctx, e);
}

int local_traces(struct store *s, int64_t feature, int32_t day_from,
                 int (*fn)(void *ctx, const struct trace *t), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc = local_flush(s, e);
    if (rc == 0)
        rc = db_prepare(s,
                        "SELECT observation,day,minute FROM trace WHERE feature=?1 AND day>=?2 "
                        "ORDER BY feature,day,minute,observation",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, feature);
    db_bind_int(q, 2, day_from);
    while ((rc = db_step(q, e)) == 1) {
        const struct trace t = {db_int(q, 0), (int32_t)db_int(q, 1), (uint16_t)db_int(q, 2)};
        rc = fn(ctx, &t);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}

/* ---- the dirty set */

int local_dirty(struct store *s, int (*fn)(void *ctx, const struct feature *f), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc = local_flush(s, e);
    if (rc == 0)
        rc = db_prepare(
            s, "SELECT f.feature,f.kind,f.key FROM dirty d JOIN feature f USING(feature) ORDER BY d.feature",
            &q, e);
    return rc == 0 ? features_walk(q, fn, ctx, e) : rc;
}

int local_dirty_clear(struct store *s, struct err *e)
{
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    local_forget_names(s);
    rc = local_flush(s, e);
    if (rc == 0)
        rc = db_exec(s,
                     "DELETE FROM feature WHERE feature IN (SELECT feature FROM dirty) AND NOT EXISTS"
                     "(SELECT 1 FROM trace t WHERE t.feature=feature.feature);"
                     "DELETE FROM dirty",
                     e);
    return local_write_end(s, own, rc, e);
}
