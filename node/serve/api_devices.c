/* The user's devices: who they are, what each lacks, and changing the group by hand. */
#include "node/serve/api_int.h"

#include "crypto/words.h"
#include "node/identity.h"
#include "node/words.h"
#include "sync/sync.h"

#include <stdio.h>
#include <string.h>

/* ---- peers as status tells of them ------------------------------------------------------------------------
 */

static const char *const peer_states[] = {"equal", "behind", "ahead", "diverged", "offline"};

struct peers {
    struct node *n;
    cJSON *list;
    const struct id *only; /* NULL: all */
};

static int peer_fields(cJSON *o, const char *key, const struct peer_status *p)
{
    bool ok = put_str(o, key, peer_states[p->state]) == 0 && put_bool(o, "connected", p->connected) == 0 &&
              put_num(o, "they_lack", (double)p->they_lack) == 0 &&
              put_num(o, "we_lack", (double)p->we_lack) == 0 &&
              put_time(o, "last_seen", p->last_seen_ms) == 0 &&
              put_time(o, "last_heard", p->last_heard_ms) == 0 &&
              put_num(o, "clock_offset_ms", (double)p->clock_offset_ms) == 0 &&
              put_str(o, "reason", p->reason) == 0;
    return ok ? 0 : ERR_NOMEM;
}

static int peer_put(void *ctx, const struct peer_status *p)
{
    struct peers *x = ctx;
    cJSON *o = put_object(x->list, NULL);
    char name[LIMIT_NAME_BYTES + 1];
    device_name(x->n, &p->device, name);
    return o != NULL && put_str(o, "name", name) == 0 && put_id(o, "id", &p->device) == 0
               ? peer_fields(o, "state", p)
               : ERR_NOMEM;
}

int put_peers(struct node *n, cJSON *doc, struct err *e)
{
    struct peers x = {.n = n, .list = put_array(doc, "peers")};
    if (x.list == NULL) {
        return ERR_NOMEM;
    }
    /* Whoever was removed meets nobody any more. */
    return identity_not_removed(n, NULL) == 0 ? sync_peers(n->sync, peer_put, &x, e) : 0;
}

/* ---- devices ----------------------------------------------------------------------------------------------
 */

static int peer_find(void *ctx, const struct peer_status *p)
{
    struct peers *x = ctx;
    if (!id_eq(&p->device, x->only)) {
        return 0;
    }
    int rc = peer_fields(x->list, "sync", p);
    return rc != 0 ? rc : put_id(x->list, "epoch", &p->epoch);
}

/* Characters of the id that tell the device from all others of the group, at least 4. */
static size_t prefix_of(const struct node *n, const char id[ID_TEXT + 1])
{
    size_t need = 4;
    for (size_t i = 0; i < group_members(n->group); i++) {
        char other[ID_TEXT + 1];
        size_t same = 0;
        id_text(&group_member_at(n->group, i)->device, other);
        while (same < ID_TEXT && other[same] == id[same]) {
            same++;
        }
        need = same < ID_TEXT && same + 1 > need ? same + 1 : need;
    }
    return need;
}

static int names_put(struct node *n, cJSON *o, const struct id *device, const char *name)
{
    char id[ID_TEXT + 1];
    id_text(device, id);
    int rc = put_str(o, "name", name);
    if (rc == 0) {
        rc = put_str(o, "id", id);
    }
    id[prefix_of(n, id)] = '\0';
    if (rc == 0) {
        rc = put_str(o, "prefix", id);
    }
    return rc != 0 ? rc : put_bool(o, "this", id_eq(device, &n->home.device));
}

static int own_put(struct node *n, cJSON *o)
{
    struct epoch_ref ref;
    const uint8_t *key = NULL;
    int rc = put_str(o, "sync", "this");
    if (rc == 0 && group_epoch(n->group, &ref, &key, NULL) == 0) {
        rc = put_id(o, "epoch", &ref.id);
    }
    return rc;
}

static int member_put(struct node *n, cJSON *list, const struct member *m, struct err *e)
{
    static const char *const states[] = {"active", "asleep", "removed"};
    cJSON *o = put_object(list, NULL);
    bool ok = o != NULL && names_put(n, o, &m->device, m->name) == 0 &&
              put_str(o, "state", states[m->state]) == 0 && put_time(o, "added", m->added_ms) == 0 &&
              put_bool(o, "words", m->words) == 0;
    if (!ok) {
        return ERR_NOMEM;
    }
    if (id_eq(&m->device, &n->home.device)) {
        return own_put(n, o);
    }
    struct peers x = {.n = n, .list = o, .only = &m->device};
    return m->state == MEMBER_REMOVED ? 0 : sync_peers(n->sync, peer_find, &x, e);
}

/* A device that has no group yet. */
static int alone_put(struct node *n, cJSON *list)
{
    cJSON *o = put_object(list, NULL);
    bool ok = o != NULL && names_put(n, o, &n->home.device, n->home.name) == 0 &&
              put_str(o, "state", "active") == 0 && put_bool(o, "words", false) == 0 &&
              put_str(o, "sync", "this") == 0;
    return ok ? 0 : ERR_NOMEM;
}

static int epoch_put(struct node *n, cJSON *doc)
{
    struct epoch_ref ref;
    const uint8_t *key = NULL;
    if (group_epoch(n->group, &ref, &key, NULL) != 0) {
        return cJSON_AddNullToObject(doc, "epoch") != NULL ? 0 : ERR_NOMEM;
    }
    cJSON *o = put_object(doc, "epoch");
    bool ok = o != NULL && put_id(o, "id", &ref.id) == 0 && put_time(o, "since", ref.since_ms) == 0 &&
              put_num(o, "number", (double)ref.number) == 0;
    return ok ? 0 : ERR_NOMEM;
}

int put_group(struct node *n, cJSON *doc)
{
    struct id group;
    if (!group_exists(n->group)) {
        return cJSON_AddNullToObject(doc, "group") != NULL ? 0 : ERR_NOMEM;
    }
    group_id(n->group, &group);
    return put_id(doc, "group", &group);
}

int api_devices(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    (void)req;
    int rc = put_group(n, doc);
    if (rc == 0) {
        rc = epoch_put(n, doc);
    }
    cJSON *list = rc == 0 ? put_array(doc, "devices") : NULL;
    if (list == NULL) {
        return ERR_NOMEM;
    }
    rc = group_members(n->group) == 0 ? alone_put(n, list) : 0;
    for (size_t i = 0; rc == 0 && i < group_members(n->group); i++) {
        rc = member_put(n, list, group_member_at(n->group, i), e);
    }
    return rc;
}

/* ---- changing the group -----------------------------------------------------------------------------------
 */

/* By its whole name, else by a prefix of its id; removed ones are not found. */
static int device_arg(struct node *n, const cJSON *req, struct id *out, struct err *e)
{
    struct bytes given = arg_text(req, "device");
    struct id lo, hi;
    size_t found = 0;
    bool is_prefix = id_prefix(given, &lo, &hi) == 0;
    for (int by_id = 0; by_id < 2 && found == 0; by_id++) {
        for (size_t i = 0; i < group_members(n->group); i++) {
            const struct member *m = group_member_at(n->group, i);
            bool hit = by_id ? is_prefix && id_cmp(&m->device, &lo) >= 0 && id_cmp(&m->device, &hi) <= 0
                             : bytes_eq(bytes_str(m->name), given);
            if (hit && m->state != MEMBER_REMOVED) {
                *out = m->device;
                found++;
            }
        }
    }
    if (found == 1) {
        return 0;
    }
    int rc = err_set(e, found == 0 ? ERR_NOTFOUND : ERR_AMBIGUOUS, "%s device '%.*s'",
                     found == 0 ? "there is no" : "there is more than one",
                     (int)(given.n > 64 ? 64 : given.n), (const char *)given.p);
    err_hint(e, "name it by its id: selfsame devices");
    return rc;
}

/* After the membership changed by hand. */
static int changed(struct node *n, cJSON *doc, struct err *e)
{
    n->regrouped = true;
    n->wrote = true;
    return api_devices(n, NULL, doc, e);
}

static int may_change(struct node *n, struct err *e)
{
    if (identity_is_member(n) || identity_not_removed(n, e) != 0) {
        return identity_is_member(n) ? 0 : ERR_ATTENTION;
    }
    (void)err_set(e, ERR_USAGE, "this device has no other devices yet");
    err_hint(e, "bring one in with: selfsame pair");
    return ERR_USAGE;
}

/* This device's name stands in its folder, too. */
static int own_name_set(struct node *n, struct bytes name, struct err *e)
{
    char before[sizeof(n->home.name)];
    memcpy(before, n->home.name, sizeof(before));
    memset(n->home.name, 0, sizeof(n->home.name));
    memcpy(n->home.name, name.p, name.n);
    int rc = home_save(&n->home, e);
    if (rc != 0) {
        memcpy(n->home.name, before, sizeof(before));
    }
    return rc;
}

/* A device without a group is the only one: its name, or the begin of its id. */
static int alone_arg(struct node *n, const cJSON *req, struct err *e)
{
    struct bytes given = arg_text(req, "device");
    struct id lo, hi;
    bool by_id = id_prefix(given, &lo, &hi) == 0 && id_cmp(&n->home.device, &lo) >= 0 &&
                 id_cmp(&n->home.device, &hi) <= 0;
    if (by_id || bytes_eq(bytes_str(n->home.name), given)) {
        return 0;
    }
    (void)err_set(e, ERR_NOTFOUND, "there is no device '%.*s'", (int)(given.n > 64 ? 64 : given.n),
                  (const char *)given.p);
    err_hint(e, "this one is called '%s', and has no other devices yet", n->home.name);
    return ERR_NOTFOUND;
}

/* Two devices of one name could only be told apart by their ids. */
static int name_is_free(const struct node *n, struct bytes name, const struct id *device, struct err *e)
{
    for (size_t i = 0; i < group_members(n->group); i++) {
        const struct member *m = group_member_at(n->group, i);
        if (m->state != MEMBER_REMOVED && !id_eq(&m->device, device) && bytes_eq(bytes_str(m->name), name)) {
            (void)err_set(e, ERR_EXISTS, "another device is called '%s'", m->name);
            err_hint(e, "see them with: selfsame devices");
            return ERR_EXISTS;
        }
    }
    return 0;
}

int api_devices_rename(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct bytes name = arg_text(req, "name");
    struct id device = n->home.device;
    bool grouped = identity_is_member(n);
    int rc = identity_not_removed(n, e);
    if (rc == 0) {
        rc = home_name_check(name, e);
    }
    if (rc == 0) {
        rc = grouped ? device_arg(n, req, &device, e) : alone_arg(n, req, e);
    }
    if (rc == 0) {
        rc = name_is_free(n, name, &device, e);
    }
    if (rc == 0 && grouped) {
        rc = group_rename(n->group, &device, name, clock_wall_ms(&n->clock), e);
    }
    if (rc == 0 && id_eq(&device, &n->home.device)) {
        rc = own_name_set(n, name, e);
    }
    return rc != 0 ? rc : changed(n, doc, e);
}

int api_devices_remove(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct id device;
    int rc = may_change(n, e);
    if (rc == 0) {
        rc = device_arg(n, req, &device, e);
    }
    if (rc == 0) {
        rc = group_remove(n->group, &device, clock_wall_ms(&n->clock), e);
    }
    if (rc == 0) {
        rc = put_bool(doc, "rotated", !id_eq(&device, &n->home.device));
    }
    return rc != 0 ? rc : changed(n, doc, e);
}

int api_devices_rotate(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    (void)req;
    int rc = may_change(n, e);
    if (rc == 0) {
        rc = group_rotate(n->group, clock_wall_ms(&n->clock), e);
    }
    return rc != 0 ? rc : changed(n, doc, e);
}

/* ---- recovery words ---------------------------------------------------------------------------------------
 */

int api_devices_words(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct buf words;
    uint8_t secret[RECOVERY_BYTES];
    (void)req;
    int rc = identity_not_removed(n, e);
    if (rc == 0) {
        rc = words_make(n, secret, e);
    }
    if (rc != 0) {
        return rc;
    }
    rc = secret_buf_init(&words, RECOVERY_TEXT_MAX);
    if (rc == 0) {
        rc = recovery_put(secret, &words);
    }
    rc = rc != 0 ? err_set(e, rc, "making recovery words") : put_text(doc, "words", buf_view(&words));
    secret_buf_release(&words);
    mem_wipe(secret, sizeof(secret));
    return rc;
}

int api_devices_words_revoke(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    bool any = false;
    (void)req;
    int rc = node_may_write(n, e);
    if (rc == 0) {
        rc = words_revoke(n, &any, e);
    }
    return rc != 0 ? rc : put_bool(doc, "revoked", any);
}

int api_devices_words_check(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct bytes given = arg_text(req, "words");
    uint8_t secret[RECOVERY_BYTES];
    int rc = recovery_parse(given, secret, e);
    if (rc == 0) {
        rc = words_install(n, secret, e);
    }
    arg_wipe(req, "words");
    mem_wipe(secret, sizeof(secret));
    return rc != 0 ? rc : put_bool(doc, "ok", true);
}
