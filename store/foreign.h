/* Reading other programs' SQLite files (browser histories, atuin) as hostile input: this is the only place
 * besides the store itself that includes <sqlite3.h>, so observers come here for rows.
 *
 * The file (with its write-ahead log or hot journal, if there is one) is copied into a private temporary
 * folder first, because browsers keep their database locked and because opening a foreign WAL in place would
 * write to it. The copy is opened with defensive mode, trusted_schema off, cell size checks, a step limit,
 * length limits, no extension loading and an authorizer that allows only SELECT on real tables. It is
 * unlinked as soon as it is open, so that nothing is left of it whatever happens to the process.
 */
#ifndef STORE_FOREIGN_H
#define STORE_FOREIGN_H

#include "base/bytes.h"

struct foreign;

/* Copies and opens `path`; `tmp_dir` (private, 0700) gets the copy. ERR_FORMAT when the file is not a SQLite
 * database, ERR_CORRUPT when it is damaged, ERR_LIMIT above 8 GB, ERR_INUSE when it keeps changing while it
 * is copied, ERR_NOTFOUND, ERR_PERM, ERR_IO, ERR_FULL. A file that was cut short opens, and gives ERR_CORRUPT
 * behind the last row in front of the cut. */
int foreign_open(struct foreign **out, const char *path, const char *tmp_dir, struct err *e) MUST_CHECK;
void foreign_close(struct foreign *f); /* NULL fine */

/* Whether a table (and, when column is not NULL, that column) exists. */
bool foreign_has(struct foreign *f, const char *table, const char *column);

/* Starts a SELECT with integer parameters bound in order; one query at a time for each struct foreign. Of SQL
 * functions only coalesce, ifnull, length, substr, count, min, max and round are allowed. */
int foreign_query(struct foreign *f, const char *sql, const int64_t *params, size_t n_params,
                  struct err *e) MUST_CHECK;
/* 1 = a row, 0 = no more, negative = error (ERR_CORRUPT in the middle of a damaged file: the rows before it
 * stand). */
int foreign_step(struct foreign *f, struct err *e) MUST_CHECK;
/* Columns of the current row; text is borrowed until the next step, capped at LIMIT_OBSERVATION_BYTES. NULL
 * reads as 0 / empty. */
int64_t foreign_int(struct foreign *f, int column);
struct bytes foreign_text(struct foreign *f, int column);
bool foreign_is_null(struct foreign *f, int column);

#endif
