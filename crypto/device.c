/* Keys and certificates. Decoding checks the cheap things first; nothing is in *c when it fails. */
#include "crypto/device.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/label.h"

#include <string.h>

#define VERSION 1
#define SUITE 1

void device_keys_make(struct device_keys *k, const struct rng *rng)
{
    rng_fill(rng, k->sign.seed, KEY_BYTES);
    sign_key_from_seed(&k->sign, k->sign.seed);
    dh_key_make(&k->noise, rng);
    dh_key_make(&k->seal, rng);
}

void device_keys_derive(struct device_keys *k, const uint8_t secret[KEY_BYTES])
{
    key_derive(secret, LABEL_KEY_SIGN, BYTES_NONE, k->sign.seed);
    key_derive(secret, LABEL_KEY_NOISE, BYTES_NONE, k->noise.sk);
    key_derive(secret, LABEL_KEY_SEAL, BYTES_NONE, k->seal.sk);
    sign_key_from_seed(&k->sign, k->sign.seed);
    dh_key_from_secret(&k->noise, k->noise.sk);
    dh_key_from_secret(&k->seal, k->seal.sk);
}

void device_keys_wipe(struct device_keys *k)
{
    mem_wipe(k, sizeof *k);
}

int device_keys_encode(const struct device_keys *k, struct buf *out)
{
    wr_u8(out, VERSION);
    wr_u8(out, SUITE);
    wr_bytes(out, bytes_of(k->sign.seed, KEY_BYTES));
    wr_bytes(out, bytes_of(k->noise.sk, KEY_BYTES));
    wr_bytes(out, bytes_of(k->seal.sk, KEY_BYTES));
    return out->err;
}

static int check_version(struct rd *r, const char *what, struct err *e)
{
    uint8_t version = rd_u8(r);
    uint8_t suite = rd_u8(r);
    if (r->err)
        return err_set(e, ERR_FORMAT, "%s is cut short", what);
    if (version == VERSION && suite == SUITE)
        return 0;
    if (version == 0 || suite == 0)
        return err_set(e, ERR_FORMAT, "%s has version 0", what);
    return err_set(e, ERR_VERSION, "%s has version %u, suite %u", what, version, suite);
}

int device_keys_decode(struct bytes in, struct device_keys *k, struct err *e)
{
    struct rd r;
    int rc;
    rd_init(&r, in);
    rc = check_version(&r, "device keys", e);
    if (rc)
        return rc;
    rd_copy(&r, k->sign.seed, KEY_BYTES);
    rd_copy(&r, k->noise.sk, KEY_BYTES);
    rd_copy(&r, k->seal.sk, KEY_BYTES);
    if (rd_end(&r)) {
        device_keys_wipe(k);
        return err_set(e, ERR_FORMAT, "device keys have a wrong size");
    }
    sign_key_from_seed(&k->sign, k->sign.seed);
    dh_key_from_secret(&k->noise, k->noise.sk);
    dh_key_from_secret(&k->seal, k->seal.sk);
    return 0;
}

void device_id_of(const uint8_t sign_pk[SIGN_PK_BYTES], struct id *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, ID_BYTES);
    hasher_update(&h, BYTES_LIT(LABEL_DEVICE_ID));
    hasher_update(&h, bytes_of(sign_pk, SIGN_PK_BYTES));
    hasher_final(&h, out->b, ID_BYTES);
}

static bool is_control(int32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

static int check_name(struct bytes name, struct err *e)
{
    size_t at = 0;
    if (name.n == 0)
        return err_set(e, ERR_FORMAT, "device name is empty");
    if (name.n > DEVICE_NAME_BYTES)
        return err_set(e, ERR_FORMAT, "device name has %zu bytes, at most %d", name.n, DEVICE_NAME_BYTES);
    while (at < name.n) {
        int32_t cp = utf8_next(name, &at);
        if (cp < 0 || is_control(cp))
            return err_set(e, ERR_FORMAT, "device name holds a control character or is no UTF-8");
    }
    return 0;
}

static int check_time(int64_t ms, struct err *e)
{
    if (ms < 0 || ms > LIMIT_TIME_MS_MAX)
        return err_set(e, ERR_LIMIT, "time of a device certificate is out of range");
    return 0;
}

int device_cert_make(const struct device_keys *k, struct bytes name, int64_t now_ms, struct buf *out,
                     struct err *e)
{
    size_t from = out->n;
    uint8_t sig[SIGN_BYTES];
    struct id id;
    struct bytes text;
    int rc = check_name(name, e);
    if (!rc)
        rc = check_time(now_ms, e);
    if (rc)
        return rc;
    device_id_of(k->sign.pk, &id);
    wr_u8(out, VERSION);
    wr_u8(out, SUITE);
    wr_bytes(out, bytes_of(id.b, ID_BYTES));
    wr_bytes(out, bytes_of(k->sign.pk, SIGN_PK_BYTES));
    wr_bytes(out, bytes_of(k->noise.pk, KEY_BYTES));
    wr_bytes(out, bytes_of(k->seal.pk, KEY_BYTES));
    wr_u64(out, (uint64_t)now_ms);
    wr_u8(out, (uint8_t)name.n);
    wr_bytes(out, name);
    if (out->err)
        return err_set(e, out->err, "making a device certificate");
    text = bytes_slice(buf_view(out), from, SIZE_MAX);
    sign_make(&k->sign, LABEL_SIGN_CERT, &text, 1, sig);
    return buf_append(out, sig, sizeof sig) ? err_set(e, out->err, "making a device certificate") : 0;
}

/* A key of low order gives zeros with any secret. */
static bool is_usable(const uint8_t pk[KEY_BYTES])
{
    static const uint8_t any[KEY_BYTES] = {1};
    struct dh_key probe = {{0}, {0}};
    uint8_t shared[KEY_BYTES];
    memcpy(probe.sk, any, KEY_BYTES);
    return dh_shared(&probe, pk, shared) == 0;
}

/* Fields up to the signature, in the order of the encoding. */
static int read_fields(struct rd *r, struct device_cert *c, struct err *e)
{
    struct bytes name;
    uint64_t created;
    rd_copy(r, c->device.b, ID_BYTES);
    rd_copy(r, c->sign_pk, SIGN_PK_BYTES);
    rd_copy(r, c->noise_pk, KEY_BYTES);
    rd_copy(r, c->seal_pk, KEY_BYTES);
    created = rd_u64(r);
    name = rd_bytes(r, rd_u8(r));
    if (r->err || rd_left(r) != SIGN_BYTES)
        return err_set(e, ERR_FORMAT, "device certificate has a wrong size");
    c->created_ms = created > INT64_MAX ? -1 : (int64_t)created;
    if (check_time(c->created_ms, e))
        return ERR_LIMIT;
    if (check_name(name, e))
        return ERR_FORMAT;
    memset(c->name, 0, sizeof c->name);
    memcpy(c->name, name.p, name.n);
    return 0;
}

static int verify(const struct device_cert *c, struct bytes text, const uint8_t *sig, struct err *e)
{
    struct id id;
    device_id_of(c->sign_pk, &id);
    if (!id_eq(&id, &c->device))
        return err_set(e, ERR_VERIFY, "device id does not belong to the key of its certificate");
    if (sign_verify(c->sign_pk, LABEL_SIGN_CERT, &text, 1, sig))
        return err_set(e, ERR_VERIFY, "signature of a device certificate is wrong");
    if (!is_usable(c->noise_pk) || !is_usable(c->seal_pk))
        return err_set(e, ERR_VERIFY, "device certificate names a key that is none");
    return 0;
}

int device_cert_open(struct bytes in, struct device_cert *c, struct err *e)
{
    struct rd r;
    struct bytes text;
    int rc;
    *c = (struct device_cert){0};
    rd_init(&r, in);
    rc = check_version(&r, "device certificate", e);
    if (!rc)
        rc = read_fields(&r, c, e);
    if (!rc) {
        text = bytes_slice(in, 0, in.n - SIGN_BYTES);
        rc = verify(c, text, in.p + text.n, e);
    }
    if (rc)
        *c = (struct device_cert){0};
    return rc;
}
