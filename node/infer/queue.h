/* The queue of this device's own observations that wait to be thought about. It is durable and holds no copy
 * of them: a position, the highest row that was thought about, and the rows of the batch that is being
 * thought about with its number of failures, both small local values. Since an observation's row is given in
 * the transaction that stores it, it waits from that moment; one that is erased is gone from the queue with
 * it.
 *
 * A batch is a run of rows: it ends at BATCH_MAX, or from BATCH_MIN on where the source changes or more than
 * QUEUE_GAP_MS lie between two; sources that must not be shown to the model are passed over. One that is not
 * closed that way waits QUEUE_SETTLE_MS for more, one below BATCH_MIN as long as `think.wait` says.
 *
 * A batch that was too large for the model is cut to its first half, and none has more rows from then on.
 *
 * While another device thinks for all, batches are gathered for it instead, of what may travel
 * (node/infer/consent.h). What may not is passed over, too, but where this device has a model of its own it
 * waits for the day that it thinks itself (node/infer/again.h). */
#ifndef NODE_INFER_QUEUE_H
#define NODE_INFER_QUEUE_H

#include "node/infer/consent.h"
#include "node/infer/work.h"

#define QUEUE_GAP_MS (30 * MS_MINUTE)
#define QUEUE_SETTLE_MS (2 * MS_MINUTE)
#define QUEUE_FAILURES_MAX 3

struct queue {
    struct store *store;
    const struct clock *clock;
    struct id device;
    bool (*remote)(void *ctx); /* the model is not on this machine */
    void *remote_ctx;
    bool no_model; /* none is set here: only what may travel is ever thought about */
    size_t most;   /* in a batch, since a larger one was too large; 0: BATCH_MAX. Set to 0 to try anew */
};

/* As a source of work; ctx is q. */
struct work_source queue_source(struct queue *q);
/* Nothing was ever thought about here: begins with what is observed from now on. In the transaction of the
 * caller, or its own. */
int queue_begin(struct store *s, struct err *e) MUST_CHECK;
/* Everything held waits again. */
int queue_rewind(struct store *s, struct err *e) MUST_CHECK;
/* Rows from `row` on were just added, in the caller's transaction: those of erased observations are given
 * again, and must wait again. */
int queue_added(struct store *s, int64_t row, struct err *e) MUST_CHECK;
/* The batch that was given out, if any, waits again: this device does not think any more. */
int queue_yield(struct queue *q, struct err *e) MUST_CHECK;
/* How many wait. */
int queue_waiting(struct queue *q, uint64_t *out, struct err *e) MUST_CHECK;

/* A batch for another device; no more than fits an errand (node/infer/errand_body.h). */
struct gathered {
    bool to_remote, hurry; /* in: that device's endpoint is remote; as in take */
    bool again;            /* in: what waits again is looked at first */
    struct work w;
    bool remote[BATCH_MAX]; /* consented for an endpoint on another machine */
    int64_t next_ms;        /* as in take */
    bool from_again;
    struct buf rows; /* what is to wait again, beside or in place of what did */
};
void gathered_init(struct gathered *g);
void gathered_release(struct gathered *g);
/* Changes nothing but that what is neither to travel nor to wait is passed over. g->w.n stays 0 when there is
 * none. */
int queue_gather(struct queue *q, struct gathered *g, struct err *e) MUST_CHECK;
/* It was handed over: takes it off the queue, in that transaction. */
int queue_given(struct queue *q, struct gathered *g, struct err *e) MUST_CHECK;
/* Of a row that was given out: whether it is still there and may still travel there. */
struct queue_row {
    int64_t row;
    uint8_t key[16];
    bool here, may_go, may_go_remote; /* out */
};
int queue_rows_look(struct queue *q, struct queue_row *v, size_t n, struct err *e) MUST_CHECK;

/* `endpoint.sources`: a line NAME (may be shown to the model), -NAME (may not), * (all others may). Without a
 * line that lets some in: all, when the model is on this machine; none, when it is not. */
int endpoint_sources_check(struct bytes value, struct err *e) MUST_CHECK;
bool endpoint_source_allowed(struct bytes setting, struct bytes source, bool remote);
/* `audit.context`: names, one a line; * for all. */
int source_lines_check(struct bytes value, struct err *e) MUST_CHECK;
bool source_listed(struct bytes setting, struct bytes source);
/* `think.wait`: a duration. */
int think_wait_check(struct bytes value, struct err *e) MUST_CHECK;

#endif
