#include "crypto/aead.h"

#include "base/check.h"
#include "crypto/hash.h"

#include <sodium.h>

#define HEAD (AEAD_NONCE_BYTES + AEAD_COMMIT_BYTES)

_Static_assert(AEAD_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(AEAD_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");

static const uint8_t nonce_zero[AEAD_NONCE_BYTES];

/* Key and commitment, 64 bytes; the caller wipes them. */
static void derive(const struct aead *a, const uint8_t *nonce, uint8_t k[64])
{
    struct hash ad;
    struct hasher h;
    hash_parts(&ad, &a->ad, 1);
    hasher_init(&h, bytes_of(a->key, KEY_BYTES), 64);
    hasher_update(&h, bytes_str(a->label));
    hasher_update(&h, bytes_of(nonce, AEAD_NONCE_BYTES));
    hasher_update(&h, bytes_of(ad.b, HASH_BYTES));
    hasher_final(&h, k, 64);
    mem_wipe(&h, sizeof h);
}

int aead_seal(const struct aead *a, const uint8_t nonce[AEAD_NONCE_BYTES], struct bytes plain,
              struct buf *out)
{
    uint8_t k[64];
    uint8_t *to;
    derive(a, nonce, k);
    (void)buf_append(out, nonce, AEAD_NONCE_BYTES);
    (void)buf_append(out, k + KEY_BYTES, AEAD_COMMIT_BYTES);
    to = buf_extend(out, plain.n + AEAD_TAG_BYTES);
    if (to)
        CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(to, NULL, plain.p, plain.n, a->ad.p, a->ad.n, NULL,
                                                         nonce_zero, k) == 0);
    mem_wipe(k, sizeof k);
    return out->err;
}

int aead_open(const struct aead *a, struct bytes sealed, struct buf *out)
{
    uint8_t k[64];
    size_t from = out->n;
    uint8_t *to;
    int rc = ERR_VERIFY;
    if (sealed.n < AEAD_EXTRA_BYTES)
        return ERR_FORMAT;
    derive(a, sealed.p, k);
    if (!secret_eq(k + KEY_BYTES, sealed.p + AEAD_NONCE_BYTES, AEAD_COMMIT_BYTES))
        goto out;
    to = buf_extend(out, sealed.n - AEAD_EXTRA_BYTES);
    if (!to && out->err) {
        rc = out->err;
        goto out;
    }
    rc = crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, sealed.p + HEAD, sealed.n - HEAD, a->ad.p,
                                                    a->ad.n, nonce_zero, k);
    SECRET_PUBLIC(&rc, sizeof rc); /* whether it opens: the caller acts on it */
    rc = rc == 0 ? 0 : ERR_VERIFY;
    if (rc)
        out->n = from;
out:
    mem_wipe(k, sizeof k);
    return rc;
}
