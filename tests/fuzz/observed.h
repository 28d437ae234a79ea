/* Runs an observer over an input: from the beginning, from the cursor it returned, and as a watch. */
#ifndef TESTS_FUZZ_OBSERVED_H
#define TESTS_FUZZ_OBSERVED_H

#include "node/observe/observe.h"

/* The input becomes a file in memory. Checks what every row must keep to (node/observe/observe.h), and that
 * the second run, when the first came to its end, gives no more rows than the first; nor does a watch. */
void observed_run(const struct observer *ob, struct bytes input);

#endif
