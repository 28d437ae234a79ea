/* What edges between propositions mean. Same-as joins propositions into groups that are shown as one;
 * supersedes points from a revision to what it replaces. A part of the graph that hangs together is computed
 * as a whole whenever something in it changes, from the merged states of its members alone:
 *
 *   canonical   the lowest id of a group that has a row and was not dropped by the model (if all were: the
 * lowest that has a row). Forgotten ids have no row, so the group lives on without them. evidence    of all
 * members: counters summed, event keys counted once, first and last widened. verdict     the newest of any
 * member; pinned when any is. superseded  some other live group revises a member, and is not itself revised,
 * over any path, by this one: on a circle of revisions nobody is superseded. Live: its canonical one is
 *               neither dropped nor rejected.
 */
#include "store/store_int.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

struct node {
    struct id id;
    int64_t row;
    size_t group; /* index of the group's first node; path to it while joining */
    bool has_row, dropped;
};

struct group {
    size_t canonical; /* node, SIZE_MAX: none has a row */
    bool live, superseded, seen, pinned;
    uint64_t support, against;
    uint32_t devices;
    int64_t first_ms, last_ms;
    uint8_t verdict;
    struct stamp verdict_stamp;
};

struct link {
    size_t from, to; /* nodes; after joining: groups, for supersedes */
    int kind;
};

struct graph {
    struct store *s;
    struct err *e;
    struct map *index;  /* id → node */
    struct map *unique; /* devices and event keys counted */
    struct entity *x;
    struct buf nodes, links, groups, stack;
    bool whole; /* along supersedes, too; else one group only */
};

static struct node *node_at(struct graph *g, size_t i)
{
    return (struct node *)(void *)g->nodes.p + i;
}

static struct group *group_at(struct graph *g, size_t i)
{
    return (struct group *)(void *)g->groups.p + i;
}

static struct link *link_at(struct graph *g, size_t i)
{
    return (struct link *)(void *)g->links.p + i;
}

static size_t node_count(const struct graph *g)
{
    return g->nodes.n / sizeof(struct node);
}

static size_t link_count(const struct graph *g)
{
    return g->links.n / sizeof(struct link);
}

/* ---- whether there is anything to do */

int graph_any(struct store *s, bool *out, struct err *e)
{
    int64_t any = s->edges_any;
    int rc = 0;
    if (!s->edges_known) {
        rc = db_query_int(s, "SELECT 1 FROM edge LIMIT 1", &any, e);
        s->edges_known = rc == 0;
        s->edges_any = any != 0;
    }
    *out = any != 0;
    return rc;
}

int graph_touches(struct store *s, const struct id *id, bool *out, struct err *e)
{
    int rc = graph_any(s, out, e);
    if (rc != 0 || !*out) {
        return rc;
    }
    struct stmt *q = NULL;
    rc = db_prepare(s,
                    "SELECT EXISTS(SELECT 1 FROM edge WHERE kind = 67 AND a = ?1)"
                    " OR EXISTS(SELECT 1 FROM edge WHERE kind = 67 AND b = ?1)"
                    " OR EXISTS(SELECT 1 FROM edge WHERE kind = 68 AND a = ?1)"
                    " OR EXISTS(SELECT 1 FROM edge WHERE kind = 68 AND b = ?1)",
                    &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, id);
        rc = db_step(q, e);
    }
    *out = rc > 0 && db_int(q, 0) != 0;
    db_done(q);
    return rc < 0 ? rc : 0;
}
_Static_assert(SET_SAME_AS == 67 && SET_SUPERSEDES == 68, "the statements name them by number");

/* ---- collecting */

/* The node of an id, made when new. */
static int node_of(struct graph *g, const struct id *id, size_t *out)
{
    bool fresh;
    struct map_slot *slot = map_add(g->index, bytes_of(id->b, ID_BYTES), &fresh);
    if (slot == NULL) {
        return err_set(g->e, ERR_NOMEM, "joining propositions");
    }
    if (fresh) {
        struct node n = {.id = *id, .group = node_count(g)};
        slot->v.num = node_count(g);
        int rc = buf_append(&g->nodes, &n, sizeof n);
        if (rc != 0) {
            return err_set(g->e, rc, "joining propositions");
        }
    }
    *out = slot->v.num;
    return 0;
}

static int take_edge(struct graph *g, struct stmt *q, size_t from)
{
    struct id other;
    struct link l = {.kind = (int)db_int(q, 0), .from = from};
    bool outgoing = db_int(q, 1) != 0;
    int rc = db_id(q, 2, &other, g->e);
    if (rc == 0) {
        rc = node_of(g, &other, &l.to);
    }
    if (rc != 0 || !outgoing) { /* the other end will find the edge as outgoing */
        return rc;
    }
    rc = buf_append(&g->links, &l, sizeof l);
    return rc != 0 ? err_set(g->e, rc, "joining propositions") : 0;
}

static int expand(struct graph *g, size_t i)
{
#define EDGES_OF(kind)                                                                                       \
    "SELECT kind, 1, b FROM edge WHERE kind = " kind " AND a = ?1 UNION ALL"                                 \
    " SELECT kind, 0, a FROM edge WHERE kind = " kind " AND b = ?1"
    static const char same[] = EDGES_OF("67");
    static const char both[] = EDGES_OF("67") " UNION ALL " EDGES_OF("68");
    struct id id = node_at(g, i)->id;
    struct stmt *q = NULL;
    int rc = db_prepare(g->s, g->whole ? both : same, &q, g->e);
    if (rc == 0) {
        db_bind_id(q, 1, &id);
    }
    while (rc == 0 && (rc = db_step(q, g->e)) > 0) {
        rc = take_edge(g, q, i);
    }
    db_done(q);
    return rc;
}

static int collect(struct graph *g, const struct id *from)
{
    size_t at;
    int rc = node_of(g, from, &at);
    for (size_t i = 0; rc == 0 && i < node_count(g); i++) {
        rc = expand(g, i);
    }
    return rc;
}

/* ---- groups */

static size_t group_of(struct graph *g, size_t i)
{
    while (node_at(g, i)->group != i) {
        struct node *n = node_at(g, i);
        n->group = node_at(g, n->group)->group;
        i = n->group;
    }
    return i;
}

static int join(struct graph *g)
{
    for (size_t i = 0; i < link_count(g); i++) {
        struct link *l = link_at(g, i);
        if (l->kind == SET_SAME_AS) {
            node_at(g, group_of(g, l->from))->group = group_of(g, l->to);
        }
    }
    for (size_t i = 0; i < node_count(g); i++) {
        struct group empty = {.canonical = SIZE_MAX, .first_ms = TIME_NONE, .last_ms = TIME_NONE};
        node_at(g, i)->group = group_of(g, i);
        int rc = buf_append(&g->groups, &empty, sizeof empty);
        if (rc != 0) {
            return err_set(g->e, rc, "joining propositions");
        }
    }
    return 0;
}

/* Whether (group, what) is new. */
static int first_time(struct graph *g, size_t group, struct bytes what, bool *fresh)
{
    uint8_t key[sizeof group + 32];
    CHECK(what.n <= 32);
    memcpy(key, &group, sizeof group);
    memcpy(key + sizeof group, what.p, what.n);
    return map_add(g->unique, bytes_of(key, sizeof group + what.n), fresh) != NULL
               ? 0
               : err_set(g->e, ERR_NOMEM, "counting evidence");
}

static int add_counters(struct graph *g, const struct node *n)
{
    struct group *to = group_at(g, n->group);
    struct count c;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < entity_count_n(g->x) && entity_count_at(g->x, i, &c); i++) {
        bool fresh = false;
        to->support = count_add(to->support, c.support);
        to->against = count_add(to->against, c.against);
        span_add(&to->first_ms, &to->last_ms, c.first_ms);
        span_add(&to->first_ms, &to->last_ms, c.last_ms);
        rc = c.support == 0 ? 0 : first_time(g, n->group, bytes_of(c.device.b, ID_BYTES), &fresh);
        to->devices += fresh;
    }
    return rc;
}

/* A key that supports and contradicts counts as supporting, whichever member has which. */
static int add_event(struct graph *g, struct group *to, struct stmt *q, size_t group)
{
    uint8_t what[sizeof group + 17] = {0}; /* longer than a device's key */
    struct bytes key = db_bytes(q, 0);
    memcpy(what, &group, sizeof group);
    memcpy(what + sizeof group, key.p, key.n < 16 ? key.n : 16);
    struct map_slot *slot = map_add(g->unique, bytes_of(what, sizeof what), NULL);
    if (slot == NULL) {
        return err_set(g->e, ERR_NOMEM, "counting evidence");
    }
    uint64_t before = slot->v.num;
    slot->v.num |= db_int(q, 1) != 0 ? 2 : 1;
    if ((before & 1) == 0 && (slot->v.num & 1) != 0) {
        to->support = count_add(to->support, 1);
        to->against -= before != 0;
    } else if (before == 0) {
        to->against = count_add(to->against, 1);
    }
    span_add(&to->first_ms, &to->last_ms, db_int(q, 2));
    return 0;
}

static int add_events(struct graph *g, const struct node *n)
{
    struct stmt *q = NULL;
    int rc = db_prepare(g->s, "SELECT key, against, time FROM event WHERE entity = ?1", &q, g->e);
    if (rc == 0) {
        db_bind_int(q, 1, n->row);
    }
    while (rc == 0 && (rc = db_step(q, g->e)) > 0) {
        rc = add_event(g, group_at(g, n->group), q, n->group);
    }
    db_done(q);
    return rc;
}

static void add_verdict(struct graph *g, struct group *to)
{
    struct bytes v;
    struct stamp st;
    to->pinned = to->pinned || entity_reg_u8(g->x, REG_PINNED, 0) != 0;
    if (entity_reg(g->x, REG_VERDICT, &v, &st) && stamp_cmp(&st, &to->verdict_stamp) > 0) {
        to->verdict = entity_reg_u8(g->x, REG_VERDICT, VERDICT_NONE);
        to->verdict_stamp = st;
    }
}

/* Not dropped before dropped, then the lower id. */
static void offer_canonical(struct graph *g, struct group *to, size_t i)
{
    const struct node *n = node_at(g, i);
    const struct node *best = to->canonical == SIZE_MAX ? NULL : node_at(g, to->canonical);
    if (best == NULL || (best->dropped && !n->dropped) ||
        (best->dropped == n->dropped && id_cmp(&n->id, &best->id) < 0)) {
        to->canonical = i;
    }
}

static int weigh(struct graph *g, size_t i)
{
    struct node *n = node_at(g, i);
    struct prop p = {.id = n->id};
    int rc = entity_row(g->s, SPACE_PROPOSITION, &n->id, false, &n->row, g->e);
    if (rc != 0 || n->row == 0) {
        return rc;
    }
    rc = entity_load(g->s, n->row, g->x, g->e);
    n->has_row = rc > 0 && prop_columns(g->x, &p);
    if (!n->has_row) {
        return rc < 0 ? rc : 0;
    }
    n->dropped = (p.flags & PROP_DROPPED) != 0;
    offer_canonical(g, group_at(g, n->group), i);
    add_verdict(g, group_at(g, n->group));
    rc = add_counters(g, n);
    return rc != 0 ? rc : add_events(g, n);
}

/* ---- heads */

static int link_order(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Keeps the supersedes links between live groups, ordered by the group they come from. */
static void live_links(struct graph *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < link_count(g); i++) {
        struct link l = *link_at(g, i);
        l.from = node_at(g, l.from)->group;
        l.to = node_at(g, l.to)->group;
        if (l.kind == SET_SUPERSEDES && l.from != l.to && group_at(g, l.from)->live) {
            *link_at(g, kept++) = l;
        }
    }
    g->links.n = kept * sizeof(struct link);
    if (kept > 1) {
        qsort(g->links.p, kept, sizeof(struct link), link_order);
    }
}

static size_t first_link(struct graph *g, size_t from)
{
    size_t lo = 0, hi = link_count(g);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (link_at(g, mid)->from < from) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Marks (group.seen) all that a group revises, over any path. */
static int reach(struct graph *g, size_t from)
{
    for (size_t i = 0; i < node_count(g); i++) {
        group_at(g, i)->seen = false;
    }
    buf_clear(&g->stack);
    int rc = buf_append(&g->stack, &from, sizeof from);
    while (rc == 0 && g->stack.n > 0) {
        size_t at;
        g->stack.n -= sizeof at;
        memcpy(&at, g->stack.p + g->stack.n, sizeof at);
        for (size_t i = first_link(g, at); rc == 0 && i < link_count(g) && link_at(g, i)->from == at; i++) {
            struct group *to = group_at(g, link_at(g, i)->to);
            rc = to->seen ? 0 : buf_append(&g->stack, &link_at(g, i)->to, sizeof at);
            to->seen = true;
        }
    }
    return rc != 0 ? err_set(g->e, rc, "following revisions") : 0;
}

static int find_superseded(struct graph *g)
{
    live_links(g);
    size_t reached = SIZE_MAX;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < link_count(g); i++) {
        struct link l = *link_at(g, i);
        if (group_at(g, l.to)->superseded) {
            continue;
        }
        rc = reached == l.to ? 0 : reach(g, l.to);
        reached = l.to;
        group_at(g, l.to)->superseded = rc == 0 && !group_at(g, l.from)->seen;
    }
    return rc;
}

/* ---- writing */

static void share(struct graph *g, size_t i, struct prop *p)
{
    const struct group *from = group_at(g, node_at(g, i)->group);
    p->flags |= from->superseded ? (uint32_t)PROP_SUPERSEDED : 0;
    if (from->canonical != i) {
        p->flags |= PROP_MERGED;
    }
    p->flags &= ~(uint32_t)(PROP_CONFIRMED | PROP_REJECTED | PROP_PINNED);
    p->flags |= from->verdict == VERDICT_CONFIRMED ? (uint32_t)PROP_CONFIRMED : 0;
    p->flags |= from->verdict == VERDICT_REJECTED ? (uint32_t)PROP_REJECTED : 0;
    p->flags |= from->pinned ? (uint32_t)PROP_PINNED : 0;
    p->support = from->support;
    p->against = from->against;
    p->devices = from->devices;
    p->first_ms = from->first_ms;
    p->last_ms = from->last_ms;
}

static int write_node(struct graph *g, size_t i)
{
    const struct node *n = node_at(g, i);
    if (n->row == 0) {
        return 0;
    }
    if (!n->has_row) {
        return prop_remove(g->s, n->row, g->e);
    }
    int rc = entity_load(g->s, n->row, g->x, g->e);
    if (rc < 0) {
        return rc;
    }
    struct prop p = {.row = n->row, .id = n->id};
    CHECK(prop_columns(g->x, &p));
    share(g, i, &p);
    return prop_put(g->s, &p, false, g->e);
}

static int gather(struct graph *g, const struct id *from)
{
    int rc = collect(g, from);
    if (rc == 0) {
        rc = join(g);
    }
    for (size_t i = 0; rc == 0 && i < node_count(g); i++) {
        rc = weigh(g, i);
    }
    for (size_t i = 0; rc == 0 && i < node_count(g); i++) {
        struct group *of = group_at(g, i);
        of->live = of->canonical != SIZE_MAX && !node_at(g, of->canonical)->dropped &&
                   of->verdict != VERDICT_REJECTED;
    }
    return rc;
}

/* One group, whose edges did not change: 1 when its row for the canonical member, as it stands, says that the
 * group is as live as it was, and then whether it is superseded. */
static int recall(struct graph *g)
{
    struct stmt *q = NULL;
    struct group *of = group_at(g, node_at(g, 0)->group);
    bool same_life = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < node_count(g); i++) {
        rc = db_prepare(g->s, "SELECT flags FROM prop WHERE row = ?1", &q, g->e);
        if (rc == 0) {
            db_bind_int(q, 1, node_at(g, i)->row);
            rc = db_step(q, g->e);
        }
        if (rc > 0 && (db_int(q, 0) & PROP_MERGED) == 0) {
            bool was_live = (db_int(q, 0) & (PROP_DROPPED | PROP_REJECTED)) == 0;
            same_life = was_live == of->live;
            of->superseded = (db_int(q, 0) & PROP_SUPERSEDED) != 0;
        }
        rc = rc > 0 ? 0 : rc;
        db_done(q);
    }
    return rc != 0 ? rc : same_life;
}

static int refresh(struct graph *g, const struct id *from)
{
    int rc = gather(g, from);
    if (rc == 0) {
        rc = g->whole ? find_superseded(g) : recall(g);
    }
    bool write = rc >= 0 && (g->whole || rc > 0);
    rc = rc < 0 ? rc : 0;
    for (size_t i = 0; rc == 0 && write && i < node_count(g); i++) {
        rc = write_node(g, i);
    }
    return rc != 0 ? rc : write;
}

static int mark_done(struct graph *g)
{
    for (size_t i = 0; g->s->graphs_done != NULL && i < node_count(g); i++) {
        if (map_add(g->s->graphs_done, bytes_of(node_at(g, i)->id.b, ID_BYTES), NULL) == NULL) {
            return err_set(g->e, ERR_NOMEM, "joining propositions");
        }
    }
    return 0;
}

/* 1 when done, 0 when the whole must be looked at. */
static int refresh_part(struct store *s, const struct id *from, bool whole, struct err *e)
{
    struct graph g = {
        .s = s, .e = e, .index = map_new(), .unique = map_new(), .x = entity_new(), .whole = whole};
    buf_init(&g.nodes, SIZE_MAX / 2);
    buf_init(&g.links, SIZE_MAX / 2);
    buf_init(&g.groups, SIZE_MAX / 2);
    buf_init(&g.stack, SIZE_MAX / 2);
    bool ready = g.index != NULL && g.unique != NULL && g.x != NULL;
    int rc = ready ? refresh(&g, from) : err_set(e, ERR_NOMEM, "joining propositions");
    int marked = rc > 0 ? mark_done(&g) : 0;
    buf_release(&g.nodes);
    buf_release(&g.links);
    buf_release(&g.groups);
    buf_release(&g.stack);
    map_free(g.index);
    map_free(g.unique);
    entity_free(g.x);
    return marked != 0 ? marked : rc;
}

int graph_refresh(struct store *s, const struct id *from, struct err *e)
{
    int rc = refresh_part(s, from, true, e);
    return rc < 0 ? rc : 0;
}

int graph_changed(struct store *s, const struct id *member, struct err *e)
{
    int rc = refresh_part(s, member, false, e);
    return rc == 0 ? graph_refresh(s, member, e) : rc < 0 ? rc : 0;
}

/* ---- all of it, each part once */

static int refresh_once(struct store *s, const struct id *id, struct err *e)
{
    return map_find(s->graphs_done, bytes_of(id->b, ID_BYTES)) != NULL ? 0 : graph_refresh(s, id, e);
}

int graph_refresh_all(struct store *s, struct err *e)
{
    struct stmt *q = NULL;
    s->graphs_done = map_new();
    int rc = s->graphs_done != NULL ? 0 : err_set(e, ERR_NOMEM, "joining propositions");
    if (rc == 0) { /* every part has an edge, and every edge an end `a` */
        rc = db_prepare(s, "SELECT DISTINCT kind, a FROM edge", &q, e);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct id id;
        rc = db_id(q, 1, &id, e);
        rc = rc != 0 ? rc : refresh_once(s, &id, e);
    }
    db_done(q);
    map_free(s->graphs_done);
    s->graphs_done = NULL;
    return rc;
}

/* ---- members of one group */

static int add_member(struct graph *g, struct stmt *q, struct buf *ids)
{
    struct id id;
    bool fresh = false;
    int rc = db_id(q, 0, &id, g->e);
    if (rc == 0 && map_add(g->index, bytes_of(id.b, ID_BYTES), &fresh) == NULL) {
        rc = ERR_NOMEM;
    }
    if (rc == 0 && fresh) {
        rc = buf_append(ids, &id, sizeof id);
    }
    return rc;
}

static int add_members(struct graph *g, const struct id *of, struct buf *ids)
{
    struct stmt *q = NULL;
    int rc = db_prepare(g->s,
                        "SELECT ?1 UNION ALL SELECT b FROM edge WHERE kind = 67 AND a = ?1 UNION ALL"
                        " SELECT a FROM edge WHERE kind = 67 AND b = ?1",
                        &q, g->e);
    if (rc == 0) {
        db_bind_id(q, 1, of);
    }
    while (rc == 0 && (rc = db_step(q, g->e)) > 0) {
        rc = add_member(g, q, ids);
    }
    db_done(q);
    return rc;
}

int graph_same_as(struct store *s, const struct id *id, struct buf *ids, struct err *e)
{
    struct graph g = {.s = s, .e = e, .index = map_new()};
    size_t at = ids->n;
    int rc = g.index != NULL ? add_members(&g, id, ids) : ERR_NOMEM;
    for (; rc == 0 && at < ids->n; at += sizeof *id) {
        struct id next;
        memcpy(&next, ids->p + at, sizeof next);
        rc = add_members(&g, &next, ids);
    }
    map_free(g.index);
    return rc == ERR_NOMEM || rc == ERR_LIMIT ? err_set(e, rc, "walking a group of propositions") : rc;
}
