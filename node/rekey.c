/* Row after row, in the order of adding. */
#include "node/rekey.h"

#include "base/limits.h"
#include "base/map.h"
#include "node/observe/observe.h"

#include <stdlib.h>
#include <string.h>

struct rekey {
    struct node *n;
    struct buf rows;   /* int64_t × n */
    struct buf files;  /* struct bytes × n, of one observation */
    struct map *equal; /* what is the same but for its occurrence → how many so far */
    struct err *e;
};

static int row_note(void *ctx, const struct stored_observation *o)
{
    struct rekey *x = ctx;
    return buf_append(&x->rows, &o->row, sizeof o->row);
}

static int row_cmp(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int files_split(struct rekey *x, struct bytes files)
{
    int rc = 0;
    buf_clear(&x->files);
    while (rc == 0 && files.n > 0) {
        const uint8_t *end = memchr(files.p, '\n', files.n);
        struct bytes one = bytes_slice(files, 0, end != NULL ? (size_t)(end - files.p) : files.n);
        files = bytes_slice(files, one.n + (end != NULL), SIZE_MAX);
        rc = buf_append(&x->files, &one, sizeof one);
    }
    return rc;
}

static int occurrence(struct rekey *x, struct bytes secret, struct observation *o)
{
    uint8_t same[16];
    o->time_ms = TIME_NONE;
    int rc = event_key(secret, o, same);
    struct map_slot *slot = rc == 0 ? map_add(x->equal, bytes_of(same, sizeof same), NULL) : NULL;
    if (slot == NULL) {
        return ERR_NOMEM;
    }
    o->occurrence = (uint32_t)++slot->v.num;
    return 0;
}

static int key_of(struct rekey *x, const struct stored_observation *s, uint8_t out[16])
{
    struct bytes secret = secret_view(&x->n->home.keys.event);
    struct observation o = {
        .time_ms = s->time_ms,
        .end_ms = s->end_ms,
        .offset_min = s->offset_min,
        .shared_event = s->shared_event,
        .source = s->source,
        .app = s->app,
        .title = s->title,
        .text = s->text,
        .url = s->url,
        .command = s->command,
        .cwd = s->cwd,
        .id = s->ext_id,
        .data = s->data,
    };
    int rc = files_split(x, s->files);
    o.files = (const struct bytes *)(const void *)x->files.p;
    o.n_files = x->files.n / sizeof(struct bytes);
    if (rc == 0 && s->untimed) {
        rc = occurrence(x, secret, &o);
    }
    return rc != 0 ? rc : event_key(secret, &o, out);
}

static int rekey_all(struct rekey *x)
{
    const struct observation_filter all = {.from_ms = TIME_NONE, .until_ms = TIME_NONE, .max = UINT32_MAX};
    int rc = local_observations(x->n->store, &all, row_note, x, x->e);
    size_t n = x->rows.n / sizeof(int64_t);
    if (rc == 0 && n > 0) {
        qsort(x->rows.p, n, sizeof(int64_t), row_cmp);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct stored_observation s;
        uint8_t key[16];
        int64_t row;
        memcpy(&row, x->rows.p + i * sizeof row, sizeof row);
        rc = local_observation(x->n->store, row, &s, x->e);
        rc = rc != 0 ? rc : key_of(x, &s, key);
        rc = rc != 0 ? rc : local_observation_rekey(x->n->store, row, key, x->e);
    }
    return rc;
}

int observations_rekey(struct node *n, struct err *e)
{
    struct rekey x = {.n = n, .equal = map_new(), .e = e};
    buf_init(&x.rows, (size_t)256 << 20);
    buf_init(&x.files, LIMIT_OBSERVATION_FILES * sizeof(struct bytes));
    int rc = x.equal != NULL ? rekey_all(&x) : ERR_NOMEM;
    buf_release(&x.rows);
    buf_release(&x.files);
    map_free(x.equal);
    return rc != 0 ? err_wrap(e, rc, "keying observations anew") : 0;
}
