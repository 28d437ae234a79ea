/* Logs that branched. The group knows where (records `fork`), the store follows: before a frame is taken,
 * every log of it ends where the group says. A device that holds a history of which no branch is known yet
 * tells the group of it. What peers had acknowledged of the log is what they hold of its branches. */
#include "sync/sync_int.h"

#include "base/check.h"
#include "store/members.h"
#include "sync/group_int.h"

#include <stdlib.h>
#include <string.h>

uint64_t sync_have(const struct sync *y, const struct id *log)
{
    struct id root;
    uint64_t base;
    const struct ylog *our = sync_log_const(y, log);
    if (our)
        return our->seq;
    group_log_root(y->env.group, log, &root, &base);
    return base;
}

bool sync_ends(const struct sync *y, const struct id *log, uint64_t seq, struct ylog *end)
{
    const struct ylog *our = sync_log_const(y, log);
    struct log_split start = {.root = *log};
    chain_start(log, &start.chain);
    *end = our ? *our : (struct ylog){.log = *log, .chain = start.chain};
    if (seq <= end->seq || !group_has_splits(y->env.group, log))
        return false;
    struct log_split at = {*log, end->seq, end->chain};
    return group_is_split(y->env.group, &at);
}

int sync_place(struct sync *y, const struct peer_log *at, const struct ylog **out, struct err *e)
{
    struct id root;
    uint64_t base;
    int rc = 0;
    *out = NULL;
    group_log_root(y->env.group, &at->log, &root, &base);
    for (size_t i = 0; rc == 0 && !*out && i < y->n_logs; i++) {
        const struct ylog *l = &y->logs[i];
        struct hash chain;
        if (!id_eq(&l->root, &root) || at->seq > l->seq || at->seq <= l->base)
            continue;
        rc = sync_chain_at(y, l, at->seq, &chain, e);
        if (rc == 0 && memcmp(chain.b, at->chain, SYNC_CHAIN_BYTES) == 0)
            *out = l;
    }
    return rc;
}

/* ---- the store */

static int split_store(struct sync *y, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < group_splits(y->env.group); i++) {
        bool changed;
        const struct log_split *at = group_split_at(y->env.group, i);
        rc = store_split(y->env.store, at, &changed, e);
        if (id_eq(&at->root, &y->env.log))
            sync_fault(y, IDENTITY_FORKED);
    }
    return rc;
}

/* ---- the group: of a branching it knew other branches only */

static int declare(struct sync *y, const struct ylog *l, struct err *e)
{
    struct log_fork fork = {.at = {.root = l->root, .seq = l->base}, .n = 1};
    int rc = 0;
    chain_start(&l->root, &fork.at.chain);
    if (l->base > 0)
        rc = sync_chain_at(y, l, l->base, &fork.at.chain, e);
    rc = rc ? rc : sync_chain_at(y, l, l->base + 1, &fork.next[0], e);
    if (rc)
        return rc;
    rc = group_fork(y->env.group, &fork, clock_wall_ms(y->env.clock), e);
    return rc == ERR_LIMIT || rc == ERR_ATTENTION || rc == ERR_VERIFY ? 0 : rc; /* status shows it */
}

static int declare_unknown(struct sync *y, struct err *e)
{
    uint32_t before = y->env.group->set.n;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < y->n_logs; i++) {
        const struct ylog *l = &y->logs[i];
        if (id_none(&l->device) && !id_eq(&l->root, &l->log))
            rc = declare(y, l, e);
    }
    return rc || y->env.group->set.n == before ? rc : sync_refresh(y, e);
}

int sync_branch(struct sync *y, struct err *e)
{
    int rc = split_store(y, e);
    rc = rc ? rc : sync_refresh(y, e);
    rc = rc ? rc : declare_unknown(y, e);
    rc = rc ? rc : peers_branch(y, e);
    for (struct session *s = y->sessions; rc == 0 && s; s = s->next)
        rc = slogs_branch(s, true, e);
    return rc;
}
