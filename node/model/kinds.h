/* The kinds of claim, and the two documented functions that turn what is stored into what is shown:
 * confidence and recency. Both are computed when read and never replicated.
 *
 *   probability = (prior·strength + support) / (strength + support + against)
 *                 a Beta prior of mean `prior` and a weight of `strength` occasions
 *                 `prior` is REG_PRIOR when one was written (what a teller stated), else the kind's
 *                 a user's verdict overrides: confirmed or edited at least 0.97; rejected 0
 *   recency     = 2^(−(now − anchor) / half_life[decay])
 *                 anchor = last support, else creation, or the user's last word
 *                 an event ahead is weaker the further away it is: 2^(−(start − now) / 30 days)
 *                 0 from the moment at which its validity ended (REG_VALID_UNTIL)
 *   strength shown = probability × recency; `show` lists it while ≥ SHOW_MIN or pinned
 */
#ifndef NODE_MODEL_KINDS_H
#define NODE_MODEL_KINDS_H

#include "store/store.h"

/* Stored in REG_KIND; append only; 0 unknown. */
enum kind {
    KIND_TOLD = 1,   /* the user said so */
    KIND_STATEMENT,  /* the user wrote so in a note or message */
    KIND_ROUTINE,    /* what, in which hours and weekdays */
    KIND_TOOL,       /* uses X */
    KIND_PREFERENCE, /* X rather than Y */
    KIND_FOCUS,      /* currently works on */
    KIND_TOPIC,      /* comes back to a topic */
    KIND_SITE,       /* visits regularly */
    KIND_EVENT,      /* an upcoming event */
    KIND_DEVICE,     /* which device for what */
    KIND_REMINDER,   /* asked to be reminded of */
    KIND_MODEL,      /* worded by a language model */
    KIND_COUNT
};

struct kind_info {
    const char *name; /* "routine" */
    double prior;     /* probability before any occasion */
    double strength;  /* occasions the prior is worth */
    uint8_t decay;    /* usual decay score */
};
const struct kind_info *kind_info(uint8_t kind); /* unknown kinds give entry 0 */

#define SHOW_MIN 0.15

double prop_probability(const struct prop *p);
/* 1..10, 0 when probability is (nearly) 0. */
int probability_score(double probability);
int64_t half_life_ms(uint8_t decay); /* decay 1..10, clipped */
double prop_recency(const struct prop *p, int64_t now_ms);
/* Its validity has ended. */
bool prop_ended(const struct prop *p, int64_t now_ms);

#endif
