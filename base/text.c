/* UTF-8 and the escaper. Decoding follows table 3-7 of the Unicode standard: the first byte fixes the length
 * and the range of the second, which is what excludes overlong forms, surrogates and values past U+10FFFF. */
#include "base/text.h"

#include <string.h>

#include "base/check.h"

#define REPLACEMENT 0xfffd

/* Length announced by a first byte and the bounds of the byte after it; 0 for a byte that starts nothing. */
static size_t lead_length(uint8_t lead, uint8_t *lo, uint8_t *hi)
{
    *lo = 0x80;
    *hi = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    if (lead == 0xe0)
        *lo = 0xa0;
    if (lead == 0xed)
        *hi = 0x9f;
    if (lead == 0xf0)
        *lo = 0x90;
    if (lead == 0xf4)
        *hi = 0x8f;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Bytes of the code point at p, of which n >= 1 are there; 0 if they form none. */
static size_t sequence_length(const uint8_t *p, size_t n)
{
    uint8_t lo, hi;
    size_t want = lead_length(p[0], &lo, &hi);
    if (want > n)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if (p[i] < lo || p[i] > hi)
            return 0;
        lo = 0x80;
        hi = 0xbf;
    }
    return want;
}

int32_t utf8_next(struct bytes b, size_t *at)
{
    static const uint8_t lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const uint8_t *p = b.p + *at;
    size_t n;
    int32_t cp;
    CHECK(*at < b.n);
    n = sequence_length(p, b.n - *at);
    if (n == 0) {
        *at += 1;
        return -1;
    }
    cp = p[0] & lead_mask[n];
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | (p[i] & 0x3f);
    *at += n;
    return cp;
}

bool utf8_valid(struct bytes b)
{
    size_t at = 0;
    while (at < b.n) {
        if (b.p[at] < 0x80) /* most text is ASCII, and all of it passes here */
            at++;
        else if (utf8_next(b, &at) < 0)
            return false;
    }
    return true;
}

int utf8_put(struct buf *out, int32_t cp)
{
    uint32_t c = (uint32_t)cp;
    uint8_t tail[3] = {(uint8_t)(0x80 | (c >> 12 & 0x3f)), (uint8_t)(0x80 | (c >> 6 & 0x3f)),
                       (uint8_t)(0x80 | (c & 0x3f))};
    CHECK(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
    if (c < 0x80)
        return buf_put(out, (uint8_t)c);
    if (c < 0x800) {
        (void)buf_put(out, (uint8_t)(0xc0 | c >> 6));
        return buf_append(out, tail + 2, 1);
    }
    if (c < 0x10000) {
        (void)buf_put(out, (uint8_t)(0xe0 | c >> 12));
        return buf_append(out, tail + 1, 2);
    }
    (void)buf_put(out, (uint8_t)(0xf0 | c >> 18));
    return buf_append(out, tail, 3);
}

struct bytes utf8_cut(struct bytes b, size_t max)
{
    size_t n = max;
    if (b.n <= max)
        return b;
    /* Go back over at most three continuation bytes to a first byte whose sequence the cut would split. */
    while (n > 0 && max - n < 3 && (b.p[n] & 0xc0) == 0x80)
        n--;
    if (n < max && sequence_length(b.p + n, b.n - n) <= max - n)
        n = max; /* what was split is no character */
    return bytes_slice(b, 0, n);
}

int utf8_repair(struct bytes b, struct buf *out)
{
    size_t at = 0;
    if (b.n > 0 && memchr(b.p, 0, b.n) == NULL && utf8_valid(b))
        return buf_bytes(out, b); /* nearly always */
    while (at < b.n) {
        size_t from = at;
        int32_t cp = utf8_next(b, &at);
        if (cp < 0)
            (void)utf8_put(out, REPLACEMENT);
        else if (cp > 0)
            (void)buf_append(out, b.p + from, at - from);
    }
    return out->err;
}

struct span {
    int32_t first, last;
};

/* Code points that change what a terminal shows without being seen themselves. */
static const struct span hidden[] = {
    {0x0000, 0x001f},   /* C0 */
    {0x007f, 0x009f},   /* DEL, C1 */
    {0x00ad, 0x00ad},   /* soft hyphen */
    {0x034f, 0x034f},   /* grapheme joiner */
    {0x061c, 0x061c},   /* Arabic letter mark */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian selectors and separator */
    {0x200b, 0x200f},   /* zero-width characters, direction marks */
    {0x2028, 0x202e},   /* line and paragraph separators, bidi embeddings and overrides */
    {0x2060, 0x206f},   /* word joiner, invisible operators, bidi isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0xfff9, 0xfffb},   /* interlinear annotation */
    {0xe0000, 0xe0fff}, /* tags, supplementary variation selectors */
};

static bool is_hidden(int32_t cp)
{
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (cp <= hidden[i].last)
            return cp >= hidden[i].first;
    }
    return false;
}

static void escape_cp(struct bytes raw, int32_t cp, bool oneline, struct buf *out)
{
    if (cp == '\n' || cp == '\t')
        (void)buf_put(out, oneline ? ' ' : (uint8_t)cp);
    else if (cp < 0 || (cp < 0x80 && is_hidden(cp)))
        (void)buf_printf(out, "\\x%02X", raw.p[0]);
    else if (is_hidden(cp))
        (void)buf_printf(out, "\\u{%04X}", (unsigned)cp);
    else
        (void)buf_bytes(out, raw);
}

int text_escape(struct bytes b, bool oneline, struct buf *out)
{
    size_t at = 0;
    while (at < b.n) {
        size_t from = at;
        int32_t cp = utf8_next(b, &at);
        if (cp == '\r' && at < b.n && b.p[at] == '\n')
            continue; /* CR LF is one line end */
        escape_cp(bytes_slice(b, from, at - from), cp, oneline, out);
    }
    return out->err;
}

int text_normalise(struct bytes b, struct buf *out)
{
    bool space = false;
    b = bytes_trim(b);
    uint8_t *to = buf_extend(out, b.n); /* it never grows */
    uint8_t *start = to;
    if (to == NULL)
        return out->err;
    for (size_t i = 0; i < b.n; i++) {
        uint8_t c = b.p[i];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            space = true;
            continue;
        }
        if (space)
            *to++ = ' ';
        space = false;
        *to++ = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
    }
    out->n -= b.n - (size_t)(to - start);
    return 0;
}
