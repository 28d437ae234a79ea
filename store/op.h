/* Ops: the smallest replicated update. One op changes one entity by one or more actions, atomically. The bytes here are what is
 * hashed, signed over and merged; they are documented with vectors in store/FORMAT.md. Encoding is canonical: one op has exactly
 * one byte form, and decoding rejects any other.
 *
 *   op     := suite u8 | space u8 | class u8 | hlc u64 | id 16 | n varint | action × n
 *   action := tag varint | len varint | payload
 *
 * op_hash = BLAKE2b-256(salt16 ‖ op); chain_0 = BLAKE2b-256("selfsame log 1" ‖ log id), chain_i = BLAKE2b-256(chain_{i-1} ‖ op_hash_i).
 * An erased op keeps its op_hash only.
 */
#ifndef STORE_OP_H
#define STORE_OP_H

#include "base/cursor.h"
#include "base/id.h"
#include "crypto/hash.h"

#define OP_SUITE 1
#define SALT_BYTES 16

/* Id spaces. 0 and 64..255 are reserved; unknown ones are kept and forwarded. */
enum op_space {
    SPACE_PROPOSITION = 1,
    SPACE_EDGE = 2,    /* same-as and supersedes edges from this id; holds ids only, survives forgetting */
    SPACE_SETTING = 3, /* id = settings_id(name) */
    SPACE_GRANT = 4,
    SPACE_BLOCK = 5,   /* what must not be learnt again: event keys, source spans */
    SPACE_GROUP = 6,   /* reserved for the membership log */
    SPACE_SUGGESTION = 7,
};

/* Classes of a write, in rising order of authority (DESIGN §3.2). */
enum op_class { CLASS_IMPORT = 0, CLASS_MODEL = 1, CLASS_CONFIRM = 2, CLASS_EDIT = 3 };

/* Action tags. The range decides the merge rule, so that an older build merges a newer tag rightly:
 *   1..63    register write:  payload = n u8 | replaced stamp 16 × n (ascending) | value
 *   64..95   add to set:      payload = element (1..LIMIT_TEXT_BYTES); its dot is the op's stamp
 *   96..127  remove from set (tag − 32): payload = element len+bytes | n varint | dot 16 × n (ascending): observed remove
 *   128..    see below; unknown ones are kept as registers without replaced stamps */
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
    REG_CREATED = 16,    /* i64 svarint ms: capture time of what the claim was first based on */
    SET_TAG = 64,
    SET_LINK = 65,
    SET_PARENT = 66,
    SET_SAME_AS = 67,    /* SPACE_EDGE: 16-byte id */
    SET_SUPERSEDES = 68, /* SPACE_EDGE: this id is a revision of the 16-byte id */
    SET_SPAN = 69,       /* SPACE_BLOCK: source name len+bytes | from i64 | until i64 */
    ACT_COUNT = 128,     /* device 16 | source len+bytes | support varint | against varint | first svarint ms | last svarint ms */
    ACT_SEEN = 129,      /* n varint | (event key 16 | sign u8 0 supports, 1 contradicts | time svarint ms) × n, ascending by key then sign */
    ACT_FORGET = 130,    /* empty payload: final */
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

/* Decodes and checks all of it, payload shapes of known tags included. ERR_FORMAT, ERR_LIMIT; ERR_VERSION for another suite. */
int op_decode(struct bytes b, struct op *out, struct err *e) MUST_CHECK;
/* Walks the actions of a decoded op: at = 0 first; true while there is one. */
bool op_action(const struct op *op, size_t *at, struct action *out);

void op_hash(const uint8_t salt[SALT_BYTES], struct bytes op, struct hash *out);
void chain_start(const struct id *log, struct hash *out);
void chain_next(struct hash *chain, const struct hash *op_hash);

/* An op being written. Fill with draft_*, hand to store_write(). One draft can be reused after draft_reset. */
struct draft {
    uint8_t space, cls;
    struct id id;
    uint32_t n_actions;
    struct buf actions;
};
void draft_init(struct draft *d); /* then draft_release */
void draft_release(struct draft *d);
void draft_reset(struct draft *d, enum op_space space, enum op_class cls, const struct id *id);
/* Register writes name the stamps they replace (16 bytes each, any order); usually entity_stamps() gives them. */
void draft_reg(struct draft *d, enum op_tag tag, struct bytes value, const uint8_t (*replaced)[16], size_t n_replaced);
void draft_reg_u8(struct draft *d, enum op_tag tag, uint8_t v, const uint8_t (*replaced)[16], size_t n_replaced);
void draft_set_add(struct draft *d, enum op_tag tag, struct bytes element);
void draft_set_remove(struct draft *d, enum op_tag tag, struct bytes element, const uint8_t (*dots)[16], size_t n_dots);
struct count {
    struct id device;
    struct bytes source;
    uint64_t support, against;
    int64_t first_ms, last_ms; /* TIME_NONE when both counts are 0 */
};
void draft_count(struct draft *d, const struct count *c);
struct seen {
    uint8_t key[16];
    uint8_t against; /* 0 supports, 1 contradicts */
    int64_t time_ms;
};
/* Sorts `seen` in place. At most 2000 in one op. */
void draft_seen(struct draft *d, struct seen *seen, size_t n);
void draft_forget(struct draft *d);
/* The canonical bytes with the given time. ERR_NOMEM or ERR_LIMIT. */
int draft_encode(const struct draft *d, uint64_t hlc, struct buf *out) MUST_CHECK;

#endif
