#include "tests/support/unit.h"

#include "base/limits.h"
#include "store/hlc.h"
#include "store/search.h"
#include "tests/store/kit.h"

#include <stdio.h>
#include <string.h>

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

static size_t files_with(struct kit *k, const char *needle)
{
    return tmp_count_files_with(k->dir.path, bytes_str(needle));
}

static uint32_t flags(struct kit *k, unsigned n)
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
    kit_told(k, 5, "collects xylophones in Ouagadougou");
    kit_told(k, 6, "drinks tea");
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
            kit_told(k, 1000 + n, text);
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

static void a_forgotten_id_is_never_written_again(void **state)
{
    struct kit *k = *state;
    struct id id = kit_id(5);
    struct err e = ERR_INIT;
    kit_told(k, 5, "drinks tea");
    forget(k, 5);
    assert_int_equal(kit_tell(k, &id, "drinks tea", &e), ERR_FORGOTTEN);
    assert_int_equal(flags(k, 5), UINT32_MAX);
    forget(k, 5); /* again: nothing to do */
    struct id other = kit_id(6);
    assert_int_equal(store_forget(k->s, &other, NULL, 0, &e), ERR_NOTFOUND);
    kit_told(k, 6, "drinks tea"); /* by hand, under a new id, is allowed */
    assert_int_equal(flags(k, 6), PROP_EDITED);
    kit_ok(store_check(k->s, &e), &e);
}

static void all_that_say_the_same_are_forgotten_together(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_told(k, 5, "plays the xylophone");
    kit_told(k, 6, "is a xylophonist");
    kit_told(k, 7, "xylophones are played");
    kit_edge(k, SET_SAME_AS, 5, 6);
    kit_edge(k, SET_SAME_AS, 6, 7);
    forget(k, 7);
    scrub(k);
    assert_int_equal(flags(k, 5) & flags(k, 6) & flags(k, 7), UINT32_MAX);
    assert_int_equal(files_with(k, "ylopho"), 0);
    kit_ok(store_check(k->s, &e), &e);
}

static bool blocked(struct kit *k, uint8_t key, const char *source, int64_t ms)
{
    uint8_t whole[16] = {key};
    bool out;
    struct err e = ERR_INIT;
    kit_ok(store_blocked(k->s, whole, bytes_str(source), ms, &out, &e), &e);
    return out;
}

static void event_keys_of_what_was_forgotten_are_blocked(void **state)
{
    struct kit *k = *state;
    static uint8_t keys[700][16];
    struct id id = kit_id(5);
    struct err e = ERR_INIT;
    for (size_t i = 0; i < 700; i++) {
        keys[i][0] = (uint8_t)(1 + i % 200);
        keys[i][1] = (uint8_t)(i / 200);
    }
    kit_told(k, 5, "drinks tea");
    assert_false(blocked(k, 1, "bash", KIT_MS));
    kit_ok(store_forget(k->s, &id, (const uint8_t(*)[16])keys, 700, &e), &e);
    assert_true(blocked(k, 1, "bash", KIT_MS));
    assert_true(blocked(k, 200, "bash", KIT_MS));
    assert_false(blocked(k, 201, "bash", KIT_MS));
    kit_reopen(k);
    assert_true(blocked(k, 1, "bash", KIT_MS));
    kit_ok(store_rebuild(k->s, &e), &e);
    assert_true(blocked(k, 1, "bash", KIT_MS));
    kit_ok(store_check(k->s, &e), &e);
}

static void a_source_is_blocked_in_its_span_with_both_ends(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    kit_ok(store_block_source(k->s, BYTES_LIT("bash"), KIT_MS, KIT_MS + 10, &e), &e);
    kit_ok(store_block_source(k->s, BYTES_LIT("bash"), KIT_MS + 20, KIT_MS + 20, &e), &e);
    assert_false(blocked(k, 1, "bash", KIT_MS - 1));
    assert_true(blocked(k, 1, "bash", KIT_MS));
    assert_true(blocked(k, 1, "bash", KIT_MS + 10));
    assert_false(blocked(k, 1, "bash", KIT_MS + 11));
    assert_true(blocked(k, 1, "bash", KIT_MS + 20));
    assert_false(blocked(k, 1, "zsh", KIT_MS));
    kit_ok(store_block_source(k->s, BYTES_LIT("fish"), INT64_MIN, INT64_MAX, &e), &e);
    assert_true(blocked(k, 1, "fish", 0));
    assert_int_equal(store_block_source(k->s, BYTES_LIT("bash"), 2, 1, &e), ERR_LIMIT);
    kit_ok(store_rebuild(k->s, &e), &e);
    assert_true(blocked(k, 1, "bash", KIT_MS));
    kit_ok(store_check(k->s, &e), &e);
}

static void scrubbing_is_due_from_the_forget_until_it_is_done(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    bool due;
    kit_told(k, 5, "drinks tea");
    kit_ok(store_scrub_due(k->s, &due, &e), &e);
    assert_false(due);
    forget(k, 5);
    kit_reopen(k);
    kit_ok(store_scrub_due(k->s, &due, &e), &e);
    assert_true(due);
    scrub(k);
    kit_ok(store_scrub_due(k->s, &due, &e), &e);
    assert_false(due);
}

static void a_copy_left_by_a_crash_while_scrubbing_goes_at_opening(void **state)
{
    struct kit *k = *state;
    char path[TMP_PATH_BYTES + 8];
    (void)snprintf(path, sizeof path, "%s-scrub", k->path);
    tmp_write(path, BYTES_LIT("a copy of everything"));
    kit_reopen(k);
    assert_false(tmp_exists(path));
}

static void scrubbing_changes_nothing_that_is_read(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct hash before, after;
    struct search_hit hit;
    size_t n;
    for (unsigned i = 5; i < 300; i++) {
        kit_told(k, i, i == 77 ? "works in Porto" : "drinks tea");
    }
    kit_ok(store_digest(k->s, &before, &e), &e);
    scrub(k);
    scrub(k);
    kit_ok(store_digest(k->s, &after, &e), &e);
    assert_memory_equal(before.b, after.b, HASH_BYTES);
    kit_ok(search_props(k->s, BYTES_LIT("porto"), 0, &hit, 1, &n, &e), &e);
    assert_int_equal(n, 1);
    kit_told(k, 301, "writes go on");
    kit_reopen(k);
    kit_ok(store_check(k->s, &e), &e);
    kit_ok(store_verify(k->s, &e), &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_text_is_in_no_file_after_scrub),
        KIT_TEST(pages_that_were_split_keep_no_copies),
        KIT_TEST(a_forgotten_id_is_never_written_again),
        KIT_TEST(all_that_say_the_same_are_forgotten_together),
        KIT_TEST(event_keys_of_what_was_forgotten_are_blocked),
        KIT_TEST(a_source_is_blocked_in_its_span_with_both_ends),
        KIT_TEST(scrubbing_is_due_from_the_forget_until_it_is_done),
        KIT_TEST(a_copy_left_by_a_crash_while_scrubbing_goes_at_opening),
        KIT_TEST(scrubbing_changes_nothing_that_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
