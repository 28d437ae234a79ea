#include "tests/support/unit.h"

#include "store/local.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    int rc = kit_setup(state);
    for (unsigned i = 1; i <= 3; i++) {
        kit_told(*state, i, "some claim");
    }
    return rc;
}

static int64_t observe(struct kit *k, unsigned n)
{
    struct err e = ERR_INIT;
    struct stored_observation o = {.time_ms = KIT_MS + n, .end_ms = TIME_NONE, .source = BYTES_LIT("s")};
    o.key[0] = (uint8_t)n;
    int64_t row = 0;
    bool fresh;
    kit_ok(local_observation_add(k->s, &o, &row, &fresh, &e), &e);
    return row;
}

static void link_up(struct kit *k, unsigned prop, int64_t row, bool against)
{
    struct err e = ERR_INIT;
    struct id id = kit_id(prop);
    kit_ok(local_link_add(k->s, &id, row, against, &e), &e);
}

static int on_link(void *ctx, const struct stored_observation *o, bool against)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%c%lld ", against ? '-' : '+', (long long)(o->time_ms - KIT_MS));
    return 0;
}

static const char *links(struct kit *k, unsigned prop, bool newest, uint32_t max)
{
    static char text[400];
    struct err e = ERR_INIT;
    struct id id = kit_id(prop);
    text[0] = '\0';
    kit_ok(local_links(k->s, &id, newest, max, on_link, text, &e), &e);
    return text;
}

static void counts_are(struct kit *k, unsigned prop, uint64_t support, uint64_t against)
{
    struct err e = ERR_INIT;
    struct id id = kit_id(prop);
    uint64_t s = 99, a = 99;
    kit_ok(local_link_counts(k->s, &id, &s, &a, &e), &e);
    assert_int_equal(s, support);
    assert_int_equal(a, against);
}

static int on_prop(void *ctx, const struct id *prop, bool against)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%c%d ", against ? '-' : '+', prop->b[0]);
    return 0;
}

static void links_are_listed_from_both_ends_and_counted(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t a = observe(k, 10), b = observe(k, 20), c = observe(k, 30);
    link_up(k, 1, b, false);
    link_up(k, 1, a, true);
    link_up(k, 1, c, false);
    link_up(k, 2, b, true);
    link_up(k, 2, b, false); /* the sign is replaced */
    assert_string_equal(links(k, 1, false, 100), "-10 +20 +30 ");
    assert_string_equal(links(k, 1, true, 2), "+30 +20 ");
    counts_are(k, 1, 2, 1);
    counts_are(k, 2, 1, 0);
    counts_are(k, 77, 0, 0);
    char text[100] = "";
    kit_ok(local_links_of(k->s, b, on_prop, text, &e), &e);
    assert_string_equal(text, "+1 +2 ");
    struct id one = kit_id(1), unknown = kit_id(77);
    kit_ok(local_links_clear(k->s, &one, &e), &e);
    kit_ok(local_links_clear(k->s, &unknown, &e), &e);
    counts_are(k, 1, 0, 0);
    counts_are(k, 2, 1, 0);
}

static void linking_an_unknown_proposition_is_refused_and_spoils_nothing(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct id unknown = kit_id(77);
    kit_ok(store_begin(k->s, &e), &e);
    int64_t a = observe(k, 10);
    assert_int_equal(local_link_add(k->s, &unknown, a, false, &e), ERR_NOTFOUND);
    link_up(k, 1, a, false);
    kit_ok(store_commit(k->s, &e), &e);
    counts_are(k, 1, 1, 0);
}

static void links_go_with_their_observation_and_with_their_proposition(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    int64_t a = observe(k, 10), b = observe(k, 20);
    link_up(k, 1, a, false);
    link_up(k, 1, b, false);
    link_up(k, 2, b, false);
    kit_ok(local_observations_erase(k->s, &a, 1, &e), &e);
    assert_string_equal(links(k, 1, false, 100), "+20 ");
    struct id two = kit_id(2);
    kit_ok(store_forget(k->s, &two, NULL, 0, &e), &e);
    char text[100] = "";
    kit_ok(local_links_of(k->s, b, on_prop, text, &e), &e);
    assert_string_equal(text, "+1 ");
    kit_ok(store_check(k->s, &e), &e);
}

static void links_survive_a_rebuild_of_the_model(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    link_up(k, 3, observe(k, 10), true);
    kit_ok(store_rebuild(k->s, &e), &e);
    assert_string_equal(links(k, 3, false, 100), "-10 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(links_are_listed_from_both_ends_and_counted),
        TEST(linking_an_unknown_proposition_is_refused_and_spoils_nothing),
        TEST(links_go_with_their_observation_and_with_their_proposition),
        TEST(links_survive_a_rebuild_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
