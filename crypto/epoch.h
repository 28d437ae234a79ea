/* Epoch keys: random, sealed to each member, each wrapping its predecessor.
 *
 * The id of an epoch is the hash of its key: a key that was given out under an id can be checked by whoever
 * gets it, and nobody can be given another key under the same id. What carries sealed and wrapped keys (the
 * membership log) is signed; these functions do not say who made them.
 */
#ifndef CRYPTO_EPOCH_H
#define CRYPTO_EPOCH_H

#include "crypto/aead.h"
#include "crypto/seal.h"

/* version, suite, group, epoch, recipient, key, and what sealing adds */
#define EPOCH_SEALED_BYTES (2 + 3 * 16 + KEY_BYTES + SEAL_EXTRA_BYTES)
/* version, suite, the key, and what sealing adds */
#define EPOCH_WRAPPED_BYTES (2 + KEY_BYTES + AEAD_EXTRA_BYTES)

/* Which key, for whom. */
struct epoch_binding {
    struct id group, epoch, recipient;
};

void epoch_make(const struct rng *rng, uint8_t key[KEY_BYTES]);
void epoch_id(const uint8_t key[KEY_BYTES], struct id *out);

/* Appends the key sealed to `recipient`, whose sealing key is seal_pk: EPOCH_SEALED_BYTES. `epoch` must be
 * the key's id. ERR_VERIFY when seal_pk is of low order. */
int epoch_seal(const struct epoch_binding *b, const uint8_t key[KEY_BYTES], const uint8_t seal_pk[KEY_BYTES],
               const struct rng *rng, struct buf *out) MUST_CHECK;
/* ERR_VERIFY when it cannot be opened, or its contents name another group, epoch or recipient than b, or the
 * key is not the epoch's; ERR_FORMAT, ERR_VERSION. key is zeros then. */
int epoch_unseal(const struct epoch_binding *b, struct bytes sealed, const struct dh_key *own,
                 uint8_t key[KEY_BYTES], struct err *e) MUST_CHECK;

/* Appends the key of the previous epoch under that of the new one: EPOCH_WRAPPED_BYTES. */
int epoch_wrap(const struct id *group, const uint8_t key[KEY_BYTES], const uint8_t previous[KEY_BYTES],
               const struct rng *rng, struct buf *out) MUST_CHECK;
/* The key of the epoch `previous_id`, checked against that id. Errors as epoch_unseal. */
struct epoch_link {
    struct id group, previous;
};
int epoch_unwrap(const struct epoch_link *l, struct bytes wrapped, const uint8_t key[KEY_BYTES],
                 uint8_t previous[KEY_BYTES], struct err *e) MUST_CHECK;

#endif
