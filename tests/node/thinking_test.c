/* A node whose endpoint is a server on loopback: from imported records to claims, and back by forgetting. */
#include "node/thinking.h"

#include "node/serve/api.h"
#include "tests/node/household.h"
#include "tests/node/infer/server.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 60000
/* What every stage can read: the model says the same of whatever it is asked. */
#define SAYS                                                                                                 \
    "{\\\"claims\\\":[{\\\"reasoning\\\":\\\"seen in o1\\\",\\\"claim\\\":\\\"The user is fond of "          \
    "okapis\\\","                                                                                            \
    "\\\"confidence\\\":8,\\\"decay\\\":7,\\\"supports\\\":[\\\"o1\\\"],\\\"contradicts\\\":[]}],"           \
    "\\\"pairs\\\":[{\\\"new\\\":\\\"c1\\\",\\\"old\\\":\\\"p1\\\",\\\"reasoning\\\":\\\"the same\\\","      \
    "\\\"label\\\":\\\"identical\\\"}],\\\"clusters\\\":[]}"

static struct tmp_dir dir;
static struct node *n;
static struct server server;
static struct err e;
static const struct server_step says[] = {
    {.body =
         "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"" SAYS
         "\"}}],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":50}}"}};

static void ask(const char *request)
{
    cJSON_Delete(household_ask(n, request));
}

static int setup(void **state)
{
    (void)state;
    char url[128];
    tmp_dir_make(&dir);
    server_open(&server);
    server_script(&server, says, 1);
    n = household_add(&dir, "laptop");
    (void)snprintf(url, sizeof url, "{'cmd':'config','key':'endpoint.url','value':'http://127.0.0.1:%u/v1'}",
                   server.port);
    ask(url);
    ask("{'cmd':'config','key':'endpoint.model','value':'tiny'}");
    assert_int_equal(thinking_open(n, &e), 0);
    assert_true(household_history(&dir, n) > 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_close(n);
    server_close(&server);
    tmp_dir_remove(&dir);
    return 0;
}

static int64_t mono_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void turn(void)
{
    struct pollfd fds[SERVER_CONNECTIONS + 2];
    (void)thinking_step(n);
    (void)endpoint_step(n->endpoint);
    server_poll(&server, fds);
    fds[SERVER_CONNECTIONS + 1] = (struct pollfd){.fd = endpoint_fd(n->endpoint), .events = POLLIN};
    (void)poll(fds, SERVER_CONNECTIONS + 2, 5);
    server_step(&server);
}

/* The loop of a node until all that waits is thought about. */
static void think_all(void)
{
    struct thinking_state s;
    int64_t until = mono_ms() + PATIENCE_MS;
    thinking_wake(n, true);
    do {
        turn();
        assert_true(mono_ms() < until);
        assert_int_equal(thinking_look(n, &s, &e), 0);
    } while (s.busy || s.waiting > 0);
}

static void what_is_imported_is_thought_about_once(void **state)
{
    (void)state;
    struct thinking_state s;
    char id[64];
    assert_int_equal(thinking_look(n, &s, &e), 0);
    assert_true(s.configured);
    assert_true(s.waiting > 100);
    uint64_t waiting = s.waiting;
    think_all();
    assert_int_equal(thinking_look(n, &s, &e), 0);
    assert_int_equal(s.stats.observations, waiting);
    assert_int_equal(s.stats.failed, 0);
    assert_int_equal(s.stats.added, 1);
    assert_int_equal(s.stats.added + s.stats.raised, s.stats.batches);
    assert_true(s.stats.calls <= 3 * s.stats.batches);
    assert_true(household_find(n, "okapis", id));
    size_t asked = server.n_requests;
    think_all();
    assert_int_equal(server.n_requests, asked);
}

static void why_names_model_and_reasons(void **state)
{
    (void)state;
    char id[64], request[128];
    think_all();
    assert_true(household_find(n, "okapis", id));
    (void)snprintf(request, sizeof request, "{'cmd':'why','id':'%s'}", id);
    cJSON *doc = household_ask(n, request);
    const cJSON *prop = cJSON_GetObjectItem(doc, "proposition");
    assert_string_equal(cJSON_GetObjectItem(prop, "reasoning")->valuestring, "seen in o1");
    assert_string_equal(cJSON_GetObjectItem(prop, "origin")->valuestring, "endpoint:tiny");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "revises")), 0);
    assert_true(cJSON_GetObjectItem(doc, "evidence_total")->valuedouble >= 1);
    cJSON_Delete(doc);
}

static void forgetting_the_records_takes_the_models_words_along(void **state)
{
    (void)state;
    char id[64];
    think_all();
    assert_true(household_find(n, "okapis", id));
    cJSON *doc = household_ask(n, "{'cmd':'status'}");
    const cJSON *sources = cJSON_GetObjectItem(doc, "sources"), *s = NULL;
    cJSON_ArrayForEach(s, sources)
    {
        char request[256];
        (void)snprintf(request, sizeof request, "{'cmd':'forget','source':'%s'}",
                       cJSON_GetObjectItem(s, "source")->valuestring);
        ask(request);
    }
    cJSON_Delete(doc);
    assert_false(household_find(n, "okapis", id));
    assert_int_equal(household_observations(n), 0);
}

static void status_says_what_waits_and_what_it_took(void **state)
{
    (void)state;
    cJSON *doc = household_ask(n, "{'cmd':'status'}");
    const cJSON *t = cJSON_GetObjectItem(doc, "thinking");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(t, "configured")));
    assert_true(cJSON_GetObjectItem(t, "waiting")->valuedouble > 100);
    cJSON_Delete(doc);
    think_all();
    doc = household_ask(n, "{'cmd':'status'}");
    t = cJSON_GetObjectItem(doc, "thinking");
    assert_true(cJSON_GetObjectItem(t, "waiting")->valuedouble < 1);
    assert_true(cJSON_GetObjectItem(t, "tokens_in")->valuedouble >= 1000);
    assert_string_equal(cJSON_GetObjectItem(t, "model")->valuestring, "tiny");
    assert_string_equal(cJSON_GetObjectItem(t, "trouble")->valuestring, "");
    cJSON_Delete(doc);
}

static void all_of_it_can_be_thought_about_again(void **state)
{
    (void)state;
    struct thinking_state s;
    think_all();
    assert_int_equal(thinking_rewind(n, &e), 0);
    assert_int_equal(thinking_look(n, &s, &e), 0);
    assert_int_equal(s.waiting, household_observations(n));
}

static void an_endpoint_that_is_gone_is_named_and_nothing_is_lost(void **state)
{
    (void)state;
    static const struct server_step gone[] = {{.how = SERVER_CLOSE}};
    struct thinking_state s;
    int64_t until = mono_ms() + PATIENCE_MS;
    server_script(&server, gone, 1);
    assert_int_equal(thinking_look(n, &s, &e), 0);
    uint64_t waiting = s.waiting;
    thinking_wake(n, true);
    do {
        turn();
        assert_true(mono_ms() < until);
        assert_int_equal(thinking_look(n, &s, &e), 0);
    } while (s.trouble[0] == '\0');
    assert_int_equal(s.waiting, waiting);
    assert_int_equal(s.stats.failed, 0);
}

static void without_a_model_think_says_what_is_missing(void **state)
{
    (void)state;
    cJSON *answer = NULL, *req = cJSON_Parse("{\"cmd\":\"think\"}");
    ask("{'cmd':'config','key':'endpoint.url','unset':true}");
    assert_int_equal(api_call(n, req, &answer, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "endpoint.url"));
    cJSON_Delete(req);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_imported_is_thought_about_once),
        T(why_names_model_and_reasons),
        T(forgetting_the_records_takes_the_models_words_along),
        T(status_says_what_waits_and_what_it_took),
        T(all_of_it_can_be_thought_about_again),
        T(an_endpoint_that_is_gone_is_named_and_nothing_is_lost),
        T(without_a_model_think_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
