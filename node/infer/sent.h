/* The log of what was sent to an endpoint: when, why, of which sources, how much, to where; never the
 * content, never the key. Bounded: the newest SENT_ROWS_MAX rows are kept. On this device only. */
#ifndef NODE_INFER_SENT_H
#define NODE_INFER_SENT_H

#include "base/limits.h"
#include "node/net/addr.h"
#include "store/local.h"

#define SENT_ROWS_MAX 2000u
#define SENT_SOURCES_BYTES 1024u
#define SENT_OUTCOME_BYTES 48

struct sent_row {
    uint64_t number; /* grows */
    int64_t time_ms;
    struct bytes purpose, model, sources; /* sources: names, newline separated */
    char host[ADDR_TEXT];                 /* as in the settings, with the port */
    char address[ADDR_TEXT];              /* where it really went; "" before it is known */
    char outcome[SENT_OUTCOME_BYTES];     /* "under way", "answered", "429", "cut off" … */
    uint32_t observations, images;
    uint64_t bytes_out, bytes_in;
    uint32_t tokens_in, tokens_out;
};

/* Writes a new row, and drops the oldest one over the bound; r->number is set. The caller has a transaction
 * open. */
int sent_add(struct store *s, struct sent_row *r, struct err *e) MUST_CHECK;
/* Writes the row of that number again. */
int sent_update(struct store *s, const struct sent_row *r, struct err *e) MUST_CHECK;
/* The newest `max` rows, newest first. Views are valid for the call. */
int sent_each(struct store *s, size_t max, int (*fn)(void *ctx, const struct sent_row *r), void *ctx,
              struct err *e) MUST_CHECK;

#endif
