#include "store/vectors.h"
#include "tests/support/unit.h"

#include "tests/store/kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIMS 40
#define BLOCK 256

static const struct vector_model model = {.key = {1, 2, 3}, .dims = DIMS};

static void open_model(struct kit *k, const struct vector_model *m)
{
    struct err e = ERR_INIT;
    kit_ok(store_vectors_open(k->s, m, &e), &e);
}

/* The vector of a text: pseudo-random, no two alike. */
static void vector_of(struct bytes text, float v[DIMS])
{
    struct test_rng r;
    uint64_t seed = 1;
    for (size_t i = 0; i < text.n; i++)
        seed = seed * 1099511628211u + text.p[i];
    test_rng_init(&r, seed);
    for (size_t i = 0; i < DIMS; i++)
        v[i] = (float)((double)test_rng_below(&r, 2001) / 1000 - 1);
}

/* What the file holds of it. */
static struct bytes needle_of(const char *text, int8_t out[DIMS])
{
    float v[DIMS], top = 0;
    vector_of(bytes_str(text), v);
    for (size_t i = 0; i < DIMS; i++)
        top = fabsf(v[i]) > top ? fabsf(v[i]) : top;
    for (size_t i = 0; i < DIMS; i++)
        out[i] = (int8_t)lrintf(v[i] / top * 127);
    return bytes_of(out, DIMS);
}

static size_t files_with(struct kit *k, const char *text)
{
    int8_t needle[DIMS];
    return tmp_count_files_with(k->dir.path, needle_of(text, needle));
}

struct given {
    struct {
        int64_t row;
        uint8_t content[VECTOR_KEY_BYTES];
        float v[DIMS];
    } v[1024];
    size_t n;
};

static int give(void *ctx, const struct vector_due *d)
{
    struct given *g = ctx;
    assert_true(g->n < 1024);
    g->v[g->n].row = d->row;
    memcpy(g->v[g->n].content, d->content, sizeof d->content);
    vector_of(d->text, g->v[g->n++].v);
    return 0;
}

static size_t walk(struct kit *k, struct given *g)
{
    struct err e = ERR_INIT;
    bool end = false;
    g->n = 0;
    while (!end)
        kit_ok(store_vectors_due(k->s, 100, give, g, &end, &e), &e);
    return g->n;
}

/* Returns how many were due. */
static size_t fill(struct kit *k)
{
    struct given *g = calloc(1, sizeof *g);
    struct err e = ERR_INIT;
    size_t n = walk(k, g);
    for (size_t i = 0; i < n; i++)
        kit_ok(store_vectors_put(k->s, g->v[i].row, g->v[i].content, g->v[i].v, &e), &e);
    free(g);
    return n;
}

static size_t search(struct kit *k, const char *text, struct vector_hit *hits, size_t max)
{
    float v[DIMS];
    struct vector_found found;
    struct err e = ERR_INIT;
    vector_of(bytes_str(text), v);
    kit_ok(store_vectors_search(k->s, v, hits, max, &found, &e), &e);
    return found.n;
}

/* Whether the text's own vector is found. */
static bool found(struct kit *k, const char *text)
{
    struct vector_hit hit;
    return search(k, text, &hit, 1) == 1 && hit.cosine > 0.99f;
}

static const char *vectors_path(struct kit *k)
{
    static char path[TMP_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s-vectors", k->path);
    return path;
}

static void tell_many(struct kit *k, unsigned n)
{
    char text[64];
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(text, sizeof text, "statement %u", i);
        kit_told(k, i, text);
    }
}

/* ---- finding ---- */

static float cosine_of(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < DIMS; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return (float)(ab / sqrt(aa * bb));
}

static void the_nearest_come_first_with_their_cosine(void **state)
{
    struct kit *k = *state;
    struct vector_hit hits[700];
    float q[DIMS], v[DIMS];
    struct err e = ERR_INIT;
    tell_many(k, 700);
    open_model(k, &model);
    assert_int_equal(fill(k), 700);
    assert_int_equal(store_vectors_count(k->s), 700);
    vector_of(BYTES_LIT("a question"), q);
    assert_int_equal(search(k, "a question", hits, 700), 700);
    for (size_t i = 0; i < 700; i++) {
        struct prop p;
        kit_ok(store_prop_row(k->s, hits[i].row, &p, &e), &e);
        vector_of(p.text, v);
        assert_true(fabsf(cosine_of(q, v) - hits[i].cosine) < 0.01f);
        assert_true(i == 0 || hits[i].cosine <= hits[i - 1].cosine);
    }
    struct vector_hit best[10];
    assert_int_equal(search(k, "a question", best, 10), 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(best[i].row, hits[i].row);
}

static void mean_and_deviation_are_of_all(void **state)
{
    struct kit *k = *state;
    struct vector_hit hits[300];
    struct vector_found f;
    struct err e = ERR_INIT;
    float q[DIMS];
    double sum = 0, square = 0;
    tell_many(k, 300);
    open_model(k, &model);
    (void)fill(k);
    (void)search(k, "x", hits, 300);
    for (size_t i = 0; i < 300; i++) {
        sum += (double)hits[i].cosine;
        square += (double)hits[i].cosine * (double)hits[i].cosine;
    }
    vector_of(BYTES_LIT("x"), q);
    kit_ok(store_vectors_search(k->s, q, hits, 3, &f, &e), &e);
    assert_int_equal(f.n, 3);
    assert_int_equal(f.looked, 300);
    assert_true(fabs((double)f.mean - sum / 300) < 1e-4);
    assert_true(fabs((double)f.deviation - sqrt(square / 300 - sum / 300 * sum / 300)) < 1e-3);
}

static void zeros_and_no_numbers_find_nothing_and_are_not_found(void **state)
{
    struct kit *k = *state;
    struct given *g = calloc(1, sizeof *g);
    struct vector_hit hit;
    struct vector_found f;
    struct err e = ERR_INIT;
    float v[DIMS] = {0};
    kit_told(k, 1, "the of");
    open_model(k, &model);
    assert_int_equal(walk(k, g), 1);
    v[3] = NAN;
    assert_int_equal(store_vectors_put(k->s, g->v[0].row, g->v[0].content, v, &e), ERR_FORMAT);
    kit_ok(store_vectors_search(k->s, v, &hit, 1, &f, &e), &e);
    assert_int_equal(f.n, 0);
    v[3] = 0;
    kit_ok(store_vectors_put(k->s, g->v[0].row, g->v[0].content, v, &e), &e);
    kit_ok(store_vectors_search(k->s, v, &hit, 1, &f, &e), &e);
    assert_int_equal(f.n, 0);
    assert_int_equal(search(k, "x", &hit, 1), 0);
    store_vectors_again(k->s, 0);
    assert_int_equal(walk(k, g), 0); /* it has one, of no length */
    free(g);
}

/* ---- keeping ---- */

static void what_was_told_later_is_due(void **state)
{
    struct kit *k = *state;
    tell_many(k, 10);
    open_model(k, &model);
    assert_int_equal(fill(k), 10);
    assert_int_equal(fill(k), 0);
    kit_told(k, 20, "something new");
    assert_false(found(k, "something new"));
    assert_int_equal(fill(k), 1);
    assert_true(found(k, "something new"));
}

static void what_came_to_nothing_is_due_again(void **state)
{
    struct kit *k = *state;
    struct given *g = calloc(1, sizeof *g);
    tell_many(k, 5);
    open_model(k, &model);
    assert_int_equal(walk(k, g), 5);
    assert_int_equal(walk(k, g), 0);
    store_vectors_again(k->s, g->v[2].row);
    assert_int_equal(walk(k, g), 3);
    free(g);
}

static void another_text_needs_another_vector(void **state)
{
    struct kit *k = *state;
    struct given *g = calloc(1, sizeof *g);
    struct err e = ERR_INIT;
    kit_told(k, 1, "lives in Lisbon");
    open_model(k, &model);
    assert_int_equal(walk(k, g), 1);
    k->test_clock.wall_ms += 1000;
    kit_told(k, 1, "lives in Porto");
    kit_ok(store_vectors_put(k->s, g->v[0].row, g->v[0].content, g->v[0].v, &e), &e);
    assert_false(found(k, "lives in Lisbon"));
    assert_int_equal(fill(k), 1);
    assert_true(found(k, "lives in Porto"));
    k->test_clock.wall_ms += 1000;
    kit_told(k, 1, "lives in Faro");
    assert_false(found(k, "lives in Porto"));
    assert_int_equal(files_with(k, "lives in Porto"), 0);
    free(g);
}

static void it_stays_over_a_restart_and_a_rebuild(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    tell_many(k, 300);
    open_model(k, &model);
    (void)fill(k);
    kit_reopen(k);
    open_model(k, &model);
    assert_int_equal(fill(k), 0);
    kit_ok(store_rebuild(k->s, &e), &e);
    assert_int_equal(fill(k), 0);
    kit_ok(store_scrub(k->s, &e), &e);
    assert_int_equal(fill(k), 0);
    assert_true(found(k, "statement 7"));
}

static void a_change_while_it_was_shut_is_seen(void **state)
{
    struct kit *k = *state;
    kit_told(k, 1, "lives in Lisbon");
    kit_told(k, 2, "drinks tea");
    open_model(k, &model);
    (void)fill(k);
    store_vectors_close(k->s);
    k->test_clock.wall_ms += 1000;
    kit_told(k, 1, "lives in Porto");
    open_model(k, &model);
    assert_false(found(k, "lives in Lisbon"));
    assert_int_equal(fill(k), 1);
    assert_true(found(k, "lives in Porto"));
    assert_true(found(k, "drinks tea"));
}

static void without_a_model_there_is_no_file(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct vector_hit hit;
    bool end;
    struct given g;
    g.n = 0;
    tell_many(k, 3);
    assert_int_equal(search(k, "x", &hit, 1), 0);
    kit_ok(store_vectors_due(k->s, 10, give, &g, &end, &e), &e);
    assert_true(end && g.n == 0);
    kit_ok(store_scrub(k->s, &e), &e);
    kit_ok(store_vectors_remove(k->s, &e), &e);
    assert_false(tmp_exists(vectors_path(k)));
}

static void the_file_is_the_users_alone(void **state)
{
    struct kit *k = *state;
    struct stat st;
    open_model(k, &model);
    assert_int_equal(stat(vectors_path(k), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_reader_searches_what_the_writer_keeps(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct store *reader;
    struct vector_hit hit;
    struct vector_found f;
    float v[DIMS];
    const struct store_config cfg = {k->path, NULL, &k->clock, &k->rng, true, true};
    const struct vector_model other = {.key = {9}, .dims = DIMS};
    tell_many(k, 3);
    open_model(k, &model);
    (void)fill(k);
    kit_ok(store_open(&reader, &cfg, &e), &e);
    assert_int_equal(store_vectors_open(reader, &other, &e), ERR_NOTFOUND);
    e = ERR_INIT;
    kit_ok(store_vectors_open(reader, &model, &e), &e);
    vector_of(BYTES_LIT("statement 2"), v);
    kit_ok(store_vectors_search(reader, v, &hit, 1, &f, &e), &e);
    assert_true(f.n == 1 && hit.cosine > 0.99f);
    store_vectors_close(k->s);
    open_model(k, &other); /* made new; the reader sees zeros, not a signal */
    kit_ok(store_vectors_search(reader, v, &hit, 1, &f, &e), &e);
    assert_int_equal(f.n, 0);
    store_close(reader);
}

/* ---- another model, damage ---- */

static void another_model_starts_anew_and_leaves_nothing(void **state)
{
    struct kit *k = *state;
    struct vector_model other = model;
    tell_many(k, 300);
    open_model(k, &model);
    (void)fill(k);
    assert_int_equal(files_with(k, "statement 4"), 1);
    char old[TMP_PATH_BYTES];
    (void)tmp_path(&k->dir, "old", old);
    assert_int_equal(link(vectors_path(k), old), 0); /* keeps the blocks of the old file */
    other.key[0] = 7;
    open_model(k, &other);
    assert_int_equal(files_with(k, "statement 4"), 0);
    assert_int_equal(fill(k), 300);
    open_model(k, &other);
    assert_int_equal(fill(k), 0);
    other.dims = 7;
    open_model(k, &other);
    assert_int_equal(store_vectors_count(k->s), 0);
}

static void damage_anywhere_costs_only_new_vectors(void **state)
{
    struct kit *k = *state;
    struct buf whole;
    buf_init(&whole, 1 << 20);
    kit_told(k, 1, "drinks tea");
    open_model(k, &model);
    (void)fill(k);
    kit_close(k);
    tmp_read(vectors_path(k), &whole);
    size_t slot = 4096 + BLOCK * 32; /* of row 0; those around it are holes */
    for (size_t at = 0; at < whole.n; at += at < 64 || (at >= slot && at < slot + 200) ? 1 : 997) {
        struct err e = ERR_INIT;
        whole.p[at] ^= 0x41;
        tmp_write(vectors_path(k), buf_view(&whole));
        whole.p[at] ^= 0x41;
        kit_ok(kit_open(k, &e), &e);
        open_model(k, &model);
        (void)found(k, "drinks tea");
        assert_true(fill(k) <= 1);
        assert_true(found(k, "drinks tea"));
        kit_close(k);
    }
    buf_release(&whole);
}

static void a_file_cut_anywhere_is_made_whole(void **state)
{
    struct kit *k = *state;
    struct buf whole;
    struct err e = ERR_INIT;
    buf_init(&whole, 1 << 20);
    kit_told(k, 1, "drinks tea");
    open_model(k, &model);
    (void)fill(k);
    kit_close(k);
    tmp_read(vectors_path(k), &whole);
    for (size_t n = 0; n < whole.n; n += n < 40 ? 1 : 1999) {
        tmp_write(vectors_path(k), bytes_of(whole.p, n));
        kit_ok(kit_open(k, &e), &e);
        open_model(k, &model);
        (void)fill(k);
        assert_true(found(k, "drinks tea"));
        kit_close(k);
    }
    kit_ok(kit_open(k, &e), &e);
    buf_release(&whole);
}

static void what_stands_in_the_way_is_not_followed(void **state)
{
    struct kit *k = *state;
    char aim[TMP_PATH_BYTES];
    struct buf content;
    buf_init(&content, 4096);
    (void)tmp_path(&k->dir, "aim", aim);
    tmp_write(aim, BYTES_LIT("precious"));
    assert_int_equal(symlink(aim, vectors_path(k)), 0);
    struct err e = ERR_INIT;
    kit_ok(store_scrub(k->s, &e), &e); /* takes it away */
    assert_int_equal(symlink(aim, vectors_path(k)), 0);
    open_model(k, &model); /* a file in its place */
    tmp_read(aim, &content);
    assert_true(bytes_eq(buf_view(&content), BYTES_LIT("precious")));
    buf_release(&content);
}

/* ---- erasure ---- */

static void forget_and_scrub(struct kit *k, unsigned n)
{
    struct id id = kit_id(n);
    struct err e = ERR_INIT;
    kit_ok(store_forget(k->s, &id, NULL, 0, &e), &e);
    kit_ok(store_scrub(k->s, &e), &e);
}

static void what_was_forgotten_leaves_no_vector(void **state)
{
    struct kit *k = *state;
    kit_told(k, 1, "collects xylophones");
    kit_told(k, 2, "drinks tea");
    open_model(k, &model);
    (void)fill(k);
    assert_int_equal(files_with(k, "collects xylophones"), 1);
    forget_and_scrub(k, 1);
    assert_int_equal(files_with(k, "collects xylophones"), 0);
    assert_int_equal(files_with(k, "drinks tea"), 1);
    assert_true(found(k, "drinks tea"));
}

static void nor_when_the_file_was_not_open(void **state)
{
    struct kit *k = *state;
    kit_told(k, 1, "collects xylophones");
    kit_told(k, 2, "drinks tea");
    open_model(k, &model);
    (void)fill(k);
    kit_reopen(k);
    forget_and_scrub(k, 1);
    assert_int_equal(files_with(k, "collects xylophones"), 0);
    assert_int_equal(files_with(k, "drinks tea"), 1);
}

/* As a power cut leaves it that kept the elements and lost what says that they are in use. */
static void nor_when_its_slot_was_torn(void **state)
{
    struct kit *k = *state;
    struct buf whole;
    buf_init(&whole, 1 << 20);
    kit_told(k, 1, "collects xylophones");
    open_model(k, &model);
    (void)fill(k);
    kit_close(k);
    tmp_read(vectors_path(k), &whole);
    memset(whole.p + 4096, 0, BLOCK * 32);
    tmp_write(vectors_path(k), buf_view(&whole));
    buf_release(&whole);
    struct err e = ERR_INIT;
    kit_ok(kit_open(k, &e), &e);
    assert_int_equal(files_with(k, "collects xylophones"), 1);
    forget_and_scrub(k, 1);
    assert_int_equal(files_with(k, "collects xylophones"), 0);
}

static void nor_when_the_file_is_damaged(void **state)
{
    struct kit *k = *state;
    struct buf whole;
    buf_init(&whole, 1 << 20);
    kit_told(k, 1, "collects xylophones");
    open_model(k, &model);
    (void)fill(k);
    store_vectors_close(k->s);
    tmp_read(vectors_path(k), &whole);
    whole.p[0] ^= 1;
    tmp_write(vectors_path(k), buf_view(&whole));
    buf_release(&whole);
    forget_and_scrub(k, 1);
    assert_int_equal(files_with(k, "collects xylophones"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_nearest_come_first_with_their_cosine),
        KIT_TEST(mean_and_deviation_are_of_all),
        KIT_TEST(zeros_and_no_numbers_find_nothing_and_are_not_found),
        KIT_TEST(what_was_told_later_is_due),
        KIT_TEST(what_came_to_nothing_is_due_again),
        KIT_TEST(another_text_needs_another_vector),
        KIT_TEST(it_stays_over_a_restart_and_a_rebuild),
        KIT_TEST(a_change_while_it_was_shut_is_seen),
        KIT_TEST(without_a_model_there_is_no_file),
        KIT_TEST(the_file_is_the_users_alone),
        KIT_TEST(a_reader_searches_what_the_writer_keeps),
        KIT_TEST(another_model_starts_anew_and_leaves_nothing),
        KIT_TEST(damage_anywhere_costs_only_new_vectors),
        KIT_TEST(a_file_cut_anywhere_is_made_whole),
        KIT_TEST(what_stands_in_the_way_is_not_followed),
        KIT_TEST(what_was_forgotten_leaves_no_vector),
        KIT_TEST(nor_when_the_file_was_not_open),
        KIT_TEST(nor_when_its_slot_was_torn),
        KIT_TEST(nor_when_the_file_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
