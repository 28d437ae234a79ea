/* The group: the user's devices and their keys, computed from the membership log.
 *
 * The membership log is a set of signed records, each naming the records its author had seen (a hash graph).
 * The group is a pure function of the set held, whatever the order of arrival:
 *   - a record is *valid* when its author was a member in what the record itself names as seen. Others are
 * refused, on every device alike;
 *   - a record is *void* when a removal of its author counts that has not seen it. It stays in the set, and
 * the keys it carries still open what was written under them, but it changes nothing;
 *   - removals that remove one another: that of the device which was added earlier counts, then the lower
 * hash;
 *   - what is left is applied in one order: by distance from the genesis, removals first, then the lowest
 * hash.
 *
 * Epochs. The secret of an epoch (its *root*) is sealed to every member; frames are sealed under a key
 * derived from it, and the roots of earlier epochs are wrapped under another. So a joiner who may read
 * everything gets the root of the newest epoch and finds the rest; one who may read 90 days gets frame keys
 * alone.
 *
 * Formats, rules and vectors: sync/PROTOCOL.md. Records are kept by the store (store/members.h). One thread,
 * the store's. Functions that change something write in the caller's transaction or make their own; when a
 * transaction that changed the group is rolled back, call group_reload().
 */
#ifndef SYNC_GROUP_H
#define SYNC_GROUP_H

#include "crypto/device.h"
#include "crypto/epoch.h"
#include "crypto/frame.h"
#include "store/branch.h"

#define MEMBER_RECORD_BYTES_MAX 65280u /* one record; it fits one message of a session */
#define MEMBER_RECORDS_MAX 10000u      /* in one group */
#define MEMBERS_MAX 64u                /* devices in the group at one time */
#define MEMBERS_EVER_MAX 256u          /* with those removed */
#define MEMBER_HEADS_MAX 64u           /* causes that one record names */
#define EPOCH_DAYS_MAX 30              /* an older epoch is replaced */
#define LOG_BRANCHES_MAX 16u /* of one log: more histories come of a fault that goes on, or of malice */

enum member_record {
    MEMBER_GENESIS = 1,  /* the first device: its certificate, and the group's secret sealed to it */
    MEMBER_ADD = 2,      /* a device's certificate, the group's secret and the epoch keys it is given */
    MEMBER_REMOVE = 3,   /* a device, and up to where its logs count: what the author holds of them */
    MEMBER_DORMANT = 4,  /* silent for 90 days: no longer holds the floor */
    MEMBER_WAKE = 5,     /* undoes it */
    MEMBER_EPOCH = 6,    /* an epoch: its root sealed to every member, earlier roots wrapped */
    MEMBER_LOG_OPEN = 7, /* a log of the author's */
    MEMBER_NAME = 8,     /* a device's new name */
    MEMBER_HAND = 9,     /* epoch keys for a member that an epoch made at the same time left out */
    MEMBER_WORDS = 10,   /* its author is no device but recovery words on paper: nobody meets it */
    MEMBER_FORK = 11,    /* a place behind which a log has several histories, and their branches */
};

enum member_state { MEMBER_ACTIVE, MEMBER_ASLEEP, MEMBER_REMOVED };

struct member {
    struct id device;
    char name[DEVICE_NAME_BYTES + 1];
    struct device_cert cert;
    enum member_state state;
    bool words; /* recovery words: said so itself, signed; never met, acknowledges nothing */
    int64_t added_ms, changed_ms; /* as their authors' clocks said */
    uint32_t rank;                /* order of adding, from 0 */
};

struct group;

/* Reads the records from the store and computes the group; `keys` (this device's) opens what is sealed to it;
 * keys and rng are borrowed until group_close(). A store without records gives a group of nobody. */
int group_open(struct group **out, struct store *s, const struct device_keys *keys, const struct rng *rng,
               struct err *e) MUST_CHECK;
void group_close(struct group *g); /* wipes keys; NULL fine */
/* Reads everything anew from the store. After an error the group is one of nobody, until group_mend(), or a
 * function here that changes it, has read it. */
int group_reload(struct group *g, struct err *e) MUST_CHECK;
/* The same, if an error left the group one of nobody; cheap otherwise. */
int group_mend(struct group *g, struct err *e) MUST_CHECK;

/* A new group of this one device: genesis, first epoch, and `log` opened. Seal what the log holds
 * (frames_seal) before group_add() with a history that is withheld. ERR_EXISTS when there is a group. */
int group_found(struct group *g, struct bytes name, const struct id *log, int64_t now_ms,
                struct err *e) MUST_CHECK;
/* The secret that group_found() will give the group, instead of a random one: a founder's claim ids then stay
 * what they are, and what it has forgotten stays forgotten. */
void group_bring_secret(struct group *g, const uint8_t secret[KEY_BYTES]);
/* Gets ready to take the records of a group that this device is being added to: pairing tells its id. In
 * memory only, until the genesis arrives. ERR_EXISTS when there is a group already. */
int group_join(struct group *g, const struct id *group, struct err *e) MUST_CHECK;
/* Forgets the group: records, frames and what is quarantined; the ops of all logs stay. */
int group_leave(struct group *g, struct err *e) MUST_CHECK;
bool group_exists(const struct group *g);
void group_id(const struct group *g, struct id *out); /* zeros: none */
/* 32 bytes that key beacons, claim ids and occasions, the same for good; every member gets them. NULL: not
 * had (yet). */
const uint8_t *group_secret(const struct group *g);

/* ---- records */

/* Takes a record from outside: verified, stored, the group computed anew. *fresh: it was new. ERR_FORMAT,
 * ERR_VERSION, ERR_LIMIT, ERR_VERIFY (signature, another group, an author who may not); ERR_NOTFOUND when a
 * record it names is not here: ask for that first. An unknown kind is kept and forwarded, and changes
 * nothing.
 */
int group_receive(struct group *g, struct bytes record, bool *fresh, struct err *e) MUST_CHECK;
/* Hashes of the records that no other one names, ascending; at most max, returns how many there are. */
size_t group_heads(const struct group *g, struct hash *out, size_t max);
/* The records that a device with these heads lacks, as far as they are known here, causes first. */
int group_records(const struct group *g, const struct hash *their_heads, size_t n,
                  int (*fn)(void *ctx, struct bytes record), void *ctx) MUST_CHECK;

/* ---- members and logs */

size_t group_members(const struct group *g);
const struct member *group_member_at(const struct group *g, size_t i); /* by rank; removed ones too */
/* NULL: never one. Members are valid until the group changes. */
const struct member *group_find(const struct group *g, const struct id *device); /* group_member is glibc's */
/* Active or asleep ones only. */
const struct member *group_member_by_noise(const struct group *g, const uint8_t noise_pk[KEY_BYTES]);
bool group_is_active(const struct group *g, const struct id *device); /* active or asleep */
/* Whether a device has others: members that are not removed and no recovery words, besides itself. */
bool group_has_others(const struct group *g, const struct id *self);
/* Whose log, and up to which seq its ops count (UINT64_MAX: no cut-off). false: no member opened it. */
bool group_log(const struct group *g, const struct id *log, struct id *device, uint64_t *cutoff);

/* The log that a branch branched off and behind which op; of another log, itself and 0. */
void group_log_root(const struct group *g, const struct id *log, struct id *root, uint64_t *base);
/* Branchings, of all logs. They only become more. */
size_t group_splits(const struct group *g);
const struct log_split *group_split_at(const struct group *g, size_t i);
/* Whether a history that has this chain there branches there; whether any history of the log does. */
bool group_is_split(const struct group *g, const struct log_split *at);
bool group_has_splits(const struct group *g, const struct id *root);

/* ---- changing it: each appends a signed record of ours. ERR_ATTENTION: this device is no member */

enum history { HISTORY_NONE, HISTORY_ALL, HISTORY_SINCE };
struct history_grant {
    enum history kind;
    int64_t since_ms; /* HISTORY_SINCE: epochs in use at or after it */
};
/* `cert` is the encoded certificate. Unless the history is all, a new epoch is made too. ERR_EXISTS: a
 * member, or one that was removed (it needs new keys); ERR_LIMIT: MEMBERS_MAX. */
int group_add(struct group *g, struct bytes cert, const struct history_grant *history, int64_t now_ms,
              struct err *e) MUST_CHECK;
/* Cuts its logs off at what this store holds, and makes a new epoch unless the device is this one.
 * ERR_NOTFOUND.
 */
int group_remove(struct group *g, const struct id *device, int64_t now_ms, struct err *e) MUST_CHECK;
int group_rotate(struct group *g, int64_t now_ms, struct err *e) MUST_CHECK;
int group_rename(struct group *g, const struct id *device, struct bytes name, int64_t now_ms,
                 struct err *e) MUST_CHECK;
/* ERR_EXISTS: another member's. Nothing happens when it is open already. */
int group_open_log(struct group *g, const struct id *log, int64_t now_ms, struct err *e) MUST_CHECK;
/* We (the group was opened with the keys of recovery words) are no device. Signed by the words themselves, so
 * whoever types them later knows by this record that a group is theirs. */
int group_say_words(struct group *g, int64_t now_ms, struct err *e) MUST_CHECK;
/* Several histories of a log are known: their branches, by the chain after their first op. Nothing happens
 * when they are known already. ERR_LIMIT: the log has LOG_BRANCHES_MAX. */
struct log_fork {
    struct log_split at;
    struct hash next[2];
    size_t n; /* 1 or 2 */
};
int group_fork(struct group *g, const struct log_fork *fork, int64_t now_ms, struct err *e) MUST_CHECK;
int group_sleep(struct group *g, const struct id *device, bool asleep, int64_t now_ms,
                struct err *e) MUST_CHECK;
/* Does what has become due: to be called after records came in, and when group_epoch() says ERR_ATTENTION.
 *   - a removed device's log of which we hold more than its cut-off (we met it before we knew): the cut-off
 * is raised, so that all devices keep what one of them has;
 *   - a member that an epoch made at the same time as its adding left out: gets that key;
 *   - no epoch that fits the members, or the current one older than EPOCH_DAYS_MAX: a new one.
 * *changed: records were made. Without a group, or as a removed device: nothing. */
int group_settle(struct group *g, int64_t now_ms, bool *changed, struct err *e) MUST_CHECK;

/* ---- epochs */

struct epoch_ref {
    struct id id;
    int64_t since_ms;
    struct id author;
    uint64_t number; /* position in the order of epochs, from 1 */
};
/* The current one, where we write: the newest that every member can open and nobody else. ERR_ATTENTION:
 * there is none (group_settle makes one) or we are no member. *key is valid until the group changes. */
int group_epoch(const struct group *g, struct epoch_ref *ref, const uint8_t **key, struct err *e) MUST_CHECK;
/* The key of an epoch, for opening frames; NULL when this device does not have it. */
const uint8_t *group_epoch_key(const struct group *g, const struct id *epoch);
bool group_epoch_known(const struct group *g, const struct id *epoch);
/* Whether a device has been given the key of an epoch, as the records say. */
bool group_can_read(const struct group *g, const struct id *device, const struct id *epoch);
bool group_epoch_is_old(const struct group *g, int64_t now_ms);
/* Whether the frame's device may have written it: the log is its own, it can read the epoch, and it is a
 * member or the frame ends at or below the cut-off (*late: from a device that is removed now). */
bool group_may_write(const struct group *g, const struct frame_header *h, bool *late);

/* All of it in one canonical form, for comparing: two groups of the same records give the same bytes. */
int group_dump(const struct group *g, struct buf *out) MUST_CHECK;

#endif
