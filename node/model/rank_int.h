/* Inside of retrieval: building result lists, scoring and diversity. */
#ifndef NODE_MODEL_RANK_INT_H
#define NODE_MODEL_RANK_INT_H

#include "node/model/retrieve.h"

/* Adds a proposition with what can be computed from it alone; its texts are copied. Views are wrong until
 * ranked_list_finish(). NULL when out of memory. */
struct ranked *ranked_list_add(struct ranked_list *l, const struct prop *p, int64_t at_ms);
/* Points the views into the list's text. */
void ranked_list_finish(struct ranked_list *l);

/* A candidate's relevance. */
struct relevance {
    double words;    /* BM25 of the proposition, 1 = the best of this query; 0 not found. By reciprocal rank
                        when there are vectors */
    double near;     /* by reciprocal rank among the nearest vectors; 0 not among them */
    double evidence; /* the same for the best of the observations it rests on, by reciprocal rank */
    bool scoped, pinned;
    bool vectors; /* the query had one */
};
/* Relevance × confidence × recency (see rank.c). */
double rank_score(const struct relevance *r, const struct ranked *p);

/* Maximal marginal relevance: the order of at most max of the n candidates, best first, into order. Scores in
 * [0, 1]. */
int mmr_order(struct store *s, const struct ranked *v, size_t n, size_t *order, size_t max) MUST_CHECK;

#endif
