/* What happens to devices, and when: each kind for itself, whenever an awake device is looked at. One table
 * says what a kind does. */
#include "tests/sim/world.h"

#include <string.h>

/* ---- the network */

static void partition(struct sim *x, struct device *d, enum sim_fault f)
{
    size_t o = fault_below(x, f, x->n);
    int64_t until = x->now + (int64_t)fault_below(x, f, (uint64_t)(2 * DAY));
    if (o == d->index)
        return;
    x->apart_until[d->index][o] = until;
    if (f == FAULT_PART)
        x->apart_until[o][d->index] = until;
    x->r->faults[f]++;
    say(x, "devices %zu and %zu are apart%s", d->index, o, f == FAULT_PART ? "" : " one way");
}

static void cut(struct sim *x, struct device *d, enum sim_fault f)
{
    for (size_t i = 0; i < LINKS; i++) {
        struct link *l = &x->link[i];
        if (!l->used || (l->device[0] != d->index && l->device[1] != d->index))
            continue;
        x->r->faults[f]++;
        network_cut(x, l);
        return;
    }
}

/* ---- machines */

static void back_up(struct sim *x, struct device *d)
{
    (void)x;
    disk_copy(d->path, d->backup);
    d->backup_log = d->log;
    d->has_backup = true;
}

static void kill_it(struct sim *x, struct device *d, enum sim_fault f)
{
    say(x, "device %zu is killed", d->index);
    x->r->faults[f]++;
    if (fault_below(x, f, 2) && !d->shaken)
        (void)!store_begin(d->store, NULL); /* in the middle of a transaction */
    device_down(x, d, SECOND + (int64_t)fault_below(x, f, (uint64_t)(10 * MINUTE)));
}

static void arm(struct sim *x, struct device *d, enum sim_fault f)
{
    static const struct {
        enum sim_fault f;
        enum disk_fault disk;
        unsigned after;
    } rows[] = {{FAULT_POWER, DISK_POWER, 80},
                {FAULT_READ, DISK_READ, 40},
                {FAULT_WRITE, DISK_WRITE, 40},
                {FAULT_FULL, DISK_FULL, 15},
                {FAULT_MEMORY, DISK_MEMORY, 400}};
    if (disk_armed() || !d->up)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].f != f)
            continue;
        disk_arm(d->path, rows[i].disk, fault_below(x, f, rows[i].after), 1 + fault_below(x, f, 3));
        for (size_t k = 0; k < x->n; k++)
            x->device[k].shaken = x->device[k].shaken || f == FAULT_MEMORY;
        d->shaken = true;
        x->r->faults[f]++;
        say(x, "device %zu: %s is near", d->index, sim_fault_name(f));
        device_write(x, d, 1 + fault_below(x, f, 3));
    }
}

/* A bit that turned over is found, or it does no harm: tried on a copy. */
static void flip(struct sim *x, struct device *d, enum sim_fault f)
{
    char path[DISK_PATH_BYTES];
    struct err e = ERR_INIT;
    struct store *s = NULL;
    struct hash before, after;
    if (d->shaken || disk_armed() || store_digest(d->store, &before, &e))
        return;
    world_path("flip", path);
    disk_copy(d->path, path);
    struct store_config cfg = {.path = path, .vfs = DISK_VFS, .clock = &d->clock, .rng = &d->rng};
    if (!disk_flip(path, &x->fault[f]))
        return;
    x->r->faults[f]++;
    int rc = store_open(&s, &cfg, &e);
    rc = rc ? rc : store_verify(s, &e);
    rc = rc ? rc : store_check(s, &e);
    if (rc == 0 && store_digest(s, &after, &e) == 0 && memcmp(&before, &after, sizeof after) != 0)
        fail(x, "a flipped bit changed the model of device %zu, and no check sees it", d->index);
    store_close(s);
    disk_remove(path);
}

static void jump(struct sim *x, struct device *d, enum sim_fault f)
{
    static const int64_t far[] = {10 * SECOND, 20 * MINUTE, DAY, 100 * DAY, 3650 * DAY};
    uint64_t most = (uint64_t)far[fault_below(x, f, sizeof far / sizeof *far)];
    int64_t by = (int64_t)fault_below(x, f, most + 1);
    d->skew_ms = fault_below(x, f, 3) == 0 ? 0 : fault_below(x, f, 2) ? by : -by;
    x->r->faults[f]++;
    say(x, "the clock of device %zu is off by %lld s", d->index, (long long)(d->skew_ms / 1000));
    clocks(x);
}

static void strobe(struct sim *x, struct device *d, enum sim_fault f)
{
    d->strobe_until = x->now + (int64_t)fault_below(x, f, (uint64_t)(60 * MINUTE));
    x->r->faults[f]++;
}

static void pause_it(struct sim *x, struct device *d, enum sim_fault f)
{
    d->awake = false;
    d->asleep_since = x->now;
    d->next_turn = x->now + (int64_t)fault_below(x, f, (uint64_t)(6 * MINUTE));
    x->r->faults[f]++;
    say(x, "device %zu stops for a while", d->index);
}

/* ---- identity */

static struct device *slot(struct sim *x)
{
    return x->n < DEVICES_MAX ? &x->device[x->n] : NULL;
}

/* Another machine is made from this one's disk; nobody has written there yet when they meet. */
static void clone(struct sim *x, struct device *d, enum sim_fault f)
{
    struct device *c = slot(x);
    if (!c || d->copy || d->shaken || !is_member(d))
        return;
    device_init(x, c, x->n);
    c->copy = true;
    c->keys = d->keys;
    c->id = d->id;
    c->log = d->log;
    disk_copy(d->path, c->path);
    struct err e = ERR_INIT;
    x->n++;
    clocks(x);
    must(x, device_open(x, c, &e), &e, "opening a clone");
    x->r->faults[f]++;
    say(x, "device %zu is a copy of %zu", c->index, d->index);
}

/* Yesterday's database: a new log at once when the key file beside it is of today, else (the whole folder
 * went back) when a peer tells. */
static void restore(struct sim *x, struct device *d, enum sim_fault f)
{
    if (d->copy || d->cautious || !is_member(d))
        return;
    if (!d->has_backup || fault_below(x, f, 3) == 0) {
        if (!d->shaken)
            back_up(x, d);
        return;
    }
    say(x, "device %zu gets an old database", d->index);
    x->r->faults[f]++;
    device_close(x, d);
    journal_tear(x, &d->log);
    disk_copy(d->backup, d->path);
    d->has_backup = false;
    d->cautious = true;
    d->log = d->backup_log;
    d->up_at = x->now + SECOND;
}

static struct device *other_member(struct sim *x, struct device *d, enum sim_fault f)
{
    size_t at = fault_below(x, f, x->n);
    for (size_t i = 0; i < x->n; i++) {
        struct device *o = &x->device[(at + i) % x->n];
        if (o != d && !o->gone && !o->copy && !id_eq(&o->id, &d->id) && is_member(d) &&
            group_is_active(d->group, &o->id))
            return o;
    }
    return NULL;
}

static size_t members_of(const struct device *d)
{
    size_t n = 0;
    for (size_t i = 0; i < group_members(d->group); i++)
        n += group_is_active(d->group, &group_member_at(d->group, i)->device);
    return n;
}

static bool changed(struct sim *x, struct device *d, int rc, struct err *e, const char *what)
{
    if (rc == 0)
        rc = sync_changed(d->sync, e);
    if (rc && rc != ERR_ATTENTION && rc != ERR_EXISTS && !device_excused(x, d, rc))
        fail(x, "%s: %s", what, e->text);
    network_pump(x, d);
    device_after(x, d);
    return rc == 0;
}

static void remove_one(struct sim *x, struct device *d, struct device *o, enum sim_fault f)
{
    struct err e = ERR_INIT;
    say(x, "device %zu removes %zu", d->index, o->index);
    x->r->faults[f]++;
    journal_tear(x, &o->log);
    x->removers |= 1u << d->index;
    (void)changed(x, d, group_remove(d->group, &o->id, clock_wall_ms(&d->clock), &e), &e,
                  "removing a device");
}

static bool may_change(const struct device *d)
{
    return is_member(d) && device_may_write(d);
}

static void remove_it(struct sim *x, struct device *d, enum sim_fault f)
{
    struct device *o = other_member(x, d, f);
    if (!o || !may_change(d) || members_of(d) < 3)
        return;
    if (fault_below(x, f, 2) && o->up && o->awake)
        device_write(x, o, 2); /* it is writing meanwhile */
    if (may_change(d))
        remove_one(x, d, o, f);
    if (fault_below(x, f, 3) == 0 && may_change(d)) {
        struct err e = ERR_INIT;
        (void)changed(x, d, group_rotate(d->group, clock_wall_ms(&d->clock), &e), &e, "rotating");
    }
}

static void mutual(struct sim *x, struct device *d, enum sim_fault f)
{
    struct device *o = other_member(x, d, f);
    if (!o || !may_change(d) || !may_change(o) || members_of(d) < 3 || !group_is_active(o->group, &d->id))
        return;
    x->apart_until[d->index][o->index] = x->apart_until[o->index][d->index] = x->now + DAY / 4;
    remove_one(x, d, o, f);
    if (may_change(o))
        remove_one(x, o, d, f);
}

static void rotate(struct sim *x, struct device *d, enum sim_fault f)
{
    struct err e = ERR_INIT;
    if (!may_change(d))
        return;
    x->r->faults[f]++;
    (void)changed(x, d, group_rotate(d->group, clock_wall_ms(&d->clock), &e), &e, "rotating");
}

static void join(struct sim *x, struct device *by, enum sim_fault f)
{
    struct err e = ERR_INIT;
    struct device *d = slot(x);
    if (!d || !may_change(by) || by->shaken || disk_armed())
        return;
    device_init(x, d, x->n);
    household_fresh(x, d);
    x->n++;
    clocks(x);
    must(x, device_open(x, d, &e), &e, "opening a new device");
    int rc = x->failed ? ERR_IO : device_add(by, d, &e);
    if (rc) { /* the adder was removed, and does not know it */
        if (rc != ERR_ATTENTION && rc != ERR_VERIFY)
            fail(x, "adding a device: %s", e.text);
        device_retire(x, d, "it could not be added");
        return;
    }
    x->r->faults[f]++;
    say(x, "device %zu joins by %zu", d->index, by->index);
    network_pump(x, by);
    device_after(x, by);
}

/* The machine is there, its keys are not: it is removed, and comes back as a new one. */
static void lose_keys(struct sim *x, struct device *d, enum sim_fault f)
{
    struct device *by = other_member(x, d, f);
    if (!by || !may_change(by) || d->copy || by->shaken || !slot(x) || !group_is_active(by->group, &d->id))
        return;
    x->r->faults[f]++;
    device_retire(x, d, "its key file is lost");
    remove_one(x, by, d, f);
    if (may_change(by))
        join(x, by, FAULT_JOIN);
}

/* ---- upkeep at any moment */

static void compact(struct sim *x, struct device *d, enum sim_fault f)
{
    struct err e = ERR_INIT;
    if (d->copy)
        return;
    x->r->faults[f]++;
    int rc = fault_below(x, f, 2) ? store_scrub(d->store, &e) : store_rebuild(d->store, &e);
    if (rc && !device_excused(x, d, rc))
        fail(x, "device %zu cannot compact its store: %s", d->index, e.text);
    device_after(x, d);
}

static void bulk(struct sim *x, struct device *d, enum sim_fault f)
{
    x->r->faults[f]++;
    device_write(x, d, 130 + fault_below(x, f, 200));
}

static void import(struct sim *x, struct device *d, enum sim_fault f)
{
    x->r->faults[f]++;
    device_import(x, d);
}

static void attack(struct sim *x, struct device *d, enum sim_fault f)
{
    struct device *o = other_member(x, d, f);
    if (!o || !o->up || !o->awake)
        return;
    struct link *l = network_link(x, d, o);
    if (!l)
        return;
    x->r->faults[f]++;
    say(x, "device %zu attacks %zu", d->index, o->index);
    l->hostile = hostile_new(x, l);
}

static const struct {
    enum sim_fault f;
    void (*fn)(struct sim *x, struct device *d, enum sim_fault f);
} table[] = {
    {FAULT_PART, partition},   {FAULT_ONEWAY, partition}, {FAULT_CUT, cut},         {FAULT_KILL, kill_it},
    {FAULT_POWER, arm},        {FAULT_READ, arm},         {FAULT_WRITE, arm},       {FAULT_FULL, arm},
    {FAULT_MEMORY, arm},       {FAULT_FLIP, flip},        {FAULT_JUMP, jump},       {FAULT_STROBE, strobe},
    {FAULT_PAUSE, pause_it},   {FAULT_CLONE, clone},      {FAULT_RESTORE, restore}, {FAULT_KEYS, lose_keys},
    {FAULT_REMOVE, remove_it}, {FAULT_MUTUAL, mutual},    {FAULT_ROTATE, rotate},   {FAULT_JOIN, join},
    {FAULT_COMPACT, compact},  {FAULT_BULK, bulk},        {FAULT_INFER, import},    {FAULT_HOSTILE, attack},
};

void faults_look(struct sim *x, struct device *d)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (x->failed || !d->up || !d->awake || d->gone)
            return;
        if (strikes(x, table[i].f, 1000))
            table[i].fn(x, d, table[i].f);
    }
}

void faults_away(struct sim *x)
{
    x->r->faults[FAULT_AWAY]++;
    say(x, "everybody is away for a hundred days");
    size_t first = fault_below(x, FAULT_AWAY, x->n);
    x->now += 100 * DAY;
    clocks(x);
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        d->next_turn = x->now + (i == first ? 0 : (int64_t)fault_below(x, FAULT_AWAY, (uint64_t)DAY));
    }
}

/* ---- the end of all faults */

static void calm(struct sim *x, struct device *d)
{
    d->skew_ms = 0;
    d->strobe_until = 0;
    d->shaken = false;
    d->has_backup = false;
    if (!d->awake)
        d->slept_ms += x->now - d->asleep_since;
    d->awake = true;
    d->next_turn = INT64_MAX;
    d->next_write = d->next_trouble = INT64_MAX;
    if (!d->up && d->up_at > x->now + MINUTE)
        d->up_at = x->now + MINUTE;
    d->regrouped = true;
}

void faults_heal(struct sim *x)
{
    say(x, "everything heals");
    x->healing = true;
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        if (d->copy && !d->gone) { /* the user puts one of the two away, and starts the other anew */
            device_retire(x, d, "it was a copy");
            continue;
        }
        if (d->up && disk_lost_power(d->path))
            device_down(x, d, 0);
        if (!d->up && disk_lost_power(d->path))
            disk_crash(d->path, &x->fault[FAULT_POWER]);
    }
    disk_arm("", DISK_FINE, 0, 0);
    memset(x->apart_until, 0, sizeof x->apart_until);
    for (size_t i = 0; i < LINKS; i++) {
        x->link[i].clogged_until = 0;
        if (x->link[i].used && x->link[i].hostile)
            network_cut(x, &x->link[i]);
    }
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        if (d->gone)
            continue;
        if (d->up && (d->shaken || sync_identity(d->sync) == IDENTITY_CLONED))
            device_down(x, d, 0);
        calm(x, d);
    }
    clocks(x);
    nudge(x);
}
