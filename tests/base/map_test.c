#include "base/map.h"

#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

#define KEYS 100000

static struct bytes key_of(size_t i, char text[32])
{
    (void)snprintf(text, 32, "key %zu", i * 2654435761u % 1000003u);
    return bytes_str(text);
}

static void fill_map(struct map *m)
{
    char text[32];
    for (size_t i = 0; i < KEYS; i++) {
        bool fresh = false;
        struct map_slot *s = map_add(m, key_of(i, text), &fresh);
        assert_non_null(s);
        assert_true(fresh);
        assert_int_equal(s->v.num, 0);
        s->v.num = i;
    }
}

static void a_hundred_thousand_keys_are_found_again(void **state)
{
    struct map *m = map_new();
    char text[32];
    (void)state;
    assert_non_null(m);
    fill_map(m);
    assert_int_equal(map_count(m), KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        const struct map_slot *s = map_find(m, key_of(i, text));
        assert_non_null(s);
        assert_int_equal(s->v.num, i);
    }
    assert_null(map_find(m, BYTES_LIT("key 1000003")));
    map_free(m);
}

static void iteration_is_in_insertion_order(void **state)
{
    struct map *m = map_new();
    char text[32];
    (void)state;
    assert_non_null(m);
    fill_map(m);
    for (size_t i = 0; i < KEYS; i++) {
        const struct map_slot *s = map_at(m, i);
        assert_int_equal(s->v.num, i);
        assert_true(bytes_eq(s->key, key_of(i, text)));
    }
    map_free(m);
}

static void adding_again_gives_the_same_slot(void **state)
{
    struct map *m = map_new();
    bool fresh = true;
    (void)state;
    map_add(m, BYTES_LIT("a"), NULL)->v.num = 7;
    assert_int_equal(map_add(m, BYTES_LIT("a"), &fresh)->v.num, 7);
    assert_false(fresh);
    assert_int_equal(map_count(m), 1);
    map_free(m);
}

static void keys_are_bytes_not_strings(void **state)
{
    static const struct bytes keys[] = {BYTES_LIT(""),          BYTES_LIT("\0"),  BYTES_LIT("\0\0"),
                                        BYTES_LIT("a"),         BYTES_LIT("a\0"), BYTES_LIT("12345678"),
                                        BYTES_LIT("12345678\0")};
    struct map *m = map_new();
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        map_add(m, keys[i], NULL)->v.num = i;
    assert_int_equal(map_count(m), sizeof keys / sizeof keys[0]);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(map_find(m, keys[i])->v.num, i);
    map_free(m);
}

static void the_map_owns_its_keys(void **state)
{
    struct map *m = map_new();
    char text[] = "volatile";
    (void)state;
    map_add(m, bytes_str(text), NULL);
    memset(text, 'x', sizeof text - 1);
    assert_non_null(map_find(m, BYTES_LIT("volatile")));
    assert_null(map_find(m, BYTES_LIT("xxxxxxxx")));
    map_free(m);
}

static void big_keys_fit(void **state)
{
    static uint8_t big[100000];
    struct map *m = map_new();
    (void)state;
    for (size_t n = 1; n <= sizeof big; n = n * 3 + 1)
        map_add(m, bytes_of(big, n), NULL)->v.num = n;
    for (size_t n = 1; n <= sizeof big; n = n * 3 + 1)
        assert_int_equal(map_find(m, bytes_of(big, n))->v.num, n);
    map_free(m);
}

static void a_cleared_map_is_empty_and_works(void **state)
{
    struct map *m = map_new();
    char text[32];
    (void)state;
    fill_map(m);
    map_clear(m);
    assert_int_equal(map_count(m), 0);
    assert_null(map_find(m, key_of(5, text)));
    fill_map(m);
    assert_int_equal(map_find(m, key_of(5, text))->v.num, 5);
    map_free(m);
    map_free(NULL);
}

/* The same questions to the map and to a plain array. */
static void random_use_agrees_with_a_plain_array(void **state)
{
    struct map *m = map_new();
    uint64_t values[512] = {0};
    bool present[512] = {false};
    struct test_rng t;
    (void)state;
    test_rng_init(&t, 10);
    for (int i = 0; i < 20000; i++) {
        uint16_t k = (uint16_t)test_rng_below(&t, 512);
        struct bytes key = bytes_of(&k, sizeof k);
        struct map_slot *s = map_find(m, key);
        assert_int_equal(s != NULL, present[k]);
        if (s)
            assert_int_equal(s->v.num, values[k]);
        if (test_rng_one_in(&t, 3)) {
            map_add(m, key, NULL)->v.num = values[k] = test_rng_u64(&t);
            present[k] = true;
        }
    }
    map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_keys_are_found_again),
        cmocka_unit_test(iteration_is_in_insertion_order),
        cmocka_unit_test(adding_again_gives_the_same_slot),
        cmocka_unit_test(keys_are_bytes_not_strings),
        cmocka_unit_test(the_map_owns_its_keys),
        cmocka_unit_test(big_keys_fit),
        cmocka_unit_test(a_cleared_map_is_empty_and_works),
        cmocka_unit_test(random_use_agrees_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
