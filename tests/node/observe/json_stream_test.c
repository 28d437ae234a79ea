#include "node/observe/json_stream.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The canonical form of a document, or "" with *rc set. */
static const char *canonical(const char *document, int *rc, struct buf *out)
{
    static struct json_members m;
    struct json_stream s;
    struct json_token t;
    buf_init(out, LIMIT_OBSERVATION_BYTES);
    json_members_init(&m, LIMIT_OBSERVATION_BYTES);
    json_init_bytes(&s, bytes_str(document));
    *rc = json_next(&s, &t, NULL);
    if (!*rc)
        *rc = json_canonical(&s, &t, &m, NULL);
    if (!*rc)
        *rc = json_next(&s, &t, NULL);
    if (!*rc)
        (void)buf_bytes(out, buf_view(&m.text));
    json_release(&s);
    json_members_release(&m);
    return buf_cstr(out);
}

static void canonical_form_has_one_order_and_no_space(void **state)
{
    static const char *const cases[][2] = {
        {" { \"b\" : 1 , \"a\" : { \"d\" : [ ] , \"c\" : { } } } ", "{\"a\":{\"c\":{},\"d\":[]},\"b\":1}"},
        {"[1.50, -0, 1E+9, true, false, null]", "[1.50,-0,1E+9,true,false,null]"},
        {"\"\\u0041\\/\\\"\\\\\\n\\t\\u00e9\"", "\"A/\\\"\\\\\\n\\u0009\xc3\xa9\""},
        {"{\"aa\":1,\"a\":2,\"B\":3}", "{\"B\":3,\"a\":2,\"aa\":1}"},
        {"\"\xff\"", "\"\xef\xbf\xbd\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out, again;
        int rc;
        assert_string_equal(canonical(cases[i][0], &rc, &out), cases[i][1]);
        assert_int_equal(rc, 0);
        assert_string_equal(canonical(buf_cstr(&out), &rc, &again), cases[i][1]); /* and stays as it is */
        buf_release(&out);
        buf_release(&again);
    }
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "{",
        "}",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "[1 2]",
        "01",
        "1.",
        ".5",
        "-",
        "1e",
        "tru",
        "nulll",
        "\"a",
        "\"\\u12",
        "\"\\q\"",
        "\"\n\"",
        "[1}",
        "{\"a\":1]",
        "1 1",
        "\"a\" \"b\"",
        "// x",
        "NaN",
        ("\xef\xbb\xbf"
         "1"),
        "'a'",
        "[,1]",
        "{\"a\":1 \"b\":2}",
        "{\"a\" 1}",
        "\"\\u12g4\"",
        "{\"a\":1,\"a\":2}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        int rc;
        (void)canonical(cases[i], &rc, &out);
        if (rc != ERR_FORMAT)
            fail_msg("'%s' gave %d", cases[i], rc);
        buf_release(&out);
    }
}

static void every_cut_of_a_document_is_refused(void **state)
{
    static const char whole[] = "{\"a\":[1.5e-3,\"x\\u00e9\\\"y\",{\"b\":true}],\"c\":null}";
    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        char cut[sizeof whole];
        struct buf out;
        int rc;
        (void)snprintf(cut, sizeof cut, "%.*s", (int)n, whole);
        (void)canonical(cut, &rc, &out);
        assert_int_equal(rc, ERR_FORMAT);
        buf_release(&out);
    }
}

static void tokens_cross_the_window_of_a_file(void **state)
{
    (void)state;
    int fd = memfd_create("document", MFD_CLOEXEC);
    struct buf b;
    buf_init(&b, (size_t)4 << 20);
    (void)buf_str(&b, "[");
    for (int i = 0; i < 30000; i++)
        (void)buf_printf(&b, "%s\"%d \\u00e9\", %d, true", i ? ",\n" : "", i, i);
    (void)buf_str(&b, "]");
    assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    struct json_stream s;
    struct json_token t;
    assert_int_equal(json_init_fd(&s, fd), 0);
    assert_int_equal(json_next(&s, &t, NULL), 0);
    for (int i = 0; i < 30000; i++) {
        char expect[32];
        assert_int_equal(json_next(&s, &t, NULL), 0);
        (void)snprintf(expect, sizeof expect, "%d \xc3\xa9", i);
        assert_true(t.kind == JSON_STRING && bytes_eq(t.text, bytes_str(expect)));
        assert_int_equal(json_next(&s, &t, NULL), 0);
        (void)snprintf(expect, sizeof expect, "%d", i);
        assert_true(t.kind == JSON_NUMBER && bytes_eq(t.text, bytes_str(expect)));
        assert_int_equal(json_next(&s, &t, NULL), 0);
        assert_int_equal(t.kind, JSON_TRUE);
    }
    assert_int_equal(s.line, 30000);
    assert_int_equal(json_next(&s, &t, NULL), 0);
    assert_int_equal(t.kind, JSON_ARRAY_END);
    assert_int_equal(json_next(&s, &t, NULL), 0);
    assert_int_equal(t.kind, JSON_END);
    assert_int_equal(json_offset(&s), b.n);
    json_release(&s);
    buf_release(&b);
    (void)close(fd);
}

static void an_error_names_its_place_and_stays(void **state)
{
    struct json_stream s;
    struct json_token t;
    struct err e = ERR_INIT;
    (void)state;
    json_init_bytes(&s, BYTES_LIT("[1,\n x]"));
    assert_int_equal(json_next(&s, &t, &e), 0);
    assert_int_equal(json_next(&s, &t, &e), 0);
    assert_int_equal(json_next(&s, &t, &e), ERR_FORMAT);
    assert_string_equal(e.text, "line 2, byte 5: a value is expected");
    assert_int_equal(json_next(&s, &t, &e), ERR_FORMAT);
    json_release(&s);
}

static void seconds_become_milliseconds(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t ms;
    } cases[] = {
        {"0", 0, 0},
        {"1", 0, 1000},
        {"-1.5", 0, -1500},
        {"209.533", 0, 209533},
        {"0.0009", 0, 0},
        {"1e-07", 0, 0},
        {"1.5e2", 0, 150000},
        {"0e99999999", 0, 0},
        {"1e12", 0, INT64_C(1000000000000000)},
        {"0.1234567890123456789012345", 0, 123},
        {"1000000000000000000000000e-24", 0, 1000},
        {"1e13", ERR_LIMIT, 0},
        {"1e300", ERR_LIMIT, 0},
        {"123456789012345678901234567890", ERR_LIMIT, 0},
        {"1.", ERR_FORMAT, 0},
        {"", ERR_FORMAT, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms;
        if (json_number_milli(bytes_str(cases[i].text), &ms) != cases[i].rc || ms != cases[i].ms)
            fail_msg("'%s' gave %lld", cases[i].text, (long long)ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_form_has_one_order_and_no_space),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(every_cut_of_a_document_is_refused),
        cmocka_unit_test(tokens_cross_the_window_of_a_file),
        cmocka_unit_test(an_error_names_its_place_and_stays),
        cmocka_unit_test(seconds_become_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
