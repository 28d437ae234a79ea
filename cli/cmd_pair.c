/* Pairing two devices: one shows a code, the other types it, both ask their user. The node does it; this
 * command starts it, shows how it stands, and passes the answer on. */
#include "cli/run.h"

#include "base/check.h"
#include "base/text.h"
#include "cli/qr.h"
#include "cli/render.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 150 /* between two looks at how the pairing stands */

static void wait_a_little(void)
{
    struct timespec t = {.tv_nsec = LOOK_MS * 1000000L};
    (void)nanosleep(&t, NULL);
}

static bool phase_is(const cJSON *state, const char *phase)
{
    return strcmp(doc_text(state, "phase"), phase) == 0;
}

/* Replaces *state by the answer to `request` (deleted). */
static int ask(struct run *r, cJSON *request, cJSON **state)
{
    cJSON *answer = NULL;
    int rc = run_request(r, request, &answer);
    if (rc == 0) {
        cJSON_Delete(*state);
        *state = answer;
    }
    return rc;
}

/* ---- what is shown ---------------------------------------------------------------------------------------
 */

static void show_code(struct run *r, const cJSON *state)
{
    struct page p;
    char when[TIME_TEXT];
    page_init(&p, &r->style, stdout);
    page_str(&p, "On the other device type:\n\n    selfsame pair ");
    page_paint(&p, PAINT_ID, doc_text(state, "code"));
    page_str(&p, "\n\n");
    if (r->style.width != WIDTH_NONE && r->style.utf8) {
        draw_qr(&p, doc_text(state, "qr"));
    }
    time_local(&r->style, doc_time(state, "expires"), when);
    page_printf(&p, "The code is good until %s and for three tries. Ctrl-C ends it.\n", when);
    page_release(&p);
    (void)fflush(stdout);
}

static void code_print(const cJSON *state)
{
    cJSON *doc = cJSON_CreateObject();
    CHECK(doc != NULL && cJSON_AddNumberToObject(doc, "schema", 1) != NULL &&
          cJSON_AddStringToObject(doc, "code", doc_text(state, "code")) != NULL &&
          cJSON_AddStringToObject(doc, "qr", doc_text(state, "qr")) != NULL &&
          cJSON_AddStringToObject(doc, "expires", doc_text(state, "expires")) != NULL);
    run_print(doc, stdout);
    cJSON_Delete(doc);
    (void)fflush(stdout);
}

/* Waits for a line of the terminal, and goes on looking at the pairing: the other side may end it meanwhile.
 * ERR_CANCELLED: Ctrl-C, the window is gone, or there is nothing to answer any more. */
static int answer_wait(struct run *r, cJSON **state, bool *yes)
{
    char line[64];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!interrupted()) {
        int n = poll(&in, 1, LOOK_MS);
        if (n > 0) {
            ssize_t got = read(STDIN_FILENO, line, sizeof(line));
            *yes = got > 0 && (line[0] == 'y' || line[0] == 'Y');
            return got > 0 ? 0 : ERR_CANCELLED;
        }
        int rc = n == 0 ? ask(r, request_new("pair.state"), state) : 0;
        if (rc != 0 || !phase_is(*state, "asking")) {
            return rc != 0 ? rc : ERR_CANCELLED;
        }
    }
    return ERR_CANCELLED;
}

static int nobody_here(struct run *r, const cJSON *peer)
{
    (void)err_set(&r->err, ERR_USAGE, "nobody is here to say whether '%.64s' is the other device",
                  doc_text(peer, "name"));
    err_hint(&r->err, "answer beforehand with --yes, or run it on a terminal");
    return ERR_USAGE;
}

static int question(struct run *r, cJSON **state, bool *yes)
{
    char text[512];
    const cJSON *peer = doc_get(*state, "peer");
    struct buf name;
    buf_init(&name, 256);
    (void)text_escape(bytes_str(doc_text(peer, "name")), true, &name);
    (void)snprintf(text, sizeof(text), "The other device calls itself '%s' (%.8s). Pair with it?",
                   buf_cstr(&name), doc_text(peer, "id"));
    buf_release(&name);
    *yes = args_flag(&r->args, "yes");
    if (*yes) {
        run_note(r, "%s yes", text);
        return 0;
    }
    if (!isatty(STDIN_FILENO)) {
        return nobody_here(r, peer);
    }
    (void)tcflush(STDIN_FILENO, TCIFLUSH); /* a key pressed before the question is no answer to it */
    (void)fprintf(stderr, "%s [y/N] ", text);
    int rc = answer_wait(r, state, yes);
    if (rc != 0) {
        (void)fputc('\n', stderr);
    }
    return rc;
}

/* ---- the course of it ------------------------------------------------------------------------------------
 */

static int code_of_error(const char *name)
{
    for (int code = -1; code > -64; code--) {
        if (strcmp(err_name(code), name) == 0) {
            return code;
        }
    }
    return ERR_IO;
}

/* The end, as an exit code; an unhappy one becomes the error. */
static int ended(struct run *r, const cJSON *state)
{
    if (phase_is(state, "done")) {
        return 0;
    }
    int code = code_of_error(doc_text(state, "error"));
    const char *text = doc_text(state, "text");
    (void)err_set(&r->err, code, "%s", text[0] != '\0' ? text : "the pairing ended");
    if (doc_text(state, "hint")[0] != '\0') {
        err_hint(&r->err, "%s", doc_text(state, "hint"));
    }
    return code;
}

static bool is_over(const cJSON *state)
{
    return phase_is(state, "done") || phase_is(state, "failed") || phase_is(state, "none");
}

/* Asks the user and passes the answer on. */
static int answer(struct run *r, cJSON **state)
{
    bool yes = false;
    int rc = question(r, state, &yes);
    if (rc != 0) {
        return rc;
    }
    cJSON *req = request_new("pair.answer");
    CHECK(cJSON_AddBoolToObject(req, "yes", yes) != NULL);
    rc = ask(r, req, state);
    if (rc == ERR_USAGE) { /* it ended in this moment */
        r->err = ERR_INIT;
        rc = ask(r, request_new("pair.state"), state);
    }
    if (rc == 0 && yes && phase_is(*state, "asking") && !args_flag(&r->args, "yes")) {
        run_note(r, "waiting for the other device's yes…");
    }
    return rc;
}

/* A wrong code was tried: whoever shows the right one should know. */
static void tries_note(const struct run *r, const cJSON *state, double *left)
{
    double now = doc_number(state, "tries_left");
    if (now < *left && !is_over(state)) {
        run_note(r, "%s", doc_text(state, "text"));
    }
    *left = now;
}

/* Ends what the user no longer wants; `rc` is why. */
static int leave(struct run *r, int rc, cJSON **state)
{
    struct err why = r->err;
    if (rc == ERR_CANCELLED && is_over(*state)) {
        return ended(r, *state);
    }
    int closed = ask(r, request_new("pair.close"), state);
    if (rc == ERR_CANCELLED && closed == 0) {
        return ended(r, *state);
    }
    r->err = why;
    return rc;
}

/* Follows the pairing to its end. */
static int follow(struct run *r, cJSON **state)
{
    bool asked = false;
    double tries = doc_number(*state, "tries_left");
    int rc = 0;
    while (rc == 0 && !is_over(*state)) {
        if (interrupted()) {
            rc = ERR_CANCELLED;
        } else if (phase_is(*state, "asking") && !asked) {
            asked = true;
            rc = answer(r, state);
        } else {
            wait_a_little();
            rc = ask(r, request_new("pair.state"), state);
            tries_note(r, *state, &tries);
        }
    }
    return rc != 0 ? leave(r, rc, state) : ended(r, *state);
}

/* `selfsame pair --stop` */
static int stop(struct run *r)
{
    cJSON *state = NULL;
    int rc = ask(r, request_new("pair.state"), &state);
    bool idle = rc == 0 && is_over(state);
    if (rc == 0 && !idle) {
        rc = ask(r, request_new("pair.close"), &state);
    }
    if (rc == 0 && r->json) {
        run_print(state, stdout);
    } else if (rc == 0) {
        run_note(r, "%s", idle ? "no pairing is under way" : doc_text(state, "text"));
    }
    cJSON_Delete(state);
    return rc;
}

static int start(struct run *r, cJSON **state)
{
    const char *code = args_at(&r->args, 0);
    cJSON *req = request_new(code != NULL ? "pair.join" : "pair.open");
    request_text(req, "code", code);
    request_text(req, code != NULL ? "address" : "history",
                 args_value(&r->args, code != NULL ? "address" : "history"));
    return ask(r, req, state);
}

/* Follows it when it has begun (rc 0), and shows how it ended; deletes state. */
static int finish(struct run *r, int rc, cJSON *state)
{
    if (rc == 0) {
        rc = follow(r, &state);
    }
    if (rc == 0 && r->json) {
        run_print(state, stdout);
    } else if (rc == 0 && !r->quiet) {
        struct page p;
        page_init(&p, &r->style, stdout);
        draw_paired(&p, state);
        page_release(&p);
    }
    cJSON_Delete(state);
    return rc;
}

int cmd_pair(struct run *r)
{
    cJSON *state = NULL;
    bool joins = args_at(&r->args, 0) != NULL;
    if (args_flag(&r->args, "stop")) {
        return joins ? err_set(&r->err, ERR_USAGE, "--stop takes no code") : stop(r);
    }
    if (joins ? args_flag(&r->args, "history") : args_flag(&r->args, "address")) {
        return err_set(&r->err, ERR_USAGE,
                       joins ? "--history is given where the code is shown"
                             : "--address is given where the code is typed");
    }
    interrupt_watch();
    int rc = start(r, &state);
    if (rc == 0 && !joins && r->json) {
        code_print(state);
    } else if (rc == 0 && !joins) {
        show_code(r, state);
    } else if (rc == 0) {
        run_note(r, "looking for the device that shows the code…");
    }
    return finish(r, rc, state);
}

/* ---- recovery words --------------------------------------------------------------------------------------
 */

static int words_send(struct run *r, cJSON **state)
{
    char words[1026];
    int rc = ask(r, request_new("pair.state"), state); /* is there a node? Before 24 words are typed */
    if (rc != 0) {
        return rc;
    }
    rc = secret_read("The 24 recovery words: ", words, sizeof(words), &r->err);
    if (rc != 0) {
        return rc;
    }
    cJSON *req = request_new("pair.recover");
    request_text(req, "words", words);
    request_text(req, "address", args_value(&r->args, "address"));
    mem_wipe(words, sizeof(words));
    return ask(r, req, state);
}

/* The words are used up; a person at a terminal is asked for new ones at once. */
static int words_anew(struct run *r)
{
    if (r->json || r->quiet || !isatty(STDIN_FILENO) || !run_confirm("Make new recovery words now?")) {
        return 0;
    }
    return run_show(r, request_new("devices.words"), draw_words);
}

int cmd_recover(struct run *r)
{
    cJSON *state = NULL;
    interrupt_watch();
    int rc = words_send(r, &state);
    if (rc == 0) {
        run_note(r, "looking for a device of your group; it may take a minute…");
    }
    rc = finish(r, rc, state);
    return rc != 0 ? rc : words_anew(r);
}
