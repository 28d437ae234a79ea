/* Telling: the user states a proposition by hand, one sentence, or a file of them. A told proposition has
 * class EDIT, an id derived from its normal form (so the same sentence told on two devices is one
 * proposition), and the stated confidence as its prior. What was forgotten may be told again: it then gets a
 * new, random id. */
#ifndef NODE_MODEL_TELL_H
#define NODE_MODEL_TELL_H

#include "node/model/audit.h"
#include "store/store.h"

struct told {
    struct bytes text;
    int confidence; /* 1..10; 0: not given */
    int decay;      /* 1..10; 0: not given */
    struct bytes scope;
    int pinned; /* 0, 1; -1: not given */
};

struct teller {
    struct store *store;
    struct audit *audit;
    struct bytes claim_secret; /* 32 bytes */
    const struct rng *rng;
    int64_t now_ms;
    struct draft draft;
    struct buf text, key;
    struct entity *entity;
};

int teller_init(struct teller *t, struct store *s, struct audit *a, struct err *e) MUST_CHECK;
void teller_release(struct teller *t);

/* The id that a told sentence has under a secret. ERR_LIMIT, ERR_NOMEM. */
int told_id(struct bytes claim_secret, struct bytes text, struct id *out) MUST_CHECK;

enum tell_outcome { TELL_NEW, TELL_CHANGED, TELL_KNOWN };
/* Writes one; *id gets its id. ERR_FORMAT for an empty text, ERR_LIMIT for one over LIMIT_TEXT_BYTES,
 * ERR_USAGE for numbers out of range. A transaction may be open. */
int tell(struct teller *t, const struct told *told, struct id *id, enum tell_outcome *outcome,
         struct err *e) MUST_CHECK;

/* One line of a file: a sentence, or a JSON object {"text","confidence","decay","scope","pinned"}. Views in
 * *out are borrowed from `line` or from *doc, which the caller deletes with tell_line_free(), whatever the
 * result. An empty line (or one that starts with '#') gives out->text.p == NULL. *field names what is wrong.
 */
struct told_line {
    struct told told;
    void *doc;
};
int tell_line_parse(struct bytes line, struct told_line *out, char field[64], struct err *e) MUST_CHECK;
void tell_line_free(struct told_line *l);

#endif
