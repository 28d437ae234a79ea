/* Speed of taking up observations: 100 000 of real shape (shell, windows, pages, commits), each with its
 * full-text entry and four traces, in transactions of 2000, as an import does. Then the same again (all
 * known), then erasing a source.
 *
 *   local_bench [observations] [database]     prints one line a step
 */
#include "store/local.h"
#include "tests/bench/workload.h"

#include <unistd.h>

#define BATCH 2000

static int64_t bench_wall(void *ctx)
{
    (void)ctx;
    return INT64_C(1750000000000);
}

static void bench_fill(void *ctx, void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)workload_next(ctx);
}

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", what, e->text);
    exit(1);
}

struct made {
    struct stored_observation o;
    char title[600], text[600], url[600], command[600];
};

static const char *const sources[] = {"bash", "activitywatch", "chromium", "git"};
static const char *const apps[] = {"", "code", "chromium", ""};

/* The i-th observation, always the same. */
static void make(struct workload *w, struct made *m, size_t i)
{
    w->state = i;
    unsigned kind = workload_below(w, 4);
    memset(&m->o, 0, sizeof m->o);
    for (size_t k = 0; k < 16; k++)
        m->o.key[k] = (uint8_t)workload_next(w);
    m->o.time_ms = INT64_C(1600000000000) + (int64_t)i * 60000;
    m->o.end_ms = kind == 1 ? m->o.time_ms + 30000 : TIME_NONE;
    m->o.added_ms = INT64_C(1750000000000);
    m->o.source = bytes_str(sources[kind]);
    m->o.app = bytes_str(apps[kind]);
    size_t n = workload_sentence(w, 3, 8, m->title);
    if (kind == 0) {
        m->o.command = bytes_of(m->title, n);
        m->o.cwd = BYTES_LIT("/home/user/project");
        return;
    }
    m->o.title = bytes_of(m->title, n);
    if (kind == 2) {
        char word[2][32];
        workload_word(200 + workload_below(w, 50), word[0]);
        workload_word(workload_rank(w, 300), word[1]);
        m->o.url = bytes_of(m->url, (size_t)snprintf(m->url, sizeof m->url, "https://www.%s.org/%s/%u?q=%s",
                                                     word[0], word[1], workload_below(w, 5000), word[1]));
    }
    if (kind == 3)
        m->o.text = bytes_of(m->text, workload_sentence(w, 4, 12, m->text));
}

static void add_one(struct store *s, struct workload *w, const struct made *m, uint64_t *fresh, struct err *e)
{
    int64_t row = 0, feature = 0;
    bool is_fresh = false;
    if (local_observation_add(s, &m->o, &row, &is_fresh, e) != 0)
        die("adding", e);
    if (!is_fresh)
        return;
    ++*fresh;
    for (uint8_t k = 0; k < 4; k++) {
        char key[32];
        size_t n = workload_word(k == 0 ? 40 : 40 + workload_rank(w, 100) % (20u << (2 * k)), key);
        if (local_feature(s, k, bytes_of(key, n), &feature, e) != 0 ||
            local_trace_add(s, feature, row, (int32_t)(m->o.time_ms / MS_DAY),
                            (uint16_t)(m->o.time_ms / MS_MINUTE % 1440), e) != 0)
            die("tracing", e);
    }
}

static void import(struct store *s, struct workload *w, size_t n, const char *what)
{
    struct err e = ERR_INIT;
    struct made m;
    uint64_t fresh = 0;
    double generating = 0, start = workload_us();
    for (size_t i = 0; i < n; i++) {
        double t = workload_us();
        make(w, &m, i);
        generating += workload_us() - t;
        if (i % BATCH == 0 && ((i > 0 && store_commit(s, &e) != 0) || store_begin(s, &e) != 0))
            die("transaction", &e);
        add_one(s, w, &m, &fresh, &e);
    }
    if (store_commit(s, &e) != 0)
        die("transaction", &e);
    double us = workload_us() - start - generating;
    long now, high;
    workload_rss(&now, &high);
    printf("%-10s %zu observations, %llu new: %.2f s, %.1f us each, %.0f a second; resident %ld KiB, highest "
           "%ld KiB\n",
           what, n, (unsigned long long)fresh, us / 1e6, us / (double)n, (double)n / us * 1e6, now, high);
}

static int count_feature(void *ctx, const struct feature *f)
{
    (void)f;
    ++*(uint64_t *)ctx;
    return 0;
}

/* What inference does first: bring the traces into order. */
static void merge(struct store *s)
{
    struct err e = ERR_INIT;
    uint64_t features = 0;
    double start = workload_us();
    if (local_dirty(s, count_feature, &features, &e) != 0 || local_dirty_clear(s, &e) != 0)
        die("merging", &e);
    printf("%-10s %llu features: %.2f s\n", "merge", (unsigned long long)features,
           (workload_us() - start) / 1e6);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    const char *path = argc > 2 ? argv[2] : "bench-local.db";
    static struct workload w, noise;
    workload_init(&w, 1);
    workload_init(&noise, 2);
    struct clock clock = {bench_wall, bench_wall, NULL};
    struct rng rng = {bench_fill, &noise};
    struct store_config cfg = {.path = path, .clock = &clock, .rng = &rng};
    struct store *s = NULL;
    struct err e = ERR_INIT;
    if (store_open(&s, &cfg, &e) != 0)
        die("opening", &e);
    import(s, &w, n, "import");
    merge(s);
    import(s, &w, n, "again");
    double start = workload_us();
    uint64_t gone = 0;
    if (local_source_erase(s, BYTES_LIT("bash"), TIME_NONE, TIME_NONE, &gone, &e) != 0)
        die("erasing", &e);
    printf("%-10s %llu observations: %.2f s\n", "erase", (unsigned long long)gone,
           (workload_us() - start) / 1e6);
    start = workload_us();
    if (store_scrub(s, &e) != 0)
        die("scrubbing", &e);
    printf("%-10s %.2f s\n", "scrub", (workload_us() - start) / 1e6);
    store_close(s);
    return 0;
}
