/* Pairing of two devices that both know the code, with somebody between them. The first byte chooses how the
 * code came over and what the users answer; then for each message size u16 | bytes, which are XORed onto it
 * (longer ones are appended), so that an input of zeros is an honest run. Nobody ends up with another
 * certificate than the one that the other side sent; a message that was changed ends the run for who gets it,
 * with its keys wiped. */
#include "crypto/pair.h"

#include "base/check.h"
#include "base/cursor.h"
#include "tests/support/rng.h"

#include <stddef.h>
#include <string.h>

#define MESSAGES 5
#define OUT_BYTES ((size_t)1 << 17)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
    struct device_keys keys;
    struct buf cert;
    struct pair p;
};

static void side_init(struct side *s, const char *name, const struct rng *rng)
{
    device_keys_make(&s->keys, rng);
    buf_init(&s->cert, DEVICE_CERT_BYTES_MAX);
    CHECK(device_cert_make(&s->keys, bytes_str(name), 0, &s->cert, NULL) == 0);
}

static void side_release(struct side *s)
{
    pair_wipe(&s->p);
    device_keys_wipe(&s->keys);
    buf_release(&s->cert);
}

/* Whether the message is another one now. */
static bool meddle(struct buf *message, struct rd *r)
{
    uint16_t n = rd_u16(r);
    struct bytes with = rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
    bool changed = with.n > message->n;
    for (size_t i = 0; i < with.n; i++) {
        changed = changed || with.p[i] != 0;
        if (i < message->n)
            message->p[i] ^= with.p[i];
        else
            CHECK(buf_put(message, with.p[i]) == 0);
    }
    return changed;
}

static void check_wiped(const struct pair *p)
{
    CHECK(p->state == PAIR_FAILED && secret_is_zero(&p->keys, sizeof *p - offsetof(struct pair, keys)));
}

/* True when both have the other's certificate. The last message that is to be believed was not changed. */
static bool run(struct side s[2], const struct rng *rng, struct rd *r)
{
    struct buf in, out;
    bool good = true, changed = false;
    buf_init(&in, OUT_BYTES);
    buf_init(&out, OUT_BYTES);
    for (unsigned i = 0; good && i <= MESSAGES; i++) {
        struct pair *p = &s[i % 2].p;
        buf_clear(&out);
        good = pair_step(p, rng, buf_view(&in), &out, NULL) == 0;
        if (!good)
            check_wiped(p);
        CHECK(!good || !changed || p->state != PAIR_CONFIRM);
        buf_clear(&in);
        CHECK(buf_bytes(&in, buf_view(&out)) == 0);
        changed = (good && out.n > 0 && meddle(&in, r)) || changed;
    }
    buf_release(&in);
    buf_release(&out);
    return good && s[0].p.state == PAIR_CONFIRM && s[1].p.state == PAIR_CONFIRM;
}

static void answer(struct side s[2], struct rd *r, unsigned yes)
{
    for (unsigned i = 0; i < 2; i++) {
        struct buf said, out;
        struct rng none = {0};
        struct pair *from = &s[i].p, *to = &s[1 - i].p;
        buf_init(&said, OUT_BYTES);
        buf_init(&out, OUT_BYTES);
        if (from->state == PAIR_CONFIRM && pair_answer(from, (yes >> i & 1) != 0, &said, NULL) == 0) {
            bool changed = meddle(&said, r);
            int rc = pair_step(to, &none, buf_view(&said), &out, NULL);
            CHECK(!changed || rc != 0);
        }
        buf_release(&said);
        buf_release(&out);
    }
    CHECK(s[0].p.state != PAIR_DONE || yes == 3);
    CHECK(s[1].p.state != PAIR_DONE || yes == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side s[2];
    struct test_rng random;
    struct pair_code code, typed;
    struct rd r;
    test_rng_init(&random, 4);
    struct rng rng = test_rng_iface(&random);
    rd_init(&r, bytes_of(data, size));
    uint8_t how = rd_u8(&r);
    side_init(&s[0], "joiner", &rng);
    side_init(&s[1], "host", &rng);
    pair_code_make(&code, &rng);
    typed = code;
    typed.has_digits = (how & 1) == 0;
    typed.has_qr = !typed.has_digits;
    pair_join(&s[0].p, &(struct pair_self){&s[0].keys, buf_view(&s[0].cert)}, &typed);
    pair_host(&s[1].p, &(struct pair_self){&s[1].keys, buf_view(&s[1].cert)}, &code);
    if (run(s, &rng, &r)) {
        CHECK(bytes_eq(pair_other_cert(&s[0].p), buf_view(&s[1].cert)));
        CHECK(bytes_eq(pair_other_cert(&s[1].p), buf_view(&s[0].cert)));
        answer(s, &r, how >> 1 & 3);
    }
    side_release(&s[0]);
    side_release(&s[1]);
    return 0;
}
