/* Life of a device: what node/ does around store and sync, on a virtual machine that is switched off, loses
 * power, sleeps and wakes. */
#include "tests/sim/world.h"

#include <string.h>

#define SILENT_MS (90 * DAY)

/* ---- being there */

void device_init(struct sim *x, struct device *d, size_t index)
{
    char name[16];
    memset(d, 0, sizeof *d);
    d->index = index;
    d->role = index == 0 ? LAPTOP : index == 1 ? PHONE : (enum role)below(x, 3);
    (void)snprintf(name, sizeof name, "d%zu", index);
    world_path(name, d->path);
    (void)snprintf(name, sizeof name, "b%zu", index);
    world_path(name, d->backup);
    test_clock_init(&d->test_clock, START_MS);
    test_rng_init(&d->test_rng, test_rng_u64(&x->rng));
    d->clock = test_clock_iface(&d->test_clock);
    d->rng = test_rng_iface(&d->test_rng);
    d->skew_ms = below(x, 3) ? 0 : (int64_t)below(x, 16 * MINUTE) - 8 * MINUTE;
    d->awake = true;
    d->next_turn = x->now + MINUTE + (int64_t)below(x, 20 * MINUTE);
    d->next_write = x->now + (int64_t)below(x, 2 * MINUTE);
    d->next_trouble = x->now + (int64_t)below(x, 10 * MINUTE);
}

static void merged(void *ctx, uint64_t ops)
{
    struct sim *x = ctx;
    x->r->merged += ops;
}

static void regrouped(void *ctx)
{
    struct sim *x = ctx;
    for (size_t i = 0; i < x->n; i++)
        x->device[i].regrouped = true;
}

static int open_infer(struct sim *x, struct device *d, struct err *e)
{
    const uint8_t *secret = group_secret(d->group);
    if (x->plan.rate[FAULT_INFER] == 0 || !secret)
        return 0;
    struct infer_env env = {.store = d->store,
                            .clock = &d->clock,
                            .device = d->id,
                            .device_name = "laptop",
                            .claim_secret = bytes_of(secret, KEY_BYTES)};
    return infer_open(&d->infer, &env, e);
}

static int open_all(struct sim *x, struct device *d, struct err *e)
{
    struct store_config cfg = {.path = d->path, .vfs = DISK_VFS, .clock = &d->clock, .rng = &d->rng};
    int rc = store_open(&d->store, &cfg, e);
    if (rc)
        return rc;
    store_use_log(d->store, &d->log, &d->id);
    rc = group_open(&d->group, d->store, &d->keys, &d->rng, e);
    if (rc)
        return rc;
    struct sync_env env = {.store = d->store,
                           .group = d->group,
                           .keys = &d->keys,
                           .clock = &d->clock,
                           .rng = &d->rng,
                           .log = d->log,
                           .merged = merged,
                           .regrouped = regrouped,
                           .ctx = x};
    rc = sync_open(&d->sync, &env, e);
    return rc ? rc : open_infer(x, d, e);
}

static void close_all(struct device *d)
{
    infer_close(d->infer);
    sync_close(d->sync);
    group_close(d->group);
    store_close(d->store);
    d->infer = NULL;
    d->sync = NULL;
    d->group = NULL;
    d->store = NULL;
    d->up = false;
}

int device_open(struct sim *x, struct device *d, struct err *e)
{
    int rc = open_all(x, d, e);
    d->up = rc == 0;
    d->shaken = disk_armed();
    d->regrouped = true;
    d->next_dial = x->now + (int64_t)below(x, 2 * SECOND);
    if (rc)
        close_all(d);
    return rc;
}

void device_close(struct sim *x, struct device *d)
{
    network_leave(x, d);
    close_all(d);
}

void device_down(struct sim *x, struct device *d, int64_t ms)
{
    device_close(x, d);
    d->up_at = x->now + ms;
}

void device_start(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    int rc = device_open(x, d, &e);
    if (rc && (disk_struck() || disk_armed())) {
        say(x, "device %zu does not come up: %s", d->index, e.text);
        disk_crash(d->path, &x->rng);
        d->up_at = x->now + MINUTE;
        return;
    }
    must(x, rc, &e, "opening a device again");
    if (rc == 0) {
        say(x, "device %zu is up", d->index);
        check_opened(x, d);
        nudge(x);
    }
}

void device_retire(struct sim *x, struct device *d, const char *why)
{
    say(x, "device %zu is gone: %s", d->index, why);
    if (d->up)
        device_close(x, d);
    d->gone = true;
    journal_tear(x, &d->log);
}

bool is_member(const struct device *d)
{
    return d->up && !d->gone && group_is_active(d->group, &d->id);
}

bool device_excused(struct sim *x, struct device *d, int rc)
{
    /* The full-text index calls itself damaged when it has no memory; whether it is, the end will tell. */
    bool memory = x->plan.rate[FAULT_MEMORY] > 0 && rc == ERR_CORRUPT;
    return d->shaken && (rc == ERR_IO || rc == ERR_FULL || rc == ERR_NOMEM || memory);
}

/* ---- sleep */

static void fall_asleep(struct sim *x, struct device *d)
{
    static const int64_t longest[] = {[PHONE] = 14, [LAPTOP] = 20, [DESKTOP] = 12};
    d->awake = false;
    d->asleep_since = x->now;
    d->next_turn = x->now + (int64_t)(1 + below(x, (uint64_t)longest[d->role])) * 60 * MINUTE +
                   (int64_t)below(x, 60 * MINUTE);
}

static void wake(struct sim *x, struct device *d)
{
    static const int64_t longest[] = {[PHONE] = 4, [LAPTOP] = 15, [DESKTOP] = 25};
    d->slept_ms += x->now - d->asleep_since;
    d->awake = true;
    d->next_turn = x->now + MINUTE / 2 + (int64_t)below(x, (uint64_t)(longest[d->role] * MINUTE));
    d->next_write = below(x, 5) < 3 ? x->now + (int64_t)below(x, MINUTE) : INT64_MAX;
    d->next_trouble = x->now + (int64_t)below(x, 3 * MINUTE);
    d->next_dial = x->now + (int64_t)below(x, 2 * SECOND);
    d->regrouped = true;
    clocks(x);
    nudge(x);
}

void device_turn(struct sim *x, struct device *d)
{
    if (!d->awake)
        wake(x, d);
    else if (x->healing)
        d->next_turn = INT64_MAX;
    else
        fall_asleep(x, d);
    if (d->awake && d->up)
        device_settle(x, d);
}

/* ---- the group in order, as node/ keeps it */

struct silence {
    const struct device *d;
    int64_t now_ms;
    struct id sleep[DEVICES_MAX], wake[DEVICES_MAX];
    size_t n_sleep, n_wake;
};

static int silence_note(void *ctx, const struct peer_status *p)
{
    struct silence *s = ctx;
    const struct member *m = group_find(s->d->group, &p->device);
    int64_t seen = p->last_seen_ms > 0 ? p->last_seen_ms : m ? m->added_ms : s->now_ms;
    if (m && seen < m->changed_ms)
        seen = m->changed_ms;
    if (m && m->state == MEMBER_ACTIVE && seen < s->now_ms - SILENT_MS && s->n_sleep < DEVICES_MAX)
        s->sleep[s->n_sleep++] = p->device;
    if (m && m->state == MEMBER_ASLEEP && p->connected && s->n_wake < DEVICES_MAX)
        s->wake[s->n_wake++] = p->device;
    return 0;
}

static int mark_silent(struct device *d, bool *changed, struct err *e)
{
    struct silence s = {.d = d, .now_ms = clock_wall_ms(&d->clock)};
    int rc = sync_peers(d->sync, silence_note, &s, e);
    for (size_t i = 0; rc == 0 && i < s.n_sleep; i++)
        rc = group_sleep(d->group, &s.sleep[i], true, s.now_ms, e);
    for (size_t i = 0; rc == 0 && i < s.n_wake; i++)
        rc = group_sleep(d->group, &s.wake[i], false, s.now_ms, e);
    *changed = *changed || s.n_sleep > 0 || s.n_wake > 0;
    return rc;
}

void device_settle(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    bool changed = false;
    d->regrouped = false;
    if (!is_member(d) || d->copy || sync_identity(d->sync) == IDENTITY_CLONED)
        return;
    int rc = group_settle(d->group, clock_wall_ms(&d->clock), &changed, &e);
    rc = rc ? rc : mark_silent(d, &changed, &e);
    if (rc == 0 && changed)
        rc = sync_changed(d->sync, &e);
    if (rc && rc != ERR_ATTENTION && !device_excused(x, d, rc))
        fail(x, "device %zu cannot settle its group: %s", d->index, e.text);
    network_pump(x, d);
    check_device(x, d);
}

static void new_log(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    struct id before = d->log;
    say(x, "device %zu opens a new log", d->index);
    journal_tear(x, &d->log);
    rng_fill(&d->rng, d->log.b, ID_BYTES);
    int rc = group_open_log(d->group, &d->log, clock_wall_ms(&d->clock), &e);
    if (rc) {
        d->log = before;
        if (!device_excused(x, d, rc) && rc != ERR_ATTENTION)
            fail(x, "device %zu cannot open a log: %s", d->index, e.text);
        return;
    }
    store_use_log(d->store, &d->log, &d->id);
    sync_log_renewed(d->sync, &d->log);
    d->cautious = false;
    rc = sync_changed(d->sync, &e);
    if (rc && rc != ERR_ATTENTION && !device_excused(x, d, rc))
        fail(x, "device %zu after a new log: %s", d->index, e.text);
}

static bool has_met(const struct sim *x, const struct device *d)
{
    struct id peer;
    for (size_t i = 0; i < LINKS; i++) {
        for (size_t end = 0; end < 2; end++) {
            const struct session *s = x->link[i].device[end] == d->index ? x->link[i].session[end] : NULL;
            if (x->link[i].used && s && session_peer(s, &peer) && session_idle(s))
                return true;
        }
    }
    return false;
}

static void renew(struct sim *x, struct device *d)
{
    enum identity_fault fault = sync_identity(d->sync);
    if (d->copy || !is_member(d) || !sync_identity_pulled(d->sync))
        return;
    if (fault == IDENTITY_FORKED && !x->plan.rate[FAULT_HOSTILE])
        fail(x, "the log of device %zu is said to be forked", d->index);
    if (fault == IDENTITY_BEHIND && !d->cautious && !x->plan.rate[FAULT_HOSTILE])
        fail(x, "device %zu is said to be behind itself", d->index);
    if (fault == IDENTITY_BEHIND || fault == IDENTITY_FORKED ||
        (fault == IDENTITY_FINE && d->cautious && has_met(x, d)))
        new_log(x, d);
}

/* What it was armed for has struck: the machine is off. */
static bool lost_power(struct sim *x, struct device *d)
{
    if (!d->shaken || !disk_lost_power(d->path))
        return false;
    say(x, "the power of device %zu is cut", d->index);
    device_close(x, d);
    disk_crash(d->path, &x->fault[FAULT_POWER]);
    d->up_at = x->now + SECOND + (int64_t)below(x, 20 * MINUTE);
    return true;
}

void device_after(struct sim *x, struct device *d)
{
    if (!d->up || x->failed || lost_power(x, d))
        return;
    renew(x, d);
    if (d->up && d->regrouped)
        device_settle(x, d);
    network_pump(x, d);
    (void)(d->up && lost_power(x, d));
}

/* ---- writing */

bool device_may_write(const struct device *d)
{
    return d->up && !d->copy && !d->cautious && group_exists(d->group) &&
           sync_identity(d->sync) == IDENTITY_FINE;
}

static const struct id *some_prop(struct sim *x)
{
    if (x->n_props < PROPS && (x->n_props == 0 || below(x, 3))) {
        test_rng_fill(&x->rng, x->prop[x->n_props].b, ID_BYTES);
        return &x->prop[x->n_props++];
    }
    return &x->prop[below(x, x->n_props)];
}

static void some_text(struct sim *x, char out[64])
{
    (void)snprintf(out, 64, CANARY " %llu", (unsigned long long)below(x, 1000));
}

/* Tags and spaces that this build does not know. */
static void draft_newer(struct sim *x, struct draft *w, const struct id *id)
{
    char text[64];
    some_text(x, text);
    draft_reset(w, below(x, 3) ? SPACE_PROPOSITION : (enum op_space)(9 + below(x, 3)), CLASS_EDIT, id);
    draft_reg(w, (enum op_tag)(40 + below(x, 3)), bytes_str(text), NULL, 0);
    if (below(x, 2))
        draft_set_add(w, (enum op_tag)(90 + below(x, 3)), bytes_str(text));
    if (below(x, 2))
        draft_reg(w, (enum op_tag)(200 + below(x, 3)), bytes_str(text), NULL, 0);
    x->r->faults[FAULT_NEWER]++;
}

static void draft_random(struct sim *x, struct device *d, struct draft *w, const struct id *id)
{
    char text[64];
    some_text(x, text);
    draft_reset(w, SPACE_PROPOSITION, (enum op_class)below(x, 4), id);
    switch (below(x, 6)) {
    case 0:
        draft_set_add(w, SET_TAG, bytes_str(text));
        break;
    case 1:
        draft_count(w, &(struct count){.device = d->id,
                                       .source = BYTES_LIT("shell"),
                                       .support = 1 + below(x, 100),
                                       .against = 1,
                                       .first_ms = START_MS,
                                       .last_ms = START_MS + x->now});
        break;
    case 2: {
        struct seen s = {.against = below(x, 2) != 0, .time_ms = START_MS + x->now};
        s.key[0] = (uint8_t)below(x, 20);
        draft_seen(w, &s, 1);
        break;
    }
    case 3:
        draft_reset(w, SPACE_EDGE, CLASS_EDIT, id);
        draft_set_add(w, below(x, 2) ? SET_SAME_AS : SET_SUPERSEDES,
                      bytes_of(x->prop[below(x, x->n_props)].b, ID_BYTES));
        break;
    default:
        draft_reg(w, REG_TEXT, bytes_str(text), NULL, 0);
        draft_reg_u8(w, REG_LIFE, (uint8_t)below(x, 2), NULL, 0);
        break;
    }
}

/* An edit that names what it replaces, or the removal of a tag. */
static bool draft_edit(struct sim *x, struct device *d, struct draft *w, const struct id *id)
{
    uint8_t names[LIMIT_PRIOR_STAMPS][16];
    char text[64];
    struct entity *en = entity_new();
    CHECK(en);
    some_text(x, text);
    bool found = store_entity(d->store, SPACE_PROPOSITION, id, en, NULL) == 0;
    draft_reset(w, SPACE_PROPOSITION, CLASS_EDIT, id);
    if (found && below(x, 2) && entity_set_count(en, SET_TAG) > 0) {
        struct bytes tag = entity_set_at(en, SET_TAG, 0);
        size_t n = entity_set_dots(en, SET_TAG, tag, names, LIMIT_PRIOR_STAMPS);
        draft_set_remove(w, SET_TAG, tag, (const uint8_t(*)[16])names, n);
    } else if (found) {
        size_t n = entity_stamps(en, REG_TEXT, names, LIMIT_PRIOR_STAMPS);
        draft_reg(w, REG_TEXT, bytes_str(text), (const uint8_t(*)[16])names, n);
    }
    entity_free(en);
    return found && w->n_actions > 0;
}

static int write_one(struct sim *x, struct device *d, struct err *e)
{
    const struct id *id = some_prop(x);
    struct draft w;
    draft_init(&w);
    if (strikes(x, FAULT_NEWER, 1000))
        draft_newer(x, &w, id);
    else if (below(x, 3) || !draft_edit(x, d, &w, id))
        draft_random(x, d, &w, id);
    int rc = store_write(d->store, &w, e);
    draft_release(&w);
    return rc == ERR_FORGOTTEN || rc == ERR_NOTFOUND ? 0 : rc;
}

static int write_all(struct sim *x, struct device *d, uint64_t ops, struct err *e)
{
    if (below(x, 25) == 0) /* alone, so that no op of the same transaction loses its body unseen */
        return store_forget(d->store, some_prop(x), NULL, 0, e);
    int rc = store_begin(d->store, e);
    for (uint64_t i = 0; rc == 0 && i < ops; i++)
        rc = write_one(x, d, e);
    if (rc) {
        store_rollback(d->store);
        return rc;
    }
    return store_commit(d->store, e);
}

static void written(struct sim *x, struct device *d, int rc, struct err *e)
{
    rc = rc == ERR_FORGOTTEN || rc == ERR_NOTFOUND ? 0 : rc;
    if (rc == 0) {
        disk_hold(true);
        journal_take(x, d);
        disk_hold(false);
        rc = sync_changed(d->sync, e);
    }
    if (rc && rc != ERR_ATTENTION && !device_excused(x, d, rc))
        fail(x, "device %zu cannot write: %s", d->index, e->text);
    network_pump(x, d);
    device_after(x, d);
    if (rc == ERR_CORRUPT && d->up)
        device_down(x, d, SECOND);
}

void device_write(struct sim *x, struct device *d, uint64_t ops)
{
    struct err e = ERR_INIT;
    if (!device_may_write(d))
        return;
    int rc = write_all(x, d, ops, &e);
    written(x, d, rc, &e);
}

/* ---- inference */

static int import_some(struct sim *x, struct device *d, struct err *e)
{
    static const char *const commands[] = {"rg -n canary-7f3a src", "git commit", "make test", "rg todo"};
    int rc = 0;
    for (uint64_t i = 0, n = 1 + below(x, 6); rc == 0 && i < n; i++) {
        bool fresh = false;
        struct stored_observation o = {.time_ms = START_MS + x->now - (int64_t)below(x, DAY),
                                       .end_ms = TIME_NONE,
                                       .added_ms = START_MS + x->now,
                                       .source = BYTES_LIT("bash"),
                                       .command = bytes_str(commands[below(x, 4)])};
        test_rng_fill(&x->rng, o.key, sizeof o.key);
        rc = local_observation_add(d->store, &o, &o.row, &fresh, e);
        if (rc == 0 && o.row > 0 && fresh)
            rc = infer_observe(d->infer, &o, e);
    }
    return rc ? rc : infer_flush(d->infer, NULL, e);
}

void device_import(struct sim *x, struct device *d)
{
    struct err e = ERR_INIT;
    if (!device_may_write(d) || !d->infer)
        return;
    int rc = store_begin(d->store, &e);
    if (rc == 0) {
        rc = import_some(x, d, &e);
        if (rc)
            store_rollback(d->store);
        else
            rc = store_commit(d->store, &e);
    }
    written(x, d, rc, &e);
}

/* ---- adding one */

static int carry(void *ctx, struct bytes record)
{
    bool fresh;
    return group_receive(ctx, record, &fresh, NULL);
}

int device_add(struct device *by, struct device *d, struct err *e)
{
    struct history_grant grant = {HISTORY_ALL, 0};
    struct buf cert;
    struct id group;
    char name[16];
    (void)snprintf(name, sizeof name, "device%zu", d->index);
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    int rc = device_cert_make(&d->keys, bytes_str(name), START_MS, &cert, e);
    rc = rc ? rc : group_add(by->group, buf_view(&cert), &grant, clock_wall_ms(&by->clock), e);
    buf_release(&cert);
    if (rc)
        return rc;
    group_id(by->group, &group);
    rc = group_join(d->group, &group, e);
    rc = rc ? rc : group_records(by->group, NULL, 0, carry, d->group);
    rc = rc ? rc : group_open_log(d->group, &d->log, clock_wall_ms(&d->clock), e);
    rc = rc ? rc : sync_changed(by->sync, e);
    return rc ? rc : sync_changed(d->sync, e);
}
