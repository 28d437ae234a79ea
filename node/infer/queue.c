/* Local values: "think:position", a row; "think:batch", upto svarint | failures varint | (row svarint |
 * key 16) × n of the batch that was given out. */
#include "node/infer/queue.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "node/config.h"
#include "node/infer/again.h"
#include "node/infer/errand_body.h"
#include "node/share.h"

#include <string.h>

#define POSITION "think:position"
#define BATCH "think:batch"
#define BATCH_BYTES_MAX 4096u /* at most 20 + BATCH_MAX * 26 */
#define ROW_KEY_BYTES 16u
#define ROWS_LOOKED_AT 1000u /* in one go, when most are passed over */

/* ---- settings ---------------------------------------------------------------------------------------------
 */

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
    while (rc == 0 && bytes_line(&value, &line))
        rc = name_check(line, e);
    return rc;
}

int endpoint_sources_check(struct bytes value, struct err *e)
{
    struct bytes line;
    int rc = 0;
    while (rc == 0 && bytes_line(&value, &line))
        rc = name_check(line.p[0] == '-' ? bytes_slice(line, 1, SIZE_MAX) : line, e);
    return rc;
}

bool endpoint_source_allowed(struct bytes setting, struct bytes source, bool remote)
{
    struct bytes line;
    bool some = false, others = false, named = false;
    while (bytes_line(&setting, &line)) {
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

bool source_listed(struct bytes setting, struct bytes source)
{
    struct bytes line;
    while (bytes_line(&setting, &line)) {
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
    struct buf sources, guarded, share, consent;
    int64_t wait_ms;
    bool remote, own;
};

static void rules_release(struct rules *r)
{
    buf_release(&r->sources);
    buf_release(&r->guarded);
    buf_release(&r->share);
    buf_release(&r->consent);
}

static int rules_load(struct queue *q, struct rules *r, struct err *e)
{
    struct buf wait;
    buf_init(&r->sources, LIMIT_SETTING_BYTES);
    buf_init(&r->guarded, LIMIT_SETTING_BYTES);
    buf_init(&r->share, LIMIT_SETTING_BYTES);
    buf_init(&r->consent, LIMIT_SETTING_BYTES);
    buf_init(&wait, LIMIT_SETTING_BYTES);
    r->own = !q->no_model;
    r->remote = q->remote != NULL && q->remote(q->remote_ctx);
    int rc = config_text(q->store, "endpoint.sources", &r->sources, e);
    if (rc == 0)
        rc = config_text(q->store, "audit.context", &r->guarded, e);
    if (rc == 0)
        rc = share_load(q->store, &r->share, e);
    if (rc == 0)
        rc = config_text(q->store, "think.share", &r->consent, e);
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

/* Where what it says may travel. */
static enum consent consented(const struct rules *r, struct bytes source)
{
    bool nothing = share_level_of(buf_view(&r->share), source) == SHARE_NOTHING;
    return nothing ? CONSENT_NONE : consent_of(buf_view(&r->consent), source);
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

/* What fn writes, in a transaction of its own. */
static int changed(struct store *s, int (*fn)(void *ctx, struct err *e), void *ctx, struct err *e)
{
    int rc = store_begin(s, e);
    if (rc != 0)
        return rc;
    rc = fn(ctx, e);
    if (rc == 0)
        return store_commit(s, e);
    store_rollback(s);
    return rc;
}

int queue_rewind(struct store *s, struct err *e)
{
    int rc = position_save(s, 0, e);
    rc = rc != 0 ? rc : again_cut(s, 0, e);
    return rc != 0 ? rc : local_set(s, BATCH, BYTES_NONE, e);
}

/* From the first observation on that something can come of it for. */
static int begins_with(struct store *s, int64_t row, struct err *e)
{
    struct buf url, consent;
    buf_init(&url, LIMIT_SETTING_BYTES);
    buf_init(&consent, LIMIT_SETTING_BYTES);
    int rc = config_text(s, "endpoint.url", &url, e);
    rc = rc != 0 ? rc : config_text(s, "think.share", &consent, e);
    bool begins = rc == 0 && (url.n > 0 || consent.n > 0);
    buf_release(&url);
    buf_release(&consent);
    return begins ? position_save(s, row - 1, e) : rc;
}

static int record_end_before(struct store *s, int64_t row, struct err *e);

int queue_added(struct store *s, int64_t row, struct err *e)
{
    int64_t position;
    int rc = position_load(s, &position, e);
    if (rc == 0 && position < 0)
        return begins_with(s, row, e);
    /* All rows from this one on had been erased, so none of them is thought about twice. */
    rc = rc != 0 ? rc : again_cut(s, row, e);
    rc = rc != 0 ? rc : record_end_before(s, row, e);
    return rc != 0 || position < row ? rc : position_save(s, row - 1, e);
}

struct waiting {
    const struct rules *rules;
    uint64_t n;
};

static bool waits(const struct rules *r, struct bytes source)
{
    return (r->own && allowed(r, source)) || consented(r, source) != CONSENT_NONE;
}

static int waiting_add(void *ctx, const struct source_count *c)
{
    struct waiting *w = ctx;
    w->n += waits(w->rules, c->source) ? c->n : 0;
    return 0;
}

static int waiting_again(struct queue *q, struct waiting *w, struct err *e)
{
    struct buf rows;
    again_init(&rows);
    int rc = again_load(q->store, &rows, e);
    for (size_t at = 0; rc == 0 && at < rows.n; at += sizeof(int64_t)) {
        struct stored_observation o;
        int64_t row;
        memcpy(&row, rows.p + at, sizeof row);
        w->n += local_observation(q->store, row, &o, NULL) == 0 && waits(w->rules, o.source) ? 1 : 0;
    }
    buf_release(&rows);
    return rc;
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
    if (rc == 0)
        rc = waiting_again(q, &w, e);
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

/* Rows from `row` on are others now: the batch ends before them. */
static int record_end_before(struct store *s, int64_t row, struct err *e)
{
    struct buf v, cut;
    struct rd r;
    bool found = false;
    buf_init(&v, BATCH_BYTES_MAX);
    buf_init(&cut, BATCH_BYTES_MAX);
    int rc = local_get(s, BATCH, &v, &found, e);
    rd_init(&r, buf_view(&v));
    if (rc == 0 && found && rd_svarint(&r) >= row) {
        wr_svarint(&cut, row - 1);
        wr_bytes(&cut, rd_bytes(&r, rd_left(&r)));
        rc = local_set(s, BATCH, buf_view(&cut), e);
    }
    buf_release(&v);
    buf_release(&cut);
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
    struct gathered *g; /* for another device; NULL: to be thought about here */
    bool hurry, closed;
    size_t bytes;                 /* of an errand */
    int64_t oldest_ms, newest_ms; /* when its first and last one were added */
    int64_t time_ms;              /* when the last one was seen */
    struct buf source;            /* of the last one */
    struct buf rows;              /* that are to wait again */
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

static bool wanted(const struct forming *f, const struct stored_observation *o)
{
    return f->g == NULL
               ? allowed(f->rules, o->source)
               : consent_suits(consented(f->rules, o->source), f->g->to_remote) && errand_cost(o) != SIZE_MAX;
}

static bool full(const struct forming *f, const struct stored_observation *o)
{
    return f->w->n == most(f->q) || (f->g != NULL && !errand_fits(f->bytes, errand_cost(o)));
}

static int row_keep(struct forming *f, int64_t row)
{
    return buf_append(&f->rows, &row, sizeof row);
}

static int row_add(struct forming *f, const struct stored_observation *o)
{
    if (f->g != NULL) {
        f->g->remote[f->w->n] = consented(f->rules, o->source) == CONSENT_REMOTE;
        f->bytes += errand_cost(o);
    }
    return work_add(f->w, o, &f->q->device, source_listed(buf_view(&f->rules->guarded), o->source));
}

/* One that is not wanted now: with a model of this device's own it waits for that, else it is passed over for
 * good. */
static int row_pass(struct forming *f, const struct stored_observation *o)
{
    return f->g != NULL && f->rules->own && allowed(f->rules, o->source) ? row_keep(f, o->row) : 0;
}

static int row_take(void *ctx, const struct stored_observation *o)
{
    struct forming *f = ctx;
    f->looked_at++;
    if (!wanted(f, o)) {
        f->w->upto = o->row;
        return row_pass(f, o);
    }
    if (full(f, o) || (f->w->n >= QUEUE_PART && apart(f, o))) {
        f->closed = true;
        return 1;
    }
    f->oldest_ms = f->w->n == 0 ? o->added_ms : f->oldest_ms;
    f->newest_ms = o->added_ms;
    f->time_ms = o->time_ms;
    buf_clear(&f->source);
    int rc = buf_bytes(&f->source, o->source);
    f->w->upto = o->row;
    return rc != 0 ? rc : row_add(f, o);
}

/* One of those that wait again. */
static int again_take(struct forming *f, int64_t row, struct err *e)
{
    struct err own = ERR_INIT;
    struct stored_observation o;
    int rc = f->closed ? row_keep(f, row) : local_observation(f->q->store, row, &o, &own);
    if (f->closed || rc == ERR_NOTFOUND)
        return f->closed ? rc : 0;
    if (rc != 0)
        return err_set(e, rc, "%s", own.text);
    if (!wanted(f, &o))
        return row_pass(f, &o);
    f->closed = full(f, &o);
    return f->closed ? row_keep(f, row) : row_add(f, &o);
}

/* As many as fit of those that wait again; f->rows gets what is left of them. *fewer: that is not all. */
static int again_form(struct forming *f, bool *fewer, struct err *e)
{
    struct buf rows;
    again_init(&rows);
    int rc = again_load(f->q->store, &rows, e);
    for (size_t at = 0; rc == 0 && at < rows.n; at += sizeof(int64_t)) {
        int64_t row;
        memcpy(&row, rows.p + at, sizeof row);
        rc = again_take(f, row, e);
    }
    *fewer = f->rows.n != rows.n;
    f->closed = false;
    buf_release(&rows);
    return rc;
}

/* When what was gathered is given out although more might come. */
static int64_t ripe_ms(const struct forming *f)
{
    int64_t settled = f->newest_ms + QUEUE_SETTLE_MS, waited = f->oldest_ms + f->rules->wait_ms;
    if (f->w->n < BATCH_MIN)
        return waited;
    return settled < waited ? settled : waited;
}

/* From behind the position; f->w stays empty when nothing is due. */
static int behind_form(struct forming *f, int64_t position, int64_t *next_ms, struct err *e)
{
    int rc = local_observations_behind(f->q->store, position, ROWS_LOOKED_AT, row_take, f, e);
    if (rc < 0)
        return rc;
    f->closed = f->closed || f->w->n == most(f->q) || f->looked_at == ROWS_LOOKED_AT;
    if (f->w->n == 0) {
        *next_ms = f->looked_at == ROWS_LOOKED_AT ? 0 : TIME_NONE;
    } else if (!f->closed && !f->hurry && clock_wall_ms(f->q->clock) < ripe_ms(f)) {
        *next_ms = ripe_ms(f);
        work_clear(f->w);
        f->w->upto = position;
    }
    return 0;
}

static int passed_save(void *ctx, struct err *e)
{
    struct forming *f = ctx;
    int rc = again_add(f->q->store, &f->rows, e);
    return rc != 0 ? rc : position_save(f->q->store, f->w->upto, e);
}

static int left_save(void *ctx, struct err *e)
{
    struct forming *f = ctx;
    int rc = again_save(f->q->store, &f->rows, e);
    return rc != 0 || f->g != NULL || f->w->n == 0 ? rc : record_save(f->q, f->w, e);
}

/* Out of what waits again, or else from behind the position. *from_again: the former. */
static int form(struct forming *f, bool again, bool *from_again, int64_t *next_ms, struct err *e)
{
    struct store *s = f->q->store;
    int64_t position;
    bool fewer = false;
    int rc = queue_begin(s, e);
    if (rc == 0)
        rc = position_load(s, &position, e);
    if (rc != 0)
        return rc;
    f->w->upto = position;
    if (again)
        rc = again_form(f, &fewer, e);
    *from_again = f->w->n > 0;
    if (rc == 0 && fewer && (f->g == NULL || f->w->n == 0))
        rc = changed(s, left_save, f, e);
    if (rc != 0 || *from_again)
        return rc;
    buf_clear(&f->rows);
    rc = behind_form(f, position, next_ms, e);
    bool passed = rc == 0 && f->w->n == 0 && f->w->upto > position;
    if (passed) /* for good, or to wait */
        return changed(s, passed_save, f, e);
    return rc == 0 && f->w->n > 0 && f->g == NULL ? record_save(f->q, f->w, e) : rc;
}

static void forming_init(struct forming *f, struct queue *q, const struct rules *rules, struct work *w)
{
    *f = (struct forming){.q = q, .rules = rules, .w = w};
    buf_init(&f->source, LIMIT_NAME_BYTES);
    again_init(&f->rows);
}

static void forming_release(struct forming *f)
{
    buf_release(&f->source);
    buf_release(&f->rows);
}

static int batch_form(struct queue *q, const struct rules *rules, bool hurry, struct work *out,
                      int64_t *next_ms, struct err *e)
{
    struct forming f;
    bool from_again = false;
    forming_init(&f, q, rules, out);
    f.hurry = hurry;
    int rc = form(&f, true, &from_again, next_ms, e);
    forming_release(&f);
    return rc;
}

/* ---- for another device -----------------------------------------------------------------------------------
 */

void gathered_init(struct gathered *g)
{
    memset(g, 0, sizeof *g);
    work_init(&g->w);
    again_init(&g->rows);
}

void gathered_release(struct gathered *g)
{
    work_release(&g->w);
    buf_release(&g->rows);
}

int queue_gather(struct queue *q, struct gathered *g, struct err *e)
{
    struct rules rules;
    struct forming f;
    g->next_ms = TIME_NONE;
    work_clear(&g->w);
    buf_clear(&g->rows);
    int rc = rules_load(q, &rules, e);
    forming_init(&f, q, &rules, &g->w);
    f.g = g;
    f.hurry = g->hurry;
    if (rc == 0 && rules.consent.n > 0)
        rc = form(&f, g->again, &g->from_again, &g->next_ms, e);
    if (rc == 0)
        rc = buf_bytes(&g->rows, buf_view(&f.rows));
    if (rc == 0)
        work_finish(&g->w);
    else
        work_clear(&g->w);
    forming_release(&f);
    rules_release(&rules);
    return rc;
}

int queue_given(struct queue *q, struct gathered *g, struct err *e)
{
    if (g->from_again)
        return again_save(q->store, &g->rows, e);
    int rc = again_add(q->store, &g->rows, e);
    return rc != 0 ? rc : position_save(q->store, g->w.upto, e);
}

int queue_rows_look(struct queue *q, struct queue_row *v, size_t n, struct err *e)
{
    struct rules rules;
    int rc = rules_load(q, &rules, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct stored_observation o;
        rc = row_holds(q, v[i].row, v[i].key, &o, &v[i].here, e);
        enum consent c = rc == 0 && v[i].here ? consented(&rules, o.source) : CONSENT_NONE;
        v[i].may_go = consent_suits(c, false);
        v[i].may_go_remote = consent_suits(c, true);
    }
    rules_release(&rules);
    return rc;
}

/* ---- as a source of work ----------------------------------------------------------------------------------
 */

struct closing {
    struct queue *q;
    int64_t upto;
};

static int closing_save(void *ctx, struct err *e)
{
    const struct closing *c = ctx;
    int rc = position_save(c->q->store, c->upto, e);
    return rc != 0 ? rc : local_set(c->q->store, BATCH, BYTES_NONE, e);
}

struct yielding {
    struct closing c;
    struct buf rows;
};

static int yield_save(void *ctx, struct err *e)
{
    struct yielding *y = ctx;
    int rc = again_add(y->c.q->store, &y->rows, e);
    return rc != 0 ? rc : closing_save(&y->c, e);
}

int queue_yield(struct queue *q, struct err *e)
{
    struct yielding y = {.c = {.q = q}};
    struct buf v;
    struct rd r;
    bool found = false;
    buf_init(&v, BATCH_BYTES_MAX);
    again_init(&y.rows);
    int rc = local_get(q->store, BATCH, &v, &found, e);
    rd_init(&r, buf_view(&v));
    y.c.upto = rd_svarint(&r);
    (void)rd_varint(&r);
    while (rc == 0 && found && r.err == 0 && rd_left(&r) > 0) {
        struct stored_observation o;
        uint8_t key[16];
        bool holds = false;
        int64_t row = rd_svarint(&r);
        rd_copy(&r, key, sizeof key);
        rc = row_holds(q, row, key, &o, &holds, e);
        if (rc == 0 && holds)
            rc = buf_append(&y.rows, &row, sizeof row);
    }
    if (rc == 0 && found)
        rc = changed(q->store, yield_save, &y, e);
    buf_release(&v);
    buf_release(&y.rows);
    return rc;
}

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
        struct closing c = {q, out->upto};
        rc = changed(q->store, closing_save, &c, e);
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
    struct buf v, next, rest;
    struct rd r;
    bool found = false;
    buf_init(&v, BATCH_BYTES_MAX);
    buf_init(&next, BATCH_BYTES_MAX);
    again_init(&rest);
    int rc = local_get(q->store, BATCH, &v, &found, e);
    rd_init(&r, buf_view(&v));
    wr_svarint(&next, rd_svarint(&r));
    (void)rd_varint(&r);
    wr_varint(&next, 0);
    for (size_t i = 0; r.err == 0 && rd_left(&r) > 0; i++) {
        int64_t row = rd_svarint(&r);
        struct bytes key = rd_bytes(&r, ROW_KEY_BYTES);
        if (i >= rows) {
            (void)buf_append(&rest, &row, sizeof row);
            continue;
        }
        wr_svarint(&next, row);
        wr_bytes(&next, key);
    }
    if (rc == 0 && (!found || rd_end(&r) != 0))
        rc = err_set(e, ERR_CORRUPT, "the batch of the model is damaged");
    rc = rc != 0 ? rc : again_add(q->store, &rest, e);
    rc = rc != 0 ? rc : local_set(q->store, BATCH, buf_view(&next), e);
    buf_release(&v);
    buf_release(&next);
    buf_release(&rest);
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
    return (struct work_source){queue_take, queue_holds, queue_done, queue_failed, NULL, q};
}
