/* "Uses rg": a day on which the tool was used supports; a whole week in which the shell was busy and the tool
 * silent contradicts. "Prefers rg over grep": of two interchangeable tools, a day with more of the one
 * supports, with more of the other contradicts. */
#include "node/infer/heuristics.h"
#include "node/infer/words.h"

/* Fewer days are a trial, not a use. */
#define TOOL_DAYS_MIN 3
/* A week counts as silent when the shell was used on that many of its days. */
#define BUSY_WEEK_DAYS 3
#define PREFERENCE_DAYS_MIN 4
#define PREFERENCE_RATE_MIN 0.6
#define MEMBERS_MAX 64

static unsigned shell_days(const struct frame *f, int from, int to)
{
    uint8_t any[WINDOW_DAYS] = {0};
    for (size_t i = 0; i < f->n_sources; i++) {
        for (int d = 0; d < WINDOW_DAYS && source_is_shell(f->sources[i].name); d++)
            any[d] |= f->sources[i].active[d];
    }
    return frame_active_days(any, from, to);
}

/* Silent weeks are counted back from the newest day in sevens, down to the week of the first use. They go to
 * the source used last. */
static unsigned silent_weeks(struct heuristics *h, const struct subject *s)
{
    const struct frame *f = heur_frame(h);
    bool used[WINDOW_WEEKS] = {false};
    int oldest = -1;
    for (size_t i = 0; i < s->n; i++) {
        if (!day_in(f, s->v[i].day))
            continue;
        int week = (f->newest - s->v[i].day) / 7;
        used[week] = true;
        oldest = week > oldest ? week : oldest;
    }
    unsigned silent = 0;
    const struct use *last = &s->v[s->n - 1];
    for (int week = 0; week < oldest && !f->sources[last->source].shared; week++) {
        int to = WINDOW_DAYS - 1 - week * 7;
        if (used[week] || shell_days(f, to - 6, to) < BUSY_WEEK_DAYS)
            continue;
        evidence_occasion(h, &(struct use){.day = f->newest - week * 7, .source = last->source}, true);
        silent++;
    }
    return silent;
}

int heur_tool(struct heuristics *h, const struct subject *s, struct err *e)
{
    struct wording w = WORDING(KIND_TOOL);
    if (s->n == 0 || tool_is_common(s->name))
        return 0;
    evidence_begin(h);
    evidence_uses(h, s->v, s->n);
    uint64_t days = evidence_support(h);
    if (days < TOOL_DAYS_MIN)
        return 0;
    unsigned silent = silent_weeks(h, s);
    struct buf *text = heur_text(h), *why = heur_reasoning(h);
    (void)buf_str(text, "Uses ");
    (void)buf_bytes(text, s->name);
    (void)buf_str(why, "Used ");
    (void)buf_bytes(why, s->name);
    (void)buf_str(why, " on ");
    count_put(why, days);
    (void)buf_str(why, " days of the last 26 weeks");
    if (silent > 0) {
        (void)buf_str(why, ", not at all in ");
        count_put(why, silent);
        (void)buf_str(why, silent == 1 ? " busy week since" : " busy weeks since");
    }
    w.key = s->name;
    w.text = buf_view(text);
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}

/* ---- alternatives -----------------------------------------------------------------------------------------
 */

static size_t day_end(const struct subject *s, size_t from)
{
    size_t to = from;
    while (to < s->n && s->v[to].day == s->v[from].day)
        to++;
    return to;
}

static unsigned uses_of(const struct subject *s, size_t from, size_t to, uint32_t member)
{
    unsigned n = 0;
    for (size_t i = from; i < to; i++)
        n += s->v[i].member == member;
    return n;
}

static unsigned days_of(const struct subject *s, uint32_t member)
{
    unsigned days = 0;
    for (size_t from = 0, to; from < s->n; from = to) {
        to = day_end(s, from);
        days += uses_of(s, from, to, member) > 0;
    }
    return days;
}

/* One day's contest of x against y: links what decided it. */
static void contest(struct heuristics *h, const struct subject *s, size_t from, size_t to,
                    const uint32_t xy[2])
{
    unsigned x = uses_of(s, from, to, xy[0]), y = uses_of(s, from, to, xy[1]);
    if (x == y)
        return;
    uint32_t winner = x > y ? xy[0] : xy[1];
    for (size_t i = from; i < to; i++) {
        if (s->v[i].member != winner)
            continue;
        evidence_occasion(h, &s->v[i], x < y);
        evidence_link(h, s->v[i].observation, x < y);
    }
}

static int prefer(struct heuristics *h, const struct subject *s, const uint32_t xy[2], struct err *e)
{
    evidence_begin(h);
    for (size_t from = 0, to; from < s->n; from = to) {
        to = day_end(s, from);
        contest(h, s, from, to, xy);
    }
    double support = (double)evidence_support(h), against = (double)evidence_against(h);
    if (support < PREFERENCE_DAYS_MIN || support < PREFERENCE_RATE_MIN * (support + against))
        return 0;
    struct buf *key = heur_key(h), *text = heur_text(h), *why = heur_reasoning(h);
    struct bytes x = heur_member(h, xy[0]), y = heur_member(h, xy[1]);
    struct wording w = WORDING(KIND_PREFERENCE);
    (void)buf_bytes(key, x);
    (void)buf_put(key, 0x1f);
    (void)buf_bytes(key, y);
    (void)buf_str(text, "Prefers ");
    (void)buf_bytes(text, x);
    (void)buf_str(text, " over ");
    (void)buf_bytes(text, y);
    (void)buf_printf(text, " %s", tool_group_purpose(tool_group(x)));
    (void)buf_str(why, "Used ");
    (void)buf_bytes(why, x);
    (void)buf_str(why, " on ");
    count_put(why, days_of(s, xy[0]));
    (void)buf_str(why, " days and ");
    (void)buf_bytes(why, y);
    (void)buf_str(why, " on ");
    count_put(why, days_of(s, xy[1]));
    (void)buf_str(why, " of the last 26 weeks");
    w.key = buf_view(key);
    w.text = buf_view(text);
    w.reasoning = buf_view(why);
    return heur_claim(h, &w, e);
}

int heur_preference(struct heuristics *h, const struct subject *s, struct err *e)
{
    size_t n = heur_members(h);
    int rc = 0;
    for (uint32_t x = 0; rc == 0 && x < n && n <= MEMBERS_MAX; x++) {
        for (uint32_t y = 0; rc == 0 && y < n; y++) {
            if (x != y && days_of(s, y) > 0 && days_of(s, x) > 0)
                rc = prefer(h, s, (const uint32_t[]){x, y}, e);
        }
    }
    return rc;
}
