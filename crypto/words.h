/* The English word list of BIP 39 (2048 words, each told from all others by its first four letters), used as an encoding only: for showing the model digest, and for recovery words. */
#ifndef CRYPTO_WORDS_H
#define CRYPTO_WORDS_H

#include "base/bytes.h"

#define WORDS_COUNT 2048

/* The i-th word, 0 <= i < WORDS_COUNT. */
const char *word_at(unsigned i);
/* The number of a word, ASCII case ignored, or -1. */
int word_find(struct bytes word);
/* The first `n` words (11 bits each, most significant first) of data, separated by spaces, appended to out. data must have at least 11·n bits. */
int words_put(struct bytes data, size_t n, struct buf *out) MUST_CHECK;

#endif
