#include "node/model/revise.h"

#include "node/model/revision.h"

#include <stdio.h>
#include <string.h>

#define RESULTS_MAX 8u /* propositions and contradictions of one cluster, each */

const char revise_schema[] =
    "{\"type\":\"object\",\"properties\":{\"clusters\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"id\":{\"type\":\"string\"},\"propositions\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"properties\":{\"reasoning\":{\"type\":\"string\"},\"claim\":{\"type\":\"string\","
    "\"pattern\":\"$claim\"},"
    "\"confidence\":{\"type\":\"integer\",\"enum\":[1,2,3,4,5,6,7,8,9,10]},"
    "\"decay\":{\"type\":\"integer\",\"enum\":[1,2,3,4,5,6,7,8,9,10]},"
    "\"from\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":\"$count\",\"items\":{\"type\":\"string\","
    "\"enum\":\"$cp\"}}},"
    "\"required\":[\"reasoning\",\"claim\",\"confidence\",\"decay\",\"from\"],\"additionalProperties\":false}"
    "},"
    "\"contradictions\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
    "\"reasoning\":{\"type\":\"string\"},\"old\":{\"type\":\"string\",\"enum\":\"$p\"},"
    "\"outcome\":{\"type\":\"string\",\"enum\":[\"lowers\",\"ends\"]}},"
    "\"required\":[\"reasoning\",\"old\",\"outcome\"],\"additionalProperties\":false}}},"
    "\"required\":[\"id\",\"propositions\",\"contradictions\"],\"additionalProperties\":false}}},"
    "\"required\":[\"clusters\"],\"additionalProperties\":false}";

void revisions_init(struct revisions *r)
{
    memset(r, 0, sizeof *r);
    buf_init(&r->text, REVISED_MAX * (PROMPT_CLAIM_BYTES + PROMPT_REASONING_BYTES + PROMPT_USER_BYTES));
}

void revisions_release(struct revisions *r)
{
    buf_release(&r->text);
    r->n = 0;
}

bool known_revisable(const struct known *k)
{
    return k->kind == KIND_MODEL && !known_by_user(k);
}

/* ---- clusters ---------------------------------------------------------------------------------------------
 */

/* Known ones that a claim is similar to or contradicts. */
static uint64_t neighbours(const struct knowns *k, const struct relations *r, size_t i)
{
    uint64_t bits = 0;
    for (size_t j = 0; j < k->n; j++) {
        bool similar = r->v[i][j] == RELATION_SIMILAR && known_revisable(&k->v[j]);
        if (similar || r->v[i][j] == RELATION_CONTRADICTING)
            bits |= UINT64_C(1) << j;
    }
    return bits;
}

void revise_clusters(const struct proposals *c, const struct knowns *k, const struct relations *r,
                     struct clusters *out)
{
    out->n = 0;
    for (size_t i = 0; i < c->n; i++) {
        uint64_t olds = relation_identical(r, k, i) == SIZE_MAX ? neighbours(k, r, i) : 0;
        struct cluster grown = {UINT64_C(1) << i, olds};
        size_t kept = 0;
        if (olds == 0)
            continue;
        for (size_t g = 0; g < out->n; g++) { /* every one it touches joins it */
            if ((out->v[g].olds & olds) != 0) {
                grown.claims |= out->v[g].claims;
                grown.olds |= out->v[g].olds;
            } else {
                out->v[kept++] = out->v[g];
            }
        }
        out->v[kept++] = grown;
        out->n = kept;
    }
}

/* ---- the question -----------------------------------------------------------------------------------------
 */

struct member {
    const char *what;
    char id[16];
    struct bytes text, reasoning;
    int confidence;
    unsigned decay;
};

static void put_member(struct prompt *p, const struct member *m)
{
    (void)buf_printf(&p->content, "%s, confidence %d, decay %u, ", m->what, m->confidence, m->decay);
    prompt_open(p, m->id);
    prompt_field(p, "claim", m->text, PROMPT_CLAIM_BYTES + PROMPT_USER_BYTES);
    prompt_field(p, "reasoning", m->reasoning, PROMPT_FIELD_BYTES);
    prompt_close(p);
}

static void put_cluster(struct prompt *p, const struct proposals *c, const struct knowns *k,
                        const struct cluster *g)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct proposal *v = &c->v[i];
        struct member m = {"new", "", v->text, v->reasoning, v->confidence, v->decay};
        (void)snprintf(m.id, sizeof m.id, "c%zu", i + 1);
        if ((g->claims >> i & 1) != 0)
            put_member(p, &m);
    }
    for (size_t j = 0; j < k->n; j++) {
        const struct known *v = &k->v[j];
        struct member m = {known_revisable(v) ? "known" : "known, not to be reworded",
                           "",
                           v->text,
                           v->reasoning,
                           v->confidence,
                           v->decay};
        (void)snprintf(m.id, sizeof m.id, "p%zu", j + 1);
        if ((g->olds >> j & 1) != 0)
            put_member(p, &m);
    }
}

void revise_ask(struct prompt *p, const struct proposals *c, const struct knowns *k, const struct clusters *g)
{
    (void)buf_printf(
        &p->system,
        "You keep the claims about %s in order. Each cluster below holds new claims and known ones that are "
        "close to each other or contradict each other. For each cluster: \"id\"; \"propositions\", the "
        "claims "
        "that shall stand in place of the new ones and of the known ones they are made from; "
        "\"contradictions\", what becomes of known claims that cannot be true any more.\n"
        "A proposition: \"reasoning\"; \"claim\", one sentence that begins with \"%s\"; \"confidence\" and "
        "\"decay\", 1 to 10, in the light of those shown; \"from\", the ids of the claims whose content it "
        "takes up, at least one new one. Join claims that say one thing, split one that says two, and keep "
        "apart what does not belong together. Where both of two that contradict each other hold under "
        "different "
        "conditions, say so in one claim made from both.\n"
        "A contradiction: \"reasoning\"; \"old\", the known claim; \"outcome\": \"ends\" when it was true "
        "and is "
        "no longer, \"lowers\" when it is in doubt.\n"
        "As "
        "{\"clusters\":[{\"id\",\"propositions\":[{\"reasoning\",\"claim\",\"confidence\",\"decay\",\"from\"}"
        "],"
        "\"contradictions\":[{\"reasoning\",\"old\",\"outcome\"}]}]}, at most %u of each in a cluster.\n",
        p->user, p->user, RESULTS_MAX);
    prompt_rules(p);
    for (size_t i = 0; i < g->n; i++) {
        (void)buf_printf(&p->content, "cluster k%zu\n", i + 1);
        put_cluster(p, c, k, &g->v[i]);
    }
}

/* ---- the answer -------------------------------------------------------------------------------------------
 */

struct reading {
    const struct prompt *p;
    const struct revise_input *in;
    const struct cluster *g;
    struct revisions *out;
};

/* False when it names what is not in the cluster, or may not be reworded. */
static bool from_read(const struct reading *r, const cJSON *item, struct revised *v)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "from"), *id = NULL;
    if (!cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(id, list)
    {
        size_t i = reply_id(id, 'c', r->in->c->n), j = reply_id(id, 'p', r->in->k->n);
        if (i != SIZE_MAX)
            v->claims |= UINT64_C(1) << i;
        else if (j != SIZE_MAX && known_revisable(&r->in->k->v[j]))
            v->olds |= UINT64_C(1) << j;
        else
            return false;
    }
    return v->claims != 0 && (v->claims & ~r->g->claims) == 0 && (v->olds & ~r->g->olds) == 0 &&
           __builtin_popcountll(v->olds) <= (int)REVISION_OLDER_MAX;
}

static void proposition_read(const struct reading *r, const cJSON *item)
{
    struct revisions *out = r->out;
    struct revised v = {.confidence = reply_score(item, "confidence"), .decay = reply_score(item, "decay")};
    struct bytes reasoning = reply_text(r->p, item, "reasoning", PROMPT_REASONING_BYTES);
    size_t from = out->text.n;
    bool fits = out->n < REVISED_MAX && reasoning.n > 0 && v.confidence > 0 && v.decay > 0 &&
                from_read(r, item, &v) && reply_claim(r->p, item, &out->text);
    if (!fits) {
        out->rejected++;
        return;
    }
    v.text.n = out->text.n - from;
    v.reasoning.n = reasoning.n;
    if (buf_bytes(&out->text, reasoning) == 0)
        out->v[out->n++] = v;
}

static void contradiction_read(const struct reading *r, const cJSON *item)
{
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "outcome"));
    size_t j = reply_id(cJSON_GetObjectItemCaseSensitive(item, "old"), 'p', r->in->k->n);
    bool lowers = word != NULL && strcmp(word, "lowers") == 0,
         ends = word != NULL && strcmp(word, "ends") == 0;
    if (j == SIZE_MAX || (r->g->olds >> j & 1) == 0 || !(lowers || ends)) {
        r->out->rejected++;
        return;
    }
    r->out->outcome[j] = ends ? OUTCOME_ENDS : OUTCOME_LOWERS;
}

static void each_of(const struct reading *r, const cJSON *cluster, const char *list,
                    void (*fn)(const struct reading *r, const cJSON *item))
{
    const cJSON *items = cJSON_GetObjectItemCaseSensitive(cluster, list), *item = NULL;
    if (cJSON_GetArraySize(items) > (int)RESULTS_MAX) {
        r->out->rejected++;
        return;
    }
    cJSON_ArrayForEach(item, items)
    {
        fn(r, item);
    }
}

int revise_read(const struct prompt *p, const struct revise_input *in, struct bytes answer,
                struct revisions *out, struct err *e)
{
    cJSON *doc = NULL;
    const cJSON *items = NULL, *item = NULL;
    uint64_t done = 0;
    buf_clear(&out->text);
    out->n = out->rejected = 0;
    memset(out->outcome, 0, sizeof out->outcome);
    int rc = reply_open(answer, "clusters", PROPOSALS_MAX, &doc, &items, e);
    if (rc == 0) {
        cJSON_ArrayForEach(item, items)
        {
            size_t g = reply_id(cJSON_GetObjectItemCaseSensitive(item, "id"), 'k', in->g->n);
            if (g == SIZE_MAX || (done >> g & 1) != 0) {
                out->rejected++;
                continue;
            }
            done |= UINT64_C(1) << g;
            const struct reading r = {p, in, &in->g->v[g], out};
            each_of(&r, item, "propositions", proposition_read);
            each_of(&r, item, "contradictions", contradiction_read);
        }
    }
    cJSON_Delete(doc);
    const uint8_t *at = out->text.p;
    for (size_t i = 0; i < out->n; i++)
        texts_place(&at, &out->v[i].text, &out->v[i].reasoning);
    if (rc == 0 && out->text.err != 0)
        rc = err_set(e, out->text.err, "reading revisions");
    return rc;
}
