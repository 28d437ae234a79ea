/* How text becomes index words, for the full-text index and for everything that must agree with it. A word is
 * a run of letters, digits and marks, folded to lower case, diacritics removed, cut to TOKEN_BYTES_MAX;
 * scripts written without spaces (cp_is_unspaced) give one word for each code point, so that a phrase query
 * finds any substring of them.
 */
#ifndef STORE_TOKENIZER_H
#define STORE_TOKENIZER_H

#include "base/bytes.h"

#include <sqlite3.h>

#define TOKENIZER_NAME "selfsame"
/* Longer words (hashes, encoded data) are told apart by this many bytes; nobody types more of one. */
#define TOKEN_BYTES_MAX 64

/* Makes the tokenizer known to FTS5 on this connection. Returns a SQLite result code. */
int tokenizer_register(sqlite3 *db) MUST_CHECK;

struct tokenizer;

/* An instance for use outside FTS5, valid while the connection is open. Returns a SQLite result code. */
int tokenizer_new(sqlite3 *db, struct tokenizer **out) MUST_CHECK;
void tokenizer_free(struct tokenizer *t); /* NULL fine */

/* Calls fn with each word of text in order; start and end are its place in text (a run of an unspaced script:
 * the place of the whole run's chunk). fn returns 0 to go on; another value stops and is returned. ERR_NOMEM.
 */
typedef int (*token_fn)(void *ctx, struct bytes word, size_t start, size_t end);
int tokenizer_run(struct tokenizer *t, struct bytes text, token_fn fn, void *ctx) MUST_CHECK;

#endif
