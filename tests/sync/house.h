/* A household of devices in one process, for the tests of group and frames: each with a store in memory,
 * keys, a log and a group; records and frames are carried by hand. Aborts on failure, unless it says
 * otherwise. */
#ifndef TESTS_SYNC_HOUSE_H
#define TESTS_SYNC_HOUSE_H

#include "sync/frames.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#define HOUSE_MS INT64_C(1700000000000)
#define HOUSE_DEVICES 8

struct device {
    char name[16];
    char path[TMP_PATH_BYTES];
    struct store *store;
    struct device_keys keys;
    struct id id, log;
    struct group *group;
    struct frames_env env;
};

struct house {
    struct tmp_dir dir;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct device device[HOUSE_DEVICES];
    size_t n;
};

/* n devices, none in a group. */
void house_init(struct house *h, size_t n, uint64_t seed);
void house_release(struct house *h);
int64_t house_now(const struct house *h);
void house_ok(int rc, const struct err *e);

/* Device a founds a group. */
void house_found(struct house *h, size_t a);
/* Device a adds b, which then takes all of a's records. */
void house_add(struct house *h, size_t a, size_t b, enum history history, int64_t since_ms);
/* Found by 0, which adds all others, who open their logs; everybody knows everything. */
void house_pair_all(struct house *h);
/* b takes the records that it lacks of a; what b refuses is left out. */
void house_records(struct house *h, size_t a, size_t b);
/* All exchange records with all. */
void house_gossip(struct house *h);
void house_settle(struct house *h, size_t a);

/* Device a tells a proposition of its own. */
void house_tell(struct house *h, size_t a, const char *text);
void house_write(struct house *h, size_t a, const struct draft *d);
/* Seals what is new at a; settles first when it must. */
void house_seal(struct house *h, size_t a);
/* b takes the frames that it lacks of a; returns how many were refused (the log then stalls). */
size_t house_frames(struct house *h, size_t a, size_t b);
/* The next frame of a's log behind `after`, for reader b (HOUSE_DEVICES: for anyone). */
void house_next(struct house *h, size_t a, const struct id *log, uint64_t after, size_t reader,
                struct buf *out);
/* b takes a frame in a transaction of its own, kept if it was taken. */
int house_receive(struct house *h, size_t b, struct bytes wire, struct frame_result *r, struct err *e);
/* Records and frames, all with all, until nothing changes. */
void house_sync(struct house *h);

/* The canonical dump of a's group, of a's model. */
void house_group_dump(const struct house *h, size_t a, struct buf *out);
void house_digest(struct house *h, size_t a, struct hash *out);
bool house_same_groups(const struct house *h, size_t a, size_t b);

#endif
