/* Cursors. The one place where input lengths are compared with what is left is take(): every reader goes
 * through it, so a decoder cannot read past its input. */
#include "base/cursor.h"

#include <string.h>

#define VARINT_BYTES_MAX 10

void rd_init(struct rd *r, struct bytes b)
{
    *r = (struct rd){.p = b.p, .end = b.n > 0 ? b.p + b.n : b.p};
}

size_t rd_left(const struct rd *r)
{
    return r->p == r->end ? 0 : (size_t)(r->end - r->p);
}

static void fail(struct rd *r, int code)
{
    if (!r->err)
        r->err = code;
    r->p = r->end;
}

/* The next n bytes, or NULL after noting the error. */
static const uint8_t *take(struct rd *r, size_t n)
{
    const uint8_t *p = r->p;
    if (r->err || n > rd_left(r)) {
        fail(r, ERR_FORMAT);
        return NULL;
    }
    if (n > 0)
        r->p += n;
    return p;
}

static uint64_t read_be(struct rd *r, size_t n)
{
    const uint8_t *p = take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)read_be(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
    return (uint16_t)read_be(r, 2);
}

uint32_t rd_u32(struct rd *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
    return read_be(r, 8);
}

/* A group that may not stand at position i: one beyond 64 bits, or a last group that adds nothing. */
static bool bad_group(uint8_t group, int i)
{
    if (i == VARINT_BYTES_MAX - 1)
        return group != 1;
    return i > 0 && group == 0;
}

uint64_t rd_varint(struct rd *r)
{
    uint64_t v = 0;
    for (int i = 0; i < VARINT_BYTES_MAX && !r->err; i++) {
        uint8_t group = rd_u8(r);
        if (r->err || bad_group(group, i))
            break;
        v |= (uint64_t)(group & 0x7f) << (7 * i);
        if (group < 0x80)
            return v;
    }
    fail(r, ERR_FORMAT);
    return 0;
}

int64_t rd_svarint(struct rd *r)
{
    uint64_t z = rd_varint(r);
    uint64_t v = z >> 1 ^ (0 - (z & 1));
    int64_t out;
    memcpy(&out, &v, sizeof out);
    return out;
}

struct bytes rd_bytes(struct rd *r, size_t n)
{
    const uint8_t *p = take(r, n);
    return r->err ? BYTES_NONE : bytes_of(p, n);
}

struct bytes rd_lenbytes(struct rd *r, size_t max)
{
    uint64_t n = rd_varint(r);
    if (n > max)
        fail(r, ERR_LIMIT);
    return r->err ? BYTES_NONE : rd_bytes(r, (size_t)n);
}

void rd_copy(struct rd *r, void *out, size_t n)
{
    const uint8_t *p = take(r, n);
    if (n == 0)
        return;
    if (p)
        memcpy(out, p, n);
    else
        memset(out, 0, n);
}

int rd_end(struct rd *r)
{
    if (rd_left(r) > 0)
        fail(r, ERR_FORMAT);
    return r->err;
}

static void write_be(struct buf *b, uint64_t v, size_t n)
{
    uint8_t *p = buf_extend(b, n);
    for (size_t i = 0; p && i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void wr_u8(struct buf *b, uint8_t v)
{
    write_be(b, v, 1);
}

void wr_u16(struct buf *b, uint16_t v)
{
    write_be(b, v, 2);
}

void wr_u32(struct buf *b, uint32_t v)
{
    write_be(b, v, 4);
}

void wr_u64(struct buf *b, uint64_t v)
{
    write_be(b, v, 8);
}

void wr_varint(struct buf *b, uint64_t v)
{
    uint8_t out[VARINT_BYTES_MAX];
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    (void)buf_append(b, out, n);
}

void wr_svarint(struct buf *b, int64_t v)
{
    uint64_t u = (uint64_t)v;
    wr_varint(b, u << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void wr_bytes(struct buf *b, struct bytes v)
{
    (void)buf_bytes(b, v);
}

void wr_lenbytes(struct buf *b, struct bytes v)
{
    wr_varint(b, v.n);
    wr_bytes(b, v);
}

size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}
