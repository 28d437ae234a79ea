/* Heads that contradict: two or more revisions of one proposition, none of which revises another, over
 * however many steps. They come from two devices that revised apart, and wait for the user to choose one. */
#ifndef NODE_MODEL_HEADS_H
#define NODE_MODEL_HEADS_H

#include "store/store.h"

#define HEADS_MAX 16u /* of one proposition; further ones are left out until some are settled */

struct heads {
    struct id of;           /* what they revise: the nearest one that all of them come from */
    struct id v[HEADS_MAX]; /* ascending; live, canonical, neither dropped nor rejected */
    size_t n;               /* 2 or more */
};

/* All of them, each once; fn returns 0 to go on. */
int heads_each(struct store *s, int (*fn)(void *ctx, const struct heads *h), void *ctx,
               struct err *e) MUST_CHECK;
/* Those that revise `id`, or that it is one of. ERR_NOTFOUND. */
int heads_find(struct store *s, const struct id *id, struct heads *out, struct err *e) MUST_CHECK;
/* The i-th of them is the one from now on, on every device: it revises the others, and none of them revises
 * it any more. */
int heads_settle(struct store *s, const struct heads *h, size_t i, struct err *e) MUST_CHECK;

#endif
