/* Inside of the group: records as bytes and as a set, the order and state computed from them, keys.
 *
 *   group_record.c  bytes ⇄ fields
 *   group_order.c   the set, what each record has seen, which removals count and which records are void
 *   group_state.c   members, logs and epochs from the records in order
 *   group_check.c   whether a record may be, given the state its author had seen
 *   group_keys.c    the secrets that this device can open
 *   group_change.c, group_settle.c   records of our own
 *   group.c         the whole, and reading it
 *
 * Records are named by their place in the set, in order of arrival; nothing computed depends on it.
 */
#ifndef SYNC_GROUP_INT_H
#define SYNC_GROUP_INT_H

#include "base/cursor.h"
#include "base/map.h"
#include "sync/group.h"

#define NOWHERE UINT32_MAX
#define MEMBER_KEYS_MAX 400u  /* keys handed over in one record: 58 KB */
#define MEMBER_CUTS_MAX 1024u /* logs cut off by one removal */
/* A body, beside the largest head. */
#define MEMBER_BODY_BYTES_MAX (MEMBER_RECORD_BYTES_MAX - 2300u)
#define MEMBER_WRAPS_MAX 256u /* earlier epochs wrapped by one */

/* ---- bytes */

/* n items of `size` bytes that begin with an id, ascending by it. */
struct list {
    const uint8_t *p;
    size_t n, size;
};
static inline const uint8_t *list_at(const struct list *l, size_t i)
{
    return l->p + i * l->size;
}

/* What is handed over of an epoch. */
enum key_kind { KEY_ROOT = 1, KEY_FRAME = 2 };
#define ITEM_KEY_BYTES (ID_BYTES + 1 + EPOCH_SEALED_BYTES) /* epoch ‖ kind ‖ sealed to the device */
#define ITEM_CUT_BYTES (ID_BYTES + 8)                      /* log ‖ seq u64 */
#define ITEM_SEALED_BYTES (ID_BYTES + EPOCH_SEALED_BYTES)  /* device ‖ root sealed to it */
#define ITEM_WRAP_BYTES (ID_BYTES + EPOCH_WRAPPED_BYTES)   /* epoch ‖ its root wrapped */

/* The fields of a body; which of them are there, the kind says. Views into the record. */
struct record_body {
    struct id device;             /* REMOVE, DORMANT, WAKE, NAME, HAND; of the certificate in GENESIS, ADD */
    struct bytes cert;            /* GENESIS, ADD */
    struct id secret_id;          /* GENESIS */
    struct bytes secret;          /* GENESIS, ADD: sealed to the device */
    struct history_grant history; /* ADD */
    struct list keys;             /* ADD, HAND */
    struct list cuts;             /* REMOVE */
    struct id epoch, frame;       /* EPOCH: its id, the id of its frame key */
    struct list sealed, wraps;    /* EPOCH */
    struct id log;                /* LOG_OPEN, FORK */
    struct log_split split;       /* FORK */
    struct list branches;         /* FORK: chains after their first ops */
    struct bytes name;            /* NAME */
};

struct record_head {
    uint8_t kind;
    struct id group, author;
    int64_t time_ms;
    struct list causes; /* 32 bytes each, ascending */
    struct bytes body, text, signature;
};

/* ERR_FORMAT, ERR_LIMIT, ERR_VERSION. */
int record_decode(struct bytes b, struct record_head *h, struct record_body *body, struct err *e) MUST_CHECK;
void record_hash(struct bytes b, struct hash *out);
/* Appends head and body, signed: text and signature of h are not looked at. */
int record_encode(const struct record_head *h, const struct sign_key *key, struct buf *out) MUST_CHECK;

/* ---- the set */

struct record {
    struct hash hash;
    uint8_t *owned;          /* the bytes */
    struct bytes bytes;      /* a view of them */
    struct record_head head; /* views of bytes */
    struct record_body body;
    struct device_cert cert; /* GENESIS, ADD */
    uint32_t depth;          /* longest way to the genesis */
    uint64_t *past;          /* a bit for each record before it in the set: it has seen that one */
    bool named;              /* by another record: no head */
};

struct record_set {
    struct record **r;
    uint32_t n, cap;
    uint32_t *order; /* by depth, removals first, hash */
    struct map *by_hash;
};

int records_init(struct record_set *s) MUST_CHECK;
void records_release(struct record_set *s);
/* Decodes and takes a copy of the record; certificates are opened. The causes must be here: ERR_NOTFOUND. The
 * record is not in the set yet: records_add() or record_free() follows. */
int records_make(const struct record_set *s, struct bytes b, struct record **out, struct err *e) MUST_CHECK;
void record_free(struct record *r);
int records_add(struct record_set *s, struct record *r) MUST_CHECK;
uint32_t records_find(const struct record_set *s, const struct hash *hash); /* NOWHERE */
/* Whether record x has seen record y; not itself. */
bool records_saw(const struct record_set *s, uint32_t x, uint32_t y);

/* ---- the state */

struct mask {
    uint64_t w[MEMBERS_EVER_MAX / 64];
};

/* A device of whose adding a record is in the set, in order of adding. */
struct group_device {
    struct member member;
    uint32_t first_add; /* record */
    bool admitted;      /* one of those is not void */
    bool removed;       /* a removal counts */
    enum history history;
};

struct group_log {
    struct id log, root; /* root: itself when it is no branch */
    uint32_t device, branches;
    uint64_t cut, base;
};

struct group_epoch {
    struct id id, frame;
    uint32_t record, author;
    bool is_void;
    int64_t since_ms;
    struct mask root, key; /* who was given the root; who was given the frame key or the root */
};

struct state {
    struct group_device *devices;
    uint32_t n_devices, n_active;
    struct group_log *logs;
    uint32_t n_logs;
    struct group_epoch *epochs; /* in order */
    uint32_t n_epochs;
    struct log_split *splits;
    uint32_t n_splits;
    struct mask active;
    struct map *by_device, *by_log, *by_epoch; /* id → index + 1 */
    uint8_t *is_void;                          /* for each record of the set */
};

static inline bool mask_has(const struct mask *m, uint32_t i)
{
    return m->w[i / 64] >> (i % 64) & 1;
}
static inline void mask_put(struct mask *m, uint32_t i)
{
    m->w[i / 64] |= UINT64_C(1) << (i % 64);
}
void mask_join(struct mask *m, const struct mask *other);
bool mask_eq(const struct mask *a, const struct mask *b);
/* Whether all of a are in b. */
bool mask_within(const struct mask *a, const struct mask *b);

/* The state that the records of `past` give, a closed part of the set (record->past); NULL: all of them. */
int state_compute(const struct record_set *s, const uint64_t *past, struct state *out) MUST_CHECK;
void state_release(struct state *st);
uint32_t state_device(const struct state *st, const struct id *device); /* NOWHERE */
uint32_t state_log(const struct state *st, const struct id *log);
uint32_t state_epoch(const struct state *st, const struct id *epoch);
bool state_is_active(const struct state *st, uint32_t device);
/* The newest epoch that all members can open and nobody else; NOWHERE. */
uint32_t state_current(const struct state *st);

/* group_order.c: which removals count, and which records are void. */
struct verdicts {
    const struct record_set *set;
    const uint64_t *past;  /* NULL: the whole set */
    uint32_t *author;      /* for each record: its author's device, or NOWHERE */
    uint32_t *subject;     /* for each record: the device it adds or removes, or NOWHERE */
    uint32_t *next;        /* for each record: the next adding, or counting removal, of the same device */
    uint32_t *adds, *hits; /* for each device: its addings, the removals of it that count */
    uint32_t *in_order;    /* all addings */
    size_t n_adds;
    uint8_t *is_void; /* for each adding, by the removals that count so far */
    uint8_t *counted; /* for each record: a removal that counts */
};
/* Fills v for a state whose devices are known. */
int verdicts_make(struct verdicts *v, const struct record_set *s, const uint64_t *past,
                  const struct state *st) MUST_CHECK;
void verdicts_release(struct verdicts *v);
bool verdicts_in(const struct verdicts *v, uint32_t x); /* part of what is looked at */
bool verdicts_void(const struct verdicts *v, uint32_t x);
bool verdicts_counts(const struct verdicts *v, uint32_t removal);

/* Whether the record may be, in the state of what it has seen: ERR_VERIFY, ERR_LIMIT. */
int record_check(const struct state *st, const struct record *r, struct err *e) MUST_CHECK;

/* ---- the group */

struct epoch_keys {
    struct id id;
    bool has_root, has_frame, tried;
    uint8_t root[KEY_BYTES], frame[KEY_BYTES];
};

struct group {
    struct store *store;
    const struct device_keys *keys;
    const struct rng *rng;
    struct id own; /* this device */
    struct id id, joining;
    struct record_set set;
    struct state state;
    bool has_secret, brings_secret;
    uint8_t secret[KEY_BYTES];
    uint8_t brought[KEY_BYTES]; /* what group_found() is to make the group's secret */
    struct epoch_keys *epoch_keys;
    uint32_t n_epoch_keys;
    struct map *by_key; /* epoch → index + 1 */
};

/* Computes the state anew and looks for keys. */
int group_compute(struct group *g, struct err *e) MUST_CHECK;
/* Puts a record that records_make() made and record_check() let pass into store and set; takes ownership. */
int group_take(struct group *g, struct record *r, struct err *e) MUST_CHECK;
int keys_find(struct group *g, struct err *e) MUST_CHECK;
void keys_forget(struct group *g);
const struct epoch_keys *keys_of(const struct group *g, const struct id *epoch); /* NULL: nothing of it */
void keys_frame(const uint8_t root[KEY_BYTES], uint8_t frame[KEY_BYTES]);
uint32_t group_self(const struct group *g); /* our device if active, else NOWHERE */

/* A record of our own with this body; the second takes a body that was written, and releases it. */
int group_append(struct group *g, enum member_record kind, struct bytes body, int64_t now_ms,
                 struct err *e) MUST_CHECK;
int group_append_body(struct group *g, enum member_record kind, struct buf *body, int64_t now_ms,
                      struct err *e) MUST_CHECK;
/* Ends a run of records that members_begin() began; the group is read anew when it was rolled back. */
int group_change_end(struct group *g, bool own, int rc, struct err *e) MUST_CHECK;
int group_need_self(struct group *g, struct err *e) MUST_CHECK; /* ERR_ATTENTION: no member */
int64_t group_time(int64_t ms);                                       /* clamped to what a record may hold */
static inline void put_id(struct buf *b, const struct id *id)
{
    wr_bytes(b, bytes_of(id->b, ID_BYTES));
}

/* Hands over keys of epochs (their index in the state; `wishes` is put into order). */
struct key_wish {
    uint32_t epoch;
    enum key_kind kind;
};
int group_hand(struct group *g, uint32_t device, struct key_wish *wishes, size_t n, int64_t now_ms,
               struct err *e) MUST_CHECK;
/* A removal that cuts the device's logs off at what the store holds. */
int group_cut(struct group *g, const struct id *device, int64_t now_ms, struct err *e) MUST_CHECK;

#endif
