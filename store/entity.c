/* An entity: its memory, and the way of an op into it. */
#include "store/entity_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/op_int.h"

#include <stdlib.h>
#include <string.h>

/* Upper bounds of what one row takes in the state, its arena bytes aside. */
#define WRITE_BYTES 64u
#define NAME_BYTES 24u
#define DOT_BYTES 32u
#define TALLY_BYTES 112u

#define ARENA_BYTES_MAX ((size_t)LIMIT_ENTITY_BYTES * 2)
#define ROWS_FIRST 16u
#define SQUEEZE_BYTES 65536u

struct entity *entity_new(void)
{
    struct entity *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->writes.size = sizeof(struct write);
    x->names.size = sizeof(struct name);
    x->dots.size = sizeof(struct dot);
    x->tallies.size = sizeof(struct tally);
    buf_init(&x->values, ARENA_BYTES_MAX);
    buf_init(&x->keys, ARENA_BYTES_MAX);
    return x;
}

void entity_free(struct entity *x)
{
    if (!x)
        return;
    free(x->writes.p);
    free(x->names.p);
    free(x->dots.p);
    free(x->tallies.p);
    buf_release(&x->values);
    buf_release(&x->keys);
    free(x);
}

void entity_clear(struct entity *x)
{
    x->forgotten = false;
    x->writes.n = x->names.n = x->dots.n = x->tallies.n = 0;
    x->dead = 0;
    buf_clear(&x->values);
    buf_clear(&x->keys);
}

void *rows_at(const struct rows *r, size_t i)
{
    CHECK(i < r->n);
    return r->p + i * r->size;
}

int rows_insert(struct rows *r, size_t i, const void *row)
{
    CHECK(i <= r->n);
    if (r->n == r->cap) {
        size_t cap = r->cap > 0 ? r->cap * 2 : ROWS_FIRST;
        uint8_t *p = realloc(r->p, cap * r->size);
        if (!p)
            return ERR_NOMEM;
        r->p = p;
        r->cap = cap;
    }
    memmove(r->p + (i + 1) * r->size, r->p + i * r->size, (r->n - i) * r->size);
    memcpy(r->p + i * r->size, row, r->size);
    r->n++;
    return 0;
}

void rows_remove(struct rows *r, size_t i, size_t n)
{
    CHECK(n <= r->n && i <= r->n - n);
    if (n == 0)
        return;
    memmove(r->p + i * r->size, r->p + (i + n) * r->size, (r->n - i - n) * r->size);
    r->n -= n;
}

size_t rows_find(const struct entity *x, const struct rows *r, const void *key,
                 int (*cmp)(const struct entity *x, const void *row, const void *key), bool *hit)
{
    size_t lo = 0;
    size_t hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp(x, rows_at(r, mid), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *hit = lo < r->n && cmp(x, rows_at(r, lo), key) == 0;
    return lo;
}

int span_put(struct buf *arena, struct bytes b, struct span *out)
{
    *out = (struct span){(uint32_t)arena->n, (uint32_t)b.n};
    return buf_bytes(arena, b);
}

/* Rewrites the arena of values without the replaced ones, once they are most of a large arena. */
static int squeeze_values(struct entity *x)
{
    struct buf old = x->values;
    int rc = 0;
    if (x->dead < SQUEEZE_BYTES || x->dead < old.n / 2)
        return 0;
    buf_init(&x->values, old.max);
    for (size_t i = 0; i < x->writes.n && !rc; i++) {
        struct write *w = rows_at(&x->writes, i);
        rc = span_put(&x->values, span_view(&old, w->value), &w->value);
    }
    x->dead = 0;
    buf_release(&old);
    return rc;
}

static bool is_too_large(const struct entity *x)
{
    size_t held = x->values.n - x->dead + x->keys.n;
    held += x->writes.n * WRITE_BYTES + x->names.n * NAME_BYTES;
    held += x->dots.n * DOT_BYTES + x->tallies.n * TALLY_BYTES;
    return held > LIMIT_ENTITY_BYTES;
}

static int apply_reg(struct entity *x, const struct action *a, const struct stamp *stamp)
{
    struct reg_write w = {.value = a->payload};
    if (action_kind(a->tag) == ACTION_REG)
        action_reg(a, &w);
    return reg_apply(x, &(struct arrival){(uint32_t)a->tag, *stamp, w.value}, w.replaced, w.n_replaced);
}

static int apply_remove(struct entity *x, const struct action *a)
{
    struct set_remove r;
    action_remove(a, &r);
    return set_remove(x, (uint32_t)a->tag - TAG_REMOVE_SHIFT, &r);
}

static int apply_count(struct entity *x, const struct action *a, const struct stamp *stamp)
{
    struct count c;
    action_count(a, &c);
    return count_apply(x, stamp, &c);
}

static int pass_seen(const struct action *a, const struct seen_sink *sink)
{
    struct seen s;
    int rc = 0;
    for (size_t at = 0; sink && !rc && action_seen(a, &at, &s);)
        rc = sink->fn(sink->ctx, &s);
    return rc;
}

static int apply_action(struct entity *x, const struct action *a, const struct stamp *stamp,
                        const struct seen_sink *seen)
{
    switch (action_kind(a->tag)) {
    case ACTION_REG:
    case ACTION_OTHER:
        return apply_reg(x, a, stamp);
    case ACTION_ADD:
        return set_add(x, (uint32_t)a->tag, a->payload, stamp->hash);
    case ACTION_REMOVE:
        return apply_remove(x, a);
    case ACTION_COUNT:
        return apply_count(x, a, stamp);
    case ACTION_SEEN:
        return pass_seen(a, seen);
    case ACTION_FORGET:
        entity_clear(x);
        x->forgotten = true;
        return 0;
    }
    return ERR_FORMAT;
}

int entity_apply(struct entity *x, const struct op *op, const struct id *log, const struct hash *hash,
                 const struct seen_sink *seen)
{
    struct stamp stamp = {.cls = op->cls, .hlc = op->hlc, .log = *log};
    struct action a;
    int rc = 0;
    memcpy(stamp.hash, hash->b, sizeof stamp.hash);
    for (size_t at = 0; !rc && !x->forgotten && op_action(op, &at, &a);)
        rc = apply_action(x, &a, &stamp, seen);
    if (!rc)
        rc = squeeze_values(x);
    return rc ? rc : (is_too_large(x) ? ERR_LIMIT : 0);
}

bool entity_forgotten(const struct entity *x)
{
    return x->forgotten;
}

enum op_class entity_class(const struct entity *x)
{
    uint8_t cls = CLASS_IMPORT;
    for (size_t i = 0; i < x->writes.n; i++) {
        const struct write *w = rows_at(&x->writes, i);
        if (w->stamp.cls > cls)
            cls = w->stamp.cls;
    }
    return (enum op_class)cls;
}

bool entity_dropped(const struct entity *x)
{
    return entity_class(x) < CLASS_CONFIRM && entity_reg_u8(x, REG_LIFE, 1) == 0;
}
