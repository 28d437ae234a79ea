/* Which addresses keep failing: a token bucket each, for the addresses seen last. A connection takes a token,
 * one that turns out to be a member's gives all back. An address without tokens is not locked out, only
 * served last (node/net/net.h). IPv6 addresses count by /64, since whoever has one has the whole of it. */
#ifndef NODE_NET_STRANGERS_H
#define NODE_NET_STRANGERS_H

#include "node/net/addr.h"

#define STRANGERS_ADDRESSES 256
#define STRANGERS_BURST 32       /* connections at once */
#define STRANGERS_REFILL_MS 1000 /* one more each */

struct strangers {
    struct {
        uint8_t ip[16];
        int64_t seen_ms, filled_ms; /* seen 0: free */
        unsigned tokens;
    } rows[STRANGERS_ADDRESSES];
};

/* Counts a connection; whether the address has failed too often. now_ms > 0, monotonic. */
bool strangers_over(struct strangers *t, const struct addr *a, int64_t now_ms);
/* It was a member's. */
void strangers_forgive(struct strangers *t, const struct addr *a);

#endif
