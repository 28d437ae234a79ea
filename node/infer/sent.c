/* Rows are local values "sent:NUMBER"; "sent-next" holds the number of the next one. A row is
 *   version 1 · time i64 · observations, images u32 · bytes out, in u64 · tokens in, out u32
 *   · purpose, model, sources, host, address, outcome, each a length and that many bytes. */
#include "node/infer/sent.h"

#include "base/cursor.h"

#include <stdio.h>
#include <string.h>

#define ROW_PREFIX "sent:"
#define NEXT_KEY "sent-next"
#define ROW_VERSION 1
#define ROW_BYTES_MAX 4096u

static void row_name(uint64_t number, char out[32])
{
    (void)snprintf(out, 32, ROW_PREFIX "%016llx", (unsigned long long)number);
}

static int next_load(struct store *s, uint64_t *next, struct err *e)
{
    struct buf v;
    bool found = false;
    struct rd r;
    buf_init(&v, 16);
    int rc = local_get(s, NEXT_KEY, &v, &found, e);
    rd_init(&r, buf_view(&v));
    *next = found ? rd_u64(&r) : 1;
    if (rc == 0 && found && rd_end(&r) != 0) {
        rc = err_set(e, ERR_CORRUPT, "the log of what was sent is damaged");
    }
    buf_release(&v);
    return rc;
}

static int next_save(struct store *s, uint64_t next, struct err *e)
{
    struct buf v;
    buf_init(&v, 16);
    wr_u64(&v, next);
    int rc = v.err != 0 ? err_set(e, v.err, "writing the log of what was sent")
                        : local_set(s, NEXT_KEY, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

static int row_write(struct store *s, const struct sent_row *r, struct err *e)
{
    char name[32];
    struct buf v;
    buf_init(&v, ROW_BYTES_MAX);
    wr_u8(&v, ROW_VERSION);
    wr_u64(&v, (uint64_t)r->time_ms);
    wr_u32(&v, r->observations);
    wr_u32(&v, r->images);
    wr_u64(&v, r->bytes_out);
    wr_u64(&v, r->bytes_in);
    wr_u32(&v, r->tokens_in);
    wr_u32(&v, r->tokens_out);
    wr_lenbytes(&v, bytes_slice(r->purpose, 0, LIMIT_NAME_BYTES));
    wr_lenbytes(&v, bytes_slice(r->model, 0, LIMIT_NAME_BYTES));
    wr_lenbytes(&v, bytes_slice(r->sources, 0, SENT_SOURCES_BYTES));
    wr_lenbytes(&v, bytes_str(r->host));
    wr_lenbytes(&v, bytes_str(r->address));
    wr_lenbytes(&v, bytes_str(r->outcome));
    row_name(r->number, name);
    int rc = v.err != 0 ? err_set(e, v.err, "writing the log of what was sent")
                        : local_set(s, name, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

static void text_take(struct rd *in, char *out, size_t size)
{
    struct bytes v = rd_lenbytes(in, size - 1);
    (void)snprintf(out, size, "%.*s", (int)v.n, v.n > 0 ? (const char *)v.p : "");
}

static int row_read(struct bytes value, struct sent_row *r)
{
    struct rd in;
    rd_init(&in, value);
    if (rd_u8(&in) != ROW_VERSION) {
        return ERR_VERSION;
    }
    r->time_ms = (int64_t)rd_u64(&in);
    r->observations = rd_u32(&in);
    r->images = rd_u32(&in);
    r->bytes_out = rd_u64(&in);
    r->bytes_in = rd_u64(&in);
    r->tokens_in = rd_u32(&in);
    r->tokens_out = rd_u32(&in);
    r->purpose = rd_lenbytes(&in, LIMIT_NAME_BYTES);
    r->model = rd_lenbytes(&in, LIMIT_NAME_BYTES);
    r->sources = rd_lenbytes(&in, SENT_SOURCES_BYTES);
    text_take(&in, r->host, sizeof(r->host));
    text_take(&in, r->address, sizeof(r->address));
    text_take(&in, r->outcome, sizeof(r->outcome));
    return rd_end(&in);
}

int sent_add(struct store *s, struct sent_row *r, struct err *e)
{
    uint64_t next = 0;
    int rc = next_load(s, &next, e);
    if (rc != 0) {
        return rc;
    }
    r->number = next;
    rc = row_write(s, r, e);
    if (rc == 0 && next > SENT_ROWS_MAX) {
        char old[32];
        row_name(next - SENT_ROWS_MAX, old);
        rc = local_set(s, old, BYTES_NONE, e);
    }
    return rc != 0 ? rc : next_save(s, next + 1, e);
}

int sent_update(struct store *s, const struct sent_row *r, struct err *e)
{
    return row_write(s, r, e);
}

static int row_get(struct store *s, uint64_t number, struct sent_row *r, struct buf *hold, struct err *e)
{
    char name[32];
    bool found = false;
    row_name(number, name);
    buf_clear(hold);
    *r = (struct sent_row){.number = number};
    int rc = local_get(s, name, hold, &found, e);
    if (rc == 0 && (!found || row_read(buf_view(hold), r) != 0)) {
        rc = err_set(e, ERR_NOTFOUND, "there is no such row in the log of what was sent");
    }
    return rc;
}

int sent_each(struct store *s, size_t max, int (*fn)(void *ctx, const struct sent_row *r), void *ctx,
              struct err *e)
{
    uint64_t next = 0;
    struct buf hold;
    int rc = next_load(s, &next, e);
    buf_init(&hold, ROW_BYTES_MAX);
    for (size_t i = 0; rc == 0 && i < max && i < SENT_ROWS_MAX && next > i + 1; i++) {
        struct sent_row r;
        rc = row_get(s, next - 1 - i, &r, &hold, NULL);
        rc = rc == ERR_NOTFOUND ? 0
             : rc != 0          ? err_set(e, rc, "reading the log of what was sent")
                                : fn(ctx, &r);
    }
    buf_release(&hold);
    return rc;
}
