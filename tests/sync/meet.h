/* Devices of a household that meet through sessions: whole messages, in order, counted; and a peer that holds
 * a member's keys and says whatever a test wants it to. */
#ifndef TESTS_SYNC_MEET_H
#define TESTS_SYNC_MEET_H

#include "sync/sync_int.h"
#include "tests/sync/house.h"

#define MEET_PAIRS 24

struct pair {
    struct session *s[2]; /* end 0 connected; NULL: closed */
    size_t device[2];
    int rc[2]; /* how it ended */
    struct err e[2];
    bool cut; /* nothing is carried any more */
};

struct meet {
    struct house *h;
    struct sync *sync[HOUSE_DEVICES];
    struct pair pair[MEET_PAIRS];
    size_t n;
    uint64_t messages, bytes;
    uint64_t limit; /* messages that meet_run() carries; 0: all */
};

/* Sync for all devices of the house, which must be paired. */
void meet_init(struct meet *m, struct house *h);
void meet_release(struct meet *m);
/* Closes one device's sync and opens it again, as a restart would. */
void meet_restart(struct meet *m, size_t i);
struct pair *meet_pair(struct meet *m, size_t a, size_t b);
/* Carries messages until nobody has any. Dead ends are closed, both. */
void meet_run(struct meet *m);
/* Closes both ends without a word. */
void meet_cut(struct pair *p);
void meet_tell(struct meet *m, size_t i, const char *text);
void meet_changed(struct meet *m, size_t i);
bool meet_equal(struct meet *m, size_t a, size_t b); /* models */
void meet_status(struct meet *m, size_t of, size_t at, struct peer_status *out);

/* A peer under the test's control: device `as` of the house calls device `to`. */
struct fake {
    struct meet *m;
    struct session *s; /* the other side */
    struct noise hs;
    struct noise_session noise;
    struct buf plain; /* what the other side said last */
    int rc;
    struct err e;
};
void fake_init(struct fake *f, struct meet *m, size_t as, size_t to);
void fake_release(struct fake *f);
/* The first message with this payload (NULL: the honest hello); the answer's payload is then in f->plain, if
 * one came.
 */
bool fake_call(struct fake *f, const struct buf *hello);
/* Honest hello of the device. */
void fake_hello(struct fake *f, size_t as, struct buf *out);
/* Seals and delivers; f->rc is what came of it. */
int fake_say(struct fake *f, struct bytes plain);
/* The next message of the other side into f->plain; false: none. */
bool fake_hear(struct fake *f);
/* Hears until a message of the kind comes. */
bool fake_hear_kind(struct fake *f, enum msg_kind kind, struct msg *m);

#endif
