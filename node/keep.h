/* What was seen, kept: audit, then store. Nothing of a dropped record is kept but the count. Core thread, in
 * a transaction of the caller. */
#ifndef NODE_KEEP_H
#define NODE_KEEP_H

#include "node/node.h"

enum kept { KEPT_DROPPED, KEPT_KNOWN, KEPT_FRESH };

struct keeping {
    enum kept how;
    bool redacted;
    struct stored_observation stored; /* when not dropped; views valid until the next audit and call */
};

/* Fills o->offset_min from the device's zone when it is unknown; time_ms must be known. */
void keep_offset(struct node *n, struct observation *o);
/* key: the event's; NULL: event_key() of what the audit passed. scratch: emptied, holds the names of files.
 */
int keep(struct node *n, const struct observation *o, const uint8_t *key, struct buf *scratch,
         struct keeping *out, struct err *e) MUST_CHECK;
/* Saves the decisions that the audit counted. audit_counts_clear() when the transaction is over. */
int keep_decisions(struct node *n, struct err *e) MUST_CHECK;

#endif
