/* Lines of a text source, one at a time, in bounded memory.
 *
 * Reads a regular file or an open descriptor. Every line comes with its byte offset and its 1-based number. A
 * line longer than LIMIT_LINE_BYTES is skipped and reported once. CRLF counts as one line end, a UTF-8 byte
 * order mark at the very start is dropped, everything else is passed on raw.
 *
 * The last line may lack its newline. Either it was written so, or another program is just writing it:
 *   - an import (growing = false) takes it: `ended` is then false, and the caller leaves its mark *before*
 * the line, so that the next import reads it again. If it was complete, the same event key comes out and the
 * store drops it; if it was cut, the whole line counts next time (the cut one was imported at the very moment
 * of writing: rare, and the price of not losing the last line of files that end without a newline).
 *   - a watch (growing = true), which wakes up exactly when somebody writes, leaves it: LINE_END,
 * `lines_unfinished` is true.
 */
#ifndef NODE_OBSERVE_LINES_H
#define NODE_OBSERVE_LINES_H

#include "base/bytes.h"

enum line_kind {
    LINE_END = 0,  /* nothing more for now */
    LINE_TEXT = 1, /* *out is a line */
    LINE_LONG = 2, /* a line over the limit was skipped; out->no, at and end are set, the text is empty */
};

struct line {
    struct bytes text; /* without its line end; valid until the next call on the same lines */
    uint64_t no;       /* 1-based */
    uint64_t at;       /* offset of its first byte */
    uint64_t end;      /* offset behind its line end */
    bool ended;        /* has a newline */
};

struct lines {
    int fd;
    bool own, seekable, growing, eof, unfinished;
    uint8_t *p;             /* read buffer */
    size_t cap, start, end; /* unread bytes are p[start..end) */
    size_t scanned;         /* of them, known to hold no newline */
    uint64_t base;          /* file offset of p[start] */
    uint64_t no;            /* lines given so far */
    uint64_t size;          /* of the file when opened; 0 when it is none */
    size_t last;            /* bytes of the line given last, for lines_back */
};

/* Opens `path`, a regular file only: folders, FIFOs, devices and sockets are refused without blocking.
 * ERR_NOTFOUND, ERR_PERM, ERR_FORMAT (not a regular file), ERR_IO. The caller owns *fd. */
int regular_open(const char *path, int *fd, uint64_t *size, struct err *e) MUST_CHECK;

/* Opens `path`, or reads from `fd` when it is not negative (borrowed: closing stays with the caller). After a
 * failure lines_close is not needed, but harmless. */
int lines_open(struct lines *l, const char *path, int fd, bool growing, struct err *e) MUST_CHECK;
/* Fine on zeroed memory. */
void lines_close(struct lines *l);
/* One of enum line_kind, ERR_IO or ERR_NOMEM. */
int lines_next(struct lines *l, struct line *out, struct err *e) MUST_CHECK;
/* Puts the line given last back; allowed once after each LINE_TEXT. */
void lines_back(struct lines *l);
/* True when a growing source ends in a line without newline. */
bool lines_unfinished(const struct lines *l);
void lines_progress(const struct lines *l, uint64_t *done, uint64_t *total);

/* A place in a file to go on from. */
struct line_mark {
    uint64_t at;    /* byte offset of a line's start */
    uint64_t no;    /* lines before it */
    uint64_t flags; /* the caller's */
};
/* Where the next line starts (flags 0). */
struct line_mark lines_here(const struct lines *l);
/* Appends a cursor for `m`: it carries a fingerprint of what stands before the mark. A pipe gives an empty
 * cursor. */
int lines_cursor_put(const struct lines *l, const struct line_mark *m, struct buf *out) MUST_CHECK;
/* Reads a cursor back. False when it does not fit this file (shorter, rotated, cut from the front, rewritten)
 * or is no cursor at all: start from the beginning. */
bool lines_cursor_fits(const struct lines *l, struct bytes cursor, struct line_mark *m);
/* Goes to a mark of this file. */
int lines_seek(struct lines *l, const struct line_mark *m, struct err *e) MUST_CHECK;

/* FNV-1a over b, going on from `seed` (HASH64_SEED to begin). Not for adversaries: a collision costs its
 * maker a record. */
#define HASH64_SEED UINT64_C(0xcbf29ce484222325)
uint64_t hash64(struct bytes b, uint64_t seed);

#endif
