/* Ops and merged states from outside. The first byte chooses:
 *   even   the rest is an encoded state: what entity_decode takes must encode to the same bytes, and be
 * readable; odd    the rest is a run of ops, each as log u8 | name u8 | size u16 | op: what op_decode takes
 * must encode to the same bytes; those of the first one's entity are merged, in both directions, and held
 * against the memory model. */
#include "store/entity.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* The memory model and the way back from an op to its draft, which are parts of the tests of store/. */
#include "tests/store/model.c"   /* NOLINT(bugprone-suspicious-include) */
#include "tests/store/redraft.c" /* NOLINT(bugprone-suspicious-include) */

#define OPS_MAX 64
#define DUMP_BYTES ((size_t)LIMIT_ENTITY_BYTES * 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
    struct id log;
    struct hash hash;
    struct op op;
    struct bytes bytes;
};

static void check_same_bytes(const struct op *op, struct bytes bytes)
{
    struct draft d;
    struct buf again;
    draft_init(&d);
    buf_init(&again, LIMIT_OP_BYTES);
    redraft(op, &d);
    CHECK(draft_encode(&d, op->hlc, &again) == 0 && bytes_eq(buf_view(&again), bytes));
    buf_release(&again);
    draft_release(&d);
}

static size_t read_items(struct rd *r, struct item *items)
{
    size_t n = 0;
    while (n < OPS_MAX && rd_left(r) > 0) {
        struct item *it = &items[n];
        *it = (struct item){.log = {{rd_u8(r)}}};
        memset(it->hash.b, rd_u8(r), sizeof it->hash.b);
        it->bytes = rd_bytes(r, rd_u16(r));
        if (r->err)
            break;
        if (op_decode(it->bytes, &it->op, NULL))
            continue;
        check_same_bytes(&it->op, it->bytes);
        if (n == 0 || (it->op.space == items[0].op.space && id_eq(&it->op.id, &items[0].op.id)))
            n++;
    }
    return n;
}

static struct entity *fresh(void)
{
    struct entity *x = entity_new();
    CHECK(x);
    return x;
}

static void merge(struct entity *x, const struct item *it)
{
    int rc = entity_apply(x, &it->op, &it->log, &it->hash, NULL);
    CHECK(rc == 0 || rc == ERR_LIMIT);
}

static void try_ops(struct rd *r)
{
    static struct item items[OPS_MAX];
    size_t n = read_items(r, items);
    struct entity *x = fresh();
    struct entity *y = fresh();
    struct model *m = model_new();
    struct buf dump, other;
    buf_init(&dump, DUMP_BYTES);
    buf_init(&other, DUMP_BYTES);
    for (size_t i = 0; i < n; i++) {
        merge(x, &items[i]);
        merge(y, &items[n - 1 - i]);
        model_add(m, &items[i].log, &items[i].hash, items[i].bytes);
    }
    CHECK(entity_dump(x, &dump) == 0 && entity_dump(y, &other) == 0);
    CHECK(bytes_eq(buf_view(&dump), buf_view(&other)));
    buf_clear(&other);
    if (n > 0)
        model_dump(m, items[0].op.space, &items[0].op.id, &other);
    CHECK(n == 0 || bytes_eq(buf_view(&dump), buf_view(&other)));
    buf_release(&dump);
    buf_release(&other);
    model_free(m);
    entity_free(x);
    entity_free(y);
}

static void read_all(const struct entity *x)
{
    struct bytes v;
    struct count c;
    uint64_t tags[8];
    uint8_t names[LIMIT_PRIOR_STAMPS][16];
    for (unsigned tag = 1; tag < 132; tag++) {
        size_t n = entity_siblings(x, (enum op_tag)tag);
        CHECK(!entity_sibling(x, (enum op_tag)tag, n, &v, NULL));
        CHECK(n == 0 || entity_sibling(x, (enum op_tag)tag, n - 1, &v, NULL));
        (void)entity_stamps(x, (enum op_tag)tag, names, LIMIT_PRIOR_STAMPS);
        (void)entity_reg_u8(x, (enum op_tag)tag, 0);
        n = entity_set_count(x, (enum op_tag)tag);
        CHECK(n == 0 || entity_set_at(x, (enum op_tag)tag, n - 1).n > 0);
    }
    for (size_t i = 0; entity_count_at(x, i, &c); i++)
        CHECK(c.source.n <= LIMIT_NAME_BYTES);
    (void)entity_dropped(x);
    (void)entity_conflicts(x, tags, 8);
}

static void try_state(struct bytes state)
{
    struct entity *x = fresh();
    struct buf out;
    buf_init(&out, DUMP_BYTES);
    if (entity_decode(x, state, NULL) == 0) {
        CHECK(entity_encode(x, &out) == 0 && bytes_eq(buf_view(&out), state));
        read_all(x);
        buf_clear(&out);
        CHECK(entity_dump(x, &out) == 0);
    }
    buf_release(&out);
    entity_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r;
    rd_init(&r, bytes_of(data, size));
    if (rd_u8(&r) % 2 == 0)
        try_state(rd_bytes(&r, rd_left(&r)));
    else
        try_ops(&r);
    return 0;
}
