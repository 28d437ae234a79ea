/* What sync/ keeps in the store beside the ops: the records of the membership log, what is left of frames
 * once their ops are appended, and the frames that were refused. All opaque here; none of it is part of the
 * dump, since two devices with the same model may have come by it in different frames.
 *
 * Reading functions see what the open transaction wrote. Writing functions are part of it or make their own.
 */
#ifndef STORE_MEMBERS_H
#define STORE_MEMBERS_H

#include "crypto/frame.h"
#include "store/store.h"

/* Frames kept with their reason; when there are more, the oldest goes. */
#define QUARANTINE_MAX 256
#define QUARANTINE_REASON_BYTES 159u

/* A run of writes that must be whole: begins a transaction unless one is open (*own says which), and ends it:
 * commits, or rolls back when rc is negative. Returns rc or the error of the commit. */
int members_begin(struct store *s, bool *own, struct err *e) MUST_CHECK;
int members_end(struct store *s, bool own, int rc, struct err *e) MUST_CHECK;

/* Records, in the order of adding; one that is there already stays. */
int members_add(struct store *s, const struct hash *hash, struct bytes record, struct err *e) MUST_CHECK;
int members_each(struct store *s, int (*fn)(void *ctx, const struct hash *hash, struct bytes record),
                 void *ctx, struct err *e) MUST_CHECK;
/* Drops records, frames and quarantine. */
int members_clear(struct store *s, struct err *e) MUST_CHECK;

/* What is kept of a frame. */
struct frame_row {
    struct id log;
    uint64_t first, last;
    uint32_t bare;          /* ops that were a hash alone when it was sealed */
    bool whole;             /* it came whole, and can be made again while no more of its ops are erased */
    struct bytes header;    /* FRAME_HEADER_BYTES; borrowed until the next call on the same store */
    struct hash body;       /* of the sealed body */
    struct frame_kept kept; /* the nonce is zeros unless `whole` */
};
/* Keeps a frame; those of the same log that lie within it go. */
int frame_rows_put(struct store *s, const struct frame_row *row, struct err *e) MUST_CHECK;
/* Drops the frames of a log that lie within first..last. */
int frame_rows_drop(struct store *s, const struct id *log, uint64_t first, uint64_t last,
                    struct err *e) MUST_CHECK;
/* The frame of a log that holds the op behind seq `after`, the shortest of several; of a log that branched, or
 * is a branch, row->log may be another one of the same root. `header` receives the
 * header bytes and row->header views it. ERR_NOTFOUND. */
int frame_rows_at(struct store *s, const struct id *log, uint64_t after, uint8_t header[FRAME_HEADER_BYTES],
                  struct frame_row *row, struct err *e) MUST_CHECK;
/* Frames of a log, the one with the highest seq first; fn returns 1 to stop. */
int frame_rows_back(struct store *s, const struct id *log, int (*fn)(void *ctx, const struct frame_row *row),
                    void *ctx, struct err *e) MUST_CHECK;

/* Head of one log: seq 0 and the start of the chain when there is nothing of it. */
int store_log_head(struct store *s, const struct id *log, uint64_t *seq, struct hash *chain,
                   struct err *e) MUST_CHECK;

struct quarantine_row {
    struct id log, device;
    uint64_t first, count;
    int64_t time_ms;
    struct bytes reason; /* UTF-8; cut at QUARANTINE_REASON_BYTES */
};
/* One for each (log, first): a new one replaces it. */
int quarantine_put(struct store *s, const struct quarantine_row *row, struct err *e) MUST_CHECK;
int quarantine_each(struct store *s, int (*fn)(void *ctx, const struct quarantine_row *row), void *ctx,
                    struct err *e) MUST_CHECK;
/* Those of a log that begin at or below seq: its ops came after all. */
int quarantine_drop(struct store *s, const struct id *log, uint64_t seq, struct err *e) MUST_CHECK;

#endif
