#include "tests/faults/faults.h"

#include "base/check.h"
#include "tests/store/faultvfs.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static struct {
    struct faults_plan plan;
    uint64_t calls;
    bool struck;
    sqlite3_mem_methods sqlite;
} faults;

static bool fails(enum faults_kind kind)
{
    if (faults.plan.kind != kind)
        return false;
    faults.calls++;
    bool now = faults.plan.at != 0 &&
               (faults.calls == faults.plan.at || (faults.plan.for_good && faults.calls > faults.plan.at));
    faults.struck = faults.struck || now;
    return now;
}

/* ---- memory: the linker sends our calls here */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
    return fails(FAULTS_ALLOC) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails(FAULTS_ALLOC) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails(FAULTS_ALLOC) ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return fails(FAULTS_ALLOC) ? NULL : __real_strdup(s);
}

static void *sqlite_malloc(int n)
{
    return fails(FAULTS_ALLOC) ? NULL : faults.sqlite.xMalloc(n);
}

static void *sqlite_realloc(void *p, int n)
{
    return fails(FAULTS_ALLOC) ? NULL : faults.sqlite.xRealloc(p, n);
}

void faults_install(void)
{
    cJSON_Hooks hooks = {__wrap_malloc, free};
    sqlite3_mem_methods own;
    CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &faults.sqlite) == SQLITE_OK);
    own = faults.sqlite;
    own.xMalloc = sqlite_malloc;
    own.xRealloc = sqlite_realloc;
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &own) == SQLITE_OK);
    /* Every allocation is to be seen, none served from a pool. */
    CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
    cJSON_InitHooks(&hooks);
    faultvfs_reset();
}

/* ---- system calls of our own */

int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __real_write(int fd, const void *p, size_t n);
int __real_rename(const char *from, const char *to);

static bool system_fails(int error)
{
    if (!fails(FAULTS_SYSTEM))
        return false;
    errno = error;
    return true;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return system_fails(EIO) ? -1 : __real_open(path, flags, mode);
}

ssize_t __wrap_read(int fd, void *p, size_t n)
{
    return system_fails(EIO) ? -1 : __real_read(fd, p, n);
}

/* A disk that fills up takes the first half. */
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    if (!system_fails(ENOSPC))
        return __real_write(fd, p, n);
    if (n > 1 && faults.plan.for_good && faults.calls == faults.plan.at)
        return __real_write(fd, p, n / 2);
    errno = ENOSPC;
    return -1;
}

/* The real disk is not asked: no power is cut here. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return system_fails(EIO) ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to)
{
    return system_fails(EIO) ? -1 : __real_rename(from, to);
}

/* ---- plans */

static enum fault file_fault(enum faults_kind kind)
{
    switch (kind) {
    case FAULTS_READ:
        return FAULT_READ;
    case FAULTS_WRITE:
        return FAULT_IO;
    case FAULTS_FULL:
        return FAULT_FULL;
    case FAULTS_LOCK:
        return FAULT_LOCK;
    case FAULTS_NONE:
    case FAULTS_ALLOC:
    case FAULTS_SYSTEM:
    case FAULTS_KINDS:
        break;
    }
    return FAULT_NONE;
}

void faults_arm(const struct faults_plan *p)
{
    faults.plan = *p;
    faults.calls = 0;
    faults.struck = false;
    faultvfs_arm(file_fault(p->kind), p->at, p->for_good ? UINT64_MAX / 2 : 1);
}

uint64_t faults_disarm(bool *struck)
{
    bool of_file = file_fault(faults.plan.kind) != FAULT_NONE;
    uint64_t calls = of_file ? faultvfs_calls() : faults.calls;
    *struck = of_file ? faultvfs_struck() : faults.struck;
    faults.plan = (struct faults_plan){0};
    faultvfs_arm(FAULT_NONE, 0, 0);
    return calls;
}
