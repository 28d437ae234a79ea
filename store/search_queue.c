/* Texts of propositions on their way into the index. FTS5 writes out what it holds in memory as a segment of
 * its own whenever a row comes that is not above the last one, and before every statement that may be undone
 * by itself; merging the segments again costs far more than the words did. So texts wait here until the
 * transaction ends and go in by ascending row. One that changed twice goes once, one that came and went not
 * at all. What a search inside of the transaction needs goes in before it.
 */
#include "store/search_int.h"

#include "base/limits.h"
#include "store/vectors.h"

#include <stdlib.h>
#include <string.h>

/* More is handed over before the end: bounds the memory of a bulk. */
#define WAITING_MAX 8192u
#define WAITING_BYTES (1u << 20)
#define WAITING_KEPT 16384u /* of memory for the next transaction */
/* A text that has no room beside others still fits alone, with the one that it replaces. */
_Static_assert(WAITING_BYTES >= 2 * LIMIT_TEXT_BYTES, "one change fits");

struct text_at {
    bool is;
    uint32_t at, n; /* in the texts of the queue */
};

struct waiting {
    int64_t row;
    uint32_t order;
    struct text_at before, after; /* in the index, and what is to be there */
};

void search_queue_init(struct search_queue *q)
{
    buf_init(&q->changes, WAITING_MAX * sizeof(struct waiting));
    buf_init(&q->texts, WAITING_BYTES);
}

void search_queue_drop(struct search_queue *q)
{
    buf_release(&q->changes);
    buf_release(&q->texts);
}

static void empty(struct buf *b)
{
    if (b->n > WAITING_KEPT)
        buf_release(b);
    else
        buf_clear(b);
}

void search_forget(struct store *s)
{
    empty(&search_of(s)->queue.changes);
    empty(&search_of(s)->queue.texts);
}

static struct text_at put_text(struct buf *texts, struct bytes text)
{
    struct text_at t = {text.p != NULL, (uint32_t)texts->n, (uint32_t)text.n};
    (void)buf_bytes(texts, text); /* its error stays in it */
    return t;
}

int search_prop_changed(struct store *s, int64_t row, struct bytes old_text, struct bytes new_text,
                        struct err *e)
{
    struct search_queue *q = &search_of(s)->queue;
    size_t n = q->changes.n / sizeof(struct waiting);
    int rc = 0;
    vectors_prop_changed(s, row);
    if (n == WAITING_MAX || old_text.n + new_text.n > WAITING_BYTES - q->texts.n)
        rc = search_flush(s, e);
    if (rc != 0)
        return rc;
    struct waiting w = {.row = row, .order = (uint32_t)(q->changes.n / sizeof w)};
    w.before = put_text(&q->texts, old_text);
    w.after = put_text(&q->texts, new_text);
    rc = q->texts.err != 0 ? q->texts.err : buf_append(&q->changes, &w, sizeof w);
    return rc != 0 ? err_set(e, rc, "indexing a text") : 0;
}

/* ---- handing over */

static int by_row(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static struct bytes text_of(const struct search_queue *q, struct text_at t)
{
    return bytes_slice(buf_view(&q->texts), t.at, t.n);
}

static int index_run(struct store *s, const char *sql, int64_t row, struct bytes text, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row);
    db_bind_text(q, 2, text);
    return db_run(q, e);
}

static int hand_over(struct store *s, const struct waiting *w, struct err *e)
{
    const struct search_queue *q = &search_of(s)->queue;
    struct bytes before = text_of(q, w->before), after = text_of(q, w->after);
    int rc = 0;
    if (w->before.is && w->after.is && bytes_eq(before, after))
        return 0;
    if (w->before.is)
        rc = index_run(s, "INSERT INTO prop_fts(prop_fts,rowid,text) VALUES('delete',?1,?2)", w->row, before,
                       e);
    if (rc == 0 && w->after.is)
        rc = index_run(s, "INSERT INTO prop_fts(rowid,text) VALUES(?1,?2)", w->row, after, e);
    return rc;
}

int search_flush(struct store *s, struct err *e)
{
    struct search_queue *q = &search_of(s)->queue;
    struct waiting *all = (struct waiting *)(void *)q->changes.p; /* from malloc, whole elements alone */
    size_t n = q->changes.n / sizeof *all;
    int rc = 0;
    if (n > 1)
        qsort(all, n, sizeof *all, by_row);
    for (size_t i = 0, next; rc == 0 && i < n; i = next) {
        struct waiting w = all[i];
        for (next = i + 1; next < n && all[next].row == w.row; next++)
            w.after = all[next].after;
        rc = hand_over(s, &w, e);
    }
    search_forget(s);
    db_poison(s, rc);
    return rc;
}
