/* Taking frames from outside. Everything is checked before the first op is appended, cheap things first:
 * form, group, who may write where, signature, place in the log, seal, chain, what the ops say of themselves.
 */
#include "sync/frames_int.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct taking {
    const struct frames_env *f;
    struct frame_result *out;
    struct err *e;
    struct wire w;
    uint64_t last;
    uint64_t head;     /* what the store holds */
    struct hash chain; /* and its chain */
    struct op_record *ops;
    uint32_t bare;
};

/* ---- who */

static int check_right(struct taking *t)
{
    const struct frame_header *h = &t->w.header;
    const struct group *g = t->f->group;
    struct id group, owner;
    uint64_t cut;
    group_id(g, &group);
    if (!group_exists(g) || !id_eq(&h->group, &group))
        return err_set(t->e, ERR_VERIFY, "frame of another group");
    if (!group_log(g, &h->log, &owner, &cut))
        return err_set(t->e, ERR_NOTFOUND, "frame of a log that no member has opened");
    if (!group_epoch_known(g, &h->epoch))
        return err_set(t->e, ERR_NOTFOUND, "frame under an epoch that is not known here");
    if (!id_eq(&owner, &h->device))
        return err_set(t->e, ERR_VERIFY, "frame by another device than the log's");
    if (group_may_write(g, h, &t->out->late))
        return 0;
    return err_set(t->e, ERR_VERIFY,
                   group_is_active(g, &h->device) ? "frame under an epoch that its author cannot have"
                                                  : "frame of a removed device, beyond what counts of it");
}

static int check_signature(struct taking *t)
{
    const struct member *m = group_find(t->f->group, &t->w.header.device);
    CHECK(m); /* group_may_write() knew it */
    if (frame_verify_stripped(t->w.header_bytes, &t->w.body, t->w.signature.p, m->cert.sign_pk))
        return err_set(t->e, ERR_VERIFY, "signature of a frame is wrong");
    return 0;
}

/* ---- where */

static int check_place(struct taking *t)
{
    const struct frame_header *h = &t->w.header;
    int rc = store_log_head(t->f->store, &h->log, &t->head, &t->chain, t->e);
    if (rc)
        return rc;
    if (t->last == t->head && memcmp(h->after.b, t->chain.b, HASH_BYTES) == 0)
        return err_set(t->e, ERR_EXISTS, "the frame's ops are here already");
    t->out->gap = h->first > t->head + 1;
    if (t->out->gap)
        return err_set(t->e, ERR_NOTFOUND, "frame begins at op %llu, %llu are here: a gap",
                       (unsigned long long)h->first, (unsigned long long)t->head);
    return 0;
}

/* ---- what */

static int open_content(const struct taking *t, struct buf *plain)
{
    const struct id *epoch = t->w.stripped ? &t->w.epoch : &t->w.header.epoch;
    const uint8_t *key = group_epoch_key(t->f->group, epoch);
    if (!key)
        return err_set(t->e, ERR_NOTFOUND, "the key of the frame's epoch is not here");
    struct buf content;
    buf_init(&content, FRAME_CONTENT_MAX);
    int rc = wire_open(&t->w, key, &content, t->e);
    rc = rc ? rc : content_unpack(buf_view(&content), &t->w.header.device, plain, t->e);
    buf_release(&content);
    return rc;
}

static int open_ops(struct taking *t, struct buf *plain)
{
    int rc = open_content(t, plain);
    if (rc)
        return rc;
    t->ops = calloc(t->w.header.count, sizeof *t->ops);
    if (!t->ops)
        return err_set(t->e, ERR_NOMEM, "opening a frame");
    return content_read(buf_view(plain), &t->w.header, t->ops, &t->bare, t->e);
}

/* From the chain before the first op to the one after the last; *at_head is that after the last op held. */
static int check_chain(const struct taking *t, struct hash *at_head)
{
    const struct frame_header *h = &t->w.header;
    struct hash chain = h->before;
    *at_head = chain;
    for (uint32_t i = 0; i < h->count; i++) {
        chain_next(&chain, &t->ops[i].hash);
        if (t->ops[i].seq == t->head)
            *at_head = chain;
    }
    if (memcmp(chain.b, h->after.b, HASH_BYTES) != 0)
        return err_set(t->e, ERR_VERIFY, "chain of a frame does not fit its ops");
    return 0;
}

static int compare_op(void *ctx, const struct op_record *r)
{
    struct taking *t = ctx;
    const struct op_record *theirs = &t->ops[r->seq - t->w.header.first];
    if (memcmp(r->hash.b, theirs->hash.b, HASH_BYTES) != 0)
        t->out->forked = true;
    return 0;
}

static int check_held(struct taking *t, const struct hash *at_head)
{
    const struct frame_header *h = &t->w.header;
    uint64_t held = t->head < t->last ? t->head : t->last;
    int rc = 0;
    if (h->first <= held)
        rc = store_ops(t->f->store, &h->log, h->first - 1, held - (h->first - 1), compare_op, t, t->e);
    if (!rc && t->last >= t->head && memcmp(at_head->b, t->chain.b, HASH_BYTES) != 0)
        t->out->forked = true;
    if (rc)
        return rc;
    if (t->out->forked)
        return err_set(t->e, ERR_VERIFY, "frame holds other ops than those here: a fork");
    return t->last <= t->head ? err_set(t->e, ERR_EXISTS, "the frame's ops are here already") : 0;
}

/* The op that opens a log names the device. */
static bool names_other(const struct op_record *r, const struct op *op, const struct action *a,
                        const struct id *device)
{
    struct reg_write w;
    struct id named;
    if (op->space != SPACE_GROUP || r->seq != 1 || !id_eq(&op->id, &r->log) || a->tag != REG_VALUE)
        return false;
    action_reg(a, &w);
    return id_parse(w.value, &named) != 0 || !id_eq(&named, device);
}

static bool counts_other(const struct action *a, const struct id *device)
{
    struct count c;
    if (a->tag != ACT_COUNT)
        return false;
    action_count(a, &c);
    return !id_eq(&c.device, device);
}

static int check_op(const struct op_record *r, const struct id *device, struct err *e)
{
    struct op op;
    struct action a;
    size_t at = 0;
    int rc = op_decode(r->op, &op, e);
    if (rc)
        return rc;
    while (op_action(&op, &at, &a)) {
        if (counts_other(&a, device) || names_other(r, &op, &a, device))
            return err_set(e, ERR_VERIFY, "op %llu speaks for another device", (unsigned long long)r->seq);
    }
    return 0;
}

static int check_ops(const struct taking *t)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < t->w.header.count; i++) {
        if (t->ops[i].seq > t->head && t->ops[i].op.n > 0)
            rc = check_op(&t->ops[i], &t->w.header.device, t->e);
    }
    return rc;
}

/* ---- taking it */

static int keep(const struct taking *t)
{
    struct frame_row row = {.log = t->w.header.log, .first = t->w.header.first, .last = t->last};
    row.bare = t->bare;
    row.header = t->w.header_bytes;
    row.body = t->w.body;
    row.whole = !t->w.stripped;
    if (row.whole)
        frame_keep(&t->w.frame, &row.kept);
    else
        memcpy(row.kept.signature, t->w.signature.p, SIGN_BYTES);
    int rc = frame_rows_put(t->f->store, &row, t->e);
    return rc ? rc : quarantine_drop(t->f->store, &row.log, t->last, t->e);
}

static int append_ops(struct taking *t)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < t->w.header.count; i++) {
        if (t->ops[i].seq <= t->head)
            continue;
        rc = store_receive(t->f->store, &t->ops[i], t->e);
        t->out->ops += rc == 0;
    }
    return rc ? rc : keep(t);
}

static int take(struct taking *t, struct buf *plain)
{
    struct hash at_head;
    int rc = check_right(t);
    rc = rc ? rc : check_signature(t);
    rc = rc ? rc : check_place(t);
    rc = rc ? rc : open_ops(t, plain);
    rc = rc ? rc : check_chain(t, &at_head);
    rc = rc ? rc : check_held(t, &at_head);
    rc = rc ? rc : check_ops(t);
    return rc ? rc : append_ops(t);
}

int frames_receive(const struct frames_env *f, struct bytes wire, struct frame_result *out, struct err *e)
{
    struct taking t = {.f = f, .out = out, .e = e};
    struct buf plain;
    *out = (struct frame_result){.first = 0};
    int rc = wire_read(wire, &t.w, e);
    if (rc)
        return rc;
    out->log = t.w.header.log;
    out->device = t.w.header.device;
    out->first = t.w.header.first;
    out->count = t.w.header.count;
    t.last = out->first + (out->count - 1);
    buf_init(&plain, FRAME_PLAIN_MAX);
    rc = take(&t, &plain);
    buf_release(&plain);
    free(t.ops);
    return rc;
}
