/* Civil time. The day arithmetic counts from 1 March of year 0 in eras of 400 years (146 097 days), so that a
 * leap day is always the last day of its year (H. Hinnant, "chrono-compatible low-level date algorithms"). */
#include "base/time.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define ERA_DAYS 146097
#define EPOCH_SHIFT 719468 /* days from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

int64_t civil_days(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_SHIFT;
}

void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + EPOCH_SHIFT;
    int64_t era = floor_div(z, ERA_DAYS);
    int64_t doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (ERA_DAYS - 1)) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int civil_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    CHECK(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap(year));
}

int weekday_of_days(int64_t days)
{
    return (int)floor_mod(days + 3, 7); /* 1970-01-01 was a Thursday */
}

void civil_from_ms(int64_t ms, int offset_min, struct civil *out)
{
    int64_t local = ms + offset_min * MS_MINUTE;
    int64_t in_day = floor_mod(local, MS_DAY);
    civil_from_days(floor_div(local, MS_DAY), &out->year, &out->month, &out->day);
    out->hour = (int)(in_day / MS_HOUR);
    out->minute = (int)(in_day / MS_MINUTE % 60);
    out->second = (int)(in_day / MS_SECOND % 60);
    out->ms = (int)(in_day % MS_SECOND);
}

int64_t civil_to_ms(const struct civil *c, int offset_min)
{
    return civil_days(c->year, c->month, c->day) * MS_DAY + c->hour * MS_HOUR +
           (c->minute - offset_min) * MS_MINUTE + c->second * MS_SECOND + c->ms;
}

/* Writes v with leading zeros and returns the end. */
static char *put_digits(char *p, int v, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + digits;
}

/* Writes v, then a separator. */
static char *put_field(char *p, int v, int digits, char after)
{
    p = put_digits(p, v, digits);
    *p = after;
    return p + 1;
}

void rfc3339_print(int64_t ms, char out[RFC3339_TEXT + 1])
{
    const int64_t first = civil_days(0, 1, 1) * MS_DAY;
    struct civil c;
    char *p = out;
    ms = ms < first ? first : ms > LIMIT_TIME_MS_MAX ? LIMIT_TIME_MS_MAX : ms;
    civil_from_ms(ms, 0, &c);
    p = put_field(p, c.year, 4, '-');
    p = put_field(p, c.month, 2, '-');
    p = put_field(p, c.day, 2, 'T');
    p = put_field(p, c.hour, 2, ':');
    p = put_field(p, c.minute, 2, ':');
    p = put_field(p, c.second, 2, c.ms ? '.' : 'Z');
    if (c.ms)
        p = put_field(p, c.ms, 3, 'Z');
    *p = '\0';
}

/* A text being read; after a failure ok is false and nothing more is read. */
struct scan {
    struct bytes text;
    size_t at;
    bool ok;
};

static uint8_t scan_peek(const struct scan *s)
{
    return s->ok && s->at < s->text.n ? s->text.p[s->at] : 0;
}

/* The next character must be one of `set`; returns it. */
static uint8_t scan_char(struct scan *s, const char *set)
{
    uint8_t c = scan_peek(s);
    s->ok = s->ok && c != 0 && strchr(set, c);
    s->at += s->ok;
    return c;
}

/* Exactly n digits of a value lo..hi. */
static int scan_number(struct scan *s, int n, int lo, int hi)
{
    int v = 0;
    for (int i = 0; i < n && s->ok; i++)
        v = v * 10 + (scan_char(s, "0123456789") - '0');
    s->ok = s->ok && v >= lo && v <= hi;
    return s->ok ? v : lo;
}

/* ".123456": milliseconds, cut, not rounded; 0 when there is none. */
static int scan_fraction(struct scan *s)
{
    int weight = 100;
    int v = 0;
    if (scan_peek(s) != '.')
        return 0;
    scan_char(s, ".");
    do {
        v += weight * (scan_char(s, "0123456789") - '0');
        weight /= 10;
    } while (s->ok && scan_peek(s) >= '0' && scan_peek(s) <= '9');
    return v;
}

static int scan_offset(struct scan *s)
{
    uint8_t sign = scan_char(s, "Zz+-");
    int minutes;
    if (!s->ok || sign == 'Z' || sign == 'z')
        return 0;
    minutes = 60 * scan_number(s, 2, 0, 23);
    scan_char(s, ":");
    minutes += scan_number(s, 2, 0, 59);
    return sign == '-' ? -minutes : minutes;
}

static void scan_date(struct scan *s, struct civil *c)
{
    c->year = scan_number(s, 4, 0, 9999);
    scan_char(s, "-");
    c->month = scan_number(s, 2, 1, 12);
    scan_char(s, "-");
    c->day = scan_number(s, 2, 1, civil_month_days(c->year, c->month));
}

/* The time of day behind the date; returns the offset in minutes. */
static int scan_time(struct scan *s, struct civil *c)
{
    scan_char(s, "Tt ");
    c->hour = scan_number(s, 2, 0, 23);
    scan_char(s, ":");
    c->minute = scan_number(s, 2, 0, 59);
    scan_char(s, ":");
    c->second = scan_number(s, 2, 0, 60);
    c->ms = scan_fraction(s);
    return scan_offset(s);
}

/* A leap second exists only as 23:59:60 UTC. */
static bool leap_second_is_real(const struct civil *c, int64_t ms)
{
    return c->second < 60 || floor_mod(ms - c->ms, MS_DAY) == 0;
}

int rfc3339_parse(struct bytes text, int64_t *ms, int *offset_min)
{
    struct scan s = {.text = text, .ok = true};
    struct civil c = {0};
    int offset = 0;
    int64_t at;
    scan_date(&s, &c);
    if (s.ok && s.at < text.n)
        offset = scan_time(&s, &c);
    if (!s.ok || s.at != text.n)
        return ERR_FORMAT;
    at = civil_to_ms(&c, offset);
    if (!leap_second_is_real(&c, at))
        return ERR_FORMAT;
    if (at < 0 || at > LIMIT_TIME_MS_MAX)
        return ERR_LIMIT;
    *ms = at;
    if (offset_min)
        *offset_min = offset;
    return 0;
}

struct unit {
    char letter;
    int64_t ms;
};

/* Largest first: a duration names its units in this order. */
static const struct unit units[] = {
    {'w', 7 * MS_DAY}, {'d', MS_DAY}, {'h', MS_HOUR}, {'m', MS_MINUTE}, {'s', MS_SECOND},
};
#define UNITS (sizeof units / sizeof units[0])
#define DURATION_NUMBER_MAX 999999999

/* Digits, at most nine of them. */
static int64_t scan_count(struct scan *s)
{
    int64_t v = 0;
    do {
        v = v * 10 + (scan_char(s, "0123456789") - '0');
        s->ok = s->ok && v <= DURATION_NUMBER_MAX;
    } while (s->ok && scan_peek(s) >= '0' && scan_peek(s) <= '9');
    return v;
}

int duration_parse(struct bytes text, int64_t *ms)
{
    struct scan s = {.text = text, .ok = true};
    size_t unit = 0;
    int64_t total = 0;
    while (s.ok && s.at < text.n) {
        int64_t count = scan_count(&s);
        uint8_t letter = scan_char(&s, "wdhms");
        while (s.ok && unit < UNITS && units[unit].letter != (char)letter)
            unit++;
        if (!s.ok || unit == UNITS)
            return ERR_FORMAT;
        total += count * units[unit++].ms;
    }
    if (total <= 0 || total > LIMIT_TIME_MS_MAX)
        return ERR_FORMAT;
    *ms = total;
    return 0;
}

void age_print(int64_t age_ms, char out[24])
{
    int64_t days = age_ms / MS_DAY;
    if (age_ms < MS_MINUTE)
        (void)snprintf(out, 24, "just now");
    else if (age_ms < MS_HOUR)
        (void)snprintf(out, 24, "%d min", (int)(age_ms / MS_MINUTE));
    else if (age_ms < MS_DAY)
        (void)snprintf(out, 24, "%d h", (int)(age_ms / MS_HOUR));
    else if (days < 31)
        (void)snprintf(out, 24, "%d d", (int)days);
    else if (days < 365)
        (void)snprintf(out, 24, "%d mo", (int)(days * 12 / 365));
    else
        (void)snprintf(out, 24, "%lld y", (long long)(days / 365));
}
