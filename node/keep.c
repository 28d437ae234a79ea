#include "node/keep.h"

#include <string.h>

void keep_offset(struct node *n, struct observation *o)
{
    struct observer_env env;
    if (o->offset_min != OFFSET_UNKNOWN) {
        return;
    }
    node_observer_env(n, &env);
    o->offset_min = env.zone_offset(env.zone_ctx, o->time_ms);
}

/* File names, newline separated. */
static int files_join(const struct observation *o, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < o->n_files && i < LIMIT_OBSERVATION_FILES; i++) {
        if (i > 0) {
            (void)buf_put(out, '\n');
        }
        (void)buf_bytes(out, o->files[i]);
    }
    return out->err;
}

static int stored_fill(struct node *n, const struct observation *o, const uint8_t *key, struct buf *scratch,
                       struct stored_observation *out)
{
    int rc = files_join(o, scratch);
    *out = (struct stored_observation){
        .time_ms = o->time_ms,
        .end_ms = o->end_ms,
        .added_ms = clock_wall_ms(&n->clock),
        .offset_min = o->offset_min,
        .shared_event = o->shared_event,
        .untimed = o->occurrence > 0,
        .source = o->source,
        .app = o->app,
        .title = o->title,
        .text = o->text,
        .url = o->url,
        .command = o->command,
        .cwd = o->cwd,
        .files = buf_view(scratch),
        .ext_id = o->id,
        .data = o->data,
    };
    if (key != NULL) {
        memcpy(out->key, key, sizeof(out->key));
    } else if (rc == 0) {
        rc = event_key(secret_view(&n->home.keys.event), o, out->key);
    }
    return rc;
}

int keep(struct node *n, const struct observation *o, const uint8_t *key, struct buf *scratch,
         struct keeping *out, struct err *e)
{
    struct observation clean;
    bool fresh = false;
    out->how = KEPT_DROPPED;
    enum audit_verdict v = audit_check(n->audit, o, &clean);
    out->redacted = v == AUDIT_REDACT;
    if (v == AUDIT_DROP) {
        return 0;
    }
    int rc = stored_fill(n, &clean, key, scratch, &out->stored);
    if (rc != 0) {
        return err_set(e, rc, "keeping an observation");
    }
    rc = local_observation_add(n->store, &out->stored, &out->stored.row, &fresh, e);
    if (rc == 0 && out->stored.row != 0) { /* 0: forgotten by the user, stays away */
        out->how = fresh ? KEPT_FRESH : KEPT_KNOWN;
    }
    return rc;
}

int keep_decisions(struct node *n, struct err *e)
{
    struct audit_count c;
    int rc = 0;
    for (size_t i = 0; rc == 0 && audit_counts_at(n->audit, i, &c); i++) {
        struct audit_row row = {.first_ms = c.first_ms,
                                .last_ms = c.last_ms,
                                .rule = bytes_str(c.rule),
                                .source = bytes_str(c.source),
                                .n = c.n};
        rc = local_audit_add(n->store, &row, e);
    }
    return rc;
}
