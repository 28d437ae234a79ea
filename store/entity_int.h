/* Inside of the merge: an entity in memory. The rules are in entity_reg.c (registers), entity_set.c
 * (observed-remove sets) and entity_count.c (counters); entity_code.c turns all of it into bytes and back;
 * entity.c holds the rest.
 *
 * Four sorted arrays, each a pure function of the set of ops merged so far:
 *
 *     writes   (tag, stamp falling, value falling)   the first of a tag is its winner
 *     names    (tag, hash)                           stamps that some user's write named as replaced
 *     dots     (tag, element, hash)                  additions to sets, and the removals of additions
 *     tallies  (device, source)                      the latest counter of each
 *
 * Values lie in one arena that is squeezed when replaced values fill most of it; elements and names of
 * sources in another one that only grows. Rows hold places in an arena, not pointers, so arrays and arenas
 * may move. */
#ifndef STORE_ENTITY_INT_H
#define STORE_ENTITY_INT_H

#include "store/entity.h"

struct span {
    uint32_t at, n;
};

struct write {
    uint32_t tag;
    struct stamp stamp;
    struct span value; /* in values */
};

struct name {
    uint32_t tag;
    uint8_t hash[16];
};

struct dot {
    uint32_t tag;
    struct span element; /* in keys; shared by all dots of one element */
    uint8_t hash[16];
    bool removed;
};

struct tally {
    struct stamp stamp; /* class always 0: it has no part in the order of counters */
    struct id device;
    struct span source; /* in keys */
    uint64_t support, against;
    int64_t first_ms, last_ms;
};

/* A growing array of rows of one size. */
struct rows {
    uint8_t *p;
    size_t n, cap, size;
};

struct entity {
    bool forgotten;
    struct rows writes, names, dots, tallies;
    struct buf values, keys;
    size_t dead; /* bytes in values that no write points to */
};

/* ---- entity.c */

void *rows_at(const struct rows *r, size_t i);
/* Makes room for a row at place i (0..n). ERR_NOMEM. */
int rows_insert(struct rows *r, size_t i, const void *row) MUST_CHECK;
void rows_remove(struct rows *r, size_t i, size_t n);
/* The first row that is not below key; cmp(x, row, key) orders a row against the key. *hit: it equals key. */
size_t rows_find(const struct entity *x, const struct rows *r, const void *key,
                 int (*cmp)(const struct entity *x, const void *row, const void *key), bool *hit);

/* Copies bytes into an arena. ERR_NOMEM, ERR_LIMIT. */
int span_put(struct buf *arena, struct bytes b, struct span *out) MUST_CHECK;
static inline struct bytes span_view(const struct buf *arena, struct span s)
{
    return bytes_slice(buf_view(arena), s.at, s.n);
}

/* ---- entity_reg.c */

/* A register write as it arrives; value borrowed. */
struct arrival {
    uint32_t tag;
    struct stamp stamp;
    struct bytes value;
};
int reg_apply(struct entity *x, const struct arrival *w, const uint8_t (*replaced)[16],
              size_t n_replaced) MUST_CHECK;
/* Place and number of the writes of a tag. */
size_t reg_run(const struct entity *x, uint32_t tag, size_t *n);
/* Whether the i-th write of a run of n at `from` is shown as a conflict with its winner. */
bool reg_is_sibling(const struct entity *x, size_t from, size_t n, size_t i);
/* Whether all writes stand in their order and are such as merging would have kept. */
bool reg_all_kept(const struct entity *x);
int name_order(const struct entity *x, const void *row, const void *key);

/* ---- entity_set.c */

int set_add(struct entity *x, uint32_t tag, struct bytes element, const uint8_t dot[16]) MUST_CHECK;
int set_remove(struct entity *x, uint32_t tag, const struct set_remove *r) MUST_CHECK;
/* One past the last dot of the element that dot i belongs to. */
size_t set_element_end(const struct entity *x, size_t i);
/* Whether dot i stands in its order behind the one before. */
bool set_is_ordered(const struct entity *x, size_t i);

/* ---- entity_count.c */

int count_apply(struct entity *x, const struct stamp *stamp, const struct count *c) MUST_CHECK;
bool count_is_ordered(const struct entity *x, size_t i);

#endif
