#include "tests/support/page.h"

#include "base/check.h"
#include "tests/support/tmp.h"

#include <stdlib.h>
#include <string.h>

static struct bytes take_line(struct bytes *rest)
{
    size_t n = bytes_find(*rest, BYTES_LIT("\n"));
    struct bytes line = bytes_slice(*rest, 0, n);
    *rest = bytes_slice(*rest, n == SIZE_MAX ? rest->n : n + 1, SIZE_MAX);
    return line;
}

static void add_line(struct page_block *b, struct bytes line)
{
    if (line.n > 0 && line.p[0] == ' ') {
        CHECK(b->n > 0 && buf_bytes(&b->field[b->n - 1].value, bytes_trim(line)) == 0);
        return;
    }
    size_t colon = bytes_find(line, BYTES_LIT(":"));
    CHECK(colon != SIZE_MAX && b->n < PAGE_FIELDS);
    struct page_field *f = &b->field[b->n++];
    buf_init(&f->name, 64);
    buf_init(&f->value, PAGE_VALUE_BYTES);
    CHECK(buf_bytes(&f->name, bytes_slice(line, 0, colon)) == 0);
    CHECK(buf_bytes(&f->value, bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX))) == 0);
}

static void read_block(struct bytes *rest, struct page_block *b)
{
    b->n = 0;
    struct bytes line = take_line(rest);
    while (!bytes_eq(line, BYTES_LIT("```"))) {
        CHECK(rest->n > 0); /* else the block does not end */
        add_line(b, line);
        line = take_line(rest);
    }
}

static void block_release(struct page_block *b)
{
    for (size_t i = 0; i < b->n; i++) {
        buf_release(&b->field[i].name);
        buf_release(&b->field[i].value);
    }
}

size_t page_each(const char *path, const char *kind, void (*fn)(void *ctx, const struct page_block *b),
                 void *ctx)
{
    struct buf page, mark;
    struct page_block b;
    size_t found = 0;
    buf_init(&page, PAGE_VALUE_BYTES);
    buf_init(&mark, 64);
    tmp_read(path, &page);
    CHECK(buf_printf(&mark, "```vector %s", kind) == 0);
    for (struct bytes rest = buf_view(&page); rest.n > 0;) {
        if (!bytes_eq(take_line(&rest), buf_view(&mark)))
            continue;
        read_block(&rest, &b);
        fn(ctx, &b);
        block_release(&b);
        found++;
    }
    buf_release(&page);
    buf_release(&mark);
    return found;
}

bool page_is(const struct page_block *b, size_t i, const char *name)
{
    return i < b->n && bytes_eq(buf_view(&b->field[i].name), bytes_str(name));
}

struct bytes page_at(const struct page_block *b, size_t i, const char *name)
{
    CHECK(page_is(b, i, name));
    return buf_view(&b->field[i].value);
}

struct bytes page_get(const struct page_block *b, const char *name)
{
    size_t at = 0;
    while (at < b->n && !page_is(b, at, name))
        at++;
    return page_at(b, at, name);
}

struct bytes page_word(struct bytes *rest)
{
    struct bytes from = bytes_trim(*rest);
    size_t n = bytes_find(from, BYTES_LIT(" "));
    *rest = bytes_slice(from, n == SIZE_MAX ? from.n : n, SIZE_MAX);
    return bytes_slice(from, 0, n);
}

static unsigned digit(uint8_t c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    CHECK(at);
    return (unsigned)(at - digits);
}

void page_hex(struct bytes hex, struct buf *out)
{
    CHECK(hex.n % 2 == 0);
    for (size_t i = 0; i < hex.n; i += 2)
        CHECK(buf_put(out, (uint8_t)(digit(hex.p[i]) << 4 | digit(hex.p[i + 1]))) == 0);
}

void page_fixed(struct bytes hex, void *out, size_t n)
{
    struct buf b;
    buf_init(&b, n + 1);
    page_hex(hex, &b);
    CHECK(b.n == n);
    memcpy(out, b.p, n);
    buf_release(&b);
}

uint64_t page_number(struct bytes digits)
{
    char text[24] = {0};
    CHECK(digits.n > 0 && digits.n < sizeof text);
    memcpy(text, digits.p, digits.n);
    return strtoull(text, NULL, 10);
}
