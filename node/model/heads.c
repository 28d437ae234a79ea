/* All edges are read at once: there are as many as revisions, far fewer than propositions. */
#include "node/model/heads.h"

#include "base/check.h"
#include "base/map.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

#define DOTS_MAX 32u

struct edge {
    struct id newer, older;
};

struct web {
    struct store *s;
    struct err *e;
    struct buf edges;  /* struct edge × n, ascending by older, newer */
    struct buf reach;  /* struct id × n: what revises the one that is looked at */
    struct buf listed; /* struct heads × n: what was found */
    struct map *met;
};

static const struct edge *edge_at(const struct web *w, size_t i)
{
    return (const struct edge *)(const void *)w->edges.p + i;
}

static size_t edge_count(const struct web *w)
{
    return w->edges.n / sizeof(struct edge);
}

static int edge_cmp(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    int c = id_cmp(&x->older, &y->older);
    return c != 0 ? c : id_cmp(&x->newer, &y->newer);
}

static int id_order(const void *a, const void *b)
{
    return id_cmp(a, b);
}

static int edges_note(void *ctx, const struct id *id, const struct entity *x)
{
    struct web *w = ctx;
    struct bytes element;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && entity_set_next(x, SET_SUPERSEDES, &at, &element)) {
        struct edge edge = {.newer = *id};
        CHECK(element.n == ID_BYTES); /* no op with another length is taken */
        memcpy(edge.older.b, element.p, ID_BYTES);
        rc = buf_append(&w->edges, &edge, sizeof edge);
    }
    return rc;
}

static void web_release(struct web *w)
{
    buf_release(&w->edges);
    buf_release(&w->reach);
    buf_release(&w->listed);
}

static int web_read(struct web *w, struct store *s, struct err *e)
{
    *w = (struct web){.s = s, .e = e};
    buf_init(&w->edges, SIZE_MAX / 2);
    buf_init(&w->reach, SIZE_MAX / 2);
    buf_init(&w->listed, SIZE_MAX / 2);
    int rc = store_entities(s, SPACE_EDGE, edges_note, w, e);
    if (rc != 0) {
        web_release(w);
        return err_wrap(e, rc, "reading revisions");
    }
    if (w->edges.n > 0) {
        qsort(w->edges.p, edge_count(w), sizeof(struct edge), edge_cmp);
    }
    return 0;
}

static size_t first_edge(const struct web *w, const struct id *older)
{
    size_t lo = 0, hi = edge_count(w);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (id_cmp(&edge_at(w, mid)->older, older) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int reach_from(struct web *w, const struct id *older)
{
    int rc = 0;
    for (size_t i = first_edge(w, older); i < edge_count(w) && id_eq(&edge_at(w, i)->older, older); i++) {
        bool fresh;
        const struct id *newer = &edge_at(w, i)->newer;
        if (map_add(w->met, bytes_of(newer->b, ID_BYTES), &fresh) == NULL) {
            return ERR_NOMEM;
        }
        rc = rc == 0 && fresh ? buf_append(&w->reach, newer, sizeof *newer) : rc;
    }
    return rc;
}

/* Everything that revises `of`, over any path, into w->reach. */
static int reach(struct web *w, const struct id *of)
{
    buf_clear(&w->reach);
    w->met = map_new();
    int rc = w->met != NULL ? reach_from(w, of) : ERR_NOMEM;
    for (size_t at = 0; rc == 0 && at < w->reach.n; at += sizeof(struct id)) {
        struct id id;
        memcpy(&id, w->reach.p + at, sizeof id);
        rc = reach_from(w, &id);
    }
    map_free(w->met);
    w->met = NULL;
    return rc != 0 ? err_set(w->e, rc, "following revisions") : 0;
}

static int is_head(struct web *w, const struct id *id, bool *out)
{
    const uint32_t none = PROP_SUPERSEDED | PROP_DROPPED | PROP_REJECTED | PROP_MERGED;
    struct prop p;
    struct err why = ERR_INIT;
    int rc = store_prop(w->s, id, false, &p, &why);
    *out = rc == 0 && (p.flags & none) == 0;
    if (rc != 0 && rc != ERR_NOTFOUND && rc != ERR_FORGOTTEN) {
        return err_set(w->e, rc, "%s", why.text);
    }
    return 0;
}

static int heads_of(struct web *w, const struct id *of, struct heads *out)
{
    int rc = reach(w, of);
    *out = (struct heads){.of = *of};
    if (rc == 0 && w->reach.n > 0) {
        qsort(w->reach.p, w->reach.n / sizeof(struct id), sizeof(struct id), id_order);
    }
    for (size_t at = 0; rc == 0 && at < w->reach.n && out->n < HEADS_MAX; at += sizeof(struct id)) {
        bool head;
        memcpy(&out->v[out->n], w->reach.p + at, sizeof(struct id));
        rc = is_head(w, &out->v[out->n], &head);
        out->n += rc == 0 && head;
    }
    return rc;
}

static bool same_heads(const struct heads *a, const struct heads *b)
{
    return a->n == b->n && memcmp(a->v, b->v, a->n * sizeof a->v[0]) == 0;
}

static bool has_head(const struct heads *h, const struct id *id)
{
    return bsearch(id, h->v, h->n, sizeof h->v[0], id_order) != NULL;
}

/* Whether a nearer one has the same heads: one that revises h->of and is no head itself. */
static int has_nearer(struct web *w, const struct heads *h, bool *out)
{
    int rc = 0;
    *out = false;
    for (size_t i = first_edge(w, &h->of);
         rc == 0 && !*out && i < edge_count(w) && id_eq(&edge_at(w, i)->older, &h->of); i++) {
        struct heads nearer;
        const struct id newer = edge_at(w, i)->newer;
        if (has_head(h, &newer)) {
            continue;
        }
        rc = heads_of(w, &newer, &nearer);
        *out = rc == 0 && same_heads(h, &nearer);
    }
    return rc;
}

/* On a circle every head revises, and is revised by, all others: named by what they all revise when there is
 * that, else by the first that comes. */
static int list_of(struct web *w, const struct id *of, bool circles)
{
    struct heads h;
    bool known = true;
    int rc = heads_of(w, of, &h);
    if (rc != 0 || h.n < 2 || has_head(&h, of) != circles) {
        return rc;
    }
    rc = has_nearer(w, &h, &known);
    for (size_t at = 0; rc == 0 && !known && at < w->listed.n; at += sizeof h) {
        known = same_heads(&h, (const struct heads *)(const void *)(w->listed.p + at));
    }
    return rc == 0 && !known ? buf_append(&w->listed, &h, sizeof h) : rc;
}

static int list(struct web *w, bool circles)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < edge_count(w); i++) {
        const struct id of = edge_at(w, i)->older;
        if (i == 0 || !id_eq(&edge_at(w, i - 1)->older, &of)) {
            rc = list_of(w, &of, circles);
        }
    }
    return rc;
}

int heads_each(struct store *s, int (*fn)(void *ctx, const struct heads *h), void *ctx, struct err *e)
{
    struct web w;
    int rc = web_read(&w, s, e);
    if (rc != 0) {
        return rc;
    }
    rc = list(&w, false);
    rc = rc != 0 ? rc : list(&w, true);
    for (size_t at = 0; rc == 0 && at < w.listed.n; at += sizeof(struct heads)) {
        rc = fn(ctx, (const struct heads *)(const void *)(w.listed.p + at));
    }
    web_release(&w);
    return rc;
}

struct finding {
    const struct id *id;
    struct heads *out;
    bool exact;
};

static int find_note(void *ctx, const struct heads *h)
{
    struct finding *f = ctx;
    bool exact = id_eq(&h->of, f->id);
    if (exact || (!f->exact && f->out->n == 0 && has_head(h, f->id))) {
        *f->out = *h;
        f->exact = exact;
    }
    return 0;
}

int heads_find(struct store *s, const struct id *id, struct heads *out, struct err *e)
{
    struct finding f = {.id = id, .out = out};
    *out = (struct heads){.n = 0};
    int rc = heads_each(s, find_note, &f, e);
    return rc == 0 && out->n == 0 ? err_set(e, ERR_NOTFOUND, "no revisions of it contradict") : rc;
}

/* ---- settling ---------------------------------------------------------------------------------------------
 */

static int edges_add(struct store *s, const struct heads *h, size_t chosen, struct err *e)
{
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_EDGE, CLASS_EDIT, &h->v[chosen]);
    for (size_t i = 0; i < h->n; i++) {
        if (i != chosen) {
            draft_set_add(&d, SET_SUPERSEDES, bytes_of(h->v[i].b, ID_BYTES));
        }
    }
    int rc = store_write(s, &d, e);
    draft_release(&d);
    return rc;
}

/* Chosen the other way round elsewhere: a circle, on which nobody would be superseded. */
static int edge_remove(struct store *s, const struct id *from, const struct id *to, struct err *e)
{
    uint8_t dots[DOTS_MAX][16];
    struct bytes element = bytes_of(to->b, ID_BYTES);
    struct entity *x = entity_new();
    int rc =
        x != NULL ? store_entity(s, SPACE_EDGE, from, x, e) : err_set(e, ERR_NOMEM, "settling revisions");
    size_t n = rc == 0 ? entity_set_dots(x, SET_SUPERSEDES, element, dots, DOTS_MAX) : 0;
    if (rc == 0 && n > 0) {
        struct draft d;
        draft_init(&d);
        draft_reset(&d, SPACE_EDGE, CLASS_EDIT, from);
        draft_set_remove(&d, SET_SUPERSEDES, element, (const uint8_t(*)[16])dots, n);
        rc = store_write(s, &d, e);
        draft_release(&d);
    }
    entity_free(x);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

int heads_settle(struct store *s, const struct heads *h, size_t i, struct err *e)
{
    bool own;
    CHECK(i < h->n);
    int rc = members_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    for (size_t k = 0; rc == 0 && k < h->n; k++) {
        rc = k != i ? edge_remove(s, &h->v[k], &h->v[i], e) : 0;
    }
    rc = rc != 0 ? rc : edges_add(s, h, i, e);
    return members_end(s, own, rc, e);
}
