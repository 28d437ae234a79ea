#include "tests/sim/seeds.h"

#include "tests/sim/sim.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HANDS 4u
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
#define SEEDS 25u
#else
#define SEEDS 500u
#endif

static unsigned first_seed;

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
    uint64_t first = from_env("SIM_FIRST", 1) + first_seed, n = from_env("SIM_SEEDS", SEEDS), bad = 0;
    double start = seconds();
    (void)state;
    for (uint64_t i = 0; i < n; i++) {
        struct sim_plan p;
        sim_plan_make(first + i * HANDS, &p);
        bad += !sim_run(&p, SIM_ERRORS, &r, NULL);
    }
    sim_report_print(&r, seconds() - start, stdout);
    assert_int_equal(bad, 0);
    assert_true(n == 0 || r.merged > 0);
}

int sim_seeds_main(unsigned first)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_seed_ends_in_one_model)};
    first_seed = first;
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1); /* the faults are ours, not the disk's */
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    sim_end();
    return rc;
}
