/* Settings and watches through the control interface. */
#include "node/serve/api_int.h"

#include "node/embedding.h"
#include "node/config.h"
#include "node/infer/endpoint.h"
#include "node/pictures.h"
#include "node/screen.h"
#include "node/share.h"
#include "node/thinking.h"
#include "node/watchlist.h"

#include <stdlib.h>
#include <string.h>

/* ---- config ----------------------------------------------------------------------------------------------
 */

static int setting_put(struct node *n, cJSON *list, const struct setting *k, struct err *e)
{
    struct buf value;
    bool set = false;
    buf_init(&value, LIMIT_SETTING_BYTES);
    int rc = config_get(n->store, k, &value, &set, e);
    cJSON *o = rc == 0 ? put_object(list, NULL) : NULL;
    if (rc == 0) {
        bool ok = o != NULL && put_str(o, "key", k->key) == 0 &&
                  put_text(o, "value", buf_view(&value)) == 0 && put_str(o, "default", k->otherwise) == 0 &&
                  put_bool(o, "set", set) == 0 && put_bool(o, "local", k->local) == 0 &&
                  put_str(o, "about", k->about) == 0;
        rc = ok ? 0 : err_set(e, ERR_NOMEM, "listing settings");
    }
    buf_release(&value);
    return rc;
}

/* The lines of old with `line` added at the end, or (remove) without it. ERR_EXISTS / ERR_NOTFOUND. */
static int lines_edit(struct bytes old, struct bytes line, bool remove, struct buf *out, struct err *e)
{
    bool found = false;
    while (old.n > 0) {
        size_t end = bytes_find(old, BYTES_LIT("\n"));
        struct bytes one = bytes_slice(old, 0, end == SIZE_MAX ? old.n : end);
        bool same = bytes_eq(bytes_trim(one), bytes_trim(line));
        found = found || same;
        if (!(remove && same) && one.n > 0) {
            (void)buf_bytes(out, one);
            (void)buf_put(out, '\n');
        }
        old = end == SIZE_MAX ? BYTES_NONE : bytes_slice(old, end + 1, SIZE_MAX);
    }
    if (remove && !found) {
        return err_set(e, ERR_NOTFOUND, "there is no such line");
    }
    if (!remove && found) {
        return err_set(e, ERR_EXISTS, "that line is there already");
    }
    if (!remove) {
        (void)buf_bytes(out, bytes_trim(line));
        (void)buf_put(out, '\n');
    }
    return out->err != 0 ? err_set(e, out->err, "the setting grows too long") : 0;
}

static int setting_edit(struct node *n, const cJSON *req, const struct setting *k, struct err *e)
{
    struct bytes value = arg_text(req, "value");
    bool add = arg_bool(req, "add");
    bool remove = arg_bool(req, "remove");
    if (!add && !remove) {
        return config_set(n->store, k, value, e);
    }
    if (k->type != SETTING_LINES || (add && remove)) {
        return err_set(e, ERR_USAGE, "'%s' is one value: set it without add or remove", k->key);
    }
    struct buf old;
    struct buf fresh;
    bool set = false;
    buf_init(&old, LIMIT_SETTING_BYTES);
    buf_init(&fresh, LIMIT_SETTING_BYTES);
    int rc = config_get(n->store, k, &old, &set, e);
    if (rc == 0) {
        rc = lines_edit(buf_view(&old), value, remove, &fresh, e);
    }
    if (rc == 0) {
        rc = fresh.n > 0 ? config_set(n->store, k, buf_view(&fresh), e) : config_unset(n->store, k, e);
    }
    buf_release(&old);
    buf_release(&fresh);
    return rc;
}

int api_config(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct bytes key = arg_text(req, "key");
    bool change = arg_text(req, "value").p != NULL || arg_bool(req, "unset");
    const struct setting *k = NULL;
    cJSON *list = put_array(doc, "settings");
    int rc = list != NULL ? 0 : ERR_NOMEM;
    if (rc == 0 && key.p != NULL) {
        rc = setting_find(key, &k, e);
    }
    if (rc == 0 && change && k == NULL) {
        rc = err_set(e, ERR_USAGE, "which setting?");
    }
    if (rc == 0 && change) {
        rc = arg_bool(req, "unset") ? config_unset(n->store, k, e) : setting_edit(n, req, k, e);
    }
    if (rc == 0 && change) {
        rc = node_audit_load(n, e);
    }
    if (rc == 0 && change) {
        rc = share_apply(n, e);
    }
    if (rc == 0 && change) {
        embedding_close(n); /* opened anew when next wanted */
    }
    if (rc == 0 && change && n->endpoint != NULL && bytes_starts(key, BYTES_LIT("endpoint."))) {
        endpoint_reload(n->endpoint);
    }
    if (rc == 0 && change) {
        thinking_wake(n, false);
        pictures_wake(n);
        screen_wake(n);
    }
    for (const struct setting *s = settings; rc == 0 && s->key != NULL; s++) {
        if (k == NULL || s == k) {
            rc = setting_put(n, list, s, e);
        }
    }
    return rc != 0 ? rc : put_bool(doc, "changed", change);
}

/* ---- watch -----------------------------------------------------------------------------------------------
 */

static int watch_edit(struct node *n, const cJSON *entry, bool add, struct err *e)
{
    const char *source = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "source"));
    const char *path = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "path"));
    if (source == NULL || path == NULL) {
        return err_set(e, ERR_USAGE, "a watch has a source and a path");
    }
    return add ? watchlist_add(n, source, path, e) : watchlist_remove(n, source, path, e);
}

int api_watch(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    const cJSON *add = cJSON_GetObjectItemCaseSensitive(req, "add");
    const cJSON *gone = cJSON_GetObjectItemCaseSensitive(req, "remove");
    int rc = add != NULL ? watch_edit(n, add, true, e) : 0;
    if (rc == 0 && gone != NULL) {
        rc = watch_edit(n, gone, false, e);
    }
    return rc != 0 ? rc : watchlist_put(n, doc);
}
