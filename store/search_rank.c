/* Ranking with a bounded amount of work, however common the words:
 *
 *   1. each term's newest rows are read, at most a cap: a term with fewer rows is *rare* and all its rows are
 * known, any other is *common* and the number of its rows is estimated from how densely the rows read lie;
 *   2. when rare terms find little, the newest rows that have several common terms at once are looked up,
 * too;
 *   3. the rows found are ranked by the terms they are known to have; the best CANDIDATES_MAX are candidates;
 *   4. candidates are read, cut into words, and scored with BM25 over all terms.
 *
 * The number of rows stands for the number of documents. Average length is that of the candidates. Ties go to
 * the newer row. The order is a function of the index alone.
 */
#include "store/search_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BM25_K1 1.2
#define BM25_B 0.75

/* Rows read of all terms together, of one at least and at most. */
#define ROWS_SINGLE_MAX 8192u
#define CAP_MIN 256u
#define CAP_MAX 1024u
/* Common terms are looked up together when rare ones found fewer rows than this; that many look-ups of that
 * many rows … */
#define FEW_ROWS 512u
#define PAIR_LISTS_MAX 4u
#define PAIR_ROWS 256u
/* … among that many of the newest rows: bounds the time when two common terms never meet. */
#define PAIR_WINDOW 200000
#define CANDIDATES_MAX 1200u
/* Read of one candidate: of each of its texts, and words in all. */
#define TEXT_BYTES_MAX 8192u
#define WORDS_MAX 2048u

#define LISTS_MAX (LIMIT_QUERY_TERMS + PAIR_LISTS_MAX)

_Static_assert(LIMIT_QUERY_TERMS <= 32, "terms are bits of a uint32_t");
_Static_assert(CAP_MIN *LIMIT_QUERY_TERMS <= ROWS_SINGLE_MAX, "every term gets its least");

/* Rows that have all of `terms`, highest first. */
struct list {
    const int64_t *rows;
    size_t n, at;
    uint32_t terms;
};

struct candidate {
    int64_t row;
    double score; /* first of the terms known, then BM25 */
    uint32_t terms;
    uint32_t words;
    uint16_t tf[LIMIT_QUERY_TERMS];
};

struct rank {
    int64_t rows[ROWS_SINGLE_MAX + LIMIT_QUERY_TERMS + PAIR_LISTS_MAX * PAIR_ROWS];
    size_t n_rows;
    struct list lists[LISTS_MAX];
    size_t n_lists;
    double idf[LIMIT_QUERY_TERMS];
    bool common[LIMIT_QUERY_TERMS];
    struct candidate candidates[CANDIDATES_MAX]; /* a heap, the worst on top, while they are chosen */
    size_t n_candidates;
    struct buf match;
};

#define MATCH_BYTES_MAX (LIMIT_QUERY_TERMS * (TERM_BYTES_MAX + 16))

struct rank *rank_new(void)
{
    struct rank *r = calloc(1, sizeof *r);
    if (r != NULL)
        buf_init(&r->match, MATCH_BYTES_MAX);
    return r;
}

void rank_free(struct rank *r)
{
    if (r == NULL)
        return;
    buf_release(&r->match);
    free(r);
}

/* One search: what its steps share. */
struct job {
    struct store *s;
    const struct search_index *x;
    const struct query *q;
    struct rank *r;
    uint32_t flags_off;
    int64_t top; /* highest row */
};

/* ---- 1. look-ups */

/* The FTS5 expression of all of `terms`. Always quoted: no text can be taken for syntax. */
static int match_text(struct job *j, uint32_t terms, struct bytes *out)
{
    struct buf *b = &j->r->match;
    buf_clear(b);
    for (size_t i = 0; i < j->q->n; i++) {
        const struct query_term *t = &j->q->terms[i];
        if ((terms >> i & 1) == 0)
            continue;
        buf_str(b, b->n > 0 ? " AND \"" : "\"");
        buf_append(b, t->text, t->n_text - 1);
        buf_str(b, t->prefix ? "\"*" : "\"");
    }
    *out = buf_view(b);
    return b->err;
}

/* Appends a list of at most max rows ≥ from that have all of `terms`. */
static int list_read(struct job *j, uint32_t terms, int64_t from, size_t max, struct err *e)
{
    struct rank *r = j->r;
    struct list *l = &r->lists[r->n_lists++];
    *l = (struct list){&r->rows[r->n_rows], 0, 0, terms};
    struct bytes match;
    struct stmt *q = NULL;
    int rc = match_text(j, terms, &match);
    if (rc != 0)
        return err_set(e, rc, "searching");
    rc = db_prepare(j->s, j->x->match_sql, &q, e);
    if (rc != 0)
        return rc;
    db_bind_text(q, 1, match);
    db_bind_int(q, 2, from);
    db_bind_int(q, 3, (int64_t)max);
    while (l->n < max && (rc = db_step(q, e)) == 1) {
        r->rows[r->n_rows++] = db_int(q, 0);
        l->n++;
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

/* Inverse document frequency, from the rows read of a term and whether there are more. */
static double list_idf(const struct list *l, bool more, int64_t top)
{
    double df = (double)l->n;
    if (more)
        df *= (double)top / (double)(top - l->rows[l->n - 1] + 1);
    double n = (double)top > df ? (double)top : df;
    return log(1 + (n - df + 0.5) / (df + 0.5));
}

static int terms_read(struct job *j, struct err *e)
{
    struct rank *r = j->r;
    size_t cap = ROWS_SINGLE_MAX / j->q->n;
    cap = cap < CAP_MAX ? cap : CAP_MAX;
    for (size_t i = 0; i < j->q->n; i++) {
        int rc = list_read(j, UINT32_C(1) << i, INT64_MIN, cap + 1, e);
        if (rc != 0)
            return rc;
        struct list *l = &r->lists[r->n_lists - 1];
        r->common[i] = l->n > cap;
        r->idf[i] = j->q->terms[i].weight * list_idf(l, r->common[i], j->top);
    }
    return 0;
}

/* ---- 2. common terms together */

static int term_order(const struct rank *r, size_t a, size_t b)
{
    return r->idf[a] != r->idf[b] ? (r->idf[a] > r->idf[b] ? -1 : 1) : (int)a - (int)b;
}

/* The three weightiest common terms into best; returns how many common terms there are. */
static size_t common_best(const struct job *j, size_t best[3], uint32_t *all)
{
    size_t n = 0;
    *all = 0;
    for (size_t i = 0; i < j->q->n; i++) {
        if (!j->r->common[i])
            continue;
        *all |= UINT32_C(1) << i;
        size_t at = n < 3 ? n : 3;
        for (; at > 0 && term_order(j->r, i, best[at - 1]) < 0; at--) {
            if (at < 3)
                best[at] = best[at - 1];
        }
        if (at < 3)
            best[at] = i;
        n++;
    }
    return n;
}

static size_t rare_rows(const struct job *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->q->n; i++)
        n += j->r->common[i] ? 0 : j->r->lists[i].n;
    return n;
}

static int pairs_read(struct job *j, struct err *e)
{
    size_t best[3];
    uint32_t all;
    size_t n = common_best(j, best, &all);
    if (n < 2 || rare_rows(j) >= FEW_ROWS)
        return 0;
    int64_t from = j->top - PAIR_WINDOW;
    int rc = n > 2 ? list_read(j, all, from, PAIR_ROWS, e) : 0;
    if (rc == 0 && n > 2 && j->r->lists[j->r->n_lists - 1].n == PAIR_ROWS)
        return 0; /* rows that have all of them are plenty */
    static const uint8_t pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    for (size_t i = 0; rc == 0 && i < (n > 2 ? 3u : 1u); i++) {
        uint32_t two = UINT32_C(1) << best[pairs[i][0]] | UINT32_C(1) << best[pairs[i][1]];
        rc = list_read(j, two, from, PAIR_ROWS, e);
    }
    return rc;
}

/* ---- 3. candidates */

static bool worse(const struct candidate *a, const struct candidate *b)
{
    return a->score != b->score ? a->score < b->score : a->row < b->row;
}

static void heap_swap(struct candidate *h, size_t a, size_t b)
{
    struct candidate t = h[a];
    h[a] = h[b];
    h[b] = t;
}

static void heap_sink(struct candidate *h, size_t n, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
            least = worse(&h[child], &h[least]) ? child : least;
        if (least == at)
            return;
        heap_swap(h, at, least);
        at = least;
    }
}

static void heap_rise(struct candidate *h, size_t at)
{
    for (; at > 0 && worse(&h[at], &h[(at - 1) / 2]); at = (at - 1) / 2)
        heap_swap(h, at, (at - 1) / 2);
}

static void candidate_offer(struct rank *r, int64_t row, uint32_t terms)
{
    struct candidate c = {.row = row, .terms = terms};
    for (uint32_t left = terms; left != 0; left &= left - 1)
        c.score += r->idf[__builtin_ctz(left)];
    if (r->n_candidates < CANDIDATES_MAX) {
        r->candidates[r->n_candidates] = c;
        heap_rise(r->candidates, r->n_candidates++);
    } else if (worse(&r->candidates[0], &c)) {
        r->candidates[0] = c;
        heap_sink(r->candidates, CANDIDATES_MAX, 0);
    }
}

/* The highest row at the heads of the lists; false when all are read. */
static bool head_row(const struct rank *r, int64_t *row)
{
    bool any = false;
    for (size_t i = 0; i < r->n_lists; i++) {
        const struct list *l = &r->lists[i];
        if (l->at < l->n && (!any || l->rows[l->at] > *row)) {
            *row = l->rows[l->at];
            any = true;
        }
    }
    return any;
}

static void candidates_choose(struct rank *r)
{
    r->n_candidates = 0;
    int64_t row = 0;
    while (head_row(r, &row)) {
        uint32_t terms = 0;
        for (size_t i = 0; i < r->n_lists; i++) {
            struct list *l = &r->lists[i];
            if (l->at < l->n && l->rows[l->at] == row) {
                terms |= l->terms;
                l->at++;
            }
        }
        candidate_offer(r, row, terms);
    }
}

/* ---- 4. scores */

/* Counting of the query's terms in one candidate. */
struct count_words {
    const struct query *q;
    struct candidate *c;
    uint64_t filter;                     /* hashes of all words of the query */
    uint8_t progress[LIMIT_QUERY_TERMS]; /* words of a phrase seen in a row */
};

static unsigned word_bit(struct bytes word)
{
    return (word.p[0] * 7u + word.p[word.n - 1] * 3u + (unsigned)word.n) & 63;
}

static void filter_fill(struct count_words *k)
{
    for (size_t i = 0; i < k->q->n; i++) {
        for (size_t w = 0; w < k->q->terms[i].n_words; w++)
            k->filter |= UINT64_C(1) << word_bit(k->q->terms[i].words[w]);
        if (k->q->terms[i].prefix)
            k->filter = UINT64_MAX;
    }
}

static bool term_word_is(const struct query_term *t, size_t i, struct bytes word)
{
    return t->prefix ? bytes_starts(word, t->words[i]) : bytes_eq(word, t->words[i]);
}

static int on_candidate_word(void *ctx, struct bytes word, size_t start, size_t end)
{
    (void)start;
    (void)end;
    struct count_words *k = ctx;
    if (++k->c->words > WORDS_MAX)
        return 1;
    if ((k->filter >> word_bit(word) & 1) == 0) {
        memset(k->progress, 0, sizeof k->progress);
        return 0;
    }
    for (size_t i = 0; i < k->q->n; i++) {
        const struct query_term *t = &k->q->terms[i];
        if (!term_word_is(t, k->progress[i], word))
            k->progress[i] = 0;
        if (!term_word_is(t, k->progress[i], word))
            continue;
        if (++k->progress[i] == t->n_words) {
            k->progress[i] = 0;
            k->c->tf[i]++;
        }
    }
    return 0;
}

/* Reads a candidate's text and counts. *keep false: it has one of the flags that are left out. */
static int candidate_read(struct job *j, struct count_words *k, bool *keep, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(j->s, j->x->text_sql, &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, k->c->row);
    rc = db_step(q, e);
    *keep = rc == 1 && (db_int(q, 0) & j->flags_off) == 0;
    for (int i = 0; *keep && rc >= 0 && i < j->x->n_texts; i++) {
        memset(k->progress, 0, sizeof k->progress);
        rc = tokenizer_run(search_of(j->s)->tokenizer, bytes_slice(db_bytes(q, 1 + i), 0, TEXT_BYTES_MAX),
                           on_candidate_word, k);
        if (rc < 0)
            err_set(e, rc, "searching");
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

static int by_row(const void *a, const void *b)
{
    int64_t x = ((const struct candidate *)a)->row, y = ((const struct candidate *)b)->row;
    return (x > y) - (x < y);
}

/* In order of rows, which is how they lie in the file. */
static int candidates_read(struct job *j, struct err *e)
{
    struct rank *r = j->r;
    size_t kept = 0;
    struct count_words k = {.q = j->q};
    filter_fill(&k);
    qsort(r->candidates, r->n_candidates, sizeof *r->candidates, by_row);
    for (size_t i = 0; i < r->n_candidates; i++) {
        bool keep = false;
        k.c = &r->candidates[i];
        int rc = candidate_read(j, &k, &keep, e);
        if (rc != 0)
            return rc;
        if (keep)
            r->candidates[kept++] = r->candidates[i];
    }
    r->n_candidates = kept;
    return 0;
}

static double average_words(const struct rank *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->n_candidates; i++)
        sum += r->candidates[i].words;
    return sum > 0 ? sum / (double)r->n_candidates : 1;
}

/* BM25. A term that the index says is there counts at least once, even when it stands behind what was read.
 */
static void candidate_score(const struct rank *r, size_t n_terms, double average, struct candidate *c)
{
    double norm = BM25_K1 * (1 - BM25_B + BM25_B * c->words / average);
    c->score = 0;
    for (size_t i = 0; i < n_terms; i++) {
        double tf = c->tf[i] > 0 ? c->tf[i] : (c->terms >> i & 1);
        if (tf == 0)
            continue;
        c->terms |= UINT32_C(1) << i;
        c->score += r->idf[i] * tf * (BM25_K1 + 1) / (tf + norm);
    }
}

static int best_first(const void *a, const void *b)
{
    return worse(b, a) ? -1 : worse(a, b);
}

static void hits_fill(struct job *j, struct search_hits *out)
{
    struct rank *r = j->r;
    double average = average_words(r);
    for (size_t i = 0; i < r->n_candidates; i++)
        candidate_score(r, j->q->n, average, &r->candidates[i]);
    qsort(r->candidates, r->n_candidates, sizeof *r->candidates, best_first);
    out->n = r->n_candidates < out->max ? r->n_candidates : out->max;
    for (size_t i = 0; i < out->n; i++) {
        const struct candidate *c = &r->candidates[i];
        out->at[i] = (struct search_hit){c->row, c->score, (uint32_t)__builtin_popcount(c->terms)};
    }
}

static int rank_steps(struct job *j, struct search_hits *out, struct err *e)
{
    int rc = db_query_int(j->s, j->x->top_sql, &j->top, e);
    if (rc != 0 || j->top <= 0)
        return rc;
    rc = terms_read(j, e);
    if (rc == 0)
        rc = pairs_read(j, e);
    if (rc != 0)
        return rc;
    candidates_choose(j->r);
    rc = candidates_read(j, e);
    if (rc == 0)
        hits_fill(j, out);
    return rc;
}

static int run_plain(struct store *s, const char *sql, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    return rc == 0 ? db_run(q, e) : rc;
}

/* In one read transaction: one view of the index and the texts, and one lock instead of one for each of
 * thousands of reads. */
int rank_run(struct store *s, const struct search_index *x, uint32_t flags_off, struct search_hits *out,
             struct err *e)
{
    struct job j = {s, x, &search_of(s)->query, search_of(s)->rank, flags_off, 0};
    out->n = 0;
    j.r->n_rows = j.r->n_lists = 0;
    if (j.q->n == 0)
        return 0;
    bool own = sqlite3_get_autocommit(s->db) != 0;
    int rc = own ? run_plain(s, "BEGIN", e) : 0;
    if (rc != 0)
        return rc;
    rc = rank_steps(&j, out, e);
    if (own) {
        int end = run_plain(s, "COMMIT", rc == 0 ? e : NULL);
        rc = rc != 0 ? rc : end;
        db_rollback(s); /* nothing, unless the end failed */
    }
    return rc;
}
