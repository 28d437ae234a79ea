/* The local value "think:again": the first row and the steps between them, as varints. */
#include "node/infer/again.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN "think:again"
#define VALUE_MAX 65536u

void again_init(struct buf *rows)
{
    buf_init(rows, (size_t)64 << 20);
}

int again_load(struct store *s, struct buf *rows, struct err *e)
{
    struct buf v;
    struct rd r;
    bool found = false;
    uint64_t row = 0;
    buf_init(&v, VALUE_MAX);
    int rc = local_get(s, AGAIN, &v, &found, e);
    rd_init(&r, buf_view(&v));
    while (rc == 0 && found && rd_left(&r) > 0 && r.err == 0) {
        row += rd_varint(&r);
        const int64_t one = (int64_t)(row & INT64_MAX);
        if (r.err == 0)
            rc = buf_append(rows, &one, sizeof one);
    }
    if (rc == 0 && found && rd_end(&r) != 0)
        rc = err_set(e, ERR_CORRUPT, "the list of what waits for the model is damaged");
    buf_release(&v);
    return rc;
}

static int row_order(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

int again_save(struct store *s, struct buf *rows, struct err *e)
{
    struct buf v;
    int64_t *list = (int64_t *)(void *)rows->p, before = 0;
    size_t n = rows->n / sizeof *list;
    buf_init(&v, VALUE_MAX);
    if (n > 0)
        qsort(list, n, sizeof *list, row_order);
    for (size_t i = n > AGAIN_ROWS_MAX ? n - AGAIN_ROWS_MAX : 0; i < n; i++) {
        if (list[i] > before)
            wr_varint(&v, (uint64_t)(list[i] - before));
        before = list[i] > before ? list[i] : before;
    }
    int rc = rows->err != 0 ? rows->err : v.err;
    rc = rc != 0 ? err_set(e, rc, "keeping what waits for the model") : local_set(s, AGAIN, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

int again_add(struct store *s, const struct buf *rows, struct err *e)
{
    struct buf all;
    again_init(&all);
    int rc = rows->n > 0 ? again_load(s, &all, e) : 0;
    (void)buf_bytes(&all, buf_view(rows));
    rc = rc == 0 && rows->n > 0 ? again_save(s, &all, e) : rc;
    buf_release(&all);
    return rc;
}

int again_cut(struct store *s, int64_t row, struct err *e)
{
    struct buf all;
    again_init(&all);
    int rc = again_load(s, &all, e);
    size_t n = all.n / sizeof row;
    for (; rc == 0 && n > 0; n--) {
        int64_t last;
        memcpy(&last, all.p + (n - 1) * sizeof last, sizeof last);
        if (last < row)
            break;
    }
    if (rc == 0 && n < all.n / sizeof row) {
        all.n = n * sizeof row;
        rc = again_save(s, &all, e);
    }
    buf_release(&all);
    return rc;
}
