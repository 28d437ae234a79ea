/* A scripted HTTP server on loopback, driven by the test's own loop: no thread, no process, no waiting. Each
 * request that has come in whole takes the next step of the script; requests beyond it take the last step
 * again. */
#ifndef TESTS_NODE_INFER_SERVER_H
#define TESTS_NODE_INFER_SERVER_H

#include "base/bytes.h"

#include <poll.h>

#define SERVER_CONNECTIONS 24
#define SERVER_REQUESTS 64

enum server_how {
    SERVER_REPLY,           /* status, headers, body */
    SERVER_HANG,            /* nothing, for ever */
    SERVER_CLOSE,           /* closes without a word */
    SERVER_HALF,            /* a reply that announces more than comes, and then closes */
    SERVER_STALL,           /* the same, and then nothing */
    SERVER_BODY_ENDLESS,    /* no length, body without end */
    SERVER_BODY_LARGE,      /* announces 100 MB and sends them */
    SERVER_CHUNKS_ENDLESS,  /* chunks without end */
    SERVER_HEADERS_ENDLESS, /* headers without end */
    SERVER_NOISE,           /* no HTTP at all */
};

struct server_step {
    enum server_how how;
    int status;          /* 0: 200 */
    const char *headers; /* each ended by \r\n; NULL: a JSON content type */
    const char *body;
};

struct server_conn {
    int fd; /* -1: free */
    struct buf in, out;
    size_t sent;
    bool hang_up; /* when out has been sent */
    const struct server_step *endless;
};

struct server {
    int fd;
    uint16_t port;
    const struct server_step *steps;
    size_t n_steps, n_requests, n_accepted;
    struct buf requests[SERVER_REQUESTS]; /* head and body, as they came */
    struct server_conn conns[SERVER_CONNECTIONS];
    uint64_t written;
};

void server_open(struct server *s);
void server_close(struct server *s);
void server_script(struct server *s, const struct server_step *steps, size_t n);
/* Fills fds (SERVER_CONNECTIONS + 1 of them) for poll(); serves what is ready. */
void server_poll(const struct server *s, struct pollfd *fds);
void server_step(struct server *s);
/* The i-th request's body, parsed by the caller; and a header's value, "" when it is not there. */
struct bytes server_body(const struct server *s, size_t i);
bool server_has(const struct server *s, size_t i, const char *text);

#endif
