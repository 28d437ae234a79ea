/* One workload, broken at its first write or sync, its second, its third, and so on until it runs through. */
#include "tests/support/unit.h"

#include "base/limits.h"
#include "crypto/hash.h"
#include "tests/store/faultvfs.h"
#include "tests/store/kit.h"

#include <stdlib.h>
#include <string.h>

/* ---- the workload: each step is acknowledged when it returns 0 */

static int step_open(struct kit *k, struct err *e)
{
    return kit_open(k, e);
}

static int tell(struct kit *k, unsigned n, const char *text, struct err *e)
{
    struct id id = kit_id(n);
    return kit_tell(k, &id, text, e);
}

static int step_tell(struct kit *k, struct err *e)
{
    return tell(k, 5, "prefers plain-text mail", e);
}

static int step_tell_again(struct kit *k, struct err *e)
{
    return tell(k, 6, "works in Lisbon", e);
}

static int step_many(struct kit *k, struct err *e)
{
    int rc = store_begin(k->s, e);
    if (rc != 0) {
        return rc;
    }
    for (unsigned n = 10; rc == 0 && n < 40; n++) {
        rc = tell(k, n, "one of thirty that come together or not at all", e);
    }
    if (rc != 0) {
        store_rollback(k->s);
        return rc;
    }
    return store_commit(k->s, e);
}

static int step_edit(struct kit *k, struct err *e)
{
    return tell(k, 5, "prefers plain-text mail, without pictures", e);
}

static int step_edge(struct kit *k, struct err *e)
{
    struct id a = kit_id(5), b = kit_id(6);
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_EDGE, CLASS_MODEL, &a);
    draft_set_add(&d, SET_SUPERSEDES, bytes_of(b.b, ID_BYTES));
    int rc = store_write(k->s, &d, e);
    draft_release(&d);
    return rc;
}

static int step_forget(struct kit *k, struct err *e)
{
    static const uint8_t keys[2][16] = {{1}, {2}};
    struct id id = kit_id(11);
    int rc = store_forget(k->s, &id, keys, 2, e);
    return rc == ERR_FORGOTTEN ? 0 : rc;
}

static int step_scrub(struct kit *k, struct err *e)
{
    return store_scrub(k->s, e);
}

static int step_setting(struct kit *k, struct err *e)
{
    return store_setting_set(k->s, "norms", BYTES_LIT("nothing about health"), e);
}

static int step_lease(struct kit *k, struct err *e)
{
    static const uint8_t lease[16] = {9};
    return store_lease_set(k->s, lease, e);
}

static int step_rebuild(struct kit *k, struct err *e)
{
    return store_rebuild(k->s, e);
}

static int (*const steps[])(struct kit *k, struct err *e) = {
    step_open,   step_tell,  step_tell_again, step_many,  step_edit,    step_edge,
    step_forget, step_scrub, step_setting,    step_lease, step_rebuild, step_tell_again,
};
#define STEPS (sizeof steps / sizeof steps[0])

static int hash_piece(void *ctx, struct bytes piece)
{
    hasher_update(ctx, piece);
    return 0;
}

static struct hash state_of(struct store *s)
{
    struct hasher h;
    struct hash out;
    struct err e = ERR_INIT;
    hasher_init(&h, BYTES_NONE, HASH_BYTES);
    kit_ok(store_dump(s, hash_piece, &h, &e), &e);
    hasher_final(&h, out.b, HASH_BYTES);
    return out;
}

static bool same(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, HASH_BYTES) == 0;
}

static void start(struct kit *k)
{
    kit_start(k);
    k->vfs = FAULTVFS_NAME;
}

/* states[i]: before step i; all are deterministic. */
static uint64_t record_states(struct hash states[STEPS + 1])
{
    struct kit k;
    struct err e = ERR_INIT;
    faultvfs_reset();
    start(&k);
    faultvfs_arm(FAULT_NONE, 0, 0);
    for (size_t i = 0; i < STEPS; i++) {
        kit_ok(steps[i](&k, &e), &e);
        states[i + 1] = state_of(k.s);
    }
    states[0] = states[1];
    kit_close(&k);
    uint64_t calls = faultvfs_calls();
    kit_release(&k);
    return calls;
}

static size_t run_until_failure(struct kit *k, bool bulk)
{
    struct err e = ERR_INIT;
    size_t done = 0;
    while (done < STEPS && steps[done](k, &e) == 0) {
        if (done++ == 0 && bulk) {
            kit_ok(store_bulk(k->s, true, &e), &e);
        }
    }
    kit_close(k);
    return done;
}

struct cut {
    uint64_t at, seed;
    bool bulk; /* then any earlier whole state is right */
};

static void crash_once(const struct hash states[STEPS + 1], struct cut cut)
{
    struct kit k;
    struct err e = ERR_INIT;
    faultvfs_reset();
    start(&k);
    faultvfs_arm(FAULT_CRASH, cut.at, 0);
    size_t done = run_until_failure(&k, cut.bulk);
    faultvfs_crash(cut.seed);
    int rc = kit_open(&k, &e);
    if (rc != 0) {
        fail_msg("call %llu, seed %llu: %s", (unsigned long long)cut.at, (unsigned long long)cut.seed,
                 e.text);
    }
    struct hash now = state_of(k.s);
    bool known = done < STEPS && same(&now, &states[done + 1]);
    for (size_t i = cut.bulk ? 0 : done; i <= done; i++) {
        known = known || same(&now, &states[i]);
    }
    if (!known) {
        fail_msg("call %llu, seed %llu: not what was acknowledged (%zu steps), nor with the next step",
                 (unsigned long long)cut.at, (unsigned long long)cut.seed, done);
    }
    kit_ok(tell(&k, 99, "goes on", &e), &e);
    kit_ok(store_verify(k.s, &e), &e);
    kit_ok(store_check(k.s, &e), &e);
    kit_release(&k);
}

static void a_power_cut_at_any_write_keeps_what_was_acknowledged(void **state)
{
    (void)state;
    struct hash states[STEPS + 1];
    uint64_t calls = record_states(states);
    assert_true(calls > 100);
    for (uint64_t at = 1; at <= calls; at++) {
        crash_once(states, (struct cut){.at = at, .seed = at});
    }
}

static void a_power_cut_in_bulk_leaves_a_whole_earlier_state(void **state)
{
    (void)state;
    struct hash states[STEPS + 1];
    uint64_t calls = record_states(states);
    for (uint64_t at = 1; at <= calls; at += 2) {
        crash_once(states, (struct cut){.at = at, .seed = at, .bulk = true});
    }
}

/* After a failing step the state is that of before, or of after it; then the same step succeeds. */
static void fail_once(enum fault fault, uint64_t at, uint64_t count)
{
    struct kit k;
    struct err e = ERR_INIT;
    faultvfs_reset();
    start(&k);
    faultvfs_arm(fault, at, count);
    for (size_t i = 0; i < STEPS; i++) {
        int tries = 0;
        int rc;
        while ((rc = steps[i](&k, &e)) != 0 && ++tries < 20) {
            if (rc != ERR_FULL && rc != ERR_IO && rc != ERR_INUSE) {
                fail_msg("call %llu, step %zu: error %d, '%s'", (unsigned long long)at, i, rc, e.text);
            }
            if (k.s != NULL) {
                kit_ok(store_verify(k.s, &e), &e);
            }
            if (k.s != NULL && tries > 10) {
                kit_close(&k);
                (void)kit_open(&k, &e);
            }
        }
        kit_ok(rc, &e);
    }
    kit_ok(store_verify(k.s, &e), &e);
    kit_ok(store_check(k.s, &e), &e);
    uint64_t n;
    kit_ok(store_prop_count(k.s, 0, &n, &e), &e);
    assert_int_equal(n, 31);
    kit_release(&k);
}

static void a_full_disk_at_any_write_is_reported_and_loses_nothing(void **state)
{
    (void)state;
    struct hash states[STEPS + 1];
    uint64_t calls = record_states(states);
    for (uint64_t at = 1; at <= calls; at++) {
        fail_once(FAULT_FULL, at, 1 + at % 4);
    }
}

static void a_failing_disk_at_any_call_is_reported_and_loses_nothing(void **state)
{
    (void)state;
    struct hash states[STEPS + 1];
    uint64_t calls = record_states(states);
    for (uint64_t at = 1; at <= calls; at++) {
        fail_once(FAULT_IO, at, 1 + at % 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_at_any_write_keeps_what_was_acknowledged),
        cmocka_unit_test(a_power_cut_in_bulk_leaves_a_whole_earlier_state),
        cmocka_unit_test(a_full_disk_at_any_write_is_reported_and_loses_nothing),
        cmocka_unit_test(a_failing_disk_at_any_call_is_reported_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
