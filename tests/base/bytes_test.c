#include "base/bytes.h"

#include "tests/support/unit.h"

#include <string.h>

static void no_bytes_equal_empty_bytes(void **state)
{
    (void)state;
    assert_true(bytes_eq(BYTES_NONE, BYTES_LIT("")));
    assert_int_equal(bytes_cmp(BYTES_NONE, BYTES_LIT("")), 0);
    assert_true(bytes_eq(bytes_str(NULL), BYTES_NONE));
}

static void a_prefix_sorts_first(void **state)
{
    (void)state;
    assert_true(bytes_cmp(BYTES_LIT("ab"), BYTES_LIT("abc")) < 0);
    assert_true(bytes_cmp(BYTES_LIT("abc"), BYTES_LIT("ab")) > 0);
    assert_true(bytes_cmp(BYTES_LIT("b"), BYTES_LIT("abc")) > 0);
    assert_true(bytes_cmp(BYTES_LIT("\xff"), BYTES_LIT("a")) > 0);
}

static void slices_are_clipped(void **state)
{
    struct bytes b = BYTES_LIT("hello");
    (void)state;
    assert_true(bytes_eq(bytes_slice(b, 1, 3), BYTES_LIT("ell")));
    assert_true(bytes_eq(bytes_slice(b, 1, SIZE_MAX), BYTES_LIT("ello")));
    assert_int_equal(bytes_slice(b, 5, 1).n, 0);
    assert_int_equal(bytes_slice(b, SIZE_MAX, SIZE_MAX).n, 0);
}

static void search_finds_the_first_or_nothing(void **state)
{
    struct bytes b = BYTES_LIT("a\0bcABC");
    (void)state;
    assert_int_equal(bytes_find(b, BYTES_LIT("bc")), 2);
    assert_int_equal(bytes_find(b, BYTES_LIT("BC")), 5);
    assert_int_equal(bytes_ifind(b, BYTES_LIT("BC")), 2);
    assert_int_equal(bytes_ifind(b, BYTES_LIT("abc")), 4);
    assert_int_equal(bytes_find(b, BYTES_LIT("abcd")), SIZE_MAX);
    assert_int_equal(bytes_ifind(b, BYTES_LIT("a longer needle")), SIZE_MAX);
    assert_int_equal(bytes_find(BYTES_NONE, BYTES_NONE), 0);
    assert_int_equal(bytes_ifind(BYTES_NONE, BYTES_LIT("x")), SIZE_MAX);
}

static void case_folding_is_ascii_only(void **state)
{
    (void)state;
    assert_true(bytes_ieq(BYTES_LIT("AZ["), BYTES_LIT("az[")));
    assert_false(bytes_ieq(BYTES_LIT("["), BYTES_LIT("{")));
    assert_false(bytes_ieq(BYTES_LIT("\xc4"), BYTES_LIT("\xe4")));
}

static void starts_ends_and_trim(void **state)
{
    (void)state;
    assert_true(bytes_starts(BYTES_LIT("abc"), BYTES_LIT("ab")));
    assert_true(bytes_starts(BYTES_LIT("abc"), BYTES_NONE));
    assert_false(bytes_starts(BYTES_LIT("a"), BYTES_LIT("ab")));
    assert_true(bytes_ends(BYTES_LIT("abc"), BYTES_LIT("bc")));
    assert_false(bytes_ends(BYTES_LIT("c"), BYTES_LIT("bc")));
    assert_true(bytes_eq(bytes_trim(BYTES_LIT(" \t\r\n a b\v\f ")), BYTES_LIT("a b")));
    assert_int_equal(bytes_trim(BYTES_LIT(" \n ")).n, 0);
}

static void a_buffer_holds_exactly_its_maximum(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_append(&b, "0123456789", 10), 0);
    assert_int_equal(buf_append(&b, "", 0), 0);
    assert_string_equal(buf_cstr(&b), "0123456789");
    assert_int_equal(buf_put(&b, 'x'), ERR_LIMIT);
    assert_int_equal(b.n, 10);
    buf_release(&b);
    assert_int_equal(b.max, 10);
}

static void the_error_sticks_until_clear(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 4);
    assert_int_equal(buf_str(&b, "ab"), 0);
    assert_int_equal(buf_str(&b, "cde"), ERR_LIMIT);
    assert_int_equal(buf_put(&b, 'c'), ERR_LIMIT);
    assert_int_equal(buf_printf(&b, "c"), ERR_LIMIT);
    assert_null(buf_extend(&b, 1));
    assert_true(bytes_eq(buf_view(&b), BYTES_LIT("ab")));
    buf_clear(&b);
    assert_int_equal(buf_str(&b, "cde"), 0);
    buf_release(&b);
}

static void printf_grows_and_respects_the_maximum(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 200);
    assert_int_equal(buf_printf(&b, "%100d", 5), 0);
    assert_int_equal(buf_printf(&b, "%099d", 5), 0);
    assert_int_equal(b.n, 199);
    assert_int_equal(buf_printf(&b, "ab"), ERR_LIMIT);
    assert_int_equal(b.n, 199);
    buf_release(&b);
}

static void huge_requests_fail_without_overflow(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_put(&b, 1);
    assert_null(buf_extend(&b, SIZE_MAX));
    assert_int_equal(b.err, ERR_LIMIT);
    buf_release(&b);
}

static void an_empty_buffer_is_an_empty_string(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_bytes(&b, BYTES_NONE), 0);
    buf_str(&b, "abc");
    buf_clear(&b);
    assert_string_equal(buf_cstr(&b), "");
    buf_release(&b);
}

static void content_survives_growth(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 20);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(buf_put(&b, (uint8_t)(i * 7)), 0);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(b.p[i], (uint8_t)(i * 7));
    buf_release(&b);
}

static void a_wiped_secret_is_zero(void **state)
{
    struct secret s = {.p = {1, 2, 3}, .n = 3};
    const struct secret zero = {0};
    (void)state;
    secret_wipe(&s);
    assert_memory_equal(&s, &zero, sizeof s);
    mem_wipe(NULL, 0);
}

static void lines_come_trimmed_and_blank_ones_do_not(void **state)
{
    (void)state;
    struct bytes rest = BYTES_LIT("\n  note local\t\r\n\n \nbash"), line;
    assert_true(bytes_line(&rest, &line) && bytes_eq(line, BYTES_LIT("note local")));
    assert_true(bytes_line(&rest, &line) && bytes_eq(line, BYTES_LIT("bash")));
    assert_false(bytes_line(&rest, &line));
    rest = BYTES_LIT(" \n\n");
    assert_false(bytes_line(&rest, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_trimmed_and_blank_ones_do_not),
        cmocka_unit_test(no_bytes_equal_empty_bytes),
        cmocka_unit_test(a_prefix_sorts_first),
        cmocka_unit_test(slices_are_clipped),
        cmocka_unit_test(search_finds_the_first_or_nothing),
        cmocka_unit_test(case_folding_is_ascii_only),
        cmocka_unit_test(starts_ends_and_trim),
        cmocka_unit_test(a_buffer_holds_exactly_its_maximum),
        cmocka_unit_test(the_error_sticks_until_clear),
        cmocka_unit_test(printf_grows_and_respects_the_maximum),
        cmocka_unit_test(huge_requests_fail_without_overflow),
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(content_survives_growth),
        cmocka_unit_test(a_wiped_secret_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
