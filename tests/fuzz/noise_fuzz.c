/* Handshakes and transport with whatever the other side sends. The first byte chooses pattern and side; then
 * messages follow, each as size u16 | bytes. A message is what the other side sent, with the bytes XORed onto
 * it where there are any, so that an input of zeros is an honest run. Two sides that both finish have the
 * same handshake hash and understand each other; a side that failed holds nothing. */
#include "crypto/noise.h"

#include "base/check.h"
#include "base/cursor.h"
#include "tests/support/rng.h"

#include <string.h>

#define MESSAGES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct noise_protocol *const protocols[] = {&noise_ik, &noise_xx, &noise_xxpsk0};

static void start(struct noise h[2], const struct noise_protocol *protocol, const struct rng *rng)
{
    static const uint8_t psk[KEY_BYTES] = {1};
    struct dh_key s[2];
    dh_key_make(&s[0], rng);
    dh_key_make(&s[1], rng);
    for (int side = 0; side < 2; side++)
        noise_init(&h[side], &(struct noise_setup){.protocol = protocol,
                                                   .initiator = side == 0,
                                                   .own = &s[side],
                                                   .remote = side == 0 && *protocol->pre_r ? s[1].pk : NULL,
                                                   .psks = {protocol == &noise_xxpsk0 ? psk : NULL}});
}

/* What arrives in place of `message`. */
static void meddle(struct buf *message, struct rd *r)
{
    uint16_t n = rd_u16(r);
    struct bytes with = rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
    for (size_t i = 0; i < with.n; i++) {
        if (i < message->n)
            message->p[i] ^= with.p[i];
        else
            CHECK(buf_put(message, with.p[i]) == 0);
    }
}

static void check_failed_side(const struct noise *h)
{
    struct noise copy;
    memcpy(&copy, h, sizeof copy);
    CHECK(noise_failed(&copy));
    memset(&copy.state, 0, sizeof copy.state);
    CHECK(secret_is_zero(&copy, sizeof copy));
}

static void check_sessions(struct noise_session s[2], struct rd *r)
{
    struct buf sealed, got;
    struct bytes rest = rd_bytes(r, rd_left(r));
    bool same;
    buf_init(&sealed, 2 * (size_t)NOISE_MESSAGE_BYTES);
    buf_init(&got, 2 * (size_t)NOISE_MESSAGE_BYTES);
    CHECK(secret_eq(s[0].hash, s[1].hash, NOISE_HASH_BYTES));
    CHECK(noise_seal(&s[0], BYTES_NONE, BYTES_LIT("text"), &sealed) == 0);
    same = bytes_eq(rest, buf_view(&sealed));
    if (rest.n > 0)
        CHECK((noise_open(&s[1], BYTES_NONE, rest, &got) == 0) == same && s[1].failed == !same);
    else
        CHECK(noise_open(&s[1], BYTES_NONE, buf_view(&sealed), &got) == 0 && got.n == 4);
    buf_release(&sealed);
    buf_release(&got);
}

/* True when both sides are done. */
static bool run(struct noise h[2], const struct rng *rng, struct rd *r)
{
    bool good = true;
    for (unsigned i = 0; i < MESSAGES && good && noise_own_turn(&h[i % 2]); i++) {
        struct buf message, got;
        buf_init(&message, 2 * (size_t)NOISE_MESSAGE_BYTES);
        buf_init(&got, 2 * (size_t)NOISE_MESSAGE_BYTES);
        good = noise_write(&h[i % 2], rng, BYTES_LIT("payload"), &message) == 0;
        if (!good)
            check_failed_side(&h[i % 2]);
        meddle(&message, r);
        good = good && noise_read(&h[1 - i % 2], buf_view(&message), &got) == 0;
        if (!good && message.n > 0 && noise_failed(&h[1 - i % 2]))
            check_failed_side(&h[1 - i % 2]);
        buf_release(&message);
        buf_release(&got);
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct noise h[2];
    struct noise_session s[2];
    struct test_rng random;
    struct rng rng;
    struct rd r;
    test_rng_init(&random, 1);
    rng = test_rng_iface(&random);
    rd_init(&r, bytes_of(data, size));
    start(h, protocols[rd_u8(&r) % 3], &rng);
    if (run(h, &rng, &r)) {
        CHECK(noise_split(&h[0], &s[0]) == 0 && noise_split(&h[1], &s[1]) == 0);
        check_sessions(s, &r);
    }
    noise_wipe(&h[0]);
    noise_wipe(&h[1]);
    return 0;
}
