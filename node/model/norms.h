/* Audit by contextual integrity (Nissenbaum): information flows well when it flows by the norms of the
 * context it came from. For sources that the user marked so, a model is asked of each observation, after the
 * detectors: is it new, what sort of data, whose, to whom would it go, may it be transmitted? The user's own
 * norms, sentences, are shown and outrank what the model would think.
 *
 * Fails closed: what the answer does not clearly let through, by id, is dropped; so is everything when the
 * answer cannot be read. A decision is kept as a rule name with the answers that made it, never the content:
 * every part of the name is one of a fixed list of words or a number. */
#ifndef NODE_MODEL_NORMS_H
#define NODE_MODEL_NORMS_H

#include "node/model/prompt.h"
#include "node/model/propose.h"

#define NORMS_MAX 64u
#define NORM_RULE_BYTES 64u

/* One norm: a sentence on one line. ERR_USAGE, ERR_LIMIT; for the setting, all lines. */
int norms_check(struct bytes value, struct err *e) MUST_CHECK;

struct norm_decision {
    bool pass;
    char rule[NORM_RULE_BYTES]; /* "norm 2", "context: personal of other", "context: unreadable" */
};

extern const char norms_schema[];
/* The question about n observations, 1..BATCH_MAX; `norms`: the user's, one a line. */
void norms_ask(struct prompt *p, struct bytes norms, const struct stored_observation *v, size_t n);
/* A decision for each observation; never fails: what cannot be read is dropped. `answer` empty: nothing
 * usable came. `norms` as asked. */
void norms_read(struct bytes norms, struct bytes answer, struct norm_decision *out, size_t n);

#endif
