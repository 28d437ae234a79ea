/* Time of searching the vectors of 100 000 propositions of a few words, 384 dims of 8 bits each, at random:
 * nothing about the search depends on what they say. Prints the time of filling, of one search in wall and
 * CPU time, and what is resident.
 *
 *   vectors_bench [propositions] [dims] [database]
 */
#include "store/vectors.h"
#include "store/op.h"
#include "tests/bench/workload.h"

#define SEARCHES 200
#define HITS 100
#define BATCH 256

static struct workload w;

static int64_t bench_wall(void *ctx)
{
    (void)ctx;
    return INT64_C(1750000000000);
}

static void bench_fill(void *ctx, void *p, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)workload_next(&w);
}

static void must(int rc, const struct err *e)
{
    if (rc == 0)
        return;
    fprintf(stderr, "vectors_bench: %s\n", e->text);
    exit(1);
}

static double seconds(clockid_t which)
{
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(struct store *s, size_t n)
{
    struct err e = ERR_INIT;
    struct draft d;
    struct id id;
    char text[32];
    draft_init(&d);
    bench_fill(NULL, &id, sizeof id);
    store_use_log(s, &id, &id);
    must(store_begin(s, &e), &e);
    for (size_t i = 0; i < n; i++) {
        bench_fill(NULL, &id, sizeof id);
        draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
        (void)snprintf(text, sizeof text, "likes number %zu", i);
        draft_reg(&d, REG_TEXT, bytes_str(text), NULL, 0);
        must(store_write(s, &d, &e), &e);
    }
    must(store_commit(s, &e), &e);
    draft_release(&d);
}

static void random_vector(float *v, size_t dims)
{
    for (size_t i = 0; i < dims; i++)
        v[i] = (float)(int)workload_below(&w, 2001) - 1000.0f;
}

struct batch {
    struct {
        int64_t row;
        uint8_t content[VECTOR_KEY_BYTES];
    } v[BATCH];
    size_t n;
};

static int collect(void *ctx, const struct vector_due *d)
{
    struct batch *b = ctx;
    b->v[b->n].row = d->row;
    memcpy(b->v[b->n++].content, d->content, VECTOR_KEY_BYTES);
    return 0;
}

static void fill(struct store *s, size_t dims)
{
    static float v[VECTOR_DIMS_MAX];
    static struct batch b;
    struct err e = ERR_INIT;
    bool end = false;
    double from = seconds(CLOCK_PROCESS_CPUTIME_ID), put = 0;
    while (!end) {
        b.n = 0;
        must(store_vectors_due(s, BATCH, collect, &b, &end, &e), &e);
        for (size_t i = 0; i < b.n; i++) {
            random_vector(v, dims);
            double at = seconds(CLOCK_PROCESS_CPUTIME_ID);
            must(store_vectors_put(s, b.v[i].row, b.v[i].content, v, &e), &e);
            put += seconds(CLOCK_PROCESS_CPUTIME_ID) - at;
        }
    }
    printf("kept in %.2f s of CPU (%.2f s with making them)\n", put,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - from);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void search(struct store *s, size_t dims)
{
    static float v[VECTOR_DIMS_MAX];
    static double ms[SEARCHES];
    struct vector_hit hits[HITS];
    struct vector_found found = {0};
    struct err e = ERR_INIT;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < SEARCHES; i++) {
        random_vector(v, dims);
        double from = seconds(CLOCK_MONOTONIC);
        must(store_vectors_search(s, v, hits, HITS, &found, &e), &e);
        ms[i] = (seconds(CLOCK_MONOTONIC) - from) * 1e3;
    }
    cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3 / SEARCHES;
    qsort(ms, SEARCHES, sizeof ms[0], compare);
    printf("search of %llu vectors: p50 %.2f ms, p99 %.2f ms, CPU %.2f ms\n",
           (unsigned long long)found.looked, ms[SEARCHES / 2], ms[SEARCHES * 99 / 100], cpu);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    struct vector_model m = {.key = {1}, .dims = argc > 2 ? strtoul(argv[2], NULL, 10) : 384};
    struct err e = ERR_INIT;
    struct store *s = NULL;
    struct clock clock = {bench_wall, bench_wall, NULL};
    struct rng rng = {bench_fill, NULL};
    struct store_config cfg = {.path = argc > 3 ? argv[3] : "bench-vectors.db", .clock = &clock, .rng = &rng};
    if (n == 0 || m.dims == 0 || m.dims > VECTOR_DIMS_MAX) {
        fprintf(stderr, "usage: vectors_bench [propositions] [dims, 1..%u] [database]\n", VECTOR_DIMS_MAX);
        return 2;
    }
    workload_init(&w, 1);
    must(store_open(&s, &cfg, &e), &e);
    tell(s, n);
    must(store_vectors_open(s, &m, &e), &e);
    fill(s, m.dims);
    search(s, m.dims);
    long now, high;
    workload_rss(&now, &high);
    printf("resident %ld KiB, highest %ld KiB\n", now, high);
    store_vectors_rest(s);
    workload_rss(&now, &high);
    printf("resident at rest %ld KiB\n", now);
    store_close(s);
    return 0;
}
