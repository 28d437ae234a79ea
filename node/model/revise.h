/* Revise: new claims that are similar to known ones, or contradict them, are put into words together. Claims
 * and known propositions that hang together by such pairs are a cluster; one question shows all clusters of a
 * batch, with the confidence, decay and reasoning of each member. The answer words propositions, each with
 * the ids it is made *from*, and says of each contradicted known one what becomes of it.
 *
 * Evidence follows `from` and nothing else: a proposition gets that of the members it names. A known one in
 * somebody's `from` is superseded by it; in nobody's it stands. What the user had a word in, and what the
 * built-in inference claims (it words its own anew from what it counts), is shown but never superseded. A
 * contradiction that the answer leaves open lowers the confidence. */
#ifndef NODE_MODEL_REVISE_H
#define NODE_MODEL_REVISE_H

#include "node/model/relate.h"

#define REVISED_MAX 40u

struct cluster {
    uint64_t claims, olds; /* bits */
};
struct clusters {
    struct cluster v[PROPOSALS_MAX];
    size_t n;
};
/* Claims identical with a known one are in none. */
void revise_clusters(const struct proposals *c, const struct knowns *k, const struct relations *r,
                     struct clusters *out);
/* Whether a revision may supersede it. */
bool known_revisable(const struct known *k);

extern const char revise_schema[];
void revise_ask(struct prompt *p, const struct proposals *c, const struct knowns *k,
                const struct clusters *g);

enum outcome { OUTCOME_NONE, OUTCOME_LOWERS, OUTCOME_ENDS };
struct revised {
    struct bytes text, reasoning; /* owned by the list */
    uint8_t confidence, decay;
    uint64_t claims, olds; /* made from these: at least one claim */
};
struct revisions {
    struct revised v[REVISED_MAX];
    size_t n;
    uint8_t outcome[KNOWN_MAX]; /* enum outcome of contradicted ones */
    unsigned rejected;
    struct buf text;
};
void revisions_init(struct revisions *r);
void revisions_release(struct revisions *r);
struct revise_input {
    const struct proposals *c;
    const struct knowns *k;
    const struct clusters *g;
};
int revise_read(const struct prompt *p, const struct revise_input *in, struct bytes answer,
                struct revisions *out, struct err *e) MUST_CHECK;

#endif
