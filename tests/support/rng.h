/* Seeded randomness for tests: splitmix64 behind struct rng. The same seed gives the same bytes everywhere.
 */
#ifndef TESTS_SUPPORT_RNG_H
#define TESTS_SUPPORT_RNG_H

#include "base/clock.h"

struct test_rng {
    uint64_t state;
};

void test_rng_init(struct test_rng *t, uint64_t seed);
/* The interface that the code under test takes; valid as long as t. */
struct rng test_rng_iface(struct test_rng *t);
uint64_t test_rng_u64(struct test_rng *t);
/* A number 0..n-1; n > 0. */
uint64_t test_rng_below(struct test_rng *t, uint64_t n);
/* True once in n times, on average; n > 0. */
bool test_rng_one_in(struct test_rng *t, uint64_t n);
void test_rng_fill(struct test_rng *t, void *p, size_t n);
/* Puts the n items of `size` bytes (at most 256) at p into a random order. */
void test_rng_shuffle(struct test_rng *t, void *p, size_t n, size_t size);

#endif
