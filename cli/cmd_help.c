/* help, completion, version. */
#include "cli/run.h"

#include "base/check.h"
#include "cli/help.h"

#include <string.h>

static const struct topic *topic_find(const char *name)
{
    for (const struct topic *t = topics; t->name != NULL; t++) {
        if (strcmp(t->name, name) == 0) {
            return t;
        }
    }
    return NULL;
}

static int unknown_topic(struct run *r, const char *name)
{
    const char *words[64] = {NULL};
    size_t n = 0;
    for (const struct command *c = commands; c->name != NULL && n + 8 < 64; c++) {
        words[n++] = c->name;
    }
    for (const struct topic *t = topics; t->name != NULL && n + 1 < 64; t++) {
        words[n++] = t->name;
    }
    const char *near = nearest_word(name, words);
    (void)err_set(&r->err, ERR_USAGE, "there is no help on '%s'", name);
    if (near != NULL) {
        err_hint(&r->err, "did you mean: selfsame help %s", near);
    } else {
        err_hint(&r->err, "selfsame help");
    }
    return ERR_USAGE;
}

static int print_man(struct run *r, const char *program)
{
    struct style plain = {.utf8 = true};
    struct page p;
    page_init(&p, &plain, stdout);
    bool ok = man_page(&p, program);
    page_release(&p);
    return ok ? 0 : err_set(&r->err, ERR_USAGE, "there is no manual page of '%s'", program);
}

/* All commands as one document, or the one named. */
static int help_json(const struct command *only)
{
    cJSON *doc = cJSON_CreateObject();
    CHECK(doc != NULL && cJSON_AddNumberToObject(doc, "schema", 1) != NULL);
    cJSON *list = cJSON_AddArrayToObject(doc, "commands");
    CHECK(list != NULL);
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (only != NULL && c != only) {
            continue;
        }
        cJSON *o = cJSON_CreateObject();
        CHECK(o != NULL && cJSON_AddItemToArray(list, o) &&
              cJSON_AddStringToObject(o, "name", c->name) != NULL &&
              cJSON_AddStringToObject(o, "summary", c->summary) != NULL &&
              cJSON_AddStringToObject(o, "usage", c->usage) != NULL &&
              cJSON_AddBoolToObject(o, "reads", c->reads) != NULL);
        cJSON *options = cJSON_AddArrayToObject(o, "options");
        for (size_t i = 0; i < options_count(c->options); i++) {
            cJSON *name = cJSON_CreateString(c->options[i].name);
            CHECK(options != NULL && name != NULL && cJSON_AddItemToArray(options, name));
        }
    }
    run_print(doc, stdout);
    cJSON_Delete(doc);
    return 0;
}

int cmd_help(struct run *r)
{
    const char *name = args_at(&r->args, 0);
    if (args_flag(&r->args, "man")) {
        return print_man(r, name != NULL ? name : "selfsame");
    }
    const struct topic *t = name != NULL ? topic_find(name) : NULL;
    if (t != NULL) {
        (void)printf("selfsame help %s: %s\n\n", t->name, t->summary);
        (void)fputs(t->text, stdout);
        return 0;
    }
    const struct command *c = name != NULL ? command_find(name) : NULL;
    if (name != NULL && c == NULL) {
        return unknown_topic(r, name);
    }
    return r->json ? help_json(c) : help_print(&r->style, c);
}

int cmd_completion(struct run *r)
{
    struct style plain = {.utf8 = true};
    struct page p;
    page_init(&p, &plain, stdout);
    (void)completion(&p, args_at(&r->args, 0)); /* the parser knows the shells */
    page_release(&p);
    return 0;
}

int cmd_version(struct run *r)
{
    if (r->json) {
        (void)puts("{\"schema\":1,\"version\":\"" SELFSAME_VERSION "\"}");
    } else {
        (void)puts("selfsame " SELFSAME_VERSION);
    }
    return 0;
}
