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
#include "sync/sync.h"

struct embed;
struct endpoint;
struct pictures;
struct screen;
struct thinking;
struct job;
struct net;
struct pairing;

/* What is said of a node that is `emptied`. */
#define NODE_EMPTIED                                                                                         \
    "the database of this device was gone and an empty one was started; stop, put 'selfsame.db' back from "  \
    "a "                                                                                                     \
    "backup, or without one pair again with the other devices: selfsame pair"

/* What is said of a node with `share_narrowed`. */
#define NODE_SHARE_NARROWED                                                                                  \
    "this database would have shared more than you last set (restored from a backup?): for each source the " \
    "narrower of both holds; see and change it with: selfsame share"

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
    struct clock clock;
    struct rng rng;
    struct log log;
    bool read_only, daemon;
    bool share_narrowed; /* the database would have shared more than was last set (node/share.h) */
    bool emptied;        /* the database was gone at the opening and an empty one was started */
    /* NULL while home.locked. */
    struct store *store;
    struct group *group;
    struct sync *sync;
    struct infer *infer;
    struct audit *audit;
    struct embed *embed;       /* node/embedding.h: made when first wanted */
    struct net *net;           /* the running node only, set by its loop; else NULL */
    struct pairing *pairing;   /* as net */
    struct endpoint *endpoint; /* as net; node/infer/endpoint.h */
    struct thinking *thinking; /* as net; node/thinking.h */
    struct pictures *pictures; /* as net; node/pictures.h */
    struct screen *screen;     /* as net; node/screen.h */
    bool pictures_due;         /* another one waits; cleared there */
    bool lock_wanted;          /* the loop is to close net and watch, then to call node_lock() */
    bool merged_due;           /* ops came in from another device: node/upkeep.h */
    uint64_t arrivals;         /* grows with what comes in from other devices: node/thinking.c */
    bool regrouped;            /* the membership changed; cleared by the network side */
    bool words_due;            /* as regrouped; cleared by upkeep: node/words.h */
    bool wrote;                /* something was written: the loop tells the other devices; cleared there */
    int64_t quiet_ms,
        group_due_ms;        /* monotonic: when something was last merged; when upkeep looks at members */
    bool cloned;             /* another machine has our keys: nothing is written (node/identity.h) */
    char identity_note[240]; /* what happened to this device's identity since the start, for status; "" */
    bool audit_broken;       /* the stored rules do not parse: everything is dropped */
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

/* Opens the folder (which must have been initialised) for writing, or for reading. When the keys do not open
 * by themselves it succeeds with home.locked and nothing else open. */
int node_open(struct node **out, const struct node_options *o, struct err *e) MUST_CHECK;
/* The database alone, for reading, of a folder whose keys are gone (node/identity.h). */
int node_open_keyless(struct node **out, const char *path, struct err *e) MUST_CHECK;
void node_close(struct node *n); /* NULL fine */
/* Makes a new data folder with a device called `name`. */
int node_init(const char *home, struct bytes name, struct err *e) MUST_CHECK;
/* Opens the keys with what the user gave, then what needs them. ERR_LOCKED: wrong. */
int node_unlock(struct node *n, const struct keyfile_unlock *u, struct err *e) MUST_CHECK;
/* Closes all that node_unlock() opened, wipes the keys. net and pairing must be closed. */
void node_lock(struct node *n);
/* What keys claims: the group's secret, or before there is a group the device's own. */
struct bytes node_claim_secret(const struct node *n);
/* Closes and opens the built-in inference, after the claim secret changed. */
int node_infer_reopen(struct node *n, struct err *e) MUST_CHECK;
/* ERR_ATTENTION when this device must not write, ERR_INUSE when not just now (node/identity.h). */
int node_may_write(const struct node *n, struct err *e) MUST_CHECK;
/* (Re)builds the audit from the settings; called at open and whenever a setting of it changes. A rule that
 * does not parse drops everything until it is mended. */
int node_audit_load(struct node *n, struct err *e) MUST_CHECK;
/* What observers need from the world. Valid while n is open. */
void node_observer_env(struct node *n, struct observer_env *out);
/* End of the current pause, or 0. */
int64_t node_paused_until(struct node *n);

#endif
