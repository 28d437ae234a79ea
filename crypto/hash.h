/* BLAKE2b, the one hash of this project (RFC 7693), through libsodium. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/bytes.h"
#include "base/clock.h"

#define HASH_BYTES 32

struct hash {
    uint8_t b[HASH_BYTES];
};

/* A running hash; initialise with hasher_init, finish with hasher_final, no release needed. */
struct hasher {
    _Alignas(64) uint8_t state[384];
};

/* out_len 16..64. key: empty (unkeyed) or 16..64 bytes; a shorter one is our bug and asserted. */
void hasher_init(struct hasher *h, struct bytes key, size_t out_len);
void hasher_update(struct hasher *h, struct bytes b);
/* Writes out_len bytes as given to hasher_init. */
void hasher_final(struct hasher *h, uint8_t *out, size_t out_len);

/* BLAKE2b-256 over the concatenation of parts. */
void hash_parts(struct hash *out, const struct bytes *parts, size_t n_parts);

/* Must be called once before anything else in crypto/. 0 or ERR_IO. */
int crypt_start(void) MUST_CHECK;
/* The operating system's randomness, buffered; wiped after use. For node/ to pass downwards. */
struct rng rng_system(void);

#endif
