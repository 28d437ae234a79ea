#include "base/log.h"

#include "tests/support/clock.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

struct sink {
    struct test_clock time;
    struct clock clock;
    struct log log;
    char *text;
    size_t n;
};

static void sink_open(struct sink *s, enum log_level level)
{
    test_clock_init(&s->time, INT64_C(1363570814000));
    s->clock = test_clock_iface(&s->time);
    s->log = (struct log){.out = open_memstream(&s->text, &s->n), .level = level, .clock = &s->clock};
    assert_non_null(s->log.out);
}

static void sink_close(struct sink *s)
{
    (void)fclose(s->log.out);
    free(s->text);
}

static void a_line_has_time_level_and_area(void **state)
{
    struct sink s;
    (void)state;
    sink_open(&s, LOG_INFO);
    log_line(&s.log, LOG_WARN, "store", "%d ops held", 3);
    assert_string_equal(s.text, "2013-03-18T01:40:14Z warn store: 3 ops held\n");
    sink_close(&s);
}

static void lines_above_the_level_are_dropped(void **state)
{
    struct sink s;
    (void)state;
    sink_open(&s, LOG_WARN);
    log_line(&s.log, LOG_INFO, "a", "no");
    log_line(&s.log, LOG_DEBUG, "a", "no");
    log_line(&s.log, LOG_ERROR, "a", "yes");
    assert_string_equal(s.text, "2013-03-18T01:40:14Z error a: yes\n");
    sink_close(&s);
}

static void a_text_cannot_forge_a_line(void **state)
{
    struct sink s;
    (void)state;
    sink_open(&s, LOG_INFO);
    log_line(&s.log, LOG_INFO, "a", "%s", "x\n2013-03-18T01:40:14Z error a: forged\x1b[2J\xff");
    assert_string_equal(s.text,
                        "2013-03-18T01:40:14Z info a: x 2013-03-18T01:40:14Z error a: forged\\x1B[2J\\xFF\n");
    sink_close(&s);
}

static void a_long_text_is_cut_to_one_line(void **state)
{
    struct sink s;
    char text[10000];
    (void)state;
    memset(text, 1, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    sink_open(&s, LOG_INFO);
    log_line(&s.log, LOG_INFO, "a", "%s", text);
    assert_in_range(s.n, 2000, 10000);
    assert_ptr_equal(strchr(s.text, '\n'), s.text + s.n - 1);
    sink_close(&s);
}

static void without_a_file_nothing_happens(void **state)
{
    struct log l = {0};
    (void)state;
    log_line(&l, LOG_ERROR, "a", "x");
    log_line(NULL, LOG_ERROR, "a", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_and_area), cmocka_unit_test(lines_above_the_level_are_dropped),
        cmocka_unit_test(a_text_cannot_forge_a_line),     cmocka_unit_test(a_long_text_is_cut_to_one_line),
        cmocka_unit_test(without_a_file_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
