/* Records, prompts and scripted answers for the tests of what a language model is asked. */
#ifndef TESTS_NODE_MODEL_MIND_H
#define TESTS_NODE_MODEL_MIND_H

#include "node/model/prompt.h"
#include "tests/support/rng.h"

/* Observation number i (from 1) with this text. */
struct stored_observation record_make(size_t i, const char *text);
/* Calls fn for each line of tests/data/injection/NAME with its name, its other member, and the line with
 * {FENCE}, {FENCE_UPPER}, {FENCE_HEAD} and {FENCE_TAIL} filled in from p. Returns how many there were. */
size_t injection_each(const char *name, const struct prompt *p, const char *member,
                      void (*fn)(void *ctx, const char *title, const cJSON *value), void *ctx);
/* How often the fence stands in text, in any case of letters. */
size_t fences_in(const struct prompt *p, struct bytes text);
/* printf into a list of claims, for literals that hold quotes: ' is written as ". */
struct bytes quoted(struct buf *out, const char *text);

#endif
