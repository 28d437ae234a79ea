/* BLAKE2b through libsodium, and the operating system's randomness.
 *
 * libsodium's one-shot call is silently unkeyed when the key is empty, and accepts any key from one byte on;
 * so a keyed use with a short key would look keyed and protect little. hasher_init therefore asserts that a
 * key is either absent or at least 16 bytes: which of both it is, is decided by our own code, never by input.
 */
#include "crypto/hash.h"

#include "base/check.h"

#include <sodium.h>
#include <string.h>

#define KEY_BYTES_MIN 16
#define KEY_BYTES_MAX 64
#define POOL_BYTES 4096

_Static_assert(sizeof(struct hasher) >= sizeof(crypto_generichash_blake2b_state), "hasher is too small");
_Static_assert(_Alignof(struct hasher) >= _Alignof(crypto_generichash_blake2b_state), "hasher is misaligned");

static crypto_generichash_blake2b_state *state_of(struct hasher *h)
{
    return (crypto_generichash_blake2b_state *)(void *)h->state;
}

void hasher_init(struct hasher *h, struct bytes key, size_t out_len)
{
    CHECK(out_len >= 16 && out_len <= 64);
    CHECK(key.n == 0 || (key.p && key.n >= KEY_BYTES_MIN && key.n <= KEY_BYTES_MAX));
    CHECK(crypto_generichash_blake2b_init(state_of(h), key.n > 0 ? key.p : NULL, key.n, out_len) == 0);
}

void hasher_update(struct hasher *h, struct bytes b)
{
    if (b.n > 0)
        CHECK(crypto_generichash_blake2b_update(state_of(h), b.p, b.n) == 0);
}

void hasher_final(struct hasher *h, uint8_t *out, size_t out_len)
{
    CHECK(crypto_generichash_blake2b_final(state_of(h), out, out_len) == 0);
}

void hash_parts(struct hash *out, const struct bytes *parts, size_t n_parts)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, HASH_BYTES);
    for (size_t i = 0; i < n_parts; i++)
        hasher_update(&h, parts[i]);
    hasher_final(&h, out->b, HASH_BYTES);
}

int crypt_start(void)
{
    return sodium_init() < 0 ? ERR_IO : 0;
}

/* Randomness drawn ahead, since ids and salts are small and each system call costs more than they do. What
 * was handed out is wiped at once, so the pool never holds a byte that somebody uses. One for each thread. */
struct pool {
    uint8_t bytes[POOL_BYTES];
    size_t left; /* unused bytes, at the end */
};

static void pool_fill(void *ctx, void *p, size_t n)
{
    static _Thread_local struct pool pool;
    uint8_t *from;
    (void)ctx;
    if (n > POOL_BYTES / 4) {
        randombytes_buf(p, n);
        return;
    }
    if (n > pool.left) {
        randombytes_buf(pool.bytes, POOL_BYTES);
        pool.left = POOL_BYTES;
    }
    if (n == 0)
        return;
    from = pool.bytes + (POOL_BYTES - pool.left);
    memcpy(p, from, n);
    mem_wipe(from, n);
    pool.left -= n;
}

struct rng rng_system(void)
{
    return (struct rng){.fill = pool_fill};
}
