/* Reading ends at the first thing that is not of the form: a content is taken whole or not at all. */
#include "node/infer/errand_body.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "crypto/seal.h"
#include "node/model/prompt.h"

#include <string.h>

#define VERSION 1u
#define HEAD_BYTES (1u + 2u * ID_BYTES + 1u)
#define CONTENT_MAX (ERRAND_SEALED_MAX - SEAL_EXTRA_BYTES)
#define OFFSET_MAX 1440
#define FIELDS 9u
#define FIELD_SOURCE 0u
#define FIELD_TEXT 3u
#define FIXED_BYTES (16u + 1u + 10u + 10u + 3u) /* of an observation, besides its fields */

enum flag { FLAG_SHARED = 1, FLAG_UNTIMED = 2, FLAG_GUARDED = 4, FLAG_REMOTE = 8 };

static size_t field_max(size_t f)
{
    return f == FIELD_SOURCE ? LIMIT_NAME_BYTES : f == FIELD_TEXT ? ERRAND_TEXT_BYTES : ERRAND_FIELD_BYTES;
}

static void fields_get(const struct stored_observation *o, struct bytes out[FIELDS])
{
    const struct bytes fields[FIELDS] = {o->source,  o->app, o->title, o->text, o->url,
                                         o->command, o->cwd, o->files, o->data};
    for (size_t f = 0; f < FIELDS; f++)
        out[f] = utf8_cut(fields[f], field_max(f));
}

static void fields_set(struct stored_observation *o, const struct bytes in[FIELDS])
{
    struct bytes *fields[FIELDS] = {&o->source,  &o->app, &o->title, &o->text, &o->url,
                                    &o->command, &o->cwd, &o->files, &o->data};
    for (size_t f = 0; f < FIELDS; f++)
        *fields[f] = in[f];
}

static void pad(struct buf *out, size_t from)
{
    while (out->err == 0 && (out->n - from) % ERRAND_PAD != 0)
        wr_u8(out, 0);
    if (out->err == 0 && out->n - from > CONTENT_MAX)
        out->err = ERR_LIMIT;
}

/* Only zeros up to the next multiple. */
static int padding_read(struct rd *r, size_t content)
{
    struct bytes zeros = rd_bytes(r, rd_left(r));
    bool plain = zeros.n < ERRAND_PAD && content % ERRAND_PAD == 0;
    for (size_t i = 0; plain && i < zeros.n; i++)
        plain = zeros.p[i] == 0;
    return r->err != 0 ? r->err : plain ? 0 : ERR_FORMAT;
}

/* ---- errands ----------------------------------------------------------------------------------------------
 */

static bool time_fits(int64_t ms)
{
    return ms >= 0 && ms <= LIMIT_TIME_MS_MAX;
}

static bool offset_fits(int64_t minutes)
{
    return (minutes >= -OFFSET_MAX && minutes <= OFFSET_MAX) || minutes == INT16_MIN;
}

size_t errand_cost(const struct stored_observation *o)
{
    struct bytes fields[FIELDS];
    size_t n = FIXED_BYTES;
    bool valid = time_fits(o->time_ms) && o->source.n > 0;
    fields_get(o, fields);
    for (size_t f = 0; f < FIELDS; f++) {
        n += 2 + fields[f].n;
        valid = valid && utf8_valid(fields[f]);
    }
    return valid ? n : SIZE_MAX;
}

bool errand_fits(size_t before, size_t cost)
{
    return cost < CONTENT_MAX && HEAD_BYTES + before + cost <= CONTENT_MAX / ERRAND_PAD * ERRAND_PAD;
}

static void observation_put(struct buf *out, const struct stored_observation *o, bool guarded, bool remote)
{
    struct bytes fields[FIELDS];
    unsigned flags = (o->shared_event ? FLAG_SHARED : 0u) | (o->untimed ? FLAG_UNTIMED : 0u) |
                     (guarded ? FLAG_GUARDED : 0u) | (remote ? FLAG_REMOTE : 0u);
    fields_get(o, fields);
    wr_bytes(out, bytes_of(o->key, sizeof o->key));
    wr_u8(out, (uint8_t)flags);
    wr_svarint(out, o->time_ms);
    wr_svarint(out, time_fits(o->end_ms) ? o->end_ms : TIME_NONE);
    wr_svarint(out, offset_fits(o->offset_min) ? o->offset_min : INT16_MIN);
    for (size_t f = 0; f < FIELDS; f++)
        wr_lenbytes(out, fields[f]);
}

int errand_put(const struct errand_head *h, const struct work *w, const bool *remote, struct buf *out)
{
    size_t from = out->n;
    wr_u8(out, VERSION);
    wr_bytes(out, bytes_of(h->errand.b, ID_BYTES));
    wr_bytes(out, bytes_of(h->sender.b, ID_BYTES));
    wr_varint(out, w->n);
    for (size_t i = 0; i < w->n; i++)
        observation_put(out, &w->v[i], w->guarded[i], remote[i]);
    pad(out, from);
    return out->err;
}

static int observation_read(struct rd *r, struct errand_items *out)
{
    struct bytes fields[FIELDS];
    struct stored_observation *o = &out->v[out->n];
    *o = (struct stored_observation){.row = (int64_t)out->n};
    rd_copy(r, o->key, sizeof o->key);
    unsigned flags = rd_u8(r);
    o->time_ms = rd_svarint(r);
    o->end_ms = rd_svarint(r);
    int64_t offset = rd_svarint(r);
    bool valid = flags < 2u * FLAG_REMOTE && time_fits(o->time_ms) &&
                 (time_fits(o->end_ms) || o->end_ms == TIME_NONE) && offset_fits(offset);
    for (size_t f = 0; f < FIELDS; f++) {
        fields[f] = rd_lenbytes(r, field_max(f));
        valid = valid && (r->err != 0 || utf8_valid(fields[f]));
    }
    if (r->err != 0)
        return r->err;
    if (!valid || fields[FIELD_SOURCE].n == 0)
        return ERR_FORMAT;
    o->offset_min = (int16_t)offset;
    o->shared_event = (flags & FLAG_SHARED) != 0;
    o->untimed = (flags & FLAG_UNTIMED) != 0;
    out->guarded[out->n] = (flags & FLAG_GUARDED) != 0;
    out->remote[out->n] = (flags & FLAG_REMOTE) != 0;
    fields_set(o, fields);
    out->n++;
    return 0;
}

/* The number that a list begins with, 1..max. */
static uint64_t number_read(struct rd *r, uint64_t least, uint64_t max)
{
    uint64_t n = rd_varint(r);
    if (r->err == 0 && (n < least || n > max))
        r->err = n > max ? ERR_LIMIT : ERR_FORMAT;
    return r->err != 0 ? 0 : n;
}

static int version_read(struct rd *r, struct bytes content)
{
    rd_init(r, content);
    if (content.n > CONTENT_MAX)
        return ERR_LIMIT;
    uint8_t version = rd_u8(r);
    return r->err != 0 ? r->err : version == VERSION ? 0 : ERR_VERSION;
}

int errand_read(struct bytes content, struct errand_head *h, struct errand_items *out)
{
    struct rd r;
    out->n = 0;
    int rc = version_read(&r, content);
    if (rc != 0)
        return rc;
    rd_copy(&r, h->errand.b, ID_BYTES);
    rd_copy(&r, h->sender.b, ID_BYTES);
    uint64_t n = number_read(&r, 1, BATCH_MAX);
    for (uint64_t i = 0; rc == 0 && i < n; i++)
        rc = observation_read(&r, out);
    rc = rc != 0 ? rc : padding_read(&r, content.n);
    out->n = rc == 0 ? out->n : 0;
    return rc;
}

/* ---- answers ----------------------------------------------------------------------------------------------
 */

int answer_put(const struct id *errand, const struct answer_claim *claims, size_t n, struct buf *out)
{
    size_t from = out->n;
    wr_u8(out, VERSION);
    wr_bytes(out, bytes_of(errand->b, ID_BYTES));
    wr_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        const struct answer_claim *c = &claims[i];
        wr_bytes(out, bytes_of(c->prop.b, ID_BYTES));
        wr_u8(out, c->worded);
        wr_varint(out, c->n);
        for (size_t k = 0; k < c->n; k++) {
            wr_u8(out, c->place[k]);
            wr_u8(out, c->against[k]);
        }
    }
    pad(out, from);
    return out->err;
}

static int claim_read(struct rd *r, size_t n_places, struct answer_claim *c)
{
    int before = -1;
    rd_copy(r, c->prop.b, ID_BYTES);
    uint8_t worded = rd_u8(r);
    c->worded = worded == 1;
    c->n = (uint8_t)number_read(r, 1, n_places);
    for (size_t k = 0; r->err == 0 && k < c->n; k++) {
        c->place[k] = rd_u8(r);
        uint8_t against = rd_u8(r);
        c->against[k] = against == 1;
        if (r->err == 0 && (c->place[k] >= n_places || c->place[k] <= before || against > 1))
            return ERR_FORMAT;
        before = c->place[k];
    }
    return r->err != 0 ? r->err : worded > 1 ? ERR_FORMAT : 0;
}

static int claims_read(struct rd r, size_t content, size_t n_places,
                       int (*fn)(void *ctx, const struct answer_claim *c), void *ctx)
{
    struct answer_claim c;
    uint64_t n = number_read(&r, 0, ERRAND_CLAIMS_MAX);
    int rc = r.err;
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        rc = claim_read(&r, n_places, &c);
        if (rc == 0 && fn != NULL)
            rc = fn(ctx, &c);
    }
    return rc != 0 ? rc : padding_read(&r, content);
}

int answer_read(struct bytes content, const struct id *errand, size_t n_places,
                int (*fn)(void *ctx, const struct answer_claim *c), void *ctx)
{
    struct rd r;
    struct id id;
    int rc = version_read(&r, content);
    if (rc != 0)
        return rc;
    rd_copy(&r, id.b, ID_BYTES);
    rc = r.err != 0 ? r.err : id_eq(&id, errand) ? 0 : ERR_FORMAT;
    rc = rc != 0 ? rc : claims_read(r, content.n, n_places, NULL, NULL);
    return rc != 0 ? rc : claims_read(r, content.n, n_places, fn, ctx);
}
