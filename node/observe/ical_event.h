/* One VEVENT or VTODO, read from its place in the calendar, and the series of its occurrences. */
#ifndef NODE_OBSERVE_ICAL_EVENT_H
#define NODE_OBSERVE_ICAL_EVENT_H

#include "base/limits.h"
#include "node/observe/ical_rrule.h"
#include "node/observe/ical_zone.h"
#include "node/observe/observe.h"

/* Where an entry stands in its calendar: what the index keeps of each. */
struct ical_entry {
    uint64_t uid;     /* hash of the UID; 0 when it has none */
    uint32_t at, end; /* of what stands between BEGIN and END */
    uint32_t line;    /* of BEGIN */
    uint16_t calendar;
    bool todo, override; /* has a RECURRENCE-ID */
};

/* A time as an entry gives it. `zone` is NULL for a time without zone (and for whole days): the entry's zone,
 * or the device's. */
struct ical_when {
    bool set;
    struct ical_time t;
    const struct ical_zone *zone;
    int64_t period_s; /* length of an RDATE's PERIOD; 0 for none */
};

struct ical_times {
    size_t n, cap;
    struct ical_when *v;
};

/* Faults found in one entry; more than these are the same mess. */
#define ICAL_FAULTS 8u

struct ical_event {
    bool todo, cancelled, has_rule, has_duration;
    bool start_bad; /* a DTSTART was there, and could not be read */
    uint64_t line;  /* of BEGIN */
    uint64_t uid_hash;
    struct buf uid, title, description, location, url, status;
    struct ical_when start, end, recurrence_id; /* end: DTEND or DUE */
    int64_t duration_days, duration_s;
    int64_t due_shift_s; /* a repeated VTODO: from its DTSTART to its DUE */
    struct rrule rule;
    struct ical_times rdates, exdates;
    size_t n_faults;
    struct bad_record faults[ICAL_FAULTS];
};

/* What a calendar gives its entries. */
struct ical_context {
    struct bytes text;
    struct zones zones;
    struct ical_slot *overrides; /* what RECURRENCE-IDs replace, sorted */
    size_t n_overrides;
    int64_t horizon_s; /* repetitions are expanded up to here, UTC */
    uint64_t budget;   /* looks and occurrences left for the whole calendar */
};

void ical_event_init(struct ical_event *ev);
void ical_event_release(struct ical_event *ev);
/* Reads an entry; what cannot be read is added to its faults. 0, or ERR_NOMEM. */
int ical_event_read(struct ical_event *ev, const struct ical_entry *entry, struct ical_context *c) MUST_CHECK;
/* The zone that the entry's times without zone are in. */
const struct ical_zone *ical_event_zone(const struct ical_event *ev, const struct zones *zones);
int64_t ical_when_utc(const struct ical_when *w, const struct ical_zone *floating);

/* An occurrence that is replaced by an override, or removed by an EXDATE: at a UTC second, or on a day of the
 * wall clock. */
struct ical_slot {
    uint64_t uid; /* 0 for an EXDATE */
    int64_t at_s;
    bool date;
};
struct ical_slot ical_slot_of(const struct ical_when *w, const struct ical_zone *floating, uint64_t uid);
int ical_slot_cmp(const void *a, const void *b);

struct ical_occurrence {
    int64_t local_s, utc_s;
    int64_t period_s; /* its own length; 0: the entry's */
    int32_t offset_s;
};

/* An RDATE on the wall clock. */
struct ical_extra {
    int64_t local_s, period_s;
};

/* The occurrences of an entry, ascending, each once, without its EXDATEs and overridden ones, from 1970 on.
 * Of more than LIMIT_OCCURRENCES the latest are given. */
struct ical_series {
    const struct ical_event *ev;
    struct ical_context *context;
    const struct ical_zone *zone;
    struct ical_slot *removed; /* EXDATEs, sorted */
    size_t n_removed;
    struct ical_extra *extra; /* RDATEs, sorted */
    size_t n_extra, i_extra;
    struct rrule_iter rule;
    bool rule_ready; /* rule_s is the rule's next */
    int64_t rule_s, last_s;
    size_t skip;
};

/* ev->start must be set; ev and c must outlive the series. ERR_NOMEM. */
int ical_series_begin(struct ical_series *s, const struct ical_event *ev, struct ical_context *c) MUST_CHECK;
bool ical_series_next(struct ical_series *s, struct ical_occurrence *o);
/* Fine on zeroed memory. */
void ical_series_release(struct ical_series *s);

#endif
