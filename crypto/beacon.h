/* The tag of discovery beacons: who has the group's beacon secret recognises it, nobody else can
 * link two of them or make one.
 *
 *   beacon = nonce 8 ‖ tag 16 = BLAKE2b-128(key = secret, label ‖ hour u64 ‖ nonce ‖ said)
 *
 * `said` is what the packet says besides (the port): it cannot be changed without breaking the tag. A beacon
 * can be replayed within its hour and the next; that leads to a dial in vain, no more.
 */
#ifndef CRYPTO_BEACON_H
#define CRYPTO_BEACON_H

#include "crypto/secret.h"

#define BEACON_NONCE_BYTES 8
#define BEACON_BYTES (BEACON_NONCE_BYTES + 16)

void beacon_make(const uint8_t secret[KEY_BYTES], int64_t now_ms, const struct rng *rng, struct bytes said,
                 uint8_t out[BEACON_BYTES]);
/* Whether it was made with this secret in the current hour, the one before or the one after. */
bool beacon_check(const uint8_t secret[KEY_BYTES], int64_t now_ms, struct bytes said,
                  const uint8_t in[BEACON_BYTES]);

#endif
