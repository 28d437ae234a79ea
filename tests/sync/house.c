#include "tests/sync/house.h"

#include "base/check.h"
#include "store/members.h"
#include "sync/group_int.h"

#include <stdio.h>
#include <string.h>

void house_ok(int rc, const struct err *e)
{
    if (rc != 0)
        (void)fprintf(stderr, "error %d: %s\n", rc, e->text);
    CHECK(rc == 0);
}

int64_t house_now(const struct house *h)
{
    return h->test_clock.wall_ms;
}

/* ---- devices */

static void device_open(struct house *h, size_t i)
{
    struct device *d = &h->device[i];
    struct err e = ERR_INIT;
    (void)snprintf(d->name, sizeof d->name, "device%zu", i);
    tmp_path(&h->dir, d->name, d->path);
    struct store_config cfg = {.path = d->path, .vfs = "memdb", .clock = &h->clock, .rng = &h->rng};
    house_ok(store_open(&d->store, &cfg, &e), &e);
    device_keys_make(&d->keys, &h->rng);
    device_id_of(d->keys.sign.pk, &d->id);
    rng_fill(&h->rng, d->log.b, ID_BYTES);
    store_use_log(d->store, &d->log, &d->id);
    house_ok(group_open(&d->group, d->store, &d->keys, &h->rng, &e), &e);
    d->env = (struct frames_env){d->store, d->group, &d->keys, &h->rng};
}

void house_init(struct house *h, size_t n, uint64_t seed)
{
    memset(h, 0, sizeof *h);
    CHECK(n <= HOUSE_DEVICES && crypt_start() == 0);
    tmp_dir_make(&h->dir);
    test_clock_init(&h->test_clock, HOUSE_MS);
    test_rng_init(&h->test_rng, seed);
    h->clock = test_clock_iface(&h->test_clock);
    h->rng = test_rng_iface(&h->test_rng);
    h->n = n;
    for (size_t i = 0; i < n; i++)
        device_open(h, i);
}

void house_release(struct house *h)
{
    for (size_t i = 0; i < h->n; i++) {
        group_close(h->device[i].group);
        store_close(h->device[i].store);
        device_keys_wipe(&h->device[i].keys);
    }
    tmp_dir_remove(&h->dir);
}

/* ---- membership */

void house_found(struct house *h, size_t a)
{
    struct device *d = &h->device[a];
    struct err e = ERR_INIT;
    house_ok(group_found(d->group, bytes_str(d->name), &d->log, house_now(h), &e), &e);
}

void house_add(struct house *h, size_t a, size_t b, enum history history, int64_t since_ms)
{
    struct device *from = &h->device[a], *to = &h->device[b];
    struct history_grant grant = {history, since_ms};
    struct err e = ERR_INIT;
    struct buf cert;
    struct id group;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    house_ok(device_cert_make(&to->keys, bytes_str(to->name), house_now(h), &cert, &e), &e);
    house_ok(group_add(from->group, buf_view(&cert), &grant, house_now(h), &e), &e);
    buf_release(&cert);
    group_id(from->group, &group);
    house_ok(group_join(to->group, &group, &e), &e);
    house_records(h, a, b);
    house_ok(group_open_log(to->group, &to->log, house_now(h), &e), &e);
}

void house_pair_all(struct house *h)
{
    house_found(h, 0);
    for (size_t i = 1; i < h->n; i++)
        house_add(h, 0, i, HISTORY_ALL, 0);
    house_gossip(h);
}

struct carrying {
    struct group *to;
};

static int carry(void *ctx, struct bytes record)
{
    struct carrying *c = ctx;
    bool fresh;
    int rc = group_receive(c->to, record, &fresh, NULL);
    return rc == ERR_VERIFY || rc == ERR_NOTFOUND ? 0 : rc; /* what is refused here is refused everywhere */
}

void house_records(struct house *h, size_t a, size_t b)
{
    struct hash heads[MEMBER_HEADS_MAX];
    struct carrying c = {h->device[b].group};
    size_t n = group_heads(c.to, heads, MEMBER_HEADS_MAX);
    CHECK(n <= MEMBER_HEADS_MAX);
    CHECK(group_records(h->device[a].group, heads, n, carry, &c) == 0);
}

void house_gossip(struct house *h)
{
    for (int round = 0; round < 2; round++) {
        for (size_t a = 0; a < h->n; a++) {
            for (size_t b = 0; b < h->n; b++) {
                if (a != b && group_exists(h->device[b].group))
                    house_records(h, a, b);
            }
        }
    }
}

void house_settle(struct house *h, size_t a)
{
    struct err e = ERR_INIT;
    bool changed;
    house_ok(group_settle(h->device[a].group, house_now(h), &changed, &e), &e);
}

/* ---- writing */

void house_write(struct house *h, size_t a, const struct draft *d)
{
    struct err e = ERR_INIT;
    house_ok(store_write(h->device[a].store, d, &e), &e);
}

void house_tell(struct house *h, size_t a, const char *text)
{
    struct draft d;
    struct id id;
    rng_fill(&h->rng, id.b, ID_BYTES);
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, &id);
    draft_reg(&d, REG_TEXT, bytes_str(text), NULL, 0);
    draft_reg_u8(&d, REG_DECAY, 7, NULL, 0);
    house_write(h, a, &d);
    draft_release(&d);
}

void house_seal(struct house *h, size_t a)
{
    struct err e = ERR_INIT;
    int rc = frames_seal(&h->device[a].env, house_now(h), &e);
    if (rc == ERR_ATTENTION) {
        house_settle(h, a);
        rc = frames_seal(&h->device[a].env, house_now(h), &e);
    }
    house_ok(rc, &e);
}

/* ---- frames */

void house_next(struct house *h, size_t a, const struct id *log, uint64_t after, size_t reader,
                struct buf *out)
{
    struct err e = ERR_INIT;
    struct frame_want w = {*log, after, FRAME_WIRE_MAX, NULL};
    uint64_t last;
    if (reader < h->n)
        w.reader = &h->device[reader].id;
    house_ok(frames_next(&h->device[a].env, &w, out, &last, &e), &e);
}

int house_receive(struct house *h, size_t b, struct bytes wire, struct frame_result *r, struct err *e)
{
    struct device *d = &h->device[b];
    struct err own = ERR_INIT;
    house_ok(store_begin(d->store, &own), &own);
    int rc = frames_receive(&d->env, wire, r, e);
    if (rc && rc != ERR_EXISTS) {
        store_rollback(d->store);
        return rc;
    }
    house_ok(store_commit(d->store, &own), &own);
    return rc;
}

struct pulling {
    struct house *h;
    size_t a, b, refused;
    struct id log[64];
    size_t n;
};

static int find_log(void *ctx, const struct log_head *head)
{
    struct pulling *p = ctx;
    CHECK(p->n < 64);
    p->log[p->n++] = head->log;
    return 0;
}

static void pull_log(struct pulling *p, const struct id *log)
{
    struct device *from = &p->h->device[p->a], *to = &p->h->device[p->b];
    struct err e = ERR_INIT;
    struct buf wire;
    uint64_t seq, last;
    struct hash chain;
    int rc;
    buf_init(&wire, FRAME_WIRE_MAX);
    house_ok(store_log_head(to->store, log, &seq, &chain, &e), &e);
    do {
        struct frame_want w = {*log, seq, FRAME_WIRE_MAX, &to->id};
        struct frame_result r;
        buf_clear(&wire);
        rc = frames_next(&from->env, &w, &wire, &last, &e);
        rc = rc ? rc : house_receive(p->h, p->b, buf_view(&wire), &r, &e);
        if (rc && rc != ERR_NOTFOUND && rc != ERR_EXISTS)
            p->refused++;
        seq = last;
    } while (rc == 0);
    buf_release(&wire);
}

size_t house_frames(struct house *h, size_t a, size_t b)
{
    struct pulling p = {.h = h, .a = a, .b = b};
    struct err e = ERR_INIT;
    house_ok(store_logs(h->device[a].store, find_log, &p, &e), &e);
    for (size_t i = 0; i < p.n; i++)
        pull_log(&p, &p.log[i]);
    return p.refused;
}

void house_sync(struct house *h)
{
    for (int round = 0; round < 4; round++) {
        house_gossip(h);
        for (size_t a = 0; a < h->n; a++) {
            house_settle(h, a);
            house_gossip(h);
        }
        for (size_t a = 0; a < h->n; a++) {
            if (group_is_active(h->device[a].group, &h->device[a].id))
                house_seal(h, a);
        }
        house_gossip(h);
        for (size_t a = 0; a < h->n; a++) {
            for (size_t b = 0; b < h->n; b++) {
                if (a != b && group_is_active(h->device[a].group, &h->device[b].id))
                    (void)house_frames(h, a, b);
            }
        }
    }
}

/* ---- comparing */

void house_group_dump(const struct house *h, size_t a, struct buf *out)
{
    CHECK(group_dump(h->device[a].group, out) == 0);
}

void house_digest(struct house *h, size_t a, struct hash *out)
{
    struct err e = ERR_INIT;
    house_ok(store_digest(h->device[a].store, out, &e), &e);
}

bool house_same_groups(const struct house *h, size_t a, size_t b)
{
    struct buf x, y;
    buf_init(&x, 8u << 20);
    buf_init(&y, 8u << 20);
    house_group_dump(h, a, &x);
    house_group_dump(h, b, &y);
    bool same = bytes_eq(buf_view(&x), buf_view(&y));
    buf_release(&x);
    buf_release(&y);
    return same;
}
