/* One plan, event by event, and then a smaller one that fails as well:
 *
 *     sim_replay SEED             the plan of a seed
 *     sim_replay "seed=7 …"       a plan as a failure printed it
 *     sim_replay FIRST COUNT      many seeds, without their events
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHRINK_RUNS 400u

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int one(const char *text)
{
    struct sim_report r = {0};
    struct sim_plan p;
    if (!strchr(text, '='))
        sim_plan_make(strtoull(text, NULL, 10), &p);
    else if (!sim_plan_parse(text, &p)) {
        fprintf(stderr, "sim_replay: not a plan\n");
        return 2;
    }
    double start = seconds();
    sim_plan_print(&p, stdout);
    bool ok = sim_run(&p, SIM_EVENTS, &r, NULL);
    sim_report_print(&r, seconds() - start, stdout);
    if (ok)
        return 0;
    sim_shrink(&p, SHRINK_RUNS);
    printf("a smaller plan that fails: ");
    sim_plan_print(&p, stdout);
    return 1;
}

static int many(uint64_t first, uint64_t n)
{
    struct sim_report r = {0};
    uint64_t bad = 0;
    double start = seconds();
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct sim_plan p;
        sim_plan_make(seed, &p);
        bad += !sim_run(&p, SIM_ERRORS, &r, NULL);
    }
    sim_report_print(&r, seconds() - start, stdout);
    return bad > 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: sim_replay SEED | PLAN | FIRST COUNT\n");
        return 2;
    }
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = argc == 2 ? one(argv[1]) : many(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10));
    sim_end();
    return rc;
}
