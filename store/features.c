/* Features and traces: the index that inference reads, and the set of features whose traces changed. */
#include "store/local_int.h"

static int feature_find(struct store *s, uint8_t kind, struct bytes key, int64_t *feature, struct err *e)
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
    int rc = feature_find(s, kind, key, feature, e);
    if (rc != 0 || *feature != 0)
        return rc;
    bool own = false;
    rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = feature_make(s, kind, key, feature, e);
    return db_write_end(s, own, rc, e);
}

static int trace_insert(struct store *s, int64_t feature, const struct trace *t, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "INSERT OR IGNORE INTO trace(feature,day,minute,observation) VALUES(?1,?2,?3,?4)",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, feature);
    db_bind_int(q, 2, t->day);
    db_bind_int(q, 3, t->minute);
    db_bind_int(q, 4, t->observation);
    return db_run(q, e);
}

int local_trace_add(struct store *s, int64_t feature, int64_t observation, int32_t day, uint16_t minute,
                    struct err *e)
{
    const struct trace t = {observation, day, minute};
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = trace_insert(s, feature, &t, e);
    if (rc == 0)
        rc = mark_dirty(s, feature, e);
    return db_write_end(s, own, rc, e);
}

int features_observation_gone(struct store *s, int64_t observation, struct err *e)
{
    static const char mark[] = "INSERT OR IGNORE INTO dirty SELECT feature FROM trace WHERE observation=?1";
    static const char drop[] = "DELETE FROM trace WHERE observation=?1";
    int rc = local_run_row(s, mark, observation, e);
    return rc == 0 ? local_run_row(s, drop, observation, e) : rc;
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
    int rc = db_prepare(s,
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
    int rc = db_prepare(
        s, "SELECT f.feature,f.kind,f.key FROM dirty d JOIN feature f USING(feature) ORDER BY d.feature", &q,
        e);
    return rc == 0 ? features_walk(q, fn, ctx, e) : rc;
}

int local_dirty_clear(struct store *s, struct err *e)
{
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = db_exec(s,
                 "DELETE FROM feature WHERE feature IN (SELECT feature FROM dirty) AND NOT EXISTS"
                 "(SELECT 1 FROM trace t WHERE t.feature=feature.feature);"
                 "DELETE FROM dirty",
                 e);
    return db_write_end(s, own, rc, e);
}
