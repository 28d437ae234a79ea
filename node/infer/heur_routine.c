/* "Usually commits to redis on weekday mornings, 9–12".
 *
 * A day has four parts; days come in nine classes: weekdays, the weekend, and each day of the week. A cell is
 * a class and a part. For a cell, the days of its class on which the subject showed up in the part support;
 * the days of its class on which this device saw anything, but not that, contradict, from the first
 * supporting day to the day before the newest (which may not be over). A cell is claimed when it happens
 * often enough and clearly more often than in the subject's average cell: who does something at any time has
 * no routine. */
#include "node/infer/heuristics.h"

#include <stdlib.h>
#include <string.h>

#define PARTS 4
#define CLASSES 9
#define ROUTINE_DAYS_MIN 5
#define ROUTINE_RATE_MIN 0.3
#define ROUTINE_LIFT_MIN 1.3
/* One day of the week is worth its own claim when it stands out from its weekdays (or weekend). */
#define SINGLE_RATE_MIN 0.5
#define SINGLE_LIFT_MIN 1.6
#define ROUTINES_MAX 4

static const char *const class_names[CLASSES] = {"weekday",  "weekend", "Monday",   "Tuesday", "Wednesday",
                                                 "Thursday", "Friday",  "Saturday", "Sunday"};
static const char *const part_names[PARTS] = {"nights", "mornings", "afternoons", "evenings"};

struct cell {
    int class, part;
    unsigned support, against;
    int first; /* index of the first supporting day */
    double rate, score;
};
struct calendar {
    uint8_t parts[WINDOW_DAYS]; /* bit per part with a use */
};

static int weekday_of(const struct frame *f, int d)
{
    return weekday_of_days(f->from + d);
}

static bool in_class(const struct frame *f, int d, int class)
{
    int weekday = weekday_of(f, d);
    if (class >= 2)
        return weekday == class - 2;
    return (weekday >= 5) == (class == 1);
}

static void calendar_fill(const struct frame *f, const struct subject *s, struct calendar *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < s->n; i++) {
        if (day_in(f, s->v[i].day))
            c->parts[s->v[i].day - f->from] |= (uint8_t)(1u << (s->v[i].minute / 360));
    }
}

static bool contradicts(const struct frame *f, const struct calendar *c, const struct cell *cell, int d)
{
    return in_class(f, d, cell->class) && d > cell->first && d < WINDOW_DAYS - 1 && f->active[d] &&
           !(c->parts[d] >> cell->part & 1);
}

static void cell_count(const struct frame *f, const struct calendar *c, struct cell *cell)
{
    cell->first = WINDOW_DAYS;
    for (int d = 0; d < WINDOW_DAYS; d++) {
        if (in_class(f, d, cell->class) && (c->parts[d] >> cell->part & 1)) {
            cell->first = d < cell->first ? d : cell->first;
            cell->support++;
        }
    }
    for (int d = 0; d < WINDOW_DAYS; d++)
        cell->against += contradicts(f, c, cell, d);
    cell->rate = cell->support == 0 ? 0 : (double)cell->support / (cell->support + cell->against);
}

/* The share of (active day, part) pairs since the first use that have a use. */
static double base_rate(const struct frame *f, const struct calendar *c)
{
    unsigned used = 0, days = 0;
    for (int d = 0; d < WINDOW_DAYS; d++) {
        days += f->active[d] && (used > 0 || c->parts[d] != 0);
        for (int p = 0; p < PARTS; p++)
            used += c->parts[d] >> p & 1;
    }
    return days == 0 ? 1 : (double)used / (PARTS * days);
}

/* Best first; then in the order of the table. */
static int cell_compare(const void *pa, const void *pb)
{
    const struct cell *a = pa, *b = pb;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return (a->class * PARTS + a->part) - (b->class * PARTS + b->part);
}

static bool cell_stands_out(const struct cell *cell, double base, double around)
{
    if (cell->support < ROUTINE_DAYS_MIN || cell->rate < ROUTINE_LIFT_MIN * base)
        return false;
    bool single = cell->class >= 2;
    return single ? cell->rate >= SINGLE_RATE_MIN && cell->rate >= SINGLE_LIFT_MIN * around
                  : cell->rate >= ROUTINE_RATE_MIN;
}

/* The cells worth a claim, best first; returns how many. */
static size_t cells_pick(const struct frame *f, const struct calendar *c, struct cell out[CLASSES * PARTS])
{
    double base = base_rate(f, c), wide[2][PARTS] = {{0}};
    size_t n = 0;
    for (int i = 0; i < CLASSES * PARTS; i++) {
        struct cell cell = {.class = i / PARTS, .part = i % PARTS};
        cell_count(f, c, &cell);
        if (cell.class < 2)
            wide[cell.class][cell.part] = cell.rate;
        cell.score = cell.rate * cell.support;
        if (cell_stands_out(&cell, base, wide[cell.class >= 7][cell.part]))
            out[n++] = cell;
    }
    qsort(out, n, sizeof *out, cell_compare);
    return n;
}

/* ---- wording ----------------------------------------------------------------------------------------------
 */

static bool use_in(const struct frame *f, const struct use *u, const struct cell *cell)
{
    return day_in(f, u->day) && in_class(f, u->day - f->from, cell->class) && u->minute / 360 == cell->part;
}

/* The hours between which the middle four fifths of the uses lie. */
static void cell_hours(const struct frame *f, const struct subject *s, const struct cell *cell, int *from,
                       int *to)
{
    unsigned hours[24] = {0}, n = 0, below = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (use_in(f, &s->v[i], cell)) {
            hours[s->v[i].minute / 60]++;
            n++;
        }
    }
    *from = *to = -1;
    for (int i = 0; i < 24; i++) {
        below += hours[i];
        if (*from < 0 && below * 10 > n)
            *from = i;
        if (*to < 0 && below * 10 >= n * 9)
            *to = i + 1;
    }
}

static void activity_put(const struct heuristics *h, const struct subject *s, struct buf *out)
{
    const struct frame *f = heur_frame(h);
    bool git = s->n > 0 && bytes_eq(f->sources[s->v[s->n - 1].source].name, BYTES_LIT("git"));
    switch (s->kind) {
    case FEATURE_PROJECT:
        (void)buf_str(out, git ? "commits to " : "works on ");
        break;
    case FEATURE_SITE:
        (void)buf_str(out, "visits ");
        break;
    case FEATURE_SOURCE:
        (void)buf_str(out, "works in the shell");
        break;
    default:
        (void)buf_str(out, "uses ");
    }
    (void)buf_bytes(out, s->name);
}

static void text_put(struct heuristics *h, const struct subject *s, const struct cell *cell)
{
    struct buf *text = heur_text(h);
    int from, to;
    cell_hours(heur_frame(h), s, cell, &from, &to);
    (void)buf_str(text, "Usually ");
    activity_put(h, s, text);
    (void)buf_printf(text, " on %s %s, %d\xe2\x80\x93%d", class_names[cell->class], part_names[cell->part],
                     from, to);
}

static void why_put(struct heuristics *h, const struct cell *cell)
{
    struct buf *why = heur_reasoning(h);
    (void)buf_str(why, "On ");
    count_put(why, cell->support);
    (void)buf_str(why, " of the ");
    count_put(why, cell->support + cell->against);
    (void)buf_printf(why, " %ss since then on which this device saw anything, in the last 26 weeks",
                     cell->class == 1 ? "weekend day" : class_names[cell->class]);
}

static void evidence_put(struct heuristics *h, const struct subject *s, const struct calendar *c,
                         const struct cell *cell)
{
    const struct frame *f = heur_frame(h);
    const struct use *latest = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (!use_in(f, &s->v[i], cell))
            continue;
        evidence_occasion(h, &s->v[i], false);
        evidence_link(h, s->v[i].observation, false);
        latest = &s->v[i];
    }
    for (int d = 0; latest != NULL && d < WINDOW_DAYS; d++) {
        if (contradicts(f, c, cell, d))
            evidence_occasion(h, &(struct use){.day = f->from + d, .source = latest->source}, true);
    }
}

int heur_routine(struct heuristics *h, const struct subject *s, struct err *e)
{
    struct calendar c;
    struct cell cells[CLASSES * PARTS];
    int rc = 0;
    calendar_fill(heur_frame(h), s, &c);
    size_t n = cells_pick(heur_frame(h), &c, cells);
    for (size_t i = 0; rc == 0 && i < n && i < ROUTINES_MAX; i++) {
        struct wording w = WORDING(KIND_ROUTINE);
        evidence_begin(h);
        evidence_put(h, s, &c, &cells[i]);
        struct buf *key = heur_key(h);
        const uint8_t head[] = {s->kind, (uint8_t)cells[i].class, (uint8_t)cells[i].part};
        (void)buf_append(key, head, sizeof head);
        (void)buf_bytes(key, s->name);
        text_put(h, s, &cells[i]);
        why_put(h, &cells[i]);
        w.key = buf_view(key);
        w.text = buf_view(heur_text(h));
        w.reasoning = buf_view(heur_reasoning(h));
        rc = heur_claim(h, &w, e);
    }
    return rc;
}
