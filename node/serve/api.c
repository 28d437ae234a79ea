/* The control interface: the table of commands with their arguments, and the way through it. */
#include "node/serve/api.h"

#include "base/check.h"
#include "node/serve/api_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum arg_type { ARG_TEXT, ARG_BOOL, ARG_INT, ARG_OBJECT, ARG_ARRAY };

struct arg {
    const char *name;
    enum arg_type type;
    bool required;
};

#define ARGS_MAX 8

struct command {
    const char *name;
    bool reads; /* changes nothing */
    api_handler run;
    struct arg args[ARGS_MAX];
};

#define ID_ARG                                                                                               \
    {                                                                                                        \
        "id", ARG_TEXT, true                                                                                 \
    }

static const struct command commands[] = {
    {"status", true, api_status, {{NULL, 0, false}}},
    {"show",
     true,
     api_show,
     {{"max", ARG_INT, false},
      {"all", ARG_BOOL, false},
      {"kind", ARG_TEXT, false},
      {"scope", ARG_TEXT, false},
      {"at", ARG_TEXT, false}}},
    {"query",
     true,
     api_query,
     {{"text", ARG_TEXT, true},
      {"max", ARG_INT, false},
      {"scope", ARG_TEXT, false},
      {"all", ARG_BOOL, false},
      {"at", ARG_TEXT, false},
      {"context", ARG_ARRAY, false}}},
    {"why", true, api_why, {ID_ARG, {"max", ARG_INT, false}}},
    {"log",
     true,
     api_log,
     {{"max", ARG_INT, false},
      {"source", ARG_TEXT, false},
      {"since", ARG_TEXT, false},
      {"audit", ARG_BOOL, false},
      {"sent", ARG_BOOL, false}}},
    {"tell",
     false,
     api_tell,
     {{"text", ARG_TEXT, true},
      {"confidence", ARG_INT, false},
      {"decay", ARG_INT, false},
      {"scope", ARG_TEXT, false},
      {"pinned", ARG_BOOL, false}}},
    {"confirm", false, api_confirm, {ID_ARG, {"off", ARG_BOOL, false}}},
    {"reject", false, api_reject, {ID_ARG, {"off", ARG_BOOL, false}}},
    {"pin", false, api_pin, {ID_ARG, {"off", ARG_BOOL, false}}},
    {"edit", false, api_edit, {ID_ARG, {"text", ARG_TEXT, true}}},
    {"forget",
     false,
     api_forget,
     {{"id", ARG_TEXT, false},
      {"source", ARG_TEXT, false},
      {"since", ARG_TEXT, false},
      {"until", ARG_TEXT, false},
      {"keep_observations", ARG_BOOL, false},
      {"dry_run", ARG_BOOL, false}}},
    {"pause", false, api_pause, {{"duration", ARG_TEXT, false}, {"off", ARG_BOOL, false}}},
    {"share", false, api_share, {{"source", ARG_TEXT, false}, {"level", ARG_TEXT, false}}},
    {"config",
     false,
     api_config,
     {{"key", ARG_TEXT, false},
      {"value", ARG_TEXT, false},
      {"unset", ARG_BOOL, false},
      {"add", ARG_BOOL, false},
      {"remove", ARG_BOOL, false}}},
    {"watch", false, api_watch, {{"add", ARG_OBJECT, false}, {"remove", ARG_OBJECT, false}}},
    {"export", true, api_export, {{"after", ARG_TEXT, false}, {"max", ARG_INT, false}}},
    {"doctor", true, api_doctor, {{NULL, 0, false}}},
    {"sources", true, api_sources, {{NULL, 0, false}}},
    {"job.start",
     false,
     api_job_start,
     {{"kind", ARG_TEXT, true},
      {"source", ARG_TEXT, false},
      {"path", ARG_TEXT, false},
      {"watch", ARG_BOOL, false}}},
    {"job.feed",
     false,
     api_job_feed,
     {{"job", ARG_INT, true}, {"data", ARG_TEXT, true}, {"last", ARG_BOOL, false}}},
    {"job.step", false, api_job_step, {{"job", ARG_INT, true}}},
    {"job.stop", false, api_job_stop, {{"job", ARG_INT, true}}},
    {"pair.open", false, api_pair_open, {{"history", ARG_TEXT, false}}},
    {"pair.join", false, api_pair_join, {{"code", ARG_TEXT, true}, {"address", ARG_TEXT, false}}},
    {"pair.recover", false, api_pair_recover, {{"words", ARG_TEXT, true}, {"address", ARG_TEXT, false}}},
    {"pair.state", true, api_pair_state, {{NULL, 0, false}}},
    {"pair.answer", false, api_pair_answer, {{"yes", ARG_BOOL, true}}},
    {"pair.close", false, api_pair_close, {{NULL, 0, false}}},
    {"sync", false, api_sync, {{NULL, 0, false}}},
    {"devices", false, api_devices, {{NULL, 0, false}}},
    {"devices.rename", false, api_devices_rename, {{"device", ARG_TEXT, false}, {"name", ARG_TEXT, true}}},
    {"devices.remove", false, api_devices_remove, {{"device", ARG_TEXT, true}}},
    {"devices.rotate", false, api_devices_rotate, {{NULL, 0, false}}},
    {"devices.words", false, api_devices_words, {{NULL, 0, false}}},
    {"devices.words.check", false, api_devices_words_check, {{"words", ARG_TEXT, true}}},
    {"devices.words.revoke", false, api_devices_words_revoke, {{NULL, 0, false}}},
    {"think", false, api_think, {{"all", ARG_BOOL, false}, {"step", ARG_BOOL, false}}},
    {"pictures",
     false,
     api_pictures,
     {{"after", ARG_INT, false},
      {"look", ARG_BOOL, false},
      {"wake", ARG_BOOL, false},
      {"step", ARG_BOOL, false}}},
    {"conflicts", true, api_conflicts, {{NULL, 0, false}}},
    {"resolve", false, api_resolve, {ID_ARG, {"choice", ARG_INT, true}, {"field", ARG_TEXT, false}}},
    {"lock", false, api_lock, {{NULL, 0, false}}},
    {"unlock", false, api_unlock, {{"passphrase", ARG_TEXT, false}, {"words", ARG_TEXT, false}}},
    {"passphrase", false, api_passphrase, {{"new", ARG_TEXT, true}, {"old", ARG_TEXT, false}}},
    {NULL, false, NULL, {{NULL, 0, false}}},
};

static const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

bool api_reads(const char *cmd)
{
    const struct command *c = command_find(cmd);
    return c != NULL && c->reads;
}

static bool type_fits(const cJSON *v, enum arg_type type)
{
    switch (type) {
    case ARG_TEXT:
        return cJSON_IsString(v);
    case ARG_BOOL:
        return cJSON_IsBool(v);
    case ARG_INT:
        return cJSON_IsNumber(v) && fabs(v->valuedouble) < 1e15 && !(floor(v->valuedouble) < v->valuedouble);
    case ARG_OBJECT:
        return cJSON_IsObject(v);
    case ARG_ARRAY:
        return cJSON_IsArray(v);
    }
    return false;
}

static const struct arg *arg_find(const struct command *c, const char *name)
{
    for (size_t i = 0; i < ARGS_MAX && c->args[i].name != NULL; i++) {
        if (strcmp(c->args[i].name, name) == 0) {
            return &c->args[i];
        }
    }
    return NULL;
}

/* Every argument known and of its type, every required one there. */
static int args_check(const struct command *c, const cJSON *req, struct err *e)
{
    const cJSON *v = NULL;
    cJSON_ArrayForEach(v, req)
    {
        if (strcmp(v->string, "cmd") == 0 || strcmp(v->string, "schema") == 0) {
            continue;
        }
        const struct arg *a = arg_find(c, v->string);
        if (a == NULL) {
            return err_set(e, ERR_USAGE, "'%s' takes no argument '%.64s'", c->name, v->string);
        }
        if (!type_fits(v, a->type)) {
            return err_set(e, ERR_USAGE, "argument '%s' of '%s' has the wrong type", a->name, c->name);
        }
    }
    for (size_t i = 0; i < ARGS_MAX && c->args[i].name != NULL; i++) {
        if (c->args[i].required && cJSON_GetObjectItemCaseSensitive(req, c->args[i].name) == NULL) {
            return err_set(e, ERR_USAGE, "'%s' needs '%s'", c->name, c->args[i].name);
        }
    }
    return 0;
}

static bool opens_keys(const struct command *c)
{
    return c->run == api_unlock || c->run == api_passphrase;
}

/* While the keys are locked only what opens them; while two machines have one identity nothing that writes.
 */
static int may_run(const struct node *n, const struct command *c, struct err *e)
{
    if (n->home.locked && !opens_keys(c)) {
        (void)err_set(e, ERR_LOCKED, "the keys of this device are locked");
        err_hint(e, n->daemon ? "selfsame unlock" : "start the node (selfsamed), then: selfsame unlock");
        return ERR_LOCKED;
    }
    /* The command line's `devices` also changes them, so the table has it among those that write. */
    return c->reads || opens_keys(c) || c->run == api_devices ? 0 : node_may_write(n, e);
}

int api_call(struct node *n, const cJSON *request, cJSON **answer, struct err *e)
{
    CHECK(e != NULL);
    *answer = NULL;
    const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(request, "cmd");
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(request, "schema");
    if (!cJSON_IsObject(request) || !cJSON_IsString(cmd)) {
        return err_set(e, ERR_FORMAT, "not a request");
    }
    if (schema != NULL && (!cJSON_IsNumber(schema) || schema->valueint != 1)) {
        return err_set(e, ERR_VERSION, "a request of another schema");
    }
    const struct command *c = command_find(cmd->valuestring);
    if (c == NULL) {
        return err_set(e, ERR_USAGE, "unknown command '%.64s'", cmd->valuestring);
    }
    int rc = args_check(c, request, e);
    if (rc == 0) {
        rc = may_run(n, c, e);
    }
    if (rc != 0) {
        return rc;
    }
    cJSON *doc = cJSON_CreateObject();
    if (doc == NULL || cJSON_AddNumberToObject(doc, "schema", 1) == NULL) {
        cJSON_Delete(doc);
        return err_set(e, ERR_NOMEM, "answering '%s'", c->name);
    }
    rc = c->run(n, request, doc, e);
    if (rc != 0) {
        cJSON_Delete(doc);
        if (e->code == 0) {
            (void)err_set(e, rc, "answering '%s': %s", c->name, err_text(rc));
        }
        return rc;
    }
    n->wrote = n->wrote || !c->reads; /* the loop tells the other devices */
    *answer = doc;
    return 0;
}

/* ---- over the wire ---------------------------------------------------------------------------------------
 */

cJSON *api_error_document(const struct err *e)
{
    cJSON *doc = cJSON_CreateObject();
    cJSON *o = NULL;
    bool ok = doc != NULL && cJSON_AddNumberToObject(doc, "schema", 1) != NULL &&
              (o = cJSON_AddObjectToObject(doc, "error")) != NULL &&
              cJSON_AddStringToObject(o, "code", err_name(e->code)) != NULL &&
              cJSON_AddStringToObject(o, "text", e->text) != NULL &&
              (e->hint[0] == '\0' || cJSON_AddStringToObject(o, "hint", e->hint) != NULL);
    if (!ok) {
        cJSON_Delete(doc);
        return NULL;
    }
    return doc;
}

static int code_of_name(const char *name)
{
    for (int code = -1; code > -64; code--) {
        if (strcmp(err_name(code), name) == 0) {
            return code;
        }
    }
    return ERR_IO;
}

int api_error_of(const cJSON *doc, struct err *e)
{
    const cJSON *o = cJSON_GetObjectItemCaseSensitive(doc, "error");
    if (!cJSON_IsObject(o)) {
        return 0;
    }
    const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "code"));
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "text"));
    const char *hint = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "hint"));
    int rc = err_set(e, code != NULL ? code_of_name(code) : ERR_IO, "%s", text != NULL ? text : "failed");
    if (hint != NULL) {
        err_hint(e, "%s", hint);
    }
    return rc;
}

int api_message(struct node *n, struct bytes request, struct buf *out)
{
    struct err e = ERR_INIT;
    cJSON *answer = NULL;
    cJSON *req = cJSON_ParseWithLength((const char *)request.p, request.n);
    int rc = req == NULL ? err_set(&e, ERR_FORMAT, "not a JSON document") : api_call(n, req, &answer, &e);
    cJSON_Delete(req);
    if (rc != 0) {
        answer = api_error_document(&e);
    }
    char *text = answer != NULL ? cJSON_PrintUnformatted(answer) : NULL;
    cJSON_Delete(answer);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    rc = buf_str(out, text);
    cJSON_free(text);
    return rc;
}
