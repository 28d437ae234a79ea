/* The history of Firefox: `places.sqlite` in the profile folder, also from Android (`places.sqlite` of
 * Fenix).
 *
 * moz_historyvisits.visit_date counts microseconds since 1970 on the desktop and milliseconds on Android.
 * Both are told apart by size: 10^14 is March 1973 in microseconds and the year 5138 in milliseconds, and no
 * Firefox is older than that.
 *
 * A visit is the user's reading unless
 *   - another device made it (is_local = 0, Android only),
 *   - it was embedded in or framed by a page (types 4 and 8),
 *   - its page only redirected to another one.
 *
 * Firefox gives the redirect types 5 and 6 to the page that was *reached*, which is the one that was read,
 * and hides the page that led there (moz_places.hidden): so hidden pages are left out, not these types.
 * Private windows never reach this file. Since Firefox may sync, these are shared events.
 */
#include "node/observe/dbrows.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MICROSECONDS_FROM INT64_C(100000000000000)
#define VISIT_EMBED 4
#define VISIT_FRAMED_LINK 8
/* Profiles looked at in one folder. */
#define PROFILES_MAX 256

struct reader {
    struct rows rows;
};
_Static_assert(offsetof(struct reader, rows) == 0, "what dbrows.h relies on");

static const char *const names[] = {"places.sqlite", NULL};
static const char *const defaults[] = {
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ".config/mozilla/firefox",
    NULL,
};
static const char *const needs[] = {"moz_historyvisits",
                                    "visit_date",
                                    "moz_historyvisits",
                                    "visit_type",
                                    "moz_historyvisits",
                                    "place_id",
                                    "moz_places",
                                    "title",
                                    NULL};

enum column { COL_ID, COL_TIME, COL_TYPE, COL_URL, COL_TITLE, COL_HIDDEN, COL_LOCAL };

#define SELECT(hidden, local)                                                                                \
    "SELECT v.id, v.visit_date, v.visit_type, p.url, p.title, " hidden ", " local                            \
    " FROM moz_historyvisits v LEFT JOIN moz_places p ON p.id = v.place_id WHERE v.id > ?1 ORDER BY v.id"

/* [has hidden][has is_local] */
static const char *const sql[2][2] = {
    {SELECT("0", "1"), SELECT("0", "v.is_local")},
    {SELECT("p.hidden", "1"), SELECT("p.hidden", "v.is_local")},
};

/* The time a profile was last used: of its database or of the log beside it. */
static bool profile_time(const char *file, struct timespec *out)
{
    char wal[LIMIT_PATH_BYTES + 8];
    struct stat st;
    if (stat(file, &st) < 0)
        return false;
    *out = st.st_mtim;
    (void)snprintf(wal, sizeof wal, "%s-wal", file);
    if (stat(wal, &st) == 0 && st.st_mtim.tv_sec > out->tv_sec)
        *out = st.st_mtim;
    return true;
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* The profile used last in a folder of profiles; false when there is none. */
static bool newest_profile(char out[LIMIT_PATH_BYTES], const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    bool found = false;
    struct timespec best = {0}, when;
    int looked = 0;
    for (struct dirent *d = readdir(dir); d && looked < PROFILES_MAX; d = readdir(dir)) {
        char file[LIMIT_PATH_BYTES];
        if (d->d_name[0] == '.')
            continue;
        looked++;
        int n = snprintf(file, sizeof file, "%s/%s/places.sqlite", folder, d->d_name);
        if (n >= (int)sizeof file || !profile_time(file, &when) || (found && !is_later(when, best)))
            continue;
        memcpy(out, file, sizeof file);
        best = when;
        found = true;
    }
    (void)closedir(dir);
    return found;
}

static const struct rows_plan plan = {
    .what = "a firefox history",
    .needs = needs,
    .mark_sql = "SELECT visit_date FROM moz_historyvisits WHERE id = ?1",
    .max_sql = "SELECT max(id) FROM moz_historyvisits",
    .names = names,
    .search = newest_profile,
};

static const char *select_sql(struct foreign *db)
{
    bool hidden = foreign_has(db, "moz_places", "hidden");
    bool local = foreign_has(db, "moz_historyvisits", "is_local");
    return sql[hidden][local];
}

static int firefox_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                        const struct observer_env *env, struct err *e)
{
    (void)fd;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "opening '%s'", path);
    int rc = rows_open(&r->rows, path, &plan, env, e);
    if (!rc)
        rc = rows_start(&r->rows, select_sql(r->rows.db), cursor, e);
    if (rc)
        rows_reader_close(r);
    else
        *out = r;
    return rc;
}

static bool is_read_by_user(struct foreign *db)
{
    int64_t type = foreign_int(db, COL_TYPE);
    return foreign_int(db, COL_LOCAL) != 0 && foreign_int(db, COL_HIDDEN) == 0 && type != VISIT_EMBED &&
           type != VISIT_FRAMED_LINK;
}

static int firefox_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    struct foreign *db = r->rows.db;
    int rc = rows_step(&r->rows, e);
    if (rc <= 0)
        return rc;
    uint64_t row = (uint64_t)r->rows.last;
    if (!is_read_by_user(db))
        return ROW_SKIPPED;
    if (foreign_is_null(db, COL_URL))
        return bad_row(b, row, "url", "visit of a page that is not in the history");
    int64_t when = foreign_int(db, COL_TIME);
    if (when == 0)
        return bad_row(b, row, "visit_date", "no time");
    int64_t ms = when >= MICROSECONDS_FROM || when <= -MICROSECONDS_FROM ? when / 1000 : when;
    if (ms < 0 || ms > LIMIT_TIME_MS_MAX)
        return bad_year(b, row, "visit_date", ms);
    *o = (struct observation){
        .time_ms = ms,
        .end_ms = TIME_NONE,
        .offset_min = OFFSET_UNKNOWN,
        .shared_event = true,
        .source = BYTES_LIT("firefox"),
        .app = BYTES_LIT("firefox"),
        .title = foreign_text(db, COL_TITLE),
        .url = foreign_text(db, COL_URL),
    };
    return ROW_OBSERVATION;
}

const struct observer observer_firefox = {
    .name = "firefox",
    .summary = "pages visited in Firefox",
    .path_hint = "places.sqlite or profile folder",
    .defaults = defaults,
    .open = firefox_open,
    .next = firefox_next,
    .cursor = rows_reader_cursor,
    .progress = rows_reader_progress,
    .close = rows_reader_close,
    .file = rows_reader_file,
};
