/* Observed-remove sets: an addition is a dot (the hash of its op) on an element; a removal lists the dots it
 * saw. An element is in the set while one of its dots has not been removed, so an addition that a removal did
 * not know of wins. Dots only come, and only turn from added to removed: two unions. A removal that comes
 * first leaves its dots marked, and the additions find them so. */
#include "store/entity_int.h"

#include "base/check.h"
#include "store/op_int.h"

#include <string.h>

/* A dot that is looked for; element borrowed. */
struct dot_key {
    uint32_t tag;
    struct bytes element;
    const uint8_t *hash; /* NULL: before all dots of the element */
};

static const struct dot *dot_at(const struct entity *x, size_t i)
{
    return rows_at(&x->dots, i);
}

static struct bytes element_at(const struct entity *x, size_t i)
{
    return span_view(&x->keys, dot_at(x, i)->element);
}

static int dot_order(const struct entity *x, const void *row, const void *key)
{
    const struct dot *d = row;
    const struct dot_key *k = key;
    int order;
    if (d->tag != k->tag)
        return d->tag < k->tag ? -1 : 1;
    order = bytes_cmp(span_view(&x->keys, d->element), k->element);
    if (order != 0)
        return order;
    return k->hash ? memcmp(d->hash, k->hash, sizeof d->hash) : 1;
}

static bool is_of(const struct entity *x, size_t i, uint32_t tag, struct bytes element)
{
    return i < x->dots.n && dot_at(x, i)->tag == tag && bytes_eq(element_at(x, i), element);
}

/* The place of an element's bytes: that of a neighbouring dot of it, or a new one. */
static int place_element(struct entity *x, const struct dot_key *key, size_t at, struct span *out)
{
    if (at > 0 && is_of(x, at - 1, key->tag, key->element)) {
        *out = dot_at(x, at - 1)->element;
        return 0;
    }
    if (is_of(x, at, key->tag, key->element)) {
        *out = dot_at(x, at)->element;
        return 0;
    }
    return span_put(&x->keys, key->element, out);
}

static int put_dot(struct entity *x, const struct dot_key *key, bool removed)
{
    struct dot row = {.tag = key->tag, .removed = removed};
    bool hit;
    size_t at = rows_find(x, &x->dots, key, dot_order, &hit);
    int rc;
    if (hit) {
        struct dot *known = rows_at(&x->dots, at);
        known->removed |= removed;
        return 0;
    }
    rc = place_element(x, key, at, &row.element);
    memcpy(row.hash, key->hash, sizeof row.hash);
    return rc ? rc : rows_insert(&x->dots, at, &row);
}

int set_add(struct entity *x, uint32_t tag, struct bytes element, const uint8_t dot[16])
{
    return put_dot(x, &(struct dot_key){tag, element, dot}, false);
}

int set_remove(struct entity *x, uint32_t tag, const struct set_remove *r)
{
    int rc = 0;
    for (size_t i = 0; i < r->n_dots && !rc; i++)
        rc = put_dot(x, &(struct dot_key){tag, r->element, r->dots[i]}, true);
    return rc;
}

size_t set_element_end(const struct entity *x, size_t i)
{
    uint32_t tag = dot_at(x, i)->tag;
    struct bytes element = element_at(x, i);
    while (is_of(x, i, tag, element))
        i++;
    return i;
}

bool set_is_ordered(const struct entity *x, size_t i)
{
    const struct dot *d = dot_at(x, i);
    struct dot_key key = {d->tag, element_at(x, i), d->hash};
    if (action_kind(d->tag) != ACTION_ADD || key.element.n == 0)
        return false;
    return i == 0 || dot_order(x, dot_at(x, i - 1), &key) < 0;
}

bool entity_set_next(const struct entity *x, enum op_tag tag, size_t *at, struct bytes *element)
{
    struct dot_key first = {tag, BYTES_NONE, NULL};
    bool hit;
    if (*at == 0)
        *at = rows_find(x, &x->dots, &first, dot_order, &hit);
    while (*at < x->dots.n && dot_at(x, *at)->tag == tag) {
        size_t from = *at;
        bool live = false;
        *at = set_element_end(x, from);
        for (size_t i = from; i < *at; i++)
            live |= !dot_at(x, i)->removed;
        if (!live)
            continue;
        *element = element_at(x, from);
        return true;
    }
    return false;
}

size_t entity_set_count(const struct entity *x, enum op_tag tag)
{
    struct bytes element;
    size_t n = 0;
    for (size_t at = 0; entity_set_next(x, tag, &at, &element);)
        n++;
    return n;
}

struct bytes entity_set_at(const struct entity *x, enum op_tag tag, size_t i)
{
    struct bytes element = BYTES_NONE;
    for (size_t at = 0; entity_set_next(x, tag, &at, &element);) {
        if (i-- == 0)
            return element;
    }
    return BYTES_NONE;
}

size_t entity_set_dots(const struct entity *x, enum op_tag tag, struct bytes element, uint8_t (*out)[16],
                       size_t max)
{
    struct dot_key first = {tag, element, NULL};
    bool hit;
    size_t n = 0;
    for (size_t i = rows_find(x, &x->dots, &first, dot_order, &hit); n < max && is_of(x, i, tag, element);
         i++) {
        if (!dot_at(x, i)->removed)
            memcpy(out[n++], dot_at(x, i)->hash, 16);
    }
    return n;
}
