/* A store in a folder of its own, on a clock that stands still, for the tests of store/. */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include "store/store.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#define KIT_MS INT64_C(1700000000000)

struct kit {
    struct tmp_dir dir;
    char path[TMP_PATH_BYTES];
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    const char *vfs; /* for the next kit_open */
    struct store *s;
};

/* Makes the folder and opens a store in it, writing to log 1 of device 1. Aborts on failure, as all of this
 * file. */
void kit_init(struct kit *k);
/* The same without opening a store yet. */
void kit_start(struct kit *k);
void kit_release(struct kit *k);
/* A test whose *state is a struct kit of its own. */
#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
int kit_setup(void **state);
int kit_teardown(void **state);
/* Closes the store, if open, and opens it again. */
void kit_reopen(struct kit *k);
/* Opens it; gives the error instead of aborting. */
int kit_open(struct kit *k, struct err *e);
void kit_close(struct kit *k);

/* An id whose bytes are all `n`, but for the last two, which are the low bytes of `n`. */
struct id kit_id(unsigned n);
/* Writes one proposition: text, decay, class. */
int kit_tell(struct kit *k, const struct id *id, const char *text, struct err *e);
/* The same for the proposition kit_id(n); aborts on failure. */
void kit_told(struct kit *k, unsigned n, const char *text);
/* Adds an edge. */
void kit_edge(struct kit *k, enum op_tag kind, unsigned from, unsigned to);
/* Appends the whole dump to out. */
void kit_dump(struct store *s, struct buf *out);
/* Fails the test, showing the error, unless rc is 0. */
void kit_ok(int rc, const struct err *e);

#endif
