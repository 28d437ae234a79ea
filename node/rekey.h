/* Keying observations anew: the secret that keys them is gone with a lost key file (node/keys.h), and without
 * their keys a source that is imported again would be taken for new, and its evidence count a second time
 * under the new device id. What is stored of an observation is all that its key is made of; of several equal
 * ones without a time, the n-th stored is the n-th of its file.
 *
 * What cannot be keyed anew is what is not there: single events that were forgotten are no longer recognised.
 * Sources forgotten as a whole, or for a span, stay away. */
#ifndef NODE_REKEY_H
#define NODE_REKEY_H

#include "node/node.h"

/* All observations, under the event secret of n->home. In the open transaction. */
int observations_rekey(struct node *n, struct err *e) MUST_CHECK;

#endif
