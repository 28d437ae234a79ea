/* Locking: the key file's passphrase. What the user types comes over the control socket (0600, same user) and
 * is wiped once it has been used. */
#include "node/serve/api_int.h"

#include "crypto/words.h"

#include <string.h>

int api_lock(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    (void)req;
    if (!keyfile_has_slot(&n->home.keys.file, KEYFILE_PASSPHRASE)) {
        (void)err_set(e, ERR_USAGE, "the keys have no passphrase yet: nothing could open them again");
        err_hint(e, "set one with: selfsame passphrase");
        return ERR_USAGE;
    }
    n->lock_wanted = n->daemon;
    return put_bool(doc, "locked", true);
}

/* Opens the keys with `passphrase` or `words`, whichever was given. */
static int unlock_with(struct node *n, struct bytes passphrase, struct bytes words, struct err *e)
{
    uint8_t secret[RECOVERY_BYTES];
    struct keyfile_unlock u = {.kind = KEYFILE_PASSPHRASE, .secret = passphrase};
    int rc = 0;
    if (passphrase.p == NULL && words.p == NULL) {
        return err_set(e, ERR_USAGE, "give the passphrase or the recovery words");
    }
    if (passphrase.p == NULL) {
        rc = recovery_parse(words, secret, e);
        u = (struct keyfile_unlock){.kind = KEYFILE_RECOVERY, .secret = bytes_of(secret, RECOVERY_BYTES)};
    }
    if (rc == 0) {
        rc = node_unlock(n, &u, e);
    }
    mem_wipe(secret, sizeof(secret));
    return rc;
}

int api_unlock(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    int rc = 0;
    if (n->home.locked) {
        rc = unlock_with(n, arg_text(req, "passphrase"), arg_text(req, "words"), e);
    }
    arg_wipe(req, "passphrase");
    arg_wipe(req, "words");
    return rc != 0 ? rc : put_bool(doc, "locked", false);
}

/* A stolen moment at the keyboard must not be enough to change it: an existing passphrase is asked for. */
static int current_check(struct node *n, struct bytes current, struct err *e)
{
    const struct keyfile_unlock u = {.kind = KEYFILE_PASSPHRASE, .secret = current};
    char path[LIMIT_PATH_BYTES];
    struct keys probe;
    if (!keyfile_has_slot(&n->home.keys.file, KEYFILE_PASSPHRASE)) {
        return 0;
    }
    if (current.p == NULL) {
        return err_set(e, ERR_LOCKED, "changing the passphrase needs the current one");
    }
    int rc = home_file(&n->home, KEYS_FILE, path, e);
    if (rc == 0) {
        rc = keys_open(&probe, path, &u, e);
    }
    if (rc == 0) {
        keys_release(&probe);
    }
    return rc;
}

static int passphrase_change(struct node *n, const cJSON *req, struct err *e)
{
    const struct keyfile_cost cost = KEYFILE_COST_DEFAULT;
    struct bytes fresh = arg_text(req, "new");
    struct bytes old = arg_text(req, "old");
    int rc = n->home.locked ? unlock_with(n, old, BYTES_NONE, e) : current_check(n, old, e);
    if (rc != 0) {
        return rc;
    }
    rc = fresh.n == 0 ? keys_clear_passphrase(&n->home.keys, &n->rng, e)
                      : keys_set_passphrase(&n->home.keys, fresh, &cost, &n->rng, e);
    return rc != 0 ? rc : home_save_keys(&n->home, &n->rng, e);
}

int api_passphrase(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    int rc = passphrase_change(n, req, e);
    arg_wipe(req, "old");
    arg_wipe(req, "new");
    return rc != 0 ? rc
                   : put_bool(doc, "protected", keyfile_has_slot(&n->home.keys.file, KEYFILE_PASSPHRASE));
}
