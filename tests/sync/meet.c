#include "tests/sync/meet.h"

#include "base/check.h"

#include <string.h>

static void open_sync(struct meet *m, size_t i)
{
    struct device *d = &m->h->device[i];
    struct err e = ERR_INIT;
    struct sync_env env = {.store = d->store,
                           .group = d->group,
                           .keys = &d->keys,
                           .clock = &m->h->clock,
                           .rng = &m->h->rng,
                           .log = d->log};
    house_ok(sync_open(&m->sync[i], &env, &e), &e);
}

void meet_init(struct meet *m, struct house *h)
{
    memset(m, 0, sizeof *m);
    m->h = h;
    for (size_t i = 0; i < h->n; i++)
        open_sync(m, i);
}

void meet_release(struct meet *m)
{
    for (size_t i = 0; i < m->n; i++)
        meet_cut(&m->pair[i]);
    for (size_t i = 0; i < m->h->n; i++)
        sync_close(m->sync[i]);
}

void meet_restart(struct meet *m, size_t i)
{
    for (size_t k = 0; k < m->n; k++) {
        if (m->pair[k].device[0] == i || m->pair[k].device[1] == i)
            meet_cut(&m->pair[k]);
    }
    sync_close(m->sync[i]);
    open_sync(m, i);
}

struct pair *meet_pair(struct meet *m, size_t a, size_t b)
{
    CHECK(m->n < MEET_PAIRS);
    struct pair *p = &m->pair[m->n++];
    *p = (struct pair){.device = {a, b}};
    p->s[0] = session_connect(m->sync[a], &m->h->device[b].id);
    CHECK(p->s[0]);
    p->s[1] = session_accept(m->sync[b]);
    CHECK(p->s[1]);
    return p;
}

void meet_cut(struct pair *p)
{
    for (size_t i = 0; i < 2; i++) {
        session_free(p->s[i]);
        p->s[i] = NULL;
    }
}

static bool carry_one(struct meet *m, struct pair *p, size_t from, struct buf *b)
{
    buf_clear(b);
    if (!p->s[from] || p->cut || (m->limit && m->messages >= m->limit) || !session_output(p->s[from], b))
        return false;
    m->messages++;
    m->bytes += b->n;
    size_t to = 1 - from;
    if (p->s[to] && p->rc[to] == 0)
        p->rc[to] = session_input(p->s[to], buf_view(b), &p->e[to]);
    return true;
}

static bool carry(struct meet *m, struct buf *b)
{
    bool any = false;
    for (size_t i = 0; i < m->n; i++) {
        for (size_t end = 0; end < 2; end++) {
            while (carry_one(m, &m->pair[i], end, b))
                any = true;
        }
    }
    return any;
}

void meet_run(struct meet *m)
{
    struct buf b;
    buf_init(&b, SYNC_MESSAGE_MAX);
    do {
        while (carry(m, &b)) {
        }
        for (size_t i = 0; i < m->n; i++) {
            struct pair *p = &m->pair[i];
            for (size_t end = 0; end < 2; end++) {
                if (p->s[end] && p->rc[end] == 0 && session_deadline(p->s[end]) <= m->h->test_clock.mono_ms)
                    p->rc[end] = session_tick(p->s[end], &p->e[end]);
            }
        }
    } while (carry(m, &b));
    for (size_t i = 0; i < m->n; i++) {
        if (m->pair[i].rc[0] || m->pair[i].rc[1])
            meet_cut(&m->pair[i]);
    }
    buf_release(&b);
}

void meet_changed(struct meet *m, size_t i)
{
    struct err e = ERR_INIT;
    house_ok(sync_changed(m->sync[i], &e), &e);
}

void meet_tell(struct meet *m, size_t i, const char *text)
{
    house_tell(m->h, i, text);
    meet_changed(m, i);
}

bool meet_equal(struct meet *m, size_t a, size_t b)
{
    struct hash x, y;
    house_digest(m->h, a, &x);
    house_digest(m->h, b, &y);
    return memcmp(x.b, y.b, HASH_BYTES) == 0;
}

struct looking {
    const struct id *device;
    struct peer_status *out;
    bool found;
};

static int look(void *ctx, const struct peer_status *p)
{
    struct looking *l = ctx;
    if (!id_eq(&p->device, l->device))
        return 0;
    *l->out = *p;
    l->found = true;
    return 0;
}

void meet_status(struct meet *m, size_t of, size_t at, struct peer_status *out)
{
    struct err e = ERR_INIT;
    struct looking l = {&m->h->device[of].id, out, false};
    house_ok(sync_peers(m->sync[at], look, &l, &e), &e);
    CHECK(l.found);
}

/* ---- a peer under control */

void fake_init(struct fake *f, struct meet *m, size_t as, size_t to)
{
    struct buf prologue;
    struct id group;
    memset(f, 0, sizeof *f);
    f->m = m;
    f->s = session_accept(m->sync[to]);
    CHECK(f->s);
    group_id(m->h->device[to].group, &group);
    buf_init(&prologue, 64);
    wr_bytes(&prologue, BYTES_LIT(SYNC_PROLOGUE));
    wr_bytes(&prologue, bytes_of(group.b, ID_BYTES));
    noise_init(&f->hs, &(struct noise_setup){.protocol = &noise_ik,
                                             .initiator = true,
                                             .prologue = buf_view(&prologue),
                                             .own = &m->h->device[as].keys.noise,
                                             .remote = m->h->device[to].keys.noise.pk});
    buf_release(&prologue);
    buf_init(&f->plain, SYNC_MESSAGE_MAX);
}

void fake_release(struct fake *f)
{
    session_free(f->s);
    noise_wipe(&f->hs);
    noise_session_wipe(&f->noise);
    buf_release(&f->plain);
}

void fake_hello(struct fake *f, size_t as, struct buf *out)
{
    static const uint8_t run[SYNC_RUN_BYTES] = "fakerun";
    struct hash heads[MEMBER_HEADS_MAX];
    struct hello_head h = {.run = run, .wall_ms = house_now(f->m->h), .heads = heads};
    group_id(f->m->h->device[as].group, &h.group);
    h.n_heads = group_heads(f->m->h->device[as].group, heads, MEMBER_HEADS_MAX);
    put_hello(out, &h);
    put_hello_end(out, BYTES_NONE);
}

bool fake_call(struct fake *f, const struct buf *hello)
{
    struct buf b, payload;
    buf_init(&b, SYNC_MESSAGE_MAX);
    buf_init(&payload, SYNC_MESSAGE_MAX);
    CHECK(noise_write(&f->hs, &f->m->h->rng, buf_view(hello), &b) == 0);
    f->rc = session_input(f->s, buf_view(&b), &f->e);
    buf_clear(&b);
    bool answered = session_output(f->s, &b);
    buf_clear(&f->plain);
    if (answered) {
        CHECK(noise_read(&f->hs, buf_view(&b), &f->plain) == 0);
        CHECK(noise_split(&f->hs, &f->noise) == 0);
    }
    buf_release(&b);
    buf_release(&payload);
    return answered;
}

int fake_say(struct fake *f, struct bytes plain)
{
    struct buf b;
    buf_init(&b, SYNC_MESSAGE_MAX + 64);
    CHECK(noise_seal(&f->noise, BYTES_NONE, plain, &b) == 0);
    f->rc = session_input(f->s, buf_view(&b), &f->e);
    buf_release(&b);
    return f->rc;
}

bool fake_hear(struct fake *f)
{
    struct buf b;
    buf_init(&b, SYNC_MESSAGE_MAX);
    buf_clear(&f->plain);
    bool any = session_output(f->s, &b);
    if (any)
        CHECK(noise_open(&f->noise, BYTES_NONE, buf_view(&b), &f->plain) == 0);
    buf_release(&b);
    return any;
}

bool fake_hear_kind(struct fake *f, enum msg_kind kind, struct msg *m)
{
    while (fake_hear(f)) {
        CHECK(msg_decode(buf_view(&f->plain), m, NULL) == 0);
        if (m->kind == kind)
            return true;
    }
    return false;
}
