/* Explaining: why a proposition is held (evidence, counts, history), and the log of what was observed and
 * audited. */
#include "node/serve/api_int.h"

#include "base/cursor.h"
#include "node/share.h"
#include "store/hlc.h"

#include <stdio.h>
#include <string.h>

#define WHY_MAX_DEFAULT 20
#define HISTORY_MAX 200
#define LOG_MAX_DEFAULT 50

struct walk {
    struct node *n;
    cJSON *list;
    uint64_t max;
    int rc;
};

/* ---- evidence --------------------------------------------------------------------------------------------
 */

static int evidence_put(void *ctx, const struct stored_observation *s, bool against)
{
    struct walk *w = ctx;
    cJSON *o = put_object(w->list, NULL);
    if (o == NULL || put_observation(o, s) != 0 || put_bool(o, "supports", !against) != 0 ||
        put_str(o, "device", w->n->home.name) != 0) {
        return w->rc = ERR_NOMEM;
    }
    return 0;
}

/* What other devices share of their observations' text. */
static int excerpt_put(void *ctx, const struct excerpt *x)
{
    struct walk *w = ctx;
    char device[LIMIT_NAME_BYTES + 1];
    log_device_name(w->n, &x->log, device);
    if (strcmp(device, w->n->home.name) == 0) {
        return 0; /* its own are shown as what they are */
    }
    cJSON *o = put_object(w->list, NULL);
    bool ok = o != NULL && put_time(o, "time", x->time_ms) == 0 && put_text(o, "source", x->source) == 0 &&
              put_text(o, "text", x->text) == 0 && put_bool(o, "supports", true) == 0 &&
              put_str(o, "device", device) == 0;
    return ok ? 0 : (w->rc = ERR_NOMEM);
}

static int evidence_list(struct node *n, const cJSON *req, cJSON *doc, const struct id *id, struct err *e)
{
    struct walk w = {.n = n, .list = put_array(doc, "evidence")};
    uint64_t support = 0;
    uint64_t against = 0;
    int64_t max = arg_int(req, "max", WHY_MAX_DEFAULT);
    if (max < 0 || max > LIMIT_LIST_ROWS) {
        return err_set(e, ERR_USAGE, "'max' is between 0 and %u", LIMIT_LIST_ROWS);
    }
    int rc = w.list != NULL ? local_link_counts(n->store, id, &support, &against, e) : ERR_NOMEM;
    if (rc == 0 && max > 0) {
        rc = local_links(n->store, id, true, (uint32_t)max, evidence_put, &w, e);
    }
    if (rc == 0) {
        rc = share_excerpts(n, id, excerpt_put, &w, e);
    }
    return rc != 0 ? rc : put_num(doc, "evidence_total", (double)(support + against));
}

/* ---- history ---------------------------------------------------------------------------------------------
 */

static const char *class_name(uint8_t cls)
{
    switch (cls) {
    case CLASS_IMPORT:
        return "import";
    case CLASS_MODEL:
        return "model";
    default: /* confirmed or edited */
        return "user";
    }
}

static const struct {
    uint64_t tag;
    const char *what;
    enum { VALUE_TEXT, VALUE_U8, VALUE_U16, VALUE_TIME, VALUE_NONE } value;
} action_names[] = {
    {REG_TEXT, "text", VALUE_TEXT},
    {REG_REASONING, "reasoning", VALUE_TEXT},
    {REG_DECAY, "decay", VALUE_U8},
    {REG_SCOPE, "scope", VALUE_TEXT},
    {REG_SENSITIVITY, "sensitivity", VALUE_U8},
    {REG_KIND, "kind", VALUE_NONE},
    {REG_PRIOR, "prior", VALUE_U16},
    {REG_VERDICT, "verdict", VALUE_U8},
    {REG_PINNED, "pinned", VALUE_U8},
    {REG_LIFE, "life", VALUE_U8},
    {REG_ORIGIN, "origin", VALUE_TEXT},
    {REG_VALID_FROM, "valid from", VALUE_TIME},
    {REG_VALID_UNTIL, "valid until", VALUE_TIME},
    {REG_CREATED, "created", VALUE_TIME},
    {ACT_COUNT, "evidence", VALUE_NONE},
    {ACT_SEEN, "evidence", VALUE_NONE},
    {ACT_FORGET, "forgotten", VALUE_NONE},
};

/* A register's value behind its replaced stamps. */
static struct bytes reg_value(struct bytes payload)
{
    size_t skip = payload.n > 0 ? 1 + 16 * (size_t)payload.p[0] : 0;
    return bytes_slice(payload, skip, SIZE_MAX);
}

static void value_print(int how, struct bytes v, struct buf *out)
{
    struct rd r;
    char time[RFC3339_TEXT + 1];
    rd_init(&r, v);
    switch (how) {
    case VALUE_TEXT:
        (void)buf_bytes(out, v);
        break;
    case VALUE_U8:
        (void)buf_printf(out, "%u", rd_u8(&r));
        break;
    case VALUE_U16:
        (void)buf_printf(out, "%.3f", rd_u16(&r) / 1000.0);
        break;
    case VALUE_TIME:
        rfc3339_print(rd_svarint(&r), time);
        (void)buf_str(out, time);
        break;
    default:
        break;
    }
}

static void count_print(struct bytes payload, struct buf *out)
{
    struct rd r;
    rd_init(&r, payload);
    (void)rd_bytes(&r, ID_BYTES);
    struct bytes source = rd_lenbytes(&r, LIMIT_NAME_BYTES);
    uint64_t support = rd_varint(&r);
    uint64_t against = rd_varint(&r);
    (void)buf_printf(out, "%.*s: %llu for, %llu against", (int)source.n, (const char *)source.p,
                     (unsigned long long)support, (unsigned long long)against);
}

static void action_describe(const struct action *a, const char **what, struct buf *out)
{
    *what = "other";
    for (size_t i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++) {
        if (action_names[i].tag == a->tag) {
            *what = action_names[i].what;
            value_print((int)action_names[i].value, reg_value(a->payload), out);
        }
    }
    if (a->tag == ACT_COUNT) {
        count_print(a->payload, out);
    }
    if (a->tag == ACT_SEEN) {
        struct rd r;
        rd_init(&r, a->payload);
        (void)buf_printf(out, "%llu occasions", (unsigned long long)rd_varint(&r));
    }
}

static int history_line(struct walk *w, const struct op_record *rec, const struct op *op,
                        const struct action *a)
{
    const char *what = NULL;
    char device[LIMIT_NAME_BYTES + 1];
    struct buf value;
    buf_init(&value, 4 * LIMIT_TEXT_BYTES);
    action_describe(a, &what, &value);
    log_device_name(w->n, &rec->log, device);
    cJSON *o = put_object(w->list, NULL);
    bool ok = o != NULL && put_time(o, "time", hlc_ms(op->hlc)) == 0 &&
              put_str(o, "class", class_name(op->cls)) == 0 && put_str(o, "device", device) == 0 &&
              put_str(o, "what", what) == 0 && put_text(o, "value", buf_view(&value)) == 0;
    buf_release(&value);
    return ok ? 0 : ERR_NOMEM;
}

static int history_op(void *ctx, const struct op_record *rec)
{
    struct walk *w = ctx;
    struct op op;
    struct action a;
    size_t at = 0;
    if (rec->op.n == 0 || op_decode(rec->op, &op, NULL) != 0) {
        return 0; /* erased, or of a kind this build does not know */
    }
    while (op_action(&op, &at, &a)) {
        if (w->max == 0) {
            return 1;
        }
        w->max--;
        w->rc = history_line(w, rec, &op, &a);
        if (w->rc != 0) {
            return w->rc;
        }
    }
    return 0;
}

static int history_list(struct node *n, cJSON *doc, const struct id *id, struct err *e)
{
    struct walk w = {.n = n, .list = put_array(doc, "history"), .max = HISTORY_MAX};
    int rc = w.list != NULL ? store_history(n->store, SPACE_PROPOSITION, id, history_op, &w, e) : ERR_NOMEM;
    return rc == 1 ? 0 : rc;
}

/* What it was made from: its lineage. */
static int revises_put(struct node *n, cJSON *doc, const struct entity *x)
{
    cJSON *list = put_array(doc, "revises");
    struct bytes parent;
    size_t at = 0;
    while (list != NULL && entity_set_next(x, SET_PARENT, &at, &parent)) {
        struct id id;
        struct prop p;
        if (parent.n != ID_BYTES) {
            continue;
        }
        memcpy(id.b, parent.p, ID_BYTES);
        bool there = store_prop(n->store, &id, false, &p, NULL) == 0;
        cJSON *o = put_object(list, NULL);
        if (o == NULL || put_id(o, "id", &id) != 0 || put_text(o, "text", there ? p.text : BYTES_NONE) != 0) {
            return ERR_NOMEM;
        }
    }
    return list != NULL ? 0 : ERR_NOMEM;
}

int api_why(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct id id;
    struct entity *x = entity_new();
    int rc = x != NULL ? arg_prop(n, req, &id, e) : err_set(e, ERR_NOMEM, "explaining");
    if (rc == 0) {
        rc = put_prop_by_id(n, doc, &id, e);
    }
    if (rc == 0) {
        rc = evidence_list(n, req, doc, &id, e);
    }
    if (rc == 0) {
        rc = store_entity(n->store, SPACE_PROPOSITION, &id, x, e);
    }
    if (rc == 0) {
        rc = put_counts(n, doc, x, e);
    }
    if (rc == 0) {
        rc = revises_put(n, doc, x);
    }
    if (rc == 0) {
        rc = history_list(n, doc, &id, e);
    }
    entity_free(x);
    return rc;
}

/* ---- log -------------------------------------------------------------------------------------------------
 */

static int log_put(void *ctx, const struct stored_observation *s)
{
    struct walk *w = ctx;
    cJSON *o = put_object(w->list, NULL);
    bool ok = o != NULL && put_observation(o, s) == 0 && put_str(o, "device", w->n->home.name) == 0;
    return ok ? 0 : (w->rc = ERR_NOMEM);
}

static int audit_put(void *ctx, const struct audit_row *r)
{
    struct walk *w = ctx;
    cJSON *o = put_object(w->list, NULL);
    bool ok = o != NULL && put_text(o, "rule", r->rule) == 0 && put_text(o, "source", r->source) == 0 &&
              put_time(o, "first", r->first_ms) == 0 && put_time(o, "last", r->last_ms) == 0 &&
              put_num(o, "count", (double)r->n) == 0;
    return ok ? 0 : (w->rc = ERR_NOMEM);
}

int api_log(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct walk w = {.n = n};
    struct observation_filter f = {
        .source = arg_text(req, "source"), .until_ms = TIME_NONE, .newest_first = true};
    int64_t max = arg_int(req, "max", LOG_MAX_DEFAULT);
    if (max < 1 || max > LIMIT_LIST_ROWS) {
        return err_set(e, ERR_USAGE, "'max' is between 1 and %u", LIMIT_LIST_ROWS);
    }
    f.max = (uint32_t)max;
    int rc = arg_time(req, "since", &f.from_ms, e);
    if (rc != 0) {
        return rc;
    }
    bool audit = arg_bool(req, "audit");
    if (arg_bool(req, "sent")) {
        return audit ? err_set(e, ERR_USAGE, "either 'audit' or 'sent'") : put_sent(n, req, doc, e);
    }
    w.list = put_array(doc, audit ? "audit" : "observations");
    if (w.list == NULL) {
        return err_set(e, ERR_NOMEM, "listing");
    }
    return audit ? local_audit(n->store, audit_put, &w, e) : local_observations(n->store, &f, log_put, &w, e);
}
