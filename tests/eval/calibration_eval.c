/* Calibration of the built-in inference: routines and preferences are predictions that later days confirm or
 * refute.
 *
 *     calibration_eval FILE.jsonl[.gz] …      each one person's observations, oldest first (fields time,
 * source, app, title, command)
 *
 * For each file, at every STEP_DAYS: the records up to that day are learnt by a fresh device, and each
 * routine claimed is then tried on the next AHEAD_DAYS: on each day of its class on which anything was
 * recorded, did it happen? The claim's probability is scored against each such day (Brier), beside two base
 * rates that know as much: the share of all such trials so far that came true, one number for everybody, and
 * the climate: the share of active days of the same class, in all the past, with the same part of the day,
 * whatever the project. Focus claims are tried as "is touched again within 14 days". */
#include "node/model/kinds.h"
#include "node/observe/observe.h"
#include "tests/eval/desk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_DAYS 56
#define AHEAD_DAYS 28
#define TRAIN_DAYS 182 /* what the rules look back on */
#define RECORDS_MAX 20000
#define BUCKETS 5

struct record {
    int64_t time_ms;
    int16_t offset_min;
    int32_t day;
    int hour;
    char app[32];
    char title[160];
};
static struct record records[RECORDS_MAX];
static size_t n_records;

struct score {
    unsigned n;
    double brier, brier_flat, brier_climate, sum_p, sum_y;
    struct {
        unsigned n;
        double p, y;
    } bucket[BUCKETS];
};
static struct score routines, focuses;

static void score_add(struct score *s, double p, double climate, bool y)
{
    /* What the flat forecaster knows before this trial. */
    double flat = (s->sum_y + 1) / (s->n + 2.0);
    int b = (int)(p * BUCKETS) < BUCKETS ? (int)(p * BUCKETS) : BUCKETS - 1;
    s->n++;
    s->brier += (p - y) * (p - y);
    s->brier_flat += (flat - y) * (flat - y);
    s->brier_climate += (climate - y) * (climate - y);
    s->sum_p += p;
    s->sum_y += y;
    s->bucket[b].n++;
    s->bucket[b].p += p;
    s->bucket[b].y += y;
}

static void score_print(const char *what, const struct score *s)
{
    double n = s->n > 0 ? s->n : 1;
    printf("%s: %u trials, said %.3f, came true %.3f\n  Brier %.4f   flat base rate %.4f   climate %.4f\n",
           what, s->n, s->sum_p / n, s->sum_y / n, s->brier / n, s->brier_flat / n, s->brier_climate / n);
    double error = 0;
    for (int b = 0; b < BUCKETS; b++) {
        if (s->bucket[b].n == 0)
            continue;
        double p = s->bucket[b].p / s->bucket[b].n, y = s->bucket[b].y / s->bucket[b].n;
        error += fabs(p - y) * s->bucket[b].n / n;
        printf("  said %.1f to %.1f: mean %.3f, came true %.3f of %u\n", (double)b / BUCKETS,
               (double)(b + 1) / BUCKETS, p, y, s->bucket[b].n);
    }
    printf("  expected calibration error %.3f\n", error);
}

/* ---- records ---- */

static void record_read(const char *line)
{
    cJSON *o = cJSON_Parse(line);
    int offset = 0;
    struct record *r = &records[n_records];
    if (o != NULL && n_records < RECORDS_MAX &&
        rfc3339_parse(bytes_str(json_str(o, "time")), &r->time_ms, &offset) == 0) {
        struct civil c;
        r->offset_min = (int16_t)offset;
        civil_from_ms(r->time_ms, offset, &c);
        r->day = (int32_t)civil_days(c.year, c.month, c.day);
        r->hour = c.hour;
        (void)snprintf(r->app, sizeof r->app, "%s", json_str(o, "app"));
        (void)snprintf(r->title, sizeof r->title, "%s", json_str(o, "title"));
        n_records++;
    }
    cJSON_Delete(o);
}

static int record_compare(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

static void records_read(const char *path)
{
    static char line[1 << 20];
    char command[1100];
    size_t n = strlen(path);
    bool gz = n > 3 && strcmp(path + n - 3, ".gz") == 0;
    (void)snprintf(command, sizeof command, "gzip -dc -- '%s'", path);
    FILE *f = gz ? popen(command, "r") : fopen(path, "r");
    n_records = 0;
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof line, f) != NULL)
        record_read(line);
    (void)(gz ? pclose(f) : fclose(f));
    qsort(records, n_records, sizeof records[0], record_compare);
}

static void learn(struct desk *d, int32_t from, int32_t until)
{
    struct err e = ERR_INIT;
    desk_ok(store_begin(d->s, &e), &e);
    for (size_t i = 0; i < n_records; i++) {
        const struct record *r = &records[i];
        if (r->day < from || r->day > until)
            continue;
        struct stored_observation o = {.time_ms = r->time_ms,
                                       .end_ms = TIME_NONE,
                                       .offset_min = r->offset_min,
                                       .shared_event = true,
                                       .source = BYTES_LIT("git"),
                                       .app = bytes_str(r->app),
                                       .title = bytes_str(r->title)};
        bool fresh;
        memcpy(o.key, &i, sizeof i);
        desk_ok(local_observation_add(d->s, &o, &o.row, &fresh, &e), &e);
        desk_ok(infer_observe(d->x, &o, &e), &e);
    }
    desk_ok(infer_flush(d->x, NULL, &e), &e);
    desk_ok(store_commit(d->s, &e), &e);
}

/* ---- trials ---- */

static const char *const classes[] = {"weekday",  "weekend", "Monday",   "Tuesday", "Wednesday",
                                      "Thursday", "Friday",  "Saturday", "Sunday"};
static const char *const parts[] = {"nights", "mornings", "afternoons", "evenings"};

static bool day_fits(int32_t day, int class)
{
    int w = weekday_of_days(day);
    return class >= 2 ? w == class - 2 : (w >= 5) == (class == 1);
}

/* Whether anything (app NULL) or the project was recorded in a part (−1: any) of a day. */
static bool happened(int32_t day, int part, struct bytes app)
{
    for (size_t i = 0; i < n_records; i++) {
        if (records[i].day == day && (part < 0 || records[i].hour / 6 == part) &&
            (app.p == NULL || bytes_eq(app, bytes_str(records[i].app))))
            return true;
    }
    return false;
}

static double climate(int32_t until, int class, int part)
{
    unsigned n = 0, y = 0;
    for (int32_t day = until - 364; day <= until; day++) {
        if (!day_fits(day, class) || !happened(day, -1, BYTES_NONE))
            continue;
        n++;
        y += happened(day, part, BYTES_NONE);
    }
    return (y + 1.0) / (n + 2.0);
}

struct trial {
    int32_t until;
};

/* "Usually commits to APP on CLASS PARTS, H–H" */
static void routine_try(const struct prop *p, int32_t until)
{
    struct bytes rest = bytes_slice(p->text, sizeof "Usually commits to " - 1, p->text.n);
    size_t on = bytes_find(rest, BYTES_LIT(" on "));
    if (on == SIZE_MAX)
        return;
    struct bytes app = bytes_slice(rest, 0, on), when = bytes_slice(rest, on + 4, rest.n);
    for (int c = 0; c < 9; c++) {
        for (int part = 0; part < 4; part++) {
            char words[40];
            (void)snprintf(words, sizeof words, "%s %s,", classes[c], parts[part]);
            if (!bytes_starts(when, bytes_str(words)))
                continue;
            double base = climate(until, c, part);
            for (int32_t day = until + 1; day <= until + AHEAD_DAYS; day++) {
                if (day_fits(day, c) && happened(day, -1, BYTES_NONE))
                    score_add(&routines, prop_probability(p), base, happened(day, part, app));
            }
        }
    }
}

static void focus_try(const struct prop *p, int32_t until)
{
    struct bytes app = bytes_slice(p->text, sizeof "Currently works on " - 1, p->text.n);
    bool again = false;
    for (int32_t day = until + 1; day <= until + 14; day++)
        again |= happened(day, -1, app);
    score_add(&focuses, prop_probability(p), 0.5, again);
}

static int claim_try(void *ctx, const struct prop *p)
{
    const struct trial *t = ctx;
    if (p->kind == KIND_ROUTINE)
        routine_try(p, t->until);
    if (p->kind == KIND_FOCUS)
        focus_try(p, t->until);
    return 0;
}

static void person(const char *path)
{
    records_read(path);
    if (n_records == 0)
        return;
    unsigned before = routines.n;
    double brier = routines.brier;
    for (int32_t day = records[0].day + 84; day + AHEAD_DAYS < records[n_records - 1].day; day += STEP_DAYS) {
        struct desk d;
        struct err e = ERR_INIT;
        struct trial t = {day};
        desk_open(&d, (int64_t)(day + 1) * MS_DAY);
        learn(&d, day - TRAIN_DAYS, day);
        desk_ok(store_props(d.s, PROP_DROPPED, claim_try, &t, &e), &e);
        desk_close(&d);
    }
    printf("%s: %zu records, %u trials of routines, Brier %.4f\n", path, n_records, routines.n - before,
           (routines.brier - brier) / (routines.n > before ? routines.n - before : 1));
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: calibration_eval FILE.jsonl[.gz] ...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        person(argv[i]);
    score_print("routines", &routines);
    score_print("focus, touched again within 14 days", &focuses);
    return 0;
}
