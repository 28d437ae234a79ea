/* Local values and the audit log. */
#include "store/local.h"

#include "tests/support/unit.h"

#include "tests/store/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(struct kit *k, const char *name, const char *value)
{
    struct err e = ERR_INIT;
    kit_ok(local_set(k->s, name, bytes_str(value), &e), &e);
}

static void a_value_is_kept_replaced_and_deleted(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    struct buf v;
    bool found = true;
    buf_init(&v, 100000);
    kit_ok(local_get(k->s, "cursor:bash", &v, &found, &e), &e);
    assert_false(found);
    set(k, "cursor:bash", "one");
    set(k, "cursor:bash", "two");
    kit_reopen(k);
    kit_ok(local_get(k->s, "cursor:bash", &v, &found, &e), &e);
    assert_true(found);
    assert_string_equal(buf_cstr(&v), "two");
    set(k, "cursor:bash", "");
    kit_ok(local_get(k->s, "cursor:bash", &v, &found, &e), &e);
    assert_false(found);
    buf_release(&v);
}

static void a_value_has_a_limit(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    char *big = calloc(1, 65537);
    assert_non_null(big);
    kit_ok(local_set(k->s, "x", bytes_of(big, 65536), &e), &e);
    assert_int_equal(local_set(k->s, "x", bytes_of(big, 65537), &e), ERR_LIMIT);
    struct buf small;
    bool found;
    buf_init(&small, 10);
    assert_int_equal(local_get(k->s, "x", &small, &found, &e), ERR_LIMIT);
    buf_release(&small);
    free(big);
}

static int on_value(void *ctx, const char *name, struct bytes value)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%s=%.*s ", name, (int)value.n, (const char *)value.p);
    return strcmp(name, "b:stop") == 0 ? 5 : 0;
}

static void values_are_listed_by_prefix(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    char text[200] = "";
    set(k, "a:2", "x");
    set(k, "a:1", "y");
    set(k, "a", "z");
    set(k, "b:stop", "1");
    set(k, "b:tail", "2");
    kit_ok(local_each(k->s, "a:", on_value, text, &e), &e);
    assert_string_equal(text, "a:1=y a:2=x ");
    text[0] = '\0';
    kit_ok(local_each(k->s, "c", on_value, text, &e), &e);
    assert_string_equal(text, "");
    assert_int_equal(local_each(k->s, "", on_value, text, &e), 5);
    assert_string_equal(text, "a=z a:1=y a:2=x b:stop=1 ");
}

static int on_audit(void *ctx, const struct audit_row *r)
{
    char *out = ctx;
    sprintf(out + strlen(out), "%.*s/%.*s %llu %lld..%lld;", (int)r->rule.n, (const char *)r->rule.p,
            (int)r->source.n, (const char *)r->source.p, (unsigned long long)r->n, (long long)r->first_ms,
            (long long)r->last_ms);
    return 0;
}

static void audit_rows_are_summed_by_day_rule_and_source(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    const struct audit_row rows[] = {
        {100, 200, BYTES_LIT("card"), BYTES_LIT("bash"), 2},
        {50, 150, BYTES_LIT("card"), BYTES_LIT("bash"), 3},
        {100, 100, BYTES_LIT("card"), BYTES_LIT("zsh"), 1},
        {MS_DAY, MS_DAY, BYTES_LIT("card"), BYTES_LIT("bash"), 1},
        {-1, -1, BYTES_LIT("pause"), BYTES_LIT("bash"), 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        kit_ok(local_audit_add(k->s, &rows[i], &e), &e);
    char text[400] = "";
    kit_ok(local_audit(k->s, on_audit, text, &e), &e);
    assert_string_equal(
        text, "pause/bash 7 -1..-1;card/bash 5 50..200;card/zsh 1 100..100;card/bash 1 86400000..86400000;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_value_is_kept_replaced_and_deleted),
        KIT_TEST(a_value_has_a_limit),
        KIT_TEST(values_are_listed_by_prefix),
        KIT_TEST(audit_rows_are_summed_by_day_rule_and_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
