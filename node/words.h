/* Recovery words: 24 words on paper that open the key file, and that are an offline member of the group: a
 * device whose keys are lost is re-created from its database and them (`selfsame init --renew --words`).
 * They are shown once, typed back, and only then count; new words replace the old ones. */
#ifndef NODE_WORDS_H
#define NODE_WORDS_H

#include "node/node.h"

/* Makes new words; a hash of them is kept until they were typed back. The caller wipes them. */
int words_make(struct node *n, uint8_t out[RECOVERY_BYTES], struct err *e) MUST_CHECK;
/* The user typed words. The ones that were shown last: puts the recovery slot into the key file, and, in a
 * group, the member in; the member of earlier words is removed. The ones that count already: nothing.
 * ERR_USAGE otherwise. */
int words_install(struct node *n, const uint8_t typed[RECOVERY_BYTES], struct err *e) MUST_CHECK;

#endif
