/* Logs with several histories: they end at the last common op, every history goes on as a branch, and the
 * model is that of all ops, whatever came first and in whatever order the branchings became known. */
#include "store/branch.h"

#include "store/members.h"
#include "store/store_int.h"
#include "tests/store/kit.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

#define HISTORIES 4
#define SPLITS 3
#define OPS_MAX 16

/* One writer's history of log 1: its ops, and the chain after each. */
struct history {
    struct kit kit;
    struct op_record r[OPS_MAX];
    struct buf bytes[OPS_MAX];
    struct hash chain[OPS_MAX + 1];
    size_t n;
};

static struct history all[HISTORIES];
static struct log_split splits[SPLITS];

static int keep_op(void *ctx, const struct op_record *r)
{
    struct history *h = ctx;
    struct err e = ERR_INIT;
    struct buf *b = &h->bytes[h->n];
    buf_init(b, 4096);
    kit_ok(buf_bytes(b, r->op), &e);
    h->r[h->n] = *r;
    h->r[h->n].op = buf_view(b);
    h->chain[h->n + 1] = h->chain[h->n];
    chain_next(&h->chain[++h->n], &r->hash);
    return 0;
}

static void read_history(struct history *h)
{
    struct err e = ERR_INIT;
    struct id log = kit_id(1);
    chain_start(&log, &h->chain[0]);
    kit_ok(store_ops(h->kit.s, &log, 0, UINT64_MAX, keep_op, h, &e), &e);
}

static void copy_ops(struct kit *to, const struct history *from, size_t n)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < n; i++)
        kit_ok(store_receive(to->s, &from->r[i], &e), &e);
}

static void count(struct kit *k, unsigned n, uint64_t support)
{
    struct err e = ERR_INIT;
    struct draft d;
    struct id id = kit_id(n);
    struct count c = {.device = kit_id(1), .source = BYTES_LIT("bash"), .support = support};
    c.first_ms = c.last_ms = KIT_MS;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
    draft_count(&d, &c);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

/* `seed` makes the salts of each writer its own. */
static void go_on(struct history *h, unsigned who, const struct history *from, size_t common)
{
    char text[40];
    kit_init(&h->kit);
    test_rng_init(&h->kit.test_rng, who + 10);
    if (from)
        copy_ops(&h->kit, from, common);
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof text, "said %u by %u", i, who);
        kit_told(&h->kit, 5 + i % 2, text); /* the same propositions: conflicts */
    }
    count(&h->kit, 5, 10 + who);
    (void)snprintf(text, sizeof text, "only %u", who);
    kit_told(&h->kit, 20 + who, text);
    read_history(h);
}

static void declare(struct log_split *at, const struct history *h, size_t seq)
{
    *at = (struct log_split){kit_id(1), seq, h->chain[seq]};
}

/* A; B from behind op 4 of A; C from behind op 6 of A; D from behind op 2. */
static int setup(void **state)
{
    (void)state;
    memset(all, 0, sizeof all);
    go_on(&all[0], 0, NULL, 0);
    go_on(&all[1], 1, &all[0], 4);
    go_on(&all[2], 2, &all[0], 6);
    go_on(&all[3], 3, &all[0], 2);
    declare(&splits[0], &all[0], 4);
    declare(&splits[1], &all[0], 6);
    declare(&splits[2], &all[0], 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < HISTORIES; i++) {
        for (size_t k = 0; k < all[i].n; k++)
            buf_release(&all[i].bytes[k]);
        kit_release(&all[i].kit);
    }
    return 0;
}

static bool is_split(const struct history *h, size_t seq)
{
    for (size_t i = 0; i < SPLITS; i++) {
        if (splits[i].seq == seq && memcmp(&splits[i].chain, &h->chain[seq], sizeof(struct hash)) == 0)
            return true;
    }
    return false;
}

/* Receives a history once all branchings are known. */
static struct id give(struct kit *to, const struct history *h)
{
    struct err e = ERR_INIT;
    struct id log = kit_id(1);
    for (size_t i = 0; i < h->n; i++) {
        struct op_record r = h->r[i];
        if (is_split(h, i)) {
            struct log_split at = {kit_id(1), i, h->chain[i]};
            log_branch_id(&at, &h->chain[i + 1], &log);
            kit_ok(store_branch(to->s, &at, &h->chain[i + 1], &e), &e);
        }
        r.log = log;
        int rc = store_receive(to->s, &r, &e);
        if (rc != 0 && rc != ERR_EXISTS)
            fail_msg("error %d '%s'", rc, e.text);
    }
    return log;
}

static int list_log(void *ctx, const struct log_head *h)
{
    struct buf *b = ctx;
    assert_int_equal(buf_append(b, h->log.b, ID_BYTES), 0);
    assert_int_equal(buf_append(b, h->device.b, ID_BYTES), 0);
    assert_int_equal(buf_append(b, &h->seq, sizeof h->seq), 0);
    assert_int_equal(buf_append(b, &h->base, sizeof h->base), 0);
    assert_int_equal(buf_append(b, &h->closed, sizeof h->closed), 0);
    return buf_append(b, h->chain.b, HASH_BYTES);
}

struct compare {
    const struct history *h;
    size_t n;
};

static int compare_op(void *ctx, const struct op_record *r)
{
    struct compare *c = ctx;
    const struct op_record *want = &c->h->r[c->n++];
    assert_int_equal(r->seq, want->seq);
    assert_memory_equal(&r->hash, &want->hash, sizeof r->hash);
    assert_true(bytes_eq(r->op, want->op));
    return 0;
}

/* What a store shows at the end: dump, then logs. */
static void finish(struct kit *k, struct buf *out)
{
    struct err e = ERR_INIT;
    buf_init(out, 1u << 20);
    kit_dump(k->s, out);
    kit_ok(store_logs(k->s, list_log, out, &e), &e);
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
    kit_ok(store_rebuild(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
}

static void run_order(uint64_t seed, struct buf *out)
{
    struct test_rng rng;
    struct kit k;
    struct err e = ERR_INIT;
    bool changed;
    test_rng_init(&rng, seed);
    kit_init(&k);
    copy_ops(&k, &all[seed % HISTORIES], all[seed % HISTORIES].n);
    for (size_t i = 0; i < 2 * SPLITS; i++) /* in any order, some again */
        kit_ok(store_split(k.s, &splits[(i + test_rng_below(&rng, 2)) % SPLITS], &changed, &e), &e);
    for (size_t i = 0; i < SPLITS; i++)
        kit_ok(store_split(k.s, &splits[i], &changed, &e), &e);
    size_t first = (size_t)test_rng_below(&rng, HISTORIES);
    for (size_t i = 0; i < HISTORIES; i++) {
        const struct history *h = &all[(first + i * (1 + 2 * (seed & 1))) % HISTORIES];
        struct id leaf = give(&k, h);
        struct compare c = {h, 0};
        kit_ok(store_ops(k.s, &leaf, 0, UINT64_MAX, compare_op, &c, &e), &e);
        assert_int_equal(c.n, h->n);
    }
    finish(&k, out);
    kit_release(&k);
}

static void every_order_gives_the_same_model_and_the_same_logs(void **state)
{
    (void)state;
    struct buf first, other;
    run_order(0, &first);
    for (uint64_t seed = 1; seed < 24; seed++) {
        run_order(seed, &other);
        assert_true(bytes_eq(buf_view(&first), buf_view(&other)));
        buf_release(&other);
    }
    buf_release(&first);
}

static void the_model_is_that_of_all_ops_and_counters_do_not_double(void **state)
{
    (void)state;
    struct buf out;
    struct kit k;
    struct err e = ERR_INIT;
    struct prop p;
    struct id id = kit_id(5);
    bool changed;
    kit_init(&k);
    copy_ops(&k, &all[3], all[3].n);
    for (size_t i = 0; i < SPLITS; i++)
        kit_ok(store_split(k.s, &splits[i], &changed, &e), &e);
    for (size_t i = 0; i < HISTORIES; i++)
        (void)give(&k, &all[i]);
    for (unsigned who = 0; who < HISTORIES; who++) {
        struct id own = kit_id(20 + who);
        kit_ok(store_prop(k.s, &own, false, &p, &e), &e);
    }
    kit_ok(store_prop(k.s, &id, false, &p, &e), &e);
    assert_in_range(p.support, 10, 13); /* one of the four, not their sum */
    assert_int_equal(p.devices, 1);
    finish(&k, &out);
    buf_release(&out);
    kit_release(&k);
}

static void a_log_that_branched_takes_no_more_ops(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    struct id id = kit_id(9);
    bool changed;
    kit_init(&k);
    copy_ops(&k, &all[0], all[0].n);
    kit_ok(store_split(k.s, &splits[0], &changed, &e), &e);
    assert_true(changed);
    kit_ok(store_split(k.s, &splits[0], &changed, &e), &e);
    assert_false(changed);
    assert_int_equal(store_receive(k.s, &all[0].r[4], &e), ERR_VERIFY);
    assert_int_equal(kit_tell(&k, &id, "said too late", &e), ERR_ATTENTION);
    struct id log = kit_id(77), device = kit_id(1);
    store_use_log(k.s, &log, &device);
    assert_int_equal(kit_tell(&k, &id, "said in a new log", &e), 0);
    kit_release(&k);
}

static void a_branch_needs_the_place_where_it_begins(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    kit_init(&k);
    copy_ops(&k, &all[0], 3);
    assert_int_equal(store_branch(k.s, &splits[0], &all[1].chain[5], &e), ERR_NOTFOUND);
    kit_release(&k);
}

static void histories_that_share_nothing_branch_before_the_first_op(void **state)
{
    (void)state;
    struct history x = {.n = 0};
    struct kit k;
    struct err e = ERR_INIT;
    struct id log = kit_id(1), id;
    struct log_split at = {log, 0, all[0].chain[0]};
    struct prop p;
    bool changed;
    go_on(&x, 5, NULL, 0);
    kit_init(&k);
    copy_ops(&k, &all[0], all[0].n);
    kit_ok(store_split(k.s, &at, &changed, &e), &e);
    assert_true(changed);
    kit_ok(store_branch(k.s, &at, &x.chain[1], &e), &e);
    log_branch_id(&at, &x.chain[1], &id);
    for (size_t i = 0; i < x.n; i++) {
        x.r[i].log = id;
        kit_ok(store_receive(k.s, &x.r[i], &e), &e);
    }
    id = kit_id(25);
    kit_ok(store_prop(k.s, &id, false, &p, &e), &e);
    kit_ok(store_verify(k.s, &e), &e);
    kit_ok(store_check(k.s, &e), &e);
    kit_release(&k);
    for (size_t i = 0; i < x.n; i++)
        buf_release(&x.bytes[i]);
    kit_release(&x.kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(every_order_gives_the_same_model_and_the_same_logs),
        TEST(the_model_is_that_of_all_ops_and_counters_do_not_double),
        TEST(a_log_that_branched_takes_no_more_ops),
        TEST(a_branch_needs_the_place_where_it_begins),
        TEST(histories_that_share_nothing_branch_before_the_first_op),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
