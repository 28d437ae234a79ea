/* The key file: a device's secrets under a master key, and the master key in up to three slots (as LUKS does
 * it).
 *
 *   plain       opens by itself: the file's permissions (0600) are all that protects it, and `kinds` says so
 *   passphrase  Argon2id; its cost is stored, and capped when read
 *   recovery    32 bytes, written down as 24 words (crypto/words.h)
 *
 * One slot of each kind at most. Opening any gives the payload (opaque to this file) and the right to change
 * slots. The whole file is authenticated by the master key, slots included; a checksum tells damage from a
 * wrong passphrase. node/ reads and writes the file; it replaces it atomically. Bytes: crypto/KEYS.md.
 */
#ifndef CRYPTO_KEYFILE_H
#define CRYPTO_KEYFILE_H

#include "crypto/aead.h"

#define KEYFILE_PAYLOAD_BYTES 65536u /* at most */
#define KEYFILE_BYTES_MAX (KEYFILE_PAYLOAD_BYTES + 1024u)
#define KEYFILE_PASSPHRASE_BYTES 1024u /* at most */

enum keyfile_kind { KEYFILE_PLAIN, KEYFILE_PASSPHRASE, KEYFILE_RECOVERY, KEYFILE_KINDS };

/* Argon2id 1.3: passes and memory. Files that ask for more than the caps are refused. */
struct keyfile_cost {
    uint32_t passes;     /* 1..KEYFILE_PASSES_MAX */
    uint32_t memory_kib; /* KEYFILE_MEMORY_KIB_MIN..KEYFILE_MEMORY_KIB_MAX */
};
#define KEYFILE_PASSES_MAX 16u
#define KEYFILE_MEMORY_KIB_MIN 8u
#define KEYFILE_MEMORY_KIB_MAX (1024u * 1024u)
/* libsodium's "moderate": 0.7 s and 256 MiB on a laptop of 2018. */
#define KEYFILE_COST_DEFAULT ((struct keyfile_cost){3, 256 * 1024})

#define KEYFILE_SLOT_BYTES_MAX 160

struct keyfile_slot {
    uint8_t bytes[KEYFILE_SLOT_BYTES_MAX]; /* as in the file, kind first */
    size_t n;                              /* 0: there is none */
};

/* An open key file. */
struct keyfile {
    uint8_t id[16];
    uint8_t master[KEY_BYTES];
    struct keyfile_slot slots[KEYFILE_KINDS];
    struct buf payload;
};

/* What to open it with. */
struct keyfile_unlock {
    enum keyfile_kind kind;
    struct bytes secret; /* passphrase, or the 32 bytes of the recovery words; nothing for plain */
};

/* A new one without slots: add at least one before keyfile_encode. ERR_NOMEM, ERR_LIMIT. */
int keyfile_new(struct keyfile *k, const struct rng *rng, struct bytes payload) MUST_CHECK;
/* Adds the slot, or replaces the one of that kind. `cost` is for a passphrase, else NULL. ERR_USAGE: a
 * passphrase that is empty or too long; ERR_LIMIT: cost out of range; ERR_NOMEM: not enough for Argon2id. */
int keyfile_put_slot(struct keyfile *k, const struct keyfile_unlock *u, const struct keyfile_cost *cost,
                     const struct rng *rng, struct err *e) MUST_CHECK;
/* ERR_NOTFOUND when there is none, ERR_USAGE when it is the last. */
int keyfile_drop_slot(struct keyfile *k, enum keyfile_kind kind, struct err *e) MUST_CHECK;
bool keyfile_has_slot(const struct keyfile *k, enum keyfile_kind kind);
/* Replaces the payload. */
int keyfile_set_payload(struct keyfile *k, struct bytes payload) MUST_CHECK;
/* Appends the file's bytes; the payload is sealed anew each time. */
int keyfile_encode(const struct keyfile *k, const struct rng *rng, struct buf *out) MUST_CHECK;

/* Which slots the file has, without opening it. ERR_FORMAT, ERR_VERSION, ERR_LIMIT, ERR_VERIFY (damaged). */
int keyfile_kinds(struct bytes file, bool has[KEYFILE_KINDS], struct err *e) MUST_CHECK;
/* Opens it. As keyfile_kinds; and ERR_LOCKED with a hint when there is no such slot or the passphrase or
 * words are wrong. k is released then. */
int keyfile_open(struct keyfile *k, struct bytes file, const struct keyfile_unlock *u,
                 struct err *e) MUST_CHECK;
/* Wipes and frees. */
void keyfile_release(struct keyfile *k);

#endif
