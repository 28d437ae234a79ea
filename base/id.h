/* 16-byte ids and their text form: 26 characters of lower-case Crockford base32 (0-9 a-z without i l o u),
 * most significant bit first, two zero bits at the end. A prefix of the text (at least one character)
 * names an id when it is unique. Input accepts upper case, i/l for 1, o for 0, and skips '-'. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/bytes.h"

#define ID_BYTES 16
#define ID_TEXT 26 /* characters, without NUL */

struct id {
    uint8_t b[ID_BYTES];
};

#define ID_NONE ((struct id){{0}})

/* Writes 26 characters and a NUL. */
void id_text(const struct id *id, char out[ID_TEXT + 1]);
/* Reads a whole id. ERR_FORMAT on anything else. */
int id_parse(struct bytes text, struct id *out) MUST_CHECK;
/* The ids that a text prefix can stand for: lo..hi inclusive. ERR_FORMAT if it is no prefix of any id. */
int id_prefix(struct bytes text, struct id *lo, struct id *hi) MUST_CHECK;
int id_cmp(const struct id *a, const struct id *b);
bool id_eq(const struct id *a, const struct id *b);
bool id_none(const struct id *id);

#endif
