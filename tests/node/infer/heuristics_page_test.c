/* node/infer/HEURISTICS.md says what the code says. */
#include "tests/support/unit.h"

#include "node/model/kinds.h"
#include "tests/support/tmp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER TEST_SOURCE "/node/infer/"

static struct buf page, code;

static int setup(void **state)
{
    (void)state;
    static const char *const files[] = {"features.h",       "heuristics.h", "heur_device.c",
                                        "heur_event.c",     "heur_focus.c", "heur_routine.c",
                                        "heur_statement.c", "heur_tool.c",  "heur_topic.c"};
    buf_init(&page, 1 << 20);
    buf_init(&code, 1 << 20);
    tmp_read(FOLDER "HEURISTICS.md", &page);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[1024];
        (void)snprintf(path, sizeof path, FOLDER "%s", files[i]);
        tmp_read(path, &code);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_release(&page);
    buf_release(&code);
    return 0;
}

/* The next line of the page that starts with "| "; false at the end. */
static bool row_next(size_t *at, char row[1024])
{
    while (*at < page.n) {
        struct bytes rest = bytes_slice(buf_view(&page), *at, page.n);
        size_t n = bytes_find(rest, BYTES_LIT("\n"));
        n = n == SIZE_MAX ? rest.n : n;
        *at += n + 1;
        if (n > 2 && n < 1024 && rest.p[0] == '|' && rest.p[1] == ' ') {
            memcpy(row, rest.p, n);
            row[n] = '\0';
            return true;
        }
    }
    return false;
}

static void kinds_are_as_the_page_says(void **state)
{
    (void)state;
    char row[1024], name[32];
    size_t at = 0;
    unsigned seen = 0;
    while (row_next(&at, row)) {
        double prior, strength;
        unsigned decay;
        if (sscanf(row, "| %31[a-z] | %lf | %lf | %u |", name, &prior, &strength, &decay) != 4)
            continue;
        for (uint8_t k = 1; k < KIND_COUNT; k++) {
            const struct kind_info *info = kind_info(k);
            if (strcmp(info->name, name) != 0)
                continue;
            seen++;
            if (fabs(info->prior - prior) > 1e-9 || fabs(info->strength - strength) > 1e-9 ||
                info->decay != decay)
                fail_msg("kind %s is not as the page says", name);
        }
    }
    assert_int_equal(seen, KIND_COUNT - 1);
}

static void half_lives_are_as_the_page_says(void **state)
{
    (void)state;
    char row[1024];
    size_t at = 0;
    unsigned seen = 0;
    while (row_next(&at, row)) {
        unsigned score;
        long hours;
        if (sscanf(row, "| %u | %ld |", &score, &hours) != 2)
            continue;
        assert_int_equal(score, seen + 1);
        assert_int_equal(half_life_ms((uint8_t)score), hours * MS_HOUR);
        seen++;
    }
    assert_int_equal(seen, 10);
}

static void thresholds_are_as_the_page_says(void **state)
{
    (void)state;
    char row[1024], name[64], value[32], define[128];
    size_t at = 0;
    unsigned seen = 0;
    while (row_next(&at, row)) {
        if (sscanf(row, "| `%63[A-Z_]` | %31[0-9.] |", name, value) != 2)
            continue;
        (void)snprintf(define, sizeof define, "#define %s %s", name, value);
        size_t found = bytes_find(buf_view(&code), bytes_str(define));
        uint8_t behind = found == SIZE_MAX ? '0' : code.p[found + strlen(define)];
        if (behind != '\n' && behind != ' ')
            fail_msg("the code has no '%s'", define);
        seen++;
    }
    assert_true(seen >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_as_the_page_says),
        cmocka_unit_test(half_lives_are_as_the_page_says),
        cmocka_unit_test(thresholds_are_as_the_page_says),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
