#include "base/log.h"

#include "base/text.h"
#include "base/time.h"

#include <stdarg.h>

/* A longer line says nothing more. */
#define LINE_BYTES 2048

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* The printed text, cut to LINE_BYTES, made safe for a terminal. */
static void PRINTF_LIKE(2, 0) put_text(struct buf *line, const char *fmt, va_list ap)
{
    char text[LINE_BYTES];
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        return;
    (void)text_escape(utf8_cut(bytes_str(text), sizeof text - 4), true, line);
}

void log_line(const struct log *l, enum log_level level, const char *area, const char *fmt, ...)
{
    char when[RFC3339_TEXT + 1];
    struct buf line;
    va_list ap;
    if (!l || !l->out || level > l->level)
        return;
    rfc3339_print(clock_wall_ms(l->clock), when);
    buf_init(&line, (size_t)8 * LINE_BYTES); /* every byte may become \u{NNNN} */
    (void)buf_printf(&line, "%s %s %s: ", when, level_names[level], area);
    va_start(ap, fmt);
    put_text(&line, fmt, ap);
    va_end(ap);
    (void)buf_put(&line, '\n');
    if (!line.err) {
        (void)fwrite(line.p, 1, line.n, l->out);
        (void)fflush(l->out);
    }
    buf_release(&line);
}
