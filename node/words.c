/* Recovery words. */
#include "node/words.h"

#include "base/time.h"
#include "node/identity.h"
#include "node/join.h"

#include <stdio.h>
#include <string.h>

/* Local value: the device id of the words that count. */
#define WORDS_DEVICE "words:device"
/* Local value: a hash of the words that were shown and not typed back yet. */
#define WORDS_PENDING "words:pending"
#define WORDS_NAME "recovery words"

static void hash_of(const uint8_t secret[RECOVERY_BYTES], uint8_t out[HASH_BYTES])
{
    struct hasher h;
    hasher_init(&h, bytes_of(secret, RECOVERY_BYTES), HASH_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame words 1"));
    hasher_final(&h, out, HASH_BYTES);
}

int words_make(struct node *n, uint8_t out[RECOVERY_BYTES], struct err *e)
{
    uint8_t hash[HASH_BYTES];
    rng_fill(&n->rng, out, RECOVERY_BYTES);
    hash_of(out, hash);
    return local_set(n->store, WORDS_PENDING, bytes_of(hash, HASH_BYTES), e);
}

static int was_shown(struct node *n, const uint8_t typed[RECOVERY_BYTES], bool *shown, struct err *e)
{
    uint8_t hash[HASH_BYTES];
    struct buf held;
    bool found = false;
    buf_init(&held, 64);
    hash_of(typed, hash);
    int rc = local_get(n->store, WORDS_PENDING, &held, &found, e);
    *shown = rc == 0 && found && bytes_eq(buf_view(&held), bytes_of(hash, HASH_BYTES));
    buf_release(&held);
    return rc;
}

/* Whether these words open the key file as it is. */
static bool count_already(struct node *n, const struct keyfile_unlock *u)
{
    char path[LIMIT_PATH_BYTES];
    struct keys probe;
    if (home_file(&n->home, KEYS_FILE, path, NULL) != 0 || keys_open(&probe, path, u, NULL) != 0) {
        return false;
    }
    keys_release(&probe);
    return true;
}

int words_cert(struct node *n, const struct device_keys *words, struct buf *out, struct err *e)
{
    return device_cert_make(words, BYTES_LIT(WORDS_NAME), clock_wall_ms(&n->clock), out, e);
}

/* The words among the members, or NULL. */
static const struct member *words_member(const struct node *n)
{
    for (size_t i = 0; i < group_members(n->group); i++) {
        const struct member *m = group_member_at(n->group, i);
        if (m->words && m->state != MEMBER_REMOVED) {
            return m;
        }
    }
    return NULL;
}

bool words_are_there(const struct node *n)
{
    return words_member(n) != NULL;
}

static int former_remove(struct node *n, struct err *e)
{
    int rc = 0;
    for (const struct member *m = words_member(n); rc == 0 && m != NULL; m = words_member(n)) {
        struct id device = m->device;
        rc = group_remove(n->group, &device, clock_wall_ms(&n->clock), e);
    }
    return rc;
}

/* What the words themselves sign, while their keys are here. */
static int as_words(struct node *n, const struct device_keys *k,
                    int (*act)(struct node *n, struct group *g, struct err *e), struct err *e)
{
    struct group *g = NULL;
    int rc = group_open(&g, n->store, k, &n->rng, e);
    if (rc == 0) {
        rc = act(n, g, e);
    }
    group_close(g);
    return rc != 0 ? rc : group_reload(n->group, e);
}

static int words_say(struct node *n, struct group *g, struct err *e)
{
    return group_say_words(g, clock_wall_ms(&n->clock), e);
}

static int member_add(struct node *n, const struct device_keys *k, struct err *e)
{
    const struct history_grant all = {.kind = HISTORY_ALL};
    struct buf cert;
    struct id device;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    device_id_of(k->sign.pk, &device);
    int rc = words_cert(n, k, &cert, e);
    if (rc == 0) {
        rc = former_remove(n, e);
    }
    if (rc == 0) {
        rc = group_add(n->group, buf_view(&cert), &all, clock_wall_ms(&n->clock), e);
    }
    if (rc == 0) {
        rc = as_words(n, k, words_say, e);
    }
    if (rc == 0) {
        rc = local_set(n->store, WORDS_DEVICE, bytes_of(device.b, ID_BYTES), e);
    }
    buf_release(&cert);
    return rc;
}

int words_install(struct node *n, const uint8_t typed[RECOVERY_BYTES], struct err *e)
{
    const struct keyfile_unlock u = {.kind = KEYFILE_RECOVERY, .secret = bytes_of(typed, RECOVERY_BYTES)};
    struct device_keys k;
    bool shown = false;
    int rc = was_shown(n, typed, &shown, e);
    if (rc != 0 || (!shown && count_already(n, &u))) {
        return rc;
    }
    if (!shown) {
        (void)err_set(e, ERR_USAGE, "these are not the words that were shown last");
        err_hint(e, "compare them with what you wrote down, or have new ones made: selfsame devices words");
        return ERR_USAGE;
    }
    device_keys_derive(&k, typed);
    rc = keyfile_put_slot(&n->home.keys.file, &u, NULL, &n->rng, e);
    if (rc == 0) {
        rc = home_save_keys(&n->home, &n->rng, e);
    }
    if (rc == 0 && identity_is_member(n)) {
        rc = member_add(n, &k, e);
        n->regrouped = true;
        n->wrote = true;
    }
    device_keys_wipe(&k);
    return rc != 0 ? rc : local_set(n->store, WORDS_PENDING, BYTES_NONE, e);
}

/* ---- revoking ---------------------------------------------------------------------------------------------
 */

static int slot_drop(struct node *n, struct err *e)
{
    struct keyfile *file = &n->home.keys.file;
    if (!keyfile_has_slot(file, KEYFILE_RECOVERY)) {
        return 0;
    }
    int rc = keyfile_drop_slot(file, KEYFILE_RECOVERY, e);
    return rc != 0 ? rc : home_save_keys(&n->home, &n->rng, e);
}

int words_revoke(struct node *n, bool *any, struct err *e)
{
    *any = words_are_there(n) || keyfile_has_slot(&n->home.keys.file, KEYFILE_RECOVERY);
    int rc = identity_is_member(n) ? former_remove(n, e) : 0;
    if (rc == 0) {
        rc = slot_drop(n, e);
    }
    if (rc == 0) {
        rc = local_set(n->store, WORDS_DEVICE, BYTES_NONE, e);
    }
    n->regrouped = n->wrote = true;
    return rc != 0 ? rc : local_set(n->store, WORDS_PENDING, BYTES_NONE, e);
}

/* The words that were made here; false: none. */
static int made_here(const struct node *n, struct id *device, bool *found, struct err *e)
{
    struct buf v;
    buf_init(&v, 64);
    int rc = local_get(n->store, WORDS_DEVICE, &v, found, e);
    *found = rc == 0 && *found && v.n == ID_BYTES;
    if (*found) {
        memcpy(device->b, v.p, ID_BYTES);
    }
    buf_release(&v);
    return rc;
}

bool words_are_ours_alone(const struct node *n)
{
    struct id device;
    bool found = false;
    return keyfile_has_slot(&n->home.keys.file, KEYFILE_RECOVERY) &&
           (made_here(n, &device, &found, NULL) != 0 || !found || !group_is_active(n->group, &device));
}

int words_settle(struct node *n, struct err *e)
{
    struct id device;
    bool found = false;
    int rc = made_here(n, &device, &found, e);
    const struct member *m = found ? group_find(n->group, &device) : NULL;
    if (rc != 0 || m == NULL || m->state != MEMBER_REMOVED) {
        return rc;
    }
    log_line(&n->log, LOG_WARN, "words", "the recovery words that were made here no longer count");
    rc = slot_drop(n, e);
    return rc != 0 ? rc : local_set(n->store, WORDS_DEVICE, BYTES_NONE, e);
}

/* ---- by words into the group ------------------------------------------------------------------------------
 */

static int device_add(struct node *n, struct group *g, struct err *e)
{
    const struct history_grant all = {.kind = HISTORY_ALL};
    int64_t now = clock_wall_ms(&n->clock);
    struct buf cert;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    int rc = device_cert_make(&n->home.keys.device, bytes_str(n->home.name), now, &cert, e);
    if (rc == 0) {
        rc = group_add(g, buf_view(&cert), &all, now, e);
    }
    buf_release(&cert);
    return rc;
}

/* Only the words themselves can have signed that they are of this group: whoever answered cannot have made
 * it up. */
static int words_check(const struct node *n, const struct id *words, struct err *e)
{
    const struct member *m = group_find(n->group, words);
    if (m != NULL && m->words && m->state != MEMBER_REMOVED) {
        return 0;
    }
    (void)err_set(e, ERR_VERIFY, "the group that answered is not that of these recovery words");
    err_hint(e, "newer words may have replaced them; or another program answers in place of your devices");
    return ERR_VERIFY;
}

int words_enter(struct node *n, const struct device_keys *words, struct err *e)
{
    struct id id;
    struct join_summary sum;
    struct err own = ERR_INIT;
    device_id_of(words->sign.pk, &id);
    int rc = words_check(n, &id, e);
    if (rc == 0) {
        rc = as_words(n, words, device_add, e);
    }
    if (rc == 0) {
        rc = join_rebase(n, &sum, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (group_remove(n->group, &id, clock_wall_ms(&n->clock), &own) != 0) {
        log_line(&n->log, LOG_ERROR, "words", "%s", own.text); /* in the group all the same */
    }
    return 0;
}
