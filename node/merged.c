/* After a merge. An erased observation takes with it what was learnt from it alone: inference drops that, and
 * what it dropped is then forgotten, so that its words leave the logs (as for `selfsame forget` here). Keys
 * of erased observations are this device's own; they are blocked under the proposition that was forgotten. */
#include "node/merged.h"

#include "base/map.h"
#include "node/model/adopt.h"
#include "node/share.h"
#include "node/thinking.h"

#include <string.h>

#define BLOCK_PAGE 256

struct erasing {
    struct node *n;
    struct buf rows;     /* int64_t */
    struct map *touched; /* propositions that rest on them */
    struct id prop;      /* whose keys wait in `keys` */
    uint8_t keys[BLOCK_PAGE][16];
    size_t n_keys;
    struct err *e;
};

static int keys_block(struct erasing *x)
{
    int rc = x->n_keys > 0
                 ? store_block_keys(x->n->store, &x->prop, (const uint8_t(*)[16])x->keys, x->n_keys, x->e)
                 : 0;
    x->n_keys = 0;
    return rc;
}

static int doomed_key(void *ctx, const struct id *prop, const struct stored_observation *o)
{
    struct erasing *x = ctx;
    int rc = x->n_keys == BLOCK_PAGE || !id_eq(&x->prop, prop) ? keys_block(x) : 0;
    x->prop = *prop;
    memcpy(x->keys[x->n_keys++], o->key, sizeof(x->keys[0]));
    return rc != 0 ? rc : buf_append(&x->rows, &o->row, sizeof(o->row));
}

static int span_row(void *ctx, const struct stored_observation *o)
{
    struct erasing *x = ctx;
    return buf_append(&x->rows, &o->row, sizeof(o->row));
}

static int span_take(void *ctx, struct bytes source, int64_t from_ms, int64_t until_ms)
{
    struct erasing *x = ctx;
    const struct observation_filter f = {
        .source = source, .from_ms = from_ms, .until_ms = until_ms, .max = UINT32_MAX};
    return local_observations(x->n->store, &f, span_row, x, x->e);
}

static int touched_add(void *ctx, const struct id *prop, bool against)
{
    struct erasing *x = ctx;
    (void)against;
    return map_add(x->touched, bytes_of(prop->b, ID_BYTES), NULL) != NULL ? 0 : ERR_NOMEM;
}

/* What rested on the erased alone. A user's word in it keeps it: then it is not dropped. */
static int orphans_forget(struct erasing *x)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < map_count(x->touched); i++) {
        struct id id;
        struct prop p;
        memcpy(id.b, map_at(x->touched, i)->key.p, ID_BYTES);
        rc = store_prop(x->n->store, &id, false, &p, NULL);
        if (rc == ERR_FORGOTTEN || rc == ERR_NOTFOUND) {
            rc = 0;
        } else if (rc == 0 && (p.flags & PROP_DROPPED) != 0) {
            rc = store_forget(x->n->store, &id, NULL, 0, x->e);
        }
    }
    return rc;
}

static int erase_body(struct erasing *x)
{
    struct store *s = x->n->store;
    int rc = local_doomed(s, doomed_key, x, x->e);
    if (rc == 0) {
        rc = keys_block(x);
    }
    if (rc == 0) {
        rc = store_blocked_spans(s, span_take, x, x->e);
    }
    const int64_t *rows = (const int64_t *)(const void *)x->rows.p;
    size_t n_rows = x->rows.n / sizeof(*rows);
    for (size_t i = 0; rc == 0 && i < n_rows; i++) {
        rc = local_links_of(s, rows[i], touched_add, x, x->e);
    }
    if (rc == 0 && n_rows > 0) {
        rc = local_observations_erase(s, rows, n_rows, x->e);
    }
    if (rc == 0 && n_rows > 0) {
        rc = infer_flush(x->n->infer, NULL, x->e);
    }
    if (rc == 0) {
        rc = adopt_erased(s, x->touched, rows, n_rows, x->e);
    }
    if (rc == 0 && n_rows > 0) {
        rc = thinking_erased(x->n, x->e);
    }
    if (rc == 0) {
        rc = orphans_forget(x);
    }
    return rc == 0 && n_rows > 0 ? share_publish(x->n, x->e) : rc;
}

int node_merged(struct node *n, struct err *e)
{
    struct erasing x = {.n = n, .touched = map_new(), .e = e};
    buf_init(&x.rows, (size_t)256 << 20);
    int rc =
        x.touched != NULL ? store_begin(n->store, e) : err_set(e, ERR_NOMEM, "looking at what was merged");
    if (rc == 0) {
        rc = erase_body(&x);
        if (rc == 0) {
            rc = store_commit(n->store, e);
        } else {
            store_rollback(n->store);
        }
    }
    buf_release(&x.rows);
    map_free(x.touched);
    if (rc == 0) {
        n->merged_due = false;
        rc = node_audit_load(n, e);
    }
    return rc != 0 ? err_wrap(e, rc, "taking up what other devices changed") : 0;
}
