/* Answers as models give them: what has one reading is taken, everything else refused as a whole. */
#include "node/infer/answer.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

static const char object_schema[] =
    "{\"type\":\"object\",\"properties\":{\"claims\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
    "\"note\":{\"type\":\"string\"}},\"required\":[\"claims\"]}";
static const char two_schema[] = "{\"type\":\"object\",\"properties\":{\"why\":{\"type\":\"string\"},"
                                 "\"same\":{\"type\":\"boolean\"}},\"required\":[\"why\",\"same\"]}";
static const char array_schema[] = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}";

struct line {
    const char *in;
    const char *out; /* NULL: refused */
};

static int document(const char *schema, const char *text, bool whole, struct buf *out)
{
    struct answer_shape shape;
    struct err e = ERR_INIT;
    assert_int_equal(answer_shape_read(bytes_str(schema), &shape, &e), 0);
    buf_clear(out);
    return answer_document(bytes_str(text), &shape, whole, out, &e);
}

static void check(const char *schema, const struct line *lines, size_t n, bool whole)
{
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < n; i++) {
        int rc = document(schema, lines[i].in, whole, &out);
        if (lines[i].out == NULL && rc == 0) {
            fail_msg("taken: '%s' as '%s'", lines[i].in, buf_cstr(&out));
        }
        if (lines[i].out != NULL && (rc != 0 || strcmp(buf_cstr(&out), lines[i].out) != 0)) {
            fail_msg("'%s' gives '%s' (%d), not '%s'", lines[i].in, buf_cstr(&out), rc, lines[i].out);
        }
    }
    buf_release(&out);
}

#define CHECK_ALL(schema, lines, whole) check(schema, lines, sizeof(lines) / sizeof((lines)[0]), whole)
#define ONE "{\"claims\":[{\"t\":\"x\"}]}"

static void fences_and_chatter_are_left_out(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {ONE, ONE},
        {"  \n" ONE "\n\n", ONE},
        {"```json\n" ONE "\n```", ONE},
        {"```\n" ONE "\n```\nHope this helps!", ONE},
        {"Sure! Here it is [as asked]:\n\n" ONE "\nLet me know {if you need more}.", ONE},
        {"See [1] and [2, 3]: " ONE, ONE},
        {"<think>maybe {\"claims\":[]} or not</think>" ONE, ONE},
        {ONE "\nAgain, to be clear:\n```json\n" ONE "```", ONE}, /* twice the same */
        {"\xef\xbb\xbf" ONE, ONE},
    };
    CHECK_ALL(object_schema, lines, false);
}

static void what_has_one_reading_is_mended(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"{\"claims\":[{\"t\":\"x\",},],}", ONE},
        {"{\"claims\":[ // the first\n{\"t\":\"x\"} /* and last */]}", ONE},
        {"{\"claims\":[{\"t\":\"a\nb\"}]}", "{\"claims\":[{\"t\":\"a\\nb\"}]}"},
        {"{\"claims\":[{\"t\":\"it\\'s\"}]}", "{\"claims\":[{\"t\":\"it's\"}]}"},
        {"{\"claims\":[{\"t\":True,\"u\":None,\"v\":False}]}",
         "{\"claims\":[{\"t\":true,\"u\":null,\"v\":false}]}"},
        {"{\"claims\":[{\"t\":\"\\ud83d\"}]}", "{\"claims\":[{\"t\":\"\xef\xbf\xbd\"}]}"},
        {"{\"claims\":[{\"t\":\"\\ud83d\\ude00\"}]}", "{\"claims\":[{\"t\":\"\xf0\x9f\x98\x80\"}]}"},
    };
    CHECK_ALL(object_schema, lines, false);
}

static void other_shapes_that_mean_the_same_are_taken(void **state)
{
    (void)state;
    static const struct line objects[] = {
        {"[{\"t\":\"x\"}]", ONE},
        {"[]", "{\"claims\":[]}"},
        {"{\"answer\":" ONE "}", ONE},
        {"[" ONE "]", ONE},
        {"[1,2]", NULL},
        {"{\"claims\":\"none\"}", NULL},
        {"{\"claims\":[1]}", NULL},
        {"{\"note\":\"x\"}", NULL},
        {"{\"a\":" ONE ",\"b\":" ONE "}", NULL},
    };
    static const struct line arrays[] = {
        {"[{\"t\":\"x\"}]", "[{\"t\":\"x\"}]"},
        {ONE, "[{\"t\":\"x\"}]"},
        {"{\"n\":1,\"list\":[{\"t\":\"x\"}]}", "[{\"t\":\"x\"}]"},
        {"{\"a\":[{\"t\":\"x\"}],\"b\":[{\"t\":\"y\"}]}", NULL},
        {"[1]", NULL},
        {"{\"t\":\"x\"}", NULL},
    };
    static const struct line two[] = {
        {"{\"why\":\"w\",\"same\":true}", "{\"why\":\"w\",\"same\":true}"},
        {"{\"same\":true}", NULL},
        {"{\"result\":{\"why\":\"w\",\"same\":true}}", "{\"why\":\"w\",\"same\":true}"},
    };
    CHECK_ALL(object_schema, objects, false);
    CHECK_ALL(array_schema, arrays, false);
    CHECK_ALL(two_schema, two, false);
}

static void what_could_mean_two_things_is_refused(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {ONE " or rather {\"claims\":[]}", NULL},
        {"{\"claims\":[],\"claims\":[{\"t\":\"x\"}]}", NULL},
        {"{\"claims\":[{\"t\":\"x\",\"t\":\"y\"}]}", NULL},
        {"{\"claims\":[{\"t\":\"x\"]}", NULL},
        {"{'claims':[]}", NULL},
        {"{\"claims\":[{\"t\":\"C:\\path\"}]}", NULL},
        {"{\"claims\":[{\"t\":\"a\"b\"}]}", NULL},
        {"{\"claims\":[{\"t\":\"\\u0000\"}]}", NULL},
        {"{\"claims\":[{\"t\":01}]}", NULL},
        {"{\"claims\":[{\"t\":NaN}]}", NULL},
        {"I cannot do that.", NULL},
        {"", NULL},
        {"<think>never ends " ONE, NULL},
    };
    CHECK_ALL(object_schema, lines, true);
}

static void closing_brackets_are_added_only_at_the_end_of_a_whole_message(void **state)
{
    (void)state;
    static const struct line whole[] = {
        {"{\"claims\":[{\"t\":\"x\"}]", ONE},
        {"{\"claims\":[{\"t\":\"x\"", ONE},
        {"```json\n{\"claims\":[{\"t\":\"x\"}\n```", ONE},
        {"{\"claims\":[{\"t\":\"x\"},", NULL},
        {"{\"claims\":[{\"t\":\"x", NULL},
        {"{\"claims\":[{\"t\":\"x\",\"u", NULL},
        {"{\"claims\":[{\"t\":\"x\",\"u\":8", NULL}, /* 8 or 80? */
        {"{\"claims\":[{\"t\":\"x\"}] and so on", NULL},
        {"{\"claims\"", NULL},
    };
    static const struct line cut[] = {
        {"{\"claims\":[{\"t\":\"x\"}]", NULL},
        {"```json\n{\"claims\":[{\"t\":\"x\"}\n```", NULL},
    };
    CHECK_ALL(object_schema, whole, true);
    CHECK_ALL(object_schema, cut, false);
}

/* Every prefix of an answer is refused; of a message that says it is whole, those are not that end behind a
 * string or a bracket. Nothing in them is left out. */
static void no_prefix_is_half_taken(void **state)
{
    (void)state;
    static const char text[] =
        "{\"note\":\"n\",\"claims\":[{\"t\":\"x\",\"ids\":[1,2],\"c\":7},{\"t\":\"y\",\"ids\":[],"
        "\"c\":12}]}";
    static const char list[] = "[[{\"t\":1}],[{\"t\":2}]]";
    struct buf out;
    buf_init(&out, 4096);
    for (size_t n = 0; n + 1 < sizeof(text); n++) {
        char prefix[sizeof(text)];
        memcpy(prefix, text, n);
        prefix[n] = '\0';
        assert_int_not_equal(document(object_schema, prefix, false, &out), 0);
        assert_int_not_equal(document(array_schema, prefix, false, &out), 0);
        if (document(object_schema, prefix, true, &out) == 0) {
            assert_non_null(strchr("\"}]", prefix[n - 1]));
            assert_true(out.n >= n);
        }
    }
    for (size_t n = 1; n + 1 < sizeof(list); n++) {
        char prefix[sizeof(list)];
        memcpy(prefix, list, n);
        prefix[n] = '\0';
        assert_int_not_equal(document(array_schema, prefix, false, &out), 0);
    }
    buf_release(&out);
}

static void hostile_nesting_and_repetition_take_bounded_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[",  "{\"a\":", "[\"[\",", "[1,",   "[\"[1,",
                                         "{}", "[[],",    "\\\"[",   "// [\n"};
    struct buf text;
    struct buf out;
    struct answer_shape shape;
    struct err e = ERR_INIT;
    buf_init(&text, 4u << 20);
    buf_init(&out, 4u << 20);
    assert_int_equal(answer_shape_read(bytes_str(object_schema), &shape, &e), 0);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        buf_clear(&text);
        while (text.n < (1u << 20)) {
            assert_int_equal(buf_str(&text, pieces[i]), 0);
        }
        assert_int_not_equal(answer_document(buf_view(&text), &shape, true, &out, &e), 0);
    }
    buf_release(&text);
    buf_release(&out);
}

static int message(const char *body, struct answer_message *m, struct buf *text)
{
    struct err e = ERR_INIT;
    buf_clear(text);
    *m = (struct answer_message){.text = text};
    return answer_message_read(bytes_str(body), m, &e);
}

static void messages_come_as_strings_or_parts(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}", "hi"},
        {"{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"output_"
         "text\","
         "\"text\":\"b\"},{\"type\":\"reasoning\",\"text\":\"no\"}]}}]}",
         "ab"},
        {"{\"choices\":[{\"message\":{\"content\":[\"a\",\"b\"]}}]}", "ab"},
        {"{\"choices\":[{\"text\":\"old\"}]}", "old"},
        {"{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"no\"}}]}", NULL},
        {"{\"choices\":[{\"message\":{\"content\":null}}]}", NULL},
        {"{\"choices\":[{\"message\":{\"content\":7}}]}", NULL},
        {"{\"choices\":[{\"message\":{\"content\":\"a\\u0000b\"}}]}", NULL},
        {"{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"content_filter\"}]}", NULL},
        {"{\"choices\":[]}", NULL},
        {"{\"choices\":{}}", NULL},
        {"{\"error\":{\"message\":\"x\"}}", NULL},
        {"{\"choices\":[{\"message\":{\"content\":\"hi\"}}]} trailing", NULL},
        {"{\"choices\":[{\"message\":{\"content\":\"hi\"}}]", NULL},
        {"", NULL},
    };
    struct answer_message m;
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int rc = message(lines[i].in, &m, &text);
        if (lines[i].out == NULL ? rc == 0 : rc != 0 || strcmp(buf_cstr(&text), lines[i].out) != 0) {
            fail_msg("'%s' gives '%s' (%d)", lines[i].in, buf_cstr(&text), rc);
        }
    }
    buf_release(&text);
}

static void message_says_how_it_ended_and_what_it_cost(void **state)
{
    (void)state;
    struct answer_message m;
    struct buf text;
    buf_init(&text, 4096);
    assert_int_equal(
        message("{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"length\"}],\"usage\":{"
                "\"prompt_tokens\":5,\"completion_tokens\":-3}}",
                &m, &text),
        0);
    assert_true(m.cut && !m.whole && m.usage.given);
    assert_int_equal(m.usage.tokens_in, 5);
    assert_int_equal(m.usage.tokens_out, 0);
    assert_int_equal(
        message("{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}", &m, &text), 0);
    assert_true(m.whole && !m.cut && !m.usage.given);
    buf_release(&text);
}

static void error_codes_are_words_never_texts(void **state)
{
    (void)state;
    char code[ANSWER_CODE_BYTES + 1];
    answer_error_code(BYTES_LIT("{\"error\":{\"message\":\"m\",\"code\":\"model_not_found\"}}"), code);
    assert_string_equal(code, "model_not_found");
    answer_error_code(BYTES_LIT("{\"error\":{\"code\":404,\"type\":\"not_found\"}}"), code);
    assert_string_equal(code, "not_found");
    answer_error_code(BYTES_LIT("{\"error\":{\"code\":\"what you asked\"}}"), code);
    assert_string_equal(code, "");
    answer_error_code(BYTES_LIT("oops"), code);
    assert_string_equal(code, "");
}

static void schemas_of_other_tops_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{}", "[]", "{\"type\":\"string\"}",
                                      "{\"type\":\"object\",\"required\":[1]}"};
    struct answer_shape shape;
    struct err e = ERR_INIT;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(answer_shape_read(bytes_str(bad[i]), &shape, &e), ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fences_and_chatter_are_left_out),
        cmocka_unit_test(what_has_one_reading_is_mended),
        cmocka_unit_test(other_shapes_that_mean_the_same_are_taken),
        cmocka_unit_test(what_could_mean_two_things_is_refused),
        cmocka_unit_test(closing_brackets_are_added_only_at_the_end_of_a_whole_message),
        cmocka_unit_test(no_prefix_is_half_taken),
        cmocka_unit_test(hostile_nesting_and_repetition_take_bounded_time),
        cmocka_unit_test(messages_come_as_strings_or_parts),
        cmocka_unit_test(message_says_how_it_ended_and_what_it_cost),
        cmocka_unit_test(error_codes_are_words_never_texts),
        cmocka_unit_test(schemas_of_other_tops_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
