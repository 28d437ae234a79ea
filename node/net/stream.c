#include "node/net/stream.h"

#include "base/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nng/nng.h>

#define HEAD_BYTES 2
#define ACCEPTS 16
/* Reading ahead: several messages a wake-up when there is much. */
#define IN_BYTES_BULK (128u << 10)

enum op_state { OP_IDLE, OP_FLYING, OP_DONE };

/* One operation of nng. `state` is the only thing both sides write while it flies. */
struct op {
    nng_aio *aio;
    int event_fd;
    int result;
    size_t count;
    _Atomic int state;
};

/* Several accepts are in flight, so that a burst does not fill the kernel's queue, which would drop a
 * member's connection with the others and cost it a second. */
struct listener {
    nng_stream_listener *l;
    struct op accept[ACCEPTS];
    bool stuck[ACCEPTS];
};

struct streams {
    int event_fd;
    size_t n_listeners;
    struct listener listeners[STREAM_LISTENERS_MAX];
};

struct stream {
    struct streams *owner;
    enum stream_state state;
    int reason; /* nng's number */
    struct addr remote;
    nng_stream_dialer *dialer; /* while dialing */
    nng_stream *tcp;
    struct op dial, recv, send;
    uint8_t *in;
    size_t in_cap, in_from, in_n, limit;
    struct buf out[2];
    unsigned filling; /* the buffer that is appended to; the other one is being sent */
    size_t sent;
};

/* ---- operations -------------------------------------------------------------------------------------------
 */

/* nng's thread. */
static void op_done(void *arg)
{
    struct op *o = arg;
    uint64_t one = 1;
    int fd = o->event_fd;
    o->result = nng_aio_result(o->aio);
    o->count = nng_aio_count(o->aio);
    atomic_store(&o->state, OP_DONE);
    (void)!write(fd, &one, sizeof(one));
}

static int op_init(struct op *o, int event_fd)
{
    o->event_fd = event_fd;
    atomic_init(&o->state, OP_IDLE);
    return nng_aio_alloc(&o->aio, op_done, o);
}

static void op_release(struct op *o)
{
    if (o->aio != NULL) {
        nng_aio_stop(o->aio);
        nng_aio_free(o->aio);
        o->aio = NULL;
    }
}

static bool op_is(const struct op *o, enum op_state state)
{
    return atomic_load(&o->state) == (int)state;
}

/* The stream that a finished accept or dial brought, or NULL. */
static nng_stream *op_take_stream(struct op *o)
{
    if (!op_is(o, OP_DONE)) {
        return NULL;
    }
    atomic_store(&o->state, OP_IDLE);
    return o->result == 0 ? nng_aio_get_output(o->aio, 0) : NULL;
}

static int nng_error(struct err *e, int rv, const char *host, uint16_t port)
{
    char text[ADDR_TEXT];
    int code = rv == NNG_ENOMEM                              ? ERR_NOMEM
               : rv == NNG_EADDRINUSE                        ? ERR_INUSE
               : rv == NNG_EPERM                             ? ERR_PERM
               : rv == NNG_EADDRINVAL || rv == NNG_EINVAL    ? ERR_USAGE
               : rv == NNG_ENOTSUP || rv == NNG_EUNREACHABLE ? ERR_NOTFOUND
                                                             : ERR_IO;
    addr_join(host, port, text);
    return err_set(e, code, "listening on '%s': %s", text, nng_strerror(rv));
}

/* ---- the hub ----------------------------------------------------------------------------------------------
 */

int streams_open(struct streams **out, struct err *e)
{
    struct streams *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, "opening the network");
    }
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0) {
        int rc = err_errno(e, errno, "opening the network");
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void listener_release(struct listener *l)
{
    if (l->l != NULL) {
        nng_stream_listener_close(l->l);
    }
    for (size_t i = 0; i < ACCEPTS; i++) {
        if (l->accept[i].aio != NULL) {
            nng_aio_stop(l->accept[i].aio);
        }
        nng_stream *late = op_take_stream(&l->accept[i]);
        if (late != NULL) {
            nng_stream_free(late);
        }
        op_release(&l->accept[i]);
    }
    if (l->l != NULL) {
        nng_stream_listener_free(l->l);
    }
    *l = (struct listener){0};
}

void streams_close(struct streams *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n_listeners; i++) {
        listener_release(&s->listeners[i]);
    }
    (void)close(s->event_fd);
    free(s);
}

int streams_fd(const struct streams *s)
{
    return s->event_fd;
}

void streams_wake(struct streams *s)
{
    uint64_t count = 0;
    (void)!read(s->event_fd, &count, sizeof(count));
}

static void listener_accept(struct listener *l, size_t i)
{
    l->stuck[i] = false;
    atomic_store(&l->accept[i].state, OP_FLYING);
    nng_stream_listener_accept(l->l, l->accept[i].aio);
}

int streams_listen(struct streams *s, const char *host, uint16_t *port, struct err *e)
{
    char url[ADDR_TEXT + 8];
    char text[ADDR_TEXT];
    int bound = 0;
    CHECK(s->n_listeners < STREAM_LISTENERS_MAX);
    struct listener *l = &s->listeners[s->n_listeners];
    addr_join(host, *port, text);
    (void)snprintf(url, sizeof(url), "tcp://%s", text);
    int rv = nng_stream_listener_alloc(&l->l, url);
    if (rv == 0) {
        rv = nng_stream_listener_listen(l->l);
    }
    if (rv == 0) {
        rv = nng_stream_listener_get_int(l->l, NNG_OPT_TCP_BOUND_PORT, &bound);
    }
    for (size_t i = 0; rv == 0 && i < ACCEPTS; i++) {
        rv = op_init(&l->accept[i], s->event_fd);
    }
    if (rv != 0) {
        listener_release(l);
        return nng_error(e, rv, host, *port);
    }
    *port = (uint16_t)bound;
    s->n_listeners++;
    for (size_t i = 0; i < ACCEPTS; i++) {
        listener_accept(l, i);
    }
    return 0;
}

/* ---- connections ------------------------------------------------------------------------------------------
 */

static void die(struct stream *c, int reason)
{
    if (c->state != STREAM_DEAD) {
        c->state = STREAM_DEAD;
        c->reason = reason;
        if (c->tcp != NULL) {
            nng_stream_close(c->tcp);
        }
    }
}

static void remote_read(struct stream *c)
{
    nng_sockaddr sa;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (nng_stream_get_addr(c->tcp, NNG_OPT_REMADDR, &sa) != 0) {
        return;
    }
    if (sa.s_family == NNG_AF_INET) {
        in.sin_port = sa.s_in.sa_port;
        in.sin_addr.s_addr = sa.s_in.sa_addr;
        (void)addr_from_socket(&c->remote, (struct sockaddr *)&in);
    } else if (sa.s_family == NNG_AF_INET6) {
        in6.sin6_port = sa.s_in6.sa_port;
        in6.sin6_scope_id = sa.s_in6.sa_scope;
        memcpy(&in6.sin6_addr, sa.s_in6.sa_addr, 16);
        (void)addr_from_socket(&c->remote, (struct sockaddr *)&in6);
    }
}

static struct stream *stream_new(struct streams *s)
{
    struct stream *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->owner = s;
    buf_init(&c->out[0], STREAM_OUT_MAX);
    buf_init(&c->out[1], STREAM_OUT_MAX);
    if (op_init(&c->recv, s->event_fd) != 0 || op_init(&c->send, s->event_fd) != 0) {
        stream_free(c);
        return NULL;
    }
    nng_aio_set_timeout(c->send.aio, STREAM_STALL_MS);
    return c;
}

static void stream_opened(struct stream *c, nng_stream *tcp)
{
    c->tcp = tcp;
    c->state = STREAM_OPEN;
    (void)nng_stream_set_bool(tcp, NNG_OPT_TCP_NODELAY, true);
    remote_read(c);
}

/* What one accept brought; it is started again. NULL: nothing, or it failed and is stuck until the next call.
 */
static nng_stream *accept_take(struct listener *l, size_t i)
{
    bool was_stuck = l->stuck[i];
    bool done = op_is(&l->accept[i], OP_DONE);
    nng_stream *tcp = op_take_stream(&l->accept[i]);
    if (tcp == NULL && done) {
        l->stuck[i] = true;
    } else if (done || was_stuck) {
        listener_accept(l, i);
    }
    return tcp;
}

struct stream *streams_accept(struct streams *s)
{
    for (size_t i = 0; i < s->n_listeners * ACCEPTS; i++) {
        nng_stream *tcp = accept_take(&s->listeners[i / ACCEPTS], i % ACCEPTS);
        struct stream *c = tcp != NULL ? stream_new(s) : NULL;
        if (tcp != NULL && c == NULL) {
            nng_stream_free(tcp);
        }
        if (c != NULL) {
            stream_opened(c, tcp);
            return c;
        }
    }
    return NULL;
}

bool streams_stuck(const struct streams *s)
{
    bool stuck = false;
    for (size_t i = 0; i < s->n_listeners * ACCEPTS; i++) {
        stuck = stuck || s->listeners[i / ACCEPTS].stuck[i % ACCEPTS];
    }
    return stuck;
}

struct stream *stream_dial(struct streams *s, const char *host, uint16_t port, int timeout_ms)
{
    char url[ADDR_TEXT + 8];
    char text[ADDR_TEXT];
    struct stream *c = stream_new(s);
    if (c == NULL) {
        return NULL;
    }
    addr_join(host, port, text);
    (void)snprintf(url, sizeof(url), "tcp://%s", text);
    if (nng_stream_dialer_alloc(&c->dialer, url) != 0 || op_init(&c->dial, s->event_fd) != 0) {
        stream_free(c);
        return NULL;
    }
    c->state = STREAM_DIALING;
    nng_aio_set_timeout(c->dial.aio, timeout_ms);
    atomic_store(&c->dial.state, OP_FLYING);
    nng_stream_dialer_dial(c->dialer, c->dial.aio);
    return c;
}

static void dialer_release(struct stream *c)
{
    if (c->dialer != NULL) {
        nng_stream_dialer_close(c->dialer);
    }
    op_release(&c->dial);
    if (c->dialer != NULL) {
        nng_stream_dialer_free(c->dialer);
        c->dialer = NULL;
    }
}

void stream_free(struct stream *c)
{
    if (c == NULL) {
        return;
    }
    if (c->tcp != NULL) {
        nng_stream_close(c->tcp);
    }
    op_release(&c->recv);
    op_release(&c->send);
    if (c->dialer != NULL) {
        /* What was connected while nobody looked. */
        nng_stream_dialer_close(c->dialer);
        nng_aio_stop(c->dial.aio);
        nng_stream *late = op_take_stream(&c->dial);
        if (late != NULL) {
            nng_stream_free(late);
        }
        dialer_release(c);
    }
    if (c->tcp != NULL) {
        nng_stream_free(c->tcp);
    }
    buf_release(&c->out[0]);
    buf_release(&c->out[1]);
    free(c->in);
    free(c);
}

/* ---- reading ----------------------------------------------------------------------------------------------
 */

void stream_limit(struct stream *c, size_t message_max)
{
    CHECK(message_max <= STREAM_MESSAGE_MAX);
    c->limit = message_max > c->limit ? message_max : c->limit;
}

/* Makes room for what the limit allows. Not before the next read: a view of the last message may still be in
 * use. */
static int in_grow(struct stream *c)
{
    size_t cap = c->limit > 4096 ? IN_BYTES_BULK : c->limit + HEAD_BYTES;
    if (cap <= c->in_cap) {
        return 0;
    }
    uint8_t *p = realloc(c->in, cap);
    if (p == NULL) {
        return ERR_NOMEM;
    }
    c->in = p;
    c->in_cap = cap;
    return 0;
}

static void read_start(struct stream *c)
{
    if (c->in != NULL && c->in_from > 0) {
        memmove(c->in, c->in + c->in_from, c->in_n - c->in_from);
        c->in_n -= c->in_from;
        c->in_from = 0;
    }
    if (in_grow(c) != 0) {
        die(c, NNG_ENOMEM);
        return;
    }
    nng_iov iov = {.iov_buf = c->in + c->in_n, .iov_len = c->in_cap - c->in_n};
    CHECK(iov.iov_len > 0);
    (void)nng_aio_set_iov(c->recv.aio, 1, &iov);
    atomic_store(&c->recv.state, OP_FLYING);
    nng_stream_recv(c->tcp, c->recv.aio);
}

static void read_done(struct stream *c)
{
    if (!op_is(&c->recv, OP_DONE)) {
        return;
    }
    atomic_store(&c->recv.state, OP_IDLE);
    if (c->recv.result != 0) {
        die(c, c->recv.result);
    } else {
        c->in_n += c->recv.count;
    }
}

bool stream_message(struct stream *c, struct bytes *message)
{
    if (c->state != STREAM_OPEN || op_is(&c->recv, OP_FLYING)) {
        return false;
    }
    if (c->in == NULL) {
        read_start(c); /* the first one */
        return false;
    }
    read_done(c);
    size_t have = c->in_n - c->in_from;
    const uint8_t *p = c->in + c->in_from;
    size_t n = have >= HEAD_BYTES ? ((size_t)p[0] << 8 | p[1]) : 1;
    if (n == 0 || n > c->limit) {
        die(c, NNG_EPROTO);
    }
    if (c->state != STREAM_OPEN) {
        return false;
    }
    if (have >= HEAD_BYTES && have - HEAD_BYTES >= n) {
        *message = bytes_of(p + HEAD_BYTES, n);
        c->in_from += HEAD_BYTES + n;
        return true;
    }
    read_start(c);
    return false;
}

/* ---- writing ----------------------------------------------------------------------------------------------
 */

int stream_send(struct stream *c, struct bytes head, struct bytes tail)
{
    struct buf *b = &c->out[c->filling];
    size_t n = head.n + tail.n;
    CHECK(n > 0 && n <= STREAM_MESSAGE_MAX);
    if (stream_waiting(c) + HEAD_BYTES + n > STREAM_OUT_MAX) {
        return ERR_LIMIT;
    }
    uint8_t *p = buf_extend(b, HEAD_BYTES + n);
    if (p == NULL) {
        buf_clear(b); /* half a queue is worth nothing; the connection goes */
        die(c, NNG_ENOMEM);
        return ERR_NOMEM;
    }
    p[0] = (uint8_t)(n >> 8);
    p[1] = (uint8_t)n;
    if (head.n > 0) {
        memcpy(p + HEAD_BYTES, head.p, head.n);
    }
    if (tail.n > 0) {
        memcpy(p + HEAD_BYTES + head.n, tail.p, tail.n);
    }
    return 0;
}

static void write_start(struct stream *c)
{
    struct buf *b = &c->out[1 - c->filling];
    nng_iov iov = {.iov_buf = b->p + c->sent, .iov_len = b->n - c->sent};
    (void)nng_aio_set_iov(c->send.aio, 1, &iov);
    atomic_store(&c->send.state, OP_FLYING);
    nng_stream_send(c->tcp, c->send.aio);
}

static void write_done(struct stream *c)
{
    if (!op_is(&c->send, OP_DONE)) {
        return;
    }
    atomic_store(&c->send.state, OP_IDLE);
    if (c->send.result != 0) {
        die(c, c->send.result);
    } else {
        c->sent += c->send.count;
    }
}

void stream_push(struct stream *c)
{
    if (c->state != STREAM_OPEN || op_is(&c->send, OP_FLYING)) {
        return;
    }
    write_done(c);
    if (c->state == STREAM_OPEN && c->sent == c->out[1 - c->filling].n) {
        buf_clear(&c->out[1 - c->filling]);
        c->filling = 1 - c->filling;
        c->sent = 0;
    }
    if (c->state == STREAM_OPEN && c->out[1 - c->filling].n > 0) {
        write_start(c);
    }
}

size_t stream_waiting(const struct stream *c)
{
    return c->out[0].n + c->out[1].n - c->sent;
}

/* ---- both -------------------------------------------------------------------------------------------------
 */

enum stream_state stream_step(struct stream *c)
{
    if (c->state == STREAM_DIALING && op_is(&c->dial, OP_DONE)) {
        int rv = c->dial.result;
        nng_stream *tcp = op_take_stream(&c->dial);
        dialer_release(c);
        if (tcp != NULL) {
            stream_opened(c, tcp);
        } else {
            die(c, rv != 0 ? rv : NNG_EINTERNAL);
        }
    }
    if (c->state == STREAM_OPEN) {
        stream_push(c);
    }
    return c->state;
}

const char *stream_reason(const struct stream *c)
{
    return c->reason == NNG_ECONNSHUT ? "closed by the other side" : nng_strerror(c->reason);
}

const struct addr *stream_remote(const struct stream *c)
{
    return &c->remote;
}
