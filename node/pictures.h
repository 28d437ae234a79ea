/* Pictures become observations by the words of a model that sees. A picture that was imported waits in a list
 * of this device (its file, its time, its identity), one after another is sent to the endpoint, and what
 * comes back is audited and kept like any other record, in the transaction that takes it off the list: a kill
 * at any moment neither loses nor doubles one, though it may be asked about again. The picture itself is
 * never stored, logged or replicated.
 *
 * The running node steps this beside the endpoint; a command without a node opens both for as long as it
 * runs. Core thread only. Page: node/observe/IMAGES.md. */
#ifndef NODE_PICTURES_H
#define NODE_PICTURES_H

#include "node/node.h"

#define PICTURES_FAILURES_MAX 3  /* unusable answers about one, until it is given up */
#define PICTURES_REFUSALS_MAX 3  /* in a row, until the endpoint is left alone for a while */
#define PICTURES_REST_MS 3600000 /* that while; doubles, up to a day */
#define PICTURES_LOST_KEPT 20    /* that could not be described, for whoever asks */

enum picture_fate { PICTURE_WAITS, PICTURE_KNOWN, PICTURE_DROPPED };
/* Takes a picture in: o as an observer yields it with ROW_PICTURE, its zone known. In the caller's
 * transaction. PICTURE_DROPPED: a rule of the audit, or forgotten by the user. */
int pictures_add(struct node *n, const struct observation *o, enum picture_fate *out,
                 struct err *e) MUST_CHECK;
/* Those of a source in a span (both ends included) wait no more. In a transaction. */
int pictures_forget(struct node *n, struct bytes source, int64_t from_ms, int64_t until_ms,
                    struct err *e) MUST_CHECK;

struct pictures;
/* Fills n->pictures; the endpoint is opened when n has none (node_close() closes it then). */
int pictures_open(struct node *n, struct err *e) MUST_CHECK;
void pictures_close(struct node *n); /* fine when not open */
/* Moves on; returns when it wants to be called again (monotonic ms), TIME_NONE: after the next event. To be
 * called before and after endpoint_step(). */
int64_t pictures_step(struct node *n);
/* A setting changed, or the user asked: looks again at once. */
void pictures_wake(struct node *n);

/* A picture in memory, which is described at once or not at all: nothing of it waits. */
struct picture_shown {
    const char *source;
    int64_t time_ms;
    const char *id, *type; /* node/observe/picture.h */
    struct bytes image;
};
/* Whether one of the source could be sent now; else why not. */
int pictures_may_show(struct node *n, const char *source, struct err *e) MUST_CHECK;
bool pictures_showing(const struct node *n); /* one is being described */
/* While none is. PICTURE_KNOWN: it was described before. */
int pictures_show(struct node *n, const struct picture_shown *s, enum picture_fate *out,
                  struct err *e) MUST_CHECK;

struct picture_lost {
    int64_t number; /* grows by one with each */
    char path[512], reason[200];
};
/* For `status` and `import`; also for a node that describes none. */
struct pictures_state {
    uint64_t waiting;                    /* on the list */
    bool busy;                           /* it goes on */
    struct err trouble;                  /* why it does not go on, with a hint; code 0 */
    uint64_t described, dropped, failed; /* since it was opened */
    int64_t lost;                        /* the number of the last one that could not be described; 0: none */
};
int pictures_look(struct node *n, struct pictures_state *out, struct err *e) MUST_CHECK;
/* The one with a number, or NULL when that is too long ago. */
const struct picture_lost *pictures_lost(const struct node *n, int64_t number);

#endif
