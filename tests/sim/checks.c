/* What must hold. Always: no text of an op on the wire; what a device has acknowledged is there after any
 * crash, and no peer believes it to hold more than it does; its chains verify; its clock never goes back
 * (journal.c); the current epoch cannot be read by a device that is known to be removed; memory and disk are
 * bounded. At the end: see check_end(). */
#include "tests/sim/world.h"

#include "tests/store/model.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (UINT64_C(64) << 20)
#define DISK_MAX (UINT64_C(32) << 20)
#define ENTITIES_MAX 4096
#define SEEN_MAX 4096
#define MODEL_OPS_MAX 2500u

/* ---- always */

void check_wire(struct sim *x, struct bytes message)
{
    if (memmem(message.p, message.n, CANARY, sizeof CANARY - 1))
        fail(x, "the text of an op is on the wire");
}

struct head_sum {
    uint64_t n;
};

static int sum_head(void *ctx, const struct log_head *h)
{
    ((struct head_sum *)ctx)->n += h->seq;
    return 0;
}

uint64_t total_of(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct head_sum sum = {0};
    disk_hold(true);
    must(x, store_logs(d->store, sum_head, &sum, &e), &e, "reading logs");
    disk_hold(false);
    return sum.n;
}

static void check_epoch(struct sim *x, const struct device *d)
{
    struct epoch_ref ref;
    const uint8_t *key;
    if (group_epoch(d->group, &ref, &key, NULL))
        return;
    for (size_t i = 0; i < group_members(d->group); i++) {
        const struct member *m = group_member_at(d->group, i);
        if (m->state == MEMBER_REMOVED && group_can_read(d->group, &m->device, &ref.id))
            fail(x, "device %zu seals for one that it knows to be removed", d->index);
    }
}

struct believing {
    struct sim *x;
    struct device *at;
    struct device *of;
};

struct lacking {
    struct sim *x;
    struct device *at, *of;
    uint64_t n;
};

static int lack_of(void *ctx, const struct log_head *h)
{
    struct lacking *l = ctx;
    struct hash chain;
    struct id owner;
    uint64_t cut, seq = 0;
    if (!group_log(l->at->group, &h->log, &owner, &cut))
        return 0;
    int rc = store_log_head(l->of->store, &h->log, &seq, &chain, NULL);
    l->n += h->seq > seq ? h->seq - seq : 0;
    return rc;
}

static int believe(void *ctx, const struct peer_status *p)
{
    struct believing *b = ctx;
    struct lacking l = {b->x, b->at, b->of, 0};
    if (!id_eq(&p->device, &b->of->id))
        return 0;
    int rc = store_logs(b->at->store, lack_of, &l, NULL);
    if (rc == 0 && p->they_lack < l.n)
        fail(b->x, "device %zu believes that %zu lacks %llu ops, it lacks %llu", b->at->index, b->of->index,
             (unsigned long long)p->they_lack, (unsigned long long)l.n);
    return rc;
}

/* Nobody believes it to hold more than it does. A database that went back is another matter, and so is a
 * member that lies. */
static void check_beliefs(struct sim *x, struct device *d)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *o = &x->device[i];
        struct err e = ERR_INIT;
        if (o == d || !is_member(o) || o->copy)
            continue;
        must(x, sync_peers(o->sync, believe, &(struct believing){x, o, d}, &e), &e, "status");
    }
}

static bool went_back(const struct sim *x)
{
    return x->plan.rate[FAULT_RESTORE] || x->plan.rate[FAULT_CLONE] || x->plan.rate[FAULT_HOSTILE];
}

void check_opened(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct hash chain;
    uint64_t seq = 0;
    disk_hold(true);
    const struct jlog *l = journal_log(x, &d->log);
    must(x, store_log_head(d->store, &d->log, &seq, &chain, &e), &e, "reading a log");
    if (l && !d->cautious && !d->copy && seq < l->n)
        fail(x, "device %zu lost op %zu of its log, %llu are left", d->index, l->n, (unsigned long long)seq);
    if (!x->failed)
        journal_take(x, d);
    if (x->plan.rate[FAULT_POWER] && below(x, 4) == 0)
        must(x, store_verify(d->store, &e), &e, "verifying after a crash");
    if (!went_back(x))
        check_beliefs(x, d);
    disk_hold(false);
}

void check_device(struct sim *x, struct device *d)
{
    if (!d->up || x->failed)
        return;
    disk_hold(true);
    check_epoch(x, d);
    if (disk_memory() > MEMORY_MAX)
        fail(x, "SQLite holds %llu bytes", (unsigned long long)disk_memory());
    if (disk_bytes(d->path) > DISK_MAX)
        fail(x, "the disk of device %zu holds %llu bytes", d->index, (unsigned long long)disk_bytes(d->path));
    if (!went_back(x) && below(x, 8) == 0)
        check_beliefs(x, d);
    disk_hold(false);
}

/* ---- equal */

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

/* Nobody calls a device that it takes for removed, and who takes itself for removed answers nobody. So when
 * many have removed one another the household falls into parts between which no word passes; each must agree
 * with itself, and the largest is looked at. */
static bool may_meet(const struct device *a, const struct device *b)
{
    if (!is_member(a) || !is_member(b) || id_eq(&a->id, &b->id))
        return false;
    return group_is_active(a->group, &b->id) || group_is_active(b->group, &a->id);
}

static unsigned part_of(const struct sim *x, size_t from)
{
    unsigned part = 1u << from, before = 0;
    while (part != before) {
        before = part;
        for (size_t i = 0; i < x->n; i++) {
            for (size_t k = 0; (part >> i & 1) && k < x->n; k++)
                part |= may_meet(&x->device[i], &x->device[k]) ? 1u << k : 0;
        }
    }
    return part;
}

struct device *reference(struct sim *x)
{
    struct device *found = NULL;
    int most = 0;
    for (size_t i = 0; i < x->n; i++) {
        unsigned part = is_member(&x->device[i]) ? part_of(x, i) : 0;
        if (__builtin_popcount(part) <= most)
            continue;
        most = __builtin_popcount(part);
        found = &x->device[i];
        x->part = part;
    }
    return found;
}

static bool in_part(const struct sim *x, const struct device *d)
{
    const unsigned *rate = x->plan.rate;
    bool whole = !rate[FAULT_REMOVE] && !rate[FAULT_MUTUAL] && !rate[FAULT_KEYS];
    return !d->gone && (!d->up || whole || (x->part >> d->index & 1));
}

static bool dumps_equal(struct sim *x, struct device *a, struct device *b)
{
    struct buf p, q;
    struct err e = ERR_INIT;
    buf_init(&p, 64u << 20);
    buf_init(&q, 64u << 20);
    must(x, store_dump(a->store, append, &p, &e), &e, "dumping");
    must(x, store_dump(b->store, append, &q, &e), &e, "dumping");
    bool equal = bytes_eq(buf_view(&p), buf_view(&q));
    buf_release(&p);
    buf_release(&q);
    return equal;
}

static bool same(struct sim *x, struct device *a, struct device *b, bool complain)
{
    struct buf p, q;
    buf_init(&p, 16u << 20);
    buf_init(&q, 16u << 20);
    CHECK(group_dump(a->group, &p) == 0 && group_dump(b->group, &q) == 0);
    bool groups = bytes_eq(buf_view(&p), buf_view(&q));
    buf_clear(&p);
    buf_clear(&q);
    vector_of(x, a, &p);
    vector_of(x, b, &q);
    bool vectors = bytes_eq(buf_view(&p), buf_view(&q));
    bool models = !complain || !groups || !vectors || dumps_equal(x, a, b);
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
        if (d == ref || !in_part(x, d) || !group_is_active(ref->group, &d->id))
            continue;
        if (!d->up || !same(x, ref, d, complain))
            return false;
    }
    return true;
}

static int sum_lacks(void *ctx, const struct peer_status *p)
{
    struct lacking *l = ctx;
    bool there = false;
    for (size_t i = 0; i < l->x->n; i++)
        there = there || (in_part(l->x, &l->x->device[i]) && id_eq(&l->x->device[i].id, &p->device));
    if (there)
        l->n += p->they_lack + p->we_lack + (p->state == PEER_DIVERGED);
    return 0;
}

static bool deltas_empty(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        struct err e = ERR_INIT;
        struct lacking l = {.x = x};
        if (!is_member(d) || !in_part(x, d))
            continue;
        must(x, sync_peers(d->sync, sum_lacks, &l, &e), &e, "status");
        if (l.n)
            return false;
    }
    return true;
}

static bool removed_know(struct sim *x)
{
    struct device *ref = reference(x);
    for (size_t i = 0; ref && i < x->n; i++) {
        struct device *d = &x->device[i];
        if (!in_part(x, d) || group_is_active(ref->group, &d->id))
            continue;
        if (!d->up || group_is_active(d->group, &d->id)) {
            say(x, "device %zu does not know what %zu does: it is removed", i, ref->index);
            return false;
        }
    }
    return true;
}

/* Of a member that lies, the others say what it told them. */
static bool nothing_lacks(struct sim *x)
{
    return x->plan.rate[FAULT_HOSTILE] || deltas_empty(x);
}

bool check_settled(struct sim *x)
{
    return all_same(x, false) && removed_know(x) && nothing_lacks(x);
}

/* ---- nothing lost, nothing wrong */

struct reading {
    struct sim *x;
    const struct jlog *l;
    struct model *model;
    struct device *ref;
};

static int compare_op(void *ctx, const struct op_record *r)
{
    struct reading *g = ctx;
    const struct entry *e = &g->l->e[r->seq - 1];
    struct op op;
    if (memcmp(e->hash.b, r->hash.b, HASH_BYTES) != 0) {
        fail(g->x, "op %llu of device %zu is another one now", (unsigned long long)r->seq, g->l->device);
        return 1;
    }
    CHECK(op_decode(e->op, &op, NULL) == 0);
    if (r->op.n == 0 && !model_forgotten(g->model, op.space, &op.id)) {
        fail(g->x, "op %llu of device %zu is erased, and nobody forgot it", (unsigned long long)r->seq,
             g->l->device);
        return 1;
    }
    return 0;
}

static uint64_t held_of(struct sim *x, struct device *ref, const struct jlog *l)
{
    struct err e = ERR_INIT;
    struct hash chain;
    uint64_t seq = 0;
    must(x, store_log_head(ref->store, &l->log, &seq, &chain, &e), &e, "reading a log");
    return seq;
}

/* All ops of a log that were not destroyed with a disk, or cut off by a removal, are there. */
static void check_log(struct sim *x, struct reading *g)
{
    struct err e = ERR_INIT;
    struct id device;
    uint64_t cut = 0, held = held_of(x, g->ref, g->l);
    bool known = group_log(g->ref->group, &g->l->log, &device, &cut);
    bool here = in_part(x, &x->device[g->l->device]);
    bool whole = known && cut == UINT64_MAX && !g->l->torn && here;
    if (whole && held < g->l->n)
        fail(x, "op %zu of device %zu is lost: %llu at device %zu", g->l->n, g->l->device,
             (unsigned long long)held, g->ref->index);
    if (held > g->l->n)
        fail(x, "log of device %zu has %llu ops, it wrote %zu", g->l->device, (unsigned long long)held,
             g->l->n);
    if (!x->failed && held > 0)
        must(x, store_ops(g->ref->store, &g->l->log, 0, held, compare_op, g, &e), &e, "reading ops");
}

static struct model *model_of(struct sim *x, struct device *ref)
{
    struct model *m = model_new();
    for (size_t i = 0; i < x->n_logs; i++) {
        const struct jlog *l = &x->logs[i];
        uint64_t held = held_of(x, ref, l);
        for (uint64_t k = 0; k < held && k < l->n; k++)
            model_add(m, &l->log, &l->e[k].hash, l->e[k].op);
    }
    return m;
}

static void put_part(const struct model *m, const struct model_key *key, struct buf *out)
{
    static struct seen seen[SEEN_MAX];
    (void)buf_append(out, &key->space, 1);
    (void)buf_append(out, key->id.b, ID_BYTES);
    model_dump(m, key->space, &key->id, out);
    size_t n = model_seen(m, key->space, &key->id, seen, SEEN_MAX);
    wr_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        wr_bytes(out, bytes_of(seen[i].key, 16));
        wr_u8(out, seen[i].against);
        wr_svarint(out, seen[i].time_ms);
    }
}

/* What the merge rules say, worked out from all ops by definition. */
static void check_model(struct sim *x, struct device *ref, const struct model *m)
{
    static struct model_key keys[ENTITIES_MAX];
    struct err e = ERR_INIT;
    struct buf want, have;
    buf_init(&want, 64u << 20);
    buf_init(&have, 64u << 20);
    size_t n = model_entities(m, keys, ENTITIES_MAX);
    CHECK(n <= ENTITIES_MAX);
    wr_bytes(&want, BYTES_LIT("selfsame dump 1"));
    for (size_t i = 0; i < n; i++)
        put_part(m, &keys[i], &want);
    must(x, store_dump(ref->store, append, &have, &e), &e, "dumping");
    if (!bytes_eq(buf_view(&want), buf_view(&have)))
        fail(x, "the model of device %zu is not what its ops say", ref->index);
    x->r->remodelled++;
    buf_release(&want);
    buf_release(&have);
}

static int take_record(void *ctx, const struct op_record *r)
{
    return store_receive(ctx, r, NULL);
}

/* Log by log, in a random order and split, into an empty store. */
static void merge_again(struct sim *x, struct device *ref, struct device *d)
{
    struct err e = ERR_INIT;
    uint64_t *at = calloc(x->n_logs + 1, sizeof *at);
    size_t left = x->n_logs;
    CHECK(at);
    must(x, store_begin(d->store, &e), &e, "merging again");
    while (left > 0 && !x->failed) {
        size_t i = below(x, x->n_logs);
        uint64_t held = held_of(x, ref, &x->logs[i]), n = 1 + below(x, 20);
        if (at[i] == UINT64_MAX)
            continue;
        if (at[i] < held)
            must(x, store_ops(ref->store, &x->logs[i].log, at[i], n, take_record, d->store, &e), &e,
                 "merging again");
        at[i] += n;
        if (at[i] >= held) {
            at[i] = UINT64_MAX;
            left--;
        }
    }
    free(at);
    if (!x->failed)
        must(x, store_commit(d->store, &e), &e, "merging again");
}

static void check_remerge(struct sim *x, struct device *ref)
{
    struct err e = ERR_INIT;
    struct device d = {.index = DEVICES_MAX};
    size_t keys = x->keys_used;
    world_path("again", d.path);
    household_fresh(x, &d);
    x->keys_used = keys;
    struct store_config cfg = {.path = d.path, .vfs = DISK_VFS, .clock = &ref->clock, .rng = &ref->rng};
    must(x, store_open(&d.store, &cfg, &e), &e, "opening a store");
    if (x->failed)
        return;
    merge_again(x, ref, &d);
    if (!x->failed && !dumps_equal(x, ref, &d))
        fail(x, "the same ops in another order give another model");
    if (!x->failed)
        must(x, store_check(d.store, &e), &e, "checking what was merged again");
    store_close(d.store);
    device_keys_wipe(&d.keys);
    x->r->remerged++;
}

static void check_logs(struct sim *x, struct device *ref)
{
    struct model *m = model_of(x, ref);
    struct reading g = {.x = x, .model = m, .ref = ref};
    uint64_t ops = 0;
    for (size_t i = 0; i < x->n_logs && !x->failed; i++) {
        g.l = &x->logs[i];
        ops += g.l->n;
        check_log(x, &g);
    }
    if (!x->failed && ops <= MODEL_OPS_MAX)
        check_model(x, ref, m);
    model_free(m);
}

/* ---- the end */

static int count_frame(void *ctx, const struct frame_row *row)
{
    (void)row;
    ++*(uint64_t *)ctx;
    return 0;
}

static void fingerprint(struct sim *x, struct device *ref)
{
    struct err e = ERR_INIT;
    struct hash h;
    uint64_t first;
    must(x, store_digest(ref->store, &h, &e), &e, "digest");
    memcpy(&first, h.b, sizeof first);
    x->r->print = (x->r->print ^ first) * UINT64_C(0x100000001b3) + (uint64_t)x->now;
    for (size_t i = 0; i < x->n_logs; i++)
        must(x, frame_rows_back(ref->store, &x->logs[i].log, count_frame, &x->r->frames, &e), &e, "frames");
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

static int say_quarantine(void *ctx, const struct quarantine *q)
{
    say(ctx, "quarantined: op %llu+%llu: %s", (unsigned long long)q->first, (unsigned long long)q->count,
        q->reason);
    return 0;
}

/* A removal whose author was removed itself is told to those who meet that author in time, and to nobody
 * after: then some may know of it for good, and some not. Such worlds are counted. */
static bool is_split(struct sim *x, const struct device *ref)
{
    bool disputed = false;
    for (size_t i = 0; i < x->n; i++)
        disputed = disputed || ((x->removers >> i & 1) && !group_is_active(ref->group, &x->device[i].id));
    return disputed && !check_settled(x);
}

static void check_agreement(struct sim *x)
{
    (void)all_same(x, true);
    if (!x->failed && !removed_know(x))
        fail(x, "a removed device was not told");
    if (!x->failed && !nothing_lacks(x))
        fail(x, "equal devices say that they lack something");
}

void check_end(struct sim *x)
{
    struct err e = ERR_INIT;
    x->now += x->ahead_ms + 60 * MINUTE; /* what was dated ahead is due */
    clocks(x);
    release_held(x);
    struct device *ref = reference(x);
    for (size_t i = 0; x->voice == SIM_EVENTS && i < x->n; i++) {
        say(x, "device %zu: %s", i,
            !x->device[i].up           ? "off"
            : is_member(&x->device[i]) ? "member"
                                       : "no member");
        if (x->device[i].up)
            (void)!sync_quarantine(x->device[i].sync, say_quarantine, x, NULL);
    }
    if (!ref) /* all but lost devices have removed one another */
        return;
    bool split = is_split(x, ref);
    x->r->splits += split;
    if (!split)
        check_agreement(x);
    for (size_t i = 0; i < x->n && !x->failed; i++) {
        if (x->device[i].up)
            must(x, store_verify(x->device[i].store, &e), &e, "verifying");
    }
    if (!x->failed && !split)
        check_logs(x, ref);
    if (!x->failed && below(x, 3) == 0)
        check_remerge(x, ref);
    if (!x->failed)
        fingerprint(x, ref);
}
