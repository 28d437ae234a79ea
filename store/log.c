/* Logs: appending, receiving, verifying, reading, and holding back what is dated too far ahead.
 *
 * An op is a row of `op` with row = log.row << 40 | seq, so that a log is a range of rows and appending
 * writes at its end. `log` holds the head of each: it is kept in memory within a transaction and written
 * once, at commit (log_flush).
 *
 * The first op of a log of ours names its device: SPACE_GROUP, id = the log's id, REG_VALUE = the device's id
 * as text. So which device a log belongs to is a function of the ops, too. Only the log itself can say it,
 * and only at seq 1.
 */
#include "store/op_int.h"
#include "store/store_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/branch.h"
#include "store/hlc.h"

#include <string.h>

#define SEQ_MAX ((UINT64_C(1) << OP_LOG_SHIFT) - 1)
#define LOG_ROWS_MAX (INT64_C(1) << 22)

static int64_t op_row(int64_t log_row, uint64_t seq)
{
    return (log_row << OP_LOG_SHIFT) | (int64_t)seq;
}

static uint64_t row_seq(int64_t row)
{
    return (uint64_t)row & SEQ_MAX;
}

void store_use_log(struct store *s, const struct id *log, const struct id *device)
{
    CHECK(!s->in_txn);
    s->has_log = true;
    s->own_log = *log;
    s->own_device = *device;
    log_forget_cache(s);
}

void log_forget_cache(struct store *s)
{
    memset(&s->own, 0, sizeof s->own);
    memset(&s->other, 0, sizeof s->other);
    s->hlc_loaded = false;
}

/* ---- heads */

static int head_load(struct store *s, struct log_state *l, const struct id *id, struct err *e)
{
    memset(l, 0, sizeof *l);
    struct stmt *q = NULL;
    l->root = *id;
    int rc =
        db_prepare(s, "SELECT row, seq, chain, coalesce(root, id), closed FROM log WHERE id = ?1", &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, id);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        l->row = db_int(q, 0);
        l->seq = (uint64_t)db_int(q, 1);
        l->closed = db_int(q, 4) != 0;
        rc = db_hash(q, 2, &l->chain, e);
        rc = rc != 0 ? rc : db_id(q, 3, &l->root, e);
    } else if (rc == 0) {
        chain_start(id, &l->chain);
    }
    db_done(q);
    l->id = *id;
    l->loaded = rc == 0;
    return rc;
}

static int head_write(struct store *s, struct log_state *l, struct err *e)
{
    if (!l->dirty) {
        return 0;
    }
    struct stmt *q = NULL;
    int rc = db_prepare(s, "UPDATE log SET seq = ?2, chain = ?3, hlc = max(hlc, ?4) WHERE row = ?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, l->row);
        db_bind_int(q, 2, (int64_t)l->seq);
        db_bind_blob(q, 3, bytes_of(l->chain.b, HASH_BYTES));
        db_bind_int(q, 4, hlc_to_sql(l->hlc));
        rc = db_run(q, e);
    }
    l->dirty = rc != 0;
    return rc;
}

int log_flush(struct store *s, struct err *e)
{
    int rc = head_write(s, &s->own, e);
    return rc != 0 ? rc : head_write(s, &s->other, e);
}

/* The cached head of a log: ours, or the one received into last. */
static int head_of(struct store *s, const struct id *id, struct log_state **out, struct err *e)
{
    bool is_own = s->has_log && id_eq(id, &s->own_log);
    struct log_state *l = is_own ? &s->own : &s->other;
    *out = l;
    if (l->loaded && id_eq(&l->id, id)) {
        return 0;
    }
    int rc = head_write(s, l, e);
    return rc != 0 ? rc : head_load(s, l, id, e);
}

static int head_make_row(struct store *s, struct log_state *l, struct err *e)
{
    return l->row != 0 ? 0 : log_make(s, &l->id, &l->row, e);
}

static int64_t log_row_of(struct store *s, const struct id *log, struct err *e)
{
    struct stmt *q = NULL;
    int64_t row = 0;
    int rc = db_prepare(s, "SELECT row FROM log WHERE id = ?1", &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, log);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        row = db_int(q, 0);
        rc = 0;
    }
    db_done(q);
    return rc != 0 ? rc : row;
}

int log_make(struct store *s, const struct id *log, int64_t *row, struct err *e)
{
    struct stmt *q = NULL;
    struct hash chain;
    int64_t there = log_row_of(s, log, e);
    *row = there;
    if (there != 0) {
        return there < 0 ? (int)there : 0;
    }
    int rc = db_prepare(s, "INSERT INTO log(id, seq, chain, hlc) VALUES(?1, 0, ?2, ?3)", &q, e);
    if (rc == 0) {
        chain_start(log, &chain);
        db_bind_id(q, 1, log);
        db_bind_blob(q, 2, bytes_of(chain.b, HASH_BYTES));
        db_bind_int(q, 3, hlc_to_sql(0));
        rc = db_run(q, e);
    }
    if (rc == 0) {
        *row = sqlite3_last_insert_rowid(s->db);
        rc = *row < LOG_ROWS_MAX ? 0 : err_set(e, ERR_LIMIT, "too many logs");
    }
    return rc;
}

/* ---- appending */

struct append {
    const uint8_t *salt; /* NULL: erased */
    struct bytes body;
    const struct hash *hash;
    uint64_t hlc;
    int64_t entity; /* 0: none known */
    int flags;
};

static int append_row(struct store *s, const struct log_state *l, const struct append *a, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        s, "INSERT INTO op(row, entity, flags, hlc, salt, hash, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", &q,
        e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, op_row(l->row, l->seq + 1));
    if (a->entity != 0) {
        db_bind_int(q, 2, a->entity);
    }
    db_bind_int(q, 3, a->flags);
    db_bind_blob(q, 6, bytes_of(a->hash->b, HASH_BYTES));
    if (a->hlc != 0) {
        db_bind_int(q, 4, hlc_to_sql(a->hlc));
    }
    if (a->salt != NULL) {
        db_bind_blob(q, 5, bytes_of(a->salt, SALT_BYTES));
        db_bind_blob(q, 7, a->body);
    }
    return db_run(q, e);
}

static int append(struct store *s, struct log_state *l, const struct append *a, struct err *e)
{
    int rc = l->seq < SEQ_MAX ? append_row(s, l, a, e) : err_set(e, ERR_LIMIT, "the log is full");
    if (rc != 0) {
        return rc;
    }
    l->seq++;
    chain_next(&l->chain, a->hash);
    l->dirty = true;
    if ((a->flags & OP_HELD) == 0 && a->hlc > l->hlc) {
        l->hlc = a->hlc;
    }
    return 0;
}

static int clock_load(struct store *s, struct err *e)
{
    if (s->hlc_loaded) {
        return 0;
    }
    int64_t v;
    int rc = db_query_int(s, "SELECT max(hlc) FROM log", &v, e);
    s->hlc = rc == 0 && v != 0 ? hlc_from_sql(v) : 0; /* no log: NULL reads as 0 */
    s->hlc_loaded = rc == 0;
    return rc;
}

/* ---- writing to our log */

static void log_salt(struct store *s, uint8_t out[SALT_BYTES])
{
    if (s->salts_left == 0) {
        rng_fill(s->rng, s->salts, sizeof s->salts);
        s->salts_left = sizeof s->salts;
    }
    s->salts_left -= SALT_BYTES;
    memcpy(out, s->salts + s->salts_left, SALT_BYTES);
    mem_wipe(s->salts + s->salts_left, SALT_BYTES);
}

static int write_encoded(struct store *s, const struct op *op, struct err *e)
{
    struct bytes body = buf_view(&s->op_buf);
    uint8_t salt[SALT_BYTES];
    log_salt(s, salt);
    struct merge m = {.op = op, .log = s->own_log, .own = true};
    op_hash(salt, body, &m.hash);
    int rc = merge_op(s, &m, e);
    if (rc != 0) {
        return rc;
    }
    struct append a = {.salt = salt,
                       .body = body,
                       .hash = &m.hash,
                       .hlc = op->hlc,
                       .entity = m.entity,
                       .flags = op_forgets(op) ? OP_FORGET : 0};
    rc = append(s, &s->own, &a, e);
    db_poison(s, rc);
    s->hlc = rc == 0 ? op->hlc : s->hlc;
    return rc;
}

static int write_draft(struct store *s, const struct draft *d, int64_t wall_ms, struct err *e)
{
    uint64_t hlc = hlc_next(s->hlc, wall_ms);
    struct op op;
    buf_clear(&s->op_buf);
    int rc = draft_encode_op(d, hlc, &s->op_buf, &op);
    return rc == 0 ? write_encoded(s, &op, e) : err_set(e, rc, "an op cannot be written");
}

static int set_device(struct store *s, const struct log_state *l, const struct id *device, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "UPDATE log SET device = ?2 WHERE row = ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, l->row);
    db_bind_id(q, 2, device);
    return db_run(q, e);
}

/* The op that opens a log of ours. */
static int open_log(struct store *s, int64_t wall_ms, struct err *e)
{
    char device[ID_TEXT + 1];
    id_text(&s->own_device, device);
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_GROUP, CLASS_IMPORT, &s->own_log);
    draft_reg(&d, REG_VALUE, bytes_str(device), NULL, 0);
    int rc = head_make_row(s, &s->own, e);
    if (rc == 0) {
        rc = write_draft(s, &d, wall_ms, e);
    }
    draft_release(&d);
    return rc != 0 ? rc : set_device(s, &s->own, &s->own_device, e);
}

int store_write(struct store *s, const struct draft *d, struct err *e)
{
    return store_write_at(s, d, clock_wall_ms(s->clock), e);
}

int store_write_at(struct store *s, const struct draft *d, int64_t wall_ms, struct err *e)
{
    CHECK(s->has_log);
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    struct log_state *l;
    rc = head_of(s, &s->own_log, &l, e);
    if (rc == 0 && l->closed) {
        rc = err_set(e, ERR_ATTENTION, "this device's log had gone on elsewhere and was closed");
        err_hint(e, "run the command again: a new log is opened");
    }
    if (rc == 0) {
        rc = clock_load(s, e);
    }
    if (rc == 0 && l->seq == 0) {
        rc = open_log(s, wall_ms, e);
        db_poison(s, rc);
    }
    if (rc == 0) {
        rc = write_draft(s, d, wall_ms, e);
    }
    return db_write_end(s, own, rc, e);
}

/* ---- receiving */

/* The device that a log names in its first op, if it is one that opens it. */
static bool opens_log(const struct op *op, const struct id *log, struct id *device)
{
    size_t at = 0;
    struct action a;
    if (op->space != SPACE_GROUP || !id_eq(&op->id, log)) {
        return false;
    }
    while (op_action(op, &at, &a)) {
        struct reg_write w;
        if (a.tag == REG_VALUE) {
            action_reg(&a, &w);
            return id_parse(w.value, device) == 0;
        }
    }
    return false;
}

static int compare_stored(struct store *s, const struct op_record *r, struct err *e)
{
    struct hash have;
    int rc = store_op_hash(s, &r->log, r->seq, &have, e);
    if (rc != 0) {
        return rc == ERR_NOTFOUND ? err_set(e, ERR_CORRUPT, "an op is missing in a log") : rc;
    }
    return memcmp(have.b, r->hash.b, HASH_BYTES) == 0
               ? err_set(e, ERR_EXISTS, "op %llu of the log is here already", (unsigned long long)r->seq)
               : err_set(e, ERR_VERIFY, "op %llu of the log differs from ours: a fork",
                         (unsigned long long)r->seq);
}

static int check_received(struct store *s, const struct log_state *l, const struct op_record *r,
                          struct err *e)
{
    if (r->seq == 0 || r->seq > SEQ_MAX) {
        return err_set(e, ERR_FORMAT, "an op with a sequence number out of range");
    }
    if (r->seq <= l->seq) {
        return compare_stored(s, r, e);
    }
    if (r->seq != l->seq + 1) {
        return err_set(e, ERR_NOTFOUND, "op %llu comes after %llu: a gap", (unsigned long long)r->seq,
                       (unsigned long long)l->seq);
    }
    if (l->closed) {
        return err_set(e, ERR_VERIFY, "op %llu comes behind the end of a log that branched",
                       (unsigned long long)r->seq);
    }
    struct hash h;
    if (r->op.n > 0) {
        op_hash(r->salt, r->op, &h);
        if (memcmp(h.b, r->hash.b, HASH_BYTES) != 0) {
            return err_set(e, ERR_VERIFY, "op %llu does not match its hash", (unsigned long long)r->seq);
        }
    }
    return 0;
}

static int receive_merged(struct store *s, struct log_state *l, const struct op_record *r,
                          const struct op *op, struct err *e)
{
    struct append a = {.salt = r->salt, .body = r->op, .hash = &r->hash, .hlc = op->hlc};
    struct merge m = {.op = op, .log = l->root, .hash = r->hash};
    struct id device;
    int rc = 0;
    a.flags = op_forgets(op) ? OP_FORGET : 0;
    if (hlc_is_ahead(op->hlc, clock_wall_ms(s->clock))) {
        a.flags |= OP_HELD;
    } else {
        rc = merge_op(s, &m, e);
        a.entity = m.entity;
        a.salt = m.erase ? NULL : a.salt;
        s->hlc = rc == 0 ? hlc_merge(s->hlc, op->hlc) : s->hlc;
    }
    if (rc == 0) {
        rc = append(s, l, &a, e);
    }
    if (rc == 0 && r->seq == 1 && opens_log(op, &l->root, &device)) {
        rc = set_device(s, l, &device, e);
    }
    return rc;
}

static int receive(struct store *s, const struct op_record *r, struct err *e)
{
    struct log_state *l;
    struct op op;
    int rc = head_of(s, &r->log, &l, e);
    if (rc == 0) {
        rc = check_received(s, l, r, e);
    }
    if (rc == 0 && r->op.n > 0) {
        rc = op_decode(r->op, &op, e);
    }
    if (rc == 0) {
        rc = clock_load(s, e);
    }
    if (rc != 0) {
        return rc; /* nothing was changed */
    }
    rc = head_make_row(s, l, e);
    if (rc == 0 && r->op.n == 0) {
        rc = append(s, l, &(struct append){.hash = &r->hash}, e);
    } else if (rc == 0) {
        rc = receive_merged(s, l, r, &op, e);
    }
    db_poison(s, rc);
    return rc;
}

int store_receive(struct store *s, const struct op_record *r, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = receive(s, r, e);
    return db_write_end(s, own, rc, e);
}

/* ---- held ops */

struct due {
    int64_t row;
    uint64_t hlc;
    struct merge m;
};

/* The earliest held op, its body in op_buf: 1, or 0 when there is none. */
static int first_held(struct store *s, struct due *d, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "SELECT op.row, op.hlc, op.hash, op.body, coalesce(log.root, log.id) FROM op JOIN "
                        "log ON log.row = op.row >> 40"
                        " WHERE flags & 1 ORDER BY op.hlc LIMIT 1",
                        &q, e);
    if (rc == 0) {
        rc = db_step(q, e);
    }
    if (rc > 0) {
        *d = (struct due){.row = db_int(q, 0), .hlc = hlc_from_sql(db_int(q, 1))};
        buf_clear(&s->op_buf);
        int bad = buf_bytes(&s->op_buf, db_bytes(q, 3));
        bad = bad != 0 ? err_set(e, bad, "a held op") : db_hash(q, 2, &d->m.hash, e);
        bad = bad != 0 ? bad : db_id(q, 4, &d->m.log, e);
        rc = bad != 0 ? bad : rc;
    }
    db_done(q);
    return rc;
}

static int mark_merged(struct store *s, const struct due *d, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "UPDATE op SET flags = flags & ~1, entity = ?2, salt = iif(?3, NULL, salt),"
                        " body = iif(?3, NULL, body) WHERE row = ?1",
                        &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, d->row);
        db_bind_int(q, 2, d->m.entity);
        db_bind_int(q, 3, d->m.erase);
        rc = db_run(q, e);
    }
    if (rc == 0) {
        rc = db_prepare(s, "UPDATE log SET hlc = max(hlc, ?2) WHERE row = ?1 >> 40", &q, e);
    }
    if (rc == 0) {
        db_bind_int(q, 1, d->row);
        db_bind_int(q, 2, hlc_to_sql(d->hlc));
        rc = db_run(q, e);
    }
    return rc;
}

static int release_one(struct store *s, struct due *d, struct err *e)
{
    struct op op;
    int rc = op_decode(buf_view(&s->op_buf), &op, e);
    if (rc == 0) {
        d->m.op = &op;
        rc = merge_op(s, &d->m, e);
    }
    if (rc == 0) {
        rc = mark_merged(s, d, e);
    }
    s->hlc = rc == 0 ? hlc_merge(s->hlc, d->hlc) : s->hlc;
    return rc;
}

static int release_due(struct store *s, size_t *released, int64_t *next_ms, struct err *e)
{
    struct due d;
    int64_t last = 0;
    int rc = clock_load(s, e);
    while (rc == 0 && (rc = first_held(s, &d, e)) > 0) {
        if (d.row == last) {
            return err_set(e, ERR_CORRUPT, "the index of held ops is damaged");
        }
        last = d.row;
        if (hlc_is_ahead(d.hlc, clock_wall_ms(s->clock))) {
            *next_ms = hlc_ms(d.hlc) - LIMIT_DRIFT_MS;
            return 0;
        }
        rc = release_one(s, &d, e);
        *released += rc == 0;
    }
    return rc;
}

int store_release_held(struct store *s, size_t *released, int64_t *next_ms, struct err *e)
{
    *released = 0;
    *next_ms = TIME_NONE;
    int64_t any;
    int rc = db_query_int(s, "SELECT 1 FROM op WHERE flags & 1 LIMIT 1", &any, e);
    bool own;
    if (rc != 0 || any == 0) {
        return rc;
    }
    rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = release_due(s, released, next_ms, e);
    db_poison(s, rc);
    return db_write_end(s, own, rc, e);
}

/* ---- reading */

static int64_t ahead_of(struct store *s, struct stmt *q, int column)
{
    if (db_is_null(q, column)) {
        return 0;
    }
    int64_t ahead = hlc_ms(hlc_from_sql(db_int(q, column))) - clock_wall_ms(s->clock);
    return ahead > 0 ? ahead : 0;
}

int store_logs(struct store *s, int (*fn)(void *ctx, const struct log_head *h), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc = s->in_txn ? log_flush(s, e) : 0;
    if (rc == 0) {
        rc = db_prepare(s,
                        "SELECT id, device, seq, chain, (SELECT count(*) FROM op WHERE flags & 1 AND op.row "
                        ">> 40 = log.row),"
                        " (SELECT max(hlc) FROM op WHERE flags & 1 AND op.row >> 40 = log.row),"
                        " coalesce(root, id), base, hlc, closed FROM log"
                        " WHERE seq > 0 ORDER BY id",
                        &q, e);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct log_head h = {
            .seq = (uint64_t)db_int(q, 2), .held = (uint64_t)db_int(q, 4), .ahead_ms = ahead_of(s, q, 5)};
        rc = db_id(q, 0, &h.log, e);
        rc = rc != 0 || db_is_null(q, 1) ? rc : db_id(q, 1, &h.device, e);
        rc = rc != 0 ? rc : db_hash(q, 3, &h.chain, e);
        rc = rc != 0 ? rc : db_id(q, 6, &h.root, e);
        h.base = (uint64_t)db_int(q, 7);
        h.closed = db_int(q, 9) != 0;
        h.newest_ms = hlc_ms(hlc_from_sql(db_int(q, 8)));
        rc = rc != 0 ? rc : fn(ctx, &h);
    }
    db_done(q);
    return rc;
}

int log_record(struct stmt *q, struct op_record *r, struct err *e)
{
    r->op = db_bytes(q, 3);
    struct bytes salt = db_bytes(q, 1);
    r->seq = row_seq(db_int(q, 0));
    if ((r->op.n > 0) != (salt.n == SALT_BYTES)) {
        return err_set(e, ERR_CORRUPT, "op %llu of a log has no whole salt", (unsigned long long)r->seq);
    }
    memset(r->salt, 0, SALT_BYTES);
    if (salt.n == SALT_BYTES) {
        memcpy(r->salt, salt.p, SALT_BYTES);
    }
    return db_hash(q, 2, &r->hash, e);
}

struct reading {
    struct store *s;
    struct op_record r;
    uint64_t to;
    int (*fn)(void *ctx, const struct op_record *r);
    void *ctx;
    struct err *e;
};

static int read_own(struct reading *x, int64_t log_row, uint64_t from, uint64_t to)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        x->s, "SELECT row, salt, hash, body FROM op WHERE row > ?1 AND row <= ?2 ORDER BY row", &q, x->e);
    if (rc == 0) {
        db_bind_int(q, 1, op_row(log_row, from));
        db_bind_int(q, 2, op_row(log_row, to));
    }
    while (rc == 0 && (rc = db_step(q, x->e)) > 0) {
        rc = log_record(q, &x->r, x->e);
        rc = rc != 0 ? rc : x->fn(x->ctx, &x->r);
    }
    db_done(q);
    return rc;
}

/* The log that a row branched off and behind which op; *parent 0: it did not. */
static int branched_off(struct store *s, int64_t log_row, int64_t *parent, uint64_t *base, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT parent, base FROM log WHERE row = ?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, log_row);
        rc = db_step(q, e);
    }
    *parent = rc > 0 ? db_int(q, 0) : 0;
    *base = rc > 0 ? (uint64_t)db_int(q, 1) : 0;
    db_done(q);
    return rc < 0 ? rc : 0;
}

/* Ops (from, x->to], first those of the logs that it branched off: each step goes on at a log nearer to the
 * asked one. */
static int read_lineage(struct reading *x, int64_t log_row, uint64_t from)
{
    int rc = 0;
    while (rc == 0 && from < x->to) {
        int64_t at = log_row, parent;
        uint64_t base, end = x->to;
        while ((rc = branched_off(x->s, at, &parent, &base, x->e)) == 0 && parent != 0 && from < base) {
            at = parent;
            end = base < end ? base : end;
        }
        rc = rc != 0 ? rc : read_own(x, at, from, end);
        from = end;
    }
    return rc;
}

int store_ops(struct store *s, const struct id *log, uint64_t from, uint64_t max,
              int (*fn)(void *ctx, const struct op_record *r), void *ctx, struct err *e)
{
    struct reading x = {.s = s, .r = {.log = *log}, .fn = fn, .ctx = ctx, .e = e};
    int64_t log_row = log_row_of(s, log, e);
    if (log_row <= 0 || from >= SEQ_MAX) {
        return log_row < 0 ? (int)log_row : 0;
    }
    x.to = max < SEQ_MAX - from ? from + max : SEQ_MAX;
    return read_lineage(&x, log_row, from);
}

/* ---- verifying */

struct verify {
    struct hash chain;
    uint64_t seq;
    struct err *e;
    struct store *s;
};

static int verify_op(void *ctx, const struct op_record *r)
{
    struct verify *v = ctx;
    char log[ID_TEXT + 1];
    struct hash h = r->hash;
    if (r->op.n > 0) {
        op_hash(r->salt, r->op, &h);
    }
    if (r->seq != v->seq + 1 || memcmp(h.b, r->hash.b, HASH_BYTES) != 0) {
        id_text(&r->log, log);
        return err_set(v->e, ERR_VERIFY, "log %s, op %llu: %s", log, (unsigned long long)v->seq + 1,
                       r->seq != v->seq + 1 ? "is missing" : "does not match its hash");
    }
    v->seq++;
    chain_next(&v->chain, &h);
    return 0;
}

static int verify_log(void *ctx, const struct log_head *h)
{
    struct verify *v = ctx;
    v->seq = 0;
    chain_start(&h->root, &v->chain);
    int rc = store_ops(v->s, &h->log, 0, SEQ_MAX, verify_op, v, v->e);
    if (rc == 0 && (v->seq != h->seq || memcmp(v->chain.b, h->chain.b, HASH_BYTES) != 0)) {
        char log[ID_TEXT + 1];
        id_text(&h->log, log);
        rc = err_set(v->e, ERR_VERIFY, "log %s, op %llu: the chain does not end as recorded", log,
                     (unsigned long long)v->seq);
    }
    return rc;
}

int store_verify(struct store *s, struct err *e)
{
    struct verify v = {.s = s, .e = e};
    return store_logs(s, verify_log, &v, e);
}
