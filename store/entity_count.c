/* Counters of evidence: what a device has counted of a source, as whole numbers. The latest by (hlc, log,
 * hash) of a (device, source) replaces the earlier ones, so a device that counts again after a restore, in a
 * new log, replaces its old count instead of adding to it. Equal stamps, which no honest
 * writer makes, are told apart by content, so that the order stays total. */
#include "store/entity_int.h"

#include "base/check.h"

static const struct tally *tally_at(const struct entity *x, size_t i)
{
    return rows_at(&x->tallies, i);
}

static int tally_order(const struct entity *x, const void *row, const void *key)
{
    const struct tally *t = row;
    const struct count *c = key;
    int order = id_cmp(&t->device, &c->device);
    return order != 0 ? order : bytes_cmp(span_view(&x->keys, t->source), c->source);
}

static int order_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static bool is_later(const struct tally *a, const struct tally *b)
{
    int order = stamp_cmp(&a->stamp, &b->stamp);
    if (order == 0)
        order = order_u64(a->support, b->support);
    if (order == 0)
        order = order_u64(a->against, b->against);
    if (order == 0)
        order = order_i64(a->first_ms, b->first_ms);
    if (order == 0)
        order = order_i64(a->last_ms, b->last_ms);
    return order > 0;
}

int count_apply(struct entity *x, const struct stamp *stamp, const struct count *c)
{
    struct tally row = {.stamp = *stamp,
                        .device = c->device,
                        .support = c->support,
                        .against = c->against,
                        .first_ms = c->first_ms,
                        .last_ms = c->last_ms};
    bool hit;
    size_t at = rows_find(x, &x->tallies, c, tally_order, &hit);
    int rc;
    row.stamp.cls = 0;
    if (!hit) {
        rc = span_put(&x->keys, c->source, &row.source);
        return rc ? rc : rows_insert(&x->tallies, at, &row);
    }
    row.source = tally_at(x, at)->source;
    if (is_later(&row, tally_at(x, at)))
        *(struct tally *)rows_at(&x->tallies, at) = row;
    return 0;
}

bool count_is_ordered(const struct entity *x, size_t i)
{
    struct count key;
    return entity_count_at(x, i, &key) && (i == 0 || tally_order(x, tally_at(x, i - 1), &key) < 0);
}

size_t entity_count_n(const struct entity *x)
{
    return x->tallies.n;
}

bool entity_count_at(const struct entity *x, size_t i, struct count *out)
{
    const struct tally *t;
    if (i >= x->tallies.n)
        return false;
    t = tally_at(x, i);
    *out = (struct count){.device = t->device,
                          .source = span_view(&x->keys, t->source),
                          .support = t->support,
                          .against = t->against,
                          .first_ms = t->first_ms,
                          .last_ms = t->last_ms};
    return true;
}
