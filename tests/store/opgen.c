#include "tests/store/opgen.h"

#include "base/check.h"
#include "base/limits.h"
#include "tests/support/rng.h"

#include <stdlib.h>
#include <string.h>

#define IDS 3
#define HASHES 6

struct maker {
    struct opgen *g;
    struct test_rng rng;
    struct draft draft;
    struct buf op;
    uint64_t seqs[OPGEN_LOGS];
    bool collide;
};

static uint64_t below(struct maker *m, uint64_t n)
{
    return test_rng_below(&m->rng, n);
}

static struct id small_id(uint64_t kind, uint64_t n)
{
    struct id id;
    memset(id.b, (int)kind, ID_BYTES);
    id.b[ID_BYTES - 1] = (uint8_t)n;
    return id;
}

static int name_order(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Up to four stamps of earlier ops, ascending and distinct. */
static size_t some_names(struct maker *m, uint8_t out[4][16])
{
    size_t n = m->g->n > 0 ? (size_t)below(m, 5) : 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        memcpy(out[i], m->g->ops[below(m, m->g->n)].hash.b, 16);
    qsort(out, n, 16, name_order);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || memcmp(out[kept - 1], out[i], 16) != 0)
            memmove(out[kept++], out[i], 16);
    }
    return kept;
}

static void put_text(struct maker *m, enum op_tag tag, const uint8_t (*names)[16], size_t n)
{
    static const char *const texts[] = {"a", "b", "prefers tea", "works in Porto"};
    draft_reg(&m->draft, tag, bytes_str(texts[below(m, 4)]), names, n);
}

static void put_number(struct maker *m, enum op_tag tag, const uint8_t (*names)[16], size_t n)
{
    uint8_t prior[2] = {0, (uint8_t)below(m, 3)};
    if (tag == REG_PRIOR)
        draft_reg(&m->draft, tag, bytes_of(prior, 2), names, n);
    else if (tag == REG_DECAY)
        draft_reg_u8(&m->draft, tag, (uint8_t)(1 + below(m, 10)), names, n);
    else
        draft_reg_u8(&m->draft, tag, (uint8_t)below(m, 2), names, n);
}

static void put_reg(struct maker *m, enum op_tag tag)
{
    uint8_t names[4][16];
    size_t n = some_names(m, names);
    if (tag == REG_TEXT || tag == REG_SCOPE || tag == REG_NAME || tag == REG_VALUE || tag > REG_CREATED)
        put_text(m, tag, (const uint8_t(*)[16])names, n);
    else
        put_number(m, tag, (const uint8_t(*)[16])names, n);
}

static void put_element(struct maker *m, enum op_tag tag, struct bytes element)
{
    uint8_t dots[4][16];
    if (below(m, 3) > 0)
        draft_set_add(&m->draft, tag, element);
    if (below(m, 2) > 0)
        draft_set_remove(&m->draft, tag, element, (const uint8_t(*)[16])dots, some_names(m, dots));
}

static void put_set(struct maker *m, enum op_tag tag)
{
    struct id id = small_id(0x20, below(m, IDS));
    uint8_t span[] = {2, 's', 'h', 0, 0, 0, 0, 0, 0, 0, (uint8_t)below(m, 2), 0, 0, 0, 0, 0, 0, 0, 9};
    if (tag == SET_SAME_AS || tag == SET_SUPERSEDES)
        put_element(m, tag, bytes_of(id.b, ID_BYTES));
    else if (tag == SET_SPAN)
        put_element(m, tag, bytes_of(span, sizeof span));
    else
        put_element(m, tag, below(m, 2) > 0 ? BYTES_LIT("home") : BYTES_LIT("work"));
}

static void put_count(struct maker *m)
{
    struct count c = {.device = small_id(0x40, below(m, 3)), .support = below(m, 3), .against = below(m, 2)};
    c.source = below(m, 2) > 0 ? BYTES_LIT("bash") : BYTES_LIT("git");
    c.first_ms = OPGEN_MS + (int64_t)below(m, 3);
    c.last_ms = c.first_ms + (int64_t)below(m, 3);
    draft_count(&m->draft, &c);
}

static void put_seen(struct maker *m)
{
    struct seen seen[3];
    size_t n = 1 + (size_t)below(m, 3);
    for (size_t i = 0; i < n; i++) {
        seen[i] = (struct seen){.against = (uint8_t)below(m, 2), .time_ms = OPGEN_MS + (int64_t)below(m, 3)};
        seen[i].key[0] = (uint8_t)below(m, 3);
    }
    draft_seen(&m->draft, seen, n);
}

/* Each tag at most once in an op: all tags are gone through, each taken with its own chance. */
static void put_actions(struct maker *m)
{
    static const uint32_t regs[] = {REG_TEXT, REG_DECAY, REG_SCOPE, REG_PRIOR, REG_VERDICT, REG_PINNED,
                                    REG_LIFE, REG_NAME,  REG_VALUE, 40,        63};
    static const uint32_t sets[] = {SET_TAG, SET_SAME_AS, SET_SUPERSEDES, SET_SPAN, 95};
    for (size_t i = 0; i < sizeof regs / sizeof *regs; i++) {
        if (below(m, 5) == 0)
            put_reg(m, (enum op_tag)regs[i]);
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (below(m, 6) == 0)
            put_set(m, (enum op_tag)sets[i]);
    }
    if (below(m, 4) == 0)
        put_count(m);
    if (below(m, 4) == 0)
        put_seen(m);
    if (below(m, 6) == 0)
        draft_reg(&m->draft, (enum op_tag)131, below(m, 2) > 0 ? BYTES_LIT("x") : BYTES_NONE, NULL, 0);
    if (below(m, 6) == 0)
        draft_reg(&m->draft, (enum op_tag)70000, BYTES_LIT("y"), NULL, 0);
    if (m->draft.n_actions == 0)
        put_reg(m, REG_TEXT);
}

static void draft_one(struct maker *m)
{
    static const uint8_t spaces[] = {
        SPACE_PROPOSITION, SPACE_PROPOSITION, SPACE_PROPOSITION, SPACE_PROPOSITION,
        SPACE_EDGE,        SPACE_SETTING,     SPACE_BLOCK,       200};
    struct id id = small_id(0x20, below(m, IDS));
    enum op_space space = (enum op_space)spaces[below(m, sizeof spaces)];
    enum op_class cls = (enum op_class)below(m, 4);
    if (below(m, 30) == 0) {
        draft_reset(&m->draft, space, CLASS_EDIT, &id);
        draft_forget(&m->draft);
        return;
    }
    draft_reset(&m->draft, space, cls, &id);
    put_actions(m);
}

static void make_one(struct maker *m)
{
    struct op_record *r = &m->g->ops[m->g->n];
    uint64_t log = below(m, OPGEN_LOGS);
    uint64_t hlc = ((uint64_t)OPGEN_MS << 16) + below(m, 8);
    uint8_t *body;
    draft_one(m);
    buf_clear(&m->op);
    CHECK(draft_encode(&m->draft, hlc, &m->op) == 0);
    *r = (struct op_record){.log = small_id(0x10, log), .seq = ++m->seqs[log]};
    test_rng_fill(&m->rng, r->salt, sizeof r->salt);
    body = malloc(m->op.n);
    CHECK(body);
    memcpy(body, m->op.p, m->op.n);
    m->g->bodies[m->g->n] = body;
    r->op = bytes_of(body, m->op.n);
    op_hash(r->salt, r->op, &r->hash);
    if (m->collide)
        memset(r->hash.b, (int)(0xf0 + below(m, HASHES)), 16);
    m->g->n++;
}

void opgen_make(struct opgen *g, uint64_t seed, size_t n, bool collide)
{
    struct maker m = {.g = g, .collide = collide};
    *g = (struct opgen){.ops = calloc(n + 1, sizeof *g->ops)};
    g->bodies = calloc(n + 1, sizeof(void *));
    CHECK(g->ops && g->bodies);
    test_rng_init(&m.rng, seed);
    draft_init(&m.draft);
    buf_init(&m.op, LIMIT_OP_BYTES);
    for (size_t i = 0; i < n; i++)
        make_one(&m);
    draft_release(&m.draft);
    buf_release(&m.op);
}

void opgen_release(struct opgen *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->bodies[i]);
    free(g->bodies);
    free(g->ops);
    *g = (struct opgen){0};
}
