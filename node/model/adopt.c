#include "node/model/adopt.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "node/model/claim.h"
#include "node/model/revision.h"

#include <stdio.h>
#include <string.h>

#define SEEN_PAGE 1000u /* as node/model/claim.c */
#define WORDS_ROWS_MAX 4000u

struct adopting {
    const struct adopt_env *env;
    const struct adopt_input *in;
    struct adopt_summary *sum;
    struct calibration calibration;
    struct draft draft;
    struct buf seen, links, words; /* struct seen, struct claim_link, int64_t */
    struct buf far;                /* struct claim_link: of other devices */
    uint64_t kept;                 /* claims whose evidence counts: new ones, revised ones, identical ones */
    struct err *e;
};

/* ---- evidence ---------------------------------------------------------------------------------------------
 */

static int32_t local_day(const struct stored_observation *o)
{
    int64_t ms = o->time_ms + (o->offset_min == INT16_MIN ? 0 : o->offset_min * MS_MINUTE);
    return (int32_t)(ms >= 0 ? ms / MS_DAY : -((MS_DAY - 1 - ms) / MS_DAY));
}

void occasion_of(struct bytes claim_secret, const struct stored_observation *o, const struct id *device,
                 uint8_t out[16])
{
    const struct id any = ID_NONE; /* whatever claim it stands behind */
    const struct occasion day = {o->source, local_day(o),
                                 o->shared_event ? BYTES_NONE : bytes_of(device->b, ID_BYTES)};
    claim_occasion(claim_secret, &any, &day, out);
}

static void evidence_begin(struct adopting *a)
{
    buf_clear(&a->seen);
    buf_clear(&a->links);
    buf_clear(&a->words);
    buf_clear(&a->far);
}

/* Adds what the observations of `bits` say; at_ms: their time (TIME_NONE: each its own). */
static void evidence_add(struct adopting *a, uint64_t bits, bool against, int64_t at_ms)
{
    const struct thought_of *of = a->in->of;
    for (size_t i = 0; i < of->n; i++) {
        const struct stored_observation *o = &of->v[i];
        struct seen s = {.against = against, .time_ms = at_ms != TIME_NONE ? at_ms : o->time_ms};
        if ((bits >> i & 1) == 0)
            continue;
        occasion_of(a->env->claim_secret, o, &of->devices[i], s.key);
        (void)buf_append(&a->seen, &s, sizeof s);
        const struct claim_link l = {o->row, against};
        bool here = id_eq(&of->devices[i], &of->here);
        (void)buf_append(here ? &a->links : &a->far, &l, sizeof l);
        if (here)
            (void)buf_append(&a->words, &o->row, sizeof o->row);
    }
}

/* The evidence of the claims of `bits`. A contradiction must not look like the last support: it takes the
 * time of the first. */
static void evidence_of_claims(struct adopting *a, uint64_t bits)
{
    const struct proposals *c = a->in->c;
    uint64_t support = 0, against = 0;
    for (size_t i = 0; i < c->n; i++) {
        support |= (bits >> i & 1) != 0 ? c->v[i].support : 0;
        against |= (bits >> i & 1) != 0 ? c->v[i].against : 0;
    }
    int64_t first = TIME_NONE;
    for (size_t i = 0; i < a->in->of->n; i++) {
        int64_t ms = a->in->of->v[i].time_ms;
        if ((support >> i & 1) != 0 && (first == TIME_NONE || ms < first))
            first = ms;
    }
    evidence_add(a, support, false, TIME_NONE);
    evidence_add(a, against & ~support, true, first);
}

static int seen_copy(void *ctx, const struct seen *s)
{
    struct adopting *a = ctx;
    return buf_append(&a->seen, s, sizeof *s);
}

static int link_copy(void *ctx, const struct stored_observation *o, bool against)
{
    struct adopting *a = ctx;
    const struct claim_link l = {o->row, against};
    return buf_append(&a->links, &l, sizeof l);
}

static void words_name(const struct id *id, char out[ID_TEXT + 16])
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    (void)snprintf(out, ID_TEXT + 16, "model:words:%s", text);
}

/* The rows that the wording of a claim of this device rests on. */
static int words_load(struct store *s, const struct id *id, struct buf *out, bool *found, struct err *e)
{
    char name[ID_TEXT + 16];
    words_name(id, name);
    return local_get(s, name, out, found, e);
}

static int words_copy(struct adopting *a, const struct id *old)
{
    struct buf held;
    bool found = false;
    buf_init(&held, WORDS_ROWS_MAX * sizeof(int64_t));
    int rc = words_load(a->env->store, old, &held, &found, a->e);
    if (rc == 0 && found)
        rc = buf_bytes(&a->words, buf_view(&held));
    buf_release(&held);
    return rc;
}

static int evidence_of_old(struct adopting *a, const struct id *old)
{
    int rc = store_seen(a->env->store, old, seen_copy, a, a->e);
    if (rc == 0)
        rc = local_links(a->env->store, old, false, UINT32_MAX, link_copy, a, a->e);
    return rc != 0 ? rc : words_copy(a, old);
}

static int seen_write(struct adopting *a, const struct id *id)
{
    struct seen *v = (struct seen *)(void *)a->seen.p;
    size_t n = a->seen.n / sizeof *v;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < n; at += SEEN_PAGE) {
        draft_reset(&a->draft, SPACE_PROPOSITION, CLASS_MODEL, id);
        draft_seen(&a->draft, v + at, n - at < SEEN_PAGE ? n - at : SEEN_PAGE);
        rc = store_write(a->env->store, &a->draft, a->e);
    }
    return rc;
}

/* Writes the evidence gathered to `id`; `worded`: its words rest on it. */
static int evidence_write(struct adopting *a, const struct id *id, bool worded)
{
    char name[ID_TEXT + 16];
    if ((a->seen.err | a->links.err | a->words.err | a->far.err) != 0)
        return err_set(a->e, ERR_NOMEM, "gathering evidence");
    int rc = seen_write(a, id);
    const struct claim_link *l = (const struct claim_link *)(const void *)a->links.p;
    for (size_t i = 0; rc == 0 && i < a->links.n / sizeof *l; i++)
        rc = local_link_add(a->env->store, id, l[i].observation, l[i].against, a->e);
    const struct rests_on far = {id, (const struct claim_link *)(const void *)a->far.p,
                                 a->far.n / sizeof(struct claim_link), worded};
    if (rc == 0 && a->env->rests != NULL)
        rc = a->env->rests(a->env->rests_ctx, &far, a->e);
    words_name(id, name);
    return rc == 0 && worded ? local_set(a->env->store, name, buf_view(&a->words), a->e) : rc;
}

/* ---- claims -----------------------------------------------------------------------------------------------
 */

static int64_t created_of(const struct adopting *a, uint64_t claims)
{
    int64_t first = a->env->now_ms;
    for (size_t i = 0; i < a->in->c->n; i++) {
        uint64_t support = (claims >> i & 1) != 0 ? a->in->c->v[i].support : 0;
        for (size_t k = 0; k < a->in->of->n; k++) {
            int64_t ms = a->in->of->v[k].time_ms;
            first = (support >> k & 1) != 0 && ms < first ? ms : first;
        }
    }
    return first;
}

static void stated_put(struct adopting *a, uint8_t stated)
{
    char tag[16];
    calibrate_tag(stated, tag);
    draft_set_add(&a->draft, SET_TAG, bytes_str(tag));
}

/* A proposition from the claims alone. */
static int fresh_write(struct adopting *a, const struct revised *r, struct id *id)
{
    struct draft *d = &a->draft;
    struct buf created;
    uint16_t prior = calibrate_prior(&a->calibration, r->confidence);
    const uint8_t prior_bytes[2] = {(uint8_t)(prior >> 8), (uint8_t)prior};
    buf_init(&created, 16);
    wr_svarint(&created, created_of(a, r->claims));
    rng_fill(a->env->rng, id->b, ID_BYTES);
    draft_reset(d, SPACE_PROPOSITION, CLASS_MODEL, id);
    draft_reg(d, REG_TEXT, r->text, NULL, 0);
    draft_reg(d, REG_REASONING, r->reasoning, NULL, 0);
    draft_reg_u8(d, REG_DECAY, r->decay, NULL, 0);
    draft_reg_u8(d, REG_KIND, KIND_MODEL, NULL, 0);
    draft_reg(d, REG_PRIOR, bytes_of(prior_bytes, 2), NULL, 0);
    draft_reg(d, REG_ORIGIN, a->env->origin, NULL, 0);
    draft_reg(d, REG_CREATED, buf_view(&created), NULL, 0);
    stated_put(a, r->confidence);
    buf_release(&created);
    a->sum->added++;
    return store_write(a->env->store, d, a->e);
}

static int revision_put(struct adopting *a, const struct revised *r, struct id *id)
{
    struct id older[KNOWN_MAX];
    size_t n = 0;
    for (size_t j = 0; j < a->in->k->n; j++) {
        if ((r->olds >> j & 1) != 0)
            older[n++] = a->in->k->v[j].id;
    }
    const struct revision v = {.older = older,
                               .n_older = n,
                               .text = r->text,
                               .reasoning = r->reasoning,
                               .origin = a->env->origin,
                               .kind = KIND_MODEL,
                               .decay = r->decay,
                               .prior = calibrate_prior(&a->calibration, r->confidence),
                               .now_ms = a->env->now_ms};
    int rc = revision_write(a->env->store, a->env->rng, &v, id, a->e);
    draft_reset(&a->draft, SPACE_PROPOSITION, CLASS_MODEL, id);
    stated_put(a, r->confidence);
    rc = rc != 0 ? rc : store_write(a->env->store, &a->draft, a->e);
    evidence_begin(a);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = evidence_of_old(a, &older[i]);
    a->sum->revised++;
    return rc;
}

static int proposition_write(struct adopting *a, const struct revised *r)
{
    struct id id;
    evidence_begin(a);
    int rc = r->olds == 0 ? fresh_write(a, r, &id) : revision_put(a, r, &id);
    evidence_of_claims(a, r->claims);
    a->kept |= r->claims;
    return rc != 0 ? rc : evidence_write(a, &id, true);
}

/* Whether the user said otherwise. */
static bool users_words_against(const struct adopting *a, uint64_t claims)
{
    for (size_t i = 0; i < a->in->c->n; i++) {
        for (size_t j = 0; (claims >> i & 1) != 0 && j < a->in->k->n; j++) {
            const struct known *k = &a->in->k->v[j];
            bool rejected = (k->flags & PROP_REJECTED) != 0;
            if (a->in->r->v[i][j] == RELATION_CONTRADICTING && known_by_user(k) && !rejected)
                return true;
        }
    }
    return false;
}

static int same_as_write(struct adopting *a, const struct id *x, const struct id *y)
{
    draft_reset(&a->draft, SPACE_EDGE, CLASS_MODEL, x);
    draft_set_add(&a->draft, SET_SAME_AS, bytes_of(y->b, ID_BYTES));
    return store_write(a->env->store, &a->draft, a->e);
}

/* A claim that is known: its evidence goes there, when that counts occasions (the built-in inference counts
 * its own). Two of the model's that are identical with one claim are the same. */
static int identical_take(struct adopting *a, size_t i, size_t j)
{
    const struct knowns *k = a->in->k;
    int rc = 0;
    a->kept |= UINT64_C(1) << i;
    if ((k->v[j].flags & PROP_REJECTED) != 0)
        return 0;
    if (k->v[j].kind == KIND_MODEL || k->v[j].kind == KIND_TOLD) {
        evidence_begin(a);
        evidence_of_claims(a, UINT64_C(1) << i);
        rc = evidence_write(a, &k->v[j].id, false);
        a->sum->raised++;
    }
    for (size_t m = j + 1; rc == 0 && m < k->n; m++) {
        if (a->in->r->v[i][m] == RELATION_IDENTICAL && known_revisable(&k->v[j]) && known_revisable(&k->v[m]))
            rc = same_as_write(a, &k->v[j].id, &k->v[m].id);
    }
    return rc;
}

static int claim_take(struct adopting *a, size_t i)
{
    const struct proposal *c = &a->in->c->v[i];
    size_t j = relation_identical(a->in->r, a->in->k, i);
    if (j != SIZE_MAX)
        return identical_take(a, i, j);
    const struct revised r = {c->text, c->reasoning, c->confidence, c->decay, UINT64_C(1) << i, 0};
    return users_words_against(a, r.claims) ? 0 : proposition_write(a, &r);
}

/* ---- contradictions ---------------------------------------------------------------------------------------
 */

static int end_write(struct adopting *a, const struct known *k, int64_t at_ms)
{
    struct entity *x = entity_new();
    struct buf until;
    uint8_t stamps[LIMIT_PRIOR_STAMPS][16];
    int rc = x != NULL ? store_entity(a->env->store, SPACE_PROPOSITION, &k->id, x, a->e)
                       : err_set(a->e, ERR_NOMEM, "closing a span");
    buf_init(&until, 16);
    wr_svarint(&until, at_ms);
    if (rc == 0) {
        size_t n = entity_stamps(x, REG_VALID_UNTIL, stamps, LIMIT_PRIOR_STAMPS);
        draft_reset(&a->draft, SPACE_PROPOSITION, CLASS_MODEL, &k->id);
        draft_reg(&a->draft, REG_VALID_UNTIL, buf_view(&until), (const uint8_t(*)[16])stamps, n);
        rc = store_write(a->env->store, &a->draft, a->e);
    }
    buf_release(&until);
    entity_free(x);
    return rc;
}

/* What the claims that contradict a known one rest on speaks against it. */
static int contradicted_take(struct adopting *a, size_t j, uint64_t superseded)
{
    const struct known *k = &a->in->k->v[j];
    uint64_t support = 0;
    for (size_t i = 0; i < a->in->c->n; i++) {
        if ((a->kept >> i & 1) != 0 && a->in->r->v[i][j] == RELATION_CONTRADICTING)
            support |= a->in->c->v[i].support;
    }
    if (support == 0 || known_by_user(k) || (superseded >> j & 1) != 0)
        return 0;
    int64_t at = TIME_NONE;
    for (size_t i = 0; i < a->in->of->n; i++) {
        int64_t ms = a->in->of->v[i].time_ms;
        at = (support >> i & 1) != 0 && (at == TIME_NONE || ms < at) ? ms : at;
    }
    evidence_begin(a);
    evidence_add(a, support, true, k->first_ms != TIME_NONE ? k->first_ms : k->changed_ms);
    a->sum->lowered++;
    int rc = evidence_write(a, &k->id, false);
    bool ends = a->in->v->outcome[j] == OUTCOME_ENDS && k->kind == KIND_MODEL;
    return rc == 0 && ends ? end_write(a, k, at) : rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------
 */

static int body(struct adopting *a)
{
    const struct revisions *v = a->in->v;
    uint64_t worded = 0, superseded = 0;
    int rc = calibrate_load(a->env->store, a->env->origin, &a->calibration, a->e);
    for (size_t i = 0; rc == 0 && i < v->n; i++) {
        worded |= v->v[i].claims;
        if (users_words_against(a, v->v[i].claims))
            continue;
        superseded |= v->v[i].olds;
        rc = proposition_write(a, &v->v[i]);
    }
    for (size_t i = 0; rc == 0 && i < a->in->c->n; i++) {
        if ((worded >> i & 1) == 0)
            rc = claim_take(a, i);
    }
    for (size_t j = 0; rc == 0 && j < a->in->k->n; j++)
        rc = contradicted_take(a, j, superseded);
    return rc;
}

int adopt(const struct adopt_env *env, const struct adopt_input *in, struct adopt_summary *sum, struct err *e)
{
    struct adopting a = {.env = env, .in = in, .sum = sum, .e = e};
    CHECK(in->of->n <= BATCH_MAX);
    draft_init(&a.draft);
    buf_init(&a.seen, (size_t)16 << 20);
    buf_init(&a.links, (size_t)16 << 20);
    buf_init(&a.far, (size_t)16 << 20);
    buf_init(&a.words, WORDS_ROWS_MAX * sizeof(int64_t));
    int rc = body(&a);
    draft_release(&a.draft);
    buf_release(&a.seen);
    buf_release(&a.links);
    buf_release(&a.far);
    buf_release(&a.words);
    return rc != 0 ? err_wrap(e, rc, "writing what the model said") : 0;
}

int knowns_hold(struct store *s, const struct knowns *k, bool *out, struct err *e)
{
    const uint32_t user = PROP_PINNED | PROP_CONFIRMED | PROP_REJECTED | PROP_EDITED;
    int rc = 0;
    *out = true;
    for (size_t j = 0; rc == 0 && *out && j < k->n; j++) {
        struct prop p;
        rc = store_prop(s, &k->v[j].id, false, &p, e);
        bool gone = rc == ERR_NOTFOUND || rc == ERR_FORGOTTEN;
        *out = rc == 0 && (p.flags & user) == (k->v[j].flags & user) && bytes_eq(p.text, k->v[j].text);
        rc = gone ? 0 : rc;
    }
    return rc;
}

/* ---- erasing ----------------------------------------------------------------------------------------------
 */

static bool words_rest_on(const struct buf *words, const struct map *erased)
{
    for (size_t at = 0; at + sizeof(int64_t) <= words->n; at += sizeof(int64_t)) {
        if (map_find(erased, bytes_of(words->p + at, sizeof(int64_t))) != NULL)
            return true;
    }
    return false;
}

static int life_end(struct store *s, const struct id *id, struct err *e)
{
    struct entity *x = entity_new();
    struct draft d;
    uint8_t stamps[LIMIT_PRIOR_STAMPS][16];
    char name[ID_TEXT + 16];
    draft_init(&d);
    int rc =
        x != NULL ? store_entity(s, SPACE_PROPOSITION, id, x, e) : err_set(e, ERR_NOMEM, "dropping a claim");
    if (rc == 0 && !entity_forgotten(x)) {
        size_t n = entity_stamps(x, REG_LIFE, stamps, LIMIT_PRIOR_STAMPS);
        draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, id);
        draft_reg_u8(&d, REG_LIFE, 0, (const uint8_t(*)[16])stamps, n);
        rc = store_write(s, &d, e);
    }
    words_name(id, name);
    draft_release(&d);
    entity_free(x);
    return rc != 0 ? rc : local_set(s, name, BYTES_NONE, e);
}

int adopt_erased(struct store *s, const struct map *touched, const int64_t *rows, size_t n, struct err *e)
{
    struct map *erased = map_new();
    struct buf words;
    int rc = erased != NULL ? 0 : err_set(e, ERR_NOMEM, "erasing");
    buf_init(&words, WORDS_ROWS_MAX * sizeof(int64_t));
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = map_add(erased, bytes_of(&rows[i], sizeof rows[i]), NULL) != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < map_count(touched); i++) {
        struct id id;
        bool found = false;
        memcpy(id.b, map_at(touched, i)->key.p, ID_BYTES);
        rc = words_load(s, &id, &words, &found, e);
        if (rc == 0 && found && words_rest_on(&words, erased))
            rc = life_end(s, &id, e);
    }
    buf_release(&words);
    map_free(erased);
    return rc;
}

/* ---- thought about on another device ----------------------------------------------------------------------
 */

/* *there false: no device has it any more, or not yet. */
static int prop_there(struct store *s, const struct id *id, struct prop *p, bool *there, struct err *e)
{
    struct err own = ERR_INIT;
    int rc = store_prop(s, id, false, p, &own);
    *there = rc == 0;
    return rc == 0 || rc == ERR_NOTFOUND || rc == ERR_FORGOTTEN ? 0 : err_set(e, rc, "%s", own.text);
}

static int words_add(struct store *s, const struct rests_on *r, struct err *e)
{
    char name[ID_TEXT + 16];
    struct buf words;
    bool found = false;
    buf_init(&words, WORDS_ROWS_MAX * sizeof(int64_t));
    int rc = words_load(s, r->prop, &words, &found, e);
    for (size_t i = 0; rc == 0 && i < r->n; i++)
        rc = buf_append(&words, &r->v[i].observation, sizeof r->v[i].observation);
    words_name(r->prop, name);
    rc = rc != 0 ? rc : local_set(s, name, buf_view(&words), e);
    buf_release(&words);
    return rc;
}

int adopt_link(struct store *s, const struct rests_on *r, struct err *e)
{
    struct prop p;
    bool there = false;
    int rc = prop_there(s, r->prop, &p, &there, e);
    for (size_t i = 0; rc == 0 && there && i < r->n; i++)
        rc = local_link_add(s, r->prop, r->v[i].observation, r->v[i].against, e);
    return rc == 0 && there && r->worded ? words_add(s, r, e) : rc;
}

int adopt_unlearn(struct store *s, const struct id *prop, struct err *e)
{
    struct prop p;
    bool there = false;
    int rc = prop_there(s, prop, &p, &there, e);
    if (rc != 0 || !there || p.kind != KIND_MODEL)
        return rc;
    rc = life_end(s, prop, e);
    rc = rc != 0 ? rc : prop_there(s, prop, &p, &there, e);
    return rc == 0 && there && (p.flags & PROP_DROPPED) != 0 ? store_forget(s, prop, NULL, 0, e) : rc;
}
