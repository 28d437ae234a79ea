/* Hybrid logical clock: 48 bits of wall milliseconds, 16 bits of counter; a counter overflow carries into the
 * milliseconds (Kulkarni et al. 2014). A value is one uint64_t, compared as such. Persisted with
 * each op, so monotonic per log. */
#ifndef STORE_HLC_H
#define STORE_HLC_H

#include "base/clock.h"

/* The next time stamp after `last` (0: none) at wall time wall_ms; > last always. Wall times before 1970 or
 * beyond 48 bits count as the nearest time that fits. `last` must not be UINT64_MAX: a stamp that far ahead
 * is held, never merged into `last`. */
uint64_t hlc_next(uint64_t last, int64_t wall_ms);
/* `last` after having seen a remote stamp (one that is not ahead). */
uint64_t hlc_merge(uint64_t last, uint64_t seen);
int64_t hlc_ms(uint64_t hlc);
/* Whether a remote stamp is further ahead of wall_ms than LIMIT_DRIFT_MS and must be held. */
bool hlc_is_ahead(uint64_t hlc, int64_t wall_ms);

#endif
