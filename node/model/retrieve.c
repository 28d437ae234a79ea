/* Retrieve: search, fuse, score, diversify. The pool is POOL_FACTOR times what is asked for.
 *
 * Earlier turns of a conversation are part of the query with less weight, the older the less. Pinned
 * propositions come first, at most PINNED_MAX and at most half of what is asked for, those that the query
 * finds before those that only apply (their scope is empty or the query's). A query with a scope does not see
 * propositions of other scopes. */
#include "node/model/retrieve.h"

#include "base/limits.h"
#include "base/map.h"
#include "node/model/rank_int.h"
#include "store/local.h"
#include "store/search.h"
#include "store/vectors.h"

#include <stdlib.h>
#include <string.h>

#define POOL_FACTOR 10
#define POOL_MIN 50
#define POOL_MAX 1000
#define PINNED_MAX 5
/* Pinned ones looked at, newest first. */
#define PINNED_READ 256
#define OBSERVATION_HITS 32
#define RANK_HALF 10.0
/* A vector counts as near from so many standard deviations above the mean of all: models differ in what
 * cosines they give, and something is nearest to any question. */
#define NEAR_DEVIATIONS 0.5
/* Weight of the words of the last turn; each older one has CONTEXT_AGEING of the next. */
#define CONTEXT_WEIGHT 0.35
#define CONTEXT_AGEING 0.7
#define CONTEXT_TURNS 4
#define CONTEXT_BYTES 400 /* of one turn, its end */
#define QUERY_BYTES 4096
#define QUERY_WORDS_MAX 1024
/* Of another form of a word of the query. */
#define VARIANT_WEIGHT 0.5

struct retrieval {
    struct store *s;
    const struct retrieve_query *q;
    struct err *e;
    uint32_t flags_off;
    size_t max, pool;
    struct ranked_list candidates; /* as added: index = position in `why` */
    struct buf why;                /* struct relevance of each */
    struct map *rows;              /* row → index + 1 */
    struct map *ids;               /* of propositions that evidence led to already */
    bool vectors;                  /* the query has one, and there are some to compare it with */
    size_t n_words;                /* candidates that words found */
    double evidence;               /* of the observation at hand */
};

static struct relevance *why_at(const struct retrieval *r, size_t i)
{
    return (struct relevance *)(void *)r->why.p + i;
}

static bool scope_fits(const struct retrieval *r, struct bytes scope)
{
    return r->q->scope.n == 0 || scope.n == 0 || bytes_eq(scope, r->q->scope);
}

/* The relevance of a row, made a candidate if it may be shown; NULL in *out if it may not. */
static int candidate(struct retrieval *r, const struct prop *p, struct relevance **out)
{
    bool fresh;
    *out = NULL;
    if ((p->flags & r->flags_off) != 0 || !scope_fits(r, p->scope))
        return 0;
    struct map_slot *slot = map_add(r->rows, bytes_of(&p->row, sizeof p->row), &fresh);
    if (slot == NULL)
        return ERR_NOMEM;
    if (fresh) {
        const struct relevance none = {.pinned = (p->flags & PROP_PINNED) != 0};
        if (ranked_list_add(&r->candidates, p, r->q->at_ms) == NULL ||
            buf_append(&r->why, &none, sizeof none) != 0)
            return ERR_NOMEM;
        slot->v.num = r->candidates.n;
    }
    *out = why_at(r, slot->v.num - 1);
    return 0;
}

/* ---- the query's words ------------------------------------------------------------------------------------
 */

struct weights {
    struct buf text;
    double v[QUERY_WORDS_MAX];
    size_t n;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(uint8_t c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
}

/* Appends a text whose words all have one weight. */
static void weights_add(struct weights *w, struct bytes text, double weight)
{
    bool in_word = false;
    (void)buf_put(&w->text, ' ');
    for (size_t i = 0; i < text.n && w->n < QUERY_WORDS_MAX; i++) {
        bool space = is_space(text.p[i]);
        if (in_word && space)
            w->v[w->n++] = weight;
        in_word = !space;
        (void)buf_put(&w->text, space ? ' ' : text.p[i]);
    }
    if (in_word && w->n < QUERY_WORDS_MAX)
        w->v[w->n++] = weight;
}

static bool word_ends(struct bytes w, const char *end, size_t stem_min)
{
    struct bytes suffix = bytes_str(end);
    return w.n >= suffix.n + stem_min && bytes_ieq(bytes_slice(w, w.n - suffix.n, suffix.n), suffix);
}

/* The other number of an English noun, the stem of a verb: the index holds words as they are written. */
static void word_variants(struct weights *w, struct bytes word, double weight)
{
    static const struct {
        const char *end, *other;
    } table[] = {{"ies", "y"}, {"sses", "ss"}, {"ss", "sses"}, {"us", NULL}, {"is", NULL},
                 {"s", ""},    {"ing", ""},    {"ed", ""},     {"y", "ies"}, {"", "s"}};
    for (size_t i = 0; i < word.n; i++) {
        uint8_t c = word.p[i] | 0x20;
        if (c < 'a' || c > 'z')
            return;
    }
    size_t i = 0;
    while (!word_ends(word, table[i].end, 3) && table[i].end[0] != '\0')
        i++;
    if (table[i].other == NULL || word.n < 3 || word.n > 40)
        return;
    char variant[64];
    size_t stem = word.n - strlen(table[i].end);
    memcpy(variant, word.p, stem);
    memcpy(variant + stem, table[i].other, strlen(table[i].other));
    weights_add(w, bytes_of(variant, stem + strlen(table[i].other)), weight * VARIANT_WEIGHT);
}

static void variants_add(struct weights *w, struct bytes text, double weight)
{
    for (size_t at = 0, from; at < text.n;) {
        while (at < text.n && !is_letter(text.p[at]))
            at++;
        from = at;
        while (at < text.n && is_letter(text.p[at]))
            at++;
        word_variants(w, bytes_slice(text, from, at - from), weight);
    }
}

/* Quotes of a turn do not make phrases. */
static void context_add(struct weights *w, struct bytes turn, double weight)
{
    struct buf plain;
    buf_init(&plain, CONTEXT_BYTES + 16);
    turn = bytes_slice(turn, turn.n > CONTEXT_BYTES ? turn.n - CONTEXT_BYTES : 0, CONTEXT_BYTES);
    for (size_t i = 0; i < turn.n; i++)
        (void)buf_put(&plain, turn.p[i] == '"' ? ' ' : turn.p[i]);
    weights_add(w, buf_view(&plain), weight);
    buf_release(&plain);
}

static void weights_fill(struct weights *w, const struct retrieve_query *q)
{
    double weight = CONTEXT_WEIGHT;
    w->n = 0;
    buf_init(&w->text, 65536);
    weights_add(w, bytes_slice(q->text, 0, QUERY_BYTES), 1);
    variants_add(w, bytes_slice(q->text, 0, QUERY_BYTES), 1);
    for (size_t i = 0; i < q->n_context && i < CONTEXT_TURNS; i++, weight *= CONTEXT_AGEING)
        context_add(w, q->context[q->n_context - 1 - i], weight);
}

/* ---- the sources of candidates ----------------------------------------------------------------------------
 */

/* 1 for the first, 0.5 for the tenth after it. */
static double by_rank(size_t rank)
{
    return 1 / (1 + (double)rank / RANK_HALF);
}

/* The nearest vectors; ranks are among those that may be shown. */
static int by_vectors(struct retrieval *r)
{
    struct vector_hit *hits = calloc(r->pool, sizeof *hits);
    struct vector_found found = {0};
    size_t rank = 0;
    int rc = hits == NULL ? err_set(r->e, ERR_NOMEM, "searching")
                          : store_vectors_search(r->s, r->q->vector, hits, r->pool, &found, r->e);
    r->vectors = found.looked > 0;
    float floor = found.mean + (float)NEAR_DEVIATIONS * found.deviation;
    for (size_t i = 0; rc == 0 && i < found.n && hits[i].cosine >= floor; i++) {
        struct prop p;
        struct relevance *why;
        rc = store_prop_row(r->s, hits[i].row, &p, r->e);
        if (rc == 0)
            rc = candidate(r, &p, &why);
        if (rc == 0 && why != NULL)
            why->near = by_rank(rank++);
    }
    free(hits);
    return rc;
}

static int by_words(struct retrieval *r)
{
    struct search_hit *hits = calloc(r->pool, sizeof *hits);
    struct weights *w = calloc(1, sizeof *w);
    size_t n = 0;
    int rc = hits == NULL || w == NULL ? err_set(r->e, ERR_NOMEM, "searching") : 0;
    if (rc == 0) {
        weights_fill(w, r->q);
        const struct weighted_query q = {buf_view(&w->text), w->v, w->n, r->flags_off};
        rc = search_props_weighted(r->s, &q, hits, r->pool, &n, r->e);
        buf_release(&w->text);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct prop p;
        struct relevance *why;
        rc = store_prop_row(r->s, hits[i].row, &p, r->e);
        if (rc == 0)
            rc = candidate(r, &p, &why);
        if (rc == 0 && why != NULL)
            r->n_words++;
        if (rc == 0 && why != NULL)
            why->words = r->vectors ? by_rank(i) : hits[i].score / hits[0].score;
    }
    free(w);
    free(hits);
    return rc;
}

static int evidence_of(void *ctx, const struct id *id, bool against)
{
    struct retrieval *r = ctx;
    struct prop p;
    struct relevance *why = NULL;
    bool fresh;
    if (against)
        return 0;
    struct map_slot *slot = map_add(r->ids, bytes_of(id->b, ID_BYTES), &fresh);
    if (slot == NULL)
        return ERR_NOMEM;
    if (!fresh)
        return 0; /* an earlier, better hit led to it */
    int rc = store_prop(r->s, id, true, &p, r->e);
    if (rc == ERR_NOTFOUND)
        return 0;
    if (rc == 0)
        rc = candidate(r, &p, &why);
    if (rc == 0 && why != NULL && why->evidence < r->evidence)
        why->evidence = r->evidence;
    return rc;
}

static int by_evidence(struct retrieval *r)
{
    struct search_hit hits[OBSERVATION_HITS];
    size_t n = 0;
    int rc = search_observations(r->s, r->q->text, hits, OBSERVATION_HITS, &n, r->e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        r->evidence = by_rank(i);
        rc = local_links_of(r->s, hits[i].row, evidence_of, r, r->e);
    }
    return rc;
}

static int take_pinned(void *ctx, const struct prop *p)
{
    struct relevance *why;
    return candidate(ctx, p, &why);
}

static int take_scoped(void *ctx, const struct prop *p)
{
    struct relevance *why;
    int rc = candidate(ctx, p, &why);
    if (rc == 0 && why != NULL)
        why->scoped = true;
    return rc;
}

static int gather(struct retrieval *r)
{
    int rc = r->q->vector != NULL ? by_vectors(r) : 0;
    if (rc == 0)
        rc = by_words(r);
    /* Where words alone fill the pool, what claims rest on would only push others out, at the price of a
     * second search. */
    if (rc == 0 && r->n_words < r->pool)
        rc = by_evidence(r);
    if (rc == 0)
        rc = store_props_pinned(r->s, r->flags_off, PINNED_READ, take_pinned, r, r->e);
    if (rc == 0 && r->q->scope.n > 0) {
        const struct scope_query q = {r->q->scope, r->flags_off, r->pool};
        rc = store_props_scope(r->s, &q, take_scoped, r, r->e);
    }
    return rc;
}

/* ---- choosing ---------------------------------------------------------------------------------------------
 */

static int score_compare(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return a->p.row < b->p.row ? 1 : a->p.row > b->p.row ? -1 : 0; /* the newer first */
}

/* Splits the candidates into pinned ones and others that may be shown, both sorted by score. Returns how many
 * pinned; *n_rest others follow. */
static size_t sort_out(struct retrieval *r, size_t *n_rest)
{
    struct ranked *v = r->candidates.v;
    size_t n_pinned = 0, kept = 0;
    for (size_t i = 0; i < r->candidates.n; i++) {
        struct relevance *why = why_at(r, i);
        bool shown = r->q->all || (v[i].confidence > 0 && !v[i].faded);
        why->vectors = r->vectors;
        v[i].score = rank_score(why, &v[i]);
        bool found = why->words > 0 || why->near > 0 || why->evidence > 0 || why->scoped;
        if (!shown || (!found && !why->pinned))
            continue;
        struct ranked keep = v[i];
        if (why->pinned) {
            v[i] = v[kept];
            v[kept] = v[n_pinned];
            v[n_pinned++] = keep;
        } else {
            v[i] = v[kept];
            v[kept] = keep;
        }
        kept++;
    }
    if (n_pinned > 1)
        qsort(v, n_pinned, sizeof *v, score_compare);
    if (kept - n_pinned > 1)
        qsort(v + n_pinned, kept - n_pinned, sizeof *v, score_compare);
    *n_rest = kept - n_pinned;
    return n_pinned;
}

static int result_add(const struct retrieval *r, const struct ranked *from, struct ranked_list *out)
{
    struct ranked *to = ranked_list_add(out, &from->p, r->q->at_ms);
    if (to == NULL)
        return err_set(r->e, ERR_NOMEM, "ranking");
    to->score = from->score;
    return 0;
}

static int choose(struct retrieval *r, struct ranked_list *out)
{
    if (r->candidates.n == 0)
        return 0;
    size_t n_rest, n_pinned = sort_out(r, &n_rest), half = (r->max + 1) / 2;
    size_t n_first = n_pinned < PINNED_MAX ? n_pinned : PINNED_MAX;
    n_first = n_first < half ? n_first : half;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_first; i++)
        rc = result_add(r, &r->candidates.v[i], out);
    size_t want = r->max - n_first < n_rest ? r->max - n_first : n_rest;
    size_t *order = calloc(want + 1, sizeof *order);
    const struct ranked *rest = r->candidates.v + n_pinned;
    if (rc == 0)
        rc = order == NULL ? err_set(r->e, ERR_NOMEM, "ranking")
                           : mmr_order(r->s, rest, n_rest < r->pool ? n_rest : r->pool, order, want);
    for (size_t i = 0; rc == 0 && i < want; i++)
        rc = result_add(r, &rest[order[i]], out);
    free(order);
    return rc;
}

int retrieve(struct store *s, const struct retrieve_query *q, struct ranked_list *out, struct err *e)
{
    struct retrieval r = {.s = s, .q = q, .e = e};
    r.flags_off = PROP_MERGED | (q->all ? 0 : PROP_REJECTED | PROP_DROPPED | PROP_SUPERSEDED);
    r.max = q->max < 1 ? 1 : q->max > 1000 ? 1000 : q->max;
    r.pool = r.max * POOL_FACTOR < POOL_MIN   ? POOL_MIN
             : r.max * POOL_FACTOR > POOL_MAX ? POOL_MAX
                                              : r.max * POOL_FACTOR;
    ranked_list_init(&r.candidates);
    buf_init(&r.why, (size_t)16 << 20);
    r.rows = map_new();
    r.ids = map_new();
    int rc = r.rows == NULL || r.ids == NULL ? err_set(e, ERR_NOMEM, "ranking") : gather(&r);
    if (rc == 0) {
        ranked_list_finish(&r.candidates);
        rc = choose(&r, out);
    }
    ranked_list_finish(out);
    map_free(r.rows);
    map_free(r.ids);
    buf_release(&r.why);
    ranked_list_release(&r.candidates);
    return rc;
}
