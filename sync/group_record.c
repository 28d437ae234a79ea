/* Membership records, bytes and fields. One content has one encoding: lists ascend, lengths are exact, and
 * nothing follows the signature. Offsets: sync/PROTOCOL.md. */
#include "sync/group_int.h"

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"
#include "crypto/label.h"

#include <string.h>

#define VERSION 1
#define SUITE 1

void record_hash(struct bytes b, struct hash *out)
{
    hash_parts(out, (struct bytes[]){BYTES_LIT(LABEL_MEMBER_HASH), b}, 2);
}

/* ---- bodies */

static void read_id(struct rd *r, struct id *out)
{
    rd_copy(r, out->b, ID_BYTES);
}

static void fail(struct rd *r, int code)
{
    if (!r->err)
        r->err = code;
}

/* n items whose first `key` bytes ascend strictly. */
static void read_items(struct rd *r, struct list *l, size_t key)
{
    struct bytes all = rd_bytes(r, l->n * l->size);
    l->p = all.p;
    for (size_t i = 1; i < l->n && !r->err; i++) {
        if (memcmp(list_at(l, i - 1), list_at(l, i), key) >= 0)
            fail(r, ERR_FORMAT);
    }
}

static void read_list(struct rd *r, struct list *l, size_t size, size_t max)
{
    uint64_t n = rd_varint(r);
    if (n > max)
        fail(r, ERR_LIMIT);
    l->n = r->err ? 0 : (size_t)n;
    l->size = size;
    read_items(r, l, ID_BYTES);
    l->n = r->err ? 0 : l->n;
}

static int64_t read_time(struct rd *r)
{
    uint64_t ms = rd_u64(r);
    if (ms > LIMIT_TIME_MS_MAX)
        fail(r, ERR_LIMIT);
    return r->err ? 0 : (int64_t)ms;
}

static void read_keys(struct rd *r, struct record_body *b)
{
    read_list(r, &b->keys, ITEM_KEY_BYTES, MEMBER_KEYS_MAX);
    for (size_t i = 0; i < b->keys.n; i++) {
        uint8_t kind = list_at(&b->keys, i)[ID_BYTES];
        if (kind != KEY_ROOT && kind != KEY_FRAME)
            fail(r, ERR_FORMAT);
    }
}

static void read_genesis(struct rd *r, struct record_body *b)
{
    b->cert = rd_lenbytes(r, DEVICE_CERT_BYTES_MAX);
    read_id(r, &b->secret_id);
    b->secret = rd_bytes(r, EPOCH_SEALED_BYTES);
}

static void read_add(struct rd *r, struct record_body *b)
{
    b->cert = rd_lenbytes(r, DEVICE_CERT_BYTES_MAX);
    uint8_t kind = rd_u8(r);
    b->history.since_ms = read_time(r);
    b->secret = rd_bytes(r, EPOCH_SEALED_BYTES);
    if (kind > HISTORY_SINCE || (kind != HISTORY_SINCE && b->history.since_ms != 0))
        fail(r, ERR_FORMAT);
    b->history.kind = (enum history)(r->err ? 0 : kind);
    read_keys(r, b);
}

static void read_remove(struct rd *r, struct record_body *b)
{
    struct rd seq;
    read_id(r, &b->device);
    read_list(r, &b->cuts, ITEM_CUT_BYTES, MEMBER_CUTS_MAX);
    for (size_t i = 0; i < b->cuts.n; i++) {
        rd_init(&seq, bytes_of(list_at(&b->cuts, i) + ID_BYTES, 8));
        uint64_t n = rd_u64(&seq);
        if (n == 0 || n > INT64_MAX)
            fail(r, ERR_FORMAT);
    }
}

static void read_epoch(struct rd *r, struct record_body *b)
{
    read_id(r, &b->epoch);
    read_id(r, &b->frame);
    read_list(r, &b->sealed, ITEM_SEALED_BYTES, MEMBERS_MAX);
    read_list(r, &b->wraps, ITEM_WRAP_BYTES, MEMBER_WRAPS_MAX);
    if (b->sealed.n == 0)
        fail(r, ERR_FORMAT);
}

static bool is_name(struct bytes name)
{
    size_t at = 0;
    while (at < name.n) {
        int32_t cp = utf8_next(name, &at);
        if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            return false;
    }
    return name.n > 0;
}

static void read_name(struct rd *r, struct record_body *b)
{
    read_id(r, &b->device);
    b->name = rd_lenbytes(r, DEVICE_NAME_BYTES);
    if (!is_name(b->name))
        fail(r, ERR_FORMAT);
}

static void read_fork(struct rd *r, struct record_body *b)
{
    read_id(r, &b->log);
    b->split.root = b->log;
    b->split.seq = rd_u64(r);
    rd_copy(r, b->split.chain.b, HASH_BYTES);
    uint64_t n = rd_varint(r);
    if (n > LOG_BRANCHES_MAX || b->split.seq >= INT64_MAX)
        fail(r, ERR_LIMIT);
    if (n == 0)
        fail(r, ERR_FORMAT);
    b->branches = (struct list){.n = r->err ? 0 : (size_t)n, .size = HASH_BYTES};
    read_items(r, &b->branches, HASH_BYTES);
    b->branches.n = r->err ? 0 : b->branches.n;
}

static int read_body(uint8_t kind, struct bytes in, struct record_body *b)
{
    struct rd r;
    rd_init(&r, in);
    memset(b, 0, sizeof *b);
    switch (kind) {
    case MEMBER_GENESIS:
        read_genesis(&r, b);
        break;
    case MEMBER_ADD:
        read_add(&r, b);
        break;
    case MEMBER_REMOVE:
        read_remove(&r, b);
        break;
    case MEMBER_DORMANT:
    case MEMBER_WAKE:
        read_id(&r, &b->device);
        break;
    case MEMBER_EPOCH:
        read_epoch(&r, b);
        break;
    case MEMBER_LOG_OPEN:
        read_id(&r, &b->log);
        break;
    case MEMBER_NAME:
        read_name(&r, b);
        break;
    case MEMBER_HAND:
        read_id(&r, &b->device);
        read_keys(&r, b);
        if (b->keys.n == 0)
            fail(&r, ERR_FORMAT);
        break;
    case MEMBER_WORDS:
        break;
    case MEMBER_FORK:
        read_fork(&r, b);
        break;
    default: /* of a later version: kept as it is */
        return 0;
    }
    return rd_end(&r);
}

/* ---- the record */

static int check_version(struct rd *r, struct err *e)
{
    uint8_t version = rd_u8(r), suite = rd_u8(r);
    if (r->err || version == 0 || suite == 0)
        return err_set(e, ERR_FORMAT, "not a membership record");
    if (version != VERSION || suite != SUITE)
        return err_set(e, ERR_VERSION, "membership record of version %u, suite %u", version, suite);
    return 0;
}

static void read_head(struct rd *r, struct record_head *h)
{
    h->kind = rd_u8(r);
    read_id(r, &h->group);
    read_id(r, &h->author);
    h->time_ms = read_time(r);
    h->causes = (struct list){.n = rd_u8(r), .size = HASH_BYTES};
    if (h->causes.n > MEMBER_HEADS_MAX)
        fail(r, ERR_LIMIT);
    h->causes.n = r->err ? 0 : h->causes.n;
    read_items(r, &h->causes, HASH_BYTES);
    h->body = rd_lenbytes(r, MEMBER_RECORD_BYTES_MAX);
    h->signature = rd_bytes(r, SIGN_BYTES);
}

int record_decode(struct bytes b, struct record_head *h, struct record_body *body, struct err *e)
{
    struct rd r;
    memset(h, 0, sizeof *h);
    memset(body, 0, sizeof *body);
    if (b.n > MEMBER_RECORD_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "membership record of %zu bytes, at most %u", b.n,
                       MEMBER_RECORD_BYTES_MAX);
    rd_init(&r, b);
    int rc = check_version(&r, e);
    if (rc)
        return rc;
    read_head(&r, h);
    rc = rd_end(&r);
    if (rc)
        return err_set(e, rc, "membership record with a malformed head");
    bool genesis = h->kind == MEMBER_GENESIS;
    if (h->kind == 0 || (h->causes.n == 0) != genesis || id_none(&h->group) != genesis)
        return err_set(e, ERR_FORMAT, "membership record without kind, group or causes");
    h->text = bytes_slice(b, 0, b.n - SIGN_BYTES);
    rc = read_body(h->kind, h->body, body);
    return rc ? err_set(e, rc, "membership record with a malformed body (kind %u)", (unsigned)h->kind) : 0;
}

int record_encode(const struct record_head *h, const struct sign_key *key, struct buf *out)
{
    uint8_t sig[SIGN_BYTES];
    size_t from = out->n;
    CHECK(h->causes.n <= MEMBER_HEADS_MAX);
    wr_u8(out, VERSION);
    wr_u8(out, SUITE);
    wr_u8(out, h->kind);
    wr_bytes(out, bytes_of(h->group.b, ID_BYTES));
    wr_bytes(out, bytes_of(h->author.b, ID_BYTES));
    wr_u64(out, (uint64_t)h->time_ms);
    wr_u8(out, (uint8_t)h->causes.n);
    wr_bytes(out, bytes_of(h->causes.p, h->causes.n * HASH_BYTES));
    wr_lenbytes(out, h->body);
    if (out->err)
        return out->err;
    struct bytes text = bytes_slice(buf_view(out), from, SIZE_MAX);
    sign_make(key, LABEL_SIGN_MEMBER, &text, 1, sig);
    return buf_append(out, sig, sizeof sig);
}
