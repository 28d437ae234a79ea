/* The content of an errand and of its answer (store/FORMAT.md, Errands): pure functions between bytes and
 * what they say. What is read comes from another device, that may be of another version or ill: it is bounded
 * and checked, all of it, before anything is made of it. */
#ifndef NODE_INFER_ERRAND_BODY_H
#define NODE_INFER_ERRAND_BODY_H

#include "node/infer/work.h"

#define ERRAND_SEALED_MAX 49152u /* of both, sealed; it fits an op */
#define ERRAND_PAD 256u
#define ERRAND_CLAIMS_MAX 256u
/* No more of a field travels than a prompt shows, and as much as it takes to see that it was cut. */
#define ERRAND_FIELD_BYTES (PROMPT_FIELD_BYTES + 4u)
#define ERRAND_TEXT_BYTES (PROMPT_OBSERVATION_BYTES + 4u)

struct errand_head {
    struct id errand, sender;
};

/* How many bytes an observation takes, at most; SIZE_MAX: it is none that can be handed over. */
size_t errand_cost(const struct stored_observation *o);
/* Whether one of this many bytes still fits behind those of `before` (0: it is the first). */
bool errand_fits(size_t before, size_t cost);
/* Appends the content; remote[i]: it may go to an endpoint on another machine. ERR_LIMIT, ERR_NOMEM. */
int errand_put(const struct errand_head *h, const struct work *w, const bool *remote,
               struct buf *out) MUST_CHECK;
/* What is read of one, by place. Views into the content. */
struct errand_items {
    struct stored_observation v[BATCH_MAX]; /* row: its place; no ext_id */
    bool guarded[BATCH_MAX], remote[BATCH_MAX];
    size_t n;
};
/* ERR_VERSION: of a later version; ERR_FORMAT, ERR_LIMIT. */
int errand_read(struct bytes content, struct errand_head *h, struct errand_items *out) MUST_CHECK;

/* A claim that rests on observations of an errand. */
struct answer_claim {
    struct id prop;
    bool worded; /* its words do */
    uint8_t n, place[BATCH_MAX];
    bool against[BATCH_MAX];
};
int answer_put(const struct id *errand, const struct answer_claim *claims, size_t n,
               struct buf *out) MUST_CHECK;
/* `n_places`: how many observations the errand had. fn returns 0 to go on. The whole is checked first. */
int answer_read(struct bytes content, const struct id *errand, size_t n_places,
                int (*fn)(void *ctx, const struct answer_claim *c), void *ctx) MUST_CHECK;

#endif
