#include "base/id.h"

#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

#define ROUNDS 2000

static void make_id(struct id *id, struct test_rng *t)
{
    test_rng_fill(t, id->b, sizeof id->b);
}

static void known_ids_have_known_text(void **state)
{
    struct id id = ID_NONE;
    char text[ID_TEXT + 1];
    (void)state;
    id_text(&id, text);
    assert_string_equal(text, "00000000000000000000000000");
    memset(&id, 0xff, sizeof id);
    id_text(&id, text);
    assert_string_equal(text, "zzzzzzzzzzzzzzzzzzzzzzzzzw");
    id = (struct id){{0x08, 0x42}};
    id_text(&id, text);
    assert_string_equal(text, "11100000000000000000000000");
}

static void text_reads_back(void **state)
{
    struct test_rng t;
    (void)state;
    test_rng_init(&t, 4);
    for (int i = 0; i < ROUNDS; i++) {
        struct id in, out;
        char text[ID_TEXT + 1];
        make_id(&in, &t);
        id_text(&in, text);
        assert_int_equal(id_parse(bytes_str(text), &out), 0);
        assert_true(id_eq(&in, &out));
    }
}

static void order_of_text_is_order_of_ids(void **state)
{
    struct test_rng t;
    (void)state;
    test_rng_init(&t, 5);
    for (int i = 0; i < ROUNDS; i++) {
        struct id a, b;
        char ta[ID_TEXT + 1], tb[ID_TEXT + 1];
        make_id(&a, &t);
        b = a;
        b.b[test_rng_below(&t, ID_BYTES)] ^= (uint8_t)(1u << test_rng_below(&t, 8));
        id_text(&a, ta);
        id_text(&b, tb);
        assert_int_equal(id_cmp(&a, &b) < 0, strcmp(ta, tb) < 0);
    }
}

static void look_alikes_case_and_dashes_are_accepted(void **state)
{
    struct id a, b;
    (void)state;
    assert_int_equal(id_parse(BYTES_LIT("0123-4567-89ab-cdef-ghjk-mnpq-rw"), &a), 0);
    assert_int_equal(id_parse(BYTES_LIT("OI23456789ABCDEFGHJKMNPQRW"), &b), 0);
    assert_true(id_eq(&a, &b));
    assert_int_equal(id_parse(BYTES_LIT("oL23456789abcdefghjkmnpqrw"), &b), 0);
    assert_true(id_eq(&a, &b));
}

static void anything_else_is_no_id(void **state)
{
    static const struct bytes bad[] = {
        BYTES_LIT(""),
        BYTES_LIT("-"),
        BYTES_LIT("0123456789abcdefghjkmnpqr"),   /* 25 */
        BYTES_LIT("0123456789abcdefghjkmnpqrs0"), /* 27 */
        BYTES_LIT("u123456789abcdefghjkmnpqrw"),  /* no such letter */
        BYTES_LIT("0123456789abcdefghjkmnpqr\0"), /* NUL is no digit */
        BYTES_LIT("0123456789abcdefghjkmnpqr1"),  /* a spare bit is set */
        BYTES_LIT("0123456789abcdefghjkmnpqr "),
        BYTES_LIT("0123456789abcdefghjkmnpq\xc3\xa9"),
    };
    struct id id;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(id_parse(bad[i], &id), ERR_FORMAT);
}

static void a_prefix_spans_exactly_the_ids_that_begin_with_it(void **state)
{
    struct test_rng t;
    (void)state;
    test_rng_init(&t, 6);
    for (int i = 0; i < ROUNDS; i++) {
        struct id id, other, lo, hi;
        char text[ID_TEXT + 1], other_text[ID_TEXT + 1];
        size_t n = (size_t)test_rng_below(&t, ID_TEXT) + 1;
        bool inside;
        make_id(&id, &t);
        other = id;
        other.b[test_rng_below(&t, ID_BYTES)] ^= (uint8_t)(1u << test_rng_below(&t, 8));
        id_text(&id, text);
        id_text(&other, other_text);
        assert_int_equal(id_prefix(bytes_of(text, n), &lo, &hi), 0);
        assert_true(id_cmp(&lo, &id) <= 0 && id_cmp(&id, &hi) <= 0);
        inside = id_cmp(&lo, &other) <= 0 && id_cmp(&other, &hi) <= 0;
        assert_int_equal(inside, strncmp(text, other_text, n) == 0);
    }
}

static void prefix_edges(void **state)
{
    struct id lo, hi, all;
    (void)state;
    memset(&all, 0xff, sizeof all);
    assert_int_equal(id_prefix(BYTES_LIT("z"), &lo, &hi), 0);
    assert_int_equal(lo.b[0], 0xf8);
    assert_true(id_eq(&hi, &all));
    assert_int_equal(id_prefix(BYTES_LIT("0-"), &lo, &hi), 0);
    assert_true(id_none(&lo));
    assert_int_equal(hi.b[0], 0x07);
    assert_int_equal(id_prefix(BYTES_LIT(""), &lo, &hi), ERR_FORMAT);
    assert_int_equal(id_prefix(BYTES_LIT("--"), &lo, &hi), ERR_FORMAT);
    assert_int_equal(id_prefix(BYTES_LIT("a!"), &lo, &hi), ERR_FORMAT);
    assert_int_equal(id_prefix(BYTES_LIT("zzzzzzzzzzzzzzzzzzzzzzzzzw"), &lo, &hi), 0);
    assert_true(id_eq(&lo, &hi));
    assert_int_equal(id_prefix(BYTES_LIT("zzzzzzzzzzzzzzzzzzzzzzzzzz"), &lo, &hi), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ids_have_known_text),
        cmocka_unit_test(text_reads_back),
        cmocka_unit_test(order_of_text_is_order_of_ids),
        cmocka_unit_test(look_alikes_case_and_dashes_are_accepted),
        cmocka_unit_test(anything_else_is_no_id),
        cmocka_unit_test(a_prefix_spans_exactly_the_ids_that_begin_with_it),
        cmocka_unit_test(prefix_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
