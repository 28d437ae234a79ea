/* Ed25519 signatures (RFC 8032) with a purpose.
 *
 * What is signed is label ‖ BLAKE2b-512(message): the label says what kind of thing is signed, so that no
 * signature made for one purpose can pass for another; the hash has a fixed size, so label and message cannot
 * be taken for one another. Labels are constants of ours, listed in crypto/KEYS.md.
 */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "crypto/secret.h"

#define SIGN_PK_BYTES 32
#define SIGN_BYTES 64

struct sign_key {
    uint8_t seed[KEY_BYTES]; /* the secret */
    uint8_t pk[SIGN_PK_BYTES];
};

/* From 32 secret bytes, which may lie in k->seed. */
void sign_key_from_seed(struct sign_key *k, const uint8_t seed[KEY_BYTES]);

/* Signs label ‖ BLAKE2b-512(parts one after the other). */
void sign_make(const struct sign_key *k, const char *label, const struct bytes *parts, size_t n_parts,
               uint8_t sig[SIGN_BYTES]);
/* ERR_VERIFY, without a text: the caller knows what was signed. Keys of low order never verify. */
int sign_verify(const uint8_t pk[SIGN_PK_BYTES], const char *label, const struct bytes *parts, size_t n_parts,
                const uint8_t sig[SIGN_BYTES]) MUST_CHECK;

#endif
