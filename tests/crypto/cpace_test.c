/* CPace against the vectors of draft 21, and against invalid points. The x25519 suite and the symmetric
 * setting of the draft are not built, so their vectors do not apply. */
#include "crypto/cpace.h"

#include "base/cursor.h"
#include "tests/crypto/kit.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <sodium.h>
#include <string.h>

#define VECTORS TEST_SOURCE "/tests/vectors/cpace.txt"
#define VALUES_MAX 32

/* One block of the file: names and values, in hex. */
struct block {
    struct bytes name[VALUES_MAX], value[VALUES_MAX];
    size_t n;
};

static bool read_block(struct kit_lines *l, struct block *b)
{
    struct bytes key, value;
    b->n = 0;
    while (kit_lines_next(l, &key, &value)) {
        if (key.n == 0)
            return true;
        assert_true(b->n < VALUES_MAX);
        b->name[b->n] = key;
        b->value[b->n++] = value;
    }
    return b->n > 0;
}

static size_t get(const struct block *b, const char *name, uint8_t *out, size_t max)
{
    struct buf v;
    size_t n;
    buf_init(&v, max);
    for (size_t i = 0; i < b->n; i++)
        if (bytes_eq(b->name[i], bytes_str(name)))
            kit_hex(b->value[i], &v);
    assert_true(v.n > 0);
    memcpy(out, v.p, v.n);
    n = v.n;
    buf_release(&v);
    return n;
}

static void skip_to(struct kit_lines *l, struct block *b, unsigned nth)
{
    kit_lines_open(l, VECTORS);
    for (unsigned i = 0; i <= nth; i++)
        assert_true(read_block(l, b));
}

/* A side of the published run. The scalar comes from 64 random bytes, reduced; it is less than the order, so
 * 32 of them as printed and 32 zeros give it. */
static void start_published(const struct block *b, const char *y_name, struct cpace *c)
{
    uint8_t prs[64], ci[64], sid[64], y[32] = {0};
    struct kit_rng fixed = {bytes_of(y, sizeof y)};
    struct rng rng = kit_rng_iface(&fixed);
    struct cpace_input in = {bytes_of(prs, get(b, "PRS", prs, sizeof prs)),
                             bytes_of(ci, get(b, "CI", ci, sizeof ci)),
                             bytes_of(sid, get(b, "sid", sid, sizeof sid))};
    assert_int_equal(get(b, y_name, y, sizeof y), sizeof y);
    cpace_start(c, &in, &rng);
    assert_memory_equal(c->y, y, sizeof y);
}

static void published_run_gives_the_same_shares_and_key(void **state)
{
    struct kit_lines l;
    struct block b;
    struct cpace c[2];
    uint8_t share[2][32], ad[2][16], isk[64], expected[64], sid_output[64];
    struct cpace_side side[2];
    struct buf transcript;
    (void)state;
    skip_to(&l, &b, 1);
    start_published(&b, "ya", &c[0]);
    start_published(&b, "yb", &c[1]);
    (void)get(&b, "Ya", share[0], 32);
    (void)get(&b, "Yb", share[1], 32);
    (void)get(&b, "ISK_IR", expected, sizeof expected);
    side[0] = (struct cpace_side){share[0], bytes_of(ad[0], get(&b, "ADa", ad[0], sizeof ad[0]))};
    side[1] = (struct cpace_side){share[1], bytes_of(ad[1], get(&b, "ADb", ad[1], sizeof ad[1]))};
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(c[i].share, share[i], 32);
        assert_int_equal(cpace_finish(&c[i], &side[0], &side[1], isk), 0);
        assert_memory_equal(isk, expected, sizeof isk);
        assert_true(secret_is_zero(&c[i], sizeof c[i]));
    }
    /* The transcript's form, by the one published value that depends on nothing else. */
    buf_init(&transcript, 1000);
    wr_bytes(&transcript, BYTES_LIT("CPaceSidOutput"));
    for (int i = 0; i < 2; i++) {
        wr_lenbytes(&transcript, bytes_of(share[i], 32));
        wr_lenbytes(&transcript, side[i].ad);
    }
    assert_int_equal(crypto_hash_sha512(sid_output, transcript.p, transcript.n), 0);
    (void)get(&b, "sid_output_ir", expected, sizeof expected);
    assert_memory_equal(sid_output, expected, sizeof expected);
    buf_release(&transcript);
    kit_lines_close(&l);
}

/* With the scalar 1 the share is the generator itself. */
static void generator_is_the_published_one(void **state)
{
    struct kit_lines l;
    struct block b;
    uint8_t prs[64], ci[64], sid[64], g[32];
    uint8_t one[64] = {1};
    struct kit_rng fixed = {bytes_of(one, sizeof one)};
    struct rng rng = kit_rng_iface(&fixed);
    struct cpace c;
    struct cpace_input in;
    (void)state;
    skip_to(&l, &b, 0);
    in = (struct cpace_input){bytes_of(prs, get(&b, "PRS", prs, sizeof prs)),
                              bytes_of(ci, get(&b, "CI", ci, sizeof ci)),
                              bytes_of(sid, get(&b, "sid", sid, sizeof sid))};
    cpace_start(&c, &in, &rng);
    (void)get(&b, "encoded_generator_g", g, sizeof g);
    assert_memory_equal(c.share, g, sizeof g);
    kit_lines_close(&l);
}

/* A state with a scalar of our choice, as after cpace_start. */
static void state_with(struct cpace *c, const uint8_t y[32])
{
    memset(c, 0, sizeof *c);
    memcpy(c->y, y, 32);
    memset(c->share, 0x55, sizeof c->share);
}

static int finish_with(const uint8_t y[32], const uint8_t point[32], bool initiator, uint8_t isk[64])
{
    struct cpace c;
    uint8_t own[32];
    struct cpace_side mine = {own, BYTES_NONE};
    struct cpace_side theirs = {point, BYTES_NONE};
    int rc;
    state_with(&c, y);
    memcpy(own, c.share, sizeof own);
    rc = cpace_finish(&c, initiator ? &mine : &theirs, initiator ? &theirs : &mine, isk);
    assert_true(secret_is_zero(&c, sizeof c));
    if (rc)
        assert_true(secret_is_zero(isk, 64));
    return rc;
}

static void published_points_are_accepted_and_refused(void **state)
{
    struct kit_lines l;
    struct block b;
    uint8_t s[32], x[32], product[32], expected[32], isk[64];
    (void)state;
    skip_to(&l, &b, 2);
    (void)get(&b, "Valid.s", s, sizeof s);
    (void)get(&b, "Valid.X", x, sizeof x);
    (void)get(&b, "Valid.G.scalar_mult_vfy(s,X)", expected, sizeof expected);
    assert_int_equal(crypto_scalarmult_ristretto255(product, s, x), 0);
    assert_memory_equal(product, expected, sizeof product);
    assert_int_equal(finish_with(s, x, true, isk), 0);
    for (int initiator = 0; initiator < 2; initiator++) {
        (void)get(&b, "Invalid_Y1", x, sizeof x);
        assert_int_equal(finish_with(s, x, initiator, isk), ERR_VERIFY);
        (void)get(&b, "Invalid_Y2", x, sizeof x); /* the identity */
        assert_int_equal(finish_with(s, x, initiator, isk), ERR_VERIFY);
    }
    kit_lines_close(&l);
}

/* The draft's prepend_len is the varint of base/cursor.h, which the code does not use for secrets. */
static void published_string_functions_agree(void **state)
{
    struct kit_lines l;
    struct block b;
    uint8_t range[128], expected[256];
    struct buf out;
    (void)state;
    skip_to(&l, &b, 3);
    buf_init(&out, 1000);
    for (int i = 0; i < 128; i++)
        range[i] = (uint8_t)i;
    wr_lenbytes(&out, bytes_of(range, 127));
    assert_int_equal(get(&b, "prepend_len(bytes(range(127)))", expected, sizeof expected), out.n);
    assert_memory_equal(out.p, expected, out.n);
    buf_clear(&out);
    wr_lenbytes(&out, bytes_of(range, 128));
    assert_int_equal(get(&b, "prepend_len(bytes(range(128)))", expected, sizeof expected), out.n);
    assert_memory_equal(out.p, expected, out.n);
    buf_clear(&out);
    wr_lenbytes(&out, BYTES_LIT("1234"));
    wr_lenbytes(&out, BYTES_LIT("5"));
    wr_lenbytes(&out, BYTES_NONE);
    wr_lenbytes(&out, BYTES_LIT("678"));
    assert_int_equal(get(&b, "lv_cat(b'1234',b'5',b'',b'678')", expected, sizeof expected), out.n);
    assert_memory_equal(out.p, expected, out.n);
    buf_release(&out);
    kit_lines_close(&l);
}

struct run {
    struct cpace c[2];
    uint8_t share[2][32], isk[2][64];
    struct bytes ad[2];
};

static void run_start(struct run *r, const char *code0, const char *code1, const char *sid1)
{
    struct test_rng t;
    struct rng rng;
    test_rng_init(&t, 5);
    rng = test_rng_iface(&t);
    cpace_start(&r->c[0], &(struct cpace_input){bytes_str(code0), BYTES_LIT("ci"), BYTES_LIT("sid")}, &rng);
    cpace_start(&r->c[1], &(struct cpace_input){bytes_str(code1), BYTES_LIT("ci"), bytes_str(sid1)}, &rng);
    for (int i = 0; i < 2; i++) {
        memcpy(r->share[i], r->c[i].share, 32);
        r->ad[i] = BYTES_LIT("ad");
    }
}

static void run_finish(struct run *r)
{
    const struct cpace_side a = {r->share[0], r->ad[0]};
    const struct cpace_side b = {r->share[1], r->ad[1]};
    assert_int_equal(cpace_finish(&r->c[0], &a, &b, r->isk[0]), 0);
    assert_int_equal(cpace_finish(&r->c[1], &a, &b, r->isk[1]), 0);
}

static void keys_agree_only_when_code_and_session_do(void **state)
{
    struct run r;
    (void)state;
    run_start(&r, "4821", "4821", "sid");
    run_finish(&r);
    assert_memory_equal(r.isk[0], r.isk[1], 64);
    run_start(&r, "4821", "4822", "sid");
    run_finish(&r);
    assert_memory_not_equal(r.isk[0], r.isk[1], 64);
    run_start(&r, "4821", "4821", "sie");
    run_finish(&r);
    assert_memory_not_equal(r.isk[0], r.isk[1], 64);
}

/* The longest field has a length of two bytes. */
static void long_fields_are_told_apart(void **state)
{
    uint8_t ad[CPACE_FIELD_BYTES] = {0};
    struct run r, q;
    (void)state;
    run_start(&r, "4821", "4821", "sid");
    run_start(&q, "4821", "4821", "sid");
    r.ad[0] = bytes_of(ad, sizeof ad);
    q.ad[0] = bytes_of(ad, sizeof ad - 1);
    run_finish(&r);
    run_finish(&q);
    assert_memory_equal(r.isk[0], r.isk[1], 64);
    assert_memory_not_equal(r.isk[0], q.isk[0], 64);
}

static void own_share_come_back_is_refused(void **state)
{
    struct run r;
    (void)state;
    run_start(&r, "4821", "4821", "sid");
    const struct cpace_side same = {r.share[0], BYTES_NONE};
    assert_int_equal(cpace_finish(&r.c[0], &same, &same, r.isk[0]), ERR_VERIFY);
    assert_true(secret_is_zero(r.isk[0], 64) && secret_is_zero(&r.c[0], sizeof r.c[0]));
}

/* Each bit of a share: what is still a valid point gives another key, what is none is refused. */
static void changed_shares_never_give_the_key(void **state)
{
    struct run honest;
    unsigned refused = 0;
    (void)state;
    run_start(&honest, "4821", "4821", "sid");
    run_finish(&honest);
    for (unsigned bit = 0; bit < 256; bit++) {
        struct run r;
        uint8_t bad[32];
        run_start(&r, "4821", "4821", "sid");
        memcpy(bad, r.share[1], 32);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const struct cpace_side a = {r.share[0], r.ad[0]};
        const struct cpace_side b = {bad, r.ad[1]};
        if (cpace_finish(&r.c[0], &a, &b, r.isk[0]))
            refused++;
        assert_memory_not_equal(r.isk[0], honest.isk[0], 64);
    }
    assert_true(refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_run_gives_the_same_shares_and_key),
        cmocka_unit_test(generator_is_the_published_one),
        cmocka_unit_test(published_points_are_accepted_and_refused),
        cmocka_unit_test(published_string_functions_agree),
        cmocka_unit_test(keys_agree_only_when_code_and_session_do),
        cmocka_unit_test(long_fields_are_told_apart),
        cmocka_unit_test(own_share_come_back_is_refused),
        cmocka_unit_test(changed_shares_never_give_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
