/* The list of watches: one local setting each, "watch:<source>:<path>". */
#include "node/watchlist.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "watch:"

struct visit {
    int (*fn)(void *ctx, const char *source, const char *path);
    void *ctx;
};

static int entry_visit(void *ctx, const char *name, struct bytes value)
{
    struct visit *v = ctx;
    char source[LIMIT_NAME_BYTES];
    const char *from = name + strlen(PREFIX);
    const char *colon = strchr(from, ':');
    (void)value;
    if (colon == NULL || (size_t)(colon - from) >= sizeof(source)) {
        return 0;
    }
    memcpy(source, from, (size_t)(colon - from));
    source[colon - from] = '\0';
    return v->fn(v->ctx, source, colon + 1);
}

int watchlist_each(struct node *n, int (*fn)(void *ctx, const char *source, const char *path), void *ctx,
                   struct err *e)
{
    struct visit v = {fn, ctx};
    return local_each(n->store, PREFIX, entry_visit, &v, e);
}

static int name_make(const char *source, const char *path, char out[LIMIT_PATH_BYTES + LIMIT_NAME_BYTES],
                     struct err *e)
{
    int len = snprintf(out, LIMIT_PATH_BYTES + LIMIT_NAME_BYTES, PREFIX "%s:%s", source, path);
    return len > 0 && len < (int)LIMIT_PATH_BYTES ? 0 : err_set(e, ERR_LIMIT, "the path is too long");
}

static int count_one(void *ctx, const char *source, const char *path)
{
    (void)source;
    (void)path;
    ++*(size_t *)ctx;
    return 0;
}

static void changed(struct node *n)
{
    if (n->watch_changed != NULL) {
        n->watch_changed(n->watch_ctx);
    }
}

int watchlist_add(struct node *n, const char *source, const char *path, struct err *e)
{
    char name[LIMIT_PATH_BYTES + LIMIT_NAME_BYTES];
    size_t count = 0;
    if (observer_find(source) == NULL) {
        return err_set(e, ERR_USAGE, "unknown source '%s'", source);
    }
    if (path[0] != '/') {
        return err_set(e, ERR_USAGE, "a watched path is absolute: '%s'", path);
    }
    if (access(path, R_OK) != 0) {
        return err_set(e, ERR_NOTFOUND, "cannot read '%s'", path);
    }
    int rc = name_make(source, path, name, e);
    if (rc == 0) {
        rc = watchlist_each(n, count_one, &count, e);
    }
    if (rc == 0 && count >= WATCHES_MAX) {
        rc = err_set(e, ERR_LIMIT, "at most %d paths are watched", WATCHES_MAX);
    }
    if (rc == 0) {
        rc = local_set(n->store, name, BYTES_LIT("on"), e);
    }
    if (rc == 0) {
        changed(n);
    }
    return rc;
}

int watchlist_remove(struct node *n, const char *source, const char *path, struct err *e)
{
    char name[LIMIT_PATH_BYTES + LIMIT_NAME_BYTES];
    struct buf value;
    bool found = false;
    buf_init(&value, LIMIT_SETTING_BYTES);
    int rc = name_make(source, path, name, e);
    if (rc == 0) {
        rc = local_get(n->store, name, &value, &found, e);
    }
    buf_release(&value);
    if (rc == 0 && !found) {
        (void)err_set(e, ERR_NOTFOUND, "'%s' is not watched for %s", path, source);
        err_hint(e, "list what is watched with: selfsame watch");
        return ERR_NOTFOUND;
    }
    if (rc == 0) {
        rc = local_set(n->store, name, BYTES_NONE, e);
    }
    if (rc == 0) {
        changed(n);
    }
    return rc;
}

struct listing {
    struct node *n;
    cJSON *list;
};

static int entry_put(void *ctx, const char *source, const char *path)
{
    struct listing *l = ctx;
    const char *state = l->n->watch_state != NULL ? l->n->watch_state(l->n->watch_ctx, source, path) : NULL;
    cJSON *o = cJSON_CreateObject();
    bool ok = o != NULL && cJSON_AddStringToObject(o, "source", source) != NULL &&
              cJSON_AddStringToObject(o, "path", path) != NULL &&
              cJSON_AddStringToObject(o, "state", state != NULL ? state : "waits for the node") != NULL;
    if (!ok || !cJSON_AddItemToArray(l->list, o)) {
        cJSON_Delete(o);
        return ERR_NOMEM;
    }
    return 0;
}

int watchlist_put(struct node *n, cJSON *doc)
{
    struct listing l = {.n = n, .list = cJSON_AddArrayToObject(doc, "watching")};
    return l.list != NULL ? watchlist_each(n, entry_put, &l, NULL) : ERR_NOMEM;
}
