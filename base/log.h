/* Log lines of the node: one line each to a FILE, "TIME level area: text", text through the escaper.
 * Never content of observations or propositions, never secrets. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"

#include <stdio.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    FILE *out;            /* NULL: nothing is written */
    enum log_level level; /* lines above it are dropped */
    const struct clock *clock;
};

void log_line(const struct log *l, enum log_level level, const char *area, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
