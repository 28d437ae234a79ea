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

/* That the page has before, the number with so many digits behind the point, and behind it after. */
static void says(const char *before, double v, int digits, const char *after)
{
    char line[256];
    (void)snprintf(line, sizeof line, "%s%.*f%s", before, digits, v, after);
    if (strstr(page, line) == NULL)
        print_error("the page does not say: %s\n", line);
    assert_non_null(strstr(page, line));
}

static void numbers_are_those_of_the_code(void **state)
{
    (void)state;
    says("A batch has at most ", BATCH_MAX, 0, " observations");
    says("From ", QUEUE_PART, 0, " on it ends");
    says("or ", (double)QUEUE_GAP_MS / MS_MINUTE, 0, " minutes lie between two");
    says("given out ", (double)QUEUE_SETTLE_MS / MS_MINUTE, 0, " minutes after the last one came");
    says("It has at most ", QUEUE_FAILURES_MAX, 0, " failures");
    says("fence: ", PROMPT_FENCE, 0, " hexadecimal digits");
    says("at most ", PROMPT_CLAIM_BYTES, 0, " bytes for a\nclaim");
    says("and ", PROMPT_REASONING_BYTES, 0, " for its reasons");
    says("each claim up to ", CANDIDATES_MAX, 0, " propositions");
    says("at most ", KNOWN_MAX, 0, " for a batch");
    says("A Gaussian prior of precision ", CALIBRATE_PRECISION, 0, "");
    says("kept within ", CALIBRATE_MIN, 2, " and");
    says("and ", CALIBRATE_MAX, 2, ", written once");
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
