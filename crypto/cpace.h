/* CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21: a strong key from a short code that both people know.
 * Who does not know the code gets one guess for each run, and cannot test others afterwards.
 *
 * Initiator-responder setting only. A run: cpace_start on both sides, exchange the shares, cpace_finish.
 */
#ifndef CRYPTO_CPACE_H
#define CRYPTO_CPACE_H

#include "crypto/secret.h"

#define CPACE_SHARE_BYTES 32
#define CPACE_ISK_BYTES 64
#define CPACE_FIELD_BYTES 256 /* at most, for each of the inputs below */

struct cpace_input {
    struct bytes prs; /* the code */
    struct bytes ci;  /* channel identifier: what both sides know of the channel */
    struct bytes sid; /* session id, fresh for each run */
};

struct cpace {
    uint8_t y[32];                    /* the secret scalar */
    uint8_t share[CPACE_SHARE_BYTES]; /* Y, to be sent */
    uint8_t sid[CPACE_FIELD_BYTES];
    size_t sid_n;
};

/* What one side contributes to the transcript. */
struct cpace_side {
    const uint8_t *share; /* CPACE_SHARE_BYTES */
    struct bytes ad;      /* associated data */
};

/* Fields longer than CPACE_FIELD_BYTES are our bug (asserted). */
void cpace_start(struct cpace *c, const struct cpace_input *in, const struct rng *rng);
/* The intermediate session key. `initiator` and `responder` are both sides in that order; c->share must be
 * one of the two, the other is the peer's. ERR_VERIFY when the peer's share is no valid point or the result
 * is the identity, or when it is our own share come back. Wipes c in any case. */
int cpace_finish(struct cpace *c, const struct cpace_side *initiator, const struct cpace_side *responder,
                 uint8_t isk[CPACE_ISK_BYTES]) MUST_CHECK;
void cpace_wipe(struct cpace *c);

#endif
