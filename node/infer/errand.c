/* Local value "think:errand", of the errand that was begun last: its id, 16 bytes | how often the answer was
 * unusable u8 | the place where it goes on u8 | claims of the parts before, as content of an answer. */
#include "node/infer/errand.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "node/config.h"
#include "node/infer/queue.h"

#include <string.h>

#define PROGRESS "think:errand"
#define PROGRESS_BYTES_MAX (ID_BYTES + 2u + ERRAND_SEALED_MAX)
#define ERRANDS_LISTED 256u /* in one look */

/* ---- entities ---------------------------------------------------------------------------------------------
 */

static const struct bytes kinds[] = {{(const uint8_t *)"errand", 6}, {(const uint8_t *)"answer", 6}};

bool errand_note_of(const struct lease_env *env, const struct id *id, const struct entity *x,
                    struct errand_note *out)
{
    struct bytes kind, to;
    struct stamp stamp;
    uint64_t cutoff;
    *out = (struct errand_note){.id = *id};
    bool whole = entity_reg(x, REG_SEALED, &out->sealed, &stamp) && entity_reg(x, REG_VALUE, &kind, NULL) &&
                 entity_reg(x, REG_NAME, &to, NULL) && id_parse(to, &out->recipient) == 0;
    out->answer = whole && bytes_eq(kind, kinds[1]);
    return whole && (out->answer || bytes_eq(kind, kinds[0])) && out->sealed.n <= ERRAND_SEALED_MAX &&
           group_log(env->group, &stamp.log, &out->author, &cutoff);
}

void errand_answer_id(const struct id *errand, struct id *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, ID_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame answer 1"));
    hasher_update(&h, bytes_of(errand->b, ID_BYTES));
    hasher_final(&h, out->b, ID_BYTES);
}

static int sealed_write(const struct lease_env *env, const struct errand_new *n, struct bytes sealed,
                        struct err *e)
{
    char to[ID_TEXT + 1];
    struct draft d;
    struct buf now;
    buf_init(&now, 16);
    wr_svarint(&now, clock_wall_ms(env->clock));
    id_text(&n->to, to);
    draft_init(&d);
    draft_reset(&d, SPACE_WORK, CLASS_MODEL, &n->id);
    draft_reg(&d, REG_NAME, bytes_str(to), NULL, 0);
    draft_reg(&d, REG_VALUE, kinds[n->answer], NULL, 0);
    draft_reg(&d, REG_CREATED, buf_view(&now), NULL, 0);
    draft_reg(&d, REG_SEALED, sealed, NULL, 0);
    int rc = store_write(env->store, &d, e);
    draft_release(&d);
    buf_release(&now);
    return rc;
}

int errand_write(const struct lease_env *env, const struct errand_new *n, struct err *e)
{
    const struct member *m = group_find(env->group, &n->to);
    struct buf sealed;
    if (m == NULL)
        return err_set(e, ERR_NOTFOUND, "there is no such device");
    buf_init(&sealed, ERRAND_SEALED_MAX);
    int rc = seal_to(m->cert.seal_pk, env->rng, n->content, &sealed);
    rc = rc != 0 ? err_set(e, rc, "sealing for another device") : sealed_write(env, n, buf_view(&sealed), e);
    buf_release(&sealed);
    if (rc == 0)
        *env->wrote = true;
    return rc;
}

int errand_forget(const struct lease_env *env, const struct id *id, struct err *e)
{
    struct err own = ERR_INIT;
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_WORK, CLASS_EDIT, id);
    draft_forget(&d);
    int rc = store_write(env->store, &d, &own);
    draft_release(&d);
    if (rc == 0)
        *env->wrote = true;
    return rc == 0 || rc == ERR_FORGOTTEN ? 0 : err_set(e, rc, "%s", own.text);
}

int errand_open(const struct lease_env *env, struct bytes sealed, struct buf *out)
{
    return sealed.n > ERRAND_SEALED_MAX ? ERR_LIMIT : seal_open(env->seal, sealed, out);
}

/* ---- the list of what waits -------------------------------------------------------------------------------
 */

struct listing {
    const struct lease_env *env;
    struct buf ids;
    bool orphans; /* what nobody is left for, instead of errands to this device */
};

static bool is_orphan(const struct lease_env *env, const struct errand_note *n)
{
    return !group_is_active(env->group, n->answer ? &n->recipient : &n->author);
}

static int listing_note(void *ctx, const struct id *id, const struct entity *x)
{
    struct listing *l = ctx;
    struct errand_note n;
    if (l->ids.n >= ERRANDS_LISTED * sizeof *id || !errand_note_of(l->env, id, x, &n))
        return 0;
    bool mine = !n.answer && id_eq(&n.recipient, &l->env->device) && !id_eq(&n.author, &l->env->device);
    bool listed = l->orphans ? is_orphan(l->env, &n) : mine && group_is_active(l->env->group, &n.author);
    return listed ? buf_append(&l->ids, id, sizeof *id) : 0;
}

static int listing_make(struct listing *l, struct err *e)
{
    buf_init(&l->ids, ERRANDS_LISTED * sizeof(struct id));
    return store_entities(l->env->store, SPACE_WORK, listing_note, l, e);
}

static struct id listing_at(const struct listing *l, size_t i)
{
    struct id id;
    memcpy(&id, l->ids.p + i * sizeof id, sizeof id);
    return id;
}

static size_t listing_n(const struct listing *l)
{
    return l->ids.n / sizeof(struct id);
}

int errands_tidy(const struct lease_env *env, struct err *e)
{
    struct listing l = {.env = env, .orphans = true};
    int rc = listing_make(&l, e);
    for (size_t i = 0; rc == 0 && i < listing_n(&l); i++) {
        struct id id = listing_at(&l, i);
        rc = errand_forget(env, &id, e);
    }
    buf_release(&l.ids);
    return rc;
}

/* ---- reading one ------------------------------------------------------------------------------------------
 */

/* An errand that was opened. */
struct opened {
    struct errand_head head;
    struct errand_items items;
    struct buf content;
};

/* *there false: it is gone. ERR_VERIFY, ERR_FORMAT, ERR_LIMIT, ERR_VERSION: it cannot be read. */
static int one_open(const struct lease_env *env, const struct id *id, struct opened *o, bool *there,
                    struct err *e)
{
    struct errand_note n;
    struct entity *x = entity_new();
    int rc = x != NULL ? store_entity(env->store, SPACE_WORK, id, x, NULL) : ERR_NOMEM;
    *there = rc == 0 && errand_note_of(env, id, x, &n);
    if (*there) {
        rc = errand_open(env, n.sealed, &o->content);
        rc = rc != 0 ? rc : errand_read(buf_view(&o->content), &o->head, &o->items);
        bool own = rc != 0 || (id_eq(&o->head.errand, id) && id_eq(&o->head.sender, &n.author));
        rc = own ? rc : ERR_VERIFY; /* somebody else's content, written again */
    }
    entity_free(x);
    return rc == 0 || rc == ERR_NOTFOUND ? 0 : err_set(e, rc, "an errand cannot be read: %s", err_text(rc));
}

static bool is_unreadable(int rc)
{
    return rc == ERR_VERIFY || rc == ERR_FORMAT || rc == ERR_LIMIT || rc == ERR_VERSION;
}

static void unread_note(struct errands *x, const struct id *id, const struct err *e)
{
    char text[ID_TEXT + 1];
    size_t kept = sizeof x->unread / sizeof x->unread[0];
    for (size_t i = 0; i < x->n_unread && i < kept; i++) {
        if (id_eq(&x->unread[i], id))
            return;
    }
    x->unread[x->n_unread++ % kept] = *id;
    id_text(id, text);
    log_line(x->env->log, LOG_WARN, "think", "%s (%s); its sender will take it back", e->text, text);
}

static bool is_remote(const struct errands *x)
{
    return x->remote != NULL && x->remote(x->remote_ctx);
}

/* ---- how far one is ---------------------------------------------------------------------------------------
 */

static int claim_keep(void *ctx, const struct answer_claim *c)
{
    struct errands *x = ctx;
    if (x->n_claims == ERRAND_CLAIMS_MAX)
        return ERR_LIMIT;
    x->claims[x->n_claims++] = *c;
    return 0;
}

/* Of x->at; nothing yet when it is another one's or cannot be read. */
static int progress_load(struct errands *x, uint8_t *failures, struct err *e)
{
    struct buf v;
    struct rd r;
    bool found = false;
    buf_init(&v, PROGRESS_BYTES_MAX);
    int rc = local_get(x->env->store, PROGRESS, &v, &found, e);
    rd_init(&r, buf_view(&v));
    struct bytes id = rd_bytes(&r, ID_BYTES);
    bool same = rc == 0 && found && bytes_eq(id, bytes_of(x->at.b, ID_BYTES));
    x->n_claims = 0;
    *failures = rd_u8(&r);
    x->next = rd_u8(&r);
    struct bytes claims = rd_bytes(&r, rd_left(&r));
    if (!same || r.err != 0 || answer_read(claims, &x->at, BATCH_MAX, claim_keep, x) != 0)
        x->next = x->n_claims = *failures = 0;
    buf_release(&v);
    return rc;
}

static int progress_save(struct errands *x, uint8_t failures, size_t next, struct err *e)
{
    struct buf v;
    buf_init(&v, PROGRESS_BYTES_MAX);
    wr_bytes(&v, bytes_of(x->at.b, ID_BYTES));
    wr_u8(&v, failures);
    wr_u8(&v, (uint8_t)next);
    int rc = answer_put(&x->at, x->claims, x->n_claims, &v);
    rc = rc != 0 ? err_set(e, rc, "keeping how far an errand is")
                 : local_set(x->env->store, PROGRESS, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

/* ---- taking one -------------------------------------------------------------------------------------------
 */

static size_t most(const struct errands *x)
{
    return x->most == 0 || x->most > BATCH_MAX ? BATCH_MAX : x->most;
}

/* The next part. Sources that this device keeps from its model are kept from it here, too. That a remote one
 * sees nothing unless told so does not count: the user said so where it was observed. */
static int items_take(struct errands *x, const struct opened *o, struct work *out, struct err *e)
{
    struct buf sources, guarded;
    buf_init(&sources, LIMIT_SETTING_BYTES);
    buf_init(&guarded, LIMIT_SETTING_BYTES);
    int rc = config_text(x->env->store, "endpoint.sources", &sources, e);
    rc = rc != 0 ? rc : config_text(x->env->store, "audit.context", &guarded, e);
    while (rc == 0 && x->next < o->items.n && out->n < most(x)) {
        size_t i = x->next++;
        const struct stored_observation *v = &o->items.v[i];
        bool asked = o->items.guarded[i] || source_listed(buf_view(&guarded), v->source);
        if (endpoint_source_allowed(buf_view(&sources), v->source, false))
            rc = work_add(out, v, &o->head.sender, asked);
    }
    x->last = x->next >= o->items.n;
    buf_release(&sources);
    buf_release(&guarded);
    return rc;
}

static bool may_go(const struct errands *x, const struct errand_items *items)
{
    bool remote = is_remote(x), may = true;
    for (size_t i = 0; i < items->n; i++)
        may = may && (!remote || items->remote[i]);
    return may;
}

static int answer_write(struct errands *x, struct err *e)
{
    struct opened o;
    bool there = false;
    struct buf content;
    buf_init(&o.content, ERRAND_SEALED_MAX);
    buf_init(&content, ERRAND_SEALED_MAX);
    int rc = one_open(x->env, &x->at, &o, &there, e);
    if (rc == 0 && there) {
        struct errand_new n = {.to = o.head.sender, .answer = true};
        errand_answer_id(&x->at, &n.id);
        rc = answer_put(&x->at, x->claims, x->n_claims, &content);
        n.content = buf_view(&content);
        rc = rc != 0 ? err_set(e, rc, "answering an errand") : errand_write(x->env, &n, e);
    }
    buf_release(&o.content);
    buf_release(&content);
    return rc;
}

/* The part is worked off; in a transaction. */
static int part_done(struct errands *x, struct err *e)
{
    if (!x->last)
        return progress_save(x, 0, x->next, e);
    int rc = x->n_claims > 0 ? answer_write(x, e) : 0;
    if (rc == 0) /* behind the answer: who sees it gone has that */
        rc = errand_forget(x->env, &x->at, e);
    return rc != 0 ? rc : local_set(x->env->store, PROGRESS, BYTES_NONE, e);
}

static int passed_over(struct errands *x, struct err *e)
{
    int rc = store_begin(x->env->store, e);
    if (rc != 0)
        return rc;
    rc = part_done(x, e);
    if (rc == 0)
        return store_commit(x->env->store, e);
    store_rollback(x->env->store);
    return rc;
}

/* One errand into out; out->n stays 0: it is left, or there was nothing in it for this device's model. */
static int one_take(struct errands *x, const struct id *id, struct opened *o, struct work *out, struct err *e)
{
    bool there = false;
    uint8_t failures;
    buf_clear(&o->content);
    int rc = one_open(x->env, id, o, &there, e);
    if (is_unreadable(rc)) {
        unread_note(x, id, e);
        *e = ERR_INIT;
        return 0;
    }
    if (rc != 0 || !there || !may_go(x, &o->items))
        return rc;
    x->at = *id;
    rc = progress_load(x, &failures, e);
    rc = rc != 0 ? rc : items_take(x, o, out, e);
    if (rc == 0 && out->n == 0) /* passed over for good, as in the own queue */
        rc = passed_over(x, e);
    x->on_errand = rc == 0 && out->n > 0;
    if (x->on_errand)
        work_finish(out);
    return rc;
}

/* The one that was begun, to the front: its parts follow one another. */
static int begun_first(struct errands *x, struct listing *l, struct err *e)
{
    struct buf v;
    bool found = false;
    buf_init(&v, PROGRESS_BYTES_MAX);
    int rc = local_get(x->env->store, PROGRESS, &v, &found, e);
    for (size_t i = 0; rc == 0 && found && v.n > ID_BYTES && i < listing_n(l); i++) {
        struct id id = listing_at(l, i), first = listing_at(l, 0);
        if (memcmp(id.b, v.p, ID_BYTES) != 0)
            continue;
        memcpy(l->ids.p + i * sizeof first, &first, sizeof first);
        memcpy(l->ids.p, &id, sizeof id);
    }
    buf_release(&v);
    return rc;
}

static int any_take(struct errands *x, struct work *out, struct err *e)
{
    struct listing l = {.env = x->env};
    struct opened o;
    struct err own = ERR_INIT;
    buf_init(&o.content, ERRAND_SEALED_MAX);
    int rc = listing_make(&l, &own);
    rc = rc != 0 ? rc : begun_first(x, &l, &own);
    for (size_t i = 0; rc == 0 && out->n == 0 && i < listing_n(&l); i++) {
        struct id id = listing_at(&l, i);
        rc = one_take(x, &id, &o, out, &own);
    }
    buf_release(&o.content);
    buf_release(&l.ids);
    if (rc != 0)
        work_clear(out);
    return rc != 0 ? err_set(e, rc, "%s", own.text) : 0;
}

/* ---- as a source of work ----------------------------------------------------------------------------------
 */

static int errands_take(void *ctx, bool hurry, struct work *out, int64_t *next_ms, struct err *e)
{
    struct errands *x = ctx;
    x->on_errand = false;
    *next_ms = TIME_NONE;
    work_clear(out);
    int rc = group_has_others(x->env->group, &x->env->device) ? any_take(x, out, e) : 0;
    return rc != 0 || x->on_errand ? rc : x->own.take(x->own.ctx, hurry, out, next_ms, e);
}

static int errands_holds(void *ctx, const struct work *w, bool *out, struct err *e)
{
    struct errands *x = ctx;
    struct opened o;
    if (!x->on_errand)
        return x->own.holds(x->own.ctx, w, out, e);
    buf_init(&o.content, ERRAND_SEALED_MAX);
    int rc = one_open(x->env, &x->at, &o, out, e);
    *out = rc == 0 && *out && may_go(x, &o.items);
    buf_release(&o.content);
    return rc;
}

static int errands_done(void *ctx, const struct work *w, struct err *e)
{
    struct errands *x = ctx;
    return x->on_errand ? part_done(x, e) : x->own.done(x->own.ctx, w, e);
}

/* A part whose answers are unusable is left, the others are not. */
static int errands_failed(void *ctx, const struct work *w, bool *given_up, struct err *e)
{
    struct errands *x = ctx;
    uint8_t failures = 0;
    size_t next = x->next;
    if (!x->on_errand)
        return x->own.failed(x->own.ctx, w, given_up, e);
    *given_up = false;
    if (w->too_large && w->n > 1) {
        x->most = (w->n + 1) / 2;
        return 0;
    }
    int rc = progress_load(x, &failures, e); /* without what this part had found */
    size_t from = x->next;
    failures++;
    x->next = next;
    *given_up = rc == 0 && failures >= ERRAND_FAILURES_MAX;
    return *given_up ? part_done(x, e) : rc != 0 ? rc : progress_save(x, failures, from, e);
}

/* Keeps for the answer that a claim rests on observations of the errand; rows are their places. */
static int errands_rests(void *ctx, const struct rests_on *r, struct err *e)
{
    struct errands *x = ctx;
    if (!x->on_errand || r->n == 0)
        return 0;
    if (x->n_claims == ERRAND_CLAIMS_MAX)
        return err_set(e, ERR_LIMIT, "too many claims for one answer");
    struct answer_claim *c = &x->claims[x->n_claims++];
    *c = (struct answer_claim){.prop = *r->prop, .worded = r->worded};
    for (size_t place = 0; place < BATCH_MAX; place++) {
        for (size_t i = 0; i < r->n; i++) {
            if (r->v[i].observation == (int64_t)place && (c->n == 0 || c->place[c->n - 1] != place)) {
                c->against[c->n] = r->v[i].against;
                c->place[c->n++] = (uint8_t)place;
            }
        }
    }
    return 0;
}

struct work_source errands_source(struct errands *x)
{
    return (struct work_source){errands_take, errands_holds, errands_done, errands_failed, errands_rests, x};
}
