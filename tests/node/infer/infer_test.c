/* What must hold whatever is claimed: the model is a function of the observations held, not of their order,
 * their batches or their history. */
#include "node/infer/infer.h"

#include "tests/support/unit.h"

#include "store/local.h"
#include "tests/node/infer/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS 120
#define NOW (DAY_MS(MONDAY + DAYS) + 12 * MS_HOUR)
#define N 1500

static struct observation records[N];
static char texts[N][96];

/* One of each source's records, at a random time; days in [from, from + days). */
static struct observation random_record(struct test_rng *r, int from, int days, size_t i)
{
    static const char *const tools[] = {"rg", "grep", "fd", "find", "vim", "make", "cargo"};
    static const char *const words[] = {"websocket", "framing",  "latency",
                                        "sourdough", "compiler", "gardening"};
    static const char *const notes[] = {"I live in Lisbon.",    "I live in Porto.", "I am vegetarian.",
                                        "I am not vegetarian.", "I love tea.",      "Remind me to call Ada."};
    static const char *const hosts[] = {"lwn.net", "example.org", "news.ycombinator.com"};
    int day = from + (int)test_rng_below(r, (uint64_t)days),
        minute = (int)(400 + test_rng_below(r, 300) + 500 * test_rng_below(r, 2));
    switch (test_rng_below(r, 5)) {
    case 0:
        (void)snprintf(texts[i], sizeof texts[i], "%s %s", tools[test_rng_below(r, 7)],
                       words[test_rng_below(r, 6)]);
        return seen_command(day, minute, texts[i]);
    case 1:
        (void)snprintf(texts[i], sizeof texts[i], "Rework %s and %s", words[test_rng_below(r, 6)],
                       words[test_rng_below(r, 6)]);
        return seen_commit(day, minute, test_rng_one_in(r, 3) ? "nng" : "redis", texts[i]);
    case 2:
        (void)snprintf(texts[i], sizeof texts[i], "https://%s/%u", hosts[test_rng_below(r, 3)],
                       (unsigned)test_rng_below(r, 50));
        return seen_page(day, minute, texts[i], words[test_rng_below(r, 6)]);
    case 3:
        return seen_note(day, minute, notes[test_rng_below(r, 6)]);
    default:
        return seen_event(day + 30, 570, 30, test_rng_one_in(r, 2) ? "Standup" : "Dentist");
    }
}

static void fill(uint64_t seed, size_t n)
{
    struct test_rng r;
    test_rng_init(&r, seed);
    for (size_t i = 0; i < n; i++)
        records[i] = random_record(&r, MONDAY, DAYS, i);
}

static void assert_same_model(struct device *a, struct device *b)
{
    struct buf x, y;
    buf_init(&x, (size_t)1 << 26);
    buf_init(&y, (size_t)1 << 26);
    device_model(a, &x);
    device_model(b, &y);
    assert_true(x.n > 100);
    size_t i = 0, line = 0;
    while (i < x.n && i < y.n && x.p[i] == y.p[i]) {
        i++;
        line = x.p[i - 1] == '\n' ? i : line;
    }
    if (i < x.n || i < y.n)
        fail_msg("the models differ:\n%.300s\n%.300s", buf_cstr(&x) + line, buf_cstr(&y) + line);
    buf_release(&x);
    buf_release(&y);
}

static void order_and_batches_do_not_matter(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct device a, b;
        struct test_rng r;
        size_t n = 300 + seed * 150;
        fill(seed, n);
        device_init(&a, 1, NOW);
        device_init(&b, 1, NOW);
        device_take(&a, records, n);
        test_rng_init(&r, seed);
        test_rng_shuffle(&r, records, n, sizeof records[0]);
        for (size_t at = 0; at < n;) {
            size_t batch = 1 + (size_t)test_rng_below(&r, n / 3);
            batch = at + batch > n ? n - at : batch;
            device_take(&b, records + at, batch);
            at += batch;
        }
        assert_same_model(&a, &b);
        device_release(&a);
        device_release(&b);
    }
}

static void a_second_flush_writes_nothing(void **state)
{
    (void)state;
    struct device d;
    struct infer_summary sum = {0};
    fill(7, 800);
    device_init(&d, 1, NOW);
    device_take(&d, records, 800);
    uint64_t ops = device_ops(&d);
    assert_true(ops > 10);
    device_flush(&d, &sum);
    assert_int_equal(device_ops(&d), ops);
    assert_int_equal(sum.added + sum.raised + sum.lowered + sum.revived, 0);
    device_take(&d, records, 800); /* all known */
    assert_int_equal(device_ops(&d), ops);
    device_release(&d);
}

static void erased_evidence_takes_its_claims_along_and_they_come_back(void **state)
{
    (void)state;
    struct device a, b;
    size_t n = 900;
    fill(3, n);
    device_init(&a, 1, NOW);
    device_init(&b, 1, NOW);
    device_take(&a, records, n);
    device_take(&b, records, n);
    static const char *const sources[] = {"zsh", "git", "firefox", "note", "ical"};
    for (size_t i = 0; i < 5; i++)
        device_erase(&a, sources[i]);
    device_flush(&a, NULL);
    struct buf empty;
    buf_init(&empty, 1 << 20);
    device_model(&a, &empty);
    assert_int_equal(empty.n, 0);
    buf_release(&empty);
    struct infer_summary sum = {0};
    struct err e = ERR_INIT;
    assert_int_equal(store_begin(a.s, &e), 0);
    for (size_t i = 0; i < n; i++)
        device_see(&a, &records[i]);
    assert_int_equal(store_commit(a.s, &e), 0);
    device_flush(&a, &sum);
    assert_true(sum.revived > 5);
    assert_int_equal(sum.added, 0);
    assert_same_model(&a, &b);
    device_release(&a);
    device_release(&b);
}

static void shared_events_that_two_devices_saw_count_once(void **state)
{
    (void)state;
    struct device a, b;
    struct prop p;
    device_init(&a, 1, NOW);
    device_init(&b, 2, NOW);
    for (int day = 0; day < 20; day++)
        records[day] = seen_page(MONDAY + 40 + day, 700, "https://lwn.net/", "Weekly edition");
    device_take(&a, records, 15);     /* days 0 … 14 */
    device_take(&b, records + 5, 15); /* days 5 … 19 */
    device_send(&a, &b);
    assert_true(device_claim(&b, "Regularly visits lwn.net", &p));
    assert_int_equal(p.support, 20);
    device_send(&b, &a);
    assert_true(device_claim(&a, "Regularly visits lwn.net", &p));
    assert_int_equal(p.support, 20);
    device_release(&a);
    device_release(&b);
}

static void private_evidence_of_two_devices_adds_up(void **state)
{
    (void)state;
    struct device a, b;
    struct prop p;
    device_init(&a, 1, NOW);
    device_init(&b, 2, NOW);
    for (int day = 0; day < 10; day++)
        records[day] = seen_command(MONDAY + 40 + day, 700, "rg x");
    device_take(&a, records, 10);
    device_take(&b, records, 10);
    device_send(&a, &b);
    assert_true(device_claim(&b, "Uses rg", &p));
    assert_int_equal(p.support, 20);
    assert_int_equal(p.devices, 2);
    /* b's evidence goes; a still says so. */
    device_erase(&b, "zsh");
    device_flush(&b, NULL);
    assert_true(device_claim(&b, "Uses rg", &p));
    assert_int_equal(p.support, 10);
    device_release(&a);
    device_release(&b);
}

static void a_forgotten_claim_is_not_learnt_again(void **state)
{
    (void)state;
    struct device d;
    struct prop p;
    struct err e = ERR_INIT;
    device_init(&d, 1, NOW);
    for (int day = 0; day < 20; day++)
        records[day] = seen_command(MONDAY + 40 + day, 700, "rg x");
    device_take(&d, records, 10);
    assert_true(device_claim(&d, "Uses rg", &p));
    assert_int_equal(store_forget(d.s, &p.id, NULL, 0, &e), 0);
    device_take(&d, records + 10, 10);
    assert_false(device_claim(&d, "Uses rg", &p));
    device_release(&d);
}

static void a_users_words_are_not_written_over(void **state)
{
    (void)state;
    struct device d;
    struct prop p;
    struct err e = ERR_INIT;
    struct draft draft;
    device_init(&d, 1, NOW);
    for (int day = 0; day < 20; day++)
        records[day] = seen_command(MONDAY + 40 + day, 700, "rg x");
    device_take(&d, records, 10);
    assert_true(device_claim(&d, "Uses rg", &p));
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, CLASS_EDIT, &p.id);
    draft_reg(&draft, REG_TEXT, BYTES_LIT("Lives in ripgrep"), NULL, 0);
    assert_int_equal(store_write(d.s, &draft, &e), 0);
    draft_release(&draft);
    device_take(&d, records + 10, 10);
    assert_true(device_claim(&d, "Lives in ripgrep", &p));
    assert_int_equal(p.support, 20);
    assert_false(device_claim(&d, "Uses rg", &p));
    device_release(&d);
}

static void an_interrupted_import_is_finished_by_the_next_process(void **state)
{
    (void)state;
    struct device d;
    struct prop p;
    struct err e = ERR_INIT;
    device_init(&d, 1, NOW);
    for (int day = 0; day < 20; day++) {
        records[day] = seen_command(MONDAY + 40 + day, 700, "rg x");
        device_see(&d, &records[day]);
    }
    infer_close(d.x);
    const struct infer_env env = {.store = d.s,
                                  .clock = &d.clock,
                                  .device = d.id,
                                  .device_name = "laptop",
                                  .claim_secret = DEVICE_SECRET};
    assert_int_equal(infer_open(&d.x, &env, &e), 0);
    device_flush(&d, NULL);
    assert_true(device_claim(&d, "Uses rg", &p));
    device_release(&d);
}

static void one_more_day_writes_few_ops(void **state)
{
    (void)state;
    struct device d;
    device_init(&d, 1, NOW);
    for (int day = 0; day < 60; day++)
        records[day] = seen_command(MONDAY + day, 700, "rg x");
    device_take(&d, records, 59);
    uint64_t ops = device_ops(&d);
    device_take(&d, records + 59, 1);
    assert_in_range(device_ops(&d) - ops, 1, 8);
    ops = device_ops(&d);
    records[60] = seen_command(MONDAY + 59, 701, "rg y");
    device_take(&d, records + 60, 1);
    assert_in_range(device_ops(&d) - ops, 0, 2); /* the same day: the last time only */
    device_release(&d);
}

static void nonsense_times_and_texts_do_no_harm(void **state)
{
    (void)state;
    struct device d;
    device_init(&d, 1, NOW);
    static char long_text[20000];
    memset(long_text, 'x', sizeof long_text - 1);
    struct observation o[6] = {
        seen_command(0, 0, "rg x"),
        seen_command(2932896, 1439, "rg x"),
        seen_command(MONDAY, 0, "\xff\xfe 'unclosed \"quotes $( ` | & ; <<"),
        seen_note(MONDAY, 0, long_text),
        seen_page(MONDAY, 0, "http://[::1]:80/?q=%zz%", "\xf0\x9f"),
        seen_event(2932896, 0, 5, ""),
    };
    device_take(&d, o, 6);
    for (int day = 0; day < 5; day++)
        records[day] = seen_command(MONDAY + day, 600, "rg x");
    device_take(&d, records, 5);
    assert_int_equal(device_claims(&d, "Uses rg"), 1); /* the year 9999 does not move the window */
    device_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_batches_do_not_matter),
        cmocka_unit_test(a_second_flush_writes_nothing),
        cmocka_unit_test(erased_evidence_takes_its_claims_along_and_they_come_back),
        cmocka_unit_test(shared_events_that_two_devices_saw_count_once),
        cmocka_unit_test(private_evidence_of_two_devices_adds_up),
        cmocka_unit_test(a_forgotten_claim_is_not_learnt_again),
        cmocka_unit_test(a_users_words_are_not_written_over),
        cmocka_unit_test(an_interrupted_import_is_finished_by_the_next_process),
        cmocka_unit_test(one_more_day_writes_few_ops),
        cmocka_unit_test(nonsense_times_and_texts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
