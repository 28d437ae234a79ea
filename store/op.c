/* Decoding of ops, the parts of their actions, and the hashes over them. What a payload may hold is in
 * op_check.c. */
#include "store/op.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/op_int.h"

#include <string.h>

int stamp_cmp(const struct stamp *a, const struct stamp *b)
{
    int order;
    if (a->cls != b->cls)
        return a->cls < b->cls ? -1 : 1;
    if (a->hlc != b->hlc)
        return a->hlc < b->hlc ? -1 : 1;
    order = id_cmp(&a->log, &b->log);
    return order != 0 ? order : memcmp(a->hash, b->hash, sizeof a->hash);
}

enum action_kind action_kind(uint64_t tag)
{
    if (tag <= TAG_REG_LAST)
        return ACTION_REG;
    if (tag <= TAG_ADD_LAST)
        return ACTION_ADD;
    if (tag <= TAG_REMOVE_LAST)
        return ACTION_REMOVE;
    if (tag == ACT_COUNT)
        return ACTION_COUNT;
    if (tag == ACT_SEEN)
        return ACTION_SEEN;
    return tag == ACT_FORGET ? ACTION_FORGET : ACTION_OTHER;
}

static struct action read_action(struct rd *r)
{
    struct action a = {.tag = rd_varint(r)};
    a.payload = rd_lenbytes(r, LIMIT_OP_BYTES);
    return a;
}

/* Reads the head; the actions stay in *r. */
static int decode_head(struct rd *r, struct op *out, struct err *e)
{
    uint64_t n;
    out->suite = rd_u8(r);
    if (!r->err && out->suite != OP_SUITE)
        return err_set(e, ERR_VERSION, "op of suite %u, this build knows %d", (unsigned)out->suite, OP_SUITE);
    out->space = rd_u8(r);
    out->cls = rd_u8(r);
    out->hlc = rd_u64(r);
    rd_copy(r, out->id.b, ID_BYTES);
    n = rd_varint(r);
    if (r->err)
        return err_set(e, r->err, "op cut short in its head");
    if (out->space == 0 || out->cls > CLASS_EDIT)
        return err_set(e, ERR_FORMAT, "op with reserved space %u or class %u", (unsigned)out->space,
                       (unsigned)out->cls);
    if (n > LIMIT_OP_ACTIONS)
        return err_set(e, ERR_LIMIT, "op with more than %u actions", LIMIT_OP_ACTIONS);
    if (n == 0)
        return err_set(e, ERR_FORMAT, "op without actions");
    out->n_actions = (uint32_t)n;
    return 0;
}

/* One action in its place: its own shape, and its order after the one before (tag 0 for the first). */
static int check_in_place(const struct op *op, const struct action *before, const struct action *a,
                          struct err *e)
{
    int rc = action_check(a, e);
    if (rc)
        return rc;
    if (before->tag != 0 && action_order(before, a) >= 0)
        return err_set(e, ERR_FORMAT, "actions out of order at tag %u", (unsigned)a->tag);
    if (a->tag == ACT_FORGET && (op->n_actions != 1 || op->cls < CLASS_CONFIRM))
        return err_set(e, ERR_FORMAT, "a forget stands alone and is the user's");
    return 0;
}

int op_decode(struct bytes b, struct op *out, struct err *e)
{
    struct rd r;
    struct action before = {0};
    int rc;
    *out = (struct op){0};
    if (b.n > LIMIT_OP_BYTES)
        return err_set(e, ERR_LIMIT, "op of %zu bytes, at most %u are allowed", b.n, LIMIT_OP_BYTES);
    rd_init(&r, b);
    rc = decode_head(&r, out, e);
    if (rc)
        return rc;
    out->actions = bytes_of(r.p, rd_left(&r));
    for (uint32_t i = 0; i < out->n_actions; i++) {
        struct action a = read_action(&r);
        if (r.err)
            return err_set(e, r.err, "op cut short in action %u", (unsigned)i + 1);
        rc = check_in_place(out, &before, &a, e);
        if (rc)
            return rc;
        before = a;
    }
    rc = rd_end(&r);
    return rc ? err_set(e, rc, "bytes behind the last action of an op") : 0;
}

bool op_action(const struct op *op, size_t *at, struct action *out)
{
    struct rd r;
    if (*at >= op->actions.n)
        return false;
    rd_init(&r, bytes_slice(op->actions, *at, SIZE_MAX));
    *out = read_action(&r);
    CHECK(!r.err);
    *at = op->actions.n - rd_left(&r);
    return true;
}

/* The bytes at p as an array of n 16-byte names; a uint8_t array has no alignment to mind. */
static const uint8_t (*names_at(struct bytes b))[16]
{
    return (const uint8_t(*)[16])(const void *)b.p;
}

void action_reg(const struct action *a, struct reg_write *out)
{
    struct rd r;
    rd_init(&r, a->payload);
    out->n_replaced = rd_u8(&r);
    out->replaced = names_at(rd_bytes(&r, out->n_replaced * 16));
    out->value = rd_bytes(&r, rd_left(&r));
    CHECK(rd_end(&r) == 0);
}

void action_remove(const struct action *a, struct set_remove *out)
{
    struct rd r;
    rd_init(&r, a->payload);
    out->element = rd_lenbytes(&r, LIMIT_OP_BYTES);
    out->n_dots = (size_t)rd_varint(&r);
    out->dots = names_at(rd_bytes(&r, rd_left(&r)));
    CHECK(rd_end(&r) == 0);
}

void action_count(const struct action *a, struct count *out)
{
    struct rd r;
    rd_init(&r, a->payload);
    rd_copy(&r, out->device.b, ID_BYTES);
    out->source = rd_lenbytes(&r, LIMIT_NAME_BYTES);
    out->support = rd_varint(&r);
    out->against = rd_varint(&r);
    out->first_ms = rd_svarint(&r);
    out->last_ms = rd_svarint(&r);
    CHECK(rd_end(&r) == 0);
}

bool action_seen(const struct action *a, size_t *at, struct seen *out)
{
    struct rd r;
    if (*at >= a->payload.n)
        return false;
    rd_init(&r, bytes_slice(a->payload, *at, SIZE_MAX));
    if (*at == 0)
        (void)rd_varint(&r);
    seen_read(&r, out);
    CHECK(!r.err);
    *at = a->payload.n - rd_left(&r);
    return true;
}

void op_hash(const uint8_t salt[SALT_BYTES], struct bytes op, struct hash *out)
{
    hash_parts(out, (struct bytes[]){bytes_of(salt, SALT_BYTES), op}, 2);
}

void chain_start(const struct id *log, struct hash *out)
{
    hash_parts(out, (struct bytes[]){BYTES_LIT("selfsame log 1"), bytes_of(log->b, ID_BYTES)}, 2);
}

void chain_next(struct hash *chain, const struct hash *op_hash)
{
    struct bytes parts[] = {bytes_of(chain->b, HASH_BYTES), bytes_of(op_hash->b, HASH_BYTES)};
    hash_parts(chain, parts, 2);
}
