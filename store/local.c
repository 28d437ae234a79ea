/* The local tables: what never leaves this device. Observations carry what was seen; features and traces are
 * the index that inference works on; links say which proposition rests on which observation. Invariants:
 *   1. a trace's observation and feature exist; a link's observation and entity exist (links by foreign key;
 * traces by code, since two look-ups for each of an observation's traces are a third of the time of an
 * import);
 *   2. each trace stands in its observation's list (observation_trace) and, unless the observation is in
 * trace_pending, in `trace`, too;
 *   3. a feature whose traces changed is in `dirty`, or will be once what is pending is merged, until
 * local_dirty_clear(): a crash loses no work;
 *   4. a feature without traces is in `dirty`, and goes with local_dirty_clear();
 *   5. every observation is in observation_fts with its present words, and nothing else is.
 */
#include "store/local_int.h"

const char *const local_schema[] = {
    "CREATE TABLE source(source INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    "CREATE TABLE observation("
    "row INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, time_ms INTEGER NOT NULL, end_ms INTEGER,"
    "added_ms INTEGER NOT NULL, offset_min INTEGER NOT NULL, shared_event INTEGER NOT NULL,"
    "untimed INTEGER NOT NULL, source INTEGER NOT NULL REFERENCES source(source), app TEXT NOT NULL,"
    "title TEXT NOT NULL, text TEXT NOT NULL, url TEXT NOT NULL, command TEXT NOT NULL, cwd TEXT NOT NULL,"
    "files TEXT NOT NULL, ext_id TEXT NOT NULL, data TEXT NOT NULL) STRICT",
    "CREATE INDEX observation_by_time ON observation(time_ms)",
    "CREATE INDEX observation_by_source ON observation(source, time_ms)",
    "CREATE TABLE feature("
    "feature INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key TEXT NOT NULL, UNIQUE(kind, key)) STRICT",
    "CREATE TABLE trace("
    "feature INTEGER NOT NULL, day INTEGER NOT NULL, minute INTEGER NOT NULL, observation INTEGER NOT NULL,"
    "PRIMARY KEY(feature, day, minute, observation)) STRICT, WITHOUT ROWID",
    /* the traces of each observation, for erasing it: day and minute and feature as varints */
    "CREATE TABLE observation_trace(observation INTEGER PRIMARY KEY, traces BLOB NOT NULL) STRICT",
    "CREATE TABLE trace_pending(observation INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE dirty(feature INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE link("
    "entity INTEGER NOT NULL REFERENCES entity(row),"
    "observation INTEGER NOT NULL REFERENCES observation(row), against INTEGER NOT NULL,"
    "PRIMARY KEY(entity, observation)) STRICT, WITHOUT ROWID",
    "CREATE INDEX link_by_observation ON link(observation)",
    /* what forgotten propositions rested on, until node/ has erased it */
    "CREATE TABLE doomed("
    "observation INTEGER PRIMARY KEY, entity INTEGER NOT NULL REFERENCES entity(row)) STRICT",
    "CREATE TABLE local_value(name TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT",
    "CREATE TABLE audit("
    "day INTEGER NOT NULL, rule TEXT NOT NULL, source TEXT NOT NULL, first_ms INTEGER NOT NULL,"
    "last_ms INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(day, rule, source)) STRICT, WITHOUT ROWID",
    NULL,
};

int local_write_end(struct store *s, bool own, int rc, struct err *e)
{
    db_poison(s, rc);
    return db_write_end(s, own, rc, e);
}

int local_run_row(struct store *s, const char *sql, int64_t row, struct err *e)
{
    bool own = false;
    struct stmt *q = NULL;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = db_prepare(s, sql, &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
        rc = db_run(q, e);
    }
    return local_write_end(s, own, rc, e);
}
