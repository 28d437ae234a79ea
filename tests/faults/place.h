/* A node in a folder that is the same before each run: it is made once, with a history in it, and copied.
 * Its store lies behind the VFS of tests/store/faultvfs.h, which becomes SQLite's own; once open, its clock
 * stands still and its randomness is seeded. Everything that is not handed an `e` fails the test when it does
 * not work. */
#ifndef TESTS_FAULTS_PLACE_H
#define TESTS_FAULTS_PLACE_H

#include "node/node.h"
#include "tests/faults/loop.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <cjson/cJSON.h>

struct place {
    struct tmp_dir dir;
    struct test_clock clock;
    struct test_rng rng;
    struct node *n;            /* NULL: closed */
    cJSON *request, *answer;   /* of place_ask(), NULL: none */
    char home[TMP_PATH_BYTES]; /* the folder that is worked in */
};

/* Makes the folder that is copied, with what `furnish` (may be NULL) puts into it. */
void place_make(struct place *p, void (*furnish)(struct node *n));
void place_remove(struct place *p);

/* A fresh copy, closed; the same, open; no folder at all. */
void place_start_closed(struct place *p);
void place_start_open(struct place *p);
void place_start_bare(struct place *p);
void place_end(struct place *p);

/* Opens the node and sets its clock and randomness; of the fault under test. */
int place_open(struct place *p, struct err *e) MUST_CHECK;
void place_close(struct place *p);
/* The store is whole; `again` closes and opens everything first. */
void place_settle(struct place *p, bool again);
/* "<folder>/<name>". */
const char *place_file(const struct place *p, const char *name, char out[TMP_PATH_BYTES]);

/* The request of later place_ask() calls, written with ' for ". */
void place_request(struct place *p, const char *request);
int place_ask(struct place *p, struct err *e) MUST_CHECK;
/* A whole job. */
int place_job(struct place *p, const char *source, const char *path, struct err *e) MUST_CHECK;

/* What the node knows, without what is new in each writing (stamps), now and after opening it again. */
void place_finish(struct place *p, struct hasher *h);

#endif
