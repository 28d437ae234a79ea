/* What recurs is compared with what python's recurring-ical-events 3.8 gives; "now" is 2026-11-24. */
#include "tests/node/observe/source.h"

#include "tests/support/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct source *ical(void **state)
{
    struct source *x = *state;
    x->im.zone_dir = SAMPLE("zoneinfo");
    return x;
}

/* Reads a calendar of these lines. */
static void calendar(struct source *x, const char *lines)
{
    tmp_write(x->path, BYTES_LIT("BEGIN:VCALENDAR\r\nX-WR-CALNAME:Home\r\n"));
    tmp_append(x->path, bytes_str(lines));
    tmp_append(x->path, BYTES_LIT("END:VCALENDAR\r\n"));
    buf_clear(&x->im.cursor);
    source_read(x);
}

#define EVENT(lines) "BEGIN:VEVENT\nUID:u\nSUMMARY:S\n" lines "END:VEVENT\n"

static void an_event_has_all_its_fields(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART:20250102T030405Z\nDTEND:20250102T040405Z\nDESCRIPTION:more\\, of\n  it\n"
                      "LOCATION:Room 1\nURL:https://example.org/a,b\nSTATUS:TENTATIVE\n"));
    source_expect(x, "o 2025-01-02T03:04:05Z end=2025-01-02T04:04:05Z shared source=ical app=Home title=S "
                     "text=more, of it Room 1 url=https://example.org/a,b id=u/20250102T030405Z "
                     "data={\"status\":\"tentative\"}\n");
}

static void fields_of_an_alarm_are_not_the_events(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART:20250102T030405Z\nBEGIN:VALARM\nUID:other\nSUMMARY:alarm\nDESCRIPTION:"
                      "ring\nDURATION:PT5M\n"
                      "END:VALARM\nLOCATION:here\n"));
    source_expect(
        x, "o 2025-01-02T03:04:05Z shared source=ical app=Home title=S text=here id=u/20250102T030405Z\n");
}

static void zones_come_from_the_system_and_whole_days_are_local(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART;TZID=Europe/Berlin:20250701T090000\nDURATION:PT1H30M\n")
                    EVENT("DTSTART;VALUE=DATE:20250701\n") EVENT("DTSTART:20250701T120000\n")
                        EVENT("DTSTART;TZID=Nowhere/X:20250701T120000\n"));
    source_expect(
        x, "o 2025-07-01T07:00:00Z end=2025-07-01T08:30:00Z offset=120 shared source=ical app=Home title=S "
           "id=u/20250701T070000Z\n"
           "o 2025-07-01T00:00:00Z end=2025-07-02T00:00:00Z shared source=ical app=Home title=S "
           "id=u/20250701 data={\"all_day\":true}\n"
           "o 2025-07-01T12:00:00Z shared source=ical app=Home title=S id=u/20250701T120000\n"
           "b 22 TZID: time zone 'Nowhere/X' is unknown; the device's is used\n"
           "o 2025-07-01T12:00:00Z offset=0 shared source=ical app=Home title=S id=u/20250701T120000\n");
}

static void tasks_count_when_they_are_due(void **state)
{
    struct source *x = ical(state);
    calendar(x, "BEGIN:VTODO\nUID:t\nSUMMARY:T\nDTSTART:20250101T000000Z\nDUE:20250105T170000Z\nEND:VTODO\n"
                "BEGIN:VTODO\nUID:n\nSUMMARY:N\nSTATUS:COMPLETED\nEND:VTODO\n");
    source_expect(
        x, "o 2025-01-05T17:00:00Z shared source=ical app=Home title=T id=t/20250105T170000Z "
           "data={\"kind\":\"todo\"}\n"
           "o shared source=ical app=Home title=N id=n data={\"kind\":\"todo\",\"status\":\"completed\"}\n");
}

static void a_series_keeps_its_wall_clock_over_a_change_of_offset(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART;TZID=Europe/Berlin:20250328T090000\nDTEND;TZID=Europe/"
                      "Berlin:20250328T100000\nRRULE:FREQ=DAILY;COUNT=4\n"
                      "EXDATE;TZID=Europe/Berlin:20250329T090000\nRDATE;VALUE=PERIOD;TZID=Europe/"
                      "Berlin:20250402T120000/PT3H\n"));
    source_expect(x, "o 2025-03-28T08:00:00Z end=2025-03-28T09:00:00Z offset=60 shared source=ical "
                     "app=Home title=S id=u/20250328T080000Z\n"
                     "o 2025-03-30T07:00:00Z end=2025-03-30T08:00:00Z offset=120 shared source=ical "
                     "app=Home title=S id=u/20250330T070000Z\n"
                     "o 2025-03-31T07:00:00Z end=2025-03-31T08:00:00Z offset=120 shared source=ical "
                     "app=Home title=S id=u/20250331T070000Z\n"
                     "o 2025-04-02T10:00:00Z end=2025-04-02T13:00:00Z offset=120 shared source=ical "
                     "app=Home title=S id=u/20250402T100000Z\n");
}

static void an_override_replaces_its_occurrence_and_keeps_its_id(void **state)
{
    struct source *x = ical(state);
    calendar(
        x,
        EVENT(
            "RECURRENCE-ID;TZID=Europe/Berlin:20250102T090000\nDTSTART;TZID=Europe/Berlin:20250102T150000\n")
            EVENT("DTSTART;TZID=Europe/Berlin:20250101T090000\nRRULE:FREQ=DAILY;COUNT=4\n")
                EVENT("RECURRENCE-ID:20250103T080000Z\nDTSTART:20250103T080000Z\nSTATUS:CANCELLED\n"));
    assert_int_equal(x->im.skipped, 1);
    source_expect(
        x, "o 2025-01-02T14:00:00Z offset=60 shared source=ical app=Home title=S id=u/20250102T080000Z\n"
           "o 2025-01-01T08:00:00Z offset=60 shared source=ical app=Home title=S id=u/20250101T080000Z\n"
           "o 2025-01-04T08:00:00Z offset=60 shared source=ical app=Home title=S id=u/20250104T080000Z\n");
}

static void a_series_ends_a_year_ahead(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART:20260101T000000Z\nRRULE:FREQ=MONTHLY\n"));
    assert_int_equal(x->im.observations, 23); /* up to November 2027 */
    assert_true(import_has(&x->im, "o 2027-11-01T00:00:00Z "));
    calendar(x, EVENT("DTSTART:20300101T000000Z\nRRULE:FREQ=MONTHLY\n"));
    assert_int_equal(x->im.observations, 1);
}

static void of_a_long_series_the_latest_occurrences_are_given(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART:20000101T000000Z\nRRULE:FREQ=DAILY\n"));
    assert_int_equal(x->im.observations, 4000);
    assert_true(import_has(&x->im, "o 2027-11-24T00:00:00Z "));
}

static void a_rule_that_cannot_be_expanded_gives_the_first_occurrence(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART:20250102T030405Z\nRRULE:FREQ=HOURLY;COUNT=3\n"));
    source_expect(x, "b 7 RRULE: unsupported part 'FREQ=HOURLY'; only the first occurrence is kept\n"
                     "o 2025-01-02T03:04:05Z shared source=ical app=Home title=S id=u/20250102T030405Z\n");
}

static void occurrences_before_1970_are_left_out(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART;VALUE=DATE:19590412\nRRULE:FREQ=YEARLY;COUNT=13\n"));
    assert_int_equal(x->im.observations, 2);
    calendar(x, EVENT("DTSTART;VALUE=DATE:19590412\n") EVENT("DTSTART:00000101T000000Z\n")
                    EVENT("DTSTART:99991231T235959Z\n") EVENT("DTSTART:103120101T000000Z\n"));
    source_expect(x, "b 3 DTSTART: year 1959 is out of range\n"
                     "b 11 DTSTART: '00000101T000000Z' has a year out of range\n"
                     "o 9999-12-31T23:59:59Z shared source=ical app=Home title=S id=u/99991231T235959Z\n"
                     "b 21 DTSTART: '103120101T000000Z' is no date or time\n");
}

static void faults_name_line_and_field_and_the_rest_is_kept(void **state)
{
    struct source *x = ical(state);
    calendar(x, EVENT("DTSTART:20250102T030405Z\nDTEND:20250101T000000Z\nEXDATE:never\nno property\n")
                    EVENT("") EVENT("DTSTART:20250102T030405Z\n"));
    source_expect(x, "b 8 EXDATE: 'never' is no date or time\n"
                     "b 9 : line is no property\n"
                     "b 3 DTEND: lies before DTSTART; the entry is kept without an end\n"
                     "o 2025-01-02T03:04:05Z shared source=ical app=Home title=S id=u/20250102T030405Z\n"
                     "b 11 DTSTART: missing\n"
                     "o 2025-01-02T03:04:05Z shared source=ical app=Home title=S id=u/20250102T030405Z\n");
}

static void a_calendar_that_ends_in_an_entry_keeps_what_came_before(void **state)
{
    struct source *x = ical(state);
    const char *text = "BEGIN:VCALENDAR\n" EVENT("DTSTART:20250102T030405Z\n") "BEGIN:VEVENT\nDTSTART:2025";
    source_fresh(x, text);
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(&x->im, "b 7 : the calendar ends inside this entry\n"));
    x->im.growing = true; /* being written: not a fault yet */
    source_fresh(x, text);
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.bad, 0);
}

static void a_missing_end_does_not_swallow_the_next_entry(void **state)
{
    struct source *x = ical(state);
    calendar(x, "BEGIN:VEVENT\nSUMMARY:one\nDTSTART:20250102T030405Z\nBEGIN:VALARM\n" EVENT(
                    "DTSTART:20250103T030405Z\n"));
    assert_int_equal(x->im.observations, 2);
}

static void what_is_no_calendar_is_refused(void **state)
{
    struct source *x = ical(state);
    tmp_write(x->path, BYTES_LIT("hello\xff\0world\n"));
    source_run_path(x, x->path);
    assert_int_equal(x->im.opened, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "is not a calendar"));
    source_refuses_what_is_no_file(x);
    source_fresh(x, "");
    source_expect(x, "");
}

static void a_calendar_over_the_limit_is_refused(void **state)
{
    struct source *x = ical(state);
    tmp_write(x->path, BYTES_LIT("BEGIN:VCALENDAR\n"));
    assert_int_equal(truncate(x->path, (off_t)40 << 20), 0);
    source_run_path(x, x->path);
    assert_int_equal(x->im.opened, ERR_LIMIT);
}

static void a_line_of_ten_megabytes_is_passed_over(void **state)
{
    struct source *x = ical(state);
    size_t n = (size_t)10 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    tmp_write(x->path, BYTES_LIT("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20250102T030405Z\nATTACH:"));
    tmp_append(x->path, bytes_of(text, n));
    tmp_append(x->path, BYTES_LIT("\n x\nSUMMARY:S\nEND:VEVENT\nEND:VCALENDAR\n"));
    free(text);
    source_read(x);
    source_expect(x, "o 2025-01-02T03:04:05Z shared source=ical app=source title=S\n");
}

static void rules_without_end_cannot_take_for_ever(void **state)
{
    struct source *x = ical(state);
    const char *event = EVENT("DTSTART;VALUE=DATE:00010101\nRRULE:FREQ=DAILY;BYMONTHDAY=30;BYMONTH=2\n");
    tmp_write(x->path, BYTES_LIT("BEGIN:VCALENDAR\n"));
    for (int i = 0; i < 500; i++)
        tmp_append(x->path, bytes_str(event));
    source_more(x, EVENT("DTSTART:20250102T030405Z\n") "END:VCALENDAR\n");
    assert_int_equal(x->im.observations, 1);
    assert_true(import_has(
        &x->im, " RRULE: too many repetitions in this calendar; some are left out from here on\n"));
}

static void in_folder(struct source *x, const char *name, const char *content)
{
    char path[TMP_PATH_BYTES];
    tmp_write(tmp_path(&x->dir, name, path), bytes_str(content));
}

static void a_folder_is_read_by_name_and_a_bad_file_is_one_bad_row(void **state)
{
    struct source *x = ical(state);
    char path[TMP_PATH_BYTES];
    in_folder(x, "b.ics",
              "BEGIN:VCALENDAR\n" EVENT("DTSTART:20250102T030405Z\n") EVENT("") "END:VCALENDAR\n");
    in_folder(
        x, "a.ICS",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:A\nDTSTART:20250101T000000Z\nEND:VEVENT\nEND:VCALENDAR\n");
    in_folder(x, "c.ics", "not this\n");
    in_folder(x, ".hidden.ics", "not this\n");
    in_folder(x, "note.txt", "not this\n");
    assert_int_equal(mkfifo(tmp_path(&x->dir, "d.ics", path), 0600), 0);
    assert_int_equal(symlink("e.ics", tmp_path(&x->dir, "e.ics", path)), 0);
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.bad, 4);
    assert_true(import_has(&x->im, " title=A\n"));
    assert_true(strstr(buf_cstr(&x->im.text), "title=A") < strstr(buf_cstr(&x->im.text), "title=S"));
    assert_true(import_has(&x->im, "b 7 DTSTART: 'b.ics': missing\n"));
    assert_true(import_has(&x->im, "/c.ics' is not a calendar\n"));
    assert_true(import_has(&x->im, "/d.ics' is not a regular file\n"));
}

/* Reads the folder at `now_ms` and counts. */
static size_t rows_at(struct source *x, int64_t now_ms)
{
    struct observer_env env = {.now_ms = now_ms};
    struct reader *r = NULL;
    struct observation o;
    struct bad_record b;
    size_t n = 0;
    assert_int_equal(observer_ical.open(&r, x->dir.path, -1, buf_view(&x->im.cursor), &env, NULL), 0);
    while (observer_ical.next(r, &o, &b, NULL) > 0)
        n++;
    buf_clear(&x->im.cursor);
    assert_int_equal(observer_ical.cursor(r, &x->im.cursor), 0);
    observer_ical.close(r);
    return n;
}

static void only_changed_files_are_read_again_for_a_week(void **state)
{
    struct source *x = ical(state);
    const char *one = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20250102T030405Z\nEND:VEVENT\nEND:VCALENDAR\n";
    struct stat st;
    char path[TMP_PATH_BYTES];
    in_folder(x, "a.ics", one);
    in_folder(x, "b.ics", one);
    assert_int_equal(stat(tmp_path(&x->dir, "b.ics", path), &st), 0);
    int64_t now_ms = (int64_t)st.st_ctim.tv_sec * 1000 + 10000;
    assert_int_equal(rows_at(x, now_ms), 2);
    assert_int_equal(rows_at(x, now_ms), 0);
    in_folder(x, "b.ics", one);
    struct stat again;
    assert_int_equal(stat(path, &again), 0);
    if (memcmp(&again.st_ctim, &st.st_ctim, sizeof st.st_ctim) != 0) /* clocks tick every few milliseconds */
        assert_int_equal(rows_at(x, now_ms + 1000), 1);
    assert_int_equal(rows_at(x, now_ms + 8 * MS_DAY), 2);
    assert_int_equal(rows_at(x, now_ms), 2); /* a clock that went back */
}

static void every_sample_is_read(void **state)
{
    struct source *x = ical(state);
    DIR *dir = opendir(SAMPLE("icalendar"));
    size_t files = 0, rows = 0;
    assert_non_null(dir);
    for (struct dirent *d; (d = readdir(dir));) {
        char path[TMP_PATH_BYTES];
        if (d->d_name[0] == '.' || !strstr(d->d_name, ".ics"))
            continue;
        snprintf(path, sizeof path, "%s/%s", SAMPLE("icalendar"), d->d_name);
        buf_clear(&x->im.cursor);
        source_run_path(x, path);
        files++;
        assert_true(x->im.opened == 0 || x->im.opened == ERR_FORMAT);
        assert_true(x->im.opened != 0 || x->im.rc == ROW_DONE);
        rows += x->im.observations;
    }
    closedir(dir);
    assert_int_equal(files, 152);
    assert_true(rows > 300);
}

static void samples_recur_as_python_says(void **state)
{
    struct source *x = ical(state);
    source_run_path(x, SAMPLE("icalendar/issue_156_RDATE_with_PERIOD_list.ics"));
    assert_int_equal(x->im.observations, 3);
    assert_true(import_has(&x->im, "o 1997-01-09T18:00:00Z end=1997-01-09T23:30:00Z "));
    buf_clear(&x->im.cursor);
    source_run_path(x, SAMPLE("icalendar/rfc_7265_appendix_example_2_ical.ics"));
    assert_int_equal(x->im.observations, 6);
    assert_true(import_has(&x->im, "o 2006-01-02T20:00:00Z end=2006-01-02T22:00:00Z "));
    buf_clear(&x->im.cursor);
    source_run_path(x, SAMPLE("icalendar/alarm_google_future.ics"));
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.bad, 0);
}

#define TEST(f) SOURCE_TEST(f, observer_ical)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_has_all_its_fields),
        TEST(fields_of_an_alarm_are_not_the_events),
        TEST(zones_come_from_the_system_and_whole_days_are_local),
        TEST(tasks_count_when_they_are_due),
        TEST(a_series_keeps_its_wall_clock_over_a_change_of_offset),
        TEST(an_override_replaces_its_occurrence_and_keeps_its_id),
        TEST(a_series_ends_a_year_ahead),
        TEST(of_a_long_series_the_latest_occurrences_are_given),
        TEST(a_rule_that_cannot_be_expanded_gives_the_first_occurrence),
        TEST(occurrences_before_1970_are_left_out),
        TEST(faults_name_line_and_field_and_the_rest_is_kept),
        TEST(a_calendar_that_ends_in_an_entry_keeps_what_came_before),
        TEST(a_missing_end_does_not_swallow_the_next_entry),
        TEST(what_is_no_calendar_is_refused),
        TEST(a_calendar_over_the_limit_is_refused),
        TEST(a_line_of_ten_megabytes_is_passed_over),
        TEST(rules_without_end_cannot_take_for_ever),
        TEST(a_folder_is_read_by_name_and_a_bad_file_is_one_bad_row),
        TEST(only_changed_files_are_read_again_for_a_week),
        TEST(every_sample_is_read),
        TEST(samples_recur_as_python_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
