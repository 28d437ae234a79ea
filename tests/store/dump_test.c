#include "tests/support/unit.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "store/store_int.h"
#include "tests/store/kit.h"
#include "tests/store/model.h"
#include "tests/store/opgen.h"

#include <string.h>

#define SEEDS 2000
#define OPS_MAX 40
#define ENTITIES_MAX 64
#define SEEN_MAX 64

/* The dump as the memory model has it. */
static void model_dump_all(const struct model *m, struct buf *out)
{
    static struct model_key keys[ENTITIES_MAX];
    static struct seen seen[SEEN_MAX];
    size_t n = model_entities(m, keys, ENTITIES_MAX);
    assert_true(n <= ENTITIES_MAX);
    wr_bytes(out, BYTES_LIT("selfsame dump 1"));
    for (size_t i = 0; i < n; i++) {
        wr_u8(out, keys[i].space);
        wr_bytes(out, bytes_of(keys[i].id.b, ID_BYTES));
        model_dump(m, keys[i].space, &keys[i].id, out);
        size_t events = model_seen(m, keys[i].space, &keys[i].id, seen, SEEN_MAX);
        assert_true(events <= SEEN_MAX);
        wr_varint(out, events);
        for (size_t j = 0; j < events; j++) {
            wr_bytes(out, bytes_of(seen[j].key, 16));
            wr_u8(out, seen[j].against);
            wr_svarint(out, seen[j].time_ms);
        }
    }
}

/* Empties the store without the cost of making a new file. */
static void wipe(struct store *s)
{
    static const char sql[] =
        "PRAGMA foreign_keys=OFF; INSERT INTO prop_fts(prop_fts) VALUES('delete-all');"
        "BEGIN; DELETE FROM event; DELETE FROM edge; DELETE FROM blocked_key;"
        "DELETE FROM blocked_span; DELETE FROM prop; DELETE FROM op; DELETE FROM entity;"
        "DELETE FROM log; DELETE FROM meta; COMMIT; PRAGMA foreign_keys=ON";
    struct err e = ERR_INIT;
    kit_ok(db_exec(s, sql, &e), &e);
    struct id log = kit_id(1), device = kit_id(1);
    store_use_log(s, &log, &device);
    s->edges_known = false;
}

/* An op not done yet whose predecessors in its log are. */
static size_t pick(const struct opgen *g, const bool *done, struct test_rng *rng)
{
    size_t i = test_rng_below(rng, g->n);
    while (done[i]) {
        i = (i + 1) % g->n;
    }
    for (size_t j = 0; j < i; j++) {
        if (!done[j] && id_eq(&g->ops[j].log, &g->ops[i].log)) {
            return j;
        }
    }
    return i;
}

/* Gives the ops in a random order that keeps each log's own, in transactions of random size, some of them
 * twice and some rolled back first. */
static void receive_shuffled(struct store *s, const struct opgen *g, struct test_rng *rng)
{
    struct err e = ERR_INIT;
    bool done[OPS_MAX] = {0}, before[OPS_MAX] = {0};
    bool in_txn = false;
    size_t left = g->n;
    while (left > 0) {
        size_t i = pick(g, done, rng);
        if (!in_txn && test_rng_one_in(rng, 3)) {
            kit_ok(store_begin(s, &e), &e);
            memcpy(before, done, sizeof done);
            in_txn = true;
        }
        kit_ok(store_receive(s, &g->ops[i], &e), &e);
        done[i] = true;
        if (test_rng_one_in(rng, 5)) {
            assert_int_equal(store_receive(s, &g->ops[i], &e), ERR_EXISTS);
        }
        if (in_txn && test_rng_one_in(rng, 8)) { /* as if the connection had broken */
            store_rollback(s);
            memcpy(done, before, sizeof done);
            in_txn = false;
        } else if (in_txn && test_rng_one_in(rng, 4)) {
            kit_ok(store_commit(s, &e), &e);
            in_txn = false;
        }
        left = 0;
        for (size_t j = 0; j < g->n; j++) {
            left += !done[j];
        }
    }
    if (in_txn) {
        kit_ok(store_commit(s, &e), &e);
    }
}

static void assert_same(const struct buf *a, const struct buf *b, uint64_t seed, const char *what)
{
    if (!bytes_eq(buf_view(a), buf_view(b))) {
        fail_msg("seed %llu: %s differ (%zu and %zu bytes)", (unsigned long long)seed, what, a->n, b->n);
    }
}

static void add_prop(struct buf *b, const struct prop *p)
{
    wr_bytes(b, bytes_of(p->id.b, ID_BYTES));
    wr_u32(b, p->flags);
    wr_u32(b, p->devices);
    wr_u64(b, p->support);
    wr_u64(b, p->against);
    wr_u64(b, (uint64_t)p->first_ms);
    wr_u64(b, (uint64_t)p->last_ms);
    wr_u64(b, (uint64_t)p->created_ms);
    wr_u64(b, (uint64_t)p->changed_ms);
    wr_u64(b, (uint64_t)p->until_ms);
    wr_lenbytes(b, p->text);
    wr_lenbytes(b, p->scope);
}

/* What the tables say of propositions, by id: rows differ between orders of arrival, nothing else may. */
static void props_by_id(struct store *s, struct buf *out)
{
    struct err e = ERR_INIT;
    for (uint8_t i = 0; i < 3; i++) {
        struct id id;
        struct prop p;
        memset(id.b, 0x20, ID_BYTES);
        id.b[ID_BYTES - 1] = i;
        if (store_prop(s, &id, false, &p, &e) == 0) {
            add_prop(out, &p);
        }
    }
}

static void one_seed(struct store *s, uint64_t seed, size_t n, bool thorough)
{
    struct opgen g;
    struct test_rng rng;
    struct err e = ERR_INIT;
    struct buf want, got, props, props_again;
    buf_init(&want, 1u << 24);
    buf_init(&got, 1u << 24);
    buf_init(&props, 1u << 24);
    buf_init(&props_again, 1u << 24);
    opgen_make(&g, seed, n, false);
    test_rng_init(&rng, seed);
    struct model *m = model_new();
    for (size_t i = 0; i < g.n; i++) {
        model_add(m, &g.ops[i].log, &g.ops[i].hash, g.ops[i].op);
    }
    model_dump_all(m, &want);
    for (int round = 0; round < 2; round++) {
        struct buf *p = round == 0 ? &props : &props_again;
        wipe(s);
        receive_shuffled(s, &g, &rng);
        buf_clear(&got);
        kit_dump(s, &got);
        assert_same(&want, &got, seed, "model and store");
        props_by_id(s, p);
        if (thorough) {
            kit_ok(store_check(s, &e), &e);
            kit_ok(store_verify(s, &e), &e);
            kit_ok(store_rebuild(s, &e), &e);
            kit_ok(store_check(s, &e), &e);
            buf_clear(&got);
            kit_dump(s, &got);
            assert_same(&want, &got, seed, "dump and rebuilt dump");
        }
    }
    assert_same(&props, &props_again, seed, "propositions of two orders of arrival");
    model_free(m);
    opgen_release(&g);
    buf_release(&want);
    buf_release(&got);
    buf_release(&props);
    buf_release(&props_again);
}

static void any_order_split_and_repetition_gives_the_model_s_dump(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_bulk(k->s, true, &e), &e);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        one_seed(k->s, seed, 1 + (size_t)(seed % (OPS_MAX - 1)), seed % 16 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(any_order_split_and_repetition_gives_the_model_s_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
