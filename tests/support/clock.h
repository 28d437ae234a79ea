/* A clock that stands still until it is told to move. */
#ifndef TESTS_SUPPORT_CLOCK_H
#define TESTS_SUPPORT_CLOCK_H

#include "base/clock.h"

struct test_clock {
    int64_t wall_ms;
    int64_t mono_ms;
};

void test_clock_init(struct test_clock *t, int64_t wall_ms);
/* The interface that the code under test takes; valid as long as t. */
struct clock test_clock_iface(struct test_clock *t);
/* Both times go forward by ms (>= 0). */
void test_clock_advance(struct test_clock *t, int64_t ms);
/* Wall time jumps, forward or back; monotonic time stays. */
void test_clock_jump(struct test_clock *t, int64_t wall_ms);

#endif
