/* Does the code of crypto/ branch on a secret, or use one as an index? Run by valgrind (tests/nightly.sh
 * constant_time): what is secret is marked undefined, and memcheck then reports every jump and address that
 * depends on it. What the protocol makes public is declared so in the product, SECRET_PUBLIC, each time with
 * its reason. What one side sends is public, too. Reports from within libsodium are not ours:
 * tests/analysis/constant_time.supp.
 *
 * The last case branches on a secret on purpose, and must be noticed. */
#include "crypto/cpace.h"
#include "crypto/epoch.h"
#include "crypto/frame.h"
#include "crypto/keyfile.h"
#include "crypto/noise.h"

#include "base/check.h"
#include "crypto/beacon.h"
#include "tests/crypto/kit.h"
#include "tests/support/rng.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

static struct test_rng seeded;

/* All randomness is secret. */
static void secret_fill(void *ctx, void *p, size_t n)
{
    struct rng rng = test_rng_iface(ctx);
    rng_fill(&rng, p, n);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

static const struct rng secrets = {secret_fill, &seeded};

static void sent(const struct buf *b)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(b->p, b->n);
}

static void key_file(enum keyfile_kind kind)
{
    static const char pass[] = "correct horse battery staple pad";
    char secret[KEY_BYTES + 1];
    memcpy(secret, pass, sizeof secret);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, KEY_BYTES);
    const struct keyfile_unlock u = {kind, kind == KEYFILE_PLAIN ? BYTES_NONE : bytes_of(secret, KEY_BYTES)};
    const struct keyfile_cost cost = {1, KEYFILE_MEMORY_KIB_MIN};
    struct keyfile k, again;
    struct buf file;
    buf_init(&file, KEYFILE_BYTES_MAX);
    CHECK(keyfile_new(&k, &secrets, bytes_of(secret, KEY_BYTES)) == 0);
    CHECK(keyfile_put_slot(&k, &u, kind == KEYFILE_PASSPHRASE ? &cost : NULL, &secrets, NULL) == 0);
    CHECK(keyfile_encode(&k, &secrets, &file) == 0);
    sent(&file);
    CHECK(keyfile_open(&again, buf_view(&file), &u, NULL) == 0);
    keyfile_release(&k);
    keyfile_release(&again);
    buf_release(&file);
}

static void key_file_plain(void)
{
    key_file(KEYFILE_PLAIN);
}

static void key_file_passphrase(void)
{
    key_file(KEYFILE_PASSPHRASE);
}

static void key_file_recovery(void)
{
    key_file(KEYFILE_RECOVERY);
}

static void wrong_key_is_refused(void)
{
    uint8_t key[KEY_BYTES], other[KEY_BYTES], nonce[AEAD_NONCE_BYTES] = {0};
    struct buf sealed, out;
    rng_fill(&secrets, key, sizeof key);
    rng_fill(&secrets, other, sizeof other);
    buf_init(&sealed, 1024);
    buf_init(&out, 1024);
    CHECK(aead_seal(&(struct aead){key, "test", BYTES_NONE}, nonce, bytes_of(other, KEY_BYTES), &sealed) ==
          0);
    sent(&sealed);
    CHECK(aead_open(&(struct aead){other, "test", BYTES_NONE}, buf_view(&sealed), &out) == ERR_VERIFY);
    CHECK(aead_open(&(struct aead){key, "test", BYTES_NONE}, buf_view(&sealed), &out) == 0);
    secret_buf_release(&out);
    buf_release(&sealed);
}

static void pass_on(struct noise *from, struct noise *to, struct bytes payload)
{
    struct buf m, got;
    buf_init(&m, 4096);
    buf_init(&got, 4096);
    CHECK(noise_write(from, &secrets, payload, &m) == 0);
    sent(&m);
    CHECK(noise_read(to, buf_view(&m), &got) == 0);
    buf_release(&m);
    secret_buf_release(&got);
}

static void transport(struct noise *a, struct noise *b, struct bytes payload)
{
    struct noise_session sa, sb;
    struct buf m, got;
    buf_init(&m, 4096);
    buf_init(&got, 4096);
    CHECK(noise_split(a, &sa) == 0 && noise_split(b, &sb) == 0);
    CHECK(noise_seal(&sa, BYTES_NONE, payload, &m) == 0);
    sent(&m);
    CHECK(noise_open(&sb, BYTES_NONE, buf_view(&m), &got) == 0);
    noise_rekey(&sa.send);
    buf_release(&m);
    secret_buf_release(&got);
    noise_session_wipe(&sa);
    noise_session_wipe(&sb);
}

static void handshake(const struct noise_protocol *p, const uint8_t *psk)
{
    struct dh_key a, b;
    struct noise na, nb;
    uint8_t content[100];
    const struct bytes payload = bytes_of(content, sizeof content);
    dh_key_make(&a, &secrets);
    dh_key_make(&b, &secrets);
    rng_fill(&secrets, content, sizeof content);
    noise_init(&na, &(struct noise_setup){.protocol = p,
                                          .initiator = true,
                                          .own = &a,
                                          .remote = p->pre_r[0] != '\0' ? b.pk : NULL,
                                          .psks = {psk}});
    noise_init(&nb, &(struct noise_setup){.protocol = p, .own = &b, .psks = {psk}});
    pass_on(&na, &nb, payload);
    pass_on(&nb, &na, payload);
    if (noise_own_turn(&na))
        pass_on(&na, &nb, payload);
    transport(&na, &nb, payload);
}

static void sessions(void)
{
    handshake(&noise_ik, NULL);
}

static void pairing(void)
{
    struct cpace a, b;
    uint8_t code[8] = "48217309", ia[CPACE_ISK_BYTES], ib[CPACE_ISK_BYTES];
    (void)VALGRIND_MAKE_MEM_UNDEFINED(code, sizeof code);
    const struct cpace_input in = {bytes_of(code, sizeof code), BYTES_LIT("channel"), BYTES_LIT("session")};
    cpace_start(&a, &in, &secrets);
    cpace_start(&b, &in, &secrets);
    uint8_t ya[CPACE_SHARE_BYTES], yb[CPACE_SHARE_BYTES];
    memcpy(ya, a.share, sizeof ya);
    memcpy(yb, b.share, sizeof yb);
    const struct cpace_side sa = {ya, BYTES_NONE}, sb = {yb, BYTES_NONE};
    CHECK(cpace_finish(&a, &sa, &sb, ia) == 0 && cpace_finish(&b, &sa, &sb, ib) == 0);
    CHECK(secret_eq(ia, ib, sizeof ia));
    handshake(&noise_xxpsk0, ia);
}

static void frames(void)
{
    uint8_t epoch[KEY_BYTES], seed[KEY_BYTES], ops[300];
    struct sign_key sign;
    struct frame_header h = {.first = 1, .count = 1};
    struct frame f;
    struct buf out, got;
    rng_fill(&secrets, epoch, sizeof epoch);
    rng_fill(&secrets, seed, sizeof seed);
    rng_fill(&secrets, ops, sizeof ops);
    sign_key_from_seed(&sign, seed);
    buf_init(&out, 4096);
    buf_init(&got, 4096);
    CHECK(frame_seal(&h, &(struct frame_keys){epoch, &sign}, &secrets, bytes_of(ops, sizeof ops), &out) == 0);
    sent(&out);
    CHECK(frame_decode(buf_view(&out), &f, NULL) == 0 && frame_verify(&f, sign.pk, NULL) == 0);
    CHECK(frame_open(&f, epoch, &got, NULL) == 0);
    buf_release(&out);
    secret_buf_release(&got);
}

static void epochs(void)
{
    struct dh_key own;
    uint8_t key[KEY_BYTES], old[KEY_BYTES], got[KEY_BYTES];
    struct epoch_binding b = {0};
    struct epoch_link l = {0};
    struct buf out;
    dh_key_make(&own, &secrets);
    epoch_make(&secrets, key);
    epoch_make(&secrets, old);
    epoch_id(key, &b.epoch);
    epoch_id(old, &l.previous);
    buf_init(&out, 4096);
    CHECK(epoch_seal(&b, key, own.pk, &secrets, &out) == 0);
    sent(&out);
    CHECK(epoch_unseal(&b, buf_view(&out), &own, got, NULL) == 0);
    out.n = 0;
    CHECK(epoch_wrap(&l.group, key, old, &secrets, &out) == 0);
    sent(&out);
    CHECK(epoch_unwrap(&l, buf_view(&out), key, got, NULL) == 0);
    buf_release(&out);
}

static void beacons(void)
{
    uint8_t secret[KEY_BYTES], out[BEACON_BYTES];
    rng_fill(&secrets, secret, sizeof secret);
    beacon_make(secret, 1800000000000, &secrets, BYTES_LIT("port"), out);
    (void)VALGRIND_MAKE_MEM_DEFINED(out, sizeof out);
    CHECK(beacon_check(secret, 1800000000000, BYTES_LIT("port"), out));
}

static void a_branch_on_a_secret(void)
{
    volatile uint8_t secret[1];
    rng_fill(&secrets, (void *)secret, 1);
    if (secret[0] > 127)
        puts("a branch on purpose");
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
        bool found; /* must be noticed */
    } cases[] = {{"key file, plain", key_file_plain, false},
                 {"key file, passphrase", key_file_passphrase, false},
                 {"key file, recovery words", key_file_recovery, false},
                 {"sealing under a key", wrong_key_is_refused, false},
                 {"session (IK)", sessions, false},
                 {"pairing (CPace, XXpsk0)", pairing, false},
                 {"frames", frames, false},
                 {"epoch keys", epochs, false},
                 {"beacons", beacons, false},
                 {"a branch on purpose", a_branch_on_a_secret, true}};
    int bad = 0;
    test_rng_init(&seeded, 1);
    if (!RUNNING_ON_VALGRIND || crypt_start() != 0)
        return 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned before = VALGRIND_COUNT_ERRORS;
        cases[i].run();
        unsigned n = VALGRIND_COUNT_ERRORS - before;
        bool ok = (n > 0) == cases[i].found;
        bad += !ok;
        printf("%s  %-26s %u reports\n", ok ? "ok    " : "FAILED", cases[i].name, n);
    }
    return bad != 0;
}
