/* Our side of another device's recovery: somebody connects who has the recovery words of our group
 * (net_recovery(), crypto/pair.h by words), proves it by the handshake, and is handed the membership
 * (node/handover.h) with the epoch keys that are sealed to the words in it. What they then add themselves by
 * reaches us in an ordinary session. Nobody is asked: who has the words is the user. Words that were revoked
 * are told so, and nothing else. */
#ifndef NODE_RECOVERY_H
#define NODE_RECOVERY_H

#include "node/net/net.h"

struct recovery;
/* Borrows both; answers from now on. NULL when out of memory. */
struct recovery *recovery_new(struct node *n, struct net *t);
void recovery_free(struct recovery *r); /* NULL fine */

#endif
