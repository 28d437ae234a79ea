#include "base/time.h"

#include "base/limits.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>
#include <time.h>

static int64_t must_parse(const char *text)
{
    int64_t ms = TIME_NONE;
    if (rfc3339_parse(bytes_str(text), &ms, NULL) != 0)
        fail_msg("'%s' was refused", text);
    return ms;
}

static void must_refuse(const char *text, int code)
{
    int64_t ms = 42;
    int got = rfc3339_parse(bytes_str(text), &ms, NULL);
    if (got != code)
        fail_msg("'%s' gave %d, expected %d", text, got, code);
    assert_int_equal(ms, 42);
}

static void every_day_of_ten_thousand_years_converts_back(void **state)
{
    int64_t days = civil_days(0, 1, 1);
    (void)state;
    assert_int_equal(civil_days(1970, 1, 1), 0);
    for (int year = 0; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= civil_month_days(year, month); day++, days++) {
                int y, m, d;
                civil_from_days(days, &y, &m, &d);
                if (civil_days(year, month, day) != days || y != year || m != month || d != day)
                    fail_msg("%04d-%02d-%02d", year, month, day);
            }
        }
    }
}

static void civil_fields_agree_with_the_c_library(void **state)
{
    struct test_rng t;
    (void)state;
    test_rng_init(&t, 8);
    for (int i = 0; i < 5000; i++) {
        int64_t ms = (int64_t)test_rng_below(&t, (uint64_t)LIMIT_TIME_MS_MAX + 1);
        time_t seconds = (time_t)(ms / 1000);
        struct civil c;
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        civil_from_ms(ms, 0, &c);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second,
                         tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        assert_int_equal(c.ms, ms % 1000);
        assert_int_equal(weekday_of_days(ms / MS_DAY), (tm.tm_wday + 6) % 7);
        assert_int_equal(civil_to_ms(&c, 0), ms);
    }
}

static void leap_days_follow_the_gregorian_rule(void **state)
{
    (void)state;
    assert_int_equal(civil_month_days(2024, 2), 29);
    assert_int_equal(civil_month_days(2023, 2), 28);
    assert_int_equal(civil_month_days(2000, 2), 29);
    assert_int_equal(civil_month_days(1900, 2), 28);
    assert_int_equal(civil_month_days(0, 2), 29);
    assert_int_equal(must_parse("2024-02-29"), INT64_C(1709164800000));
    assert_int_equal(must_parse("2000-02-29T00:00:00Z"), INT64_C(951782400000));
    must_refuse("2023-02-29", ERR_FORMAT);
    must_refuse("2100-02-29T00:00:00Z", ERR_FORMAT);
    must_refuse("2024-02-30", ERR_FORMAT);
}

static void offsets_before_the_epoch_and_east_and_west(void **state)
{
    struct civil c;
    (void)state;
    civil_from_ms(-1, 0, &c);
    assert_int_equal(c.year, 1969);
    assert_int_equal(c.ms, 999);
    assert_int_equal(c.second, 59);
    civil_from_ms(0, -90, &c);
    assert_int_equal(c.day, 31);
    assert_int_equal(c.hour, 22);
    assert_int_equal(c.minute, 30);
    assert_int_equal(civil_to_ms(&c, -90), 0);
    assert_int_equal(weekday_of_days(-1), 2);
    assert_int_equal(weekday_of_days(-4), 6);
}

static void accepted_forms(void **state)
{
    const int64_t at = INT64_C(1363570814000);
    int offset = 7;
    int64_t ms;
    (void)state;
    assert_int_equal(must_parse("2013-03-17T18:40:14-07:00"), at);
    assert_int_equal(must_parse("2013-03-18T01:40:14Z"), at);
    assert_int_equal(must_parse("2013-03-18t01:40:14z"), at);
    assert_int_equal(must_parse("2013-03-18 01:40:14Z"), at);
    assert_int_equal(must_parse("2013-03-18T07:10:14+05:30"), at);
    assert_int_equal(must_parse("2013-03-18T01:40:14-00:00"), at);
    assert_int_equal(must_parse("2013-03-18T01:40:14.5Z"), at + 500);
    assert_int_equal(must_parse("2013-03-18T01:40:14.123456789012345678901234567890Z"), at + 123);
    assert_int_equal(must_parse("2013-03-18T01:40:14.0009Z"), at);
    assert_int_equal(must_parse("2013-03-18T01:40:14.999999Z"), at + 999);
    assert_int_equal(must_parse("2013-03-18"), INT64_C(1363564800000));
    assert_int_equal(rfc3339_parse(BYTES_LIT("2013-03-17T18:40:14-07:00"), &ms, &offset), 0);
    assert_int_equal(offset, -420);
    assert_int_equal(rfc3339_parse(BYTES_LIT("2013-03-18"), &ms, &offset), 0);
    assert_int_equal(offset, 0);
}

static void refused_forms(void **state)
{
    static const char *const bad[] = {
        "",
        "2013",
        "2013-03",
        "2013-3-17",
        "2013-03-17T",
        "2013-03-17T18:40",
        "2013-03-17T18:40Z",
        "2013-03-17T18:40:14",
        "2013-03-17T18:40:14.Z",
        "2013-03-17T18:40:14,5Z",
        "2013-03-17T18:40:14+7",
        "2013-03-17T18:40:14+0700",
        "2013-03-17T18:40:14+24:00",
        "2013-03-17T18:40:14+07:60",
        "2013-03-17T24:00:00Z",
        "2013-03-17T18:60:00Z",
        "2013-03-17T18:40:61Z",
        "2013-00-17",
        "2013-13-17",
        "2013-01-00",
        "2013-04-31",
        "2013-03-17T18:40:14Z ",
        " 2013-03-17T18:40:14Z",
        "2013-03-17T18:40:14ZZ",
        "+2013-03-17",
        "-013-03-17",
        "2013/03/17",
        "20130317",
        "now",
        "10000-01-01",
        "10000-01-01T00:00:00Z",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_refuse(bad[i], ERR_FORMAT);
}

static void instants_outside_the_years_are_a_limit(void **state)
{
    (void)state;
    must_refuse("0000-01-01T00:00:00Z", ERR_LIMIT);
    must_refuse("0000-01-01", ERR_LIMIT);
    must_refuse("1969-12-31T23:59:59Z", ERR_LIMIT);
    must_refuse("1970-01-01T00:00:00+00:01", ERR_LIMIT);
    must_refuse("9999-12-31T23:59:59-00:01", ERR_LIMIT);
    assert_int_equal(must_parse("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(must_parse("1969-12-31T19:00:00-05:00"), 0);
    assert_int_equal(must_parse("9999-12-31T23:59:59.999Z"), LIMIT_TIME_MS_MAX);
}

static void leap_seconds_exist_only_at_midnight_utc(void **state)
{
    (void)state;
    assert_int_equal(must_parse("2016-12-31T23:59:60Z"), must_parse("2017-01-01T00:00:00Z"));
    assert_int_equal(must_parse("2016-12-31T15:59:60.25-08:00"), must_parse("2017-01-01T00:00:00.25Z"));
    must_refuse("2016-12-31T12:00:60Z", ERR_FORMAT);
    must_refuse("2016-12-31T23:59:60-08:00", ERR_FORMAT);
    must_refuse("9999-12-31T23:59:60Z", ERR_LIMIT);
}

static void print_leaves_out_zero_milliseconds(void **state)
{
    char text[RFC3339_TEXT + 1];
    (void)state;
    rfc3339_print(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    rfc3339_print(INT64_C(1363570814007), text);
    assert_string_equal(text, "2013-03-18T01:40:14.007Z");
    rfc3339_print(LIMIT_TIME_MS_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void print_of_any_number_stays_in_its_buffer(void **state)
{
    char text[RFC3339_TEXT + 1];
    (void)state;
    rfc3339_print(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    rfc3339_print(TIME_NONE, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static void printed_times_read_back(void **state)
{
    struct test_rng t;
    (void)state;
    test_rng_init(&t, 9);
    for (int i = 0; i < 5000; i++) {
        int64_t ms = (int64_t)test_rng_below(&t, (uint64_t)LIMIT_TIME_MS_MAX + 1);
        char text[RFC3339_TEXT + 1];
        if (test_rng_one_in(&t, 2))
            ms -= ms % 1000;
        rfc3339_print(ms, text);
        assert_int_equal(must_parse(text), ms);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"90s", 90000},      {"15m", 15 * MS_MINUTE},   {"2h", 2 * MS_HOUR},      {"3d", 3 * MS_DAY},
                {"2w", 14 * MS_DAY}, {"1h30m", 90 * MS_MINUTE}, {"1d0h1s", MS_DAY + 1000}};
    static const char *const bad[] = {"",     "0s",   "5",    "h",   "1x", "-1h",         "1h ",
                                      "1.5h", "1h1h", "1m1h", "1 h", "1H", "9999999999s", "999999999w"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ms = 0;
        assert_int_equal(duration_parse(bytes_str(good[i].text), &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms;
        if (duration_parse(bytes_str(bad[i]), &ms) != ERR_FORMAT)
            fail_msg("'%s' was accepted", bad[i]);
    }
}

static void ages_read_like_people_say_them(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{-MS_DAY, "just now"},
                {0, "just now"},
                {MS_MINUTE - 1, "just now"},
                {2 * MS_MINUTE, "2 min"},
                {MS_HOUR - 1, "59 min"},
                {3 * MS_HOUR, "3 h"},
                {MS_DAY, "1 d"},
                {30 * MS_DAY, "30 d"},
                {31 * MS_DAY, "1 mo"},
                {364 * MS_DAY, "11 mo"},
                {365 * MS_DAY, "1 y"},
                {730 * MS_DAY, "2 y"},
                {INT64_MAX, "292471208 y"},
                {INT64_MIN, "just now"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[24];
        age_print(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_ten_thousand_years_converts_back),
        cmocka_unit_test(civil_fields_agree_with_the_c_library),
        cmocka_unit_test(leap_days_follow_the_gregorian_rule),
        cmocka_unit_test(offsets_before_the_epoch_and_east_and_west),
        cmocka_unit_test(accepted_forms),
        cmocka_unit_test(refused_forms),
        cmocka_unit_test(instants_outside_the_years_are_a_limit),
        cmocka_unit_test(leap_seconds_exist_only_at_midnight_utc),
        cmocka_unit_test(print_leaves_out_zero_milliseconds),
        cmocka_unit_test(print_of_any_number_stays_in_its_buffer),
        cmocka_unit_test(printed_times_read_back),
        cmocka_unit_test(durations),
        cmocka_unit_test(ages_read_like_people_say_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
