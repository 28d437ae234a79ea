/* Upcoming events: "Has 'Dentist' on Tue 1 Dec 2026, 09:30", from yesterday's week to 60 days ahead; the
 * claim is of no use once the event is over (REG_VALID_UNTIL, and the recency of kinds.c is anchored on the
 * event itself). An event that recurs is one claim, "Has 'Standup' every weekday at 09:30", supported by each
 * occurrence so far. */
#include "base/text.h"
#include "node/infer/heuristics.h"

#include <stdio.h>
#include <string.h>

#define AHEAD_DAYS 60
#define BEHIND_DAYS 7
#define EVENTS_MAX 20 /* single claims of one summary */
/* Occurrences within 70 days before and after today that make a routine; the share that must fit its pattern.
 */
#define RECURRING_MIN 4
#define RECURRING_SPAN_DAYS 70
#define RECURRING_FIT 0.8

static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const weekdays_long[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                            "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct pattern {
    unsigned n; /* occurrences near today */
    unsigned by_weekday[7];
    unsigned by_minute[1440 / 15];
    int minute_slot;     /* the commonest */
    int32_t first, last; /* days */
};

static void pattern_fill(const struct frame *f, const struct subject *s, struct pattern *p)
{
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < s->n; i++) {
        const struct use *u = &s->v[i];
        if (u->day < 0 || u->day > f->today + RECURRING_SPAN_DAYS || (i > 0 && u->day == s->v[i - 1].day))
            continue;
        p->first = p->n == 0 ? u->day : p->first;
        p->last = u->day;
        p->n++;
        p->by_weekday[weekday_of_days(u->day)]++;
        p->by_minute[u->minute / 15]++;
    }
    for (int i = 1; i < 1440 / 15; i++)
        p->minute_slot = p->by_minute[i] > p->by_minute[p->minute_slot] ? i : p->minute_slot;
}

/* "every weekday", "every other Tuesday", "every month", …; NULL when it keeps no pattern. `out` is used for
 * some. */
static const char *pattern_words(const struct pattern *p, char out[40])
{
    if (p->n < RECURRING_MIN || p->by_minute[p->minute_slot] < RECURRING_FIT * p->n)
        return NULL;
    double gap = (double)(p->last - p->first) / (p->n - 1);
    unsigned workdays = 0;
    int most = 0;
    for (int i = 0; i < 7; i++) {
        workdays += i < 5 ? p->by_weekday[i] : 0;
        most = p->by_weekday[i] > p->by_weekday[most] ? i : most;
    }
    if (gap < 1.2)
        return "every day";
    if (gap < 1.6 && workdays == p->n)
        return "every weekday";
    if (gap >= 26 && gap <= 32)
        return "every month";
    if (p->by_weekday[most] < RECURRING_FIT * p->n || gap > 16)
        return NULL;
    (void)snprintf(out, 40, gap < 9 ? "every %s" : "every other %s", weekdays_long[most]);
    return out;
}

static void title_put(struct bytes title, struct buf *out)
{
    (void)buf_str(out, "Has '");
    (void)buf_bytes(out, utf8_cut(bytes_trim(title), 200));
    (void)buf_str(out, "' ");
}

static bool all_day(const struct stored_observation *o, const struct use *u)
{
    return u->minute == 0 && o->end_ms != TIME_NONE && o->end_ms > o->time_ms &&
           (o->end_ms - o->time_ms) % MS_DAY == 0;
}

static void time_put(const struct stored_observation *o, const struct use *u, const char *before,
                     struct buf *out)
{
    if (!all_day(o, u))
        (void)buf_printf(out, "%s%02d:%02d", before, u->minute / 60, u->minute % 60);
}

/* The last occurrence that is not ahead; the first when all are. */
static const struct use *latest_past(const struct frame *f, const struct subject *s)
{
    size_t i = 0;
    while (i + 1 < s->n && s->v[i + 1].day <= f->today)
        i++;
    return &s->v[i];
}

static int recurring(struct heuristics *h, const struct subject *s, const char *when, struct err *e)
{
    const struct frame *f = heur_frame(h);
    const struct use *at = latest_past(f, s);
    struct stored_observation o;
    struct wording w = WORDING(KIND_ROUTINE);
    evidence_begin(h);
    evidence_uses(h, s->v, (size_t)(at - s->v) + 1);
    int rc = heur_observation(h, at->observation, &o, e);
    if (rc != 0)
        return rc;
    struct buf *key = heur_key(h), *text = heur_text(h), *why = heur_reasoning(h);
    (void)buf_put(key, s->kind);
    (void)buf_bytes(key, s->name);
    title_put(o.title, text);
    (void)buf_str(text, when);
    time_put(&o, at, " at ", text);
    (void)buf_str(why, "In the calendar on ");
    count_put(why, evidence_support(h));
    (void)buf_str(why,
                  evidence_support(h) == 1 ? " day of the last ten weeks" : " days of the last ten weeks");
    w.key = buf_view(key);
    w.text = buf_view(text);
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}

static int single(struct heuristics *h, const struct subject *s, const struct use *u, struct err *e)
{
    struct stored_observation o;
    struct wording w = WORDING(KIND_EVENT);
    evidence_begin(h);
    evidence_occasion(h, u, false);
    evidence_link(h, u->observation, false);
    int rc = heur_observation(h, u->observation, &o, e);
    if (rc != 0)
        return rc;
    int year, month, day;
    civil_from_days(u->day, &year, &month, &day);
    struct buf *key = heur_key(h), *text = heur_text(h), *why = heur_reasoning(h);
    (void)buf_printf(key, "%d %u ", u->day, u->minute);
    (void)buf_bytes(key, s->name);
    title_put(o.title, text);
    (void)buf_printf(text, "on %s %d %s %d", weekdays[weekday_of_days(u->day)], day, months[month - 1], year);
    time_put(&o, u, ", ", text);
    (void)buf_str(why, "It is in the calendar");
    if (o.app.n > 0) {
        (void)buf_str(why, " '");
        (void)buf_bytes(why, utf8_cut(o.app, 60));
        (void)buf_str(why, "'");
    }
    w.at_ms = o.time_ms;
    w.until_ms = o.end_ms != TIME_NONE && o.end_ms > o.time_ms ? o.end_ms : o.time_ms;
    w.key = buf_view(key);
    w.text = buf_view(text);
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}

int heur_event(struct heuristics *h, const struct subject *s, struct err *e)
{
    const struct frame *f = heur_frame(h);
    struct pattern p;
    char words[40];
    pattern_fill(f, s, &p);
    const char *when = pattern_words(&p, words);
    if (when != NULL)
        return recurring(h, s, when, e);
    int rc = 0;
    unsigned n = 0;
    for (size_t i = 0; rc == 0 && i < s->n && n < EVENTS_MAX; i++) {
        if (s->v[i].day < f->today - BEHIND_DAYS || s->v[i].day > f->today + AHEAD_DAYS)
            continue;
        if (i > 0 && s->v[i].day == s->v[i - 1].day && s->v[i].minute == s->v[i - 1].minute)
            continue;
        rc = single(h, s, &s->v[i], e);
        n++;
    }
    return rc;
}
