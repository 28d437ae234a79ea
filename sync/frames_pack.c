/* The packed form of a frame's content: what the ops of one log share is said once.
 *
 * Ops in a row come from one device and mostly from one program: they have the same actions, follow one
 * another in time, and count for the same device and sources. So an op is written as the number of its shape
 * (space, class, tags; a new shape is spelled out), its time as the step from the op before, and each payload
 * without what the shape or its kind already says. Nothing else is taken out: texts, ids, salts and hashes
 * stand as they are. There is no general compression on purpose: the length of a frame must not depend on
 * whether a text that came from outside resembles one that did not (sync/PROTOCOL.md, "Packed").
 *
 * Both directions are pure functions of bytes and make one another undone. Packing is deterministic, so a
 * reader that packs again what it has unpacked accepts one form only of each content, and a frame that is
 * made again comes out as its author made it.
 *
 *   1. what is packed unpacks to the same bytes; what is not of a form that packing knows is left plain;
 *   2. tables hold at most TABLE_MAX entries; what does not fit in is spelled out each time;
 *   3. unpacking never writes more than FRAME_PLAIN_MAX bytes, whatever it reads.
 */
#include "sync/frames_int.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"

#include <string.h>

#define TABLE_MAX 64u
#define COUNTER_MAX UINT64_C(0xffff)

#define ITEM_BARE 0u
#define ITEM_NEW 1u
#define ITEM_KNOWN 2u /* and above: the shape of that place */

/* How the value of a register or the element of a set is written. */
enum value_form { VALUE_BYTES, VALUE_U8, VALUE_U16, VALUE_TIME, VALUE_NAME };

/* A place in the packed bytes, where something stands that later ops refer to. */
struct place {
    size_t at, n;
};

struct table {
    struct place place[TABLE_MAX];
    size_t n;
};

/* What the ops so far have left behind; the same on both sides. */
struct memory {
    const struct id *device;
    struct table shapes, names;
    uint64_t ms, counter; /* of the hlc before */
    int64_t time_ms;      /* the last time that stood in a payload */
};

static enum value_form value_form(uint64_t tag)
{
    switch (tag) {
    case REG_DECAY:
    case REG_SENSITIVITY:
    case REG_KIND:
    case REG_VERDICT:
    case REG_PINNED:
    case REG_LIFE:
        return VALUE_U8;
    case REG_PRIOR:
        return VALUE_U16;
    case REG_VALID_FROM:
    case REG_VALID_UNTIL:
    case REG_CREATED:
        return VALUE_TIME;
    case REG_SCOPE:
    case REG_ORIGIN:
    case SET_TAG:
        return VALUE_NAME;
    default:
        return VALUE_BYTES;
    }
}

static void remember(struct table *t, size_t at, size_t n)
{
    if (t->n < TABLE_MAX)
        t->place[t->n++] = (struct place){at, n};
}

static int64_t step(int64_t from, int64_t to)
{
    return (int64_t)((uint64_t)to - (uint64_t)from);
}

/* ---- packing */

struct packer {
    struct memory m;
    struct buf *out;
};

/* The place in the table whose bytes are those from `at` on at the end of out; t->n: none. */
static size_t known(const struct table *t, const struct buf *out, size_t at)
{
    size_t n = out->n - at, i = 0;
    while (i < t->n && !(t->place[i].n == n && memcmp(out->p + t->place[i].at, out->p + at, n) == 0))
        i++;
    return i;
}

static void pack_time(struct packer *p, int64_t ms)
{
    wr_svarint(p->out, step(p->m.time_ms, ms));
    p->m.time_ms = ms;
}

static void pack_name(struct packer *p, struct bytes name)
{
    struct buf *out = p->out;
    size_t from = out->n;
    wr_u8(out, 0);
    wr_lenbytes(out, name);
    size_t at = out->n - name.n;
    if (out->err)
        return;
    size_t i = known(&p->m.names, out, at);
    if (i == p->m.names.n) {
        remember(&p->m.names, at, name.n);
        return;
    }
    out->n = from;
    wr_u8(out, (uint8_t)(i + 1));
}

static void pack_value(struct packer *p, uint64_t tag, struct rd *r)
{
    switch (value_form(tag)) {
    case VALUE_BYTES:
        wr_lenbytes(p->out, rd_bytes(r, rd_left(r)));
        break;
    case VALUE_U8:
        wr_u8(p->out, rd_u8(r));
        break;
    case VALUE_U16:
        wr_u16(p->out, rd_u16(r));
        break;
    case VALUE_TIME:
        pack_time(p, rd_svarint(r));
        break;
    case VALUE_NAME:
        pack_name(p, rd_bytes(r, rd_left(r)));
        break;
    }
}

static void pack_count(struct packer *p, struct rd *r)
{
    struct id device;
    rd_copy(r, device.b, ID_BYTES);
    bool own = id_eq(&device, p->m.device);
    wr_u8(p->out, own ? 0 : 1);
    if (!own)
        wr_bytes(p->out, bytes_of(device.b, ID_BYTES));
    pack_name(p, rd_lenbytes(r, LIMIT_NAME_BYTES));
    wr_varint(p->out, rd_varint(r));
    wr_varint(p->out, rd_varint(r));
    pack_time(p, rd_svarint(r));
    pack_time(p, rd_svarint(r));
}

static void pack_seen(struct packer *p, struct rd *r)
{
    uint64_t n = rd_varint(r);
    wr_varint(p->out, n);
    for (uint64_t i = 0; i < n && !r->err; i++) {
        wr_bytes(p->out, rd_bytes(r, 17)); /* key, sign */
        pack_time(p, rd_svarint(r));
    }
}

/* r is at the payload and ends with it; of a register the number of stamps is in the shape. */
static int pack_payload(struct packer *p, uint64_t tag, struct rd *r)
{
    switch (action_kind(tag)) {
    case ACTION_REG:
        wr_bytes(p->out, rd_bytes(r, (size_t)rd_u8(r) * 16));
        pack_value(p, tag, r);
        break;
    case ACTION_ADD:
        pack_value(p, tag, r);
        break;
    case ACTION_COUNT:
        pack_count(p, r);
        break;
    case ACTION_SEEN:
        pack_seen(p, r);
        break;
    case ACTION_REMOVE:
    case ACTION_FORGET:
    case ACTION_OTHER:
        wr_lenbytes(p->out, rd_bytes(r, rd_left(r)));
        break;
    }
    return rd_end(r);
}

static void put_hlc(struct packer *p, uint64_t hlc)
{
    uint64_t ms = hlc >> 16, counter = hlc & COUNTER_MAX;
    uint64_t usual = ms == p->m.ms ? p->m.counter + 1 : 0;
    wr_svarint(p->out, step((int64_t)p->m.ms, (int64_t)ms));
    wr_varint(p->out, (counter - usual) & COUNTER_MAX);
    p->m.ms = ms;
    p->m.counter = counter;
}

/* The actions' tags, and for registers how many stamps they replace. */
static int put_tags(struct buf *out, struct bytes actions, uint64_t n)
{
    struct rd r;
    rd_init(&r, actions);
    for (uint64_t i = 0; i < n && !r.err; i++) {
        uint64_t tag = rd_varint(&r);
        struct bytes payload = rd_lenbytes(&r, LIMIT_OP_BYTES);
        wr_varint(out, tag);
        if (tag == 0 || (action_kind(tag) == ACTION_REG && payload.n == 0))
            return ERR_FORMAT;
        if (action_kind(tag) == ACTION_REG)
            wr_u8(out, payload.p[0]);
    }
    return rd_end(&r);
}

struct head {
    uint8_t space, cls;
    uint64_t hlc, n;
    struct bytes id, actions;
};

static int pack_shape(struct packer *p, const struct head *h)
{
    struct buf *out = p->out;
    size_t from = out->n;
    wr_u8(out, ITEM_NEW);
    wr_u8(out, h->space);
    wr_u8(out, h->cls);
    wr_varint(out, h->n);
    int rc = put_tags(out, h->actions, h->n);
    if (rc || out->err)
        return rc ? rc : out->err;
    size_t i = known(&p->m.shapes, out, from + 1);
    if (i == p->m.shapes.n) {
        remember(&p->m.shapes, from + 1, out->n - (from + 1));
        return 0;
    }
    out->n = from;
    wr_u8(out, (uint8_t)(ITEM_KNOWN + i));
    return 0;
}

static int pack_op(struct packer *p, struct bytes salt, struct bytes op)
{
    struct rd r;
    struct head h;
    rd_init(&r, op);
    uint8_t suite = rd_u8(&r);
    h.space = rd_u8(&r);
    h.cls = rd_u8(&r);
    h.hlc = rd_u64(&r);
    h.id = rd_bytes(&r, ID_BYTES);
    h.n = rd_varint(&r);
    h.actions = rd_bytes(&r, rd_left(&r));
    if (r.err || suite != OP_SUITE)
        return ERR_FORMAT;
    int rc = pack_shape(p, &h);
    wr_bytes(p->out, salt);
    put_hlc(p, h.hlc);
    wr_bytes(p->out, h.id);
    rd_init(&r, h.actions);
    for (uint64_t i = 0; i < h.n && rc == 0; i++) {
        struct rd payload;
        uint64_t tag = rd_varint(&r);
        rd_init(&payload, rd_lenbytes(&r, LIMIT_OP_BYTES));
        rc = pack_payload(p, tag, &payload);
    }
    return rc;
}

static int pack_all(struct packer *p, struct bytes plain)
{
    struct rd r;
    int rc = 0;
    rd_init(&r, plain);
    wr_u8(p->out, CONTENT_PACKED);
    while (rc == 0 && rd_left(&r) > 0 && !p->out->err) {
        uint64_t n = rd_varint(&r);
        struct bytes salt = rd_bytes(&r, n == 0 ? HASH_BYTES : SALT_BYTES);
        struct bytes op = rd_bytes(&r, n > LIMIT_OP_BYTES ? SIZE_MAX : (size_t)n);
        if (r.err)
            return r.err;
        if (n == 0) {
            wr_u8(p->out, ITEM_BARE);
            wr_bytes(p->out, salt);
        } else {
            rc = pack_op(p, salt, op);
        }
    }
    return rc ? rc : p->out->err;
}

int content_pack(struct bytes plain, const struct id *device, struct buf *out)
{
    struct packer p = {.m = {.device = device}, .out = out};
    CHECK(out->n == 0 && plain.n <= FRAME_PLAIN_MAX);
    int rc = pack_all(&p, plain);
    if (rc == 0 || rc == ERR_NOMEM)
        return rc;
    buf_clear(out); /* too long when packed, or not of this form */
    wr_u8(out, CONTENT_PLAIN);
    wr_bytes(out, plain);
    return out->err;
}

/* ---- unpacking */

struct unpacker {
    struct memory m;
    struct bytes in;
    struct rd r;
    struct buf op, payload; /* being put together */
};

static struct bytes unpack_name(struct unpacker *u)
{
    uint8_t ref = rd_u8(&u->r);
    if (ref == 0) {
        struct bytes name = rd_lenbytes(&u->r, LIMIT_OP_BYTES);
        if (!u->r.err)
            remember(&u->m.names, (size_t)(name.p - u->in.p), name.n);
        return name;
    }
    if (ref > u->m.names.n) {
        u->r.err = ERR_FORMAT;
        return BYTES_NONE;
    }
    const struct place *p = &u->m.names.place[ref - 1];
    return bytes_slice(u->in, p->at, p->n);
}

static void unpack_time(struct unpacker *u)
{
    int64_t ms = (int64_t)((uint64_t)u->m.time_ms + (uint64_t)rd_svarint(&u->r));
    wr_svarint(&u->payload, ms);
    u->m.time_ms = ms;
}

static void unpack_value(struct unpacker *u, uint64_t tag)
{
    switch (value_form(tag)) {
    case VALUE_BYTES:
        wr_bytes(&u->payload, rd_lenbytes(&u->r, LIMIT_OP_BYTES));
        break;
    case VALUE_U8:
        wr_u8(&u->payload, rd_u8(&u->r));
        break;
    case VALUE_U16:
        wr_u16(&u->payload, rd_u16(&u->r));
        break;
    case VALUE_TIME:
        unpack_time(u);
        break;
    case VALUE_NAME:
        wr_bytes(&u->payload, unpack_name(u));
        break;
    }
}

static void unpack_count(struct unpacker *u)
{
    struct bytes device = bytes_of(u->m.device->b, ID_BYTES);
    if (rd_u8(&u->r) != 0)
        device = rd_bytes(&u->r, ID_BYTES);
    wr_bytes(&u->payload, device);
    wr_lenbytes(&u->payload, unpack_name(u));
    wr_varint(&u->payload, rd_varint(&u->r));
    wr_varint(&u->payload, rd_varint(&u->r));
    unpack_time(u);
    unpack_time(u);
}

static void unpack_seen(struct unpacker *u)
{
    uint64_t n = rd_varint(&u->r);
    wr_varint(&u->payload, n);
    for (uint64_t i = 0; i < n && !u->r.err && !u->payload.err; i++) {
        wr_bytes(&u->payload, rd_bytes(&u->r, 17));
        unpack_time(u);
    }
}

/* One action; s is at it in the shape. */
static void unpack_action(struct unpacker *u, struct rd *s)
{
    uint64_t tag = rd_varint(s);
    size_t stamps = 0;
    buf_clear(&u->payload);
    switch (action_kind(tag)) {
    case ACTION_REG:
        stamps = rd_u8(s);
        wr_u8(&u->payload, (uint8_t)stamps);
        wr_bytes(&u->payload, rd_bytes(&u->r, stamps * 16));
        unpack_value(u, tag);
        break;
    case ACTION_ADD:
        unpack_value(u, tag);
        break;
    case ACTION_COUNT:
        unpack_count(u);
        break;
    case ACTION_SEEN:
        unpack_seen(u);
        break;
    case ACTION_REMOVE:
    case ACTION_FORGET:
    case ACTION_OTHER:
        wr_bytes(&u->payload, rd_lenbytes(&u->r, LIMIT_OP_BYTES));
        break;
    }
    wr_varint(&u->op, tag);
    wr_lenbytes(&u->op, buf_view(&u->payload));
    if (u->payload.err && !u->op.err)
        u->op.err = u->payload.err;
}

/* Reads over a new shape, so that its bytes are known. */
static struct bytes new_shape(struct unpacker *u)
{
    struct rd *r = &u->r;
    const uint8_t *from = r->p;
    (void)rd_bytes(r, 2);
    uint64_t n = rd_varint(r);
    for (uint64_t i = 0; i < n && !r->err; i++) {
        if (action_kind(rd_varint(r)) == ACTION_REG)
            (void)rd_u8(r);
    }
    struct bytes shape = bytes_of(from, (size_t)(r->p - from));
    if (!r->err)
        remember(&u->m.shapes, (size_t)(from - u->in.p), shape.n);
    return shape;
}

static struct bytes shape_of(struct unpacker *u, uint8_t item)
{
    if (item == ITEM_NEW)
        return new_shape(u);
    if (item - ITEM_KNOWN >= u->m.shapes.n) {
        u->r.err = u->r.err ? u->r.err : ERR_FORMAT;
        return BYTES_NONE;
    }
    const struct place *p = &u->m.shapes.place[item - ITEM_KNOWN];
    return bytes_slice(u->in, p->at, p->n);
}

static uint64_t take_hlc(struct unpacker *u)
{
    uint64_t before = u->m.ms;
    uint64_t ms = before + (uint64_t)rd_svarint(&u->r);
    uint64_t usual = ms == before ? u->m.counter + 1 : 0;
    u->m.ms = ms & (UINT64_MAX >> 16); /* what had more bits is not what packing gives */
    u->m.counter = (usual + rd_varint(&u->r)) & COUNTER_MAX;
    return u->m.ms << 16 | u->m.counter;
}

static void unpack_op(struct unpacker *u, uint8_t item, struct buf *out)
{
    struct rd s;
    rd_init(&s, shape_of(u, item));
    struct bytes salt = rd_bytes(&u->r, SALT_BYTES);
    buf_clear(&u->op);
    wr_u8(&u->op, OP_SUITE);
    wr_u8(&u->op, rd_u8(&s));
    wr_u8(&u->op, rd_u8(&s));
    wr_u64(&u->op, take_hlc(u));
    wr_bytes(&u->op, rd_bytes(&u->r, ID_BYTES));
    uint64_t n = rd_varint(&s);
    wr_varint(&u->op, n);
    for (uint64_t i = 0; i < n && !u->r.err && !u->op.err; i++)
        unpack_action(u, &s);
    wr_varint(out, u->op.n);
    wr_bytes(out, salt);
    wr_bytes(out, buf_view(&u->op));
    if (u->op.err && !out->err)
        out->err = u->op.err;
}

static int unpack_all(struct unpacker *u, struct buf *out)
{
    rd_init(&u->r, bytes_slice(u->in, 1, SIZE_MAX));
    while (rd_left(&u->r) > 0 && !u->r.err && !out->err) {
        uint8_t item = rd_u8(&u->r);
        if (item != ITEM_BARE) {
            unpack_op(u, item, out);
            continue;
        }
        wr_u8(out, 0);
        wr_bytes(out, rd_bytes(&u->r, HASH_BYTES));
    }
    return u->r.err ? u->r.err : out->err;
}

/* Whether content is what packing the plain form gives. */
static int check_form(struct bytes content, struct bytes plain, const struct id *device)
{
    struct buf again;
    buf_init(&again, FRAME_CONTENT_MAX);
    int rc = content_pack(plain, device, &again);
    if (rc == 0 && !bytes_eq(buf_view(&again), content))
        rc = ERR_FORMAT;
    buf_release(&again);
    return rc;
}

static int unpack(struct bytes content, const struct id *device, struct buf *plain)
{
    struct unpacker u = {.m = {.device = device}, .in = content};
    if (content.n == 0)
        return ERR_FORMAT;
    if (content.p[0] > CONTENT_PACKED)
        return ERR_VERSION;
    if (content.p[0] == CONTENT_PLAIN)
        return buf_bytes(plain, bytes_slice(content, 1, SIZE_MAX));
    buf_init(&u.op, LIMIT_OP_BYTES);
    buf_init(&u.payload, LIMIT_OP_BYTES);
    int rc = unpack_all(&u, plain);
    buf_release(&u.op);
    buf_release(&u.payload);
    return rc;
}

int content_unpack(struct bytes content, const struct id *device, struct buf *plain, struct err *e)
{
    CHECK(plain->n == 0 && plain->max <= FRAME_PLAIN_MAX);
    int rc = unpack(content, device, plain);
    rc = rc ? rc : check_form(content, buf_view(plain), device);
    return rc ? err_set(e, rc, "ops of a frame are packed wrongly") : 0;
}
