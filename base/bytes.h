/* Borrowed byte views, owned capped buffers, and secrets.
 *
 * struct bytes never owns. struct buf owns, grows up to a hard maximum given at init, and has a sticky
 * error: after a failed append every further append fails too, so a run of appends is checked once.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *p; /* may be NULL when n is 0 */
    size_t n;
};

#define BYTES_NONE ((struct bytes){0})
/* A view of a string literal, without its NUL. */
#define BYTES_LIT(s) ((struct bytes){(const uint8_t *)("" s), sizeof(s) - 1})

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){p, n};
}
/* A view of a C string (may be NULL: empty), without its NUL. */
struct bytes bytes_str(const char *s);
bool bytes_eq(struct bytes a, struct bytes b);
/* Like memcmp, a shorter prefix first. Returns <0, 0, >0. */
int bytes_cmp(struct bytes a, struct bytes b);
/* Bytes [from, from+n), clipped to what is there. */
struct bytes bytes_slice(struct bytes b, size_t from, size_t n);
/* Takes the next line that is not blank off *rest, trimmed; false: there is none. */
bool bytes_line(struct bytes *rest, struct bytes *line);
/* ASCII case-insensitive equality and search; find returns SIZE_MAX when absent. */
bool bytes_ieq(struct bytes a, struct bytes b);
size_t bytes_find(struct bytes hay, struct bytes needle);
size_t bytes_ifind(struct bytes hay, struct bytes needle);
bool bytes_starts(struct bytes b, struct bytes prefix);
bool bytes_ends(struct bytes b, struct bytes suffix);
/* Without leading and trailing ASCII white space. */
struct bytes bytes_trim(struct bytes b);

struct buf {
    uint8_t *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* never grows past this */
    int err;    /* 0, ERR_NOMEM or ERR_LIMIT; sticky until buf_clear */
};

/* An empty buffer that holds at most max bytes; allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* Frees what it owns; the buffer is then as after buf_init with the same max. */
void buf_release(struct buf *b);
/* Empties it and clears the sticky error; keeps the allocation. */
void buf_clear(struct buf *b);
/* Appending returns 0 or the (sticky) error. The variants append one byte, a C string, printf text.
 * What is appended must not lie in the buffer itself. */
int buf_append(struct buf *b, const void *p, size_t n);
int buf_put(struct buf *b, uint8_t byte);
int buf_bytes(struct buf *b, struct bytes v);
int buf_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Makes n bytes of room at the end and returns where, or NULL on error; they count as in use. */
uint8_t *buf_extend(struct buf *b, size_t n);
/* The content; valid until the next call on the same buffer. */
struct bytes buf_view(const struct buf *b);
/* The content with a NUL behind it (not counted in n); "" on allocation failure. Same validity. */
const char *buf_cstr(struct buf *b);

/* A fixed secret of up to 64 bytes. Never copy the struct; wipe it when done. */
struct secret {
    uint8_t p[64];
    size_t n;
};
/* Overwrites memory in a way the compiler may not remove. */
void secret_wipe(struct secret *s);
void mem_wipe(void *p, size_t n);

#endif
