/* selfsamed: the node. Opens the data folder, watches what it was told to, answers the control socket, until
 * SIGTERM. One loop on one thread: it sleeps in poll() until a request, a change or a deadline comes, and
 * wakes for nothing else.
 */
#include "node/serve/control.h"
#include "node/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct loop {
    struct node *n;
    struct control *control;
    struct watch *watch;
    int signal_fd;
    int64_t held_ms; /* wall: when the next held op is due; TIME_NONE */
    bool stop;
};

static int fail(const struct err *e)
{
    (void)fprintf(stderr, "selfsamed: error: %s\n", e->text);
    if (e->hint[0] != '\0') {
        (void)fprintf(stderr, "selfsamed: hint: %s\n", e->hint);
    }
    bool taken = e->code == ERR_LOCKED || e->code == ERR_INUSE;
    return e->code == ERR_USAGE ? 2 : taken ? 4 : e->code == ERR_NOTFOUND ? 5 : 1;
}

static int signals_open(struct loop *l, struct err *e)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return err_errno(e, errno, "blocking signals");
    }
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return l->signal_fd < 0 ? err_errno(e, errno, "waiting for signals") : 0;
}

/* Merges held ops that are due; remembers when the next one is. */
static void held_release(struct loop *l)
{
    struct err e = ERR_INIT;
    size_t released = 0;
    if (l->held_ms != TIME_NONE && l->held_ms > clock_wall_ms(&l->n->clock)) {
        return;
    }
    if (store_release_held(l->n->store, &released, &l->held_ms, &e) != 0) {
        log_line(&l->n->log, LOG_ERROR, "store", "%s", e.text);
        l->held_ms = TIME_NONE;
    }
}

/* How long poll() may sleep: -1 = until something happens. */
static int patience_ms(struct loop *l, int64_t watch_next_ms)
{
    int64_t wait = -1;
    if (watch_next_ms != TIME_NONE) {
        wait = watch_next_ms - clock_mono_ms(&l->n->clock);
        wait = wait < 0 ? 0 : wait;
    }
    if (l->held_ms != TIME_NONE) {
        int64_t held = l->held_ms - clock_wall_ms(&l->n->clock);
        held = held < 0 ? 0 : held;
        wait = wait < 0 || held < wait ? held : wait;
    }
    return wait > 3600000 ? 3600000 : (int)wait;
}

static void signals_take(struct loop *l)
{
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        l->stop = true;
    }
}

static int loop_run(struct loop *l, struct err *e)
{
    while (!l->stop) {
        int64_t next = watch_step(l->watch);
        held_release(l);
        struct pollfd fds[] = {{.fd = l->signal_fd, .events = POLLIN},
                               {.fd = control_fd(l->control), .events = POLLIN},
                               {.fd = watch_fd(l->watch), .events = POLLIN}};
        int n = poll(fds, 3, patience_ms(l, next));
        if (n < 0 && errno != EINTR) {
            return err_errno(e, errno, "waiting");
        }
        if (n > 0 && fds[0].revents != 0) {
            signals_take(l);
        }
        if (n > 0 && fds[2].revents != 0) {
            watch_events(l->watch);
        }
        int rc = n > 0 && fds[1].revents != 0 ? control_serve(l->control, l->n, e) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int node_run(struct err *e)
{
    struct loop l = {.signal_fd = -1, .held_ms = 0};
    struct node_options o = {.daemon = true, .lock_wait_ms = 2000, .log = {.out = stderr, .level = LOG_INFO}};
    int rc = signals_open(&l, e);
    if (rc == 0) {
        rc = node_open(&l.n, &o, e);
    }
    if (rc == ERR_INUSE) {
        err_hint(e, "only one node or command may write at a time; is a node running? selfsame status");
    }
    if (rc == 0) {
        rc = watch_open(&l.watch, l.n, e);
    }
    if (rc == 0) {
        rc = control_open(&l.control, l.n, e);
    }
    if (rc == 0) {
        (void)printf("ready: %s on '%s'\n", l.n->home.name, l.n->home.path);
        (void)fflush(stdout);
        rc = loop_run(&l, e);
    }
    control_close(l.control);
    watch_close(l.watch);
    node_close(l.n);
    if (l.signal_fd >= 0) {
        (void)close(l.signal_fd);
    }
    return rc;
}

static const char usage[] =
    "Usage: selfsamed [-h] [--version]\n"
    "\n"
    "Runs the node in the foreground on the data folder (SELFSAME_HOME): watches what\n"
    "'selfsame import --watch' and 'selfsame watch' name, answers the selfsame command,\n"
    "says on standard output when it is ready, logs to standard error, ends on SIGTERM.\n";

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            return fputs(usage, stdout) < 0 ? 1 : 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            return puts("selfsamed " SELFSAME_VERSION) < 0 ? 1 : 0;
        }
        (void)err_set(&e, ERR_USAGE, "unknown argument '%.64s'", argv[i]);
        err_hint(&e, "selfsamed -h");
        return fail(&e);
    }
    return node_run(&e) == 0 ? 0 : fail(&e);
}
