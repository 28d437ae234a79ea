/* Jobs through the control interface: started, fed, stepped, stopped by number. A job whose command went away
 * is closed when its place is needed. */
#include "node/serve/api_int.h"

#include "node/job.h"
#include "node/watchlist.h"

#include <string.h>

#define STEP_BUDGET_MS 50        /* of the running node: others are waiting */
#define STEP_BUDGET_ALONE_MS 400 /* a command on its own; fewer, larger transactions */

static int bad_put(cJSON *doc, const struct job *j)
{
    cJSON *list = put_array(doc, "bad_records");
    for (size_t i = 0; list != NULL && i < job_bad_count(j); i++) {
        const struct job_bad *b = job_bad_at(j, i);
        cJSON *o = put_object(list, NULL);
        bool ok = o != NULL && put_str(o, "path", b->path) == 0 &&
                  put_num(o, "line", (double)b->record.line) == 0 &&
                  put_str(o, "field", b->record.field) == 0 && put_str(o, "reason", b->record.reason) == 0;
        if (!ok) {
            return ERR_NOMEM;
        }
    }
    return list != NULL ? 0 : ERR_NOMEM;
}

static int summary_put(cJSON *doc, const struct infer_summary *s)
{
    cJSON *o = put_object(doc, "propositions");
    bool ok = o != NULL && put_num(o, "added", (double)s->added) == 0 &&
              put_num(o, "raised", (double)s->raised) == 0 &&
              put_num(o, "lowered", (double)s->lowered) == 0 &&
              put_num(o, "revived", (double)s->revived) == 0;
    return ok ? 0 : ERR_NOMEM;
}

static int progress_put(cJSON *doc, const struct job_slot *s, bool done)
{
    const struct job *j = s->job;
    const struct job_counts *c = job_counts(j);
    const struct {
        const char *key;
        uint64_t v;
    } nums[] = {{"job", (uint64_t)s->number},
                {"bytes", c->bytes},
                {"bytes_total", c->bytes_total},
                {"read", c->read},
                {"added", c->added},
                {"known", c->known},
                {"dropped", c->dropped},
                {"redacted", c->redacted},
                {"skipped", c->skipped},
                {"waiting", c->waiting},
                {"bad", c->bad}};
    for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++) {
        if (put_num(doc, nums[i].key, (double)nums[i].v) != 0) {
            return ERR_NOMEM;
        }
    }
    int rc = put_bool(doc, "done", done);
    if (rc == 0) {
        rc = bad_put(doc, j);
    }
    if (rc == 0) {
        rc = put_str(doc, "path", job_path(j));
    }
    return rc != 0 || !done ? rc : summary_put(doc, &c->props);
}

/* The slot that "job" names. */
static struct job_slot *slot_find(struct node *n, const cJSON *req, struct err *e)
{
    int64_t number = arg_int(req, "job", -1);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (n->jobs[i].job != NULL && n->jobs[i].number == number) {
            n->jobs[i].used = ++n->jobs_used;
            return &n->jobs[i];
        }
    }
    (void)err_set(e, ERR_NOTFOUND, "there is no such job");
    return NULL;
}

static void slot_close(struct job_slot *s)
{
    job_close(s->job);
    s->job = NULL;
}

/* A free slot; when all are taken, the one that nobody has used for longest is given up: its command has long
 * gone, or will be told. */
static struct job_slot *slot_take(struct node *n)
{
    struct job_slot *idle = &n->jobs[0];
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (n->jobs[i].job == NULL) {
            return &n->jobs[i];
        }
        idle = n->jobs[i].used < idle->used ? &n->jobs[i] : idle;
    }
    slot_close(idle);
    return idle;
}

int api_job_start(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(req, "kind"));
    struct job_spec spec = {
        .tell = strcmp(kind, "tell") == 0,
        .source = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(req, "source")),
        .path = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(req, "path")),
        .budget_ms = n->daemon ? STEP_BUDGET_MS : STEP_BUDGET_ALONE_MS,
    };
    if (!spec.tell && strcmp(kind, "import") != 0) {
        return err_set(e, ERR_USAGE, "a job is 'import' or 'tell'");
    }
    struct job *j = NULL;
    int rc = job_open(&j, n, &spec, e);
    if (rc == 0 && arg_bool(req, "watch")) {
        rc = spec.tell ? err_set(e, ERR_USAGE, "told lines cannot be watched")
                       : watchlist_add(n, spec.source, job_path(j), e);
    }
    if (rc != 0) {
        job_close(j);
        return rc;
    }
    struct job_slot *slot = slot_take(n);
    *slot = (struct job_slot){.job = j, .number = ++n->jobs_started, .used = ++n->jobs_used};
    rc = put_num(doc, "job", (double)slot->number);
    return rc != 0 ? rc : put_str(doc, "path", job_path(j));
}

int api_job_step(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct job_slot *slot = slot_find(n, req, e);
    if (slot == NULL) {
        return ERR_NOTFOUND;
    }
    int more = job_step(slot->job, e);
    int rc = more < 0 ? more : progress_put(doc, slot, more == 0);
    if (more <= 0) {
        slot_close(slot);
    }
    return rc;
}

int api_job_feed(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct job_slot *slot = slot_find(n, req, e);
    if (slot == NULL) {
        return ERR_NOTFOUND;
    }
    int rc = job_feed(slot->job, arg_text(req, "data"), arg_bool(req, "last"), e);
    if (rc != 0) {
        slot_close(slot);
        return rc;
    }
    return progress_put(doc, slot, false);
}

int api_job_stop(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct job_slot *slot = slot_find(n, req, e);
    if (slot == NULL) {
        return ERR_NOTFOUND;
    }
    int rc = progress_put(doc, slot, false);
    slot_close(slot);
    return rc;
}
