/* Maximal marginal relevance (Carbonell and Goldstein 1998): each next result is the one with the highest
 * LAMBDA·relevance − (1 − LAMBDA)·(highest similarity to one chosen already). Similarity is the cosine of
 * TF-IDF vectors over the index's own terms; the pool stands for the collection. Ties go to the higher score,
 * then the lower row. */
#include "base/map.h"
#include "node/model/rank_int.h"
#include "store/search.h"

#include <math.h>
#include <stdlib.h>

#define LAMBDA 0.7
/* Terms looked at of one proposition. */
#define TERMS_MAX 64

struct term {
    uint32_t id;
    float weight;
};
struct vector {
    struct term v[TERMS_MAX]; /* ascending by id */
    size_t n;
};
struct vectors {
    struct vector *v;
    size_t n;
    struct map *ids; /* term → id + 1 */
    uint32_t *documents;
    struct vector *now;
};

static int term_note(void *ctx, struct bytes term)
{
    struct vectors *x = ctx;
    bool fresh;
    struct map_slot *slot = map_add(x->ids, term, &fresh);
    if (slot == NULL)
        return ERR_NOMEM;
    if (fresh)
        slot->v.num = map_count(x->ids);
    uint32_t id = (uint32_t)slot->v.num - 1;
    for (size_t i = 0; i < x->now->n; i++) {
        if (x->now->v[i].id == id) {
            x->now->v[i].weight += 1;
            return 0;
        }
    }
    if (x->now->n < TERMS_MAX)
        x->now->v[x->now->n++] = (struct term){id, 1};
    return 0;
}

static int term_compare(const void *pa, const void *pb)
{
    const struct term *a = pa, *b = pb;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void vector_scale(const struct vectors *x, struct vector *v)
{
    double norm = 0;
    for (size_t i = 0; i < v->n; i++) {
        double idf = log(1 + (double)x->n / x->documents[v->v[i].id]);
        v->v[i].weight = (float)((1 + log((double)v->v[i].weight)) * idf);
        norm += (double)v->v[i].weight * (double)v->v[i].weight;
    }
    for (size_t i = 0; i < v->n && norm > 0; i++)
        v->v[i].weight = (float)((double)v->v[i].weight / sqrt(norm));
    qsort(v->v, v->n, sizeof v->v[0], term_compare);
}

static int vectors_make(struct vectors *x, struct store *s, const struct ranked *v)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < x->n; i++) {
        x->now = &x->v[i];
        rc = search_terms(s, v[i].p.text, true, term_note, x);
    }
    x->documents = calloc(map_count(x->ids) + 1, sizeof *x->documents);
    if (x->documents == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < x->n; i++) {
        for (size_t k = 0; k < x->v[i].n; k++)
            x->documents[x->v[i].v[k].id]++;
    }
    for (size_t i = 0; rc == 0 && i < x->n; i++)
        vector_scale(x, &x->v[i]);
    return rc;
}

static double cosine(const struct vector *a, const struct vector *b)
{
    double sum = 0;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        if (a->v[i].id == b->v[k].id)
            sum += (double)a->v[i++].weight * (double)b->v[k++].weight;
        else if (a->v[i].id < b->v[k].id)
            i++;
        else
            k++;
    }
    return sum;
}

static bool better(const struct ranked *a, double mmr_a, const struct ranked *b, double mmr_b)
{
    if (mmr_a < mmr_b || mmr_a > mmr_b)
        return mmr_a > mmr_b;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score;
    return a->p.row < b->p.row;
}

/* Picks one after the other; `nearest` holds each candidate's highest similarity to what was picked, −1 once
 * it is itself. */
static void pick(const struct vectors *x, const struct ranked *v, double *nearest, size_t *order, size_t max)
{
    for (size_t k = 0; k < max; k++) {
        size_t best = SIZE_MAX;
        double best_mmr = 0;
        for (size_t i = 0; i < x->n; i++) {
            double mmr = LAMBDA * v[i].score - (1 - LAMBDA) * nearest[i];
            if (nearest[i] >= 0 && (best == SIZE_MAX || better(&v[i], mmr, &v[best], best_mmr))) {
                best = i;
                best_mmr = mmr;
            }
        }
        order[k] = best;
        nearest[best] = -1;
        for (size_t i = 0; i < x->n; i++) {
            double near = nearest[i] < 0 ? -1 : cosine(&x->v[i], &x->v[best]);
            nearest[i] = near > nearest[i] ? near : nearest[i];
        }
    }
}

int mmr_order(struct store *s, const struct ranked *v, size_t n, size_t *order, size_t max)
{
    struct vectors x = {.n = n, .ids = map_new(), .v = calloc(n + 1, sizeof(struct vector))};
    double *nearest = calloc(n + 1, sizeof *nearest);
    int rc = x.ids == NULL || x.v == NULL || nearest == NULL ? ERR_NOMEM : vectors_make(&x, s, v);
    if (rc == 0)
        pick(&x, v, nearest, order, max < n ? max : n);
    map_free(x.ids);
    free(x.v);
    free(x.documents);
    free(nearest);
    return rc;
}
