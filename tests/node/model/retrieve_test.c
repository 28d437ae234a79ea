#include "node/model/retrieve.h"

#include "tests/support/unit.h"

#include "node/model/claim.h"
#include "tests/node/infer/device.h"

#include <string.h>

#define NOW DAY_MS(MONDAY + 60)

static struct device d;
static struct err e;
static struct ranked_list found;
static unsigned next_id;

static int setup(void **state)
{
    (void)state;
    device_init(&d, 1, NOW);
    ranked_list_init(&found);
    next_id = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ranked_list_release(&found);
    device_release(&d);
    return 0;
}

struct told {
    const char *text, *scope;
    uint8_t kind, decay;
    uint16_t prior;
    bool pinned;
    uint8_t verdict;
    int64_t last_ms; /* 0: no evidence */
};

static struct id tell(const struct told *t)
{
    struct draft draft;
    struct id id = {{0}};
    id.b[0] = (uint8_t)(++next_id);
    const uint8_t prior[2] = {(uint8_t)(t->prior >> 8), (uint8_t)t->prior};
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, t->last_ms != 0 ? CLASS_MODEL : CLASS_EDIT, &id);
    draft_reg(&draft, REG_TEXT, bytes_str(t->text), NULL, 0);
    draft_reg_u8(&draft, REG_DECAY, t->decay > 0 ? t->decay : 8, NULL, 0);
    draft_reg_u8(&draft, REG_KIND, t->kind > 0 ? t->kind : KIND_TOLD, NULL, 0);
    if (t->prior > 0)
        draft_reg(&draft, REG_PRIOR, bytes_of(prior, 2), NULL, 0);
    if (t->scope != NULL)
        draft_reg(&draft, REG_SCOPE, bytes_str(t->scope), NULL, 0);
    if (t->pinned)
        draft_reg_u8(&draft, REG_PINNED, 1, NULL, 0);
    if (t->verdict != 0)
        draft_reg_u8(&draft, REG_VERDICT, t->verdict, NULL, 0);
    if (t->last_ms != 0)
        draft_count(&draft, &(struct count){.device = d.id,
                                            .source = BYTES_LIT("zsh"),
                                            .support = 5,
                                            .first_ms = t->last_ms,
                                            .last_ms = t->last_ms});
    assert_int_equal(store_write(d.s, &draft, &e), 0);
    draft_release(&draft);
    return id;
}

static void ask(const char *text, size_t max)
{
    const struct retrieve_query q = {.text = bytes_str(text), .max = max, .at_ms = NOW};
    ranked_list_release(&found);
    ranked_list_init(&found);
    assert_int_equal(retrieve(d.s, &q, &found, &e), 0);
}

static void expect(size_t i, const char *text)
{
    assert_true(i < found.n);
    if (!bytes_eq(found.v[i].p.text, bytes_str(text)))
        fail_msg("result %zu is '%.*s', not '%s'", i, (int)found.v[i].p.text.n, found.v[i].p.text.p, text);
}

static void the_better_match_comes_first(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Likes green tea in the morning"});
    tell(&(struct told){.text = "Likes strong coffee"});
    tell(&(struct told){.text = "Works at a bank"});
    ask("which tea does she like in the morning", 10);
    expect(0, "Likes green tea in the morning");
    for (size_t i = 0; i < found.n; i++)
        assert_false(bytes_eq(found.v[i].p.text, BYTES_LIT("Works at a bank")));
}

static void singular_and_plural_meet(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Is allergic to peanuts"});
    tell(&(struct told){.text = "Studied at two universities"});
    ask("peanut", 10);
    expect(0, "Is allergic to peanuts");
    ask("university", 10);
    expect(0, "Studied at two universities");
}

static void confidence_and_recency_decide_between_equals(void **state)
{
    (void)state;
    tell(&(struct told){
        .text = "Prefers the window seat", .kind = KIND_TOOL, .decay = 4, .last_ms = NOW - 5 * MS_DAY});
    tell(&(struct told){
        .text = "Prefers the aisle seat", .kind = KIND_TOOL, .decay = 4, .last_ms = NOW - MS_HOUR});
    ask("seat", 10);
    expect(0, "Prefers the aisle seat");
    expect(1, "Prefers the window seat");
}

static void faded_and_rejected_ones_come_only_when_all_are_asked_for(void **state)
{
    (void)state;
    tell(&(struct told){
        .text = "Works on parsers", .kind = KIND_FOCUS, .decay = 1, .last_ms = NOW - 30 * MS_DAY});
    tell(&(struct told){.text = "Hates parsers", .verdict = VERDICT_REJECTED});
    ask("parsers", 10);
    assert_int_equal(found.n, 0);
    const struct retrieve_query q = {.text = BYTES_LIT("parsers"), .max = 10, .at_ms = NOW, .all = true};
    assert_int_equal(retrieve(d.s, &q, &found, &e), 0);
    assert_int_equal(found.n, 2);
}

static void pinned_ones_come_first_without_a_common_word(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Is vegetarian", .pinned = true});
    tell(&(struct told){.text = "Likes restaurants by the sea"});
    ask("book a restaurant", 10);
    expect(0, "Is vegetarian");
    expect(1, "Likes restaurants by the sea");
    for (int i = 0; i < 9; i++)
        tell(&(struct told){.text = "Another pinned thing", .pinned = true});
    ask("book a restaurant", 10);
    assert_int_equal(found.n, 6);
    expect(5, "Likes restaurants by the sea");
}

static void scopes_bring_in_and_keep_out(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Wants short answers", .scope = "chat"});
    tell(&(struct told){.text = "Writes tests in the evening", .scope = "code"});
    tell(&(struct told){.text = "Drinks coffee while writing"});
    const struct retrieve_query q = {
        .text = BYTES_LIT("writing tests"), .scope = BYTES_LIT("chat"), .max = 10, .at_ms = NOW};
    assert_int_equal(retrieve(d.s, &q, &found, &e), 0);
    assert_int_equal(found.n, 2);
    expect(0, "Drinks coffee while writing");
    expect(1, "Wants short answers");
}

static void earlier_turns_count_less_than_the_query(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Has a dentist in Lisbon"});
    tell(&(struct told){.text = "Plays the piano"});
    const struct bytes context[] = {BYTES_LIT("My tooth hurts, I need a dentist."),
                                    BYTES_LIT("I am sorry to hear that.")};
    const struct retrieve_query q = {.text = BYTES_LIT("can I play the piano tonight?"),
                                     .context = context,
                                     .n_context = 2,
                                     .max = 10,
                                     .at_ms = NOW};
    assert_int_equal(retrieve(d.s, &q, &found, &e), 0);
    expect(0, "Plays the piano");
    expect(1, "Has a dentist in Lisbon");
}

static void what_evidence_says_finds_the_claim(void **state)
{
    (void)state;
    struct observation o[8];
    for (int day = 0; day < 8; day++)
        o[day] = seen_command(MONDAY + 50 + day, 600, "kubectl rollout status deployment/billing");
    device_take(&d, o, 8);
    ask("billing", 10);
    expect(0, "Uses kubectl");
}

static void near_duplicates_make_room_for_others(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        tell(&(struct told){.text = "Drinks green tea every single morning at home"});
    tell(&(struct told){.text = "Green tea gives her a headache according to the doctor she saw"});
    ask("green tea", 3);
    assert_int_equal(found.n, 3);
    bool other = false;
    for (size_t i = 0; i < found.n; i++)
        other |= bytes_starts(found.v[i].p.text, BYTES_LIT("Green tea gives"));
    assert_true(other);
}

static void odd_queries_find_nothing_and_do_no_harm(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Likes tea"});
    static const char *const odd[] = {"",           " ", "\"",       "\"\" AND OR NOT (",
                                      "the and of", "*", "\xff\xfe", "a-b:c^2"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        ask(odd[i], 10);
        assert_int_equal(found.n, 0);
    }
}

static void the_order_is_the_same_every_time(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++)
        tell(&(struct told){.text = i % 3 ? "Reads about compilers" : "Writes compilers"});
    struct id first[20];
    ask("compilers", 20);
    for (size_t i = 0; i < 20; i++)
        first[i] = found.v[i].p.id;
    ask("compilers", 20);
    for (size_t i = 0; i < 20; i++)
        assert_true(id_eq(&first[i], &found.v[i].p.id));
}

static void listing_shows_pinned_then_strongest_and_counts_the_rest(void **state)
{
    (void)state;
    tell(&(struct told){.text = "Weak", .prior = 300});
    tell(&(struct told){.text = "Strong", .prior = 990});
    tell(&(struct told){.text = "Pinned", .prior = 200, .pinned = true});
    tell(&(struct told){.text = "Faded", .kind = KIND_FOCUS, .decay = 1, .last_ms = NOW - 30 * MS_DAY});
    tell(&(struct told){.text = "Rejected", .verdict = VERDICT_REJECTED});
    struct list_filter f = {.at_ms = NOW};
    assert_int_equal(model_list(d.s, &f, &found, &e), 0);
    assert_int_equal(found.n, 3);
    assert_int_equal(found.older, 2);
    expect(0, "Pinned");
    expect(1, "Strong");
    expect(2, "Weak");
    f.all = true;
    f.max = 4;
    ranked_list_release(&found);
    ranked_list_init(&found);
    assert_int_equal(model_list(d.s, &f, &found, &e), 0);
    assert_int_equal(found.n, 4);
    f = (struct list_filter){.at_ms = NOW, .kind = BYTES_LIT("focus"), .all = true};
    ranked_list_release(&found);
    ranked_list_init(&found);
    assert_int_equal(model_list(d.s, &f, &found, &e), 0);
    assert_int_equal(found.n, 1);
    assert_true(found.v[0].faded);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_better_match_comes_first),
        T(singular_and_plural_meet),
        T(confidence_and_recency_decide_between_equals),
        T(faded_and_rejected_ones_come_only_when_all_are_asked_for),
        T(pinned_ones_come_first_without_a_common_word),
        T(scopes_bring_in_and_keep_out),
        T(earlier_turns_count_less_than_the_query),
        T(what_evidence_says_finds_the_claim),
        T(near_duplicates_make_room_for_others),
        T(odd_queries_find_nothing_and_do_no_harm),
        T(the_order_is_the_same_every_time),
        T(listing_shows_pinned_then_strongest_and_counts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
