/* Relate: how each new claim stands to what the model of the user holds already. For each new claim the
 * nearest propositions are retrieved, then one question for the whole batch asks for a label for each pair
 * that was shown. Word overlap only finds the pairs: it cannot tell same from opposite, so nothing is ever
 * joined by it; only the very same sentence is. A pair that the answer does not name, names twice, or that
 * was not shown, is unrelated. */
#ifndef NODE_MODEL_RELATE_H
#define NODE_MODEL_RELATE_H

#include "node/model/propose.h"
#include "node/model/retrieve.h"

#define KNOWN_MAX 40u     /* propositions shown with one batch */
#define CANDIDATES_MAX 5u /* of them for one claim */

enum relation { RELATION_UNRELATED, RELATION_IDENTICAL, RELATION_SIMILAR, RELATION_CONTRADICTING };

/* A proposition as it was when it was shown. */
struct known {
    struct id id;
    uint8_t kind, decay;
    uint32_t flags; /* enum prop_flag */
    int confidence;
    int64_t first_ms, changed_ms;
    struct bytes text, reasoning; /* owned by the list */
};
struct knowns {
    struct known v[KNOWN_MAX];
    size_t n;
    uint64_t shown[PROPOSALS_MAX]; /* bit j: v[j] is a candidate of claim i */
    struct buf text;
};
void knowns_init(struct knowns *k);
void knowns_release(struct knowns *k);
/* Whether the user had a word in it: it then stands as it is. */
bool known_by_user(const struct known *k);

/* Retrieves the candidates of all claims; replaced and dropped ones are left out, rejected ones are not: what
 * the user rejected must not come back as new. */
int relate_find(struct store *s, const struct proposals *c, int64_t now_ms, struct knowns *out,
                struct err *e) MUST_CHECK;

extern const char relate_schema[];
void relate_ask(struct prompt *p, const struct proposals *c, const struct knowns *k);

struct relations {
    uint8_t v[PROPOSALS_MAX][KNOWN_MAX]; /* enum relation */
    unsigned rejected;                   /* labels of pairs that were not shown, or of no known name */
};
int relate_read(const struct proposals *c, const struct knowns *k, struct bytes answer, struct relations *out,
                struct err *e) MUST_CHECK;
/* The first known that claim i is identical with; SIZE_MAX: none. */
size_t relation_identical(const struct relations *r, const struct knowns *k, size_t i);

#endif
