/* node/model/PIPELINE.md against the code. */
#include "tests/support/unit.h"

#include "node/infer/queue.h"
#include "node/model/calibrate.h"
#include "node/model/norms.h"
#include "node/model/revise.h"
#include "tests/support/tmp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct buf text;
static const char *page;

static void says(const char *fmt, double v)
{
    char line[256];
    (void)snprintf(line, sizeof line, fmt, v);
    if (strstr(page, line) == NULL)
        print_error("the page does not say: %s\n", line);
    assert_non_null(strstr(page, line));
}

static void numbers_are_those_of_the_code(void **state)
{
    (void)state;
    says("A batch has at most %.0f observations", BATCH_MAX);
    says("From %.0f on it ends", BATCH_MIN);
    says("or %.0f minutes lie between two", (double)QUEUE_GAP_MS / MS_MINUTE);
    says("given out %.0f minutes after the last one came", (double)QUEUE_SETTLE_MS / MS_MINUTE);
    says("It has at most %.0f failures", QUEUE_FAILURES_MAX);
    says("fence: %.0f hexadecimal digits", PROMPT_FENCE);
    says("at most %.0f bytes for a\nclaim", PROMPT_CLAIM_BYTES);
    says("and %.0f for its reasons", PROMPT_REASONING_BYTES);
    says("each claim up to %.0f propositions", CANDIDATES_MAX);
    says("at most %.0f for a batch", KNOWN_MAX);
    says("A Gaussian prior of precision %.0f", CALIBRATE_PRECISION);
    says("kept within %.2f and", CALIBRATE_MIN);
    says("and %.2f, written once", CALIBRATE_MAX);
}

static void the_table_of_priors_is_what_is_computed(void **state)
{
    (void)state;
    static const uint8_t stated[] = {1, 3, 5, 7, 8, 9, 10};
    struct calibration none;
    const char *row = strstr(page, "| prior without data |");
    assert_non_null(row);
    row += strlen("| prior without data |");
    calibrate_fit(NULL, 0, &none);
    for (size_t i = 0; i < sizeof stated; i++) {
        char *end = NULL;
        double told = strtod(row, &end);
        assert_true(end > row);
        assert_true(fabs(told - calibrate_probability(&none, stated[i])) < 0.0006);
        row = strchr(end, '|') + 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_code),
        cmocka_unit_test(the_table_of_priors_is_what_is_computed),
    };
    buf_init(&text, 1u << 20);
    tmp_read(TEST_SOURCE "/node/model/PIPELINE.md", &text);
    page = buf_cstr(&text);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&text);
    return failed;
}
