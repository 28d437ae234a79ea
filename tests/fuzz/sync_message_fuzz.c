/* Messages of a session. The first byte chooses:
 *   0  a message as it is: what decodes encodes to the same bytes
 *   1  several, each as size u16 | bytes, said by a member in a session that is open, to a device with a
 * store; 0xffff in place of a size lets it answer A session never crashes, never says more than a message
 * holds, and says nothing once it is dead. */
#include "sync/sync_int.h"

#include "base/check.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"
#include "tests/sync/again.h"

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
    struct noise_session noise;
};

static void try_message(struct bytes in)
{
    struct msg m;
    struct buf out;
    if (msg_decode(in, &m, NULL) != 0 || m.kind >= MSG_SKIPPABLE)
        return;
    buf_init(&out, 2 * SYNC_PLAIN_MAX);
    again(&m, &out);
    bool later =
        m.kind == MSG_HELLO && (m.version != SYNC_VERSION || m.least != SYNC_VERSION_LEAST || out.n != in.n);
    CHECK(later || bytes_eq(buf_view(&out), in));
    buf_release(&out);
}

static void add_second(struct scene *x)
{
    struct history_grant all = {HISTORY_ALL, 0};
    struct buf cert;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    CHECK(device_cert_make(&x->keys[1], BYTES_LIT("b"), 1, &cert, NULL) == 0);
    CHECK(group_add(x->group, buf_view(&cert), &all, 1, NULL) == 0);
    buf_release(&cert);
}

static void open_device(struct scene *x)
{
    char path[TMP_PATH_BYTES];
    struct store_config cfg = {.vfs = "memdb", .clock = &x->clock, .rng = &x->rng};
    struct sync_env env = {.keys = &x->keys[0], .clock = &x->clock, .rng = &x->rng, .log = {{1}}};
    struct id device;
    cfg.path = tmp_path(&x->dir, "store.db", path);
    CHECK(store_open(&x->store, &cfg, NULL) == 0);
    device_id_of(x->keys[0].sign.pk, &device);
    store_use_log(x->store, &env.log, &device);
    CHECK(group_open(&x->group, x->store, &x->keys[0], &x->rng, NULL) == 0);
    CHECK(group_found(x->group, BYTES_LIT("a"), &env.log, 1, NULL) == 0);
    add_second(x);
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

static void call(struct scene *x)
{
    struct noise hs;
    struct buf prologue, hello, message;
    struct id group;
    buf_init(&prologue, 64);
    buf_init(&hello, SYNC_MESSAGE_MAX);
    buf_init(&message, SYNC_MESSAGE_MAX);
    group_id(x->group, &group);
    wr_bytes(&prologue, BYTES_LIT(SYNC_PROLOGUE));
    wr_bytes(&prologue, bytes_of(group.b, ID_BYTES));
    noise_init(&hs, &(struct noise_setup){.protocol = &noise_ik,
                                          .initiator = true,
                                          .prologue = buf_view(&prologue),
                                          .own = &x->keys[1].noise,
                                          .remote = x->keys[0].noise.pk});
    put_plain_hello(x, &hello);
    CHECK(noise_write(&hs, &x->rng, buf_view(&hello), &message) == 0);
    x->s = session_accept(x->sync);
    CHECK(x->s && session_input(x->s, buf_view(&message), NULL) == 0);
    buf_clear(&message);
    buf_clear(&hello);
    CHECK(session_output(x->s, &message) && noise_read(&hs, buf_view(&message), &hello) == 0);
    CHECK(noise_split(&hs, &x->noise) == 0);
    buf_release(&prologue);
    buf_release(&hello);
    buf_release(&message);
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

static void try_session(struct bytes in)
{
    static struct scene x;
    struct buf b, plain;
    struct rd r;
    int rc = 0;
    memset(&x, 0, sizeof x);
    tmp_dir_make(&x.dir);
    test_clock_init(&x.test_clock, INT64_C(1700000000000));
    test_rng_init(&x.test_rng, 1);
    x.clock = test_clock_iface(&x.test_clock);
    x.rng = test_rng_iface(&x.test_rng);
    device_keys_make(&x.keys[0], &x.rng);
    device_keys_make(&x.keys[1], &x.rng);
    open_device(&x);
    call(&x);
    buf_init(&b, 2 * SYNC_MESSAGE_MAX);
    buf_init(&plain, 2 * SYNC_MESSAGE_MAX);
    rd_init(&r, in);
    while (rd_left(&r) >= 2 && rc == 0) {
        uint16_t n = rd_u16(&r);
        if (n == 0xffff)
            hear(&x, &b, &plain);
        else
            rc = say(&x, rd_bytes(&r, n < rd_left(&r) ? n : rd_left(&r)), &b);
    }
    hear(&x, &b, &plain);
    CHECK(rc == 0 || (session_input(x.s, BYTES_LIT("x"), NULL) < 0 && !session_output(x.s, &b)));
    buf_release(&b);
    buf_release(&plain);
    sync_close(x.sync);
    group_close(x.group);
    store_close(x.store);
    tmp_dir_remove(&x.dir); /* the store itself is in memory */
    noise_session_wipe(&x.noise);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size), rest = bytes_slice(in, 1, SIZE_MAX);
    if (crypt_start() != 0)
        return 0;
    if (size == 0 || data[0] % 2 == 0)
        try_message(rest);
    else
        try_session(rest);
    return 0;
}
