/* Writing ops. Actions may be drafted in any order: draft_encode brings them into the canonical one. It then
 * decodes what it wrote, so that no op leaves this device that another would reject. */
#include "base/check.h"
#include "base/limits.h"
#include "base/time.h"
#include "store/op_int.h"

#include <stdlib.h>
#include <string.h>

void draft_init(struct draft *d)
{
    *d = (struct draft){0};
    buf_init(&d->actions, LIMIT_OP_BYTES);
}

void draft_release(struct draft *d)
{
    buf_release(&d->actions);
}

void draft_reset(struct draft *d, enum op_space space, enum op_class cls, const struct id *id)
{
    d->space = (uint8_t)space;
    d->cls = (uint8_t)cls;
    d->id = *id;
    d->n_actions = 0;
    buf_clear(&d->actions);
}

/* The head of an action whose payload of n bytes follows. */
static void begin(struct draft *d, uint64_t tag, size_t n)
{
    wr_varint(&d->actions, tag);
    wr_varint(&d->actions, n);
    d->n_actions++;
}

static int name_order(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Appends the names in ascending order, which is what the op holds. */
static void write_names(struct draft *d, const uint8_t (*names)[16], size_t n)
{
    uint8_t *to = buf_extend(&d->actions, n * 16);
    if (!to || n == 0)
        return;
    memcpy(to, names, n * 16);
    qsort(to, n, 16, name_order);
}

void draft_reg(struct draft *d, enum op_tag tag, struct bytes value, const uint8_t (*replaced)[16],
               size_t n_replaced)
{
    CHECK(n_replaced <= LIMIT_PRIOR_STAMPS);
    if (action_kind(tag) == ACTION_OTHER) {
        CHECK(n_replaced == 0);
        begin(d, tag, value.n);
        wr_bytes(&d->actions, value);
        return;
    }
    CHECK(action_kind(tag) == ACTION_REG);
    begin(d, tag, 1 + n_replaced * 16 + value.n);
    wr_u8(&d->actions, (uint8_t)n_replaced);
    write_names(d, replaced, n_replaced);
    wr_bytes(&d->actions, value);
}

void draft_reg_u8(struct draft *d, enum op_tag tag, uint8_t v, const uint8_t (*replaced)[16],
                  size_t n_replaced)
{
    draft_reg(d, tag, bytes_of(&v, 1), replaced, n_replaced);
}

void draft_set_add(struct draft *d, enum op_tag tag, struct bytes element)
{
    CHECK(action_kind(tag) == ACTION_ADD);
    begin(d, tag, element.n);
    wr_bytes(&d->actions, element);
}

void draft_set_remove(struct draft *d, enum op_tag tag, struct bytes element, const uint8_t (*dots)[16],
                      size_t n_dots)
{
    CHECK(action_kind(tag) == ACTION_ADD);
    if (n_dots == 0)
        return;
    begin(d, (uint64_t)tag + TAG_REMOVE_SHIFT,
          varint_size(element.n) + element.n + varint_size(n_dots) + n_dots * 16);
    wr_lenbytes(&d->actions, element);
    wr_varint(&d->actions, n_dots);
    write_names(d, dots, n_dots);
}

static size_t svarint_size(int64_t v)
{
    uint64_t u = (uint64_t)v;
    return varint_size(u << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void draft_count(struct draft *d, const struct count *c)
{
    bool none = c->support == 0 && c->against == 0;
    int64_t first_ms = none ? TIME_NONE : c->first_ms;
    int64_t last_ms = none ? TIME_NONE : c->last_ms;
    begin(d, ACT_COUNT,
          ID_BYTES + varint_size(c->source.n) + c->source.n + varint_size(c->support) +
              varint_size(c->against) + svarint_size(first_ms) + svarint_size(last_ms));
    wr_bytes(&d->actions, bytes_of(c->device.b, ID_BYTES));
    wr_lenbytes(&d->actions, c->source);
    wr_varint(&d->actions, c->support);
    wr_varint(&d->actions, c->against);
    wr_svarint(&d->actions, first_ms);
    wr_svarint(&d->actions, last_ms);
}

/* By key, sign, then time, so that the first of equal (key, sign) has the lowest time. */
static int seen_time_order(const void *pa, const void *pb)
{
    const struct seen *a = pa;
    const struct seen *b = pb;
    int order = memcmp(a->key, b->key, sizeof a->key);
    if (order == 0)
        order = (int)a->against - (int)b->against;
    return order != 0 ? order : (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

static bool same_event(const struct seen *a, const struct seen *b)
{
    return memcmp(a->key, b->key, sizeof a->key) == 0 && a->against == b->against;
}

void draft_seen(struct draft *d, struct seen *seen, size_t n)
{
    size_t kept = 0;
    size_t size;
    if (n == 0)
        return;
    qsort(seen, n, sizeof *seen, seen_time_order);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !same_event(&seen[kept - 1], &seen[i]))
            seen[kept++] = seen[i];
    }
    size = varint_size(kept);
    for (size_t i = 0; i < kept; i++)
        size += sizeof seen[i].key + 1 + svarint_size(seen[i].time_ms);
    begin(d, ACT_SEEN, size);
    wr_varint(&d->actions, kept);
    for (size_t i = 0; i < kept; i++) {
        wr_bytes(&d->actions, bytes_of(seen[i].key, sizeof seen[i].key));
        wr_u8(&d->actions, seen[i].against);
        wr_svarint(&d->actions, seen[i].time_ms);
    }
}

void draft_forget(struct draft *d)
{
    begin(d, ACT_FORGET, 0);
}

/* An action of a draft: what it is, and its bytes. */
struct part {
    struct action a;
    struct bytes whole;
};

static int part_order(const void *a, const void *b)
{
    return action_order(&((const struct part *)a)->a, &((const struct part *)b)->a);
}

/* The actions brought into order. They are checked first: ordering looks into payloads. */
static int write_sorted(const struct draft *d, struct buf *out)
{
    struct part parts[LIMIT_OP_ACTIONS];
    struct op op = {.n_actions = d->n_actions, .actions = buf_view(&d->actions)};
    struct action a;
    size_t at = 0;
    size_t n = 0;
    for (size_t from = 0; op_action(&op, &at, &a); from = at) {
        int rc = action_check(&a, NULL);
        if (rc)
            return rc;
        parts[n++] = (struct part){a, bytes_slice(op.actions, from, at - from)};
    }
    CHECK(n == d->n_actions);
    qsort(parts, n, sizeof *parts, part_order);
    for (size_t i = 0; i < n; i++)
        wr_bytes(out, parts[i].whole);
    return out->err;
}

int draft_encode_op(const struct draft *d, uint64_t hlc, struct buf *out, struct op *op)
{
    size_t from = out->n;
    size_t body;
    int rc;
    if (d->actions.err)
        return d->actions.err;
    if (d->n_actions > LIMIT_OP_ACTIONS)
        return ERR_LIMIT;
    wr_u8(out, OP_SUITE);
    wr_u8(out, d->space);
    wr_u8(out, d->cls);
    wr_u64(out, hlc);
    wr_bytes(out, bytes_of(d->id.b, ID_BYTES));
    wr_varint(out, d->n_actions);
    body = out->n;
    wr_bytes(out, buf_view(&d->actions));
    if (out->err)
        return out->err;
    /* Most drafts are made in order: sorting is for those that are not. */
    if (op_decode(bytes_slice(buf_view(out), from, SIZE_MAX), op, NULL) == 0)
        return 0;
    out->n = body;
    rc = write_sorted(d, out);
    return rc ? rc : op_decode(bytes_slice(buf_view(out), from, SIZE_MAX), op, NULL);
}

int draft_encode(const struct draft *d, uint64_t hlc, struct buf *out)
{
    struct op op;
    return draft_encode_op(d, hlc, out, &op);
}
