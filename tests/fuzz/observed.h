/* Runs an observer over an input: from the beginning, from the cursor it returned, and as a watch. */
#ifndef TESTS_FUZZ_OBSERVED_H
#define TESTS_FUZZ_OBSERVED_H

#include "node/observe/observe.h"

/* The input becomes a file in memory. Checks what every row must keep to (node/observe/observe.h), and that,
 * when the first run came to its end, a second one from its cursor (inputs of even length) or a watch from
 * the start (odd) gives no more rows than it did. */
void observed_run(const struct observer *ob, struct bytes input);

#endif
