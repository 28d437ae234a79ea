#include "tests/support/rng.h"

#include "base/check.h"

#include <string.h>

void test_rng_init(struct test_rng *t, uint64_t seed)
{
    t->state = seed;
}

uint64_t test_rng_u64(struct test_rng *t)
{
    uint64_t z = t->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t test_rng_below(struct test_rng *t, uint64_t n)
{
    CHECK(n > 0);
    return test_rng_u64(t) % n;
}

bool test_rng_one_in(struct test_rng *t, uint64_t n)
{
    return test_rng_below(t, n) == 0;
}

void test_rng_fill(struct test_rng *t, void *p, size_t n)
{
    uint8_t *to = p;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = test_rng_u64(t);
        for (size_t k = i; k < n && k < i + 8; k++)
            to[k] = (uint8_t)(v >> (8 * (k - i)));
    }
}

static void fill(void *ctx, void *p, size_t n)
{
    test_rng_fill(ctx, p, n);
}

struct rng test_rng_iface(struct test_rng *t)
{
    return (struct rng){.fill = fill, .ctx = t};
}

void test_rng_shuffle(struct test_rng *t, void *p, size_t n, size_t size)
{
    uint8_t *items = p;
    uint8_t held[256];
    CHECK(size <= sizeof held);
    for (size_t i = n; i > 1; i--) {
        uint8_t *a = items + (i - 1) * size;
        uint8_t *b = items + test_rng_below(t, i) * size;
        memcpy(held, a, size);
        memmove(a, b, size);
        memcpy(b, held, size);
    }
}
