/* Reading other programs' SQLite files as hostile input.
 *
 * A running browser holds its history locked, and merely opening a database in WAL mode writes beside it. So
 * the file is copied first, with its write-ahead log (or its hot rollback journal), and only the copy is ever
 * opened. The copy lives in a folder of its own inside the caller's private folder, and it is unlinked as
 * soon as SQLite holds it open: whatever happens to this process afterwards, no second copy of somebody's
 * browsing is left on the disk. A folder left by a process that died *while* copying is recognised by its
 * free lock, and reused.
 *
 * Invariants
 * 1. The source is only read. What is opened is a regular file, opened without blocking.
 * 2. The copy is of one moment: size and time stamps of the file and its log are the same after copying as
 * before.
 * 3. A rollback journal that names a super-journal is not copied: playing it back could delete the file it
 * names.
 * 4. SQL runs under an authorizer that allows SELECT, reading columns of tables, and a short list of
 * functions; there are no virtual tables (their modules are dropped), no views, no triggers, no ATTACH.
 * 5. Every step has a budget of virtual machine instructions, so a crafted file cannot hang an import.
 * 6. A file cut short is padded with zero pages in the copy, so that SQLite reads the rows in front of the
 * cut instead of refusing the whole file; reaching a zero page gives ERR_CORRUPT.
 */
#include "store/foreign.h"

#include "base/check.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest database that is copied: the largest history anybody was seen with is under 1 GB. */
#define FOREIGN_BYTES_MAX (INT64_C(8) << 30)
/* A value longer than this ends the reading; titles and addresses are cut at LIMIT_OBSERVATION_BYTES. */
#define FOREIGN_VALUE_BYTES (16 << 20)
/* How often a file that changes while it is copied is copied again. */
#define FOREIGN_COPIES_MAX 8
/* How many imports may hold a temporary folder at once. */
#define FOREIGN_FOLDERS_MAX 64
/* Instructions of SQLite's virtual machine between two looks at the budget, and looks per step: sorting ten
 * million rows without an index stays below it, about 5 s of work does not. */
#define FOREIGN_TICK_OPS 100000
#define FOREIGN_TICKS_MAX 1500

#define HEADER_BYTES 100

struct foreign {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    unsigned ticks; /* since the last step began */
    int failed;     /* error of a step; sticky until the next query */
};

/* The folder that holds one copy while it is opened. */
struct folder {
    int fd; /* locked */
    char path[LIMIT_PATH_BYTES];
};

/* What must not change while a file is copied. */
struct stamp {
    bool there;
    off_t size;
    ino_t ino;
    struct timespec mtime;
};

static const char *const parts[] = {"", "-wal", "-journal"};
#define N_PARTS 3

/* ---- the source ---- */

static int source_open(const char *path, int *fd, struct err *e)
{
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd < 0)
        return err_errno(e, errno, "cannot open '%s'", path);
    struct stat st;
    if (fstat(*fd, &st) < 0)
        return err_errno(e, errno, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_FORMAT, "'%s' is not a regular file", path);
    if (st.st_size > FOREIGN_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "'%s' is larger than 8 GB", path);
    return 0;
}

static int source_check_header(const char *path, int fd, struct err *e)
{
    char head[16] = {0};
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return err_errno(e, errno, "cannot read '%s'", path);
    if (n == 0)
        return err_set(e, ERR_FORMAT, "'%s' is empty: not a SQLite database", path);
    if (n < (ssize_t)sizeof head || memcmp(head, "SQLite format 3", sizeof head) != 0)
        return err_set(e, ERR_FORMAT, "'%s' is not a SQLite database", path);
    return 0;
}

static bool part_path(char out[LIMIT_PATH_BYTES], const char *path, size_t part)
{
    int n = snprintf(out, LIMIT_PATH_BYTES, "%s%s", path, parts[part]);
    return n > 0 && n < (int)LIMIT_PATH_BYTES;
}

static void stamps_take(const char *path, struct stamp out[N_PARTS])
{
    char name[LIMIT_PATH_BYTES];
    memset(out, 0, N_PARTS * sizeof *out);
    for (size_t i = 0; i < N_PARTS; i++) {
        struct stat st;
        if (!part_path(name, path, i) || stat(name, &st) < 0)
            continue;
        out[i].there = true;
        out[i].size = st.st_size;
        out[i].ino = st.st_ino;
        out[i].mtime = st.st_mtim;
    }
}

static bool stamps_equal(const struct stamp a[N_PARTS], const struct stamp b[N_PARTS])
{
    for (size_t i = 0; i < N_PARTS; i++) {
        if (a[i].there != b[i].there || a[i].size != b[i].size || a[i].ino != b[i].ino ||
            a[i].mtime.tv_sec != b[i].mtime.tv_sec || a[i].mtime.tv_nsec != b[i].mtime.tv_nsec)
            return false;
    }
    return true;
}

/* ---- copying ---- */

static int copy_plain(int from, int to)
{
    char chunk[65536];
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(from, chunk, sizeof chunk, at);
        if (n <= 0)
            return n < 0 ? errno : 0;
        for (ssize_t done = 0; done < n;) {
            ssize_t w = pwrite(to, chunk + done, (size_t)(n - done), at + done);
            if (w < 0)
                return errno;
            done += w;
        }
        at += n;
        if (at > FOREIGN_BYTES_MAX)
            return EFBIG;
    }
}

/* Copies all of `from` into `to`, which is empty: shares the blocks where the file system can. Returns an
 * errno. */
static int copy_content(int from, int to)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    loff_t in = 0, out = 0;
    while (in <= FOREIGN_BYTES_MAX) {
        ssize_t n = copy_file_range(from, &in, to, &out, (size_t)1 << 30, 0);
        if (n == 0 && in > 0)
            return 0;
        if (n > 0)
            continue;
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
            return errno;
        return copy_plain(from, to);
    }
    return EFBIG;
}

/* True when a rollback journal ends in the name of a super-journal. */
static bool journal_names_super(int fd, off_t size)
{
    static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    uint8_t tail[8];
    return size >= 8 && pread(fd, tail, 8, size - 8) == 8 && memcmp(tail, magic, 8) == 0;
}

static int copy_part(int from, const struct folder *dir, size_t part, struct err *e)
{
    char name[16];
    (void)snprintf(name, sizeof name, "db%s", parts[part]);
    /* A new file each time: ext4 flushes a file that was truncated to the disk when it is closed. */
    (void)unlinkat(dir->fd, name, 0);
    int to = openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return err_errno(e, errno, "cannot create a copy in '%s'", dir->path);
    int eno = copy_content(from, to);
    (void)close(to);
    return eno ? err_errno(e, eno, "cannot copy into '%s'", dir->path) : 0;
}

/* Copies the log or the journal, when there is one. */
static int copy_side(const char *path, const struct folder *dir, size_t part, struct err *e)
{
    char name[LIMIT_PATH_BYTES], copy[16];
    (void)snprintf(copy, sizeof copy, "db%s", parts[part]);
    (void)unlinkat(dir->fd, copy, 0);
    if (!part_path(name, path, part))
        return 0;
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(e, errno, "cannot open '%s'", name);
    struct stat st;
    int rc = 0;
    bool wanted = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    if (wanted && st.st_size > FOREIGN_BYTES_MAX)
        rc = err_set(e, ERR_LIMIT, "'%s' is larger than 8 GB", name);
    else if (wanted && !(part == 2 && journal_names_super(fd, st.st_size)))
        rc = copy_part(fd, dir, part, e);
    (void)close(fd);
    return rc;
}

static int copy_once(const char *path, const struct folder *dir, struct err *e)
{
    int fd;
    int rc = source_open(path, &fd, e);
    if (!rc)
        rc = source_check_header(path, fd, e);
    if (!rc)
        rc = copy_part(fd, dir, 0, e);
    if (fd >= 0)
        (void)close(fd);
    for (size_t i = 1; !rc && i < N_PARTS; i++)
        rc = copy_side(path, dir, i, e);
    return rc;
}

static int copy_stable(const char *path, const struct folder *dir, struct err *e)
{
    for (int tries = 0; tries < FOREIGN_COPIES_MAX; tries++) {
        struct stamp before[N_PARTS], after[N_PARTS];
        stamps_take(path, before);
        int rc = copy_once(path, dir, e);
        if (rc)
            return rc;
        stamps_take(path, after);
        if (stamps_equal(before, after))
            return 0;
    }
    int rc = err_set(e, ERR_INUSE, "'%s' keeps changing while it is read", path);
    err_hint(e, "try again, or close the program that writes it");
    return rc;
}

/* Bytes that a database header promises; 0 when it does not say. */
static int64_t promised_bytes(const uint8_t h[HEADER_BYTES], int64_t *page)
{
    int64_t pages = (int64_t)h[28] << 24 | h[29] << 16 | h[30] << 8 | h[31];
    *page = h[16] << 8 | h[17];
    if (*page == 1)
        *page = 65536;
    bool counted = memcmp(h + 24, h + 92, 4) == 0; /* change counter = version-valid-for */
    return counted && *page >= 512 && *page <= 65536 ? *page * pages : 0;
}

/* Invariant 6: pads the copy to the number of pages that its header promises; half a page counts as none. */
static int copy_pad(const struct folder *dir, struct err *e)
{
    static const uint8_t zeros[65536]; /* the largest page */
    uint8_t h[HEADER_BYTES];
    struct stat st;
    int fd = openat(dir->fd, "db", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the copy in '%s'", dir->path);
    int eno = 0;
    if (pread(fd, h, sizeof h, 0) == (ssize_t)sizeof h && fstat(fd, &st) == 0) {
        int64_t page, promised = promised_bytes(h, &page);
        bool cut = promised > st.st_size && promised <= FOREIGN_BYTES_MAX;
        ssize_t half = cut ? (ssize_t)(st.st_size % page) : 0;
        if (cut &&
            (pwrite(fd, zeros, (size_t)half, st.st_size - half) != half || ftruncate(fd, promised) < 0))
            eno = errno;
    }
    (void)close(fd);
    return eno ? err_errno(e, eno, "cannot pad the copy in '%s'", dir->path) : 0;
}

/* ---- the temporary folder ---- */

static void folder_empty(const struct folder *dir)
{
    static const char *const names[] = {"db", "db-wal", "db-journal", "db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlinkat(dir->fd, names[i], 0);
}

/* Makes or takes over one numbered folder: 1 = ours, 0 = somebody else's, negative = error. */
static int folder_try(struct folder *dir, const char *tmp_dir, int i, struct err *e)
{
    int n = snprintf(dir->path, sizeof dir->path, "%s/foreign-%d", tmp_dir, i);
    if (n < 0 || n >= (int)sizeof dir->path)
        return err_set(e, ERR_LIMIT, "path of the temporary folder is too long");
    if (mkdir(dir->path, 0700) < 0 && errno != EEXIST)
        return err_errno(e, errno, "cannot make the folder '%s'", dir->path);
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir->fd < 0)
        return 0;
    struct stat st;
    if (flock(dir->fd, LOCK_EX | LOCK_NB) == 0 && fstat(dir->fd, &st) == 0 && st.st_nlink > 0 &&
        st.st_uid == geteuid()) {
        folder_empty(dir);
        return 1;
    }
    (void)close(dir->fd);
    dir->fd = -1;
    return 0;
}

static int folder_open(struct folder *dir, const char *tmp_dir, struct err *e)
{
    dir->fd = -1;
    for (int i = 0; i < FOREIGN_FOLDERS_MAX; i++) {
        int rc = folder_try(dir, tmp_dir, i, e);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    return err_set(e, ERR_INUSE, "too many imports are running in '%s'", tmp_dir);
}

static void folder_close(struct folder *dir)
{
    if (dir->fd < 0)
        return;
    folder_empty(dir);
    (void)rmdir(dir->path);
    (void)close(dir->fd);
    dir->fd = -1;
}

/* ---- the database ---- */

static int map_code(int sqlite)
{
    switch (sqlite & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_INTERRUPT:
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_IOERR:
        return sqlite == SQLITE_IOERR_SHORT_READ ? ERR_CORRUPT : ERR_IO;
    case SQLITE_CANTOPEN:
        return ERR_IO;
    default:
        return ERR_FORMAT;
    }
}

static int foreign_fail(struct foreign *f, int sqlite, const char *what, struct err *e)
{
    if ((sqlite & 0xff) == SQLITE_INTERRUPT)
        return err_set(e, ERR_LIMIT, "%s: takes too many steps", what);
    if ((sqlite & 0xff) == SQLITE_CORRUPT || (sqlite & 0xff) == SQLITE_NOTADB)
        return err_set(e, ERR_CORRUPT, "%s: the database is damaged", what);
    return err_set(e, map_code(sqlite), "%s: %s", what, sqlite3_errmsg(f->db));
}

static int on_progress(void *ctx)
{
    struct foreign *f = ctx;
    return ++f->ticks > FOREIGN_TICKS_MAX;
}

static bool function_allowed(const char *name)
{
    static const char *const allowed[] = {"coalesce", "ifnull", "length", "substr",
                                          "count",    "min",    "max",    "round"};
    for (size_t i = 0; name && i < sizeof allowed / sizeof *allowed; i++) {
        if (sqlite3_stricmp(name, allowed[i]) == 0)
            return true;
    }
    return false;
}

static int on_authorize(void *ctx, int action, const char *a, const char *b, const char *db, const char *by)
{
    (void)ctx, (void)a, (void)db;
    if (action == SQLITE_SELECT)
        return SQLITE_OK;
    if (action == SQLITE_READ)
        return by == NULL ? SQLITE_OK : SQLITE_DENY; /* `by` names a view or trigger */
    if (action == SQLITE_FUNCTION)
        return function_allowed(b) ? SQLITE_OK : SQLITE_DENY;
    return SQLITE_DENY;
}

static void db_limit(sqlite3 *db)
{
    static const struct {
        int id, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, FOREIGN_VALUE_BYTES},
        {SQLITE_LIMIT_SQL_LENGTH, 1 << 20}, /* also bounds each statement of the schema */
        {SQLITE_LIMIT_COLUMN, 500},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 4},
        {SQLITE_LIMIT_FUNCTION_ARG, 8},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 16},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        (void)sqlite3_limit(db, limits[i].id, limits[i].value);
}

static int db_harden(struct foreign *f)
{
    static const struct {
        int id, value;
    } config[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},   {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 0},      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; !rc && i < sizeof config / sizeof *config; i++)
        rc = sqlite3_db_config(f->db, config[i].id, config[i].value, NULL);
    db_limit(f->db);
    if (!rc)
        rc = sqlite3_drop_modules(f->db, NULL);
    /* Exclusive locking keeps the index of the write-ahead log in memory instead of in a third file. */
    if (!rc)
        rc =
            sqlite3_exec(f->db,
                         "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;"
                         "PRAGMA mmap_size=0; PRAGMA cache_size=-2048; PRAGMA query_only=ON;",
                         NULL, NULL, NULL);
    sqlite3_progress_handler(f->db, FOREIGN_TICK_OPS, on_progress, f);
    return rc;
}

/* Opens the copy and reads its schema, after which SQLite holds every file it needs. */
static int db_open(struct foreign *f, const struct folder *dir, const char *path, struct err *e)
{
    char copy[LIMIT_PATH_BYTES + 8];
    (void)snprintf(copy, sizeof copy, "%s/db", dir->path);
    int rc = sqlite3_open_v2(copy, &f->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (!f->db)
        return err_set(e, ERR_NOMEM, "opening '%s'", path);
    if (!rc)
        rc = db_harden(f);
    if (!rc)
        rc = sqlite3_exec(f->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (!rc)
        rc = sqlite3_set_authorizer(f->db, on_authorize, f);
    if (!rc)
        return 0;
    int code = foreign_fail(f, rc, "opening", e);
    return err_wrap(e, code, "'%s'", path);
}

int foreign_open(struct foreign **out, const char *path, const char *tmp_dir, struct err *e)
{
    *out = NULL;
    struct foreign *f = calloc(1, sizeof *f);
    struct folder *dir = calloc(1, sizeof *dir);
    int rc = f && dir ? 0 : err_set(e, ERR_NOMEM, "opening '%s'", path);
    if (dir)
        dir->fd = -1;
    int fd = -1;
    if (!rc)
        rc = source_open(path, &fd, e);
    if (!rc)
        rc = source_check_header(path, fd, e);
    if (fd >= 0)
        (void)close(fd);
    if (!rc)
        rc = folder_open(dir, tmp_dir, e);
    if (!rc)
        rc = copy_stable(path, dir, e);
    if (!rc)
        rc = copy_pad(dir, e);
    if (!rc)
        rc = db_open(f, dir, path, e);
    if (dir)
        folder_close(dir);
    free(dir);
    if (rc) {
        foreign_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

void foreign_close(struct foreign *f)
{
    if (!f)
        return;
    (void)sqlite3_finalize(f->stmt);
    (void)sqlite3_close(f->db);
    free(f);
}

bool foreign_has(struct foreign *f, const char *table, const char *column)
{
    return sqlite3_table_column_metadata(f->db, "main", table, column, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

int foreign_query(struct foreign *f, const char *sql, const int64_t *params, size_t n_params, struct err *e)
{
    (void)sqlite3_finalize(f->stmt);
    f->stmt = NULL;
    /* SQLite checks the cells of a page only when it comes into the cache, and keeps one that failed there.
     */
    if (f->failed)
        (void)sqlite3_db_release_memory(f->db);
    f->failed = 0;
    f->ticks = 0;
    const char *rest = "";
    int rc = sqlite3_prepare_v3(f->db, sql, -1, 0, &f->stmt, &rest);
    if (rc)
        return foreign_fail(f, rc, "reading", e);
    CHECK(f->stmt && *rest == '\0' && sqlite3_stmt_readonly(f->stmt));
    CHECK((int)n_params == sqlite3_bind_parameter_count(f->stmt));
    for (size_t i = 0; !rc && i < n_params; i++)
        rc = sqlite3_bind_int64(f->stmt, (int)i + 1, params[i]);
    return rc ? foreign_fail(f, rc, "reading", e) : 0;
}

int foreign_step(struct foreign *f, struct err *e)
{
    if (f->failed)
        return err_set(e, f->failed, "reading: %s", err_text(f->failed));
    if (!f->stmt)
        return 0;
    f->ticks = 0;
    int rc = sqlite3_step(f->stmt);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        f->failed = foreign_fail(f, rc, "reading", e);
    (void)sqlite3_finalize(f->stmt);
    f->stmt = NULL;
    return f->failed;
}

int64_t foreign_int(struct foreign *f, int column)
{
    return f->stmt ? sqlite3_column_int64(f->stmt, column) : 0;
}

struct bytes foreign_text(struct foreign *f, int column)
{
    if (!f->stmt)
        return BYTES_NONE;
    const void *p = sqlite3_column_text(f->stmt, column);
    int n = sqlite3_column_bytes(f->stmt, column);
    if (!p || n <= 0)
        return BYTES_NONE;
    return bytes_slice(bytes_of(p, (size_t)n), 0, LIMIT_OBSERVATION_BYTES);
}

bool foreign_is_null(struct foreign *f, int column)
{
    return !f->stmt || sqlite3_column_type(f->stmt, column) == SQLITE_NULL;
}
