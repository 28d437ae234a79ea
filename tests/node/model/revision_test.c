/* Revisions made apart, their heads, and choosing one: on two and three devices, in every order. */
#include "node/model/revision.h"

#include "node/model/heads.h"
#include "tests/node/infer/device.h"
#include "tests/support/unit.h"

#include <string.h>

#define NOW DAY_MS(MONDAY)

static struct device d[3];
static struct err e;

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        device_init(&d[i], i + 1, NOW);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        device_release(&d[i]);
    return 0;
}

static void ok(int rc)
{
    if (rc != 0)
        print_message("%s\n", e.text);
    assert_int_equal(rc, 0);
}

static struct id stated(struct device *on, uint8_t n, const char *scope, uint8_t sensitivity)
{
    struct id id = {{n}};
    struct draft draft;
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, CLASS_MODEL, &id);
    draft_reg(&draft, REG_TEXT, BYTES_LIT("works in Braga"), NULL, 0);
    draft_reg(&draft, REG_SCOPE, bytes_str(scope), NULL, 0);
    draft_reg_u8(&draft, REG_SENSITIVITY, sensitivity, NULL, 0);
    ok(store_write(on->s, &draft, &e));
    draft_release(&draft);
    return id;
}

static struct revision about(const struct id *older, size_t n, const char *text)
{
    return (struct revision){.older = older,
                             .n_older = n,
                             .text = bytes_str(text),
                             .reasoning = BYTES_LIT("two calendar entries"),
                             .origin = BYTES_LIT("endpoint"),
                             .kind = KIND_TOLD,
                             .decay = 7,
                             .prior = 700,
                             .now_ms = NOW};
}

static struct id revised(struct device *on, const struct id *older, const char *text)
{
    struct id id;
    struct revision r = about(older, 1, text);
    ok(revision_write(on->s, &on->rng, &r, &id, &e));
    return id;
}

static bool superseded(struct device *on, const struct id *id)
{
    struct prop p;
    ok(store_prop(on->s, id, false, &p, &e));
    return (p.flags & PROP_SUPERSEDED) != 0;
}

static void all_equal(void)
{
    struct hash first, other;
    for (unsigned i = 0; i < 9; i++) {
        if (i / 3 != i % 3)
            device_send(&d[i / 3], &d[i % 3]);
    }
    ok(store_digest(d[0].s, &first, &e));
    for (unsigned i = 1; i < 3; i++) {
        ok(store_digest(d[i].s, &other, &e));
        assert_memory_equal(&first, &other, sizeof first);
    }
    for (unsigned i = 0; i < 3; i++)
        ok(store_check(d[i].s, &e));
}

struct tally {
    struct heads last;
    size_t n;
};

static int count_one(void *ctx, const struct heads *h)
{
    struct tally *c = ctx;
    c->last = *h;
    c->n++;
    return 0;
}

static struct tally conflicts(struct device *on)
{
    struct tally c = {.n = 0};
    ok(heads_each(on->s, count_one, &c, &e));
    return c;
}

static void settle(struct device *on, const struct id *id, const struct id *take)
{
    struct heads h;
    ok(heads_find(on->s, id, &h, &e));
    size_t i = 0;
    while (i < h.n && !id_eq(&h.v[i], take))
        i++;
    assert_true(i < h.n);
    ok(heads_settle(on->s, &h, i, &e));
}

static void a_revision_takes_over_scope_and_sensitivity_and_names_its_lineage(void **state)
{
    (void)state;
    struct id older[2] = {stated(&d[0], 1, "work", 1), stated(&d[0], 2, "work", 2)}, id;
    struct revision r = about(older, 2, "works in Lisbon");
    struct prop p;
    struct entity *x = entity_new();
    ok(revision_write(d[0].s, &d[0].rng, &r, &id, &e));
    ok(store_prop(d[0].s, &id, false, &p, &e));
    assert_true(bytes_eq(p.scope, BYTES_LIT("work")) && bytes_eq(p.text, BYTES_LIT("works in Lisbon")));
    assert_int_equal(p.sensitivity, 2);
    assert_int_equal(p.prior, 700);
    assert_true(superseded(&d[0], &older[0]) && superseded(&d[0], &older[1]));
    ok(store_entity(d[0].s, SPACE_PROPOSITION, &id, x, &e));
    assert_int_equal(entity_set_count(x, SET_PARENT), 2);
    assert_int_equal(entity_class(x), CLASS_MODEL);
    entity_free(x);
    assert_int_equal(conflicts(&d[0]).n, 0);
}

static void scopes_that_differ_give_none(void **state)
{
    (void)state;
    struct id older[2] = {stated(&d[0], 1, "work", 0), stated(&d[0], 2, "home", 0)}, id;
    struct revision r = about(older, 2, "lives and works in Lisbon");
    struct prop p;
    ok(revision_write(d[0].s, &d[0].rng, &r, &id, &e));
    ok(store_prop(d[0].s, &id, false, &p, &e));
    assert_int_equal(p.scope.n, 0);
}

static void what_cannot_be_revised_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    struct id older[2] = {stated(&d[0], 1, "", 0), {{9}}}, id;
    uint64_t ops = device_ops(&d[0]);
    struct revision r = about(older, 0, "x");
    assert_int_equal(revision_write(d[0].s, &d[0].rng, &r, &id, NULL), ERR_USAGE);
    r = about(older, 2, "x");
    assert_int_equal(revision_write(d[0].s, &d[0].rng, &r, &id, NULL), ERR_NOTFOUND);
    older[1] = older[0];
    assert_int_equal(revision_write(d[0].s, &d[0].rng, &r, &id, NULL), ERR_USAGE);
    r = about(older, 1, "x");
    r.decay = 0;
    assert_int_equal(revision_write(d[0].s, &d[0].rng, &r, &id, NULL), ERR_USAGE);
    r.decay = 1;
    r.text = BYTES_NONE;
    assert_int_equal(revision_write(d[0].s, &d[0].rng, &r, &id, NULL), ERR_FORMAT);
    assert_int_equal(device_ops(&d[0]), ops);
    ok(store_forget(d[0].s, &older[0], NULL, 0, &e));
    r.text = BYTES_LIT("x");
    assert_int_equal(revision_write(d[0].s, &d[0].rng, &r, &id, NULL), ERR_NOTFOUND);
}

static void two_revisions_made_apart_are_two_heads_until_one_is_chosen(void **state)
{
    (void)state;
    struct id x = stated(&d[0], 1, "", 0);
    all_equal();
    struct id a = revised(&d[0], &x, "works in Lisbon"), b = revised(&d[1], &x, "works in Porto");
    all_equal();
    for (unsigned i = 0; i < 3; i++) {
        struct tally c = conflicts(&d[i]);
        assert_int_equal(c.n, 1);
        assert_int_equal(c.last.n, 2);
        assert_true(id_eq(&c.last.of, &x));
        assert_false(superseded(&d[i], &a) || superseded(&d[i], &b));
    }
    settle(&d[2], &x, &b);
    all_equal();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(conflicts(&d[i]).n, 0);
        assert_true(superseded(&d[i], &a));
        assert_false(superseded(&d[i], &b));
    }
}

static void heads_further_down_are_found_and_named_by_the_nearest_they_share(void **state)
{
    (void)state;
    struct id x = stated(&d[0], 1, "", 0);
    struct id y = revised(&d[0], &x, "works in Minho");
    all_equal();
    struct id a = revised(&d[0], &y, "works in Lisbon"), b = revised(&d[1], &y, "works in Porto");
    struct id a2 = revised(&d[0], &a, "works in Lisbon on Mondays");
    all_equal();
    struct tally c = conflicts(&d[2]);
    assert_int_equal(c.n, 1);
    assert_true(id_eq(&c.last.of, &y));
    assert_int_equal(c.last.n, 2);
    settle(&d[2], &b, &a2); /* by the id of a head, too */
    all_equal();
    assert_int_equal(conflicts(&d[0]).n, 0);
    assert_true(superseded(&d[0], &b) && !superseded(&d[0], &a2));
}

static void chosen_differently_at_the_same_time_is_a_conflict_again_and_can_be_settled(void **state)
{
    (void)state;
    struct id x = stated(&d[0], 1, "", 0);
    all_equal();
    struct id a = revised(&d[0], &x, "works in Lisbon"), b = revised(&d[1], &x, "works in Porto");
    all_equal();
    settle(&d[0], &x, &a);
    settle(&d[1], &x, &b);
    all_equal();
    assert_false(superseded(&d[2], &a) || superseded(&d[2], &b));
    assert_int_equal(conflicts(&d[2]).n, 1);
    settle(&d[2], &x, &a);
    all_equal();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(conflicts(&d[i]).n, 0);
        assert_true(superseded(&d[i], &b) && !superseded(&d[i], &a));
    }
}

static void a_circle_of_revisions_is_one_conflict(void **state)
{
    (void)state;
    struct id ids[3] = {stated(&d[0], 1, "", 0), stated(&d[0], 2, "", 0), stated(&d[0], 3, "", 0)};
    for (size_t i = 0; i < 3; i++) {
        struct draft draft;
        draft_init(&draft);
        draft_reset(&draft, SPACE_EDGE, CLASS_MODEL, &ids[i]);
        draft_set_add(&draft, SET_SUPERSEDES, bytes_of(ids[(i + 1) % 3].b, ID_BYTES));
        ok(store_write(d[i].s, &draft, &e));
        draft_release(&draft);
    }
    all_equal();
    struct tally c = conflicts(&d[1]);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.last.n, 3);
    settle(&d[1], &ids[2], &ids[2]);
    all_equal();
    assert_int_equal(conflicts(&d[0]).n, 0);
    assert_true(superseded(&d[0], &ids[0]) && superseded(&d[0], &ids[1]) && !superseded(&d[0], &ids[2]));
}

static void forgetting_what_was_revised_leaves_the_conflict_and_a_head_ends_it(void **state)
{
    (void)state;
    struct id x = stated(&d[0], 1, "", 0);
    all_equal();
    struct id a = revised(&d[0], &x, "works in Lisbon"), b = revised(&d[1], &x, "works in Porto");
    all_equal();
    ok(store_forget(d[2].s, &x, NULL, 0, &e));
    all_equal();
    assert_int_equal(conflicts(&d[0]).n, 1);
    ok(store_forget(d[1].s, &b, NULL, 0, &e));
    all_equal();
    assert_int_equal(conflicts(&d[0]).n, 0);
    assert_false(superseded(&d[0], &a));
}

static void a_revision_that_is_forgotten_or_rejected_brings_the_older_one_back(void **state)
{
    (void)state;
    struct id x = stated(&d[0], 1, "", 0), a = revised(&d[0], &x, "works in Lisbon");
    struct id b = revised(&d[0], &a, "works in Porto");
    struct draft draft;
    assert_true(superseded(&d[0], &x) && superseded(&d[0], &a));
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, CLASS_CONFIRM, &b);
    draft_reg_u8(&draft, REG_VERDICT, 2, NULL, 0);
    ok(store_write(d[0].s, &draft, &e));
    draft_release(&draft);
    assert_false(superseded(&d[0], &a));
    assert_true(superseded(&d[0], &x));
    ok(store_forget(d[0].s, &a, NULL, 0, &e));
    assert_false(superseded(&d[0], &x));
    all_equal();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(a_revision_takes_over_scope_and_sensitivity_and_names_its_lineage),
        TEST(scopes_that_differ_give_none),
        TEST(what_cannot_be_revised_is_refused_and_nothing_is_written),
        TEST(two_revisions_made_apart_are_two_heads_until_one_is_chosen),
        TEST(heads_further_down_are_found_and_named_by_the_nearest_they_share),
        TEST(chosen_differently_at_the_same_time_is_a_conflict_again_and_can_be_settled),
        TEST(a_circle_of_revisions_is_one_conflict),
        TEST(forgetting_what_was_revised_leaves_the_conflict_and_a_head_ends_it),
        TEST(a_revision_that_is_forgotten_or_rejected_brings_the_older_one_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
