/* Joining with a model of one's own: nothing lost, nothing doubled, whatever happens half-way. */
#include "node/join.h"

#include "node/identity.h"
#include "node/model/tell.h"
#include "tests/node/household.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static struct tmp_dir dir;
static struct node *node;

static void node_reopen(void)
{
    node_close(node);
    node = NULL;
    node = household_open(&dir, "laptop");
}

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    node = household_add(&dir, "laptop");
    assert_true(household_history(&dir, node) > 100);
    cJSON_Delete(household_ask(
        node, "{'cmd':'tell','text':'plays the cello','confidence':9,'scope':'home','pinned':true}"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_close(node);
    node = NULL;
    tmp_dir_remove(&dir);
    return 0;
}

static void id_of(const char *text, char id[64])
{
    assert_true(household_find(node, text, id));
}

static void found(void)
{
    struct join_summary sum;
    struct err e = ERR_INIT;
    int rc = join_found(node, &sum, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
}

/* Another group's secret than the one that the founder would bring. */
static void found_with_another_secret(void)
{
    struct err e = ERR_INIT;
    struct join_summary sum;
    uint8_t secret[KEY_BYTES];
    memset(secret, 0x5a, sizeof(secret));
    group_bring_secret(node->group, secret);
    assert_int_equal(
        group_found(node->group, BYTES_LIT("laptop"), &node->home.log, clock_wall_ms(&node->clock), &e), 0);
    int rc = join_rebase(node, &sum, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
}

/* ---- claims -----------------------------------------------------------------------------------------------
 */

static void join_keeps_the_model_as_it_was(void **state)
{
    (void)state;
    struct household_model before;
    struct id log = node->home.log;
    household_do(node, "confirm", "git", "");
    household_do(node, "pin", "rg", "");
    household_do(node, "reject", "vim", "");
    household_do(node, "edit", "cello", ",'text':'plays the violoncello'");
    household_model(node, &before);
    assert_true(before.n >= 4);
    found_with_another_secret();
    household_assert_model(node, &before);
    assert_false(id_eq(&log, &node->home.log));
    assert_true(node->home.keys.grouped);
    assert_true(identity_is_member(node));
    node_reopen();
    household_assert_model(node, &before);
    household_model_free(&before);
}

static void founding_keeps_ids(void **state)
{
    (void)state;
    char before[64], after[64];
    id_of("git", before);
    found();
    id_of("git", after);
    assert_string_equal(before, after);
}

/* Who left a group knows its secret: the next one has another. */
static void founding_again_takes_another_secret(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    uint8_t first[KEY_BYTES];
    found();
    assert_true(node->home.keys.grouped);
    memcpy(first, group_secret(node->group), KEY_BYTES);
    node_reopen();
    assert_true(node->home.keys.grouped);
    assert_int_equal(group_leave(node->group, &e), 0);
    found();
    assert_memory_not_equal(first, group_secret(node->group), KEY_BYTES);
}

static void join_names_claims_by_the_groups_secret(void **state)
{
    (void)state;
    char before[64], after[64], told[64];
    struct id id;
    char text[ID_TEXT + 1];
    id_of("git", before);
    found_with_another_secret();
    id_of("git", after);
    assert_string_not_equal(before, after);
    id_of("cello", told);
    assert_int_equal(
        told_id(bytes_of(group_secret(node->group), KEY_BYTES), BYTES_LIT("plays the cello"), &id), 0);
    id_text(&id, text);
    assert_string_equal(told, text);
}

static void join_keeps_why(void **state)
{
    (void)state;
    char id[64], req[256];
    found_with_another_secret();
    id_of("git", id);
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *a = household_ask(node, req);
    assert_true(cJSON_GetObjectItem(a, "evidence_total")->valueint > 20);
    cJSON_Delete(a);
}

static void join_keeps_what_was_forgotten_forgotten(void **state)
{
    (void)state;
    struct household_model before;
    household_do(node, "forget", "rg", "");
    household_do(node, "forget", "cello", "");
    household_model(node, &before);
    for (size_t i = 0; i < before.n; i++) {
        assert_null(strstr(before.v[i], "rg"));
    }
    found_with_another_secret();
    household_assert_model(node, &before);
    household_model_free(&before);
    assert_int_equal(tmp_count_files_with(node->home.path, BYTES_LIT("plays the cello")), 0);
}

static void join_keeps_settings_and_undone_verdicts(void **state)
{
    (void)state;
    struct household_model before;
    cJSON_Delete(household_ask(node, "{'cmd':'config','key':'audit.email','value':'on'}"));
    household_do(node, "confirm", "git", "");
    household_do(node, "confirm", "git", ",'off':true");
    household_model(node, &before);
    found_with_another_secret();
    household_assert_model(node, &before);
    household_model_free(&before);
    cJSON *a = household_ask(node, "{'cmd':'config','key':'audit.email'}");
    const cJSON *s = cJSON_GetArrayItem(cJSON_GetObjectItem(a, "settings"), 0);
    assert_string_equal(cJSON_GetObjectItem(s, "value")->valuestring, "on");
    cJSON_Delete(a);
}

static void join_dates_words_as_they_were_said(void **state)
{
    (void)state;
    char id[64], req[256];
    household_do(node, "confirm", "git", "");
    id_of("git", id);
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *before = household_ask(node, req);
    found_with_another_secret();
    id_of("git", id);
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *after = household_ask(node, req);
    const char *when[2] = {NULL, NULL};
    cJSON *docs[2] = {before, after};
    for (int i = 0; i < 2; i++) {
        const cJSON *h;
        cJSON_ArrayForEach(h, cJSON_GetObjectItem(docs[i], "history"))
        {
            if (strcmp(cJSON_GetObjectItem(h, "what")->valuestring, "verdict") == 0) {
                when[i] = cJSON_GetObjectItem(h, "time")->valuestring;
            }
        }
        assert_non_null(when[i]);
    }
    assert_string_equal(when[0], when[1]);
    cJSON_Delete(before);
    cJSON_Delete(after);
}

/* ---- half-way ---------------------------------------------------------------------------------------------
 */

static void join_lost_key_file_write_is_made_up_for(void **state)
{
    (void)state;
    char keys[TMP_PATH_BYTES], copy[TMP_PATH_BYTES];
    struct household_model before;
    household_model(node, &before);
    tmp_copy(tmp_path(&dir, "laptop/keys", keys), tmp_path(&dir, "keys.before", copy));
    found_with_another_secret();
    struct id log = node->home.log;
    node_close(node);
    node = NULL;
    tmp_copy(copy, keys); /* as if the node had died between commit and key file */
    node_reopen();
    assert_true(node->home.keys.grouped);
    assert_memory_equal(node->home.keys.claim.p, group_secret(node->group), KEY_BYTES);
    assert_true(id_eq(&log, &node->home.log));
    household_assert_model(node, &before);
    household_model_free(&before);
}

static void join_cut_off_before_the_model_is_finished_at_opening(void **state)
{
    (void)state;
    struct household_model before;
    struct err e = ERR_INIT;
    household_model(node, &before);
    /* The group's records came, and then the node died. */
    assert_int_equal(
        group_found(node->group, BYTES_LIT("laptop"), &node->home.log, clock_wall_ms(&node->clock), &e), 0);
    node_reopen();
    assert_memory_equal(node->home.keys.claim.p, group_secret(node->group), KEY_BYTES);
    assert_true(node->identity_note[0] != '\0');
    household_assert_model(node, &before);
    household_model_free(&before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(join_keeps_the_model_as_it_was),
        T(founding_keeps_ids),
        T(founding_again_takes_another_secret),
        T(join_names_claims_by_the_groups_secret),
        T(join_keeps_why),
        T(join_keeps_what_was_forgotten_forgotten),
        T(join_keeps_settings_and_undone_verdicts),
        T(join_dates_words_as_they_were_said),
        T(join_lost_key_file_write_is_made_up_for),
        T(join_cut_off_before_the_model_is_finished_at_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
