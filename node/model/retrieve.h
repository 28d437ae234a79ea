/* Retrieve and list: which propositions answer a query, best first: relevance (BM25 over the proposition,
 * fused by reciprocal rank with the nearest vectors and with BM25 over the observations it rests on) ×
 * recency × confidence, then maximal marginal relevance; pinned and scoped ones do not depend on word
 * overlap. */
#ifndef NODE_MODEL_RETRIEVE_H
#define NODE_MODEL_RETRIEVE_H

#include "node/model/kinds.h"

struct ranked {
    struct prop p; /* views owned by the result list */
    double probability, recency, score;
    int confidence; /* 0..10 */
    bool faded;     /* below SHOW_MIN, not pinned */
    bool ended;     /* its validity was over at that time */
};
struct ranked_list {
    struct ranked *v;
    size_t n;
    uint64_t older;  /* model_list: left out because faded, ended, dropped, superseded or at confidence 0 */
    uint64_t total;  /* model_list: how many it would list without max */
    struct buf text; /* owns the views */
};
void ranked_list_init(struct ranked_list *l);
void ranked_list_release(struct ranked_list *l);

struct retrieve_query {
    struct bytes text;
    const struct bytes *context; /* earlier turns, oldest first; count less */
    size_t n_context;
    const float *vector; /* of the text, for the vectors that the store has open; NULL: words alone */
    struct bytes scope;  /* propositions of this scope come in without word overlap; empty: none */
    size_t max;          /* results; 1..1000 */
    int64_t at_ms;       /* "now" for recency */
    bool all;            /* faded, dropped and rejected ones too */
};
int retrieve(struct store *s, const struct retrieve_query *q, struct ranked_list *out,
             struct err *e) MUST_CHECK;

struct list_filter {
    size_t max; /* 0: no limit */
    int64_t at_ms;
    bool all;
    struct bytes kind; /* kind name, empty = all */
    struct bytes scope;
};
/* What `show` lists: pinned first, then by probability × recency. */
int model_list(struct store *s, const struct list_filter *f, struct ranked_list *out,
               struct err *e) MUST_CHECK;
/* The one proposition, as a list of one. ERR_NOTFOUND. */
int model_one(struct store *s, const struct id *id, int64_t at_ms, struct ranked_list *out,
              struct err *e) MUST_CHECK;

#endif
