/* Writes a decoded op again from its parts, for encode ∘ decode = identity. */
#ifndef TESTS_STORE_REDRAFT_H
#define TESTS_STORE_REDRAFT_H

#include "store/op.h"

void redraft(const struct op *op, struct draft *d);

#endif
