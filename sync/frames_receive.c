/* Taking frames from outside. Everything is checked before the first op is appended, cheap things first:
 * form, group, who may write where, signature, place in the log, seal, chain, what the ops say of themselves.
 */
#include "sync/frames_int.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* A log of the family to which the frame's log belongs: the root, or a branch. */
struct place {
    struct id log;
    uint64_t head, base; /* what the store holds; 0: nothing of it yet */
    struct hash chain;
};

struct taking {
    const struct frames_env *f;
    struct frame_result *out;
    struct err *e;
    struct wire w;
    uint64_t last;
    struct place at;       /* where the next op belongs */
    struct op_record *ops; /* those from `fresh` on are new; their log is where they belong */
    uint32_t fresh, bare;
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
    return 0;
}

/* In a log that branched the cut-off is that of the branch to which its ops belong. */
static int check_writer(struct taking *t, const struct id *log)
{
    struct frame_header h = t->w.header;
    h.log = *log;
    if (group_may_write(t->f->group, &h, &t->out->late))
        return 0;
    return err_set(t->e, ERR_VERIFY,
                   group_is_active(t->f->group, &h.device)
                       ? "frame under an epoch that its author cannot have"
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

struct placing {
    struct taking *t;
    uint64_t most; /* of what any log of the family holds */
    bool found;
};

/* Whether the frame goes on from this log, or from a place within it. */
static int look(void *ctx, const struct log_head *h)
{
    struct placing *p = ctx;
    const struct frame_header *fh = &p->t->w.header;
    struct hash chain;
    if (!id_eq(&h->root, &fh->log))
        return 0;
    p->most = h->seq > p->most ? h->seq : p->most;
    if (fh->first - 1 > h->seq || (fh->first - 1 <= h->base && h->base > 0))
        return 0;
    int rc = store_chain_at(p->t->f->store, h, fh->first - 1, &chain, p->t->e);
    if (rc || memcmp(chain.b, fh->before.b, HASH_BYTES) != 0)
        return rc;
    p->found = true;
    p->t->at = (struct place){h->log, h->seq, h->base, h->chain};
    return 1;
}

static int find_place(struct taking *t)
{
    const struct frame_header *h = &t->w.header;
    struct placing p = {.t = t};
    int rc = store_logs(t->f->store, look, &p, t->e);
    if (rc < 0 || p.found)
        return rc < 0 ? rc : 0;
    t->out->gap = h->first > p.most + 1;
    if (t->out->gap)
        return err_set(t->e, ERR_NOTFOUND, "frame begins at op %llu, %llu are here: a gap",
                       (unsigned long long)h->first, (unsigned long long)p.most);
    t->out->forked = true;
    return err_set(t->e, ERR_VERIFY, "frame goes on from other ops than those here: a fork");
}

/* The usual case, without a look at all logs: it goes on where the log ends. */
static int check_place(struct taking *t)
{
    const struct frame_header *h = &t->w.header;
    struct place at = {.log = h->log};
    int rc = store_log_head(t->f->store, &h->log, &at.head, &at.chain, t->e);
    if (rc)
        return rc;
    if (t->last == at.head && memcmp(h->after.b, at.chain.b, HASH_BYTES) == 0)
        return err_set(t->e, ERR_EXISTS, "the frame's ops are here already");
    bool next = h->first == at.head + 1 && memcmp(h->before.b, at.chain.b, HASH_BYTES) == 0;
    if (!next)
        return find_place(t);
    t->at = at;
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

static int check_chain(const struct taking *t)
{
    const struct frame_header *h = &t->w.header;
    struct hash chain = h->before;
    for (uint32_t i = 0; i < h->count; i++)
        chain_next(&chain, &t->ops[i].hash);
    if (memcmp(chain.b, h->after.b, HASH_BYTES) != 0)
        return err_set(t->e, ERR_VERIFY, "chain of a frame does not fit its ops");
    return 0;
}

/* ---- to which log each op belongs */

static int fork_found(struct taking *t, const struct log_split *at, const struct hash *ours,
                      const struct hash *theirs)
{
    struct log_fork *fork = &t->out->fork;
    t->out->forked = t->out->exact = true;
    *fork = (struct log_fork){.at = *at, .next = {*theirs}, .n = 1};
    if (ours)
        fork->next[fork->n++] = *ours;
    return err_set(t->e, ERR_VERIFY, "frame holds other ops than those here from op %llu on: a fork",
                   (unsigned long long)at->seq + 1);
}

/* Behind a branching: into the branch that begins with this op, if the group knows it. */
static int enter(struct taking *t, const struct log_split *at, const struct hash *next)
{
    struct id branch, owner;
    uint64_t cut;
    log_branch_id(at, next, &branch);
    if (!group_log(t->f->group, &branch, &owner, &cut))
        return fork_found(t, at, NULL, next);
    t->at = (struct place){.log = branch, .base = at->seq};
    int rc = store_log_head(t->f->store, &branch, &t->at.head, &t->at.chain, t->e);
    if (t->at.head == 0)
        t->at.head = at->seq;
    return rc;
}

/* One op behind `at`, with the chain `next` after it. */
static int place_op(struct taking *t, uint32_t i, const struct log_split *at, const struct hash *next)
{
    struct op_record *r = &t->ops[i];
    struct hash have, ours = at->chain;
    if (group_is_split(t->f->group, at)) {
        int rc = enter(t, at, next);
        if (rc)
            return rc;
    }
    if (r->seq > t->at.head) {
        t->fresh = t->fresh < i ? t->fresh : i;
        r->log = t->at.log;
        return 0;
    }
    int rc = store_op_hash(t->f->store, &t->at.log, r->seq, &have, t->e);
    if (rc || memcmp(have.b, r->hash.b, HASH_BYTES) == 0)
        return rc;
    chain_next(&ours, &have);
    return fork_found(t, at, &ours, next);
}

static int place_ops(struct taking *t)
{
    const struct frame_header *h = &t->w.header;
    struct log_split at = {h->log, h->first - 1, h->before};
    int rc = 0;
    t->fresh = h->count;
    for (uint32_t i = 0; rc == 0 && i < h->count; i++) {
        struct hash next = at.chain;
        chain_next(&next, &t->ops[i].hash);
        rc = place_op(t, i, &at, &next);
        at.seq++;
        at.chain = next;
    }
    if (rc == 0 && t->fresh == h->count)
        rc = err_set(t->e, ERR_EXISTS, "the frame's ops are here already");
    return rc ? rc : check_writer(t, &t->at.log);
}

/* The op that opens a log names the device. */
static bool names_other(const struct frame_header *h, const struct op *op, const struct action *a,
                        uint64_t seq)
{
    struct reg_write w;
    struct id named;
    if (op->space != SPACE_GROUP || seq != 1 || !id_eq(&op->id, &h->log) || a->tag != REG_VALUE)
        return false;
    action_reg(a, &w);
    return id_parse(w.value, &named) != 0 || !id_eq(&named, &h->device);
}

static bool counts_other(const struct action *a, const struct id *device)
{
    struct count c;
    if (a->tag != ACT_COUNT)
        return false;
    action_count(a, &c);
    return !id_eq(&c.device, device);
}

static int check_op(const struct op_record *r, const struct frame_header *h, struct err *e)
{
    struct op op;
    struct action a;
    size_t at = 0;
    int rc = op_decode(r->op, &op, e);
    if (rc)
        return rc;
    while (op_action(&op, &at, &a)) {
        if (counts_other(&a, &h->device) || names_other(h, &op, &a, r->seq))
            return err_set(e, ERR_VERIFY, "op %llu speaks for another device", (unsigned long long)r->seq);
    }
    return 0;
}

static int check_ops(const struct taking *t)
{
    int rc = 0;
    for (uint32_t i = t->fresh; rc == 0 && i < t->w.header.count; i++) {
        if (t->ops[i].op.n > 0)
            rc = check_op(&t->ops[i], &t->w.header, t->e);
    }
    return rc;
}

/* ---- taking it */

static int keep(const struct taking *t)
{
    struct frame_row row = {.log = t->at.log, .first = t->w.header.first, .last = t->last};
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

/* The branch that begins with this op, in case it is the first that comes of it. */
static int begin_branch(const struct taking *t, uint32_t i, const struct hash *before)
{
    const struct op_record *r = &t->ops[i];
    struct log_split at = {t->w.header.log, r->seq - 1, *before};
    struct hash next = *before;
    if (!group_is_split(t->f->group, &at))
        return 0;
    chain_next(&next, &r->hash);
    return store_branch(t->f->store, &at, &next, t->e);
}

static int append_ops(struct taking *t)
{
    struct hash chain = t->w.header.before;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < t->w.header.count; i++) {
        if (i >= t->fresh) {
            rc = begin_branch(t, i, &chain);
            rc = rc ? rc : store_receive(t->f->store, &t->ops[i], t->e);
            t->out->ops += rc == 0;
        }
        chain_next(&chain, &t->ops[i].hash);
    }
    return rc ? rc : keep(t);
}

static int take(struct taking *t, struct buf *plain)
{
    bool branched = group_has_splits(t->f->group, &t->w.header.log);
    int rc = check_right(t);
    rc = rc || branched ? rc : check_writer(t, &t->w.header.log);
    rc = rc ? rc : check_signature(t);
    rc = rc ? rc : check_place(t);
    rc = rc ? rc : open_ops(t, plain);
    rc = rc ? rc : check_chain(t);
    rc = rc ? rc : place_ops(t);
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
