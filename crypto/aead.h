/* The one way in which this project seals bytes under a symmetric key (frames; used for wrapped
 * epoch keys and the key file too).
 *
 *   k[64] = BLAKE2b-512(key = key, label ‖ nonce24 ‖ BLAKE2b-256(ad))
 *   sealed = nonce 24 ‖ commitment 32 = k[32..63] ‖ XChaCha20-Poly1305-IETF(k[0..31], nonce 0, ad, plain)
 *
 * XChaCha20-Poly1305 alone does not commit to its key: one ciphertext can be made to open under two keys. The
 * commitment is compared first, in constant time, so a sealed thing has one key and one content. The same
 * key, label, nonce, ad and plaintext always give the same bytes.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "crypto/secret.h"

#define AEAD_NONCE_BYTES 24
#define AEAD_COMMIT_BYTES 32
#define AEAD_TAG_BYTES 16
#define AEAD_EXTRA_BYTES (AEAD_NONCE_BYTES + AEAD_COMMIT_BYTES + AEAD_TAG_BYTES)

struct aead {
    const uint8_t *key; /* KEY_BYTES */
    const char *label;  /* names the use; a constant of ours */
    struct bytes ad;    /* authenticated, not sealed */
};

/* Appends plain.n + AEAD_EXTRA_BYTES. The nonce must never be used twice with one key, unless all else is the
 * same too; 24 random bytes are enough. */
int aead_seal(const struct aead *a, const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes plain,
              struct buf *out) MUST_CHECK;
/* Appends the plaintext. ERR_FORMAT when too short, ERR_VERIFY when anything differs; out is then as before.
 */
int aead_open(const struct aead *a, struct bytes sealed, struct buf *out) MUST_CHECK;

#endif
