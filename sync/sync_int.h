/* Inside of the protocol.
 *
 *   message.c      bytes ⇄ fields
 *   session.c      life of a session: handshake, time, end
 *   session_in.c   what a message does
 *   session_out.c  what is to be sent next
 *   session_logs.c a session's view of the logs: what the peer holds, what was sent, whom to ask
 *   exchange.c     exchange of membership records
 *   peers.c        what peers have acknowledged, kept over restarts; status
 *   branches.c     logs that branched: what of them is where
 *   sync.c         what all sessions share: our vector, sealing, changes of the group
 *
 * Nothing is queued for sending: each message is made when the driver asks for it, from what has changed
 * since the last one. So a slow peer costs no memory, and changes that happen meanwhile go out as one.
 */
#ifndef SYNC_SYNC_INT_H
#define SYNC_SYNC_INT_H

#include "crypto/noise.h"
#include "sync/frames.h"
#include "sync/message.h"
#include "sync/sync.h"

#define SYNC_PROLOGUE "selfsame 1 session" /* ‖ group id */
#define SYNC_INBOX_BYTES (256u << 10)      /* frames taken in one transaction, and one message more */
#define SYNC_BATCH_BYTES 32768u            /* frames are put together up to here */
#define SYNC_GRACE_MS 1000                 /* the device that wrote a log is waited for so long */
#define SYNC_SAVE_MS 2000
#define SYNC_STUCK_MS 10000  /* nothing came of a log that was asked for: ask again */
#define SYNC_ANSWERS_MAX 16u /* times that records are sent again on demand */
#define SYNC_KNOWN_MAX 256u

/* One of the logs in our store. */
struct ylog {
    struct id log, device; /* the device by the membership; zeros: no member opened it */
    struct id root;        /* what it branched off, behind op `base`; itself: it did not */
    uint64_t base;
    bool own;
    uint64_t seq;
    struct hash chain;
    int64_t newest_ms; /* time of its newest op that was merged */
    int64_t moved_ms;  /* monotonic: when ops came last */
};

struct peer_log {
    struct id log;
    uint64_t seq;
    uint8_t chain[SYNC_CHAIN_BYTES];
    bool forked;
};

/* What a device has acknowledged, ever. */
struct peer {
    struct id device, epoch;
    int64_t last_seen_ms, clock_offset_ms;
    struct peer_log *logs;
    size_t n, cap;
    bool dirty;
    bool unanswered; /* our last call had no answer: it may not know us (any more) */
};

struct sync {
    struct sync_env env;
    struct frames_env frames;
    struct id device;
    uint8_t run[SYNC_RUN_BYTES];
    struct session *sessions;
    struct ylog *logs; /* ascending by id */
    size_t n_logs;
    struct peer **peers;
    size_t n_peers;
    int64_t save_ms; /* when to save what peers acknowledged; TIME_NONE: nothing to save */
    uint32_t n_records;
    bool unsealed;
    enum identity_fault identity;
    struct buf plain, frame; /* the message being made, a frame for it */
};

/* A log as a session sees it. */
struct slog {
    struct id log;
    uint64_t theirs; /* what the peer acknowledged */
    uint8_t chain[SYNC_CHAIN_BYTES];
    uint64_t sent;    /* the last seq sent, or acknowledged */
    uint64_t told;    /* what we acknowledged */
    int64_t ahead_ms; /* since when the peer is ahead of us; TIME_NONE: it is not */
    bool wanted;      /* by the peer */
    bool asked;       /* by us, and nothing else since */
    bool want_due, want_go;
    bool forked,
        fork_due; /* its histories differ, and where is not known here yet: looked for from `probe` on */
    uint64_t probe, probe_step;
    bool stalled, stall_due; /* by us: a frame of it could not be taken from this peer */
    uint8_t stall_reason;
    uint64_t stall_seq;
    uint8_t refused; /* by the peer: its reason; 0: not */
    bool gap;        /* frames came from the wrong place, and it was asked anew */
    bool stopped;    /* by us, once, in favour of the device that writes it */
    bool touched;    /* by the frames being taken */
    bool barren;     /* no frame is to be had for what it lacks, until something changes */
};

enum session_state {
    SESSION_CALL,   /* initiator: first message to be written */
    SESSION_CALLED, /* initiator: waits for the answer */
    SESSION_LISTEN, /* responder: waits for the first message */
    SESSION_REPLY,  /* responder: answer to be written */
    SESSION_OPEN,
    SESSION_ENDING, /* BYE to be written */
    SESSION_DEAD,
};

struct session {
    struct sync *y;
    struct session *next;
    enum session_state state;
    bool initiator;
    bool confirmed; /* the peer is there now: what it says is no replay */
    bool farewell;  /* the peer was removed: it gets the records up to its removal, then BYE */
    bool dismissed; /* the peer says that we were: records and BYE are all that comes */
    bool refuse;    /* the answer to the handshake is BYE */
    bool greet;     /* our first message: it shows that we are there */
    bool has_peer;
    struct id peer;
    uint8_t run[SYNC_RUN_BYTES];
    uint8_t peer_noise[KEY_BYTES];
    struct noise handshake;
    struct noise_session noise;
    int64_t started_ms, heard_ms, plan_ms, offset_ms;
    struct slog *logs;
    size_t n_logs, cap_logs;
    /* membership */
    struct hash *known; /* records that the peer has, with all behind them */
    size_t n_known;
    struct hash *queue; /* records to be sent */
    size_t n_queue, at_queue;
    bool answered, settled, all; /* all: all their heads are known here */
    bool haves_due, haves_again, end_due;
    unsigned answers;
    /* flow */
    uint64_t sent_bytes, acked_bytes; /* of FRAMES */
    uint64_t taken_bytes, told_bytes;
    struct buf inbox; /* FRAMES as they came, each as lenbytes */
    bool ack_due;
    /* life */
    uint32_t ping;
    bool ping_due, pong_due, suspect;
    int64_t pinged_ms; /* TIME_NONE: no ping is under way */
    uint32_t pong;
    uint8_t bye;
    struct err why;
};

/* ---- sync.c */
int64_t sync_now(const struct sync *y);                      /* monotonic */
struct ylog *sync_log(struct sync *y, const struct id *log); /* NULL: nothing of it here */
const struct ylog *sync_log_const(const struct sync *y, const struct id *log);
/* Reads our vector anew. */
int sync_refresh(struct sync *y, struct err *e) MUST_CHECK;
/* Reads the head of one log anew, after ops of it were committed. */
int sync_refresh_log(struct sync *y, const struct id *log, struct err *e) MUST_CHECK;
/* Frames for our ops, if there is somebody to send them to. */
int sync_seal(struct sync *y, struct err *e) MUST_CHECK;
/* Membership records were added: what follows from it, for all sessions. */
int sync_regroup(struct sync *y, struct err *e) MUST_CHECK;
/* What the store has to do for branchings that the group knows, and what the group has to know of it. */
int sync_branch(struct sync *y, struct err *e) MUST_CHECK;
/* How far we hold a log; of a branch of which nothing is here: where its frames are to begin. */
uint64_t sync_have(const struct sync *y, const struct id *log);
/* Whether a log ends before op `seq` because it branched there; *end is what we hold of it. */
bool sync_ends(const struct sync *y, const struct id *log, uint64_t seq, struct ylog *end);
/* The log of ours, of a family that branched, that holds this place; NULL. */
int sync_place(struct sync *y, const struct peer_log *at, const struct ylog **out, struct err *e) MUST_CHECK;
/* The chain of a log of ours after `seq` (1..its end). */
int sync_chain_at(struct sync *y, const struct ylog *l, uint64_t seq, struct hash *out,
                  struct err *e) MUST_CHECK;
void sync_fault(struct sync *y, enum identity_fault fault);
/* What an error of storage is, as opposed to one of the peer. */
bool sync_is_storage(int rc);

/* ---- peers.c */
int peers_load(struct sync *y, struct err *e) MUST_CHECK;
void peers_release(struct sync *y);
struct peer *peers_get(struct sync *y, const struct id *device, bool make); /* NULL */
/* Takes over what the peer has acknowledged of one log. ERR_NOMEM. */
int peers_note(struct session *s, const struct slog *l, struct err *e) MUST_CHECK;
int peers_save(struct sync *y, struct peer *p, struct err *e) MUST_CHECK;
/* The same where nobody can be told: what is lost of it is told again at the next meeting. */
void peers_save_quietly(struct sync *y, struct peer *p); /* p NULL: all */
/* The least that a member acknowledged of a log. */
uint64_t peers_floor(struct sync *y, const struct ylog *l);
/* What they acknowledged of a log that branched since, they hold of its branches. */
int peers_branch(struct sync *y, struct err *e) MUST_CHECK;

/* ---- exchange.c */
int exchange_hello(struct session *s, const struct msg *m, struct err *e) MUST_CHECK;
int exchange_haves(struct session *s, const struct msg *m, struct err *e) MUST_CHECK;
int exchange_records(struct session *s, const struct msg *m, struct err *e) MUST_CHECK;
/* New records came into the group: queue what the peer lacks. */
int exchange_more(struct session *s, struct err *e) MUST_CHECK;
/* The next HAVES or RECORDS; false: none. */
bool exchange_output(struct session *s, struct buf *plain);
/* Appends records that show this device to be a member, at most `room` bytes: its adding with all that this
 * one has seen, or (`all`) all there are, since a removal may be what the other side does not know. */
void exchange_introduce(const struct sync *y, bool all, size_t room, struct buf *out);
/* Takes those of a caller that is not known here. */
int exchange_introduced(struct session *s, struct bytes intro, struct err *e) MUST_CHECK;
/* What a removed device is to get. */
int exchange_farewell(struct session *s, const struct msg *hello, struct err *e) MUST_CHECK;

/* ---- session_logs.c */
struct slog *slog_get(struct session *s, const struct id *log, bool make); /* NULL */
/* The vector of a HELLO or an ACK. */
int slogs_hello(struct session *s, const struct msg *m, struct err *e) MUST_CHECK;
int slogs_ack(struct session *s, const struct msg *m, struct err *e) MUST_CHECK;
/* Logs of ours that the peer gets unasked. */
int slogs_offer(struct session *s, struct err *e) MUST_CHECK;
int slog_fork(struct session *s, struct slog *l, struct err *e) MUST_CHECK;
/* The same for what is under way; anew: branchings became known, and what had parted may be a branch now. */
int slogs_branch(struct session *s, bool anew, struct err *e) MUST_CHECK;
/* Histories part before what came: looks further back. */
void slog_look_back(struct slog *l, uint64_t first);
/* Whom to ask for what: marks entries for WANT. *next_ms: when to look again. */
void slogs_plan(struct session *s, int64_t *next_ms);
/* Asks anew for everything that had stalled. */
void slogs_retry(struct session *s);

/* ---- session_in.c */
int session_message(struct session *s, struct bytes plain, struct err *e) MUST_CHECK;
int session_hello(struct session *s, const struct msg *m, struct err *e) MUST_CHECK;
/* Takes the frames of the inbox in one transaction. */
int session_apply(struct session *s, struct err *e) MUST_CHECK;

/* ---- session_out.c */
void session_put_hello(struct session *s, struct buf *b);
/* The next message of an open session; false: none. */
bool session_next(struct session *s, struct buf *plain);

/* ---- session.c */
/* The peer is there: other sessions with it, what is known of it. */
int session_confirm(struct session *s, struct err *e) MUST_CHECK;
/* It ends with BYE; why as session_input() and session_tick() give it. Returns rc. */
int session_fail(struct session *s, uint8_t bye, int rc, const char *why);

#endif
