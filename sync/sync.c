/* What all sessions share: our vector, the sealing of our ops, and what follows from a change of the group.
 */
#include "sync/sync_int.h"

#include "base/check.h"
#include "store/members.h"
#include "sync/group_int.h"

#include <stdlib.h>
#include <string.h>

int64_t sync_now(const struct sync *y)
{
    return clock_mono_ms(y->env.clock);
}

bool sync_is_storage(int rc)
{
    return rc == ERR_NOMEM || rc == ERR_IO || rc == ERR_FULL || rc == ERR_CORRUPT || rc == ERR_PERM ||
           rc == ERR_INUSE;
}

/* ---- our vector */

static int log_cmp(const void *a, const void *b)
{
    return id_cmp(&((const struct ylog *)a)->log, &((const struct ylog *)b)->log);
}

const struct ylog *sync_log_const(const struct sync *y, const struct id *log)
{
    struct ylog key = {.log = *log};
    return y->n_logs > 0 ? bsearch(&key, y->logs, y->n_logs, sizeof key, log_cmp) : NULL;
}

struct ylog *sync_log(struct sync *y, const struct id *log)
{
    return (struct ylog *)sync_log_const(y, log);
}

struct reading {
    struct sync *y;
    struct ylog *logs;
    size_t n, cap;
};

static void fill_log(struct reading *r, const struct log_head *h, struct ylog *l)
{
    const struct ylog *old = sync_log_const(r->y, &h->log);
    uint64_t cut;
    *l = (struct ylog){.log = h->log, .seq = h->seq, .chain = h->chain, .newest_ms = h->newest_ms};
    l->root = h->root;
    l->base = h->base;
    if (!group_log(r->y->env.group, &h->log, &l->device, &cut))
        l->device = ID_NONE;
    l->own = id_eq(&l->device, &r->y->device);
    l->moved_ms = old && old->seq == l->seq ? old->moved_ms : sync_now(r->y);
}

static int read_log(void *ctx, const struct log_head *h)
{
    struct reading *r = ctx;
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct ylog *more = realloc(r->logs, cap * sizeof *more);
        if (!more)
            return ERR_NOMEM;
        r->logs = more;
        r->cap = cap;
    }
    fill_log(r, h, &r->logs[r->n++]);
    return 0;
}

int sync_refresh(struct sync *y, struct err *e)
{
    struct reading r = {.y = y};
    int rc = store_logs(y->env.store, read_log, &r, e);
    if (rc) {
        free(r.logs);
        return err_wrap(e, rc, "reading logs");
    }
    free(y->logs);
    y->logs = r.logs;
    y->n_logs = r.n;
    return 0;
}

int sync_refresh_log(struct sync *y, const struct id *log, struct err *e)
{
    struct ylog *l = sync_log(y, log);
    if (!l)
        return sync_refresh(y, e);
    uint64_t seq = l->seq;
    int rc = store_log_head(y->env.store, log, &l->seq, &l->chain, e);
    if (l->seq != seq)
        l->moved_ms = sync_now(y);
    return rc;
}

int sync_chain_at(struct sync *y, const struct ylog *l, uint64_t seq, struct hash *out, struct err *e)
{
    struct log_head h = {.log = l->log, .root = l->root, .seq = l->seq, .base = l->base, .chain = l->chain};
    CHECK(seq > 0 && seq <= l->seq);
    return store_chain_at(y->env.store, &h, seq, out, e);
}

/* ---- sealing */

static bool somebody_listens(const struct sync *y)
{
    for (const struct session *s = y->sessions; s; s = s->next) {
        if (s->state == SESSION_OPEN && !s->farewell)
            return true;
    }
    return false;
}

static int seal(struct sync *y, struct err *e)
{
    int64_t wall = clock_wall_ms(y->env.clock);
    bool changed;
    int rc = frames_seal(&y->frames, wall, e);
    if (rc != ERR_ATTENTION)
        return rc;
    rc = group_settle(y->env.group, wall, &changed, e);
    return rc ? rc : frames_seal(&y->frames, wall, e);
}

int sync_seal(struct sync *y, struct err *e)
{
    if (!group_exists(y->env.group) || group_self(y->env.group) == NOWHERE)
        return 0;
    int rc = seal(y, e);
    y->unsealed = rc != 0;
    return rc ? err_wrap(e, rc, "sealing frames") : 0;
}

/* ---- changes */

static int regroup_session(struct session *s, struct err *e)
{
    struct sync *y = s->y;
    if (s->state == SESSION_REPLY && !s->refuse && !s->farewell)
        return exchange_more(s, e);
    if (s->state != SESSION_OPEN || s->farewell || s->dismissed)
        return 0;
    if (group_self(y->env.group) == NOWHERE) {
        session_fail(s, BYE_DONE, ERR_ATTENTION, "this device was removed from the group");
        return 0;
    }
    if (!group_is_active(y->env.group, &s->peer)) {
        s->farewell = true;
        return exchange_farewell(s, NULL, e);
    }
    slogs_retry(s);
    return exchange_more(s, e);
}

int sync_regroup(struct sync *y, struct err *e)
{
    if (y->env.group->set.n == y->n_records)
        return 0;
    int rc = sync_branch(y, e);
    y->n_records = y->env.group->set.n;
    for (struct session *s = y->sessions; rc == 0 && s; s = s->next)
        rc = regroup_session(s, e);
    if (rc == 0 && y->env.regrouped)
        y->env.regrouped(y->env.ctx);
    return rc;
}

static int offer_all(struct sync *y, struct err *e)
{
    int rc = 0;
    for (struct session *s = y->sessions; rc == 0 && s; s = s->next) {
        bool open = s->state == SESSION_OPEN || s->state == SESSION_REPLY;
        if (!open || s->farewell || s->dismissed || s->refuse)
            continue;
        s->ack_due = true;
        rc = slogs_offer(s, e);
    }
    return rc;
}

int sync_changed(struct sync *y, struct err *e)
{
    int rc = group_mend(y->env.group, e);
    y->unsealed = true;
    if (somebody_listens(y)) {
        rc = rc ? rc : sync_seal(y, e);
        rc = rc ? rc : sync_refresh(y, e);
        rc = rc ? rc : offer_all(y, e);
    }
    rc = rc ? rc : sync_regroup(y, e);
    if (rc == 0 && group_exists(y->env.group) && group_self(y->env.group) == NOWHERE)
        rc = err_set(e, ERR_ATTENTION, "this device was removed from the group");
    return rc;
}

/* ---- identity */

void sync_fault(struct sync *y, enum identity_fault fault)
{
    if (fault > y->identity)
        y->identity = fault;
}

enum identity_fault sync_identity(const struct sync *y)
{
    return y->identity;
}

bool sync_identity_pulled(const struct sync *y)
{
    for (const struct session *s = y->sessions; s; s = s->next) {
        if (s->state != SESSION_OPEN)
            continue;
        for (size_t i = 0; i < s->n_logs; i++) {
            const struct slog *l = &s->logs[i];
            const struct ylog *our = sync_log_const(y, &l->log);
            struct id device;
            uint64_t cut;
            bool own = group_log(y->env.group, &l->log, &device, &cut) && id_eq(&device, &y->device);
            if (own && !l->forked && !l->stalled && l->theirs > (our ? our->seq : 0))
                return false;
        }
    }
    return true;
}

void sync_log_renewed(struct sync *y, const struct id *log)
{
    y->env.log = *log;
    if (y->identity != IDENTITY_CLONED)
        y->identity = IDENTITY_FINE;
}

/* ---- quarantine */

struct listing {
    int (*fn)(void *ctx, const struct quarantine *q);
    void *ctx;
};

static int list_row(void *ctx, const struct quarantine_row *row)
{
    struct listing *l = ctx;
    struct quarantine q = {.log = row->log,
                           .device = row->device,
                           .first = row->first,
                           .count = row->count,
                           .time_ms = row->time_ms};
    memcpy(q.reason, row->reason.p, row->reason.n < sizeof q.reason ? row->reason.n : sizeof q.reason - 1);
    return l->fn(l->ctx, &q);
}

int sync_quarantine(struct sync *y, int (*fn)(void *ctx, const struct quarantine *q), void *ctx,
                    struct err *e)
{
    struct listing l = {fn, ctx};
    return quarantine_each(y->env.store, list_row, &l, e);
}

/* ---- life */

int sync_open(struct sync **out, const struct sync_env *env, struct err *e)
{
    *out = NULL;
    struct sync *y = calloc(1, sizeof *y);
    if (!y)
        return err_set(e, ERR_NOMEM, "opening sync");
    y->env = *env;
    y->frames = (struct frames_env){env->store, env->group, env->keys, env->rng};
    y->save_ms = TIME_NONE;
    y->unsealed = true;
    buf_init(&y->plain, SYNC_PLAIN_MAX);
    buf_init(&y->frame, FRAME_WIRE_MAX);
    y->n_records = env->group->set.n;
    device_id_of(env->keys->sign.pk, &y->device);
    rng_fill(env->rng, y->run, sizeof y->run);
    int rc = peers_load(y, e);
    rc = rc ? rc : sync_branch(y, e);
    if (rc) {
        sync_close(y);
        return rc;
    }
    *out = y;
    return 0;
}

void sync_close(struct sync *y)
{
    if (!y)
        return;
    while (y->sessions)
        session_free(y->sessions);
    peers_save_quietly(y, NULL);
    peers_release(y);
    buf_release(&y->plain);
    buf_release(&y->frame);
    free(y->logs);
    free(y);
}
