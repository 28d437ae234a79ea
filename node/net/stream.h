/* TCP connections over nng's streams, with messages behind a 2-byte big-endian length.
 *
 * nng runs the input and output on its threads. Each operation in flight (accept, dial, read, write) has a
 * flag that nng's thread sets when it is done; then it writes an eventfd. That is the whole bounded queue: an
 * operation is either nng's or ours, and there are at most three for a connection. Nothing else is shared;
 * all functions here are for the core thread and never block for longer than nng needs to take an operation
 * back.
 *
 *  1. A read is in flight only when the buffer holds no whole message: a sender that is faster than we are
 * waits in the kernel.
 *  2. What waits to be sent is bounded; a peer that takes nothing for STREAM_STALL_MS is cut off.
 *  3. A length of 0 or above the limit ends the connection before anything is allocated for it.
 */
#ifndef NODE_NET_STREAM_H
#define NODE_NET_STREAM_H

#include "node/net/addr.h"

#define STREAM_MESSAGE_MAX 65535u
#define STREAM_OUT_MAX (4u << 20) /* waiting to be sent on one connection */
#define STREAM_STALL_MS 30000     /* a write without progress */
#define STREAM_LISTENERS_MAX 2

struct streams;
struct stream;

int streams_open(struct streams **out, struct err *e) MUST_CHECK;
void streams_close(struct streams *s); /* NULL fine; streams must have been freed */
/* Readable when something is done; streams_wake() makes it unreadable and comes before looking. */
int streams_fd(const struct streams *s);
void streams_wake(struct streams *s);
/* Listens too on an address; *port gets the real one. At most STREAM_LISTENERS_MAX. ERR_INUSE, ERR_USAGE. */
int streams_listen(struct streams *s, const char *host, uint16_t *port, struct err *e) MUST_CHECK;
/* The next accepted connection, or NULL. */
struct stream *streams_accept(struct streams *s);
/* Whether accepting failed (no descriptors left) and waits: call streams_accept() again in a while. */
bool streams_stuck(const struct streams *s);

/* Starts to connect; a name is looked up meanwhile. NULL when out of memory, or for an address that nng
 * refuses. */
struct stream *stream_dial(struct streams *s, const char *host, uint16_t port, int timeout_ms);
void stream_free(struct stream *c); /* closes at once; NULL fine */

enum stream_state { STREAM_DIALING, STREAM_OPEN, STREAM_DEAD };
/* Takes note of what is done. Dead is final: closed by the other side, refused, timed out, or broken rules.
 */
enum stream_state stream_step(struct stream *c);
/* Why it is dead, for log lines. */
const char *stream_reason(const struct stream *c);
/* The other end; zeros while unknown. */
const struct addr *stream_remote(const struct stream *c);
/* The longest message taken from now on; must be set before the first, grows only, holds from the next
 * stream_message() on. Views stay valid. */
void stream_limit(struct stream *c, size_t message_max);
/* The next whole message, valid until the next call with the same stream; false: none now. */
bool stream_message(struct stream *c, struct bytes *message);
/* Queues a message of 1..STREAM_MESSAGE_MAX bytes, in one or two pieces. ERR_LIMIT, ERR_NOMEM: nothing was
 * queued. */
int stream_send(struct stream *c, struct bytes head, struct bytes tail) MUST_CHECK;
/* Starts to send what is queued. */
void stream_push(struct stream *c);
/* Bytes queued and not yet with the kernel. */
size_t stream_waiting(const struct stream *c);

#endif
