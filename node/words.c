/* Recovery words. */
#include "node/words.h"

#include "node/identity.h"

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

static int former_remove(struct node *n, int64_t now_ms, struct err *e)
{
    struct buf v;
    struct id device;
    bool found = false;
    buf_init(&v, 64);
    int rc = local_get(n->store, WORDS_DEVICE, &v, &found, e);
    if (rc == 0 && found && v.n == ID_BYTES) {
        memcpy(device.b, v.p, ID_BYTES);
        rc = group_is_active(n->group, &device) ? group_remove(n->group, &device, now_ms, e) : 0;
    }
    buf_release(&v);
    return rc;
}

static int member_add(struct node *n, const struct device_keys *k, struct err *e)
{
    const struct history_grant all = {.kind = HISTORY_ALL};
    int64_t now = clock_wall_ms(&n->clock);
    struct buf cert;
    struct id device;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    device_id_of(k->sign.pk, &device);
    int rc = device_cert_make(k, BYTES_LIT(WORDS_NAME), now, &cert, e);
    if (rc == 0) {
        rc = former_remove(n, now, e);
    }
    if (rc == 0) {
        rc = group_add(n->group, buf_view(&cert), &all, now, e);
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
