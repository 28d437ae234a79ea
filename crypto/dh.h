/* X25519 (RFC 7748): key pairs and the shared secret. Public keys are not checked on their own; a result of
 * all zeros, which is what keys of low order give, is refused where it appears. */
#ifndef CRYPTO_DH_H
#define CRYPTO_DH_H

#include "crypto/secret.h"

struct dh_key {
    uint8_t sk[KEY_BYTES]; /* the secret */
    uint8_t pk[KEY_BYTES];
};

/* From 32 secret bytes, which may lie in k->sk. */
void dh_key_from_secret(struct dh_key *k, const uint8_t sk[KEY_BYTES]);
void dh_key_make(struct dh_key *k, const struct rng *rng);
/* ERR_VERIFY when pk is of low order; out is then zeros. */
int dh_shared(const struct dh_key *own, const uint8_t pk[KEY_BYTES], uint8_t out[KEY_BYTES]) MUST_CHECK;

#endif
