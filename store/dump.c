/* The canonical dump of everything merged, and its digest. What the bytes are: store/FORMAT.md. The digest is
 * a function of the ops merged, so it is remembered together with the heads of the logs (and how many of
 * their ops are held) that it was computed from, in memory and, where the store may be written, in the
 * database.
 */
#include "store/store_int.h"

#include "base/cursor.h"
#include "base/limits.h"

#include <string.h>

/* Pieces are handed on when they reach this. */
#define PIECE_BYTES 16384

struct dumper {
    struct store *s;
    struct err *e;
    struct entity *x;
    struct buf piece;
    int (*fn)(void *ctx, struct bytes piece);
    void *ctx;
};

static int hand_on(struct dumper *d, size_t at_least)
{
    if (d->piece.err != 0) {
        return err_set(d->e, d->piece.err, "dumping the store");
    }
    int rc = d->piece.n >= at_least && d->piece.n > 0 ? d->fn(d->ctx, buf_view(&d->piece)) : 0;
    if (d->piece.n >= at_least) {
        buf_clear(&d->piece);
    }
    return rc;
}

static int event_count(struct dumper *d, int64_t row, uint64_t *n)
{
    struct stmt *q = NULL;
    *n = 0;
    int rc = db_prepare(d->s, "SELECT count(*) FROM event WHERE entity = ?1", &q, d->e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
        rc = db_step(q, d->e);
    }
    if (rc > 0) {
        *n = (uint64_t)db_int(q, 0);
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

static int dump_events(struct dumper *d, int64_t row)
{
    uint64_t n;
    struct stmt *q = NULL;
    int rc = event_count(d, row, &n);
    wr_varint(&d->piece, n);
    if (rc != 0 || n == 0) {
        return rc;
    }
    rc = db_prepare(d->s, "SELECT key, against, time FROM event WHERE entity = ?1 ORDER BY key, against", &q,
                    d->e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
    }
    while (rc == 0 && (rc = db_step(q, d->e)) > 0) {
        wr_bytes(&d->piece, db_bytes(q, 0));
        wr_u8(&d->piece, (uint8_t)db_int(q, 1));
        wr_svarint(&d->piece, db_int(q, 2));
        rc = hand_on(d, PIECE_BYTES);
    }
    db_done(q);
    return rc;
}

static int dump_row(struct dumper *d, struct stmt *q)
{
    int rc = entity_load(d->s, db_int(q, 0), d->x, d->e);
    if (rc <= 0) {
        return rc;
    }
    wr_u8(&d->piece, (uint8_t)db_int(q, 1));
    wr_bytes(&d->piece, db_bytes(q, 2));
    rc = entity_dump(d->x, &d->piece);
    if (rc == 0) {
        rc = dump_events(d, db_int(q, 0));
    }
    return rc != 0 ? rc : hand_on(d, PIECE_BYTES);
}

static int dump_all(struct dumper *d)
{
    struct stmt *q = NULL;
    wr_bytes(&d->piece, BYTES_LIT("selfsame dump 1"));
    int rc = db_prepare(d->s, "SELECT row, space, id FROM entity ORDER BY space, id", &q, d->e);
    while (rc == 0 && (rc = db_step(q, d->e)) > 0) {
        rc = dump_row(d, q);
    }
    db_done(q);
    return rc != 0 ? rc : hand_on(d, 0);
}

int store_dump(struct store *s, int (*fn)(void *ctx, struct bytes piece), void *ctx, struct err *e)
{
    struct dumper d = {.s = s, .e = e, .x = entity_new(), .fn = fn, .ctx = ctx};
    buf_init(&d.piece, LIMIT_ENTITY_BYTES + PIECE_BYTES);
    int rc = d.x != NULL ? dump_all(&d) : err_set(e, ERR_NOMEM, "dumping the store");
    buf_release(&d.piece);
    entity_free(d.x);
    return rc;
}

/* ---- digest */

static int hash_head(void *ctx, const struct log_head *h)
{
    uint8_t held[8];
    for (size_t i = 0; i < sizeof held; i++) {
        held[i] = (uint8_t)(h->held >> (8 * i));
    }
    hasher_update(ctx, bytes_of(h->log.b, ID_BYTES));
    hasher_update(ctx, bytes_of(h->chain.b, HASH_BYTES));
    hasher_update(ctx, bytes_of(held, sizeof held));
    return 0;
}

static int hash_piece(void *ctx, struct bytes piece)
{
    hasher_update(ctx, piece);
    return 0;
}

static int heads_hash(struct store *s, struct hash *out, struct err *e)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, HASH_BYTES);
    int rc = store_logs(s, hash_head, &h, e);
    hasher_final(&h, out->b, HASH_BYTES);
    return rc;
}

/* What the database remembers, if it is of these heads. */
static int digest_recall(struct store *s, const struct hash *heads, struct err *e)
{
    struct buf v;
    bool found;
    buf_init(&v, 2 * HASH_BYTES);
    int rc = meta_get(s, "digest", &v, &found, e);
    if (rc == 0 && found && v.n == 2 * HASH_BYTES && memcmp(v.p, heads->b, HASH_BYTES) == 0) {
        memcpy(s->digest.b, v.p + HASH_BYTES, HASH_BYTES);
        s->digest_of = *heads;
        s->digest_known = true;
    }
    buf_release(&v);
    return rc;
}

static int digest_compute(struct store *s, const struct hash *heads, struct err *e)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, HASH_BYTES);
    int rc = store_dump(s, hash_piece, &h, e);
    if (rc != 0) {
        return rc;
    }
    hasher_final(&h, s->digest.b, HASH_BYTES);
    s->digest_of = *heads;
    s->digest_known = true;
    if (s->read_only || s->in_txn) {
        return 0;
    }
    uint8_t both[2 * HASH_BYTES];
    memcpy(both, heads->b, HASH_BYTES);
    memcpy(both + HASH_BYTES, s->digest.b, HASH_BYTES);
    return meta_set(s, "digest", bytes_of(both, sizeof both), e);
}

int store_digest(struct store *s, struct hash *out, struct err *e)
{
    struct hash heads;
    int rc = heads_hash(s, &heads, e);
    bool known = s->digest_known && memcmp(heads.b, s->digest_of.b, HASH_BYTES) == 0;
    if (rc == 0 && !known) {
        s->digest_known = false;
        rc = digest_recall(s, &heads, e);
    }
    if (rc == 0 && !s->digest_known) {
        rc = digest_compute(s, &heads, e);
    }
    if (rc == 0) {
        *out = s->digest;
    }
    return rc;
}
