/* The key file: each slot opens it, nothing else does, and damage is told from a wrong passphrase. */
#include "crypto/keyfile.h"

#include "crypto/hash.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

/* The least that is allowed: these tests are not about Argon2id. */
static const struct keyfile_cost cheap = {1, KEYFILE_MEMORY_KIB_MIN};
static const uint8_t words[KEY_BYTES] = {9, 8, 7};
#define PAYLOAD BYTES_LIT("the secret payload of the key file")

static const struct keyfile_unlock plain = {KEYFILE_PLAIN, {NULL, 0}};

static struct keyfile_unlock by_passphrase(const char *text)
{
    return (struct keyfile_unlock){KEYFILE_PASSPHRASE, bytes_str(text)};
}

static struct keyfile_unlock by_words(void)
{
    return (struct keyfile_unlock){KEYFILE_RECOVERY, bytes_of(words, sizeof words)};
}

struct scene {
    struct test_rng random;
    struct rng rng;
    struct keyfile k;
    struct buf file;
};

static void put(struct scene *s, struct keyfile_unlock u)
{
    assert_int_equal(keyfile_put_slot(&s->k, &u, u.kind == KEYFILE_PASSPHRASE ? &cheap : NULL, &s->rng, NULL),
                     0);
}

static void encode(struct scene *s)
{
    buf_clear(&s->file);
    assert_int_equal(keyfile_encode(&s->k, &s->rng, &s->file), 0);
}

/* With every slot whose bit (1 plain, 2 passphrase, 4 recovery) is set. */
static void scene_init(struct scene *s, unsigned slots)
{
    test_rng_init(&s->random, 77);
    s->rng = test_rng_iface(&s->random);
    assert_int_equal(keyfile_new(&s->k, &s->rng, PAYLOAD), 0);
    buf_init(&s->file, KEYFILE_BYTES_MAX);
    if (slots & 1)
        put(s, plain);
    if (slots & 2)
        put(s, by_passphrase("correct horse"));
    if (slots & 4)
        put(s, by_words());
    encode(s);
}

static void scene_release(struct scene *s)
{
    keyfile_release(&s->k);
    buf_release(&s->file);
}

static int open_with(const struct scene *s, struct keyfile_unlock u, struct bytes payload)
{
    struct keyfile k;
    struct err e = ERR_INIT;
    int rc = keyfile_open(&k, buf_view(&s->file), &u, &e);
    if (rc == 0) {
        assert_true(bytes_eq(buf_view(&k.payload), payload));
        keyfile_release(&k);
    }
    assert_int_equal(rc, e.code);
    if (rc == ERR_LOCKED)
        assert_true(e.hint[0] != 0);
    assert_true(secret_is_zero(&k, sizeof k));
    return rc;
}

static void each_slot_opens_the_file(void **state)
{
    (void)state;
    for (unsigned slots = 1; slots < 8; slots++) {
        struct scene s;
        bool has[KEYFILE_KINDS];
        scene_init(&s, slots);
        assert_int_equal(keyfile_kinds(buf_view(&s.file), has, NULL), 0);
        for (int kind = 0; kind < KEYFILE_KINDS; kind++)
            assert_int_equal(has[kind], slots >> kind & 1u);
        assert_int_equal(open_with(&s, plain, PAYLOAD), slots & 1 ? 0 : ERR_LOCKED);
        assert_int_equal(open_with(&s, by_passphrase("correct horse"), PAYLOAD), slots & 2 ? 0 : ERR_LOCKED);
        assert_int_equal(open_with(&s, by_words(), PAYLOAD), slots & 4 ? 0 : ERR_LOCKED);
        scene_release(&s);
    }
}

static void wrong_secrets_are_locked_out_with_a_hint(void **state)
{
    static const char *const wrong[] = {"correct hors", "correct horse ", "Correct horse", ""};
    struct scene s;
    uint8_t other[KEY_BYTES] = {9, 8, 6};
    (void)state;
    scene_init(&s, 7);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(open_with(&s, by_passphrase(wrong[i]), PAYLOAD), ERR_LOCKED);
    assert_int_equal(
        open_with(&s, (struct keyfile_unlock){KEYFILE_RECOVERY, bytes_of(other, sizeof other)}, PAYLOAD),
        ERR_LOCKED);
    scene_release(&s);
}

static void every_truncation_extension_and_flip_is_damage(void **state)
{
    struct scene s;
    struct keyfile k;
    size_t whole;
    (void)state;
    scene_init(&s, 7);
    whole = s.file.n;
    for (size_t bit = 0; bit < whole * 8; bit++) {
        int rc;
        s.file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rc = keyfile_open(&k, buf_view(&s.file), &plain, NULL);
        assert_int_equal(rc, bit < 64 ? ERR_FORMAT : ERR_VERIFY);
        s.file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (s.file.n = 0; s.file.n < whole; s.file.n++) {
        int rc = keyfile_open(&k, buf_view(&s.file), &plain, NULL);
        assert_true(rc == ERR_FORMAT || rc == ERR_VERIFY);
    }
    assert_int_equal(buf_put(&s.file, 0), 0);
    assert_int_equal(keyfile_open(&k, buf_view(&s.file), &plain, NULL), ERR_VERIFY);
    scene_release(&s);
}

static void mend_checksum(struct buf *file)
{
    struct hash sum;
    struct bytes all = bytes_of(file->p, file->n - HASH_BYTES);
    hash_parts(&sum, &all, 1);
    memcpy(file->p + all.n, sum.b, HASH_BYTES);
}

/* Whoever changes a file can mend its checksum, but not what the keys authenticate: neither slot nor payload
 * opens, whichever of them was changed. */
static void changes_with_a_mended_checksum_are_refused(void **state)
{
    struct scene s;
    struct keyfile k;
    (void)state;
    scene_init(&s, 5);
    for (size_t bit = 64; bit < (s.file.n - HASH_BYTES) * 8; bit++) {
        struct keyfile_unlock words_u = by_words();
        s.file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        mend_checksum(&s.file);
        assert_true(keyfile_open(&k, buf_view(&s.file), &plain, NULL) != 0);
        assert_true(keyfile_open(&k, buf_view(&s.file), &words_u, NULL) != 0);
        s.file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    scene_release(&s);
}

/* Offsets: magic 8, version, suite, id 16, count; then the passphrase slot: kind, passes 4, memory 4. */
static void hostile_costs_are_refused_before_any_work(void **state)
{
    static const struct {
        unsigned passes, memory;
    } bad[] = {{0, 8},
               {KEYFILE_PASSES_MAX + 1, 8},
               {1, 7},
               {1, KEYFILE_MEMORY_KIB_MAX + 1},
               {UINT32_MAX, UINT32_MAX}};
    struct scene s;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct keyfile_cost cost = {bad[i].passes, bad[i].memory};
        struct keyfile_unlock u = by_passphrase("correct horse");
        scene_init(&s, 2);
        assert_int_equal(keyfile_put_slot(&s.k, &u, &cost, &s.rng, NULL), ERR_LIMIT);
        for (int b = 0; b < 4; b++) {
            s.file.p[28 + b] = (uint8_t)(bad[i].passes >> (24 - 8 * b));
            s.file.p[32 + b] = (uint8_t)(bad[i].memory >> (24 - 8 * b));
        }
        mend_checksum(&s.file);
        assert_int_equal(open_with(&s, u, PAYLOAD), ERR_LIMIT);
        scene_release(&s);
    }
}

static void newer_files_and_slots_are_told_apart(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int rc;
    } cases[] = {{8, 2, ERR_VERSION},  {9, 2, ERR_VERSION}, {26, 0, ERR_FORMAT}, {26, 200, ERR_VERSION},
                 {27, 9, ERR_VERSION}, {27, 0, ERR_FORMAT}, {26, 1, ERR_FORMAT}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        int rc;
        bool has[KEYFILE_KINDS];
        scene_init(&s, 7);
        s.file.p[cases[i].at] = cases[i].value;
        mend_checksum(&s.file);
        rc = keyfile_kinds(buf_view(&s.file), has, NULL);
        assert_true(rc == cases[i].rc || (cases[i].value == 200 && rc == ERR_FORMAT));
        assert_false(has[0] || has[1] || has[2]);
        scene_release(&s);
    }
}

static void slots_are_replaced_and_removed(void **state)
{
    struct scene s;
    struct keyfile_unlock u = by_passphrase("correct horse");
    (void)state;
    scene_init(&s, 3);
    assert_true(keyfile_has_slot(&s.k, KEYFILE_PLAIN));
    assert_int_equal(keyfile_drop_slot(&s.k, KEYFILE_PLAIN, NULL), 0);
    assert_int_equal(keyfile_drop_slot(&s.k, KEYFILE_PLAIN, NULL), ERR_NOTFOUND);
    assert_int_equal(keyfile_drop_slot(&s.k, KEYFILE_PASSPHRASE, NULL), ERR_USAGE);
    put(&s, by_passphrase("battery staple"));
    encode(&s);
    assert_int_equal(open_with(&s, plain, PAYLOAD), ERR_LOCKED);
    assert_int_equal(open_with(&s, u, PAYLOAD), ERR_LOCKED);
    assert_int_equal(open_with(&s, by_passphrase("battery staple"), PAYLOAD), 0);
    scene_release(&s);
}

/* A file opened by one slot, changed and written again, opens by the others. */
static void payload_is_replaced_under_all_slots(void **state)
{
    struct scene s;
    struct keyfile k;
    struct keyfile_unlock u = by_words();
    (void)state;
    scene_init(&s, 7);
    assert_int_equal(keyfile_open(&k, buf_view(&s.file), &u, NULL), 0);
    assert_int_equal(keyfile_set_payload(&k, BYTES_LIT("another")), 0);
    buf_clear(&s.file);
    assert_int_equal(keyfile_encode(&k, &s.rng, &s.file), 0);
    keyfile_release(&k);
    assert_int_equal(open_with(&s, plain, BYTES_LIT("another")), 0);
    assert_int_equal(open_with(&s, by_passphrase("correct horse"), BYTES_LIT("another")), 0);
    scene_release(&s);
}

static void payload_sizes_are_limited(void **state)
{
    static const uint8_t big[KEYFILE_PAYLOAD_BYTES + 1];
    struct scene s;
    (void)state;
    scene_init(&s, 1);
    assert_int_equal(keyfile_set_payload(&s.k, bytes_of(big, sizeof big)), ERR_LIMIT);
    assert_int_equal(keyfile_set_payload(&s.k, bytes_of(big, sizeof big - 1)), 0);
    encode(&s);
    assert_int_equal(open_with(&s, plain, bytes_of(big, sizeof big - 1)), 0);
    assert_int_equal(keyfile_set_payload(&s.k, BYTES_NONE), 0);
    encode(&s);
    assert_int_equal(open_with(&s, plain, BYTES_NONE), 0);
    scene_release(&s);
}

static void neither_payload_nor_keys_are_readable(void **state)
{
    struct scene s;
    (void)state;
    scene_init(&s, 7);
    assert_int_equal(bytes_find(buf_view(&s.file), BYTES_LIT("secret payload")), SIZE_MAX);
    assert_int_equal(bytes_find(buf_view(&s.file), bytes_of(s.k.master, 8)), SIZE_MAX);
    assert_int_equal(bytes_find(buf_view(&s.file), bytes_of(words, 8)), SIZE_MAX);
    assert_int_equal(bytes_find(buf_view(&s.file), BYTES_LIT("correct")), SIZE_MAX);
    scene_release(&s);
}

static void passphrases_of_no_or_great_length_are_refused(void **state)
{
    char big[KEYFILE_PASSPHRASE_BYTES + 1];
    struct scene s;
    struct keyfile_unlock u = by_passphrase("");
    (void)state;
    scene_init(&s, 2);
    memset(big, 'x', sizeof big);
    assert_int_equal(keyfile_put_slot(&s.k, &u, &cheap, &s.rng, NULL), ERR_USAGE);
    u.secret = bytes_of(big, sizeof big);
    assert_int_equal(keyfile_put_slot(&s.k, &u, &cheap, &s.rng, NULL), ERR_USAGE);
    assert_int_equal(open_with(&s, u, PAYLOAD), ERR_USAGE);
    assert_int_equal(open_with(&s, by_passphrase("correct horse"), PAYLOAD), 0);
    scene_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slot_opens_the_file),
        cmocka_unit_test(wrong_secrets_are_locked_out_with_a_hint),
        cmocka_unit_test(every_truncation_extension_and_flip_is_damage),
        cmocka_unit_test(changes_with_a_mended_checksum_are_refused),
        cmocka_unit_test(hostile_costs_are_refused_before_any_work),
        cmocka_unit_test(newer_files_and_slots_are_told_apart),
        cmocka_unit_test(slots_are_replaced_and_removed),
        cmocka_unit_test(payload_is_replaced_under_all_slots),
        cmocka_unit_test(payload_sizes_are_limited),
        cmocka_unit_test(neither_payload_nor_keys_are_readable),
        cmocka_unit_test(passphrases_of_no_or_great_length_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
