/* The one place that talks to SQLite's C interface for the tables of the store: result codes, cached
 * statements, transactions. */
#include "store/store_int.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int db_code(int sqlite_rc)
{
    switch (sqlite_rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_NOTADB:
        return ERR_FORMAT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* the locks of the WAL were taken again and again by others */
        return ERR_INUSE;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return ERR_PERM;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_IOERR:
        /* The shared index of the write-ahead log cannot grow when there is no room. */
        return sqlite_rc == SQLITE_IOERR_NOMEM     ? ERR_NOMEM
               : sqlite_rc == SQLITE_IOERR_SHMSIZE ? ERR_FULL
                                                   : ERR_IO;
    case SQLITE_CANTOPEN:
        return ERR_IO;
    default: /* constraints and missing tables: our statements never cause them in a sound file */
        return ERR_CORRUPT;
    }
}

static int cantopen_code(sqlite3 *db)
{
    switch (sqlite3_system_errno(db)) {
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERM;
    case ENOENT:
        return ERR_NOTFOUND;
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}

int db_fail(struct store *s, int sqlite_rc, struct err *e, const char *what)
{
    int code = db_code(sqlite_rc);
    if ((sqlite_rc & 0xff) == SQLITE_CANTOPEN && s->db != NULL) {
        code = cantopen_code(s->db);
    }
    if (code == 0) { /* a call that should have failed with a code did not give one */
        code = ERR_IO;
    }
    if (s->in_txn && sqlite3_get_autocommit(s->db) != 0) { /* SQLite gave the transaction up: a write that */
        db_poison(s, code);                                /* followed would stand for itself */
        s->search_stale = true;
    }
    const char *text = s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(sqlite_rc);
    err_set(e, code, "%s: %s", what, text);
    if (code == ERR_FULL) {
        err_hint(e, "free some space; nothing that was saved is lost");
    }
    if (code == ERR_CORRUPT) {
        err_hint(e, "keep a copy of the data folder, then see: selfsame doctor");
    }
    return code;
}

static size_t bucket_of(const char *sql)
{
    return ((uintptr_t)sql >> 3) * 0x9e3779b97f4a7c15u >> 57;
}
_Static_assert(STMT_BUCKETS == 128, "bucket_of gives 7 bits");

static int stmt_new(struct store *s, const char *sql, struct stmt **out, struct err *e)
{
    struct stmt *q = calloc(1, sizeof *q);
    if (q == NULL) {
        return err_set(e, ERR_NOMEM, "preparing a statement");
    }
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->st, NULL);
    if (rc != SQLITE_OK) {
        free(q);
        return db_fail(s, rc, e, "store");
    }
    q->s = s;
    q->sql = sql;
    *out = q;
    return 0;
}

int db_prepare(struct store *s, const char *sql, struct stmt **out, struct err *e)
{
    *out = NULL;
    struct stmt **head = &s->stmts[bucket_of(sql)];
    struct stmt *q = *head;
    while (q != NULL && (q->sql != sql || q->in_use)) {
        q = q->next;
    }
    if (q == NULL) {
        int rc = stmt_new(s, sql, &q, e);
        if (rc != 0) {
            return rc;
        }
        q->next = *head;
        *head = q;
    }
    q->in_use = true;
    *out = q;
    return 0;
}

static void bound(struct stmt *q, int rc)
{
    if (rc != SQLITE_OK && q->bind_rc == SQLITE_OK) {
        q->bind_rc = rc;
    }
}

void db_bind_int(struct stmt *q, int i, int64_t v)
{
    bound(q, sqlite3_bind_int64(q->st, i, v));
}

void db_bind_double(struct stmt *q, int i, double v)
{
    bound(q, sqlite3_bind_double(q->st, i, v));
}

void db_bind_blob(struct stmt *q, int i, struct bytes v)
{
    bound(q, v.n == 0 ? sqlite3_bind_zeroblob(q->st, i, 0)
                      : sqlite3_bind_blob64(q->st, i, v.p, v.n, SQLITE_STATIC));
}

void db_bind_text(struct stmt *q, int i, struct bytes v)
{
    const char *p = v.n == 0 ? "" : (const char *)v.p;
    bound(q, sqlite3_bind_text64(q->st, i, p, v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_null(struct stmt *q, int i)
{
    bound(q, sqlite3_bind_null(q->st, i));
}

int db_step(struct stmt *q, struct err *e)
{
    int rc = q->bind_rc != SQLITE_OK ? q->bind_rc : sqlite3_step(q->st);
    if (rc == SQLITE_ROW) {
        return 1;
    }
    return rc == SQLITE_DONE ? 0 : db_fail(q->s, rc, e, "store");
}

int db_run(struct stmt *q, struct err *e)
{
    int rc;
    do {
        rc = db_step(q, e);
    } while (rc > 0);
    db_done(q);
    return rc;
}

void db_done(struct stmt *q)
{
    if (q == NULL || !q->in_use) {
        return;
    }
    (void)sqlite3_reset(q->st); /* repeats the error that the step gave */
    (void)sqlite3_clear_bindings(q->st);
    q->bind_rc = SQLITE_OK;
    q->in_use = false;
}

int64_t db_int(struct stmt *q, int column)
{
    return sqlite3_column_int64(q->st, column);
}

double db_double(struct stmt *q, int column)
{
    return sqlite3_column_double(q->st, column);
}

struct bytes db_bytes(struct stmt *q, int column)
{
    const void *p = sqlite3_column_blob(q->st, column);
    int n = sqlite3_column_bytes(q->st, column);
    return p == NULL || n <= 0 ? BYTES_NONE : bytes_of(p, (size_t)n);
}

bool db_is_null(struct stmt *q, int column)
{
    return sqlite3_column_type(q->st, column) == SQLITE_NULL;
}

int db_id(struct stmt *q, int column, struct id *out, struct err *e)
{
    struct bytes b = db_bytes(q, column);
    if (b.n != ID_BYTES) {
        *out = ID_NONE;
        return err_set(e, ERR_CORRUPT, "store: an id of %zu bytes", b.n);
    }
    memcpy(out->b, b.p, ID_BYTES);
    return 0;
}

int db_hash(struct stmt *q, int column, struct hash *out, struct err *e)
{
    struct bytes b = db_bytes(q, column);
    if (b.n != HASH_BYTES) {
        return err_set(e, ERR_CORRUPT, "store: a hash of %zu bytes", b.n);
    }
    memcpy(out->b, b.p, HASH_BYTES);
    return 0;
}

int db_exec(struct store *s, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(s, rc, e, "store");
}

int db_query_int(struct store *s, const char *sql, int64_t *out, struct err *e)
{
    *out = 0;
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc == 0) {
        rc = db_step(q, e);
    }
    if (rc > 0) {
        *out = db_int(q, 0);
        rc = 0;
    }
    db_done(q);
    return rc;
}

int db_write_begin(struct store *s, bool *own, struct err *e)
{
    *own = !s->in_txn;
    return *own ? store_begin(s, e) : s->poisoned;
}

/* Errors of storage, after which part of a write may be in the transaction; a refusal changes nothing. */
static bool is_half_done(int rc)
{
    return rc == ERR_NOMEM || rc == ERR_IO || rc == ERR_FULL || rc == ERR_CORRUPT || rc == ERR_INUSE;
}

int db_write_end(struct store *s, bool own, int rc, struct err *e)
{
    if (own && rc == 0) {
        return store_commit(s, e);
    }
    if (own) {
        store_rollback(s);
    } else if (is_half_done(rc)) {
        db_poison(s, rc);
    }
    return rc;
}

void db_poison(struct store *s, int rc)
{
    if (rc < 0 && s->in_txn && s->poisoned == 0) {
        s->poisoned = rc;
    }
}

#define ROLLBACK "ROLLBACK"

int db_ready_rollback(struct store *s, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, ROLLBACK, &q, e);
    db_done(q);
    return rc;
}

void db_rollback(struct store *s)
{
    struct stmt *q = NULL;
    if (sqlite3_get_autocommit(s->db) == 0 && db_prepare(s, ROLLBACK, &q, NULL) == 0) {
        (void)!db_run(q, NULL); /* fails only when SQLite did it by itself */
    }
}

void db_close(struct store *s)
{
    for (size_t i = 0; i < STMT_BUCKETS; i++) {
        while (s->stmts[i] != NULL) {
            struct stmt *q = s->stmts[i];
            s->stmts[i] = q->next;
            CHECK(!q->in_use);
            (void)sqlite3_finalize(q->st); /* repeats an old error */
            free(q);
        }
    }
    if (s->db != NULL) {
        (void)sqlite3_close_v2(s->db); /* a failed checkpoint at closing loses nothing: the WAL stays */
        s->db = NULL;
    }
}
