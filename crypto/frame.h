/* Frames: sealed, signed runs of consecutive ops of one log. What the ops are does not
 * matter here: the body is bytes.
 *
 *   frame = header 148 ‖ body ‖ signature 64
 *   body  = sealed (crypto/aead.h, header as associated data): length u32 ‖ ops ‖ zeros up to the padded size
 *   signature: Ed25519 over label ‖ BLAKE2b-512(header ‖ BLAKE2b-256(body))
 *
 * Invariants:
 *   1. a frame has one encoding: the padding is what frame_padded says and holds zeros, the sizes agree, no
 * byte is free;
 *   2. header and signature verify without any secret, and with the body's hash in place of the body: a
 * holder that had to erase ops of the frame can still prove header and chain;
 *   3. sealing is deterministic: from header, nonce, ops and epoch key the same bytes come again, so they
 * need not be stored twice. Offsets and vectors: crypto/KEYS.md.
 */
#ifndef CRYPTO_FRAME_H
#define CRYPTO_FRAME_H

#include "base/limits.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#define FRAME_HEADER_BYTES 148u
#define FRAME_PAD_FLOOR 256u
/* Everything but the padded ops. */
#define FRAME_EXTRA_BYTES (FRAME_HEADER_BYTES + AEAD_EXTRA_BYTES + SIGN_BYTES)
#define FRAME_BYTES_MAX (FRAME_EXTRA_BYTES + LIMIT_FRAME_BODY_BYTES)
/* Ops of one frame: with their length, padded, at most LIMIT_FRAME_BODY_BYTES. */
#define FRAME_OPS_BYTES_MAX (LIMIT_FRAME_BODY_BYTES - 4u)

struct frame_header {
    uint16_t flags; /* meaning: sync/; unknown ones are kept */
    struct id group, log, device, epoch;
    uint64_t first;            /* seq of the first op, from 1 */
    uint32_t count;            /* 1..LIMIT_FRAME_OPS */
    struct hash before, after; /* the log's chain before its first and after its last op */
    uint32_t body_bytes;       /* filled by frame_seal and frame_decode */
};

/* Views into the bytes that were decoded. */
struct frame {
    struct frame_header header;
    struct bytes header_bytes, body, signature;
};

/* The size that n bytes are padded to: padmé (PURBs, 2019), at least FRAME_PAD_FLOOR. n <= 2^31. */
size_t frame_padded(size_t n);
/* What is sealed: length u32 ‖ content ‖ zeros, of the padded size. Starts `plain`, which the caller ends
 * with secret_buf_release() whatever the result. ERR_NOMEM. */
int frame_pad(struct bytes content, struct buf *plain) MUST_CHECK;
/* The content within, a view; ERR_FORMAT unless it is what frame_pad gives for it. */
int frame_unpad(struct bytes plain, struct bytes *content) MUST_CHECK;

/* Seals and signs: appends the whole frame. The header's body_bytes are set. ERR_LIMIT when ops are too long.
 */
struct frame_keys {
    const uint8_t *epoch; /* KEY_BYTES: what seals the frames of header.epoch */
    const struct sign_key *sign;
};
int frame_seal(struct frame_header *h, const struct frame_keys *k, const struct rng *rng, struct bytes ops,
               struct buf *out) MUST_CHECK;
/* The same frame again, from what is kept of it: nonce and signature. Not verified here. */
struct frame_kept {
    uint8_t nonce[AEAD_NONCE_BYTES];
    uint8_t signature[SIGN_BYTES];
};
int frame_again(struct frame_header *h, const uint8_t epoch_key[KEY_BYTES], const struct frame_kept *kept,
                struct bytes ops, struct buf *out) MUST_CHECK;
void frame_keep(const struct frame *f, struct frame_kept *out);

/* Header bytes: FRAME_HEADER_BYTES appended; decoded without any key. ERR_VERSION, ERR_FORMAT, ERR_LIMIT. */
void frame_header_encode(const struct frame_header *h, struct buf *out);
int frame_header_decode(struct bytes in, struct frame_header *h, struct err *e) MUST_CHECK;
/* A whole frame, nothing behind it: sizes and fields, no key needed. ERR_VERSION, ERR_FORMAT, ERR_LIMIT. */
int frame_decode(struct bytes in, struct frame *f, struct err *e) MUST_CHECK;
/* How many bytes a whole frame with this header has. */
size_t frame_bytes(const struct frame_header *h);

void frame_body_hash(const struct frame *f, struct hash *out);
/* The signature of the device that the header names; whose key that is, and whether it may write there, the
 * membership says. ERR_VERIFY. */
int frame_verify(const struct frame *f, const uint8_t sign_pk[SIGN_PK_BYTES], struct err *e) MUST_CHECK;
/* The same with the hash of a body that is no longer whole. */
int frame_verify_stripped(struct bytes header, const struct hash *body, const uint8_t signature[SIGN_BYTES],
                          const uint8_t sign_pk[SIGN_PK_BYTES]) MUST_CHECK;
/* Appends the ops. Call frame_verify first. ERR_VERIFY: another key, or altered; ERR_FORMAT: bad padding. */
int frame_open(const struct frame *f, const uint8_t epoch_key[KEY_BYTES], struct buf *ops,
               struct err *e) MUST_CHECK;

#endif
