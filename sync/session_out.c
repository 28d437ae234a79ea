/* What is to be sent next, in this order: records, signs of life, trouble, acknowledgements, wishes, frames.
 */
#include "sync/sync_int.h"

#include "base/check.h"
#include "sync/group_int.h"

#include <string.h>

/* ---- HELLO */

static struct vector_entry entry_of(const struct ylog *l)
{
    struct vector_entry v = {.log = l->log, .seq = l->seq};
    memcpy(v.chain, l->chain.b, SYNC_CHAIN_BYTES);
    return v;
}

static bool is_told(const struct ylog *l)
{
    return !id_none(&l->device) && l->seq > 0;
}

/* Somebody who has never heard us, or does not answer, may not know us. */
static void put_intro(struct session *s, struct buf *b)
{
    struct buf intro;
    struct peer *p = s->initiator ? peers_get(s->y, &s->peer, true) : NULL;
    size_t room = SYNC_HELLO_MAX - b->n - 16;
    buf_init(&intro, SYNC_INTRO_BYTES);
    if (p && (p->last_seen_ms == 0 || p->unanswered))
        exchange_introduce(s->y, p->unanswered, room < SYNC_INTRO_BYTES ? room : SYNC_INTRO_BYTES, &intro);
    if (p)
        p->unanswered = true;
    put_hello_end(b, buf_view(&intro));
    buf_release(&intro);
}

void session_put_hello(struct session *s, struct buf *b)
{
    struct sync *y = s->y;
    struct hash heads[MEMBER_HEADS_MAX];
    struct hello_head h = {.run = y->run, .wall_ms = clock_wall_ms(y->env.clock), .heads = heads};
    group_id(y->env.group, &h.group);
    h.n_heads = group_heads(y->env.group, heads, MEMBER_HEADS_MAX);
    h.n_heads = h.n_heads < MEMBER_HEADS_MAX ? h.n_heads : MEMBER_HEADS_MAX;
    for (size_t i = 0; i < y->n_logs && h.n_logs < SYNC_LOGS_MAX; i++)
        h.n_logs += is_told(&y->logs[i]);
    put_hello(b, &h);
    for (size_t i = 0, n = 0; i < y->n_logs && n < h.n_logs; i++) {
        if (!is_told(&y->logs[i]))
            continue;
        struct vector_entry v = entry_of(&y->logs[i]);
        struct slog *l = slog_get(s, &v.log, true);
        v.lag = v.seq - peers_floor(y, &y->logs[i]);
        put_vector_entry(b, &v, true);
        n++;
        if (l)
            l->told = v.seq;
    }
    put_intro(s, b);
}

/* ---- small ones */

static bool put_life(struct session *s, struct buf *plain)
{
    if (s->pong_due) {
        put_ping(plain, MSG_PONG, s->pong);
        s->pong_due = false;
        return true;
    }
    if (!s->ping_due)
        return false;
    rng_fill(s->y->env.rng, &s->ping, sizeof s->ping);
    put_ping(plain, MSG_PING, s->ping);
    s->ping_due = false;
    s->pinged_ms = sync_now(s->y);
    return true;
}

static int put_fork_of(struct session *s, struct slog *l, struct buf *plain, struct err *e)
{
    const struct ylog *our = sync_log(s->y, &l->log);
    struct hash chain;
    uint64_t seq = our ? our->seq : 0;
    l->fork_due = false;
    seq = l->theirs > 0 && l->theirs < seq ? l->theirs : seq;
    if (seq == 0)
        return 0;
    int rc = sync_chain_at(s->y, our, seq, &chain, e);
    if (rc)
        return rc;
    struct vector_entry v = {.log = l->log, .seq = seq};
    memcpy(v.chain, chain.b, SYNC_CHAIN_BYTES);
    put_fork(plain, &v);
    return 0;
}

static int put_trouble(struct session *s, struct buf *plain, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && plain->n == 0 && i < s->n_logs; i++) {
        struct slog *l = &s->logs[i];
        if (l->stall_due) {
            put_stall(plain, &l->log, l->stall_seq, l->stall_reason);
            l->stall_due = false;
        } else if (l->fork_due) {
            rc = put_fork_of(s, l, plain, e);
        }
    }
    return rc;
}

/* ---- ACK, WANT */

static size_t count_news(struct session *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->y->n_logs; i++) {
        const struct ylog *our = &s->y->logs[i];
        struct slog *l = is_told(our) ? slog_get(s, &our->log, true) : NULL;
        n += l && l->told != our->seq && !l->forked;
    }
    return n < SYNC_LOGS_MAX ? n : SYNC_LOGS_MAX;
}

static bool put_news(struct session *s, struct buf *plain)
{
    size_t n = s->ack_due || s->greet ? count_news(s) : 0;
    bool due = n > 0 || s->greet || s->taken_bytes != s->told_bytes;
    s->ack_due = s->greet = false;
    if (!due)
        return false;
    put_ack(plain, s->taken_bytes, n);
    s->told_bytes = s->taken_bytes;
    for (size_t i = 0; i < s->y->n_logs && n > 0; i++) {
        const struct ylog *our = &s->y->logs[i];
        struct slog *l = is_told(our) ? slog_get(s, &our->log, false) : NULL;
        if (!l || l->told == our->seq || l->forked)
            continue;
        struct vector_entry v = entry_of(our);
        put_vector_entry(plain, &v, false);
        l->told = our->seq;
        n--;
    }
    return true;
}

/* Of a branch frames are to begin where it does: what lies before comes with the log that it branched off.
 * When that has not come (a gap), they are asked for from what there is of it. */
static uint64_t want_after(const struct sync *y, const struct slog *l)
{
    struct id root;
    uint64_t base;
    if (l->forked)
        return l->probe;
    group_log_root(y->env.group, &l->log, &root, &base);
    if (!l->gap || id_eq(&root, &l->log) || sync_log_const(y, &l->log))
        return sync_have(y, &l->log);
    const struct ylog *stem = sync_log_const(y, &root);
    uint64_t have = stem ? stem->seq : 0;
    return have < base ? have : base;
}

static bool put_wishes(struct session *s, struct buf *plain)
{
    size_t n = 0;
    slogs_plan(s, &s->plan_ms);
    for (size_t i = 0; i < s->n_logs; i++)
        n += s->logs[i].want_due;
    n = n < SYNC_LOGS_MAX ? n : SYNC_LOGS_MAX;
    if (n == 0)
        return false;
    put_want(plain, n);
    for (size_t i = 0; i < s->n_logs && n > 0; i++) {
        struct slog *l = &s->logs[i];
        if (!l->want_due)
            continue;
        put_want_entry(plain, &(struct want_entry){l->log, l->want_go, want_after(s->y, l)});
        l->want_due = false;
        n--;
    }
    return true;
}

/* ---- FRAMES */

static bool is_sendable(const struct session *s, const struct slog *l)
{
    const struct ylog *our = sync_log_const(s->y, &l->log);
    return l->wanted && !l->refused && !l->barren && our && !id_none(&our->device) && l->sent < our->seq;
}

/* A branch goes behind the log that it branched off. */
static bool stem_waits(struct session *s, const struct slog *l)
{
    const struct ylog *our = sync_log_const(s->y, &l->log);
    const struct slog *stem = id_eq(&our->root, &our->log) ? NULL : slog_get(s, &our->root, false);
    return stem && is_sendable(s, stem);
}

/* Frames of one log; a frame that does not fit waits for the next message. */
static int put_frames_of(struct session *s, struct slog *l, struct buf *plain, struct err *e)
{
    struct sync *y = s->y;
    int rc = 0;
    put_frames(plain, &l->log);
    size_t head = plain->n;
    while (is_sendable(s, l) && plain->n < SYNC_BATCH_BYTES) {
        struct frame_want w = {l->log, l->sent, SYNC_PLAIN_MAX - SYNC_AROUND_BYTES - plain->n, &s->peer};
        uint64_t last;
        buf_clear(&y->frame);
        rc = frames_next(&y->frames, &w, &y->frame, &last, e);
        if (rc)
            break;
        wr_lenbytes(plain, buf_view(&y->frame));
        l->sent = last;
    }
    if (rc == ERR_NOTFOUND || rc == ERR_ATTENTION)
        l->barren = true;
    if (rc == ERR_NOTFOUND || rc == ERR_ATTENTION || rc == ERR_LIMIT)
        rc = 0;
    if (plain->n == head)
        buf_clear(plain);
    return rc;
}

static int put_any_frames(struct session *s, struct buf *plain, struct err *e)
{
    int rc = 0;
    if (!s->answered || s->at_queue < s->n_queue || !group_is_active(s->y->env.group, &s->peer))
        return 0;
    if (s->sent_bytes - s->acked_bytes + SYNC_PLAIN_MAX > SYNC_WINDOW_BYTES)
        return 0;
    for (size_t i = 0; rc == 0 && plain->n == 0 && i < s->n_logs; i++) {
        if (is_sendable(s, &s->logs[i]) && !stem_waits(s, &s->logs[i]))
            rc = put_frames_of(s, &s->logs[i], plain, e);
    }
    s->sent_bytes += plain->n;
    return rc;
}

bool session_next(struct session *s, struct buf *plain)
{
    struct err e = ERR_INIT;
    if (exchange_output(s, plain))
        return true;
    if (s->farewell) {
        session_fail(s, BYE_REMOVED, ERR_CANCELLED, "the peer was removed from the group");
        return false;
    }
    if (s->dismissed)
        return false;
    if (put_life(s, plain))
        return true;
    int rc = put_trouble(s, plain, &e);
    if (rc == 0 && plain->n == 0 && !put_news(s, plain) && !put_wishes(s, plain))
        rc = put_any_frames(s, plain, &e);
    if (rc) {
        buf_clear(plain);
        session_fail(s, BYE_STORAGE, rc, e.text);
    }
    return plain->n > 0;
}
