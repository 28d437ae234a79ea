#include "node/model/table.h"

#include "tests/support/unit.h"

#include "tests/node/infer/device.h"
#include "tests/node/model/maketable.h"
#include "tests/support/page.h"
#include "tests/support/tmp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct made_token tokens[] = {
    {"tea", {1, 0}},  {"drink", {0.5f, 0.5f}}, {"##s", {0, -0.5f}},      {"cafe", {0, 1}},
    {"##er", {2, 2}}, {"tear", {8, 8}},        {"\xe8\x8c\xb6", {3, 0}}, {NULL, {0}},
};

static struct device d;
static struct tmp_dir dir;
static char path[TMP_PATH_BYTES];
static struct buf file;

static int setup(void **state)
{
    (void)state;
    device_init(&d, 1, DAY_MS(MONDAY));
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "table", path);
    buf_init(&file, 1 << 20);
    make_table(tokens, 2, "by hand, CC0", &file);
    tmp_write(path, buf_view(&file));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&file);
    tmp_dir_remove(&dir);
    device_release(&d);
    return 0;
}

static struct table *opened(void)
{
    struct err e = ERR_INIT;
    struct table *t = NULL;
    assert_int_equal(table_open(&t, path, &e), 0);
    return t;
}

static void embeds(const char *text, float x, float y)
{
    struct table *t = opened();
    float v[2];
    assert_int_equal(table_embed(t, d.s, bytes_str(text), v), 0);
    assert_true(fabsf(v[0] - x) < 0.05f && fabsf(v[1] - y) < 0.05f);
    table_close(t);
}

static void words_add_up_and_stop_words_do_not_count(void **state)
{
    (void)state;
    embeds("tea", 1, 0);
    embeds("The tea and a drink!", 1.5f, 0.5f);
    embeds("Café", 0, 1);
    embeds("the of and", 0, 0);
    embeds("", 0, 0);
}

static void an_unknown_word_is_cut_into_the_longest_pieces(void **state)
{
    (void)state;
    embeds("teas", 1, -0.5f);
    embeds("tears", 8, 7.5f); /* tear ##s, not tea … */
    embeds("drinkers", 2.5f, 2);
    embeds("xteas", 0, -0.5f); /* nothing begins with x, nor goes on with t, e, a */
    embeds("zzz", 0, 0);
    embeds("\xe8\x8c\xb6\xe8\x8c\xb6", 6, 0); /* scripts without spaces: a character a word */
}

static void a_sound_table_passes_and_says_what_it_is(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct table *t = opened();
    struct vector_model m;
    assert_int_equal(table_check(t, &e), 0);
    table_model(t, &m);
    assert_int_equal(m.dims, 2);
    assert_memory_equal(m.key, file.p + 8, sizeof m.key);
    assert_true(bytes_eq(table_about(t), BYTES_LIT("by hand, CC0")));
    table_close(t);
}

/* Uses whatever opens; says whether it passed as sound. */
static bool try_file(struct bytes content)
{
    struct err e = ERR_INIT;
    struct table *t = NULL;
    float v[TABLE_DIMS_MAX];
    tmp_write(path, content);
    if (table_open(&t, path, &e) != 0) {
        assert_true(e.code == ERR_FORMAT);
        return false;
    }
    assert_int_equal(table_embed(t, d.s, BYTES_LIT("teas tears drinkers xyz"), v), 0);
    bool sound = table_check(t, &e) == 0;
    table_close(t);
    return sound;
}

static void no_damage_passes_and_none_does_harm(void **state)
{
    (void)state;
    static const uint8_t bits[] = {0x01, 0x40, 0x80, 0xff};
    for (size_t at = 0; at < file.n; at++) {
        for (size_t k = 0; k < sizeof bits; k++) {
            file.p[at] ^= bits[k];
            assert_false(try_file(buf_view(&file)));
            file.p[at] ^= bits[k];
        }
    }
    assert_true(try_file(buf_view(&file)));
}

static void a_table_cut_or_extended_is_none(void **state)
{
    (void)state;
    for (size_t n = 0; n < file.n; n++)
        assert_false(try_file(bytes_of(file.p, n)));
    (void)buf_put(&file, 0);
    assert_false(try_file(buf_view(&file)));
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct table *t = NULL;
    assert_int_equal(table_open(&t, "/nonexistent/table", &e), ERR_NOTFOUND);
    assert_int_equal(table_open(&t, dir.path, &e), ERR_FORMAT);
    assert_int_equal(table_open(&t, "/dev/zero", &e), ERR_FORMAT);
    assert_null(t);
}

static void block(void *ctx, const struct page_block *b)
{
    struct made_token from_page[8] = {{0}};
    static char text[8][64];
    struct buf made, hex;
    struct bytes words = page_get(b, "words"), about = page_get(b, "about");
    char about_text[128] = {0};
    buf_init(&made, 1 << 16);
    buf_init(&hex, 1 << 16);
    (void)ctx;
    for (size_t i = 0; i < 7; i++) {
        struct bytes word = page_word(&words);
        if (word.n == 0)
            break;
        memcpy(text[i], word.p, word.n);
        struct bytes numbers = page_get(b, text[i]);
        from_page[i].text = text[i];
        for (size_t k = 0; k < 2; k++) {
            char number[32] = {0};
            struct bytes w = page_word(&numbers);
            memcpy(number, w.p, w.n);
            from_page[i].v[k] = strtof(number, NULL);
        }
    }
    memcpy(about_text, about.p, about.n);
    make_table(from_page, 2, about_text, &made);
    page_hex(page_get(b, "file"), &hex);
    assert_true(try_file(buf_view(&hex)));
    embeds("teas", 1, -0.25f);
    assert_true(bytes_eq(buf_view(&made), buf_view(&hex)));
    buf_release(&made);
    buf_release(&hex);
}

static void the_page_has_the_file_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(page_each(TEST_SOURCE "/node/model/VECTORS.md", "table", block, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_add_up_and_stop_words_do_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_word_is_cut_into_the_longest_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sound_table_passes_and_says_what_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(no_damage_passes_and_none_does_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_cut_or_extended_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_has_the_file_as_it_is, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
