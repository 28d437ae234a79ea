/* The network side of a node: listener, dialers, discovery; it carries messages between sockets and the pure
 * machines of sync/ and crypto/pair.h, and decides nothing else. nng's streams do TCP; their threads only put
 * events into a bounded queue (an eventfd wakes the core thread), everything else runs on the core thread:
 * drain, step, one transaction, then reply.
 *
 * On the wire every connection starts with one byte from the dialer: 'S' a session of members (Noise IK), 'P'
 * a pairing. Then messages, each behind a 2-byte big-endian length. Anything else, anything too slow or too
 * much gets no answer and is closed; strangers cost a bounded table row and a time-out. A rate limit counts
 * connections by address.
 */
#ifndef NODE_NET_NET_H
#define NODE_NET_NET_H

#include "crypto/pair.h"
#include "node/node.h"
#include "sync/sync.h"

#define NET_PORT_DEFAULT 21736
#define NET_CONNECTIONS_MAX 64 /* members and strangers together */
#define NET_STRANGERS_MAX 8    /* before their handshake is done */
#define NET_PEERS_MAX 32       /* static host:port peers */

struct net_options {
    const char
        *listen; /* "HOST:PORT", "[::1]:PORT", PORT 0 = any free one; NULL: all addresses, NET_PORT_DEFAULT */
    const char *peers[NET_PEERS_MAX];
    size_t n_peers;
    bool discovery;
};

struct net;

int net_open(struct net **out, struct node *n, const struct net_options *o, struct err *e) MUST_CHECK;
void net_close(struct net *t); /* NULL fine; says goodbye to peers */
/* "HOST:PORT" that is really listened on. */
const char *net_address(const struct net *t);
int net_fd(const struct net *t);
/* Works off what waits; returns when to call again (monotonic ms), TIME_NONE: after the next event. */
int64_t net_step(struct net *t);
/* The store or the group changed by hand: push to peers, dial new members. */
void net_changed(struct net *t);
/* `selfsame sync`: dial everybody now. */
void net_dial_all(struct net *t);

/* Pairing, driven by node/pairing.h: one at a time. Host: answers 'P' connections with it. Joiner: dials
 * `address`, or (NULL) looks for pairing hosts by discovery. `on` gets each message and the end of the
 * connection (message.p == NULL). */
struct pairing_io {
    /* Returns 0 to go on, negative to close. Output is appended to out. */
    int (*on)(void *ctx, struct bytes message, struct buf *out);
    void *ctx;
};
int net_pair_host(struct net *t, const struct pairing_io *io, struct err *e) MUST_CHECK;
int net_pair_join(struct net *t, const char *address, const struct pairing_io *io, struct err *e) MUST_CHECK;
/* Sends outside of `on` (the user answered). */
int net_pair_send(struct net *t, struct bytes message, struct err *e) MUST_CHECK;
void net_pair_stop(struct net *t);

#endif
