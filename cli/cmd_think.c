/* The language model: think, norms. */
#include "cli/run.h"

#include "base/check.h"
#include "cli/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 200 /* between two looks at a running node */
#define PROGRESS_AFTER_LOOKS 2

/* ---- think ------------------------------------------------------------------------------------------------
 */

static void pause_a_while(void)
{
    const struct timespec while_ms = {.tv_nsec = LOOK_MS * 1000000};
    (void)nanosleep(&while_ms, NULL);
}

static void progress_draw(const struct run *r, const cJSON *t, unsigned looks)
{
    if (r->quiet || r->json || !isatty(STDERR_FILENO) || looks < PROGRESS_AFTER_LOOKS) {
        return;
    }
    (void)fprintf(stderr, "\r\033[Kthink: %s, %.0f waiting", doc_text(t, "stage"), doc_number(t, "waiting"));
    (void)fflush(stderr);
}

static void progress_end(const struct run *r)
{
    if (!r->quiet && !r->json && isatty(STDERR_FILENO)) {
        (void)fputs("\r\033[K", stderr);
    }
}

static bool is_over(const cJSON *t)
{
    bool idle = !doc_flag(t, "busy") && doc_number(t, "waiting") < 1;
    return idle || thinks_elsewhere(t) || doc_text(t, "trouble")[0] != '\0';
}

int cmd_think(struct run *r)
{
    cJSON *answer = NULL, *req = request_new("think");
    request_flag(req, "all", args_flag(&r->args, "all"));
    interrupt_watch();
    int rc = run_request(r, req, &answer);
    for (unsigned looks = 0; rc == 0 && !is_over(doc_get(answer, "thinking")) && !interrupted(); looks++) {
        progress_draw(r, doc_get(answer, "thinking"), looks);
        cJSON_Delete(answer);
        if (r->session.client != NULL) {
            pause_a_while();
        }
        req = request_new("think");
        request_flag(req, "step", true);
        rc = run_request(r, req, &answer);
    }
    progress_end(r);
    if (rc == 0 && r->json) {
        run_print(answer, stdout);
    } else if (rc == 0) {
        struct page p;
        page_init(&p, &r->style, stdout);
        draw_thinking(&p, answer);
        page_release(&p);
    }
    bool trouble = rc == 0 && doc_text(doc_get(answer, "thinking"), "trouble")[0] != '\0';
    cJSON_Delete(answer);
    return rc != 0 ? rc : interrupted() ? EXIT_INTERRUPTED : trouble ? EXIT_ATTENTION : 0;
}

/* ---- norms ------------------------------------------------------------------------------------------------
 */

static cJSON *norms_request(const char *value, bool add)
{
    cJSON *req = request_new("config");
    request_text(req, "key", "norms");
    request_text(req, "value", value);
    request_flag(req, "add", value != NULL && add);
    request_flag(req, "remove", value != NULL && !add);
    return req;
}

/* The arguments behind the first, joined by blanks. */
static int sentence(struct run *r, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 1; args_at(&r->args, i) != NULL; i++) {
        int put = snprintf(out + n, size - n, i > 1 ? " %s" : "%s", args_at(&r->args, i));
        if (put < 0 || (size_t)put >= size - n) {
            return err_set(&r->err, ERR_USAGE, "the norm is too long");
        }
        n += (size_t)put;
    }
    return n > 0 ? 0 : err_set(&r->err, ERR_USAGE, "the norm is missing");
}

/* A number stands for the norm with it. */
static int numbered(struct run *r, char *text, size_t size)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0') {
        return 0;
    }
    cJSON *answer = NULL;
    int rc = run_request(r, norms_request(NULL, false), &answer);
    const char *line = rc == 0 ? doc_text(cJSON_GetArrayItem(doc_get(answer, "settings"), 0), "value") : "";
    bool found = false;
    for (long i = 1; !found && *line != '\0'; i++) {
        size_t n = strcspn(line, "\n");
        if (i == number && n < size) {
            memcpy(text, line, n);
            text[n] = '\0';
            found = true;
        }
        line += n + (line[n] == '\n');
    }
    cJSON_Delete(answer);
    return rc != 0 || found ? rc : err_set(&r->err, ERR_NOTFOUND, "there is no norm %ld", number);
}

int cmd_norms(struct run *r)
{
    char text[1024];
    const char *what = args_at(&r->args, 0);
    if (what == NULL) {
        return run_show(r, norms_request(NULL, false), draw_norms);
    }
    bool add = strcmp(what, "add") == 0;
    if (!add && strcmp(what, "remove") != 0) {
        (void)err_set(&r->err, ERR_USAGE, "norms are added or removed, not '%.64s'", what);
        err_hint(&r->err, "selfsame norms -h");
        return ERR_USAGE;
    }
    int rc = sentence(r, text, sizeof(text));
    if (rc == 0 && !add) {
        rc = numbered(r, text, sizeof(text));
    }
    return rc != 0 ? rc : run_show(r, norms_request(text, add), draw_norms);
}
