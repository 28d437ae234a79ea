/* What two devices said at the same time: concurrent writes of one field, and two revisions of one
 * proposition. Listing shows every version with its device and time; resolving writes the chosen one anew,
 * naming all the others as seen, so that it wins everywhere. */
#include "node/serve/api_int.h"

#include "base/cursor.h"
#include "node/model/heads.h"
#include "store/hlc.h"

#include <stdio.h>
#include <string.h>

#define TAGS_MAX 32

static const struct {
    uint64_t tag;
    const char *name;
} fields[] = {
    {REG_TEXT, "text"},
    {REG_REASONING, "reasoning"},
    {REG_DECAY, "decay"},
    {REG_SCOPE, "scope"},
    {REG_SENSITIVITY, "sensitivity"},
    {REG_PRIOR, "confidence"},
    {REG_VERDICT, "verdict"},
    {REG_PINNED, "pinned"},
    {REG_VALID_FROM, "valid_from"},
    {REG_VALID_UNTIL, "valid_until"},
};
#define FIELD_REVISION "revision"

static const char *field_name(uint64_t tag, char room[24])
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].tag == tag) {
            return fields[i].name;
        }
    }
    (void)snprintf(room, 24, "field-%llu", (unsigned long long)tag);
    return room;
}

static void value_print(uint64_t tag, struct bytes v, struct buf *out)
{
    static const char *const verdicts[] = {"none", "confirmed", "rejected"};
    struct rd r;
    char time[RFC3339_TEXT + 1];
    rd_init(&r, v);
    switch (tag) {
    case REG_VERDICT:
        (void)buf_str(out, v.n == 1 && v.p[0] < 3 ? verdicts[v.p[0]] : "other");
        break;
    case REG_PINNED:
        (void)buf_str(out, rd_u8(&r) != 0 ? "yes" : "no");
        break;
    case REG_DECAY:
    case REG_SENSITIVITY:
        (void)buf_printf(out, "%u", rd_u8(&r));
        break;
    case REG_PRIOR:
        (void)buf_printf(out, "%u", (rd_u16(&r) + 50u) / 100u);
        break;
    case REG_VALID_FROM:
    case REG_VALID_UNTIL:
        rfc3339_print(rd_svarint(&r), time);
        (void)buf_str(out, time);
        break;
    default:
        (void)buf_bytes(out, v);
        break;
    }
}

/* The i-th version of a field, the one that counts now first; false when there are no more. */
static bool version_at(const struct entity *x, enum op_tag tag, size_t i, struct bytes *value,
                       struct stamp *stamp)
{
    return i == 0 ? entity_reg(x, tag, value, stamp) : entity_sibling(x, tag, i - 1, value, stamp);
}

/* ---- listing ----------------------------------------------------------------------------------------------
 */

static int text_put(struct node *n, cJSON *o, const struct id *id)
{
    struct prop p;
    int rc = store_prop(n->store, id, false, &p, NULL);
    return put_text(o, "text", rc == 0 ? p.text : BYTES_NONE);
}

static cJSON *conflict_put(struct node *n, cJSON *list, const struct id *id, const char *field)
{
    cJSON *o = put_object(list, NULL);
    size_t prefix = ID_TEXT;
    char text[ID_TEXT + 1];
    id_text(id, text);
    if (store_prop_prefix(n->store, id, &prefix, NULL) != 0) {
        prefix = ID_TEXT;
    }
    bool ok = o != NULL && put_str(o, "id", text) == 0;
    text[prefix] = '\0';
    ok = ok && put_str(o, "prefix", text) == 0 && text_put(n, o, id) == 0 && put_str(o, "field", field) == 0;
    return ok ? put_array(o, "choices") : NULL;
}

static int choice_put(struct node *n, cJSON *list, size_t i, const struct stamp *stamp, struct bytes value)
{
    char name[LIMIT_NAME_BYTES + 1];
    cJSON *o = put_object(list, NULL);
    log_device_name(n, &stamp->log, name);
    bool ok = o != NULL && put_num(o, "choice", (double)(i + 1)) == 0 && put_text(o, "value", value) == 0 &&
              put_str(o, "device", name) == 0 && put_time(o, "time", hlc_ms(stamp->hlc)) == 0 &&
              put_bool(o, "current", i == 0) == 0;
    return ok ? 0 : ERR_NOMEM;
}

static int field_list(struct node *n, cJSON *list, const struct id *id, const struct entity *x, uint64_t tag)
{
    char room[24];
    struct bytes value;
    struct stamp stamp;
    struct buf text;
    cJSON *choices = conflict_put(n, list, id, field_name(tag, room));
    int rc = choices != NULL ? 0 : ERR_NOMEM;
    buf_init(&text, LIMIT_REASONING_BYTES + 64);
    for (size_t i = 0; rc == 0 && version_at(x, (enum op_tag)tag, i, &value, &stamp); i++) {
        buf_clear(&text);
        value_print(tag, value, &text);
        rc = choice_put(n, choices, i, &stamp, buf_view(&text));
    }
    buf_release(&text);
    return rc;
}

struct conflicts {
    struct node *n;
    cJSON *list;
    struct buf ids;
    struct entity *x;
};

static int conflict_note(void *ctx, const struct prop *p)
{
    struct conflicts *c = ctx;
    return (p->flags & PROP_CONFLICT) != 0 ? buf_append(&c->ids, &p->id, sizeof(p->id)) : 0;
}

static int prop_list(struct conflicts *c, const struct id *id, struct err *e)
{
    uint64_t tags[TAGS_MAX];
    int rc = store_entity(c->n->store, SPACE_PROPOSITION, id, c->x, e);
    size_t n = rc == 0 ? entity_conflicts(c->x, tags, TAGS_MAX) : 0;
    for (size_t i = 0; rc == 0 && i < n && i < TAGS_MAX; i++) {
        rc = field_list(c->n, c->list, id, c->x, tags[i]);
    }
    return rc;
}

static int head_put(struct conflicts *c, cJSON *choices, size_t i, const struct id *id)
{
    struct stamp stamp;
    struct bytes text;
    int rc = store_entity(c->n->store, SPACE_PROPOSITION, id, c->x, NULL);
    if (rc != 0 || !entity_reg(c->x, REG_TEXT, &text, &stamp)) {
        return rc == ERR_NOTFOUND ? 0 : rc;
    }
    return choice_put(c->n, choices, i, &stamp, text);
}

/* Named by what they revise; when that was forgotten, by the first of them. */
static int heads_put(void *ctx, const struct heads *h)
{
    struct conflicts *c = ctx;
    struct prop p;
    const struct id *id = store_prop(c->n->store, &h->of, false, &p, NULL) == 0 ? &h->of : &h->v[0];
    cJSON *choices = conflict_put(c->n, c->list, id, FIELD_REVISION);
    int rc = choices != NULL ? 0 : ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < h->n; i++) {
        rc = head_put(c, choices, i, &h->v[i]);
    }
    return rc;
}

int api_conflicts(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct conflicts c = {.n = n, .list = put_array(doc, "conflicts"), .x = entity_new()};
    (void)req;
    buf_init(&c.ids, (size_t)LIMIT_LIST_ROWS * sizeof(struct id));
    int rc = c.list != NULL && c.x != NULL ? store_props(n->store, 0, conflict_note, &c, e) : ERR_NOMEM;
    for (size_t at = 0; rc == 0 && at < c.ids.n; at += sizeof(struct id)) {
        struct id id;
        memcpy(&id, c.ids.p + at, sizeof(id));
        rc = prop_list(&c, &id, e);
    }
    if (rc == 0) {
        rc = heads_each(n->store, heads_put, &c, e);
    }
    buf_release(&c.ids);
    entity_free(c.x);
    return rc;
}

/* ---- resolving --------------------------------------------------------------------------------------------
 */

struct resolve {
    struct id id;
    struct bytes field; /* p == NULL: the only one */
    size_t choice;      /* from 1 */
    struct entity *x;
    char resolved[24]; /* out: the field's name */
    size_t left;       /* out: fields still in conflict */
};

static int choice_missing(const struct resolve *w, struct err *e)
{
    (void)err_set(e, ERR_USAGE, "there is no choice %zu", w->choice);
    err_hint(e, "see them with: selfsame conflicts");
    return ERR_USAGE;
}

/* Which field is meant. */
static int tag_find(struct resolve *w, uint64_t *tag, struct err *e)
{
    uint64_t tags[TAGS_MAX];
    char room[24];
    size_t n = entity_conflicts(w->x, tags, TAGS_MAX);
    n = n < TAGS_MAX ? n : TAGS_MAX;
    if (w->field.p == NULL && n == 1) {
        *tag = tags[0];
        return 0;
    }
    for (size_t i = 0; w->field.p != NULL && i < n; i++) {
        if (bytes_eq(bytes_str(field_name(tags[i], room)), w->field)) {
            *tag = tags[i];
            return 0;
        }
    }
    int rc = n > 1 && w->field.p == NULL ? err_set(e, ERR_AMBIGUOUS, "more than one field is in conflict")
                                         : err_set(e, ERR_NOTFOUND, "no such conflict");
    err_hint(e, "see them with: selfsame conflicts");
    return rc;
}

static int field_resolve(struct node *n, struct resolve *w, struct err *e)
{
    uint64_t tag = 0;
    struct bytes value;
    struct stamp stamp;
    uint8_t stamps[LIMIT_PRIOR_STAMPS][16];
    struct draft d;
    int rc = tag_find(w, &tag, e);
    if (rc != 0) {
        return rc;
    }
    if (w->choice == 0 || !version_at(w->x, (enum op_tag)tag, w->choice - 1, &value, &stamp)) {
        return choice_missing(w, e);
    }
    draft_init(&d);
    draft_reset(&d, SPACE_PROPOSITION, (enum op_class)stamp.cls, &w->id);
    size_t n_stamps = entity_stamps(w->x, (enum op_tag)tag, stamps, LIMIT_PRIOR_STAMPS);
    draft_reg(&d, (enum op_tag)tag, value, (const uint8_t(*)[16])stamps, n_stamps);
    rc = store_write(n->store, &d, e);
    draft_release(&d);
    char room[24];
    (void)snprintf(w->resolved, sizeof(w->resolved), "%s", field_name(tag, room));
    uint64_t tags[TAGS_MAX];
    if (rc == 0) {
        rc = store_entity(n->store, SPACE_PROPOSITION, &w->id, w->x, e);
    }
    w->left = rc == 0 ? entity_conflicts(w->x, tags, TAGS_MAX) : 0;
    return rc;
}

/* The chosen revision revises the others, too. */
static int revision_resolve(struct node *n, struct resolve *w, struct err *e)
{
    struct heads h;
    int rc = heads_find(n->store, &w->id, &h, e);
    if (rc == 0 && (w->choice == 0 || w->choice > h.n)) {
        rc = choice_missing(w, e);
    }
    if (rc == 0) {
        rc = heads_settle(n->store, &h, w->choice - 1, e);
        w->id = h.v[w->choice - 1];
    }
    (void)snprintf(w->resolved, sizeof(w->resolved), FIELD_REVISION);
    return rc;
}

/* Nothing but its revisions is in conflict. */
static bool only_revised(struct node *n, const struct resolve *w)
{
    uint64_t tags[TAGS_MAX];
    struct heads h;
    return entity_conflicts(w->x, tags, TAGS_MAX) == 0 && heads_find(n->store, &w->id, &h, NULL) == 0;
}

static int resolve_body(struct node *n, void *ctx, struct err *e)
{
    struct resolve *w = ctx;
    if (w->field.p != NULL && bytes_eq(w->field, BYTES_LIT(FIELD_REVISION))) {
        return revision_resolve(n, w, e);
    }
    int rc = store_entity(n->store, SPACE_PROPOSITION, &w->id, w->x, e);
    if (rc == 0 && w->field.p == NULL && only_revised(n, w)) {
        return revision_resolve(n, w, e);
    }
    return rc != 0 ? rc : field_resolve(n, w, e);
}

int api_resolve(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct resolve w = {.field = arg_text(req, "field"), .x = entity_new()};
    int64_t choice = arg_int(req, "choice", 0);
    w.choice = choice > 0 && choice < 1000 ? (size_t)choice : 0;
    int rc = w.x != NULL ? arg_prop(n, req, &w.id, e) : ERR_NOMEM;
    if (rc == 0) {
        rc = api_transaction(n, resolve_body, &w, e);
    }
    entity_free(w.x);
    if (rc == 0) {
        rc = put_str(doc, "field", w.resolved);
    }
    if (rc == 0) {
        rc = put_num(doc, "left", (double)w.left);
    }
    return rc != 0 ? rc : put_prop_by_id(n, doc, &w.id, e);
}
