/* From ops to merged state. entity_apply() is the merge; this file finds the entity's state, hands it the op,
 * writes the state back, and lets materialise.c bring the tables that are read up to date.
 *
 *   1. entity.state is NULL as long as the entity is the fold of the ops that `op` holds for it; an entity
 * with one op, the common case in bulk, is therefore written without a copy of its text. From the second op
 * on the state is there. A forgotten entity always has one.
 *   2. `event` holds the elements of ACT_SEEN, for each (entity, key, sign) the lowest time.
 *   3. A forget erases body and salt of every op of the entity that is not a forget, held ones included, and
 * the events; ops that come later keep their hash only.
 */
#include "store/store_int.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

bool op_forgets(const struct op *op)
{
    size_t at = 0;
    struct action a;
    while (op_action(op, &at, &a)) {
        if (a.tag == ACT_FORGET) {
            return true;
        }
    }
    return false;
}

/* ---- state of an entity */

static int fold_row(struct stmt *q, struct entity *x, const struct seen_sink *seen, struct err *e)
{
    struct op op;
    struct id log;
    struct hash hash;
    int rc = op_decode(db_bytes(q, 0), &op, e);
    if (rc != 0) {
        return err_set(e, ERR_CORRUPT, "a stored op cannot be read");
    }
    rc = db_id(q, 2, &log, e);
    if (rc == 0) {
        rc = db_hash(q, 1, &hash, e);
    }
    if (rc == 0) {
        rc = entity_apply(x, &op, &log, &hash, seen);
        rc = rc == 0 ? 0 : err_set(e, rc, "merging a stored op");
    }
    return rc;
}

int entity_fold(struct store *s, int64_t row, struct entity *x, const struct seen_sink *seen, struct err *e)
{
    struct stmt *q = NULL;
    int n = 0;
    entity_clear(x);
    int rc = db_prepare(
        s,
        "SELECT op.body, op.hash, coalesce(log.root, log.id) FROM op JOIN log ON log.row = op.row >> 40"
        " WHERE op.entity = ?1 AND NOT op.flags & 1 AND op.body IS NOT NULL",
        &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        rc = fold_row(q, x, seen, e);
        n = 1;
    }
    db_done(q);
    return rc != 0 ? rc : n;
}

/* The state at column 0 of the current row of q, or the fold of the entity's ops: 1, 0 when it has none. */
static int state_read(struct store *s, struct stmt *q, int64_t row, struct entity *x, struct err *e)
{
    if (db_is_null(q, 0)) {
        return entity_fold(s, row, x, NULL, e);
    }
    int rc = entity_decode(x, db_bytes(q, 0), e);
    return rc != 0 ? rc : 1;
}

int entity_load(struct store *s, int64_t row, struct entity *x, struct err *e)
{
    struct stmt *q = NULL;
    entity_clear(x);
    int rc = db_prepare(s, "SELECT state FROM entity WHERE row = ?1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        rc = state_read(s, q, row, x, e);
    }
    db_done(q);
    return rc;
}

static int entity_insert(struct store *s, int space, const struct id *id, int64_t *row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "INSERT INTO entity(space, id) VALUES(?1, ?2)", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, space);
        db_bind_id(q, 2, id);
        rc = db_run(q, e);
    }
    *row = rc == 0 ? sqlite3_last_insert_rowid(s->db) : 0;
    return rc;
}

int entity_row(struct store *s, enum op_space space, const struct id *id, bool make, int64_t *row,
               struct err *e)
{
    *row = 0;
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT row FROM entity WHERE space = ?1 AND id = ?2", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, (int)space);
        db_bind_id(q, 2, id);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        *row = db_int(q, 0);
        rc = 0;
    }
    db_done(q);
    return rc == 0 && *row == 0 && make ? entity_insert(s, (int)space, id, row, e) : rc;
}

static int state_write(struct store *s, int64_t row, const struct entity *x, struct err *e)
{
    buf_clear(&s->state_buf);
    int rc = entity_encode(x, &s->state_buf);
    if (rc != 0) {
        return err_set(e, rc, "the state of an entity");
    }
    struct stmt *q = NULL;
    rc = db_prepare(s, "UPDATE entity SET state = ?2 WHERE row = ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    db_bind_blob(q, 2, buf_view(&s->state_buf));
    return db_run(q, e);
}

/* ---- events */

static int seen_keep(void *ctx, const struct seen *seen)
{
    struct store *s = ctx;
    return buf_append(&s->seen_buf, seen, sizeof *seen);
}

static int seen_write_one(struct store *s, int64_t row, const struct seen *seen, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s,
                        "INSERT INTO event(entity, key, against, time) VALUES(?1, ?2, ?3, ?4)"
                        " ON CONFLICT DO UPDATE SET time = min(time, excluded.time)",
                        &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    db_bind_blob(q, 2, bytes_of(seen->key, sizeof seen->key));
    db_bind_int(q, 3, seen->against);
    db_bind_int(q, 4, seen->time_ms);
    return db_run(q, e);
}

static int seen_write(struct store *s, int64_t row, struct err *e)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < s->seen_buf.n; at += sizeof(struct seen)) {
        struct seen seen;
        memcpy(&seen, s->seen_buf.p + at, sizeof seen);
        rc = seen_write_one(s, row, &seen, e);
    }
    return rc;
}

/* ---- erasing */

static int run_row(struct store *s, const char *sql, int64_t row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, sql, &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, row);
    return db_run(q, e);
}

static int erase_held_op(struct store *s, int64_t op_row, int64_t row, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(
        s, "UPDATE op SET body = NULL, salt = NULL, flags = flags & ~1, entity = ?2 WHERE row = ?1", &q, e);
    if (rc != 0) {
        return rc;
    }
    db_bind_int(q, 1, op_row);
    db_bind_int(q, 2, row);
    return db_run(q, e);
}

/* Held ops do not know their entity yet; there are few. Erased, they are held no more: nothing is to come. */
static int erase_held(struct store *s, int64_t row, const struct op *forget, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT row, body FROM op WHERE flags & 1 AND NOT flags & 2", &q, e);
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct op op;
        rc = op_decode(db_bytes(q, 1), &op, e);
        if (rc == 0 && op.space == forget->space && id_eq(&op.id, &forget->id)) {
            rc = erase_held_op(s, db_int(q, 0), row, e);
        }
    }
    db_done(q);
    return rc;
}

static int erase_entity(struct store *s, int64_t row, const struct op *forget, struct err *e)
{
    int rc = run_row(s, "UPDATE op SET body = NULL, salt = NULL WHERE entity = ?1 AND NOT flags & 2", row, e);
    if (rc == 0) {
        rc = run_row(s, "DELETE FROM event WHERE entity = ?1", row, e);
    }
    if (rc == 0) {
        rc = erase_held(s, row, forget, e);
    }
    return rc != 0 ? rc : scrub_mark(s, true, e);
}

/* ---- one op */

/* Finds the entity and its state into s->scratch; m->entity = 0 when it is new. */
static int find(struct store *s, struct merge *m, bool *has_state, struct err *e)
{
    struct stmt *q = NULL;
    m->entity = 0;
    *has_state = false;
    entity_clear(s->scratch);
    int rc = db_prepare(s, "SELECT state, row FROM entity WHERE space = ?1 AND id = ?2", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, m->op->space);
        db_bind_id(q, 2, &m->op->id);
        rc = db_step(q, e);
    }
    if (rc > 0) {
        m->entity = db_int(q, 1);
        rc = state_read(s, q, m->entity, s->scratch, e);
        *has_state = rc > 0;
    }
    db_done(q);
    return rc < 0 ? rc : 0;
}

static int write_merged(struct store *s, struct merge *m, bool has_state, struct err *e)
{
    const struct entity *x = s->scratch;
    bool edges; /* graph.c loads states, and this op is not in the log yet */
    int rc = graph_any(s, &edges, e);
    if (rc == 0 && m->entity == 0) {
        rc = entity_insert(s, m->op->space, &m->op->id, &m->entity, e);
    }
    if (rc == 0 && (has_state || edges || entity_forgotten(x))) {
        rc = state_write(s, m->entity, x, e);
    }
    if (rc == 0) {
        rc = entity_forgotten(x) ? erase_entity(s, m->entity, m->op, e) : seen_write(s, m->entity, e);
    }
    return rc != 0 ? rc : materialise(s, m->entity, m->op, x, !has_state, e);
}

int merge_op(struct store *s, struct merge *m, struct err *e)
{
    bool has_state;
    int rc = find(s, m, &has_state, e);
    if (rc != 0) {
        return rc;
    }
    if (entity_forgotten(s->scratch)) {
        if (m->own) {
            return err_set(e, ERR_FORGOTTEN, "this was forgotten for good");
        }
        m->erase = !op_forgets(m->op);
        return 0;
    }
    buf_clear(&s->seen_buf);
    struct seen_sink sink = {seen_keep, s};
    rc = entity_apply(s->scratch, m->op, &m->log, &m->hash, &sink);
    if (rc != 0) {
        return err_set(e, rc, "an op cannot be merged");
    }
    rc = write_merged(s, m, has_state, e);
    db_poison(s, rc);
    return rc;
}

/* ---- all ops anew */

static int same_state(struct store *s, int64_t row, struct entity *fresh, struct err *e)
{
    buf_clear(&s->state_buf);
    buf_clear(&s->read_buf);
    int rc = entity_dump(fresh, &s->state_buf);
    if (rc == 0) {
        rc = entity_load(s, row, fresh, e);
    }
    if (rc >= 0) {
        rc = entity_dump(fresh, &s->read_buf);
    }
    if (rc == 0 && !bytes_eq(buf_view(&s->state_buf), buf_view(&s->read_buf))) {
        rc = ERR_CORRUPT;
    }
    return rc;
}

static int seen_order(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int d = memcmp(x->key, y->key, sizeof x->key);
    if (d == 0) {
        d = (x->against > y->against) - (x->against < y->against);
    }
    return d != 0 ? d : (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* Compares the sorted elements in seen_buf, the lowest time of each, with the rows of `event`. */
static int same_events(struct store *s, int64_t row, struct err *e)
{
    struct seen *all =
        (struct seen *)(void *)s->seen_buf.p; /* from malloc, and only whole elements are appended */
    size_t n = s->seen_buf.n / sizeof *all, i = 0;
    if (n > 0) {
        qsort(all, n, sizeof *all, seen_order);
    }
    struct stmt *q = NULL;
    int rc =
        db_prepare(s, "SELECT key, against, time FROM event WHERE entity = ?1 ORDER BY key, against", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, row);
    }
    while (rc == 0 && (rc = db_step(q, e)) > 0) {
        struct seen at = {.against = (uint8_t)db_int(q, 1), .time_ms = db_int(q, 2)};
        struct bytes key = db_bytes(q, 0);
        memcpy(at.key, key.p, key.n == sizeof at.key ? key.n : 0);
        rc = i < n && seen_order(&at, &all[i]) == 0 ? 0 : ERR_CORRUPT;
        while (rc == 0 && i < n && memcmp(all[i].key, at.key, sizeof at.key) == 0 &&
               all[i].against == at.against) {
            i++;
        }
    }
    db_done(q);
    return rc == 0 && i < n ? ERR_CORRUPT : rc;
}

static int check_one(struct store *s, int64_t row, const struct op *name, struct err *e)
{
    int rc = same_state(s, row, s->scratch, e);
    if (rc == 0) {
        rc = same_events(s, row, e);
    }
    if (rc == 0) {
        rc = materialise(s, row, name, s->scratch, false, e);
    }
    if (rc == ERR_CORRUPT) {
        char id[ID_TEXT + 1];
        id_text(&name->id, id);
        rc = err_set(e, rc, "what was merged for %s (space %d) differs from its ops", id, name->space);
    }
    return rc;
}

static int rebuild_one(struct store *s, int64_t row, const struct op *name, struct err *e)
{
    const struct entity *x = s->scratch;
    int rc = entity_forgotten(x) ? erase_entity(s, row, name, e) : seen_write(s, row, e);
    if (rc == 0) {
        rc = state_write(s, row, x, e);
    }
    return rc != 0 ? rc : materialise(s, row, name, x, false, e);
}

/* The entity after row *row: 1, or 0 when it was the last. */
static int next_entity(struct store *s, int64_t *row, struct op *name, struct err *e)
{
    struct stmt *q = NULL;
    int rc = db_prepare(s, "SELECT row, space, id FROM entity WHERE row > ?1 ORDER BY row LIMIT 1", &q, e);
    if (rc == 0) {
        db_bind_int(q, 1, *row);
        rc = db_step(q, e);
    }
    if (rc > 0 && db_int(q, 0) <= *row) { /* a damaged tree can lead back */
        rc = err_set(e, ERR_CORRUPT, "the table of entities is out of order");
    }
    if (rc > 0) {
        *row = db_int(q, 0);
        name->space = (uint8_t)db_int(q, 1);
        int bad = db_id(q, 2, &name->id, e);
        rc = bad != 0 ? bad : rc;
    }
    db_done(q);
    return rc;
}

static int merge_entities(struct store *s, struct err *e)
{
    int64_t row = INT64_MIN;
    struct op name = {.suite = OP_SUITE};
    struct seen_sink sink = {seen_keep, s};
    int rc;
    while ((rc = next_entity(s, &row, &name, e)) > 0) {
        buf_clear(&s->seen_buf);
        rc = entity_fold(s, row, s->scratch, &sink, e);
        if (rc > 0 || (rc == 0 && s->checking)) {
            rc = s->checking ? check_one(s, row, &name, e) : rebuild_one(s, row, &name, e);
        }
        if (rc != 0) {
            break;
        }
    }
    return rc;
}

int merge_all(struct store *s, struct err *e)
{
    s->graph_off = true;
    int rc = merge_entities(s, e);
    s->graph_off = false;
    if (rc == 0) {
        rc = graph_refresh_all(s, e);
        rc = rc == ERR_CORRUPT && s->checking
                 ? err_set(e, rc, "what was merged of propositions joined by edges differs from their ops")
                 : rc;
    }
    return rc;
}
