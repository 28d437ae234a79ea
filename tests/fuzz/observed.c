#include "tests/fuzz/observed.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "tests/support/tmp.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A row that yields nothing new must end some time: more rows than that is a loop. The most that is meant
 * comes from a calendar, LIMIT_OCCURRENCES of an entry that takes some 40 bytes. */
#define ROWS_PER_BYTE 128

static struct tmp_dir dir;

static void remove_at_exit(void)
{
    tmp_dir_remove(&dir);
}

/* A folder, in memory where there is such a place. */
static const char *tmp_folder(void)
{
    if (dir.path[0] == '\0') {
        if (access("/dev/shm", W_OK) == 0)
            CHECK(setenv("TMPDIR", "/dev/shm", 0) == 0);
        tmp_dir_make(&dir);
        CHECK(atexit(remove_at_exit) == 0);
    }
    return dir.path;
}

static int16_t zone_utc(void *ctx, int64_t ms)
{
    (void)ctx, (void)ms;
    return 0;
}

/* Reads every byte of a view, so that a sanitizer sees a bad one. */
static void touch(struct bytes b)
{
    static volatile uint8_t sink;
    for (size_t i = 0; i < b.n; i++)
        sink = (uint8_t)(sink ^ b.p[i]);
}

static void check_source(struct bytes s)
{
    CHECK(s.n >= 1 && s.n <= 64);
    for (size_t i = 0; i < s.n; i++)
        CHECK(s.p[i] && strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", s.p[i]));
}

static void check_observation(const struct observation *o)
{
    const struct bytes texts[] = {o->app, o->title, o->text, o->url, o->command, o->cwd, o->id};
    CHECK(o->time_ms == TIME_NONE || (o->time_ms >= 0 && o->time_ms <= LIMIT_TIME_MS_MAX));
    CHECK(o->end_ms == TIME_NONE || (o->end_ms >= o->time_ms && o->end_ms <= LIMIT_TIME_MS_MAX));
    check_source(o->source);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        touch(texts[i]);
    CHECK(o->data.n <= LIMIT_OBSERVATION_BYTES && utf8_valid(o->data));
    CHECK(o->data.n == 0 || (o->data.p[0] == '{' && o->data.p[o->data.n - 1] == '}'));
    CHECK(o->n_files <= LIMIT_OBSERVATION_FILES);
    for (size_t i = 0; i < o->n_files; i++)
        touch(o->files[i]);
}

/* Rows given, or -1 when it did not come to its end. */
static long run(const struct observer *ob, const char *path, bool growing, struct buf *cursor)
{
    struct observer_env env = {.tmp_dir = tmp_folder(),
                               .now_ms = INT64_C(1795500000000),
                               .zone_offset = zone_utc,
                               .zone_dir = "/usr/share/zoneinfo",
                               .growing = growing};
    struct stat st;
    CHECK(stat(path, &st) == 0);
    struct reader *r = NULL;
    struct err e = ERR_INIT;
    size_t rows = 0;
    int rc = ob->open(&r, path, -1, buf_view(cursor), &env, &e);
    CHECK(rc <= 0 && (rc == 0) == (r != NULL));
    if (rc) {
        CHECK(e.code == rc && e.text[0]);
        return -1;
    }
    struct observation o;
    struct bad_record b;
    while ((rc = ob->next(r, &o, &b, &e)) > ROW_DONE) {
        CHECK(++rows <= ROWS_PER_BYTE * ((size_t)st.st_size + 1));
        if (rc == ROW_OBSERVATION)
            check_observation(&o);
        else if (rc == ROW_BAD)
            CHECK(memchr(b.field, 0, sizeof b.field) && memchr(b.reason, 0, sizeof b.reason) && b.reason[0]);
        else
            CHECK(rc == ROW_SKIPPED);
    }
    CHECK(rc == 0 || (e.code == rc && e.text[0]));
    uint64_t done, total;
    ob->progress(r, &done, &total);
    buf_clear(cursor);
    CHECK(ob->cursor(r, cursor) == 0);
    ob->close(r);
    return rc ? -1 : (long)rows;
}

/* The one file that all inputs take turns in: making one costs more than reading it. */
static const char *input_file(struct bytes input)
{
    static char path[TMP_PATH_BYTES];
    static int fd = -1;
    if (fd < 0) {
        (void)tmp_folder();
        fd = open(tmp_path(&dir, "input", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
    }
    CHECK(input.n == 0 || pwrite(fd, input.p, input.n, 0) == (ssize_t)input.n);
    CHECK(ftruncate(fd, (off_t)input.n) == 0);
    return path;
}

void observed_run(const struct observer *ob, struct bytes input)
{
    const char *path = input_file(input);
    bool growing = input.n % 2 == 1;
    struct buf cursor;
    buf_init(&cursor, 4096);
    long first = run(ob, path, false, &cursor);
    if (growing)
        buf_clear(&cursor);
    long second = run(ob, path, growing, &cursor);
    CHECK(first < 0 || (second >= 0 && second <= first));
    buf_release(&cursor);
}
