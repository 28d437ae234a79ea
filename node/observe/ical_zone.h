/* Time zones of a calendar: from its own VTIMEZONE, else from the system's zoneinfo (TZif), else the
 * device's.
 *
 * Every source ends up as one table of UTC seconds and the offset from then on; behind the table's end a TZif
 * file's rule (POSIX TZ string) goes on. A wall-clock time that comes twice means the first, one that does
 * not exist is read with the offset before the gap (RFC 5545 §3.3.5). */
#ifndef NODE_OBSERVE_ICAL_ZONE_H
#define NODE_OBSERVE_ICAL_ZONE_H

#include "node/observe/ical_parse.h"
#include "node/observe/observe.h"

/* Changes of one zone: Outlook's begin in 1601, two a year. */
#define ZONE_STEPS_MAX 4096u
/* Zones of one calendar, and a TZID's length. */
#define ZONES_MAX 64u
#define ZONE_ID_BYTES 128u
/* A TZif file; the largest is under 4 KiB. */
#define ZONE_FILE_BYTES (256u << 10)

struct zone_step {
    int64_t at_s; /* UTC */
    int32_t offset_s;
};

/* One change of a POSIX rule. */
struct posix_change {
    char kind; /* 'M': month.week.day; 'J': day 1..365 without 29 February; 'N': day 0..365 */
    int month, week, day;
    int32_t time_s; /* wall clock, may be negative or over a day */
};

struct posix_rule {
    bool set, has_dst;
    int32_t std_s, dst_s; /* offsets east */
    struct posix_change to_dst, to_std;
};

struct ical_zone {
    char id[ZONE_ID_BYTES + 1];
    const struct observer_env *device; /* not NULL: the device's own zone, nothing below counts */
    int32_t first_s;                   /* offset before the first step */
    size_t n_steps;
    struct zone_step *steps;
    struct posix_rule rule;
};

/* Offset east of UTC at an instant. */
int32_t zone_offset_s(const struct ical_zone *z, int64_t utc_s);
/* The instant a wall clock shows local_s; *offset_s (may be NULL) is the offset then. */
int64_t zone_to_utc(const struct ical_zone *z, int64_t local_s, int32_t *offset_s);

/* Reads a TZif file of any version into z. ERR_FORMAT, ERR_LIMIT, ERR_NOMEM. */
int zone_read_tzif(struct ical_zone *z, struct bytes file) MUST_CHECK;
/* Reads the properties of a VTIMEZONE (what stands between BEGIN and END) into z. ERR_FORMAT when it has no
 * usable STANDARD or DAYLIGHT. */
int zone_read_vtimezone(struct ical_zone *z, struct bytes block, uint64_t *budget) MUST_CHECK;
void zone_release(struct ical_zone *z);

struct zone_block {
    size_t at, end; /* of its text in the calendar */
    char id[ZONE_ID_BYTES + 1];
};

/* The zones of one calendar. */
struct zones {
    const struct observer_env *env;
    struct bytes text; /* the calendar; borrowed */
    uint64_t *budget;  /* for rrule expansion; borrowed */
    struct ical_zone device, utc;
    size_t n_blocks, n_list;
    struct zone_block blocks[ZONES_MAX];
    struct ical_zone list[ZONES_MAX]; /* resolved; an unknown one has no steps and no rule */
};

void zones_init(struct zones *z, const struct observer_env *env, struct bytes text, uint64_t *budget);
void zones_release(struct zones *z);
/* Notes a VTIMEZONE of the calendar. One too many is passed over. */
void zones_note(struct zones *z, struct bytes id, size_t at, size_t end);
/* The zone of a TZID; NULL when nobody knows it. */
const struct ical_zone *zones_get(struct zones *z, struct bytes id);

#endif
