#include "base/base64.h"

#include "tests/support/unit.h"

#include <string.h>

/* RFC 4648 §10. */
static const char *const vectors[][2] = {{"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};

static void base64_vectors_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct buf b;
        buf_init(&b, 64);
        assert_int_equal(base64_put(bytes_str(vectors[i][0]), &b), 0);
        assert_string_equal(buf_cstr(&b), vectors[i][1]);
        buf_clear(&b);
        assert_int_equal(base64_take(bytes_str(vectors[i][1]), &b), 0);
        assert_string_equal(buf_cstr(&b), vectors[i][0]);
        buf_release(&b);
    }
}

static void base64_padding_may_be_missing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    assert_int_equal(base64_take(BYTES_LIT("Zm9vYg"), &b), 0);
    assert_string_equal(buf_cstr(&b), "foob");
    buf_release(&b);
}

static void base64_of_all_bytes_comes_back(void **state)
{
    (void)state;
    uint8_t all[256];
    struct buf text;
    struct buf back;
    buf_init(&text, 1024);
    buf_init(&back, 1024);
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    assert_int_equal(base64_put(bytes_of(all, sizeof(all)), &text), 0);
    assert_int_equal(base64_take(buf_view(&text), &back), 0);
    assert_true(bytes_eq(buf_view(&back), bytes_of(all, sizeof(all))));
    buf_release(&text);
    buf_release(&back);
}

static void base64_rejects_what_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",     "Zg=",   "Zg===",  "Z===", "====", "=",
                                      "Zm9v=", "Zm 9v", "Zm9v\n", "Zm9-", "Zh==", "Zm9="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf b;
        buf_init(&b, 64);
        if (base64_take(bytes_str(bad[i]), &b) != ERR_FORMAT) {
            fail_msg("'%s' is taken", bad[i]);
        }
        buf_release(&b);
    }
}

static void base64_keeps_to_the_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 3);
    assert_int_equal(base64_put(BYTES_LIT("foo"), &b), ERR_LIMIT);
    buf_clear(&b);
    assert_int_equal(base64_take(BYTES_LIT("Zm9vYg=="), &b), ERR_LIMIT);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_vectors_of_the_rfc),      cmocka_unit_test(base64_padding_may_be_missing),
        cmocka_unit_test(base64_of_all_bytes_comes_back), cmocka_unit_test(base64_rejects_what_is_none),
        cmocka_unit_test(base64_keeps_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
