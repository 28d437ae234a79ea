/* The merge: an entity is the fold of all ops with one (space, id). Every rule is a maximum over a total
 * order, a per-writer latest value, or a union, so the fold is commutative, associative and
 * idempotent. Pure memory, no I/O: the SQLite store, the memory model of the tests' cross-checks and the dump
 * all rest on this file's promise; the tests hold a second model written apart from it.
 *
 * Two byte forms: the *state* (entity_encode) is private to the store and holds what merging needs (named
 * stamps whose write has not come, removed dots); the *dump* (entity_dump) is canonical: equal sets of ops
 * give equal bytes on every device.
 */
#ifndef STORE_ENTITY_H
#define STORE_ENTITY_H

#include "store/op.h"

struct entity;

struct entity *entity_new(void); /* empty; NULL when out of memory */
void entity_free(struct entity *x);
void entity_clear(struct entity *x); /* empty again, keeps allocations */

/* Replaces the content of x by an encoded state. ERR_CORRUPT. The bytes are copied. */
int entity_decode(struct entity *x, struct bytes state, struct err *e) MUST_CHECK;
int entity_encode(const struct entity *x, struct buf *out) MUST_CHECK;

/* Where the elements of ACT_SEEN go; they are too many to be kept in the state. The caller keeps them as a
 * grow-only set keyed by (key, sign), with the lowest time given for each. fn returns 0 to go on; anything
 * else ends the merge. */
struct seen_sink {
    int (*fn)(void *ctx, const struct seen *s);
    void *ctx;
};

/* Merges one op; log and hash make its stamp. Idempotent. `seen` may be NULL. ERR_NOMEM, ERR_LIMIT, or what
 * the sink returned: x is then partly merged and must be cleared. After ACT_FORGET the entity holds nothing
 * else, ever, and gives nothing to the sink; a caller that sees entity_forgotten() turn true drops the
 * elements it had kept. */
int entity_apply(struct entity *x, const struct op *op, const struct id *log, const struct hash *hash,
                 const struct seen_sink *seen) MUST_CHECK;

bool entity_forgotten(const struct entity *x);
/* Dropped by the model and not held by any user write. */
bool entity_dropped(const struct entity *x);
/* Highest class that ever wrote a register of it. */
enum op_class entity_class(const struct entity *x);

/* The winner of a register; false when never written. Views borrowed until x changes. stamp may be NULL. */
bool entity_reg(const struct entity *x, enum op_tag tag, struct bytes *value, struct stamp *stamp);
uint8_t entity_reg_u8(const struct entity *x, enum op_tag tag, uint8_t otherwise);
/* Writes that the winner never saw, of the winner's class, with another value, highest first: conflicts to
 * show. Class < CONFIRM never conflicts. */
size_t entity_siblings(const struct entity *x, enum op_tag tag);
bool entity_sibling(const struct entity *x, enum op_tag tag, size_t i, struct bytes *value,
                    struct stamp *stamp);
/* The hash prefixes of all current writes of a register, winner and siblings: what a new write should name as
 * replaced. Returns how many (≤ max). */
size_t entity_stamps(const struct entity *x, enum op_tag tag, uint8_t (*out)[16], size_t max);
/* Tags of registers with siblings, ascending; returns how many. Kind, origin, creation and life are left out:
 * nobody chose them, so nobody disagrees about them. */
size_t entity_conflicts(const struct entity *x, uint64_t *tags, size_t max);

/* Live elements of an observed-remove set, ascending by bytes. */
size_t entity_set_count(const struct entity *x, enum op_tag tag);
struct bytes entity_set_at(const struct entity *x, enum op_tag tag, size_t i);
/* Walks them: at = 0 first; true while there is one. */
bool entity_set_next(const struct entity *x, enum op_tag tag, size_t *at, struct bytes *element);
/* The live dots of an element, for removing it. Returns how many (≤ max). */
size_t entity_set_dots(const struct entity *x, enum op_tag tag, struct bytes element, uint8_t (*out)[16],
                       size_t max);

/* Counters, ascending by (device, source). */
size_t entity_count_n(const struct entity *x);
bool entity_count_at(const struct entity *x, size_t i, struct count *out);

/* The canonical bytes of x, without ACT_SEEN elements. */
int entity_dump(const struct entity *x, struct buf *out) MUST_CHECK;

#endif
