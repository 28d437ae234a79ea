/* Inside of store/: the open database, the one statement layer, and the seams between its parts.
 *
 * Statements. `db_prepare(s, SQL, &q, e)` takes a string with static storage and gives a statement bound to
 * nothing; the same pointer gives the same compiled statement the next time, or a second one while the first
 * is still being walked (callbacks may nest). Bind, step, read, then db_done() in every path:
 *
 *     struct stmt *q = NULL;
 *     int rc = db_prepare(s, "SELECT text FROM prop WHERE row = ?1", &q, e);
 *     if (rc == 0) {
 *         db_bind_int(q, 1, row);
 *         rc = db_step(q, e);          // 1 a row, 0 no more, negative an error
 *         ...
 *     }
 *     db_done(q);                      // NULL fine; views of columns end here or at the next step
 *
 * Bound bytes are borrowed until db_done(). A failed bind shows at db_step(). Writes without result rows:
 * db_run().
 *
 * Transactions. Every writer wraps itself: rc = db_write_begin(s, &own, e); if (rc) return rc; ...; return
 * db_write_end(s, own, rc, e). Inside store_begin … store_commit these do nothing but count; outside they
 * make their own transaction. A writer that fails after its first change calls db_poison() (db_write_end does
 * it): store_commit then rolls back and fails.
 *
 * Tables that others read (schema.c owns the DDL):
 *     entity(row INTEGER PRIMARY KEY, space INTEGER, id BLOB, state BLOB; UNIQUE(space, id))  rows are never
 * deleted or renumbered, also not by store_rebuild() prop(row INTEGER PRIMARY KEY REFERENCES entity, id BLOB,
 * flags INTEGER, text TEXT NOT NULL, …)  one row for each proposition not forgotten FTS over propositions is
 * external content on prop(text) with content_rowid = row. Local tables may reference entity(row).
 */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "store/store.h"

#include <sqlite3.h>

#define SCHEMA_VERSION 3
#define SCHEMA_APPLICATION_ID 0x53656c66 /* "Self" */

#define STMT_BUCKETS 128

struct stmt {
    struct store *s;
    sqlite3_stmt *st;
    const char *sql;   /* the key: same pointer, same statement */
    struct stmt *next; /* in the bucket */
    bool in_use;
    int bind_rc; /* first failed bind */
};

/* Our log, or the one that was received into last: its head as of the current transaction. */
struct log_state {
    bool loaded;
    int64_t row;
    struct id id, root; /* what it branched off, else itself: the log that its stamps name */
    bool closed;        /* nothing is appended any more */
    uint64_t seq;
    struct hash chain;
    uint64_t hlc; /* highest merged in this transaction */
    bool dirty;   /* differs from the log table */
};

struct vectors;

struct store {
    sqlite3 *db;
    const struct clock *clock;
    const struct rng *rng;
    const char *vfs; /* borrowed: the name in the config is a literal or outlives the store */
    bool read_only;
    struct stmt *stmts[STMT_BUCKETS];

    bool in_txn;       /* SQLite has a transaction open */
    bool search_stale; /* search_renew() is due */
    int poisoned;      /* 0, or the error of a write that failed half way in this transaction */

    bool has_log; /* store_use_log was called */
    struct id own_log, own_device;
    struct log_state own, other; /* heads of our log and of the one received into last */
    uint64_t hlc;                /* highest stamp merged or written; valid while hlc_loaded */
    bool hlc_loaded;
    bool edges_known, edges_any; /* whether the edge table has rows */

    uint8_t salts[1024]; /* randomness drawn in one go */
    size_t salts_left;

    struct entity *scratch; /* for merging and reading one entity at a time */
    struct buf op_buf, state_buf, read_buf;
    struct buf seen_buf;     /* struct seen × n of the op being merged */
    bool checking;           /* merged rows are compared instead of written (store_check) */
    uint64_t checked;        /* rows of prop found equal */
    bool graph_off;          /* merge_all: the graph is computed at the end */
    struct map *graphs_done; /* ids whose part of the graph was computed; graph_refresh_all only */
    bool index_off;          /* store_rebuild: the text index is rebuilt at the end */

    bool digest_known;
    struct hash digest, digest_of; /* the digest, and the heads of logs that it belongs to */

    struct vectors *vectors;   /* vectors.c's, NULL while not open */
    void *search;              /* search.c's own state (tokenizer, scratch); freed by search_unregister */
    struct local_cache *local; /* features.c's: traces of this transaction not yet written */
};

/* ---- db.c: SQLite's errors, statements, transactions */

/* Our code for a SQLite result code (extended ones too). */
int db_code(int sqlite_rc);
/* Fills e from the connection's last error: "<what>: <sqlite text>". Returns our code. */
int db_fail(struct store *s, int sqlite_rc, struct err *e, const char *what);

int db_prepare(struct store *s, const char *sql, struct stmt **out, struct err *e) MUST_CHECK;
void db_bind_int(struct stmt *q, int i, int64_t v);
void db_bind_double(struct stmt *q, int i, double v);
void db_bind_blob(struct stmt *q, int i, struct bytes v); /* empty: zero-length blob */
void db_bind_text(struct stmt *q, int i, struct bytes v); /* UTF-8; empty: '' */
void db_bind_null(struct stmt *q, int i);
static inline void db_bind_id(struct stmt *q, int i, const struct id *id)
{
    db_bind_blob(q, i, bytes_of(id->b, ID_BYTES));
}
/* 1 = a row, 0 = done, negative = error. */
int db_step(struct stmt *q, struct err *e) MUST_CHECK;
/* Steps to the end, then db_done(). */
int db_run(struct stmt *q, struct err *e) MUST_CHECK;
void db_done(struct stmt *q);
/* Columns of the current row, from 0; borrowed until the next step or db_done. */
int64_t db_int(struct stmt *q, int column);
double db_double(struct stmt *q, int column);
struct bytes db_bytes(struct stmt *q, int column); /* blob or text; NULL reads as empty */
bool db_is_null(struct stmt *q, int column);
/* Copies a 16-byte (32-byte) blob; ERR_CORRUPT on another length. */
int db_id(struct stmt *q, int column, struct id *out, struct err *e) MUST_CHECK;
int db_hash(struct stmt *q, int column, struct hash *out, struct err *e) MUST_CHECK;
/* One statement or several without parameters. */
int db_exec(struct store *s, const char *sql, struct err *e) MUST_CHECK;
/* First column of the first row of a query without parameters; 0 when there is none. */
int db_query_int(struct store *s, const char *sql, int64_t *out, struct err *e) MUST_CHECK;

int db_write_begin(struct store *s, bool *own, struct err *e) MUST_CHECK;
/* Commits or rolls back when `own`; returns rc, or the error of the commit. */
int db_write_end(struct store *s, bool own, int rc, struct err *e) MUST_CHECK;
void db_poison(struct store *s, int rc);
/* Ends SQLite's transaction if one is open. Works without memory once db_ready_rollback() was called. */
void db_rollback(struct store *s);
int db_ready_rollback(struct store *s, struct err *e) MUST_CHECK;
/* Finalises all statements and closes the connection. */
void db_close(struct store *s);

/* ---- schema.c */
/* Makes the schema or brings an older one up to date. */
int schema_migrate(struct store *s, struct err *e) MUST_CHECK;

/* ---- store.c: small named values of the database itself (lease, cached digest) */
int meta_get(struct store *s, const char *name, struct buf *value, bool *found, struct err *e) MUST_CHECK;
int meta_set(struct store *s, const char *name, struct bytes value, struct err *e) MUST_CHECK;

/* ---- log.c */
#define OP_HELD 1       /* stored, not merged yet */
#define OP_FORGET 2     /* has ACT_FORGET: its body stays */
#define OP_LOG_SHIFT 40 /* op.row = log.row << 40 | seq */

/* Writes the heads that changed in this transaction; store_commit() does, and whoever reads `log` inside one.
 */
int log_flush(struct store *s, struct err *e) MUST_CHECK;
/* Forgets what is cached of a transaction that was rolled back. */
void log_forget_cache(struct store *s);
/* Makes the row of a log without ops, unless there is one; *row gets it. */
int log_make(struct store *s, const struct id *log, int64_t *row, struct err *e) MUST_CHECK;
/* Fills seq, salt, hash and op from columns row, salt, hash, body. */
int log_record(struct stmt *q, struct op_record *r, struct err *e) MUST_CHECK;
/* uint64_t stamps as SQLite integers of the same order. */
static inline int64_t hlc_to_sql(uint64_t hlc)
{
    return (int64_t)(hlc ^ UINT64_C(0x8000000000000000));
}
static inline uint64_t hlc_from_sql(int64_t v)
{
    return (uint64_t)v ^ UINT64_C(0x8000000000000000);
}

/* ---- apply.c: op → entity → merged tables */

/* One op on its way into the merged tables. */
struct merge {
    const struct op *op;
    struct id log;
    struct hash hash;
    bool own;       /* written here: a forgotten id is an error */
    int64_t entity; /* out: its row */
    bool erase;     /* out: the id is forgotten: keep the hash only */
};
int merge_op(struct store *s, struct merge *m, struct err *e) MUST_CHECK;
bool op_forgets(const struct op *op);

/* Row of an entity; made when absent and `make`. *row = 0 when absent. */
int entity_row(struct store *s, enum op_space space, const struct id *id, bool make, int64_t *row,
               struct err *e) MUST_CHECK;
/* The merged state of a row into x: 1, or 0 (and x empty) when no op that is here and due names it. */
int entity_load(struct store *s, int64_t row, struct entity *x, struct err *e) MUST_CHECK;
/* Folds all ops of a row that are here and due; `seen` may be NULL. 1, or 0 when there are none. */
int entity_fold(struct store *s, int64_t row, struct entity *x, const struct seen_sink *seen,
                struct err *e) MUST_CHECK;
/* Merges everything anew: writes it, or (s->checking) compares. */
int merge_all(struct store *s, struct err *e) MUST_CHECK;
/* Empties the merged tables, merges everything and indexes it, in the caller's transaction. */
int merged_rebuild(struct store *s, struct err *e) MUST_CHECK;

/* ---- materialise.c, graph.c: merged state → prop, edge, blocked_key, blocked_span */
int materialise(struct store *s, int64_t row, const struct op *op, const struct entity *x, bool fresh,
                struct err *e) MUST_CHECK;
/* A live element of SET_SAME_AS or SET_SUPERSEDES of a. */
struct edge {
    int kind;
    struct id a, b;
};
/* Rows of prop of every id that edges join with this one, as a whole: after an edge came or went. */
int graph_refresh(struct store *s, const struct id *from, struct err *e) MUST_CHECK;
/* The same after a proposition changed and the edges did not: most often only its own group needs a look. */
int graph_changed(struct store *s, const struct id *member, struct err *e) MUST_CHECK;
/* All parts of the graph, each once. */
int graph_refresh_all(struct store *s, struct err *e) MUST_CHECK;
int graph_any(struct store *s, bool *out, struct err *e) MUST_CHECK; /* whether there are edges at all */
int graph_touches(struct store *s, const struct id *id, bool *out, struct err *e) MUST_CHECK;
/* The columns that one entity gives by itself, without ACT_SEEN; false: it has no row. Views into x. */
bool prop_columns(const struct entity *x, struct prop *out);
/* Writes the row (`fresh`: there is none), or compares it (s->checking). */
int prop_put(struct store *s, const struct prop *p, bool fresh, struct err *e) MUST_CHECK;
int prop_remove(struct store *s, int64_t row, struct err *e) MUST_CHECK;
/* Saturating at INT64_MAX, the largest that SQLite stores. */
uint64_t count_add(uint64_t a, uint64_t b);
/* Widens *first..*last by a time; TIME_NONE changes nothing. */
void span_add(int64_t *first, int64_t *last, int64_t ms);

/* Ids joined to this one by same-as, itself first, appended to `ids` as struct id × n. */
int graph_same_as(struct store *s, const struct id *id, struct buf *ids, struct err *e) MUST_CHECK;

/* ---- props.c */
#define PROP_COLUMNS                                                                                         \
    "row, flags, kind, decay, sensitivity, prior, devices, support, against, first_ms, last_ms, created_ms," \
    " changed_ms, until_ms, id, scope, origin, text"
/* Reads PROP_COLUMNS and, when they follow, reasoning. Views until the next step. */
int prop_read(struct stmt *q, bool reasoning, struct prop *out, struct err *e) MUST_CHECK;

/* ---- forget.c */
/* The name of the copy that scrubbing writes; one left by a crash goes at opening. */
int scrub_path(const struct store *s, struct buf *out, struct err *e) MUST_CHECK;
int scrub_mark(struct store *s, bool due, struct err *e) MUST_CHECK;

/* ---- hooks that local.c and search.c provide; both schemas are NULL-terminated lists of DDL run by
 * migration 1 */
extern const char *const local_schema[];
extern const char *const search_schema[];
/* Registers the tokenizer and functions; at every open, before the schema is touched. */
int search_register(struct store *s, struct err *e) MUST_CHECK;
void search_unregister(struct store *s);
/* A proposition's text changed: old_text.p == NULL: it was not indexed; new_text.p == NULL: it goes. Called
 * after prop was written, in the same transaction. The bytes are borrowed for the call. The index follows at
 * search_flush(). */
int search_prop_changed(struct store *s, int64_t row, struct bytes old_text, struct bytes new_text,
                        struct err *e) MUST_CHECK;
/* Brings the index up to the changes of this transaction; before COMMIT. */
int search_flush(struct store *s, struct err *e) MUST_CHECK;
/* A transaction ended, either way: what still waits goes. */
void search_forget(struct store *s);
/* Rebuilds the index of propositions from prop (store_rebuild). */
int search_rebuild(struct store *s, struct err *e) MUST_CHECK;
/* Rewrites the indexes so that no deleted term is left in them (FTS5 'optimize'). Own transaction. */
int search_scrub(struct store *s, struct err *e) MUST_CHECK;
/* When SQLite gives a transaction up in the middle of a statement on a full-text index, the index keeps words
 * of it in memory, to be written with the next transaction. Drops them. No transaction may be open. */
int search_renew(struct store *s, struct err *e) MUST_CHECK;
/* FTS5 integrity check against the content tables. ERR_CORRUPT. */
int search_check(struct store *s, struct err *e) MUST_CHECK;
/* ---- vectors.c */
/* A proposition's text came, changed or went: its vector goes. */
void vectors_prop_changed(struct store *s, int64_t row);
/* Clears every vector that no present text has, in the file too when it is not open; on the disk when it
 * returns. */
int vectors_scrub(struct store *s, struct err *e) MUST_CHECK;

/* Writes what the local tables held back in this transaction; before COMMIT. */
int local_flush(struct store *s, struct err *e) MUST_CHECK;
/* A transaction ended, either way: nothing cached in it holds any more. */
void local_forget_cache(struct store *s);
void local_release(struct store *s);
/* A proposition was forgotten: local evidence links of it go (row = entity row). */
int local_prop_gone(struct store *s, int64_t row, struct err *e) MUST_CHECK;

#endif
