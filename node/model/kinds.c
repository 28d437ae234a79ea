#include "node/model/kinds.h"

#include <math.h>

/* Why each prior is what it is: node/infer/HEURISTICS.md; a test holds the page's table against this one. */
static const struct kind_info kinds[KIND_COUNT] = {
    [0] = {"other", 0.50, 4, 5},
    [KIND_TOLD] = {"told", 0.90, 4, 8},
    [KIND_STATEMENT] = {"statement", 0.85, 2, 8},
    [KIND_ROUTINE] = {"routine", 0.40, 8, 7},
    [KIND_TOOL] = {"tool", 0.50, 2, 7},
    [KIND_PREFERENCE] = {"preference", 0.60, 4, 8},
    [KIND_FOCUS] = {"focus", 0.50, 2, 3},
    [KIND_TOPIC] = {"topic", 0.30, 4, 5},
    [KIND_SITE] = {"site", 0.50, 2, 6},
    [KIND_EVENT] = {"event", 0.90, 2, 2},
    [KIND_DEVICE] = {"device", 0.50, 4, 7},
    [KIND_REMINDER] = {"reminder", 0.90, 2, 4},
    [KIND_MODEL] = {"model", 0.50, 4, 5},
};

/* Hours in which a claim of decay 1..10 loses half of its strength. */
static const int32_t half_life_hours[11] = {
    0, 6, 24, 72, 7 * 24, 21 * 24, 61 * 24, 182 * 24, 365 * 24, 3 * 365 * 24, 10 * 365 * 24,
};

/* A user who confirmed or wrote a claim is right about herself nearly always. */
#define CONFIRMED_PROBABILITY 0.97
/* Half-life of the distance to an event still ahead. */
#define EVENT_APPROACH_MS (30 * MS_DAY)

const struct kind_info *kind_info(uint8_t kind)
{
    return &kinds[kind < KIND_COUNT ? kind : 0];
}

double prop_probability(const struct prop *p)
{
    if (p->flags & PROP_REJECTED)
        return 0;
    const struct kind_info *k = kind_info(p->kind);
    double prior = p->prior > 0 && p->prior <= 1000 ? p->prior / 1000.0 : k->prior;
    double support = (double)p->support;
    double all = k->strength + support + (double)p->against;
    double probability = (prior * k->strength + support) / all;
    /* A told claim is in the user's words from the start, with the confidence the user gave it. */
    bool vouched = (p->flags & PROP_CONFIRMED) || ((p->flags & PROP_EDITED) && p->kind != KIND_TOLD);
    if (vouched && probability < CONFIRMED_PROBABILITY)
        return CONFIRMED_PROBABILITY;
    return probability;
}

int probability_score(double probability)
{
    if (probability < 0.005)
        return 0;
    int score = (int)lround(probability * 10);
    return score < 1 ? 1 : score > 10 ? 10 : score;
}

int64_t half_life_ms(uint8_t decay)
{
    if (decay < 1)
        decay = 1;
    if (decay > 10)
        decay = 10;
    return half_life_hours[decay] * MS_HOUR;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b; /* TIME_NONE is the least of all */
}

bool prop_ended(const struct prop *p, int64_t now_ms)
{
    return p->until_ms != TIME_NONE && p->until_ms <= now_ms;
}

double prop_recency(const struct prop *p, int64_t now_ms)
{
    if (prop_ended(p, now_ms))
        return 0;
    int64_t anchor = p->last_ms != TIME_NONE ? p->last_ms : p->created_ms;
    if (p->flags & (PROP_CONFIRMED | PROP_EDITED | PROP_PINNED))
        anchor = later(anchor, p->changed_ms);
    if (anchor == TIME_NONE)
        anchor = p->changed_ms;
    if (anchor == TIME_NONE)
        return 1;
    double age = (double)now_ms - (double)anchor;
    if (age < 0)
        return p->kind == KIND_EVENT ? exp2(age / (double)EVENT_APPROACH_MS) : 1;
    return exp2(-age / (double)half_life_ms(p->decay));
}
