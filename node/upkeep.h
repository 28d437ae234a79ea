/* What a running node does between events: takes up what was merged, mends its identity, keeps the group's
 * epochs and sleepers in order, clears erased bytes from the disk when nothing else happens. */
#ifndef NODE_UPKEEP_H
#define NODE_UPKEEP_H

#include "node/node.h"

/* Does what is due; returns when to call again at the latest (monotonic ms). Nothing while locked. */
int64_t upkeep_step(struct node *n);
/* The same without waiting, for a command that ends; errors are logged. */
void upkeep_now(struct node *n);

#endif
