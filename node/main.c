/* selfsamed: the node. Opens the data folder, watches what it was told to, meets the other devices, answers
 * the control socket, until SIGTERM. One loop on one thread: it sleeps in poll() until a request, a message,
 * a change or a deadline comes, and wakes for nothing else.
 *
 * While the keys are locked only the control socket is open; watcher, network, pairing and the endpoint of a
 * language model (the `sides` here) are opened when they are unlocked, and closed before they are locked
 * again.
 */
#include "node/config.h"
#include "node/embedding.h"
#include "node/infer/endpoint.h"
#include "node/net/net.h"
#include "node/pairing.h"
#include "node/pictures.h"
#include "node/screen.h"
#include "node/serve/control.h"
#include "node/thinking.h"
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

/* What was merged is looked at when no more comes for a moment, or after a while. */
#define MERGED_REST_MS 20
#define MERGED_WAIT_MS 500
#define SLEEP_MS_MAX 3600000

struct loop {
    struct node *n;
    struct control *control;
    struct watch *watch; /* NULL while locked, as n->net and n->pairing */
    struct net_options net;
    char address[128]; /* where it listens, once it did */
    int signal_fd;
    int64_t held_ms; /* wall: when the next held op is due; TIME_NONE */
    int64_t merged_ms,
        active_ms; /* monotonic: since when something merged waits (0: nothing); last message */
    bool stop;
};

static int fail(const struct err *e)
{
    (void)fprintf(stderr, "selfsamed: error: %s\n", e->text);
    if (e->hint[0] != '\0') {
        (void)fprintf(stderr, "selfsamed: hint: %s\n", e->hint);
    }
    bool taken = e->code == ERR_LOCKED || e->code == ERR_INUSE;
    return e->code == ERR_USAGE       ? 2
           : taken                    ? 4
           : e->code == ERR_NOTFOUND  ? 5
           : e->code == ERR_ATTENTION ? 7
                                      : 1;
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

/* ---- sides ------------------------------------------------------------------------------------------------
 */

static void sides_close(struct loop *l)
{
    struct node *n = l->n;
    if (n != NULL) {
        embedding_close(n);
        pairing_free(n->pairing);
        net_close(n->net);
        screen_close(n);
        pictures_close(n);
        thinking_close(n);
        endpoint_close(n->endpoint);
        n->endpoint = NULL;
        n->pairing = NULL;
        n->net = NULL;
    }
    watch_close(l->watch);
    l->watch = NULL;
}

static int sides_open(struct loop *l, struct err *e)
{
    struct node *n = l->n;
    int rc = watch_open(&l->watch, n, e);
    if (rc == 0) {
        struct net_options o = l->net;
        o.discovery = o.discovery && config_bool(n->store, "discovery");
        rc = net_open(&n->net, n, &o, e);
    }
    if (rc == ERR_INUSE) {
        err_hint(e, "another program listens there; choose another port, or 0 for any free one");
    }
    if (rc == 0) {
        n->pairing = pairing_new(n, n->net);
        rc = n->pairing != NULL ? 0 : err_set(e, ERR_NOMEM, "opening the network");
    }
    if (rc == 0) {
        rc = endpoint_open(&n->endpoint, n, e);
    }
    if (rc == 0) {
        rc = thinking_open(n, e);
    }
    if (rc == 0) {
        rc = pictures_open(n, e);
    }
    if (rc == 0) {
        rc = screen_open(n, e);
    }
    if (rc != 0) {
        sides_close(l);
        return rc;
    }
    /* After locking and unlocking it is to be found where it was. */
    if (l->net.listen != NULL) {
        (void)snprintf(l->address, sizeof(l->address), "%s", net_address(n->net));
        l->net.listen = l->address;
    }
    l->held_ms = 0;
    l->merged_ms = l->active_ms = 0;
    (void)printf("listening on %s\n", net_address(n->net));
    (void)fflush(stdout);
    return 0;
}

/* Follows the keys: locked, or unlocked again. */
static int sides_follow(struct loop *l, struct err *e)
{
    if (l->n->lock_wanted) {
        sides_close(l);
        node_lock(l->n);
    }
    return l->n->home.locked || l->watch != NULL ? 0 : sides_open(l, e);
}

/* ---- deadlines --------------------------------------------------------------------------------------------
 */

/* Merges held ops that are due; remembers when the next one is. Returns that as monotonic time. */
static int64_t held_release(struct loop *l)
{
    struct err e = ERR_INIT;
    size_t released = 0;
    int64_t wall = clock_wall_ms(&l->n->clock);
    if (l->held_ms != TIME_NONE && l->held_ms <= wall) {
        if (store_release_held(l->n->store, &released, &l->held_ms, &e) != 0) {
            log_line(&l->n->log, LOG_ERROR, "store", "%s", e.text);
            l->held_ms = TIME_NONE;
        }
        l->n->merged_due = l->n->merged_due || released > 0;
        l->n->arrivals += released;
    }
    return l->held_ms == TIME_NONE ? TIME_NONE : clock_mono_ms(&l->n->clock) + l->held_ms - wall;
}

/* Upkeep, unless it would only interrupt ops that are coming in. */
static int64_t upkeep(struct loop *l)
{
    int64_t now = clock_mono_ms(&l->n->clock);
    if (l->n->merged_due && l->merged_ms == 0) {
        l->merged_ms = now;
    }
    if (l->merged_ms != 0) {
        int64_t due = l->active_ms + MERGED_REST_MS;
        due = l->merged_ms + MERGED_WAIT_MS < due ? l->merged_ms + MERGED_WAIT_MS : due;
        if (now < due) {
            return due;
        }
    }
    l->merged_ms = 0;
    return upkeep_step(l->n);
}

/* Does what is due on all sides; returns when more will be (monotonic), TIME_NONE: after the next event. */
static int64_t sides_step(struct loop *l)
{
    struct node *n = l->n;
    int64_t next = watch_step(l->watch);
    next = time_earlier(next, held_release(l));
    next = time_earlier(next, upkeep(l));
    if (n->wrote) {
        n->wrote = false;
        net_changed(n->net);
    }
    next = time_earlier(next, net_step(n->net));
    next = time_earlier(next, pairing_step(n->pairing));
    next = time_earlier(next, embed_step(embedding(n)));
    next = time_earlier(next, thinking_step(n)); /* may ask */
    next = time_earlier(next, pictures_step(n));
    next = time_earlier(next, screen_step(n));
    next = time_earlier(next, endpoint_step(n->endpoint));
    next = time_earlier(next, pictures_step(n)); /* may have been answered, and ask on */
    next = time_earlier(next, thinking_step(n));
    next = time_earlier(next, endpoint_step(n->endpoint));
    bool more =
        n->wrote || n->regrouped || (n->merged_due && l->merged_ms == 0 && node_may_write(n, NULL) == 0);
    return more ? 0 : next;
}

/* How long poll() may sleep: -1 = until something happens. */
static int patience_ms(const struct loop *l, int64_t next_ms)
{
    if (next_ms == TIME_NONE) {
        return -1;
    }
    int64_t wait = next_ms - clock_mono_ms(&l->n->clock);
    return wait < 0 ? 0 : wait > SLEEP_MS_MAX ? SLEEP_MS_MAX : (int)wait;
}

/* ---- the loop ---------------------------------------------------------------------------------------------
 */

static void signals_take(struct loop *l)
{
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        l->stop = true;
    }
}

static int events_take(struct loop *l, const struct pollfd *fds, struct err *e)
{
    if (fds[0].revents != 0) {
        signals_take(l);
    }
    if (fds[2].revents != 0) {
        watch_events(l->watch);
    }
    if (fds[3].revents != 0) {
        l->active_ms = clock_mono_ms(&l->n->clock);
    }
    return fds[1].revents != 0 ? control_serve(l->control, l->n, e) : 0;
}

static int loop_run(struct loop *l, struct err *e)
{
    int rc = 0;
    while (!l->stop && rc == 0) {
        bool open = l->watch != NULL;
        int64_t next = open ? sides_step(l) : TIME_NONE;
        struct pollfd fds[] = {{.fd = l->signal_fd, .events = POLLIN},
                               {.fd = control_fd(l->control), .events = POLLIN},
                               {.fd = open ? watch_fd(l->watch) : -1, .events = POLLIN},
                               {.fd = open ? net_fd(l->n->net) : -1, .events = POLLIN},
                               {.fd = open ? endpoint_fd(l->n->endpoint) : -1, .events = POLLIN},
                               {.fd = open ? screen_fd(l->n->screen) : -1, .events = POLLIN}};
        int n = poll(fds, sizeof(fds) / sizeof(fds[0]), patience_ms(l, next));
        if (n < 0 && errno != EINTR) {
            return err_errno(e, errno, "waiting");
        }
        rc = n > 0 ? events_take(l, fds, e) : 0;
        if (rc == 0) {
            rc = sides_follow(l, e);
        }
    }
    return rc;
}

static int node_run(const struct net_options *net, struct err *e)
{
    struct loop l = {.signal_fd = -1, .held_ms = 0, .net = *net};
    struct node_options o = {.daemon = true, .lock_wait_ms = 2000, .log = {.out = stderr, .level = LOG_INFO}};
    int rc = signals_open(&l, e);
    if (rc == 0) {
        rc = node_open(&l.n, &o, e);
    }
    if (rc == ERR_INUSE) {
        err_hint(e, "only one node or command may write at a time; is a node running? selfsame status");
    }
    if (rc == 0) {
        rc = control_open(&l.control, l.n, e);
    }
    if (rc == 0) {
        rc = sides_follow(&l, e);
    }
    if (rc == 0) {
        (void)printf(l.n->home.locked ? "ready: %s on '%s', locked\n" : "ready: %s on '%s'\n", l.n->home.name,
                     l.n->home.path);
        (void)fflush(stdout);
        rc = loop_run(&l, e);
    }
    control_close(l.control);
    sides_close(&l);
    node_close(l.n);
    if (l.signal_fd >= 0) {
        (void)close(l.signal_fd);
    }
    return rc;
}

static const char usage[] =
    "Usage: selfsamed [--listen HOST:PORT] [--peer HOST:PORT]... [--no-discovery]\n"
    "       selfsamed -h | --version\n"
    "\n"
    "Runs the node in the foreground on the data folder (SELFSAME_HOME): watches what\n"
    "'selfsame import --watch' and 'selfsame watch' name, meets your other devices,\n"
    "answers the selfsame command, says on standard output when it is ready\n"
    "('listening on HOST:PORT'), logs to standard error, ends on SIGTERM.\n"
    "\n"
    "  --listen HOST:PORT  where other devices can connect; port 0: any free one\n"
    "                      (default: all addresses, port 21736 or any)\n"
    "  --peer HOST:PORT    an address to connect to; may be repeated\n"
    "  --no-discovery      neither announce this device nor look for others\n";

/* The value of an option given as "--name VALUE" or "--name=VALUE"; *at moves to what was used. NULL: not
 * this option. */
static const char *option_value(const char *name, char **argv, int *at)
{
    const char *arg = argv[*at];
    size_t n = strlen(name);
    if (strncmp(arg, name, n) != 0) {
        return NULL;
    }
    if (arg[n] == '=') {
        return arg + n + 1;
    }
    if (arg[n] != '\0') {
        return NULL;
    }
    return argv[*at + 1] != NULL ? argv[++*at] : "";
}

static int option_take(struct net_options *o, char **argv, int *at, struct err *e)
{
    const char *value = option_value("--listen", argv, at);
    if (value != NULL) {
        o->listen = value;
        return 0;
    }
    value = option_value("--peer", argv, at);
    if (value != NULL && o->n_peers == NET_PEERS_MAX) {
        return err_set(e, ERR_USAGE, "more than %d peers", NET_PEERS_MAX);
    }
    if (value != NULL) {
        o->peers[o->n_peers++] = value;
        return 0;
    }
    if (strcmp(argv[*at], "--no-discovery") == 0) {
        o->discovery = false;
        return 0;
    }
    (void)err_set(e, ERR_USAGE, "unknown argument '%.64s'", argv[*at]);
    err_hint(e, "selfsamed -h");
    return ERR_USAGE;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct net_options net = {.discovery = true};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            return fputs(usage, stdout) < 0 ? 1 : 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            return puts("selfsamed " SELFSAME_VERSION) < 0 ? 1 : 0;
        }
        if (option_take(&net, argv, &i, &e) != 0) {
            return fail(&e);
        }
    }
    return node_run(&net, &e) == 0 ? 0 : fail(&e);
}
