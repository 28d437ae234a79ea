/* Pictures through the control interface: how many wait to be described, and what became of those that could
 * not be. The running node describes them by itself; a command without one steps here, a bounded while a
 * call.
 */
#include "node/serve/api_int.h"

#include "node/infer/endpoint.h"
#include "node/pictures.h"
#include "node/screen.h"

#include <poll.h>
#include <stdio.h>

#define STEP_BUDGET_MS 400

static int lost_put(struct node *n, cJSON *o, int64_t after)
{
    struct pictures_state s;
    cJSON *list = put_array(o, "lost");
    int rc = list != NULL ? pictures_look(n, &s, NULL) : ERR_NOMEM;
    int64_t first = s.lost > PICTURES_LOST_KEPT ? s.lost - PICTURES_LOST_KEPT + 1 : 1;
    for (int64_t i = after >= first ? after + 1 : first; rc == 0 && i <= s.lost; i++) {
        const struct picture_lost *l = pictures_lost(n, i);
        cJSON *one = l != NULL ? put_object(list, NULL) : NULL;
        bool ok = one != NULL && put_num(one, "number", (double)l->number) == 0 &&
                  put_text(one, "path", bytes_str(l->path)) == 0 && put_str(one, "reason", l->reason) == 0;
        rc = ok ? 0 : ERR_NOMEM;
    }
    return rc;
}

static cJSON *state_put(struct node *n, cJSON *doc, const struct pictures_state *s)
{
    struct screen_state shots;
    screen_look(n, &shots);
    cJSON *o = put_object(doc, "pictures");
    bool ok = o != NULL && put_num(o, "waiting", (double)s->waiting) == 0 &&
              put_bool(o, "busy", s->busy) == 0 && put_str(o, "trouble", s->trouble.text) == 0 &&
              put_str(o, "hint", s->trouble.hint) == 0 &&
              put_num(o, "described", (double)s->described) == 0 &&
              put_num(o, "dropped", (double)s->dropped) == 0 &&
              put_num(o, "failed", (double)s->failed) == 0 && put_num(o, "last_lost", (double)s->lost) == 0 &&
              put_bool(o, "screenshots", shots.on) == 0 && put_num(o, "taken", (double)shots.taken) == 0 &&
              put_num(o, "unchanged", (double)shots.unchanged) == 0 &&
              put_str(o, "screenshot_trouble", shots.trouble) == 0;
    return ok ? o : NULL;
}

int put_pictures(struct node *n, cJSON *doc, cJSON *attention, struct err *e)
{
    struct pictures_state s;
    char text[640];
    int rc = pictures_look(n, &s, e);
    if (rc == 0 && state_put(n, doc, &s) == NULL) {
        rc = ERR_NOMEM;
    }
    if (rc != 0 || s.trouble.code == 0 || s.trouble.code == ERR_PAUSED) {
        return rc; /* a pause is said by itself */
    }
    (void)snprintf(text, sizeof(text), "%llu picture%s: %s", (unsigned long long)s.waiting,
                   s.waiting > 1 ? "s wait" : " waits", s.trouble.text);
    cJSON *said = cJSON_CreateString(text);
    return said != NULL && cJSON_AddItemToArray(attention, said) ? 0 : ERR_NOMEM;
}

/* What the loop of a running node does, for a while. */
static void alone_step(struct node *n)
{
    int64_t until = clock_mono_ms(&n->clock) + STEP_BUDGET_MS;
    for (int64_t now = 0; (now = clock_mono_ms(&n->clock)) < until;) {
        struct pictures_state s;
        (void)pictures_step(n);
        int64_t next = endpoint_step(n->endpoint);
        if (pictures_look(n, &s, NULL) != 0 || !s.busy) {
            return;
        }
        int64_t wait = next != TIME_NONE && next < until ? next - now : until - now;
        struct pollfd fd = {.fd = endpoint_fd(n->endpoint), .events = POLLIN};
        (void)poll(&fd, 1, wait > 0 ? (int)wait : 0);
    }
}

int api_pictures(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pictures_state s;
    bool wake = arg_bool(req, "wake"), step = arg_bool(req, "step");
    int rc = n->pictures != NULL || !(wake || step) ? 0 : pictures_open(n, e);
    if (rc == 0 && wake) {
        pictures_wake(n);
        (void)pictures_step(n); /* so that what stands in its way is said at once */
    }
    if (rc == 0 && step && !n->daemon) {
        alone_step(n);
    }
    if (rc == 0) {
        rc = pictures_look(n, &s, e);
    }
    cJSON *o = rc == 0 ? state_put(n, doc, &s) : NULL;
    return rc != 0 ? rc : o != NULL ? lost_put(n, o, arg_int(req, "after", 0)) : ERR_NOMEM;
}
