/* Time and quality of search over 100 000 propositions of 8 to 15 words by Zipf's law, with 1000 queries of
 * mixed kinds: one rare word, several words as they fall (many common), only common words, a phrase, a long
 * text, words that nothing has. Prints the time inside the process and, against a full BM25 over every
 * proposition, how many of the best ten were found.
 *
 *   search_bench [propositions] [database] [queries checked]
 */
#include "store/search.h"
#include "store/op.h"
#include "tests/bench/workload.h"

#include <math.h>

#define QUERIES 1000
#define QUERY_BYTES 2048
#define HITS 200

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

static void must(int rc, const char *what, const struct err *e)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, e->text);
    exit(1);
}

static void fill_store(struct store *s, struct workload *w, size_t n)
{
    struct err e = ERR_INIT;
    struct draft d;
    struct id id;
    char text[15 * 32 + 32];
    draft_init(&d);
    bench_fill(w, &id, sizeof id);
    store_use_log(s, &id, &id);
    must(store_begin(s, &e), "begin", &e);
    for (size_t i = 0; i < n; i++) {
        bench_fill(w, &id, sizeof id);
        draft_reset(&d, SPACE_PROPOSITION, CLASS_MODEL, &id);
        draft_reg(&d, REG_TEXT, bytes_of(text, workload_sentence(w, 8, 15, text)), NULL, 0);
        must(store_write(s, &d, &e), "write", &e);
        if (i % 2000 == 1999) {
            must(store_commit(s, &e), "commit", &e);
            must(store_begin(s, &e), "begin", &e);
        }
    }
    must(store_commit(s, &e), "commit", &e);
    draft_release(&d);
}

enum kind { KIND_RARE, KIND_NATURAL, KIND_COMMON, KIND_PHRASE, KIND_LONG, KIND_ABSENT, KIND_N };
static const char *const kind_names[KIND_N] = {"rare word", "natural",   "common words",
                                               "phrase",    "long text", "absent"};

static size_t words_from(struct workload *w, unsigned count, unsigned from, unsigned below, char *out)
{
    size_t n = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned rank;
        do {
            rank = workload_rank(w, from);
        } while (rank >= below);
        if (i > 0)
            out[n++] = ' ';
        n += workload_word(rank, out + n);
    }
    return n;
}

static size_t make_query(struct workload *w, enum kind kind, char *out)
{
    switch (kind) {
    case KIND_RARE:
        return words_from(w, 1, 2000, VOCABULARY, out);
    case KIND_NATURAL:
        return workload_sentence(w, 3, 8, out);
    case KIND_COMMON:
        return words_from(w, 2 + workload_below(w, 3), 37, 100, out);
    case KIND_PHRASE: {
        out[0] = '"';
        size_t n = 1 + words_from(w, 2, 0, 500, out + 1);
        out[n] = '"';
        return n + 1;
    }
    case KIND_LONG:
        return workload_sentence(w, 25, 60, out);
    default:
        return (size_t)snprintf(out, QUERY_BYTES, "qx%uzz %uvvq", workload_below(w, 1000),
                                workload_below(w, 1000));
    }
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, double *us, size_t n, double hits)
{
    qsort(us, n, sizeof *us, by_time);
    printf("%-14s n %4zu   p50 %7.0f us   p99 %7.0f us   max %7.0f us   hits %.1f\n", name, n, us[n / 2],
           us[n * 99 / 100], us[n - 1], hits / (double)n);
}

/* ---- full BM25, for quality: documents as sorted lists of distinct terms with counts, kept in memory */

struct full {
    char (*texts)[15 * 32 + 32];
    size_t n;
    double average;
};

struct tokens {
    char words[64][32];
    size_t n;
};

static int token_put(void *ctx, struct bytes term)
{
    struct tokens *t = ctx;
    if (t->n == 64 || term.n > 31)
        return 0;
    memcpy(t->words[t->n], term.p, term.n);
    t->words[t->n++][term.n] = '\0';
    return 0;
}

static int full_load(void *ctx, const struct prop *p)
{
    struct full *f = ctx;
    size_t row = (size_t)p->row;
    memcpy(f->texts[row], p->text.p, p->text.n);
    f->texts[row][p->text.n] = '\0';
    f->n = row > f->n ? row : f->n;
    return 0;
}

static unsigned count_word(const char *text, const char *word)
{
    unsigned n = 0;
    size_t len = strlen(word);
    for (const char *p = text; (p = strstr(p, word)) != NULL; p += len)
        n += (p == text || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0');
    return n;
}

static unsigned count_words(const char *text)
{
    unsigned n = 1;
    for (; *text != '\0'; text++)
        n += *text == ' ';
    return n;
}

/* Scores of all documents for the query's words into scores[row]. */
static void full_scores(const struct full *f, const struct tokens *t, double *scores)
{
    memset(scores, 0, (f->n + 1) * sizeof *scores);
    for (size_t k = 0; k < t->n; k++) {
        static uint8_t tf[1 << 20];
        size_t df = 0;
        for (size_t row = 1; row <= f->n; row++) {
            tf[row] = (uint8_t)count_word(f->texts[row], t->words[k]);
            df += tf[row] > 0;
        }
        double idf = log(1 + ((double)f->n - (double)df + 0.5) / ((double)df + 0.5));
        for (size_t row = 1; row <= f->n; row++) {
            if (tf[row] > 0)
                scores[row] += idf * tf[row] * 2.2 /
                               (tf[row] + 1.2 * (0.25 + 0.75 * count_words(f->texts[row]) / f->average));
        }
    }
}

/* Of the hits that a full search would put among the best ten (ties count as equal), the part that ours has
 * there. */
static double full_compare(struct store *s, const struct full *f, struct bytes query,
                           const struct search_hit *hits, size_t n)
{
    static double scores[1 << 20], best[1 << 20];
    struct tokens t = {.n = 0}, distinct = {.n = 0};
    if (search_terms(s, query, true, token_put, &t) != 0)
        return 1;
    for (size_t i = 0; i < t.n; i++) {
        bool seen = false;
        for (size_t k = 0; k < distinct.n; k++)
            seen |= strcmp(t.words[i], distinct.words[k]) == 0;
        if (!seen)
            memcpy(distinct.words[distinct.n++], t.words[i], 32);
    }
    full_scores(f, &distinct, scores);
    memcpy(best, scores, (f->n + 1) * sizeof *best);
    qsort(best, f->n + 1, sizeof *best, by_time);
    size_t want = 0, got = 0;
    while (want < 10 && best[f->n - want] > 0)
        want++;
    if (want == 0)
        return 1;
    double least = best[f->n - want + 1];
    for (size_t i = 0; i < n && i < want; i++)
        got += scores[hits[i].row] >= least * 0.999;
    return (double)got / (double)want;
}

static void check_quality(struct store *s, char (*queries)[QUERY_BYTES], size_t n)
{
    struct err e = ERR_INIT;
    struct full f = {calloc((1 << 20), sizeof *f.texts), 0, 11.5};
    struct search_hit hits[HITS];
    double sum[KIND_N] = {0};
    size_t count[KIND_N] = {0};
    must(f.texts != NULL ? store_props(s, 0, full_load, &f, &e) : ERR_NOMEM, "loading", &e);
    for (size_t i = 0; i < n && i < QUERIES; i++) {
        enum kind kind = (enum kind)(i % KIND_N);
        if (kind == KIND_PHRASE || kind == KIND_ABSENT)
            continue;
        size_t got = 0;
        must(search_props(s, bytes_str(queries[i]), 0, hits, HITS, &got, &e), "searching", &e);
        sum[kind] += full_compare(s, &f, bytes_str(queries[i]), hits, got);
        count[kind]++;
    }
    for (size_t k = 0; k < KIND_N; k++) {
        if (count[k] > 0)
            printf("%-14s of the ten best of a full BM25: %.1f %% (%zu queries)\n", kind_names[k],
                   100 * sum[k] / (double)count[k], count[k]);
    }
    free(f.texts);
}

static void run_queries(struct store *s, char (*queries)[QUERY_BYTES], double (*us)[QUERIES], double *found)
{
    struct err e = ERR_INIT;
    struct search_hit hits[HITS];
    for (size_t i = 0; i < QUERIES; i++) {
        size_t n = 0;
        double start = workload_us();
        must(search_props(s, bytes_str(queries[i]), 0, hits, HITS, &n, &e), "searching", &e);
        us[i % KIND_N][i / KIND_N] = workload_us() - start;
        found[i % KIND_N] += (double)n;
    }
}

static void print_all(double (*us)[QUERIES], const double *found)
{
    static double all[QUERIES];
    size_t n_all = 0;
    double found_all = 0;
    for (size_t k = 0; k < KIND_N; k++) {
        size_t n = QUERIES / KIND_N + (k < QUERIES % KIND_N);
        memcpy(all + n_all, us[k], n * sizeof **us);
        n_all += n;
        found_all += found[k];
        print_times(kind_names[k], us[k], n, found[k]);
    }
    print_times("all", all, n_all, found_all);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    static struct workload w;
    static char queries[QUERIES][QUERY_BYTES];
    static double us[KIND_N][QUERIES], found[KIND_N];
    struct err e = ERR_INIT;
    struct store *s = NULL;
    workload_init(&w, 1);
    static struct workload noise;
    workload_init(&noise, 2);
    struct clock clock = {bench_wall, bench_wall, NULL};
    struct rng rng = {bench_fill, &noise};
    struct store_config cfg = {.path = argc > 2 ? argv[2] : "bench-search.db", .clock = &clock, .rng = &rng};
    must(store_open(&s, &cfg, &e), "opening", &e);
    uint64_t there = 0;
    must(store_prop_count(s, 0, &there, &e), "counting", &e);
    if (there == 0)
        fill_store(s, &w, n);
    w.state = 3;
    for (size_t i = 0; i < QUERIES; i++)
        queries[i][make_query(&w, (enum kind)(i % KIND_N), queries[i])] = '\0';
    run_queries(s, queries, us, found);
    print_all(us, found);
    long now, high;
    workload_rss(&now, &high);
    printf("resident %ld KiB, highest %ld KiB\n", now, high);
    if (argc > 3)
        check_quality(s, queries, strtoul(argv[3], NULL, 10));
    store_close(s);
    return 0;
}
