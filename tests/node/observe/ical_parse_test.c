#include "node/observe/ical_parse.h"

#include "tests/support/unit.h"

#include <string.h>

static void equal(struct bytes got, const char *want)
{
    assert_true(bytes_eq(got, bytes_str(want)));
}

static void folded_lines_are_joined(void **state)
{
    struct ical_scan s;
    struct ical_line l;
    (void)state;
    ical_scan_init(&s, BYTES_LIT("A:one\r\n  two\r\n\tthree\r\n\r\nB;X=1:b\nC:c"), 0, 0);
    assert_int_equal(ical_scan_next(&s, &l), 1);
    equal(l.name, "A");
    equal(l.value, "one twothree");
    assert_int_equal(l.no, 1);
    assert_int_equal(ical_scan_next(&s, &l), 1);
    equal(l.name, "B");
    equal(l.params, ";X=1");
    assert_int_equal(l.no, 5);
    assert_int_equal(ical_scan_next(&s, &l), 1);
    equal(l.value, "c");
    assert_int_equal(l.no, 6);
    assert_int_equal(ical_scan_next(&s, &l), 0);
    ical_scan_release(&s);
}

static void colons_in_quotes_are_no_end(void **state)
{
    struct ical_scan s;
    struct ical_line l;
    (void)state;
    ical_scan_init(
        &s, BYTES_LIT("DTSTART;TZID=\"(UTC-03:00) Brasilia; x\";value=DATE:20250101\nno property\n"), 0, 0);
    assert_int_equal(ical_scan_next(&s, &l), 1);
    equal(ical_param(&l, "TZID"), "(UTC-03:00) Brasilia; x");
    equal(ical_param(&l, "VALUE"), "DATE");
    equal(ical_param(&l, "ZID"), "");
    equal(l.value, "20250101");
    assert_int_equal(ical_scan_next(&s, &l), 1);
    assert_int_equal(l.name.n, 0);
    ical_scan_release(&s);
}

static void text_escapes_are_undone(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    assert_int_equal(ical_unescape(BYTES_LIT("a\\, b\\; c\\nd\\Ne\\\\n \\x\\"), &out), 0);
    equal(buf_view(&out), "a, b; c\nd\ne\\n \\x\\");
    buf_release(&out);
}

static void times_are_read(void **state)
{
    struct ical_time t;
    (void)state;
    assert_int_equal(ical_time_parse(BYTES_LIT("19700102T000001"), &t), 0);
    assert_true(t.local_s == SECONDS_DAY + 1 && !t.date && !t.utc);
    assert_int_equal(ical_time_parse(BYTES_LIT(" 19700101T000000Z "), &t), 0);
    assert_true(t.local_s == 0 && t.utc);
    assert_int_equal(ical_time_parse(BYTES_LIT("20240229"), &t), 0);
    assert_true(t.date);
    assert_int_equal(ical_time_parse(BYTES_LIT("00010101"), &t), 0);
    assert_int_equal(ical_time_parse(BYTES_LIT("99991231T235960"), &t), 0);
}

static void wrong_times_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2024",
                                      "20230229",
                                      "20241301",
                                      "20240100",
                                      "2024010",
                                      "20240101T",
                                      "20240101T240000",
                                      "20240101T006000",
                                      "20240101T000000X",
                                      "20240101T000000ZZ",
                                      "20240101 000000",
                                      "2024-01-01",
                                      "INVALID-DATE",
                                      "103120101"};
    struct ical_time t;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ical_time_parse(bytes_str(bad[i]), &t), ERR_FORMAT);
    assert_int_equal(ical_time_parse(BYTES_LIT("00000101"), &t), ERR_LIMIT);
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t days, seconds;
    } good[] = {{"P1D", 1, 0},   {"PT1H30M", 0, 5400}, {"-P1DT2H", -1, -7200},
                {"+P2W", 14, 0}, {"PT0S", 0, 0},       {"P15DT5H0M20S", 15, 18020}};
    static const char *const bad[] = {"",   "P",    "PT", "1H",    "P1H",         "PT1D",
                                      "P1", "PT1X", "PD", "P--1D", "P9999999999W"};
    int64_t days, s;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(ical_duration_parse(bytes_str(good[i].text), &days, &s), 0);
        assert_true(days == good[i].days && s == good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(ical_duration_parse(bytes_str(bad[i]), &days, &s) < 0);
}

static void offsets_are_read(void **state)
{
    int32_t s;
    (void)state;
    assert_int_equal(ical_offset_parse(BYTES_LIT("+0530"), &s), 0);
    assert_int_equal(s, 19800);
    assert_int_equal(ical_offset_parse(BYTES_LIT("-001517"), &s), 0);
    assert_int_equal(s, -917);
    assert_int_equal(ical_offset_parse(BYTES_LIT("+5744"), &s), ERR_FORMAT);
    assert_int_equal(ical_offset_parse(BYTES_LIT("0100"), &s), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_lines_are_joined), cmocka_unit_test(colons_in_quotes_are_no_end),
        cmocka_unit_test(text_escapes_are_undone), cmocka_unit_test(times_are_read),
        cmocka_unit_test(wrong_times_are_refused), cmocka_unit_test(durations_are_read),
        cmocka_unit_test(offsets_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
