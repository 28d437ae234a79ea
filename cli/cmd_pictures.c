/* Pictures that an import found: waited for while the node, or this process, has them described. */
#include "cli/run.h"

#include "base/check.h"
#include "cli/render.h"

#include <time.h>
#include <unistd.h>

#define LOOK_MS 200 /* between two looks at a running node */
#define PROGRESS_AFTER_LOOKS 2

static int ask(struct run *r, const char *how, double after, cJSON **answer)
{
    cJSON *req = request_new("pictures");
    request_flag(req, how, true);
    request_number(req, "after", after);
    return run_request(r, req, answer);
}

int pictures_before(struct run *r, struct picture_wait *w)
{
    cJSON *answer = NULL;
    int rc = ask(r, "look", 0, &answer);
    const cJSON *p = doc_get(answer, "pictures");
    if (rc == 0) {
        w->described = doc_number(p, "described");
        w->dropped = doc_number(p, "dropped");
        w->failed = doc_number(p, "failed");
        w->last_lost = doc_number(p, "last_lost");
    }
    cJSON_Delete(answer);
    return rc;
}

static void pause_a_while(void)
{
    const struct timespec while_ms = {.tv_nsec = LOOK_MS * 1000000};
    (void)nanosleep(&while_ms, NULL);
}

static bool shows_progress(const struct run *r)
{
    return !r->quiet && !r->json && isatty(STDERR_FILENO) == 1;
}

static void progress_draw(const struct run *r, const struct picture_wait *w, const cJSON *p, unsigned looks)
{
    if (shows_progress(r) && looks >= PROGRESS_AFTER_LOOKS) {
        (void)fprintf(stderr, "\r\033[Kimage: %.0f described, %.0f waiting",
                      doc_number(p, "described") - w->described, doc_number(p, "waiting"));
        (void)fflush(stderr);
    }
}

/* The numbers of this import alone. */
static void less(cJSON *p, const char *key, double before)
{
    cJSON *v = cJSON_GetObjectItemCaseSensitive(p, key);
    if (cJSON_IsNumber(v)) {
        cJSON_SetNumberValue(v, v->valuedouble > before ? v->valuedouble - before : 0);
    }
}

static void lost_print(const struct run *r, const cJSON *p)
{
    const cJSON *l = NULL;
    struct run loud = {.quiet = false};
    cJSON_ArrayForEach(l, doc_get(p, "lost"))
    {
        if (!r->json) {
            run_note(&loud, "%s: not described: %s", doc_text(l, "path"), doc_text(l, "reason"));
        }
    }
}

static int outcome(struct run *r, const cJSON *p)
{
    double waiting = doc_number(p, "waiting");
    double good = doc_number(p, "described") + doc_number(p, "dropped");
    if (waiting > 0 && doc_text(p, "trouble")[0] != '\0') {
        (void)err_set(&r->err, ERR_ATTENTION, "%.0f picture%s: %s", waiting,
                      waiting > 1 ? "s wait" : " waits", doc_text(p, "trouble"));
        err_hint(&r->err, "%s", doc_text(p, "hint"));
        return ERR_ATTENTION;
    }
    if (doc_number(p, "failed") > 0 && good < 1 && waiting < 1) {
        return err_set(&r->err, ERR_FORMAT, "no picture was described");
    }
    return 0;
}

int pictures_wait(struct run *r, const struct picture_wait *w, cJSON *doc)
{
    cJSON *answer = NULL;
    int rc = ask(r, "wake", w->last_lost, &answer);
    for (unsigned looks = 0; rc == 0 && doc_flag(doc_get(answer, "pictures"), "busy") && !interrupted();
         looks++) {
        progress_draw(r, w, doc_get(answer, "pictures"), looks);
        cJSON_Delete(answer);
        if (r->session.client != NULL) {
            pause_a_while();
        }
        rc = ask(r, "step", w->last_lost, &answer);
    }
    if (shows_progress(r)) {
        (void)fputs("\r\033[K", stderr);
    }
    if (rc != 0) {
        return rc;
    }
    cJSON *p = cJSON_DetachItemFromObjectCaseSensitive(answer, "pictures");
    cJSON_Delete(answer);
    CHECK(p != NULL && cJSON_AddItemToObject(doc, "pictures", p));
    less(p, "described", w->described);
    less(p, "dropped", w->dropped);
    less(p, "failed", w->failed);
    lost_print(r, p);
    return interrupted() && doc_number(p, "waiting") > 0 ? ERR_CANCELLED : outcome(r, p);
}
