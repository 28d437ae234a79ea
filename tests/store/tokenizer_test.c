#include "store/tokenizer.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    sqlite3 *db;
    struct tokenizer *t;
    struct buf words; /* joined by '|' */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    buf_init(&f->words, 1 << 20);
    assert_int_equal(sqlite3_open(":memory:", &f->db), SQLITE_OK);
    assert_int_equal(tokenizer_register(f->db), SQLITE_OK);
    assert_int_equal(tokenizer_new(f->db, &f->t), SQLITE_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tokenizer_free(f->t);
    buf_release(&f->words);
    assert_int_equal(sqlite3_close(f->db), SQLITE_OK);
    free(f);
    return 0;
}

static int join_word(void *ctx, struct bytes word, size_t start, size_t end)
{
    struct fixture *f = ctx;
    assert_true(start < end);
    if (f->words.n > 0)
        buf_put(&f->words, '|');
    return buf_bytes(&f->words, word);
}

static const char *words_of(struct fixture *f, struct bytes text)
{
    buf_clear(&f->words);
    assert_int_equal(tokenizer_run(f->t, text, join_word, f), 0);
    return buf_cstr(&f->words);
}

static void words_are_folded_and_lose_their_diacritics(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(words_of(f, BYTES_LIT("Prefers PLAIN-text e-mail, 3.5x")),
                        "prefers|plain|text|e|mail|3|5x");
    assert_string_equal(words_of(f, BYTES_LIT("Café cafe\u0301 Việt ÉCOLE Ёлка")),
                        "cafe|cafe|viet|ecole|ёлка");
    assert_string_equal(words_of(f, BYTES_LIT("don’t — “quoted”…end")), "don|t|quoted|end");
}

static void unspaced_scripts_give_a_word_for_each_character(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(words_of(f, BYTES_LIT("我喜欢咖啡。")), "我|喜|欢|咖|啡");
    assert_string_equal(words_of(f, BYTES_LIT("コーヒー iPhone手机x2")), "コ|ー|ヒ|ー|iphone|手|机|x2");
}

static void spaced_scripts_with_marks_keep_their_words_whole(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(words_of(f, BYTES_LIT("नमस्ते हिन्दी 한국어 사람")), "नमस्ते|हिन्दी|한국어|사람");
}

static void odd_bytes_are_separators_and_never_read_past_the_end(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(words_of(f, BYTES_NONE), "");
    assert_string_equal(words_of(f, BYTES_LIT(" .,;\"'()*\0\n\t")), "");
    assert_string_equal(words_of(f, BYTES_LIT("a\0b\1c")), "a|b|c");
    for (unsigned first = 0x80; first < 0x100; first++) {
        uint8_t *exact = malloc(2); /* on the heap, so that a checker sees the edge */
        assert_non_null(exact);
        exact[0] = 'a';
        exact[1] = (uint8_t)first;
        words_of(f, bytes_of(exact, 2));
        free(exact);
    }
}

static void long_words_are_cut_at_a_character(void **state)
{
    struct fixture *f = *state;
    char text[300];
    memset(text, 'Q', sizeof text);
    assert_int_equal(strlen(words_of(f, bytes_of(text, sizeof text))), TOKEN_BYTES_MAX);
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "ж", 2);
    memcpy(text, "xx", 2);
    text[1] = 'y';
    struct bytes odd = bytes_of(text + 1, 299);
    const char *w = words_of(f, bytes_slice(odd, 0, 201)); /* "y" and 100 letters of two bytes */
    assert_int_equal(strlen(w), TOKEN_BYTES_MAX - 1);
}

static int stop_at_second(void *ctx, struct bytes word, size_t start, size_t end)
{
    (void)word;
    (void)start;
    (void)end;
    return ++*(int *)ctx == 2 ? 7 : 0;
}

static void a_stopping_callback_ends_the_run(void **state)
{
    struct fixture *f = *state;
    int n = 0;
    assert_int_equal(tokenizer_run(f->t, BYTES_LIT("a b c d"), stop_at_second, &n), 7);
    assert_int_equal(n, 2);
    n = 0;
    assert_int_equal(tokenizer_run(f->t, BYTES_LIT("手机手机"), stop_at_second, &n), 7);
    assert_int_equal(n, 2);
}

static int fts_count(sqlite3 *db, const char *match)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM t WHERE t MATCH ?1", -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(st, 1, match, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int n = sqlite3_column_int(st, 0);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    return n;
}

static void fts_finds_phrases_inside_unspaced_text(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        sqlite3_exec(f->db,
                     "CREATE VIRTUAL TABLE t USING fts5(x, tokenize='selfsame');"
                     "INSERT INTO t VALUES('每天早上喝咖啡看新闻'),('咖色的啡'),('Drinks CAFÉ daily');",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(fts_count(f->db, "\"咖啡\""), 1);
    assert_int_equal(fts_count(f->db, "\"早上喝\""), 1);
    assert_int_equal(fts_count(f->db, "\"上早\""), 0);
    assert_int_equal(fts_count(f->db, "\"cafe daily\""), 1);
    assert_int_equal(sqlite3_exec(f->db, "INSERT INTO t(t) VALUES('integrity-check')", NULL, NULL, NULL),
                     SQLITE_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_are_folded_and_lose_their_diacritics),
        TEST(unspaced_scripts_give_a_word_for_each_character),
        TEST(spaced_scripts_with_marks_keep_their_words_whole),
        TEST(odd_bytes_are_separators_and_never_read_past_the_end),
        TEST(long_words_are_cut_at_a_character),
        TEST(a_stopping_callback_ends_the_run),
        TEST(fts_finds_phrases_inside_unspaced_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
