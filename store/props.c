/* Reading: propositions by id, by row and all of them, prefixes of ids, states of entities, their history.
 * Everything is a look-up in what materialise.c wrote; nothing is computed here. */
#include "store/store_int.h"

#include "base/limits.h"

#include <string.h>

#define PREFIX_CHARS_MIN 4
#define AMBIGUOUS_SHOWN 4

/* ---- one row */

static int64_t time_or_none(struct stmt *q, int column)
{
    return db_is_null(q, column) ? TIME_NONE : db_int(q, column);
}

int prop_read(struct stmt *q, bool reasoning, struct prop *out, struct err *e)
{
    *out = (struct prop){
        .row = db_int(q, 0),
        .flags = (uint32_t)db_int(q, 1),
        .kind = (uint8_t)db_int(q, 2),
        .decay = (uint8_t)db_int(q, 3),
        .sensitivity = (uint8_t)db_int(q, 4),
        .prior = (uint16_t)db_int(q, 5),
        .devices = (uint32_t)db_int(q, 6),
        .support = (uint64_t)db_int(q, 7),
        .against = (uint64_t)db_int(q, 8),
        .first_ms = time_or_none(q, 9),
        .last_ms = time_or_none(q, 10),
        .created_ms = db_int(q, 11),
        .changed_ms = db_int(q, 12),
        .until_ms = time_or_none(q, 13),
        .scope = db_bytes(q, 15),
        .origin = db_bytes(q, 16),
        .text = db_bytes(q, 17),
        .reasoning = reasoning ? db_bytes(q, 18) : BYTES_NONE,
    };
    return db_id(q, 14, &out->id, e);
}

/* Moves the views of a row into read_buf, so that they outlive the statement. */
static int keep(struct store *s, struct prop *p, struct err *e)
{
    struct bytes *views[] = {&p->text, &p->reasoning, &p->scope, &p->origin};
    size_t n = sizeof views / sizeof views[0];
    buf_clear(&s->read_buf);
    for (size_t i = 0; i < n; i++) {
        buf_bytes(&s->read_buf, *views[i]);
    }
    if (s->read_buf.err != 0) {
        return err_set(e, s->read_buf.err, "reading a proposition");
    }
    const uint8_t *at = s->read_buf.p;
    for (size_t i = 0; i < n; i++) {
        views[i]->p = at;
        at = at != NULL ? at + views[i]->n : NULL;
    }
    return 0;
}

/* The row that a prepared query gives. */
static int one_prop(struct store *s, struct stmt *q, struct prop *out, struct err *e)
{
    int rc = db_step(q, e);
    if (rc == 0) {
        rc = err_set(e, ERR_NOTFOUND, "no such proposition");
    } else if (rc > 0) {
        rc = prop_read(q, true, out, e);
        rc = rc != 0 ? rc : keep(s, out, e);
    }
    db_done(q);
    return rc;
}

int store_prop_row(struct store *s, int64_t row, struct prop *out, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT " PROP_COLUMNS ", reasoning FROM prop WHERE row = ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    return one_prop(s, q, out, e);
}

static int prop_exact(struct store *s, const struct id *id, struct prop *out, struct err *e)
{
    int64_t row;
    int rc = entity_row(s, SPACE_PROPOSITION, id, false, &row, e);
    return rc != 0 ? rc : store_prop_row(s, row, out, e);
}

/* The member of the group that stands for it: the one with a row and without PROP_MERGED. */
static int prop_canonical(struct store *s, const struct id *id, struct prop *out, struct err *e)
{
    struct buf ids;
    buf_init(&ids, SIZE_MAX / 2);
    int rc = graph_same_as(s, id, &ids, e);
    bool found = false;
    for (size_t at = 0; rc == 0 && !found && at < ids.n; at += sizeof *id) {
        struct id member;
        memcpy(&member, ids.p + at, sizeof member);
        rc = prop_exact(s, &member, out, NULL);
        found = rc == 0 && (out->flags & PROP_MERGED) == 0;
        rc = rc == ERR_NOTFOUND ? 0 : rc;
    }
    buf_release(&ids);
    if (rc != 0) {
        return err_set(e, rc, "reading a proposition");
    }
    return found ? 0 : err_set(e, ERR_NOTFOUND, "no such proposition");
}

int store_prop(struct store *s, const struct id *id, bool canonical, struct prop *out, struct err *e)
{
    bool joined = false;
    int rc = canonical ? graph_touches(s, id, &joined, e) : 0;
    if (rc != 0) {
        return rc;
    }
    return joined ? prop_canonical(s, id, out, e) : prop_exact(s, id, out, e);
}

/* ---- many */

static int walk(struct stmt *q, int (*fn)(void *ctx, const struct prop *p), void *ctx, struct err *e)
{
    struct prop p;
    int rc;
    while ((rc = db_step(q, e)) > 0) {
        rc = prop_read(q, false, &p, e);
        rc = rc != 0 ? rc : fn(ctx, &p);
        if (rc != 0) {
            break;
        }
    }
    db_done(q);
    return rc;
}

int store_props(struct store *s, uint32_t flags_off, int (*fn)(void *ctx, const struct prop *p), void *ctx,
                struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT " PROP_COLUMNS " FROM prop WHERE flags & ?1 = 0 ORDER BY row", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, flags_off);
    return walk(q, fn, ctx, e);
}

int store_props_pinned(struct store *s, uint32_t flags_off, size_t max,
                       int (*fn)(void *ctx, const struct prop *p), void *ctx, struct err *e)
{
    _Static_assert(PROP_PINNED == 1, "the index and the query say so");
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "SELECT " PROP_COLUMNS " FROM prop WHERE flags & 1 AND flags & ?1 = 0"
                        " ORDER BY row DESC LIMIT ?2",
                        &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, flags_off);
    db_bind_int(q, 2, (int64_t)max);
    return walk(q, fn, ctx, e);
}

int store_props_scope(struct store *s, const struct scope_query *query,
                      int (*fn)(void *ctx, const struct prop *p), void *ctx, struct err *e)
{
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "SELECT " PROP_COLUMNS " FROM prop WHERE scope = ?1 AND scope <> '' AND flags & ?2 = 0"
                   " ORDER BY row DESC LIMIT ?3",
                   &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_text(q, 1, query->scope);
    db_bind_int(q, 2, query->flags_off);
    db_bind_int(q, 3, (int64_t)query->max);
    return walk(q, fn, ctx, e);
}

int store_prop_count(struct store *s, uint32_t flags_off, uint64_t *out, struct err *e)
{
    struct stmt *q = NULL;
    *out = 0;
    int rc = db_prepare(s, "SELECT count(*) FROM prop WHERE flags & ?1 = 0", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, flags_off);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        *out = (uint64_t)db_int(q, 0);
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

/* ---- prefixes */

static int collect_prefix(struct stmt *q, struct id *out, struct buf *shown, struct err *e)
{
    int rc, n = 0;
    while ((rc = db_step(q, e)) > 0) {
        struct id id;
        char text[ID_TEXT + 1];
        rc = db_id(q, 0, &id, e);
        if (rc != 0) {
            return rc;
        }
        *out = n == 0 ? id : *out;
        id_text(&id, text);
        buf_printf(shown, "%s%s", n == 0 ? "" : ", ", n < AMBIGUOUS_SHOWN ? text : "…");
        n++;
    }
    return rc < 0 ? rc : n;
}

static int nothing_there(struct store *s, struct bytes prefix, struct err *e)
{
    struct id id;
    int64_t row = 0;
    int shown = prefix.n < 2 * ID_TEXT ? (int)prefix.n : 2 * ID_TEXT;
    if (id_parse(prefix, &id) == 0) {
        int rc = entity_row(s, SPACE_PROPOSITION, &id, false, &row, e);
        if (rc != 0) {
            return rc;
        }
    }
    return row != 0
               ? err_set(e, ERR_FORGOTTEN, "'%.*s' was forgotten for good", shown, (const char *)prefix.p)
               : err_set(e, ERR_NOTFOUND, "no proposition '%.*s'", shown, (const char *)prefix.p);
}

int store_prop_find(struct store *s, struct bytes prefix, struct id *out, struct err *e)
{
    struct id lo, hi;
    *out = ID_NONE;
    if (id_prefix(prefix, &lo, &hi) != 0) {
        return err_set(e, ERR_FORMAT,
                       "not an id: ids are made of the characters 0-9 and a-z without i l o u");
    }
    struct buf shown;
    buf_init(&shown, 512);
    struct stmt *q = NULL;
    int rc =
        db_prepare(s,
                   "SELECT entity.id FROM entity JOIN prop ON prop.row = entity.row WHERE entity.space = 1"
                   " AND entity.id BETWEEN ?1 AND ?2 ORDER BY entity.id LIMIT 5",
                   &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, &lo);
        db_bind_id(q, 2, &hi);
        rc = collect_prefix(q, out, &shown, e);
    }
    db_done(q);
    if (rc == 0) {
        rc = nothing_there(s, prefix, e);
    } else if (rc > 1) {
        rc = err_set(e, ERR_AMBIGUOUS, "'%.*s' begins more than one id", (int)prefix.n,
                     (const char *)prefix.p);
        err_hint(e, "%s", buf_cstr(&shown));
    }
    buf_release(&shown);
    return rc == 1 ? 0 : rc;
}

/* Characters that two ids have in common at the start. */
static size_t common_chars(const struct id *a, const struct id *b)
{
    char x[ID_TEXT + 1], y[ID_TEXT + 1];
    size_t n = 0;
    id_text(a, x);
    id_text(b, y);
    while (n < ID_TEXT && x[n] == y[n]) {
        n++;
    }
    return n;
}

static int widen_prefix(struct store *s, const char *sql, const struct id *id, size_t *chars, struct err *e)
{
    struct stmt *q = NULL;
    struct id other;
    int rc = db_prepare(s, sql, &q, e);
    if (rc == 0) {
        db_bind_id(q, 1, id);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        rc = db_id(q, 0, &other, e);
        size_t need = rc == 0 ? common_chars(id, &other) + 1 : 0;
        *chars = need > *chars ? need : *chars;
    }
    db_done(q);
    return rc;
}

int store_prop_prefix(struct store *s, const struct id *id, size_t *chars, struct err *e)
{
    *chars = PREFIX_CHARS_MIN;
    int rc =
        widen_prefix(s,
                     "SELECT entity.id FROM entity JOIN prop ON prop.row = entity.row WHERE entity.space = 1"
                     " AND entity.id < ?1 ORDER BY entity.id DESC LIMIT 1",
                     id, chars, e);
    if (rc == 0) {
        rc = widen_prefix(
            s,
            "SELECT entity.id FROM entity JOIN prop ON prop.row = entity.row WHERE entity.space = 1"
            " AND entity.id > ?1 ORDER BY entity.id LIMIT 1",
            id, chars, e);
    }
    *chars = *chars > ID_TEXT ? ID_TEXT : *chars;
    return rc;
}

/* ---- entities */

int store_entity(struct store *s, enum op_space space, const struct id *id, struct entity *x, struct err *e)
{
    int64_t row;
    entity_clear(x);
    int rc = entity_row(s, space, id, false, &row, e);
    if (rc == 0) {
        rc = row != 0 ? entity_load(s, row, x, e) : 0;
    }
    if (rc < 0) {
        return rc;
    }
    return rc > 0 ? 0 : err_set(e, ERR_NOTFOUND, "nothing of that id");
}

int store_entities(struct store *s, enum op_space space,
                   int (*fn)(void *ctx, const struct id *id, const struct entity *x), void *ctx,
                   struct err *e)
{
    struct entity_range all = {.space = space};
    return store_entities_in(s, &all, fn, ctx, e);
}

int store_entities_in(struct store *s, const struct entity_range *r,
                      int (*fn)(void *ctx, const struct id *id, const struct entity *x), void *ctx,
                      struct err *e)
{
    struct entity *x = entity_new();
    struct stmt *q = NULL;
    int rc = x != NULL ? 0 : err_set(e, ERR_NOMEM, "reading entities");
    if (rc == 0) {
        rc = db_prepare(s, "SELECT row, id FROM entity WHERE space = ?1 AND id > ?2 ORDER BY id", &q, e);
    }
    if (rc == 0) {
        db_bind_int(q, 1, (int)r->space);
        db_bind_id(q, 2, &r->after);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct id id;
        rc = db_id(q, 1, &id, e);
        rc = rc != 0 ? rc : entity_load(s, db_int(q, 0), x, e);
        rc = rc > 0 ? fn(ctx, &id, x) : rc;
    }
    db_done(q);
    entity_free(x);
    return rc;
}

int store_seen(struct store *s, const struct id *id, int (*fn)(void *ctx, const struct seen *seen), void *ctx,
               struct err *e)
{
    int64_t row;
    struct stmt *q = NULL;
    int rc = entity_row(s, SPACE_PROPOSITION, id, false, &row, e);
    if (rc == 0) {
        rc = db_prepare(s, "SELECT key, against, time FROM event WHERE entity = ?1 ORDER BY key, against", &q,
                        e);
    }
    if (rc == 0) {
        db_bind_int(q, 1, row);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct seen seen = {.against = (uint8_t)db_int(q, 1), .time_ms = db_int(q, 2)};
        struct bytes key = db_bytes(q, 0);
        memcpy(seen.key, key.p, key.n < sizeof seen.key ? key.n : sizeof seen.key);
        rc = fn(ctx, &seen);
    }
    db_done(q);
    return rc;
}

int store_history(struct store *s, enum op_space space, const struct id *id,
                  int (*fn)(void *ctx, const struct op_record *r), void *ctx, struct err *e)
{
    int64_t row;
    struct stmt *q = NULL;
    int rc = entity_row(s, space, id, false, &row, e);
    if (rc == 0) {
        rc = db_prepare(s,
                        "SELECT op.row, op.salt, op.hash, op.body, coalesce(log.root, log.id) AS of FROM op "
                        "JOIN log ON log.row = op.row >> 40"
                        " WHERE op.entity = ?1 ORDER BY op.hlc, of, op.row",
                        &q, e);
    }
    if (rc == 0) {
        db_bind_int(q, 1, row);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct op_record r;
        rc = log_record(q, &r, e);
        rc = rc != 0 ? rc : db_id(q, 4, &r.log, e);
        rc = rc != 0 ? rc : fn(ctx, &r);
    }
    db_done(q);
    return rc;
}
