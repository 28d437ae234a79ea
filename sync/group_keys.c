/* The secrets that this device can open: the group's, and of each epoch its root (from which the frame key
 * and, by what it wraps, earlier roots follow) or its frame key alone. Opening is done once for each epoch.
 * What cannot be opened although it was made for us is the fault of its author: the epoch stays closed here.
 */
#include "sync/group_int.h"

#include "crypto/label.h"

#include <stdlib.h>
#include <string.h>

void keys_frame(const uint8_t root[KEY_BYTES], uint8_t frame[KEY_BYTES])
{
    key_derive(root, LABEL_KEY_FRAMES, BYTES_NONE, frame);
}

void keys_forget(struct group *g)
{
    if (g->epoch_keys)
        mem_wipe(g->epoch_keys, g->n_epoch_keys * sizeof *g->epoch_keys);
    free(g->epoch_keys);
    map_free(g->by_key);
    mem_wipe(g->secret, sizeof g->secret);
    g->epoch_keys = NULL;
    g->by_key = NULL;
    g->n_epoch_keys = 0;
    g->has_secret = false;
}

static struct epoch_keys *slot_of(const struct group *g, const struct id *epoch)
{
    const struct map_slot *slot = g->by_key ? map_find(g->by_key, bytes_of(epoch->b, ID_BYTES)) : NULL;
    return slot ? &g->epoch_keys[slot->v.num] : NULL;
}

const struct epoch_keys *keys_of(const struct group *g, const struct id *epoch)
{
    return slot_of(g, epoch);
}

/* ---- one slot for each epoch; the old array is wiped when it moves */

static int make_slots(struct group *g)
{
    uint32_t n = g->n_epoch_keys, all = n + g->state.n_epochs;
    struct epoch_keys *bigger = calloc((size_t)all + 1, sizeof *bigger);
    if (!g->by_key)
        g->by_key = map_new();
    if (!bigger || !g->by_key) {
        free(bigger);
        return ERR_NOMEM;
    }
    if (n > 0) {
        memcpy(bigger, g->epoch_keys, n * sizeof *bigger);
        mem_wipe(g->epoch_keys, n * sizeof *bigger);
    }
    free(g->epoch_keys);
    g->epoch_keys = bigger;
    for (uint32_t i = 0; i < g->state.n_epochs; i++) {
        bool fresh;
        struct map_slot *slot = map_add(g->by_key, bytes_of(g->state.epochs[i].id.b, ID_BYTES), &fresh);
        if (!slot)
            return ERR_NOMEM;
        if (!fresh)
            continue;
        slot->v.num = g->n_epoch_keys;
        g->epoch_keys[g->n_epoch_keys++].id = g->state.epochs[i].id;
    }
    return 0;
}

/* A slot for the epochs that have none yet. */
static int need_slots(struct group *g)
{
    for (uint32_t i = 0; i < g->state.n_epochs; i++) {
        if (!slot_of(g, &g->state.epochs[i].id))
            return make_slots(g);
    }
    return 0;
}

/* ---- opening */

static void got_root(struct epoch_keys *k, const struct group_epoch *ep)
{
    struct id frame;
    keys_frame(k->root, k->frame);
    epoch_id(k->frame, &frame);
    k->has_root = k->has_frame = id_eq(&frame, &ep->frame);
}

static void try_sealed(struct group *g, const struct group_epoch *ep, struct epoch_keys *k)
{
    const struct list *l = &g->set.r[ep->record]->body.sealed;
    struct epoch_binding b = {.group = g->id, .epoch = ep->id, .recipient = g->own};
    for (size_t i = 0; i < l->n && !k->has_root; i++) {
        const uint8_t *item = list_at(l, i);
        if (memcmp(item, g->own.b, ID_BYTES) != 0)
            continue;
        if (epoch_unseal(&b, bytes_of(item + ID_BYTES, EPOCH_SEALED_BYTES), &g->keys->seal, k->root, NULL) ==
            0)
            got_root(k, ep);
    }
}

static void try_item(struct group *g, const uint8_t *item)
{
    struct id epoch;
    memcpy(epoch.b, item, ID_BYTES);
    uint32_t i = state_epoch(&g->state, &epoch);
    struct epoch_keys *k = slot_of(g, &epoch);
    bool root = item[ID_BYTES] == KEY_ROOT;
    if (i == NOWHERE || !k || k->has_root || (!root && k->has_frame))
        return;
    const struct group_epoch *ep = &g->state.epochs[i];
    struct epoch_binding b = {.group = g->id, .epoch = root ? ep->id : ep->frame, .recipient = g->own};
    struct bytes sealed = bytes_of(item + ID_BYTES + 1, EPOCH_SEALED_BYTES);
    if (epoch_unseal(&b, sealed, &g->keys->seal, root ? k->root : k->frame, NULL))
        return;
    k->has_frame = true;
    if (root)
        got_root(k, ep);
}

static void try_handed(struct group *g, const struct record *r)
{
    if (!id_eq(&r->body.device, &g->own))
        return;
    for (size_t i = 0; i < r->body.keys.n; i++)
        try_item(g, list_at(&r->body.keys, i));
}

/* From an epoch whose root we have to those that it wraps. */
static void unwrap(struct group *g, const struct group_epoch *ep, const struct epoch_keys *from)
{
    const struct list *l = &g->set.r[ep->record]->body.wraps;
    for (size_t i = 0; i < l->n; i++) {
        const uint8_t *item = list_at(l, i);
        struct epoch_link link = {.group = g->id};
        memcpy(link.previous.b, item, ID_BYTES);
        uint32_t earlier = state_epoch(&g->state, &link.previous);
        struct epoch_keys *k = slot_of(g, &link.previous);
        if (earlier == NOWHERE || !k || k->has_root)
            continue;
        struct bytes wrapped = bytes_of(item + ID_BYTES, EPOCH_WRAPPED_BYTES);
        if (epoch_unwrap(&link, wrapped, from->root, k->root, NULL) == 0)
            got_root(k, &g->state.epochs[earlier]);
    }
}

static void try_secret(struct group *g)
{
    struct epoch_binding b = {.group = g->id, .recipient = g->own};
    b.epoch = g->set.n > 0 ? g->set.r[g->set.order[0]]->body.secret_id : ID_NONE;
    for (uint32_t i = 0; i < g->set.n && !g->has_secret; i++) {
        const struct record *r = g->set.r[g->set.order[i]];
        bool genesis = r->head.kind == MEMBER_GENESIS;
        if (r->body.secret.n == 0 || !id_eq(&r->body.device, &g->own))
            continue;
        b.group = genesis ? ID_NONE : g->id;
        g->has_secret = epoch_unseal(&b, r->body.secret, &g->keys->seal, g->secret, NULL) == 0;
    }
}

int keys_find(struct group *g, struct err *e)
{
    if (need_slots(g))
        return err_set(e, ERR_NOMEM, "keeping epoch keys");
    try_secret(g);
    for (uint32_t i = 0; i < g->set.n; i++) {
        const struct record *r = g->set.r[g->set.order[i]];
        if (r->body.keys.n > 0)
            try_handed(g, r);
    }
    for (uint32_t i = g->state.n_epochs; i-- > 0;) {
        const struct group_epoch *ep = &g->state.epochs[i];
        struct epoch_keys *k = slot_of(g, &ep->id);
        if (k && !k->has_root && !k->tried)
            try_sealed(g, ep, k);
        if (k)
            k->tried = true;
        if (k && k->has_root)
            unwrap(g, ep, k);
    }
    return 0;
}
