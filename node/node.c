/* The node: opening and closing a data folder, and the real clock, randomness and time zone that everything
 * below gets as parameters. */
#include "node/node.h"

#include "base/check.h"
#include "node/config.h"
#include "node/embedding.h"
#include "node/file.h"
#include "node/identity.h"
#include "node/infer/endpoint.h"
#include "node/job.h"
#include "node/pause.h"
#include "node/pictures.h"
#include "node/screen.h"
#include "node/share.h"
#include "node/thinking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ZONE_DIR "/usr/share/zoneinfo"

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t mono_ms(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int16_t zone_offset(void *ctx, int64_t ms)
{
    (void)ctx;
    struct tm tm;
    int64_t secs = ms / 1000;
    time_t t = (time_t)secs;
    if (localtime_r(&t, &tm) == NULL) {
        return 0;
    }
    return (int16_t)(tm.tm_gmtoff / 60);
}

void node_observer_env(struct node *n, struct observer_env *out)
{
    static const char zone_dir[] = ZONE_DIR;
    int64_t now = clock_wall_ms(&n->clock);
    *out = (struct observer_env){
        .tmp_dir = n->tmp_dir,
        .now_ms = now,
        .offset_min = zone_offset(NULL, now),
        .zone_offset = zone_offset,
        .zone_dir = zone_dir,
    };
}

int64_t node_paused_until(struct node *n)
{
    struct pauses p;
    if (pauses_load(n->store, &p, NULL) != 0) {
        return 0;
    }
    return pauses_at(&p, clock_wall_ms(&n->clock));
}

/* ---- audit -----------------------------------------------------------------------------------------------
 */

int node_audit_load(struct node *n, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    struct buf rules;
    buf_init(&rules, LIMIT_SETTING_BYTES);
    unsigned classes = REDACT_DEFAULT;
    classes |= config_bool(n->store, "audit.email") ? REDACT_BIT(REDACT_EMAIL) : 0u;
    classes |= config_bool(n->store, "audit.phone") ? REDACT_BIT(REDACT_PHONE) : 0u;
    int rc = setting_find(BYTES_LIT("audit.rules"), &k, e);
    if (rc == 0) {
        rc = config_get(n->store, k, &rules, &set, e);
    }
    struct audit *fresh = NULL;
    if (rc == 0) {
        rc = audit_new(&fresh, buf_view(&rules), classes, e);
    }
    if (rc == ERR_FORMAT) {
        /* Rules that came from another version or device and do not parse: let nothing through until the user
         * looks. */
        n->audit_broken = true;
        rc = audit_new(&fresh, BYTES_LIT("drop source=*"), REDACT_ALL, e);
    } else {
        n->audit_broken = false;
    }
    if (rc == 0) {
        audit_free(n->audit);
        n->audit = fresh;
    }
    buf_release(&rules);
    return rc;
}

/* ---- opening ---------------------------------------------------------------------------------------------
 */

static int database_open(struct node *n, bool create, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_file(&n->home, "selfsame.db", path, e);
    if (rc != 0) {
        return rc;
    }
    if (access(path, F_OK) == 0) {
        rc = file_private(path, e);
    }
    if (rc != 0) {
        return rc;
    }
    struct store_config cfg = {
        .path = path, .clock = &n->clock, .rng = &n->rng, .read_only = n->read_only, .must_exist = !create};
    rc = store_open(&n->store, &cfg, e);
    if (rc == 0 || e == NULL) {
        return rc;
    }
    if (rc == ERR_CORRUPT || rc == ERR_FORMAT) {
        err_hint(
            e, "keep a copy of the folder; go on with a backup of the file, or move it away to start empty");
    }
    if (rc == ERR_NOTFOUND) {
        err_hint(e, "bring it back from a backup; the next command that writes starts an empty one");
    }
    return strstr(e->text, path) == NULL ? err_wrap(e, rc, "'%s'", path) : rc;
}

/* Compares the lease in the database with the one in `device` and renews both (home.h). */
static int lease_renew(struct node *n, struct err *e)
{
    uint8_t held[16];
    int rc = store_lease(n->store, held, e);
    if (rc != 0) {
        return rc;
    }
    static const uint8_t none[16]; /* a database that was just made */
    bool ours = memcmp(held, none, 16) != 0 &&
                (memcmp(held, n->home.lease[0], 16) == 0 || memcmp(held, n->home.lease[1], 16) == 0);
    if (!ours) {
        rng_fill(&n->rng, n->home.log.b, ID_BYTES);
        log_line(&n->log, LOG_INFO, "store",
                 "the database is new, or not the one this device last wrote: a new log is opened");
    }
    memcpy(n->home.lease[0], held, 16);
    rng_fill(&n->rng, n->home.lease[1], 16);
    rc = home_save(&n->home, e);
    if (rc == 0) {
        rc = store_lease_set(n->store, n->home.lease[1], e);
    }
    if (rc != 0) {
        return rc;
    }
    /* Both were good while only one of the two was written; from now on the one before tells a backup. */
    memcpy(n->home.lease[0], n->home.lease[1], 16);
    return home_save(&n->home, e);
}

static int inference_open(struct node *n, struct err *e)
{
    struct infer_env env = {
        .store = n->store,
        .clock = &n->clock,
        .device = n->home.device,
        .device_name = n->home.name,
        .claim_secret = node_claim_secret(n),
    };
    return infer_open(&n->infer, &env, e);
}

struct bytes node_claim_secret(const struct node *n)
{
    return secret_view(&n->home.keys.claim); /* the group's, since it was joined (node/join.h) */
}

int node_infer_reopen(struct node *n, struct err *e)
{
    infer_close(n->infer);
    n->infer = NULL;
    return inference_open(n, e);
}

int node_may_write(const struct node *n, struct err *e)
{
    enum identity_fault fault = n->sync != NULL ? sync_identity(n->sync) : IDENTITY_FINE;
    if (n->cloned || fault == IDENTITY_CLONED) {
        (void)err_set(e, ERR_ATTENTION,
                      "two machines use the keys of this device; both have stopped writing");
        err_hint(e, "on the copy: selfsame init --renew, then pair it as a device of its own");
        return ERR_ATTENTION;
    }
    if (fault != IDENTITY_FINE) {
        (void)err_set(e, ERR_INUSE, "this device is fetching back changes of its own that it had lost");
        err_hint(e, "try again in a moment");
        return ERR_INUSE;
    }
    return 0;
}

/* Erased bytes that a killed process had no time to scrub. */
static int scrub_do(struct node *n, struct err *e)
{
    bool due = false;
    int rc = store_scrub_due(n->store, &due, e);
    return rc == 0 && due ? store_scrub(n->store, e) : rc;
}

/* What an earlier process left to do: scrubbing, ops whose time has come, features indexed but not yet looked
 * at.
 */
static int leftovers_do(struct node *n, struct err *e)
{
    size_t released = 0;
    int64_t next_ms = 0;
    int rc = scrub_do(n, e);
    if (rc == 0) {
        rc = store_release_held(n->store, &released, &next_ms, e);
    }
    if (rc == 0) {
        rc = store_begin(n->store, e);
    }
    if (rc != 0) {
        return rc;
    }
    rc = infer_flush(n->infer, NULL, e);
    if (rc == 0) {
        return store_commit(n->store, e);
    }
    store_rollback(n->store);
    return rc;
}

static int folder_open(struct node *n, const struct node_options *o, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_locate(o->home, path, e);
    if (rc == 0) {
        rc = home_open(&n->home, path, e);
    }
    if (rc == 0 && !n->read_only) {
        rc = home_lock(&n->home, o->lock_wait_ms, e);
        rc = rc != 0 ? rc : home_reload(&n->home, e);
    }
    if (rc == 0) {
        rc = home_file(&n->home, "tmp", n->tmp_dir, e);
    }
    if (rc == 0 && !n->read_only) {
        if (mkdir(n->tmp_dir, 0700) != 0 && errno != EEXIST) {
            return err_errno(e, errno, "cannot make folder '%s'", n->tmp_dir);
        }
        folder_empty(n->tmp_dir); /* copies that a killed process left */
    }
    return rc;
}

static void merged_note(void *ctx, uint64_t ops)
{
    struct node *n = ctx;
    n->merged_due = n->merged_due || ops > 0;
    n->arrivals += ops;
}

static void regrouped_note(void *ctx)
{
    struct node *n = ctx;
    n->regrouped = n->words_due = true;
    n->arrivals++;
}

/* The group as far as this device knows it, and the machine that meets its other devices. */
static int sharing_open(struct node *n, struct err *e)
{
    int rc = group_open(&n->group, n->store, &n->home.keys.device, &n->rng, e);
    if (rc != 0) {
        return err_wrap(e, rc, "reading the membership");
    }
    const struct sync_env env = {
        .store = n->store,
        .group = n->group,
        .keys = &n->home.keys.device,
        .clock = &n->clock,
        .rng = &n->rng,
        .log = n->home.log,
        .merged = merged_note,
        .regrouped = regrouped_note,
        .ctx = n,
    };
    return sync_open(&n->sync, &env, e);
}

/* It was written before, as the lease in `device` tells, and is no longer there. */
static bool database_gone(const struct node *n)
{
    static const uint8_t none[16];
    char path[LIMIT_PATH_BYTES];
    bool written = memcmp(n->home.lease[0], none, 16) != 0 || memcmp(n->home.lease[1], none, 16) != 0;
    return written && home_file(&n->home, "selfsame.db", path, NULL) == 0 && access(path, F_OK) != 0 &&
           errno == ENOENT;
}

static void emptied_note(struct node *n)
{
    n->emptied = true;
    (void)snprintf(n->identity_note, sizeof(n->identity_note), "%s", NODE_EMPTIED);
    log_line(&n->log, LOG_WARN, "store", "%s", NODE_EMPTIED);
}

static int contents_open(struct node *n, struct err *e)
{
    /* A database that was deleted is made anew by whoever may write; lease_renew notices. */
    bool emptied = database_gone(n);
    int rc = database_open(n, !n->read_only, e);
    if (rc == 0 && !n->read_only) {
        rc = lease_renew(n, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (emptied) {
        emptied_note(n);
    }
    store_use_log(n->store, &n->home.log, &n->home.device);
    rc = sharing_open(n, e);
    if (rc == 0) {
        rc = node_audit_load(n, e);
    }
    if (rc == 0) {
        rc = inference_open(n, e);
    }
    if (rc == 0) {
        rc = share_reconcile(n, e); /* before anything is written of what sources say */
    }
    if (rc == 0 && !n->read_only) {
        rc = identity_settle(n, e);
    }
    if (rc == 0 && !n->read_only) {
        rc = share_apply(n, e);
    }
    n->merged_due = true; /* what an earlier process took in and did not look at */
    return rc != 0 || n->read_only ? rc : leftovers_do(n, e);
}

static void contents_close(struct node *n)
{
    for (size_t i = 0; i < JOBS_MAX; i++) {
        job_close(n->jobs[i].job);
        n->jobs[i].job = NULL;
    }
    embedding_close(n);
    screen_close(n);
    pictures_close(n);
    thinking_close(n);
    endpoint_close(n->endpoint);
    infer_close(n->infer);
    audit_free(n->audit);
    sync_close(n->sync);
    group_close(n->group);
    store_close(n->store);
    n->endpoint = NULL;
    n->infer = NULL;
    n->audit = NULL;
    n->sync = NULL;
    n->group = NULL;
    n->store = NULL;
}

int node_unlock(struct node *n, const struct keyfile_unlock *u, struct err *e)
{
    CHECK(n->home.locked);
    int rc = home_unlock(&n->home, u, e);
    if (rc == 0) {
        rc = contents_open(n, e);
    }
    if (rc != 0) {
        node_lock(n);
    }
    return rc;
}

void node_lock(struct node *n)
{
    CHECK(n->net == NULL && n->pairing == NULL);
    contents_close(n);
    home_wipe_keys(&n->home);
    n->lock_wanted = false;
}

static int node_make(struct node **out, const struct node_options *o, struct err *e)
{
    struct node *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return err_set(e, ERR_NOMEM, "opening the data folder");
    }
    n->home.lock_fd = -1;
    n->clock = (struct clock){.wall_ms = wall_ms, .mono_ms = mono_ms};
    n->read_only = o->read_only;
    n->daemon = o->daemon;
    n->log = o->log;
    n->log.clock = &n->clock;
    n->started_ms = wall_ms(NULL);
    int rc = crypt_start();
    if (rc != 0) {
        (void)err_set(e, rc, "the cryptographic library does not start");
    } else {
        n->rng = rng_system();
        rc = folder_open(n, o, e);
    }
    if (rc == 0 && !n->home.locked) {
        rc = contents_open(n, e);
    }
    if (rc != 0) {
        node_close(n);
        return rc;
    }
    *out = n;
    return 0;
}

int node_open(struct node **out, const struct node_options *o, struct err *e)
{
    return node_make(out, o, e);
}

int node_open_keyless(struct node **out, const char *path, struct err *e)
{
    struct node *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return err_set(e, ERR_NOMEM, "opening the data folder");
    }
    n->home.lock_fd = -1;
    n->clock = (struct clock){.wall_ms = wall_ms, .mono_ms = mono_ms};
    n->log.clock = &n->clock;
    n->read_only = true;
    n->rng = rng_system();
    int rc = home_open_keyless(&n->home, path, e);
    if (rc == 0) {
        rc = database_open(n, false, e);
    }
    if (rc != 0) {
        node_close(n);
        return rc;
    }
    *out = n;
    return 0;
}

int node_init(const char *home, struct bytes name, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_locate(home, path, e);
    if (rc == 0) {
        rc = crypt_start();
    }
    if (rc != 0) {
        return rc;
    }
    struct rng rng = rng_system();
    rc = home_create(path, name, &rng, e);
    if (rc != 0) {
        return rc;
    }
    struct node *n = NULL;
    struct node_options o = {.home = path};
    rc = node_make(&n, &o, e);
    node_close(n);
    return rc;
}

void node_close(struct node *n)
{
    if (n == NULL) {
        return;
    }
    contents_close(n);
    home_close(&n->home);
    free(n);
}
