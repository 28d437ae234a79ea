#include "base/err.h"

#include "base/text.h"
#include "tests/support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_returns_the_code_and_fills_the_text(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    assert_int_equal(err_set(&e, ERR_FORMAT, "line %d: bad '%s'", 7, "time"), ERR_FORMAT);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_string_equal(e.text, "line 7: bad 'time'");
    assert_string_equal(e.hint, "");
}

static void set_forgets_the_hint_of_an_earlier_error(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    err_set(&e, ERR_PERM, "first");
    err_hint(&e, "chmod 700 '%s'", "home");
    assert_string_equal(e.hint, "chmod 700 'home'");
    err_set(&e, ERR_IO, "second");
    assert_string_equal(e.hint, "");
}

static void every_function_accepts_no_error_struct(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
    assert_int_equal(err_errno(NULL, ENOSPC, "x"), ERR_FULL);
    assert_int_equal(err_wrap(NULL, ERR_IO, "x"), ERR_IO);
    err_hint(NULL, "x");
}

static void wrap_puts_context_first_and_keeps_code_and_hint(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    err_set(&e, ERR_PERM, "cannot open 'x.db'");
    err_hint(&e, "chmod it");
    assert_int_equal(err_wrap(&e, ERR_IO, "opening %s", "store"), ERR_PERM);
    assert_string_equal(e.text, "opening store: cannot open 'x.db'");
    assert_string_equal(e.hint, "chmod it");
}

static void wrap_of_a_clean_error_takes_code_and_text_of_the_table(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    assert_int_equal(err_wrap(&e, ERR_NOMEM, "reading"), ERR_NOMEM);
    assert_string_equal(e.text, "reading: out of memory");
}

static void an_error_can_be_set_from_its_own_text(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    err_set(&e, ERR_IO, "inner");
    err_set(&e, ERR_CORRUPT, "outer (%s)", e.text);
    assert_string_equal(e.text, "outer (inner)");
}

static void long_text_is_cut_between_characters(void **state)
{
    struct err e = ERR_INIT;
    char text[1024] = "";
    (void)state;
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    err_set(&e, ERR_IO, "a%s", text);
    assert_true(utf8_valid(bytes_str(e.text)));
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    err_set(&e, ERR_IO, "%s", text);
    assert_true(utf8_valid(bytes_str(e.text)));
    assert_int_equal(strlen(e.text), sizeof e.text - 2);
    err_hint(&e, "%s", text);
    assert_true(utf8_valid(bytes_str(e.hint)));
}

static void errno_chooses_the_code_and_is_named(void **state)
{
    static const struct {
        int eno, code;
    } rows[] = {{ENOSPC, ERR_FULL},     {EDQUOT, ERR_FULL}, {ENOMEM, ERR_NOMEM},
                {ENOENT, ERR_NOTFOUND}, {EACCES, ERR_PERM}, {EPERM, ERR_PERM},
                {EEXIST, ERR_EXISTS},   {EIO, ERR_IO},      {ENOTDIR, ERR_IO}};
    struct err e = ERR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(err_errno(&e, rows[i].eno, "cannot open '%s'", "f"), rows[i].code);
    err_errno(&e, ENOENT, "cannot open '%s'", "f");
    assert_string_equal(e.text, "cannot open 'f': No such file or directory");
}

static void every_code_has_name_text_and_class(void **state)
{
    (void)state;
#define X(name, value, cls, text)                                                                            \
    assert_string_equal(err_name(name), #name);                                                              \
    assert_string_equal(err_text(name), text);                                                               \
    assert_int_equal(err_class(name), ERR_CLASS_##cls);
    ERR_TABLE(X)
#undef X
    assert_int_equal(err_class(ERR_OK), ERR_CLASS_NONE);
    assert_int_equal(err_class(-9999), ERR_CLASS_FATAL);
    assert_string_equal(err_name(-9999), "ERR_UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_returns_the_code_and_fills_the_text),
        cmocka_unit_test(set_forgets_the_hint_of_an_earlier_error),
        cmocka_unit_test(every_function_accepts_no_error_struct),
        cmocka_unit_test(wrap_puts_context_first_and_keeps_code_and_hint),
        cmocka_unit_test(wrap_of_a_clean_error_takes_code_and_text_of_the_table),
        cmocka_unit_test(an_error_can_be_set_from_its_own_text),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(errno_chooses_the_code_and_is_named),
        cmocka_unit_test(every_code_has_name_text_and_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
