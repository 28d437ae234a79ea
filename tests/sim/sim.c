#include "tests/sim/sim.h"

#include "base/check.h"
#include "store/members.h"
#include "store/store.h"
#include "sync/sync.h"
#include "tests/store/faultvfs.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 5u
#define LINKS 64u
#define PROPS 48u
#define START_MS INT64_C(1700000000000)
#define HEAL_MS (INT64_C(30) * 60 * 1000)
#define MINUTE INT64_C(60000)

struct packet {
    struct packet *next;
    int64_t at;
    size_t n;
    uint8_t p[];
};

/* One connection; end 0 made it. */
struct link {
    bool used;
    size_t device[2];
    struct session *session[2]; /* NULL: this end is closed */
    struct packet *queue[2];    /* on the way to that end, in order */
    int64_t last_at[2];
};

struct device {
    size_t index;
    bool exists, up, removed;
    char path[TMP_PATH_BYTES], backup[TMP_PATH_BYTES];
    bool has_backup;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct device_keys keys;
    struct id id, log;
    uint64_t written; /* seq of `log` whose commit returned */
    int64_t skew_ms, next_write, next_dial, up_at;
    struct store *store;
    struct group *group;
    struct sync *sync;
};

struct faults {
    unsigned loss, twice, swap, alter;                            /* of 10 000 messages */
    unsigned cut, part, kill, power, full, restore, remove, join; /* of 10 000 steps of a second */
    int64_t delay_ms;
};

struct sim {
    uint64_t seed;
    bool verbose, failed, healing;
    struct test_rng rng;
    struct tmp_dir dir;
    int64_t now;
    struct device device[DEVICES];
    size_t n;
    struct link link[LINKS];
    int64_t apart_until[DEVICES][DEVICES];
    struct faults f;
    struct id prop[PROPS];
    size_t n_props;
    struct sim_report *r;
};

/* ---- saying */

static void say(struct sim *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct sim *x, const char *fmt, ...)
{
    va_list ap;
    if (!x->verbose)
        return;
    printf("%9.3f  ", (double)x->now / 1000);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

static void fail(struct sim *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fail(struct sim *x, const char *fmt, ...)
{
    va_list ap;
    if (x->failed)
        return;
    x->failed = true;
    fprintf(stderr, "sim: seed %llu at %.3f s: ", (unsigned long long)x->seed, (double)x->now / 1000);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
}

static uint64_t below(struct sim *x, uint64_t n)
{
    return test_rng_below(&x->rng, n);
}

static bool strikes(struct sim *x, unsigned of_10000)
{
    return of_10000 > 0 && below(x, 10000) < of_10000;
}

static void must(struct sim *x, int rc, const struct err *e, const char *what)
{
    if (rc)
        fail(x, "%s: %s", what, e->text);
}

/* ---- links */

static void packets_free(struct packet **q)
{
    while (*q) {
        struct packet *p = *q;
        *q = p->next;
        free(p);
    }
}

static void link_end(struct link *l, size_t end)
{
    session_free(l->session[end]);
    l->session[end] = NULL;
    packets_free(&l->queue[end]);
    if (!l->session[1 - end])
        l->used = false;
}

static void link_cut(struct link *l)
{
    link_end(l, 0);
    link_end(l, 1);
}

/* The other end is told by an empty packet. */
static void send(struct sim *x, struct link *l, size_t to, struct bytes b)
{
    if (!l->session[to])
        return;
    struct packet *p = malloc(sizeof *p + b.n);
    CHECK(p);
    int64_t at = x->now + 1 + (int64_t)below(x, (uint64_t)x->f.delay_ms + 1);
    p->at = at > l->last_at[to] ? at : l->last_at[to];
    p->next = NULL;
    p->n = b.n;
    l->last_at[to] = p->at;
    if (b.n > 0)
        memcpy(p->p, b.p, b.n);
    struct packet **q = &l->queue[to];
    while (*q)
        q = &(*q)->next;
    *q = p;
}

static bool apart(const struct sim *x, size_t a, size_t b)
{
    return x->apart_until[a][b] > x->now;
}

static void disturb(struct sim *x, struct link *l, size_t to, struct buf *b)
{
    x->r->messages++;
    x->r->bytes += b->n;
    if (apart(x, l->device[0], l->device[1]) || strikes(x, x->f.loss)) {
        x->r->lost++;
        return;
    }
    if (strikes(x, x->f.alter)) {
        x->r->altered++;
        if (below(x, 2) && b->n > 1)
            b->n = 1 + below(x, b->n - 1);
        else
            b->p[below(x, b->n)] ^= (uint8_t)(1 + below(x, 255));
    }
    send(x, l, to, buf_view(b));
    if (strikes(x, x->f.twice)) {
        x->r->doubled++;
        send(x, l, to, buf_view(b));
    }
}

static void swap_last(struct sim *x, struct link *l, size_t to)
{
    struct packet **q = &l->queue[to];
    while (*q && (*q)->next && (*q)->next->next)
        q = &(*q)->next;
    if (!*q || !(*q)->next || !strikes(x, x->f.swap))
        return;
    struct packet *a = *q, *b = a->next;
    a->next = b->next;
    b->next = a;
    *q = b;
    x->r->swapped++;
}

/* ---- devices */

static int64_t skewed(const struct sim *x, const struct device *d)
{
    return START_MS + x->now + d->skew_ms;
}

static void clocks(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        x->device[i].test_clock.mono_ms = x->now;
        x->device[i].test_clock.wall_ms = skewed(x, &x->device[i]);
    }
}

struct merged {
    struct sim *x;
};

static void merged(void *ctx, uint64_t ops)
{
    struct sim *x = ctx;
    x->r->merged += ops;
}

static bool is_victim(const struct device *d)
{
    return d->index == 0;
}

static int device_open(struct sim *x, struct device *d, struct err *e)
{
    struct store_config cfg = {
        .path = d->path, .vfs = is_victim(d) ? FAULTVFS_NAME : NULL, .clock = &d->clock, .rng = &d->rng};
    int rc = store_open(&d->store, &cfg, e);
    if (rc)
        return rc;
    store_use_log(d->store, &d->log, &d->id);
    rc = group_open(&d->group, d->store, &d->keys, &d->rng, e);
    struct sync_env env = {.store = d->store,
                           .group = d->group,
                           .keys = &d->keys,
                           .clock = &d->clock,
                           .rng = &d->rng,
                           .log = d->log,
                           .merged = merged,
                           .ctx = x};
    rc = rc ? rc : sync_open(&d->sync, &env, e);
    d->up = rc == 0;
    d->next_dial = x->now + (int64_t)below(x, 2000);
    return rc;
}

static void links_of(struct sim *x, const struct device *d)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *l = &x->link[i];
        for (size_t end = 0; l->used && end < 2; end++) {
            if (l->device[end] != d->index)
                continue;
            size_t other = 1 - end;
            if (l->session[other])
                send(x, l, other, BYTES_NONE);
            link_end(l, end);
        }
    }
}

static void device_close(struct sim *x, struct device *d)
{
    links_of(x, d);
    sync_close(d->sync);
    group_close(d->group);
    store_close(d->store);
    d->sync = NULL;
    d->group = NULL;
    d->store = NULL;
    d->up = false;
}

static void device_make(struct sim *x, struct device *d, size_t index)
{
    char name[16];
    struct err e = ERR_INIT;
    memset(d, 0, sizeof *d);
    d->index = index;
    (void)snprintf(name, sizeof name, "d%zu", index);
    tmp_path(&x->dir, name, d->path);
    (void)snprintf(name, sizeof name, "backup%zu", index);
    tmp_path(&x->dir, name, d->backup);
    test_clock_init(&d->test_clock, START_MS);
    test_rng_init(&d->test_rng, test_rng_u64(&x->rng));
    d->clock = test_clock_iface(&d->test_clock);
    d->rng = test_rng_iface(&d->test_rng);
    d->skew_ms = below(x, 3) ? 0 : (int64_t)below(x, 40) * MINUTE - 20 * MINUTE;
    d->test_clock.mono_ms = x->now;
    d->test_clock.wall_ms = skewed(x, d);
    device_keys_make(&d->keys, &d->rng);
    device_id_of(d->keys.sign.pk, &d->id);
    rng_fill(&d->rng, d->log.b, ID_BYTES);
    must(x, device_open(x, d, &e), &e, "opening a device");
    d->next_write = x->now + (int64_t)below(x, 5000);
    d->exists = true;
}

/* Records by hand, as pairing brings them. */
static int carry(void *ctx, struct bytes record)
{
    bool fresh;
    return group_receive(ctx, record, &fresh, NULL);
}

static int add_to_group(struct sim *x, struct device *by, struct device *d, struct err *e)
{
    struct history_grant grant = {HISTORY_ALL, 0};
    struct buf cert;
    struct id group;
    char name[16];
    (void)snprintf(name, sizeof name, "device%zu", d->index);
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    int rc = device_cert_make(&d->keys, bytes_str(name), skewed(x, d), &cert, e);
    rc = rc ? rc : group_add(by->group, buf_view(&cert), &grant, skewed(x, by), e);
    buf_release(&cert);
    if (rc)
        return rc;
    group_id(by->group, &group);
    rc = group_join(d->group, &group, e);
    rc = rc ? rc : group_records(by->group, NULL, 0, carry, d->group);
    rc = rc ? rc : group_open_log(d->group, &d->log, skewed(x, d), e);
    return rc;
}

/* ---- driving */

static void renew(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    enum identity_fault fault = sync_identity(d->sync);
    if (fault == IDENTITY_FINE || !sync_identity_pulled(d->sync))
        return;
    if (fault != IDENTITY_BEHIND) {
        fail(x, "device %zu has an identity fault %d", d->index, (int)fault);
        return;
    }
    say(x, "device %zu opens a new log", d->index);
    rng_fill(&d->rng, d->log.b, ID_BYTES);
    must(x, group_open_log(d->group, &d->log, skewed(x, d), &e), &e, "opening a log");
    store_use_log(d->store, &d->log, &d->id);
    d->written = 0;
    sync_log_renewed(d->sync, &d->log);
    must(x, sync_changed(d->sync, &e), &e, "after a new log");
}

static void pump(struct sim *x, struct device *d)
{
    struct buf b;
    buf_init(&b, SYNC_MESSAGE_MAX);
    for (size_t i = 0; i < LINKS; i++) {
        struct link *l = &x->link[i];
        for (size_t end = 0; l->used && end < 2; end++) {
            if (l->device[end] != d->index || !l->session[end])
                continue;
            while (session_output(l->session[end], &b)) {
                disturb(x, l, 1 - end, &b);
                swap_last(x, l, 1 - end);
                buf_clear(&b);
            }
            buf_clear(&b);
        }
    }
    buf_release(&b);
}

static void crash_if_struck(struct sim *x, struct device *d)
{
    if (!is_victim(d) || !d->up || !faultvfs_struck())
        return;
    say(x, "the power of device %zu is cut", d->index);
    device_close(x, d);
    faultvfs_crash(test_rng_u64(&x->rng));
    x->r->power_cuts++;
    d->up_at = x->now + 100 + (int64_t)below(x, 20000);
}

static void died(struct sim *x, struct link *l, size_t end, const struct err *e)
{
    struct device *d = &x->device[l->device[end]];
    say(x, "device %zu: session with %zu ends: %s", d->index, l->device[1 - end], e->text);
    pump(x, d);
    if (!l->used || !l->session[end])
        return;
    if (l->session[1 - end])
        send(x, l, 1 - end, BYTES_NONE);
    link_end(l, end);
}

static void deliver(struct sim *x, struct link *l, size_t end)
{
    struct device *d = &x->device[l->device[end]];
    struct packet *p = l->queue[end];
    struct err e = ERR_INIT;
    l->queue[end] = p->next;
    if (!l->session[end]) {
        free(p);
        return;
    }
    if (p->n == 0) {
        link_end(l, end);
    } else {
        int rc = session_input(l->session[end], bytes_of(p->p, p->n), &e);
        if (rc)
            died(x, l, end, &e);
        else
            pump(x, d);
    }
    free(p);
    pump(x, d);
    if (d->up && !d->removed)
        renew(x, d);
    pump(x, d);
    crash_if_struck(x, d);
}

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

static void dial(struct sim *x, struct device *d)
{
    size_t to = below(x, x->n);
    struct device *o = &x->device[to];
    struct link *l = NULL;
    d->next_dial = x->now + 500 + (int64_t)below(x, x->healing ? 2000 : 8000);
    for (size_t i = 0; i < LINKS && !l; i++)
        l = x->link[i].used ? NULL : &x->link[i];
    if (to == d->index || !o->up || !l || linked(x, d->index, to) || apart(x, d->index, to))
        return;
    struct session *s = session_connect(d->sync, &o->id);
    if (!s)
        return;
    *l = (struct link){.used = true, .device = {d->index, to}, .session = {s, session_accept(o->sync)}};
    CHECK(l->session[1]);
    x->r->meetings++;
    pump(x, d);
    crash_if_struck(x, d);
}

static void tick(struct sim *x, struct link *l, size_t end)
{
    struct err e = ERR_INIT;
    struct device *d = &x->device[l->device[end]];
    if (session_tick(l->session[end], &e))
        died(x, l, end, &e);
    pump(x, d);
    crash_if_struck(x, d);
}

/* ---- writing */

static void draft_random(struct sim *x, struct device *d, struct draft *w, const struct id *id)
{
    char text[64];
    (void)snprintf(text, sizeof text, "claim %llu", (unsigned long long)below(x, 1000));
    draft_reset(w, SPACE_PROPOSITION, below(x, 2) ? CLASS_EDIT : CLASS_MODEL, id);
    switch (below(x, 5)) {
    case 0:
        draft_set_add(w, SET_TAG, bytes_str(text));
        break;
    case 1:
        draft_count(w, &(struct count){.device = d->id,
                                       .source = BYTES_LIT("shell"),
                                       .support = below(x, 100),
                                       .against = 1,
                                       .first_ms = START_MS,
                                       .last_ms = START_MS + x->now});
        break;
    case 2: {
        struct seen s = {.against = below(x, 2) != 0, .time_ms = START_MS + x->now};
        s.key[0] = (uint8_t)below(x, 20);
        draft_seen(w, &s, 1);
        break;
    }
    default:
        draft_reg(w, REG_TEXT, bytes_str(text), NULL, 0);
        draft_reg_u8(w, REG_DECAY, (uint8_t)(1 + below(x, 10)), NULL, 0);
        break;
    }
}

static const struct id *some_prop(struct sim *x)
{
    if (x->n_props < PROPS && below(x, 3)) {
        test_rng_fill(&x->rng, x->prop[x->n_props].b, ID_BYTES);
        return &x->prop[x->n_props++];
    }
    return x->n_props ? &x->prop[below(x, x->n_props)] : some_prop(x);
}

/* An edit that names what it replaces, or the removal of a tag. */
static bool draft_edit(struct sim *x, struct device *d, struct draft *w, const struct id *id)
{
    uint8_t names[LIMIT_PRIOR_STAMPS][16];
    struct entity *en = entity_new();
    CHECK(en);
    bool found = store_entity(d->store, SPACE_PROPOSITION, id, en, NULL) == 0;
    draft_reset(w, SPACE_PROPOSITION, CLASS_EDIT, id);
    if (found && below(x, 2) && entity_set_count(en, SET_TAG) > 0) {
        struct bytes tag = entity_set_at(en, SET_TAG, 0);
        size_t n = entity_set_dots(en, SET_TAG, tag, names, LIMIT_PRIOR_STAMPS);
        draft_set_remove(w, SET_TAG, tag, names, n);
    } else if (found) {
        size_t n = entity_stamps(en, REG_TEXT, names, LIMIT_PRIOR_STAMPS);
        draft_reg(w, REG_TEXT, BYTES_LIT("edited"), names, n);
    }
    entity_free(en);
    return found && w->n_actions > 0;
}

static int write_one(struct sim *x, struct device *d, struct err *e)
{
    const struct id *id = some_prop(x);
    struct draft w;
    int rc;
    if (below(x, 40) == 0)
        return store_forget(d->store, id, NULL, 0, e);
    draft_init(&w);
    if (below(x, 3) || !draft_edit(x, d, &w, id))
        draft_random(x, d, &w, id);
    rc = store_write(d->store, &w, e);
    draft_release(&w);
    return rc;
}

static void write_some(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct hash chain;
    uint64_t n = below(x, 20) == 0 ? 150 + below(x, 300) : 1 + below(x, 4);
    if (sync_identity(d->sync) != IDENTITY_FINE)
        return;
    int rc = store_begin(d->store, &e);
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        rc = write_one(x, d, &e);
        rc = rc == ERR_FORGOTTEN || rc == ERR_NOTFOUND ? 0 : rc;
    }
    if (rc && d->store)
        store_rollback(d->store);
    rc = rc ? rc : store_commit(d->store, &e);
    if (rc == 0) {
        x->r->ops += n;
        rc = store_log_head(d->store, &d->log, &d->written, &chain, &e);
    }
    if (rc == 0)
        rc = sync_changed(d->sync, &e);
    if (rc && rc != ERR_ATTENTION && !(is_victim(d) && sizeof e > 0 && (rc == ERR_FULL || rc == ERR_IO)))
        fail(x, "device %zu cannot write: %s", d->index, e.text);
    pump(x, d);
    crash_if_struck(x, d);
}

/* ---- faults */

static void kill_device(struct sim *x, struct device *d)
{
    say(x, "device %zu is killed", d->index);
    x->r->kills++;
    if (d->store && below(x, 2))
        (void)!store_begin(d->store, NULL); /* in the middle of a transaction */
    device_close(x, d);
    if (is_victim(d))
        faultvfs_arm(FAULT_NONE, 0, 0);
    if (below(x, 2) && !is_victim(d)) {
        tmp_copy(d->path, d->backup);
        d->has_backup = true;
    }
    d->up_at = x->now + 100 + (int64_t)below(x, 20000);
}

/* Yesterday's database; what node/ does then: a new log, or finding out from a peer. */
static void restore(struct sim *x, struct device *d)
{
    if (!d->has_backup || is_victim(d))
        return;
    say(x, "device %zu gets an old database", d->index);
    x->r->restores++;
    if (d->up)
        device_close(x, d);
    char side[TMP_PATH_BYTES + 8];
    (void)snprintf(side, sizeof side, "%s-wal", d->path);
    (void)remove(side);
    (void)snprintf(side, sizeof side, "%s-shm", d->path);
    (void)remove(side);
    tmp_copy(d->backup, d->path);
    rng_fill(&d->rng, d->log.b, ID_BYTES);
    d->written = 0;
    d->up_at = x->now + 100;
}

static void come_up(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct hash chain;
    uint64_t seq = 0;
    int rc = device_open(x, d, &e);
    rc = rc ? rc : store_log_head(d->store, &d->log, &seq, &chain, &e);
    must(x, rc, &e, "opening a device again");
    if (!rc && seq < d->written)
        fail(x, "device %zu lost op %llu of its log, %llu are left", d->index, (unsigned long long)d->written,
             (unsigned long long)seq);
    say(x, "device %zu is up again", d->index);
}

static void remove_device(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct device *o = &x->device[below(x, x->n)];
    size_t left = 0;
    for (size_t i = 0; i < x->n; i++)
        left += !x->device[i].removed;
    if (o == d || o->removed || left < 3 || !group_is_active(d->group, &o->id) || is_victim(d))
        return;
    say(x, "device %zu removes %zu", d->index, o->index);
    int rc = group_remove(d->group, &o->id, skewed(x, d), &e);
    if (rc == ERR_ATTENTION)
        return;
    o->removed = true;
    x->r->removals++;
    rc = rc ? rc : sync_changed(d->sync, &e);
    must(x, rc == ERR_ATTENTION ? 0 : rc, &e, "removing a device");
    pump(x, d);
}

static void join_device(struct sim *x, struct device *by)
{
    struct err e = ERR_INIT;
    if (x->n == DEVICES || is_victim(by))
        return;
    struct device *d = &x->device[x->n];
    device_make(x, d, x->n);
    int rc = add_to_group(x, by, d, &e);
    if (rc) { /* it was removed, and does not know it */
        device_close(x, d);
        (void)remove(d->path);
        return;
    }
    x->n++;
    x->r->joins++;
    say(x, "device %zu joins by %zu", d->index, by->index);
    rc = sync_changed(by->sync, &e);
    rc = rc ? rc : sync_changed(d->sync, &e);
    must(x, rc, &e, "adding a device");
    pump(x, by);
    pump(x, d);
}

static void part(struct sim *x)
{
    size_t a = below(x, x->n), b = below(x, x->n);
    int64_t until = x->now + (int64_t)below(x, 120000);
    x->apart_until[a][b] = x->apart_until[b][a] = until;
    x->r->partitions++;
    say(x, "devices %zu and %zu are apart until %.3f", a, b, (double)until / 1000);
}

static void cut(struct sim *x)
{
    struct link *l = &x->link[below(x, LINKS)];
    for (size_t i = 0; i < LINKS && !l->used; i++)
        l = &x->link[i];
    if (!l->used)
        return;
    x->r->cuts++;
    link_cut(l);
}

/* Once a virtual second. */
static void misfortune(struct sim *x)
{
    struct device *d = &x->device[below(x, x->n)];
    if (strikes(x, x->f.part))
        part(x);
    if (strikes(x, x->f.cut))
        cut(x);
    if (d->up && strikes(x, x->f.kill))
        kill_device(x, d);
    if (strikes(x, x->f.restore) && !d->removed)
        restore(x, d);
    if (d->up && !d->removed && strikes(x, x->f.remove))
        remove_device(x, d);
    if (d->up && !d->removed && strikes(x, x->f.join))
        join_device(x, d);
    if (x->device[0].up && strikes(x, x->f.power))
        faultvfs_arm(FAULT_CRASH, faultvfs_calls() + 1 + below(x, 60), 1);
    else if (x->device[0].up && strikes(x, x->f.full)) {
        faultvfs_arm(FAULT_FULL, faultvfs_calls() + 1 + below(x, 30), 1 + below(x, 5));
        x->r->full++;
    }
}

/* ---- time */

static int64_t sooner(int64_t a, int64_t b)
{
    return b != TIME_NONE && b < a ? b : a;
}

static int64_t next_event(const struct sim *x)
{
    int64_t at = (x->now / 1000 + 1) * 1000;
    for (size_t i = 0; i < LINKS; i++) {
        const struct link *l = &x->link[i];
        for (size_t end = 0; l->used && end < 2; end++) {
            if (l->queue[end])
                at = sooner(at, l->queue[end]->at);
            if (l->session[end])
                at = sooner(at, session_deadline(l->session[end]));
        }
    }
    for (size_t i = 0; i < x->n; i++) {
        const struct device *d = &x->device[i];
        at = sooner(at, d->up ? d->next_dial : d->up_at);
        if (d->up && !x->healing)
            at = sooner(at, d->next_write);
    }
    return at > x->now ? at : x->now;
}

static void run_links(struct sim *x)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *l = &x->link[i];
        for (size_t end = 0; end < 2; end++) {
            while (l->used && l->queue[end] && l->queue[end]->at <= x->now)
                deliver(x, l, end);
            if (l->used && l->session[end] && session_deadline(l->session[end]) <= x->now)
                tick(x, l, end);
        }
    }
}

static void run_devices(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        if (!d->up && d->up_at <= x->now)
            come_up(x, d);
        if (d->up && d->next_dial <= x->now)
            dial(x, d);
        if (d->up && !x->healing && d->next_write <= x->now) {
            d->next_write = x->now + 200 + (int64_t)below(x, 15000);
            write_some(x, d);
        }
    }
}

static void step(struct sim *x)
{
    int64_t second = x->now / 1000;
    x->now = next_event(x);
    clocks(x);
    run_links(x);
    run_devices(x);
    if (!x->healing && x->now / 1000 != second)
        misfortune(x);
}

/* ---- the end */

static int append(void *ctx, struct bytes piece)
{
    return buf_bytes(ctx, piece);
}

static int append_log(void *ctx, const struct log_head *h)
{
    struct buf *b = ctx;
    (void)buf_append(b, h->log.b, ID_BYTES);
    (void)buf_append(b, &h->seq, sizeof h->seq);
    return buf_append(b, h->chain.b, HASH_BYTES);
}

static void vector_of(struct sim *x, struct device *d, struct buf *out)
{
    struct err e = ERR_INIT;
    must(x, store_logs(d->store, append_log, out, &e), &e, "reading logs");
}

static void release_held(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct err e = ERR_INIT;
        size_t n;
        int64_t next;
        if (x->device[i].up)
            must(x, store_release_held(x->device[i].store, &n, &next, &e), &e, "releasing held ops");
    }
}

/* Members by the view of the first that is one in its own eyes; removals may have removed one another. */
static struct device *reference(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        if (d->up && group_is_active(d->group, &d->id))
            return d;
    }
    return NULL;
}

static bool same(struct sim *x, struct device *a, struct device *b, bool complain)
{
    struct buf p, q;
    buf_init(&p, 64u << 20);
    buf_init(&q, 64u << 20);
    CHECK(group_dump(a->group, &p) == 0 && group_dump(b->group, &q) == 0);
    bool groups = bytes_eq(buf_view(&p), buf_view(&q));
    buf_clear(&p);
    buf_clear(&q);
    vector_of(x, a, &p);
    vector_of(x, b, &q);
    bool vectors = bytes_eq(buf_view(&p), buf_view(&q));
    bool models = true;
    if (groups && vectors && complain) {
        buf_clear(&p);
        buf_clear(&q);
        CHECK(store_dump(a->store, append, &p, NULL) == 0 && store_dump(b->store, append, &q, NULL) == 0);
        models = bytes_eq(buf_view(&p), buf_view(&q));
    }
    if (complain && !(groups && vectors && models))
        fail(x, "devices %zu and %zu differ: groups %s, vectors %s, models %s", a->index, b->index,
             groups ? "equal" : "DIFFER", vectors ? "equal" : "DIFFER", models ? "equal" : "DIFFER");
    buf_release(&p);
    buf_release(&q);
    return groups && vectors && models;
}

static bool all_same(struct sim *x, bool complain)
{
    struct device *ref = reference(x);
    for (size_t i = 0; ref && i < x->n; i++) {
        struct device *d = &x->device[i];
        if (d == ref || !group_is_active(ref->group, &d->id))
            continue;
        if (!d->up || !same(x, ref, d, complain))
            return false;
    }
    if (!ref && complain)
        fail(x, "nobody is left");
    return ref != NULL;
}

static int sum_lacks(void *ctx, const struct peer_status *p)
{
    uint64_t *n = ctx;
    *n += p->they_lack + p->we_lack + (p->state == PEER_DIVERGED);
    return 0;
}

static bool deltas_empty(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        struct err e = ERR_INIT;
        uint64_t lacks = 0;
        if (!d->up || !group_is_active(d->group, &d->id))
            continue;
        must(x, sync_peers(d->sync, sum_lacks, &lacks, &e), &e, "status");
        if (lacks)
            return false;
    }
    return true;
}

static bool removed_know(struct sim *x)
{
    struct device *ref = reference(x);
    for (size_t i = 0; ref && i < x->n; i++) {
        struct device *d = &x->device[i];
        if (!group_is_active(ref->group, &d->id) && (!d->up || group_is_active(d->group, &d->id)))
            return false;
    }
    return true;
}

static void check_written(struct sim *x)
{
    struct device *ref = reference(x);
    for (size_t i = 0; ref && i < x->n; i++) {
        struct device *d = &x->device[i];
        struct hash chain;
        struct err e = ERR_INIT;
        uint64_t seq = 0;
        if (!group_is_active(ref->group, &d->id))
            continue;
        must(x, store_log_head(ref->store, &d->log, &seq, &chain, &e), &e, "reading a log");
        if (seq < d->written)
            fail(x, "op %llu of device %zu is lost: %llu at device %zu", (unsigned long long)d->written, i,
                 (unsigned long long)seq, ref->index);
    }
}

static int count_quarantine(void *ctx, const struct quarantine *q)
{
    struct sim *x = ctx;
    say(x, "quarantined: %s", q->reason);
    return 0;
}

static void heal(struct sim *x)
{
    int64_t start = x->now;
    x->healing = true;
    faultvfs_arm(FAULT_NONE, 0, 0);
    memset(x->apart_until, 0, sizeof x->apart_until);
    x->f = (struct faults){.delay_ms = x->f.delay_ms};
    say(x, "everything heals");
    while (!x->failed && x->now < start + HEAL_MS) {
        for (int i = 0; i < 50 && !x->failed; i++)
            step(x);
        if (all_same(x, false) && removed_know(x) && deltas_empty(x))
            break;
    }
    int64_t took = x->now - start;
    x->r->heal_ms = took > x->r->heal_ms ? took : x->r->heal_ms;
    x->now += 60 * MINUTE; /* what was dated ahead is due */
    clocks(x);
    release_held(x);
    for (size_t i = 0; x->verbose && i < x->n; i++) {
        if (x->device[i].up && sync_quarantine(x->device[i].sync, count_quarantine, x, NULL))
            break;
    }
    (void)all_same(x, true);
    if (!x->failed && !removed_know(x))
        fail(x, "a removed device was not told");
    if (!x->failed && !deltas_empty(x))
        fail(x, "equal devices say that they lack something");
    check_written(x);
}

/* ---- one seed */

static void choose_faults(struct sim *x)
{
    unsigned *rates[] = {&x->f.loss, &x->f.twice, &x->f.swap, &x->f.alter};
    unsigned *rare[] = {&x->f.cut, &x->f.part, &x->f.kill, &x->f.power, &x->f.full};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        *rates[i] = below(x, 3) ? 0 : (unsigned)below(x, 300);
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
        *rare[i] = below(x, 2) ? 0 : (unsigned)below(x, 600);
    x->f.restore = below(x, 3) ? 0 : 200;
    x->f.remove = below(x, 3) ? 0 : 100;
    x->f.join = below(x, 3) ? 0 : 150;
    x->f.delay_ms = (int64_t)(below(x, 3) ? below(x, 100) : below(x, 3000));
}

static void begin(struct sim *x)
{
    struct err e = ERR_INIT;
    size_t n = 2 + below(x, DEVICES - 1);
    for (size_t i = 0; i < n; i++)
        device_make(x, &x->device[i], i);
    x->n = n;
    struct device *d = &x->device[0];
    must(x, group_found(d->group, BYTES_LIT("device0"), &d->log, skewed(x, d), &e), &e, "founding");
    for (size_t i = 1; i < n; i++)
        must(x, add_to_group(x, d, &x->device[i], &e), &e, "adding");
    for (size_t i = 0; i < n; i++)
        must(x, sync_changed(x->device[i].sync, &e), &e, "starting");
}

static int count_frame(void *ctx, const struct frame_row *row)
{
    (void)row;
    ++*(uint64_t *)ctx;
    return 0;
}

static int count_frames(void *ctx, const struct log_head *h)
{
    struct sim *x = ctx;
    struct device *ref = reference(x);
    return frame_rows_back(ref->store, &h->log, count_frame, &x->r->frames, NULL);
}

static void finish(struct sim *x)
{
    struct device *ref = reference(x);
    if (ref)
        (void)!store_logs(ref->store, count_frames, x, NULL);
    for (size_t i = 0; i < x->n; i++) {
        if (x->device[i].up)
            device_close(x, &x->device[i]);
        device_keys_wipe(&x->device[i].keys);
    }
    for (size_t i = 0; i < LINKS; i++) {
        packets_free(&x->link[i].queue[0]);
        packets_free(&x->link[i].queue[1]);
    }
    tmp_dir_remove(&x->dir);
}

bool sim_run(uint64_t seed, bool verbose, struct sim_report *r)
{
    struct sim *x = calloc(1, sizeof *x);
    CHECK(x && crypt_start() == 0);
    x->seed = seed;
    x->verbose = verbose;
    x->r = r;
    test_rng_init(&x->rng, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
    tmp_dir_make(&x->dir);
    faultvfs_reset();
    begin(x);
    choose_faults(x);
    int64_t end = 20000 + (int64_t)below(x, 180000);
    while (!x->failed && x->now < end)
        step(x);
    if (!x->failed)
        heal(x);
    r->virtual_ms += x->now;
    finish(x);
    bool ok = !x->failed;
    free(x);
    return ok;
}

void sim_print(const struct sim_report *r, uint64_t seeds, double seconds)
{
    printf("%llu seeds, %.1f s of real and %.1f h of virtual time, longest heal %.0f s\n",
           (unsigned long long)seeds, seconds, (double)r->virtual_ms / 3600000, (double)r->heal_ms / 1000);
#define SHOW(what) (unsigned long long)r->what
    printf("%llu ops written, %llu merged elsewhere, %llu frames at the end, %llu meetings, %llu messages, "
           "%llu KB\n",
           SHOW(ops), SHOW(merged), SHOW(frames), SHOW(meetings), SHOW(messages), SHOW(bytes) / 1024);
    printf("messages lost %llu, doubled %llu, swapped %llu, altered %llu; connections cut %llu, partitions "
           "%llu\n",
           SHOW(lost), SHOW(doubled), SHOW(swapped), SHOW(altered), SHOW(cuts), SHOW(partitions));
    printf("kills %llu, power cuts %llu, disk full %llu, restores %llu, removals %llu, joins %llu\n",
           SHOW(kills), SHOW(power_cuts), SHOW(full), SHOW(restores), SHOW(removals), SHOW(joins));
#undef SHOW
}
