/* Seeded words in natural proportions for the benchmarks: function words of English as the commonest ranks,
 * made-up content words behind them, drawn by Zipf's law (the n-th commonest word 1/n as often as the first).
 * The same seed gives the same text everywhere. */
#ifndef TESTS_BENCH_WORKLOAD_H
#define TESTS_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VOCABULARY 30000

struct workload {
    uint64_t state;
    double total[VOCABULARY]; /* cumulated 1/rank */
};

static inline uint64_t workload_next(struct workload *w) /* splitmix64 */
{
    uint64_t z = w->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned workload_below(struct workload *w, unsigned n)
{
    return (unsigned)(workload_next(w) % n);
}

static inline void workload_init(struct workload *w, uint64_t seed)
{
    w->state = seed;
    double sum = 0;
    for (size_t i = 0; i < VOCABULARY; i++)
        w->total[i] = sum += 1.0 / (double)(i + 3);
}

/* A rank of at least `from`, by Zipf's law. */
static inline unsigned workload_rank(struct workload *w, unsigned from)
{
    double below = from > 0 ? w->total[from - 1] : 0;
    double at = below + (double)(workload_next(w) >> 11) * 0x1p-53 * (w->total[VOCABULARY - 1] - below);
    size_t lo = from, hi = VOCABULARY - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (w->total[mid] < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (unsigned)lo;
}

/* Appends the word of a rank; returns its length. out has 32 bytes. */
static inline size_t workload_word(unsigned rank, char *out)
{
    static const char *const function_words[] = {
        "the", "to",  "of",   "and", "a",  "in",   "is",   "for",  "on", "with", "that", "at",   "by",
        "it",  "as",  "from", "be",  "or", "this", "when", "are",  "in", "not",  "an",   "have", "more",
        "has", "his", "her",  "but", "he", "she",  "they", "will", "so", "than", "about"};
    static const char *const syllables[] = {"ka", "re", "mo", "ti", "lan", "ser", "vo",  "pi", "den", "ur",
                                            "ch", "ba", "no", "el", "ist", "gra", "tum", "fo", "way", "ness"};
    size_t n_function = sizeof function_words / sizeof *function_words;
    if (rank < n_function)
        return (size_t)snprintf(out, 32, "%s", function_words[rank]);
    size_t n = 0;
    for (unsigned left = rank + 400; left > 0; left /= 20)
        n += (size_t)snprintf(out + n, 32 - n, "%s", syllables[left % 20]);
    return n;
}

/* A sentence of min..max words into out, which has room for 32 bytes a word. */
static inline size_t workload_sentence(struct workload *w, unsigned min, unsigned max, char *out)
{
    unsigned words = min + workload_below(w, max - min + 1);
    size_t n = 0;
    for (unsigned i = 0; i < words; i++) {
        if (i > 0)
            out[n++] = ' ';
        n += workload_word(workload_rank(w, 0), out + n);
    }
    out[n] = '\0';
    return n;
}

static inline double workload_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Resident memory now and at its highest, in KiB. */
static inline void workload_rss(long *now, long *high)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    *now = *high = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            *now = strtol(line + 6, NULL, 10);
        if (strncmp(line, "VmHWM:", 6) == 0)
            *high = strtol(line + 6, NULL, 10);
    }
    if (f != NULL)
        fclose(f);
}

#endif
