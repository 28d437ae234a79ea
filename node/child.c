#include "node/child.h"

#include "base/check.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define REAP_MS 20
#define CHUNK_BYTES 65536u

void child_init(struct child *c, int epoll_fd)
{
    *c = (struct child){.epoll_fd = epoll_fd, .fd = -1};
}

bool child_runs(const struct child *c)
{
    return c->pid > 0;
}

void child_end(struct child *c)
{
    if (c->fd >= 0) {
        (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        (void)close(c->fd);
    }
    if (c->pid > 0) {
        (void)kill(-c->pid, SIGKILL); /* its group, to which it was put when it started */
        (void)waitpid(c->pid, NULL, 0);
    }
    c->fd = -1;
    c->pid = 0;
    c->printed = false;
}

/* Cuts the lines of text (changed) into arguments; false when there are too many. */
static bool args_split(char *text, char *argv[CHILD_ARGS_MAX + 1])
{
    size_t n = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '\0' && rest == NULL) {
            break;
        }
        if (n == CHILD_ARGS_MAX) {
            return false;
        }
        argv[n++] = line;
    }
    argv[n] = NULL;
    return n > 0;
}

/* Its own group, no signal blocked or ignored, nothing of ours open but the pipe. */
static int spawn(const char *const *argv_in, int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigemptyset(&all);
    (void)sigaddset(&all, SIGPIPE);
    if (posix_spawn_file_actions_init(&files) != 0) {
        return ENOMEM;
    }
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    bool ok = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) == 0 &&
              posix_spawn_file_actions_adddup2(&files, out, 1) == 0 &&
              posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawn_file_actions_addclosefrom_np(&files, 3) == 0 &&
              posix_spawnattr_setsigmask(&attr, &none) == 0 &&
              posix_spawnattr_setsigdefault(&attr, &all) == 0 && posix_spawnattr_setpgroup(&attr, 0) == 0 &&
              posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF) == 0;
    union { /* execve() takes them as it always has, and changes nothing */
        const char *const *in;
        char *const *out;
    } argv = {.in = argv_in};
    int eno = ok ? posix_spawn(pid, argv_in[0], &files, &attr, argv.out, environ) : ENOMEM;
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return eno;
}

int child_start(struct child *c, const char *command, int64_t until_ms, struct err *e)
{
    char text[LIMIT_SETTING_BYTES + 1];
    char *argv[CHILD_ARGS_MAX + 1];
    int fds[2];
    CHECK(!child_runs(c));
    int n = snprintf(text, sizeof(text), "%s", command);
    if (n < 0 || (size_t)n >= sizeof(text) || !args_split(text, argv)) {
        return err_set(e, ERR_PERM, "the command has more than %d arguments", CHILD_ARGS_MAX);
    }
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return err_errno(e, errno, "starting '%s'", argv[0]);
    }
    (void)fcntl(fds[1], F_SETFL, 0); /* the command's end waits */
    int eno = spawn((const char *const *)argv, fds[1], &c->pid);
    (void)close(fds[1]);
    c->fd = fds[0];
    c->pid = eno != 0 ? 0 : c->pid;
    c->until_ms = until_ms;
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = c->fd};
    if (eno == 0 && epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
        eno = errno;
    }
    if (eno != 0) {
        child_end(c);
        return err_errno(e, eno, "cannot run '%s'", argv[0]);
    }
    return 0;
}

/* From now on its end is waited for, on a descriptor of the process; where there is none, every so often. */
static void output_close(struct child *c)
{
    (void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    (void)close(c->fd);
    c->printed = true;
    c->fd = pidfd_open(c->pid, 0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = c->fd};
    if (c->fd >= 0 && epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
        (void)close(c->fd);
        c->fd = -1;
    }
}

/* Takes what it has printed; closes its output when that is over. */
static enum child_state output_take(struct child *c, struct buf *out, size_t max)
{
    ssize_t n = 0;
    do {
        /* One byte more than it may print tells that it is too much. */
        size_t room = max + 1 - out->n < CHUNK_BYTES ? max + 1 - out->n : CHUNK_BYTES;
        uint8_t *at = buf_extend(out, room);
        if (at == NULL) {
            return CHILD_NOMEM;
        }
        n = read(c->fd, at, room);
        out->n -= room - (n > 0 ? (size_t)n : 0);
    } while ((n > 0 && out->n <= max) || (n < 0 && errno == EINTR));
    if (n == 0) {
        output_close(c);
    }
    return out->n > max ? CHILD_MUCH : CHILD_RUNS;
}

/* It has closed its output: how did it end? */
static enum child_state ending(struct child *c)
{
    int status = 0;
    pid_t got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0) {
        return CHILD_RUNS;
    }
    c->pid = 0;
    return got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CHILD_DONE : CHILD_FAILED;
}

enum child_state child_step(struct child *c, int64_t now_ms, struct buf *out, size_t max)
{
    CHECK(child_runs(c));
    enum child_state s = c->printed ? CHILD_RUNS : output_take(c, out, max);
    if (s == CHILD_RUNS && c->printed) {
        s = ending(c);
    }
    if (s == CHILD_RUNS && now_ms >= c->until_ms) {
        s = CHILD_LATE;
    }
    if (s != CHILD_RUNS) {
        child_end(c);
    }
    return s;
}

int64_t child_due(const struct child *c, int64_t now_ms)
{
    return c->fd >= 0 ? c->until_ms : now_ms + REAP_MS;
}
