/* Work for a language model: a batch of observations, and where batches come from. The pipeline
 * (node/infer/think.h) does not care whether they were observed here (node/infer/queue.h) or on another
 * device. */
#ifndef NODE_INFER_WORK_H
#define NODE_INFER_WORK_H

#include "node/model/adopt.h"

struct work {
    struct stored_observation v[BATCH_MAX]; /* views owned by `text` */
    struct id devices[BATCH_MAX];           /* that observed each */
    bool guarded[BATCH_MAX];                /* the user's norms are to be asked about it */
    size_t n;
    int64_t upto;   /* for the source */
    bool too_large; /* why it failed: smaller ones may do */
    struct buf text;
};
void work_init(struct work *w);
void work_release(struct work *w);
void work_clear(struct work *w);
/* Copies an observation; at most BATCH_MAX. Views are set by work_finish(). */
int work_add(struct work *w, const struct stored_observation *o, const struct id *device,
             bool guarded) MUST_CHECK;
void work_finish(struct work *w);
/* Leaves out the i-th. */
void work_drop(struct work *w, size_t i);
/* Appends the names of its sources, each once, newline separated. */
void work_sources(const struct work *w, struct buf *out);

struct work_source {
    /* The next batch into *out (emptied), the same one until done() or failed(): durable before this returns.
     * out->n stays 0 when there is none; *next_ms (wall): when there will be without anything new; TIME_NONE.
     * hurry: one that is not full is not waited for. */
    int (*take)(void *ctx, bool hurry, struct work *out, int64_t *next_ms, struct err *e);
    /* Whether all of it is still there: false when some was erased since. */
    int (*holds)(void *ctx, const struct work *w, bool *out, struct err *e);
    /* It is worked off: in the transaction that writes what came of it. */
    int (*done)(void *ctx, const struct work *w, struct err *e);
    /* Its answer was unusable; *given_up: it was so often that it is left. One that was too large is given
     * out again in parts. In a transaction of the caller. */
    int (*failed)(void *ctx, const struct work *w, bool *given_up, struct err *e);
    /* A proposition that is being written rests on observations of another device; in the transaction that
     * ends with done(). NULL: nobody wants to know. */
    int (*rests)(void *ctx, const struct rests_on *r, struct err *e);
    void *ctx;
};

#endif
