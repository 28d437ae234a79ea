/* What travels between a device that does not think and the one that does: it reads back, and nothing else is
 * read. */
#include "node/infer/errand_body.h"

#include "node/infer/consent.h"
#include "tests/support/unit.h"

#include <string.h>

#define NOW INT64_C(1770000000000)

static const struct errand_head head = {{{1, 2, 3}}, {{4, 5, 6}}};

static void work_fill(struct work *w, size_t n)
{
    work_init(w);
    for (size_t i = 0; i < n; i++) {
        struct stored_observation o = {.time_ms = NOW + (int64_t)i,
                                       .end_ms = TIME_NONE,
                                       .offset_min = 60,
                                       .source = BYTES_LIT("note"),
                                       .text = BYTES_LIT("likes \xc3\xbc"
                                                         "ber-okapis"),
                                       .title = BYTES_LIT("zoo")};
        memset(o.key, (int)i + 1, sizeof o.key);
        assert_int_equal(work_add(w, &o, &head.sender, i == 1), 0);
    }
    work_finish(w);
}

static void content_of(size_t n, struct buf *out)
{
    struct work w;
    bool remote[BATCH_MAX] = {true};
    work_fill(&w, n);
    buf_init(out, ERRAND_SEALED_MAX);
    assert_int_equal(errand_put(&head, &w, remote, out), 0);
    work_release(&w);
}

static void an_errand_reads_back(void **state)
{
    (void)state;
    struct buf content;
    struct errand_head h;
    static struct errand_items items;
    content_of(3, &content);
    assert_int_equal(content.n % ERRAND_PAD, 0);
    assert_int_equal(errand_read(buf_view(&content), &h, &items), 0);
    assert_true(id_eq(&h.errand, &head.errand) && id_eq(&h.sender, &head.sender));
    assert_int_equal(items.n, 3);
    assert_true(items.remote[0] && !items.remote[1] && items.guarded[1] && !items.guarded[2]);
    const struct stored_observation *o = &items.v[2];
    assert_int_equal(o->row, 2);
    assert_int_equal(o->time_ms, NOW + 2);
    assert_int_equal(o->end_ms, TIME_NONE);
    assert_int_equal(o->offset_min, 60);
    assert_int_equal(o->key[15], 3);
    assert_true(bytes_eq(o->source, BYTES_LIT("note")) && bytes_eq(o->title, BYTES_LIT("zoo")));
    assert_int_equal(o->app.n, 0);
    buf_release(&content);
}

static void a_full_batch_fits_and_the_size_hides_a_few_bytes(void **state)
{
    (void)state;
    struct buf one, two, full;
    content_of(1, &one);
    content_of(2, &two);
    content_of(BATCH_MAX, &full);
    assert_int_equal(one.n, two.n);
    assert_true(full.n <= ERRAND_SEALED_MAX);
    buf_release(&one);
    buf_release(&two);
    buf_release(&full);
}

/* Every cut, and bytes behind it. */
static void a_content_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    struct buf content;
    struct errand_head h;
    static struct errand_items items;
    content_of(2, &content);
    for (size_t cut = 0; cut < content.n; cut++) {
        assert_int_not_equal(errand_read(bytes_slice(buf_view(&content), 0, cut), &h, &items), 0);
        assert_int_equal(items.n, 0);
    }
    uint8_t more[ERRAND_PAD] = {0};
    assert_int_equal(buf_bytes(&content, bytes_of(more, sizeof more)), 0);
    assert_int_equal(errand_read(buf_view(&content), &h, &items), ERR_FORMAT);
    buf_release(&content);
}

/* What a flipped bit makes of it is refused, or is within all bounds. */
static void damage_is_refused_or_within_bounds(void **state)
{
    (void)state;
    struct buf content;
    struct errand_head h;
    static struct errand_items items;
    size_t refused = 0;
    content_of(2, &content);
    for (size_t bit = 0; bit < content.n * 8; bit++) {
        content.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += errand_read(buf_view(&content), &h, &items) != 0;
        for (size_t i = 0; i < items.n; i++) {
            assert_true(items.v[i].source.n > 0 && items.v[i].time_ms >= 0);
            assert_true(items.v[i].text.n <= ERRAND_TEXT_BYTES && items.v[i].title.n <= ERRAND_FIELD_BYTES);
        }
        content.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > content.n); /* the padding alone */
    assert_int_equal(errand_read(buf_view(&content), &h, &items), 0);
    content.p[0] = 2;
    assert_int_equal(errand_read(buf_view(&content), &h, &items), ERR_VERSION);
    buf_release(&content);
}

static void what_cannot_travel_costs_more_than_there_is(void **state)
{
    (void)state;
    struct stored_observation o = {.time_ms = NOW, .end_ms = TIME_NONE, .source = BYTES_LIT("note")};
    assert_true(errand_fits(0, errand_cost(&o)));
    assert_false(errand_fits(ERRAND_SEALED_MAX, errand_cost(&o)));
    o.source = BYTES_NONE;
    assert_true(errand_cost(&o) == SIZE_MAX && !errand_fits(0, SIZE_MAX));
    o.source = BYTES_LIT("note");
    o.text = BYTES_LIT("\xff");
    assert_true(errand_cost(&o) == SIZE_MAX);
}

static int count(void *ctx, const struct answer_claim *c)
{
    size_t *n = ctx;
    assert_true(c->n > 0 && c->place[c->n - 1] < 4);
    ++*n;
    return 0;
}

static void an_answer_reads_back_for_its_errand_alone(void **state)
{
    (void)state;
    const struct answer_claim claims[] = {
        {.prop = {{9}}, .worded = true, .n = 2, .place = {0, 3}, .against = {false, true}},
        {.prop = {{8}}, .n = 1, .place = {1}},
    };
    struct buf content;
    size_t n = 0;
    buf_init(&content, ERRAND_SEALED_MAX);
    assert_int_equal(answer_put(&head.errand, claims, 2, &content), 0);
    assert_int_equal(answer_read(buf_view(&content), &head.errand, 4, count, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(answer_read(buf_view(&content), &head.sender, 4, count, &n), ERR_FORMAT);
    assert_int_not_equal(answer_read(buf_view(&content), &head.errand, 3, count, &n), 0);
    for (size_t cut = 0; cut < content.n; cut++)
        assert_int_not_equal(answer_read(bytes_slice(buf_view(&content), 0, cut), &head.errand, 4, count, &n),
                             0);
    assert_int_equal(n, 2); /* nothing is given out of what is not whole */
    buf_release(&content);
}

static void nothing_travels_without_a_line(void **state)
{
    (void)state;
    const struct bytes some = BYTES_LIT("note local\nbash remote\n");
    assert_int_equal(consent_of(BYTES_NONE, BYTES_LIT("note")), CONSENT_NONE);
    assert_int_equal(consent_of(some, BYTES_LIT("note")), CONSENT_LOCAL);
    assert_int_equal(consent_of(some, BYTES_LIT("bash")), CONSENT_REMOTE);
    assert_int_equal(consent_of(some, BYTES_LIT("git")), CONSENT_NONE);
    assert_int_equal(consent_of(BYTES_LIT("* local\nnote remote"), BYTES_LIT("git")), CONSENT_LOCAL);
    assert_true(consent_suits(CONSENT_LOCAL, false) && !consent_suits(CONSENT_LOCAL, true));
    assert_true(consent_suits(CONSENT_REMOTE, true) && !consent_suits(CONSENT_NONE, false));
    assert_int_equal(consent_check(some, NULL), 0);
    assert_int_not_equal(consent_check(BYTES_LIT("note everywhere"), NULL), 0);
    assert_int_not_equal(consent_check(BYTES_LIT("note"), NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_errand_reads_back),
        cmocka_unit_test(a_full_batch_fits_and_the_size_hides_a_few_bytes),
        cmocka_unit_test(a_content_is_taken_whole_or_not_at_all),
        cmocka_unit_test(damage_is_refused_or_within_bounds),
        cmocka_unit_test(what_cannot_travel_costs_more_than_there_is),
        cmocka_unit_test(an_answer_reads_back_for_its_errand_alone),
        cmocka_unit_test(nothing_travels_without_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
