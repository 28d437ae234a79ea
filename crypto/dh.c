#include "crypto/dh.h"

#include "base/check.h"

#include <sodium.h>
#include <string.h>

void dh_key_from_secret(struct dh_key *k, const uint8_t sk[KEY_BYTES])
{
    memmove(k->sk, sk, KEY_BYTES);
    CHECK(crypto_scalarmult_base(k->pk, k->sk) == 0);
    SECRET_PUBLIC(k->pk, KEY_BYTES); /* a public key */
}

void dh_key_make(struct dh_key *k, const struct rng *rng)
{
    rng_fill(rng, k->sk, KEY_BYTES);
    dh_key_from_secret(k, k->sk);
}

int dh_shared(const struct dh_key *own, const uint8_t pk[KEY_BYTES], uint8_t out[KEY_BYTES])
{
    int rc = crypto_scalarmult(out, own->sk, pk);
    SECRET_PUBLIC(&rc, sizeof rc); /* whether the other's key is of low order, which it knows */
    if (rc == 0)
        return 0;
    memset(out, 0, KEY_BYTES);
    return ERR_VERIFY;
}
