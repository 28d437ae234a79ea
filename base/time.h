/* Civil time without the C library's global time zone. All instants are int64_t milliseconds since
 * 1970-01-01T00:00:00Z ("ms"); offsets are minutes east of UTC. Days are proleptic Gregorian. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/bytes.h"

#define MS_SECOND INT64_C(1000)
#define MS_MINUTE INT64_C(60000)
#define MS_HOUR INT64_C(3600000)
#define MS_DAY INT64_C(86400000)
#define TIME_NONE INT64_MIN /* no time given */
/* The earlier of two deadlines, either of which may be TIME_NONE: never. */
static inline int64_t time_earlier(int64_t a, int64_t b)
{
    return a == TIME_NONE || (b != TIME_NONE && b < a) ? b : a;
}

struct civil {
    int year, month, day;     /* month 1..12, day 1..31 */
    int hour, minute, second; /* second 0..60 */
    int ms;
};

/* Days since 1970-01-01 of a civil date; and back. Defined for years 0..9999. */
int64_t civil_days(int year, int month, int day);
void civil_from_days(int64_t days, int *year, int *month, int *day);
int civil_month_days(int year, int month);
/* Monday = 0 … Sunday = 6. */
int weekday_of_days(int64_t days);
/* Civil fields of an instant seen at an offset, and back. */
void civil_from_ms(int64_t ms, int offset_min, struct civil *out);
int64_t civil_to_ms(const struct civil *c, int offset_min);

#define RFC3339_TEXT 24 /* "2026-11-24T13:22:31.000Z" without NUL; milliseconds left out when 0 */
/* An instant outside the years 0..9999 prints as the nearest one inside. */
void rfc3339_print(int64_t ms, char out[RFC3339_TEXT + 1]);
/* Reads RFC 3339 ("2013-03-17T18:40:14-07:00", fraction of any length, cut to ms; 'Z' or offset; 't' or space
 * as separator; date alone = midnight UTC). A leap second is read only where one can be, at 23:59:60 UTC, as
 * the second after it. *offset_min (may be NULL) gets the written offset. Instants outside the years
 * 1970..9999 are ERR_LIMIT (the instant counts, not the written year), anything else is ERR_FORMAT. */
int rfc3339_parse(struct bytes text, int64_t *ms, int *offset_min) MUST_CHECK;

/* "90s", "15m", "2h", "3d", "2w", "1h30m" (larger units first) → ms; > 0. ERR_FORMAT otherwise. */
int duration_parse(struct bytes text, int64_t *ms) MUST_CHECK;
/* "just now", "2 min", "3 h", "5 d", "8 mo", "2 y": an age for people. */
void age_print(int64_t age_ms, char out[24]);

#endif
