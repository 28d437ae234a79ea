/* The merge: each rule by example, then by property over thousands of seeds against the memory model. */
#include "store/entity.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/time.h"
#include "tests/store/model.h"
#include "tests/store/opgen.h"
#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ops by hand */

/* One entity and what is needed to write to it. Hashes are numbers here: op n has the hash n, n, n, … */
struct desk {
    struct entity *x;
    struct draft d;
    struct buf op;
};

static void desk_init(struct desk *k)
{
    k->x = entity_new();
    assert_non_null(k->x);
    draft_init(&k->d);
    buf_init(&k->op, LIMIT_OP_BYTES);
}

static void desk_release(struct desk *k)
{
    entity_free(k->x);
    draft_release(&k->d);
    buf_release(&k->op);
}

static void begin(struct desk *k, enum op_class cls)
{
    static const struct id id = {{1}};
    draft_reset(&k->d, SPACE_PROPOSITION, cls, &id);
}

static int merge(struct desk *k, uint64_t hlc, uint8_t log, uint8_t name, const struct seen_sink *seen)
{
    struct id log_id = {{log}};
    struct hash hash;
    struct op op;
    memset(hash.b, name, sizeof hash.b);
    buf_clear(&k->op);
    assert_int_equal(draft_encode(&k->d, hlc, &k->op), 0);
    assert_int_equal(op_decode(buf_view(&k->op), &op, NULL), 0);
    return entity_apply(k->x, &op, &log_id, &hash, seen);
}

/* A write of a text register by op `name`, replacing the op `replaced` (0: none). */
static void write_text(struct desk *k, enum op_class cls, uint64_t hlc, uint8_t log, uint8_t name,
                       const char *text, uint8_t replaced)
{
    uint8_t names[1][16];
    memset(names, replaced, sizeof names);
    begin(k, cls);
    draft_reg(&k->d, REG_TEXT, bytes_str(text), (const uint8_t(*)[16])names, replaced ? 1 : 0);
    assert_int_equal(merge(k, hlc, log, name, NULL), 0);
}

static void write_u8(struct desk *k, enum op_class cls, uint64_t hlc, enum op_tag tag, uint8_t v)
{
    begin(k, cls);
    draft_reg_u8(&k->d, tag, v, NULL, 0);
    assert_int_equal(merge(k, hlc, 1, (uint8_t)hlc, NULL), 0);
}

static void assert_text(const struct desk *k, const char *text)
{
    struct bytes v;
    assert_true(entity_reg(k->x, REG_TEXT, &v, NULL));
    assert_true(bytes_eq(v, bytes_str(text)));
}

static void assert_sibling(const struct desk *k, size_t i, const char *text)
{
    struct bytes v;
    assert_true(entity_sibling(k->x, REG_TEXT, i, &v, NULL));
    assert_true(bytes_eq(v, bytes_str(text)));
}

static void tag_element(struct desk *k, uint8_t name, const char *element)
{
    begin(k, CLASS_MODEL);
    draft_set_add(&k->d, SET_TAG, bytes_str(element));
    assert_int_equal(merge(k, name, 1, name, NULL), 0);
}

static void untag_element(struct desk *k, uint8_t name, const char *element, uint8_t seen)
{
    uint8_t dots[1][16];
    memset(dots, seen, sizeof dots);
    begin(k, CLASS_MODEL);
    draft_set_remove(&k->d, SET_TAG, bytes_str(element), (const uint8_t(*)[16])dots, 1);
    assert_int_equal(merge(k, name, 1, name, NULL), 0);
}

static void count_bash(struct desk *k, uint64_t hlc, uint8_t log, uint64_t support)
{
    struct count c = {
        .device = {{7}}, .source = BYTES_LIT("bash"), .support = support, .first_ms = 5, .last_ms = 9};
    begin(k, CLASS_MODEL);
    draft_count(&k->d, &c);
    assert_int_equal(merge(k, hlc, log, (uint8_t)(hlc + log), NULL), 0);
}

/* ---- registers */

static void register_higher_class_beats_later_time(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "user", 0);
    write_text(&k, CLASS_MODEL, 99, 2, 2, "model", 0);
    assert_text(&k, "user");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    assert_int_equal(entity_class(k.x), CLASS_EDIT);
    desk_release(&k);
}

static void register_order_is_time_then_log_then_hash(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_MODEL, 10, 9, 9, "early", 0);
    write_text(&k, CLASS_MODEL, 11, 1, 1, "late", 0);
    assert_text(&k, "late");
    write_text(&k, CLASS_MODEL, 11, 2, 1, "higher log", 0);
    assert_text(&k, "higher log");
    write_text(&k, CLASS_MODEL, 11, 2, 2, "higher hash", 0);
    assert_text(&k, "higher hash");
    write_text(&k, CLASS_MODEL, 11, 2, 1, "lower hash", 0);
    assert_text(&k, "higher hash");
    desk_release(&k);
}

static void register_concurrent_edits_leave_a_sibling(void **state)
{
    struct desk k;
    struct stamp stamp;
    struct bytes v;
    uint64_t tags[4];
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "works in Porto", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "works in Lisbon", 0);
    assert_text(&k, "works in Lisbon");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 1);
    assert_sibling(&k, 0, "works in Porto");
    assert_true(entity_sibling(k.x, REG_TEXT, 0, &v, &stamp));
    assert_int_equal(stamp.hlc, 10);
    assert_false(entity_sibling(k.x, REG_TEXT, 1, &v, NULL));
    assert_int_equal(entity_conflicts(k.x, tags, 4), 1);
    assert_int_equal(tags[0], REG_TEXT);
    desk_release(&k);
}

static void register_that_nobody_chose_is_no_conflict(void **state)
{
    struct desk k;
    uint64_t tags[4];
    (void)state;
    desk_init(&k);
    for (uint8_t i = 1; i <= 2; i++) {
        begin(&k, CLASS_EDIT);
        draft_reg(&k.d, REG_TEXT, BYTES_LIT("likes tea"), NULL, 0);
        draft_reg(&k.d, REG_ORIGIN, i == 1 ? BYTES_LIT("tell") : BYTES_LIT("import"), NULL, 0);
        assert_int_equal(merge(&k, i, i, i, NULL), 0);
    }
    assert_int_equal(entity_siblings(k.x, REG_ORIGIN), 1);
    assert_int_equal(entity_conflicts(k.x, tags, 4), 0);
    desk_release(&k);
}

static void register_replaced_write_is_no_sibling(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "old", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "new", 1);
    assert_text(&k, "new");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    desk_release(&k);
}

static void register_name_may_come_before_its_write(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "new", 1);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "old", 0);
    assert_text(&k, "new");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    desk_release(&k);
}

static void register_resolving_names_all_current_writes(void **state)
{
    struct desk k;
    uint8_t names[8][16];
    size_t n;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "a", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "b", 0);
    write_text(&k, CLASS_EDIT, 12, 3, 3, "b", 0);
    n = entity_stamps(k.x, REG_TEXT, names, 8);
    assert_int_equal(n, 3); /* the second "b" is not shown, but must be named too */
    begin(&k, CLASS_EDIT);
    draft_reg(&k.d, REG_TEXT, BYTES_LIT("c"), (const uint8_t(*)[16])names, n);
    assert_int_equal(merge(&k, 13, 1, 4, NULL), 0);
    assert_text(&k, "c");
    assert_int_equal(entity_stamps(k.x, REG_TEXT, names, 8), 1);
    desk_release(&k);
}

static void register_equal_values_are_one_sibling_with_the_highest_stamp(void **state)
{
    struct desk k;
    struct bytes v;
    struct stamp stamp;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "same", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "same", 0);
    write_text(&k, CLASS_EDIT, 12, 3, 3, "other", 0);
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 1);
    assert_true(entity_sibling(k.x, REG_TEXT, 0, &v, &stamp));
    assert_int_equal(stamp.hlc, 11);
    desk_release(&k);
}

static void register_value_equal_to_the_winner_comes_back_when_the_winner_goes(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "same", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "same", 0);
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    write_text(&k, CLASS_EDIT, 12, 2, 3, "new", 2);
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 1);
    assert_sibling(&k, 0, "same");
    desk_release(&k);
}

static void register_model_writes_never_conflict(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_MODEL, 10, 1, 1, "a", 0);
    write_text(&k, CLASS_MODEL, 11, 2, 2, "b", 0);
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    write_text(&k, CLASS_EDIT, 5, 2, 3, "c", 0);
    assert_text(&k, "c");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    desk_release(&k);
}

static void register_confirm_does_not_conflict_with_edit(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_CONFIRM, 20, 1, 1, "confirmed", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "edited", 0);
    assert_text(&k, "edited");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    desk_release(&k);
}

static void register_winner_named_by_lower_class_stays(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "user", 0);
    write_text(&k, CLASS_CONFIRM, 20, 2, 2, "confirmed", 1);
    write_text(&k, CLASS_MODEL, 30, 2, 3, "model", 1);
    assert_text(&k, "user");
    desk_release(&k);
}

static void register_model_cannot_settle_the_users_conflict(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "a", 0);
    write_text(&k, CLASS_EDIT, 11, 2, 2, "b", 0);
    write_text(&k, CLASS_MODEL, 30, 2, 3, "model", 1);
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 1);
    write_text(&k, CLASS_CONFIRM, 31, 2, 4, "b", 1);
    assert_text(&k, "b");
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 0);
    desk_release(&k);
}

static void register_verdict_and_pin_are_the_users_alone(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_u8(&k, CLASS_MODEL, 10, REG_PINNED, 1);
    write_u8(&k, CLASS_IMPORT, 11, REG_VERDICT, VERDICT_CONFIRMED);
    assert_int_equal(entity_reg_u8(k.x, REG_PINNED, 7), 7);
    assert_int_equal(entity_reg_u8(k.x, REG_VERDICT, 7), 7);
    assert_int_equal(entity_class(k.x), CLASS_IMPORT);
    write_u8(&k, CLASS_CONFIRM, 5, REG_PINNED, 1);
    assert_int_equal(entity_reg_u8(k.x, REG_PINNED, 7), 1);
    desk_release(&k);
}

static void register_shows_no_more_siblings_than_can_be_named(void **state)
{
    struct desk k;
    char text[] = "x0";
    uint8_t names[64][16];
    (void)state;
    desk_init(&k);
    for (uint8_t i = 1; i <= 40; i++) {
        text[1] = (char)('0' + i);
        write_text(&k, CLASS_EDIT, i, i, i, text, 0);
    }
    assert_int_equal(entity_siblings(k.x, REG_TEXT), LIMIT_PRIOR_STAMPS - 1);
    assert_int_equal(entity_stamps(k.x, REG_TEXT, names, 64), LIMIT_PRIOR_STAMPS);
    begin(&k, CLASS_EDIT);
    draft_reg(&k.d, REG_TEXT, BYTES_LIT("settled"), (const uint8_t(*)[16])names, LIMIT_PRIOR_STAMPS);
    assert_int_equal(merge(&k, 50, 1, 50, NULL), 0);
    assert_int_equal(entity_siblings(k.x, REG_TEXT), 8); /* those that nobody had named yet */
    desk_release(&k);
}

static void register_of_an_unknown_tag_is_merged_the_same_way(void **state)
{
    struct desk k;
    struct bytes v;
    (void)state;
    desk_init(&k);
    for (uint8_t i = 1; i <= 3; i++) {
        begin(&k, CLASS_EDIT);
        draft_reg_u8(&k.d, (enum op_tag)60, i, NULL, 0);
        draft_reg(&k.d, (enum op_tag)4000, bytes_of(&i, 1), NULL, 0);
        assert_int_equal(merge(&k, i, i, i, NULL), 0);
    }
    assert_int_equal(entity_siblings(k.x, (enum op_tag)60), 2);
    assert_int_equal(entity_siblings(k.x, (enum op_tag)4000), 0);
    assert_true(entity_reg(k.x, (enum op_tag)4000, &v, NULL));
    assert_int_equal(v.p[0], 3);
    desk_release(&k);
}

/* ---- life and forgetting */

static void life_dropped_by_the_model(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    assert_false(entity_dropped(k.x));
    write_u8(&k, CLASS_MODEL, 10, REG_LIFE, 0);
    assert_true(entity_dropped(k.x));
    write_u8(&k, CLASS_MODEL, 11, REG_LIFE, 1);
    assert_false(entity_dropped(k.x));
    desk_release(&k);
}

static void life_any_write_of_the_user_beats_the_drop(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    write_u8(&k, CLASS_CONFIRM, 5, REG_VERDICT, VERDICT_CONFIRMED);
    write_u8(&k, CLASS_MODEL, 10, REG_LIFE, 0);
    assert_false(entity_dropped(k.x));
    desk_release(&k);
}

static int count_seen(void *ctx, const struct seen *s)
{
    (void)s;
    ++*(size_t *)ctx;
    return 0;
}

static void forget_leaves_nothing_and_takes_nothing(void **state)
{
    struct desk k;
    struct buf dump;
    struct bytes v;
    size_t seen_n = 0;
    struct seen_sink sink = {count_seen, &seen_n};
    struct seen seen = {.key = {1}, .time_ms = 3};
    (void)state;
    desk_init(&k);
    buf_init(&dump, 4096);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "secret", 0);
    begin(&k, CLASS_CONFIRM);
    draft_forget(&k.d);
    assert_int_equal(merge(&k, 1, 1, 2, NULL), 0);
    write_text(&k, CLASS_EDIT, 99, 1, 3, "again", 0);
    begin(&k, CLASS_MODEL);
    draft_seen(&k.d, &seen, 1);
    assert_int_equal(merge(&k, 100, 1, 4, &sink), 0);
    assert_true(entity_forgotten(k.x));
    assert_false(entity_reg(k.x, REG_TEXT, &v, NULL));
    assert_int_equal(seen_n, 0);
    assert_int_equal(entity_dump(k.x, &dump), 0);
    assert_true(bytes_eq(buf_view(&dump), bytes_of("\x01", 1)));
    buf_release(&dump);
    desk_release(&k);
}

/* ---- sets */

static void set_addition_that_a_removal_did_not_see_wins(void **state)
{
    struct desk k;
    uint8_t dots[4][16];
    (void)state;
    desk_init(&k);
    tag_element(&k, 1, "home");
    tag_element(&k, 2, "home");
    untag_element(&k, 3, "home", 1);
    assert_int_equal(entity_set_count(k.x, SET_TAG), 1);
    assert_true(bytes_eq(entity_set_at(k.x, SET_TAG, 0), BYTES_LIT("home")));
    assert_int_equal(entity_set_dots(k.x, SET_TAG, BYTES_LIT("home"), dots, 4), 1);
    assert_int_equal(dots[0][0], 2);
    untag_element(&k, 4, "home", 2);
    assert_int_equal(entity_set_count(k.x, SET_TAG), 0);
    desk_release(&k);
}

static void set_removal_may_come_before_the_addition(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    untag_element(&k, 3, "home", 1);
    tag_element(&k, 1, "home");
    assert_int_equal(entity_set_count(k.x, SET_TAG), 0);
    tag_element(&k, 1, "work"); /* the same dot on another element is another addition */
    assert_int_equal(entity_set_count(k.x, SET_TAG), 1);
    desk_release(&k);
}

static void set_elements_come_in_order_of_bytes(void **state)
{
    struct desk k;
    (void)state;
    desk_init(&k);
    tag_element(&k, 1, "b");
    tag_element(&k, 2, "ab");
    tag_element(&k, 3, "a");
    assert_true(bytes_eq(entity_set_at(k.x, SET_TAG, 0), BYTES_LIT("a")));
    assert_true(bytes_eq(entity_set_at(k.x, SET_TAG, 1), BYTES_LIT("ab")));
    assert_true(bytes_eq(entity_set_at(k.x, SET_TAG, 2), BYTES_LIT("b")));
    assert_int_equal(entity_set_at(k.x, SET_TAG, 3).n, 0);
    desk_release(&k);
}

/* ---- counters and events */

static void count_latest_replaces_the_earlier_ones(void **state)
{
    struct desk k;
    struct count c;
    (void)state;
    desk_init(&k);
    count_bash(&k, 20, 1, 5);
    count_bash(&k, 10, 1, 50);
    count_bash(&k, 20, 2, 6); /* a newer log of the same device, at the same time */
    assert_int_equal(entity_count_n(k.x), 1);
    assert_true(entity_count_at(k.x, 0, &c));
    assert_int_equal(c.support, 6);
    assert_true(bytes_eq(c.source, BYTES_LIT("bash")));
    assert_false(entity_count_at(k.x, 1, &c));
    desk_release(&k);
}

/* No honest writer makes two ops of one stamp; the outcome must still not depend on which comes first. */
static void count_of_equal_stamps_is_told_apart_by_content(void **state)
{
    struct count c[] = {
        {.support = 5, .against = 1, .first_ms = 5, .last_ms = 9}, /* the highest */
        {.support = 4, .against = 9, .first_ms = 5, .last_ms = 9},
        {.support = 5, .against = 0, .first_ms = 7, .last_ms = 9},
        {.support = 5, .against = 1, .first_ms = 4, .last_ms = 9},
        {.support = 5, .against = 1, .first_ms = 5, .last_ms = 8},
    };
    (void)state;
    for (size_t i = 1; i < sizeof c / sizeof *c; i++) {
        for (size_t turn = 0; turn < 2; turn++) {
            struct desk k;
            struct count kept;
            desk_init(&k);
            for (size_t n = 0; n < 2; n++) {
                begin(&k, CLASS_MODEL);
                draft_count(&k.d, &c[n == turn ? 0 : i]);
                assert_int_equal(merge(&k, 1, 1, 1, NULL), 0);
            }
            assert_true(entity_count_at(k.x, 0, &kept));
            assert_true(kept.support == 5 && kept.against == 1 && kept.first_ms == 5 && kept.last_ms == 9);
            desk_release(&k);
        }
    }
}

static void count_zero_takes_the_evidence_back(void **state)
{
    struct desk k;
    struct count c;
    (void)state;
    desk_init(&k);
    count_bash(&k, 20, 1, 5);
    count_bash(&k, 21, 1, 0);
    assert_true(entity_count_at(k.x, 0, &c));
    assert_int_equal(c.support, 0);
    assert_int_equal(c.first_ms, TIME_NONE);
    desk_release(&k);
}

static int refuse_seen(void *ctx, const struct seen *s)
{
    (void)ctx;
    (void)s;
    return ERR_FULL;
}

static void seen_goes_to_the_sink_and_its_error_comes_back(void **state)
{
    struct desk k;
    size_t n = 0;
    struct seen seen[] = {{.key = {1}, .time_ms = 3}, {.key = {2}, .time_ms = 3}, {.key = {1}, .time_ms = 2}};
    (void)state;
    desk_init(&k);
    begin(&k, CLASS_MODEL);
    draft_seen(&k.d, seen, 3);
    assert_int_equal(merge(&k, 1, 1, 1, &(struct seen_sink){count_seen, &n}), 0);
    assert_int_equal(n, 2);
    assert_int_equal(merge(&k, 1, 1, 1, &(struct seen_sink){refuse_seen, NULL}), ERR_FULL);
    desk_release(&k);
}

/* ---- limits */

static void entity_that_grows_too_large_is_refused(void **state)
{
    struct desk k;
    uint8_t value[LIMIT_OP_BYTES - 1024];
    int rc = 0;
    size_t n = 0;
    (void)state;
    desk_init(&k);
    memset(value, 'v', sizeof value);
    for (; !rc && n < 1000; n++) {
        value[0] = (uint8_t)n;
        begin(&k, CLASS_EDIT);
        draft_reg(&k.d, (enum op_tag)50, bytes_of(value, sizeof value), NULL, 0);
        rc = merge(&k, n, (uint8_t)n, (uint8_t)n, NULL);
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_true(n > LIMIT_ENTITY_BYTES / sizeof value);
    desk_release(&k);
}

static void replaced_values_take_no_room(void **state)
{
    struct desk k;
    uint8_t value[30000];
    struct bytes v;
    (void)state;
    desk_init(&k);
    for (size_t n = 0; n < 1000; n++) {
        memset(value, (int)n, sizeof value);
        begin(&k, CLASS_MODEL);
        draft_reg(&k.d, (enum op_tag)50, bytes_of(value, sizeof value), NULL, 0);
        draft_reg_u8(&k.d, REG_DECAY, 3, NULL, 0);
        assert_int_equal(merge(&k, n, 1, 1, NULL), 0);
    }
    assert_true(entity_reg(k.x, (enum op_tag)50, &v, NULL));
    assert_true(bytes_eq(v, bytes_of(value, sizeof value)));
    assert_int_equal(entity_reg_u8(k.x, REG_DECAY, 0), 3);
    desk_release(&k);
}

static void damaged_state_is_refused(void **state)
{
    struct desk k;
    struct buf out;
    struct err e = ERR_INIT;
    (void)state;
    desk_init(&k);
    buf_init(&out, 4096);
    write_text(&k, CLASS_EDIT, 10, 1, 1, "text", 9);
    tag_element(&k, 2, "home");
    count_bash(&k, 3, 1, 5);
    assert_int_equal(entity_encode(k.x, &out), 0);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(entity_decode(k.x, bytes_slice(buf_view(&out), 0, n), &e), ERR_CORRUPT);
    assert_int_equal(buf_put(&out, 0), 0);
    assert_int_equal(entity_decode(k.x, buf_view(&out), &e), ERR_CORRUPT);
    assert_true(e.text[0] != 0);
    buf_release(&out);
    desk_release(&k);
}

/* ---- properties */

#define SEEDS 3000
#define KEYS_MAX 64

/* All entities of a run, each beside its state after a round trip through bytes at every step. */
struct world {
    struct model_key keys[KEYS_MAX];
    struct entity *x[KEYS_MAX];
    size_t n;
    struct buf a, b;
};

static void world_init(struct world *w)
{
    w->n = 0;
    buf_init(&w->a, LIMIT_ENTITY_BYTES);
    buf_init(&w->b, LIMIT_ENTITY_BYTES);
}

static void world_clear(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        entity_free(w->x[i]);
    w->n = 0;
}

static void world_release(struct world *w)
{
    world_clear(w);
    buf_release(&w->a);
    buf_release(&w->b);
}

static struct entity *world_entity(struct world *w, uint8_t space, const struct id *id)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->keys[i].space == space && id_eq(&w->keys[i].id, id))
            return w->x[i];
    }
    assert_true(w->n < KEYS_MAX);
    w->keys[w->n] = (struct model_key){space, *id};
    w->x[w->n] = entity_new();
    assert_non_null(w->x[w->n]);
    return w->x[w->n++];
}

static struct entity *world_apply(struct world *w, const struct op_record *r)
{
    struct op op;
    struct entity *x;
    assert_int_equal(op_decode(r->op, &op, NULL), 0);
    x = world_entity(w, op.space, &op.id);
    assert_int_equal(entity_apply(x, &op, &r->log, &r->hash, NULL), 0);
    return x;
}

/* State → bytes → state → bytes gives the same bytes; x goes on from the decoded one. */
static void check_round_trip(struct world *w, struct entity *x)
{
    buf_clear(&w->a);
    buf_clear(&w->b);
    assert_int_equal(entity_encode(x, &w->a), 0);
    assert_int_equal(entity_decode(x, buf_view(&w->a), NULL), 0);
    assert_int_equal(entity_encode(x, &w->b), 0);
    assert_true(bytes_eq(buf_view(&w->a), buf_view(&w->b)));
}

static void check_against_model(struct world *w, const struct model *m, size_t i)
{
    const struct model_key *key = &w->keys[i];
    buf_clear(&w->a);
    buf_clear(&w->b);
    assert_int_equal(entity_dump(w->x[i], &w->a), 0);
    model_dump(m, key->space, &key->id, &w->b);
    assert_true(bytes_eq(buf_view(&w->a), buf_view(&w->b)));
    assert_int_equal(entity_forgotten(w->x[i]), model_forgotten(m, key->space, &key->id));
    assert_int_equal(entity_dropped(w->x[i]), model_dropped(m, key->space, &key->id));
}

static void check_prefixes(uint64_t seed, bool collide)
{
    struct opgen g;
    struct world w;
    struct model *m = model_new();
    opgen_make(&g, seed, 4 + seed % 40, collide);
    world_init(&w);
    for (size_t i = 0; i < g.n; i++) {
        struct entity *x = world_apply(&w, &g.ops[i]);
        check_round_trip(&w, x);
        model_add(m, &g.ops[i].log, &g.ops[i].hash, g.ops[i].op);
        for (size_t k = 0; k < w.n; k++) {
            if (w.x[k] == x)
                check_against_model(&w, m, k);
        }
    }
    assert_int_equal(model_entities(m, NULL, 0), w.n);
    world_release(&w);
    model_free(m);
    opgen_release(&g);
}

static void merge_agrees_with_the_model_after_every_prefix(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        check_prefixes(seed, seed % 3 == 0);
}

/* The ops in another order, some of them several times; states go through bytes now and then. */
static void replay_mixed(struct world *w, const struct opgen *g, struct test_rng *rng)
{
    size_t n = g->n * 3 / 2;
    size_t *order = calloc(n + 1, sizeof *order);
    assert_non_null(order);
    for (size_t i = 0; i < n; i++)
        order[i] = i < g->n ? i : (size_t)test_rng_below(rng, g->n);
    test_rng_shuffle(rng, order, n, sizeof *order);
    for (size_t i = 0; i < n; i++) {
        struct entity *x = world_apply(w, &g->ops[order[i]]);
        if (test_rng_one_in(rng, 4))
            check_round_trip(w, x);
    }
    free(order);
}

static void check_same_state(struct world *w, struct world *other)
{
    assert_int_equal(w->n, other->n);
    for (size_t i = 0; i < w->n; i++) {
        buf_clear(&w->a);
        buf_clear(&w->b);
        assert_int_equal(entity_encode(w->x[i], &w->a), 0);
        assert_int_equal(entity_encode(world_entity(other, w->keys[i].space, &w->keys[i].id), &w->b), 0);
        assert_true(bytes_eq(buf_view(&w->a), buf_view(&w->b)));
    }
}

static void check_orders(uint64_t seed, bool collide)
{
    struct opgen g;
    struct world w, mixed;
    struct model *m = model_new();
    struct test_rng rng;
    test_rng_init(&rng, seed);
    opgen_make(&g, seed + SEEDS, 4 + seed % 60, collide);
    world_init(&w);
    world_init(&mixed);
    for (size_t i = 0; i < g.n; i++) {
        (void)world_apply(&w, &g.ops[i]);
        model_add(m, &g.ops[i].log, &g.ops[i].hash, g.ops[i].op);
    }
    for (size_t i = 0; i < w.n; i++)
        check_against_model(&w, m, i);
    for (int round = 0; round < 3; round++) {
        replay_mixed(&mixed, &g, &rng);
        check_same_state(&w, &mixed);
        world_clear(&mixed);
    }
    world_release(&w);
    world_release(&mixed);
    model_free(m);
    opgen_release(&g);
}

/* Stronger than equal dumps: the state itself, names and removed dots included, is a function of the set of
 * ops. */
static void merge_does_not_depend_on_order_or_repetition(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        check_orders(seed, seed % 3 == 0);
}

static void merge_of_many_open_writes_agrees_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct opgen g;
        struct world w;
        struct model *m = model_new();
        opgen_make(&g, 77 + seed, 1200, false);
        world_init(&w);
        for (size_t i = 0; i < g.n; i++) {
            (void)world_apply(&w, &g.ops[i]);
            model_add(m, &g.ops[i].log, &g.ops[i].hash, g.ops[i].op);
        }
        for (size_t i = 0; i < w.n; i++)
            check_against_model(&w, m, i);
        world_release(&w);
        model_free(m);
        opgen_release(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_higher_class_beats_later_time),
        cmocka_unit_test(register_order_is_time_then_log_then_hash),
        cmocka_unit_test(register_concurrent_edits_leave_a_sibling),
        cmocka_unit_test(register_that_nobody_chose_is_no_conflict),
        cmocka_unit_test(register_replaced_write_is_no_sibling),
        cmocka_unit_test(register_name_may_come_before_its_write),
        cmocka_unit_test(register_resolving_names_all_current_writes),
        cmocka_unit_test(register_equal_values_are_one_sibling_with_the_highest_stamp),
        cmocka_unit_test(register_value_equal_to_the_winner_comes_back_when_the_winner_goes),
        cmocka_unit_test(register_model_writes_never_conflict),
        cmocka_unit_test(register_confirm_does_not_conflict_with_edit),
        cmocka_unit_test(register_winner_named_by_lower_class_stays),
        cmocka_unit_test(register_model_cannot_settle_the_users_conflict),
        cmocka_unit_test(register_verdict_and_pin_are_the_users_alone),
        cmocka_unit_test(register_shows_no_more_siblings_than_can_be_named),
        cmocka_unit_test(register_of_an_unknown_tag_is_merged_the_same_way),
        cmocka_unit_test(life_dropped_by_the_model),
        cmocka_unit_test(life_any_write_of_the_user_beats_the_drop),
        cmocka_unit_test(forget_leaves_nothing_and_takes_nothing),
        cmocka_unit_test(set_addition_that_a_removal_did_not_see_wins),
        cmocka_unit_test(set_removal_may_come_before_the_addition),
        cmocka_unit_test(set_elements_come_in_order_of_bytes),
        cmocka_unit_test(count_latest_replaces_the_earlier_ones),
        cmocka_unit_test(count_of_equal_stamps_is_told_apart_by_content),
        cmocka_unit_test(count_zero_takes_the_evidence_back),
        cmocka_unit_test(seen_goes_to_the_sink_and_its_error_comes_back),
        cmocka_unit_test(entity_that_grows_too_large_is_refused),
        cmocka_unit_test(replaced_values_take_no_room),
        cmocka_unit_test(damaged_state_is_refused),
        cmocka_unit_test(merge_agrees_with_the_model_after_every_prefix),
        cmocka_unit_test(merge_does_not_depend_on_order_or_repetition),
        cmocka_unit_test(merge_of_many_open_writes_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
