/* The messages of a session, as bytes and as fields. Offsets, limits and vectors:
 * sync/PROTOCOL.md.
 *
 *   message := kind u8 ‖ body
 *
 * A message has one encoding: lists ascend without repetition, numbers have one form, nothing is left over. A
 * decoder checks all of it, so that walking the lists afterwards cannot fail. Kinds below 128 must be known;
 * unknown ones from 128 on are skipped (an older build lives with a newer one).
 */
#ifndef SYNC_MESSAGE_H
#define SYNC_MESSAGE_H

#include "base/cursor.h"
#include "base/id.h"
#include "crypto/hash.h"
#include "sync/sync.h"

#define SYNC_VERSION 1       /* spoken by this build */
#define SYNC_VERSION_LEAST 1 /* the oldest that it still speaks */
#define SYNC_HEADS_MAX 64u
#define SYNC_HAVES_MAX 128u /* a sample of records, thinning out towards the genesis */
#define SYNC_CHAIN_BYTES 8u /* of a chain, in vectors */
#define SYNC_RUN_BYTES 8u   /* names one run of a program */
#define SYNC_BYE_BYTES 160u
#define SYNC_EXTRA_BYTES 4096u /* of a hello: what later versions add */
/* A message as sealed takes 16 bytes more, and is one Noise message. */
#define SYNC_PLAIN_MAX (65535u - 16u)
/* What FRAMES and RECORDS need around one frame or record. */
#define SYNC_AROUND_BYTES 32u

enum msg_kind {
    MSG_HELLO = 1, /* within the handshake only */
    MSG_HAVES = 2,
    MSG_RECORDS = 3,
    MSG_WANT = 4,
    MSG_FRAMES = 5,
    MSG_ACK = 6,
    MSG_STALL = 7,
    MSG_FORK = 8,
    MSG_PING = 9,
    MSG_PONG = 10,
    MSG_BYE = 11,
    MSG_SKIPPABLE = 128, /* this one and all above */
};

/* Flags of RECORDS. */
enum { RECORDS_END = 1, RECORDS_ALL = 2 };
/* Flag of HAVES: answer even if you have answered. */
enum { HAVES_AGAIN = 1 };

enum bye_reason {
    BYE_DONE = 0,      /* an orderly end */
    BYE_PROTOCOL = 1,  /* a message that makes no sense */
    BYE_VERSION = 2,   /* no version that both speak */
    BYE_REMOVED = 3,   /* the receiver is no member any more */
    BYE_DUPLICATE = 4, /* another session with the same peer goes on */
    BYE_CLONED = 5,    /* two machines use the receiver's key */
    BYE_STORAGE = 6,   /* the sender cannot read or write its store */
    BYE_RENEW = 7,     /* time for a new handshake */
    BYE_SILENT = 8,    /* nothing was heard for too long */
};
#define BYE_REASONS 9
/* In words, from the receiver's side of it; unknown ones too. */
const char *bye_text(uint8_t reason);

/* Why a log stalls; in words for any number. */
enum stall_reason { STALL_REFUSED = 1, STALL_UNKNOWN = 2, STALL_VERSION = 3 };
const char *stall_text(uint8_t reason);

/* One log of a vector. `lag`: how far the floor is behind (HELLO only). */
struct vector_entry {
    struct id log;
    uint64_t seq; /* from 1 */
    uint8_t chain[SYNC_CHAIN_BYTES];
    uint64_t lag;
};

/* after + 1, or 0: send no more of it. */
struct want_entry {
    struct id log;
    bool go;
    uint64_t after;
};

/* A decoded message; which fields are there, the kind says. Views into the input. */
struct msg {
    uint8_t kind, flags;
    uint8_t version, least; /* HELLO */
    struct id group;        /* HELLO */
    uint8_t run[SYNC_RUN_BYTES];
    int64_t wall_ms;
    struct bytes hashes; /* HELLO, HAVES: 32 bytes each */
    uint64_t n_hashes;
    struct bytes items; /* HELLO, ACK: vector; WANT; RECORDS; FRAMES */
    struct bytes intro; /* HELLO: records, walked as those of RECORDS */
    uint64_t n;
    uint64_t taken; /* ACK */
    struct id log;  /* FRAMES, STALL, FORK */
    uint64_t seq;   /* STALL, FORK */
    uint8_t chain[SYNC_CHAIN_BYTES];
    uint8_t reason; /* STALL, BYE */
    struct bytes text;
    uint32_t nonce; /* PING, PONG */
};

/* ERR_FORMAT, ERR_LIMIT; ERR_VERSION for an unknown kind that may not be skipped. */
int msg_decode(struct bytes in, struct msg *m, struct err *e) MUST_CHECK;
/* Walking: r is begun by rd_init() on m->items; true while there is one. */
bool msg_vector_next(const struct msg *m, struct rd *r, struct vector_entry *out);
bool msg_want_next(struct rd *r, struct want_entry *out);
bool msg_item_next(struct rd *r, struct bytes *out); /* a record, a frame */
void msg_hash(const struct msg *m, size_t i, struct hash *out);

/* Writing: the head of a message, then n entries with put_*. */
struct hello_head {
    struct id group;
    const uint8_t *run;
    int64_t wall_ms;
    const struct hash *heads; /* ascending */
    size_t n_heads, n_logs;   /* entries that follow; then put_hello_end() */
};
#define SYNC_HELLO_MAX (65535u - 96u) /* what the first message of the handshake takes */
#define SYNC_INTRO_BYTES 60000u       /* of a hello: records that introduce the caller */
void put_hello(struct buf *b, const struct hello_head *h);
void put_hello_end(struct buf *b, struct bytes intro); /* records, each as wr_lenbytes */
void put_vector_entry(struct buf *b, const struct vector_entry *v, bool lag);
void put_haves(struct buf *b, uint8_t flags, const struct hash *hashes,
               size_t n);                       /* sorts nothing: ascending */
void put_records(struct buf *b, uint8_t flags); /* records follow as wr_lenbytes */
void put_want(struct buf *b, size_t n);
void put_want_entry(struct buf *b, const struct want_entry *w);
void put_frames(struct buf *b, const struct id *log); /* frames follow as wr_lenbytes */
void put_ack(struct buf *b, uint64_t taken, size_t n);
void put_stall(struct buf *b, const struct id *log, uint64_t seq, uint8_t reason);
void put_fork(struct buf *b, const struct vector_entry *v);
void put_ping(struct buf *b, enum msg_kind kind, uint32_t nonce);
void put_bye(struct buf *b, uint8_t reason, struct bytes text);

#endif
