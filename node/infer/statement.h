/* Explicit statements: what the user wrote about herself in notes and messages. Only the first person, only
 * plain assertions: questions, conditions, wishes, quotations and reported speech say nothing. A statement's
 * name is predicate | 0x1e | '+' or '-' | object in normal form and two names that differ in the sign alone
 * contradict each other; so do two objects of a predicate that has room for one (where one lives). */
#ifndef NODE_INFER_STATEMENT_H
#define NODE_INFER_STATEMENT_H

#include "base/text.h"
#include "node/infer/features.h"

#define STATEMENT_OBJECT_MAX 80

struct statement_name {
    struct bytes predicate, object;
    bool negative;
};
bool statement_name_split(struct bytes name, struct statement_name *out);
/* Only one object can be true at a time. */
bool statement_is_single(struct bytes predicate);
bool statement_is_reminder(struct bytes predicate);

/* Calls fn with the name of every statement in a text, each once, at most STATEMENTS_MAX. `words` is scratch
 * memory that grows. */
int statements_of(struct bytes text, struct buf *words, name_fn fn, void *ctx);
/* Appends the sentence for a statement in the third person without subject ("Lives in Lisbon"), worded as
 * `text` has it; false when the text does not make the statement. */
bool statement_sentence(struct bytes text, struct bytes name, struct buf *out);

#endif
