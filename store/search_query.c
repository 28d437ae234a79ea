/* The user's query → terms. A "quoted part" is one term, a phrase; every other word is a term of its own. A
 * run of an unspaced script gives its pairs of neighbouring characters as phrases of two: "我喜欢咖啡" finds
 * what has 喜欢 or 咖啡 and ranks first what has the whole run. */
#include "store/search_int.h"

#include "base/text.h"

#include <string.h>

/* What is looked at of a query; terms are far fewer. */
#define QUERY_BYTES_MAX 16384u
/* Characters a word needs to be tried as a prefix: shorter ones match half the index. */
#define PREFIX_CHARS_MIN 3u

struct parse {
    struct query *q;
    struct tokenizer *tokenizer;
    struct bytes text;
    const struct weighted_query *in;
    size_t word; /* index of the white-space separated word that `at` is in */
    bool keep_stops;
    /* the last word, when it was a character of an unspaced script: may pair with the next one */
    uint8_t last[4];
    size_t last_n;
    bool last_paired;
    struct query_term phrase; /* being collected */
};

static bool term_push(struct query_term *t, struct bytes word)
{
    if (t->n_words == PHRASE_WORDS_MAX || word.n > TOKEN_BYTES_MAX)
        return false;
    memcpy(t->text + t->n_text, word.p, word.n);
    t->text[t->n_text + word.n] = ' ';
    t->n_text += word.n + 1;
    t->n_words++;
    return true;
}

/* Views of t's own text: to be made anew after every copy. */
static void term_views(struct query_term *t)
{
    size_t at = 0;
    for (size_t i = 0; i < t->n_words; i++) {
        const char *end = memchr(t->text + at, ' ', t->n_text - at);
        t->words[i] = bytes_of(t->text + at, (size_t)(end - (t->text + at)));
        at += t->words[i].n + 1;
    }
}

static struct query_term *term_same(struct query *q, const struct query_term *t)
{
    for (size_t i = 0; i < q->n; i++) {
        if (bytes_eq(bytes_of(q->terms[i].text, q->terms[i].n_text), bytes_of(t->text, t->n_text)))
            return &q->terms[i];
    }
    return NULL;
}

/* The place for a new term of that weight: a free one, or that of the last of the lightest; NULL when all are
 * as heavy. */
static struct query_term *term_place(struct query *q, double weight)
{
    if (q->n < LIMIT_QUERY_TERMS)
        return &q->terms[q->n++];
    struct query_term *lightest = &q->terms[0];
    for (size_t i = 1; i < q->n; i++) {
        if (q->terms[i].weight <= lightest->weight)
            lightest = &q->terms[i];
    }
    return lightest->weight < weight ? lightest : NULL;
}

static void term_add(struct parse *p, struct query_term *t)
{
    t->weight = p->word < p->in->n_weights ? p->in->weights[p->word] : 1.0;
    if (t->n_words == 0 || !(t->weight > 0))
        return;
    struct query_term *same = term_same(p->q, t);
    if (same != NULL) {
        same->weight = same->weight > t->weight ? same->weight : t->weight;
        return;
    }
    struct query_term *place = term_place(p->q, t->weight);
    if (place == NULL)
        return;
    *place = *t;
    term_views(place);
}

static void term_add_words(struct parse *p, struct bytes first, struct bytes second)
{
    struct query_term *t = &p->phrase;
    t->n_text = t->n_words = 0;
    if (term_push(t, first) && (second.n == 0 || term_push(t, second)))
        term_add(p, t);
}

static bool is_unspaced(struct bytes word)
{
    size_t at = 0;
    return cp_is_unspaced(utf8_next(word, &at));
}

/* A character alone, without a neighbour to pair with, is a term too. */
static void flush_last(struct parse *p)
{
    if (p->last_n > 0 && !p->last_paired)
        term_add_words(p, bytes_of(p->last, p->last_n), BYTES_NONE);
    p->last_n = 0;
    p->last_paired = false;
}

static int on_word(void *ctx, struct bytes word, size_t start, size_t end)
{
    (void)start;
    (void)end;
    struct parse *p = ctx;
    if (!is_unspaced(word) || word.n > sizeof p->last) {
        flush_last(p);
        if (p->keep_stops || !search_stop_word(word))
            term_add_words(p, word, BYTES_NONE);
        return 0;
    }
    bool pairs = p->last_n > 0;
    if (pairs)
        term_add_words(p, bytes_of(p->last, p->last_n), word);
    memcpy(p->last, word.p, word.n);
    p->last_n = word.n;
    p->last_paired = pairs;
    return 0;
}

static int on_phrase_word(void *ctx, struct bytes word, size_t start, size_t end)
{
    (void)start;
    (void)end;
    struct parse *p = ctx;
    return term_push(&p->phrase, word) ? 0 : 1;
}

static int parse_word(struct parse *p, struct bytes word)
{
    int rc = tokenizer_run(p->tokenizer, word, on_word, p);
    flush_last(p);
    return rc;
}

static int parse_phrase(struct parse *p, struct bytes phrase)
{
    p->phrase.n_text = p->phrase.n_words = 0;
    int rc = tokenizer_run(p->tokenizer, phrase, on_phrase_word, p);
    term_add(p, &p->phrase);
    return rc < 0 ? rc : 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Counts the words that start in [from, to). */
static size_t words_starting(struct bytes text, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        n += !is_space(text.p[i]) && i > 0 && is_space(text.p[i - 1]);
    return n;
}

/* The end of the part at `at`: after the closing quote of a phrase, else before the next space or quote. */
static size_t part_end(struct bytes text, size_t at, bool *phrase)
{
    const uint8_t *quote = text.p[at] == '"' ? memchr(text.p + at + 1, '"', text.n - at - 1) : NULL;
    *phrase = quote != NULL;
    if (quote != NULL)
        return (size_t)(quote - text.p) + 1;
    size_t end = at + 1;
    while (end < text.n && !is_space(text.p[end]) && text.p[end] != '"')
        end++;
    return end;
}

static int parse_all(struct parse *p)
{
    p->q->n = 0;
    p->word = 0;
    size_t counted = 0;
    while (counted < p->text.n && is_space(p->text.p[counted]))
        counted++; /* the first word is number 0, whatever stands before it */
    for (size_t at = counted; at < p->text.n;) {
        if (is_space(p->text.p[at])) {
            at++;
            continue;
        }
        p->word += words_starting(p->text, counted + 1, at + 1);
        counted = at;
        bool phrase;
        size_t end = part_end(p->text, at, &phrase);
        int rc = phrase ? parse_phrase(p, bytes_slice(p->text, at + 1, end - at - 2))
                        : parse_word(p, bytes_slice(p->text, at, end - at));
        if (rc != 0)
            return rc;
        at = end;
    }
    return 0;
}

int query_parse(struct query *out, struct tokenizer *t, const struct weighted_query *in)
{
    struct parse p = {.q = out, .tokenizer = t, .text = utf8_cut(in->text, QUERY_BYTES_MAX), .in = in};
    int rc = parse_all(&p);
    if (rc != 0 || out->n > 0)
        return rc;
    p.keep_stops = true;
    return parse_all(&p);
}

bool query_to_prefix(struct query *q)
{
    if (q->n == 0)
        return false;
    struct query_term *last = &q->terms[q->n - 1];
    size_t chars = 0;
    for (size_t at = 0; at < last->words[0].n; chars++)
        utf8_next(last->words[0], &at);
    if (last->n_words != 1 || chars < PREFIX_CHARS_MIN || is_unspaced(last->words[0]))
        return false;
    q->terms[0] = *last;
    term_views(&q->terms[0]);
    q->terms[0].prefix = true;
    q->n = 1;
    return true;
}
