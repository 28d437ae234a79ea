/* What each device has acknowledged: kept in the store's local values as "sync.peer.ID", so that status is
 * right after a restart. Only what came in an acknowledgement is written here; a value that is lost or older
 * than the truth makes a peer look further behind than it is, never further ahead. Bytes: sync/PROTOCOL.md,
 * "Kept". */
#include "sync/sync_int.h"

#include "base/check.h"
#include "base/text.h"
#include "store/local.h"
#include "sync/group_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sync.peer."
#define PEER_VERSION 1
#define PEER_BYTES_MAX 65536u
#define CLOCK_OFF_MS (2 * 60 * 1000) /* worth a word */

/* ---- in memory */

struct peer *peers_get(struct sync *y, const struct id *device, bool make)
{
    for (size_t i = 0; i < y->n_peers; i++) {
        if (id_eq(&y->peers[i]->device, device))
            return y->peers[i];
    }
    if (!make)
        return NULL;
    struct peer **more = realloc(y->peers, (y->n_peers + 1) * sizeof *more);
    if (!more)
        return NULL;
    y->peers = more;
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->device = *device;
    y->peers[y->n_peers++] = p;
    return p;
}

static struct peer_log *log_get(struct peer *p, const struct id *log, bool make)
{
    for (size_t i = 0; i < p->n; i++) {
        if (id_eq(&p->logs[i].log, log))
            return &p->logs[i];
    }
    if (!make || p->n == SYNC_LOGS_MAX)
        return NULL;
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 8;
        struct peer_log *more = realloc(p->logs, cap * sizeof *more);
        if (!more)
            return NULL;
        p->logs = more;
        p->cap = cap;
    }
    p->logs[p->n] = (struct peer_log){.log = *log};
    return &p->logs[p->n++];
}

static void touch(struct sync *y, struct peer *p)
{
    p->dirty = true;
    if (y->save_ms == TIME_NONE)
        y->save_ms = sync_now(y) + SYNC_SAVE_MS;
}

int peers_note(struct session *s, const struct slog *l, struct err *e)
{
    struct peer *p = peers_get(s->y, &s->peer, true);
    struct peer_log *pl = p ? log_get(p, &l->log, true) : NULL;
    if (!p || (!pl && p->n < SYNC_LOGS_MAX))
        return err_set(e, ERR_NOMEM, "noting what a peer holds");
    touch(s->y, p);
    if (!pl)
        return 0;
    pl->seq = l->theirs;
    pl->forked = l->forked;
    memcpy(pl->chain, l->chain, SYNC_CHAIN_BYTES);
    return 0;
}

uint64_t peers_floor(struct sync *y, const struct ylog *l)
{
    uint64_t floor = l->seq;
    for (size_t i = 0; i < group_members(y->env.group); i++) {
        const struct member *m = group_member_at(y->env.group, i);
        if (m->state != MEMBER_ACTIVE || m->words || id_eq(&m->device, &y->device))
            continue;
        struct peer *p = peers_get(y, &m->device, false);
        struct peer_log *pl = p ? log_get(p, &l->log, false) : NULL;
        uint64_t seq = pl && !pl->forked ? pl->seq : 0;
        floor = seq < floor ? seq : floor;
    }
    return floor;
}

/* An entry of a log that ended meanwhile; p->logs may move. */
static int branch_entry(struct sync *y, struct peer *p, size_t i, struct err *e)
{
    struct peer_log at = p->logs[i];
    const struct ylog *to;
    struct ylog end;
    int rc = sync_place(y, &at, &to, e);
    if (rc)
        return rc;
    if (sync_ends(y, &at.log, at.seq, &end)) {
        p->logs[i].seq = end.seq;
        memcpy(p->logs[i].chain, end.chain.b, SYNC_CHAIN_BYTES);
        touch(y, p);
    }
    p->logs[i].forked = false; /* what still does not fit is found again */
    if (!to || id_eq(&to->log, &at.log))
        return 0;
    struct peer_log *pl = log_get(p, &to->log, true);
    if (!pl)
        return p->n < SYNC_LOGS_MAX ? err_set(e, ERR_NOMEM, "noting what a peer holds") : 0;
    if (at.seq > pl->seq) {
        pl->seq = at.seq;
        memcpy(pl->chain, at.chain, SYNC_CHAIN_BYTES);
        touch(y, p);
    }
    return 0;
}

int peers_branch(struct sync *y, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < y->n_peers; i++) {
        struct peer *p = y->peers[i];
        for (size_t k = 0, n = p->n; rc == 0 && k < n; k++) {
            if (p->logs[k].seq > 0 && group_has_splits(y->env.group, &p->logs[k].log))
                rc = branch_entry(y, p, k, e);
        }
    }
    return rc;
}

void peers_release(struct sync *y)
{
    for (size_t i = 0; i < y->n_peers; i++) {
        free(y->peers[i]->logs);
        free(y->peers[i]);
    }
    free(y->peers);
    y->peers = NULL;
    y->n_peers = 0;
}

/* ---- kept */

static void encode(const struct peer *p, struct buf *b)
{
    wr_u8(b, PEER_VERSION);
    wr_u64(b, (uint64_t)p->last_seen_ms);
    wr_svarint(b, p->clock_offset_ms);
    wr_bytes(b, bytes_of(p->epoch.b, ID_BYTES));
    wr_varint(b, p->n);
    for (size_t i = 0; i < p->n; i++) {
        const struct peer_log *l = &p->logs[i];
        wr_bytes(b, bytes_of(l->log.b, ID_BYTES));
        wr_varint(b, l->seq);
        wr_bytes(b, bytes_of(l->chain, SYNC_CHAIN_BYTES));
        wr_u8(b, l->forked);
    }
}

static int decode(struct peer *p, struct bytes value)
{
    struct rd r;
    rd_init(&r, value);
    if (rd_u8(&r) != PEER_VERSION)
        return ERR_VERSION;
    p->last_seen_ms = (int64_t)(rd_u64(&r) & INT64_MAX);
    p->clock_offset_ms = rd_svarint(&r);
    rd_copy(&r, p->epoch.b, ID_BYTES);
    uint64_t n = rd_varint(&r);
    for (uint64_t i = 0; i < n && !r.err; i++) {
        struct id log;
        rd_copy(&r, log.b, ID_BYTES);
        struct peer_log *l = log_get(p, &log, true);
        if (!l)
            return ERR_NOMEM;
        l->seq = rd_varint(&r);
        rd_copy(&r, l->chain, SYNC_CHAIN_BYTES);
        l->forked = rd_u8(&r) != 0;
    }
    return rd_end(&r);
}

int peers_save(struct sync *y, struct peer *p, struct err *e)
{
    char name[sizeof PREFIX + ID_TEXT] = PREFIX;
    struct buf b;
    if (!p->dirty)
        return 0;
    id_text(&p->device, name + strlen(PREFIX));
    buf_init(&b, PEER_BYTES_MAX);
    encode(p, &b);
    int rc = b.err ? err_set(e, b.err, "noting what a peer holds")
                   : local_set(y->env.store, name, buf_view(&b), e);
    buf_release(&b);
    p->dirty = rc != 0;
    return rc;
}

int sync_save(struct sync *y, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < y->n_peers; i++)
        rc = peers_save(y, y->peers[i], e);
    y->save_ms = rc ? sync_now(y) + SYNC_SAVE_MS : TIME_NONE;
    return rc;
}

void peers_save_quietly(struct sync *y, struct peer *p)
{
    if ((p ? peers_save(y, p, NULL) : sync_save(y, NULL)) != 0)
        y->save_ms = sync_now(y) + SYNC_SAVE_MS;
}

static int load(void *ctx, const char *name, struct bytes value)
{
    struct sync *y = ctx;
    struct id device;
    if (id_parse(bytes_str(name + strlen(PREFIX)), &device))
        return 0;
    struct peer *p = peers_get(y, &device, true);
    if (!p)
        return ERR_NOMEM;
    int rc = decode(p, value);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc) { /* of another version, or damaged: as never met */
        free(p->logs);
        *p = (struct peer){.device = device};
    }
    return 0;
}

int peers_load(struct sync *y, struct err *e)
{
    int rc = local_each(y->env.store, PREFIX, load, y, e);
    return rc ? err_wrap(e, rc, "reading what peers hold") : 0;
}

/* ---- status */

static const struct session *session_with(const struct sync *y, const struct id *device)
{
    for (const struct session *s = y->sessions; s; s = s->next) {
        if (s->state == SESSION_OPEN && s->confirmed && !s->farewell && id_eq(&s->peer, device))
            return s;
    }
    return NULL;
}

static void count_ours(const struct sync *y, struct peer *p, struct peer_status *st)
{
    for (size_t i = 0; i < y->n_logs; i++) {
        const struct ylog *l = &y->logs[i];
        struct peer_log *pl = p ? log_get(p, &l->log, false) : NULL;
        uint64_t seq = pl ? pl->seq : 0;
        if (!id_none(&l->device) && l->seq > seq)
            st->they_lack += l->seq - seq;
    }
}

/* Gives a log of two histories; NULL: none. */
static const struct peer_log *count_theirs(const struct sync *y, const struct peer *p, struct peer_status *st)
{
    const struct peer_log *forked = NULL;
    for (size_t i = 0; p && i < p->n; i++) {
        const struct ylog *l = sync_log_const(y, &p->logs[i].log);
        uint64_t seq = l ? l->seq : 0;
        if (p->logs[i].seq > seq)
            st->we_lack += p->logs[i].seq - seq;
        forked = p->logs[i].forked ? &p->logs[i] : forked;
    }
    return forked;
}

/* A history of a log that has too many: no device takes it from here. NULL: none. */
static const struct id *beyond_limit(const struct sync *y)
{
    for (size_t i = 0; i < y->n_logs; i++) {
        const struct ylog *l = &y->logs[i];
        if (id_none(&l->device) && !id_eq(&l->root, &l->log))
            return &l->root;
    }
    return NULL;
}

/* Its changes that are here, and a third device that has acknowledged some of them. */
struct hearsay {
    uint64_t ops;
    const struct member *through;
};

static bool holds(struct sync *y, const struct id *device, const struct ylog *l)
{
    struct peer *p = peers_get(y, device, false);
    const struct peer_log *pl = p ? log_get(p, &l->log, false) : NULL;
    return pl && pl->seq > 0;
}

static void hear(struct sync *y, struct peer_status *st, struct hearsay *h)
{
    for (size_t i = 0; i < y->n_logs; i++) {
        const struct ylog *l = &y->logs[i];
        if (!id_eq(&l->device, &st->device))
            continue;
        h->ops += l->seq - l->base;
        st->last_heard_ms = l->newest_ms > st->last_heard_ms ? l->newest_ms : st->last_heard_ms;
        for (size_t k = 0; !h->through && k < group_members(y->env.group); k++) {
            const struct member *m = group_member_at(y->env.group, k);
            if (m->state != MEMBER_REMOVED && !id_eq(&m->device, &st->device) && holds(y, &m->device, l))
                h->through = m;
        }
    }
}

/* The first log that one of the two cannot take. */
static const char *stalled(const struct session *s)
{
    for (size_t i = 0; s && i < s->n_logs; i++) {
        if (s->logs[i].refused)
            return stall_text(s->logs[i].refused);
        if (s->logs[i].stalled)
            return "a frame that it sends is not taken here; see quarantine";
    }
    return NULL;
}

#define SHOWN_ID 8    /* characters of a log's id */
#define SHOWN_NAME 40 /* bytes of a device's name: the sentence must fit */

static void say_forked(struct sync *y, const struct id *root, struct peer_status *st)
{
    char log[ID_TEXT + 1];
    struct id device;
    uint64_t cut;
    const struct member *m =
        group_log(y->env.group, root, &device, &cut) ? group_find(y->env.group, &device) : NULL;
    struct bytes name = utf8_cut(bytes_str(m ? m->name : "a device"), SHOWN_NAME);
    id_text(root, log);
    log[SHOWN_ID] = '\0';
    (void)snprintf(st->reason, sizeof st->reason,
                   "log %s of %.*s has a history that is not taken: a copy or an old backup of %.*s goes on "
                   "writing; on the copy: "
                   "selfsame init --renew",
                   log, (int)name.n, (const char *)name.p, (int)name.n, (const char *)name.p);
}

static void say_unmet(const struct hearsay *h, struct peer_status *st)
{
    struct bytes name = utf8_cut(bytes_str(h->through ? h->through->name : ""), SHOWN_NAME);
    if (h->ops == 0)
        (void)snprintf(st->reason, sizeof st->reason, "never met");
    else if (h->through)
        (void)snprintf(st->reason, sizeof st->reason,
                       "never met directly; %" PRIu64
                       " changes of it came through others, %.*s has them, too; "
                       "what it has of ours is not known",
                       h->ops, (int)name.n, (const char *)name.p);
    else
        (void)snprintf(st->reason, sizeof st->reason,
                       "never met directly; %" PRIu64
                       " changes of it came through others; what it has of ours is "
                       "not known",
                       h->ops);
}

static void say(const struct session *s, const struct hearsay *h, struct peer_status *st)
{
    const char *stall = stalled(s);
    int64_t off = st->clock_offset_ms < 0 ? -st->clock_offset_ms : st->clock_offset_ms;
    char clock[64] = "";
    if (off > CLOCK_OFF_MS)
        (void)snprintf(clock, sizeof clock, "its clock is %s by %" PRId64 " min",
                       st->clock_offset_ms < 0 ? "behind" : "ahead", off / 60000);
    if (stall)
        (void)snprintf(st->reason, sizeof st->reason, "%s", stall);
    else if (st->last_seen_ms == 0)
        say_unmet(h, st);
    else if (st->they_lack > 0)
        (void)snprintf(st->reason, sizeof st->reason, "lacks %" PRIu64 " of the changes known here%s%s",
                       st->they_lack, *clock ? "; " : "", clock);
    else if (st->we_lack > 0)
        (void)snprintf(st->reason, sizeof st->reason, "has %" PRIu64 " changes that are not here%s%s",
                       st->we_lack, *clock ? "; " : "", clock);
    else
        (void)snprintf(st->reason, sizeof st->reason, "%s", clock);
}

static enum peer_state state_of(const struct peer_status *st, bool forked)
{
    if (forked)
        return PEER_DIVERGED;
    if (!st->connected)
        return PEER_OFFLINE;
    if (st->they_lack > 0)
        return PEER_BEHIND;
    return st->we_lack > 0 ? PEER_AHEAD : PEER_EQUAL;
}

static void status_of(struct sync *y, const struct member *m, struct peer_status *st)
{
    struct peer *p = peers_get(y, &m->device, false);
    const struct session *s = session_with(y, &m->device);
    *st = (struct peer_status){.device = m->device, .connected = s != NULL};
    (void)snprintf(st->name, sizeof st->name, "%s", m->name);
    if (p) {
        st->last_seen_ms = p->last_seen_ms;
        st->clock_offset_ms = p->clock_offset_ms;
        st->epoch = p->epoch;
    }
    struct hearsay h = {.ops = 0};
    count_ours(y, p, st);
    const struct peer_log *log = count_theirs(y, p, st);
    const struct id *forked = log ? &log->log : beyond_limit(y);
    hear(y, st, &h);
    st->state = state_of(st, forked != NULL);
    if (forked)
        say_forked(y, forked, st);
    else
        say(s, &h, st);
}

size_t sync_logs_beyond(const struct sync *y)
{
    size_t n = 0;
    for (size_t i = 0; i < y->n_logs; i++)
        n += !id_none(&y->logs[i].device) && y->logs[i].seq > 0;
    return n > SYNC_LOGS_MAX ? n - SYNC_LOGS_MAX : 0;
}

int sync_peers(struct sync *y, int (*fn)(void *ctx, const struct peer_status *p), void *ctx, struct err *e)
{
    int rc = sync_refresh(y, e);
    for (size_t i = 0; rc == 0 && i < group_members(y->env.group); i++) {
        const struct member *m = group_member_at(y->env.group, i);
        struct peer_status st;
        if (m->state == MEMBER_REMOVED || m->words || id_eq(&m->device, &y->device))
            continue;
        status_of(y, m, &st);
        rc = fn(ctx, &st);
    }
    return rc;
}
