/* Membership records, frames and quarantine: tables that belong to this device's part in the group. A frame's
 * key is (log, last), so that the frame that holds a seq is the first at or above it. */
#include "store/members.h"

#include "base/text.h"
#include "store/members_int.h"
#include "store/store_int.h"

#include <string.h>

const char *const members_schema[] = {
    "CREATE TABLE member_record(row INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE CHECK(length(hash) = 32),"
    " record BLOB NOT NULL) STRICT",
    "CREATE TABLE frame(log BLOB NOT NULL CHECK(length(log) = 16), last INTEGER NOT NULL,"
    " first INTEGER NOT NULL, bare INTEGER NOT NULL, header BLOB NOT NULL CHECK(length(header) = 148),"
    " body BLOB NOT NULL CHECK(length(body) = 32), signature BLOB NOT NULL CHECK(length(signature) = 64),"
    " nonce BLOB CHECK(length(nonce) = 24), PRIMARY KEY(log, last)) STRICT, WITHOUT ROWID",
    "CREATE TABLE quarantine(row INTEGER PRIMARY KEY, log BLOB NOT NULL CHECK(length(log) = 16),"
    " device BLOB NOT NULL CHECK(length(device) = 16), first INTEGER NOT NULL, count INTEGER NOT NULL,"
    " time_ms INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE(log, first)) STRICT",
    NULL,
};
_Static_assert(FRAME_HEADER_BYTES == 148 && AEAD_NONCE_BYTES == 24 && SIGN_BYTES == 64, "as the tables say");

int members_begin(struct store *s, bool *own, struct err *e)
{
    return db_write_begin(s, own, e);
}

int members_end(struct store *s, bool own, int rc, struct err *e)
{
    return db_write_end(s, own, rc, e);
}

/* Prepares a write inside a transaction of its own or the open one. */
static int write_prepare(struct store *s, const char *sql, bool *own, struct stmt **q, struct err *e)
{
    int rc = db_write_begin(s, own, e);
    if (rc != 0) {
        return rc;
    }
    rc = db_prepare(s, sql, q, e);
    return rc != 0 ? db_write_end(s, *own, rc, e) : 0;
}

/* ---- records */

int members_add(struct store *s, const struct hash *hash, struct bytes record, struct err *e)
{
    struct stmt *q = NULL;
    bool own;
    int rc = write_prepare(s, "INSERT INTO member_record(hash, record) VALUES(?1, ?2) ON CONFLICT DO NOTHING",
                           &own, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_blob(q, 1, bytes_of(hash->b, HASH_BYTES));
    db_bind_blob(q, 2, record);
    return db_write_end(s, own, db_run(q, e), e);
}

int members_each(struct store *s, int (*fn)(void *ctx, const struct hash *hash, struct bytes record),
                 void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    struct hash hash;
    int rc = db_prepare(s, "SELECT hash, record FROM member_record ORDER BY row", &q, e);
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        rc = db_hash(q, 0, &hash, e);
        rc = rc != 0 ? rc : fn(ctx, &hash, db_bytes(q, 1));
    }
    db_done(q);
    return rc;
}

int members_clear(struct store *s, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = db_exec(s, "DELETE FROM member_record; DELETE FROM frame; DELETE FROM quarantine", e);
    return db_write_end(s, own, rc, e);
}

/* ---- frames */

int frame_rows_drop(struct store *s, const struct id *log, uint64_t first, uint64_t last, struct err *e)
{
    struct stmt *q = NULL;
    bool own;
    int rc = write_prepare(
        s, "DELETE FROM frame WHERE log = ?1 AND last >= ?2 AND last <= ?3 AND first >= ?2", &own, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_id(q, 1, log);
    db_bind_int(q, 2, (int64_t)first);
    db_bind_int(q, 3, (int64_t)last);
    return db_write_end(s, own, db_run(q, e), e);
}

static int insert_row(struct store *s, const struct frame_row *row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "INSERT INTO frame(log, last, first, bare, header, body, signature, nonce)"
                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
                        &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_id(q, 1, &row->log);
    db_bind_int(q, 2, (int64_t)row->last);
    db_bind_int(q, 3, (int64_t)row->first);
    db_bind_int(q, 4, row->bare);
    db_bind_blob(q, 5, row->header);
    db_bind_blob(q, 6, bytes_of(row->body.b, HASH_BYTES));
    db_bind_blob(q, 7, bytes_of(row->kept.signature, SIGN_BYTES));
    if (row->whole) {
        db_bind_blob(q, 8, bytes_of(row->kept.nonce, AEAD_NONCE_BYTES));
    }
    return db_run(q, e);
}

int frame_rows_put(struct store *s, const struct frame_row *row, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = frame_rows_drop(s, &row->log, row->first, row->last, e);
    rc = rc != 0 ? rc : insert_row(s, row, e);
    return db_write_end(s, own, rc, e);
}

#define FRAME_COLUMNS "log, first, last, bare, header, body, signature, nonce"

static int read_row(struct stmt *q, struct frame_row *row, struct err *e)
{
    struct bytes signature = db_bytes(q, 6), nonce = db_bytes(q, 7);
    memset(row, 0, sizeof *row);
    row->first = (uint64_t)db_int(q, 1);
    row->last = (uint64_t)db_int(q, 2);
    row->bare = (uint32_t)db_int(q, 3);
    row->header = db_bytes(q, 4);
    row->whole = nonce.n > 0;
    int rc = db_id(q, 0, &row->log, e);
    rc = rc != 0 ? rc : db_hash(q, 5, &row->body, e);
    if (rc == 0 && (signature.n != SIGN_BYTES || row->header.n != FRAME_HEADER_BYTES ||
                    (row->whole && nonce.n != AEAD_NONCE_BYTES))) {
        rc = err_set(e, ERR_CORRUPT, "store: a frame of a wrong size");
    }
    if (rc == 0) {
        memcpy(row->kept.signature, signature.p, SIGN_BYTES);
        memcpy(row->kept.nonce, nonce.p != NULL ? nonce.p : row->kept.nonce, nonce.n);
    }
    return rc;
}

struct frame_look {
    const char *sql;
    uint64_t after;
    uint8_t *header;
    struct err *e;
};

/* Where the frame that holds an op of a log may be kept: with the log, with one that it branched off, or with
 * one that branched off it, whose first frame begins before that. */
static const char *const frames_at[] = {
    "SELECT " FRAME_COLUMNS
    " FROM frame WHERE log = ?1 AND last > ?2 AND first <= ?2 + 1 ORDER BY last LIMIT 1",
    "WITH RECURSIVE up(row, id, parent) AS (SELECT row, id, parent FROM log WHERE id = ?1"
    " UNION SELECT log.row, log.id, log.parent FROM up JOIN log ON log.row = up.parent)"
    " SELECT " FRAME_COLUMNS " FROM frame WHERE log IN (SELECT id FROM up) AND last > ?2 AND first <= ?2 + 1"
    " ORDER BY last LIMIT 1",
    "WITH RECURSIVE down(row, id) AS (SELECT row, id FROM log WHERE id = ?1"
    " UNION SELECT log.row, log.id FROM down JOIN log ON log.parent = down.row)"
    " SELECT " FRAME_COLUMNS
    " FROM frame WHERE log IN (SELECT id FROM down) AND last > ?2 AND first <= ?2 + 1"
    " AND ?2 < (SELECT seq FROM log WHERE id = ?1) ORDER BY last LIMIT 1",
};

/* 1, or 0: not there. */
static int frame_look(struct store *s, const struct id *log, struct frame_row *row, struct frame_look *at)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, at->sql, &q, at->e);
    if (rc == 0) {
        db_bind_id(q, 1, log);
        db_bind_int(q, 2, at->after < INT64_MAX ? (int64_t)at->after : INT64_MAX - 1);
        rc = db_step(q, at->e);
    }
    if (rc > 0) {
        int bad = read_row(q, row, at->e);
        rc = bad != 0 ? bad : 1;
    }
    if (rc > 0) {
        memcpy(at->header, row->header.p, FRAME_HEADER_BYTES);
        row->header = bytes_of(at->header, FRAME_HEADER_BYTES);
    }
    db_done(q);
    return rc;
}

int frame_rows_at(struct store *s, const struct id *log, uint64_t after, uint8_t header[FRAME_HEADER_BYTES],
                  struct frame_row *row, struct err *e)
{
    struct frame_look at = {.after = after, .header = header, .e = e};
    int rc = s->in_txn ? log_flush(s, e) : 0;
    for (size_t i = 0; rc == 0 && i < sizeof frames_at / sizeof *frames_at; i++) {
        at.sql = frames_at[i];
        rc = frame_look(s, log, row, &at);
    }
    if (rc == 0) {
        return err_set(e, ERR_NOTFOUND, "no frame holds the next op of the log");
    }
    return rc < 0 ? rc : 0;
}

int frame_rows_back(struct store *s, const struct id *log, int (*fn)(void *ctx, const struct frame_row *row),
                    void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    struct frame_row row;
    int rc = db_prepare(s, "SELECT " FRAME_COLUMNS " FROM frame WHERE log = ?1 ORDER BY last DESC", &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, log);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        rc = read_row(q, &row, e);
        rc = rc != 0 ? rc : fn(ctx, &row);
    }
    db_done(q);
    return rc > 0 ? 0 : rc;
}

int store_log_head(struct store *s, const struct id *log, uint64_t *seq, struct hash *chain, struct err *e)
{
    struct stmt *q = NULL;
    *seq = 0;
    chain_start(log, chain);
    int rc = s->in_txn ? log_flush(s, e) : 0;
    rc = rc != 0 ? rc : db_prepare(s, "SELECT seq, chain FROM log WHERE id = ?1", &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, log);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        *seq = (uint64_t)db_int(q, 0);
        rc = db_hash(q, 1, chain, e);
    }
    db_done(q);
    return rc;
}

/* ---- quarantine */

static int quarantine_trim(struct store *s, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        s, "DELETE FROM quarantine WHERE row NOT IN (SELECT row FROM quarantine ORDER BY row DESC LIMIT ?1)",
        &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, QUARANTINE_MAX);
    return db_run(q, e);
}

int quarantine_put(struct store *s, const struct quarantine_row *row, struct err *e)
{
    struct stmt *q = NULL;
    bool own;
    int rc = write_prepare(s,
                           "INSERT OR REPLACE INTO quarantine(log, device, first, count, time_ms, reason)"
                           " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                           &own, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_id(q, 1, &row->log);
    db_bind_id(q, 2, &row->device);
    db_bind_int(q, 3, (int64_t)(row->first & INT64_MAX));
    db_bind_int(q, 4, (int64_t)(row->count & INT64_MAX));
    db_bind_int(q, 5, row->time_ms);
    db_bind_text(q, 6, utf8_cut(row->reason, QUARANTINE_REASON_BYTES));
    rc = db_run(q, e);
    rc = rc != 0 ? rc : quarantine_trim(s, e);
    return db_write_end(s, own, rc, e);
}

int quarantine_each(struct store *s, int (*fn)(void *ctx, const struct quarantine_row *row), void *ctx,
                    struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT log, device, first, count, time_ms, reason FROM quarantine ORDER BY row",
                        &q, e);
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct quarantine_row row = {.first = (uint64_t)db_int(q, 2),
                                     .count = (uint64_t)db_int(q, 3),
                                     .time_ms = db_int(q, 4),
                                     .reason = db_bytes(q, 5)};
        rc = db_id(q, 0, &row.log, e);
        rc = rc != 0 ? rc : db_id(q, 1, &row.device, e);
        rc = rc != 0 ? rc : fn(ctx, &row);
    }
    db_done(q);
    return rc;
}

int quarantine_drop(struct store *s, const struct id *log, uint64_t seq, struct err *e)
{
    struct stmt *q = NULL;
    bool own;
    int rc = write_prepare(s, "DELETE FROM quarantine WHERE log = ?1 AND first <= ?2", &own, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_id(q, 1, log);
    db_bind_int(q, 2, (int64_t)(seq & INT64_MAX));
    return db_write_end(s, own, db_run(q, e), e);
}
