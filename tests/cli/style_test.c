#include "cli/style.h"

#include "tests/support/unit.h"

#include <string.h>

#define NOW INT64_C(1770000000000) /* 2026-02-02T02:40:00Z */

static int two_hours_east(int64_t ms)
{
    (void)ms;
    return 120;
}

static const struct style utf8 = {.utf8 = true, .now_ms = NOW, .offset_min = two_hours_east};
static const struct style ascii = {.utf8 = false, .now_ms = NOW, .offset_min = two_hours_east};
static const struct style color = {.utf8 = true, .color = true};

static void text_from_outside_cannot_speak_to_the_terminal(void **state)
{
    struct page p;
    (void)state;
    page_init(&p, &utf8, NULL);
    page_safe(&p, "a\033[31mb\nc\xff\xe2\x80\xae");
    assert_string_equal(buf_cstr(&p.b), "a\\x1B[31mb c\\xFF\\u{202E}");
    page_release(&p);
}

static void without_utf8_only_ascii_is_written(void **state)
{
    struct page p;
    (void)state;
    page_init(&p, &ascii, NULL);
    page_safe(&p, "caf\xc3\xa9 \xe6\x97\xa5");
    page_glyph(&p, "\xe2\x94\x82", "|");
    assert_string_equal(buf_cstr(&p.b), "caf? ?|");
    page_release(&p);
}

static void colour_is_switched_on_only_when_asked(void **state)
{
    struct page p;
    (void)state;
    page_init(&p, &color, NULL);
    page_paint(&p, PAINT_BAD, "x");
    assert_string_equal(buf_cstr(&p.b), "\033[1;31mx\033[0m");
    page_release(&p);
    page_init(&p, &utf8, NULL);
    page_paint(&p, PAINT_BAD, "x");
    assert_string_equal(buf_cstr(&p.b), "x");
    page_release(&p);
}

static void cells_count_columns_not_bytes(void **state)
{
    struct page p;
    (void)state;
    page_init(&p, &utf8, NULL);
    page_cell(&p, PAINT_NONE, "\xe6\x97\xa5\xe6\x9c\xac", 6, true); /* two wide characters */
    page_str(&p, "|");
    page_cell(&p, PAINT_NONE, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, true);
    page_str(&p, "|");
    assert_string_equal(buf_cstr(&p.b), "\xe6\x97\xa5\xe6\x9c\xac  |\xe6\x97\xa5\xe2\x80\xa6 |");
    page_release(&p);
}

static void wrapping_breaks_at_blanks_and_cuts_long_words(void **state)
{
    struct page p;
    (void)state;
    page_init(&p, &utf8, NULL);
    page_wrapped(&p, "one two three abcdefghijklmno end", 8, "> ");
    assert_string_equal(buf_cstr(&p.b), "one two\n> three\n> abcdefgh\n> ijklmno\n> end");
    page_release(&p);
}

static void wrapping_never_stops(void **state)
{
    struct bytes rest = bytes_str("\xe6\x97\xa5\xe6\x9c\xac");
    (void)state;
    assert_int_equal(wrap_next(&rest, 1).n, 3); /* wider than the column, still taken */
    assert_int_equal(wrap_next(&rest, 1).n, 3);
    assert_int_equal(rest.n, 0);
}

static void lines_have_no_blanks_at_their_end(void **state)
{
    struct page p;
    (void)state;
    page_init(&p, &utf8, NULL);
    page_cell(&p, PAINT_NONE, "a", 9, false);
    page_line(&p);
    assert_string_equal(buf_cstr(&p.b), "a\n");
    page_release(&p);
}

static void times_are_local_and_relative(void **state)
{
    char out[TIME_TEXT];
    (void)state;
    time_local(&utf8, NOW, out);
    assert_string_equal(out, "2026-02-02 04:40");
    time_relative(&utf8, NOW - 2 * MS_HOUR, out);
    assert_string_equal(out, "2 h ago");
    time_relative(&utf8, NOW + 3 * MS_DAY, out);
    assert_string_equal(out, "in 3 d");
    time_relative(&utf8, NOW, out);
    assert_string_equal(out, "just now");
    time_relative(&utf8, TIME_NONE, out);
    assert_string_equal(out, "never");
    time_local(&utf8, TIME_NONE, out);
    assert_string_equal(out, "never");
}

static void numbers_are_grouped(void **state)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"},          {999, "999"},  {1204, "1 204"}, {1234567, "1 234 567"},
                 {-1234, "-1 234"}, {-123, "-123"}};
    char out[TIME_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        number_print(cases[i].v, out);
        assert_string_equal(out, cases[i].text);
    }
    size_print(4100000, out);
    assert_string_equal(out, "4.1 MB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_from_outside_cannot_speak_to_the_terminal),
        cmocka_unit_test(without_utf8_only_ascii_is_written),
        cmocka_unit_test(colour_is_switched_on_only_when_asked),
        cmocka_unit_test(cells_count_columns_not_bytes),
        cmocka_unit_test(wrapping_breaks_at_blanks_and_cuts_long_words),
        cmocka_unit_test(wrapping_never_stops),
        cmocka_unit_test(lines_have_no_blanks_at_their_end),
        cmocka_unit_test(times_are_local_and_relative),
        cmocka_unit_test(numbers_are_grouped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
