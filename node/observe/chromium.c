/* The history of Chromium and its relatives (Chrome, Brave, Edge, Vivaldi, Opera): a file `History` in the
 * profile folder.
 *
 * visits.visit_time counts microseconds since 1601-01-01 UTC. A visit is the user's reading unless
 *   - another device made it (originator_cache_guid is set; in older files visit_source says 0, "synced"),
 *   - a frame inside a page made it (core transition 3 and 4),
 *   - it is a step of a redirect that led on (a chain goes from CHAIN_START to CHAIN_END; only its end was
 *     shown).
 *
 * Pages opened in incognito windows never reach this file. Since the browser may sync, the same visit can
 * reach us from another device: these are shared events.
 */
#include "node/observe/dbrows.h"

#include <stddef.h>
#include <stdlib.h>

#define EPOCH_1601_MS INT64_C(11644473600000)
#define TRANSITION_CORE 0xff
#define TRANSITION_AUTO_SUBFRAME 3
#define TRANSITION_MANUAL_SUBFRAME 4
#define TRANSITION_CHAIN_END INT64_C(0x20000000)
/* CHAIN_START, CLIENT_REDIRECT, SERVER_REDIRECT */
#define TRANSITION_IN_CHAIN INT64_C(0xd0000000)
#define VISIT_SOURCE_SYNCED 0
/* A tab left open for longer says nothing about reading. */
#define VISIT_MS_MAX MS_DAY

struct reader {
    struct rows rows;
};
_Static_assert(offsetof(struct reader, rows) == 0, "what dbrows.h relies on");

static const char *const names[] = {"History", "Default/History", NULL};
static const char *const defaults[] = {
    ".config/chromium/Default/History",
    ".config/google-chrome/Default/History",
    ".config/BraveSoftware/Brave-Browser/Default/History",
    ".config/microsoft-edge/Default/History",
    ".config/vivaldi/Default/History",
    "snap/chromium/common/chromium/Default/History",
    ".var/app/org.chromium.Chromium/config/chromium/Default/History",
    NULL,
};
static const char *const needs[] = {"visits",         "visit_time", "visits", "transition", "visits",
                                    "visit_duration", "urls",       "title",  NULL};
static const struct rows_plan plan = {
    .what = "a chromium history",
    .needs = needs,
    .mark_sql = "SELECT visit_time FROM visits WHERE id = ?1",
    .max_sql = "SELECT max(id) FROM visits",
    .names = names,
};

enum column { COL_ID, COL_TIME, COL_DURATION, COL_TRANSITION, COL_URL, COL_TITLE, COL_ORIGIN, COL_SOURCE };

#define SELECT(origin, source, join)                                                                         \
    "SELECT v.id, v.visit_time, v.visit_duration, v.transition, u.url, u.title, " origin ", " source         \
    " FROM visits v LEFT JOIN urls u ON u.id = v.url " join " WHERE v.id > ?1 ORDER BY v.id"

/* [has originator_cache_guid][has visit_source] */
static const char *const sql[2][2] = {
    {SELECT("NULL", "NULL", ""), SELECT("NULL", "s.source", "LEFT JOIN visit_source s ON s.id = v.id")},
    {SELECT("v.originator_cache_guid", "NULL", ""),
     SELECT("v.originator_cache_guid", "s.source", "LEFT JOIN visit_source s ON s.id = v.id")},
};

static const char *select_sql(struct foreign *db)
{
    bool guid = foreign_has(db, "visits", "originator_cache_guid");
    bool source = foreign_has(db, "visit_source", "source");
    return sql[guid][source];
}

static int chromium_open(struct reader **out, const char *path, int fd, struct bytes cursor,
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
    int64_t transition = foreign_int(db, COL_TRANSITION);
    int64_t core = transition & TRANSITION_CORE;
    if (foreign_text(db, COL_ORIGIN).n > 0)
        return false;
    if (!foreign_is_null(db, COL_SOURCE) && foreign_int(db, COL_SOURCE) == VISIT_SOURCE_SYNCED)
        return false;
    if (core == TRANSITION_AUTO_SUBFRAME || core == TRANSITION_MANUAL_SUBFRAME)
        return false;
    return (transition & TRANSITION_CHAIN_END) || !(transition & TRANSITION_IN_CHAIN);
}

static int chromium_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
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
    int64_t ms = foreign_int(db, COL_TIME) / 1000 - EPOCH_1601_MS;
    if (ms < 0 || ms > LIMIT_TIME_MS_MAX)
        return bad_year(b, row, "visit_time", ms);
    int64_t spent = foreign_int(db, COL_DURATION) / 1000;
    *o = (struct observation){
        .time_ms = ms,
        .end_ms = spent > 0 && spent <= VISIT_MS_MAX ? ms + spent : TIME_NONE,
        .offset_min = OFFSET_UNKNOWN,
        .shared_event = true,
        .source = BYTES_LIT("chromium"),
        .app = BYTES_LIT("chromium"),
        .title = foreign_text(db, COL_TITLE),
        .url = foreign_text(db, COL_URL),
    };
    return ROW_OBSERVATION;
}

const struct observer observer_chromium = {
    .name = "chromium",
    .summary = "pages visited in Chromium, Chrome, Brave, Edge or Vivaldi",
    .path_hint = "History file or profile folder",
    .defaults = defaults,
    .open = chromium_open,
    .next = chromium_next,
    .cursor = rows_reader_cursor,
    .progress = rows_reader_progress,
    .close = rows_reader_close,
    .file = rows_reader_file,
};
