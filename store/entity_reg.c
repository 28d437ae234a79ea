/* Registers: one value each, the highest write wins; the writes it never saw are kept beside it.
 *
 * For one register let W be all its writes and N all stamps that a write of class CONFIRM or EDIT named as
 * replaced.
 *
 *     winner    the highest of W by (class, hlc, log, hash), equal stamps by value
 *     open      if the winner is a user's (class >= CONFIRM): the other writes of its class that N does not
 * hold. They were made without the winner knowing of them, or the other way round siblings  of the highest
 * open writes (LIMIT_PRIOR_STAMPS, the winner counted), those whose value is not the winner's, one for each
 * value: what a person is shown as a conflict
 *
 * Names given by imports and by the model do not count: a conflict between two edits of the user is the
 * user's to settle. A winner that has been named stays the winner: by a write of lower class, which cannot
 * replace it, or of equal class and an earlier clock. Verdict and pin exist only as the user's: lower classes
 * do not write them. Tags from 131 on have no names (this build does not know what their payload holds),
 * hence no open writes either.
 *
 * What is kept of W is K = {winner} ∪ open, and nothing else. This is enough, and independent of the order of
 * arrival, because K(W ∪ {w}, N ∪ M) can be computed from K(W, N), N, w and M: a write outside K
 *   - of lower class than the winner stays outside, for the class of the winner never falls;
 *   - of the winner's class, but named, stays named, for N only grows, and can not become the winner, for the
 * winner only rises;
 *   - of a class below CONFIRM, but lower than the winner, is never open.
 * N itself is kept whole: a name may come before its write, or the write twice. So the state is a function of
 * the set of ops, not only what is shown of it, and the tests hold it to that. The cap on siblings is applied
 * when reading; dropping a write for good because others stand above it would make the outcome depend on when
 * their names come. */
#include "store/entity_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/op_int.h"

#include <string.h>

static bool has_names(uint32_t tag)
{
    return tag <= TAG_REG_LAST;
}

static bool is_users_alone(uint32_t tag)
{
    return tag == REG_VERDICT || tag == REG_PINNED;
}

static const struct write *write_at(const struct entity *x, size_t i)
{
    return rows_at(&x->writes, i);
}

static struct bytes value_at(const struct entity *x, size_t i)
{
    return span_view(&x->values, write_at(x, i)->value);
}

/* By tag, then from the highest write to the lowest. */
static int write_order(const struct entity *x, const void *row, const void *key)
{
    const struct write *w = row;
    const struct arrival *k = key;
    int order;
    if (w->tag != k->tag)
        return w->tag < k->tag ? -1 : 1;
    order = stamp_cmp(&k->stamp, &w->stamp);
    return order != 0 ? order : bytes_cmp(k->value, span_view(&x->values, w->value));
}

static int tag_order(const struct entity *x, const void *row, const void *key)
{
    uint32_t tag = ((const struct write *)row)->tag;
    uint32_t wanted = *(const uint32_t *)key;
    (void)x;
    return (tag > wanted) - (tag < wanted);
}

int name_order(const struct entity *x, const void *row, const void *key)
{
    const struct name *a = row;
    const struct name *b = key;
    (void)x;
    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    return memcmp(a->hash, b->hash, sizeof a->hash);
}

size_t reg_run(const struct entity *x, uint32_t tag, size_t *n)
{
    bool hit;
    size_t from = rows_find(x, &x->writes, &tag, tag_order, &hit);
    *n = 0;
    while (hit && from + *n < x->writes.n && write_at(x, from + *n)->tag == tag)
        ++*n;
    return from;
}

static bool is_named(const struct entity *x, uint32_t tag, const uint8_t hash[16])
{
    struct name key = {.tag = tag};
    bool hit;
    memcpy(key.hash, hash, sizeof key.hash);
    (void)rows_find(x, &x->names, &key, name_order, &hit);
    return hit;
}

static int add_names(struct entity *x, uint32_t tag, const uint8_t (*replaced)[16], size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        struct name name = {.tag = tag};
        bool hit;
        size_t at;
        memcpy(name.hash, replaced[i], sizeof name.hash);
        at = rows_find(x, &x->names, &name, name_order, &hit);
        if (!hit)
            rc = rows_insert(&x->names, at, &name);
    }
    return rc;
}

static void drop_write(struct entity *x, size_t i)
{
    x->dead += write_at(x, i)->value.n;
    rows_remove(&x->writes, i, 1);
}

/* Whether a write that does not win over `winner` is one to keep beside it. */
static bool is_open(const struct entity *x, const struct write *winner, uint32_t tag,
                    const struct stamp *stamp)
{
    return has_names(tag) && stamp->cls >= CLASS_CONFIRM && stamp->cls == winner->stamp.cls &&
           !is_named(x, tag, stamp->hash);
}

static int add_write(struct entity *x, const struct arrival *w)
{
    struct write row = {.tag = w->tag, .stamp = w->stamp};
    size_t n, from, at;
    bool hit;
    int rc;
    from = reg_run(x, w->tag, &n);
    at = rows_find(x, &x->writes, w, write_order, &hit);
    if (hit || (at > from && !is_open(x, write_at(x, from), w->tag, &w->stamp)))
        return 0;
    rc = span_put(&x->values, w->value, &row.value);
    return rc ? rc : rows_insert(&x->writes, at, &row);
}

/* Drops what the winner of a register no longer leaves open. */
static void prune(struct entity *x, uint32_t tag)
{
    size_t n;
    size_t from = reg_run(x, tag, &n);
    for (size_t i = from + n; i > from + 1; i--) {
        const struct write *w = write_at(x, i - 1);
        if (!is_open(x, write_at(x, from), tag, &w->stamp))
            drop_write(x, i - 1);
    }
}

int reg_apply(struct entity *x, const struct arrival *w, const uint8_t (*replaced)[16], size_t n_replaced)
{
    bool users = w->stamp.cls >= CLASS_CONFIRM;
    int rc = 0;
    if (is_users_alone(w->tag) && !users)
        return 0;
    if (users)
        rc = add_names(x, w->tag, replaced, n_replaced);
    if (!rc)
        rc = add_write(x, w);
    prune(x, w->tag);
    return rc;
}

/* Whether the i-th write of the run at `from` is in order and one that merging would have kept. */
static bool is_kept(const struct entity *x, size_t from, size_t i)
{
    const struct write *w = write_at(x, i);
    struct arrival key = {w->tag, w->stamp, value_at(x, i)};
    if (w->tag == 0 || w->stamp.cls > CLASS_EDIT)
        return false;
    if (i == from)
        return true;
    return write_order(x, write_at(x, i - 1), &key) < 0 && is_open(x, write_at(x, from), w->tag, &w->stamp);
}

bool reg_all_kept(const struct entity *x)
{
    size_t from = 0;
    for (size_t i = 0; i < x->writes.n; i++) {
        if (write_at(x, i)->tag < write_at(x, from)->tag)
            return false;
        if (write_at(x, i)->tag != write_at(x, from)->tag)
            from = i;
        if (!is_kept(x, from, i))
            return false;
    }
    return true;
}

bool reg_is_sibling(const struct entity *x, size_t from, size_t n, size_t i)
{
    if (i >= n || i >= LIMIT_PRIOR_STAMPS)
        return false;
    for (size_t higher = 0; higher < i; higher++) {
        if (bytes_eq(value_at(x, from + higher), value_at(x, from + i)))
            return false;
    }
    return i > 0;
}

static void give_write(const struct entity *x, size_t i, struct bytes *value, struct stamp *stamp)
{
    *value = value_at(x, i);
    *stamp = write_at(x, i)->stamp;
}

bool entity_reg(const struct entity *x, enum op_tag tag, struct bytes *value, struct stamp *stamp)
{
    size_t n;
    size_t from = reg_run(x, tag, &n);
    struct stamp unasked;
    if (n > 0)
        give_write(x, from, value, stamp ? stamp : &unasked);
    return n > 0;
}

uint8_t entity_reg_u8(const struct entity *x, enum op_tag tag, uint8_t otherwise)
{
    struct bytes value;
    return entity_reg(x, tag, &value, NULL) && value.n == 1 ? value.p[0] : otherwise;
}

size_t entity_siblings(const struct entity *x, enum op_tag tag)
{
    size_t n;
    size_t from = reg_run(x, tag, &n);
    size_t siblings = 0;
    for (size_t i = 1; i < n && i < LIMIT_PRIOR_STAMPS; i++)
        siblings += reg_is_sibling(x, from, n, i);
    return siblings;
}

bool entity_sibling(const struct entity *x, enum op_tag tag, size_t i, struct bytes *value,
                    struct stamp *stamp)
{
    size_t n;
    size_t from = reg_run(x, tag, &n);
    struct stamp unasked;
    for (size_t k = 1; k < n && k < LIMIT_PRIOR_STAMPS; k++) {
        if (!reg_is_sibling(x, from, n, k) || i-- > 0)
            continue;
        give_write(x, from + k, value, stamp ? stamp : &unasked);
        return true;
    }
    return false;
}

size_t entity_stamps(const struct entity *x, enum op_tag tag, uint8_t (*out)[16], size_t max)
{
    size_t n;
    size_t from = reg_run(x, tag, &n);
    size_t given = 0;
    for (; given < n && given < max && given < LIMIT_PRIOR_STAMPS; given++)
        memcpy(out[given], write_at(x, from + given)->stamp.hash, 16);
    return given;
}

/* What is written along with a claim, not chosen: two devices that said the same at different times do not
 * disagree. */
static bool is_circumstance(uint32_t tag)
{
    return tag == REG_KIND || tag == REG_ORIGIN || tag == REG_CREATED || tag == REG_LIFE;
}

size_t entity_conflicts(const struct entity *x, uint64_t *tags, size_t max)
{
    size_t found = 0;
    size_t n;
    for (size_t from = 0; from < x->writes.n && found < max; from += n) {
        uint32_t tag = write_at(x, from)->tag;
        (void)reg_run(x, tag, &n);
        if (!is_circumstance(tag) && entity_siblings(x, tag) > 0)
            tags[found++] = tag;
    }
    return found;
}
