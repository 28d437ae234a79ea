/* Answers of a language model to the stages. The first byte chooses the stage, the rest is the answer. What a
 * stage keeps must be what it promises: plain text within limits, ids that were shown. */
#include "node/model/norms.h"
#include "node/model/revise.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHOWN 5

static void seven(void *ctx, void *p, size_t n)
{
    (void)ctx;
    memset(p, 7, n);
}

static void check_text(const struct prompt *p, struct bytes text, size_t max)
{
    CHECK(text.n > 0 && text.n <= max && utf8_valid(text));
    CHECK(bytes_ifind(text, bytes_of(p->fence, PROMPT_FENCE)) == SIZE_MAX);
    for (size_t i = 0; i < text.n; i++)
        CHECK(text.p[i] >= ' ' && text.p[i] != 0x7f);
}

static void check_proposals(const struct prompt *p, const struct proposals *c)
{
    CHECK(c->n <= PROPOSALS_MAX);
    for (size_t i = 0; i < c->n; i++) {
        const struct proposal *v = &c->v[i];
        check_text(p, v->text, PROMPT_CLAIM_BYTES + PROMPT_USER_BYTES);
        check_text(p, v->reasoning, PROMPT_REASONING_BYTES);
        CHECK(bytes_starts(v->text, BYTES_LIT("Ana ")));
        CHECK(v->support != 0 && ((v->support | v->against) >> SHOWN) == 0 && (v->support & v->against) == 0);
        CHECK(v->confidence >= 1 && v->confidence <= 10 && v->decay >= 1 && v->decay <= 10);
    }
}

static void shown_make(struct proposals *c, struct knowns *k)
{
    static const struct proposal claim = {BYTES_NONE, BYTES_NONE, 5, 5, 1, 0};
    for (c->n = 0; c->n < 3; c->n++) {
        c->v[c->n] = claim;
        k->shown[c->n] = c->n == 0 ? 1 : 6;
    }
    for (k->n = 0; k->n < 4; k->n++)
        k->v[k->n] = (struct known){.kind = k->n == 2 ? KIND_TOLD : KIND_MODEL, .decay = 5};
}

static void relate_take(const struct proposals *c, const struct knowns *k, struct bytes answer)
{
    static struct relations rel;
    if (relate_read(c, k, answer, &rel, NULL) != 0)
        return;
    for (size_t i = 0; i < PROPOSALS_MAX; i++) {
        for (size_t j = 0; j < KNOWN_MAX; j++)
            CHECK(rel.v[i][j] == RELATION_UNRELATED || (i < c->n && (k->shown[i] >> j & 1) != 0));
    }
}

static void revise_take(const struct prompt *p, const struct proposals *c, const struct knowns *k,
                        struct bytes answer)
{
    const struct clusters g = {.v = {{1, 1}, {6, 6}}, .n = 2};
    const struct revise_input in = {c, k, &g};
    static struct revisions r;
    revisions_init(&r);
    if (revise_read(p, &in, answer, &r, NULL) == 0) {
        for (size_t i = 0; i < r.n; i++) {
            check_text(p, r.v[i].text, PROMPT_CLAIM_BYTES + PROMPT_USER_BYTES);
            CHECK(r.v[i].claims != 0 && (r.v[i].olds & ~UINT64_C(3)) == 0);
            CHECK((r.v[i].claims == 1 && r.v[i].olds <= 1) ||
                  ((r.v[i].claims & 1) == 0 && (r.v[i].olds & 1) == 0));
        }
        for (size_t j = 3; j < KNOWN_MAX; j++)
            CHECK(r.outcome[j] == OUTCOME_NONE);
    }
    revisions_release(&r);
}

static void norms_take(struct bytes answer)
{
    struct norm_decision d[SHOWN];
    norms_read(BYTES_LIT("one\ntwo\n"), answer, d, SHOWN);
    for (size_t i = 0; i < SHOWN; i++)
        CHECK(strncmp(d[i].rule, "norm ", 5) == 0 || strncmp(d[i].rule, "context: ", 9) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct proposals c;
    static struct knowns k;
    struct rng rng = {seven, NULL};
    struct prompt p;
    if (size < 1 || size > 65536)
        return 0;
    struct bytes answer = bytes_of(data + 1, size - 1);
    prompt_init(&p, &rng, "Ana");
    proposals_init(&c);
    knowns_init(&k);
    if (data[0] % 4 == 0 && propose_read(&p, SHOWN, answer, &c, NULL) == 0)
        check_proposals(&p, &c);
    shown_make(&c, &k);
    if (data[0] % 4 == 1)
        relate_take(&c, &k, answer);
    if (data[0] % 4 == 2)
        revise_take(&p, &c, &k, answer);
    if (data[0] % 4 == 3)
        norms_take(answer);
    proposals_release(&c);
    knowns_release(&k);
    prompt_release(&p);
    return 0;
}
