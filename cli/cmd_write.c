/* Commands that change something: init, tell, confirm, reject, pin, edit, forget, pause, config, watch. */
#include "cli/run.h"

#include "base/check.h"
#include "cli/render.h"
#include "node/identity.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- init ------------------------------------------------------------------------------------------------
 */

/* The host's name up to the first dot. */
static void host_name(char out[65])
{
    if (gethostname(out, 64) != 0) {
        out[0] = '\0';
    }
    out[64] = '\0';
    out[strcspn(out, ".")] = '\0';
    if (out[0] == '\0') {
        (void)snprintf(out, 65, "device");
    }
}

/* New keys over the same model, brought in by the recovery words when they were asked for. */
static int renew(struct run *r)
{
    char words[1026] = "";
    int rc = session_locate(&r->session, &r->err);
    if (rc == 0 && args_flag(&r->args, "words")) {
        rc = secret_read("Recovery words: ", words, sizeof(words), &r->err);
    }
    if (rc == 0) {
        rc = identity_renew(r->session.home, bytes_str(words), &r->err);
    }
    mem_wipe(words, sizeof(words));
    return rc;
}

int cmd_init(struct run *r)
{
    char host[65];
    const char *name = args_value(&r->args, "name");
    cJSON *answer = NULL;
    if (name == NULL) {
        host_name(host);
        name = host;
    }
    bool renewed = args_flag(&r->args, "renew");
    int rc = renewed ? renew(r) : session_locate(&r->session, &r->err);
    if (rc == 0 && !renewed) {
        rc = node_init(r->session.home, bytes_str(name), &r->err);
    }
    if (rc != 0) {
        return rc;
    }
    rc = run_request(r, request_new("status"), &answer);
    if (rc != 0) {
        return rc;
    }
    if (r->json) {
        run_print(answer, stdout);
    } else if (!r->quiet) {
        struct page p;
        page_init(&p, &r->style, stdout);
        page_str(&p, "Device '");
        page_safe(&p, renewed ? doc_text(doc_get(answer, "device"), "name") : name);
        page_str(&p, renewed ? "' has new keys in " : "' made in ");
        page_safe(&p, r->session.home);
        page_str(&p, "\nNext: selfsame\n");
        page_release(&p);
    }
    cJSON_Delete(answer);
    return 0;
}

/* ---- one proposition -------------------------------------------------------------------------------------
 */

/* Sends a change and draws the proposition as it is now. */
static int change(struct run *r, cJSON *req)
{
    cJSON *answer = NULL;
    int rc = run_request(r, req, &answer);
    if (rc != 0) {
        return rc;
    }
    if (r->json) {
        run_print(answer, stdout);
    } else if (!r->quiet) {
        struct page p;
        const cJSON *redacted = NULL;
        page_init(&p, &r->style, stdout);
        draw_one(&p, answer);
        page_release(&p);
        cJSON_ArrayForEach(redacted, doc_get(answer, "redacted"))
        {
            run_note(r, "cut out by the audit: %s", doc_text(redacted, "what"));
        }
        if (doc_flag(answer, "existed")) {
            run_note(r, "already known");
        }
    }
    cJSON_Delete(answer);
    return 0;
}

int cmd_tell(struct run *r)
{
    const struct args *a = &r->args;
    const char *file = args_value(a, "file");
    bool alone = a->n_positionals == 0 && !args_flag(a, "confidence") && !args_flag(a, "decay") &&
                 !args_flag(a, "scope") && !args_flag(a, "pin");
    if (file != NULL && !alone) {
        return err_set(&r->err, ERR_USAGE, "--file goes without a text and without other options");
    }
    if (file != NULL) {
        return job_run(r, &(struct job_wish){.kind = "tell", .paths = &file, .n = 1});
    }
    if (a->n_positionals == 0) {
        (void)err_set(&r->err, ERR_USAGE, "'tell' needs TEXT, or --file FILE");
        err_hint(&r->err, "selfsame tell 'prefers plain-text mail'");
        return ERR_USAGE;
    }
    char *text = args_join(a, 0);
    cJSON *req = request_new("tell");
    request_text(req, "text", text);
    request_number(req, "confidence", (double)args_number(a, "confidence", -1));
    request_number(req, "decay", (double)args_number(a, "decay", -1));
    request_text(req, "scope", args_value(a, "scope"));
    request_flag(req, "pinned", args_flag(a, "pin"));
    free(text);
    return change(r, req);
}

static int verdict(struct run *r, const char *cmd)
{
    cJSON *req = request_new(cmd);
    request_text(req, "id", args_at(&r->args, 0));
    request_flag(req, "off", args_flag(&r->args, "undo"));
    return change(r, req);
}

int cmd_confirm(struct run *r)
{
    return verdict(r, "confirm");
}

int cmd_reject(struct run *r)
{
    return verdict(r, "reject");
}

int cmd_pin(struct run *r)
{
    return verdict(r, "pin");
}

int cmd_edit(struct run *r)
{
    char *text = args_join(&r->args, 1);
    cJSON *req = request_new("edit");
    request_text(req, "id", args_at(&r->args, 0));
    request_text(req, "text", text);
    free(text);
    return change(r, req);
}

/* ---- forget ----------------------------------------------------------------------------------------------
 */

static cJSON *forget_request(const struct run *r, bool dry_run)
{
    const struct args *a = &r->args;
    cJSON *req = request_new("forget");
    request_text(req, "id", args_at(a, 0));
    request_text(req, "source", args_value(a, "source"));
    request_text(req, "since", args_value(a, "since"));
    request_text(req, "until", args_value(a, "until"));
    request_flag(req, "keep_observations", args_flag(a, "keep-observations"));
    request_flag(req, "dry_run", dry_run);
    return req;
}

/* Devices that may still hold it, by what they have acknowledged. */
static void pending_tell(struct page *p, const cJSON *answer)
{
    const cJSON *name = NULL;
    const char *before = "Not confirmed yet by ";
    cJSON_ArrayForEach(name, doc_get(answer, "pending"))
    {
        page_str(p, before);
        page_safe(p, cJSON_IsString(name) ? name->valuestring : "");
        before = ", ";
    }
    if (doc_flag(answer, "removed")) {
        page_str(p, "This device was removed from its group: the others are not told.\n");
    }
    if (cJSON_GetArraySize(doc_get(answer, "pending")) > 0) {
        page_str(p, "; they erase it when they meet this device or one that knows.\n");
    }
}

/* What goes, or (afterwards) what went. */
static void forget_tell(const struct run *r, struct page *p, const cJSON *answer, bool before)
{
    const char *source = args_value(&r->args, "source");
    const char *text = doc_text(cJSON_GetArrayItem(doc_get(answer, "forgotten"), 0), "text");
    page_str(p, before ? "To be erased for good: " : "Erased for good: ");
    if (source == NULL) {
        page_str(p, "one proposition");
        if (text[0] != '\0') {
            page_str(p, ", '");
            page_safe(p, text);
            page_str(p, "'");
        }
        page_str(p, ", and ");
    }
    draw_count(p, doc_number(answer, "observations"), "observation", NULL);
    if (source != NULL) {
        page_str(p, " from ");
        page_safe(p, source);
        page_str(p, ", with what was learnt from them alone");
    }
    page_str(p, ".\n");
    if (!before) {
        page_str(p, "That is final: importing the same history again does not bring it back.\n");
        pending_tell(p, answer);
    }
}

static int forget_usage(struct run *r)
{
    const struct args *a = &r->args;
    bool source = args_flag(a, "source");
    if (source == (a->n_positionals > 0)) {
        (void)err_set(&r->err, ERR_USAGE, "'forget' takes either an ID or --source");
        err_hint(&r->err, "selfsame forget -h");
        return ERR_USAGE;
    }
    if (!source && (args_flag(a, "since") || args_flag(a, "until"))) {
        return err_set(&r->err, ERR_USAGE, "--since and --until go with --source");
    }
    if (source && args_flag(a, "keep-observations")) {
        return err_set(&r->err, ERR_USAGE, "--keep-observations goes with an ID");
    }
    return 0;
}

/* Says what would go. 0: go on; ERR_CANCELLED: the user said no. */
static int forget_ask(struct run *r)
{
    cJSON *answer = NULL;
    struct page p;
    if (isatty(STDIN_FILENO) != 1) {
        (void)err_set(&r->err, ERR_USAGE, "nobody to ask: forgetting is final");
        err_hint(&r->err, "look with --dry-run, then add --force");
        return ERR_USAGE;
    }
    int rc = run_request(r, forget_request(r, true), &answer);
    if (rc != 0) {
        return rc;
    }
    page_init(&p, &r->style, stderr);
    forget_tell(r, &p, answer, true);
    page_release(&p);
    cJSON_Delete(answer);
    session_rest(&r->session); /* others may write while the user thinks */
    return run_confirm("Erase? There is no undo.") ? 0
                                                   : err_set(&r->err, ERR_CANCELLED, "nothing was forgotten");
}

int cmd_forget(struct run *r)
{
    cJSON *answer = NULL;
    bool dry = args_flag(&r->args, "dry-run");
    int rc = forget_usage(r);
    if (rc == 0 && !dry && !args_flag(&r->args, "force")) {
        rc = forget_ask(r);
    }
    if (rc == 0) {
        rc = run_request(r, forget_request(r, dry), &answer);
    }
    if (rc != 0) {
        return rc;
    }
    if (r->json) {
        run_print(answer, stdout);
    } else if (!r->quiet || dry) {
        struct page p;
        page_init(&p, &r->style, stdout);
        forget_tell(r, &p, answer, dry);
        page_release(&p);
    }
    cJSON_Delete(answer);
    return 0;
}

/* ---- pause -----------------------------------------------------------------------------------------------
 */

static void draw_pause(struct page *p, const cJSON *answer)
{
    char when[TIME_TEXT];
    int64_t until = doc_time(answer, "paused_until");
    if (until != TIME_NONE) {
        time_local(p->st, until, when);
        page_printf(p, "Nothing is observed until %s. End it with: selfsame resume\n", when);
    } else if (doc_time(answer, "was_paused_until") != TIME_NONE) {
        page_str(p, "Observing again.\n");
    } else {
        page_str(p, "There was no pause.\n");
    }
}

int cmd_pause(struct run *r)
{
    const char *duration = args_at(&r->args, 0);
    bool off = duration != NULL && strcmp(duration, "off") == 0;
    cJSON *req = request_new("pause");
    request_text(req, "duration", off ? NULL : duration);
    request_flag(req, "off", off);
    return run_show(r, req, draw_pause);
}

int cmd_resume(struct run *r)
{
    cJSON *req = request_new("pause");
    request_flag(req, "off", true);
    return run_show(r, req, draw_pause);
}

/* ---- config, watch ---------------------------------------------------------------------------------------
 */

int cmd_share(struct run *r)
{
    const char *source = args_at(&r->args, 0);
    const char *level = args_at(&r->args, 1);
    if (source != NULL && level == NULL) {
        (void)err_set(&r->err, ERR_USAGE, "what shall '%.64s' share?", source);
        err_hint(&r->err, "nothing, counts, text or default; list: selfsame share");
        return ERR_USAGE;
    }
    cJSON *req = request_new("share");
    request_text(req, "source", source);
    request_text(req, "level", level);
    r->session.read_only = source == NULL;
    return run_show(r, req, draw_share);
}

int cmd_config(struct run *r)
{
    const struct args *a = &r->args;
    const char *add = args_value(a, "add");
    const char *gone = args_value(a, "remove");
    const char *value = args_at(a, 1);
    bool unset = args_flag(a, "unset");
    int changes = (add != NULL) + (gone != NULL) + (value != NULL) + unset;
    if (changes > 1 || (changes == 1 && a->n_positionals == 0)) {
        (void)err_set(&r->err, ERR_USAGE, "'config' takes KEY and one of VALUE, --add, --remove, --unset");
        err_hint(&r->err, "selfsame config -h");
        return ERR_USAGE;
    }
    cJSON *req = request_new("config");
    request_text(req, "key", args_at(a, 0));
    request_text(req, "value", add != NULL ? add : gone != NULL ? gone : value);
    request_flag(req, "add", add != NULL);
    request_flag(req, "remove", gone != NULL);
    request_flag(req, "unset", unset);
    r->session.read_only = changes == 0;
    return run_show(r, req, draw_config);
}

int cmd_watch(struct run *r)
{
    const struct args *a = &r->args;
    char path[LIMIT_PATH_BYTES];
    bool removes = args_flag(a, "remove");
    if (a->n_positionals != (removes ? 2u : 0u)) {
        (void)err_set(&r->err, ERR_USAGE,
                      removes ? "--remove takes SOURCE and PATH" : "'watch' alone only lists");
        err_hint(&r->err, "add a watch with: selfsame import SOURCE PATH --watch");
        return ERR_USAGE;
    }
    cJSON *req = request_new("watch");
    r->session.read_only = !removes;
    if (removes) {
        int rc = path_absolute(args_at(a, 1), path, &r->err);
        if (rc != 0) {
            cJSON_Delete(req);
            return rc;
        }
        cJSON *entry = cJSON_AddObjectToObject(req, "remove");
        CHECK(entry != NULL);
        request_text(entry, "source", args_at(a, 0));
        request_text(entry, "path", path);
    }
    return run_show(r, req, draw_watch);
}
