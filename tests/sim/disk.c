#include "tests/sim/disk.h"

#include "base/check.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SHM_REGIONS 64
#define SECTOR 4096

/* A write since the last sync. */
struct change {
    struct change *next; /* the one before */
    size_t at, n, old_size;
    uint8_t *old, *now;
};

struct file {
    struct file *next;
    char name[DISK_PATH_BYTES];
    uint8_t *data;
    size_t size, cap;
    struct change *changes; /* newest first */
    void *shm[SHM_REGIONS];
    unsigned opened;
    bool unlinked; /* goes at the last close */
};

struct handle {
    sqlite3_file base;
    struct file *file;
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_mem_methods memory;
    bool registered, track;
    struct file *files;
    uint64_t allocated;
    char path[DISK_PATH_BYTES];
    enum disk_fault fault;
    uint64_t after, count;
    bool struck, held;
} disk;

/* ---- faults */

static bool on_disk(const char *name, const char *path)
{
    size_t n = strlen(path);
    return n > 0 && strncmp(name, path, n) == 0 && (name[n] == '\0' || name[n] == '-');
}

static bool strikes(enum disk_fault kind)
{
    if (disk.fault != kind || disk.count == 0 || disk.held)
        return false;
    if (disk.after > 0) {
        disk.after--;
        return false;
    }
    if (kind != DISK_POWER)
        disk.count--;
    disk.struck = true;
    return true;
}

static bool strikes_file(const struct file *f, enum disk_fault kind)
{
    return disk.fault == kind && on_disk(f->name, disk.path) && strikes(kind);
}

static bool is_off(const struct file *f)
{
    return disk.fault == DISK_POWER && disk.struck && on_disk(f->name, disk.path);
}

void disk_arm(const char *path, enum disk_fault fault, uint64_t after, uint64_t count)
{
    (void)strncpy(disk.path, path, sizeof disk.path - 1);
    disk.fault = fault;
    disk.after = after;
    disk.count = count;
    disk.struck = false;
}

bool disk_struck(void)
{
    return disk.struck;
}

bool disk_armed(void)
{
    return disk.fault != DISK_FINE && disk.count > 0;
}

bool disk_lost_power(const char *path)
{
    return disk.fault == DISK_POWER && disk.struck && strcmp(disk.path, path) == 0;
}

void disk_hold(bool held)
{
    disk.held = held;
}

uint64_t disk_memory(void)
{
    return disk.allocated;
}

/* ---- memory */

static void *memory_take(int n)
{
    if (disk.fault == DISK_MEMORY && strikes(DISK_MEMORY))
        return NULL;
    void *p = disk.memory.xMalloc(n);
    disk.allocated += p ? (uint64_t)disk.memory.xSize(p) : 0;
    return p;
}

static void memory_give(void *p)
{
    disk.allocated -= p ? (uint64_t)disk.memory.xSize(p) : 0;
    disk.memory.xFree(p);
}

static void *memory_grow(void *p, int n)
{
    if (disk.fault == DISK_MEMORY && strikes(DISK_MEMORY))
        return NULL;
    uint64_t before = (uint64_t)disk.memory.xSize(p);
    void *q = disk.memory.xRealloc(p, n);
    disk.allocated += q ? (uint64_t)disk.memory.xSize(q) - before : 0;
    return q;
}

/* ---- files */

static struct file *file_find(const char *name)
{
    for (struct file *f = disk.files; f; f = f->next) {
        if (!f->unlinked && strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static struct file *file_make(const char *name)
{
    struct file *f = calloc(1, sizeof *f);
    CHECK(f && strlen(name) < sizeof f->name);
    (void)strncpy(f->name, name, sizeof f->name - 1);
    f->next = disk.files;
    disk.files = f;
    return f;
}

static void changes_free(struct file *f)
{
    while (f->changes) {
        struct change *c = f->changes;
        f->changes = c->next;
        free(c->old);
        free(c->now);
        free(c);
    }
}

static void shm_free(struct file *f)
{
    for (size_t i = 0; i < SHM_REGIONS; i++) {
        free(f->shm[i]);
        f->shm[i] = NULL;
    }
}

static void file_free(struct file *f)
{
    struct file **at = &disk.files;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    changes_free(f);
    shm_free(f);
    free(f->data);
    free(f);
}

static void file_drop(struct file *f)
{
    f->unlinked = true;
    if (f->opened == 0)
        file_free(f);
}

static void file_size(struct file *f, size_t size)
{
    if (size > f->cap) {
        f->cap = size + size / 2 + 4096;
        f->data = realloc(f->data, f->cap);
        CHECK(f->data);
    }
    if (size > f->size)
        memset(f->data + f->size, 0, size - f->size);
    f->size = size;
}

static void file_put(struct file *f, const void *p, size_t n, size_t at)
{
    if (at + n > f->size)
        file_size(f, at + n);
    if (n > 0)
        memcpy(f->data + at, p, n);
}

static uint8_t *copy_of(const void *p, size_t n)
{
    uint8_t *q = malloc(n + 1);
    CHECK(q);
    if (n > 0)
        memcpy(q, p, n);
    return q;
}

static void remember(struct file *f, const void *p, size_t n, size_t at)
{
    struct change *c = calloc(1, sizeof *c);
    size_t there = at < f->size ? f->size - at : 0;
    CHECK(c);
    *c = (struct change){.next = f->changes, .at = at, .n = n, .old_size = f->size, .now = copy_of(p, n)};
    c->old = calloc(1, n + 1);
    CHECK(c->old);
    if (there > 0)
        memcpy(c->old, f->data + at, there < n ? there : n);
    f->changes = c;
}

/* ---- SQLite's methods of a file */

static struct file *of(sqlite3_file *f)
{
    return ((struct handle *)f)->file;
}

static int sim_close(sqlite3_file *h)
{
    struct file *f = of(h);
    if (--f->opened == 0 && f->unlinked)
        file_free(f);
    return SQLITE_OK;
}

static int sim_read(sqlite3_file *h, void *p, int n, sqlite3_int64 at)
{
    struct file *f = of(h);
    size_t from = (size_t)at, want = (size_t)n, have = from < f->size ? f->size - from : 0;
    if (is_off(f) || strikes_file(f, DISK_READ))
        return SQLITE_IOERR_READ;
    if (have >= want) {
        memcpy(p, f->data + from, want);
        return SQLITE_OK;
    }
    memset(p, 0, want);
    if (have > 0)
        memcpy(p, f->data + from, have);
    return SQLITE_IOERR_SHORT_READ;
}

static int sim_write(sqlite3_file *h, const void *p, int n, sqlite3_int64 at)
{
    struct file *f = of(h);
    if (is_off(f) || strikes_file(f, DISK_POWER) || strikes_file(f, DISK_WRITE))
        return SQLITE_IOERR_WRITE;
    if ((size_t)at + (size_t)n > f->size && strikes_file(f, DISK_FULL))
        return SQLITE_FULL;
    if (disk.track)
        remember(f, p, (size_t)n, (size_t)at);
    file_put(f, p, (size_t)n, (size_t)at);
    return SQLITE_OK;
}

static int sim_truncate(sqlite3_file *h, sqlite3_int64 size)
{
    struct file *f = of(h);
    if (is_off(f) || strikes_file(f, DISK_POWER) || strikes_file(f, DISK_WRITE))
        return SQLITE_IOERR_TRUNCATE;
    changes_free(f); /* durable at once, and with it what was written before */
    file_size(f, (size_t)size);
    return SQLITE_OK;
}

static int sim_sync(sqlite3_file *h, int flags)
{
    struct file *f = of(h);
    (void)flags;
    if (is_off(f) || strikes_file(f, DISK_POWER) || strikes_file(f, DISK_WRITE))
        return SQLITE_IOERR_FSYNC;
    changes_free(f);
    return SQLITE_OK;
}

static int sim_size(sqlite3_file *h, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)of(h)->size;
    return SQLITE_OK;
}

/* One connection at a time has a file open, so locks need not be kept. */
static int sim_lock(sqlite3_file *h, int level)
{
    (void)h, (void)level;
    return SQLITE_OK;
}

static int sim_reserved(sqlite3_file *h, int *out)
{
    (void)h;
    *out = 0;
    return SQLITE_OK;
}

static int sim_control(sqlite3_file *h, int op, void *arg)
{
    (void)h, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int sim_sector(sqlite3_file *h)
{
    (void)h;
    return SECTOR;
}

static int sim_traits(sqlite3_file *h)
{
    (void)h;
    return 0; /* no safe appends, no atomic writes, no power-safe overwrites */
}

static int sim_shm_map(sqlite3_file *h, int region, int size, int extend, void volatile **out)
{
    struct file *f = of(h);
    *out = NULL;
    if (region >= SHM_REGIONS)
        return SQLITE_IOERR_SHMMAP;
    if (!f->shm[region] && extend) {
        f->shm[region] = calloc(1, (size_t)size);
        CHECK(f->shm[region]);
    }
    *out = f->shm[region];
    return SQLITE_OK;
}

static int sim_shm_lock(sqlite3_file *h, int at, int n, int flags)
{
    (void)h, (void)at, (void)n, (void)flags;
    return SQLITE_OK;
}

static void sim_shm_barrier(sqlite3_file *h)
{
    (void)h;
}

static int sim_shm_unmap(sqlite3_file *h, int drop)
{
    (void)drop; /* nobody else has it mapped */
    shm_free(of(h));
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = sim_close,
    .xRead = sim_read,
    .xWrite = sim_write,
    .xTruncate = sim_truncate,
    .xSync = sim_sync,
    .xFileSize = sim_size,
    .xLock = sim_lock,
    .xUnlock = sim_lock,
    .xCheckReservedLock = sim_reserved,
    .xFileControl = sim_control,
    .xSectorSize = sim_sector,
    .xDeviceCharacteristics = sim_traits,
    .xShmMap = sim_shm_map,
    .xShmLock = sim_shm_lock,
    .xShmBarrier = sim_shm_barrier,
    .xShmUnmap = sim_shm_unmap,
};

/* ---- SQLite's methods of the VFS */

static bool is_scrub(const char *name)
{
    size_t n = strlen(name);
    return n > 6 && strcmp(name + n - 6, "-scrub") == 0;
}

static int sim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *h, int flags, int *out)
{
    (void)vfs;
    struct file *f = name ? file_find(name) : NULL;
    h->pMethods = NULL;
    /* The store makes its file itself before SQLite opens it. */
    bool makes =
        (flags & SQLITE_OPEN_CREATE) || ((flags & SQLITE_OPEN_MAIN_DB) && (flags & SQLITE_OPEN_READWRITE));
    if (!f && !makes)
        return SQLITE_CANTOPEN;
    if (!f && name && disk.fault == DISK_POWER && disk.struck && on_disk(name, disk.path))
        return SQLITE_CANTOPEN;
    if (!f)
        f = file_make(name ? name : "");
    else if (is_scrub(name) && (flags & SQLITE_OPEN_CREATE))
        file_size(f, 0);
    f->unlinked = f->unlinked || name == NULL;
    f->opened++;
    h->pMethods = &methods;
    ((struct handle *)h)->file = f;
    if (out)
        *out = flags;
    return SQLITE_OK;
}

static int sim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)sync;
    struct file *f = file_find(name);
    if (!f)
        return SQLITE_IOERR_DELETE_NOENT;
    if (is_off(f) || strikes_file(f, DISK_POWER) || strikes_file(f, DISK_WRITE))
        return SQLITE_IOERR_DELETE;
    file_drop(f);
    return SQLITE_OK;
}

static int sim_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    const struct file *f = file_find(name);
    *out = f && (flags != SQLITE_ACCESS_EXISTS || f->size > 0);
    return SQLITE_OK;
}

static int sim_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    size_t len = strlen(name);
    if (len >= (size_t)n)
        return SQLITE_CANTOPEN;
    memcpy(out, name, len + 1);
    return SQLITE_OK;
}

static void start_memory(void)
{
    CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &disk.memory) == SQLITE_OK);
    if (!disk.memory.xMalloc) { /* not set up yet: initialising does it */
        CHECK(sqlite3_initialize() == SQLITE_OK && sqlite3_shutdown() == SQLITE_OK);
        CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &disk.memory) == SQLITE_OK);
    }
    sqlite3_mem_methods m = disk.memory;
    m.xMalloc = memory_take;
    m.xFree = memory_give;
    m.xRealloc = memory_grow;
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &m) == SQLITE_OK);
    CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    /* Lookaside and page memory of SQLite's own would hide most allocations from a fault. */
    CHECK(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK);
}

static void start_vfs(void)
{
    start_memory();
    disk.vfs = *sqlite3_vfs_find(NULL);
    disk.vfs.pNext = NULL;
    disk.vfs.zName = DISK_VFS;
    disk.vfs.szOsFile = (int)sizeof(struct handle);
    disk.vfs.mxPathname = DISK_PATH_BYTES;
    disk.vfs.xOpen = sim_open;
    disk.vfs.xDelete = sim_delete;
    disk.vfs.xAccess = sim_access;
    disk.vfs.xFullPathname = sim_full_path;
    CHECK(sqlite3_vfs_register(&disk.vfs, 0) == SQLITE_OK);
    disk.registered = true;
}

void disk_start(bool track)
{
    if (!disk.registered)
        start_vfs();
    while (disk.files) {
        CHECK(disk.files->opened == 0);
        file_free(disk.files);
    }
    disk.track = track;
    disk_arm("", DISK_FINE, 0, 0);
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL); /* salts of logs: the same again */
}

/* ---- whole disks */

void disk_remove(const char *path)
{
    struct file *next;
    for (struct file *f = disk.files; f; f = next) {
        next = f->next;
        if (on_disk(f->name, path))
            file_drop(f);
    }
}

void disk_put(const char *path, struct bytes image)
{
    disk_remove(path);
    file_put(file_make(path), image.p, image.n, 0);
}

struct bytes disk_image(const char *path)
{
    const struct file *f = file_find(path);
    return f ? bytes_of(f->data, f->size) : BYTES_NONE;
}

void disk_copy(const char *from, const char *to)
{
    static const char *const parts[] = {"", "-wal"};
    disk_remove(to);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char a[DISK_PATH_BYTES] = "", b[DISK_PATH_BYTES] = "";
        CHECK(strlen(from) + 5 < sizeof a && strlen(to) + 5 < sizeof b);
        (void)strncat(strncat(a, from, sizeof a - 5), parts[i], 4);
        (void)strncat(strncat(b, to, sizeof b - 5), parts[i], 4);
        const struct file *f = file_find(a);
        if (f)
            file_put(file_make(b), f->data, f->size, 0);
    }
}

uint64_t disk_bytes(const char *path)
{
    uint64_t n = 0;
    for (const struct file *f = disk.files; f; f = f->next)
        n += on_disk(f->name, path) ? f->size : 0;
    return n;
}

/* ---- the power cut */

static void undo(struct file *f)
{
    for (const struct change *c = f->changes; c; c = c->next) {
        file_put(f, c->old, c->n, c->at);
        file_size(f, c->old_size);
    }
}

/* What the disk took of a write: all, nothing, a first part, or garbage in its place. */
static void redo(struct file *f, const struct change *c, struct test_rng *rng)
{
    if (!c)
        return;
    redo(f, c->next, rng);
    uint64_t fate = test_rng_below(rng, 8);
    if (fate == 0)
        test_rng_fill(rng, c->now, c->n);
    if (fate == 1)
        file_put(f, c->now, (size_t)test_rng_below(rng, c->n + 1), c->at);
    else if (fate != 2 && fate != 3)
        file_put(f, c->now, c->n, c->at);
}

void disk_crash(const char *path, struct test_rng *rng)
{
    struct file *next;
    for (struct file *f = disk.files; f; f = next) {
        next = f->next;
        if (!on_disk(f->name, path))
            continue;
        if (is_scrub(f->name)) {
            file_drop(f); /* removed when the store opens, without the VFS */
            continue;
        }
        undo(f);
        redo(f, f->changes, rng);
        changes_free(f);
        shm_free(f);
    }
    disk_arm("", DISK_FINE, 0, 0);
}

bool disk_flip(const char *path, struct test_rng *rng)
{
    struct file *f = file_find(path);
    if (!f || f->size == 0)
        return false;
    f->data[test_rng_below(rng, f->size)] ^= (uint8_t)(1u << test_rng_below(rng, 8));
    return true;
}
