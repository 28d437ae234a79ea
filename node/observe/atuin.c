/* Commands from atuin's database (`history.db`): shell history that atuin records and may sync between
 * devices.
 *
 * timestamp counts nanoseconds since 1970 (in a column declared as text), duration is nanoseconds and -1
 * while the command runs, deleted_at is set on rows that the user deleted. Newer databases say who typed:
 * author_kind 2, or, when that is not known, an author that is a known agent. Such commands are not the
 * user's. When the database holds commands of more than one host it is synced, and its rows are shared
 * events; else only this device saw them.
 *
 * A command that is still running has neither end nor exit status; it stays so in the model (its key does not
 * change).
 */
#include "node/observe/dbrows.h"
#include "node/observe/json_stream.h"

#include <stddef.h>
#include <stdlib.h>

#define AUTHOR_AGENT 2
#define NS_PER_MS 1000000

struct reader {
    struct rows rows;
    bool synced;
    struct json_members members;
    struct buf data;
};
_Static_assert(offsetof(struct reader, rows) == 0, "what dbrows.h relies on");

static const char *const names[] = {"history.db", NULL};
static const char *const defaults[] = {".local/share/atuin/history.db", NULL};
static const char *const needs[] = {"history", "timestamp", "history", "duration", "history", "exit",
                                    "history", "command",   "history", "cwd",      NULL};
static const struct rows_plan plan = {
    .what = "an atuin history",
    .needs = needs,
    .mark_sql = "SELECT timestamp FROM history WHERE rowid = ?1",
    .max_sql = "SELECT max(rowid) FROM history",
    .names = names,
};

enum column {
    COL_ROW,
    COL_TIME,
    COL_DURATION,
    COL_EXIT,
    COL_COMMAND,
    COL_CWD,
    COL_ID,
    COL_SESSION,
    COL_HOST,
    COL_DELETED,
    COL_KIND,
    COL_AUTHOR,
    COL_SHELL,
};

/* Columns that came with later versions; the first one that is missing ends the list, as they were added in
 * order. */
static const char *const later[] = {"deleted_at", "author", "shell", "author_kind"};
#define SELECT(deleted, kind, author, shell)                                                                 \
    "SELECT rowid, timestamp, duration, exit, command, cwd, id, session, hostname, " deleted ", " kind       \
    ", " author ", " shell " FROM history WHERE rowid > ?1 ORDER BY rowid"
static const char *const sql[] = {
    SELECT("NULL", "NULL", "NULL", "NULL"),
    SELECT("deleted_at", "NULL", "NULL", "NULL"),
    SELECT("deleted_at", "NULL", "author", "NULL"),
    SELECT("deleted_at", "NULL", "author", "shell"),
    SELECT("deleted_at", "author_kind", "author", "shell"),
};

static void atuin_close(struct reader *r)
{
    if (!r)
        return;
    json_members_release(&r->members);
    buf_release(&r->data);
    rows_reader_close(r);
}

static bool has_two_hosts(struct foreign *db)
{
    if (foreign_query(db, "SELECT count(*) FROM (SELECT DISTINCT hostname FROM history LIMIT 2)", NULL, 0,
                      NULL) ||
        foreign_step(db, NULL) != 1)
        return false;
    return foreign_int(db, 0) > 1;
}

static const char *select_sql(struct foreign *db)
{
    size_t columns = 0;
    while (columns < sizeof later / sizeof *later && foreign_has(db, "history", later[columns]))
        columns++;
    return sql[columns];
}

static int atuin_open(struct reader **out, const char *path, int fd, struct bytes cursor,
                      const struct observer_env *env, struct err *e)
{
    (void)fd;
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "opening '%s'", path);
    json_members_init(&r->members, LIMIT_OBSERVATION_BYTES);
    buf_init(&r->data, LIMIT_OBSERVATION_BYTES);
    int rc = rows_open(&r->rows, path, &plan, env, e);
    if (!rc) {
        r->synced = has_two_hosts(r->rows.db);
        rc = rows_start(&r->rows, select_sql(r->rows.db), cursor, e);
    }
    if (rc)
        atuin_close(r);
    else
        *out = r;
    return rc;
}

static bool is_agent(struct foreign *db)
{
    static const char *const agents[] = {"claude-code", "codex", "copilot", "opencode", "pi"};
    if (!foreign_is_null(db, COL_KIND))
        return foreign_int(db, COL_KIND) == AUTHOR_AGENT;
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++) {
        if (bytes_eq(foreign_text(db, COL_AUTHOR), bytes_str(agents[i])))
            return true;
    }
    return false;
}

static void add_text(struct reader *r, const char *key, int column)
{
    struct bytes text = foreign_text(r->rows.db, column);
    if (text.n > 0 && text.n <= LIMIT_NAME_BYTES && !json_members_add(&r->members, bytes_str(key)))
        (void)json_put_string(&r->members.text, text);
}

static void add_number(struct reader *r, const char *key, int64_t value)
{
    if (!json_members_add(&r->members, bytes_str(key)))
        (void)buf_printf(&r->members.text, "%lld", (long long)value);
}

/* {"duration_ms":…,"exit":…,"host":…,"session":…,"shell":…} */
static int put_data(struct reader *r, int64_t duration_ns)
{
    json_members_clear(&r->members);
    buf_clear(&r->data);
    if (duration_ns >= 0) {
        add_number(r, "duration_ms", duration_ns / NS_PER_MS);
        add_number(r, "exit", foreign_int(r->rows.db, COL_EXIT));
    }
    add_text(r, "host", COL_HOST);
    add_text(r, "session", COL_SESSION);
    add_text(r, "shell", COL_SHELL);
    return json_members_end(&r->members, &r->data);
}

/* When a command that took so long ended; TIME_NONE while it runs, or when that is nonsense. */
static int64_t end_of(int64_t ms, int64_t duration_ns)
{
    int64_t end = ms + duration_ns / NS_PER_MS;
    return duration_ns > 0 && end <= LIMIT_TIME_MS_MAX ? end : TIME_NONE;
}

static int atuin_next(struct reader *r, struct observation *o, struct bad_record *b, struct err *e)
{
    struct foreign *db = r->rows.db;
    int rc = rows_step(&r->rows, e);
    if (rc <= 0)
        return rc;
    uint64_t row = (uint64_t)r->rows.last;
    if (!foreign_is_null(db, COL_DELETED) || is_agent(db))
        return ROW_SKIPPED;
    int64_t ms = foreign_int(db, COL_TIME) / NS_PER_MS;
    int64_t duration = foreign_int(db, COL_DURATION);
    if (ms == 0)
        return bad_row(b, row, "timestamp", "no time");
    if (ms < 0 || ms > LIMIT_TIME_MS_MAX)
        return bad_year(b, row, "timestamp", ms);
    if (foreign_text(db, COL_COMMAND).n == 0)
        return bad_row(b, row, "command", "empty");
    rc = put_data(r, duration);
    if (rc)
        return err_set(e, rc, "'%s', row %llu", r->rows.path, (unsigned long long)row);
    *o = (struct observation){
        .time_ms = ms,
        .end_ms = end_of(ms, duration),
        .offset_min = OFFSET_UNKNOWN,
        .shared_event = r->synced,
        .source = BYTES_LIT("atuin"),
        .command = foreign_text(db, COL_COMMAND),
        .cwd = foreign_text(db, COL_CWD),
        .id = bytes_slice(foreign_text(db, COL_ID), 0, LIMIT_NAME_BYTES),
        .data = buf_view(&r->data),
    };
    return ROW_OBSERVATION;
}

const struct observer observer_atuin = {
    .name = "atuin",
    .summary = "commands recorded by atuin",
    .path_hint = "history.db",
    .defaults = defaults,
    .open = atuin_open,
    .next = atuin_next,
    .cursor = rows_reader_cursor,
    .progress = rows_reader_progress,
    .close = atuin_close,
    .file = rows_reader_file,
};
