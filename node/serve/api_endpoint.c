/* The language model's endpoint in `status`, and the log of what was sent to it. */
#include "node/serve/api_int.h"

#include "node/infer/endpoint_state.h"
#include "node/infer/sent.h"

#include <stdio.h>

#define SENT_MAX_DEFAULT 50

static const char *condition_name(enum endpoint_condition c)
{
    switch (c) {
    case ENDPOINT_UNSET:
        return "unset";
    case ENDPOINT_OFF:
        return "node not running";
    case ENDPOINT_FINE:
        return "ready";
    case ENDPOINT_RESTS:
        return "resting";
    case ENDPOINT_SPENT:
        return "over budget";
    case ENDPOINT_REFUSED:
        return "refused";
    }
    return "";
}

/* What was spent today, and of how much; money in the unit of the prices. */
static int spending_put(cJSON *o, const struct endpoint_state *s)
{
    cJSON *today = put_object(o, "today");
    bool ok = today != NULL && put_num(today, "requests", (double)s->today.requests) == 0 &&
              put_num(today, "tokens_in", (double)s->today.tokens_in) == 0 &&
              put_num(today, "tokens_out", (double)s->today.tokens_out) == 0 &&
              put_num(today, "money", (double)s->today.money / 1e12) == 0 &&
              put_num(o, "budget_tokens", (double)s->set.budget_tokens) == 0 &&
              put_num(o, "budget_money", (double)s->set.budget_money / 1e6) == 0;
    return ok ? 0 : ERR_NOMEM;
}

int put_endpoint(struct node *n, cJSON *doc, cJSON *attention, struct err *e)
{
    struct endpoint_state s;
    char host[ADDR_TEXT];
    char text[sizeof(s.why.text) + 64];
    int rc = endpoint_state_read(n, &s, e);
    if (rc != 0) {
        return rc;
    }
    if (s.condition == ENDPOINT_UNSET) {
        return cJSON_AddNullToObject(doc, "endpoint") != NULL ? 0 : ERR_NOMEM;
    }
    cJSON *o = put_object(doc, "endpoint");
    addr_join(s.set.url.host, s.set.url.port, host);
    bool ok = o != NULL && put_str(o, "host", host) == 0 && put_str(o, "address", s.address) == 0 &&
              put_str(o, "model", s.set.model) == 0 && put_str(o, "embed_model", s.set.embed_model) == 0 &&
              put_bool(o, "remote_allowed", s.set.allow_remote) == 0 &&
              put_str(o, "state", condition_name(s.condition)) == 0 &&
              put_str(o, "reason", s.why.text) == 0 && put_time(o, "until", s.until_ms) == 0 &&
              put_num(o, "waiting", (double)s.waiting) == 0 &&
              put_num(o, "under_way", (double)s.running) == 0 && spending_put(o, &s) == 0;
    if (!ok) {
        return ERR_NOMEM;
    }
    if (s.condition == ENDPOINT_FINE || s.condition == ENDPOINT_OFF) {
        return 0;
    }
    (void)snprintf(text, sizeof(text), "the language model is not asked: %s", s.why.text);
    cJSON *said = cJSON_CreateString(text);
    return said != NULL && cJSON_AddItemToArray(attention, said) ? 0 : ERR_NOMEM;
}

/* ---- what was sent ---------------------------------------------------------------------------------------
 */

static int names_put(cJSON *o, struct bytes lines)
{
    cJSON *list = put_array(o, "sources");
    while (list != NULL && lines.n > 0) {
        size_t end = bytes_find(lines, BYTES_LIT("\n"));
        struct bytes one = bytes_slice(lines, 0, end);
        char name[LIMIT_NAME_BYTES + 1];
        (void)snprintf(name, sizeof(name), "%.*s", (int)one.n, (const char *)one.p);
        cJSON *s = cJSON_CreateString(name);
        if (s == NULL || !cJSON_AddItemToArray(list, s)) {
            return ERR_NOMEM;
        }
        lines = end == SIZE_MAX ? BYTES_NONE : bytes_slice(lines, end + 1, SIZE_MAX);
    }
    return list != NULL ? 0 : ERR_NOMEM;
}

static int row_put(void *ctx, const struct sent_row *r)
{
    cJSON *o = put_object(ctx, NULL);
    bool ok = o != NULL && put_time(o, "time", r->time_ms) == 0 && put_text(o, "purpose", r->purpose) == 0 &&
              put_text(o, "model", r->model) == 0 && put_str(o, "host", r->host) == 0 &&
              put_str(o, "address", r->address) == 0 && names_put(o, r->sources) == 0 &&
              put_num(o, "observations", r->observations) == 0 && put_num(o, "images", r->images) == 0 &&
              put_num(o, "bytes_out", (double)r->bytes_out) == 0 &&
              put_num(o, "bytes_in", (double)r->bytes_in) == 0 &&
              put_num(o, "tokens_in", r->tokens_in) == 0 && put_num(o, "tokens_out", r->tokens_out) == 0 &&
              put_str(o, "outcome", r->outcome) == 0;
    return ok ? 0 : ERR_NOMEM;
}

int put_sent(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    int64_t max = arg_int(req, "max", SENT_MAX_DEFAULT);
    cJSON *list = put_array(doc, "sent");
    return list == NULL ? ERR_NOMEM : sent_each(n->store, (size_t)max, row_put, list, e);
}
