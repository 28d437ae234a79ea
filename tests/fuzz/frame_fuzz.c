/* What comes in frames and in the membership log. The first byte chooses:
 *   0  a frame as it is: what decodes encodes to the same header
 *   1  a body to be sealed in a frame by a member: what opens is what a sealing of it gives
 *   2  a certificate
 *   3  a sealed or wrapped epoch key */
#include "crypto/device.h"
#include "crypto/epoch.h"
#include "crypto/frame.h"
#include "crypto/label.h"

#include "base/check.h"
#include "tests/support/rng.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[KEY_BYTES] = {1, 2, 3};

static void try_frame(struct bytes in)
{
    struct frame f;
    struct buf out;
    buf_init(&out, FRAME_BYTES_MAX);
    if (frame_decode(in, &f, NULL) == 0) {
        frame_header_encode(&f.header, &out);
        CHECK(bytes_eq(buf_view(&out), f.header_bytes) && in.n == frame_bytes(&f.header));
        CHECK(frame_verify(&f, key, NULL) == ERR_VERIFY);
        buf_clear(&out);
        if (frame_open(&f, key, &out, NULL) != 0)
            CHECK(out.n == 0);
    }
    buf_release(&out);
}

/* The plaintext of a frame, sealed by somebody who has the key and breaks the rules of padding. */
static void try_body(struct bytes plain)
{
    static const uint8_t nonce[AEAD_NONCE_BYTES];
    struct frame_header h = {.first = 1, .count = 1, .body_bytes = (uint32_t)(plain.n + AEAD_EXTRA_BYTES)};
    struct frame_kept kept = {{0}, {0}};
    struct buf header, frame, ops, again;
    struct frame f;
    buf_init(&header, FRAME_HEADER_BYTES);
    buf_init(&frame, FRAME_BYTES_MAX);
    buf_init(&ops, FRAME_BYTES_MAX);
    buf_init(&again, FRAME_BYTES_MAX);
    frame_header_encode(&h, &header);
    CHECK(buf_bytes(&frame, buf_view(&header)) == 0);
    CHECK(aead_seal(&(struct aead){key, LABEL_SEAL_FRAME, buf_view(&header)}, nonce, plain, &frame) == 0);
    CHECK(buf_append(&frame, kept.signature, SIGN_BYTES) == 0);
    if (frame_decode(buf_view(&frame), &f, NULL) == 0 && frame_open(&f, key, &ops, NULL) == 0) {
        CHECK(frame_again(&h, key, &kept, buf_view(&ops), &again) == 0);
        CHECK(bytes_eq(buf_view(&again), buf_view(&frame)));
    }
    buf_release(&header);
    buf_release(&frame);
    buf_release(&ops);
    buf_release(&again);
}

static void try_cert(struct bytes in)
{
    struct device_cert c;
    struct device_keys k;
    if (device_cert_open(in, &c, NULL) == 0)
        CHECK(strlen(c.name) > 0 && strlen(c.name) <= DEVICE_NAME_BYTES && c.created_ms >= 0);
    else
        CHECK(secret_is_zero(&c, sizeof c));
    if (device_keys_decode(in, &k, NULL) == 0)
        device_keys_wipe(&k);
}

static void try_epoch(struct bytes in)
{
    struct epoch_binding b = {.group = {{1}}};
    struct epoch_link l = {.group = {{1}}};
    struct dh_key member;
    uint8_t got[KEY_BYTES];
    dh_key_from_secret(&member, key);
    epoch_id(key, &b.epoch);
    if (epoch_unseal(&b, in, &member, got, NULL) == 0)
        CHECK(secret_eq(got, key, sizeof got));
    else
        CHECK(secret_is_zero(got, sizeof got));
    CHECK(epoch_unwrap(&l, in, key, got, NULL) != 0 && secret_is_zero(got, sizeof got));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct bytes rest = bytes_slice(in, 1, SIZE_MAX);
    switch (size > 0 ? data[0] % 4 : 0) {
    case 0:
        try_frame(rest);
        break;
    case 1:
        if (rest.n <= LIMIT_FRAME_BODY_BYTES)
            try_body(rest);
        break;
    case 2:
        try_cert(rest);
        break;
    default:
        try_epoch(rest);
    }
    return 0;
}
