/* What leaves the device, source by source. */
#include "node/share.h"

#include "node/merged.h"
#include "tests/node/household.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static struct tmp_dir dir;
static struct node *a, *b;

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    a = household_add(&dir, "laptop");
    b = household_add(&dir, "desktop");
    household_share_secret(&dir, a, &b, "desktop");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_close(a);
    node_close(b);
    tmp_dir_remove(&dir);
    return 0;
}

static void share(struct node *n, const char *lines)
{
    char req[256];
    snprintf(req, sizeof(req), "{'cmd':'config','key':'share','value':'%s'}", lines);
    cJSON_Delete(household_ask(n, req));
}

/* How many pieces of evidence of another device's `why` shows, with their text. */
static int excerpts(struct node *n, const char *text)
{
    char id[64], req[256];
    int found = 0;
    assert_true(household_find(n, text, id));
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *answer = household_ask(n, req);
    const cJSON *e;
    cJSON_ArrayForEach(e, cJSON_GetObjectItem(answer, "evidence"))
    {
        if (strcmp(cJSON_GetObjectItem(e, "device")->valuestring, n->home.name) != 0) {
            assert_non_null(strstr(cJSON_GetObjectItem(e, "text")->valuestring, "git"));
            found++;
        }
    }
    cJSON_Delete(answer);
    return found;
}

static void levels_are_read_line_by_line(void **state)
{
    (void)state;
    struct bytes s = BYTES_LIT("firefox nothing\n\n  git   text \n* counts\n");
    struct err e = ERR_INIT;
    assert_int_equal(share_check(s, &e), 0);
    assert_int_equal(share_level_of(s, BYTES_LIT("firefox")), SHARE_NOTHING);
    assert_int_equal(share_level_of(s, BYTES_LIT("git")), SHARE_TEXT);
    assert_int_equal(share_level_of(s, BYTES_LIT("bash")), SHARE_COUNTS);
    assert_int_equal(share_level_of(BYTES_NONE, BYTES_LIT("bash")), SHARE_COUNTS);
    assert_int_equal(share_level_of(BYTES_LIT("* nothing"), BYTES_LIT("bash")), SHARE_NOTHING);
    assert_int_equal(share_check(BYTES_LIT("firefox everything"), &e), ERR_USAGE);
    assert_int_equal(share_check(BYTES_LIT("firefox"), &e), ERR_USAGE);
}

static void nothing_is_kept_here_and_not_learnt_from(void **state)
{
    (void)state;
    char id[64];
    share(a, "bash nothing");
    assert_true(household_history(&dir, a) > 100);
    assert_false(household_find(a, "git", id));
    household_carry(a, b);
    assert_false(household_find(b, "git", id));
    share(a, "bash counts");
    assert_true(household_find(a, "git", id));
}

static void narrowing_takes_back_what_was_learnt(void **state)
{
    (void)state;
    char id[64];
    struct household_model before;
    assert_true(household_history(&dir, a) > 100);
    household_model(a, &before);
    uint64_t observations = household_observations(a);
    share(a, "* nothing");
    cJSON *shown = household_ask(a, "{'cmd':'show'}");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(shown, "propositions")), 0);
    cJSON_Delete(shown);
    assert_int_equal(household_observations(a), observations);
    share(a, "* counts");
    household_assert_model(a, &before);
    household_model_free(&before);
    (void)id;
}

static void counts_send_no_content(void **state)
{
    (void)state;
    assert_true(household_history(&dir, a) > 100);
    household_carry(a, b);
    assert_int_equal(excerpts(b, "git"), 0);
    assert_int_equal(tmp_count_files_with(b->home.path, BYTES_LIT("rg selfsame")), 0);
}

static void text_sends_the_newest_excerpts(void **state)
{
    (void)state;
    share(a, "bash text");
    assert_true(household_history(&dir, a) > 100);
    household_carry(a, b);
    assert_int_equal(excerpts(b, "git"), SHARE_EXCERPTS);
    assert_int_equal(excerpts(a, "git"), 0); /* its own are shown as what they are */
    struct err e = ERR_INIT;
    assert_int_equal(store_check(b->store, &e), 0);
}

static void text_withdrawn_is_gone_everywhere(void **state)
{
    (void)state;
    share(a, "bash text");
    assert_true(household_history(&dir, a) > 100);
    household_carry(a, b);
    share(a, "bash counts");
    household_carry(a, b);
    assert_int_equal(excerpts(b, "git"), 0);
}

static void forgetting_erases_excerpts_everywhere(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    share(a, "bash text");
    assert_true(household_history(&dir, a) > 100);
    household_carry(a, b);
    assert_true(tmp_count_files_with(b->home.path, BYTES_LIT("rg selfsame")) > 0);
    household_do(a, "forget", "rg", "");
    household_do(a, "forget", "shell", "");
    household_carry(a, b);
    assert_int_equal(node_merged(b, &e), 0);
    assert_int_equal(store_scrub(b->store, &e), 0);
    assert_int_equal(tmp_count_files_with(b->home.path, BYTES_LIT("rg selfsame")), 0);
}

static void the_setting_does_not_leave_the_device(void **state)
{
    (void)state;
    share(a, "* text");
    household_carry(a, b);
    cJSON *answer = household_ask(b, "{'cmd':'config','key':'share'}");
    const cJSON *s = cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "settings"), 0);
    assert_string_equal(cJSON_GetObjectItem(s, "value")->valuestring, "");
    cJSON_Delete(answer);
}

static void one_source_is_changed_and_the_others_stay(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 1000);
    struct bytes s = BYTES_LIT("* nothing\n\n git   text \nbash counts");
    assert_int_equal(share_edit(s, BYTES_LIT("git"), BYTES_LIT("counts"), &out, &e), 0);
    assert_string_equal(buf_cstr(&out), "* nothing\nbash counts\ngit counts\n");
    buf_clear(&out);
    assert_int_equal(share_edit(s, BYTES_LIT("git"), BYTES_LIT("default"), &out, &e), 0);
    assert_string_equal(buf_cstr(&out), "* nothing\nbash counts\n");
    assert_int_equal(share_edit(s, BYTES_LIT("git"), BYTES_LIT("all"), &out, &e), ERR_USAGE);
    assert_int_equal(share_edit(s, BYTES_LIT("git text\n*"), BYTES_LIT("text"), &out, &e), ERR_USAGE);
    assert_int_equal(share_edit(s, BYTES_NONE, BYTES_LIT("text"), &out, &e), ERR_USAGE);
    assert_true(share_is_set(s, BYTES_LIT("git")) && !share_is_set(s, BYTES_LIT("zsh")));
    buf_release(&out);
}

/* The level that `share` tells of a source. */
static void assert_level(struct node *n, const char *source, const char *level)
{
    cJSON *answer = household_ask(n, "{'cmd':'share'}");
    const char *found = cJSON_GetObjectItem(answer, "others")->valuestring;
    const cJSON *s;
    cJSON_ArrayForEach(s, cJSON_GetObjectItem(answer, "sources"))
    {
        if (strcmp(cJSON_GetObjectItem(s, "source")->valuestring, source) == 0) {
            found = cJSON_GetObjectItem(s, "level")->valuestring;
        }
    }
    assert_string_equal(found, level);
    cJSON_Delete(answer);
}

static void another_devices_level_widens_nothing_here(void **state)
{
    (void)state;
    cJSON_Delete(household_ask(b, "{'cmd':'share','source':'*','level':'nothing'}"));
    cJSON_Delete(household_ask(b, "{'cmd':'share','source':'git','level':'counts'}"));
    cJSON_Delete(household_ask(a, "{'cmd':'share','source':'*','level':'text'}"));
    cJSON_Delete(household_ask(a, "{'cmd':'share','source':'git','level':'text'}"));
    household_carry(a, b);
    assert_level(a, "git", "text");
    assert_level(b, "git", "counts");
    assert_level(b, "bash", "nothing");
    cJSON_Delete(household_ask(b, "{'cmd':'share','source':'git','level':'default'}"));
    assert_level(b, "git", "nothing");
}

static void older_database_widens_nothing(void **state)
{
    (void)state;
    char db[TMP_PATH_BYTES], old[TMP_PATH_BYTES];
    share(a, "bash text\\ngit nothing");
    node_close(a);
    tmp_copy(tmp_path(&dir, "laptop/selfsame.db", db), tmp_path(&dir, "yesterday", old));
    a = household_open(&dir, "laptop");
    assert_false(a->share_narrowed);
    share(a, "bash nothing\\ngit text");
    node_close(a);
    tmp_copy(old, db);
    a = household_open(&dir, "laptop");
    assert_true(a->share_narrowed);
    assert_level(a, "bash", "nothing");
    assert_level(a, "git", "nothing");
    assert_level(a, "zsh", "counts");
    share(a, "bash text");
    node_close(a);
    a = household_open(&dir, "laptop");
    assert_false(a->share_narrowed);
    assert_level(a, "bash", "text");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(levels_are_read_line_by_line),
        T(nothing_is_kept_here_and_not_learnt_from),
        T(narrowing_takes_back_what_was_learnt),
        T(counts_send_no_content),
        T(text_sends_the_newest_excerpts),
        T(text_withdrawn_is_gone_everywhere),
        T(forgetting_erases_excerpts_everywhere),
        T(the_setting_does_not_leave_the_device),
        T(one_source_is_changed_and_the_others_stay),
        T(another_devices_level_widens_nothing_here),
        T(older_database_widens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
