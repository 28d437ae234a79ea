#include "node/observe/picture_time.h"

#include <string.h>

#define BETWEEN_MAX 4

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* n digits at *at, which moves behind them and one mark; -1: they are not there. */
static int number_take(const char **at, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++, (*at)++) {
        if (!is_digit(**at))
            return -1;
        v = v * 10 + (**at - '0');
    }
    if (**at != '\0' && strchr("-_.:", **at) != NULL && is_digit((*at)[1]))
        (*at)++;
    return v;
}

static bool date_take(const char **at, struct civil *c)
{
    c->year = number_take(at, 4);
    c->month = c->year >= 1970 && c->year <= 2999 ? number_take(at, 2) : -1;
    c->day = c->month >= 1 && c->month <= 12 ? number_take(at, 2) : -1;
    return c->day >= 1 && c->day <= civil_month_days(c->year, c->month);
}

static bool clock_take(const char **at, struct civil *c)
{
    c->hour = number_take(at, 2);
    c->minute = c->hour >= 0 && c->hour <= 23 ? number_take(at, 2) : -1;
    const char *seconds = *at;
    c->second = c->minute >= 0 && c->minute <= 59 ? number_take(at, 2) : -1;
    return c->second >= 0 && c->second <= 59 && !is_digit(seconds[2]);
}

static bool read_at(const char *at, struct civil *c)
{
    if (!date_take(&at, c))
        return false;
    for (int skipped = 0; skipped < BETWEEN_MAX && *at != '\0' && !is_digit(*at); skipped++)
        at++;
    return clock_take(&at, c);
}

int64_t picture_name_time(const char *name, const struct observer_env *env)
{
    struct civil c = {0};
    for (const char *at = name; *at != '\0'; at++) {
        bool begins = is_digit(*at) && (at == name || !is_digit(at[-1]));
        if (!begins || !read_at(at, &c))
            continue;
        int64_t ms = civil_to_ms(&c, 0);
        int64_t guess = ms - env->zone_offset(env->zone_ctx, ms) * MS_MINUTE;
        return ms - env->zone_offset(env->zone_ctx, guess) * MS_MINUTE;
    }
    return TIME_NONE;
}
