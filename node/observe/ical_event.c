#include "node/observe/ical_event.h"

#include "node/observe/lines.h"
#include "node/observe/record.h"

#include <stdio.h>
#include <stdlib.h>

/* Longer texts are cut by those who store them; keeping a little more lets them see it. */
#define TEXT_BYTES ((size_t)LIMIT_OBSERVATION_BYTES + 16)
/* An occurrence, in looks at a day. */
#define OCCURRENCE_COST 16u
/* UIDs are meant to be short; Outlook's have 112 characters. */
#define UID_BYTES 1024u

void ical_event_init(struct ical_event *ev)
{
    *ev = (struct ical_event){0};
    struct buf *texts[] = {&ev->uid, &ev->title, &ev->description, &ev->location, &ev->url, &ev->status};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_init(texts[i], TEXT_BYTES);
}

void ical_event_release(struct ical_event *ev)
{
    struct buf *texts[] = {&ev->uid, &ev->title, &ev->description, &ev->location, &ev->url, &ev->status};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_release(texts[i]);
    free(ev->rdates.v);
    free(ev->exdates.v);
}

/* Forgets the entry read before, keeps allocations. */
static void event_clear(struct ical_event *ev, const struct ical_entry *entry)
{
    struct ical_event old = *ev;
    *ev = (struct ical_event){.uid = old.uid,
                              .title = old.title,
                              .description = old.description,
                              .location = old.location,
                              .url = old.url,
                              .status = old.status,
                              .rdates = {.cap = old.rdates.cap, .v = old.rdates.v},
                              .exdates = {.cap = old.exdates.cap, .v = old.exdates.v},
                              .todo = entry->todo,
                              .line = entry->line,
                              .uid_hash = entry->uid};
    struct buf *texts[] = {&ev->uid, &ev->title, &ev->description, &ev->location, &ev->url, &ev->status};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        buf_clear(texts[i]);
}

static struct bad_record *fault_slot(struct ical_event *ev)
{
    size_t i = ev->n_faults < ICAL_FAULTS ? ev->n_faults++ : ICAL_FAULTS - 1;
    return &ev->faults[i];
}

static void fault_value(struct ical_event *ev, const struct ical_line *l, const char *what)
{
    char field[64];
    int n = l->name.n < 60 ? (int)l->name.n : 60, shown = l->value.n < 40 ? (int)l->value.n : 40;
    (void)snprintf(field, sizeof field, "%.*s", n, n ? (const char *)l->name.p : "");
    bad_row(fault_slot(ev), l->no, field, "'%.*s' %s", shown, shown ? (const char *)l->value.p : "", what);
}

/* ---- times ---- */

/* The zone a property names; an unknown one is a fault, and the device's zone stands in. */
static const struct ical_zone *zone_of(struct ical_event *ev, const struct ical_line *l, struct zones *zones)
{
    struct bytes id = ical_param(l, "TZID");
    if (id.n == 0)
        return NULL;
    const struct ical_zone *z = zones_get(zones, id);
    if (z)
        return z;
    int n = id.n < 60 ? (int)id.n : 60;
    bad_row(fault_slot(ev), l->no, "TZID", "time zone '%.*s' is unknown; the device's is used", n,
            (const char *)id.p);
    return &zones->device;
}

static bool when_parse(struct ical_event *ev, const struct ical_line *l, struct bytes text,
                       const struct ical_zone *zone, struct ical_when *w)
{
    int rc = ical_time_parse(text, &w->t);
    if (rc)
        fault_value(ev, l, rc == ERR_LIMIT ? "has a year out of range" : "is no date or time");
    w->zone = zone;
    return rc == 0;
}

static void read_when(struct ical_event *ev, const struct ical_line *l, struct zones *zones,
                      struct ical_when *w)
{
    if (w->set)
        return; /* a second one changes nothing */
    w->set = when_parse(ev, l, l->value, zone_of(ev, l, zones), w);
}

static int times_add(struct ical_times *list, const struct ical_when *w)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        struct ical_when *v = realloc(list->v, cap * sizeof *v);
        if (!v)
            return ERR_NOMEM;
        list->v = v;
        list->cap = cap;
    }
    list->v[list->n++] = *w;
    return 0;
}

/* The part of a PERIOD behind its '/': an end, or a duration. */
static int64_t period_length(struct bytes text, const struct ical_when *start)
{
    int64_t days, seconds;
    struct ical_when end = {.zone = start->zone};
    if (ical_duration_parse(text, &days, &seconds) == 0)
        return days * SECONDS_DAY + seconds;
    if (ical_time_parse(text, &end.t))
        return 0;
    if (start->zone && !end.t.utc && !start->t.utc)
        return zone_to_utc(start->zone, end.t.local_s, NULL) -
               zone_to_utc(start->zone, start->t.local_s, NULL);
    return end.t.local_s - start->t.local_s;
}

/* EXDATE and RDATE: a list of dates, times or (RDATE) periods. */
static int read_times(struct ical_event *ev, const struct ical_line *l, struct zones *zones,
                      struct ical_times *list)
{
    const struct ical_zone *zone = zone_of(ev, l, zones);
    struct bytes rest = l->value, item;
    while (ical_item(&rest, &item)) {
        struct ical_when w = {.set = true};
        size_t slash = bytes_find(item, BYTES_LIT("/"));
        if (item.n == 0 || !when_parse(ev, l, bytes_slice(item, 0, slash), zone, &w))
            continue;
        if (slash != SIZE_MAX)
            w.period_s = period_length(bytes_slice(item, slash + 1, item.n), &w);
        if (list->n == LIMIT_OCCURRENCES) {
            fault_value(ev, l, "is one of too many");
            return 0;
        }
        if (times_add(list, &w))
            return ERR_NOMEM;
    }
    return 0;
}

static void read_rule(struct ical_event *ev, const struct ical_line *l)
{
    char reason[RRULE_REASON];
    if (ev->has_rule) {
        fault_value(ev, l, "is a second rule; the first counts");
        return;
    }
    ev->has_rule = rrule_parse(l->value, &ev->rule, reason) == 0;
    if (!ev->has_rule)
        bad_row(fault_slot(ev), l->no, "RRULE", "%s; only the first occurrence is kept", reason);
}

static void read_duration(struct ical_event *ev, const struct ical_line *l)
{
    ev->has_duration = ical_duration_parse(l->value, &ev->duration_days, &ev->duration_s) == 0;
    if (!ev->has_duration)
        fault_value(ev, l, "is no duration");
}

static void read_text(struct buf *out, struct bytes value, size_t max)
{
    if (out->n == 0)
        ical_unescape(bytes_slice(value, 0, max), out);
}

/* ---- an entry ---- */

enum property {
    SUMMARY,
    DESCRIPTION,
    LOCATION,
    UID,
    URL,
    STATUS,
    DTSTART,
    DTEND,
    DUE,
    DURATION,
    RRULE,
    EXRULE,
    RDATE,
    EXDATE,
    RECURRENCE_ID,
    OTHER
};

static enum property property_of(const struct ical_line *l)
{
    static const char *const names[OTHER] = {"SUMMARY", "DESCRIPTION", "LOCATION", "UID",    "URL",
                                             "STATUS",  "DTSTART",     "DTEND",    "DUE",    "DURATION",
                                             "RRULE",   "EXRULE",      "RDATE",    "EXDATE", "RECURRENCE-ID"};
    int i = 0;
    while (i < OTHER && !ical_is(l, names[i]))
        i++;
    return (enum property)i;
}

static int read_property(struct ical_event *ev, const struct ical_line *l, struct zones *zones)
{
    switch (property_of(l)) {
    case SUMMARY:
        read_text(&ev->title, l->value, TEXT_BYTES);
        return 0;
    case DESCRIPTION:
        read_text(&ev->description, l->value, TEXT_BYTES);
        return 0;
    case LOCATION:
        read_text(&ev->location, l->value, TEXT_BYTES);
        return 0;
    case UID:
        read_text(&ev->uid, bytes_trim(l->value), UID_BYTES);
        return 0;
    case URL:
        if (ev->url.n == 0)
            buf_bytes(&ev->url, bytes_slice(l->value, 0, TEXT_BYTES));
        return 0;
    case STATUS:
        read_text(&ev->status, bytes_trim(l->value), 32);
        return 0;
    case DTSTART:
        read_when(ev, l, zones, &ev->start);
        ev->start_bad = !ev->start.set;
        return 0;
    case DTEND:
    case DUE:
        read_when(ev, l, zones, &ev->end);
        return 0;
    case DURATION:
        read_duration(ev, l);
        return 0;
    case RRULE:
        read_rule(ev, l);
        return 0;
    case EXRULE:
        fault_value(ev, l, "is not supported");
        return 0;
    case RDATE:
        return read_times(ev, l, zones, &ev->rdates);
    case EXDATE:
        return read_times(ev, l, zones, &ev->exdates);
    case RECURRENCE_ID:
        if (ical_param(l, "RANGE").n)
            fault_value(ev, l, "has a RANGE, which is not supported; only this occurrence changes");
        read_when(ev, l, zones, &ev->recurrence_id);
        return 0;
    case OTHER:
        if (l->name.n == 0)
            bad_row(fault_slot(ev), l->no, "", "line is no property");
        return 0;
    }
    return 0;
}

/* VTODO: what counts is when it is due. */
static void settle_todo(struct ical_event *ev)
{
    bool repeats = ev->has_rule || ev->rdates.n;
    if (!ev->end.set)
        return;
    int64_t shift_s = ev->end.t.local_s - ev->start.t.local_s;
    if (ev->start.set && repeats && shift_s >= 0 && shift_s < 366 * SECONDS_DAY)
        ev->due_shift_s = shift_s;
    else
        ev->start = ev->end;
    ev->end.set = false;
}

static void settle(struct ical_event *ev, const struct zones *zones)
{
    ev->cancelled = bytes_ieq(buf_view(&ev->status), BYTES_LIT("CANCELLED"));
    if (ev->recurrence_id.set) { /* an override is one occurrence */
        ev->has_rule = false;
        ev->rdates.n = 0;
    }
    if (ev->todo)
        settle_todo(ev);
    if (!ev->start.set || !ev->end.set)
        return;
    const struct ical_zone *zone = ical_event_zone(ev, zones);
    if (ical_when_utc(&ev->end, zone) >= ical_when_utc(&ev->start, zone))
        return;
    ev->end.set = false;
    bad_row(fault_slot(ev), ev->line, "DTEND", "lies before DTSTART; the entry is kept without an end");
}

int ical_event_read(struct ical_event *ev, const struct ical_entry *entry, struct ical_context *c)
{
    struct ical_scan s;
    struct ical_line l;
    size_t nested = 0;
    int rc;
    event_clear(ev, entry);
    ical_scan_init(&s, bytes_slice(c->text, 0, entry->end), entry->at, entry->line);
    while ((rc = ical_scan_next(&s, &l)) > 0) {
        if (ical_is(&l, "BEGIN"))
            nested++; /* an alarm's fields are not the entry's */
        else if (ical_is(&l, "END"))
            nested -= nested > 0;
        else if (nested == 0 && (rc = read_property(ev, &l, &c->zones)) != 0)
            break;
    }
    ical_scan_release(&s);
    if (rc)
        return rc;
    settle(ev, &c->zones);
    return 0;
}

const struct ical_zone *ical_event_zone(const struct ical_event *ev, const struct zones *zones)
{
    if (ev->start.t.utc)
        return &zones->utc;
    return ev->start.zone && !ev->start.t.date ? ev->start.zone : &zones->device;
}

int64_t ical_when_utc(const struct ical_when *w, const struct ical_zone *floating)
{
    if (w->t.utc)
        return w->t.local_s;
    return zone_to_utc(w->zone && !w->t.date ? w->zone : floating, w->t.local_s, NULL);
}

/* ---- series ---- */

struct ical_slot ical_slot_of(const struct ical_when *w, const struct ical_zone *floating, uint64_t uid)
{
    int64_t at_s = w->t.date ? w->t.local_s : ical_when_utc(w, floating);
    return (struct ical_slot){.uid = uid, .at_s = at_s, .date = w->t.date};
}

int ical_slot_cmp(const void *a, const void *b)
{
    const struct ical_slot *x = a, *y = b;
    if (x->uid != y->uid)
        return x->uid < y->uid ? -1 : 1;
    if (x->date != y->date)
        return x->date ? 1 : -1;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static bool has_slot(const struct ical_slot *list, size_t n, uint64_t uid, const struct ical_occurrence *o)
{
    int64_t day_s = o->local_s - ((o->local_s % SECONDS_DAY) + SECONDS_DAY) % SECONDS_DAY;
    struct ical_slot at = {.uid = uid, .at_s = o->utc_s}, day = {.uid = uid, .at_s = day_s, .date = true};
    return n && (bsearch(&at, list, n, sizeof at, ical_slot_cmp) ||
                 bsearch(&day, list, n, sizeof day, ical_slot_cmp));
}

static int extra_cmp(const void *a, const void *b)
{
    const struct ical_extra *x = a, *y = b;
    return (x->local_s > y->local_s) - (x->local_s < y->local_s);
}

/* The rule's end on the wall clock: its UNTIL or the horizon, whichever comes first. */
static int64_t until_of(const struct ical_series *s)
{
    int64_t horizon_s = s->context->horizon_s, end_s = horizon_s + zone_offset_s(s->zone, horizon_s);
    const struct ical_event *ev = s->ev;
    if (!ev->rule.has_until)
        return end_s;
    const struct ical_time *until = &ev->rule.until;
    int64_t until_s = until->local_s;
    if (until->date)
        until_s += SECONDS_DAY - 1;
    else if (until->utc && !ev->start.t.date)
        until_s += zone_offset_s(s->zone, until_s);
    return until_s < end_s ? until_s : end_s;
}

static int prepare_lists(struct ical_series *s)
{
    const struct ical_times *ex = &s->ev->exdates, *more = &s->ev->rdates;
    s->removed = calloc(ex->n + 1, sizeof *s->removed);
    s->extra = calloc(more->n + 1, sizeof *s->extra);
    if (!s->removed || !s->extra)
        return ERR_NOMEM;
    for (size_t i = 0; i < ex->n; i++)
        s->removed[s->n_removed++] = ical_slot_of(&ex->v[i], s->zone, 0);
    for (size_t i = 0; i < more->n; i++) {
        int64_t utc_s = ical_when_utc(&more->v[i], s->zone);
        s->extra[s->n_extra++] =
            (struct ical_extra){utc_s + zone_offset_s(s->zone, utc_s), more->v[i].period_s};
    }
    qsort(s->removed, s->n_removed, sizeof *s->removed, ical_slot_cmp);
    qsort(s->extra, s->n_extra, sizeof *s->extra, extra_cmp);
    return 0;
}

static void rewind_series(struct ical_series *s)
{
    static const struct rrule once = {.count = 1, .interval = 1, .hour = -1, .minute = -1, .second = -1};
    const struct ical_event *ev = s->ev;
    const struct rrule *rule = ev->has_rule ? &ev->rule : &once;
    rrule_begin(&s->rule, rule, ev->start.t.local_s, until_of(s), &s->context->budget);
    s->rule_ready = false;
    s->i_extra = 0;
    s->last_s = INT64_MIN;
}

/* The next of rule and RDATEs, each once. */
static bool next_local(struct ical_series *s, struct ical_occurrence *o)
{
    for (;;) {
        if (!s->rule_ready)
            s->rule_ready = rrule_next(&s->rule, &s->rule_s);
        bool extra = s->i_extra < s->n_extra;
        if (!s->rule_ready && !extra)
            return false;
        if (extra && (!s->rule_ready || s->extra[s->i_extra].local_s <= s->rule_s)) {
            o->local_s = s->extra[s->i_extra].local_s;
            o->period_s = s->extra[s->i_extra++].period_s;
        } else {
            o->local_s = s->rule_s;
            o->period_s = 0;
            s->rule_ready = false;
        }
        if (o->local_s > s->last_s) {
            uint64_t *budget = &s->context->budget;
            *budget -= *budget < OCCURRENCE_COST ? *budget : OCCURRENCE_COST;
            s->last_s = o->local_s;
            return true;
        }
    }
}

static bool next_kept(struct ical_series *s, struct ical_occurrence *o)
{
    const struct ical_context *c = s->context;
    while (next_local(s, o)) {
        o->utc_s = zone_to_utc(s->zone, o->local_s, &o->offset_s);
        if (o->utc_s < 0 || o->utc_s > LIMIT_TIME_MS_MAX / MS_SECOND)
            continue;
        if (has_slot(s->removed, s->n_removed, 0, o))
            continue;
        bool may_be_overridden = s->ev->uid_hash && !s->ev->recurrence_id.set;
        if (may_be_overridden && has_slot(c->overrides, c->n_overrides, s->ev->uid_hash, o))
            continue;
        return true;
    }
    return false;
}

int ical_series_begin(struct ical_series *s, const struct ical_event *ev, struct ical_context *c)
{
    *s = (struct ical_series){.ev = ev, .context = c, .zone = ical_event_zone(ev, &c->zones)};
    int rc = prepare_lists(s);
    if (rc)
        return rc;
    rewind_series(s);
    if (!ev->has_rule)
        return 0;
    struct ical_occurrence o;
    size_t n = 0;
    while (next_kept(s, &o))
        n++;
    s->skip = n > LIMIT_OCCURRENCES ? n - LIMIT_OCCURRENCES : 0;
    rewind_series(s);
    return 0;
}

bool ical_series_next(struct ical_series *s, struct ical_occurrence *o)
{
    bool more = next_kept(s, o);
    for (; more && s->skip > 0; s->skip--)
        more = next_kept(s, o);
    return more;
}

void ical_series_release(struct ical_series *s)
{
    free(s->removed);
    free(s->extra);
    s->removed = NULL;
    s->extra = NULL;
}
