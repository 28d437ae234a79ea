/* Messages of a member in a session that is open, to a device with a store: each as size u16 | bytes, sealed
 * with the session's key; 0xffff in place of a size lets the device answer, 0xfffe at the
 * beginning gives what is in the first message in place of a hello. A session never crashes, never
 * says more than a message holds, and says nothing once it is dead.
 *
 * The device stays open from one input to the next as long as its store holds what it held. */
#include "sync/sync_int.h"

#include "base/check.h"
#include "store/local.h"
#include "store/store_int.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
    struct tmp_dir dir;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct device_keys keys[2];
    struct store *store;
    struct group *group;
    struct sync *sync;
    struct session *s;
    bool written; /* something beside what the peer acknowledged, which is taken back */
    struct noise_session noise;
};

static void add_second(struct scene *x)
{
    struct history_grant all = {HISTORY_ALL, 0};
    struct buf cert;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    CHECK(device_cert_make(&x->keys[1], BYTES_LIT("b"), 1, &cert, NULL) == 0);
    CHECK(group_add(x->group, buf_view(&cert), &all, 1, NULL) == 0);
    buf_release(&cert);
}

static void on_write(void *ctx, int op, const char *db, const char *table, sqlite3_int64 row)
{
    struct scene *x = ctx;
    (void)op, (void)db, (void)row;
    x->written = x->written || strcmp(table, "local_value") != 0;
}

static void open_device(struct scene *x)
{
    char path[TMP_PATH_BYTES];
    struct store_config cfg = {.vfs = "memdb", .clock = &x->clock, .rng = &x->rng};
    struct id device, log = {{1}};
    tmp_dir_make(&x->dir);
    cfg.path = tmp_path(&x->dir, "store.db", path);
    CHECK(store_open(&x->store, &cfg, NULL) == 0);
    device_id_of(x->keys[0].sign.pk, &device);
    store_use_log(x->store, &log, &device);
    CHECK(group_open(&x->group, x->store, &x->keys[0], &x->rng, NULL) == 0);
    CHECK(group_found(x->group, BYTES_LIT("a"), &log, 1, NULL) == 0);
    add_second(x);
    tmp_dir_remove(&x->dir); /* the store itself is in memory */
    (void)sqlite3_update_hook(x->store->db, on_write, x);
}

static void close_device(struct scene *x)
{
    group_close(x->group);
    store_close(x->store);
}

static void forget_peer(struct scene *x)
{
    char name[64] = "sync.peer.";
    struct id peer;
    device_id_of(x->keys[1].sign.pk, &peer);
    id_text(&peer, name + strlen(name));
    CHECK(local_set(x->store, name, BYTES_NONE, NULL) == 0);
}

/* As it was at first, open and at the same point of clock and randomness. */
static void fresh_device(struct scene *x)
{
    if (x->store && !x->written) {
        forget_peer(x);
        test_rng_init(&x->test_rng, 2);
        return;
    }
    if (x->store)
        close_device(x);
    memset(x, 0, sizeof *x);
    test_clock_init(&x->test_clock, INT64_C(1700000000000));
    test_rng_init(&x->test_rng, 1);
    x->clock = test_clock_iface(&x->test_clock);
    x->rng = test_rng_iface(&x->test_rng);
    device_keys_make(&x->keys[0], &x->rng);
    device_keys_make(&x->keys[1], &x->rng);
    open_device(x);
    test_rng_init(&x->test_rng, 2);
}

static void open_sync(struct scene *x)
{
    struct sync_env env = {.keys = &x->keys[0], .clock = &x->clock, .rng = &x->rng, .log = {{1}}};
    env.store = x->store;
    env.group = x->group;
    CHECK(sync_open(&x->sync, &env, NULL) == 0);
}

static void put_plain_hello(struct scene *x, struct buf *out)
{
    static const uint8_t run[SYNC_RUN_BYTES];
    struct hash heads[MEMBER_HEADS_MAX];
    struct hello_head h = {.run = run, .heads = heads};
    group_id(x->group, &h.group);
    h.n_heads = group_heads(x->group, heads, MEMBER_HEADS_MAX);
    put_hello(out, &h);
    put_hello_end(out, BYTES_NONE);
}

/* The handshake, with `first` in its first message; the error with which the device refused that. */
static int call(struct scene *x, struct bytes first)
{
    struct noise hs;
    struct buf prologue, answer, message;
    struct id group;
    buf_init(&prologue, 64);
    buf_init(&answer, SYNC_MESSAGE_MAX);
    buf_init(&message, SYNC_MESSAGE_MAX);
    group_id(x->group, &group);
    wr_bytes(&prologue, BYTES_LIT(SYNC_PROLOGUE));
    wr_bytes(&prologue, bytes_of(group.b, ID_BYTES));
    noise_init(&hs, &(struct noise_setup){.protocol = &noise_ik,
                                          .initiator = true,
                                          .prologue = buf_view(&prologue),
                                          .own = &x->keys[1].noise,
                                          .remote = x->keys[0].noise.pk});
    CHECK(noise_write(&hs, &x->rng, first, &message) == 0);
    x->s = session_accept(x->sync);
    CHECK(x->s);
    int rc = session_input(x->s, buf_view(&message), NULL);
    buf_clear(&message);
    if (rc == 0) {
        CHECK(session_output(x->s, &message) && noise_read(&hs, buf_view(&message), &answer) == 0);
        CHECK(noise_split(&hs, &x->noise) == 0);
    }
    noise_wipe(&hs);
    buf_release(&prologue);
    buf_release(&answer);
    buf_release(&message);
    return rc;
}

/* The hello, or what the input has in its place: 0xfffe | size u16 | bytes. */
static struct bytes first_payload(struct scene *x, struct rd *r, struct buf *hello)
{
    struct rd ahead = *r;
    if (rd_u16(&ahead) == 0xfffe && rd_left(&ahead) >= 2) {
        uint16_t n = rd_u16(&ahead);
        struct bytes payload = rd_bytes(&ahead, n < rd_left(&ahead) ? n : rd_left(&ahead));
        *r = ahead;
        return payload;
    }
    put_plain_hello(x, hello);
    return buf_view(hello);
}

static void hear(struct scene *x, struct buf *b, struct buf *plain)
{
    struct msg m;
    for (buf_clear(b); session_output(x->s, b); buf_clear(b)) {
        CHECK(b->n <= SYNC_MESSAGE_MAX);
        buf_clear(plain);
        CHECK(noise_open(&x->noise, BYTES_NONE, buf_view(b), plain) == 0);
        CHECK(msg_decode(buf_view(plain), &m, NULL) == 0);
    }
}

static int say(struct scene *x, struct bytes plain, struct buf *b)
{
    buf_clear(b);
    CHECK(noise_seal(&x->noise, BYTES_NONE, plain, b) == 0);
    return session_input(x->s, buf_view(b), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scene x;
    struct buf b, plain;
    struct rd r;
    CHECK(crypt_start() == 0);
    fresh_device(&x);
    open_sync(&x);
    buf_init(&b, 2 * SYNC_MESSAGE_MAX);
    buf_init(&plain, 2 * SYNC_MESSAGE_MAX);
    rd_init(&r, bytes_of(data, size));
    int rc = call(&x, first_payload(&x, &r, &plain));
    bool called = rc == 0;
    while (rd_left(&r) >= 2 && rc == 0) {
        uint16_t n = rd_u16(&r);
        if (n == 0xffff)
            hear(&x, &b, &plain);
        else
            rc = say(&x, rd_bytes(&r, n < rd_left(&r) ? n : rd_left(&r)), &b);
    }
    if (called)
        hear(&x, &b, &plain);
    CHECK(rc == 0 || (session_input(x.s, BYTES_LIT("x"), NULL) < 0 && !session_output(x.s, &b)));
    buf_release(&b);
    buf_release(&plain);
    sync_close(x.sync);
    noise_session_wipe(&x.noise);
    return 0;
}
