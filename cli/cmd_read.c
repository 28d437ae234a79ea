/* Commands that only read: show, query, why, log, status, doctor, export; and what is said without any
 * command. */
#include "cli/run.h"

#include "base/check.h"
#include "base/time.h"
#include "cli/render.h"
#include "node/observe/lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int max_of(const struct run *r)
{
    return (int)args_number(&r->args, "max", -1);
}

/* Looks from the time that --at names, ages included. What is no time is the node's to refuse. */
static void look_from(struct run *r, cJSON *req)
{
    const char *at = args_value(&r->args, "at");
    int64_t ms = 0;
    request_text(req, "at", at);
    if (at != NULL && rfc3339_parse(bytes_str(at), &ms, NULL) == 0) {
        r->style.now_ms = ms;
    }
}

#define SHOW_ROWS 40 /* for people, when no --max was given */
#define OVERVIEW_ROWS 10

/* ---- show ------------------------------------------------------------------------------------------------
 */

int cmd_show(struct run *r)
{
    const struct args *a = &r->args;
    cJSON *req = request_new("show");
    request_number(req, "max", args_flag(a, "max") || r->json ? max_of(r) : SHOW_ROWS);
    request_flag(req, "all", args_flag(a, "all"));
    request_text(req, "kind", args_value(a, "kind"));
    request_text(req, "scope", args_value(a, "scope"));
    look_from(r, req);
    return run_show(r, req, draw_show);
}

/* ---- query -----------------------------------------------------------------------------------------------
 */

static int turn_bad(const char *path, uint64_t line, const char *field, const char *reason, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s:%llu: %s%s%s", strcmp(path, "-") == 0 ? "standard input" : path,
                   (unsigned long long)line, field, field[0] != '\0' ? ": " : "", reason);
}

/* One line of a context file: {"role","text"}. Takes ownership of turn. */
static int turn_add(cJSON *list, cJSON *turn, const char *path, uint64_t line, struct err *e)
{
    int rc = 0;
    const cJSON *role = doc_get(turn, "role");
    if (!cJSON_IsObject(turn)) {
        rc = turn_bad(path, line, "", "not a JSON object", e);
    } else if (!cJSON_IsString(doc_get(turn, "text"))) {
        rc = turn_bad(path, line, "text", "missing, or not a text", e);
    } else if (role != NULL && !cJSON_IsString(role)) {
        rc = turn_bad(path, line, "role", "not a text", e);
    }
    if (rc != 0) {
        cJSON_Delete(turn);
        return rc;
    }
    CHECK(cJSON_AddItemToArray(list, turn));
    return 0;
}

static int context_lines(struct lines *l, const char *path, cJSON *list, struct err *e)
{
    struct line line;
    for (;;) {
        int row = lines_next(l, &line, e);
        if (row <= 0) {
            return row;
        }
        if (row == LINE_LONG) {
            return turn_bad(path, line.no, "", "the line is too long", e);
        }
        struct bytes text = bytes_trim(line.text);
        if (text.n == 0) {
            continue;
        }
        cJSON *turn = cJSON_ParseWithLength((const char *)text.p, text.n);
        int rc = turn_add(list, turn, path, line.no, e);
        if (rc != 0) {
            return rc;
        }
    }
}

static int context_read(struct run *r, cJSON *req)
{
    const char *path = args_value(&r->args, "context");
    struct lines l;
    if (path == NULL) {
        return 0;
    }
    cJSON *list = cJSON_AddArrayToObject(req, "context");
    CHECK(list != NULL);
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : -1;
    int rc = lines_open(&l, path, fd, false, &r->err);
    if (rc != 0) {
        return rc;
    }
    rc = context_lines(&l, path, list, &r->err);
    lines_close(&l);
    return rc;
}

int cmd_query(struct run *r)
{
    const struct args *a = &r->args;
    char *text = args_join(a, 0);
    cJSON *req = request_new("query");
    request_text(req, "text", text);
    request_number(req, "max", max_of(r));
    request_text(req, "scope", args_value(a, "scope"));
    request_flag(req, "all", args_flag(a, "all"));
    look_from(r, req);
    free(text);
    int rc = context_read(r, req);
    if (rc != 0) {
        cJSON_Delete(req);
        return rc;
    }
    return run_show(r, req, draw_query);
}

/* ---- why, log, status, doctor ----------------------------------------------------------------------------
 */

int cmd_why(struct run *r)
{
    cJSON *req = request_new("why");
    request_text(req, "id", args_at(&r->args, 0));
    request_number(req, "max", max_of(r));
    return run_show(r, req, draw_why);
}

int cmd_log(struct run *r)
{
    const struct args *a = &r->args;
    bool audit = args_flag(a, "audit");
    bool sent = args_flag(a, "sent");
    if ((audit || sent) && (args_flag(a, "source") || args_flag(a, "since") || (audit && sent))) {
        return err_set(&r->err, ERR_USAGE, "--audit and --sent go without each other, --source and --since");
    }
    cJSON *req = request_new("log");
    request_flag(req, "audit", audit);
    request_flag(req, "sent", sent);
    request_text(req, "source", args_value(a, "source"));
    request_text(req, "since", args_value(a, "since"));
    request_number(req, "max", max_of(r));
    return run_show(r, req, draw_log);
}

int cmd_status(struct run *r)
{
    return run_show(r, request_new("status"), draw_status);
}

int cmd_doctor(struct run *r)
{
    cJSON *answer = NULL;
    int rc = run_request(r, request_new("doctor"), &answer);
    if (rc != 0) {
        return rc;
    }
    bool ok = doc_flag(answer, "ok");
    if (r->json) {
        run_print(answer, stdout);
    } else {
        struct page p;
        page_init(&p, &r->style, stdout);
        draw_doctor(&p, answer);
        page_release(&p);
    }
    cJSON_Delete(answer);
    return ok ? 0 : EXIT_ATTENTION;
}

/* ---- export: pages of the model, written as they come ----------------------------------------------------
 */

#define EXPORT_PAGE 1000

enum export_format { EXPORT_LINES, EXPORT_JSON, EXPORT_MARKDOWN };

static void export_item(struct page *p, const cJSON *prop, enum export_format format, bool first)
{
    if (format == EXPORT_MARKDOWN) {
        draw_markdown(p, prop);
        return;
    }
    char *text = cJSON_PrintUnformatted(prop);
    CHECK(text != NULL);
    page_str(p, format == EXPORT_JSON && !first ? "," : "");
    page_str(p, text);
    if (format == EXPORT_LINES) {
        page_line(p);
    }
    cJSON_free(text);
}

/* One page; *after becomes the id to go on from, or "" at the end. */
static int export_page(struct run *r, struct page *p, char after[64], bool *first, enum export_format format)
{
    cJSON *answer = NULL;
    const cJSON *prop = NULL;
    cJSON *req = request_new("export");
    request_text(req, "after", after[0] != '\0' ? after : NULL);
    request_number(req, "max", EXPORT_PAGE);
    int rc = run_request(r, req, &answer);
    if (rc != 0) {
        return rc;
    }
    cJSON_ArrayForEach(prop, doc_get(answer, "propositions"))
    {
        export_item(p, prop, format, *first);
        *first = false;
    }
    (void)snprintf(after, 64, "%s", doc_text(answer, "next"));
    cJSON_Delete(answer);
    return 0;
}

static enum export_format format_of(const struct run *r)
{
    const char *format = args_value(&r->args, "format");
    if (format == NULL) {
        return r->json ? EXPORT_JSON : EXPORT_LINES;
    }
    return strcmp(format, "json") == 0       ? EXPORT_JSON
           : strcmp(format, "markdown") == 0 ? EXPORT_MARKDOWN
                                             : EXPORT_LINES;
}

int cmd_export(struct run *r)
{
    enum export_format format = format_of(r);
    struct style plain = {.utf8 = true, .now_ms = r->style.now_ms, .offset_min = r->style.offset_min};
    struct page p;
    char after[64] = "";
    bool first = true;
    page_init(&p, &plain, stdout);
    page_str(&p, format == EXPORT_JSON ? "{\"schema\":1,\"propositions\":[" : "");
    int rc = 0;
    do {
        rc = export_page(r, &p, after, &first, format);
    } while (rc == 0 && after[0] != '\0' && ferror(stdout) == 0);
    if (rc != 0 && first) {
        buf_clear(&p.b); /* nothing came: leave standard output empty */
    } else if (format == EXPORT_JSON) {
        page_str(&p, "]}");
        page_line(&p);
    }
    page_release(&p);
    return rc;
}

/* ---- no command ------------------------------------------------------------------------------------------
 */

static void found_list(struct page *p, const cJSON *answer)
{
    const cJSON *s = NULL;
    const char *home = getenv("HOME");
    size_t n = 0;
    cJSON_ArrayForEach(s, doc_get(answer, "sources"))
    {
        const cJSON *usual = NULL;
        cJSON_ArrayForEach(usual, doc_get(s, "usual_paths"))
        {
            char path[LIMIT_PATH_BYTES];
            const char *name = cJSON_GetStringValue(usual);
            int len =
                snprintf(path, sizeof(path), "%s/%s", home != NULL ? home : "", name != NULL ? name : "");
            if (home == NULL || len < 0 || (size_t)len >= sizeof(path) || access(path, R_OK) != 0) {
                continue;
            }
            page_str(p, "  selfsame import ");
            page_cell(p, PAINT_STRONG, doc_text(s, "name"), 14, false);
            page_paint(p, PAINT_DIM, path);
            page_line(p);
            n++;
            break;
        }
    }
    if (n == 0) {
        page_str(p, "  selfsame import git PATH       the commits of a repository\n"
                    "  selfsame import --list         everything that can be read\n"
                    "  selfsame tell TEXT             say something yourself\n");
    }
}

static void first_steps(struct page *p, const cJSON *answer)
{
    page_str(p, "Nothing was observed yet. Let it read a history:\n");
    found_list(p, answer);
}

static void draw_overview(struct page *p, const cJSON *answer)
{
    draw_show(p, answer);
    page_str(p, "\nAsk it: selfsame query TEXT    Explain one: selfsame why ID    More: selfsame help\n");
}

/* What to do when there is no device yet. */
static int no_device(struct run *r)
{
    struct page p;
    page_init(&p, &r->style, stdout);
    page_str(&p, "There is no device here yet. Make one:\n  selfsame init --name NAME\n"
                 "More: selfsame help\n");
    page_release(&p);
    r->err = ERR_INIT;
    return 0;
}

int cmd_overview(struct run *r)
{
    cJSON *status = NULL;
    if (r->json) {
        return cmd_status(r);
    }
    int rc = run_request(r, request_new("status"), &status);
    if (rc != 0) {
        return rc == ERR_NOTFOUND && strstr(r->err.hint, "init") != NULL ? no_device(r) : rc;
    }
    bool empty = doc_number(status, "observations") < 1 && doc_number(status, "propositions") < 1;
    if (cJSON_GetArraySize(doc_get(status, "attention")) > 0) {
        run_note(r, "something needs attention: selfsame status");
    }
    cJSON_Delete(status);
    if (empty) {
        return run_show(r, request_new("sources"), first_steps);
    }
    cJSON *req = request_new("show");
    request_number(req, "max", OVERVIEW_ROWS);
    return run_show(r, req, draw_overview);
}
