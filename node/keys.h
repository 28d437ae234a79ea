/* A device's secrets, and the file `keys` that holds them outside the database (crypto/keyfile.h).
 *
 *   device   the three key pairs; the signing key is the identity
 *   event    this device's own for ever: keys observations (dedup, blocking); never leaves the device
 *   claim    keys claim ids and occasions; the group's once there is one, so that all devices of a user name
 *            a claim alike; before that one of the device's own
 *   former   earlier claim secrets, so that ids that were given out can still be told
 *
 * The file opens by itself (plain slot, 0600), or by a passphrase, or by recovery words; `keyfile` stays open
 * in memory, so that a change can be written without asking again. Payload, integers big-endian:
 *
 *   version u8 = 1 | flags u8 (1: claim is the group's) | length u8, device keys | event 32 | claim 32
 *   | n u8 | former 32 × n
 */
#ifndef NODE_KEYS_H
#define NODE_KEYS_H

#include "crypto/device.h"
#include "crypto/keyfile.h"
#include "crypto/words.h"

#define KEYS_FILE "keys"
#define KEYS_FORMER_MAX 8
#define PASSPHRASE_BYTES_MIN 8

struct keys {
    struct keyfile file;
    struct device_keys device;
    struct secret event, claim;
    bool grouped;
    size_t n_former;
    uint8_t former[KEYS_FORMER_MAX][KEY_BYTES]; /* newest first */
};

/* New secrets of all kinds, with a plain slot; nothing is written yet. ERR_NOMEM. */
int keys_make(struct keys *k, const struct rng *rng, struct err *e) MUST_CHECK;
/* Writes the file at `path`, atomically and durably. */
int keys_save(struct keys *k, const char *path, const struct rng *rng, struct err *e) MUST_CHECK;
/* Reads it. `u` NULL: the plain slot. ERR_LOCKED (hint: unlock) when it has none or the passphrase or the
 * words are wrong; ERR_NOTFOUND when there is no file; ERR_PERM, ERR_FORMAT, ERR_VERSION, ERR_VERIFY. */
int keys_open(struct keys *k, const char *path, const struct keyfile_unlock *u, struct err *e) MUST_CHECK;
/* Which slots the file has. */
int keys_slots(const char *path, bool has[KEYFILE_KINDS], struct err *e) MUST_CHECK;
/* Wipes and frees; fine on a zeroed or a released one. */
void keys_release(struct keys *k);

/* The claim secret becomes the group's; the one before is kept among the former. In memory only. */
void keys_take_group(struct keys *k, const uint8_t secret[KEY_BYTES]);
/* From now on only the passphrase (and words, when there are some) open the file. ERR_USAGE: too short. */
int keys_set_passphrase(struct keys *k, struct bytes passphrase, const struct keyfile_cost *cost,
                        const struct rng *rng, struct err *e) MUST_CHECK;
/* The file opens by itself again. */
int keys_clear_passphrase(struct keys *k, const struct rng *rng, struct err *e) MUST_CHECK;

static inline struct bytes secret_view(const struct secret *s)
{
    return bytes_of(s->p, s->n);
}

#endif
