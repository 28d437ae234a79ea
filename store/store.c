/* Opening and closing the database, and its transactions.
 *
 * Opening never changes a file that is not ours: its header, or the first page in its write-ahead log, is
 * looked at before SQLite gets the file. A new database is made in one transaction with a rollback journal
 * and only then switched to WAL, so that a header without our application id always means that nothing was
 * ever stored.
 *
 * Durability. `synchronous=FULL`: a commit that returned is on the disk. store_bulk() switches to NORMAL for
 * imports: a crash of the program still loses nothing, a power cut may lose the last commits, and never
 * leaves anything but a whole earlier state.
 */
#include "store/store_int.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "store/vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define HEADER_BYTES 100
#define WAL_HEADER_BYTES 32
#define WAL_FRAME_HEADER_BYTES 24
/* Elements of ACT_SEEN of one entity, when all its ops are merged anew. */
#define SEEN_BYTES_MAX (256u << 20)

/* ---- the file before SQLite sees it */

static bool has_journal(const char *path)
{
    char name[LIMIT_PATH_BYTES + 16];
    struct stat st;
    (void)snprintf(name, sizeof name, "%s-journal", path);
    return stat(name, &st) == 0 && st.st_size > 0;
}

static int check_header(const char *path, const uint8_t *h, size_t n, struct err *e)
{
    struct rd r;
    rd_init(&r, bytes_of(h, n));
    struct bytes magic = rd_bytes(&r, 16);
    (void)rd_bytes(&r, 44);
    uint32_t version = rd_u32(&r);
    (void)rd_bytes(&r, 4);
    uint32_t app = rd_u32(&r);
    if (r.err != 0 || !bytes_eq(magic, bytes_of("SQLite format 3", 16))) {
        return err_set(e, ERR_FORMAT, "not a selfsame store: '%s' is not a database", path);
    }
    if (app != SCHEMA_APPLICATION_ID) {
        return err_set(e, ERR_FORMAT, "not a selfsame store: '%s' is a database of another program", path);
    }
    if (version > SCHEMA_VERSION) {
        err_set(e, ERR_VERSION, "the store '%s' has schema %u, this program knows up to %d", path, version,
                SCHEMA_VERSION);
        err_hint(e, "update this program; the file was not changed");
        return ERR_VERSION;
    }
    return 0;
}

/* Whether the write-ahead log holds a first page of ours. A power cut during a checkpoint may garble the one
 * in the file; SQLite takes it from the log again. */
static bool has_own_page(int wal)
{
    uint8_t h[WAL_FRAME_HEADER_BYTES + HEADER_BYTES];
    struct rd r;
    if (pread(wal, h, WAL_HEADER_BYTES, 0) != WAL_HEADER_BYTES) {
        return false;
    }
    rd_init(&r, bytes_of(h + 8, 4));
    off_t page_bytes = rd_u32(&r);
    if (page_bytes < 512 || page_bytes > 65536) {
        return false;
    }
    for (off_t at = WAL_HEADER_BYTES; pread(wal, h, sizeof h, at) == (ssize_t)sizeof h;
         at += WAL_FRAME_HEADER_BYTES + page_bytes) {
        rd_init(&r, bytes_of(h, sizeof h));
        if (rd_u32(&r) == 1 && check_header("", h + WAL_FRAME_HEADER_BYTES, HEADER_BYTES, NULL) == 0) {
            return true;
        }
    }
    return false;
}

static bool wal_is_ours(const char *path)
{
    char name[LIMIT_PATH_BYTES + 16];
    (void)snprintf(name, sizeof name, "%s-wal", path);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    bool ours = fd >= 0 && has_own_page(fd);
    if (fd >= 0) {
        close(fd);
    }
    return ours;
}

static int open_file(const struct store_config *cfg, struct err *e)
{
    int flags = O_RDONLY | O_CLOEXEC;
    if (!cfg->must_exist && !cfg->read_only) {
        flags = O_RDWR | O_CREAT | O_CLOEXEC;
    }
    int fd = open(cfg->path, flags, 0600);
    return fd >= 0 ? fd : err_errno(e, errno, "cannot open '%s'", cfg->path);
}

/* Makes the file when it may, and refuses one that is not ours, without a change to it. */
static int check_file(const struct store_config *cfg, struct err *e)
{
    int fd = open_file(cfg, e);
    if (fd < 0) {
        return fd;
    }
    uint8_t h[HEADER_BYTES];
    ssize_t n = pread(fd, h, sizeof h, 0);
    int rc = n < 0 ? err_errno(e, errno, "cannot read '%s'", cfg->path) : 0;
    close(fd);
    if (rc == 0 && n > 0 && !has_journal(cfg->path)) {
        rc = check_header(cfg->path, h, (size_t)n, e);
        if (rc != 0 && wal_is_ours(cfg->path)) {
            rc = 0;
            if (e != NULL) {
                *e = ERR_INIT;
            }
        }
    }
    return rc;
}

/* ---- the connection */

static int configure(struct store *s, struct err *e)
{
    static const struct {
        int op, value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        int rc = sqlite3_db_config(s->db, options[i].op, options[i].value, NULL);
        if (rc != SQLITE_OK) {
            return db_fail(s, rc, e, "configuring the database");
        }
    }
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    return db_exec(s,
                   "PRAGMA secure_delete=ON; PRAGMA cache_size=-20000; PRAGMA mmap_size=0;"
                   "PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL",
                   e);
}

/* A copy that a crash during store_scrub() left behind. */
static int drop_leftover(struct store *s, struct err *e)
{
    struct buf path;
    int rc = scrub_path(s, &path, e);
    if (rc == 0 && unlink(buf_cstr(&path)) != 0 && errno != ENOENT) {
        rc = err_errno(e, errno, "cannot remove '%s'", buf_cstr(&path));
    }
    buf_release(&path);
    return rc;
}

/* `alone`: nobody else can open the file meanwhile, and the index of the write-ahead log stays in memory. */
static int open_database(struct store *s, const struct store_config *cfg, bool alone, struct err *e)
{
    bool writes = alone || !cfg->read_only; /* the lock of one alone takes a file open for writing */
    int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(cfg->path, &s->db, flags, cfg->vfs);
    if (rc != SQLITE_OK) {
        return db_fail(s, rc, e, cfg->path);
    }
    rc = alone ? db_exec(s, "PRAGMA locking_mode=EXCLUSIVE", e) : 0;
    if (rc == 0 && alone && cfg->read_only) {
        rc = db_exec(s, "PRAGMA query_only=ON", e);
    }
    if (rc == 0) {
        rc = configure(s, e);
    }
    if (rc == 0) {
        rc = search_register(s, e);
    }
    if (rc == 0) {
        rc = schema_migrate(s, e);
    }
    if (rc == 0 && !cfg->read_only) {
        rc = db_exec(s, "PRAGMA journal_mode=WAL", e);
    }
    if (rc == 0 && !cfg->read_only) {
        rc = drop_leftover(s, e);
    }
    if (rc == 0) {
        rc = db_ready_rollback(s, e);
    }
    return rc;
}

/* On a disk without any room the index cannot be made; what is there can be read all the same. */
static int open_somehow(struct store *s, const struct store_config *cfg, struct err *e)
{
    int rc = open_database(s, cfg, false, e);
    if (rc != ERR_FULL) {
        return rc;
    }
    db_close(s);
    search_unregister(s);
    if (e != NULL) {
        *e = ERR_INIT;
    }
    return open_database(s, cfg, true, e);
}

static int store_init(struct store *s, const struct store_config *cfg)
{
    s->clock = cfg->clock;
    s->rng = cfg->rng;
    s->vfs = cfg->vfs;
    s->read_only = cfg->read_only;
    buf_init(&s->op_buf, LIMIT_OP_BYTES);
    buf_init(&s->state_buf, LIMIT_ENTITY_BYTES);
    buf_init(&s->read_buf, LIMIT_ENTITY_BYTES);
    buf_init(&s->seen_buf, SEEN_BYTES_MAX);
    s->scratch = entity_new();
    return s->scratch == NULL ? ERR_NOMEM : 0;
}

int store_open(struct store **out, const struct store_config *cfg, struct err *e)
{
    *out = NULL;
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, "opening the store");
    }
    int rc = store_init(s, cfg);
    if (rc != 0) {
        err_set(e, rc, "out of memory");
    }
    if (rc == 0) {
        rc = check_file(cfg, e);
    }
    if (rc == 0) {
        rc = open_somehow(s, cfg, e);
    }
    if (rc != 0) {
        store_close(s);
        return err_wrap(e, rc, "opening the store");
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    if (s->in_txn) {
        store_rollback(s);
    }
    store_vectors_close(s);
    db_close(s);
    search_unregister(s);
    local_release(s);
    entity_free(s->scratch);
    buf_release(&s->op_buf);
    buf_release(&s->state_buf);
    buf_release(&s->read_buf);
    buf_release(&s->seen_buf);
    mem_wipe(s->salts, sizeof s->salts);
    free(s);
}

/* ---- transactions */

int store_begin(struct store *s, struct err *e)
{
    CHECK(!s->in_txn);
    db_rollback(s); /* one that could not be ended for want of memory */
    struct stmt *q = NULL;
    int rc = s->search_stale ? search_renew(s, e) : 0;
    if (rc == 0) {
        rc = db_prepare(s, "BEGIN IMMEDIATE", &q, e);
    }
    if (rc == 0) {
        rc = db_run(q, e);
    }
    if (rc != 0) {
        db_rollback(s);
    }
    s->in_txn = rc == 0;
    s->poisoned = 0;
    return rc;
}

int store_commit(struct store *s, struct err *e)
{
    CHECK(s->in_txn);
    int rc = s->poisoned;
    if (rc != 0) {
        err_set(e, rc, "a write of this transaction had failed");
    }
    if (rc == 0) {
        rc = log_flush(s, e);
    }
    if (rc == 0) {
        rc = local_flush(s, e);
    }
    if (rc == 0) {
        rc = search_flush(s, e);
    }
    struct stmt *q = NULL;
    if (rc == 0) {
        rc = db_prepare(s, "COMMIT", &q, e);
    }
    if (rc == 0) {
        rc = db_run(q, e);
    }
    if (rc != 0) {
        store_rollback(s);
    }
    s->in_txn = false;
    local_forget_cache(s);
    search_forget(s);
    return rc;
}

void store_rollback(struct store *s)
{
    if (!s->in_txn) {
        return;
    }
    db_rollback(s);
    s->in_txn = false;
    s->poisoned = 0;
    s->edges_known = false;
    log_forget_cache(s);
    local_forget_cache(s);
    search_forget(s);
}

int store_bulk(struct store *s, bool on, struct err *e)
{
    CHECK(!s->in_txn);
    return db_exec(s,
                   on ? "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=8000"
                      : "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000",
                   e);
}

/* ---- lease */

int store_lease(struct store *s, uint8_t out[16], struct err *e)
{
    memset(out, 0, 16);
    struct buf v;
    buf_init(&v, 64);
    bool found;
    int rc = meta_get(s, "lease", &v, &found, e);
    if (rc == 0 && found && v.n != 16) {
        rc = err_set(e, ERR_CORRUPT, "the lease has %zu bytes", v.n);
    } else if (rc == 0 && found) {
        memcpy(out, v.p, 16);
    }
    buf_release(&v);
    return rc;
}

int store_lease_set(struct store *s, const uint8_t lease[16], struct err *e)
{
    return meta_set(s, "lease", bytes_of(lease, 16), e);
}

/* ---- small named values of the database itself */

int meta_get(struct store *s, const char *name, struct buf *value, bool *found, struct err *e)
{
    *found = false;
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT value FROM meta WHERE name = ?1", &q, e);
    if (rc == 0) {
        db_bind_text(q, 1, bytes_str(name));
        rc = db_step(q, e);
    }
    if (rc > 0) {
        *found = true;
        rc = buf_bytes(value, db_bytes(q, 0));
    }
    db_done(q);
    return rc;
}

int meta_set(struct store *s, const char *name, struct bytes value, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    struct stmt *q = NULL;
    rc = db_prepare(s, "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)", &q, e);
    if (rc == 0) {
        db_bind_text(q, 1, bytes_str(name));
        db_bind_blob(q, 2, value);
        rc = db_run(q, e);
    }
    db_poison(s, rc);
    return db_write_end(s, own, rc, e);
}
