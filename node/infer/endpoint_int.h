/* Inside of the endpoint's client.
 *
 *   endpoint.c           the queue: what waits, what is its turn, what became of it
 *   endpoint_http.c      libcurl: one exchange of a request and its answer
 *   endpoint_body.c      what is sent
 *   endpoint_result.c   what an exchange came to
 *   endpoint_key.c       the key, from a file or a command
 *   endpoint_meter.c     what was spent today
 *   endpoint_settings.c  the settings
 *   sent.c               the log of what was sent
 *   pseudonym.c          names of other people
 *
 * Invariants:
 *   1. nothing is sent before its row is in the log of what was sent and its estimated price in the meter;
 *   2. a socket is opened only to an address that the settings allow (endpoint_http.c, socket_open);
 *   3. an ask is in the queue until its answer_fn was called or it was cancelled, and is freed before that
 *      call: whatever is called back may ask and cancel. */
#ifndef NODE_INFER_ENDPOINT_INT_H
#define NODE_INFER_ENDPOINT_INT_H

#include "node/child.h"
#include "node/infer/answer.h"
#include "node/infer/endpoint.h"
#include "node/infer/endpoint_settings.h"
#include "node/infer/endpoint_state.h"
#include "node/infer/pseudonym.h"
#include "node/infer/sent.h"

#include <curl/curl.h>

#define ENDPOINT_QUEUE_MAX 256           /* requests */
#define ENDPOINT_QUEUE_BYTES (64u << 20) /* of all of them together */
#define ENDPOINT_ASK_BYTES (24u << 20)   /* one request: a few pictures */
#define ENDPOINT_SCHEMA_BYTES 32768u
#define ENDPOINT_ATTEMPTS_MAX 4  /* of one request */
#define ENDPOINT_BACKOFF_MS 1000 /* before the second attempt; doubles */
#define ENDPOINT_FAILURES_REST 3 /* in a row, until the endpoint rests */
#define ENDPOINT_REST_MS 30000   /* the first rest; doubles */
#define ENDPOINT_REST_MS_MAX 3600000
#define ENDPOINT_RETRY_AFTER_MS_MAX 86400000 /* a server's Retry-After is kept to up to this */
#define ENDPOINT_CONNECT_MS 10000            /* until the request could go out */
#define ENDPOINT_STALL_MS 60000              /* an answer that has begun, without a byte */
#define ENDPOINT_CHAT_BYTES (4u << 20)       /* of an answer's body */
#define ENDPOINT_EMBED_BYTES (12u << 20)
#define ENDPOINT_ERROR_BYTES 65536u
#define ENDPOINT_HEADER_BYTES 65536u
#define ENDPOINT_KEY_BYTES 4096u
#define ENDPOINT_KEY_MS 30000 /* for the command that prints the key */

/* How an answer of a given shape is asked for; a server that refuses one is asked the next way. */
/* How the shape of an answer is asked for: one after the other, until the server understands. */
enum format_mode {
    FORMAT_SCHEMA,        /* "json_schema" */
    FORMAT_OBJECT_SCHEMA, /* "json_object" with a member "schema", as llama.cpp has it */
    FORMAT_OBJECT,        /* "json_object" */
    FORMAT_PLAIN,         /* in words alone */
    FORMAT_MODES
};

struct ask_part {
    char role[12];
    char image_type[32];
    struct buf text, image;
};

/* What one exchange came to. */
struct reply {
    CURLcode code;
    long status;
    bool refused;            /* the address is not one that it may go to */
    bool too_large;          /* more than is read */
    bool late;               /* a deadline of ours passed */
    bool sent;               /* the request had gone out, at least in part */
    int64_t retry_after_ms;  /* 0: none */
    char address[ADDR_TEXT]; /* refused, or connected; "" */
    char type[64];           /* content type */
};

struct exchange {
    struct endpoint *x;
    CURL *easy;
    bool added; /* to the multi handle */
    struct curl_slist *headers;
    struct buf body, answer;
    size_t header_bytes;
    int64_t started_ms, heard_ms; /* monotonic; heard: last byte, TIME_NONE before the first */
    int64_t whole_ms;
    char error[CURL_ERROR_SIZE];
    struct reply r;
    struct sent_row row;
    struct spending charged; /* the estimate that is in the meter */
};

struct ask {
    struct ask *next;
    int64_t ticket;
    enum endpoint_priority priority;
    bool embed, vision, done;
    char purpose[32], schema_name[64];
    struct buf schema, sources;
    size_t bytes; /* of all that it holds */
    struct answer_shape shape;
    struct ask_part *parts;
    size_t n_parts;
    unsigned tokens_max, observations;
    struct pseudonyms *names; /* NULL: none are replaced */
    answer_fn *fn;
    void *ctx;
    unsigned attempts, bad; /* sent; answered with something that was not asked for */
    int64_t not_before_ms;  /* monotonic */
    enum format_mode mode;
    bool new_tokens_field; /* "max_completion_tokens" */
    bool rekeyed;          /* the key was fetched again for it */
    bool shrunk;           /* tokens_max is less than was asked for: the context had no room */
    struct exchange *http; /* while it is under way */
    /* done: */
    int rc;
    struct err e;
    struct buf text;
    struct answer_vectors vectors;
    unsigned tokens_in, tokens_out;
    bool cut;
};

enum key_state { KEY_NONE, KEY_UNKNOWN, KEY_FETCHING, KEY_HERE, KEY_FAILED };

struct key {
    enum key_state state;
    struct buf text; /* secret_buf */
    struct child child;
    int64_t until_ms; /* failed: when to try again */
    struct err e;
};

struct endpoint {
    struct node *n;
    struct endpoint_settings set;
    struct err set_error; /* code 0, or why the settings cannot be used */
    CURLM *multi;
    int epoll_fd, timer_fd;
    struct ask *asks; /* by age */
    size_t n_asks, bytes, running;
    int64_t tickets;
    struct key key;
    struct meter meter;
    enum format_mode mode;
    bool new_tokens_field;
    unsigned tokens_cap; /* of an answer, as the model's context leaves room; 0: none is known */
    size_t dims;         /* of the first vectors; 0: none yet */
    unsigned failures;
    int64_t rest_until_ms;   /* monotonic; 0: does not rest */
    struct err rest;         /* why it rests, or rested last */
    char address[ADDR_TEXT]; /* where it was reached last; "" */
};

/* What came of an exchange, and what to do about it. */
enum result {
    RESULT_GOOD,
    RESULT_NOW,   /* ask again at once, in another way; costs no attempt */
    RESULT_AGAIN, /* the answer is at fault, not the server: ask once more */
    RESULT_LATER, /* the server is at fault, or busy: ask again after a while */
    RESULT_REST,  /* the server or the settings are at fault, for everybody: this ask has failed */
    RESULT_OVER,  /* this ask has failed */
};

int64_t endpoint_now(const struct endpoint *x);
/* The model that an ask goes to. */
const char *ask_model(const struct endpoint *x, const struct ask *a);
/* Whether the settings let it be used; ERR_NOTFOUND, ERR_PERM. */
int endpoint_allowed(const struct endpoint *x, struct err *e) MUST_CHECK;

/* ---- endpoint_result.c: judges the exchange of a, fills what it answers, *e when it is not good. */
enum result result_find(struct endpoint *x, struct ask *a, struct err *e);
/* What is remembered of this server and model, for a week. */
int server_load(struct endpoint *x, struct err *e) MUST_CHECK;
int server_save(struct endpoint *x, struct err *e) MUST_CHECK;

/* ---- endpoint_http.c */
int http_open(struct endpoint *x, struct err *e) MUST_CHECK;
void http_close(struct endpoint *x); /* no exchange may be left */
/* An exchange that will send body (taken) to the endpoint's path; http_send() starts it. */
int http_new(struct endpoint *x, const char *path, struct buf *body, size_t answer_max,
             struct exchange **out) MUST_CHECK;
int http_send(struct exchange *h) MUST_CHECK;
/* Moves all exchanges on; the next finished one (its r is filled), or NULL. */
struct exchange *http_step(struct endpoint *x);
/* When http_step() must look at it at the latest (monotonic). */
int64_t http_due(const struct endpoint *x, const struct exchange *h);
/* Ends it, sent or not. */
void http_free(struct exchange *h); /* NULL fine */

/* ---- endpoint_body.c */
int body_chat(const struct endpoint *x, const struct ask *a, struct buf *out) MUST_CHECK;
int body_embed(const struct endpoint *x, const struct ask *a, struct buf *out) MUST_CHECK;

/* ---- endpoint_key.c: 0 when there is one or none is needed; ERR_INUSE while it is being fetched; ERR_PERM …
 */
int key_have(struct endpoint *x, struct err *e) MUST_CHECK;
/* Moves the command on; its deadline (monotonic), TIME_NONE: none runs. */
int64_t key_step(struct endpoint *x);
void key_forget(struct endpoint *x);

#endif
