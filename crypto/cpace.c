/* CPace over ristretto255 with SHA-512. All concatenations of the draft are hashed as they are composed, so
 * the code never lies in a buffer. Lengths are LEB128, at most two bytes here. */
#include "crypto/cpace.h"

#include "base/check.h"

#include <sodium.h>
#include <string.h>

#define DSI "CPaceRistretto255"
#define DSI_ISK "CPaceRistretto255_ISK"
#define HASH_BLOCK 128 /* of SHA-512 */
#define DIGEST 64

_Static_assert(CPACE_SHARE_BYTES == crypto_core_ristretto255_BYTES, "point");
_Static_assert(CPACE_ISK_BYTES == crypto_hash_sha512_BYTES, "digest");
_Static_assert(CPACE_FIELD_BYTES < 1 << 14, "lengths have two bytes");

/* How many bytes prepend_len adds. */
static size_t length_size(size_t n)
{
    return n < 128 ? 1 : 2;
}

/* prepend_len(b), the element of lv_cat. */
static void add_lv(crypto_hash_sha512_state *st, struct bytes b)
{
    uint8_t len[2] = {(uint8_t)(b.n < 128 ? b.n : (b.n & 127) | 128), (uint8_t)(b.n >> 7)};
    CHECK(b.n <= CPACE_FIELD_BYTES);
    (void)crypto_hash_sha512_update(st, len, length_size(b.n));
    if (b.n > 0)
        (void)crypto_hash_sha512_update(st, b.p, b.n);
}

/* The generator: zeros fill the first block behind the code, so that hashing it costs the same for each. */
static void generator(const struct cpace_input *in, uint8_t g[CPACE_SHARE_BYTES])
{
    static const uint8_t zeros[HASH_BLOCK];
    crypto_hash_sha512_state st;
    uint8_t digest[DIGEST];
    size_t used = length_size(in->prs.n) + in->prs.n + 1 + sizeof DSI - 1 + 1;
    (void)crypto_hash_sha512_init(&st);
    add_lv(&st, BYTES_LIT(DSI));
    add_lv(&st, in->prs);
    add_lv(&st, bytes_of(zeros, used < HASH_BLOCK ? HASH_BLOCK - used : 0));
    add_lv(&st, in->ci);
    add_lv(&st, in->sid);
    (void)crypto_hash_sha512_final(&st, digest);
    CHECK(crypto_core_ristretto255_from_hash(g, digest) == 0);
    mem_wipe(digest, sizeof digest);
    mem_wipe(&st, sizeof st);
}

/* The scalar is 64 random bytes modulo the group order. It is zero, or the generator the identity, with a
 * probability that need not be handled: 2^-252. */
void cpace_start(struct cpace *c, const struct cpace_input *in, const struct rng *rng)
{
    uint8_t g[CPACE_SHARE_BYTES];
    uint8_t wide[DIGEST];
    CHECK(in->sid.n <= CPACE_FIELD_BYTES);
    *c = (struct cpace){.sid_n = in->sid.n};
    if (in->sid.n > 0)
        memcpy(c->sid, in->sid.p, in->sid.n);
    generator(in, g);
    rng_fill(rng, wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(c->y, wide);
    int rc = crypto_scalarmult_ristretto255(c->share, c->y, g);
    SECRET_PUBLIC(&rc, sizeof rc); /* 0, but for the 2^-252 above */
    CHECK(rc == 0);
    SECRET_PUBLIC(c->share, CPACE_SHARE_BYTES); /* it is sent */
    mem_wipe(g, sizeof g);
    mem_wipe(wide, sizeof wide);
}

/* ISK = H(lv_cat(DSI_ISK, sid, K) ‖ lv_cat(Ya, ADa) ‖ lv_cat(Yb, ADb)) */
static void make_isk(const struct cpace *c, const uint8_t *k, const struct cpace_side *const sides[2],
                     uint8_t isk[CPACE_ISK_BYTES])
{
    crypto_hash_sha512_state st;
    (void)crypto_hash_sha512_init(&st);
    add_lv(&st, BYTES_LIT(DSI_ISK));
    add_lv(&st, bytes_of(c->sid, c->sid_n));
    add_lv(&st, bytes_of(k, CPACE_SHARE_BYTES));
    for (int i = 0; i < 2; i++) {
        add_lv(&st, bytes_of(sides[i]->share, CPACE_SHARE_BYTES));
        add_lv(&st, sides[i]->ad);
    }
    (void)crypto_hash_sha512_final(&st, isk);
    mem_wipe(&st, sizeof st);
}

/* libsodium's multiplication fails for what is no canonical point and for the identity as input or result. */
int cpace_finish(struct cpace *c, const struct cpace_side *initiator, const struct cpace_side *responder,
                 uint8_t isk[CPACE_ISK_BYTES])
{
    const struct cpace_side *const sides[2] = {initiator, responder};
    uint8_t k[CPACE_SHARE_BYTES];
    bool first = secret_eq(c->share, initiator->share, CPACE_SHARE_BYTES);
    bool second = secret_eq(c->share, responder->share, CPACE_SHARE_BYTES);
    int rc = ERR_VERIFY;
    memset(isk, 0, CPACE_ISK_BYTES);
    CHECK(first || second);
    if (first != second)
        rc = crypto_scalarmult_ristretto255(k, c->y, sides[first ? 1 : 0]->share) == 0 ? 0 : ERR_VERIFY;
    SECRET_PUBLIC(&rc, sizeof rc); /* whether the peer's share is a point, which it knows */
    if (rc == 0)
        make_isk(c, k, sides, isk);
    mem_wipe(k, sizeof k);
    cpace_wipe(c);
    return rc;
}

void cpace_wipe(struct cpace *c)
{
    mem_wipe(c, sizeof *c);
}
