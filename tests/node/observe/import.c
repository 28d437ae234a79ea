#include "tests/node/observe/import.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#define NOW_MS INT64_C(1795500000000)

static int16_t zone_utc(void *ctx, int64_t ms)
{
    (void)ctx, (void)ms;
    return 0;
}

void import_init(struct import *im)
{
    memset(im, 0, sizeof *im);
    buf_init(&im->text, (size_t)64 << 20);
    buf_init(&im->cursor, 4096);
}

void import_release(struct import *im)
{
    buf_release(&im->text);
    buf_release(&im->cursor);
}

static void put(struct import *im, const char *name, struct bytes text)
{
    if (text.n == 0)
        return;
    (void)buf_printf(&im->text, " %s=", name);
    (void)text_escape(text, true, &im->text);
}

static void put_time(struct import *im, const char *name, int64_t ms)
{
    char text[RFC3339_TEXT + 1];
    if (ms == TIME_NONE)
        return;
    assert_true(ms >= 0 && ms <= LIMIT_TIME_MS_MAX);
    rfc3339_print(ms, text);
    (void)buf_printf(&im->text, " %s%s", name, text);
}

static void put_observation(struct import *im, const struct observation *o)
{
    assert_true(o->source.n >= 1 && o->source.n <= 64);
    (void)buf_str(&im->text, "o");
    put_time(im, "", o->time_ms);
    put_time(im, "end=", o->end_ms);
    if (o->offset_min != OFFSET_UNKNOWN)
        (void)buf_printf(&im->text, " offset=%d", o->offset_min);
    (void)buf_str(&im->text, o->shared_event ? " shared" : "");
    (void)buf_str(&im->text, o->from_model ? " model" : "");
    (void)buf_str(&im->text, o->private_window ? " private" : "");
    put(im, "source", o->source);
    put(im, "app", o->app);
    put(im, "title", o->title);
    put(im, "text", o->text);
    put(im, "url", o->url);
    put(im, "command", o->command);
    put(im, "cwd", o->cwd);
    put(im, "id", o->id);
    put(im, "data", o->data);
    for (size_t i = 0; i < o->n_files; i++)
        put(im, "file", o->files[i]);
    (void)buf_str(&im->text, "\n");
}

static void run(struct import *im, const struct observer *ob, const char *path, int fd,
                const struct tmp_dir *tmp)
{
    struct observer_env env = {.tmp_dir = tmp->path, .now_ms = NOW_MS, .zone_offset = zone_utc};
    env.growing = im->growing;
    env.zone_dir = im->zone_dir;
    struct reader *r = NULL;
    im->observations = im->bad = im->skipped = 0;
    im->err = ERR_INIT;
    buf_clear(&im->text);
    im->opened = im->rc = ob->open(&r, path, fd, buf_view(&im->cursor), &env, &im->err);
    while (!im->opened) {
        struct observation o;
        struct bad_record b;
        im->rc = ob->next(r, &o, &b, &im->err);
        if (im->rc <= 0)
            break;
        im->observations += im->rc == ROW_OBSERVATION;
        im->bad += im->rc == ROW_BAD;
        im->skipped += im->rc == ROW_SKIPPED;
        if (im->rc == ROW_OBSERVATION)
            put_observation(im, &o);
        else if (im->rc == ROW_BAD)
            (void)buf_printf(&im->text, "b %llu %s: %s\n", (unsigned long long)b.line, b.field, b.reason);
    }
    if (im->opened)
        return;
    buf_clear(&im->cursor);
    assert_int_equal(ob->cursor(r, &im->cursor), 0);
    uint64_t done, total;
    ob->progress(r, &done, &total);
    assert_true(total == 0 || im->rc < 0 || done <= total);
    assert_true(!ob->file || tmp_exists(ob->file(r)));
    ob->close(r);
    assert_int_equal(im->text.err, 0);
}

void import_run(struct import *im, const struct observer *ob, const char *path, const struct tmp_dir *tmp)
{
    run(im, ob, path, -1, tmp);
}

void import_run_fd(struct import *im, const struct observer *ob, int fd, const struct tmp_dir *tmp)
{
    run(im, ob, "-", fd, tmp);
}

bool import_has(struct import *im, const char *what)
{
    return bytes_find(buf_view(&im->text), bytes_str(what)) != SIZE_MAX;
}
