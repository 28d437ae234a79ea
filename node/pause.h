/* Pauses: spans of time in which nothing is observed. Records that were made inside one are dropped whenever
 * they are read, not only while it lasts: a history file that is imported after the pause must not bring back
 * what the pause was for. A record without a time is judged by when it appeared in its file (node/job.c): it
 * is dropped when a pause touched the time since the file was read before. What a shell without times writes
 * only after the pause, at its end, cannot be told from later commands. */
#ifndef NODE_PAUSE_H
#define NODE_PAUSE_H

#include "store/local.h"

#define PAUSE_SPANS_MAX 256

struct pause_span {
    int64_t from_ms, until_ms; /* half open */
};
struct pauses {
    struct pause_span v[PAUSE_SPANS_MAX]; /* ascending, not overlapping */
    size_t n;
};

int pauses_load(struct store *s, struct pauses *p, struct err *e) MUST_CHECK;
/* Starts (or prolongs) a pause from now to until_ms; the oldest spans are joined when there are too many. */
int pauses_start(struct store *s, struct pauses *p, int64_t now_ms, int64_t until_ms,
                 struct err *e) MUST_CHECK;
/* Ends the running pause now; nothing to do when none runs. */
int pauses_end(struct store *s, struct pauses *p, int64_t now_ms, struct err *e) MUST_CHECK;
/* Does any span have a moment in common with [from_ms, until_ms]? */
bool pauses_meet(const struct pauses *p, int64_t from_ms, int64_t until_ms);
/* End of the span that holds t, or 0. */
int64_t pauses_at(const struct pauses *p, int64_t t_ms);

#endif
