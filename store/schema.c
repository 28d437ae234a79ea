/* The schema, by version. `PRAGMA application_id` names the program, `user_version` the schema; each
 * migration takes the database from version i to i + 1 inside one transaction, so that a crash leaves the
 * older version whole. Column by column description: store/FORMAT.md.
 *
 * What replicates are the rows of `op`; what is merged from them are entity.state, event, prop, edge,
 * blocked_key and blocked_span. `log` is the head of each log and derived from its ops.
 */
#include "store/store_int.h"

#include "store/members_int.h"

#include <stdio.h>

static const char *const store_schema[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE log(row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE CHECK(length(id) = 16),"
    " device BLOB CHECK(length(device) = 16), seq INTEGER NOT NULL, chain BLOB NOT NULL CHECK(length(chain) "
    "= 32),"
    " hlc INTEGER NOT NULL) STRICT",
    "CREATE TABLE entity(row INTEGER PRIMARY KEY, space INTEGER NOT NULL,"
    " id BLOB NOT NULL CHECK(length(id) = 16), state BLOB, UNIQUE(space, id)) STRICT",
    "CREATE TABLE op(row INTEGER PRIMARY KEY, entity INTEGER REFERENCES entity(row), flags INTEGER NOT NULL,"
    " hlc INTEGER, salt BLOB, hash BLOB NOT NULL CHECK(length(hash) = 32), body BLOB) STRICT",
    "CREATE INDEX op_entity ON op(entity) WHERE entity IS NOT NULL",
    "CREATE INDEX op_held ON op(hlc) WHERE flags & 1",
    "CREATE TABLE event(entity INTEGER NOT NULL REFERENCES entity(row), key BLOB NOT NULL CHECK(length(key) "
    "= 16),"
    " against INTEGER NOT NULL, time INTEGER NOT NULL, PRIMARY KEY(entity, key, against)) STRICT, WITHOUT "
    "ROWID",
    "CREATE TABLE prop(row INTEGER PRIMARY KEY REFERENCES entity(row), flags INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, decay INTEGER NOT NULL, sensitivity INTEGER NOT NULL, prior INTEGER NOT NULL,"
    " devices INTEGER NOT NULL, support INTEGER NOT NULL, against INTEGER NOT NULL, first_ms INTEGER,"
    " last_ms INTEGER, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,"
    " id BLOB NOT NULL CHECK(length(id) = 16), scope TEXT NOT NULL, origin TEXT NOT NULL, text TEXT NOT NULL,"
    " reasoning TEXT NOT NULL) STRICT",
    "CREATE INDEX prop_pinned ON prop(row) WHERE flags & 1",
    "CREATE INDEX prop_scope ON prop(scope, row) WHERE scope <> ''",
    "CREATE TABLE edge(kind INTEGER NOT NULL, a BLOB NOT NULL CHECK(length(a) = 16),"
    " b BLOB NOT NULL CHECK(length(b) = 16), PRIMARY KEY(kind, a, b)) STRICT, WITHOUT ROWID",
    "CREATE INDEX edge_back ON edge(kind, b, a)",
    "CREATE TABLE blocked_key(key BLOB NOT NULL CHECK(length(key) = 16), entity INTEGER NOT NULL REFERENCES "
    "entity(row),"
    " PRIMARY KEY(key, entity)) STRICT, WITHOUT ROWID",
    "CREATE TABLE blocked_span(source TEXT NOT NULL, from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,"
    " entity INTEGER NOT NULL REFERENCES entity(row), PRIMARY KEY(source, from_ms, until_ms, entity))"
    " STRICT, WITHOUT ROWID",
    NULL,
};

static int run_all(struct store *s, const char *const *sql, struct err *e)
{
    int rc = 0;
    while (rc == 0 && *sql != NULL) {
        rc = db_exec(s, *sql++, e);
    }
    return rc;
}

static int migrate_0(struct store *s, struct err *e)
{
    int rc = run_all(s, store_schema, e);
    if (rc == 0) {
        rc = run_all(s, local_schema, e);
    }
    if (rc == 0) {
        rc = run_all(s, members_schema, e);
    }
    return rc != 0 ? rc : run_all(s, search_schema, e);
}

/* Branches of logs (store/branch.h). */
static int migrate_1(struct store *s, struct err *e)
{
    static const char *const branches[] = {
        "ALTER TABLE log ADD COLUMN root BLOB CHECK(length(root) = 16)",
        "ALTER TABLE log ADD COLUMN parent INTEGER REFERENCES log(row)",
        "ALTER TABLE log ADD COLUMN base INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE log ADD COLUMN closed INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX log_parent ON log(parent) WHERE parent IS NOT NULL",
        NULL,
    };
    return run_all(s, branches, e);
}

/* The end of a claim's validity, to be read with it. */
static int migrate_2(struct store *s, struct err *e)
{
    return db_exec(s, "ALTER TABLE prop ADD COLUMN until_ms INTEGER", e);
}

/* The i-th entry takes a database of version i to version i + 1. */
static int (*const migrations[])(struct store *s, struct err *e) = {migrate_0, migrate_1, migrate_2};
_Static_assert(sizeof migrations / sizeof migrations[0] == SCHEMA_VERSION, "a migration for each version");

static int set_number(struct store *s, const char *pragma, int64_t v, struct err *e)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA %s=%lld", pragma, (long long)v);
    return db_exec(s, sql, e);
}

static int migrate_from(struct store *s, int64_t version, struct err *e)
{
    int rc = db_exec(s, "BEGIN EXCLUSIVE", e);
    if (rc != 0) {
        return rc;
    }
    rc = set_number(s, "application_id", SCHEMA_APPLICATION_ID, e);
    for (int64_t v = version; rc == 0 && v < SCHEMA_VERSION; v++) {
        rc = migrations[v](s, e);
    }
    if (rc == 0 && version > 0) { /* what is merged may have columns that it had not */
        rc = merged_rebuild(s, e);
    }
    if (rc == 0) {
        rc = set_number(s, "user_version", SCHEMA_VERSION, e);
    }
    if (rc == 0) {
        rc = db_exec(s, "COMMIT", e);
    }
    if (rc != 0) {
        db_rollback(s);
    }
    return rc;
}

int schema_migrate(struct store *s, struct err *e)
{
    int64_t app, version, tables;
    int rc = db_query_int(s, "PRAGMA application_id", &app, e);
    if (rc == 0) {
        rc = db_query_int(s, "PRAGMA user_version", &version, e);
    }
    if (rc == 0) {
        rc = db_query_int(s, "SELECT count(*) FROM sqlite_schema", &tables, e);
    }
    if (rc != 0) {
        return rc;
    }
    bool empty = app == 0 && version == 0 && tables == 0;
    if (app != SCHEMA_APPLICATION_ID && !empty) {
        return err_set(e, ERR_FORMAT, "not a selfsame store: a database of another program");
    }
    if (version > SCHEMA_VERSION) {
        return err_set(e, ERR_VERSION, "the store has schema %lld, this program knows up to %d",
                       (long long)version, SCHEMA_VERSION);
    }
    if (version < 0 || (version == 0 && tables != 0)) {
        return err_set(e, ERR_CORRUPT, "the store has schema version %lld", (long long)version);
    }
    if (version == SCHEMA_VERSION) {
        return 0;
    }
    if (!s->read_only) {
        return migrate_from(s, version, e);
    }
    (void)err_set(e, ERR_PERM, "the store must be brought up to date, but is open for reading only");
    err_hint(e, "any command that writes does it, for example: selfsame resume");
    return ERR_PERM;
}
