/* What `show` lists. Two passes: all rows are weighed without their texts, then those shown are read. */
#include "base/limits.h"
#include "node/model/rank_int.h"

#include <stdlib.h>

struct weighed {
    int64_t row;
    double strength;
    bool pinned;
};
struct listing {
    const struct list_filter *f;
    struct buf rows; /* struct weighed */
    uint64_t older;
};

static bool wanted(const struct list_filter *f, const struct prop *p)
{
    if (f->kind.n > 0 && !bytes_eq(f->kind, bytes_str(kind_info(p->kind)->name)))
        return false;
    return f->scope.n == 0 || bytes_eq(f->scope, p->scope);
}

static int weigh(void *ctx, const struct prop *p)
{
    struct listing *l = ctx;
    if (!wanted(l->f, p))
        return 0;
    double probability = prop_probability(p);
    struct weighed w = {p->row, probability * prop_recency(p, l->f->at_ms), (p->flags & PROP_PINNED) != 0};
    bool gone = (p->flags & (PROP_REJECTED | PROP_DROPPED | PROP_SUPERSEDED)) != 0 ||
                probability_score(probability) == 0;
    if (!l->f->all && (gone || (w.strength < SHOW_MIN && !w.pinned))) {
        l->older++;
        return 0;
    }
    return buf_append(&l->rows, &w, sizeof w);
}

static int weighed_compare(const void *pa, const void *pb)
{
    const struct weighed *a = pa, *b = pb;
    if (a->pinned != b->pinned)
        return a->pinned ? -1 : 1;
    if (a->strength < b->strength || a->strength > b->strength)
        return a->strength > b->strength ? -1 : 1;
    return a->row < b->row ? 1 : a->row > b->row ? -1 : 0; /* the newer first */
}

static int read_rows(struct store *s, const struct listing *l, struct ranked_list *out, struct err *e)
{
    const struct weighed *v = (const struct weighed *)(const void *)l->rows.p;
    size_t n = l->rows.n / sizeof *v;
    if (l->f->max > 0 && n > l->f->max)
        n = l->f->max;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct prop p;
        rc = store_prop_row(s, v[i].row, &p, e);
        if (rc == 0 && ranked_list_add(out, &p, l->f->at_ms) == NULL)
            rc = err_set(e, ERR_NOMEM, "listing propositions");
    }
    ranked_list_finish(out);
    return rc;
}

int model_list(struct store *s, const struct list_filter *f, struct ranked_list *out, struct err *e)
{
    struct listing l = {.f = f};
    buf_init(&l.rows, (size_t)256 << 20);
    int rc = store_props(s, PROP_MERGED, weigh, &l, e);
    if (rc == ERR_LIMIT || rc == ERR_NOMEM)
        rc = err_set(e, rc, "listing propositions");
    if (rc == 0 && l.rows.n > 0)
        qsort(l.rows.p, l.rows.n / sizeof(struct weighed), sizeof(struct weighed), weighed_compare);
    if (rc == 0)
        rc = read_rows(s, &l, out, e);
    out->older = l.older;
    out->total = l.rows.n / sizeof(struct weighed);
    buf_release(&l.rows);
    return rc;
}

int model_one(struct store *s, const struct id *id, int64_t at_ms, struct ranked_list *out, struct err *e)
{
    struct prop p;
    int rc = store_prop(s, id, false, &p, e);
    if (rc == 0 && ranked_list_add(out, &p, at_ms) == NULL)
        rc = err_set(e, ERR_NOMEM, "reading a proposition");
    ranked_list_finish(out);
    return rc;
}
