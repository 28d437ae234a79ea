/* The settings behind the vectors. While a model of the endpoint is set, the table rests: its vectors and the
 * model's cannot be compared, and only the running node can ask the model, so that a command without one
 * leaves the vectors as they are. */
#include "node/embedding.h"

#include "base/limits.h"
#include "node/config.h"
#include "node/model/table.h"

#include <poll.h>
#include <string.h>

/* What a command may take before it ends. */
#define NOW_MS 40
/* How long the endpoint is left alone while somebody waits for it. */
#define WAIT_STEP_MS 10

/* ---- the endpoint as an embedder --------------------------------------------------------------------------
 */

static const char *endpoint_name(void *ctx)
{
    return endpoint_embed_model(ctx);
}

static bool endpoint_is_ready(void *ctx)
{
    struct err e = ERR_INIT;
    return endpoint_ready(ctx, &e) == 0;
}

static int endpoint_ask(void *ctx, const struct embed_ask *a, answer_fn *fn, void *fn_ctx, int64_t *ticket,
                        struct err *e)
{
    const struct embed_request r = {.priority = a->urgent ? ENDPOINT_USER : ENDPOINT_EMBED,
                                    .purpose = a->urgent ? "query" : "embed",
                                    .texts = a->texts,
                                    .n = a->n};
    return endpoint_embed(ctx, &r, fn, fn_ctx, ticket, e);
}

static void endpoint_drop(void *ctx, int64_t ticket)
{
    endpoint_cancel(ctx, ticket);
}

/* The request may have to be started first, and the endpoint may have a deadline of its own. */
static void endpoint_wait(void *ctx, int ms)
{
    (void)endpoint_step(ctx);
    struct pollfd fd = {.fd = endpoint_fd(ctx), .events = POLLIN};
    if (poll(&fd, 1, ms < WAIT_STEP_MS ? ms : WAIT_STEP_MS) > 0) {
        (void)endpoint_step(ctx);
    }
}

/* ---- opening ----------------------------------------------------------------------------------------------
 */

static int setting_value(struct node *n, const char *key, struct buf *out, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    int rc = setting_find(bytes_str(key), &k, e);
    return rc != 0 ? rc : config_get(n->store, k, out, &set, e);
}

static int open_it(struct node *n, struct err *e)
{
    const struct embedder model = {n->endpoint,  endpoint_name, endpoint_is_ready,
                                   endpoint_ask, endpoint_drop, endpoint_wait};
    struct buf named, path;
    buf_init(&named, LIMIT_SETTING_BYTES);
    buf_init(&path, LIMIT_SETTING_BYTES + 1);
    struct embed_config cfg = {.store = n->store,
                               .clock = &n->clock,
                               .log = &n->log,
                               .model = n->endpoint != NULL ? &model : NULL,
                               .keeper = !n->read_only,
                               .owner = n->daemon};
    int rc = setting_value(n, "embed.table", &path, e);
    if (rc == 0) {
        rc = setting_value(n, "endpoint.embed-model", &named, e);
    }
    if (rc == 0 && (n->endpoint != NULL || named.n == 0)) {
        cfg.table = buf_cstr(&path);
    }
    if (rc == 0) {
        rc = embed_open(&n->embed, &cfg, e);
    }
    buf_release(&named);
    buf_release(&path);
    return rc;
}

struct embed *embedding(struct node *n)
{
    struct err e = ERR_INIT;
    bool early = n->daemon && n->endpoint == NULL; /* whether there is a model shows later */
    if (n->embed == NULL && n->store != NULL && !early && open_it(n, &e) != 0) {
        log_line(&n->log, LOG_ERROR, "embed", "%s", e.text);
    }
    return n->embed;
}

void embedding_close(struct node *n)
{
    embed_close(n->embed);
    n->embed = NULL;
}

void embedding_now(struct node *n)
{
    if (n->daemon || n->store == NULL || n->read_only) {
        return;
    }
    struct embed *x = embedding(n);
    int64_t until = clock_mono_ms(&n->clock) + NOW_MS, next = 0;
    while (embed_source(x) != NULL && next != TIME_NONE && next < until && clock_mono_ms(&n->clock) < until) {
        next = embed_step(x);
    }
}

int embedding_check(struct bytes value, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    struct table *t = NULL;
    if (value.n == 0) {
        return 0;
    }
    if (value.p[0] != '/' || value.n >= sizeof(path) || memchr(value.p, 0, value.n) != NULL) {
        return err_set(e, ERR_USAGE, "embed.table is the absolute path of a file");
    }
    memcpy(path, value.p, value.n);
    path[value.n] = '\0';
    int rc = table_open(&t, path, e);
    if (rc == 0) {
        rc = table_check(t, e);
    }
    table_close(t);
    return rc;
}
