/* The lease of thinking. */
#include "node/infer/lease.h"

#include "base/text.h"
#include "crypto/hash.h"
#include "node/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const where[] = {"local", "remote"};

int lease_put(struct buf *out, const struct lease *l)
{
    char id[ID_TEXT + 1];
    id_text(&l->device, id);
    return buf_printf(out, "%s %s %" PRId64, id, where[l->remote], l->until_ms);
}

/* The word up to the next blank; *rest moves behind it. */
static struct bytes word_take(struct bytes *rest)
{
    size_t end = bytes_find(*rest, BYTES_LIT(" "));
    struct bytes word = bytes_slice(*rest, 0, end == SIZE_MAX ? rest->n : end);
    *rest = end == SIZE_MAX ? BYTES_NONE : bytes_slice(*rest, end + 1, SIZE_MAX);
    return word;
}

static int time_parse(struct bytes text, int64_t *out)
{
    *out = 0;
    if (text.n == 0 || text.n > 15) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return ERR_FORMAT;
        }
        *out = *out * 10 + (text.p[i] - '0');
    }
    return 0;
}

int lease_parse(struct bytes text, int64_t now_ms, struct lease *out)
{
    struct bytes id = word_take(&text), place = word_take(&text);
    bool remote = bytes_eq(place, bytes_str(where[1]));
    int rc = id_parse(id, &out->device);
    if (rc == 0 && !remote && !bytes_eq(place, bytes_str(where[0]))) {
        rc = ERR_FORMAT;
    }
    if (rc == 0) {
        rc = time_parse(text, &out->until_ms);
    }
    out->remote = remote;
    if (rc == 0 && out->until_ms > now_ms + LEASE_MS) {
        out->until_ms = now_ms + LEASE_MS;
    }
    return rc;
}

/* ---- the rule ---------------------------------------------------------------------------------------------
 */

static void plan_own(const struct lease_case *c, struct lease_plan *out)
{
    if (!c->able) {
        out->act = LEASE_GIVE_BACK;
        return;
    }
    int64_t renew = c->lease.until_ms - LEASE_RENEW_MS(c->lease_ms);
    bool longer = c->lease.until_ms > c->now_ms + c->lease_ms; /* than it would be taken for now */
    bool due = c->now_ms >= renew || longer || c->remote != c->lease.remote;
    out->act = due ? LEASE_TAKE : LEASE_LEAVE;
    out->next_ms = due ? c->now_ms + LEASE_RENEW_MS(c->lease_ms) : renew;
}

static void plan_free(const struct lease_case *c, struct lease_plan *out)
{
    if (!c->able) {
        return;
    }
    int64_t within = LEASE_JITTER_MS(c->lease_ms);
    out->take_ms = c->take_ms != 0 ? c->take_ms : c->now_ms + (within > 0 ? c->random % within : 0);
    out->next_ms = out->take_ms;
    if (c->now_ms >= out->take_ms) {
        *out = (struct lease_plan){.act = LEASE_TAKE, .next_ms = c->now_ms + LEASE_RENEW_MS(c->lease_ms)};
    }
}

void lease_plan(const struct lease_case *c, struct lease_plan *out)
{
    *out = (struct lease_plan){.act = LEASE_LEAVE, .next_ms = TIME_NONE};
    bool held = !id_none(&c->lease.device) && !c->holder_gone && c->lease.until_ms > c->now_ms;
    if (held && id_eq(&c->lease.device, &c->self)) {
        plan_own(c, out);
    } else if (held) {
        out->next_ms = c->lease.until_ms;
    } else {
        plan_free(c, out);
    }
}

/* ---- in the store -----------------------------------------------------------------------------------------
 */

static void lease_id(struct id *out)
{
    struct hasher h;
    hasher_init(&h, BYTES_NONE, ID_BYTES);
    hasher_update(&h, BYTES_LIT("selfsame thinking lease 1"));
    hasher_final(&h, out->b, ID_BYTES);
}

/* The entity of the lease into x, and what it says: nobody when there is none or it cannot be read. */
static int lease_load(const struct lease_env *env, struct entity *x, struct lease *out, struct err *e)
{
    struct id id;
    struct bytes value;
    struct err own = ERR_INIT;
    *out = (struct lease){.device = ID_NONE};
    lease_id(&id);
    int rc = store_entity(env->store, SPACE_WORK, &id, x, &own);
    if (rc == 0 && entity_reg(x, REG_VALUE, &value, NULL) &&
        lease_parse(value, clock_wall_ms(env->clock), out) != 0) {
        *out = (struct lease){.device = ID_NONE};
    }
    return rc == 0 || rc == ERR_NOTFOUND ? 0 : err_set(e, rc, "reading who thinks: %s", own.text);
}

static int lease_write(const struct lease_env *env, const struct entity *x, const struct lease *l,
                       struct err *e)
{
    uint8_t replaced[LIMIT_PRIOR_STAMPS][16];
    struct draft d;
    struct buf value;
    struct id id;
    lease_id(&id);
    buf_init(&value, 128);
    int rc = lease_put(&value, l);
    draft_init(&d);
    draft_reset(&d, SPACE_WORK, CLASS_MODEL, &id);
    size_t n_replaced = entity_stamps(x, REG_VALUE, replaced, LIMIT_PRIOR_STAMPS);
    draft_reg(&d, REG_VALUE, buf_view(&value), (const uint8_t(*)[16])replaced, n_replaced);
    if (rc == 0) {
        rc = store_write(env->store, &d, e);
    }
    draft_release(&d);
    buf_release(&value);
    if (rc == 0) {
        *env->wrote = true;
    }
    return rc;
}

int lease_check(struct bytes value, struct err *e)
{
    int64_t ms = 0;
    bool fits = duration_parse(value, &ms) == 0 && ms >= LEASE_MS_MIN && ms <= LEASE_MS;
    return fits ? 0 : err_set(e, ERR_USAGE, "a duration from 10s to 6h");
}

static int64_t length_ms(struct store *s)
{
    struct buf v;
    int64_t ms = LEASE_MS;
    buf_init(&v, LIMIT_SETTING_BYTES);
    bool usable = config_text(s, "think.lease", &v, NULL) == 0 && lease_check(buf_view(&v), NULL) == 0 &&
                  duration_parse(buf_view(&v), &ms) == 0;
    buf_release(&v);
    return usable ? ms : LEASE_MS;
}

static struct lease in_force(const struct lease_case *c)
{
    return c->holder_gone || c->lease.until_ms <= c->now_ms ? (struct lease){.device = ID_NONE} : c->lease;
}

static int case_load(struct lease_case *c, const struct lease_env *env, struct entity *x, struct err *e)
{
    int rc = lease_load(env, x, &c->lease, e);
    c->now_ms = clock_wall_ms(env->clock);
    c->holder_gone = !id_none(&c->lease.device) && !group_is_active(env->group, &c->lease.device);
    return rc;
}

static struct lease alone(const struct lease_env *env, bool able, bool remote)
{
    return (struct lease){able ? env->device : ID_NONE, remote, INT64_MAX};
}

static int lease_follow(struct lease_keeper *k, const struct lease_env *env, const struct lease_case *c,
                        int64_t *next_ms, struct entity *x, struct err *e)
{
    struct lease_plan plan;
    lease_plan(c, &plan);
    k->take_ms = plan.take_ms;
    k->lease = in_force(c);
    *next_ms = plan.next_ms;
    if (plan.act == LEASE_LEAVE) {
        return 0;
    }
    struct lease mine = {.device = c->self, .remote = c->remote, .until_ms = c->now_ms};
    mine.until_ms += plan.act == LEASE_TAKE ? c->lease_ms : 0;
    int rc = lease_write(env, x, &mine, e);
    if (rc == 0) {
        k->lease = plan.act == LEASE_TAKE ? mine : (struct lease){.device = ID_NONE};
    }
    return rc;
}

int lease_keep(struct lease_keeper *k, const struct lease_env *env, bool able, bool remote, int64_t *next_ms,
               struct err *e)
{
    struct lease_case c = {.self = env->device, .able = able, .remote = remote, .take_ms = k->take_ms};
    *next_ms = TIME_NONE;
    if (!group_has_others(env->group, &env->device)) {
        *k = (struct lease_keeper){.lease = alone(env, able, remote)};
        return 0;
    }
    struct entity *x = entity_new();
    if (x == NULL) {
        return err_set(e, ERR_NOMEM, "reading who thinks");
    }
    int rc = case_load(&c, env, x, e);
    c.lease_ms = length_ms(env->store);
    if (env->patient) {
        rng_fill(env->rng, &c.random, sizeof(c.random));
    }
    if (rc == 0) {
        rc = lease_follow(k, env, &c, next_ms, x, e);
    }
    entity_free(x);
    return rc;
}

int lease_look(const struct lease_env *env, bool able, struct lease *out, struct err *e)
{
    struct lease_case c = {.self = env->device};
    *out = alone(env, able, false);
    if (!group_has_others(env->group, &env->device)) {
        return 0;
    }
    struct entity *x = entity_new();
    int rc = x != NULL ? case_load(&c, env, x, e) : err_set(e, ERR_NOMEM, "reading who thinks");
    entity_free(x);
    *out = rc == 0 ? in_force(&c) : (struct lease){.device = ID_NONE};
    return rc;
}
