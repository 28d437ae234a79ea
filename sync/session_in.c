/* What a message does. Frames are put aside as they come and taken together, in one transaction of bounded
 * size: when enough have come, before a message that may depend on them, or when the driver asks for output.
 */
#include "sync/sync_int.h"

#include "base/check.h"
#include "store/members.h"
#include "sync/group_int.h"

#include <stdio.h>
#include <string.h>

/* Different ones; what is beyond is found the next time. */
#define FORKS_AT_ONCE 4

/* ---- one frame */

struct taking {
    struct session *s;
    uint64_t ops;
    struct log_fork forks[FORKS_AT_ONCE]; /* found in the frames of one transaction */
    size_t n_forks;
    struct err *e;
};

static int quarantine(struct taking *t, struct slog *l, const struct frame_result *r, const char *why)
{
    const struct ylog *our = sync_log(t->s->y, &l->log);
    uint64_t next = (our ? our->seq : 0) + 1;
    bool read = r->count > 0 && r->first > 0;
    struct quarantine_row row = {.log = l->log,
                                 .device = read ? r->device : t->s->peer,
                                 .first = read ? r->first : next,
                                 .count = read ? r->count : 0,
                                 .time_ms = clock_wall_ms(t->s->y->env.clock),
                                 .reason = bytes_str(why)};
    l->stalled = true;
    l->asked = l->want_due = false;
    l->stall_seq = read ? r->first + (r->count - 1) : next;
    return quarantine_put(t->s->y->env.store, &row, t->e);
}

static void note_fork(struct taking *t, const struct log_fork *fork)
{
    for (size_t i = 0; i < t->n_forks; i++) {
        if (memcmp(&t->forks[i], fork, sizeof *fork) == 0)
            return;
    }
    if (t->n_forks < FORKS_AT_ONCE)
        t->forks[t->n_forks++] = *fork;
}

/* Its ops come again as those of a branch, once the group knows of it. */
static int on_forked(struct taking *t, struct slog *l, const struct frame_result *r)
{
    if (r->exact) {
        note_fork(t, &r->fork);
        return 0;
    }
    if (l->forked)
        slog_look_back(l, r->first);
    return slog_fork(t->s, l, t->e);
}

static int refuse(struct taking *t, struct slog *l, const struct frame_result *r, const struct err *why)
{
    if (r->gap) {
        l->want_due = l->want_due || !l->gap;
        l->want_go = l->gap = true;
        return 0;
    }
    if (r->forked)
        return on_forked(t, l, r);
    int rc = quarantine(t, l, r, why->text);
    l->stall_due = true;
    l->stall_reason = why->code == ERR_NOTFOUND  ? STALL_UNKNOWN
                      : why->code == ERR_VERSION ? STALL_VERSION
                                                 : STALL_REFUSED;
    return rc;
}

static int take_frame(struct taking *t, const struct id *log, struct bytes wire)
{
    struct err why = ERR_INIT;
    struct frame_result r;
    struct id root;
    uint64_t base;
    struct slog *l = slog_get(t->s, log, true);
    if (!l)
        return err_set(t->e, ERR_LIMIT, "the peer names too many logs");
    if (l->stalled)
        return 0;
    int rc = frames_receive(&t->s->y->frames, wire, &r, &why);
    if (rc && sync_is_storage(rc)) {
        if (t->e)
            *t->e = why;
        return rc;
    }
    group_log_root(t->s->y->env.group, log, &root, &base);
    if (r.count > 0 && !id_eq(&r.log, &root))
        return err_set(t->e, ERR_FORMAT, "a frame of another log than the message says");
    if (rc && rc != ERR_EXISTS)
        return refuse(t, l, &r, &why);
    t->ops += r.ops;
    l->gap = false;
    l->touched = true;
    return 0;
}

/* ---- the inbox */

static int take_message(struct taking *t, struct bytes plain)
{
    struct msg m;
    struct bytes wire;
    struct rd r;
    int rc = msg_decode(plain, &m, t->e);
    CHECK(rc == 0); /* it was read when it came */
    rd_init(&r, m.items);
    while (rc == 0 && msg_item_next(&r, &wire))
        rc = take_frame(t, &m.log, wire);
    return rc;
}

static int take_all(struct taking *t)
{
    struct bytes plain;
    struct rd r;
    int rc = 0;
    rd_init(&r, buf_view(&t->s->inbox));
    while (rc == 0 && msg_item_next(&r, &plain)) {
        rc = take_message(t, plain);
        t->s->taken_bytes += plain.n;
    }
    return rc;
}

/* Another session's log that had stalled is past that place now. */
static void unstall(struct session *s)
{
    for (size_t i = 0; i < s->n_logs; i++) {
        struct slog *l = &s->logs[i];
        const struct ylog *our = l->stalled ? sync_log(s->y, &l->log) : NULL;
        if (!our || our->seq < l->stall_seq)
            continue;
        l->stalled = l->stall_due = false;
        l->want_due = l->want_go = l->asked = true;
    }
}

/* What cannot be a branch stays out: the log is frozen between the two. */
static int give_up(struct taking *t, const struct log_fork *fork, const char *why)
{
    struct slog *l = slog_get(t->s, &fork->at.root, true);
    struct frame_result r = {.first = fork->at.seq + 1, .count = 1};
    uint64_t cut;
    if (!l)
        return err_set(t->e, ERR_LIMIT, "the peer names too many logs");
    (void)group_log(t->s->y->env.group, &fork->at.root, &r.device, &cut);
    int rc = slog_fork(t->s, l, t->e);
    l->want_due = false;
    rc = rc ? rc : quarantine(t, l, &r, why);
    l->stalled = false;
    return rc;
}

static int tell_group(struct taking *t)
{
    struct sync *y = t->s->y;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->n_forks; i++) {
        struct err why = ERR_INIT;
        rc = group_fork(y->env.group, &t->forks[i], clock_wall_ms(y->env.clock), &why);
        if (rc && !sync_is_storage(rc))
            rc = give_up(t, &t->forks[i], why.text);
        else if (rc)
            (void)err_set(t->e, rc, "%s", why.text);
    }
    return rc || t->n_forks == 0 ? rc : sync_regroup(y, t->e);
}

static int refresh(struct taking *t)
{
    struct sync *y = t->s->y;
    bool branched = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->s->n_logs; i++) {
        struct slog *l = &t->s->logs[i];
        struct id root;
        uint64_t base;
        if (!l->touched)
            continue;
        l->touched = false;
        group_log_root(y->env.group, &l->log, &root, &base);
        branched = branched || group_has_splits(y->env.group, &root);
        rc = sync_refresh_log(y, &l->log, t->e);
    }
    return rc || !branched ? rc : sync_refresh(y, t->e); /* ops of one may be another one's */
}

static int taken(struct taking *t)
{
    struct sync *y = t->s->y;
    int rc = refresh(t);
    rc = rc ? rc : tell_group(t);
    for (struct session *s = y->sessions; s; s = s->next) {
        s->ack_due = true;
        unstall(s);
        for (size_t i = 0; i < s->n_logs; i++)
            s->logs[i].barren = false;
    }
    if (rc == 0 && t->ops > 0 && y->env.merged)
        y->env.merged(y->env.ctx, t->ops);
    return rc;
}

int session_apply(struct session *s, struct err *e)
{
    struct taking t = {.s = s, .e = e};
    if (s->inbox.n == 0)
        return 0;
    int rc = store_begin(s->y->env.store, e);
    if (rc == 0) {
        rc = take_all(&t);
        if (rc)
            store_rollback(s->y->env.store);
        else
            rc = store_commit(s->y->env.store, e);
    }
    buf_release(&s->inbox);
    return rc ? rc : taken(&t);
}

static int put_aside(struct session *s, struct bytes plain, struct err *e)
{
    wr_lenbytes(&s->inbox, plain);
    if (s->inbox.err)
        return err_set(e, s->inbox.err, "taking frames");
    return s->inbox.n >= SYNC_INBOX_BYTES ? session_apply(s, e) : 0;
}

/* ---- the other messages */

static int on_want(struct session *s, const struct msg *m, struct err *e)
{
    struct want_entry w;
    struct rd r;
    rd_init(&r, m->items);
    while (msg_want_next(&r, &w)) {
        struct slog *l = slog_get(s, &w.log, true);
        if (!l)
            return err_set(e, ERR_LIMIT, "the peer names too many logs");
        l->wanted = w.go;
        if (w.go) {
            l->sent = w.after;
            l->refused = 0;
            l->barren = false;
        }
    }
    return 0;
}

static int on_stall(struct session *s, const struct msg *m, struct err *e)
{
    struct slog *l = slog_get(s, &m->log, true);
    if (!l)
        return err_set(e, ERR_LIMIT, "the peer names too many logs");
    l->refused = m->reason ? m->reason : STALL_REFUSED;
    return 0;
}

/* Believed when our own chain says so. */
static int on_fork(struct session *s, const struct msg *m, struct err *e)
{
    struct sync *y = s->y;
    const struct ylog *our = sync_log(y, &m->log);
    struct slog *l = slog_get(s, &m->log, true);
    struct hash chain;
    if (!l)
        return err_set(e, ERR_LIMIT, "the peer names too many logs");
    if (!our || m->seq > our->seq)
        return 0;
    int rc = sync_chain_at(y, our, m->seq, &chain, e);
    if (rc || memcmp(chain.b, m->chain, SYNC_CHAIN_BYTES) == 0)
        return rc;
    rc = slog_fork(s, l, e);
    l->fork_due = false; /* it knows */
    return rc;
}

static int on_pong(struct session *s, const struct msg *m)
{
    if (s->pinged_ms == TIME_NONE || m->nonce != s->ping)
        return 0;
    s->pinged_ms = TIME_NONE;
    if (!s->suspect)
        return 0;
    /* Both the old run and the new one of this device are there. */
    for (struct session *o = s->y->sessions; o; o = o->next) {
        if (o != s && o->state == SESSION_OPEN && o->has_peer && id_eq(&o->peer, &s->peer))
            session_fail(o, BYE_CLONED, ERR_CANCELLED, "two machines use the key of this peer");
    }
    return session_fail(s, BYE_CLONED, ERR_CANCELLED, "two machines use the key of this peer");
}

static int on_bye(struct session *s, const struct msg *m, struct err *e)
{
    if (m->reason == BYE_CLONED)
        sync_fault(s->y, IDENTITY_CLONED);
    return err_set(e, ERR_CANCELLED, "the peer ended the session: %s", bye_text(m->reason));
}

static int dispatch(struct session *s, const struct msg *m, struct err *e)
{
    switch ((enum msg_kind)m->kind) {
    case MSG_HAVES:
        return exchange_haves(s, m, e);
    case MSG_RECORDS:
        return exchange_records(s, m, e);
    case MSG_WANT:
        return on_want(s, m, e);
    case MSG_ACK:
        return slogs_ack(s, m, e);
    case MSG_STALL:
        return on_stall(s, m, e);
    case MSG_FORK:
        return on_fork(s, m, e);
    case MSG_PING:
        s->pong_due = true;
        s->pong = m->nonce;
        return 0;
    case MSG_PONG:
        return on_pong(s, m);
    case MSG_BYE:
        return on_bye(s, m, e);
    case MSG_FRAMES:
    case MSG_HELLO:
    case MSG_SKIPPABLE:
        break;
    }
    return err_set(e, ERR_FORMAT, "a message out of place (kind %u)", (unsigned)m->kind);
}

int session_message(struct session *s, struct bytes plain, struct err *e)
{
    struct msg m;
    int rc = msg_decode(plain, &m, e);
    if (rc || m.kind >= MSG_SKIPPABLE)
        return rc;
    if (s->farewell)
        return m.kind == MSG_BYE ? on_bye(s, &m, e) : 0;
    if (s->dismissed && m.kind != MSG_RECORDS && m.kind != MSG_BYE)
        return err_set(e, ERR_FORMAT, "a message out of place (kind %u)", (unsigned)m.kind);
    if (m.kind == MSG_FRAMES)
        return put_aside(s, plain, e);
    if (m.kind != MSG_PING && m.kind != MSG_PONG && m.kind != MSG_ACK)
        rc = session_apply(s, e);
    return rc ? rc : dispatch(s, &m, e);
}

/* ---- HELLO */

int session_hello(struct session *s, const struct msg *m, struct err *e)
{
    struct sync *y = s->y;
    struct id group;
    group_id(y->env.group, &group);
    if (m->version < SYNC_VERSION_LEAST || m->least > SYNC_VERSION)
        return err_set(e, ERR_VERSION,
                       "the peer speaks versions %u to %u of the protocol, this device %u to %u",
                       (unsigned)m->least, (unsigned)m->version, SYNC_VERSION_LEAST, SYNC_VERSION);
    if (!id_eq(&group, &m->group))
        return err_set(e, ERR_FORMAT, "the peer is of another group");
    memcpy(s->run, m->run, SYNC_RUN_BYTES);
    s->offset_ms = m->wall_ms - clock_wall_ms(y->env.clock);
    if (s->farewell)
        return exchange_farewell(s, m, e);
    int rc = sync_seal(y, e);
    rc = rc == ERR_ATTENTION ? 0 : rc;
    rc = rc ? rc : sync_refresh(y, e);
    rc = rc ? rc : exchange_hello(s, m, e);
    return rc ? rc : slogs_hello(s, m, e);
}
