/* What the shell histories (bash, zsh, fish) have in common; each format only says how one record is read.
 *
 * Records without a time are numbered per command (`occurrence`), counted from the start of the file, so
 * importing twice, or importing a file whose oldest lines were cut away, never counts one twice (it may count
 * low). To go on in the middle of such a file, what stands before the mark is read once more, silently.
 * Histories with times just seek.
 *
 * Where more of a record could follow (bash, fish), the mark stays before a record that only the end of the
 * file ended: it is read again next time and, being the same, dropped by its event key. */
#ifndef NODE_OBSERVE_SHELL_H
#define NODE_OBSERVE_SHELL_H

#include "base/limits.h"
#include "node/observe/lines.h"
#include "node/observe/observe.h"
#include "node/observe/tally.h"

struct shell_format {
    const char *source;
    /* Reads one record into r->command and the fields below it and moves r->mark behind it: ROW_OBSERVATION,
     * ROW_BAD (*b filled), ROW_DONE (nothing moved), or an error. */
    int (*read)(struct reader *r, struct bad_record *b, struct err *e);
};

struct shell_input {
    const char *path;
    int fd;
    struct bytes cursor;
    bool growing;
};

struct reader {
    const struct shell_format *format;
    struct lines lines;
    struct line_mark mark; /* behind the record given last; flags: see shell.c */
    struct tally tally;    /* of commands without a time */
    struct buf command;    /* the record */
    int64_t time_ms;       /* TIME_NONE when the history has none */
    int64_t end_ms;
    struct buf paths; /* bytes of the files below */
    size_t n_files;
    struct bytes files[LIMIT_OBSERVATION_FILES];
};

int shell_open(struct reader **out, const struct shell_format *format, const struct shell_input *in,
               struct err *e) MUST_CHECK;
/* The rest of struct observer. */
int shell_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e);
int shell_cursor(struct reader *r, struct buf *out);
void shell_progress(const struct reader *r, uint64_t *done, uint64_t *total);
void shell_close(struct reader *r);

/* Moves the mark to `m`, keeping its flags. */
void shell_mark(struct reader *r, struct line_mark m);

#endif
