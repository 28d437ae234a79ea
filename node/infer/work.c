#include "node/infer/work.h"

#include "base/check.h"
#include "base/limits.h"

#include <string.h>

#define FIELDS 9

static void fields_of(struct stored_observation *o, struct bytes *out[FIELDS])
{
    struct bytes *fields[FIELDS] = {&o->source,  &o->app, &o->title, &o->text, &o->url,
                                    &o->command, &o->cwd, &o->files, &o->data};
    memcpy(out, fields, sizeof fields);
}

void work_init(struct work *w)
{
    memset(w, 0, sizeof *w);
    buf_init(&w->text,
             (size_t)BATCH_MAX * (4u * LIMIT_OBSERVATION_BYTES + LIMIT_OBSERVATION_FILES * LIMIT_PATH_BYTES));
}

void work_release(struct work *w)
{
    buf_release(&w->text);
    w->n = 0;
}

void work_clear(struct work *w)
{
    buf_clear(&w->text);
    w->n = 0;
    w->too_large = false;
}

int work_add(struct work *w, const struct stored_observation *o, const struct id *device, bool guarded)
{
    struct bytes *fields[FIELDS];
    CHECK(w->n < BATCH_MAX);
    w->v[w->n] = *o;
    w->v[w->n].ext_id = BYTES_NONE;
    w->devices[w->n] = *device;
    w->guarded[w->n] = guarded;
    fields_of(&w->v[w->n], fields);
    for (size_t f = 0; f < FIELDS; f++)
        (void)buf_bytes(&w->text, *fields[f]);
    w->n++;
    return w->text.err;
}

void work_finish(struct work *w)
{
    const uint8_t *at = w->text.p;
    for (size_t i = 0; i < w->n; i++) {
        struct bytes *fields[FIELDS];
        fields_of(&w->v[i], fields);
        for (size_t f = 0; f < FIELDS; f++) {
            fields[f]->p = at;
            at += fields[f]->n;
        }
    }
}

void work_drop(struct work *w, size_t i)
{
    CHECK(i < w->n);
    size_t behind = w->n - i - 1;
    memmove(&w->v[i], &w->v[i + 1], behind * sizeof w->v[0]);
    memmove(&w->devices[i], &w->devices[i + 1], behind * sizeof w->devices[0]);
    memmove(&w->guarded[i], &w->guarded[i + 1], behind * sizeof w->guarded[0]);
    w->n--;
}

void work_sources(const struct work *w, struct buf *out)
{
    for (size_t i = 0; i < w->n; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = bytes_eq(w->v[k].source, w->v[i].source);
        if (!before && out->n > 0)
            (void)buf_put(out, '\n');
        if (!before)
            (void)buf_bytes(out, w->v[i].source);
    }
}
