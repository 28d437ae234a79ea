#include "node/net/dial.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

void dial_init(struct dial *d, const struct id *self, const struct rng *rng)
{
    *d = (struct dial){.self = *self, .rng = rng};
}

/* A number 0..n-1; the bias of a remainder does not matter here. */
static int64_t below(const struct dial *d, int64_t n)
{
    uint32_t v = 0;
    rng_fill(d->rng, &v, sizeof(v));
    return (int64_t)v % n;
}

/* 3/4 to 5/4 of the wait that so many failures call for. */
static int64_t rest_ms(const struct dial *d, unsigned fails)
{
    int64_t ms = DIAL_REST_MS_MIN;
    for (unsigned i = 1; i < fails && ms < DIAL_REST_MS_MAX; i++) {
        ms *= 2;
    }
    ms = ms > DIAL_REST_MS_MAX ? DIAL_REST_MS_MAX : ms;
    int64_t jittered = ms * 3 / 4 + below(d, ms / 2);
    return jittered > DIAL_REST_MS_MAX ? DIAL_REST_MS_MAX : jittered;
}

int dial_add(struct dial *d, const char *host_port, int64_t now_ms, struct err *e)
{
    struct dial_target t = {.used = true, .fixed = true, .next_ms = now_ms};
    int rc = addr_split(host_port, t.host, &t.port, e);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        if (!d->targets[i].used) {
            d->targets[i] = t;
            return 0;
        }
    }
    return err_set(e, ERR_LIMIT, "too many peers, '%.80s' is one more", host_port);
}

/* A row for one more address of the device: a free one, else its own oldest when it has many, else the oldest
 * of all; NULL when every row is in use by a connection or the user. */
static struct dial_target *row_for(struct dial *d, const struct id *device)
{
    struct dial_target *own = NULL;
    struct dial_target *any = NULL;
    size_t n_own = 0;
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        struct dial_target *t = &d->targets[i];
        bool its = t->used && !t->fixed && id_eq(&t->device, device);
        n_own += its ? 1 : 0;
        if (t->used && (t->fixed || t->busy)) {
            continue;
        }
        if (its && (own == NULL || t->heard_ms < own->heard_ms)) {
            own = t;
        }
        if (any == NULL || (any->used && (!t->used || t->heard_ms < any->heard_ms))) {
            any = t;
        }
    }
    return n_own >= DIAL_ADDRESSES_EACH && own != NULL ? own : any;
}

void dial_remember(struct dial *d, const struct id *device, const char *host, uint16_t port, int64_t now_ms)
{
    struct dial_target t = {.used = true, .kept = true, .port = port, .heard_ms = now_ms, .next_ms = now_ms};
    t.device = device != NULL ? *device : ID_NONE;
    (void)snprintf(t.host, sizeof(t.host), "%s", host);
    struct dial_target *row = row_for(d, &t.device);
    if (row != NULL) {
        *row = t;
    }
}

bool dial_heard(struct dial *d, const struct id *device, const struct addr *a, int64_t now_ms)
{
    char text[ADDR_TEXT];
    struct dial_target fresh = {.used = true, .device = *device};
    struct dial_target *t = NULL;
    bool was_away = true;
    addr_text(a, text);
    if (addr_split(text, fresh.host, &fresh.port, NULL) != 0) {
        return false;
    }
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        struct dial_target *x = &d->targets[i];
        if (!x->used || x->fixed || !id_eq(&x->device, device)) {
            continue;
        }
        was_away = was_away && now_ms - x->heard_ms > DIAL_SILENT_MS;
        t = x->port == fresh.port && strcmp(x->host, fresh.host) == 0 ? x : t;
    }
    bool known = t != NULL;
    t = known ? t : row_for(d, device);
    if (t == NULL) {
        return was_away;
    }
    if (!known) {
        *t = fresh;
    }
    t->heard_ms = now_ms;
    if (!known || was_away) {
        int64_t start = id_cmp(&d->self, device) < 0 ? 0 : DIAL_LATER_MS;
        t->fails = 0;
        t->next_ms = now_ms + start + below(d, 200);
    }
    return was_away;
}

static bool is_missing(const struct dial_missing *m, const struct id *device)
{
    for (size_t i = 0; i < m->n; i++) {
        if (id_eq(&m->devices[i], device)) {
            return true;
        }
    }
    return false;
}

/* Whether there is somebody to look for at the target. */
static bool wanted(const struct dial_target *t, const struct dial_missing *m)
{
    if (!t->used || t->busy || m->n == 0) {
        return false;
    }
    return id_none(&t->device) || is_missing(m, &t->device);
}

struct dial_target *dial_next(struct dial *d, const struct dial_missing *m, int64_t now_ms, struct id *whom)
{
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        struct dial_target *t = &d->targets[i];
        if (t->used && !t->fixed && !t->kept && !t->busy && now_ms - t->heard_ms > DIAL_HEARD_MS) {
            t->used = false;
        }
        if (wanted(t, m) && t->next_ms <= now_ms) {
            *whom = id_none(&t->device) ? m->devices[t->guess % m->n] : t->device;
            return t;
        }
    }
    return NULL;
}

int64_t dial_deadline(const struct dial *d, const struct dial_missing *m)
{
    int64_t first = TIME_NONE;
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        const struct dial_target *t = &d->targets[i];
        if (wanted(t, m) && (first == TIME_NONE || t->next_ms < first)) {
            first = t->next_ms;
        }
    }
    return first;
}

static void rest(struct dial *d, struct dial_target *t, int64_t now_ms)
{
    t->fails++;
    t->next_ms = now_ms + rest_ms(d, t->fails);
}

void dial_unreachable(struct dial *d, struct dial_target *t, int64_t now_ms)
{
    t->busy = false;
    rest(d, t, now_ms);
}

void dial_wrong(struct dial *d, struct dial_target *t, const struct dial_missing *m, int64_t now_ms)
{
    t->busy = false;
    t->guess++;
    if (t->fixed) {
        t->device = ID_NONE; /* another device may have got the address */
    }
    if (id_none(&t->device) && m->n > 0 && t->guess % m->n != 0) {
        t->next_ms = now_ms + DIAL_GUESS_MS;
    } else {
        rest(d, t, now_ms);
    }
}

void dial_met(struct dial_target *t, const struct id *device)
{
    t->device = *device;
    t->kept = true;
    t->guess = 0;
}

void dial_ended(struct dial *d, struct dial_target *t, const struct id *device, int64_t lived_ms,
                int64_t now_ms)
{
    if (t != NULL) {
        t->busy = false;
    }
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        struct dial_target *x = &d->targets[i];
        if (x->used && !x->busy && id_eq(&x->device, device)) {
            x->fails = lived_ms >= DIAL_STEADY_MS ? 0 : x->fails;
            rest(d, x, now_ms);
        }
    }
}

void dial_all(struct dial *d, int64_t now_ms)
{
    for (size_t i = 0; i < DIAL_TARGETS_MAX; i++) {
        d->targets[i].fails = 0;
        d->targets[i].next_ms = now_ms;
    }
}
