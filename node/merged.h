/* What this device owes to ops that came from its other devices: what the user forgot there is forgotten
 * here with the observations of ours that it rested on, what was blocked there is erased here, rules that
 * were changed there hold here. Idempotent, cheap when there is nothing. */
#ifndef NODE_MERGED_H
#define NODE_MERGED_H

#include "node/node.h"

/* Outside a transaction. What it erases is scrubbed later (store_scrub_due). */
int node_merged(struct node *n, struct err *e) MUST_CHECK;

#endif
