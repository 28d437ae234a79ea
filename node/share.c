/* Sharing by source. What was applied last is kept in the local value `share:applied`, so that a change is
 * told from a setting that stands. */
#include "node/share.h"

#include "base/map.h"
#include "base/text.h"
#include "node/config.h"
#include "store/reset.h"

#include <stdlib.h>
#include <string.h>

#define APPLIED_NAME "share:applied"
/* Observations of a source that are looked at for excerpts, newest first. */
#define RECENT_MAX 5000

static const struct {
    const char *name;
    enum share_level level;
} levels[] = {{"nothing", SHARE_NOTHING}, {"counts", SHARE_COUNTS}, {"text", SHARE_TEXT}};

/* ---- the setting ------------------------------------------------------------------------------------------
 */

/* The next line that says something, as source and level. */
static bool line_next(struct bytes *rest, struct bytes *source, struct bytes *level)
{
    while (rest->n > 0) {
        size_t end = bytes_find(*rest, BYTES_LIT("\n"));
        struct bytes line = bytes_trim(bytes_slice(*rest, 0, end == SIZE_MAX ? rest->n : end));
        *rest = end == SIZE_MAX ? BYTES_NONE : bytes_slice(*rest, end + 1, SIZE_MAX);
        size_t gap = bytes_find(line, BYTES_LIT(" "));
        *source = bytes_slice(line, 0, gap == SIZE_MAX ? line.n : gap);
        *level = gap == SIZE_MAX ? BYTES_NONE : bytes_trim(bytes_slice(line, gap, SIZE_MAX));
        if (line.n > 0) {
            return true;
        }
    }
    return false;
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
    while (line_next(&value, &source, &level)) {
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
    while (line_next(&setting, &name, &level)) {
        if (bytes_eq(name, source)) {
            own = level_find(level);
        } else if (bytes_eq(name, BYTES_LIT("*"))) {
            others = level_find(level);
        }
    }
    int found = own >= 0 ? own : others;
    return found >= 0 ? (enum share_level)found : SHARE_NOTHING; /* unreadable: the narrowest */
}

int share_load(struct store *s, struct buf *out, struct err *e)
{
    const struct setting *k = NULL;
    bool set = false;
    int rc = setting_find(BYTES_LIT("share"), &k, e);
    return rc != 0 ? rc : config_get(s, k, out, &set, e);
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
    buf_release(&x.before);
    buf_release(&x.now);
    buf_release(&x.rows);
    map_free(x.sources);
    return rc;
}

/* ---- excerpts ---------------------------------------------------------------------------------------------
 */

bool excerpt_read(struct bytes element, struct excerpt *out)
{
    struct rd r;
    rd_init(&r, element);
    rd_copy(&r, out->device.b, ID_BYTES);
    out->time_ms = rd_svarint(&r);
    out->source = rd_lenbytes(&r, LIMIT_NAME_BYTES);
    out->text = rd_lenbytes(&r, SHARE_EXCERPT_BYTES);
    return rd_end(&r) == 0 && utf8_valid(out->source) && utf8_valid(out->text);
}

/* The most telling field of an observation. */
static struct bytes words_of(const struct stored_observation *o)
{
    const struct bytes fields[] = {o->title, o->text, o->command, o->url, o->app};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].n > 0) {
            return utf8_cut(fields[i], SHARE_EXCERPT_BYTES);
        }
    }
    return BYTES_NONE;
}

struct publish {
    struct node *n;
    struct buf setting;
    struct map *sources;
    struct map *props; /* id → index + 1 into `picked` */
    struct buf picked; /* struct picked */
    struct buf element;
    int64_t row; /* the observation at hand */
    struct entity *x;
    struct draft draft;
    struct err *e;
};

struct picked {
    struct id prop;
    int64_t rows[SHARE_EXCERPTS];
    size_t n;
};

static int publish_source(void *ctx, const struct source_count *c)
{
    struct publish *p = ctx;
    bool text = share_level_of(buf_view(&p->setting), c->source) == SHARE_TEXT;
    return text && map_add(p->sources, c->source, NULL) == NULL ? ERR_NOMEM : 0;
}

static int prop_pick(void *ctx, const struct id *prop, bool against)
{
    struct publish *p = ctx;
    bool fresh = false;
    struct map_slot *slot = against ? NULL : map_add(p->props, bytes_of(prop->b, ID_BYTES), &fresh);
    if (slot == NULL) {
        return against ? 0 : ERR_NOMEM;
    }
    if (fresh) {
        const struct picked none = {.prop = *prop};
        slot->v.num = p->picked.n / sizeof(none);
        if (buf_append(&p->picked, &none, sizeof(none)) != 0) {
            return ERR_NOMEM;
        }
    }
    struct picked *k = (struct picked *)(void *)p->picked.p + slot->v.num;
    if (k->n < SHARE_EXCERPTS) {
        k->rows[k->n++] = p->row;
    }
    return 0;
}

struct recent {
    struct buf rows;
};

static int recent_note(void *ctx, const struct stored_observation *o)
{
    struct recent *r = ctx;
    return buf_append(&r->rows, &o->row, sizeof(o->row));
}

static int source_pick(struct publish *p, struct bytes source)
{
    struct recent r;
    const struct observation_filter f = {.source = source,
                                         .from_ms = TIME_NONE,
                                         .until_ms = TIME_NONE,
                                         .max = RECENT_MAX,
                                         .newest_first = true};
    buf_init(&r.rows, RECENT_MAX * sizeof(int64_t));
    int rc = local_observations(p->n->store, &f, recent_note, &r, p->e);
    for (size_t at = 0; rc == 0 && at < r.rows.n; at += sizeof(int64_t)) {
        memcpy(&p->row, r.rows.p + at, sizeof(p->row));
        rc = local_links_of(p->n->store, p->row, prop_pick, p, p->e);
    }
    buf_release(&r.rows);
    return rc;
}

static int element_make(struct publish *p, int64_t row)
{
    struct stored_observation o;
    buf_clear(&p->element);
    int rc = local_observation(p->n->store, row, &o, p->e);
    if (rc != 0) {
        return rc;
    }
    wr_bytes(&p->element, bytes_of(p->n->home.device.b, ID_BYTES));
    wr_svarint(&p->element, o.time_ms);
    wr_lenbytes(&p->element, o.source);
    wr_lenbytes(&p->element, words_of(&o));
    return p->element.err;
}

static bool element_held(const struct publish *p, struct bytes element)
{
    size_t at = 0;
    struct bytes held;
    while (entity_set_next(p->x, SET_EXCERPT, &at, &held)) {
        if (bytes_eq(held, element)) {
            return true;
        }
    }
    return false;
}

/* Takes back this device's excerpts that are not among the picked. */
static int stale_drop(struct publish *p, const struct picked *k)
{
    size_t at = 0;
    struct bytes held;
    struct excerpt x;
    int rc = 0;
    while (rc == 0 && entity_set_next(p->x, SET_EXCERPT, &at, &held)) {
        uint8_t dots[LIMIT_PRIOR_STAMPS][16];
        bool keep = !excerpt_read(held, &x) || !id_eq(&x.device, &p->n->home.device);
        for (size_t i = 0; rc == 0 && !keep && k != NULL && i < k->n; i++) {
            rc = element_make(p, k->rows[i]);
            keep = bytes_eq(buf_view(&p->element), held);
        }
        if (rc == 0 && !keep) {
            size_t n = entity_set_dots(p->x, SET_EXCERPT, held, dots, LIMIT_PRIOR_STAMPS);
            draft_set_remove(&p->draft, SET_EXCERPT, held, (const uint8_t(*)[16])dots, n);
        }
    }
    return rc;
}

static int prop_publish(struct publish *p, const struct id *id, const struct picked *k)
{
    int rc = store_entity(p->n->store, SPACE_PROPOSITION, id, p->x, p->e);
    if (rc != 0 || entity_forgotten(p->x)) {
        return rc == ERR_NOTFOUND ? 0 : rc;
    }
    draft_reset(&p->draft, SPACE_PROPOSITION, CLASS_MODEL, id);
    rc = stale_drop(p, k);
    for (size_t i = 0; rc == 0 && k != NULL && i < k->n; i++) {
        rc = element_make(p, k->rows[i]);
        if (rc == 0 && !element_held(p, buf_view(&p->element))) {
            draft_set_add(&p->draft, SET_EXCERPT, buf_view(&p->element));
        }
    }
    return rc == 0 && p->draft.n_actions > 0 ? store_write(p->n->store, &p->draft, p->e) : rc;
}

#define PUBLISHED_PREFIX "share:text:"

static void published_name(const struct id *id, char out[sizeof(PUBLISHED_PREFIX) + ID_TEXT])
{
    memcpy(out, PUBLISHED_PREFIX, sizeof(PUBLISHED_PREFIX) - 1);
    id_text(id, out + sizeof(PUBLISHED_PREFIX) - 1);
}

struct published {
    struct publish *p;
    struct buf gone; /* struct id: published before, not picked now */
};

static int published_note(void *ctx, const char *name, struct bytes value)
{
    struct published *w = ctx;
    struct id id;
    (void)value;
    if (id_parse(bytes_str(name + sizeof(PUBLISHED_PREFIX) - 1), &id) != 0 ||
        map_find(w->p->props, bytes_of(id.b, ID_BYTES)) != NULL) {
        return 0;
    }
    return buf_append(&w->gone, &id, sizeof(id));
}

static int withdraw(struct publish *p)
{
    struct published w = {.p = p};
    buf_init(&w.gone, (size_t)64 << 20);
    int rc = local_each(p->n->store, PUBLISHED_PREFIX, published_note, &w, p->e);
    for (size_t at = 0; rc == 0 && at < w.gone.n; at += sizeof(struct id)) {
        char name[sizeof(PUBLISHED_PREFIX) + ID_TEXT];
        struct id id;
        memcpy(&id, w.gone.p + at, sizeof(id));
        rc = prop_publish(p, &id, NULL);
        published_name(&id, name);
        if (rc == 0) {
            rc = local_set(p->n->store, name, BYTES_NONE, p->e);
        }
    }
    buf_release(&w.gone);
    return rc;
}

static int publish_run(struct publish *p)
{
    int rc = share_load(p->n->store, &p->setting, p->e);
    if (rc == 0) {
        rc = local_sources(p->n->store, publish_source, p, p->e);
    }
    for (size_t i = 0; rc == 0 && i < map_count(p->sources); i++) {
        rc = source_pick(p, map_at(p->sources, i)->key);
    }
    const struct picked *picked = (const struct picked *)(const void *)p->picked.p;
    for (size_t i = 0; rc == 0 && i < p->picked.n / sizeof(*picked); i++) {
        char name[sizeof(PUBLISHED_PREFIX) + ID_TEXT];
        rc = prop_publish(p, &picked[i].prop, &picked[i]);
        published_name(&picked[i].prop, name);
        if (rc == 0) {
            rc = local_set(p->n->store, name, BYTES_LIT("1"), p->e);
        }
    }
    return rc == 0 ? withdraw(p) : rc;
}

int share_publish(struct node *n, struct err *e)
{
    struct publish p = {.n = n, .sources = map_new(), .props = map_new(), .x = entity_new(), .e = e};
    buf_init(&p.setting, LIMIT_SETTING_BYTES);
    buf_init(&p.picked, (size_t)64 << 20);
    buf_init(&p.element, LIMIT_TEXT_BYTES);
    draft_init(&p.draft);
    bool ready = p.sources != NULL && p.props != NULL && p.x != NULL;
    int rc = ready ? publish_run(&p) : err_set(e, ERR_NOMEM, "sharing excerpts");
    map_free(p.sources);
    map_free(p.props);
    entity_free(p.x);
    draft_release(&p.draft);
    buf_release(&p.setting);
    buf_release(&p.picked);
    buf_release(&p.element);
    return rc;
}
