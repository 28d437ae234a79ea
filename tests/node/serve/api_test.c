/* The control interface in process: what every command answers, on a real data folder. */
#include "node/serve/api.h"

#include "crypto/hash.h"
#include "node/file.h"
#include "node/model/kinds.h"
#include "node/model/revision.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tmp_dir dir;
static char home_path[TMP_PATH_BYTES];
static struct node *node;

static int setup(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "home", home_path);
    struct node_options o = {.home = home_path};
    return node_init(home_path, BYTES_LIT("laptop"), &e) != 0 ? -1 : node_open(&node, &o, &e);
}

static int teardown(void **state)
{
    (void)state;
    node_close(node);
    node = NULL;
    tmp_dir_remove(&dir);
    return 0;
}

/* One request written as JSON with ' for ". The answer is the caller's. */
static cJSON *ask_code(const char *request, int code)
{
    char text[4096];
    struct err e = ERR_INIT;
    cJSON *answer = NULL;
    snprintf(text, sizeof(text), "%s", request);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cJSON *req = cJSON_Parse(text);
    assert_non_null(req);
    int rc = api_call(node, req, &answer, &e);
    cJSON_Delete(req);
    if (rc != code) {
        print_message("%s: %s\n", request, e.text);
    }
    assert_int_equal(rc, code);
    assert_true((rc == 0) == (answer != NULL));
    return answer;
}

static cJSON *ask(const char *request)
{
    return ask_code(request, 0);
}

static const cJSON *at(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
    assert_non_null(v);
    return v;
}

static int num(const cJSON *o, const char *key)
{
    const cJSON *v = at(o, key);
    assert_true(cJSON_IsNumber(v));
    return v->valueint;
}

static const char *str(const cJSON *o, const char *key)
{
    const char *v = cJSON_GetStringValue(at(o, key));
    assert_non_null(v);
    return v;
}

/* Tells a sentence; its id. */
static void tell_text(const char *text, char id[64])
{
    char req[1024];
    snprintf(req, sizeof(req), "{'cmd':'tell','text':'%s'}", text);
    cJSON *a = ask(req);
    snprintf(id, 64, "%s", str(at(a, "proposition"), "id"));
    cJSON_Delete(a);
}

static cJSON *ask_id(const char *cmd, const char *id, const char *rest, int code)
{
    char req[1024];
    snprintf(req, sizeof(req), "{'cmd':'%s','id':'%s'%s}", cmd, id, rest);
    return ask_code(req, code);
}

static int shown(void)
{
    cJSON *a = ask("{'cmd':'show'}");
    int n = cJSON_GetArraySize(at(a, "propositions"));
    cJSON_Delete(a);
    return n;
}

/* Runs a job to its end; the last answer is the caller's. */
static cJSON *job_run(const char *start)
{
    char req[256];
    cJSON *a = ask(start);
    int job = num(a, "job");
    snprintf(req, sizeof(req), "{'cmd':'job.step','job':%d}", job);
    for (;;) {
        cJSON_Delete(a);
        a = ask(req);
        if (cJSON_IsTrue(at(a, "done"))) {
            return a;
        }
    }
}

static cJSON *import_text(const char *name, const char *content)
{
    char path[TMP_PATH_BYTES];
    char req[1024];
    tmp_write(tmp_path(&dir, name, path), bytes_str(content));
    snprintf(req, sizeof(req), "{'cmd':'job.start','kind':'import','source':'jsonl','path':'%s'}", path);
    return job_run(req);
}

/* ---- requests --------------------------------------------------------------------------------------------
 */

static void api_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    assert_null(ask_code("{'cmd':'frobnicate'}", ERR_USAGE));
    assert_null(ask_code("{'nocmd':1}", ERR_FORMAT));
    assert_null(ask_code("[1]", ERR_FORMAT));
    assert_null(ask_code("{'cmd':'show','mxa':3}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'show','max':'3'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'show','max':1.5}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'show','max':1e300}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'query'}", ERR_USAGE));
    assert_null(ask_code("{'schema':2,'cmd':'show'}", ERR_VERSION));
}

static void api_message_answers_garbage_with_an_error_document(void **state)
{
    (void)state;
    static const uint8_t garbage[] = {0xff, 0x00, '{', '"'};
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(api_message(node, bytes_of(garbage, sizeof(garbage)), &out), 0);
    assert_non_null(strstr(buf_cstr(&out), "\"ERR_FORMAT\""));
    buf_clear(&out);
    assert_int_equal(api_message(node, BYTES_NONE, &out), 0);
    assert_non_null(strstr(buf_cstr(&out), "\"error\""));
    buf_release(&out);
}

static void api_error_documents_keep_code_text_and_hint(void **state)
{
    (void)state;
    struct err in = ERR_INIT;
    struct err out = ERR_INIT;
    (void)err_set(&in, ERR_AMBIGUOUS, "two of them");
    err_hint(&in, "say more");
    cJSON *doc = api_error_document(&in);
    assert_int_equal(api_error_of(doc, &out), ERR_AMBIGUOUS);
    assert_string_equal(out.text, "two of them");
    assert_string_equal(out.hint, "say more");
    cJSON_Delete(doc);
}

/* ---- telling ---------------------------------------------------------------------------------------------
 */

static void tell_the_same_twice_is_one_proposition(void **state)
{
    (void)state;
    char a[64];
    char b[64];
    tell_text("Prefers tea", a);
    tell_text("prefers   TEA", b);
    assert_string_equal(a, b);
    assert_int_equal(shown(), 1);
}

static void tell_takes_confidence_decay_scope_and_pin(void **state)
{
    (void)state;
    cJSON *a =
        ask("{'cmd':'tell','text':'Works in Lisbon','confidence':4,'decay':7,'scope':'work','pinned':true}");
    const cJSON *p = at(a, "proposition");
    assert_int_equal(num(p, "confidence"), 4);
    assert_int_equal(num(p, "decay"), 7);
    assert_string_equal(str(p, "scope"), "work");
    assert_true(cJSON_IsTrue(at(p, "pinned")));
    assert_string_equal(cJSON_GetArrayItem(at(p, "devices"), 0)->valuestring, "laptop");
    cJSON_Delete(a);
    assert_null(ask_code("{'cmd':'tell','text':'x','confidence':11}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'tell','text':'   '}", ERR_FORMAT));
}

static void tell_redacts_secrets_and_says_so(void **state)
{
    (void)state;
    cJSON *a = ask("{'cmd':'tell','text':'My card is 4111 1111 1111 1111'}");
    assert_null(strstr(str(at(a, "proposition"), "text"), "4111"));
    assert_int_equal(cJSON_GetArraySize(at(a, "redacted")), 1);
    cJSON_Delete(a);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("4111 1111")), 0);
    a = ask("{'cmd':'log','audit':true}");
    assert_int_equal(cJSON_GetArraySize(at(a, "audit")), 1);
    cJSON_Delete(a);
}

static void log_sent_is_empty_without_an_endpoint(void **state)
{
    (void)state;
    cJSON *a = ask("{'cmd':'log','sent':true}");
    assert_true(cJSON_IsArray(at(a, "sent")));
    assert_int_equal(cJSON_GetArraySize(at(a, "sent")), 0);
    cJSON_Delete(a);
    assert_null(ask_code("{'cmd':'log','sent':true,'audit':true}", ERR_USAGE));
    a = ask("{'cmd':'status'}");
    assert_true(cJSON_IsNull(at(a, "endpoint")));
    cJSON_Delete(a);
}

static void status_tells_of_an_endpoint_that_is_set(void **state)
{
    (void)state;
    cJSON_Delete(ask("{'cmd':'config','key':'endpoint.url','value':'http://127.0.0.1:11434/v1'}"));
    cJSON_Delete(ask("{'cmd':'config','key':'endpoint.model','value':'tiny'}"));
    cJSON *a = ask("{'cmd':'status'}");
    const cJSON *x = at(a, "endpoint");
    assert_string_equal(str(x, "host"), "127.0.0.1:11434");
    assert_string_equal(str(x, "model"), "tiny");
    assert_string_equal(str(x, "state"), "node not running");
    assert_int_equal(num(at(x, "today"), "requests"), 0);
    cJSON_Delete(a);
    assert_null(
        ask_code("{'cmd':'config','key':'endpoint.url','value':'http://me:secret@127.0.0.1/'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'config','key':'endpoint.parallel','value':'17'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'config','key':'endpoint.parallel','value':'two'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'config','key':'endpoint.price-in','value':'1.'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'config','key':'endpoint.key-file','value':'key'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'config','key':'endpoint.key-command','value':'pass show key'}", ERR_USAGE));
}

static void tell_file_names_bad_lines_and_keeps_the_rest(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    char req[1024];
    tmp_write(
        tmp_path(&dir, "told", path),
        BYTES_LIT(
            "Likes hiking\n\n# a comment\n{\"text\":\"Owns a cat\",\"confidence\":8}\n{\"confidence\":3}\n"
            "{\"text\":\"x\",\"decay\":99}\n\xff\xfe\n{broken\nLast line without newline"));
    snprintf(req, sizeof(req), "{'cmd':'job.start','kind':'tell','path':'%s'}", path);
    cJSON *a = job_run(req);
    assert_int_equal(num(a, "added"), 3);
    assert_int_equal(num(a, "bad"), 4);
    const cJSON *bad = cJSON_GetArrayItem(at(a, "bad_records"), 0);
    assert_int_equal(num(bad, "line"), 5);
    assert_string_equal(str(bad, "field"), "text");
    assert_string_equal(str(cJSON_GetArrayItem(at(a, "bad_records"), 1), "field"), "decay");
    assert_int_equal(num(cJSON_GetArrayItem(at(a, "bad_records"), 2), "line"), 7);
    cJSON_Delete(a);
    assert_int_equal(shown(), 3);
    a = job_run(req);
    assert_int_equal(num(a, "added"), 0);
    assert_int_equal(num(a, "known"), 3);
    cJSON_Delete(a);
}

static void told_things_come_fed_in_pieces_too(void **state)
{
    (void)state;
    cJSON *a = ask("{'cmd':'job.start','kind':'tell','path':'-'}");
    cJSON_Delete(a);
    a = ask("{'cmd':'job.feed','job':1,'data':'One thing\\nAnother thing\\n'}");
    cJSON_Delete(a);
    a = ask("{'cmd':'job.feed','job':1,'data':'{bad\\nA third thing\\n','last':true}");
    assert_int_equal(num(cJSON_GetArrayItem(at(a, "bad_records"), 0), "line"), 3);
    cJSON_Delete(a);
    a = ask("{'cmd':'job.step','job':1}");
    assert_int_equal(num(a, "added"), 3);
    assert_true(cJSON_IsTrue(at(a, "done")));
    cJSON_Delete(a);
    assert_null(ask_code("{'cmd':'job.step','job':1}", ERR_NOTFOUND));
}

/* ---- verdicts --------------------------------------------------------------------------------------------
 */

static void reject_hides_and_undo_brings_back(void **state)
{
    (void)state;
    char id[64];
    tell_text("Likes opera", id);
    cJSON *a = ask_id("reject", id, "", 0);
    assert_int_equal(num(at(a, "proposition"), "confidence"), 0);
    assert_string_equal(str(at(a, "proposition"), "verdict"), "rejected");
    cJSON_Delete(a);
    assert_int_equal(shown(), 0);
    a = ask("{'cmd':'show','all':true}");
    assert_int_equal(cJSON_GetArraySize(at(a, "propositions")), 1);
    cJSON_Delete(a);
    cJSON_Delete(ask_id("reject", id, ",'off':true", 0));
    assert_int_equal(shown(), 1);
}

static void confirm_raises_and_pin_comes_first(void **state)
{
    (void)state;
    char a_id[64];
    char b_id[64];
    cJSON_Delete(ask("{'cmd':'tell','text':'Maybe learns Dutch','confidence':3}"));
    tell_text("Has two children", a_id);
    cJSON *a = ask("{'cmd':'query','text':'dutch'}");
    snprintf(b_id, sizeof(b_id), "%s", str(cJSON_GetArrayItem(at(a, "results"), 0), "id"));
    cJSON_Delete(a);
    a = ask_id("confirm", b_id, "", 0);
    assert_true(at(at(a, "proposition"), "probability")->valuedouble >= 0.97);
    cJSON_Delete(a);
    cJSON_Delete(ask_id("pin", b_id, "", 0));
    a = ask("{'cmd':'show'}");
    assert_string_equal(str(cJSON_GetArrayItem(at(a, "propositions"), 0), "id"), b_id);
    cJSON_Delete(a);
}

static void edit_changes_the_text_and_keeps_the_id(void **state)
{
    (void)state;
    char id[64];
    tell_text("Works in Lisbon", id);
    cJSON *a = ask_id("edit", id, ",'text':'Works in Porto'", 0);
    assert_string_equal(str(at(a, "proposition"), "id"), id);
    assert_string_equal(str(at(a, "proposition"), "text"), "Works in Porto");
    cJSON_Delete(a);
    a = ask("{'cmd':'query','text':'porto'}");
    assert_int_equal(cJSON_GetArraySize(at(a, "results")), 1);
    cJSON_Delete(a);
    a = ask_id("why", id, "", 0);
    assert_true(cJSON_GetArraySize(at(a, "history")) >= 2);
    cJSON_Delete(a);
    assert_null(ask_id("edit", id, ",'text':' '", ERR_USAGE));
}

static void ids_are_named_by_prefix_or_not_at_all(void **state)
{
    (void)state;
    char a[64];
    char b[64];
    tell_text("One", a);
    tell_text("Two", b);
    char prefix[8] = {0};
    memcpy(prefix, a, 7);
    cJSON_Delete(ask_id("why", prefix, "", 0));
    assert_null(ask_id("why", "zzzzzzzzz", "", ERR_NOTFOUND));
    assert_null(ask_id("why", "", "", ERR_FORMAT));
}

/* ---- importing and forgetting
 * ------------------------------------------------------------------------------ */

static void import_twice_is_once(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"time\":\"2026-03-01T09:00:00Z\",\"source\":\"git\",\"app\":\"atlas\",\"title\":\"Fix the map\"}\n"
        "{\"time\":\"2026-03-02T09:00:00Z\",\"source\":\"git\",\"app\":\"atlas\",\"title\":\"Draw rivers\"}\n"
        "{\"time\":\"nonsense\",\"source\":\"git\"}\n";
    cJSON *a = import_text("h.jsonl", lines);
    assert_int_equal(num(a, "added"), 2);
    assert_int_equal(num(a, "bad"), 1);
    assert_string_equal(str(cJSON_GetArrayItem(at(a, "bad_records"), 0), "field"), "time");
    cJSON_Delete(a);
    a = import_text("copy.jsonl", lines);
    assert_int_equal(num(a, "added"), 0);
    assert_int_equal(num(a, "known"), 2);
    cJSON_Delete(a);
    a = ask("{'cmd':'log'}");
    assert_int_equal(cJSON_GetArraySize(at(a, "observations")), 2);
    assert_string_equal(str(cJSON_GetArrayItem(at(a, "observations"), 0), "title"), "Draw rivers");
    cJSON_Delete(a);
}

static const char statement[] =
    "{\"time\":\"2026-03-01T09:00:00Z\",\"source\":\"note\",\"text\":\"I am vegetarian and proud of "
    "zucchinibread\"}\n"
    "{\"time\":\"2026-03-01T10:00:00Z\",\"source\":\"note\",\"text\":\"The weather was fine\"}\n";

/* The id of the first proposition that a query finds. */
static void query_first(const char *text, char id[64])
{
    char req[256];
    snprintf(req, sizeof(req), "{'cmd':'query','text':'%s','all':true,'at':'2026-03-02'}", text);
    cJSON *a = ask(req);
    assert_true(cJSON_GetArraySize(at(a, "results")) > 0);
    snprintf(id, 64, "%s", str(cJSON_GetArrayItem(at(a, "results"), 0), "id"));
    cJSON_Delete(a);
}

static void why_links_exactly_what_was_said(void **state)
{
    (void)state;
    char id[64];
    cJSON_Delete(import_text("n.jsonl", statement));
    query_first("vegetarian", id);
    cJSON *a = ask_id("why", id, "", 0);
    assert_int_equal(num(a, "evidence_total"), 1);
    const cJSON *ev = cJSON_GetArrayItem(at(a, "evidence"), 0);
    assert_non_null(strstr(str(ev, "text"), "vegetarian"));
    assert_string_equal(str(ev, "device"), "laptop");
    assert_true(strlen(str(at(a, "proposition"), "reasoning")) > 0);
    cJSON_Delete(a);
}

static void forget_leaves_no_byte_and_stays_forgotten(void **state)
{
    (void)state;
    char id[64];
    cJSON_Delete(import_text("n.jsonl", statement));
    assert_true(tmp_count_files_with(home_path, BYTES_LIT("zucchinibread")) > 0);
    query_first("vegetarian", id);
    cJSON *a = ask_id("forget", id, ",'dry_run':true", 0);
    assert_int_equal(num(a, "observations"), 1);
    cJSON_Delete(a);
    assert_true(tmp_count_files_with(home_path, BYTES_LIT("zucchinibread")) > 0);
    a = ask_id("forget", id, "", 0);
    assert_int_equal(num(a, "observations"), 1);
    cJSON_Delete(a);
    static const char *const words[] = {"zucchinibread", "ucchinibrea", "vegetarian", "egetaria"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tmp_count_files_with(home_path, bytes_str(words[i])), 0);
    }
    assert_null(ask_id("why", id, "", ERR_FORGOTTEN));
    a = import_text("again.jsonl", statement);
    assert_int_equal(num(a, "added"), 0);
    cJSON_Delete(a);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("zucchinibread")), 0);
    a = ask("{'cmd':'doctor'}");
    assert_true(cJSON_IsTrue(at(a, "ok")));
    cJSON_Delete(a);
}

static void what_was_forgotten_may_be_told_again(void **state)
{
    (void)state;
    char first[64];
    char second[64];
    tell_text("Is vegetarian", first);
    cJSON_Delete(ask_id("forget", first, "", 0));
    tell_text("Is vegetarian", second);
    assert_string_not_equal(first, second);
    assert_int_equal(shown(), 1);
}

static void forget_source_erases_and_blocks_its_past(void **state)
{
    (void)state;
    cJSON_Delete(import_text("n.jsonl", statement));
    cJSON *a = ask("{'cmd':'forget','source':'note','until':'2026-03-01T09:30:00Z'}");
    assert_int_equal(num(a, "observations"), 1);
    cJSON_Delete(a);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("zucchinibread")), 0);
    a = import_text("again.jsonl", statement);
    assert_int_equal(num(a, "added"), 0);
    assert_int_equal(num(a, "known"), 1);
    cJSON_Delete(a);
    assert_null(ask_code("{'cmd':'forget'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'forget','id':'a','source':'b'}", ERR_USAGE));
}

static void forget_source_takes_what_lies_ahead_along(void **state)
{
    (void)state;
    static const char plans[] =
        "{\"time\":\"2199-03-01T09:00:00Z\",\"source\":\"plans\",\"text\":\"moon dentist\"}\n"
        "{\"time\":\"2020-03-01T09:00:00Z\",\"source\":\"plans\",\"text\":\"old dentist\"}\n";
    static const char other[] =
        "{\"time\":\"2199-03-01T09:00:00Z\",\"source\":\"plans\",\"text\":\"moon cake\"}\n";
    cJSON_Delete(import_text("n.jsonl", plans));
    cJSON *a = ask("{'cmd':'forget','source':'plans'}");
    assert_int_equal(num(a, "observations"), 2);
    cJSON_Delete(a);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("dentist")), 0);
    a = import_text("again.jsonl", plans);
    assert_int_equal(num(a, "added"), 0);
    cJSON_Delete(a);
    a = import_text("other.jsonl", other);
    assert_int_equal(num(a, "added"), 1);
    cJSON_Delete(a);
}

/* ---- settings, pauses
 * -------------------------------------------------------------------------------------- */

static void rules_drop_before_anything_is_stored(void **state)
{
    (void)state;
    cJSON_Delete(ask("{'cmd':'config','key':'audit.rules','value':'drop source=note','add':true}"));
    cJSON *a = import_text("n.jsonl", statement);
    assert_int_equal(num(a, "added"), 0);
    assert_int_equal(num(a, "dropped"), 2);
    cJSON_Delete(a);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("zucchinibread")), 0);
    assert_null(
        ask_code("{'cmd':'config','key':'audit.rules','value':'drop colour=blue','add':true}", ERR_FORMAT));
    assert_null(
        ask_code("{'cmd':'config','key':'audit.rules','value':'drop source=note','add':true}", ERR_EXISTS));
    cJSON_Delete(ask("{'cmd':'config','key':'audit.rules','value':'drop source=note','remove':true}"));
    a = import_text("m.jsonl", statement);
    assert_int_equal(num(a, "added"), 2);
    cJSON_Delete(a);
}

static void config_knows_its_keys_and_values(void **state)
{
    (void)state;
    assert_null(ask_code("{'cmd':'config','key':'nonsense'}", ERR_NOTFOUND));
    assert_null(ask_code("{'cmd':'config','key':'audit.email','value':'maybe'}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'config','value':'on'}", ERR_USAGE));
    cJSON *a = ask("{'cmd':'config','key':'audit.email','value':'on'}");
    const cJSON *s = cJSON_GetArrayItem(at(a, "settings"), 0);
    assert_string_equal(str(s, "value"), "on");
    assert_true(cJSON_IsTrue(at(s, "set")));
    cJSON_Delete(a);
    a = ask("{'cmd':'config','key':'audit.email','unset':true}");
    s = cJSON_GetArrayItem(at(a, "settings"), 0);
    assert_string_equal(str(s, "value"), "off");
    assert_false(cJSON_IsTrue(at(s, "set")));
    cJSON_Delete(a);
}

static void pause_drops_what_happens_in_it_even_when_read_later(void **state)
{
    (void)state;
    char now[RFC3339_TEXT + 1];
    char line[256];
    cJSON *a = ask("{'cmd':'pause','duration':'2h'}");
    assert_true(cJSON_IsString(at(a, "paused_until")));
    cJSON_Delete(a);
    rfc3339_print(clock_wall_ms(&node->clock) + 1000, now);
    snprintf(line, sizeof(line), "{\"time\":\"%s\",\"source\":\"note\",\"text\":\"private moment\"}\n", now);
    a = import_text("p.jsonl", line);
    assert_int_equal(num(a, "dropped"), 1);
    assert_int_equal(num(a, "added"), 0);
    cJSON_Delete(a);
    assert_null(ask_code("{'cmd':'pause','duration':'soon'}", ERR_USAGE));
    a = ask("{'cmd':'pause','off':true}");
    assert_true(cJSON_IsNull(at(a, "paused_until")));
    cJSON_Delete(a);
    a = ask("{'cmd':'log','audit':true}");
    assert_string_equal(str(cJSON_GetArrayItem(at(a, "audit"), 0), "rule"), "paused");
    cJSON_Delete(a);
}

static int job_start(const char *source, const char *path)
{
    char req[TMP_PATH_BYTES + 128];
    snprintf(req, sizeof(req), "{'cmd':'job.start','kind':'import','source':'%s','path':'%s'}", source, path);
    cJSON *a = ask(req);
    int job = num(a, "job");
    cJSON_Delete(a);
    return job;
}

static cJSON *job_finish(int job)
{
    char req[64];
    snprintf(req, sizeof(req), "{'cmd':'job.step','job':%d}", job);
    for (;;) {
        cJSON *a = ask(req);
        if (cJSON_IsTrue(at(a, "done"))) {
            return a;
        }
        cJSON_Delete(a);
    }
}

static void import_is(const char *source, const char *path, int added, int dropped)
{
    cJSON *a = job_finish(job_start(source, path));
    assert_int_equal(num(a, "added"), added);
    assert_int_equal(num(a, "dropped"), dropped);
    cJSON_Delete(a);
}

static void pause_withholds_what_appeared_in_a_history_without_times(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    tmp_write(tmp_path(&dir, "hist", path), BYTES_LIT("make one\n"));
    import_is("bash", path, 1, 0);
    cJSON_Delete(ask("{'cmd':'pause','duration':'2h'}"));
    tmp_write(path, BYTES_LIT("make one\nmake secretly\n"));
    cJSON_Delete(ask("{'cmd':'pause','off':true}"));
    import_is("bash", path, 0, 1);
    tmp_write(path, BYTES_LIT("make one\nmake secretly\nmake openly\n"));
    import_is("bash", path, 1, 0);
    /* Read from the beginning, as after the shell rewrote it. */
    tmp_write(tmp_path(&dir, "copy", path), BYTES_LIT("make secretly\nmake openly\n"));
    import_is("bash", path, 0, 1);
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("make secretly")), 0);
}

static void pause_puts_a_history_without_times_off_that_is_older(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    tmp_write(tmp_path(&dir, "hist", path), BYTES_LIT("make one\nmake two\n"));
    cJSON_Delete(ask("{'cmd':'pause','duration':'2h'}"));
    import_is("bash", path, 0, 2);
    cJSON_Delete(ask("{'cmd':'pause','off':true}"));
    import_is("bash", path, 2, 0);
}

static void pause_that_starts_during_an_import_holds_for_its_rest(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    char now[RFC3339_TEXT + 1];
    char line[256];
    rfc3339_print(clock_wall_ms(&node->clock) + 1000, now);
    snprintf(line, sizeof(line), "{\"time\":\"%s\",\"source\":\"note\",\"text\":\"private moment\"}\n", now);
    tmp_write(tmp_path(&dir, "p.jsonl", path), bytes_str(line));
    int job = job_start("jsonl", path);
    cJSON_Delete(ask("{'cmd':'pause','duration':'2h'}"));
    cJSON *a = job_finish(job);
    assert_int_equal(num(a, "dropped"), 1);
    cJSON_Delete(a);
}

static void pause_leaves_what_a_calendar_plans(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    char now[RFC3339_TEXT + 1];
    char text[512];
    char day[9] = "";
    rfc3339_print(clock_wall_ms(&node->clock) + MS_DAY, now);
    snprintf(day, sizeof(day), "%.4s%.2s%.2s", now, now + 5, now + 8);
    snprintf(text, sizeof(text),
             "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:%sT120000Z\r\n"
             "SUMMARY:Dentist\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
             day);
    tmp_write(tmp_path(&dir, "c.ics", path), bytes_str(text));
    cJSON_Delete(ask("{'cmd':'pause','duration':'3d'}"));
    import_is("ical", path, 1, 0);
}

static void rules_changed_during_a_job_hold_for_its_rest(void **state)
{
    (void)state;
    cJSON *a = ask("{'cmd':'job.start','kind':'tell','path':'-'}");
    char req[256];
    int job = num(a, "job");
    cJSON_Delete(a);
    cJSON_Delete(ask("{'cmd':'config','key':'audit.email','value':'on'}"));
    snprintf(req, sizeof(req),
             "{'cmd':'job.feed','job':%d,'data':'Writes to ana.silva@mailhouse.net\\n','last':true}", job);
    cJSON_Delete(ask(req));
    cJSON_Delete(job_finish(job));
    assert_int_equal(tmp_count_files_with(home_path, BYTES_LIT("ana.silva@mailhouse.net")), 0);
}

static void job_numbers_are_never_given_twice(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    char req[64];
    tmp_write(tmp_path(&dir, "n.jsonl", path), bytes_str(statement));
    int left = job_start("jsonl", path);
    for (int i = 0; i < 3 * JOBS_MAX; i++) { /* commands that went away leave their jobs */
        assert_int_not_equal(job_start("jsonl", path), left);
    }
    snprintf(req, sizeof(req), "{'cmd':'job.step','job':%d}", left);
    assert_null(ask_code(req, ERR_NOTFOUND));
}

static void job_in_use_outlives_those_that_were_left(void **state)
{
    (void)state;
    char req[96];
    cJSON *a = ask("{'cmd':'job.start','kind':'tell','path':'-'}");
    int used = num(a, "job");
    cJSON_Delete(a);
    for (int i = 0; i < 2 * JOBS_MAX; i++) {
        cJSON_Delete(ask("{'cmd':'job.start','kind':'tell','path':'-'}"));
        snprintf(req, sizeof(req), "{'cmd':'job.feed','job':%d,'data':'Likes number %d\\n'}", used, i);
        cJSON_Delete(ask(req));
    }
}

static void import_that_fails_names_the_file(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    char req[TMP_PATH_BYTES + 128];
    struct err e = ERR_INIT;
    cJSON *answer = NULL;
    tmp_write(tmp_path(&dir, "recent.xbel", path), BYTES_LIT("\x01\x02 no XML"));
    snprintf(req, sizeof(req), "{\"cmd\":\"job.step\",\"job\":%d}", job_start("xbel", path));
    cJSON *asked = cJSON_Parse(req);
    assert_int_equal(api_call(node, asked, &answer, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, path));
    cJSON_Delete(asked);
}

static void edit_that_is_redacted_is_in_the_audit_log(void **state)
{
    (void)state;
    char id[64];
    char req[256];
    tell_text("Likes tea", id);
    snprintf(req, sizeof(req), "{'cmd':'edit','id':'%s','text':'Pays with 4111 1111 1111 1111'}", id);
    cJSON_Delete(ask(req));
    cJSON *a = ask("{'cmd':'log','audit':true}");
    const cJSON *row = cJSON_GetArrayItem(at(a, "audit"), 0);
    assert_string_equal(str(row, "rule"), "redact:card");
    assert_int_not_equal(strncmp(str(row, "first"), "1970", 4), 0);
    cJSON_Delete(a);
}

static void status_tells_what_is_held(void **state)
{
    (void)state;
    char id[64];
    tell_text("Likes tea", id);
    cJSON_Delete(import_text("n.jsonl", statement));
    cJSON *a = ask("{'cmd':'status'}");
    assert_string_equal(str(at(a, "device"), "name"), "laptop");
    assert_int_equal(strlen(str(a, "digest")), 64);
    assert_int_equal(num(a, "observations"), 2);
    assert_true(num(a, "propositions") >= 2);
    assert_int_equal(cJSON_GetArraySize(at(a, "peers")), 0);
    assert_int_equal(cJSON_GetArraySize(at(a, "attention")), 0);
    cJSON_Delete(a);
}

static void export_pages_cover_everything_once(void **state)
{
    (void)state;
    char id[64];
    char req[256];
    char after[64] = "";
    int seen = 0;
    for (int i = 0; i < 7; i++) {
        char text[32];
        snprintf(text, sizeof(text), "Fact number %d", i);
        tell_text(text, id);
    }
    for (int page = 0; page < 4; page++) {
        snprintf(req, sizeof(req), "{'cmd':'export','max':3%s%s%s}", after[0] ? ",'after':'" : "", after,
                 after[0] ? "'" : "");
        cJSON *a = ask(req);
        seen += cJSON_GetArraySize(at(a, "propositions"));
        bool end = cJSON_IsNull(at(a, "next"));
        assert_int_equal(end, page == 2);
        snprintf(after, sizeof(after), "%s", end ? "" : str(a, "next"));
        cJSON_Delete(a);
        if (end) {
            break;
        }
    }
    assert_int_equal(seen, 7);
    assert_null(ask_code("{'cmd':'export','max':0}", ERR_USAGE));
}

static void watch_list_is_edited_and_checked(void **state)
{
    (void)state;
    char path[TMP_PATH_BYTES];
    char req[1024];
    tmp_write(tmp_path(&dir, "hist", path), BYTES_LIT("ls\n"));
    snprintf(req, sizeof(req), "{'cmd':'watch','add':{'source':'bash','path':'%s'}}", path);
    cJSON *a = ask(req);
    assert_int_equal(cJSON_GetArraySize(at(a, "watching")), 1);
    cJSON_Delete(a);
    assert_null(ask_code("{'cmd':'watch','add':{'source':'bash','path':'relative'}}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'watch','add':{'source':'nope','path':'/tmp'}}", ERR_USAGE));
    assert_null(ask_code("{'cmd':'watch','add':{'source':'bash','path':'/nonexistent/x'}}", ERR_NOTFOUND));
    assert_null(ask_code("{'cmd':'watch','remove':{'source':'bash','path':'/nonexistent/x'}}", ERR_NOTFOUND));
    snprintf(req, sizeof(req), "{'cmd':'watch','remove':{'source':'bash','path':'%s'}}", path);
    a = ask(req);
    assert_int_equal(cJSON_GetArraySize(at(a, "watching")), 0);
    cJSON_Delete(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static struct id id_of(const cJSON *o)
{
    struct id id;
    assert_int_equal(id_parse(bytes_str(str(o, "id")), &id), 0);
    return id;
}

static struct id revise(const struct id *older, const char *text)
{
    struct err e = ERR_INIT;
    struct id id;
    struct revision r = {
        .older = older, .n_older = 1, .text = bytes_str(text), .kind = KIND_TOLD, .decay = 7};
    assert_int_equal(revision_write(node->store, &node->rng, &r, &id, &e), 0);
    return id;
}

static void revisions_that_contradict_are_listed_and_resolved(void **state)
{
    (void)state;
    char req[256], text[ID_TEXT + 1];
    cJSON *a = ask("{'cmd':'tell','text':'works in Braga'}");
    const struct id of = id_of(at(a, "proposition"));
    cJSON_Delete(a);
    const struct id lisbon = revise(&of, "works in Lisbon"), porto = revise(&of, "works in Porto");
    a = ask("{'cmd':'conflicts'}");
    assert_int_equal(cJSON_GetArraySize(at(a, "conflicts")), 1);
    const cJSON *c = cJSON_GetArrayItem(at(a, "conflicts"), 0);
    assert_string_equal(str(c, "field"), "revision");
    assert_int_equal(cJSON_GetArraySize(at(c, "choices")), 2);
    int take = strcmp(str(cJSON_GetArrayItem(at(c, "choices"), 1), "value"), "works in Porto") == 0 ? 2 : 1;
    id_text(&of, text);
    cJSON_Delete(a);
    snprintf(req, sizeof req, "{'cmd':'resolve','id':'%s','choice':3}", text);
    cJSON_Delete(ask_code(req, ERR_USAGE));
    snprintf(req, sizeof req, "{'cmd':'resolve','id':'%s','choice':%d}", text, take);
    a = ask(req);
    assert_string_equal(str(a, "field"), "revision");
    const struct id chosen = id_of(at(a, "proposition"));
    assert_true(id_eq(&chosen, &porto) && !id_eq(&chosen, &lisbon));
    cJSON_Delete(a);
    a = ask("{'cmd':'conflicts'}");
    assert_int_equal(cJSON_GetArraySize(at(a, "conflicts")), 0);
    cJSON_Delete(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(revisions_that_contradict_are_listed_and_resolved),
        T(api_refuses_what_it_does_not_know),
        T(api_message_answers_garbage_with_an_error_document),
        T(api_error_documents_keep_code_text_and_hint),
        T(tell_the_same_twice_is_one_proposition),
        T(tell_takes_confidence_decay_scope_and_pin),
        T(tell_redacts_secrets_and_says_so),
        T(log_sent_is_empty_without_an_endpoint),
        T(status_tells_of_an_endpoint_that_is_set),
        T(tell_file_names_bad_lines_and_keeps_the_rest),
        T(told_things_come_fed_in_pieces_too),
        T(reject_hides_and_undo_brings_back),
        T(confirm_raises_and_pin_comes_first),
        T(edit_changes_the_text_and_keeps_the_id),
        T(ids_are_named_by_prefix_or_not_at_all),
        T(import_twice_is_once),
        T(why_links_exactly_what_was_said),
        T(forget_leaves_no_byte_and_stays_forgotten),
        T(what_was_forgotten_may_be_told_again),
        T(forget_source_erases_and_blocks_its_past),
        T(forget_source_takes_what_lies_ahead_along),
        T(rules_drop_before_anything_is_stored),
        T(config_knows_its_keys_and_values),
        T(pause_drops_what_happens_in_it_even_when_read_later),
        T(pause_withholds_what_appeared_in_a_history_without_times),
        T(pause_puts_a_history_without_times_off_that_is_older),
        T(pause_that_starts_during_an_import_holds_for_its_rest),
        T(pause_leaves_what_a_calendar_plans),
        T(rules_changed_during_a_job_hold_for_its_rest),
        T(job_numbers_are_never_given_twice),
        T(job_in_use_outlives_those_that_were_left),
        T(import_that_fails_names_the_file),
        T(edit_that_is_redacted_is_in_the_audit_log),
        T(status_tells_what_is_held),
        T(export_pages_cover_everything_once),
        T(watch_list_is_edited_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
