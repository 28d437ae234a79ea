/* All parsers of base/ on one input: the first byte chooses, the rest is what they read. What they accept
 * must survive being written and read again. */
#include "base/check.h"
#include "base/cursor.h"
#include "base/id.h"
#include "base/text.h"
#include "base/time.h"

#define OUT_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_time(struct bytes in)
{
    char text[RFC3339_TEXT + 1];
    int64_t ms, again;
    int offset;
    if (rfc3339_parse(in, &ms, &offset) == 0) {
        rfc3339_print(ms, text);
        CHECK(rfc3339_parse(bytes_str(text), &again, NULL) == 0 && again == ms);
        CHECK(offset > -24 * 60 && offset < 24 * 60);
    }
    if (duration_parse(in, &ms) == 0)
        CHECK(ms > 0);
}

static void try_id(struct bytes in)
{
    char text[ID_TEXT + 1];
    struct id id, again, lo, hi;
    if (id_prefix(in, &lo, &hi) == 0)
        CHECK(id_cmp(&lo, &hi) <= 0);
    if (id_parse(in, &id) != 0)
        return;
    id_text(&id, text);
    CHECK(id_parse(bytes_str(text), &again) == 0 && id_eq(&id, &again));
}

static void try_text(struct bytes in, struct buf *out)
{
    if (utf8_repair(in, out) == 0)
        CHECK(utf8_valid(buf_view(out)));
    buf_clear(out);
    if (text_escape(in, true, out) == 0)
        CHECK(utf8_valid(buf_view(out)));
    buf_clear(out);
    (void)text_normalise(in, out);
    CHECK(utf8_columns(in) <= 2 * in.n);
    for (size_t max = 0; max < 8; max++)
        CHECK(utf8_cut(in, max).n <= max);
}

static void try_cursor(struct bytes in, struct buf *out)
{
    struct rd r;
    rd_init(&r, in);
    while (rd_left(&r) > 0 && !r.err) {
        const uint8_t *from = r.p;
        uint64_t v = rd_varint(&r);
        buf_clear(out);
        wr_varint(out, v);
        CHECK(r.err || bytes_eq(buf_view(out), bytes_of(from, (size_t)(r.p - from))));
        (void)rd_lenbytes(&r, 64);
        (void)rd_svarint(&r);
    }
    (void)rd_u64(&r);
    CHECK(rd_end(&r) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_slice(bytes_of(data, size), 1, size);
    struct buf out;
    buf_init(&out, OUT_BYTES);
    switch (size > 0 ? data[0] % 4 : 0) {
    case 0:
        try_time(in);
        break;
    case 1:
        try_id(in);
        break;
    case 2:
        try_text(in, &out);
        break;
    default:
        try_cursor(in, &out);
    }
    buf_release(&out);
    return 0;
}
