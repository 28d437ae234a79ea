/* A device for the tests of inference: a store in a folder of its own, a clock that stands still, and the
 * built-in inference. All devices belong to one group. */
#ifndef TESTS_NODE_INFER_DEVICE_H
#define TESTS_NODE_INFER_DEVICE_H

#include "node/infer/infer.h"
#include "node/model/kinds.h"
#include "node/observe/observe.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#define DEVICE_SECRET BYTES_LIT("0123456789abcdef0123456789abcdef")
/* Monday 2026-03-02 00:00 UTC, as days and as milliseconds. */
#define MONDAY 20514
#define DAY_MS(day) ((int64_t)(day)*MS_DAY)

struct device {
    struct tmp_dir dir;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct store *s;
    struct infer *x;
    struct id id, log;
};

void device_init(struct device *d, unsigned number, int64_t now_ms);
void device_release(struct device *d);
/* Stores and indexes one record, in a transaction of its own unless one is open. */
void device_see(struct device *d, const struct observation *o);
void device_flush(struct device *d, struct infer_summary *sum);
/* All records in one transaction, then a flush. */
void device_take(struct device *d, const struct observation *o, size_t n);
/* Erases every observation of a source. */
void device_erase(struct device *d, const char *source);
/* Sends all ops of a's logs to b. */
void device_send(struct device *a, struct device *b);
/* Ops written to the device's own log. */
uint64_t device_ops(struct device *d);

/* The claim with this text that is not dropped; false when there is none. Views valid until the next call on
 * the store. */
bool device_claim(struct device *d, const char *text, struct prop *out);
size_t device_claims(struct device *d, const char *part); /* how many have this in their text */
/* Every claim that is not dropped, sorted: text, reasoning, counts, evidence times, keys of linked
 * observations. */
void device_model(struct device *d, struct buf *out);

/* Records: minute of day in UTC. */
struct observation seen_command(int day, int minute, const char *command);
struct observation seen_commit(int day, int minute, const char *project, const char *subject);
struct observation seen_page(int day, int minute, const char *url, const char *title);
struct observation seen_note(int day, int minute, const char *text);
struct observation seen_event(int day, int minute, int minutes, const char *summary);

#endif
