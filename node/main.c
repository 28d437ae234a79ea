/* selfsamed: the node. Opens the data folder, watches what it was told to, meets the user's other devices,
 * answers the control socket, until SIGTERM. One loop on one thread: it sleeps in poll() until a request, a
 * change, a message or a deadline comes, and wakes for nothing else.
 *
 * While the keys are locked only the control socket is served; what needs the keys opens and closes with them.
 */
#include "node/net/net.h"
#include "node/pairing.h"
#include "node/serve/control.h"
#include "node/upkeep.h"
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
    struct net_options net_options;
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
    return e->code == ERR_USAGE ? 2 : taken ? 4 : e->code == ERR_NOTFOUND ? 5 : e->code == ERR_ATTENTION ? 7 : 1;
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

/* ---- what needs the keys ----------------------------------------------------------------------------------
 */

static void services_close(struct loop *l)
{
    pairing_free(l->n->pairing);
    l->n->pairing = NULL;
    net_close(l->n->net);
    l->n->net = NULL;
    watch_close(l->watch);
    l->watch = NULL;
}

static int services_open(struct loop *l, struct err *e)
{
    struct node *n = l->n;
    int rc = watch_open(&l->watch, n, e);
    if (rc == 0) {
        rc = net_open(&n->net, n, &l->net_options, e);
    }
    if (rc == 0) {
        n->pairing = pairing_new(n, n->net);
        rc = n->pairing != NULL ? 0 : err_set(e, ERR_NOMEM, "starting the node");
    }
    if (rc != 0) {
        services_close(l);
        return rc;
    }
    l->held_ms = 0;
    (void)printf("listening on %s\nready: %s on '%s'\n", net_address(n->net), n->home.name, n->home.path);
    (void)fflush(stdout);
    return 0;
}

/* Locking was asked, or the keys were opened. */
static int services_follow(struct loop *l, struct err *e)
{
    if (l->n->lock_wanted) {
        services_close(l);
        node_lock(l->n);
        (void)puts("locked");
        (void)fflush(stdout);
        return 0;
    }
    return !l->n->home.locked && l->watch == NULL ? services_open(l, e) : 0;
}

/* ---- the loop ---------------------------------------------------------------------------------------------
 */

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
    l->n->merged_due = l->n->merged_due || released > 0;
}

static void sooner(int64_t *next_ms, int64_t ms)
{
    if (ms != TIME_NONE && (*next_ms == TIME_NONE || ms < *next_ms)) {
        *next_ms = ms;
    }
}

/* Lets everybody do what is due; when somebody wants to again (monotonic ms). What one of them does may give
 * another something to do: the network, which carries it out, comes last. */
static int64_t services_step(struct loop *l)
{
    struct node *n = l->n;
    int64_t next = TIME_NONE;
    if (l->watch == NULL) {
        return next;
    }
    sooner(&next, watch_step(l->watch));
    held_release(l);
    sooner(&next, pairing_step(n->pairing));
    sooner(&next, upkeep_step(n));
    sooner(&next, net_step(n->net));
    if (n->merged_due && !n->cloned) {
        next = clock_mono_ms(&n->clock);
    }
    return next;
}

/* How long poll() may sleep: -1 = until something happens. */
static int patience_ms(const struct loop *l, int64_t next_ms)
{
    int64_t wait = -1;
    if (next_ms != TIME_NONE) {
        wait = next_ms - clock_mono_ms(&l->n->clock);
        wait = wait < 0 ? 0 : wait;
    }
    if (l->watch != NULL && l->held_ms != TIME_NONE) {
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

static int loop_turn(struct loop *l, struct err *e)
{
    int64_t next = services_step(l);
    struct pollfd fds[] = {{.fd = l->signal_fd, .events = POLLIN},
                           {.fd = control_fd(l->control), .events = POLLIN},
                           {.fd = l->watch != NULL ? watch_fd(l->watch) : -1, .events = POLLIN},
                           {.fd = l->n->net != NULL ? net_fd(l->n->net) : -1, .events = POLLIN}};
    int n = poll(fds, 4, patience_ms(l, next));
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
    return rc != 0 ? rc : services_follow(l, e);
}

static int node_run(struct loop *l, struct err *e)
{
    struct node_options o = {.daemon = true, .lock_wait_ms = 2000, .log = {.out = stderr, .level = LOG_INFO}};
    int rc = signals_open(l, e);
    if (rc == 0) {
        rc = node_open(&l->n, &o, e);
    }
    if (rc == ERR_INUSE) {
        err_hint(e, "only one node or command may write at a time; is a node running? selfsame status");
    }
    if (rc == 0) {
        rc = control_open(&l->control, l->n, e);
    }
    if (rc == 0 && l->n->home.locked) {
        (void)puts("locked: selfsame unlock");
        (void)fflush(stdout);
    } else if (rc == 0) {
        rc = services_open(l, e);
    }
    while (rc == 0 && !l->stop) {
        rc = loop_turn(l, e);
    }
    control_close(l->control);
    if (l->n != NULL) {
        services_close(l);
    }
    node_close(l->n);
    if (l->signal_fd >= 0) {
        (void)close(l->signal_fd);
    }
    return rc;
}

/* ---- arguments --------------------------------------------------------------------------------------------
 */

static const char usage[] =
    "Usage: selfsamed [--listen HOST:PORT] [--peer HOST:PORT]... [--no-discovery]\n"
    "       selfsamed [-h] [--version]\n"
    "\n"
    "Runs the node in the foreground on the data folder (SELFSAME_HOME): watches what\n"
    "'selfsame import --watch' and 'selfsame watch' name, meets your other devices,\n"
    "answers the selfsame command, says on standard output when it is ready, logs to\n"
    "standard error, ends on SIGTERM.\n"
    "\n"
    "  --listen HOST:PORT  where other devices reach it; port 0: any free one\n"
    "  --peer HOST:PORT    a place to look for other devices, besides discovery\n"
    "  --no-discovery      do not look for devices on the network around\n";

/* The value of "--name VALUE" or "--name=VALUE" at argv[*i], or NULL when it is another option. */
static const char *option_value(char **argv, int argc, int *i, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) == 0 && argv[*i][n] == '=') {
        return argv[*i] + n + 1;
    }
    if (strcmp(argv[*i], name) == 0 && *i + 1 < argc) {
        return argv[++*i];
    }
    return NULL;
}

static int argument_take(struct net_options *o, char **argv, int argc, int *i, struct err *e)
{
    const char *v = NULL;
    if (strcmp(argv[*i], "--no-discovery") == 0) {
        o->discovery = false;
        return 0;
    }
    if ((v = option_value(argv, argc, i, "--listen")) != NULL) {
        o->listen = v;
        return 0;
    }
    if ((v = option_value(argv, argc, i, "--peer")) != NULL) {
        if (o->n_peers == NET_PEERS_MAX) {
            return err_set(e, ERR_USAGE, "at most %d peers", NET_PEERS_MAX);
        }
        o->peers[o->n_peers++] = v;
        return 0;
    }
    (void)err_set(e, ERR_USAGE, "unknown argument '%.64s', or its value is missing", argv[*i]);
    err_hint(e, "selfsamed -h");
    return ERR_USAGE;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct loop l = {.signal_fd = -1, .held_ms = 0, .net_options = {.discovery = true}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            return fputs(usage, stdout) < 0 ? 1 : 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            return puts("selfsamed " SELFSAME_VERSION) < 0 ? 1 : 0;
        }
        if (argument_take(&l.net_options, argv, argc, &i, &e) != 0) {
            return fail(&e);
        }
    }
    return node_run(&l, &e) == 0 ? 0 : fail(&e);
}
