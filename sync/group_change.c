/* Records of our own: what a user does to the group. Each names all heads that are here as seen, so it stands
 * behind everything known; it goes through the same checks as one from outside. */
#include "sync/group_int.h"

#include "base/cursor.h"
#include "store/members.h"

#include <string.h>

/* ---- appending */

int64_t group_time(int64_t ms)
{
    if (ms < 0)
        return 0;
    return ms > LIMIT_TIME_MS_MAX ? LIMIT_TIME_MS_MAX : ms;
}

/* Takes a record that we signed. */
static int take_own(struct group *g, struct bytes b, struct err *e)
{
    struct record *r;
    if (g->set.n >= MEMBER_RECORDS_MAX)
        return err_set(e, ERR_LIMIT, "a group has at most %u membership records", MEMBER_RECORDS_MAX);
    int rc = records_make(&g->set, b, &r, e);
    if (rc)
        return rc;
    rc = record_check(&g->state, r, e);
    if (rc) {
        record_free(r);
        return rc;
    }
    return group_take(g, r, e);
}

int group_append(struct group *g, enum member_record kind, struct bytes body, int64_t now_ms, struct err *e)
{
    struct hash heads[MEMBER_HEADS_MAX];
    struct record_head h = {
        .kind = (uint8_t)kind, .author = g->own, .time_ms = group_time(now_ms), .body = body};
    struct buf b;
    size_t n = group_heads(g, heads, MEMBER_HEADS_MAX);
    if (kind != MEMBER_GENESIS)
        h.group = g->id;
    h.causes = (struct list){heads[0].b, n < MEMBER_HEADS_MAX ? n : MEMBER_HEADS_MAX, HASH_BYTES};
    buf_init(&b, MEMBER_RECORD_BYTES_MAX);
    int rc = record_encode(&h, &g->keys->sign, &b);
    rc = rc ? err_set(e, rc, "writing a membership record") : take_own(g, buf_view(&b), e);
    buf_release(&b);
    return rc;
}

int group_append_body(struct group *g, enum member_record kind, struct buf *body, int64_t now_ms,
                      struct err *e)
{
    int rc = body->err ? err_set(e, body->err, "writing a membership record")
                       : group_append(g, kind, buf_view(body), now_ms, e);
    buf_release(body);
    return rc;
}

int group_need_self(struct group *g, struct err *e)
{
    int rc = group_mend(g, e);
    if (rc)
        return rc;
    if (group_self(g) != NOWHERE)
        return 0;
    return err_set(e, ERR_ATTENTION,
                   group_exists(g) ? "this device was removed from its group"
                                   : "this device belongs to no group yet");
}

int group_change_end(struct group *g, bool own, int rc, struct err *e)
{
    int end = members_end(g->store, own, rc, e);
    if (end && own && group_reload(g, NULL))
        return ERR_NOMEM;
    return end;
}

/* ---- founding */

void group_bring_secret(struct group *g, const uint8_t secret[KEY_BYTES])
{
    g->brings_secret = true;
    memcpy(g->brought, secret, KEY_BYTES);
}

static int put_genesis(struct group *g, struct bytes cert, struct buf *b)
{
    uint8_t secret[KEY_BYTES];
    struct epoch_binding bind = {.recipient = g->own};
    rng_fill(g->rng, secret, sizeof secret);
    if (g->brings_secret)
        memcpy(secret, g->brought, sizeof secret);
    g->brings_secret = false;
    mem_wipe(g->brought, sizeof g->brought);
    epoch_id(secret, &bind.epoch);
    wr_lenbytes(b, cert);
    put_id(b, &bind.epoch);
    int rc = epoch_seal(&bind, secret, g->keys->seal.pk, g->rng, b);
    mem_wipe(secret, sizeof secret);
    return rc;
}

static int make_genesis(struct group *g, struct bytes name, int64_t now_ms, struct err *e)
{
    struct buf cert, body;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    int rc = device_cert_make(g->keys, name, group_time(now_ms), &cert, e);
    if (!rc && put_genesis(g, buf_view(&cert), &body))
        rc = err_set(e, ERR_NOMEM, "founding a group");
    if (!rc)
        rc = group_append(g, MEMBER_GENESIS, buf_view(&body), now_ms, e);
    buf_release(&cert);
    buf_release(&body);
    return rc;
}

int group_found(struct group *g, struct bytes name, const struct id *log, int64_t now_ms, struct err *e)
{
    bool own;
    int rc = group_mend(g, e);
    if (!rc && group_exists(g))
        rc = err_set(e, ERR_EXISTS, "this device belongs to a group already");
    rc = rc ? rc : members_begin(g->store, &own, e);
    if (rc)
        return rc;
    rc = make_genesis(g, name, now_ms, e);
    rc = rc ? rc : group_rotate(g, now_ms, e);
    rc = rc ? rc : group_open_log(g, log, now_ms, e);
    return group_change_end(g, own, rc, e);
}

/* ---- removing */

static int need_other(struct group *g, const struct id *device, struct err *e)
{
    int rc = group_need_self(g, e);
    if (!rc && !group_is_active(g, device))
        rc = err_set(e, ERR_NOTFOUND, "no such device in the group");
    return rc;
}

struct cutting {
    const struct group *g;
    uint32_t device;
    struct buf items;
    uint32_t n;
};

static int cut_log(void *ctx, const struct log_head *h)
{
    struct cutting *c = ctx;
    uint32_t log = state_log(&c->g->state, &h->log);
    if (log == NOWHERE || c->g->state.logs[log].device != c->device || c->n == MEMBER_CUTS_MAX)
        return 0;
    put_id(&c->items, &h->log);
    wr_u64(&c->items, h->seq);
    c->n++;
    return 0;
}

int group_cut(struct group *g, const struct id *device, int64_t now_ms, struct err *e)
{
    struct cutting c = {.g = g, .device = state_device(&g->state, device)};
    struct buf body;
    buf_init(&c.items, (size_t)MEMBER_CUTS_MAX * ITEM_CUT_BYTES);
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    int rc = store_logs(g->store, cut_log, &c, e); /* ascending by id, as the record wants them */
    put_id(&body, device);
    wr_varint(&body, c.n);
    wr_bytes(&body, buf_view(&c.items));
    body.err = c.items.err ? c.items.err : body.err;
    buf_release(&c.items);
    if (rc) {
        buf_release(&body);
        return rc;
    }
    return group_append_body(g, MEMBER_REMOVE, &body, now_ms, e);
}

int group_remove(struct group *g, const struct id *device, int64_t now_ms, struct err *e)
{
    bool own;
    int rc = need_other(g, device, e);
    rc = rc ? rc : members_begin(g->store, &own, e);
    if (rc)
        return rc;
    rc = group_cut(g, device, now_ms, e);
    if (!rc && group_self(g) != NOWHERE)
        rc = group_rotate(g, now_ms, e);
    return group_change_end(g, own, rc, e);
}

/* ---- small ones */

int group_rename(struct group *g, const struct id *device, struct bytes name, int64_t now_ms, struct err *e)
{
    struct buf body;
    int rc = need_other(g, device, e);
    if (rc)
        return rc;
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    put_id(&body, device);
    wr_lenbytes(&body, name);
    return group_append_body(g, MEMBER_NAME, &body, now_ms, e);
}

static bool knows_fork(const struct group *g, const struct log_fork *fork)
{
    bool all = group_is_split(g, &fork->at);
    for (size_t i = 0; i < fork->n; i++) {
        struct id id;
        log_branch_id(&fork->at, &fork->next[i], &id);
        all = all && state_log(&g->state, &id) != NOWHERE;
    }
    return all;
}

int group_fork(struct group *g, const struct log_fork *fork, int64_t now_ms, struct err *e)
{
    struct buf body;
    struct hash next[2] = {fork->next[0], fork->next[fork->n - 1]};
    size_t n = fork->n;
    if (memcmp(next[0].b, next[1].b, HASH_BYTES) > 0) {
        next[0] = fork->next[1];
        next[1] = fork->next[0];
    }
    if (knows_fork(g, fork))
        return 0;
    int rc = group_need_self(g, e);
    if (rc)
        return rc;
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    put_id(&body, &fork->at.root);
    wr_u64(&body, fork->at.seq);
    wr_bytes(&body, bytes_of(fork->at.chain.b, HASH_BYTES));
    wr_varint(&body, n);
    wr_bytes(&body, bytes_of(next[0].b, n * HASH_BYTES));
    return group_append_body(g, MEMBER_FORK, &body, now_ms, e);
}

int group_sleep(struct group *g, const struct id *device, bool asleep, int64_t now_ms, struct err *e)
{
    int rc = need_other(g, device, e);
    if (rc)
        return rc;
    enum member_state want = asleep ? MEMBER_ASLEEP : MEMBER_ACTIVE;
    if (group_find(g, device)->state == want)
        return 0;
    return group_append(g, asleep ? MEMBER_DORMANT : MEMBER_WAKE, bytes_of(device->b, ID_BYTES), now_ms, e);
}

int group_say_words(struct group *g, int64_t now_ms, struct err *e)
{
    int rc = group_need_self(g, e);
    if (rc || group_find(g, &g->own)->words)
        return rc;
    return group_append(g, MEMBER_WORDS, BYTES_NONE, now_ms, e);
}

int group_open_log(struct group *g, const struct id *log, int64_t now_ms, struct err *e)
{
    struct id owner;
    uint64_t cut;
    int rc = group_need_self(g, e);
    if (rc)
        return rc;
    if (!group_log(g, log, &owner, &cut))
        return group_append(g, MEMBER_LOG_OPEN, bytes_of(log->b, ID_BYTES), now_ms, e);
    return id_eq(&owner, &g->own) ? 0 : err_set(e, ERR_EXISTS, "the log is another device's");
}
