/* What the observers of other programs' databases (chromium, firefox, atuin, ActivityWatch's server) have in
 * common: the file behind a path, the query from the last row on, and the cursor.
 *
 * The cursor is the number of the last row and one integer that identifies it (its time stamp). When the row
 * with that number does not carry that integer any more, the database was cleared, rewritten or replaced, and
 * reading starts from the beginning; the store drops what it has seen.
 */
#ifndef NODE_OBSERVE_DBROWS_H
#define NODE_OBSERVE_DBROWS_H

#include "base/limits.h"
#include "node/observe/bad.h"
#include "node/observe/observe.h"
#include "store/foreign.h"

struct rows_plan {
    const char *what;         /* "a chromium history" */
    const char *const *needs; /* table, column, table, column, …, NULL: what makes it one */
    const char *mark_sql;     /* ?1 = row number → the integer that identifies the row */
    const char *max_sql;      /* → the highest row number */
    int64_t again; /* rows before the last one that are read once more, because they may have grown */
    /* The file in a folder (relative, NULL-terminated); where else in the folder it may be. NULL: nowhere. */
    const char *const *names;
    bool (*search)(char out[LIMIT_PATH_BYTES], const char *folder);
};

struct rows {
    struct foreign *db;
    const struct rows_plan *plan;
    int64_t first, last, mark, max;
    char path[LIMIT_PATH_BYTES]; /* the file that is read, for observer.file */
};

/* Opens the database `path`, or the one that the plan finds in the folder `path`, on zeroed memory.
 * ERR_NOTFOUND, ERR_FORMAT ("no table 'visits': not a chromium history"), or what foreign_open gives. */
int rows_open(struct rows *r, const char *path, const struct rows_plan *plan, const struct observer_env *env,
              struct err *e) MUST_CHECK;
/* Starts `sql`: its column 0 is the row number, column 1 the identifying integer, ?1 the number to go on
 * behind. */
int rows_start(struct rows *r, const char *sql, struct bytes cursor, struct err *e) MUST_CHECK;
/* 1 = a row (read it with foreign_*(r->db, column)), 0 = the end, negative = error. */
int rows_step(struct rows *r, struct err *e) MUST_CHECK;
int rows_cursor(const struct rows *r, struct buf *out) MUST_CHECK;
void rows_progress(const struct rows *r, uint64_t *done, uint64_t *total);
void rows_close(struct rows *r);

/* Members of an observer whose `struct reader` begins with its struct rows. rows_reader_close frees the
 * reader. */
int rows_reader_cursor(struct reader *r, struct buf *out);
void rows_reader_progress(const struct reader *r, uint64_t *done, uint64_t *total);
const char *rows_reader_file(const struct reader *r);
void rows_reader_close(struct reader *r);

#endif
