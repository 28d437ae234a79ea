#include "tests/node/observe/source.h"

#include "tests/support/unit.h"

#include <string.h>

#define REAL TEST_DATA "/observe/xbel/recently-used.xbel"
#define HEAD                                                                                                 \
    "<?xml version=\"1.0\"?><xbel "                                                                          \
    "xmlns:bookmark=\"http://www.freedesktop.org/standards/desktop-bookmarks\">"
#define MARK(href, rest)                                                                                     \
    "<bookmark href=\"" href "\" visited=\"2026-01-02T03:04:05.678901Z\">" rest "</bookmark>\n"

static void each_application_of_a_file_is_an_observation(void **state)
{
    struct source *x = *state;
    source_run_path(x, REAL);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 2);
    assert_int_equal(x->im.skipped, 1); /* bookmark:private */
    assert_true(import_has(&x->im, "o 2026-11-24T04:33:31.888Z source=xbel app=Evince "
                                   "file=/home/u/Documents/lease contract.pdf\n"));
    assert_true(import_has(&x->im, "file=/home/u/Pictures/\xc3\xa9t\xc3\xa9.png\n"));
}

static void two_applications_give_two_observations(void **state)
{
    struct source *x = *state;
    source_run_text(
        x,
        HEAD MARK("file://localhost/a",
                  "<title>The A</title><bookmark:application name=\"x\" modified=\"2026-01-01T00:00:00Z\"/>"
                  "<bookmark:application name=\"y\"/>") "</xbel>");
    assert_int_equal(x->im.observations, 2);
    assert_true(import_has(&x->im, "o 2026-01-01T00:00:00Z source=xbel app=x title=The A file=/a\n"));
    assert_true(import_has(&x->im, "o 2026-01-02T03:04:05.678Z source=xbel app=y title=The A file=/a\n"));
}

static void the_prefix_of_the_namespace_does_not_matter(void **state)
{
    struct source *x = *state;
    source_run_text(x, "<xbel xmlns:b=\"http://www.freedesktop.org/standards/desktop-bookmarks\">" MARK(
                           "file:///a", "<b:private/>")
                           MARK("file:///b", "<b:application name=\"x\"/>") "</xbel>");
    assert_int_equal(x->im.skipped, 1);
    assert_true(import_has(&x->im, "app=x file=/b\n"));
}

static void other_addresses_stay_addresses(void **state)
{
    struct source *x = *state;
    source_run_text(x, HEAD MARK("sftp://host/a%20b", "") MARK("file:///a%00b", "") MARK("file://other/a", "")
                           MARK("file:///100%zz", "") "</xbel>");
    assert_int_equal(x->im.observations, 4);
    assert_true(import_has(&x->im, "url=sftp://host/a%20b\n"));
    assert_true(import_has(&x->im, "url=file:///a%00b\n"));
    assert_true(import_has(&x->im, "url=file://other/a\n"));
    assert_true(import_has(&x->im, "file=/100%zz\n"));
}

static void impossible_bookmarks_are_named_and_the_rest_read(void **state)
{
    struct source *x = *state;
    source_run_text(
        x, HEAD
        "\n<bookmark href=\"file:///a\"/>\n<bookmark href=\"file:///a\" visited=\"yesterday\"/>\n"
        "<bookmark visited=\"2026-01-01T00:00:00Z\"/>\n"
        "<bookmark href=\"file:///a\" visited=\"0000-01-01T00:00:00Z\"/>\n" MARK("file:///b", "") "</xbel>");
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.bad, 4);
    assert_true(import_has(&x->im, "b 2 visited: no time\n"));
    assert_true(import_has(&x->im, "b 3 visited: 'yesterday' is not a time\n"));
    assert_true(import_has(&x->im, "b 4 href: no address\n"));
    assert_true(import_has(&x->im, "b 5 visited: '0000-01-01T00:00:00Z' is out of range\n"));
}

static void what_comes_before_a_cut_stands(void **state)
{
    struct source *x = *state;
    source_run_text(x, HEAD MARK("file:///a", "") "\n<bookmark href=\"fi");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    assert_int_equal(x->im.observations, 1);
    assert_int_equal(x->im.cursor.n, 0);
    assert_non_null(strstr(x->im.err.text, "line 3"));
}

static void entities_are_refused(void **state)
{
    struct source *x = *state;
    source_run_text(x, "<?xml version=\"1.0\"?><!DOCTYPE xbel [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>"
                       "<xbel><bookmark href=\"&b;\" visited=\"2026-01-01T00:00:00Z\"/></xbel>");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    assert_int_equal(x->im.observations, 0);
    assert_non_null(strstr(x->im.err.text, "entity declarations are refused"));
    source_run_text(x, "<!DOCTYPE xbel SYSTEM \"file:///etc/passwd\"><xbel>" MARK("file:///a", "") "</xbel>");
    assert_int_equal(x->im.observations, 1);
}

static void what_is_no_list_of_bookmarks_is_refused(void **state)
{
    struct source *x = *state;
    source_run_text(x, "");
    assert_int_equal(x->im.opened, ERR_FORMAT);
    source_run_text(x, "<html><bookmark href='a' visited='2026-01-01T00:00:00Z'/></html>");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "not a list of bookmarks"));
    source_run_text(x, "{\"no\": \"xml\"}");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    source_run_text(x, HEAD "<bookmark href=\"\xff\xfe\"/></xbel>");
    assert_int_equal(x->im.rc, ERR_FORMAT);
    source_run_path(x, x->dir.path);
    assert_int_equal(x->im.opened, ERR_FORMAT);
    source_run_path(x, "/nonexistent");
    assert_int_equal(x->im.opened, ERR_NOTFOUND);
}

static void an_endless_tag_or_depth_ends_the_import(void **state)
{
    struct source *x = *state;
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    (void)buf_str(&b, HEAD MARK("file:///a", "") "<bookmark href=\"");
    memset(buf_extend(&b, (size_t)20 << 20), 'x', (size_t)20 << 20);
    (void)buf_str(&b, "\"/></xbel>");
    source_run_text(x, buf_cstr(&b));
    assert_int_equal(x->im.rc, ERR_LIMIT);
    assert_int_equal(x->im.observations, 1);
    buf_clear(&b);
    (void)buf_str(&b, HEAD);
    for (int i = 0; i < 100000; i++)
        (void)buf_str(&b, "<folder>");
    source_run_text(x, buf_cstr(&b));
    assert_int_equal(x->im.rc, ERR_FORMAT);
    assert_non_null(strstr(x->im.err.text, "nested too deeply"));
    buf_release(&b);
}

static void a_long_list_is_read_to_its_end(void **state)
{
    struct source *x = *state;
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    (void)buf_str(&b, HEAD);
    for (int i = 0; i < 50000; i++)
        (void)buf_printf(&b, MARK("file:///a%%20%d", "<bookmark:application name=\"x\"/>"), i);
    (void)buf_str(&b, "</xbel>");
    source_run_text(x, buf_cstr(&b));
    buf_release(&b);
    assert_int_equal(x->im.rc, ROW_DONE);
    assert_int_equal(x->im.observations, 50000);
}

static void an_unchanged_file_is_not_read_again(void **state)
{
    struct source *x = *state;
    tmp_copy(REAL, x->path);
    source_run(x);
    assert_int_equal(x->im.observations, 2);
    source_run(x);
    assert_int_equal(x->im.observations, 0);
    source_run(x);
    assert_int_equal(x->im.observations, 0);
    tmp_append(x->path, BYTES_LIT("\n"));
    source_run(x);
    assert_int_equal(x->im.observations, 2);
}

#define TEST(f) SOURCE_TEST(f, observer_xbel)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_application_of_a_file_is_an_observation),
        TEST(two_applications_give_two_observations),
        TEST(the_prefix_of_the_namespace_does_not_matter),
        TEST(other_addresses_stay_addresses),
        TEST(impossible_bookmarks_are_named_and_the_rest_read),
        TEST(what_comes_before_a_cut_stands),
        TEST(entities_are_refused),
        TEST(what_is_no_list_of_bookmarks_is_refused),
        TEST(an_endless_tag_or_depth_ends_the_import),
        TEST(a_long_list_is_read_to_its_end),
        TEST(an_unchanged_file_is_not_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
