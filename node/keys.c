/* The key file of this device: what is in its payload, and reading and writing it. */
#include "node/keys.h"

#include "base/cursor.h"
#include "node/file.h"

#include <string.h>

#define PAYLOAD_VERSION 1
#define FLAG_GROUPED 1u
#define PAYLOAD_MAX (3 + DEVICE_KEYS_BYTES + 2 * KEY_BYTES + 1 + KEYS_FORMER_MAX * KEY_BYTES)

static int payload_write(struct keys *k, struct err *e)
{
    struct buf b;
    int rc = secret_buf_init(&b, PAYLOAD_MAX);
    if (rc != 0) {
        return err_set(e, rc, "writing the keys");
    }
    wr_u8(&b, PAYLOAD_VERSION);
    wr_u8(&b, k->grouped ? FLAG_GROUPED : 0);
    wr_u8(&b, DEVICE_KEYS_BYTES);
    rc = device_keys_encode(&k->device, &b);
    wr_bytes(&b, secret_view(&k->event));
    wr_bytes(&b, secret_view(&k->claim));
    wr_u8(&b, (uint8_t)k->n_former);
    wr_bytes(&b, bytes_of(k->former, k->n_former * KEY_BYTES));
    if (rc == 0) {
        rc = b.err;
    }
    if (rc == 0) {
        rc = keyfile_set_payload(&k->file, buf_view(&b));
    }
    secret_buf_release(&b);
    return rc == 0 ? 0 : err_set(e, rc, "writing the keys");
}

static int payload_read(struct keys *k, struct err *e)
{
    struct rd r;
    rd_init(&r, buf_view(&k->file.payload));
    uint8_t version = rd_u8(&r);
    k->grouped = (rd_u8(&r) & FLAG_GROUPED) != 0;
    if (r.err == 0 && version != PAYLOAD_VERSION) {
        return err_set(e, ERR_VERSION, "the keys were written by a newer version");
    }
    struct bytes device = rd_bytes(&r, rd_u8(&r));
    rd_copy(&r, k->event.p, KEY_BYTES);
    rd_copy(&r, k->claim.p, KEY_BYTES);
    k->event.n = k->claim.n = KEY_BYTES;
    k->n_former = rd_u8(&r);
    if (r.err != 0 || k->n_former > KEYS_FORMER_MAX) {
        return err_set(e, ERR_FORMAT, "the keys are damaged");
    }
    rd_copy(&r, k->former, k->n_former * KEY_BYTES);
    if (rd_end(&r) != 0) {
        return err_set(e, ERR_FORMAT, "the keys are damaged");
    }
    return device_keys_decode(device, &k->device, e);
}

int keys_make(struct keys *k, const struct rng *rng, struct err *e)
{
    const struct keyfile_unlock plain = {.kind = KEYFILE_PLAIN};
    memset(k, 0, sizeof(*k));
    device_keys_make(&k->device, rng);
    rng_fill(rng, k->event.p, KEY_BYTES);
    rng_fill(rng, k->claim.p, KEY_BYTES);
    k->event.n = k->claim.n = KEY_BYTES;
    int rc = keyfile_new(&k->file, rng, BYTES_NONE);
    if (rc != 0) {
        rc = err_set(e, rc, "making keys");
    } else {
        rc = keyfile_put_slot(&k->file, &plain, NULL, rng, e);
    }
    if (rc != 0) {
        keys_release(k);
    }
    return rc;
}

int keys_save(struct keys *k, const char *path, const struct rng *rng, struct err *e)
{
    struct buf out;
    int rc = payload_write(k, e);
    if (rc != 0) {
        return rc;
    }
    buf_init(&out, KEYFILE_BYTES_MAX);
    rc = keyfile_encode(&k->file, rng, &out);
    rc = rc != 0 ? err_set(e, rc, "writing '%s'", path) : file_replace(path, buf_view(&out), e);
    secret_buf_release(&out); /* a plain slot tells the master key */
    return rc;
}

static int file_load(const char *path, struct buf *out, struct err *e)
{
    int rc = file_private(path, e);
    return rc != 0 ? rc : file_read(path, out, e);
}

int keys_open(struct keys *k, const char *path, const struct keyfile_unlock *u, struct err *e)
{
    const struct keyfile_unlock plain = {.kind = KEYFILE_PLAIN};
    struct buf file;
    memset(k, 0, sizeof(*k));
    int rc = secret_buf_init(&file, KEYFILE_BYTES_MAX);
    if (rc != 0) {
        return err_set(e, rc, "reading '%s'", path);
    }
    rc = file_load(path, &file, e);
    if (rc == 0) {
        rc = keyfile_open(&k->file, buf_view(&file), u != NULL ? u : &plain, e);
    }
    secret_buf_release(&file);
    if (rc == 0) {
        rc = payload_read(k, e);
    }
    if (rc == ERR_LOCKED && u == NULL) {
        (void)err_set(e, ERR_LOCKED, "the keys of this device are locked");
        err_hint(e, "selfsame unlock");
    }
    if (rc != 0) {
        keys_release(k);
    }
    return rc;
}

int keys_slots(const char *path, bool has[KEYFILE_KINDS], struct err *e)
{
    struct buf file;
    int rc = secret_buf_init(&file, KEYFILE_BYTES_MAX);
    if (rc != 0) {
        return err_set(e, rc, "reading '%s'", path);
    }
    rc = file_load(path, &file, e);
    if (rc == 0) {
        rc = keyfile_kinds(buf_view(&file), has, e);
    }
    secret_buf_release(&file);
    return rc;
}

void keys_release(struct keys *k)
{
    keyfile_release(&k->file);
    device_keys_wipe(&k->device);
    mem_wipe(k, sizeof(*k));
}

void keys_take_group(struct keys *k, const uint8_t secret[KEY_BYTES])
{
    k->grouped = true;
    if (secret_eq(secret, k->claim.p, KEY_BYTES)) {
        return; /* a founder's */
    }
    size_t keep = k->n_former < KEYS_FORMER_MAX ? k->n_former : KEYS_FORMER_MAX - 1;
    memmove(k->former[1], k->former[0], keep * KEY_BYTES);
    memcpy(k->former[0], k->claim.p, KEY_BYTES);
    k->n_former = keep + 1;
    memcpy(k->claim.p, secret, KEY_BYTES);
}

int keys_set_passphrase(struct keys *k, struct bytes passphrase, const struct keyfile_cost *cost,
                        const struct rng *rng, struct err *e)
{
    const struct keyfile_unlock u = {.kind = KEYFILE_PASSPHRASE, .secret = passphrase};
    if (passphrase.n < PASSPHRASE_BYTES_MIN) {
        (void)err_set(e, ERR_USAGE, "the passphrase is too short");
        err_hint(e, "at least %d characters; five or six random words are strong and can be remembered",
                 PASSPHRASE_BYTES_MIN);
        return ERR_USAGE;
    }
    int rc = keyfile_put_slot(&k->file, &u, cost, rng, e);
    if (rc == 0 && keyfile_has_slot(&k->file, KEYFILE_PLAIN)) {
        rc = keyfile_drop_slot(&k->file, KEYFILE_PLAIN, e);
    }
    return rc;
}

int keys_clear_passphrase(struct keys *k, const struct rng *rng, struct err *e)
{
    const struct keyfile_unlock plain = {.kind = KEYFILE_PLAIN};
    if (!keyfile_has_slot(&k->file, KEYFILE_PASSPHRASE)) {
        return err_set(e, ERR_USAGE, "the keys have no passphrase");
    }
    int rc = keyfile_put_slot(&k->file, &plain, NULL, rng, e);
    return rc != 0 ? rc : keyfile_drop_slot(&k->file, KEYFILE_PASSPHRASE, e);
}
