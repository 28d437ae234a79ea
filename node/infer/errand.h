/* Errands: the observations of a device that does not think itself, handed to the one that does (lease.h). An
 * errand is an entity of SPACE_WORK that replicates like everything else; its content is sealed to that
 * device, so the user's other devices, and whatever carries it, keep and forward bytes that they cannot read.
 * Formats: store/FORMAT.md, Errands; who does what, and what a kill at any moment does:
 * node/model/PIPELINE.md.
 *
 * The sender (node/infer/handing.h) makes errands out of its own queue and takes them back. Here is the other
 * side: errands as a source of work beside the thinking device's own queue. In the one transaction that
 * writes what came of an errand it is forgotten, which erases it everywhere, and an answer is written, sealed
 * to the sender: which claims rest on which of its observations, so that the sender can say why, and can take
 * a claim along when the user forgets what it rests on. The sender takes the answer up and forgets it, too.
 *
 * One that is too large for the model is worked off in parts, the last of which ends it.
 *
 * An errand that cannot be read, or that may not go where this device's endpoint is, is left: its sender
 * takes it back. Core thread only. */
#ifndef NODE_INFER_ERRAND_H
#define NODE_INFER_ERRAND_H

#include "node/infer/errand_body.h"
#include "node/infer/lease.h"

#define ERRAND_FAILURES_MAX 3

/* What stands in an entity of SPACE_WORK with a sealed content. */
struct errand_note {
    struct id id, author, recipient;
    bool answer; /* else an errand */
    struct bytes sealed;
};
/* false: something else, forgotten, or by a log that no member opened. Views borrowed from x. */
bool errand_note_of(const struct lease_env *env, const struct id *id, const struct entity *x,
                    struct errand_note *out);
void errand_answer_id(const struct id *errand, struct id *out);
/* Writes one; in the caller's transaction. `content` is sealed to `to`, a member. */
struct errand_new {
    struct id id, to;
    bool answer;
    struct bytes content;
};
int errand_write(const struct lease_env *env, const struct errand_new *n, struct err *e) MUST_CHECK;
/* Erases an errand or an answer, everywhere; what is not there is fine. In a transaction or its own. */
int errand_forget(const struct lease_env *env, const struct id *id, struct err *e) MUST_CHECK;
/* Opens what is sealed to this device. ERR_VERIFY, ERR_FORMAT, ERR_LIMIT. */
int errand_open(const struct lease_env *env, struct bytes sealed, struct buf *out) MUST_CHECK;

/* Errands to this device, then its own queue, as one source of work. */
struct errands {
    const struct lease_env *env;
    struct work_source own;
    bool (*remote)(void *ctx); /* this device's endpoint is another machine's */
    void *remote_ctx;
    bool on_errand; /* the batch that was given out last is of one */
    struct id at;   /* which */
    size_t most;    /* observations in one batch, since more were too many for the model; 0: BATCH_MAX */
    size_t next;    /* the place in the errand behind that batch, and whether it is the last of it */
    bool last;
    struct id unread[8];
    size_t n_unread; /* said in the log once each */
    struct answer_claim claims[ERRAND_CLAIMS_MAX];
    size_t n_claims; /* for the answer: of the parts before, and of the transaction under way */
};
struct work_source errands_source(struct errands *x);
/* Forgets what nobody is left for: errands of devices that are members no more, answers to them. For the
 * device that thinks. */
int errands_tidy(const struct lease_env *env, struct err *e) MUST_CHECK;

#endif
