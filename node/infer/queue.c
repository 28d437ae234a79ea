/* Two local values: "think:position", a row; "think:batch", upto svarint | failures varint | (row svarint |
 * key 16) × n of the batch that was given out. */
#include "node/infer/queue.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "node/config.h"
#include "node/share.h"

#include <string.h>

#define POSITION "think:position"
#define BATCH "think:batch"
#define BATCH_BYTES_MAX 4096u /* at most 20 + BATCH_MAX * 26 */
#define ROW_KEY_BYTES 16u
#define ROWS_LOOKED_AT 1000u /* in one go, when most are passed over */

/* ---- settings ---------------------------------------------------------------------------------------------
 */

static bool line_next(struct bytes *rest, struct bytes *line)
{
    while (rest->n > 0) {
        size_t end = bytes_find(*rest, BYTES_LIT("\n"));
        *line = bytes_trim(bytes_slice(*rest, 0, end == SIZE_MAX ? rest->n : end));
        *rest = end == SIZE_MAX ? BYTES_NONE : bytes_slice(*rest, end + 1, SIZE_MAX);
        if (line->n > 0)
            return true;
    }
    return false;
}

static int name_check(struct bytes name, struct err *e)
{
    bool valid = name.n >= 1 && name.n <= 64;
    for (size_t i = 0; valid && i < name.n; i++) {
        uint8_t c = name.p[i];
        valid = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    }
    return valid || bytes_eq(name, BYTES_LIT("*"))
               ? 0
               : err_set(e, ERR_USAGE, "'%.*s' is not the name of a source", (int)(name.n > 64 ? 64 : name.n),
                         (const char *)name.p);
}

int source_lines_check(struct bytes value, struct err *e)
{
    struct bytes line;
    int rc = 0;
    while (rc == 0 && line_next(&value, &line))
        rc = name_check(line, e);
    return rc;
}

int endpoint_sources_check(struct bytes value, struct err *e)
{
    struct bytes line;
    int rc = 0;
    while (rc == 0 && line_next(&value, &line))
        rc = name_check(line.p[0] == '-' ? bytes_slice(line, 1, SIZE_MAX) : line, e);
    return rc;
}

bool endpoint_source_allowed(struct bytes setting, struct bytes source, bool remote)
{
    struct bytes line;
    bool some = false, others = false, named = false;
    while (line_next(&setting, &line)) {
        bool away = line.p[0] == '-';
        struct bytes name = away ? bytes_slice(line, 1, SIZE_MAX) : line;
        bool all = bytes_eq(name, BYTES_LIT("*"));
        if (away && (all || bytes_eq(name, source)))
            return false;
        some = some || !away;
        others = others || (all && !away);
        named = named || bytes_eq(name, source);
    }
    return named || others || (!some && !remote);
}

static bool source_listed(struct bytes setting, struct bytes source)
{
    struct bytes line;
    while (line_next(&setting, &line)) {
        if (bytes_eq(line, source) || bytes_eq(line, BYTES_LIT("*")))
            return true;
    }
    return false;
}

int think_wait_check(struct bytes value, struct err *e)
{
    int64_t ms;
    int rc = duration_parse(value, &ms);
    return rc != 0 ? err_set(e, ERR_USAGE, "a duration, such as 15m or 2h") : 0;
}

struct rules {
    struct buf sources, guarded, share;
    int64_t wait_ms;
    bool remote;
};

static void rules_release(struct rules *r)
{
    buf_release(&r->sources);
    buf_release(&r->guarded);
    buf_release(&r->share);
}

static int rules_load(struct queue *q, struct rules *r, struct err *e)
{
    struct buf wait;
    buf_init(&r->sources, LIMIT_SETTING_BYTES);
    buf_init(&r->guarded, LIMIT_SETTING_BYTES);
    buf_init(&r->share, LIMIT_SETTING_BYTES);
    buf_init(&wait, LIMIT_SETTING_BYTES);
    r->remote = q->remote != NULL && q->remote(q->remote_ctx);
    int rc = config_text(q->store, "endpoint.sources", &r->sources, e);
    if (rc == 0)
        rc = config_text(q->store, "audit.context", &r->guarded, e);
    if (rc == 0)
        rc = share_load(q->store, &r->share, e);
    if (rc == 0)
        rc = config_text(q->store, "think.wait", &wait, e);
    if (rc == 0 && duration_parse(buf_view(&wait), &r->wait_ms) != 0)
        r->wait_ms = 15 * MS_MINUTE;
    buf_release(&wait);
    return rc;
}

/* A source that shares nothing is not learnt from (node/share.h). */
static bool allowed(const struct rules *r, struct bytes source)
{
    return share_level_of(buf_view(&r->share), source) != SHARE_NOTHING &&
           endpoint_source_allowed(buf_view(&r->sources), source, r->remote);
}

/* ---- position ---------------------------------------------------------------------------------------------
 */

/* -1: there is none. */
static int position_load(struct store *s, int64_t *out, struct err *e)
{
    struct buf v;
    bool found = false;
    *out = -1;
    buf_init(&v, 16);
    int rc = local_get(s, POSITION, &v, &found, e);
    if (rc == 0 && found) {
        struct rd r;
        rd_init(&r, buf_view(&v));
        *out = rd_svarint(&r);
        rc = rd_end(&r) != 0 ? err_set(e, ERR_CORRUPT, "the queue of the model is damaged") : 0;
    }
    buf_release(&v);
    return rc;
}

static int position_save(struct store *s, int64_t row, struct err *e)
{
    struct buf v;
    buf_init(&v, 16);
    wr_svarint(&v, row);
    int rc = local_set(s, POSITION, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

int queue_begin(struct store *s, struct err *e)
{
    int64_t position, newest = 0;
    int rc = position_load(s, &position, e);
    if (rc != 0 || position >= 0)
        return rc;
    rc = local_observation_newest(s, &newest, e);
    return rc != 0 ? rc : position_save(s, newest, e);
}

int queue_rewind(struct store *s, struct err *e)
{
    int rc = position_save(s, 0, e);
    return rc != 0 ? rc : local_set(s, BATCH, BYTES_NONE, e);
}

int queue_added(struct store *s, int64_t row, struct err *e)
{
    int64_t position;
    struct buf url;
    int rc = position_load(s, &position, e);
    if (rc == 0 && position < 0) { /* from the first observation on that an endpoint was set at */
        buf_init(&url, LIMIT_SETTING_BYTES);
        rc = config_text(s, "endpoint.url", &url, e);
        bool begins = rc == 0 && url.n > 0;
        buf_release(&url);
        return begins ? position_save(s, row - 1, e) : rc;
    }
    /* All rows from this one on had been erased, so none of them is thought about twice. */
    return rc != 0 || position < row ? rc : position_save(s, row - 1, e);
}

struct waiting {
    const struct rules *rules;
    uint64_t n;
};

static int waiting_add(void *ctx, const struct source_count *c)
{
    struct waiting *w = ctx;
    w->n += allowed(w->rules, c->source) ? c->n : 0;
    return 0;
}

int queue_waiting(struct queue *q, uint64_t *out, struct err *e)
{
    struct rules rules;
    struct waiting w = {.rules = &rules};
    int64_t position = 0;
    int rc = rules_load(q, &rules, e);
    if (rc == 0)
        rc = position_load(q->store, &position, e);
    if (rc == 0 && position >= 0)
        rc = local_sources_behind(q->store, position, waiting_add, &w, e);
    rules_release(&rules);
    *out = w.n;
    return rc;
}

/* ---- the batch that was given out -------------------------------------------------------------------------
 */

static int record_save(struct queue *q, const struct work *w, struct err *e)
{
    struct buf v;
    buf_init(&v, BATCH_BYTES_MAX);
    wr_svarint(&v, w->upto);
    wr_varint(&v, 0);
    for (size_t i = 0; i < w->n; i++) {
        wr_svarint(&v, w->v[i].row);
        wr_bytes(&v, bytes_of(w->v[i].key, sizeof w->v[i].key));
    }
    int rc = v.err != 0 ? err_set(e, v.err, "keeping a batch") : local_set(q->store, BATCH, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

/* Whether the observation of a row is still the one with this key. */
static int row_holds(struct queue *q, int64_t row, const uint8_t key[16], struct stored_observation *o,
                     bool *out, struct err *e)
{
    struct err own = ERR_INIT;
    int rc = local_observation(q->store, row, o, &own);
    *out = rc == 0 && memcmp(o->key, key, 16) == 0;
    return rc == ERR_NOTFOUND || rc == 0 ? 0 : err_set(e, rc, "%s", own.text);
}

/* What is left of the batch in the record; *known false: there is no record. Sources that the user has kept
 * away since are left out. */
static int record_take(struct queue *q, const struct rules *rules, struct work *out, bool *known,
                       struct err *e)
{
    struct buf v;
    struct rd r;
    buf_init(&v, BATCH_BYTES_MAX);
    int rc = local_get(q->store, BATCH, &v, known, e);
    if (rc != 0 || !*known) {
        buf_release(&v);
        return rc;
    }
    rd_init(&r, buf_view(&v));
    out->upto = rd_svarint(&r);
    (void)rd_varint(&r);
    while (rc == 0 && rd_left(&r) > 0 && r.err == 0 && out->n < BATCH_MAX) {
        struct stored_observation o;
        uint8_t key[16];
        bool holds;
        int64_t row = rd_svarint(&r);
        rd_copy(&r, key, sizeof key);
        rc = row_holds(q, row, key, &o, &holds, e);
        if (rc == 0 && holds && allowed(rules, o.source))
            rc = work_add(out, &o, &q->device, source_listed(buf_view(&rules->guarded), o.source));
    }
    buf_release(&v);
    return rc == 0 && rd_end(&r) != 0 ? err_set(e, ERR_CORRUPT, "the batch of the model is damaged") : rc;
}

/* ---- forming one ------------------------------------------------------------------------------------------
 */

struct forming {
    struct queue *q;
    const struct rules *rules;
    struct work *w;
    bool closed;
    int64_t oldest_ms, newest_ms; /* when its first and last one were added */
    int64_t time_ms;              /* when the last one was seen */
    struct buf source;            /* of the last one */
    uint32_t looked_at;
};

static size_t most(const struct queue *q)
{
    return q->most == 0 || q->most > BATCH_MAX ? BATCH_MAX : q->most;
}

/* Whether it does not belong to those before it. */
static bool apart(const struct forming *f, const struct stored_observation *o)
{
    int64_t gap = o->time_ms - f->time_ms;
    return gap > QUEUE_GAP_MS || gap < -QUEUE_GAP_MS || !bytes_eq(o->source, buf_view(&f->source));
}

static int row_take(void *ctx, const struct stored_observation *o)
{
    struct forming *f = ctx;
    f->looked_at++;
    if (!allowed(f->rules, o->source)) {
        f->w->upto = o->row;
        return 0;
    }
    if (f->w->n == most(f->q) || (f->w->n >= QUEUE_PART && apart(f, o))) {
        f->closed = true;
        return 1;
    }
    f->oldest_ms = f->w->n == 0 ? o->added_ms : f->oldest_ms;
    f->newest_ms = o->added_ms;
    f->time_ms = o->time_ms;
    buf_clear(&f->source);
    int rc = buf_bytes(&f->source, o->source);
    f->w->upto = o->row;
    return rc != 0 ? rc
                   : work_add(f->w, o, &f->q->device, source_listed(buf_view(&f->rules->guarded), o->source));
}

/* When what was gathered is given out although more might come. */
static int64_t ripe_ms(const struct forming *f)
{
    int64_t settled = f->newest_ms + QUEUE_SETTLE_MS, waited = f->oldest_ms + f->rules->wait_ms;
    if (f->w->n < BATCH_MIN)
        return waited;
    return settled < waited ? settled : waited;
}

static int form(struct forming *f, bool hurry, int64_t *next_ms, struct err *e)
{
    struct store *s = f->q->store;
    int64_t position, begin;
    int rc = queue_begin(s, e);
    if (rc == 0)
        rc = position_load(s, &position, e);
    if (rc != 0)
        return rc;
    begin = f->w->upto = position;
    rc = local_observations_behind(s, position, ROWS_LOOKED_AT, row_take, f, e);
    if (rc < 0)
        return rc;
    f->closed = f->closed || f->w->n == most(f->q) || f->looked_at == ROWS_LOOKED_AT;
    if (f->w->n == 0) { /* what is passed over is passed over for good */
        *next_ms = f->looked_at == ROWS_LOOKED_AT ? 0 : TIME_NONE;
        return f->w->upto > begin ? position_save(s, f->w->upto, e) : 0;
    }
    if (!f->closed && !hurry && clock_wall_ms(f->q->clock) < ripe_ms(f)) {
        *next_ms = ripe_ms(f);
        work_clear(f->w);
        return 0;
    }
    return record_save(f->q, f->w, e);
}

static int batch_form(struct queue *q, const struct rules *rules, bool hurry, struct work *out,
                      int64_t *next_ms, struct err *e)
{
    struct forming f = {.q = q, .rules = rules, .w = out};
    buf_init(&f.source, LIMIT_NAME_BYTES);
    int rc = form(&f, hurry, next_ms, e);
    buf_release(&f.source);
    return rc;
}

/* ---- as a source of work ----------------------------------------------------------------------------------
 */

static int queue_take(void *ctx, bool hurry, struct work *out, int64_t *next_ms, struct err *e)
{
    struct queue *q = ctx;
    struct rules rules;
    bool known = false;
    *next_ms = TIME_NONE;
    work_clear(out);
    int rc = rules_load(q, &rules, e);
    if (rc == 0)
        rc = record_take(q, &rules, out, &known, e);
    if (rc == 0 && known && out->n == 0) { /* all of it was erased */
        rc = store_begin(q->store, e);
        if (rc == 0) {
            rc = position_save(q->store, out->upto, e);
            rc = rc != 0 ? rc : local_set(q->store, BATCH, BYTES_NONE, e);
            if (rc == 0)
                rc = store_commit(q->store, e);
            else
                store_rollback(q->store);
        }
        known = false;
    }
    if (rc == 0 && !known)
        rc = batch_form(q, &rules, hurry, out, next_ms, e);
    if (rc == 0)
        work_finish(out);
    else
        work_clear(out);
    rules_release(&rules);
    return rc;
}

static int queue_holds(void *ctx, const struct work *w, bool *out, struct err *e)
{
    struct queue *q = ctx;
    struct rules rules;
    int rc = rules_load(q, &rules, e);
    *out = true;
    for (size_t i = 0; rc == 0 && *out && i < w->n; i++) {
        struct stored_observation o;
        rc = row_holds(q, w->v[i].row, w->v[i].key, &o, out, e);
        *out = *out && allowed(&rules, w->v[i].source);
    }
    rules_release(&rules);
    return rc;
}

static int queue_done(void *ctx, const struct work *w, struct err *e)
{
    struct queue *q = ctx;
    int rc = position_save(q->store, w->upto, e);
    return rc != 0 ? rc : local_set(q->store, BATCH, BYTES_NONE, e);
}

/* The first rows of a record, as one that did not fail yet. The others wait again. */
static int record_cut(struct queue *q, size_t rows, struct err *e)
{
    struct buf v, next;
    struct rd r, ahead;
    bool found = false;
    int64_t row = 0;
    buf_init(&v, BATCH_BYTES_MAX);
    buf_init(&next, BATCH_BYTES_MAX);
    int rc = local_get(q->store, BATCH, &v, &found, e);
    rd_init(&r, buf_view(&v));
    (void)rd_svarint(&r);
    (void)rd_varint(&r);
    ahead = r;
    for (size_t i = 0; i < rows; i++) {
        row = rd_svarint(&ahead);
        (void)rd_bytes(&ahead, ROW_KEY_BYTES);
    }
    wr_svarint(&next, row);
    wr_varint(&next, 0);
    wr_bytes(&next, rd_bytes(&r, rd_left(&r) - rd_left(&ahead)));
    if (rc == 0)
        rc = !found || ahead.err != 0 ? err_set(e, ERR_CORRUPT, "the batch of the model is damaged")
                                      : local_set(q->store, BATCH, buf_view(&next), e);
    buf_release(&v);
    buf_release(&next);
    return rc;
}

static int queue_failed(void *ctx, const struct work *w, bool *given_up, struct err *e)
{
    struct queue *q = ctx;
    struct buf v, next;
    struct rd r;
    bool found = false;
    *given_up = false;
    if (w->too_large && w->n > 1) {
        q->most = (w->n + 1) / 2;
        return record_cut(q, q->most, e);
    }
    buf_init(&v, BATCH_BYTES_MAX);
    buf_init(&next, BATCH_BYTES_MAX);
    int rc = local_get(q->store, BATCH, &v, &found, e);
    rd_init(&r, buf_view(&v));
    wr_svarint(&next, rd_svarint(&r));
    uint64_t failures = rd_varint(&r) + 1;
    wr_varint(&next, failures);
    wr_bytes(&next, rd_bytes(&r, rd_left(&r)));
    *given_up = failures >= QUEUE_FAILURES_MAX;
    if (rc == 0 && *given_up)
        rc = queue_done(ctx, w, e);
    else if (rc == 0 && found)
        rc = local_set(q->store, BATCH, buf_view(&next), e);
    buf_release(&v);
    buf_release(&next);
    return rc;
}

struct work_source queue_source(struct queue *q)
{
    return (struct work_source){queue_take, queue_holds, queue_done, queue_failed, q};
}
