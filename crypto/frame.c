/* Frames. Everything that a decoder reads is fixed by the header, so a frame is accepted in one form only. */
#include "crypto/frame.h"

#include "base/check.h"
#include "base/cursor.h"
#include "crypto/label.h"

#include <string.h>

#define VERSION 1
#define SUITE 1
#define LENGTH_BYTES 4

size_t frame_padded(size_t n)
{
    unsigned exponent = 0;
    unsigned bits = 0;
    size_t mask;
    CHECK(n <= (size_t)1 << 31);
    if (n <= FRAME_PAD_FLOOR)
        return FRAME_PAD_FLOOR;
    while (n >> (exponent + 1))
        exponent++;
    while (exponent >> bits)
        bits++;
    mask = ((size_t)1 << (exponent - bits)) - 1;
    return (n + mask) & ~mask;
}

size_t frame_bytes(const struct frame_header *h)
{
    return FRAME_HEADER_BYTES + (size_t)h->body_bytes + SIGN_BYTES;
}

void frame_header_encode(const struct frame_header *h, struct buf *out)
{
    wr_u8(out, VERSION);
    wr_u8(out, SUITE);
    wr_u16(out, h->flags);
    wr_bytes(out, bytes_of(h->group.b, ID_BYTES));
    wr_bytes(out, bytes_of(h->log.b, ID_BYTES));
    wr_bytes(out, bytes_of(h->device.b, ID_BYTES));
    wr_bytes(out, bytes_of(h->epoch.b, ID_BYTES));
    wr_u64(out, h->first);
    wr_u32(out, h->count);
    wr_bytes(out, bytes_of(h->before.b, HASH_BYTES));
    wr_bytes(out, bytes_of(h->after.b, HASH_BYTES));
    wr_u32(out, h->body_bytes);
}

static int check_header(const struct frame_header *h, struct err *e)
{
    size_t padded = (size_t)h->body_bytes - AEAD_EXTRA_BYTES;
    if (h->first == 0 || h->count == 0 || h->first > UINT64_MAX - (h->count - 1))
        return err_set(e, ERR_FORMAT, "frame has no ops or impossible numbers");
    if (h->count > LIMIT_FRAME_OPS)
        return err_set(e, ERR_LIMIT, "frame holds %u ops, at most %u", h->count, LIMIT_FRAME_OPS);
    if (h->body_bytes < AEAD_EXTRA_BYTES + FRAME_PAD_FLOOR)
        return err_set(e, ERR_FORMAT, "frame has a body of %u bytes, which is too short", h->body_bytes);
    if (padded > LIMIT_FRAME_BODY_BYTES)
        return err_set(e, ERR_LIMIT, "frame has a body of %u bytes, which is too long", h->body_bytes);
    if (frame_padded(padded) != padded)
        return err_set(e, ERR_FORMAT, "frame has a body of %u bytes, which no padding gives", h->body_bytes);
    return 0;
}

int frame_header_decode(struct bytes in, struct frame_header *h, struct err *e)
{
    struct rd r;
    uint8_t version, suite;
    rd_init(&r, in);
    version = rd_u8(&r);
    suite = rd_u8(&r);
    if (in.n != FRAME_HEADER_BYTES || version == 0 || suite == 0)
        return err_set(e, ERR_FORMAT, "not a frame header");
    if (version != VERSION || suite != SUITE)
        return err_set(e, ERR_VERSION, "frame has version %u, suite %u", version, suite);
    h->flags = rd_u16(&r);
    rd_copy(&r, h->group.b, ID_BYTES);
    rd_copy(&r, h->log.b, ID_BYTES);
    rd_copy(&r, h->device.b, ID_BYTES);
    rd_copy(&r, h->epoch.b, ID_BYTES);
    h->first = rd_u64(&r);
    h->count = rd_u32(&r);
    rd_copy(&r, h->before.b, HASH_BYTES);
    rd_copy(&r, h->after.b, HASH_BYTES);
    h->body_bytes = rd_u32(&r);
    CHECK(rd_end(&r) == 0);
    return check_header(h, e);
}

int frame_decode(struct bytes in, struct frame *f, struct err *e)
{
    int rc;
    *f = (struct frame){.header_bytes = bytes_slice(in, 0, FRAME_HEADER_BYTES)};
    rc = frame_header_decode(f->header_bytes, &f->header, e);
    if (rc)
        return rc;
    if (in.n != frame_bytes(&f->header))
        return err_set(e, ERR_FORMAT, "frame has %zu bytes, its header says %zu", in.n,
                       frame_bytes(&f->header));
    f->body = bytes_slice(in, FRAME_HEADER_BYTES, f->header.body_bytes);
    f->signature = bytes_slice(in, FRAME_HEADER_BYTES + f->header.body_bytes, SIGN_BYTES);
    return 0;
}

void frame_body_hash(const struct frame *f, struct hash *out)
{
    hash_parts(out, &f->body, 1);
}

void frame_keep(const struct frame *f, struct frame_kept *out)
{
    CHECK(f->body.n >= AEAD_NONCE_BYTES && f->signature.n == SIGN_BYTES);
    memcpy(out->nonce, f->body.p, AEAD_NONCE_BYTES);
    memcpy(out->signature, f->signature.p, SIGN_BYTES);
}

int frame_pad(struct bytes content, struct buf *plain)
{
    size_t size = frame_padded(content.n + LENGTH_BYTES);
    uint8_t *zeros;
    int rc = secret_buf_init(plain, size);
    if (rc)
        return rc;
    wr_u32(plain, (uint32_t)content.n);
    wr_bytes(plain, content);
    zeros = buf_extend(plain, size - plain->n);
    if (zeros)
        memset(zeros, 0, (size_t)(plain->p + size - zeros));
    return plain->err;
}

/* Appends header and body. */
static int put_sealed(struct frame_header *h, const uint8_t *key, const uint8_t *nonce, struct bytes ops,
                      struct buf *out)
{
    struct buf plain;
    uint8_t header[FRAME_HEADER_BYTES];
    size_t from = out->n;
    int rc;
    if (ops.n > FRAME_OPS_BYTES_MAX || frame_padded(ops.n + LENGTH_BYTES) > LIMIT_FRAME_BODY_BYTES)
        return ERR_LIMIT;
    h->body_bytes = (uint32_t)(frame_padded(ops.n + LENGTH_BYTES) + AEAD_EXTRA_BYTES);
    CHECK(check_header(h, NULL) == 0);
    frame_header_encode(h, out);
    if (out->err)
        return out->err;
    memcpy(header, out->p + from, sizeof header);
    rc = frame_pad(ops, &plain);
    if (!rc)
        rc = aead_seal(&(struct aead){key, LABEL_SEAL_FRAME, bytes_of(header, sizeof header)}, nonce,
                       buf_view(&plain), out);
    secret_buf_release(&plain);
    return rc;
}

int frame_seal(struct frame_header *h, const struct frame_keys *k, const struct rng *rng, struct bytes ops,
               struct buf *out)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    uint8_t sig[SIGN_BYTES];
    struct hash body;
    struct bytes parts[2];
    size_t from = out->n;
    int rc;
    rng_fill(rng, nonce, sizeof nonce);
    rc = put_sealed(h, k->epoch, nonce, ops, out);
    if (rc)
        return rc;
    parts[0] = bytes_slice(buf_view(out), from + FRAME_HEADER_BYTES, SIZE_MAX);
    hash_parts(&body, parts, 1);
    parts[0] = bytes_slice(buf_view(out), from, FRAME_HEADER_BYTES);
    parts[1] = bytes_of(body.b, HASH_BYTES);
    sign_make(k->sign, LABEL_SIGN_FRAME, parts, 2, sig);
    return buf_append(out, sig, sizeof sig);
}

int frame_again(struct frame_header *h, const uint8_t epoch_key[KEY_BYTES], const struct frame_kept *kept,
                struct bytes ops, struct buf *out)
{
    int rc = put_sealed(h, epoch_key, kept->nonce, ops, out);
    return rc ? rc : buf_append(out, kept->signature, SIGN_BYTES);
}

int frame_verify_stripped(struct bytes header, const struct hash *body, const uint8_t signature[SIGN_BYTES],
                          const uint8_t sign_pk[SIGN_PK_BYTES])
{
    struct bytes parts[2] = {header, bytes_of(body->b, HASH_BYTES)};
    return sign_verify(sign_pk, LABEL_SIGN_FRAME, parts, 2, signature);
}

int frame_verify(const struct frame *f, const uint8_t sign_pk[SIGN_PK_BYTES], struct err *e)
{
    struct hash body;
    frame_body_hash(f, &body);
    if (frame_verify_stripped(f->header_bytes, &body, f->signature.p, sign_pk))
        return err_set(e, ERR_VERIFY, "signature of a frame is wrong");
    return 0;
}

int frame_unpad(struct bytes plain, struct bytes *content)
{
    struct rd r;
    struct bytes rest;
    uint32_t n;
    rd_init(&r, plain);
    n = rd_u32(&r);
    SECRET_PUBLIC(&n, sizeof n); /* it opened; how long the content is shows in all that is done with it */
    *content = rd_bytes(&r, n);
    rest = rd_bytes(&r, rd_left(&r));
    if (r.err || frame_padded((size_t)n + LENGTH_BYTES) != plain.n ||
        (rest.n > 0 && !secret_is_zero(rest.p, rest.n)))
        return ERR_FORMAT;
    return 0;
}

int frame_open(const struct frame *f, const uint8_t epoch_key[KEY_BYTES], struct buf *ops, struct err *e)
{
    struct buf plain;
    struct bytes inner;
    int rc = secret_buf_init(&plain, f->body.n);
    if (!rc)
        rc = aead_open(&(struct aead){epoch_key, LABEL_SEAL_FRAME, f->header_bytes}, f->body, &plain);
    if (rc) {
        secret_buf_release(&plain);
        return err_set(e, rc, "frame does not open with the key of its epoch");
    }
    rc = frame_unpad(buf_view(&plain), &inner);
    if (rc)
        rc = err_set(e, rc, "frame is padded wrongly");
    else if (buf_bytes(ops, inner))
        rc = err_set(e, ops->err, "opening a frame");
    secret_buf_release(&plain);
    return rc;
}
