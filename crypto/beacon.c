#include "crypto/beacon.h"

#include "crypto/hash.h"
#include "crypto/label.h"

#include <string.h>

#define HOUR_MS INT64_C(3600000)
#define TAG_BYTES (BEACON_BYTES - BEACON_NONCE_BYTES)

/* Rounds down before 1970 too, so that a clock set wrongly does no harm. */
static int64_t hour_of(int64_t ms)
{
    return ms / HOUR_MS - (ms % HOUR_MS < 0);
}

static void make_tag(const uint8_t *secret, int64_t hour, const uint8_t *nonce, struct bytes said,
                     uint8_t *out)
{
    struct hasher h;
    uint8_t be[8];
    for (int i = 0; i < 8; i++)
        be[i] = (uint8_t)((uint64_t)hour >> (56 - 8 * i));
    hasher_init(&h, bytes_of(secret, KEY_BYTES), TAG_BYTES);
    hasher_update(&h, BYTES_LIT(LABEL_BEACON));
    hasher_update(&h, bytes_of(be, sizeof be));
    hasher_update(&h, bytes_of(nonce, BEACON_NONCE_BYTES));
    hasher_update(&h, said);
    hasher_final(&h, out, TAG_BYTES);
    mem_wipe(&h, sizeof h);
}

void beacon_make(const uint8_t secret[KEY_BYTES], int64_t now_ms, const struct rng *rng, struct bytes said,
                 uint8_t out[BEACON_BYTES])
{
    rng_fill(rng, out, BEACON_NONCE_BYTES);
    make_tag(secret, hour_of(now_ms), out, said, out + BEACON_NONCE_BYTES);
}

bool beacon_check(const uint8_t secret[KEY_BYTES], int64_t now_ms, struct bytes said,
                  const uint8_t in[BEACON_BYTES])
{
    uint8_t tag[TAG_BYTES];
    bool found = false;
    for (int64_t hour = hour_of(now_ms) - 1; hour <= hour_of(now_ms) + 1; hour++) {
        make_tag(secret, hour, in, said, tag);
        if (secret_eq(tag, in + BEACON_NONCE_BYTES, TAG_BYTES))
            found = true;
    }
    return found;
}
