/* A client of one OpenAI-compatible endpoint (Ollama, llama.cpp's server, vLLM, OpenAI and the like), over
 * libcurl's multi interface on the node's loop: no thread of ours, no waiting.
 *
 * One queue: higher priority first, then first come; at most `endpoint.parallel` requests under way. A
 * request is retried with backoff and jitter (Retry-After is kept to); after that its answer says why it
 * failed. An endpoint that does not answer rests longer and longer, during which nothing is sent and requests
 * wait. Spending is metered per day; over the budget requests wait for the next local day.
 *
 * Nothing here knows what is asked. Durable are the meter, the log of what was sent and what was learnt about
 * the server; requests are not: who asks keeps what it asks for, and asks again after a restart.
 * Core thread only. Settings, bounds and rules: node/infer/ENDPOINT.md. */
#ifndef NODE_INFER_ENDPOINT_H
#define NODE_INFER_ENDPOINT_H

#include "node/node.h"

enum endpoint_priority { ENDPOINT_USER, ENDPOINT_AUDIT, ENDPOINT_THINK, ENDPOINT_EMBED, ENDPOINT_PRIORITIES };

/* Parts of the same role in a row become one message. */
struct chat_part {
    const char *role;       /* "system", "user", "assistant" */
    struct bytes text;      /* valid UTF-8; may be empty when there is an image */
    struct bytes image;     /* empty: none; else the file's bytes, sent as a data URL */
    const char *image_type; /* "image/png" */
};

struct chat_request {
    enum endpoint_priority priority;
    const char *purpose;           /* "propose", "relate" …: for the log of what was sent */
    bool vision;                   /* asks the model for pictures, when there is another one for them */
    const struct chat_part *parts; /* borrowed for the call */
    size_t n_parts;                /* 1..ENDPOINT_PARTS_MAX */
    const char *schema_name;       /* of the JSON schema that the answer must have; NULL: free text */
    struct bytes schema;           /* the schema, as JSON text; its top is an object or an array */
    unsigned tokens_max;           /* of the answer, > 0 */
    struct bytes sources;          /* names of the sources whose observations go out, newline separated */
    unsigned observations;         /* how many of them */
};

#define ENDPOINT_PARTS_MAX 64
#define ENDPOINT_TEXTS_MAX 64 /* of one endpoint_embed() */

/* What came back. Views are valid for the call of answer_fn. */
struct answer {
    int rc; /* 0; ERR_*: nothing usable came, *e says why. ERR_PERM: it may not go there, or would cost more
               than a whole day's budget; ERR_CANCELLED: the settings changed so that there is no endpoint;
               ERR_LIMIT: longer than the model's context (cut), or the answer was larger than is read;
               ERR_FORMAT: the answer was not what was asked for; ERR_IO: the endpoint did not answer, or with
               an error */
    const struct err *e;
    struct bytes text;    /* chat: the message; with a schema: one JSON document whose top has the schema's
                             type and required keys, fences and chatter removed; what is below is for the
                             caller to check. Valid UTF-8 without NUL */
    const float *vectors; /* embed: n_vectors × n_dims, finite, in the order of the texts */
    size_t n_vectors, n_dims;
    unsigned tokens_in, tokens_out; /* as the server counts, else an estimate */
    bool cut; /* the server stopped at tokens_max, with a schema rc is then ERR_FORMAT: never half-taken; or
                 the question left no room. Fewer records may do */
};
typedef void answer_fn(void *ctx, const struct answer *a);

struct endpoint;
/* What the settings name; *out is NULL only on failure: without an endpoint in the settings there is an
 * object that endpoint_ready() refuses. Connects to nothing. */
int endpoint_open(struct endpoint **out, struct node *n, struct err *e) MUST_CHECK;
/* NULL fine. Requests are dropped, their answer_fn is not called. Not from inside an answer_fn. */
void endpoint_close(struct endpoint *x);
/* A setting endpoint.* changed: reads them again. What is under way is stopped and queued again; without an
 * endpoint all requests are answered with ERR_CANCELLED at the next step. */
void endpoint_reload(struct endpoint *x);
/* Readable when endpoint_step() has something to do. */
int endpoint_fd(const struct endpoint *x);
/* Moves transfers on, calls answer_fns (which may ask and cancel). Returns when it wants to be called again
 * (monotonic ms), TIME_NONE: after its fd. */
int64_t endpoint_step(struct endpoint *x);

/* 0 when a request made now would be sent as soon as it is its turn. ERR_NOTFOUND: no endpoint is set (or no
 * model); ERR_PERM: it is remote and that is not allowed, its key cannot be had, or the day's
 * budget is less than a request; ERR_INUSE: it rests after
 * failures; ERR_LIMIT: the day's budget is spent. NULL x: ERR_NOTFOUND. */
int endpoint_ready(const struct endpoint *x, struct err *e) MUST_CHECK;

/* Queues a request; everything is copied. *ticket (> 0, may be NULL) names it for endpoint_cancel(). It waits
 * as long as the endpoint rests or is over budget: ask endpoint_ready() first where that matters. fn is
 * called later, never from inside this call. ERR_FULL: the queue is full (ask again later); ERR_NOTFOUND,
 * ERR_PERM as endpoint_ready(); ERR_USAGE: not a request; ERR_LIMIT: too large. */
int endpoint_chat(struct endpoint *x, const struct chat_request *r, answer_fn *fn, void *ctx, int64_t *ticket,
                  struct err *e) MUST_CHECK;
/* One vector a text (valid UTF-8, not empty); n 1..ENDPOINT_TEXTS_MAX. */
struct embed_request {
    enum endpoint_priority
        priority;              /* ENDPOINT_EMBED; ENDPOINT_USER for a question that somebody waits for */
    const char *purpose;       /* "embed", "query" */
    const struct bytes *texts; /* borrowed for the call */
    size_t n;
    struct bytes sources; /* as for chat */
    unsigned observations;
};
int endpoint_embed(struct endpoint *x, const struct embed_request *r, answer_fn *fn, void *ctx,
                   int64_t *ticket, struct err *e) MUST_CHECK;
/* Forgets a request, also one under way; unknown tickets are ignored. Its answer_fn is not called. */
void endpoint_cancel(struct endpoint *x, int64_t ticket);

/* The chat model's name; "" when none is set. */
const char *endpoint_model(const struct endpoint *x);
/* NULL: none is set, endpoint_embed() is refused. */
const char *endpoint_embed_model(const struct endpoint *x);

#endif
