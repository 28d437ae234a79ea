/* Views, buffers, secrets. A buffer always keeps one allocated byte beyond its content, so that buf_cstr can
 * place its NUL without allocating. */
#include "base/bytes.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 64

struct bytes bytes_str(const char *s)
{
    return bytes_of(s, s ? strlen(s) : 0);
}

bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int bytes_cmp(struct bytes a, struct bytes b)
{
    size_t common = a.n < b.n ? a.n : b.n;
    int order = common > 0 ? memcmp(a.p, b.p, common) : 0;
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

struct bytes bytes_slice(struct bytes b, size_t from, size_t n)
{
    if (from >= b.n)
        return BYTES_NONE;
    if (n > b.n - from)
        n = b.n - from;
    return bytes_of(b.p + from, n);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool bytes_ieq(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

size_t bytes_find(struct bytes hay, struct bytes needle)
{
    const uint8_t *hit;
    if (needle.n == 0)
        return 0;
    if (needle.n > hay.n)
        return SIZE_MAX;
    hit = memmem(hay.p, hay.n, needle.p, needle.n);
    return hit ? (size_t)(hit - hay.p) : SIZE_MAX;
}

size_t bytes_ifind(struct bytes hay, struct bytes needle)
{
    if (needle.n == 0)
        return 0;
    for (size_t i = 0; i + needle.n <= hay.n; i++) {
        if (lower(hay.p[i]) == lower(needle.p[0]) && bytes_ieq(bytes_of(hay.p + i, needle.n), needle))
            return i;
    }
    return SIZE_MAX;
}

bool bytes_starts(struct bytes b, struct bytes prefix)
{
    return b.n >= prefix.n && bytes_eq(bytes_slice(b, 0, prefix.n), prefix);
}

bool bytes_ends(struct bytes b, struct bytes suffix)
{
    return b.n >= suffix.n && bytes_eq(bytes_slice(b, b.n - suffix.n, suffix.n), suffix);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bytes bytes_trim(struct bytes b)
{
    size_t from = 0;
    size_t to = b.n;
    while (from < to && is_space(b.p[from]))
        from++;
    while (to > from && is_space(b.p[to - 1]))
        to--;
    return bytes_slice(b, from, to - from);
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4};
}

void buf_release(struct buf *b)
{
    free(b->p);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->err = 0;
}

/* The allocation to ask for when `need` bytes (NUL included) must fit: doubled, but not beyond max. */
static size_t grown_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap * 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    return cap < need ? need : cap;
}

/* Makes sure that n more bytes fit; 0 or the sticky error. */
static int make_room(struct buf *b, size_t n)
{
    uint8_t *p;
    size_t cap;
    if (b->err)
        return b->err;
    if (n > b->max - b->n)
        return b->err = ERR_LIMIT;
    if (b->n + n < b->cap)
        return 0;
    cap = grown_cap(b, b->n + n + 1);
    p = realloc(b->p, cap);
    if (!p)
        return b->err = ERR_NOMEM;
    b->p = p;
    b->cap = cap;
    return 0;
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
    if (make_room(b, n))
        return NULL;
    b->n += n;
    CHECK(b->n < b->cap && b->n <= b->max);
    return b->p + (b->n - n);
}

int buf_append(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_extend(b, n);
    if (to && n > 0)
        memcpy(to, p, n);
    return b->err;
}

int buf_put(struct buf *b, uint8_t byte)
{
    return buf_append(b, &byte, 1);
}

int buf_bytes(struct buf *b, struct bytes v)
{
    return buf_append(b, v.p, v.n);
}

int buf_str(struct buf *b, const char *s)
{
    return buf_bytes(b, bytes_str(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    if (make_room(b, (size_t)n))
        return b->err;
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
    return 0;
}

struct bytes buf_view(const struct buf *b)
{
    return bytes_of(b->p, b->n);
}

const char *buf_cstr(struct buf *b)
{
    if (!b->p)
        return "";
    b->p[b->n] = 0;
    return (const char *)b->p;
}

void mem_wipe(void *p, size_t n)
{
    if (n > 0)
        explicit_bzero(p, n);
}

void secret_wipe(struct secret *s)
{
    mem_wipe(s, sizeof *s);
}

bool bytes_line(struct bytes *rest, struct bytes *line)
{
    while (rest->n > 0) {
        size_t end = bytes_find(*rest, BYTES_LIT("\n"));
        *line = bytes_trim(bytes_slice(*rest, 0, end == SIZE_MAX ? rest->n : end));
        *rest = end == SIZE_MAX ? BYTES_NONE : bytes_slice(*rest, end + 1, SIZE_MAX);
        if (line->n > 0)
            return true;
    }
    return false;
}
