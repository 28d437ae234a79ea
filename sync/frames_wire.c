/* The content of frames, and their two forms on the way. Each content and each form has one encoding, except
 * for the nonce of the seal that a stripped frame gets anew each time. */
#include "sync/frames_int.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "crypto/label.h"

#include <string.h>

#define LENGTH_BYTES 4

/* ---- content */

void content_put(struct buf *b, const struct op_record *r, bool bare)
{
    if (bare || r->op.n == 0) {
        wr_varint(b, 0);
        wr_bytes(b, bytes_of(r->hash.b, HASH_BYTES));
        return;
    }
    wr_varint(b, r->op.n);
    wr_bytes(b, bytes_of(r->salt, SALT_BYTES));
    wr_bytes(b, r->op);
}

size_t content_size(const struct op_record *r)
{
    return r->op.n == 0 ? 1 + HASH_BYTES : varint_size(r->op.n) + SALT_BYTES + r->op.n;
}

static void read_op(struct rd *r, struct op_record *out)
{
    uint64_t n = rd_varint(r);
    if (n > LIMIT_OP_BYTES && !r->err)
        r->err = ERR_LIMIT;
    if (r->err)
        return;
    if (n == 0) {
        rd_copy(r, out->hash.b, HASH_BYTES);
        return;
    }
    rd_copy(r, out->salt, SALT_BYTES);
    out->op = rd_bytes(r, (size_t)n);
    if (!r->err)
        op_hash(out->salt, out->op, &out->hash);
}

int content_read(struct bytes plain, const struct frame_header *h, struct op_record *ops, uint32_t *bare,
                 struct err *e)
{
    struct rd r;
    rd_init(&r, plain);
    *bare = 0;
    for (uint32_t i = 0; i < h->count && !r.err; i++) {
        ops[i] = (struct op_record){.log = h->log, .seq = h->first + i};
        read_op(&r, &ops[i]);
        *bare += ops[i].op.n == 0;
    }
    int rc = rd_end(&r);
    return rc ? err_set(e, rc, "frame with malformed ops") : 0;
}

/* ---- wire */

static int read_full(struct bytes in, struct wire *w, struct err *e)
{
    int rc = frame_decode(in, &w->frame, e);
    if (rc)
        return rc;
    w->header = w->frame.header;
    w->header_bytes = w->frame.header_bytes;
    w->signature = w->frame.signature;
    frame_body_hash(&w->frame, &w->body);
    return 0;
}

static int read_stripped(struct bytes in, struct wire *w, struct err *e)
{
    struct rd r;
    rd_init(&r, bytes_slice(in, 1, SIZE_MAX));
    w->header_bytes = rd_bytes(&r, FRAME_HEADER_BYTES);
    rd_copy(&r, w->body.b, HASH_BYTES);
    w->signature = rd_bytes(&r, SIGN_BYTES);
    rd_copy(&r, w->epoch.b, ID_BYTES);
    w->ad = bytes_slice(in, 0, in.n - rd_left(&r));
    w->sealed = rd_bytes(&r, rd_left(&r));
    if (r.err)
        return err_set(e, ERR_FORMAT, "stripped frame is cut short");
    return frame_header_decode(w->header_bytes, &w->header, e);
}

int wire_read(struct bytes in, struct wire *w, struct err *e)
{
    memset(w, 0, sizeof *w);
    if (in.n > FRAME_WIRE_MAX)
        return err_set(e, ERR_LIMIT, "frame of %zu bytes, at most %u", in.n, FRAME_WIRE_MAX);
    uint8_t kind = in.n > 0 ? in.p[0] : 0;
    w->stripped = kind == WIRE_STRIPPED;
    if (kind != WIRE_FULL && kind != WIRE_STRIPPED)
        return err_set(e, kind ? ERR_VERSION : ERR_FORMAT, "not a frame of a known form");
    int rc = w->stripped ? read_stripped(in, w, e) : read_full(bytes_slice(in, 1, SIZE_MAX), w, e);
    if (!rc && w->header.count > FRAME_OPS_MAX)
        rc = err_set(e, ERR_LIMIT, "frame of %u ops, at most %u", w->header.count, FRAME_OPS_MAX);
    return rc;
}

/* ---- the seal of stripped frames: as that of a frame, under a label of its own */

static int pad(struct bytes content, struct buf *plain)
{
    size_t size = frame_padded(content.n + LENGTH_BYTES);
    int rc = secret_buf_init(plain, size);
    if (rc)
        return rc;
    wr_u32(plain, (uint32_t)content.n);
    wr_bytes(plain, content);
    size_t rest = size - plain->n;
    uint8_t *zeros = buf_extend(plain, rest);
    if (zeros)
        memset(zeros, 0, rest);
    return plain->err;
}

static int unpad(struct bytes plain, struct buf *content, struct err *e)
{
    struct rd r;
    rd_init(&r, plain);
    uint32_t n = rd_u32(&r);
    struct bytes inner = rd_bytes(&r, n);
    struct bytes rest = rd_bytes(&r, rd_left(&r));
    bool zeros = rest.n == 0 || secret_is_zero(rest.p, rest.n);
    if (r.err || !zeros || frame_padded((size_t)n + LENGTH_BYTES) != plain.n)
        return err_set(e, ERR_FORMAT, "stripped frame is padded wrongly");
    return buf_bytes(content, inner) ? err_set(e, content->err, "opening a frame") : 0;
}

static int open_stripped(const struct wire *w, const uint8_t key[KEY_BYTES], struct buf *content,
                         struct err *e)
{
    struct buf plain;
    int rc = secret_buf_init(&plain, w->sealed.n);
    if (!rc)
        rc = aead_open(&(struct aead){key, LABEL_SEAL_STRIPPED, w->ad}, w->sealed, &plain);
    rc = rc ? err_set(e, rc, "stripped frame does not open") : unpad(buf_view(&plain), content, e);
    secret_buf_release(&plain);
    return rc;
}

int wire_open(const struct wire *w, const uint8_t key[KEY_BYTES], struct buf *content, struct err *e)
{
    return w->stripped ? open_stripped(w, key, content, e) : frame_open(&w->frame, key, content, e);
}

int wire_strip(const struct frame_row *row, const struct wire_seal *seal, struct bytes content,
               struct buf *out)
{
    uint8_t nonce[AEAD_NONCE_BYTES], ad[WIRE_STRIPPED_EXTRA];
    struct buf plain;
    size_t from = out->n;
    int rc = pad(content, &plain);
    wr_u8(out, WIRE_STRIPPED);
    wr_bytes(out, row->header);
    wr_bytes(out, bytes_of(row->body.b, HASH_BYTES));
    wr_bytes(out, bytes_of(row->kept.signature, SIGN_BYTES));
    wr_bytes(out, bytes_of(seal->epoch.b, ID_BYTES));
    rc = rc ? rc : out->err;
    if (!rc) {
        size_t n = out->n - from;
        memcpy(ad, out->p + from, n); /* out may move while it is written to */
        rng_fill(seal->rng, nonce, sizeof nonce);
        rc = aead_seal(&(struct aead){seal->key, LABEL_SEAL_STRIPPED, bytes_of(ad, n)}, nonce,
                       buf_view(&plain), out);
    }
    secret_buf_release(&plain);
    return rc;
}
