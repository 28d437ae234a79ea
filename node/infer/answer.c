/* Reading what an endpoint answers. The body must be strict JSON (that is the server's work); what the model
 * wrote into it is mended by answer_json.c.
 *
 * Which document in a message is the answer: every value that begins with a bracket and stands alone in the
 * text is looked at. A piece that has begun to be JSON and then breaks is the answer, broken: the whole
 * message is refused rather than some inner part of it taken. Of several that fit, all must be equal. */
#include "node/infer/answer.h"

#include "base/base64.h"
#include "base/limits.h"
#include "base/text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How often, on average, a byte of a message may be looked at before it is given up. */
#define WORK_FACTOR 8

static const cJSON *get(const cJSON *o, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

/* ---- bodies
 * ------------------------------------------------------------------------------------------------
 */

/* Strict JSON, nothing behind it, no NUL in strings, bounded depth → a tree. cJSON alone would cut strings at
 * a NUL and take much that is no JSON. */
static int body_parse(struct bytes body, size_t values_max, cJSON **out, struct err *e)
{
    struct buf text;
    buf_init(&text, body.n * 2 + 64);
    struct json_mend m = {.in = body, .strict = true, .values_max = values_max, .out = &text};
    *out = NULL;
    int rc = json_mend(&m);
    if (rc == 0 && bytes_trim(bytes_slice(body, m.at, SIZE_MAX)).n > 0) {
        rc = ERR_FORMAT;
    }
    if (rc == 0) {
        *out = cJSON_ParseWithLength((const char *)text.p, text.n);
        rc = *out != NULL ? 0 : ERR_FORMAT;
    }
    buf_release(&text);
    return rc == 0 ? 0 : err_set(e, rc, "the endpoint's answer is not JSON");
}

static unsigned count_of(const cJSON *usage, const char *key)
{
    const cJSON *v = get(usage, key);
    return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 1e9 ? (unsigned)v->valuedouble : 0;
}

static void usage_read(const cJSON *doc, struct answer_usage *u)
{
    const cJSON *usage = get(doc, "usage");
    u->given = cJSON_IsNumber(get(usage, "prompt_tokens"));
    u->tokens_in = count_of(usage, "prompt_tokens");
    u->tokens_out = count_of(usage, "completion_tokens");
}

/* ---- messages
 * ----------------------------------------------------------------------------------------------
 */

static int text_add(const cJSON *v, struct buf *out)
{
    struct bytes text = bytes_str(cJSON_GetStringValue(v));
    return utf8_valid(text) ? buf_bytes(out, text) : utf8_repair(text, out);
}

/* [{"type":"text","text":…}, …]: what is no text is passed over. */
static int parts_add(const cJSON *parts, struct buf *out, size_t *n)
{
    const cJSON *part = NULL;
    int rc = 0;
    cJSON_ArrayForEach(part, parts)
    {
        const cJSON *text = cJSON_IsString(part) ? part : get(part, "text");
        const char *type = cJSON_GetStringValue(get(part, "type"));
        if (rc == 0 && cJSON_IsString(text) && (type == NULL || strstr(type, "text") != NULL)) {
            rc = text_add(text, out);
            ++*n;
        }
    }
    return rc;
}

static int message_take(const cJSON *choice, struct buf *out, struct err *e)
{
    const cJSON *message = get(choice, "message");
    const cJSON *content = cJSON_IsObject(message) ? get(message, "content") : get(choice, "text");
    const cJSON *refusal = get(message, "refusal");
    size_t n = 0;
    int rc = 0;
    if (cJSON_IsString(content)) {
        rc = text_add(content, out);
        n = 1;
    } else if (cJSON_IsArray(content)) {
        rc = parts_add(content, out, &n);
    }
    if (rc != 0) {
        return err_set(e, rc, "the endpoint's message is too long");
    }
    if (cJSON_IsString(refusal) && refusal->valuestring[0] != '\0' && out->n == 0) {
        return err_set(e, ERR_FORMAT, "the model declined to answer");
    }
    return n > 0 ? 0 : err_set(e, ERR_FORMAT, "the endpoint's answer has no message in it");
}

int answer_message_read(struct bytes body, struct answer_message *m, struct err *e)
{
    cJSON *doc = NULL;
    int rc = body_parse(body, ANSWER_VALUES_MAX, &doc, e);
    if (rc != 0) {
        return rc;
    }
    const cJSON *choices = get(doc, "choices");
    const cJSON *choice = cJSON_IsArray(choices) ? cJSON_GetArrayItem(choices, 0) : NULL;
    const char *why = cJSON_GetStringValue(get(choice, "finish_reason"));
    usage_read(doc, &m->usage);
    m->cut = why != NULL && strcmp(why, "length") == 0;
    m->whole = why != NULL && strcmp(why, "stop") == 0;
    rc = cJSON_IsObject(choice) ? message_take(choice, m->text, e)
                                : err_set(e, ERR_FORMAT, "the endpoint's answer has no message in it");
    if (rc == 0 && why != NULL && strcmp(why, "content_filter") == 0) {
        rc = err_set(e, ERR_FORMAT, "the endpoint's filter stopped the answer");
    }
    cJSON_Delete(doc);
    return rc;
}

/* ---- shapes
 * ------------------------------------------------------------------------------------------------
 */

static bool is_type(const cJSON *schema, const char *type)
{
    const char *t = cJSON_GetStringValue(get(schema, "type"));
    return t != NULL && strcmp(t, type) == 0;
}

/* The name of the only array among the properties, when nothing else is required. */
static void list_find(const cJSON *schema, struct answer_shape *out)
{
    const cJSON *p = NULL;
    const cJSON *list = NULL;
    cJSON_ArrayForEach(p, get(schema, "properties"))
    {
        if (is_type(p, "array") && list != NULL) {
            return;
        }
        list = is_type(p, "array") ? p : list;
    }
    bool alone = out->n_required == 0 ||
                 (out->n_required == 1 && list != NULL && strcmp(out->required[0], list->string) == 0);
    if (list != NULL && alone && strlen(list->string) < ANSWER_KEY_BYTES) {
        (void)strncpy(out->list, list->string, ANSWER_KEY_BYTES - 1);
        out->list_objects = is_type(get(list, "items"), "object");
    }
}

static int required_read(const cJSON *schema, struct answer_shape *out)
{
    const cJSON *k = NULL;
    cJSON_ArrayForEach(k, get(schema, "required"))
    {
        const char *key = cJSON_GetStringValue(k);
        if (key == NULL || strlen(key) >= ANSWER_KEY_BYTES || out->n_required == ANSWER_KEYS_MAX) {
            return ERR_USAGE;
        }
        (void)strncpy(out->required[out->n_required++], key, ANSWER_KEY_BYTES - 1);
    }
    return 0;
}

int answer_shape_read(struct bytes schema, struct answer_shape *out, struct err *e)
{
    cJSON *doc = NULL;
    *out = (struct answer_shape){0};
    int rc = body_parse(schema, ANSWER_VALUES_MAX, &doc, e) == 0 ? 0 : ERR_USAGE;
    out->array = is_type(doc, "array");
    if (rc == 0 && !out->array && !is_type(doc, "object")) {
        rc = ERR_USAGE;
    }
    if (rc == 0) {
        rc = required_read(doc, out);
    }
    if (rc == 0 && out->array) {
        out->list_objects = is_type(get(doc, "items"), "object");
    } else if (rc == 0) {
        list_find(doc, out);
    }
    cJSON_Delete(doc);
    return rc == 0 ? 0 : err_set(e, rc, "not a schema of an object or an array");
}

static bool list_fits(const cJSON *list, bool objects)
{
    const cJSON *item = NULL;
    if (!cJSON_IsArray(list)) {
        return false;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (objects && !cJSON_IsObject(item)) {
            return false;
        }
    }
    return true;
}

static bool fits(const cJSON *v, const struct answer_shape *s)
{
    if (s->array) {
        return list_fits(v, s->list_objects);
    }
    for (size_t i = 0; i < s->n_required; i++) {
        if (get(v, s->required[i]) == NULL) {
            return false;
        }
    }
    return cJSON_IsObject(v) &&
           (s->list[0] == '\0' || get(v, s->list) == NULL || list_fits(get(v, s->list), s->list_objects));
}

/* Every object's keys differ, and there are not too many of them. */
static bool keys_differ(const cJSON *v)
{
    const cJSON *a = NULL;
    size_t n = 0;
    cJSON_ArrayForEach(a, v)
    {
        if (!keys_differ(a)) {
            return false;
        }
        if (!cJSON_IsObject(v)) {
            continue;
        }
        if (++n > ANSWER_MEMBERS_MAX) {
            return false;
        }
        for (const cJSON *b = a->next; b != NULL; b = b->next) {
            if (strcmp(a->string, b->string) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* ---- documents
 * ---------------------------------------------------------------------------------------------
 */

struct search {
    const struct answer_shape *shape;
    cJSON *exact, *other; /* found so far: of the shape; made to be of the shape */
};

/* v in the shape, where one step leads there: {"name": ANSWER}, [ANSWER], a list that stands alone, or one in
 * an object. Owned by the caller; NULL: none. */
static cJSON *reshape(const cJSON *v, const struct answer_shape *s)
{
    const cJSON *inner = NULL;
    const cJSON *found = NULL;
    size_t n = 0;
    if (!s->array && s->list[0] != '\0' && list_fits(v, s->list_objects) &&
        (cJSON_GetArraySize(v) != 1 || !fits(v->child, s))) {
        cJSON *wrap = cJSON_CreateObject();
        cJSON *copy = wrap != NULL ? cJSON_Duplicate(v, true) : NULL;
        if (copy == NULL || !cJSON_AddItemToObject(wrap, s->list, copy)) {
            cJSON_Delete(copy);
            cJSON_Delete(wrap);
            return NULL;
        }
        return wrap;
    }
    cJSON_ArrayForEach(inner, v)
    {
        bool holds = fits(inner, s);
        found = holds ? inner : found;
        n += holds || cJSON_IsObject(inner) || cJSON_IsArray(inner);
    }
    bool alone = found != NULL && n == 1 && (cJSON_IsObject(v) ? true : cJSON_GetArraySize(v) == 1);
    return alone ? cJSON_Duplicate(found, true) : NULL;
}

/* Keeps v (taken) unless it says the same as what is there; false when it says something else. */
static bool keep(cJSON **slot, cJSON *v)
{
    bool same = *slot == NULL || cJSON_Compare(*slot, v, true);
    if (*slot == NULL) {
        *slot = v;
    } else {
        cJSON_Delete(v);
    }
    return same;
}

static int candidate(struct search *s, struct bytes text, struct err *e)
{
    cJSON *v = cJSON_ParseWithLength((const char *)text.p, text.n);
    bool one = true;
    if (v == NULL || !keys_differ(v)) {
        cJSON_Delete(v);
        return err_set(e, ERR_FORMAT, "the model's answer says one thing twice");
    }
    if (fits(v, s->shape)) {
        one = keep(&s->exact, v);
    } else {
        cJSON *other = reshape(v, s->shape);
        one = other == NULL || keep(&s->other, other);
        cJSON_Delete(v);
    }
    return one ? 0 : err_set(e, ERR_FORMAT, "the model gave several answers");
}

/* Looks at the bracket at m->at; moves on behind what it took. */
static int bracket_look(struct search *s, struct json_mend *m, bool whole, struct err *e)
{
    size_t from = m->at;
    buf_clear(m->out);
    int rc = json_mend(m);
    if (rc == 0 && m->added > 0 && !whole) {
        m->ended = true;
        rc = ERR_FORMAT;
    }
    if (rc == 0) {
        return candidate(s, buf_view(m->out), e);
    }
    if (m->out->err != 0 || rc == ERR_LIMIT) {
        return err_set(e, m->out->err != 0 ? m->out->err : rc, "the model's answer is too large");
    }
    if (m->ended || m->keys > 0 || m->closed > 0) {
        return err_set(e, ERR_FORMAT,
                       m->ended ? "the model's answer ends before it is over"
                                : "the model's answer is not JSON");
    }
    m->at = from + 1;
    return 0;
}

/* Reasoning that some models write first. */
static struct bytes thoughts_skip(struct bytes text)
{
    text = bytes_trim(text);
    if (!bytes_starts(text, BYTES_LIT("<think>"))) {
        return text;
    }
    size_t end = bytes_find(text, BYTES_LIT("</think>"));
    return end == SIZE_MAX ? BYTES_NONE : bytes_slice(text, end + strlen("</think>"), SIZE_MAX);
}

static int chosen_put(struct search *s, struct buf *out, struct err *e)
{
    const cJSON *v = s->exact != NULL ? s->exact : s->other;
    if (v == NULL) {
        return err_set(e, ERR_FORMAT, "the model's answer does not have the shape that was asked for");
    }
    char *text = cJSON_PrintUnformatted(v);
    int rc = text != NULL ? buf_str(out, text) : ERR_NOMEM;
    cJSON_free(text);
    return rc != 0 ? err_set(e, rc, "reading the model's answer") : 0;
}

int answer_document(struct bytes text, const struct answer_shape *shape, bool whole, struct buf *out,
                    struct err *e)
{
    struct search s = {.shape = shape};
    struct buf scratch;
    int rc = 0;
    text = thoughts_skip(text);
    buf_init(&scratch, 6 * text.n + 64); /* a control character grows to six */
    struct json_mend m = {.in = text, .values_max = ANSWER_VALUES_MAX, .out = &scratch};
    while (rc == 0 && m.at < text.n) {
        if (text.p[m.at] != '{' && text.p[m.at] != '[') {
            m.at++;
        } else if (m.work > WORK_FACTOR * text.n) {
            rc = err_set(e, ERR_LIMIT, "the model's answer is not JSON");
        } else {
            rc = bracket_look(&s, &m, whole, e);
        }
    }
    if (rc == 0) {
        rc = chosen_put(&s, out, e);
    }
    cJSON_Delete(s.exact);
    cJSON_Delete(s.other);
    buf_release(&scratch);
    return rc;
}

/* ---- vectors
 * -----------------------------------------------------------------------------------------------
 */

static int floats_take(const cJSON *list, float *out)
{
    const cJSON *v = NULL;
    cJSON_ArrayForEach(v, list)
    {
        if (!cJSON_IsNumber(v)) {
            return ERR_FORMAT;
        }
        *out++ = (float)v->valuedouble;
    }
    return 0;
}

static int base64_floats(const char *text, struct buf *bytes)
{
    int rc = base64_take(bytes_str(text), bytes);
    return rc == 0 && bytes->n % 4 != 0 ? ERR_FORMAT : rc;
}

static bool vector_fine(const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) {
            return false;
        }
        sum += fabs((double)v[i]);
    }
    return sum > 0;
}

/* One vector into its row; the first one says how many dimensions there are. */
static int vector_take(const cJSON *embedding, struct answer_vectors *out, size_t row)
{
    struct buf bytes;
    buf_init(&bytes, 4 * ANSWER_DIMS_MAX);
    const char *text = cJSON_GetStringValue(embedding);
    int rc = text != NULL ? base64_floats(text, &bytes) : cJSON_IsArray(embedding) ? 0 : ERR_FORMAT;
    size_t dims = text != NULL ? bytes.n / 4 : (size_t)cJSON_GetArraySize(embedding);
    if (rc == 0 && out->n_dims == 0 && dims > 0 && dims <= ANSWER_DIMS_MAX) {
        out->v = calloc(out->n * dims, sizeof(*out->v));
        out->n_dims = out->v != NULL ? dims : 0;
        rc = out->v != NULL ? 0 : ERR_NOMEM;
    }
    if (rc == 0 && (dims != out->n_dims || dims == 0)) {
        rc = ERR_FORMAT;
    }
    float *to = rc == 0 ? out->v + row * dims : NULL;
    if (rc == 0 && text == NULL) {
        rc = floats_take(embedding, to);
    }
    for (size_t i = 0; rc == 0 && text != NULL && i < dims; i++) {
        const uint8_t *p = bytes.p + 4 * i;
        uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&to[i], &bits, sizeof(bits));
    }
    buf_release(&bytes);
    return rc == 0 && !vector_fine(to, dims) ? ERR_FORMAT : rc;
}

static int rows_take(const cJSON *data, struct answer_vectors *out)
{
    const cJSON *item = NULL;
    int64_t at = 0;
    int rc = 0;
    bool *seen = calloc(out->n, sizeof(*seen));
    if (seen == NULL) {
        return ERR_NOMEM;
    }
    cJSON_ArrayForEach(item, data)
    {
        const cJSON *index = get(item, "index");
        double row = cJSON_IsNumber(index) ? index->valuedouble : (double)at;
        at++;
        if (!(row >= 0 && row < (double)out->n) || seen[(size_t)row]) {
            rc = ERR_FORMAT;
        }
        if (rc == 0) {
            seen[(size_t)row] = true;
            rc = vector_take(get(item, "embedding"), out, (size_t)row);
        }
        if (rc != 0) {
            break;
        }
    }
    free(seen);
    return rc;
}

int answer_vectors_read(struct bytes body, size_t n, struct answer_vectors *out, struct err *e)
{
    cJSON *doc = NULL;
    *out = (struct answer_vectors){.n = n};
    int rc = body_parse(body, ANSWER_VALUES_MAX + n * ANSWER_DIMS_MAX, &doc, e);
    if (rc != 0) {
        return rc;
    }
    const cJSON *data = get(doc, "data");
    usage_read(doc, &out->usage);
    if (!cJSON_IsArray(data) || (size_t)cJSON_GetArraySize(data) != n) {
        rc = err_set(e, ERR_FORMAT, "the endpoint answered with another number of vectors than of texts");
    } else if (rows_take(data, out) != 0) {
        rc = err_set(e, ERR_FORMAT, "the endpoint's vectors are not all of one size and of finite numbers");
    }
    if (rc != 0) {
        free(out->v);
        out->v = NULL;
    }
    cJSON_Delete(doc);
    return rc;
}

/* ---- errors
 * ------------------------------------------------------------------------------------------------
 */

static bool code_take(const cJSON *v, char out[ANSWER_CODE_BYTES + 1])
{
    const char *text = cJSON_GetStringValue(v);
    size_t n = text != NULL ? strlen(text) : 0;
    bool word = n > 0 && n <= ANSWER_CODE_BYTES;
    for (size_t i = 0; word && i < n; i++) {
        word = (text[i] >= 'a' && text[i] <= 'z') || text[i] == '_';
    }
    if (word) {
        memcpy(out, text, n + 1);
    }
    return word;
}

void answer_error_code(struct bytes body, char out[ANSWER_CODE_BYTES + 1])
{
    cJSON *doc = NULL;
    out[0] = '\0';
    if (body_parse(body, ANSWER_VALUES_MAX, &doc, NULL) == 0) {
        const cJSON *error = get(doc, "error");
        (void)(code_take(get(error, "code"), out) || code_take(get(error, "type"), out));
    }
    cJSON_Delete(doc);
}
