/* The built-in backend behind node/infer/infer.h: indexing here, claiming in heuristics.c. */
#include "node/infer/infer.h"

#include "base/limits.h"
#include "node/infer/heuristics.h"

#include <stdlib.h>
#include <string.h>

/* More new observations than that between two flushes, and links of grown claims are written anew instead of
 * one by one. */
#define FRESH_MAX 65536

struct infer {
    struct infer_env env;
    struct heuristics *heuristics;
    struct buf key, words;
    int64_t *fresh; /* rows since the last flush, ascending; not kept when out of order or too many */
    size_t n_fresh;
    bool fresh_known;
};

int infer_open(struct infer **out, const struct infer_env *env, struct err *e)
{
    struct infer *x = calloc(1, sizeof *x);
    if (x == NULL)
        return err_set(e, ERR_NOMEM, "opening inference");
    x->env = *env;
    x->fresh = calloc(FRESH_MAX, sizeof *x->fresh);
    buf_init(&x->key, 4096);
    buf_init(&x->words, LIMIT_OBSERVATION_BYTES + 8192);
    int rc = x->fresh == NULL ? err_set(e, ERR_NOMEM, "opening inference")
                              : heuristics_new(&x->heuristics, env, e);
    if (rc != 0) {
        infer_close(x);
        return rc;
    }
    /* What was indexed before is unknown: an earlier process may have ended between indexing and flush. */
    x->fresh_known = false;
    *out = x;
    return 0;
}

void infer_close(struct infer *x)
{
    if (x == NULL)
        return;
    heuristics_free(x->heuristics);
    buf_release(&x->key);
    buf_release(&x->words);
    free(x->fresh);
    free(x);
}

struct index {
    struct infer *x;
    const struct stored_observation *o;
    struct err *e;
    int32_t day;
    uint16_t minute;
};

static int index_feature(void *ctx, const struct feature_name *f)
{
    const struct index *i = ctx;
    const struct feature_key k = {f->name, i->o->source, i->o->shared_event};
    int64_t feature = 0;
    if (f->name.n > LIMIT_NAME_BYTES)
        return 0;
    buf_clear(&i->x->key);
    feature_key_join(&k, &i->x->key);
    int rc = local_feature(i->x->env.store, (uint8_t)f->kind, buf_view(&i->x->key), &feature, i->e);
    return rc != 0 ? rc : local_trace_add(i->x->env.store, feature, i->o->row, i->day, i->minute, i->e);
}

static void fresh_note(struct infer *x, int64_t row)
{
    if (x->n_fresh == FRESH_MAX || (x->n_fresh > 0 && x->fresh[x->n_fresh - 1] >= row))
        x->fresh_known = false;
    else
        x->fresh[x->n_fresh++] = row;
}

int infer_observe(struct infer *x, const struct stored_observation *o, struct err *e)
{
    struct index i = {.x = x, .o = o, .e = e};
    const struct feature_name source = {FEATURE_SOURCE, BYTES_NONE};
    trace_when(o, &i.day, &i.minute);
    fresh_note(x, o->row);
    int rc = index_feature(&i, &source);
    return rc != 0 ? rc : features_of(o, &x->words, index_feature, &i);
}

int infer_flush(struct infer *x, struct infer_summary *sum, struct err *e)
{
    const struct claim_fresh fresh = {x->fresh, x->n_fresh};
    int rc = heuristics_flush(x->heuristics, x->fresh_known ? &fresh : NULL, sum, e);
    if (rc != 0)
        return err_wrap(e, rc, "inferring");
    x->n_fresh = 0;
    x->fresh_known = true;
    return 0;
}

int infer_name_claims(struct infer *x, claim_named_fn *fn, void *ctx, struct err *e)
{
    int rc = heuristics_name(x->heuristics, fn, ctx, e);
    return rc != 0 ? err_wrap(e, rc, "naming claims") : 0;
}

static int name_collect(void *ctx, const char *name, struct bytes value)
{
    (void)value;
    return map_add(ctx, bytes_of(name, strlen(name) + 1), NULL) == NULL ? ERR_NOMEM : 0;
}

int infer_start_anew(struct infer *x, struct err *e)
{
    struct map *names = map_new();
    int rc = names != NULL ? local_each(x->env.store, "infer:", name_collect, names, e) : ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < map_count(names); i++) {
        rc = local_set(x->env.store, (const char *)map_at(names, i)->key.p, BYTES_NONE, e);
    }
    map_free(names);
    x->n_fresh = 0;
    x->fresh_known = false;
    return rc;
}
