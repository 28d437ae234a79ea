/* Redaction inside JSON text. Reads the grammar of RFC 8259 with a depth limit and copies it as it goes; a
 * string is decoded, redacted and only written anew if something was replaced, so that the result is JSON
 * whenever the input is. The value of a member whose key names a secret ("password": …) is replaced whole.
 */
#include "node/model/audit_int.h"

#include "base/text.h"
#include "node/model/redact_int.h"

#include <string.h>

#define DEPTH_MAX 32

struct walk {
    struct bytes in;
    size_t at;
    unsigned classes;
    struct buf *out;
    struct redact_counts *counts;
    struct buf raw;   /* a string decoded */
    struct buf clean; /* and redacted */
    struct buf key;   /* the key of the member being read */
    int depth;
};

static uint8_t peek(const struct walk *w)
{
    return w->at < w->in.n ? w->in.p[w->at] : 0;
}

static bool is_ws(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_ws(struct walk *w)
{
    size_t from = w->at;
    while (w->at < w->in.n && is_ws(w->in.p[w->at]))
        w->at++;
    buf_append(w->out, w->in.p + from, w->at - from);
}

static bool take(struct walk *w, char c)
{
    if (peek(w) != (uint8_t)c)
        return false;
    buf_put(w->out, (uint8_t)c);
    w->at++;
    return true;
}

static int32_t hex4(struct bytes b, size_t at)
{
    int32_t v = 0;
    for (size_t i = at; i < at + 4; i++) {
        uint8_t c = i < b.n ? b.p[i] : 0, d = ch_lower(c);
        if (!((d >= '0' && d <= '9') || (d >= 'a' && d <= 'f')))
            return -1;
        v = v * 16 + (d <= '9' ? d - '0' : d - 'a' + 10);
    }
    return v;
}

/* \uXXXX at w->at (behind the 'u'), surrogate pairs joined; a lone half becomes U+FFFD, NUL nothing. */
static int take_unicode(struct walk *w)
{
    int32_t cp = hex4(w->in, w->at);
    if (cp < 0)
        return ERR_FORMAT;
    w->at += 4;
    bool high = cp >= 0xd800 && cp <= 0xdbff;
    if (high && peek(w) == '\\' && w->at + 1 < w->in.n && w->in.p[w->at + 1] == 'u') {
        int32_t low = hex4(w->in, w->at + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            w->at += 6;
            return utf8_put(&w->raw, 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00));
        }
    }
    if (cp >= 0xd800 && cp <= 0xdfff)
        cp = 0xfffd;
    return cp == 0 ? 0 : utf8_put(&w->raw, cp);
}

static int take_escape(struct walk *w)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = peek(w);
    w->at++;
    if (c == 'u')
        return take_unicode(w);
    const char *found = c != 0 ? strchr(from, c) : NULL;
    return found != NULL ? buf_put(&w->raw, (uint8_t)to[found - from]) : ERR_FORMAT;
}

/* Decodes the string at w->at into w->raw; w->at ends behind its closing quote. */
static int take_string(struct walk *w)
{
    buf_clear(&w->raw);
    w->at++;
    while (w->at < w->in.n && w->in.p[w->at] != '"') {
        uint8_t c = w->in.p[w->at++];
        if (c < 0x20)
            return ERR_FORMAT;
        int rc = c == '\\' ? take_escape(w) : buf_put(&w->raw, c);
        if (rc != 0)
            return rc;
    }
    return w->at++ < w->in.n ? 0 : ERR_FORMAT;
}

static void put_string(struct buf *out, struct bytes text)
{
    buf_put(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '"' || c == '\\')
            buf_put(out, '\\');
        if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_put(out, c);
    }
    buf_put(out, '"');
}

static uint32_t total(const struct redact_counts *c)
{
    uint32_t n = 0;
    for (int i = 0; i < REDACT_CLASSES; i++)
        n += c->n[i];
    return n;
}

static enum redact_context context_of(struct bytes key)
{
    if (bytes_ieq(key, BYTES_LIT("command")) || bytes_ieq(key, BYTES_LIT("cmd")))
        return REDACT_COMMAND;
    return bytes_ieq(key, BYTES_LIT("url")) ? REDACT_URL : REDACT_TEXT;
}

/* Redacts `text` under w->key into w->clean; *changed says whether anything was replaced. */
static int redact_text(struct walk *w, struct bytes text, bool *changed)
{
    uint32_t before = total(w->counts);
    struct bytes key = buf_view(&w->key);
    buf_clear(&w->clean);
    bool named = (w->classes & REDACT_BIT(REDACT_PASSWORD)) != 0 && password_named(key, text);
    int rc = 0;
    if (named) {
        w->counts->n[REDACT_PASSWORD]++;
        rc = buf_str(&w->clean, "[SECRET:password]");
    } else {
        rc = redact(text, w->classes, context_of(key), &w->clean, w->counts);
    }
    *changed = total(w->counts) != before;
    return rc;
}

static int string_copy(struct walk *w)
{
    size_t from = w->at;
    bool changed = false;
    int rc = take_string(w);
    if (rc == 0)
        rc = redact_text(w, buf_view(&w->raw), &changed);
    if (rc != 0)
        return rc;
    bool has_nul = bytes_find(bytes_slice(w->in, from, w->at - from), BYTES_LIT("\\u0000")) != SIZE_MAX;
    if (changed || has_nul)
        put_string(w->out, buf_view(&w->clean));
    else
        buf_append(w->out, w->in.p + from, w->at - from);
    return w->out->err;
}

static size_t digits(struct walk *w)
{
    size_t from = w->at;
    while (peek(w) >= '0' && peek(w) <= '9')
        w->at++;
    return w->at - from;
}

/* A number; one that is a card or a phone becomes a string. */
static int number_copy(struct walk *w)
{
    size_t from = w->at;
    bool changed = false;
    w->at += peek(w) == '-';
    bool zero = peek(w) == '0';
    size_t whole = digits(w);
    if (whole == 0 || (zero && whole > 1))
        return ERR_FORMAT;
    if (peek(w) == '.' && (w->at++, digits(w) == 0))
        return ERR_FORMAT;
    if (peek(w) == 'e' || peek(w) == 'E') {
        w->at++;
        w->at += peek(w) == '-' || peek(w) == '+';
        if (digits(w) == 0)
            return ERR_FORMAT;
    }
    struct bytes text = bytes_slice(w->in, from, w->at - from);
    int rc = redact_text(w, text, &changed);
    if (rc == 0 && changed)
        put_string(w->out, buf_view(&w->clean));
    else if (rc == 0)
        buf_bytes(w->out, text);
    return rc != 0 ? rc : w->out->err;
}

static int literal_copy(struct walk *w)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        struct bytes word = bytes_str(words[i]);
        if (!bytes_starts(bytes_slice(w->in, w->at, w->in.n), word))
            continue;
        w->at += word.n;
        return buf_bytes(w->out, word);
    }
    return ERR_FORMAT;
}

static int value_copy(struct walk *w);

/* "key": value. Keys are redacted like text without a name. */
static int member_copy(struct walk *w)
{
    if (peek(w) != '"')
        return ERR_FORMAT;
    buf_clear(&w->key);
    int rc = string_copy(w);
    if (rc != 0)
        return rc;
    skip_ws(w);
    if (!take(w, ':'))
        return ERR_FORMAT;
    rc = buf_bytes(&w->key, buf_view(&w->raw));
    return rc != 0 ? rc : value_copy(w);
}

/* What stands between the brackets, `close` included. Elements of an array are under the array's own key. */
static int list_copy(struct walk *w, char close)
{
    w->at++;
    skip_ws(w);
    if (take(w, close))
        return 0;
    for (;;) {
        skip_ws(w);
        int rc = close == '}' ? member_copy(w) : value_copy(w);
        if (rc != 0)
            return rc;
        skip_ws(w);
        if (take(w, close))
            return 0;
        if (!take(w, ','))
            return ERR_FORMAT;
    }
}

static int value_copy(struct walk *w)
{
    skip_ws(w);
    uint8_t c = peek(w);
    if (c == '"')
        return string_copy(w);
    if (c == '-' || (c >= '0' && c <= '9'))
        return number_copy(w);
    if (c != '{' && c != '[')
        return literal_copy(w);
    if (w->depth >= DEPTH_MAX)
        return ERR_FORMAT;
    w->depth++;
    buf_put(w->out, c);
    int rc = list_copy(w, c == '{' ? '}' : ']');
    w->depth--;
    return rc;
}

int json_redact(struct bytes in, unsigned classes, struct buf *out, struct redact_counts *counts)
{
    struct walk w = {.in = in, .classes = classes, .out = out, .counts = counts};
    size_t max = in.n * 8 + 64;
    if (in.n == 0)
        return ERR_FORMAT;
    buf_init(&w.raw, max);
    buf_init(&w.clean, max);
    buf_init(&w.key, max);
    int rc = value_copy(&w);
    skip_ws(&w);
    if (rc == 0 && w.at < in.n)
        rc = ERR_FORMAT;
    buf_release(&w.raw);
    buf_release(&w.clean);
    buf_release(&w.key);
    return rc != 0 ? rc : out->err;
}
