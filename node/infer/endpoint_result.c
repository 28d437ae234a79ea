/* What an exchange came to: which faults are the server's, the settings', the model's or the request's own,
 * and what a server turned out not to understand. */
#include "node/infer/endpoint_int.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BAD_ANSWERS_MAX 2 /* of one ask, until it is given up */
#define TOKENS_MIN 500u   /* an answer is not asked to be shorter */
#define SERVER_KEY "endpoint:server"
#define SERVER_VERSION 2
#define SERVER_DAYS 7 /* what a server cannot do is believed for so long */

/* ---- what is remembered
 * ------------------------------------------------------------------------------------
 */

int server_load(struct endpoint *x, struct err *e)
{
    struct buf v;
    bool found = false;
    struct rd r;
    buf_init(&v, 2 * ENDPOINT_URL_BYTES);
    int rc = local_get(x->n->store, SERVER_KEY, &v, &found, e);
    rd_init(&r, buf_view(&v));
    x->mode = FORMAT_SCHEMA;
    x->new_tokens_field = false;
    x->tokens_cap = 0;
    if (rc == 0 && found && rd_u8(&r) == SERVER_VERSION) {
        unsigned mode = rd_u8(&r);
        bool field = rd_u8(&r) != 0;
        int64_t age = clock_wall_ms(&x->n->clock) - (int64_t)rd_u64(&r);
        struct bytes url = rd_lenbytes(&r, ENDPOINT_URL_BYTES);
        struct bytes model = rd_lenbytes(&r, LIMIT_NAME_BYTES);
        if (rd_end(&r) == 0 && mode < FORMAT_MODES && age >= 0 && age < SERVER_DAYS * MS_DAY &&
            bytes_eq(url, bytes_str(x->set.url.base)) && bytes_eq(model, bytes_str(x->set.model))) {
            x->mode = (enum format_mode)mode;
            x->new_tokens_field = field;
        }
    }
    buf_release(&v);
    return rc;
}

int server_save(struct endpoint *x, struct err *e)
{
    struct buf v;
    buf_init(&v, 2 * ENDPOINT_URL_BYTES);
    wr_u8(&v, SERVER_VERSION);
    wr_u8(&v, (uint8_t)x->mode);
    wr_u8(&v, x->new_tokens_field);
    wr_u64(&v, (uint64_t)clock_wall_ms(&x->n->clock));
    wr_lenbytes(&v, bytes_str(x->set.url.base));
    wr_lenbytes(&v, bytes_str(x->set.model));
    int rc = v.err != 0 ? err_set(e, v.err, "remembering the endpoint")
                        : local_set(x->n->store, SERVER_KEY, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

/* ---- no answer
 * ---------------------------------------------------------------------------------------------
 */

static enum result refused(const struct endpoint *x, const struct exchange *h, struct err *e)
{
    (void)err_set(e, ERR_PERM, "the endpoint '%s' is at %s, which is not this machine", x->set.url.host,
                  h->r.address);
    err_hint(e, x->set.url.https
                    ? "to let what the audit passed go there: selfsame config endpoint.allow-remote on"
                    : "an endpoint that is not this machine needs an address with https://, and: "
                      "selfsame config endpoint.allow-remote on");
    return RESULT_REST;
}

static bool is_tls(CURLcode c)
{
    return c == CURLE_PEER_FAILED_VERIFICATION || c == CURLE_SSL_CACERT_BADFILE ||
           c == CURLE_SSL_ISSUER_ERROR || c == CURLE_SSL_INVALIDCERTSTATUS || c == CURLE_SSL_CERTPROBLEM;
}

static enum result no_answer(const struct endpoint *x, const struct exchange *h, struct err *e)
{
    if (h->r.refused) {
        return refused(x, h, e);
    }
    if (h->r.too_large) {
        (void)err_set(e, ERR_LIMIT, "the endpoint's answer is larger than is read");
        return RESULT_OVER;
    }
    if (is_tls(h->r.code)) {
        (void)err_set(e, ERR_VERIFY, "the endpoint's certificate cannot be verified: %s",
                      curl_easy_strerror(h->r.code));
        err_hint(e, "a certificate authority of your own: selfsame config endpoint.ca-file PATH");
        return RESULT_REST;
    }
    (void)err_set(e, ERR_IO, "the endpoint does not answer: %s",
                  h->r.late ? "it takes too long" : curl_easy_strerror(h->r.code));
    return RESULT_LATER;
}

/* ---- an error for an answer
 * --------------------------------------------------------------------------------
 */

static bool holds(const struct exchange *h, const char *text)
{
    return bytes_find(buf_view(&h->answer), bytes_str(text)) != SIZE_MAX;
}

/* A request that it does not understand: in which other way to ask; false: there is none. */
static bool ask_otherwise(struct ask *a)
{
    if (!a->embed && !a->new_tokens_field && holds(a->http, "max_completion_tokens")) {
        a->new_tokens_field = true;
        return true;
    }
    if (a->schema.n > 0 && a->mode != FORMAT_PLAIN) {
        a->mode++;
        return true;
    }
    return false;
}

/* Whether question and answer together are more than the model can have before it. */
static bool is_too_long(const struct exchange *h)
{
    static const char *const says[] = {"context_length_exceeded", "exceed_context_size",
                                       "maximum context length", "exceed context window"};
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        if (holds(h, says[i])) {
            return true;
        }
    }
    return false;
}

/* Some servers count what may be answered at most as if it were there: less is asked for, until what is left
 * over is the question's own fault. */
static enum result too_long(struct ask *a, struct err *e)
{
    if (!a->embed && a->tokens_max > TOKENS_MIN) {
        a->tokens_max = a->tokens_max / 2 > TOKENS_MIN ? a->tokens_max / 2 : TOKENS_MIN;
        a->shrunk = true;
        return RESULT_NOW;
    }
    a->cut = true;
    (void)err_set(e, ERR_LIMIT, "the question is longer than the model's context");
    err_hint(e, "start the server with a larger context");
    return RESULT_OVER;
}

static enum result not_understood(struct ask *a, long status, const char *code, struct err *e)
{
    if (ask_otherwise(a)) {
        return RESULT_NOW;
    }
    (void)err_set(e, ERR_FORMAT, "the endpoint does not accept the request (status %ld%s%s)", status,
                  code[0] != '\0' ? ", " : "", code);
    return RESULT_OVER;
}

static enum result key_wrong(struct endpoint *x, struct ask *a, long status, struct err *e)
{
    if (x->key.state == KEY_HERE && !a->rekeyed) {
        a->rekeyed = true;
        key_forget(x);
        return RESULT_NOW;
    }
    (void)err_set(e, ERR_PERM, "the endpoint refuses the key (status %ld)", status);
    err_hint(e, "selfsame config endpoint.key-file PATH");
    return RESULT_REST;
}

static enum result error_judge(struct endpoint *x, struct ask *a, struct err *e)
{
    struct exchange *h = a->http;
    long status = h->r.status;
    char code[ANSWER_CODE_BYTES + 1];
    answer_error_code(buf_view(&h->answer), code);
    if ((status == 400 || status == 413 || status == 422 || status == 500) && is_too_long(h)) {
        return too_long(a, e);
    }
    switch (status) {
    case 500: /* what it cannot do is an error of its own, for some */
        if (a->schema.n == 0 || a->mode == FORMAT_PLAIN || !holds(h, "response_format")) {
            break;
        }
        return not_understood(a, status, code, e);
    case 400:
    case 415:
    case 422:
    case 501:
        return not_understood(a, status, code, e);
    case 401:
    case 403:
        return key_wrong(x, a, status, e);
    case 402:
        (void)err_set(e, ERR_PERM, "the endpoint wants to be paid (status 402)");
        return RESULT_REST;
    case 404:
    case 405:
        (void)err_set(e, ERR_NOTFOUND, "the endpoint knows no '%s' or no such model (status %ld)",
                      a->embed ? "/embeddings" : "/chat/completions", status);
        err_hint(e, "selfsame config endpoint.url; selfsame config endpoint.model");
        return RESULT_REST;
    case 413:
        (void)err_set(e, ERR_LIMIT, "the request is larger than the endpoint takes");
        return RESULT_OVER;
    case 429:
        (void)err_set(e, ERR_IO, "the endpoint asks for fewer requests (status 429)");
        return RESULT_LATER;
    default:
        break;
    }
    if (status >= 300 && status < 400) {
        (void)err_set(e, ERR_PERM, "the endpoint sends us elsewhere (status %ld); that is not followed",
                      status);
        return RESULT_REST;
    }
    (void)err_set(e, ERR_IO, "the endpoint answers with an error (status %ld%s%s)", status,
                  code[0] != '\0' ? ", " : "", code);
    return status >= 500 || status == 408 || status == 409 || status == 425 ? RESULT_LATER : RESULT_OVER;
}

/* ---- an answer
 * ---------------------------------------------------------------------------------------------
 */

static void usage_take(struct ask *a, const struct answer_usage *u, size_t answer_bytes)
{
    a->tokens_in = u->given ? u->tokens_in : (unsigned)a->http->charged.tokens_in;
    a->tokens_out = u->given ? u->tokens_out : (unsigned)(answer_bytes / 3);
}

static enum result vectors_judge(struct endpoint *x, struct ask *a, struct err *e)
{
    int rc = answer_vectors_read(buf_view(&a->http->answer), a->n_parts, &a->vectors, e);
    usage_take(a, &a->vectors.usage, 0);
    if (rc == 0 && x->dims != 0 && x->dims != a->vectors.n_dims) {
        (void)err_set(e, ERR_FORMAT, "the endpoint's vectors have %zu dimensions, earlier ones had %zu",
                      a->vectors.n_dims, x->dims);
        free(a->vectors.v);
        a->vectors.v = NULL;
        return RESULT_OVER;
    }
    x->dims = rc == 0 ? a->vectors.n_dims : x->dims;
    return rc == 0 ? RESULT_GOOD : RESULT_LATER;
}

/* The document, or the text, with names put back in. */
static int text_judge(struct ask *a, struct buf *message, bool whole, struct err *e)
{
    struct buf doc;
    buf_init(&doc, ANSWER_TEXT_BYTES);
    int rc = 0;
    if (a->schema.n > 0) {
        rc = answer_document(buf_view(message), &a->shape, whole, &doc, e);
    } else {
        rc = buf_bytes(&doc, buf_view(message));
    }
    if (rc == 0) {
        rc = a->names != NULL ? pseudonyms_show(a->names, buf_view(&doc), &a->text)
                              : buf_bytes(&a->text, buf_view(&doc));
        rc = rc != 0 ? err_set(e, rc, "the model's answer is too large") : 0;
    }
    secret_buf_release(&doc);
    return rc;
}

/* Remembers what the model of the settings turned out to take; another one for pictures may take other
 * things.
 */
static void server_learn(struct endpoint *x, const struct ask *a, struct err *e)
{
    if (strcmp(ask_model(x, a), x->set.model) != 0) {
        return;
    }
    x->tokens_cap = a->shrunk ? a->tokens_max : x->tokens_cap;
    bool learnt = (a->schema.n > 0 && a->mode != x->mode) || a->new_tokens_field != x->new_tokens_field;
    if (!learnt) {
        return;
    }
    x->mode = a->schema.n > 0 ? a->mode : x->mode;
    x->new_tokens_field = a->new_tokens_field;
    if (server_save(x, e) != 0) {
        log_line(&x->n->log, LOG_WARN, "endpoint", "%s", e->text);
    }
}

static enum result message_judge(struct endpoint *x, struct ask *a, struct err *e)
{
    struct buf message;
    buf_init(&message, ANSWER_TEXT_BYTES);
    struct answer_message m = {.text = &message};
    int rc = answer_message_read(buf_view(&a->http->answer), &m, e);
    bool server = rc != 0;
    usage_take(a, &m.usage, message.n);
    a->cut = m.cut;
    if (rc == 0 && m.cut && a->schema.n > 0) {
        rc = err_set(e, ERR_FORMAT, "the model's answer was cut off at %u tokens", a->tokens_max);
        secret_buf_release(&message);
        return RESULT_OVER;
    }
    if (rc == 0) {
        rc = text_judge(a, &message, m.whole, e);
    }
    secret_buf_release(&message);
    if (rc != 0) {
        if (a->mode == FORMAT_OBJECT_SCHEMA && !server) { /* the schema was passed over without a word */
            a->mode = FORMAT_OBJECT;
        }
        return server && m.usage.given == false ? RESULT_LATER
               : ++a->bad < BAD_ANSWERS_MAX     ? RESULT_AGAIN
                                                : RESULT_OVER;
    }
    server_learn(x, a, e);
    return RESULT_GOOD;
}

enum result result_find(struct endpoint *x, struct ask *a, struct err *e)
{
    const struct exchange *h = a->http;
    if (h->r.code != CURLE_OK || h->r.too_large) {
        return no_answer(x, h, e);
    }
    if (h->r.status != 200) {
        return error_judge(x, a, e);
    }
    if (strncasecmp(h->r.type, "text/html", 9) == 0) {
        (void)err_set(e, ERR_FORMAT, "the endpoint answers with a page, not with a document");
        return RESULT_LATER;
    }
    return a->embed ? vectors_judge(x, a, e) : message_judge(x, a, e);
}
