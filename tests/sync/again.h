/* A decoded message written again from its fields, for encode ∘ decode = identity. */
#ifndef TESTS_SYNC_AGAIN_H
#define TESTS_SYNC_AGAIN_H

#include "base/check.h"
#include "sync/message.h"

#include <string.h>

static inline size_t again_hashes(const struct msg *m, struct hash *out)
{
    for (size_t i = 0; i < m->n_hashes; i++)
        msg_hash(m, i, &out[i]);
    return (size_t)m->n_hashes;
}

static inline void again_vector(const struct msg *m, struct buf *out)
{
    struct vector_entry v;
    struct rd r;
    rd_init(&r, m->items);
    while (msg_vector_next(m, &r, &v))
        put_vector_entry(out, &v, m->kind == MSG_HELLO);
}

static inline void again_items(struct bytes items, struct buf *out)
{
    struct bytes item;
    struct rd r;
    rd_init(&r, items);
    while (msg_item_next(&r, &item))
        wr_lenbytes(out, item);
}

static inline void again_hello(const struct msg *m, struct buf *out)
{
    struct hash heads[SYNC_HEADS_MAX];
    struct hello_head h = {.group = m->group, .run = m->run, .wall_ms = m->wall_ms, .heads = heads};
    h.n_heads = again_hashes(m, heads);
    h.n_logs = (size_t)m->n;
    put_hello(out, &h);
    again_vector(m, out);
    put_hello_end(out, m->intro);
}

static inline void again_want(const struct msg *m, struct buf *out)
{
    struct want_entry w;
    struct rd r;
    put_want(out, (size_t)m->n);
    rd_init(&r, m->items);
    while (msg_want_next(&r, &w))
        put_want_entry(out, &w);
}

/* Nothing for a kind that is skipped. A hello comes out as this version writes it, without extras. */
static inline void again(const struct msg *m, struct buf *out)
{
    struct hash hashes[SYNC_HAVES_MAX];
    struct vector_entry v = {.log = m->log, .seq = m->seq};
    memcpy(v.chain, m->chain, SYNC_CHAIN_BYTES);
    switch ((enum msg_kind)m->kind) {
    case MSG_HELLO:
        again_hello(m, out);
        break;
    case MSG_HAVES:
        put_haves(out, m->flags, hashes, again_hashes(m, hashes));
        break;
    case MSG_RECORDS:
        put_records(out, m->flags);
        again_items(m->items, out);
        break;
    case MSG_WANT:
        again_want(m, out);
        break;
    case MSG_FRAMES:
        put_frames(out, &m->log);
        again_items(m->items, out);
        break;
    case MSG_ACK:
        put_ack(out, m->taken, (size_t)m->n);
        again_vector(m, out);
        break;
    case MSG_STALL:
        put_stall(out, &m->log, m->seq, m->reason);
        break;
    case MSG_FORK:
        put_fork(out, &v);
        break;
    case MSG_PING:
    case MSG_PONG:
        put_ping(out, (enum msg_kind)m->kind, m->nonce);
        break;
    case MSG_BYE:
        put_bye(out, m->reason, m->text);
        break;
    case MSG_SKIPPABLE:
        break;
    }
}

#endif
