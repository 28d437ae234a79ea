/* iCalendar files (RFC 5545), one or a folder of them: what was and what is coming.
 *
 * Each calendar is read whole (LIMIT_CALENDAR_BYTES) and indexed: where its entries and time zones stand,
 * which occurrences an override replaces. Then entry after entry is read again and its occurrences are given;
 * so memory is the file, 32 bytes an entry, and one entry.
 *
 * An occurrence is a shared event: its id is UID "/" the time the series gives it (UTC; the wall clock for
 * whole days and times without zone), the same on all devices, and the same when an override moves it.
 * Repetitions are expanded to one year ahead; what cannot be expanded gives its first occurrence and a bad
 * row. Cancelled entries are skipped.
 *
 * Layers: ical_parse (lines, values), ical_rrule (repetition), ical_zone (zones), ical_event (an entry, its
 * series), and here files, index, rows. The cursor is the latest change time (ctime) of
 * the files: what has not changed since is not read again. After a week it is void, so that the year ahead
 * moves on. */
#include "base/cursor.h"
#include "base/limits.h"
#include "node/observe/ical_event.h"
#include "node/observe/lines.h"
#include "node/observe/observe.h"
#include "node/observe/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries of one calendar: 20 a day for 30 years. */
#define ENTRIES_MAX 262144u
/* Calendars in one file. */
#define CALENDARS_MAX 256u
/* Files of one folder: a file an event is common. */
#define FILES_MAX 100000u
#define CURSOR_VERSION 1
#define CURSOR_DAYS 7
#define HORIZON_DAYS 365
/* Days looked at and occurrences made per calendar, so that no set of rules takes more than a second or two.
 */
#define BUDGET UINT64_C(50000000)

struct reader {
    struct observer_env env;
    char *path;
    bool folder;
    char **names; /* sorted */
    size_t n_names, i_name;
    int64_t known_ns;  /* of the cursor: files changed before it need not be read; INT64_MIN without */
    int64_t latest_ns; /* change time of the latest file, when they were listed */
    int64_t day;       /* on which the oldest of what is known was read */

    /* The calendar being read. */
    bool open, worn;     /* worn: the budget's end has been reported */
    bool cut, cut_given; /* it has no proper end */
    uint8_t *text;
    struct ical_context context;
    struct ical_entry *entries;
    size_t n_entries, cap_entries, i_entry;
    size_t n_calendars;
    struct bytes calendars[CALENDARS_MAX]; /* raw names, in text */
    struct bad_record cut_fault;

    /* The entry being given. */
    bool in_event, series_on, given;
    size_t i_fault;
    struct ical_event event;
    struct ical_series series;
    struct buf app, body, id, data;
};

/* ---- index ---- */

struct index {
    struct reader *r;
    struct ical_scan scan;
    struct ical_line line;
    size_t depth, nested; /* open components; of them inside the entry */
    bool in_entry, in_zone;
    struct ical_entry entry;
    size_t zone_at;
    char zone_id[ZONE_ID_BYTES + 1];
    size_t zone_id_bytes;
};

static bool names_entry(struct bytes kind)
{
    return bytes_ieq(kind, BYTES_LIT("VEVENT")) || bytes_ieq(kind, BYTES_LIT("VTODO"));
}

static int entry_close(struct index *x)
{
    struct reader *r = x->r;
    x->in_entry = false;
    x->entry.end = (uint32_t)x->line.at;
    if (r->n_entries == ENTRIES_MAX)
        return ERR_LIMIT;
    if (r->n_entries == r->cap_entries) {
        size_t cap = r->cap_entries ? r->cap_entries * 2 : 64;
        struct ical_entry *p = realloc(r->entries, cap * sizeof *p);
        if (!p)
            return ERR_NOMEM;
        r->entries = p;
        r->cap_entries = cap;
    }
    r->entries[r->n_entries++] = x->entry;
    return 0;
}

static void calendar_begin(struct index *x)
{
    struct reader *r = x->r;
    x->depth = 1;
    if (r->n_calendars < CALENDARS_MAX)
        r->calendars[r->n_calendars++] = BYTES_NONE;
}

static int index_begin(struct index *x, struct bytes kind)
{
    int rc = 0;
    x->depth++;
    if (x->in_entry && !names_entry(kind)) {
        x->nested++;
        return 0;
    }
    if (bytes_ieq(kind, BYTES_LIT("VCALENDAR")))
        calendar_begin(x);
    if (bytes_ieq(kind, BYTES_LIT("VTIMEZONE"))) {
        x->in_zone = true;
        x->zone_at = x->line.end;
        x->zone_id_bytes = 0;
    }
    if (!names_entry(kind))
        return 0;
    if (x->in_entry) /* its END is missing */
        rc = entry_close(x);
    x->in_entry = true;
    x->nested = 0;
    x->entry = (struct ical_entry){.at = (uint32_t)x->line.end,
                                   .line = (uint32_t)x->scan.no,
                                   .calendar = (uint16_t)(x->r->n_calendars ? x->r->n_calendars - 1 : 0),
                                   .todo = bytes_ieq(kind, BYTES_LIT("VTODO"))};
    return rc;
}

static int index_end(struct index *x, struct bytes kind)
{
    x->depth -= x->depth > 0;
    if (x->in_zone && bytes_ieq(kind, BYTES_LIT("VTIMEZONE"))) {
        x->in_zone = false;
        zones_note(&x->r->context.zones, bytes_of(x->zone_id, x->zone_id_bytes), x->zone_at, x->line.at);
    }
    if (!x->in_entry)
        return 0;
    if (names_entry(kind) || bytes_ieq(kind, BYTES_LIT("VCALENDAR")))
        return entry_close(x);
    x->nested -= x->nested > 0;
    return 0;
}

static void index_property(struct index *x)
{
    const struct ical_line *l = &x->line;
    struct reader *r = x->r;
    struct bytes v = bytes_trim(l->value);
    if (x->in_entry && x->nested == 0) {
        if (ical_is(l, "UID") && v.n && !x->entry.uid)
            x->entry.uid = hash64(v, HASH64_SEED) | 1;
        else if (ical_is(l, "RECURRENCE-ID"))
            x->entry.override = true;
    } else if (x->in_zone && ical_is(l, "TZID")) {
        x->zone_id_bytes = v.n < ZONE_ID_BYTES ? v.n : 0;
        memcpy(x->zone_id, v.n ? (const char *)v.p : "", x->zone_id_bytes);
    } else if (x->depth == 1 && r->n_calendars && (ical_is(l, "X-WR-CALNAME") || ical_is(l, "NAME"))) {
        /* A folded name would not lie in the text: too long for a name anyway. */
        if (v.p >= r->text && v.p < r->text + r->context.text.n)
            r->calendars[r->n_calendars - 1] = v;
    }
}

static int index_line(struct index *x)
{
    if (ical_is(&x->line, "BEGIN"))
        return index_begin(x, bytes_trim(x->line.value));
    if (ical_is(&x->line, "END"))
        return index_end(x, bytes_trim(x->line.value));
    index_property(x);
    return 0;
}

/* Notes where everything stands. ERR_FORMAT when it is no calendar, ERR_NOMEM. */
static int index_calendar(struct reader *r)
{
    struct index x = {.r = r};
    bool any = false;
    int rc;
    ical_scan_init(&x.scan, r->context.text, 0, 0);
    while ((rc = ical_scan_next(&x.scan, &x.line)) > 0) {
        any = any || ical_is(&x.line, "BEGIN");
        rc = index_line(&x);
        if (rc)
            break;
    }
    ical_scan_release(&x.scan);
    if (rc == ERR_NOMEM)
        return rc;
    if (rc == ERR_LIMIT || x.in_entry) {
        r->cut = true;
        bad_row(&r->cut_fault, x.entry.line, "",
                rc ? "more than %u entries; the rest is left out" : "the calendar ends inside this entry",
                ENTRIES_MAX);
    }
    return any || r->context.text.n == 0 ? 0 : ERR_FORMAT;
}

/* Gathers what overrides replace. */
static int index_overrides(struct reader *r)
{
    struct ical_context *c = &r->context;
    size_t n = 0;
    for (size_t i = 0; i < r->n_entries; i++)
        n += r->entries[i].override && r->entries[i].uid;
    if (n == 0)
        return 0;
    c->overrides = calloc(n, sizeof *c->overrides);
    if (!c->overrides)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->n_entries; i++) {
        const struct ical_entry *entry = &r->entries[i];
        if (!entry->override || !entry->uid)
            continue;
        if (ical_event_read(&r->event, entry, c))
            return ERR_NOMEM;
        const struct ical_zone *zone = ical_event_zone(&r->event, &c->zones);
        if (r->event.recurrence_id.set)
            c->overrides[c->n_overrides++] = ical_slot_of(&r->event.recurrence_id, zone, entry->uid);
    }
    qsort(c->overrides, c->n_overrides, sizeof *c->overrides, ical_slot_cmp);
    return 0;
}

/* ---- files ---- */

static void calendar_close(struct reader *r)
{
    ical_series_release(&r->series);
    zones_release(&r->context.zones);
    free(r->context.overrides);
    r->context.overrides = NULL;
    r->context.n_overrides = 0;
    free(r->text);
    r->text = NULL;
    r->n_entries = r->i_entry = r->n_calendars = 0;
    r->open = r->cut = r->cut_given = r->worn = r->in_event = r->series_on = false;
}

static int file_path(const struct reader *r, char out[LIMIT_PATH_BYTES])
{
    int n = r->folder ? snprintf(out, LIMIT_PATH_BYTES, "%s/%s", r->path, r->names[r->i_name])
                      : snprintf(out, LIMIT_PATH_BYTES, "%s", r->path);
    return n < 0 || (size_t)n >= LIMIT_PATH_BYTES ? ERR_LIMIT : 0;
}

static int64_t changed_ns(const struct stat *st)
{
    return st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
}

static int read_all(int fd, uint8_t *p, size_t n, size_t *got)
{
    for (*got = 0; *got < n;) {
        ssize_t k = read(fd, p + *got, n - *got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return ERR_IO;
        if (k == 0)
            break;
        *got += (size_t)k;
    }
    return 0;
}

/* Reads the file whole. */
static int load(struct reader *r, const char *path, struct err *e)
{
    int fd;
    uint64_t size;
    size_t got = 0;
    int rc = regular_open(path, &fd, &size, e);
    if (rc)
        return rc;
    if (size > LIMIT_CALENDAR_BYTES) {
        close(fd);
        return err_set(e, ERR_LIMIT, "calendar '%s' is larger than %u bytes", path, LIMIT_CALENDAR_BYTES);
    }
    r->text = malloc((size_t)size + 1);
    rc = r->text ? read_all(fd, r->text, (size_t)size, &got) : ERR_NOMEM;
    if (rc)
        err_set(e, rc, "cannot read '%s'", path);
    close(fd);
    r->context.text = bytes_of(r->text, got);
    return rc;
}

static int calendar_open(struct reader *r, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    struct ical_context *c = &r->context;
    if (file_path(r, path))
        return err_set(e, ERR_LIMIT, "path is longer than %u bytes", LIMIT_PATH_BYTES);
    int rc = load(r, path, e);
    if (!rc) {
        r->open = true;
        c->budget = BUDGET;
        c->horizon_s = r->env.now_ms / MS_SECOND + HORIZON_DAYS * SECONDS_DAY;
        zones_init(&c->zones, &r->env, c->text, &c->budget);
        rc = index_calendar(r);
        if (rc == ERR_FORMAT)
            err_set(e, rc, "'%s' is not a calendar", path);
        if (!rc)
            rc = index_overrides(r);
        if (rc == ERR_NOMEM)
            err_set(e, rc, "out of memory");
    }
    if (rc)
        calendar_close(r);
    return rc;
}

/* True when the next file is as the last import saw it. */
static bool file_unchanged(const struct reader *r)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;
    return r->known_ns != INT64_MIN && !file_path(r, path) && stat(path, &st) == 0 &&
           changed_ns(&st) < r->known_ns;
}

/* ---- rows ---- */

static void id_stamp(struct buf *out, int64_t local_s, const char *form)
{
    struct civil c;
    civil_from_ms(local_s * MS_SECOND, 0, &c);
    buf_printf(out, "%04d%02d%02d", c.year, c.month, c.day);
    if (*form)
        buf_printf(out, "T%02d%02d%02d%s", c.hour, c.minute, c.second, strcmp(form, "Z") == 0 ? "Z" : "");
}

/* UID "/" the time that the series gives this occurrence, also when an override moves it. */
static void make_id(struct reader *r, const struct ical_occurrence *o)
{
    const struct ical_event *ev = &r->event;
    const struct ical_zone *zone = ical_event_zone(ev, &r->context.zones);
    const struct ical_when *w = ev->recurrence_id.set ? &ev->recurrence_id : &ev->start;
    int64_t local_s = ev->recurrence_id.set ? w->t.local_s : o->local_s;
    int64_t utc_s = ev->recurrence_id.set ? ical_when_utc(w, zone) : o->utc_s;
    bool floating = !w->t.utc && (w->zone ? w->zone : zone) == &r->context.zones.device;
    if (ev->uid.n == 0)
        return;
    buf_bytes(&r->id, buf_view(&ev->uid));
    buf_put(&r->id, '/');
    if (w->t.date)
        id_stamp(&r->id, local_s, "");
    else
        id_stamp(&r->id, floating ? local_s : utc_s, floating ? "T" : "Z");
}

static void data_item(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%s\"%s\":%s", out->n ? "," : "{", key, value);
}

/* {"all_day":true,"kind":"todo","status":"tentative"}: keys sorted, those that say something. */
static void make_data(struct reader *r)
{
    static const char *const states[] = {"tentative", "confirmed", "needs-action", "completed", "in-process"};
    const struct ical_event *ev = &r->event;
    if (ev->start.set && ev->start.t.date)
        data_item(&r->data, "all_day", "true");
    if (ev->todo)
        data_item(&r->data, "kind", "\"todo\"");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        char quoted[24];
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", states[i]);
        if (bytes_ieq(buf_view(&ev->status), bytes_str(states[i])))
            data_item(&r->data, "status", quoted);
    }
    if (r->data.n)
        buf_put(&r->data, '}');
}

static int64_t end_of(struct reader *r, const struct ical_occurrence *o)
{
    const struct ical_event *ev = &r->event;
    const struct ical_zone *zone = ical_event_zone(ev, &r->context.zones);
    int64_t end_s = o->utc_s;
    if (o->period_s > 0)
        end_s += o->period_s;
    else if (ev->end.set && ev->start.t.date && ev->end.t.date)
        end_s = zone_to_utc(zone, o->local_s + ev->end.t.local_s - ev->start.t.local_s, NULL);
    else if (ev->end.set)
        end_s += ical_when_utc(&ev->end, zone) - ical_when_utc(&ev->start, zone);
    else if (ev->has_duration && !ev->todo)
        end_s = zone_to_utc(zone, o->local_s + ev->duration_days * SECONDS_DAY, NULL) + ev->duration_s;
    else if (ev->start.t.date && !ev->todo)
        end_s = zone_to_utc(zone, o->local_s + SECONDS_DAY, NULL);
    bool valid = end_s > o->utc_s && end_s <= LIMIT_TIME_MS_MAX / MS_SECOND;
    return valid ? end_s * MS_SECOND : TIME_NONE;
}

/* The calendar's own name, else the folder's or file's. */
static void make_app(struct reader *r)
{
    uint16_t i = r->entries[r->i_entry].calendar;
    struct bytes raw = i < r->n_calendars ? r->calendars[i] : BYTES_NONE;
    if (raw.n) {
        ical_unescape(bytes_slice(raw, 0, LIMIT_NAME_BYTES), &r->app);
        return;
    }
    struct bytes name = bytes_str(r->path);
    while (name.n > 1 && name.p[name.n - 1] == '/')
        name.n--;
    for (size_t at = name.n; at > 0; at--)
        if (name.p[at - 1] == '/') {
            name = bytes_slice(name, at, name.n - at);
            break;
        }
    if (!r->folder && bytes_ends(name, BYTES_LIT(".ics")))
        name.n -= 4;
    buf_bytes(&r->app, bytes_slice(name, 0, LIMIT_NAME_BYTES));
}

/* What is made of the entry for this row: everything but views. */
static int make_texts(struct reader *r, const struct ical_occurrence *occ)
{
    struct buf *made[] = {&r->app, &r->body, &r->id, &r->data};
    const struct ical_event *ev = &r->event;
    for (size_t i = 0; i < 4; i++)
        buf_clear(made[i]);
    if (occ)
        make_id(r, occ);
    else
        buf_bytes(&r->id, buf_view(&ev->uid));
    make_app(r);
    make_data(r);
    buf_bytes(&r->body, buf_view(&ev->description));
    if (ev->description.n && ev->location.n)
        buf_put(&r->body, '\n');
    buf_bytes(&r->body, buf_view(&ev->location));
    return r->app.err || r->body.err || r->id.err || r->data.err ? ERR_NOMEM : 0;
}

/* A row for one occurrence; NULL for a task without a time. */
static int give(struct reader *r, const struct ical_occurrence *occ, struct observation *o, struct err *e)
{
    const struct ical_event *ev = &r->event;
    if (make_texts(r, occ))
        return err_set(e, ERR_NOMEM, "out of memory");
    observation_init(o, "ical");
    if (occ) {
        o->time_ms = (occ->utc_s + ev->due_shift_s) * MS_SECOND;
        o->end_ms = end_of(r, occ);
        if (ev->start.zone && !ev->start.t.utc && !ev->start.t.date)
            o->offset_min = (int16_t)(occ->offset_s / 60);
    }
    o->shared_event = true;
    o->app = buf_view(&r->app);
    o->title = buf_view(&ev->title);
    o->text = buf_view(&r->body);
    o->url = buf_view(&ev->url);
    o->id = buf_view(&r->id);
    o->data = buf_view(&r->data);
    r->given = true;
    return ROW_OBSERVATION;
}

/* In a folder a bad row also says which file. */
static int give_bad(const struct reader *r, struct bad_record *b)
{
    char reason[sizeof b->reason];
    memcpy(reason, b->reason, sizeof reason);
    if (r->folder)
        (void)snprintf(b->reason, sizeof b->reason, "'%.60s': %.90s", r->names[r->i_name], reason);
    return ROW_BAD;
}

static int event_begin(struct reader *r, struct err *e)
{
    r->in_event = true;
    r->series_on = r->given = false;
    r->i_fault = 0;
    if (ical_event_read(&r->event, &r->entries[r->i_entry], &r->context))
        return err_set(e, ERR_NOMEM, "out of memory");
    if (!r->event.start.set)
        return 0;
    r->series_on = true;
    if (ical_series_begin(&r->series, &r->event, &r->context))
        return err_set(e, ERR_NOMEM, "out of memory");
    return 0;
}

/* An entry without a usable start. */
static int event_timeless(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    if (r->given)
        return ROW_DONE;
    r->given = true;
    if (r->event.todo)
        return give(r, NULL, o, e);
    if (r->event.start_bad)
        return ROW_DONE;
    bad_row(b, r->event.line, "DTSTART", "missing");
    return give_bad(r, b);
}

/* The series has ended: was something kept back? */
static int event_end(struct reader *r, struct bad_record *b)
{
    const struct ical_event *ev = &r->event;
    int64_t utc_s = ical_when_utc(&ev->start, r->series.zone);
    bool in_range = utc_s >= 0 && utc_s <= LIMIT_TIME_MS_MAX / MS_SECOND;
    if (!r->given && !ev->has_rule && !in_range) {
        r->given = true;
        bad_year(b, ev->line, "DTSTART", ev->start.t.local_s * MS_SECOND);
        return give_bad(r, b);
    }
    if (r->context.budget > 0 || r->worn)
        return ROW_DONE;
    r->worn = true;
    bad_row(b, ev->line, "RRULE", "too many repetitions in this calendar; some are left out from here on");
    return give_bad(r, b);
}

/* The next row of the entry; ROW_DONE behind its last. */
static int event_row(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    struct ical_occurrence occ;
    if (r->i_fault < r->event.n_faults) {
        *b = r->event.faults[r->i_fault++];
        return give_bad(r, b);
    }
    if (r->event.cancelled) {
        bool first = !r->given;
        r->given = true;
        return first ? ROW_SKIPPED : ROW_DONE;
    }
    if (!r->series_on)
        return event_timeless(r, o, b, e);
    if (ical_series_next(&r->series, &occ))
        return give(r, &occ, o, e);
    return event_end(r, b);
}

/* The next row of the open calendar; ROW_DONE when it has no more. */
static int calendar_row(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    while (r->i_entry < r->n_entries) {
        int rc = r->in_event ? 0 : event_begin(r, e);
        if (rc)
            return rc;
        int row = event_row(r, o, b, e);
        if (row != ROW_DONE)
            return row;
        ical_series_release(&r->series);
        r->in_event = false;
        r->i_entry++;
    }
    if (!r->cut || r->env.growing || r->cut_given)
        return ROW_DONE;
    r->cut_given = true;
    *b = r->cut_fault;
    return give_bad(r, b);
}

/* Opens the next file that has something new; ROW_DONE behind the last. In a folder a file that cannot be
 * read is a bad row. */
static int next_file(struct reader *r, struct bad_record *b, struct err *e)
{
    struct err why = ERR_INIT;
    while (r->i_name < r->n_names && file_unchanged(r))
        r->i_name++;
    if (r->i_name == r->n_names)
        return ROW_DONE;
    int rc = calendar_open(r, &why);
    if (rc && r->folder && rc != ERR_NOMEM) {
        bad_row(b, 0, "", "%.150s", why.text);
        r->i_name++;
        return ROW_BAD;
    }
    if (rc && e)
        *e = why;
    return rc;
}

static int ical_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    for (;;) {
        if (!r->open) {
            int row = next_file(r, b, e);
            if (row != 0 || !r->open)
                return row;
        }
        int row = calendar_row(r, o, b, e);
        if (row != ROW_DONE)
            return row;
        calendar_close(r);
        r->i_name++;
    }
}

/* ---- opening, cursor ---- */

static int name_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_calendar_name(const char *name)
{
    struct bytes n = bytes_str(name);
    return n.n > 4 && name[0] != '.' && bytes_ieq(bytes_slice(n, n.n - 4, 4), BYTES_LIT(".ics"));
}

static int add_name(struct reader *r, const char *name, struct err *e)
{
    if (r->n_names == FILES_MAX)
        return err_set(e, ERR_LIMIT, "more than %u calendars in '%s'", FILES_MAX, r->path);
    if ((r->n_names & (r->n_names - 1)) == 0) { /* at each power of two: room for twice as many */
        char **p = realloc(r->names, (r->n_names ? r->n_names * 2 : 1) * sizeof *p);
        if (!p)
            return err_set(e, ERR_NOMEM, "out of memory");
        r->names = p;
    }
    char *copy = strdup(name);
    if (!copy)
        return err_set(e, ERR_NOMEM, "out of memory");
    r->names[r->n_names++] = copy;
    return 0;
}

static int list_folder(struct reader *r, struct err *e)
{
    DIR *dir = opendir(r->path);
    if (!dir)
        return err_errno(e, errno, "cannot open '%s'", r->path);
    int rc = 0;
    for (struct dirent *d; rc == 0 && (d = readdir(dir));)
        if (is_calendar_name(d->d_name))
            rc = add_name(r, d->d_name, e);
    closedir(dir);
    if (r->n_names)
        qsort(r->names, r->n_names, sizeof *r->names, name_cmp);
    return rc;
}

/* Taken before anything is read, so that a file changed meanwhile is behind the mark. */
static void find_latest(struct reader *r)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;
    r->latest_ns = INT64_MIN;
    for (r->i_name = 0; r->i_name < r->n_names; r->i_name++)
        if (!file_path(r, path) && stat(path, &st) == 0 && changed_ns(&st) > r->latest_ns)
            r->latest_ns = changed_ns(&st);
    r->i_name = 0;
}

static int list_files(struct reader *r, struct err *e)
{
    struct stat st;
    if (stat(r->path, &st) != 0)
        return err_errno(e, errno, "cannot open '%s'", r->path);
    r->folder = S_ISDIR(st.st_mode);
    int rc = r->folder ? list_folder(r, e)
                       : add_name(r, strrchr(r->path, '/') ? strrchr(r->path, '/') + 1 : r->path, e);
    if (!rc)
        find_latest(r);
    return rc;
}

/* Takes what the cursor knows, when it is one of ours and not older than a week. */
static void cursor_take(struct reader *r, struct bytes cursor)
{
    struct rd in;
    rd_init(&in, cursor);
    uint8_t version = rd_u8(&in);
    int64_t day = rd_svarint(&in), known_ns = rd_svarint(&in);
    r->day = r->env.now_ms / MS_DAY;
    r->known_ns = INT64_MIN;
    if (rd_end(&in) || version != CURSOR_VERSION || day > r->day || day <= r->day - CURSOR_DAYS)
        return;
    r->day = day;
    r->known_ns = known_ns;
}

static void ical_close(struct reader *r)
{
    if (!r)
        return;
    calendar_close(r);
    ical_event_release(&r->event);
    struct buf *made[] = {&r->app, &r->body, &r->id, &r->data};
    for (size_t i = 0; i < 4; i++)
        buf_release(made[i]);
    for (size_t i = 0; i < r->n_names; i++)
        free(r->names[i]);
    free(r->names);
    free(r->entries);
    free(r->path);
    free(r);
}

static struct reader *reader_new(const char *path, const struct observer_env *env)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->env = *env;
    r->path = strdup(path);
    ical_event_init(&r->event);
    struct buf *made[] = {&r->app, &r->body, &r->id, &r->data};
    for (size_t i = 0; i < 4; i++)
        buf_init(made[i], 4 * LIMIT_OBSERVATION_BYTES);
    return r;
}

static int ical_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                     const struct observer_env *env, struct err *e)
{
    (void)fd;
    struct reader *r = reader_new(path, env);
    if (!r || !r->path) {
        ical_close(r);
        return err_set(e, ERR_NOMEM, "out of memory");
    }
    int rc = list_files(r, e);
    cursor_take(r, cursor);
    if (!rc && !r->folder && !file_unchanged(r)) /* one file: say now when it is none */
        rc = calendar_open(r, e);
    if (rc) {
        ical_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

/* Until every file has been read, what was known before. Within a second of the latest change another one may
 * get the same time, so files changed just then are read again. */
static int ical_cursor(struct reader *r, struct buf *out)
{
    int64_t ns = r->i_name == r->n_names ? r->latest_ns : r->known_ns;
    if (ns == INT64_MIN)
        return 0;
    if (ns == r->latest_ns && ns / 1000000 + MS_SECOND < r->env.now_ms)
        ns++;
    wr_u8(out, CURSOR_VERSION);
    wr_svarint(out, r->day);
    wr_svarint(out, ns);
    return out->err;
}

static void ical_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    bool inside = !r->folder && r->open;
    *done = inside ? r->i_entry : r->i_name;
    *total = inside ? r->n_entries : r->n_names;
}

const struct observer observer_ical = {
    .name = "ical",
    .summary = "events and tasks of iCalendar files, a year ahead",
    .path_hint = "calendar file or folder",
    .watch_folder = true,
    .plans = true,
    .open = ical_open,
    .next = ical_next,
    .cursor = ical_cursor,
    .progress = ical_progress,
    .close = ical_close,
};
