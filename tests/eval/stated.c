/* What a model's stated confidence is worth before and after calibration (node/model/calibrate.h), on made-up
 * models whose truth is known:
 *
 *     stated_eval [SEED]
 *
 * Each model makes CLAIMS claims. It states 1 to 10 with its own habit; the claim is true with its own
 * chance. What becomes of a claim is seen for some alone: the user says so of one in four, rightly but for
 * one in twenty; of another one in four evidence speaks clearly, rightly but for one in six. Each claim is
 * scored against its truth, before anything is seen of it, with three numbers: as stated, (s − 0.5) / 10; by
 * the mapping without data; by the mapping fitted to what was seen of all earlier claims of that model. Mean
 * over SEEDS streams from one seed; the second number of a cell is the standard deviation over the streams.
 */
#include "node/model/calibrate.h"
#include "tests/support/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CLAIMS 400
#define SEEDS 200
#define PARTS 3

/* Chance that a claim stated s is true, in percent; how often s is stated, in relative numbers. */
struct model {
    const char *name;
    unsigned truth[10], often[10];
};
static const struct model models[] = {
    {"over-confident", {5, 8, 12, 16, 20, 25, 30, 36, 43, 50}, {0, 0, 1, 1, 2, 3, 6, 10, 8, 4}},
    {"under-confident", {40, 48, 56, 64, 72, 79, 85, 90, 94, 97}, {2, 4, 8, 8, 6, 4, 2, 1, 0, 0}},
    {"always nine", {35, 35, 35, 35, 35, 35, 35, 35, 35, 35}, {0, 0, 0, 0, 0, 0, 0, 1, 12, 1}},
    {"right as it is", {5, 15, 25, 35, 45, 55, 65, 75, 85, 95}, {1, 1, 2, 3, 4, 4, 4, 3, 2, 1}},
    {"upside down", {90, 85, 80, 70, 60, 50, 40, 30, 25, 20}, {1, 1, 2, 3, 3, 3, 3, 3, 2, 1}},
};
static const unsigned parts[PARTS + 1] = {0, 50, 150, CLAIMS};

enum way { STATED, WITHOUT, FITTED, WAYS };
static const char *const way_names[WAYS] = {"as stated", "without data", "fitted"};

struct loss {
    double brier, log;
};
static struct loss losses[PARTS][WAYS][SEEDS];

static uint8_t draw_stated(struct test_rng *r, const struct model *m)
{
    unsigned sum = 0, s = 0;
    for (unsigned i = 0; i < 10; i++)
        sum += m->often[i];
    unsigned at = (unsigned)test_rng_below(r, sum);
    while (at >= m->often[s])
        at -= m->often[s++];
    return (uint8_t)(s + 1);
}

/* What is seen of a claim; false: nothing. */
static bool outcome_see(struct test_rng *r, bool truth, struct calibrate_outcome *o)
{
    uint64_t which = test_rng_below(r, 4);
    bool user = which == 0, evidence = which == 1;
    bool wrong = test_rng_one_in(r, user ? 20 : 6);
    o->held = truth != wrong;
    o->weight = user ? 1 : 0.5;
    return user || evidence;
}

static void loss_add(struct loss *l, double p, bool truth)
{
    double y = truth ? 1 : 0;
    l->brier += (p - y) * (p - y);
    l->log -= log(truth ? p : 1 - p);
}

static void stream_run(const struct model *m, struct test_rng *r, unsigned seed)
{
    struct calibrate_outcome seen[CLAIMS];
    struct calibration none, fitted;
    size_t n = 0;
    calibrate_fit(NULL, 0, &none);
    for (unsigned part = 0; part < PARTS; part++) {
        struct loss sum[WAYS] = {{0, 0}};
        for (unsigned i = parts[part]; i < parts[part + 1]; i++) {
            uint8_t s = draw_stated(r, m);
            bool truth = test_rng_below(r, 100) < m->truth[s - 1];
            calibrate_fit(seen, n, &fitted);
            loss_add(&sum[STATED], (s - 0.5) / 10, truth);
            loss_add(&sum[WITHOUT], calibrate_probability(&none, s), truth);
            loss_add(&sum[FITTED], calibrate_probability(&fitted, s), truth);
            seen[n].stated = s;
            n += outcome_see(r, truth, &seen[n]) ? 1 : 0;
        }
        double claims = parts[part + 1] - parts[part];
        for (unsigned w = 0; w < WAYS; w++)
            losses[part][w][seed] = (struct loss){sum[w].brier / claims, sum[w].log / claims};
    }
}

static void cell_print(const struct loss *v, bool brier)
{
    double mean = 0, squares = 0;
    for (unsigned i = 0; i < SEEDS; i++)
        mean += (brier ? v[i].brier : v[i].log) / SEEDS;
    for (unsigned i = 0; i < SEEDS; i++) {
        double d = (brier ? v[i].brier : v[i].log) - mean;
        squares += d * d / SEEDS;
    }
    printf("  %.3f ±%.3f", mean, sqrt(squares));
}

static void model_print(const struct model *m)
{
    for (unsigned w = 0; w < WAYS; w++) {
        printf("%-16s%-14s", w == 0 ? m->name : "", way_names[w]);
        for (unsigned k = 0; k < 2; k++) {
            for (unsigned part = 0; part < PARTS; part++)
                cell_print(losses[part][w], k == 0);
        }
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    struct test_rng r;
    test_rng_init(&r, argc > 1 ? strtoull(argv[1], NULL, 10) : 9);
    printf("%30s  Brier, claims 1-50, 51-150, 151-400         log loss, the same\n", "");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        for (unsigned seed = 0; seed < SEEDS; seed++)
            stream_run(&models[i], &r, seed);
        model_print(&models[i]);
    }
    return 0;
}
