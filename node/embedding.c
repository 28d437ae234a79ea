/* The settings behind the vectors. While a model of the endpoint is set, the table rests: its vectors and the
 * model's cannot be compared, and only the running node can ask the model, so that a command without one
 * leaves the vectors as they are. */
#include "node/embedding.h"

#include "base/limits.h"
#include "node/config.h"
#include "node/model/table.h"

#include <string.h>

/* What a command may take before it ends. */
#define NOW_MS 40

static int setting_value(struct node *n, const char *key, struct buf *out, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    int rc = setting_find(bytes_str(key), &k, e);
    return rc != 0 ? rc : config_get(n->store, k, out, &set, e);
}

static int open_it(struct node *n, struct err *e)
{
    struct buf model, path;
    buf_init(&model, LIMIT_SETTING_BYTES);
    buf_init(&path, LIMIT_SETTING_BYTES + 1);
    struct embed_config cfg = {.store = n->store,
                               .clock = &n->clock,
                               .log = &n->log,
                               .model = n->embedder,
                               .keeper = !n->read_only,
                               .owner = n->daemon};
    int rc = setting_value(n, "embed.table", &path, e);
    if (rc == 0) {
        rc = setting_value(n, "endpoint.embed-model", &model, e);
        rc = rc == ERR_NOTFOUND ? 0 : rc;
    }
    if (rc == 0 && (n->embedder != NULL || model.n == 0)) {
        cfg.table = buf_cstr(&path);
    }
    if (rc == 0) {
        rc = embed_open(&n->embed, &cfg, e);
    }
    buf_release(&model);
    buf_release(&path);
    return rc;
}

struct embed *embedding(struct node *n)
{
    struct err e = ERR_INIT;
    if (n->embed == NULL && n->store != NULL && open_it(n, &e) != 0) {
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
    while (embed_source(x) != NULL && next != TIME_NONE && next < until &&
           clock_mono_ms(&n->clock) < until) {
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
