/* The endpoint's client: what waits, whose turn it is, what became of it. */
#include "node/infer/endpoint_int.h"

#include "base/text.h"
#include "crypto/secret.h"
#include "node/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELIVERIES_A_STEP 32
#define IMAGE_TOKENS 1500 /* of a picture: more than most servers count */
#define BYTES_A_TOKEN 3   /* fewer than in English text, about as many as in others */

int64_t endpoint_now(const struct endpoint *x)
{
    return clock_mono_ms(&x->n->clock);
}

/* A number between 0 and n. */
static int64_t chance(struct endpoint *x, int64_t n)
{
    uint32_t v = 0;
    rng_fill(&x->n->rng, &v, sizeof(v));
    return (int64_t)((double)v / 4294967296.0 * (double)n);
}

const char *ask_model(const struct endpoint *x, const struct ask *a)
{
    return a->embed ? x->set.embed_model : a->vision ? x->set.vision_model : x->set.model;
}

/* ---- asks
 * --------------------------------------------------------------------------------------------------
 */

static void ask_free(struct ask *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->n_parts; i++) {
        secret_buf_release(&a->parts[i].text);
        secret_buf_release(&a->parts[i].image);
    }
    free(a->parts);
    buf_release(&a->schema);
    buf_release(&a->sources);
    secret_buf_release(&a->text);
    pseudonyms_free(a->names);
    free(a->vectors.v);
    free(a);
}

static void unlink_ask(struct endpoint *x, struct ask *a)
{
    struct ask **at = &x->asks;
    while (*at != a) {
        at = &(*at)->next;
    }
    *at = a->next;
    x->n_asks--;
    x->bytes -= a->bytes;
}

static void link_ask(struct endpoint *x, struct ask *a)
{
    struct ask **at = &x->asks;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = a;
    a->ticket = ++x->tickets;
    x->n_asks++;
    x->bytes += a->bytes;
}

static void ask_over(struct ask *a, const struct err *e)
{
    a->done = true;
    a->rc = e->code;
    a->e = *e;
}

/* ---- the log and the meter
 * ---------------------------------------------------------------------------------
 */

static size_t images_of(const struct ask *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_parts; i++) {
        n += a->parts[i].image.n > 0;
    }
    return n;
}

static struct spending estimate(const struct ask *a)
{
    size_t text = a->schema.n;
    for (size_t i = 0; i < a->n_parts; i++) {
        text += a->parts[i].text.n;
    }
    return (struct spending){.tokens_in = (int64_t)(text / BYTES_A_TOKEN + 1 + images_of(a) * IMAGE_TOKENS),
                             .tokens_out = a->tokens_max};
}

static void row_fill(const struct endpoint *x, const struct ask *a, struct exchange *h)
{
    struct sent_row *r = &h->row;
    *r = (struct sent_row){
        .time_ms = clock_wall_ms(&x->n->clock),
        .purpose = bytes_str(a->purpose),
        .model = bytes_str(ask_model(x, a)),
        .sources = buf_view(&a->sources),
        .outcome = "under way",
        .observations = a->observations,
        .images = (uint32_t)images_of(a),
        .bytes_out = h->body.n,
    };
    addr_join(x->set.url.host, x->set.url.port, r->host);
}

static void outcome_name(const struct exchange *h, enum result v, char out[SENT_OUTCOME_BYTES])
{
    const char *text = h->r.refused                          ? "refused here"
                       : h->r.too_large                      ? "too large"
                       : h->r.late                           ? "took too long"
                       : v == RESULT_GOOD                    ? "answered"
                       : h->r.code != CURLE_OK && !h->r.sent ? "not reached"
                       : h->r.code != CURLE_OK               ? "no answer"
                       : h->r.status == 200                  ? "unusable answer"
                                                             : "";
    (void)snprintf(out, SENT_OUTCOME_BYTES, "%s", text);
    if (text[0] == '\0') {
        (void)snprintf(out, SENT_OUTCOME_BYTES, "status %ld", h->r.status);
    }
}

/* What the exchange really cost, and how it went. */
static void account(struct endpoint *x, const struct ask *a, enum result v)
{
    struct exchange *h = a->http;
    struct spending real = {0};
    struct err e = ERR_INIT;
    if (h->r.code == CURLE_OK && h->r.status == 200) {
        real = (struct spending){a->tokens_in, a->tokens_out};
    } else if (h->r.code != CURLE_OK && h->r.sent) {
        real.tokens_in = h->charged.tokens_in; /* it may have been read, and counted */
    }
    const struct spending more = {real.tokens_in - h->charged.tokens_in,
                                  real.tokens_out - h->charged.tokens_out};
    int rc = meter_add(&x->meter, x->n, &x->set, more, 0, &e);
    h->row.tokens_in = (uint32_t)real.tokens_in;
    h->row.tokens_out = (uint32_t)real.tokens_out;
    h->row.bytes_in = h->answer.n;
    h->row.bytes_out = h->r.sent ? h->row.bytes_out : 0;
    (void)snprintf(h->row.address, sizeof(h->row.address), "%s", h->r.address);
    outcome_name(h, v, h->row.outcome);
    if (rc == 0) {
        rc = sent_update(x->n->store, &h->row, &e);
    }
    if (rc != 0) {
        log_line(&x->n->log, LOG_ERROR, "endpoint", "%s", e.text);
    }
}

/* ---- resting
 * -----------------------------------------------------------------------------------------------
 */

static void rest(struct endpoint *x, const struct err *e, int64_t ms)
{
    if (x->rest_until_ms == 0 || x->rest.code == 0) {
        log_line(&x->n->log, LOG_WARN, "endpoint", "%s; resting %lld s", e->text, (long long)(ms / 1000));
    }
    x->rest = *e;
    x->rest_until_ms = endpoint_now(x) + ms;
}

/* One more failure in a row. */
static void failed(struct endpoint *x, const struct err *e, bool at_once)
{
    x->failures++;
    if (at_once && x->failures < ENDPOINT_FAILURES_REST) {
        x->failures = ENDPOINT_FAILURES_REST;
    }
    if (x->failures < ENDPOINT_FAILURES_REST) {
        return;
    }
    unsigned doubled = x->failures - ENDPOINT_FAILURES_REST;
    int64_t ms = doubled > 7 ? ENDPOINT_REST_MS_MAX : (int64_t)ENDPOINT_REST_MS << doubled;
    ms = ms > ENDPOINT_REST_MS_MAX ? ENDPOINT_REST_MS_MAX : ms;
    rest(x, e, ms - chance(x, ms / 8));
}

static void recovered(struct endpoint *x, const struct exchange *h)
{
    if (x->failures >= ENDPOINT_FAILURES_REST) {
        log_line(&x->n->log, LOG_INFO, "endpoint", "it answers again");
    }
    x->failures = 0;
    x->rest_until_ms = 0;
    x->rest = ERR_INIT;
    (void)snprintf(x->address, sizeof(x->address), "%s", h->r.address);
}

static void try_later(struct endpoint *x, struct ask *a, const struct err *e)
{
    int64_t after = a->http->r.retry_after_ms;
    if (a->http->r.status != 429) {
        failed(x, e, false);
    }
    if (after > 0 && endpoint_now(x) + after > x->rest_until_ms) {
        rest(x, e, after);
    }
    if (a->attempts >= ENDPOINT_ATTEMPTS_MAX) {
        ask_over(a, e);
        return;
    }
    int64_t wait = (int64_t)ENDPOINT_BACKOFF_MS << (a->attempts - 1);
    a->not_before_ms = endpoint_now(x) + wait / 2 + chance(x, wait);
}

static void exchange_end(struct endpoint *x, struct ask *a)
{
    struct err e = ERR_INIT;
    enum result v = result_find(x, a, &e);
    account(x, a, v);
    switch (v) {
    case RESULT_GOOD:
        recovered(x, a->http);
        a->done = true;
        break;
    case RESULT_NOW:
        a->attempts--;
        break;
    case RESULT_AGAIN:
        recovered(x, a->http);
        break;
    case RESULT_LATER:
        try_later(x, a, &e);
        break;
    case RESULT_REST:
        failed(x, &e, true);
        ask_over(a, &e);
        break;
    case RESULT_OVER:
        ask_over(a, &e);
        break;
    }
    http_free(a->http);
    a->http = NULL;
    x->running--;
}

/* ---- sending
 * -----------------------------------------------------------------------------------------------
 */

int endpoint_allowed(const struct endpoint *x, struct err *e)
{
    const struct endpoint_url *u = &x->set.url;
    if (x->set_error.code != 0) {
        if (e != NULL) {
            *e = x->set_error;
        }
        return x->set_error.code;
    }
    if (u->base[0] == '\0') {
        (void)err_set(e, ERR_NOTFOUND, "no endpoint is set");
        err_hint(e, "selfsame config endpoint.url http://127.0.0.1:11434/v1");
        return ERR_NOTFOUND;
    }
    bool remote = (u->numeric && !u->loopback) || x->set.proxy[0] != '\0';
    if (remote && !(x->set.allow_remote && u->https)) {
        (void)err_set(e, ERR_PERM,
                      x->set.proxy[0] != '\0' ? "a proxy is for an endpoint that is not this machine"
                                              : "the endpoint '%s' is not this machine",
                      u->host);
        err_hint(e, "that needs an address with https://, and: selfsame config endpoint.allow-remote on");
        return ERR_PERM;
    }
    return 0;
}

/* The waiting ask whose turn it is; *next: when another one's time comes. */
static struct ask *turn(const struct endpoint *x, int64_t *next)
{
    struct ask *best = NULL;
    int64_t now = endpoint_now(x);
    for (struct ask *a = x->asks; a != NULL; a = a->next) {
        if (a->done || a->http != NULL) {
            continue;
        }
        if (a->not_before_ms > now) {
            *next = time_earlier(*next, a->not_before_ms);
        } else if (best == NULL || a->priority < best->priority) {
            best = a;
        }
    }
    return best;
}

/* Invariant 1: the estimate is in the meter and the row in the log before anything goes out. */
static int announce(struct endpoint *x, struct ask *a, struct exchange *h, struct err *e)
{
    h->charged = estimate(a);
    row_fill(x, a, h);
    int rc = store_begin(x->n->store, e);
    if (rc != 0) {
        return rc;
    }
    rc = meter_add(&x->meter, x->n, &x->set, h->charged, 1, e);
    if (rc == 0) {
        rc = sent_add(x->n->store, &h->row, e);
    }
    if (rc == 0) {
        return store_commit(x->n->store, e);
    }
    store_rollback(x->n->store);
    return rc;
}

static int ask_send(struct endpoint *x, struct ask *a, struct err *e)
{
    struct buf body;
    buf_init(&body, 3 * (size_t)ENDPOINT_ASK_BYTES);
    int rc = a->embed ? body_embed(x, a, &body) : body_chat(x, a, &body);
    struct exchange *h = NULL;
    if (rc == 0) {
        rc = http_new(x, a->embed ? "/embeddings" : "/chat/completions", &body,
                      a->embed ? ENDPOINT_EMBED_BYTES : ENDPOINT_CHAT_BYTES, &h);
    }
    secret_buf_release(&body);
    if (rc == 0) {
        rc = announce(x, a, h, e);
    } else {
        (void)err_set(e, rc, "asking the endpoint");
    }
    if (rc == 0) {
        rc = http_send(h) == 0 ? 0 : err_set(e, ERR_NOMEM, "asking the endpoint");
    }
    if (rc != 0) {
        http_free(h);
        return rc;
    }
    a->http = h;
    a->attempts++;
    x->running++;
    return 0;
}

/* Whether anything may be sent now; when that may change (monotonic). */
static bool may_send(struct endpoint *x, int64_t *next)
{
    int64_t now = endpoint_now(x);
    if (x->rest_until_ms > now) {
        *next = time_earlier(*next, x->rest_until_ms);
        return false;
    }
    /* After a rest one request finds out. */
    unsigned most = x->failures >= ENDPOINT_FAILURES_REST ? 1 : x->set.parallel;
    if (x->running >= most || endpoint_allowed(x, NULL) != 0) {
        return false;
    }
    struct err e = ERR_INIT;
    int rc = key_have(x, &e);
    if (rc != 0 && x->key.state == KEY_FAILED) {
        *next = time_earlier(*next, x->key.until_ms);
    }
    return rc == 0;
}

/* Sends what may be sent; when it must be looked at again. */
static int64_t send_due(struct endpoint *x)
{
    int64_t next = TIME_NONE;
    for (;;) {
        struct err e = ERR_INIT;
        bool never = false;
        struct ask *a = turn(x, &next);
        if (a == NULL || !may_send(x, &next)) {
            return next;
        }
        int rc = meter_fits(&x->meter, x->n, &x->set, estimate(a), &never, &e);
        if (never) {
            ask_over(a, &e);
            continue;
        }
        if (rc != 0) {
            int64_t wait = meter_renews_ms(x->n) - clock_wall_ms(&x->n->clock);
            return time_earlier(next, endpoint_now(x) + wait);
        }
        rc = ask_send(x, a, &e);
        if (rc != 0) {
            rest(x, &e, ENDPOINT_REST_MS);
        }
    }
}

/* ---- stepping
 * ----------------------------------------------------------------------------------------------
 */

static struct ask *ask_of(const struct endpoint *x, const struct exchange *h)
{
    struct ask *a = x->asks;
    while (a != NULL && a->http != h) {
        a = a->next;
    }
    return a;
}

static struct ask *done_take(struct endpoint *x)
{
    for (struct ask *a = x->asks; a != NULL; a = a->next) {
        if (a->done) {
            unlink_ask(x, a);
            return a;
        }
    }
    return NULL;
}

/* Tells who asked; false: there was nothing to tell. */
static bool deliver(struct endpoint *x)
{
    struct ask *a = done_take(x);
    if (a == NULL) {
        return false;
    }
    const struct answer answer = {
        .rc = a->rc,
        .e = &a->e,
        .text = a->rc == 0 ? buf_view(&a->text) : BYTES_NONE,
        .vectors = a->rc == 0 ? a->vectors.v : NULL,
        .n_vectors = a->rc == 0 ? a->vectors.n : 0,
        .n_dims = a->rc == 0 ? a->vectors.n_dims : 0,
        .tokens_in = a->tokens_in,
        .tokens_out = a->tokens_out,
        .cut = a->cut,
    };
    a->fn(a->ctx, &answer);
    ask_free(a);
    return true;
}

int64_t endpoint_step(struct endpoint *x)
{
    int64_t key_due = key_step(x);
    for (struct exchange *h = http_step(x); h != NULL; h = http_step(x)) {
        exchange_end(x, ask_of(x, h));
    }
    int told = 0;
    while (told < DELIVERIES_A_STEP && deliver(x)) {
        told++;
    }
    int64_t next = time_earlier(send_due(x), key_due);
    if (x->key.state == KEY_FETCHING) {
        next = time_earlier(next, x->key.child.until_ms);
    }
    for (const struct ask *a = x->asks; a != NULL; a = a->next) {
        if (a->done) {
            return endpoint_now(x);
        }
        if (a->http != NULL) {
            next = time_earlier(next, http_due(x, a->http));
        }
    }
    return next;
}

int endpoint_fd(const struct endpoint *x)
{
    return x->epoll_fd;
}

/* ---- asking
 * ------------------------------------------------------------------------------------------------
 */

int endpoint_ready(const struct endpoint *x, struct err *e)
{
    if (x == NULL) {
        return err_set(e, ERR_NOTFOUND, "no endpoint is open");
    }
    int rc = endpoint_allowed(x, e);
    if (rc != 0) {
        return rc;
    }
    if (x->set.vision_model[0] == '\0' && x->set.embed_model[0] == '\0') { /* so there is no model either */
        (void)err_set(e, ERR_NOTFOUND, "no model of the endpoint is set");
        err_hint(e, "selfsame config endpoint.model NAME");
        return ERR_NOTFOUND;
    }
    if (x->key.state == KEY_FAILED || (x->rest_until_ms > endpoint_now(x) && x->rest.code == ERR_PERM)) {
        const struct err *why = x->key.state == KEY_FAILED ? &x->key.e : &x->rest;
        (void)err_set(e, ERR_PERM, "%s", why->text);
        err_hint(e, "%s", why->hint);
        return ERR_PERM;
    }
    if (x->rest_until_ms > endpoint_now(x)) {
        return err_set(e, ERR_INUSE, "%s; it rests", x->rest.text);
    }
    struct meter copy = x->meter;
    bool never = false;
    rc = meter_fits(&copy, x->n, &x->set, (struct spending){1, 1}, &never, e);
    return rc;
}

static int text_check(struct bytes text, struct err *e)
{
    return !utf8_valid(text) || (text.n > 0 && memchr(text.p, 0, text.n) != NULL)
               ? err_set(e, ERR_USAGE, "a text for the endpoint is not valid UTF-8, or holds a NUL")
               : 0;
}

static int name_take(const char *name, char *out, size_t size, struct err *e)
{
    int n = name != NULL ? snprintf(out, size, "%s", name) : 0;
    return n <= 0 || (size_t)n >= size ? err_set(e, ERR_USAGE, "a request to the endpoint lacks a name") : 0;
}

/* The names that the user gave to be replaced. */
static int people_add(struct endpoint *x, struct pseudonyms *p, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    struct buf v;
    buf_init(&v, LIMIT_SETTING_BYTES);
    int rc = setting_find(BYTES_LIT("endpoint.people"), &k, e);
    if (rc == 0) {
        rc = config_get(x->n->store, k, &v, &set, e);
    }
    struct bytes rest_of = buf_view(&v);
    while (rc == 0 && rest_of.n > 0) {
        size_t end = bytes_find(rest_of, BYTES_LIT("\n"));
        rc = pseudonyms_add(p, bytes_trim(bytes_slice(rest_of, 0, end)));
        rest_of = end == SIZE_MAX ? BYTES_NONE : bytes_slice(rest_of, end + 1, SIZE_MAX);
    }
    buf_release(&v);
    return rc;
}

static int ask_new(struct endpoint *x, size_t n_parts, struct ask **out, struct err *e)
{
    struct ask *a = calloc(1, sizeof(*a));
    *out = a;
    if (a != NULL) {
        a->parts = calloc(n_parts, sizeof(*a->parts));
        buf_init(&a->schema, ENDPOINT_SCHEMA_BYTES);
        buf_init(&a->sources, SENT_SOURCES_BYTES);
        buf_init(&a->text, 2 * (size_t)ANSWER_TEXT_BYTES);
    }
    if (a == NULL || a->parts == NULL) {
        return err_set(e, ERR_NOMEM, "asking the endpoint");
    }
    a->mode = x->mode;
    a->new_tokens_field = x->new_tokens_field;
    if (!x->set.pseudonyms) {
        return 0;
    }
    a->names = pseudonyms_new(secret_view(&x->n->home.keys.event));
    int rc = a->names != NULL ? people_add(x, a->names, e) : err_set(e, ERR_NOMEM, "asking the endpoint");
    return rc;
}

static int part_add(struct ask *a, const struct chat_part *p, struct err *e)
{
    struct ask_part *to = &a->parts[a->n_parts];
    buf_init(&to->text, ENDPOINT_ASK_BYTES);
    buf_init(&to->image, ENDPOINT_ASK_BYTES);
    a->n_parts++;
    int rc = text_check(p->text, e);
    if (rc == 0 && !a->embed) {
        rc = name_take(p->role, to->role, sizeof(to->role), e);
    }
    if (rc == 0 && p->image.n > 0) {
        rc = name_take(p->image_type, to->image_type, sizeof(to->image_type), e);
    }
    if (rc != 0) {
        return rc;
    }
    rc = a->names != NULL ? pseudonyms_hide(a->names, p->text, &to->text) : buf_bytes(&to->text, p->text);
    if (rc == 0) {
        rc = buf_bytes(&to->image, p->image);
    }
    a->bytes += to->text.n + to->image.n;
    if (rc == 0 && a->bytes > ENDPOINT_ASK_BYTES) {
        rc = ERR_LIMIT;
    }
    return rc == 0 ? 0 : err_set(e, rc, "the request is larger than the endpoint is asked with");
}

/* Whole names as far as they fit. */
static int sources_take(struct ask *a, struct bytes sources, unsigned observations)
{
    a->observations = observations;
    while (sources.n > SENT_SOURCES_BYTES) {
        sources = bytes_slice(sources, 0, SENT_SOURCES_BYTES);
        while (sources.n > 0 && sources.p[sources.n - 1] != '\n') {
            sources.n--;
        }
    }
    return buf_bytes(&a->sources, sources);
}

/* Queues the ask, or frees it after a failure. */
static int ask_queue(struct endpoint *x, struct ask *a, int rc, int64_t *ticket, struct err *e)
{
    if (rc == 0 && (x->n_asks >= ENDPOINT_QUEUE_MAX || x->bytes + a->bytes > ENDPOINT_QUEUE_BYTES)) {
        rc = err_set(e, ERR_FULL, "%zu requests wait for the endpoint already", x->n_asks);
    }
    if (rc != 0) {
        ask_free(a);
        return rc;
    }
    link_ask(x, a);
    if (ticket != NULL) {
        *ticket = a->ticket;
    }
    return 0;
}

/* ERR_NOTFOUND and ERR_PERM of endpoint_ready(): what waiting does not mend. */
static int may_ask(const struct endpoint *x, const char *model, struct err *e)
{
    struct err why = ERR_INIT;
    int rc = endpoint_ready(x, &why);
    if (rc == 0 || (rc != ERR_NOTFOUND && rc != ERR_PERM && rc != ERR_FORMAT)) {
        rc = model[0] != '\0' ? 0 : err_set(e, ERR_NOTFOUND, "no model of the endpoint is set for this");
    } else if (e != NULL) {
        *e = why;
    }
    return rc;
}

int endpoint_chat(struct endpoint *x, const struct chat_request *r, answer_fn *fn, void *ctx, int64_t *ticket,
                  struct err *e)
{
    struct ask *a = NULL;
    int rc = may_ask(x, x == NULL ? "" : r->vision ? x->set.vision_model : x->set.model, e);
    if (rc == 0 && (r->n_parts == 0 || r->n_parts > ENDPOINT_PARTS_MAX || r->tokens_max == 0 ||
                    r->priority >= ENDPOINT_PRIORITIES)) {
        rc = err_set(e, ERR_USAGE, "not a request to the endpoint");
    }
    if (rc != 0) {
        return rc;
    }
    rc = ask_new(x, r->n_parts, &a, e);
    for (size_t i = 0; rc == 0 && i < r->n_parts; i++) {
        rc = part_add(a, &r->parts[i], e);
    }
    if (rc == 0) {
        rc = name_take(r->purpose, a->purpose, sizeof(a->purpose), e);
    }
    if (rc == 0 && r->schema_name != NULL) {
        rc = name_take(r->schema_name, a->schema_name, sizeof(a->schema_name), e);
        rc = rc != 0 ? rc : answer_shape_read(r->schema, &a->shape, e);
        rc = rc != 0                                 ? rc
             : buf_bytes(&a->schema, r->schema) != 0 ? err_set(e, ERR_LIMIT, "the schema is too long")
                                                     : 0;
    }
    if (rc == 0) {
        rc = sources_take(a, r->sources, r->observations);
        a->vision = r->vision;
        a->shrunk = x->tokens_cap != 0 && x->tokens_cap < r->tokens_max;
        a->tokens_max = a->shrunk ? x->tokens_cap : r->tokens_max;
        a->priority = r->priority;
        a->fn = fn;
        a->ctx = ctx;
    }
    return ask_queue(x, a, rc, ticket, e);
}

int endpoint_embed(struct endpoint *x, const struct embed_request *r, answer_fn *fn, void *ctx,
                   int64_t *ticket, struct err *e)
{
    struct ask *a = NULL;
    int rc = may_ask(x, x != NULL ? x->set.embed_model : "", e);
    if (rc == 0 && (r->n == 0 || r->n > ENDPOINT_TEXTS_MAX || r->priority >= ENDPOINT_PRIORITIES)) {
        rc = err_set(e, ERR_USAGE, "not a request to the endpoint");
    }
    if (rc != 0) {
        return rc;
    }
    rc = ask_new(x, r->n, &a, e);
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        const struct chat_part p = {.text = r->texts[i]};
        a->embed = true;
        rc = p.text.n > 0 ? part_add(a, &p, e) : err_set(e, ERR_USAGE, "an empty text has no vector");
    }
    if (rc == 0) {
        rc = name_take(r->purpose, a->purpose, sizeof(a->purpose), e);
    }
    if (rc == 0) {
        rc = sources_take(a, r->sources, r->observations);
        a->priority = r->priority;
        a->fn = fn;
        a->ctx = ctx;
    }
    return ask_queue(x, a, rc, ticket, e);
}

/* Stops what is under way, as "cancelled" in the log. */
static void ask_stop(struct endpoint *x, struct ask *a)
{
    if (a->http == NULL) {
        return;
    }
    struct err e = ERR_INIT;
    a->http->row.bytes_in = a->http->answer.n;
    (void)snprintf(a->http->row.outcome, sizeof(a->http->row.outcome), "cancelled");
    if (sent_update(x->n->store, &a->http->row, &e) != 0) {
        log_line(&x->n->log, LOG_ERROR, "endpoint", "%s", e.text);
    }
    http_free(a->http);
    a->http = NULL;
    x->running--;
}

void endpoint_cancel(struct endpoint *x, int64_t ticket)
{
    for (struct ask *a = x != NULL ? x->asks : NULL; a != NULL; a = a->next) {
        if (a->ticket == ticket) {
            ask_stop(x, a);
            unlink_ask(x, a);
            ask_free(a);
            return;
        }
    }
}

const char *endpoint_model(const struct endpoint *x)
{
    return x != NULL ? x->set.model : "";
}

const char *endpoint_embed_model(const struct endpoint *x)
{
    return x != NULL && x->set.embed_model[0] != '\0' ? x->set.embed_model : NULL;
}

/* ---- opening
 * -----------------------------------------------------------------------------------------------
 */

static int settings_take(struct endpoint *x, struct err *e)
{
    x->set_error = ERR_INIT;
    int rc = endpoint_settings_load(&x->set, x->n->store, &x->set_error);
    if (rc != 0 && rc != ERR_FORMAT) {
        if (e != NULL) {
            *e = x->set_error;
        }
        return rc;
    }
    x->failures = 0;
    x->rest_until_ms = 0;
    x->rest = ERR_INIT;
    x->dims = 0;
    x->address[0] = '\0';
    key_forget(x);
    rc = meter_load(&x->meter, x->n, e);
    return rc != 0 ? rc : server_load(x, e);
}

int endpoint_open(struct endpoint **out, struct node *n, struct err *e)
{
    struct endpoint *x = calloc(1, sizeof(*x));
    *out = NULL;
    if (x == NULL) {
        return err_set(e, ERR_NOMEM, "opening the endpoint");
    }
    x->n = n;
    int rc = http_open(x, e);
    if (rc != 0) {
        free(x);
        return rc;
    }
    child_init(&x->key.child, x->epoll_fd);
    rc = settings_take(x, e);
    if (rc != 0) {
        endpoint_close(x);
        return rc;
    }
    *out = x;
    return 0;
}

void endpoint_reload(struct endpoint *x)
{
    struct err e = ERR_INIT;
    for (struct ask *a = x->asks; a != NULL; a = a->next) {
        ask_stop(x, a);
        a->not_before_ms = 0;
    }
    if (settings_take(x, &e) != 0) {
        x->set_error = e;
    }
    struct err gone = ERR_INIT;
    if (endpoint_allowed(x, &gone) == 0) {
        return;
    }
    gone.code = gone.code == ERR_NOTFOUND ? ERR_CANCELLED : gone.code;
    for (struct ask *a = x->asks; a != NULL; a = a->next) {
        ask_over(a, &gone);
    }
}

void endpoint_close(struct endpoint *x)
{
    if (x == NULL) {
        return;
    }
    while (x->asks != NULL) {
        struct ask *a = x->asks;
        ask_stop(x, a);
        unlink_ask(x, a);
        ask_free(a);
    }
    key_forget(x);
    http_close(x);
    free(x);
}

/* ---- state
 * -------------------------------------------------------------------------------------------------
 */

static void condition_find(const struct endpoint *x, struct endpoint_state *out)
{
    int64_t wall = clock_wall_ms(&x->n->clock);
    int rc = endpoint_ready(x, &out->why);
    out->condition = rc == 0           ? ENDPOINT_FINE
                     : rc == ERR_INUSE ? ENDPOINT_RESTS
                     : rc == ERR_LIMIT ? ENDPOINT_SPENT
                                       : ENDPOINT_REFUSED;
    if (x->rest_until_ms > endpoint_now(x)) {
        out->until_ms = wall + x->rest_until_ms - endpoint_now(x);
    } else if (rc == ERR_LIMIT) {
        out->until_ms = meter_renews_ms(x->n);
    }
}

int endpoint_state_read(struct node *n, struct endpoint_state *out, struct err *e)
{
    const struct endpoint *x = n->endpoint;
    *out = (struct endpoint_state){.until_ms = TIME_NONE};
    int rc = meter_load(&out->today, n, e);
    if (rc != 0) {
        return rc;
    }
    if (x != NULL) {
        out->set = x->set;
        out->running = x->running;
        out->waiting = x->n_asks - x->running;
        (void)snprintf(out->address, sizeof(out->address), "%s", x->address);
        condition_find(x, out);
    } else if (endpoint_settings_load(&out->set, n->store, &out->why) != 0) {
        out->condition = ENDPOINT_REFUSED;
    } else {
        out->condition = ENDPOINT_OFF;
    }
    if (out->set.url.base[0] == '\0' && out->why.code != ERR_FORMAT) {
        out->condition = ENDPOINT_UNSET;
    }
    return 0;
}
