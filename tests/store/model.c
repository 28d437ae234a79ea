#include "tests/store/model.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* One action of one op. */
struct fact {
    struct model_key key;
    struct stamp stamp;
    uint64_t tag;
    struct bytes payload; /* in `op` */
    uint8_t *op;          /* owned by the first fact of its op, else NULL */
};

struct model {
    struct fact *facts;
    size_t n, cap;
};

static void *take_memory(void *p, size_t n)
{
    p = realloc(p, n > 0 ? n : 1);
    CHECK(p);
    return p;
}

struct model *model_new(void)
{
    struct model *m = take_memory(NULL, sizeof *m);
    *m = (struct model){0};
    return m;
}

void model_free(struct model *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->facts[i].op);
    free(m->facts);
    free(m);
}

static void add_fact(struct model *m, const struct fact *f)
{
    if (m->n == m->cap) {
        m->cap = m->cap * 2 + 16;
        m->facts = take_memory(m->facts, m->cap * sizeof *m->facts);
    }
    m->facts[m->n++] = *f;
}

void model_add(struct model *m, const struct id *log, const struct hash *hash, struct bytes op_bytes)
{
    uint8_t *copy = take_memory(NULL, op_bytes.n);
    struct fact f = {.op = copy};
    struct op op;
    struct action a;
    memcpy(copy, op_bytes.p, op_bytes.n);
    CHECK(op_decode(bytes_of(copy, op_bytes.n), &op, NULL) == 0);
    f.key = (struct model_key){op.space, op.id};
    f.stamp = (struct stamp){.cls = op.cls, .hlc = op.hlc, .log = *log};
    memcpy(f.stamp.hash, hash->b, 16);
    for (size_t at = 0; op_action(&op, &at, &a);) {
        f.tag = a.tag;
        f.payload = a.payload;
        add_fact(m, &f);
        f.op = NULL;
    }
}

static int key_order(const void *pa, const void *pb)
{
    const struct model_key *a = pa;
    const struct model_key *b = pb;
    if (a->space != b->space)
        return a->space < b->space ? -1 : 1;
    return id_cmp(&a->id, &b->id);
}

/* The facts of one entity, as pointers. */
struct view {
    const struct fact **f;
    size_t n;
};

static struct view view_of(const struct model *m, uint8_t space, const struct id *id)
{
    struct view v = {.f = take_memory(NULL, m->n * sizeof(void *))};
    struct model_key key = {space, *id};
    for (size_t i = 0; i < m->n; i++) {
        if (key_order(&m->facts[i].key, &key) == 0)
            v.f[v.n++] = &m->facts[i];
    }
    return v;
}

static bool has_forget(const struct view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->f[i]->tag == 130)
            return true;
    }
    return false;
}

/* ---- registers */

static bool is_named_register(uint64_t tag)
{
    return tag < 64;
}

/* A write that counts: of any register, but verdict and pin only from a user. */
static bool is_write(const struct fact *f)
{
    if (f->tag >= 64 && f->tag < 131)
        return false;
    return !((f->tag == 8 || f->tag == 9) && f->stamp.cls < 2);
}

static struct bytes value_of(const struct fact *f)
{
    size_t skip = is_named_register(f->tag) ? 1 + (size_t)f->payload.p[0] * 16 : 0;
    return bytes_slice(f->payload, skip, f->payload.n);
}

static bool names(const struct fact *f, const uint8_t hash[16])
{
    for (size_t i = 0; i < f->payload.p[0]; i++) {
        if (memcmp(f->payload.p + 1 + 16 * i, hash, 16) == 0)
            return true;
    }
    return false;
}

static bool is_named(const struct view *v, const struct fact *w)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->f[i]->tag == w->tag && v->f[i]->stamp.cls >= 2 && names(v->f[i], w->stamp.hash))
            return true;
    }
    return false;
}

static int compare_stamps(const struct stamp *a, const struct stamp *b)
{
    int order;
    if (a->cls != b->cls)
        return (int)a->cls - (int)b->cls;
    if (a->hlc != b->hlc)
        return a->hlc < b->hlc ? -1 : 1;
    order = memcmp(a->log.b, b->log.b, 16);
    return order ? order : memcmp(a->hash, b->hash, 16);
}

static int compare_writes(const struct fact *a, const struct fact *b)
{
    int order = compare_stamps(&a->stamp, &b->stamp);
    return order ? order : bytes_cmp(value_of(a), value_of(b));
}

static int falling(const void *a, const void *b)
{
    return compare_writes(*(const struct fact *const *)b, *(const struct fact *const *)a);
}

/* The distinct writes of one register, from the highest down. */
static struct view writes_of(const struct view *v, uint64_t tag)
{
    struct view all = {.f = take_memory(NULL, v->n * sizeof(void *))};
    size_t kept = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->f[i]->tag == tag && is_write(v->f[i]))
            all.f[all.n++] = v->f[i];
    }
    qsort(all.f, all.n, sizeof(void *), falling);
    for (size_t i = 0; i < all.n; i++) {
        if (kept == 0 || compare_writes(all.f[kept - 1], all.f[i]) != 0)
            all.f[kept++] = all.f[i];
    }
    all.n = kept;
    return all;
}

static bool is_open(const struct view *v, const struct fact *winner, const struct fact *w)
{
    return is_named_register(w->tag) && winner->stamp.cls >= 2 && w->stamp.cls == winner->stamp.cls &&
           !is_named(v, w);
}

/* Leaves the winner and its siblings of the writes of a register. */
static void reduce_to_siblings(const struct view *v, struct view *writes)
{
    size_t open = 1;
    size_t shown = 1;
    for (size_t i = 1; i < writes->n; i++) {
        if (is_open(v, writes->f[0], writes->f[i]))
            writes->f[open++] = writes->f[i];
    }
    if (open > LIMIT_PRIOR_STAMPS)
        open = LIMIT_PRIOR_STAMPS;
    for (size_t i = 1; i < open; i++) {
        bool repeats = false;
        for (size_t k = 0; k < shown; k++)
            repeats |= bytes_eq(value_of(writes->f[k]), value_of(writes->f[i]));
        if (!repeats)
            writes->f[shown++] = writes->f[i];
    }
    writes->n = shown;
}

/* The lowest tag above `after` that a write has; 0: none. */
static uint64_t next_tag(const struct view *v, uint64_t after)
{
    uint64_t best = 0;
    for (size_t i = 0; i < v->n; i++) {
        uint64_t tag = v->f[i]->tag;
        if (is_write(v->f[i]) && tag > after && (best == 0 || tag < best))
            best = tag;
    }
    return best;
}

static void dump_write(const struct fact *w, struct buf *out)
{
    wr_u8(out, w->stamp.cls);
    wr_u64(out, w->stamp.hlc);
    wr_bytes(out, bytes_of(w->stamp.log.b, 16));
    wr_bytes(out, bytes_of(w->stamp.hash, 16));
    wr_lenbytes(out, value_of(w));
}

static void dump_registers(const struct view *v, struct buf *out)
{
    size_t n = 0;
    for (uint64_t tag = next_tag(v, 0); tag; tag = next_tag(v, tag))
        n++;
    wr_varint(out, n);
    for (uint64_t tag = next_tag(v, 0); tag; tag = next_tag(v, tag)) {
        struct view writes = writes_of(v, tag);
        reduce_to_siblings(v, &writes);
        wr_varint(out, tag);
        dump_write(writes.f[0], out);
        wr_varint(out, writes.n - 1);
        for (size_t i = 1; i < writes.n; i++)
            dump_write(writes.f[i], out);
        free(writes.f);
    }
}

/* ---- sets */

static bool is_add(const struct fact *f)
{
    return f->tag >= 64 && f->tag < 96;
}

static bool removes(const struct fact *f, const struct fact *add)
{
    struct rd r;
    struct bytes element;
    uint64_t n;
    if (f->tag != add->tag + 32)
        return false;
    rd_init(&r, f->payload);
    element = rd_lenbytes(&r, SIZE_MAX);
    n = rd_varint(&r);
    for (uint64_t i = 0; i < n; i++) {
        if (bytes_eq(rd_bytes(&r, 16), bytes_of(add->stamp.hash, 16)) && bytes_eq(element, add->payload))
            return true;
    }
    return false;
}

static int add_order(const void *pa, const void *pb)
{
    const struct fact *a = *(const struct fact *const *)pa;
    const struct fact *b = *(const struct fact *const *)pb;
    int order;
    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    order = bytes_cmp(a->payload, b->payload);
    return order ? order : memcmp(a->stamp.hash, b->stamp.hash, 16);
}

/* The distinct additions that no removal saw, by tag, element and dot. */
static struct view live_adds(const struct view *v)
{
    struct view live = {.f = take_memory(NULL, v->n * sizeof(void *))};
    size_t kept = 0;
    for (size_t i = 0; i < v->n; i++) {
        bool removed = !is_add(v->f[i]);
        for (size_t k = 0; k < v->n && !removed; k++)
            removed = removes(v->f[k], v->f[i]);
        if (!removed)
            live.f[live.n++] = v->f[i];
    }
    qsort(live.f, live.n, sizeof(void *), add_order);
    for (size_t i = 0; i < live.n; i++) {
        if (kept == 0 || add_order(&live.f[kept - 1], &live.f[i]) != 0)
            live.f[kept++] = live.f[i];
    }
    live.n = kept;
    return live;
}

static bool same_element(const struct fact *a, const struct fact *b)
{
    return a->tag == b->tag && bytes_eq(a->payload, b->payload);
}

static size_t element_end(const struct view *live, size_t from)
{
    size_t end = from;
    while (end < live->n && same_element(live->f[from], live->f[end]))
        end++;
    return end;
}

static void dump_sets(const struct view *v, struct buf *out)
{
    struct view live = live_adds(v);
    size_t elements = 0;
    for (size_t i = 0; i < live.n; i = element_end(&live, i))
        elements++;
    wr_varint(out, elements);
    for (size_t i = 0, end; i < live.n; i = end) {
        end = element_end(&live, i);
        wr_varint(out, live.f[i]->tag);
        wr_lenbytes(out, live.f[i]->payload);
        wr_varint(out, end - i);
        for (size_t k = i; k < end; k++)
            wr_bytes(out, bytes_of(live.f[k]->stamp.hash, 16));
    }
    free(live.f);
}

/* ---- counters */

/* A counter split into what it is of and what it says, both as the bytes of the op. */
struct counter {
    const struct fact *f;
    struct bytes device, source;
    uint64_t support, against;
    int64_t first_ms, last_ms;
};

static struct counter counter_of(const struct fact *f)
{
    struct counter c = {.f = f};
    struct rd r;
    rd_init(&r, f->payload);
    c.device = rd_bytes(&r, 16);
    c.source = rd_lenbytes(&r, SIZE_MAX);
    c.support = rd_varint(&r);
    c.against = rd_varint(&r);
    c.first_ms = rd_svarint(&r);
    c.last_ms = rd_svarint(&r);
    return c;
}

static int place_order(const struct counter *a, const struct counter *b)
{
    int order = bytes_cmp(a->device, b->device);
    return order ? order : bytes_cmp(a->source, b->source);
}

static bool is_older(const struct counter *a, const struct counter *b)
{
    struct stamp sa = a->f->stamp;
    struct stamp sb = b->f->stamp;
    int order;
    sa.cls = sb.cls = 0;
    order = compare_stamps(&sa, &sb);
    if (order)
        return order < 0;
    if (a->support != b->support)
        return a->support < b->support;
    if (a->against != b->against)
        return a->against < b->against;
    if (a->first_ms != b->first_ms)
        return a->first_ms < b->first_ms;
    return a->last_ms < b->last_ms;
}

/* The latest counter of the lowest (device, source) above `after` (NULL: of all); false: none. */
static bool next_counter(const struct view *v, const struct counter *after, struct counter *out)
{
    bool found = false;
    for (size_t i = 0; i < v->n; i++) {
        struct counter c;
        int order = 0;
        if (v->f[i]->tag != 128)
            continue;
        c = counter_of(v->f[i]);
        if (after && place_order(&c, after) <= 0)
            continue;
        order = found ? place_order(&c, out) : -1;
        if (order < 0 || (order == 0 && is_older(out, &c)))
            *out = c;
        found = true;
    }
    return found;
}

static void dump_counters(const struct view *v, struct buf *out)
{
    struct counter c, before;
    size_t n = 0;
    for (bool more = next_counter(v, NULL, &c); more; more = next_counter(v, &before, &c), n++)
        before = c;
    wr_varint(out, n);
    for (bool more = next_counter(v, NULL, &c); more; more = next_counter(v, &before, &c)) {
        wr_bytes(out, c.device);
        wr_lenbytes(out, c.source);
        wr_varint(out, c.support);
        wr_varint(out, c.against);
        wr_svarint(out, c.first_ms);
        wr_svarint(out, c.last_ms);
        before = c;
    }
}

/* ---- questions */

void model_dump(const struct model *m, uint8_t space, const struct id *id, struct buf *out)
{
    struct view v = view_of(m, space, id);
    bool forgotten = has_forget(&v);
    wr_u8(out, forgotten);
    if (!forgotten) {
        dump_registers(&v, out);
        dump_sets(&v, out);
        dump_counters(&v, out);
    }
    free(v.f);
}

size_t model_entities(const struct model *m, struct model_key *out, size_t max)
{
    struct model_key *all = take_memory(NULL, m->n * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        all[i] = m->facts[i].key;
    qsort(all, m->n, sizeof *all, key_order);
    for (size_t i = 0; i < m->n; i++) {
        if (i > 0 && key_order(&all[i - 1], &all[i]) == 0)
            continue;
        if (n < max)
            out[n] = all[i];
        n++;
    }
    free(all);
    return n;
}

bool model_forgotten(const struct model *m, uint8_t space, const struct id *id)
{
    struct view v = view_of(m, space, id);
    bool forgotten = has_forget(&v);
    free(v.f);
    return forgotten;
}

bool model_dropped(const struct model *m, uint8_t space, const struct id *id)
{
    struct view v = view_of(m, space, id);
    struct view life = writes_of(&v, 10);
    bool dropped = !has_forget(&v) && life.n > 0 && value_of(life.f[0]).p[0] == 0;
    for (size_t i = 0; i < v.n; i++)
        dropped &= !(is_write(v.f[i]) && v.f[i]->stamp.cls >= 2);
    free(life.f);
    free(v.f);
    return dropped;
}

static int seen_order(const void *pa, const void *pb)
{
    const struct seen *a = pa;
    const struct seen *b = pb;
    int order = memcmp(a->key, b->key, 16);
    if (!order)
        order = (int)a->against - (int)b->against;
    return order ? order : (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

/* All events of an entity, repeated ones too; caller frees. */
static struct seen *all_seen(const struct view *v, size_t *n)
{
    struct seen *all = NULL;
    *n = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct rd r;
        uint64_t left;
        if (v->f[i]->tag != 129)
            continue;
        rd_init(&r, v->f[i]->payload);
        left = rd_varint(&r);
        all = take_memory(all, (*n + (size_t)left) * sizeof *all);
        for (; left > 0; left--, ++*n) {
            rd_copy(&r, all[*n].key, 16);
            all[*n].against = rd_u8(&r);
            all[*n].time_ms = rd_svarint(&r);
        }
    }
    return all;
}

size_t model_seen(const struct model *m, uint8_t space, const struct id *id, struct seen *out, size_t max)
{
    struct view v = view_of(m, space, id);
    size_t n_all;
    size_t n = 0;
    struct seen *all = all_seen(&v, &n_all);
    if (has_forget(&v))
        n_all = 0;
    if (n_all > 0)
        qsort(all, n_all, sizeof *all, seen_order);
    for (size_t i = 0; i < n_all; i++) {
        if (i > 0 && memcmp(all[i].key, all[i - 1].key, 16) == 0 && all[i].against == all[i - 1].against)
            continue;
        if (n < max)
            out[n] = all[i];
        n++;
    }
    free(all);
    free(v.f);
    return n;
}
