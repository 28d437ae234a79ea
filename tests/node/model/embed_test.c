#include "node/model/embed.h"

#include "tests/support/unit.h"

#include "tests/node/infer/device.h"
#include "tests/node/model/maketable.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW DAY_MS(MONDAY)
#define ASKED_MAX 512

/* A model that says of each text how often some letters occur in it, when it is let. */
struct scripted {
    const char *name;
    bool ready, down; /* down: takes requests and never answers */
    int fails;        /* so many answers are this error */
    int error;
    size_t dims;
    const char *poison; /* a request with such a text fails with ERR_FORMAT */
    struct {
        int64_t ticket; /* 0: none */
        answer_fn *fn;
        void *ctx;
        float *v;
        size_t n;
        bool poisoned;
    } q[8];
    int64_t tickets;
    unsigned asked, urgent, texts, waited_ms;
    size_t largest;
};

static struct device d;
static struct scripted scripted;
static struct log quiet;
static struct embed *x;
static struct tmp_dir dir;
static char table_path[TMP_PATH_BYTES];

static const char *scripted_model(void *ctx)
{
    return ((struct scripted *)ctx)->name;
}

static bool scripted_ready(void *ctx)
{
    return ((struct scripted *)ctx)->ready;
}

static void letters(struct bytes text, float *v, size_t dims)
{
    memset(v, 0, dims * sizeof *v);
    for (size_t i = 0; i < text.n; i++)
        v[text.p[i] % dims] += 1;
}

static int scripted_ask(void *ctx, const struct embed_ask *a, answer_fn *fn, void *fn_ctx, int64_t *ticket,
                        struct err *e)
{
    struct scripted *s = ctx;
    size_t at = 0;
    while (at < 8 && s->q[at].ticket != 0)
        at++;
    if (at == 8)
        return err_set(e, ERR_FULL, "the queue is full");
    *ticket = s->q[at].ticket = ++s->tickets;
    s->q[at].fn = fn;
    s->q[at].ctx = fn_ctx;
    s->q[at].n = a->n;
    s->q[at].poisoned = false;
    s->q[at].v = calloc(a->n * s->dims, sizeof(float));
    for (size_t i = 0; i < a->n; i++) {
        assert_true(a->texts[i].n > 0);
        letters(a->texts[i], s->q[at].v + i * s->dims, s->dims);
        if (s->poison != NULL && bytes_find(a->texts[i], bytes_str(s->poison)) != SIZE_MAX)
            s->q[at].poisoned = true;
    }
    s->asked++;
    s->urgent += a->urgent;
    s->texts += (unsigned)a->n;
    s->largest = a->n > s->largest ? a->n : s->largest;
    return 0;
}

static void scripted_cancel(void *ctx, int64_t ticket)
{
    struct scripted *s = ctx;
    for (size_t i = 0; i < 8; i++) {
        if (s->q[i].ticket == ticket) {
            s->q[i].ticket = 0;
            free(s->q[i].v);
        }
    }
}

/* Answers all that waits. */
static void scripted_answer(struct scripted *s)
{
    for (size_t i = 0; i < 8; i++) {
        if (s->q[i].ticket == 0)
            continue;
        float *v = s->q[i].v;
        int rc = s->fails > 0 ? s->error : s->q[i].poisoned ? ERR_FORMAT : 0;
        s->fails -= s->fails > 0;
        s->q[i].ticket = 0;
        const struct answer a = {.rc = rc,
                                 .vectors = rc == 0 ? v : NULL,
                                 .n_vectors = rc == 0 ? s->q[i].n : 0,
                                 .n_dims = rc == 0 ? s->dims : 0};
        s->q[i].fn(s->q[i].ctx, &a);
        free(v);
    }
}

static void scripted_wait(void *ctx, int ms)
{
    struct scripted *s = ctx;
    if (!s->down) {
        scripted_answer(s);
        return;
    }
    s->waited_ms += (unsigned)ms;
    d.test_clock.mono_ms += ms;
}

static const struct embedder embedder = {&scripted,    scripted_model,  scripted_ready,
                                         scripted_ask, scripted_cancel, scripted_wait};

static int setup(void **state)
{
    struct buf file;
    static const struct made_token tokens[] = {{"tea", {1, 0.2f, 0}},      {"beverage", {1, 0, 0.1f}},
                                               {"guitar", {0, 1, 0.2f}},   {"music", {0, 1, 0}},
                                               {"mountain", {0, 0.1f, 1}}, {NULL, {0}}};
    (void)state;
    device_init(&d, 1, NOW);
    tmp_dir_make(&dir);
    buf_init(&file, 1 << 20);
    make_table(tokens, 3, "by hand", &file);
    tmp_write(tmp_path(&dir, "words.table", table_path), buf_view(&file));
    buf_release(&file);
    scripted = (struct scripted){.name = "letters", .ready = true, .dims = 64};
    x = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    embed_close(x);
    for (size_t i = 0; i < 8; i++)
        assert_true(scripted.q[i].ticket == 0); /* nothing would call into what is closed */
    device_release(&d);
    tmp_dir_remove(&dir);
    return 0;
}

static void start(const struct embedder *model, const char *table)
{
    struct err e = ERR_INIT;
    const struct embed_config cfg = {.store = d.s,
                                     .clock = &d.clock,
                                     .log = &quiet,
                                     .model = model,
                                     .table = table,
                                     .keeper = true,
                                     .owner = true};
    embed_close(x);
    assert_int_equal(embed_open(&x, &cfg, &e), 0);
}

static void tell(unsigned n, const char *text)
{
    struct draft draft;
    struct err e = ERR_INIT;
    struct id id = {{0}};
    id.b[0] = (uint8_t)(n >> 8);
    id.b[1] = (uint8_t)n;
    id.b[2] = 1;
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, CLASS_EDIT, &id);
    draft_reg(&draft, REG_TEXT, bytes_str(text), NULL, 0);
    draft_reg_u8(&draft, REG_DECAY, 8, NULL, 0);
    draft_reg_u8(&draft, REG_KIND, KIND_TOLD, NULL, 0);
    assert_int_equal(store_write(d.s, &draft, &e), 0);
    draft_release(&draft);
}

/* Steps until there is nothing to do before the clock moves on by more than a moment. */
static int64_t settle(void)
{
    int64_t next = 0;
    for (int i = 0; i < 1000; i++) {
        next = embed_step(x);
        bool waits = false;
        for (size_t k = 0; k < 8; k++)
            waits |= scripted.q[k].ticket != 0;
        if (waits && !scripted.down)
            scripted_answer(&scripted);
        else if (next == TIME_NONE || next > d.test_clock.mono_ms + 1000)
            return next;
        else
            d.test_clock.mono_ms = next > d.test_clock.mono_ms ? next : d.test_clock.mono_ms;
    }
    fail_msg("it never settles");
    return next;
}

static const float *question(const char *text)
{
    const struct retrieve_query q = {.text = bytes_str(text), .max = 10, .at_ms = NOW};
    return embed_question(x, &q);
}

/* Whether a query finds the text first. */
static bool first(const char *query, const char *text)
{
    struct ranked_list l;
    struct err e = ERR_INIT;
    struct retrieve_query q = {.text = bytes_str(query), .max = 10, .at_ms = NOW};
    ranked_list_init(&l);
    q.vector = embed_question(x, &q);
    assert_int_equal(retrieve(d.s, &q, &l, &e), 0);
    bool is = l.n > 0 && bytes_eq(l.v[0].p.text, bytes_str(text));
    ranked_list_release(&l);
    return is;
}

static void tell_some(void)
{
    tell(1, "drinks tea");
    tell(2, "plays the guitar");
    tell(3, "climbs a mountain");
}

/* ---- a table ---- */

static void a_table_finds_what_shares_no_word(void **state)
{
    (void)state;
    tell_some();
    start(NULL, NULL);
    assert_null(question("beverage"));
    assert_false(first("beverage", "drinks tea"));
    start(NULL, table_path);
    assert_int_equal(settle(), TIME_NONE);
    assert_string_equal(embed_source(x), "table");
    assert_int_equal(store_vectors_count(d.s), 3);
    assert_true(first("which beverage", "drinks tea"));
    assert_true(first("music", "plays the guitar"));
    assert_int_equal(scripted.asked, 0);
}

static void opening_takes_nothing_and_the_rest_comes_in_steps(void **state)
{
    (void)state;
    char text[64];
    for (unsigned i = 0; i < 700; i++) {
        (void)snprintf(text, sizeof text, "tea number %u", i);
        tell(i, text);
    }
    start(NULL, table_path);
    assert_int_equal(store_vectors_count(d.s), 0);
    assert_true(first("tea number 7", "tea number 7")); /* by words */
    assert_true(embed_step(x) != TIME_NONE);
    assert_true(store_vectors_count(d.s) > 0 && store_vectors_count(d.s) < 700);
    assert_int_equal(settle(), TIME_NONE);
    assert_int_equal(store_vectors_count(d.s), 700);
    tell(900, "has a mountain bike");
    assert_int_equal(settle(), TIME_NONE);
    assert_int_equal(store_vectors_count(d.s), 701);
}

static void a_table_that_is_none_is_left_out(void **state)
{
    (void)state;
    tmp_write(table_path, BYTES_LIT("not a table"));
    start(NULL, table_path);
    assert_null(embed_source(x));
    assert_null(question("tea"));
    assert_int_equal(embed_step(x), TIME_NONE);
}

static void earlier_turns_count_less(void **state)
{
    (void)state;
    start(NULL, table_path);
    const struct bytes turns[] = {BYTES_LIT("a mountain"), BYTES_LIT("some music")};
    const struct retrieve_query q = {.text = BYTES_LIT("tea"), .context = turns, .n_context = 2};
    const float *v = embed_question(x, &q);
    assert_non_null(v);
    assert_true(v[0] > v[1] && v[1] > v[2] && v[2] > 0);
}

static void nothing_set_leaves_no_vectors(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    tell_some();
    start(NULL, table_path);
    (void)settle();
    start(NULL, NULL);
    assert_int_equal(embed_step(x), TIME_NONE);
    assert_int_equal(store_vectors_count(d.s), 0);
    assert_false(tmp_exists(tmp_path(&d.dir, "store.db-vectors", path)));
}

/* ---- a model ---- */

static void a_model_fills_in_batches_and_its_vectors_stay(void **state)
{
    (void)state;
    char text[64];
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(text, sizeof text, "statement number %u", i);
        tell(i, text);
    }
    start(&embedder, table_path);
    assert_int_equal(settle(), TIME_NONE);
    assert_string_equal(embed_source(x), "letters");
    assert_int_equal(store_vectors_count(d.s), 300);
    assert_true(scripted.largest <= EMBED_BATCH && scripted.asked <= 1 + 300 / EMBED_BATCH + 5);
    assert_int_equal(scripted.urgent, 0);
    unsigned asked = scripted.asked;
    start(&embedder, table_path);
    assert_int_equal(settle(), TIME_NONE);
    assert_int_equal(scripted.asked, asked); /* the dims are known, and all is there */
    assert_int_equal(store_vectors_count(d.s), 300);
}

static void another_model_begins_anew(void **state)
{
    (void)state;
    tell_some();
    start(&embedder, NULL);
    (void)settle();
    unsigned texts = scripted.texts;
    scripted.name = "other";
    scripted.dims = 32;
    (void)settle();
    assert_int_equal(store_vectors_count(d.s), 3);
    assert_int_equal(scripted.texts, texts + 1 + 3); /* its dims, and all */
    scripted.dims = 48;                              /* the same name, another model behind it */
    tell(9, "sings");
    (void)settle();
    assert_int_equal(store_vectors_count(d.s), 4);
    assert_true(first("sings", "sings"));
}

static void a_question_waits_for_its_vector_and_asks_once(void **state)
{
    (void)state;
    tell_some();
    start(&embedder, NULL);
    (void)settle();
    unsigned asked = scripted.asked;
    assert_non_null(question("tea"));
    assert_int_equal(scripted.urgent, 1);
    assert_non_null(question("tea"));
    assert_int_equal(scripted.asked, asked + 1);
    const struct bytes turns[] = {BYTES_LIT("tea")}; /* the question before */
    const struct retrieve_query q = {.text = BYTES_LIT("coffee"), .context = turns, .n_context = 1};
    unsigned texts = scripted.texts;
    assert_non_null(embed_question(x, &q));
    assert_int_equal(scripted.texts, texts + 1);
}

static void a_dead_endpoint_costs_one_short_wait(void **state)
{
    (void)state;
    tell_some();
    start(&embedder, NULL);
    (void)settle();
    scripted.down = true;
    assert_null(question("tea"));
    assert_int_equal(scripted.waited_ms, EMBED_WAIT_MS);
    assert_true(first("guitar", "plays the guitar")); /* by words, at once */
    assert_null(question("coffee"));
    assert_int_equal(scripted.waited_ms, EMBED_WAIT_MS);
    scripted.down = false;
    scripted_answer(&scripted); /* late: kept, and the next may wait again */
    scripted.down = true;
    assert_non_null(question("tea"));
    assert_null(question("coffee"));
    assert_int_equal(scripted.waited_ms, 2 * EMBED_WAIT_MS);
    scripted.ready = false;
    scripted_answer(&scripted);
    assert_null(question("cocoa"));
    assert_int_equal(scripted.waited_ms, 2 * EMBED_WAIT_MS);
}

static void what_failed_is_asked_again_later_and_later(void **state)
{
    (void)state;
    tell_some();
    start(&embedder, NULL);
    scripted.fails = 2;
    scripted.error = ERR_IO;
    int64_t now = d.test_clock.mono_ms, next = settle();
    assert_true(next > now + 10000);
    assert_int_equal(scripted.asked, 1);
    d.test_clock.mono_ms = next;
    int64_t later = settle();
    assert_int_equal(scripted.asked, 2);
    assert_true(later - next > next - now);
    d.test_clock.mono_ms = later;
    assert_int_equal(settle(), TIME_NONE);
    assert_int_equal(store_vectors_count(d.s), 3);
}

static void a_text_that_the_model_refuses_holds_nothing_up(void **state)
{
    (void)state;
    char text[64];
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof text, i == 17 ? "poison %u" : "statement number %u", i);
        tell(i, text);
    }
    scripted.poison = "poison";
    start(&embedder, NULL);
    assert_int_equal(settle(), TIME_NONE);
    assert_int_equal(store_vectors_count(d.s), 40); /* its own is empty */
    unsigned asked = scripted.asked;
    assert_int_equal(settle(), TIME_NONE);
    assert_int_equal(scripted.asked, asked);
}

static void closing_drops_what_is_under_way(void **state)
{
    (void)state;
    tell_some();
    start(&embedder, NULL);
    (void)settle();
    scripted.down = true;
    tell(9, "sings");
    (void)embed_step(x);
    assert_null(question("tea"));
    embed_close(x); /* teardown sees that nothing is left */
    x = NULL;
}

static void a_forgotten_text_is_not_brought_back_by_a_late_answer(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct id id = {{0, 9, 1}};
    tell_some();
    start(&embedder, NULL);
    (void)settle();
    scripted.down = true;
    tell(9, "sings");
    (void)embed_step(x);
    assert_int_equal(store_forget(d.s, &id, NULL, 0, &e), 0);
    scripted.down = false;
    scripted_answer(&scripted);
    assert_int_equal(store_vectors_count(d.s), 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_table_finds_what_shares_no_word),
        T(opening_takes_nothing_and_the_rest_comes_in_steps),
        T(a_table_that_is_none_is_left_out),
        T(earlier_turns_count_less),
        T(nothing_set_leaves_no_vectors),
        T(a_model_fills_in_batches_and_its_vectors_stay),
        T(another_model_begins_anew),
        T(a_question_waits_for_its_vector_and_asks_once),
        T(a_dead_endpoint_costs_one_short_wait),
        T(what_failed_is_asked_again_later_and_later),
        T(a_text_that_the_model_refuses_holds_nothing_up),
        T(closing_drops_what_is_under_way),
        T(a_forgotten_text_is_not_brought_back_by_a_late_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
