/* Word lists of the heuristics, sorted; and the words of a title. */
#ifndef NODE_INFER_WORDS_H
#define NODE_INFER_WORDS_H

#include "base/text.h"

/* Too common to be a topic: function words, and what every commit, page or subject says. `word` in lower
 * case. */
bool word_is_common(struct bytes word);
/* Tools that everyone with a shell uses: using them says nothing about a person. */
bool tool_is_common(struct bytes tool);
/* Words of a shell line that are no tools: keywords and builtins. */
bool word_is_shell(struct bytes word);

/* Interchangeable tools: the group of a tool from 1, 0 when it is in none; what the group is for ("searching
 * files"). */
int tool_group(struct bytes tool);
const char *tool_group_purpose(int group);
/* In a pipeline behind a `|` these are filters, not a choice of tool. */
bool tool_is_filter(struct bytes tool);

#endif
