/* Full-text search over propositions and over observations: BM25 (FTS5 index, unicode61 with diacritics
 * removed; text of scripts written without spaces is indexed character by character, so a phrase inside
 * Chinese or Japanese is found). Rare terms are looked up first, common ones only rank what rare ones found. Never an error for odd queries: what cannot be a term is ignored.
 */
#ifndef STORE_SEARCH_H
#define STORE_SEARCH_H

#include "store/store.h"

struct search_hit {
    int64_t row;
    double score;     /* BM25, > 0, comparable within one call only */
    uint32_t matched; /* distinct query terms that it has */
};

/* Best first, ties by newer row; at most max hits (and never more than 1200, what ranking looks at) among
 * propositions whose flags have none of flags_off; *n gets how many. Quoted "phrases" in the query are looked
 * up as phrases. When nothing matches, the last word is tried as the beginning of one. */
int search_props(struct store *s, struct bytes query, uint32_t flags_off, struct search_hit *hits, size_t max,
                 size_t *n, struct err *e) MUST_CHECK;
/* The same with a weight for each white-space separated word of the text, for context terms that count less;
 * words beyond n_weights weigh 1, those of weight 0 are left out. Of more than LIMIT_QUERY_TERMS terms the
 * heaviest are looked at. */
struct weighted_query {
    struct bytes text;
    const double *weights;
    size_t n_weights;
    uint32_t flags_off;
};
int search_props_weighted(struct store *s, const struct weighted_query *query, struct search_hit *hits,
                          size_t max, size_t *n, struct err *e) MUST_CHECK;
int search_observations(struct store *s, struct bytes query, struct search_hit *hits, size_t max, size_t *n,
                        struct err *e) MUST_CHECK;

/* The words of a text as the index sees them (folded, diacritics removed, unspaced scripts split), stop words
 * left out when asked. For diversity and context. fn returns 0 to go on; another value stops and is returned.
 */
int search_terms(struct store *s, struct bytes text, bool no_stop_words,
                 int (*fn)(void *ctx, struct bytes term), void *ctx) MUST_CHECK;

#endif
