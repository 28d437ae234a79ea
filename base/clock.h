/* Time and randomness as parameters: nothing below node/ asks the operating system for either.
 * node/ passes the real ones in; tests and the simulator pass their own. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/bytes.h"

struct clock {
    int64_t (*wall_ms)(void *ctx); /* milliseconds since 1970 UTC; may jump */
    int64_t (*mono_ms)(void *ctx); /* milliseconds since some start; never goes back */
    void *ctx;
};

struct rng {
    void (*fill)(void *ctx, void *p, size_t n); /* n unpredictable bytes; cannot fail */
    void *ctx;
};

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->ctx);
}
static inline int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_ms(c->ctx);
}
static inline void rng_fill(const struct rng *r, void *p, size_t n)
{
    r->fill(r->ctx, p, n);
}

#endif
