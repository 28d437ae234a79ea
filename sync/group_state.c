/* Members, logs and epochs from the records, in order. A void record changes nothing, but two things are read
 * from it all the same: which devices it gives keys to (they have them), and whose log it opens (a device
 * that was removed meanwhile may have written there before). */
#include "sync/group_int.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

/* ---- masks */

void mask_join(struct mask *m, const struct mask *other)
{
    for (size_t i = 0; i < sizeof m->w / sizeof *m->w; i++)
        m->w[i] |= other->w[i];
}

bool mask_eq(const struct mask *a, const struct mask *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool mask_within(const struct mask *a, const struct mask *b)
{
    uint64_t outside = 0;
    for (size_t i = 0; i < sizeof a->w / sizeof *a->w; i++)
        outside |= a->w[i] & ~b->w[i];
    return outside == 0;
}

/* ---- look-up */

static uint32_t find(const struct map *m, const struct id *id)
{
    const struct map_slot *slot = m ? map_find(m, bytes_of(id->b, ID_BYTES)) : NULL; /* NULL: nobody */
    return slot ? (uint32_t)slot->v.num : NOWHERE;
}

uint32_t state_device(const struct state *st, const struct id *device)
{
    return find(st->by_device, device);
}

uint32_t state_log(const struct state *st, const struct id *log)
{
    return find(st->by_log, log);
}

uint32_t state_epoch(const struct state *st, const struct id *epoch)
{
    return find(st->by_epoch, epoch);
}

bool state_is_active(const struct state *st, uint32_t device)
{
    return device != NOWHERE && mask_has(&st->active, device);
}

uint32_t state_current(const struct state *st)
{
    for (uint32_t i = st->n_epochs; i-- > 0;) {
        if (!st->epochs[i].is_void && mask_eq(&st->epochs[i].key, &st->active))
            return i;
    }
    return NOWHERE;
}

void state_release(struct state *st)
{
    free(st->devices);
    free(st->logs);
    free(st->epochs);
    free(st->splits);
    free(st->is_void);
    map_free(st->by_device);
    map_free(st->by_log);
    map_free(st->by_epoch);
    memset(st, 0, sizeof *st);
}

/* ---- making it */

struct making {
    struct state *st;
    const struct record_set *set;
    const uint64_t *past;
    struct verdicts v;
};

/* The number of an id, given anew when it has none and *fresh. */
static int number(struct map *m, const struct id *id, uint32_t next, bool *fresh)
{
    struct map_slot *slot = map_add(m, bytes_of(id->b, ID_BYTES), fresh);
    if (slot && *fresh)
        slot->v.num = next;
    return slot ? 0 : ERR_NOMEM;
}

static int add_device(struct making *m, uint32_t x)
{
    struct state *st = m->st;
    const struct record *r = m->set->r[x];
    bool fresh;
    if (st->n_devices == MEMBERS_EVER_MAX)
        return 0;
    if (number(st->by_device, &r->cert.device, st->n_devices, &fresh))
        return ERR_NOMEM;
    if (!fresh)
        return 0;
    struct group_device *d = &st->devices[st->n_devices++];
    d->first_add = x;
    d->member = (struct member){.device = r->cert.device, .cert = r->cert, .state = MEMBER_REMOVED};
    d->member.rank = st->n_devices - 1;
    d->member.added_ms = d->member.changed_ms = r->head.time_ms;
    memcpy(d->member.name, r->cert.name, sizeof d->member.name);
    return 0;
}

static bool adds(const struct record *r)
{
    return r->head.kind == MEMBER_GENESIS || r->head.kind == MEMBER_ADD;
}

static bool is_part(const struct making *m, uint32_t x)
{
    return !m->past || m->past[x / 64] >> (x % 64) & 1;
}

static int add_devices(struct making *m)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < m->set->n; i++) {
        uint32_t x = m->set->order[i];
        if (is_part(m, x) && adds(m->set->r[x]))
            rc = add_device(m, x);
    }
    return rc;
}

/* ---- records that are not void, in order */

static void set_active(struct state *st, uint32_t device, bool active)
{
    struct mask bit = {{0}};
    bool was = mask_has(&st->active, device);
    mask_put(&bit, device);
    if (active)
        mask_join(&st->active, &bit);
    else
        st->active.w[device / 64] &= ~bit.w[device / 64];
    st->n_active += (uint32_t)active - (uint32_t)was;
}

/* One more than may be stays out: then the record is void. */
static bool apply_add(struct making *m, uint32_t x, struct group_device *d)
{
    const struct record *r = m->set->r[x];
    if (d->admitted || d->removed)
        return true;
    if (m->st->n_active >= MEMBERS_MAX)
        return false;
    d->admitted = true;
    d->first_add = x;
    d->history = r->head.kind == MEMBER_GENESIS ? HISTORY_ALL : r->body.history.kind;
    d->member.state = MEMBER_ACTIVE;
    d->member.cert = r->cert;
    d->member.added_ms = d->member.changed_ms = r->head.time_ms;
    memcpy(d->member.name, r->cert.name, sizeof d->member.name);
    set_active(m->st, d->member.rank, true);
    return true;
}

static void apply_remove(struct making *m, uint32_t x, struct group_device *d)
{
    if (!d->removed)
        d->member.changed_ms = m->set->r[x]->head.time_ms;
    d->removed = true;
    d->member.state = MEMBER_REMOVED;
    set_active(m->st, d->member.rank, false);
}

static void apply_state(const struct record *r, struct group_device *d)
{
    enum member_state from = r->head.kind == MEMBER_DORMANT ? MEMBER_ACTIVE : MEMBER_ASLEEP;
    if (d->member.state != from)
        return;
    d->member.state = from == MEMBER_ACTIVE ? MEMBER_ASLEEP : MEMBER_ACTIVE;
    d->member.changed_ms = r->head.time_ms;
}

static void apply_name(const struct record *r, struct group_device *d)
{
    memset(d->member.name, 0, sizeof d->member.name);
    memcpy(d->member.name, r->body.name.p, r->body.name.n);
}

static int bind_log(struct making *m, const struct id *log, uint32_t device)
{
    struct state *st = m->st;
    bool fresh;
    if (number(st->by_log, log, st->n_logs, &fresh))
        return ERR_NOMEM;
    if (fresh)
        st->logs[st->n_logs++] = (struct group_log){.log = *log, .root = *log, .device = device};
    return 0;
}

static int apply_epoch(struct making *m, uint32_t x)
{
    struct state *st = m->st;
    const struct record *r = m->set->r[x];
    bool fresh;
    if (number(st->by_epoch, &r->body.epoch, st->n_epochs, &fresh))
        return ERR_NOMEM;
    if (!fresh) /* the same key again: the first record stands */
        return 0;
    struct group_epoch *ep = &st->epochs[st->n_epochs++];
    *ep = (struct group_epoch){.id = r->body.epoch,
                               .frame = r->body.frame,
                               .record = x,
                               .author = m->v.author[x],
                               .is_void = st->is_void[x],
                               .since_ms = r->head.time_ms};
    return 0;
}

/* What a record that is not void does to the device that it is about. */
static void apply_device(struct making *m, uint32_t x)
{
    const struct record *r = m->set->r[x];
    uint32_t device = state_device(m->st, &r->body.device);
    if (device == NOWHERE) { /* one device too many */
        m->st->is_void[x] = 1;
        return;
    }
    struct group_device *d = &m->st->devices[device];
    switch (r->head.kind) {
    case MEMBER_GENESIS:
    case MEMBER_ADD:
        m->st->is_void[x] = !apply_add(m, x, d);
        break;
    case MEMBER_REMOVE:
        apply_remove(m, x, d);
        break;
    case MEMBER_DORMANT:
    case MEMBER_WAKE:
        apply_state(r, d);
        break;
    case MEMBER_NAME:
        apply_name(r, d);
        break;
    default:
        break;
    }
}

/* Removals were decided already. */
static bool is_void_now(struct making *m, uint32_t x)
{
    const struct record *r = m->set->r[x];
    if (r->head.kind == MEMBER_REMOVE)
        return !verdicts_counts(&m->v, x);
    return verdicts_void(&m->v, x);
}

static int apply(struct making *m, uint32_t x)
{
    const struct record *r = m->set->r[x];
    m->st->is_void[x] = is_void_now(m, x);
    if (r->head.kind == MEMBER_EPOCH)
        return apply_epoch(m, x);
    if (m->st->is_void[x] || r->head.kind > MEMBER_WORDS)
        return 0;
    if (r->head.kind == MEMBER_WORDS) {
        m->st->devices[m->v.author[x]].member.words = true; /* of one that is not void: known */
        return 0;
    }
    if (r->head.kind == MEMBER_LOG_OPEN)
        return bind_log(m, &r->body.log, m->v.author[x]);
    apply_device(m, x);
    return 0;
}

static int each(struct making *m, int (*fn)(struct making *m, uint32_t x))
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < m->set->n; i++) {
        uint32_t x = m->set->order[i];
        if (is_part(m, x))
            rc = fn(m, x);
    }
    return rc;
}

/* ---- logs of devices that are gone */

static int bind_void_log(struct making *m, uint32_t x)
{
    const struct record *r = m->set->r[x];
    bool opens = r->head.kind == MEMBER_LOG_OPEN && m->st->is_void[x] && m->v.author[x] != NOWHERE;
    return opens ? bind_log(m, &r->body.log, m->v.author[x]) : 0;
}

static void read_cut(const struct record *r, size_t i, struct id *log, uint64_t *seq)
{
    struct rd rd;
    rd_init(&rd, bytes_of(list_at(&r->body.cuts, i), ITEM_CUT_BYTES));
    rd_copy(&rd, log->b, ID_BYTES);
    *seq = rd_u64(&rd);
}

static int cut_logs(struct making *m, uint32_t x)
{
    const struct record *r = m->set->r[x];
    uint32_t device = m->v.subject[x];
    int rc = 0;
    if (r->head.kind != MEMBER_REMOVE || m->st->is_void[x])
        return 0;
    for (size_t i = 0; rc == 0 && i < r->body.cuts.n; i++) {
        struct id log;
        uint64_t seq;
        read_cut(r, i, &log, &seq);
        rc = bind_log(m, &log, device);
        if (rc)
            return rc;
        struct group_log *l = &m->st->logs[state_log(m->st, &log)];
        if (l->device == device && seq > l->cut)
            l->cut = seq;
    }
    return rc;
}

/* ---- branches: of void records, too, for a log that branched can not grow together again */

static int add_branch(struct making *m, uint32_t root, const struct log_split *at, const uint8_t *next)
{
    struct state *st = m->st;
    struct hash chain;
    struct id id;
    memcpy(chain.b, next, HASH_BYTES);
    log_branch_id(at, &chain, &id);
    int rc = bind_log(m, &id, st->logs[root].device);
    if (rc)
        return rc;
    struct group_log *l = &st->logs[state_log(st, &id)];
    if (!id_eq(&l->root, &at->root)) {
        l->root = at->root;
        l->device = st->logs[root].device;
        l->base = at->seq;
        st->logs[root].branches++;
    }
    return 0;
}

static bool same_split(const struct log_split *a, const struct log_split *b)
{
    return a->seq == b->seq && id_eq(&a->root, &b->root) && memcmp(a->chain.b, b->chain.b, HASH_BYTES) == 0;
}

static int branch_logs(struct making *m, uint32_t x)
{
    struct state *st = m->st;
    const struct record_body *b = &m->set->r[x]->body;
    uint32_t root = m->set->r[x]->head.kind == MEMBER_FORK ? state_log(st, &b->log) : NOWHERE;
    int rc = 0;
    if (root == NOWHERE)
        return 0;
    uint32_t i = 0;
    while (i < st->n_splits && !same_split(&st->splits[i], &b->split))
        i++;
    if (i == st->n_splits)
        st->splits[st->n_splits++] = b->split;
    for (size_t k = 0; rc == 0 && k < b->branches.n; k++)
        rc = add_branch(m, root, &b->split, list_at(&b->branches, k));
    return rc;
}

/* ---- who can open what */

static int give_keys(struct making *m, uint32_t x)
{
    const struct record *r = m->set->r[x];
    uint32_t device = state_device(m->st, &r->body.device);
    for (size_t i = 0; device != NOWHERE && i < r->body.keys.n; i++) {
        struct id id;
        const uint8_t *item = list_at(&r->body.keys, i);
        memcpy(id.b, item, ID_BYTES);
        uint32_t ep = state_epoch(m->st, &id);
        if (ep != NOWHERE)
            mask_put(item[ID_BYTES] == KEY_ROOT ? &m->st->epochs[ep].root : &m->st->epochs[ep].key, device);
    }
    return 0;
}

static void give_sealed(struct making *m, struct group_epoch *ep)
{
    const struct list *l = &m->set->r[ep->record]->body.sealed;
    for (size_t i = 0; i < l->n; i++) {
        struct id id;
        memcpy(id.b, list_at(l, i), ID_BYTES);
        uint32_t device = state_device(m->st, &id);
        if (device != NOWHERE)
            mask_put(&ep->root, device);
    }
}

/* Whoever has the root of an epoch has those that it wraps. Wraps name earlier epochs only. */
static void give_wrapped(struct making *m, const struct group_epoch *ep)
{
    const struct list *l = &m->set->r[ep->record]->body.wraps;
    for (size_t i = 0; i < l->n; i++) {
        struct id id;
        memcpy(id.b, list_at(l, i), ID_BYTES);
        uint32_t earlier = state_epoch(m->st, &id);
        if (earlier != NOWHERE && &m->st->epochs[earlier] < ep)
            mask_join(&m->st->epochs[earlier].root, &ep->root);
    }
}

static int give_all(struct making *m)
{
    struct state *st = m->st;
    int rc = each(m, give_keys);
    for (uint32_t i = st->n_epochs; i-- > 0;) {
        give_sealed(m, &st->epochs[i]);
        give_wrapped(m, &st->epochs[i]);
        mask_join(&st->epochs[i].key, &st->epochs[i].root);
    }
    return rc;
}

/* ---- all */

static int state_init(struct making *m)
{
    struct state *st = m->st;
    size_t n = m->set->n, logs = 0, epochs = 0, devices = 0, forks = 0;
    for (size_t i = 0; i < n; i++) {
        const struct record *r = m->set->r[i];
        logs += (r->head.kind == MEMBER_LOG_OPEN) + r->body.cuts.n + r->body.branches.n;
        forks += r->head.kind == MEMBER_FORK;
        epochs += r->head.kind == MEMBER_EPOCH;
        devices += adds(r);
    }
    memset(st, 0, sizeof *st);
    devices = devices < MEMBERS_EVER_MAX ? devices : MEMBERS_EVER_MAX;
    st->devices = calloc(devices + 1, sizeof *st->devices);
    st->logs = calloc(logs + 1, sizeof *st->logs);
    st->epochs = calloc(epochs + 1, sizeof *st->epochs);
    st->splits = calloc(forks + 1, sizeof *st->splits);
    st->is_void = calloc(n + 1, 1);
    st->by_device = map_new();
    st->by_log = map_new();
    st->by_epoch = map_new();
    bool whole =
        st->devices && st->logs && st->splits && st->epochs && st->is_void && st->by_device && st->by_log;
    return whole && st->by_epoch ? 0 : ERR_NOMEM;
}

int state_compute(const struct record_set *s, const uint64_t *past, struct state *out)
{
    struct making m = {.st = out, .set = s, .past = past};
    int rc = state_init(&m);
    rc = rc ? rc : add_devices(&m);
    rc = rc ? rc : verdicts_make(&m.v, s, past, out);
    rc = rc ? rc : each(&m, apply);
    rc = rc ? rc : each(&m, bind_void_log);
    rc = rc ? rc : each(&m, cut_logs);
    rc = rc ? rc : each(&m, branch_logs);
    rc = rc ? rc : give_all(&m);
    verdicts_release(&m.v);
    if (rc)
        state_release(out);
    return rc;
}
