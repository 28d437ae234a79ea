/* Making frames of our own ops, and frames from what is kept of them for others.
 *
 * Sealing goes in runs: the ops of a log from behind one seq on, 128 to a frame or as many as fit. A live
 * edit is a frame of one op; when the small ones at the end of a log have come to a bulk frame they are
 * dropped and their run is sealed anew, under the epoch that they have (an epoch that some member cannot read
 * is never exchanged for one that it can).
 */
#include "sync/frames_int.h"

#include "base/check.h"
#include "base/cursor.h"

#include <string.h>

/* A frame of so many bytes is no small one, nor is one that was full. So bundling leaves one small one at
 * most, and comes to an end. */
#define FULL_BYTES 30000u
/* Logs of one device that are looked at; each is an incarnation of it. */
#define OWN_LOGS_MAX 1024u

_Static_assert(WIRE_FULL_EXTRA + 61440u <= FRAME_WIRE_MAX && WIRE_STRIPPED_EXTRA + 61440u <= FRAME_WIRE_MAX,
               "the largest padded content fits");
_Static_assert(LIMIT_OP_BYTES + SALT_BYTES + 3 <= FRAME_PLAIN_MAX, "one op fits");

/* ---- sealing a run */

struct sealer {
    const struct frames_env *f;
    struct err *e;
    struct id log;         /* h.log is its root: what was signed holds for a branch, too */
    struct frame_header h; /* of the frame being filled; count 0: none */
    const uint8_t *key;
    uint32_t bare;
    struct buf plain, content, out;
};

static void sealer_init(struct sealer *s, const struct frames_env *f, const struct id *log, struct err *e)
{
    memset(s, 0, sizeof *s);
    s->f = f;
    s->e = e;
    uint64_t base;
    s->log = *log;
    group_log_root(f->group, log, &s->h.log, &base);
    device_id_of(f->keys->sign.pk, &s->h.device);
    group_id(f->group, &s->h.group);
    buf_init(&s->plain, FRAME_PLAIN_MAX);
    buf_init(&s->content, FRAME_CONTENT_MAX);
    buf_init(&s->out, FRAME_WIRE_MAX);
}

static void sealer_release(struct sealer *s)
{
    buf_release(&s->plain);
    buf_release(&s->content);
    buf_release(&s->out);
}

/* Keeps the frame that lies in s->out. */
static int keep(struct sealer *s)
{
    struct frame fr;
    struct frame_row row = {.log = s->log, .first = s->h.first, .bare = s->bare, .whole = true};
    int rc = frame_decode(buf_view(&s->out), &fr, s->e);
    CHECK(rc == 0);
    row.last = s->h.first + (s->h.count - 1);
    row.header = fr.header_bytes;
    frame_body_hash(&fr, &row.body);
    frame_keep(&fr, &row.kept);
    return frame_rows_put(s->f->store, &row, s->e);
}

static int flush(struct sealer *s, bool full)
{
    if (s->h.count == 0)
        return 0;
    struct frame_keys k = {s->key, &s->f->keys->sign};
    s->h.flags = full ? FRAME_FLAG_FULL : 0;
    buf_clear(&s->content);
    buf_clear(&s->out);
    int rc = content_pack(buf_view(&s->plain), &s->h.device, &s->content);
    rc = rc ? rc : frame_seal(&s->h, &k, s->f->rng, buf_view(&s->content), &s->out);
    rc = rc ? err_set(s->e, rc, "sealing a frame") : keep(s);
    buf_clear(&s->plain);
    s->h.first += s->h.count;
    s->h.count = 0;
    s->h.before = s->h.after;
    s->bare = 0;
    return rc;
}

static int seal_op(void *ctx, const struct op_record *r)
{
    struct sealer *s = ctx;
    int rc = 0;
    if (s->h.count == FRAME_OPS || s->plain.n + content_size(r) > FRAME_PLAIN_MAX)
        rc = flush(s, true);
    content_put(&s->plain, r, false);
    if (!rc && s->plain.err)
        rc = err_set(s->e, s->plain.err, "sealing a frame");
    chain_next(&s->h.after, &r->hash);
    s->bare += r->op.n == 0;
    s->h.count++;
    return rc;
}

/* Ops from..to of the log; s->h.before is the chain before the first. */
static int seal_run(struct sealer *s, uint64_t first, uint64_t last)
{
    s->h.first = first;
    s->h.after = s->h.before;
    int rc = store_ops(s->f->store, &s->log, first - 1, last - (first - 1), seal_op, s, s->e);
    return rc ? rc : flush(s, s->h.count == FRAME_OPS);
}

/* ---- what is to be sealed */

struct own_log {
    struct id log, root;
    uint64_t seq, base;
};

struct tail {
    struct id epoch;     /* of the newest frame; the run of small ones ends where it changes */
    uint64_t base;       /* the log branched off behind this op */
    bool any;            /* there is a frame */
    uint64_t last;       /* sealed up to here */
    struct hash after;   /* the chain there */
    uint64_t first, ops; /* the run of small frames at the end */
    size_t bytes;
    struct hash before;
};

static int tail_row(void *ctx, const struct frame_row *row)
{
    struct tail *t = ctx;
    struct frame_header h;
    int rc = frame_header_decode(row->header, &h, NULL);
    if (rc)
        return ERR_CORRUPT;
    if (!t->any) {
        t->any = true;
        t->last = row->last;
        t->after = h.after;
        t->first = row->last + 1;
        t->epoch = h.epoch;
    }
    bool small = !(h.flags & FRAME_FLAG_FULL) && h.body_bytes < FULL_BYTES && row->last + 1 == t->first &&
                 row->first > t->base;
    if (!small || !id_eq(&h.epoch, &t->epoch))
        return 1;
    t->first = row->first;
    t->before = h.before;
    t->ops += h.count;
    t->bytes += h.body_bytes - AEAD_EXTRA_BYTES - FRAME_PAD_FLOOR / 2;
    return 0;
}

static int tail_of(const struct frames_env *f, const struct own_log *l, struct tail *t, struct err *e)
{
    struct log_head head = {.log = l->log, .root = l->root, .seq = l->seq, .base = l->base};
    memset(t, 0, sizeof *t);
    t->base = t->last = l->base;
    chain_start(&l->root, &t->after);
    int rc = l->base > 0 ? store_chain_at(f->store, &head, l->base, &t->after, e) : 0;
    rc = rc ? rc : frame_rows_back(f->store, &l->log, tail_row, t, e);
    return rc ? err_wrap(e, rc, "reading frames") : 0;
}

static int seal_new(struct sealer *s, const struct tail *t, uint64_t head, struct err *e)
{
    struct epoch_ref ref;
    int rc = group_epoch(s->f->group, &ref, &s->key, e);
    if (rc)
        return rc;
    s->h.epoch = ref.id;
    s->h.before = t->after;
    return seal_run(s, t->last + 1, head);
}

static int bundle(struct sealer *s, const struct tail *t, struct err *e)
{
    s->key = group_epoch_key(s->f->group, &t->epoch);
    if (!s->key)
        return 0;
    int rc = frame_rows_drop(s->f->store, &s->log, t->first, t->last, e);
    s->h.epoch = t->epoch;
    s->h.before = t->before;
    return rc ? rc : seal_run(s, t->first, t->last);
}

static int seal_log(const struct frames_env *f, const struct own_log *l, struct err *e)
{
    struct sealer s;
    struct tail t;
    sealer_init(&s, f, &l->log, e);
    int rc = tail_of(f, l, &t, e);
    if (!rc && t.last < l->seq) {
        rc = seal_new(&s, &t, l->seq, e);
        rc = rc ? rc : tail_of(f, l, &t, e);
    }
    if (!rc && (t.ops >= FRAME_OPS || t.bytes >= FULL_BYTES))
        rc = bundle(&s, &t, e);
    sealer_release(&s);
    return rc;
}

/* ---- our logs */

struct own_logs {
    const struct frames_env *f;
    struct id device;
    struct own_log log[OWN_LOGS_MAX];
    size_t n;
};

static int find_own(void *ctx, const struct log_head *h)
{
    struct own_logs *o = ctx;
    struct id owner = h->device;
    uint64_t cut;
    (void)group_log(o->f->group, &h->log, &owner, &cut);
    if (id_eq(&owner, &o->device) && o->n < OWN_LOGS_MAX)
        o->log[o->n++] = (struct own_log){h->log, h->root, h->seq, h->base};
    return 0;
}

static int seal_all(const struct own_logs *o, int64_t now_ms, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->n; i++) {
        rc = group_open_log(o->f->group, &o->log[i].log, now_ms, e);
        rc = rc ? rc : seal_log(o->f, &o->log[i], e);
    }
    return rc;
}

int frames_seal(const struct frames_env *f, int64_t now_ms, struct err *e)
{
    struct own_logs o = {.f = f};
    bool own;
    if (!group_exists(f->group))
        return 0;
    device_id_of(f->keys->sign.pk, &o.device);
    int rc = store_logs(f->store, find_own, &o, e);
    rc = rc ? rc : members_begin(f->store, &own, e);
    if (rc)
        return rc;
    rc = seal_all(&o, now_ms, e);
    int end = members_end(f->store, own, rc, e);
    if (end && own && group_reload(f->group, NULL))
        return ERR_NOMEM;
    return end;
}

/* ---- frames for others */

struct making {
    struct buf plain, content;
    bool withheld; /* the reader gets hashes alone */
    uint64_t n;
    uint32_t bare;
    struct err *e;
};

static int put_op(void *ctx, const struct op_record *r)
{
    struct making *m = ctx;
    content_put(&m->plain, r, m->withheld);
    m->bare += r->op.n == 0;
    m->n++;
    return m->plain.err ? err_set(m->e, m->plain.err, "making a frame") : 0;
}

static int read_ops(const struct frames_env *f, const struct frame_row *row, const struct id *device,
                    struct making *m)
{
    uint64_t n = row->last - (row->first - 1);
    int rc = store_ops(f->store, &row->log, row->first - 1, n, put_op, m, m->e);
    if (!rc && m->n != n)
        rc = err_set(m->e, ERR_CORRUPT, "a log lacks ops of a frame");
    if (rc)
        return rc;
    rc = content_pack(buf_view(&m->plain), device, &m->content);
    return rc ? err_set(m->e, rc, "making a frame") : 0;
}

/* The frame as its author made it: 1, or 0 when it does not come out the same. */
static int make_full(const struct frames_env *f, const struct frame_row *row, struct frame_header *h,
                     const struct making *m, struct buf *out)
{
    const uint8_t *key = group_epoch_key(f->group, &h->epoch);
    struct frame fr;
    struct hash body;
    size_t from = out->n;
    if (!key || !row->whole || m->withheld || m->bare != row->bare)
        return 0;
    wr_u8(out, WIRE_FULL);
    int rc = frame_again(h, key, &row->kept, buf_view(&m->content), out);
    if (rc)
        return rc;
    rc = frame_decode(bytes_slice(buf_view(out), from + 1, SIZE_MAX), &fr, NULL);
    CHECK(rc == 0);
    frame_body_hash(&fr, &body);
    if (memcmp(body.b, row->body.b, HASH_BYTES) == 0)
        return 1;
    out->n = from;
    return 0;
}

static int make_stripped(const struct frames_env *f, const struct frame_row *row, const struct making *m,
                         struct buf *out)
{
    struct epoch_ref ref;
    struct wire_seal seal = {.rng = f->rng};
    int rc = group_epoch(f->group, &ref, &seal.key, m->e);
    if (rc)
        return rc;
    seal.epoch = ref.id;
    rc = wire_strip(row, &seal, buf_view(&m->content), out);
    return rc ? err_set(m->e, rc, "making a frame") : 0;
}

static int make_wire(const struct frames_env *f, const struct frame_row *row, const struct id *reader,
                     struct buf *out, struct err *e)
{
    struct making m = {.e = e};
    struct frame_header h;
    if (frame_header_decode(row->header, &h, NULL))
        return err_set(e, ERR_CORRUPT, "a stored frame is damaged");
    m.withheld = reader && !group_can_read(f->group, reader, &h.epoch);
    buf_init(&m.plain, FRAME_PLAIN_MAX);
    buf_init(&m.content, FRAME_CONTENT_MAX);
    int rc = read_ops(f, row, &h.device, &m);
    if (!rc) {
        rc = make_full(f, row, &h, &m, out);
        if (rc < 0)
            err_set(e, rc, "making a frame");
        else
            rc = rc == 0 ? make_stripped(f, row, &m, out) : 0;
    }
    buf_release(&m.plain);
    buf_release(&m.content);
    return rc;
}

int frames_next(const struct frames_env *f, const struct frame_want *w, struct buf *out, uint64_t *last,
                struct err *e)
{
    uint8_t header[FRAME_HEADER_BYTES];
    struct frame_row row;
    size_t from = out->n;
    int rc = frame_rows_at(f->store, &w->log, w->after, header, &row, e);
    if (rc)
        return rc;
    *last = row.last;
    rc = make_wire(f, &row, w->reader, out, e);
    if (!rc && out->n - from > w->room)
        rc = err_set(e, ERR_LIMIT, "the next frame takes %zu bytes", out->n - from);
    if (rc)
        out->n = from;
    return rc;
}
