/* What a device owes to ops of its other devices. */
#include "node/merged.h"

#include "tests/node/household.h"
#include "tests/support/unit.h"

#include <string.h>

static struct tmp_dir dir;
static struct node *a, *b;

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    a = household_add(&dir, "laptop");
    b = household_add(&dir, "desktop");
    household_share_secret(&dir, a, &b, "desktop");
    assert_true(household_history(&dir, a) > 100);
    assert_true(household_history(&dir, b) > 100);
    household_carry(a, b);
    household_carry(b, a);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_close(a);
    node_close(b);
    tmp_dir_remove(&dir);
    return 0;
}

static void take_up(struct node *n)
{
    struct err e = ERR_INIT;
    int rc = node_merged(n, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
}

static void forget_there_erases_what_it_rested_on_here(void **state)
{
    (void)state;
    char id[64];
    uint64_t before = household_observations(b);
    struct err e = ERR_INIT;
    bool due = false;
    assert_true(household_find(b, "git", id));
    household_do(a, "forget", "git", "");
    household_carry(a, b);
    assert_false(household_find(b, "git", id));
    take_up(b);
    uint64_t left = household_observations(b);
    assert_true(left < before);
    assert_int_equal(store_scrub_due(b->store, &due, &e), 0);
    assert_true(due);
    assert_int_equal(store_scrub(b->store, &e), 0);
    /* Nor does importing the same history again bring it back. */
    (void)household_history(&dir, b);
    assert_int_equal(household_observations(b), left);
    assert_false(household_find(b, "git", id));
    assert_true(household_find(b, "vim", id));
}

static void forget_there_with_observations_kept_there_still_erases_here(void **state)
{
    (void)state;
    char id[64];
    uint64_t there = household_observations(a), here = household_observations(b);
    household_do(a, "forget", "git", ",'keep_observations':true");
    assert_int_equal(household_observations(a), there);
    take_up(a);
    assert_int_equal(household_observations(a), there);
    household_carry(a, b);
    take_up(b);
    assert_true(household_observations(b) < here);
    assert_false(household_find(b, "git", id));
}

static void source_forgotten_there_is_erased_here(void **state)
{
    (void)state;
    char id[64];
    cJSON_Delete(household_ask(a, "{'cmd':'forget','source':'bash'}"));
    household_carry(a, b);
    assert_true(household_observations(b) > 0);
    take_up(b);
    assert_int_equal(household_observations(b), 0);
    household_carry(b, a);
    assert_false(household_find(b, "git", id));
    assert_false(household_find(a, "git", id));
}

static void rules_changed_there_hold_here(void **state)
{
    (void)state;
    cJSON_Delete(household_ask(b, "{'cmd':'forget','source':'bash','until':'1990-01-01T00:00:00Z'}"));
    cJSON_Delete(household_ask(a, "{'cmd':'config','key':'audit.rules','value':'drop source=bash'}"));
    household_carry(a, b);
    take_up(b);
    struct node *c = b;
    uint64_t before = household_observations(c);
    assert_int_equal(household_history(&dir, c), 0);
    assert_int_equal(household_observations(c), before);
}

struct total {
    uint64_t ops;
};

static int head_add(void *ctx, const struct log_head *h)
{
    ((struct total *)ctx)->ops += h->seq;
    return 0;
}

static uint64_t ops_of(struct node *n)
{
    struct total t = {0};
    struct err e = ERR_INIT;
    assert_int_equal(store_logs(n->store, head_add, &t, &e), 0);
    return t.ops;
}

static void nothing_to_do_writes_nothing(void **state)
{
    (void)state;
    take_up(a);
    uint64_t before = ops_of(a);
    take_up(a);
    take_up(a);
    assert_int_equal(ops_of(a), before);
    household_do(a, "forget", "git", "");
    household_carry(a, b);
    take_up(b);
    before = ops_of(b);
    take_up(b);
    assert_int_equal(ops_of(b), before);
}

static void two_devices_end_with_one_model(void **state)
{
    (void)state;
    struct hash da, db;
    struct err e = ERR_INIT;
    household_do(a, "forget", "git", "");
    household_do(b, "confirm", "vim", "");
    for (int i = 0; i < 3; i++) {
        household_carry(a, b);
        take_up(b);
        household_carry(b, a);
        take_up(a);
    }
    assert_int_equal(store_digest(a->store, &da, &e), 0);
    assert_int_equal(store_digest(b->store, &db, &e), 0);
    assert_memory_equal(da.b, db.b, HASH_BYTES);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(forget_there_erases_what_it_rested_on_here),
        T(forget_there_with_observations_kept_there_still_erases_here),
        T(source_forgotten_there_is_erased_here),
        T(rules_changed_there_hold_here),
        T(nothing_to_do_writes_nothing),
        T(two_devices_end_with_one_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
