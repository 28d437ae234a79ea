/* Writing this device's model anew under a group's ids.
 *
 * Ids that are derived (built-in claims, told sentences) are translated: a dry run of the built-in inference
 * names every claim that the observations support, so that the id under the old secret and the one under the
 * new are both known. What the user ever said is then replayed op by op into a new log, each at the time it
 * was said, so that it meets what the other devices' user said in the right order. The built-in inference
 * does the rest from the observations. Ops that only say again what inference will say are left out.
 *
 * `join:claims` in the local values is a hash of the secret that the model is written under: a crash between
 * the commit and the writing of the key file is told from one before the commit.
 */
#include "node/join.h"

#include "base/map.h"
#include "node/identity.h"
#include "node/model/claim.h"
#include "node/model/tell.h"
#include "node/share.h"
#include "store/hlc.h"
#include "store/reset.h"

#include <stdlib.h>
#include <string.h>

#define MARK_NAME "join:claims"
#define MARK_BYTES 16
/* Ops that are carried over: what one person says by hand in decades. */
#define CARRIED_BYTES_MAX ((size_t)1 << 30)

struct kept_op {
    uint64_t hlc;
    struct id log;
    uint64_t seq;
    size_t at, n; /* in rebase.bytes */
};

struct rebase {
    struct node *n;
    bool found;                 /* the group is yet to be founded */
    struct bytes before, after; /* secrets */
    struct map *ids;            /* old id → index + 1 into `fresh` */
    struct buf fresh;           /* struct id */
    struct map *stale;          /* ids of claims: 1 keep their ops, 2 leave them out */
    struct map *logs;
    struct buf ops, bytes; /* struct kept_op; encoded ops */
    struct id former;      /* node/identity.h */
    struct entity *entity;
    struct draft draft;
    struct join_summary sum;
    struct err *e;
};

static void mark_of(struct bytes secret, uint8_t out[MARK_BYTES])
{
    struct hasher h;
    hasher_init(&h, secret, MARK_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame join 1"));
    hasher_final(&h, out, MARK_BYTES);
}

int join_is_written(struct node *n, struct bytes secret, bool *written, struct err *e)
{
    uint8_t mark[MARK_BYTES];
    struct buf held;
    bool found = false;
    buf_init(&held, 64);
    mark_of(secret, mark);
    int rc = local_get(n->store, MARK_NAME, &held, &found, e);
    *written = rc == 0 && found && bytes_eq(buf_view(&held), bytes_of(mark, MARK_BYTES));
    buf_release(&held);
    return rc;
}

/* ---- translating ids --------------------------------------------------------------------------------------
 */

static int id_note(struct rebase *r, const struct id *old, const struct id *fresh)
{
    bool is_new = false;
    struct map_slot *slot = map_add(r->ids, bytes_of(old->b, ID_BYTES), &is_new);
    if (slot == NULL) {
        return ERR_NOMEM;
    }
    if (!is_new) {
        return 0;
    }
    slot->v.num = r->fresh.n / sizeof(struct id) + 1;
    return buf_append(&r->fresh, fresh, sizeof(*fresh));
}

static struct id id_now(const struct rebase *r, const struct id *old)
{
    const struct map_slot *slot = map_find(r->ids, bytes_of(old->b, ID_BYTES));
    struct id id = *old;
    if (slot != NULL) {
        memcpy(&id, r->fresh.p + (slot->v.num - 1) * sizeof(struct id), sizeof(id));
    }
    return id;
}

static int claim_note(void *ctx, uint8_t kind, struct bytes key)
{
    struct rebase *r = ctx;
    struct id old, fresh;
    claim_id(r->before, kind, key, &old);
    claim_id(r->after, kind, key, &fresh);
    return id_note(r, &old, &fresh);
}

/* A told sentence is named by the words it was first told with. */
static int told_note(struct rebase *r, const struct id *id, struct bytes text)
{
    struct id old, fresh;
    int rc = told_id(r->before, text, &old);
    if (rc == 0) {
        rc = told_id(r->after, text, &fresh);
    }
    return rc == 0 && id_eq(&old, id) ? id_note(r, &old, &fresh) : rc;
}

/* ---- collecting -------------------------------------------------------------------------------------------
 */

/* Whether what the model wrote of this proposition is left out: inference will write it again, or it had been
 * dropped and no user had a word in it. */
static int model_words(struct rebase *r, const struct id *id, bool *skip)
{
    *skip = map_find(r->ids, bytes_of(id->b, ID_BYTES)) != NULL;
    if (*skip) {
        return 0;
    }
    bool fresh = false;
    struct map_slot *slot = map_add(r->stale, bytes_of(id->b, ID_BYTES), &fresh);
    if (slot == NULL) {
        return ERR_NOMEM;
    }
    if (fresh) {
        int rc = store_entity(r->n->store, SPACE_PROPOSITION, id, r->entity, r->e);
        if (rc != 0) {
            return rc;
        }
        bool dead = entity_class(r->entity) <= CLASS_MODEL && entity_dropped(r->entity);
        slot->v.num = dead ? 2 : 1;
    }
    *skip = slot->v.num == 2;
    return 0;
}

static int op_keep(struct rebase *r, const struct op_record *rec, const struct op *op)
{
    const struct kept_op k = {
        .hlc = op->hlc, .log = rec->log, .seq = rec->seq, .at = r->bytes.n, .n = rec->op.n};
    int rc = buf_bytes(&r->bytes, rec->op);
    return rc != 0 ? rc : buf_append(&r->ops, &k, sizeof(k));
}

static int texts_note(struct rebase *r, const struct op *op)
{
    size_t at = 0;
    struct action a;
    int rc = 0;
    while (rc == 0 && op->cls == CLASS_EDIT && op_action(op, &at, &a)) {
        struct reg_write w;
        if (a.tag == REG_TEXT) {
            action_reg(&a, &w);
            rc = told_note(r, &op->id, w.value);
        }
    }
    return rc;
}

static int op_collect(void *ctx, const struct op_record *rec)
{
    struct rebase *r = ctx;
    struct op op;
    bool skip = false;
    int rc = 0;
    if (rec->op.n == 0 || op_decode(rec->op, &op, NULL) != 0 || op.space == SPACE_GROUP ||
        op.space == SPACE_EXCERPT) {
        return 0; /* erased, the opening of the old log, or what is shared anew */
    }
    if (op.space == SPACE_PROPOSITION) {
        rc = texts_note(r, &op);
    }
    if (rc == 0 && op.space == SPACE_PROPOSITION && op.cls <= CLASS_MODEL) {
        rc = model_words(r, &op.id, &skip);
    }
    return rc != 0 || skip ? rc : op_keep(r, rec, &op);
}

static int log_collect(void *ctx, const struct log_head *h)
{
    struct rebase *r = ctx;
    return map_add(r->logs, bytes_of(h->log.b, ID_BYTES), NULL) == NULL ? ERR_NOMEM : 0;
}

static int kept_order(const void *pa, const void *pb)
{
    const struct kept_op *a = pa, *b = pb;
    if (a->hlc != b->hlc) {
        return a->hlc < b->hlc ? -1 : 1;
    }
    int c = id_cmp(&a->log, &b->log);
    return c != 0 ? c : a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int collect(struct rebase *r)
{
    int rc = infer_name_claims(r->n->infer, claim_note, r, r->e);
    if (rc == 0) {
        rc = store_logs(r->n->store, log_collect, r, r->e);
    }
    for (size_t i = 0; rc == 0 && i < map_count(r->logs); i++) {
        struct id log;
        memcpy(log.b, map_at(r->logs, i)->key.p, ID_BYTES);
        rc = store_ops(r->n->store, &log, 0, UINT64_MAX, op_collect, r, r->e);
    }
    size_t n = r->ops.n / sizeof(struct kept_op);
    if (rc == 0 && n > 1) {
        qsort(r->ops.p, n, sizeof(struct kept_op), kept_order);
    }
    return rc;
}

/* ---- writing again ----------------------------------------------------------------------------------------
 */

static void reg_again(struct rebase *r, const struct action *a)
{
    uint8_t stamps[LIMIT_PRIOR_STAMPS][16];
    struct reg_write w;
    action_reg(a, &w);
    size_t n = entity_stamps(r->entity, (enum op_tag)a->tag, stamps, LIMIT_PRIOR_STAMPS);
    draft_reg(&r->draft, (enum op_tag)a->tag, w.value, (const uint8_t(*)[16])stamps, n);
}

/* Elements of edges are ids. */
static struct bytes element_now(const struct rebase *r, uint64_t tag, struct bytes element, struct id *room)
{
    if ((tag != SET_SAME_AS && tag != SET_SUPERSEDES) || element.n != ID_BYTES) {
        return element;
    }
    memcpy(room->b, element.p, ID_BYTES);
    *room = id_now(r, room);
    return bytes_of(room->b, ID_BYTES);
}

static void remove_again(struct rebase *r, const struct action *a)
{
    uint8_t dots[LIMIT_PRIOR_STAMPS][16];
    struct set_remove rm;
    struct id room;
    enum op_tag tag = (enum op_tag)(a->tag - 32);
    action_remove(a, &rm);
    struct bytes element = element_now(r, tag, rm.element, &room);
    size_t n = entity_set_dots(r->entity, tag, element, dots, LIMIT_PRIOR_STAMPS);
    draft_set_remove(&r->draft, tag, element, (const uint8_t(*)[16])dots, n);
}

static int seen_again(struct rebase *r, const struct action *a)
{
    struct seen *v = calloc(OP_SEEN_MAX, sizeof(*v));
    size_t at = 0, n = 0;
    if (v == NULL) {
        return ERR_NOMEM;
    }
    while (n < OP_SEEN_MAX && action_seen(a, &at, &v[n])) {
        n++;
    }
    draft_seen(&r->draft, v, n);
    free(v);
    return 0;
}

/* A device counts for itself alone; what it counted under an id that it lost, and that the group never knew,
 * is its own. */
static void count_again(struct rebase *r, const struct action *a)
{
    struct count c;
    action_count(a, &c);
    if (id_eq(&c.device, &r->former) && group_find(r->n->group, &r->former) == NULL) {
        c.device = r->n->home.device;
    }
    if (id_eq(&c.device, &r->n->home.device)) {
        draft_count(&r->draft, &c);
    }
}

static int action_again(struct rebase *r, const struct action *a)
{
    struct id room;
    switch (action_kind(a->tag)) {
    case ACTION_REG:
        reg_again(r, a);
        return 0;
    case ACTION_ADD:
        draft_set_add(&r->draft, (enum op_tag)a->tag, element_now(r, a->tag, a->payload, &room));
        return 0;
    case ACTION_REMOVE:
        remove_again(r, a);
        return 0;
    case ACTION_COUNT:
        count_again(r, a);
        return 0;
    case ACTION_SEEN:
        return seen_again(r, a);
    case ACTION_FORGET:
        draft_forget(&r->draft);
        return 0;
    case ACTION_OTHER:
        draft_reg(&r->draft, (enum op_tag)a->tag, a->payload, NULL, 0);
        return 0;
    }
    return 0;
}

static int op_again(struct rebase *r, const struct kept_op *k)
{
    struct op op;
    struct action a;
    size_t at = 0;
    int rc = op_decode(bytes_of(r->bytes.p + k->at, k->n), &op, r->e);
    struct id id = rc == 0 ? id_now(r, &op.id) : ID_NONE;
    if (rc == 0) {
        rc = store_entity(r->n->store, op.space, &id, r->entity, r->e);
    }
    if (rc == ERR_NOTFOUND) {
        entity_clear(r->entity);
        rc = 0;
    }
    draft_reset(&r->draft, op.space, op.cls, &id);
    while (rc == 0 && op_action(&op, &at, &a)) {
        rc = action_again(r, &a);
    }
    if (rc != 0 || r->draft.n_actions == 0) {
        return rc;
    }
    struct err own = ERR_INIT;
    rc = store_write_at(r->n->store, &r->draft, hlc_ms(op.hlc), &own);
    if (rc == ERR_FORGOTTEN) {
        return 0; /* said before it was forgotten */
    }
    r->sum.carried += rc == 0;
    return rc == 0 ? 0 : err_set(r->e, rc, "%s", own.text);
}

static int rewrite(struct rebase *r, const struct id *log)
{
    struct node *n = r->n;
    uint8_t mark[MARK_BYTES];
    struct infer_summary learnt = {0};
    const struct kept_op *ops = (const struct kept_op *)(const void *)r->ops.p;
    int rc = store_reset_model(n->store, log, r->e);
    for (size_t i = 0; rc == 0 && i < r->ops.n / sizeof(*ops); i++) {
        rc = op_again(r, &ops[i]);
    }
    if (rc == 0) {
        rc = infer_start_anew(n->infer, r->e);
    }
    if (rc == 0) {
        rc = infer_flush(n->infer, &learnt, r->e);
    }
    if (rc == 0) {
        rc = share_start_anew(n, r->e);
    }
    if (rc == 0) {
        rc = share_publish(n, r->e);
    }
    if (rc == 0) {
        rc = group_open_log(n->group, log, clock_wall_ms(&n->clock), r->e);
    }
    mark_of(r->after, mark);
    r->sum.inferred = learnt.added + learnt.raised + learnt.revived;
    return rc != 0 ? rc : local_set(n->store, MARK_NAME, bytes_of(mark, MARK_BYTES), r->e);
}

/* The group, which is founded here when it is this device that begins it; its secret goes to `room`. */
static int group_ready(struct rebase *r, const struct id *log, uint8_t room[KEY_BYTES])
{
    struct node *n = r->n;
    int rc = 0;
    if (r->found && !n->home.keys.grouped) {
        group_bring_secret(n->group, n->home.keys.claim.p);
    }
    if (r->found) {
        rc = group_found(n->group, bytes_str(n->home.name), log, clock_wall_ms(&n->clock), r->e);
    }
    const uint8_t *secret = rc == 0 ? group_secret(n->group) : NULL;
    if (rc == 0 && secret == NULL) {
        rc = err_set(r->e, ERR_ATTENTION, "this device has not been given the group's secret");
    }
    if (rc == 0) {
        memcpy(room, secret, KEY_BYTES);
        r->after = bytes_of(room, KEY_BYTES);
    }
    return rc;
}

/* Collected under the secret before; what keys claims in memory is the new one while they are written. */
static int rebase_steps(struct rebase *r, const struct id *log, uint8_t room[KEY_BYTES])
{
    struct secret *claim = &r->n->home.keys.claim;
    int rc = group_ready(r, log, room);
    if (rc == 0) {
        rc = collect(r);
    }
    if (rc == 0) {
        memcpy(claim->p, r->after.p, KEY_BYTES);
        rc = rewrite(r, log);
        memcpy(claim->p, r->before.p, KEY_BYTES);
    }
    return rc;
}

static int rebase_commit(struct rebase *r, const struct id *log, uint8_t room[KEY_BYTES])
{
    struct node *n = r->n;
    int rc = store_begin(n->store, r->e);
    if (rc != 0) {
        return rc;
    }
    rc = rebase_steps(r, log, room);
    if (rc == 0) {
        rc = store_commit(n->store, r->e);
    } else {
        store_rollback(n->store);
    }
    if (rc != 0 && group_reload(n->group, NULL) != 0) {
        log_line(&n->log, LOG_ERROR, "group", "the membership cannot be read");
    }
    return rc;
}

static int former_load(struct rebase *r)
{
    struct buf v;
    bool found = false;
    buf_init(&v, 64);
    int rc = local_get(r->n->store, IDENTITY_FORMER, &v, &found, r->e);
    if (rc == 0 && found && v.n == ID_BYTES) {
        memcpy(r->former.b, v.p, ID_BYTES);
    }
    buf_release(&v);
    return rc;
}

static int rebase_init(struct rebase *r)
{
    r->ids = map_new();
    r->stale = map_new();
    r->logs = map_new();
    r->entity = entity_new();
    draft_init(&r->draft);
    buf_init(&r->fresh, CARRIED_BYTES_MAX);
    buf_init(&r->ops, CARRIED_BYTES_MAX);
    buf_init(&r->bytes, CARRIED_BYTES_MAX);
    return r->ids != NULL && r->stale != NULL && r->logs != NULL && r->entity != NULL ? former_load(r)
                                                                                      : ERR_NOMEM;
}

static void rebase_release(struct rebase *r)
{
    map_free(r->ids);
    map_free(r->stale);
    map_free(r->logs);
    entity_free(r->entity);
    draft_release(&r->draft);
    buf_release(&r->fresh);
    buf_release(&r->ops);
    buf_release(&r->bytes);
}

int join_keep_secret(struct node *n, struct bytes group_secret, struct err *e)
{
    if (n->home.keys.grouped && secret_eq(n->home.keys.claim.p, group_secret.p, KEY_BYTES)) {
        return 0;
    }
    keys_take_group(&n->home.keys, group_secret.p);
    return home_save_keys(&n->home, &n->rng, e);
}

/* What is kept outside the database follows what was committed. The device has joined by now: what cannot be
 * written is made up for at the next opening (identity_settle()). */
static void outside_write(struct node *n, const struct id *log, struct bytes secret)
{
    struct err e = ERR_INIT;
    n->home.log = *log;
    int keys = join_keep_secret(n, secret, &e);
    if (keys != 0 || home_save(&n->home, &e) != 0) {
        log_line(&n->log, LOG_ERROR, "join", "%s; it is tried again at the next start", e.text);
    }
}

static int join_run(struct node *n, bool found, struct join_summary *out, struct err *e)
{
    uint8_t before[KEY_BYTES], room[KEY_BYTES];
    struct id log;
    struct err own = ERR_INIT;
    memcpy(before, n->home.keys.claim.p, KEY_BYTES);
    struct rebase r = {.n = n, .found = found, .before = bytes_of(before, KEY_BYTES), .e = &own};
    rng_fill(&n->rng, log.b, ID_BYTES);
    int rc = rebase_init(&r);
    if (rc == 0) {
        rc = rebase_commit(&r, &log, room);
    }
    store_use_log(n->store, rc == 0 ? &log : &n->home.log, &n->home.device);
    if (rc == 0) {
        outside_write(n, &log, r.after);
    }
    *out = r.sum;
    rebase_release(&r);
    mem_wipe(before, sizeof(before));
    mem_wipe(room, sizeof(room));
    if (rc == 0) {
        sync_log_renewed(n->sync, &log);
        n->wrote = true;
        return 0;
    }
    (void)err_set(e, rc, "writing the model anew for the group: %s",
                  own.text[0] != '\0' ? own.text : err_text(rc));
    err_hint(e, "%s", own.hint);
    return rc;
}

int join_rebase(struct node *n, struct join_summary *out, struct err *e)
{
    return join_run(n, false, out, e);
}

int join_found(struct node *n, struct join_summary *out, struct err *e)
{
    return join_run(n, true, out, e);
}
