/* What is known about the endpoint without asking it: for `status`, and for what it spent today. */
#ifndef NODE_INFER_ENDPOINT_STATE_H
#define NODE_INFER_ENDPOINT_STATE_H

#include "node/infer/endpoint_settings.h"
#include "node/node.h"

/* What was spent on one local day. Money in millionths of a millionth of the unit of the prices. */
struct meter {
    int64_t day; /* days since 1970, local */
    int64_t requests, tokens_in, tokens_out, money;
};

struct spending {
    int64_t tokens_in, tokens_out;
};

/* Read from and written to the store. What was spent on an earlier day reads as nothing. */
int meter_load(struct meter *m, struct node *n, struct err *e) MUST_CHECK;
/* Adds (or takes back what was added too much) and writes it durably. */
int meter_add(struct meter *m, struct node *n, const struct endpoint_settings *set, struct spending s,
              int64_t requests, struct err *e) MUST_CHECK;
/* Whether so much more fits today's budget. ERR_LIMIT: not today; *never: not on any day. */
int meter_fits(struct meter *m, struct node *n, const struct endpoint_settings *set, struct spending s,
               bool *never, struct err *e) MUST_CHECK;
/* The next local midnight, wall time. */
int64_t meter_renews_ms(struct node *n);

enum endpoint_condition {
    ENDPOINT_UNSET,   /* no url */
    ENDPOINT_OFF,     /* no node runs */
    ENDPOINT_FINE,    /* never failed, or answered last */
    ENDPOINT_RESTS,   /* after failures */
    ENDPOINT_SPENT,   /* over the budget */
    ENDPOINT_REFUSED, /* the settings do not let it be used */
};

struct endpoint_state {
    enum endpoint_condition condition;
    struct err why;   /* rests, refused, spent */
    int64_t until_ms; /* wall: rests, spent; else TIME_NONE */
    size_t waiting, running;
    struct endpoint_settings set;
    struct meter today;
    char address[ADDR_TEXT]; /* where it was reached last; "" */
};

/* Without a running endpoint (n->endpoint NULL), from settings and store alone. */
int endpoint_state_read(struct node *n, struct endpoint_state *out, struct err *e) MUST_CHECK;

#endif
