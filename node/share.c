/* Sharing by source. What was applied last is kept in the local value `share:applied`, so that a change is
 * told from a setting that stands. */
#include "node/share.h"

#include "base/cursor.h"
#include "base/map.h"
#include "base/text.h"
#include "node/config.h"
#include "node/file.h"
#include "store/reset.h"

#include <string.h>
#include <unistd.h>

#define APPLIED_NAME "share:applied"
/* Observations of a source that are looked at for excerpts, newest first. */
#define RECENT_MAX 5000

static const struct {
    const char *name;
    enum share_level level;
} levels[] = {{"nothing", SHARE_NOTHING}, {"counts", SHARE_COUNTS}, {"text", SHARE_TEXT}};

/* ---- the setting ------------------------------------------------------------------------------------------
 */

bool share_line(struct bytes *rest, struct bytes *source, struct bytes *level)
{
    struct bytes line;
    if (!bytes_line(rest, &line)) {
        return false;
    }
    size_t gap = bytes_find(line, BYTES_LIT(" "));
    *source = bytes_slice(line, 0, gap == SIZE_MAX ? line.n : gap);
    *level = gap == SIZE_MAX ? BYTES_NONE : bytes_trim(bytes_slice(line, gap, SIZE_MAX));
    return true;
}

static int level_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (bytes_eq(bytes_str(levels[i].name), name)) {
            return (int)levels[i].level;
        }
    }
    return -1;
}

int share_check(struct bytes value, struct err *e)
{
    struct bytes source, level;
    while (share_line(&value, &source, &level)) {
        if (source.n > LIMIT_NAME_BYTES || level_find(level) < 0) {
            (void)err_set(e, ERR_USAGE, "a line of 'share' is a source and one of nothing, counts, text");
            err_hint(e, "for example: selfsame config share --add \"firefox nothing\"");
            return ERR_USAGE;
        }
    }
    return 0;
}

enum share_level share_level_of(struct bytes setting, struct bytes source)
{
    struct bytes name, level;
    int others = SHARE_COUNTS, own = -1;
    while (share_line(&setting, &name, &level)) {
        if (bytes_eq(name, source)) {
            own = level_find(level);
        } else if (bytes_eq(name, BYTES_LIT("*"))) {
            others = level_find(level);
        }
    }
    int found = own >= 0 ? own : others;
    return found >= 0 ? (enum share_level)found : SHARE_NOTHING; /* unreadable: the narrowest */
}

const char *share_level_name(enum share_level level)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (levels[i].level == level) {
            return levels[i].name;
        }
    }
    return "nothing";
}

bool share_is_set(struct bytes setting, struct bytes source)
{
    struct bytes name, level;
    while (share_line(&setting, &name, &level)) {
        if (bytes_eq(name, source)) {
            return true;
        }
    }
    return false;
}

int share_named(struct bytes setting, int (*fn)(void *ctx, struct bytes source), void *ctx)
{
    struct bytes name, level;
    int rc = 0;
    while (rc == 0 && share_line(&setting, &name, &level)) {
        rc = fn(ctx, name);
    }
    return rc;
}

static void line_put(struct buf *out, struct bytes source, struct bytes level)
{
    (void)buf_bytes(out, source);
    (void)buf_put(out, ' ');
    (void)buf_bytes(out, level);
    (void)buf_put(out, '\n');
}

int share_edit(struct bytes setting, struct bytes source, struct bytes level, struct buf *out, struct err *e)
{
    struct bytes name, had;
    bool back = bytes_eq(level, BYTES_LIT("default"));
    bool fits = source.n > 0 && source.n <= LIMIT_NAME_BYTES &&
                bytes_find(source, BYTES_LIT(" ")) == SIZE_MAX &&
                bytes_find(source, BYTES_LIT("\n")) == SIZE_MAX;
    if (!fits || (!back && level_find(level) < 0)) {
        (void)err_set(e, ERR_USAGE, "a source shares nothing, counts or text");
        err_hint(e,
                 "for example: selfsame share firefox nothing; back again: selfsame share firefox default");
        return ERR_USAGE;
    }
    while (share_line(&setting, &name, &had)) {
        if (!bytes_eq(name, source)) {
            line_put(out, name, had);
        }
    }
    if (!back) {
        line_put(out, source, level);
    }
    return out->err != 0 ? err_set(e, out->err, "the setting grows too long") : 0;
}

int share_load(struct store *s, struct buf *out, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    int rc = setting_find(BYTES_LIT("share"), &k, e);
    return rc != 0 ? rc : config_get(s, k, out, &set, e);
}

/* ---- beside the database ----------------------------------------------------------------------------------
 */

#define KEPT_NAME "share"

/* The setting as the database has it, and what of it is in force. */
struct narrow {
    struct buf stored, kept, out;
    bool narrower; /* than what is stored */
};

static int narrow_put(void *ctx, struct bytes source)
{
    struct narrow *x = ctx;
    if (share_is_set(buf_view(&x->out), source)) {
        return 0;
    }
    enum share_level stored = share_level_of(buf_view(&x->stored), source);
    enum share_level kept = share_level_of(buf_view(&x->kept), source);
    x->narrower = x->narrower || kept < stored;
    line_put(&x->out, source, bytes_str(share_level_name(kept < stored ? kept : stored)));
    return x->out.err;
}

/* The narrower of the two for each source; nothing at all when they do not fit one setting. */
static int narrow_join(struct narrow *x)
{
    bool fits = narrow_put(x, BYTES_LIT("*")) == 0 && share_named(buf_view(&x->stored), narrow_put, x) == 0 &&
                share_named(buf_view(&x->kept), narrow_put, x) == 0 &&
                share_check(buf_view(&x->out), NULL) == 0;
    if (fits && x->narrower) {
        return 0;
    }
    buf_release(&x->out);
    buf_init(&x->out, LIMIT_SETTING_BYTES);
    x->narrower = !fits;
    return buf_bytes(&x->out, fits ? buf_view(&x->stored) : BYTES_LIT("* nothing"));
}

/* What the file keeps, appended to out. */
static int kept_read(struct node *n, struct buf *out, bool *found, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    int rc = home_file(&n->home, KEPT_NAME, path, e);
    *found = rc == 0 && access(path, F_OK) == 0;
    if (*found) {
        rc = file_private(path, e);
        rc = rc != 0 ? rc : file_read(path, out, e);
    }
    return rc;
}

static int kept_write(struct node *n, struct bytes setting, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    struct buf kept;
    bool found = false;
    buf_init(&kept, LIMIT_SETTING_BYTES);
    int rc = kept_read(n, &kept, &found, e);
    bool same = rc == 0 && bytes_eq(buf_view(&kept), setting); /* a file that is not there says the default */
    if (rc == 0 && !same) {
        rc = home_file(&n->home, KEPT_NAME, path, e);
        rc = rc != 0 ? rc : file_replace(path, setting, e);
    }
    buf_release(&kept);
    return rc;
}

static int narrow_load(struct node *n, struct narrow *x, struct err *e)
{
    bool found = false;
    *x = (struct narrow){.narrower = false};
    buf_init(&x->stored, LIMIT_SETTING_BYTES);
    buf_init(&x->kept, LIMIT_SETTING_BYTES);
    buf_init(&x->out, LIMIT_SETTING_BYTES);
    int rc = share_load(n->store, &x->stored, e);
    if (rc == 0) {
        rc = kept_read(n, &x->kept, &found, e);
    }
    if (rc == 0 && found && !bytes_eq(buf_view(&x->stored), buf_view(&x->kept))) {
        rc = narrow_join(x);
    } else if (rc == 0) {
        rc = buf_bytes(&x->out, buf_view(&x->stored));
    }
    return rc;
}

static void narrow_release(struct narrow *x)
{
    buf_release(&x->stored);
    buf_release(&x->kept);
    buf_release(&x->out);
}

int share_in_force(struct node *n, struct buf *out, struct err *e)
{
    struct narrow x;
    int rc = narrow_load(n, &x, e);
    rc = rc != 0 ? rc : buf_bytes(out, buf_view(&x.out));
    narrow_release(&x);
    return rc;
}

int share_reconcile(struct node *n, struct err *e)
{
    const struct setting *k = NULL;
    struct narrow x;
    int rc = narrow_load(n, &x, e);
    n->share_narrowed = rc == 0 && x.narrower;
    if (n->share_narrowed && !n->read_only) {
        rc = setting_find(BYTES_LIT("share"), &k, e);
        rc = rc != 0 ? rc : config_set(n->store, k, buf_view(&x.out), e);
    }
    narrow_release(&x);
    return rc;
}

/* ---- after a change ---------------------------------------------------------------------------------------
 */

struct change {
    struct node *n;
    struct buf before, now;
    struct map *sources;
    struct buf rows; /* int64_t */
    struct err *e;
};

static int source_note(void *ctx, const struct source_count *c)
{
    struct change *x = ctx;
    return map_add(x->sources, c->source, NULL) == NULL ? ERR_NOMEM : 0;
}

static int row_note(void *ctx, const struct stored_observation *o)
{
    struct change *x = ctx;
    return buf_append(&x->rows, &o->row, sizeof(o->row));
}

/* Indexes the observations of a source anew, or drops them from the index. */
static int source_turn(struct change *x, struct bytes source, bool learn)
{
    const struct observation_filter f = {
        .source = source, .from_ms = TIME_NONE, .until_ms = TIME_NONE, .max = UINT32_MAX};
    buf_clear(&x->rows);
    int rc = local_observations(x->n->store, &f, row_note, x, x->e);
    for (size_t at = 0; rc == 0 && at < x->rows.n; at += sizeof(int64_t)) {
        int64_t row;
        struct stored_observation o;
        memcpy(&row, x->rows.p + at, sizeof(row));
        if (!learn) {
            rc = store_observation_untrace(x->n->store, row, x->e);
            continue;
        }
        rc = local_observation(x->n->store, row, &o, x->e);
        if (rc == 0) {
            rc = infer_observe(x->n->infer, &o, x->e);
        }
    }
    return rc;
}

static int change_run(struct change *x)
{
    int rc = local_sources(x->n->store, source_note, x, x->e);
    for (size_t i = 0; rc == 0 && i < map_count(x->sources); i++) {
        struct bytes source = map_at(x->sources, i)->key;
        bool learnt = share_level_of(buf_view(&x->before), source) != SHARE_NOTHING;
        bool learn = share_level_of(buf_view(&x->now), source) != SHARE_NOTHING;
        if (learnt != learn) {
            rc = source_turn(x, source, learn);
        }
    }
    if (rc == 0) {
        rc = infer_flush(x->n->infer, NULL, x->e);
    }
    if (rc == 0) {
        rc = share_publish(x->n, x->e);
    }
    return rc != 0 ? rc : local_set(x->n->store, APPLIED_NAME, buf_view(&x->now), x->e);
}

static int change_begin(struct change *x, bool *same)
{
    bool found = false;
    buf_init(&x->before, LIMIT_SETTING_BYTES);
    buf_init(&x->now, LIMIT_SETTING_BYTES);
    buf_init(&x->rows, (size_t)256 << 20);
    x->sources = map_new();
    int rc = x->sources != NULL ? share_load(x->n->store, &x->now, x->e) : ERR_NOMEM;
    if (rc == 0) {
        rc = local_get(x->n->store, APPLIED_NAME, &x->before, &found, x->e);
    }
    *same = rc == 0 && bytes_eq(buf_view(&x->before), buf_view(&x->now));
    return rc;
}

int share_apply(struct node *n, struct err *e)
{
    struct change x = {.n = n, .e = e};
    bool same = false;
    int rc = change_begin(&x, &same);
    if (rc == 0 && !same) {
        rc = store_begin(n->store, e);
        if (rc == 0) {
            rc = change_run(&x);
            if (rc == 0) {
                rc = store_commit(n->store, e);
            } else {
                store_rollback(n->store);
            }
        }
    }
    if (rc == 0) {
        rc = kept_write(n, buf_view(&x.now), e);
    }
    buf_release(&x.before);
    buf_release(&x.now);
    buf_release(&x.rows);
    map_free(x.sources);
    return rc;
}

/* ---- excerpts: which ones --------------------------------------------------------------------------------
 */

#define WRITTEN_PREFIX "share:text:" /* local value, by the observation's key: excerpt id, ids of parents */
#define WRITTEN_NAME (sizeof(WRITTEN_PREFIX) + ID_TEXT)
#define PARENTS_MAX 32

/* An observation whose text is to be shared. */
struct wanted {
    int64_t row;
    uint8_t key[16];
    struct id parents[PARENTS_MAX];
    size_t n;
};

struct publish {
    struct node *n;
    struct buf setting;
    struct map *sources;
    struct map *props; /* id → how many observations stand behind it */
    struct map *keys;  /* of the wanted */
    struct buf rows, wanted;
    struct wanted *at; /* the observation at hand */
    struct draft draft;
    struct err *e;
};

static int publish_source(void *ctx, const struct source_count *c)
{
    struct publish *p = ctx;
    bool text = share_level_of(buf_view(&p->setting), c->source) == SHARE_TEXT;
    return text && map_add(p->sources, c->source, NULL) == NULL ? ERR_NOMEM : 0;
}

static int parent_note(void *ctx, const struct id *prop, bool against)
{
    struct publish *p = ctx;
    struct map_slot *slot = against ? NULL : map_add(p->props, bytes_of(prop->b, ID_BYTES), NULL);
    if (slot == NULL) {
        return against ? 0 : ERR_NOMEM;
    }
    if (slot->v.num < SHARE_EXCERPTS && p->at->n < PARENTS_MAX) {
        slot->v.num++;
        p->at->parents[p->at->n++] = *prop;
    }
    return 0;
}

static int recent_note(void *ctx, const struct stored_observation *o)
{
    struct publish *p = ctx;
    struct wanted w = {.row = o->row};
    memcpy(w.key, o->key, sizeof(w.key));
    return buf_append(&p->rows, &w, sizeof(w));
}

/* Of the newest observations those that are among the newest behind some proposition. */
static int source_want(struct publish *p, struct bytes source)
{
    const struct observation_filter f = {.source = source,
                                         .from_ms = TIME_NONE,
                                         .until_ms = TIME_NONE,
                                         .max = RECENT_MAX,
                                         .newest_first = true};
    buf_clear(&p->rows);
    int rc = local_observations(p->n->store, &f, recent_note, p, p->e);
    struct wanted *rows = (struct wanted *)(void *)p->rows.p;
    for (size_t i = 0; rc == 0 && i < p->rows.n / sizeof(*rows); i++) {
        p->at = &rows[i];
        rc = local_links_of(p->n->store, rows[i].row, parent_note, p, p->e);
        if (rc == 0 && rows[i].n > 0) {
            rc = buf_append(&p->wanted, &rows[i], sizeof(rows[i]));
        }
    }
    return rc;
}

/* ---- excerpts: writing ------------------------------------------------------------------------------------
 */

static void written_name(const uint8_t key[16], char out[WRITTEN_NAME])
{
    struct id id;
    memcpy(id.b, key, ID_BYTES);
    memcpy(out, WRITTEN_PREFIX, sizeof(WRITTEN_PREFIX) - 1);
    id_text(&id, out + sizeof(WRITTEN_PREFIX) - 1);
}

/* What an observation says: title and text, or the most telling field of it. */
static struct bytes words_of(const struct stored_observation *o, struct buf *joined)
{
    if (o->title.n > 0 && o->text.n > 0 && buf_bytes(joined, utf8_cut(o->title, SHARE_EXCERPT_BYTES)) == 0 &&
        buf_bytes(joined, BYTES_LIT(": ")) == 0 &&
        buf_bytes(joined, utf8_cut(o->text, SHARE_EXCERPT_BYTES)) == 0) {
        return utf8_cut(buf_view(joined), SHARE_EXCERPT_BYTES);
    }
    const struct bytes fields[] = {o->title, o->text, o->command, o->url, o->app};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].n > 0) {
            return utf8_cut(fields[i], SHARE_EXCERPT_BYTES);
        }
    }
    return BYTES_NONE;
}

static int excerpt_forget(struct node *n, const struct id *id, struct err *e)
{
    struct draft d;
    draft_init(&d);
    draft_reset(&d, SPACE_EXCERPT, CLASS_EDIT, id);
    draft_forget(&d);
    struct err own = ERR_INIT;
    int rc = store_write(n->store, &d, &own);
    draft_release(&d);
    return rc == 0 || rc == ERR_FORGOTTEN ? 0 : err_set(e, rc, "%s", own.text);
}

static int excerpt_write(struct publish *p, const struct wanted *w, struct id *id)
{
    struct stored_observation o;
    struct buf time, joined;
    int rc = local_observation(p->n->store, w->row, &o, p->e);
    if (rc != 0) {
        return rc;
    }
    rng_fill(&p->n->rng, id->b, ID_BYTES);
    buf_init(&time, 16);
    buf_init(&joined, 2 * SHARE_EXCERPT_BYTES + 2);
    wr_svarint(&time, o.time_ms);
    draft_reset(&p->draft, SPACE_EXCERPT, CLASS_MODEL, id);
    draft_reg(&p->draft, REG_NAME, o.source, NULL, 0);
    draft_reg(&p->draft, REG_VALUE, words_of(&o, &joined), NULL, 0);
    draft_reg(&p->draft, REG_CREATED, buf_view(&time), NULL, 0);
    for (size_t i = 0; i < w->n; i++) {
        draft_set_add(&p->draft, SET_PARENT, bytes_of(w->parents[i].b, ID_BYTES));
    }
    rc = store_write(p->n->store, &p->draft, p->e);
    buf_release(&time);
    buf_release(&joined);
    return rc;
}

/* Writes one that is not there yet; one whose propositions changed is written anew. */
static int wanted_write(struct publish *p, const struct wanted *w)
{
    char name[WRITTEN_NAME];
    struct buf held;
    struct id id;
    bool found = false;
    written_name(w->key, name);
    buf_init(&held, 4096);
    int rc = local_get(p->n->store, name, &held, &found, p->e);
    bool same = rc == 0 && found && held.n >= ID_BYTES &&
                bytes_eq(bytes_slice(buf_view(&held), ID_BYTES, SIZE_MAX),
                         bytes_of(w->parents, w->n * sizeof(w->parents[0])));
    if (rc == 0 && found && !same && held.n >= ID_BYTES) {
        memcpy(id.b, held.p, ID_BYTES);
        rc = excerpt_forget(p->n, &id, p->e);
    }
    if (rc == 0 && !same) {
        rc = excerpt_write(p, w, &id);
        buf_clear(&held);
        (void)buf_append(&held, id.b, ID_BYTES);
        (void)buf_append(&held, w->parents, w->n * sizeof(w->parents[0]));
        rc = rc == 0 ? local_set(p->n->store, name, buf_view(&held), p->e) : rc;
    }
    buf_release(&held);
    return rc;
}

struct stale {
    struct publish *p;
    struct buf found; /* struct { key 16, excerpt id 16 } */
};

static int stale_note(void *ctx, const char *name, struct bytes value)
{
    struct stale *s = ctx;
    struct id key;
    if (id_parse(bytes_str(name + sizeof(WRITTEN_PREFIX) - 1), &key) != 0 || value.n < ID_BYTES ||
        (s->p != NULL && map_find(s->p->keys, bytes_of(key.b, ID_BYTES)) != NULL)) {
        return 0;
    }
    (void)buf_append(&s->found, key.b, ID_BYTES);
    return buf_append(&s->found, value.p, ID_BYTES);
}

/* Forgets the excerpts that are written and not wanted (`p` NULL: of all of them only that they are written).
 */
static int stale_drop(struct node *n, struct publish *p, struct err *e)
{
    struct stale s = {.p = p};
    buf_init(&s.found, (size_t)64 << 20);
    int rc = local_each(n->store, WRITTEN_PREFIX, stale_note, &s, e);
    for (size_t at = 0; rc == 0 && at < s.found.n; at += 2 * ID_BYTES) {
        char name[WRITTEN_NAME];
        struct id id;
        written_name(s.found.p + at, name);
        memcpy(id.b, s.found.p + at + ID_BYTES, ID_BYTES);
        rc = p != NULL ? excerpt_forget(n, &id, e) : 0;
        if (rc == 0) {
            rc = local_set(n->store, name, BYTES_NONE, e);
        }
    }
    buf_release(&s.found);
    return rc;
}

int share_start_anew(struct node *n, struct err *e)
{
    return stale_drop(n, NULL, e);
}

static int publish_run(struct publish *p)
{
    int rc = share_load(p->n->store, &p->setting, p->e);
    if (rc == 0) {
        rc = local_sources(p->n->store, publish_source, p, p->e);
    }
    for (size_t i = 0; rc == 0 && i < map_count(p->sources); i++) {
        rc = source_want(p, map_at(p->sources, i)->key);
    }
    const struct wanted *w = (const struct wanted *)(const void *)p->wanted.p;
    for (size_t i = 0; rc == 0 && i < p->wanted.n / sizeof(*w); i++) {
        rc = map_add(p->keys, bytes_of(w[i].key, 16), NULL) != NULL ? wanted_write(p, &w[i]) : ERR_NOMEM;
    }
    return rc == 0 ? stale_drop(p->n, p, p->e) : rc;
}

int share_publish(struct node *n, struct err *e)
{
    struct publish p = {.n = n, .sources = map_new(), .props = map_new(), .keys = map_new(), .e = e};
    buf_init(&p.setting, LIMIT_SETTING_BYTES);
    buf_init(&p.rows, RECENT_MAX * sizeof(struct wanted));
    buf_init(&p.wanted, (size_t)256 << 20);
    draft_init(&p.draft);
    bool ready = p.sources != NULL && p.props != NULL && p.keys != NULL;
    int rc = ready ? publish_run(&p) : err_set(e, ERR_NOMEM, "sharing excerpts");
    map_free(p.sources);
    map_free(p.props);
    map_free(p.keys);
    draft_release(&p.draft);
    buf_release(&p.setting);
    buf_release(&p.rows);
    buf_release(&p.wanted);
    return rc;
}

/* ---- excerpts: reading ------------------------------------------------------------------------------------
 */

struct look {
    const struct id *prop;
    int (*fn)(void *ctx, const struct excerpt *x);
    void *ctx;
    struct buf ids; /* of the excerpts, for forgetting */
};

static bool stands_behind(const struct entity *x, const struct id *prop)
{
    size_t at = 0;
    struct bytes parent;
    while (entity_set_next(x, SET_PARENT, &at, &parent)) {
        if (bytes_eq(parent, bytes_of(prop->b, ID_BYTES))) {
            return true;
        }
    }
    return false;
}

static int excerpt_look(void *ctx, const struct id *id, const struct entity *x)
{
    struct look *l = ctx;
    struct excerpt out = {.time_ms = TIME_NONE};
    struct stamp stamp;
    struct bytes time;
    struct rd r;
    if (!stands_behind(x, l->prop)) {
        return 0;
    }
    if (l->fn == NULL) {
        return buf_append(&l->ids, id, sizeof(*id));
    }
    if (!entity_reg(x, REG_VALUE, &out.text, &stamp) || !entity_reg(x, REG_NAME, &out.source, NULL)) {
        return 0;
    }
    if (entity_reg(x, REG_CREATED, &time, NULL)) {
        rd_init(&r, time);
        out.time_ms = rd_svarint(&r);
    }
    out.log = stamp.log;
    return l->fn(l->ctx, &out);
}

int share_excerpts(struct node *n, const struct id *prop, int (*fn)(void *ctx, const struct excerpt *x),
                   void *ctx, struct err *e)
{
    struct look l = {.prop = prop, .fn = fn, .ctx = ctx};
    return store_entities(n->store, SPACE_EXCERPT, excerpt_look, &l, e);
}

int share_forget(struct node *n, const struct id *prop, struct err *e)
{
    struct look l = {.prop = prop};
    buf_init(&l.ids, (size_t)64 << 20);
    int rc = store_entities(n->store, SPACE_EXCERPT, excerpt_look, &l, e);
    for (size_t at = 0; rc == 0 && at < l.ids.n; at += sizeof(struct id)) {
        struct id id;
        memcpy(&id, l.ids.p + at, sizeof(id));
        rc = excerpt_forget(n, &id, e);
    }
    buf_release(&l.ids);
    return rc;
}
