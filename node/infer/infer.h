/* Inference: where propositions come from. A backend looks at stored (audited) observations and writes
 * propositions through node/model/claim.h. The built-in backend, node/infer/heuristics*, is deterministic and
 * offline: what it claims is a function of the traces held (store/local.h), so neither the order of import
 * nor the split into batches matters, and erasing observations takes back what was learnt from them.
 *
 * The caller has a transaction open around both calls. Observations whose text came from the model are never
 * passed in (audit drops them).
 */
#ifndef NODE_INFER_INFER_H
#define NODE_INFER_INFER_H

#include "node/model/claim.h"
#include "store/local.h"

struct infer_env {
    struct store *store;
    const struct clock *clock;
    struct id device;
    const char *device_name;   /* for "which device for what" */
    struct bytes claim_secret; /* 32 bytes, the group's: keys claim ids and occasions */
    const char *user_name; /* how the user is called in texts; NULL: "the user" is left out, texts start with
                              a verb */
};

struct infer_summary {
    uint64_t added, raised, lowered, revived; /* propositions written to by this flush */
};

struct infer;
int infer_open(struct infer **out, const struct infer_env *env, struct err *e) MUST_CHECK;
void infer_close(struct infer *x); /* NULL fine */
/* Indexes one stored observation (row > 0, fresh): derives its features and adds traces. */
int infer_observe(struct infer *x, const struct stored_observation *o, struct err *e) MUST_CHECK;
/* Looks at every dirty feature, writes what changed as ops and links. Idempotent: a second flush writes
 * nothing. *sum (may be NULL) is added to. */
int infer_flush(struct infer *x, struct infer_summary *sum, struct err *e) MUST_CHECK;

/* Names every claim that the traces held now support, without writing anything. */
int infer_name_claims(struct infer *x, claim_named_fn *fn, void *ctx, struct err *e) MUST_CHECK;
/* Forgets what was claimed so far: the next flush looks at everything and writes it anew. */
int infer_start_anew(struct infer *x, struct err *e) MUST_CHECK;

/* The event key of an observation: BLAKE2b-128 keyed with this device's own secret over (source, normalised
 * content, time bucket or occurrence or the source's id). ERR_NOMEM. */
struct observation;
int event_key(struct bytes event_secret, const struct observation *o, uint8_t out[16]) MUST_CHECK;

#endif
