/* Local values "think:handed:ID": state u8, 0 under way, 1 taken back | made svarint ms | to 16 | number of
 * the row in the log of what was sent varint | (row svarint | event key 16) × n. One that was taken back is
 * kept for TAKEN_BACK_MS: it may have been served at the same time, and what its answer names must still go
 * when a row was erased. */
#include "node/infer/handing.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "node/infer/again.h"
#include "node/infer/sent.h"
#include "node/model/adopt.h"

#include <stdio.h>
#include <string.h>

#define HANDED "think:handed:"
#define RECORD_BYTES_MAX 2048u
#define RECORDS_MAX 4096u
#define TAKEN_BACK_MS (3 * MS_DAY)

struct handed {
    struct id id, to;
    bool taken_back;
    int64_t made_ms;
    uint64_t sent;
    struct queue_row v[BATCH_MAX];
    size_t n;
};

/* ---- records ----------------------------------------------------------------------------------------------
 */

static void record_name(const struct id *id, char out[sizeof(HANDED) + ID_TEXT])
{
    memcpy(out, HANDED, sizeof(HANDED) - 1);
    id_text(id, out + sizeof(HANDED) - 1);
}

static int record_save(struct store *s, const struct handed *h, struct err *e)
{
    char name[sizeof(HANDED) + ID_TEXT];
    struct buf v;
    buf_init(&v, RECORD_BYTES_MAX);
    wr_u8(&v, h->taken_back);
    wr_svarint(&v, h->made_ms);
    wr_bytes(&v, bytes_of(h->to.b, ID_BYTES));
    wr_varint(&v, h->sent);
    for (size_t i = 0; i < h->n; i++) {
        wr_svarint(&v, h->v[i].row);
        wr_bytes(&v, bytes_of(h->v[i].key, sizeof h->v[i].key));
    }
    record_name(&h->id, name);
    int rc =
        v.err != 0 ? err_set(e, v.err, "keeping what was handed over") : local_set(s, name, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

static int record_drop(struct store *s, const struct id *id, struct err *e)
{
    char name[sizeof(HANDED) + ID_TEXT];
    record_name(id, name);
    return local_set(s, name, BYTES_NONE, e);
}

static int record_read(struct bytes value, struct handed *h)
{
    struct rd r;
    rd_init(&r, value);
    h->n = 0;
    h->taken_back = rd_u8(&r) == 1;
    h->made_ms = rd_svarint(&r);
    rd_copy(&r, h->to.b, ID_BYTES);
    h->sent = rd_varint(&r);
    while (r.err == 0 && rd_left(&r) > 0 && h->n < BATCH_MAX) {
        h->v[h->n].row = rd_svarint(&r);
        rd_copy(&r, h->v[h->n++].key, 16);
    }
    return rd_end(&r);
}

static int record_load(struct store *s, const struct id *id, struct handed *h, struct err *e)
{
    char name[sizeof(HANDED) + ID_TEXT];
    struct buf v;
    bool found = false;
    buf_init(&v, RECORD_BYTES_MAX);
    record_name(id, name);
    *h = (struct handed){.id = *id};
    int rc = local_get(s, name, &v, &found, e);
    if (rc == 0 && (!found || record_read(buf_view(&v), h) != 0))
        rc = err_set(e, ERR_CORRUPT, "what is known of an errand is damaged");
    buf_release(&v);
    return rc;
}

static int ids_note(void *ctx, const char *name, struct bytes value)
{
    struct buf *ids = ctx;
    struct id id;
    (void)value;
    bool named = id_parse(bytes_str(name + sizeof(HANDED) - 1), &id) == 0;
    return named && ids->n < ids->max ? buf_append(ids, &id, sizeof id) : 0;
}

/* Does something with each record. */
struct visit {
    struct store *store;
    int (*fn)(void *ctx, struct handed *h, struct err *e);
    void *ctx;
};

static int records_each(const struct visit *v, struct err *e)
{
    struct buf ids;
    struct handed h;
    buf_init(&ids, RECORDS_MAX * sizeof(struct id));
    int rc = local_each(v->store, HANDED, ids_note, &ids, e);
    for (size_t at = 0; rc == 0 && at < ids.n; at += sizeof(struct id)) {
        struct id id;
        memcpy(&id, ids.p + at, sizeof id);
        rc = record_load(v->store, &id, &h, e);
        if (rc == ERR_CORRUPT) /* its errand is one without a record then */
            rc = record_drop(v->store, &id, e);
        else
            rc = rc != 0 ? rc : v->fn(v->ctx, &h, e);
    }
    buf_release(&ids);
    return rc;
}

struct counting {
    uint64_t errands, observations;
    int64_t due_ms;
};

static int count_one(void *ctx, struct handed *h, struct err *e)
{
    struct counting *c = ctx;
    int64_t due = h->made_ms + HANDED_MS;
    (void)e;
    if (h->taken_back)
        return 0;
    c->errands++;
    c->observations += h->n;
    c->due_ms = c->due_ms == TIME_NONE || due < c->due_ms ? due : c->due_ms;
    return 0;
}

static int count_all(struct store *s, struct counting *c, struct err *e)
{
    *c = (struct counting){.due_ms = TIME_NONE};
    const struct visit v = {s, count_one, c};
    return records_each(&v, e);
}

int handing_count(struct store *s, uint64_t *errands, uint64_t *observations, struct err *e)
{
    struct counting c;
    int rc = count_all(s, &c, e);
    *errands = c.errands;
    *observations = c.observations;
    return rc;
}

/* ---- the log of what was sent -----------------------------------------------------------------------------
 */

struct outcome_change {
    struct store *s;
    uint64_t number;
    const char *text;
    struct err *e;
};

static int outcome_note(void *ctx, const struct sent_row *r)
{
    const struct outcome_change *o = ctx;
    struct sent_row now = *r;
    if (r->number != o->number)
        return r->number < o->number ? 1 : 0;
    (void)snprintf(now.outcome, sizeof now.outcome, "%s", o->text);
    int rc = sent_update(o->s, &now, o->e);
    return rc != 0 ? rc : 1;
}

static int outcome_set(struct store *s, uint64_t number, const char *text, struct err *e)
{
    struct outcome_change o = {s, number, text, e};
    int rc = sent_each(s, SENT_ROWS_MAX, outcome_note, &o, e);
    return rc > 0 ? 0 : rc;
}

static int sent_note(const struct lease_env *env, const struct work *w, struct handed *h, size_t bytes,
                     struct err *e)
{
    const struct member *m = group_find(env->group, &h->to);
    struct buf sources;
    buf_init(&sources, BATCH_MAX * (LIMIT_NAME_BYTES + 1));
    work_sources(w, &sources);
    struct sent_row r = {.time_ms = h->made_ms,
                         .purpose = BYTES_LIT("errand"),
                         .sources = buf_view(&sources),
                         .outcome = "under way",
                         .observations = (uint32_t)w->n,
                         .bytes_out = bytes};
    (void)snprintf(r.host, sizeof r.host, "%s", m != NULL ? m->name : "");
    int rc = sent_add(env->store, &r, e);
    h->sent = r.number;
    buf_release(&sources);
    return rc;
}

/* ---- taking back ------------------------------------------------------------------------------------------
 */

/* In a transaction. `again`: what is left of its rows waits again. */
static int take_back(const struct lease_env *env, struct handed *h, bool again, struct err *e)
{
    struct buf rows;
    again_init(&rows);
    for (size_t i = 0; again && i < h->n; i++) {
        struct stored_observation o;
        if (local_observation(env->store, h->v[i].row, &o, NULL) == 0 && memcmp(o.key, h->v[i].key, 16) == 0)
            (void)buf_append(&rows, &h->v[i].row, sizeof h->v[i].row);
    }
    h->taken_back = true;
    int rc = errand_forget(env, &h->id, e);
    rc = rc != 0 ? rc : again_add(env->store, &rows, e);
    rc = rc != 0 ? rc : record_save(env->store, h, e);
    buf_release(&rows);
    return rc != 0 ? rc : outcome_set(env->store, h->sent, "taken back", e);
}

static bool all_here(struct store *s, const struct handed *h)
{
    for (size_t i = 0; i < h->n; i++) {
        struct stored_observation o;
        if (local_observation(s, h->v[i].row, &o, NULL) != 0 || memcmp(o.key, h->v[i].key, 16) != 0)
            return false;
    }
    return true;
}

/* Whether an errand is still there to be taken back, and not served. */
static int errand_state(const struct lease_env *env, const struct id *id, bool *waits, struct err *e)
{
    struct err own = ERR_INIT;
    struct entity *x = entity_new();
    int rc = x != NULL ? store_entity(env->store, SPACE_WORK, id, x, &own) : ERR_NOMEM;
    *waits = rc == 0 && !entity_forgotten(x);
    entity_free(x);
    return rc == 0 || rc == ERR_NOTFOUND ? 0 : err_set(e, rc, "looking at an errand: %s", own.text);
}

static int one_erased(void *ctx, struct handed *h, struct err *e)
{
    const struct lease_env *env = ctx;
    bool waits = false;
    int rc = h->taken_back ? 0 : errand_state(env, &h->id, &waits, e);
    return rc == 0 && waits && !all_here(env->store, h) ? take_back(env, h, true, e) : rc;
}

int handing_erased(const struct lease_env *env, struct err *e)
{
    struct lease_env own = *env;
    const struct visit v = {env->store, one_erased, &own};
    return records_each(&v, e);
}

static int one_drop(void *ctx, struct handed *h, struct err *e)
{
    return h->taken_back ? 0 : take_back(ctx, h, false, e);
}

static int drop_all(const struct lease_env *env, struct err *e)
{
    struct lease_env own = *env;
    const struct visit v = {env->store, one_drop, &own};
    return records_each(&v, e);
}

static int ended(struct store *s, int rc, struct err *e)
{
    if (rc == 0)
        return store_commit(s, e);
    store_rollback(s);
    return rc;
}

int handing_drop_all(const struct lease_env *env, struct err *e)
{
    int rc = store_begin(env->store, e);
    return rc != 0 ? rc : ended(env->store, drop_all(env, e), e);
}

/* ---- answers ----------------------------------------------------------------------------------------------
 */

struct taking_up {
    const struct lease_env *env;
    const struct handed *h;
    struct err *e;
};

/* A claim whose words rest on what was erased here meanwhile goes, too. */
static int claim_take(void *ctx, const struct answer_claim *c)
{
    const struct taking_up *t = ctx;
    struct claim_link links[BATCH_MAX];
    size_t n = 0;
    bool erased = false;
    for (size_t k = 0; k < c->n; k++) {
        const struct queue_row *row = &t->h->v[c->place[k]];
        struct stored_observation o;
        bool here =
            local_observation(t->env->store, row->row, &o, NULL) == 0 && memcmp(o.key, row->key, 16) == 0;
        if (here)
            links[n++] = (struct claim_link){row->row, c->against[k]};
        erased = erased || !here;
    }
    const struct rests_on r = {&c->prop, links, n, c->worded};
    int rc = adopt_link(t->env->store, &r, t->e);
    return rc == 0 && erased && c->worded ? adopt_unlearn(t->env->store, &c->prop, t->e) : rc;
}

/* The answer in x, if it is one by the device that the errand went to. What cannot be read says nothing. */
static int answer_take(struct taking_up *t, const struct id *id, const struct entity *x)
{
    struct errand_note n;
    struct buf content;
    buf_init(&content, ERRAND_SEALED_MAX);
    bool ours = errand_note_of(t->env, id, x, &n) && n.answer && id_eq(&n.author, &t->h->to) &&
                id_eq(&n.recipient, &t->env->device);
    int rc = ours ? errand_open(t->env, n.sealed, &content) : ERR_FORMAT;
    rc = rc != 0 ? rc : answer_read(buf_view(&content), &t->h->id, t->h->n, claim_take, t);
    buf_release(&content);
    if (rc == ERR_FORMAT || rc == ERR_VERIFY || rc == ERR_VERSION || rc == ERR_LIMIT)
        log_line(t->env->log, LOG_WARN, "think", "the answer to an errand cannot be read: %s", err_text(rc));
    else if (rc != 0)
        return rc;
    return errand_forget(t->env, id, t->e);
}

/* In a transaction: it is served, or was when it was taken back. */
static int take_up(const struct lease_env *env, const struct handed *h, bool final, struct err *e)
{
    struct taking_up t = {env, h, e};
    struct err own = ERR_INIT;
    struct id id;
    struct entity *x = entity_new();
    errand_answer_id(&h->id, &id);
    int rc = x != NULL ? store_entity(env->store, SPACE_WORK, &id, x, &own) : ERR_NOMEM;
    bool answered = rc == 0 && !entity_forgotten(x);
    if (answered)
        rc = answer_take(&t, &id, x);
    entity_free(x);
    rc = rc == ERR_NOTFOUND ? 0 : rc;
    if (rc == 0 && (answered || final))
        rc = record_drop(env->store, &h->id, e);
    return rc != 0 || h->taken_back ? rc : outcome_set(env->store, h->sent, "answered", e);
}

/* ---- tending ----------------------------------------------------------------------------------------------
 */

static bool is_old(const struct handed *h, int64_t now_ms)
{
    int64_t age = now_ms - h->made_ms;
    return age >= HANDED_MS || age <= -HANDED_MS; /* a clock may have been set back */
}

static int must_come_back(struct handing *x, struct handed *h, const struct lease *lease, bool *out,
                          struct err *e)
{
    bool held = !id_none(&lease->device), moved = held && !id_eq(&lease->device, &h->to);
    *out = moved || is_old(h, clock_wall_ms(x->env->clock)) || !group_is_active(x->env->group, &h->to);
    if (*out)
        return 0;
    int rc = queue_rows_look(x->queue, h->v, h->n, e);
    for (size_t i = 0; rc == 0 && i < h->n; i++)
        *out = *out || !h->v[i].here || !(held && lease->remote ? h->v[i].may_go_remote : h->v[i].may_go);
    return rc;
}

struct tending {
    struct handing *x;
    const struct lease *lease;
};

static int one_tend(void *ctx, struct handed *h, struct err *e)
{
    const struct tending *t = ctx;
    const struct lease_env *env = t->x->env;
    bool waits = false, back = false;
    int64_t age = clock_wall_ms(env->clock) - h->made_ms;
    int rc = h->taken_back ? 0 : errand_state(env, &h->id, &waits, e);
    if (rc == 0 && waits)
        rc = must_come_back(t->x, h, t->lease, &back, e);
    if (rc != 0 || (waits && !back))
        return rc;
    bool final = !h->taken_back || age >= TAKEN_BACK_MS || age <= -TAKEN_BACK_MS;
    rc = store_begin(env->store, e);
    if (rc != 0)
        return rc;
    t->x->looked_again = t->x->looked_again && !back;
    return ended(env->store, back ? take_back(env, h, true, e) : take_up(env, h, final, e), e);
}

/* ---- handing over -----------------------------------------------------------------------------------------
 */

static int hand_over_body(struct handing *x, struct gathered *g, struct handed *h, struct err *e)
{
    const struct errand_head head = {h->id, x->env->device};
    struct buf content;
    buf_init(&content, ERRAND_SEALED_MAX);
    int rc = errand_put(&head, &g->w, g->remote, &content);
    const struct errand_new n = {.id = h->id, .to = h->to, .content = buf_view(&content)};
    rc = rc != 0 ? err_set(e, rc, "writing an errand") : errand_write(x->env, &n, e);
    rc = rc != 0 ? rc : queue_given(x->queue, g, e);
    rc = rc != 0 ? rc : sent_note(x->env, &g->w, h, content.n, e);
    buf_release(&content);
    return rc != 0 ? rc : record_save(x->env->store, h, e);
}

static int hand_over(struct handing *x, struct gathered *g, const struct id *to, struct err *e)
{
    struct handed h = {.to = *to, .made_ms = clock_wall_ms(x->env->clock), .n = g->w.n};
    rng_fill(x->env->rng, h.id.b, ID_BYTES);
    for (size_t i = 0; i < h.n; i++) {
        h.v[i].row = g->w.v[i].row;
        memcpy(h.v[i].key, g->w.v[i].key, sizeof h.v[i].key);
    }
    int rc = store_begin(x->env->store, e);
    return rc != 0 ? rc : ended(x->env->store, hand_over_body(x, g, &h, e), e);
}

static int gather_all(struct handing *x, struct gathered *g, const struct lease *lease, size_t room,
                      struct err *e)
{
    int rc = queue_yield(x->queue, e);
    while (rc == 0 && room > 0) {
        g->again = !x->looked_again;
        rc = queue_gather(x->queue, g, e);
        if (rc == 0 && g->w.n == 0)
            break;
        rc = rc != 0 ? rc : hand_over(x, g, &lease->device, e);
        room--;
    }
    x->looked_again = rc == 0 && room > 0;
    x->hurry = x->hurry && !(rc == 0 && room > 0);
    return rc;
}

int handing_step(struct handing *x, const struct lease *lease, int64_t *next_ms, struct err *e)
{
    struct tending t = {x, lease};
    struct counting c = {.due_ms = TIME_NONE};
    const struct visit v = {x->env->store, one_tend, &t};
    int rc = records_each(&v, e);
    rc = rc != 0 ? rc : count_all(x->env->store, &c, e);
    *next_ms = c.due_ms;
    bool others = !id_none(&lease->device) && !id_eq(&lease->device, &x->env->device);
    if (rc != 0 || !others || c.errands >= HANDED_MAX)
        return rc;
    struct gathered g;
    gathered_init(&g);
    g.to_remote = lease->remote;
    g.hurry = x->hurry;
    rc = gather_all(x, &g, lease, HANDED_MAX - (size_t)c.errands, e);
    if (rc == 0)
        *next_ms = time_earlier(*next_ms, g.next_ms);
    gathered_release(&g);
    return rc;
}

void handing_wake(struct handing *h)
{
    h->looked_again = false;
}

/* ---- what has no record -----------------------------------------------------------------------------------
 */

struct tidying {
    const struct lease_env *env;
    struct buf known, ids; /* known: errands and their answers */
};

static bool is_known(const struct tidying *t, const struct id *id)
{
    for (size_t at = 0; at < t->known.n; at += sizeof *id) {
        if (memcmp(t->known.p + at, id, sizeof *id) == 0)
            return true;
    }
    return false;
}

static int known_note(void *ctx, struct handed *h, struct err *e)
{
    struct tidying *t = ctx;
    struct id answer;
    (void)e;
    errand_answer_id(&h->id, &answer);
    (void)buf_append(&t->known, &h->id, sizeof h->id);
    return buf_append(&t->known, &answer, sizeof answer);
}

static int tidying_note(void *ctx, const struct id *id, const struct entity *x)
{
    struct tidying *t = ctx;
    struct errand_note n;
    bool ours =
        errand_note_of(t->env, id, x, &n) && id_eq(n.answer ? &n.recipient : &n.author, &t->env->device);
    return ours && !is_known(t, id) && t->ids.n < t->ids.max ? buf_append(&t->ids, id, sizeof *id) : 0;
}

int handing_tidy(const struct lease_env *env, struct err *e)
{
    struct tidying t = {.env = env};
    const struct visit v = {env->store, known_note, &t};
    buf_init(&t.ids, 256 * sizeof(struct id));
    buf_init(&t.known, 2 * RECORDS_MAX * sizeof(struct id));
    int rc = records_each(&v, e);
    rc = rc != 0 ? rc : store_entities(env->store, SPACE_WORK, tidying_note, &t, e);
    for (size_t at = 0; rc == 0 && at < t.ids.n; at += sizeof(struct id)) {
        struct id id;
        memcpy(&id, t.ids.p + at, sizeof id);
        rc = errand_forget(env, &id, e);
    }
    buf_release(&t.ids);
    buf_release(&t.known);
    return rc;
}
