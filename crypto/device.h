/* A device's keys and the certificate that binds them.
 *
 * Three pairs, one for each use: Ed25519 signs, one X25519 pair is the Noise static key, another one opens
 * what is sealed to the device. The signing key is the identity: the device id is its hash, and it signs the
 * certificate that names the two others. Bytes of the certificate: crypto/KEYS.md.
 */
#ifndef CRYPTO_DEVICE_H
#define CRYPTO_DEVICE_H

#include "crypto/dh.h"
#include "crypto/sign.h"

struct device_keys {
    struct sign_key sign;
    struct dh_key noise, seal;
};

#define DEVICE_NAME_BYTES 64
/* version, suite, id, three keys, time, name with its length, signature */
#define DEVICE_CERT_BYTES_MAX (1 + 1 + 16 + 3 * 32 + 8 + 1 + DEVICE_NAME_BYTES + SIGN_BYTES)
/* version, suite, three secrets */
#define DEVICE_KEYS_BYTES (1 + 1 + 3 * KEY_BYTES)

struct device_cert {
    struct id device; /* device_id_of(sign_pk) */
    uint8_t sign_pk[SIGN_PK_BYTES];
    uint8_t noise_pk[KEY_BYTES];
    uint8_t seal_pk[KEY_BYTES];
    int64_t created_ms;               /* 0..LIMIT_TIME_MS_MAX */
    char name[DEVICE_NAME_BYTES + 1]; /* UTF-8 without control characters, 1..64 bytes */
};

void device_keys_make(struct device_keys *k, const struct rng *rng);
/* All three from 32 secret bytes: the keys of the recovery words, an offline member of the group. */
void device_keys_derive(struct device_keys *k, const uint8_t secret[KEY_BYTES]);
void device_keys_wipe(struct device_keys *k);
/* The three secrets, for the payload of the key file: DEVICE_KEYS_BYTES. Decoding reads exactly those;
 * ERR_FORMAT, ERR_VERSION. */
int device_keys_encode(const struct device_keys *k, struct buf *out) MUST_CHECK;
int device_keys_decode(struct bytes in, struct device_keys *k, struct err *e) MUST_CHECK;

void device_id_of(const uint8_t sign_pk[SIGN_PK_BYTES], struct id *out);

/* Appends a certificate of these keys. ERR_FORMAT when the name is empty, too long, no UTF-8 or holds control
 * characters; ERR_LIMIT when the time is out of range. */
int device_cert_make(const struct device_keys *k, struct bytes name, int64_t now_ms, struct buf *out,
                     struct err *e) MUST_CHECK;
/* Reads a certificate and checks all of it: form, id, signature, and that no key is of low order.
 * ERR_VERSION, ERR_FORMAT, ERR_LIMIT, ERR_VERIFY. A certificate has one encoding: equal content means equal
 * bytes. */
int device_cert_open(struct bytes in, struct device_cert *c, struct err *e) MUST_CHECK;

#endif
