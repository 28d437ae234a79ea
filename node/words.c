/* Recovery words. */
#include "node/words.h"

#include "node/identity.h"

#include <string.h>

/* Local value: the device id of the words that count. */
#define WORDS_DEVICE "words:device"
#define WORDS_NAME "recovery words"

void words_make(struct node *n)
{
    rng_fill(&n->rng, n->words.p, RECOVERY_BYTES);
    n->words.n = RECOVERY_BYTES;
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
    if (n->words.n != RECOVERY_BYTES || !secret_eq(n->words.p, typed, RECOVERY_BYTES)) {
        (void)err_set(e, ERR_USAGE, "these are not the words that were shown last");
        err_hint(e, "compare them with what you wrote down, or have new ones made: selfsame devices words");
        return ERR_USAGE;
    }
    device_keys_derive(&k, typed);
    int rc = keyfile_put_slot(&n->home.keys.file, &u, NULL, &n->rng, e);
    if (rc == 0) {
        rc = home_save_keys(&n->home, &n->rng, e);
    }
    if (rc == 0 && identity_is_member(n)) {
        rc = member_add(n, &k, e);
        n->regrouped = true;
        sync_changed(n->sync);
    }
    device_keys_wipe(&k);
    secret_wipe(&n->words);
    return rc;
}
