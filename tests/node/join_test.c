/* Joining with a model of one's own: nothing lost, nothing doubled, whatever happens half-way. */
#include "node/join.h"

#include "crypto/hash.h"
#include "node/identity.h"
#include "node/job.h"
#include "node/model/tell.h"
#include "node/serve/api.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tmp_dir dir;
static char home_path[TMP_PATH_BYTES];
static struct node *node;

static void node_reopen(void)
{
    struct err e = ERR_INIT;
    struct node_options o = {.home = home_path};
    node_close(node);
    node = NULL;
    int rc = node_open(&node, &o, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
}

static cJSON *ask(const char *request)
{
    char text[2048];
    struct err e = ERR_INIT;
    cJSON *answer = NULL;
    snprintf(text, sizeof(text), "%s", request);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cJSON *req = cJSON_Parse(text);
    assert_non_null(req);
    int rc = api_call(node, req, &answer, &e);
    if (rc != 0) {
        print_message("%s: %s\n", request, e.text);
    }
    assert_int_equal(rc, 0);
    cJSON_Delete(req);
    return answer;
}

/* A shell used every day for eight weeks. */
static void history_import(void)
{
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    struct job *j = NULL;
    struct buf b;
    int64_t now = clock_wall_ms(&node->clock) / 1000;
    buf_init(&b, 1u << 20);
    for (int day = 56; day > 0; day--) {
        long long at = (long long)(now - (int64_t)day * 86400);
        (void)buf_printf(&b, "#%lld\ngit status\n#%lld\nvim notes.txt\n#%lld\nrg selfsame\n", at, at + 60,
                         at + 120);
    }
    tmp_write(tmp_path(&dir, "history", path), buf_view(&b));
    buf_release(&b);
    struct job_spec spec = {.source = "bash", .path = path, .budget_ms = 1000};
    assert_int_equal(job_open(&j, node, &spec, &e), 0);
    while (job_step(j, &e) == 1) {
    }
    assert_true(job_counts(j)->added > 100);
    job_close(j);
}

static int setup(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "home", home_path);
    assert_int_equal(crypt_start(), 0);
    assert_int_equal(node_init(home_path, BYTES_LIT("laptop"), &e), 0);
    node_reopen();
    history_import();
    cJSON_Delete(ask("{'cmd':'tell','text':'plays the cello','confidence':9,'scope':'home','pinned':true}"));
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

/* ---- the model in a form that can be compared: texts with what is shown of them, sorted */

struct lines {
    char *v[512];
    size_t n;
};

static int line_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void model_read(struct lines *l)
{
    cJSON *a = ask("{'cmd':'show','all':true,'max':500}");
    const cJSON *p;
    l->n = 0;
    cJSON_ArrayForEach(p, cJSON_GetObjectItem(a, "propositions"))
    {
        char line[1024];
        snprintf(line, sizeof(line), "%s|%d|%d|%s|%s|%s|%s", cJSON_GetObjectItem(p, "text")->valuestring,
                 cJSON_GetObjectItem(p, "evidence")->valueint, cJSON_IsTrue(cJSON_GetObjectItem(p, "pinned")),
                 cJSON_GetObjectItem(p, "verdict")->valuestring, cJSON_GetObjectItem(p, "scope")->valuestring,
                 cJSON_GetObjectItem(p, "status")->valuestring,
                 cJSON_GetObjectItem(p, "created")->valuestring);
        assert_true(l->n < 512);
        l->v[l->n++] = strdup(line);
    }
    cJSON_Delete(a);
    qsort(l->v, l->n, sizeof(l->v[0]), line_order);
}

static void lines_free(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i]);
    }
}

static void assert_model(const struct lines *before)
{
    struct lines now;
    struct err e = ERR_INIT;
    model_read(&now);
    for (size_t i = 0; i < before->n && i < now.n; i++) {
        assert_string_equal(now.v[i], before->v[i]);
    }
    assert_int_equal(now.n, before->n);
    lines_free(&now);
    int rc = store_check(node->store, &e);
    if (rc != 0) {
        print_message("%s\n", e.text);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(store_verify(node->store, &e), 0);
}

static void id_of(const char *text, char id[64])
{
    cJSON *a = ask("{'cmd':'show','all':true,'max':500}");
    const cJSON *p;
    id[0] = '\0';
    cJSON_ArrayForEach(p, cJSON_GetObjectItem(a, "propositions"))
    {
        if (strstr(cJSON_GetObjectItem(p, "text")->valuestring, text) != NULL) {
            snprintf(id, 64, "%s", cJSON_GetObjectItem(p, "id")->valuestring);
        }
    }
    cJSON_Delete(a);
    assert_true(id[0] != '\0');
}

static void with_id(const char *cmd, const char *text, const char *rest)
{
    char id[64], req[512];
    id_of(text, id);
    snprintf(req, sizeof(req), "{'cmd':'%s','id':'%s'%s}", cmd, id, rest);
    cJSON_Delete(ask(req));
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

/* ---- claims -----------------------------------------------------------------------------------------------
 */

static void join_keeps_the_model_as_it_was(void **state)
{
    (void)state;
    struct lines before;
    struct id log = node->home.log;
    with_id("confirm", "git", "");
    with_id("pin", "rg", "");
    with_id("reject", "vim", "");
    with_id("edit", "cello", ",'text':'plays the violoncello'");
    model_read(&before);
    assert_true(before.n >= 4);
    found();
    assert_model(&before);
    assert_false(id_eq(&log, &node->home.log));
    assert_true(node->home.keys.grouped);
    assert_true(identity_is_member(node));
    node_reopen();
    assert_model(&before);
    lines_free(&before);
}

static void join_names_claims_by_the_groups_secret(void **state)
{
    (void)state;
    char before[64], after[64], told[64];
    struct id id;
    char text[ID_TEXT + 1];
    id_of("git", before);
    found();
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
    found();
    id_of("git", id);
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *a = ask(req);
    assert_true(cJSON_GetObjectItem(a, "evidence_total")->valueint > 20);
    cJSON_Delete(a);
}

static void join_keeps_what_was_forgotten_forgotten(void **state)
{
    (void)state;
    struct lines before;
    with_id("forget", "rg", "");
    with_id("forget", "cello", "");
    model_read(&before);
    for (size_t i = 0; i < before.n; i++) {
        assert_null(strstr(before.v[i], "rg"));
    }
    found();
    assert_model(&before);
    lines_free(&before);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("plays the cello")), 0);
}

static void join_keeps_settings_and_undone_verdicts(void **state)
{
    (void)state;
    struct lines before;
    cJSON_Delete(ask("{'cmd':'config','key':'audit.email','value':'on'}"));
    with_id("confirm", "git", "");
    with_id("confirm", "git", ",'off':true");
    model_read(&before);
    found();
    assert_model(&before);
    lines_free(&before);
    cJSON *a = ask("{'cmd':'config','key':'audit.email'}");
    const cJSON *s = cJSON_GetArrayItem(cJSON_GetObjectItem(a, "settings"), 0);
    assert_string_equal(cJSON_GetObjectItem(s, "value")->valuestring, "on");
    cJSON_Delete(a);
}

static void join_dates_words_as_they_were_said(void **state)
{
    (void)state;
    char id[64], req[256];
    struct err e = ERR_INIT;
    with_id("confirm", "git", "");
    id_of("git", id);
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *before = ask(req);
    found();
    id_of("git", id);
    snprintf(req, sizeof(req), "{'cmd':'why','id':'%s'}", id);
    cJSON *after = ask(req);
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
    (void)e;
}

/* ---- half-way ---------------------------------------------------------------------------------------------
 */

static void join_lost_key_file_write_is_made_up_for(void **state)
{
    (void)state;
    char keys[TMP_PATH_BYTES], copy[TMP_PATH_BYTES];
    struct lines before;
    model_read(&before);
    tmp_copy(tmp_path(&dir, "home/keys", keys), tmp_path(&dir, "keys.before", copy));
    found();
    struct id log = node->home.log;
    node_close(node);
    node = NULL;
    tmp_copy(copy, keys); /* as if the node had died between commit and key file */
    node_reopen();
    assert_true(node->home.keys.grouped);
    assert_memory_equal(node->home.keys.claim.p, group_secret(node->group), KEY_BYTES);
    assert_true(id_eq(&log, &node->home.log));
    assert_model(&before);
    lines_free(&before);
}

static void join_cut_off_before_the_model_is_finished_at_opening(void **state)
{
    (void)state;
    struct lines before;
    struct err e = ERR_INIT;
    model_read(&before);
    /* The group's records came, and then the node died. */
    assert_int_equal(
        group_found(node->group, BYTES_LIT("laptop"), &node->home.log, clock_wall_ms(&node->clock), &e), 0);
    node_reopen();
    assert_memory_equal(node->home.keys.claim.p, group_secret(node->group), KEY_BYTES);
    assert_true(node->identity_note[0] != '\0');
    assert_model(&before);
    lines_free(&before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(join_keeps_the_model_as_it_was),
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
