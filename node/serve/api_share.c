/* What each source shares with the user's other devices, and changing it: a view of the setting `share`. */
#include "node/serve/api_int.h"

#include "base/limits.h"
#include "node/config.h"
#include "node/share.h"

struct listing {
    cJSON *list;
    struct bytes setting;
};

static int source_put(struct listing *l, struct bytes source, uint64_t observations)
{
    cJSON *o = put_object(l->list, NULL);
    const char *level = share_level_name(share_level_of(l->setting, source));
    bool ok = o != NULL && put_text(o, "source", source) == 0 && put_str(o, "level", level) == 0 &&
              put_bool(o, "set", share_is_set(l->setting, source)) == 0 &&
              put_num(o, "observations", (double)observations) == 0;
    return ok ? 0 : ERR_NOMEM;
}

static int observed_put(void *ctx, const struct source_count *c)
{
    return source_put(ctx, c->source, c->n);
}

static bool is_listed(const struct listing *l, struct bytes source)
{
    const cJSON *o = NULL;
    cJSON_ArrayForEach(o, l->list)
    {
        if (bytes_eq(bytes_str(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "source"))),
                     source)) {
            return true;
        }
    }
    return false;
}

/* Those that nothing was observed of yet. */
static int named_put(void *ctx, struct bytes source)
{
    struct listing *l = ctx;
    return bytes_eq(source, BYTES_LIT("*")) || is_listed(l, source) ? 0 : source_put(l, source, 0);
}

static int share_put(struct node *n, cJSON *doc, struct err *e)
{
    struct buf setting;
    buf_init(&setting, LIMIT_SETTING_BYTES);
    int rc = share_in_force(n, &setting, e);
    struct listing l = {.list = put_array(doc, "sources"), .setting = buf_view(&setting)};
    if (rc == 0) {
        rc = l.list != NULL ? local_sources(n->store, observed_put, &l, e) : ERR_NOMEM;
    }
    if (rc == 0) {
        rc = share_named(l.setting, named_put, &l);
    }
    if (rc == 0) {
        rc = put_str(doc, "others", share_level_name(share_level_of(l.setting, BYTES_LIT("*"))));
    }
    buf_release(&setting);
    return rc;
}

static int share_change(struct node *n, struct bytes source, struct bytes level, struct err *e)
{
    const struct setting *k = NULL;
    struct buf old, fresh;
    buf_init(&old, LIMIT_SETTING_BYTES);
    buf_init(&fresh, LIMIT_SETTING_BYTES);
    int rc = setting_find(BYTES_LIT("share"), &k, e);
    if (rc == 0) {
        rc = share_load(n->store, &old, e);
    }
    if (rc == 0) {
        rc = share_edit(buf_view(&old), source, level, &fresh, e);
    }
    if (rc == 0) {
        rc = fresh.n > 0 ? config_set(n->store, k, buf_view(&fresh), e) : config_unset(n->store, k, e);
    }
    buf_release(&old);
    buf_release(&fresh);
    return rc != 0 ? rc : share_apply(n, e);
}

int api_share(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct bytes source = arg_text(req, "source");
    struct bytes level = arg_text(req, "level");
    if ((source.p == NULL) != (level.p == NULL)) {
        return err_set(e, ERR_USAGE, "a change names a source and a level");
    }
    int rc = source.p != NULL ? share_change(n, source, level, e) : 0;
    return rc != 0 ? rc : share_put(n, doc, e);
}
