/* What becomes of a device after restores, copies and losses. */
#include "node/identity.h"

#include "node/job.h"
#include "node/join.h"
#include "node/words.h"
#include "tests/node/household.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct tmp_dir dir;
static struct node *n;
static char home[TMP_PATH_BYTES], keys[TMP_PATH_BYTES];

static int setup(void **state)
{
    (void)state;
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "laptop", home);
    (void)tmp_path(&dir, "laptop/keys", keys);
    n = household_add(&dir, "laptop");
    assert_true(household_history(&dir, n) > 100);
    cJSON_Delete(household_ask(n, "{'cmd':'tell','text':'plays the cello'}"));
    household_do(n, "confirm", "git", "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_close(n);
    n = NULL;
    tmp_dir_remove(&dir);
    return 0;
}

static void shut(void)
{
    node_close(n);
    n = NULL;
}

static void found(void)
{
    struct join_summary sum;
    struct err e = ERR_INIT;
    assert_int_equal(join_found(n, &sum, &e), 0);
}

static void renew(const char *words, int want)
{
    struct err e = ERR_INIT;
    int rc = identity_renew(home, bytes_str(words), &e);
    if (rc != want) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, want);
}

/* The word list as shown, typed back. */
static void words_write_down(char out[RECOVERY_TEXT_MAX + 1])
{
    cJSON *a = household_ask(n, "{'cmd':'devices.words'}");
    char req[RECOVERY_TEXT_MAX + 64];
    snprintf(out, RECOVERY_TEXT_MAX + 1, "%s", cJSON_GetObjectItem(a, "words")->valuestring);
    cJSON_Delete(a);
    snprintf(req, sizeof(req), "{'cmd':'devices.words.check','words':'%s'}", out);
    cJSON_Delete(household_ask(n, req));
}

static void restored_database_goes_on_in_a_new_log(void **state)
{
    (void)state;
    char db[TMP_PATH_BYTES], backup[TMP_PATH_BYTES];
    struct id device;
    found();
    shut();
    tmp_copy(tmp_path(&dir, "laptop/selfsame.db", db), tmp_path(&dir, "backup", backup));
    n = household_open(&dir, "laptop");
    struct id log = n->home.log;
    cJSON_Delete(household_ask(n, "{'cmd':'tell','text':'said after the backup'}"));
    shut();
    tmp_copy(backup, db);
    n = household_open(&dir, "laptop");
    assert_false(id_eq(&log, &n->home.log));
    assert_true(group_log(n->group, &n->home.log, &device, &(uint64_t){0}));
    assert_true(id_eq(&device, &n->home.device));
    cJSON_Delete(household_ask(n, "{'cmd':'tell','text':'said after the restore'}"));
}

static void lost_key_file_is_noticed_and_explained(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct node *x = NULL;
    struct node_options o = {.home = home};
    shut();
    assert_int_equal(unlink(keys), 0);
    assert_int_equal(node_open(&x, &o, &e), ERR_ATTENTION);
    assert_non_null(strstr(e.hint, "selfsame init --renew"));
}

/* A history without times: equal commands are told apart by their number. */
static uint64_t plain_history(void)
{
    char path[TMP_PATH_BYTES], cursor[TMP_PATH_BYTES + 32];
    struct err e = ERR_INIT;
    struct job *j = NULL;
    tmp_write(tmp_path(&dir, "plain", path), BYTES_LIT("make check\nmake\nmake check\nls -l\nmake check\n"));
    snprintf(cursor, sizeof(cursor), "cursor:bash:%s", path);
    assert_int_equal(local_set(n->store, cursor, BYTES_NONE, &e), 0);
    struct job_spec spec = {.source = "bash", .path = path, .budget_ms = 1000};
    assert_int_equal(job_open(&j, n, &spec, &e), 0);
    int rc = 1;
    while (rc == 1) {
        rc = job_step(j, &e);
    }
    assert_int_equal(rc, 0);
    uint64_t added = job_counts(j)->added;
    job_close(j);
    return added;
}

/* The key file goes, new keys are made, the folder is opened again. */
static void lose_keys(void)
{
    shut();
    assert_int_equal(unlink(keys), 0);
    renew("", 0);
    n = household_open(&dir, "laptop");
}

static void sources_imported_again_after_a_lost_key_file_are_recognised(void **state)
{
    (void)state;
    struct household_model before;
    assert_int_equal(plain_history(), 5);
    uint64_t observations = household_observations(n);
    household_model(n, &before);
    lose_keys();
    assert_int_equal(plain_history(), 0);
    assert_int_equal(household_history(&dir, n), 0);
    assert_int_equal(household_observations(n), observations);
    household_assert_model(n, &before);
    household_model_free(&before);
}

static void lost_key_file_is_mended_and_nothing_counts_twice(void **state)
{
    (void)state;
    struct household_model before;
    struct id device = n->home.device;
    uint64_t observations = household_observations(n);
    household_model(n, &before);
    lose_keys();
    assert_false(id_eq(&device, &n->home.device));
    assert_string_equal(n->home.name, "laptop");
    assert_int_equal(household_observations(n), observations);
    household_assert_model(n, &before);
    found(); /* nor when it joins */
    household_assert_model(n, &before);
    household_model_free(&before);
}

static void copy_gets_keys_of_its_own(void **state)
{
    (void)state;
    struct id device = n->home.device, log = n->home.log;
    uint8_t event[KEY_BYTES];
    memcpy(event, n->home.keys.event.p, KEY_BYTES);
    found();
    shut();
    renew("", 0);
    n = household_open(&dir, "laptop");
    assert_false(id_eq(&device, &n->home.device));
    assert_false(id_eq(&log, &n->home.log));
    assert_memory_equal(event, n->home.keys.event.p, KEY_BYTES);
    assert_false(group_exists(n->group));
    /* What it observed is not taken up a second time. */
    uint64_t before = household_observations(n);
    assert_int_equal(household_history(&dir, n), 0);
    assert_int_equal(household_observations(n), before);
}

/* By a member of the group that is no device here: its recovery words. */
static void be_removed(void)
{
    char words[RECOVERY_TEXT_MAX + 1];
    uint8_t secret[RECOVERY_BYTES];
    struct device_keys k;
    struct group *g = NULL;
    struct err e = ERR_INIT;
    words_write_down(words);
    assert_int_equal(recovery_parse(bytes_str(words), secret, &e), 0);
    device_keys_derive(&k, secret);
    assert_int_equal(group_open(&g, n->store, &k, &n->rng, &e), 0);
    assert_int_equal(group_remove(g, &n->home.device, clock_wall_ms(&n->clock), &e), 0);
    group_close(g);
    device_keys_wipe(&k);
    assert_int_equal(group_reload(n->group, &e), 0);
    assert_false(identity_is_member(n));
}

static void removed_device_that_starts_again_counts_nothing_twice(void **state)
{
    (void)state;
    struct household_model before;
    struct id former = n->home.device;
    found();
    uint64_t observations = household_observations(n);
    household_model(n, &before);
    be_removed();
    shut();
    renew("", 0);
    n = household_open(&dir, "laptop");
    assert_false(id_eq(&former, &n->home.device));
    assert_false(group_exists(n->group));
    assert_int_equal(household_observations(n), observations);
    assert_int_equal(household_history(&dir, n), 0); /* what it observed is recognised */
    household_assert_model(n, &before);
    found();
    household_assert_model(n, &before);
    household_model_free(&before);
}

static void recovery_words_bring_a_device_back_into_its_group(void **state)
{
    (void)state;
    char words[RECOVERY_TEXT_MAX + 1];
    struct household_model before;
    struct id group, now, former = n->home.device;
    found();
    words_write_down(words);
    group_id(n->group, &group);
    household_model(n, &before);
    shut();
    assert_int_equal(unlink(keys), 0);
    renew(words, 0);
    n = household_open(&dir, "laptop");
    group_id(n->group, &now);
    assert_true(id_eq(&group, &now));
    assert_true(identity_is_member(n));
    assert_false(group_is_active(n->group, &former));
    assert_memory_equal(n->home.keys.claim.p, group_secret(n->group), KEY_BYTES);
    household_assert_model(n, &before);
    household_model_free(&before);
}

static void words_of_another_group_change_nothing(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    uint8_t secret[RECOVERY_BYTES] = {9};
    struct buf other;
    buf_init(&other, RECOVERY_TEXT_MAX + 1);
    assert_int_equal(recovery_put(secret, &other), 0);
    found();
    struct id device = n->home.device;
    shut();
    renew(buf_cstr(&other), ERR_VERIFY);
    renew("not words at all", ERR_USAGE);
    buf_release(&other);
    n = household_open(&dir, "laptop");
    assert_true(id_eq(&device, &n->home.device));
    assert_true(identity_is_member(n));
    (void)e;
}

static void recovery_words_open_a_forgotten_passphrase(void **state)
{
    (void)state;
    char words[RECOVERY_TEXT_MAX + 1], req[RECOVERY_TEXT_MAX + 64];
    words_write_down(words);
    cJSON_Delete(household_ask(n, "{'cmd':'passphrase','new':'correct horse battery'}"));
    shut();
    n = household_open(&dir, "laptop");
    assert_true(n->home.locked);
    snprintf(req, sizeof(req), "{'cmd':'unlock','words':'%s'}", words);
    cJSON_Delete(household_ask(n, req));
    assert_false(n->home.locked);
    cJSON_Delete(household_ask(n, "{'cmd':'show'}"));
}

static void new_words_replace_the_old_ones(void **state)
{
    (void)state;
    char first[RECOVERY_TEXT_MAX + 1], second[RECOVERY_TEXT_MAX + 1];
    found();
    words_write_down(first);
    words_write_down(second);
    size_t active = 0;
    for (size_t i = 0; i < group_members(n->group); i++) {
        active += group_member_at(n->group, i)->state != MEMBER_REMOVED;
    }
    assert_int_equal(active, 2);
    shut();
    assert_int_equal(unlink(keys), 0);
    renew(first, ERR_VERIFY);
    renew(second, 0);
    n = household_open(&dir, "laptop");
    assert_true(identity_is_member(n));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(restored_database_goes_on_in_a_new_log),
        T(lost_key_file_is_noticed_and_explained),
        T(lost_key_file_is_mended_and_nothing_counts_twice),
        T(sources_imported_again_after_a_lost_key_file_are_recognised),
        T(copy_gets_keys_of_its_own),
        T(removed_device_that_starts_again_counts_nothing_twice),
        T(recovery_words_bring_a_device_back_into_its_group),
        T(words_of_another_group_change_nothing),
        T(recovery_words_open_a_forgotten_passphrase),
        T(new_words_replace_the_old_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
