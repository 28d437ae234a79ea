/* Small tables of vectors for tests, and a store whose tokenizer they need. */
#ifndef TESTS_NODE_MODEL_MAKETABLE_H
#define TESTS_NODE_MODEL_MAKETABLE_H

#include "base/bytes.h"

#define MADE_DIMS_MAX 16

struct made_token {
    const char *text; /* NULL: the end */
    float v[MADE_DIMS_MAX];
};
/* The file of a table (node/model/VECTORS.md), appended to out. */
void make_table(const struct made_token *tokens, size_t dims, const char *about, struct buf *out);

#endif
