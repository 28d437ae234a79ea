#include "base/text.h"

#include "tests/support/rng.h"
#include "tests/support/unit.h"

#define ROUNDS 2000

static void well_formed_utf8_is_accepted(void **state)
{
    static const struct bytes good[] = {
        BYTES_LIT(""),
        BYTES_LIT("a"),
        BYTES_LIT("\0"),
        BYTES_LIT("\xc2\x80"),
        BYTES_LIT("\xdf\xbf"),
        BYTES_LIT("\xe0\xa0\x80"),
        BYTES_LIT("\xed\x9f\xbf"), /* U+D7FF */
        BYTES_LIT("\xee\x80\x80"), /* U+E000 */
        BYTES_LIT("\xef\xbf\xbf"),
        BYTES_LIT("\xf0\x90\x80\x80"),
        BYTES_LIT("\xf4\x8f\xbf\xbf"), /* U+10FFFF */
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(utf8_valid(good[i]));
}

static void overlongs_surrogates_and_cuts_are_rejected(void **state)
{
    static const struct bytes bad[] = {
        BYTES_LIT("\x80"),
        BYTES_LIT("\xbf"),
        BYTES_LIT("\xc0\x80"),         /* overlong NUL */
        BYTES_LIT("\xc1\xbf"),         /* overlong U+7F */
        BYTES_LIT("\xe0\x9f\xbf"),     /* overlong U+7FF */
        BYTES_LIT("\xf0\x8f\xbf\xbf"), /* overlong U+FFFF */
        BYTES_LIT("\xed\xa0\x80"),     /* surrogate U+D800 */
        BYTES_LIT("\xed\xbf\xbf"),     /* surrogate U+DFFF */
        BYTES_LIT("\xf4\x90\x80\x80"), /* U+110000 */
        BYTES_LIT("\xf5\x80\x80\x80"),
        BYTES_LIT("\xfe"),
        BYTES_LIT("\xff"),
        BYTES_LIT("\xc3"),
        BYTES_LIT("\xe2\x82"),
        BYTES_LIT("\xf0\x9f\x98"),
        BYTES_LIT("\xc3\x28"),
        BYTES_LIT("\xe2\x28\xa1"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t at = 0;
        assert_false(utf8_valid(bad[i]));
        assert_int_equal(utf8_next(bad[i], &at), -1);
        assert_int_equal(at, 1);
    }
}

static void every_code_point_encodes_and_decodes(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 8);
    for (int32_t cp = 0; cp <= 0x10ffff; cp++) {
        size_t at = 0;
        if (cp == 0xd800)
            cp = 0xe000;
        buf_clear(&b);
        if (utf8_put(&b, cp) != 0 || utf8_next(buf_view(&b), &at) != cp || at != b.n)
            fail_msg("U+%04X", (unsigned)cp);
    }
    buf_release(&b);
}

static void cuts_never_split_a_character(void **state)
{
    struct bytes b = BYTES_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    (void)state;
    for (size_t max = 0; max < sizeof want / sizeof want[0]; max++)
        assert_int_equal(utf8_cut(b, max).n, want[max]);
}

static void cuts_of_garbage_take_what_fits(void **state)
{
    (void)state;
    assert_int_equal(utf8_cut(BYTES_LIT("\x80\x80\x80\x80\x80\x80\x80"), 5).n, 5);
    assert_int_equal(utf8_cut(BYTES_LIT("\xff\xff\xff"), 2).n, 2);
    assert_int_equal(utf8_cut(BYTES_LIT("\xc3\xa9\xa9"), 2).n, 2);
}

static void check_repair(struct bytes in, struct bytes want)
{
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(utf8_repair(in, &b), 0);
    assert_true(bytes_eq(buf_view(&b), want));
    assert_true(utf8_valid(buf_view(&b)));
    buf_release(&b);
}

static void repair_replaces_bad_bytes_and_drops_nul(void **state)
{
    (void)state;
    check_repair(BYTES_LIT("a\0b"), BYTES_LIT("ab"));
    check_repair(BYTES_LIT("a\xff"
                           "b"),
                 BYTES_LIT("a\xef\xbf\xbd"
                           "b"));
    check_repair(BYTES_LIT("\xed\xa0\x80"), BYTES_LIT("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    check_repair(BYTES_LIT("\xe2\x82"), BYTES_LIT("\xef\xbf\xbd\xef\xbf\xbd"));
    check_repair(BYTES_LIT("\xe2\x82\xac"), BYTES_LIT("\xe2\x82\xac"));
}

static void columns_count_wide_and_combining(void **state)
{
    (void)state;
    assert_int_equal(utf8_columns(BYTES_LIT("abc")), 3);
    assert_int_equal(utf8_columns(BYTES_LIT("\xe4\xbd\xa0\xe5\xa5\xbd")), 4);     /* 你好 */
    assert_int_equal(utf8_columns(BYTES_LIT("e\xcc\x81")), 1);                    /* e + acute */
    assert_int_equal(utf8_columns(BYTES_LIT("\xf0\x9f\x98\x80")), 2);             /* emoji */
    assert_int_equal(utf8_columns(BYTES_LIT("\xed\x95\x9c")), 2);                 /* Hangul syllable */
    assert_int_equal(utf8_columns(BYTES_LIT("\xef\xbc\xa1\xef\xbd\xb1")), 3);     /* full A, half Kana */
    assert_int_equal(utf8_columns(BYTES_LIT("\xc3\xa9\xe2\x82\xac\xd0\x96")), 3); /* é € Ж */
    assert_int_equal(utf8_columns(BYTES_LIT("\xe0\xb8\x81\xe0\xb8\xb4")), 1);     /* Thai with vowel */
    assert_int_equal(utf8_columns(BYTES_LIT("\xe2\x9c\x93\xe2\x94\x82")), 2);     /* check mark, line */
}

static void unspaced_scripts_are_han_kana_thai(void **state)
{
    static const int32_t yes[] = {0x4e00, 0x9fff, 0x3042, 0x30a2, 0xff71, 0x0e01, 0x20000, 0x3005};
    static const int32_t no[] = {'a', 0xe9, 0xac00, 0x1100, 0x0416, 0x3002, 0xff21, 0x1f600, 0x0628};
    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(cp_is_unspaced(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(cp_is_unspaced(no[i]));
}

static void check_escape(struct bytes in, bool oneline, const char *want)
{
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(text_escape(in, oneline, &b), 0);
    assert_string_equal(buf_cstr(&b), want);
    buf_release(&b);
}

static void controls_become_visible(void **state)
{
    (void)state;
    check_escape(BYTES_LIT("a\x1b[31mred"), false, "a\\x1B[31mred");
    check_escape(BYTES_LIT("\x00\x07\x7f"), false, "\\x00\\x07\\x7F");
    check_escape(BYTES_LIT("\xc2\x9b"
                           "2J"),
                 false, "\\u{009B}2J");
    check_escape(BYTES_LIT("over\rwrite"), false, "over\\x0Dwrite");
}

static void invisible_and_direction_characters_become_visible(void **state)
{
    (void)state;
    check_escape(BYTES_LIT("\xe2\x80\xaetxt.exe"), false, "\\u{202E}txt.exe"); /* override */
    check_escape(BYTES_LIT("\xe2\x81\xa6x\xe2\x81\xa9"), false, "\\u{2066}x\\u{2069}");
    check_escape(BYTES_LIT("a\xe2\x80\x8b"
                           "b\xe2\x80\x8d"
                           "c\xef\xbb\xbf"),
                 false, "a\\u{200B}b\\u{200D}c\\u{FEFF}");
    check_escape(BYTES_LIT("\xe2\x80\xa8\xe2\x80\xa9"), true, "\\u{2028}\\u{2029}");
    check_escape(BYTES_LIT("\xf3\xa0\x81\x81"), false, "\\u{E0041}"); /* tag A */
    check_escape(BYTES_LIT("\xd8\x9c"), false, "\\u{061C}");
}

static void bad_utf8_becomes_visible(void **state)
{
    (void)state;
    check_escape(BYTES_LIT("a\xff\xc3"), false, "a\\xFF\\xC3");
    check_escape(BYTES_LIT("\xc0\x8a"), false, "\\xC0\\x8A");
}

static void ordinary_text_is_untouched(void **state)
{
    (void)state;
    check_escape(BYTES_LIT("na\xc3\xafve \xe4\xbd\xa0 \\ \xf0\x9f\x98\x80 \xd7\xa9"), true,
                 "na\xc3\xafve \xe4\xbd\xa0 \\ \xf0\x9f\x98\x80 \xd7\xa9");
}

static void one_line_means_no_line_ends_and_no_tabs(void **state)
{
    (void)state;
    check_escape(BYTES_LIT("a\nb\tc\r\nd"), true, "a b c d");
    check_escape(BYTES_LIT("a\nb\tc\r\nd"), false, "a\nb\tc\nd");
}

/* No byte that moves a cursor, and nothing that is not UTF-8. */
static void assert_harmless(struct bytes b)
{
    size_t at = 0;
    while (at < b.n) {
        int32_t cp = utf8_next(b, &at);
        assert_true(cp >= 0x20 && (cp < 0x7f || cp > 0x9f));
        assert_false(cp >= 0x202a && cp <= 0x202e);
        assert_false(cp >= 0x2066 && cp <= 0x2069);
    }
}

static void escaped_garbage_is_harmless_and_stays_as_it_is(void **state)
{
    struct test_rng t;
    struct buf once, twice;
    (void)state;
    test_rng_init(&t, 7);
    buf_init(&once, 4096);
    buf_init(&twice, 4096);
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t raw[64];
        size_t n = (size_t)test_rng_below(&t, sizeof raw + 1);
        test_rng_fill(&t, raw, n);
        for (size_t k = 0; k + 3 < n; k += 7) {
            raw[k] = 0xe2; /* near the bidi characters */
            raw[k + 1] = 0x80;
        }
        buf_clear(&once);
        buf_clear(&twice);
        assert_int_equal(text_escape(bytes_of(raw, n), true, &once), 0);
        assert_harmless(buf_view(&once));
        assert_int_equal(text_escape(buf_view(&once), true, &twice), 0);
        assert_true(bytes_eq(buf_view(&once), buf_view(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
}

static void normal_form_folds_space_and_ascii_case(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 64);
    assert_int_equal(text_normalise(BYTES_LIT("  The \t\r\nQUICK\xc3\x89 fox \n"), &b), 0);
    assert_string_equal(buf_cstr(&b), "the quick\xc3\x89 fox");
    buf_clear(&b);
    assert_int_equal(text_normalise(BYTES_LIT(" \n "), &b), 0);
    assert_int_equal(b.n, 0);
    buf_release(&b);
}

static void a_full_buffer_is_reported(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 3);
    assert_int_equal(text_escape(BYTES_LIT("\x01"), true, &b), ERR_LIMIT);
    buf_clear(&b);
    assert_int_equal(text_normalise(BYTES_LIT("abcd"), &b), ERR_LIMIT);
    buf_clear(&b);
    assert_int_equal(utf8_repair(BYTES_LIT("a\xff"), &b), ERR_LIMIT);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_utf8_is_accepted),
        cmocka_unit_test(overlongs_surrogates_and_cuts_are_rejected),
        cmocka_unit_test(every_code_point_encodes_and_decodes),
        cmocka_unit_test(cuts_never_split_a_character),
        cmocka_unit_test(cuts_of_garbage_take_what_fits),
        cmocka_unit_test(repair_replaces_bad_bytes_and_drops_nul),
        cmocka_unit_test(columns_count_wide_and_combining),
        cmocka_unit_test(unspaced_scripts_are_han_kana_thai),
        cmocka_unit_test(controls_become_visible),
        cmocka_unit_test(invisible_and_direction_characters_become_visible),
        cmocka_unit_test(bad_utf8_becomes_visible),
        cmocka_unit_test(ordinary_text_is_untouched),
        cmocka_unit_test(one_line_means_no_line_ends_and_no_tabs),
        cmocka_unit_test(escaped_garbage_is_harmless_and_stays_as_it_is),
        cmocka_unit_test(normal_form_folds_space_and_ascii_case),
        cmocka_unit_test(a_full_buffer_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
