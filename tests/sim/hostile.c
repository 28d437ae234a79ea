/* A member that breaks the protocol: it has the keys of a device of the group, does the handshake rightly,
 * and then says whatever may hurt: vectors that promise or deny, records and frames of its own making, old
 * messages, acknowledgements of what it was not sent, forks that are none. Honest devices must end the
 * session, or take no harm. */
#include "tests/sim/world.h"

#include "crypto/noise.h"
#include "sync/frames.h"
#include "sync/message.h"

#include <stdlib.h>
#include <string.h>

struct hostile {
    struct noise handshake;
    struct noise_session noise;
    bool open;
};

static uint64_t pick(struct sim *x, uint64_t n)
{
    return fault_below(x, FAULT_HOSTILE, n);
}

void hostile_free(struct hostile *h)
{
    if (!h)
        return;
    noise_wipe(&h->handshake);
    noise_session_wipe(&h->noise);
    free(h);
}

/* ---- lies */

static const struct id *some_log(struct sim *x, struct id *made)
{
    if (x->n_logs > 0 && pick(x, 4))
        return &x->logs[pick(x, x->n_logs)].log;
    test_rng_fill(&x->fault[FAULT_HOSTILE], made->b, ID_BYTES);
    return made;
}

static struct vector_entry lie(struct sim *x)
{
    struct vector_entry v = {.seq = 1 + pick(x, 60)};
    struct id made;
    v.log = *some_log(x, &made);
    test_rng_fill(&x->fault[FAULT_HOSTILE], v.chain, sizeof v.chain);
    if (pick(x, 3) == 0)
        v.seq = (UINT64_C(1) << 62) + pick(x, 1000);
    return v;
}

static void say_hello(struct sim *x, const struct device *as, struct buf *b)
{
    struct hash heads[MEMBER_HEADS_MAX];
    uint8_t run[SYNC_RUN_BYTES];
    test_rng_fill(&x->fault[FAULT_HOSTILE], run, sizeof run);
    struct hello_head h = {.run = run, .wall_ms = START_MS, .heads = heads};
    group_id(as->group, &h.group);
    h.n_heads = pick(x, 2) ? group_heads(as->group, heads, MEMBER_HEADS_MAX) : 0;
    h.n_logs = pick(x, 3) ? 0 : 1;
    put_hello(b, &h);
    if (h.n_logs) {
        struct vector_entry v = lie(x);
        v.lag = 0;
        put_vector_entry(b, &v, true);
    }
    put_hello_end(b, BYTES_NONE);
}

static void some_bytes(struct sim *x, uint8_t *p, size_t n)
{
    test_rng_fill(&x->fault[FAULT_HOSTILE], p, n);
}

/* Frames sealed rightly by a member's key under the current epoch, of a log that is not its own, or with ops
 * that count for another device, or that do not follow. */
static void say_forged(struct sim *x, const struct device *as, struct buf *b)
{
    struct frame_want w = {.room = FRAME_WIRE_MAX};
    struct frames_env env = {as->store, as->group, &as->keys, &as->rng};
    struct buf wire;
    struct id made;
    uint64_t last;
    buf_init(&wire, FRAME_WIRE_MAX);
    w.log = *some_log(x, &made);
    w.after = pick(x, 20);
    if (frames_next(&env, &w, &wire, &last, NULL) || wire.n == 0)
        buf_printf(&wire, "no frame at all");
    if (pick(x, 3))
        wire.p[pick(x, wire.n)] ^= (uint8_t)(1u << pick(x, 8));
    put_frames(b, pick(x, 4) ? &w.log : &as->log);
    wr_lenbytes(b, buf_view(&wire));
    buf_release(&wire);
}

static void say_something(struct sim *x, const struct device *as, struct buf *b)
{
    struct vector_entry v = lie(x);
    uint8_t junk[64];
    some_bytes(x, junk, sizeof junk);
    switch (pick(x, 10)) {
    case 0:
        put_ack(b, pick(x, 2) ? 0 : pick(x, 1u << 20), 1);
        put_vector_entry(b, &v, false);
        break;
    case 1:
        put_want(b, 1);
        put_want_entry(b, &(struct want_entry){.log = v.log, .after = pick(x, 5), .go = true});
        break;
    case 2:
        put_fork(b, &v);
        break;
    case 3:
        put_stall(b, &v.log, v.seq, (uint8_t)pick(x, 5));
        break;
    case 4:
        put_records(b, (uint8_t)pick(x, 4));
        wr_lenbytes(b, bytes_of(junk, sizeof junk));
        break;
    case 5:
        put_ping(b, pick(x, 2) ? MSG_PING : MSG_PONG, (uint32_t)pick(x, 1u << 30));
        break;
    case 6:
        put_haves(b, HAVES_AGAIN, (const struct hash *)(const void *)junk, 1);
        break;
    case 7:
        wr_bytes(b, bytes_of(junk, 1 + pick(x, sizeof junk)));
        break;
    default:
        say_forged(x, as, b);
        break;
    }
}

/* ---- the session */

static void speak(struct sim *x, struct link *l, struct bytes plain)
{
    struct buf b;
    buf_init(&b, SYNC_MESSAGE_MAX);
    if (plain.n <= SYNC_PLAIN_MAX && noise_seal(&l->hostile->noise, BYTES_NONE, plain, &b) == 0)
        network_send(x, l, 1, buf_view(&b));
    buf_release(&b);
}

struct hostile *hostile_new(struct sim *x, struct link *l)
{
    const struct device *as = &x->device[l->device[0]], *to = &x->device[l->device[1]];
    struct hostile *h = calloc(1, sizeof *h);
    struct buf prologue, hello, b;
    struct id group;
    CHECK(h);
    group_id(as->group, &group);
    buf_init(&prologue, 64);
    buf_init(&hello, SYNC_HELLO_MAX);
    buf_init(&b, SYNC_MESSAGE_MAX);
    wr_bytes(&prologue, BYTES_LIT("selfsame 1 session"));
    wr_bytes(&prologue, bytes_of(group.b, ID_BYTES));
    noise_init(&h->handshake, &(struct noise_setup){.protocol = &noise_ik,
                                                    .initiator = true,
                                                    .prologue = buf_view(&prologue),
                                                    .own = &as->keys.noise,
                                                    .remote = to->keys.noise.pk});
    say_hello(x, as, &hello);
    CHECK(noise_write(&h->handshake, &as->rng, buf_view(&hello), &b) == 0);
    l->hostile = h;
    network_send(x, l, 1, buf_view(&b));
    buf_release(&prologue);
    buf_release(&hello);
    buf_release(&b);
    return h;
}

static bool answered(struct hostile *h, struct bytes message)
{
    struct buf payload;
    buf_init(&payload, SYNC_MESSAGE_MAX);
    bool ok = noise_read(&h->handshake, message, &payload) == 0 && noise_split(&h->handshake, &h->noise) == 0;
    buf_release(&payload);
    return ok;
}

void hostile_hear(struct sim *x, struct link *l, struct bytes message)
{
    const struct device *as = &x->device[l->device[0]];
    struct hostile *h = l->hostile;
    if (!h->open) {
        h->open = answered(h, message);
        if (!h->open)
            return;
    }
    if (!as->up)
        return;
    for (uint64_t i = 0, n = pick(x, 4); i < n; i++) {
        struct buf b;
        buf_init(&b, SYNC_PLAIN_MAX);
        say_something(x, as, &b);
        if (!b.err && b.n > 0)
            speak(x, l, buf_view(&b));
        buf_release(&b);
    }
}
