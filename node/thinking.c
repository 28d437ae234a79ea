#include "node/thinking.h"

#include "node/infer/endpoint_settings.h"
#include "node/infer/handing.h"

#include <stdio.h>
#include <stdlib.h>

#define TROUBLE_MS (30 * MS_MINUTE) /* an endpoint that fails for so long: another device is to think */

struct thinking {
    struct node *n;
    struct lease_keeper lease;
    int64_t lease_ms;   /* wall: when to look at it again; TIME_NONE */
    bool lease_due;     /* or at once */
    bool able;          /* to think for all, when it last looked */
    uint64_t arrivals;  /* of the node, when it last looked */
    int64_t trouble_ms; /* monotonic: since when the endpoint fails; TIME_NONE */
    struct lease_env env;
    struct queue queue;
    struct errands errands;
    struct handing handing;
    int64_t handing_ms; /* wall: when it is to be looked at again; TIME_NONE */
    bool handing_due;   /* or at once */
    int64_t tidy_ms;    /* monotonic */
    struct think *think;
    int64_t newest; /* the highest row when it last looked */
};

/* ---- the endpoint as a mind -------------------------------------------------------------------------------
 */

static int mind_ready(void *ctx, struct err *e)
{
    const struct node *n = ctx;
    return endpoint_ready(n->endpoint, e);
}

static int mind_chat(void *ctx, const struct chat_request *r, answer_fn *fn, void *fn_ctx, int64_t *ticket,
                     struct err *e)
{
    const struct node *n = ctx;
    return endpoint_chat(n->endpoint, r, fn, fn_ctx, ticket, e);
}

static void mind_cancel(void *ctx, int64_t ticket)
{
    const struct node *n = ctx;
    endpoint_cancel(n->endpoint, ticket);
}

static const char *mind_model(void *ctx)
{
    const struct node *n = ctx;
    return endpoint_model(n->endpoint);
}

static bool is_thinker(const struct thinking *x)
{
    const struct lease *l = &x->lease.lease;
    return id_eq(&l->device, &x->n->home.device) && l->until_ms > clock_wall_ms(&x->n->clock);
}

static bool may_think(void *ctx)
{
    const struct thinking *x = ctx;
    return node_may_write(x->n, NULL) == 0 && is_thinker(x);
}

static bool is_remote(void *ctx)
{
    const struct node *n = ctx;
    return endpoint_is_remote(n->store);
}

/* ---- opening ----------------------------------------------------------------------------------------------
 */

static struct queue queue_of(struct node *n)
{
    return (struct queue){.store = n->store,
                          .clock = &n->clock,
                          .device = n->home.device,
                          .remote = is_remote,
                          .remote_ctx = n};
}

static struct lease_env env_of(struct node *n)
{
    return (struct lease_env){.store = n->store,
                              .group = n->group,
                              .seal = &n->home.keys.device.seal,
                              .clock = &n->clock,
                              .rng = &n->rng,
                              .log = &n->log,
                              .device = n->home.device,
                              .patient = n->daemon,
                              .wrote = &n->wrote};
}

static struct thinking *thinking_new(struct node *n)
{
    struct thinking *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->n = n;
    x->env = env_of(n);
    x->queue = queue_of(n);
    x->errands = (struct errands){
        .env = &x->env, .own = queue_source(&x->queue), .remote = is_remote, .remote_ctx = n};
    x->handing = (struct handing){.env = &x->env, .queue = &x->queue};
    x->newest = -1;
    x->lease_due = x->handing_due = true;
    x->lease_ms = x->trouble_ms = x->handing_ms = TIME_NONE;
    x->tidy_ms = clock_mono_ms(&n->clock);
    return x;
}

int thinking_open(struct node *n, struct err *e)
{
    struct thinking *x = thinking_new(n);
    if (x == NULL)
        return err_set(e, ERR_NOMEM, "opening the pipeline");
    n->thinking = x;
    int rc = n->endpoint != NULL ? 0 : endpoint_open(&n->endpoint, n, e);
    const struct think_env env = {.store = n->store,
                                  .clock = &n->clock,
                                  .rng = &n->rng,
                                  .log = &n->log,
                                  .device = n->home.device,
                                  .claim_secret = node_claim_secret(n),
                                  .mind = {mind_ready, mind_chat, mind_cancel, mind_model, n},
                                  .source = errands_source(&x->errands),
                                  .may_think = may_think,
                                  .may_ctx = x};
    if (rc == 0)
        rc = think_open(&x->think, &env, e);
    if (rc != 0)
        thinking_close(n);
    return rc;
}

void thinking_close(struct node *n)
{
    struct thinking *x = n->thinking;
    if (x == NULL)
        return;
    think_close(x->think);
    n->thinking = NULL;
    free(x);
}

/* ---- who thinks -------------------------------------------------------------------------------------------
 */

/* Whether this device could think for all: what only a setting mends counts at once, what may pass after a
 * while. */
static bool is_able(struct thinking *x)
{
    int64_t now = clock_mono_ms(&x->n->clock);
    int rc = endpoint_ready(x->n->endpoint, NULL);
    x->queue.no_model = rc == ERR_NOTFOUND;
    bool fails = rc == ERR_INUSE || rc == ERR_LIMIT;
    x->trouble_ms = !fails ? TIME_NONE : x->trouble_ms == TIME_NONE ? now : x->trouble_ms;
    return rc == 0 || (fails && now - x->trouble_ms < TROUBLE_MS);
}

/* Looks at the lease when that is due; a change of it wakes the pipeline. */
static void lease_step(struct thinking *x)
{
    struct err e = ERR_INIT;
    struct node *n = x->n;
    bool came = x->arrivals != n->arrivals;
    bool time = x->lease_ms != TIME_NONE && clock_wall_ms(&n->clock) >= x->lease_ms;
    bool able = is_able(x), changed = able != x->able;
    if (!(x->lease_due || came || time || changed))
        return;
    struct id before = x->lease.lease.device;
    if (lease_keep(&x->lease, &x->env, able, is_remote(n), &x->lease_ms, &e) != 0)
        log_line(&n->log, LOG_WARN, "think", "%s", e.text);
    x->arrivals = n->arrivals;
    x->able = able;
    x->lease_due = false;
    x->handing_due = true;
    if (came)
        think_wake(x->think); /* an errand may have come */
    if (id_eq(&before, &x->lease.lease.device))
        return;
    think_let_go(x->think);
    think_wake(x->think);
    handing_wake(&x->handing);
}

/* ---- moving on --------------------------------------------------------------------------------------------
 */

/* The monotonic time of a wall time. */
static int64_t mono_of(const struct node *n, int64_t wall_ms)
{
    int64_t in_ms = wall_ms == TIME_NONE ? 0 : wall_ms - clock_wall_ms(&n->clock);
    return wall_ms == TIME_NONE ? TIME_NONE : clock_mono_ms(&n->clock) + (in_ms > 0 ? in_ms : 0);
}

#define TIDY_MS (60 * MS_MINUTE)

static void complain(struct thinking *x, int rc, const struct err *e)
{
    if (rc != 0)
        log_line(&x->n->log, LOG_WARN, "think", "%s", e->text);
}

/* Errands that nobody waits for any more. */
static void tidy(struct thinking *x)
{
    struct err e = ERR_INIT;
    int64_t now = clock_mono_ms(&x->n->clock);
    if (now < x->tidy_ms)
        return;
    x->tidy_ms = now + TIDY_MS;
    int rc = handing_tidy(&x->env, &e);
    if (rc == 0 && is_thinker(x))
        rc = errands_tidy(&x->env, &e);
    complain(x, rc, &e);
}

/* What this device hands to the one that thinks. */
static void handing_tend(struct thinking *x)
{
    struct err e = ERR_INIT;
    bool time = x->handing_ms != TIME_NONE && clock_wall_ms(&x->n->clock) >= x->handing_ms;
    if (!group_has_others(x->n->group, &x->n->home.device) || !(x->handing_due || time))
        return;
    x->handing_due = false;
    tidy(x);
    complain(x, handing_step(&x->handing, &x->lease.lease, &x->handing_ms, &e), &e);
}

int64_t thinking_step(struct node *n)
{
    struct thinking *x = n->thinking;
    int64_t newest = 0;
    if (x == NULL || node_may_write(n, NULL) != 0)
        return TIME_NONE;
    lease_step(x);
    uint64_t before = think_stats(x->think)->batches;
    if (local_observation_newest(n->store, &newest, NULL) == 0 && newest != x->newest) {
        x->newest = newest;
        x->handing_due = true;
        think_wake(x->think);
    }
    handing_tend(x);
    int64_t next = think_step(x->think);
    n->wrote = n->wrote || think_stats(x->think)->batches > before;
    return time_earlier(next, time_earlier(mono_of(n, x->lease_ms), mono_of(n, x->handing_ms)));
}

void thinking_wake(struct node *n, bool hurry)
{
    struct thinking *x = n->thinking;
    if (x == NULL)
        return;
    x->lease_due = x->handing_due = true;
    x->handing.hurry = x->handing.hurry || hurry;
    handing_wake(&x->handing);
    x->queue.most = x->errands.most = 0; /* another model, or a larger context, may take more */
    if (hurry)
        think_hurry(x->think);
    else
        think_wake(x->think);
}

int thinking_erased(struct node *n, struct err *e)
{
    struct lease_env env = env_of(n);
    return handing_erased(&env, e);
}

/* A question that is out waits in the endpoint's queue while that rests or is over budget; a device that may
 * not think because its endpoint cannot be asked says what is wrong with that. */
static void trouble_of(struct node *n, const struct thinking *x, struct thinking_state *out)
{
    struct err e = ERR_INIT;
    bool waits = (out->busy || !is_thinker(x)) && endpoint_ready(n->endpoint, &e) != 0;
    const char *own = think_asks(x->think) ? "" : think_trouble(x->think); /* asking again, it goes on */
    (void)snprintf(out->trouble, sizeof out->trouble, "%s", waits ? e.text : own);
}

static int thinker_look(struct node *n, struct thinking_state *out, struct err *e)
{
    struct lease_env env = env_of(n);
    int rc = lease_look(&env, out->configured, &out->lease, e);
    rc = rc != 0 ? rc : handing_count(n->store, &out->errands, &out->handed, e);
    const struct member *m = group_find(n->group, &out->lease.device);
    out->here = id_eq(&out->lease.device, &n->home.device);
    (void)snprintf(out->thinker, sizeof out->thinker, "%s",
                   m != NULL   ? m->name
                   : out->here ? n->home.name
                               : "");
    return rc;
}

int thinking_look(struct node *n, struct thinking_state *out, struct err *e)
{
    struct endpoint_settings s;
    struct queue q = queue_of(n);
    struct thinking *x = n->thinking;
    *out = (struct thinking_state){.stage = "waiting"};
    bool readable = endpoint_settings_load(&s, n->store, NULL) == 0;
    if (readable)
        (void)snprintf(out->model, sizeof out->model, "%s", s.model);
    out->configured = readable && s.url.base[0] != '\0' && s.model[0] != '\0';
    q.no_model = !out->configured;
    int rc = queue_waiting(&q, &out->waiting, e);
    if (rc == 0)
        rc = thinker_look(n, out, e);
    if (rc != 0)
        return rc;
    if (x == NULL)
        return think_stats_load(n->store, &out->stats, e);
    out->busy = think_busy(x->think);
    out->stage = think_stage(x->think);
    if (out->configured && (out->here || id_none(&out->lease.device)))
        trouble_of(n, x, out);
    out->stats = *think_stats(x->think);
    return 0;
}

int thinking_rewind(struct node *n, struct err *e)
{
    struct lease_env env = env_of(n);
    bool open = n->thinking != NULL;
    thinking_close(n); /* with the batch that it has */
    int rc = handing_drop_all(&env, e);
    rc = rc != 0 ? rc : queue_rewind(n->store, e);
    return rc == 0 && open ? thinking_open(n, e) : rc;
}
