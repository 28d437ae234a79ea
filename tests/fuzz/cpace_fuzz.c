/* CPace with any share from the other side, and pairing with any messages. The first byte chooses:
 *   even  a share of 32 bytes and associated data: whatever it is, a failure leaves nothing, and a key never
 * is the one that the honest side has odd   messages to a joiner (second bit clear) or a host, each as size
 * u16 | bytes: without the code none of them leads to a certificate */
#include "crypto/pair.h"

#include "base/check.h"
#include "base/cursor.h"
#include "tests/support/rng.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_share(struct rd *r, const struct rng *rng)
{
    const struct cpace_input in = {BYTES_LIT("code"), BYTES_LIT("ci"), BYTES_LIT("sid")};
    struct cpace honest, c;
    uint8_t own[CPACE_SHARE_BYTES], other[CPACE_SHARE_BYTES], isk[2][CPACE_ISK_BYTES];
    cpace_start(&c, &in, rng);
    cpace_start(&honest, &in, rng);
    memcpy(own, c.share, sizeof own);
    rd_copy(r, other, sizeof other);
    const struct cpace_side a = {own, BYTES_LIT("a")};
    const struct cpace_side b = {
        other, rd_bytes(r, rd_left(r) < CPACE_FIELD_BYTES ? rd_left(r) : CPACE_FIELD_BYTES)};
    const struct cpace_side real = {honest.share, BYTES_LIT("b")};
    uint8_t share[CPACE_SHARE_BYTES];
    memcpy(share, honest.share, sizeof share);
    const struct cpace_side kept = {share, real.ad};
    if (cpace_finish(&c, &a, &b, isk[0]) != 0)
        CHECK(secret_is_zero(isk[0], sizeof isk[0]));
    CHECK(secret_is_zero(&c, sizeof c));
    CHECK(cpace_finish(&honest, &a, &kept, isk[1]) == 0);
    if (!secret_eq(share, other, sizeof share))
        CHECK(!secret_eq(isk[0], isk[1], sizeof isk[0]));
}

static void try_messages(struct rd *r, const struct rng *rng, bool host)
{
    struct device_keys keys;
    struct pair_code code;
    struct pair p;
    struct buf cert, out;
    device_keys_make(&keys, rng);
    pair_code_make(&code, rng);
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    buf_init(&out, 1 << 16);
    CHECK(device_cert_make(&keys, BYTES_LIT("fuzzed"), 0, &cert, NULL) == 0);
    const struct pair_self self = {&keys, buf_view(&cert)};
    if (host)
        pair_host(&p, &self, &code);
    else
        pair_join(&p, &self, &code);
    if (!host)
        CHECK(pair_step(&p, rng, BYTES_NONE, &out, NULL) == 0);
    while (rd_left(r) > 0 && p.state != PAIR_FAILED) {
        uint16_t n = rd_u16(r);
        struct bytes message = rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
        buf_clear(&out);
        if (pair_step(&p, rng, message, &out, NULL) != 0)
            CHECK(p.state == PAIR_FAILED && out.n == 0 &&
                  secret_is_zero(&p.keys, sizeof p - offsetof(struct pair, keys)));
    }
    CHECK(p.state == PAIR_HELLO || p.state == PAIR_SHARE || p.state == PAIR_KNOCK || p.state == PAIR_FAILED);
    pair_wipe(&p);
    buf_release(&cert);
    buf_release(&out);
}

static void try_text(struct bytes text)
{
    struct pair_code c;
    char digits[PAIR_DIGITS_TEXT + 1], qr[PAIR_QR_TEXT + 1];
    if (pair_code_parse(text, &c, NULL) != 0)
        return;
    CHECK(c.has_digits != c.has_qr);
    if (c.has_digits)
        pair_code_digits(&c, digits);
    else
        pair_code_qr(&c, qr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_rng random;
    struct rng rng;
    struct rd r;
    uint8_t kind;
    test_rng_init(&random, 2);
    rng = test_rng_iface(&random);
    try_text(bytes_of(data, size));
    rd_init(&r, bytes_of(data, size));
    kind = rd_u8(&r);
    if (kind % 2 == 0)
        try_share(&r, &rng);
    else
        try_messages(&r, &rng, kind & 2);
    return 0;
}
