#include "tests/node/infer/device.h"

#include "base/check.h"
#include "store/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ok(int rc, const struct err *e)
{
    if (rc != 0)
        fprintf(stderr, "error %d: %s\n", rc, e->text);
    CHECK(rc == 0);
}

void device_init(struct device *d, unsigned number, int64_t now_ms)
{
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    memset(d, 0, sizeof *d);
    tmp_dir_make(&d->dir);
    test_clock_init(&d->test_clock, now_ms);
    test_rng_init(&d->test_rng, number);
    d->clock = test_clock_iface(&d->test_clock);
    d->rng = test_rng_iface(&d->test_rng);
    memset(d->id.b, (int)number, ID_BYTES);
    memset(d->log.b, (int)(100 + number), ID_BYTES);
    const struct store_config cfg = {
        .path = tmp_path(&d->dir, "store.db", path), .clock = &d->clock, .rng = &d->rng};
    ok(store_open(&d->s, &cfg, &e), &e);
    store_use_log(d->s, &d->log, &d->id);
    const struct infer_env env = {.store = d->s,
                                  .clock = &d->clock,
                                  .device = d->id,
                                  .device_name = "laptop",
                                  .claim_secret = DEVICE_SECRET};
    ok(infer_open(&d->x, &env, &e), &e);
}

void device_release(struct device *d)
{
    infer_close(d->x);
    store_close(d->s);
    tmp_dir_remove(&d->dir);
}

void device_see(struct device *d, const struct observation *o)
{
    struct err e = ERR_INIT;
    struct stored_observation s = {.time_ms = o->time_ms,
                                   .end_ms = o->end_ms,
                                   .added_ms = d->test_clock.wall_ms,
                                   .offset_min = o->offset_min,
                                   .shared_event = o->shared_event,
                                   .untimed = o->occurrence > 0,
                                   .source = o->source,
                                   .app = o->app,
                                   .title = o->title,
                                   .text = o->text,
                                   .url = o->url,
                                   .command = o->command,
                                   .cwd = o->cwd,
                                   .data = o->data};
    bool fresh;
    if (s.untimed)
        s.time_ms = d->test_clock.wall_ms;
    CHECK(event_key(DEVICE_SECRET, o, s.key) == 0);
    ok(local_observation_add(d->s, &s, &s.row, &fresh, &e), &e);
    if (fresh)
        ok(infer_observe(d->x, &s, &e), &e);
}

void device_flush(struct device *d, struct infer_summary *sum)
{
    struct err e = ERR_INIT;
    ok(store_begin(d->s, &e), &e);
    ok(infer_flush(d->x, sum, &e), &e);
    ok(store_commit(d->s, &e), &e);
}

void device_take(struct device *d, const struct observation *o, size_t n)
{
    struct err e = ERR_INIT;
    ok(store_begin(d->s, &e), &e);
    for (size_t i = 0; i < n; i++)
        device_see(d, &o[i]);
    ok(store_commit(d->s, &e), &e);
    device_flush(d, NULL);
}

void device_erase(struct device *d, const char *source)
{
    struct err e = ERR_INIT;
    uint64_t n;
    ok(store_begin(d->s, &e), &e);
    ok(local_source_erase(d->s, bytes_str(source), TIME_NONE, TIME_NONE, &n, &e), &e);
    ok(store_commit(d->s, &e), &e);
}

static int receive(void *ctx, const struct op_record *r)
{
    struct device *b = ctx;
    struct err e = ERR_INIT;
    int rc = store_receive(b->s, r, &e);
    if (rc != ERR_EXISTS)
        ok(rc, &e);
    return 0;
}

void device_send(struct device *a, struct device *b)
{
    struct err e = ERR_INIT;
    ok(store_ops(a->s, &a->log, 0, UINT64_MAX, receive, b, &e), &e);
}

static int head_note(void *ctx, const struct log_head *h)
{
    *(uint64_t *)ctx += h->seq;
    return 0;
}

uint64_t device_ops(struct device *d)
{
    struct err e = ERR_INIT;
    uint64_t n = 0;
    ok(store_logs(d->s, head_note, &n, &e), &e);
    return n;
}

struct wanted {
    const char *text;
    bool part;
    struct id id;
    size_t n;
};

static int want(void *ctx, const struct prop *p)
{
    struct wanted *w = ctx;
    if (w->part ? bytes_find(p->text, bytes_str(w->text)) != SIZE_MAX
                : bytes_eq(p->text, bytes_str(w->text))) {
        w->id = p->id;
        w->n++;
    }
    return 0;
}

bool device_claim(struct device *d, const char *text, struct prop *out)
{
    struct err e = ERR_INIT;
    struct wanted w = {.text = text};
    ok(store_props(d->s, PROP_DROPPED, want, &w, &e), &e);
    if (w.n > 0)
        ok(store_prop(d->s, &w.id, false, out, &e), &e);
    return w.n > 0;
}

size_t device_claims(struct device *d, const char *part)
{
    struct err e = ERR_INIT;
    struct wanted w = {.text = part, .part = true};
    ok(store_props(d->s, PROP_DROPPED, want, &w, &e), &e);
    return w.n;
}

struct model {
    struct device *d;
    char **lines;
    size_t n;
};

static int key_note(void *ctx, const struct stored_observation *o, bool against)
{
    struct buf *keys = ctx;
    (void)buf_append(keys, o->key, 16);
    (void)buf_put(keys, against);
    return 0;
}

static int key_compare(const void *a, const void *b)
{
    return memcmp(a, b, 17);
}

static int id_note(void *ctx, const struct prop *p)
{
    return buf_append(ctx, &p->id, sizeof p->id);
}

static void claim_line(struct device *d, const struct id *id, struct buf *line)
{
    struct err e = ERR_INIT;
    struct prop p;
    struct buf keys;
    ok(store_prop(d->s, id, false, &p, &e), &e);
    (void)buf_bytes(line, p.text);
    (void)buf_str(line, " | ");
    (void)buf_bytes(line, p.reasoning);
    (void)buf_printf(line, " | %u %u %u %llu %llu %lld %lld %lld |", p.kind, p.decay, p.prior,
                     (unsigned long long)p.support, (unsigned long long)p.against, (long long)p.first_ms,
                     (long long)p.last_ms, (long long)p.created_ms);
    buf_init(&keys, (size_t)1 << 24);
    ok(local_links(d->s, id, false, UINT32_MAX, key_note, &keys, &e), &e);
    if (keys.n > 0)
        qsort(keys.p, keys.n / 17, 17, key_compare);
    for (size_t i = 0; i < keys.n; i++)
        (void)buf_printf(line, "%02x", keys.p[i]);
    buf_release(&keys);
}

static int line_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void device_model(struct device *d, struct buf *out)
{
    struct err e = ERR_INIT;
    struct buf ids;
    buf_init(&ids, (size_t)1 << 24);
    ok(store_props(d->s, PROP_DROPPED, id_note, &ids, &e), &e);
    size_t n = ids.n / sizeof(struct id);
    char **lines = calloc(n + 1, sizeof *lines);
    CHECK(lines != NULL);
    for (size_t i = 0; i < n; i++) {
        struct buf line;
        struct id id;
        memcpy(&id, ids.p + i * sizeof id, sizeof id);
        buf_init(&line, (size_t)1 << 24);
        claim_line(d, &id, &line);
        lines[i] = strdup(buf_cstr(&line));
        CHECK(lines[i] != NULL);
        buf_release(&line);
    }
    qsort(lines, n, sizeof *lines, line_compare);
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(out, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    buf_release(&ids);
}

static struct observation seen(int day, int minute, const char *source)
{
    return (struct observation){
        .time_ms = DAY_MS(day) + minute * MS_MINUTE, .end_ms = TIME_NONE, .source = bytes_str(source)};
}

struct observation seen_command(int day, int minute, const char *command)
{
    struct observation o = seen(day, minute, "zsh");
    o.command = bytes_str(command);
    return o;
}

struct observation seen_commit(int day, int minute, const char *project, const char *subject)
{
    struct observation o = seen(day, minute, "git");
    o.shared_event = true;
    o.app = bytes_str(project);
    o.title = bytes_str(subject);
    return o;
}

struct observation seen_page(int day, int minute, const char *url, const char *title)
{
    struct observation o = seen(day, minute, "firefox");
    o.shared_event = true;
    o.url = bytes_str(url);
    o.title = bytes_str(title);
    return o;
}

struct observation seen_note(int day, int minute, const char *text)
{
    struct observation o = seen(day, minute, "note");
    o.text = bytes_str(text);
    return o;
}

struct observation seen_event(int day, int minute, int minutes, const char *summary)
{
    struct observation o = seen(day, minute, "ical");
    o.shared_event = true;
    o.end_ms = o.time_ms + minutes * MS_MINUTE;
    o.title = bytes_str(summary);
    o.app = BYTES_LIT("work");
    return o;
}
