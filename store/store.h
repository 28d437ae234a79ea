/* The store: one SQLite file that holds the logs (what replicates) and the model merged from them (what is
 * read), kept in step by applying every op in the transaction that appends it. Invariants:
 *   1. a log is gapless: seq 1..n, each with its op hash and the chain;
 *   2. the merged tables are a pure function of the ops held and the forgets held; store_rebuild() proves it;
 *   3. what store_commit() acknowledged survives a crash at any later instant, what it did not is gone;
 *   4. after a forget the content is in no file of the folder (store_scrub()).
 * One thread. One transaction at a time: begin, any number of writes, commit; single writes outside one make
 * their own.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/clock.h"
#include "base/time.h"
#include "store/entity.h"

struct store;

struct store_config {
    const char *path; /* the database file; made 0600 when absent */
    const char *vfs;  /* SQLite VFS, NULL = default: the tests' way in for file faults; borrowed while open */
    const struct clock *clock; /* borrowed while open */
    const struct rng *rng;     /* borrowed while open */
    bool read_only;
    bool must_exist;
};

/* ERR_FORMAT "not a selfsame store", ERR_VERSION, ERR_CORRUPT, ERR_NOTFOUND (must_exist), ERR_PERM,
 * ERR_INUSE, ERR_FULL, ERR_IO. Migrates older schemas. */
int store_open(struct store **out, const struct store_config *cfg, struct err *e) MUST_CHECK;
void store_close(struct store *s); /* NULL fine; rolls back an open transaction */

/* The database's own random number, changed at every store_lease(); node/ keeps it outside too and opens a
 * new log when they differ. */
int store_lease(struct store *s, uint8_t out[16], struct err *e) MUST_CHECK;
/* Writes it, durable at once. */
int store_lease_set(struct store *s, const uint8_t lease[16], struct err *e) MUST_CHECK;

/* The log that store_write() appends to, and whose device that is; kept in memory only. */
void store_use_log(struct store *s, const struct id *log, const struct id *device);

int store_begin(struct store *s, struct err *e) MUST_CHECK;
/* Durable when it returns 0; on failure the transaction is rolled back. */
int store_commit(struct store *s, struct err *e) MUST_CHECK;
void store_rollback(struct store *s);
/* Bulk on: commits survive a crash of the program, but a power cut may lose the last ones (a whole earlier
 * state remains). Off (as opened): a commit that returned is on the disk. Outside a transaction. */
int store_bulk(struct store *s, bool on, struct err *e) MUST_CHECK;

/* Appends the draft to our log and merges it. Writing to a forgotten id: ERR_FORGOTTEN. ERR_ATTENTION: the
 * log was closed because it had branched (store/branch.h); another one is to be opened. */
int store_write(struct store *s, const struct draft *d, struct err *e) MUST_CHECK;
/* The same dated at a wall time of the past: for a log that is written anew (store/reset.h). What our log
 * holds already is never overtaken. */
int store_write_at(struct store *s, const struct draft *d, int64_t wall_ms, struct err *e) MUST_CHECK;

/* One op of another log (sync, tests): seq must be the next one of that log (ERR_EXISTS: had it already, with
 * the same hash; ERR_VERIFY: other hash at that seq: a fork; ERR_NOTFOUND: a gap). `op` empty: an erased op,
 * of which only `hash` is known. A hash that does not match salt and op: ERR_VERIFY. Ops too far ahead are
 * held. */
struct op_record {
    struct id log;
    uint64_t seq;
    uint8_t salt[SALT_BYTES];
    struct bytes op;
    struct hash hash;
};
int store_receive(struct store *s, const struct op_record *r, struct err *e) MUST_CHECK;
/* Merges held ops whose time has come; *released counts them, *next_ms gets when the next one is due
 * (TIME_NONE: none held). */
int store_release_held(struct store *s, size_t *released, int64_t *next_ms, struct err *e) MUST_CHECK;

/* Logs: head (seq, chain) of each, ascending by id. Of a branch (store/branch.h) seq and chain count on from
 * where it branched off, behind op `base`. */
struct log_head {
    struct id log, device;
    struct id root; /* the log that it is a branch of; itself when it is none */
    uint64_t base;
    bool closed; /* it branched: nothing is appended any more */
    uint64_t seq;
    struct hash chain;
    uint64_t held;     /* ops stored but not merged yet */
    int64_t ahead_ms;  /* how far the furthest held one is ahead; 0 = none */
    int64_t newest_ms; /* time of the newest op that was merged */
};
int store_logs(struct store *s, int (*fn)(void *ctx, const struct log_head *h), void *ctx,
               struct err *e) MUST_CHECK;
/* Ops (from, from+max] of a log in order, of a branch also those before it branched off; fn's record is
 * borrowed for the call. */
int store_ops(struct store *s, const struct id *log, uint64_t from, uint64_t max,
              int (*fn)(void *ctx, const struct op_record *r), void *ctx, struct err *e) MUST_CHECK;
/* Recomputes every hash and chain. ERR_VERIFY names log and seq. */
int store_verify(struct store *s, struct err *e) MUST_CHECK;
/* SQLite's integrity check, foreign keys, full-text index, and merged tables against a fresh merge of the
 * ops. ERR_CORRUPT names the first fault. */
int store_check(struct store *s, struct err *e) MUST_CHECK;
/* Merges everything anew from the ops held. */
int store_rebuild(struct store *s, struct err *e) MUST_CHECK;

/* The canonical dump, in pieces, and its BLAKE2b-256; the digest is cached until the next write. */
int store_dump(struct store *s, int (*fn)(void *ctx, struct bytes piece), void *ctx,
               struct err *e) MUST_CHECK;
int store_digest(struct store *s, struct hash *out, struct err *e) MUST_CHECK;

/* An entity's merged state into x (cleared first); ERR_NOTFOUND when no op names it. */
int store_entity(struct store *s, enum op_space space, const struct id *id, struct entity *x,
                 struct err *e) MUST_CHECK;
/* All entities of a space, ascending by id. */
int store_entities(struct store *s, enum op_space space,
                   int (*fn)(void *ctx, const struct id *id, const struct entity *x), void *ctx,
                   struct err *e) MUST_CHECK;
struct entity_range {
    enum op_space space;
    struct id after; /* those behind it; ID_NONE: from the start */
};
/* Those of a range. */
int store_entities_in(struct store *s, const struct entity_range *r,
                      int (*fn)(void *ctx, const struct id *id, const struct entity *x), void *ctx,
                      struct err *e) MUST_CHECK;
/* Event keys seen for a proposition: fn gets each, ascending. */
int store_seen(struct store *s, const struct id *id, int (*fn)(void *ctx, const struct seen *seen), void *ctx,
               struct err *e) MUST_CHECK;
/* History: every op that touched an entity, oldest first by stamp; erased ones have empty `op`. */
int store_history(struct store *s, enum op_space space, const struct id *id,
                  int (*fn)(void *ctx, const struct op_record *r), void *ctx, struct err *e) MUST_CHECK;

/* Propositions as read by listing and ranking: columns materialised from the merged state. */
enum prop_flag {
    PROP_PINNED = 1,
    PROP_CONFIRMED = 2,
    PROP_REJECTED = 4,
    PROP_EDITED = 8, /* a user wrote its text */
    PROP_DROPPED = 16,
    PROP_SUPERSEDED = 32,
    PROP_CONFLICT = 64,
    PROP_MERGED = 128, /* same-as: not the canonical one */
};
struct prop {
    int64_t row;
    struct id id;
    uint32_t flags;
    uint8_t kind, decay, sensitivity;
    uint16_t prior;                 /* 1/1000; 0: none stated, that of its kind counts */
    uint32_t devices;               /* how many devices' counters support it */
    uint64_t support, against;      /* counters and seen keys, summed; of all same-as members */
    int64_t first_ms, last_ms;      /* of the evidence; TIME_NONE when there is none */
    int64_t created_ms, changed_ms; /* capture time; hlc of the newest winning register */
    int64_t until_ms;               /* from when on it does not hold any more; TIME_NONE: open */
    struct bytes text, reasoning, scope, origin;
};
/* One by id (any space member: same-as members give the canonical one when `canonical`). Views valid until
 * the next call on the store. */
int store_prop(struct store *s, const struct id *id, bool canonical, struct prop *out,
               struct err *e) MUST_CHECK;
int store_prop_row(struct store *s, int64_t row, struct prop *out, struct err *e) MUST_CHECK;
/* All that are not forgotten; `flags_off`: leave out those with any of these flags. fn returns 0 to go on.
 * Reasoning is not loaded. */
int store_props(struct store *s, uint32_t flags_off, int (*fn)(void *ctx, const struct prop *p), void *ctx,
                struct err *e) MUST_CHECK;
/* As store_props(), by index, newest row first, at most max of them: the pinned ones; those of one scope (not
 * empty). */
int store_props_pinned(struct store *s, uint32_t flags_off, size_t max,
                       int (*fn)(void *ctx, const struct prop *p), void *ctx, struct err *e) MUST_CHECK;
struct scope_query {
    struct bytes scope;
    uint32_t flags_off;
    size_t max;
};
int store_props_scope(struct store *s, const struct scope_query *query,
                      int (*fn)(void *ctx, const struct prop *p), void *ctx, struct err *e) MUST_CHECK;
int store_prop_count(struct store *s, uint32_t flags_off, uint64_t *out, struct err *e) MUST_CHECK;
/* Resolves an id prefix among propositions: ERR_NOTFOUND, ERR_AMBIGUOUS (hint lists some). Shortest unique
 * prefix length of an id, at least 4. */
int store_prop_find(struct store *s, struct bytes prefix, struct id *out, struct err *e) MUST_CHECK;
int store_prop_prefix(struct store *s, const struct id *id, size_t *chars, struct err *e) MUST_CHECK;

/* Forget by the user: final. Writes the forget, erases the bodies of every op of the id and its same-as
 * members, blocks `keys` (event keys of observations erased with it) from being learnt again. The caller
 * erases local observations (store/local.h) in the same transaction and calls store_scrub() after commit. */
int store_forget(struct store *s, const struct id *id, const uint8_t (*keys)[16], size_t n_keys,
                 struct err *e) MUST_CHECK;
/* Blocks event keys alone, as observations erased with the proposition `id`. */
int store_block_keys(struct store *s, const struct id *id, const uint8_t (*keys)[16], size_t n,
                     struct err *e) MUST_CHECK;
/* Blocks a source in a span of capture time (both ends included). */
int store_block_source(struct store *s, struct bytes source, int64_t from_ms, int64_t until_ms,
                       struct err *e) MUST_CHECK;
/* Blocks single events of a source, by their keys: what a span would reach too far for. */
int store_block_events(struct store *s, struct bytes source, const uint8_t (*keys)[16], size_t n,
                       struct err *e) MUST_CHECK;
/* The spans blocked, here or on another device. */
int store_blocked_spans(struct store *s,
                        int (*fn)(void *ctx, struct bytes source, int64_t from_ms, int64_t until_ms),
                        void *ctx, struct err *e) MUST_CHECK;
/* Whether an event must not be taken up again. */
int store_blocked(struct store *s, const uint8_t key[16], struct bytes source, int64_t time_ms, bool *out,
                  struct err *e) MUST_CHECK;
/* Makes erased content unreadable in every file: merges full-text segments, empties the WAL, clears free
 * pages. Outside a transaction. */
int store_scrub(struct store *s, struct err *e) MUST_CHECK;

/* Whether something was erased since the last store_scrub(), by the user here or by a forget that another
 * device sent, and the program ended or failed before it: then it is to be done soon. */
int store_scrub_due(struct store *s, bool *due, struct err *e) MUST_CHECK;

/* Replicated settings: name → value (UTF-8). */
void settings_id(struct bytes name, struct id *out);
int store_setting(struct store *s, const char *name, struct buf *value, bool *found,
                  struct err *e) MUST_CHECK;
int store_setting_set(struct store *s, const char *name, struct bytes value, struct err *e) MUST_CHECK;

#endif
