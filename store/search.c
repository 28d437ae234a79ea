/* The full-text indexes: propositions over prop.text, observations over what they show. Both are
 * external-content FTS5 tables, so no text is stored twice and a deletion hands the old words back. Neither
 * keeps sizes of rows: ranking reads the text of its few candidates anyway.
 */
#include "store/search.h"

#include "store/search_int.h"
#include "store/vectors.h"

#include <stdlib.h>

const char *const search_schema[] = {
    "CREATE VIRTUAL TABLE prop_fts USING fts5(text, content='prop', content_rowid='row', columnsize=0,"
    "tokenize='" TOKENIZER_NAME "')",
    "CREATE VIRTUAL TABLE observation_fts USING fts5(title, text, command, url, app, content='observation',"
    "content_rowid='row', columnsize=0, tokenize='" TOKENIZER_NAME "')",
    NULL,
};

int search_register(struct store *s, struct err *e)
{
    struct search *x = calloc(1, sizeof *x);
    if (x == NULL)
        return err_set(e, ERR_NOMEM, "opening the full-text search");
    s->search = x;
    int rc = tokenizer_register(s->db);
    if (rc == SQLITE_OK)
        rc = tokenizer_new(s->db, &x->tokenizer);
    if (rc != SQLITE_OK)
        return db_fail(s, rc, e, "opening the full-text search");
    search_queue_init(&x->queue);
    x->rank = rank_new();
    return x->rank != NULL ? 0 : err_set(e, ERR_NOMEM, "opening the full-text search");
}

void search_unregister(struct store *s)
{
    struct search *x = s->search;
    if (x == NULL)
        return;
    tokenizer_free(x->tokenizer);
    search_queue_drop(&x->queue);
    rank_free(x->rank);
    free(x);
    s->search = NULL;
}

/* ---- keeping the indexes */

int search_observation_added(struct store *s, int64_t row, const struct stored_observation *o, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        s, "INSERT INTO observation_fts(rowid,title,text,command,url,app) VALUES(?1,?2,?3,?4,?5,?6)", &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row);
    db_bind_text(q, 2, o->title);
    db_bind_text(q, 3, o->text);
    db_bind_text(q, 4, o->command);
    db_bind_text(q, 5, o->url);
    db_bind_text(q, 6, o->app);
    return db_run(q, e);
}

int search_observation_gone(struct store *s, int64_t row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "INSERT INTO observation_fts(observation_fts,rowid,title,text,command,url,app) "
                        "SELECT 'delete',row,title,text,command,url,app FROM observation WHERE row=?1",
                        &q, e);
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row);
    return db_run(q, e);
}

int search_rebuild(struct store *s, struct err *e)
{
    store_vectors_again(s, 0);
    search_forget(s); /* the table is read as it is now */
    return db_exec(s, "INSERT INTO prop_fts(prop_fts) VALUES('rebuild')", e);
}

int search_scrub(struct store *s, struct err *e)
{
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = search_flush(s, e);
    if (rc == 0)
        rc = db_exec(s,
                     "INSERT INTO prop_fts(prop_fts) VALUES('optimize');"
                     "INSERT INTO observation_fts(observation_fts) VALUES('optimize')",
                     e);
    return db_write_end(s, own, rc, e);
}

/* A command that does nothing makes the index a part of a transaction; rolling back empties its memory. */
int search_renew(struct store *s, struct err *e)
{
    int rc = db_exec(s,
                     "BEGIN IMMEDIATE;"
                     "INSERT INTO prop_fts(prop_fts,rank) VALUES('merge',0);"
                     "INSERT INTO observation_fts(observation_fts,rank) VALUES('merge',0);"
                     "ROLLBACK",
                     e);
    s->search_stale = rc != 0;
    if (rc != 0)
        db_rollback(s);
    return rc;
}

int search_check(struct store *s, struct err *e)
{
    bool own = false;
    int rc = db_write_begin(s, &own, e);
    if (rc != 0)
        return rc;
    rc = search_flush(s, e);
    if (rc == 0)
        rc = db_exec(s,
                     "INSERT INTO prop_fts(prop_fts,rank) VALUES('integrity-check',1);"
                     "INSERT INTO observation_fts(observation_fts,rank) VALUES('integrity-check',1)",
                     e);
    if (rc != 0)
        err_wrap(e, rc, "checking the full-text index");
    return db_write_end(s, own, rc, e);
}

/* ---- searching */

static const struct search_index props_index = {
    "SELECT rowid FROM prop_fts WHERE prop_fts MATCH ?1 AND rowid>=?2 ORDER BY rowid DESC LIMIT ?3",
    "SELECT flags,text FROM prop WHERE row=?1",
    "SELECT max(row) FROM prop",
    1,
};
static const struct search_index observations_index = {
    "SELECT rowid FROM observation_fts WHERE observation_fts MATCH ?1 AND rowid>=?2 ORDER BY rowid DESC "
    "LIMIT ?3",
    "SELECT 0,title,text,command,url,app FROM observation WHERE row=?1",
    "SELECT max(row) FROM observation",
    5,
};

static int search_run(struct store *s, const struct search_index *x, const struct weighted_query *q,
                      struct search_hits *out, struct err *e)
{
    int rc = query_parse(&search_of(s)->query, search_of(s)->tokenizer, q);
    if (rc != 0)
        return err_set(e, rc, "searching");
    rc = search_flush(s, e);
    if (rc == 0)
        rc = rank_run(s, x, q->flags_off, out, e);
    if (rc == 0 && out->n == 0 && query_to_prefix(&search_of(s)->query)) /* the last word may be half typed */
        rc = rank_run(s, x, q->flags_off, out, e);
    return rc;
}

int search_props_weighted(struct store *s, const struct weighted_query *query, struct search_hit *hits,
                          size_t max, size_t *n, struct err *e)
{
    struct search_hits out = {hits, max, 0};
    int rc = search_run(s, &props_index, query, &out, e);
    *n = out.n;
    return rc;
}

int search_props(struct store *s, struct bytes query, uint32_t flags_off, struct search_hit *hits, size_t max,
                 size_t *n, struct err *e)
{
    const struct weighted_query q = {.text = query, .flags_off = flags_off};
    return search_props_weighted(s, &q, hits, max, n, e);
}

int search_observations(struct store *s, struct bytes query, struct search_hit *hits, size_t max, size_t *n,
                        struct err *e)
{
    const struct weighted_query q = {.text = query};
    struct search_hits out = {hits, max, 0};
    int rc = search_run(s, &observations_index, &q, &out, e);
    *n = out.n;
    return rc;
}

struct terms {
    bool no_stop_words;
    int (*fn)(void *ctx, struct bytes term);
    void *ctx;
};

static int on_term(void *ctx, struct bytes word, size_t start, size_t end)
{
    (void)start;
    (void)end;
    const struct terms *x = ctx;
    return x->no_stop_words && search_stop_word(word) ? 0 : x->fn(x->ctx, word);
}

int search_terms(struct store *s, struct bytes text, bool no_stop_words,
                 int (*fn)(void *ctx, struct bytes term), void *ctx)
{
    struct terms x = {no_stop_words, fn, ctx};
    return tokenizer_run(search_of(s)->tokenizer, text, on_term, &x);
}
