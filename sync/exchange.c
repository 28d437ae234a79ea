/* Exchange of membership records within a session.
 *
 * Both know the other's heads from HELLO. Who knows all heads of the other knows what it lacks, sends that,
 * and says so (ALL): then the other one has nothing to send. Who does not, sends HAVES, a sample of its own
 * records that thins out towards the genesis; who gets one sends all behind what it recognises. So each side
 * answers once; with equal heads nothing is said at all. Later records go out as they come. Frames follow
 * only when we have answered: the records that they need are there before them.
 */
#include "sync/sync_int.h"

#include "base/check.h"
#include "store/members.h"
#include "sync/group_int.h"

#include <stdlib.h>
#include <string.h>

static int hash_cmp(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

/* ---- what the peer has */

static void know(struct session *s, const struct hash *h)
{
    if (s->known && s->n_known < SYNC_KNOWN_MAX)
        s->known[s->n_known++] = *h; /* beyond: it gets a record twice */
}

/* The peer has all that we have. */
static void know_all(struct session *s)
{
    size_t n = group_heads(s->y->env.group, s->known, MEMBER_HEADS_MAX);
    s->n_known = n < MEMBER_HEADS_MAX ? n : MEMBER_HEADS_MAX;
}

static bool know_listed(struct session *s, const struct msg *m)
{
    bool all = true;
    for (size_t i = 0; i < m->n_hashes; i++) {
        struct hash h;
        msg_hash(m, i, &h);
        if (records_find(&s->y->env.group->set, &h) != NOWHERE)
            know(s, &h);
        else
            all = false;
    }
    return all;
}

/* ---- what it lacks */

struct queueing {
    struct session *s;
    size_t cap;
};

static int queue_record(void *ctx, struct bytes record)
{
    struct queueing *q = ctx;
    struct session *s = q->s;
    if (s->n_queue == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 16;
        struct hash *more = realloc(s->queue, cap * sizeof *more);
        if (!more)
            return ERR_NOMEM;
        s->queue = more;
        q->cap = cap;
    }
    record_hash(record, &s->queue[s->n_queue++]);
    return 0;
}

static void queue_clear(struct session *s)
{
    free(s->queue);
    s->queue = NULL;
    s->n_queue = s->at_queue = 0;
}

static int answer(struct session *s, struct err *e)
{
    struct queueing q = {.s = s};
    queue_clear(s);
    int rc = group_records(s->y->env.group, s->known, s->n_known, queue_record, &q);
    if (rc)
        return err_set(e, rc, "sending membership records");
    s->end_due = true;
    know_all(s);
    return 0;
}

int exchange_more(struct session *s, struct err *e)
{
    if (!s->answered)
        return 0;
    /* What waits still goes first: causes before effects. */
    struct queueing q = {.s = s, .cap = s->n_queue};
    int rc = group_records(s->y->env.group, s->known, s->n_known, queue_record, &q);
    if (rc)
        return err_set(e, rc, "sending membership records");
    s->end_due = s->end_due || s->at_queue < s->n_queue;
    know_all(s);
    return 0;
}

/* ---- messages */

int exchange_hello(struct session *s, const struct msg *m, struct err *e)
{
    struct hash ours[MEMBER_HEADS_MAX];
    size_t n = group_heads(s->y->env.group, ours, MEMBER_HEADS_MAX);
    s->known = calloc(SYNC_KNOWN_MAX + MEMBER_HEADS_MAX, sizeof *s->known);
    if (!s->known)
        return err_set(e, ERR_NOMEM, "starting a session");
    if (n == m->n_hashes && n <= MEMBER_HEADS_MAX && memcmp(ours, m->hashes.p, n * HASH_BYTES) == 0) {
        s->answered = s->settled = true;
        know_all(s);
        return 0;
    }
    s->all = know_listed(s, m);
    if (!s->all) {
        s->haves_due = true;
        return 0;
    }
    s->answered = s->settled = true; /* and it has nothing that is not here */
    return answer(s, e);
}

int exchange_haves(struct session *s, const struct msg *m, struct err *e)
{
    if (s->answered && !(m->flags & HAVES_AGAIN))
        return 0;
    if (++s->answers > SYNC_ANSWERS_MAX)
        return err_set(e, ERR_LIMIT, "the peer asks for the same membership records again and again");
    if (s->answered)
        s->n_known = 0;
    (void)know_listed(s, m);
    s->answered = true;
    return answer(s, e);
}

/* One record; what is refused here is refused everywhere, and what rests on it is left out as well. */
static int take_record(struct session *s, struct bytes record, bool *fresh, struct err *e)
{
    struct hash h;
    struct err refused = ERR_INIT;
    int rc = group_receive(s->y->env.group, record, fresh, &refused);
    if (rc && sync_is_storage(rc)) {
        if (e)
            *e = refused;
        return rc;
    }
    if (rc == ERR_NOTFOUND && !s->dismissed)
        s->haves_due = s->haves_again = ++s->answers <= SYNC_ANSWERS_MAX;
    if (rc)
        return 0;
    record_hash(record, &h);
    know(s, &h);
    return 0;
}

static int take_records(struct session *s, const struct msg *m, bool *any, struct err *e)
{
    struct group *g = s->y->env.group;
    struct bytes record;
    struct rd r;
    bool own;
    int rc = members_begin(s->y->env.store, &own, e);
    if (rc)
        return rc;
    rd_init(&r, m->items);
    while (rc == 0 && msg_item_next(&r, &record)) {
        bool fresh;
        rc = take_record(s, record, &fresh, e);
        *any = *any || fresh;
    }
    return group_change_end(g, own, rc, e);
}

static int settle(struct session *s, struct err *e)
{
    struct sync *y = s->y;
    bool changed;
    int rc = group_settle(y->env.group, clock_wall_ms(y->env.clock), &changed, e);
    if (rc == ERR_ATTENTION || rc == ERR_LIMIT)
        rc = 0; /* no member, or a full log: status says so */
    rc = rc ? rc : sync_regroup(y, e);
    /* Ops that waited for an epoch may be sealed now. */
    if (rc == 0 && y->unsealed) {
        rc = sync_seal(y, e);
        rc = rc == ERR_ATTENTION ? 0 : rc;
        rc = rc ? rc : sync_regroup(y, e);
    }
    return rc;
}

int exchange_records(struct session *s, const struct msg *m, struct err *e)
{
    bool any = false;
    int rc = m->n > 0 ? take_records(s, m, &any, e) : 0;
    if (rc)
        return rc;
    if (s->dismissed)
        return any ? settle(s, e) : 0;
    if (m->flags & RECORDS_END)
        s->settled = true;
    if ((m->flags & RECORDS_ALL) && !s->answered) {
        s->answered = true; /* it has all that our HELLO spoke of; what was made since is behind none of */
        rc = exchange_more(s, e); /* the records that it sent or named */
    }
    return rc == 0 && any ? settle(s, e) : rc;
}

/* ---- introductions: a caller whom the other side may not know yet, because the device that added it was not
 * there since, sends the record that added it with all that this one has seen */

static uint32_t own_adding(const struct group *g)
{
    uint32_t self = group_self(g);
    return self == NOWHERE ? NOWHERE : g->state.devices[self].first_add;
}

void exchange_introduce(const struct sync *y, bool all, size_t room, struct buf *out)
{
    const struct record_set *set = &y->env.group->set;
    uint32_t add = own_adding(y->env.group), from = set->n;
    size_t n = 0;
    if (add == NOWHERE)
        return;
    for (uint32_t i = set->n; i-- > 0;) { /* the oldest are left out when it is too much */
        uint32_t x = set->order[i];
        bool part = all || x == add || records_saw(set, add, x);
        size_t size = set->r[x]->bytes.n + varint_size(set->r[x]->bytes.n);
        if (part && n + size > room)
            break;
        n += part ? size : 0;
        from = i;
    }
    for (uint32_t i = from; i < set->n; i++) {
        uint32_t x = set->order[i];
        if (all || x == add || records_saw(set, add, x))
            wr_lenbytes(out, set->r[x]->bytes);
    }
}

int exchange_introduced(struct session *s, struct bytes intro, struct err *e)
{
    struct bytes record;
    struct rd r;
    bool own, any = false;
    int rc = members_begin(s->y->env.store, &own, e);
    if (rc)
        return rc;
    rd_init(&r, intro);
    while (rc == 0 && msg_item_next(&r, &record)) {
        bool fresh = false;
        rc = group_receive(s->y->env.group, record, &fresh, e); /* the first that is refused ends it */
        any = any || fresh;
    }
    rc = group_change_end(s->y->env.group, own, rc, e);
    return rc == 0 && any ? settle(s, e) : rc;
}

/* ---- sending */

/* At the end of the set, then ever rarer towards its begin; each stands for all that it has seen. */
static size_t sample(const struct group *g, struct hash *out)
{
    size_t n = group_heads(g, out, MEMBER_HEADS_MAX);
    n = n < MEMBER_HEADS_MAX ? n : MEMBER_HEADS_MAX;
    uint32_t step = 1;
    for (uint32_t back = 1; back < g->set.n && n < SYNC_HAVES_MAX; back += step) {
        out[n++] = g->set.r[g->set.order[g->set.n - 1 - back]]->hash;
        step = n % 8 == 0 ? step * 2 : step;
    }
    qsort(out, n, sizeof *out, hash_cmp);
    size_t kept = n > 0;
    for (size_t i = 1; i < n; i++) {
        if (hash_cmp(&out[kept - 1], &out[i]) != 0)
            out[kept++] = out[i];
    }
    return kept;
}

static void put_sample(struct session *s, struct buf *plain)
{
    struct hash have[SYNC_HAVES_MAX];
    size_t n = sample(s->y->env.group, have);
    put_haves(plain, s->haves_again ? HAVES_AGAIN : 0, have, n);
    s->haves_due = s->haves_again = false;
}

static void put_queue(struct session *s, struct buf *plain)
{
    const struct record_set *set = &s->y->env.group->set;
    put_records(plain, 0);
    while (s->at_queue < s->n_queue) {
        uint32_t x = records_find(set, &s->queue[s->at_queue]);
        struct bytes record = x == NOWHERE ? BYTES_NONE : set->r[x]->bytes;
        if (plain->n + record.n + SYNC_AROUND_BYTES > SYNC_PLAIN_MAX)
            return;
        if (record.n > 0)
            wr_lenbytes(plain, record);
        s->at_queue++;
    }
    plain->p[1] = (uint8_t)(RECORDS_END | (s->all ? RECORDS_ALL : 0));
    s->end_due = false;
    queue_clear(s);
}

bool exchange_output(struct session *s, struct buf *plain)
{
    if (s->haves_due)
        put_sample(s, plain);
    else if (s->at_queue < s->n_queue || s->end_due)
        put_queue(s, plain);
    else
        return false;
    return true;
}

/* ---- a removed device: it learns of its removals and of what those had seen, nothing else */

#define REMOVALS_TOLD 64u /* of one device; any of them may be the one that it cannot hold void */

struct removals {
    uint32_t at[REMOVALS_TOLD];
    size_t n;
};

static bool told_by(const struct record_set *set, const struct removals *r, uint32_t x)
{
    for (size_t i = 0; i < r->n; i++) {
        if (x == r->at[i] || records_saw(set, r->at[i], x))
            return true;
    }
    return false;
}

static bool peer_has(const struct session *s, uint32_t x)
{
    const struct record_set *set = &s->y->env.group->set;
    for (size_t k = 0; k < s->n_known; k++) {
        uint32_t known = records_find(set, &s->known[k]);
        if (known == x || (known != NOWHERE && records_saw(set, known, x)))
            return true;
    }
    return false;
}

static int queue_past(struct session *s, const struct removals *r, struct queueing *q)
{
    const struct record_set *set = &s->y->env.group->set;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < set->n; i++) {
        uint32_t x = set->order[i];
        if (told_by(set, r, x) && !peer_has(s, x))
            rc = queue_record(q, set->r[x]->bytes);
    }
    return rc;
}

/* The removals of a device that count, in order. */
static bool removals_of(const struct group *g, const struct id *device, struct removals *out)
{
    out->n = 0;
    for (uint32_t i = 0; i < g->set.n && out->n < REMOVALS_TOLD; i++) {
        uint32_t x = g->set.order[i];
        const struct record *r = g->set.r[x];
        if (r->head.kind == MEMBER_REMOVE && !g->state.is_void[x] && id_eq(&r->body.device, device))
            out->at[out->n++] = x;
    }
    return out->n > 0;
}

/* Why the device is none: its own removals, or those of the device that added it, before that was known; and
 * so on. */
static void removals_behind(const struct group *g, struct id device, struct removals *out)
{
    bool found = removals_of(g, &device, out);
    for (uint32_t i = 0; !found && i < g->state.n_devices; i++) {
        uint32_t d = 0;
        while (d < g->state.n_devices && !id_eq(&g->state.devices[d].member.device, &device))
            d++;
        if (d == g->state.n_devices)
            break;
        device = g->set.r[g->state.devices[d].first_add]->head.author;
        found = removals_of(g, &device, out);
    }
}

int exchange_farewell(struct session *s, const struct msg *hello, struct err *e)
{
    struct queueing q = {.s = s};
    if (!s->known) {
        s->known = calloc(SYNC_KNOWN_MAX + MEMBER_HEADS_MAX, sizeof *s->known);
        if (!s->known)
            return err_set(e, ERR_NOMEM, "ending a session");
    }
    if (hello)
        (void)know_listed(s, hello);
    else if (s->at_queue < s->n_queue)
        s->n_known = 0; /* it has not got all that it was to get */
    queue_clear(s);
    s->answered = s->settled = true;
    s->haves_due = false;
    struct removals removals;
    removals_behind(s->y->env.group, s->peer, &removals);
    int rc = queue_past(s, &removals, &q);
    s->end_due = rc == 0;
    s->all = false;
    return rc ? err_set(e, rc, "ending a session") : 0;
}
