/* Writing claims. One entity is loaded, compared and, where something differs, written by one op (occasion
 * keys beyond a page go in further ops). */
#include "node/model/claim.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

/* Occasion keys in one op: 27 bytes each, well below LIMIT_OP_BYTES. */
#define SEEN_PAGE 1000

struct claim_writer {
    struct store *store;
    struct id device;
    struct bytes secret;
    struct entity *entity;
    struct draft draft;
    struct buf scratch;
    struct map *known;         /* occasion keys already held, of one claim */
    uint64_t support, against; /* of the claim being applied, as stored before */
};

/* ---- names ------------------------------------------------------------------------------------------------
 */

static void hash_id(struct bytes secret, struct buf *b, uint8_t out[16])
{
    struct hasher h;
    hasher_init(&h, secret, 16);
    hasher_update(&h, buf_view(b));
    hasher_final(&h, out, 16);
}

void claim_id(struct bytes claim_secret, uint8_t kind, struct bytes key, struct id *out)
{
    struct buf b;
    buf_init(&b, LIMIT_TEXT_BYTES + 64);
    wr_lenbytes(&b, BYTES_LIT("claim"));
    wr_u8(&b, kind);
    wr_lenbytes(&b, bytes_slice(key, 0, LIMIT_TEXT_BYTES));
    hash_id(claim_secret, &b, out->b);
    buf_release(&b);
}

void claim_occasion(struct bytes claim_secret, const struct id *claim, const struct occasion *o,
                    uint8_t out[16])
{
    struct buf b;
    buf_init(&b, LIMIT_TEXT_BYTES + LIMIT_NAME_BYTES + 64);
    wr_lenbytes(&b, BYTES_LIT("occasion"));
    wr_bytes(&b, bytes_of(claim->b, ID_BYTES));
    wr_lenbytes(&b, o->source);
    wr_svarint(&b, o->day);
    wr_lenbytes(&b, bytes_slice(o->what, 0, LIMIT_TEXT_BYTES));
    hash_id(claim_secret, &b, out);
    buf_release(&b);
}

/* ---- writer -----------------------------------------------------------------------------------------------
 */

struct claim_writer *claim_writer_new(struct store *s, const struct id *device, struct bytes claim_secret)
{
    struct claim_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->store = s;
    w->device = *device;
    w->secret = claim_secret;
    w->entity = entity_new();
    w->known = map_new();
    draft_init(&w->draft);
    buf_init(&w->scratch, LIMIT_OP_BYTES);
    if (w->entity == NULL || w->known == NULL) {
        claim_writer_free(w);
        return NULL;
    }
    return w;
}

void claim_writer_free(struct claim_writer *w)
{
    if (w == NULL)
        return;
    entity_free(w->entity);
    map_free(w->known);
    draft_release(&w->draft);
    buf_release(&w->scratch);
    free(w);
}

/* ---- registers --------------------------------------------------------------------------------------------
 */

static void reg_write(struct claim_writer *w, enum op_tag tag, struct bytes value)
{
    uint8_t replaced[LIMIT_PRIOR_STAMPS][16];
    size_t n = entity_stamps(w->entity, tag, replaced, LIMIT_PRIOR_STAMPS);
    draft_reg(&w->draft, tag, value, (const uint8_t(*)[16])replaced, n);
}

/* Writes when the value differs and no user wrote the register. */
static void reg_put(struct claim_writer *w, enum op_tag tag, struct bytes value)
{
    struct bytes held;
    struct stamp stamp;
    if (entity_reg(w->entity, tag, &held, &stamp) && (stamp.cls > CLASS_MODEL || bytes_eq(held, value)))
        return;
    reg_write(w, tag, value);
}

static void reg_put_u8(struct claim_writer *w, enum op_tag tag, uint8_t v)
{
    reg_put(w, tag, bytes_of(&v, 1));
}

static void reg_put_time(struct claim_writer *w, enum op_tag tag, int64_t ms)
{
    if (ms == TIME_NONE)
        return;
    buf_clear(&w->scratch);
    wr_svarint(&w->scratch, ms);
    reg_put(w, tag, buf_view(&w->scratch));
}

/* The creation time stored, later than any when there is none: older evidence moves it back. */
static int64_t created_held(const struct claim_writer *w)
{
    struct bytes held;
    struct rd r;
    if (!entity_reg(w->entity, REG_CREATED, &held, NULL))
        return INT64_MAX;
    rd_init(&r, held);
    int64_t ms = rd_svarint(&r);
    return r.err == 0 ? ms : INT64_MAX;
}

static void registers_put(struct claim_writer *w, const struct claim *c)
{
    const struct kind_info *k = kind_info(c->kind);
    reg_put(w, REG_TEXT, c->text);
    reg_put(w, REG_REASONING, c->reasoning);
    reg_put_u8(w, REG_DECAY, c->decay > 0 ? c->decay : k->decay);
    reg_put_u8(w, REG_KIND, c->kind);
    reg_put(w, REG_ORIGIN, BYTES_LIT("heuristics"));
    if (c->prior > 0) {
        const uint8_t prior[2] = {(uint8_t)(c->prior >> 8), (uint8_t)c->prior};
        reg_put(w, REG_PRIOR, bytes_of(prior, 2));
    }
    reg_put_time(w, REG_VALID_UNTIL, c->until_ms);
    if (c->created_ms < created_held(w))
        reg_put_time(w, REG_CREATED, c->created_ms);
    if (entity_reg_u8(w->entity, REG_LIFE, 1) == 0)
        reg_write(w, REG_LIFE, bytes_of("\1", 1));
}

/* ---- evidence ---------------------------------------------------------------------------------------------
 */

static bool count_equal(const struct count *a, const struct count *b)
{
    return a->support == b->support && a->against == b->against && a->first_ms == b->first_ms &&
           a->last_ms == b->last_ms;
}

static bool count_held(const struct claim_writer *w, struct bytes source, struct count *out)
{
    size_t n = entity_count_n(w->entity);
    for (size_t i = 0; i < n; i++) {
        if (entity_count_at(w->entity, i, out) && id_eq(&out->device, &w->device) &&
            bytes_eq(out->source, source))
            return true;
    }
    return false;
}

static void count_put(struct claim_writer *w, const struct count *c)
{
    struct count held, mine = *c;
    mine.device = w->device;
    if (count_held(w, c->source, &held) ? count_equal(&held, &mine) : c->support + c->against == 0)
        return;
    draft_count(&w->draft, &mine);
}

static bool count_named(const struct claim *c, struct bytes source)
{
    for (size_t i = 0; i < c->n_counts; i++) {
        if (bytes_eq(c->counts[i].source, source))
            return true;
    }
    return false;
}

/* This device's counters of sources that no longer say anything go to 0. `c` NULL: all of them. */
static void counts_zero(struct claim_writer *w, const struct claim *c)
{
    struct count held;
    size_t n = entity_count_n(w->entity);
    for (size_t i = 0; i < n; i++) {
        if (!entity_count_at(w->entity, i, &held) || !id_eq(&held.device, &w->device) ||
            held.support + held.against == 0)
            continue;
        if (c == NULL || !count_named(c, held.source)) {
            held.support = held.against = 0;
            held.first_ms = held.last_ms = TIME_NONE;
            draft_count(&w->draft, &held);
        }
    }
}

static struct bytes seen_name(const struct seen *s, uint8_t name[17])
{
    memcpy(name, s->key, 16);
    name[16] = s->against;
    return bytes_of(name, 17);
}

static int seen_note(void *ctx, const struct seen *s)
{
    uint8_t name[17];
    return map_add(ctx, seen_name(s, name), NULL) == NULL ? ERR_NOMEM : 0;
}

/* Moves the keys not held yet to the front; returns how many. */
static int seen_news(struct claim_writer *w, const struct claim *c, const struct id *id, size_t *n,
                     struct err *e)
{
    *n = 0;
    map_clear(w->known);
    int rc = c->n_seen > 0 ? store_seen(w->store, id, seen_note, w->known, e) : 0;
    if (rc != 0 && rc != ERR_NOTFOUND)
        return rc;
    for (size_t i = 0; i < c->n_seen; i++) {
        uint8_t name[17];
        if (map_find(w->known, seen_name(&c->seen[i], name)) == NULL)
            c->seen[(*n)++] = c->seen[i];
    }
    return 0;
}

static int draft_flush(struct claim_writer *w, struct err *e)
{
    return w->draft.n_actions > 0 ? store_write(w->store, &w->draft, e) : 0;
}

static int seen_write(struct claim_writer *w, const struct id *id, struct seen *v, size_t n, struct err *e)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < n; at += SEEN_PAGE) {
        size_t page = n - at < SEEN_PAGE ? n - at : SEEN_PAGE;
        if (w->draft.n_actions > 0 && at > 0)
            draft_reset(&w->draft, SPACE_PROPOSITION, CLASS_MODEL, id);
        draft_seen(&w->draft, v + at, page);
        rc = draft_flush(w, e);
    }
    return rc;
}

/* ---- links ------------------------------------------------------------------------------------------------
 */

static bool row_fresh(const struct claim_fresh *f, int64_t row)
{
    size_t lo = 0, hi = f->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->rows[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->n && f->rows[lo] == row;
}

/* How many of the links are to fresh observations; SIZE_MAX when the short way is closed because some
 * contradict. */
static size_t links_fresh(const struct claim *c, const struct claim_fresh *fresh)
{
    size_t n = 0;
    if (fresh == NULL)
        return SIZE_MAX;
    for (size_t i = 0; i < c->n_links; i++) {
        if (c->links[i].against)
            return SIZE_MAX;
        n += row_fresh(fresh, c->links[i].observation) ? 1 : 0;
    }
    return n;
}

/* A claim that only grew gets the new links; any other gets all of them anew. */
static int links_put(struct claim_writer *w, const struct claim *c, const struct id *id,
                     const struct claim_fresh *fresh, struct err *e)
{
    uint64_t support = 0, against = 0;
    int rc = local_link_counts(w->store, id, &support, &against, e);
    size_t n_fresh = links_fresh(c, fresh);
    bool grew = n_fresh != SIZE_MAX && against == 0 && support + n_fresh == c->n_links;
    if (rc == 0 && !grew && support + against > 0)
        rc = local_links_clear(w->store, id, e);
    for (size_t i = 0; rc == 0 && i < c->n_links; i++) {
        if (!grew || row_fresh(fresh, c->links[i].observation))
            rc = local_link_add(w->store, id, c->links[i].observation, c->links[i].against, e);
    }
    return rc;
}

/* ---- applying ---------------------------------------------------------------------------------------------
 */

/* Loads the entity, empty when there is none. *state: 1 there, 0 new, -1 forgotten. */
static int claim_load(struct claim_writer *w, const struct id *id, int *state, struct err *e)
{
    int rc = store_entity(w->store, SPACE_PROPOSITION, id, w->entity, e);
    *state = 1;
    if (rc == ERR_NOTFOUND) {
        entity_clear(w->entity);
        *state = 0;
        rc = 0;
    }
    if (rc == 0 && entity_forgotten(w->entity))
        *state = -1;
    w->support = w->against = 0;
    struct count held;
    for (size_t i = 0, n = entity_count_n(w->entity); i < n; i++) {
        if (entity_count_at(w->entity, i, &held) && id_eq(&held.device, &w->device)) {
            w->support += held.support;
            w->against += held.against;
        }
    }
    return rc;
}

static enum claim_outcome outcome_of(const struct claim_writer *w, const struct claim *c, size_t n_seen)
{
    uint64_t support = 0, against = 0, seen_against = 0;
    for (size_t i = 0; i < c->n_counts; i++) {
        support += c->counts[i].support;
        against += c->counts[i].against;
    }
    for (size_t i = 0; i < n_seen; i++)
        seen_against += c->seen[i].against;
    if (support > w->support || n_seen > seen_against)
        return CLAIM_RAISED;
    return support < w->support || against > w->against || seen_against > 0 ? CLAIM_LOWERED : CLAIM_SAME;
}

static int claim_write(struct claim_writer *w, const struct claim *c, const struct id *id, size_t n_seen,
                       struct err *e)
{
    draft_reset(&w->draft, SPACE_PROPOSITION, CLASS_MODEL, id);
    registers_put(w, c);
    for (size_t i = 0; i < c->n_counts; i++)
        count_put(w, &c->counts[i]);
    counts_zero(w, c);
    return n_seen > 0 ? seen_write(w, id, c->seen, n_seen, e) : draft_flush(w, e);
}

int claim_apply(struct claim_writer *w, const struct claim *c, const struct claim_fresh *fresh,
                enum claim_outcome *out, struct err *e)
{
    struct id id;
    int state;
    size_t n_seen = 0;
    claim_id(w->secret, c->kind, c->key, &id);
    int rc = claim_load(w, &id, &state, e);
    if (rc != 0 || state < 0) {
        *out = CLAIM_FORGOTTEN;
        return rc;
    }
    bool dropped = state == 1 && entity_reg_u8(w->entity, REG_LIFE, 1) == 0;
    rc = seen_news(w, c, &id, &n_seen, e);
    if (rc != 0)
        return rc;
    *out = state == 0 ? CLAIM_ADDED : dropped ? CLAIM_REVIVED : outcome_of(w, c, n_seen);
    rc = claim_write(w, c, &id, n_seen, e);
    return rc != 0 ? rc : links_put(w, c, &id, state == 1 ? fresh : NULL, e);
}

static bool others_support(const struct claim_writer *w)
{
    struct count held;
    for (size_t i = 0, n = entity_count_n(w->entity); i < n; i++) {
        if (entity_count_at(w->entity, i, &held) && !id_eq(&held.device, &w->device) && held.support > 0)
            return true;
    }
    return false;
}

int claim_retract(struct claim_writer *w, const struct id *id, enum claim_outcome *out, struct err *e)
{
    int state;
    *out = CLAIM_SAME;
    int rc = claim_load(w, id, &state, e);
    if (rc != 0 || state <= 0)
        return rc;
    draft_reset(&w->draft, SPACE_PROPOSITION, CLASS_MODEL, id);
    counts_zero(w, NULL);
    if (!others_support(w) && entity_reg_u8(w->entity, REG_LIFE, 1) != 0)
        reg_write(w, REG_LIFE, bytes_of("\0", 1));
    *out = w->draft.n_actions > 0 ? CLAIM_LOWERED : CLAIM_SAME;
    rc = draft_flush(w, e);
    return rc != 0 ? rc : local_links_clear(w->store, id, e);
}
