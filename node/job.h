/* Jobs: an import (or a file of told propositions) done in bounded steps: read → audit → store → infer. A
 * step is one transaction with the cursor in it. */
#ifndef NODE_JOB_H
#define NODE_JOB_H

#include "node/node.h"

#define JOB_BAD_KEPT 20

struct job_counts {
    uint64_t read; /* records the observer gave */
    uint64_t added, known, dropped, redacted, skipped, bad;
    uint64_t waiting; /* pictures that are to be described (node/pictures.h) */
    uint64_t bytes, bytes_total;
    struct infer_summary props;
};
struct job_bad {
    char path[512];
    struct bad_record record;
};

struct job_spec {
    bool tell;          /* propositions told by the user, not observations */
    const char *source; /* observer name; ignored when tell */
    const char *path;   /* NULL: the observer's defaults; "-": fed by job_feed() */
    int budget_ms;      /* per step */
    bool growing;       /* a watch: the file may be in the middle of being written */
};

/* Opens it; what it will read is opened at once, so a missing file fails here. */
int job_open(struct job **out, struct node *n, const struct job_spec *spec, struct err *e) MUST_CHECK;
/* One bounded step. 1: call again; 0: done, all committed and inferred; negative: failed, steps before stand.
 */
int job_step(struct job *j, struct err *e) MUST_CHECK;
/* Gives a fed job more bytes of its stream; `last` says that no more will come. */
int job_feed(struct job *j, struct bytes data, bool last, struct err *e) MUST_CHECK;
void job_close(struct job *j); /* NULL fine; commits nothing further */
const struct job_counts *job_counts(const struct job *j);
size_t job_bad_count(const struct job *j); /* kept ones, at most JOB_BAD_KEPT */
const struct job_bad *job_bad_at(const struct job *j, size_t i);
const char *job_path(const struct job *j);
/* The file that is really read (struct observer.file); valid until the input ends. */
const char *job_file(const struct job *j);

#endif
