/* A program of the user's choice, run for what it prints: started without a shell, in a process group of its
 * own, with nothing of ours open but the pipe; its standard error is not read. Never waits: descriptors wake
 * the caller's epoll, child_step() moves it on. It and its group are killed when it takes too long, prints
 * too much, or is not wanted any more. */
#ifndef NODE_CHILD_H
#define NODE_CHILD_H

#include "base/bytes.h"

#include <sys/types.h>

#define CHILD_ARGS_MAX 32

struct child {
    int epoll_fd; /* borrowed */
    pid_t pid;    /* 0: none runs */
    int fd;       /* its output, then the process; -1 */
    bool printed; /* it has closed its output */
    int64_t until_ms;
};

void child_init(struct child *c, int epoll_fd);
/* command: the path of the program, then its arguments, one a line. until_ms: when it must be over
 * (monotonic). ERR_PERM: not a command; else as errno says. None may run. */
int child_start(struct child *c, const char *command, int64_t until_ms, struct err *e) MUST_CHECK;

enum child_state {
    CHILD_RUNS,
    CHILD_DONE,   /* ended well; all that it printed is in the buffer */
    CHILD_FAILED, /* ended badly */
    CHILD_LATE,
    CHILD_MUCH, /* printed more than max */
    CHILD_NOMEM,
};
/* Appends what it printed to *out, which may come to hold max + 1 bytes and is not moved when it has that
 * room. Anything but CHILD_RUNS ends it. */
enum child_state child_step(struct child *c, int64_t now_ms, struct buf *out, size_t max);
/* When to step it at the latest (monotonic). */
int64_t child_due(const struct child *c, int64_t now_ms);
bool child_runs(const struct child *c);
void child_end(struct child *c); /* fine when none runs */

#endif
