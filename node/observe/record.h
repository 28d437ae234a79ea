/* Small things that text observers need to make a row. */
#ifndef NODE_OBSERVE_RECORD_H
#define NODE_OBSERVE_RECORD_H

#include "node/observe/bad.h"
#include "node/observe/observe.h"

/* "'x' is not a time in seconds" or "… is outside the years …", for an error of epoch_parse; returns ROW_BAD.
 */
int bad_time(struct bad_record *b, uint64_t line, const char *field, struct bytes text, int rc);
/* "record is longer than … bytes"; returns ROW_BAD. */
int bad_long(struct bad_record *b, uint64_t line);

/* Seconds since 1970 in decimal → ms. 0 stands for "no time known" in every history: TIME_NONE. ERR_FORMAT
 * when it is no integer, ERR_LIMIT when it is outside the years 1970..9999. */
int epoch_parse(struct bytes text, int64_t *ms) MUST_CHECK;

/* An observation with all times unknown and all texts empty. */
void observation_init(struct observation *o, const char *source);

#endif
