/* Thinking through the control interface: what waits for the language model, and asking for it now. The
 * running node only hurries; a command without one steps here, a bounded while a call. */
#include "node/serve/api_int.h"

#include "node/thinking.h"

#include <poll.h>

#define STEP_BUDGET_MS 400

int put_thinking(struct node *n, cJSON *doc, struct err *e)
{
    struct thinking_state s;
    int rc = thinking_look(n, &s, e);
    cJSON *o = rc == 0 ? put_object(doc, "thinking") : NULL;
    if (o == NULL) {
        return rc != 0 ? rc : ERR_NOMEM;
    }
    const struct {
        const char *key;
        uint64_t v;
    } numbers[] = {
        {"waiting", s.waiting},           {"batches", s.stats.batches},
        {"failed", s.stats.failed},       {"observations", s.stats.observations},
        {"dropped", s.stats.dropped},     {"calls", s.stats.calls},
        {"tokens_in", s.stats.tokens_in}, {"tokens_out", s.stats.tokens_out},
        {"added", s.stats.added},         {"raised", s.stats.raised},
        {"lowered", s.stats.lowered},     {"revised", s.stats.revised},
        {"errands", s.errands},           {"handed", s.handed},
    };
    bool ok = put_bool(o, "configured", s.configured) == 0 && put_bool(o, "busy", s.busy) == 0 &&
              put_str(o, "stage", s.stage) == 0 && put_str(o, "model", s.model) == 0 &&
              put_str(o, "trouble", s.trouble) == 0 && put_str(o, "device", s.thinker) == 0 &&
              put_bool(o, "here", s.here) == 0 && put_time(o, "failed_at", s.stats.failed_ms) == 0;
    for (size_t i = 0; ok && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ok = put_num(o, numbers[i].key, (double)numbers[i].v) == 0;
    }
    return ok ? 0 : ERR_NOMEM;
}

/* What the loop of a running node does, for a while. */
static void alone_step(struct node *n)
{
    int64_t until = clock_mono_ms(&n->clock) + STEP_BUDGET_MS;
    for (int64_t now = 0; (now = clock_mono_ms(&n->clock)) < until;) {
        struct thinking_state s;
        (void)thinking_step(n);
        int64_t next = endpoint_step(n->endpoint);
        if (thinking_look(n, &s, NULL) != 0 || !s.busy) {
            return;
        }
        int64_t wait = next != TIME_NONE && next < until ? next - now : until - now;
        struct pollfd fd = {.fd = endpoint_fd(n->endpoint), .events = POLLIN};
        (void)poll(&fd, 1, wait > 0 ? (int)wait : 0);
    }
}

static int start(struct node *n, bool all, struct err *e)
{
    struct thinking_state s;
    int rc = thinking_look(n, &s, e);
    if (rc == 0 && !s.configured && (s.here || id_none(&s.lease.device))) {
        (void)err_set(e, ERR_NOTFOUND, "no language model is set");
        err_hint(e, "selfsame config endpoint.url URL, then: selfsame config endpoint.model NAME");
        return ERR_NOTFOUND;
    }
    if (rc == 0 && all) {
        rc = thinking_rewind(n, e);
    }
    if (rc == 0 && n->thinking == NULL) {
        rc = thinking_open(n, e);
    }
    if (rc == 0) {
        thinking_wake(n, true);
    }
    return rc;
}

int api_think(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    int rc = arg_bool(req, "step") && n->thinking != NULL ? 0 : start(n, arg_bool(req, "all"), e);
    if (rc == 0 && !n->daemon) {
        alone_step(n);
    }
    return rc != 0 ? rc : put_thinking(n, doc, e);
}
