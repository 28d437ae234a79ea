/* The endpoint's client against a scripted server: good answers, and every bad one. The clock stands still
 * but when nothing else happens: then it goes on to when the client wants to be called. */
#include "node/infer/endpoint.h"

#include "node/config.h"
#include "node/infer/endpoint_settings.h"
#include "node/infer/endpoint_state.h"
#include "node/infer/sent.h"
#include "tests/node/infer/server.h"
#include "tests/support/clock.h"
#include "tests/support/tmp.h"
#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000 /* of real time, until a test fails */
#define IDLE_MS 10
#define COMMAND_MS 5000 /* for a command to say something */
#define SCHEMA                                                                                               \
    "{\"type\":\"object\",\"properties\":{\"claims\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}," \
    "\"required\":[\"claims\"]}"
#define SAID(content)                                                                                        \
    "{\"choices\":[{\"message\":{\"content\":\"" content "\"},\"finish_reason\":\"stop\"}],"                 \
    "\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":7}}"
#define CLAIMS SAID("{\\\"claims\\\":[{\\\"text\\\":\\\"x\\\"}]}")

static struct tmp_dir dir;
static struct node *node;
static struct test_clock ticks;
static struct server server;
static size_t answers;
static int idle_ms; /* without anything happening, until time goes on */

/* One answer, kept. */
struct got {
    int count, rc;
    char text[4096], why[512];
    float first;
    size_t n_vectors, n_dims;
    unsigned in, out;
    bool cut;
};

static void take(void *ctx, const struct answer *a)
{
    struct got *g = ctx;
    answers++;
    g->count++;
    g->rc = a->rc;
    g->in = a->tokens_in;
    g->out = a->tokens_out;
    g->cut = a->cut;
    g->n_vectors = a->n_vectors;
    g->n_dims = a->n_dims;
    g->first = a->vectors != NULL ? a->vectors[0] : 0;
    (void)snprintf(g->text, sizeof(g->text), "%.*s", (int)a->text.n, (const char *)a->text.p);
    (void)snprintf(g->why, sizeof(g->why), "%s", a->rc != 0 ? a->e->text : "");
}

static void set(const char *key, const char *value)
{
    const struct setting *k = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(setting_find(bytes_str(key), &k, &e), 0);
    int rc =
        value != NULL ? config_set(node->store, k, bytes_str(value), &e) : config_unset(node->store, k, &e);
    if (rc != 0) {
        fail_msg("%s", e.text);
    }
    if (node->endpoint != NULL) {
        endpoint_reload(node->endpoint);
    }
}

static int setup(void **state)
{
    (void)state;
    idle_ms = IDLE_MS;
    struct err e = ERR_INIT;
    char home[TMP_PATH_BYTES];
    char url[64];
    tmp_dir_make(&dir);
    (void)tmp_path(&dir, "home", home);
    struct node_options o = {.home = home};
    if (node_init(home, BYTES_LIT("laptop"), &e) != 0 || node_open(&node, &o, &e) != 0) {
        return -1;
    }
    test_clock_init(&ticks, clock_wall_ms(&node->clock) / MS_DAY * MS_DAY + 12 * MS_HOUR);
    node->clock = test_clock_iface(&ticks);
    server_open(&server);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.port);
    set("endpoint.url", url);
    set("endpoint.model", "tiny");
    set("endpoint.embed-model", "tiny-embed");
    return endpoint_open(&node->endpoint, node, &e);
}

static int teardown(void **state)
{
    (void)state;
    endpoint_close(node->endpoint);
    node->endpoint = NULL;
    node_close(node);
    server_close(&server);
    tmp_dir_remove(&dir);
    return 0;
}

static int64_t real_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One turn of the loop; when nothing happens in it, time goes on to `until` at most. */
static void turn(int64_t until)
{
    struct pollfd fds[SERVER_CONNECTIONS + 2];
    size_t before = answers;
    int64_t next = endpoint_step(node->endpoint);
    server_poll(&server, fds);
    fds[SERVER_CONNECTIONS + 1] = (struct pollfd){.fd = endpoint_fd(node->endpoint), .events = POLLIN};
    bool now = answers != before || (next != TIME_NONE && next <= ticks.mono_ms);
    int n = poll(fds, SERVER_CONNECTIONS + 2, now ? 0 : idle_ms);
    server_step(&server);
    if (n == 0 && !now) {
        int64_t to = next == TIME_NONE || next > until ? until : next;
        test_clock_advance(&ticks, to > ticks.mono_ms ? to - ticks.mono_ms : 0);
    }
}

static void run(const struct got *g, int count)
{
    int64_t real = real_ms() + PATIENCE_MS;
    while (g->count < count) {
        turn(INT64_MAX / 2);
        if (real_ms() > real) {
            fail_msg("no answer (%zu requests)", server.n_requests);
        }
    }
}

/* Runs for so long on the test's clock. */
static void run_for(int64_t ms)
{
    int64_t until = ticks.mono_ms + ms;
    int64_t real = real_ms() + PATIENCE_MS;
    while (ticks.mono_ms < until && real_ms() < real) {
        turn(until);
    }
    assert_true(ticks.mono_ms >= until);
}

static struct chat_request plain(const char *text)
{
    static struct chat_part parts[2];
    parts[0] = (struct chat_part){.role = "system", .text = BYTES_LIT("Be brief.")};
    parts[1] = (struct chat_part){.role = "user", .text = bytes_str(text)};
    return (struct chat_request){.priority = ENDPOINT_THINK,
                                 .purpose = "propose",
                                 .parts = parts,
                                 .n_parts = 2,
                                 .tokens_max = 100,
                                 .sources = BYTES_LIT("bash\nfirefox"),
                                 .observations = 12};
}

static struct chat_request shaped(const char *text)
{
    struct chat_request r = plain(text);
    r.schema_name = "claims";
    r.schema = BYTES_LIT(SCHEMA);
    return r;
}

static void ask(const struct chat_request *r, struct got *g)
{
    struct err e = ERR_INIT;
    if (endpoint_chat(node->endpoint, r, take, g, NULL, &e) != 0) {
        fail_msg("%s", e.text);
    }
}

#define SCRIPT(...)                                                                                          \
    static const struct server_step steps[] = {__VA_ARGS__};                                                 \
    server_script(&server, steps, sizeof(steps) / sizeof(steps[0]))

static void asked_as_the_api_says(void **state)
{
    (void)state;
    SCRIPT({.body = CLAIMS});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_string_equal(g.text, "{\"claims\":[{\"text\":\"x\"}]}");
    assert_int_equal(g.in, 21);
    assert_int_equal(g.out, 7);
    assert_int_equal(server.n_requests, 1);
    assert_true(server_has(&server, 0, "POST /v1/chat/completions HTTP/1.1\r\n"));
    assert_false(server_has(&server, 0, "Authorization"));
    struct bytes body = server_body(&server, 0);
    cJSON *doc = cJSON_ParseWithLength((const char *)body.p, body.n);
    const cJSON *messages = cJSON_GetObjectItem(doc, "messages");
    const cJSON *format = cJSON_GetObjectItem(doc, "response_format");
    assert_string_equal(cJSON_GetObjectItem(doc, "model")->valuestring, "tiny");
    assert_int_equal(cJSON_GetArraySize(messages), 2);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(messages, 1), "content")->valuestring,
                        "what?");
    assert_string_equal(cJSON_GetObjectItem(format, "type")->valuestring, "json_schema");
    assert_non_null(cJSON_GetObjectItem(cJSON_GetObjectItem(format, "json_schema"), "schema"));
    assert_int_equal(cJSON_GetObjectItem(doc, "max_tokens")->valueint, 100);
    cJSON_Delete(doc);
}

static void pictures_and_parts_make_messages(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("a cat")});
    const struct chat_part parts[] = {
        {.role = "system", .text = BYTES_LIT("See.")},
        {.role = "user", .text = BYTES_LIT("one")},
        {.role = "user", .image = BYTES_LIT("\x89PNG"), .image_type = "image/png"},
    };
    struct chat_request r = plain("");
    struct got g = {0};
    r.parts = parts;
    r.n_parts = 3;
    ask(&r, &g);
    run(&g, 1);
    assert_string_equal(g.text, "a cat");
    assert_true(server_has(&server, 0,
                           "[{\"role\":\"system\",\"content\":\"See.\"},{\"role\":\"user\",\"content\":["
                           "{\"type\":\"text\",\"text\":\"one\"},"));
    assert_true(server_has(&server, 0, "\"url\":\"data:image/png;base64,iVBORw==\""));
}

static void requests_that_are_none_are_refused(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct got g = {0};
    struct chat_request r = plain("x");
    r.n_parts = 0;
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g, NULL, &e), ERR_USAGE);
    r = plain("\xff");
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g, NULL, &e), ERR_USAGE);
    r = shaped("x");
    r.schema = BYTES_LIT("{\"type\":\"string\"}");
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g, NULL, &e), ERR_USAGE);
    r = plain("x");
    struct buf large;
    buf_init(&large, 30u << 20);
    uint8_t *room = buf_extend(&large, 30u << 20);
    assert_non_null(room);
    memset(room, 'x', 30u << 20);
    const struct chat_part part = {.role = "user", .text = buf_view(&large)};
    r.parts = &part;
    r.n_parts = 1;
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g, NULL, &e), ERR_LIMIT);
    buf_release(&large);
    assert_int_equal(endpoint_chat(NULL, &r, take, &g, NULL, &e), ERR_NOTFOUND);
}

/* ---- ways to ask
 * -------------------------------------------------------------------------------------------
 */

static void server_without_schemas_is_asked_in_words_and_remembered(void **state)
{
    (void)state;
    SCRIPT({.status = 400, .body = "{\"error\":{\"type\":\"invalid_request_error\"}}"},
           {.status = 422, .body = "{}"}, {.status = 501, .body = "{}"}, {.body = CLAIMS});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    struct err e = ERR_INIT;
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_int_equal(server.n_requests, 4);
    assert_true(server_has(&server, 1, "{\"type\":\"json_object\",\"schema\":{"));
    assert_true(server_has(&server, 2, "{\"type\":\"json_object\"}"));
    assert_false(server_has(&server, 3, "response_format"));
    assert_true(server_has(&server, 3, "fits this JSON schema"));
    ask(&r, &g);
    run(&g, 2);
    assert_int_equal(server.n_requests, 5);
    assert_false(server_has(&server, 4, "response_format"));
    endpoint_close(node->endpoint);
    assert_int_equal(endpoint_open(&node->endpoint, node, &e), 0);
    ask(&r, &g);
    run(&g, 3);
    assert_int_equal(server.n_requests, 6);
    set("endpoint.model", "other"); /* which may be able to */
    ask(&r, &g);
    run(&g, 4);
    assert_true(server_has(&server, 6, "json_schema"));
}

/* As the server of llama-cpp-python says it, word for word. */
static void server_that_breaks_on_schemas_is_asked_otherwise(void **state)
{
    (void)state;
    SCRIPT({.status = 500,
            .body =
                "{\"error\":{\"message\":\"1 validation error:\\n  {'type': 'literal_error', 'loc': ('body', "
                "'response_format', 'type'), 'msg': \\\"Input should be 'text' or 'json_object'\\\"}\","
                "\"type\":\"internal_server_error\",\"param\":null,\"code\":null}}"},
           {.body = CLAIMS});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    int64_t before = ticks.mono_ms;
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_int_equal(server.n_requests, 2);
    assert_true(ticks.mono_ms - before < 500); /* at once: it is not in trouble */
    assert_true(server_has(&server, 1, "{\"type\":\"json_object\",\"schema\":{"));
}

static void schema_that_is_passed_over_is_said_in_words(void **state)
{
    (void)state;
    SCRIPT({.status = 400, .body = "{}"}, {.body = SAID("{\\\"other\\\":[]}")}, {.body = CLAIMS});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_int_equal(server.n_requests, 3);
    assert_false(server_has(&server, 1, "fits this JSON schema"));
    assert_true(server_has(&server, 2, "{\"type\":\"json_object\"}"));
    assert_true(server_has(&server, 2, "fits this JSON schema"));
}

#define TOO_LONG                                                                                             \
    {                                                                                                        \
        .status = 400, .body =                                                                               \
                           "{\"error\":{\"message\":\"This model's maximum context length is 4096 tokens. "  \
                           "However, you requested 6100\",\"type\":\"invalid_request_error\","               \
                           "\"code\":\"context_length_exceeded\"}}"                                          \
    }

static void where_the_context_has_no_room_a_shorter_answer_is_asked_for(void **state)
{
    (void)state;
    SCRIPT(TOO_LONG, TOO_LONG, {.body = CLAIMS});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    r.tokens_max = 4000;
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_true(server_has(&server, 2, "\"max_tokens\":1000"));
    assert_true(server_has(&server, 2, "json_schema")); /* the way of asking was not at fault */
    ask(&r, &g);
    run(&g, 2);
    assert_int_equal(server.n_requests, 4);
    assert_true(server_has(&server, 3, "\"max_tokens\":1000"));
}

static void question_longer_than_the_context_is_too_large(void **state)
{
    (void)state;
    SCRIPT(TOO_LONG);
    struct chat_request r = shaped("what?");
    struct got g = {0};
    r.tokens_max = 4000;
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, ERR_LIMIT);
    assert_true(g.cut);
    assert_int_equal(server.n_requests, 4); /* 4000, 2000, 1000, 500 */
}

static void server_that_wants_the_newer_name_gets_it(void **state)
{
    (void)state;
    SCRIPT({.status = 400,
            .body = "{\"error\":{\"message\":\"use 'max_completion_tokens' "
                    "instead\",\"code\":\"unsupported_parameter\"}}"},
           {.body = SAID("yes")});
    struct chat_request r = plain("what?");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_true(server_has(&server, 1, "\"max_completion_tokens\":100"));
    assert_false(server_has(&server, 1, "max_tokens\":"));
}

static void request_nobody_understands_fails_without_its_text(void **state)
{
    (void)state;
    SCRIPT({.status = 400, .body = "{\"error\":{\"message\":\"secret text\",\"code\":\"invalid_value\"}}"});
    struct chat_request r = plain("secret text");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, ERR_FORMAT);
    assert_int_equal(server.n_requests, 1);
    assert_non_null(strstr(g.why, "invalid_value"));
    assert_null(strstr(g.why, "secret"));
}

/* ---- bad answers
 * -------------------------------------------------------------------------------------------
 */

static void server_in_trouble_is_asked_again(void **state)
{
    (void)state;
    static const struct server_step bad[] = {
        {.how = SERVER_HANG},
        {.how = SERVER_CLOSE},
        {.how = SERVER_HALF, .body = "{\"choices\":"},
        {.how = SERVER_STALL, .body = "{\"choices\":"},
        {.how = SERVER_NOISE},
        {.status = 500, .body = "oops"},
        {.status = 503, .body = "{}"},
        {.status = 408, .body = ""},
        {.body = "not JSON"},
        {.body = "{\"choices\":[]}"},
        {.body = "{\"choices\":[{\"message\":{}}]}"},
        {.body = "[]"},
        {.headers = "Content-Type: text/html\r\n", .body = CLAIMS},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct server_step steps[] = {bad[i], {.body = CLAIMS}};
        struct chat_request r = shaped("what?");
        struct got g = {0};
        server_script(&server, steps, 2);
        int64_t before = ticks.mono_ms;
        ask(&r, &g);
        run(&g, 1);
        if (g.rc != 0 || server.n_requests != 2) {
            fail_msg("%zu: %s, %zu requests", i, g.why, server.n_requests);
        }
        assert_true(ticks.mono_ms - before >= 500); /* after half a second at least */
        run_for(IDLE_MS);
    }
}

static void trouble_that_lasts_is_told(void **state)
{
    (void)state;
    SCRIPT({.status = 500, .body = "{\"error\":{\"type\":\"server_error\"}}"});
    struct chat_request r = plain("what?");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, ERR_IO);
    assert_int_equal(server.n_requests, 4);
    assert_non_null(strstr(g.why, "server_error"));
}

static void answer_of_another_shape_is_asked_for_once_more(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("I would rather not.")});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, ERR_FORMAT);
    assert_string_equal(g.text, "");
    assert_int_equal(server.n_requests, 2);
}

static void answer_cut_off_is_not_half_taken(void **state)
{
    (void)state;
    SCRIPT({.body = "{\"choices\":[{\"message\":{\"content\":\"{\\\"claims\\\":[]}\"},\"finish_reason\":"
                    "\"length\"}]}"});
    struct chat_request r = shaped("what?");
    struct got g = {0};
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, ERR_FORMAT);
    assert_true(g.cut);
    assert_string_equal(g.text, "");
    assert_int_equal(server.n_requests, 1);
    r = plain("what?");
    ask(&r, &g);
    run(&g, 2);
    assert_int_equal(g.rc, 0);
    assert_true(g.cut);
}

static void answers_without_end_are_cut_off_early(void **state)
{
    (void)state;
    static const enum server_how endless[] = {SERVER_BODY_ENDLESS, SERVER_BODY_LARGE, SERVER_CHUNKS_ENDLESS,
                                              SERVER_HEADERS_ENDLESS};
    for (size_t i = 0; i < 4; i++) {
        const struct server_step step = {.how = endless[i]};
        struct chat_request r = plain("what?");
        struct got g = {0};
        server_script(&server, &step, 1);
        uint64_t before = server.written;
        ask(&r, &g);
        run(&g, 1);
        assert_int_equal(g.rc, ERR_LIMIT);
        assert_int_equal(server.n_requests, 1);
        assert_true(server.written - before < (24u << 20)); /* sockets hold some */
        run_for(IDLE_MS);
    }
}

static void redirect_is_not_followed(void **state)
{
    (void)state;
    char headers[128];
    (void)snprintf(headers, sizeof(headers), "Location: http://127.0.0.1:%u/v1/elsewhere\r\n", server.port);
    const struct server_step step = {.status = 307, .headers = headers, .body = ""};
    struct chat_request r = plain("what?");
    struct got g = {0};
    struct err e = ERR_INIT;
    server_script(&server, &step, 1);
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, ERR_PERM);
    assert_int_equal(server.n_requests, 1);
    assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_PERM);
}

/* ---- waiting
 * -----------------------------------------------------------------------------------------------
 */

static void retry_after_is_kept_to(void **state)
{
    (void)state;
    static const char *const headers[] = {"Retry-After: 90\r\n", NULL};
    char date[64];
    time_t then = time(NULL) + 600;
    struct tm tm;
    assert_non_null(gmtime_r(&then, &tm));
    assert_true(strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm) > 0);
    for (size_t i = 0; i < 2; i++) {
        const struct server_step steps[] = {
            {.status = i == 0 ? 429 : 503, .headers = headers[i] != NULL ? headers[i] : date, .body = "{}"},
            {.body = SAID("yes")}};
        struct chat_request r = plain("what?");
        struct got g = {0};
        int64_t before = ticks.mono_ms;
        server_script(&server, steps, 2);
        ask(&r, &g);
        run(&g, 1);
        int64_t waited = ticks.mono_ms - before;
        assert_int_equal(g.rc, 0);
        assert_int_equal(server.n_requests, 2);
        if (i == 0) {
            assert_true(waited >= 90000 && waited < 120000);
        } else { /* the date is of real time, which goes on meanwhile */
            assert_true(waited >= 560000 && waited < 640000);
        }
    }
}

static void dead_endpoint_costs_next_to_nothing(void **state)
{
    (void)state;
    char url[64];
    struct server dead;
    struct err e = ERR_INIT;
    struct chat_request r = plain("what?");
    struct got g = {0};
    server_open(&dead);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", dead.port);
    server_close(&dead); /* nobody listens there now */
    set("endpoint.url", url);
    for (int i = 0; i < 40; i++) {
        ask(&r, &g);
    }
    run_for(MS_HOUR);
    assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_INUSE);
    assert_non_null(strstr(e.text, "does not answer"));
    run_for(23 * MS_HOUR);
    struct endpoint_state st;
    assert_int_equal(endpoint_state_read(node, &st, &e), 0);
    assert_int_equal(st.condition, ENDPOINT_RESTS);
    assert_true(st.until_ms > ticks.wall_ms && st.until_ms <= ticks.wall_ms + MS_HOUR);
    assert_true(st.today.requests <= 40);
    assert_int_equal(st.today.tokens_in, 0);
}

static void endpoint_that_is_back_is_used_again(void **state)
{
    (void)state;
    SCRIPT({.how = SERVER_CLOSE}, {.how = SERVER_CLOSE}, {.how = SERVER_CLOSE}, {.body = SAID("yes")});
    struct chat_request r = plain("what?");
    struct got g = {0};
    struct err e = ERR_INIT;
    int64_t before = ticks.mono_ms;
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_true(ticks.mono_ms - before >= 20000); /* it rested */
    assert_int_equal(endpoint_ready(node->endpoint, &e), 0);
}

static void order(void *ctx, const struct answer *a)
{
    struct got *g = ctx;
    answers++;
    g->text[g->count++] = a->text.n > 0 ? (char)a->text.p[0] : '?';
}

static void urgent_requests_come_first_and_few_at_a_time(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("1")}, {.body = SAID("2")}, {.body = SAID("3")}, {.body = SAID("4")});
    struct got g = {0};
    struct err e = ERR_INIT;
    static const enum endpoint_priority p[] = {ENDPOINT_THINK, ENDPOINT_EMBED, ENDPOINT_AUDIT, ENDPOINT_USER};
    static const char *const texts[] = {"think", "later", "audit", "user"};
    for (size_t i = 0; i < 4; i++) {
        struct chat_request r = plain(texts[i]);
        r.priority = p[i];
        assert_int_equal(endpoint_chat(node->endpoint, &r, order, &g, NULL, &e), 0);
    }
    run(&g, 4);
    assert_true(server_has(&server, 0, "user") && server_has(&server, 1, "audit") &&
                server_has(&server, 2, "think") && server_has(&server, 3, "later"));
    static const struct server_step hang = {.how = SERVER_HANG};
    server_script(&server, &hang, 1);
    for (size_t i = 0; i < 5; i++) {
        struct chat_request r = plain("x");
        assert_int_equal(endpoint_chat(node->endpoint, &r, order, &g, NULL, &e), 0);
    }
    run_for(2000);
    assert_int_equal(server.n_requests, 1);
    set("endpoint.parallel", "3");
    run_for(2000);
    assert_int_equal(server.n_requests, 4);
}

static void queue_is_bounded(void **state)
{
    (void)state;
    SCRIPT({.how = SERVER_HANG});
    struct got g = {0};
    struct err e = ERR_INIT;
    struct chat_request r = plain("x");
    int rc = 0;
    size_t n = 0;
    while ((rc = endpoint_chat(node->endpoint, &r, take, &g, NULL, &e)) == 0 && n < 100000) {
        n++;
    }
    assert_int_equal(rc, ERR_FULL);
    assert_int_equal(n, 256);
    assert_int_equal(g.count, 0);
}

static void cancelled_requests_are_not_answered(void **state)
{
    (void)state;
    SCRIPT({.how = SERVER_HANG}, {.body = SAID("yes")});
    struct got g[2] = {{0}, {0}};
    struct err e = ERR_INIT;
    struct chat_request r = plain("x");
    int64_t under_way = 0;
    int64_t waiting = 0;
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g[0], &under_way, &e), 0);
    run_for(1000);
    assert_int_equal(server.n_requests, 1);
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g[0], &waiting, &e), 0);
    endpoint_cancel(node->endpoint, under_way);
    endpoint_cancel(node->endpoint, waiting);
    endpoint_cancel(node->endpoint, 12345);
    ask(&r, &g[1]);
    run(&g[1], 1);
    assert_int_equal(g[0].count, 0);
    assert_int_equal(server.n_requests, 2);
}

static void again(void *ctx, const struct answer *a)
{
    struct got *g = ctx;
    struct chat_request r = plain("again");
    take(ctx, a);
    if (g->count < 3) {
        struct err e = ERR_INIT;
        assert_int_equal(endpoint_chat(node->endpoint, &r, again, g, NULL, &e), 0);
    }
}

static void who_is_answered_may_ask_again(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    struct got g = {0};
    struct err e = ERR_INIT;
    struct chat_request r = plain("x");
    assert_int_equal(endpoint_chat(node->endpoint, &r, again, &g, NULL, &e), 0);
    run(&g, 3);
    assert_int_equal(server.n_requests, 3);
}

static void new_settings_count_for_what_is_under_way(void **state)
{
    (void)state;
    SCRIPT({.how = SERVER_HANG}, {.body = SAID("yes")}, {.how = SERVER_HANG});
    struct got g = {0};
    struct chat_request r = plain("x");
    ask(&r, &g);
    run_for(1000);
    set("endpoint.model", "better");
    run(&g, 1);
    assert_int_equal(g.rc, 0);
    assert_true(server_has(&server, 1, "\"model\":\"better\""));
    ask(&r, &g);
    run_for(1000);
    set("endpoint.url", NULL);
    run(&g, 2);
    assert_int_equal(g.rc, ERR_CANCELLED);
    struct err e = ERR_INIT;
    assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_NOTFOUND);
    assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g, NULL, &e), ERR_NOTFOUND);
}

/* ---- vectors
 * -----------------------------------------------------------------------------------------------
 */

static void embed(struct got *g)
{
    static const struct bytes texts[] = {BYTES_LIT("one"), BYTES_LIT("two")};
    const struct embed_request r = {
        .priority = ENDPOINT_EMBED, .purpose = "embed", .texts = texts, .n = 2, .observations = 2};
    struct err e = ERR_INIT;
    if (endpoint_embed(node->endpoint, &r, take, g, NULL, &e) != 0) {
        fail_msg("%s", e.text);
    }
}

#define VECTORS(a, b)                                                                                        \
    "{\"data\":[{\"index\":1,\"embedding\":" b "},{\"index\":0,\"embedding\":" a "}],"                       \
    "\"usage\":{\"prompt_tokens\":4}}"

static void vectors_come_in_the_order_of_their_texts(void **state)
{
    (void)state;
    SCRIPT({.body = VECTORS("[0.5,-1]", "[2,3]")}, {.body = VECTORS("\"AAAAPwAAgL8=\"", "[2,3]")});
    struct got g = {0};
    for (int i = 1; i <= 2; i++) {
        embed(&g);
        run(&g, i);
        assert_int_equal(g.rc, 0);
        assert_int_equal(g.n_vectors, 2);
        assert_int_equal(g.n_dims, 2);
        assert_true(fabsf(g.first - 0.5f) < 1e-6f);
        assert_int_equal(g.in, 4);
    }
    assert_true(server_has(&server, 0, "POST /v1/embeddings"));
    assert_true(server_has(&server, 0, "{\"model\":\"tiny-embed\",\"input\":[\"one\",\"two\"],"));
}

static void bad_vectors_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"data\":[{\"index\":0,\"embedding\":[1,2]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":7,\"embedding\":[1,2]}]}",
        VECTORS("[1,2]", "[1,2,3]"),
        VECTORS("[]", "[]"),
        VECTORS("[1,2]", "[1e999,2]"),
        VECTORS("[1,2]", "[NaN,2]"),
        VECTORS("[1,2]", "[0,0]"),
        VECTORS("[1,2]", "[\"1\",2]"),
        VECTORS("[1,2]", "\"AADAfwAAgL8=\""), /* a NaN */
        VECTORS("[1,2]", "\"!!!\""),
        VECTORS("[1,2]", "{}"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct server_step step = {.body = bad[i]};
        struct got g = {0};
        server_script(&server, &step, 1);
        embed(&g);
        run(&g, 1);
        if (g.rc != ERR_FORMAT) {
            fail_msg("%zu is taken", i);
        }
        set("endpoint.embed-model", "tiny-embed"); /* no rest for the next one */
    }
}

static void vectors_keep_their_dimension(void **state)
{
    (void)state;
    SCRIPT({.body = VECTORS("[1,2]", "[2,3]")}, {.body = VECTORS("[1,2,3]", "[2,3,4]")});
    struct got g = {0};
    embed(&g);
    run(&g, 1);
    embed(&g);
    run(&g, 2);
    assert_int_equal(g.rc, ERR_FORMAT);
    assert_int_equal(g.n_vectors, 0);
}

/* ---- spending
 * ----------------------------------------------------------------------------------------------
 */

static void over_the_budget_requests_wait_for_the_next_day(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    struct got g = {0};
    struct err e = ERR_INIT;
    struct endpoint_state st;
    struct chat_request r = plain("what?");
    set("endpoint.budget-tokens", "150"); /* a request may take some 105 */
    ask(&r, &g);
    run(&g, 1);
    ask(&r, &g); /* 28 spent, 122 left */
    run(&g, 2);
    ask(&r, &g); /* 94 left */
    run_for(MS_HOUR);
    assert_int_equal(g.count, 2);
    endpoint_close(node->endpoint);
    assert_int_equal(endpoint_open(&node->endpoint, node, &e), 0);
    ask(&r, &g);
    run_for(MS_HOUR);
    assert_int_equal(server.n_requests, 2);
    assert_int_equal(endpoint_state_read(node, &st, &e), 0);
    assert_int_equal(st.today.requests, 2);
    assert_int_equal(st.today.tokens_in, 42);
    assert_int_equal(st.today.tokens_out, 14);
    assert_int_equal(st.waiting, 1);
    run(&g, 3);
    assert_true(ticks.wall_ms % MS_DAY < MS_HOUR); /* in the first hour of the next day */
    r.tokens_max = 1000;
    ask(&r, &g);
    run(&g, 4);
    assert_int_equal(g.rc, ERR_PERM); /* on no day */
}

static void money_is_counted(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    struct got g = {0};
    struct err e = ERR_INIT;
    struct endpoint_state st;
    struct chat_request r = plain("what?");
    set("endpoint.price-in", "2.5");
    set("endpoint.price-out", "10");
    set("endpoint.budget-money", "0.002");
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(endpoint_state_read(node, &st, &e), 0);
    assert_int_equal(st.today.money, 21 * 2500000 + 7 * 10000000);
    for (int i = 2; i <= 9; i++) {
        ask(&r, &g);
    }
    run_for(MS_HOUR);
    assert_int_equal(g.count, 9); /* each 0.0001225, and room for one of 0.001 */
    ask(&r, &g);
    run_for(MS_HOUR);
    assert_int_equal(g.count, 9);
    assert_int_equal(endpoint_state_read(node, &st, &e), 0);
    assert_int_equal(st.condition, ENDPOINT_FINE); /* a smaller one would fit */
}

static int rows_count(void *ctx, const struct sent_row *r)
{
    struct sent_row *last = ctx;
    last->observations += r->observations;
    if (last->number == 0) {
        last->number = r->number;
        (void)snprintf(last->outcome, sizeof(last->outcome), "%s", r->outcome);
        (void)snprintf(last->address, sizeof(last->address), "%s", r->address);
        last->tokens_in = r->tokens_in;
        last->bytes_out = r->bytes_out;
        assert_true(bytes_eq(r->sources, BYTES_LIT("bash\nfirefox")));
        assert_true(bytes_eq(r->purpose, BYTES_LIT("propose")));
        assert_true(bytes_eq(r->model, BYTES_LIT("tiny")));
    }
    return 0;
}

static void what_is_sent_is_logged_without_its_content(void **state)
{
    (void)state;
    SCRIPT({.status = 500, .body = ""}, {.body = SAID("zanzibar")});
    struct got g = {0};
    struct err e = ERR_INIT;
    struct sent_row sum = {0};
    struct chat_request r = plain("quagga");
    char path[TMP_PATH_BYTES];
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(sent_each(node->store, 100, rows_count, &sum, &e), 0);
    assert_int_equal(sum.observations, 24); /* it went out twice */
    assert_string_equal(sum.outcome, "answered");
    assert_int_equal(strncmp(sum.address, "127.0.0.1:", 10), 0);
    assert_int_equal(sum.tokens_in, 21);
    assert_int_equal(sum.bytes_out, server_body(&server, 1).n);
    endpoint_close(node->endpoint);
    node->endpoint = NULL;
    node_close(node);
    assert_int_equal(tmp_count_files_with(tmp_path(&dir, "home", path), BYTES_LIT("quagga")), 0);
    assert_int_equal(tmp_count_files_with(path, BYTES_LIT("zanzibar")), 0);
    struct node_options o = {.home = path};
    assert_int_equal(node_open(&node, &o, &e), 0);
}

static int count(void *ctx, const struct sent_row *r)
{
    (void)r;
    ++*(size_t *)ctx;
    return 0;
}

static void log_of_what_was_sent_is_bounded(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct sent_row r = {.purpose = BYTES_LIT("embed"), .host = "h:1", .outcome = "answered"};
    size_t n = 0;
    struct buf v;
    bool found = false;
    assert_int_equal(store_begin(node->store, &e), 0);
    for (size_t i = 0; i < SENT_ROWS_MAX + 50; i++) {
        assert_int_equal(sent_add(node->store, &r, &e), 0);
    }
    assert_int_equal(store_commit(node->store, &e), 0);
    assert_int_equal(sent_each(node->store, SIZE_MAX, count, &n, &e), 0);
    assert_int_equal(n, SENT_ROWS_MAX);
    buf_init(&v, 4096);
    assert_int_equal(local_get(node->store, "sent:0000000000000032", &v, &found, &e), 0); /* the 50th */
    assert_false(found);
    buf_release(&v);
}

/* ---- where data may go
 * -------------------------------------------------------------------------------------
 */

static void other_machines_are_refused_however_they_are_spelt(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://192.0.2.1:9/v1",       "http://3221225985:9", "http://0xC0000201:9",
        "http://[2001:db8::1]:9",      "http://0.0.0.0:9",    "http://[::]:9",
        "http://[::ffff:192.0.2.1]:9", "https://192.0.2.1"};
    struct got g = {0};
    struct err e = ERR_INIT;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct chat_request r = plain("x");
        set("endpoint.url", urls[i]);
        if (endpoint_chat(node->endpoint, &r, take, &g, NULL, &e) != ERR_PERM) {
            fail_msg("'%s' is taken", urls[i]);
        }
        assert_non_null(strstr(e.hint, "endpoint.allow-remote"));
    }
    set("endpoint.allow-remote", "on");
    for (size_t i = 0; i + 1 < sizeof(urls) / sizeof(urls[0]); i++) {
        struct chat_request r = plain("x");
        set("endpoint.url", urls[i]); /* http: never */
        assert_int_equal(endpoint_chat(node->endpoint, &r, take, &g, NULL, &e), ERR_PERM);
    }
    set("endpoint.url", "https://192.0.2.1");
    assert_int_equal(endpoint_ready(node->endpoint, &e), 0);
}

static void this_machine_is_known_however_it_is_spelt(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    static const char *const hosts[] = {"127.0.0.1", "2130706433", "0x7f000001", "127.1", "localhost"};
    struct got g = {0};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char url[64];
        struct chat_request r = plain("x");
        (void)snprintf(url, sizeof(url), "http://%s:%u/v1/", hosts[i], server.port);
        set("endpoint.url", url);
        ask(&r, &g);
        run(&g, (int)i + 1);
        if (g.rc != 0) {
            fail_msg("'%s': %s", url, g.why);
        }
    }
}

static void environment_does_not_redirect_it(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    struct got g = {0};
    struct chat_request r = plain("x");
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
    assert_int_equal(setenv("all_proxy", "http://127.0.0.1:9", 1), 0);
    ask(&r, &g);
    run(&g, 1);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("all_proxy"), 0);
    assert_int_equal(g.rc, 0);
}

static void addresses_that_are_none_cannot_be_set(void **state)
{
    (void)state;
    static const char *const bad[] = {"ftp://127.0.0.1/",   "127.0.0.1:80",  "http://u:p@127.0.0.1/",
                                      "file:///etc/passwd", "http://h/?x=1", "http://h/#x",
                                      "http://%31/",        "http://",       "http://h:99999/",
                                      "http://a b/",        "unix:/tmp/x"};
    const struct setting *k = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(setting_find(BYTES_LIT("endpoint.url"), &k, &e), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (config_set(node->store, k, bytes_str(bad[i]), &e) != ERR_USAGE) {
            fail_msg("'%s' is taken", bad[i]);
        }
    }
}

/* ---- certificates
 * ------------------------------------------------------------------------------------------
 */

struct tls {
    FILE *in;
    pid_t pid;
};

/* Starts the server for a name and sets the endpoint's address to it. */
static void tls_open(struct tls *t, const char *name)
{
    int in[2];
    int out[2];
    char url[64];
    unsigned port = 0;
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    t->pid = fork();
    assert_true(t->pid >= 0);
    if (t->pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)execlp("python3", "python3", TEST_SOURCE "/tests/node/infer/tls_server.py", dir.path, name,
                     (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    FILE *said = fdopen(out[0], "r");
    assert_non_null(said);
    if (fscanf(said, "%u", &port) != 1) {
        fail_msg("the server does not start");
    }
    (void)fclose(said);
    t->in = fdopen(in[1], "w");
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", port);
    set("endpoint.url", url);
}

static void tls_close(struct tls *t)
{
    (void)fclose(t->in);
    assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
}

static void certificates_are_verified(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool known;
        int rc;
    } cases[] = {{"127.0.0.1", false, ERR_VERIFY},
                 {"127.0.0.1", true, 0},
                 {"elsewhere.example", true, ERR_VERIFY},
                 {"expired", true, ERR_VERIFY}};
    char path[TMP_PATH_BYTES];
    SCRIPT({.how = SERVER_NOISE});
    idle_ms = COMMAND_MS; /* the server is another process */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tls t;
        struct got g = {0};
        struct chat_request r = plain("x");
        tls_open(&t, cases[i].name);
        set("endpoint.ca-file", cases[i].known ? tmp_path(&dir, "ca.pem", path) : NULL);
        ask(&r, &g);
        run(&g, 1);
        if (g.rc != cases[i].rc) {
            fail_msg("%zu: %d, %s", i, g.rc, g.why);
        }
        tls_close(&t);
    }
}

/* ---- names that lead elsewhere
 * -----------------------------------------------------------------------------
 */

static bool wrote(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    bool ok = f != NULL && fputs(text, f) >= 0;
    return f != NULL && fclose(f) == 0 && ok;
}

static bool loopback_up(int fd)
{
    struct ifreq r = {.ifr_name = "lo"};
    struct ifreq alias = {.ifr_name = "lo:1"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    r.ifr_flags = IFF_UP;
    memcpy(&alias.ifr_addr, &a, sizeof(a));
    return ioctl(fd, SIOCSIFFLAGS, &r) == 0 && ioctl(fd, SIOCSIFADDR, &alias) == 0;
}

/* Into a name space of our own, with 10.0.0.1 on its loopback and our own names; false: not allowed here. */
static bool world_enter(void)
{
    char map[64];
    char hosts[TMP_PATH_BYTES];
    (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)getuid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0 || !wrote("/proc/self/setgroups", "deny") ||
        !wrote("/proc/self/uid_map", map)) {
        return false;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && loopback_up(fd);
    (void)close(fd);
    tmp_write(tmp_path(&dir, "hosts", hosts),
              BYTES_LIT("127.0.0.1 localhost mine\n10.0.0.1 rebound localhost.rebound\n"));
    return ok && mount(hosts, "/etc/hosts", "none", MS_BIND, "") == 0;
}

/* The endpoint at that name: what became of a request, and how many connections the server saw. */
static int lead_to(const char *name, size_t *connections)
{
    char url[64];
    struct got g = {0};
    struct err e = ERR_INIT;
    struct chat_request r = plain("x");
    (void)snprintf(url, sizeof(url), "http://%s:%u", name, server.port);
    set("endpoint.url", url);
    if (endpoint_chat(node->endpoint, &r, take, &g, NULL, &e) != 0) {
        return e.code;
    }
    run(&g, 1);
    *connections = server.n_accepted;
    return g.rc;
}

/* In a process of its own. The server listens at all addresses, so that it hears what comes to 10.0.0.1. */
static int rebinding_child(void)
{
    static const struct server_step step = {.body = SAID("yes")};
    size_t connections = 0;
    if (!world_enter()) {
        return 77;
    }
    server_close(&server);
    server_open_any(&server);
    server_script(&server, &step, 1);
    idle_ms = COMMAND_MS; /* names are looked up on a thread */
    if (lead_to("rebound", &connections) != ERR_PERM || connections != 0) {
        return 1;
    }
    set("endpoint.allow-remote", "on"); /* which http is not enough for */
    if (lead_to("localhost.rebound", &connections) != ERR_PERM || connections != 0) {
        return 2;
    }
    set("endpoint.allow-remote", "off");
    return lead_to("mine", &connections) == 0 && connections == 1 ? 0 : 3;
}

static void names_that_lead_elsewhere_are_refused_before_anything_is_sent(void **state)
{
    (void)state;
    int status = 0;
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(rebinding_child());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("no name spaces here\n");
        return;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the key
 * -----------------------------------------------------------------------------------------------
 */

static void key_of_a_private_file_is_sent(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    char path[TMP_PATH_BYTES];
    char link_path[TMP_PATH_BYTES];
    struct got g = {0};
    struct err e = ERR_INIT;
    struct chat_request r = plain("x");
    tmp_write(tmp_path(&dir, "key", path), BYTES_LIT("  sk-test-1234\n"));
    set("endpoint.key-file", path);
    ask(&r, &g);
    run(&g, 1);
    assert_true(server_has(&server, 0, "\r\nAuthorization: Bearer sk-test-1234\r\n"));
    assert_int_equal(chmod(path, 0640), 0);
    set("endpoint.key-file", path);
    ask(&r, &g);
    run_for(1000);
    assert_int_equal(server.n_requests, 1);
    assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_PERM);
    assert_non_null(strstr(e.hint, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    run(&g, 2); /* it is looked at again */
    assert_int_equal(symlink(path, tmp_path(&dir, "link", link_path)), 0);
    set("endpoint.key-file", link_path);
    ask(&r, &g);
    run_for(1000);
    assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_PERM);
    assert_int_equal(server.n_requests, 2);
}

static void key_that_would_be_more_than_a_header_is_refused(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    static const char *const keys[] = {"", "a b", "a\nX-Evil: 1", "k\x7f", "\xc3\xa9"};
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    struct got g = {0};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct chat_request r = plain("x");
        tmp_write(tmp_path(&dir, "key", path), bytes_str(keys[i]));
        set("endpoint.key-file", path);
        ask(&r, &g);
        run_for(100);
        assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_PERM);
    }
    assert_int_equal(server.n_requests, 0);
}

static void key_of_a_command_is_sent_and_fetched_again_when_refused(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")}, {.status = 401, .body = "{}"}, {.body = SAID("yes")},
           {.status = 401, .body = "{}"});
    char command[2 * TMP_PATH_BYTES];
    char path[TMP_PATH_BYTES];
    struct got g = {0};
    struct err e = ERR_INIT;
    struct chat_request r = plain("x");
    idle_ms = COMMAND_MS;
    tmp_write(tmp_path(&dir, "a key; $(false)", path), BYTES_LIT("first"));
    (void)snprintf(command, sizeof(command), "/bin/cat\n%s", path);
    set("endpoint.key-command", command);
    ask(&r, &g);
    run(&g, 1);
    assert_true(server_has(&server, 0, "Bearer first\r\n"));
    tmp_write(path, BYTES_LIT("second"));
    ask(&r, &g);
    run(&g, 2);
    assert_int_equal(g.rc, 0);
    assert_true(server_has(&server, 1, "Bearer first\r\n") && server_has(&server, 2, "Bearer second\r\n"));
    ask(&r, &g);
    run(&g, 3);
    assert_int_equal(g.rc, ERR_PERM);
    assert_int_equal(server.n_requests, 5);
    assert_null(strstr(g.why, "second"));
    assert_int_equal(endpoint_ready(node->endpoint, &e), ERR_PERM);
}

static void commands_that_give_no_key_are_stopped(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")});
    static const char *const commands[] = {"/bin/false", "/no/such/program", "/bin/sleep\n1000",
                                           "/usr/bin/yes", "/bin/sh\n-c\nexec >&-; sleep 1000"};
    struct err e = ERR_INIT;
    struct got g = {0};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct chat_request r = plain("x");
        set("endpoint.key-command", commands[i]);
        ask(&r, &g);
        run_for(40000);
        if (endpoint_ready(node->endpoint, &e) != ERR_PERM) {
            fail_msg("'%s' gives one", commands[i]);
        }
    }
    assert_int_equal(server.n_requests, 0);
}

/* ---- names, resources
 * --------------------------------------------------------------------------------------
 */

static void names_are_replaced_and_put_back(void **state)
{
    (void)state;
    struct got g = {0};
    struct chat_request r = shaped("Lunch with Anna Schmidt and @quokka (mail ben.ngoma@corp.example)");
    static const struct server_step first = {.body = CLAIMS};
    server_script(&server, &first, 1);
    set("endpoint.pseudonyms", "on");
    set("endpoint.people", "Anna Schmidt");
    ask(&r, &g);
    run(&g, 1);
    assert_false(server_has(&server, 0, "Anna") || server_has(&server, 0, "Schmidt") ||
                 server_has(&server, 0, "quokka") || server_has(&server, 0, "ngoma"));
    struct bytes body = server_body(&server, 0);
    size_t at = bytes_find(body, BYTES_LIT("with Person-"));
    assert_true(at != SIZE_MAX);
    char said[512];
    (void)snprintf(said, sizeof(said), SAID("{\\\"claims\\\":[{\\\"who\\\":\\\"%.11s\\\"}]}"),
                   (const char *)body.p + at + 5);
    const struct server_step second = {.body = said};
    server_script(&server, &second, 1);
    ask(&r, &g);
    run(&g, 2);
    assert_string_equal(g.text, "{\"claims\":[{\"who\":\"Anna Schmidt\"}]}");
}

static size_t fds_open(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n;
}

static void descriptors_and_connections_stay_few(void **state)
{
    (void)state;
    SCRIPT({.body = SAID("yes")}, {.how = SERVER_CLOSE}, {.body = SAID("yes")}, {.status = 500, .body = ""},
           {.body = SAID("yes")}, {.how = SERVER_HALF, .body = "x"}, {.body = SAID("yes")});
    struct got g = {0};
    struct chat_request r = plain("x");
    set("endpoint.parallel", "4");
    for (int i = 0; i < 8; i++) {
        ask(&r, &g);
    }
    run(&g, 8);
    size_t before = fds_open();
    for (int i = 0; i < 40; i++) {
        ask(&r, &g);
    }
    run(&g, 48);
    assert_true(fds_open() <= before + 8); /* both ends of four kept connections */
}

/* What was stored may have come from elsewhere than a check of its type. */
static void numbers_are_made_of_digits(void **state)
{
    (void)state;
    assert_int_equal(endpoint_timeout_check(BYTES_LIT("0300"), NULL), 0);
    assert_int_equal(endpoint_timeout_check(BYTES_LIT("1:"), NULL), ERR_USAGE);
    assert_int_equal(endpoint_timeout_check(BYTES_LIT("3601"), NULL), ERR_USAGE);
    assert_int_equal(endpoint_parallel_check(BYTES_LIT(""), NULL), ERR_USAGE);
    assert_int_equal(endpoint_parallel_check(BYTES_LIT("-4"), NULL), ERR_USAGE);
    assert_int_equal(endpoint_parallel_check(BYTES_LIT("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"), NULL), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_made_of_digits),
        cmocka_unit_test_setup_teardown(asked_as_the_api_says, setup, teardown),
        cmocka_unit_test_setup_teardown(pictures_and_parts_make_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_that_are_none_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(server_without_schemas_is_asked_in_words_and_remembered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(server_that_breaks_on_schemas_is_asked_otherwise, setup, teardown),
        cmocka_unit_test_setup_teardown(schema_that_is_passed_over_is_said_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(where_the_context_has_no_room_a_shorter_answer_is_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(question_longer_than_the_context_is_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(server_that_wants_the_newer_name_gets_it, setup, teardown),
        cmocka_unit_test_setup_teardown(request_nobody_understands_fails_without_its_text, setup, teardown),
        cmocka_unit_test_setup_teardown(server_in_trouble_is_asked_again, setup, teardown),
        cmocka_unit_test_setup_teardown(trouble_that_lasts_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(answer_of_another_shape_is_asked_for_once_more, setup, teardown),
        cmocka_unit_test_setup_teardown(answer_cut_off_is_not_half_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_without_end_are_cut_off_early, setup, teardown),
        cmocka_unit_test_setup_teardown(redirect_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(retry_after_is_kept_to, setup, teardown),
        cmocka_unit_test_setup_teardown(dead_endpoint_costs_next_to_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(endpoint_that_is_back_is_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(urgent_requests_come_first_and_few_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(queue_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_requests_are_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_answered_may_ask_again, setup, teardown),
        cmocka_unit_test_setup_teardown(new_settings_count_for_what_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(vectors_come_in_the_order_of_their_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_vectors_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(vectors_keep_their_dimension, setup, teardown),
        cmocka_unit_test_setup_teardown(over_the_budget_requests_wait_for_the_next_day, setup, teardown),
        cmocka_unit_test_setup_teardown(money_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_is_logged_without_its_content, setup, teardown),
        cmocka_unit_test_setup_teardown(log_of_what_was_sent_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(other_machines_are_refused_however_they_are_spelt, setup, teardown),
        cmocka_unit_test_setup_teardown(this_machine_is_known_however_it_is_spelt, setup, teardown),
        cmocka_unit_test_setup_teardown(environment_does_not_redirect_it, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_that_are_none_cannot_be_set, setup, teardown),
        cmocka_unit_test_setup_teardown(certificates_are_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_lead_elsewhere_are_refused_before_anything_is_sent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(key_of_a_private_file_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(key_that_would_be_more_than_a_header_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(key_of_a_command_is_sent_and_fetched_again_when_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(commands_that_give_no_key_are_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_replaced_and_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_and_connections_stay_few, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
