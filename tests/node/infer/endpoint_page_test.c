/* node/infer/ENDPOINT.md says what the code says. */
#include "tests/support/unit.h"

#include "node/config.h"
#include "tests/support/tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER TEST_SOURCE "/node/infer/"

static struct buf page, code;

static int setup(void **state)
{
    (void)state;
    static const char *const files[] = {"endpoint_int.h", "sent.h", "endpoint.c"};
    buf_init(&page, 1 << 20);
    buf_init(&code, 1 << 20);
    tmp_read(FOLDER "ENDPOINT.md", &page);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, FOLDER "%s", files[i]);
        tmp_read(path, &code);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&page);
    buf_release(&code);
    return 0;
}

/* The cells of the row "| `name` | value |" ; false: there is none. */
static bool row(const char *name, char value[64])
{
    char head[128];
    (void)snprintf(head, sizeof(head), "\n| `%s` | ", name);
    size_t at = bytes_find(buf_view(&page), bytes_str(head));
    if (at == SIZE_MAX) {
        return false;
    }
    struct bytes rest = bytes_slice(buf_view(&page), at + strlen(head), SIZE_MAX);
    (void)snprintf(value, 64, "%.*s", (int)bytes_find(rest, BYTES_LIT(" |")), (const char *)rest.p);
    return true;
}

static void every_setting_is_on_the_page_with_its_default(void **state)
{
    (void)state;
    char value[64];
    size_t n = 0;
    for (const struct setting *k = settings; k->key != NULL; k++) {
        if (strncmp(k->key, "endpoint.", 9) != 0) {
            continue;
        }
        n++;
        assert_true(k->local);
        if (!row(k->key, value) || strcmp(value, k->otherwise[0] != '\0' ? k->otherwise : "none") != 0) {
            fail_msg("'%s' is not on the page, or with another default", k->key);
        }
    }
    assert_true(n >= 16);
}

static void every_setting_on_the_page_is_there(void **state)
{
    (void)state;
    struct bytes rest = buf_view(&page);
    size_t n = 0;
    for (size_t at = 0; (at = bytes_find(rest, BYTES_LIT("`endpoint."))) != SIZE_MAX; n++) {
        char key[64];
        const struct setting *k = NULL;
        rest = bytes_slice(rest, at + 1, SIZE_MAX);
        (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn((const char *)rest.p, "` "),
                       (const char *)rest.p);
        if (strcmp(key, "endpoint.h") != 0 && setting_find(bytes_str(key), &k, NULL) != 0) {
            fail_msg("there is no '%s'", key);
        }
    }
    assert_true(n >= 16);
}

static int64_t number(const char *text)
{
    char *end = NULL;
    int64_t v = strtoll(text + (text[0] == '('), &end, 10);
    int shift = 0;
    if (sscanf(end, "u << %d", &shift) == 1) {
        v <<= shift;
    }
    return v;
}

static void bounds_are_as_the_page_says(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"\n| `ENDPOINT_", "\n| `SENT_"};
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        struct bytes rest = buf_view(&page);
        for (size_t at = 0; (at = bytes_find(rest, bytes_str(prefixes[i]))) != SIZE_MAX; n++) {
            char name[64];
            char value[64];
            char define[96];
            rest = bytes_slice(rest, at + 4, SIZE_MAX);
            (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn((const char *)rest.p, "`"),
                           (const char *)rest.p);
            (void)snprintf(define, sizeof(define), "#define %s ", name);
            size_t there = bytes_find(buf_view(&code), bytes_str(define));
            if (there == SIZE_MAX || !row(name, value) ||
                number((const char *)code.p + there + strlen(define)) != number(value)) {
                fail_msg("'%s' is not as the page says", name);
            }
        }
    }
    assert_int_equal(n, 16);
}

static void outcomes_are_as_the_page_says(void **state)
{
    (void)state;
    static const char *const words[] = {"under way", "answered",     "unusable answer",
                                        "no answer", "not reached",  "took too long",
                                        "too large", "refused here", "cancelled"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char on_page[64];
        char in_code[64];
        (void)snprintf(on_page, sizeof(on_page), "`%s`", words[i]);
        (void)snprintf(in_code, sizeof(in_code), "\"%s\"", words[i]);
        assert_true(bytes_find(buf_view(&page), bytes_str(on_page)) != SIZE_MAX);
        assert_true(bytes_find(buf_view(&code), bytes_str(in_code)) != SIZE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_setting_is_on_the_page_with_its_default, setup, teardown),
        cmocka_unit_test_setup_teardown(every_setting_on_the_page_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_as_the_page_says, setup, teardown),
        cmocka_unit_test_setup_teardown(outcomes_are_as_the_page_says, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
