/* Values behind a secret's name: where they begin and end, and whether there is anything to hide.
 *
 * Not to hide: variables and substitutions ($VAR, ${VAR}, $(cmd), {{x}}, %VAR%), placeholders (<password>,
 * [PASSWORD], changeme, xxxx, ****), code (calls, attribute paths), paths, and our own marks, so that
 * redacting twice changes nothing.
 */
#include "node/model/redact_int.h"

#include <string.h>

#define QUOTED_BYTES_MAX 1024u

static bool ends_bare(const struct scan *s, size_t at, const char *stops)
{
    uint8_t c = s->p[at];
    return ch_is(s, at, CH_SPACE | CH_QUOTE) || (c == '\\' && ch_is(s, at + 1, CH_QUOTE)) ||
           (c != 0 && strchr(stops, c) != NULL);
}

static size_t bare_end(struct scan *s, size_t at, const char *stops, size_t max)
{
    size_t i = at;
    while (i < s->n && i - at < max && !ends_bare(s, i, stops))
        i++;
    s->steps += i - at + 1;
    return i;
}

/* The closing quote on the same line, or 0. */
static size_t closing_quote(struct scan *s, size_t at, uint8_t quote)
{
    size_t end = s->n - at < QUOTED_BYTES_MAX ? s->n : at + QUOTED_BYTES_MAX;
    size_t i = at;
    while (i < end && s->p[i] != quote && s->p[i] != '\n')
        i += s->p[i] == '\\' && i + 1 < end ? 2 : 1;
    s->steps += i - at + 1;
    return i < end && s->p[i] == quote ? i : 0;
}

bool value_read(struct scan *s, size_t at, const char *stops, struct value *v)
{
    *v = (struct value){.from = at, .stops = stops};
    uint8_t c = ch_at(s, at);
    if (c == '"' || c == '\'' || c == '`') {
        size_t end = closing_quote(s, at + 1, c);
        if (end != 0) {
            *v = (struct value){.from = at + 1, .to = end, .quote = c, .stops = stops};
            return end > at + 1;
        }
        v->from++;
    } else if (c == '\\' && ch_is(s, at + 1, CH_QUOTE)) {
        v->from += 2;
    }
    v->to = bare_end(s, v->from, stops, VALUE_BYTES_MAX);
    while (v->to > v->from && v->to - v->from < VALUE_BYTES_MAX && strchr(",;.", s->p[v->to - 1]) != NULL)
        v->to--;
    return v->to > v->from;
}

bool value_hit(struct scan *s, const struct value *v, struct hit *h)
{
    size_t to = v->to;
    if (v->quote == 0 && to - v->from == VALUE_BYTES_MAX)
        to = bare_end(s, to, v->stops, SIZE_MAX);
    *h = (struct hit){v->from, to, REDACT_PASSWORD, "password"};
    return true;
}

static bool all_in(const struct scan *s, const struct value *v, const char *set)
{
    for (size_t i = v->from; i < v->to; i++)
        if (s->p[i] == 0 || strchr(set, s->p[i]) == NULL)
            return false;
    return true;
}

static bool one_letter(const struct scan *s, const struct value *v)
{
    for (size_t i = v->from + 1; i < v->to; i++)
        if (s->p[i] != s->p[v->from])
            return false;
    return strchr("xyzXYZ", s->p[v->from]) != NULL;
}

/* {name}, {call(x)} and {{anything}}: a template; {ZqL5k} is a value in braces. */
static bool is_template(const struct scan *s, const struct value *v)
{
    bool digit = false;
    if (ch_at(s, v->from + 1) == '{' || ch_at(s, v->from + 1) == '%')
        return true;
    for (size_t i = v->from + 1; i < v->to && s->p[i] != '}'; i++) {
        if (s->p[i] == '(')
            return true;
        digit |= ch_is(s, i, CH_DIGIT);
    }
    return !digit;
}

bool value_is_reference(const struct scan *s, const struct value *v)
{
    uint8_t first = s->p[v->from], last = s->p[v->to - 1];
    switch (first) {
    case '$':
        return ch_is(s, v->from + 1, CH_ALNUM | CH_UNDER) || strchr("{(@*", ch_at(s, v->from + 1)) != NULL;
    case '%':
        return last == '%' || v->to - v->from == 2;
    case '`':
    case '(':
    case '<':
    case '[':
        return true;
    case '{':
        return is_template(s, v);
    default:
        return all_in(s, v, "*.#-_?xX\xe2\x80\xa2\xa6") || one_letter(s, v);
    }
}

static struct bytes view(const struct scan *s, const struct value *v)
{
    return bytes_of(s->p + v->from, v->to - v->from);
}

/* Words that stand for a secret or for none. */
static bool is_stand_in(struct bytes text)
{
    static const char *const whole[] = {
        "password", "passwd",  "pass",      "passphrase", "secret",   "token",  "key",     "apikey",
        "api_key",  "pwd",     "string",    "str",        "text",     "bytes",  "int",     "bool",
        "boolean",  "none",    "null",      "nil",        "true",     "false",  "yes",     "no",
        "empty",    "missing", "undefined", "required",   "optional", "hidden", "default", "prompt",
        "stdin",    "env",     "self",      "this",       "username", "user",   "value",   "unset",
    };
    static const char *const parts[] = {"changeme", "change_me", "change-me", "placeholder", "example",
                                        "your_",    "your-",     "yourpass",  "yourtoken",   "yoursecret",
                                        "fake",     "dummy",     "redacted",  "_here"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (bytes_ieq(text, bytes_str(whole[i])))
            return true;
    struct bytes head = bytes_slice(text, 0, 96);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (bytes_ifind(head, bytes_str(parts[i])) != SIZE_MAX)
            return true;
    return false;
}

/* name(…), a.b.c, a->b, a::b, a[…: code that yields the value. */
static bool is_code(const struct scan *s, const struct value *v)
{
    bool digit = false, joined = false;
    size_t i = v->from;
    if (ch_is(s, i, CH_DIGIT))
        return false;
    for (; i < v->to; i++) {
        bool dot = s->p[i] == '.' && i > v->from && ch_is(s, i - 1, CH_ALNUM) && ch_is(s, i + 1, CH_ALPHA);
        joined |= dot;
        digit |= ch_is(s, i, CH_DIGIT);
        if (!dot && !ch_is(s, i, CH_ALNUM | CH_UNDER))
            break;
    }
    if (i == v->from)
        return false;
    if (i == v->to)
        return joined && !digit;
    return s->p[i] == '(' || (s->p[i] == '[' && joined) || scan_is(s, i, "->") || scan_is(s, i, "::");
}

/* /run/secrets/x, ~/.token, ./key.pem, C:\keys: some component is a plain word. */
static bool is_path(const struct scan *s, const struct value *v)
{
    size_t i = v->from, letters = 0;
    if (scan_is(s, i, "../") || scan_is(s, i, "./") || scan_is(s, i, "~/"))
        return true;
    if (s->p[i] != '/' && !(ch_is(s, i, CH_ALPHA) && scan_is(s, i + 1, ":\\")))
        return bytes_find(bytes_slice(view(s, v), 0, 12), BYTES_LIT("://")) != SIZE_MAX;
    for (i++; i <= v->to; i++) {
        bool cut = i == v->to || strchr("/.-_", s->p[i]) != NULL;
        if (cut && letters >= 3)
            return true;
        letters = cut                                                                ? 0
                  : ch_is(s, i, CH_LOWER) || (letters == 0 && ch_is(s, i, CH_UPPER)) ? letters + 1
                                                                                     : SIZE_MAX / 2;
        if (!cut && letters == SIZE_MAX / 2)
            return false;
    }
    return false;
}

/* A stand-in inside the value, or dots for the rest of it. */
static bool is_elided(const struct scan *s, const struct value *v)
{
    static const char *const runs[] = {"xxxxxx", "XXXXXX", "******"};
    struct bytes head = bytes_slice(view(s, v), 0, 96);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        if (bytes_find(head, bytes_str(runs[i])) != SIZE_MAX)
            return true;
    return scan_is(s, v->to, "...") || bytes_ends(view(s, v), BYTES_LIT("...")) ||
           bytes_ends(view(s, v), BYTES_LIT("\xe2\x80\xa6"));
}

bool value_is_placeholder(const struct scan *s, const struct value *v)
{
    if (value_is_reference(s, v) || is_stand_in(view(s, v)))
        return true;
    if (is_elided(s, v) || (v->to - v->from >= 12 && redact_is_dummy(view(s, v))))
        return true;
    return is_path(s, v) || (v->quote == 0 && is_code(s, v));
}

bool value_is_digits(const struct scan *s, const struct value *v)
{
    return all_in(s, v, "0123456789");
}

bool value_is_strong(const struct scan *s, const struct value *v)
{
    size_t n = v->to - v->from, symbols = 0;
    unsigned seen = 0;
    for (size_t i = v->from; i < v->to; i++) {
        seen |= redact_chars[s->p[i]];
        symbols += i + 1 < v->to && s->p[i] != 0 && strchr("!@#$%^&*+~?{}|", s->p[i]) != NULL;
    }
    bool version = (ch_is(s, v->from, CH_DIGIT) || ch_lower(s->p[v->from]) == 'v') &&
                   ch_is(s, v->from + 1, CH_DIGIT | CH_DOT) && all_in(s, v, "vV0123456789.-abcrc");
    if (version && (seen & CH_DOT) != 0)
        return false;
    return (symbols > 0 && n >= 5) || (n >= 7 && (seen & CH_DIGIT) != 0 && (seen & CH_ALPHA) != 0);
}
