/* Forgetting, and making sure of it.
 *
 * A forget is an op like any other and replicates; merging it (apply.c) erases. This file decides what the
 * user's one word means: the proposition with all that same-as joins to it, and the event keys of the
 * observations that go with it, which must not teach the same thing again. Those keys, and source spans, are
 * entities of SPACE_BLOCK, so every device of the user keeps to them.
 *
 * After the transaction the old bytes may still stand in full-text segments, in the WAL and in the slack of
 * pages that were split, and a vector of the text beside the database: store_scrub() rewrites the indexes and
 * the file, and clears such vectors.
 */
#include "store/store_int.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int store_block_keys(struct store *s, const struct id *id, const uint8_t (*keys)[16], size_t n, struct err *e)
{
    struct seen seen[256];
    struct draft d;
    int rc = 0;
    draft_init(&d);
    while (rc == 0 && n > 0) {
        size_t take = n < sizeof seen / sizeof seen[0] ? n : sizeof seen / sizeof seen[0];
        for (size_t i = 0; i < take; i++) {
            seen[i] = (struct seen){.time_ms = 0};
            memcpy(seen[i].key, keys[i], sizeof seen[i].key);
        }
        draft_reset(&d, SPACE_BLOCK, CLASS_EDIT, id);
        draft_seen(&d, seen, take);
        rc = store_write(s, &d, e);
        keys += take;
        n -= take;
    }
    draft_release(&d);
    return rc;
}

static int forget_one(struct store *s, const struct id *id, size_t *done, struct err *e)
{
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, CLASS_EDIT, id);
    draft_forget(&d);
    struct err own = ERR_INIT;
    int rc = store_write(s, &d, &own);
    draft_release(&d);
    if (rc == 0 || rc == ERR_FORGOTTEN) {
        *done += rc == 0;
        return 0;
    }
    return err_set(e, rc, "%s", own.text);
}

/* Members that nothing was ever written of are only names in edges: they are forgotten too, so that what
 * arrives for them later stays away. */
static int forget_group(struct store *s, const struct id *id, size_t *done, struct err *e)
{
    struct buf ids;
    buf_init(&ids, SIZE_MAX / 2);
    int rc = graph_same_as(s, id, &ids, e);
    for (size_t at = 0; rc == 0 && at < ids.n; at += sizeof *id) {
        struct id member;
        memcpy(&member, ids.p + at, sizeof member);
        rc = forget_one(s, &member, done, e);
    }
    buf_release(&ids);
    return rc;
}

int store_forget(struct store *s, const struct id *id, const uint8_t (*keys)[16], size_t n_keys,
                 struct err *e)
{
    int64_t row;
    size_t done = 0;
    int rc = entity_row(s, SPACE_PROPOSITION, id, false, &row, e);
    if (rc == 0 && row == 0) {
        rc = err_set(e, ERR_NOTFOUND, "no such proposition");
    }
    bool own;
    if (rc == 0) {
        rc = db_write_begin(s, &own, e);
    }
    if (rc != 0) {
        return rc;
    }
    rc = store_block_keys(s, id, keys, n_keys, e);
    if (rc == 0) {
        rc = forget_group(s, id, &done, e);
    }
    db_poison(s, rc);
    return db_write_end(s, own, rc, e);
}

static void block_id(struct bytes source, struct id *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, ID_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame block 1"));
    hasher_update(&h, source);
    hasher_final(&h, out->b, ID_BYTES);
}

int store_block_source(struct store *s, struct bytes source, int64_t from_ms, int64_t until_ms, struct err *e)
{
    if (source.n > LIMIT_NAME_BYTES || from_ms > until_ms) {
        return err_set(e, ERR_LIMIT, "a source to block has too long a name or no span");
    }
    struct id id;
    struct buf element;
    struct draft d;
    block_id(source, &id);
    buf_init(&element, LIMIT_TEXT_BYTES);
    wr_lenbytes(&element, source);
    wr_u64(&element, (uint64_t)from_ms);
    wr_u64(&element, (uint64_t)until_ms);
    draft_init(&d);
    draft_reset(&d, SPACE_BLOCK, CLASS_EDIT, &id);
    draft_set_add(&d, SET_SPAN, buf_view(&element));
    int rc = element.err != 0 ? err_set(e, element.err, "blocking a source") : store_write(s, &d, e);
    draft_release(&d);
    buf_release(&element);
    return rc;
}

int store_block_events(struct store *s, struct bytes source, const uint8_t (*keys)[16], size_t n,
                       struct err *e)
{
    struct id id;
    block_id(source, &id);
    return store_block_keys(s, &id, keys, n, e);
}

int store_blocked_spans(struct store *s,
                        int (*fn)(void *ctx, struct bytes source, int64_t from_ms, int64_t until_ms),
                        void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT DISTINCT source, from_ms, until_ms FROM blocked_span", &q, e);
    while (rc == 0 && (rc = db_step(q, e)) == 1) {
        rc = fn(ctx, db_bytes(q, 0), db_int(q, 1), db_int(q, 2));
    }
    db_done(q);
    return rc;
}

int store_blocked(struct store *s, const uint8_t key[16], struct bytes source, int64_t time_ms, bool *out,
                  struct err *e)
{
    struct stmt *q = NULL;
    *out = false;
    int rc = db_prepare(
        s,
        "SELECT EXISTS(SELECT 1 FROM blocked_key WHERE key = ?1) OR EXISTS(SELECT 1 FROM blocked_span"
        " WHERE source = ?2 AND from_ms <= ?3 AND until_ms >= ?3)",
        &q, e);
    if (rc == 0) {
        db_bind_blob(q, 1, bytes_of(key, 16));
        db_bind_text(q, 2, source);
        db_bind_int(q, 3, time_ms);
        rc = db_step(q, e);
    }
    *out = rc > 0 && db_int(q, 0) != 0;
    db_done(q);
    return rc < 0 ? rc : 0;
}

/* ---- the bytes on the disk
 *
 * secure_delete overwrites what is deleted where it stood, but a page that was split keeps copies of the
 * cells that moved away, and nothing finds those later. So scrubbing writes the live rows into a fresh file
 * beside the database (VACUUM INTO) and copies its pages back in one transaction (the backup interface).
 * Plain VACUUM would do the same through a temporary file outside the folder.
 */

int scrub_path(const struct store *s, struct buf *out, struct err *e)
{
    buf_init(out, LIMIT_PATH_BYTES + 16);
    int rc = buf_printf(out, "%s-scrub", sqlite3_db_filename(s->db, "main"));
    return rc == 0 && buf_cstr(out)[0] != '\0' ? 0
                                               : err_set(e, ERR_LIMIT, "the path of the store is too long");
}

static int write_copy(struct store *s, const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno(e, errno, "cannot write '%s'", path);
    }
    close(fd);
    struct stmt *q = NULL;
    int rc = db_prepare(s, "VACUUM INTO ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_text(q, 1, bytes_str(path));
    return db_run(q, e);
}

static int copy_back(struct store *s, const char *path, struct err *e)
{
    sqlite3 *from = NULL;
    int rc = sqlite3_open_v2(path, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, s->vfs);
    sqlite3_backup *b = rc == SQLITE_OK ? sqlite3_backup_init(s->db, "main", from, "main") : NULL;
    if (b != NULL) {
        rc = sqlite3_backup_step(b, -1);
        int end = sqlite3_backup_finish(b);
        rc = rc == SQLITE_DONE ? end : rc;
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_errcode(s->db);
    }
    (void)sqlite3_close(from); /* a copy that was only read */
    return rc == SQLITE_OK ? 0 : db_fail(s, rc, e, "rewriting the store");
}

static int rewrite(struct store *s, struct err *e)
{
    struct buf path;
    int rc = scrub_path(s, &path, e);
    if (rc == 0) {
        rc = write_copy(s, buf_cstr(&path), e);
    }
    if (rc == 0) {
        rc = copy_back(s, buf_cstr(&path), e);
    }
    (void)unlink(buf_cstr(&path)); /* what is left of it goes at the next opening */
    buf_release(&path);
    return rc;
}

static int checkpoint(struct store *s, struct err *e)
{
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(s, rc, e, "emptying the write-ahead log");
}

int store_scrub_due(struct store *s, bool *due, struct err *e)
{
    struct buf v;
    buf_init(&v, 16);
    int rc = meta_get(s, "scrub", &v, due, e);
    *due = rc == 0 && *due && v.n == 1 && v.p[0] == 1;
    buf_release(&v);
    return rc;
}

int scrub_mark(struct store *s, bool due, struct err *e)
{
    uint8_t flag = due;
    return meta_set(s, "scrub", bytes_of(&flag, 1), e);
}

int store_scrub(struct store *s, struct err *e)
{
    CHECK(!s->in_txn);
    int rc = search_scrub(s, e);
    if (rc == 0) {
        rc = rewrite(s, e);
    }
    if (rc == 0) {
        rc = vectors_scrub(s, e);
    }
    if (rc == 0) {
        rc = scrub_mark(s, false, e);
    }
    if (rc == 0) {
        rc = checkpoint(s, e);
    }
    return rc != 0 ? err_wrap(e, rc, "clearing what was erased from the disk") : 0;
}
