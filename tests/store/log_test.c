#include "tests/support/unit.h"

#include "base/limits.h"
#include "store/hlc.h"
#include "store/store_int.h"
#include "tests/store/kit.h"

#include <string.h>

/* ---- records made by hand */

struct record {
    struct op_record r;
    struct buf body;
};

static void record_text(struct record *x, unsigned log, uint64_t seq, uint64_t hlc, unsigned prop,
                        const char *text)
{
    struct id id = kit_id(prop);
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, &id);
    if (text != NULL) {
        draft_reg(&d, REG_TEXT, bytes_str(text), NULL, 0);
    } else {
        draft_forget(&d);
    }
    buf_init(&x->body, LIMIT_OP_BYTES);
    assert_int_equal(draft_encode(&d, hlc, &x->body), 0);
    draft_release(&d);
    x->r = (struct op_record){.log = kit_id(log), .seq = seq, .op = buf_view(&x->body)};
    memset(x->r.salt, (int)seq, SALT_BYTES);
    op_hash(x->r.salt, x->r.op, &x->r.hash);
}

static void record_erase(struct record *x)
{
    x->r.op = BYTES_NONE;
    memset(x->r.salt, 0, SALT_BYTES);
}

static void record_release(struct record *x)
{
    buf_release(&x->body);
}

static int receive_text(struct kit *k, unsigned log, uint64_t seq, uint64_t hlc, unsigned prop,
                        const char *text)
{
    struct record x;
    struct err e = ERR_INIT;
    record_text(&x, log, seq, hlc, prop, text);
    int rc = store_receive(k->s, &x.r, &e);
    record_release(&x);
    return rc;
}

static uint64_t hlc_at(int64_t ms)
{
    return (uint64_t)ms << 16;
}

/* ---- heads and ops */

struct heads {
    struct log_head at[8];
    size_t n;
};

static int take_head(void *ctx, const struct log_head *h)
{
    struct heads *x = ctx;
    assert_true(x->n < 8);
    x->at[x->n++] = *h;
    return 0;
}

static struct heads heads_of(struct kit *k)
{
    struct heads h = {.n = 0};
    struct err e = ERR_INIT;
    kit_ok(store_logs(k->s, take_head, &h, &e), &e);
    return h;
}

struct ops {
    size_t n, erased, held_bytes;
    uint64_t first, last;
    uint64_t last_hlc;
};

static int take_op(void *ctx, const struct op_record *r)
{
    struct ops *x = ctx;
    struct op op;
    struct err e = ERR_INIT;
    x->first = x->n == 0 ? r->seq : x->first;
    x->last = r->seq;
    x->n++;
    x->erased += r->op.n == 0;
    if (r->op.n > 0) {
        kit_ok(op_decode(r->op, &op, &e), &e);
        x->last_hlc = op.hlc;
    }
    return 0;
}

static struct ops ops_of(struct kit *k, unsigned log, uint64_t from, uint64_t max)
{
    struct ops o = {.n = 0};
    struct id id = kit_id(log);
    struct err e = ERR_INIT;
    kit_ok(store_ops(k->s, &id, from, max, take_op, &o, &e), &e);
    return o;
}

static void the_first_op_of_a_log_names_its_device(void **state)
{
    struct kit *k = *state;
    kit_told(k, 5, "drinks tea");
    struct heads h = heads_of(k);
    struct id log = kit_id(1), device = kit_id(1);
    assert_int_equal(h.n, 1);
    assert_int_equal(h.at[0].seq, 2);
    assert_true(id_eq(&h.at[0].log, &log) && id_eq(&h.at[0].device, &device));
}

static int copy_op(void *ctx, const struct op_record *r)
{
    struct err e = ERR_INIT;
    kit_ok(store_receive(ctx, r, &e), &e);
    return 0;
}

static void a_copied_log_gives_the_same_state_and_device(void **state)
{
    struct kit *k = *state;
    struct kit other;
    struct err e = ERR_INIT;
    kit_init(&other);
    struct id foreign = kit_id(2), log = kit_id(1);
    store_use_log(other.s, &foreign, &foreign);
    kit_told(k, 5, "drinks tea");
    kit_told(k, 6, "works in Porto");
    kit_ok(store_ops(k->s, &log, 0, UINT64_MAX, copy_op, other.s, &e), &e);
    struct hash a, b;
    kit_ok(store_digest(k->s, &a, &e), &e);
    kit_ok(store_digest(other.s, &b, &e), &e);
    assert_memory_equal(a.b, b.b, HASH_BYTES);
    struct heads h = heads_of(&other);
    assert_true(id_eq(&h.at[0].device, &log));
    kit_release(&other);
}

static void ops_are_read_in_order_from_any_place(void **state)
{
    struct kit *k = *state;
    for (unsigned n = 0; n < 9; n++) {
        kit_told(k, 5 + n, "drinks tea");
    }
    struct ops o = ops_of(k, 1, 0, UINT64_MAX);
    assert_int_equal(o.n, 10);
    o = ops_of(k, 1, 4, 3);
    assert_int_equal(o.n, 3);
    assert_int_equal(o.first, 5);
    assert_int_equal(o.last, 7);
    assert_int_equal(ops_of(k, 7, 0, 10).n, 0);
    assert_int_equal(ops_of(k, 1, UINT64_MAX, 10).n, 0);
}

static void gaps_forks_and_repetitions_are_told_apart(void **state)
{
    struct kit *k = *state;
    uint64_t now = hlc_at(KIT_MS);
    assert_int_equal(receive_text(k, 2, 1, now, 5, "a"), 0);
    assert_int_equal(receive_text(k, 2, 1, now, 5, "a"), ERR_EXISTS);
    assert_int_equal(receive_text(k, 2, 1, now, 5, "b"), ERR_VERIFY);
    assert_int_equal(receive_text(k, 2, 3, now, 5, "c"), ERR_NOTFOUND);
    assert_int_equal(receive_text(k, 2, 0, now, 5, "c"), ERR_FORMAT);
    assert_int_equal(receive_text(k, 2, UINT64_MAX, now, 5, "c"), ERR_FORMAT);
    assert_int_equal(receive_text(k, 2, 2, now, 5, "c"), 0);
    assert_int_equal(heads_of(k).n, 1);
}

static void an_op_that_does_not_match_its_hash_changes_nothing(void **state)
{
    struct kit *k = *state;
    struct record x;
    struct err e = ERR_INIT;
    record_text(&x, 2, 1, hlc_at(KIT_MS), 5, "a");
    x.r.salt[3] ^= 1;
    assert_int_equal(store_receive(k->s, &x.r, &e), ERR_VERIFY);
    x.r.salt[3] ^= 1;
    x.body.p[x.body.n - 1] ^= 1;
    assert_int_equal(store_receive(k->s, &x.r, &e), ERR_VERIFY);
    x.r.op = BYTES_LIT("no op at all");
    op_hash(x.r.salt, x.r.op, &x.r.hash);
    int rc = store_receive(k->s, &x.r, &e);
    assert_true(rc == ERR_FORMAT || rc == ERR_VERSION);
    record_release(&x);
    assert_int_equal(heads_of(k).n, 0);
}

static void refused_ops_leave_an_open_transaction_usable(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_begin(k->s, &e), &e);
    kit_told(k, 5, "before");
    assert_int_equal(receive_text(k, 2, 3, hlc_at(KIT_MS), 5, "c"), ERR_NOTFOUND);
    kit_told(k, 6, "after");
    kit_ok(store_commit(k->s, &e), &e);
    assert_int_equal(heads_of(k).at[0].seq, 3);
}

static void rolled_back_writes_leave_no_trace(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_told(k, 5, "stays");
    struct heads before = heads_of(k);
    kit_ok(store_begin(k->s, &e), &e);
    kit_told(k, 6, "goes");
    assert_int_equal(receive_text(k, 2, 1, hlc_at(KIT_MS), 7, "goes too"), 0);
    store_rollback(k->s);
    struct heads after = heads_of(k);
    assert_int_equal(after.n, 1);
    assert_memory_equal(before.at[0].chain.b, after.at[0].chain.b, HASH_BYTES);
    kit_told(k, 6, "comes again");
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
}

static void time_never_goes_back_even_when_the_clock_does(void **state)
{
    struct kit *k = *state;
    kit_told(k, 5, "first");
    uint64_t first = ops_of(k, 1, 0, UINT64_MAX).last_hlc;
    test_clock_jump(&k->test_clock, KIT_MS - 3 * MS_DAY);
    kit_reopen(k);
    kit_told(k, 5, "second");
    uint64_t second = ops_of(k, 1, 0, UINT64_MAX).last_hlc;
    assert_true(second > first);
    assert_int_equal(receive_text(k, 2, 1, hlc_at(KIT_MS - 2 * MS_DAY - 23 * MS_HOUR), 6, "x"), ERR_OK);
    test_clock_jump(&k->test_clock, KIT_MS + MS_MINUTE);
    kit_told(k, 5, "third");
    assert_int_equal(hlc_ms(ops_of(k, 1, 0, UINT64_MAX).last_hlc), KIT_MS + MS_MINUTE);
}

static void a_stamp_seen_from_elsewhere_is_passed_by_our_next(void **state)
{
    struct kit *k = *state;
    uint64_t seen = hlc_at(KIT_MS + 5 * MS_MINUTE) + 77;
    assert_int_equal(receive_text(k, 2, 1, seen, 5, "a"), 0);
    kit_reopen(k);
    kit_told(k, 5, "b");
    assert_true(ops_of(k, 1, 0, UINT64_MAX).last_hlc > seen);
}

/* ---- held ops */

static int prop_rc(struct kit *k, unsigned n)
{
    struct id id = kit_id(n);
    struct prop p;
    struct err e = ERR_INIT;
    return store_prop(k->s, &id, false, &p, &e);
}

static void ops_from_the_future_are_held_until_their_time(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    size_t released;
    int64_t next;
    struct hash before, held, after;
    kit_told(k, 5, "now");
    kit_ok(store_digest(k->s, &before, &e), &e);
    assert_int_equal(receive_text(k, 2, 1, hlc_at(KIT_MS + MS_HOUR), 6, "in an hour"), 0);
    assert_int_equal(receive_text(k, 2, 2, hlc_at(KIT_MS + 2 * MS_HOUR), 7, "in two"), 0);
    assert_int_equal(prop_rc(k, 6), ERR_NOTFOUND);
    kit_ok(store_digest(k->s, &held, &e), &e);
    assert_memory_equal(before.b, held.b, HASH_BYTES);
    struct heads h = heads_of(k);
    assert_int_equal(h.at[1].held, 2);
    assert_int_equal(h.at[1].ahead_ms, 2 * MS_HOUR);
    kit_ok(store_release_held(k->s, &released, &next, &e), &e);
    assert_int_equal(released, 0);
    assert_int_equal(next, KIT_MS + MS_HOUR - LIMIT_DRIFT_MS);
    kit_told(k, 8, "our clock was not moved");
    assert_int_equal(hlc_ms(ops_of(k, 1, 0, UINT64_MAX).last_hlc), KIT_MS);
    kit_ok(store_check(k->s, &e), &e);

    test_clock_jump(&k->test_clock, next);
    kit_reopen(k);
    kit_ok(store_release_held(k->s, &released, &next, &e), &e);
    assert_int_equal(released, 1);
    assert_int_equal(prop_rc(k, 6), 0);
    assert_int_equal(prop_rc(k, 7), ERR_NOTFOUND);
    test_clock_jump(&k->test_clock, next);
    kit_ok(store_release_held(k->s, &released, &next, &e), &e);
    assert_int_equal(released, 1);
    assert_int_equal(next, TIME_NONE);
    kit_ok(store_digest(k->s, &after, &e), &e);
    assert_memory_not_equal(before.b, after.b, HASH_BYTES);
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
}

static void a_held_op_of_a_forgotten_id_is_erased_at_once(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    size_t released;
    int64_t next;
    struct id id = kit_id(6);
    kit_told(k, 6, "to be forgotten");
    assert_int_equal(receive_text(k, 2, 1, hlc_at(KIT_MS + MS_HOUR), 6, "ozymandias"), 0);
    kit_ok(store_forget(k->s, &id, NULL, 0, &e), &e);
    assert_int_equal(ops_of(k, 2, 0, 1).erased, 1);
    kit_ok(store_scrub(k->s, &e), &e);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("ozymandias")), 0);
    test_clock_jump(&k->test_clock, KIT_MS + MS_DAY);
    kit_ok(store_release_held(k->s, &released, &next, &e), &e);
    assert_int_equal(prop_rc(k, 6), ERR_NOTFOUND);
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
}

/* ---- erased ops */

static void an_erased_op_is_taken_by_its_hash_and_the_chain_holds(void **state)
{
    struct kit *k = *state;
    struct record whole, erased;
    struct err e = ERR_INIT;
    uint64_t now = hlc_at(KIT_MS);
    record_text(&whole, 2, 1, now, 5, "a");
    record_text(&erased, 2, 1, now, 5, "a");
    record_erase(&erased);
    kit_ok(store_receive(k->s, &erased.r, &e), &e);
    assert_int_equal(store_receive(k->s, &whole.r, &e), ERR_EXISTS);
    assert_int_equal(receive_text(k, 2, 2, now + 1, 6, "b"), 0);
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
    assert_int_equal(ops_of(k, 2, 0, 9).erased, 1);
    record_release(&whole);
    record_release(&erased);
}

static void a_forget_that_comes_first_erases_what_comes_later(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    uint64_t now = hlc_at(KIT_MS);
    assert_int_equal(receive_text(k, 3, 1, now + 9, 5, NULL), 0);
    assert_int_equal(receive_text(k, 2, 1, now, 5, "ozymandias"), 0);
    assert_int_equal(ops_of(k, 2, 0, 9).erased, 1);
    assert_int_equal(ops_of(k, 3, 0, 9).erased, 0);
    assert_int_equal(tmp_count_files_with(k->dir.path, BYTES_LIT("ozymandias")), 0);
    struct id id = kit_id(5);
    assert_int_equal(kit_tell(k, &id, "again", &e), ERR_FORGOTTEN);
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
}

/* ---- damage */

static void damage_is_found(struct kit *k, const char *sql, int expected, bool verify)
{
    struct err e = ERR_INIT;
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
    kit_ok(db_exec(k->s, "SAVEPOINT damage", &e), &e);
    kit_ok(db_exec(k->s, sql, &e), &e);
    k->s->edges_known = false; /* the store did not see the change */
    int rc = verify ? store_verify(k->s, &e) : store_check(k->s, &e);
    if (rc != expected) {
        fail_msg("'%s' gives %d '%s'", sql, rc, rc != 0 ? e.text : "");
    }
    kit_ok(db_exec(k->s, "ROLLBACK TO damage; RELEASE damage", &e), &e);
    k->s->edges_known = false;
}

static void every_kind_of_damage_is_found(void **state)
{
    struct kit *k = *state;
    static const uint8_t key[1][16] = {{7}};
    struct err e = ERR_INIT;
    struct id id = kit_id(9);
    kit_told(k, 5, "works in Porto");
    kit_told(k, 5, "works in Lisbon");
    kit_told(k, 6, "drinks tea");
    kit_told(k, 9, "is forgotten");
    kit_edge(k, SET_SAME_AS, 5, 6);
    kit_ok(store_forget(k->s, &id, key, 1, &e), &e);
    kit_ok(store_block_source(k->s, BYTES_LIT("bash"), 1, 2, &e), &e);
    damage_is_found(k,
                    "UPDATE op SET body = CAST(replace(CAST(body AS TEXT), 'Porto', 'Turin') AS BLOB) WHERE "
                    "row % 1099511627776 = 2",
                    ERR_VERIFY, true);
    damage_is_found(k, "UPDATE op SET hash = zeroblob(32) WHERE row % 1099511627776 = 3", ERR_VERIFY, true);
    damage_is_found(k, "DELETE FROM op WHERE row % 1099511627776 = 3", ERR_VERIFY, true);
    damage_is_found(k, "UPDATE log SET chain = zeroblob(32)", ERR_VERIFY, true);
    damage_is_found(k, "UPDATE prop SET flags = flags + 1", ERR_CORRUPT, false);
    damage_is_found(k, "UPDATE prop SET support = 9", ERR_CORRUPT, false);
    damage_is_found(k, "DELETE FROM edge", ERR_CORRUPT, false);
    damage_is_found(k, "INSERT INTO edge VALUES(67, zeroblob(16), randomblob(16))", ERR_CORRUPT, false);
    damage_is_found(k, "DELETE FROM blocked_key", ERR_CORRUPT, false);
    damage_is_found(k, "DELETE FROM blocked_span", ERR_CORRUPT, false);
    damage_is_found(k, "DELETE FROM event", ERR_CORRUPT, false);
    damage_is_found(k, "UPDATE event SET time = time + 1", ERR_CORRUPT, false);
    damage_is_found(k, "UPDATE entity SET state = x'00' WHERE row = 2", ERR_CORRUPT, false);
    damage_is_found(k, "DELETE FROM prop WHERE flags & 128", ERR_CORRUPT, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_first_op_of_a_log_names_its_device),
        KIT_TEST(a_copied_log_gives_the_same_state_and_device),
        KIT_TEST(ops_are_read_in_order_from_any_place),
        KIT_TEST(gaps_forks_and_repetitions_are_told_apart),
        KIT_TEST(an_op_that_does_not_match_its_hash_changes_nothing),
        KIT_TEST(refused_ops_leave_an_open_transaction_usable),
        KIT_TEST(rolled_back_writes_leave_no_trace),
        KIT_TEST(time_never_goes_back_even_when_the_clock_does),
        KIT_TEST(a_stamp_seen_from_elsewhere_is_passed_by_our_next),
        KIT_TEST(ops_from_the_future_are_held_until_their_time),
        KIT_TEST(a_held_op_of_a_forgotten_id_is_erased_at_once),
        KIT_TEST(an_erased_op_is_taken_by_its_hash_and_the_chain_holds),
        KIT_TEST(a_forget_that_comes_first_erases_what_comes_later),
        KIT_TEST(every_kind_of_damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
