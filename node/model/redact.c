/* The walk over the text, what replaces a span, and the byte table that all detectors share.
 *
 * Which detector may start at a byte is decided by the kind of the byte and by the byte before it; see
 * redact_int.h for why this is linear. Order matters where two detectors could name the same bytes: the more
 * telling one comes first, so that a provider token in an assignment is named after its provider.
 */
#include "node/model/redact_int.h"

#include <string.h>

#define LOWER_HEX (CH_LOWER | CH_HEX_LOWER)
#define UPPER_HEX (CH_UPPER | CH_HEX_UPPER)

const uint16_t redact_chars[256] = {
    ['0' ... '9'] = CH_DIGIT,
    ['a' ... 'f'] = LOWER_HEX,
    ['g' ... 'z'] = CH_LOWER,
    ['A' ... 'F'] = UPPER_HEX,
    ['G' ... 'Z'] = CH_UPPER,
    ['_'] = CH_UNDER | CH_LOCAL,
    ['-'] = CH_DASH | CH_LOCAL,
    ['.'] = CH_DOT | CH_LOCAL,
    ['+'] = CH_PLUS_SLASH | CH_LOCAL,
    ['%'] = CH_LOCAL,
    ['/'] = CH_PLUS_SLASH,
    ['='] = CH_EQUAL,
    [' '] = CH_BLANK,
    ['\t'] = CH_BLANK,
    ['\n'] = CH_END,
    ['\r'] = CH_END,
    ['"'] = CH_QUOTE,
    ['\''] = CH_QUOTE,
    ['`'] = CH_QUOTE,
};

/* Which detectors a byte can start. */
enum { AT_LETTER = 1, AT_DIGIT, AT_MARK };
static const uint8_t triggers[256] = {
    ['a' ... 'z'] = AT_LETTER, ['A' ... 'Z'] = AT_LETTER, ['0' ... '9'] = AT_DIGIT, ['-'] = AT_MARK,
    ['/'] = AT_MARK,           [':'] = AT_MARK,           ['?'] = AT_MARK,          ['&'] = AT_MARK,
    ['#'] = AT_MARK,           [';'] = AT_MARK,           ['|'] = AT_MARK,          ['\n'] = AT_MARK,
    ['@'] = AT_MARK,           ['~'] = AT_MARK,           ['.'] = AT_MARK,          ['+'] = AT_MARK,
    ['('] = AT_MARK,           ['<'] = AT_MARK,
};

size_t scan_run(struct scan *s, size_t at, unsigned mask, size_t max)
{
    if (at >= s->n)
        return 0;
    size_t i = at;
    size_t end = s->n - at < max ? s->n : at + max;
    while (i < end && (redact_chars[s->p[i]] & mask) != 0)
        i++;
    s->steps += i - at + 1;
    return i - at;
}

bool scan_is(const struct scan *s, size_t at, const char *word)
{
    size_t i = 0;
    for (; word[i] != '\0'; i++)
        if (ch_at(s, at + i) != (uint8_t)word[i])
            return false;
    return true;
}

bool scan_iis(const struct scan *s, size_t at, const char *lower)
{
    size_t i = 0;
    for (; lower[i] != '\0'; i++)
        if (ch_lower(ch_at(s, at + i)) != (uint8_t)lower[i])
            return false;
    return true;
}

size_t scan_group_separator(const struct scan *s, size_t at)
{
    uint8_t c = ch_at(s, at);
    if (c == ' ' || c == '-')
        return 1;
    if (c == 0xc2)
        return ch_at(s, at + 1) == 0xa0 ? 2 : 0;
    if (c != 0xe2 || ch_at(s, at + 1) != 0x80)
        return 0;
    uint8_t last = ch_at(s, at + 2);
    return last == 0xaf || (last >= 0x90 && last <= 0x93) ? 3 : 0;
}

bool redact_is_dummy(struct bytes value)
{
    uint8_t seen[256] = {0};
    size_t distinct = 0, repeated = 0, run = 0;
    size_t n = value.n < 256 ? value.n : 256;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = value.p[i];
        distinct += seen[c] == 0;
        seen[c] = 1;
        run = i > 0 && value.p[i - 1] == c ? run + 1 : 1;
        repeated += run == 4 ? 4 : run > 4;
        if (run == 6 && (c == 'x' || c == 'X' || c == '*' || c == '#'))
            return true;
    }
    return distinct < (n >= 16 ? 6u : n >= 4 ? 3u : 2u) || repeated * 3 > n;
}

static bool letter_at(struct scan *s, size_t at, struct hit *h)
{
    if (ch_starts(s, at, CH_ALNUM)) {
        command_word_at(s, at);
        if (token_at(s, at, h) || iban_at(s, at, h) || command_pipe_at(s, at, h))
            return true;
    }
    return password_name_at(s, at, h);
}

static bool digit_at(struct scan *s, size_t at, struct hit *h)
{
    if (!ch_starts(s, at, CH_DIGIT))
        return false;
    if (ch_starts(s, at, CH_ALNUM))
        command_word_at(s, at);
    return token_number_at(s, at, h) || card_at(s, at, h) || token_at(s, at, h) || phone_at(s, at, h);
}

static bool mark_at(struct scan *s, size_t at, struct hit *h)
{
    switch (s->p[at]) {
    case '-':
        return private_key_at(s, at, h) || command_flag_at(s, at, h) || token_mark_at(s, at, h);
    case '/':
        return command_flag_at(s, at, h);
    case ':':
        return password_url_at(s, at, h);
    case '?':
    case '#':
        return password_query_at(s, at, h);
    case '&':
    case ';':
        if (password_query_at(s, at, h))
            return true;
        command_end_at(s, at);
        return false;
    case '|':
    case '\n':
        command_end_at(s, at);
        return false;
    case '<':
        return command_pipe_at(s, at, h);
    case '@':
        return email_at(s, at, h);
    case '+':
    case '(':
        return phone_at(s, at, h);
    default:
        return token_mark_at(s, at, h);
    }
}

static bool detect(struct scan *s, size_t at, struct hit *h)
{
    switch (triggers[s->p[at]]) {
    case AT_LETTER:
        return letter_at(s, at, h);
    case AT_DIGIT:
        return digit_at(s, at, h);
    case AT_MARK:
        return mark_at(s, at, h);
    default:
        return false;
    }
}

/* A password that is a provider's token from end to end is named after the provider. */
static void prefer_token(struct scan *s, struct hit *h)
{
    struct hit token;
    size_t mark = h->from + 5; /* Azure's '~' */
    if (h->cls != REDACT_PASSWORD || (s->classes & REDACT_BIT(REDACT_TOKEN)) == 0)
        return;
    if ((token_at(s, h->from, &token) || token_number_at(s, h->from, &token) ||
         (ch_at(s, mark) == '~' && token_mark_at(s, mark, &token))) &&
        token.from == h->from && token.to >= h->to)
        *h = token;
}

/* Bounds of look-ahead may fall inside a character: spans take whole ones. */
static void widen(const struct scan *s, struct hit *h)
{
    while (h->from > s->floor && (s->p[h->from] & 0xc0) == 0x80)
        h->from--;
    while (h->to < s->n && (s->p[h->to] & 0xc0) == 0x80)
        h->to++;
}

void scan_init(struct scan *s, struct bytes in, unsigned classes, enum redact_context context)
{
    *s = (struct scan){.p = in.p, .n = in.n, .classes = classes, .context = context};
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Puts a span that begins further on among those that wait, in order. One that overlaps another, or finds no
 * room, is joined with it: rather too much is hidden than too little. */
static void wait_for(struct scan *s, const struct hit *h)
{
    size_t at = 0;
    while (at < s->n_waiting && s->waiting[at].to <= h->from)
        at++;
    bool overlaps = at < s->n_waiting && s->waiting[at].from < h->to;
    if (overlaps || s->n_waiting == WAITING_MAX) {
        struct hit *w = &s->waiting[min_size(at, WAITING_MAX - 1)];
        w->from = min_size(w->from, h->from);
        w->to = max_size(w->to, h->to);
        return;
    }
    memmove(&s->waiting[at + 1], &s->waiting[at], (s->n_waiting - at) * sizeof *h);
    s->waiting[at] = *h;
    s->n_waiting++;
}

/* A span is taken: the walk goes on behind it, and what still waits begins behind it too. */
static bool take(struct scan *s, struct hit *h)
{
    size_t kept = 0;
    widen(s, h);
    s->floor = h->to;
    s->at = max_size(s->at, h->to);
    for (size_t i = 0; i < s->n_waiting; i++) {
        struct hit w = s->waiting[i];
        w.from = max_size(w.from, s->floor);
        if (w.from < w.to)
            s->waiting[kept++] = w;
    }
    s->n_waiting = kept;
    return true;
}

/* What a detector found at `at`, if it is ours to report. */
static bool found_at(struct scan *s, size_t at, struct hit *h)
{
    if (triggers[s->p[at]] == 0 || !detect(s, at, h) || h->from < s->floor)
        return false;
    prefer_token(s, h);
    return (s->classes & REDACT_BIT(h->cls)) != 0;
}

/* A span may begin further on than the name that gives it away. It waits until the walk gets there, so that
 * what stands between is looked at too. */
bool scan_next(struct scan *s, struct hit *h)
{
    while (s->at < s->n) {
        if (s->n_waiting > 0 && s->at >= s->waiting[0].from) {
            *h = s->waiting[0];
            s->waiting[0].to = 0;
            return take(s, h);
        }
        size_t at = s->at++;
        s->steps++;
        if (!found_at(s, at, h))
            continue;
        if (h->from <= at)
            return take(s, h);
        wait_for(s, h);
    }
    return false;
}

#define PASSES_MAX 8 /* of one text; more: it is dropped */

static void put_placeholder(struct buf *out, const struct hit *h)
{
    static const char *const names[REDACT_CLASSES] = {"CARD",   "IBAN",  "SECRET", "SECRET",
                                                      "SECRET", "EMAIL", "PHONE"};
    buf_put(out, '[');
    buf_str(out, names[h->cls]);
    if (h->label[0] != '\0') {
        buf_put(out, ':');
        buf_str(out, h->label);
    }
    buf_put(out, ']');
}

/* One pass over `in`; the number of hits. */
static size_t pass(struct bytes in, unsigned classes, enum redact_context context, struct buf *out,
                   struct redact_counts *counts)
{
    struct scan s;
    struct hit h;
    size_t done = 0, n = 0;
    scan_init(&s, in, classes, context);
    while (scan_next(&s, &h)) {
        buf_append(out, in.p + done, h.from - done);
        put_placeholder(out, &h);
        counts->n[h.cls]++;
        done = h.to;
        n++;
    }
    if (done < in.n)
        buf_append(out, in.p + done, in.n - done);
    return n;
}

/* What is left beside a placeholder may have the structure of a secret that the whole had not, so what was
 * changed is looked at again. */
int redact(struct bytes in, unsigned classes, enum redact_context context, struct buf *out,
           struct redact_counts *counts)
{
    const unsigned structured = REDACT_BIT(REDACT_CARD) | REDACT_BIT(REDACT_IBAN) | REDACT_BIT(REDACT_TOKEN);
    struct buf text;
    size_t begin = out->n, n = pass(in, classes, context, out, counts);
    buf_init(&text, out->max);
    for (int i = 0; n > 0 && out->err == 0 && i < PASSES_MAX; i++) {
        buf_clear(&text);
        if (buf_bytes(&text, bytes_slice(buf_view(out), begin, SIZE_MAX)) != 0)
            break;
        out->n = begin;
        n = pass(buf_view(&text), classes & structured, context, out, counts);
    }
    int rc = out->err != 0 ? out->err : text.err != 0 ? text.err : n > 0 ? ERR_LIMIT : 0;
    buf_release(&text);
    return rc;
}

size_t redact_find(struct bytes in, unsigned classes, enum redact_context context, struct redact_span *spans,
                   size_t max)
{
    struct scan s;
    struct hit h;
    size_t n = 0;
    scan_init(&s, in, classes, context);
    while (n < max && scan_next(&s, &h)) {
        struct redact_span *span = &spans[n++];
        *span = (struct redact_span){.from = h.from, .to = h.to, .cls = h.cls};
        size_t len = strlen(h.label);
        memcpy(span->label, h.label, len < sizeof span->label ? len : sizeof span->label - 1);
    }
    return n;
}

const char *redact_class_name(enum redact_class c)
{
    static const char *const names[REDACT_CLASSES] = {"card",     "iban",  "private-key", "token",
                                                      "password", "email", "phone"};
    return c < REDACT_CLASSES ? names[c] : "";
}
