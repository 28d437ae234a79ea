#include "node/handover.h"

#include "base/cursor.h"

void handover_init(struct handover *h)
{
    *h = (struct handover){0};
    buf_init(&h->records, HANDOVER_RECORDS_BYTES_MAX);
}

void handover_clear(struct handover *h)
{
    if (h->on) {
        noise_session_wipe(&h->session);
    }
    h->on = h->ended = false;
    h->sent = 0;
    buf_clear(&h->records);
}

void handover_release(struct handover *h)
{
    handover_clear(h);
    buf_release(&h->records);
}

int handover_seal(struct handover *h, enum handover_step step, struct bytes body, struct buf *out)
{
    struct buf plain;
    buf_init(&plain, HANDOVER_PART_BYTES + 16);
    wr_u8(&plain, (uint8_t)step);
    wr_bytes(&plain, body);
    int rc = plain.err != 0 ? plain.err : noise_seal(&h->session, BYTES_NONE, buf_view(&plain), out);
    secret_buf_release(&plain);
    return rc;
}

int handover_open(struct handover *h, struct bytes message, struct buf *plain, enum handover_step *step,
                  struct bytes *body)
{
    struct rd r;
    int rc = noise_open(&h->session, BYTES_NONE, message, plain);
    rd_init(&r, buf_view(plain));
    *step = (enum handover_step)rd_u8(&r);
    *body = rd_bytes(&r, rd_left(&r));
    return rc;
}

static int record_put(void *ctx, struct bytes record)
{
    struct handover *h = ctx;
    wr_u32(&h->records, (uint32_t)record.n);
    wr_bytes(&h->records, record);
    return h->records.err;
}

int handover_begin(struct handover *h, const struct group *g, struct buf *out)
{
    struct id group;
    buf_clear(&h->records);
    h->sent = 0;
    group_id(g, &group);
    int rc = group_records(g, NULL, 0, record_put, h);
    return rc != 0 ? rc : handover_seal(h, HANDOVER_BEGIN, bytes_of(group.b, ID_BYTES), out);
}

int handover_next(struct handover *h, struct buf *out)
{
    struct bytes part = bytes_slice(buf_view(&h->records), h->sent, HANDOVER_PART_BYTES);
    h->sent += part.n;
    if (part.n > 0) {
        return handover_seal(h, HANDOVER_RECORDS, part, out);
    }
    h->ended = true;
    return handover_seal(h, HANDOVER_END, BYTES_NONE, out);
}

int handover_take(struct handover *h, struct group *g, struct err *e)
{
    struct rd r;
    rd_init(&r, buf_view(&h->records));
    int rc = 0;
    while (rc == 0 && rd_left(&r) > 0) {
        bool fresh = false;
        uint32_t n = rd_u32(&r);
        struct bytes record = n <= MEMBER_RECORD_BYTES_MAX ? rd_bytes(&r, n) : BYTES_NONE;
        if (r.err != 0 || record.n != n || n == 0) {
            return err_set(e, ERR_FORMAT, "the membership came in a broken form");
        }
        rc = group_receive(g, record, &fresh, e);
    }
    return rc;
}
