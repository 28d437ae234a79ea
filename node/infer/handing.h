/* Handing over: a device that does not think gives batches of its own queue to the one that does
 * (node/infer/errand.h). At most HANDED_MAX are under way at one time. Of each a local record keeps its rows
 * until it is served:
 *
 *   gone from the store        served; the answer that came with it links claims to the rows
 *   one of its rows erased     taken back at once, in the transaction that erases
 *   another device thinks now, this one's endpoint is another machine's now, consent was
 *   taken back, HANDED_MS over taken back: forgotten, and its rows wait again
 *
 * Handing over, taking back and taking up an answer are one transaction each, so a kill neither loses nor
 * repeats one. Each errand has a row in the log of what was sent (node/infer/sent.h). Core thread only. */
#ifndef NODE_INFER_HANDING_H
#define NODE_INFER_HANDING_H

#include "node/infer/errand.h"
#include "node/infer/queue.h"

#define HANDED_MAX 4u
#define HANDED_MS (12 * 60 * MS_MINUTE)

struct handing {
    const struct lease_env *env;
    struct queue *queue;
    bool looked_again; /* what waits again was looked at since something changed */
    bool hurry;        /* batches that are not full are not waited for */
};

/* What is due now: tends what is under way, and, while `lease` is another device's, hands over what waits.
 * *next_ms (wall): when something will be due without anything new; TIME_NONE. */
int handing_step(struct handing *h, const struct lease *lease, int64_t *next_ms, struct err *e) MUST_CHECK;
/* Something changed that it cannot see: a setting, or who thinks. */
void handing_wake(struct handing *h);
/* Takes all back; their rows do not wait again: the queue begins anew. */
int handing_drop_all(const struct lease_env *env, struct err *e) MUST_CHECK;
/* Rows were erased here: what holds one of them is taken back, and its other rows wait again. In the
 * transaction that erases, behind it. */
int handing_erased(const struct lease_env *env, struct err *e) MUST_CHECK;
/* Forgets errands of this device that it has no record of, and answers to such: an older database was put
 * back. */
int handing_tidy(const struct lease_env *env, struct err *e) MUST_CHECK;
/* How many are under way, with how many observations. */
int handing_count(struct store *s, uint64_t *errands, uint64_t *observations, struct err *e) MUST_CHECK;

#endif
