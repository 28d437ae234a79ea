/* The two byte forms of an entity.
 *
 * State, private to the store, everything that merging needs:
 *
 *   state   := version u8 = 1 | forgotten u8 | (rest, unless forgotten)
 *   rest    := n varint | write × n | n varint | name × n | n varint | element × n | n varint | tally × n
 *   write   := tag varint | back u8 | (stamp, if back = 0) | value len+bytes
 *   stamp   := class u8 | hlc u64 | log 16 | hash 16
 *   name    := tag varint | hash 16
 *   element := tag varint | element len+bytes | n varint | (removed u8 | dot 16) × n
 *   tally   := count | hlc u64 | log 16 | hash 16
 *   count   := device 16 | source len+bytes | support varint | against varint | first svarint | last svarint
 *
 * back = k > 0: the stamp of the k-th write before this one, the nearest that is the same; most registers of
 * an entity were written by one op, and a stamp is 41 bytes.
 *
 * Dump, canonical, what is shown; see FORMAT.md. */
#include "store/entity_int.h"

#include "base/check.h"
#include "base/limits.h"

#include <string.h>

#define STATE_VERSION 1
#define BACK_MAX 16u

static void write_stamp(struct buf *out, const struct stamp *s)
{
    wr_u8(out, s->cls);
    wr_u64(out, s->hlc);
    wr_bytes(out, bytes_of(s->log.b, ID_BYTES));
    wr_bytes(out, bytes_of(s->hash, sizeof s->hash));
}

static void read_stamp(struct rd *r, struct stamp *s)
{
    s->cls = rd_u8(r);
    s->hlc = rd_u64(r);
    rd_copy(r, s->log.b, ID_BYTES);
    rd_copy(r, s->hash, sizeof s->hash);
}

static void write_count(struct buf *out, const struct count *c)
{
    wr_bytes(out, bytes_of(c->device.b, ID_BYTES));
    wr_lenbytes(out, c->source);
    wr_varint(out, c->support);
    wr_varint(out, c->against);
    wr_svarint(out, c->first_ms);
    wr_svarint(out, c->last_ms);
}

/* How far back the nearest write with the stamp of write i is; 0: not near. */
static uint8_t stamp_back(const struct entity *x, size_t i)
{
    const struct write *w = rows_at(&x->writes, i);
    for (uint8_t back = 1; back <= BACK_MAX && back <= i; back++) {
        const struct write *before = rows_at(&x->writes, i - back);
        if (stamp_cmp(&before->stamp, &w->stamp) == 0)
            return back;
    }
    return 0;
}

static void encode_write(const struct entity *x, size_t i, struct buf *out)
{
    const struct write *w = rows_at(&x->writes, i);
    uint8_t back = stamp_back(x, i);
    wr_varint(out, w->tag);
    wr_u8(out, back);
    if (back == 0)
        write_stamp(out, &w->stamp);
    wr_lenbytes(out, span_view(&x->values, w->value));
}

static size_t count_elements(const struct entity *x)
{
    size_t n = 0;
    for (size_t i = 0; i < x->dots.n; i = set_element_end(x, i))
        n++;
    return n;
}

/* Dots i..end-1 are those of one element. */
static void encode_element(const struct entity *x, size_t i, size_t end, struct buf *out)
{
    const struct dot *d = rows_at(&x->dots, i);
    wr_varint(out, d->tag);
    wr_lenbytes(out, span_view(&x->keys, d->element));
    wr_varint(out, end - i);
    for (; i < end; i++) {
        d = rows_at(&x->dots, i);
        wr_u8(out, d->removed);
        wr_bytes(out, bytes_of(d->hash, sizeof d->hash));
    }
}

static void encode_tally(const struct entity *x, size_t i, struct buf *out)
{
    const struct tally *t = rows_at(&x->tallies, i);
    struct count c;
    CHECK(entity_count_at(x, i, &c));
    write_count(out, &c);
    wr_u64(out, t->stamp.hlc);
    wr_bytes(out, bytes_of(t->stamp.log.b, ID_BYTES));
    wr_bytes(out, bytes_of(t->stamp.hash, sizeof t->stamp.hash));
}

int entity_encode(const struct entity *x, struct buf *out)
{
    wr_u8(out, STATE_VERSION);
    wr_u8(out, x->forgotten);
    if (x->forgotten)
        return out->err;
    wr_varint(out, x->writes.n);
    for (size_t i = 0; i < x->writes.n; i++)
        encode_write(x, i, out);
    wr_varint(out, x->names.n);
    for (size_t i = 0; i < x->names.n; i++) {
        const struct name *name = rows_at(&x->names, i);
        wr_varint(out, name->tag);
        wr_bytes(out, bytes_of(name->hash, sizeof name->hash));
    }
    wr_varint(out, count_elements(x));
    for (size_t i = 0, end; i < x->dots.n; i = end) {
        end = set_element_end(x, i);
        encode_element(x, i, end, out);
    }
    wr_varint(out, x->tallies.n);
    for (size_t i = 0; i < x->tallies.n; i++)
        encode_tally(x, i, out);
    return out->err;
}

/* A tag as the state holds it; 0, which is none, for one that is too large. */
static uint32_t read_tag(struct rd *r)
{
    uint64_t tag = rd_varint(r);
    return tag > UINT32_MAX ? 0 : (uint32_t)tag;
}

static int decode_write(struct entity *x, struct rd *r)
{
    struct write row = {.tag = read_tag(r)};
    uint8_t back = rd_u8(r);
    int rc;
    if (back > x->writes.n)
        return ERR_CORRUPT;
    if (back == 0)
        read_stamp(r, &row.stamp);
    else
        row.stamp = ((const struct write *)rows_at(&x->writes, x->writes.n - back))->stamp;
    rc = span_put(&x->values, rd_lenbytes(r, LIMIT_OP_BYTES), &row.value);
    if (!rc)
        rc = rows_insert(&x->writes, x->writes.n, &row);
    if (rc || r->err)
        return rc ? rc : ERR_CORRUPT;
    return stamp_back(x, x->writes.n - 1) == back ? 0 : ERR_CORRUPT;
}

static int decode_name(struct entity *x, struct rd *r)
{
    struct name row = {.tag = read_tag(r)};
    rd_copy(r, row.hash, sizeof row.hash);
    if (r->err || action_kind(row.tag) != ACTION_REG || row.tag == 0)
        return ERR_CORRUPT;
    if (x->names.n > 0 && name_order(x, rows_at(&x->names, x->names.n - 1), &row) >= 0)
        return ERR_CORRUPT;
    return rows_insert(&x->names, x->names.n, &row);
}

static int decode_element(struct entity *x, struct rd *r)
{
    struct dot row = {.tag = read_tag(r)};
    size_t from = x->dots.n;
    int rc = span_put(&x->keys, rd_lenbytes(r, LIMIT_TEXT_BYTES), &row.element);
    uint64_t n = rd_varint(r);
    if (r->err || n == 0)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < n && !rc; i++) {
        uint8_t removed = rd_u8(r);
        rd_copy(r, row.hash, sizeof row.hash);
        if (r->err || removed > 1)
            return ERR_CORRUPT;
        row.removed = removed;
        rc = rows_insert(&x->dots, x->dots.n, &row);
        if (!rc && !set_is_ordered(x, x->dots.n - 1))
            return ERR_CORRUPT;
    }
    /* One element stands once: else its dots would share no bytes, and encoding would join what was apart. */
    if (!rc && from > 0 && set_element_end(x, from - 1) != from)
        return ERR_CORRUPT;
    return rc;
}

static int decode_tally(struct entity *x, struct rd *r)
{
    struct tally row = {0};
    int rc;
    rd_copy(r, row.device.b, ID_BYTES);
    rc = span_put(&x->keys, rd_lenbytes(r, LIMIT_NAME_BYTES), &row.source);
    row.support = rd_varint(r);
    row.against = rd_varint(r);
    row.first_ms = rd_svarint(r);
    row.last_ms = rd_svarint(r);
    row.stamp.hlc = rd_u64(r);
    rd_copy(r, row.stamp.log.b, ID_BYTES);
    rd_copy(r, row.stamp.hash, sizeof row.stamp.hash);
    if (r->err)
        return ERR_CORRUPT;
    if (!rc)
        rc = rows_insert(&x->tallies, x->tallies.n, &row);
    if (!rc && !count_is_ordered(x, x->tallies.n - 1))
        return ERR_CORRUPT;
    return rc;
}

static int decode_rows(struct entity *x, struct rd *r, int (*row)(struct entity *x, struct rd *r))
{
    uint64_t n = rd_varint(r);
    int rc = r->err ? ERR_CORRUPT : 0;
    for (uint64_t i = 0; i < n && !rc; i++)
        rc = row(x, r);
    return rc;
}

static int decode_rest(struct entity *x, struct rd *r)
{
    int rc = decode_rows(x, r, decode_write);
    if (!rc)
        rc = decode_rows(x, r, decode_name);
    if (!rc && !reg_all_kept(x))
        rc = ERR_CORRUPT;
    if (!rc)
        rc = decode_rows(x, r, decode_element);
    if (!rc)
        rc = decode_rows(x, r, decode_tally);
    return rc;
}

int entity_decode(struct entity *x, struct bytes state, struct err *e)
{
    struct rd r;
    uint8_t version, forgotten;
    int rc = 0;
    entity_clear(x);
    if (state.n > LIMIT_ENTITY_BYTES)
        return err_set(e, ERR_CORRUPT, "merged state of %zu bytes is too large", state.n);
    rd_init(&r, state);
    version = rd_u8(&r);
    forgotten = rd_u8(&r);
    if (r.err || version != STATE_VERSION || forgotten > 1)
        rc = ERR_CORRUPT;
    else if (!forgotten)
        rc = decode_rest(x, &r);
    if (!rc && rd_end(&r))
        rc = ERR_CORRUPT;
    x->forgotten = !rc && forgotten;
    if (!rc)
        return 0;
    entity_clear(x);
    return err_set(e, rc, "merged state of an entity cannot be read");
}

static void dump_write(const struct entity *x, size_t i, struct buf *out)
{
    const struct write *w = rows_at(&x->writes, i);
    write_stamp(out, &w->stamp);
    wr_lenbytes(out, span_view(&x->values, w->value));
}

/* The register whose n writes begin at `from`. */
static void dump_reg(const struct entity *x, size_t from, size_t n, struct buf *out)
{
    const struct write *winner = rows_at(&x->writes, from);
    size_t siblings = 0;
    for (size_t i = 1; i < n && i < LIMIT_PRIOR_STAMPS; i++)
        siblings += reg_is_sibling(x, from, n, i);
    wr_varint(out, winner->tag);
    dump_write(x, from, out);
    wr_varint(out, siblings);
    for (size_t i = 1; i < n && i < LIMIT_PRIOR_STAMPS; i++) {
        if (reg_is_sibling(x, from, n, i))
            dump_write(x, from + i, out);
    }
}

static void dump_regs(const struct entity *x, struct buf *out)
{
    size_t regs = 0;
    size_t n;
    for (size_t from = 0; from < x->writes.n; from += n, regs++)
        (void)reg_run(x, ((const struct write *)rows_at(&x->writes, from))->tag, &n);
    wr_varint(out, regs);
    for (size_t from = 0; from < x->writes.n; from += n) {
        (void)reg_run(x, ((const struct write *)rows_at(&x->writes, from))->tag, &n);
        dump_reg(x, from, n, out);
    }
}

static size_t count_live(const struct entity *x, size_t i, size_t end)
{
    size_t n = 0;
    for (; i < end; i++)
        n += !((const struct dot *)rows_at(&x->dots, i))->removed;
    return n;
}

/* Dots i..end-1, of which `live` (at least one) are live, are those of one element. */
static void dump_element(const struct entity *x, size_t i, size_t end, struct buf *out)
{
    const struct dot *d = rows_at(&x->dots, i);
    wr_varint(out, d->tag);
    wr_lenbytes(out, span_view(&x->keys, d->element));
    wr_varint(out, count_live(x, i, end));
    for (; i < end; i++) {
        d = rows_at(&x->dots, i);
        if (!d->removed)
            wr_bytes(out, bytes_of(d->hash, sizeof d->hash));
    }
}

static void dump_sets(const struct entity *x, struct buf *out)
{
    size_t elements = 0;
    for (size_t i = 0, end; i < x->dots.n; i = end) {
        end = set_element_end(x, i);
        elements += count_live(x, i, end) > 0;
    }
    wr_varint(out, elements);
    for (size_t i = 0, end; i < x->dots.n; i = end) {
        end = set_element_end(x, i);
        if (count_live(x, i, end) > 0)
            dump_element(x, i, end, out);
    }
}

int entity_dump(const struct entity *x, struct buf *out)
{
    struct count c;
    wr_u8(out, x->forgotten);
    if (x->forgotten)
        return out->err;
    dump_regs(x, out);
    dump_sets(x, out);
    wr_varint(out, x->tallies.n);
    for (size_t i = 0; entity_count_at(x, i, &c); i++)
        write_count(out, &c);
    return out->err;
}
