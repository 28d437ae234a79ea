/* Recovery words: 24 words on paper that open the key file of the device they were made on, and that are a
 * member of the group that no device is: they signed that themselves (MEMBER_WORDS), and every epoch is
 * sealed to them. A device whose keys are lost is re-created from its database and them (`selfsame init
 * --renew
 * --words`), a new and empty one from them alone and any device of the group (`selfsame recover`). They are
 * shown once, typed back, and only then count. A group has one set: new words replace all earlier ones,
 * whoever made those; used once, they are revoked. */
#ifndef NODE_WORDS_H
#define NODE_WORDS_H

#include "node/node.h"

/* Makes new words; a hash of them is kept until they were typed back. The caller wipes them. */
int words_make(struct node *n, uint8_t out[RECOVERY_BYTES], struct err *e) MUST_CHECK;
/* The user typed words. The ones that were shown last: puts the recovery slot into the key file, and, in a
 * group, the member in; the member of earlier words is removed. The ones that count already: nothing.
 * ERR_USAGE otherwise. */
int words_install(struct node *n, const uint8_t typed[RECOVERY_BYTES], struct err *e) MUST_CHECK;
/* Words of the group go out of it, and what they open of our key file; *any: whether there were some. */
int words_revoke(struct node *n, bool *any, struct err *e) MUST_CHECK;
/* Whether the group has words that count. */
bool words_are_there(const struct node *n);
/* Whether our key file opens by words that are no member of the group: made before there was one. */
bool words_are_ours_alone(const struct node *n);
/* Once the group has revoked the words that were made here, they open our key file no longer. Cheap when
 * there is nothing to do. */
int words_settle(struct node *n, struct err *e) MUST_CHECK;

/* ---- by words into the group */

/* Appends the certificate of words with these keys. */
int words_cert(struct node *n, const struct device_keys *words, struct buf *out, struct err *e) MUST_CHECK;
/* The group's records have come: this device is added by the words, its model written under the group's ids,
 * the words are revoked. ERR_VERIFY: they do not say themselves that this is their group. */
int words_enter(struct node *n, const struct device_keys *words, struct err *e) MUST_CHECK;

#endif
