/* A revision: a new proposition that says better what older ones said. It gets an id of its own, names what
 * it revises twice over (SET_PARENT of its own, the lineage; SET_SUPERSEDES of its edges, which survive that
 * it or an older one is forgotten), and leaves the older ones as they are: they are shown as superseded while
 * the revision lives, and come back when it is rejected, dropped or forgotten. Two revisions of one
 * proposition that do not know of each other are two heads: `selfsame conflicts` shows them
 * (node/serve/api_conflicts.c).
 *
 * Evidence is not moved here: the caller gives the new proposition what speaks for it (local_link_add(),
 * draft counts), each piece once. */
#ifndef NODE_MODEL_REVISION_H
#define NODE_MODEL_REVISION_H

#include "store/store.h"

#define REVISION_OLDER_MAX 32u /* propositions that one revision replaces */

struct revision {
    const struct id *older; /* 1..REVISION_OLDER_MAX, each with a row: neither unknown nor forgotten */
    size_t n_older;
    struct bytes text;      /* 1..LIMIT_TEXT_BYTES of UTF-8 */
    struct bytes reasoning; /* may be empty */
    struct bytes origin;    /* what made it: "endpoint", …; may be empty */
    uint8_t kind;           /* node/model/kinds.h */
    uint8_t decay;          /* 1..10 */
    uint16_t prior;         /* 1/1000; 0: none stated */
    int64_t now_ms;
};

/* Writes it with the authority of the model, in the caller's transaction or one of its own; *id gets its id,
 * a random one. Its scope is the one that all older ones share (else everywhere), its sensitivity the highest
 * of theirs. ERR_USAGE: none or too many older ones, one of them twice, a decay out of range; ERR_NOTFOUND:
 * one of them has no row; ERR_FORMAT, ERR_LIMIT: the text. */
int revision_write(struct store *s, const struct rng *rng, const struct revision *r, struct id *id,
                   struct err *e) MUST_CHECK;

#endif
