/* Thinking: the second backend of inference, a language model as a pipeline on the node's loop. A batch of
 * observations passes through audit by norms (for sources marked so), propose, relate and revise
 * (node/model/), each at most one question, and what came of it is written by node/model/adopt.h in the one
 * transaction that also takes the batch off its source: a kill at any moment neither loses nor repeats an
 * effect, though a question may be asked again. The pages: node/model/PIPELINE.md.
 *
 * Nothing waits: a question is handed to the mind and its answer comes by a call. What is forgotten while it
 * is under way wins: before an answer is read and before anything is written the observations and
 * propositions that were shown are looked at again, and if one is gone or the user had a word the batch
 * starts anew without it.
 *
 * Core thread only. */
#ifndef NODE_INFER_THINK_H
#define NODE_INFER_THINK_H

#include "base/log.h"
#include "node/infer/endpoint.h"
#include "node/infer/work.h"

/* What answers. The functions are those of node/infer/endpoint.h. */
struct mind {
    int (*ready)(void *ctx, struct err *e);
    int (*chat)(void *ctx, const struct chat_request *r, answer_fn *fn, void *fn_ctx, int64_t *ticket,
                struct err *e);
    void (*cancel)(void *ctx, int64_t ticket);
    const char *(*model)(void *ctx);
    void *ctx;
};

struct think_env {
    struct store *store;
    const struct clock *clock;
    const struct rng *rng;
    const struct log *log;
    struct id device;
    struct bytes claim_secret;
    struct mind mind;
    struct work_source source;
    /* Whether this device is the one that thinks, and may write. NULL: it is. */
    bool (*may_think)(void *ctx);
    void *may_ctx;
};

/* Of this device, kept over restarts. */
struct think_stats {
    uint64_t batches, failed;       /* worked off; given up after unusable answers */
    uint64_t observations, dropped; /* thought about; kept back by norms */
    uint64_t calls, tokens_in, tokens_out;
    uint64_t added, raised, lowered, revised; /* propositions */
    int64_t failed_ms;                        /* the last failure of any kind; TIME_NONE */
};

struct think;
int think_open(struct think **out, const struct think_env *env, struct err *e) MUST_CHECK;
void think_close(struct think *t); /* NULL fine; what is under way is asked again next time */
/* Moves on as far as it can; returns when it wants to be called again (monotonic ms), TIME_NONE: after an
 * answer. Errors are logged and kept for status. */
int64_t think_step(struct think *t);
/* Until all that waits now is worked off, batches that are not full are not waited for. */
void think_hurry(struct think *t);
/* Looks again at once: something new may wait, or a setting changed. */
void think_wake(struct think *t);
/* Another device is to think: the batch under way is as if it had never been taken, a question that is out is
 * not read. */
void think_let_go(struct think *t);
bool think_busy(const struct think *t); /* a batch is being thought about */
bool think_asks(const struct think *t); /* a question is out */
/* "audit", "propose", "relate", "revise", "waiting", "writing". */
const char *think_stage(const struct think *t);
const struct think_stats *think_stats(const struct think *t);
/* Why it does not go on, or the last thing that failed; "" when all is well. Valid until the next step. */
const char *think_trouble(const struct think *t);
/* The same figures for a device whose loop does not run. */
int think_stats_load(struct store *s, struct think_stats *out, struct err *e) MUST_CHECK;

#endif
