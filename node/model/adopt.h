/* Adopt: what the stages found is written, in the caller's transaction, as replicated data; no other device
 * derives it again.
 *
 * Evidence of a model's claims is a set of occasions, one for each day and source (and device, where the
 * source is one that only one device sees), named the same whichever device thought about it and whatever
 * claim it stands behind: an observation that two devices had thought about counts once, also when their
 * claims are joined, and evidence that moves to a revision is the same evidence. Local links say which
 * observations, for `why`.
 *
 * Never: over what the user had a word in; on a forgotten id; with a claim that contradicts the user's words;
 * evidence from text that a model wrote. */
#ifndef NODE_MODEL_ADOPT_H
#define NODE_MODEL_ADOPT_H

#include "base/map.h"
#include "node/model/calibrate.h"
#include "node/model/claim.h"
#include "node/model/revise.h"

/* What was thought about. */
struct thought_of {
    const struct stored_observation *v;
    const struct id *devices; /* that observed each */
    size_t n;                 /* at most BATCH_MAX */
    struct id here;           /* this device: only its observations can be linked */
};
/* The occasion that an observation stands for. */
void occasion_of(struct bytes claim_secret, const struct stored_observation *o, const struct id *device,
                 uint8_t out[16]);

/* A proposition and the observations of other devices that it rests on. */
struct rests_on {
    const struct id *prop;
    const struct claim_link *v;
    size_t n;
    bool worded; /* its words do */
};

struct adopt_env {
    struct store *store;
    const struct rng *rng;
    struct bytes claim_secret;
    struct bytes origin; /* "endpoint:<model>" */
    int64_t now_ms;
    /* Told what of other devices a proposition rests on; may be NULL. */
    int (*rests)(void *ctx, const struct rests_on *r, struct err *e);
    void *rests_ctx;
};
struct adopt_input {
    const struct thought_of *of;
    const struct proposals *c;
    const struct knowns *k;
    const struct relations *r;
    const struct revisions *v; /* emptied when there was nothing to revise */
};
struct adopt_summary {
    uint64_t added, raised, lowered, revised;
};
int adopt(const struct adopt_env *env, const struct adopt_input *in, struct adopt_summary *sum,
          struct err *e) MUST_CHECK;

/* Whether what was shown is what is held: no known one forgotten, reworded or taken up by the user since. */
int knowns_hold(struct store *s, const struct knowns *k, bool *out, struct err *e) MUST_CHECK;

/* What another device said that `prop` rests on: links to rows of this device, and, where its words rest on
 * them, that they do. One that is not there any more is left alone. In a transaction. */
int adopt_link(struct store *s, const struct rests_on *r, struct err *e) MUST_CHECK;
/* Its words rest on what was erased here meanwhile: forgotten, unless the user has a word in it. In a
 * transaction. */
int adopt_unlearn(struct store *s, const struct id *prop, struct err *e) MUST_CHECK;
/* Observations were erased: claims whose wording rests on one of them are dropped, since their words cannot
 * be taken apart; the caller forgets what is dropped. `touched`: ids (keys) that had links to them. In a
 * transaction. */
int adopt_erased(struct store *s, const struct map *touched, const int64_t *rows, size_t n,
                 struct err *e) MUST_CHECK;

#endif
