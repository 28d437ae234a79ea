/* The store: the n-th allocation, read, write or lock fails while it is made, opened, brought up to date,
 * written to, merged into, searched, forgotten from, scrubbed and rebuilt. */
#include "tests/support/unit.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "store/local.h"
#include "store/search.h"
#include "store/store.h"
#include "tests/faults/loop.h"
#include "tests/store/faultvfs.h"
#include "tests/store/kit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OTHER_OPS_MAX 64

/* Ops of another log, as they would come in. */
struct other {
    struct op_record ops[OTHER_OPS_MAX];
    size_t n;
    struct buf bytes;
};

static struct kit kit;
static struct other other;

static const enum faults_kind all_kinds[] = {FAULTS_ALLOC, FAULTS_READ, FAULTS_WRITE,
                                             FAULTS_FULL,  FAULTS_LOCK, FAULTS_NONE};
/* The file has been read by then, and is locked already or not at all. */
static const enum faults_kind writing[] = {FAULTS_ALLOC, FAULTS_WRITE, FAULTS_FULL, FAULTS_LOCK, FAULTS_NONE};
static const enum faults_kind reading[] = {FAULTS_ALLOC, FAULTS_NONE};

/* ---- the world */

static void files_remove(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char path[TMP_PATH_BYTES + 16];
        (void)snprintf(path, sizeof path, "%s%s", kit.path, ends[i]);
        (void)unlink(path);
    }
}

static void start_closed(void *ctx)
{
    (void)ctx;
    faultvfs_reset();
    kit_start(&kit);
    kit.vfs = FAULTVFS_NAME;
}

static void start_open(void *ctx)
{
    struct err e = ERR_INIT;
    start_closed(ctx);
    kit_ok(kit_open(&kit, &e), &e);
    kit_told(&kit, 5, "prefers plain-text mail");
    kit_told(&kit, 6, "works in Lisbon");
    kit_told(&kit, 7, "drinks tea in the morning");
    kit_edge(&kit, SET_SAME_AS, 6, 7);
    kit_ok(store_setting_set(kit.s, "norms", BYTES_LIT("nothing about health"), &e), &e);
}

static void start_left(void *ctx)
{
    start_open(ctx);
    kit_close(&kit);
}

/* Whatever failed: what is held is whole, before and after the store is opened again. */
static void settle(void *ctx, bool again)
{
    struct err e = ERR_INIT;
    (void)ctx;
    if (kit.s != NULL && !again) {
        kit_ok(store_verify(kit.s, &e), &e);
        kit_ok(store_check(kit.s, &e), &e);
    } else if (kit.s != NULL) {
        kit_reopen(&kit);
        kit_ok(store_verify(kit.s, &e), &e);
        kit_ok(store_check(kit.s, &e), &e);
    }
}

static void number(struct hasher *h, uint64_t v)
{
    hasher_update(h, bytes_of(&v, sizeof v));
}

static int prop_note(void *ctx, const struct prop *p)
{
    struct hasher *h = ctx;
    hasher_update(h, bytes_of(p->id.b, ID_BYTES));
    number(h, p->flags);
    number(h, p->decay);
    number(h, p->support + 1000 * p->against);
    hasher_update(h, p->text);
    return 0;
}

static int log_note(void *ctx, const struct log_head *l)
{
    hasher_update(ctx, bytes_of(l->log.b, ID_BYTES));
    number(ctx, l->seq);
    return 0;
}

/* What the store says, and that it is whole, now and after opening it again. Stamps count only where they are
 * part of what came: writing again takes a later one. */
static void finish(void *ctx, struct hasher *h)
{
    struct err e = ERR_INIT;
    struct buf norms;
    bool found;
    (void)ctx;
    buf_init(&norms, 4096);
    for (int round = 0; round < 2; round++) {
        kit_ok(store_verify(kit.s, &e), &e);
        kit_ok(store_check(kit.s, &e), &e);
        kit_ok(store_props(kit.s, 0, prop_note, h, &e), &e);
        kit_ok(store_logs(kit.s, log_note, h, &e), &e);
        buf_clear(&norms);
        kit_ok(store_setting(kit.s, "norms", &norms, &found, &e), &e);
        hasher_update(h, buf_view(&norms));
        kit_reopen(&kit);
    }
    buf_release(&norms);
}

static void finish_dump(void *ctx, struct hasher *h)
{
    struct err e = ERR_INIT;
    struct hash digest;
    finish(ctx, h);
    kit_ok(store_digest(kit.s, &digest, &e), &e);
    hasher_update(h, bytes_of(digest.b, HASH_BYTES));
}

static void end(void *ctx)
{
    (void)ctx;
    kit_release(&kit);
}

/* ---- operations */

static int run_open(void *ctx, struct err *e)
{
    (void)ctx;
    return kit_open(&kit, e);
}

static void making_a_store(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"make", start_closed, run_open, settle, finish, end, NULL, 0}, all_kinds);
}

static void opening_a_store(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"open", start_left, run_open, settle, finish, end, NULL, 0}, all_kinds);
}

/* A database of ours (the id is that of a whole one) whose schema is older than the program. */
static void start_older(void *ctx)
{
    struct buf made;
    struct rd r;
    char sql[96];
    sqlite3 *db = NULL;
    start_left(ctx);
    buf_init(&made, 16u << 20);
    tmp_read(kit.path, &made);
    rd_init(&r, bytes_slice(buf_view(&made), 68, 4));
    (void)snprintf(sql, sizeof sql, "PRAGMA application_id=%u; CREATE TABLE x(y); DROP TABLE x", rd_u32(&r));
    buf_release(&made);
    files_remove();
    assert_int_equal(sqlite3_open(kit.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void bringing_an_older_schema_up_to_date(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"migrate", start_older, run_open, settle, finish, end, NULL, 0},
               all_kinds);
}

static int tell(unsigned n, const char *text, struct err *e)
{
    struct id id = kit_id(n);
    return kit_tell(&kit, &id, text, e);
}

/* All of it or nothing. */
static int run_write(void *ctx, struct err *e)
{
    struct id a = kit_id(8), b = kit_id(5);
    struct draft d;
    (void)ctx;
    int rc = store_begin(kit.s, e);
    if (rc != 0)
        return rc;
    rc = tell(8, "prefers plain-text mail, without pictures", e);
    for (unsigned n = 20; rc == 0 && n < 24; n++)
        rc = tell(n, "one of four that come together or not at all", e);
    draft_init(&d);
    draft_reset(&d, SPACE_EDGE, CLASS_MODEL, &a);
    draft_set_add(&d, SET_SUPERSEDES, bytes_of(b.b, ID_BYTES));
    if (rc == 0)
        rc = store_write(kit.s, &d, e);
    draft_release(&d);
    if (rc == 0)
        rc = store_setting_set(kit.s, "norms", BYTES_LIT("nothing about money"), e);
    if (rc == 0)
        return store_commit(kit.s, e);
    store_rollback(kit.s);
    return rc;
}

static void writing_a_transaction(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"write", start_open, run_write, settle, finish, end, NULL, 0}, writing);
}

static int run_rewrite(void *ctx, struct err *e)
{
    (void)ctx;
    return tell(5, "prefers plain-text mail, without pictures", e);
}

/* Written outside a transaction, and with a cold cache. */
static void start_reopened(void *ctx)
{
    start_open(ctx);
    kit_reopen(&kit);
}

static void finish_text(void *ctx, struct hasher *h)
{
    struct err e = ERR_INIT;
    struct id id = kit_id(5);
    struct prop p;
    (void)ctx;
    settle(ctx, true);
    kit_ok(store_prop(kit.s, &id, false, &p, &e), &e);
    hasher_update(h, p.text);
}

/* A commit whose last step fails may have come through: written twice, it says the same. */
static void editing(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"edit", start_reopened, run_rewrite, settle, finish_text, end, NULL, 0},
               all_kinds);
}

/* ---- merging what another device wrote */

static int other_note(void *ctx, const struct op_record *r)
{
    struct other *o = ctx;
    assert_true(o->n < OTHER_OPS_MAX);
    o->ops[o->n] = *r;
    o->ops[o->n].op = bytes_of(NULL, r->op.n); /* its place is known when all are there */
    o->n++;
    return buf_bytes(&o->bytes, r->op);
}

static void others_write(struct kit *k)
{
    struct err e = ERR_INIT;
    struct id log = kit_id(2), id = kit_id(30);
    static const uint8_t keys[2][16] = {{1}, {2}};
    store_use_log(k->s, &log, &log);
    kit_told(k, 5, "prefers mail in plain text");
    kit_told(k, 30, "to be forgotten");
    kit_told(k, 31, "reads the news at night");
    kit_edge(k, SET_SUPERSEDES, 31, 5);
    kit_edge(k, SET_SAME_AS, 31, 32);
    kit_told(k, 32, "reads the news late");
    assert_int_equal(store_forget(k->s, &id, keys, 2, &e), 0);
    kit_ok(store_setting_set(k->s, "norms", BYTES_LIT("nothing about money"), &e), &e);
}

static void others_make(void)
{
    struct kit k;
    struct err e = ERR_INIT;
    struct id log = kit_id(2);
    kit_start(&k);
    k.vfs = FAULTVFS_NAME;
    kit_ok(kit_open(&k, &e), &e);
    others_write(&k);
    buf_init(&other.bytes, 1u << 20);
    kit_ok(store_ops(k.s, &log, 0, OTHER_OPS_MAX, other_note, &other, &e), &e);
    for (size_t i = 0, at = 0; i < other.n; i++) {
        other.ops[i].op.p = other.bytes.p + at;
        at += other.ops[i].op.n;
    }
    assert_true(other.n > 7);
    kit_release(&k);
}

static int run_merge(void *ctx, struct err *e)
{
    (void)ctx;
    int rc = store_begin(kit.s, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < other.n; i++)
        rc = store_receive(kit.s, &other.ops[i], e);
    if (rc == 0)
        return store_commit(kit.s, e);
    store_rollback(kit.s);
    return rc;
}

static void merging(void **state)
{
    (void)state;
    others_make();
    fault_loop(&(struct fault_case){"merge", start_reopened, run_merge, settle, finish_dump, end, NULL, 0},
               all_kinds);
    buf_release(&other.bytes);
}

/* ---- forgetting */

static int run_forget(void *ctx, struct err *e)
{
    static const uint8_t keys[2][16] = {{1}, {2}};
    struct id id = kit_id(7);
    (void)ctx;
    int rc = store_forget(kit.s, &id, keys, 2, e);
    if (rc != 0 && rc != ERR_FORGOTTEN)
        return rc;
    return store_scrub(kit.s, e);
}

static void finish_forgotten(void *ctx, struct hasher *h)
{
    struct err e = ERR_INIT;
    bool due;
    settle(ctx, true); /* a forget that is said again is written again, which is no harm */
    kit_ok(store_props(kit.s, 0, prop_note, h, &e), &e);
    kit_ok(store_scrub_due(kit.s, &due, &e), &e);
    assert_false(due);
    kit_close(&kit);
    assert_int_equal(tmp_count_files_with(kit.dir.path, BYTES_LIT("drinks tea")), 0);
    kit_ok(kit_open(&kit, &e), &e);
}

static void forgetting(void **state)
{
    (void)state;
    fault_loop(
        &(struct fault_case){"forget", start_reopened, run_forget, settle, finish_forgotten, end, NULL, 0},
        all_kinds);
}

/* ---- the rest */

static int run_rebuild(void *ctx, struct err *e)
{
    (void)ctx;
    return store_rebuild(kit.s, e);
}

static void rebuilding(void **state)
{
    (void)state;
    fault_loop(
        &(struct fault_case){"rebuild", start_reopened, run_rebuild, settle, finish_dump, end, NULL, 0},
        all_kinds);
}

static int piece(void *ctx, struct bytes b)
{
    hasher_update(ctx, b);
    return 0;
}

static int run_read(void *ctx, struct err *e)
{
    struct hasher h;
    struct search_hit hits[8];
    size_t found;
    uint64_t n;
    (void)ctx;
    hasher_init(&h, BYTES_NONE, HASH_BYTES);
    int rc = store_verify(kit.s, e);
    if (rc == 0)
        rc = store_check(kit.s, e);
    if (rc == 0)
        rc = store_dump(kit.s, piece, &h, e);
    if (rc == 0)
        rc = search_props(kit.s, BYTES_LIT("plain text mail"), 0, hits, 8, &found, e);
    return rc != 0 ? rc : store_prop_count(kit.s, 0, &n, e);
}

static void checking_dumping_and_searching(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"read", start_reopened, run_read, settle, finish_dump, end, NULL, 0},
               reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_store),
        cmocka_unit_test(opening_a_store),
        cmocka_unit_test(bringing_an_older_schema_up_to_date),
        cmocka_unit_test(writing_a_transaction),
        cmocka_unit_test(editing),
        cmocka_unit_test(merging),
        cmocka_unit_test(forgetting),
        cmocka_unit_test(rebuilding),
        cmocka_unit_test(checking_dumping_and_searching),
    };
    faults_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
