/* Forgetting: final, and thorough. The proposition goes with the observations that it rests on (their event
 * keys are blocked, so that importing the same history again does not bring them back), what else was learnt
 * from those observations is worked out anew, and the files are scrubbed of the erased bytes before the
 * answer is given. */
#include "node/serve/api_int.h"

#include "base/map.h"
#include "node/identity.h"
#include "node/merged.h"
#include "node/model/adopt.h"
#include "node/pictures.h"
#include "node/share.h"
#include "node/thinking.h"

#include <stdlib.h>
#include <string.h>

struct forget {
    struct id id;
    bool by_source, dry_run, keep;
    struct bytes source;
    int64_t from_ms, until_ms; /* until_ms: what is blocked, too; TIME_NONE: all there is */
    int64_t now_ms;
    int64_t *rows;
    uint8_t (*keys)[16];
    size_t n, cap;
    size_t n_ahead; /* of a whole source: the last of them, which lie ahead */
    uint64_t erased;
    struct map *touched; /* ids of propositions that rest on what is erased */
    struct id *gone;     /* those that had nothing else to rest on */
    size_t n_gone;
    struct infer_summary sum;
};

static int row_add(struct forget *f, const struct stored_observation *o)
{
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? 64 : 2 * f->cap;
        int64_t *rows = realloc(f->rows, cap * sizeof(*rows));
        if (rows == NULL) {
            return ERR_NOMEM;
        }
        f->rows = rows;
        uint8_t(*keys)[16] = realloc(f->keys, cap * sizeof(*keys));
        if (keys == NULL) {
            return ERR_NOMEM;
        }
        f->keys = keys;
        f->cap = cap;
    }
    f->rows[f->n] = o->row;
    memcpy(f->keys[f->n], o->key, sizeof(f->keys[f->n]));
    f->n++;
    return 0;
}

static int linked_take(void *ctx, const struct stored_observation *o, bool against)
{
    /* What speaks against it is not what it was learnt from. */
    return against ? 0 : row_add(ctx, o);
}

/* Ascending by time. */
static int observed_take(void *ctx, const struct stored_observation *o)
{
    struct forget *f = ctx;
    f->n_ahead += f->until_ms == TIME_NONE && o->time_ms > f->now_ms ? 1 : 0;
    return row_add(f, o);
}

static int touched_add(void *ctx, const struct id *prop, bool against)
{
    struct forget *f = ctx;
    (void)against;
    return map_add(f->touched, bytes_of(prop->b, ID_BYTES), NULL) != NULL ? 0 : ERR_NOMEM;
}

/* The observations that will go, and the propositions that rest on them. */
static int collect(struct node *n, struct forget *f, struct err *e)
{
    struct observation_filter filter = {
        .source = f->source, .from_ms = f->from_ms, .until_ms = f->until_ms, .max = UINT32_MAX};
    int rc = 0;
    f->touched = map_new();
    if (f->touched == NULL) {
        return err_set(e, ERR_NOMEM, "forgetting");
    }
    if (f->by_source) {
        rc = local_observations(n->store, &filter, observed_take, f, e);
    } else if (!f->keep) {
        rc = local_links(n->store, &f->id, false, UINT32_MAX, linked_take, f, e);
    }
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        rc = local_links_of(n->store, f->rows[i], touched_add, f, e);
    }
    return rc;
}

/* Forgets what inference just dropped because it had rested on the erased observations alone: else its words
 * would stay in the log. What a user had a word in is never dropped. */
static int orphans_forget(struct node *n, struct forget *f, struct err *e)
{
    f->gone = calloc(map_count(f->touched) + 1, sizeof(*f->gone));
    int rc = f->gone != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < map_count(f->touched); i++) {
        struct id id;
        struct prop p;
        memcpy(id.b, map_at(f->touched, i)->key.p, ID_BYTES);
        rc = store_prop(n->store, &id, false, &p, e);
        if (rc == ERR_FORGOTTEN || rc == ERR_NOTFOUND) {
            *e = ERR_INIT;
            rc = 0;
        } else if (rc == 0 && (p.flags & PROP_DROPPED) != 0) {
            rc = store_forget(n->store, &id, NULL, 0, e);
            f->gone[f->n_gone++] = id;
        }
    }
    return rc;
}

/* The source, and of what lies ahead of it (a calendar's plans) exactly what there was: what is planned later
 * is another matter. */
static int source_forget(struct node *n, struct forget *f, struct err *e)
{
    int64_t until_ms = f->until_ms != TIME_NONE ? f->until_ms : f->now_ms;
    int rc = local_source_erase(n->store, f->source, f->from_ms, f->until_ms, &f->erased, e);
    if (rc == 0) {
        rc = pictures_forget(n, f->source, f->from_ms, f->until_ms, e);
    }
    if (rc == 0 && f->from_ms <= until_ms) {
        rc = store_block_source(n->store, f->source, f->from_ms, until_ms, e);
    }
    if (rc == 0 && f->n_ahead > 0) {
        const uint8_t(*ahead)[16] = (const uint8_t(*)[16])(f->keys + (f->n - f->n_ahead));
        rc = store_block_events(n->store, f->source, ahead, f->n_ahead, e);
    }
    return rc;
}

static int forget_body(struct node *n, void *ctx, struct err *e)
{
    struct forget *f = ctx;
    int rc = 0;
    if (f->by_source) {
        rc = source_forget(n, f, e);
    } else {
        rc = store_forget(n->store, &f->id, (const uint8_t(*)[16])f->keys, f->n, e);
        if (rc == 0 && f->keep) {
            rc = local_doomed_clear(n->store, e);
        }
        if (rc == 0) {
            rc = local_observations_erase(n->store, f->rows, f->n, e);
        }
        f->erased = f->n;
    }
    if (rc == 0) {
        rc = infer_flush(n->infer, &f->sum, e);
    }
    if (rc == 0) {
        rc = adopt_erased(n->store, f->touched, f->rows, f->n, e);
        rc = rc != 0 ? rc : thinking_erased(n, e);
    }
    if (rc == 0) {
        rc = orphans_forget(n, f, e);
    }
    for (size_t i = 0; rc == 0 && i < f->n_gone; i++) {
        rc = share_forget(n, &f->gone[i], e);
    }
    if (rc == 0 && !f->by_source) {
        rc = share_forget(n, &f->id, e);
    }
    return rc != 0 ? rc : share_publish(n, e);
}

/* Which, for the answer: with its text in a dry run only; afterwards the text is nowhere. */
static int forgotten_put(struct node *n, cJSON *doc, const struct forget *f, struct err *e)
{
    cJSON *list = put_array(doc, "forgotten");
    cJSON *o = list != NULL && !f->by_source ? put_object(list, NULL) : NULL;
    int rc = o != NULL ? put_id(o, "id", &f->id) : list != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < f->n_gone; i++) {
        cJSON *other = put_object(list, NULL);
        rc = other != NULL ? put_id(other, "id", &f->gone[i]) : ERR_NOMEM;
    }
    if (rc == 0 && f->dry_run && o != NULL) {
        struct prop p;
        rc = store_prop(n->store, &f->id, false, &p, e);
        if (rc == 0) {
            rc = put_text(o, "text", p.text);
        }
    }
    return rc;
}

static int args_take(struct node *n, const cJSON *req, struct forget *f, struct err *e)
{
    f->source = arg_text(req, "source");
    f->by_source = f->source.p != NULL;
    f->dry_run = arg_bool(req, "dry_run");
    f->keep = arg_bool(req, "keep_observations");
    if (f->by_source == (arg_text(req, "id").p != NULL)) {
        return err_set(e, ERR_USAGE, "forget takes either an id or a source");
    }
    int rc = arg_time(req, "since", &f->from_ms, e);
    if (rc == 0) {
        rc = arg_time(req, "until", &f->until_ms, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (!f->by_source && (f->from_ms != TIME_NONE || f->until_ms != TIME_NONE)) {
        return err_set(e, ERR_USAGE, "since and until go with a source");
    }
    f->from_ms = f->from_ms == TIME_NONE ? 0 : f->from_ms;
    f->now_ms = clock_wall_ms(&n->clock);
    return f->by_source ? 0 : arg_prop(n, req, &f->id, e);
}

struct pending {
    struct node *n;
    cJSON *list;
};

static int pending_note(void *ctx, const struct peer_status *p)
{
    struct pending *x = ctx;
    char name[LIMIT_NAME_BYTES + 1];
    if (p->they_lack == 0) {
        return 0;
    }
    device_name(x->n, &p->device, name);
    cJSON *s = cJSON_CreateString(name);
    return s != NULL && cJSON_AddItemToArray(x->list, s) ? 0 : ERR_NOMEM;
}

/* Devices that have not confirmed yet that they have it. */
static int pending_put(struct node *n, cJSON *doc, struct err *e)
{
    struct pending x = {.n = n, .list = put_array(doc, "pending")};
    bool removed = identity_not_removed(n, NULL) != 0; /* then nobody will hear of it */
    if (x.list == NULL || put_bool(doc, "removed", removed) != 0) {
        return ERR_NOMEM;
    }
    return removed ? 0 : sync_peers(n->sync, pending_note, &x, e);
}

int api_forget(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct forget f = {0};
    int rc = n->merged_due ? node_merged(n, e) : 0; /* what it is about to list is not lost then */
    if (rc == 0) {
        rc = args_take(n, req, &f, e);
    }
    if (rc == 0) {
        rc = collect(n, &f, e);
    }
    if (rc == 0 && f.dry_run) {
        f.erased = f.n;
    } else if (rc == 0) {
        rc = api_transaction(n, forget_body, &f, e);
        if (rc == 0) {
            rc = store_scrub(n->store, e);
        }
    }
    if (rc == 0) {
        rc = forgotten_put(n, doc, &f, e);
    }
    map_free(f.touched);
    free(f.gone);
    free(f.rows);
    free(f.keys);
    if (rc != 0) {
        return rc;
    }
    if (!f.dry_run) {
        rc = pending_put(n, doc, e);
    }
    if (rc != 0) {
        return rc;
    }
    bool ok = put_num(doc, "observations", (double)f.erased) == 0 &&
              put_num(doc, "lowered", (double)f.sum.lowered) == 0 && put_bool(doc, "dry_run", f.dry_run) == 0;
    return ok ? 0 : ERR_NOMEM;
}
