/* The sync protocol as a pure state machine (DESIGN §5; messages, states and vectors in sync/PROTOCOL.md). Bytes and time in, bytes and deadlines out: no socket, thread or clock of its own.
 *
 * A `struct sync` is one device's side of all its meetings; a `struct session` is one connection to one other device. The driver (node/net, or the simulator) carries whole messages of at most
 * SYNC_MESSAGE_MAX bytes, in order, and calls back at the deadline that a session names. A session goes
 *
 *     handshake (Noise IK) → HELLO → membership → epochs → WANT → FRAMES … ACK → live PUSH
 *
 * and answers a protocol error with an encrypted BYE that says why, then is dead. Strangers never get a byte: a first message that is not from a member's static key kills the session silently.
 * What is acknowledged has been committed. One thread, the store's.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "sync/group.h"

#define SYNC_MESSAGE_MAX 65535u            /* a Noise message */
#define SYNC_HANDSHAKE_MS 10000            /* a handshake that takes longer is dropped */
#define SYNC_SILENCE_MS 90000              /* a peer that says nothing for so long is gone (a ping goes out after a third of it) */
#define SYNC_WINDOW_BYTES (1u << 20)       /* frames sent but not yet acknowledged */

struct sync_env {
    struct store *store;
    struct group *group;
    const struct device_keys *keys;
    const struct clock *clock;
    const struct rng *rng;
    /* Something was merged from outside (after its commit): inference and watchers may look; may be NULL. */
    void (*merged)(void *ctx, uint64_t ops);
    /* The membership changed (after its commit): may be NULL. */
    void (*regrouped)(void *ctx);
    void *ctx;
};

struct sync;
struct session;

int sync_open(struct sync **out, const struct sync_env *env, struct err *e) MUST_CHECK;
void sync_close(struct sync *y); /* ends every session; NULL fine */
/* Our own store or group changed (after the commit): sessions in PUSH will have something to send. */
void sync_changed(struct sync *y);

/* The two ends of a connection. `peer`: the member to be met. NULL when out of memory or peer is no active member. */
struct session *session_connect(struct sync *y, const struct id *peer);
struct session *session_accept(struct sync *y);
/* Ends it without a word; NULL fine. */
void session_free(struct session *s);
/* One whole message from the other side. A negative result: the session is dead (send what session_output still has, then close): ERR_VERIFY for a stranger or a broken handshake. */
int session_input(struct session *s, struct bytes message, struct err *e) MUST_CHECK;
/* The next message to send, appended to out; false when there is none now. Never more than the window allows. */
bool session_output(struct session *s, struct buf *out);
/* When to call session_tick() at the latest (monotonic ms), TIME_NONE: never. session_tick: negative when the session is dead (time-out). */
int64_t session_deadline(const struct session *s);
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
    enum peer_state state;
    bool connected;
    uint64_t they_lack, we_lack; /* ops */
    int64_t last_seen_ms;        /* wall; 0 never */
    int64_t clock_offset_ms;     /* theirs minus ours, at the last HELLO */
    struct id epoch;             /* the newest they have acknowledged */
    char reason[160];            /* what keeps them from being equal, in words; "" */
};
int sync_peers(struct sync *y, int (*fn)(void *ctx, const struct peer_status *p), void *ctx, struct err *e) MUST_CHECK;

/* Frames that could not be taken: kept out with their reason; the log stalls, others go on. */
struct quarantine {
    struct id log, device;
    uint64_t first, count;
    int64_t time_ms;
    char reason[160];
};
int sync_quarantine(struct sync *y, int (*fn)(void *ctx, const struct quarantine *q), void *ctx, struct err *e) MUST_CHECK;

/* Set when a peer knows our own log further than we do, or differently (a restored backup, a clone): our own ops have been pulled back as far as they are known, and we must open a new log before
 * writing on. The driver calls node's identity code, which calls group_open_log() and store_use_log(), then sync_log_renewed(). */
enum identity_fault { IDENTITY_FINE, IDENTITY_BEHIND, IDENTITY_FORKED, IDENTITY_CLONED };
enum identity_fault sync_identity(const struct sync *y);
void sync_log_renewed(struct sync *y);

#endif
