/* Vectors in a page of documentation: fenced blocks that begin with ```vector KIND and hold one `name: value`
 * a line; a line that begins with a blank goes on with the value before it. Aborts on a page that has another
 * form. */
#ifndef TESTS_SUPPORT_PAGE_H
#define TESTS_SUPPORT_PAGE_H

#include "base/bytes.h"

#define PAGE_FIELDS 64
#define PAGE_VALUE_BYTES (1u << 20)

struct page_field {
    struct buf name, value;
};

struct page_block {
    struct page_field field[PAGE_FIELDS];
    size_t n;
};

/* Calls fn for each block of the kind, in order; returns how many there were. */
size_t page_each(const char *path, const char *kind, void (*fn)(void *ctx, const struct page_block *b),
                 void *ctx);
/* The value of field i, which must have this name; false: it has another one, or there is none. */
bool page_is(const struct page_block *b, size_t i, const char *name);
struct bytes page_at(const struct page_block *b, size_t i, const char *name);
/* The only value of this name. */
struct bytes page_get(const struct page_block *b, const char *name);
/* Takes the next word (blanks around it dropped) off *rest; empty at the end. */
struct bytes page_word(struct bytes *rest);
/* Appends what hex digits stand for; exactly n bytes into out. */
void page_hex(struct bytes hex, struct buf *out);
void page_fixed(struct bytes hex, void *out, size_t n);
uint64_t page_number(struct bytes digits);

#endif
