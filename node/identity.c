/* Who this device is to the others, after whatever happened to its folder. */
#include "node/identity.h"

#include "node/join.h"
#include "node/rekey.h"
#include "store/reset.h"

#include <stdio.h>
#include <string.h>

static void note(struct node *n, const char *text)
{
    (void)snprintf(n->identity_note, sizeof(n->identity_note), "%s", text);
    log_line(&n->log, LOG_WARN, "identity", "%s", text);
}

bool identity_is_member(const struct node *n)
{
    return group_exists(n->group) && group_is_active(n->group, &n->home.device);
}

int identity_not_removed(const struct node *n, struct err *e)
{
    if (!group_exists(n->group) || identity_is_member(n)) {
        return 0;
    }
    (void)err_set(e, ERR_ATTENTION, "this device was removed from its group");
    err_hint(e, "to start again as a new device: selfsame init --renew");
    return ERR_ATTENTION;
}

bool identity_has_others(const struct node *n)
{
    return group_has_others(n->group, &n->home.device);
}

/* A joining that ended between its steps: the secret is the group's, the model or the key file not yet. */
static int joining_finish(struct node *n, struct err *e)
{
    const uint8_t *secret = group_secret(n->group);
    bool written = false;
    if (secret == NULL || (n->home.keys.grouped && secret_eq(secret, n->home.keys.claim.p, KEY_BYTES))) {
        return 0;
    }
    uint8_t own[KEY_BYTES];
    memcpy(own, secret, KEY_BYTES);
    struct join_summary sum;
    int rc = join_is_written(n, bytes_of(own, KEY_BYTES), &written, e);
    if (rc == 0 && written) {
        rc = join_keep_secret(n, bytes_of(own, KEY_BYTES), e);
    } else if (rc == 0) {
        rc = join_rebase(n, &sum, e);
        if (rc == 0) {
            note(n, "joining the group had been cut off and was finished");
        }
    }
    mem_wipe(own, sizeof(own));
    return rc;
}

/* ---- at meetings ------------------------------------------------------------------------------------------
 */

static int log_renew(struct node *n, struct err *e)
{
    struct id before = n->home.log;
    rng_fill(&n->rng, n->home.log.b, ID_BYTES);
    int rc = home_save(&n->home, e);
    if (rc == 0) {
        rc = group_open_log(n->group, &n->home.log, clock_wall_ms(&n->clock), e);
    }
    if (rc != 0) {
        n->home.log = before;
        return rc;
    }
    store_use_log(n->store, &n->home.log, &n->home.device);
    sync_log_renewed(n->sync, &n->home.log);
    n->wrote = true;
    return 0;
}

int identity_step(struct node *n, struct err *e)
{
    enum identity_fault fault = sync_identity(n->sync);
    if (fault == IDENTITY_FINE) {
        return 0;
    }
    if (fault == IDENTITY_CLONED) {
        if (!n->cloned) {
            n->cloned = true;
            note(n, "another machine uses the keys of this device: both have stopped writing; "
                    "on the copy run: selfsame init --renew, then restart the node here");
        }
        return 0;
    }
    if (!sync_identity_pulled(n->sync)) {
        return 0; /* what is ours is still coming back */
    }
    int rc = log_renew(n, e);
    if (rc == 0) {
        note(
            n,
            fault == IDENTITY_BEHIND
                ? "this device's data is older than what the others have of it (restored from a backup?): "
                  "its own changes were fetched back, and it goes on in a new log"
                : "this device's log had gone on elsewhere (a copied folder, an old backup?): both histories "
                  "were kept, and it goes on in a new log");
    }
    return rc;
}

int identity_settle(struct node *n, struct err *e)
{
    if (!identity_is_member(n)) {
        return 0;
    }
    int rc = joining_finish(n, e);
    rc = rc != 0 ? rc : group_open_log(n->group, &n->home.log, clock_wall_ms(&n->clock), e);
    return rc != 0 ? rc : identity_step(n, e); /* the log may have been closed before the program ended */
}

/* ---- new keys ---------------------------------------------------------------------------------------------
 */

struct renewal {
    const struct device_keys *words; /* NULL: without recovery words */
    struct id former;
    bool lost;    /* the key file was gone or cannot be opened: its secrets are lost, too */
    bool removed; /* the group that the database knows has removed the device */
};

/* New keys in place of the old ones. A copy keeps the secrets that its observations and claims are keyed
 * with. */
static int keys_replace(struct home *h, const struct rng *rng, struct renewal *r, struct err *e)
{
    struct keys fresh;
    r->former = h->device;
    r->lost = home_unlock(h, NULL, NULL) != 0;
    int rc = keys_make(&fresh, rng, e);
    if (rc == 0 && !r->lost) {
        memcpy(fresh.event.p, h->keys.event.p, KEY_BYTES);
        memcpy(fresh.claim.p, h->keys.claim.p, KEY_BYTES);
        fresh.grouped = h->keys.grouped;
    }
    if (rc != 0) {
        return rc;
    }
    keys_release(&h->keys);
    h->keys = fresh; /* moved: `fresh` is wiped, not released */
    mem_wipe(&fresh, sizeof(fresh));
    device_id_of(h->keys.device.sign.pk, &h->device);
    rng_fill(rng, h->log.b, ID_BYTES);
    rc = home_save_keys(h, rng, e);
    return rc != 0 ? rc : home_save(h, e);
}

/* The words are a member of the group that the database knows: asked before anything is changed. */
static int words_check(struct node *n, const struct device_keys *k, struct err *e)
{
    struct group *g = NULL;
    struct id device;
    device_id_of(k->sign.pk, &device);
    int rc = group_open(&g, n->store, k, &n->rng, e);
    if (rc == 0 && !group_is_active(g, &device)) {
        (void)err_set(e, ERR_VERIFY, "these recovery words do not belong to this device's group");
        err_hint(e, "newer words may have replaced them; without words: selfsame init --renew");
        rc = ERR_VERIFY;
    }
    group_close(g);
    return rc;
}

/* The words bring the new keys into the group; the device that lost its keys goes out of it. */
static int words_bring_in(struct node *n, const struct renewal *r, struct err *e)
{
    const struct history_grant all = {.kind = HISTORY_ALL};
    int64_t now = clock_wall_ms(&n->clock);
    struct group *g = NULL;
    struct buf cert;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    int rc = device_cert_make(&n->home.keys.device, bytes_str(n->home.name), now, &cert, e);
    if (rc == 0) {
        rc = group_open(&g, n->store, r->words, &n->rng, e);
    }
    if (rc == 0) {
        rc = group_add(g, buf_view(&cert), &all, now, e);
    }
    group_close(g);
    buf_release(&cert);
    if (rc == 0) {
        rc = group_reload(n->group, e);
    }
    if (rc == 0 && r->lost && group_is_active(n->group, &r->former)) {
        rc = group_remove(n->group, &r->former, now, e);
    }
    if (rc == 0) {
        rc = identity_settle(n, e);
    }
    struct id used;
    device_id_of(r->words->sign.pk, &used);
    return rc != 0 ? rc : group_remove(n->group, &used, now, e); /* they have served */
}

/* A copy says under its new id what its observations say. A device whose keys are lost, or that was removed,
 * goes on from what was counted under its former id: its observations stay to be read, are recognised when
 * their source is imported again, and are not counted again. */
static int alone_steps(struct node *n, const struct renewal *r, struct err *e)
{
    int rc = 0;
    if (r->lost || r->removed) {
        rc = local_set(n->store, IDENTITY_FORMER, bytes_of(r->former.b, ID_BYTES), e);
        if (rc == 0) {
            rc = store_reset_traces(n->store, e);
        }
    }
    if (rc == 0 && r->lost) {
        rc = observations_rekey(n, e);
    }
    if (rc == 0) {
        rc = infer_start_anew(n->infer, e);
    }
    return rc == 0 ? infer_flush(n->infer, NULL, e) : rc;
}

static int alone_body(struct node *n, const struct renewal *r, struct err *e)
{
    int rc = 0;
    if (r->words != NULL) {
        rc = words_bring_in(n, r, e);
    } else if (group_exists(n->group)) {
        rc = group_leave(n->group, e);
    }
    if (rc == 0) {
        rc = store_begin(n->store, e);
    }
    if (rc != 0) {
        return rc;
    }
    rc = alone_steps(n, r, e);
    if (rc == 0) {
        return store_commit(n->store, e);
    }
    store_rollback(n->store);
    return rc;
}

/* The words are asked before the old keys go; opened without keys, the folder gives its database alone. */
static int renewal_check(const char *path, const struct renewal *r, struct err *e)
{
    struct node *n = NULL;
    if (r->words == NULL) {
        return 0;
    }
    int rc = node_open_keyless(&n, path, e);
    if (rc == 0) {
        rc = words_check(n, r->words, e);
    }
    node_close(n);
    return rc;
}

static int renew(const char *path, struct renewal *r, struct err *e)
{
    struct home h = {.lock_fd = -1};
    struct rng rng = rng_system();
    struct node *n = NULL;
    int rc = home_open_keyless(&h, path, e);
    if (rc == 0) {
        rc = home_lock(&h, 0, e);
    }
    if (rc == 0) {
        rc = home_reload(&h, e);
    }
    if (rc == 0) {
        rc = keys_replace(&h, &rng, r, e);
    }
    home_close(&h);
    struct node_options o = {.home = path};
    if (rc == 0) {
        rc = node_open(&n, &o, e);
    }
    if (rc == 0) {
        const struct member *m = group_find(n->group, &r->former);
        r->removed = m != NULL && m->state == MEMBER_REMOVED;
        rc = alone_body(n, r, e);
    }
    node_close(n);
    return rc;
}

int identity_renew(const char *home, struct bytes words, struct err *e)
{
    struct device_keys k;
    struct renewal r = {0};
    uint8_t secret[RECOVERY_BYTES];
    char path[LIMIT_PATH_BYTES];
    int rc = crypt_start();
    if (rc == 0) {
        rc = home_locate(home, path, e);
    }
    if (rc == 0 && words.n > 0) {
        rc = recovery_parse(words, secret, e);
        if (rc == 0) {
            device_keys_derive(&k, secret);
            r.words = &k;
        }
    }
    if (rc == 0) {
        rc = renewal_check(path, &r, e);
    }
    if (rc == 0) {
        rc = renew(path, &r, e);
    }
    device_keys_wipe(&k);
    mem_wipe(secret, sizeof(secret));
    return rc;
}
