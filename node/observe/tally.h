/* How often each record without a time has been seen, so that the n-th `ls` of a history has its own event
 * key.
 *
 * Keyed by an 8-byte hash, so memory grows with distinct commands, 12 bytes each at half load, never with the
 * size of the file; at TALLY_MAX distinct ones (12 MiB) no new ones are taken, and those count as their first
 * occurrence for ever: a history of half a million different commands without times is counted low, never
 * twice. */
#ifndef NODE_OBSERVE_TALLY_H
#define NODE_OBSERVE_TALLY_H

#include "base/bytes.h"

#define TALLY_MAX ((size_t)1 << 19)

struct tally {
    uint64_t *keys; /* 0 is empty */
    uint32_t *counts;
    size_t used, slots; /* slots is 0 or a power of two */
};

/* Fine on zeroed memory. */
void tally_release(struct tally *t);
/* Counts one more record of this content: 1 for the first. 0 when out of memory. */
uint32_t tally_add(struct tally *t, struct bytes content);

#endif
