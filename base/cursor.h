/* Read and write cursors: all parsing of binary input goes through struct rd, so that decoders read as
 * schemas and are checked once at the end. Integers are big-endian; varint is canonical unsigned LEB128
 * (at most 10 bytes, no superfluous trailing zero groups: a longer encoding is rejected).
 *
 * struct rd has a sticky error: after the first failure every read returns zeros / empty views.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/bytes.h"

struct rd {
    const uint8_t *p;
    const uint8_t *end;
    int err; /* 0, ERR_FORMAT or ERR_LIMIT */
};

void rd_init(struct rd *r, struct bytes b);
size_t rd_left(const struct rd *r);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
uint64_t rd_varint(struct rd *r);
/* Zig-zag signed varint. */
int64_t rd_svarint(struct rd *r);
/* A view of the next n bytes, borrowed from the input. */
struct bytes rd_bytes(struct rd *r, size_t n);
/* A varint length (at most max, else ERR_LIMIT) and that many bytes. */
struct bytes rd_lenbytes(struct rd *r, size_t max);
/* Copies exactly n bytes into out (zeros on error). */
void rd_copy(struct rd *r, void *out, size_t n);
/* 0 if nothing failed and nothing is left; else the error (ERR_FORMAT for trailing bytes). */
int rd_end(struct rd *r) MUST_CHECK;

/* Writers append to a buf and share its sticky error. */
void wr_u8(struct buf *b, uint8_t v);
void wr_u16(struct buf *b, uint16_t v);
void wr_u32(struct buf *b, uint32_t v);
void wr_u64(struct buf *b, uint64_t v);
void wr_varint(struct buf *b, uint64_t v);
void wr_svarint(struct buf *b, int64_t v);
void wr_bytes(struct buf *b, struct bytes v);
void wr_lenbytes(struct buf *b, struct bytes v);
/* Bytes wr_varint(v) writes. */
size_t varint_size(uint64_t v);

#endif
