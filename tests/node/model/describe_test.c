/* What is asked about a picture, and what is taken of the answer. */
#include "node/model/describe.h"

#include "tests/support/rng.h"
#include "tests/support/unit.h"

#include <string.h>

static struct prompt p;
static struct description d;
static struct observation o;
static struct err e;

static int setup(void **state)
{
    static struct test_rng rng;
    (void)state;
    test_rng_init(&rng, 7);
    const struct rng r = test_rng_iface(&rng);
    prompt_init(&p, &r, "Ana");
    description_init(&d);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    prompt_release(&p);
    description_release(&d);
    return 0;
}

/* Reads an answer written with ' for ". */
static int read_answer(const char *quoted)
{
    static char text[16384];
    size_t n = strlen(quoted);
    assert_true(n < sizeof text);
    for (size_t i = 0; i <= n; i++)
        text[i] = quoted[i] == '\'' ? '"' : quoted[i];
    description_release(&d);
    description_init(&d);
    o = (struct observation){0};
    e = ERR_INIT;
    return describe_read(&p, bytes_str(text), &d, &o, &e);
}

#define ANSWER(kind, seen, url, flags)                                                                       \
    "{'kind':'" kind "','seen':'" seen "','app':'Kitty','title':'build','url':'" url                         \
    "','doing':'Building.'," flags "}"
#define PLAIN "'private':false,'own':false"

static void assert_text(struct bytes text, const char *wanted)
{
    assert_true(bytes_eq(text, bytes_str(wanted)));
}

static void the_picture_stands_between_two_lines_of_the_fence(void **state)
{
    (void)state;
    struct chat_part parts[DESCRIBE_PARTS];
    describe_ask(&p, BYTES_LIT("pixels"), "image/png", parts);
    assert_int_equal(prompt_error(&p, &e), 0);
    assert_string_equal(parts[0].role, "system");
    struct bytes fence = bytes_of(p.fence, PROMPT_FENCE);
    assert_true(bytes_find(parts[0].text, fence) != SIZE_MAX);
    assert_true(bytes_find(parts[0].text, BYTES_LIT("Ana")) != SIZE_MAX);
    assert_true(bytes_find(parts[1].text, fence) != SIZE_MAX);
    assert_text(parts[2].image, "pixels");
    assert_string_equal(parts[2].image_type, "image/png");
    assert_true(bytes_find(parts[3].text, fence) != SIZE_MAX);
}

static void a_screen_has_program_title_address_and_doing(void **state)
{
    (void)state;
    assert_int_equal(read_answer(ANSWER("screen", "A terminal.", "https://x.example/a", PLAIN)), 0);
    assert_text(o.text, "A terminal. Doing there: Building.");
    assert_text(o.app, "Kitty");
    assert_text(o.title, "build");
    assert_text(o.url, "https://x.example/a");
    assert_false(o.private_window || o.from_model);
}

static void other_pictures_have_none_of_them(void **state)
{
    (void)state;
    static const char *const others[] = {ANSWER("photo", "A meadow.", "https://x.example/a", PLAIN),
                                         ANSWER("drawing", "A meadow.", "https://x.example/a", PLAIN)};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_answer(others[i]), 0);
        assert_text(o.text, "A meadow.");
        assert_int_equal(o.app.n + o.title.n + o.url.n, 0);
    }
}

static void private_and_own_are_passed_on_to_the_audit(void **state)
{
    (void)state;
    assert_int_equal(read_answer(ANSWER("screen", "x", "", "'private':true,'own':false")), 0);
    assert_true(o.private_window && !o.from_model);
    assert_int_equal(read_answer(ANSWER("screen", "x", "", "'private':false,'own':true")), 0);
    assert_true(!o.private_window && o.from_model);
}

static void what_is_no_address_is_left_out(void **state)
{
    (void)state;
    static const char *const others[] = {"javascript:alert(1)", "file:///etc/passwd", "x.example",
                                         "https://x.example and more"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, ANSWER("screen", "x", "%s", PLAIN), others[i]);
        assert_int_equal(read_answer(text), 0);
        assert_int_equal(o.url.n, 0);
    }
}

static void texts_are_one_plain_line_within_limits(void **state)
{
    (void)state;
    static char seen[8192];
    static char answer[16384];
    assert_int_equal(read_answer(ANSWER("photo", "a\\nb\\tc\\u001b[2J\\u202e", "", PLAIN)), 0);
    assert_text(o.text, "a b c\\x1B[2J\\u{202E}");
    for (size_t i = 0; i < 2000; i++)
        memcpy(seen + 2 * i, "\xc3\xbc", 2);
    (void)snprintf(answer, sizeof answer, ANSWER("photo", "%s", "", PLAIN), seen);
    assert_int_equal(read_answer(answer), 0);
    assert_int_equal(o.text.n, DESCRIBE_SEEN_BYTES);
}

static void an_answer_that_lacks_something_is_unusable(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "I see a meadow.",
                                      "{'kind':'photo','private':false,'own':false}",
                                      "{'kind':'photo','seen':'x','own':false}",
                                      "{'kind':'screen','seen':'x','private':false,'own':false}",
                                      "{'kind':7,'seen':'x','private':false,'own':false}",
                                      ANSWER("photo", "", "", PLAIN),
                                      ANSWER("photo", " \\n ", "", PLAIN),
                                      ANSWER("photo", "x", "", "'private':'no','own':false")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_answer(bad[i]), ERR_FORMAT);
        assert_string_equal(e.text, "the model's answer does not describe the picture");
    }
}

static void an_answer_with_the_fence_is_unusable(void **state)
{
    (void)state;
    char text[512];
    (void)snprintf(text, sizeof text, ANSWER("photo", "%s", "", PLAIN), p.fence);
    assert_int_equal(read_answer(text), ERR_FORMAT);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_picture_stands_between_two_lines_of_the_fence),
        CASE(a_screen_has_program_title_address_and_doing),
        CASE(other_pictures_have_none_of_them),
        CASE(private_and_own_are_passed_on_to_the_audit),
        CASE(what_is_no_address_is_left_out),
        CASE(texts_are_one_plain_line_within_limits),
        CASE(an_answer_that_lacks_something_is_unusable),
        CASE(an_answer_with_the_fence_is_unusable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
