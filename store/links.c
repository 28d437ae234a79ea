/* Evidence links proposition ← observation. They hang on the entity's row, which outlives every rebuild of
 * the merged tables. */
#include "store/local_int.h"

static int prop_entity(struct store *s, const struct id *prop, int64_t *entity, struct err *e)
{
    return entity_row(s, SPACE_PROPOSITION, prop, false, entity, e);
}

static int link_insert(struct store *s, int64_t entity, int64_t observation, bool against, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "INSERT INTO link(entity,observation,against) VALUES(?1,?2,?3)"
                        "ON CONFLICT(entity,observation) DO UPDATE SET against=excluded.against",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, entity);
    db_bind_int(q, 2, observation);
    db_bind_int(q, 3, against);
    return db_run(q, e);
}

int local_link_add(struct store *s, const struct id *prop, int64_t observation, bool against, struct err *e)
{
    int64_t entity = 0;
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = prop_entity(s, prop, &entity, e);
    if (rc == 0 && entity == 0)
        rc = err_set(e, ERR_NOTFOUND, "linking evidence: no such proposition");
    if (rc == 0)
        rc = link_insert(s, entity, observation, against, e);
    return db_write_end(s, own, rc, e);
}

int links_observation_gone(struct store *s, int64_t observation, struct err *e)
{
    int rc = local_run_row(s, "DELETE FROM link WHERE observation=?1", observation, e);
    return rc != 0 ? rc : local_run_row(s, "DELETE FROM doomed WHERE observation=?1", observation, e);
}

int local_prop_gone(struct store *s, int64_t row, struct err *e)
{
    int rc =
        local_run_row(s,
                      "INSERT OR IGNORE INTO doomed(observation, entity) SELECT observation, entity FROM link"
                      " WHERE entity=?1 AND NOT against",
                      row, e);
    return rc != 0 ? rc : local_run_row(s, "DELETE FROM link WHERE entity=?1", row, e);
}

int local_doomed(struct store *s,
                 int (*fn)(void *ctx, const struct id *prop, const struct stored_observation *o), void *ctx,
                 struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "SELECT " OBSERVATION_COLUMNS("o") ",x.id FROM doomed d JOIN observation o ON"
                                                      " o.row=d.observation JOIN entity x ON x.row=d.entity"
                                                      " ORDER BY d.entity,o.row",
                   &q, e);
    while (rc == 0 && (rc = db_step(q, e)) == 1) {
        struct stored_observation o;
        struct id prop;
        rc = observation_read(q, &o, e);
        if (rc == 0)
            rc = db_id(q, OBSERVATION_COLUMN_N, &prop, e);
        if (rc == 0)
            rc = fn(ctx, &prop, &o);
    }
    db_done(q);
    return rc;
}

int local_doomed_clear(struct store *s, struct err *e)
{
    return local_run_row(s, "DELETE FROM doomed WHERE observation>?1", INT64_MIN, e);
}

int local_links_clear(struct store *s, const struct id *prop, struct err *e)
{
    int64_t entity = 0;
    int rc = prop_entity(s, prop, &entity, e);
    return rc == 0 && entity != 0 ? local_run_row(s, "DELETE FROM link WHERE entity=?1", entity, e) : rc;
}

#define LINKS_IN_ORDER(order)                                                                                \
    "SELECT " OBSERVATION_COLUMNS("o") ",l.against FROM link l JOIN observation o ON o.row=l.observation "   \
                                       "WHERE l.entity=?1 ORDER BY o.time_ms " order ",o.row " order         \
                                       " LIMIT ?2"

int local_links(struct store *s, const struct id *prop, bool newest_first, uint32_t max,
                int (*fn)(void *ctx, const struct stored_observation *o, bool against), void *ctx,
                struct err *e)
{
    static const char *const sql[2] = {LINKS_IN_ORDER("ASC"), LINKS_IN_ORDER("DESC")};
    int64_t entity = 0;
    struct stmt *q = NULL;
    int rc = prop_entity(s, prop, &entity, e);
    if (rc == 0)
        rc = db_prepare(s, sql[newest_first], &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, entity);
    db_bind_int(q, 2, max);
    while ((rc = db_step(q, e)) == 1) {
        struct stored_observation o;
        rc = observation_read(q, &o, e);
        if (rc == 0)
            rc = fn(ctx, &o, db_int(q, OBSERVATION_COLUMN_N) != 0);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}

int local_link_counts(struct store *s, const struct id *prop, uint64_t *support, uint64_t *against,
                      struct err *e)
{
    *support = *against = 0;
    int64_t entity = 0;
    struct stmt *q = NULL;
    int rc = prop_entity(s, prop, &entity, e);
    if (rc == 0)
        rc = db_prepare(s, "SELECT count(*),total(against) FROM link WHERE entity=?1", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, entity);
    rc = db_step(q, e);
    if (rc == 1) {
        *against = (uint64_t)db_int(q, 1);
        *support = (uint64_t)db_int(q, 0) - *against;
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

int local_links_of(struct store *s, int64_t observation,
                   int (*fn)(void *ctx, const struct id *prop, bool against), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "SELECT x.id,l.against FROM link l JOIN entity x ON x.row=l.entity "
                        "WHERE l.observation=?1 ORDER BY x.id",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, observation);
    while ((rc = db_step(q, e)) == 1) {
        struct id prop;
        rc = db_id(q, 0, &prop, e);
        if (rc == 0)
            rc = fn(ctx, &prop, db_int(q, 1) != 0);
        if (rc != 0)
            break;
    }
    db_done(q);
    return rc;
}
