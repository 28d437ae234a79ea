/* "Currently works on redis": short-lived. Days on which the project (or document) was touched support, and
 * so do whole weeks with a touch; whole weeks without one contradict. The claim fades by itself within days
 * of the last touch. Work on other things only decides whether the claim is made at all. */
#include "node/infer/heuristics.h"

#include <string.h>

#define FOCUS_DAYS 28        /* looked at */
#define FOCUS_RECENT_DAYS 14 /* a focus was touched in these */
#define FOCUS_DAYS_MIN 2
/* At least this share of the days on which the same source saw anything at all. */
#define FOCUS_SHARE_MIN 0.2

/* Distinct days from a day on. */
static unsigned days_from(const struct subject *s, int32_t day)
{
    unsigned n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->v[i].day >= day && (i == 0 || s->v[i].day != s->v[i - 1].day);
    return n;
}

static unsigned source_days(const struct frame *f, uint16_t source)
{
    return frame_active_days(f->sources[source].active, WINDOW_DAYS - FOCUS_DAYS, WINDOW_DAYS - 1);
}

/* Weeks, Monday to Sunday, that are over by now, since the first touch; a silent one goes to the source used
 * last. */
static void weeks_judge(struct heuristics *h, const struct subject *s, size_t from)
{
    int32_t monday = s->v[from].day - weekday_of_days(s->v[from].day);
    size_t at = from;
    for (; monday + 6 < heur_frame(h)->newest; monday += 7) {
        size_t before = at;
        for (; at < s->n && s->v[at].day < monday + 7; at++)
            evidence_week(h, monday, s->v[at].source, false);
        if (at == before)
            evidence_week(h, monday, s->v[s->n - 1].source, true);
    }
}

/* All days of the window are evidence, so that keys of occasions once written stay true; the last weeks
 * decide. */
static int focus(struct heuristics *h, const struct subject *s, struct bytes shown, struct err *e)
{
    const struct frame *f = heur_frame(h);
    size_t from = 0;
    while (from < s->n && s->v[from].day < 0)
        from++;
    if (from == s->n || s->v[s->n - 1].day <= f->newest - FOCUS_RECENT_DAYS)
        return 0;
    evidence_begin(h);
    evidence_uses(h, s->v + from, s->n - from);
    weeks_judge(h, s, from);
    unsigned days = days_from(s, f->newest - FOCUS_DAYS + 1), all = source_days(f, s->v[s->n - 1].source);
    if (days < FOCUS_DAYS_MIN || days < FOCUS_SHARE_MIN * all)
        return 0;
    struct buf *key = heur_key(h), *text = heur_text(h), *why = heur_reasoning(h);
    struct wording w = WORDING(KIND_FOCUS);
    (void)buf_put(key, s->kind);
    (void)buf_bytes(key, s->name);
    (void)buf_str(text, "Currently works on ");
    (void)buf_bytes(text, shown);
    (void)buf_str(why, "Touched it on ");
    count_put(why, days);
    (void)buf_str(why, " of the last 28 days");
    w.key = buf_view(key);
    w.text = buf_view(text);
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}

int heur_project(struct heuristics *h, const struct subject *s, struct err *e)
{
    return focus(h, s, s->name, e);
}

int heur_document(struct heuristics *h, const struct subject *s, struct err *e)
{
    const uint8_t *slash = s->name.n > 0 ? memrchr(s->name.p, '/', s->name.n) : NULL;
    return focus(
        h, s, slash == NULL ? s->name : bytes_slice(s->name, (size_t)(slash + 1 - s->name.p), s->name.n), e);
}
