/* Status: what this device holds, said truthfully, and what needs attention. */
#include "node/serve/api_int.h"

#include "crypto/words.h"
#include "node/net/net.h"
#include "node/watchlist.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGEST_WORDS 6

struct tally {
    struct node *n;
    cJSON *list;
    uint64_t total;
    cJSON *attention;
};

static int source_put(void *ctx, const struct source_count *c)
{
    struct tally *t = ctx;
    cJSON *o = put_object(t->list, NULL);
    t->total += c->n;
    bool ok = o != NULL && put_text(o, "source", c->source) == 0 &&
              put_num(o, "observations", (double)c->n) == 0 && put_time(o, "first", c->first_ms) == 0 &&
              put_time(o, "last", c->last_ms) == 0;
    return ok ? 0 : ERR_NOMEM;
}

static int log_tally(void *ctx, const struct log_head *h)
{
    struct tally *t = ctx;
    t->total += h->seq;
    if (h->held == 0) {
        return 0;
    }
    char device[LIMIT_NAME_BYTES + 1];
    char text[LIMIT_NAME_BYTES + 128];
    device_name(t->n, &h->device, device);
    (void)snprintf(text, sizeof(text), "clock of %s is ahead by %lld min: %llu changes wait for their time",
                   device, (long long)(h->ahead_ms / MS_MINUTE), (unsigned long long)h->held);
    cJSON *s = cJSON_CreateString(text);
    return s != NULL && cJSON_AddItemToArray(t->attention, s) ? 0 : ERR_NOMEM;
}

static int digest_put(struct node *n, cJSON *doc, struct err *e)
{
    struct hash digest;
    struct buf words;
    char hex[2 * HASH_BYTES + 1];
    int rc = store_digest(n->store, &digest, e);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < HASH_BYTES; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest.b[i]);
    }
    buf_init(&words, 256);
    rc = words_put(bytes_of(digest.b, HASH_BYTES), DIGEST_WORDS, &words);
    if (rc == 0) {
        rc = put_str(doc, "digest", hex);
    }
    if (rc == 0) {
        rc = put_text(doc, "digest_words", buf_view(&words));
    }
    buf_release(&words);
    return rc;
}

static int device_put(struct node *n, cJSON *doc)
{
    cJSON *o = put_object(doc, "device");
    return o != NULL && put_str(o, "name", n->home.name) == 0 && put_id(o, "id", &n->home.device) == 0
               ? 0
               : ERR_NOMEM;
}

static int store_put(struct node *n, cJSON *doc)
{
    static const char *const files[] = {"selfsame.db", "selfsame.db-wal", "selfsame.db-vectors"};
    int64_t bytes = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[LIMIT_PATH_BYTES];
        struct stat st;
        if (home_file(&n->home, files[i], path, NULL) == 0 && stat(path, &st) == 0) {
            bytes += st.st_size;
        }
    }
    cJSON *o = put_object(doc, "store");
    return o != NULL && put_str(o, "path", n->home.path) == 0 && put_num(o, "bytes", (double)bytes) == 0
               ? 0
               : ERR_NOMEM;
}

static int node_put(struct node *n, cJSON *doc)
{
    cJSON *o = put_object(doc, "node");
    bool ok = o != NULL && put_bool(o, "running", n->daemon) == 0;
    if (ok && n->daemon) {
        ok = put_num(o, "pid", (double)getpid()) == 0 && put_time(o, "since", n->started_ms) == 0;
    }
    return ok ? 0 : ERR_NOMEM;
}

static int numbers_put(struct node *n, cJSON *doc, struct err *e)
{
    struct list_filter f = {.at_ms = clock_wall_ms(&n->clock), .max = 1}; /* only the count matters */
    struct ranked_list l;
    uint64_t all = 0;
    int rc = store_prop_count(n->store, 0, &all, e);
    ranked_list_init(&l);
    if (rc == 0) {
        rc = model_list(n->store, &f, &l, e);
    }
    if (rc == 0) {
        rc = put_num(doc, "propositions", (double)all);
    }
    if (rc == 0) {
        rc = put_num(doc, "shown", (double)l.total);
    }
    ranked_list_release(&l);
    return rc;
}

/* The other devices, the group, and where this node listens. */
static int sharing_put(struct node *n, cJSON *doc, struct err *e)
{
    int rc = put_peers(n, doc, e);
    if (rc == 0) {
        rc = put_group(n, doc);
    }
    if (rc == 0 && n->net != NULL) {
        return put_str(doc, "listening", net_address(n->net));
    }
    return rc != 0 ? rc : cJSON_AddNullToObject(doc, "listening") != NULL ? 0 : ERR_NOMEM;
}

static int contents_put(struct node *n, cJSON *doc, struct tally *t, struct err *e)
{
    int rc = digest_put(n, doc, e);
    if (rc == 0) {
        rc = numbers_put(n, doc, e);
    }
    t->list = rc == 0 ? put_array(doc, "sources") : NULL;
    if (rc == 0) {
        rc = t->list != NULL ? local_sources(n->store, source_put, t, e) : ERR_NOMEM;
    }
    if (rc == 0) {
        rc = put_num(doc, "observations", (double)t->total);
        t->total = 0;
    }
    if (rc == 0) {
        rc = store_logs(n->store, log_tally, t, e);
    }
    return rc != 0 ? rc : put_num(doc, "ops", (double)t->total);
}

int api_status(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    (void)req;
    struct tally t = {.n = n, .attention = cJSON_CreateArray()};
    int rc = t.attention != NULL ? device_put(n, doc) : ERR_NOMEM;
    if (rc == 0) {
        rc = contents_put(n, doc, &t, e);
    }
    if (rc == 0) {
        rc = sharing_put(n, doc, e);
    }
    if (rc == 0) {
        rc = put_attention(n, t.attention, e);
    }
    if (rc == 0) {
        rc = put_endpoint(n, doc, t.attention, e);
    }
    if (rc == 0) {
        rc = put_thinking(n, doc, e);
    }
    if (rc == 0) {
        rc = put_pictures(n, doc, t.attention, e);
    }
    bool ok = rc == 0 && put_time(doc, "paused_until", node_paused_until(n)) == 0 &&
              watchlist_put(n, doc) == 0 && node_put(n, doc) == 0 && store_put(n, doc) == 0;
    if (!ok || !cJSON_AddItemToObject(doc, "attention", t.attention)) {
        cJSON_Delete(t.attention);
        return rc != 0 ? rc : ERR_NOMEM;
    }
    return 0;
}
