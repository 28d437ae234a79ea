/* What stays on this device and never replicates: observations, their features and the links from
 * propositions to them, import cursors, the audit log, local settings.
 *
 * Features are what the built-in inference indexes observations by: (kind, key) such as (tool, "rg") or
 * (site, "example.org"); a trace is one observation under one feature with its local day and minute.
 * Everything the heuristics claim is a function of traces, so erasing an observation erases what was learnt
 * from it.
 */
#ifndef STORE_LOCAL_H
#define STORE_LOCAL_H

#include "store/store.h"

struct stored_observation {
    int64_t row;             /* 0 when being added */
    uint8_t key[16];         /* event key: dedup and blocking */
    int64_t time_ms, end_ms; /* end TIME_NONE = point */
    int64_t added_ms;
    int16_t offset_min;
    bool shared_event, untimed; /* untimed: time_ms is when it was imported */
    struct bytes source, app, title, text, url, command, cwd, files /* newline separated */, ext_id, data;
};

/* Adds one; *row gets its row, *fresh false when the key was there (a later end_ms is then taken over). A
 * blocked key or span (store_blocked): *row = 0, *fresh = false. */
int local_observation_add(struct store *s, const struct stored_observation *o, int64_t *row, bool *fresh,
                          struct err *e) MUST_CHECK;
int local_observation(struct store *s, int64_t row, struct stored_observation *out, struct err *e) MUST_CHECK;
/* Whether there is one with this key. */
int local_observation_known(struct store *s, const uint8_t key[16], bool *out, struct err *e) MUST_CHECK;
/* Another key for one that is there; a key that another one has leaves it as it is. */
int local_observation_rekey(struct store *s, int64_t row, const uint8_t key[16], struct err *e) MUST_CHECK;
struct observation_filter {
    struct bytes source;       /* empty = all */
    int64_t from_ms, until_ms; /* TIME_NONE = open */
    uint32_t max;              /* rows */
    bool newest_first;
};
int local_observations(struct store *s, const struct observation_filter *f,
                       int (*fn)(void *ctx, const struct stored_observation *o), void *ctx,
                       struct err *e) MUST_CHECK;
/* Those added behind a row, in the order of their rows. */
int local_observations_behind(struct store *s, int64_t row, uint32_t max,
                              int (*fn)(void *ctx, const struct stored_observation *o), void *ctx,
                              struct err *e) MUST_CHECK;
/* The highest row, 0 when there is none. */
int local_observation_newest(struct store *s, int64_t *row, struct err *e) MUST_CHECK;
struct source_count {
    struct bytes source;
    uint64_t n;
    int64_t first_ms, last_ms;
};
/* How many of each source lie behind a row; first and last are times of capture. */
int local_sources_behind(struct store *s, int64_t row, int (*fn)(void *ctx, const struct source_count *c),
                         void *ctx, struct err *e) MUST_CHECK;
/* The same of all. */
int local_sources(struct store *s, int (*fn)(void *ctx, const struct source_count *c), void *ctx,
                  struct err *e) MUST_CHECK;

/* Erases observations with their traces and links, and marks the features touched dirty: one left without
 * traces is reported by local_dirty() once more and goes with local_dirty_clear(). Unknown rows are skipped.
 * A source's span includes both ends (TIME_NONE = open); *n gets how many went. store_scrub() after commit.
 */
int local_observations_erase(struct store *s, const int64_t *rows, size_t n, struct err *e) MUST_CHECK;
int local_source_erase(struct store *s, struct bytes source, int64_t from_ms, int64_t until_ms, uint64_t *n,
                       struct err *e) MUST_CHECK;

/* Features and traces. day = days since 1970 in the user's local time, minute = minute of that day. */
int local_feature(struct store *s, uint8_t kind, struct bytes key, int64_t *feature,
                  struct err *e) MUST_CHECK; /* finds or makes */
int local_feature_find(struct store *s, uint8_t kind, struct bytes key, int64_t *feature,
                       struct err *e) MUST_CHECK; /* 0 when absent */
int local_trace_add(struct store *s, int64_t feature, int64_t observation, int32_t day, uint16_t minute,
                    struct err *e) MUST_CHECK;
struct feature {
    int64_t feature;
    uint8_t kind;
    struct bytes key;
};
int local_feature_get(struct store *s, int64_t feature, struct feature *out, struct err *e) MUST_CHECK;
int local_features(struct store *s, uint8_t kind, int (*fn)(void *ctx, const struct feature *f), void *ctx,
                   struct err *e) MUST_CHECK;
struct trace {
    int64_t observation;
    int32_t day;
    uint16_t minute;
};
/* Traces of a feature from `day_from` on, ascending by (day, minute, observation). */
int local_traces(struct store *s, int64_t feature, int32_t day_from,
                 int (*fn)(void *ctx, const struct trace *t), void *ctx, struct err *e) MUST_CHECK;
/* Features touched (made, traces added or erased) since the last local_dirty_clear, which also drops those
 * left without traces. */
int local_dirty(struct store *s, int (*fn)(void *ctx, const struct feature *f), void *ctx,
                struct err *e) MUST_CHECK;
int local_dirty_clear(struct store *s, struct err *e) MUST_CHECK;

/* Evidence links proposition ← observation; of exactly this id, not of its same-as members. The proposition
 * must have been written (ERR_NOTFOUND). A second add of the same pair replaces the sign. Reading links of an
 * unknown proposition finds none. */
int local_link_add(struct store *s, const struct id *prop, int64_t observation, bool against,
                   struct err *e) MUST_CHECK;
int local_links_clear(struct store *s, const struct id *prop, struct err *e) MUST_CHECK;
int local_links(struct store *s, const struct id *prop, bool newest_first, uint32_t max,
                int (*fn)(void *ctx, const struct stored_observation *o, bool against), void *ctx,
                struct err *e) MUST_CHECK;
int local_link_counts(struct store *s, const struct id *prop, uint64_t *support, uint64_t *against,
                      struct err *e) MUST_CHECK;
/* Propositions that rest on an observation. */
int local_links_of(struct store *s, int64_t observation,
                   int (*fn)(void *ctx, const struct id *prop, bool against), void *ctx,
                   struct err *e) MUST_CHECK;

/* What the user forgot, here or on another device, rested on these observations of ours (supporting ones):
 * they are to be erased and their keys blocked. Erasing an observation takes it off the list. */
int local_doomed(struct store *s,
                 int (*fn)(void *ctx, const struct id *prop, const struct stored_observation *o), void *ctx,
                 struct err *e) MUST_CHECK;
int local_doomed_clear(struct store *s, struct err *e) MUST_CHECK;

/* Small named values: import cursors ("cursor:bash:/path"), local settings, inference state. Value at most 64
 * KiB. */
int local_get(struct store *s, const char *name, struct buf *value, bool *found, struct err *e) MUST_CHECK;
int local_set(struct store *s, const char *name, struct bytes value,
              struct err *e) MUST_CHECK; /* empty value deletes */
int local_each(struct store *s, const char *prefix,
               int (*fn)(void *ctx, const char *name, struct bytes value), void *ctx,
               struct err *e) MUST_CHECK;

/* Audit log: decisions without content, summed per (day, rule, source). */
struct audit_row {
    int64_t first_ms, last_ms;
    struct bytes rule, source;
    uint64_t n;
};
int local_audit_add(struct store *s, const struct audit_row *r, struct err *e) MUST_CHECK;
int local_audit(struct store *s, int (*fn)(void *ctx, const struct audit_row *r), void *ctx,
                struct err *e) MUST_CHECK;

#endif
