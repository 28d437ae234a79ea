/* What the command prints is held in memory until it was sent, or is what was seen before: the same picture
 * as the last one, or as any that was ever described. Whether the screen has changed is judged by the picture
 * alone, without the dates and comments that many programs write into each file (node/observe/picture.h). */
#include "node/screen.h"

#include "node/child.h"
#include "node/config.h"
#include "node/observe/picture.h"
#include "node/pictures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SOURCE "screenshot"

struct screen {
    struct node *n;
    int epoll_fd;
    struct child child;
    char command[LIMIT_SETTING_BYTES + 1]; /* "": none */
    int64_t every_ms;
    bool read;        /* the settings were */
    int64_t last_ms;  /* monotonic: when the command was started; 0: not yet */
    int64_t again_ms; /* it could not be sent: when that is looked at again */
    int64_t time_ms;  /* wall, when the command was started */
    char last_id[PICTURE_ID_BYTES + 1];
    struct buf out;
    struct screen_state state;
};

int screen_every_check(struct bytes value, struct err *e)
{
    int64_t ms = 0;
    return duration_parse(value, &ms) != 0 || ms < SCREEN_EVERY_MS_MIN
               ? err_set(e, ERR_USAGE, "a duration from 10s on, such as 5m")
               : 0;
}

static void trouble(struct screen *s, const char *text)
{
    if (text[0] != '\0' && strcmp(s->state.trouble, text) != 0) {
        log_line(&s->n->log, LOG_WARN, "screen", "%s", text);
    }
    (void)snprintf(s->state.trouble, sizeof(s->state.trouble), "%s", text);
}

/* Settings that cannot be read are no command. */
static void settings_read(struct screen *s)
{
    struct buf v;
    buf_init(&v, LIMIT_SETTING_BYTES);
    s->read = true;
    s->command[0] = '\0';
    int rc = config_text(s->n->store, "screenshot.every", &v, NULL);
    if (rc != 0 || screen_every_check(buf_view(&v), NULL) != 0 ||
        duration_parse(buf_view(&v), &s->every_ms) != 0) {
        buf_release(&v);
        return;
    }
    buf_clear(&v);
    if (config_text(s->n->store, "screenshot.command", &v, NULL) == 0) {
        (void)snprintf(s->command, sizeof(s->command), "%s", buf_cstr(&v));
    }
    buf_release(&v);
    s->state.on = s->command[0] != '\0';
}

/* ---- one ------------------------------------------------------------------------------------------------
 */

static void begin(struct screen *s)
{
    struct err e = ERR_INIT;
    int64_t now = clock_mono_ms(&s->n->clock);
    if (pictures_may_show(s->n, SOURCE, &e) != 0) {
        s->again_ms = now + s->every_ms;
        trouble(s, e.text);
        return;
    }
    s->last_ms = now;
    s->time_ms = clock_wall_ms(&s->n->clock);
    buf_clear(&s->out);
    if (child_start(&s->child, s->command, now + SCREEN_COMMAND_MS, &e) != 0) {
        (void)err_wrap(&e, e.code, "the command for screenshots");
        trouble(s, e.text);
    }
}

static void picture_take(struct screen *s)
{
    struct picture p;
    struct buf left;
    struct err e = ERR_INIT;
    enum picture_fate fate = PICTURE_KNOWN;
    buf_init(&left, PICTURE_BYTES_MAX);
    int rc = picture_read(buf_view(&s->out), &p, &left, &e);
    if (rc != 0) {
        (void)err_wrap(&e, rc, "the command for screenshots prints");
        trouble(s, e.text);
        buf_release(&left);
        return;
    }
    trouble(s, "");
    s->state.taken++;
    bool same = strcmp(p.id, s->last_id) == 0;
    memcpy(s->last_id, p.id, sizeof(p.id));
    if (!same) {
        const struct picture_shown shown = {SOURCE, s->time_ms, p.id, p.type, buf_view(&left)};
        rc = pictures_show(s->n, &shown, &fate, &e);
    }
    if (rc != 0) {
        trouble(s, e.text);
    }
    s->state.unchanged += same || fate == PICTURE_KNOWN ? 1 : 0;
    buf_release(&left);
}

static void command_judge(struct screen *s, enum child_state c)
{
    static const char *const said[] = {[CHILD_FAILED] = "the command for screenshots failed",
                                       [CHILD_LATE] = "the command for screenshots takes too long",
                                       [CHILD_MUCH] =
                                           "the command for screenshots prints more than a picture",
                                       [CHILD_NOMEM] = "there is no memory for a screenshot"};
    if (c == CHILD_RUNS) {
        return;
    }
    if (c == CHILD_DONE) {
        picture_take(s);
    } else {
        trouble(s, said[c]);
    }
    buf_release(&s->out);
}

/* ---- moving on --------------------------------------------------------------------------------------------
 */

static int64_t running_step(struct screen *s)
{
    int64_t now = clock_mono_ms(&s->n->clock);
    command_judge(s, child_step(&s->child, now, &s->out, PICTURE_BYTES_MAX));
    return child_runs(&s->child) ? child_due(&s->child, now) : now;
}

static void stop(struct screen *s)
{
    child_end(&s->child);
    buf_release(&s->out);
}

static int64_t due(const struct screen *s)
{
    int64_t next = s->last_ms != 0 ? s->last_ms + s->every_ms : 0;
    return next > s->again_ms ? next : s->again_ms;
}

int64_t screen_step(struct node *n)
{
    struct screen *s = n->screen;
    if (s == NULL) {
        return TIME_NONE;
    }
    if (!s->read) {
        settings_read(s);
    }
    if (s->command[0] == '\0') {
        return TIME_NONE;
    }
    int64_t now = clock_mono_ms(&n->clock);
    int64_t paused = node_paused_until(n);
    if (paused != 0) {
        stop(s);
        return now + (paused - clock_wall_ms(&n->clock)) + 1;
    }
    if (child_runs(&s->child)) {
        return running_step(s);
    }
    if (pictures_showing(n)) {
        return TIME_NONE; /* its answer wakes the loop */
    }
    if (now >= due(s)) {
        begin(s);
    }
    return child_runs(&s->child) ? child_due(&s->child, now) : due(s);
}

void screen_wake(struct node *n)
{
    struct screen *s = n->screen;
    if (s == NULL) {
        return;
    }
    stop(s);
    s->read = false;
    s->again_ms = 0;
    s->state.on = false;
    trouble(s, "");
}

/* ---- opening ----------------------------------------------------------------------------------------------
 */

int screen_open(struct node *n, struct err *e)
{
    struct screen *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, "opening screenshots");
    }
    s->n = n;
    buf_init(&s->out, PICTURE_BYTES_MAX + 1);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0) {
        int eno = errno;
        free(s);
        return err_errno(e, eno, "opening screenshots");
    }
    child_init(&s->child, s->epoll_fd);
    n->screen = s;
    return 0;
}

void screen_close(struct node *n)
{
    struct screen *s = n->screen;
    if (s == NULL) {
        return;
    }
    stop(s);
    (void)close(s->epoll_fd);
    n->screen = NULL;
    free(s);
}

int screen_fd(const struct screen *s)
{
    return s->epoll_fd;
}

void screen_look(const struct node *n, struct screen_state *out)
{
    *out = n->screen != NULL ? n->screen->state : (struct screen_state){0};
}
