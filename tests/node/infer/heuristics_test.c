/* What the built-in inference claims, and what it does not. */
#include "node/infer/heuristics.h"

#include "tests/support/unit.h"

#include "store/local.h"
#include "tests/node/infer/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW (DAY_MS(MONDAY + 60) + 12 * MS_HOUR)
#define MANY 4000

static struct observation list[MANY];
static size_t n_list;

static void add(struct observation o)
{
    assert_true(n_list < MANY);
    list[n_list++] = o;
}

static int setup(void **state)
{
    struct device *d = malloc(sizeof *d);
    device_init(d, 1, NOW);
    n_list = 0;
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    device_release(*state);
    free(*state);
    return 0;
}

static void take(struct device *d)
{
    device_take(d, list, n_list);
    n_list = 0;
}

static double probability_of(struct device *d, const char *text)
{
    struct prop p;
    assert_true(device_claim(d, text, &p));
    return prop_probability(&p);
}

/* ---- tools ---- */

static void a_tool_used_on_several_days_is_claimed_with_counts(void **state)
{
    struct device *d = *state;
    struct prop p;
    for (int day = 0; day < 20; day++)
        add(seen_command(MONDAY + day, 600, "sudo rg -n todo src | head"));
    take(d);
    assert_true(device_claim(d, "Uses rg", &p));
    assert_int_equal(p.kind, KIND_TOOL);
    assert_int_equal(p.support, 20);
    assert_int_equal(p.against, 0);
    assert_int_equal(p.last_ms, DAY_MS(MONDAY + 19) + 600 * MS_MINUTE);
    assert_memory_equal(p.reasoning.p, "Used rg on 20+ days of the last 26 weeks", p.reasoning.n);
    assert_int_equal(device_claims(d, "head"), 0);
    uint64_t support, against;
    struct err e = ERR_INIT;
    assert_int_equal(local_link_counts(d->s, &p.id, &support, &against, &e), 0);
    assert_int_equal(support, 20);
}

static void a_burst_on_one_day_is_one_occasion(void **state)
{
    struct device *d = *state;
    for (int i = 0; i < 300; i++)
        add(seen_command(MONDAY, i, "rg x"));
    take(d);
    assert_int_equal(device_claims(d, "rg"), 0);
}

static void the_tool_used_more_on_most_days_is_preferred(void **state)
{
    struct device *d = *state;
    struct prop p;
    for (int day = 0; day < 30; day++) {
        add(seen_command(MONDAY + day, 600, "rg alpha"));
        add(seen_command(MONDAY + day, 601, "rg beta"));
        if (day % 10 == 0)
            add(seen_command(MONDAY + day, 602, "grep -r alpha ."));
    }
    for (int i = 0; i < 3; i++)
        add(seen_command(MONDAY + 35, 600 + i, "grep -r alpha ."));
    take(d);
    assert_true(device_claim(d, "Prefers rg over grep for searching files", &p));
    assert_int_equal(p.support, 30);
    assert_int_equal(p.against, 1);
    assert_int_equal(device_claims(d, "Prefers grep over rg for searching files"), 0);
}

static void contrary_days_lower_a_preference(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 12; day++) {
        add(seen_command(MONDAY + day, 600, "rg alpha"));
        add(seen_command(MONDAY + day, 601, "rg beta"));
        add(seen_command(MONDAY + day, 602, "grep gamma x"));
    }
    take(d);
    double before = probability_of(d, "Prefers rg over grep for searching files");
    for (int day = 20; day < 25; day++)
        add(seen_command(MONDAY + day, 600, "grep alpha x"));
    take(d);
    assert_true(probability_of(d, "Prefers rg over grep for searching files") < before - 0.1);
    for (int day = 25; day < 50; day++)
        add(seen_command(MONDAY + day, 600, "grep alpha x"));
    take(d);
    assert_int_equal(device_claims(d, "Prefers rg over grep for searching files"), 0);
    assert_true(probability_of(d, "Prefers grep over rg for searching files") > 0.5);
}

static void busy_weeks_without_a_tool_lower_it(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 10; day++)
        add(seen_command(MONDAY + day, 600, "svn up"));
    take(d);
    double before = probability_of(d, "Uses svn");
    for (int day = 10; day < 60; day++)
        add(seen_command(MONDAY + day, 600, "jj log"));
    take(d);
    assert_true(probability_of(d, "Uses svn") < before - 0.2);
}

static void a_history_without_times_counts_in_stretches(void **state)
{
    struct device *d = *state;
    static char commands[400][32];
    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(commands[i], sizeof commands[i], i % 5 == 0 ? "rg word%u" : "ls word%u", i);
        struct observation o = seen_command(0, 0, commands[i]);
        o.time_ms = TIME_NONE;
        o.occurrence = 1;
        o.source = BYTES_LIT("bash");
        add(o);
    }
    take(d);
    struct prop p;
    assert_true(device_claim(d, "Uses rg", &p));
    assert_in_range(p.support, 8, 9);
    assert_int_equal(device_claims(d, "Usually"), 0);
}

/* ---- routines ---- */

static void commits_on_weekday_mornings_are_a_routine(void **state)
{
    struct device *d = *state;
    struct prop p;
    for (int day = 0; day < 56; day++) {
        if (day % 7 < 5)
            add(seen_commit(MONDAY + day, 9 * 60 + 30 + day, "redis", "x"));
        add(seen_command(MONDAY + day, 20 * 60, "true"));
    }
    take(d);
    assert_true(device_claim(d,
                             "Usually commits to redis on weekday mornings, 9\xe2\x80\x93"
                             "11",
                             &p));
    assert_int_equal(p.kind, KIND_ROUTINE);
    assert_int_equal(p.support, 40);
    assert_int_equal(p.against, 0);
    assert_int_equal(device_claims(d, "redis on weekend"), 0);
}

static void who_works_at_any_time_has_no_routine(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 56; day++) {
        for (int part = 0; part < 4; part++)
            add(seen_commit(MONDAY + day, part * 360 + 100, "redis", "x"));
    }
    take(d);
    assert_int_equal(device_claims(d, "Usually"), 0);
}

static void a_single_weekday_stands_out(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 84; day++) {
        add(seen_command(MONDAY - 30 + day, 700, "true"));
        if (weekday_of_days(MONDAY - 30 + day) == 2)
            add(seen_page(MONDAY - 30 + day, 20 * 60, "https://lwn.net/current", "Weekly edition"));
    }
    take(d);
    assert_int_equal(device_claims(d, "Usually visits lwn.net on Wednesday evenings, 20"), 1);
    assert_int_equal(device_claims(d, "Usually"), 1 + device_claims(d, "Usually works in the shell"));
}

static void days_without_the_routine_contradict_it(void **state)
{
    struct device *d = *state;
    struct prop p;
    for (int day = 0; day < 28; day++) {
        add(seen_command(MONDAY + day, 700, "true"));
        if (day % 7 < 5 && day % 2 == 0)
            add(seen_commit(MONDAY + day, 22 * 60, "nng", "x"));
    }
    take(d);
    assert_true(device_claim(d,
                             "Usually commits to nng on weekday evenings, 22\xe2\x80\x93"
                             "23",
                             &p));
    assert_int_equal(p.support, 10);
    assert_in_range(p.against, 8, 10);
}

/* ---- focus, topics, sites ---- */

static void current_focus_moves_on(void **state)
{
    struct device *d = *state;
    struct prop p;
    for (int day = 0; day < 10; day++)
        add(seen_commit(MONDAY + day, 600, "redis", "x"));
    take(d);
    assert_true(device_claim(d, "Currently works on redis", &p));
    assert_true(prop_recency(&p, DAY_MS(MONDAY + 10)) > 0.5);
    assert_true(prop_recency(&p, DAY_MS(MONDAY + 30)) < 0.05);
    for (int day = 10; day < 40; day++)
        add(seen_commit(MONDAY + day, 600, "nng", "x"));
    take(d);
    assert_true(device_claim(d, "Currently works on nng", &p));
    assert_int_equal(device_claims(d, "Currently works on redis"), 0);
}

static void a_word_on_several_days_is_a_topic_and_a_ubiquitous_one_is_not(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 40; day++) {
        add(seen_commit(MONDAY + day, 600, "nng",
                        day % 4 == 0 ? "fix websocket framing transport" : "fix transport"));
    }
    take(d);
    assert_int_equal(device_claims(d, "Comes back to the topic 'websocket'"), 1);
    assert_int_equal(device_claims(d, "transport"), 0);
    assert_int_equal(device_claims(d, "'fix'"), 0);
}

static void searches_are_topics_and_sites_are_visited(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 40; day += 5) {
        add(seen_page(MONDAY + day, 700, "https://www.google.com/search?q=sourdough+starter&hl=en",
                      "sourdough starter - Google Search"));
        add(seen_page(MONDAY + day, 800, "https://news.ycombinator.com/item?id=1", "Show HN | Hacker News"));
        add(seen_page(MONDAY + day, 801, "http://localhost:8080/x", "local"));
    }
    for (int day = 0; day < 40; day++)
        add(seen_command(MONDAY + day, 700, "true"));
    take(d);
    assert_int_equal(device_claims(d, "Comes back to the topic 'sourdough'"), 1);
    assert_int_equal(device_claims(d, "Regularly visits news.ycombinator.com"), 1);
    assert_int_equal(device_claims(d, "google"), 0);
    assert_int_equal(device_claims(d, "localhost"), 0);
}

/* ---- events ---- */

static void an_upcoming_event_is_claimed_and_leaves_when_over(void **state)
{
    struct device *d = *state;
    struct prop p;
    add(seen_event(MONDAY + 63, 9 * 60 + 30, 30, "Dentist"));
    add(seen_event(MONDAY + 62, 0, 1440, "Conference"));
    add(seen_event(MONDAY + 300, 600, 60, "Far away"));
    add(seen_event(MONDAY + 10, 600, 60, "Long gone"));
    take(d);
    assert_true(device_claim(d, "Has 'Dentist' on Mon 4 May 2026, 09:30", &p));
    assert_int_equal(device_claims(d, "Has 'Conference' on Sun 3 May 2026"), 1);
    assert_int_equal(device_claims(d, "2026, 00:00"), 0);
    assert_int_equal(device_claims(d, "Far away"), 0);
    assert_int_equal(device_claims(d, "Long gone"), 0);
    assert_true(prop_probability(&p) * prop_recency(&p, NOW) > SHOW_MIN);
    assert_true(prop_probability(&p) * prop_recency(&p, p.last_ms + 4 * MS_DAY) < SHOW_MIN);
}

static void a_recurring_event_is_one_claim(void **state)
{
    struct device *d = *state;
    for (int day = 0; day < 100; day++) {
        if (day % 7 < 5)
            add(seen_event(MONDAY + day, 9 * 60 + 30, 15, "Standup"));
        if (day % 14 == 3)
            add(seen_event(MONDAY + day, 14 * 60, 60, "Retro"));
    }
    take(d);
    assert_int_equal(device_claims(d, "Has 'Standup' every weekday at 09:30"), 1);
    assert_int_equal(device_claims(d, "Standup"), 1);
    assert_int_equal(device_claims(d, "Has 'Retro' every other Thursday at 14:00"), 1);
}

/* ---- statements ---- */

static void the_users_words_become_statements(void **state)
{
    struct device *d = *state;
    add(seen_note(MONDAY, 600,
                  "I'm vegetarian. I live in Lisbon, and I love hiking in my free time.\nRemind me to call "
                  "the dentist!"));
    add(seen_note(MONDAY + 1, 600,
                  "I prefer tea over coffee because it is calmer. I never drink alcohol. My favourite editor "
                  "is helix."));
    add(seen_note(MONDAY + 2, 600, "I am allergic to peanuts; my name is Ada."));
    take(d);
    static const char *const expected[] = {"Is vegetarian",
                                           "Lives in Lisbon",
                                           "Likes hiking in their free time",
                                           "Asked to be reminded to call the dentist",
                                           "Prefers tea over coffee",
                                           "Never drinks alcohol",
                                           "Has as favourite editor: helix",
                                           "Is allergic to peanuts",
                                           "Is called Ada"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (device_claims(d, expected[i]) != 1)
            fail_msg("not claimed: %s", expected[i]);
    }
}

static void others_words_questions_and_conditions_say_nothing(void **state)
{
    struct device *d = *state;
    add(seen_note(MONDAY, 600,
                  "> I am vegetarian.\nAm I late? If I live in Rome, fine. I would love a dog."));
    add(seen_note(
        MONDAY, 601,
        "She said I am lazy. \"I hate Mondays\", he said. I am tired. I am going home. Do I like tea?"));
    add(seen_note(MONDAY, 602, "I wish I live in Paris. Maybe I am a poet. I like it. I never liked sushi."));
    struct observation page =
        seen_page(MONDAY, 603, "https://example.org/", "I am vegetarian and I live in Oslo");
    page.text = BYTES_LIT("I am vegetarian.");
    add(page);
    add(seen_command(MONDAY, 604, "echo 'I am vegetarian.'"));
    take(d);
    struct buf model;
    buf_init(&model, 1 << 20);
    device_model(d, &model);
    assert_string_equal(buf_cstr(&model), "");
    buf_release(&model);
}

static void what_was_said_last_stands(void **state)
{
    struct device *d = *state;
    add(seen_note(MONDAY, 600, "I live in Lisbon. I am vegetarian."));
    take(d);
    double alone = probability_of(d, "Lives in Lisbon");
    add(seen_note(MONDAY + 9, 600, "I live in Porto. I am not vegetarian."));
    take(d);
    assert_true(probability_of(d, "Lives in Lisbon") < alone - 0.3);
    assert_true(probability_of(d, "Lives in Porto") > 0.8);
    assert_true(probability_of(d, "Is vegetarian") < 0.5);
    assert_true(probability_of(d, "Is not vegetarian") > 0.8);
}

static void eating_meat_contradicts_being_vegetarian(void **state)
{
    struct device *d = *state;
    add(seen_note(MONDAY, 600, "I am vegetarian."));
    add(seen_note(MONDAY + 3, 600, "I eat chicken again."));
    take(d);
    assert_true(probability_of(d, "Is vegetarian") < 0.5);
}

/* ---- device ---- */

static void which_device_for_what(void **state)
{
    struct device *d = *state;
    struct prop p;
    for (int day = 0; day < 30; day++) {
        add(seen_command(MONDAY + day, 600, "true"));
        if (day < 3)
            add(seen_page(MONDAY + day, 600, "https://example.org/", "x"));
    }
    take(d);
    assert_true(device_claim(d, "Uses laptop for the command line", &p));
    assert_int_equal(p.support, 30);
    assert_int_equal(device_claims(d, "for browsing"), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_tool_used_on_several_days_is_claimed_with_counts),
        T(a_burst_on_one_day_is_one_occasion),
        T(the_tool_used_more_on_most_days_is_preferred),
        T(contrary_days_lower_a_preference),
        T(busy_weeks_without_a_tool_lower_it),
        T(a_history_without_times_counts_in_stretches),
        T(commits_on_weekday_mornings_are_a_routine),
        T(who_works_at_any_time_has_no_routine),
        T(a_single_weekday_stands_out),
        T(days_without_the_routine_contradict_it),
        T(current_focus_moves_on),
        T(a_word_on_several_days_is_a_topic_and_a_ubiquitous_one_is_not),
        T(searches_are_topics_and_sites_are_visited),
        T(an_upcoming_event_is_claimed_and_leaves_when_over),
        T(a_recurring_event_is_one_claim),
        T(the_users_words_become_statements),
        T(others_words_questions_and_conditions_say_nothing),
        T(what_was_said_last_stands),
        T(eating_meat_contradicts_being_vegetarian),
        T(which_device_for_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
