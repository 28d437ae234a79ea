/* Epoch keys: sealed to members, wrapped for their successors; and the sealed box and the AEAD below them. */
#include "crypto/epoch.h"

#include "base/cursor.h"
#include "tests/crypto/kit.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <sodium.h>
#include <string.h>

struct scene {
    struct test_rng random;
    struct rng rng;
    struct dh_key member;
    uint8_t key[KEY_BYTES], previous[KEY_BYTES];
    struct epoch_binding binding;
    struct epoch_link link;
};

static void scene_init(struct scene *s)
{
    test_rng_init(&s->random, 1);
    s->rng = test_rng_iface(&s->random);
    dh_key_make(&s->member, &s->rng);
    epoch_make(&s->rng, s->key);
    epoch_make(&s->rng, s->previous);
    rng_fill(&s->rng, &s->binding, sizeof s->binding);
    epoch_id(s->key, &s->binding.epoch);
    s->link.group = s->binding.group;
    epoch_id(s->previous, &s->link.previous);
}

static void sealed(struct scene *s, struct buf *out)
{
    buf_init(out, EPOCH_SEALED_BYTES);
    assert_int_equal(epoch_seal(&s->binding, s->key, s->member.pk, &s->rng, out), 0);
    assert_int_equal(out->n, EPOCH_SEALED_BYTES);
}

static void wrapped(struct scene *s, struct buf *out)
{
    buf_init(out, EPOCH_WRAPPED_BYTES);
    assert_int_equal(epoch_wrap(&s->link.group, s->key, s->previous, &s->rng, out), 0);
    assert_int_equal(out->n, EPOCH_WRAPPED_BYTES);
}

static int unseal(const struct scene *s, struct bytes in)
{
    uint8_t key[KEY_BYTES];
    int rc = epoch_unseal(&s->binding, in, &s->member, key, NULL);
    if (rc)
        assert_true(secret_is_zero(key, sizeof key));
    else
        assert_memory_equal(key, s->key, sizeof key);
    return rc;
}

static int unwrap(const struct scene *s, struct bytes in)
{
    uint8_t key[KEY_BYTES];
    int rc = epoch_unwrap(&s->link, in, s->key, key, NULL);
    if (rc)
        assert_true(secret_is_zero(key, sizeof key));
    else
        assert_memory_equal(key, s->previous, sizeof key);
    return rc;
}

static void member_gets_the_key_and_nobody_else(void **state)
{
    struct scene s;
    struct buf out;
    (void)state;
    scene_init(&s);
    sealed(&s, &out);
    assert_int_equal(unseal(&s, buf_view(&out)), 0);
    dh_key_make(&s.member, &s.rng);
    assert_int_equal(unseal(&s, buf_view(&out)), ERR_VERIFY);
    buf_release(&out);
}

static void sealed_key_is_bound_to_group_epoch_and_recipient(void **state)
{
    struct scene s;
    struct buf out;
    struct id *const ids[] = {&s.binding.group, &s.binding.epoch, &s.binding.recipient};
    (void)state;
    scene_init(&s);
    sealed(&s, &out);
    for (int i = 0; i < 3; i++) {
        ids[i]->b[15] ^= 1;
        assert_int_equal(unseal(&s, buf_view(&out)), ERR_VERIFY);
        ids[i]->b[15] ^= 1;
    }
    buf_release(&out);
}

/* Whoever seals can write anything; the id of an epoch still has one key only. */
static void key_that_is_not_the_epochs_is_refused(void **state)
{
    struct scene s;
    struct buf plain, out;
    (void)state;
    scene_init(&s);
    for (int i = 0; i < 2; i++) {
        buf_init(&plain, 200);
        buf_init(&out, 200);
        wr_u8(&plain, 1);
        wr_u8(&plain, 1);
        wr_bytes(&plain, bytes_of(s.binding.group.b, 16));
        wr_bytes(&plain, bytes_of(s.binding.epoch.b, 16));
        wr_bytes(&plain, bytes_of(s.binding.recipient.b, 16));
        wr_bytes(&plain, bytes_of(i ? s.previous : s.key, KEY_BYTES));
        assert_int_equal(seal_to(s.member.pk, &s.rng, buf_view(&plain), &out), 0);
        assert_int_equal(unseal(&s, buf_view(&out)), i ? ERR_VERIFY : 0);
        buf_release(&plain);
        buf_release(&out);
    }
}

static void changed_sealed_and_wrapped_keys_are_refused(void **state)
{
    struct scene s;
    struct buf a, b;
    (void)state;
    scene_init(&s);
    sealed(&s, &a);
    wrapped(&s, &b);
    for (size_t n = 0; n < a.n; n++)
        assert_int_equal(unseal(&s, bytes_slice(buf_view(&a), 0, n)), ERR_FORMAT);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(unwrap(&s, bytes_slice(buf_view(&b), 0, n)), ERR_FORMAT);
    for (size_t bit = 0; bit < a.n * 8; bit++) {
        a.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(unseal(&s, buf_view(&a)), ERR_VERIFY);
        a.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(unwrap(&s, buf_view(&b)) != 0);
        b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    b.p[0] = 2;
    assert_int_equal(unwrap(&s, buf_view(&b)), ERR_VERSION);
    buf_release(&a);
    buf_release(&b);
}

static void chain_of_epochs_leads_back(void **state)
{
    struct scene s;
    struct buf out;
    (void)state;
    scene_init(&s);
    wrapped(&s, &out);
    assert_int_equal(unwrap(&s, buf_view(&out)), 0);
    s.link.group.b[0] ^= 1;
    assert_int_equal(unwrap(&s, buf_view(&out)), ERR_VERIFY);
    s.link.group.b[0] ^= 1;
    s.link.previous.b[0] ^= 1;
    assert_int_equal(unwrap(&s, buf_view(&out)), ERR_VERIFY);
    s.link.previous.b[0] ^= 1;
    s.key[0] ^= 1;
    assert_int_equal(unwrap(&s, buf_view(&out)), ERR_VERIFY);
    buf_release(&out);
}

static void nothing_is_sealed_to_a_key_of_low_order(void **state)
{
    struct scene s;
    struct buf out;
    (void)state;
    scene_init(&s);
    buf_init(&out, EPOCH_SEALED_BYTES);
    for (int i = 0; i < KIT_LOW_POINTS; i++) {
        uint8_t pk[KEY_BYTES];
        kit_hex_fixed(bytes_str(kit_low_points[i]), pk, sizeof pk);
        assert_int_equal(epoch_seal(&s.binding, s.key, pk, &s.rng, &out), ERR_VERIFY);
    }
    assert_int_equal(out.n, 0);
    buf_release(&out);
}

/* Both ways with libsodium's own functions: the sealed box is the one that others know. */
static void sealed_box_is_libsodiums(void **state)
{
    static const uint8_t text[] = "for the recipient only";
    struct scene s;
    struct buf ours, got;
    uint8_t theirs[sizeof text + crypto_box_SEALBYTES], plain[sizeof text];
    (void)state;
    scene_init(&s);
    buf_init(&ours, 200);
    buf_init(&got, 200);
    assert_int_equal(seal_to(s.member.pk, &s.rng, bytes_of(text, sizeof text), &ours), 0);
    assert_int_equal(crypto_box_seal_open(plain, ours.p, ours.n, s.member.pk, s.member.sk), 0);
    assert_memory_equal(plain, text, sizeof text);
    assert_int_equal(crypto_box_seal(theirs, text, sizeof text, s.member.pk), 0);
    assert_int_equal(seal_open(&s.member, bytes_of(theirs, sizeof theirs), &got), 0);
    assert_true(bytes_eq(buf_view(&got), bytes_of(text, sizeof text)));
    assert_int_equal(seal_open(&s.member, bytes_of(theirs, 47), &got), ERR_FORMAT);
    buf_release(&ours);
    buf_release(&got);
}

/* The AEAD with nothing inside, and with each of its inputs changed. */
static void aead_is_bound_to_key_label_nonce_and_data(void **state)
{
    uint8_t key[KEY_BYTES] = {1}, other[KEY_BYTES] = {2}, nonce[AEAD_NONCE_BYTES] = {3};
    struct aead a = {key, "label", BYTES_LIT("data")};
    struct aead wrong[3] = {a, a, a};
    struct buf out, got;
    (void)state;
    wrong[0].key = other;
    wrong[1].label = "labe";
    wrong[2].ad = BYTES_LIT("dat");
    for (int full = 0; full < 2; full++) {
        struct bytes plain = full ? BYTES_LIT("plain") : BYTES_NONE;
        buf_init(&out, 200);
        buf_init(&got, 200);
        assert_int_equal(aead_seal(&a, nonce, plain, &out), 0);
        assert_int_equal(out.n, plain.n + AEAD_EXTRA_BYTES);
        assert_int_equal(aead_open(&a, buf_view(&out), &got), 0);
        assert_true(bytes_eq(buf_view(&got), plain));
        buf_clear(&got);
        for (int i = 0; i < 3; i++)
            assert_int_equal(aead_open(&wrong[i], buf_view(&out), &got), ERR_VERIFY);
        for (size_t n = 0; n < out.n; n++)
            assert_true(aead_open(&a, bytes_slice(buf_view(&out), 0, n), &got) != 0);
        for (size_t bit = 0; bit < out.n * 8; bit++) {
            out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(aead_open(&a, buf_view(&out), &got), ERR_VERIFY);
            out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(got.n, 0);
        buf_release(&out);
        buf_release(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_gets_the_key_and_nobody_else),
        cmocka_unit_test(sealed_key_is_bound_to_group_epoch_and_recipient),
        cmocka_unit_test(key_that_is_not_the_epochs_is_refused),
        cmocka_unit_test(changed_sealed_and_wrapped_keys_are_refused),
        cmocka_unit_test(chain_of_epochs_leads_back),
        cmocka_unit_test(nothing_is_sealed_to_a_key_of_low_order),
        cmocka_unit_test(sealed_box_is_libsodiums),
        cmocka_unit_test(aead_is_bound_to_key_label_nonce_and_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
