/* Inside of frames: the content that is sealed, and the wire form.
 *
 *   content := for each op: length varint, then if it is above 0: salt 16 ‖ op, else: op hash 32
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

/* Appends one op; `bare`: its hash alone, whatever is known of it. */
void content_put(struct buf *b, const struct op_record *r, bool bare);
size_t content_size(const struct op_record *r);
/* Reads h->count ops of h->log into ops (room for all); hashes are computed, views borrowed. *bare counts
 * those that are a hash alone. ERR_FORMAT, ERR_LIMIT. */
int content_read(struct bytes content, const struct frame_header *h, struct op_record *ops, uint32_t *bare,
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
