/* A node: the n-th allocation, read, write, lock or system call fails while a device is made and opened,
 * while it imports and is told things, answers, forgets, founds a group and joins one. */
#include "tests/support/unit.h"

#include "base/time.h"
#include "node/handover.h"
#include "node/identity.h"
#include "node/join.h"
#include "tests/faults/place.h"
#include "tests/node/household.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const enum faults_kind all_kinds[] = {FAULTS_ALLOC, FAULTS_READ,   FAULTS_WRITE, FAULTS_FULL,
                                             FAULTS_LOCK,  FAULTS_SYSTEM, FAULTS_NONE};
static const enum faults_kind writing[] = {FAULTS_ALLOC, FAULTS_WRITE, FAULTS_SYSTEM, FAULTS_NONE};
static const enum faults_kind reading[] = {FAULTS_ALLOC, FAULTS_READ, FAULTS_NONE};

/* A node takes its time to open. */
#define POINTS 8

static struct place place;
static char records_path[TMP_PATH_BYTES], told_path[TMP_PATH_BYTES];

static void settle(void *ctx, bool again)
{
    (void)ctx;
    place_settle(&place, again);
}

static void finish(void *ctx, struct hasher *h)
{
    (void)ctx;
    place_finish(&place, h);
    assert_int_equal(place.n->identity_note[0], '\0');
}

static void end(void *ctx)
{
    (void)ctx;
    place_end(&place);
}

static void start_open(void *ctx)
{
    (void)ctx;
    place_start_open(&place);
}

/* ---- making and opening */

static void start_bare(void *ctx)
{
    (void)ctx;
    place_start_bare(&place);
}

/* What is there already is gone on with, as a person would. */
static int run_make(void *ctx, struct err *e)
{
    (void)ctx;
    int rc = node_init(place.home, BYTES_LIT("laptop"), e);
    return rc == ERR_EXISTS ? place_open(&place, e) : rc;
}

static void settle_not(void *ctx, bool again)
{
    (void)ctx;
    (void)again;
}

static void making_a_device(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"init", start_bare, run_make, settle_not, finish, end, NULL, POINTS},
               all_kinds);
}

static void start_closed(void *ctx)
{
    (void)ctx;
    place_start_closed(&place);
}

static int run_open(void *ctx, struct err *e)
{
    (void)ctx;
    return place_open(&place, e);
}

static void finish_same_log(void *ctx, struct hasher *h)
{
    hasher_update(h, bytes_of(place.n->home.log.b, ID_BYTES));
    finish(ctx, h);
}

static void opening_a_folder(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"node open", start_closed, run_open, settle_not, finish_same_log, end,
                                    NULL, POINTS},
               all_kinds);
}

/* ---- importing */

#define RECORDS 40

static void records_make(void)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (int i = 0; i < RECORDS; i++) {
        char time[RFC3339_TEXT + 1];
        rfc3339_print(place.clock.wall_ms - (int64_t)MS_DAY * (RECORDS - i), time);
        (void)buf_printf(&b,
                         "{\"time\":\"%s\",\"source\":\"jsonl\",\"app\":\"editor\",\"title\":\"notes %d\","
                         "\"command\":\"kubectl get pods --token=hunter2hunter2\",\"cwd\":\"/srv/notes\","
                         "\"files\":[\"a%d.md\",\"b.md\"],\"text\":\"card 4111 1111 1111 1111\"}\n",
                         time, i, i);
    }
    tmp_write(tmp_path(&place.dir, "records.jsonl", records_path), buf_view(&b));
    tmp_write(tmp_path(&place.dir, "told.txt", told_path),
              BYTES_LIT("prefers plain-text mail\nworks in Lisbon\n"
                        "{\"text\":\"drinks tea in the morning\",\"confidence\":8,\"pinned\":true}\n"));
    buf_release(&b);
}

static int run_import(void *ctx, struct err *e)
{
    (void)ctx;
    return place_job(&place, "jsonl", records_path, e);
}

static int run_told(void *ctx, struct err *e)
{
    (void)ctx;
    return place_job(&place, NULL, told_path, e);
}

static int row_hash(void *ctx, const struct stored_observation *o)
{
    struct hasher *h = ctx;
    hasher_update(h, bytes_of(o->key, sizeof o->key));
    hasher_update(h, o->text);
    hasher_update(h, o->command);
    hasher_update(h, o->files);
    return 0;
}

static void finish_rows(void *ctx, struct hasher *h)
{
    const struct observation_filter f = {.from_ms = TIME_NONE, .until_ms = TIME_NONE, .max = UINT32_MAX};
    struct err e = ERR_INIT;
    finish(ctx, h);
    assert_int_equal(local_observations(place.n->store, &f, row_hash, h, &e), 0);
    assert_int_equal(tmp_count_files_with(place.home, BYTES_LIT("4111 1111")), 0);
}

static void importing(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"import", start_open, run_import, settle, finish_rows, end, NULL, POINTS},
               all_kinds);
}

static void being_told(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"told", start_open, run_told, settle, finish, end, NULL, POINTS},
               all_kinds);
}

/* ---- answering: whole, or not at all */

static const char *reads[] = {
    "{'cmd':'show','all':true}",
    "{'cmd':'query','text':'git in the morning','max':5}",
    "{'cmd':'log','max':20}",
    "{'cmd':'export','max':20}",
    "{'cmd':'devices'}",
    "{'cmd':'conflicts'}",
    "{'cmd':'log','audit':true}",
    "{'cmd':'config'}",
    "{'cmd':'share'}",
    "{'cmd':'sources'}",
};
static const char *asked;

static void start_asked(void *ctx)
{
    start_open(ctx);
    place_request(&place, asked);
}

static int run_asked(void *ctx, struct err *e)
{
    (void)ctx;
    return place_ask(&place, e);
}

static void finish_answer(void *ctx, struct hasher *h)
{
    (void)ctx;
    char *text = cJSON_PrintUnformatted(place.answer);
    assert_non_null(text);
    hasher_update(h, bytes_str(text));
    cJSON_free(text);
}

static void answering(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        asked = reads[i];
        fault_loop(
            &(struct fault_case){asked, start_asked, run_asked, settle, finish_answer, end, NULL, POINTS},
            reading);
    }
}

/* ---- the user's word */

static char cello[64];

static void about_the_cello(const char *cmd, const char *rest)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "{'cmd':'%s','id':'%s'%s}", cmd, cello, rest);
    asked = text;
}

static void editing(void **state)
{
    (void)state;
    about_the_cello("edit", ",'text':'plays the violoncello'");
    fault_loop(&(struct fault_case){"edit", start_asked, run_asked, settle, finish, end, NULL, POINTS},
               writing);
}

/* Said again after a commit whose last step failed, it is forgotten already. */
static int run_forget(void *ctx, struct err *e)
{
    int rc = run_asked(ctx, e);
    return rc == ERR_FORGOTTEN || rc == ERR_NOTFOUND ? 0 : rc;
}

static void finish_forgotten(void *ctx, struct hasher *h)
{
    finish(ctx, h);
    place_close(&place);
    assert_int_equal(tmp_count_files_with(place.home, BYTES_LIT("plays the cello")), 0);
}

static void forgetting_a_proposition(void **state)
{
    (void)state;
    about_the_cello("forget", "");
    fault_loop(
        &(struct fault_case){"forget", start_asked, run_forget, settle, finish_forgotten, end, NULL, POINTS},
        all_kinds);
}

static void finish_no_rows(void *ctx, struct hasher *h)
{
    finish(ctx, h);
    place_close(&place);
    assert_int_equal(tmp_count_files_with(place.home, BYTES_LIT("vim notes.txt")), 0);
}

static void forgetting_a_source(void **state)
{
    (void)state;
    asked = "{'cmd':'forget','source':'bash'}";
    fault_loop(&(struct fault_case){"forget source", start_asked, run_asked, settle, finish_no_rows, end,
                                    NULL, POINTS},
               writing);
}

/* ---- the group */

static int run_found(void *ctx, struct err *e)
{
    struct join_summary sum;
    (void)ctx;
    return identity_is_member(place.n) ? 0 : join_found(place.n, &sum, e);
}

static void finish_member(void *ctx, struct hasher *h)
{
    (void)ctx;
    place_finish(&place, h);
    assert_true(identity_is_member(place.n));
    assert_true(place.n->home.keys.grouped);
    assert_memory_equal(place.n->home.keys.claim.p, group_secret(place.n->group), KEY_BYTES);
}

static void founding_a_group(void **state)
{
    (void)state;
    fault_loop(&(struct fault_case){"found", start_open, run_found, settle, finish_member, end, NULL, POINTS},
               writing);
}

/* Another device's group, in which this one is a member already: what a pairing hands over. */
static struct buf handed;
static struct id handed_group;

static int handed_put(void *ctx, struct bytes record)
{
    (void)ctx;
    wr_u32(&handed, (uint32_t)record.n);
    wr_bytes(&handed, record);
    return handed.err;
}

static void handed_make(void)
{
    const struct history_grant all = {.kind = HISTORY_ALL};
    struct join_summary sum;
    struct err e = ERR_INIT;
    struct buf cert;
    start_open(NULL);
    struct node *host = household_add(&place.dir, "host");
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    buf_init(&handed, HANDOVER_RECORDS_BYTES_MAX);
    assert_int_equal(join_found(host, &sum, &e), 0);
    assert_int_equal(
        device_cert_make(&place.n->home.keys.device, BYTES_LIT("laptop"), place.clock.wall_ms, &cert, &e), 0);
    assert_int_equal(group_add(host->group, buf_view(&cert), &all, place.clock.wall_ms, &e), 0);
    group_id(host->group, &handed_group);
    assert_int_equal(group_records(host->group, NULL, 0, handed_put, NULL), 0);
    buf_release(&cert);
    node_close(host);
    end(NULL);
}

/* As the joiner's side of a pairing does it: what a former attempt took goes first, unless the opening has
 * finished that. */
static int run_join(void *ctx, struct err *e)
{
    struct join_summary sum;
    struct handover hand;
    struct node *n = place.n;
    (void)ctx;
    if (identity_is_member(n) && n->home.keys.grouped)
        return 0;
    handover_init(&hand);
    int rc = group_mend(n->group, e);
    rc = rc == 0 && group_exists(n->group) ? group_leave(n->group, e) : rc;
    rc = rc == 0 ? group_join(n->group, &handed_group, e) : rc;
    if (rc == 0 && buf_bytes(&hand.records, buf_view(&handed)) != 0)
        rc = err_set(e, ERR_NOMEM, "taking the membership");
    rc = rc == 0 ? handover_take(&hand, n->group, e) : rc;
    rc = rc == 0 ? join_rebase(n, &sum, e) : rc;
    handover_release(&hand);
    return rc;
}

static void joining_a_group(void **state)
{
    (void)state;
    handed_make();
    fault_loop(&(struct fault_case){"join", start_open, run_join, settle, finish_member, end, NULL, POINTS},
               all_kinds);
    buf_release(&handed);
}

/* ---- the folder that all begin with */

static void furnish(struct node *n)
{
    assert_true(household_history(&place.dir, n) > 100);
    cJSON_Delete(household_ask(n, "{'cmd':'tell','text':'plays the cello','confidence':9,'pinned':true}"));
    household_do(n, "confirm", "git", "");
    assert_true(household_find(n, "cello", cello));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_device),
        cmocka_unit_test(opening_a_folder),
        cmocka_unit_test(importing),
        cmocka_unit_test(being_told),
        cmocka_unit_test(answering),
        cmocka_unit_test(editing),
        cmocka_unit_test(forgetting_a_proposition),
        cmocka_unit_test(forgetting_a_source),
        cmocka_unit_test(founding_a_group),
        cmocka_unit_test(joining_a_group),
    };
    faults_install();
    place_make(&place, furnish);
    records_make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    place_remove(&place);
    return failed;
}
