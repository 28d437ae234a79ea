/* The merge once more, by definition: a plain list of all ops ever given, from which everything is computed
 * anew at each question, in quadratic time, with nothing dropped and nothing kept up to date. Written apart
 * from store/entity*, sharing only the decoding of ops with it; the property tests hold the two against each
 * other. */
#ifndef TESTS_STORE_MODEL_H
#define TESTS_STORE_MODEL_H

#include "store/op.h"

struct model;

struct model_key {
    uint8_t space;
    struct id id;
};

struct model *model_new(void); /* aborts when out of memory, as all of this file */
void model_free(struct model *m);
/* Adds an op (copied), which must be one that op_decode takes. */
void model_add(struct model *m, const struct id *log, const struct hash *hash, struct bytes op_bytes);

/* The canonical dump of one entity: what entity_dump() must give. */
void model_dump(const struct model *m, uint8_t space, const struct id *id, struct buf *out);
/* All entities that an op names, ascending by (space, id); returns how many, at most max of them written. */
size_t model_entities(const struct model *m, struct model_key *out, size_t max);
bool model_forgotten(const struct model *m, uint8_t space, const struct id *id);
bool model_dropped(const struct model *m, uint8_t space, const struct id *id);
/* The ACT_SEEN elements of an entity ascending by (key, sign), each with its lowest time; none when
 * forgotten. Returns how many, at most max of them written. */
size_t model_seen(const struct model *m, uint8_t space, const struct id *id, struct seen *out, size_t max);

#endif
