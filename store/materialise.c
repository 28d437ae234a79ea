/* The tables that are read, from the merged state of one entity: prop (propositions), edge (same-as,
 * supersedes), blocked_key and blocked_span (what must not be learnt again). Each is a function of merged
 * states alone, so it comes out the same whatever the order of arrival; with s->checking the same code
 * compares instead of writing.
 *
 * A proposition has a row of prop once its text was written and until it is forgotten.
 */
#include "store/store_int.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "store/hlc.h"

#include <string.h>

#define DECAY_UNSTATED 5
#define PRIOR_UNSTATED 0 /* the prior of its kind counts */
#define SENSITIVITY_UNSTATED 1

/* ---- columns of a proposition */

uint64_t count_add(uint64_t a, uint64_t b)
{
    uint64_t max = INT64_MAX;
    return a > max || b > max - a ? max : a + b;
}

void span_add(int64_t *first, int64_t *last, int64_t ms)
{
    if (ms == TIME_NONE) {
        return;
    }
    *first = *first == TIME_NONE || ms < *first ? ms : *first;
    *last = *last == TIME_NONE || ms > *last ? ms : *last;
}

static struct bytes text_of(const struct entity *x, enum op_tag tag)
{
    struct bytes v;
    return entity_reg(x, tag, &v, NULL) ? v : BYTES_NONE;
}

static uint32_t flags_of(const struct entity *x)
{
    struct stamp text = {0};
    struct bytes v;
    uint64_t tag;
    uint32_t f = 0;
    uint8_t verdict = entity_reg_u8(x, REG_VERDICT, VERDICT_NONE);
    f |= verdict == VERDICT_CONFIRMED ? PROP_CONFIRMED : 0;
    f |= verdict == VERDICT_REJECTED ? PROP_REJECTED : 0;
    f |= entity_reg_u8(x, REG_PINNED, 0) != 0 ? PROP_PINNED : 0;
    f |= entity_reg(x, REG_TEXT, &v, &text) && text.cls == CLASS_EDIT ? PROP_EDITED : 0;
    f |= entity_dropped(x) ? PROP_DROPPED : 0;
    f |= entity_conflicts(x, &tag, 1) > 0 ? PROP_CONFLICT : 0;
    return f;
}

static void times_of(const struct entity *x, struct prop *out)
{
    static const enum op_tag tags[] = {REG_TEXT,        REG_REASONING, REG_DECAY, REG_SCOPE,
                                       REG_SENSITIVITY, REG_KIND,      REG_PRIOR, REG_VERDICT,
                                       REG_PINNED,      REG_LIFE,      REG_ORIGIN};
    struct stamp st;
    struct bytes v;
    out->changed_ms = 0;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (entity_reg(x, tags[i], &v, &st) && hlc_ms(st.hlc) > out->changed_ms) {
            out->changed_ms = hlc_ms(st.hlc);
        }
    }
    struct rd r;
    rd_init(&r, text_of(x, REG_CREATED));
    int64_t created = rd_svarint(&r);
    bool has_text = entity_reg(x, REG_TEXT, &v, &st);
    out->created_ms = r.err == 0 ? created : has_text ? hlc_ms(st.hlc) : 0;
}

static int64_t until_of(const struct entity *x)
{
    struct rd r;
    rd_init(&r, text_of(x, REG_VALID_UNTIL));
    int64_t until = rd_svarint(&r);
    return r.err == 0 ? until : TIME_NONE;
}

static void counts_of(const struct entity *x, struct prop *out)
{
    out->first_ms = out->last_ms = TIME_NONE;
    struct count c;
    struct id last = ID_NONE;
    for (size_t i = 0; i < entity_count_n(x) && entity_count_at(x, i, &c); i++) {
        out->support = count_add(out->support, c.support);
        out->against = count_add(out->against, c.against);
        span_add(&out->first_ms, &out->last_ms, c.first_ms);
        span_add(&out->first_ms, &out->last_ms, c.last_ms);
        if (c.support > 0 && (out->devices == 0 || !id_eq(&c.device, &last))) { /* ascending by device */
            out->devices++;
            last = c.device;
        }
    }
}

bool prop_columns(const struct entity *x, struct prop *out)
{
    int64_t row = out->row;
    struct id id = out->id;
    *out = (struct prop){.row = row, .id = id};
    if (entity_forgotten(x) || !entity_reg(x, REG_TEXT, &out->text, NULL)) {
        return false;
    }
    struct rd r;
    rd_init(&r, text_of(x, REG_PRIOR));
    out->prior = rd_u16(&r);
    out->prior = r.err == 0 ? out->prior : PRIOR_UNSTATED;
    out->flags = flags_of(x);
    out->kind = entity_reg_u8(x, REG_KIND, 0);
    out->decay = entity_reg_u8(x, REG_DECAY, DECAY_UNSTATED);
    out->sensitivity = entity_reg_u8(x, REG_SENSITIVITY, SENSITIVITY_UNSTATED);
    out->reasoning = text_of(x, REG_REASONING);
    out->scope = text_of(x, REG_SCOPE);
    out->origin = text_of(x, REG_ORIGIN);
    times_of(x, out);
    out->until_ms = until_of(x);
    counts_of(x, out);
    return true;
}

/* A key that supports and contradicts (two devices judged one day with different knowledge of it) counts as
 * supporting. */
static int add_events(struct store *s, struct prop *p, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        s,
        "SELECT count(*), coalesce(sum(against), 0), min(time), max(time), coalesce(sum(against AND NOT"
        " EXISTS(SELECT 1 FROM event x WHERE x.entity = e.entity AND x.key = e.key AND NOT x.against)), 0)"
        " FROM event e WHERE entity = ?1",
        &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, p->row);
        rc = db_step(q, e);
    }
    if (rc > 0 && db_int(q, 0) > 0) {
        p->support = count_add(p->support, (uint64_t)(db_int(q, 0) - db_int(q, 1)));
        p->against = count_add(p->against, (uint64_t)db_int(q, 4));
        span_add(&p->first_ms, &p->last_ms, db_int(q, 2));
        span_add(&p->first_ms, &p->last_ms, db_int(q, 3));
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

/* ---- rows of prop */

static void bind_time(struct stmt *q, int i, int64_t ms)
{
    if (ms != TIME_NONE) {
        db_bind_int(q, i, ms);
    }
}

/* Two statements, because REPLACE needs a statement journal. */
static int prop_write(struct store *s, const struct prop *p, bool fresh, struct err *e)
{
    static const char insert[] =
        "INSERT INTO prop(" PROP_COLUMNS ", reasoning) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
    static const char update[] =
        "UPDATE prop SET flags = ?2, kind = ?3, decay = ?4, sensitivity = ?5, prior = ?6,"
        " devices = ?7, support = ?8, against = ?9, first_ms = ?10, last_ms = ?11,"
        " created_ms = ?12, changed_ms = ?13, until_ms = ?14, id = ?15, scope = ?16, origin = ?17,"
        " text = ?18, reasoning = ?19 WHERE row = ?1";
    struct stmt *q = NULL;
    int rc = db_prepare(s, fresh ? insert : update, &q, e);
    if (rc != 0) {
        return rc;
    }
    const int64_t numbers[] = {p->row,
                               p->flags,
                               p->kind,
                               p->decay,
                               p->sensitivity,
                               p->prior,
                               p->devices,
                               (int64_t)p->support,
                               (int64_t)p->against};
    for (int i = 0; i < (int)(sizeof numbers / sizeof numbers[0]); i++) {
        db_bind_int(q, i + 1, numbers[i]);
    }
    bind_time(q, 10, p->first_ms);
    bind_time(q, 11, p->last_ms);
    db_bind_int(q, 12, p->created_ms);
    db_bind_int(q, 13, p->changed_ms);
    bind_time(q, 14, p->until_ms);
    db_bind_id(q, 15, &p->id);
    db_bind_text(q, 16, p->scope);
    db_bind_text(q, 17, p->origin);
    db_bind_text(q, 18, p->text);
    db_bind_text(q, 19, p->reasoning);
    return db_run(q, e);
}

/* The indexed text of a row into read_buf: 1, or 0 when there is no row. */
static int old_text(struct store *s, int64_t row, struct err *e)
{
    struct stmt *q = NULL;
    buf_clear(&s->read_buf);
    int rc = db_prepare(s, "SELECT text FROM prop WHERE row = ?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
        rc = db_step(q, e);
    }
    if (rc > 0 && buf_bytes(&s->read_buf, db_bytes(q, 0)) != 0) {
        rc = err_set(e, s->read_buf.err, "reading a proposition");
    }
    db_done(q);
    return rc;
}

/* Never NULL, which would mean "not indexed". */
static struct bytes indexed(struct bytes text)
{
    return text.p != NULL ? text : BYTES_LIT("");
}

static int reindex(struct store *s, int64_t row, bool had, struct bytes text, struct err *e)
{
    struct bytes old = had ? indexed(buf_view(&s->read_buf)) : BYTES_NONE;
    if (s->index_off || (had && bytes_eq(old, text))) {
        return 0;
    }
    return search_prop_changed(s, row, old, indexed(text), e);
}

static bool prop_same(const struct prop *a, const struct prop *b)
{
    return a->row == b->row && id_eq(&a->id, &b->id) && a->flags == b->flags && a->kind == b->kind &&
           a->decay == b->decay && a->sensitivity == b->sensitivity && a->prior == b->prior &&
           a->devices == b->devices && a->support == b->support && a->against == b->against &&
           a->first_ms == b->first_ms && a->last_ms == b->last_ms && a->created_ms == b->created_ms &&
           a->changed_ms == b->changed_ms && a->until_ms == b->until_ms && bytes_eq(a->text, b->text) &&
           bytes_eq(a->reasoning, b->reasoning) && bytes_eq(a->scope, b->scope) &&
           bytes_eq(a->origin, b->origin);
}

static int prop_compare(struct store *s, const struct prop *p, struct err *e)
{
    struct stmt *q = NULL;
    struct prop have;
    int rc = db_prepare(s, "SELECT " PROP_COLUMNS ", reasoning FROM prop WHERE row = ?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, p->row);
        rc = db_step(q, e);
        rc = rc == 0 ? ERR_CORRUPT : rc;
    }
    if (rc > 0) {
        rc = prop_read(q, true, &have, e);
        rc = rc == 0 && !prop_same(p, &have) ? ERR_CORRUPT : rc;
    }
    db_done(q);
    return rc;
}

int prop_put(struct store *s, const struct prop *p, bool fresh, struct err *e)
{
    if (s->checking) {
        return prop_compare(s, p, e);
    }
    int had = fresh ? 0 : old_text(s, p->row, e);
    if (had < 0) {
        return had;
    }
    int rc = prop_write(s, p, had == 0, e);
    return rc != 0 ? rc : reindex(s, p->row, had > 0, p->text, e);
}

int prop_remove(struct store *s, int64_t row, struct err *e)
{
    int had = old_text(s, row, e);
    if (had <= 0 || s->checking) {
        return had > 0 ? ERR_CORRUPT : had;
    }
    struct stmt *q = NULL;
    int rc = db_prepare(s, "DELETE FROM prop WHERE row = ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    rc = db_run(q, e);
    if (rc == 0 && !s->index_off) {
        rc = search_prop_changed(s, row, indexed(buf_view(&s->read_buf)), BYTES_NONE, e);
    }
    return rc != 0 ? rc : local_prop_gone(s, row, e);
}

static int proposition(struct store *s, int64_t row, const struct id *id, const struct entity *x, bool fresh,
                       struct err *e)
{
    bool joined;
    int rc = graph_touches(s, id, &joined, e);
    if (rc != 0 || joined) {
        return rc != 0 || s->graph_off ? rc : graph_changed(s, id, e);
    }
    struct prop p = {.row = row, .id = *id};
    if (!prop_columns(x, &p)) {
        return fresh ? 0 : prop_remove(s, row, e);
    }
    rc = fresh && s->seen_buf.n == 0 ? 0 : add_events(s, &p, e);
    return rc != 0 ? rc : prop_put(s, &p, fresh, e);
}

/* ---- edges */

static int edge_run(struct store *s, const char *sql, const struct edge *g, struct err *e)
{
    if (s->checking) {
        return ERR_CORRUPT; /* a difference where there must be none */
    }
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, g->kind);
    db_bind_id(q, 2, &g->a);
    db_bind_id(q, 3, &g->b);
    return db_run(q, e);
}

static bool element_id(struct bytes element, struct id *out)
{
    if (element.n != ID_BYTES) {
        return false;
    }
    memcpy(out->b, element.p, ID_BYTES);
    return true;
}

static bool is_live(const struct entity *x, const struct edge *g)
{
    size_t at = 0;
    struct bytes element;
    while (entity_set_next(x, (enum op_tag)g->kind, &at, &element)) {
        if (bytes_eq(element, bytes_of(g->b.b, ID_BYTES))) {
            return true;
        }
    }
    return false;
}

/* Drops edges that are no longer live; what they had joined is refreshed by itself. */
static int edges_drop(struct store *s, struct edge *g, const struct entity *x, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT b FROM edge WHERE kind = ?1 AND a = ?2", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, g->kind);
        db_bind_id(q, 2, &g->a);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        rc = db_id(q, 0, &g->b, e);
        if (rc == 0 && !is_live(x, g)) {
            rc = edge_run(s, "DELETE FROM edge WHERE kind = ?1 AND a = ?2 AND b = ?3", g, e);
            rc = rc != 0 || s->graph_off ? rc : graph_refresh(s, &g->b, e);
        }
    }
    db_done(q);
    return rc;
}

static int edge_known(struct store *s, const struct edge *g, bool *out, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT 1 FROM edge WHERE kind = ?1 AND a = ?2 AND b = ?3", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, g->kind);
        db_bind_id(q, 2, &g->a);
        db_bind_id(q, 3, &g->b);
        rc = db_step(q, e);
    }
    db_done(q);
    *out = rc > 0;
    return rc < 0 ? rc : 0;
}

static int edges_add(struct store *s, struct edge *g, const struct entity *x, struct err *e)
{
    size_t at = 0;
    struct bytes element;
    int rc = 0;
    while (rc == 0 && entity_set_next(x, (enum op_tag)g->kind, &at, &element)) {
        bool known = true;
        if (element_id(element, &g->b) && !id_eq(&g->a, &g->b)) {
            rc = edge_known(s, g, &known, e);
        }
        if (rc == 0 && !known) {
            rc = edge_run(s, "INSERT INTO edge(kind, a, b) VALUES(?1, ?2, ?3)", g, e);
        }
    }
    return rc;
}

static int edges(struct store *s, const struct id *id, const struct entity *x, struct err *e)
{
    static const int kinds[] = {SET_SAME_AS, SET_SUPERSEDES};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        struct edge g = {.kind = kinds[i], .a = *id};
        rc = edges_add(s, &g, x, e);
        s->edges_known = false;
        rc = rc != 0 ? rc : edges_drop(s, &g, x, e);
    }
    return rc != 0 || s->graph_off ? rc : graph_refresh(s, id, e);
}

/* ---- blocks */

struct block_row {
    int64_t entity;
    struct bytes name; /* key or source */
    int64_t from_ms, until_ms;
};

static int block_run(struct store *s, const char *sql, const struct block_row *b, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, b->entity);
    if (b->from_ms > b->until_ms) { /* a key */
        db_bind_blob(q, 2, b->name);
    } else {
        db_bind_text(q, 2, b->name);
        db_bind_int(q, 3, b->from_ms);
        db_bind_int(q, 4, b->until_ms);
    }
    rc = db_step(q, e);
    db_done(q);
    return rc;
}

/* Adds a row, or (checking) finds it. */
static int block_put(struct store *s, const char *add, const char *find, const struct block_row *b,
                     struct err *e)
{
    int rc = block_run(s, s->checking ? find : add, b, e);
    return s->checking ? (rc == 0 ? ERR_CORRUPT : rc > 0 ? 0 : rc) : rc;
}

static int block_keys(struct store *s, int64_t row, struct err *e)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < s->seen_buf.n; at += sizeof(struct seen)) {
        struct seen seen;
        memcpy(&seen, s->seen_buf.p + at, sizeof seen);
        struct block_row b = {
            .entity = row, .name = bytes_of(seen.key, sizeof seen.key), .from_ms = 1, .until_ms = 0};
        rc = block_put(s, "INSERT OR IGNORE INTO blocked_key(entity, key) VALUES(?1, ?2)",
                       "SELECT 1 FROM blocked_key WHERE entity = ?1 AND key = ?2", &b, e);
    }
    return rc;
}

static int block_spans(struct store *s, int64_t row, const struct entity *x, struct err *e)
{
    size_t at = 0;
    struct bytes element;
    int rc = 0;
    while (rc == 0 && entity_set_next(x, SET_SPAN, &at, &element)) {
        struct rd r;
        rd_init(&r, element);
        struct block_row b = {.entity = row, .name = rd_lenbytes(&r, LIMIT_NAME_BYTES)};
        b.from_ms = (int64_t)rd_u64(&r);
        b.until_ms = (int64_t)rd_u64(&r);
        if (rd_end(&r) == 0 && b.from_ms <= b.until_ms) {
            rc = block_put(s,
                           "INSERT OR IGNORE INTO blocked_span(entity, source, from_ms, until_ms) VALUES(?1, "
                           "?2, ?3, ?4)",
                           "SELECT 1 FROM blocked_span WHERE entity = ?1 AND source = ?2 AND from_ms = ?3 "
                           "AND until_ms = ?4",
                           &b, e);
        }
    }
    return rc;
}

static int clear_blocks(struct store *s, const char *sql, int64_t row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    return db_run(q, e);
}

static int blocks(struct store *s, int64_t row, const struct entity *x, bool fresh, struct err *e)
{
    int rc = 0;
    if (!fresh && !s->checking) { /* spans can be removed again; keys go only with the entity */
        rc = clear_blocks(s, "DELETE FROM blocked_span WHERE entity = ?1", row, e);
        if (rc == 0 && entity_forgotten(x)) {
            rc = clear_blocks(s, "DELETE FROM blocked_key WHERE entity = ?1", row, e);
        }
    }
    if (rc != 0 || entity_forgotten(x)) {
        return rc;
    }
    rc = block_keys(s, row, e);
    return rc != 0 ? rc : block_spans(s, row, x, e);
}

int materialise(struct store *s, int64_t row, const struct op *op, const struct entity *x, bool fresh,
                struct err *e)
{
    switch (op->space) {
    case SPACE_PROPOSITION:
        return proposition(s, row, &op->id, x, fresh, e);
    case SPACE_EDGE:
        return edges(s, &op->id, x, e);
    case SPACE_BLOCK:
        return blocks(s, row, x, fresh, e);
    default: /* other spaces are read from their state */
        return 0;
    }
}
