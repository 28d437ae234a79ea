/* Vectors of propositions, for finding what shares no word with the question: a file beside the database,
 * `<store>-vectors`, of this device alone. It never replicates, is derived from what prop holds, and is made
 * anew when it is damaged or belongs to another model. Layout: store/FORMAT.md.
 *
 * Erasure: a vector goes with its text. store_scrub() leaves none that no present text of prop has, also
 * when the file was not open; a search gives only rows whose text is still the one that was embedded. */
#ifndef STORE_VECTORS_H
#define STORE_VECTORS_H

#include "store/store.h"

#define VECTOR_DIMS_MAX 4096u
#define VECTOR_KEY_BYTES 16
/* More hits are never looked at. */
#define VECTOR_HITS_MAX 1000u

struct vector_model {
    uint8_t key[VECTOR_KEY_BYTES]; /* names the model: vectors of two keys are never compared */
    size_t dims;                   /* 1..VECTOR_DIMS_MAX */
};

/* Opens the file of this model. For writing: one of another model or a damaged one is overwritten and made
 * new. For reading: ERR_NOTFOUND when there is none of this model. Replaces what was open. */
int store_vectors_open(struct store *s, const struct vector_model *m, struct err *e) MUST_CHECK;
void store_vectors_close(struct store *s); /* not open: fine */
/* Overwrites and removes the file, open or not: no model is wanted any more. */
int store_vectors_remove(struct store *s, struct err *e) MUST_CHECK;

/* A proposition without a vector. */
struct vector_due {
    int64_t row;
    uint8_t content[VECTOR_KEY_BYTES]; /* hash of the text, for store_vectors_put() */
    struct bytes text;                 /* borrowed for the call */
};
/* Walks on from where the last call stopped, a bounded way, and gives what lacks a vector, at most max; *end
 * says that all was walked. What changes afterwards is walked again by itself. fn must not call the store. */
int store_vectors_due(struct store *s, size_t max, int (*fn)(void *ctx, const struct vector_due *d),
                      void *ctx, bool *end, struct err *e) MUST_CHECK;
/* Walks again from this row on (0: from the start): what was given out came to nothing. */
void store_vectors_again(struct store *s, int64_t row);
/* Keeps a vector of the model's dims; any length, all zeros: found by nothing. Does nothing when the text is
 * no longer the one of `content`. ERR_FORMAT: a number that is not finite. */
int store_vectors_put(struct store *s, int64_t row, const uint8_t content[VECTOR_KEY_BYTES],
                      const float *from, struct err *e) MUST_CHECK;

struct vector_hit {
    int64_t row;
    float cosine;
};
struct vector_found {
    size_t n;              /* hits, best first, ties by newer row */
    uint64_t looked;       /* vectors compared */
    float mean, deviation; /* of their cosines */
};
/* The propositions nearest to a vector of the model's dims; at most max ≤ VECTOR_HITS_MAX. Not open, or a
 * query that is all zeros or not finite: none. */
int store_vectors_search(struct store *s, const float *query, struct vector_hit *hits, size_t max,
                         struct vector_found *out, struct err *e) MUST_CHECK;
/* Lets go of the memory that searching took: the pages of the file, which stay in the system's cache. */
void store_vectors_rest(struct store *s);
/* How many vectors there are; 0 when not open. */
uint64_t store_vectors_count(struct store *s);

#endif
