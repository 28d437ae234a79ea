/* Telling: a sentence of the user's becomes a proposition of class EDIT. */
#include "node/model/tell.h"

#include "base/limits.h"
#include "base/text.h"
#include "node/model/claim.h"
#include "node/model/kinds.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#define PRIOR_MAX 990 /* 1/1000; certainty is the user's verdict, not a number */

int teller_init(struct teller *t, struct store *s, struct audit *a, struct err *e)
{
    memset(t, 0, sizeof(*t));
    t->store = s;
    t->audit = a;
    draft_init(&t->draft);
    buf_init(&t->text, 4 * LIMIT_TEXT_BYTES);
    buf_init(&t->key, 4 * LIMIT_TEXT_BYTES);
    t->entity = entity_new();
    return t->entity != NULL ? 0 : err_set(e, ERR_NOMEM, "telling");
}

void teller_release(struct teller *t)
{
    draft_release(&t->draft);
    buf_release(&t->text);
    buf_release(&t->key);
    entity_free(t->entity);
    t->entity = NULL;
}

static int told_check(const struct told *told, struct err *e)
{
    if (told->confidence < 0 || told->confidence > 10) {
        return err_set(e, ERR_USAGE, "confidence is 1 to 10");
    }
    if (told->decay < 0 || told->decay > 10) {
        return err_set(e, ERR_USAGE, "decay is 1 to 10");
    }
    if (told->scope.n > LIMIT_NAME_BYTES || !utf8_valid(told->scope)) {
        return err_set(e, ERR_USAGE, "a scope is valid UTF-8 of at most %u bytes", LIMIT_NAME_BYTES);
    }
    if (bytes_trim(told->text).n == 0) {
        return err_set(e, ERR_FORMAT, "the text is empty");
    }
    if (told->text.n > LIMIT_TEXT_BYTES) {
        return err_set(e, ERR_LIMIT, "the text has %zu bytes, at most %u are kept", told->text.n,
                       LIMIT_TEXT_BYTES);
    }
    return 0;
}

/* The text as it will be stored, on one line, into t->text; its normal form into t->key. */
static int text_prepare(struct teller *t, struct bytes text, struct err *e)
{
    buf_clear(&t->text);
    buf_clear(&t->key);
    int rc = audit_text(t->audit, bytes_trim(text), &t->text);
    if (rc != 0) {
        return err_set(e, rc, "auditing the text");
    }
    for (size_t i = 0; i < t->text.n; i++) {
        if (t->text.p[i] == '\n' || t->text.p[i] == '\r' || t->text.p[i] == '\t') {
            t->text.p[i] = ' ';
        }
    }
    rc = text_normalise(buf_view(&t->text), &t->key);
    return rc != 0 ? err_set(e, rc, "normalising the text") : 0;
}

/* Adds a register write naming what it replaces, unless the entity holds that value already. */
static bool reg_put(struct teller *t, enum op_tag tag, struct bytes value)
{
    struct bytes held;
    uint8_t stamps[LIMIT_PRIOR_STAMPS][16];
    if (entity_reg(t->entity, tag, &held, NULL) && bytes_eq(held, value)) {
        return false;
    }
    size_t n = entity_stamps(t->entity, tag, stamps, LIMIT_PRIOR_STAMPS);
    draft_reg(&t->draft, tag, value, stamps, n);
    return true;
}

static bool reg_put_u8(struct teller *t, enum op_tag tag, uint8_t v)
{
    return reg_put(t, tag, bytes_of(&v, 1));
}

static bool prior_put(struct teller *t, const struct told *told)
{
    unsigned prior = (unsigned)told->confidence * 100u;
    prior = prior > PRIOR_MAX ? PRIOR_MAX : prior;
    uint8_t v[2] = {(uint8_t)(prior >> 8), (uint8_t)prior};
    return reg_put(t, REG_PRIOR, bytes_of(v, sizeof(v)));
}

/* Registers in ascending tag order, as the canonical encoding wants them. */
static bool draft_fill(struct teller *t, const struct told *told, bool fresh)
{
    bool any = false;
    if (fresh) {
        any |= reg_put(t, REG_TEXT, buf_view(&t->text));
    }
    if (fresh || told->decay > 0) {
        any |= reg_put_u8(t, REG_DECAY, told->decay > 0 ? (uint8_t)told->decay : kind_info(KIND_TOLD)->decay);
    }
    if (told->scope.n > 0) {
        any |= reg_put(t, REG_SCOPE, told->scope);
    }
    if (fresh) {
        any |= reg_put_u8(t, REG_KIND, KIND_TOLD);
    }
    if (told->confidence > 0) {
        any |= prior_put(t, told);
    }
    if (told->pinned >= 0 && (told->pinned == 1 || !fresh)) {
        any |= reg_put_u8(t, REG_PINNED, (uint8_t)told->pinned);
    }
    if (fresh) {
        any |= reg_put(t, REG_ORIGIN, BYTES_LIT("tell"));
        t->key.n = 0;
        wr_svarint(&t->key, t->now_ms);
        any |= reg_put(t, REG_CREATED, buf_view(&t->key));
    }
    return any;
}

int told_id(struct bytes claim_secret, struct bytes text, struct id *out)
{
    struct buf key;
    buf_init(&key, 2 * LIMIT_TEXT_BYTES);
    int rc = text_normalise(text, &key);
    if (rc == 0) {
        claim_id(claim_secret, KIND_TOLD, buf_view(&key), out);
    }
    buf_release(&key);
    return rc;
}

int tell(struct teller *t, const struct told *told, struct id *id, enum tell_outcome *outcome, struct err *e)
{
    int rc = told_check(told, e);
    if (rc == 0) {
        rc = text_prepare(t, told->text, e);
    }
    if (rc != 0) {
        return rc;
    }
    claim_id(t->claim_secret, KIND_TOLD, buf_view(&t->key), id);
    rc = store_entity(t->store, SPACE_PROPOSITION, id, t->entity, NULL); /* mostly new: no text for that */
    bool fresh = rc == ERR_NOTFOUND;
    if (rc != 0 && !fresh) {
        return err_set(e, rc, "looking for the proposition");
    }
    if (!fresh && entity_forgotten(t->entity)) {
        rng_fill(t->rng, id->b, ID_BYTES);
        fresh = true;
    }
    if (fresh) {
        entity_clear(t->entity);
    }
    draft_reset(&t->draft, SPACE_PROPOSITION, CLASS_EDIT, id);
    if (!draft_fill(t, told, fresh)) {
        *outcome = TELL_KNOWN;
        return 0;
    }
    *outcome = fresh ? TELL_NEW : TELL_CHANGED;
    return store_write(t->store, &t->draft, e);
}

/* ---- lines -----------------------------------------------------------------------------------------------
 */

static int number_field(const cJSON *v, int *out)
{
    if (!cJSON_IsNumber(v) || v->valuedouble < 1 || v->valuedouble > 10 ||
        floor(v->valuedouble) < v->valuedouble) {
        return ERR_FORMAT;
    }
    *out = (int)v->valuedouble;
    return 0;
}

static int text_field(const cJSON *v, struct bytes *out)
{
    if (!cJSON_IsString(v)) {
        return ERR_FORMAT;
    }
    *out = bytes_str(v->valuestring);
    return 0;
}

static int field_take(const cJSON *v, struct told *out, struct err *e)
{
    const char *key = v->string;
    if (strcmp(key, "text") == 0) {
        return text_field(v, &out->text) != 0 ? err_set(e, ERR_FORMAT, "is not a string") : 0;
    }
    if (strcmp(key, "scope") == 0) {
        return text_field(v, &out->scope) != 0 ? err_set(e, ERR_FORMAT, "is not a string") : 0;
    }
    if (strcmp(key, "confidence") == 0) {
        return number_field(v, &out->confidence) != 0
                   ? err_set(e, ERR_FORMAT, "is not a whole number 1 to 10")
                   : 0;
    }
    if (strcmp(key, "decay") == 0) {
        return number_field(v, &out->decay) != 0 ? err_set(e, ERR_FORMAT, "is not a whole number 1 to 10")
                                                 : 0;
    }
    if (strcmp(key, "pinned") == 0) {
        if (!cJSON_IsBool(v)) {
            return err_set(e, ERR_FORMAT, "is not true or false");
        }
        out->pinned = cJSON_IsTrue(v) ? 1 : 0;
    }
    return 0; /* other keys are none of ours */
}

static int object_parse(struct bytes line, struct told_line *out, char field[64], struct err *e)
{
    const char *end = NULL;
    cJSON *doc = cJSON_ParseWithLengthOpts((const char *)line.p, line.n, &end, 0);
    out->doc = doc;
    if (doc == NULL || !cJSON_IsObject(doc) || end != (const char *)line.p + line.n) {
        return err_set(e, ERR_FORMAT, "not a JSON object");
    }
    const cJSON *v = NULL;
    cJSON_ArrayForEach(v, doc)
    {
        int rc = field_take(v, &out->told, e);
        if (rc != 0) {
            struct bytes name = utf8_cut(bytes_str(v->string), 63);
            memcpy(field, name.p, name.n);
            field[name.n] = '\0';
            return rc;
        }
    }
    if (out->told.text.p == NULL) {
        memcpy(field, "text", 5);
        return err_set(e, ERR_FORMAT, "is missing");
    }
    return 0;
}

int tell_line_parse(struct bytes line, struct told_line *out, char field[64], struct err *e)
{
    *out = (struct told_line){.told = {.pinned = -1}};
    field[0] = '\0';
    line = bytes_trim(line);
    if (line.n == 0 || line.p[0] == '#') {
        return 0;
    }
    if (line.n > 8 * LIMIT_TEXT_BYTES) {
        return err_set(e, ERR_LIMIT, "the line has %zu bytes, at most %u are read", line.n,
                       8 * LIMIT_TEXT_BYTES);
    }
    if (!utf8_valid(line)) {
        return err_set(e, ERR_FORMAT, "not valid UTF-8");
    }
    if (line.p[0] == '{') {
        return object_parse(line, out, field, e);
    }
    out->told.text = line;
    return 0;
}

void tell_line_free(struct told_line *l)
{
    cJSON_Delete(l->doc);
    l->doc = NULL;
}
