/* UTF-8, and the one escaper that all text from pages and people goes through before it is shown. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/bytes.h"

/* Decodes one code point at b[*at], advances *at. Returns the code point, or -1 for an invalid byte
 * (then *at advances by one). b.n > *at is required. Rejects overlongs, surrogates, > U+10FFFF. */
int32_t utf8_next(struct bytes b, size_t *at);
bool utf8_valid(struct bytes b);
/* Appends code point cp (valid) as UTF-8. */
int utf8_put(struct buf *out, int32_t cp);
/* The longest prefix of at most max bytes that does not cut a code point. */
struct bytes utf8_cut(struct bytes b, size_t max);
/* Appends b with every invalid byte replaced by U+FFFD and NULs dropped. */
int utf8_repair(struct bytes b, struct buf *out);
/* Terminal columns of b: 0 for combining marks, 2 for wide (CJK, emoji), else 1. */
size_t utf8_columns(struct bytes b);
/* True for code points of scripts written without spaces: Han, Hiragana, Katakana, Hangul excluded, Thai. */
bool cp_is_unspaced(int32_t cp);

/* Appends b made safe for a terminal line: control characters (C0, DEL, C1), bidi overrides and isolates,
 * zero-width and tag characters, line and paragraph separators become visible escapes \xNN or \u{NNNN};
 * invalid UTF-8 bytes become \xNN; newline (also CR LF) and tab become a space when `oneline`, else stay. */
int text_escape(struct bytes b, bool oneline, struct buf *out);

/* Appends b in lower case ASCII, runs of white space folded to one space, trimmed: the normal form that event
 * keys and claim ids are computed over. Non-ASCII bytes are kept. */
int text_normalise(struct bytes b, struct buf *out);

#endif
