/* Two questions can be out: one about the list, which is worked off one after another, and one about a
 * picture in memory. A picture of the list is asked about only as it was when it was taken in: its file is
 * read again, and when it is another picture by now, or gone, that is said and it is dropped. */
#include "node/pictures.h"

#include "base/check.h"
#include "base/text.h"
#include "node/config.h"
#include "node/infer/endpoint.h"
#include "node/infer/endpoint_settings.h"
#include "node/infer/queue.h"
#include "node/keep.h"
#include "node/model/describe.h"
#include "node/observe/picture.h"
#include "node/pause.h"
#include "node/picture_list.h"
#include "node/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 60000 /* after the endpoint gave up */
#define REST_MS_MAX (24 * PICTURES_REST_MS)

/* One that is out. */
struct question {
    struct pictures *x;
    int64_t ticket; /* 0: none */
    bool listed;    /* of the list, from a file; else from memory */
    struct waiting w;
    struct prompt prompt;
};

struct pictures {
    struct node *n;
    bool due;           /* something may be asked */
    bool works;         /* a picture was described since the settings changed */
    unsigned refusals;  /* answers in a row that described none */
    int64_t rest_until; /* monotonic; 0, TIME_NONE: until it is woken */
    int64_t rest_ms;    /* how long the next rest is */
    struct err trouble;
    struct question file, shot;
    char user[PROMPT_USER_BYTES + 1];
    struct buf scratch, left;
    uint64_t described, dropped, failed;
    struct picture_lost lost[PICTURES_LOST_KEPT]; /* number % PICTURES_LOST_KEPT */
    int64_t n_lost;
};

/* ---- the list ---------------------------------------------------------------------------------------------
 */

/* What the audit's rules can know before anybody looked at it. */
static bool rules_drop(struct node *n, const struct waiting *w)
{
    struct observation clean;
    const struct bytes file = bytes_str(w->path);
    const struct observation o = {.source = bytes_str(w->source),
                                  .time_ms = w->time_ms,
                                  .end_ms = TIME_NONE,
                                  .offset_min = w->offset_min,
                                  .files = &file,
                                  .n_files = file.n > 0 ? 1 : 0};
    return audit_check(n->audit, &o, &clean) == AUDIT_DROP;
}

int pictures_add(struct node *n, const struct observation *o, enum picture_fate *out, struct err *e)
{
    struct waiting w = {.time_ms = o->time_ms, .offset_min = o->offset_min};
    bool known = false, blocked = false, waits = false;
    struct bytes path = o->n_files > 0 ? o->files[0] : BYTES_NONE;
    *out = PICTURE_DROPPED;
    if (o->source.n >= sizeof(w.source) || path.n >= sizeof(w.path)) {
        return err_set(e, ERR_LIMIT, "the path is too long");
    }
    memcpy(w.source, o->source.p, o->source.n);
    memcpy(w.path, path.p, path.n);
    w.added_ms = clock_wall_ms(&n->clock);
    int rc = picture_list_key(n, o->source, o->id, w.key, e);
    rc = rc != 0 ? rc : store_blocked(n->store, w.key, o->source, o->time_ms, &blocked, e);
    if (rc == 0) {
        rc = local_observation_known(n->store, w.key, &known, e);
    }
    if (rc == 0) {
        rc = picture_list_there(n->store, w.key, &waits, e);
    }
    if (rc != 0 || blocked || known || rules_drop(n, &w)) {
        *out = known && !blocked ? PICTURE_KNOWN : PICTURE_DROPPED;
        return rc;
    }
    *out = waits ? PICTURE_KNOWN : PICTURE_WAITS;
    n->pictures_due = true;
    return picture_list_save(n->store, &w, e);
}

struct forgetting {
    struct node *n;
    struct bytes source;
    int64_t from_ms, until_ms;
    struct buf keys;
};

static int forget_note(void *ctx, const char *name, struct bytes value)
{
    struct forgetting *f = ctx;
    struct waiting w;
    bool hit = picture_list_read(name, value, &w) && bytes_eq(bytes_str(w.source), f->source) &&
               w.time_ms >= f->from_ms && (f->until_ms == TIME_NONE || w.time_ms <= f->until_ms);
    return hit ? buf_append(&f->keys, w.key, sizeof(w.key)) : 0;
}

int pictures_forget(struct node *n, struct bytes source, int64_t from_ms, int64_t until_ms, struct err *e)
{
    struct forgetting f = {.n = n, .source = source, .from_ms = from_ms, .until_ms = until_ms};
    buf_init(&f.keys, 64u << 20);
    int rc = local_each(n->store, PICTURE_LIST, forget_note, &f, e);
    for (size_t i = 0; rc == 0 && i < f.keys.n; i += 16) {
        rc = picture_list_drop(n->store, f.keys.p + i, e);
    }
    buf_release(&f.keys);
    return rc;
}

/* ---- which is next ----------------------------------------------------------------------------------------
 */

struct choosing {
    struct waiting *best;
    uint64_t n;
};

/* The one that failed least, then the one that waits longest. */
static int choose(void *ctx, const char *name, struct bytes value)
{
    struct choosing *c = ctx;
    struct waiting w;
    if (!picture_list_read(name, value, &w)) {
        return 0;
    }
    c->n++;
    bool sooner = w.failures < c->best->failures ||
                  (w.failures == c->best->failures &&
                   (w.added_ms < c->best->added_ms ||
                    (w.added_ms == c->best->added_ms && strcmp(w.path, c->best->path) < 0)));
    if (c->n == 1 || sooner) {
        *c->best = w;
    }
    return 0;
}

static int count_one(void *ctx, const char *name, struct bytes value)
{
    (void)name;
    (void)value;
    ++*(uint64_t *)ctx;
    return 0;
}

/* Whether its source may be shown to the model. */
static int allowed(struct node *n, const char *source, struct err *e)
{
    struct buf sources;
    struct buf share;
    buf_init(&sources, LIMIT_SETTING_BYTES);
    buf_init(&share, LIMIT_SETTING_BYTES);
    int rc = config_text(n->store, "endpoint.sources", &sources, e);
    if (rc == 0) {
        rc = share_load(n->store, &share, e);
    }
    bool remote = endpoint_is_remote(n->store);
    if (rc == 0 && share_level_of(buf_view(&share), bytes_str(source)) == SHARE_NOTHING) {
        rc = err_set(e, ERR_PERM, "'%s' shares nothing, so nothing is learnt from it", source);
        err_hint(e, "selfsame share %s counts", source);
    } else if (rc == 0 && !endpoint_source_allowed(buf_view(&sources), bytes_str(source), remote)) {
        rc = err_set(e, ERR_PERM,
                     remote ? "'%s' may not go to an endpoint that is not this machine"
                            : "'%s' may not go to the endpoint",
                     source);
        err_hint(e, "selfsame config endpoint.sources --add %s", source);
    }
    buf_release(&sources);
    buf_release(&share);
    return rc;
}

/* ---- what became of one -----------------------------------------------------------------------------------
 */

static void lost_note(struct question *q, const char *reason)
{
    struct pictures *x = q->x;
    struct picture_lost *l = &x->lost[++x->n_lost % PICTURES_LOST_KEPT];
    l->number = x->n_lost;
    (void)snprintf(l->path, sizeof(l->path), "%s", q->listed ? q->w.path : q->w.source);
    (void)snprintf(l->reason, sizeof(l->reason), "%s", reason);
    log_line(&x->n->log, LOG_WARN, "pictures", "'%s' is not described: %s", l->path, reason);
}

static int transaction(struct question *q, int (*body)(struct question *q, void *ctx, struct err *e),
                       void *ctx, struct err *e)
{
    struct node *n = q->x->n;
    int rc = store_begin(n->store, e);
    if (rc != 0) {
        return rc;
    }
    rc = body(q, ctx, e);
    if (rc == 0) {
        rc = keep_decisions(n, e);
    }
    if (rc == 0) {
        rc = store_commit(n->store, e);
    } else {
        store_rollback(n->store);
    }
    audit_counts_clear(n->audit);
    return rc;
}

/* Whether it is still wanted: what was forgotten while it waited is not. */
static int wanted(const struct question *q, bool *out, struct err *e)
{
    *out = true;
    return q->listed ? picture_list_there(q->x->n->store, q->w.key, out, e) : 0;
}

static int drop_body(struct question *q, void *ctx, struct err *e)
{
    (void)ctx;
    return q->listed ? picture_list_drop(q->x->n->store, q->w.key, e) : 0;
}

static int save_body(struct question *q, void *ctx, struct err *e)
{
    bool still = false;
    (void)ctx;
    int rc = wanted(q, &still, e);
    return rc != 0 || !still ? rc : picture_list_save(q->x->n->store, &q->w, e);
}

/* It waits no more: dropped by the audit (reason NULL), or lost. */
static int give_up(struct question *q, const char *reason, struct err *e)
{
    int rc = transaction(q, drop_body, NULL, e);
    if (rc == 0 && reason != NULL) {
        q->x->failed++;
        lost_note(q, reason);
    }
    q->x->dropped += rc == 0 && reason == NULL ? 1 : 0;
    return rc;
}

static int64_t rest(struct pictures *x, const struct err *why, int64_t until)
{
    x->trouble = *why;
    x->rest_until = until;
    return until;
}

/* An answer that describes nothing: the picture's fault when others are described, else most likely the
 * model's, which cannot see. */
static int refused(struct question *q, const struct err *why, struct err *e)
{
    struct pictures *x = q->x;
    q->w.failures++;
    if (++x->refusals >= PICTURES_REFUSALS_MAX) {
        struct err said = *why;
        err_hint(&said,
                 "does the model see? another one for pictures: selfsame config endpoint.vision-model NAME");
        (void)rest(x, &said, clock_mono_ms(&x->n->clock) + x->rest_ms);
        x->rest_ms = x->rest_ms < REST_MS_MAX ? 2 * x->rest_ms : REST_MS_MAX;
        x->refusals = 0;
    }
    if (!q->listed || (x->works && q->w.failures >= PICTURES_FAILURES_MAX)) {
        return give_up(q, why->text, e);
    }
    return transaction(q, save_body, NULL, e);
}

struct told {
    struct observation o;
    struct keeping k;
};

static int keep_body(struct question *q, void *ctx, struct err *e)
{
    struct pictures *x = q->x;
    struct told *t = ctx;
    bool still = false;
    t->k.how = KEPT_DROPPED;
    int rc = wanted(q, &still, e);
    if (rc != 0 || !still) {
        return rc;
    }
    rc = keep(x->n, &t->o, q->w.key, &x->scratch, &t->k, e);
    if (rc == 0 && t->k.how == KEPT_FRESH) {
        rc = queue_added(x->n->store, t->k.stored.row, e);
    }
    return rc != 0 ? rc : drop_body(q, NULL, e);
}

static int described(struct question *q, struct bytes answer, struct err *e)
{
    struct pictures *x = q->x;
    struct description d;
    struct err why = ERR_INIT;
    const struct bytes file = bytes_str(q->w.path);
    struct told t = {.o = {.time_ms = q->w.time_ms,
                           .end_ms = TIME_NONE,
                           .offset_min = q->w.offset_min,
                           .source = bytes_str(q->w.source),
                           .files = &file,
                           .n_files = file.n > 0 ? 1 : 0}};
    description_init(&d);
    int rc = describe_read(&q->prompt, answer, &d, &t.o, &why);
    if (rc == ERR_FORMAT) {
        rc = refused(q, &why, e);
    } else if (rc == 0) {
        rc = transaction(q, keep_body, &t, e);
        x->works = true;
        x->refusals = 0;
        x->rest_ms = PICTURES_REST_MS;
        x->trouble = ERR_INIT;
        x->described += rc == 0 && t.k.how != KEPT_DROPPED ? 1 : 0;
        x->dropped += rc == 0 && t.k.how == KEPT_DROPPED ? 1 : 0;
    } else {
        rc = err_set(e, rc, "%s", why.text);
    }
    description_release(&d);
    return rc;
}

static void answered(void *ctx, const struct answer *a)
{
    struct question *q = ctx;
    struct pictures *x = q->x;
    struct err e = ERR_INIT;
    int64_t now = clock_mono_ms(&x->n->clock);
    int rc = 0;
    q->ticket = 0;
    x->due = true;
    if (a->rc == 0) {
        rc = described(q, a->text, &e);
    } else if (a->rc == ERR_FORMAT || a->rc == ERR_LIMIT) {
        rc = refused(q, a->e, &e);
    } else {
        bool setting = a->rc == ERR_CANCELLED || a->rc == ERR_NOTFOUND || a->rc == ERR_PERM;
        (void)rest(x, a->e, setting ? TIME_NONE : now + RETRY_MS);
        x->failed += q->listed ? 0 : 1; /* nothing of it is left to ask about again */
    }
    if (rc != 0) {
        log_line(&x->n->log, LOG_ERROR, "pictures", "%s", e.text);
        (void)rest(x, &e, now + RETRY_MS);
    }
    prompt_release(&q->prompt);
}

/* ---- asking -----------------------------------------------------------------------------------------------
 */

static int user_load(struct pictures *x, struct err *e)
{
    struct buf name;
    buf_init(&name, LIMIT_SETTING_BYTES);
    int rc = config_text(x->n->store, "user.name", &name, e);
    struct bytes user = utf8_cut(buf_view(&name), PROMPT_USER_BYTES);
    (void)snprintf(x->user, sizeof(x->user), "%.*s", (int)user.n, user.n > 0 ? (const char *)user.p : "");
    buf_release(&name);
    return rc;
}

static int ask(struct question *q, struct bytes image, const char *type, struct err *e)
{
    struct pictures *x = q->x;
    struct chat_part parts[DESCRIBE_PARTS];
    int rc = user_load(x, e);
    if (rc != 0) {
        return rc;
    }
    prompt_init(&q->prompt, &x->n->rng, x->user);
    describe_ask(&q->prompt, image, type, parts);
    const struct chat_request r = {.priority = ENDPOINT_THINK,
                                   .purpose = "describe",
                                   .vision = true,
                                   .parts = parts,
                                   .n_parts = DESCRIBE_PARTS,
                                   .schema_name = "description",
                                   .schema = bytes_str(describe_schema),
                                   .tokens_max = DESCRIBE_TOKENS,
                                   .sources = bytes_str(q->w.source)};
    rc = prompt_error(&q->prompt, e);
    if (rc == 0) {
        rc = endpoint_chat(x->n->endpoint, &r, answered, q, &q->ticket, e);
    }
    if (rc != 0) {
        q->ticket = 0;
        prompt_release(&q->prompt);
    }
    return rc;
}

/* The picture of the list's question, as it is now in its file; *why: it cannot be asked about. */
static int file_load(struct pictures *x, struct picture *p, struct err *why)
{
    struct question *q = &x->file;
    uint8_t key[16];
    buf_clear(&x->left);
    int rc = picture_load(q->w.path, &x->scratch, p, &x->left, why);
    if (rc == ERR_NOTFOUND) {
        return err_set(why, ERR_NOTFOUND, "the file is gone");
    }
    if (rc != 0) {
        return rc;
    }
    rc = picture_list_key(x->n, bytes_str(q->w.source), bytes_str(p->id), key, why);
    if (rc != 0) {
        return rc;
    }
    return memcmp(key, q->w.key, sizeof(key)) == 0
               ? 0
               : err_set(why, ERR_FORMAT, "the file holds another picture by now");
}

/* Reads its file and asks; what cannot be asked about is given up. */
static int ask_file(struct pictures *x, struct err *e)
{
    struct question *q = &x->file;
    struct picture p;
    struct err why = ERR_INIT;
    bool blocked = false;
    int rc = store_blocked(x->n->store, q->w.key, bytes_str(q->w.source), q->w.time_ms, &blocked, e);
    if (rc != 0) {
        return rc;
    }
    if (blocked || rules_drop(x->n, &q->w)) {
        return give_up(q, NULL, e);
    }
    rc = file_load(x, &p, &why);
    if (rc == ERR_NOMEM) {
        return err_set(e, rc, "reading a picture");
    }
    rc = rc != 0 ? give_up(q, why.text, e) : ask(q, buf_view(&x->left), p.type, e);
    buf_release(&x->scratch);
    buf_release(&x->left);
    return rc;
}

bool pictures_showing(const struct node *n)
{
    return n->pictures != NULL && n->pictures->shot.ticket != 0;
}

int pictures_show(struct node *n, const struct picture_shown *s, enum picture_fate *out, struct err *e)
{
    struct pictures *x = n->pictures;
    struct observation o = {.time_ms = s->time_ms, .offset_min = OFFSET_UNKNOWN};
    bool blocked = false, known = false;
    CHECK(x != NULL && x->shot.ticket == 0);
    struct question *q = &x->shot;
    q->w = (struct waiting){.time_ms = s->time_ms};
    keep_offset(n, &o);
    q->w.offset_min = o.offset_min;
    (void)snprintf(q->w.source, sizeof(q->w.source), "%s", s->source);
    int rc = picture_list_key(n, bytes_str(s->source), bytes_str(s->id), q->w.key, e);
    rc = rc != 0 ? rc : store_blocked(n->store, q->w.key, bytes_str(s->source), s->time_ms, &blocked, e);
    if (rc == 0) {
        rc = local_observation_known(n->store, q->w.key, &known, e);
    }
    *out = known ? PICTURE_KNOWN : blocked ? PICTURE_DROPPED : PICTURE_WAITS;
    return rc != 0 || known || blocked ? rc : ask(q, s->image, s->type, e);
}

int pictures_may_show(struct node *n, const char *source, struct err *e)
{
    struct waiting w = {.time_ms = clock_wall_ms(&n->clock)};
    struct observation o = {.time_ms = w.time_ms, .offset_min = OFFSET_UNKNOWN};
    (void)snprintf(w.source, sizeof(w.source), "%s", source);
    int rc = node_may_write(n, e);
    if (rc == 0) {
        rc = endpoint_ready(n->endpoint, e);
    }
    if (rc == 0) {
        rc = allowed(n, source, e);
    }
    keep_offset(n, &o);
    w.offset_min = o.offset_min;
    if (rc == 0 && rules_drop(n, &w)) {
        rc = err_set(e, ERR_PERM, "a rule of the audit drops '%s'", source);
    }
    return rc;
}

/* ---- moving on --------------------------------------------------------------------------------------------
 */

/* What does not let anything be asked now; *until: when that may be over. */
static int hindered(struct pictures *x, int64_t *until, struct err *e)
{
    *until = TIME_NONE;
    int rc = node_may_write(x->n, e);
    if (rc != 0) {
        *until = clock_mono_ms(&x->n->clock) + RETRY_MS;
        return rc;
    }
    rc = endpoint_ready(x->n->endpoint, e);
    if (rc == ERR_INUSE || rc == ERR_LIMIT) {
        *e = ERR_INIT; /* the question waits there for its turn */
        return 0;
    }
    return rc;
}

static int next_ask(struct pictures *x, bool *none, struct err *e)
{
    struct choosing c = {.best = &x->file.w};
    int rc = local_each(x->n->store, PICTURE_LIST, choose, &c, e);
    *none = c.n == 0;
    if (rc == 0 && c.n > 0) {
        rc = allowed(x->n, x->file.w.source, e);
    }
    return rc != 0 || c.n == 0 ? rc : ask_file(x, e);
}

int64_t pictures_step(struct node *n)
{
    struct pictures *x = n->pictures;
    struct err e = ERR_INIT;
    int64_t until = TIME_NONE;
    bool none = false;
    if (x == NULL || x->file.ticket != 0) {
        return TIME_NONE;
    }
    int64_t now = clock_mono_ms(&n->clock);
    x->due = x->due || n->pictures_due || (x->rest_until > 0 && now >= x->rest_until);
    n->pictures_due = false;
    if (!x->due || x->rest_until == TIME_NONE) {
        return TIME_NONE;
    }
    if (now < x->rest_until) {
        return x->rest_until;
    }
    int64_t paused = node_paused_until(n);
    if (paused != 0) {
        (void)err_set(&x->trouble, ERR_PAUSED, "observing is paused");
        return now + (paused - clock_wall_ms(&n->clock)) + 1;
    }
    x->rest_until = 0;
    int rc = hindered(x, &until, &e);
    if (rc != 0) {
        return rest(x, &e, until);
    }
    rc = next_ask(x, &none, &e);
    if (rc != 0) {
        bool setting = rc == ERR_PERM || rc == ERR_NOTFOUND;
        return rest(x, &e, setting ? TIME_NONE : now + RETRY_MS);
    }
    x->trouble = ERR_INIT;
    x->due = !none && x->file.ticket == 0;
    return x->due ? now : TIME_NONE;
}

void pictures_wake(struct node *n)
{
    struct pictures *x = n->pictures;
    if (x == NULL) {
        return;
    }
    x->due = true;
    x->works = false;
    x->refusals = 0;
    x->rest_until = 0;
    x->rest_ms = PICTURES_REST_MS;
}

/* ---- opening ----------------------------------------------------------------------------------------------
 */

int pictures_open(struct node *n, struct err *e)
{
    struct pictures *x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return err_set(e, ERR_NOMEM, "opening the list of pictures");
    }
    x->n = n;
    x->file = (struct question){.x = x, .listed = true};
    x->shot = (struct question){.x = x};
    buf_init(&x->scratch, PICTURE_SCRATCH_MAX);
    buf_init(&x->left, PICTURE_BYTES_MAX);
    n->pictures = x;
    pictures_wake(n);
    int rc = n->endpoint != NULL ? 0 : endpoint_open(&n->endpoint, n, e);
    if (rc != 0) {
        pictures_close(n);
    }
    return rc;
}

static void question_end(struct question *q)
{
    if (q->ticket != 0) {
        endpoint_cancel(q->x->n->endpoint, q->ticket);
        prompt_release(&q->prompt);
        q->ticket = 0;
    }
}

void pictures_close(struct node *n)
{
    struct pictures *x = n->pictures;
    if (x == NULL) {
        return;
    }
    question_end(&x->file);
    question_end(&x->shot);
    buf_release(&x->scratch);
    buf_release(&x->left);
    n->pictures = NULL;
    free(x);
}

int pictures_look(struct node *n, struct pictures_state *out, struct err *e)
{
    const struct pictures *x = n->pictures;
    *out = (struct pictures_state){0};
    int rc = local_each(n->store, PICTURE_LIST, count_one, &out->waiting, e);
    if (rc != 0 || x == NULL) {
        return rc;
    }
    if (x->file.ticket != 0) {
        out->busy = endpoint_ready(n->endpoint, &out->trouble) == 0;
    } else {
        out->busy = out->waiting > 0 && x->due && x->trouble.code == 0;
        out->trouble = out->waiting > 0 ? x->trouble : ERR_INIT;
    }
    out->described = x->described;
    out->dropped = x->dropped;
    out->failed = x->failed;
    out->lost = x->n_lost;
    return 0;
}

const struct picture_lost *pictures_lost(const struct node *n, int64_t number)
{
    const struct pictures *x = n->pictures;
    const struct picture_lost *l = x != NULL && number > 0 ? &x->lost[number % PICTURES_LOST_KEPT] : NULL;
    return l != NULL && l->number == number ? l : NULL;
}
