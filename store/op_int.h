/* What op.c, op_check.c and draft.c share: the tag ranges and the rules of one action. */
#ifndef STORE_OP_INT_H
#define STORE_OP_INT_H

#include "store/op.h"

#define TAG_REG_LAST 63u
#define TAG_ADD_LAST 95u
#define TAG_REMOVE_LAST 127u
#define TAG_REMOVE_SHIFT 32u /* tag of a removal − tag of its set */

/* Whether the tag may stand in an op and the payload is one of that tag. ERR_FORMAT or ERR_LIMIT. */
int action_check(const struct action *a, struct err *e) MUST_CHECK;
/* Order of two checked actions within an op: by tag, then key. 0 when one op may not hold both. */
int action_order(const struct action *a, const struct action *b);
/* draft_encode(), with the decoded form at hand: *op views `out`, until it grows. */
int draft_encode_op(const struct draft *d, uint64_t hlc, struct buf *out, struct op *op) MUST_CHECK;
/* One element of ACT_SEEN. */
void seen_read(struct rd *r, struct seen *out);

#endif
