/* What becomes due when records of several devices come together. All of it may be done by any member; when
 * two do it at the same time, no harm is done. */
#include "sync/group_int.h"

#include "store/members.h"

#include <stdlib.h>
#include <string.h>

/* ---- cut-offs: we hold more of a removed device's log than its removals say */

struct beyond {
    const struct group *g;
    struct mask devices;
};

static int find_beyond(void *ctx, const struct log_head *h)
{
    struct beyond *b = ctx;
    const struct state *st = &b->g->state;
    uint32_t log = state_log(st, &h->log);
    if (log == NOWHERE || state_is_active(st, st->logs[log].device))
        return 0;
    if (h->seq > st->logs[log].cut)
        mask_put(&b->devices, st->logs[log].device);
    return 0;
}

static int settle_cuts(struct group *g, int64_t now_ms, bool *changed, struct err *e)
{
    struct beyond b = {.g = g};
    int rc = store_logs(g->store, find_beyond, &b, e);
    for (uint32_t i = 0; rc == 0 && i < g->state.n_devices; i++) {
        struct id device = g->state.devices[i].member.device;
        if (!mask_has(&b.devices, i))
            continue;
        *changed = true;
        rc = group_cut(g, &device, now_ms, e);
    }
    return rc;
}

/* ---- keys: an epoch that the adding of a member had not seen, and that is not sealed to it */

static bool is_left_out(const struct group *g, uint32_t device, const struct group_epoch *ep)
{
    const struct epoch_keys *k = keys_of(g, &ep->id);
    return k && k->has_frame && !mask_has(&ep->key, device) &&
           !records_saw(&g->set, g->state.devices[device].first_add, ep->record);
}

static int settle_keys_of(struct group *g, uint32_t device, int64_t now_ms, bool *changed, struct err *e)
{
    size_t n = 0;
    struct key_wish *wishes = malloc(((size_t)g->state.n_epochs + 1) * sizeof *wishes);
    if (!wishes)
        return err_set(e, ERR_NOMEM, "handing over epoch keys");
    for (uint32_t i = 0; i < g->state.n_epochs; i++) {
        if (is_left_out(g, device, &g->state.epochs[i]))
            wishes[n++] = (struct key_wish){i, KEY_FRAME};
    }
    *changed = *changed || n > 0;
    int rc = group_hand(g, device, wishes, n, now_ms, e);
    free(wishes);
    return rc;
}

static int settle_keys(struct group *g, int64_t now_ms, bool *changed, struct err *e)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < g->state.n_devices; i++) {
        if (state_is_active(&g->state, i))
            rc = settle_keys_of(g, i, now_ms, changed, e);
    }
    return rc;
}

/* ---- epoch */

static int settle_epoch(struct group *g, int64_t now_ms, bool *changed, struct err *e)
{
    struct epoch_ref ref;
    const uint8_t *key;
    if (group_epoch(g, &ref, &key, NULL) == 0 && !group_epoch_is_old(g, now_ms))
        return 0;
    *changed = true;
    return group_rotate(g, now_ms, e);
}

int group_settle(struct group *g, int64_t now_ms, bool *changed, struct err *e)
{
    bool own;
    *changed = false;
    int rc = group_mend(g, e);
    if (rc || group_self(g) == NOWHERE)
        return rc;
    rc = members_begin(g->store, &own, e);
    if (rc)
        return rc;
    rc = settle_cuts(g, now_ms, changed, e);
    rc = rc ? rc : settle_keys(g, now_ms, changed, e);
    rc = rc ? rc : settle_epoch(g, now_ms, changed, e);
    return group_change_end(g, own, rc, e);
}
