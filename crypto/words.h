/* The English word list of BIP 39 (2048 words, each told from all others by its first four letters), used as
 * an encoding only: for showing the model digest, and for recovery words. */
#ifndef CRYPTO_WORDS_H
#define CRYPTO_WORDS_H

#include "base/bytes.h"

#define WORDS_COUNT 2048

/* The i-th word, 0 <= i < WORDS_COUNT. */
const char *word_at(unsigned i);
/* The number of a word, ASCII case ignored, or -1. */
int word_find(struct bytes word);
/* The first `n` words (11 bits each, most significant first) of data, separated by spaces, appended to out.
 * data must have at least 11·n bits. */
int words_put(struct bytes data, size_t n, struct buf *out) MUST_CHECK;

/* Recovery words: 32 bytes as 24 words, the last of which holds the 8-bit checksum of BIP 39. */
#define RECOVERY_WORDS 24
#define RECOVERY_BYTES 32
/* Long enough for any 24 words with spaces. */
#define RECOVERY_TEXT_MAX 216u

/* Appends 24 words separated by spaces. Give out its size beforehand (secret_buf_init). */
int recovery_put(const uint8_t secret[RECOVERY_BYTES], struct buf *out) MUST_CHECK;
/* Reads 24 words separated by white space, case ignored. ERR_USAGE with a text that says which word, or that
 * the words do not belong together (one was mistaken for another, or their order); out is zeros then. */
int recovery_parse(struct bytes text, uint8_t out[RECOVERY_BYTES], struct err *e) MUST_CHECK;

#endif
