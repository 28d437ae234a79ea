#include "crypto/epoch.h"

#include "base/check.h"
#include "base/cursor.h"
#include "crypto/hash.h"
#include "crypto/label.h"

#include <string.h>

#define VERSION 1
#define SUITE 1
#define SEALED_PLAIN_BYTES (EPOCH_SEALED_BYTES - SEAL_EXTRA_BYTES)

void epoch_make(const struct rng *rng, uint8_t key[KEY_BYTES])
{
    rng_fill(rng, key, KEY_BYTES);
}

void epoch_id(const uint8_t key[KEY_BYTES], struct id *out)
{
    struct hasher h;
    hasher_init(&h, bytes_of(key, KEY_BYTES), ID_BYTES);
    hasher_update(&h, BYTES_LIT(LABEL_EPOCH_ID));
    hasher_final(&h, out->b, ID_BYTES);
    SECRET_PUBLIC(out->b, ID_BYTES); /* it names the key in the open */
    mem_wipe(&h, sizeof h);
}

static bool is_key_of(const uint8_t key[KEY_BYTES], const struct id *id)
{
    struct id own;
    epoch_id(key, &own);
    return id_eq(&own, id);
}

/* Buffers with secrets come from secret_buf_init; running out of memory there is the one error besides. */
int epoch_seal(const struct epoch_binding *b, const uint8_t key[KEY_BYTES], const uint8_t seal_pk[KEY_BYTES],
               const struct rng *rng, struct buf *out)
{
    struct buf plain;
    int rc;
    CHECK(is_key_of(key, &b->epoch));
    rc = secret_buf_init(&plain, SEALED_PLAIN_BYTES);
    if (rc)
        return rc;
    wr_u8(&plain, VERSION);
    wr_u8(&plain, SUITE);
    wr_bytes(&plain, bytes_of(b->group.b, ID_BYTES));
    wr_bytes(&plain, bytes_of(b->epoch.b, ID_BYTES));
    wr_bytes(&plain, bytes_of(b->recipient.b, ID_BYTES));
    wr_bytes(&plain, bytes_of(key, KEY_BYTES));
    CHECK(plain.n == SEALED_PLAIN_BYTES);
    rc = seal_to(seal_pk, rng, buf_view(&plain), out);
    secret_buf_release(&plain);
    return rc;
}

static int check_version(uint8_t version, uint8_t suite, struct err *e)
{
    if (version == VERSION && suite == SUITE)
        return 0;
    if (version == 0 || suite == 0)
        return err_set(e, ERR_FORMAT, "epoch key has version 0");
    return err_set(e, ERR_VERSION, "epoch key has version %u, suite %u", version, suite);
}

static int read_binding(struct bytes plain, const struct epoch_binding *b, uint8_t *key, struct err *e)
{
    struct rd r;
    struct epoch_binding in;
    uint8_t version, suite;
    int rc;
    rd_init(&r, plain);
    version = rd_u8(&r);
    suite = rd_u8(&r);
    SECRET_PUBLIC(&version, sizeof version); /* of something that opened, and the same for all */
    SECRET_PUBLIC(&suite, sizeof suite);
    rd_copy(&r, in.group.b, ID_BYTES);
    rd_copy(&r, in.epoch.b, ID_BYTES);
    rd_copy(&r, in.recipient.b, ID_BYTES);
    rd_copy(&r, key, KEY_BYTES);
    rc = check_version(version, suite, e);
    if (rc)
        return rc;
    SECRET_PUBLIC(&in, sizeof in); /* ids are public, and this was authenticated */
    if (rd_end(&r))
        return err_set(e, ERR_FORMAT, "sealed epoch key has a wrong size");
    if (!id_eq(&in.group, &b->group) || !id_eq(&in.epoch, &b->epoch) || !id_eq(&in.recipient, &b->recipient))
        return err_set(e, ERR_VERIFY, "sealed epoch key is for another group, epoch or device");
    if (!is_key_of(key, &b->epoch))
        return err_set(e, ERR_VERIFY, "sealed epoch key is not the key of that epoch");
    return 0;
}

int epoch_unseal(const struct epoch_binding *b, struct bytes sealed, const struct dh_key *own,
                 uint8_t key[KEY_BYTES], struct err *e)
{
    struct buf plain;
    int rc;
    memset(key, 0, KEY_BYTES);
    if (sealed.n != EPOCH_SEALED_BYTES)
        return err_set(e, ERR_FORMAT, "sealed epoch key has a wrong size");
    rc = secret_buf_init(&plain, SEALED_PLAIN_BYTES);
    if (rc)
        return err_set(e, rc, "opening an epoch key");
    rc = seal_open(own, sealed, &plain);
    rc = rc ? err_set(e, rc, "sealed epoch key cannot be opened") : read_binding(buf_view(&plain), b, key, e);
    secret_buf_release(&plain);
    if (rc)
        mem_wipe(key, KEY_BYTES);
    return rc;
}

/* What a wrapped key is bound to: version, suite, group, the epoch that wraps, the one that is wrapped. */
#define WRAP_AD_BYTES (2 + 3 * ID_BYTES)

static void wrap_ad(const struct epoch_link *l, const uint8_t key[KEY_BYTES], uint8_t ad[WRAP_AD_BYTES])
{
    struct id id;
    epoch_id(key, &id);
    ad[0] = VERSION;
    ad[1] = SUITE;
    memcpy(ad + 2, l->group.b, ID_BYTES);
    memcpy(ad + 2 + ID_BYTES, id.b, ID_BYTES);
    memcpy(ad + 2 + 2 * (size_t)ID_BYTES, l->previous.b, ID_BYTES);
}

int epoch_wrap(const struct id *group, const uint8_t key[KEY_BYTES], const uint8_t previous[KEY_BYTES],
               const struct rng *rng, struct buf *out)
{
    uint8_t ad[WRAP_AD_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
    struct epoch_link l = {.group = *group};
    epoch_id(previous, &l.previous);
    wrap_ad(&l, key, ad);
    rng_fill(rng, nonce, sizeof nonce);
    wr_u8(out, VERSION);
    wr_u8(out, SUITE);
    return aead_seal(&(struct aead){key, LABEL_SEAL_EPOCH, bytes_of(ad, sizeof ad)}, nonce,
                     bytes_of(previous, KEY_BYTES), out);
}

static int unwrap(const struct epoch_link *l, struct bytes sealed, const uint8_t *key, uint8_t *previous)
{
    uint8_t ad[WRAP_AD_BYTES];
    struct buf plain;
    int rc = secret_buf_init(&plain, KEY_BYTES);
    if (rc)
        return rc;
    wrap_ad(l, key, ad);
    rc = aead_open(&(struct aead){key, LABEL_SEAL_EPOCH, bytes_of(ad, sizeof ad)}, sealed, &plain);
    if (!rc && !is_key_of(plain.p, &l->previous))
        rc = ERR_VERIFY;
    if (!rc)
        memcpy(previous, plain.p, KEY_BYTES);
    secret_buf_release(&plain);
    return rc;
}

int epoch_unwrap(const struct epoch_link *l, struct bytes wrapped, const uint8_t key[KEY_BYTES],
                 uint8_t previous[KEY_BYTES], struct err *e)
{
    int rc;
    memset(previous, 0, KEY_BYTES);
    if (wrapped.n != EPOCH_WRAPPED_BYTES)
        return err_set(e, ERR_FORMAT, "wrapped epoch key has a wrong size");
    rc = check_version(wrapped.p[0], wrapped.p[1], e);
    if (rc)
        return rc;
    rc = unwrap(l, bytes_slice(wrapped, 2, SIZE_MAX), key, previous);
    return rc ? err_set(e, rc, "wrapped epoch key cannot be opened") : 0;
}
