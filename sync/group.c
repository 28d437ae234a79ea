/* The group as a whole: its records come from the store or from outside, the state follows from them, and
 * others read it here. */
#include "sync/group_int.h"

#include "base/check.h"
#include "base/cursor.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

static void reset(struct group *g)
{
    records_release(&g->set);
    state_release(&g->state);
    keys_forget(g);
    g->id = g->joining = ID_NONE;
}

int group_compute(struct group *g, struct err *e)
{
    struct state st;
    if (state_compute(&g->set, NULL, &st))
        return err_set(e, ERR_NOMEM, "working out the group");
    state_release(&g->state);
    g->state = st;
    return keys_find(g, e);
}

static void set_id(struct group *g)
{
    memcpy(g->id.b, g->set.r[0]->hash.b, ID_BYTES);
}

static int load_record(void *ctx, const struct hash *hash, struct bytes record)
{
    struct group *g = ctx;
    struct record *r;
    int rc = records_make(&g->set, record, &r, NULL);
    if (rc)
        return rc == ERR_NOMEM ? rc : ERR_CORRUPT;
    bool same = memcmp(hash->b, r->hash.b, HASH_BYTES) == 0;
    rc = same ? records_add(&g->set, r) : ERR_CORRUPT;
    if (rc)
        record_free(r);
    return rc;
}

int group_reload(struct group *g, struct err *e)
{
    reset(g);
    if (records_init(&g->set))
        return err_set(e, ERR_NOMEM, "reading the group");
    int rc = members_each(g->store, load_record, g, e);
    if (rc == ERR_CORRUPT)
        rc = err_set(e, rc, "a stored membership record is damaged");
    else if (rc)
        rc = err_wrap(e, rc, "reading the group");
    if (!rc && g->set.n > 0)
        set_id(g);
    rc = rc ? rc : group_compute(g, e);
    if (rc)
        reset(g);
    return rc;
}

int group_mend(struct group *g, struct err *e)
{
    return g->set.by_hash ? 0 : group_reload(g, e);
}

int group_open(struct group **out, struct store *s, const struct device_keys *keys, const struct rng *rng,
               struct err *e)
{
    *out = NULL;
    struct group *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(e, ERR_NOMEM, "opening the group");
    g->store = s;
    g->keys = keys;
    g->rng = rng;
    device_id_of(keys->sign.pk, &g->own);
    int rc = group_reload(g, e);
    if (rc)
        group_close(g);
    else
        *out = g;
    return rc;
}

void group_close(struct group *g)
{
    if (!g)
        return;
    reset(g);
    free(g);
}

int group_join(struct group *g, const struct id *group, struct err *e)
{
    int rc = group_mend(g, e);
    if (rc)
        return rc;
    if (g->set.n > 0)
        return err_set(e, ERR_EXISTS, "this device belongs to a group already");
    g->joining = *group;
    return 0;
}

int group_leave(struct group *g, struct err *e)
{
    int rc = members_clear(g->store, e);
    return rc ? rc : group_reload(g, e);
}

bool group_exists(const struct group *g)
{
    return g->set.n > 0;
}

void group_id(const struct group *g, struct id *out)
{
    *out = g->id;
}

const uint8_t *group_secret(const struct group *g)
{
    return g->has_secret ? g->secret : NULL;
}

/* ---- taking records */

static int check_genesis_here(const struct group *g, const struct record *r, struct err *e)
{
    if (g->set.n > 0 || memcmp(r->hash.b, g->joining.b, ID_BYTES) != 0)
        return err_set(e, ERR_VERIFY, "membership record refused: the genesis of another group");
    return 0;
}

static bool saw_all(const struct group *g, const struct record *r)
{
    uint32_t seen = 0;
    for (uint32_t w = 0; w * 64 < g->set.n; w++)
        seen += (uint32_t)__builtin_popcountll(r->past[w]);
    return seen == g->set.n;
}

/* Against what the record has seen: the present state, or one computed for it. */
static int check(const struct group *g, const struct record *r, struct err *e)
{
    if (saw_all(g, r))
        return record_check(&g->state, r, e);
    struct state st;
    if (state_compute(&g->set, r->past, &st))
        return err_set(e, ERR_NOMEM, "checking a membership record");
    int rc = record_check(&st, r, e);
    state_release(&st);
    return rc;
}

int group_take(struct group *g, struct record *r, struct err *e)
{
    int rc = members_add(g->store, &r->hash, r->bytes, e);
    if (!rc && records_add(&g->set, r))
        rc = err_set(e, ERR_NOMEM, "keeping a membership record");
    if (rc) {
        record_free(r);
    } else {
        if (g->set.n == 1)
            set_id(g);
        rc = group_compute(g, e);
    }
    if (rc)
        reset(g); /* the store may have the record: what is here is no longer all of it */
    return rc;
}

static int receive_new(struct group *g, struct bytes record, struct err *e)
{
    struct record *r;
    if (g->set.n >= MEMBER_RECORDS_MAX)
        return err_set(e, ERR_LIMIT, "a group has at most %u membership records", MEMBER_RECORDS_MAX);
    int rc = records_make(&g->set, record, &r, e);
    if (rc)
        return rc;
    rc = r->head.kind == MEMBER_GENESIS ? check_genesis_here(g, r, e) : 0;
    rc = rc ? rc : check(g, r, e);
    if (rc) {
        record_free(r);
        return rc;
    }
    return group_take(g, r, e);
}

int group_receive(struct group *g, struct bytes record, bool *fresh, struct err *e)
{
    struct record_head head;
    struct record_body body;
    struct hash hash;
    *fresh = false;
    int rc = group_mend(g, e);
    rc = rc ? rc : record_decode(record, &head, &body, e);
    if (rc)
        return rc;
    if (head.kind != MEMBER_GENESIS && g->set.n > 0 && !id_eq(&head.group, &g->id))
        return err_set(e, ERR_VERIFY, "membership record refused: it is of another group");
    record_hash(record, &hash);
    if (records_find(&g->set, &hash) != NOWHERE)
        return 0;
    rc = receive_new(g, record, e);
    *fresh = rc == 0;
    return rc;
}

/* ---- reading records */

static int hash_cmp(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

/* Puts a hash among the max lowest. */
static void keep_low(struct hash *out, size_t *n, size_t max, const struct hash *h)
{
    if (*n < max) {
        out[(*n)++] = *h;
    } else if (max > 0) {
        qsort(out, *n, sizeof *out, hash_cmp);
        if (hash_cmp(h, &out[max - 1]) < 0)
            out[max - 1] = *h;
    }
}

size_t group_heads(const struct group *g, struct hash *out, size_t max)
{
    size_t all = 0, n = 0;
    for (uint32_t i = 0; i < g->set.n; i++) {
        if (g->set.r[i]->named)
            continue;
        keep_low(out, &n, max, &g->set.r[i]->hash);
        all++;
    }
    if (n > 1)
        qsort(out, n, sizeof *out, hash_cmp);
    return all;
}

static void mark_seen(const struct record_set *s, const struct hash *heads, size_t n, uint64_t *seen)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x = records_find(s, &heads[i]);
        if (x == NOWHERE)
            continue;
        for (uint32_t w = 0; w * 64 < x; w++)
            seen[w] |= s->r[x]->past[w];
        seen[x / 64] |= UINT64_C(1) << (x % 64);
    }
}

int group_records(const struct group *g, const struct hash *their_heads, size_t n,
                  int (*fn)(void *ctx, struct bytes record), void *ctx)
{
    const struct record_set *s = &g->set;
    uint64_t *seen = calloc((size_t)s->n / 64 + 1, sizeof *seen);
    int rc = seen ? 0 : ERR_NOMEM;
    if (seen)
        mark_seen(s, their_heads, n, seen);
    for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
        uint32_t x = s->order[i];
        if (!(seen[x / 64] >> (x % 64) & 1))
            rc = fn(ctx, s->r[x]->bytes);
    }
    free(seen);
    return rc;
}

/* ---- reading the state */

size_t group_members(const struct group *g)
{
    return g->state.n_devices;
}

const struct member *group_member_at(const struct group *g, size_t i)
{
    CHECK(i < g->state.n_devices);
    return &g->state.devices[i].member;
}

const struct member *group_find(const struct group *g, const struct id *device)
{
    uint32_t i = state_device(&g->state, device);
    return i == NOWHERE ? NULL : &g->state.devices[i].member;
}

const struct member *group_member_by_noise(const struct group *g, const uint8_t noise_pk[KEY_BYTES])
{
    for (uint32_t i = 0; i < g->state.n_devices; i++) {
        const struct member *m = &g->state.devices[i].member;
        if (state_is_active(&g->state, i) && memcmp(m->cert.noise_pk, noise_pk, KEY_BYTES) == 0)
            return m;
    }
    return NULL;
}

bool group_is_active(const struct group *g, const struct id *device)
{
    return state_is_active(&g->state, state_device(&g->state, device));
}

bool group_has_others(const struct group *g, const struct id *self)
{
    for (size_t i = 0; i < group_members(g); i++) {
        const struct member *m = group_member_at(g, i);
        if (m->state != MEMBER_REMOVED && !m->words && !id_eq(&m->device, self))
            return true;
    }
    return false;
}

uint32_t group_self(const struct group *g)
{
    uint32_t i = state_device(&g->state, &g->own);
    return state_is_active(&g->state, i) ? i : NOWHERE;
}

bool group_log(const struct group *g, const struct id *log, struct id *device, uint64_t *cutoff)
{
    uint32_t i = state_log(&g->state, log);
    if (i == NOWHERE)
        return false;
    const struct group_log *l = &g->state.logs[i];
    *device = g->state.devices[l->device].member.device;
    *cutoff = state_is_active(&g->state, l->device) ? UINT64_MAX : l->cut;
    return true;
}

void group_log_root(const struct group *g, const struct id *log, struct id *root, uint64_t *base)
{
    uint32_t i = state_log(&g->state, log);
    *root = i == NOWHERE ? *log : g->state.logs[i].root;
    *base = i == NOWHERE ? 0 : g->state.logs[i].base;
}

size_t group_splits(const struct group *g)
{
    return g->state.n_splits;
}

const struct log_split *group_split_at(const struct group *g, size_t i)
{
    return &g->state.splits[i];
}

bool group_is_split(const struct group *g, const struct log_split *at)
{
    for (uint32_t i = 0; i < g->state.n_splits; i++) {
        if (log_split_eq(&g->state.splits[i], at))
            return true;
    }
    return false;
}

bool group_has_splits(const struct group *g, const struct id *root)
{
    uint32_t i = 0;
    while (i < g->state.n_splits && !id_eq(&g->state.splits[i].root, root))
        i++;
    return i < g->state.n_splits;
}

int group_epoch(const struct group *g, struct epoch_ref *ref, const uint8_t **key, struct err *e)
{
    uint32_t i = state_current(&g->state);
    if (group_self(g) == NOWHERE)
        return err_set(e, ERR_ATTENTION, "this device is no member of a group");
    const struct epoch_keys *k = i == NOWHERE ? NULL : keys_of(g, &g->state.epochs[i].id);
    if (!k || !k->has_frame)
        return err_set(e, ERR_ATTENTION, "no epoch fits the members: a new key must be made");
    const struct group_epoch *ep = &g->state.epochs[i];
    *ref = (struct epoch_ref){.id = ep->id, .since_ms = ep->since_ms, .number = (uint64_t)i + 1};
    ref->author = g->state.devices[ep->author].member.device;
    *key = k->frame;
    return 0;
}

const uint8_t *group_epoch_key(const struct group *g, const struct id *epoch)
{
    const struct epoch_keys *k = keys_of(g, epoch);
    return k && k->has_frame ? k->frame : NULL;
}

bool group_epoch_known(const struct group *g, const struct id *epoch)
{
    return state_epoch(&g->state, epoch) != NOWHERE;
}

bool group_can_read(const struct group *g, const struct id *device, const struct id *epoch)
{
    uint32_t d = state_device(&g->state, device), i = state_epoch(&g->state, epoch);
    return d != NOWHERE && i != NOWHERE && mask_has(&g->state.epochs[i].key, d);
}

bool group_epoch_is_old(const struct group *g, int64_t now_ms)
{
    uint32_t i = state_current(&g->state);
    return i != NOWHERE && now_ms - g->state.epochs[i].since_ms > EPOCH_DAYS_MAX * INT64_C(86400000);
}

bool group_may_write(const struct group *g, const struct frame_header *h, bool *late)
{
    struct id owner;
    uint64_t cut;
    *late = false;
    if (!group_log(g, &h->log, &owner, &cut) || !id_eq(&owner, &h->device) ||
        !group_can_read(g, &h->device, &h->epoch))
        return false;
    *late = !group_is_active(g, &h->device);
    return h->first + (h->count - 1) <= cut;
}

/* ---- dump */

static void dump_mask(const struct mask *m, struct buf *out)
{
    wr_bytes(out, bytes_of(m->w, sizeof m->w));
}

static void dump_devices(const struct state *st, struct buf *out)
{
    wr_varint(out, st->n_devices);
    for (uint32_t i = 0; i < st->n_devices; i++) {
        const struct member *m = &st->devices[i].member;
        wr_bytes(out, bytes_of(m->device.b, ID_BYTES));
        wr_lenbytes(out, bytes_str(m->name));
        wr_u8(out, (uint8_t)m->state);
        wr_u8(out, m->words);
        wr_u8(out, (uint8_t)st->devices[i].history);
        wr_u64(out, (uint64_t)m->added_ms);
        wr_u64(out, (uint64_t)m->changed_ms);
    }
    dump_mask(&st->active, out);
}

static void dump_logs(const struct state *st, struct buf *out)
{
    wr_varint(out, st->n_logs);
    for (uint32_t i = 0; i < st->n_logs; i++) {
        wr_bytes(out, bytes_of(st->logs[i].log.b, ID_BYTES));
        wr_varint(out, st->logs[i].device);
        wr_varint(out, st->logs[i].cut);
        wr_bytes(out, bytes_of(st->logs[i].root.b, ID_BYTES));
        wr_varint(out, st->logs[i].base);
    }
    wr_varint(out, st->n_splits);
    for (uint32_t i = 0; i < st->n_splits; i++) {
        wr_bytes(out, bytes_of(st->splits[i].root.b, ID_BYTES));
        wr_varint(out, st->splits[i].seq);
        wr_bytes(out, bytes_of(st->splits[i].chain.b, HASH_BYTES));
    }
}

static void dump_epochs(const struct state *st, struct buf *out)
{
    wr_varint(out, st->n_epochs);
    for (uint32_t i = 0; i < st->n_epochs; i++) {
        wr_bytes(out, bytes_of(st->epochs[i].id.b, ID_BYTES));
        wr_u8(out, st->epochs[i].is_void);
        dump_mask(&st->epochs[i].root, out);
        dump_mask(&st->epochs[i].key, out);
    }
    wr_varint(out, state_current(st));
}

int group_dump(const struct group *g, struct buf *out)
{
    wr_bytes(out, bytes_of(g->id.b, ID_BYTES));
    dump_devices(&g->state, out);
    dump_logs(&g->state, out);
    dump_epochs(&g->state, out);
    wr_varint(out, g->set.n);
    for (uint32_t i = 0; i < g->set.n; i++) {
        uint32_t x = g->set.order[i];
        wr_bytes(out, bytes_of(g->set.r[x]->hash.b, HASH_BYTES));
        wr_u8(out, g->state.is_void[x]);
    }
    return out->err;
}
