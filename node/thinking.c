#include "node/thinking.h"

#include "node/infer/endpoint_settings.h"
#include "node/infer/queue.h"

#include <stdio.h>
#include <stdlib.h>

struct thinking {
    struct node *n;
    struct queue queue;
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

static bool may_think(void *ctx)
{
    return node_may_write(ctx, NULL) == 0;
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
    return (struct queue){n->store, &n->clock, n->home.device, is_remote, n, 0};
}

int thinking_open(struct node *n, struct err *e)
{
    struct thinking *x = calloc(1, sizeof *x);
    if (x == NULL)
        return err_set(e, ERR_NOMEM, "opening the pipeline");
    x->n = n;
    x->queue = queue_of(n);
    x->newest = -1;
    n->thinking = x;
    int rc = n->endpoint != NULL ? 0 : endpoint_open(&n->endpoint, n, e);
    const struct think_env env = {.store = n->store,
                                  .clock = &n->clock,
                                  .rng = &n->rng,
                                  .log = &n->log,
                                  .device = n->home.device,
                                  .claim_secret = node_claim_secret(n),
                                  .mind = {mind_ready, mind_chat, mind_cancel, mind_model, n},
                                  .source = queue_source(&x->queue),
                                  .may_think = may_think,
                                  .may_ctx = n};
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

/* ---- moving on --------------------------------------------------------------------------------------------
 */

int64_t thinking_step(struct node *n)
{
    struct thinking *x = n->thinking;
    int64_t newest = 0;
    if (x == NULL)
        return TIME_NONE;
    uint64_t before = think_stats(x->think)->batches;
    if (local_observation_newest(n->store, &newest, NULL) == 0 && newest != x->newest) {
        x->newest = newest;
        think_wake(x->think);
    }
    int64_t next = think_step(x->think);
    n->wrote = n->wrote || think_stats(x->think)->batches > before;
    return next;
}

void thinking_wake(struct node *n, bool hurry)
{
    if (n->thinking == NULL)
        return;
    n->thinking->queue.most = 0; /* another model, or a larger context, may take more */
    if (hurry)
        think_hurry(n->thinking->think);
    else
        think_wake(n->thinking->think);
}

/* A question that is out waits in the endpoint's queue while that rests or is over budget. */
static void trouble_of(struct node *n, const struct thinking *x, struct thinking_state *out)
{
    struct err e = ERR_INIT;
    bool waits = out->busy && endpoint_ready(n->endpoint, &e) != 0;
    const char *own = think_asks(x->think) ? "" : think_trouble(x->think); /* asking again, it goes on */
    (void)snprintf(out->trouble, sizeof out->trouble, "%s", waits ? e.text : own);
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
    int rc = queue_waiting(&q, &out->waiting, e);
    if (rc != 0)
        return rc;
    if (x == NULL)
        return think_stats_load(n->store, &out->stats, e);
    out->busy = think_busy(x->think);
    out->stage = think_stage(x->think);
    if (out->configured)
        trouble_of(n, x, out);
    out->stats = *think_stats(x->think);
    return 0;
}

int thinking_rewind(struct node *n, struct err *e)
{
    bool open = n->thinking != NULL;
    thinking_close(n); /* with the batch that it has */
    int rc = queue_rewind(n->store, e);
    return rc == 0 && open ? thinking_open(n, e) : rc;
}
