#include "node/observe/ical_zone.h"

#include "base/limits.h"
#include "node/observe/ical_rrule.h"
#include "node/observe/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* VTIMEZONE rules without an end are expanded up to here (2100-01-01); later times get the last offset. */
#define ZONE_HORIZON_S INT64_C(4102444800)

void zone_release(struct ical_zone *z)
{
    free(z->steps);
    *z = (struct ical_zone){0};
}

/* ---- offsets ---- */

static int year_of(int64_t s)
{
    int year, month, day;
    civil_from_days(s / SECONDS_DAY - (s % SECONDS_DAY < 0), &year, &month, &day);
    return year;
}

/* The wall-clock second at which a change happens in a year. */
static int64_t change_s(const struct posix_change *c, int year)
{
    int64_t day;
    if (c->kind == 'M') {
        int64_t first = civil_days(year, c->month, 1);
        day = first + (c->day - (weekday_of_days(first) + 1) % 7 + 7) % 7 + (c->week - 1) * 7;
        while (day >= first + civil_month_days(year, c->month))
            day -= 7;
    } else {
        bool leap = civil_month_days(year, 2) == 29;
        day = civil_days(year, 1, 1) + c->day - (c->kind == 'J' && !(leap && c->day > 59));
    }
    return day * SECONDS_DAY + c->time_s;
}

static int32_t rule_offset_s(const struct posix_rule *r, int64_t utc_s)
{
    if (!r->has_dst)
        return r->std_s;
    int year = year_of(utc_s + r->std_s);
    int64_t to_dst = change_s(&r->to_dst, year) - r->std_s, to_std = change_s(&r->to_std, year) - r->dst_s;
    bool dst = to_dst < to_std ? utc_s >= to_dst && utc_s < to_std : utc_s >= to_dst || utc_s < to_std;
    return dst ? r->dst_s : r->std_s;
}

int32_t zone_offset_s(const struct ical_zone *z, int64_t utc_s)
{
    if (z->device)
        return z->device->zone_offset(z->device->zone_ctx, utc_s * MS_SECOND) * 60;
    size_t lo = 0, hi = z->n_steps; /* the first step behind utc_s */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (z->steps[mid].at_s <= utc_s)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == z->n_steps && z->rule.set)
        return rule_offset_s(&z->rule, utc_s);
    return lo ? z->steps[lo - 1].offset_s : z->first_s;
}

int64_t zone_to_utc(const struct ical_zone *z, int64_t local_s, int32_t *offset_s)
{
    int32_t before = zone_offset_s(z, local_s - SECONDS_DAY), after = zone_offset_s(z, local_s + SECONDS_DAY);
    int32_t offset = before;
    if (zone_offset_s(z, local_s - before) != before && zone_offset_s(z, local_s - after) == after)
        offset = after;
    if (offset_s)
        *offset_s = offset;
    return local_s - offset;
}

/* ---- TZif (RFC 8536) ---- */

struct tzif {
    uint32_t isut, isstd, leap, time, type, chars;
    struct bytes times, indices, types;
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One block of `width`-byte times; moves *at behind it. */
static int tzif_block(struct bytes f, size_t *at, size_t width, struct tzif *t)
{
    struct bytes head = bytes_slice(f, *at, 44);
    if (head.n != 44 || memcmp(head.p, "TZif", 4) != 0)
        return ERR_FORMAT;
    uint32_t *counts[] = {&t->isut, &t->isstd, &t->leap, &t->time, &t->type, &t->chars};
    for (size_t i = 0; i < 6; i++) {
        *counts[i] = be32(head.p + 20 + 4 * i);
        if (*counts[i] > ZONE_STEPS_MAX)
            return ERR_LIMIT;
    }
    size_t from = *at + 44;
    t->times = bytes_slice(f, from, t->time * width);
    t->indices = bytes_slice(f, from + t->time * width, t->time);
    t->types = bytes_slice(f, from + t->time * (width + 1), t->type * 6u);
    *at = from + t->time * (width + 1) + t->type * 6u + t->chars + t->leap * (width + 4) + t->isstd + t->isut;
    bool whole = t->times.n == t->time * width && t->indices.n == t->time && t->types.n == t->type * 6u;
    return whole && *at <= f.n && t->type > 0 ? 0 : ERR_FORMAT;
}

static int64_t tzif_time(const struct tzif *t, size_t i, size_t width)
{
    const uint8_t *p = t->times.p + i * width;
    if (width == 4)
        return (int32_t)be32(p);
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static int tzif_steps(struct ical_zone *z, const struct tzif *t, size_t width)
{
    z->steps = calloc(t->time + 1u, sizeof *z->steps);
    if (!z->steps)
        return ERR_NOMEM;
    z->first_s = (int32_t)be32(t->types.p);
    for (size_t i = 0; i < t->time; i++) {
        uint8_t type = t->indices.p[i];
        if (type >= t->type)
            return ERR_FORMAT;
        struct zone_step *s = &z->steps[z->n_steps++];
        s->at_s = tzif_time(t, i, width);
        s->offset_s = (int32_t)be32(t->types.p + type * 6u);
        if (s->offset_s < -SECONDS_DAY * 2 || s->offset_s > SECONDS_DAY * 2 || (i && s->at_s < s[-1].at_s))
            return ERR_FORMAT;
    }
    return z->first_s < -SECONDS_DAY * 2 || z->first_s > SECONDS_DAY * 2 ? ERR_FORMAT : 0;
}

/* ---- POSIX TZ strings: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool posix_name(const char **p)
{
    const char *from = *p;
    if (**p == '<') {
        while (**p && **p != '>')
            ++*p;
        return *(*p)++ == '>';
    }
    while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z'))
        ++*p;
    return *p - from >= 3;
}

static bool posix_number(const char **p, int max, int *out)
{
    const char *from = *p;
    for (*out = 0; **p >= '0' && **p <= '9' && *out <= max; ++*p)
        *out = *out * 10 + (**p - '0');
    return *p > from && *out <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool posix_time(const char **p, int32_t *s)
{
    int part[3] = {0};
    bool minus = **p == '-';
    if (**p == '-' || **p == '+')
        ++*p;
    if (!posix_number(p, 167, &part[0]))
        return false;
    for (int i = 1; i < 3 && **p == ':'; i++) {
        ++*p;
        if (!posix_number(p, 59, &part[i]))
            return false;
    }
    *s = part[0] * 3600 + part[1] * 60 + part[2];
    *s = minus ? -*s : *s;
    return true;
}

static bool posix_change(const char **p, struct posix_change *c)
{
    if (*(*p)++ != ',')
        return false;
    c->time_s = 2 * 3600;
    c->kind = **p == 'M' || **p == 'J' ? *(*p)++ : 'N';
    bool ok;
    if (c->kind == 'M')
        ok = posix_number(p, 12, &c->month) && c->month >= 1 && *(*p)++ == '.' &&
             posix_number(p, 5, &c->week) && c->week >= 1 && *(*p)++ == '.' && posix_number(p, 6, &c->day);
    else
        ok = posix_number(p, 365, &c->day) && (c->kind != 'J' || c->day >= 1);
    if (!ok || **p != '/')
        return ok;
    ++*p;
    return posix_time(p, &c->time_s);
}

static bool posix_rule_parse(const char *p, struct posix_rule *r)
{
    int32_t west;
    *r = (struct posix_rule){0};
    if (!posix_name(&p) || !posix_time(&p, &west))
        return false;
    r->std_s = -west;
    r->set = true;
    if (!*p)
        return true;
    if (!posix_name(&p))
        return r->set = false;
    r->dst_s = r->std_s + 3600;
    if (*p && *p != ',') {
        if (!posix_time(&p, &west))
            return r->set = false;
        r->dst_s = -west;
    }
    r->has_dst = true;
    return r->set = posix_change(&p, &r->to_dst) && posix_change(&p, &r->to_std) && !*p;
}

/* The footer: a newline, the rule, a newline. */
static void tzif_footer(struct ical_zone *z, struct bytes foot)
{
    char text[128];
    foot = bytes_trim(foot);
    if (foot.n == 0 || foot.n >= sizeof text || memchr(foot.p, 0, foot.n))
        return;
    memcpy(text, foot.p, foot.n);
    text[foot.n] = 0;
    if (!posix_rule_parse(text, &z->rule))
        z->rule = (struct posix_rule){0};
}

int zone_read_tzif(struct ical_zone *z, struct bytes file)
{
    struct tzif t = {0};
    size_t at = 0, width = 4;
    int rc = tzif_block(file, &at, 4, &t);
    if (!rc && file.p[4] >= '2') {
        width = 8;
        rc = tzif_block(file, &at, 8, &t);
    }
    if (!rc)
        rc = tzif_steps(z, &t, width);
    if (rc)
        return rc;
    if (width == 8)
        tzif_footer(z, bytes_slice(file, at, file.n));
    return 0;
}

/* ---- VTIMEZONE ---- */

/* One STANDARD or DAYLIGHT. */
struct observance {
    struct ical_time start;
    bool has_start, has_from, has_to, has_rule;
    int32_t from_s, to_s;
    struct rrule rule;
    size_t n_rdates;
    int64_t rdates[256];
};

static bool add_step(struct ical_zone *z, int64_t local_s, const struct observance *o)
{
    if (z->n_steps == ZONE_STEPS_MAX)
        return false;
    z->steps[z->n_steps++] = (struct zone_step){.at_s = local_s - o->from_s, .offset_s = o->to_s};
    return true;
}

/* The changes of one observance. A rule that cannot be read leaves its start. */
static void add_observance(struct ical_zone *z, const struct observance *o, int64_t *first_at,
                           uint64_t *budget)
{
    static const struct rrule once = {.count = 1, .interval = 1, .hour = -1, .minute = -1, .second = -1};
    if (!o->has_start || !o->has_from || !o->has_to)
        return;
    if (o->start.local_s < *first_at) {
        *first_at = o->start.local_s;
        z->first_s = o->from_s;
    }
    int64_t until_s = ZONE_HORIZON_S, local_s;
    if (o->has_rule && o->rule.has_until)
        until_s = o->rule.until.local_s + (o->rule.until.utc ? o->from_s : 0) +
                  (o->rule.until.date ? SECONDS_DAY - 1 : 0);
    struct rrule_iter it;
    rrule_begin(&it, o->has_rule ? &o->rule : &once, o->start.local_s, until_s, budget);
    while (rrule_next(&it, &local_s) && add_step(z, local_s, o))
        ;
    for (size_t i = 0; i < o->n_rdates; i++)
        add_step(z, o->rdates[i], o);
}

static void observance_rdates(struct observance *o, struct bytes list)
{
    struct bytes item;
    struct ical_time t;
    while (ical_item(&list, &item) && o->n_rdates < 256)
        if (!ical_time_parse(item, &t))
            o->rdates[o->n_rdates++] = t.local_s + (t.utc ? o->from_s : 0);
}

static void observance_line(struct observance *o, const struct ical_line *l)
{
    char reason[RRULE_REASON];
    if (ical_is(l, "DTSTART"))
        o->has_start = !ical_time_parse(l->value, &o->start);
    else if (ical_is(l, "TZOFFSETFROM"))
        o->has_from = !ical_offset_parse(l->value, &o->from_s);
    else if (ical_is(l, "TZOFFSETTO"))
        o->has_to = !ical_offset_parse(l->value, &o->to_s);
    else if (ical_is(l, "RRULE"))
        o->has_rule = !rrule_parse(l->value, &o->rule, reason);
    else if (ical_is(l, "RDATE"))
        observance_rdates(o, l->value);
}

static int step_cmp(const void *a, const void *b)
{
    const struct zone_step *x = a, *y = b;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static bool is_observance(const struct ical_line *l)
{
    struct bytes kind = bytes_trim(l->value);
    return bytes_ieq(kind, BYTES_LIT("STANDARD")) || bytes_ieq(kind, BYTES_LIT("DAYLIGHT"));
}

int zone_read_vtimezone(struct ical_zone *z, struct bytes block, uint64_t *budget)
{
    struct ical_scan s;
    struct ical_line l;
    struct observance o = {0};
    int64_t first_at = INT64_MAX;
    int rc;
    z->steps = calloc(ZONE_STEPS_MAX, sizeof *z->steps);
    if (!z->steps)
        return ERR_NOMEM;
    ical_scan_init(&s, block, 0, 0);
    while ((rc = ical_scan_next(&s, &l)) > 0) {
        if (ical_is(&l, "BEGIN") && is_observance(&l))
            o = (struct observance){0};
        else if (ical_is(&l, "END") && is_observance(&l))
            add_observance(z, &o, &first_at, budget);
        else
            observance_line(&o, &l);
    }
    ical_scan_release(&s);
    if (rc)
        return rc;
    if (z->n_steps == 0)
        return ERR_FORMAT;
    qsort(z->steps, z->n_steps, sizeof *z->steps, step_cmp);
    struct zone_step *fit = realloc(z->steps, z->n_steps * sizeof *fit);
    z->steps = fit ? fit : z->steps;
    return 0;
}

/* ---- finding a zone ---- */

/* Letters, digits and "_+-/." only, no "..": nothing that leaves the folder. */
static bool is_safe_id(const char *id)
{
    if (!*id || *id == '/' || strstr(id, "..") || strlen(id) > 64)
        return false;
    for (; *id; id++)
        if (!strchr("_+-/.", *id) && !(*id >= '0' && *id <= '9') && !((*id | 32) >= 'a' && (*id | 32) <= 'z'))
            return false;
    return true;
}

static int load_file(struct ical_zone *z, const char *dir, const char *id)
{
    char path[LIMIT_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", dir, id), fd;
    uint64_t size;
    if (n < 0 || (size_t)n >= sizeof path)
        return ERR_LIMIT;
    int rc = regular_open(path, &fd, &size, NULL);
    if (rc)
        return rc;
    uint8_t *p = size <= ZONE_FILE_BYTES ? malloc((size_t)size + 1) : NULL;
    ssize_t got = p ? read(fd, p, (size_t)size) : -1;
    rc = got < 0 ? ERR_LIMIT : zone_read_tzif(z, bytes_of(p, (size_t)got));
    free(p);
    close(fd);
    return rc;
}

/* "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin": tries the whole id, then what stands behind each
 * '/'. */
static bool load_system(struct ical_zone *z, const char *dir)
{
    char id[ZONE_ID_BYTES + 1];
    memcpy(id, z->id, sizeof id);
    for (const char *p = id; p; p = strchr(p, '/'), p = p ? p + 1 : NULL) {
        if (is_safe_id(p) && load_file(z, dir, p) == 0)
            return true;
        free(z->steps);
        *z = (struct ical_zone){0};
        memcpy(z->id, id, sizeof id);
    }
    return false;
}

void zones_init(struct zones *z, const struct observer_env *env, struct bytes text, uint64_t *budget)
{
    z->env = env;
    z->text = text;
    z->budget = budget;
    z->n_blocks = z->n_list = 0;
    z->device = (struct ical_zone){.device = env};
    z->utc = (struct ical_zone){0};
}

void zones_release(struct zones *z)
{
    for (size_t i = 0; i < z->n_list; i++)
        zone_release(&z->list[i]);
    z->n_list = z->n_blocks = 0;
}

static bool id_take(struct bytes id, char out[ZONE_ID_BYTES + 1])
{
    id = bytes_trim(id);
    if (id.n == 0 || id.n > ZONE_ID_BYTES || memchr(id.p, 0, id.n))
        return false;
    memcpy(out, id.p, id.n);
    memset(out + id.n, 0, ZONE_ID_BYTES + 1 - id.n);
    return true;
}

void zones_note(struct zones *z, struct bytes id, size_t at, size_t end)
{
    struct zone_block *b = &z->blocks[z->n_blocks];
    if (z->n_blocks == ZONES_MAX || !id_take(id, b->id))
        return;
    b->at = at;
    b->end = end;
    z->n_blocks++;
}

static void resolve(struct zones *z, struct ical_zone *zone)
{
    char id[ZONE_ID_BYTES + 1];
    memcpy(id, zone->id, sizeof id);
    for (size_t i = 0; i < z->n_blocks; i++) {
        const struct zone_block *b = &z->blocks[i];
        if (strcmp(b->id, id) != 0)
            continue;
        if (zone_read_vtimezone(zone, bytes_slice(z->text, b->at, b->end - b->at), z->budget) == 0)
            return;
        zone_release(zone);
        memcpy(zone->id, id, sizeof id);
    }
    if (z->env->zone_dir)
        load_system(zone, z->env->zone_dir);
}

static bool is_known(const struct ical_zone *z)
{
    return z->steps || z->rule.set;
}

const struct ical_zone *zones_get(struct zones *z, struct bytes id)
{
    char name[ZONE_ID_BYTES + 1];
    if (!id_take(id, name))
        return NULL;
    if (strcmp(name, "UTC") == 0)
        return &z->utc;
    for (size_t i = 0; i < z->n_list; i++)
        if (strcmp(z->list[i].id, name) == 0)
            return is_known(&z->list[i]) ? &z->list[i] : NULL;
    if (z->n_list == ZONES_MAX)
        return NULL;
    struct ical_zone *zone = &z->list[z->n_list++];
    *zone = (struct ical_zone){0};
    memcpy(zone->id, name, sizeof name);
    resolve(z, zone);
    return is_known(zone) ? zone : NULL;
}
