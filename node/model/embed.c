/* Keeping vectors complete, and the vector of a question.
 *
 * Where the dims of a model are not known yet (they come with its first answer) they are asked for with one
 * word and remembered on this device, so that the next start can search at once. A model that answers with
 * other dims than before is another model, whatever its name. A batch that fails is asked again later in
 * halves; a single text that fails gets an empty vector, so that it holds nothing up.
 *
 * A question is embedded by parts: its text, and its last turns with the weights that they have as words. The
 * parts that were embedded lately are kept: what was the question is the turn before the next one. */
#include "node/model/embed.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "node/model/table.h"
#include "store/local.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMS_NAME "embed:dims"
/* Texts of a batch, together. */
#define BATCH_BYTES 32768u
/* Of one step with a table. */
#define TABLE_BATCH 128u
/* Between steps that have more to do: others come first. */
#define REST_MS 5
#define RETRY_MS 60000
#define RETRY_MS_MAX 3600000
/* Nothing was asked for so long: the memory of searching is let go. */
#define IDLE_MS 10000
#define PARTS_MAX 3
#define KEPT 16
#define TURN_BYTES 400 /* of one turn, its end */
/* As words of earlier turns weigh (retrieve.c). */
#define TURN_WEIGHT 0.35
#define TURN_AGEING 0.7

struct part {
    uint8_t content[VECTOR_KEY_BYTES];
    float *v; /* NULL: empty place */
    uint64_t used;
};
struct asked {
    int64_t row;
    uint8_t content[VECTOR_KEY_BYTES];
};
struct embed {
    struct embed_config cfg;
    struct embedder who; /* cfg.model points here, if anywhere */
    struct table *table;
    struct vector_model model; /* dims 0: not known yet */
    bool open, removed;        /* the store's vectors; what nobody wants */
    float *sum, *one;          /* of model.dims */
    /* background */
    int64_t ticket; /* 0: none under way */
    struct asked batch[EMBED_BATCH];
    size_t n_batch, batch_max;
    struct buf texts;
    struct bytes views[EMBED_BATCH];
    int64_t retry_ms, pause_ms; /* monotonic; how long the next pause is */
    /* questions */
    struct part kept[KEPT];
    uint64_t uses;
    int64_t question_ticket;
    uint8_t question[PARTS_MAX][VECTOR_KEY_BYTES];
    size_t n_question;
    bool slow;           /* the last one waited in vain */
    int64_t searched_ms; /* 0: nothing to let go */
};

static int64_t now_of(const struct embed *x)
{
    return clock_mono_ms(x->cfg.clock);
}

static const char *model_name(const struct embed *x)
{
    return x->cfg.model != NULL ? x->cfg.model->model(x->cfg.model->ctx) : NULL;
}

const char *embed_source(const struct embed *x)
{
    const char *name = x != NULL ? model_name(x) : NULL;
    return name != NULL ? name : x != NULL && x->table != NULL ? "table" : NULL;
}

static void text_key(struct bytes text, uint8_t out[VECTOR_KEY_BYTES])
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, VECTOR_KEY_BYTES);
    hasher_update(&h, text);
    hasher_final(&h, out, VECTOR_KEY_BYTES);
}

/* ---- which model ------------------------------------------------------------------------------------------
 */

static void parts_forget(struct embed *x)
{
    for (size_t i = 0; i < KEPT; i++) {
        free(x->kept[i].v);
        x->kept[i] = (struct part){.v = NULL};
    }
}

/* Takes the model into use; opens its vectors. */
static int model_use(struct embed *x, const struct vector_model *m, struct err *e)
{
    float *sum = calloc(m->dims, sizeof *sum), *one = calloc(m->dims, sizeof *one);
    if (sum == NULL || one == NULL) {
        free(sum);
        free(one);
        return err_set(e, ERR_NOMEM, "opening vectors");
    }
    free(x->sum);
    free(x->one);
    parts_forget(x);
    x->sum = sum;
    x->one = one;
    x->model = *m;
    int rc = store_vectors_open(x->cfg.store, m, e);
    x->open = rc == 0;
    return rc;
}

static void name_key(const char *name, uint8_t out[VECTOR_KEY_BYTES])
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, VECTOR_KEY_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame embedding model"));
    hasher_update(&h, bytes_str(name));
    hasher_final(&h, out, VECTOR_KEY_BYTES);
}

/* The dims that this model was seen to have; 0: never asked. */
static uint32_t dims_known(struct embed *x, const uint8_t key[VECTOR_KEY_BYTES], struct err *e)
{
    struct buf v;
    struct rd r;
    bool found = false;
    uint32_t dims = 0;
    buf_init(&v, 64);
    if (local_get(x->cfg.store, DIMS_NAME, &v, &found, e) == 0 && found) {
        rd_init(&r, buf_view(&v));
        bool same = bytes_eq(rd_bytes(&r, VECTOR_KEY_BYTES), bytes_of(key, VECTOR_KEY_BYTES));
        dims = rd_u32(&r);
        dims = same && rd_end(&r) == 0 && dims <= VECTOR_DIMS_MAX ? dims : 0;
    }
    buf_release(&v);
    return dims;
}

static int dims_learn(struct embed *x, size_t dims, struct err *e)
{
    struct vector_model m = x->model;
    struct buf v;
    if (dims == 0 || dims > VECTOR_DIMS_MAX)
        return err_set(e, ERR_FORMAT, "a vector of %zu dims", dims);
    m.dims = dims;
    buf_init(&v, 64);
    wr_bytes(&v, bytes_of(m.key, sizeof m.key));
    wr_u32(&v, (uint32_t)dims);
    int rc = v.err != 0 ? err_set(e, v.err, "keeping the dims of a model")
                        : local_set(x->cfg.store, DIMS_NAME, buf_view(&v), e);
    buf_release(&v);
    return rc != 0 ? rc : model_use(x, &m, e);
}

/* Follows the settings: opens what is to be used, once. */
static int model_follow(struct embed *x, struct err *e)
{
    struct vector_model m = {.dims = 0};
    const char *name = model_name(x);
    if (name != NULL) {
        name_key(name, m.key);
        bool same = memcmp(m.key, x->model.key, sizeof m.key) == 0;
        if (same && x->open)
            return 0;
        m.dims = same && x->model.dims > 0 ? x->model.dims : dims_known(x, m.key, e);
    } else if (x->table != NULL) {
        table_model(x->table, &m);
        if (x->open && memcmp(m.key, x->model.key, sizeof m.key) == 0)
            return 0;
    }
    if (m.dims > 0)
        return model_use(x, &m, e);
    if (x->open)
        store_vectors_close(x->cfg.store);
    x->open = false;
    x->model = m;
    return 0;
}

int embed_open(struct embed **out, const struct embed_config *cfg, struct err *e)
{
    struct err why = ERR_INIT;
    struct embed *x = calloc(1, sizeof *x);
    *out = NULL;
    if (x == NULL)
        return err_set(e, ERR_NOMEM, "opening vectors");
    x->cfg = *cfg;
    if (cfg->model != NULL) {
        x->who = *cfg->model;
        x->cfg.model = &x->who;
    }
    x->batch_max = EMBED_BATCH;
    x->pause_ms = RETRY_MS;
    buf_init(&x->texts, BATCH_BYTES + LIMIT_TEXT_BYTES);
    if (cfg->table != NULL && cfg->table[0] != '\0' && table_open(&x->table, cfg->table, &why) != 0)
        log_line(cfg->log, LOG_ERROR, "embed", "%s", why.text);
    *out = x;
    return 0;
}

void embed_close(struct embed *x)
{
    if (x == NULL)
        return;
    if (x->ticket != 0)
        x->who.cancel(x->who.ctx, x->ticket);
    if (x->question_ticket != 0)
        x->who.cancel(x->who.ctx, x->question_ticket);
    store_vectors_close(x->cfg.store);
    parts_forget(x);
    table_close(x->table);
    buf_release(&x->texts);
    free(x->sum);
    free(x->one);
    free(x);
}

/* ---- filling ----------------------------------------------------------------------------------------------
 */

static int batch_take(void *ctx, const struct vector_due *d)
{
    struct embed *x = ctx;
    if (x->texts.n >= BATCH_BYTES)
        return 0; /* stays due: see batch_collect() */
    struct asked *a = &x->batch[x->n_batch];
    x->views[x->n_batch] = bytes_of(NULL, d->text.n);
    a->row = d->row;
    memcpy(a->content, d->content, sizeof a->content);
    x->n_batch++;
    return buf_bytes(&x->texts, d->text);
}

static int batch_collect(struct embed *x, size_t max, bool *end, struct err *e)
{
    x->n_batch = 0;
    buf_clear(&x->texts);
    int rc = store_vectors_due(x->cfg.store, max, batch_take, x, end, e);
    const uint8_t *at = x->texts.p;
    for (size_t i = 0; rc == 0 && i < x->n_batch; i++) {
        x->views[i].p = at;
        at += x->views[i].n;
    }
    if (x->texts.n >= BATCH_BYTES && x->n_batch > 0) {
        store_vectors_again(x->cfg.store, x->batch[x->n_batch - 1].row + 1);
        *end = false;
    }
    return rc;
}

static int table_fill(struct embed *x, bool *end, struct err *e)
{
    int rc = 0;
    *end = false;
    for (size_t done = 0; rc == 0 && !*end && done < TABLE_BATCH; done += EMBED_BATCH) {
        rc = batch_collect(x, EMBED_BATCH, end, e);
        for (size_t i = 0; rc == 0 && i < x->n_batch; i++) {
            rc = table_embed(x->table, x->cfg.store, x->views[i], x->one);
            if (rc == 0)
                rc = store_vectors_put(x->cfg.store, x->batch[i].row, x->batch[i].content, x->one, e);
        }
    }
    return rc;
}

static void pause_longer(struct embed *x)
{
    x->retry_ms = now_of(x) + x->pause_ms;
    x->pause_ms = x->pause_ms * 2 < RETRY_MS_MAX ? x->pause_ms * 2 : RETRY_MS_MAX;
}

static void batch_failed(struct embed *x, int rc)
{
    bool text = rc == ERR_FORMAT || rc == ERR_LIMIT || rc == ERR_USAGE; /* may be one text's fault */
    if (text && x->n_batch == 1 && x->open) {
        memset(x->one, 0, x->model.dims * sizeof *x->one);
        if (store_vectors_put(x->cfg.store, x->batch[0].row, x->batch[0].content, x->one, NULL) == 0)
            return;
    }
    if (x->n_batch > 0)
        store_vectors_again(x->cfg.store, x->batch[0].row);
    x->batch_max = text && x->n_batch > 1 ? x->n_batch / 2 : x->batch_max;
    if (!text || x->n_batch <= 1)
        pause_longer(x);
}

static void batch_came(void *ctx, const struct answer *a)
{
    struct embed *x = ctx;
    struct err e = ERR_INIT;
    bool probe = x->n_batch == 0;
    int rc = a->rc;
    x->ticket = 0;
    if (rc == 0 && (a->n_vectors != (probe ? 1 : x->n_batch) || a->n_dims == 0))
        rc = ERR_FORMAT;
    if (rc == 0 && a->n_dims != x->model.dims) {
        rc = dims_learn(x, a->n_dims, &e);
        probe = true; /* the file is new: all is due again */
    }
    for (size_t i = 0; rc == 0 && !probe && i < a->n_vectors; i++)
        rc = store_vectors_put(x->cfg.store, x->batch[i].row, x->batch[i].content, a->vectors + i * a->n_dims,
                               &e);
    if (rc != 0) {
        batch_failed(x, rc);
        return;
    }
    x->pause_ms = RETRY_MS;
    x->batch_max = x->batch_max * 2 < EMBED_BATCH ? x->batch_max * 2 : EMBED_BATCH;
}

static int batch_ask(struct embed *x, const struct bytes *texts, size_t n, struct err *e)
{
    const struct embed_ask ask = {texts, n, false};
    return x->who.ask(x->who.ctx, &ask, batch_came, x, &x->ticket, e);
}

/* Returns when to go on. */
static int64_t model_fill(struct embed *x)
{
    static const struct bytes probe = BYTES_LIT("dims");
    struct err e = ERR_INIT;
    bool end = false;
    int64_t now = now_of(x);
    if (x->ticket != 0)
        return TIME_NONE;
    if (now < x->retry_ms)
        return x->retry_ms;
    if (!x->who.ready(x->who.ctx))
        return now + RETRY_MS;
    x->n_batch = 0;
    int rc = x->open ? batch_collect(x, x->batch_max, &end, &e) : batch_ask(x, &probe, 1, &e);
    if (rc == 0 && x->n_batch > 0)
        rc = batch_ask(x, x->views, x->n_batch, &e);
    if (rc != 0) {
        log_line(x->cfg.log, LOG_ERROR, "embed", "%s", e.text);
        batch_failed(x, rc);
        return x->retry_ms;
    }
    return x->ticket != 0 || end ? TIME_NONE : now + REST_MS;
}

static int64_t rest(struct embed *x, int64_t next)
{
    if (x->searched_ms == 0)
        return next;
    int64_t due = x->searched_ms + IDLE_MS;
    if (now_of(x) >= due) {
        store_vectors_rest(x->cfg.store);
        x->searched_ms = 0;
        return next;
    }
    return next == TIME_NONE || due < next ? due : next;
}

static int64_t failed(struct embed *x, const struct err *e)
{
    log_line(x->cfg.log, LOG_ERROR, "embed", "%s", e->text);
    pause_longer(x);
    return x->retry_ms;
}

int64_t embed_step(struct embed *x)
{
    struct err e = ERR_INIT;
    bool end = true;
    if (x == NULL || !x->cfg.keeper || (x->ticket == 0 && now_of(x) < x->retry_ms))
        return x == NULL || !x->cfg.keeper ? TIME_NONE : x->retry_ms;
    if (model_follow(x, &e) != 0)
        return failed(x, &e);
    if (embed_source(x) == NULL) {
        if (x->cfg.owner && !x->removed && store_vectors_remove(x->cfg.store, &e) != 0)
            return failed(x, &e);
        x->removed = true;
        return TIME_NONE;
    }
    if (model_name(x) != NULL)
        return rest(x, model_fill(x));
    if (table_fill(x, &end, &e) != 0)
        return failed(x, &e);
    return rest(x, end ? TIME_NONE : now_of(x) + REST_MS);
}

/* ---- questions --------------------------------------------------------------------------------------------
 */

static struct part *part_find(struct embed *x, const uint8_t key[VECTOR_KEY_BYTES])
{
    for (size_t i = 0; i < KEPT; i++) {
        if (x->kept[i].v != NULL && memcmp(x->kept[i].content, key, VECTOR_KEY_BYTES) == 0) {
            x->kept[i].used = ++x->uses;
            return &x->kept[i];
        }
    }
    return NULL;
}

static void part_keep(struct embed *x, const uint8_t key[VECTOR_KEY_BYTES], const float *v)
{
    struct part *to = &x->kept[0];
    for (size_t i = 1; i < KEPT; i++)
        to = x->kept[i].used < to->used ? &x->kept[i] : to;
    if (to->v == NULL)
        to->v = calloc(x->model.dims, sizeof *to->v);
    if (to->v == NULL)
        return; /* asked again next time */
    memcpy(to->v, v, x->model.dims * sizeof *v);
    memcpy(to->content, key, VECTOR_KEY_BYTES);
    to->used = ++x->uses;
}

static void question_came(void *ctx, const struct answer *a)
{
    struct embed *x = ctx;
    x->question_ticket = 0;
    if (a->rc != 0 || a->n_vectors != x->n_question || a->n_dims != x->model.dims)
        return;
    for (size_t i = 0; i < a->n_vectors; i++)
        part_keep(x, x->question[i], a->vectors + i * a->n_dims);
    x->slow = false;
}

/* Asks for the parts that are not there; waits for them as long as a question may. */
static void parts_ask(struct embed *x, const struct bytes *parts, size_t n)
{
    const struct embedder *m = x->cfg.model;
    struct bytes missing[PARTS_MAX];
    if (x->question_ticket == 0 && m->ready(m->ctx)) {
        x->n_question = 0;
        for (size_t i = 0; i < n; i++) {
            uint8_t key[VECTOR_KEY_BYTES];
            text_key(parts[i], key);
            if (part_find(x, key) != NULL)
                continue;
            memcpy(x->question[x->n_question], key, sizeof key);
            missing[x->n_question++] = parts[i];
        }
        const struct embed_ask ask = {missing, x->n_question, true};
        if (ask.n == 0 || m->ask(m->ctx, &ask, question_came, x, &x->question_ticket, NULL) != 0)
            return;
    }
    int64_t now = now_of(x), until = now + (x->slow ? 0 : EMBED_WAIT_MS);
    while (x->question_ticket != 0 && now < until) {
        m->wait(m->ctx, (int)(until - now));
        now = now_of(x);
    }
    x->slow = x->slow || x->question_ticket != 0;
}

static void sum_add(struct embed *x, const float *v, double weight)
{
    double square = 0;
    for (size_t i = 0; i < x->model.dims; i++)
        square += (double)v[i] * (double)v[i];
    for (size_t i = 0; square > 0 && i < x->model.dims; i++)
        x->sum[i] += (float)((double)v[i] * weight / sqrt(square));
}

/* The vector of a part, or NULL. */
static const float *part_vector(struct embed *x, struct bytes text)
{
    uint8_t key[VECTOR_KEY_BYTES];
    if (model_name(x) == NULL)
        return table_embed(x->table, x->cfg.store, text, x->one) == 0 ? x->one : NULL;
    text_key(text, key);
    const struct part *p = part_find(x, key);
    return p != NULL ? p->v : NULL;
}

/* Its last TURN_BYTES, whole characters. */
static struct bytes turn_end(struct bytes turn)
{
    size_t from = turn.n > TURN_BYTES ? turn.n - TURN_BYTES : 0;
    while (from < turn.n && from > 0 && (turn.p[from] & 0xc0) == 0x80)
        from++;
    return bytes_slice(turn, from, turn.n);
}

const float *embed_question(struct embed *x, const struct retrieve_query *q)
{
    struct bytes parts[PARTS_MAX] = {bytes_trim(utf8_cut(q->text, LIMIT_TEXT_BYTES))};
    size_t n = 1;
    double weight = TURN_WEIGHT;
    if (embed_source(x) == NULL || parts[0].n == 0 || model_follow(x, NULL) != 0 || !x->open)
        return NULL;
    for (size_t i = 0; i < q->n_context && n < PARTS_MAX; i++) {
        struct bytes turn = q->context[q->n_context - 1 - i];
        turn = bytes_trim(turn_end(turn));
        if (turn.n > 0)
            parts[n++] = turn;
    }
    if (model_name(x) != NULL)
        parts_ask(x, parts, n);
    x->searched_ms = now_of(x);
    memset(x->sum, 0, x->model.dims * sizeof *x->sum);
    const float *first = part_vector(x, parts[0]);
    if (first == NULL)
        return NULL;
    sum_add(x, first, 1);
    for (size_t i = 1; i < n; i++, weight *= TURN_AGEING) {
        const float *v = part_vector(x, parts[i]);
        if (v != NULL)
            sum_add(x, v, weight);
    }
    return x->sum;
}
