/* The word list: sorted, complete, and an encoding that agrees with BIP 39's own vectors. */
#include "crypto/words.h"

#include "tests/crypto/kit.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <cjson/cJSON.h>
#include <string.h>

#define VECTORS TEST_SOURCE "/tests/vectors/bip39.json"

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
    assert_int_equal(word_find(BYTES_LIT("bid\0\0")), -1);
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
    assert_string_equal(buf_cstr(&out),
                        "legal winner thank year wave sausage worth useful legal winner thank");
    buf_clear(&out);
    assert_int_equal(words_put(bytes_of(b, sizeof(b)), 11, &out), 0);
    assert_string_equal(buf_cstr(&out),
                        "letter advice cage absurd amount doctor acoustic avoid letter advice cage");
    buf_release(&out);
}

/* Those of 256 bits: 24 words, both ways. */
static void recovery_words_agree_with_bip39_vectors(void **state)
{
    struct buf file, text;
    cJSON *doc;
    const cJSON *v;
    unsigned done = 0;
    (void)state;
    buf_init(&file, 65536);
    tmp_read(VECTORS, &file);
    doc = cJSON_ParseWithLength((const char *)file.p, file.n);
    assert_non_null(doc);
    cJSON_ArrayForEach(v, cJSON_GetObjectItem(doc, "vectors"))
    {
        const char *entropy = cJSON_GetStringValue(cJSON_GetObjectItem(v, "entropy"));
        const char *mnemonic = cJSON_GetStringValue(cJSON_GetObjectItem(v, "mnemonic"));
        uint8_t secret[RECOVERY_BYTES], got[RECOVERY_BYTES];
        if (strlen(entropy) != 2 * (size_t)RECOVERY_BYTES) {
            assert_int_equal(recovery_parse(bytes_str(mnemonic), got, NULL), ERR_USAGE);
            continue;
        }
        kit_hex_fixed(bytes_str(entropy), secret, sizeof secret);
        assert_int_equal(secret_buf_init(&text, RECOVERY_TEXT_MAX), 0);
        assert_int_equal(recovery_put(secret, &text), 0);
        assert_string_equal(buf_cstr(&text), mnemonic);
        assert_int_equal(recovery_parse(bytes_str(mnemonic), got, NULL), 0);
        assert_memory_equal(got, secret, sizeof got);
        secret_buf_release(&text);
        done++;
    }
    assert_int_equal(done, 8);
    cJSON_Delete(doc);
    buf_release(&file);
}

#define ZEROS_23                                                                                             \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "       \
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon"

static void mistakes_in_recovery_words_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "0 recovery words"},
        {ZEROS_23, "23 recovery words"},
        {ZEROS_23 " art art", "more than 24"},
        {"abandom " ZEROS_23, "word 1 is not in the list"},
        {ZEROS_23 " selfsame", "word 24 is not in the list"},
        {ZEROS_23 " abandon", "do not belong together"},
        {"art " ZEROS_23, "do not belong together"},
    };
    uint8_t got[RECOVERY_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = ERR_INIT;
        assert_int_equal(recovery_parse(bytes_str(cases[i].text), got, &e), ERR_USAGE);
        assert_non_null(strstr(e.text, cases[i].says));
        assert_true(secret_is_zero(got, sizeof got));
    }
    assert_int_equal(recovery_parse(BYTES_LIT("\n  ABANDON\t" ZEROS_23 "\r\n"), got, NULL), ERR_USAGE);
    assert_int_equal(recovery_parse(BYTES_LIT("\n " ZEROS_23 "\tArt\r\n"), got, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_sorted_and_told_apart_by_four_letters),
        cmocka_unit_test(every_word_is_found_whatever_its_case),
        cmocka_unit_test(words_agree_with_bip39_vectors),
        cmocka_unit_test(recovery_words_agree_with_bip39_vectors),
        cmocka_unit_test(mistakes_in_recovery_words_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
