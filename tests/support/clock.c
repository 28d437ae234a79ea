#include "tests/support/clock.h"

#include "base/check.h"

void test_clock_init(struct test_clock *t, int64_t wall_ms)
{
    *t = (struct test_clock){.wall_ms = wall_ms};
}

static int64_t wall(void *ctx)
{
    const struct test_clock *t = ctx;
    return t->wall_ms;
}

static int64_t mono(void *ctx)
{
    const struct test_clock *t = ctx;
    return t->mono_ms;
}

struct clock test_clock_iface(struct test_clock *t)
{
    return (struct clock){.wall_ms = wall, .mono_ms = mono, .ctx = t};
}

void test_clock_advance(struct test_clock *t, int64_t ms)
{
    CHECK(ms >= 0);
    t->wall_ms += ms;
    t->mono_ms += ms;
}

void test_clock_jump(struct test_clock *t, int64_t wall_ms)
{
    t->wall_ms = wall_ms;
}
