/* One local value for each picture that waits, "picture:" and the event's key in hexadecimal:
 *
 *     version u8 = 1 | source bytes | path bytes | time svarint | offset svarint | added svarint | failures
 * varint
 *
 * The key is that of the picture's identity alone, keyed with this device's secret like all event keys: so
 * the same picture is one event, wherever its file lies and whatever a model says about it.
 *
 * A picture is asked about only as it was when it was taken in: its file is read again, and when it is
 * another picture by now, or gone, that is said and it is dropped. */
#include "node/pictures.h"

#include "base/cursor.h"
#include "base/text.h"
#include "node/config.h"
#include "node/infer/endpoint.h"
#include "node/infer/endpoint_settings.h"
#include "node/infer/queue.h"
#include "node/keep.h"
#include "node/model/describe.h"
#include "node/observe/picture.h"
#include "node/pause.h"
#include "node/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "picture:"
#define RECORD_VERSION 1
#define RECORD_BYTES_MAX (LIMIT_PATH_BYTES + 256u)
#define RETRY_MS 60000 /* after the endpoint gave up */
#define REST_MS_MAX (24 * PICTURES_REST_MS)

struct waiting {
    uint8_t key[16];
    char source[LIMIT_NAME_BYTES];
    char path[LIMIT_PATH_BYTES];
    int64_t time_ms, added_ms;
    int16_t offset_min;
    unsigned failures;
};

struct pictures {
    struct node *n;
    bool due;           /* something may be asked */
    bool works;         /* a picture was described since the settings changed */
    unsigned refusals;  /* answers in a row that described none */
    int64_t rest_until; /* monotonic; 0, TIME_NONE: until it is woken */
    int64_t rest_ms;    /* how long the next rest is */
    struct err trouble;
    int64_t ticket;   /* of the question that is out; 0: none */
    struct waiting w; /* what it is about */
    struct prompt prompt;
    char user[PROMPT_USER_BYTES + 1];
    struct buf scratch, left;
    uint64_t described, dropped, failed;
    struct picture_lost lost[PICTURES_LOST_KEPT]; /* number % PICTURES_LOST_KEPT */
    int64_t n_lost;
};

/* ---- the list ---------------------------------------------------------------------------------------------
 */

static void name_of(const uint8_t key[16], char out[sizeof(PREFIX) + 32])
{
    int at = snprintf(out, sizeof(PREFIX) + 32, PREFIX);
    for (size_t i = 0; i < 16; i++) {
        at += snprintf(out + at, sizeof(PREFIX) + 32 - (size_t)at, "%02x", key[i]);
    }
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool key_read(const char *hex, uint8_t key[16])
{
    for (size_t i = 0; i < 16; i++) {
        int high = digit(hex[2 * i]);
        int low = high >= 0 ? digit(hex[2 * i + 1]) : -1;
        if (low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return hex[32] == '\0';
}

static bool text_read(struct rd *r, char *out, size_t size)
{
    struct bytes b = rd_lenbytes(r, size - 1);
    if (b.n > 0) {
        memcpy(out, b.p, b.n);
    }
    out[b.n] = '\0';
    return strlen(out) == b.n;
}

/* False: it is none of ours. */
static bool record_read(const char *name, struct bytes value, struct waiting *out)
{
    struct rd r;
    rd_init(&r, value);
    bool ok = key_read(name + strlen(PREFIX), out->key) && rd_u8(&r) == RECORD_VERSION &&
              text_read(&r, out->source, sizeof(out->source)) && text_read(&r, out->path, sizeof(out->path));
    out->time_ms = rd_svarint(&r);
    out->offset_min = (int16_t)rd_svarint(&r);
    out->added_ms = rd_svarint(&r);
    out->failures = (unsigned)rd_varint(&r);
    return ok && rd_end(&r) == 0;
}

static int record_save(struct store *s, const struct waiting *w, struct err *e)
{
    char name[sizeof(PREFIX) + 32];
    struct buf v;
    buf_init(&v, RECORD_BYTES_MAX);
    wr_u8(&v, RECORD_VERSION);
    wr_lenbytes(&v, bytes_str(w->source));
    wr_lenbytes(&v, bytes_str(w->path));
    wr_svarint(&v, w->time_ms);
    wr_svarint(&v, w->offset_min);
    wr_svarint(&v, w->added_ms);
    wr_varint(&v, w->failures);
    name_of(w->key, name);
    int rc =
        v.err != 0 ? err_set(e, v.err, "keeping a picture in mind") : local_set(s, name, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

static int record_drop(struct store *s, const uint8_t key[16], struct err *e)
{
    char name[sizeof(PREFIX) + 32];
    name_of(key, name);
    return local_set(s, name, BYTES_NONE, e);
}

static int record_there(struct store *s, const uint8_t key[16], bool *out, struct err *e)
{
    char name[sizeof(PREFIX) + 32];
    struct buf v;
    buf_init(&v, RECORD_BYTES_MAX);
    name_of(key, name);
    int rc = local_get(s, name, &v, out, e);
    buf_release(&v);
    return rc;
}

static void key_of(struct node *n, struct bytes source, struct bytes id, uint8_t out[16])
{
    const struct observation o = {.source = source, .id = id, .occurrence = 1};
    event_key(secret_view(&n->home.keys.event), &o, out);
}

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
    key_of(n, o->source, o->id, w.key);
    int rc = store_blocked(n->store, w.key, o->source, o->time_ms, &blocked, e);
    if (rc == 0) {
        rc = local_observation_known(n->store, w.key, &known, e);
    }
    if (rc == 0) {
        rc = record_there(n->store, w.key, &waits, e);
    }
    if (rc != 0 || blocked || known || rules_drop(n, &w)) {
        *out = known && !blocked ? PICTURE_KNOWN : PICTURE_DROPPED;
        return rc;
    }
    *out = waits ? PICTURE_KNOWN : PICTURE_WAITS;
    n->pictures_due = true;
    return record_save(n->store, &w, e);
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
    bool hit = record_read(name, value, &w) && bytes_eq(bytes_str(w.source), f->source) &&
               w.time_ms >= f->from_ms && (f->until_ms == TIME_NONE || w.time_ms <= f->until_ms);
    return hit ? buf_append(&f->keys, w.key, sizeof(w.key)) : 0;
}

int pictures_forget(struct node *n, struct bytes source, int64_t from_ms, int64_t until_ms, struct err *e)
{
    struct forgetting f = {.n = n, .source = source, .from_ms = from_ms, .until_ms = until_ms};
    buf_init(&f.keys, 64u << 20);
    int rc = local_each(n->store, PREFIX, forget_note, &f, e);
    for (size_t i = 0; rc == 0 && i < f.keys.n; i += 16) {
        rc = record_drop(n->store, f.keys.p + i, e);
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
    if (!record_read(name, value, &w)) {
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
        err_hint(e, "selfsame config endpoint.sources %s --add", source);
    }
    buf_release(&sources);
    buf_release(&share);
    return rc;
}

/* ---- what became of one -----------------------------------------------------------------------------------
 */

static void lost_note(struct pictures *x, const char *reason)
{
    struct picture_lost *l = &x->lost[++x->n_lost % PICTURES_LOST_KEPT];
    l->number = x->n_lost;
    (void)snprintf(l->path, sizeof(l->path), "%s", x->w.path);
    (void)snprintf(l->reason, sizeof(l->reason), "%s", reason);
    log_line(&x->n->log, LOG_WARN, "pictures", "'%s' is not described: %s", x->w.path, reason);
}

static int transaction(struct pictures *x, int (*body)(struct pictures *x, void *ctx, struct err *e),
                       void *ctx, struct err *e)
{
    int rc = store_begin(x->n->store, e);
    if (rc != 0) {
        return rc;
    }
    rc = body(x, ctx, e);
    if (rc == 0) {
        rc = keep_decisions(x->n, e);
    }
    if (rc == 0) {
        rc = store_commit(x->n->store, e);
    } else {
        store_rollback(x->n->store);
    }
    audit_counts_clear(x->n->audit);
    return rc;
}

static int drop_body(struct pictures *x, void *ctx, struct err *e)
{
    (void)ctx;
    return record_drop(x->n->store, x->w.key, e);
}

static int save_body(struct pictures *x, void *ctx, struct err *e)
{
    bool there = false;
    (void)ctx;
    int rc = record_there(x->n->store, x->w.key, &there, e);
    return rc != 0 || !there ? rc : record_save(x->n->store, &x->w, e);
}

/* It waits no more: dropped by the audit (reason NULL), or lost. */
static int give_up(struct pictures *x, const char *reason, struct err *e)
{
    int rc = transaction(x, drop_body, NULL, e);
    if (rc == 0 && reason != NULL) {
        x->failed++;
        lost_note(x, reason);
    }
    x->dropped += rc == 0 && reason == NULL ? 1 : 0;
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
static int refused(struct pictures *x, const struct err *why, struct err *e)
{
    int64_t now = clock_mono_ms(&x->n->clock);
    x->w.failures++;
    if (++x->refusals >= PICTURES_REFUSALS_MAX) {
        struct err said = *why;
        err_hint(&said,
                 "does the model see? another one for pictures: selfsame config endpoint.vision-model NAME");
        (void)rest(x, &said, now + x->rest_ms);
        x->rest_ms = x->rest_ms < REST_MS_MAX ? 2 * x->rest_ms : REST_MS_MAX;
        x->refusals = 0;
    }
    if (x->works && x->w.failures >= PICTURES_FAILURES_MAX) {
        return give_up(x, why->text, e);
    }
    return transaction(x, save_body, NULL, e);
}

struct told {
    struct observation o;
    struct keeping k;
};

static int keep_body(struct pictures *x, void *ctx, struct err *e)
{
    struct told *t = ctx;
    bool there = false;
    t->k.how = KEPT_DROPPED;
    int rc = record_there(x->n->store, x->w.key, &there, e);
    if (rc != 0 || !there) {
        return rc; /* forgotten while the question was out */
    }
    rc = keep(x->n, &t->o, x->w.key, &x->scratch, &t->k, e);
    if (rc == 0 && t->k.how == KEPT_FRESH) {
        rc = queue_added(x->n->store, t->k.stored.row, e);
    }
    return rc != 0 ? rc : record_drop(x->n->store, x->w.key, e);
}

static int described(struct pictures *x, struct bytes answer, struct err *e)
{
    struct description d;
    struct err why = ERR_INIT;
    const struct bytes file = bytes_str(x->w.path);
    struct told t = {.o = {.time_ms = x->w.time_ms,
                           .end_ms = TIME_NONE,
                           .offset_min = x->w.offset_min,
                           .source = bytes_str(x->w.source),
                           .files = &file,
                           .n_files = file.n > 0 ? 1 : 0}};
    description_init(&d);
    int rc = describe_read(&x->prompt, answer, &d, &t.o, &why);
    if (rc == ERR_FORMAT) {
        rc = refused(x, &why, e);
    } else if (rc == 0) {
        rc = transaction(x, keep_body, &t, e);
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
    struct pictures *x = ctx;
    struct err e = ERR_INIT;
    int64_t now = clock_mono_ms(&x->n->clock);
    int rc = 0;
    x->ticket = 0;
    x->due = true;
    if (a->rc == 0) {
        rc = described(x, a->text, &e);
    } else if (a->rc == ERR_FORMAT || a->rc == ERR_LIMIT) {
        rc = refused(x, a->e, &e);
    } else {
        bool setting = a->rc == ERR_CANCELLED || a->rc == ERR_NOTFOUND || a->rc == ERR_PERM;
        (void)rest(x, a->e, setting ? TIME_NONE : now + RETRY_MS);
    }
    if (rc != 0) {
        log_line(&x->n->log, LOG_ERROR, "pictures", "%s", e.text);
        (void)rest(x, &e, now + RETRY_MS);
    }
    prompt_release(&x->prompt);
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

static int ask(struct pictures *x, struct bytes image, const char *type, struct err *e)
{
    struct chat_part parts[DESCRIBE_PARTS];
    int rc = user_load(x, e);
    if (rc != 0) {
        return rc;
    }
    prompt_init(&x->prompt, &x->n->rng, x->user);
    describe_ask(&x->prompt, image, type, parts);
    const struct chat_request r = {.priority = ENDPOINT_THINK,
                                   .purpose = "describe",
                                   .vision = true,
                                   .parts = parts,
                                   .n_parts = DESCRIBE_PARTS,
                                   .schema_name = "description",
                                   .schema = bytes_str(describe_schema),
                                   .tokens_max = DESCRIBE_TOKENS,
                                   .sources = bytes_str(x->w.source)};
    rc = prompt_error(&x->prompt, e);
    if (rc == 0) {
        rc = endpoint_chat(x->n->endpoint, &r, answered, x, &x->ticket, e);
    }
    if (rc != 0) {
        x->ticket = 0;
        prompt_release(&x->prompt);
    }
    return rc;
}

/* Reads its file and asks; what cannot be asked about is given up. */
static int ask_file(struct pictures *x, struct err *e)
{
    struct picture p;
    struct err why = ERR_INIT;
    uint8_t key[16];
    bool blocked = false;
    int rc = store_blocked(x->n->store, x->w.key, bytes_str(x->w.source), x->w.time_ms, &blocked, e);
    if (rc != 0) {
        return rc;
    }
    if (blocked || rules_drop(x->n, &x->w)) {
        return give_up(x, NULL, e);
    }
    buf_clear(&x->left);
    rc = picture_load(x->w.path, &x->scratch, &p, &x->left, &why);
    if (rc == ERR_NOMEM) {
        return err_set(e, rc, "reading a picture");
    }
    if (rc == ERR_NOTFOUND) {
        return give_up(x, "the file is gone", e);
    }
    if (rc != 0) {
        return give_up(x, why.text, e);
    }
    key_of(x->n, bytes_str(x->w.source), bytes_str(p.id), key);
    if (memcmp(key, x->w.key, sizeof(key)) != 0) {
        return give_up(x, "the file holds another picture by now", e);
    }
    rc = ask(x, buf_view(&x->left), p.type, e);
    buf_release(&x->scratch);
    buf_release(&x->left);
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
    struct choosing c = {.best = &x->w};
    int rc = local_each(x->n->store, PREFIX, choose, &c, e);
    *none = c.n == 0;
    if (rc == 0 && c.n > 0) {
        rc = allowed(x->n, x->w.source, e);
    }
    return rc != 0 || c.n == 0 ? rc : ask_file(x, e);
}

int64_t pictures_step(struct node *n)
{
    struct pictures *x = n->pictures;
    struct err e = ERR_INIT;
    int64_t until = TIME_NONE;
    bool none = false;
    if (x == NULL || x->ticket != 0) {
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
    x->due = !none && x->ticket == 0;
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

void pictures_close(struct node *n)
{
    struct pictures *x = n->pictures;
    if (x == NULL) {
        return;
    }
    if (x->ticket != 0) {
        endpoint_cancel(n->endpoint, x->ticket);
        prompt_release(&x->prompt);
    }
    buf_release(&x->scratch);
    buf_release(&x->left);
    n->pictures = NULL;
    free(x);
}

int pictures_look(struct node *n, struct pictures_state *out, struct err *e)
{
    const struct pictures *x = n->pictures;
    *out = (struct pictures_state){0};
    int rc = local_each(n->store, PREFIX, count_one, &out->waiting, e);
    if (rc != 0 || x == NULL) {
        return rc;
    }
    if (x->ticket != 0) {
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
