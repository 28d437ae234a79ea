/* Households that are paired already. Founding and pairing cost more than days of life, so each size is made
 * once in the life of the process, by the real code, and kept as images of the disks; a run begins with
 * copies. Keys are made once, too. */
#include "tests/sim/world.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 24u
#define PAIRED_MS (START_MS - DAY)

static struct {
    bool keyed;
    struct device_keys keys[KEYS];
    struct id log[KEYS];
    struct bytes fresh;
    struct bytes image[SIM_DEVICES + 1][SIM_DEVICES]; /* by size */
} cache;

static struct bytes keep(struct bytes b)
{
    uint8_t *p = malloc(b.n);
    CHECK(p && b.n > 0);
    memcpy(p, b.p, b.n);
    return bytes_of(p, b.n);
}

static void make_keys(void)
{
    struct test_rng rng;
    struct rng iface = test_rng_iface(&rng);
    test_rng_init(&rng, 20231114);
    for (size_t i = 0; i < KEYS; i++) {
        device_keys_make(&cache.keys[i], &iface);
        rng_fill(&iface, cache.log[i].b, ID_BYTES);
    }
    cache.keyed = true;
}

static void give_keys(struct device *d, size_t i)
{
    CHECK(i < KEYS);
    d->keys = cache.keys[i];
    d->log = cache.log[i];
    device_id_of(d->keys.sign.pk, &d->id);
}

static int carry(void *ctx, struct bytes record)
{
    bool fresh;
    return group_receive(ctx, record, &fresh, NULL);
}

static void gossip(struct sim *x, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i != from)
            CHECK(group_records(x->device[from].group, NULL, 0, carry, x->device[i].group) == 0);
    }
}

/* An open store without anything in it. */
static void open_empty(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct store_config cfg = {.path = d->path, .vfs = DISK_VFS, .clock = &d->clock, .rng = &d->rng};
    if (cache.fresh.n > 0) {
        disk_put(d->path, cache.fresh);
    } else {
        disk_remove(d->path);
        must(x, store_open(&d->store, &cfg, &e), &e, "making a store");
        CHECK(d->store);
        store_close(d->store);
        d->store = NULL;
        cache.fresh = keep(disk_image(d->path));
    }
    d->test_clock.wall_ms = PAIRED_MS;
    must(x, store_open(&d->store, &cfg, &e), &e, "opening an empty store");
    store_use_log(d->store, &d->log, &d->id);
    must(x, group_open(&d->group, d->store, &d->keys, &d->rng, &e), &e, "opening a group");
}

static void pair(struct sim *x, size_t i)
{
    struct err e = ERR_INIT;
    struct device *by = &x->device[0], *d = &x->device[i];
    struct history_grant all = {HISTORY_ALL, 0};
    struct buf cert;
    struct id group;
    char name[16];
    (void)snprintf(name, sizeof name, "device%zu", i);
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    CHECK(device_cert_make(&d->keys, bytes_str(name), PAIRED_MS, &cert, &e) == 0);
    must(x, group_add(by->group, buf_view(&cert), &all, PAIRED_MS, &e), &e, "pairing");
    buf_release(&cert);
    group_id(by->group, &group);
    must(x, group_join(d->group, &group, &e), &e, "joining");
    gossip(x, 0, i + 1);
    must(x, group_open_log(d->group, &d->log, PAIRED_MS, &e), &e, "opening a log");
    gossip(x, i, i + 1);
}

static void make(struct sim *x, size_t n)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++)
        open_empty(x, &x->device[i]);
    struct device *d = &x->device[0];
    must(x, group_found(d->group, BYTES_LIT("device0"), &d->log, PAIRED_MS, &e), &e, "founding");
    for (size_t i = 1; i < n; i++)
        pair(x, i);
    for (size_t i = 0; i < n; i++) {
        struct device *o = &x->device[i];
        group_close(o->group);
        store_close(o->store);
        o->group = NULL;
        o->store = NULL;
        cache.image[n][i] = keep(disk_image(o->path));
    }
}

void household_put(struct sim *x, size_t n)
{
    CHECK(n <= SIM_DEVICES);
    if (!cache.keyed)
        make_keys();
    for (size_t i = 0; i < n; i++)
        give_keys(&x->device[i], i);
    if (cache.image[n][0].n == 0)
        make(x, n);
    for (size_t i = 0; i < n; i++)
        disk_put(x->device[i].path, cache.image[n][i]);
    x->keys_used = n;
}

void household_fresh(struct sim *x, struct device *d)
{
    give_keys(d, x->keys_used++);
    disk_put(d->path, cache.fresh);
}

void household_end(void)
{
    for (size_t i = 0; i < KEYS && cache.keyed; i++)
        device_keys_wipe(&cache.keys[i]);
    for (size_t n = 0; n <= SIM_DEVICES; n++) {
        for (size_t i = 0; i < SIM_DEVICES; i++)
            free((void *)(uintptr_t)cache.image[n][i].p);
    }
    free((void *)(uintptr_t)cache.fresh.p);
    memset(&cache, 0, sizeof cache);
}
