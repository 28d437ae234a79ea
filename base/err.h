/* Errors: one table of codes, one struct that carries what happened outward.
 *
 * Every fallible function returns 0 or a negative code of the table below and may take a last
 * argument `struct err *e` (may be NULL) which then holds the code, a text and, where the user can
 * do something about it, a hint. Callers further out wrap the text: "opening store: cannot open
 * 'x.db': permission denied". Texts are lower case, without a full stop, what failed first, the
 * subject in 'single quotes'. Input from outside is rejected with these codes; our own bugs are
 * asserted (see base/check.h), never returned.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* What a caller can do about an error. */
enum err_class {
    ERR_CLASS_NONE,   /* no error */
    ERR_CLASS_RETRY,  /* may succeed later unchanged */
    ERR_CLASS_REJECT, /* the input is at fault; drop it and go on */
    ERR_CLASS_USER,   /* the user must do something */
    ERR_CLASS_FATAL,  /* this operation cannot go on */
};

/* clang-format off */
/*        name            value class   text                                          */
#define ERR_TABLE(X)                                                                     \
    X(ERR_NOMEM,          -1,   FATAL,  "out of memory")                                  \
    X(ERR_IO,             -2,   FATAL,  "input or output failed")                         \
    X(ERR_FULL,           -3,   USER,   "no space left on device")                        \
    X(ERR_CORRUPT,        -4,   FATAL,  "stored data is damaged")                         \
    X(ERR_FORMAT,         -5,   REJECT, "malformed input")                                \
    X(ERR_LIMIT,          -6,   REJECT, "input exceeds a limit")                          \
    X(ERR_VERSION,        -7,   USER,   "written by a newer version")                     \
    X(ERR_NOTFOUND,       -8,   USER,   "not found")                                      \
    X(ERR_AMBIGUOUS,      -9,   USER,   "ambiguous")                                      \
    X(ERR_EXISTS,         -10,  USER,   "already exists")                                 \
    X(ERR_USAGE,          -11,  USER,   "wrong usage")                                    \
    X(ERR_PERM,           -12,  USER,   "permission refused")                             \
    X(ERR_INUSE,          -13,  RETRY,  "in use by another process")                      \
    X(ERR_NOTRUNNING,     -14,  USER,   "the node is not running")                        \
    X(ERR_LOCKED,         -15,  USER,   "locked")                                         \
    X(ERR_VERIFY,         -16,  REJECT, "verification failed")                            \
    X(ERR_ATTENTION,      -17,  USER,   "needs attention")                                \
    X(ERR_CANCELLED,      -18,  RETRY,  "interrupted")                                    \
    X(ERR_PAUSED,         -19,  RETRY,  "observing is paused")                            \
    X(ERR_FORGOTTEN,      -20,  USER,   "forgotten for good")
/* clang-format on */

enum err_code {
    ERR_OK = 0,
#define X(name, value, cls, text) name = (value),
    ERR_TABLE(X)
#undef X
};

struct err {
    int code;       /* 0 or one of enum err_code */
    char text[480]; /* what failed; "" while code is 0 */
    char hint[240]; /* what the user can do; "" if nothing */
};

/* Starts a clean error. */
#define ERR_INIT ((struct err){0})

/* Fills e (may be NULL) and returns code, so that failing reads `return err_set(e, ERR_IO, ...)`.
 * Truncates long texts at a character boundary. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, with the code chosen from errno `eno` (ENOSPC/EDQUOT → FULL, ENOMEM → NOMEM, ENOENT →
 * NOTFOUND, EACCES/EPERM → PERM, EEXIST → EXISTS, else IO) and ": " + strerror(eno) appended. */
int err_errno(struct err *e, int eno, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text e already holds; code and hint stay. Returns e->code.
 * A clean e takes the code given and its text of the table. When e is NULL, only returns the code given. */
int err_wrap(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Sets the hint of e (may be NULL). */
void err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The table's class, name ("ERR_IO") and text of a code. Unknown codes give FATAL, "ERR_UNKNOWN". */
enum err_class err_class(int code);
const char *err_name(int code);
const char *err_text(int code);

#endif
