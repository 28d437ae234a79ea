#include "node/observe/record.h"

#include "base/limits.h"

#include <stdarg.h>
#include <stdio.h>

/* Shown of a value that is at fault. */
#define SHOWN_BYTES 40

int bad_row(struct bad_record *b, uint64_t line, const char *field, const char *fmt, ...)
{
    va_list ap;
    *b = (struct bad_record){.line = line};
    (void)snprintf(b->field, sizeof b->field, "%s", field);
    va_start(ap, fmt);
    (void)vsnprintf(b->reason, sizeof b->reason, fmt, ap);
    va_end(ap);
    return ROW_BAD;
}

int bad_time(struct bad_record *b, uint64_t line, const char *field, struct bytes text, int rc)
{
    int n = text.n < SHOWN_BYTES ? (int)text.n : SHOWN_BYTES;
    const char *what = rc == ERR_LIMIT ? "is outside the years 1970 to 9999" : "is not a time in seconds";
    return bad_row(b, line, field, "'%.*s' %s", n, n ? (const char *)text.p : "", what);
}

int bad_long(struct bad_record *b, uint64_t line)
{
    return bad_row(b, line, "", "record is longer than %u bytes", LIMIT_LINE_BYTES);
}

int epoch_parse(struct bytes text, int64_t *ms)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    struct bytes digits = bytes_slice(text, negative, text.n);
    uint64_t v = 0;
    bool over = false;
    if (digits.n == 0)
        return ERR_FORMAT;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return ERR_FORMAT;
        v = v * 10 + (uint64_t)(digits.p[i] - '0');
        over = over || v > (uint64_t)LIMIT_TIME_MS_MAX / 1000;
        v = over ? 0 : v;
    }
    if (over || (negative && v))
        return ERR_LIMIT;
    *ms = v ? (int64_t)v * MS_SECOND : TIME_NONE;
    return 0;
}

void observation_init(struct observation *o, const char *source)
{
    *o = (struct observation){.time_ms = TIME_NONE, .end_ms = TIME_NONE, .offset_min = OFFSET_UNKNOWN};
    o->source = bytes_str(source);
}
