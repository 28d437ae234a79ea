/* The pull tokenizer of json_stream.h: a window on the input, a bit per open container, and one word that
 * says what the grammar allows next. */
#include "node/observe/json_stream.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_BYTES 65536

enum expect {
    EXPECT_VALUE,          /* a value */
    EXPECT_VALUE_OR_CLOSE, /* just behind '[' */
    EXPECT_KEY,            /* behind ',' in an object */
    EXPECT_KEY_OR_CLOSE,   /* just behind '{' */
    EXPECT_COMMA_OR_CLOSE, /* behind a value in a container */
    EXPECT_END,            /* behind the document */
};

static void stream_init(struct json_stream *s, int fd)
{
    memset(s, 0, sizeof *s);
    s->fd = fd;
    s->line = 1;
    s->expect = EXPECT_VALUE;
    buf_init(&s->text, LIMIT_OBSERVATION_BYTES + 8);
}

int json_init_fd(struct json_stream *s, int fd)
{
    stream_init(s, fd);
    s->window = malloc(WINDOW_BYTES);
    s->p = s->window;
    return s->window ? 0 : ERR_NOMEM;
}

void json_init_bytes(struct json_stream *s, struct bytes b)
{
    stream_init(s, -1);
    s->p = b.p;
    s->n = b.n;
}

void json_release(struct json_stream *s)
{
    free(s->window);
    s->window = NULL;
    buf_release(&s->text);
}

uint64_t json_offset(const struct json_stream *s)
{
    return s->base + s->at;
}

static int fail(struct json_stream *s, struct err *e, int code, const char *what)
{
    s->err = code;
    return err_set(e, code, "line %llu, byte %llu: %s", (unsigned long long)s->line,
                   (unsigned long long)json_offset(s), what);
}

/* Moves the window on: true when there is a byte at s->at. */
static bool refill(struct json_stream *s)
{
    if (s->at < s->n)
        return true;
    if (s->fd < 0 || s->err)
        return false;
    ssize_t got;
    do {
        got = read(s->fd, s->window, WINDOW_BYTES);
    } while (got < 0 && errno == EINTR);
    s->base += s->n;
    s->at = 0;
    s->n = got > 0 ? (size_t)got : 0;
    if (got < 0)
        s->err = ERR_IO;
    return got > 0;
}

/* The next byte without taking it, or -1 at the end. */
static int peek(struct json_stream *s)
{
    return refill(s) ? s->p[s->at] : -1;
}

static int take(struct json_stream *s)
{
    int c = peek(s);
    if (c >= 0)
        s->at++;
    return c;
}

static int fail_end(struct json_stream *s, struct err *e)
{
    if (s->err)
        return err_set(e, s->err, "cannot read on at byte %llu", (unsigned long long)json_offset(s));
    return fail(s, e, ERR_FORMAT, "ends in the middle");
}

static int skip_space(struct json_stream *s)
{
    for (;;) {
        int c = peek(s);
        if (c == '\n')
            s->line++;
        else if (c != ' ' && c != '\t' && c != '\r')
            return c;
        s->at++;
    }
}

/* Keeps a decoded piece of a string while there is room for all of it. */
static void keep(struct json_stream *s, struct json_token *t, const void *p, size_t n)
{
    if (t->cut || s->text.n + n > LIMIT_OBSERVATION_BYTES)
        t->cut = true;
    else
        (void)buf_append(&s->text, p, n);
}

static int hex4(struct json_stream *s, int32_t *out)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int c = take(s);
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v * 16 + ((c | 32) - 'a' + 10);
        else
            return -1;
    }
    *out = v;
    return 0;
}

static void keep_cp(struct json_stream *s, struct json_token *t, int32_t cp)
{
    uint8_t u[4];
    size_t n = 0;
    if (cp >= 0xd800 && cp <= 0xdfff)
        cp = 0xfffd;
    if (cp < 0x80) {
        u[n++] = (uint8_t)cp;
    } else if (cp < 0x800) {
        u[n++] = (uint8_t)(0xc0 | cp >> 6);
        u[n++] = (uint8_t)(0x80 | (cp & 63));
    } else if (cp < 0x10000) {
        u[n++] = (uint8_t)(0xe0 | cp >> 12);
        u[n++] = (uint8_t)(0x80 | (cp >> 6 & 63));
        u[n++] = (uint8_t)(0x80 | (cp & 63));
    } else {
        u[n++] = (uint8_t)(0xf0 | cp >> 18);
        u[n++] = (uint8_t)(0x80 | (cp >> 12 & 63));
        u[n++] = (uint8_t)(0x80 | (cp >> 6 & 63));
        u[n++] = (uint8_t)(0x80 | (cp & 63));
    }
    keep(s, t, u, n);
}

/* Behind "\u": a code point, and the surrogate that follows a high one. */
static int unicode_escape(struct json_stream *s, struct json_token *t)
{
    int32_t cp;
    if (hex4(s, &cp))
        return -1;
    while (cp >= 0xd800 && cp <= 0xdbff && peek(s) == '\\') {
        int32_t low;
        s->at++;
        if (peek(s) != 'u') {
            keep_cp(s, t, 0xfffd);
            return 1; /* a backslash was taken: another escape follows */
        }
        s->at++;
        if (hex4(s, &low))
            return -1;
        if (low >= 0xdc00 && low <= 0xdfff) {
            keep_cp(s, t, 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00));
            return 0;
        }
        keep_cp(s, t, 0xfffd);
        cp = low;
    }
    keep_cp(s, t, cp);
    return 0;
}

/* Behind a backslash. */
static int escape(struct json_stream *s, struct json_token *t)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int rc;
    do {
        int c = take(s);
        rc = -1;
        if (c == 'u') {
            rc = unicode_escape(s, t);
            continue;
        }
        const char *hit = c > 0 ? strchr(from, c) : NULL;
        if (hit) {
            keep(s, t, to + (hit - from), 1);
            rc = 0;
        }
    } while (rc == 1);
    return rc;
}

/* Behind the opening quote. */
static int read_string(struct json_stream *s, struct json_token *t, struct err *e)
{
    buf_clear(&s->text);
    while (refill(s)) {
        size_t from = s->at;
        while (s->at < s->n && s->p[s->at] >= 0x20 && s->p[s->at] != '"' && s->p[s->at] != '\\')
            s->at++;
        if (s->at > from) {
            size_t room = LIMIT_OBSERVATION_BYTES - s->text.n;
            size_t n = s->at - from;
            keep(s, t, s->p + from, t->cut || n <= room ? n : room);
            t->cut = t->cut || n > room;
            continue;
        }
        int c = take(s);
        if (c == '"') {
            t->text = buf_view(&s->text);
            if (s->text.err)
                return fail(s, e, s->text.err, "out of memory");
            return 0;
        }
        if (c < 0x20)
            return fail(s, e, ERR_FORMAT, "a control character in a string");
        if (escape(s, t))
            return s->err || peek(s) < 0 ? fail_end(s, e)
                                         : fail(s, e, ERR_FORMAT, "an unknown escape in a string");
    }
    return fail_end(s, e);
}

static bool number_valid(struct bytes b)
{
    size_t i = b.n && b.p[0] == '-' ? 1 : 0, from = i;
    while (i < b.n && b.p[i] >= '0' && b.p[i] <= '9')
        i++;
    if (i == from || (b.p[from] == '0' && i - from > 1))
        return false;
    if (i < b.n && b.p[i] == '.') {
        from = ++i;
        while (i < b.n && b.p[i] >= '0' && b.p[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    if (i < b.n && (b.p[i] | 32) == 'e') {
        i++;
        if (i < b.n && (b.p[i] == '+' || b.p[i] == '-'))
            i++;
        from = i;
        while (i < b.n && b.p[i] >= '0' && b.p[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    return i == b.n;
}

static int read_number(struct json_stream *s, struct json_token *t, struct err *e)
{
    buf_clear(&s->text);
    for (int c = peek(s); c >= 0 && c && strchr("+-.0123456789eE", c); c = peek(s)) {
        if (s->text.n >= JSON_NUMBER_BYTES)
            return fail(s, e, ERR_FORMAT, "a number with too many digits");
        if (buf_put(&s->text, (uint8_t)c))
            return fail(s, e, ERR_NOMEM, "out of memory");
        s->at++;
    }
    t->kind = JSON_NUMBER;
    t->text = buf_view(&s->text);
    return number_valid(t->text) ? 0 : fail(s, e, ERR_FORMAT, "not a number");
}

static int read_word(struct json_stream *s, const char *word, struct err *e)
{
    for (; *word; word++) {
        int c = take(s);
        if (c < 0)
            return fail_end(s, e);
        if (c != *word)
            return fail(s, e, ERR_FORMAT, "an unknown word");
    }
    return 0;
}

static int push(struct json_stream *s, bool object, struct err *e)
{
    if (s->depth >= JSON_DEPTH_MAX)
        return fail(s, e, ERR_LIMIT, "nested too deeply");
    s->in_object[s->depth++] = object;
    s->expect = object ? EXPECT_KEY_OR_CLOSE : EXPECT_VALUE_OR_CLOSE;
    return 0;
}

static void value_done(struct json_stream *s)
{
    s->expect = s->depth ? EXPECT_COMMA_OR_CLOSE : EXPECT_END;
}

static int scalar(struct json_stream *s, struct json_token *t, int c, struct err *e)
{
    int rc;
    if (c == '"') {
        s->at++;
        t->kind = JSON_STRING;
        rc = read_string(s, t, e);
    } else if (c == 't' || c == 'f' || c == 'n') {
        t->kind = c == 't' ? JSON_TRUE : c == 'f' ? JSON_FALSE : JSON_NULL;
        rc = read_word(s, c == 't' ? "true" : c == 'f' ? "false" : "null", e);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        rc = read_number(s, t, e);
    } else {
        rc = fail(s, e, ERR_FORMAT, "a value is expected");
    }
    if (!rc)
        value_done(s);
    return rc;
}

static int value(struct json_stream *s, struct json_token *t, int c, struct err *e)
{
    if (c != '{' && c != '[')
        return scalar(s, t, c, e);
    s->at++;
    t->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
    return push(s, c == '{', e);
}

static int key(struct json_stream *s, struct json_token *t, int c, struct err *e)
{
    if (c != '"')
        return fail(s, e, ERR_FORMAT, "a member name in quotes is expected");
    s->at++;
    t->kind = JSON_KEY;
    int rc = read_string(s, t, e);
    if (rc)
        return rc;
    c = skip_space(s);
    if (c < 0)
        return fail_end(s, e);
    if (c != ':')
        return fail(s, e, ERR_FORMAT, "':' is expected");
    s->at++;
    s->expect = EXPECT_VALUE;
    return 0;
}

static int close_container(struct json_stream *s, struct json_token *t)
{
    s->at++;
    s->depth--;
    t->kind = s->in_object[s->depth] ? JSON_OBJECT_END : JSON_ARRAY_END;
    value_done(s);
    return 0;
}

static bool closes(const struct json_stream *s, int c)
{
    bool may = s->expect == EXPECT_VALUE_OR_CLOSE || s->expect == EXPECT_KEY_OR_CLOSE ||
               s->expect == EXPECT_COMMA_OR_CLOSE;
    return may && c == (s->in_object[s->depth - 1] ? '}' : ']');
}

int json_next(struct json_stream *s, struct json_token *t, struct err *e)
{
    *t = (struct json_token){.kind = JSON_END};
    if (s->err)
        return err_set(e, s->err, "byte %llu: %s", (unsigned long long)json_offset(s), err_text(s->err));
    int c = skip_space(s);
    if (s->expect == EXPECT_END) {
        if (s->err)
            return fail_end(s, e);
        return c < 0 ? 0 : fail(s, e, ERR_FORMAT, "something behind the end of the document");
    }
    if (c < 0)
        return fail_end(s, e);
    if (closes(s, c))
        return close_container(s, t);
    if (s->expect == EXPECT_COMMA_OR_CLOSE) {
        if (c != ',')
            return fail(s, e, ERR_FORMAT, "',' is expected");
        s->at++;
        s->expect = s->in_object[s->depth - 1] ? EXPECT_KEY : EXPECT_VALUE;
        c = skip_space(s);
        if (c < 0)
            return fail_end(s, e);
    }
    if (s->expect == EXPECT_KEY || s->expect == EXPECT_KEY_OR_CLOSE)
        return key(s, t, c, e);
    return value(s, t, c, e);
}

int json_leave(struct json_stream *s, unsigned depth, struct err *e)
{
    while (s->depth > depth) {
        struct json_token t;
        int rc = json_next(s, &t, e);
        if (rc)
            return rc;
    }
    return 0;
}

int json_skip(struct json_stream *s, const struct json_token *first, struct err *e)
{
    bool opened = first->kind == JSON_OBJECT || first->kind == JSON_ARRAY;
    return opened ? json_leave(s, s->depth - 1, e) : 0;
}

/* ---- writing ---- */

int json_put_string(struct buf *out, struct bytes b)
{
    static const char hex[] = "0123456789abcdef";
    (void)buf_put(out, '"');
    for (size_t at = 0; at < b.n;) {
        size_t from = at;
        int32_t cp = utf8_next(b, &at);
        if (cp < 0)
            (void)buf_str(out, "\xef\xbf\xbd");
        else if (cp == '"' || cp == '\\')
            (void)buf_printf(out, "\\%c", (char)cp);
        else if (cp == '\n')
            (void)buf_str(out, "\\n");
        else if (cp < 0x20)
            (void)buf_printf(out, "\\u00%c%c", hex[cp >> 4], hex[cp & 15]);
        else
            (void)buf_append(out, b.p + from, at - from);
    }
    return buf_put(out, '"');
}

void json_members_init(struct json_members *m, size_t max)
{
    buf_init(&m->text, max);
    buf_init(&m->scratch, max);
    m->n = 0;
}

void json_members_release(struct json_members *m)
{
    buf_release(&m->text);
    buf_release(&m->scratch);
}

void json_members_clear(struct json_members *m)
{
    buf_clear(&m->text);
    m->n = 0;
}

int json_members_add(struct json_members *m, struct bytes key_text)
{
    if (m->n >= JSON_MEMBERS_MAX)
        return ERR_LIMIT;
    size_t at = m->text.n;
    int rc = json_put_string(&m->text, key_text);
    m->m[m->n].at = at;
    m->m[m->n].key = m->text.n - at;
    m->m[m->n].n = 0;
    m->n++;
    return rc ? rc : buf_put(&m->text, ':');
}

static struct bytes member_key(const struct json_members *m, size_t i)
{
    return bytes_of(m->text.p + m->m[i].at, m->m[i].key);
}

/* Sorts members from..n (insertion: they are few and mostly in order already); ERR_FORMAT when two keys are
 * equal. */
static int members_sort(struct json_members *m, size_t from)
{
    for (size_t i = from; i < m->n; i++)
        m->m[i].n = (i + 1 < m->n ? m->m[i + 1].at : m->text.n) - m->m[i].at;
    for (size_t i = from + 1; i < m->n; i++) {
        for (size_t j = i; j > from; j--) {
            int order = bytes_cmp(member_key(m, j - 1), member_key(m, j));
            if (order == 0)
                return ERR_FORMAT;
            if (order < 0)
                break;
            struct json_member swap = m->m[j];
            m->m[j] = m->m[j - 1];
            m->m[j - 1] = swap;
        }
    }
    return 0;
}

static int members_write(const struct json_members *m, size_t from, struct buf *out)
{
    (void)buf_put(out, '{');
    for (size_t i = from; i < m->n; i++) {
        if (i > from)
            (void)buf_put(out, ',');
        (void)buf_append(out, m->text.p + m->m[i].at, m->m[i].n);
    }
    return buf_put(out, '}');
}

int json_members_end(struct json_members *m, struct buf *out)
{
    if (m->text.err)
        return m->text.err;
    if (m->n == 0)
        return 0;
    int rc = members_sort(m, 0);
    return rc ? rc : members_write(m, 0, out);
}

/* ---- canonical form ---- */

static int canonical_scalar(const struct json_token *t, struct buf *out)
{
    switch (t->kind) {
    case JSON_STRING:
        return t->cut ? ERR_LIMIT : json_put_string(out, t->text);
    case JSON_NUMBER:
        return buf_bytes(out, t->text);
    case JSON_TRUE:
        return buf_str(out, "true");
    case JSON_FALSE:
        return buf_str(out, "false");
    case JSON_NULL:
        return buf_str(out, "null");
    case JSON_END:
    case JSON_OBJECT:
    case JSON_OBJECT_END:
    case JSON_ARRAY:
    case JSON_ARRAY_END:
    case JSON_KEY:
        break;
    }
    return ERR_FORMAT;
}

static int canonical_value(struct json_stream *s, const struct json_token *first, struct json_members *m,
                           struct err *e);

/* A nested object borrows the end of the member list and of the text, and leaves its sorted text there. */
static int canonical_object(struct json_stream *s, struct json_members *m, struct err *e)
{
    size_t start = m->text.n, from = m->n;
    for (;;) {
        struct json_token t;
        int rc = json_next(s, &t, e);
        if (rc)
            return rc;
        if (t.kind == JSON_OBJECT_END)
            break;
        rc = t.cut ? ERR_LIMIT : json_members_add(m, t.text);
        if (rc)
            return err_set(e, rc, "too large");
        rc = json_next(s, &t, e);
        if (!rc)
            rc = canonical_value(s, &t, m, e);
        if (rc)
            return rc;
    }
    if (members_sort(m, from))
        return err_set(e, ERR_FORMAT, "a member occurs twice");
    buf_clear(&m->scratch);
    int rc = members_write(m, from, &m->scratch);
    m->text.n = start;
    m->n = from;
    if (!rc)
        rc = buf_bytes(&m->text, buf_view(&m->scratch));
    return rc ? err_set(e, rc, "too large") : 0;
}

static int canonical_array(struct json_stream *s, struct json_members *m, struct err *e)
{
    (void)buf_put(&m->text, '[');
    for (bool first = true;; first = false) {
        struct json_token t;
        int rc = json_next(s, &t, e);
        if (rc)
            return rc;
        if (t.kind == JSON_ARRAY_END)
            break;
        if (!first)
            (void)buf_put(&m->text, ',');
        rc = canonical_value(s, &t, m, e);
        if (rc)
            return rc;
    }
    int rc = buf_put(&m->text, ']');
    return rc ? err_set(e, rc, "too large") : 0;
}

static int canonical_value(struct json_stream *s, const struct json_token *first, struct json_members *m,
                           struct err *e)
{
    if (first->kind == JSON_OBJECT)
        return canonical_object(s, m, e);
    if (first->kind == JSON_ARRAY)
        return canonical_array(s, m, e);
    int rc = canonical_scalar(first, &m->text);
    return rc ? err_set(e, rc, "too large") : 0;
}

int json_canonical(struct json_stream *s, const struct json_token *first, struct json_members *m,
                   struct err *e)
{
    return canonical_value(s, first, m, e);
}

/* ---- numbers ---- */

/* Splits a valid number into digits and a power of ten; leading digits beyond 18 only move the power. */
static void number_split(struct bytes text, int64_t *digits, int64_t *power)
{
    bool fraction = false;
    *digits = 0;
    *power = 0;
    size_t i = text.n && text.p[0] == '-' ? 1 : 0;
    for (; i < text.n && (text.p[i] | 32) != 'e'; i++) {
        if (text.p[i] == '.') {
            fraction = true;
            continue;
        }
        bool room = *digits < INT64_C(100000000000000000);
        if (room)
            *digits = *digits * 10 + (text.p[i] - '0');
        *power += (room ? 0 : 1) - (fraction ? 1 : 0);
    }
    int64_t exponent = 0;
    bool down = i + 1 < text.n && text.p[i + 1] == '-';
    for (i++; i < text.n; i++) {
        if (text.p[i] >= '0' && text.p[i] <= '9' && exponent < 10000)
            exponent = exponent * 10 + (text.p[i] - '0');
    }
    *power += down ? -exponent : exponent;
}

int json_number_milli(struct bytes text, int64_t *out)
{
    int64_t digits, power;
    *out = 0;
    if (!number_valid(text))
        return ERR_FORMAT;
    number_split(text, &digits, &power);
    for (power += 3; power < 0 && digits; power++)
        digits /= 10;
    for (; power > 0 && digits; power--) {
        if (digits > INT64_C(900000000000000))
            return ERR_LIMIT;
        digits *= 10;
    }
    if (digits > INT64_C(9000000000000000))
        return ERR_LIMIT;
    *out = text.p[0] == '-' ? -digits : digits;
    return 0;
}
