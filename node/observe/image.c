/* Pictures: one file, or the files of a folder that are called like pictures. Yielded is not what is on them
 * (a model is asked for that, node/pictures.h), but that they are there: the file, when it was made, and its
 * identity (node/observe/picture.h).
 *
 * A folder's cursor is the latest change of any of its files, by the file system's clock: a file that is
 * moved in counts as changed, whatever its own date says. A picture that is being written is left for the
 * next time. */
#include "node/observe/observe.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "node/observe/picture.h"
#include "node/observe/picture_time.h"
#include "node/observe/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CURSOR_VERSION 1
#define FILES_MAX 20000u /* of a folder */
#define TICK_MS 100      /* by which the file system's clock may lag behind ours, and more */

struct reader {
    struct observer_env env;
    char path[LIMIT_PATH_BYTES];
    char file[LIMIT_PATH_BYTES]; /* the one that was yielded last */
    struct bytes files[1];       /* a view of it */
    bool folder;
    char **names;
    size_t n_names, at;
    int64_t known_ns, latest_ns; /* changes before known_ns were seen; INT64_MIN: none */
    struct buf scratch, left;
    struct picture picture;
};

static int64_t changed_ns(const struct stat *st)
{
    return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

static bool file_name(struct reader *r, size_t i)
{
    int n = r->folder ? snprintf(r->file, sizeof r->file, "%s/%s", r->path, r->names[i])
                      : snprintf(r->file, sizeof r->file, "%s", r->path);
    return n > 0 && (size_t)n < sizeof r->file;
}

/* ---- rows -------------------------------------------------------------------------------------------------
 */

static int64_t time_of(const struct reader *r, const struct stat *st)
{
    const char *slash = strrchr(r->file, '/');
    int64_t changed = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    int64_t named = picture_name_time(slash != NULL ? slash + 1 : r->file, &r->env);
    return named != TIME_NONE && named <= changed + MS_DAY ? named : changed;
}

static int bad_file(const struct reader *r, struct bad_record *b, const char *why)
{
    const char *slash = strrchr(r->file, '/');
    return bad_row(b, 0, r->folder && slash != NULL ? slash + 1 : "", "%.150s", why);
}

static int picture_row(struct reader *r, const struct stat *st, struct observation *o, struct bad_record *b)
{
    struct err why = ERR_INIT;
    buf_clear(&r->left);
    int rc = picture_load(r->file, &r->scratch, &r->picture, &r->left, &why);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc != 0 && r->picture.cut && r->env.growing)
        return ROW_SKIPPED;
    int64_t ms = time_of(r, st);
    if (rc == 0 && (ms < 0 || ms > LIMIT_TIME_MS_MAX)) /* as a broken file system has it */
        return bad_file(r, b, "its date is outside the years 1970 to 9999");
    if (rc != 0)
        return bad_file(r, b, why.text);
    observation_init(o, "image");
    r->files[0] = bytes_str(r->file);
    o->time_ms = ms;
    o->id = bytes_str(r->picture.id);
    o->files = r->files;
    o->n_files = 1;
    return ROW_PICTURE;
}

static int image_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    for (; r->at < r->n_names; r->at++) {
        struct stat st;
        if (!file_name(r, r->at) || stat(r->file, &st) != 0 || (r->folder && !S_ISREG(st.st_mode)) ||
            (r->folder && changed_ns(&st) < r->known_ns))
            continue;
        r->latest_ns = changed_ns(&st) > r->latest_ns ? changed_ns(&st) : r->latest_ns;
        r->at++;
        int row = picture_row(r, &st, o, b);
        return row < 0 ? err_set(e, row, "reading a picture") : row;
    }
    return ROW_DONE;
}

/* ---- opening, cursor --------------------------------------------------------------------------------------
 */

static void image_close(struct reader *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n_names; i++)
        free(r->names[i]);
    free(r->names);
    buf_release(&r->scratch);
    buf_release(&r->left);
    free(r);
}

static int name_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int name_add(struct reader *r, const char *name, struct err *e)
{
    if (r->n_names == FILES_MAX)
        return err_set(e, ERR_LIMIT, "more than %u pictures in '%s'", FILES_MAX, r->path);
    if ((r->n_names & (r->n_names - 1)) == 0) { /* at each power of two: room for twice as many */
        char **p = realloc(r->names, (r->n_names != 0 ? r->n_names * 2 : 1) * sizeof *p);
        if (p == NULL)
            return err_set(e, ERR_NOMEM, "listing '%s'", r->path);
        r->names = p;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return err_set(e, ERR_NOMEM, "listing '%s'", r->path);
    r->names[r->n_names++] = copy;
    return 0;
}

static int folder_list(struct reader *r, struct err *e)
{
    DIR *dir = opendir(r->path);
    if (dir == NULL)
        return err_errno(e, errno, "cannot open '%s'", r->path);
    int rc = 0;
    for (const struct dirent *d; rc == 0 && (d = readdir(dir)) != NULL;)
        rc = picture_named(d->d_name) ? name_add(r, d->d_name, e) : 0;
    (void)closedir(dir);
    if (r->n_names > 0)
        qsort(r->names, r->n_names, sizeof *r->names, name_cmp);
    return rc;
}

static void cursor_take(struct reader *r, struct bytes cursor)
{
    struct rd in;
    rd_init(&in, cursor);
    uint8_t version = rd_u8(&in);
    int64_t known_ns = rd_svarint(&in);
    r->known_ns = r->latest_ns = INT64_MIN;
    /* One that lies ahead was written before the clock was set back. */
    if (rd_end(&in) == 0 && version == CURSOR_VERSION && known_ns / 1000000 <= r->env.now_ms)
        r->known_ns = r->latest_ns = known_ns;
}

static int image_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                      const struct observer_env *env, struct err *e)
{
    (void)fd;
    struct stat st;
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(e, ERR_NOMEM, "reading pictures");
    r->env = *env;
    buf_init(&r->scratch, PICTURE_SCRATCH_MAX);
    buf_init(&r->left, PICTURE_BYTES_MAX);
    (void)snprintf(r->path, sizeof r->path, "%s", path);
    int rc = stat(path, &st) == 0 ? 0 : err_errno(e, errno, "cannot open '%s'", path);
    r->folder = rc == 0 && S_ISDIR(st.st_mode);
    if (rc == 0 && !r->folder && !S_ISREG(st.st_mode))
        rc = err_set(e, ERR_FORMAT, "'%s' is not a regular file", path);
    if (rc == 0)
        rc = r->folder ? folder_list(r, e) : name_add(r, path, e);
    cursor_take(r, cursor);
    if (rc != 0) {
        image_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

/* Only behind the last, and never later than the folder was listed: what came into it since is looked at next
 * time, and what is looked at twice is known by its identity. */
static int image_cursor(struct reader *r, struct buf *out)
{
    int64_t listed_ns = (r->env.now_ms - TICK_MS) * 1000000;
    if (!r->folder || r->at < r->n_names || r->latest_ns == INT64_MIN)
        return 0;
    wr_u8(out, CURSOR_VERSION);
    wr_svarint(out, r->latest_ns < listed_ns ? r->latest_ns : listed_ns);
    return out->err;
}

static void image_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    *done = r->at;
    *total = r->n_names;
}

const struct observer observer_image = {
    .name = "image",
    .summary = "pictures, as a language model that sees describes them",
    .path_hint = "picture (PNG, JPEG, WebP, GIF) or folder",
    .watch_folder = true,
    .open = image_open,
    .next = image_next,
    .cursor = image_cursor,
    .progress = image_progress,
    .close = image_close,
};
