/* Inside of the simulator: the world and its devices. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/check.h"
#include "node/infer/infer.h"
#include "store/members.h"
#include "store/store.h"
#include "sync/sync.h"
#include "tests/sim/disk.h"
#include "tests/sim/sim.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"

#define DEVICES_MAX 10u /* with those that join */
#define LINKS 96u
#define PROPS 28u
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)
#define START_MS INT64_C(1700000000000)
#define HEAL_MS (90 * MINUTE)
/* In every text that a device writes; never on the wire. */
#define CANARY "canary-7f3a"

struct packet {
    struct packet *next;
    int64_t at;
    bool after_removal; /* the sender knew that the receiver was removed */
    size_t n;
    uint8_t p[];
};

struct hostile;

/* One connection; end 0 made it. */
struct link {
    bool used;
    size_t device[2];
    struct session *session[2]; /* NULL: this end is closed */
    struct hostile *hostile;    /* holds end 0 in place of a session */
    struct packet *queue[2];    /* on the way to that end, in order */
    int64_t last_at[2], clogged_until;
};

enum role { PHONE, LAPTOP, DESKTOP };

struct device {
    size_t index;
    enum role role;
    bool up, awake;
    bool gone;      /* its disk or keys are lost for good, or it was a copy that is retired */
    bool cautious;  /* an old database: writes to a new log only, after it has met somebody */
    bool copy;      /* a clone: never writes */
    bool shaken;    /* errors of storage or memory are to be expected since it was opened */
    bool regrouped; /* the membership changed: what follows is to be done */
    char path[DISK_PATH_BYTES], backup[DISK_PATH_BYTES];
    bool has_backup;
    struct id backup_log;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct device_keys keys;
    struct id id, log;
    int64_t skew_ms, strobe_until;
    int64_t slept_ms, asleep_since; /* the monotonic clock stands still in sleep */
    int64_t next_turn;              /* falls asleep or wakes */
    int64_t next_write, next_dial, next_trouble, up_at;
    int64_t keep_at; /* wall: when silent members are looked at again */
    struct store *store;
    struct group *group;
    struct sync *sync;
    struct infer *infer;
};

/* One op that was written, as its writer's store gave it back after the commit. */
struct entry {
    struct hash hash;
    uint64_t hlc;
    struct bytes op; /* owned */
};
struct jlog {
    struct id log;
    size_t device;
    struct entry *e;
    size_t n, cap;
    bool torn; /* its disk went back in time or was lost: what nobody else had by then is gone */
};

struct sim {
    struct sim_plan plan;
    enum sim_voice voice;
    bool failed, healing;
    char *why;
    struct test_rng rng;                    /* what devices do */
    struct test_rng fault[SIM_FAULT_KINDS]; /* each kind for itself, so that leaving one out moves nothing */
    int64_t now, steps;
    struct device device[DEVICES_MAX];
    size_t n, keys_used;
    struct link link[LINKS];
    int64_t apart_until[DEVICES_MAX][DEVICES_MAX]; /* from, to */
    struct id prop[PROPS];
    size_t n_props;
    struct jlog *logs;
    size_t n_logs, cap_logs;
    unsigned removers;  /* bits of the devices that have removed others */
    unsigned part;      /* bits of the devices that can reach each other, as reference() saw it last */
    int64_t ahead_ms;   /* the furthest that a wall clock ever was */
    struct buf old[8];  /* messages of earlier days, for replays */
    struct buf scratch; /* a message being made */
    struct sim_report *r;
};

/* ---- world.c */
void say(struct sim *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fail(struct sim *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
void must(struct sim *x, int rc, const struct err *e, const char *what);
uint64_t below(struct sim *x, uint64_t n);
/* Faults draw from their own stream. */
uint64_t fault_below(struct sim *x, enum sim_fault f, uint64_t n);
bool strikes(struct sim *x, enum sim_fault f, unsigned of);
/* All clocks as of now. */
void clocks(struct sim *x);
void world_step(struct sim *x);
/* Somebody woke or came near: whoever is awake looks around. */
void nudge(struct sim *x);
const char *world_path(const char *name, char out[DISK_PATH_BYTES]);

/* ---- household.c */
/* Fills keys, id and log of the first n devices and their disks: a group that was founded the day before. */
void household_put(struct sim *x, size_t n);
/* Keys of the i-th device ever, and a disk with an empty store. */
void household_fresh(struct sim *x, struct device *d);
void household_end(void);

/* ---- device.c */
void device_init(struct sim *x, struct device *d, size_t index);
int device_open(struct sim *x, struct device *d, struct err *e);
void device_close(struct sim *x, struct device *d);
/* Comes up again at `up_at`, and everything that was acknowledged must be there. */
void device_start(struct sim *x, struct device *d);
/* Off for a while. */
void device_down(struct sim *x, struct device *d, int64_t ms);
/* For good. */
void device_retire(struct sim *x, struct device *d, const char *why);
bool device_may_write(const struct device *d);
void device_write(struct sim *x, struct device *d, uint64_t ops);
/* An error that a device gave: in order when its disk or memory is failing. */
bool device_excused(struct sim *x, struct device *d, int rc);
void device_turn(struct sim *x, struct device *d);
/* After any call into its sync: identity, membership, a power cut. */
void device_after(struct sim *x, struct device *d);
void device_settle(struct sim *x, struct device *d);
int device_add(struct device *by, struct device *d, struct err *e);
void device_import(struct sim *x, struct device *d);
int64_t wall_of(const struct sim *x, const struct device *d);
bool is_member(const struct device *d);

/* ---- network.c */
void network_pump(struct sim *x, struct device *d);
void network_send(struct sim *x, struct link *l, size_t to, struct bytes b);
/* A message on its way through a bad network. */
void network_carry(struct sim *x, struct link *l, size_t to, struct buf *b);
void network_dial(struct sim *x, struct device *d);
struct link *network_link(struct sim *x, struct device *from, struct device *to);
void network_leave(struct sim *x, const struct device *d);
void network_cut(struct sim *x, struct link *l);
void network_run(struct sim *x);
int64_t network_next(const struct sim *x);
void network_end(struct sim *x);

/* ---- faults.c */
void faults_look(struct sim *x, struct device *d);
/* Everybody is away for a hundred days; who comes back first marks the others as asleep. */
void faults_away(struct sim *x);
void faults_heal(struct sim *x);

/* ---- hostile.c */
struct hostile *hostile_new(struct sim *x, struct link *l);
void hostile_free(struct hostile *h);
void hostile_hear(struct sim *x, struct link *l, struct bytes message);

/* ---- journal.c */
/* Takes in what a device's log holds beyond what is known of it. */
void journal_take(struct sim *x, struct device *d);
struct jlog *journal_log(struct sim *x, const struct id *log); /* NULL */
void journal_tear(struct sim *x, const struct id *log);
void journal_end(struct sim *x);

/* ---- checks.c */
void check_wire(struct sim *x, struct bytes message);
/* A device that has just come up: acknowledged is durable. */
void check_opened(struct sim *x, struct device *d);
/* Now and then: bounds, what peers are believed to hold, the current epoch. */
void check_device(struct sim *x, struct device *d);
bool check_settled(struct sim *x);
void check_end(struct sim *x);
struct device *reference(struct sim *x);
uint64_t total_of(struct sim *x, struct device *d);

#endif
