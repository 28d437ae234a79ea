/* Proving the merged tables: rebuild them from the ops, or compare them with what the ops give. */
#include "store/store_int.h"

#include "base/check.h"

#include <string.h>

int merged_rebuild(struct store *s, struct err *e)
{
    static const char *const empty[] = {
        "DELETE FROM event",
        "DELETE FROM edge",
        "DELETE FROM blocked_key",
        "DELETE FROM blocked_span",
        "DELETE FROM prop",
        "UPDATE entity SET state = NULL WHERE state IS NOT NULL",
        "DELETE FROM meta WHERE name = 'digest'",
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof empty / sizeof empty[0]; i++) {
        rc = db_exec(s, empty[i], e);
    }
    s->edges_known = false;
    s->digest_known = false;
    s->index_off = true;
    if (rc == 0) {
        rc = merge_all(s, e);
    }
    s->index_off = false;
    return rc != 0 ? rc : search_rebuild(s, e);
}

int store_rebuild(struct store *s, struct err *e)
{
    bool own;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0) {
        return rc;
    }
    rc = merged_rebuild(s, e);
    db_poison(s, rc);
    rc = db_write_end(s, own, rc, e);
    return rc != 0 ? err_wrap(e, rc, "merging everything anew") : 0;
}

/* The check goes on where a page cannot be had, and says so in words: that is no damage. */
static int check_code(struct bytes text)
{
    static const char mark[] = "error code=";
    size_t at = bytes_find(text, bytes_str(mark));
    int code = 0;
    if (at == SIZE_MAX) {
        return ERR_CORRUPT;
    }
    for (at += sizeof mark - 1; at < text.n && text.p[at] >= '0' && text.p[at] <= '9' && code < 100000;
         at++) {
        code = code * 10 + (text.p[at] - '0');
    }
    return code != 0 ? db_code(code) : ERR_CORRUPT;
}

/* SQLite's own checks give rows of text; the first one that is not "ok" is the fault. */
static int sqlite_check(struct store *s, const char *sql, const char *fine, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc == 0) {
        rc = db_step(q, e);
    }
    if (rc > 0) {
        struct bytes text = db_bytes(q, 0);
        rc = fine != NULL && bytes_eq(text, bytes_str(fine))
                 ? 0
                 : err_set(e, check_code(text), "checking the database: %.*s",
                           (int)(text.n < 200 ? text.n : 200), text.n > 0 ? (const char *)text.p : "");
    }
    db_done(q);
    return rc;
}

/* Rows that no entity accounts for. */
static int stray_rows(struct store *s, struct err *e)
{
    static const struct {
        const char *sql, *what;
    } strays[] = {
        {"SELECT 1 FROM prop JOIN entity USING(row) WHERE space <> 1 OR prop.id <> entity.id LIMIT 1",
         "prop"},
        {"SELECT 1 FROM edge LEFT JOIN entity ON space = 2 AND id = a WHERE id IS NULL LIMIT 1", "edge"},
        {"SELECT 1 FROM blocked_key LEFT JOIN event USING(entity, key) WHERE time IS NULL LIMIT 1",
         "blocked_key"},
        {"SELECT 1 FROM blocked_span JOIN entity ON row = entity WHERE space <> 5 LIMIT 1", "blocked_span"},
        {"SELECT 1 FROM op LEFT JOIN log ON log.row = op.row >> 40 WHERE log.row IS NULL LIMIT 1", "op"},
    };
    for (size_t i = 0; i < sizeof strays / sizeof strays[0]; i++) {
        int64_t any;
        int rc = db_query_int(s, strays[i].sql, &any, e);
        if (rc != 0 || any != 0) {
            return rc != 0 ? rc
                           : err_set(e, ERR_CORRUPT, "table '%s' has a row that nothing accounts for",
                                     strays[i].what);
        }
    }
    return 0;
}

int store_check(struct store *s, struct err *e)
{
    int rc = sqlite_check(s, "PRAGMA integrity_check(1)", "ok", e);
    if (rc == 0) {
        rc = sqlite_check(s, "PRAGMA foreign_key_check", NULL, e);
    }
    if (rc == 0) {
        s->checking = true;
        rc = merge_all(s, e);
        s->checking = false;
    }
    if (rc == 0) {
        rc = stray_rows(s, e);
    }
    return rc != 0 || s->read_only ? rc : search_check(s, e);
}
