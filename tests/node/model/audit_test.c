#include "node/model/audit.h"

#include "base/limits.h"
#include "base/text.h"
#include "node/model/audit_int.h"
#include "tests/support/unit.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD "4111111111111111"
#define NOON INT64_C(1700049600000) /* Wednesday 2023-11-15 12:00 UTC */

static struct observation seen(const char *source)
{
    return (struct observation){
        .source = bytes_str(source), .time_ms = NOON, .end_ms = TIME_NONE, .offset_min = 0};
}

static struct audit *with_rules(const char *rules, unsigned classes)
{
    struct audit *a = NULL;
    struct err e = ERR_INIT;
    if (audit_new(&a, bytes_str(rules), classes, &e) != 0)
        fail_msg("%s", e.text);
    return a;
}

static enum audit_verdict verdict(const char *rules, const struct observation *o)
{
    struct observation out;
    struct audit *a = with_rules(rules, REDACT_DEFAULT);
    enum audit_verdict v = audit_check(a, o, &out);
    if (v == AUDIT_DROP)
        assert_int_equal(out.source.n, 0);
    audit_free(a);
    return v;
}

static void assert_bytes(struct bytes b, const char *want)
{
    if (!bytes_eq(b, bytes_str(want)))
        fail_msg("'%.*s' is not '%s'", (int)b.n, b.p != NULL ? (const char *)b.p : "", want);
}

static uint64_t counted(const struct audit *a, const char *rule, const char *source)
{
    struct audit_count c;
    for (size_t i = 0; audit_counts_at(a, i, &c); i++)
        if (strcmp(c.rule, rule) == 0 && strcmp(c.source, source) == 0)
            return c.n;
    return 0;
}

static void every_field_is_redacted(void **state)
{
    (void)state;
    struct bytes files[] = {BYTES_LIT("a/" CARD " x.pdf"), BYTES_LIT("card " CARD ".txt")};
    struct observation out, o = seen("test");
    o.app = BYTES_LIT("app " CARD);
    o.title = BYTES_LIT("title " CARD);
    o.text = BYTES_LIT("text " CARD);
    o.url = BYTES_LIT("https://u:p@h/?token=abcd");
    o.command = BYTES_LIT("mysql -psecret");
    o.cwd = BYTES_LIT("/home/x/ " CARD);
    o.id = BYTES_LIT("id " CARD);
    o.data = BYTES_LIT("{\"n\":\"" CARD "\"}");
    o.files = files;
    o.n_files = 2;
    struct audit *a = with_rules("", REDACT_DEFAULT);
    assert_int_equal(audit_check(a, &o, &out), AUDIT_REDACT);
    assert_bytes(out.app, "app [CARD]");
    assert_bytes(out.title, "title [CARD]");
    assert_bytes(out.text, "text [CARD]");
    assert_bytes(out.url, "https://u:[SECRET:password]@h/?token=[SECRET:password]");
    assert_bytes(out.command, "mysql -p[SECRET:password]");
    assert_bytes(out.cwd, "/home/x/ [CARD]");
    assert_bytes(out.id, "id [CARD]");
    assert_bytes(out.data, "{\"n\":\"[CARD]\"}");
    assert_int_equal(out.n_files, 2);
    assert_bytes(out.files[1], "card [CARD].txt");
    assert_int_equal(counted(a, "redact:card", "test"), 7);
    assert_int_equal(counted(a, "redact:password", "test"), 3);
    audit_free(a);
}

static void harmless_observations_pass_unchanged(void **state)
{
    (void)state;
    struct observation out, o = seen("bash");
    o.command = BYTES_LIT("git commit -m 'fix the parser'");
    o.data = BYTES_LIT("{ \"exit\": 0, \"caf\\u00e9\": [1.5e3, null] }");
    struct audit *a = with_rules("", REDACT_DEFAULT);
    struct audit_count c;
    assert_int_equal(audit_check(a, &o, &out), AUDIT_PASS);
    assert_true(bytes_eq(out.command, o.command));
    assert_true(bytes_eq(out.data, o.data));
    assert_int_equal(out.time_ms, NOON);
    assert_false(audit_counts_at(a, 0, &c));
    audit_free(a);
}

static void private_windows_and_model_text_cannot_be_kept(void **state)
{
    (void)state;
    struct observation o = seen("firefox"), m = seen("note");
    o.private_window = true;
    m.from_model = true;
    assert_int_equal(verdict("keep private\nkeep source=*", &o), AUDIT_DROP);
    assert_int_equal(verdict("keep", &m), AUDIT_DROP);
}

static void first_matching_rule_decides(void **state)
{
    (void)state;
    struct observation o = seen("firefox");
    o.url = BYTES_LIT("https://user@WWW.Bank.example:8443/x");
    assert_int_equal(verdict("drop site=bank.example", &o), AUDIT_DROP);
    assert_int_equal(verdict("keep source=firefox\ndrop site=bank.example", &o), AUDIT_PASS);
    assert_int_equal(verdict("# a comment\n\ndrop source=fire* app=x*", &o), AUDIT_PASS);
    assert_int_equal(verdict("drop source=FIRE?OX", &o), AUDIT_DROP);
    struct audit *a = with_rules("\n# x\ndrop site=*.example", REDACT_DEFAULT);
    struct observation out;
    assert_int_equal(audit_check(a, &o, &out), AUDIT_DROP);
    assert_int_equal(counted(a, "rule 3", "firefox"), 1);
    audit_free(a);
}

static void sites_match_hosts_and_subdomains_only(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool matches;
    } cases[] = {
        {"https://example.com", true},
        {"https://a.b.example.com./x", true},
        {"http://u:p@example.com:80/?q", true},
        {"https://example.com@evil.org/", false},
        {"https://notexample.com/", false},
        {"https://example.com.evil.org/", false},
        {"https://evil.org/?u=https://example.com/", false},
        {"https://evil.org\\@example.com/", false},
        {"about:blank", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct observation o = seen("firefox");
        o.url = bytes_str(cases[i].url);
        assert_int_equal(verdict("drop site=example.com", &o) == AUDIT_DROP, cases[i].matches);
    }
    assert_bytes(url_host(BYTES_LIT("http://[::1]:80/")), "::1");
}

static void paths_match_folders_files_and_file_urls(void **state)
{
    (void)state;
    struct bytes file = BYTES_LIT("/home/me/private/tax/2023.pdf");
    struct observation cwd = seen("bash"), files = seen("xbel"), url = seen("firefox"), other = seen("bash");
    cwd.cwd = BYTES_LIT("/home/me/private/tax");
    files.files = &file;
    files.n_files = 1;
    url.url = BYTES_LIT("file:///home/me/%70rivate/x?y");
    other.cwd = BYTES_LIT("/home/me/privateer");
    assert_int_equal(verdict("drop path=/home/me/private", &cwd), AUDIT_DROP);
    assert_int_equal(verdict("drop path=/home/*/private", &files), AUDIT_DROP);
    assert_int_equal(verdict("drop path=*.pdf", &files), AUDIT_DROP);
    assert_int_equal(verdict("drop path=/home/me/private", &url), AUDIT_DROP);
    assert_int_equal(verdict("drop path=/home/me/private", &other), AUDIT_PASS);
}

static void hours_and_days_follow_the_local_clock(void **state)
{
    (void)state;
    struct observation o = seen("bash"), untimed = seen("bash");
    untimed.time_ms = TIME_NONE;
    assert_int_equal(verdict("drop hours=12:00-12:01", &o), AUDIT_DROP);
    assert_int_equal(verdict("drop hours=11:00-12:00", &o), AUDIT_PASS);
    assert_int_equal(verdict("drop hours=22:00-13:00", &o), AUDIT_DROP);
    assert_int_equal(verdict("drop hours=22:00-06:00", &o), AUDIT_PASS);
    assert_int_equal(verdict("drop days=wed", &o), AUDIT_DROP);
    assert_int_equal(verdict("drop days=mon,thu-sun", &o), AUDIT_PASS);
    assert_int_equal(verdict("drop days=sat-wed", &o), AUDIT_DROP);
    o.offset_min = 13 * 60;
    assert_int_equal(verdict("drop hours=01:00-02:00 days=thu", &o), AUDIT_DROP);
    assert_int_equal(verdict("drop hours=00:00-24:00", &untimed), AUDIT_PASS);
}

static void title_and_command_globs_may_hold_blanks(void **state)
{
    (void)state;
    struct observation o = seen("aw");
    o.title = BYTES_LIT("Inbox - My Bank - Browser");
    o.command = BYTES_LIT("pass show x");
    assert_int_equal(verdict("drop title=\"*my bank*\"", &o), AUDIT_DROP);
    assert_int_equal(verdict("drop command=\"pass *\"", &o), AUDIT_DROP);
    assert_int_equal(verdict("drop command=\"pass\"", &o), AUDIT_PASS);
}

static void bad_rules_are_named_with_their_line(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "forbid source=x",
        "drop colour=red",
        "drop source=",
        "drop hours=9-17",
        "drop hours=25:00-26:00",
        "drop days=",
        "drop days=someday",
        "drop source=a source=b",
        "drop days=mon,",
        "drop hours=10:00-10:00",
        "drop source",
        "drop hours=10:0012:00",
    };
    struct err e = ERR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (audit_rule_check(bytes_str(bad[i]), &e) != ERR_FORMAT)
            fail_msg("'%s' is accepted", bad[i]);
    struct audit *a = NULL;
    assert_int_equal(audit_new(&a, BYTES_LIT("drop source=a\ndrop nonsense"), REDACT_DEFAULT, &e),
                     ERR_FORMAT);
    assert_null(a);
    assert_non_null(strstr(e.text, "rule 2"));
}

static void text_is_repaired_and_cut_with_a_mark(void **state)
{
    (void)state;
    struct observation out, o = seen("note");
    char *big = malloc(100000);
    memset(big, 'a', 100000);
    for (int i = 50; i < 100000; i += 50)
        big[i] = ' ';
    o.title = BYTES_LIT("caf\xe9 \0\xf0\x9f\x98\x80");
    o.text = bytes_of(big, 100000);
    o.app = bytes_of(big, 300);
    struct audit *a = with_rules("", REDACT_DEFAULT);
    assert_int_equal(audit_check(a, &o, &out), AUDIT_PASS);
    assert_bytes(out.title, "caf\xef\xbf\xbd \xf0\x9f\x98\x80");
    assert_true(out.text.n <= LIMIT_OBSERVATION_BYTES && bytes_ends(out.text, BYTES_LIT("[cut]")));
    assert_true(out.app.n <= LIMIT_NAME_BYTES && bytes_ends(out.app, BYTES_LIT("[cut]")));
    audit_free(a);
    free(big);
}

/* Wherever the limit falls, no half of a secret stays. */
static void a_secret_across_the_limit_is_not_cut_in_two(void **state)
{
    (void)state;
    static const char token[] = " 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 ";
    char title[12000];
    struct audit *a = with_rules("", REDACT_DEFAULT);
    for (size_t at = LIMIT_TEXT_BYTES - 80; at < LIMIT_TEXT_BYTES + 8; at++) {
        struct observation out, o = seen("note");
        memset(title, 'a', sizeof title);
        memcpy(title + at, token, sizeof token - 1);
        memcpy(title + 2 * LIMIT_TEXT_BYTES - 20, token, sizeof token - 1);
        o.title = bytes_of(title, sizeof title);
        assert_int_equal(audit_check(a, &o, &out), AUDIT_REDACT);
        assert_int_equal(bytes_find(out.title, BYTES_LIT("ghp_")), SIZE_MAX);
        assert_true(out.title.n <= LIMIT_TEXT_BYTES && utf8_valid(out.title));
    }
    audit_free(a);
}

static void too_many_files_are_counted(void **state)
{
    (void)state;
    struct bytes files[LIMIT_OBSERVATION_FILES + 6];
    struct observation out, o = seen("git");
    for (size_t i = 0; i < LIMIT_OBSERVATION_FILES + 6; i++)
        files[i] = BYTES_LIT("a.c");
    o.files = files;
    o.n_files = LIMIT_OBSERVATION_FILES + 6;
    struct audit *a = with_rules("", REDACT_DEFAULT);
    assert_int_equal(audit_check(a, &o, &out), AUDIT_PASS);
    assert_int_equal(out.n_files, LIMIT_OBSERVATION_FILES);
    assert_int_equal(counted(a, "files", "git"), 6);
    audit_free(a);
}

static void data_stays_json_or_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"{\"password\":\"hunter2\"}", "{\"password\":\"[SECRET:password]\"}"},
        {"{\"card\":4111111111111111,\"n\":12}", "{\"card\":\"[CARD]\",\"n\":12}"},
        {"{\"a\":[\"\\u0041KIAIOSFODNN7EXAMPLE\"]}", "{\"a\":[\"[SECRET:aws]\"]}"},
        {"{\"" CARD "\":1}", "{\"[CARD]\":1}"},
        {"{\"command\":\"echo \\\"x\\\"; mysql -psecret\"}",
         "{\"command\":\"echo \\\"x\\\"; mysql -p[SECRET:password]\"}"},
        {"{\"url\":\"https://u:p\\u0022@h/\"}", "{\"url\":\"https://u:p\\u0022@h/\"}"},
        {"{\"token\":\"string\",\"tokens\":\"abcdef123456\"}",
         "{\"token\":\"string\",\"tokens\":\"abcdef123456\"}"},
        {"{\"a\":1,}", ""},
        {"{\"a\":01}", ""},
        {"{\"a\":\"x", ""},
        {"{} trailing", ""},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct observation out, o = seen("jsonl");
        o.data = bytes_str(cases[i].in);
        struct audit *a = with_rules("", REDACT_DEFAULT);
        assert_int_not_equal(audit_check(a, &o, &out), AUDIT_DROP);
        assert_bytes(out.data, cases[i].want);
        cJSON *json = cJSON_ParseWithLength((const char *)out.data.p, out.data.n);
        assert_true(out.data.n == 0 || json != NULL);
        assert_int_equal(counted(a, "data", "jsonl"), out.data.n == 0);
        cJSON_Delete(json);
        audit_free(a);
    }
}

static void anything_wrong_is_a_drop(void **state)
{
    (void)state;
    struct observation out, o = seen("Not A Source"), late = seen("bash");
    late.time_ms = LIMIT_TIME_MS_MAX + 1;
    struct audit *a = with_rules("", REDACT_DEFAULT);
    assert_int_equal(audit_check(a, &o, &out), AUDIT_DROP);
    assert_int_equal(counted(a, "error", "unknown"), 1);
    assert_int_equal(audit_check(a, &late, &out), AUDIT_DROP);
    assert_int_equal(counted(a, "error", "bash"), 1);
    audit_free(a);
}

static void counts_keep_times_and_start_anew(void **state)
{
    (void)state;
    struct observation out, o = seen("bash");
    struct audit_count c;
    o.command = BYTES_LIT("echo " CARD);
    struct audit *a = with_rules("", REDACT_DEFAULT);
    for (int i = 0; i < 3; i++) {
        o.time_ms = NOON - i * 1000;
        assert_int_equal(audit_check(a, &o, &out), AUDIT_REDACT);
    }
    audit_note(a, "paused", BYTES_LIT("bash"), NOON);
    assert_true(audit_counts_at(a, 0, &c));
    assert_int_equal(c.n, 3);
    assert_int_equal(c.first_ms, NOON - 2000);
    assert_int_equal(c.last_ms, NOON);
    assert_int_equal(counted(a, "paused", "bash"), 1);
    audit_counts_clear(a);
    assert_false(audit_counts_at(a, 0, &c));
    audit_free(a);
}

static void a_full_table_of_counts_still_counts(void **state)
{
    (void)state;
    struct audit *a = with_rules("", REDACT_DEFAULT);
    struct audit_count c;
    uint64_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        audit_note(a, "paused", bytes_str(name), NOON);
    }
    for (size_t i = 0; audit_counts_at(a, i, &c); i++)
        sum += c.n;
    assert_int_equal(sum, 1000);
    audit_free(a);
}

static void told_sentences_are_redacted_and_counted(void **state)
{
    (void)state;
    struct audit *a = with_rules("drop source=*", REDACT_DEFAULT);
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(audit_text(a, BYTES_LIT("my card is " CARD), &out), 0);
    assert_string_equal(buf_cstr(&out), "my card is [CARD]");
    assert_int_equal(counted(a, "redact:card", "tell"), 1);
    buf_release(&out);
    audit_free(a);
}

static void globs_match_in_bounded_time(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'a', sizeof text);
    assert_false(glob_matches(BYTES_LIT("*a*a*a*a*a*a*a*a*a*b"), bytes_of(text, sizeof text)));
    assert_true(glob_matches(BYTES_LIT("*"), BYTES_NONE));
    assert_true(glob_matches(BYTES_LIT("A?c*"), BYTES_LIT("abC")));
    assert_false(glob_matches(BYTES_LIT("a?c"), BYTES_LIT("ac")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_redacted),
        cmocka_unit_test(harmless_observations_pass_unchanged),
        cmocka_unit_test(private_windows_and_model_text_cannot_be_kept),
        cmocka_unit_test(first_matching_rule_decides),
        cmocka_unit_test(sites_match_hosts_and_subdomains_only),
        cmocka_unit_test(paths_match_folders_files_and_file_urls),
        cmocka_unit_test(hours_and_days_follow_the_local_clock),
        cmocka_unit_test(title_and_command_globs_may_hold_blanks),
        cmocka_unit_test(bad_rules_are_named_with_their_line),
        cmocka_unit_test(text_is_repaired_and_cut_with_a_mark),
        cmocka_unit_test(a_secret_across_the_limit_is_not_cut_in_two),
        cmocka_unit_test(too_many_files_are_counted),
        cmocka_unit_test(data_stays_json_or_is_left_out),
        cmocka_unit_test(anything_wrong_is_a_drop),
        cmocka_unit_test(counts_keep_times_and_start_anew),
        cmocka_unit_test(a_full_table_of_counts_still_counts),
        cmocka_unit_test(told_sentences_are_redacted_and_counted),
        cmocka_unit_test(globs_match_in_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
