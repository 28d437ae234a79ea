/* The set of records, what each has seen, and what follows from that alone: one order, which removals count,
 * which records are void. Invariants:
 *   1. the set is closed: what a record names is in the set, before it;
 *   2. `order` ascends by (depth, not a removal, hash): causes come before what names them, and adding a
 *      record never changes the order of the others.
 *
 * Removals are decided one after the other, by how early their author was added, then depth, then hash. One
 * is void when its author was removed by one decided before that has not seen it, or has no standing: no
 * adding of the author, among what it has seen, is left that is not void. So of two devices that remove one
 * another the earlier added stays, and any other removal counts, even if its author is removed at the same
 * time.
 */
#include "sync/group_int.h"

#include <stdlib.h>
#include <string.h>

static bool bit_has(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static size_t words(uint32_t n)
{
    return ((size_t)n + 63) / 64;
}

/* ---- the set */

int records_init(struct record_set *s)
{
    memset(s, 0, sizeof *s);
    s->by_hash = map_new();
    return s->by_hash ? 0 : ERR_NOMEM;
}

void records_release(struct record_set *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        record_free(s->r[i]);
    free(s->r);
    free(s->order);
    map_free(s->by_hash);
    memset(s, 0, sizeof *s);
}

void record_free(struct record *r)
{
    if (!r)
        return;
    free(r->owned);
    free(r->past);
    free(r);
}

uint32_t records_find(const struct record_set *s, const struct hash *hash)
{
    if (!s->by_hash) /* reading it failed: a set of nothing */
        return NOWHERE;
    const struct map_slot *slot = map_find(s->by_hash, bytes_of(hash->b, HASH_BYTES));
    return slot ? (uint32_t)slot->v.num : NOWHERE;
}

bool records_saw(const struct record_set *s, uint32_t x, uint32_t y)
{
    return y < x && bit_has(s->r[x]->past, y);
}

static uint32_t cause_at(const struct record_set *s, const struct record *r, size_t i)
{
    struct hash h;
    memcpy(h.b, list_at(&r->head.causes, i), HASH_BYTES);
    return records_find(s, &h);
}

/* Depth and past from the causes; none of them may have seen another one. */
static int look_back(const struct record_set *s, struct record *r, struct err *e)
{
    for (size_t i = 0; i < r->head.causes.n; i++) {
        uint32_t c = cause_at(s, r, i);
        if (c == NOWHERE)
            return err_set(e, ERR_NOTFOUND, "membership record names one that is not here");
        const struct record *cause = s->r[c];
        for (size_t w = 0; w < words(c); w++)
            r->past[w] |= cause->past[w];
        r->depth = cause->depth >= r->depth ? cause->depth + 1 : r->depth;
    }
    for (size_t i = 0; i < r->head.causes.n; i++) {
        uint32_t c = cause_at(s, r, i);
        if (bit_has(r->past, c))
            return err_set(e, ERR_FORMAT, "membership record names what another one named has seen");
    }
    for (size_t i = 0; i < r->head.causes.n; i++) {
        uint32_t c = cause_at(s, r, i);
        r->past[c / 64] |= UINT64_C(1) << (c % 64);
    }
    return 0;
}

static int copy_in(struct record *r, struct bytes b, uint32_t before, struct err *e)
{
    r->owned = malloc(b.n > 0 ? b.n : 1);
    r->past = calloc(words(before) + 1, sizeof *r->past);
    if (r->owned && b.n > 0)
        memcpy(r->owned, b.p, b.n);
    r->bytes = bytes_of(r->owned, b.n);
    return r->owned && r->past ? 0 : err_set(e, ERR_NOMEM, "taking a membership record");
}

static int fill(const struct record_set *s, struct record *r, struct bytes b, struct err *e)
{
    int rc = copy_in(r, b, s->n, e);
    if (!rc)
        rc = record_decode(r->bytes, &r->head, &r->body, e);
    if (!rc)
        rc = look_back(s, r, e);
    if (!rc && r->body.cert.n > 0) {
        rc = device_cert_open(r->body.cert, &r->cert, e);
        r->body.device = r->cert.device;
    }
    record_hash(r->bytes, &r->hash);
    return rc;
}

int records_make(const struct record_set *s, struct bytes b, struct record **out, struct err *e)
{
    *out = NULL;
    if (b.n > MEMBER_RECORD_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "membership record of %zu bytes", b.n);
    struct record *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "taking a membership record");
    int rc = fill(s, r, b, e);
    if (rc)
        record_free(r);
    else
        *out = r;
    return rc;
}

static bool removes(const struct record *r)
{
    return r->head.kind == MEMBER_REMOVE;
}

static int order_cmp(const struct record *a, const struct record *b)
{
    if (a->depth != b->depth)
        return a->depth < b->depth ? -1 : 1;
    if (removes(a) != removes(b))
        return removes(a) ? -1 : 1;
    return memcmp(a->hash.b, b->hash.b, HASH_BYTES);
}

static int grow(struct record_set *s)
{
    if (s->n < s->cap)
        return 0;
    uint32_t cap = s->cap ? s->cap * 2 : 64;
    struct record **r = realloc(s->r, cap * sizeof(void *));
    if (!r)
        return ERR_NOMEM;
    s->r = r;
    uint32_t *order = realloc(s->order, cap * sizeof *order);
    if (!order)
        return ERR_NOMEM;
    s->order = order;
    s->cap = cap;
    return 0;
}

int records_add(struct record_set *s, struct record *r)
{
    if (!s->by_hash || grow(s))
        return ERR_NOMEM;
    struct map_slot *slot = map_add(s->by_hash, bytes_of(r->hash.b, HASH_BYTES), NULL);
    if (!slot)
        return ERR_NOMEM;
    slot->v.num = s->n;
    uint32_t at = s->n;
    while (at > 0 && order_cmp(r, s->r[s->order[at - 1]]) < 0) {
        s->order[at] = s->order[at - 1];
        at--;
    }
    s->order[at] = s->n;
    for (size_t i = 0; i < r->head.causes.n; i++)
        s->r[cause_at(s, r, i)]->named = true;
    s->r[s->n++] = r;
    return 0;
}

/* ---- verdicts */

bool verdicts_in(const struct verdicts *v, uint32_t x)
{
    return !v->past || bit_has(v->past, x);
}

/* Whether a removal of x's author counts that has not seen x. */
static bool is_hit(const struct verdicts *v, uint32_t x)
{
    uint32_t hit = v->hits[v->author[x]];
    while (hit != NOWHERE && (hit == x || records_saw(v->set, hit, x)))
        hit = v->next[hit];
    return hit != NOWHERE;
}

static bool has_standing(const struct verdicts *v, uint32_t x)
{
    uint32_t add = v->adds[v->author[x]];
    while (add != NOWHERE && (!records_saw(v->set, x, add) || v->is_void[add]))
        add = v->next[add];
    return add != NOWHERE;
}

bool verdicts_void(const struct verdicts *v, uint32_t x)
{
    return v->author[x] == NOWHERE || is_hit(v, x) ||
           (v->set->r[x]->head.kind != MEMBER_GENESIS && !has_standing(v, x));
}

/* In order, so that what an adding rests on is known before it. */
static void judge_adds(struct verdicts *v)
{
    for (size_t i = 0; i < v->n_adds; i++)
        v->is_void[v->in_order[i]] = verdicts_void(v, v->in_order[i]);
}

bool verdicts_counts(const struct verdicts *v, uint32_t removal)
{
    return v->counted[removal];
}

void verdicts_release(struct verdicts *v)
{
    free(v->author);
    free(v->subject);
    free(v->next);
    free(v->adds);
    free(v->hits);
    free(v->in_order);
    free(v->is_void);
    free(v->counted);
    memset(v, 0, sizeof *v);
}

static uint32_t *numbers(uint32_t n, uint32_t value)
{
    uint32_t *p = malloc(((size_t)n + 1) * sizeof *p);
    for (uint32_t i = 0; p && i < n; i++)
        p[i] = value;
    return p;
}

static int verdicts_init(struct verdicts *v, const struct record_set *s, uint32_t n_devices)
{
    v->author = numbers(s->n, NOWHERE);
    v->subject = numbers(s->n, NOWHERE);
    v->next = numbers(s->n, NOWHERE);
    v->in_order = numbers(s->n, NOWHERE);
    v->adds = numbers(n_devices, NOWHERE);
    v->hits = numbers(n_devices, NOWHERE);
    v->is_void = calloc((size_t)s->n + 1, 1);
    v->counted = calloc((size_t)s->n + 1, 1);
    bool whole = v->author && v->subject && v->next && v->in_order && v->adds && v->hits;
    return whole && v->is_void && v->counted ? 0 : ERR_NOMEM;
}

/* Names each record's author and subject, and lists the addings of each device. */
static void read_parts(struct verdicts *v, const struct state *st)
{
    const struct record_set *s = v->set;
    for (uint32_t i = s->n; i-- > 0;) {
        uint32_t x = s->order[i];
        const struct record *r = s->r[x];
        bool adds = r->head.kind == MEMBER_GENESIS || r->head.kind == MEMBER_ADD;
        if (!verdicts_in(v, x))
            continue;
        v->author[x] = state_device(st, &r->head.author);
        v->subject[x] = adds || removes(r) ? state_device(st, &r->body.device) : NOWHERE;
        if (adds && v->subject[x] != NOWHERE) {
            v->next[x] = v->adds[v->subject[x]];
            v->adds[v->subject[x]] = x;
        }
    }
}

struct removal {
    uint32_t author, place, record;
};

static int removal_cmp(const void *a, const void *b)
{
    const struct removal *x = a, *y = b;
    if (x->author != y->author)
        return x->author < y->author ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void decide(struct verdicts *v, const struct removal *m)
{
    uint32_t target = v->subject[m->record];
    if (target == NOWHERE || verdicts_void(v, m->record))
        return;
    v->next[m->record] = v->hits[target];
    v->hits[target] = m->record;
    v->counted[m->record] = 1;
    judge_adds(v);
}

/* Devices are numbered in the order of their adding: a lower number is the earlier one. */
static int decide_all(struct verdicts *v)
{
    const struct record_set *s = v->set;
    struct removal *m = malloc(((size_t)s->n + 1) * sizeof *m);
    size_t n = 0;
    if (!m)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t x = s->order[i];
        if (!verdicts_in(v, x))
            continue;
        if (removes(s->r[x]))
            m[n++] = (struct removal){v->author[x], i, x};
        else if (v->subject[x] != NOWHERE)
            v->in_order[v->n_adds++] = x;
    }
    judge_adds(v);
    qsort(m, n, sizeof *m, removal_cmp);
    for (size_t i = 0; i < n; i++)
        decide(v, &m[i]);
    free(m);
    return 0;
}

int verdicts_make(struct verdicts *v, const struct record_set *s, const uint64_t *past,
                  const struct state *st)
{
    *v = (struct verdicts){.set = s, .past = past};
    int rc = verdicts_init(v, s, st->n_devices);
    if (!rc) {
        read_parts(v, st);
        rc = decide_all(v);
    }
    if (rc)
        verdicts_release(v);
    return rc;
}
