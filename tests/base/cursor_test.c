#include "base/cursor.h"

#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

#define ROUNDS 2000

static int read_varint(struct bytes b, uint64_t *v)
{
    struct rd r;
    rd_init(&r, b);
    *v = rd_varint(&r);
    return rd_end(&r);
}

static void varints_have_known_bytes(void **state)
{
    static const struct {
        uint64_t v;
        const char *bytes;
        size_t n;
    } rows[] = {
        {0, "\x00", 1},
        {127, "\x7f", 1},
        {128, "\x80\x01", 2},
        {300, "\xac\x02", 2},
        {16383, "\xff\x7f", 2},
        {16384, "\x80\x80\x01", 3},
        {UINT64_MAX >> 1, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
        {UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    };
    struct buf b;
    (void)state;
    buf_init(&b, 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t v;
        buf_clear(&b);
        wr_varint(&b, rows[i].v);
        assert_true(bytes_eq(buf_view(&b), bytes_of(rows[i].bytes, rows[i].n)));
        assert_int_equal(varint_size(rows[i].v), rows[i].n);
        assert_int_equal(read_varint(buf_view(&b), &v), 0);
        assert_int_equal(v, rows[i].v);
    }
    buf_release(&b);
}

static void varints_longer_than_needed_are_rejected(void **state)
{
    static const struct bytes bad[] = {
        BYTES_LIT("\x80\x00"),
        BYTES_LIT("\x81\x00"),
        BYTES_LIT("\xff\x80\x00"),
        BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"),
        /* beyond 64 bits */
        BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        /* eleven bytes */
        BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"),
        /* unfinished, empty */
        BYTES_LIT("\x80"),
        BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        BYTES_LIT(""),
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t v;
        assert_int_equal(read_varint(bad[i], &v), ERR_FORMAT);
        assert_int_equal(v, 0);
    }
}

static uint64_t any_width(struct test_rng *t)
{
    return test_rng_u64(t) >> test_rng_below(t, 64);
}

static void every_varint_that_reads_writes_back_the_same(void **state)
{
    struct test_rng t;
    struct buf b;
    (void)state;
    test_rng_init(&t, 1);
    buf_init(&b, 16);
    for (int i = 0; i < ROUNDS * 50; i++) {
        uint8_t raw[10];
        size_t n = (size_t)test_rng_below(&t, sizeof raw) + 1;
        uint64_t v;
        test_rng_fill(&t, raw, n);
        for (size_t k = 0; k + 1 < n; k++)
            raw[k] |= 0x80; /* else most are one byte */
        raw[n - 1] &= test_rng_one_in(&t, 4) ? 0x01 : 0x7f;
        buf_clear(&b);
        if (read_varint(bytes_of(raw, n), &v) != 0)
            continue;
        wr_varint(&b, v);
        assert_true(bytes_eq(buf_view(&b), bytes_of(raw, n)));
    }
    buf_release(&b);
}

static void signed_varints_are_zig_zag(void **state)
{
    static const struct {
        int64_t v;
        uint64_t z;
    } rows[] = {{0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {INT64_MAX, UINT64_MAX - 1}, {INT64_MIN, UINT64_MAX}};
    struct buf b, want;
    (void)state;
    buf_init(&b, 16);
    buf_init(&want, 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rd r;
        buf_clear(&b);
        buf_clear(&want);
        wr_svarint(&b, rows[i].v);
        wr_varint(&want, rows[i].z);
        assert_true(bytes_eq(buf_view(&b), buf_view(&want)));
        rd_init(&r, buf_view(&b));
        assert_true(rd_svarint(&r) == rows[i].v);
        assert_int_equal(rd_end(&r), 0);
    }
    buf_release(&b);
    buf_release(&want);
}

static void integers_are_big_endian(void **state)
{
    struct rd r;
    (void)state;
    rd_init(&r, BYTES_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"));
    assert_int_equal(rd_u8(&r), 0x01);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_u32(&r), 0x04050607);
    assert_int_equal(rd_u64(&r), UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(rd_end(&r), 0);
}

struct record {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d, e;
    int64_t f;
    uint8_t raw[16];
    uint8_t text[40];
    size_t text_n;
};

static void record_make(struct record *x, struct test_rng *t)
{
    memset(x, 0, sizeof *x);
    x->a = (uint8_t)test_rng_u64(t);
    x->b = (uint16_t)test_rng_u64(t);
    x->c = (uint32_t)any_width(t);
    x->d = any_width(t);
    x->e = any_width(t);
    x->f = (int64_t)test_rng_u64(t) >> test_rng_below(t, 63);
    test_rng_fill(t, x->raw, sizeof x->raw);
    x->text_n = (size_t)test_rng_below(t, sizeof x->text + 1);
    test_rng_fill(t, x->text, x->text_n);
}

static void record_write(struct buf *b, const struct record *x)
{
    wr_u8(b, x->a);
    wr_u16(b, x->b);
    wr_u32(b, x->c);
    wr_u64(b, x->d);
    wr_varint(b, x->e);
    wr_svarint(b, x->f);
    wr_bytes(b, bytes_of(x->raw, sizeof x->raw));
    wr_lenbytes(b, bytes_of(x->text, x->text_n));
}

static int record_read(struct bytes in, struct record *x)
{
    struct bytes text;
    struct rd r;
    memset(x, 0, sizeof *x);
    rd_init(&r, in);
    x->a = rd_u8(&r);
    x->b = rd_u16(&r);
    x->c = rd_u32(&r);
    x->d = rd_u64(&r);
    x->e = rd_varint(&r);
    x->f = rd_svarint(&r);
    rd_copy(&r, x->raw, sizeof x->raw);
    text = rd_lenbytes(&r, sizeof x->text);
    if (text.n > 0)
        memcpy(x->text, text.p, text.n);
    x->text_n = text.n;
    return rd_end(&r);
}

static void what_is_written_reads_back(void **state)
{
    struct test_rng t;
    struct buf b;
    (void)state;
    test_rng_init(&t, 2);
    buf_init(&b, 256);
    for (int i = 0; i < ROUNDS; i++) {
        struct record in, out;
        record_make(&in, &t);
        buf_clear(&b);
        record_write(&b, &in);
        assert_int_equal(b.err, 0);
        assert_int_equal(record_read(buf_view(&b), &out), 0);
        assert_memory_equal(&in, &out, sizeof in);
    }
    buf_release(&b);
}

static void every_cut_and_every_extra_byte_is_an_error(void **state)
{
    struct test_rng t;
    struct record x;
    struct buf b;
    (void)state;
    test_rng_init(&t, 3);
    buf_init(&b, 256);
    for (int i = 0; i < 100; i++) {
        buf_clear(&b);
        record_make(&x, &t);
        record_write(&b, &x);
        for (size_t n = 0; n < b.n; n++) {
            struct record out;
            assert_int_not_equal(record_read(bytes_of(b.p, n), &out), 0);
        }
        wr_u8(&b, 0);
        assert_int_equal(record_read(buf_view(&b), &x), ERR_FORMAT);
    }
    buf_release(&b);
}

static void the_first_error_sticks_and_reads_give_zero(void **state)
{
    uint8_t out[4] = {1, 2, 3, 4};
    struct rd r;
    (void)state;
    rd_init(&r, BYTES_LIT("\x09\x01\x02\x03"));
    assert_int_equal(rd_lenbytes(&r, 8).n, 0);
    assert_int_equal(r.err, ERR_LIMIT);
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_u32(&r), 0);
    assert_int_equal(rd_varint(&r), 0);
    assert_null(rd_bytes(&r, 0).p);
    rd_copy(&r, out, sizeof out);
    assert_memory_equal(out, "\0\0\0\0", 4);
    assert_int_equal(rd_end(&r), ERR_LIMIT);
}

static void a_length_beyond_the_input_is_an_error(void **state)
{
    struct rd r;
    (void)state;
    rd_init(&r, BYTES_LIT("\x05"
                          "abcd"));
    assert_int_equal(rd_lenbytes(&r, 100).n, 0);
    assert_int_equal(rd_end(&r), ERR_FORMAT);
    rd_init(&r, BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_int_equal(rd_lenbytes(&r, SIZE_MAX).n, 0);
    assert_int_equal(rd_end(&r), ERR_FORMAT);
}

static void empty_input_ends_cleanly(void **state)
{
    struct rd r;
    (void)state;
    rd_init(&r, BYTES_NONE);
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_bytes(&r, 0).n, 0);
    assert_int_equal(rd_end(&r), 0);
}

static void writers_share_the_error_of_the_buffer(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 3);
    wr_u16(&b, 1);
    wr_u16(&b, 2);
    wr_u8(&b, 3);
    assert_int_equal(b.err, ERR_LIMIT);
    assert_int_equal(b.n, 2);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_have_known_bytes),
        cmocka_unit_test(varints_longer_than_needed_are_rejected),
        cmocka_unit_test(every_varint_that_reads_writes_back_the_same),
        cmocka_unit_test(signed_varints_are_zig_zag),
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(every_cut_and_every_extra_byte_is_an_error),
        cmocka_unit_test(the_first_error_sticks_and_reads_give_zero),
        cmocka_unit_test(a_length_beyond_the_input_is_an_error),
        cmocka_unit_test(empty_input_ends_cleanly),
        cmocka_unit_test(writers_share_the_error_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
