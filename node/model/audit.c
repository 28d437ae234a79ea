/* The gate between observers and everything else.
 *
 * One observation at a time: rules first, on the raw record; then every text field is repaired to UTF-8,
 * redacted and cut, into buffers of the audit that the next call overwrites. Redaction comes before cutting,
 * so that no secret is cut into a piece that its detector does not know; input beyond the limit is left
 * behind at a blank for the same reason.
 *
 * Invariants:
 *   1. What *out shows went through the redactor, every field of it; only the source name is checked instead.
 *   2. Any error (memory, a malformed source, a time out of range) is a drop, counted under "error".
 *   3. Counts hold rule, source, number and times, never content; a full table counts under "other".
 */
#include "node/model/audit_int.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTS_MAX 256
#define SOURCE_BYTES_MAX 64
#define CUT_MARK " [cut]"
#define CUT_BACK_MAX 4096u /* how far back a blank is looked for where the input is cut */

enum field {
    FIELD_APP,
    FIELD_TITLE,
    FIELD_TEXT,
    FIELD_URL,
    FIELD_COMMAND,
    FIELD_CWD,
    FIELD_ID,
    FIELD_DATA,
    FIELD_FILES,
    FIELDS
};

struct audit {
    struct buf rules_text;
    struct rule *rules;
    size_t n_rules;
    unsigned classes;
    struct buf repaired;
    struct buf fields[FIELDS];
    struct bytes files[LIMIT_OBSERVATION_FILES];
    char source[SOURCE_BYTES_MAX + 1];
    struct audit_count counts[COUNTS_MAX];
    size_t n_counts;
};

/* ---- rules ----------------------------------------------------------------------------------------------
 */

int audit_rule_check(struct bytes line, struct err *e)
{
    struct rule r;
    bool given;
    return rule_parse(line, &r, &given, e);
}

static bool next_line(struct bytes *rest, struct bytes *line)
{
    if (rest->n == 0)
        return false;
    const uint8_t *end = memchr(rest->p, '\n', rest->n);
    size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
    *line = bytes_slice(*rest, 0, n);
    *rest = bytes_slice(*rest, n + 1, rest->n);
    return true;
}

static int read_rules(struct audit *a, struct err *e)
{
    struct bytes rest = buf_view(&a->rules_text), line;
    for (unsigned number = 1; next_line(&rest, &line); number++) {
        struct rule r;
        bool given;
        int rc = rule_parse(line, &r, &given, e);
        if (rc != 0)
            return err_wrap(e, rc, "rule %u", number);
        if (!given)
            continue;
        if (a->n_rules == LIMIT_RULES)
            return err_set(e, ERR_LIMIT, "more than %u rules", LIMIT_RULES);
        struct rule *grown = realloc(a->rules, (a->n_rules + 1) * sizeof *grown);
        if (grown == NULL)
            return err_set(e, ERR_NOMEM, "reading rules");
        r.line = number;
        a->rules = grown;
        a->rules[a->n_rules++] = r;
    }
    return 0;
}

int audit_new(struct audit **out, struct bytes rules, unsigned classes, struct err *e)
{
    struct audit *a = calloc(1, sizeof *a);
    *out = NULL;
    if (a == NULL)
        return err_set(e, ERR_NOMEM, "making the audit");
    a->classes = classes & REDACT_ALL;
    buf_init(&a->rules_text, LIMIT_RULES * (LIMIT_SETTING_BYTES + 1u));
    buf_init(&a->repaired, LIMIT_LINE_BYTES);
    for (int f = 0; f < FIELDS; f++)
        buf_init(&a->fields[f], LIMIT_LINE_BYTES);
    int rc = buf_bytes(&a->rules_text, rules);
    rc = rc != 0 ? err_set(e, rc, "reading rules") : read_rules(a, e);
    if (rc != 0) {
        audit_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

void audit_free(struct audit *a)
{
    if (a == NULL)
        return;
    buf_release(&a->rules_text);
    buf_release(&a->repaired);
    for (int f = 0; f < FIELDS; f++)
        buf_release(&a->fields[f]);
    free(a->rules);
    free(a);
}

/* ---- counts ---------------------------------------------------------------------------------------------
 */

static struct audit_count *count_of(struct audit *a, const char *rule, struct bytes source)
{
    for (size_t i = 0; i < a->n_counts; i++)
        if (strcmp(a->counts[i].rule, rule) == 0 && bytes_eq(bytes_str(a->counts[i].source), source))
            return &a->counts[i];
    if (a->n_counts == COUNTS_MAX)
        return &a->counts[COUNTS_MAX - 1];
    bool last = a->n_counts + 1 == COUNTS_MAX;
    struct audit_count *c = &a->counts[a->n_counts++];
    *c = (struct audit_count){0};
    struct bytes name = last ? BYTES_LIT("other") : bytes_str(rule);
    memcpy(c->rule, name.p, name.n < sizeof c->rule ? name.n : sizeof c->rule - 1);
    if (!last && source.n > 0)
        memcpy(c->source, source.p, source.n < sizeof c->source ? source.n : sizeof c->source - 1);
    return c;
}

static void count(struct audit *a, const char *rule, struct bytes source, uint64_t n, int64_t time_ms)
{
    struct audit_count *c = count_of(a, rule, source);
    int64_t when = time_ms == TIME_NONE ? 0 : time_ms;
    c->first_ms = c->n == 0 || when < c->first_ms ? when : c->first_ms;
    c->last_ms = c->n == 0 || when > c->last_ms ? when : c->last_ms;
    c->n += n;
}

static bool is_source_name(struct bytes source)
{
    for (size_t i = 0; i < source.n; i++) {
        uint8_t c = source.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return source.n > 0 && source.n <= SOURCE_BYTES_MAX;
}

/* The name that counts go under: what is no source name could be content. */
static struct bytes counted_source(struct bytes source)
{
    return is_source_name(source) ? source : BYTES_LIT("unknown");
}

static void count_redactions(struct audit *a, const struct redact_counts *found, struct bytes source,
                             int64_t time_ms)
{
    for (int c = 0; c < REDACT_CLASSES; c++) {
        char rule[32] = "redact:";
        const char *name = redact_class_name((enum redact_class)c);
        if (found->n[c] == 0)
            continue;
        memcpy(rule + 7, name, strlen(name) + 1);
        count(a, rule, source, found->n[c], time_ms);
    }
}

void audit_note(struct audit *a, const char *rule, struct bytes source, int64_t time_ms)
{
    count(a, rule, counted_source(source), 1, time_ms);
}

bool audit_counts_at(const struct audit *a, size_t i, struct audit_count *out)
{
    if (i >= a->n_counts)
        return false;
    *out = a->counts[i];
    return true;
}

void audit_counts_clear(struct audit *a)
{
    a->n_counts = 0;
}

/* ---- cleaning -------------------------------------------------------------------------------------------
 */

/* At most max bytes of in; where that cuts, back to a blank if there is one near. */
static struct bytes cut_input(struct bytes in, size_t max)
{
    if (in.n <= max)
        return in;
    for (size_t n = max; n > 0 && max - n < CUT_BACK_MAX; n--)
        if (in.p[n] == ' ' || in.p[n] == '\n' || in.p[n] == '\t')
            return bytes_slice(in, 0, n);
    return bytes_slice(in, 0, max > CUT_BACK_MAX ? max - CUT_BACK_MAX : max);
}

/* Valid UTF-8 without NULs: in itself if it is that already, else a->repaired. */
static int repair(struct audit *a, struct bytes in, struct bytes *out)
{
    *out = in;
    if (in.n == 0 || (memchr(in.p, 0, in.n) == NULL && utf8_valid(in)))
        return 0;
    buf_clear(&a->repaired);
    int rc = utf8_repair(in, &a->repaired);
    *out = buf_view(&a->repaired);
    return rc;
}

/* Shortens what stands in out from `from` on to max bytes, mark included. `more`: the input already was
 * longer. */
static int cut_output(struct buf *out, size_t from, size_t max, bool more)
{
    struct bytes all = bytes_slice(buf_view(out), from, out->n);
    if (all.n <= max && !more)
        return 0;
    out->n = from + utf8_cut(all, max - (sizeof CUT_MARK - 1)).n;
    return buf_str(out, CUT_MARK);
}

/* Appends the field, clean and at most max bytes, to out. */
static int clean(struct audit *a, struct bytes in, size_t max, enum redact_context context, struct buf *out,
                 struct redact_counts *found)
{
    struct bytes text, head = cut_input(in, max + CUT_BACK_MAX);
    size_t from = out->n;
    if (in.n == 0)
        return 0;
    int rc = repair(a, head, &text);
    if (rc == 0)
        rc = redact(text, a->classes, context, out, found);
    return rc != 0 ? rc : cut_output(out, from, max, head.n < in.n);
}

/* Data that is too long or no JSON is left out, the observation stays. */
static int clean_data(struct audit *a, const struct observation *in, struct redact_counts *found)
{
    struct buf *out = &a->fields[FIELD_DATA];
    struct redact_counts in_data = {{0}};
    struct bytes text;
    if (in->data.n == 0)
        return 0;
    int rc = in->data.n > LIMIT_OBSERVATION_BYTES ? ERR_LIMIT : repair(a, in->data, &text);
    if (rc == 0)
        rc = json_redact(text, a->classes, out, &in_data);
    if (rc == ERR_FORMAT || rc == ERR_LIMIT || (rc == 0 && out->n > LIMIT_OBSERVATION_BYTES)) {
        buf_clear(out);
        count(a, "data", in->source, 1, in->time_ms);
        return 0;
    }
    for (int c = 0; c < REDACT_CLASSES; c++)
        found->n[c] += in_data.n[c];
    return rc;
}

/* Files one behind the other in their buffer; views are made when it no longer moves. */
static int clean_files(struct audit *a, const struct observation *in, struct observation *out,
                       struct redact_counts *found)
{
    struct buf *b = &a->fields[FIELD_FILES];
    size_t ends[LIMIT_OBSERVATION_FILES];
    size_t n = in->n_files < LIMIT_OBSERVATION_FILES ? in->n_files : LIMIT_OBSERVATION_FILES;
    for (size_t i = 0; i < n; i++) {
        int rc = clean(a, in->files[i], LIMIT_PATH_BYTES, REDACT_TEXT, b, found);
        if (rc != 0)
            return rc;
        ends[i] = b->n;
    }
    for (size_t i = 0; i < n; i++)
        a->files[i] =
            bytes_slice(buf_view(b), i == 0 ? 0 : ends[i - 1], ends[i] - (i == 0 ? 0 : ends[i - 1]));
    out->files = a->files;
    out->n_files = n;
    if (n < in->n_files)
        count(a, "files", in->source, in->n_files - n, in->time_ms);
    return 0;
}

static int clean_fields(struct audit *a, const struct observation *in, struct observation *out,
                        struct redact_counts *found)
{
    const struct {
        enum field f;
        const struct bytes *in;
        struct bytes *out;
        size_t max;
        enum redact_context context;
    } table[] = {
        {FIELD_APP, &in->app, &out->app, LIMIT_NAME_BYTES, REDACT_TEXT},
        {FIELD_TITLE, &in->title, &out->title, LIMIT_TEXT_BYTES, REDACT_TEXT},
        {FIELD_TEXT, &in->text, &out->text, LIMIT_OBSERVATION_BYTES, REDACT_TEXT},
        {FIELD_URL, &in->url, &out->url, LIMIT_PATH_BYTES, REDACT_URL},
        {FIELD_COMMAND, &in->command, &out->command, LIMIT_OBSERVATION_BYTES, REDACT_COMMAND},
        {FIELD_CWD, &in->cwd, &out->cwd, LIMIT_PATH_BYTES, REDACT_TEXT},
        {FIELD_ID, &in->id, &out->id, LIMIT_NAME_BYTES, REDACT_TEXT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf *b = &a->fields[table[i].f];
        int rc = clean(a, *table[i].in, table[i].max, table[i].context, b, found);
        if (rc != 0)
            return rc;
        *table[i].out = buf_view(b);
    }
    return 0;
}

static bool times_fit(const struct observation *in)
{
    bool start = in->time_ms == TIME_NONE || (in->time_ms >= 0 && in->time_ms <= LIMIT_TIME_MS_MAX);
    bool end = in->end_ms == TIME_NONE || (in->end_ms >= 0 && in->end_ms <= LIMIT_TIME_MS_MAX);
    return start && end;
}

static int clean_all(struct audit *a, const struct observation *in, struct observation *out,
                     struct redact_counts *found)
{
    if (!is_source_name(in->source) || !times_fit(in))
        return ERR_FORMAT;
    for (int f = 0; f < FIELDS; f++)
        buf_clear(&a->fields[f]);
    *out = *in;
    memcpy(a->source, in->source.p, in->source.n);
    out->source = bytes_of(a->source, in->source.n);
    int rc = clean_fields(a, in, out, found);
    if (rc == 0)
        rc = clean_data(a, in, found);
    out->data = buf_view(&a->fields[FIELD_DATA]);
    return rc != 0 ? rc : clean_files(a, in, out, found);
}

/* ---- deciding -------------------------------------------------------------------------------------------
 */

/* The rule that drops the observation, into name; false if none does. */
static bool dropping_rule(const struct audit *a, const struct observation *in, char name[32])
{
    const char *built_in = in->private_window ? "private-window" : in->from_model ? "from-model" : NULL;
    if (built_in != NULL) {
        memcpy(name, built_in, strlen(built_in) + 1);
        return true;
    }
    for (size_t i = 0; i < a->n_rules; i++) {
        if (!rule_matches(&a->rules[i], in))
            continue;
        (void)snprintf(name, 32, "rule %u", a->rules[i].line);
        return a->rules[i].drop;
    }
    return false;
}

enum audit_verdict audit_check(struct audit *a, const struct observation *in, struct observation *out)
{
    struct redact_counts found = {{0}};
    char rule[32];
    struct bytes source = counted_source(in->source);
    *out = (struct observation){0};
    if (dropping_rule(a, in, rule)) {
        count(a, rule, source, 1, in->time_ms);
        return AUDIT_DROP;
    }
    if (clean_all(a, in, out, &found) != 0) {
        *out = (struct observation){0};
        count(a, "error", source, 1, in->time_ms);
        return AUDIT_DROP;
    }
    uint64_t total = 0;
    for (int c = 0; c < REDACT_CLASSES; c++)
        total += found.n[c];
    if (total > 0)
        count_redactions(a, &found, source, in->time_ms);
    return total > 0 ? AUDIT_REDACT : AUDIT_PASS;
}

int audit_text(struct audit *a, struct bytes text, struct buf *out)
{
    struct redact_counts found = {{0}};
    struct bytes valid;
    int rc = repair(a, text, &valid);
    if (rc == 0)
        rc = redact(valid, a->classes, REDACT_TEXT, out, &found);
    if (rc == 0)
        count_redactions(a, &found, BYTES_LIT("tell"), TIME_NONE);
    return rc;
}
