/* Device keys and certificates. */
#include "crypto/device.h"

#include "base/limits.h"
#include "crypto/label.h"
#include "tests/crypto/kit.h"
#include "tests/support/unit.h"

#include <string.h>

#define NOW INT64_C(1800000000000)

static void make(const struct device_keys *k, const char *name, struct buf *out)
{
    buf_init(out, DEVICE_CERT_BYTES_MAX);
    assert_int_equal(device_cert_make(k, bytes_str(name), NOW, out, NULL), 0);
}

static void certificate_opens_to_what_went_in(void **state)
{
    struct device_keys k;
    struct device_cert c;
    struct buf cert;
    struct id id;
    (void)state;
    kit_keys(&k, 1);
    make(&k, "caf\xc3\xa9 laptop", &cert);
    assert_int_equal(device_cert_open(buf_view(&cert), &c, NULL), 0);
    assert_string_equal(c.name, "caf\xc3\xa9 laptop");
    assert_int_equal(c.created_ms, NOW);
    assert_memory_equal(c.sign_pk, k.sign.pk, 32);
    assert_memory_equal(c.noise_pk, k.noise.pk, 32);
    assert_memory_equal(c.seal_pk, k.seal.pk, 32);
    device_id_of(k.sign.pk, &id);
    assert_true(id_eq(&c.device, &id));
    buf_release(&cert);
}

static void every_truncation_extension_and_flip_is_refused(void **state)
{
    struct device_keys k;
    struct device_cert c;
    struct buf cert;
    (void)state;
    kit_keys(&k, 2);
    make(&k, "laptop", &cert);
    for (size_t n = 0; n < cert.n; n++)
        assert_int_equal(device_cert_open(bytes_slice(buf_view(&cert), 0, n), &c, NULL), ERR_FORMAT);
    for (size_t bit = 0; bit < cert.n * 8; bit++) {
        cert.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(device_cert_open(buf_view(&cert), &c, NULL) != 0);
        assert_true(secret_is_zero(&c, sizeof c));
        cert.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(buf_put(&cert, 0), 0);
    assert_int_equal(device_cert_open(buf_view(&cert), &c, NULL), ERR_FORMAT);
    buf_release(&cert);
}

/* Signed by its owner, who claims the id of another device. */
static void id_that_is_not_the_keys_is_refused(void **state)
{
    struct device_keys k;
    struct device_cert c;
    struct buf cert;
    struct bytes text;
    (void)state;
    kit_keys(&k, 11);
    make(&k, "laptop", &cert);
    text = bytes_of(cert.p, cert.n - SIGN_BYTES);
    for (int claims = 1; claims >= 0; claims--) {
        cert.p[2] ^= 1;
        sign_make(&k.sign, LABEL_SIGN_CERT, &text, 1, cert.p + text.n);
        assert_int_equal(device_cert_open(buf_view(&cert), &c, NULL), claims ? ERR_VERIFY : 0);
    }
    buf_release(&cert);
}

static void newer_certificates_are_told_apart(void **state)
{
    struct device_keys k;
    struct device_cert c;
    struct buf cert;
    (void)state;
    kit_keys(&k, 3);
    make(&k, "laptop", &cert);
    cert.p[0] = 2;
    assert_int_equal(device_cert_open(buf_view(&cert), &c, NULL), ERR_VERSION);
    cert.p[0] = 1, cert.p[1] = 9;
    assert_int_equal(device_cert_open(buf_view(&cert), &c, NULL), ERR_VERSION);
    buf_release(&cert);
}

static void names_are_text_of_limited_length(void **state)
{
    static const char *const bad[] = {"",     "two\nlines", "bell\x07", "\x7f", "c1 \xc2\x85",
                                      "\xff", "cut \xc3"};
    char longest[DEVICE_NAME_BYTES + 2];
    struct device_keys k;
    struct buf out;
    (void)state;
    kit_keys(&k, 4);
    buf_init(&out, DEVICE_CERT_BYTES_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(device_cert_make(&k, bytes_str(bad[i]), NOW, &out, NULL), ERR_FORMAT);
    memset(longest, 'x', sizeof longest);
    assert_int_equal(device_cert_make(&k, bytes_of(longest, DEVICE_NAME_BYTES + 1), NOW, &out, NULL),
                     ERR_FORMAT);
    assert_int_equal(device_cert_make(&k, BYTES_LIT("ok"), -1, &out, NULL), ERR_LIMIT);
    assert_int_equal(device_cert_make(&k, BYTES_LIT("ok"), LIMIT_TIME_MS_MAX + 1, &out, NULL), ERR_LIMIT);
    assert_int_equal(out.n, 0);
    assert_int_equal(device_cert_make(&k, bytes_of(longest, DEVICE_NAME_BYTES), NOW, &out, NULL), 0);
    assert_int_equal(out.n, DEVICE_CERT_BYTES_MAX);
    buf_release(&out);
}

/* Signed by its own owner, and still refused: no key of others may be of low order. */
static void certified_keys_of_low_order_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < KIT_LOW_POINTS; i++) {
        for (int which = 0; which < 2; which++) {
            struct device_keys k;
            struct device_cert c;
            struct buf cert;
            kit_keys(&k, 5);
            kit_hex_fixed(bytes_str(kit_low_points[i]), which ? k.noise.pk : k.seal.pk, KEY_BYTES);
            make(&k, "laptop", &cert);
            assert_int_equal(device_cert_open(buf_view(&cert), &c, NULL), ERR_VERIFY);
            buf_release(&cert);
        }
    }
}

static void keys_survive_the_way_to_the_key_file(void **state)
{
    struct device_keys k, again;
    struct buf out;
    (void)state;
    kit_keys(&k, 6);
    buf_init(&out, DEVICE_KEYS_BYTES);
    assert_int_equal(device_keys_encode(&k, &out), 0);
    assert_int_equal(out.n, DEVICE_KEYS_BYTES);
    assert_int_equal(device_keys_decode(buf_view(&out), &again, NULL), 0);
    assert_memory_equal(&k, &again, sizeof k);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(device_keys_decode(bytes_slice(buf_view(&out), 0, n), &again, NULL), ERR_FORMAT);
    out.p[0] = 2;
    assert_int_equal(device_keys_decode(buf_view(&out), &again, NULL), ERR_VERSION);
    device_keys_wipe(&k);
    assert_true(secret_is_zero(&k, sizeof k));
    buf_release(&out);
}

static void derived_keys_depend_on_the_secret_alone_and_differ(void **state)
{
    uint8_t secret[KEY_BYTES] = {7};
    struct device_keys a, b;
    (void)state;
    device_keys_derive(&a, secret);
    device_keys_derive(&b, secret);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.noise.sk, a.seal.sk, KEY_BYTES);
    assert_memory_not_equal(a.noise.sk, a.sign.seed, KEY_BYTES);
    secret[31] = 1;
    device_keys_derive(&b, secret);
    assert_memory_not_equal(a.sign.pk, b.sign.pk, 32);
}

static void signatures_are_bound_to_label_key_and_message(void **state)
{
    struct device_keys k, other;
    struct bytes parts[2] = {BYTES_LIT("one"), BYTES_LIT("two")};
    struct bytes joined[1] = {BYTES_LIT("onetwo")};
    uint8_t sig[SIGN_BYTES];
    (void)state;
    kit_keys(&k, 8);
    kit_keys(&other, 9);
    sign_make(&k.sign, "label", parts, 2, sig);
    assert_int_equal(sign_verify(k.sign.pk, "label", parts, 2, sig), 0);
    assert_int_equal(sign_verify(k.sign.pk, "label", joined, 1, sig), 0);
    assert_int_equal(sign_verify(k.sign.pk, "labe", joined, 1, sig), ERR_VERIFY);
    assert_int_equal(sign_verify(k.sign.pk, "label", parts, 1, sig), ERR_VERIFY);
    assert_int_equal(sign_verify(other.sign.pk, "label", parts, 2, sig), ERR_VERIFY);
    for (size_t bit = 0; bit < sizeof sig * 8; bit++) {
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sign_verify(k.sign.pk, "label", parts, 2, sig), ERR_VERIFY);
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* S + L is the same signature to a verifier that does not check; libsodium does. */
static void signatures_have_one_form(void **state)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct device_keys k;
    struct bytes part = BYTES_LIT("message");
    uint8_t sig[SIGN_BYTES];
    unsigned carry = 0;
    (void)state;
    kit_keys(&k, 10);
    sign_make(&k.sign, "label", &part, 1, sig);
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(sign_verify(k.sign.pk, "label", &part, 1, sig), ERR_VERIFY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_opens_to_what_went_in),
        cmocka_unit_test(every_truncation_extension_and_flip_is_refused),
        cmocka_unit_test(id_that_is_not_the_keys_is_refused),
        cmocka_unit_test(newer_certificates_are_told_apart),
        cmocka_unit_test(names_are_text_of_limited_length),
        cmocka_unit_test(certified_keys_of_low_order_are_refused),
        cmocka_unit_test(keys_survive_the_way_to_the_key_file),
        cmocka_unit_test(derived_keys_depend_on_the_secret_alone_and_differ),
        cmocka_unit_test(signatures_are_bound_to_label_key_and_message),
        cmocka_unit_test(signatures_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
