/* Vectors for retrieval: keeps those of the store (store/vectors.h) complete in the background, and gives the
 * one of a question. They come from a model elsewhere (struct embedder) or, without one, from a table of
 * words on this device (node/model/table.h). Neither set: there are none, and retrieval goes by words.
 *
 * Nothing waits for vectors: opening does nothing, what has none yet is found by words, a question waits for
 * its own at most EMBED_WAIT_MS, and not at all after one that waited in vain until answers come in time
 * again. */
#ifndef NODE_MODEL_EMBED_H
#define NODE_MODEL_EMBED_H

#include "base/log.h"
#include "node/infer/endpoint.h"
#include "node/model/retrieve.h"
#include "store/vectors.h"

#define EMBED_WAIT_MS 150
/* Texts of one background request. */
#define EMBED_BATCH 64u

struct embed_ask {
    const struct bytes *texts;
    size_t n;
    bool urgent;
};
/* Who runs a model. All calls are on the core thread and borrow their arguments. */
struct embedder {
    void *ctx;
    const char *(*model)(void *ctx); /* its name; NULL: none is set */
    bool (*ready)(void *ctx);        /* whether a request would be sent now */
    /* As endpoint_embed(); urgent: somebody waits. fn is called later, never from inside. */
    int (*ask)(void *ctx, const struct embed_ask *a, answer_fn *fn, void *fn_ctx, int64_t *ticket,
               struct err *e);
    void (*cancel)(void *ctx, int64_t ticket); /* its fn is not called any more */
    void (*wait)(void *ctx, int ms);           /* moves requests on for at most so long, or until one moved */
};

struct embed_config {
    struct store *store;
    const struct clock *clock;
    const struct log *log;
    const struct embedder *model; /* NULL: none; copied */
    const char *table;            /* path of a table, NULL or "": none */
    bool keeper;                  /* fills */
    bool owner;                   /* removes vectors when neither is set: the running node */
};

struct embed;
/* A table that cannot be read is logged and left out. */
int embed_open(struct embed **out, const struct embed_config *cfg, struct err *e) MUST_CHECK;
void embed_close(struct embed *x); /* NULL fine; before the store is closed */
/* One bounded piece of the background work. Returns when to call again at the latest (monotonic ms),
 * TIME_NONE: when something was written. */
int64_t embed_step(struct embed *x);
/* The vector for a question with its earlier turns (q->text, q->context), for q->vector; NULL: none, or not
 * in time. Valid until the next call. NULL x: NULL. */
const float *embed_question(struct embed *x, const struct retrieve_query *q);
/* The name of the model, or "table"; NULL: none. */
const char *embed_source(const struct embed *x);

#endif
