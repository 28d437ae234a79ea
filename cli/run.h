/* One invocation of `selfsame`: what a command's handler gets, and the handlers. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/args.h"
#include "cli/session.h"
#include "cli/style.h"

struct run {
    struct args args;
    struct session session;
    struct style style;
    bool json, quiet;
    struct err err;
};

enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_RUNNING = 3,
    EXIT_LOCKED = 4,
    EXIT_NOT_FOUND = 5,
    EXIT_VERIFY = 6,
    EXIT_ATTENTION = 7,
    EXIT_INTERRUPTED = 130,
};
/* The exit status of an error code. */
int exit_status_of(int code);

/* Runs the whole program; returns its exit status. */
int run_main(int argc, char **argv);
/* Sends a request and deletes it. */
int run_request(struct run *r, cJSON *request, cJSON **answer) MUST_CHECK;
/* Prints a document on one line and deletes it. */
void run_print(const cJSON *doc, FILE *out);
/* Sends a request (deletes it), and prints the answer: as JSON, or with `draw`. */
typedef void (*draw_fn)(struct page *p, const cJSON *answer);
int run_show(struct run *r, cJSON *request, draw_fn draw) MUST_CHECK;
/* A line on standard error, unless --quiet or --json. */
void run_note(const struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Says an error on standard error, as a document when `json`. */
void run_complain(const struct err *e, bool json);
/* The path as seen from anywhere. */
int path_absolute(const char *path, char out[LIMIT_PATH_BYTES], struct err *e) MUST_CHECK;
/* Asks on standard error; false when the answer is not yes. Standard input must be a terminal. */
bool run_confirm(const char *question);

/* Ctrl-C, or the window closes: from interrupt_watch() on it only sets a flag; a second one ends the program
 * at once. */
void interrupt_watch(void);
bool interrupted(void);

/* With no command at all: the state of things and what to do next. */
int cmd_overview(struct run *r);

/* Reads a line that must not be seen: without echo from a terminal, else from standard input. */
int secret_read(const char *prompt, char *out, size_t size, struct err *e) MUST_CHECK;

int cmd_init(struct run *r);
int cmd_status(struct run *r);
int cmd_import(struct run *r);
int cmd_show(struct run *r);
int cmd_query(struct run *r);
int cmd_why(struct run *r);
int cmd_log(struct run *r);
int cmd_tell(struct run *r);
int cmd_confirm(struct run *r);
int cmd_reject(struct run *r);
int cmd_pin(struct run *r);
int cmd_edit(struct run *r);
int cmd_forget(struct run *r);
int cmd_pause(struct run *r);
int cmd_resume(struct run *r);
int cmd_config(struct run *r);
int cmd_share(struct run *r);
int cmd_watch(struct run *r);
int cmd_pair(struct run *r);
int cmd_recover(struct run *r);
int cmd_devices(struct run *r);
int cmd_sync(struct run *r);
int cmd_conflicts(struct run *r);
int cmd_resolve(struct run *r);
int cmd_think(struct run *r);
int cmd_norms(struct run *r);
int cmd_lock(struct run *r);
int cmd_unlock(struct run *r);
int cmd_passphrase(struct run *r);
int cmd_doctor(struct run *r);
int cmd_export(struct run *r);
int cmd_completion(struct run *r);
int cmd_help(struct run *r);
int cmd_version(struct run *r);

/* Jobs of cmd_import.c: import, and `tell --file`. */
struct job_wish {
    const char *kind, *source; /* "import", "tell"; source NULL with tell */
    const char *const *paths;
    size_t n; /* of them; 0: the usual places */
    bool watch;
};
int job_run(struct run *r, const struct job_wish *wish);

/* Pictures that an import found are described by the node, or without one by this process; cmd_pictures.c. */
struct picture_wait {
    double described, dropped, failed, last_lost; /* before */
};
int pictures_before(struct run *r, struct picture_wait *w);
/* Until none waits or nothing goes on; puts "pictures" into doc. ERR_ATTENTION: some wait on, *r->err says
 * why; ERR_CANCELLED after Ctrl-C. */
int pictures_wait(struct run *r, const struct picture_wait *w, cJSON *doc);

#endif
