/* Scoring, and the list that results live in.
 *
 *   relevance = words + NEAR·near + EVIDENCE·evidence + SCOPED (in scope)
 *   score     = relevance (of at most 1) × (FLOOR + (1 − FLOOR) · probability · recency)
 *
 * words is BM25 over the proposition, 1 for the best. Where the query has a vector, words and near are
 * reciprocal ranks, 1/(1 + rank/RANK_HALF), so that a cosine is never compared with a BM25; nor are two BM25
 * scales: evidence goes by reciprocal rank, too.
 *
 * Confidence and recency are soft: a doubtful or old claim about what was asked beats a sure one about
 * something else. The constants were chosen on the training topics of tests/eval/retrieval_eval.c; its
 * figures are in tests/eval/RETRIEVAL.md. */
#include "node/model/rank_int.h"

#include <stdlib.h>

#define NEAR 1.0
#define EVIDENCE 0.3
#define SCOPED 0.05
#define FLOOR 0.6

#define LIST_BYTES_MAX ((size_t)256 << 20)

void ranked_list_init(struct ranked_list *l)
{
    *l = (struct ranked_list){0};
    buf_init(&l->text, LIST_BYTES_MAX);
}

void ranked_list_release(struct ranked_list *l)
{
    free(l->v);
    buf_release(&l->text);
    *l = (struct ranked_list){0};
}

static int list_grow(struct ranked_list *l)
{
    /* Room for a power of two: grows when the count is one. */
    if (l->n != 0 && (l->n & (l->n - 1)) != 0)
        return 0;
    struct ranked *v = realloc(l->v, (l->n == 0 ? 1 : l->n * 2) * sizeof *v);
    if (v == NULL)
        return ERR_NOMEM;
    l->v = v;
    return 0;
}

struct ranked *ranked_list_add(struct ranked_list *l, const struct prop *p, int64_t at_ms)
{
    const struct bytes texts[] = {p->text, p->reasoning, p->scope, p->origin};
    for (size_t i = 0; i < 4; i++)
        (void)buf_bytes(&l->text, texts[i]);
    if (l->text.err != 0 || list_grow(l) != 0)
        return NULL;
    struct ranked *r = &l->v[l->n++];
    *r = (struct ranked){.p = *p, .probability = prop_probability(p), .recency = prop_recency(p, at_ms)};
    r->confidence = probability_score(r->probability);
    r->score = r->probability * r->recency;
    r->faded = r->score < SHOW_MIN && !(p->flags & PROP_PINNED);
    r->ended = prop_ended(p, at_ms);
    return r;
}

void ranked_list_finish(struct ranked_list *l)
{
    const uint8_t *at = l->text.p;
    for (size_t i = 0; i < l->n; i++) {
        struct bytes *const views[] = {&l->v[i].p.text, &l->v[i].p.reasoning, &l->v[i].p.scope,
                                       &l->v[i].p.origin};
        for (size_t k = 0; k < 4; k++) {
            views[k]->p = at;
            at = at == NULL ? NULL : at + views[k]->n;
        }
    }
}

double rank_score(const struct relevance *r, const struct ranked *p)
{
    double near = r->vectors ? NEAR : 0;
    double relevance = r->words + near * r->near + EVIDENCE * r->evidence + (r->scoped ? SCOPED : 0);
    double strength = p->probability * p->recency;
    return relevance / (1 + near + EVIDENCE + SCOPED) * (FLOOR + (1 - FLOOR) * strength);
}
