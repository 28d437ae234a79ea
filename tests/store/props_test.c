#include "tests/support/unit.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <string.h>

static int teardown(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_check(k->s, &e), &e); /* whatever a test does, the tables are what the ops give */
    return kit_teardown(state);
}

static void forget(struct kit *k, unsigned n)
{
    struct id id = kit_id(n);
    struct draft d;
    struct err e = ERR_INIT;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, &id);
    draft_forget(&d);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

static void set_u8(struct kit *k, unsigned n, enum op_class cls, enum op_tag tag, uint8_t v)
{
    struct id id = kit_id(n);
    struct draft d;
    struct err e = ERR_INIT;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, cls, &id);
    draft_reg_u8(&d, tag, v, NULL, 0);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

static void model_tells(struct kit *k, unsigned n, const char *text)
{
    struct id id = kit_id(n);
    struct draft d;
    struct err e = ERR_INIT;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
    draft_reg(&d, REG_TEXT, bytes_str(text), NULL, 0);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

static void count(struct kit *k, unsigned n, unsigned device, uint64_t support, uint64_t against)
{
    struct id id = kit_id(n);
    struct count c = {
        .device = kit_id(device), .source = BYTES_LIT("bash"), .support = support, .against = against};
    c.first_ms = KIT_MS - (int64_t)device;
    c.last_ms = KIT_MS + (int64_t)device;
    struct draft d;
    struct err e = ERR_INIT;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
    draft_count(&d, &c);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

static void see(struct kit *k, unsigned n, uint8_t key, uint8_t against)
{
    struct id id = kit_id(n);
    struct seen seen = {.key = {key}, .against = against, .time_ms = KIT_MS + key};
    struct draft d;
    struct err e = ERR_INIT;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
    draft_seen(&d, &seen, 1);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
}

static int get(struct kit *k, unsigned n, bool canonical, struct prop *out)
{
    struct id id = kit_id(n);
    struct err e = ERR_INIT;
    return store_prop(k->s, &id, canonical, out, &e);
}

static struct prop prop(struct kit *k, unsigned n)
{
    struct prop p;
    assert_int_equal(get(k, n, false, &p), 0);
    return p;
}

static void assert_canonical(struct kit *k, unsigned n, unsigned expected)
{
    struct prop p;
    struct id id = kit_id(expected);
    assert_int_equal(get(k, n, true, &p), 0);
    assert_true(id_eq(&p.id, &id));
    assert_int_equal(p.flags & PROP_MERGED, 0);
}

static void assert_text(struct bytes got, const char *want)
{
    if (!bytes_eq(got, bytes_str(want))) {
        fail_msg("'%.*s' instead of '%s'", (int)got.n, (const char *)got.p, want);
    }
}

/* ---- columns */

static void a_proposition_reads_as_it_was_written(void **state)
{
    struct kit *k = *state;
    kit_told(k, 5, "drinks tea");
    struct prop p = prop(k, 5);
    assert_text(p.text, "drinks tea");
    assert_text(p.origin, "tell");
    assert_text(p.scope, "");
    assert_int_equal(p.decay, 7);
    assert_int_equal(p.flags, PROP_EDITED);
    assert_int_equal(p.support, 0);
    assert_int_equal(p.first_ms, TIME_NONE);
    assert_int_equal(p.created_ms, KIT_MS);
    assert_int_equal(p.changed_ms, KIT_MS);
    struct prop again;
    struct err e = ERR_INIT;
    kit_ok(store_prop_row(k->s, p.row, &again, &e), &e);
    assert_true(id_eq(&again.id, &p.id));
}

static void an_entity_without_text_is_no_proposition_yet(void **state)
{
    struct kit *k = *state;
    struct prop p;
    set_u8(k, 5, CLASS_CONFIRM, REG_PINNED, 1);
    assert_int_equal(get(k, 5, false, &p), ERR_NOTFOUND);
    model_tells(k, 5, "drinks tea");
    assert_int_equal(prop(k, 5).flags, PROP_PINNED);
}

static void verdicts_pins_and_dropping_show_as_flags(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    set_u8(k, 5, CLASS_MODEL, REG_LIFE, 0);
    assert_int_equal(prop(k, 5).flags, PROP_DROPPED);
    set_u8(k, 5, CLASS_CONFIRM, REG_VERDICT, VERDICT_CONFIRMED);
    assert_int_equal(prop(k, 5).flags, PROP_CONFIRMED);
    set_u8(k, 5, CLASS_EDIT, REG_VERDICT, VERDICT_REJECTED);
    assert_int_equal(prop(k, 5).flags & (PROP_CONFIRMED | PROP_REJECTED), PROP_REJECTED);
}

static void two_texts_that_never_saw_each_other_are_a_conflict(void **state)
{
    struct kit *k = *state;
    kit_told(k, 5, "drinks tea");
    kit_told(k, 5, "drinks coffee"); /* names nothing as replaced */
    assert_true((prop(k, 5).flags & PROP_CONFLICT) != 0);
}

static void counters_and_events_are_summed(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    count(k, 5, 1, 3, 1);
    count(k, 5, 2, 4, 0);
    count(k, 5, 1, 5, 1); /* replaces what device 1 had counted */
    see(k, 5, 9, 0);
    see(k, 5, 9, 0);
    see(k, 5, 9, 1); /* judged both ways: it supports */
    see(k, 5, 8, 1);
    struct prop p = prop(k, 5);
    assert_int_equal(p.support, 5 + 4 + 1);
    assert_int_equal(p.against, 1 + 1);
    assert_int_equal(p.devices, 2);
    assert_int_equal(p.first_ms, KIT_MS - 2);
    assert_int_equal(p.last_ms, KIT_MS + 9);
}

static void counts_beyond_what_can_be_stored_stop_at_the_largest(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    count(k, 5, 1, UINT64_MAX, UINT64_MAX);
    count(k, 5, 2, UINT64_MAX, 1);
    assert_int_equal(prop(k, 5).support, INT64_MAX);
    assert_int_equal(prop(k, 5).against, INT64_MAX);
}

static int take_key(void *ctx, const struct seen *seen)
{
    struct buf *b = ctx;
    return buf_put(b, seen->key[0]);
}

static void events_are_read_in_the_order_of_their_keys(void **state)
{
    struct kit *k = *state;
    struct id id = kit_id(5);
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, 64);
    model_tells(k, 5, "drinks tea");
    see(k, 5, 9, 0);
    see(k, 5, 3, 1);
    see(k, 5, 6, 0);
    kit_ok(store_seen(k->s, &id, take_key, &b, &e), &e);
    assert_int_equal(b.n, 3);
    assert_memory_equal(b.p, "\3\6\11", 3);
    buf_release(&b);
}

/* ---- same-as */

static void same_as_shows_one_with_the_evidence_of_all(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    model_tells(k, 6, "likes tea");
    model_tells(k, 7, "tea it is");
    count(k, 5, 1, 3, 0);
    count(k, 6, 2, 4, 1);
    see(k, 5, 9, 0);
    see(k, 7, 9, 0); /* the same event */
    kit_edge(k, SET_SAME_AS, 7, 6);
    kit_edge(k, SET_SAME_AS, 6, 5);
    struct prop p = prop(k, 5);
    assert_int_equal(p.flags, 0);
    assert_int_equal(p.support, 3 + 4 + 1);
    assert_int_equal(p.against, 1);
    assert_int_equal(p.devices, 2);
    assert_int_equal(prop(k, 6).flags, PROP_MERGED);
    assert_int_equal(prop(k, 7).flags, PROP_MERGED);
    assert_canonical(k, 7, 5);
    uint64_t n;
    struct err e = ERR_INIT;
    kit_ok(store_prop_count(k->s, PROP_MERGED, &n, &e), &e);
    assert_int_equal(n, 1);
    count(k, 7, 3, 2, 0); /* later evidence of a member counts, too */
    assert_int_equal(prop(k, 5).support, 10);
}

static void a_group_survives_the_forgetting_of_its_lowest_id(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    model_tells(k, 6, "likes tea");
    model_tells(k, 7, "tea it is");
    kit_edge(k, SET_SAME_AS, 5, 6);
    kit_edge(k, SET_SAME_AS, 5, 7); /* only through the lowest */
    forget(k, 5);                   /* as by another device, which knew it alone */
    struct prop p;
    assert_int_equal(get(k, 5, false, &p), ERR_NOTFOUND);
    assert_canonical(k, 7, 6);
    assert_canonical(k, 5, 6);
    assert_int_equal(prop(k, 7).flags, PROP_MERGED);
}

static void what_the_model_dropped_does_not_stand_for_a_group(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    model_tells(k, 6, "likes tea");
    kit_edge(k, SET_SAME_AS, 5, 6);
    set_u8(k, 5, CLASS_MODEL, REG_LIFE, 0);
    assert_canonical(k, 5, 6);
}

static void a_verdict_on_any_member_holds_for_the_group(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "drinks tea");
    model_tells(k, 6, "likes tea");
    set_u8(k, 5, CLASS_CONFIRM, REG_VERDICT, VERDICT_CONFIRMED);
    kit_edge(k, SET_SAME_AS, 5, 6);
    set_u8(k, 6, CLASS_CONFIRM, REG_VERDICT, VERDICT_REJECTED);
    set_u8(k, 6, CLASS_CONFIRM, REG_PINNED, 1);
    assert_int_equal(prop(k, 5).flags, PROP_REJECTED | PROP_PINNED);
}

static void edges_to_what_has_not_come_wait_for_it(void **state)
{
    struct kit *k = *state;
    kit_edge(k, SET_SAME_AS, 5, 6);
    kit_edge(k, SET_SUPERSEDES, 8, 6);
    model_tells(k, 6, "likes tea");
    assert_int_equal(prop(k, 6).flags, 0);
    model_tells(k, 5, "drinks tea");
    assert_int_equal(prop(k, 6).flags, PROP_MERGED);
    model_tells(k, 8, "drinks coffee");
    assert_int_equal(prop(k, 5).flags, PROP_SUPERSEDED);
}

static void an_edge_taken_back_parts_the_group(void **state)
{
    struct kit *k = *state;
    struct id a = kit_id(5), b = kit_id(6);
    struct err e = ERR_INIT;
    struct draft d;
    uint8_t dots[4][16];
    model_tells(k, 5, "drinks tea");
    model_tells(k, 6, "likes tea");
    kit_edge(k, SET_SAME_AS, 5, 6);
    assert_int_equal(prop(k, 6).flags, PROP_MERGED);
    struct entity *x = entity_new();
    kit_ok(store_entity(k->s, SPACE_EDGE, &a, x, &e), &e);
    size_t n = entity_set_dots(x, SET_SAME_AS, bytes_of(b.b, ID_BYTES), dots, 4);
    draft_init(&d);
    draft_reset(&d, SPACE_EDGE, CLASS_EDIT, &a);
    draft_set_remove(&d, SET_SAME_AS, bytes_of(b.b, ID_BYTES), (const uint8_t(*)[16])dots, n);
    kit_ok(store_write(k->s, &d, &e), &e);
    draft_release(&d);
    entity_free(x);
    assert_int_equal(prop(k, 6).flags, 0);
    assert_int_equal(prop(k, 5).flags, 0);
}

/* ---- supersedes */

static void only_heads_of_a_line_of_revisions_are_current(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "works in Lisbon");
    model_tells(k, 6, "works in Porto");
    model_tells(k, 7, "works in Faro");
    kit_edge(k, SET_SUPERSEDES, 6, 5);
    kit_edge(k, SET_SUPERSEDES, 7, 6);
    assert_int_equal(prop(k, 5).flags, PROP_SUPERSEDED);
    assert_int_equal(prop(k, 6).flags, PROP_SUPERSEDED);
    assert_int_equal(prop(k, 7).flags, 0);
    forget(k, 7);
    assert_int_equal(prop(k, 6).flags, 0);
    assert_int_equal(prop(k, 5).flags, PROP_SUPERSEDED);
    set_u8(k, 6, CLASS_CONFIRM, REG_VERDICT, VERDICT_REJECTED);
    assert_int_equal(prop(k, 5).flags, 0);
}

static void nobody_is_superseded_on_a_circle(void **state)
{
    struct kit *k = *state;
    model_tells(k, 5, "works in Lisbon");
    model_tells(k, 6, "works in Porto");
    model_tells(k, 7, "works in Faro");
    kit_edge(k, SET_SUPERSEDES, 5, 6);
    kit_edge(k, SET_SUPERSEDES, 6, 7);
    kit_edge(k, SET_SUPERSEDES, 7, 5);
    assert_int_equal(prop(k, 5).flags | prop(k, 6).flags | prop(k, 7).flags, 0);
    model_tells(k, 8, "works in Braga");
    kit_edge(k, SET_SUPERSEDES, 8, 6);
    assert_int_equal(prop(k, 6).flags, PROP_SUPERSEDED);
}

static void a_long_line_of_revisions_is_followed(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_begin(k->s, &e), &e);
    for (unsigned n = 0; n < 120; n++) {
        model_tells(k, 300 + n, "writes section after section");
        if (n > 0) {
            kit_edge(k, SET_SUPERSEDES, 300 + n, 299 + n);
        }
    }
    kit_ok(store_commit(k->s, &e), &e);
    uint64_t current;
    kit_ok(store_prop_count(k->s, PROP_SUPERSEDED, &current, &e), &e);
    assert_int_equal(current, 1);
}

/* ---- listing, prefixes */

struct listed {
    size_t n;
    uint32_t all_flags;
};

static int take_prop(void *ctx, const struct prop *p)
{
    struct listed *l = ctx;
    l->n++;
    l->all_flags |= p->flags;
    return 0;
}

static int stop_at_once(void *ctx, const struct prop *p)
{
    (void)p;
    ++*(int *)ctx;
    return 7;
}

static void listing_leaves_out_what_is_not_wanted(void **state)
{
    struct kit *k = *state;
    struct listed l = {0};
    struct err e = ERR_INIT;
    for (unsigned n = 5; n < 15; n++) {
        model_tells(k, n, "drinks tea");
    }
    set_u8(k, 6, CLASS_MODEL, REG_LIFE, 0);
    set_u8(k, 7, CLASS_CONFIRM, REG_VERDICT, VERDICT_REJECTED);
    forget(k, 8);
    kit_ok(store_props(k->s, PROP_DROPPED | PROP_REJECTED, take_prop, &l, &e), &e);
    assert_int_equal(l.n, 7);
    assert_int_equal(l.all_flags, 0);
    int calls = 0;
    assert_int_equal(store_props(k->s, 0, stop_at_once, &calls, &e), 7);
    assert_int_equal(calls, 1);
}

static int find(struct kit *k, const char *prefix, struct id *out, struct err *e)
{
    return store_prop_find(k->s, bytes_str(prefix), out, e);
}

static void ids_are_found_by_any_unique_prefix(void **state)
{
    struct kit *k = *state;
    struct id a = kit_id(0x41), b = kit_id(0x41), c = kit_id(0x90), out;
    struct err e = ERR_INIT;
    b.b[5] ^= 1; /* differs in bit 47: the tenth character */
    kit_ok(kit_tell(k, &a, "a", &e), &e);
    kit_ok(kit_tell(k, &b, "b", &e), &e);
    kit_ok(kit_tell(k, &c, "c", &e), &e);
    char text[ID_TEXT + 1];
    size_t chars;
    id_text(&a, text);
    kit_ok(store_prop_prefix(k->s, &a, &chars, &e), &e);
    assert_int_equal(chars, 10);
    kit_ok(store_prop_prefix(k->s, &c, &chars, &e), &e);
    assert_int_equal(chars, 4);
    text[10] = '\0';
    kit_ok(find(k, text, &out, &e), &e);
    assert_true(id_eq(&out, &a));
    text[9] = '\0';
    assert_int_equal(find(k, text, &out, &e), ERR_AMBIGUOUS);
    id_text(&b, text);
    assert_non_null(strstr(e.hint, text));
    kit_ok(find(k, text, &out, &e), &e);
    assert_true(id_eq(&out, &b));
    assert_int_equal(find(k, "zzzz", &out, &e), ERR_NOTFOUND);
    assert_int_equal(find(k, "", &out, &e), ERR_FORMAT);
    assert_int_equal(find(k, "no!", &out, &e), ERR_FORMAT);
}

static void a_forgotten_id_is_said_to_be_forgotten(void **state)
{
    struct kit *k = *state;
    struct id id = kit_id(5), out;
    struct err e = ERR_INIT;
    char text[ID_TEXT + 1];
    kit_told(k, 5, "drinks tea");
    forget(k, 5);
    id_text(&id, text);
    assert_int_equal(find(k, text, &out, &e), ERR_FORGOTTEN);
    text[6] = '\0';
    assert_int_equal(find(k, text, &out, &e), ERR_NOTFOUND);
}

/* ---- entities, history, settings */

static int take_texts(void *ctx, const struct op_record *r)
{
    struct buf *b = ctx;
    struct op op;
    struct err e = ERR_INIT;
    if (r->op.n == 0) {
        return buf_put(b, '-');
    }
    kit_ok(op_decode(r->op, &op, &e), &e);
    return buf_put(b, (uint8_t)('0' + op.cls));
}

static void history_is_every_op_oldest_first(void **state)
{
    struct kit *k = *state;
    struct id id = kit_id(5);
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, 64);
    model_tells(k, 5, "drinks tea");
    kit_told(k, 6, "something else");
    set_u8(k, 5, CLASS_CONFIRM, REG_VERDICT, VERDICT_CONFIRMED);
    kit_told(k, 5, "drinks coffee");
    kit_ok(store_history(k->s, SPACE_PROPOSITION, &id, take_texts, &b, &e), &e);
    assert_text(buf_view(&b), "123");
    forget(k, 5);
    buf_clear(&b);
    kit_ok(store_history(k->s, SPACE_PROPOSITION, &id, take_texts, &b, &e), &e);
    assert_text(buf_view(&b), "---3");
    buf_release(&b);
}

static int count_entity(void *ctx, const struct id *id, const struct entity *x)
{
    (void)id;
    *(size_t *)ctx += !entity_forgotten(x);
    return 0;
}

static void entities_of_a_space_are_listed(void **state)
{
    struct kit *k = *state;
    size_t n = 0;
    struct err e = ERR_INIT;
    struct id nobody = kit_id(77);
    kit_ok(store_setting_set(k->s, "a", BYTES_LIT("1"), &e), &e);
    kit_ok(store_setting_set(k->s, "b", BYTES_LIT("2"), &e), &e);
    kit_ok(store_entities(k->s, SPACE_SETTING, count_entity, &n, &e), &e);
    assert_int_equal(n, 2);
    struct entity *x = entity_new();
    assert_int_equal(store_entity(k->s, SPACE_GRANT, &nobody, x, &e), ERR_NOTFOUND);
    entity_free(x);
}

static void settings_keep_their_last_value_without_conflict(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct buf v;
    bool found = true;
    buf_init(&v, LIMIT_SETTING_BYTES);
    kit_ok(store_setting(k->s, "norms", &v, &found, &e), &e);
    assert_false(found);
    kit_ok(store_setting_set(k->s, "norms", BYTES_LIT("one"), &e), &e);
    kit_ok(store_setting_set(k->s, "norms", BYTES_LIT("two"), &e), &e);
    kit_reopen(k);
    kit_ok(store_setting(k->s, "norms", &v, &found, &e), &e);
    assert_true(found);
    assert_text(buf_view(&v), "two");
    struct id id;
    uint64_t tags[2];
    struct entity *x = entity_new();
    settings_id(BYTES_LIT("norms"), &id);
    kit_ok(store_entity(k->s, SPACE_SETTING, &id, x, &e), &e);
    assert_int_equal(entity_conflicts(x, tags, 2), 0);
    entity_free(x);
    static const uint8_t big[LIMIT_SETTING_BYTES + 1] = {'x'};
    assert_int_equal(store_setting_set(k->s, "norms", bytes_of(big, sizeof big), &e), ERR_LIMIT);
    buf_release(&v);
}

static void the_lease_is_kept(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    uint8_t lease[16], want[16] = {1, 2, 3};
    kit_ok(store_lease_set(k->s, want, &e), &e);
    kit_reopen(k);
    kit_ok(store_lease(k->s, lease, &e), &e);
    assert_memory_equal(lease, want, 16);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_proposition_reads_as_it_was_written),
        T(an_entity_without_text_is_no_proposition_yet),
        T(verdicts_pins_and_dropping_show_as_flags),
        T(two_texts_that_never_saw_each_other_are_a_conflict),
        T(counters_and_events_are_summed),
        T(counts_beyond_what_can_be_stored_stop_at_the_largest),
        T(events_are_read_in_the_order_of_their_keys),
        T(same_as_shows_one_with_the_evidence_of_all),
        T(a_group_survives_the_forgetting_of_its_lowest_id),
        T(what_the_model_dropped_does_not_stand_for_a_group),
        T(a_verdict_on_any_member_holds_for_the_group),
        T(edges_to_what_has_not_come_wait_for_it),
        T(an_edge_taken_back_parts_the_group),
        T(only_heads_of_a_line_of_revisions_are_current),
        T(nobody_is_superseded_on_a_circle),
        T(a_long_line_of_revisions_is_followed),
        T(listing_leaves_out_what_is_not_wanted),
        T(ids_are_found_by_any_unique_prefix),
        T(a_forgotten_id_is_said_to_be_forgotten),
        T(history_is_every_op_oldest_first),
        T(entities_of_a_space_are_listed),
        T(settings_keep_their_last_value_without_conflict),
        T(the_lease_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
