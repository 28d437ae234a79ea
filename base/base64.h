/* Base64 (RFC 4648 §4: the usual alphabet, padded). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/bytes.h"

/* Appends the text of b. */
int base64_put(struct bytes b, struct buf *out);
/* Appends the bytes of a text, whose padding may be missing. ERR_FORMAT when it is not base64. */
int base64_take(struct bytes text, struct buf *out) MUST_CHECK;

#endif
