/* Every message: written and read again, cut at every byte, made longer, altered, out of order, oversized. */
#include "sync/message.h"

#include "base/check.h"
#include "sync/group.h"
#include "tests/support/page.h"
#include "tests/support/unit.h"
#include "tests/sync/again.h"

#include <string.h>

static const struct id log_a = {{1}}, log_b = {{2}}, log_c = {{2, 1}};

static void start(struct buf *b)
{
    buf_init(b, 2 * SYNC_PLAIN_MAX);
}

static int decode(const struct buf *b, struct msg *m)
{
    struct err e = ERR_INIT;
    int rc = msg_decode(buf_view(b), m, &e);
    assert_int_equal(rc, e.code);
    return rc;
}

static void put_record(struct buf *b, size_t n)
{
    static const uint8_t zeros[SYNC_PLAIN_MAX];
    wr_lenbytes(b, bytes_of(zeros, n));
}

static void make_hello(struct buf *b)
{
    static const struct hash heads[2] = {{{1}}, {{2}}};
    static const uint8_t run[SYNC_RUN_BYTES] = "12345678";
    struct hello_head h = {
        .group = {{9}}, .run = run, .wall_ms = 1700000000000, .heads = heads, .n_heads = 2, .n_logs = 2};
    struct buf intro;
    start(&intro);
    put_record(&intro, 5);
    put_hello(b, &h);
    put_vector_entry(b, &(struct vector_entry){log_a, 7, "chain78", 3}, true);
    put_vector_entry(b, &(struct vector_entry){log_b, 300, "chain88", 0}, true);
    put_hello_end(b, buf_view(&intro));
    buf_release(&intro);
}

static void make(struct buf *b, enum msg_kind kind)
{
    static const struct hash hashes[3] = {{{1}}, {{2}}, {{3}}};
    struct vector_entry v = {log_a, 7, "chain78", 0};
    switch (kind) {
    case MSG_HELLO:
        make_hello(b);
        break;
    case MSG_HAVES:
        put_haves(b, HAVES_AGAIN, hashes, 3);
        break;
    case MSG_RECORDS:
        put_records(b, RECORDS_END);
        put_record(b, 3);
        put_record(b, 200);
        break;
    case MSG_WANT:
        put_want(b, 2);
        put_want_entry(b, &(struct want_entry){log_a, false, 0});
        put_want_entry(b, &(struct want_entry){log_b, true, 127});
        break;
    case MSG_FRAMES:
        put_frames(b, &log_a);
        put_record(b, 300);
        put_record(b, 1);
        break;
    case MSG_ACK:
        put_ack(b, 12345, 1);
        put_vector_entry(b, &v, false);
        break;
    case MSG_STALL:
        put_stall(b, &log_a, 9, STALL_UNKNOWN);
        break;
    case MSG_FORK:
        put_fork(b, &v);
        break;
    case MSG_PING:
    case MSG_PONG:
        put_ping(b, kind, 0x01020304);
        break;
    case MSG_BYE:
        put_bye(b, BYE_REMOVED, BYTES_LIT("so long"));
        break;
    case MSG_SKIPPABLE:
        wr_u8(b, MSG_SKIPPABLE);
        break;
    }
    assert_int_equal(b->err, 0);
}

/* ---- each comes back as it was */

static void a_hello_comes_back(void **state)
{
    struct buf b;
    struct msg m;
    struct vector_entry v;
    struct bytes record;
    struct rd r;
    struct hash h;
    (void)state;
    start(&b);
    make(&b, MSG_HELLO);
    assert_int_equal(decode(&b, &m), 0);
    assert_int_equal(m.version, SYNC_VERSION);
    assert_int_equal(m.least, SYNC_VERSION_LEAST);
    assert_int_equal(m.group.b[0], 9);
    assert_memory_equal(m.run, "12345678", 8);
    assert_int_equal(m.wall_ms, 1700000000000);
    assert_int_equal(m.n_hashes, 2);
    msg_hash(&m, 1, &h);
    assert_int_equal(h.b[0], 2);
    rd_init(&r, m.items);
    assert_true(msg_vector_next(&m, &r, &v) && v.seq == 7 && v.lag == 3 && id_eq(&v.log, &log_a));
    assert_true(msg_vector_next(&m, &r, &v) && v.seq == 300 && v.lag == 0 && id_eq(&v.log, &log_b));
    assert_false(msg_vector_next(&m, &r, &v));
    rd_init(&r, m.intro);
    assert_true(msg_item_next(&r, &record) && record.n == 5);
    assert_false(msg_item_next(&r, &record));
    buf_release(&b);
}

static void lists_come_back(void **state)
{
    struct buf b;
    struct msg m;
    struct want_entry w;
    struct bytes item;
    struct rd r;
    (void)state;
    start(&b);
    make(&b, MSG_WANT);
    assert_int_equal(decode(&b, &m), 0);
    rd_init(&r, m.items);
    assert_true(msg_want_next(&r, &w) && !w.go);
    assert_true(msg_want_next(&r, &w) && w.go && w.after == 127);
    assert_false(msg_want_next(&r, &w));
    buf_clear(&b);
    make(&b, MSG_FRAMES);
    assert_int_equal(decode(&b, &m), 0);
    assert_true(id_eq(&m.log, &log_a) && m.n == 2);
    rd_init(&r, m.items);
    assert_true(msg_item_next(&r, &item) && item.n == 300);
    assert_true(msg_item_next(&r, &item) && item.n == 1);
    assert_false(msg_item_next(&r, &item));
    buf_clear(&b);
    make(&b, MSG_HAVES);
    assert_int_equal(decode(&b, &m), 0);
    assert_true(m.n_hashes == 3 && m.flags == HAVES_AGAIN);
    buf_release(&b);
}

static void small_ones_come_back(void **state)
{
    struct buf b;
    struct msg m;
    (void)state;
    start(&b);
    make(&b, MSG_ACK);
    assert_true(decode(&b, &m) == 0 && m.taken == 12345 && m.n == 1);
    buf_clear(&b);
    make(&b, MSG_STALL);
    assert_true(decode(&b, &m) == 0 && m.seq == 9 && m.reason == STALL_UNKNOWN);
    buf_clear(&b);
    make(&b, MSG_FORK);
    assert_true(decode(&b, &m) == 0 && m.seq == 7 && memcmp(m.chain, "chain78", 8) == 0);
    buf_clear(&b);
    make(&b, MSG_PONG);
    assert_true(decode(&b, &m) == 0 && m.nonce == 0x01020304 && m.kind == MSG_PONG);
    buf_clear(&b);
    make(&b, MSG_BYE);
    assert_true(decode(&b, &m) == 0 && m.reason == BYE_REMOVED && m.text.n == 7);
    buf_release(&b);
}

/* ---- hostile forms */

/* RECORDS is the one list without an end of its own: it may be cut between two records. */
static bool may_be_cut(enum msg_kind kind, size_t n)
{
    if (kind == MSG_RECORDS)
        return n == 2 || n == 6;
    return kind == MSG_FRAMES && n == 17 + 302;
}

static void a_message_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    for (enum msg_kind kind = MSG_HELLO; kind <= MSG_BYE; kind++) {
        struct buf b;
        struct msg m;
        start(&b);
        make(&b, kind);
        for (size_t n = b.n; n-- > 0;) {
            int rc = msg_decode(bytes_slice(buf_view(&b), 0, n), &m, NULL);
            assert_int_equal(rc == 0, may_be_cut(kind, n));
        }
        buf_release(&b);
    }
}

static void a_message_made_longer_is_refused(void **state)
{
    (void)state;
    for (enum msg_kind kind = MSG_HELLO; kind <= MSG_BYE; kind++) {
        struct buf b;
        struct msg m;
        start(&b);
        make(&b, kind);
        wr_u8(&b, 0);
        assert_true(decode(&b, &m) == ERR_FORMAT);
        buf_release(&b);
    }
}

static void any_byte_may_be_another_one(void **state)
{
    (void)state;
    for (enum msg_kind kind = MSG_HELLO; kind <= MSG_BYE; kind++) {
        struct buf b;
        struct msg m;
        start(&b);
        make(&b, kind);
        for (size_t i = 0; i < b.n; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                b.p[i] ^= (uint8_t)(1u << bit);
                (void)decode(&b, &m); /* either way: no crash, and what is read lies within */
                assert_true(m.items.n <= b.n && m.hashes.n <= b.n && m.text.n <= b.n);
                b.p[i] ^= (uint8_t)(1u << bit);
            }
        }
        buf_release(&b);
    }
}

static void unknown_kinds_are_refused_below_128_and_skipped_above(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t bytes[2] = {(uint8_t)kind, 7};
        struct msg m;
        int rc = msg_decode(bytes_of(bytes, 2), &m, NULL);
        if (kind == 0 || (kind > MSG_BYE && kind < MSG_SKIPPABLE))
            assert_int_equal(rc, ERR_VERSION);
        if (kind >= MSG_SKIPPABLE)
            assert_int_equal(rc, 0);
    }
}

static void lists_must_ascend(void **state)
{
    struct buf b;
    struct msg m;
    struct hash twice[2] = {{{5}}, {{5}}};
    (void)state;
    start(&b);
    put_haves(&b, 0, twice, 2);
    assert_int_equal(decode(&b, &m), ERR_FORMAT);
    buf_clear(&b);
    put_want(&b, 2);
    put_want_entry(&b, &(struct want_entry){log_c, true, 1});
    put_want_entry(&b, &(struct want_entry){log_b, true, 1});
    assert_int_equal(decode(&b, &m), ERR_FORMAT);
    buf_clear(&b);
    put_ack(&b, 0, 2);
    put_vector_entry(&b, &(struct vector_entry){log_b, 1, {0}, 0}, false);
    put_vector_entry(&b, &(struct vector_entry){log_b, 2, {0}, 0}, false);
    assert_int_equal(decode(&b, &m), ERR_FORMAT);
    buf_release(&b);
}

static void counts_beyond_their_limit_are_refused_before_anything_is_read(void **state)
{
    struct buf b;
    struct msg m;
    (void)state;
    start(&b);
    put_ack(&b, 0, SYNC_LOGS_MAX + 1);
    assert_int_equal(decode(&b, &m), ERR_LIMIT);
    buf_clear(&b);
    put_want(&b, (size_t)UINT64_MAX);
    assert_int_equal(decode(&b, &m), ERR_LIMIT);
    buf_clear(&b);
    wr_u8(&b, MSG_HAVES);
    wr_u8(&b, 0);
    wr_varint(&b, SYNC_HAVES_MAX + 1);
    assert_int_equal(decode(&b, &m), ERR_LIMIT);
    buf_clear(&b);
    put_frames(&b, &log_a);
    wr_varint(&b, SYNC_PLAIN_MAX);
    assert_int_equal(decode(&b, &m), ERR_LIMIT);
    buf_clear(&b);
    while (b.n <= SYNC_PLAIN_MAX)
        wr_u8(&b, MSG_SKIPPABLE);
    assert_int_equal(decode(&b, &m), ERR_LIMIT);
    buf_release(&b);
}

static void numbers_out_of_range_are_refused(void **state)
{
    struct buf b;
    struct msg m;
    struct vector_entry bad[] = {
        {log_a, 0, {0}, 0}, {log_a, UINT64_MAX, {0}, 0}, {log_a, (uint64_t)INT64_MAX + 1, {0}, 0}};
    (void)state;
    start(&b);
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&b);
        put_ack(&b, 0, 1);
        put_vector_entry(&b, &bad[i], false);
        assert_int_equal(decode(&b, &m), ERR_FORMAT);
        buf_clear(&b);
        put_stall(&b, &log_a, bad[i].seq, 1);
        assert_int_equal(decode(&b, &m), ERR_FORMAT);
    }
    buf_clear(&b);
    put_want(&b, 0);
    assert_int_equal(decode(&b, &m), ERR_FORMAT);
    buf_clear(&b);
    wr_u8(&b, MSG_BYE);
    wr_u8(&b, BYE_DONE);
    wr_lenbytes(&b, BYTES_LIT("\xff\xfe"));
    assert_int_equal(decode(&b, &m), ERR_FORMAT);
    buf_clear(&b);
    put_records(&b, 8);
    assert_int_equal(decode(&b, &m), ERR_FORMAT);
    buf_release(&b);
}

static void the_largest_hello_fits_the_handshake(void **state)
{
    static struct hash heads[SYNC_HEADS_MAX];
    static const uint8_t run[SYNC_RUN_BYTES];
    struct hello_head h = {.run = run, .heads = heads, .n_heads = SYNC_HEADS_MAX, .n_logs = SYNC_LOGS_MAX};
    struct buf b;
    struct msg m;
    (void)state;
    for (size_t i = 0; i < SYNC_HEADS_MAX; i++)
        heads[i].b[0] = (uint8_t)i;
    buf_init(&b, SYNC_HELLO_MAX);
    put_hello(&b, &h);
    for (size_t i = 0; i < SYNC_LOGS_MAX; i++) {
        struct vector_entry v = {{{(uint8_t)(i >> 8), (uint8_t)i}}, INT64_MAX, {0}, INT64_MAX};
        put_vector_entry(&b, &v, true);
    }
    put_hello_end(&b, BYTES_NONE);
    assert_int_equal(b.err, 0);
    assert_int_equal(decode(&b, &m), 0);
    assert_int_equal(m.n, SYNC_LOGS_MAX);
    buf_release(&b);
}

/* ---- the page */

struct vectors {
    unsigned seen; /* a bit for each kind */
};

static void read_vector(void *ctx, const struct page_block *b)
{
    struct vectors *v = ctx;
    struct buf bytes, ours, made;
    struct msg m;
    start(&bytes);
    start(&ours);
    start(&made);
    page_hex(page_get(b, "bytes"), &bytes);
    uint64_t kind = page_number(page_get(b, "kind"));
    assert_int_equal(decode(&bytes, &m), 0);
    assert_int_equal(m.kind, kind);
    again(&m, &ours);
    assert_true(bytes_eq(buf_view(&ours), buf_view(&bytes)));
    make(&made, (enum msg_kind)kind);
    assert_true(bytes_eq(buf_view(&made), buf_view(&bytes)) || kind == MSG_RECORDS || kind == MSG_FRAMES);
    v->seen |= 1u << kind;
    buf_release(&bytes);
    buf_release(&ours);
    buf_release(&made);
}

static void the_vectors_of_the_page_are_what_is_read_and_written(void **state)
{
    struct vectors v = {0};
    (void)state;
    assert_int_equal(page_each(TEST_SOURCE "/sync/PROTOCOL.md", "message", read_vector, &v), MSG_BYE);
    assert_int_equal(v.seen, (1u << (MSG_BYE + 1)) - 2);
}

static void every_reason_has_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++)
        assert_true(strlen(bye_text((uint8_t)i)) > 0 && strlen(stall_text((uint8_t)i)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_comes_back),
        cmocka_unit_test(lists_come_back),
        cmocka_unit_test(small_ones_come_back),
        cmocka_unit_test(a_message_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_message_made_longer_is_refused),
        cmocka_unit_test(any_byte_may_be_another_one),
        cmocka_unit_test(unknown_kinds_are_refused_below_128_and_skipped_above),
        cmocka_unit_test(lists_must_ascend),
        cmocka_unit_test(counts_beyond_their_limit_are_refused_before_anything_is_read),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(the_largest_hello_fits_the_handshake),
        cmocka_unit_test(the_vectors_of_the_page_are_what_is_read_and_written),
        cmocka_unit_test(every_reason_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
