/* A few hundred seeds of the simulator; SIM_SEEDS and SIM_FIRST choose others. */
#include "tests/sim/sim.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
#define SEEDS 60
#else
#define SEEDS 300
#endif
#define SECONDS_MAX 60.0

static uint64_t from_env(const char *name, uint64_t otherwise)
{
    const char *v = getenv(name);
    return v ? strtoull(v, NULL, 10) : otherwise;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void every_seed_ends_in_one_model(void **state)
{
    struct sim_report r = {0};
    uint64_t first = from_env("SIM_FIRST", 1), n = from_env("SIM_SEEDS", SEEDS), done = 0, bad = 0;
    double start = seconds();
    (void)state;
    for (; done < n && (getenv("SIM_SEEDS") || seconds() - start < SECONDS_MAX); done++)
        bad += !sim_run(first + done, false, &r);
    sim_print(&r, done, seconds() - start);
    assert_int_equal(bad, 0);
    assert_true(done > 0 && r.merged > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_seed_ends_in_one_model)};
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1); /* the faults are ours, not the disk's */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
