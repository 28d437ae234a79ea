/* Observers: one file per source, each turns what another program wrote into observations.
 *
 * An observer is a pull iterator: open it on a path with the cursor it returned last time, call next() until
 * it says DONE, then save its cursor. It never stores, never infers, never filters for privacy (audit does,
 * node/model/audit.h); it holds at most one record (or one calendar) in memory. A record it cannot read is
 * reported as ROW_BAD with file, line and field, and reading goes on behind it.
 *
 * Idempotence does not depend on cursors: every observation has an event key (see `struct observation`), and
 * the store drops keys it has seen. Cursors only make the second import fast. Whether a cursor still fits the
 * file (truncated, rotated, rewritten) is the observer's to check: when it does not, it starts from the
 * beginning.
 */
#ifndef NODE_OBSERVE_OBSERVE_H
#define NODE_OBSERVE_OBSERVE_H

#include "base/bytes.h"
#include "base/time.h"

#define OFFSET_UNKNOWN INT16_MIN

/* One record of what a device saw. All views are borrowed until the next call on the same reader. Text is
 * raw: not yet valid UTF-8, not yet redacted. */
struct observation {
    int64_t time_ms;     /* when it happened (capture time), UTC; TIME_NONE when the source has none */
    int64_t end_ms;      /* end of the span; TIME_NONE when it is a point */
    int16_t offset_min;  /* minutes east of UTC that the user's clock showed; OFFSET_UNKNOWN lets the node use
                            its zone */
    bool shared_event;   /* other devices of the user can see the same event (calendar, synced browsing, git,
                            mail) */
    bool from_model;     /* text that the model itself produced: never becomes evidence */
    bool private_window; /* incognito / private browsing */
    uint32_t occurrence; /* which of several equal records without a time this is, from 1; 0 when time tells
                            them apart */
    struct bytes source; /* "bash", "firefox", "git", "note" …; lower case; [a-z0-9._-]{1,64} */
    struct bytes app;    /* program, project (git) or calendar name */
    struct bytes title;  /* window or page title, commit subject, event summary */
    struct bytes text;   /* body: note, message, description */
    struct bytes url;
    struct bytes command; /* a shell command line, whole */
    struct bytes cwd;
    struct bytes id;   /* the source's own id of the record, when it has one (UID, GUID); else empty */
    struct bytes data; /* other keys, as one canonical JSON object text; empty when none */
    const struct bytes *files; /* n_files paths */
    size_t n_files;
};

enum row {
    ROW_OBSERVATION = 1, /* *o is filled */
    ROW_BAD = 2,         /* *b is filled; go on */
    ROW_SKIPPED = 3,     /* a record that by its nature is none of ours (another device's visit, an agent's
                            command): go on */
    ROW_PICTURE = 4,     /* *o names a picture: time, file, and as id its identity; what is on it is asked of a
                            model (node/pictures.h) */
    ROW_DONE = 0,        /* the end, for now */
};

/* A record that could not be read. */
struct bad_record {
    uint64_t line;    /* 1-based line, or row number for databases; 0 when unknown */
    char field[64];   /* "time", "visit_time", "DTSTART" …; "" when the whole record is bad */
    char reason[160]; /* lower case, e.g. "year 10312 is out of range" */
};

struct observer_env {
    const char *tmp_dir; /* private folder for copies */
    int64_t now_ms;      /* for recurrence expansion and "in the future" checks */
    int16_t offset_min;  /* the device's zone now */
    /* Offset east of UTC of the device's own zone at an instant / at a local civil time; never fails. */
    int16_t (*zone_offset)(void *ctx, int64_t ms);
    void *zone_ctx;
    const char *zone_dir; /* the system's zoneinfo folder, for TZID in calendars */
    /* A watch: the file may be in the middle of being written, so an unfinished last record is left for the
     * next time. An import (false) takes it, and leaves its cursor before it. */
    bool growing;
};

struct reader; /* one open import; each observer has its own */

struct observer {
    const char *name;      /* what the user types: "chromium" */
    const char *summary;   /* one line for help */
    const char *path_hint; /* what PATH is: "History file or profile folder" */
    /* Paths to try when none is given, relative to $HOME, NULL-terminated; NULL when PATH is required. */
    const char *const *defaults;
    bool watch_folder; /* watching means the folder's files (calendar folder), not one file */
    bool plans;        /* times say when something will be, not when it was noted */
    bool reads_stdin;  /* PATH "-" works */

    /* Opens path ("-" only when reads_stdin: `fd` is then the open descriptor, else -1). `cursor` is what
     * cursor() gave last time for this path, or empty. ERR_NOTFOUND, ERR_PERM, ERR_FORMAT ("not a firefox
     * history"), ERR_IO. */
    int (*open)(struct reader **out, const char *path, int fd, struct bytes cursor,
                const struct observer_env *env, struct err *e);
    /* One of enum row, or a negative error that ends the import (what came before stands). */
    int (*next)(struct reader *r, struct observation *o, struct bad_record *b, struct err *e);
    /* Appends the cursor after the last record next() returned. */
    int (*cursor)(struct reader *r, struct buf *out);
    /* Bytes (or rows) done and in all, for progress; total 0 when unknown. */
    void (*progress)(const struct reader *r, uint64_t *done, uint64_t *total);
    void (*close)(struct reader *r); /* NULL fine */
    /* The file that is really read when PATH may be a folder (a profile, a repository): what a watch must
     * look at. NULL member: PATH itself. Valid until close. */
    const char *(*file)(const struct reader *r);
};

/* The table of all observers, NULL-terminated, in the order help shows them. */
extern const struct observer *const observers[];
/* By name, or NULL. */
const struct observer *observer_find(const char *name);

/* One observer a file: node/observe/<name>.c */
extern const struct observer observer_activitywatch, observer_chromium, observer_firefox, observer_bash,
    observer_zsh, observer_fish, observer_atuin, observer_git, observer_ical, observer_xbel, observer_image,
    observer_jsonl;

#endif
