/* The network side of a node: listener, dialers, discovery; it carries messages between sockets and the pure
 * machines of sync/ and crypto/pair.h, and decides nothing else. nng's streams do TCP; their threads only
 * note that something is done (an eventfd wakes the core thread), everything else runs on the core thread:
 * drain, step, one transaction, then reply.
 *
 * On the wire everything is a message behind its length (2 bytes, big-endian, 1..65535). The dialer speaks
 * first, and its first message begins with one byte that says what it wants:
 *
 *   - 'S' ‖ knock 16 ‖ head 32: a session of members (Noise IK); head are the first 32 bytes of its first
 *     message, whose rest is the next message; sync/PROTOCOL.md says how it goes on
 *   - 'P' ‖ first message of a pairing: answered only while a code is shown
 *   - 'R' ‖ knock 24 ‖ first message of a pairing by recovery words: answered when the knock is that of
 *     recovery words of the group, used or not (crypto/pair.h)
 *
 * knock = BLAKE2b(key = the group's secret, label ‖ head)[0..15]: a stranger cannot make one, so that a flood
 * of garbage costs a hash each, no curve arithmetic and no large buffer. It names nobody and proves nothing
 * else: who has overheard one can send it again, and gets as far as the handshake. The knock of recovery
 * words is a beacon over the message, keyed by pair_knock_words(): good for an hour or two; who has overheard
 * one gets one answer, of random bytes.
 *
 * Strangers. Whoever has not shown to be a member gets not one byte, a row of a small table and 10 seconds.
 * When the table is full a newcomer takes the oldest row: of its own address when that has its share, so that
 * others always find room; else of an address that keeps failing (node/net/strangers.h), which cannot pair
 * either; else of all. A member's first message comes with the first packet after the connection and is read
 * within a step or two, before its row is lost: that is how members get in while somebody floods us, mostly
 * even from the same address; and what we dial ourselves needs no row.
 *
 * One connection for a pair of devices: when two cross, the one survives that the lower device id dialed.
 */
#ifndef NODE_NET_NET_H
#define NODE_NET_NET_H

#include "crypto/pair.h"
#include "node/node.h"
#include "sync/sync.h"

#define NET_PORT_DEFAULT 21736
#define NET_CONNECTIONS_MAX 96 /* members and strangers together */
#define NET_STRANGERS_MAX 32   /* before their handshake is done */
#define NET_STRANGERS_EACH 24  /* of them from one address */
#define NET_PEERS_MAX 32       /* static host:port peers */

struct net_options {
    const char *listen; /* "HOST:PORT", "[::1]:PORT", PORT 0 = any free one; NULL: all addresses, and
                           NET_PORT_DEFAULT or, if that is taken, any */
    const char *peers[NET_PEERS_MAX];
    size_t n_peers;
    bool discovery;
    uint16_t discovery_port; /* 0: NET_PORT_DEFAULT */
};

struct net;

/* ERR_INUSE, ERR_USAGE (an address that cannot be one). `n` must be unlocked. Discovery that does not work is
 * logged, no error. A node that listens on a loopback address is discovered on this machine only. */
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

/* Pairing, driven by node/pairing.h: one at a time, one connection at a time (others are closed unanswered).
 * Host: answers 'P' connections with it, one after the other, until net_pair_stop(). Joiner: dials `address`,
 * or (NULL) looks for pairing hosts by discovery until one answers; the pairing is over with the first
 * connection that got an answer, or that was made to a given address. */
struct pairing_io {
    /* One message from the other side (message.n > 0); or, to a joiner, that it is connected and must speak
     * (message.n == 0, message.p != NULL), which may come again with the next host when one did not answer;
     * or that the connection has ended (message.p == NULL; not after we closed it ourselves). Appends at most
     * one message to out, sent whatever is returned. 0 to go on, negative to close once that is sent. */
    int (*on)(void *ctx, struct bytes message, struct buf *out);
    void *ctx;
    const uint8_t *knock; /* joiner by recovery words: the secret of their knock, borrowed; else NULL */
};
/* ERR_INUSE: there is a pairing already. `io` is copied. Both functions end a connection that a pairing
 * before has left. */
int net_pair_host(struct net *t, const struct pairing_io *io, struct err *e) MUST_CHECK;
int net_pair_join(struct net *t, const char *address, const struct pairing_io *io, struct err *e) MUST_CHECK;
/* Sends outside of `on` (the user answered), or more than one message. ERR_NOTFOUND: there is no connection;
 * ERR_LIMIT: the other side does not read. */
int net_pair_send(struct net *t, struct bytes message, struct err *e) MUST_CHECK;
/* Ends the pairing: what is queued is still sent, then the connection closed. `on` is not called any more. */
void net_pair_stop(struct net *t);
/* From now on answers 'R' connections with `io` (copied; NULL: no longer), beside a pairing, one at a time;
 * net_recovery_words(): the words that the one of now has knocked with. */
void net_recovery(struct net *t, const struct pairing_io *io);
const struct id *net_recovery_words(const struct net *t);
/* Why a joiner's attempt to reach the given address, or its connection, ended; for people; "" before. */
const char *net_pair_reason(const struct net *t);

#endif
