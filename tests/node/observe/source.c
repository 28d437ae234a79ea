#include "tests/node/observe/source.h"

#include "base/check.h"
#include "tests/support/unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int source_setup(void **state)
{
    struct source *x = calloc(1, sizeof *x);
    if (!x)
        return -1;
    tmp_dir_make(&x->dir);
    tmp_dir_make(&x->tmp);
    (void)tmp_path(&x->dir, "source", x->path);
    import_init(&x->im);
    x->observer = *state;
    *state = x;
    return 0;
}

int source_teardown(void **state)
{
    struct source *x = *state;
    import_release(&x->im);
    tmp_dir_remove(&x->dir);
    tmp_dir_remove(&x->tmp);
    free(x);
    return 0;
}

void source_run_path(struct source *x, const char *path)
{
    import_run(&x->im, x->observer, path, &x->tmp);
}

void source_run(struct source *x)
{
    source_run_path(x, x->path);
}

static void write_anew(struct source *x, const char *content)
{
    tmp_write(x->path, bytes_str(content));
    buf_clear(&x->im.cursor);
}

void source_run_text(struct source *x, const char *content)
{
    write_anew(x, content);
    source_run(x);
}

void source_read(struct source *x)
{
    source_run(x);
    assert_int_equal(x->im.opened, 0);
    assert_int_equal(x->im.rc, ROW_DONE);
}

void source_fresh(struct source *x, const char *content)
{
    write_anew(x, content);
    source_read(x);
}

void source_more(struct source *x, const char *content)
{
    tmp_append(x->path, bytes_str(content));
    source_read(x);
}

void source_expect(struct source *x, const char *rows)
{
    assert_string_equal(buf_cstr(&x->im.text), rows);
}

static void refused(struct source *x, const char *path, int code)
{
    source_run_path(x, path);
    assert_int_equal(x->im.opened, code);
    assert_true(strstr(x->im.err.text, path) != NULL);
}

void source_refuses_what_is_no_file(struct source *x)
{
    char path[TMP_PATH_BYTES];
    assert_int_equal(mkfifo(tmp_path(&x->dir, "fifo", path), 0600), 0);
    refused(x, path, ERR_FORMAT);
    refused(x, "/dev/zero", ERR_FORMAT);
    assert_int_equal(symlink("loop", tmp_path(&x->dir, "loop", path)), 0);
    refused(x, path, ERR_IO);
    refused(x, tmp_path(&x->dir, "missing", path), ERR_NOTFOUND);
}

/* Only the count matters here, so the rows are not rendered. */
static size_t count_rows(struct source *x)
{
    struct observer_env env = {.tmp_dir = x->tmp.path, .now_ms = INT64_C(1795500000000)};
    struct reader *r = NULL;
    struct observation o;
    struct bad_record b;
    size_t n = 0;
    assert_int_equal(x->observer->open(&r, x->path, -1, BYTES_NONE, &env, NULL), 0);
    while (x->observer->next(r, &o, &b, NULL) > 0)
        n++;
    x->observer->close(r);
    return n;
}

void source_streams(struct source *x, const char *unit, size_t rows)
{
    FILE *f = fopen(x->path, "w");
    CHECK(f);
    for (size_t i = 0; i < rows; i++)
        fputs(unit, f);
    fclose(f);
    size_t before = mallinfo2().arena + mallinfo2().hblkhd;
    assert_int_equal(count_rows(x), rows);
    size_t after = mallinfo2().arena + mallinfo2().hblkhd;
    assert_true(after < before + ((size_t)4 << 20));
}
