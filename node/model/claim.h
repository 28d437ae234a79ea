/* A claim: what a rule says of the user, named by its kind and a canonical key. Its id is derived from what
 * it claims, keyed with the group's secret, so that all devices of a user write to the same proposition and a
 * stranger learns nothing from the id.
 *
 * claim_apply() compares with what is stored and writes only what differs, as class MODEL: registers name the
 * stamps they replace, private evidence goes as one counter per (device, source), shared evidence as keys of
 * occasions, links go to local observations. It never touches a forgotten id, never writes over a user's
 * words, and revives what the model had dropped. */
#ifndef NODE_MODEL_CLAIM_H
#define NODE_MODEL_CLAIM_H

#include "node/model/kinds.h"
#include "store/entity.h"
#include "store/local.h"

/* The id of a claim. `key` in its canonical form; claim_secret: 32 bytes, the group's. */
void claim_id(struct bytes claim_secret, uint8_t kind, struct bytes key, struct id *out);

/* The key of an occasion of a shared source: the same on every device that saw it. `what` tells occasions of
 * one day apart (usually empty). */
struct occasion {
    struct bytes source;
    int32_t day;
    struct bytes what;
};
void claim_occasion(struct bytes claim_secret, const struct id *claim, const struct occasion *o,
                    uint8_t out[16]);

/* Told the kind and canonical key of a claim; a negative result ends the naming. */
typedef int claim_named_fn(void *ctx, uint8_t kind, struct bytes key);

struct claim_link {
    int64_t observation;
    bool against;
};
struct claim {
    uint8_t kind, decay; /* decay 0: the kind's usual */
    uint16_t prior;      /* 1/1000; 0: the kind's */
    struct bytes key, text, reasoning;
    int64_t created_ms, until_ms; /* TIME_NONE: leave unset */
    const struct count *counts;   /* private evidence of this device, by source; device filled in */
    size_t n_counts;
    struct seen *seen; /* shared evidence; sorted in place */
    size_t n_seen;
    const struct claim_link *links; /* ascending by observation, no doubles */
    size_t n_links;
};

enum claim_outcome { CLAIM_SAME, CLAIM_ADDED, CLAIM_RAISED, CLAIM_LOWERED, CLAIM_REVIVED, CLAIM_FORGOTTEN };

struct claim_writer;
/* Borrows the store and the secret. NULL when out of memory. */
struct claim_writer *claim_writer_new(struct store *s, const struct id *device, struct bytes claim_secret);
void claim_writer_free(struct claim_writer *w); /* NULL fine */

/* Observations added since the last flush, ascending: lets a claim that only grew link those alone. NULL:
 * unknown, link all. */
struct claim_fresh {
    const int64_t *rows;
    size_t n;
};
int claim_apply(struct claim_writer *w, const struct claim *c, const struct claim_fresh *fresh,
                enum claim_outcome *out, struct err *e) MUST_CHECK;
/* The traces no longer support it: this device's counters go to 0 and its links go; when no other device's
 * counter supports it either it is dropped (REG_LIFE 0). */
int claim_retract(struct claim_writer *w, const struct id *id, enum claim_outcome *out,
                  struct err *e) MUST_CHECK;

#endif
