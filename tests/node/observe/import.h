/* Runs an observer from beginning to end and renders what it yields as text, so that tests can say what they
 * expect. */
#ifndef TESTS_NODE_OBSERVE_IMPORT_H
#define TESTS_NODE_OBSERVE_IMPORT_H

#include "node/observe/observe.h"
#include "tests/support/tmp.h"

/* One line a row:
 *   "o TIME [end=TIME] [offset=N] [shared] [model] [private] source=… [app=…] [title=…] … [file=…]…"
 *   "b LINE FIELD: REASON"
 * skipped rows are only counted. Texts are escaped. */
struct import {
    int opened; /* what open() returned */
    int rc;     /* what ended it: ROW_DONE or an error */
    size_t observations, bad, skipped;
    struct err err;
    struct buf text;
    struct buf cursor; /* goes into the next run */
    bool growing;      /* as a watch reads */
    const char *zone_dir;
};

void import_init(struct import *im);
void import_release(struct import *im);
/* Reads `path` from im->cursor on; counts and text start anew. Ends the test when a view of an observation is
 * not readable, a time is out of range or a source is malformed. */
void import_run(struct import *im, const struct observer *ob, const char *path, const struct tmp_dir *tmp);
/* The same from an open descriptor ("-"). */
void import_run_fd(struct import *im, const struct observer *ob, int fd, const struct tmp_dir *tmp);
/* Whether the text holds `what`. */
bool import_has(struct import *im, const char *what);

#endif
