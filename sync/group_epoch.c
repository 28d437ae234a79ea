/* Giving keys: a new epoch to all members, and to a device that is added the keys of what it may read.
 *
 * Which earlier roots a new epoch wraps: those that every member has, as few as there can be (what an epoch
 * wraps needs not be wrapped again). So whoever may read all needs one key, and nobody gets more than before.
 */
#include "sync/group_int.h"

#include "base/cursor.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

/* ---- making epochs */

static int id_order(const void *a, const void *b)
{
    return memcmp(a, b, ID_BYTES);
}

/* Devices of a mask, ascending by id, as struct id; returns how many. */
static size_t active_ids(const struct group *g, struct id ids[MEMBERS_MAX])
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->state.n_devices; i++) {
        if (state_is_active(&g->state, i))
            ids[n++] = g->state.devices[i].member.device;
    }
    qsort(ids, n, sizeof *ids, id_order);
    return n;
}

static int put_sealed(struct group *g, const struct id *epoch, const uint8_t root[KEY_BYTES], struct buf *b)
{
    struct id ids[MEMBERS_MAX];
    size_t n = active_ids(g, ids);
    int rc = 0;
    wr_varint(b, n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct epoch_binding bind = {.group = g->id, .epoch = *epoch, .recipient = ids[i]};
        put_id(b, &ids[i]);
        rc = epoch_seal(&bind, root, group_find(g, &ids[i])->cert.seal_pk, g->rng, b);
    }
    return rc;
}

/* Whether every member has the root: then it may stand wrapped in a new epoch of theirs. */
static bool is_everyones(const struct group *g, const struct group_epoch *ep)
{
    return mask_within(&g->state.active, &ep->root);
}

static void cover(const struct group *g, const struct group_epoch *ep, uint8_t *covered)
{
    const struct list *l = &g->set.r[ep->record]->body.wraps;
    for (size_t i = 0; i < l->n; i++) {
        struct id id;
        memcpy(id.b, list_at(l, i), ID_BYTES);
        uint32_t earlier = state_epoch(&g->state, &id);
        if (earlier != NOWHERE)
            covered[earlier] = 1;
    }
}

/* The fewest keys from which all others that we have follow: roots that no later one wraps, and frame keys of
 * epochs whose roots we lack. `shared`: only roots that every member has. wishes has room for all epochs. */
static size_t key_heads(const struct group *g, bool shared, struct key_wish *wishes, uint8_t *covered)
{
    size_t n = 0;
    for (uint32_t i = g->state.n_epochs; i-- > 0;) {
        const struct group_epoch *ep = &g->state.epochs[i];
        const struct epoch_keys *k = keys_of(g, &ep->id);
        bool root = k && k->has_root && (!shared || is_everyones(g, ep));
        if (root && !covered[i])
            wishes[n++] = (struct key_wish){i, KEY_ROOT};
        else if (k && k->has_frame && !k->has_root && !shared && !covered[i])
            wishes[n++] = (struct key_wish){i, KEY_FRAME};
        if (root || covered[i])
            cover(g, ep, covered);
    }
    return n;
}

static struct key_wish *wish_heads(const struct group *g, bool shared, size_t *n)
{
    size_t all = (size_t)g->state.n_epochs + 1;
    struct key_wish *wishes = malloc(all * sizeof *wishes);
    uint8_t *covered = calloc(all, 1);
    *n = wishes && covered ? key_heads(g, shared, wishes, covered) : 0;
    if (!covered) {
        free(wishes);
        wishes = NULL;
    }
    free(covered);
    return wishes;
}

static const struct id *wish_id(const struct group *g, const struct key_wish *w)
{
    return &g->state.epochs[w->epoch].id;
}

/* Ascending by epoch id; few, and nearly always one. */
static void sort_wishes(const struct group *g, struct key_wish *w, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct key_wish x = w[i];
        size_t at = i;
        for (; at > 0 && id_cmp(wish_id(g, &w[at - 1]), wish_id(g, &x)) > 0; at--)
            w[at] = w[at - 1];
        w[at] = x;
    }
}

static int put_wraps(struct group *g, const uint8_t root[KEY_BYTES], struct buf *b)
{
    size_t n;
    struct key_wish *w = wish_heads(g, true, &n);
    int rc = w ? 0 : ERR_NOMEM;
    n = n < MEMBER_WRAPS_MAX ? n : MEMBER_WRAPS_MAX; /* the newest: they come first */
    if (w)
        sort_wishes(g, w, n);
    wr_varint(b, n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        put_id(b, wish_id(g, &w[i]));
        rc = epoch_wrap(&g->id, root, keys_of(g, wish_id(g, &w[i]))->root, g->rng, b);
    }
    free(w);
    return rc;
}

static int put_epoch(struct group *g, struct buf *b)
{
    uint8_t root[KEY_BYTES], frame[KEY_BYTES];
    struct id id, frame_id;
    epoch_make(g->rng, root);
    keys_frame(root, frame);
    epoch_id(root, &id);
    epoch_id(frame, &frame_id);
    put_id(b, &id);
    put_id(b, &frame_id);
    int rc = put_sealed(g, &id, root, b);
    rc = rc ? rc : put_wraps(g, root, b);
    mem_wipe(root, sizeof root);
    mem_wipe(frame, sizeof frame);
    return rc;
}

int group_rotate(struct group *g, int64_t now_ms, struct err *e)
{
    struct buf body;
    int rc = group_need_self(g, e);
    if (rc)
        return rc;
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    if (put_epoch(g, &body)) {
        buf_release(&body);
        return err_set(e, ERR_NOMEM, "making an epoch");
    }
    return group_append_body(g, MEMBER_EPOCH, &body, now_ms, e);
}

/* ---- adding */

/* Frame keys of the epochs that were in use at or after a time. */
static size_t wish_since(const struct group *g, int64_t since_ms, struct key_wish *wishes)
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->state.n_epochs; i++) {
        bool last = i + 1 == g->state.n_epochs;
        const struct epoch_keys *k = keys_of(g, &g->state.epochs[i].id);
        if (k && k->has_frame && (last || g->state.epochs[i + 1].since_ms >= since_ms))
            wishes[n++] = (struct key_wish){i, KEY_FRAME};
    }
    return n;
}

static struct key_wish *wish_history(const struct group *g, const struct history_grant *history, size_t *n)
{
    if (history->kind == HISTORY_ALL)
        return wish_heads(g, false, n);
    struct key_wish *wishes = malloc(((size_t)g->state.n_epochs + 1) * sizeof *wishes);
    *n = wishes && history->kind == HISTORY_SINCE ? wish_since(g, history->since_ms, wishes) : 0;
    return wishes;
}

static int put_keys(struct group *g, const struct device_cert *to, struct key_wish *w, size_t n,
                    struct buf *b)
{
    int rc = 0;
    sort_wishes(g, w, n);
    wr_varint(b, n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct group_epoch *ep = &g->state.epochs[w[i].epoch];
        const struct epoch_keys *k = keys_of(g, &ep->id);
        struct epoch_binding bind = {.group = g->id, .recipient = to->device};
        bind.epoch = w[i].kind == KEY_ROOT ? ep->id : ep->frame;
        put_id(b, &ep->id);
        wr_u8(b, (uint8_t)w[i].kind);
        rc = epoch_seal(&bind, w[i].kind == KEY_ROOT ? k->root : k->frame, to->seal_pk, g->rng, b);
    }
    return rc;
}

int group_hand(struct group *g, uint32_t device, struct key_wish *wishes, size_t n, int64_t now_ms,
               struct err *e)
{
    int rc = 0;
    struct device_cert to = g->state.devices[device].member.cert;
    for (size_t at = 0; rc == 0 && at < n; at += MEMBER_KEYS_MAX) {
        struct buf body;
        size_t take = n - at < MEMBER_KEYS_MAX ? n - at : MEMBER_KEYS_MAX;
        buf_init(&body, MEMBER_BODY_BYTES_MAX);
        put_id(&body, &to.device);
        if (put_keys(g, &to, wishes + at, take, &body)) {
            buf_release(&body);
            return err_set(e, ERR_NOMEM, "handing over epoch keys");
        }
        rc = group_append_body(g, MEMBER_HAND, &body, now_ms, e);
    }
    return rc;
}

struct adding {
    struct bytes cert;
    struct device_cert to;
    const struct history_grant *history;
    struct key_wish *wishes;
    size_t n;
};

static int put_add(struct group *g, const struct adding *a, struct buf *b)
{
    struct epoch_binding bind = {.group = g->id, .recipient = a->to.device};
    bool since = a->history->kind == HISTORY_SINCE;
    epoch_id(g->secret, &bind.epoch);
    wr_lenbytes(b, a->cert);
    wr_u8(b, (uint8_t)a->history->kind);
    wr_u64(b, since ? (uint64_t)group_time(a->history->since_ms) : 0);
    int rc = epoch_seal(&bind, g->secret, a->to.seal_pk, g->rng, b);
    return rc ? rc : put_keys(g, &a->to, a->wishes, a->n < MEMBER_KEYS_MAX ? a->n : MEMBER_KEYS_MAX, b);
}

/* The record; more of it when there are more keys than one holds; and an epoch where history is withheld. */
static int append_add(struct group *g, const struct adding *a, int64_t now_ms, struct err *e)
{
    struct buf body;
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    if (put_add(g, a, &body)) {
        buf_release(&body);
        return err_set(e, ERR_NOMEM, "adding a device");
    }
    int rc = group_append_body(g, MEMBER_ADD, &body, now_ms, e);
    if (!rc && a->n > MEMBER_KEYS_MAX)
        rc = group_hand(g, state_device(&g->state, &a->to.device), a->wishes + MEMBER_KEYS_MAX,
                        a->n - MEMBER_KEYS_MAX, now_ms, e);
    return rc || a->history->kind == HISTORY_ALL ? rc : group_rotate(g, now_ms, e);
}

static int check_adding(const struct group *g, const struct adding *a, struct err *e)
{
    uint32_t device = state_device(&g->state, &a->to.device);
    if (device != NOWHERE && g->state.devices[device].removed) {
        err_set(e, ERR_EXISTS, "the device was removed from the group for good");
        err_hint(e, "make new keys on it, then pair it again");
        return ERR_EXISTS;
    }
    if (state_is_active(&g->state, device))
        return err_set(e, ERR_EXISTS, "the device is in the group already");
    return g->has_secret ? 0 : err_set(e, ERR_ATTENTION, "this device lacks the secret of its group");
}

int group_add(struct group *g, struct bytes cert, const struct history_grant *history, int64_t now_ms,
              struct err *e)
{
    struct adding a = {.cert = cert, .history = history};
    bool own;
    int rc = group_need_self(g, e);
    rc = rc ? rc : device_cert_open(cert, &a.to, e);
    rc = rc ? rc : check_adding(g, &a, e);
    rc = rc ? rc : members_begin(g->store, &own, e);
    if (rc)
        return rc;
    a.wishes = wish_history(g, history, &a.n);
    rc = a.wishes ? append_add(g, &a, now_ms, e) : err_set(e, ERR_NOMEM, "adding a device");
    free(a.wishes);
    return group_change_end(g, own, rc, e);
}
