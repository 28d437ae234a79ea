#include "store/op.h"

#include "base/limits.h"
#include "base/time.h"
#include "tests/store/opgen.h"
#include "tests/store/redraft.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

static const struct id id_one = {{1}};

struct desk {
    struct draft d;
    struct buf op;
};

static void desk_init(struct desk *k)
{
    draft_init(&k->d);
    buf_init(&k->op, LIMIT_OP_BYTES + 1024);
    draft_reset(&k->d, SPACE_PROPOSITION, CLASS_EDIT, &id_one);
}

static void desk_release(struct desk *k)
{
    draft_release(&k->d);
    buf_release(&k->op);
}

/* An op with the given head and raw actions. */
static void raw_op(struct buf *out, uint8_t cls, uint64_t n, struct bytes actions)
{
    buf_clear(out);
    wr_u8(out, OP_SUITE);
    wr_u8(out, SPACE_PROPOSITION);
    wr_u8(out, cls);
    wr_u64(out, 77);
    wr_bytes(out, bytes_of(id_one.b, ID_BYTES));
    wr_varint(out, n);
    wr_bytes(out, actions);
    assert_int_equal(out->err, 0);
}

/* One raw action in an op of class EDIT. */
static int decode_action(uint64_t tag, struct bytes payload)
{
    struct buf action, op;
    struct op out;
    struct err e = ERR_INIT;
    int rc;
    buf_init(&action, LIMIT_OP_BYTES);
    buf_init(&op, LIMIT_OP_BYTES + 1024);
    wr_varint(&action, tag);
    wr_lenbytes(&action, payload);
    raw_op(&op, CLASS_EDIT, 1, buf_view(&action));
    rc = op_decode(buf_view(&op), &out, &e);
    assert_int_equal(e.code, rc);
    buf_release(&action);
    buf_release(&op);
    return rc;
}

#define DECODE(tag, lit) decode_action(tag, bytes_of("" lit, sizeof(lit) - 1))

static void drafts_in_any_order_give_the_same_bytes(void **state)
{
    struct desk k, other;
    struct op op;
    struct action a;
    uint64_t last = 0;
    (void)state;
    desk_init(&k);
    desk_init(&other);
    draft_reg_u8(&k.d, REG_DECAY, 3, NULL, 0);
    draft_set_add(&k.d, SET_TAG, BYTES_LIT("b"));
    draft_set_add(&k.d, SET_TAG, BYTES_LIT("a"));
    draft_reg(&k.d, REG_TEXT, BYTES_LIT("t"), NULL, 0);
    draft_reg(&other.d, REG_TEXT, BYTES_LIT("t"), NULL, 0);
    draft_reg_u8(&other.d, REG_DECAY, 3, NULL, 0);
    draft_set_add(&other.d, SET_TAG, BYTES_LIT("a"));
    draft_set_add(&other.d, SET_TAG, BYTES_LIT("b"));
    assert_int_equal(draft_encode(&k.d, 5, &k.op), 0);
    assert_int_equal(draft_encode(&other.d, 5, &other.op), 0);
    assert_true(bytes_eq(buf_view(&k.op), buf_view(&other.op)));
    assert_int_equal(op_decode(buf_view(&k.op), &op, NULL), 0);
    assert_int_equal(op.n_actions, 4);
    for (size_t at = 0; op_action(&op, &at, &a); last = a.tag)
        assert_true(a.tag >= last);
    assert_int_equal(last, SET_TAG);
    desk_release(&k);
    desk_release(&other);
}

static void replaced_names_are_sorted_and_read_back(void **state)
{
    struct desk k;
    struct op op;
    struct action a;
    struct reg_write w;
    size_t at = 0;
    const uint8_t names[2][16] = {{9}, {4}};
    (void)state;
    desk_init(&k);
    draft_reg(&k.d, REG_TEXT, BYTES_LIT("t"), names, 2);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), 0);
    assert_int_equal(op_decode(buf_view(&k.op), &op, NULL), 0);
    assert_true(op_action(&op, &at, &a));
    action_reg(&a, &w);
    assert_int_equal(w.n_replaced, 2);
    assert_int_equal(w.replaced[0][0], 4);
    assert_int_equal(w.replaced[1][0], 9);
    assert_true(bytes_eq(w.value, BYTES_LIT("t")));
    assert_false(op_action(&op, &at, &a));
    desk_release(&k);
}

static void counts_and_events_are_read_back(void **state)
{
    struct desk k;
    struct op op;
    struct action a;
    struct count c = {.device = {{7}},
                      .source = BYTES_LIT("bash"),
                      .support = 300,
                      .against = 1,
                      .first_ms = -5,
                      .last_ms = 9};
    struct count back;
    struct seen seen[] = {
        {.key = {2}, .time_ms = 8}, {.key = {1}, .against = 1, .time_ms = 7}, {.key = {2}, .time_ms = 4}};
    struct seen s;
    size_t at = 0;
    size_t seen_at = 0;
    (void)state;
    desk_init(&k);
    draft_count(&k.d, &c);
    draft_seen(&k.d, seen, 3);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), 0);
    assert_int_equal(op_decode(buf_view(&k.op), &op, NULL), 0);
    assert_true(op_action(&op, &at, &a));
    action_count(&a, &back);
    assert_true(id_eq(&back.device, &c.device) && bytes_eq(back.source, c.source));
    assert_true(back.support == 300 && back.against == 1 && back.first_ms == -5 && back.last_ms == 9);
    assert_true(op_action(&op, &at, &a));
    assert_true(action_seen(&a, &seen_at, &s));
    assert_true(s.key[0] == 1 && s.against == 1 && s.time_ms == 7);
    assert_true(action_seen(&a, &seen_at, &s));
    assert_true(s.key[0] == 2 && s.against == 0 && s.time_ms == 4); /* the lower of two times */
    assert_false(action_seen(&a, &seen_at, &s));
    desk_release(&k);
}

static void heads_that_are_wrong_are_rejected(void **state)
{
    struct buf op;
    struct op out;
    const struct bytes action = BYTES_LIT("\x01\x02\x00t"); /* text "t" */
    (void)state;
    buf_init(&op, 1024);
    raw_op(&op, CLASS_EDIT, 1, action);
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), 0);
    for (size_t n = 0; n < op.n; n++)
        assert_int_equal(op_decode(bytes_slice(buf_view(&op), 0, n), &out, NULL), ERR_FORMAT);
    op.p[0] = 2;
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_VERSION);
    raw_op(&op, 4, 1, action);
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    raw_op(&op, CLASS_EDIT, 1, action);
    op.p[1] = 0; /* space */
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    raw_op(&op, CLASS_EDIT, 0, BYTES_NONE);
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    raw_op(&op, CLASS_EDIT, LIMIT_OP_ACTIONS + 1, action);
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_LIMIT);
    raw_op(&op, CLASS_EDIT, 1, BYTES_LIT("\x01\x02\x00tX"));
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    raw_op(&op, CLASS_EDIT, 1, BYTES_LIT("\x81\x00\x02\x00t")); /* tag as an overlong varint */
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    buf_release(&op);
}

static void actions_must_ascend_without_repetition(void **state)
{
    static const struct bytes wrong[] = {
        BYTES_LIT("\x03\x02\x00\x05\x01\x02\x00t"), /* decay, then text */
        BYTES_LIT("\x01\x02\x00t\x01\x02\x00u"),    /* text twice */
        BYTES_LIT("\x40\x01"
                  "b\x40\x01"
                  "a"), /* tag b, then a */
        BYTES_LIT("\x40\x01"
                  "a\x40\x01"
                  "a"), /* tag a twice */
        BYTES_LIT("\x83\x01\x01"
                  "a\x83\x01\x01"
                  "a"), /* an unknown action twice */
    };
    struct buf op;
    struct op out;
    (void)state;
    buf_init(&op, 1024);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        raw_op(&op, CLASS_EDIT, 2, wrong[i]);
        assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    }
    raw_op(&op, CLASS_EDIT, 2,
           BYTES_LIT("\x40\x01"
                     "a\x40\x01"
                     "b"));
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), 0);
    buf_release(&op);
}

static void forget_stands_alone_and_is_the_users(void **state)
{
    struct buf op;
    struct op out;
    (void)state;
    buf_init(&op, 1024);
    raw_op(&op, CLASS_CONFIRM, 1, BYTES_LIT("\x82\x01\x00"));
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), 0);
    raw_op(&op, CLASS_MODEL, 1, BYTES_LIT("\x82\x01\x00"));
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    raw_op(&op, CLASS_EDIT, 2, BYTES_LIT("\x01\x02\x00t\x82\x01\x00"));
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    raw_op(&op, CLASS_EDIT, 1, BYTES_LIT("\x82\x01\x01x"));
    assert_int_equal(op_decode(buf_view(&op), &out, NULL), ERR_FORMAT);
    buf_release(&op);
}

static void register_values_follow_their_shape(void **state)
{
    (void)state;
    assert_int_equal(DECODE(REG_TEXT, "\0"), ERR_FORMAT); /* empty */
    assert_int_equal(DECODE(REG_TEXT, "\0\xff"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_TEXT, "\0\xc3\xa9"), 0);
    assert_int_equal(DECODE(REG_SCOPE, "\0"), 0);
    assert_int_equal(DECODE(REG_DECAY, "\0\x00"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_DECAY, "\0\x0a"), 0);
    assert_int_equal(DECODE(REG_DECAY, "\0\x0b"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_DECAY, "\0\x01\x01"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_SENSITIVITY, "\0\x04"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_PRIOR, "\0\x03\xe8"), 0);
    assert_int_equal(DECODE(REG_PRIOR, "\0\x03\xe9"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_PINNED, "\0\x02"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_VERDICT, "\0\x09"), 0); /* a verdict of a newer build */
    assert_int_equal(DECODE(REG_CREATED, "\0\x80\x00"), ERR_FORMAT);
    assert_int_equal(DECODE(REG_CREATED, "\0\x80\x01"), 0);
    assert_int_equal(DECODE(40, "\0anything \xff"), 0);
    assert_int_equal(DECODE(40, ""), ERR_FORMAT);
    assert_int_equal(DECODE(REG_TEXT, "\x21text"), ERR_LIMIT);
    assert_int_equal(DECODE(REG_TEXT, "\x01 0123456789abcdef"), 0);
    assert_int_equal(DECODE(REG_TEXT, "\x02"
                                      "0123456789abcdef0123456789abcdeft"),
                     ERR_FORMAT); /* a name twice */
}

static void set_elements_follow_their_shape(void **state)
{
    (void)state;
    assert_int_equal(DECODE(SET_TAG, ""), ERR_FORMAT);
    assert_int_equal(DECODE(SET_TAG, "home"), 0);
    assert_int_equal(DECODE(SET_SAME_AS, "0123456789abcdef"), 0);
    assert_int_equal(DECODE(SET_SAME_AS, "0123456789abcde"), ERR_FORMAT);
    assert_int_equal(DECODE(SET_SAME_AS, "0123456789abcdefg"), ERR_LIMIT);
    assert_int_equal(DECODE(SET_SPAN, "\x04"
                                      "bash0123456789abcdef"),
                     0);
    assert_int_equal(DECODE(SET_SPAN, "\x05"
                                      "bash0123456789abcdef"),
                     ERR_FORMAT);
    assert_int_equal(DECODE(SET_TAG + 32, "\x04home\x01"
                                          "0123456789abcdef"),
                     0);
    assert_int_equal(DECODE(SET_TAG + 32, "\x04home\x00"), ERR_FORMAT);
    assert_int_equal(DECODE(SET_TAG + 32, "\x04home\x02"
                                          "0123456789abcdef"),
                     ERR_FORMAT);
    assert_int_equal(DECODE(SET_SAME_AS + 32, "\x04home\x01"
                                              "0123456789abcdef"),
                     ERR_FORMAT);
}

static void counts_events_and_tags_follow_their_shape(void **state)
{
    (void)state;
    assert_int_equal(DECODE(ACT_COUNT, "0123456789abcdef\x01s\x01\x00\x02\x04"), 0);
    assert_int_equal(DECODE(ACT_COUNT, "0123456789abcdef\x01s\x01\x00\x04\x02"),
                     ERR_FORMAT); /* last before first */
    assert_int_equal(DECODE(ACT_COUNT, "0123456789abcdef\x01s\x00\x00\x02\x04"),
                     ERR_FORMAT); /* times of nothing */
    assert_int_equal(DECODE(ACT_COUNT, "0123456789abcdef\x01\xff\x01\x00\x02\x04"), ERR_FORMAT);
    assert_int_equal(DECODE(ACT_SEEN, "\x00"), ERR_FORMAT);
    assert_int_equal(DECODE(ACT_SEEN, "\x01"
                                      "0123456789abcdef\x01\x02"),
                     0);
    assert_int_equal(DECODE(ACT_SEEN, "\x01"
                                      "0123456789abcdef\x02\x02"),
                     ERR_FORMAT);
    assert_int_equal(DECODE(ACT_SEEN, "\xd1\x0f"), ERR_LIMIT); /* 2001 */
    assert_int_equal(DECODE(0, ""), ERR_FORMAT);
    assert_int_equal(DECODE(131, ""), 0);
    assert_int_equal(DECODE(UINT32_MAX, "x"), 0);
    assert_int_equal(DECODE(UINT64_C(1) << 32, "x"), ERR_FORMAT);
}

static void sizes_are_bounded(void **state)
{
    static uint8_t large[LIMIT_OP_BYTES + 1];
    struct op out;
    (void)state;
    memset(large, 'x', sizeof large);
    large[0] = 0;
    assert_int_equal(decode_action(REG_TEXT, bytes_of(large, 1 + LIMIT_TEXT_BYTES)), 0);
    assert_int_equal(decode_action(REG_TEXT, bytes_of(large, 2 + LIMIT_TEXT_BYTES)), ERR_LIMIT);
    assert_int_equal(decode_action(REG_REASONING, bytes_of(large, 1 + LIMIT_REASONING_BYTES)), 0);
    assert_int_equal(decode_action(50, bytes_of(large, LIMIT_OP_BYTES - 60)), 0);
    assert_int_equal(decode_action(80, bytes_of(large, LIMIT_TEXT_BYTES + 1)), ERR_LIMIT);
    assert_int_equal(op_decode(bytes_of(large, sizeof large), &out, NULL), ERR_LIMIT);
}

static void drafts_that_break_a_rule_are_refused(void **state)
{
    static uint8_t large[LIMIT_OP_BYTES];
    struct desk k;
    const uint8_t dots[1][16] = {{0}};
    (void)state;
    desk_init(&k);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), ERR_FORMAT); /* empty */
    buf_clear(&k.op);
    draft_set_remove(&k.d, SET_TAG, BYTES_LIT("a"), dots, 0);
    assert_int_equal(k.d.n_actions, 0);
    draft_reg(&k.d, REG_TEXT, BYTES_LIT("a\xff"), NULL, 0);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), ERR_FORMAT);
    draft_reset(&k.d, SPACE_PROPOSITION, CLASS_EDIT, &id_one);
    draft_reg(&k.d, REG_TEXT, bytes_of(large, LIMIT_TEXT_BYTES + 1), NULL, 0);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), ERR_LIMIT);
    draft_reset(&k.d, SPACE_PROPOSITION, CLASS_EDIT, &id_one);
    draft_reg(&k.d, (enum op_tag)50, bytes_of(large, sizeof large), NULL, 0);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), ERR_LIMIT);
    draft_reset(&k.d, SPACE_PROPOSITION, CLASS_EDIT, &id_one);
    for (uint8_t i = 0; i < 255; i++)
        draft_set_add(&k.d, SET_TAG, BYTES_LIT("same"));
    buf_clear(&k.op);
    assert_int_equal(draft_encode(&k.d, 5, &k.op), ERR_FORMAT);
    draft_set_add(&k.d, SET_TAG, BYTES_LIT("a"));
    draft_set_add(&k.d, SET_TAG, BYTES_LIT("b"));
    assert_int_equal(draft_encode(&k.d, 5, &k.op), ERR_LIMIT);
    desk_release(&k);
}

static void stamps_have_a_total_order(void **state)
{
    const struct stamp rising[] = {
        {.cls = 0, .hlc = 9},
        {.cls = 1, .hlc = 1, .log = {{9}}},
        {.cls = 1, .hlc = 2, .log = {{1}}, .hash = {9}},
        {.cls = 1, .hlc = 2, .log = {{2}}, .hash = {1}},
        {.cls = 1, .hlc = 2, .log = {{2}}, .hash = {2}},
        {.cls = 3},
    };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < 6; k++) {
            int order = stamp_cmp(&rising[i], &rising[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

static void decoded_ops_encode_to_the_same_bytes(void **state)
{
    struct opgen g;
    struct desk k;
    (void)state;
    desk_init(&k);
    opgen_make(&g, 42, 20000, false);
    for (size_t i = 0; i < g.n; i++) {
        struct op op;
        assert_int_equal(op_decode(g.ops[i].op, &op, NULL), 0);
        redraft(&op, &k.d);
        buf_clear(&k.op);
        assert_int_equal(draft_encode(&k.d, op.hlc, &k.op), 0);
        assert_true(bytes_eq(buf_view(&k.op), g.ops[i].op));
    }
    opgen_release(&g);
    desk_release(&k);
}

static void salt_and_op_both_change_the_hash(void **state)
{
    uint8_t salt[SALT_BYTES] = {0};
    struct hash a, b;
    (void)state;
    op_hash(salt, BYTES_LIT("op"), &a);
    op_hash(salt, BYTES_LIT("oq"), &b);
    assert_memory_not_equal(a.b, b.b, HASH_BYTES);
    salt[15] = 1;
    op_hash(salt, BYTES_LIT("op"), &b);
    assert_memory_not_equal(a.b, b.b, HASH_BYTES);
}

static void chain_depends_on_log_and_order(void **state)
{
    struct id other = {{2}};
    struct hash a = {{1}};
    struct hash b = {{2}};
    struct hash ab, ba, elsewhere;
    (void)state;
    chain_start(&id_one, &ab);
    chain_start(&id_one, &ba);
    chain_start(&other, &elsewhere);
    assert_memory_not_equal(ab.b, elsewhere.b, HASH_BYTES);
    chain_next(&ab, &a);
    chain_next(&ab, &b);
    chain_next(&ba, &b);
    chain_next(&ba, &a);
    assert_memory_not_equal(ab.b, ba.b, HASH_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drafts_in_any_order_give_the_same_bytes),
        cmocka_unit_test(replaced_names_are_sorted_and_read_back),
        cmocka_unit_test(counts_and_events_are_read_back),
        cmocka_unit_test(heads_that_are_wrong_are_rejected),
        cmocka_unit_test(actions_must_ascend_without_repetition),
        cmocka_unit_test(forget_stands_alone_and_is_the_users),
        cmocka_unit_test(register_values_follow_their_shape),
        cmocka_unit_test(set_elements_follow_their_shape),
        cmocka_unit_test(counts_events_and_tags_follow_their_shape),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(drafts_that_break_a_rule_are_refused),
        cmocka_unit_test(stamps_have_a_total_order),
        cmocka_unit_test(decoded_ops_encode_to_the_same_bytes),
        cmocka_unit_test(salt_and_op_both_change_the_hash),
        cmocka_unit_test(chain_depends_on_log_and_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
