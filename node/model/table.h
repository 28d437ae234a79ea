/* A table of words and pieces of words with their vectors: embeddings without a model to run. The text's
 * vector is the sum of those of its words, stop words left out; a word that the table lacks is cut into the
 * longest pieces that it has. Format and where tables come from: node/model/VECTORS.md.
 *
 * The file is mapped, read-only, and believed in nothing: every look-up stays inside of it. */
#ifndef NODE_MODEL_TABLE_H
#define NODE_MODEL_TABLE_H

#include "store/vectors.h"

#define TABLE_DIMS_MAX 1024u

struct table;

/* Maps the file. ERR_NOTFOUND, ERR_PERM, ERR_IO; ERR_FORMAT: it is none or was cut. Looks at its header only.
 */
int table_open(struct table **out, const char *path, struct err *e) MUST_CHECK;
void table_close(struct table *t); /* NULL fine */
/* Reads it all: whether it is what its key says and every token is found. ERR_FORMAT. */
int table_check(const struct table *t, struct err *e) MUST_CHECK;

/* Its key and dims. */
void table_model(const struct table *t, struct vector_model *out);
/* Where it is from and under which licence; borrowed from the table, not escaped. */
struct bytes table_about(const struct table *t);
/* The text's vector, dims floats; all zeros when it has none of its words. The store lends its tokenizer. */
int table_embed(const struct table *t, struct store *s, struct bytes text, float *out) MUST_CHECK;

#endif
