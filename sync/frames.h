/* Frames: runs of consecutive ops of one log, sealed and signed by the log's author (crypto/frame.h). What is kept of a frame once its ops are in the store is its header, nonce, signature and body hash (store's
 * frame table); its bytes are made again from the ops when another device asks: encoding, padding and AEAD are deterministic, so the author's signature still holds. When a body has been erased or superseded meanwhile, the
 * frame travels *stripped*: header, body hash, signature, and for each op its bytes or only its hash. The signature covers header ‖ BLAKE2b-256(body), and the header carries the chain before the first and after the
 * last op, so a receiver of a stripped frame still verifies who wrote the run and that no op of it was changed or left out (DESIGN §3.3, §10.4).
 */
#ifndef SYNC_FRAMES_H
#define SYNC_FRAMES_H

#include "sync/group.h"

#define FRAME_OPS 128      /* in bulk; fewer when the bytes run out */
#define FRAME_OPS_MAX 1024
#define FRAME_BODY_MAX 60000u

struct frames_env {
    struct store *store;
    struct group *group;
    const struct device_keys *keys;
    const struct rng *rng;
};

/* Makes frames for ops of our own log that have none yet, up to the head; small live frames that together fill a bulk one are re-bundled. Called before sending. */
int frames_seal(const struct frames_env *f, struct err *e) MUST_CHECK;

/* The next frame of `log` behind seq `after`, in wire form (full or stripped), appended to out; *last gets its last seq. ERR_NOTFOUND: none. `room`: bytes it may take. */
int frames_next(const struct frames_env *f, const struct id *log, uint64_t after, size_t room, struct buf *out, uint64_t *last, struct err *e) MUST_CHECK;

/* Takes a frame in wire form: checks group, author, epoch, signature, opens it, checks the chain against what the store holds, appends its ops (those held already are skipped when they agree). The caller has a transaction open.
 * *ops counts new ones. ERR_VERIFY (signature, seal, chain, an author who may not write), ERR_FORMAT, ERR_NOTFOUND (a gap, an unknown epoch or log), ERR_EXISTS (all held). */
struct frame_result {
    struct id log, device;
    uint64_t first, count, ops;
    bool late;   /* written concurrently with its author's removal, below the cut-off */
    bool forked; /* the store holds other ops at these seqs: nothing was taken */
};
int frames_receive(const struct frames_env *f, struct bytes wire, struct frame_result *out, struct err *e) MUST_CHECK;

#endif
