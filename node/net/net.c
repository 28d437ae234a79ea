/* The network side as a whole: opening, the step, who is missing. */
#include "node/net/net.h"

#include "base/time.h"
#include "node/net/net_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ADDRESS_PREFIX "net:address:" /* local values: where a device was met last */
#define ACCEPTS_A_STEP 8              /* fewer than a stranger has rows, so that each lives for some steps */
#define STUCK_MS 200                  /* until accepting is tried again when there were no descriptors */
#define GOODBYE_MS 300                /* for the last words when the node ends */

int64_t net_now(const struct net *t)
{
    return clock_mono_ms(&t->n->clock);
}

const uint8_t *net_secret(const struct net *t)
{
    return group_exists(t->n->group) ? group_secret(t->n->group) : NULL;
}

/* ---- members ----------------------------------------------------------------------------------------------
 */

/* Whether a connection with the device is up, or being made by us. */
static bool is_met(const struct net *t, const struct id *device)
{
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        const struct conn *c = &t->conns[i];
        bool live = (c->kind == CONN_SESSION && (c->dialed || c->proved)) ||
                    (c->kind == CONN_DIALING && !c->for_pairing);
        if (live && id_eq(&c->peer, device)) {
            return true;
        }
    }
    return false;
}

/* The i-th member that is another active device, or NULL. */
static const struct member *other_at(const struct net *t, size_t i)
{
    const struct member *m = group_member_at(t->n->group, i);
    bool is_other = m->state != MEMBER_REMOVED && !m->words && !id_eq(&m->device, &t->n->home.device);
    return is_other ? m : NULL;
}

static bool in_group(const struct net *t)
{
    return net_secret(t) != NULL && group_is_active(t->n->group, &t->n->home.device);
}

/* Whether another machine announced itself with our keys, and we do not know for sure yet. */
static bool twin_is_near(const struct net *t)
{
    return t->twin_ms != TIME_NONE && net_now(t) - t->twin_ms < TWIN_MS &&
           sync_identity(t->n->sync) != IDENTITY_CLONED;
}

void net_missing(struct net *t)
{
    t->n_missing = 0;
    size_t n = in_group(t) ? group_members(t->n->group) : 0;
    for (size_t i = 0; i < n && t->n_missing < MEMBERS_MAX; i++) {
        const struct member *m = other_at(t, i);
        if (m != NULL && !is_met(t, &m->device)) {
            t->missing[t->n_missing++] = m->device;
        }
    }
    const struct id *self = &t->n->home.device;
    if (n > 0 && twin_is_near(t) && !is_met(t, self) && t->n_missing < MEMBERS_MAX) {
        t->missing[t->n_missing++] = *self; /* the meeting tells both that they are two */
    }
}

/* A device alone has nobody to be found by, and stays silent; with recovery words, by whoever types them. */
static void announcing_set(struct net *t)
{
    bool others = false;
    size_t n = in_group(t) ? group_members(t->n->group) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct member *m = group_member_at(t->n->group, i);
        others = others || other_at(t, i) != NULL || (m->words && m->state != MEMBER_REMOVED);
    }
    if (t->discover != NULL) {
        discover_member(t->discover, others ? net_secret(t) : NULL, &t->n->home.device);
    }
}

/* The membership is another one. */
static void regroup(struct net *t)
{
    t->n->regrouped = false;
    announcing_set(t);
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct conn *c = &t->conns[i];
        if (c->kind == CONN_SESSION && c->proved &&
            (!in_group(t) || !group_is_active(t->n->group, &c->peer))) {
            conn_goodbye(t, c);
        }
    }
    if (t->host_met[0] != '\0' && in_group(t)) {
        dial_remember(&t->dial, NULL, t->host_met, t->port_met, net_now(t));
        t->host_met[0] = '\0';
    }
    dial_all(&t->dial, net_now(t));
}

/* ---- addresses --------------------------------------------------------------------------------------------
 */

static void address_name(const struct id *device, char out[sizeof(ADDRESS_PREFIX) + ID_TEXT])
{
    memcpy(out, ADDRESS_PREFIX, sizeof(ADDRESS_PREFIX));
    id_text(device, out + sizeof(ADDRESS_PREFIX) - 1);
}

void net_remember(struct net *t, const struct id *device, const char *host, uint16_t port)
{
    char name[sizeof(ADDRESS_PREFIX) + ID_TEXT];
    char text[ADDR_TEXT];
    struct err e = ERR_INIT;
    struct buf held;
    bool found = false;
    address_name(device, name);
    addr_join(host, port, text);
    buf_init(&held, ADDR_TEXT);
    int rc = local_get(t->n->store, name, &held, &found, &e);
    if (rc == 0 && !(found && bytes_eq(buf_view(&held), bytes_str(text)))) {
        rc = local_set(t->n->store, name, bytes_str(text), &e);
    }
    if (rc != 0) {
        log_line(&t->n->log, LOG_WARN, "net", "%s", e.text);
    }
    buf_release(&held);
}

static int address_take(void *ctx, const char *name, struct bytes value)
{
    struct net *t = ctx;
    struct id device;
    char text[ADDR_TEXT];
    char host[ADDR_HOST_BYTES];
    uint16_t port = 0;
    bool fits =
        value.n < sizeof(text) && id_parse(bytes_str(name + sizeof(ADDRESS_PREFIX) - 1), &device) == 0;
    if (fits) {
        memcpy(text, value.p, value.n);
        text[value.n] = '\0';
    }
    if (fits && group_is_active(t->n->group, &device) && addr_split(text, host, &port, NULL) == 0) {
        dial_remember(&t->dial, &device, host, port, net_now(t));
    }
    return 0;
}

static int addresses_load(struct net *t, struct err *e)
{
    return local_each(t->n->store, ADDRESS_PREFIX, address_take, t, e);
}

/* ---- opening ----------------------------------------------------------------------------------------------
 */

static int listen_everywhere(struct net *t, struct err *e)
{
    const char *host = "::";
    t->port = NET_PORT_DEFAULT;
    int rc = streams_listen(t->streams, host, &t->port, e);
    if (rc == ERR_INUSE) {
        *e = ERR_INIT;
        t->port = 0; /* another node of this machine has it; beacons tell the port */
        rc = streams_listen(t->streams, host, &t->port, e);
    }
    /* Without IPv6, or where an IPv6 socket takes no IPv4: */
    struct err v4 = ERR_INIT;
    if (streams_listen(t->streams, "0.0.0.0", &t->port, &v4) == 0 && rc != 0) {
        host = "0.0.0.0";
        *e = ERR_INIT;
        rc = 0;
    }
    addr_join(host, t->port, t->address);
    return rc;
}

/* *only: the address that is listened on, where discovery is to stay too. */
static int listen_open(struct net *t, const char *listen, struct addr *only, struct err *e)
{
    char host[ADDR_HOST_BYTES];
    struct addr given;
    *only = (struct addr){0};
    if (listen == NULL) {
        return listen_everywhere(t, e);
    }
    int rc = addr_split(listen, host, &t->port, e);
    if (rc == 0) {
        rc = streams_listen(t->streams, host, &t->port, e);
    }
    if (rc == 0 && addr_from_host(&given, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host)) {
        *only = addr_is_any(&given) ? *only : given;
    }
    addr_join(host, t->port, t->address);
    return rc;
}

static void discovery_open(struct net *t, const struct net_options *o, const struct addr *only)
{
    struct err e = ERR_INIT;
    const struct discover_options d = {
        .clock = &t->n->clock,
        .rng = &t->n->rng,
        .udp_port = o->discovery_port != 0 ? o->discovery_port : NET_PORT_DEFAULT,
        .tcp_port = t->port,
        .only = *only,
    };
    if (o->discovery && discover_open(&t->discover, &d, &e) != 0) {
        log_line(&t->n->log, LOG_WARN, "net", "%s; other devices are found by --peer only", e.text);
        t->discover = NULL;
    }
}

static int peers_add(struct net *t, const struct net_options *o, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < o->n_peers && rc == 0; i++) {
        rc = dial_add(&t->dial, o->peers[i], net_now(t), e);
    }
    return rc;
}

static int poll_open(struct net *t, struct err *e)
{
    struct epoll_event ev = {.events = EPOLLIN};
    t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool ok = t->epoll_fd >= 0 && epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, streams_fd(t->streams), &ev) == 0;
    if (ok && t->discover != NULL) {
        ok = epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, discover_fd(t->discover), &ev) == 0;
    }
    return ok ? 0 : err_errno(e, errno, "opening the network");
}

int net_open(struct net **out, struct node *n, const struct net_options *o, struct err *e)
{
    struct addr only;
    struct net *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_set(e, ERR_NOMEM, "opening the network");
    }
    t->n = n;
    t->epoll_fd = -1;
    t->twin_ms = TIME_NONE;
    buf_init(&t->out, STREAM_MESSAGE_MAX);
    dial_init(&t->dial, &n->home.device, &n->rng);
    int rc = streams_open(&t->streams, e);
    if (rc == 0) {
        rc = peers_add(t, o, e);
    }
    if (rc == 0) {
        rc = addresses_load(t, e);
    }
    if (rc == 0) {
        rc = listen_open(t, o->listen, &only, e);
    }
    if (rc == 0) {
        discovery_open(t, o, &only);
        rc = poll_open(t, e);
    }
    if (rc != 0) {
        net_close(t);
        return rc;
    }
    n->regrouped = true;
    *out = t;
    return 0;
}

/* Whether somebody still has something to hear from us. */
static bool goodbyes_wait(struct net *t)
{
    bool waiting = false;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct conn *c = &t->conns[i];
        waiting = waiting || (c->kind == CONN_CLOSING && stream_step(c->stream) == STREAM_OPEN &&
                              stream_waiting(c->stream) > 0);
    }
    return waiting;
}

void net_close(struct net *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        conn_goodbye(t, &t->conns[i]);
    }
    int64_t until = net_now(t) + GOODBYE_MS;
    while (goodbyes_wait(t) && net_now(t) < until) {
        struct pollfd fd = {.fd = streams_fd(t->streams), .events = POLLIN};
        (void)poll(&fd, 1, (int)(until - net_now(t)));
        streams_wake(t->streams);
    }
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        if (t->conns[i].kind != CONN_FREE) {
            conn_free(t, &t->conns[i]);
        }
    }
    discover_close(t->discover);
    streams_close(t->streams);
    if (t->epoll_fd >= 0) {
        (void)close(t->epoll_fd);
    }
    buf_release(&t->out);
    free(t);
}

const char *net_address(const struct net *t)
{
    return t->address;
}

int net_fd(const struct net *t)
{
    return t->epoll_fd;
}

/* ---- the step ---------------------------------------------------------------------------------------------
 */

static void accept_all(struct net *t)
{
    for (int i = 0; i < ACCEPTS_A_STEP; i++) {
        struct stream *s = streams_accept(t->streams);
        if (s == NULL) {
            return;
        }
        conn_accept(t, s);
    }
    t->again = true;
}

static void member_heard(struct net *t, const struct beacon *b)
{
    const uint8_t *secret = net_secret(t);
    int64_t wall = clock_wall_ms(&t->n->clock);
    if (!in_group(t)) {
        return;
    }
    if (beacon_is_of(b, secret, &t->n->home.device, wall)) {
        t->twin_ms = net_now(t); /* our own ones do not come here */
        (void)dial_heard(&t->dial, &t->n->home.device, &b->from, net_now(t));
        return;
    }
    for (size_t i = 0; i < group_members(t->n->group); i++) {
        const struct member *m = other_at(t, i);
        if (m != NULL && beacon_is_of(b, secret, &m->device, wall)) {
            if (dial_heard(&t->dial, &m->device, &b->from, net_now(t))) {
                discover_announce(t->discover); /* so that it knows of us too */
            }
            return;
        }
    }
}

static int64_t discovery_step(struct net *t)
{
    struct beacon b;
    if (t->discover == NULL) {
        return TIME_NONE;
    }
    (void)discover_step(t->discover);
    while (discover_next(t->discover, &b)) {
        if (b.kind == BEACON_MEMBER) {
            member_heard(t, &b);
        }
        pair_heard(t, &b);
    }
    return discover_step(t->discover);
}

static size_t dials_flying(const struct net *t)
{
    size_t n = 0;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        n += t->conns[i].kind == CONN_DIALING ? 1 : 0;
    }
    return n;
}

static int64_t dials_step(struct net *t)
{
    int64_t now = net_now(t);
    struct id whom;
    for (;;) {
        net_missing(t);
        const struct dial_missing m = {t->missing, t->n_missing};
        if (dials_flying(t) >= DIALS_MAX) {
            return TIME_NONE; /* the end of one of them is an event */
        }
        struct dial_target *target = dial_next(&t->dial, &m, now, &whom);
        if (target == NULL) {
            return dial_deadline(&t->dial, &m);
        }
        target->busy = true;
        if (!conn_dial(t, target->host, target->port, &whom, target)) {
            dial_unreachable(&t->dial, target, now);
        }
    }
}

static int64_t conns_step(struct net *t)
{
    int64_t first = TIME_NONE;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        if (t->conns[i].kind != CONN_FREE) {
            conn_step(t, &t->conns[i]);
        }
    }
    /* What one of them brought goes on to the others. */
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct conn *c = &t->conns[i];
        conn_pump(t, c);
        first = c->kind != CONN_FREE ? time_earlier(first, conn_deadline(c)) : first;
    }
    return first;
}

int64_t net_step(struct net *t)
{
    t->again = false;
    streams_wake(t->streams);
    if (t->n->regrouped) {
        regroup(t);
    }
    accept_all(t);
    int64_t first = conns_step(t);
    if (t->n->regrouped) {
        regroup(t);
    }
    first = time_earlier(first, discovery_step(t));
    first = time_earlier(first, dials_step(t));
    if (streams_stuck(t->streams)) {
        first = time_earlier(first, net_now(t) + STUCK_MS);
    }
    return t->again ? net_now(t) : first;
}

void net_changed(struct net *t)
{
    struct err e = ERR_INIT;
    int rc = sync_changed(t->n->sync, &e);
    if (rc != 0 && rc != ERR_ATTENTION) {
        log_line(&t->n->log, LOG_ERROR, "net", "%s", e.text);
    }
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        conn_pump(t, &t->conns[i]);
    }
}

void net_dial_all(struct net *t)
{
    dial_all(&t->dial, net_now(t));
    if (t->discover != NULL) {
        discover_announce(t->discover);
    }
}
