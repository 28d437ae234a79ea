/* libsodium's detached Ed25519: it refuses keys and commitments of low order and scalars that are not
 * reduced. */
#include "crypto/sign.h"

#include "base/check.h"
#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

#define LABEL_MAX 64
#define DIGEST 64

/* label ‖ BLAKE2b-512(parts). */
struct signed_text {
    uint8_t b[LABEL_MAX + DIGEST];
    size_t n;
};

static void compose(struct signed_text *t, const char *label, const struct bytes *parts, size_t n_parts)
{
    struct hasher h;
    size_t n = strlen(label);
    CHECK(n > 0 && n <= LABEL_MAX);
    memcpy(t->b, label, n);
    hasher_init(&h, BYTES_NONE, DIGEST);
    for (size_t i = 0; i < n_parts; i++)
        hasher_update(&h, parts[i]);
    hasher_final(&h, t->b + n, DIGEST);
    t->n = n + DIGEST;
}

void sign_key_from_seed(struct sign_key *k, const uint8_t seed[KEY_BYTES])
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    memmove(k->seed, seed, KEY_BYTES);
    CHECK(crypto_sign_seed_keypair(k->pk, sk, k->seed) == 0);
    SECRET_PUBLIC(k->pk, SIGN_PK_BYTES); /* a public key */
    mem_wipe(sk, sizeof sk);
}

void sign_make(const struct sign_key *k, const char *label, const struct bytes *parts, size_t n_parts,
               uint8_t sig[SIGN_BYTES])
{
    struct signed_text t;
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    compose(&t, label, parts, n_parts);
    memcpy(sk, k->seed, KEY_BYTES);
    memcpy(sk + KEY_BYTES, k->pk, SIGN_PK_BYTES);
    CHECK(crypto_sign_detached(sig, NULL, t.b, t.n, sk) == 0);
    mem_wipe(sk, sizeof sk);
}

int sign_verify(const uint8_t pk[SIGN_PK_BYTES], const char *label, const struct bytes *parts, size_t n_parts,
                const uint8_t sig[SIGN_BYTES])
{
    struct signed_text t;
    compose(&t, label, parts, n_parts);
    return crypto_sign_verify_detached(sig, t.b, t.n, pk) == 0 ? 0 : ERR_VERIFY;
}
