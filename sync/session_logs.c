/* A session's view of the logs: what the peer holds, what it was sent, and which peer to ask for what.
 *
 * The logs of a device come from that device unasked, from where its peer stands on. A log of a third device
 * is asked for (WANT) at one session at a time, and at none for a moment while its own device is connected as
 * well: so an op comes once, by the shortest way, and another way is found when that one stalls.
 */
#include "sync/sync_int.h"

#include "base/check.h"
#include "sync/group_int.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_LOGS_MAX (2 * SYNC_LOGS_MAX) /* what both sides may name */

/* ---- table, ascending by id */

static size_t place(const struct session *s, const struct id *log)
{
    size_t lo = 0, hi = s->n_logs;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (id_cmp(&s->logs[mid].log, log) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool grow(struct session *s)
{
    if (s->n_logs < s->cap_logs)
        return true;
    size_t cap = s->cap_logs ? s->cap_logs * 2 : 8;
    struct slog *more = realloc(s->logs, cap * sizeof *more);
    if (!more)
        return false;
    s->logs = more;
    s->cap_logs = cap;
    return true;
}

struct slog *slog_get(struct session *s, const struct id *log, bool make)
{
    size_t at = place(s, log);
    if (at < s->n_logs && id_eq(&s->logs[at].log, log))
        return &s->logs[at];
    if (!make || s->n_logs == SESSION_LOGS_MAX || !grow(s))
        return NULL;
    memmove(&s->logs[at + 1], &s->logs[at], (s->n_logs - at) * sizeof *s->logs);
    s->logs[at] = (struct slog){.log = *log, .ahead_ms = TIME_NONE};
    s->n_logs++;
    return &s->logs[at];
}

static struct slog *get_or_fail(struct session *s, const struct id *log, int *rc, struct err *e)
{
    struct slog *l = slog_get(s, log, true);
    *rc = l ? 0 : err_set(e, ERR_LIMIT, "the peer names more than %u logs", SESSION_LOGS_MAX);
    return l;
}

/* ---- forks */

int slog_fork(struct session *s, struct slog *l, struct err *e)
{
    if (l->forked)
        return 0;
    const struct ylog *our = sync_log_const(s->y, &l->log);
    uint64_t both = our && our->seq < l->theirs ? our->seq : l->theirs;
    l->forked = l->fork_due = true;
    l->wanted = l->asked = false;
    l->want_due = l->want_go = true;
    l->probe = both > 0 ? both - 1 : 0;
    l->probe_step = FRAME_OPS;
    if (id_eq(&l->log, &s->y->env.log))
        sync_fault(s->y, IDENTITY_FORKED);
    return peers_note(s, l, e);
}

void slog_look_back(struct slog *l, uint64_t first)
{
    if (first > l->probe + 1 || l->probe == 0)
        return; /* of a frame behind the one that was asked for */
    l->probe -= l->probe < l->probe_step ? l->probe : l->probe_step;
    l->probe_step *= 2;
    l->want_due = l->want_go = true;
}

/* Does the peer's end of the log lie on ours? Where it is further than we are, it is the peer who sees that.
 */
static int compare(struct session *s, struct slog *l, struct err *e)
{
    const struct ylog *our = sync_log(s->y, &l->log);
    struct hash chain;
    if (!our || l->theirs == 0 || l->theirs > our->seq)
        return 0;
    int rc = sync_chain_at(s->y, our, l->theirs, &chain, e);
    if (rc == 0 && memcmp(chain.b, l->chain, SYNC_CHAIN_BYTES) != 0)
        rc = slog_fork(s, l, e);
    return rc;
}

static void note_ahead(struct session *s, struct slog *l)
{
    const struct ylog *our = sync_log(s->y, &l->log);
    bool ahead = l->theirs > (our ? our->seq : 0);
    if (!ahead)
        l->ahead_ms = TIME_NONE;
    else if (l->ahead_ms == TIME_NONE)
        l->ahead_ms = sync_now(s->y);
    if (ahead && id_eq(&l->log, &s->y->env.log))
        sync_fault(s->y, IDENTITY_BEHIND);
}

/* ---- vectors */

static void take_entry(struct slog *l, const struct vector_entry *v)
{
    bool back = v->seq < l->theirs;
    l->theirs = v->seq;
    memcpy(l->chain, v->chain, SYNC_CHAIN_BYTES);
    l->sent = v->seq > l->sent || back ? v->seq : l->sent;
}

int slogs_hello(struct session *s, const struct msg *m, struct err *e)
{
    struct vector_entry v;
    struct rd r;
    int rc = 0;
    rd_init(&r, m->items);
    while (rc == 0 && msg_vector_next(m, &r, &v)) {
        struct slog *l = get_or_fail(s, &v.log, &rc, e);
        if (rc)
            break;
        take_entry(l, &v);
        rc = compare(s, l, e);
        note_ahead(s, l);
    }
    rc = rc ? rc : slogs_branch(s, false, e);
    return rc ? rc : slogs_offer(s, e);
}

static int ack_entry(struct session *s, const struct vector_entry *v, struct err *e)
{
    int rc;
    struct slog *l = get_or_fail(s, &v->log, &rc, e);
    if (rc)
        return rc;
    if (v->seq < l->theirs && !group_has_splits(s->y->env.group, &l->log))
        return err_set(e, ERR_FORMAT, "the peer takes back what it had acknowledged");
    const struct ylog *our = sync_log(s->y, &v->log);
    if (v->seq > l->theirs)
        l->refused = 0;
    take_entry(l, v);
    if (our && our->seq == v->seq)
        rc = compare(s, l, e);
    note_ahead(s, l);
    return rc ? rc : peers_note(s, l, e);
}

int slogs_ack(struct session *s, const struct msg *m, struct err *e)
{
    struct vector_entry v;
    struct rd r;
    int rc = 0;
    if (m->taken < s->acked_bytes || m->taken > s->sent_bytes)
        return err_set(e, ERR_FORMAT, "the peer acknowledges frames that it was not sent");
    s->acked_bytes = m->taken;
    rd_init(&r, m->items);
    while (rc == 0 && msg_vector_next(m, &r, &v))
        rc = ack_entry(s, &v, e);
    return rc ? rc : slogs_branch(s, false, e);
}

int slogs_offer(struct session *s, struct err *e)
{
    for (size_t i = 0; i < s->n_logs; i++)
        s->logs[i].barren = false;
    for (size_t i = 0; i < s->y->n_logs; i++) {
        const struct ylog *our = &s->y->logs[i];
        struct slog *l = our->own ? slog_get(s, &our->log, true) : NULL;
        if (our->own && !l)
            return err_set(e, ERR_NOMEM, "offering a log");
        if (l && !l->forked)
            l->wanted = true;
        if (l && l->sent < our->base)
            l->sent = our->base; /* what lies before comes with the log that it branched off */
    }
    return 0;
}

void slogs_retry(struct session *s)
{
    for (size_t i = 0; i < s->n_logs; i++) {
        struct slog *l = &s->logs[i];
        l->barren = false;
        if (!l->stalled)
            continue;
        l->stalled = l->stall_due = false;
        l->want_due = l->want_go = l->asked = true;
    }
}

/* ---- branches */

/* A log that ended: what the peer has beyond is a branch of it. */
static int branch_log(struct session *s, size_t i, struct err *e)
{
    struct slog *l = &s->logs[i];
    struct peer_log at = {.log = l->log, .seq = l->theirs};
    const struct ylog *to = NULL;
    struct ylog end;
    uint64_t sent = l->sent;
    int rc = 0;
    memcpy(at.chain, l->chain, SYNC_CHAIN_BYTES);
    if (at.seq > 0)
        rc = sync_place(s->y, &at, &to, e);
    if (sync_ends(s->y, &l->log, l->theirs, &end)) {
        l->theirs = end.seq;
        memcpy(l->chain, end.chain.b, SYNC_CHAIN_BYTES);
    }
    l->sent = l->theirs;
    l->forked = l->fork_due = l->want_due = l->stalled = l->stall_due = l->gap = l->barren = l->asked = false;
    l->refused = 0;
    l->ahead_ms = TIME_NONE;
    if (rc || !to || id_eq(&to->log, &at.log))
        return rc;
    l = slog_get(s, &to->log, true);
    if (!l)
        return err_set(e, ERR_LIMIT, "the peer names more than %u logs", SESSION_LOGS_MAX);
    if (at.seq > l->theirs) {
        l->theirs = at.seq;
        memcpy(l->chain, at.chain, SYNC_CHAIN_BYTES);
        l->sent = sent > at.seq ? sent : at.seq;
    }
    return 0;
}

int slogs_branch(struct session *s, bool anew, struct err *e)
{
    struct ylog end;
    int rc = 0;
    if (group_splits(s->y->env.group) == 0 || s->farewell || s->dismissed)
        return 0;
    for (size_t i = 0; rc == 0 && i < s->n_logs; i++) {
        const struct id log = s->logs[i].log;
        bool parted = anew && s->logs[i].forked && group_has_splits(s->y->env.group, &log);
        if (!parted && !sync_ends(s->y, &log, s->logs[i].theirs, &end))
            continue;
        rc = branch_log(s, i, e);
        while (rc == 0 && i > 0 && !id_eq(&s->logs[i].log, &log))
            i++; /* an entry came before it */
    }
    s->ack_due = s->ack_due || anew;
    return rc || !anew ? rc : slogs_offer(s, e);
}

/* ---- whom to ask */

static const struct slog *find(const struct session *s, const struct id *log)
{
    size_t at = place(s, log);
    return at < s->n_logs && id_eq(&s->logs[at].log, log) ? &s->logs[at] : NULL;
}

static bool is_open(const struct session *s)
{
    return s->state == SESSION_OPEN && !s->farewell && !s->dismissed;
}

/* A session with the device that writes the log, from which it comes by itself. */
static bool writer_is_here(const struct session *s, const struct id *writer, const struct id *log)
{
    for (const struct session *o = s->y->sessions; o; o = o->next) {
        if (o == s || !o->has_peer || !id_eq(&o->peer, writer))
            continue;
        const struct slog *l = find(o, log);
        if (is_open(o) && !(l && (l->stalled || l->forked)))
            return true;
        if (o->state < SESSION_OPEN && sync_now(s->y) - o->started_ms < SYNC_GRACE_MS)
            return true;
    }
    return false;
}

static bool asked_elsewhere(const struct session *s, const struct id *log)
{
    for (const struct session *o = s->y->sessions; o; o = o->next) {
        const struct slog *l = o == s || !is_open(o) ? NULL : find(o, log);
        if (l && l->asked && !l->stalled && !l->forked)
            return true;
    }
    return false;
}

static void ask(struct slog *l, int64_t now)
{
    l->want_due = l->want_go = l->asked = true;
    l->ahead_ms = now; /* from here on it may be stuck */
}

/* When the log is to be asked for here; TIME_NONE: not. */
static int64_t due(const struct session *s, const struct slog *l, const struct id *writer)
{
    const struct ylog *our = sync_log_const(s->y, &l->log);
    int64_t since = l->ahead_ms;
    if (l->theirs <= (our ? our->seq : 0) || l->forked || l->stalled || l->want_due || since == TIME_NONE)
        return TIME_NONE;
    since = our && our->moved_ms > since ? our->moved_ms : since;
    if (l->asked || id_eq(writer, &s->peer))
        return since + SYNC_STUCK_MS;
    if (asked_elsewhere(s, &l->log))
        return since + SYNC_STUCK_MS;
    return writer_is_here(s, writer, &l->log) ? since + SYNC_GRACE_MS : since;
}

static void plan_log(struct session *s, struct slog *l, int64_t *next_ms)
{
    struct id writer;
    uint64_t cut;
    int64_t now = sync_now(s->y);
    if (!group_log(s->y->env.group, &l->log, &writer, &cut))
        return;
    if (l->asked && !l->stopped && !l->want_due && !id_eq(&writer, &s->peer) &&
        writer_is_here(s, &writer, &l->log)) {
        l->asked = l->want_go = false;
        l->want_due = l->stopped = true;
        return;
    }
    int64_t at = due(s, l, &writer);
    if (at != TIME_NONE && at <= now)
        ask(l, now);
    else if (at != TIME_NONE && (*next_ms == TIME_NONE || at < *next_ms))
        *next_ms = at;
}

void slogs_plan(struct session *s, int64_t *next_ms)
{
    *next_ms = TIME_NONE;
    for (size_t i = 0; i < s->n_logs; i++)
        plan_log(s, &s->logs[i], next_ms);
}
