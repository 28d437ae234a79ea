/* Ops: the smallest replicated update. One op changes one entity by one or more actions, atomically. The
 * bytes here are what is hashed, signed over and merged; they are documented with vectors in store/FORMAT.md.
 * Encoding is canonical: one op has exactly one byte form, and decoding rejects any other.
 *
 *   op     := suite u8 | space u8 | class u8 | hlc u64 | id 16 | n varint | action × n
 *   action := tag varint | len varint | payload
 *
 * op_hash = BLAKE2b-256(salt16 ‖ op); chain_0 = BLAKE2b-256("selfsame log 1" ‖ log id), chain_i =
 * BLAKE2b-256(chain_{i-1} ‖ op_hash_i). An erased op keeps its op_hash only.
 */
#ifndef STORE_OP_H
#define STORE_OP_H

#include "base/cursor.h"
#include "base/id.h"
#include "crypto/hash.h"

#define OP_SUITE 1
#define SALT_BYTES 16
#define OP_SEEN_MAX 2000u /* elements of one ACT_SEEN: about 48 KB */

/* Id spaces. 0 and 64..255 are reserved; unknown ones are kept and forwarded. */
enum op_space {
    SPACE_PROPOSITION = 1,
    SPACE_EDGE = 2,    /* same-as and supersedes edges from this id; holds ids only, survives forgetting */
    SPACE_SETTING = 3, /* id = settings_id(name) */
    SPACE_GRANT = 4,
    SPACE_BLOCK = 5, /* what must not be learnt again: event keys, source spans */
    SPACE_GROUP = 6, /* reserved for the membership log */
    SPACE_SUGGESTION = 7,
    SPACE_EXCERPT = 8, /* what a device shares of the text of an observation */
    SPACE_WORK = 9, /* which device thinks for all of them: node/infer/lease.h; what they hand it: errand.h */
};

/* Classes of a write, in rising order of authority. */
enum op_class { CLASS_IMPORT = 0, CLASS_MODEL = 1, CLASS_CONFIRM = 2, CLASS_EDIT = 3 };

/* Action tags. The range decides the merge rule, so that an older build merges a newer tag rightly:
 *   1..63    register write:  payload = n u8 | replaced stamp 16 × n (ascending) | value
 *   64..95   add to set:      payload = element (1..LIMIT_TEXT_BYTES); its dot is the op's stamp
 *   96..127  remove from set (tag − 32): payload = element len+bytes | n varint | dot 16 × n (ascending)
 *   128..130 see below
 *   131..    unknown to this build: a register whose value is the whole payload; the last write wins
 * Tags are at most 2^32 − 1, and 0 is never one. Actions stand in ascending order of (tag, key) without
 * repetition; the key is the element of a set action, (device, source) of ACT_COUNT, the payload from 131 on,
 * and nothing for the rest. */
enum op_tag {
    REG_TEXT = 1,        /* UTF-8 sentence */
    REG_REASONING = 2,   /* UTF-8 */
    REG_DECAY = 3,       /* u8 1..10 */
    REG_SCOPE = 4,       /* UTF-8; "" = everywhere */
    REG_SENSITIVITY = 5, /* u8 0 public .. 3 secret */
    REG_KIND = 6,        /* u8, node/model's table */
    REG_PRIOR = 7,       /* u16, stated or prior probability in 1/1000; evidence moves it when read */
    REG_VERDICT = 8,     /* u8 enum verdict; user only */
    REG_PINNED = 9,      /* u8 0/1; user only */
    REG_LIFE = 10,       /* u8 1 live, 0 dropped by the model: any user write to the entity beats it */
    REG_ORIGIN = 11,     /* UTF-8: "tell", "heuristics", "endpoint:<model>" */
    REG_NAME = 12,       /* settings, grants: UTF-8 */
    REG_VALUE = 13,      /* settings, grants: UTF-8 */
    REG_VALID_FROM = 14, /* i64 svarint ms: validity span of a conditional or dated claim */
    REG_VALID_UNTIL = 15,
    REG_CREATED = 16, /* i64 svarint ms: capture time of what the claim was first based on */
    REG_SEALED = 17,  /* SPACE_WORK: bytes that only the device named beside them can open */
    SET_TAG = 64,
    SET_LINK = 65,
    SET_PARENT = 66,
    SET_SAME_AS = 67,    /* SPACE_EDGE: 16-byte id */
    SET_SUPERSEDES = 68, /* SPACE_EDGE: this id is a revision of the 16-byte id */
    SET_SPAN = 69, /* SPACE_BLOCK: source name len+bytes | from ms u64 | until ms u64 (two's complement) */
    /* device 16 | source len+bytes | support varint | against varint | first svarint ms | last svarint ms */
    ACT_COUNT = 128,
    /* n varint | (event key 16 | sign u8 0 supports, 1 contradicts | time svarint ms) × n, ascending by key,
       sign */
    ACT_SEEN = 129,
    ACT_FORGET = 130, /* empty payload: final */
};

enum verdict { VERDICT_NONE = 0, VERDICT_CONFIRMED = 1, VERDICT_REJECTED = 2 };

/* Total order of writes: class, hlc, log, hash prefix. */
struct stamp {
    uint8_t cls;
    uint64_t hlc;
    struct id log;
    uint8_t hash[16]; /* first half of op_hash; names the write */
};
int stamp_cmp(const struct stamp *a, const struct stamp *b);

/* A decoded op; views are borrowed from the encoded bytes. */
struct op {
    uint8_t suite, space, cls;
    uint64_t hlc;
    struct id id;
    uint32_t n_actions;
    struct bytes actions; /* the encoded actions, already checked for shape */
};

struct action {
    uint64_t tag;
    struct bytes payload;
};

/* ACT_COUNT: what a device counted of a source so far. The latest one of a (device, source) replaces the
 * earlier. */
struct count {
    struct id device;
    struct bytes source;
    uint64_t support, against;
    int64_t first_ms, last_ms; /* TIME_NONE when both counts are 0 */
};
/* An element of ACT_SEEN. */
struct seen {
    uint8_t key[16];
    uint8_t against; /* 0 supports, 1 contradicts */
    int64_t time_ms;
};

/* The merge rule of an action, given by its tag alone. */
enum action_kind {
    ACTION_REG,
    ACTION_ADD,
    ACTION_REMOVE,
    ACTION_COUNT,
    ACTION_SEEN,
    ACTION_FORGET,
    ACTION_OTHER
};
enum action_kind action_kind(uint64_t tag);

/* Decodes and checks all of it, payload shapes of known tags included. ERR_FORMAT, ERR_LIMIT; ERR_VERSION for
 * another suite. The text of the error says what is wrong, never content. */
int op_decode(struct bytes b, struct op *out, struct err *e) MUST_CHECK;
/* Walks the actions of a decoded op: at = 0 first; true while there is one. */
bool op_action(const struct op *op, size_t *at, struct action *out);

/* The parts of an action of a decoded op, by kind; views are borrowed from its payload. */
struct reg_write {
    const uint8_t (*replaced)[16]; /* the stamps it names, ascending */
    size_t n_replaced;
    struct bytes value;
};
void action_reg(const struct action *a, struct reg_write *out);
struct set_remove {
    struct bytes element;
    const uint8_t (*dots)[16]; /* ascending */
    size_t n_dots;
};
void action_remove(const struct action *a, struct set_remove *out);
void action_count(const struct action *a, struct count *out);
/* Walks the elements of ACT_SEEN: at = 0 first; true while there is one. */
bool action_seen(const struct action *a, size_t *at, struct seen *out);

void op_hash(const uint8_t salt[SALT_BYTES], struct bytes op, struct hash *out);
void chain_start(const struct id *log, struct hash *out);
void chain_next(struct hash *chain, const struct hash *op_hash);

/* An op being written. Fill with draft_*, in any order, and hand to store_write(). One draft can be reused
 * after draft_reset. Errors stick until draft_encode. */
struct draft {
    uint8_t space, cls;
    struct id id;
    uint32_t n_actions;
    struct buf actions;
};
void draft_init(struct draft *d); /* then draft_release */
void draft_release(struct draft *d);
void draft_reset(struct draft *d, enum op_space space, enum op_class cls, const struct id *id);
/* Register writes name the stamps they replace (16 bytes each, any order, at most LIMIT_PRIOR_STAMPS);
 * usually entity_stamps() gives them. For tags from 131 on n_replaced must be 0. */
void draft_reg(struct draft *d, enum op_tag tag, struct bytes value, const uint8_t (*replaced)[16],
               size_t n_replaced);
void draft_reg_u8(struct draft *d, enum op_tag tag, uint8_t v, const uint8_t (*replaced)[16],
                  size_t n_replaced);
void draft_set_add(struct draft *d, enum op_tag tag, struct bytes element);
/* `tag` is that of the set; dots in any order. Nothing is written when n_dots is 0: there is nothing to
 * remove. */
void draft_set_remove(struct draft *d, enum op_tag tag, struct bytes element, const uint8_t (*dots)[16],
                      size_t n_dots);
void draft_count(struct draft *d, const struct count *c);
/* Sorts `seen` in place, drops repeated (key, sign), keeping the lowest time. Nothing is written when n is 0.
 */
void draft_seen(struct draft *d, struct seen *seen, size_t n);
void draft_forget(struct draft *d);
/* The canonical bytes with the given time, appended to out. ERR_NOMEM, ERR_LIMIT; ERR_FORMAT when the draft
 * is empty or a value breaks a rule of op_decode (two writes of one register, text that is not UTF-8, …). */
int draft_encode(const struct draft *d, uint64_t hlc, struct buf *out) MUST_CHECK;

#endif
