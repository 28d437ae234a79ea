/* Jobs: import, and tell --file. The job runs in bounded steps on the other side; here they are asked for one
 * after another, so that progress can be shown and Ctrl-C leaves between two steps, with everything kept that
 * a step has answered for.
 *
 * Standard input is sent in pieces that end with a line. A line that is longer than any that is accepted is
 * sent as its beginning only, which the other side reports as too long; a NUL cannot travel in a JSON text
 * and is replaced by a byte that makes its line a bad one.
 */
#include "cli/run.h"

#include "base/check.h"
#include "cli/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES (256u << 10)
#define PROGRESS_AFTER_MS 250
#define PROGRESS_EVERY_MS 100

/* ---- progress --------------------------------------------------------------------------------------------
 */

struct progress {
    bool on, drawn;
    int64_t next_ms;
    const char *what;
};

static int64_t mono_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void progress_start(struct progress *g, const struct run *r, const char *what)
{
    const char *term = getenv("TERM");
    *g = (struct progress){.what = what, .next_ms = mono_ms() + PROGRESS_AFTER_MS};
    g->on =
        !r->quiet && !r->json && isatty(STDERR_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

static void progress_draw(struct progress *g, const cJSON *answer)
{
    char digits[TIME_TEXT];
    double total = doc_number(answer, "bytes_total");
    if (!g->on || mono_ms() < g->next_ms) {
        return;
    }
    number_print(doc_number(answer, "read"), digits);
    if (total > 0) {
        double part = doc_number(answer, "bytes") / total;
        (void)fprintf(stderr, "\r\033[K%s: %.0f %%, %s records", g->what, 100 * (part > 1 ? 1 : part),
                      digits);
    } else {
        (void)fprintf(stderr, "\r\033[K%s: %s records", g->what, digits);
    }
    (void)fflush(stderr);
    g->drawn = true;
    g->next_ms = mono_ms() + PROGRESS_EVERY_MS;
}

static void progress_end(struct progress *g)
{
    if (g->drawn) {
        (void)fputs("\r\033[K", stderr);
        g->drawn = false;
    }
}

/* ---- standard input --------------------------------------------------------------------------------------
 */

struct input {
    char *p;
    size_t n, cap; /* what was read and not sent yet */
    bool end;      /* nothing more comes */
    bool skipping; /* inside a line that is too long */
    char for_nul;  /* what a NUL becomes */
    char *out;     /* the piece, with a NUL behind it */
};

static void input_init(struct input *in, char for_nul)
{
    *in = (struct input){.cap = LIMIT_LINE_BYTES + 2 * PIECE_BYTES, .for_nul = for_nul};
    in->p = malloc(in->cap);
    in->out = malloc(in->cap + 2);
    CHECK(in->p != NULL && in->out != NULL);
}

static void input_release(struct input *in)
{
    free(in->p);
    free(in->out);
}

/* What is left of a line that was given up, up to and with its end, is thrown away. */
static void input_skip(struct input *in)
{
    char *end = memchr(in->p, '\n', in->n);
    size_t gone = end != NULL ? (size_t)(end - in->p) + 1 : in->n;
    in->skipping = end == NULL;
    in->n -= gone;
    memmove(in->p, in->p + gone, in->n);
}

/* Reads once. 0, or a negative error; ERR_CANCELLED after Ctrl-C. */
static int input_read(struct input *in, struct err *e)
{
    size_t room = in->cap - in->n;
    ssize_t n = read(STDIN_FILENO, in->p + in->n, room < PIECE_BYTES ? room : PIECE_BYTES);
    if (n < 0 && errno == EINTR) {
        return interrupted() ? ERR_CANCELLED : 0;
    }
    if (n < 0) {
        return err_errno(e, errno, "cannot read standard input");
    }
    for (ssize_t i = 0; i < n; i++) {
        char *c = in->p + in->n + i;
        *c = *c == '\0' ? in->for_nul : *c;
    }
    in->end = n == 0;
    in->n += (size_t)n;
    if (in->skipping) {
        input_skip(in);
    }
    return 0;
}

/* How much of what is there makes a piece; 0 when more must be read first. */
static size_t input_cut(const struct input *in)
{
    if (in->end) {
        return in->n;
    }
    const char *last = in->n >= PIECE_BYTES || isatty(STDIN_FILENO) == 1 ? memrchr(in->p, '\n', in->n) : NULL;
    return last != NULL ? (size_t)(last - in->p) + 1 : 0;
}

/* The next piece as a C string, or NULL with *rc: 0 at the end of the input. */
static const char *input_piece(struct input *in, int *rc, struct err *e)
{
    *rc = 0;
    for (;;) {
        size_t n = input_cut(in);
        bool too_long = n == 0 && in->n > LIMIT_LINE_BYTES + 1;
        if (too_long) {
            n = in->n;
        }
        if (n > 0) {
            memcpy(in->out, in->p, n);
            in->n -= n;
            memmove(in->p, in->p + n, in->n);
            if (too_long) {
                in->out[n++] = '\n';
                in->skipping = true;
            }
            in->out[n] = '\0';
            return in->out;
        }
        if (in->end) {
            return NULL;
        }
        *rc = input_read(in, e);
        if (*rc != 0) {
            return NULL;
        }
    }
}

/* ---- a job -----------------------------------------------------------------------------------------------
 */

struct work {
    struct run *r;
    double number;
    cJSON *last; /* the latest answer */
    struct progress progress;
};

/* Sends a request about the job and keeps the answer. */
static int work_ask(struct work *w, cJSON *req)
{
    cJSON *answer = NULL;
    int rc = run_request(w->r, req, &answer);
    if (rc == 0) {
        cJSON_Delete(w->last);
        w->last = answer;
        progress_draw(&w->progress, answer);
    }
    return rc;
}

static cJSON *work_request(const struct work *w, const char *cmd)
{
    cJSON *req = request_new(cmd);
    request_number(req, "job", w->number);
    return req;
}

static int work_stop(struct work *w)
{
    int rc = work_ask(w, work_request(w, "job.stop"));
    return rc != 0 ? rc : ERR_CANCELLED;
}

static int work_feed(struct work *w, struct input *in)
{
    int rc = 0;
    const char *piece = NULL;
    while (rc == 0 && (piece = input_piece(in, &rc, &w->r->err)) != NULL) {
        cJSON *req = work_request(w, "job.feed");
        request_text(req, "data", piece);
        rc = work_ask(w, req);
        if (rc == 0 && interrupted()) {
            rc = ERR_CANCELLED;
        }
    }
    if (rc == ERR_CANCELLED) {
        return work_stop(w);
    }
    if (rc != 0) {
        return rc;
    }
    cJSON *req = work_request(w, "job.feed");
    request_text(req, "data", "");
    request_flag(req, "last", true);
    return work_ask(w, req);
}

static int work_steps(struct work *w)
{
    int rc = 0;
    do {
        rc = work_ask(w, work_request(w, "job.step"));
        if (rc == 0 && interrupted() && !doc_flag(w->last, "done")) {
            return work_stop(w);
        }
    } while (rc == 0 && !doc_flag(w->last, "done"));
    return rc;
}

/* The records that could not be read, on standard error. */
static void bad_print(const struct run *r, const cJSON *answer)
{
    const cJSON *b = NULL;
    double bad = doc_number(answer, "bad");
    const cJSON *list = doc_get(answer, "bad_records");
    if (r->json) {
        return; /* in the document */
    }
    cJSON_ArrayForEach(b, list)
    {
        const char *path = doc_text(b, "path");
        char line[32] = "";
        if (doc_number(b, "line") > 0) {
            (void)snprintf(line, sizeof(line), ":%.0f", doc_number(b, "line"));
        }
        struct run loud = {.quiet = false};
        run_note(&loud, "%s%s: %s%s%s", strcmp(path, "-") == 0 ? "standard input" : path, line,
                 doc_text(b, "field"), doc_text(b, "field")[0] != '\0' ? ": " : "", doc_text(b, "reason"));
    }
    double more = bad - cJSON_GetArraySize(list);
    if (more > 0) {
        run_note(r, "and %.0f more bad records", more);
    }
}

static void work_report(const struct run *r, const cJSON *answer, bool tell, bool stopped)
{
    struct page p;
    bad_print(r, answer);
    if (r->json) {
        run_print(answer, stdout);
    } else if (!r->quiet) {
        page_init(&p, &r->style, stdout);
        draw_job(&p, answer, tell);
        page_release(&p);
        if (stopped) {
            run_note(r, "interrupted: what was read is kept; run it again to go on");
        }
    }
}

static int work_start(struct work *w, const char *kind, const char *source, const char *path)
{
    cJSON *req = request_new("job.start");
    request_text(req, "kind", kind);
    request_text(req, "source", source);
    request_text(req, "path", path);
    int rc = run_request(w->r, req, &w->last);
    w->number = rc == 0 ? doc_number(w->last, "job") : 0;
    return rc;
}

/* From now on the node reads on where the import ended; told only then, so that the two do not read side by
 * side. */
static int work_watch(struct work *w, const char *source)
{
    cJSON *answer = NULL;
    cJSON *req = request_new("watch");
    cJSON *entry = cJSON_AddObjectToObject(req, "add");
    CHECK(entry != NULL);
    request_text(entry, "source", source);
    request_text(entry, "path", doc_text(w->last, "path"));
    int rc = run_request(w->r, req, &answer);
    cJSON_Delete(answer);
    if (rc == 0 && w->r->session.client == NULL) {
        run_note(w->r, "watched as soon as the node runs; start it with: selfsamed");
    }
    return rc;
}

/* There were records and none of them could be read: most likely it is something else than what it was taken
 * for. */
static int all_bad(struct run *r, const cJSON *answer, const char *source)
{
    double good = doc_number(answer, "added") + doc_number(answer, "known") + doc_number(answer, "dropped") +
                  doc_number(answer, "skipped") + doc_number(answer, "waiting");
    if (doc_number(answer, "bad") == 0 || good > 0) {
        return 0;
    }
    (void)err_set(&r->err, ERR_FORMAT, "nothing was read: all %.0f records are bad",
                  doc_number(answer, "bad"));
    if (source != NULL) {
        err_hint(&r->err, "is it really one of '%.64s'? The others: selfsame import --list", source);
    }
    return ERR_FORMAT;
}

/* One file, folder or stream, from beginning to end; NULL: the usual places. */
static int work_one(struct work *w, const struct job_wish *wish, const char *path)
{
    char full[LIMIT_PATH_BYTES];
    bool fed = path != NULL && strcmp(path, "-") == 0;
    if (path != NULL && !fed) {
        int rc = path_absolute(path, full, &w->r->err);
        path = full;
        if (rc != 0) {
            return rc;
        }
    }
    int rc = work_start(w, wish->kind, wish->source, path);
    if (rc == 0 && fed) {
        struct input in;
        input_init(&in, strcmp(wish->kind, "tell") == 0 ? '\xff' : '\x01');
        rc = work_feed(w, &in);
        input_release(&in);
    }
    if (rc == 0) {
        rc = work_steps(w);
    }
    return rc == 0 && wish->watch ? work_watch(w, wish->source) : rc;
}

/* Adds the numbers of one answer to another's. */
static void numbers_add(cJSON *to, const cJSON *from)
{
    cJSON *v = NULL;
    cJSON_ArrayForEach(v, to)
    {
        const cJSON *more = doc_get(from, v->string);
        if (cJSON_IsNumber(v) && cJSON_IsNumber(more) && strcmp(v->string, "schema") != 0 &&
            strcmp(v->string, "job") != 0) {
            cJSON_SetNumberValue(v, v->valuedouble + more->valuedouble);
        }
    }
}

/* What one of several paths came to goes into the sum of all. */
static void sum_take(struct work *w, cJSON **sum)
{
    cJSON *one = w->last;
    w->last = NULL;
    if (*sum == NULL) {
        *sum = one;
        return;
    }
    cJSON *b = NULL;
    numbers_add(*sum, one);
    numbers_add(cJSON_GetObjectItemCaseSensitive(*sum, "propositions"), doc_get(one, "propositions"));
    while ((b = cJSON_DetachItemFromArray(cJSON_GetObjectItemCaseSensitive(one, "bad_records"), 0)) != NULL) {
        CHECK(cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(*sum, "bad_records"), b));
    }
    cJSON_Delete(one);
}

/* One of several that cannot be opened is said at once, and the others are read. */
static bool path_lost(struct work *w, const struct job_wish *wish, int rc)
{
    enum err_class cls = err_class(rc);
    if (wish->n < 2 || rc == ERR_CANCELLED || (cls != ERR_CLASS_USER && cls != ERR_CLASS_REJECT)) {
        return false;
    }
    run_complain(&w->r->err, w->r->json);
    w->r->err = ERR_INIT;
    return true;
}

/* All paths one after another; *lost: how many of them could not be read at all. */
static int work_all(struct work *w, const struct job_wish *wish, cJSON **sum, size_t *lost)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && (i == 0 || i < wish->n); i++) {
        rc = work_one(w, wish, wish->n > 0 ? wish->paths[i] : NULL);
        bool read = w->last != NULL && doc_get(w->last, "read") != NULL;
        if (read && (rc == 0 || rc == ERR_CANCELLED)) {
            sum_take(w, sum);
        } else if (path_lost(w, wish, rc)) {
            ++*lost;
            rc = 0;
        }
        cJSON_Delete(w->last);
        w->last = NULL;
    }
    return rc;
}

int job_run(struct run *r, const struct job_wish *wish)
{
    struct work w = {.r = r};
    bool tell = strcmp(wish->kind, "tell") == 0;
    bool pictures = !tell && strcmp(wish->source, "image") == 0;
    struct picture_wait wait = {0};
    cJSON *sum = NULL;
    size_t lost = 0;
    interrupt_watch();
    int rc = pictures ? pictures_before(r, &wait) : 0;
    progress_start(&w.progress, r, tell ? "tell" : wish->source);
    if (rc == 0) {
        rc = work_all(&w, wish, &sum, &lost);
    }
    progress_end(&w.progress);
    if (rc == 0 && pictures && sum != NULL) {
        rc = pictures_wait(r, &wait, sum);
    }
    bool stopped = rc == ERR_CANCELLED && r->err.code == 0;
    if ((rc == 0 || stopped || rc == ERR_ATTENTION) && sum != NULL) {
        work_report(r, sum, tell, stopped);
    }
    if (rc == 0 && sum != NULL) {
        rc = all_bad(r, sum, wish->source);
    }
    if (rc == 0 && lost > 0) {
        rc = err_set(&r->err, ERR_NOTFOUND, "%zu of %zu could not be read", lost, wish->n);
    }
    cJSON_Delete(sum);
    return stopped ? EXIT_INTERRUPTED : rc;
}

/* ---- import ----------------------------------------------------------------------------------------------
 */

static bool source_found(const cJSON *s, char out[LIMIT_PATH_BYTES])
{
    const cJSON *usual = NULL;
    const char *home = getenv("HOME");
    cJSON_ArrayForEach(usual, doc_get(s, "usual_paths"))
    {
        const char *name = cJSON_GetStringValue(usual);
        int n = snprintf(out, LIMIT_PATH_BYTES, "%s/%s", home != NULL ? home : "", name != NULL ? name : "");
        if (home != NULL && n > 0 && (size_t)n < LIMIT_PATH_BYTES && access(out, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

static void draw_sources(struct page *p, const cJSON *answer)
{
    const cJSON *s = NULL;
    char path[LIMIT_PATH_BYTES];
    cJSON_ArrayForEach(s, doc_get(answer, "sources"))
    {
        page_cell(p, PAINT_STRONG, doc_text(s, "name"), 15, false);
        page_safe(p, doc_text(s, "summary"));
        page_line(p);
        page_blanks(p, 15);
        page_on(p, PAINT_DIM);
        page_str(p, "PATH: ");
        page_safe(p, doc_text(s, "path_hint"));
        page_off(p, PAINT_DIM);
        page_line(p);
        if (source_found(s, path)) {
            page_blanks(p, 15);
            page_str(p, "found: ");
            page_paint(p, PAINT_GOOD, path);
            page_line(p);
        }
    }
}

int cmd_import(struct run *r)
{
    const struct args *a = &r->args;
    const char *source = args_at(a, 0);
    struct job_wish wish = {.kind = "import", .source = source, .watch = args_flag(a, "watch")};
    if (args_flag(a, "list")) {
        r->session.read_only = true;
        return run_show(r, request_new("sources"), draw_sources);
    }
    if (source == NULL) {
        (void)err_set(&r->err, ERR_USAGE, "'import' needs SOURCE");
        err_hint(&r->err, "list them with: selfsame import --list");
        return ERR_USAGE;
    }
    wish.n = a->n_positionals - 1;
    wish.paths = a->positionals + 1;
    for (size_t i = 0; i < wish.n; i++) {
        bool fed = strcmp(wish.paths[i], "-") == 0;
        if (fed && (wish.watch || wish.n > 1)) {
            return err_set(&r->err, ERR_USAGE,
                           wish.watch ? "standard input cannot be watched"
                                      : "standard input is read by itself alone");
        }
    }
    return job_run(r, &wish);
}
