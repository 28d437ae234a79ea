/* Rules of the audit: reading a line, and whether it matches an observation. The grammar is in AUDIT.md. */
#include "node/model/audit_int.h"

#include "base/limits.h"

#include <string.h>

/* ---- matching -------------------------------------------------------------------------------------------
 */

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool glob_matches(struct bytes glob, struct bytes text)
{
    size_t g = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.n) {
        if (g < glob.n && glob.p[g] == '*') {
            star = g++;
            from = t;
        } else if (g < glob.n && (glob.p[g] == '?' || fold(glob.p[g]) == fold(text.p[t]))) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (g < glob.n && glob.p[g] == '*')
        g++;
    return g == glob.n;
}

struct bytes url_host(struct bytes url)
{
    size_t scheme = bytes_find(bytes_slice(url, 0, 64), BYTES_LIT("://"));
    if (scheme == SIZE_MAX)
        return BYTES_NONE;
    size_t from = scheme + 3, to = from;
    for (; to < url.n && memchr("/?#\\", url.p[to], 4) == NULL; to++)
        if (url.p[to] == '@')
            from = to + 1;
    size_t end = from;
    bool bracket = from < to && url.p[from] == '[';
    while (end < to && (bracket ? url.p[end] != ']' : url.p[end] != ':'))
        end++;
    from += bracket;
    while (end > from && url.p[end - 1] == '.')
        end--;
    return bytes_slice(url, from, end - from);
}

/* The host or any domain it lies in. */
static bool site_matches(struct bytes glob, struct bytes url)
{
    struct bytes host = url_host(url);
    for (;;) {
        if (host.n > 0 && glob_matches(glob, host))
            return true;
        const uint8_t *dot = host.n > 0 ? memchr(host.p, '.', host.n) : NULL;
        if (dot == NULL)
            return false;
        host = bytes_slice(host, (size_t)(dot - host.p) + 1, host.n);
    }
}

/* The path or any folder it lies in. */
static bool path_under(struct bytes glob, struct bytes path)
{
    if (path.n > 0 && glob_matches(glob, path))
        return true;
    for (size_t i = 1; i < path.n; i++)
        if (path.p[i] == '/' && glob_matches(glob, bytes_slice(path, 0, i)))
            return true;
    return false;
}

static int hex_digit(uint8_t c)
{
    c = fold(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A file URL's path, percent escapes decoded. */
static bool file_url_under(struct bytes glob, struct bytes url)
{
    uint8_t path[LIMIT_PATH_BYTES];
    size_t n = 0;
    if (bytes_ifind(bytes_slice(url, 0, 7), BYTES_LIT("file://")) != 0)
        return false;
    size_t at = 7;
    while (at < url.n && url.p[at] != '/')
        at++;
    for (; at < url.n && n < sizeof path && url.p[at] != '?' && url.p[at] != '#'; at++) {
        int high = url.p[at] == '%' && at + 2 < url.n ? hex_digit(url.p[at + 1]) : -1;
        int low = high >= 0 ? hex_digit(url.p[at + 2]) : -1;
        path[n++] = low >= 0 ? (uint8_t)(high * 16 + low) : url.p[at];
        at += low >= 0 ? 2 : 0;
    }
    return path_under(glob, bytes_of(path, n));
}

static bool path_matches(struct bytes glob, const struct observation *o)
{
    if (path_under(glob, o->cwd) || file_url_under(glob, o->url))
        return true;
    for (size_t i = 0; i < o->n_files; i++)
        if (path_under(glob, o->files[i]) || file_url_under(glob, o->files[i]))
            return true;
    return false;
}

/* The user's local clock: without a time no hour and no day matches. */
static bool time_matches(const struct rule *r, const struct observation *o)
{
    if (r->from_min < 0 && r->days == 0)
        return true;
    if (o->time_ms == TIME_NONE)
        return false;
    int64_t local = o->time_ms + (o->offset_min == OFFSET_UNKNOWN ? 0 : o->offset_min) * MS_MINUTE;
    int64_t day = local / MS_DAY - (local % MS_DAY < 0 ? 1 : 0);
    int minute = (int)((local - day * MS_DAY) / MS_MINUTE);
    bool hour_fits = r->from_min <= r->to_min ? minute >= r->from_min && minute < r->to_min
                                              : minute >= r->from_min || minute < r->to_min;
    bool day_fits = r->days == 0 || (r->days >> weekday_of_days(day) & 1) != 0;
    return day_fits && (r->from_min < 0 || hour_fits);
}

bool rule_matches(const struct rule *r, const struct observation *o)
{
    const struct bytes plain[RULE_FIELDS] = {
        [RULE_SOURCE] = o->source, [RULE_APP] = o->app, [RULE_TITLE] = o->title, [RULE_COMMAND] = o->command};
    if (r->private_only && !o->private_window)
        return false;
    for (int f = 0; f < RULE_FIELDS; f++) {
        bool fits = r->glob[f].n == 0;
        if (!fits && f == RULE_SITE)
            fits = site_matches(r->glob[f], o->url);
        else if (!fits && f == RULE_PATH)
            fits = path_matches(r->glob[f], o);
        else if (!fits)
            fits = glob_matches(r->glob[f], plain[f]);
        if (!fits)
            return false;
    }
    return time_matches(r, o);
}

/* ---- reading --------------------------------------------------------------------------------------------
 */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the next word off *rest: up to a blank, blanks inside double quotes aside. False at the end. */
static bool next_word(struct bytes *rest, struct bytes *word)
{
    size_t from = 0;
    while (from < rest->n && is_blank(rest->p[from]))
        from++;
    size_t to = from;
    for (bool quoted = false; to < rest->n && (quoted || !is_blank(rest->p[to])); to++)
        quoted ^= rest->p[to] == '"';
    *word = bytes_slice(*rest, from, to - from);
    *rest = bytes_slice(*rest, to, rest->n);
    return word->n > 0;
}

static int two_digits(struct bytes b, size_t at)
{
    if (at + 2 > b.n || b.p[at] < '0' || b.p[at] > '9' || b.p[at + 1] < '0' || b.p[at + 1] > '9')
        return -1;
    return (b.p[at] - '0') * 10 + b.p[at + 1] - '0';
}

/* "HH:MM" at `at`, minutes; -1 if it is none. 24:00 is the end of the day. */
static int clock_time(struct bytes b, size_t at)
{
    int hour = two_digits(b, at), minute = two_digits(b, at + 3);
    if (hour < 0 || minute < 0 || b.p[at + 2] != ':' || minute > 59 || hour * 60 + minute > 24 * 60)
        return -1;
    return hour * 60 + minute;
}

static int read_hours(struct bytes value, struct rule *r, struct err *e)
{
    r->from_min = clock_time(value, 0);
    r->to_min = clock_time(value, 6);
    if (value.n != 11 || value.p[5] != '-' || r->from_min < 0 || r->to_min < 0 || r->from_min == r->to_min)
        return err_set(e, ERR_FORMAT, "hours '%.*s' are not HH:MM-HH:MM", (int)value.n,
                       (const char *)value.p);
    return 0;
}

static int day_number(struct bytes name)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (int i = 0; i < 7; i++)
        if (bytes_ieq(name, bytes_str(days[i])))
            return i;
    return -1;
}

/* "tue" or "fri-mon". */
static bool read_day_range(struct bytes item, uint8_t *days)
{
    const uint8_t *dash = item.n > 0 ? memchr(item.p, '-', item.n) : NULL;
    size_t cut = dash != NULL ? (size_t)(dash - item.p) : item.n;
    int first = day_number(bytes_slice(item, 0, cut));
    int last = dash != NULL ? day_number(bytes_slice(item, cut + 1, item.n)) : first;
    if (first < 0 || last < 0)
        return false;
    for (int d = first;; d = (d + 1) % 7) {
        *days = (uint8_t)(*days | 1u << d);
        if (d == last)
            return true;
    }
}

static int read_days(struct bytes value, struct rule *r, struct err *e)
{
    for (struct bytes rest = value; r->days == 0 || rest.n > 0;) {
        const uint8_t *comma = rest.n > 0 ? memchr(rest.p, ',', rest.n) : NULL;
        size_t cut = comma != NULL ? (size_t)(comma - rest.p) : rest.n;
        if (!read_day_range(bytes_slice(rest, 0, cut), &r->days) || (comma != NULL && cut + 1 == rest.n))
            return err_set(e, ERR_FORMAT, "days '%.*s' are not like mon,wed-fri", (int)value.n,
                           (const char *)value.p);
        rest = bytes_slice(rest, cut + 1, rest.n);
    }
    return 0;
}

static struct bytes unquote(struct bytes value)
{
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        return bytes_slice(value, 1, value.n - 2);
    return value;
}

static int read_condition(struct bytes word, struct rule *r, struct err *e)
{
    static const char *const fields[RULE_FIELDS] = {"source", "app", "site", "path", "title", "command"};
    const uint8_t *equal = memchr(word.p, '=', word.n);
    size_t cut = equal != NULL ? (size_t)(equal - word.p) : word.n;
    struct bytes key = bytes_slice(word, 0, cut), value = unquote(bytes_slice(word, cut + 1, word.n));
    if (equal == NULL && bytes_eq(key, BYTES_LIT("private"))) {
        r->private_only = true;
        return 0;
    }
    if (equal == NULL || value.n == 0)
        return err_set(e, ERR_FORMAT, "'%.*s' is no condition", (int)word.n, (const char *)word.p);
    if (bytes_eq(key, BYTES_LIT("hours")) && r->from_min < 0)
        return read_hours(value, r, e);
    if (bytes_eq(key, BYTES_LIT("days")) && r->days == 0)
        return read_days(value, r, e);
    for (int f = 0; f < RULE_FIELDS; f++) {
        if (!bytes_eq(key, bytes_str(fields[f])) || r->glob[f].n > 0)
            continue;
        r->glob[f] = value;
        return 0;
    }
    return err_set(e, ERR_FORMAT, "condition '%.*s' is unknown or given twice", (int)key.n,
                   (const char *)key.p);
}

int rule_parse(struct bytes line, struct rule *r, bool *given, struct err *e)
{
    struct bytes rest = line, word;
    *r = (struct rule){.from_min = -1};
    *given = next_word(&rest, &word) && word.p[0] != '#';
    if (!*given)
        return 0;
    if (line.n > LIMIT_SETTING_BYTES)
        return err_set(e, ERR_LIMIT, "longer than %u bytes", LIMIT_SETTING_BYTES);
    r->drop = bytes_eq(word, BYTES_LIT("drop"));
    if (!r->drop && !bytes_eq(word, BYTES_LIT("keep")))
        return err_set(e, ERR_FORMAT, "'%.*s' is neither 'drop' nor 'keep'", (int)word.n,
                       (const char *)word.p);
    while (next_word(&rest, &word)) {
        int rc = read_condition(word, r, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}
