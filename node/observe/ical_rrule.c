#include "node/observe/ical_rrule.h"

#include "base/time.h"

#include <limits.h>
#include <stdio.h>

#define WDAY_OF(v) ((v)&7)
#define ORDINAL_OF(v) (((v)-WDAY_OF(v)) / 8)
/* Days from 1970 to 9999-12-31. */
#define DAY_MAX INT64_C(2932896)

static int refuse(char reason[RRULE_REASON], const char *what, struct bytes value)
{
    int n = value.n < 40 ? (int)value.n : 40;
    (void)snprintf(reason, RRULE_REASON, "%s '%.*s'", what, n, n ? (const char *)value.p : "");
    return ERR_FORMAT;
}

static int list_parse(struct bytes value, int max, struct rrule_list *out)
{
    struct bytes item;
    int v;
    out->n = 0;
    while (ical_item(&value, &item)) {
        if (ical_int_parse(item, &v) || v == 0 || v > max || v < -max || out->n == RRULE_VALUES)
            return ERR_FORMAT;
        out->v[out->n++] = (int16_t)v;
    }
    return out->n ? 0 : ERR_FORMAT;
}

static int months_parse(struct bytes value, uint16_t *months)
{
    struct rrule_list l;
    if (list_parse(value, 12, &l))
        return ERR_FORMAT;
    for (size_t i = 0; i < l.n; i++) {
        if (l.v[i] < 1)
            return ERR_FORMAT;
        *months = (uint16_t)(*months | 1u << l.v[i]);
    }
    return 0;
}

static int weekday_parse(struct bytes value, int *out)
{
    static const char names[7][3] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    for (*out = 0; *out < 7; ++*out)
        if (bytes_ieq(value, bytes_str(names[*out])))
            return 0;
    return ERR_FORMAT;
}

static int wdays_parse(struct bytes value, struct rrule_list *out)
{
    struct bytes item;
    out->n = 0;
    while (ical_item(&value, &item)) {
        int weekday, ordinal = 0;
        if (item.n < 2 || out->n == RRULE_VALUES || weekday_parse(bytes_slice(item, item.n - 2, 2), &weekday))
            return ERR_FORMAT;
        if (item.n > 2 && ical_int_parse(bytes_slice(item, 0, item.n - 2), &ordinal))
            return ERR_FORMAT;
        if (ordinal > 53 || ordinal < -53)
            return ERR_FORMAT;
        out->v[out->n++] = (int16_t)(ordinal * 8 + weekday);
    }
    return out->n ? 0 : ERR_FORMAT;
}

static int freq_parse(struct bytes value, enum rrule_freq *out)
{
    static const char *const names[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    for (size_t i = 0; i < 4; i++) {
        *out = (enum rrule_freq)i;
        if (bytes_ieq(value, bytes_str(names[i])))
            return 0;
    }
    return ERR_FORMAT;
}

static int number_parse(struct bytes value, int min, int max, int *out)
{
    return ical_int_parse(value, out) || *out < min || *out > max ? ERR_FORMAT : 0;
}

static int until_parse(struct bytes value, struct rrule *r)
{
    r->has_until = true;
    return ical_time_parse(value, &r->until);
}

enum part {
    FREQ,
    INTERVAL,
    COUNT,
    UNTIL,
    WKST,
    BYMONTH,
    BYMONTHDAY,
    BYYEARDAY,
    BYDAY,
    BYSETPOS,
    BYHOUR,
    BYMINUTE,
    BYSECOND,
    RSCALE,
    SKIP,
    PARTS
};

static int part_parse(enum part part, struct bytes v, struct rrule *r)
{
    switch (part) {
    case FREQ:
        return freq_parse(v, &r->freq);
    case INTERVAL:
        return number_parse(v, 1, 999999, &r->interval);
    case COUNT:
        return number_parse(v, 1, 999999, &r->count);
    case UNTIL:
        return until_parse(v, r);
    case WKST:
        return weekday_parse(v, &r->wkst);
    case BYMONTH:
        return months_parse(v, &r->months);
    case BYMONTHDAY:
        return list_parse(v, 31, &r->mdays);
    case BYYEARDAY:
        return list_parse(v, 366, &r->ydays);
    case BYDAY:
        return wdays_parse(v, &r->wdays);
    case BYSETPOS:
        return list_parse(v, 366, &r->setpos);
    case BYHOUR:
        return number_parse(v, 0, 23, &r->hour);
    case BYMINUTE:
        return number_parse(v, 0, 59, &r->minute);
    case BYSECOND:
        return number_parse(v, 0, 59, &r->second);
    case RSCALE:
        return bytes_ieq(v, BYTES_LIT("GREGORIAN")) ? 0 : ERR_FORMAT;
    case SKIP:
        return bytes_ieq(v, BYTES_LIT("OMIT")) ? 0 : ERR_FORMAT;
    case PARTS:
        break;
    }
    return ERR_FORMAT;
}

static enum part part_named(struct bytes name)
{
    static const char *const names[PARTS] = {"FREQ",    "INTERVAL",   "COUNT",     "UNTIL",  "WKST",
                                             "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY",  "BYSETPOS",
                                             "BYHOUR",  "BYMINUTE",   "BYSECOND",  "RSCALE", "SKIP"};
    int i = 0;
    while (i < PARTS && !bytes_ieq(name, bytes_str(names[i])))
        i++;
    return (enum part)i;
}

int rrule_parse(struct bytes value, struct rrule *r, char reason[RRULE_REASON])
{
    bool has_freq = false;
    *r = (struct rrule){.interval = 1, .hour = -1, .minute = -1, .second = -1};
    for (size_t i = 0; i < value.n;) {
        struct bytes rest = bytes_slice(value, i, value.n);
        size_t semi = bytes_find(rest, BYTES_LIT(";"));
        struct bytes part = bytes_trim(bytes_slice(rest, 0, semi));
        i += semi == SIZE_MAX ? rest.n : semi + 1;
        if (part.n == 0)
            continue;
        size_t eq = bytes_find(part, BYTES_LIT("="));
        if (eq == SIZE_MAX)
            return refuse(reason, "malformed part", part);
        enum part kind = part_named(bytes_trim(bytes_slice(part, 0, eq)));
        if (kind == PARTS || part_parse(kind, bytes_trim(bytes_slice(part, eq + 1, part.n)), r))
            return refuse(reason, "unsupported part", part);
        has_freq = has_freq || kind == FREQ;
    }
    return has_freq ? 0 : refuse(reason, "no FREQ in", value);
}

/* A day with everything the BY parts ask of it. */
struct day {
    int64_t n; /* since 1970 */
    int month, mday, mdays, yday, ydays, weekday;
};

static void day_of(int64_t n, struct day *d)
{
    int year;
    d->n = n;
    civil_from_days(n, &year, &d->month, &d->mday);
    d->mdays = civil_month_days(year, d->month);
    d->yday = (int)(n - civil_days(year, 1, 1)) + 1;
    d->ydays = civil_month_days(year, 2) + 337;
    d->weekday = weekday_of_days(n);
}

/* True when `pos` (1-based of `of`) is in the list, counted from either end. */
static bool list_has(const struct rrule_list *l, int pos, int of)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i] == pos || l->v[i] == pos - of - 1)
            return true;
    return false;
}

static bool wdays_have(const struct rrule *r, const struct day *d)
{
    bool in_month = r->freq == RRULE_MONTHLY || r->months;
    int pos = in_month ? d->mday : d->yday, of = in_month ? d->mdays : d->ydays;
    for (size_t i = 0; i < r->wdays.n; i++) {
        int ordinal = ORDINAL_OF(r->wdays.v[i]);
        if (WDAY_OF(r->wdays.v[i]) != d->weekday)
            continue;
        if (ordinal == 0 || r->freq == RRULE_WEEKLY || r->freq == RRULE_DAILY)
            return true;
        if (ordinal == (pos - 1) / 7 + 1 || ordinal == -((of - pos) / 7 + 1))
            return true;
    }
    return false;
}

static bool accepts(const struct rrule *r, const struct day *start, const struct day *d)
{
    bool by_day = r->wdays.n || r->mdays.n || r->ydays.n;
    if (r->months ? !(r->months >> d->month & 1)
                  : r->freq == RRULE_YEARLY && !by_day && d->month != start->month)
        return false;
    if (r->mdays.n && !list_has(&r->mdays, d->mday, d->mdays))
        return false;
    if (r->ydays.n && !list_has(&r->ydays, d->yday, d->ydays))
        return false;
    if (r->wdays.n && !wdays_have(r, d))
        return false;
    if (by_day || r->freq == RRULE_DAILY)
        return true;
    /* The rule names no day: the start does. */
    return r->freq == RRULE_WEEKLY ? d->weekday == start->weekday : d->mday == start->mday;
}

/* The first and last day of period `it->period`; false behind the year 9999. */
static bool period_bounds(const struct rrule_iter *it, int64_t *first, int64_t *last)
{
    const struct rrule *r = it->rule;
    int64_t start = it->start_s / SECONDS_DAY - (it->start_s % SECONDS_DAY < 0),
            step = it->period * r->interval;
    int year, month, day;
    civil_from_days(start, &year, &month, &day);
    switch (r->freq) {
    case RRULE_DAILY:
        *first = *last = start + step;
        break;
    case RRULE_WEEKLY:
        *first = start - (weekday_of_days(start) - r->wkst + 7) % 7 + step * 7;
        *last = *first + 6;
        break;
    case RRULE_MONTHLY:
        step += (int64_t)year * 12 + month - 1;
        if (step / 12 > 9999)
            return false;
        year = (int)(step / 12);
        month = (int)(step % 12) + 1;
        *first = civil_days(year, month, 1);
        *last = *first + civil_month_days(year, month) - 1;
        break;
    case RRULE_YEARLY:
        step += year;
        if (step > 9999)
            return false;
        *first = civil_days((int)step, 1, 1);
        *last = civil_days((int)step, 12, 31);
        break;
    }
    return *last <= DAY_MAX;
}

/* Keeps the days at the positions BYSETPOS names. */
static void pick_setpos(struct rrule_iter *it)
{
    size_t kept = 0;
    for (size_t i = 0; i < it->n; i++)
        if (list_has(&it->rule->setpos, (int)i + 1, (int)it->n))
            it->days[kept++] = it->days[i];
    it->n = kept;
}

/* Fills the days of the next period. */
static void next_period(struct rrule_iter *it)
{
    int64_t first = 0, last = 0;
    struct day start, d;
    it->n = it->i = 0;
    if (!period_bounds(it, &first, &last) || first * SECONDS_DAY > it->until_s || *it->budget == 0) {
        it->end = true;
        return;
    }
    uint64_t looks = (uint64_t)(last - first + 1);
    *it->budget -= looks < *it->budget ? looks : *it->budget;
    day_of(it->start_s / SECONDS_DAY - (it->start_s % SECONDS_DAY < 0), &start);
    for (int64_t n = first; n <= last; n++) {
        day_of(n, &d);
        if (accepts(it->rule, &start, &d))
            it->days[it->n++] = n;
    }
    if (it->rule->setpos.n)
        pick_setpos(it);
    it->period++;
}

void rrule_begin(struct rrule_iter *it, const struct rrule *rule, int64_t start_s, int64_t until_s,
                 uint64_t *budget)
{
    it->rule = rule;
    it->start_s = start_s;
    it->until_s = until_s;
    it->budget = budget;
    it->period = 0;
    it->n = it->i = 0;
    it->given = 0;
    it->end = false;
}

/* The time of day of all occurrences but the first. */
static int64_t time_of_day(const struct rrule_iter *it)
{
    int64_t s = ((it->start_s % SECONDS_DAY) + SECONDS_DAY) % SECONDS_DAY;
    int64_t hour = it->rule->hour >= 0 ? it->rule->hour : s / 3600;
    int64_t minute = it->rule->minute >= 0 ? it->rule->minute : s / 60 % 60;
    int64_t second = it->rule->second >= 0 ? it->rule->second : s % 60;
    return hour * 3600 + minute * 60 + second;
}

bool rrule_next(struct rrule_iter *it, int64_t *local_s)
{
    if (it->given == 0) {
        it->given = 1;
        *local_s = it->start_s;
        return true;
    }
    while (!it->end && !(it->rule->count && it->given >= it->rule->count)) {
        if (it->i == it->n) {
            next_period(it);
            continue;
        }
        *local_s = it->days[it->i++] * SECONDS_DAY + time_of_day(it);
        if (*local_s > it->until_s)
            break;
        if (*local_s <= it->start_s)
            continue;
        it->given++;
        return true;
    }
    it->end = true;
    return false;
}
