#include "tests/node/observe/textfile.h"

#include "base/check.h"
#include "tests/support/unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int textfile_setup(void **state)
{
    struct textfile *x = calloc(1, sizeof *x);
    if (!x)
        return -1;
    tmp_dir_make(&x->dir);
    tmp_dir_make(&x->tmp);
    (void)tmp_path(&x->dir, "source", x->path);
    import_init(&x->im);
    *state = x;
    return 0;
}

int textfile_teardown(void **state)
{
    struct textfile *x = *state;
    import_release(&x->im);
    tmp_dir_remove(&x->dir);
    tmp_dir_remove(&x->tmp);
    free(x);
    return 0;
}

void textfile_read_path(struct textfile *x, const char *path)
{
    import_run(&x->im, x->observer, path, &x->tmp);
}

void textfile_read(struct textfile *x)
{
    textfile_read_path(x, x->path);
    assert_int_equal(x->im.opened, 0);
    assert_int_equal(x->im.rc, ROW_DONE);
}

void textfile_fresh(struct textfile *x, const char *content)
{
    tmp_write(x->path, bytes_str(content));
    buf_clear(&x->im.cursor);
    textfile_read(x);
}

void textfile_more(struct textfile *x, const char *content)
{
    tmp_append(x->path, bytes_str(content));
    textfile_read(x);
}

void textfile_expect(struct textfile *x, const char *rows)
{
    assert_string_equal(buf_cstr(&x->im.text), rows);
}

static void refused(struct textfile *x, const char *path, int code)
{
    textfile_read_path(x, path);
    assert_int_equal(x->im.opened, code);
    assert_true(strstr(x->im.err.text, path) != NULL);
}

void textfile_refuses_what_is_no_file(struct textfile *x)
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
static size_t count_rows(struct textfile *x)
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

void textfile_streams(struct textfile *x, const char *unit, size_t rows)
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
