/* The way through one invocation: parse, choose, run, say what went wrong. */
#include "cli/run.h"

#include "base/check.h"
#include "base/text.h"
#include "cli/help.h"
#include "node/serve/api.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- errors ----------------------------------------------------------------------------------------------
 */

int exit_status_of(int code)
{
    switch (code) {
    case 0:
        return EXIT_OK;
    case ERR_USAGE:
    case ERR_AMBIGUOUS:
        return EXIT_USAGE;
    case ERR_NOTRUNNING:
        return EXIT_NOT_RUNNING;
    case ERR_LOCKED:
    case ERR_INUSE:
        return EXIT_LOCKED;
    case ERR_NOTFOUND:
    case ERR_FORGOTTEN:
        return EXIT_NOT_FOUND;
    case ERR_VERIFY:
        return EXIT_VERIFY;
    case ERR_ATTENTION:
        return EXIT_ATTENTION;
    case ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

static void complain_line(const char *what, const char *text)
{
    struct buf b;
    buf_init(&b, 4 * sizeof(((struct err *)NULL)->text));
    (void)text_escape(bytes_str(text), true, &b);
    (void)fprintf(stderr, "selfsame: %s: %s\n", what, buf_cstr(&b));
    buf_release(&b);
}

static void complain_json(const struct err *e)
{
    struct err clean = *e;
    struct buf b;
    buf_init(&b, 4 * sizeof(e->text));
    (void)utf8_repair(bytes_str(e->text), &b);
    (void)err_set(&clean, e->code, "%s", buf_cstr(&b));
    buf_clear(&b);
    (void)utf8_repair(bytes_str(e->hint), &b);
    err_hint(&clean, "%s", buf_cstr(&b));
    buf_release(&b);
    cJSON *doc = api_error_document(&clean);
    CHECK(doc != NULL);
    run_print(doc, stderr);
    cJSON_Delete(doc);
}

void run_complain(const struct err *e, bool json)
{
    (void)fflush(stdout);
    if (json) {
        complain_json(e);
        return;
    }
    complain_line("error", e->text[0] != '\0' ? e->text : err_text(e->code));
    if (e->hint[0] != '\0') {
        complain_line("hint", e->hint);
    }
}

/* ---- what handlers use -----------------------------------------------------------------------------------
 */

int run_request(struct run *r, cJSON *request, cJSON **answer)
{
    int rc = session_call(&r->session, request, answer, &r->err);
    cJSON_Delete(request);
    return rc;
}

void run_print(const cJSON *doc, FILE *out)
{
    char *text = cJSON_PrintUnformatted(doc);
    CHECK(text != NULL);
    (void)fputs(text, out);
    (void)fputc('\n', out);
    cJSON_free(text);
}

int run_show(struct run *r, cJSON *request, draw_fn draw)
{
    cJSON *answer = NULL;
    int rc = run_request(r, request, &answer);
    if (rc != 0) {
        return rc;
    }
    if (r->json) {
        run_print(answer, stdout);
    } else {
        struct page p;
        page_init(&p, &r->style, stdout);
        draw(&p, answer);
        page_release(&p);
    }
    cJSON_Delete(answer);
    return 0;
}

void run_note(const struct run *r, const char *fmt, ...)
{
    va_list ap;
    if (r->quiet || r->json) {
        return;
    }
    char text[1024];
    struct buf b;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)fflush(stdout);
    buf_init(&b, 8 * sizeof(text));
    (void)text_escape(bytes_str(text), true, &b);
    (void)fprintf(stderr, "%s\n", buf_cstr(&b));
    buf_release(&b);
}

int path_absolute(const char *path, char out[LIMIT_PATH_BYTES], struct err *e)
{
    char here[LIMIT_PATH_BYTES] = "";
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL) {
        return err_errno(e, errno, "cannot tell the current folder");
    }
    const char *rest = strcmp(path, ".") == 0 ? "" : path;
    int n =
        snprintf(out, LIMIT_PATH_BYTES, "%s%s%s", here, here[0] != '\0' && rest[0] != '\0' ? "/" : "", rest);
    return n > 0 && (size_t)n < LIMIT_PATH_BYTES ? 0 : err_set(e, ERR_LIMIT, "the path is too long");
}

bool run_confirm(const char *question)
{
    char line[16];
    (void)fprintf(stderr, "%s [y/N] ", question);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        (void)fputc('\n', stderr);
        return false;
    }
    return line[0] == 'y' || line[0] == 'Y';
}

static volatile sig_atomic_t interrupt_seen;

static void interrupt_note(int sig)
{
    (void)sig;
    interrupt_seen = 1;
}

void interrupt_watch(void)
{
    struct sigaction act = {.sa_handler = interrupt_note, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup */
        (void)sigaction(SIGHUP, &act, NULL);
    }
}

bool interrupted(void)
{
    return interrupt_seen != 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------
 */

static enum color_when color_of(const struct args *a)
{
    const char *v = args_value(a, "color");
    if (v == NULL || strcmp(v, "auto") == 0) {
        return COLOR_AUTO;
    }
    return strcmp(v, "always") == 0 ? COLOR_ALWAYS : COLOR_NEVER;
}

static int command_run(struct run *r)
{
    const struct command *c = r->args.command;
    if (args_flag(&r->args, "help")) {
        return help_print(&r->style, c);
    }
    if (args_flag(&r->args, "version")) {
        return cmd_version(r);
    }
    return c == NULL ? cmd_overview(r) : c->run(r);
}

/* A full disk behind standard output is a failure; a reader that went away is not worth a word. */
static int output_end(int status)
{
    int failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (!failed || status != 0) {
        return status;
    }
    if (errno != EPIPE) {
        struct err e = ERR_INIT;
        (void)err_errno(&e, errno, "cannot write the output");
        run_complain(&e, false);
    }
    return EXIT_FAILED;
}

int run_main(int argc, char **argv)
{
    struct run r = {.err = ERR_INIT};
    (void)signal(SIGPIPE, SIG_DFL);
    int rc = args_parse(&r.args, argc, argv, &r.err);
    const struct command *c = r.args.command;
    bool asks = args_flag(&r.args, "help") || args_flag(&r.args, "version");
    r.json = args_flag(&r.args, "json");
    r.quiet = args_flag(&r.args, "quiet");
    style_system(&r.style, rc == 0 ? color_of(&r.args) : COLOR_NEVER);
    session_init(&r.session, args_value(&r.args, "home"), c == NULL || c->reads);
    if (rc == 0 || asks) {
        r.err = ERR_INIT;
        rc = command_run(&r);
    }
    session_close(&r.session);
    if (rc < 0) {
        if (r.err.code == 0) {
            (void)err_set(&r.err, rc, "%s", err_text(rc));
        }
        run_complain(&r.err, r.json);
        rc = exit_status_of(rc);
    }
    args_release(&r.args);
    return output_end(rc);
}
