/* The key file. Reading goes from what needs no secret to what does: magic, checksum, version, form of the
 * slots, then the slot that is to be opened, then the payload.
 *
 *   file = magic 8 ‖ version ‖ suite ‖ id 16 ‖ slots u8 ‖ slot × n ‖ size u32 ‖ sealed payload ‖ BLAKE2b-256
 * of all slot = kind u8 ‖ what its kind needs ‖ sealed master key 104
 */
#include "crypto/keyfile.h"

#include "base/check.h"
#include "base/cursor.h"
#include "crypto/hash.h"
#include "crypto/label.h"

#include <sodium.h>
#include <string.h>

#define MAGIC "selfkeys"
#define MAGIC_BYTES 8
#define VERSION 1
#define SUITE 1
#define SALT_BYTES 16
#define MASTER_SEALED_BYTES (KEY_BYTES + AEAD_EXTRA_BYTES)
#define HEAD_BYTES_MAX (1 + KEY_BYTES)
#define ID_BYTES_OF_FILE sizeof(((struct keyfile *)0)->id)

_Static_assert(SALT_BYTES == crypto_pwhash_SALTBYTES, "salt");
_Static_assert(HEAD_BYTES_MAX + MASTER_SEALED_BYTES <= KEYFILE_SLOT_BYTES_MAX, "slot");

/* Size of a slot's own part, kind byte included. */
static const size_t head_bytes[KEYFILE_KINDS] = {
    [KEYFILE_PLAIN] = 1 + KEY_BYTES,
    [KEYFILE_PASSPHRASE] = 1 + 4 + 4 + SALT_BYTES,
    [KEYFILE_RECOVERY] = 1 + SALT_BYTES,
};

/* ---- slots */

static int check_cost(const struct keyfile_cost *c, struct err *e)
{
    if (c->passes < 1 || c->passes > KEYFILE_PASSES_MAX || c->memory_kib < KEYFILE_MEMORY_KIB_MIN ||
        c->memory_kib > KEYFILE_MEMORY_KIB_MAX)
        return err_set(e, ERR_LIMIT, "passphrase cost of %u passes over %u KiB is out of range", c->passes,
                       c->memory_kib);
    return 0;
}

static struct keyfile_cost read_cost(const uint8_t *head)
{
    struct rd r;
    struct keyfile_cost c;
    rd_init(&r, bytes_of(head + 1, 8));
    c.passes = rd_u32(&r);
    c.memory_kib = rd_u32(&r);
    return c;
}

static int argon2id(const uint8_t *head, struct bytes passphrase, uint8_t kek[KEY_BYTES], struct err *e)
{
    struct keyfile_cost c = read_cost(head);
    int rc = check_cost(&c, e);
    if (rc)
        return rc;
    if (passphrase.n > KEYFILE_PASSPHRASE_BYTES)
        return err_set(e, ERR_USAGE, "passphrase is longer than %u bytes", KEYFILE_PASSPHRASE_BYTES);
    if (crypto_pwhash(kek, KEY_BYTES, (const char *)passphrase.p, passphrase.n, head + 9, c.passes,
                      (size_t)c.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0)
        return 0;
    return err_set(e, ERR_NOMEM, "not enough memory to check the passphrase, %u MiB are needed",
                   c.memory_kib / 1024);
}

/* The key that seals the master key in a slot with this head. */
static int slot_key(const struct keyfile *k, const uint8_t *head, const struct keyfile_unlock *u,
                    uint8_t kek[KEY_BYTES], struct err *e)
{
    CHECK(u->kind < KEYFILE_KINDS);
    switch (u->kind) {
    case KEYFILE_PLAIN:
        key_derive(head + 1, LABEL_KEY_SLOT, bytes_of(k->id, sizeof k->id), kek);
        return 0;
    case KEYFILE_PASSPHRASE:
        return argon2id(head, u->secret, kek, e);
    case KEYFILE_RECOVERY:
        CHECK(u->secret.n == KEY_BYTES);
        key_derive(u->secret.p, LABEL_KEY_SLOT, bytes_of(head + 1, SALT_BYTES), kek);
        return 0;
    case KEYFILE_KINDS:
        break;
    }
    return ERR_USAGE;
}

/* What a sealed master key is bound to: version, suite, the file, the head of its slot. */
struct slot_ad {
    uint8_t b[2 + ID_BYTES_OF_FILE + HEAD_BYTES_MAX];
    size_t n;
};

static void make_slot_ad(const struct keyfile *k, const uint8_t *head, size_t n, struct slot_ad *ad)
{
    ad->b[0] = VERSION;
    ad->b[1] = SUITE;
    memcpy(ad->b + 2, k->id, sizeof k->id);
    memcpy(ad->b + 2 + sizeof k->id, head, n);
    ad->n = 2 + sizeof k->id + n;
}

static void make_head(const struct keyfile_unlock *u, const struct keyfile_cost *cost, const struct rng *rng,
                      struct buf *out)
{
    uint8_t random[KEY_BYTES];
    rng_fill(rng, random, sizeof random);
    wr_u8(out, (uint8_t)(u->kind + 1));
    if (u->kind == KEYFILE_PASSPHRASE) {
        wr_u32(out, cost->passes);
        wr_u32(out, cost->memory_kib);
    }
    wr_bytes(out, bytes_of(random, u->kind == KEYFILE_PLAIN ? KEY_BYTES : SALT_BYTES));
    mem_wipe(random, sizeof random);
}

/* Appends the sealed master key to the head in `slot`. */
static int seal_master(const struct keyfile *k, const struct keyfile_unlock *u, const struct rng *rng,
                       struct buf *slot, struct err *e)
{
    struct slot_ad ad;
    uint8_t kek[KEY_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
    int rc = slot_key(k, slot->p, u, kek, e);
    if (!rc) {
        make_slot_ad(k, slot->p, slot->n, &ad);
        rng_fill(rng, nonce, sizeof nonce);
        rc = aead_seal(&(struct aead){kek, LABEL_SEAL_SLOT, bytes_of(ad.b, ad.n)}, nonce,
                       bytes_of(k->master, KEY_BYTES), slot);
        mem_wipe(&ad, sizeof ad);
    }
    mem_wipe(kek, sizeof kek);
    return rc;
}

static int check_secret(const struct keyfile_unlock *u, const struct keyfile_cost *cost, struct err *e)
{
    if (u->kind != KEYFILE_PASSPHRASE)
        return 0;
    if (u->secret.n == 0 || u->secret.n > KEYFILE_PASSPHRASE_BYTES)
        return err_set(e, ERR_USAGE, "passphrase has %zu bytes, 1 to %u are possible", u->secret.n,
                       KEYFILE_PASSPHRASE_BYTES);
    return check_cost(cost, e);
}

int keyfile_put_slot(struct keyfile *k, const struct keyfile_unlock *u, const struct keyfile_cost *cost,
                     const struct rng *rng, struct err *e)
{
    struct buf slot;
    int rc = check_secret(u, cost, e);
    if (rc)
        return rc;
    rc = secret_buf_init(&slot, KEYFILE_SLOT_BYTES_MAX);
    if (rc)
        return err_set(e, rc, "adding to the key file");
    make_head(u, cost, rng, &slot);
    rc = seal_master(k, u, rng, &slot, e);
    if (!rc) {
        memcpy(k->slots[u->kind].bytes, slot.p, slot.n);
        k->slots[u->kind].n = slot.n;
    }
    secret_buf_release(&slot);
    return rc;
}

bool keyfile_has_slot(const struct keyfile *k, enum keyfile_kind kind)
{
    return k->slots[kind].n > 0;
}

static unsigned count_slots(const struct keyfile *k)
{
    unsigned n = 0;
    for (int i = 0; i < KEYFILE_KINDS; i++)
        n += k->slots[i].n > 0;
    return n;
}

int keyfile_drop_slot(struct keyfile *k, enum keyfile_kind kind, struct err *e)
{
    if (!keyfile_has_slot(k, kind))
        return err_set(e, ERR_NOTFOUND, "the key file has no such slot");
    if (count_slots(k) == 1)
        return err_set(e, ERR_USAGE, "nothing else would open the key file");
    mem_wipe(&k->slots[kind], sizeof k->slots[kind]);
    return 0;
}

/* ---- the file */

int keyfile_new(struct keyfile *k, const struct rng *rng, struct bytes payload)
{
    *k = (struct keyfile){.id = {0}};
    rng_fill(rng, k->id, sizeof k->id);
    rng_fill(rng, k->master, sizeof k->master);
    return keyfile_set_payload(k, payload);
}

int keyfile_set_payload(struct keyfile *k, struct bytes payload)
{
    struct buf b;
    int rc;
    if (payload.n > KEYFILE_PAYLOAD_BYTES)
        return ERR_LIMIT;
    rc = secret_buf_init(&b, payload.n);
    if (rc)
        return rc;
    rc = buf_bytes(&b, payload);
    secret_buf_release(&k->payload);
    k->payload = b;
    return rc;
}

void keyfile_release(struct keyfile *k)
{
    secret_buf_release(&k->payload);
    mem_wipe(k, sizeof *k);
}

/* All before the payload; also what the payload is bound to. */
#define FRONT_BYTES_MAX (MAGIC_BYTES + 2 + 16 + 1 + KEYFILE_KINDS * KEYFILE_SLOT_BYTES_MAX + 4)

static void put_front(const struct keyfile *k, struct buf *out)
{
    wr_bytes(out, BYTES_LIT(MAGIC));
    wr_u8(out, VERSION);
    wr_u8(out, SUITE);
    wr_bytes(out, bytes_of(k->id, sizeof k->id));
    wr_u8(out, (uint8_t)count_slots(k));
    for (int i = 0; i < KEYFILE_KINDS; i++)
        wr_bytes(out, bytes_of(k->slots[i].bytes, k->slots[i].n));
    wr_u32(out, (uint32_t)(k->payload.n + AEAD_EXTRA_BYTES));
}

int keyfile_encode(const struct keyfile *k, const struct rng *rng, struct buf *out)
{
    uint8_t nonce[AEAD_NONCE_BYTES];
    size_t from = out->n;
    struct buf front;
    struct hash sum;
    struct bytes all;
    int rc = secret_buf_init(&front, FRONT_BYTES_MAX);
    if (rc)
        return rc;
    CHECK(count_slots(k) > 0);
    put_front(k, &front);
    CHECK(front.err == 0);
    rng_fill(rng, nonce, sizeof nonce);
    (void)buf_bytes(out, buf_view(&front));
    rc = aead_seal(&(struct aead){k->master, LABEL_SEAL_PAYLOAD, buf_view(&front)}, nonce,
                   buf_view(&k->payload), out);
    secret_buf_release(&front);
    if (rc)
        return rc;
    all = bytes_slice(buf_view(out), from, SIZE_MAX);
    hash_parts(&sum, &all, 1);
    return buf_append(out, sum.b, HASH_BYTES);
}

/* What parsing finds; views into the file. */
struct found {
    struct bytes ad, payload;
};

static int damaged(struct err *e)
{
    (void)err_set(e, ERR_VERIFY, "key file is damaged");
    err_hint(e, "put back a copy of the file, or re-create the device from its recovery words");
    return ERR_VERIFY;
}

static int check_outside(struct bytes file, struct err *e)
{
    struct hash sum;
    struct bytes all;
    if (file.n > KEYFILE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "key file has %zu bytes, at most %u", file.n, KEYFILE_BYTES_MAX);
    if (file.n < MAGIC_BYTES + 2 + HASH_BYTES || !bytes_starts(file, BYTES_LIT(MAGIC)))
        return err_set(e, ERR_FORMAT, "not a key file");
    all = bytes_slice(file, 0, file.n - HASH_BYTES);
    hash_parts(&sum, &all, 1);
    if (memcmp(sum.b, file.p + all.n, HASH_BYTES) != 0)
        return damaged(e);
    if (file.p[MAGIC_BYTES] != VERSION || file.p[MAGIC_BYTES + 1] != SUITE)
        return err_set(e, ERR_VERSION, "key file has version %u, suite %u", file.p[MAGIC_BYTES],
                       file.p[MAGIC_BYTES + 1]);
    return 0;
}

/* Slots, each kind at most once, in ascending order. */
static int parse_slots(struct rd *r, struct keyfile *k, struct err *e)
{
    unsigned n = rd_u8(r);
    unsigned last = 0;
    for (unsigned i = 0; i < n && !r->err; i++) {
        const uint8_t *at = r->p;
        unsigned kind = rd_u8(r);
        struct keyfile_slot *slot;
        if (kind > KEYFILE_KINDS)
            return err_set(e, ERR_VERSION, "key file has a slot of kind %u", kind);
        if (r->err || kind <= last)
            return err_set(e, ERR_FORMAT, "key file has its slots in disorder");
        slot = &k->slots[kind - 1];
        slot->n = head_bytes[kind - 1] + MASTER_SEALED_BYTES;
        if (!rd_bytes(r, slot->n - 1).p)
            return err_set(e, ERR_FORMAT, "key file is cut short");
        memcpy(slot->bytes, at, slot->n);
        last = kind;
    }
    return n > 0 ? 0 : err_set(e, ERR_FORMAT, "key file has no slots");
}

/* Fills id and slots of k, which the caller releases. */
static int parse(struct keyfile *k, struct bytes file, struct found *f, struct err *e)
{
    struct rd r;
    uint32_t n;
    int rc;
    *k = (struct keyfile){.id = {0}};
    rc = check_outside(file, e);
    if (rc)
        return rc;
    rd_init(&r, bytes_slice(file, MAGIC_BYTES + 2, file.n - MAGIC_BYTES - 2 - HASH_BYTES));
    rd_copy(&r, k->id, sizeof k->id);
    rc = parse_slots(&r, k, e);
    if (rc)
        return rc;
    n = rd_u32(&r);
    f->ad = bytes_of(file.p, (size_t)(r.p - file.p));
    f->payload = rd_bytes(&r, n);
    if (rd_end(&r))
        return err_set(e, ERR_FORMAT, "key file has a payload of a wrong size");
    if (n < AEAD_EXTRA_BYTES || n > KEYFILE_PAYLOAD_BYTES + AEAD_EXTRA_BYTES)
        return err_set(e, ERR_LIMIT, "key file has a payload of %u bytes", n);
    return 0;
}

int keyfile_kinds(struct bytes file, bool has[KEYFILE_KINDS], struct err *e)
{
    struct keyfile k;
    struct found f;
    int rc = parse(&k, file, &f, e);
    for (int i = 0; i < KEYFILE_KINDS; i++)
        has[i] = rc == 0 && k.slots[i].n > 0;
    keyfile_release(&k);
    return rc;
}

static int locked(enum keyfile_kind kind, bool exists, struct err *e)
{
    static const char *const wrong[KEYFILE_KINDS] = {"key file is damaged", "the passphrase is wrong",
                                                     "the recovery words are not those of this key file"};
    static const char *const absent[KEYFILE_KINDS] = {"the key file needs a passphrase",
                                                      "the key file has no passphrase",
                                                      "the key file has no recovery words"};
    if (exists && kind == KEYFILE_PLAIN)
        return damaged(e);
    (void)err_set(e, ERR_LOCKED, "%s", exists ? wrong[kind] : absent[kind]);
    err_hint(e, "selfsame unlock");
    return ERR_LOCKED;
}

static int open_master(struct keyfile *k, const struct keyfile_unlock *u, struct err *e)
{
    const struct keyfile_slot *slot = &k->slots[u->kind];
    size_t head = head_bytes[u->kind];
    struct slot_ad ad;
    struct buf master;
    uint8_t kek[KEY_BYTES];
    int rc;
    if (slot->n == 0)
        return locked(u->kind, false, e);
    rc = slot_key(k, slot->bytes, u, kek, e);
    if (rc)
        return rc;
    make_slot_ad(k, slot->bytes, head, &ad);
    rc = secret_buf_init(&master, KEY_BYTES);
    if (!rc)
        rc = aead_open(&(struct aead){kek, LABEL_SEAL_SLOT, bytes_of(ad.b, ad.n)},
                       bytes_of(slot->bytes + head, slot->n - head), &master);
    if (!rc)
        memcpy(k->master, master.p, KEY_BYTES);
    secret_buf_release(&master);
    mem_wipe(kek, sizeof kek);
    mem_wipe(&ad, sizeof ad);
    if (rc == ERR_VERIFY)
        return locked(u->kind, true, e);
    return rc ? err_set(e, rc, "opening the key file") : 0;
}

static int open_payload(struct keyfile *k, const struct found *f, struct err *e)
{
    int rc = secret_buf_init(&k->payload, f->payload.n - AEAD_EXTRA_BYTES);
    if (!rc)
        rc = aead_open(&(struct aead){k->master, LABEL_SEAL_PAYLOAD, f->ad}, f->payload, &k->payload);
    if (rc == ERR_VERIFY)
        return damaged(e);
    return rc ? err_set(e, rc, "opening the key file") : 0;
}

int keyfile_open(struct keyfile *k, struct bytes file, const struct keyfile_unlock *u, struct err *e)
{
    struct found f;
    int rc = parse(k, file, &f, e);
    if (!rc)
        rc = open_master(k, u, e);
    if (!rc)
        rc = open_payload(k, &f, e);
    if (rc)
        keyfile_release(k);
    return rc;
}
