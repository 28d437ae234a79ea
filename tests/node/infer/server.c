#include "tests/node/infer/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (80u << 20)
#define ENDLESS_BYTES 65536
#define LARGE_BYTES (100u << 20)

static void need(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
        abort();
    }
}

void server_open(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    memset(s, 0, sizeof(*s));
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    need(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->fd, 64) == 0 &&
             getsockname(s->fd, (struct sockaddr *)&a, &n) == 0,
         "listening");
    s->port = ntohs(a.sin_port);
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        s->conns[i].fd = -1;
    }
    for (size_t i = 0; i < SERVER_REQUESTS; i++) {
        buf_init(&s->requests[i], REQUEST_MAX);
    }
}

static void conn_close(struct server_conn *c)
{
    (void)close(c->fd);
    buf_release(&c->in);
    buf_release(&c->out);
    *c = (struct server_conn){.fd = -1};
}

void server_close(struct server *s)
{
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        if (s->conns[i].fd >= 0) {
            conn_close(&s->conns[i]);
        }
    }
    for (size_t i = 0; i < SERVER_REQUESTS; i++) {
        buf_release(&s->requests[i]);
    }
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    s->fd = -1;
}

void server_script(struct server *s, const struct server_step *steps, size_t n)
{
    for (size_t i = 0; i < SERVER_REQUESTS; i++) {
        buf_clear(&s->requests[i]);
    }
    s->steps = steps;
    s->n_steps = n;
    s->n_requests = 0;
}

void server_poll(const struct server *s, struct pollfd *fds)
{
    fds[SERVER_CONNECTIONS] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        const struct server_conn *c = &s->conns[i];
        bool writes = c->endless != NULL || c->out.n > c->sent || c->hang_up;
        fds[i] = (struct pollfd){.fd = c->fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
    }
}

/* ---- requests
 * ----------------------------------------------------------------------------------------------
 */

/* The length of the whole request at the head of `in`; 0: it is not all there. */
static size_t request_whole(struct bytes in)
{
    size_t head = bytes_find(in, BYTES_LIT("\r\n\r\n"));
    if (head == SIZE_MAX) {
        return 0;
    }
    size_t at = bytes_ifind(bytes_slice(in, 0, head), BYTES_LIT("content-length:"));
    size_t body =
        at == SIZE_MAX ? 0 : strtoull((const char *)in.p + at + strlen("content-length:"), NULL, 10);
    return in.n >= head + 4 + body ? head + 4 + body : 0;
}

static void reply(struct server_conn *c, const struct server_step *step, size_t announced)
{
    const char *body = step->body != NULL ? step->body : "";
    (void)buf_printf(&c->out, "HTTP/1.1 %d Said\r\n%s", step->status != 0 ? step->status : 200,
                     step->headers != NULL ? step->headers : "Content-Type: application/json\r\n");
    (void)buf_printf(&c->out, "Content-Length: %zu\r\n\r\n%s", announced, body);
}

static void begin(struct server_conn *c, const struct server_step *step)
{
    size_t n = step->body != NULL ? strlen(step->body) : 0;
    switch (step->how) {
    case SERVER_REPLY:
        reply(c, step, n);
        break;
    case SERVER_HANG:
        break;
    case SERVER_CLOSE:
        c->hang_up = true;
        break;
    case SERVER_HALF:
        reply(c, step, n + 100);
        c->hang_up = true;
        break;
    case SERVER_STALL:
        reply(c, step, n + 100);
        break;
    case SERVER_BODY_ENDLESS:
        (void)buf_str(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"choices\":[");
        c->endless = step;
        break;
    case SERVER_BODY_LARGE:
        (void)buf_printf(&c->out, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", LARGE_BYTES);
        c->endless = step;
        break;
    case SERVER_CHUNKS_ENDLESS:
        (void)buf_str(&c->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        c->endless = step;
        break;
    case SERVER_HEADERS_ENDLESS:
        (void)buf_str(&c->out, "HTTP/1.1 200 OK\r\n");
        c->endless = step;
        break;
    case SERVER_NOISE:
        (void)buf_str(&c->out, "220 mail.example ESMTP\r\n");
        c->hang_up = true;
        break;
    }
}

static void requests_take(struct server *s, struct server_conn *c)
{
    for (size_t n = request_whole(buf_view(&c->in)); n > 0; n = request_whole(buf_view(&c->in))) {
        need(s->n_requests < SERVER_REQUESTS && s->n_steps > 0, "a request that the script does not know");
        const struct server_step *step =
            &s->steps[s->n_requests < s->n_steps ? s->n_requests : s->n_steps - 1];
        (void)buf_append(&s->requests[s->n_requests++], c->in.p, n);
        memmove(c->in.p, c->in.p + n, c->in.n - n);
        c->in.n -= n;
        begin(c, step);
    }
}

/* ---- serving
 * -----------------------------------------------------------------------------------------------
 */

static void conn_read(struct server *s, struct server_conn *c)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n <= 0) {
            conn_close(c);
            return;
        }
        need(buf_append(&c->in, chunk, (size_t)n) == 0, "a request too large");
    }
    requests_take(s, c);
}

static void endless_refill(struct server_conn *c)
{
    size_t n = c->endless->how == SERVER_CHUNKS_ENDLESS    ? (size_t)0x1000
               : c->endless->how == SERVER_HEADERS_ENDLESS ? (size_t)100
                                                           : (size_t)ENDLESS_BYTES;
    buf_clear(&c->out);
    c->sent = 0;
    if (c->endless->how == SERVER_CHUNKS_ENDLESS) {
        (void)buf_str(&c->out, "1000\r\n");
    } else if (c->endless->how == SERVER_HEADERS_ENDLESS) {
        (void)buf_str(&c->out, "X-More: ");
    }
    uint8_t *p = buf_extend(&c->out, n);
    need(p != NULL, "memory");
    memset(p, 'x', n);
    if (c->endless->how == SERVER_CHUNKS_ENDLESS || c->endless->how == SERVER_HEADERS_ENDLESS) {
        (void)buf_str(&c->out, "\r\n");
    }
}

static void conn_write(struct server *s, struct server_conn *c)
{
    for (int rounds = 0; rounds < 16; rounds++) {
        if (c->sent == c->out.n && c->endless != NULL) {
            endless_refill(c);
        }
        if (c->sent == c->out.n) {
            break;
        }
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0) {
            conn_close(c);
            return;
        }
        c->sent += (size_t)n;
        s->written += (uint64_t)n;
    }
    if (c->sent == c->out.n && c->hang_up) {
        conn_close(c);
    }
}

static void accept_all(struct server *s)
{
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        struct server_conn *c = &s->conns[i];
        int fd = c->fd >= 0 ? -1 : accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            c->fd = fd;
            s->n_accepted++;
            buf_init(&c->in, REQUEST_MAX);
            buf_init(&c->out, REQUEST_MAX);
        }
    }
}

void server_step(struct server *s)
{
    accept_all(s);
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        struct server_conn *c = &s->conns[i];
        if (c->fd >= 0) {
            conn_read(s, c);
        }
        if (c->fd >= 0) {
            conn_write(s, c);
        }
    }
}

struct bytes server_body(const struct server *s, size_t i)
{
    struct bytes all = buf_view(&s->requests[i]);
    size_t head = bytes_find(all, BYTES_LIT("\r\n\r\n"));
    return head == SIZE_MAX ? BYTES_NONE : bytes_slice(all, head + 4, SIZE_MAX);
}

bool server_has(const struct server *s, size_t i, const char *text)
{
    return i < s->n_requests && bytes_find(buf_view(&s->requests[i]), bytes_str(text)) != SIZE_MAX;
}
