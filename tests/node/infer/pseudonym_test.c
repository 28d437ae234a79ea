/* Stand-ins for names: what is found, what comes back. */
#include "node/infer/pseudonym.h"

#include "base/text.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static const uint8_t key[32] = {7};

static struct pseudonyms *people(const char *const *names)
{
    struct pseudonyms *p = pseudonyms_new(bytes_of(key, sizeof(key)));
    assert_non_null(p);
    for (; names != NULL && *names != NULL; names++) {
        assert_int_equal(pseudonyms_add(p, bytes_str(*names)), 0);
    }
    return p;
}

/* Hides, shows again, compares; the hidden text is in out. */
static void around(struct pseudonyms *p, const char *text, struct buf *out)
{
    struct buf back;
    buf_init(&back, 1u << 20);
    buf_clear(out);
    assert_int_equal(pseudonyms_hide(p, bytes_str(text), out), 0);
    assert_int_equal(pseudonyms_show(p, buf_view(out), &back), 0);
    if (strcmp(buf_cstr(&back), text) != 0) {
        fail_msg("'%s' became '%s' and came back as '%s'", text, buf_cstr(out), buf_cstr(&back));
    }
    buf_release(&back);
}

static bool has(struct buf *b, const char *text)
{
    return strstr(buf_cstr(b), text) != NULL;
}

static void known_names_are_replaced_whole_and_in_part(void **state)
{
    (void)state;
    static const char *const names[] = {"Anna-Lena Sch\xc3\xb6n", "O'Neil", "\xe5\xb1\xb1\xe7\x94\xb0", NULL};
    struct pseudonyms *p = people(names);
    struct buf out;
    buf_init(&out, 4096);
    around(
        p,
        "Anna-Lena Sch\xc3\xb6n met O'Neil, then Sch\xc3\xb6n left. Anna's idea; \xe5\xb1\xb1\xe7\x94\xb0.",
        &out);
    assert_false(has(&out, "Anna") || has(&out, "Sch") || has(&out, "Neil") || has(&out, "\xe5\xb1\xb1"));
    around(p, "Annabel Schoen, Neilson and XAnna stay", &out);
    assert_string_equal(buf_cstr(&out), "Annabel Schoen, Neilson and XAnna stay");
    buf_release(&out);
    pseudonyms_free(p);
}

static void addresses_and_handles_are_found(void **state)
{
    (void)state;
    struct pseudonyms *p = people(NULL);
    struct buf out;
    buf_init(&out, 4096);
    around(p,
           "From: Ben Ngoma <ben.ngoma+x@mail.corp.example>, cc @quokka_7; ask Ngoma or quokka_7, not "
           "info@shop.example.",
           &out);
    assert_false(has(&out, "Ben") || has(&out, "Ngoma") || has(&out, "ngoma") || has(&out, "quokka") ||
                 has(&out, "corp"));
    assert_true(has(&out, "From: Person-") && has(&out, "ask Person-"));
    around(p, "info@shop.example: the info desk", &out);
    assert_true(has(&out, "the info desk"));
    around(p, "a @ b, me@, @x, mail@localhost, 3@4", &out);
    buf_release(&out);
    pseudonyms_free(p);
}

static void same_name_gets_the_same_stand_in_from_the_same_key_only(void **state)
{
    (void)state;
    static const char *const names[] = {"Anna Schmidt", NULL};
    static const uint8_t other[32] = {8};
    struct pseudonyms *a = people(names);
    struct pseudonyms *b = people(names);
    struct pseudonyms *c = pseudonyms_new(bytes_of(other, sizeof(other)));
    struct buf one;
    struct buf two;
    buf_init(&one, 4096);
    buf_init(&two, 4096);
    around(a, "Anna Schmidt", &one);
    around(b, "Anna Schmidt", &two);
    assert_string_equal(buf_cstr(&one), buf_cstr(&two));
    assert_int_equal(one.n, strlen("Person-bcdf"));
    assert_int_equal(pseudonyms_add(c, BYTES_LIT("Anna Schmidt")), 0);
    around(c, "Anna Schmidt", &two);
    assert_string_not_equal(buf_cstr(&one), buf_cstr(&two));
    around(a, "Anna", &two);
    assert_int_equal(strncmp(buf_cstr(&two), buf_cstr(&one), one.n), 0); /* of one person */
    buf_release(&one);
    buf_release(&two);
    pseudonyms_free(a);
    pseudonyms_free(b);
    pseudonyms_free(c);
}

static void stand_ins_differ_for_thousands_of_names(void **state)
{
    (void)state;
    struct pseudonyms *p = people(NULL);
    struct buf text;
    struct buf out;
    buf_init(&text, 1u << 20);
    buf_init(&out, 1u << 20);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(buf_printf(&text, "ab%04d@x.example ", i), 0);
    }
    /* Each is two: the address, and what stands before its @. */
    int rc = pseudonyms_hide(p, buf_view(&text), &out);
    assert_int_equal(rc, ERR_LIMIT);
    pseudonyms_free(p);
    p = people(NULL);
    text.n = text.n / 2;
    text.p[text.n - 1] = '\0';
    around(p, (const char *)text.p, &out);
    buf_release(&text);
    buf_release(&out);
    pseudonyms_free(p);
}

static void names_that_are_none_are_passed_over(void **state)
{
    (void)state;
    static const char *const names[] = {"", "x", "12345", "a\"b", "<script>", "a\\b", "\xff\xfe\xfd", NULL};
    struct pseudonyms *p = people(names);
    struct buf out;
    buf_init(&out, 4096);
    around(p, "x 12345 a\"b <script> a\\b Person-bcdf Person-", &out);
    assert_string_equal(buf_cstr(&out), "x 12345 a\"b <script> a\\b Person-bcdf Person-");
    buf_release(&out);
    pseudonyms_free(p);
}

static void hiding_stays_valid_text_and_takes_bounded_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a.", "a@", "@", "<a@b.c", "Ab ", "a-", "\xc3\xb6", "Person-"};
    struct buf text;
    struct buf out;
    buf_init(&text, 1u << 20);
    buf_init(&out, 8u << 20);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct pseudonyms *p = people(NULL);
        buf_clear(&text);
        buf_clear(&out);
        while (text.n < 500000) {
            assert_int_equal(buf_str(&text, pieces[i]), 0);
        }
        assert_int_equal(pseudonyms_hide(p, buf_view(&text), &out), 0);
        assert_true(utf8_valid(buf_view(&out)));
        pseudonyms_free(p);
    }
    buf_release(&text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_names_are_replaced_whole_and_in_part),
        cmocka_unit_test(addresses_and_handles_are_found),
        cmocka_unit_test(same_name_gets_the_same_stand_in_from_the_same_key_only),
        cmocka_unit_test(stand_ins_differ_for_thousands_of_names),
        cmocka_unit_test(names_that_are_none_are_passed_over),
        cmocka_unit_test(hiding_stays_valid_text_and_takes_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
