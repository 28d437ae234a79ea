/* The endpoint's key: from a file that only its owner can read, or printed by a command. The command is
 * started without a shell, its output goes into memory that is wiped, nothing it says on standard error is
 * kept. */
#include "node/infer/endpoint_int.h"

#include "base/time.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32
#define REAP_MS 20
#define KEY_AGAIN_MS 60000 /* until a key that could not be had is looked for again */

static void child_end(struct endpoint *x)
{
    struct key *k = &x->key;
    if (k->fd >= 0) {
        (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, k->fd, NULL);
        (void)close(k->fd);
    }
    if (k->pid > 0) {
        (void)kill(-k->pid, SIGKILL); /* its group, to which it was put when it started */
        (void)waitpid(k->pid, NULL, 0);
    }
    k->fd = -1;
    k->pid = 0;
    k->printed = false;
}

void key_forget(struct endpoint *x)
{
    child_end(x);
    secret_buf_release(&x->key.text);
    x->key.state = KEY_UNKNOWN;
    x->key.e = ERR_INIT;
}

static int failed(struct endpoint *x)
{
    child_end(x);
    secret_buf_release(&x->key.text);
    x->key.state = KEY_FAILED;
    x->key.until_ms = endpoint_now(x) + KEY_AGAIN_MS;
    return x->key.e.code;
}

/* What was read → the key: one line of printable characters. */
static int key_judge(struct endpoint *x)
{
    struct key *k = &x->key;
    size_t n = bytes_trim(buf_view(&k->text)).n;
    size_t from = n > 0 ? (size_t)(bytes_trim(buf_view(&k->text)).p - k->text.p) : 0;
    bool fine = n > 0;
    memmove(k->text.p, k->text.p + from, n);
    k->text.n = n;
    for (size_t i = 0; fine && i < n; i++) {
        fine = k->text.p[i] > 0x20 && k->text.p[i] < 0x7f;
    }
    if (!fine) {
        (void)err_set(&k->e, ERR_PERM, "the endpoint's key is not one word of printable characters");
        return failed(x);
    }
    k->state = KEY_HERE;
    return 0;
}

/* ---- a file
 * ------------------------------------------------------------------------------------------------
 */

static int file_check(const char *path, const struct stat *st, struct err *e)
{
    if (!S_ISREG(st->st_mode)) {
        return err_set(e, ERR_PERM, "'%s' is not a regular file", path);
    }
    if (st->st_uid != geteuid()) {
        return err_set(e, ERR_PERM, "'%s' belongs to another user", path);
    }
    if ((st->st_mode & 077) != 0) {
        (void)err_set(e, ERR_PERM, "'%s' is open to other users (mode %04o)", path,
                      (unsigned)(st->st_mode & 07777));
        err_hint(e, "chmod 600 '%s'", path);
        return ERR_PERM;
    }
    return st->st_size > (off_t)ENDPOINT_KEY_BYTES ? err_set(e, ERR_PERM, "'%s' is too large for a key", path)
                                                   : 0;
}

static int file_take(struct endpoint *x)
{
    struct key *k = &x->key;
    struct stat st;
    const char *path = x->set.key_file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        (void)err_errno(&k->e, errno, "cannot read the key file '%s'", path);
        k->e.code = ERR_PERM;
        return failed(x);
    }
    int rc =
        fstat(fd, &st) == 0 ? file_check(path, &st, &k->e) : err_errno(&k->e, errno, "reading '%s'", path);
    while (rc == 0 && k->text.n < ENDPOINT_KEY_BYTES) {
        ssize_t n = read(fd, k->text.p + k->text.n, ENDPOINT_KEY_BYTES - k->text.n);
        if (n < 0 && errno != EINTR) {
            rc = err_errno(&k->e, errno, "reading '%s'", path);
        } else if (n == 0) {
            break;
        }
        k->text.n += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    return rc == 0 ? key_judge(x) : failed(x);
}

/* ---- a command
 * ---------------------------------------------------------------------------------------------
 */

/* Cuts the lines of text (changed) into arguments; false when there are too many. */
static bool args_split(char *text, char *argv[ARGS_MAX + 1])
{
    size_t n = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '\0' && rest == NULL) {
            break;
        }
        if (n == ARGS_MAX) {
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

static int command_start(struct endpoint *x)
{
    struct key *k = &x->key;
    char text[LIMIT_SETTING_BYTES + 1];
    char *argv[ARGS_MAX + 1];
    int fds[2];
    memcpy(text, x->set.key_command, sizeof(text));
    if (!args_split(text, argv)) {
        (void)err_set(&k->e, ERR_PERM, "the command for the endpoint's key has more than %d arguments",
                      ARGS_MAX);
        return failed(x);
    }
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        (void)err_errno(&k->e, errno, "starting the command for the endpoint's key");
        return failed(x);
    }
    (void)fcntl(fds[1], F_SETFL, 0); /* the command's end waits */
    int eno = spawn((const char *const *)argv, fds[1], &k->pid);
    (void)close(fds[1]);
    k->fd = fds[0];
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = k->fd};
    if (eno != 0 || epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, k->fd, &ev) != 0) {
        k->pid = eno != 0 ? 0 : k->pid;
        (void)err_errno(&k->e, eno != 0 ? eno : errno, "cannot run '%s' for the endpoint's key", argv[0]);
        k->e.code = ERR_PERM;
        return failed(x);
    }
    k->state = KEY_FETCHING;
    k->until_ms = endpoint_now(x) + ENDPOINT_KEY_MS;
    return ERR_INUSE;
}

/* From now on its end is waited for, on a descriptor of the process; where there is none, every so often. */
static void output_close(struct endpoint *x)
{
    struct key *k = &x->key;
    (void)epoll_ctl(x->epoll_fd, EPOLL_CTL_DEL, k->fd, NULL);
    (void)close(k->fd);
    k->printed = true;
    k->fd = pidfd_open(k->pid, 0);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = k->fd};
    if (k->fd >= 0 && epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, k->fd, &ev) != 0) {
        (void)err_errno(&k->e, errno, "waiting for the command for the endpoint's key");
        (void)failed(x);
    }
}

/* It has closed its output: how did it end? */
static void command_end(struct endpoint *x)
{
    struct key *k = &x->key;
    int status = 0;
    pid_t got = waitpid(k->pid, &status, WNOHANG);
    if (got == 0) {
        return; /* not yet; until the deadline */
    }
    k->pid = 0;
    child_end(x);
    if (got < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)err_set(&k->e, ERR_PERM, "the command for the endpoint's key failed");
        (void)failed(x);
        return;
    }
    (void)key_judge(x);
}

/* Takes what the command has printed; closes its output when that is over. */
static void output_take(struct endpoint *x)
{
    struct key *k = &x->key;
    ssize_t n = 0;
    do {
        /* One byte more than a key may have tells that it is too long. */
        n = read(k->fd, k->text.p + k->text.n, ENDPOINT_KEY_BYTES + 1 - k->text.n);
        k->text.n += n > 0 ? (size_t)n : 0;
    } while ((n > 0 && k->text.n <= ENDPOINT_KEY_BYTES) || (n < 0 && errno == EINTR));
    if (k->text.n > ENDPOINT_KEY_BYTES) {
        (void)err_set(&k->e, ERR_PERM, "the command for the endpoint's key prints more than a key");
        (void)failed(x);
    } else if (n == 0) {
        output_close(x);
    }
}

int64_t key_step(struct endpoint *x)
{
    struct key *k = &x->key;
    if (k->state == KEY_FETCHING && !k->printed) {
        output_take(x);
    }
    if (k->state == KEY_FETCHING && k->printed) {
        command_end(x);
    }
    if (k->state == KEY_FETCHING && endpoint_now(x) >= k->until_ms) {
        (void)err_set(&k->e, ERR_PERM, "the command for the endpoint's key takes too long");
        (void)failed(x);
    }
    return k->state != KEY_FETCHING ? TIME_NONE : k->fd >= 0 ? k->until_ms : endpoint_now(x) + REAP_MS;
}

int key_have(struct endpoint *x, struct err *e)
{
    struct key *k = &x->key;
    int rc = 0;
    if (k->state == KEY_FAILED && endpoint_now(x) >= k->until_ms) {
        key_forget(x);
    }
    if (k->state == KEY_UNKNOWN) {
        k->e = ERR_INIT;
        if (x->set.key_file[0] == '\0' && x->set.key_command[0] == '\0') {
            k->state = KEY_NONE;
        } else if (secret_buf_init(&k->text, ENDPOINT_KEY_BYTES + 1) != 0) {
            (void)err_set(&k->e, ERR_NOMEM, "reading the endpoint's key");
            rc = failed(x);
        } else {
            rc = x->set.key_file[0] != '\0' ? file_take(x) : command_start(x);
        }
    }
    if (k->state == KEY_FETCHING) {
        return err_set(e, ERR_INUSE, "the endpoint's key is being fetched");
    }
    if (k->state == KEY_FAILED) {
        rc = k->e.code != 0 ? k->e.code : ERR_PERM;
        if (e != NULL) {
            *e = k->e;
        }
    }
    return rc;
}
