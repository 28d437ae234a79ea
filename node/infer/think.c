#include "node/infer/think.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "node/config.h"
#include "node/model/adopt.h"
#include "node/model/norms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATS "think:stats"
#define REST_MS MS_MINUTE /* after trouble */
#define TOKENS_AUDIT 4000u
#define TOKENS_PROPOSE 4000u
#define TOKENS_RELATE 3000u
#define TOKENS_REVISE 4000u
#define REPLY_BYTES_MAX (1u << 20)

enum stage { STAGE_IDLE, STAGE_AUDIT, STAGE_PROPOSE, STAGE_RELATE, STAGE_REVISE, STAGE_ADOPT, STAGES };

struct think {
    struct think_env env;
    enum stage stage;
    struct work work;
    bool hurry;
    int64_t rest_ms; /* monotonic: nothing is done before; 0. TIME_NONE: until it is woken */
    /* the question that is out, or was answered */
    struct prompt prompt;
    bool prompted;
    int64_t ticket; /* 0: none is out */
    bool asked, answered;
    bool cut; /* the answer was longer than allowed */
    int reply_rc;
    struct buf reply;
    /* what the stages found */
    char user[PROMPT_USER_BYTES + 1];
    struct buf norms, sources;
    struct norm_decision decisions[BATCH_MAX];
    char dropped_source[BATCH_MAX][65];
    int64_t dropped_ms[BATCH_MAX];
    size_t n_decisions;
    struct proposals c;
    struct knowns k;
    struct relations r;
    struct clusters g;
    struct revisions v;
    struct think_stats stats;
    char trouble[480];
};

/* ---- figures ----------------------------------------------------------------------------------------------
 */

#define STAT_N 11
static void stat_list(struct think_stats *s, uint64_t *out[STAT_N])
{
    uint64_t *list[STAT_N] = {&s->batches, &s->failed,    &s->observations, &s->dropped,
                              &s->calls,   &s->tokens_in, &s->tokens_out,   &s->added,
                              &s->raised,  &s->lowered,   &s->revised};
    memcpy(out, list, sizeof list);
}

int think_stats_load(struct store *s, struct think_stats *out, struct err *e)
{
    struct buf v;
    struct rd r;
    uint64_t *list[STAT_N];
    bool found = false;
    *out = (struct think_stats){.failed_ms = TIME_NONE};
    buf_init(&v, 256);
    int rc = local_get(s, STATS, &v, &found, e);
    if (rc == 0 && found) {
        rd_init(&r, buf_view(&v));
        stat_list(out, list);
        out->failed_ms = rd_svarint(&r);
        for (size_t i = 0; i < STAT_N; i++)
            *list[i] = rd_varint(&r);
        if (rd_end(&r) != 0) /* figures only: begin anew */
            *out = (struct think_stats){.failed_ms = TIME_NONE};
    }
    buf_release(&v);
    return rc;
}

static int stats_save(struct think *t, struct err *e)
{
    struct buf v;
    uint64_t *list[STAT_N];
    buf_init(&v, 256);
    stat_list(&t->stats, list);
    wr_svarint(&v, t->stats.failed_ms);
    for (size_t i = 0; i < STAT_N; i++)
        wr_varint(&v, *list[i]);
    int rc = local_set(t->env.store, STATS, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

/* ---- opening ----------------------------------------------------------------------------------------------
 */

int think_open(struct think **out, const struct think_env *env, struct err *e)
{
    struct think *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(e, ERR_NOMEM, "opening the pipeline");
    t->env = *env;
    work_init(&t->work);
    proposals_init(&t->c);
    knowns_init(&t->k);
    revisions_init(&t->v);
    buf_init(&t->reply, REPLY_BYTES_MAX);
    buf_init(&t->norms, LIMIT_SETTING_BYTES);
    buf_init(&t->sources, BATCH_MAX * (LIMIT_NAME_BYTES + 1));
    int rc = think_stats_load(env->store, &t->stats, e);
    if (rc != 0) {
        think_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

static void question_drop(struct think *t)
{
    if (t->ticket != 0)
        t->env.mind.cancel(t->env.mind.ctx, t->ticket);
    if (t->prompted)
        prompt_release(&t->prompt);
    t->ticket = 0;
    t->prompted = t->asked = t->answered = false;
}

void think_close(struct think *t)
{
    if (t == NULL)
        return;
    question_drop(t);
    work_release(&t->work);
    proposals_release(&t->c);
    knowns_release(&t->k);
    revisions_release(&t->v);
    buf_release(&t->reply);
    buf_release(&t->norms);
    buf_release(&t->sources);
    free(t);
}

/* ---- asking -----------------------------------------------------------------------------------------------
 */

static void answered(void *ctx, const struct answer *a)
{
    struct think *t = ctx;
    t->ticket = 0;
    t->answered = true;
    t->reply_rc = a->rc;
    t->cut = a->cut;
    t->stats.calls++;
    t->stats.tokens_in += a->tokens_in;
    t->stats.tokens_out += a->tokens_out;
    buf_clear(&t->reply);
    if (a->rc == 0)
        t->reply_rc = buf_bytes(&t->reply, a->text) != 0 ? ERR_LIMIT : 0;
    else
        (void)snprintf(t->trouble, sizeof t->trouble, "%s", a->e != NULL ? a->e->text : err_text(a->rc));
}

static void prompt_begin(struct think *t)
{
    question_drop(t);
    prompt_init(&t->prompt, t->env.rng, t->user);
    t->prompted = true;
}

struct question {
    enum endpoint_priority priority;
    const char *purpose, *schema;
    unsigned tokens_max;
};

static int ask(struct think *t, const struct question *q, unsigned observations, struct err *e)
{
    const struct chat_part parts[] = {{.role = "system", .text = buf_view(&t->prompt.system)},
                                      {.role = "user", .text = buf_view(&t->prompt.content)}};
    struct buf schema;
    buf_init(&schema, PROMPT_SCHEMA_BYTES);
    buf_clear(&t->sources);
    work_sources(&t->work, &t->sources);
    int rc = prompt_schema(&t->prompt, q->schema, &schema);
    const struct chat_request r = {.priority = q->priority,
                                   .purpose = q->purpose,
                                   .parts = parts,
                                   .n_parts = 2,
                                   .schema_name = q->purpose,
                                   .schema = buf_view(&schema),
                                   .tokens_max = q->tokens_max,
                                   .sources = buf_view(&t->sources),
                                   .observations = observations};
    rc = rc != 0 ? err_set(e, rc, "building a prompt") : prompt_error(&t->prompt, e);
    if (rc == 0)
        rc = t->env.mind.chat(t->env.mind.ctx, &r, answered, t, &t->ticket, e);
    buf_release(&schema);
    t->asked = rc == 0;
    return rc;
}

/* ---- stages -----------------------------------------------------------------------------------------------
 *
 * Each either asks, or reads the answer to what it asked and says which stage is next. */

static unsigned guarded_count(struct work *w)
{
    unsigned n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->guarded[i] ? 1u : 0u;
    return n;
}

/* A question about the marked ones alone: the i-th of them is the i-th of `list`. */
static size_t guarded_list(const struct work *w, struct stored_observation *list)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->guarded[i])
            list[n++] = w->v[i];
    }
    return n;
}

static void decision_note(struct think *t, const struct norm_decision *d, const struct stored_observation *o)
{
    size_t n = t->n_decisions++;
    struct bytes source = bytes_slice(o->source, 0, sizeof t->dropped_source[n] - 1);
    t->decisions[n] = *d;
    memcpy(t->dropped_source[n], source.p, source.n);
    t->dropped_source[n][source.n] = '\0';
    t->dropped_ms[n] = o->time_ms;
}

/* Takes out what does not pass. */
static void decisions_take(struct think *t)
{
    struct norm_decision d[BATCH_MAX];
    size_t n = guarded_count(&t->work), at = 0;
    struct bytes reply = t->reply_rc == 0 ? buf_view(&t->reply) : BYTES_NONE;
    norms_read(buf_view(&t->norms), reply, d, n);
    for (size_t i = 0; at < n; at++) {
        while (!t->work.guarded[i])
            i++;
        if (d[at].pass) {
            i++;
            continue;
        }
        decision_note(t, &d[at], &t->work.v[i]);
        work_drop(&t->work, i);
    }
}

static int audit_run(struct think *t, struct err *e)
{
    static const struct question q = {ENDPOINT_AUDIT, "audit", norms_schema, TOKENS_AUDIT};
    struct stored_observation list[BATCH_MAX];
    size_t n = guarded_list(&t->work, list);
    if (t->answered)
        decisions_take(t);
    if (t->answered || n == 0) {
        t->stage = STAGE_PROPOSE;
        return 0;
    }
    prompt_begin(t);
    norms_ask(&t->prompt, buf_view(&t->norms), list, n);
    return ask(t, &q, (unsigned)n, e);
}

static int propose_run(struct think *t, struct err *e)
{
    static const struct question q = {ENDPOINT_THINK, "propose", propose_schema, TOKENS_PROPOSE};
    if (!t->answered && t->work.n > 0) {
        prompt_begin(t);
        propose_ask(&t->prompt, t->work.v, t->work.n);
        return ask(t, &q, (unsigned)t->work.n, e);
    }
    int rc = t->answered ? propose_read(&t->prompt, t->work.n, buf_view(&t->reply), &t->c, e) : 0;
    if (rc == 0)
        rc = relate_find(t->env.store, &t->c, clock_wall_ms(t->env.clock), &t->k, e);
    t->stage = t->k.n > 0 ? STAGE_RELATE : STAGE_ADOPT;
    return rc;
}

static int relate_run(struct think *t, struct err *e)
{
    static const struct question q = {ENDPOINT_THINK, "relate", relate_schema, TOKENS_RELATE};
    if (!t->answered) {
        prompt_begin(t);
        relate_ask(&t->prompt, &t->c, &t->k);
        return ask(t, &q, (unsigned)t->work.n, e);
    }
    int rc = relate_read(&t->c, &t->k, buf_view(&t->reply), &t->r, e);
    if (rc == 0)
        revise_clusters(&t->c, &t->k, &t->r, &t->g);
    t->stage = t->g.n > 0 ? STAGE_REVISE : STAGE_ADOPT;
    return rc;
}

static int revise_run(struct think *t, struct err *e)
{
    static const struct question q = {ENDPOINT_THINK, "revise", revise_schema, TOKENS_REVISE};
    const struct revise_input in = {&t->c, &t->k, &t->g};
    if (!t->answered) {
        prompt_begin(t);
        revise_ask(&t->prompt, &t->c, &t->k, &t->g);
        return ask(t, &q, (unsigned)t->work.n, e);
    }
    int rc = revise_read(&t->prompt, &in, buf_view(&t->reply), &t->v, e);
    t->stage = STAGE_ADOPT;
    return rc;
}

static int decisions_save(struct think *t, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->n_decisions; i++) {
        const struct audit_row row = {t->dropped_ms[i], t->dropped_ms[i], bytes_str(t->decisions[i].rule),
                                      bytes_str(t->dropped_source[i]), 1};
        rc = local_audit_add(t->env.store, &row, e);
    }
    return rc;
}

static int adopt_body(struct think *t, struct adopt_summary *sum, struct err *e)
{
    char origin[LIMIT_NAME_BYTES];
    (void)snprintf(origin, sizeof origin, "endpoint:%s", t->env.mind.model(t->env.mind.ctx));
    const struct adopt_env env = {t->env.store,
                                  t->env.rng,
                                  t->env.claim_secret,
                                  utf8_cut(bytes_str(origin), LIMIT_NAME_BYTES - 1),
                                  clock_wall_ms(t->env.clock),
                                  t->env.source.rests,
                                  t->env.source.ctx};
    const struct thought_of of = {t->work.v, t->work.devices, t->work.n, t->env.device};
    const struct adopt_input in = {&of, &t->c, &t->k, &t->r, &t->v};
    int rc = adopt(&env, &in, sum, e);
    if (rc == 0)
        rc = decisions_save(t, e);
    return rc != 0 ? rc : t->env.source.done(t->env.source.ctx, &t->work, e);
}

/* The one transaction. The figures count what is in it, so they are put back when it fails. */
static int adopt_run(struct think *t, struct err *e)
{
    struct adopt_summary sum = {0};
    struct think_stats before = t->stats;
    int rc = store_begin(t->env.store, e);
    if (rc != 0)
        return rc;
    rc = adopt_body(t, &sum, e);
    t->stats.batches++;
    t->stats.observations += t->work.n;
    t->stats.dropped += t->n_decisions;
    t->stats.added += sum.added;
    t->stats.raised += sum.raised;
    t->stats.lowered += sum.lowered;
    t->stats.revised += sum.revised;
    if (rc == 0)
        rc = stats_save(t, e);
    if (rc == 0)
        rc = store_commit(t->env.store, e);
    else
        store_rollback(t->env.store);
    if (rc != 0)
        t->stats = before;
    t->stage = STAGE_IDLE;
    t->trouble[0] = '\0';
    return rc;
}

/* ---- moving on --------------------------------------------------------------------------------------------
 */

static void findings_clear(struct think *t)
{
    question_drop(t);
    t->n_decisions = 0;
    t->c.n = t->k.n = t->g.n = t->v.n = 0;
    memset(t->k.shown, 0, sizeof t->k.shown);
    memset(&t->r, 0, sizeof t->r);
    memset(t->v.outcome, 0, sizeof t->v.outcome);
}

static int settings_load(struct think *t, struct err *e)
{
    struct buf name;
    buf_init(&name, LIMIT_SETTING_BYTES);
    int rc = config_text(t->env.store, "user.name", &name, e);
    struct bytes user = utf8_cut(buf_view(&name), PROMPT_USER_BYTES);
    if (rc == 0)
        (void)snprintf(t->user, sizeof t->user, "%.*s", (int)user.n, user.n > 0 ? (const char *)user.p : "");
    buf_release(&name);
    return rc != 0 ? rc : config_text(t->env.store, "norms", &t->norms, e);
}

/* Takes the next batch; *next_ms (monotonic) when there is none. */
static int batch_begin(struct think *t, int64_t *next_ms, struct err *e)
{
    int64_t wall = TIME_NONE, now = clock_mono_ms(t->env.clock);
    findings_clear(t);
    int rc = settings_load(t, e);
    if (rc == 0)
        rc = t->env.source.take(t->env.source.ctx, t->hurry, &t->work, &wall, e);
    if (rc != 0)
        return rc;
    if (t->work.n > 0) {
        t->stage = STAGE_AUDIT;
        return 0;
    }
    int64_t in_ms = wall == TIME_NONE ? INT64_MAX : wall - clock_wall_ms(t->env.clock);
    *next_ms = in_ms <= 0 ? now : wall == TIME_NONE ? TIME_NONE : now + in_ms;
    t->hurry = t->hurry && in_ms <= 0;
    t->rest_ms = *next_ms;
    return 0;
}

/* Whether all that was shown is still there. */
static int shown_holds(struct think *t, bool *out, struct err *e)
{
    int rc = t->env.source.holds(t->env.source.ctx, &t->work, out, e);
    return rc == 0 && *out ? knowns_hold(t->env.store, &t->k, out, e) : rc;
}

/* An answer that nothing can be made of. */
static int unusable(struct think *t, struct err *e)
{
    bool given_up = false;
    int rc = store_begin(t->env.store, e);
    if (rc != 0)
        return rc;
    t->stats.failed_ms = clock_wall_ms(t->env.clock);
    rc = t->env.source.failed(t->env.source.ctx, &t->work, &given_up, e);
    t->stats.failed += given_up ? 1 : 0;
    if (rc == 0)
        rc = stats_save(t, e);
    if (rc == 0)
        rc = store_commit(t->env.store, e);
    else
        store_rollback(t->env.store);
    t->stage = STAGE_IDLE; /* taken again, or the next one */
    return rc;
}

static bool is_unusable(int rc)
{
    return rc == ERR_FORMAT || rc == ERR_LIMIT;
}

/* Reads an answer or asks, in the present stage. Content of the error is never logged: it is ours. */
static int stage_run(struct think *t, struct err *e)
{
    static int (*const runs[STAGES])(struct think * t, struct err * e) = {
        [STAGE_AUDIT] = audit_run,   [STAGE_PROPOSE] = propose_run, [STAGE_RELATE] = relate_run,
        [STAGE_REVISE] = revise_run, [STAGE_ADOPT] = adopt_run,
    };
    bool holds = true, was_answered = t->answered;
    int rc = shown_holds(t, &holds, e);
    if (rc != 0)
        return rc;
    if (!holds) {
        t->stage = STAGE_IDLE; /* the same batch again, without what is gone */
        return 0;
    }
    t->work.too_large = was_answered && t->reply_rc != 0 && t->cut && t->work.n > 1;
    bool closed = t->stage == STAGE_AUDIT && is_unusable(t->reply_rc) && !t->work.too_large;
    if (was_answered && t->reply_rc != 0 && !closed) {
        int reply_rc = t->reply_rc;
        question_drop(t);
        return is_unusable(reply_rc) ? unusable(t, e) : err_set(e, reply_rc, "%s", t->trouble);
    }
    rc = runs[t->stage](t, e);
    if (was_answered)
        t->answered = false;
    if (is_unusable(rc)) { /* or a question too large to be asked */
        t->work.too_large = !was_answered && rc == ERR_LIMIT && t->work.n > 1;
        (void)snprintf(t->trouble, sizeof t->trouble, "%s", e != NULL ? e->text : "");
        return unusable(t, e);
    }
    return rc;
}

static int64_t rest(struct think *t, const struct err *e)
{
    (void)snprintf(t->trouble, sizeof t->trouble, "%s", e->text);
    t->rest_ms = clock_mono_ms(t->env.clock) + REST_MS;
    return t->rest_ms;
}

static int may_go_on(struct think *t, struct err *e)
{
    if (t->env.may_think != NULL && !t->env.may_think(t->env.may_ctx))
        return err_set(e, ERR_PERM, "this device does not think now");
    return t->env.mind.ready(t->env.mind.ctx, e);
}

/* What only a change of settings mends is not looked at again until one wakes it. */
static int64_t refused(struct think *t, int rc, const struct err *e)
{
    (void)rest(t, e);
    if (rc == ERR_NOTFOUND || rc == ERR_PERM)
        t->rest_ms = TIME_NONE;
    return t->rest_ms;
}

int64_t think_step(struct think *t)
{
    struct err e = ERR_INIT;
    if (t->ticket != 0 || (!t->answered && t->rest_ms == TIME_NONE))
        return TIME_NONE;
    if (!t->answered && clock_mono_ms(t->env.clock) < t->rest_ms)
        return t->rest_ms;
    int rc = t->answered ? 0 : may_go_on(t, &e);
    if (rc != 0)
        return refused(t, rc, &e);
    t->rest_ms = 0;
    if (!t->answered)
        t->trouble[0] = '\0'; /* tried again */
    int64_t next = 0;
    bool looked = false;
    while (t->ticket == 0 && !looked) {
        e = ERR_INIT;
        bool idle = t->stage == STAGE_IDLE;
        rc = idle ? batch_begin(t, &next, &e) : stage_run(t, &e);
        looked = idle && rc == 0 && t->stage == STAGE_IDLE;
        if (rc == 0)
            continue;
        log_line(t->env.log, LOG_WARN, "think", "%s: %s", think_stage(t), e.text);
        return rest(t, &e);
    }
    return looked ? next : TIME_NONE;
}

void think_wake(struct think *t)
{
    t->rest_ms = 0;
}

void think_hurry(struct think *t)
{
    t->hurry = true;
    think_wake(t);
}

void think_let_go(struct think *t)
{
    findings_clear(t);
    work_clear(&t->work);
    t->stage = STAGE_IDLE;
}

bool think_busy(const struct think *t)
{
    return t->stage != STAGE_IDLE;
}

bool think_asks(const struct think *t)
{
    return t->ticket != 0 || t->answered;
}

const char *think_stage(const struct think *t)
{
    static const char *const names[STAGES] = {"waiting", "audit", "propose", "relate", "revise", "writing"};
    return names[t->stage];
}

const struct think_stats *think_stats(const struct think *t)
{
    return &t->stats;
}

const char *think_trouble(const struct think *t)
{
    return t->trouble;
}
