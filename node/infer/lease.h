/* The lease: which one of the user's devices thinks for all of them with its language model. It is part of
 * the replicated state, so that several devices with an endpoint neither pay several times for the same work
 * nor fight over it, and a device without one (a phone) knows where to send its own.
 *
 * One entity of SPACE_WORK with a fixed id holds one register, REG_VALUE:
 *
 *     DEVICE WHERE UNTIL      id, "local" or "remote" (the endpoint is another machine's), ms since 1970
 *
 * Its newest write holds, whole, on every device: the rule by which registers merge. So two devices that take
 * the lease at the same time agree as soon as they meet, and one of them stops; while they cannot meet, both
 * think, and the price of that is paying twice. A holder renews when half of the time is over; one that has
 * no endpoint any more gives the lease back; one that is gone loses it when it runs out, and the next takes
 * it after a random moment, so that usually only one does. A device without others needs no lease and writes
 * none. */
#ifndef NODE_INFER_LEASE_H
#define NODE_INFER_LEASE_H

#include "base/log.h"
#include "crypto/dh.h"
#include "store/store.h"
#include "sync/group.h"

#define LEASE_MS (INT64_C(6) * 60 * 60 * 1000) /* at most, and unless `think.lease` says less */
#define LEASE_MS_MIN (INT64_C(10) * 1000)
/* A lease of this length is renewed when half of it is over; a free one is taken within 1/180 of it. */
#define LEASE_RENEW_MS(lease_ms) ((lease_ms) / 2)
#define LEASE_JITTER_MS(lease_ms) ((lease_ms) / 180)

struct lease {
    struct id device; /* ID_NONE: nobody */
    bool remote;
    int64_t until_ms; /* wall time of the holder */
};

/* The text form. */
int lease_put(struct buf *out, const struct lease *l) MUST_CHECK;
/* ERR_FORMAT: not one. A time further ahead than a lease can be counts as that of a lease taken now. */
int lease_parse(struct bytes text, int64_t now_ms, struct lease *out) MUST_CHECK;

/* What a device is to do. Pure: the whole rule is here. */
struct lease_case {
    struct id self;
    bool able, remote;  /* it has an endpoint that may be used; that one is remote */
    struct lease lease; /* as merged here */
    bool holder_gone;   /* the holder is no member any more */
    int64_t now_ms;
    int64_t lease_ms; /* how long it takes it for */
    int64_t take_ms;  /* when it may take a free lease: 0 = not drawn yet */
    uint32_t random;  /* 0: at once */
};
enum lease_act { LEASE_LEAVE, LEASE_TAKE, LEASE_GIVE_BACK };
struct lease_plan {
    enum lease_act act;
    int64_t take_ms; /* to be handed in again */
    int64_t next_ms; /* wall time when to look again; TIME_NONE: when something changes */
};
void lease_plan(const struct lease_case *c, struct lease_plan *out);

/* The device, for the lease and for errands (node/infer/errand.h); all borrowed. */
struct lease_env {
    struct store *store;
    const struct group *group;
    const struct dh_key *seal; /* its key for what is sealed to it */
    const struct clock *clock;
    const struct rng *rng;
    const struct log *log;
    struct id device;
    bool patient; /* a free lease is left to others for a moment: not by a command, which has no time */
    bool *wrote;  /* set when something was written for other devices */
};

/* What it keeps in memory between two looks; zeroed at first. */
struct lease_keeper {
    struct lease lease; /* as of the last lease_keep(); nobody when it ran out or the holder is gone */
    int64_t take_ms;
};
/* Reads the lease and does what is due; a write is a transaction of its own. `able` and `remote` as above.
 * *next_ms: as in the plan. Of a device alone the lease is its own, or nobody's, without a write. The device
 * must be one that may write. */
int lease_keep(struct lease_keeper *k, const struct lease_env *env, bool able, bool remote, int64_t *next_ms,
               struct err *e) MUST_CHECK;
/* Who holds it by what is merged here, without doing anything: nobody when it ran out or the holder is gone.
 * A device alone holds it when it is able. */
int lease_look(const struct lease_env *env, bool able, struct lease *out, struct err *e) MUST_CHECK;
/* `think.lease`: a duration from LEASE_MS_MIN to LEASE_MS. */
int lease_check(struct bytes value, struct err *e) MUST_CHECK;

#endif
