/* "Comes back to the topic 'websocket'": a word of titles, subjects and searches on several days, over weeks,
 * but not on most days (then it says nothing). "Regularly visits lwn.net": the same for sites. Days support;
 * nothing contradicts: both fade with their last day. */
#include "node/infer/heuristics.h"

#define TOPIC_DAYS_MIN 6
#define TOPIC_SPAN_DAYS_MIN 14
/* A word on a larger share of the days between its first and last is furniture: a project's name, a site's
 * slogan. */
#define TOPIC_SHARE_MAX 0.5
#define SITE_DAYS_MIN 5
#define SITE_SPAN_DAYS_MIN 10

static size_t first_timed(const struct subject *s)
{
    size_t i = 0;
    while (i < s->n && s->v[i].day < 0)
        i++;
    return i;
}

static int returning(struct heuristics *h, const struct subject *s, struct wording *w,
                     const char *const words[3], struct err *e)
{
    struct buf *text = heur_text(h), *why = heur_reasoning(h);
    (void)buf_str(text, words[0]);
    (void)buf_bytes(text, s->name);
    (void)buf_str(text, words[1]);
    (void)buf_str(why, words[2]);
    count_put(why, evidence_support(h));
    (void)buf_str(why, " days of the last 26 weeks");
    w->key = s->name;
    w->text = buf_view(text);
    w->reasoning = buf_view(why);
    return heur_claim(h, w, e);
}

int heur_topic(struct heuristics *h, const struct subject *s, struct err *e)
{
    const struct frame *f = heur_frame(h);
    size_t from = first_timed(s);
    struct wording w = WORDING(KIND_TOPIC);
    if (from == s->n)
        return 0;
    evidence_begin(h);
    evidence_uses(h, s->v + from, s->n - from);
    int first = s->v[from].day - f->from, last = s->v[s->n - 1].day - f->from;
    double days = (double)evidence_support(h);
    if (days < TOPIC_DAYS_MIN || last - first < TOPIC_SPAN_DAYS_MIN ||
        days > TOPIC_SHARE_MAX * frame_active_days(f->active, first, last))
        return 0;
    return returning(
        h, s, &w,
        (const char *const[]){"Comes back to the topic '", "'", "In titles, subjects or searches on "}, e);
}

int heur_site(struct heuristics *h, const struct subject *s, struct err *e)
{
    size_t from = first_timed(s);
    struct wording w = WORDING(KIND_SITE);
    if (from == s->n)
        return 0;
    evidence_begin(h);
    evidence_uses(h, s->v + from, s->n - from);
    if (evidence_support(h) < SITE_DAYS_MIN || s->v[s->n - 1].day - s->v[from].day < SITE_SPAN_DAYS_MIN)
        return 0;
    return returning(h, s, &w, (const char *const[]){"Regularly visits ", "", "Visited on "}, e);
}
