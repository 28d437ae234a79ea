/* Thinking, bound to an open node: its store, its endpoint, its queue of observations, and the lease that
 * says which one of the user's devices thinks (node/infer/lease.h). The running node's loop steps it beside
 * the endpoint; a command without a node opens both for as long as it runs. */
#ifndef NODE_THINKING_H
#define NODE_THINKING_H

#include "base/limits.h"
#include "node/infer/lease.h"
#include "node/infer/think.h"
#include "node/node.h"

struct thinking;
/* Fills n->thinking; the endpoint is opened when n has none (node_close() closes it then). */
int thinking_open(struct node *n, struct err *e) MUST_CHECK;
void thinking_close(struct node *n); /* fine when not open */
/* Moves on; returns when it wants to be called again (monotonic ms), TIME_NONE: after the next event. To be
 * called before and after endpoint_step(). */
int64_t thinking_step(struct node *n);
/* A setting changed, or the user asked: looks again at once. hurry: does not wait for batches to fill. */
void thinking_wake(struct node *n, bool hurry);

/* For `status` and `think`; also for a node that does not think. */
struct thinking_state {
    bool configured; /* an endpoint and a model are set */
    bool busy;
    const char *stage;                /* think_stage(); "waiting" */
    char trouble[480];                /* why it does not go on; "" */
    char model[LIMIT_NAME_BYTES + 1]; /* the setting's */
    uint64_t waiting;
    struct lease lease;                  /* who thinks; nobody: none can, or none has taken it yet */
    bool here;                           /* this device does */
    char thinker[DEVICE_NAME_BYTES + 1]; /* its name; "" */
    uint64_t errands, handed;            /* errands under way to it, and the observations in them */
    struct think_stats stats;
};
int thinking_look(struct node *n, struct thinking_state *out, struct err *e) MUST_CHECK;
/* Observations were erased: errands that hold one are taken back. In the transaction that erases, behind it.
 */
int thinking_erased(struct node *n, struct err *e) MUST_CHECK;
/* Everything held is to be thought about again. */
int thinking_rewind(struct node *n, struct err *e) MUST_CHECK;

#endif
