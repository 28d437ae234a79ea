/* Inside of frames: the content that is sealed, and the wire form.
 *
 *   plain   := for each op: length varint, then if it is above 0: salt 16 ‖ op, else: op hash 32
 *   content := 1 ‖ plain, packed (frames_pack.c) | 0 ‖ plain, if that does not go or is too long
 *   wire    := 1 ‖ frame (crypto/frame.h)
 *            | 2 ‖ header ‖ body hash 32 ‖ signature ‖ epoch 16 ‖ sealed content, padded as a frame's
 */
#ifndef SYNC_FRAMES_INT_H
#define SYNC_FRAMES_INT_H

#include "store/members.h"
#include "sync/frames.h"

#define WIRE_FULL 1
#define WIRE_STRIPPED 2
#define WIRE_FULL_EXTRA (1 + FRAME_EXTRA_BYTES)
#define WIRE_STRIPPED_EXTRA (1 + FRAME_HEADER_BYTES + HASH_BYTES + SIGN_BYTES + ID_BYTES + AEAD_EXTRA_BYTES)

#define CONTENT_PLAIN 0
#define CONTENT_PACKED 1
/* The author ended the frame because it was full; only its own bundling looks at it. */
#define FRAME_FLAG_FULL 1u

/* Appends one op to the plain form; `bare`: its hash alone, whatever is known of it. */
void content_put(struct buf *b, const struct op_record *r, bool bare);
size_t content_size(const struct op_record *r);
/* Reads h->count ops of h->log into ops (room for all); hashes are computed, views borrowed. *bare counts
 * those that are a hash alone. ERR_FORMAT, ERR_LIMIT. */
int content_read(struct bytes plain, const struct frame_header *h, struct op_record *ops, uint32_t *bare,
                 struct err *e) MUST_CHECK;

/* The content of a frame by `device` from its plain form, at most FRAME_PLAIN_MAX bytes, into an empty
 * buffer. ERR_NOMEM alone, for FRAME_CONTENT_MAX bytes are enough. */
int content_pack(struct bytes plain, const struct id *device, struct buf *out) MUST_CHECK;
/* The other way, into an empty buffer of at most FRAME_PLAIN_MAX bytes. ERR_VERSION: a form of a later build;
 * ERR_FORMAT, ERR_LIMIT: not what content_pack() gives for any plain form. */
int content_unpack(struct bytes content, const struct id *device, struct buf *plain,
                   struct err *e) MUST_CHECK;

/* A frame in wire form, taken apart; views of it. */
struct wire {
    bool stripped;
    struct frame_header header;
    struct bytes header_bytes, signature;
    struct hash body;
    struct frame frame; /* full */
    struct id epoch;    /* stripped: what it is sealed under on the way */
    struct bytes ad, sealed;
};
int wire_read(struct bytes in, struct wire *w, struct err *e) MUST_CHECK;
/* Appends the content. ERR_VERIFY, ERR_FORMAT, ERR_NOMEM. */
int wire_open(const struct wire *w, const uint8_t key[KEY_BYTES], struct buf *content,
              struct err *e) MUST_CHECK;
/* Appends the stripped form of a frame that is kept as `row`. */
struct wire_seal {
    struct id epoch;
    const uint8_t *key;
    const struct rng *rng;
};
int wire_strip(const struct frame_row *row, const struct wire_seal *seal, struct bytes content,
               struct buf *out) MUST_CHECK;

#endif
