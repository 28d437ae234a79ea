/* What the handlers share: reading arguments, writing answers. */
#include "node/serve/api_int.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- arguments -------------------------------------------------------------------------------------------
 */

struct bytes arg_text(const cJSON *req, const char *name)
{
    const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(req, name));
    return v != NULL ? bytes_str(v) : BYTES_NONE;
}

bool arg_bool(const cJSON *req, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(req, name));
}

int64_t arg_int(const cJSON *req, const char *name, int64_t otherwise)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(req, name);
    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : otherwise;
}

int arg_time(const cJSON *req, const char *name, int64_t *out, struct err *e)
{
    struct bytes text = arg_text(req, name);
    *out = TIME_NONE;
    if (text.p == NULL) {
        return 0;
    }
    if (rfc3339_parse(text, out, NULL) != 0) {
        (void)err_set(e, ERR_USAGE, "'%s' is not a time: '%.*s'", name, (int)(text.n > 40 ? 40 : text.n),
                      (const char *)text.p);
        err_hint(e, "write it as 2026-11-24 or 2026-11-24T18:00:00Z");
        return ERR_USAGE;
    }
    return 0;
}

int arg_at(struct node *n, const cJSON *req, int64_t *out, struct err *e)
{
    int rc = arg_time(req, "at", out, e);
    if (rc == 0 && *out == TIME_NONE) {
        *out = clock_wall_ms(&n->clock);
    }
    return rc;
}

int arg_prop(struct node *n, const cJSON *req, struct id *out, struct err *e)
{
    return store_prop_find(n->store, arg_text(req, "id"), out, e);
}

void arg_wipe(const cJSON *req, const char *name)
{
    char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(req, name));
    if (text != NULL) {
        mem_wipe(text, strlen(text));
    }
}

/* ---- answers ---------------------------------------------------------------------------------------------
 */

int put_str(cJSON *o, const char *key, const char *text)
{
    return cJSON_AddStringToObject(o, key, text) != NULL ? 0 : ERR_NOMEM;
}

int put_text(cJSON *o, const char *key, struct bytes text)
{
    /* cJSON wants C strings: cut at a NUL, which audited text has none of. */
    char *copy = malloc(text.n + 1);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    if (text.n > 0) {
        memcpy(copy, text.p, text.n);
    }
    copy[text.n] = '\0';
    int rc = put_str(o, key, copy);
    free(copy);
    return rc;
}

int put_text_if(cJSON *o, const char *key, struct bytes text)
{
    return text.n > 0 ? put_text(o, key, text) : 0;
}

int put_num(cJSON *o, const char *key, double v)
{
    return cJSON_AddNumberToObject(o, key, v) != NULL ? 0 : ERR_NOMEM;
}

int put_bool(cJSON *o, const char *key, bool v)
{
    return cJSON_AddBoolToObject(o, key, v) != NULL ? 0 : ERR_NOMEM;
}

int put_time(cJSON *o, const char *key, int64_t ms)
{
    char text[RFC3339_TEXT + 1];
    if (ms == TIME_NONE || ms == 0) {
        return cJSON_AddNullToObject(o, key) != NULL ? 0 : ERR_NOMEM;
    }
    rfc3339_print(ms, text);
    return put_str(o, key, text);
}

int put_id(cJSON *o, const char *key, const struct id *id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    return put_str(o, key, text);
}

static cJSON *put_below(cJSON *o, const char *key, cJSON *child)
{
    bool ok = child != NULL &&
              (key != NULL ? cJSON_AddItemToObject(o, key, child) : cJSON_AddItemToArray(o, child));
    if (!ok) {
        cJSON_Delete(child);
        return NULL;
    }
    return child;
}

cJSON *put_object(cJSON *o, const char *key)
{
    return put_below(o, key, cJSON_CreateObject());
}

cJSON *put_array(cJSON *o, const char *key)
{
    return put_below(o, key, cJSON_CreateArray());
}

/* ---- propositions ----------------------------------------------------------------------------------------
 */

void device_name(const struct node *n, const struct id *device, char out[LIMIT_NAME_BYTES + 1])
{
    if (id_eq(device, &n->home.device)) {
        memcpy(out, n->home.name, sizeof(n->home.name));
        return;
    }
    const struct member *m = n->group != NULL ? group_find(n->group, device) : NULL;
    if (m != NULL) {
        (void)snprintf(out, LIMIT_NAME_BYTES + 1, "%s", m->name);
        return;
    }
    char id[ID_TEXT + 1];
    id_text(device, id);
    (void)snprintf(out, LIMIT_NAME_BYTES + 1, "%.8s", id);
}

struct log_search {
    const struct id *log;
    struct id device;
};

static int log_match(void *ctx, const struct log_head *h)
{
    struct log_search *q = ctx;
    if (!id_eq(&h->log, q->log)) {
        return 0;
    }
    q->device = h->device;
    return 1;
}

void log_device_name(struct node *n, const struct id *log, char out[LIMIT_NAME_BYTES + 1])
{
    struct log_search q = {.log = log, .device = n->home.device};
    int rc = id_eq(log, &n->home.log) ? 0 : store_logs(n->store, log_match, &q, NULL);
    if (rc < 0 || id_none(&q.device)) {
        q.device = *log;
    }
    device_name(n, &q.device, out);
}

static const char *prop_status(const struct ranked *r)
{
    if (r->p.flags & PROP_DROPPED) {
        return "dropped";
    }
    if (r->p.flags & PROP_SUPERSEDED) {
        return "superseded";
    }
    if (r->p.flags & PROP_CONFLICT) {
        return "conflict";
    }
    if (r->confidence == 0) {
        return "zero";
    }
    return r->ended ? "ended" : r->faded ? "faded" : "live";
}

static const char *prop_verdict(uint32_t flags)
{
    return flags & PROP_REJECTED ? "rejected" : flags & PROP_CONFIRMED ? "confirmed" : "none";
}

/* Who wrote its text. */
static int put_author(struct node *n, cJSON *list, const struct entity *x)
{
    struct bytes text;
    struct stamp stamp;
    char name[LIMIT_NAME_BYTES + 1];
    if (!entity_reg(x, REG_TEXT, &text, &stamp)) {
        return 0;
    }
    log_device_name(n, &stamp.log, name);
    cJSON *s = cJSON_CreateString(name);
    return s != NULL && cJSON_AddItemToArray(list, s) ? 0 : ERR_NOMEM;
}

/* The devices behind a proposition: whoever counts for it, and whoever told it. */
static int put_devices(struct node *n, cJSON *o, const struct id *id, struct err *e)
{
    cJSON *list = put_array(o, "devices");
    struct entity *x = entity_new();
    char name[LIMIT_NAME_BYTES + 1];
    struct count c;
    struct id last = ID_NONE;
    bool any = false;
    int rc = list != NULL && x != NULL ? store_entity(n->store, SPACE_PROPOSITION, id, x, e) : ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < entity_count_n(x); i++) {
        if (!entity_count_at(x, i, &c) || c.support + c.against == 0 || (any && id_eq(&last, &c.device))) {
            continue;
        }
        last = c.device;
        any = true;
        device_name(n, &c.device, name);
        cJSON *s = cJSON_CreateString(name);
        rc = s != NULL && cJSON_AddItemToArray(list, s) ? 0 : ERR_NOMEM;
    }
    if (rc == 0 && !any) {
        rc = put_author(n, list, x);
    }
    entity_free(x);
    return rc;
}

static int round_put(cJSON *o, const char *key, double v)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%.4f", v);
    return put_num(o, key, strtod(text, NULL));
}

static int put_prop_texts(struct node *n, cJSON *o, const struct ranked *r, struct err *e)
{
    size_t prefix = ID_TEXT;
    char id[ID_TEXT + 1];
    const struct prop *p = &r->p;
    int rc = store_prop_prefix(n->store, &p->id, &prefix, e);
    if (rc != 0) {
        return rc;
    }
    id_text(&p->id, id);
    rc = put_str(o, "id", id);
    id[prefix] = '\0';
    if (rc == 0) {
        rc = put_str(o, "prefix", id);
    }
    if (rc == 0) {
        rc = put_text(o, "text", p->text);
    }
    if (rc == 0) {
        rc = put_str(o, "kind", kind_info(p->kind)->name);
    }
    if (rc == 0) {
        rc = put_text(o, "origin", p->origin);
    }
    if (rc == 0) {
        rc = put_text(o, "scope", p->scope);
    }
    return rc;
}

static int put_prop_numbers(cJSON *o, const struct ranked *r)
{
    const struct prop *p = &r->p;
    bool ok =
        put_num(o, "confidence", r->confidence) == 0 && round_put(o, "probability", r->probability) == 0 &&
        put_num(o, "decay", p->decay) == 0 && round_put(o, "score", r->score) == 0 &&
        put_bool(o, "pinned", p->flags & PROP_PINNED) == 0 &&
        put_bool(o, "edited", p->flags & PROP_EDITED) == 0 &&
        put_str(o, "verdict", prop_verdict(p->flags)) == 0 &&
        put_time(o, "last_supported", p->last_ms) == 0 && put_time(o, "created", p->created_ms) == 0 &&
        put_time(o, "valid_until", p->until_ms) == 0 && put_num(o, "evidence", (double)p->support) == 0 &&
        put_num(o, "contradicting", (double)p->against) == 0 && put_str(o, "status", prop_status(r)) == 0;
    return ok ? 0 : ERR_NOMEM;
}

int put_prop(struct node *n, cJSON *o, const struct ranked *r, struct err *e)
{
    int rc = put_prop_texts(n, o, r, e);
    if (rc == 0) {
        rc = put_prop_numbers(o, r);
    }
    return rc != 0 ? rc : put_devices(n, o, &r->p.id, e);
}

int put_prop_by_id(struct node *n, cJSON *doc, const struct id *id, struct err *e)
{
    struct ranked_list l;
    ranked_list_init(&l);
    int rc = model_one(n->store, id, clock_wall_ms(&n->clock), &l, e);
    cJSON *o = rc == 0 ? put_object(doc, "proposition") : NULL;
    if (rc == 0) {
        rc = o != NULL ? put_prop(n, o, &l.v[0], e) : ERR_NOMEM;
    }
    if (rc == 0) {
        rc = put_text(o, "reasoning", l.v[0].p.reasoning);
    }
    ranked_list_release(&l);
    return rc;
}

int put_counts(struct node *n, cJSON *o, const struct entity *x, struct err *e)
{
    cJSON *list = put_array(o, "counts");
    char name[LIMIT_NAME_BYTES + 1];
    struct count c;
    (void)e;
    for (size_t i = 0; list != NULL && i < entity_count_n(x); i++) {
        cJSON *item = entity_count_at(x, i, &c) ? put_object(list, NULL) : NULL;
        if (item == NULL) {
            return ERR_NOMEM;
        }
        device_name(n, &c.device, name);
        if (put_str(item, "device", name) != 0 || put_text(item, "source", c.source) != 0 ||
            put_num(item, "support", (double)c.support) != 0 ||
            put_num(item, "against", (double)c.against) != 0 || put_time(item, "first", c.first_ms) != 0 ||
            put_time(item, "last", c.last_ms) != 0) {
            return ERR_NOMEM;
        }
    }
    return list != NULL ? 0 : ERR_NOMEM;
}

/* ---- observations ----------------------------------------------------------------------------------------
 */

static int put_files(cJSON *o, struct bytes files)
{
    cJSON *list = files.n > 0 ? put_array(o, "files") : NULL;
    if (files.n == 0) {
        return 0;
    }
    while (list != NULL && files.n > 0) {
        size_t end = bytes_find(files, BYTES_LIT("\n"));
        struct bytes one = bytes_slice(files, 0, end == SIZE_MAX ? files.n : end);
        char path[LIMIT_PATH_BYTES + 1];
        (void)snprintf(path, sizeof(path), "%.*s", (int)one.n, (const char *)one.p);
        cJSON *s = cJSON_CreateString(path);
        if (s == NULL || !cJSON_AddItemToArray(list, s)) {
            return ERR_NOMEM;
        }
        files = end == SIZE_MAX ? BYTES_NONE : bytes_slice(files, end + 1, SIZE_MAX);
    }
    return list != NULL ? 0 : ERR_NOMEM;
}

int put_observation(cJSON *o, const struct stored_observation *s)
{
    bool ok = put_num(o, "row", (double)s->row) == 0 && put_time(o, "time", s->time_ms) == 0 &&
              (s->end_ms == TIME_NONE || put_time(o, "end", s->end_ms) == 0) &&
              put_text(o, "source", s->source) == 0 && put_text_if(o, "app", s->app) == 0 &&
              put_text_if(o, "title", s->title) == 0 && put_text_if(o, "text", s->text) == 0 &&
              put_text_if(o, "url", s->url) == 0 && put_text_if(o, "command", s->command) == 0 &&
              put_text_if(o, "cwd", s->cwd) == 0 && put_files(o, s->files) == 0;
    return ok ? 0 : ERR_NOMEM;
}

int api_transaction(struct node *n, int (*body)(struct node *n, void *ctx, struct err *e), void *ctx,
                    struct err *e)
{
    int rc = store_begin(n->store, e);
    if (rc != 0) {
        return rc;
    }
    rc = body(n, ctx, e);
    if (rc == 0) {
        return store_commit(n->store, e);
    }
    store_rollback(n->store);
    return rc;
}
