/* What the payload of an action may hold. Known registers and set elements follow a table of shapes; tags
 * that this build does not know are bounded by the size of the op alone, so that a newer build's ops pass
 * through an older one. */
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "store/op_int.h"

#include <string.h>

enum shape { SHAPE_BYTES, SHAPE_TEXT, SHAPE_U8, SHAPE_U16, SHAPE_TIME, SHAPE_SPAN };

/* lo..hi bound the length of bytes and texts, and the value of numbers. */
struct rule {
    uint32_t tag;
    enum shape shape;
    uint32_t lo, hi;
};

static const struct rule rules[] = {
    {REG_TEXT, SHAPE_TEXT, 1, LIMIT_TEXT_BYTES},
    {REG_REASONING, SHAPE_TEXT, 0, LIMIT_REASONING_BYTES},
    {REG_DECAY, SHAPE_U8, 1, 10},
    {REG_SCOPE, SHAPE_TEXT, 0, LIMIT_NAME_BYTES},
    {REG_SENSITIVITY, SHAPE_U8, 0, 3},
    {REG_KIND, SHAPE_U8, 0, UINT8_MAX},
    {REG_PRIOR, SHAPE_U16, 0, 1000},
    {REG_VERDICT, SHAPE_U8, 0, UINT8_MAX},
    {REG_PINNED, SHAPE_U8, 0, 1},
    {REG_LIFE, SHAPE_U8, 0, 1},
    {REG_ORIGIN, SHAPE_TEXT, 0, LIMIT_NAME_BYTES},
    {REG_NAME, SHAPE_TEXT, 1, LIMIT_NAME_BYTES},
    {REG_VALUE, SHAPE_TEXT, 0, LIMIT_SETTING_BYTES},
    {REG_VALID_FROM, SHAPE_TIME, 0, 0},
    {REG_VALID_UNTIL, SHAPE_TIME, 0, 0},
    {REG_CREATED, SHAPE_TIME, 0, 0},
    {REG_SEALED, SHAPE_BYTES, 0, LIMIT_OP_BYTES},
    {SET_TAG, SHAPE_TEXT, 1, LIMIT_NAME_BYTES},
    {SET_SAME_AS, SHAPE_BYTES, ID_BYTES, ID_BYTES},
    {SET_SUPERSEDES, SHAPE_BYTES, ID_BYTES, ID_BYTES},
    {SET_SPAN, SHAPE_SPAN, 0, 0},
};
static const struct rule any_value = {0, SHAPE_BYTES, 0, LIMIT_OP_BYTES};
static const struct rule any_element = {0, SHAPE_BYTES, 1, LIMIT_TEXT_BYTES};

static const struct rule *rule_of(uint64_t tag)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].tag == tag)
            return &rules[i];
    }
    return tag <= TAG_REG_LAST ? &any_value : &any_element;
}

static int check_length(const struct rule *rule, struct bytes v)
{
    if (v.n > rule->hi)
        return ERR_LIMIT;
    return v.n < rule->lo ? ERR_FORMAT : 0;
}

static int check_span(struct rd *r)
{
    (void)rd_lenbytes(r, LIMIT_NAME_BYTES);
    (void)rd_u64(r);
    (void)rd_u64(r);
    return rd_end(r);
}

static int check_number(const struct rule *rule, struct rd *r)
{
    uint32_t v = rule->shape == SHAPE_U8 ? rd_u8(r) : rd_u16(r);
    int rc = rd_end(r);
    if (rc)
        return rc;
    return v < rule->lo || v > rule->hi ? ERR_FORMAT : 0;
}

/* A register's value or a set's element. */
static int check_value(const struct rule *rule, struct bytes v)
{
    struct rd r;
    int rc;
    rd_init(&r, v);
    switch (rule->shape) {
    case SHAPE_BYTES:
        return check_length(rule, v);
    case SHAPE_TEXT:
        rc = check_length(rule, v);
        return !rc && !utf8_valid(v) ? ERR_FORMAT : rc;
    case SHAPE_U8:
    case SHAPE_U16:
        return check_number(rule, &r);
    case SHAPE_TIME:
        (void)rd_svarint(&r);
        return rd_end(&r);
    case SHAPE_SPAN:
        return check_span(&r);
    }
    return ERR_FORMAT;
}

/* Reads n names of 16 bytes, each higher than the one before. */
static int read_names(struct rd *r, size_t n)
{
    const uint8_t *before = NULL;
    for (size_t i = 0; i < n && !r->err; i++) {
        const uint8_t *name = rd_bytes(r, 16).p;
        if (!r->err && before && memcmp(before, name, 16) >= 0)
            return ERR_FORMAT;
        before = name;
    }
    return r->err;
}

static int check_reg(const struct action *a)
{
    struct rd r;
    size_t n;
    int rc;
    rd_init(&r, a->payload);
    n = rd_u8(&r);
    if (n > LIMIT_PRIOR_STAMPS)
        return ERR_LIMIT;
    rc = read_names(&r, n);
    return rc ? rc : check_value(rule_of(a->tag), rd_bytes(&r, rd_left(&r)));
}

static int check_remove(const struct action *a)
{
    struct rd r;
    struct bytes element;
    uint64_t n;
    int rc;
    rd_init(&r, a->payload);
    element = rd_lenbytes(&r, LIMIT_TEXT_BYTES);
    n = rd_varint(&r);
    if (r.err || n == 0 || n != rd_left(&r) / 16)
        return r.err ? r.err : ERR_FORMAT;
    rc = read_names(&r, (size_t)n);
    if (!rc)
        rc = rd_end(&r);
    return rc ? rc : check_value(rule_of(a->tag - TAG_REMOVE_SHIFT), element);
}

/* Counts of nothing have no times; others have two in order. */
static bool count_times_fit(uint64_t support, uint64_t against, int64_t first_ms, int64_t last_ms)
{
    if (support == 0 && against == 0)
        return first_ms == TIME_NONE && last_ms == TIME_NONE;
    return first_ms != TIME_NONE && first_ms <= last_ms;
}

static int check_count(const struct action *a)
{
    struct rd r;
    struct bytes source;
    uint64_t support, against;
    int64_t first_ms, last_ms;
    rd_init(&r, a->payload);
    (void)rd_bytes(&r, ID_BYTES);
    source = rd_lenbytes(&r, LIMIT_NAME_BYTES);
    support = rd_varint(&r);
    against = rd_varint(&r);
    first_ms = rd_svarint(&r);
    last_ms = rd_svarint(&r);
    if (rd_end(&r))
        return r.err;
    return utf8_valid(source) && count_times_fit(support, against, first_ms, last_ms) ? 0 : ERR_FORMAT;
}

void seen_read(struct rd *r, struct seen *out)
{
    rd_copy(r, out->key, sizeof out->key);
    out->against = rd_u8(r);
    out->time_ms = rd_svarint(r);
}

static int seen_order(const struct seen *a, const struct seen *b)
{
    int order = memcmp(a->key, b->key, sizeof a->key);
    return order != 0 ? order : (int)a->against - (int)b->against;
}

static int check_seen(const struct action *a)
{
    struct rd r;
    struct seen before = {0};
    uint64_t n;
    rd_init(&r, a->payload);
    n = rd_varint(&r);
    if (r.err || n == 0)
        return ERR_FORMAT;
    if (n > OP_SEEN_MAX)
        return ERR_LIMIT;
    for (uint64_t i = 0; i < n; i++) {
        struct seen s;
        seen_read(&r, &s);
        if (r.err || s.against > 1 || (i > 0 && seen_order(&before, &s) >= 0))
            return ERR_FORMAT;
        before = s;
    }
    return rd_end(&r);
}

static int check_payload(const struct action *a)
{
    switch (action_kind(a->tag)) {
    case ACTION_REG:
        return check_reg(a);
    case ACTION_ADD:
        return check_value(rule_of(a->tag), a->payload);
    case ACTION_REMOVE:
        return check_remove(a);
    case ACTION_COUNT:
        return check_count(a);
    case ACTION_SEEN:
        return check_seen(a);
    case ACTION_FORGET:
        return a->payload.n > 0 ? ERR_FORMAT : 0;
    case ACTION_OTHER:
        return 0;
    }
    return ERR_FORMAT;
}

int action_check(const struct action *a, struct err *e)
{
    int rc;
    if (a->tag == 0 || a->tag > UINT32_MAX)
        return err_set(e, ERR_FORMAT, "op with a reserved action tag");
    rc = check_payload(a);
    return rc ? err_set(e, rc, "payload of action tag %u breaks its rule", (unsigned)a->tag) : 0;
}

static struct bytes element_of(const struct action *a)
{
    struct set_remove remove;
    if (action_kind(a->tag) != ACTION_REMOVE)
        return a->payload;
    action_remove(a, &remove);
    return remove.element;
}

static int count_order(const struct action *pa, const struct action *pb)
{
    struct count a, b;
    int order;
    action_count(pa, &a);
    action_count(pb, &b);
    order = id_cmp(&a.device, &b.device);
    return order != 0 ? order : bytes_cmp(a.source, b.source);
}

int action_order(const struct action *a, const struct action *b)
{
    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    switch (action_kind(a->tag)) {
    case ACTION_ADD:
    case ACTION_REMOVE:
    case ACTION_OTHER:
        return bytes_cmp(element_of(a), element_of(b));
    case ACTION_COUNT:
        return count_order(a, b);
    case ACTION_REG:
    case ACTION_SEEN:
    case ACTION_FORGET:
        return 0;
    }
    return 0;
}
