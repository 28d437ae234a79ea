/* The error struct: texts are formatted into a scratch buffer first, because callers wrap errors with their
 * own text as an argument ("%s" of e->text), and are cut at a character boundary when too long. */
#include "base/err.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    int code;
    enum err_class cls;
    const char *name;
    const char *text;
};

static const struct code_row code_rows[] = {
#define X(name, value, cls, text) {name, ERR_CLASS_##cls, #name, text},
    ERR_TABLE(X)
#undef X
};

static const struct code_row *code_find(int code)
{
    for (size_t i = 0; i < sizeof code_rows / sizeof code_rows[0]; i++) {
        if (code_rows[i].code == code)
            return &code_rows[i];
    }
    return NULL;
}

enum err_class err_class(int code)
{
    const struct code_row *row = code_find(code);
    if (code == ERR_OK)
        return ERR_CLASS_NONE;
    return row ? row->cls : ERR_CLASS_FATAL;
}

const char *err_name(int code)
{
    const struct code_row *row = code_find(code);
    if (code == ERR_OK)
        return "ERR_OK";
    return row ? row->name : "ERR_UNKNOWN";
}

const char *err_text(int code)
{
    const struct code_row *row = code_find(code);
    if (code == ERR_OK)
        return "no error";
    return row ? row->text : "unknown error";
}

/* Copies text into out[size], cut so that no character is split. */
static void put_text(char *out, size_t size, const char *text)
{
    struct bytes cut = utf8_cut(bytes_str(text), size - 1);
    if (cut.n > 0)
        memcpy(out, cut.p, cut.n);
    out[cut.n] = '\0';
}

/* Long enough for a context, ": " and a whole old text, so that only put_text cuts. */
#define SCRATCH_BYTES 2048

static void PRINTF_LIKE(2, 0) print_text(char scratch[SCRATCH_BYTES], const char *fmt, va_list ap)
{
    if (vsnprintf(scratch, SCRATCH_BYTES, fmt, ap) < 0)
        scratch[0] = '\0';
}

static void append_text(char scratch[SCRATCH_BYTES], const char *more)
{
    size_t n = strlen(scratch);
    (void)snprintf(scratch + n, SCRATCH_BYTES - n, ": %s", more);
}

static void put_error(struct err *e, int code, const char *text)
{
    e->code = code;
    put_text(e->text, sizeof e->text, text);
    e->hint[0] = '\0';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    char scratch[SCRATCH_BYTES];
    va_list ap;
    if (!e)
        return code;
    va_start(ap, fmt);
    print_text(scratch, fmt, ap);
    va_end(ap);
    put_error(e, code, scratch);
    return code;
}

static int code_of_errno(int eno)
{
    switch (eno) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOENT:
        return ERR_NOTFOUND;
    case EACCES:
    case EPERM:
        return ERR_PERM;
    case EEXIST:
        return ERR_EXISTS;
    default:
        return ERR_IO;
    }
}

int err_errno(struct err *e, int eno, const char *fmt, ...)
{
    char scratch[SCRATCH_BYTES];
    char reason[128];
    va_list ap;
    if (!e)
        return code_of_errno(eno);
    va_start(ap, fmt);
    print_text(scratch, fmt, ap);
    va_end(ap);
    append_text(scratch, strerror_r(eno, reason, sizeof reason)); /* the GNU one: returns the text */
    put_error(e, code_of_errno(eno), scratch);
    if (e->code == ERR_FULL)
        err_hint(e, "free some space; nothing that was saved is lost");
    return e->code;
}

int err_wrap(struct err *e, int code, const char *fmt, ...)
{
    char scratch[SCRATCH_BYTES];
    va_list ap;
    if (!e)
        return code;
    va_start(ap, fmt);
    print_text(scratch, fmt, ap);
    va_end(ap);
    if (e->code == ERR_OK)
        put_error(e, code, err_text(code));
    append_text(scratch, e->text);
    put_text(e->text, sizeof e->text, scratch);
    return e->code;
}

void err_hint(struct err *e, const char *fmt, ...)
{
    char scratch[SCRATCH_BYTES];
    va_list ap;
    if (!e)
        return;
    va_start(ap, fmt);
    print_text(scratch, fmt, ap);
    va_end(ap);
    put_text(e->hint, sizeof e->hint, scratch);
}
