#include "tests/store/faultvfs.h"

#include "base/check.h"
#include "tests/support/rng.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR_BYTES 512

/* Undo record of one write since the last sync of its file. */
struct change {
    struct change *next; /* the one before */
    int64_t offset, old_size;
    size_t n, old_n; /* old_n bytes of the n lay within the old size */
    uint8_t *old, *now;
};

/* What is known of a path, beyond the life of a handle. */
struct tracked {
    struct tracked *next;
    char *path;
    struct change *changes; /* newest first */
};

struct fault_file {
    sqlite3_file base;
    struct tracked *tracked; /* NULL: temporary */
    sqlite3_file *real;
};

enum call_class { WRITES, READS, LOCKS, CLASSES };

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct tracked *files;
    enum fault fault;
    uint64_t calls[CLASSES], fail_at, fail_count;
    bool registered, stopped, struck;
} fault;

/* ---- counting */

static enum call_class class_of(enum fault f)
{
    return f == FAULT_READ ? READS : f == FAULT_LOCK ? LOCKS : WRITES;
}

/* One call more; whether it is among those that fail. */
static bool counted(enum call_class c)
{
    uint64_t n = ++fault.calls[c];
    bool fails = class_of(fault.fault) == c && fault.fault != FAULT_NONE && fault.fail_at != 0 &&
                 n >= fault.fail_at && (fault.fault == FAULT_CRASH || n - fault.fail_at < fault.fail_count);
    return fails;
}

static int strike(bool is_write)
{
    if (fault.stopped) {
        fault.calls[WRITES]++;
        return SQLITE_IOERR_WRITE;
    }
    if (!counted(WRITES)) {
        return SQLITE_OK;
    }
    fault.struck = true;
    if (fault.fault == FAULT_CRASH) {
        fault.stopped = true;
        return SQLITE_IOERR_WRITE;
    }
    if (fault.fault == FAULT_FULL) {
        return is_write ? SQLITE_FULL : SQLITE_OK;
    }
    return is_write ? SQLITE_IOERR_WRITE : SQLITE_IOERR_FSYNC;
}

static bool strike_other(enum call_class c)
{
    bool fails = counted(c);
    fault.struck = fault.struck || fails;
    return fails;
}

/* ---- files */

static struct fault_file *of(sqlite3_file *f)
{
    return (struct fault_file *)f;
}

static void changes_free(struct tracked *t)
{
    while (t->changes != NULL) {
        struct change *c = t->changes;
        t->changes = c->next;
        free(c->old);
        free(c->now);
        free(c);
    }
}

/* Not from malloc, which tests let fail for the code under test. */
static void *zeros(size_t n)
{
    void *p = NULL;
    CHECK(posix_memalign(&p, 16, n) == 0);
    memset(p, 0, n);
    return p;
}

static struct tracked *tracked_of(const char *path)
{
    for (struct tracked *t = fault.files; t != NULL; t = t->next) {
        if (strcmp(t->path, path) == 0) {
            return t;
        }
    }
    struct tracked *t = zeros(sizeof *t);
    t->path = zeros(strlen(path) + 1);
    memcpy(t->path, path, strlen(path));
    t->next = fault.files;
    fault.files = t;
    return t;
}

static void remember(struct fault_file *f, const void *p, int n, int64_t offset)
{
    struct change *c = zeros(sizeof *c);
    CHECK(f->real->pMethods->xFileSize(f->real, (sqlite3_int64 *)&c->old_size) == SQLITE_OK);
    c->offset = offset;
    c->n = (size_t)n;
    c->now = zeros(c->n + 1);
    c->old = zeros(c->n + 1);
    if (n > 0) {
        memcpy(c->now, p, c->n);
    }
    if (c->old_size > offset && n > 0) {
        int64_t there = c->old_size - offset;
        c->old_n = there < n ? (size_t)there : c->n;
        CHECK(f->real->pMethods->xRead(f->real, c->old, (int)c->old_n, offset) == SQLITE_OK);
    }
    c->next = f->tracked->changes;
    f->tracked->changes = c;
}

static int fault_close(sqlite3_file *f)
{
    return of(f)->real->pMethods != NULL ? of(f)->real->pMethods->xClose(of(f)->real) : SQLITE_OK;
}

static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    if (strike_other(READS)) {
        return SQLITE_IOERR_READ;
    }
    return of(f)->real->pMethods->xRead(of(f)->real, p, n, at);
}

static int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int rc = strike(true);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (of(f)->tracked != NULL) {
        remember(of(f), p, n, at);
    }
    return of(f)->real->pMethods->xWrite(of(f)->real, p, n, at);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = strike(true);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (of(f)->tracked != NULL) { /* durable at once, and with it what was written before */
        changes_free(of(f)->tracked);
    }
    return of(f)->real->pMethods->xTruncate(of(f)->real, size);
}

static int fault_sync(sqlite3_file *f, int flags)
{
    (void)flags; /* the real disk is not asked: tests that crash in memory need not wait for it */
    int rc = strike(false);
    if (rc == SQLITE_OK && of(f)->tracked != NULL) {
        changes_free(of(f)->tracked);
    }
    return rc;
}

static int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return of(f)->real->pMethods->xFileSize(of(f)->real, size);
}

static int fault_lock(sqlite3_file *f, int level)
{
    if (strike_other(LOCKS)) {
        return SQLITE_BUSY;
    }
    return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int fault_unlock(sqlite3_file *f, int level)
{
    return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int fault_reserved(sqlite3_file *f, int *out)
{
    return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, out);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
    return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int fault_sector(sqlite3_file *f)
{
    return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

static int fault_traits(sqlite3_file *f)
{
    (void)f;
    return 0; /* no safe appends, no atomic writes, no power-safe overwrites */
}

static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return of(f)->real->pMethods->xShmMap(of(f)->real, page, size, extend, out);
}

static int fault_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && strike_other(LOCKS)) {
        return SQLITE_BUSY;
    }
    return of(f)->real->pMethods->xShmLock(of(f)->real, at, n, flags);
}

static void fault_shm_barrier(sqlite3_file *f)
{
    of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int fault_shm_unmap(sqlite3_file *f, int drop)
{
    return of(f)->real->pMethods->xShmUnmap(of(f)->real, drop);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_traits,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

/* ---- the VFS */

static int fault_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    struct fault_file *x = of(f);
    memset(x, 0, sizeof *x);
    if (fault.stopped && (flags & SQLITE_OPEN_CREATE) != 0 && path != NULL && access(path, F_OK) != 0) {
        return SQLITE_CANTOPEN;
    }
    x->real = (sqlite3_file *)(x + 1);
    int rc = fault.real->xOpen(fault.real, path, x->real, flags, out);
    if (rc == SQLITE_OK) {
        x->base.pMethods = &fault_methods;
        x->tracked = path != NULL ? tracked_of(path) : NULL;
    }
    return rc;
}

static int fault_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    int rc = strike(true);
    if (rc != SQLITE_OK) {
        return rc == SQLITE_FULL ? SQLITE_IOERR_DELETE : rc;
    }
    changes_free(tracked_of(path));
    return fault.real->xDelete(fault.real, path, sync);
}

static int fault_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)vfs;
    return fault.real->xAccess(fault.real, path, flags, out);
}

static int fault_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    (void)vfs;
    return fault.real->xFullPathname(fault.real, path, n, out);
}

/* Who waits for a lock waits in vain: tests need not watch. */
static int fault_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

void faultvfs_reset(void)
{
    if (!fault.registered) {
        fault.real = sqlite3_vfs_find(NULL);
        fault.vfs = *fault.real;
        fault.vfs.pNext = NULL;
        fault.vfs.zName = FAULTVFS_NAME;
        fault.vfs.szOsFile += (int)sizeof(struct fault_file);
        fault.vfs.xOpen = fault_open;
        fault.vfs.xDelete = fault_delete;
        fault.vfs.xAccess = fault_access;
        fault.vfs.xSleep = fault_sleep;
        fault.vfs.xFullPathname = fault_full_path;
        CHECK(sqlite3_vfs_register(&fault.vfs, 0) == SQLITE_OK);
        fault.registered = true;
    }
    while (fault.files != NULL) {
        struct tracked *t = fault.files;
        fault.files = t->next;
        changes_free(t);
        free(t->path);
        free(t);
    }
    faultvfs_arm(FAULT_NONE, 0, 0);
}

void faultvfs_arm(enum fault kind, uint64_t fail_at, uint64_t fail_count)
{
    fault.fault = kind;
    fault.fail_at = fail_at;
    fault.fail_count = fail_count;
    memset(fault.calls, 0, sizeof fault.calls);
    fault.stopped = fault.struck = false;
}

uint64_t faultvfs_calls(void)
{
    return fault.calls[class_of(fault.fault)];
}

bool faultvfs_struck(void)
{
    return fault.struck;
}

/* ---- the power cut */

static void put(int fd, const uint8_t *p, size_t n, int64_t at)
{
    CHECK(n == 0 || pwrite(fd, p, n, at) == (ssize_t)n);
}

/* Back to what was synced. */
static void undo(int fd, const struct change *c)
{
    for (; c != NULL; c = c->next) {
        put(fd, c->old, c->old_n, c->offset);
        CHECK(ftruncate(fd, c->old_size) == 0);
    }
}

/* Each sector that the write touched is as it is to be, as it was, or garbage. */
static void redo_sectors(int fd, const struct change *c, struct test_rng *rng)
{
    uint8_t garbage[SECTOR_BYTES];
    for (size_t at = 0; at < c->n;) {
        size_t n = SECTOR_BYTES - (size_t)((c->offset + (int64_t)at) % SECTOR_BYTES);
        n = n < c->n - at ? n : c->n - at;
        uint64_t fate = test_rng_below(rng, 3);
        test_rng_fill(rng, garbage, n);
        if (fate > 0) {
            put(fd, fate == 1 ? c->now + at : garbage, n, c->offset + (int64_t)at);
        }
        at += n;
    }
}

/* Again, oldest first, what the disk took. */
static void redo(int fd, const struct change *c, struct test_rng *rng)
{
    if (c == NULL) {
        return;
    }
    redo(fd, c->next, rng);
    switch (test_rng_below(rng, 5)) {
    case 0:
        put(fd, c->now, (size_t)test_rng_below(rng, c->n + 1), c->offset);
        break;
    case 1:
        redo_sectors(fd, c, rng);
        break;
    case 2:
        break;
    default:
        put(fd, c->now, c->n, c->offset);
    }
}

void faultvfs_crash(uint64_t seed)
{
    struct test_rng rng;
    test_rng_init(&rng, seed);
    for (struct tracked *t = fault.files; t != NULL; t = t->next) {
        int fd = open(t->path, O_RDWR | O_CLOEXEC);
        if (fd >= 0) {
            undo(fd, t->changes);
            redo(fd, t->changes, &rng);
            close(fd);
        }
        char shm[1024];
        (void)snprintf(shm, sizeof shm, "%s-shm", t->path);
        (void)unlink(shm);
    }
    faultvfs_reset();
}
