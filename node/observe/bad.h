/* How observers report a record that could not be read. */
#ifndef NODE_OBSERVE_BAD_H
#define NODE_OBSERVE_BAD_H

#include "node/observe/observe.h"

/* Fills *b; returns ROW_BAD. */
int bad_row(struct bad_record *b, uint64_t line, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "year 10312 is out of range" for a time outside LIMIT_TIME_MS_MAX; returns ROW_BAD. */
int bad_year(struct bad_record *b, uint64_t line, const char *field, int64_t ms);

#endif
