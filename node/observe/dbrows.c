#include "node/observe/dbrows.h"

#include "base/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CURSOR_VERSION 1

int bad_year(struct bad_record *b, uint64_t line, const char *field, int64_t ms)
{
    /* The calendar repeats every 400 years of 146097 days; civil_from_days covers one such cycle safely. */
    const int64_t cycle_ms = 146097 * MS_DAY;
    int64_t cycles = ms / cycle_ms - (ms % cycle_ms < 0 ? 1 : 0);
    int year, month, day;
    civil_from_days((ms - cycles * cycle_ms) / MS_DAY, &year, &month, &day);
    return bad_row(b, line, field, "year %" PRId64 " is out of range", year + 400 * cycles);
}

/* The file of the database: `path` itself, or the first of the plan's names in the folder `path`. */
static int find(char out[LIMIT_PATH_BYTES], const char *path, const struct rows_plan *plan, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(e, errno, "cannot open '%s'", path);
    int n = snprintf(out, LIMIT_PATH_BYTES, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return n < (int)LIMIT_PATH_BYTES ? 0 : err_set(e, ERR_LIMIT, "the path is too long");
    for (size_t i = 0; plan->names[i]; i++) {
        n = snprintf(out, LIMIT_PATH_BYTES, "%s/%s", path, plan->names[i]);
        if (n < (int)LIMIT_PATH_BYTES && stat(out, &st) == 0)
            return 0;
    }
    if (plan->search && plan->search(out, path))
        return 0;
    return err_set(e, ERR_NOTFOUND, "no '%s' in the folder '%s'", plan->names[0], path);
}

static int check_tables(struct rows *r, const char *path, struct err *e)
{
    for (const char *const *need = r->plan->needs; *need; need += 2) {
        if (!foreign_has(r->db, need[0], NULL))
            return err_set(e, ERR_FORMAT, "no table '%s' in '%s': not %s", need[0], path, r->plan->what);
        if (!foreign_has(r->db, need[0], need[1]))
            return err_set(e, ERR_FORMAT, "no column '%s' in table '%s' of '%s': not %s", need[1], need[0],
                           path, r->plan->what);
    }
    return 0;
}

/* One integer; 0 when there is no row. */
static int ask(struct rows *r, const char *sql, int64_t param, size_t n_params, int64_t *out)
{
    int rc = foreign_query(r->db, sql, &param, n_params, NULL);
    if (!rc)
        rc = foreign_step(r->db, NULL);
    *out = rc == 1 ? foreign_int(r->db, 0) : 0;
    return rc < 0 ? rc : 0;
}

int rows_open(struct rows *r, const char *path, const struct rows_plan *plan, const struct observer_env *env,
              struct err *e)
{
    char found[LIMIT_PATH_BYTES];
    int rc = plan->names ? find(found, path, plan, e) : 0;
    if (rc)
        return rc;
    path = plan->names ? found : path;
    r->plan = plan;
    rc = foreign_open(&r->db, path, env->tmp_dir, e);
    if (!rc)
        rc = check_tables(r, path, e);
    if (rc)
        return rc;
    if (ask(r, plan->max_sql, 0, 0, &r->max))
        r->max = 0; /* damaged: the rows in front of the damage are still read */
    (void)snprintf(r->path, sizeof r->path, "%s", path);
    return 0;
}

/* The row that a cursor names, or 0. */
static void take_cursor(struct rows *r, struct bytes cursor)
{
    struct rd rd;
    rd_init(&rd, cursor);
    bool known = rd_u8(&rd) == CURSOR_VERSION;
    int64_t last = rd_svarint(&rd), mark = rd_svarint(&rd), now;
    if (rd_end(&rd) || !known || last <= 0)
        return;
    if (ask(r, r->plan->mark_sql, last, 1, &now) || now != mark)
        return;
    r->last = last;
    r->mark = mark;
}

int rows_start(struct rows *r, const char *sql, struct bytes cursor, struct err *e)
{
    take_cursor(r, cursor);
    r->first = r->last > r->plan->again ? r->last - r->plan->again : 0;
    /* Row numbers may be negative in principle; no program here makes such rows. */
    int rc = foreign_query(r->db, sql, &r->first, 1, e);
    return rc ? err_wrap(e, rc, "'%s'", r->path) : 0;
}

int rows_step(struct rows *r, struct err *e)
{
    int rc = foreign_step(r->db, e);
    if (rc < 0)
        return err_wrap(e, rc, "'%s', behind row %lld", r->path, (long long)r->last);
    if (rc == 1) {
        r->last = foreign_int(r->db, 0);
        r->mark = foreign_int(r->db, 1);
    }
    return rc;
}

int rows_cursor(const struct rows *r, struct buf *out)
{
    wr_u8(out, CURSOR_VERSION);
    wr_svarint(out, r->last);
    wr_svarint(out, r->mark);
    return out->err;
}

void rows_progress(const struct rows *r, uint64_t *done, uint64_t *total)
{
    *done = r->last > r->first ? (uint64_t)(r->last - r->first) : 0;
    *total = r->max > r->first ? (uint64_t)(r->max - r->first) : 0;
}

void rows_close(struct rows *r)
{
    foreign_close(r->db);
    r->db = NULL;
}

int rows_reader_cursor(struct reader *r, struct buf *out)
{
    return rows_cursor((const struct rows *)r, out);
}

void rows_reader_progress(const struct reader *r, uint64_t *done, uint64_t *total)
{
    rows_progress((const struct rows *)r, done, total);
}

const char *rows_reader_file(const struct reader *r)
{
    return ((const struct rows *)r)->path;
}

void rows_reader_close(struct reader *r)
{
    if (r)
        rows_close((struct rows *)r);
    free(r);
}
