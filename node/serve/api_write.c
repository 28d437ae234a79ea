/* Changing the model by hand: tell, confirm, reject, pin, edit, pause. */
#include "node/serve/api_int.h"

#include "base/text.h"
#include "node/model/tell.h"
#include "node/pause.h"

#include <string.h>

/* ---- tell ------------------------------------------------------------------------------------------------
 */

/* What the redactor took out of a sentence, for the audit log and (list, may be NULL) for the user. */
static int redactions_save(struct node *n, cJSON *list, struct err *e)
{
    struct audit_count c;
    for (size_t i = 0; audit_counts_at(n->audit, i, &c); i++) {
        int64_t now = clock_wall_ms(&n->clock); /* audit_text() knows no time */
        struct audit_row row = {.first_ms = now, .last_ms = now, .n = c.n};
        row.rule = bytes_str(c.rule);
        row.source = bytes_str(c.source);
        int rc = local_audit_add(n->store, &row, e);
        cJSON *o = rc == 0 && list != NULL ? put_object(list, NULL) : NULL;
        if (rc == 0 && list != NULL &&
            (o == NULL || put_str(o, "what", c.rule) != 0 || put_num(o, "count", (double)c.n) != 0)) {
            rc = ERR_NOMEM;
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

struct tell_work {
    struct told told;
    struct id id;
    enum tell_outcome outcome;
    cJSON *redacted;
};

static int tell_body(struct node *n, void *ctx, struct err *e)
{
    struct tell_work *w = ctx;
    struct teller t;
    audit_counts_clear(n->audit);
    int rc = teller_init(&t, n->store, n->audit, e);
    if (rc == 0) {
        t.claim_secret = node_claim_secret(n);
        t.rng = &n->rng;
        t.now_ms = clock_wall_ms(&n->clock);
        rc = tell(&t, &w->told, &w->id, &w->outcome, e);
    }
    if (rc == 0) {
        rc = redactions_save(n, w->redacted, e);
    }
    teller_release(&t);
    return rc;
}

int api_tell(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct tell_work w = {.redacted = put_array(doc, "redacted")};
    w.told = (struct told){.text = arg_text(req, "text"),
                           .scope = arg_text(req, "scope"),
                           .pinned = arg_bool(req, "pinned") ? 1 : -1};
    int64_t confidence = arg_int(req, "confidence", 0);
    int64_t decay = arg_int(req, "decay", 0);
    if (confidence < 0 || confidence > 10 || decay < 0 || decay > 10) {
        return err_set(e, ERR_USAGE, "confidence and decay are 1 to 10");
    }
    w.told.confidence = (int)confidence;
    w.told.decay = (int)decay;
    int rc = w.redacted != NULL ? api_transaction(n, tell_body, &w, e) : ERR_NOMEM;
    audit_counts_clear(n->audit);
    if (rc == 0) {
        rc = put_bool(doc, "existed", w.outcome != TELL_NEW);
    }
    return rc != 0 ? rc : put_prop_by_id(n, doc, &w.id, e);
}

/* ---- one register of one proposition ----------------------------------------------------------------------
 */

struct reg_work {
    struct id id;
    enum op_class cls;
    enum op_tag tag;
    struct bytes value;
};

static void reg_draft(struct draft *d, const struct entity *x, enum op_tag tag, struct bytes value)
{
    uint8_t stamps[LIMIT_PRIOR_STAMPS][16];
    size_t n = entity_stamps(x, tag, stamps, LIMIT_PRIOR_STAMPS);
    draft_reg(d, tag, value, stamps, n);
}

static int reg_body(struct node *n, void *ctx, struct err *e)
{
    struct reg_work *w = ctx;
    struct draft d;
    struct entity *x = entity_new();
    draft_init(&d);
    int rc = x != NULL ? store_entity(n->store, SPACE_PROPOSITION, &w->id, x, e) : ERR_NOMEM;
    if (rc == 0) {
        draft_reset(&d, SPACE_PROPOSITION, w->cls, &w->id);
        reg_draft(&d, x, w->tag, w->value);
        rc = store_write(n->store, &d, e);
    }
    if (rc == 0) {
        rc = redactions_save(n, NULL, e);
    }
    draft_release(&d);
    entity_free(x);
    return rc;
}

static int reg_set(struct node *n, const cJSON *req, cJSON *doc, struct reg_work *w, struct err *e)
{
    int rc = arg_prop(n, req, &w->id, e);
    if (rc == 0) {
        rc = api_transaction(n, reg_body, w, e);
    }
    return rc != 0 ? rc : put_prop_by_id(n, doc, &w->id, e);
}

static int verdict_set(struct node *n, const cJSON *req, cJSON *doc, enum verdict verdict, struct err *e)
{
    uint8_t v = (uint8_t)(arg_bool(req, "off") ? VERDICT_NONE : verdict);
    struct reg_work w = {.cls = CLASS_CONFIRM, .tag = REG_VERDICT, .value = bytes_of(&v, 1)};
    return reg_set(n, req, doc, &w, e);
}

int api_confirm(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    return verdict_set(n, req, doc, VERDICT_CONFIRMED, e);
}

int api_reject(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    return verdict_set(n, req, doc, VERDICT_REJECTED, e);
}

int api_pin(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    uint8_t v = arg_bool(req, "off") ? 0 : 1;
    struct reg_work w = {.cls = CLASS_CONFIRM, .tag = REG_PINNED, .value = bytes_of(&v, 1)};
    return reg_set(n, req, doc, &w, e);
}

int api_edit(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct bytes text = bytes_trim(arg_text(req, "text"));
    struct buf clean;
    if (text.n == 0) {
        return err_set(e, ERR_USAGE,
                       "the new text is empty; to remove a proposition use: selfsame forget ID");
    }
    if (text.n > LIMIT_TEXT_BYTES || !utf8_valid(text)) {
        return err_set(e, ERR_LIMIT, "the text is valid UTF-8 of at most %u bytes", LIMIT_TEXT_BYTES);
    }
    buf_init(&clean, 2 * LIMIT_TEXT_BYTES);
    audit_counts_clear(n->audit);
    int rc = audit_text(n->audit, text, &clean);
    struct reg_work w = {.cls = CLASS_EDIT, .tag = REG_TEXT, .value = buf_view(&clean)};
    rc = rc != 0 ? err_set(e, rc, "auditing the text") : reg_set(n, req, doc, &w, e);
    audit_counts_clear(n->audit);
    buf_release(&clean);
    return rc;
}

/* ---- pause -----------------------------------------------------------------------------------------------
 */

#define PAUSE_DEFAULT_MS MS_HOUR
#define PAUSE_MS_MAX (366 * MS_DAY)

int api_pause(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pauses p;
    struct bytes duration = arg_text(req, "duration");
    int64_t ms = PAUSE_DEFAULT_MS;
    int64_t now = clock_wall_ms(&n->clock);
    bool off = arg_bool(req, "off");
    int rc = pauses_load(n->store, &p, e);
    if (rc == 0 && duration.p != NULL && duration_parse(duration, &ms) != 0) {
        (void)err_set(e, ERR_USAGE, "not a duration: '%.*s'", (int)(duration.n > 40 ? 40 : duration.n),
                      (const char *)duration.p);
        err_hint(e, "write it as 30m, 2h or 1d");
        rc = ERR_USAGE;
    }
    if (rc == 0 && ms > PAUSE_MS_MAX) {
        rc = err_set(e, ERR_USAGE, "a pause lasts at most a year");
    }
    int64_t was = rc == 0 ? pauses_at(&p, now) : 0;
    if (rc == 0) {
        /* Histories keep whole seconds: what is done in the second of the pause's start belongs to it. */
        rc = off ? pauses_end(n->store, &p, now, e)
                 : pauses_start(n->store, &p, now - now % MS_SECOND, now + ms, e);
    }
    if (rc == 0) {
        rc = put_time(doc, "paused_until", pauses_at(&p, now));
    }
    return rc != 0 ? rc : put_time(doc, "was_paused_until", was);
}
