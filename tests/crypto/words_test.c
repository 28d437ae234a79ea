/* The word list: sorted, complete, and an encoding that agrees with BIP 39's own vectors. */
#include "crypto/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void words_are_sorted_and_told_apart_by_four_letters(void **state)
{
    (void)state;
    for (unsigned i = 1; i < WORDS_COUNT; i++) {
        assert_true(strcmp(word_at(i - 1), word_at(i)) < 0);
        char a[5] = {0};
        char b[5] = {0};
        memcpy(a, word_at(i - 1), 4);
        memcpy(b, word_at(i), 4);
        assert_string_not_equal(a, b);
    }
}

static void every_word_is_found_whatever_its_case(void **state)
{
    (void)state;
    for (int i = 0; i < WORDS_COUNT; i++) {
        char up[9] = {0};
        const char *w = word_at((unsigned)i);
        for (size_t k = 0; w[k] != '\0'; k++) {
            up[k] = (char)(w[k] - 'a' + 'A');
        }
        assert_int_equal(word_find(bytes_str(w)), i);
        assert_int_equal(word_find(bytes_str(up)), i);
    }
    assert_int_equal(word_find(BYTES_LIT("selfsame")), -1);
    assert_int_equal(word_find(BYTES_LIT("")), -1);
    assert_int_equal(word_find(BYTES_LIT("abandonabandon")), -1);
}

/* From the published vectors: entropy 7f7f… and 8080… (checksum word left out). */
static void words_agree_with_bip39_vectors(void **state)
{
    (void)state;
    uint8_t a[16];
    uint8_t b[16];
    struct buf out;
    buf_init(&out, 256);
    memset(a, 0x7f, sizeof(a));
    memset(b, 0x80, sizeof(b));
    assert_int_equal(words_put(bytes_of(a, sizeof(a)), 11, &out), 0);
    assert_string_equal(buf_cstr(&out), "legal winner thank year wave sausage worth useful legal winner thank");
    buf_clear(&out);
    assert_int_equal(words_put(bytes_of(b, sizeof(b)), 11, &out), 0);
    assert_string_equal(buf_cstr(&out), "letter advice cage absurd amount doctor acoustic avoid letter advice cage");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_sorted_and_told_apart_by_four_letters),
        cmocka_unit_test(every_word_is_found_whatever_its_case),
        cmocka_unit_test(words_agree_with_bip39_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
