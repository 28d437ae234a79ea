#include "crypto/hash.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

static void hash_of(struct bytes key, struct bytes in, uint8_t *out, size_t out_len)
{
    struct hasher h;
    hasher_init(&h, key, out_len);
    hasher_update(&h, in);
    hasher_final(&h, out, out_len);
}

static void assert_hex(const uint8_t *b, size_t n, const char *hex)
{
    assert_int_equal(strlen(hex), 2 * n);
    for (size_t i = 0; i < n; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};
        assert_int_equal(b[i], strtoul(pair, NULL, 16));
    }
}

/* RFC 7693, appendix A. */
static void rfc7693_example_abc(void **state)
{
    uint8_t out[64];
    (void)state;
    hash_of(BYTES_NONE, BYTES_LIT("abc"), out, sizeof out);
    assert_hex(out, sizeof out,
               "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
               "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

static void rfc7693_sequence(uint8_t *out, size_t n, uint32_t seed)
{
    uint32_t a = 0xdead4bad * seed;
    uint32_t b = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t t = a + b;
        a = b;
        b = t;
        out[i] = (uint8_t)(t >> 24);
    }
}

/* RFC 7693, appendix E: the hash over the hashes of inputs of many lengths, plain and keyed. */
static void rfc7693_self_test_keyed_and_unkeyed(void **state)
{
    static const size_t out_lens[] = {20, 32, 48, 64};
    static const size_t in_lens[] = {0, 3, 128, 129, 255, 1024};
    uint8_t in[1024], key[64], md[64];
    struct hasher all;
    (void)state;
    hasher_init(&all, BYTES_NONE, 32);
    for (size_t i = 0; i < 4; i++) {
        size_t out_len = out_lens[i];
        for (size_t k = 0; k < 6; k++) {
            rfc7693_sequence(in, in_lens[k], (uint32_t)in_lens[k]);
            hash_of(BYTES_NONE, bytes_of(in, in_lens[k]), md, out_len);
            hasher_update(&all, bytes_of(md, out_len));
            rfc7693_sequence(key, out_len, (uint32_t)out_len);
            hash_of(bytes_of(key, out_len), bytes_of(in, in_lens[k]), md, out_len);
            hasher_update(&all, bytes_of(md, out_len));
        }
    }
    hasher_final(&all, md, 32);
    assert_hex(md, 32, "c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475");
}

/* blake2-kat.json of the BLAKE2 reference code (CC0): key 00..3f, input 00..n-1. */
static void reference_kat_keyed(void **state)
{
    static const struct {
        size_t n;
        const char *out;
    } kats[] = {
        {0, "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
            "b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568"},
        {1, "961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4"
            "187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd"},
        {2, "da2cfbe2d8409a0f38026113884f84b50156371ae304c4430173d08a99d9fb1b"
            "983164a3770706d537f49e0c916d9f32b95cc37a95b99d857436f0232c88a965"},
        {255, "142709d62e28fcccd0af97fad0f8465b971e82201dc51070faa0372aa43e9248"
              "4be1c1e73ba10906d5d1853db6a4106e0a7bf9800d373d6dee2d46d62ef2a461"},
    };
    uint8_t key[64], in[255], out[64];
    (void)state;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof kats / sizeof *kats; i++) {
        hash_of(bytes_of(key, sizeof key), bytes_of(in, kats[i].n), out, sizeof out);
        assert_hex(out, sizeof out, kats[i].out);
    }
}

static void hash_of_parts_is_hash_of_their_concatenation(void **state)
{
    struct bytes parts[] = {BYTES_LIT("a"), BYTES_NONE, BYTES_LIT("bc")};
    struct hash split;
    uint8_t whole[HASH_BYTES];
    (void)state;
    hash_parts(&split, parts, 3);
    hash_of(BYTES_NONE, BYTES_LIT("abc"), whole, sizeof whole);
    assert_memory_equal(split.b, whole, sizeof whole);
}

/* Every request, small, large, and across the end of the pool, gives bytes that were not there before. */
static void system_randomness_does_not_repeat(void **state)
{
    struct rng rng = rng_system();
    uint8_t before[16] = {0};
    uint8_t large[5000] = {0};
    size_t zeros = 0;
    (void)state;
    assert_int_equal(crypt_start(), 0);
    for (int i = 0; i < 2000; i++) {
        uint8_t now[16] = {0};
        rng_fill(&rng, now, sizeof now);
        assert_memory_not_equal(now, before, sizeof now);
        memcpy(before, now, sizeof now);
    }
    rng_fill(&rng, large, sizeof large);
    for (size_t i = 0; i < sizeof large; i++)
        zeros += large[i] == 0;
    assert_true(zeros < 100); /* about 20 of 5000 */
    rng_fill(&rng, large, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7693_example_abc),
        cmocka_unit_test(rfc7693_self_test_keyed_and_unkeyed),
        cmocka_unit_test(reference_kat_keyed),
        cmocka_unit_test(hash_of_parts_is_hash_of_their_concatenation),
        cmocka_unit_test(system_randomness_does_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
