#include "node/observe/ical_parse.h"

#include "base/limits.h"
#include "base/time.h"

#include <string.h>

void ical_scan_init(struct ical_scan *s, struct bytes text, size_t at, uint64_t no)
{
    *s = (struct ical_scan){.text = text, .at = at, .no = no};
    buf_init(&s->folded, LIMIT_LINE_BYTES);
}

void ical_scan_release(struct ical_scan *s)
{
    buf_release(&s->folded);
}

/* One physical line, without its end; moves behind it. */
static struct bytes physical(struct ical_scan *s)
{
    const uint8_t *from = s->text.p + s->at;
    size_t left = s->text.n - s->at;
    const uint8_t *nl = memchr(from, '\n', left);
    struct bytes line = bytes_of(from, nl ? (size_t)(nl - from) : left);
    s->at += line.n + (nl ? 1 : 0);
    s->no++;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static bool continues(const struct ical_scan *s)
{
    return s->at < s->text.n && (s->text.p[s->at] == ' ' || s->text.p[s->at] == '\t');
}

/* Joins a folded line. What is over the limit is cut: no field of ours is that long. */
static int unfold(struct ical_scan *s, struct bytes *line)
{
    buf_clear(&s->folded);
    buf_bytes(&s->folded, *line);
    while (continues(s)) {
        struct bytes more = physical(s);
        buf_append(&s->folded, more.p + 1, more.n - 1);
    }
    *line = buf_view(&s->folded);
    return s->folded.err == ERR_NOMEM ? ERR_NOMEM : 0;
}

/* NAME *(;PARAM=VALUE) ":" VALUE; a ':' inside quotes is no end. */
static void split(struct bytes line, struct ical_line *l)
{
    bool quoted = false;
    size_t params = SIZE_MAX;
    l->name = l->params = l->value = BYTES_NONE;
    for (size_t i = 0; i < line.n; i++) {
        uint8_t c = line.p[i];
        if (c == '"')
            quoted = !quoted;
        if (c == ';' && !quoted && params == SIZE_MAX)
            params = i;
        if (c != ':' || quoted)
            continue;
        size_t name = params == SIZE_MAX ? i : params;
        l->name = bytes_trim(bytes_slice(line, 0, name));
        l->params = bytes_slice(line, name, i - name);
        l->value = bytes_slice(line, i + 1, line.n);
        return;
    }
}

int ical_scan_next(struct ical_scan *s, struct ical_line *l)
{
    while (s->at < s->text.n) {
        l->at = s->at;
        l->no = s->no + 1;
        struct bytes line = physical(s);
        if (continues(s) && unfold(s, &line))
            return ERR_NOMEM;
        if (l->at == 0 && bytes_starts(line, BYTES_LIT("\xef\xbb\xbf")))
            line = bytes_slice(line, 3, line.n);
        if (bytes_trim(line).n == 0)
            continue;
        l->end = s->at;
        split(line, l);
        return 1;
    }
    return 0;
}

bool ical_is(const struct ical_line *l, const char *name)
{
    return bytes_ieq(l->name, bytes_str(name));
}

struct bytes ical_param(const struct ical_line *l, const char *name)
{
    size_t from = 1, i = 1;
    bool quoted = false;
    for (; i <= l->params.n; i++) {
        bool end = i == l->params.n;
        if (!end && l->params.p[i] == '"')
            quoted = !quoted;
        if (!end && (quoted || l->params.p[i] != ';'))
            continue;
        struct bytes param = bytes_slice(l->params, from, i - from);
        size_t eq = bytes_find(param, BYTES_LIT("="));
        from = i + 1;
        if (eq == SIZE_MAX || !bytes_ieq(bytes_trim(bytes_slice(param, 0, eq)), bytes_str(name)))
            continue;
        struct bytes v = bytes_trim(bytes_slice(param, eq + 1, param.n));
        if (v.n >= 2 && v.p[0] == '"' && v.p[v.n - 1] == '"')
            v = bytes_slice(v, 1, v.n - 2);
        return v;
    }
    return BYTES_NONE;
}

int ical_unescape(struct bytes value, struct buf *out)
{
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (c == '\\' && i + 1 < value.n) {
            uint8_t next = value.p[i + 1];
            bool newline = next == 'n' || next == 'N';
            if (newline || next == '\\' || next == ',' || next == ';' || next == ':' || next == '"') {
                c = newline ? '\n' : next;
                i++;
            }
        }
        buf_put(out, c);
    }
    return out->err;
}

bool ical_item(struct bytes *rest, struct bytes *item)
{
    if (rest->n == 0)
        return false;
    size_t comma = bytes_find(*rest, BYTES_LIT(","));
    *item = bytes_trim(bytes_slice(*rest, 0, comma));
    *rest = comma == SIZE_MAX ? BYTES_NONE : bytes_slice(*rest, comma + 1, rest->n);
    return true;
}

/* `n` digits at `at`, or -1. */
static int digits(struct bytes t, size_t at, size_t n)
{
    int v = 0;
    if (at + n > t.n)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return -1;
        v = v * 10 + (t.p[i] - '0');
    }
    return v;
}

static int clock_parse(struct bytes t, struct ical_time *out)
{
    int hour = digits(t, 9, 2), minute = digits(t, 11, 2), second = digits(t, 13, 2);
    if ((t.p[8] != 'T' && t.p[8] != 't') || hour < 0 || minute < 0 || second < 0)
        return ERR_FORMAT;
    if (hour > 23 || minute > 59 || second > 60)
        return ERR_FORMAT;
    out->utc = t.n == 16 && (t.p[15] == 'Z' || t.p[15] == 'z');
    if (t.n != 15 && !out->utc)
        return ERR_FORMAT;
    out->local_s += hour * 3600 + minute * 60 + second;
    return 0;
}

int ical_time_parse(struct bytes text, struct ical_time *t)
{
    struct bytes b = bytes_trim(text);
    int year = digits(b, 0, 4), month = digits(b, 4, 2), day = digits(b, 6, 2);
    *t = (struct ical_time){.date = b.n == 8};
    if (b.n < 8 || year < 0 || month < 0 || day < 0)
        return ERR_FORMAT;
    if (year < 1)
        return ERR_LIMIT;
    if (month < 1 || month > 12 || day < 1 || day > civil_month_days(year, month))
        return ERR_FORMAT;
    t->local_s = civil_days(year, month, day) * SECONDS_DAY;
    if (t->date)
        return 0;
    if (b.n < 15)
        return ERR_FORMAT;
    return clock_parse(b, t);
}

/* Adds one part such as "3H" of a duration. */
static int duration_part(uint8_t unit, bool in_time, int64_t v, int64_t *days, int64_t *seconds)
{
    switch (unit) {
    case 'W':
        *days += v * 7;
        return in_time ? ERR_FORMAT : 0;
    case 'D':
        *days += v;
        return in_time ? ERR_FORMAT : 0;
    case 'H':
        *seconds += v * 3600;
        return in_time ? 0 : ERR_FORMAT;
    case 'M':
        *seconds += v * 60;
        return in_time ? 0 : ERR_FORMAT;
    case 'S':
        *seconds += v;
        return in_time ? 0 : ERR_FORMAT;
    default:
        return ERR_FORMAT;
    }
}

int ical_duration_parse(struct bytes text, int64_t *days, int64_t *seconds)
{
    struct bytes b = bytes_trim(text);
    bool minus = bytes_starts(b, BYTES_LIT("-")), in_time = false, any = false;
    size_t i = minus || bytes_starts(b, BYTES_LIT("+"));
    int64_t v = 0;
    size_t n_digits = 0;
    *days = *seconds = 0;
    if (i >= b.n || b.p[i++] != 'P')
        return ERR_FORMAT;
    for (; i < b.n; i++) {
        if (b.p[i] >= '0' && b.p[i] <= '9') {
            if (++n_digits > 9)
                return ERR_LIMIT;
            v = v * 10 + (b.p[i] - '0');
        } else if (b.p[i] == 'T' && !in_time && n_digits == 0) {
            in_time = true;
        } else {
            if (n_digits == 0 || duration_part(b.p[i], in_time, v, days, seconds))
                return ERR_FORMAT;
            v = 0;
            n_digits = 0;
            any = true;
        }
    }
    if (!any || n_digits > 0)
        return ERR_FORMAT;
    *days = minus ? -*days : *days;
    *seconds = minus ? -*seconds : *seconds;
    return 0;
}

int ical_offset_parse(struct bytes text, int32_t *seconds)
{
    struct bytes b = bytes_trim(text);
    if ((b.n != 5 && b.n != 7) || (b.p[0] != '+' && b.p[0] != '-'))
        return ERR_FORMAT;
    int hour = digits(b, 1, 2), minute = digits(b, 3, 2), second = b.n == 7 ? digits(b, 5, 2) : 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return ERR_FORMAT;
    *seconds = hour * 3600 + minute * 60 + second;
    if (b.p[0] == '-')
        *seconds = -*seconds;
    return 0;
}

int ical_int_parse(struct bytes text, int *out)
{
    bool minus = bytes_starts(text, BYTES_LIT("-"));
    size_t from = minus || bytes_starts(text, BYTES_LIT("+"));
    if (text.n <= from || text.n - from > 6)
        return ERR_FORMAT;
    int v = digits(text, from, text.n - from);
    if (v < 0)
        return ERR_FORMAT;
    *out = minus ? -v : v;
    return 0;
}
