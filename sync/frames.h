/* Frames: runs of consecutive ops of one log, sealed and signed by the log's author (crypto/frame.h).
 *
 * What is kept of a frame once its ops are in the store is its header, nonce, signature and body hash
 * (store/members.h); its bytes are made again from the ops when another device asks: encoding, padding and
 * sealing are deterministic, so the author's signature still holds. When an op's body has been erased
 * meanwhile, or the reader has not been given the epoch's key (history withheld), the frame travels
 * *stripped*: header, signature, body hash, and each op as its bytes or its hash alone, sealed under the
 * current epoch. The signature covers header ‖ BLAKE2b-256(body), and the header carries the chain before the
 * first and after the last op: so the receiver still verifies who wrote the run, and that no op of it was
 * changed or left out. Bytes: sync/PROTOCOL.md.
 */
#ifndef SYNC_FRAMES_H
#define SYNC_FRAMES_H

#include "sync/group.h"

#define FRAME_OPS 128u           /* in bulk; fewer when the bytes run out */
#define FRAME_OPS_MAX 1024u      /* that a receiver takes */
#define FRAME_CONTENT_MAX 61436u /* what is sealed in one frame */
#define FRAME_PLAIN_MAX                                                                                      \
    (FRAME_CONTENT_MAX - 1) /* its ops before they are packed; one of LIMIT_OP_BYTES fits */
/* A frame in wire form, full or stripped: fits one Noise message with room for what goes around it. */
#define FRAME_WIRE_MAX 61800u

struct frames_env {
    struct store *store;
    struct group *group;
    const struct device_keys *keys;
    const struct rng *rng;
};

/* Makes frames for the ops of this device's logs that have none yet, up to their heads; a run of small ones
 * that has come to a bulk one is bundled anew. Logs of this device that the group does not know yet are
 * opened (now_ms dates the record). To be called before sending. ERR_ATTENTION: see group_epoch(). */
int frames_seal(const struct frames_env *f, int64_t now_ms, struct err *e) MUST_CHECK;

/* The frame of `log` that holds the op behind seq `after`, in wire form, appended to out; *last gets its last
 * seq. ERR_NOTFOUND: none; ERR_LIMIT: it takes more than `room` bytes (never when room >= FRAME_WIRE_MAX);
 * ERR_ATTENTION: it must be stripped, and there is no current epoch. */
struct frame_want {
    struct id log;
    uint64_t after;
    size_t room;
    const struct id *reader; /* who gets it; NULL: whoever can open it */
};
int frames_next(const struct frames_env *f, const struct frame_want *w, struct buf *out, uint64_t *last,
                struct err *e) MUST_CHECK;

/* Takes a frame in wire form: group, author, epoch, signature, seal, chain and every op are checked before
 * the first is appended; those held already are skipped when they agree. The caller has a transaction open;
 * it is unchanged by a refusal (but not by an error of storage). What was read of the header is in *out even
 * then. ERR_FORMAT, ERR_LIMIT, ERR_VERSION  not a frame, or not one that this build knows ERR_VERIFY another
 * group, signature, seal, chain, an author who may not write, an op that counts for another device (all to be
 * quarantined); `forked`: the store holds other ops at these seqs, or no branch that is known begins with
 * them ERR_NOTFOUND  ops before it are missing
 * (`gap`), or its epoch, log or key is not known (yet) ERR_EXISTS    all of it is held */
struct frame_result {
    struct id log, device;
    uint64_t first, count;
    uint64_t ops; /* new ones */
    bool late;    /* from a device that has been removed, below its cut-off */
    bool forked, gap;
    bool exact; /* forked: `fork` says where; else it parts from what is here before the frame begins */
    struct log_fork fork;
};
int frames_receive(const struct frames_env *f, struct bytes wire, struct frame_result *out,
                   struct err *e) MUST_CHECK;

#endif
