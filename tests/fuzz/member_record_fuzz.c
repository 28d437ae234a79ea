/* Membership records. The first byte chooses:
 *   0  bytes as they come: what decodes encodes to the same bytes, but for the signature
 *   1  records that members sign: each item is author, kind, body; the group takes or refuses them, and stays
 * the same function of what it took: a second group that gets them in another order agrees */
#include "sync/group_int.h"

#include "base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AUTHORS 3
#define ITEMS_MAX 24

static void try_bytes(struct bytes in)
{
    struct record_head h;
    struct record_body body;
    struct sign_key key;
    struct buf out;
    static const uint8_t seed[KEY_BYTES] = {1};
    if (record_decode(in, &h, &body, NULL))
        return;
    sign_key_from_seed(&key, seed);
    buf_init(&out, MEMBER_RECORD_BYTES_MAX);
    CHECK(record_encode(&h, &key, &out) == 0 && out.n == in.n);
    CHECK(bytes_eq(bytes_slice(buf_view(&out), 0, in.n - SIGN_BYTES), h.text));
    buf_release(&out);
}

/* A set with the state of all of it, as a group has; the store is left out. */
struct world {
    struct record_set set;
    struct state state;
    struct device_keys keys[AUTHORS];
    struct id id[AUTHORS], group;
};

static void compute(struct world *w)
{
    state_release(&w->state);
    CHECK(state_compute(&w->set, NULL, &w->state) == 0);
}

static int take(struct world *w, struct bytes b)
{
    struct record *r;
    struct state st;
    int rc = records_make(&w->set, b, &r, NULL);
    if (rc)
        return rc;
    CHECK(state_compute(&w->set, r->past, &st) == 0);
    rc = record_check(&st, r, NULL);
    state_release(&st);
    if (rc) {
        record_free(r);
        return rc;
    }
    CHECK(records_add(&w->set, r) == 0);
    compute(w);
    return 0;
}

/* `unseen`: how many of the newest records the author has not seen. */
static void sign(const struct world *w, unsigned author, uint8_t kind, uint32_t unseen, struct bytes body,
                 struct buf *out)
{
    struct record_head h = {.kind = kind, .group = w->group, .author = w->id[author], .body = body};
    struct hash cause = {{0}};
    if (kind == MEMBER_GENESIS)
        h.group = ID_NONE;
    else
        cause = w->set.r[w->set.n - 1 - unseen % w->set.n]->hash;
    h.causes = (struct list){cause.b, kind != MEMBER_GENESIS, HASH_BYTES};
    buf_clear(out);
    CHECK(record_encode(&h, &w->keys[author].sign, out) == 0);
}

static void put_cert(struct world *w, unsigned device, struct buf *body)
{
    struct buf cert;
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    CHECK(device_cert_make(&w->keys[device], BYTES_LIT("device"), 0, &cert, NULL) == 0);
    wr_lenbytes(body, buf_view(&cert));
    buf_release(&cert);
}

static void world_init(struct world *w, struct buf *out)
{
    static const uint8_t zeros[ID_BYTES + EPOCH_SEALED_BYTES];
    struct buf body;
    memset(w, 0, sizeof *w);
    CHECK(records_init(&w->set) == 0);
    for (unsigned i = 0; i < AUTHORS; i++) {
        uint8_t secret[KEY_BYTES] = {(uint8_t)(i + 1)};
        device_keys_derive(&w->keys[i], secret);
        device_id_of(w->keys[i].sign.pk, &w->id[i]);
    }
    buf_init(&body, 1024);
    put_cert(w, 0, &body);
    wr_bytes(&body, bytes_of(zeros, sizeof zeros));
    sign(w, 0, MEMBER_GENESIS, 0, buf_view(&body), out);
    CHECK(take(w, buf_view(out)) == 0);
    memcpy(w->group.b, w->set.r[0]->hash.b, ID_BYTES);
    buf_release(&body);
}

static void world_release(struct world *w)
{
    records_release(&w->set);
    state_release(&w->state);
}

/* Bodies of ADD are made, since certificates cannot be guessed; ids below AUTHORS in others become devices.
 */
static void make_body(struct world *w, uint8_t kind, struct bytes raw, struct buf *body)
{
    static const uint8_t zeros[1 + 8 + EPOCH_SEALED_BYTES] = {HISTORY_ALL};
    unsigned device = raw.n > 0 ? raw.p[0] % AUTHORS : 0;
    buf_clear(body);
    if (kind == MEMBER_ADD) {
        put_cert(w, device, body);
        wr_bytes(body, bytes_of(zeros, sizeof zeros));
        wr_bytes(body, bytes_slice(raw, 1, SIZE_MAX));
    } else if (kind == MEMBER_EPOCH || kind == MEMBER_LOG_OPEN) {
        wr_bytes(body, raw);
    } else {
        put_id(body, &w->id[device]);
        wr_bytes(body, bytes_slice(raw, 1, SIZE_MAX));
    }
}

static void assert_same(const struct world *a, const struct world *b)
{
    struct group x = {.set = a->set, .state = a->state}, y = {.set = b->set, .state = b->state};
    struct buf p, q;
    buf_init(&p, 1 << 20);
    buf_init(&q, 1 << 20);
    CHECK(group_dump(&x, &p) == 0 && group_dump(&y, &q) == 0 && bytes_eq(buf_view(&p), buf_view(&q)));
    buf_release(&p);
    buf_release(&q);
}

/* Against the order of arrival, as often as it takes. */
static void take_backwards(const struct world *w, struct world *other)
{
    for (uint32_t have = 0; have != other->set.n;) {
        have = other->set.n;
        for (uint32_t i = w->set.n; i-- > 1;) {
            if (records_find(&other->set, &w->set.r[i]->hash) != NOWHERE)
                continue;
            int rc = take(other, w->set.r[i]->bytes);
            CHECK(rc == 0 || rc == ERR_NOTFOUND);
        }
    }
    CHECK(other->set.n == w->set.n);
}

static void try_members(struct rd *r)
{
    struct world w, other;
    struct buf record, body;
    struct hash hash;
    buf_init(&record, MEMBER_RECORD_BYTES_MAX);
    buf_init(&body, MEMBER_BODY_BYTES_MAX);
    world_init(&w, &record);
    world_init(&other, &record);
    for (int i = 0; i < ITEMS_MAX && rd_left(r) > 0; i++) {
        unsigned author = rd_u8(r) % AUTHORS;
        uint8_t kind = (uint8_t)(2 + rd_u8(r) % 9), unseen = rd_u8(r);
        make_body(&w, kind, rd_bytes(r, rd_u8(r)), &body);
        if (r->err)
            break;
        sign(&w, author, kind, unseen, buf_view(&body), &record);
        record_hash(buf_view(&record), &hash);
        if (records_find(&w.set, &hash) == NOWHERE)
            (void)!take(&w, buf_view(&record));
    }
    take_backwards(&w, &other);
    assert_same(&w, &other);
    world_release(&w);
    world_release(&other);
    buf_release(&record);
    buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r;
    rd_init(&r, bytes_of(data, size));
    if (rd_u8(&r) % 2 == 0)
        try_bytes(rd_bytes(&r, rd_left(&r)));
    else
        try_members(&r);
    return 0;
}
