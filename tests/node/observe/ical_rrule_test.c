/* The expected days of the table come from python-dateutil 2.9. */
#include "node/observe/ical_rrule.h"

#include "base/time.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

/* The days of a rule as "MMDD", at most `max`, as "2025: 0113 0114 2026: …". */
static void expand(const char *rule, const char *start, size_t max, struct buf *out)
{
    struct rrule r;
    struct rrule_iter it;
    struct ical_time t, until;
    char reason[RRULE_REASON] = "";
    uint64_t budget = 10000000;
    int64_t s;
    int shown = 0;
    assert_int_equal(ical_time_parse(bytes_str(start), &t), 0);
    assert_int_equal(ical_time_parse(BYTES_LIT("20400101"), &until), 0);
    assert_int_equal(rrule_parse(bytes_str(rule), &r, reason), 0);
    if (r.has_until)
        until = r.until;
    rrule_begin(&it, &r, t.local_s, until.local_s, &budget);
    while (max-- > 0 && rrule_next(&it, &s)) {
        int year, month, day;
        civil_from_days(s / SECONDS_DAY, &year, &month, &day);
        if (year != shown)
            buf_printf(out, "%s%d:", out->n ? " " : "", year);
        shown = year;
        buf_printf(out, " %02d%02d", month, day);
    }
}

static const struct {
    const char *rule, *start, *days;
} table[] = {
#include "tests/node/observe/ical_rrule_cases.h"
};

static void rules_give_the_days_dateutil_gives(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 65536);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        buf_clear(&out);
        expand(table[i].rule, table[i].start, 12, &out);
        if (strcmp(buf_cstr(&out), table[i].days) != 0)
            print_error("%s from %s\n", table[i].rule, table[i].start);
        assert_string_equal(buf_cstr(&out), table[i].days);
    }
    buf_release(&out);
}

static void expect(const char *rule, const char *start, const char *days)
{
    struct buf out;
    buf_init(&out, 65536);
    expand(rule, start, 12, &out);
    assert_string_equal(buf_cstr(&out), days);
    buf_release(&out);
}

static void the_start_is_the_first_even_when_the_rule_misses_it(void **state)
{
    (void)state;
    expect("FREQ=WEEKLY;BYDAY=MO;COUNT=3", "20250115T090000", "2025: 0115 0120 0127");
}

static void a_time_of_day_in_the_rule_holds_from_the_second_on(void **state)
{
    struct rrule r;
    struct rrule_iter it;
    char reason[RRULE_REASON];
    uint64_t budget = 1000;
    int64_t s;
    (void)state;
    assert_int_equal(rrule_parse(BYTES_LIT("FREQ=DAILY;BYHOUR=10;BYMINUTE=30"), &r, reason), 0);
    rrule_begin(&it, &r, 9 * 3600, INT64_C(1000000), &budget);
    assert_true(rrule_next(&it, &s) && s == 9 * 3600);
    assert_true(rrule_next(&it, &s) && s == 10 * 3600 + 1800);
    assert_true(rrule_next(&it, &s) && s == SECONDS_DAY + 10 * 3600 + 1800);
}

static void what_is_not_supported_is_named(void **state)
{
    static const char *const bad[] = {"FREQ=HOURLY",
                                      "FREQ=YEARLY;BYWEEKNO=20",
                                      "FREQ=DAILY;BYHOUR=9,17",
                                      "RSCALE=CHINESE;FREQ=YEARLY",
                                      "FREQ=DAILY;INTERVAL=0",
                                      "FREQ=DAILY;COUNT=-1",
                                      "FREQ=DAILY;UNTIL=tomorrow",
                                      "FREQ=MONTHLY;BYDAY=XX",
                                      "FREQ=MONTHLY;BYMONTHDAY=32",
                                      "FREQ=YEARLY;BYMONTH=13",
                                      "FREQ=YEARLY;BYMONTH=5L",
                                      "FREQ=DAILY;X-NEW=1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rrule r;
        char reason[RRULE_REASON] = "";
        assert_int_equal(rrule_parse(bytes_str(bad[i]), &r, reason), ERR_FORMAT);
        assert_non_null(strstr(reason, "unsupported part '"));
    }
}

static void a_rule_without_freq_is_refused(void **state)
{
    static const char *const bad[] = {"", "COUNT=3", ";;", "FREQ"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct rrule r;
        char reason[RRULE_REASON] = "";
        assert_int_equal(rrule_parse(bytes_str(bad[i]), &r, reason), ERR_FORMAT);
        assert_true(reason[0] != 0);
    }
}

static void a_rule_that_never_hits_ends_with_the_budget(void **state)
{
    struct rrule r;
    struct rrule_iter it;
    char reason[RRULE_REASON];
    uint64_t budget = 100000;
    int64_t s;
    (void)state;
    assert_int_equal(rrule_parse(BYTES_LIT("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), &r, reason), 0);
    rrule_begin(&it, &r, 0, INT64_MAX, &budget);
    assert_true(rrule_next(&it, &s));
    assert_false(rrule_next(&it, &s));
    assert_int_equal(budget, 0);
    budget = UINT64_MAX;
    rrule_begin(&it, &r, 0, INT64_MAX, &budget); /* or with the calendar, in the year 9999 */
    assert_true(rrule_next(&it, &s));
    assert_false(rrule_next(&it, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_give_the_days_dateutil_gives),
        cmocka_unit_test(the_start_is_the_first_even_when_the_rule_misses_it),
        cmocka_unit_test(a_time_of_day_in_the_rule_holds_from_the_second_on),
        cmocka_unit_test(what_is_not_supported_is_named),
        cmocka_unit_test(a_rule_without_freq_is_refused),
        cmocka_unit_test(a_rule_that_never_hits_ends_with_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
