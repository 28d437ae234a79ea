/* Frames in wire form. The first byte chooses:
 *   0  bytes as they come
 *   1  how many ops, and the content of a frame, sealed by a member: what is taken comes out as it went in
 *   2  the same, stripped on the way */
#include "sync/frames_int.h"

#include "base/check.h"
#include "store/members.h"
#include "tests/support/clock.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MS INT64_C(1700000000000)

/* One member that receives; the author is itself, in a log that its store does not hold. */
struct end {
    struct tmp_dir dir;
    struct test_clock test_clock;
    struct test_rng test_rng;
    struct clock clock;
    struct rng rng;
    struct device_keys keys;
    struct id device, own, log;
    struct frames_env env;
};

static void end_init(struct end *n)
{
    struct store_config cfg = {.vfs = "memdb", .clock = &n->clock, .rng = &n->rng};
    char path[TMP_PATH_BYTES];
    CHECK(crypt_start() == 0);
    tmp_dir_make(&n->dir);
    test_clock_init(&n->test_clock, MS);
    test_rng_init(&n->test_rng, 1);
    n->clock = test_clock_iface(&n->test_clock);
    n->rng = test_rng_iface(&n->test_rng);
    cfg.path = tmp_path(&n->dir, "store.db", path);
    device_keys_make(&n->keys, &n->rng);
    device_id_of(n->keys.sign.pk, &n->device);
    n->own.b[0] = 1;
    n->log.b[0] = 2;
    n->env = (struct frames_env){.keys = &n->keys, .rng = &n->rng};
    CHECK(store_open(&n->env.store, &cfg, NULL) == 0);
    store_use_log(n->env.store, &n->own, &n->device);
    CHECK(group_open(&n->env.group, n->env.store, &n->keys, &n->rng, NULL) == 0);
    CHECK(group_found(n->env.group, BYTES_LIT("end"), &n->own, MS, NULL) == 0);
    CHECK(group_open_log(n->env.group, &n->log, MS, NULL) == 0);
}

static struct end *the_end(void)
{
    static struct end *end;
    static struct end memory;
    if (!end) {
        end_init(&memory);
        end = &memory;
        tmp_dir_remove(&end->dir); /* the store is in memory */
    }
    return end;
}

/* Whatever was taken is there no more afterwards. */
static int receive(struct end *n, struct bytes wire)
{
    struct frame_result r;
    CHECK(store_begin(n->env.store, NULL) == 0);
    int rc = frames_receive(&n->env, wire, &r, NULL);
    struct buf again;
    uint64_t last;
    buf_init(&again, FRAME_WIRE_MAX);
    if (rc == 0) {
        struct frame_want w = {r.log, r.first - 1, FRAME_WIRE_MAX, NULL};
        CHECK(frames_next(&n->env, &w, &again, &last, NULL) == 0 && last == r.first + r.count - 1);
        CHECK(again.p[0] == WIRE_STRIPPED || bytes_eq(buf_view(&again), wire));
    }
    buf_release(&again);
    store_rollback(n->env.store);
    return rc;
}

/* The chain over whatever ops there are: a hostile member computes it rightly. */
static void fill_header(struct end *n, struct frame_header *h, struct bytes content)
{
    static struct op_record ops[FRAME_OPS_MAX];
    uint32_t bare;
    struct epoch_ref ref;
    const uint8_t *key;
    static struct buf plain;
    CHECK(group_epoch(n->env.group, &ref, &key, NULL) == 0);
    h->log = n->log;
    h->device = n->device;
    h->epoch = ref.id;
    h->first = 1;
    group_id(n->env.group, &h->group);
    chain_start(&h->log, &h->before);
    h->after = h->before;
    buf_release(&plain);
    buf_init(&plain, FRAME_PLAIN_MAX);
    if (content_unpack(content, &h->device, &plain, NULL) ||
        content_read(buf_view(&plain), h, ops, &bare, NULL))
        return;
    for (uint32_t i = 0; i < h->count; i++)
        chain_next(&h->after, &ops[i].hash);
}

static void strip(struct end *n, struct buf *wire, struct bytes content)
{
    struct wire w;
    struct frame_row row = {.whole = false};
    struct buf out;
    struct epoch_ref ref;
    struct wire_seal seal = {.rng = &n->rng};
    buf_init(&out, FRAME_WIRE_MAX);
    CHECK(wire_read(buf_view(wire), &w, NULL) == 0);
    CHECK(group_epoch(n->env.group, &ref, &seal.key, NULL) == 0);
    seal.epoch = ref.id;
    row.header = w.header_bytes;
    row.body = w.body;
    memcpy(row.kept.signature, w.signature.p, SIGN_BYTES);
    CHECK(wire_strip(&row, &seal, content, &out) == 0);
    buf_clear(wire);
    CHECK(buf_bytes(wire, buf_view(&out)) == 0);
    buf_release(&out);
}

static void try_content(struct end *n, struct bytes in, bool stripped)
{
    struct frame_header h = {.count = 1};
    struct frame_keys k = {NULL, &n->keys.sign};
    struct buf wire;
    struct rd r;
    rd_init(&r, in);
    h.count = 1 + rd_u16(&r) % FRAME_OPS_MAX;
    struct bytes content = rd_bytes(&r, rd_left(&r));
    if (r.err || content.n > FRAME_CONTENT_MAX)
        return;
    fill_header(n, &h, content);
    k.epoch = group_epoch_key(n->env.group, &h.epoch);
    buf_init(&wire, FRAME_WIRE_MAX);
    wr_u8(&wire, WIRE_FULL);
    CHECK(frame_seal(&h, &k, &n->rng, content, &wire) == 0);
    if (stripped)
        strip(n, &wire, content);
    (void)receive(n, buf_view(&wire));
    buf_release(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct end *n = the_end();
    struct rd r;
    rd_init(&r, bytes_of(data, size));
    uint8_t kind = rd_u8(&r);
    struct bytes in = rd_bytes(&r, rd_left(&r));
    if (kind % 3 == 0)
        CHECK(receive(n, in) != 0);
    else
        try_content(n, in, kind % 3 == 2);
    return 0;
}
