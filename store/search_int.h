/* Inside of the full-text search: the hooks of the observations, the parsed query, and the state that a store
 * keeps for it. */
#ifndef STORE_SEARCH_INT_H
#define STORE_SEARCH_INT_H

#include "base/limits.h"
#include "store/local.h"
#include "store/search.h"
#include "store/store_int.h"
#include "store/tokenizer.h"

/* ---- search.c: the indexes */

/* Observations enter and leave the index in the transaction that writes or erases them; the second is called
 * while the row still exists. */
int search_observation_added(struct store *s, int64_t row, const struct stored_observation *o,
                             struct err *e) MUST_CHECK;
int search_observation_gone(struct store *s, int64_t row, struct err *e) MUST_CHECK;

/* ---- search_queue.c: propositions whose text changed in this transaction */

struct search_queue {
    struct buf changes, texts;
};
void search_queue_init(struct search_queue *q);
void search_queue_drop(struct search_queue *q);

/* ---- search_words.c */
bool search_stop_word(struct bytes word);

/* ---- search_query.c: text of the user → terms */

/* Words of a phrase; more are cut off: nobody quotes longer ones, and each costs a doclist. */
#define PHRASE_WORDS_MAX 16
#define TERM_BYTES_MAX (PHRASE_WORDS_MAX * (TOKEN_BYTES_MAX + 1))

struct query_term {
    char text[TERM_BYTES_MAX]; /* the words, a space after each; words have no character that FTS5 gives a
                                  meaning */
    size_t n_text;
    struct bytes words[PHRASE_WORDS_MAX]; /* views of text */
    size_t n_words;
    double weight;
    bool prefix; /* the last word stands for all that start with it */
};

struct query {
    struct query_term terms[LIMIT_QUERY_TERMS];
    size_t n;
};

/* Stop words are left out unless nothing else is there. ERR_NOMEM. */
int query_parse(struct query *out, struct tokenizer *t, const struct weighted_query *in) MUST_CHECK;
/* Makes the last term, if it is a word long enough, a prefix and the only term. False if it is not. */
bool query_to_prefix(struct query *q);

/* ---- search_rank.c: terms → hits */

/* One index and where its text comes from. */
struct search_index {
    const char *match_sql; /* ?1 match, ?2 lowest row, ?3 most rows → rowid, highest first */
    const char *text_sql;  /* ?1 row → flags, texts… */
    const char *top_sql;   /* → highest row */
    int n_texts;
};
struct search_hits {
    struct search_hit *at; /* the caller's */
    size_t max, n;
};

struct rank; /* memory of one search, kept for the next */
struct rank *rank_new(void);
void rank_free(struct rank *r);

struct search {
    struct tokenizer *tokenizer;
    struct rank *rank;
    struct search_queue queue;
    struct query query;
};
static inline struct search *search_of(struct store *s)
{
    return s->search;
}

int rank_run(struct store *s, const struct search_index *x, uint32_t flags_off, struct search_hits *out,
             struct err *e) MUST_CHECK;

#endif
