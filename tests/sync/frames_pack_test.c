/* The packed content of frames: it comes out as it went in, each content has one form, and a second
 * implementation (content_check.py) agrees. */
#include "sync/frames_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1700000000000)
#define PYTHON "/usr/bin/python3 " TEST_SOURCE "/tests/sync/content_check.py"

struct scene {
    struct test_rng random;
    struct rng rng;
    struct id device;
    uint64_t hlc;
    struct draft d;
    struct buf plain, content;
};

static void scene_init(struct scene *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    test_rng_init(&s->random, seed);
    s->rng = test_rng_iface(&s->random);
    rng_fill(&s->rng, s->device.b, ID_BYTES);
    s->hlc = (uint64_t)MS << 16;
    draft_init(&s->d);
    buf_init(&s->plain, FRAME_PLAIN_MAX);
    buf_init(&s->content, FRAME_CONTENT_MAX);
}

static void scene_release(struct scene *s)
{
    draft_release(&s->d);
    buf_release(&s->plain);
    buf_release(&s->content);
}

static unsigned below(struct scene *s, unsigned n)
{
    uint32_t v;
    rng_fill(&s->rng, &v, sizeof v);
    return v % n;
}

static int64_t some_time(struct scene *s)
{
    static const int64_t odd[] = {INT64_MIN, INT64_MAX, 0, -1};
    unsigned k = below(s, 8);
    return k < 4 ? odd[k] : MS + below(s, 100000);
}

static void draft_time(struct scene *s, enum op_tag tag)
{
    struct buf v;
    buf_init(&v, 16);
    wr_svarint(&v, some_time(s));
    draft_reg(&s->d, tag, buf_view(&v), NULL, 0);
    buf_release(&v);
}

static void draft_counted(struct scene *s)
{
    struct id other = {{9}};
    char source[16];
    (void)snprintf(source, sizeof source, "source %u", below(s, 90));
    int64_t first = MS - below(s, 1000);
    draft_count(&s->d, &(struct count){.device = below(s, 4) ? s->device : other,
                                       .source = bytes_str(source),
                                       .support = below(s, 3),
                                       .against = below(s, 2),
                                       .first_ms = first,
                                       .last_ms = first + below(s, 100)});
}

static void draft_events(struct scene *s)
{
    struct seen seen[5];
    size_t n = 1 + below(s, 5);
    for (size_t i = 0; i < n; i++) {
        rng_fill(&s->rng, seen[i].key, sizeof seen[i].key);
        seen[i].against = (uint8_t)below(s, 2);
        seen[i].time_ms = some_time(s);
    }
    draft_seen(&s->d, seen, n);
}

static void draft_some(struct scene *s)
{
    uint8_t names[3][16], prior[2] = {3, 0x84};
    size_t n = below(s, 3);
    rng_fill(&s->rng, names, sizeof names);
    draft_reg(&s->d, REG_TEXT, BYTES_LIT("prefers plain-text mail"), (const uint8_t(*)[16])names, n);
    if (below(s, 2))
        draft_reg_u8(&s->d, REG_DECAY, 7, (const uint8_t(*)[16])names, n);
    if (below(s, 2))
        draft_reg(&s->d, REG_PRIOR, bytes_of(prior, 2), NULL, 0);
    if (below(s, 2))
        draft_reg(&s->d, REG_ORIGIN, below(s, 2) ? BYTES_LIT("tell") : BYTES_NONE, NULL, 0);
    if (below(s, 2))
        draft_time(s, REG_CREATED);
    if (below(s, 3) == 0)
        draft_set_add(&s->d, SET_TAG, BYTES_LIT("work"));
    if (below(s, 3) == 0)
        draft_set_remove(&s->d, SET_TAG, BYTES_LIT("home"), (const uint8_t(*)[16])names, 1);
    if (below(s, 3) == 0)
        draft_counted(s);
    if (below(s, 4) == 0)
        draft_events(s);
    if (below(s, 6) == 0)
        draft_reg(&s->d, (enum op_tag)(4000 + below(s, 90)), BYTES_LIT("of a later build"), NULL, 0);
}

static void put_draft(struct scene *s)
{
    struct op_record r = {.seq = 1};
    struct buf op;
    buf_init(&op, LIMIT_OP_BYTES);
    rng_fill(&s->rng, r.salt, sizeof r.salt);
    s->hlc += below(s, 3) == 0 ? (uint64_t)below(s, 90000) << 16 : 1 + below(s, 2);
    assert_int_equal(draft_encode(&s->d, s->hlc, &op), 0);
    r.op = buf_view(&op);
    op_hash(r.salt, r.op, &r.hash);
    content_put(&s->plain, &r, below(s, 12) == 0);
    assert_int_equal(s->plain.err, 0);
    buf_release(&op);
}

static void put_some(struct scene *s)
{
    struct id id;
    rng_fill(&s->rng, id.b, ID_BYTES);
    if (below(s, 10) == 0) {
        draft_reset(&s->d, SPACE_PROPOSITION, CLASS_EDIT, &id);
        draft_forget(&s->d);
    } else {
        draft_reset(&s->d, (enum op_space)(1 + below(s, 2)), (enum op_class)below(s, 4), &id);
        draft_some(s);
    }
    put_draft(s);
}

static void put_many(struct scene *s)
{
    for (unsigned n = below(s, 200); n > 0; n--)
        put_some(s);
    assert_int_equal(content_pack(buf_view(&s->plain), &s->device, &s->content), 0);
}

static int unpack(const struct scene *s, struct bytes content, struct buf *plain)
{
    buf_init(plain, FRAME_PLAIN_MAX);
    return content_unpack(content, &s->device, plain, NULL);
}

static void what_is_packed_comes_out_again_and_is_shorter(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct scene s;
        struct buf plain;
        scene_init(&s, seed);
        put_many(&s);
        assert_int_equal(s.content.p[0], CONTENT_PACKED);
        assert_true(s.plain.n < 100 || s.content.n < s.plain.n);
        assert_int_equal(unpack(&s, buf_view(&s.content), &plain), 0);
        assert_true(bytes_eq(buf_view(&plain), buf_view(&s.plain)));
        buf_release(&plain);
        scene_release(&s);
    }
}

/* Whatever is changed: it is refused, or it is the one content of other ops. */
static void each_content_has_one_form(void **state)
{
    struct scene s;
    struct buf plain, again;
    size_t refused = 0;
    (void)state;
    scene_init(&s, 7);
    for (int i = 0; i < 12; i++)
        put_some(&s);
    assert_int_equal(content_pack(buf_view(&s.plain), &s.device, &s.content), 0);
    buf_init(&again, FRAME_CONTENT_MAX);
    for (size_t i = 0; i < s.content.n * 8; i++) {
        s.content.p[i / 8] ^= (uint8_t)(1 << i % 8);
        int rc = unpack(&s, buf_view(&s.content), &plain);
        refused += rc != 0;
        buf_clear(&again);
        if (rc == 0) {
            assert_false(bytes_eq(buf_view(&plain), buf_view(&s.plain)));
            assert_int_equal(content_pack(buf_view(&plain), &s.device, &again), 0);
            assert_true(bytes_eq(buf_view(&again), buf_view(&s.content)));
        }
        s.content.p[i / 8] ^= (uint8_t)(1 << i % 8);
        buf_release(&plain);
    }
    assert_true(refused > 100);
    for (size_t n = 0; n < s.content.n; n++) { /* cut short: refused, or fewer ops */
        if (unpack(&s, bytes_slice(buf_view(&s.content), 0, n), &plain) == 0)
            assert_true(plain.n < s.plain.n);
        buf_release(&plain);
    }
    buf_release(&again);
    scene_release(&s);
}

static void what_stands_in_a_table_must_be_referred_to(void **state)
{
    struct scene s;
    struct buf plain, twice;
    (void)state;
    scene_init(&s, 8);
    struct id id = {{1}};
    draft_reset(&s.d, SPACE_PROPOSITION, CLASS_EDIT, &id);
    draft_forget(&s.d);
    put_draft(&s);
    assert_int_equal(content_pack(buf_view(&s.plain), &s.device, &s.content), 0);
    assert_int_equal(s.content.p[0], CONTENT_PACKED);
    buf_init(&twice, FRAME_CONTENT_MAX);
    wr_bytes(&twice, buf_view(&s.content));
    wr_bytes(&twice, bytes_slice(buf_view(&s.content), 1, SIZE_MAX)); /* its shape spelled out again */
    assert_int_equal(unpack(&s, buf_view(&twice), &plain), ERR_FORMAT);
    buf_release(&plain);
    buf_release(&twice);
    scene_release(&s);
}

static void ops_that_packing_does_not_know_stay_plain_and_only_those(void **state)
{
    struct scene s;
    struct buf plain, other;
    (void)state;
    scene_init(&s, 9);
    put_some(&s);
    buf_init(&other, FRAME_CONTENT_MAX);
    wr_u8(&other, CONTENT_PLAIN);
    wr_bytes(&other, buf_view(&s.plain));
    assert_int_equal(unpack(&s, buf_view(&other), &plain), ERR_FORMAT); /* this one packs */
    buf_release(&plain);
    wr_varint(&other, 3);
    wr_bytes(&other, bytes_of(s.device.b, 16));
    wr_bytes(&other, BYTES_LIT("\x02op"));
    assert_int_equal(unpack(&s, buf_view(&other), &plain), 0);
    assert_int_equal(content_pack(buf_view(&plain), &s.device, &s.content), 0);
    assert_true(bytes_eq(buf_view(&s.content), buf_view(&other)));
    buf_release(&plain);
    other.p[0] = CONTENT_PACKED + 1;
    assert_int_equal(unpack(&s, buf_view(&other), &plain), ERR_VERSION);
    buf_release(&plain);
    assert_int_equal(unpack(&s, BYTES_NONE, &plain), ERR_FORMAT);
    buf_release(&plain);
    buf_release(&other);
    scene_release(&s);
}

static void unpacking_ends_at_its_limit(void **state)
{
    struct scene s;
    struct buf bomb, plain;
    (void)state;
    scene_init(&s, 10);
    buf_init(&bomb, FRAME_CONTENT_MAX);
    wr_bytes(&bomb, BYTES_LIT("\x01\x01\x01\x01\x01\x40")); /* one shape: an addition to SET_TAG */
    for (int i = 0; i < 200; i++) {
        if (i > 0)
            wr_u8(&bomb, 2);
        wr_bytes(&bomb, bytes_of((uint8_t[34]){0}, 34)); /* salt, time, id */
        wr_u8(&bomb, i == 0 ? 0 : 1);
        if (i == 0) { /* a name of 30 000 bytes, then nothing but references to it */
            uint8_t *to;
            wr_varint(&bomb, 30000);
            to = buf_extend(&bomb, 30000);
            assert_non_null(to);
            memset(to, 'a', 30000);
        }
    }
    assert_int_equal(bomb.err, 0);
    assert_int_equal(unpack(&s, buf_view(&bomb), &plain), ERR_LIMIT);
    assert_true(plain.cap <= FRAME_PLAIN_MAX + 4096);
    buf_release(&plain);
    buf_release(&bomb);
    scene_release(&s);
}

/* ---- the second implementation */

static void put_hex(struct buf *out, struct bytes b)
{
    (void)buf_put(out, ' ');
    for (size_t i = 0; i < b.n; i++)
        (void)buf_printf(out, "%02x", b.p[i]);
}

static void put_request(struct buf *out, const char *what, const struct scene *s, struct bytes b)
{
    (void)buf_str(out, what);
    put_hex(out, bytes_of(s->device.b, ID_BYTES));
    put_hex(out, b);
    assert_int_equal(buf_put(out, '\n'), 0);
}

static void run_python(const struct buf *requests, struct buf *answers)
{
    struct tmp_dir dir;
    char in[TMP_PATH_BYTES], out[TMP_PATH_BYTES], command[3 * TMP_PATH_BYTES];
    tmp_dir_make(&dir);
    tmp_write(tmp_path(&dir, "in", in), buf_view(requests));
    assert_true(snprintf(command, sizeof command, PYTHON " <%s >%s", in, tmp_path(&dir, "out", out)) <
                (int)sizeof command);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    tmp_read(out, answers);
    tmp_dir_remove(&dir);
}

static void python_packs_and_unpacks_the_same(void **state)
{
    struct buf requests, expected, answers;
    (void)state;
    buf_init(&requests, (size_t)16 << 20);
    buf_init(&expected, (size_t)16 << 20);
    buf_init(&answers, (size_t)16 << 20);
    for (uint64_t seed = 100; seed < 120; seed++) {
        struct scene s;
        scene_init(&s, seed);
        put_some(&s);
        put_many(&s);
        put_request(&requests, "pack", &s, buf_view(&s.plain));
        put_request(&requests, "unpack", &s, buf_view(&s.content));
        put_hex(&expected, buf_view(&s.content));
        put_hex(&expected, buf_view(&s.plain));
        scene_release(&s);
    }
    run_python(&requests, &answers);
    for (size_t i = 0; i < answers.n; i++) /* a line each there, a blank before each here */
        answers.p[i] = answers.p[i] == '\n' ? ' ' : answers.p[i];
    assert_int_equal(answers.n, expected.n);
    assert_memory_equal(answers.p, expected.p + 1, expected.n - 1);
    buf_release(&requests);
    buf_release(&expected);
    buf_release(&answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out_again_and_is_shorter),
        cmocka_unit_test(each_content_has_one_form),
        cmocka_unit_test(what_stands_in_a_table_must_be_referred_to),
        cmocka_unit_test(ops_that_packing_does_not_know_stay_plain_and_only_those),
        cmocka_unit_test(unpacking_ends_at_its_limit),
        cmocka_unit_test(python_packs_and_unpacks_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
