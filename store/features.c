/* Features and traces: the index that inference reads, and the set of features whose traces changed.
 *
 * Traces are the bulk of an import, four or so for each observation, and lie all over their table: written
 * one by one they cost more than all else, and every commit rewrites most of the table. So an observation's
 * traces are first kept as its own list (observation_trace, one row, at the end of its table) and the
 * observation is put down in trace_pending. Whoever reads traces or the dirty set merges what is pending into
 * the table `trace` first, in the order of the table: an import does so once, at its end. The lists stay:
 * they are what erasing an observation goes by. A crash loses nothing, since what is pending is stored;
 * merging twice changes nothing.
 */
#include "base/cursor.h"
#include "store/local_int.h"

#include <stdlib.h>
#include <string.h>

/* Traces merged in one go: 1.5 MB. */
#define TRACES_MERGED_MAX 65536u
/* Names held; an import rarely sees more in one transaction. */
#define NAMES_HELD_MAX 8192u
#define NAME_BYTES_MAX 1024u
/* Traces of one observation: more features are never made of one. */
#define OBSERVATION_TRACES_BYTES_MAX (1u << 20)

/* A trace and the feature that it belongs to. */
struct entry {
    int64_t feature;
    struct trace t;
};

struct local_cache {
    struct map *names;
    int64_t observation;   /* whose traces are being added; 0 = none */
    struct buf traces;     /* its list so far, not written yet */
    bool merged;           /* nothing is pending */
    struct entry *merging; /* TRACES_MERGED_MAX, made at the first merge */
    size_t n_merging;
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
    buf_init(&c->traces, OBSERVATION_TRACES_BYTES_MAX);
    s->local = c;
    return c;
}

void local_release(struct store *s)
{
    if (s->local == NULL)
        return;
    map_free(s->local->names);
    buf_release(&s->local->traces);
    free(s->local->merging);
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
    if (s->local == NULL)
        return;
    s->local->observation = 0;
    buf_clear(&s->local->traces);
    s->local->merged = false;
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

/* ---- adding traces */

/* The observation's own list: what it had, then the new ones. */
static int list_write(struct store *s, int64_t observation, struct bytes traces, struct err *e)
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
    rc = db_run(q, e);
    return rc != 0 ? rc : local_run_row(s, "INSERT OR IGNORE INTO trace_pending VALUES(?1)", observation, e);
}

int local_flush(struct store *s, struct err *e)
{
    struct local_cache *c = s->local;
    if (c == NULL || c->observation == 0)
        return 0;
    int64_t observation = c->observation;
    c->observation = 0;
    c->merged = false;
    int rc = c->traces.err != 0 ? err_set(e, c->traces.err, "adding traces")
                                : list_write(s, observation, buf_view(&c->traces), e);
    buf_clear(&c->traces);
    db_poison(s, rc);
    return rc;
}

static int trace_hold(struct store *s, const struct entry *t, struct err *e)
{
    struct local_cache *c = cache_of(s);
    if (c == NULL)
        return err_set(e, ERR_NOMEM, "adding a trace");
    int rc = c->observation != t->t.observation ? local_flush(s, e) : 0;
    if (rc != 0)
        return rc;
    c->observation = t->t.observation;
    wr_svarint(&c->traces, t->t.day);
    wr_varint(&c->traces, t->t.minute);
    wr_varint(&c->traces, (uint64_t)t->feature);
    return 0;
}

int local_trace_add(struct store *s, int64_t feature, int64_t observation, int32_t day, uint16_t minute,
                    struct err *e)
{
    const struct entry t = {feature, {observation, day, minute}};
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = trace_hold(s, &t, e);
    return local_write_end(s, own, rc, e);
}

/* Calls fn with each trace of an observation's list. */
static int list_walk(struct store *s, int64_t observation, struct bytes list,
                     int (*fn)(struct store *s, const struct entry *t, struct err *e), struct err *e)
{
    struct rd r;
    rd_init(&r, list);
    while (rd_left(&r) > 0) {
        struct entry t = {.t.observation = observation};
        t.t.day = (int32_t)rd_svarint(&r);
        t.t.minute = (uint16_t)rd_varint(&r);
        t.feature = (int64_t)rd_varint(&r);
        int rc = r.err != 0 ? err_set(e, ERR_CORRUPT, "observation %lld: its list of traces is damaged",
                                      (long long)observation)
                            : fn(s, &t, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- merging what is pending */

static int trace_run(struct store *s, const char *sql, const struct entry *t, struct err *e)
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

#define BY(a, b)                                                                                             \
    if ((a) != (b))                                                                                          \
    return (a) < (b) ? -1 : 1

static int table_order(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    BY(a->feature, b->feature);
    BY(a->t.day, b->t.day);
    BY(a->t.minute, b->t.minute);
    BY(a->t.observation, b->t.observation);
    return 0;
}

static int traces_write(struct store *s, struct err *e)
{
    static const char sql[] =
        "INSERT OR IGNORE INTO trace(feature,day,minute,observation) VALUES(?1,?2,?3,?4)";
    struct local_cache *c = s->local;
    int rc = 0;
    qsort(c->merging, c->n_merging, sizeof *c->merging, table_order);
    for (size_t i = 0; rc == 0 && i < c->n_merging; i++) {
        rc = trace_run(s, sql, &c->merging[i], e);
        if (rc == 0 && (i == 0 || c->merging[i].feature != c->merging[i - 1].feature))
            rc = mark_dirty(s, c->merging[i].feature, e);
    }
    c->n_merging = 0;
    return rc;
}

static int traces_push(struct store *s, const struct entry *t, struct err *e)
{
    struct local_cache *c = s->local;
    c->merging[c->n_merging++] = *t;
    return c->n_merging == TRACES_MERGED_MAX ? traces_write(s, e) : 0;
}

static int pending_merge_all(struct store *s, struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "SELECT observation,traces FROM trace_pending JOIN observation_trace USING(observation) "
                   "ORDER BY observation",
                   &q, e);
    while (rc == 0 && (rc = db_step(q, e)) == 1)
        rc = list_walk(s, db_int(q, 0), db_bytes(q, 1), traces_push, e);
    db_done(q);
    if (rc == 0)
        rc = traces_write(s, e);
    return rc == 0 ? db_exec(s, "DELETE FROM trace_pending", e) : rc;
}

/* Brings `trace` and `dirty` up to date. A store that may only be read shows what was merged before. */
static int merge_pending(struct store *s, struct err *e)
{
    struct local_cache *c = cache_of(s);
    if (c != NULL && c->merging == NULL)
        c->merging = malloc(TRACES_MERGED_MAX * sizeof *c->merging);
    if (c == NULL || c->merging == NULL)
        return err_set(e, ERR_NOMEM, "reading traces");
    if (s->read_only || (c->merged && c->observation == 0))
        return 0;
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    c->n_merging = 0;
    rc = local_flush(s, e);
    if (rc == 0)
        rc = pending_merge_all(s, e);
    rc = local_write_end(s, own, rc, e);
    c->merged = rc == 0;
    return rc;
}

/* ---- erasing */

static int trace_drop(struct store *s, const struct entry *t, struct err *e)
{
    int rc =
        trace_run(s, "DELETE FROM trace WHERE feature=?1 AND day=?2 AND minute=?3 AND observation=?4", t, e);
    return rc == 0 ? mark_dirty(s, t->feature, e) : rc;
}

int features_observation_gone(struct store *s, int64_t observation, struct err *e)
{
    struct stmt *q = NULL;
    int rc = merge_pending(s, e);
    if (rc == 0)
        rc = db_prepare(s, "SELECT traces FROM observation_trace WHERE observation=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, observation);
    rc = db_step(q, e);
    bool any = rc == 1;
    if (any)
        rc = list_walk(s, observation, db_bytes(q, 0), trace_drop, e);
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
    int rc = merge_pending(s, e);
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
    int rc = merge_pending(s, e);
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
    rc = merge_pending(s, e);
    if (rc == 0)
        rc = db_exec(s,
                     "DELETE FROM feature WHERE feature IN (SELECT feature FROM dirty) AND NOT EXISTS"
                     "(SELECT 1 FROM trace t WHERE t.feature=feature.feature);"
                     "DELETE FROM dirty",
                     e);
    return local_write_end(s, own, rc, e);
}
