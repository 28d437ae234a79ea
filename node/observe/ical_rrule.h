/* RRULE: the repetition rule of a calendar entry (RFC 5545 §3.3.10), expanded on the wall clock of its zone.
 *
 * Supported: FREQ=DAILY, WEEKLY, MONTHLY, YEARLY with INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYMONTHDAY,
 * BYYEARDAY, BYDAY (with ordinals for MONTHLY and YEARLY), BYSETPOS, and BYHOUR, BYMINUTE, BYSECOND with one
 * value. Everything else is named by rrule_parse, and the caller keeps the first occurrence only.
 *
 * How: the days of each period (day, week, month, year) are filtered through all BY parts, then BYSETPOS
 * picks. That costs 366 looks for a year and needs no special case for any combination. */
#ifndef NODE_OBSERVE_ICAL_RRULE_H
#define NODE_OBSERVE_ICAL_RRULE_H

#include "node/observe/ical_parse.h"

enum rrule_freq { RRULE_DAILY, RRULE_WEEKLY, RRULE_MONTHLY, RRULE_YEARLY };

/* More values in one BY part than this are refused; 7 weekdays × 53 ordinals is nonsense. */
#define RRULE_VALUES 64

struct rrule_list {
    size_t n;
    int16_t v[RRULE_VALUES];
};

struct rrule {
    enum rrule_freq freq;
    int interval;
    int count; /* 0: none */
    bool has_until;
    struct ical_time until;
    int wkst;                /* Monday = 0 */
    uint16_t months;         /* bit m: month m */
    struct rrule_list mdays; /* 1..31, -31..-1 */
    struct rrule_list ydays; /* 1..366, -366..-1 */
    struct rrule_list wdays; /* weekday + 8 × ordinal (RRULE_WDAY) */
    struct rrule_list setpos;
    int hour, minute, second; /* -1: as the start */
};

#define RRULE_REASON 120

/* Reads a rule. ERR_FORMAT (malformed or unsupported) with what and why in `reason`. */
int rrule_parse(struct bytes value, struct rrule *r, char reason[RRULE_REASON]) MUST_CHECK;

struct rrule_iter {
    const struct rrule *rule;
    int64_t start_s;  /* of the first occurrence, on the wall clock */
    int64_t until_s;  /* no occurrence behind it; wall clock */
    uint64_t *budget; /* looks left, shared by all rules of a calendar; 0 ends the expansion */
    int64_t period;   /* index of the next period, in units of interval */
    size_t n, i;      /* days of the current period, next one */
    int64_t days[366];
    int given;
    bool end;
};

/* The start always counts as the first occurrence, whether the rule hits it or not (RFC 5545 §3.8.5.3).
 * `until_s` is the nearer of the rule's UNTIL on the wall clock and the caller's horizon. */
void rrule_begin(struct rrule_iter *it, const struct rrule *rule, int64_t start_s, int64_t until_s,
                 uint64_t *budget);
/* The next occurrence, ascending; false at the end. */
bool rrule_next(struct rrule_iter *it, int64_t *local_s);

#endif
