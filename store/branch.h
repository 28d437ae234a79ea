/* Branches of logs. A log has one writer; when two wrote as one all the same (a copied folder, an old backup
 * that went on), it has two histories from some op on. It then ends there, and each history behind is a log
 * of its own, a *branch*, with an id that follows from its first op:
 *
 *     id of a branch = first 16 bytes of BLAKE2b-256("selfsame branch 1" ‖ log id 16 ‖ seq u64 ‖ chain 32)
 *
 * seq and chain are those *after* its first op. A branch counts on: its first op has the seq behind the one
 * at which it branched off, and its chain begins with the log's. So the frames that carry its ops stay as
 * they were signed. A branch can branch again. Stamps name the log that all of it branched off (its *root*),
 * so the model is the same whatever is known of branches: an op says the same before and after.
 *
 * Which points are branchings, the group says (sync/group.h, record `fork`); the store follows. */
#ifndef STORE_BRANCH_H
#define STORE_BRANCH_H

#include "store/store.h"

/* A place in a log: behind op `seq` of the history of `root` that has this chain there. */
struct log_split {
    struct id root;
    uint64_t seq; /* 0: before the first */
    struct hash chain;
};

/* The id of the branch of at->root that begins behind `at`; `next` is the chain after its first op. */
void log_branch_id(const struct log_split *at, const struct hash *next, struct id *out);

/* Ends the log that holds this place there: what it holds behind becomes a branch, with its frames. *changed:
 * there was something to do. Idempotent. */
int store_split(struct store *s, const struct log_split *at, bool *changed, struct err *e) MUST_CHECK;
/* Makes an empty branch at a place that the store holds, to be received into; exists: nothing. ERR_NOTFOUND:
 * no log ends at that place. */
int store_branch(struct store *s, const struct log_split *at, const struct hash *next,
                 struct err *e) MUST_CHECK;

/* Hash of one op of a log, also of one before it branched off. ERR_NOTFOUND. */
int store_op_hash(struct store *s, const struct id *log, uint64_t seq, struct hash *out,
                  struct err *e) MUST_CHECK;
/* The chain of a log after op `seq`, which it holds. */
int store_chain_at(struct store *s, const struct log_head *log, uint64_t seq, struct hash *out,
                   struct err *e) MUST_CHECK;

#endif
