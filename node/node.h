/* The node: one open data folder with its store, audit, inference and jobs. The running node (`selfsamed`)
 * and a command without one both hold exactly one. Core thread only. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/log.h"
#include "node/home.h"
#include "node/infer/infer.h"
#include "node/model/audit.h"
#include "node/observe/observe.h"
#include "store/local.h"

struct job;

struct node_options {
    const char *home; /* NULL: home_locate's choice */
    bool read_only;   /* for commands that only read while another process holds the lock */
    bool daemon;      /* the running node: says so in status */
    int lock_wait_ms; /* how long to wait for another command to finish */
    struct log log;
};

#define JOBS_MAX 8

struct node {
    struct home home;
    struct store *store;
    struct infer *infer;
    struct audit *audit;
    struct clock clock;
    struct rng rng;
    struct log log;
    bool read_only, daemon;
    bool audit_broken; /* the stored rules do not parse: everything is dropped */
    char tmp_dir[LIMIT_PATH_BYTES];
    int64_t started_ms;
    struct job_slot {
        struct job *job;
        int64_t number; /* never given twice */
        uint64_t used;  /* grows with each use */
    } jobs[JOBS_MAX];
    int64_t jobs_started;
    uint64_t jobs_used;
    /* Set by the watcher (node/watch.h): the state of a watched path for `status`; NULL without one. */
    const char *(*watch_state)(void *ctx, const char *source, const char *path);
    void (*watch_changed)(void *ctx); /* the list of watches was edited */
    void *watch_ctx;
};

/* Opens the folder (which must have been initialised) for writing, or for reading. */
int node_open(struct node **out, const struct node_options *o, struct err *e) MUST_CHECK;
void node_close(struct node *n); /* NULL fine */
/* Makes a new data folder with a device called `name`. */
int node_init(const char *home, struct bytes name, struct err *e) MUST_CHECK;
/* (Re)builds the audit from the settings; called at open and whenever a setting of it changes. A rule that
 * does not parse drops everything until it is mended. */
int node_audit_load(struct node *n, struct err *e) MUST_CHECK;
/* What observers need from the world. Valid while n is open. */
void node_observer_env(struct node *n, struct observer_env *out);
/* End of the current pause, or 0. */
int64_t node_paused_until(struct node *n);

#endif
