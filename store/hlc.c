/* A stamp is wall milliseconds << 16 | counter, so comparing stamps is comparing integers, and adding one to
 * a stamp whose counter is full carries into the milliseconds by itself. */
#include "store/hlc.h"

#include "base/check.h"
#include "base/limits.h"

#define COUNTER_BITS 16
#define MS_MAX ((INT64_C(1) << 48) - 1)

static uint64_t of_ms(int64_t wall_ms)
{
    int64_t ms = wall_ms < 0 ? 0 : wall_ms;
    if (ms > MS_MAX)
        ms = MS_MAX;
    return (uint64_t)ms << COUNTER_BITS;
}

uint64_t hlc_next(uint64_t last, int64_t wall_ms)
{
    uint64_t now = of_ms(wall_ms);
    CHECK(last < UINT64_MAX);
    return now > last ? now : last + 1;
}

uint64_t hlc_merge(uint64_t last, uint64_t seen)
{
    return seen > last ? seen : last;
}

int64_t hlc_ms(uint64_t hlc)
{
    return (int64_t)(hlc >> COUNTER_BITS);
}

bool hlc_is_ahead(uint64_t hlc, int64_t wall_ms)
{
    return hlc_ms(hlc) - (int64_t)LIMIT_DRIFT_MS > wall_ms;
}
