/* Upkeep. Errors are logged and the step is tried again later: none of it may stop the node. */
#include "node/upkeep.h"

#include "node/identity.h"
#include "node/merged.h"
#include "node/words.h"

#define HOUR_MS (60 * 60 * 1000)
#define IDLE_MS 3000             /* quiet for so long before the disk is cleared */
#define DORMANT_MS (90 * MS_DAY) /* silent for so long: asleep */

static void complain(struct node *n, const char *what, const struct err *e)
{
    log_line(&n->log, LOG_ERROR, "upkeep", "%s: %s", what, e->text);
}

static void merged_take(struct node *n)
{
    struct err e = ERR_INIT;
    if (!n->merged_due || node_may_write(n, NULL) != 0) {
        return;
    }
    if (node_merged(n, &e) != 0) {
        complain(n, "after a merge", &e);
        n->merged_due = false; /* with the next merge again */
        return;
    }
    n->quiet_ms = clock_mono_ms(&n->clock);
    n->wrote = true;
}

/* ---- members who are silent for long ----------------------------------------------------------------------
 */

struct silence {
    struct node *n;
    int64_t now_ms;
    struct id sleep[MEMBERS_MAX], wake[MEMBERS_MAX];
    size_t n_sleep, n_wake;
};

static int silence_note(void *ctx, const struct peer_status *p)
{
    struct silence *s = ctx;
    const struct member *m = group_find(s->n->group, &p->device);
    int64_t seen = p->last_seen_ms > 0 ? p->last_seen_ms : m != NULL ? m->added_ms : s->now_ms;
    if (m != NULL && seen < m->changed_ms) {
        seen = m->changed_ms;
    }
    bool silent = seen < s->now_ms - DORMANT_MS;
    if (m != NULL && m->state == MEMBER_ACTIVE && silent && s->n_sleep < MEMBERS_MAX) {
        s->sleep[s->n_sleep++] = p->device;
    }
    if (m != NULL && m->state == MEMBER_ASLEEP && p->connected && s->n_wake < MEMBERS_MAX) {
        s->wake[s->n_wake++] = p->device;
    }
    return 0;
}

static int sleepers_mark(struct node *n, bool *changed, struct err *e)
{
    struct silence s = {.n = n, .now_ms = clock_wall_ms(&n->clock)};
    int rc = sync_peers(n->sync, silence_note, &s, e);
    for (size_t i = 0; rc == 0 && i < s.n_sleep; i++) {
        rc = group_sleep(n->group, &s.sleep[i], true, s.now_ms, e);
        *changed = true;
    }
    for (size_t i = 0; rc == 0 && i < s.n_wake; i++) {
        rc = group_sleep(n->group, &s.wake[i], false, s.now_ms, e);
        *changed = true;
    }
    return rc;
}

static void group_keep(struct node *n)
{
    struct err e = ERR_INIT;
    bool changed = false, slept = false;
    int64_t now = clock_mono_ms(&n->clock);
    if (group_mend(n->group, &e) != 0) {
        complain(n, "reading the membership", &e);
        return;
    }
    if (!identity_is_member(n) || node_may_write(n, NULL) != 0) {
        return;
    }
    int rc = 0;
    if (n->regrouped || now >= n->group_due_ms) {
        rc = group_settle(n->group, clock_wall_ms(&n->clock), &changed, &e);
    }
    if (rc == 0 && (n->words_due || now >= n->group_due_ms)) {
        n->words_due = false;
        rc = words_settle(n, &e);
    }
    if (rc == 0 && now >= n->group_due_ms) {
        rc = sleepers_mark(n, &slept, &e);
        n->group_due_ms = now + HOUR_MS;
    }
    if (rc != 0) {
        complain(n, "keeping the group in order", &e);
        n->group_due_ms = now + HOUR_MS;
    }
    /* The network side looks at the members, too, and clears the flag then. */
    n->regrouped = (n->regrouped && n->net != NULL) || changed || slept;
    if (changed || slept) {
        n->wrote = true;
    }
}

/* ---- the disk ---------------------------------------------------------------------------------------------
 */

static int64_t scrub_when_idle(struct node *n, int64_t now_ms)
{
    struct err e = ERR_INIT;
    bool due = false;
    if (store_scrub_due(n->store, &due, &e) != 0 || !due) {
        return now_ms + HOUR_MS;
    }
    if (now_ms < n->quiet_ms + IDLE_MS) {
        return n->quiet_ms + IDLE_MS;
    }
    if (store_scrub(n->store, &e) != 0) {
        complain(n, "clearing the disk", &e);
        n->quiet_ms = now_ms + HOUR_MS;
    }
    return now_ms + HOUR_MS;
}

void upkeep_now(struct node *n)
{
    struct err e = ERR_INIT;
    if (n->home.locked || n->read_only) {
        return;
    }
    if (identity_step(n, &e) != 0) {
        complain(n, "identity", &e);
    }
    merged_take(n);
    group_keep(n);
}

int64_t upkeep_step(struct node *n)
{
    int64_t now = clock_mono_ms(&n->clock);
    if (n->home.locked || n->read_only) {
        return now + HOUR_MS;
    }
    upkeep_now(n);
    int64_t next = n->cloned ? now + HOUR_MS : scrub_when_idle(n, now);
    return n->group_due_ms < next && n->group_due_ms > now ? n->group_due_ms : next;
}
