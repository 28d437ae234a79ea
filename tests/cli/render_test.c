/* Given documents in, exact text out. */
#include "cli/render.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1770000000000) /* 2026-02-02T02:40:00Z */

static int utc(int64_t ms)
{
    (void)ms;
    return 0;
}

static const struct style free_width = {.utf8 = true, .now_ms = NOW, .offset_min = utc};
static const struct style terminal = {.utf8 = true, .width = 80, .now_ms = NOW, .offset_min = utc};
static const struct style narrow = {.utf8 = true, .width = 40, .now_ms = NOW, .offset_min = utc};
static const struct style ascii = {.width = 80, .now_ms = NOW, .offset_min = utc};
static const struct style color = {.utf8 = true, .color = true, .now_ms = NOW, .offset_min = utc};

static void expect(void (*draw)(struct page *p, const cJSON *answer), const struct style *st,
                   const char *json, const char *text)
{
    struct page p;
    cJSON *doc = cJSON_Parse(json);
    assert_non_null(doc);
    page_init(&p, st, NULL);
    draw(&p, doc);
    assert_string_equal(buf_cstr(&p.b), text);
    page_release(&p);
    cJSON_Delete(doc);
}

#define ID "m4x9c1e0000000000000000000"
#define PROP(text, rest)                                                                                     \
    "{\"id\":\"" ID "\",\"prefix\":\"m4x\",\"text\":\"" text                                                 \
    "\",\"kind\":\"tool\",\"confidence\":9,\"probability\":0.9,\"decay\":8,\"score\":0.5,"                   \
    "\"last_supported\":\"2026-02-02T00:40:00Z\",\"evidence\":7,\"contradicting\":0,\"status\":\"live\","    \
    "\"verdict\":\"none\",\"devices\":[\"laptop\",\"phone\"]" rest "}"
#define SHOW(props) "{\"schema\":1,\"propositions\":[" props "],\"older\":214}"

static const char many[] =
    SHOW(PROP("prefers plain-text mail", ",\"pinned\":true") "," PROP("uses rg over grep", "") "," PROP(
        "name is Ada", ",\"edited\":true,\"scope\":\"\"") "," PROP("works in Lisbon", ""));

static void show_draws_a_row_a_proposition(void **state)
{
    (void)state;
    expect(draw_show, &free_width, many,
           "@  m4x9c1e  prefers plain-text mail   9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n"
           "○  m4x9c1e  uses rg over grep         9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n"
           "◆  m4x9c1e  name is Ada               9/10  set by you  laptop, phone\n"
           "│  tool from 7 observations\n"
           "○  m4x9c1e  works in Lisbon           9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n"
           "~  (214 older)\n");
}

static void rows_that_were_not_asked_for_are_counted(void **state)
{
    (void)state;
    expect(draw_show, &free_width,
           "{\"propositions\":[" PROP("uses rg", "") "],\"older\":214,\"total\":1204}",
           "○  m4x9c1e  uses rg   9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n"
           "~  (1 203 more; selfsame show --max 1204)\n"
           "~  (214 older)\n");
}

static void long_texts_wrap_inside_their_column(void **state)
{
    (void)state;
    expect(draw_show, &terminal,
           "{\"propositions\":[" PROP("prefers plain-text mail over anything with pictures in it", "") "]}",
           "○  m4x9c1e  prefers plain-text mail over         9/10  2 h ago     laptop, phone\n"
           "│           anything with pictures in it\n"
           "│  tool from 7 observations\n");
}

static void a_narrow_terminal_gets_the_figures_below(void **state)
{
    (void)state;
    expect(draw_show, &narrow, "{\"propositions\":[" PROP("prefers plain-text mail over pictures", "") "]}",
           "○  m4x9c1e  prefers plain-text mail over\n"
           "│           pictures\n"
           "│     9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n");
}

static void plain_ascii_when_the_terminal_has_no_more(void **state)
{
    (void)state;
    expect(draw_show, &ascii,
           "{\"propositions\":[" PROP("likes caf\xc3\xa9s", ",\"edited\":true") "],\"older\":0}",
           "*  m4x9c1e  likes caf?s   9/10  set by you  laptop, phone\n"
           "|  tool from 7 observations\n");
}

static void hostile_text_stays_on_its_line(void **state)
{
    (void)state;
    expect(draw_show, &free_width,
           "{\"propositions\":[" PROP("a\\u001b[2Jb\\nc\\u202ed\\u200b", ",\"devices\":[\"x\\u001b\"]") "]}",
           "○  m4x9c1e  a\\x1B[2Jb c\\u{202E}d\\u{200B}   9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n");
}

static void the_unique_prefix_is_bold(void **state)
{
    (void)state;
    expect(draw_show, &color, "{\"propositions\":[" PROP("x", ",\"status_\":1") "]}",
           "○  \033[1;35mm4x\033[0m\033[2m9c1e\033[0m  x   \033[32m9/10\033[0m  2 h ago     "
           "\033[2mlaptop, phone\033[0m\n│  \033[2mtool from 7 observations\033[0m\n");
}

static void conflicts_and_hidden_ones_have_their_own_signs(void **state)
{
    (void)state;
    expect(draw_show, &free_width,
           "{\"propositions\":[{\"id\":\"" ID "\",\"prefix\":\"m\",\"text\":\"a\",\"status\":\"conflict\"},"
           "{\"id\":\"" ID "\",\"prefix\":\"m\",\"text\":\"b\",\"status\":\"faded\"}]}",
           "×  m4x9c1e  a   0/10  never\n"
           "│  edited differently on two devices; selfsame why m\n"
           "~  m4x9c1e  b   0/10  never\n");
}

static void an_empty_model_says_so(void **state)
{
    (void)state;
    expect(draw_show, &free_width, "{\"propositions\":[],\"older\":0}", "Nothing is known yet.\n");
    expect(draw_query, &free_width, "{\"results\":[]}", "Nothing in the model speaks to that.\n");
}

static void documents_with_missing_or_wrong_members_are_drawn_anyway(void **state)
{
    (void)state;
    expect(draw_show, &free_width, "{\"propositions\":[{\"text\":7,\"devices\":3,\"id\":null}]}",
           "○              0/10  never\n");
    expect(draw_why, &free_width, "{}", "│  , probability 0.00, decay 0/10,\n└─ history\n");
    expect(
        draw_status, &free_width, "[]",
        "device\nnode     not running (start it with: selfsamed)\n"
        "model    0 propositions, 0 of them shown; 0 changes, 0 bytes on disk\ndigest\nobserved 0 records\n");
}

static void query_numbers_its_rows_and_draws_the_score(void **state)
{
    (void)state;
    expect(draw_query, &free_width,
           "{\"results\":[" PROP("uses rg",
                                 "") ","
                                     "{\"id\":\"" ID
                                     "\",\"prefix\":\"m\",\"text\":\"b\",\"score\":0.1,\"confidence\":3}]}",
           "  1  ○  m4x9c1e  uses rg   9/10  2 h ago     ▰▰▰▰▰  laptop, phone\n"
           "     │  tool from 7 observations\n"
           "  2  ○  m4x9c1e  b         3/10  never       ▰▱▱▱▱\n");
}

static void why_is_a_tree(void **state)
{
    (void)state;
    expect(draw_why, &free_width,
           "{\"proposition\":" PROP(
               "uses rg over grep",
               ",\"contradicting\":0,\"reasoning\":\"typed rg 41 times\","
               "\"scope\":\"work\"") ","
                                     "\"counts\":[{\"device\":\"laptop\",\"source\":\"bash\",\"support\":41,"
                                     "\"against\":2,"
                                     "\"first\":\"2025-01-01T00:00:00Z\",\"last\":\"2026-02-01T10:00:00Z\"}],"
                                     "\"evidence\":[{\"time\":\"2026-02-01T10:00:00Z\",\"source\":\"bash\","
                                     "\"supports\":true,\"command\":\"rg foo\"},"
                                     "{\"time\":\"2026-01-01T10:00:00Z\",\"source\":\"bash\",\"supports\":"
                                     "false,\"command\":\"grep\\u0007\"}],"
                                     "\"evidence_total\":43,"
                                     "\"history\":[{\"time\":\"2026-02-01T10:00:00Z\",\"class\":\"user\","
                                     "\"device\":\"laptop\",\"what\":\"verdict\","
                                     "\"value\":\"1\"}]}",
           "○  m4x9c1e  uses rg over grep   9/10  2 h ago     laptop, phone\n"
           "│  tool from 7 observations\n"
           "│  probability 0.90, decay 8/10 (half gone after a year), scope work\n"
           "├─ reasoning\n"
           "│  typed rg 41 times\n"
           "├─ counted\n"
           "│  laptop        bash              41 for     2 against   2025-01-01 00:00  to 2026-02-01 10:00\n"
           "├─ evidence (latest 2 of 43)\n"
           "│  + 2026-02-01 10:00  bash          rg foo\n"
           "│  - 2026-01-01 10:00  bash          grep\\x07\n"
           "└─ history\n"
           "   2026-02-01 10:00  laptop        user    verdict: 1\n");
}

static void status_names_what_needs_attention(void **state)
{
    (void)state;
    expect(draw_status, &free_width,
           "{\"device\":{\"name\":\"laptop\",\"id\":\"k7qf2mpa\"},\"digest_words\":\"able "
           "baker\",\"propositions\":1204,"
           "\"shown\":87,\"observations\":25310,\"ops\":3000,\"sources\":[{\"source\":\"bash\","
           "\"observations\":25310,"
           "\"last\":\"2026-02-02T00:40:00Z\"}],\"paused_until\":\"2026-02-02T03:40:00Z\",\"watching\":[{"
           "\"source\":"
           "\"bash\",\"path\":\"/h/"
           ".bash_history\",\"state\":\"watching\"}],\"node\":{\"running\":true,\"pid\":7,"
           "\"since\":\"2026-02-02T00:40:00Z\"},\"store\":{\"bytes\":4100000},\"peers\":[],"
           "\"attention\":[\"clock of phone is ahead\"]}",
           "device   laptop  k7qf2mp\n"
           "node     running, process 7, started 2 h ago\n"
           "model    1 204 propositions, 87 of them shown; 3 000 changes, 4.1 MB on disk\n"
           "digest   able baker\n"
           "observed 25 310 records\n"
           "         bash             25 310   last 2 h ago\n"
           "watching bash          /h/.bash_history  watching\n"
           "paused   nothing is observed until 2026-02-02 03:40\n"
           "# Needs attention:\n"
           "#   - clock of phone is ahead\n");
}

static void logs_are_one_line_a_record(void **state)
{
    (void)state;
    expect(draw_log, &narrow,
           "{\"observations\":[{\"time\":\"2026-02-01T10:00:00Z\",\"source\":\"bash\",\"command\":\"make all "
           "and more\"},"
           "{\"time\":null,\"source\":\"files\",\"files\":[\"/a\"]}]}",
           "2026-02-01 10:00  bash          make all …\n"
           "never             files         /a\n");
    expect(draw_log, &free_width,
           "{\"audit\":[{\"rule\":\"redact:card\",\"source\":\"bash\",\"count\":1200,"
           "\"first\":\"2026-01-01T10:00:00Z\",\"last\":\"2026-02-01T10:00:00Z\"}]}",
           "rule                    source           times  first             last\n"
           "redact:card             bash             1 200  2026-01-01 10:00  2026-02-01 10:00\n");
}

static void what_was_sent_is_one_line_a_request(void **state)
{
    (void)state;
    expect(draw_log, &free_width, "{\"sent\":[]}", "Nothing was sent to a language model so far.\n");
    expect(
        draw_log, &free_width,
        "{\"sent\":[{\"time\":\"2026-02-01T10:00:00Z\",\"purpose\":\"propose\",\"host\":\"127.0.0.1:11434\","
        "\"sources\":[\"bash\",\"git\"],\"observations\":12,\"bytes_out\":4096,\"tokens_in\":1000,"
        "\"tokens_out\":34,\"outcome\":\"answered\"}]}",
        "2026-02-01 10:00  propose     12 observations of bash, git; 4.1 kB, 1 034 tokens, to "
        "127.0.0.1:11434: "
        "answered\n");
}

static void the_endpoint_is_a_line_of_the_status(void **state)
{
    (void)state;
    struct page p;
    cJSON *doc = cJSON_Parse(
        "{\"endpoint\":{\"host\":\"127.0.0.1:11434\",\"model\":\"tiny\",\"state\":\"over budget\","
        "\"until\":\"2026-02-02T00:00:00Z\",\"waiting\":3,\"budget_tokens\":50000,\"budget_money\":2,"
        "\"today\":{\"tokens_in\":40000,\"tokens_out\":10000,\"money\":0.5}}}");
    assert_non_null(doc);
    page_init(&p, &free_width, NULL);
    draw_status(&p, doc);
    assert_non_null(strstr(buf_cstr(&p.b),
                           "endpoint 127.0.0.1:11434  tiny  over budget until 2026-02-02 00:00; "
                           "3 requests waiting; today 50 000 tokens of 50 000, money 0.5000 of 2.00\n"));
    cJSON_Delete(doc);
    page_release(&p);
}

static void the_doctor_says_what_mends_a_fault(void **state)
{
    static const char json[] =
        "{\"checks\":[{\"name\":\"space\",\"ok\":true,\"text\":\"9 MB free\"},"
        "{\"name\":\"permissions\",\"ok\":false,\"text\":\"too open\",\"hint\":\"chmod 700 x\"}],"
        "\"ok\":false}";
    (void)state;
    expect(draw_doctor, &free_width, json,
           "✓  space        9 MB free\n✗  permissions  too open\n                hint: chmod 700 x\n");
    expect(draw_doctor, &ascii, json,
           "ok  space        9 MB free\nNO  permissions  too open\n                 hint: chmod 700 x\n");
}

static void settings_show_value_and_default(void **state)
{
    (void)state;
    expect(draw_config, &free_width,
           "{\"settings\":[{\"key\":\"a.b\",\"value\":\"on\",\"set\":true,\"about\":\"one\"},"
           "{\"key\":\"c\",\"value\":\"\",\"set\":false,\"about\":\"two\"},"
           "{\"key\":\"d\",\"value\":\"drop x\\ndrop y\\n\",\"set\":true,\"about\":\"three\"}]}",
           "# one\na.b = on\n# two\nc = (none)  (default)\n# three\nd =\n    drop x\n    drop y\n");
}

static void draw_import(struct page *p, const cJSON *answer)
{
    draw_job(p, answer, false);
}

static void a_job_tells_its_counts(void **state)
{
    (void)state;
    expect(
        draw_import, &free_width,
        "{\"read\":12345,\"added\":12000,\"known\":300,\"dropped\":40,\"redacted\":2,\"skipped\":0,\"bad\":5,"
        "\"propositions\":{\"added\":1,\"raised\":7,\"lowered\":0,\"revived\":0}}",
        "12 345 records read: 12 000 new, 300 known already, 2 redacted, 40 dropped by the audit, 5 bad\n"
        "learnt: 1 new proposition, 7 more certain\n");
}

static void markdown_is_one_item_a_proposition(void **state)
{
    (void)state;
    expect(draw_markdown, &free_width, PROP("likes *stars*", ",\"reasoning\":\"because\""),
           "- likes \\*stars\\* (9/10, last seen 2026-02-02) `" ID "`\n  because\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(show_draws_a_row_a_proposition),
        cmocka_unit_test(rows_that_were_not_asked_for_are_counted),
        cmocka_unit_test(long_texts_wrap_inside_their_column),
        cmocka_unit_test(a_narrow_terminal_gets_the_figures_below),
        cmocka_unit_test(plain_ascii_when_the_terminal_has_no_more),
        cmocka_unit_test(hostile_text_stays_on_its_line),
        cmocka_unit_test(the_unique_prefix_is_bold),
        cmocka_unit_test(conflicts_and_hidden_ones_have_their_own_signs),
        cmocka_unit_test(an_empty_model_says_so),
        cmocka_unit_test(documents_with_missing_or_wrong_members_are_drawn_anyway),
        cmocka_unit_test(query_numbers_its_rows_and_draws_the_score),
        cmocka_unit_test(why_is_a_tree),
        cmocka_unit_test(status_names_what_needs_attention),
        cmocka_unit_test(logs_are_one_line_a_record),
        cmocka_unit_test(what_was_sent_is_one_line_a_request),
        cmocka_unit_test(the_endpoint_is_a_line_of_the_status),
        cmocka_unit_test(the_doctor_says_what_mends_a_fault),
        cmocka_unit_test(settings_show_value_and_default),
        cmocka_unit_test(a_job_tells_its_counts),
        cmocka_unit_test(markdown_is_one_item_a_proposition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
