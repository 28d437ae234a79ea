/* The bottom layer of iCalendar (RFC 5545): content lines and their values. Works on a whole calendar held in
 * memory and copies only lines that were folded. */
#ifndef NODE_OBSERVE_ICAL_PARSE_H
#define NODE_OBSERVE_ICAL_PARSE_H

#include "base/bytes.h"

#define SECONDS_DAY INT64_C(86400)

struct ical_line {
    uint64_t no;         /* 1-based number of its first physical line */
    size_t at, end;      /* offsets of its first byte and behind its line end */
    struct bytes name;   /* as written; empty when the line is no property (no ':') */
    struct bytes params; /* raw, from the first ';' on; empty when none */
    struct bytes value;  /* raw */
};

struct ical_scan {
    struct bytes text;
    size_t at;
    uint64_t no;       /* physical lines before `at` */
    struct buf folded; /* holds the line given last when it was folded */
};

/* `no` lines stand before `at`. */
void ical_scan_init(struct ical_scan *s, struct bytes text, size_t at, uint64_t no);
void ical_scan_release(struct ical_scan *s);
/* 1 and the next line (views valid until the next call), 0 at the end, ERR_NOMEM. Blank lines are passed
 * over. */
int ical_scan_next(struct ical_scan *s, struct ical_line *l) MUST_CHECK;

/* True when the line's name is `name`, in any case. */
bool ical_is(const struct ical_line *l, const char *name);
/* The value of a parameter, without quotes; empty when absent. */
struct bytes ical_param(const struct ical_line *l, const char *name);
/* Appends a TEXT value without its escapes. */
int ical_unescape(struct bytes value, struct buf *out);
/* Cuts the first item of a ','-separated list off; false when nothing is left. */
bool ical_item(struct bytes *rest, struct bytes *item);

/* A DATE or DATE-TIME as written: seconds since 1970-01-01T00:00 on the clock that shows it. */
struct ical_time {
    int64_t local_s;
    bool date; /* a whole day */
    bool utc;  /* ended in Z */
};

/* ERR_FORMAT; ERR_LIMIT for a year outside 1..9999. */
int ical_time_parse(struct bytes text, struct ical_time *t) MUST_CHECK;
/* "-P1DT2H" → whole days (weeks too) and seconds, both with the sign. ERR_FORMAT, ERR_LIMIT. */
int ical_duration_parse(struct bytes text, int64_t *days, int64_t *seconds) MUST_CHECK;
/* "+0100", "-024312" → seconds east. ERR_FORMAT. */
int ical_offset_parse(struct bytes text, int32_t *seconds) MUST_CHECK;
/* A decimal integer with optional sign, of at most 6 digits. ERR_FORMAT. */
int ical_int_parse(struct bytes text, int *out) MUST_CHECK;

#endif
