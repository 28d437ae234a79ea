/* JSON as language models write it, made strict. A recursive descent over the bytes that copies what it
 * takes; the depth is bounded, and nothing is taken that could mean two things. */
#include "node/infer/answer.h"

#include <string.h>

static int value_take(struct json_mend *m);

static int peek(const struct json_mend *m)
{
    return m->at < m->in.n ? m->in.p[m->at] : -1;
}

static int broken(struct json_mend *m)
{
    m->ended = m->ended || m->at >= m->in.n;
    return ERR_FORMAT;
}

static bool here(const struct json_mend *m, const char *text)
{
    return bytes_starts(bytes_slice(m->in, m->at, SIZE_MAX), bytes_str(text));
}

static bool comment_skip(struct json_mend *m)
{
    bool line = here(m, "//");
    if (m->strict || (!line && !here(m, "/*"))) {
        return false;
    }
    struct bytes rest = bytes_slice(m->in, m->at + 2, SIZE_MAX);
    size_t end = bytes_find(rest, line ? BYTES_LIT("\n") : BYTES_LIT("*/"));
    if (end == SIZE_MAX) {
        m->at = m->in.n;
        return true;
    }
    m->at += 2 + end + (line ? 1 : 2);
    return true;
}

static void blank_skip(struct json_mend *m)
{
    for (;;) {
        int c = peek(m);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            m->at++;
        } else if (c != '/' || !comment_skip(m)) {
            return;
        }
    }
}

/* ---- strings
 * -----------------------------------------------------------------------------------------------
 */

/* Four hexadecimal digits at p, or -1. */
static int32_t hex4(const struct json_mend *m, size_t at)
{
    int32_t v = 0;
    if (m->in.n < 4 || at > m->in.n - 4) {
        return -1;
    }
    for (size_t i = at; i < at + 4; i++) {
        uint8_t c = m->in.p[i];
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                     : -1;
        if (d < 0) {
            return -1;
        }
        v = v * 16 + d;
    }
    return v;
}

/* Behind "\u": the code unit, with its other half. */
static int unicode_take(struct json_mend *m)
{
    int32_t first = hex4(m, m->at);
    if (first <= 0) {
        return broken(m); /* not hexadecimal, or a NUL */
    }
    m->at += 4;
    if (first < 0xd800 || first > 0xdfff) {
        return buf_printf(m->out, "\\u%04x", (unsigned)first);
    }
    int32_t second = first <= 0xdbff && here(m, "\\u") ? hex4(m, m->at + 2) : -1;
    if (second >= 0xdc00 && second <= 0xdfff) {
        m->at += 6;
        return buf_printf(m->out, "\\u%04x\\u%04x", (unsigned)first, (unsigned)second);
    }
    return m->strict ? ERR_FORMAT : buf_str(m->out, "\\ufffd");
}

/* Behind a backslash. */
static int escape_take(struct json_mend *m)
{
    int c = peek(m);
    if (c < 0) {
        return broken(m);
    }
    m->at++;
    if (c == 'u') {
        return unicode_take(m);
    }
    if (c == '\'' && !m->strict) {
        return buf_put(m->out, '\'');
    }
    if (strchr("\"\\/bfnrt", c) == NULL) {
        return ERR_FORMAT;
    }
    (void)buf_put(m->out, '\\');
    return buf_put(m->out, (uint8_t)c);
}

static int control_take(struct json_mend *m, int c)
{
    if (m->strict || c == 0) {
        return ERR_FORMAT;
    }
    return c == '\n'   ? buf_str(m->out, "\\n")
           : c == '\r' ? buf_str(m->out, "\\r")
           : c == '\t' ? buf_str(m->out, "\\t")
                       : buf_printf(m->out, "\\u%04x", (unsigned)c);
}

static int string_take(struct json_mend *m)
{
    m->at++;
    int rc = buf_put(m->out, '"');
    while (rc == 0) {
        int c = peek(m);
        if (c < 0) {
            return broken(m);
        }
        m->at++;
        if (c == '"') {
            m->solid = true;
            return buf_put(m->out, '"');
        }
        rc = c == '\\' ? escape_take(m) : c < 0x20 ? control_take(m, c) : buf_put(m->out, (uint8_t)c);
    }
    return rc;
}

/* ---- numbers and words
 * -------------------------------------------------------------------------------------
 */

static size_t digits(const struct json_mend *m, size_t at)
{
    size_t n = 0;
    while (at + n < m->in.n && m->in.p[at + n] >= '0' && m->in.p[at + n] <= '9') {
        n++;
    }
    return n;
}

static int number_take(struct json_mend *m)
{
    size_t at = m->at + (peek(m) == '-');
    size_t whole = digits(m, at);
    if (whole == 0 || (whole > 1 && m->in.p[at] == '0')) {
        return broken(m);
    }
    at += whole;
    if (at < m->in.n && m->in.p[at] == '.') {
        size_t n = digits(m, at + 1);
        if (n == 0) {
            return broken(m);
        }
        at += 1 + n;
    }
    if (at < m->in.n && (m->in.p[at] | 32) == 'e') {
        at++;
        at += at < m->in.n && (m->in.p[at] == '+' || m->in.p[at] == '-');
        size_t n = digits(m, at);
        if (n == 0) {
            return broken(m);
        }
        at += n;
    }
    struct bytes text = bytes_slice(m->in, m->at, at - m->at);
    m->at = at;
    m->solid = false;
    return text.n > 64 ? ERR_LIMIT : buf_bytes(m->out, text);
}

static int word_take(struct json_mend *m)
{
    static const char *const words[][2] = {{"true", "true"}, {"false", "false"}, {"null", "null"},
                                           {"True", "true"}, {"False", "false"}, {"None", "null"}};
    for (size_t i = 0; i < (m->strict ? 3u : 6u); i++) {
        if (here(m, words[i][0])) {
            m->at += strlen(words[i][0]);
            m->solid = false;
            return buf_str(m->out, words[i][1]);
        }
    }
    return broken(m);
}

/* ---- arrays and objects
 * ------------------------------------------------------------------------------------
 */

/* Whether the input is over here, fence aside, behind something that cannot go on. */
static bool ends_here(const struct json_mend *m)
{
    return !m->strict && m->solid && (m->at >= m->in.n || here(m, "```"));
}

/* Behind an element: 1 = another follows, 0 = closed, or an error. */
static int next_take(struct json_mend *m, char close)
{
    blank_skip(m);
    if (ends_here(m)) {
        m->added++;
        return buf_put(m->out, (uint8_t)close);
    }
    if (peek(m) == ',') {
        m->at++;
        m->solid = false;
        blank_skip(m);
        if (peek(m) != close || m->strict) {
            int rc = buf_put(m->out, ',');
            return rc != 0 ? rc : 1;
        }
    }
    if (peek(m) != close) {
        return broken(m);
    }
    m->at++;
    m->solid = true;
    return buf_put(m->out, (uint8_t)close);
}

static int member_take(struct json_mend *m)
{
    blank_skip(m);
    if (peek(m) != '"') {
        return broken(m);
    }
    int rc = string_take(m);
    if (rc != 0) {
        return rc;
    }
    blank_skip(m);
    if (peek(m) != ':') {
        return broken(m);
    }
    m->at++;
    m->keys++;
    rc = buf_put(m->out, ':');
    return rc != 0 ? rc : value_take(m);
}

static int container_take(struct json_mend *m, bool object)
{
    char close = object ? '}' : ']';
    if (m->depth == ANSWER_DEPTH_MAX) {
        return ERR_LIMIT;
    }
    m->depth++;
    int rc = buf_put(m->out, m->in.p[m->at]);
    m->at++;
    blank_skip(m);
    bool empty = peek(m) == close;
    if (rc == 0 && empty) {
        m->at++;
        m->solid = true;
        rc = buf_put(m->out, (uint8_t)close);
    }
    for (int more = 1; rc == 0 && !empty && more == 1;) {
        rc = object ? member_take(m) : value_take(m);
        more = rc == 0 ? next_take(m, close) : 0;
        rc = more < 0 ? more : rc;
    }
    m->depth--;
    m->closed += rc == 0;
    return rc;
}

static int value_take(struct json_mend *m)
{
    blank_skip(m);
    if (++m->values > m->values_max) {
        return ERR_LIMIT;
    }
    int c = peek(m);
    switch (c) {
    case '{':
    case '[':
        return container_take(m, c == '{');
    case '"':
        return string_take(m);
    case '-':
        return number_take(m);
    default:
        return c >= '0' && c <= '9' ? number_take(m) : word_take(m);
    }
}

int json_mend(struct json_mend *m)
{
    size_t from = m->at;
    m->depth = m->keys = m->closed = m->added = 0;
    m->values = 0;
    m->ended = m->solid = false;
    int rc = value_take(m);
    m->work += m->at - from;
    return rc;
}
