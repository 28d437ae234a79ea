/* Time. Nothing happens between events, so days of sleep cost nothing: the next event is whatever comes first
 * of messages, deadlines of sessions and what devices intend. */
#include "tests/sim/world.h"

#include "tests/support/tmp.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX INT64_C(3000000)

static struct tmp_dir home; /* the store looks for its files on the real disk, too */

/* ---- saying */

void say(struct sim *x, const char *fmt, ...)
{
    va_list ap;
    if (x->voice < SIM_EVENTS)
        return;
    printf("%4" PRId64 " d %02" PRId64 ":%02" PRId64 ":%06.3f  ", x->now / DAY, x->now / (60 * MINUTE) % 24,
           x->now / MINUTE % 60, (double)(x->now % MINUTE) / 1000);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

void fail(struct sim *x, const char *fmt, ...)
{
    va_list ap;
    if (x->failed)
        return;
    x->failed = true;
    va_start(ap, fmt);
    (void)vsnprintf(x->why, SIM_WHY_BYTES, fmt, ap);
    va_end(ap);
    if (x->voice < SIM_ERRORS)
        return;
    fprintf(stderr, "sim: after %.3f days: %s\nsim: ", (double)x->now / (double)DAY, x->why);
    sim_plan_print(&x->plan, stderr);
}

void must(struct sim *x, int rc, const struct err *e, const char *what)
{
    if (rc)
        fail(x, "%s: %s", what, e->text);
}

/* ---- chance */

uint64_t below(struct sim *x, uint64_t n)
{
    return test_rng_below(&x->rng, n);
}

uint64_t fault_below(struct sim *x, enum sim_fault f, uint64_t n)
{
    return test_rng_below(&x->fault[f], n);
}

bool strikes(struct sim *x, enum sim_fault f, unsigned of)
{
    return x->plan.rate[f] > 0 && fault_below(x, f, of) < x->plan.rate[f];
}

/* ---- time */

int64_t wall_of(const struct sim *x, const struct device *d)
{
    return START_MS + x->now + d->skew_ms;
}

void clocks(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        if (d->strobe_until > x->now)
            d->skew_ms = (int64_t)fault_below(x, FAULT_STROBE, 4 * MINUTE) - 2 * MINUTE;
        d->test_clock.mono_ms = (d->awake ? x->now : d->asleep_since) - d->slept_ms;
        d->test_clock.wall_ms = wall_of(x, d);
        if (d->skew_ms > x->ahead_ms)
            x->ahead_ms = d->skew_ms;
    }
}

void nudge(struct sim *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct device *d = &x->device[i];
        if (d->up && d->awake && d->next_dial == INT64_MAX)
            d->next_dial = x->now + (int64_t)below(x, 3 * SECOND);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return b < a ? b : a;
}

static int64_t next_event(const struct sim *x)
{
    int64_t at = sooner(network_next(x), x->now + (x->healing ? 5 * SECOND : 60 * MINUTE));
    for (size_t i = 0; i < x->n; i++) {
        const struct device *d = &x->device[i];
        if (d->gone)
            continue;
        at = sooner(at, d->next_turn);
        if (!d->up)
            at = sooner(at, d->up_at);
        else if (d->awake)
            at = sooner(at, sooner(d->next_dial, sooner(d->next_write, d->next_trouble)));
    }
    return at > x->now ? at : x->now;
}

static void run_device(struct sim *x, struct device *d)
{
    if (d->next_turn <= x->now)
        device_turn(x, d);
    if (!d->up && d->up_at <= x->now)
        device_start(x, d);
    if (!x->failed && d->up && d->awake && d->next_dial <= x->now)
        network_dial(x, d);
    if (!x->failed && d->up && d->awake && d->next_write <= x->now) {
        d->next_write = INT64_MAX;
        device_write(x, d, 1 + below(x, 3));
    }
    if (!x->failed && d->up && d->awake && d->next_trouble <= x->now) {
        d->next_trouble = x->now + (int64_t)below(x, 15 * MINUTE) + SECOND;
        faults_look(x, d);
    }
}

void world_step(struct sim *x)
{
    x->now = next_event(x);
    if (++x->steps > STEPS_MAX)
        fail(x, "time does not pass: %" PRId64 " steps", x->steps);
    clocks(x);
    network_run(x);
    for (size_t i = 0; i < x->n && !x->failed; i++) {
        if (!x->device[i].gone)
            run_device(x, &x->device[i]);
    }
}

/* ---- a run */

const char *world_path(const char *name, char out[DISK_PATH_BYTES])
{
    char path[TMP_PATH_BYTES];
    if (home.path[0] == '\0')
        tmp_dir_make(&home);
    tmp_path(&home, name, path);
    CHECK(strlen(path) < DISK_PATH_BYTES);
    memcpy(out, path, strlen(path) + 1);
    return out;
}

void sim_end(void)
{
    household_end();
    disk_start(false);
    if (home.path[0] != '\0')
        tmp_dir_remove(&home);
    home.path[0] = '\0';
}

static void begin(struct sim *x)
{
    struct err e = ERR_INIT;
    bool power = x->plan.rate[FAULT_POWER] > 0;
    disk_start(power);
    test_rng_init(&x->rng, x->plan.seed * UINT64_C(0xd1342543de82ef95) + 7);
    for (size_t i = 0; i < SIM_FAULT_KINDS; i++)
        test_rng_init(&x->fault[i], (x->plan.seed << 8 | i) * UINT64_C(0x9e3779b97f4a7c15) + 3);
    for (size_t i = 0; i < sizeof x->old / sizeof *x->old; i++)
        buf_init(&x->old[i], SYNC_MESSAGE_MAX);
    buf_init(&x->scratch, SYNC_MESSAGE_MAX);
    for (size_t i = 0; i < x->plan.devices; i++)
        device_init(x, &x->device[i], i);
    household_put(x, x->plan.devices);
    x->n = x->plan.devices;
    clocks(x);
    for (size_t i = 0; i < x->n && !x->failed; i++)
        must(x, device_open(x, &x->device[i], &e), &e, "opening a device");
}

static void finish(struct sim *x)
{
    disk_arm("", DISK_FINE, 0, 0);
    for (size_t i = 0; i < x->n; i++) {
        if (x->device[i].up)
            device_close(x, &x->device[i]);
        device_keys_wipe(&x->device[i].keys);
    }
    network_end(x);
    journal_end(x);
    for (size_t i = 0; i < sizeof x->old / sizeof *x->old; i++)
        buf_release(&x->old[i]);
    buf_release(&x->scratch);
}

static void count_days(struct sim *x, int64_t from)
{
    for (size_t i = 0; i < x->n; i++)
        x->r->device_days += x->device[i].gone ? 0 : (uint64_t)((x->now - from) / DAY);
}

/* Days of life, with the faults of the plan. An absence of all moves the clock on, and counts for nothing. */
static void live(struct sim *x)
{
    for (unsigned day = 0; day < x->plan.days && !x->failed; day++) {
        int64_t from = x->now;
        while (!x->failed && x->now < from + DAY)
            world_step(x);
        count_days(x, x->now - DAY);
        if (strikes(x, FAULT_AWAY, 1000))
            faults_away(x);
    }
}

static void heal(struct sim *x)
{
    int64_t start;
    faults_heal(x);
    start = x->now;
    while (!x->failed && x->now < start + HEAL_MS) {
        int64_t until = x->now + 5 * SECOND;
        while (!x->failed && x->now < until)
            world_step(x);
        if (check_settled(x))
            break;
    }
    if (x->now - start > x->r->heal_ms && !x->failed && check_settled(x)) {
        x->r->heal_ms = x->now - start;
        x->r->heal_seed = x->plan.seed;
    }
}

bool sim_run(const struct sim_plan *p, enum sim_voice voice, struct sim_report *r, char why[SIM_WHY_BYTES])
{
    char own[SIM_WHY_BYTES];
    struct sim *x = calloc(1, sizeof *x);
    CHECK(x && crypt_start() == 0);
    x->plan = *p;
    x->voice = voice;
    x->why = why ? why : own;
    x->why[0] = '\0';
    x->r = r;
    r->seeds++;
    begin(x);
    live(x);
    if (!x->failed)
        heal(x);
    if (!x->failed)
        check_end(x);
    finish(x);
    bool ok = !x->failed;
    free(x);
    return ok;
}
