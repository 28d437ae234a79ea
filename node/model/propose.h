/* Propose: what a batch of observations says about the user. One question for the whole batch. The model
 * reasons first, then words the claim, then says how sure it is and how long it stays true, and names the
 * observations that support and that contradict it.
 *
 * A claim is kept only when it is about the user, cites at least one supporting observation that was shown
 * and none that was not, and its texts are plain and within limits. A bad claim costs itself; an answer of
 * another shape, or with more claims than asked for, is rejected as a whole. A claim made twice is one. */
#ifndef NODE_MODEL_PROPOSE_H
#define NODE_MODEL_PROPOSE_H

#include "node/model/prompt.h"

#define BATCH_MIN 5u
#define BATCH_MAX 50u
#define PROPOSALS_MAX 20u

struct proposal {
    struct bytes text, reasoning; /* owned by the list */
    uint8_t confidence, decay;    /* as stated, 1..10 */
    uint64_t support, against;    /* bit i: observation i of the batch */
};
struct proposals {
    struct proposal v[PROPOSALS_MAX];
    size_t n;
    unsigned rejected; /* claims that were not kept */
    struct buf text;
};
void proposals_init(struct proposals *l);
void proposals_release(struct proposals *l);

extern const char propose_schema[];
/* Fills p (initialised) with the question about `n` observations, 1..BATCH_MAX. */
void propose_ask(struct prompt *p, const struct stored_observation *v, size_t n);
/* The claims of an answer to it into out (initialised, emptied). ERR_FORMAT, ERR_LIMIT, ERR_NOMEM. */
int propose_read(const struct prompt *p, size_t n, struct bytes answer, struct proposals *out,
                 struct err *e) MUST_CHECK;

#endif
