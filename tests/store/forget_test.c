#include "tests/support/unit.h"

#include "base/limits.h"
#include "store/hlc.h"
#include "store/search.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    kit_init(k);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    kit_release(*state);
    free(*state);
    return 0;
}

static void forget(struct kit *k, unsigned n)
{
    struct id id = kit_id(n);
    struct err e = ERR_INIT;
    kit_ok(store_forget(k->s, &id, NULL, 0, &e), &e);
}

static void scrub(struct kit *k)
{
    struct err e = ERR_INIT;
    kit_ok(store_scrub(k->s, &e), &e);
}

static void tell(struct kit *k, unsigned n, const char *text)
{
    struct id id = kit_id(n);
    struct err e = ERR_INIT;
    kit_ok(kit_tell(k, &id, text, &e), &e);
}

static size_t files_with(struct kit *k, const char *needle)
{
    return tmp_count_files_with(k->dir.path, bytes_str(needle));
}

__attribute__((unused)) static uint32_t flags(struct kit *k, unsigned n)
{
    struct id id = kit_id(n);
    struct prop p;
    struct err e = ERR_INIT;
    int rc = store_prop(k->s, &id, false, &p, &e);
    return rc == 0 ? p.flags : UINT32_MAX;
}

static void the_text_is_in_no_file_after_scrub(void **state)
{
    struct kit *k = *state;
    tell(k, 5, "collects xylophones in Ouagadougou");
    tell(k, 6, "drinks tea");
    assert_true(files_with(k, "xyloph") > 0);
    assert_true(files_with(k, "ouagadougou") > 0); /* the index has it folded */
    forget(k, 5);
    scrub(k);
    assert_int_equal(files_with(k, "xyloph"), 0);
    assert_int_equal(files_with(k, "ophone"), 0);
    assert_int_equal(files_with(k, "ouagad"), 0);
    assert_int_equal(files_with(k, "Ouagad"), 0);
    assert_true(files_with(k, "drinks tea") > 0);
    struct err e = ERR_INIT;
    kit_ok(store_verify(k->s, &e), &e);
    kit_ok(store_check(k->s, &e), &e);
    kit_reopen(k);
    assert_int_equal(files_with(k, "xyloph"), 0);
    kit_ok(store_verify(k->s, &e), &e);
}

/* Each text is followed by one unlike any other: the digits of its number, spelt in pairs of letters. */
static void secret(unsigned n, unsigned version, char out[64])
{
    static const char letters[] = "bcdfghjklm";
    char *at = out;
    *at++ = 'q';
    for (unsigned v = n + 7000 * version + 10000, i = 0; i < 5; i++, v /= 10) {
        *at++ = letters[v % 10];
        *at++ = 'w';
    }
    *at = '\0';
}

static void write_versions(struct kit *k, unsigned count)
{
    struct err e = ERR_INIT;
    char word[64], text[3000];
    for (unsigned version = 0; version < 3; version++) { /* growing texts make pages split */
        kit_ok(store_begin(k->s, &e), &e);
        for (unsigned n = 0; n < count; n++) {
            secret(n, version, word);
            (void)snprintf(text, sizeof text, "%s %0*u %s", word, (int)(20 + version * ((n * 37) % 900)), n,
                           word);
            tell(k, 1000 + n, text);
            if (n % 97 == 0) {
                kit_ok(store_commit(k->s, &e), &e);
                kit_ok(store_begin(k->s, &e), &e);
            }
        }
        kit_ok(store_commit(k->s, &e), &e);
    }
}

static void pages_that_were_split_keep_no_copies(void **state)
{
    enum { COUNT = 600 };
    struct kit *k = *state;
    char word[64];
    write_versions(k, COUNT);
    for (unsigned n = 0; n < COUNT; n += 3) {
        forget(k, 1000 + n);
    }
    scrub(k);
    kit_close(k);
    size_t left = 0;
    for (unsigned n = 0; n < COUNT; n += 3) {
        for (unsigned version = 0; version < 3; version++) {
            secret(n, version, word);
            left += files_with(k, word);
        }
    }
    assert_int_equal(left, 0);
    secret(1, 2, word);
    assert_true(files_with(k, word) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_text_is_in_no_file_after_scrub, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_that_were_split_keep_no_copies, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
