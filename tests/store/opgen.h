/* Random ops from a seed: few ids, logs, stamps and values, so that concurrent writes, removals before
 * additions, forgets, equal times and unknown tags and spaces are frequent. Names and dots are those of ops
 * made earlier, of the same entity or not. */
#ifndef TESTS_STORE_OPGEN_H
#define TESTS_STORE_OPGEN_H

#include "store/store.h"

#define OPGEN_MS INT64_C(1700000000000) /* all times are within a second after it */
#define OPGEN_LOGS 3

struct opgen {
    struct op_record *ops; /* seq without gaps in each log, in the order of the array */
    size_t n;
    uint8_t **bodies; /* what the ops are views of */
};

/* Makes n ops. With `collide` the first halves of hashes come from a handful, as no honest hash would: then
 * only the total order of writes keeps the merge determined. Such records do not pass store_receive(). */
void opgen_make(struct opgen *g, uint64_t seed, size_t n, bool collide);
void opgen_release(struct opgen *g);

#endif
