/* Drawing answer documents (node/CONTROL.md) for people. Reads the document only; whatever is missing from it
 * is left out, never guessed. */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include "cli/style.h"

#include <cjson/cJSON.h>

void draw_show(struct page *p, const cJSON *answer); /* and how many were left out */
void draw_query(struct page *p, const cJSON *answer);
void draw_why(struct page *p, const cJSON *answer);
/* The one proposition of tell, confirm, edit … */
void draw_one(struct page *p, const cJSON *answer);
/* The language model: its part of status on one line (`t`), the answer of think, norms. */
/* Whether another device thinks for this one. */
bool thinks_elsewhere(const cJSON *t);
void draw_thinking_line(struct page *p, const cJSON *t);
void draw_thinking(struct page *p, const cJSON *answer);
void draw_norms(struct page *p, const cJSON *answer);
void draw_pictures(struct page *p, const cJSON *pictures); /* what became of them, on a line */
void draw_status(struct page *p, const cJSON *answer);
void draw_log(struct page *p, const cJSON *answer);
void draw_doctor(struct page *p, const cJSON *answer);
void draw_share(struct page *p, const cJSON *answer);
void draw_config(struct page *p, const cJSON *answer);
void draw_watch(struct page *p, const cJSON *answer);
void draw_device_list(struct page *p, const cJSON *answer);
/* How it stands with another device, `key` naming the state: "equal; last seen 2 h ago". */
void draw_standing(struct page *p, const cJSON *device, const char *key);
void draw_meetings(struct page *p, const cJSON *answer); /* of sync */
void draw_paired(struct page *p, const cJSON *answer);
void draw_words(struct page *p, const cJSON *answer);
void draw_conflicts(struct page *p, const cJSON *answer);
/* One proposition as a Markdown list item. */
void draw_markdown(struct page *p, const cJSON *prop);
/* What a job did: counts and what was learnt. `tell`: propositions were told, not observed. */
void draw_job(struct page *p, const cJSON *answer, bool tell);

/* ---- reading documents: a missing or wrong member gives "", 0, false, TIME_NONE, an empty list */
const char *doc_text(const cJSON *o, const char *key);
double doc_number(const cJSON *o, const char *key);
bool doc_flag(const cJSON *o, const char *key);
int64_t doc_time(const cJSON *o, const char *key);
const cJSON *doc_get(const cJSON *o, const char *key);

/* "12 observations", "1 observation": the number in groups. `plural` NULL: noun + "s". */
void draw_count(struct page *p, double n, const char *noun, const char *plural);

#endif
