/* The sync protocol as a pure state machine (messages, states and vectors in sync/PROTOCOL.md).
 * Bytes and time in, bytes and deadlines out: no socket, thread or clock of its own.
 *
 * A `struct sync` is one device's side of all its meetings; a `struct session` is one connection to one other
 * device. The driver (node/net, or the simulator) carries whole messages of at most SYNC_MESSAGE_MAX bytes,
 * in order, and calls back at the deadline that a session names:
 *
 *     a message came       session_input(), and again for those that wait already
 *     then, always         session_output() of *every* session until it is false, and send what it gives:
 * what came is committed there, and what one peer brought another one may lack our own store or group
 * changed, after its commit     sync_changed(), then session_output() as above a deadline passed
 * session_tick(), then session_output() a negative result    session_output() for the last words, close the
 * connection, session_free()
 *
 * A session goes: handshake (Noise IK) with HELLO inside → membership → FRAMES … ACK → live. A protocol error
 * is answered with an encrypted BYE that says why. Strangers never get a byte. Invariants:
 *   1. what is acknowledged has been committed;
 *   2. no frame goes to a device of which a removal is known here, and none that it could not read anyhow;
 *   3. what a peer is said to hold is what it acknowledged itself;
 *   4. a session takes a bounded amount of memory, whatever the peer does.
 * One thread, the store's. No transaction of the caller's may be open in any call.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "sync/group.h"

#define SYNC_MESSAGE_MAX 65535u /* a Noise message */
#define SYNC_LOGS_MAX 1024u     /* of one vector: a log is opened by each new or restored device */
#define SYNC_HANDSHAKE_MS 10000 /* a handshake that takes longer is dropped */
#define SYNC_SILENCE_MS                                                                                      \
    90000 /* a peer that says nothing for so long is gone (pinged after a third of it)                       \
           */
#define SYNC_RENEW_MS INT64_C(86400000) /* a session this old ends, for new keys */
#define SYNC_WINDOW_BYTES (1u << 20)    /* frames sent but not yet acknowledged */

struct sync_env {
    struct store *store;
    struct group *group;
    const struct device_keys *keys;
    const struct clock *clock;
    const struct rng *rng;
    struct id log; /* that store_write() appends to */
    /* Something was merged from outside (after its commit): inference and watchers may look; may be NULL. */
    void (*merged)(void *ctx, uint64_t ops);
    /* The membership changed (after its commit): may be NULL. */
    void (*regrouped)(void *ctx);
    void *ctx;
};

struct sync;
struct session;

/* The pointers in env are borrowed until sync_close(). */
int sync_open(struct sync **out, const struct sync_env *env, struct err *e) MUST_CHECK;
void sync_close(struct sync *y); /* ends and frees every session; NULL fine */
/* Our own store or group changed (after the commit): live sessions will have something to send. An error is
 * one of storage; ERR_ATTENTION: this device is no member (any more), its sessions end. */
int sync_changed(struct sync *y, struct err *e) MUST_CHECK;

/* The two ends of a connection. `peer`: the member to be met; our own id: to find out whether another machine
 * has our key. NULL when out of memory, when peer is no member, or when we are none. */
struct session *session_connect(struct sync *y, const struct id *peer);
struct session *session_accept(struct sync *y);
/* Ends it without a word; NULL fine. */
void session_free(struct session *s);
/* One whole message from the other side. A negative result: the session is dead. ERR_VERIFY: a stranger or a
 * broken handshake; ERR_CANCELLED: the other side ended it, e says why; ERR_FORMAT, ERR_LIMIT, ERR_VERSION:
 * the peer broke the protocol; others: trouble with our own store. */
int session_input(struct session *s, struct bytes message, struct err *e) MUST_CHECK;
/* The next message to send, appended to out (which must take SYNC_MESSAGE_MAX more); false when there is none
 * now. Never more than the window allows. */
bool session_output(struct session *s, struct buf *out);
/* When to call session_tick() at the latest (monotonic ms; now or past when the session died meanwhile). */
int64_t session_deadline(const struct session *s);
/* 0, or negative: the session is dead (ERR_CANCELLED: time-out, or ended by what another session brought). */
int session_tick(struct session *s, struct err *e) MUST_CHECK;
/* Asks for an orderly end: BYE goes out. */
void session_end(struct session *s);
/* Whom it is with; false before the handshake is done. */
bool session_peer(const struct session *s, struct id *device);
/* True once both sides have nothing to send each other. */
bool session_idle(const struct session *s);

/* What is known of each other member, from acknowledged vectors only. */
enum peer_state { PEER_EQUAL, PEER_BEHIND, PEER_AHEAD, PEER_DIVERGED, PEER_OFFLINE };
struct peer_status {
    struct id device;
    char name[LIMIT_NAME_BYTES + 1];
    enum peer_state state; /* DIVERGED before OFFLINE before the others */
    bool connected;
    uint64_t they_lack, we_lack; /* ops */
    int64_t last_seen_ms;        /* wall; 0 never */
    int64_t last_heard_ms;       /* of the newest change of its that is here, whoever brought it; 0: none */
    int64_t clock_offset_ms;     /* theirs minus ours, at the last HELLO */
    struct id epoch;             /* the newest they have acknowledged; zeros: none */
    char reason[240];            /* what keeps them from being equal, in words and what to do; "" */
};
/* fn returns 0 to go on. */
int sync_peers(struct sync *y, int (*fn)(void *ctx, const struct peer_status *p), void *ctx,
               struct err *e) MUST_CHECK;
/* Logs that are here and beyond what one HELLO names: they reach nobody. */
size_t sync_logs_beyond(const struct sync *y);
/* What the peers have acknowledged is kept from the end of each session on, and every few seconds meanwhile;
 * this does it now. */
int sync_save(struct sync *y, struct err *e) MUST_CHECK;

/* Frames that could not be taken: kept out with their reason; the log stalls, others go on. */
struct quarantine {
    struct id log, device;
    uint64_t first, count;
    int64_t time_ms;
    char reason[160];
};
int sync_quarantine(struct sync *y, int (*fn)(void *ctx, const struct quarantine *q), void *ctx,
                    struct err *e) MUST_CHECK;

/* Set when a peer knows our own log further than we do (BEHIND: a restored backup), or differently (FORKED),
 * or when another machine uses our key (CLONED). From then on nothing may be written to that log. Our own ops
 * are being pulled back; once sync_identity_pulled(), the driver opens a new log (group_open_log(),
 * store_use_log()) and says so by sync_log_renewed(). CLONED stays: one of the two must be paired anew. */
enum identity_fault { IDENTITY_FINE, IDENTITY_BEHIND, IDENTITY_FORKED, IDENTITY_CLONED };
enum identity_fault sync_identity(const struct sync *y);
/* Whether our own ops are here as far as connected peers know them. */
bool sync_identity_pulled(const struct sync *y);
void sync_log_renewed(struct sync *y, const struct id *log);

#endif
