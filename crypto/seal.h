/* Sealing to a device's public key: libsodium's sealed box (X25519, XSalsa20-Poly1305), opened with
 * crypto_box_seal_open as it is; made here because the ephemeral key comes from the rng given.
 * It hides and protects the content, and says nothing of who sealed it: what carries it must be signed. */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "crypto/dh.h"

#define SEAL_EXTRA_BYTES 48

/* Appends plain.n + SEAL_EXTRA_BYTES. ERR_VERIFY when pk is of low order. */
int seal_to(const uint8_t pk[KEY_BYTES], const struct rng *rng, struct bytes plain,
            struct buf *out) MUST_CHECK;
/* Appends the content. ERR_FORMAT, ERR_VERIFY. */
int seal_open(const struct dh_key *own, struct bytes sealed, struct buf *out) MUST_CHECK;

#endif
