/* The lease of thinking: its text form, its rule, and what two stores make of it. */
#include "node/infer/lease.h"

#include "tests/node/household.h"
#include "tests/support/unit.h"

#include <string.h>

#define NOW INT64_C(1770000000000)

static const struct id laptop = {{1}}, phone = {{2}};

static struct lease_case asks(const struct id *self, bool able)
{
    return (struct lease_case){.self = *self, .able = able, .now_ms = NOW, .lease_ms = LEASE_MS, .random = 30000};
}

static void held_by(struct lease_case *c, const struct id *device, int64_t until_ms)
{
    c->lease = (struct lease){.device = *device, .until_ms = until_ms};
}

static void text_reads_back_and_nothing_else_is_read(void **state)
{
    (void)state;
    struct lease l = {.device = laptop, .remote = true, .until_ms = NOW + 5}, back;
    struct buf b;
    buf_init(&b, 128);
    assert_int_equal(lease_put(&b, &l), 0);
    assert_int_equal(lease_parse(buf_view(&b), NOW, &back), 0);
    assert_true(id_eq(&back.device, &laptop) && back.remote && back.until_ms == NOW + 5);
    for (size_t cut = 0; cut + 13 < b.n; cut++) {
        assert_int_equal(lease_parse(bytes_slice(buf_view(&b), 0, cut), NOW, &back), ERR_FORMAT);
    }
    b.p[b.n - 1] = 'x';
    assert_int_equal(lease_parse(buf_view(&b), NOW, &back), ERR_FORMAT);
    buf_release(&b);
    assert_int_equal(lease_parse(BYTES_LIT("04000000000000000000000000 nearby 5"), NOW, &back), ERR_FORMAT);
    assert_int_equal(lease_parse(BYTES_LIT("04000000000000000000000000 local 9999999999999999"), NOW, &back),
                     ERR_FORMAT);
}

static void a_time_far_ahead_is_cut_to_one_lease(void **state)
{
    (void)state;
    struct lease l;
    assert_int_equal(lease_parse(BYTES_LIT("04000000000000000000000000 local 9000000000000"), NOW, &l), 0);
    assert_true(l.until_ms == NOW + LEASE_MS);
}

static void a_free_lease_is_taken_after_the_drawn_moment_by_those_who_can(void **state)
{
    (void)state;
    struct lease_plan plan;
    struct lease_case c = asks(&laptop, true);
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_LEAVE);
    assert_true(plan.take_ms == NOW + 30000 && plan.next_ms == plan.take_ms);
    c.take_ms = plan.take_ms;
    c.random = 7;
    c.now_ms += 29999;
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_LEAVE);
    assert_true(plan.take_ms == NOW + 30000); /* drawn once */
    c.now_ms++;
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_TAKE);
    c = asks(&phone, false);
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_LEAVE);
    assert_true(plan.next_ms == TIME_NONE);
}

static void another_ones_lease_is_left_alone_until_it_runs_out_or_its_holder_is_gone(void **state)
{
    (void)state;
    struct lease_plan plan;
    struct lease_case c = asks(&phone, true);
    held_by(&c, &laptop, NOW + 1000);
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_LEAVE);
    assert_true(plan.next_ms == NOW + 1000 && plan.take_ms == 0);
    c.holder_gone = true;
    lease_plan(&c, &plan);
    assert_true(plan.take_ms == NOW + 30000);
    c.holder_gone = false;
    c.now_ms = NOW + 1000;
    lease_plan(&c, &plan);
    assert_true(plan.take_ms == NOW + 31000);
}

static void a_holder_renews_at_half_time_and_gives_back_what_it_cannot_use(void **state)
{
    (void)state;
    struct lease_plan plan;
    struct lease_case c = asks(&laptop, true);
    held_by(&c, &laptop, NOW + LEASE_MS);
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_LEAVE);
    assert_true(plan.next_ms == NOW + LEASE_MS - LEASE_RENEW_MS(LEASE_MS));
    c.now_ms = plan.next_ms;
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_TAKE);
    c.now_ms = NOW;
    c.remote = true; /* what others consented to depends on it: said at once */
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_TAKE);
    c.able = false;
    lease_plan(&c, &plan);
    assert_int_equal(plan.act, LEASE_GIVE_BACK);
}

static void a_device_alone_writes_nothing(void **state)
{
    struct tmp_dir dir;
    struct err e = ERR_INIT;
    struct lease_keeper k = {0};
    struct hash before, after;
    int64_t next = 0;
    (void)state;
    tmp_dir_make(&dir);
    struct node *n = household_add(&dir, "laptop");
    assert_int_equal(store_digest(n->store, &before, &e), 0);
    bool wrote = false;
    const struct lease_env env = {.store = n->store,
                                  .group = n->group,
                                  .clock = &n->clock,
                                  .rng = &n->rng,
                                  .device = n->home.device,
                                  .wrote = &wrote};
    assert_int_equal(lease_keep(&k, &env, true, false, &next, &e), 0);
    assert_true(id_eq(&k.lease.device, &n->home.device) && next == TIME_NONE);
    assert_int_equal(lease_keep(&k, &env, false, false, &next, &e), 0);
    assert_true(id_none(&k.lease.device) && !wrote);
    assert_int_equal(store_digest(n->store, &after, &e), 0);
    assert_memory_equal(before.b, after.b, HASH_BYTES);
    node_close(n);
    tmp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_reads_back_and_nothing_else_is_read),
        cmocka_unit_test(a_time_far_ahead_is_cut_to_one_lease),
        cmocka_unit_test(a_free_lease_is_taken_after_the_drawn_moment_by_those_who_can),
        cmocka_unit_test(another_ones_lease_is_left_alone_until_it_runs_out_or_its_holder_is_gone),
        cmocka_unit_test(a_holder_renews_at_half_time_and_gives_back_what_it_cannot_use),
        cmocka_unit_test(a_device_alone_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
