/* The frame, the subjects, and the building of claims. The rules themselves are in heur_*.c. */
#include "node/infer/heuristics.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "node/infer/statement.h"
#include "node/infer/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 32 /* claim id, digest */

struct occasion_day {
    int32_t day;
    uint16_t source;
    bool against, week;
    int64_t observation;
};

struct heuristics {
    struct infer_env env;
    struct claim_writer *writer;
    struct frame frame;
    struct buf source_names;
    struct map *subjects; /* kind byte + name, of this flush */
    struct map *members;  /* names of the subject at hand */
    struct buf uses;      /* struct use */
    struct buf occasions; /* struct occasion_day */
    struct buf links;     /* struct claim_link */
    struct buf counts, seen;
    struct buf key, text, reasoning, feature_key;
    struct buf record, made; /* claims of the subject at hand: before, now */
    const struct claim_fresh *fresh;
    struct infer_summary *sum;
    claim_named_fn *named; /* set while claims are only named */
    void *named_ctx;
};

/* ---- opening ----------------------------------------------------------------------------------------------
 */

static void buffers_init(struct heuristics *h)
{
    const size_t many = (size_t)64 << 20;
    struct buf *const big[] = {&h->uses, &h->occasions, &h->links, &h->counts, &h->seen};
    struct buf *const small[] = {&h->source_names, &h->key,    &h->text, &h->reasoning,
                                 &h->feature_key,  &h->record, &h->made};
    for (size_t i = 0; i < sizeof big / sizeof big[0]; i++)
        buf_init(big[i], many);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        buf_init(small[i], 65536);
}

int heuristics_new(struct heuristics **out, const struct infer_env *env, struct err *e)
{
    struct heuristics *h = calloc(1, sizeof *h);
    if (h == NULL)
        return err_set(e, ERR_NOMEM, "opening inference");
    h->env = *env;
    buffers_init(h);
    h->writer = claim_writer_new(env->store, &env->device, env->claim_secret);
    h->subjects = map_new();
    h->members = map_new();
    if (h->writer == NULL || h->subjects == NULL || h->members == NULL) {
        heuristics_free(h);
        return err_set(e, ERR_NOMEM, "opening inference");
    }
    *out = h;
    return 0;
}

void heuristics_free(struct heuristics *h)
{
    if (h == NULL)
        return;
    struct buf *const all[] = {&h->uses,      &h->occasions,    &h->links,  &h->counts,
                               &h->seen,      &h->source_names, &h->key,    &h->text,
                               &h->reasoning, &h->feature_key,  &h->record, &h->made};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_release(all[i]);
    claim_writer_free(h->writer);
    map_free(h->subjects);
    map_free(h->members);
    free(h);
}

const struct frame *heur_frame(const struct heuristics *h)
{
    return &h->frame;
}

const struct infer_env *heur_env(const struct heuristics *h)
{
    return &h->env;
}

int heur_observation(struct heuristics *h, int64_t row, struct stored_observation *out, struct err *e)
{
    return local_observation(h->env.store, row, out, e);
}

struct bytes heur_member(const struct heuristics *h, uint32_t member)
{
    const struct map_slot *slot = map_at(h->members, member);
    return slot->key;
}

size_t heur_members(const struct heuristics *h)
{
    return map_count(h->members);
}

struct buf *heur_key(struct heuristics *h)
{
    return &h->key;
}

struct buf *heur_text(struct heuristics *h)
{
    return &h->text;
}

struct buf *heur_reasoning(struct heuristics *h)
{
    return &h->reasoning;
}

unsigned count_rounded(uint64_t n)
{
    unsigned v = n > 100000 ? 100000 : (unsigned)n;
    unsigned step = v < 10 ? 1 : v < 50 ? 5 : v < 200 ? 10 : 50;
    return v - v % step;
}

void count_put(struct buf *out, uint64_t n)
{
    (void)buf_printf(out, n < 10 ? "%u" : "%u+", count_rounded(n));
}

unsigned frame_active_days(const uint8_t *active, int from, int to)
{
    unsigned n = 0;
    for (int i = from < 0 ? 0 : from; i <= to && i < WINDOW_DAYS; i++)
        n += active[i];
    return n;
}

/* ---- the frame --------------------------------------------------------------------------------------------
 */

static int first_trace(void *ctx, const struct trace *t)
{
    *(struct trace *)ctx = *t;
    return 1;
}

/* The first trace from a day on; *found false when there is none. */
static int trace_from(struct heuristics *h, int64_t feature, int32_t day, struct trace *t, bool *found,
                      struct err *e)
{
    int rc = local_traces(h->env.store, feature, day, first_trace, t, e);
    *found = rc == 1;
    return rc < 0 ? rc : 0;
}

/* The newest day ≤ limit with a trace, by halving; −1 when there is none. */
static int newest_day(struct heuristics *h, int64_t feature, int32_t limit, int32_t *out, struct err *e)
{
    int32_t lo = -1, hi = limit; /* a trace lies in [lo, limit], none in (hi, limit] */
    struct trace t;
    bool found;
    int rc = trace_from(h, feature, 0, &t, &found, e);
    *out = -1;
    if (rc != 0 || !found || t.day > limit)
        return rc;
    lo = t.day;
    while (rc == 0 && lo < hi) {
        int32_t mid = lo + (hi - lo + 1) / 2;
        rc = trace_from(h, feature, mid, &t, &found, e);
        if (found && t.day <= limit)
            lo = t.day;
        else
            hi = mid - 1;
    }
    *out = lo;
    return rc;
}

static int active_days(struct heuristics *h, int64_t feature, struct frame_source *src, struct err *e)
{
    struct frame *f = &h->frame;
    struct trace t = {.day = f->from - 1};
    bool found = true;
    int rc = 0;
    while (rc == 0 && found && t.day < f->newest) {
        rc = trace_from(h, feature, t.day + 1, &t, &found, e);
        if (rc == 0 && found && t.day <= f->newest) {
            src->active[t.day - f->from] = 1;
            src->first[t.day - f->from] = t.observation;
        }
    }
    return rc;
}

struct source_list {
    struct heuristics *h;
    int64_t features[SOURCES_MAX];
};

static int source_note(void *ctx, const struct feature *f)
{
    struct source_list *l = ctx;
    struct frame *frame = &l->h->frame;
    struct feature_key k;
    if (frame->n_sources == SOURCES_MAX || !feature_key_split(f->key, &k))
        return 0;
    struct frame_source *src = &frame->sources[frame->n_sources];
    *src = (struct frame_source){.shared = k.shared,
                                 .name = bytes_of(l->h->source_names.p + l->h->source_names.n, k.source.n)};
    l->features[frame->n_sources++] = f->feature;
    return buf_bytes(&l->h->source_names, k.source);
}

static int frame_sources(struct heuristics *h, struct source_list *l, struct err *e)
{
    struct frame *f = &h->frame;
    f->n_sources = 0;
    buf_clear(&h->source_names);
    /* Names are viewed while the buffer grows: take the room first. */
    if (buf_extend(&h->source_names, SOURCES_MAX * (LIMIT_NAME_BYTES + 8)) == NULL)
        return err_set(e, h->source_names.err, "listing sources");
    buf_clear(&h->source_names);
    return local_features(h->env.store, FEATURE_SOURCE, source_note, l, e);
}

static int frame_make(struct heuristics *h, struct err *e)
{
    struct frame *f = &h->frame;
    struct source_list l = {.h = h};
    int64_t now = clock_wall_ms(h->env.clock);
    f->today = (int32_t)(now / MS_DAY);
    f->sources[SOURCE_DEVICE] = (struct frame_source){.name = BYTES_LIT("device")};
    f->newest = -1;
    int rc = frame_sources(h, &l, e);
    for (size_t i = 0; rc == 0 && i < f->n_sources; i++) {
        int32_t day = -1;
        if (!source_is_calendar(f->sources[i].name))
            rc = newest_day(h, l.features[i], f->today + 1, &day, e);
        f->newest = day > f->newest ? day : f->newest;
    }
    if (f->newest < 0)
        f->newest = f->today;
    f->from = f->newest - WINDOW_DAYS + 1;
    memset(f->active, 0, sizeof f->active);
    for (size_t i = 0; rc == 0 && i < f->n_sources; i++) {
        if (source_is_calendar(f->sources[i].name))
            continue;
        rc = active_days(h, l.features[i], &f->sources[i], e);
        for (int d = 0; d < WINDOW_DAYS; d++)
            f->active[d] |= f->sources[i].active[d];
    }
    return rc;
}

/* Whether the frame is another than at the last flush; the new one's digest is kept. */
static int frame_changed(struct heuristics *h, bool *changed, struct err *e)
{
    const struct frame *f = &h->frame;
    uint8_t digest[16];
    struct hasher hs;
    hasher_init(&hs, BYTES_NONE, 16);
    const int32_t days[2] = {f->newest, f->today};
    hasher_update(&hs, bytes_of(days, sizeof days));
    for (size_t i = 0; i < f->n_sources; i++) {
        hasher_update(&hs, f->sources[i].name);
        hasher_update(&hs, bytes_of(f->sources[i].active, WINDOW_DAYS));
    }
    hasher_final(&hs, digest, 16);
    bool found;
    int rc = local_get(h->env.store, "infer:frame", &h->record, &found, e);
    *changed = rc == 0 && !(found && bytes_eq(buf_view(&h->record), bytes_of(digest, 16)));
    return rc == 0 && *changed ? local_set(h->env.store, "infer:frame", bytes_of(digest, 16), e) : rc;
}

/* ---- which subjects ---------------------------------------------------------------------------------------
 */

static int subject_note(struct heuristics *h, uint8_t kind, struct bytes name)
{
    uint8_t key[1 + LIMIT_NAME_BYTES];
    if (name.n > LIMIT_NAME_BYTES)
        return 0;
    key[0] = kind;
    if (name.n > 0)
        memcpy(key + 1, name.p, name.n);
    return map_add(h->subjects, bytes_of(key, 1 + name.n), NULL) == NULL ? ERR_NOMEM : 0;
}

static int feature_note(void *ctx, const struct feature *f)
{
    struct heuristics *h = ctx;
    struct feature_key k;
    struct statement_name st;
    if (!feature_key_split(f->key, &k))
        return 0;
    if (f->kind == FEATURE_SOURCE)
        return source_is_shell(k.source) ? subject_note(h, f->kind, BYTES_NONE) : 0;
    if (f->kind == FEATURE_STATEMENT)
        return statement_name_split(k.name, &st) ? subject_note(h, f->kind, st.predicate) : 0;
    int rc = subject_note(h, f->kind, k.name);
    int group = f->kind == FEATURE_TOOL ? tool_group(k.name) : 0;
    if (rc == 0 && group > 0) {
        char number[12];
        (void)snprintf(number, sizeof number, "%d", group);
        rc = subject_note(h, SUBJECT_ALTERNATIVES, bytes_str(number));
    }
    return rc;
}

static const char *const activities[] = {"browsing", "mail", "notes", "programming", "the command line"};

static int subjects_list(struct heuristics *h, bool all, struct err *e)
{
    map_clear(h->subjects);
    int rc = local_dirty(h->env.store, feature_note, h, e);
    for (uint8_t kind = FEATURE_SOURCE; rc == 0 && all && kind < FEATURE_KIND_COUNT; kind++)
        rc = local_features(h->env.store, kind, feature_note, h, e);
    for (size_t i = 0; rc == 0 && all && i < sizeof activities / sizeof activities[0]; i++)
        rc = subject_note(h, SUBJECT_ACTIVITY, bytes_str(activities[i]));
    return rc == ERR_NOMEM ? err_set(e, rc, "listing what changed") : rc;
}

/* ---- loading a subject ------------------------------------------------------------------------------------
 */

struct load {
    struct heuristics *h;
    struct use use;
    int32_t until;
};

static int use_note(void *ctx, const struct trace *t)
{
    struct load *l = ctx;
    if (t->day > l->until || l->h->uses.n >= USES_MAX * sizeof(struct use))
        return 1;
    l->use.day = t->day;
    l->use.minute = t->minute;
    l->use.observation = t->observation;
    return buf_append(&l->h->uses, &l->use, sizeof l->use);
}

static int load_span(struct load *l, int64_t feature, int32_t from, int32_t until, struct err *e)
{
    l->until = until;
    int rc = local_traces(l->h->env.store, feature, from, use_note, l, e);
    return rc < 0 ? rc : 0;
}

static int load_feature(struct heuristics *h, uint8_t kind, struct bytes name, uint32_t member, struct err *e)
{
    const struct frame *f = &h->frame;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->n_sources; i++) {
        const struct feature_key k = {name, f->sources[i].name, f->sources[i].shared};
        struct load l = {.h = h, .use = {.source = (uint16_t)i, .member = member}};
        int64_t feature = 0;
        if (kind == FEATURE_SOURCE && !source_is_shell(k.source))
            continue;
        buf_clear(&h->feature_key);
        feature_key_join(&k, &h->feature_key);
        rc = local_feature_find(h->env.store, kind, buf_view(&h->feature_key), &feature, e);
        if (rc != 0 || feature == 0)
            continue;
        if (kind == FEATURE_EVENT) {
            rc = load_span(&l, feature, f->today - 70, f->today + 400, e);
        } else if (kind == FEATURE_STATEMENT) {
            rc = load_span(&l, feature, INT32_MIN, f->today + 1, e);
        } else {
            rc = load_span(&l, feature, INT32_MIN, -1, e); /* records without a time */
            if (rc == 0)
                rc = load_span(&l, feature, f->from, f->newest, e);
        }
    }
    return rc;
}

struct member_list {
    struct heuristics *h;
    struct bytes predicate;
};

static int statement_member(void *ctx, const struct feature *f)
{
    const struct member_list *l = ctx;
    struct feature_key k;
    struct statement_name st;
    if (!feature_key_split(f->key, &k) || !statement_name_split(k.name, &st) ||
        !bytes_eq(st.predicate, l->predicate))
        return 0;
    return map_add(l->h->members, k.name, NULL) == NULL ? ERR_NOMEM : 0;
}

static int tool_member(void *ctx, const struct feature *f)
{
    const struct member_list *l = ctx;
    struct feature_key k;
    char number[12];
    if (!feature_key_split(f->key, &k))
        return 0;
    (void)snprintf(number, sizeof number, "%d", tool_group(k.name));
    return bytes_eq(bytes_str(number), l->predicate) && map_add(l->h->members, k.name, NULL) == NULL
               ? ERR_NOMEM
               : 0;
}

static int use_compare(const void *pa, const void *pb)
{
    const struct use *a = pa, *b = pb;
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    if (a->minute != b->minute)
        return a->minute < b->minute ? -1 : 1;
    if (a->observation != b->observation)
        return a->observation < b->observation ? -1 : 1;
    return a->member < b->member ? -1 : a->member > b->member;
}

/* One feature's traces come in order; those of several do not. */
static bool uses_sorted(const struct use *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (use_compare(&v[i - 1], &v[i]) > 0)
            return false;
    }
    return true;
}

static int load_members(struct heuristics *h, uint8_t kind, struct bytes name, struct err *e)
{
    struct member_list l = {h, name};
    int rc = kind == FEATURE_STATEMENT ? local_features(h->env.store, kind, statement_member, &l, e)
                                       : local_features(h->env.store, FEATURE_TOOL, tool_member, &l, e);
    uint8_t feature = kind == FEATURE_STATEMENT ? FEATURE_STATEMENT : FEATURE_TOOL;
    for (size_t i = 0; rc == 0 && i < map_count(h->members); i++)
        rc = load_feature(h, feature, map_at(h->members, i)->key, (uint32_t)i, e);
    return rc;
}

static int subject_load(struct heuristics *h, struct subject *s, struct err *e)
{
    map_clear(h->members);
    buf_clear(&h->uses);
    int rc = 0;
    if (s->kind == FEATURE_STATEMENT || s->kind == SUBJECT_ALTERNATIVES)
        rc = load_members(h, s->kind, s->name, e);
    else if (s->kind != SUBJECT_ACTIVITY)
        rc = load_feature(h, s->kind, s->name, 0, e);
    s->n = h->uses.n / sizeof(struct use);
    s->v = (const struct use *)(const void *)h->uses.p;
    if (!uses_sorted(s->v, s->n))
        qsort(h->uses.p, s->n, sizeof(struct use), use_compare);
    return rc != 0 ? rc : h->uses.err;
}

/* ---- evidence ---------------------------------------------------------------------------------------------
 */

void evidence_begin(struct heuristics *h)
{
    struct buf *const all[] = {&h->occasions, &h->links, &h->counts,   &h->seen,
                               &h->key,       &h->text,  &h->reasoning};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_clear(all[i]);
}

static void occasion_add(struct heuristics *h, const struct occasion_day *o)
{
    const struct occasion_day *held = (const struct occasion_day *)(const void *)h->occasions.p;
    for (size_t i = h->occasions.n / sizeof *o; i-- > 0 && held[i].day == o->day;) {
        if (held[i].source == o->source && held[i].against == o->against && held[i].week == o->week)
            return;
    }
    (void)buf_append(&h->occasions, o, sizeof *o);
}

void evidence_occasion(struct heuristics *h, const struct use *u, bool against)
{
    const struct occasion_day o = {
        .day = u->day, .source = u->source, .against = against, .observation = u->observation};
    occasion_add(h, &o);
}

void evidence_week(struct heuristics *h, int32_t monday, uint16_t source, bool against)
{
    const struct occasion_day o = {.day = monday, .source = source, .against = against, .week = true};
    occasion_add(h, &o);
}

void evidence_link(struct heuristics *h, int64_t observation, bool against)
{
    const struct claim_link l = {observation, against};
    (void)buf_append(&h->links, &l, sizeof l);
}

void evidence_uses(struct heuristics *h, const struct use *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        evidence_occasion(h, &v[i], false);
        evidence_link(h, v[i].observation, false);
    }
}

static const struct occasion_day *occasions(const struct heuristics *h, size_t *n)
{
    *n = h->occasions.n / sizeof(struct occasion_day);
    return (const struct occasion_day *)(const void *)h->occasions.p;
}

static uint64_t evidence_days(const struct heuristics *h, bool against)
{
    size_t n;
    uint64_t days = 0;
    int32_t last = INT32_MIN;
    const struct occasion_day *o = occasions(h, &n);
    for (size_t i = 0; i < n; i++) {
        if (o[i].week || o[i].against != against)
            continue;
        days += o[i].day != last;
        last = o[i].day;
    }
    return days;
}

uint64_t evidence_support(const struct heuristics *h)
{
    return evidence_days(h, false);
}

uint64_t evidence_against(const struct heuristics *h)
{
    return evidence_days(h, true);
}

static int link_compare(const void *pa, const void *pb)
{
    const struct claim_link *a = pa, *b = pb;
    if (a->observation != b->observation)
        return a->observation < b->observation ? -1 : 1;
    return (int)a->against - (int)b->against;
}

/* Sorts the links and drops doubles; an observation that does both supports. */
static void links_settle(struct heuristics *h, struct claim *c)
{
    struct claim_link *v = (struct claim_link *)(void *)h->links.p;
    size_t n = h->links.n / sizeof *v, kept = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, link_compare);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || v[kept - 1].observation != v[i].observation)
            v[kept++] = v[i];
    }
    c->links = v;
    c->n_links = kept;
}

/* The noon of a local day: the same on every device, whatever the minute each of them saw. */
static int64_t day_noon(int32_t day)
{
    return day * MS_DAY + 12 * MS_HOUR;
}

static int occasion_time(struct heuristics *h, const struct occasion_day *o, int64_t *ms, struct err *e)
{
    struct stored_observation obs;
    *ms = day_noon(o->day);
    if (o->observation == 0)
        return 0;
    int rc = heur_observation(h, o->observation, &obs, e);
    *ms = rc == 0 ? obs.time_ms : TIME_NONE;
    return rc;
}

/* The counter of one private source. */
static int count_make(struct heuristics *h, uint16_t source, int64_t at_ms, struct err *e)
{
    size_t n;
    const struct occasion_day *o = occasions(h, &n), *first = NULL, *last = NULL;
    struct count c = {.source = h->frame.sources[source].name, .first_ms = TIME_NONE, .last_ms = TIME_NONE};
    for (size_t i = 0; i < n; i++) {
        if (o[i].source != source)
            continue;
        c.support += !o[i].against;
        c.against += o[i].against;
        if (o[i].against || o[i].week)
            continue;
        first = first == NULL || o[i].day < first->day ? &o[i] : first;
        last = last == NULL || o[i].day >= last->day ? &o[i] : last;
    }
    if (c.support + c.against == 0)
        return 0;
    int rc = 0;
    if (first != NULL && at_ms != TIME_NONE) {
        c.first_ms = c.last_ms = at_ms;
    } else if (first != NULL) {
        rc = occasion_time(h, first, &c.first_ms, e);
        if (rc == 0)
            rc = occasion_time(h, last, &c.last_ms, e);
    }
    if (rc == 0 && c.support == 0)
        c.first_ms = c.last_ms = day_noon(h->frame.from); /* only contradicted: of no time that anyone sees */
    return rc != 0 ? rc : buf_append(&h->counts, &c, sizeof c);
}

static void seen_make(struct heuristics *h, const struct id *id, int64_t at_ms)
{
    size_t n;
    const struct occasion_day *o = occasions(h, &n);
    int64_t first = TIME_NONE;
    for (size_t i = 0; i < n; i++) {
        if (!o[i].against && (first == TIME_NONE || day_noon(o[i].day) < first))
            first = day_noon(o[i].day);
    }
    for (size_t i = 0; i < n; i++) {
        const struct frame_source *src = &h->frame.sources[o[i].source];
        if (!src->shared)
            continue;
        /* A contradiction must not look like the last support: it takes the time of the first. */
        int64_t at = at_ms != TIME_NONE                   ? at_ms
                     : o[i].against && first != TIME_NONE ? first
                                                          : day_noon(o[i].day);
        struct seen s = {.against = o[i].against, .time_ms = at};
        const struct occasion occasion = {src->name, o[i].day, o[i].week ? BYTES_LIT("week") : BYTES_NONE};
        claim_occasion(h->env.claim_secret, id, &occasion, s.key);
        (void)buf_append(&h->seen, &s, sizeof s);
    }
}

static int evidence_make(struct heuristics *h, const struct wording *w, struct claim *c, const struct id *id,
                         struct err *e)
{
    int rc = 0;
    for (uint16_t i = 0; rc == 0 && i < h->frame.n_sources; i++) {
        if (!h->frame.sources[i].shared)
            rc = count_make(h, i, w->at_ms, e);
    }
    if (rc == 0)
        rc = count_make(h, SOURCE_DEVICE, w->at_ms, e);
    seen_make(h, id, w->at_ms);
    links_settle(h, c);
    c->counts = (const struct count *)(const void *)h->counts.p;
    c->n_counts = h->counts.n / sizeof(struct count);
    c->seen = (struct seen *)(void *)h->seen.p;
    c->n_seen = h->seen.n / sizeof(struct seen);
    if (rc == 0 && (h->occasions.err | h->links.err | h->counts.err | h->seen.err | h->key.err | h->text.err |
                    h->reasoning.err) != 0)
        rc = err_set(e, ERR_NOMEM, "building a claim");
    return rc;
}

/* ---- claims of a subject ----------------------------------------------------------------------------------
 */

static void hash_number(struct hasher *hs, uint64_t v)
{
    hasher_update(hs, bytes_of(&v, sizeof v));
}

static void claim_digest(const struct claim *c, uint8_t out[16])
{
    struct hasher hs;
    hasher_init(&hs, BYTES_NONE, 16);
    hasher_update(&hs, c->text);
    hash_number(&hs, c->text.n);
    hasher_update(&hs, c->reasoning);
    hash_number(&hs, (uint64_t)c->decay << 16 | c->prior);
    hash_number(&hs, (uint64_t)c->until_ms);
    for (size_t i = 0; i < c->n_counts; i++) {
        const struct count *n = &c->counts[i];
        hasher_update(&hs, n->source);
        hash_number(&hs, n->support);
        hash_number(&hs, n->against);
        hash_number(&hs, (uint64_t)n->first_ms);
        hash_number(&hs, (uint64_t)n->last_ms);
    }
    for (size_t i = 0; i < c->n_seen; i++) {
        hasher_update(&hs, bytes_of(c->seen[i].key, 16));
        hash_number(&hs, c->seen[i].against);
    }
    for (size_t i = 0; i < c->n_links; i++)
        hash_number(&hs, (uint64_t)c->links[i].observation << 1 | c->links[i].against);
    hasher_final(&hs, out, 16);
}

/* The entry of a claim in a record, or NULL. */
static const uint8_t *record_find(const struct buf *record, const struct id *id)
{
    for (size_t at = 0; at + RECORD_BYTES <= record->n; at += RECORD_BYTES) {
        if (memcmp(record->p + at, id->b, ID_BYTES) == 0)
            return record->p + at;
    }
    return NULL;
}

static void summary_add(struct infer_summary *sum, enum claim_outcome o)
{
    sum->added += o == CLAIM_ADDED;
    sum->raised += o == CLAIM_RAISED;
    sum->lowered += o == CLAIM_LOWERED;
    sum->revived += o == CLAIM_REVIVED;
}

int heur_claim(struct heuristics *h, const struct wording *w, struct err *e)
{
    if (h->named != NULL)
        return h->named(h->named_ctx, w->kind, w->key);
    struct claim c = {.kind = w->kind,
                      .decay = w->decay,
                      .key = w->key,
                      .text = w->text,
                      .reasoning = w->reasoning,
                      .until_ms = w->until_ms,
                      .created_ms = TIME_NONE};
    c.prior = w->prior > 0 ? w->prior : (uint16_t)lround(kind_info(w->kind)->prior * 1000);
    uint8_t made[RECORD_BYTES];
    struct id id;
    claim_id(h->env.claim_secret, w->kind, w->key, &id);
    int rc = evidence_make(h, w, &c, &id, e);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < c.n_counts; i++)
        c.created_ms = c.created_ms == TIME_NONE || c.counts[i].first_ms < c.created_ms ? c.counts[i].first_ms
                                                                                        : c.created_ms;
    for (size_t i = 0; i < c.n_seen; i++)
        c.created_ms =
            c.created_ms == TIME_NONE || c.seen[i].time_ms < c.created_ms ? c.seen[i].time_ms : c.created_ms;
    memcpy(made, id.b, ID_BYTES);
    claim_digest(&c, made + ID_BYTES);
    (void)buf_append(&h->made, made, sizeof made);
    const uint8_t *before = record_find(&h->record, &id);
    if (before != NULL && memcmp(before, made, RECORD_BYTES) == 0)
        return h->made.err;
    enum claim_outcome outcome;
    rc = claim_apply(h->writer, &c, before != NULL ? h->fresh : NULL, &outcome, e);
    if (rc == 0)
        summary_add(h->sum, outcome);
    return rc != 0 ? rc : h->made.err;
}

/* What was claimed of the subject last time and is no more. */
static int claims_retract(struct heuristics *h, struct err *e)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at + RECORD_BYTES <= h->record.n; at += RECORD_BYTES) {
        struct id id;
        enum claim_outcome outcome;
        memcpy(id.b, h->record.p + at, ID_BYTES);
        if (record_find(&h->made, &id) != NULL)
            continue;
        rc = claim_retract(h->writer, &id, &outcome, e);
        if (rc == 0)
            summary_add(h->sum, outcome);
    }
    return rc;
}

static void record_name(const struct subject *s, char out[64])
{
    uint8_t digest[16];
    struct hasher hs;
    hasher_init(&hs, BYTES_NONE, 16);
    hasher_update(&hs, s->name);
    hasher_final(&hs, digest, 16);
    int n = snprintf(out, 64, "infer:claims:%u:", s->kind);
    for (int i = 0; i < 16; i++)
        (void)snprintf(out + n + 2 * i, 3, "%02x", digest[i]);
}

static int subject_run(struct heuristics *h, const struct subject *s, struct err *e)
{
    static const struct {
        uint8_t kind;
        heur_fn *rules[2];
    } table[] = {
        {FEATURE_SOURCE, {heur_routine, NULL}},          {FEATURE_TOOL, {heur_tool, NULL}},
        {FEATURE_PROJECT, {heur_project, heur_routine}}, {FEATURE_APP, {heur_routine, NULL}},
        {FEATURE_SITE, {heur_site, heur_routine}},       {FEATURE_TOPIC, {heur_topic, NULL}},
        {FEATURE_DOCUMENT, {heur_document, NULL}},       {FEATURE_EVENT, {heur_event, NULL}},
        {FEATURE_STATEMENT, {heur_statement, NULL}},     {SUBJECT_ALTERNATIVES, {heur_preference, NULL}},
        {SUBJECT_ACTIVITY, {heur_device, NULL}},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].kind != s->kind)
            continue;
        for (int r = 0; rc == 0 && r < 2 && table[i].rules[r] != NULL; r++)
            rc = table[i].rules[r](h, s, e);
    }
    return rc;
}

static int subject_look(struct heuristics *h, struct bytes key, struct err *e)
{
    struct subject s = {.kind = key.p[0], .name = bytes_slice(key, 1, key.n)};
    char name[64];
    bool found;
    record_name(&s, name);
    buf_clear(&h->record);
    buf_clear(&h->made);
    int rc = local_get(h->env.store, name, &h->record, &found, e);
    if (rc == 0 && !found)
        buf_clear(&h->record);
    if (rc == 0)
        rc = subject_load(h, &s, e);
    if (rc == 0)
        rc = subject_run(h, &s, e);
    if (rc == 0)
        rc = claims_retract(h, e);
    if (rc == 0 && !bytes_eq(buf_view(&h->record), buf_view(&h->made)))
        rc = local_set(h->env.store, name, buf_view(&h->made), e);
    return rc;
}

int heuristics_flush(struct heuristics *h, const struct claim_fresh *fresh, struct infer_summary *sum,
                     struct err *e)
{
    struct infer_summary unread = {0};
    bool all = false;
    h->fresh = fresh;
    h->sum = sum != NULL ? sum : &unread;
    int rc = frame_make(h, e);
    if (rc == 0)
        rc = frame_changed(h, &all, e);
    if (rc == 0)
        rc = subjects_list(h, all, e);
    for (size_t i = 0; rc == 0 && i < map_count(h->subjects); i++)
        rc = subject_look(h, map_at(h->subjects, i)->key, e);
    h->fresh = NULL;
    h->sum = NULL;
    return rc != 0 ? rc : local_dirty_clear(h->env.store, e);
}

int heuristics_name(struct heuristics *h, claim_named_fn *fn, void *ctx, struct err *e)
{
    h->named = fn;
    h->named_ctx = ctx;
    int rc = frame_make(h, e);
    if (rc == 0)
        rc = subjects_list(h, true, e);
    for (size_t i = 0; rc == 0 && i < map_count(h->subjects); i++) {
        struct bytes key = map_at(h->subjects, i)->key;
        struct subject s = {.kind = key.p[0], .name = bytes_slice(key, 1, key.n)};
        rc = subject_load(h, &s, e);
        if (rc == 0)
            rc = subject_run(h, &s, e);
    }
    h->named = NULL;
    h->named_ctx = NULL;
    return rc;
}
