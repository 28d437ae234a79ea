/* Jobs. Every step opens one transaction, takes records until its time is up, saves the observer's cursor in
 * the same transaction and commits: what a step has answered is durable, and a job that is cut off is simply
 * run again. What the records mean is worked out once, in the last step, from the features that the store
 * marked as touched; a crash before that loses nothing, since the marks are in the database and the next
 * opening works them off (node.c).
 *
 * Three kinds of input share the loop: a reader of an observer; told lines; and either of them fed in pieces
 * (standard input), each piece wrapped into an anonymous file.
 */
#include "node/job.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/text.h"
#include "node/file.h"
#include "node/infer/queue.h"
#include "node/keep.h"
#include "node/model/tell.h"
#include "node/observe/lines.h"
#include "node/pause.h"
#include "node/pictures.h"
#include "node/share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORDS_PER_LOOK 16 /* records between two looks at the clock */
#define STEP_RECORDS_MAX 20000

enum job_phase { PHASE_READ, PHASE_INFER, PHASE_DONE };

struct job {
    struct node *n;
    const struct observer *observer; /* NULL: told lines */
    struct reader *reader;
    struct lines lines;
    struct teller teller;
    enum job_phase phase;
    bool fed, growing, more_coming; /* fed: more_coming until the last piece */
    bool input_failed;              /* the reader gave up: what it gave before stands */
    int piece_fd;
    uint64_t line_base; /* lines in the pieces before this one */
    int budget_ms;
    char path[LIMIT_PATH_BYTES];
    struct pauses pauses;
    int64_t first_row; /* of those that this step added; 0: none */
    int64_t seen_ms;   /* when this path was read before; TIME_NONE: never */
    bool put_off;      /* records were left to a later reading: the cursor stays where it was */
    struct job_counts counts;
    struct job_bad bad[JOB_BAD_KEPT];
    size_t n_bad;
    struct buf scratch; /* cursor, names of files */
    struct buf share;   /* the setting, as it was when the job began */
};

/* ---- opening ---------------------------------------------------------------------------------------------
 */

/* The first of the observer's usual places that exists. */
static int default_path(struct job *j, struct err *e)
{
    const char *home = getenv("HOME");
    const char *const *p = j->observer->defaults;
    for (; home != NULL && p != NULL && *p != NULL; p++) {
        if (path_join(home, *p, j->path, NULL) == 0 && access(j->path, R_OK) == 0) {
            return 0;
        }
    }
    (void)err_set(e, ERR_NOTFOUND, "no %s history found in the usual places", j->observer->name);
    err_hint(e, "name it: selfsame import %s PATH  (%s)", j->observer->name, j->observer->path_hint);
    return ERR_NOTFOUND;
}

/* What this device remembers of a path: "cursor", how far it was read; "seen", when. */
static int memory_name(const struct job *j, const char *what, char out[LIMIT_PATH_BYTES + 64], struct err *e)
{
    int n = snprintf(out, LIMIT_PATH_BYTES + 64, "%s:%s:%s", what, j->observer->name, j->path);
    return n > 0 && (size_t)n < LIMIT_PATH_BYTES + 64 ? 0 : err_set(e, ERR_LIMIT, "the path is too long");
}

static int seen_load(struct job *j, struct err *e)
{
    char name[LIMIT_PATH_BYTES + 64];
    bool found = false;
    j->seen_ms = TIME_NONE;
    buf_clear(&j->scratch);
    int rc = memory_name(j, "seen", name, e);
    if (rc == 0) {
        rc = local_get(j->n->store, name, &j->scratch, &found, e);
    }
    if (rc == 0 && found) {
        struct rd r;
        rd_init(&r, buf_view(&j->scratch));
        int64_t ms = (int64_t)rd_u64(&r);
        j->seen_ms = rd_end(&r) == 0 ? ms : TIME_NONE;
    }
    return rc;
}

static int reader_open(struct job *j, int fd, struct err *e)
{
    char name[LIMIT_PATH_BYTES + 64];
    struct observer_env env;
    bool found = false;
    int rc = j->fed ? 0 : seen_load(j, e);
    if (rc == 0) {
        rc = memory_name(j, "cursor", name, e);
    }
    buf_clear(&j->scratch);
    if (rc == 0 && !j->fed) {
        rc = local_get(j->n->store, name, &j->scratch, &found, e);
    }
    if (rc != 0) {
        return rc;
    }
    node_observer_env(j->n, &env);
    env.growing = j->growing;
    struct bytes cursor = found ? buf_view(&j->scratch) : BYTES_NONE;
    return j->observer->open(&j->reader, j->path, fd, cursor, &env, e);
}

/* Opens what is to be read: the file, or (fd >= 0) the piece that was fed. */
static int input_open(struct job *j, int fd, struct err *e)
{
    return j->observer != NULL ? reader_open(j, fd, e) : lines_open(&j->lines, j->path, fd, j->growing, e);
}

static void input_close(struct job *j)
{
    if (j->reader != NULL) {
        j->observer->close(j->reader);
        j->reader = NULL;
    }
    if (j->observer == NULL) {
        lines_close(&j->lines);
    }
    if (j->piece_fd >= 0) {
        (void)close(j->piece_fd);
        j->piece_fd = -1;
    }
}

static int source_find(struct job *j, const struct job_spec *spec, struct err *e)
{
    if (spec->tell) {
        return 0;
    }
    j->observer = spec->source != NULL ? observer_find(spec->source) : NULL;
    if (j->observer == NULL) {
        (void)err_set(e, ERR_USAGE, "unknown source '%s'", spec->source != NULL ? spec->source : "");
        err_hint(e, "list them with: selfsame import --list");
        return ERR_USAGE;
    }
    if (j->fed && !j->observer->reads_stdin) {
        return err_set(e, ERR_USAGE, "'%s' cannot be read from standard input", j->observer->name);
    }
    return 0;
}

static int path_take(struct job *j, const struct job_spec *spec, struct err *e)
{
    if (spec->path == NULL && j->observer != NULL) {
        return default_path(j, e);
    }
    if (spec->path == NULL || spec->path[0] == '\0') {
        return err_set(e, ERR_USAGE, "no file given");
    }
    if (strlen(spec->path) >= sizeof(j->path)) {
        return err_set(e, ERR_LIMIT, "the path is too long");
    }
    memcpy(j->path, spec->path, strlen(spec->path) + 1);
    return 0;
}

int job_open(struct job **out, struct node *n, const struct job_spec *spec, struct err *e)
{
    struct job *j = calloc(1, sizeof(*j));
    if (j == NULL) {
        return err_set(e, ERR_NOMEM, "starting the job");
    }
    j->n = n;
    j->lines.fd = -1;
    j->piece_fd = -1;
    j->seen_ms = TIME_NONE;
    j->fed = spec->path != NULL && strcmp(spec->path, "-") == 0;
    j->more_coming = j->fed;
    j->growing = spec->growing;
    j->budget_ms = spec->budget_ms;
    buf_init(&j->share, LIMIT_SETTING_BYTES);
    buf_init(&j->scratch, LIMIT_OBSERVATION_BYTES + LIMIT_OBSERVATION_FILES * LIMIT_PATH_BYTES);
    int rc = source_find(j, spec, e);
    if (rc == 0) {
        rc = path_take(j, spec, e);
    }
    if (rc == 0) {
        rc = share_load(n->store, &j->share, e);
    }
    if (rc == 0) {
        rc = teller_init(&j->teller, n->store, n->audit, e);
        j->teller.claim_secret = node_claim_secret(n);
        j->teller.rng = &n->rng;
        j->teller.now_ms = clock_wall_ms(&n->clock);
    }
    if (rc == 0 && !j->fed) {
        rc = input_open(j, -1, e);
    }
    if (rc != 0) {
        job_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

void job_close(struct job *j)
{
    if (j == NULL) {
        return;
    }
    input_close(j);
    teller_release(&j->teller);
    buf_release(&j->scratch);
    buf_release(&j->share);
    free(j);
}

/* ---- one record ------------------------------------------------------------------------------------------
 */

static void bad_note(struct job *j, const struct bad_record *b)
{
    j->counts.bad++;
    if (j->n_bad == JOB_BAD_KEPT) {
        return;
    }
    struct job_bad *kept = &j->bad[j->n_bad++];
    struct bytes path = utf8_cut(bytes_str(j->path), sizeof(kept->path) - 1);
    memcpy(kept->path, path.p, path.n);
    kept->path[path.n] = '\0';
    kept->record = *b;
    if (b->line > 0) {
        kept->record.line += j->line_base;
    }
}

/* A record without a time is as old as the time between two readings of its file allows: when there was a
 * pause in between, it may be from it. It is then withheld for good, by its key, since the next reading may
 * start from the beginning of the file. A file that was never read before is older than the pause that runs:
 * it waits. */
static int untimed_withheld(struct job *j, const struct observation *o, bool *out, struct err *e)
{
    char name[sizeof("withheld:") + 32];
    uint8_t key[16];
    struct buf mark;
    int rc = event_key(secret_view(&j->n->home.keys.event), o, key);
    if (rc != 0) {
        return err_set(e, rc, "keying an observation");
    }
    int at = snprintf(name, sizeof(name), "withheld:");
    for (size_t i = 0; i < sizeof(key); i++) {
        at += snprintf(name + at, sizeof(name) - (size_t)at, "%02x", key[i]);
    }
    int64_t now = j->teller.now_ms;
    *out = pauses_meet(&j->pauses, j->seen_ms != TIME_NONE ? j->seen_ms : now, now);
    if (*out && j->seen_ms == TIME_NONE) {
        j->put_off = true;
        return 0;
    }
    if (*out) {
        return local_set(j->n->store, name, BYTES_LIT("1"), e);
    }
    buf_init(&mark, 8);
    rc = local_get(j->n->store, name, &mark, out, e);
    buf_release(&mark);
    return rc;
}

/* Was it made during a pause? What a calendar plans was not made at the time that it is planned for. */
static int paused_check(struct job *j, const struct observation *o, bool untimed, bool *out, struct err *e)
{
    if (untimed) {
        return untimed_withheld(j, o, out, e);
    }
    *out = !j->observer->plans && pauses_at(&j->pauses, o->time_ms) != 0;
    return 0;
}

/* True, and counted, when it was made during a pause. */
static int paused_drop(struct job *j, const struct observation *o, bool untimed, bool *out, struct err *e)
{
    int rc = paused_check(j, o, untimed, out, e);
    if (rc != 0 || *out) {
        j->counts.dropped++;
        audit_note(j->n->audit, "paused", o->source, o->time_ms);
    }
    return rc;
}

/* Audit, then store, then index. */
static int observation_take(struct job *j, struct observation *o, struct err *e)
{
    struct keeping k;
    bool untimed = o->time_ms == TIME_NONE;
    bool paused = false;
    o->time_ms = untimed ? j->teller.now_ms : o->time_ms;
    keep_offset(j->n, o);
    int rc = paused_drop(j, o, untimed, &paused, e);
    if (rc != 0 || paused) {
        return rc;
    }
    rc = keep(j->n, o, NULL, &j->scratch, &k, e);
    if (rc != 0) {
        return rc;
    }
    j->counts.redacted += k.redacted ? 1 : 0;
    j->counts.dropped += k.how == KEPT_DROPPED ? 1 : 0;
    j->counts.added += k.how == KEPT_FRESH ? 1 : 0;
    j->counts.known += k.how == KEPT_KNOWN ? 1 : 0;
    if (k.how != KEPT_FRESH) {
        return 0;
    }
    if (j->first_row == 0 || k.stored.row < j->first_row) {
        j->first_row = k.stored.row;
    }
    /* A source that shares nothing is not learnt from (node/share.h). */
    bool learn = share_level_of(buf_view(&j->share), k.stored.source) != SHARE_NOTHING;
    return learn ? infer_observe(j->n->infer, &k.stored, e) : 0;
}

/* A picture is no observation yet: it waits for a model to describe it. */
static int picture_take(struct job *j, struct observation *o, struct err *e)
{
    enum picture_fate fate = PICTURE_DROPPED;
    bool paused = false;
    keep_offset(j->n, o);
    int rc = paused_drop(j, o, false, &paused, e);
    if (rc != 0 || paused) {
        return rc;
    }
    rc = pictures_add(j->n, o, &fate, e);
    j->counts.waiting += fate == PICTURE_WAITS ? 1 : 0;
    j->counts.known += fate == PICTURE_KNOWN ? 1 : 0;
    j->counts.dropped += fate == PICTURE_DROPPED ? 1 : 0;
    return rc;
}

/* A reader gave up, and not because memory is short: what is wrong is what it reads. */
static bool input_at_fault(int row)
{
    return row < 0 && row != ERR_NOMEM;
}

/* 1: a record was taken (or refused); 0: nothing more for now. */
static int observation_next(struct job *j, struct err *e)
{
    struct observation o;
    struct bad_record bad = {0};
    int row = j->observer->next(j->reader, &o, &bad, e);
    j->input_failed = input_at_fault(row);
    if (row <= 0) {
        return row;
    }
    j->counts.read++;
    if (row == ROW_BAD) {
        bad_note(j, &bad);
        return 1;
    }
    if (row == ROW_SKIPPED) {
        j->counts.skipped++;
        return 1;
    }
    int rc = row == ROW_PICTURE ? picture_take(j, &o, e) : observation_take(j, &o, e);
    return rc != 0 ? rc : 1;
}

/* ---- told lines ------------------------------------------------------------------------------------------
 */

static void bad_line(struct job *j, uint64_t no, const char *field, const char *reason)
{
    struct bad_record b = {.line = no};
    (void)snprintf(b.field, sizeof(b.field), "%s", field);
    (void)snprintf(b.reason, sizeof(b.reason), "%s", reason);
    bad_note(j, &b);
}

static int told_take(struct job *j, const struct told_line *told, uint64_t no, struct err *e)
{
    struct id id;
    enum tell_outcome outcome;
    int rc = tell(&j->teller, &told->told, &id, &outcome, e);
    if (rc != 0 && (err_class(rc) == ERR_CLASS_REJECT || rc == ERR_USAGE)) {
        bad_line(j, no, "text", e->text);
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    j->counts.added += outcome == TELL_NEW ? 1 : 0;
    j->counts.props.added += outcome == TELL_NEW ? 1 : 0;
    j->counts.props.raised += outcome == TELL_CHANGED ? 1 : 0;
    j->counts.known += outcome == TELL_KNOWN ? 1 : 0;
    return 0;
}

static int told_next(struct job *j, struct err *e)
{
    struct line line;
    struct told_line told;
    char field[64];
    int row = lines_next(&j->lines, &line, e);
    j->input_failed = input_at_fault(row);
    if (row <= 0) {
        return row;
    }
    j->counts.read++;
    if (row == LINE_LONG) {
        bad_line(j, line.no, "", "the line is too long");
        return 1;
    }
    int rc = tell_line_parse(line.text, &told, field, e);
    if (rc == ERR_NOMEM) {
        tell_line_free(&told);
        return rc;
    }
    if (rc != 0) {
        bad_line(j, line.no, field, e->text);
        rc = 0;
    } else if (told.told.text.p != NULL) {
        rc = told_take(j, &told, line.no, e);
    } else {
        j->counts.read--; /* an empty line is no record */
    }
    tell_line_free(&told);
    return rc != 0 ? rc : 1;
}

/* ---- a step ----------------------------------------------------------------------------------------------
 */

static void progress_take(struct job *j)
{
    if (j->fed) {
        return; /* counted by job_feed */
    }
    if (j->reader != NULL) {
        j->observer->progress(j->reader, &j->counts.bytes, &j->counts.bytes_total);
    } else if (j->observer == NULL) {
        lines_progress(&j->lines, &j->counts.bytes, &j->counts.bytes_total);
    }
}

/* Reads until the time is up (1) or the input ends (0). */
static int records_take(struct job *j, struct err *e)
{
    int64_t until = clock_mono_ms(&j->n->clock) + j->budget_ms;
    for (unsigned i = 1;; i++) {
        int rc = j->observer != NULL ? observation_next(j, e) : told_next(j, e);
        if (rc <= 0) {
            return rc;
        }
        if (i % RECORDS_PER_LOOK == 0 && (i >= STEP_RECORDS_MAX || clock_mono_ms(&j->n->clock) >= until)) {
            return 1;
        }
    }
}

static int cursor_save(struct job *j, struct err *e)
{
    char name[LIMIT_PATH_BYTES + 64];
    if (j->fed || j->reader == NULL) {
        return 0;
    }
    buf_clear(&j->scratch);
    int rc = j->observer->cursor(j->reader, &j->scratch);
    if (rc != 0) {
        return err_set(e, rc, "saving the cursor");
    }
    rc = memory_name(j, "cursor", name, e);
    return rc != 0 ? rc : local_set(j->n->store, name, buf_view(&j->scratch), e);
}

/* The next reading finds what was written after this one began. */
static int seen_save(struct job *j, struct err *e)
{
    char name[LIMIT_PATH_BYTES + 64];
    if (j->fed || j->reader == NULL) {
        return 0;
    }
    buf_clear(&j->scratch);
    wr_u64(&j->scratch, (uint64_t)j->teller.now_ms);
    int rc = memory_name(j, "seen", name, e);
    return rc != 0 ? rc : local_set(j->n->store, name, buf_view(&j->scratch), e);
}

/* Settings that may have changed since the last step. */
static int step_prepare(struct job *j, struct err *e)
{
    j->teller.audit = j->n->audit;
    j->first_row = 0;
    return pauses_load(j->n->store, &j->pauses, e);
}

/* The body of a step inside its transaction: 1 more, 0 this phase is over, negative. */
static int step_body(struct job *j, struct err *e)
{
    if (j->phase == PHASE_INFER) {
        int rc = infer_flush(j->n->infer, &j->counts.props, e);
        return rc != 0 ? rc : share_publish(j->n, e);
    }
    int more = step_prepare(j, e);
    more = more == 0 ? records_take(j, e) : more;
    if (more < 0 && (!j->input_failed || j->counts.read == 0)) {
        bool named = e == NULL || !j->input_failed || strstr(e->text, j->path) != NULL;
        return named ? more : err_wrap(e, more, "'%s'", j->path);
    }
    if (more < 0) { /* a file that is damaged in the middle */
        bad_line(j, 0, "", e->text);
        *e = ERR_INIT;
        more = 0;
    }
    int rc = keep_decisions(j->n, e);
    if (rc == 0 && j->first_row != 0) {
        rc = queue_added(j->n->store, j->first_row, e);
    }
    if (rc == 0 && !j->put_off) {
        rc = cursor_save(j, e);
    }
    if (rc == 0 && more == 0 && !j->put_off) {
        rc = seen_save(j, e);
    }
    return rc != 0 ? rc : more;
}

static int step_transaction(struct job *j, struct err *e)
{
    int rc = store_begin(j->n->store, e);
    if (rc != 0) {
        return rc;
    }
    int more = step_body(j, e);
    if (more < 0) {
        store_rollback(j->n->store);
    } else {
        rc = store_commit(j->n->store, e);
    }
    audit_counts_clear(j->n->audit); /* saved, or undone with the rest */
    if (more < 0) {
        return more;
    }
    return rc != 0 ? rc : more;
}

/* Reading steps commit in bulk: a power cut may take the last of them back as a whole, cursor included. The
 * last step, which says that the job is done, makes all of them durable. */
static int step_commit(struct job *j, struct err *e)
{
    if (j->phase == PHASE_INFER) {
        return step_transaction(j, e);
    }
    int rc = store_bulk(j->n->store, true, e);
    int more = rc == 0 ? step_transaction(j, e) : rc;
    rc = store_bulk(j->n->store, false, more < 0 ? NULL : e);
    return more < 0 || rc == 0 ? more : rc;
}

int job_step(struct job *j, struct err *e)
{
    if (j->phase == PHASE_DONE) {
        return 0;
    }
    if (j->more_coming) {
        return 1; /* fed jobs read in job_feed() */
    }
    int rc = node_may_write(j->n, e);
    if (rc != 0) {
        return rc;
    }
    int more = step_commit(j, e);
    progress_take(j);
    if (more != 0) {
        return more;
    }
    input_close(j);
    j->phase = j->phase == PHASE_READ ? PHASE_INFER : PHASE_DONE;
    j->n->wrote = j->n->wrote || j->phase == PHASE_DONE;
    return j->phase == PHASE_DONE ? 0 : 1;
}

/* ---- feeding ---------------------------------------------------------------------------------------------
 */

static int piece_make(struct bytes data, int *fd, struct err *e)
{
    *fd = memfd_create("selfsame-piece", MFD_CLOEXEC);
    if (*fd < 0) {
        return err_errno(e, errno, "cannot hold the input");
    }
    while (data.n > 0) {
        ssize_t n = write(*fd, data.p, data.n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(e, errno, "cannot hold the input");
        }
        data = bytes_slice(data, (size_t)n, SIZE_MAX);
    }
    return lseek(*fd, 0, SEEK_SET) < 0 ? err_errno(e, errno, "cannot hold the input") : 0;
}

static uint64_t lines_count(struct bytes b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b.n; i++) {
        n += b.p[i] == '\n' ? 1 : 0;
    }
    return n;
}

int job_feed(struct job *j, struct bytes data, bool last, struct err *e)
{
    if (!j->fed || !j->more_coming) {
        return err_set(e, ERR_USAGE, "this job takes no input");
    }
    int rc = 0;
    if (data.n > 0) {
        rc = piece_make(data, &j->piece_fd, e);
        if (rc == 0) {
            rc = input_open(j, j->piece_fd, e);
        }
        int more = rc == 0 ? 1 : rc;
        while (more > 0) {
            more = step_commit(j, e);
        }
        input_close(j);
        rc = more;
        j->counts.bytes += data.n;
        j->line_base += lines_count(data);
    }
    if (last) {
        j->more_coming = false;
        j->phase = PHASE_INFER;
    }
    return rc;
}

const struct job_counts *job_counts(const struct job *j)
{
    return &j->counts;
}

size_t job_bad_count(const struct job *j)
{
    return j->n_bad;
}

const struct job_bad *job_bad_at(const struct job *j, size_t i)
{
    CHECK(i < j->n_bad);
    return &j->bad[i];
}

const char *job_path(const struct job *j)
{
    return j->path;
}

const char *job_file(const struct job *j)
{
    bool asks = j->reader != NULL && j->observer->file != NULL;
    return asks ? j->observer->file(j->reader) : j->path;
}
