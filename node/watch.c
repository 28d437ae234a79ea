/* The watcher. inotify looks at folders, not at files, since most programs replace their history file by
 * renaming a new one over it; an event counts for an entry when its name begins with the file's name (so that
 * "places.sqlite-wal" wakes "places.sqlite"), or whatever its name for a watched folder. A path that is a
 * symbolic link is looked at in two spots, where it lies and where it leads. A folder that is missing is
 * waited for in the nearest one above it that is there, so nothing is ever polled for.
 */
#include "node/watch.h"

#include "base/check.h"
#include "node/job.h"
#include "node/watchlist.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define REST_MS_MIN 300 /* a burst of writes is one change */
#define REST_MS_MAX 60000
#define REST_FACTOR 20 /* reading may take a twentieth of the time */
/* What is there but cannot be read is tried again when its folder changes, or after this. */
#define RETRY_MS 60000
#define STEP_BUDGET_MS 30
#define EVENTS (IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_MOVE_SELF | IN_ONLYDIR)
#define SPOTS 2

struct spot {
    int wd;         /* -1: none */
    char name[256]; /* what to wait for in the folder; "" = anything */
};

struct entry {
    char source[LIMIT_NAME_BYTES];
    char path[LIMIT_PATH_BYTES];
    struct spot spots[SPOTS];
    int64_t due_ms;  /* monotonic; TIME_NONE: nothing to do */
    int64_t rest_ms; /* between a change and reading it */
    int64_t started_ms;
    bool again;  /* changed while it was being read */
    bool listed; /* still in the list (used while reloading) */
    char state[128];
    struct job *job;
};

struct watch {
    struct node *n;
    int fd;
    bool reload, paused;
    size_t count;
    struct entry *entries[WATCHES_MAX];
};

static int64_t now_ms(const struct watch *w)
{
    return clock_mono_ms(&w->n->clock);
}

static void state_set(struct entry *x, const char *what, const char *text)
{
    (void)snprintf(x->state, sizeof(x->state), "%s%s", what, text);
}

/* ---- the list --------------------------------------------------------------------------------------------
 */

/* Gives a folder up, unless another spot looks at it too. */
static void spot_clear(struct watch *w, struct spot *s)
{
    int wd = s->wd;
    s->wd = -1;
    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < SPOTS; k++) {
            wd = w->entries[i]->spots[k].wd == wd ? -1 : wd;
        }
    }
    if (wd >= 0) {
        (void)inotify_rm_watch(w->fd, wd);
    }
}

/* x is still, or no longer, in the list; the others there are alive. */
static void entry_free(struct watch *w, struct entry *x)
{
    for (size_t k = 0; k < SPOTS; k++) {
        spot_clear(w, &x->spots[k]);
    }
    job_close(x->job);
    free(x);
}

static struct entry *entry_find(struct watch *w, const char *source, const char *path)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->entries[i]->source, source) == 0 && strcmp(w->entries[i]->path, path) == 0) {
            return w->entries[i];
        }
    }
    return NULL;
}

static int entry_listed(void *ctx, const char *source, const char *path)
{
    struct watch *w = ctx;
    struct entry *x = entry_find(w, source, path);
    if (x != NULL) {
        x->listed = true;
        return 0;
    }
    if (w->count == WATCHES_MAX || strlen(source) >= sizeof(x->source) || strlen(path) >= sizeof(x->path)) {
        return 0;
    }
    x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return ERR_NOMEM;
    }
    memcpy(x->source, source, strlen(source) + 1);
    memcpy(x->path, path, strlen(path) + 1);
    for (size_t k = 0; k < SPOTS; k++) {
        x->spots[k].wd = -1;
    }
    x->listed = true;
    x->due_ms = now_ms(w);
    x->rest_ms = REST_MS_MIN;
    state_set(x, "starting", "");
    w->entries[w->count++] = x;
    return 0;
}

static void list_reload(struct watch *w)
{
    struct err e = ERR_INIT;
    for (size_t i = 0; i < w->count; i++) {
        w->entries[i]->listed = false;
    }
    w->reload = false;
    if (watchlist_each(w->n, entry_listed, w, &e) != 0) {
        log_line(&w->n->log, LOG_ERROR, "watch", "reading the list: %s", e.text);
        return;
    }
    for (size_t i = 0; i < w->count;) {
        struct entry *x = w->entries[i];
        if (x->listed) {
            i++;
            continue;
        }
        w->entries[i] = w->entries[--w->count];
        entry_free(w, x);
    }
}

/* ---- looking at one --------------------------------------------------------------------------------------
 */

/* Takes the last component off an absolute path, into name; "/" keeps none. */
static void path_up(char path[LIMIT_PATH_BYTES], char name[256])
{
    char *slash = strrchr(path, '/');
    (void)snprintf(name, 256, "%s", slash + 1);
    slash[slash == path ? 1 : 0] = '\0';
}

/* Looks at the folder of `file`, at `file` itself when it is a folder, or at the nearest folder that is
 * there. True when that is another folder than before. */
static bool spot_arm(struct watch *w, struct spot *s, const char *file)
{
    char dir[LIMIT_PATH_BYTES];
    char name[256] = "";
    struct stat st;
    CHECK(file[0] == '/'); /* watchlist.c sees to it */
    (void)snprintf(dir, sizeof(dir), "%s", file);
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        path_up(dir, name);
    }
    int wd = inotify_add_watch(w->fd, dir, EVENTS);
    while (wd < 0 && (errno == ENOENT || errno == ENOTDIR) && dir[1] != '\0') {
        path_up(dir, name);
        wd = inotify_add_watch(w->fd, dir, EVENTS);
    }
    bool moved = wd != s->wd;
    if (moved) {
        spot_clear(w, s);
    }
    s->wd = wd;
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    return moved;
}

/* Watches `file`, and where it leads when it is a link. What changed before the watch stood is seen by
 * reading once more. */
static void entry_arm(struct watch *w, struct entry *x, const char *file)
{
    char real[PATH_MAX];
    bool moved = spot_arm(w, &x->spots[0], file);
    int eno = errno;
    if (realpath(file, real) != NULL && strlen(real) < LIMIT_PATH_BYTES && strcmp(real, file) != 0) {
        moved = spot_arm(w, &x->spots[1], real) || moved;
    } else {
        spot_clear(w, &x->spots[1]);
    }
    x->again = x->again || moved;
    if (x->spots[0].wd < 0) {
        log_line(&w->n->log, LOG_WARN, "watch", "%s: cannot watch its folder: %s", x->source, strerror(eno));
    }
}

static void entry_failed(struct watch *w, struct entry *x, const struct err *e)
{
    state_set(x, "cannot be read: ", e->text);
    log_line(&w->n->log, LOG_WARN, "watch", "%s: %s", x->source, e->text);
    job_close(x->job);
    x->job = NULL;
    bool again = x->again;
    x->again = false;
    entry_arm(w, x, x->path);
    if (again || x->again) {
        x->due_ms = now_ms(w) + x->rest_ms;
    } else {
        x->due_ms = e->code == ERR_NOTFOUND && x->spots[0].wd >= 0 ? TIME_NONE : now_ms(w) + RETRY_MS;
    }
    x->again = false;
}

static void entry_done(struct watch *w, struct entry *x)
{
    const struct job_counts *c = job_counts(x->job);
    int64_t took = now_ms(w) - x->started_ms;
    log_line(&w->n->log, LOG_INFO, "watch", "%s: %llu new, %llu known, %llu dropped, %llu bad", x->source,
             (unsigned long long)c->added, (unsigned long long)c->known, (unsigned long long)c->dropped,
             (unsigned long long)c->bad);
    job_close(x->job);
    x->job = NULL;
    x->rest_ms = took * REST_FACTOR < REST_MS_MIN   ? REST_MS_MIN
                 : took * REST_FACTOR > REST_MS_MAX ? REST_MS_MAX
                                                    : took * REST_FACTOR;
    x->due_ms = x->again ? now_ms(w) + x->rest_ms : TIME_NONE;
    x->again = false;
    state_set(x, x->spots[0].wd >= 0 ? "watching" : "cannot be watched", "");
}

static int entry_start(struct watch *w, struct entry *x, struct err *e)
{
    struct job_spec spec = {
        .source = x->source, .path = x->path, .budget_ms = STEP_BUDGET_MS, .growing = true};
    x->started_ms = now_ms(w);
    int rc = job_open(&x->job, w->n, &spec, e);
    if (rc == 0) {
        entry_arm(w, x, job_file(x->job));
        state_set(x, "reading", "");
    }
    return rc;
}

static void entry_step(struct watch *w, struct entry *x)
{
    struct err e = ERR_INIT;
    int rc = x->job != NULL ? 0 : entry_start(w, x, &e);
    if (rc == 0) {
        rc = job_step(x->job, &e);
    }
    if (rc < 0) {
        entry_failed(w, x, &e);
    } else if (rc == 0) {
        entry_done(w, x);
    }
}

/* ---- the loop's side -------------------------------------------------------------------------------------
 */

static const char *state_of(void *ctx, const char *source, const char *path)
{
    struct entry *x = entry_find(ctx, source, path);
    return x != NULL ? x->state : NULL;
}

static void list_changed(void *ctx)
{
    struct watch *w = ctx;
    w->reload = true;
}

int watch_open(struct watch **out, struct node *n, struct err *e)
{
    struct watch *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return err_set(e, ERR_NOMEM, "starting the watcher");
    }
    w->n = n;
    w->reload = true;
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd < 0) {
        int eno = errno;
        free(w);
        return err_errno(e, eno, "starting the watcher");
    }
    n->watch_state = state_of;
    n->watch_changed = list_changed;
    n->watch_ctx = w;
    *out = w;
    return 0;
}

int watch_fd(const struct watch *w)
{
    return w->fd;
}

static void entry_touch(struct watch *w, struct entry *x)
{
    int64_t due = now_ms(w) + x->rest_ms;
    if (x->job != NULL) {
        x->again = true;
    } else if (x->due_ms == TIME_NONE || x->due_ms > due) {
        x->due_ms = due;
    }
}

static bool name_fits(const struct spot *s, const struct inotify_event *ev)
{
    return s->name[0] == '\0' || (ev->len > 0 && strncmp(ev->name, s->name, strlen(s->name)) == 0);
}

static void spot_event(struct watch *w, struct entry *x, struct spot *s, const struct inotify_event *ev)
{
    if (ev->wd != s->wd) {
        return;
    }
    if ((ev->mask & (IN_IGNORED | IN_MOVE_SELF)) != 0) {
        /* The folder is gone, or elsewhere: looked at anew, from the path. */
        if ((ev->mask & IN_IGNORED) != 0) {
            s->wd = -1;
        }
        entry_touch(w, x);
    } else if (name_fits(s, ev)) {
        entry_touch(w, x);
    }
}

static void event_take(struct watch *w, const struct inotify_event *ev)
{
    for (size_t i = 0; i < w->count; i++) {
        struct entry *x = w->entries[i];
        if ((ev->mask & IN_Q_OVERFLOW) != 0) {
            entry_touch(w, x);
        }
        for (size_t k = 0; k < SPOTS; k++) {
            spot_event(w, x, &x->spots[k], ev);
        }
    }
}

void watch_events(struct watch *w)
{
    _Alignas(struct inotify_event) char room[8192];
    for (;;) {
        ssize_t n = read(w->fd, room, sizeof(room));
        if (n <= 0) {
            return;
        }
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *ev = (const struct inotify_event *)(const void *)(room + at);
            event_take(w, ev);
            at += (ssize_t)(sizeof(*ev) + ev->len);
        }
    }
}

/* The entry that has waited longest, among those that are due or being read. */
static struct entry *entry_due(struct watch *w, int64_t now, int64_t *next_ms)
{
    struct entry *best = NULL;
    *next_ms = TIME_NONE;
    for (size_t i = 0; i < w->count; i++) {
        struct entry *x = w->entries[i];
        if (x->due_ms == TIME_NONE) {
            continue;
        }
        if (*next_ms == TIME_NONE || x->due_ms < *next_ms) {
            *next_ms = x->due_ms;
            best = x->due_ms <= now ? x : NULL;
        }
    }
    return best;
}

/* After a pause everything is looked at once, so that what lies in it is told from what comes later (job.c).
 */
static void pause_over(struct watch *w)
{
    w->paused = false;
    for (size_t i = 0; i < w->count; i++) {
        w->entries[i]->due_ms = now_ms(w);
    }
}

int64_t watch_step(struct watch *w)
{
    int64_t next_ms = TIME_NONE;
    if (w->reload) {
        list_reload(w);
    }
    int64_t paused_until = node_paused_until(w->n);
    int64_t now = now_ms(w);
    if (paused_until != 0) {
        w->paused = true;
        return w->count == 0 ? TIME_NONE : now + (paused_until - clock_wall_ms(&w->n->clock)) + 1;
    }
    if (w->paused) {
        pause_over(w);
    }
    struct entry *x = entry_due(w, now, &next_ms);
    if (x == NULL) {
        return next_ms;
    }
    entry_step(w, x);
    (void)entry_due(w, now_ms(w), &next_ms);
    return next_ms;
}

void watch_close(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        job_close(w->entries[i]->job);
        free(w->entries[i]);
    }
    w->n->watch_state = NULL;
    w->n->watch_changed = NULL;
    (void)close(w->fd);
    free(w);
}
