/* Whom to dial and when. Pure: time, randomness and the devices that are missing come as parameters.
 *
 * A target is an address: one that the user named (fixed; nothing says which device is there until a
 * handshake tells) or one that a device's beacon came from. A fixed address of unknown owner is tried with
 * one missing device after the other, since a session can only be begun with a device in mind. After a
 * failure a target rests 1 s, then twice as long each time up to 5 minutes, with jitter, so that two devices
 * do not meet in step.
 */
#ifndef NODE_NET_DIAL_H
#define NODE_NET_DIAL_H

#include "base/clock.h"
#include "base/id.h"
#include "node/net/addr.h"

#define DIAL_TARGETS_MAX 128
#define DIAL_ADDRESSES_EACH 4 /* heard of one device */
#define DIAL_REST_MS_MIN 1000
#define DIAL_REST_MS_MAX INT64_C(300000)
#define DIAL_GUESS_MS 50               /* between two guesses at a fixed address */
#define DIAL_STEADY_MS 30000           /* a session that lasted as long was a success */
#define DIAL_SILENT_MS 75000           /* not heard for so long: it was away */
#define DIAL_HEARD_MS INT64_C(3600000) /* an address not heard for so long is dropped */
#define DIAL_LATER_MS 1500             /* the higher device id gives the lower one a start */

struct dial_target {
    char host[ADDR_HOST_BYTES];
    uint16_t port;
    bool used, fixed, busy; /* busy: a connection to it is being made or is up */
    bool kept;              /* was good once: not dropped for silence */
    struct id device;       /* none: unknown */
    int64_t heard_ms, next_ms;
    unsigned fails;
    size_t guess; /* which of the missing devices comes next */
};

struct dial {
    struct id self;
    const struct rng *rng;
    struct dial_target targets[DIAL_TARGETS_MAX];
};

void dial_init(struct dial *d, const struct id *self, const struct rng *rng);
/* ERR_USAGE, ERR_LIMIT. */
int dial_add(struct dial *d, const char *host_port, int64_t now_ms, struct err *e) MUST_CHECK;
/* Where a device was met in an earlier life of the node, or (device NULL) somebody who is a member. */
void dial_remember(struct dial *d, const struct id *device, const char *host, uint16_t port, int64_t now_ms);
/* A device's beacon came from an address. True when the device had not been heard for DIAL_SILENT_MS. */
bool dial_heard(struct dial *d, const struct id *device, const struct addr *a, int64_t now_ms);

/* Devices that ought to be connected and are not, in a fixed order. */
struct dial_missing {
    const struct id *devices;
    size_t n;
};
/* A target that is due and whom to look for there; NULL: none now. The caller dials and sets it busy. */
struct dial_target *dial_next(struct dial *d, const struct dial_missing *m, int64_t now_ms, struct id *whom);
/* When the next one is due; TIME_NONE. */
int64_t dial_deadline(const struct dial *d, const struct dial_missing *m);

/* How it went; each makes the target free again or keeps it busy as said.
 * No connection: it rests. */
void dial_unreachable(struct dial *d, struct dial_target *t, int64_t now_ms);
/* Somebody is there but not `guessed`: the next guess comes soon, after a whole round it rests. */
void dial_wrong(struct dial *d, struct dial_target *t, const struct dial_missing *m, int64_t now_ms);
/* The handshake is done; stays busy. */
void dial_met(struct dial_target *t, const struct id *device);
/* The connection to `device` is over, whoever dialed: its targets rest, shortly when it had lasted; t (may be
 * NULL) is free. */
void dial_ended(struct dial *d, struct dial_target *t, const struct id *device, int64_t lived_ms,
                int64_t now_ms);
/* Everybody now. */
void dial_all(struct dial *d, int64_t now_ms);

#endif
