/* What the shell histories (bash, zsh, fish) have in common; each format only says how one record is read.
 *
 * Records without a time are numbered per command (`occurrence`), counted from the start of the file, so importing twice or
 * importing a file whose oldest lines were cut away never counts one twice (it may count low). To go on in the middle of
 * such a file, what stands before the mark is read once more, silently. Histories with times just seek.
 *
 * The mark stands before a record that was ended by the end of the file where more of it could follow (bash, fish): it
 * is then read again next time and, being the same, dropped by its event key. */
#ifndef NODE_OBSERVE_SHELL_H
#define NODE_OBSERVE_SHELL_H

#include "base/limits.h"
#include "node/observe/lines.h"
#include "node/observe/observe.h"
#include "node/observe/tally.h"

struct shell_record {
    int64_t time_ms; /* TIME_NONE when the history has none */
    int64_t end_ms;
    size_t n_files;
    struct bytes files[LIMIT_OBSERVATION_FILES];
};

struct reader {
    struct lines lines;
    struct line_mark mark; /* behind the record given last */
    struct tally tally;
    bool untimed;       /* a record without time has been seen */
    struct buf command; /* of the record */
    struct buf paths;   /* bytes behind record.files (fish) */
    struct shell_record record;
    struct bytes source;
    /* Reads one record into r->command and r->record and moves r->mark: ROW_OBSERVATION, ROW_BAD (*b filled), ROW_DONE, or
     * an error. */
    int (*read)(struct reader *r, struct bad_record *b, struct err *e);
};

/* observer.open for a format. */
int shell_open(struct reader *proto, struct reader **out, const char *path, struct bytes cursor, struct err *e) MUST_CHECK;
int shell_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e);
int shell_cursor(struct reader *r, struct buf *out);
void shell_progress(const struct reader *r, uint64_t *done, uint64_t *total);
void shell_close(struct reader *r);

/* Seconds since 1970 in decimal → ms; 0 means no time was known: TIME_NONE. ERR_FORMAT when it is no number, ERR_LIMIT when it
 * is outside the years 1970..9999. */
int shell_time(struct bytes text, int64_t *ms) MUST_CHECK;
/* Fills *b; returns ROW_BAD. */
int bad_row(struct bad_record *b, uint64_t line, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* "time 'x' is …" for a shell_time error; returns ROW_BAD. */
int bad_time(struct bad_record *b, uint64_t line, const char *field, struct bytes text, int rc);

#endif
