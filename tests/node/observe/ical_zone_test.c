#include "node/observe/ical_zone.h"

#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

#define ZONES TEST_DATA "/observe/zoneinfo"

static int16_t device_zone(void *ctx, int64_t ms)
{
    (void)ctx, (void)ms;
    return 90;
}

struct fixture {
    struct observer_env env;
    struct zones zones;
    uint64_t budget;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);
    if (!x)
        return -1;
    x->env = (struct observer_env){.zone_offset = device_zone, .zone_dir = ZONES};
    x->budget = 10000000;
    zones_init(&x->zones, &x->env, BYTES_NONE, &x->budget);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    zones_release(&x->zones);
    free(x);
    return 0;
}

static int64_t seconds(const char *text)
{
    struct ical_time t;
    assert_int_equal(ical_time_parse(bytes_str(text), &t), 0);
    return t.local_s;
}

/* Offset in minutes at a UTC time. */
static int offset_at(struct fixture *x, const char *zone, const char *utc)
{
    const struct ical_zone *z = zones_get(&x->zones, bytes_str(zone));
    assert_non_null(z);
    return zone_offset_s(z, seconds(utc)) / 60;
}

/* The UTC time of a wall clock, minus its wall clock, in minutes. */
static int wall_offset(struct fixture *x, const char *zone, const char *local)
{
    int32_t offset_s;
    const struct ical_zone *z = zones_get(&x->zones, bytes_str(zone));
    int64_t local_s = seconds(local);
    int64_t utc_s = zone_to_utc(z, local_s, &offset_s);
    assert_int_equal(utc_s, local_s - offset_s);
    return offset_s / 60;
}

static void system_zones_know_past_and_future(void **state)
{
    struct fixture *x = *state;
    const char *berlin[] = {"Europe/Berlin", "Europe/Berlin_fat"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(offset_at(x, berlin[i], "19450601T000000"), 180);
        assert_int_equal(offset_at(x, berlin[i], "20250101T000000"), 60);
        assert_int_equal(offset_at(x, berlin[i], "20250701T000000"), 120);
        assert_int_equal(offset_at(x, berlin[i], "20250330T005959"), 60);
        assert_int_equal(offset_at(x, berlin[i], "20250330T010000"), 120);
        assert_int_equal(offset_at(x, berlin[i], "20501030T005959"), 120);
        assert_int_equal(offset_at(x, berlin[i], "20501030T010000"), 60);
    }
    assert_int_equal(offset_at(x, "America/New_York", "20260701T000000"), -240);
    assert_int_equal(offset_at(x, "America/New_York", "20261201T000000"), -300);
    assert_int_equal(offset_at(x, "Asia/Kolkata", "20260701T000000"), 330);
    assert_int_equal(offset_at(x, "Australia/Lord_Howe", "20260101T000000"), 660);
    assert_int_equal(offset_at(x, "Australia/Lord_Howe", "20260701T000000"), 630);
    assert_int_equal(offset_at(x, "UTC", "20260701T000000"), 0);
}

static void a_wall_clock_that_comes_twice_means_the_first(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(wall_offset(x, "Europe/Berlin", "20251026T023000"), 120);
    assert_int_equal(wall_offset(x, "Europe/Berlin", "20251026T030000"), 60);
    assert_int_equal(wall_offset(x, "America/New_York", "20251102T013000"), -240);
}

static void a_wall_clock_that_does_not_exist_is_read_as_before_the_gap(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(wall_offset(x, "Europe/Berlin", "20250330T023000"), 60);
    assert_int_equal(wall_offset(x, "Europe/Berlin", "20250330T030000"), 120);
}

static void vendor_prefixes_are_passed_over(void **state)
{
    struct fixture *x = *state;
    const char *ids[] = {"/freeassociation.sourceforge.net/Tzfile/Europe/Berlin",
                         "/freeassociation.sourceforge.net/Europe/Berlin",
                         "/mozilla.org/20070129_1/Europe/Berlin", "/Europe/Berlin", "posix/Europe/Berlin"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(offset_at(x, ids[i], "20250701T000000"), 120);
    assert_int_equal(offset_at(x, "/x.org/America/Argentina/Buenos_Aires", "20250701T000000"), -180);
}

static void an_id_never_leaves_the_folder(void **state)
{
    struct fixture *x = *state;
    const char *ids[] = {"../Europe/Berlin",
                         "Europe/../Europe/Berlin/..",
                         "/etc/passwd",
                         "Europe/Berlin/../../../x",
                         "No/Where",
                         "",
                         " ",
                         "Argentina",
                         "Europe/Ber lin",
                         "Europe/Berlin\nx"};
    x->env.zone_dir = ZONES "/America";
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_null(zones_get(&x->zones, bytes_str(ids[i])));
    assert_null(zones_get(&x->zones, bytes_of("Europe\0/Berlin", 14)));
}

static void too_many_zones_are_unknown(void **state)
{
    struct fixture *x = *state;
    char id[8] = "zone__";
    for (int i = 0; i < 200; i++) {
        id[4] = (char)('a' + i / 16);
        id[5] = (char)('a' + i % 16);
        assert_null(zones_get(&x->zones, bytes_str(id)));
    }
    assert_null(zones_get(&x->zones, BYTES_LIT("Europe/Berlin")));
}

static const char block[] =
    "TZID:Own\r\n"
    "BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n";

static void the_calendars_own_zone_comes_first(void **state)
{
    struct fixture *x = *state;
    zones_init(&x->zones, &x->env, bytes_str(block), &x->budget);
    zones_note(&x->zones, BYTES_LIT("Asia/Kolkata"), 0, sizeof block - 1);
    assert_int_equal(offset_at(x, "Asia/Kolkata", "20250330T005959"), 60);
    assert_int_equal(offset_at(x, "Asia/Kolkata", "20250330T010000"), 120);
    assert_int_equal(offset_at(x, "Asia/Kolkata", "20251026T005959"), 120);
    assert_int_equal(offset_at(x, "Asia/Kolkata", "20251026T010000"), 60);
    assert_int_equal(offset_at(x, "Asia/Kolkata", "19600701T000000"), 60);
}

static void a_zone_with_dates_and_an_end_is_read(void **state)
{
    struct fixture *x = *state;
    static const char text[] =
        "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0000\nTZOFFSETTO:-0330\n"
        "RDATE:20050101T000000,20060101T000000\nEND:STANDARD\n"
        "BEGIN:DAYLIGHT\nDTSTART:20040601T000000\nTZOFFSETFROM:-0330\nTZOFFSETTO:-0230\n"
        "RRULE:FREQ=YEARLY;UNTIL=20050601T033000Z\nEND:DAYLIGHT\n";
    zones_init(&x->zones, &x->env, bytes_str(text), &x->budget);
    zones_note(&x->zones, BYTES_LIT("Own"), 0, sizeof text - 1);
    assert_int_equal(offset_at(x, "Own", "19990101T000000"), 0);
    assert_int_equal(offset_at(x, "Own", "20040701T000000"), -150);
    assert_int_equal(offset_at(x, "Own", "20050301T000000"), -210);
    assert_int_equal(offset_at(x, "Own", "20050701T000000"), -150);
    assert_int_equal(offset_at(x, "Own", "20060701T000000"), -210);
}

static void a_zone_without_offsets_is_unknown(void **state)
{
    struct fixture *x = *state;
    static const char text[] = "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETTO:-0330\nEND:STANDARD\n";
    zones_init(&x->zones, &x->env, bytes_str(text), &x->budget);
    zones_note(&x->zones, BYTES_LIT("Own"), 0, sizeof text - 1);
    assert_null(zones_get(&x->zones, BYTES_LIT("Own")));
}

static void a_cut_or_damaged_file_is_refused_or_read(void **state)
{
    struct buf file;
    (void)state;
    buf_init(&file, 65536);
    tmp_read(ZONES "/Europe/Berlin", &file);
    for (size_t n = 0; n + 40 < file.n; n++) { /* the footer may be lost: then the table counts */
        struct ical_zone z = {0};
        assert_true(zone_read_tzif(&z, bytes_of(file.p, n)) != 0 || n > file.n - 64);
        zone_release(&z);
    }
    for (size_t i = 0; i < file.n; i++) {
        struct ical_zone z = {0};
        file.p[i] ^= 0xff;
        if (zone_read_tzif(&z, buf_view(&file)) == 0)
            (void)zone_offset_s(&z, INT64_C(4000000000));
        zone_release(&z);
        file.p[i] ^= 0xff;
    }
    buf_release(&file);
}

static void the_device_zone_is_asked(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(zone_offset_s(&x->zones.device, 0), 90 * 60);
    assert_int_equal(zone_to_utc(&x->zones.device, 90 * 60, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(system_zones_know_past_and_future),
        TEST(a_wall_clock_that_comes_twice_means_the_first),
        TEST(a_wall_clock_that_does_not_exist_is_read_as_before_the_gap),
        TEST(vendor_prefixes_are_passed_over),
        TEST(an_id_never_leaves_the_folder),
        TEST(too_many_zones_are_unknown),
        TEST(the_calendars_own_zone_comes_first),
        TEST(a_zone_with_dates_and_an_end_is_read),
        TEST(a_zone_without_offsets_is_unknown),
        TEST(a_cut_or_damaged_file_is_refused_or_read),
        TEST(the_device_zone_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
