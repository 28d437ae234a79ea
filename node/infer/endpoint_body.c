/* What is sent: the documents of /chat/completions and /embeddings. */
#include "node/infer/endpoint_int.h"

#include "base/base64.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static const char plain_intro[] = "\n\nAnswer with one JSON document that fits this JSON schema, and with "
                                  "nothing else, no fence around it:\n";

/* A string of the bytes (UTF-8 without NUL), with `more` behind it. */
static cJSON *string_of(struct bytes text, struct bytes intro, struct bytes more)
{
    struct buf b;
    buf_init(&b, text.n + intro.n + more.n + 1);
    (void)buf_bytes(&b, text);
    (void)buf_bytes(&b, intro);
    (void)buf_bytes(&b, more);
    cJSON *s = b.err == 0 ? cJSON_CreateString(buf_cstr(&b)) : NULL;
    buf_release(&b);
    return s;
}

static bool add(cJSON *to, const char *key, cJSON *v)
{
    bool ok = v != NULL && (key != NULL ? cJSON_AddItemToObject(to, key, v) : cJSON_AddItemToArray(to, v));
    if (!ok) {
        cJSON_Delete(v);
    }
    return ok;
}

static bool image_add(cJSON *content, const struct ask_part *p)
{
    struct buf url;
    buf_init(&url, p->image.n * 2 + 128);
    (void)buf_printf(&url, "data:%s;base64,", p->image_type);
    (void)base64_put(buf_view(&p->image), &url);
    cJSON *item = cJSON_CreateObject();
    cJSON *inner = item != NULL ? cJSON_AddObjectToObject(item, "image_url") : NULL;
    bool ok = inner != NULL && url.err == 0 && cJSON_AddStringToObject(item, "type", "image_url") != NULL &&
              add(inner, "url", cJSON_CreateString(buf_cstr(&url)));
    buf_release(&url);
    if (!ok) {
        cJSON_Delete(item);
        return false;
    }
    return add(content, NULL, item);
}

static bool text_add(cJSON *content, cJSON *text)
{
    cJSON *item = cJSON_CreateObject();
    bool ok = item != NULL && cJSON_AddStringToObject(item, "type", "text") != NULL;
    if (!ok) {
        cJSON_Delete(item);
        cJSON_Delete(text);
        return false;
    }
    return add(item, "text", text) ? add(content, NULL, item) : (cJSON_Delete(item), false);
}

/* The text of part i, with the schema behind the last one where it is asked for in words. */
static cJSON *text_of(const struct ask *a, size_t i, bool last)
{
    bool words = last && a->schema.n > 0 && (a->mode == FORMAT_OBJECT || a->mode == FORMAT_PLAIN);
    return string_of(buf_view(&a->parts[i].text), words ? bytes_str(plain_intro) : BYTES_NONE,
                     words ? buf_view(&a->schema) : BYTES_NONE);
}

static bool content_put(cJSON *message, const struct ask *a, size_t from, size_t to)
{
    if (to == from + 1 && a->parts[from].image.n == 0) {
        return add(message, "content", text_of(a, from, to == a->n_parts));
    }
    cJSON *content = cJSON_AddArrayToObject(message, "content");
    bool ok = content != NULL;
    for (size_t i = from; ok && i < to; i++) {
        if (a->parts[i].image.n > 0) {
            ok = image_add(content, &a->parts[i]);
        }
        if (ok && (a->parts[i].text.n > 0 || i + 1 == a->n_parts)) {
            ok = text_add(content, text_of(a, i, i + 1 == a->n_parts));
        }
    }
    return ok;
}

static bool messages_put(cJSON *doc, const struct ask *a)
{
    cJSON *list = cJSON_AddArrayToObject(doc, "messages");
    bool ok = list != NULL;
    for (size_t i = 0, end; ok && i < a->n_parts; i = end) {
        for (end = i + 1; end < a->n_parts && strcmp(a->parts[end].role, a->parts[i].role) == 0;) {
            end++;
        }
        cJSON *m = cJSON_CreateObject();
        ok = m != NULL && add(list, NULL, m) &&
             cJSON_AddStringToObject(m, "role", a->parts[i].role) != NULL && content_put(m, a, i, end);
    }
    return ok;
}

static cJSON *schema_of(const struct ask *a)
{
    return cJSON_ParseWithLength((const char *)a->schema.p, a->schema.n);
}

static bool format_put(cJSON *doc, const struct ask *a)
{
    if (a->schema.n == 0 || a->mode == FORMAT_PLAIN) {
        return true;
    }
    cJSON *format = cJSON_AddObjectToObject(doc, "response_format");
    if (format == NULL) {
        return false;
    }
    cJSON *js = NULL;
    if (a->mode != FORMAT_SCHEMA) {
        return cJSON_AddStringToObject(format, "type", "json_object") != NULL &&
               (a->mode == FORMAT_OBJECT || add(format, "schema", schema_of(a)));
    }
    return cJSON_AddStringToObject(format, "type", "json_schema") != NULL &&
           (js = cJSON_AddObjectToObject(format, "json_schema")) != NULL &&
           cJSON_AddStringToObject(js, "name", a->schema_name) != NULL &&
           cJSON_AddTrueToObject(js, "strict") != NULL && add(js, "schema", schema_of(a));
}

static int print(cJSON *doc, bool ok, struct buf *out)
{
    char *text = ok ? cJSON_PrintUnformatted(doc) : NULL;
    int rc = text != NULL ? buf_str(out, text) : ERR_NOMEM;
    if (text != NULL) {
        mem_wipe(text, strlen(text));
    }
    cJSON_free(text);
    cJSON_Delete(doc);
    return rc;
}

int body_chat(const struct endpoint *x, const struct ask *a, struct buf *out)
{
    cJSON *doc = cJSON_CreateObject();
    const char *tokens = a->new_tokens_field ? "max_completion_tokens" : "max_tokens";
    bool ok = doc != NULL && cJSON_AddStringToObject(doc, "model", ask_model(x, a)) != NULL &&
              messages_put(doc, a) && cJSON_AddNumberToObject(doc, tokens, a->tokens_max) != NULL &&
              format_put(doc, a) && cJSON_AddFalseToObject(doc, "stream") != NULL;
    return print(doc, ok, out);
}

int body_embed(const struct endpoint *x, const struct ask *a, struct buf *out)
{
    cJSON *doc = cJSON_CreateObject();
    cJSON *list = NULL;
    bool ok = doc != NULL && cJSON_AddStringToObject(doc, "model", ask_model(x, a)) != NULL &&
              (list = cJSON_AddArrayToObject(doc, "input")) != NULL &&
              cJSON_AddStringToObject(doc, "encoding_format", "float") != NULL;
    for (size_t i = 0; ok && i < a->n_parts; i++) {
        ok = add(list, NULL, string_of(buf_view(&a->parts[i].text), BYTES_NONE, BYTES_NONE));
    }
    return print(doc, ok, out);
}
