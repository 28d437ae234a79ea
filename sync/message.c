/* Messages as bytes. Each decoder reads as the table of its message in PROTOCOL.md, and walks its list once
 * so that nobody has to check it again. */
#include "sync/message.h"

#include "base/text.h"
#include "base/time.h"
#include "sync/frames.h"

#include <string.h>

_Static_assert(FRAME_WIRE_MAX + SYNC_AROUND_BYTES <= SYNC_PLAIN_MAX, "a frame fits a message");
_Static_assert(MEMBER_RECORD_BYTES_MAX + SYNC_AROUND_BYTES <= SYNC_PLAIN_MAX, "a record fits a message");
/* The handshake's messages hold a hello: 96 bytes around it at most. */
_Static_assert(SYNC_LOGS_MAX *(16u + 10 + SYNC_CHAIN_BYTES + 10) + SYNC_HEADS_MAX * 32 + 64 <= 65535u - 96,
               "a hello fits");

const char *bye_text(uint8_t reason)
{
    static const char *const texts[BYE_REASONS] = {
        "it is done",
        "it could not make sense of a message",
        "it speaks no version of the protocol that is spoken here",
        "this device was removed from the group",
        "another connection with it goes on",
        "two machines use the key of this device",
        "it cannot use its store",
        "the session was old enough for new keys",
        "it heard nothing for too long",
    };
    return reason < BYE_REASONS ? texts[reason] : "for a reason that is not known here";
}

const char *stall_text(uint8_t reason)
{
    switch (reason) {
    case STALL_REFUSED:
        return "a frame does not verify";
    case STALL_UNKNOWN:
        return "a frame's log or key is not known there yet";
    case STALL_VERSION:
        return "a frame is of a newer version";
    default:
        return "a frame is not taken";
    }
}

/* ---- reading */

static void fail(struct rd *r, int rc)
{
    if (!r->err)
        r->err = rc;
}

static void read_id(struct rd *r, struct id *out)
{
    rd_copy(r, out->b, ID_BYTES);
}

/* n hashes, ascending. */
static void read_hashes(struct rd *r, struct msg *m, size_t max)
{
    m->n_hashes = rd_varint(r);
    if (m->n_hashes > max)
        fail(r, ERR_LIMIT);
    if (r->err)
        return;
    m->hashes = rd_bytes(r, (size_t)m->n_hashes * HASH_BYTES);
    for (size_t i = 1; !r->err && i < m->n_hashes; i++) {
        const uint8_t *p = m->hashes.p + i * HASH_BYTES;
        if (memcmp(p - HASH_BYTES, p, HASH_BYTES) >= 0)
            fail(r, ERR_FORMAT);
    }
}

static void read_entry(struct rd *r, bool lag, struct vector_entry *v)
{
    read_id(r, &v->log);
    v->seq = rd_varint(r);
    rd_copy(r, v->chain, SYNC_CHAIN_BYTES);
    v->lag = lag ? rd_varint(r) : 0;
    if (!r->err && (v->seq == 0 || v->seq > INT64_MAX || v->lag > v->seq))
        fail(r, ERR_FORMAT);
}

static void read_want(struct rd *r, struct want_entry *w)
{
    read_id(r, &w->log);
    uint64_t n = rd_varint(r);
    w->go = n > 0;
    w->after = n > 0 ? n - 1 : 0;
    if (w->after > INT64_MAX)
        fail(r, ERR_FORMAT);
}

/* Counts are checked against what is left before anything is walked: an entry has 17 bytes at least. */
static size_t read_count(struct rd *r)
{
    uint64_t n = rd_varint(r);
    if (n > SYNC_LOGS_MAX)
        fail(r, ERR_LIMIT);
    return r->err ? 0 : (size_t)n;
}

static void ascend(struct rd *r, struct id *last, const struct id *log, bool first)
{
    if (!r->err && !first && id_cmp(last, log) >= 0)
        fail(r, ERR_FORMAT);
    *last = *log;
}

static void read_vector(struct rd *r, struct msg *m)
{
    struct id last = ID_NONE;
    m->n = read_count(r);
    m->items = bytes_of(r->p, rd_left(r));
    for (size_t i = 0; i < m->n && !r->err; i++) {
        struct vector_entry v;
        read_entry(r, m->kind == MSG_HELLO, &v);
        ascend(r, &last, &v.log, i == 0);
    }
    m->items.n -= rd_left(r);
}

static void read_wants(struct rd *r, struct msg *m)
{
    struct id last = ID_NONE;
    m->n = read_count(r);
    if (m->n == 0)
        fail(r, ERR_FORMAT);
    m->items = bytes_of(r->p, rd_left(r));
    for (size_t i = 0; i < m->n && !r->err; i++) {
        struct want_entry w;
        read_want(r, &w);
        ascend(r, &last, &w.log, i == 0);
    }
}

static void read_items(struct rd *r, struct msg *m, size_t max)
{
    m->items = bytes_of(r->p, rd_left(r));
    while (rd_left(r) > 0 && !r->err) {
        if (rd_lenbytes(r, max).n == 0)
            fail(r, ERR_FORMAT);
        m->n++;
    }
}

static void walk_items(struct rd *r, struct bytes items)
{
    struct rd in;
    rd_init(&in, items);
    while (rd_left(&in) > 0 && !in.err) {
        if (rd_lenbytes(&in, MEMBER_RECORD_BYTES_MAX).n == 0)
            fail(r, ERR_FORMAT);
    }
    if (in.err)
        fail(r, in.err);
}

static void read_hello(struct rd *r, struct msg *m)
{
    m->version = rd_u8(r);
    m->least = rd_u8(r);
    if (m->least == 0 || m->least > m->version)
        fail(r, ERR_FORMAT);
    read_id(r, &m->group);
    rd_copy(r, m->run, SYNC_RUN_BYTES);
    uint64_t wall = rd_u64(r);
    m->wall_ms = (int64_t)(wall & INT64_MAX);
    if (wall > (uint64_t)LIMIT_TIME_MS_MAX)
        fail(r, ERR_FORMAT);
    read_hashes(r, m, SYNC_HEADS_MAX);
    read_vector(r, m);
    m->intro = rd_lenbytes(r, SYNC_INTRO_BYTES);
    walk_items(r, m->intro);
    (void)rd_lenbytes(r, SYNC_EXTRA_BYTES);
}

static void read_log_seq(struct rd *r, struct msg *m)
{
    read_id(r, &m->log);
    m->seq = rd_varint(r);
    if (m->seq == 0 || m->seq > INT64_MAX)
        fail(r, ERR_FORMAT);
}

static void read_flags(struct rd *r, struct msg *m, uint8_t known)
{
    m->flags = rd_u8(r);
    if (m->flags & ~known)
        fail(r, ERR_FORMAT);
}

static void read_text(struct rd *r, struct msg *m)
{
    m->reason = rd_u8(r);
    m->text = rd_lenbytes(r, SYNC_BYE_BYTES);
    if (!r->err && !utf8_valid(m->text))
        fail(r, ERR_FORMAT);
}

static void read_body(struct rd *r, struct msg *m)
{
    switch ((enum msg_kind)m->kind) {
    case MSG_HELLO:
        read_hello(r, m);
        break;
    case MSG_HAVES:
        read_flags(r, m, HAVES_AGAIN);
        read_hashes(r, m, SYNC_HAVES_MAX);
        break;
    case MSG_RECORDS:
        read_flags(r, m, RECORDS_END | RECORDS_ALL);
        read_items(r, m, MEMBER_RECORD_BYTES_MAX);
        break;
    case MSG_WANT:
        read_wants(r, m);
        break;
    case MSG_FRAMES:
        read_id(r, &m->log);
        read_items(r, m, FRAME_WIRE_MAX);
        if (m->n == 0)
            fail(r, ERR_FORMAT);
        break;
    case MSG_ACK:
        m->taken = rd_varint(r);
        read_vector(r, m);
        break;
    case MSG_STALL:
        read_log_seq(r, m);
        m->reason = rd_u8(r);
        break;
    case MSG_FORK:
        read_log_seq(r, m);
        rd_copy(r, m->chain, SYNC_CHAIN_BYTES);
        break;
    case MSG_PING:
    case MSG_PONG:
        m->nonce = rd_u32(r);
        break;
    case MSG_BYE:
        read_text(r, m);
        break;
    case MSG_SKIPPABLE:
        break;
    }
}

int msg_decode(struct bytes in, struct msg *m, struct err *e)
{
    struct rd r;
    memset(m, 0, sizeof *m);
    if (in.n > SYNC_PLAIN_MAX)
        return err_set(e, ERR_LIMIT, "message of %zu bytes", in.n);
    rd_init(&r, in);
    m->kind = rd_u8(&r);
    if (r.err)
        return err_set(e, ERR_FORMAT, "empty message");
    if (m->kind >= MSG_SKIPPABLE)
        return 0;
    if (m->kind == 0 || m->kind > MSG_BYE)
        return err_set(e, ERR_VERSION, "message of an unknown kind %u", (unsigned)m->kind);
    read_body(&r, m);
    int rc = rd_end(&r);
    return rc ? err_set(e, rc, "malformed message of kind %u", (unsigned)m->kind) : 0;
}

bool msg_vector_next(const struct msg *m, struct rd *r, struct vector_entry *out)
{
    if (rd_left(r) == 0)
        return false;
    read_entry(r, m->kind == MSG_HELLO, out);
    return r->err == 0;
}

bool msg_want_next(struct rd *r, struct want_entry *out)
{
    if (rd_left(r) == 0)
        return false;
    read_want(r, out);
    return r->err == 0;
}

bool msg_item_next(struct rd *r, struct bytes *out)
{
    if (rd_left(r) == 0)
        return false;
    *out = rd_lenbytes(r, SYNC_PLAIN_MAX);
    return r->err == 0;
}

void msg_hash(const struct msg *m, size_t i, struct hash *out)
{
    memcpy(out->b, m->hashes.p + i * HASH_BYTES, HASH_BYTES);
}

/* ---- writing */

static void put_hashes(struct buf *b, const struct hash *hashes, size_t n)
{
    wr_varint(b, n);
    for (size_t i = 0; i < n; i++)
        wr_bytes(b, bytes_of(hashes[i].b, HASH_BYTES));
}

static void put_log(struct buf *b, const struct id *log)
{
    wr_bytes(b, bytes_of(log->b, ID_BYTES));
}

void put_hello(struct buf *b, const struct hello_head *h)
{
    int64_t wall = h->wall_ms < 0 ? 0 : h->wall_ms;
    wr_u8(b, MSG_HELLO);
    wr_u8(b, SYNC_VERSION);
    wr_u8(b, SYNC_VERSION_LEAST);
    put_log(b, &h->group);
    wr_bytes(b, bytes_of(h->run, SYNC_RUN_BYTES));
    wr_u64(b, (uint64_t)(wall > LIMIT_TIME_MS_MAX ? LIMIT_TIME_MS_MAX : wall));
    put_hashes(b, h->heads, h->n_heads);
    wr_varint(b, h->n_logs);
}

void put_hello_end(struct buf *b, struct bytes intro)
{
    wr_lenbytes(b, intro);
    wr_lenbytes(b, BYTES_NONE);
}

void put_vector_entry(struct buf *b, const struct vector_entry *v, bool lag)
{
    put_log(b, &v->log);
    wr_varint(b, v->seq);
    wr_bytes(b, bytes_of(v->chain, SYNC_CHAIN_BYTES));
    if (lag)
        wr_varint(b, v->lag);
}

void put_haves(struct buf *b, uint8_t flags, const struct hash *hashes, size_t n)
{
    wr_u8(b, MSG_HAVES);
    wr_u8(b, flags);
    put_hashes(b, hashes, n);
}

void put_records(struct buf *b, uint8_t flags)
{
    wr_u8(b, MSG_RECORDS);
    wr_u8(b, flags);
}

void put_want(struct buf *b, size_t n)
{
    wr_u8(b, MSG_WANT);
    wr_varint(b, n);
}

void put_want_entry(struct buf *b, const struct want_entry *w)
{
    put_log(b, &w->log);
    wr_varint(b, w->go ? w->after + 1 : 0);
}

void put_frames(struct buf *b, const struct id *log)
{
    wr_u8(b, MSG_FRAMES);
    put_log(b, log);
}

void put_ack(struct buf *b, uint64_t taken, size_t n)
{
    wr_u8(b, MSG_ACK);
    wr_varint(b, taken);
    wr_varint(b, n);
}

void put_stall(struct buf *b, const struct id *log, uint64_t seq, uint8_t reason)
{
    wr_u8(b, MSG_STALL);
    put_log(b, log);
    wr_varint(b, seq);
    wr_u8(b, reason);
}

void put_fork(struct buf *b, const struct vector_entry *v)
{
    wr_u8(b, MSG_FORK);
    put_vector_entry(b, v, false);
}

void put_ping(struct buf *b, enum msg_kind kind, uint32_t nonce)
{
    wr_u8(b, (uint8_t)kind);
    wr_u32(b, nonce);
}

void put_bye(struct buf *b, uint8_t reason, struct bytes text)
{
    wr_u8(b, MSG_BYE);
    wr_u8(b, reason);
    wr_lenbytes(b, utf8_cut(text, SYNC_BYE_BYTES));
}
