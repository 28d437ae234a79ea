/* Splitting moves rows: op.row carries the row of its log, so the ops behind the place get the new row's
 * number, frames the new log's id, and branches that hung further up hang on the new one. Nothing is merged
 * anew: the stamps name the root before and after. */
#include "store/branch.h"

#include "base/check.h"
#include "base/cursor.h"
#include "crypto/hash.h"
#include "store/members.h"
#include "store/store_int.h"

#include <string.h>

#define BRANCH_LABEL "selfsame branch 1"

void log_branch_id(const struct log_split *at, const struct hash *next, struct id *out)
{
    uint8_t seq[8];
    struct hash h;
    for (size_t i = 0; i < 8; i++) {
        seq[i] = (uint8_t)((at->seq + 1) >> (56 - 8 * i));
    }
    hash_parts(&h,
               (struct bytes[]){BYTES_LIT(BRANCH_LABEL), bytes_of(at->root.b, ID_BYTES), bytes_of(seq, 8),
                                bytes_of(next->b, HASH_BYTES)},
               4);
    memcpy(out->b, h.b, ID_BYTES);
}

/* ---- reading */

static int take_hash(void *ctx, const struct op_record *r)
{
    *(struct hash *)ctx = r->hash;
    return 1;
}

int store_op_hash(struct store *s, const struct id *log, uint64_t seq, struct hash *out, struct err *e)
{
    CHECK(seq > 0);
    int rc = store_ops(s, log, seq - 1, 1, take_hash, out, e);
    return rc == 0  ? err_set(e, ERR_NOTFOUND, "op %llu of a log is not here", (unsigned long long)seq)
           : rc > 0 ? 0
                    : rc;
}

static int chain_op(void *ctx, const struct op_record *r)
{
    chain_next(ctx, &r->hash);
    return 0;
}

/* From the frame that holds the op on: its header has the chain before its first. */
int store_chain_at(struct store *s, const struct log_head *log, uint64_t seq, struct hash *out, struct err *e)
{
    uint8_t bytes[FRAME_HEADER_BYTES];
    struct frame_row row;
    struct frame_header h;
    uint64_t from = 0;
    CHECK(seq <= log->seq);
    *out = log->chain;
    if (seq == log->seq) {
        return 0;
    }
    chain_start(&log->root, out);
    int rc = seq > 0 ? frame_rows_at(s, &log->log, seq - 1, bytes, &row, e) : ERR_NOTFOUND;
    if (rc == 0 && frame_header_decode(row.header, &h, NULL) == 0) {
        from = h.first - 1;
        *out = h.before;
    }
    if (rc != 0 && rc != ERR_NOTFOUND) {
        return rc;
    }
    return store_ops(s, &log->log, from, seq - from, chain_op, out, e);
}

/* ---- looking for the place */

struct looking {
    struct store *s;
    const struct log_split *at;
    struct log_head found;
    bool any;
    struct err *e;
};

/* A log of the family to which the ops right behind the place belong, or that ends there. */
static bool covers(const struct log_head *h, const struct log_split *at)
{
    bool is_root = id_eq(&h->log, &h->root);
    return id_eq(&h->root, &at->root) && h->seq >= at->seq && (is_root || h->base < at->seq);
}

static int look(void *ctx, const struct log_head *h)
{
    struct looking *l = ctx;
    struct hash chain;
    if (!covers(h, l->at)) {
        return 0;
    }
    int rc = store_chain_at(l->s, h, l->at->seq, &chain, l->e);
    if (rc == 0 && memcmp(chain.b, l->at->chain.b, HASH_BYTES) == 0) {
        l->found = *h;
        l->any = true;
        return 1;
    }
    return rc;
}

static int find_log(struct store *s, const struct log_split *at, struct looking *l, struct err *e)
{
    *l = (struct looking){.s = s, .at = at, .e = e};
    int rc = store_logs(s, look, l, e);
    return rc > 0 ? 0 : rc;
}

/* ---- splitting */

struct row_update {
    int64_t from, to; /* rows of log */
    uint64_t seq;
};

static int run_update(struct store *s, const char *sql, const struct row_update *u, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, u->from);
    db_bind_int(q, 2, u->to);
    db_bind_int(q, 3, (int64_t)u->seq);
    return db_run(q, e);
}

static int insert_branch(struct store *s, const struct row_update *u, const struct id *id, struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "INSERT INTO log(id, device, seq, chain, hlc, root, parent, base, closed)"
                   " SELECT ?1, device, seq, chain, hlc, coalesce(root, id), row, ?3, closed AND seq > ?3"
                   " FROM log"
                   " WHERE row = ?2",
                   &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_id(q, 1, id);
    db_bind_int(q, 2, u->from);
    db_bind_int(q, 3, (int64_t)u->seq);
    return db_run(q, e);
}

static int end_log(struct store *s, int64_t row, const struct log_split *at, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "UPDATE log SET seq = ?2, chain = ?3, closed = 1 WHERE row = ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    db_bind_int(q, 2, (int64_t)at->seq);
    db_bind_blob(q, 3, bytes_of(at->chain.b, HASH_BYTES));
    return db_run(q, e);
}

/* Everything of the log behind the place goes to the branch that begins there. */
static int move_rest(struct store *s, const struct looking *l, struct row_update *u, struct err *e)
{
    static const char *const moves[] = {
        "UPDATE log SET parent = ?2 WHERE parent = ?1 AND base > ?3 AND row <> ?2",
        "UPDATE op SET row = (?2 << 40) | (row & 1099511627775)"
        " WHERE row > ((?1 << 40) | ?3) AND row < ((?1 + 1) << 40)",
        "UPDATE frame SET log = (SELECT id FROM log WHERE row = ?2)"
        " WHERE log = (SELECT id FROM log WHERE row = ?1) AND last > ?3",
    };
    struct hash first, next = l->at->chain;
    struct id id;
    int rc = store_op_hash(s, &l->found.log, l->at->seq + 1, &first, e);
    if (rc != 0) {
        return rc;
    }
    chain_next(&next, &first);
    log_branch_id(l->at, &next, &id);
    rc = insert_branch(s, u, &id, e);
    u->to = sqlite3_last_insert_rowid(s->db);
    for (size_t i = 0; rc == 0 && i < sizeof moves / sizeof *moves; i++) {
        rc = run_update(s, moves[i], u, e);
    }
    return rc;
}

static int split(struct store *s, const struct looking *l, bool *changed, struct err *e)
{
    struct row_update u = {.seq = l->at->seq};
    int rc = log_make(s, &l->found.log, &u.from, e); /* its row */
    if (rc == 0 && l->found.seq > l->at->seq) {
        *changed = true;
        rc = move_rest(s, l, &u, e);
    }
    rc = rc != 0 ? rc : end_log(s, u.from, l->at, e);
    rc = rc != 0 ? rc : quarantine_drop(s, &l->found.log, INT64_MAX, e);
    log_forget_cache(s);
    return rc;
}

int store_split(struct store *s, const struct log_split *at, bool *changed, struct err *e)
{
    struct looking l;
    bool own;
    *changed = false;
    int rc = s->in_txn ? log_flush(s, e) : 0;
    rc = rc != 0 ? rc : find_log(s, at, &l, e);
    if (rc != 0 || !l.any || (l.found.closed && l.found.seq == at->seq)) {
        return rc;
    }
    rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = split(s, &l, changed, e);
    db_poison(s, rc);
    return db_write_end(s, own, rc, e);
}

/* ---- receiving into one */

static int make_branch(struct store *s, const struct log_split *at, const struct hash *next, struct err *e)
{
    struct looking l;
    struct row_update u = {.seq = at->seq};
    struct id id;
    log_branch_id(at, next, &id);
    int rc = log_flush(s, e);
    if (rc == 0 && at->seq == 0) { /* branched before its first op, of which nothing may be here */
        rc = log_make(s, &at->root, &u.from, e);
    } else if (rc == 0) {
        rc = find_log(s, at, &l, e);
        if (rc == 0 && (!l.any || l.found.seq != at->seq)) {
            rc = err_set(e, ERR_NOTFOUND, "no log ends where a branch begins");
        }
        rc = rc != 0 ? rc : log_make(s, &l.found.log, &u.from, e);
    }
    rc = rc != 0 ? rc : end_log(s, u.from, at, e);
    rc = rc != 0 ? rc : insert_branch(s, &u, &id, e);
    log_forget_cache(s);
    return rc;
}

int store_branch(struct store *s, const struct log_split *at, const struct hash *next, struct err *e)
{
    struct id id;
    struct hash chain;
    uint64_t seq;
    bool own;
    log_branch_id(at, next, &id);
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = store_log_head(s, &id, &seq, &chain, e);
    if (rc == 0 && seq == 0) {
        rc = make_branch(s, at, next, e);
        db_poison(s, rc);
    }
    return db_write_end(s, own, rc, e);
}
