/* Reading the model: show, query, export. */
#include "node/serve/api_int.h"

#include "node/embedding.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_MAX_DEFAULT 10
#define QUERY_MAX 1000
#define CONTEXT_MAX 64

static int props_put(struct node *n, cJSON *doc, const char *key, const struct ranked_list *l, struct err *e)
{
    cJSON *list = put_array(doc, key);
    if (list == NULL) {
        return err_set(e, ERR_NOMEM, "listing propositions");
    }
    for (size_t i = 0; i < l->n; i++) {
        cJSON *o = put_object(list, NULL);
        int rc = o != NULL ? put_prop(n, o, &l->v[i], e) : err_set(e, ERR_NOMEM, "listing propositions");
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int max_arg(const cJSON *req, int64_t otherwise, int64_t most, size_t *out, struct err *e)
{
    int64_t v = arg_int(req, "max", otherwise);
    if (v < 0 || v > most) {
        return err_set(e, ERR_USAGE, "'max' is between 0 and %lld", (long long)most);
    }
    *out = (size_t)v;
    return 0;
}

int api_show(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct list_filter f = {
        .all = arg_bool(req, "all"),
        .kind = arg_text(req, "kind"),
        .scope = arg_text(req, "scope"),
    };
    struct ranked_list l;
    int rc = max_arg(req, 0, LIMIT_LIST_ROWS, &f.max, e);
    if (rc == 0) {
        rc = arg_at(n, req, &f.at_ms, e);
    }
    if (rc != 0) {
        return rc;
    }
    ranked_list_init(&l);
    rc = model_list(n->store, &f, &l, e);
    if (rc == 0) {
        rc = props_put(n, doc, "propositions", &l, e);
    }
    if (rc == 0) {
        rc = put_num(doc, "older", (double)l.older);
    }
    if (rc == 0) {
        rc = put_num(doc, "total", (double)l.total);
    }
    ranked_list_release(&l);
    return rc;
}

/* Earlier turns: [{"role","text"}], oldest first. The last CONTEXT_MAX count. */
static int context_take(const cJSON *req, struct bytes *turns, size_t *n, struct err *e)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(req, "context");
    const cJSON *turn = NULL;
    int skip = cJSON_GetArraySize(list) - CONTEXT_MAX;
    *n = 0;
    cJSON_ArrayForEach(turn, list)
    {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(turn, "text"));
        if (text == NULL) {
            return err_set(e, ERR_USAGE, "a turn of the context needs a 'text'");
        }
        if (skip-- <= 0) {
            turns[(*n)++] = bytes_str(text);
        }
    }
    return 0;
}

int api_query(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct bytes turns[CONTEXT_MAX];
    struct retrieve_query q = {
        .text = arg_text(req, "text"),
        .context = turns,
        .scope = arg_text(req, "scope"),
        .all = arg_bool(req, "all"),
    };
    struct ranked_list l;
    int rc = max_arg(req, QUERY_MAX_DEFAULT, QUERY_MAX, &q.max, e);
    if (rc == 0 && q.max == 0) {
        rc = err_set(e, ERR_USAGE, "'max' is at least 1");
    }
    if (rc == 0) {
        rc = context_take(req, turns, &q.n_context, e);
    }
    if (rc == 0) {
        rc = arg_at(n, req, &q.at_ms, e);
    }
    if (rc != 0) {
        return rc;
    }
    ranked_list_init(&l);
    q.vector = embed_question(embedding(n), &q);
    rc = retrieve(n->store, &q, &l, e);
    if (rc == 0) {
        rc = put_text(doc, "query", q.text);
    }
    if (rc == 0) {
        rc = props_put(n, doc, "results", &l, e);
    }
    ranked_list_release(&l);
    return rc;
}

/* ---- export: pages of the whole model, ascending by id ----------------------------------------------------
 */

struct export
{
    struct node *n;
    struct id after;
    size_t max, count;
    struct id *ids;
    bool more;
};

static int export_collect(void *ctx, const struct id *id, const struct entity *x)
{
    struct export *w = ctx;
    if (entity_forgotten(x)) {
        return 0;
    }
    if (w->count == w->max) {
        w->more = true;
        return 1;
    }
    w->ids[w->count++] = *id;
    return 0;
}

static int export_one(struct node *n, cJSON *list, const struct id *id, struct entity *x, struct err *e)
{
    cJSON *wrap = cJSON_CreateObject();
    int rc = wrap != NULL ? put_prop_by_id(n, wrap, id, e) : ERR_NOMEM;
    cJSON *o = rc == 0 ? cJSON_DetachItemFromObjectCaseSensitive(wrap, "proposition") : NULL;
    cJSON_Delete(wrap);
    if (o == NULL || !cJSON_AddItemToArray(list, o)) {
        cJSON_Delete(o);
        return rc != 0 ? rc : err_set(e, ERR_NOMEM, "exporting");
    }
    rc = store_entity(n->store, SPACE_PROPOSITION, id, x, e);
    return rc != 0 ? rc : put_counts(n, o, x, e);
}

int api_export(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct export w = {.n = n};
    struct bytes after = arg_text(req, "after");
    int rc = max_arg(req, 1000, 10000, &w.max, e);
    if (rc == 0 && w.max == 0) {
        rc = err_set(e, ERR_USAGE, "'max' is at least 1");
    }
    if (rc == 0 && after.p != NULL) {
        rc = id_parse(after, &w.after) != 0 ? err_set(e, ERR_USAGE, "'after' is not an id") : 0;
    }
    w.ids = rc == 0 ? calloc(w.max + 1, sizeof(*w.ids)) : NULL;
    struct entity *x = entity_new();
    cJSON *list = put_array(doc, "propositions");
    if (rc == 0 && (w.ids == NULL || x == NULL || list == NULL)) {
        rc = err_set(e, ERR_NOMEM, "exporting");
    }
    if (rc == 0) {
        struct entity_range range = {.space = SPACE_PROPOSITION, .after = w.after};
        rc = store_entities_in(n->store, &range, export_collect, &w, e);
        rc = rc == 1 ? 0 : rc;
    }
    for (size_t i = 0; rc == 0 && i < w.count; i++) {
        rc = export_one(n, list, &w.ids[i], x, e);
    }
    if (rc == 0) {
        rc = w.more ? put_id(doc, "next", &w.ids[w.count - 1]) : put_time(doc, "next", TIME_NONE);
    }
    entity_free(x);
    free(w.ids);
    return rc;
}

/* ---- sources ---------------------------------------------------------------------------------------------
 */

int api_sources(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    (void)n;
    (void)req;
    cJSON *list = put_array(doc, "sources");
    for (size_t i = 0; list != NULL && observers[i] != NULL; i++) {
        const struct observer *ob = observers[i];
        cJSON *o = put_object(list, NULL);
        cJSON *usual = o != NULL ? put_array(o, "usual_paths") : NULL;
        bool ok = usual != NULL && put_str(o, "name", ob->name) == 0 &&
                  put_str(o, "summary", ob->summary) == 0 && put_str(o, "path_hint", ob->path_hint) == 0 &&
                  put_bool(o, "stdin", ob->reads_stdin) == 0;
        for (const char *const *p = ob->defaults; ok && p != NULL && *p != NULL; p++) {
            cJSON *s = cJSON_CreateString(*p);
            ok = s != NULL && cJSON_AddItemToArray(usual, s);
        }
        if (!ok) {
            list = NULL;
        }
    }
    return list != NULL ? 0 : err_set(e, ERR_NOMEM, "listing sources");
}
