/* The group: the user's devices and their keys, computed from the membership log (DESIGN §4). The membership log is a set of signed records, each naming the records its author had seen
 * (a hash graph); the group is a pure function of the set held: records are put into one order that every device finds (causes first; among concurrent ones a removal first, then the lowest hash)
 * and applied. A record whose author is removed by then, or was never a member, is void. Mutual removal: the device that was added earlier stays, then the lower hash.
 *
 * Formats, validity rules and vectors: sync/PROTOCOL.md. Records are stored by store/ as opaque bytes under their hash.
 */
#ifndef SYNC_GROUP_H
#define SYNC_GROUP_H

#include "crypto/device.h"
#include "crypto/epoch.h"
#include "store/store.h"

enum member_record {
    MEMBER_GENESIS = 1,  /* the first device, its certificate, the group's id and beacon key id */
    MEMBER_ADD = 2,      /* a device's certificate, countersigned by the author; which history it may read */
    MEMBER_REMOVE = 3,   /* a device, the cut-off (log, seq) × n that the author had seen of it, the reason */
    MEMBER_DORMANT = 4,  /* silent for 90 days: no longer holds the floor */
    MEMBER_WAKE = 5,
    MEMBER_EPOCH = 6,    /* an epoch: id, previous epoch, its key wrapped, the new key sealed to every member */
    MEMBER_LOG_OPEN = 7, /* a log of the author's, and the chain start */
    MEMBER_NAME = 8,     /* a device's new name */
};

enum member_state { MEMBER_ACTIVE, MEMBER_ASLEEP, MEMBER_REMOVED };

struct member {
    struct id device;
    char name[LIMIT_NAME_BYTES + 1];
    struct device_cert cert;
    enum member_state state;
    int64_t added_ms, changed_ms;
    uint32_t rank; /* order of adding, from 0 */
};

struct group;

/* Reads the records from the store and computes the group; `keys` (this device's, borrowed) opens what epoch keys are sealed to it. A store without records gives a group
 * of nobody: group_found() makes one. */
int group_open(struct group **out, struct store *s, const struct device_keys *keys, struct err *e) MUST_CHECK;
void group_close(struct group *g); /* wipes epoch keys; NULL fine */

/* A new group of this one device: genesis, first epoch, log-open for `log`. */
int group_found(struct group *g, const char *name, const struct id *log, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;
bool group_exists(const struct group *g);
void group_id(const struct group *g, struct id *out);

/* Takes a record from outside: verified, stored, the group computed anew. *fresh says whether it was new. ERR_VERIFY, ERR_FORMAT; ERR_NOTFOUND when a record it names is missing (ask for it first). */
int group_receive(struct group *g, struct bytes record, bool *fresh, struct err *e) MUST_CHECK;
/* The hashes nobody names yet (the heads), ascending; and the records another device lacks, causes first, given its heads (which may be unknown to us: then everything). */
size_t group_heads(const struct group *g, struct hash *out, size_t max);
int group_records(struct group *g, const struct hash *their_heads, size_t n, int (*fn)(void *ctx, struct bytes record), void *ctx, struct err *e) MUST_CHECK;

size_t group_members(const struct group *g);
const struct member *group_member_at(const struct group *g, size_t i); /* by rank; removed ones too */
const struct member *group_member(const struct group *g, const struct id *device); /* NULL: never one */
const struct member *group_member_by_noise(const struct group *g, const uint8_t noise_pk[32]);
bool group_is_active(const struct group *g, const struct id *device); /* active or asleep */

/* Whose log, and up to which seq its ops count (UINT64_MAX: no cut-off). false: the log was never opened by a member. */
bool group_log(const struct group *g, const struct id *log, struct id *device, uint64_t *cutoff);

/* Changing it: each appends a signed record of ours (and an epoch where the membership shrinks). */
int group_add(struct group *g, const struct device_cert *cert, const char *name, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;
int group_remove(struct group *g, const struct id *device, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;
int group_rotate(struct group *g, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;
int group_rename(struct group *g, const struct id *device, const char *name, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;
int group_open_log(struct group *g, const struct id *log, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;
int group_sleep(struct group *g, const struct id *device, bool asleep, const struct rng *rng, int64_t now_ms, struct err *e) MUST_CHECK;

/* Epochs. The current one is where we write: the newest whose recipients are all still members; ERR_ATTENTION when there is none (somebody was removed and the rotation has not been made: group_rotate). */
struct epoch_ref {
    struct id id;
    int64_t since_ms;
    struct id author;
    uint64_t number; /* position in the order */
};
int group_epoch(const struct group *g, struct epoch_ref *ref, const uint8_t **key32, struct err *e) MUST_CHECK;
/* The key of an epoch, for opening frames; NULL when this device does not have it (not a recipient, or history was withheld). */
const uint8_t *group_epoch_key(const struct group *g, const struct id *epoch);
/* Whether the current epoch is older than 30 days. */
bool group_epoch_is_old(const struct group *g, int64_t now_ms);
/* Whether `author` may have written under `epoch` when it did: false when the epoch was closed to it. Concurrent with its removal, below the cut-off: accepted, *late is set. */
bool group_may_write(const struct group *g, const struct id *author, const struct id *epoch, const struct id *log, uint64_t last_seq, bool *late);

/* 32 bytes that key beacons (DESIGN §5) and claim ids: derived from the group's genesis secret, which every member gets sealed when it is added. NULL before group_found/joining. */
const uint8_t *group_secret(const struct group *g);

#endif
