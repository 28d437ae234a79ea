/* A sealed box: ephemeral public key 32 ‖ box; its nonce is BLAKE2b-192(ephemeral ‖ recipient). */
#include "crypto/seal.h"

#include "base/check.h"
#include "crypto/hash.h"

#include <sodium.h>

_Static_assert(SEAL_EXTRA_BYTES == crypto_box_SEALBYTES, "sealed box");

static void make_nonce(const uint8_t *ephemeral, const uint8_t *recipient,
                       uint8_t nonce[crypto_box_NONCEBYTES])
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, crypto_box_NONCEBYTES);
    hasher_update(&h, bytes_of(ephemeral, KEY_BYTES));
    hasher_update(&h, bytes_of(recipient, KEY_BYTES));
    hasher_final(&h, nonce, crypto_box_NONCEBYTES);
}

int seal_to(const uint8_t pk[KEY_BYTES], const struct rng *rng, struct bytes plain, struct buf *out)
{
    struct dh_key e;
    uint8_t k[crypto_box_BEFORENMBYTES];
    uint8_t nonce[crypto_box_NONCEBYTES];
    uint8_t *to;
    int rc = ERR_VERIFY;
    dh_key_make(&e, rng);
    if (crypto_box_beforenm(k, pk, e.sk) != 0)
        goto out;
    make_nonce(e.pk, pk, nonce);
    (void)buf_append(out, e.pk, KEY_BYTES);
    to = buf_extend(out, plain.n + crypto_box_MACBYTES);
    if (to)
        CHECK(crypto_box_easy_afternm(to, plain.p, plain.n, nonce, k) == 0);
    rc = out->err;
out:
    mem_wipe(&e, sizeof e);
    mem_wipe(k, sizeof k);
    return rc;
}

int seal_open(const struct dh_key *own, struct bytes sealed, struct buf *out)
{
    size_t from = out->n;
    uint8_t *to;
    if (sealed.n < SEAL_EXTRA_BYTES)
        return ERR_FORMAT;
    to = buf_extend(out, sealed.n - SEAL_EXTRA_BYTES);
    if (!to && out->err)
        return out->err;
    int rc = crypto_box_seal_open(to, sealed.p, sealed.n, own->pk, own->sk);
    SECRET_PUBLIC(&rc, sizeof rc); /* whether it opens: the caller acts on it */
    if (rc == 0)
        return 0;
    out->n = from;
    return ERR_VERIFY;
}
