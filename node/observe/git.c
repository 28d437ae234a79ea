/* The commits somebody made in a repository, from its reflog `logs/HEAD`: no git program, no git library.
 *
 *     <old id> <new id> Name <mail> <seconds> <+hhmm>\t<kind>: <subject>
 *
 * The reflog of HEAD lists what was done *here*, in order: commits, merges, cherry-picks and reverts are
 * observations; resets, checkouts, rebases, pulls and clones only move HEAD and are skipped. A worktree or
 * submodule (`.git` is a file that says `gitdir:`) has its own reflog. git drops old entries from the front:
 * the cursor then does not fit, and event keys (the commit id) drop what is known. */
#include "node/observe/lines.h"
#include "node/observe/observe.h"
#include "node/observe/record.h"

#include "base/limits.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
    struct lines lines;
    struct line_mark mark;
    char project[NAME_MAX + 1];
    char log[PATH_MAX]; /* the reflog */
};

/* out = dir/name; false when it does not fit. */
static bool join(char out[PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n >= 0 && n < PATH_MAX;
}

/* Reads `prefix` and a path, taken relative to `dir`, from a small file such as `.git` or `commondir`. */
static bool read_pointer(const char *file, const char *prefix, const char *dir, char out[PATH_MAX])
{
    int fd;
    uint64_t size;
    char text[PATH_MAX];
    if (regular_open(file, &fd, &size, NULL))
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    struct bytes b = bytes_trim(bytes_of(text, (size_t)n));
    if (!bytes_starts(b, bytes_str(prefix)))
        return false;
    b = bytes_trim(bytes_slice(b, strlen(prefix), b.n));
    if (b.n == 0 || memchr(b.p, 0, b.n))
        return false;
    text[(const char *)b.p - text + (ptrdiff_t)b.n] = 0;
    const char *target = (const char *)b.p;
    if (*target != '/')
        return join(out, dir, target);
    return snprintf(out, PATH_MAX, "%s", target) < PATH_MAX;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The git folder that `path` means: itself, its `.git`, or where its `.git` file points. */
static bool find_git_dir(const char *path, char out[PATH_MAX])
{
    char dot_git[PATH_MAX], head[PATH_MAX];
    if (!is_folder(path)) { /* the `.git` file itself */
        char dir[PATH_MAX];
        (void)snprintf(dir, sizeof dir, "%s", path);
        return read_pointer(path, "gitdir:", dirname(dir), out);
    }
    if (!join(dot_git, path, ".git") || !join(head, path, "HEAD"))
        return false;
    if (is_folder(dot_git))
        return snprintf(out, PATH_MAX, "%s", dot_git) < PATH_MAX;
    if (read_pointer(dot_git, "gitdir:", path, out))
        return true;
    return access(head, F_OK) == 0 && snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The project is called like the folder that holds the main `.git`; a submodule, whose git folder lies
 * elsewhere, like its own folder; a bare repository like itself without ".git". */
static void name_project(struct reader *r, const char *git_dir, const char *path)
{
    char file[PATH_MAX], target[PATH_MAX], real[PATH_MAX];
    bool linked = join(file, git_dir, "commondir") && read_pointer(file, "", git_dir, target);
    if (!realpath(linked ? target : git_dir, real))
        (void)snprintf(real, sizeof real, "%s", git_dir);
    const char *name = base_of(real);
    if (strcmp(name, ".git") == 0)
        name = base_of(dirname(real));
    else if (!linked && is_folder(path) && realpath(path, target) && strcmp(target, real) != 0)
        name = base_of(target);
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".git") == 0)
        n -= 4;
    (void)snprintf(r->project, sizeof r->project, "%.*s", (int)(n < NAME_MAX ? n : NAME_MAX), name);
}

/* `path` is a file that is no `.git` pointer: a reflog itself, <git folder>/logs/HEAD. */
static void locate_reflog(struct reader *r, const char *path)
{
    char git_dir[PATH_MAX];
    if (!realpath(path, git_dir))
        (void)snprintf(git_dir, sizeof git_dir, "%s", path);
    (void)snprintf(r->log, sizeof r->log, "%s", path);
    const char *dir = dirname(dirname(git_dir));
    name_project(r, dir, dir);
}

/* Finds the reflog and names the project. */
static int locate(struct reader *r, const char *path, struct err *e)
{
    char git_dir[PATH_MAX];
    if (strlen(path) >= PATH_MAX / 2)
        return err_set(e, ERR_LIMIT, "path is longer than %d bytes", PATH_MAX / 2);
    if (!find_git_dir(path, git_dir)) {
        if (is_folder(path))
            return err_set(e, ERR_FORMAT, "'%s' is not a git repository", path);
        locate_reflog(r, path);
        return 0;
    }
    name_project(r, git_dir, path);
    if (!join(r->log, git_dir, "logs/HEAD"))
        return err_set(e, ERR_LIMIT, "path of the reflog is too long");
    if (access(r->log, F_OK) == 0)
        return 0;
    int rc = err_set(e, ERR_NOTFOUND, "repository '%s' has no reflog (logs/HEAD)", path);
    err_hint(e, "a new repository has none before its first commit; a bare one needs core.logAllRefUpdates");
    return rc;
}

static int git_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                    const struct observer_env *env, struct err *e)
{
    (void)fd;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "out of memory");
    int rc = locate(r, path, e);
    if (!rc)
        rc = lines_open(&r->lines, r->log, -1, env->growing, e);
    if (!rc && lines_cursor_fits(&r->lines, cursor, &r->mark))
        rc = lines_seek(&r->lines, &r->mark, e);
    else
        r->mark = (struct line_mark){0};
    if (rc) {
        lines_close(&r->lines);
        free(r);
        return rc;
    }
    *out = r;
    return 0;
}

static bool is_hex(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!((b.p[i] >= '0' && b.p[i] <= '9') || (b.p[i] >= 'a' && b.p[i] <= 'f')))
            return false;
    return true;
}

/* Cuts the head of *rest up to `stop` off; false when there is no `stop`. */
static bool take_word(struct bytes *rest, uint8_t stop, struct bytes *word)
{
    const uint8_t *at = rest->n ? memchr(rest->p, stop, rest->n) : NULL;
    if (!at)
        return false;
    *word = bytes_slice(*rest, 0, (size_t)(at - rest->p));
    *rest = bytes_slice(*rest, word->n + 1, rest->n);
    return true;
}

static bool take_id(struct bytes *rest, struct bytes *id)
{
    return take_word(rest, ' ', id) && (id->n == 40 || id->n == 64) && is_hex(*id);
}

/* "+0130" → 90. */
static bool zone_parse(struct bytes t, int16_t *offset_min)
{
    if (t.n != 5 || (t.p[0] != '+' && t.p[0] != '-'))
        return false;
    int v[4];
    for (size_t i = 0; i < 4; i++) {
        v[i] = t.p[i + 1] - '0';
        if (v[i] < 0 || v[i] > 9)
            return false;
    }
    int min = (v[0] * 10 + v[1]) * 60 + v[2] * 10 + v[3];
    if (min > 24 * 60)
        return false;
    *offset_min = (int16_t)(t.p[0] == '-' ? -min : min);
    return true;
}

/* The title of what a reflog message says was made; false when it only moved HEAD. */
static bool commit_title(struct bytes message, struct bytes *title)
{
    size_t colon = bytes_find(message, BYTES_LIT(": "));
    struct bytes kind = bytes_slice(message, 0, colon == SIZE_MAX ? message.n : colon);
    *title = colon == SIZE_MAX ? BYTES_NONE : bytes_slice(message, colon + 2, message.n);
    if (bytes_starts(kind, BYTES_LIT("merge "))) {
        *title = kind; /* behind the colon stands only how it was merged */
        return true;
    }
    return bytes_eq(kind, BYTES_LIT("commit")) || bytes_starts(kind, BYTES_LIT("commit (")) ||
           bytes_eq(kind, BYTES_LIT("cherry-pick")) || bytes_eq(kind, BYTES_LIT("revert"));
}

/* One line of the reflog → a row. */
static int git_entry(struct reader *r, const struct line *l, struct observation *o, struct bad_record *b)
{
    struct bytes rest = l->text, old, id, head, title = BYTES_NONE, seconds, zone;
    observation_init(o, "git");
    if (!take_id(&rest, &old) || !take_id(&rest, &id))
        return bad_row(b, l->no, "", "not a reflog line");
    struct bytes message = BYTES_NONE;
    if (take_word(&rest, '\t', &head))
        message = rest;
    else
        head = rest;
    if (!commit_title(message, &title))
        return ROW_SKIPPED;
    size_t mail_end = head.n;
    while (mail_end > 0 && head.p[mail_end - 1] != '>')
        mail_end--;
    zone = bytes_trim(bytes_slice(head, mail_end, head.n));
    if (!take_word(&zone, ' ', &seconds))
        return bad_row(b, l->no, "time", "missing");
    int rc = epoch_parse(seconds, &o->time_ms);
    if (rc)
        return bad_time(b, l->no, "time", seconds, rc);
    if (!zone_parse(zone, &o->offset_min))
        return bad_row(b, l->no, "zone", "not an offset like +0100");
    o->shared_event = true;
    o->app = bytes_str(r->project);
    o->title = title;
    o->id = id;
    return ROW_OBSERVATION;
}

static int git_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    struct line l;
    int kind = lines_next(&r->lines, &l, e);
    if (kind <= LINE_END)
        return kind;
    if (l.ended)
        r->mark = lines_here(&r->lines);
    return kind == LINE_LONG ? bad_long(b, l.no) : git_entry(r, &l, o, b);
}

static int git_cursor(struct reader *r, struct buf *out)
{
    return lines_cursor_put(&r->lines, &r->mark, out);
}

static const char *git_file(const struct reader *r)
{
    return r->log;
}

static void git_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    lines_progress(&r->lines, done, total);
}

static void git_close(struct reader *r)
{
    if (!r)
        return;
    lines_close(&r->lines);
    free(r);
}

const struct observer observer_git = {
    .name = "git",
    .summary = "commits made in a repository, from its reflog",
    .path_hint = "repository folder",
    .open = git_open,
    .next = git_next,
    .cursor = git_cursor,
    .progress = git_progress,
    .close = git_close,
    .file = git_file,
};
