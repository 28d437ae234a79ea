/* The user's devices and what is between them: devices, sync, conflicts, resolve; and the key file: lock,
 * unlock, passphrase. */
#include "cli/run.h"

#include "base/check.h"
#include "cli/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* ---- devices ---------------------------------------------------------------------------------------------
 */

static int devices_list(struct run *r)
{
    return run_show(r, request_new("devices"), draw_device_list);
}

static int devices_rename(struct run *r)
{
    cJSON *req = request_new("devices.rename");
    request_text(req, "device", args_at(&r->args, 1));
    request_text(req, "name", args_at(&r->args, 2));
    return run_show(r, req, draw_device_list);
}

static int devices_remove(struct run *r)
{
    char text[512];
    const char *device = args_at(&r->args, 1);
    (void)snprintf(text, sizeof(text),
                   "Remove '%.64s' from your devices? It keeps what it has and learns nothing more.", device);
    if (!args_flag(&r->args, "force")) {
        if (!isatty(STDIN_FILENO)) {
            (void)err_set(&r->err, ERR_USAGE, "removing a device wants a yes");
            err_hint(&r->err, "say it with --force");
            return ERR_USAGE;
        }
        session_rest(&r->session);
        if (!run_confirm(text)) {
            return err_set(&r->err, ERR_CANCELLED, "nothing was removed");
        }
    }
    cJSON *req = request_new("devices.remove");
    request_text(req, "device", device);
    return run_show(r, req, draw_device_list);
}

static int said(struct run *r, cJSON *req, const char *key, const char *yes, const char *no);

static int words_check(struct run *r)
{
    char line[512];
    int rc = secret_read("The 24 words: ", line, sizeof(line), &r->err);
    if (rc != 0) {
        return rc;
    }
    cJSON *answer = NULL;
    cJSON *req = request_new("devices.words.check");
    request_text(req, "words", line);
    mem_wipe(line, sizeof(line));
    rc = run_request(r, req, &answer);
    if (rc == 0 && !doc_flag(answer, "ok")) {
        rc = err_set(&r->err, ERR_VERIFY, "these are not the words of this group");
    } else if (rc == 0 && r->json) {
        run_print(answer, stdout);
    } else if (rc == 0) {
        run_note(r, "the words are right");
    }
    cJSON_Delete(answer);
    return rc;
}

static int devices_words(struct run *r)
{
    if (args_flag(&r->args, "check")) {
        return words_check(r);
    }
    if (args_flag(&r->args, "revoke")) {
        return said(r, request_new("devices.words.revoke"), "revoked",
                    "the recovery words no longer count, here and everywhere", "there are no recovery words");
    }
    return run_show(r, request_new("devices.words"), draw_words);
}

static int devices_rotate(struct run *r)
{
    return run_show(r, request_new("devices.rotate"), draw_device_list);
}

static const struct verb {
    const char *name;
    size_t arguments; /* after the verb */
    const char *missing;
    const char *options[2]; /* that go with it */
    int (*run)(struct run *r);
} verbs[] = {
    {"list", 0, "", {NULL, NULL}, devices_list},
    {"rename", 2, "the device or its new name", {NULL, NULL}, devices_rename},
    {"remove", 1, "the device", {"force", NULL}, devices_remove},
    {"rotate", 0, "", {NULL, NULL}, devices_rotate},
    {"words", 0, "", {"check", "revoke"}, devices_words},
};

/* What the parser cannot know: which arguments and options go with which verb. */
static int verb_fits(struct run *r, const struct verb *v)
{
    static const char *const options[] = {"force", "check", "revoke"};
    if (r->args.n_positionals > v->arguments + 1) {
        (void)err_set(&r->err, ERR_USAGE, "'devices %s' takes no argument '%.64s'", v->name,
                      args_at(&r->args, v->arguments + 1));
    } else if (r->args.n_positionals < v->arguments + 1 && v->arguments > 0) {
        (void)err_set(&r->err, ERR_USAGE, "%s is missing", v->missing);
    } else if (args_flag(&r->args, "check") && args_flag(&r->args, "revoke")) {
        (void)err_set(&r->err, ERR_USAGE, "--check and --revoke do not go together");
    }
    for (size_t i = 0; r->err.code == 0 && i < sizeof(options) / sizeof(options[0]); i++) {
        bool fits = (v->options[0] != NULL && strcmp(v->options[0], options[i]) == 0) ||
                    (v->options[1] != NULL && strcmp(v->options[1], options[i]) == 0);
        if (args_flag(&r->args, options[i]) && !fits) {
            (void)err_set(&r->err, ERR_USAGE, "--%s does not go with 'devices %s'", options[i], v->name);
        }
    }
    if (r->err.code != 0) {
        err_hint(&r->err, "selfsame devices -h");
    }
    return r->err.code;
}

int cmd_devices(struct run *r)
{
    const char *name = r->args.n_positionals > 0 ? args_at(&r->args, 0) : "list";
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            int rc = verb_fits(r, &verbs[i]);
            return rc != 0 ? rc : verbs[i].run(r);
        }
    }
    (void)err_set(&r->err, ERR_USAGE, "devices cannot '%.32s'", name);
    err_hint(&r->err, "list, rename, remove, rotate or words");
    return ERR_USAGE;
}

int cmd_sync(struct run *r)
{
    return run_show(r, request_new("sync"), draw_meetings);
}

/* ---- conflicts -------------------------------------------------------------------------------------------
 */

int cmd_conflicts(struct run *r)
{
    return run_show(r, request_new("conflicts"), draw_conflicts);
}

int cmd_resolve(struct run *r)
{
    cJSON *req = request_new("resolve");
    request_text(req, "id", args_at(&r->args, 0));
    request_text(req, "field", args_value(&r->args, "field"));
    request_number(req, "choice", (double)args_number(&r->args, "take", 1));
    return run_show(r, req, draw_one);
}

/* ---- the key file ----------------------------------------------------------------------------------------
 */

/* Reads a line without echo. The caller wipes `out`. */
int secret_read(const char *prompt, char *out, size_t size, struct err *e)
{
    struct termios old;
    struct termios quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    interrupt_watch(); /* Ctrl-C must not leave the terminal without echo */
    if (terminal) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        (void)fputs(prompt, stderr);
    }
    char *line = fgets(out, (int)size, stdin);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        (void)fputc('\n', stderr);
    }
    if (line == NULL) {
        return err_set(e, ERR_CANCELLED, "nothing was typed");
    }
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

static void secret_put(cJSON *req, const char *key, char *secret, size_t size)
{
    request_text(req, key, secret);
    mem_wipe(secret, size);
}

static int said(struct run *r, cJSON *req, const char *key, const char *yes, const char *no)
{
    cJSON *answer = NULL;
    int rc = run_request(r, req, &answer);
    if (rc == 0 && r->json) {
        run_print(answer, stdout);
    } else if (rc == 0) {
        run_note(r, "%s", doc_flag(answer, key) ? yes : no);
    }
    cJSON_Delete(answer);
    return rc;
}

int cmd_lock(struct run *r)
{
    return said(r, request_new("lock"), "locked", "locked; open it again with: selfsame unlock",
                "not locked");
}

int cmd_unlock(struct run *r)
{
    char secret[1026];
    bool words = args_flag(&r->args, "words");
    int rc = secret_read(words ? "Recovery words: " : "Passphrase: ", secret, sizeof(secret), &r->err);
    if (rc != 0) {
        return rc;
    }
    cJSON *req = request_new("unlock");
    secret_put(req, words ? "words" : "passphrase", secret, sizeof(secret));
    return said(r, req, "locked", "still locked", "unlocked");
}

/* The new passphrase, twice from a terminal. */
static int passphrase_choose(char secret[1026], struct err *e)
{
    char again[1026];
    int rc = secret_read("New passphrase: ", secret, 1026, e);
    if (rc == 0 && isatty(STDIN_FILENO)) {
        rc = secret_read("Once more: ", again, sizeof(again), e);
        if (rc == 0 && strcmp(secret, again) != 0) {
            rc = err_set(e, ERR_USAGE, "the two are not the same");
        }
        mem_wipe(again, sizeof(again));
    }
    if (rc == 0 && secret[0] == '\0') {
        rc = err_set(e, ERR_USAGE, "the passphrase is empty; to have none use --remove");
    }
    return rc;
}

/* Sends the change; when there is a passphrase already, asks for it and sends again. */
static int passphrase_send(struct run *r, const char *fresh, cJSON **answer)
{
    char old[1026];
    cJSON *req = request_new("passphrase");
    request_text(req, "new", fresh);
    int rc = run_request(r, req, answer);
    if (rc != ERR_LOCKED) {
        return rc;
    }
    r->err = ERR_INIT;
    rc = secret_read("Current passphrase: ", old, sizeof(old), &r->err);
    if (rc != 0) {
        return rc;
    }
    req = request_new("passphrase");
    request_text(req, "new", fresh);
    secret_put(req, "old", old, sizeof(old));
    return run_request(r, req, answer);
}

int cmd_passphrase(struct run *r)
{
    char secret[1026] = "";
    cJSON *answer = NULL;
    int rc = args_flag(&r->args, "remove") ? 0 : passphrase_choose(secret, &r->err);
    if (rc == 0) {
        rc = passphrase_send(r, secret, &answer);
    }
    mem_wipe(secret, sizeof(secret));
    if (rc == 0 && r->json) {
        run_print(answer, stdout);
    } else if (rc == 0) {
        run_note(r, "%s",
                 doc_flag(answer, "protected") ? "the keys open with this passphrase only"
                                               : "the keys lie open to your account (file mode 0600)");
    }
    cJSON_Delete(answer);
    return rc;
}
