/* Connections between devices. What a real transport promises, whole messages in order, is broken here in all
 * ways: a session must end then, never take something wrong. */
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

/* ---- ends */

static void packets_free(struct packet **q)
{
    while (*q) {
        struct packet *p = *q;
        *q = p->next;
        free(p);
    }
}

static bool open_end(const struct link *l, size_t end)
{
    return l->session[end] || (end == 0 && l->hostile);
}

static void end_close(struct link *l, size_t end)
{
    session_free(l->session[end]);
    l->session[end] = NULL;
    if (end == 0) {
        hostile_free(l->hostile);
        l->hostile = NULL;
    }
    packets_free(&l->queue[end]);
    if (!open_end(l, 1 - end))
        l->used = false;
}

void network_cut(struct sim *x, struct link *l)
{
    end_close(l, 0);
    end_close(l, 1);
    nudge(x);
}

/* The other end is told by an empty packet. */
static void hang_up(struct sim *x, struct link *l, size_t end)
{
    if (open_end(l, 1 - end))
        network_send(x, l, 1 - end, BYTES_NONE);
    end_close(l, end);
    nudge(x);
}

void network_leave(struct sim *x, const struct device *d)
{
    for (size_t i = 0; i < LINKS; i++) {
        for (size_t end = 0; x->link[i].used && end < 2; end++) {
            if (x->link[i].device[end] == d->index && open_end(&x->link[i], end))
                hang_up(x, &x->link[i], end);
        }
    }
}

/* ---- on the way */

static bool knows_removed(const struct device *at, const struct device *of)
{
    const struct member *m = at->group ? group_find(at->group, &of->id) : NULL;
    return m && m->state == MEMBER_REMOVED;
}

void network_send(struct sim *x, struct link *l, size_t to, struct bytes b)
{
    if (!open_end(l, to))
        return;
    struct packet *p = malloc(sizeof *p + b.n);
    CHECK(p);
    unsigned slow = x->plan.rate[FAULT_DELAY];
    int64_t at = x->now + 5;
    if (!x->healing && slow) {
        int64_t more = (int64_t)fault_below(x, FAULT_DELAY, slow + 1);
        x->r->faults[FAULT_DELAY] += more > 0;
        at += more;
    }
    at = at > l->clogged_until ? at : l->clogged_until;
    p->at = at > l->last_at[to] ? at : l->last_at[to];
    p->next = NULL;
    p->n = b.n;
    p->after_removal = knows_removed(&x->device[l->device[1 - to]], &x->device[l->device[to]]);
    l->last_at[to] = p->at;
    if (b.n > 0)
        memcpy(p->p, b.p, b.n);
    struct packet **q = &l->queue[to];
    while (*q)
        q = &(*q)->next;
    *q = p;
}

static bool hit(struct sim *x, enum sim_fault f)
{
    if (x->healing || !strikes(x, f, 10000))
        return false;
    x->r->faults[f]++;
    return true;
}

static void swap_last(struct sim *x, struct link *l, size_t to)
{
    struct packet **q = &l->queue[to];
    while (*q && (*q)->next && (*q)->next->next)
        q = &(*q)->next;
    if (!*q || !(*q)->next || !hit(x, FAULT_SWAP))
        return;
    struct packet *a = *q, *b = a->next;
    a->next = b->next;
    b->next = a;
    *q = b;
}

/* Keeps a few messages of the past, and sends one of them in between. */
static void replay(struct sim *x, struct link *l, size_t to, const struct buf *b)
{
    if (x->plan.rate[FAULT_REPLAY] == 0)
        return;
    struct buf *old = &x->old[fault_below(x, FAULT_REPLAY, sizeof x->old / sizeof *x->old)];
    if (old->n > 0 && hit(x, FAULT_REPLAY))
        network_send(x, l, to, buf_view(old));
    buf_clear(old);
    CHECK(buf_bytes(old, buf_view(b)) == 0);
}

static bool apart(const struct sim *x, size_t from, size_t to)
{
    return x->apart_until[from][to] > x->now;
}

void network_carry(struct sim *x, struct link *l, size_t to, struct buf *b)
{
    x->r->messages++;
    x->r->bytes += b->n;
    check_wire(x, buf_view(b));
    if (hit(x, FAULT_CLOG))
        l->clogged_until = x->now + (int64_t)fault_below(x, FAULT_CLOG, 2 * MINUTE);
    replay(x, l, to, b);
    if (apart(x, l->device[1 - to], l->device[to]) || hit(x, FAULT_LOSS))
        return;
    if (hit(x, FAULT_ALTER))
        b->p[fault_below(x, FAULT_ALTER, b->n)] ^= (uint8_t)(1u << fault_below(x, FAULT_ALTER, 8));
    if (b->n > 1 && hit(x, FAULT_TORN))
        b->n = 1 + fault_below(x, FAULT_TORN, b->n - 1);
    network_send(x, l, to, buf_view(b));
    if (hit(x, FAULT_TWICE))
        network_send(x, l, to, buf_view(b));
    swap_last(x, l, to);
}

void network_pump(struct sim *x, struct device *d)
{
    for (size_t i = 0; d->up && i < LINKS; i++) {
        struct link *l = &x->link[i];
        for (size_t end = 0; l->used && end < 2; end++) {
            if (l->device[end] != d->index || !l->session[end])
                continue;
            buf_clear(&x->scratch);
            while (session_output(l->session[end], &x->scratch)) {
                network_carry(x, l, 1 - end, &x->scratch);
                buf_clear(&x->scratch);
            }
        }
    }
}

/* ---- coming in */

static void died(struct sim *x, struct link *l, size_t end, int rc, const struct err *e)
{
    struct device *d = &x->device[l->device[end]];
    say(x, "device %zu: session with %zu ends: %s", d->index, l->device[1 - end], e->text);
    if (rc == ERR_CORRUPT && !device_excused(x, d, rc))
        fail(x, "device %zu: %s", d->index, e->text);
    network_pump(x, d);
    if (l->used && l->session[end])
        hang_up(x, l, end);
    if (device_excused(x, d, rc) && below(x, 2))
        device_down(x, d, 1 + (int64_t)below(x, 20 * SECOND));
}

static void hear(struct sim *x, struct link *l, size_t end, const struct packet *p)
{
    struct device *d = &x->device[l->device[end]];
    struct err e = ERR_INIT;
    uint64_t before = p->after_removal ? total_of(x, d) : 0;
    int rc = session_input(l->session[end], bytes_of(p->p, p->n), &e);
    if (rc)
        died(x, l, end, rc, &e);
    network_pump(x, d);
    /* A disk whose power was cut meanwhile tells nothing. */
    if (p->after_removal && d->up && !disk_lost_power(d->path) && total_of(x, d) > before)
        fail(x, "device %zu, which is removed, got ops from %zu, which knows it", d->index,
             l->device[1 - end]);
    device_after(x, d);
}

static void deliver(struct sim *x, struct link *l, size_t end)
{
    struct packet *p = l->queue[end];
    l->queue[end] = p->next;
    if (p->n == 0)
        end_close(l, end);
    else if (l->session[end])
        hear(x, l, end, p);
    else if (l->hostile && end == 0)
        hostile_hear(x, l, bytes_of(p->p, p->n));
    if (p->n == 0)
        nudge(x);
    free(p);
}

static void tick(struct sim *x, struct link *l, size_t end)
{
    struct err e = ERR_INIT;
    struct device *d = &x->device[l->device[end]];
    int rc = session_tick(l->session[end], &e);
    if (rc)
        died(x, l, end, rc, &e);
    network_pump(x, d);
    device_after(x, d);
}

static bool runs(const struct sim *x, size_t device)
{
    return x->device[device].up && x->device[device].awake;
}

/* A session's deadline in world time. */
static int64_t deadline(const struct sim *x, const struct link *l, size_t end)
{
    return session_deadline(l->session[end]) + x->device[l->device[end]].slept_ms;
}

static void run_end(struct sim *x, struct link *l, size_t end)
{
    while (l->used && l->queue[end] && l->queue[end]->at <= x->now && runs(x, l->device[end]) && !x->failed)
        deliver(x, l, end);
    if (l->used && l->session[end] && runs(x, l->device[end]) && deadline(x, l, end) <= x->now)
        tick(x, l, end);
}

void network_run(struct sim *x)
{
    for (size_t i = 0; i < LINKS; i++) {
        for (size_t end = 0; end < 2; end++) {
            if (x->link[i].used && !x->failed)
                run_end(x, &x->link[i], end);
        }
    }
}

int64_t network_next(const struct sim *x)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < LINKS; i++) {
        const struct link *l = &x->link[i];
        for (size_t end = 0; l->used && end < 2; end++) {
            if (!runs(x, l->device[end]))
                continue;
            if (l->queue[end] && l->queue[end]->at < at)
                at = l->queue[end]->at;
            if (l->session[end] && deadline(x, l, end) < at)
                at = deadline(x, l, end);
        }
    }
    return at;
}

/* ---- dialing */

static bool linked(const struct sim *x, size_t a, size_t b)
{
    for (size_t i = 0; i < LINKS; i++) {
        const struct link *l = &x->link[i];
        for (size_t end = 0; l->used && end < 2; end++) {
            if (l->device[end] == a && l->device[1 - end] == b && l->session[end])
                return true;
        }
    }
    return false;
}

struct link *network_link(struct sim *x, struct device *from, struct device *to)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *l = &x->link[i];
        if (l->used)
            continue;
        memset(l, 0, sizeof *l);
        l->device[0] = from->index;
        l->device[1] = to->index;
        l->session[1] = session_accept(to->sync);
        if (!l->session[1])
            return NULL;
        l->used = true;
        x->r->meetings++;
        return l;
    }
    return NULL;
}

static struct device *somebody(struct sim *x, const struct device *d, size_t *others)
{
    size_t at = below(x, x->n);
    struct device *found = NULL;
    *others = 0;
    for (size_t i = 0; i < x->n; i++) {
        struct device *o = &x->device[(at + i) % x->n];
        bool same = o == d || (id_eq(&o->id, &d->id) && !below(x, 4));
        if (same || !runs(x, o->index) || apart(x, d->index, o->index) || apart(x, o->index, d->index) ||
            linked(x, d->index, o->index) || !group_is_active(d->group, &o->id))
            continue;
        ++*others;
        found = found ? found : o;
    }
    return found;
}

void network_dial(struct sim *x, struct device *d)
{
    size_t others = 0;
    struct device *o = somebody(x, d, &others);
    d->next_dial = INT64_MAX;
    if (!o)
        return;
    d->next_dial = x->now + (int64_t)(x->healing ? below(x, 3 * SECOND) : below(x, 2 * MINUTE)) + SECOND;
    struct session *s = session_connect(d->sync, &o->id);
    if (!s)
        return;
    struct link *l = network_link(x, d, o);
    if (!l) {
        session_free(s);
        return;
    }
    l->session[0] = s;
    network_pump(x, d);
    device_after(x, d);
}

void network_end(struct sim *x)
{
    for (size_t i = 0; i < LINKS; i++) {
        packets_free(&x->link[i].queue[0]);
        packets_free(&x->link[i].queue[1]);
        hostile_free(x->link[i].hostile);
    }
}
