/* A seed's plan: a random subset of the faults, most of the rates low, and as many days as a run can pay for.
 */
#include "tests/sim/sim.h"

#include "tests/support/rng.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned max;
} kinds[SIM_FAULT_KINDS] = {
#define SIM_FAULT_ROW(id, name, text, max) {name, max},
    SIM_FAULTS(SIM_FAULT_ROW)
#undef SIM_FAULT_ROW
};

const char *sim_fault_name(enum sim_fault f)
{
    return kinds[f].name;
}

/* Low rates are as likely as high ones are rare. */
static unsigned some_rate(struct test_rng *rng, unsigned max)
{
    uint64_t of = test_rng_below(rng, 3) ? max / 8 + 1 : max;
    return 1 + (unsigned)test_rng_below(rng, of);
}

void sim_plan_make(uint64_t seed, struct sim_plan *p)
{
    struct test_rng rng;
    test_rng_init(&rng, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
    *p = (struct sim_plan){.seed = seed};
    uint64_t share = 1 + test_rng_below(&rng, 6); /* of ten kinds */
    p->devices = 2 + (unsigned)test_rng_below(&rng, 3) + (test_rng_below(&rng, 5) == 0 ? 2u : 0u);
    p->days = 5 + (unsigned)test_rng_below(&rng, 26);
    for (size_t i = 0; i < SIM_FAULT_KINDS; i++) {
        unsigned rate = some_rate(&rng, kinds[i].max);
        p->rate[i] = test_rng_below(&rng, 10) < share ? rate : 0;
    }
}

static bool parse_one(const char *word, size_t n, struct sim_plan *p)
{
    const char *eq = memchr(word, '=', n);
    char *end = NULL;
    if (!eq)
        return false;
    size_t name = (size_t)(eq - word);
    unsigned long long v = strtoull(eq + 1, &end, 10);
    if (end != word + n)
        return false;
#define IS(text) (name == strlen(text) && memcmp(word, text, name) == 0)
    if (IS("seed")) {
        p->seed = v;
        return true;
    }
    if (IS("devices"))
        p->devices = (unsigned)v;
    if (IS("days"))
        p->days = (unsigned)v;
    bool known = IS("devices") || IS("days");
    for (size_t i = 0; i < SIM_FAULT_KINDS; i++) {
        if (!IS(kinds[i].name))
            continue;
        p->rate[i] = (unsigned)v;
        known = true;
    }
#undef IS
    return known;
}

bool sim_plan_parse(const char *text, struct sim_plan *p)
{
    *p = (struct sim_plan){.devices = 2, .days = 1};
    for (;;) {
        text += strspn(text, " \n");
        size_t n = strcspn(text, " \n");
        if (n == 0)
            break;
        if (!parse_one(text, n, p))
            return false;
        text += n;
    }
    return p->devices >= 2 && p->devices <= SIM_DEVICES && p->days >= 1 && p->days <= 1000;
}

void sim_plan_print(const struct sim_plan *p, FILE *to)
{
    fprintf(to, "seed=%llu devices=%u days=%u", (unsigned long long)p->seed, p->devices, p->days);
    for (size_t i = 0; i < SIM_FAULT_KINDS; i++) {
        if (p->rate[i])
            fprintf(to, " %s=%u", kinds[i].name, p->rate[i]);
    }
    fprintf(to, "\n");
}

/* ---- a smaller one that still fails */

static bool fails(const struct sim_plan *p, unsigned *runs)
{
    struct sim_report r = {0};
    if (*runs == 0)
        return false;
    --*runs;
    return !sim_run(p, SIM_QUIET, &r, NULL);
}

static bool try_plan(struct sim_plan *p, const struct sim_plan *smaller, unsigned *runs)
{
    if (memcmp(p, smaller, sizeof *p) == 0 || !fails(smaller, runs))
        return false;
    *p = *smaller;
    return true;
}

static bool shrink_faults(struct sim_plan *p, unsigned *runs)
{
    bool better = false;
    for (size_t i = 0; i < SIM_FAULT_KINDS; i++) {
        struct sim_plan smaller = *p;
        smaller.rate[i] = 0;
        better = try_plan(p, &smaller, runs) || better;
    }
    return better;
}

static bool shrink_numbers(struct sim_plan *p, unsigned *runs)
{
    struct sim_plan smaller = *p;
    bool better = false;
    smaller.devices = p->devices > 2 ? p->devices - 1 : 2;
    better = try_plan(p, &smaller, runs);
    for (unsigned cut = p->days / 2; cut > 0; cut /= 2) {
        smaller = *p;
        smaller.days = p->days - cut;
        better = (smaller.days > 0 && try_plan(p, &smaller, runs)) || better;
    }
    return better;
}

void sim_shrink(struct sim_plan *p, unsigned runs_max)
{
    unsigned runs = runs_max;
    bool better = true;
    while (better && runs > 0) {
        better = shrink_faults(p, &runs);
        better = shrink_numbers(p, &runs) || better;
    }
}
