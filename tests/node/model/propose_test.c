#include "node/model/propose.h"

#include "tests/node/model/mind.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct test_rng seeded;
static struct rng rng;
static struct prompt p;
static struct proposals got;
static struct buf text;

static int setup(void **state)
{
    (void)state;
    test_rng_init(&seeded, 11);
    rng = test_rng_iface(&seeded);
    prompt_init(&p, &rng, "Ana");
    proposals_init(&got);
    buf_init(&text, 1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    prompt_release(&p);
    proposals_release(&got);
    buf_release(&text);
    return 0;
}

static void every_request_has_a_fence_of_its_own(void **state)
{
    (void)state;
    struct prompt other;
    prompt_init(&other, &rng, NULL);
    assert_int_equal(strlen(p.fence), PROMPT_FENCE);
    assert_string_not_equal(p.fence, other.fence);
    prompt_release(&other);
}

static void the_rules_name_fence_and_user(void **state)
{
    (void)state;
    const struct stored_observation o = record_make(1, "hello");
    propose_ask(&p, &o, 1);
    assert_int_equal(prompt_error(&p, NULL), 0);
    assert_int_equal(fences_in(&p, buf_view(&p.system)), 1);
    assert_true(bytes_find(buf_view(&p.system), BYTES_LIT("about Ana")) != SIZE_MAX);
    assert_true(bytes_find(buf_view(&p.content), BYTES_LIT("time: 2026-03-02T09:01:00")) != SIZE_MAX);
    assert_true(bytes_find(buf_view(&p.content), BYTES_LIT("text: hello")) != SIZE_MAX);
}

/* Fences stand on lines of their own, one before and one behind each record; nothing else looks like one. */
static void check_fences(size_t records)
{
    struct bytes rest = buf_view(&p.content);
    size_t lines = 0;
    assert_int_equal(fences_in(&p, rest), 2 * records);
    while (rest.n > 0) {
        size_t end = bytes_find(rest, BYTES_LIT("\n"));
        assert_true(end != SIZE_MAX);
        lines += bytes_eq(bytes_slice(rest, 0, end), bytes_of(p.fence, PROMPT_FENCE)) ? 1 : 0;
        rest = bytes_slice(rest, end + 1, SIZE_MAX);
    }
    assert_int_equal(lines, 2 * records);
}

static void attack(void *ctx, const char *title, const cJSON *value)
{
    (void)ctx;
    (void)title;
    struct stored_observation v[2] = {record_make(1, value->valuestring), record_make(2, "harmless")};
    struct bytes *fields[] = {&v[0].source,  &v[0].app, &v[0].title, &v[0].text, &v[0].url,
                              &v[0].command, &v[0].cwd, &v[0].files, &v[0].data};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        *fields[i] = bytes_str(value->valuestring);
    buf_clear(&p.system);
    buf_clear(&p.content);
    propose_ask(&p, v, 2);
    assert_int_equal(prompt_error(&p, NULL), 0);
    assert_int_equal(fences_in(&p, buf_view(&p.system)), 1);
    check_fences(2);
    for (size_t i = 0; i < p.content.n; i++)
        assert_true(p.content.p[i] == '\n' || (p.content.p[i] >= ' ' && p.content.p[i] != 0x7f));
}

static void no_attack_leaves_its_fence(void **state)
{
    (void)state;
    assert_true(injection_each("attacks.jsonl", &p, "text", attack, NULL) >= 30);
}

static int read_claims(const char *json)
{
    return propose_read(&p, 5, quoted(&text, json), &got, NULL);
}

static void refused(void *ctx, const char *title, const cJSON *value)
{
    (void)ctx;
    char *claim = cJSON_PrintUnformatted(value);
    buf_clear(&text);
    (void)buf_printf(&text, "{\"claims\":[%s]}", claim);
    free(claim);
    int rc = propose_read(&p, 5, buf_view(&text), &got, NULL);
    if (rc != 0 || got.n != 0)
        print_error("kept: %s\n", title);
    assert_int_equal(rc, 0);
    assert_int_equal(got.n, 0);
    assert_int_equal(got.rejected, 1);
}

static void no_hostile_claim_is_kept(void **state)
{
    (void)state;
    assert_true(injection_each("answers.jsonl", &p, "claim", refused, NULL) >= 35);
}

#define GOOD                                                                                                 \
    "{'reasoning':'o1 and o3 show it','claim':'Ana uses rg for searching.','confidence':6,'decay':7,"        \
    "'supports':['o1','o3'],'contradicts':['o2']}"

static void a_claim_made_twice_is_one_with_the_evidence_of_both(void **state)
{
    (void)state;
    static const char again[] = "{'reasoning':'o2 and o4','claim':'ANA uses rg for searching','confidence':9,"
                                "'decay':2,'supports':['o2','o4'],'contradicts':['o5','o1']}";
    char both[1024];
    (void)snprintf(both, sizeof both, "{'claims':[%s,%s]}", GOOD, again);
    assert_int_equal(read_claims(both), 0);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.rejected, 0);
    assert_int_equal(got.v[0].confidence, 6);
    assert_int_equal(got.v[0].support, 15);
    assert_int_equal(got.v[0].against, 16); /* what speaks for it once does not speak against it */
}

static void a_good_claim_is_kept_whole(void **state)
{
    (void)state;
    assert_int_equal(read_claims("{'claims':[" GOOD "]}"), 0);
    assert_int_equal(got.n, 1);
    assert_true(bytes_eq(got.v[0].text, BYTES_LIT("Ana uses rg for searching")));
    assert_true(bytes_eq(got.v[0].reasoning, BYTES_LIT("o1 and o3 show it")));
    assert_int_equal(got.v[0].confidence, 6);
    assert_int_equal(got.v[0].decay, 7);
    assert_int_equal(got.v[0].support, 5);
    assert_int_equal(got.v[0].against, 2);
}

static void a_bad_claim_costs_only_itself(void **state)
{
    (void)state;
    static const char other[] = "{'reasoning':'o2','claim':'Ana uses vim','confidence':6,'decay':7,"
                                "'supports':['o2'],'contradicts':[]}";
    char list[1024];
    (void)snprintf(list, sizeof list, "{'claims':[{},%s,{'claim':'Bea'},%s]}", GOOD, other);
    assert_int_equal(read_claims(list), 0);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.rejected, 2);
    assert_true(bytes_eq(got.v[0].text, BYTES_LIT("Ana uses rg for searching")));
    assert_true(bytes_eq(got.v[1].text, BYTES_LIT("Ana uses vim")));
}

static void nothing_is_a_good_answer(void **state)
{
    (void)state;
    assert_int_equal(read_claims("{'claims':[]}"), 0);
    assert_int_equal(got.n + got.rejected, 0);
}

static void without_a_name_texts_begin_with_the_verb(void **state)
{
    (void)state;
    prompt_release(&p);
    prompt_init(&p, &rng, NULL);
    assert_int_equal(read_claims("{'claims':[{'reasoning':'r','claim':'The user prefers plain text.',"
                                 "'confidence':6,'decay':7,'supports':['o1']}]}"),
                     0);
    assert_int_equal(got.n, 1);
    assert_true(bytes_eq(got.v[0].text, BYTES_LIT("Prefers plain text")));
}

static void an_answer_of_another_shape_is_rejected_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "no",
                                      "[]",
                                      "{}",
                                      "{'claims':{}}",
                                      "{'claims':[1]}",
                                      "{'claims':[" GOOD ",null]}",
                                      "{'claims':[" GOOD "]",
                                      "{'claims':[" GOOD "]} and more",
                                      "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_claims(bad[i]), ERR_FORMAT);
        assert_int_equal(got.n, 0);
    }
}

static void more_claims_than_asked_for_are_rejected_whole(void **state)
{
    (void)state;
    struct buf many;
    buf_init(&many, 1u << 20);
    (void)buf_str(&many, "{'claims':[" GOOD);
    for (unsigned i = 0; i < PROPOSALS_MAX; i++)
        (void)buf_str(&many, "," GOOD);
    (void)buf_str(&many, "]}");
    assert_int_equal(read_claims(buf_cstr(&many)), ERR_LIMIT);
    assert_int_equal(got.n, 0);
    buf_release(&many);
}

/* The schema as it is sent, of a question about n records. */
static cJSON *schema_sent(const char *user, size_t n, struct buf *out)
{
    struct stored_observation v[BATCH_MAX];
    struct prompt asked;
    prompt_init(&asked, &rng, user);
    for (size_t i = 0; i < n; i++)
        v[i] = record_make(i + 1, "a note");
    propose_ask(&asked, v, n);
    buf_clear(out);
    assert_int_equal(prompt_schema(&asked, propose_schema, out), 0);
    prompt_release(&asked);
    return cJSON_Parse(buf_cstr(out));
}

static const cJSON *schema_of(const cJSON *doc, const char *key)
{
    const cJSON *claims = cJSON_GetObjectItem(cJSON_GetObjectItem(doc, "properties"), "claims");
    return cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(claims, "items"), "properties"), key);
}

static void the_schema_allows_what_was_shown_alone(void **state)
{
    (void)state;
    cJSON *doc = schema_sent("Ana", BATCH_MAX, &text);
    assert_non_null(doc);
    const cJSON *ids = cJSON_GetObjectItem(cJSON_GetObjectItem(schema_of(doc, "supports"), "items"), "enum");
    assert_int_equal(cJSON_GetArraySize(ids), BATCH_MAX);
    assert_string_equal(cJSON_GetArrayItem(ids, 0)->valuestring, "o1");
    assert_string_equal(cJSON_GetArrayItem(ids, 49)->valuestring, "o50");
    assert_int_equal(cJSON_GetObjectItem(schema_of(doc, "supports"), "maxItems")->valueint, PROMPT_LIST_MAX);
    assert_string_equal(cJSON_GetObjectItem(schema_of(doc, "claim"), "pattern")->valuestring,
                        "^Ana [^\\n -`{-~][^\"\\\\\\n]*$");
    cJSON_Delete(doc);
    doc = schema_sent(NULL, 5, &text);
    assert_int_equal(cJSON_GetObjectItem(schema_of(doc, "supports"), "maxItems")->valueint, 5);
    assert_true(bytes_find(buf_view(&text), BYTES_LIT("\"claims\":{\"type\":\"array\",\"maxItems\":9,")) !=
                SIZE_MAX);
    assert_int_equal(
        0, strncmp(cJSON_GetObjectItem(schema_of(doc, "claim"), "pattern")->valuestring, "^The user [", 11));
    cJSON_Delete(doc);
}

static void a_name_that_would_be_a_pattern_is_in_none(void **state)
{
    (void)state;
    static const char *const names[] = {"A.B", "x\"y", "a\\b", "(", "[a-z]*", "$"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cJSON *doc = schema_sent(names[i], 5, &text);
        assert_non_null(doc);
        assert_null(cJSON_GetObjectItem(schema_of(doc, "claim"), "pattern"));
        cJSON_Delete(doc);
    }
    cJSON *doc = schema_sent("J\xc3\xbcrgen", 5, &text);
    assert_non_null(cJSON_GetObjectItem(schema_of(doc, "claim"), "pattern"));
    cJSON_Delete(doc);
}

static void the_schema_is_json_and_asks_for_reasons_first(void **state)
{
    (void)state;
    cJSON *doc = cJSON_Parse(propose_schema);
    assert_non_null(doc);
    cJSON_Delete(doc);
    assert_true(strstr(propose_schema, "\"reasoning\"") < strstr(propose_schema, "\"claim\""));
    assert_true(strstr(propose_schema, "\"claim\"") < strstr(propose_schema, "\"confidence\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_request_has_a_fence_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rules_name_fence_and_user, setup, teardown),
        cmocka_unit_test_setup_teardown(no_attack_leaves_its_fence, setup, teardown),
        cmocka_unit_test_setup_teardown(no_hostile_claim_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_made_twice_is_one_with_the_evidence_of_both, setup, teardown),
        cmocka_unit_test_setup_teardown(a_good_claim_is_kept_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_claim_costs_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_a_good_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_name_texts_begin_with_the_verb, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_of_another_shape_is_rejected_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(more_claims_than_asked_for_are_rejected_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(the_schema_allows_what_was_shown_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_would_be_a_pattern_is_in_none, setup, teardown),
        cmocka_unit_test_setup_teardown(the_schema_is_json_and_asks_for_reasons_first, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
