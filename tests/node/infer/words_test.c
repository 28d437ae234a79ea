/* The pure parts: names out of bytes. */
#include "node/infer/words.h"

#include "tests/support/unit.h"

#include "node/infer/features.h"
#include "node/infer/infer.h"
#include "node/infer/statement.h"
#include "node/observe/observe.h"

#include <string.h>

static int join(void *ctx, struct bytes name)
{
    struct buf *out = ctx;
    if (out->n > 0)
        (void)buf_put(out, ' ');
    return buf_bytes(out, name);
}

static void expect_tools(const char *command, const char *tools)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(command_tools(bytes_str(command), join, &out), 0);
    assert_string_equal(buf_cstr(&out), tools);
    buf_release(&out);
}

static void tools_are_the_first_words_of_commands(void **state)
{
    (void)state;
    expect_tools("rg foo", "rg");
    expect_tools("  LANG=C  FOO='a b' sudo -u root nice rg foo", "rg");
    expect_tools("cat x | grep y | wc -l", "cat");
    expect_tools("make && ./run; git push || echo failed", "make git");
    expect_tools("for f in *; do mv \"$f\" x; done", "mv");
    expect_tools("if true; then cargo build; fi", "cargo");
    expect_tools("/usr/bin/python3 x.py", "python3");
    expect_tools("echo 'a | vim b; emacs c'", "");
    expect_tools("$EDITOR x", "");
    expect_tools("~/bin/mine x", "");
    expect_tools("ssh host 'rm -rf /'", "ssh");
    expect_tools("rg a; rg b; rg c", "rg");
    expect_tools("a1 ; b1 ; c1 ; d1 ; e1 ; f1", "a1 b1 c1 d1");
    expect_tools("", "");
    expect_tools("((((", "");
    expect_tools("psql <<EOF\nselect 1; drop x\nEOF", "psql");
}

static void expect_topics(const char *title, const char *words)
{
    struct buf out, scratch;
    buf_init(&out, 4096);
    buf_init(&scratch, 4096);
    assert_non_null(buf_extend(&scratch, 2048));
    buf_clear(&scratch);
    assert_int_equal(title_topics(bytes_str(title), &scratch, join, &out), 0);
    assert_string_equal(buf_cstr(&out), words);
    buf_release(&out);
    buf_release(&scratch);
}

static void topics_are_telling_words(void **state)
{
    (void)state;
    expect_topics("Improve WebSocket masking throughput (#2292)", "websocket masking throughput");
    expect_topics("Fix the TLS and QUIC code", "tls quic");
    expect_topics("websocket Websocket WEBSOCKET", "websocket");
    expect_topics("a1b2c3d4 1234567 of to", "");
    expect_topics("Gr\xc3\xbc\xc3\x9f"
                  "e",
                  "gr\xc3\xbc\xc3\x9f"
                  "e");
}

static void expect_site(const char *url, const char *site)
{
    struct buf out;
    buf_init(&out, 4096);
    struct bytes got = url_site(bytes_str(url), &out);
    if (!bytes_eq(got, bytes_str(site)))
        fail_msg("%s gives '%.*s'", url, (int)got.n, got.p);
    buf_release(&out);
}

static void sites_are_public_hosts(void **state)
{
    (void)state;
    expect_site("https://www.Example.org/x?y", "example.org");
    expect_site("http://user@lwn.net:8080/", "lwn.net");
    expect_site("http://localhost:80/", "");
    expect_site("http://192.168.1.1/", "");
    expect_site("http://printer.local/", "");
    expect_site("file:///etc/passwd", "");
    expect_site("https://", "");
    expect_site("about:blank", "");
}

static void searches_are_decoded(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct bytes q =
        url_search(BYTES_LIT("https://www.google.com/search?hl=en&q=sour%20dough+bread&x=1"), &out);
    assert_true(bytes_eq(q, BYTES_LIT("sour dough bread")));
    assert_int_equal(url_search(BYTES_LIT("https://notgoogle.org/search?q=x"), &out).n, 0);
    assert_int_equal(url_search(BYTES_LIT("https://duckduckgo.com/?t=h"), &out).n, 0);
    q = url_search(BYTES_LIT("https://duckduckgo.com/?q=100%"), &out);
    assert_true(bytes_eq(q, BYTES_LIT("100%")));
    buf_release(&out);
}

static void projects_are_folders_in_known_places(void **state)
{
    (void)state;
    assert_true(bytes_eq(path_project(BYTES_LIT("/home/ada/src/redis/deps/lua")), BYTES_LIT("redis")));
    assert_true(bytes_eq(path_project(BYTES_LIT("/home/ada/src/github.com/ada/nng")), BYTES_LIT("nng")));
    assert_true(bytes_eq(path_project(BYTES_LIT("/Users/ada/Projects/garden")), BYTES_LIT("garden")));
    assert_int_equal(path_project(BYTES_LIT("/home/ada/Downloads/x")).n, 0);
    assert_int_equal(path_project(BYTES_LIT("/usr/src/linux")).n, 0);
    assert_int_equal(path_project(BYTES_LIT("/home/ada/src")).n, 0);
}

static void keys_split_into_what_was_joined(void **state)
{
    (void)state;
    struct buf b;
    struct feature_key k = {BYTES_LIT("a\x1fs"
                                      "b"),
                            BYTES_LIT("git"), true},
                       back;
    buf_init(&b, 4096);
    feature_key_join(&k, &b);
    assert_true(feature_key_split(buf_view(&b), &back));
    assert_true(bytes_eq(back.name, k.name) && bytes_eq(back.source, k.source) && back.shared);
    assert_false(feature_key_split(BYTES_LIT("nothing"), &back));
    assert_false(feature_key_split(BYTES_NONE, &back));
    buf_release(&b);
}

static void alternatives_know_their_group(void **state)
{
    (void)state;
    assert_int_equal(tool_group(BYTES_LIT("rg")), tool_group(BYTES_LIT("grep")));
    assert_int_not_equal(tool_group(BYTES_LIT("rg")), tool_group(BYTES_LIT("fd")));
    assert_int_equal(tool_group(BYTES_LIT("nothing-known")), 0);
    assert_string_equal(tool_group_purpose(tool_group(BYTES_LIT("zsh"))), "as a shell");
    /* The first and last word of each list: a list out of order would lose some. */
    assert_true(word_is_common(BYTES_LIT("about")) && word_is_common(BYTES_LIT("youtube")) &&
                word_is_common(BYTES_LIT("merge")));
    assert_true(tool_is_common(BYTES_LIT("apropos")) && tool_is_common(BYTES_LIT("zip")));
    assert_true(word_is_shell(BYTES_LIT("alias")) && word_is_shell(BYTES_LIT("while")));
    assert_true(tool_is_filter(BYTES_LIT("ack")) && tool_is_filter(BYTES_LIT("xargs")));
}

static void equal_events_have_equal_keys_and_others_do_not(void **state)
{
    (void)state;
    struct bytes secret = BYTES_LIT("0123456789abcdef0123456789abcdef");
    struct observation o = {.time_ms = 1700000000123,
                            .end_ms = TIME_NONE,
                            .source = BYTES_LIT("zsh"),
                            .command = BYTES_LIT("rg x")},
                       p = o;
    uint8_t a[16], b[16];
    assert_int_equal(event_key(secret, &o, a), 0);
    p.end_ms = o.time_ms + 5000; /* the last event of a log grows */
    assert_int_equal(event_key(secret, &p, b), 0);
    assert_memory_equal(a, b, 16);
    p.command = BYTES_LIT("rg X");
    assert_int_equal(event_key(secret, &p, b), 0);
    assert_memory_not_equal(a, b, 16);
    p = o;
    p.time_ms++;
    assert_int_equal(event_key(secret, &p, b), 0);
    assert_memory_not_equal(a, b, 16);
    /* A notification that two devices showed seconds apart. */
    o = (struct observation){.time_ms = 1700000000000 + 10000,
                             .shared_event = true,
                             .source = BYTES_LIT("notification"),
                             .title = BYTES_LIT("Ada  wrote")};
    p = o;
    p.time_ms += 4000;
    p.title = BYTES_LIT("ada wrote ");
    assert_int_equal(event_key(secret, &o, a), 0);
    assert_int_equal(event_key(secret, &p, b), 0);
    assert_memory_equal(a, b, 16);
    /* Without a time the occurrence tells them apart, not the time of import. */
    o = (struct observation){
        .time_ms = 1, .occurrence = 1, .source = BYTES_LIT("bash"), .command = BYTES_LIT("ls")};
    p = o;
    p.time_ms = 2;
    assert_int_equal(event_key(secret, &o, a), 0);
    assert_int_equal(event_key(secret, &p, b), 0);
    assert_memory_equal(a, b, 16);
    p.occurrence = 2;
    assert_int_equal(event_key(secret, &p, b), 0);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(event_key(BYTES_LIT("another secret, 32 bytes long..."), &o, b), 0);
    assert_memory_not_equal(a, b, 16);
}

static void parsing_arbitrary_bytes_is_safe(void **state)
{
    (void)state;
    uint8_t bytes[64];
    uint32_t x = 1;
    struct buf out, scratch;
    buf_init(&out, 1 << 20);
    buf_init(&scratch, 1 << 20);
    for (int round = 0; round < 20000; round++) {
        static const char alphabet[] = "I am not:/?&=%|;'\"<>()\\\n.-\xc3\xa9https://google.q=rd ";
        for (size_t i = 0; i < sizeof bytes; i++) {
            x = x * 1664525 + 1013904223;
            bytes[i] =
                (x >> 24 & 7) == 0 ? (uint8_t)(x >> 8) : (uint8_t)alphabet[(x >> 16) % (sizeof alphabet - 1)];
        }
        struct bytes b = bytes_of(bytes, (size_t)round % sizeof bytes);
        buf_clear(&out);
        buf_clear(&scratch);
        assert_int_equal(command_tools(b, join, &out), 0);
        assert_int_equal(statements_of(b, &scratch, join, &out), 0);
        (void)url_site(b, &out);
        (void)url_search(b, &out);
        (void)path_project(b);
        assert_non_null(buf_extend(&scratch, 4096));
        buf_clear(&scratch);
        assert_int_equal(title_topics(b, &scratch, join, &out), 0);
    }
    buf_release(&out);
    buf_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_are_the_first_words_of_commands),
        cmocka_unit_test(topics_are_telling_words),
        cmocka_unit_test(sites_are_public_hosts),
        cmocka_unit_test(searches_are_decoded),
        cmocka_unit_test(projects_are_folders_in_known_places),
        cmocka_unit_test(keys_split_into_what_was_joined),
        cmocka_unit_test(alternatives_know_their_group),
        cmocka_unit_test(equal_events_have_equal_keys_and_others_do_not),
        cmocka_unit_test(parsing_arbitrary_bytes_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
