#include "node/model/relate.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

const char relate_schema[] =
    "{\"type\":\"object\",\"properties\":{\"pairs\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"new\":{\"type\":\"string\",\"enum\":\"$c\"},\"old\":{\"type\":\"string\",\"enum\":\"$"
    "p\"},\"reasoning\":{\"type\":"
    "\"string\"},"
    "\"label\":{\"type\":\"string\",\"enum\":[\"identical\",\"similar\",\"unrelated\",\"contradicting\"]}},"
    "\"required\":[\"new\",\"old\",\"reasoning\",\"label\"],\"additionalProperties\":false}}},"
    "\"required\":[\"pairs\"],\"additionalProperties\":false}";

void knowns_init(struct knowns *k)
{
    memset(k, 0, sizeof *k);
    buf_init(&k->text, KNOWN_MAX * (LIMIT_TEXT_BYTES + LIMIT_REASONING_BYTES));
}

void knowns_release(struct knowns *k)
{
    buf_release(&k->text);
    k->n = 0;
}

bool known_by_user(const struct known *k)
{
    return k->kind == KIND_TOLD ||
           (k->flags & (PROP_PINNED | PROP_CONFIRMED | PROP_REJECTED | PROP_EDITED)) != 0;
}

/* ---- candidates -------------------------------------------------------------------------------------------
 */

/* Its place in the list, where it is added when there is room; SIZE_MAX: there is none. */
static size_t known_place(struct knowns *k, const struct ranked *r)
{
    for (size_t j = 0; j < k->n; j++) {
        if (id_eq(&k->v[j].id, &r->p.id))
            return j;
    }
    if (k->n == KNOWN_MAX || buf_bytes(&k->text, r->p.text) != 0 || buf_bytes(&k->text, r->p.reasoning) != 0)
        return SIZE_MAX;
    k->v[k->n] = (struct known){.id = r->p.id,
                                .kind = r->p.kind,
                                .decay = r->p.decay,
                                .flags = r->p.flags,
                                .confidence = r->confidence,
                                .first_ms = r->p.first_ms,
                                .changed_ms = r->p.changed_ms,
                                .text = {NULL, r->p.text.n},
                                .reasoning = {NULL, r->p.reasoning.n}};
    return k->n++;
}

static int candidates_find(struct store *s, const struct proposals *c, size_t i, int64_t now_ms,
                           struct knowns *out, struct err *e)
{
    const struct retrieve_query q = {
        .text = c->v[i].text, .max = 4 * CANDIDATES_MAX, .at_ms = now_ms, .all = true};
    struct ranked_list found;
    unsigned taken = 0;
    ranked_list_init(&found);
    int rc = retrieve(s, &q, &found, e);
    for (size_t r = 0; rc == 0 && r < found.n && taken < CANDIDATES_MAX; r++) {
        if ((found.v[r].p.flags & (PROP_DROPPED | PROP_SUPERSEDED | PROP_MERGED)) != 0)
            continue;
        size_t j = known_place(out, &found.v[r]);
        if (j == SIZE_MAX)
            continue;
        out->shown[i] |= UINT64_C(1) << j;
        taken++;
    }
    ranked_list_release(&found);
    return rc;
}

int relate_find(struct store *s, const struct proposals *c, int64_t now_ms, struct knowns *out, struct err *e)
{
    int rc = 0;
    buf_clear(&out->text);
    out->n = 0;
    memset(out->shown, 0, sizeof out->shown);
    for (size_t i = 0; rc == 0 && i < c->n; i++)
        rc = candidates_find(s, c, i, now_ms, out, e);
    const uint8_t *at = out->text.p;
    for (size_t j = 0; j < out->n; j++)
        texts_place(&at, &out->v[j].text, &out->v[j].reasoning);
    if (rc == 0 && out->text.err != 0)
        rc = err_set(e, out->text.err, "looking for what is known");
    return rc;
}

/* ---- the question -----------------------------------------------------------------------------------------
 */

static void put_claim(struct prompt *p, const struct proposals *c, const struct knowns *k, size_t i)
{
    char id[16];
    (void)snprintf(id, sizeof id, "c%zu", i + 1);
    (void)buf_printf(&p->content, "new, to be compared with");
    for (size_t j = 0; j < k->n; j++) {
        if ((k->shown[i] >> j & 1) != 0)
            (void)buf_printf(&p->content, " p%zu", j + 1);
    }
    (void)buf_str(&p->content, ", ");
    prompt_open(p, id);
    prompt_field(p, "claim", c->v[i].text, PROMPT_CLAIM_BYTES + PROMPT_USER_BYTES);
    prompt_field(p, "reasoning", c->v[i].reasoning, PROMPT_FIELD_BYTES);
    prompt_close(p);
}

void relate_ask(struct prompt *p, const struct proposals *c, const struct knowns *k)
{
    (void)buf_printf(
        &p->system,
        "You compare new claims about %s with claims that are known already. For each new claim and each "
        "known "
        "one it is to be compared with, in this order: \"new\" and \"old\", the ids; \"reasoning\", in a few "
        "words; \"label\": \"identical\" when both say the same, whatever the words; \"similar\" when one "
        "sentence could well say both, or one makes the other more exact; \"contradicting\" when both cannot "
        "be "
        "true of the same time; \"unrelated\" otherwise. Claims that share most of their words may still be "
        "opposites.\n"
        "As {\"pairs\":[{\"new\",\"old\",\"reasoning\",\"label\"}]}; a pair left out is unrelated.\n",
        p->user);
    prompt_rules(p);
    for (size_t j = 0; j < k->n; j++) {
        char id[16];
        (void)snprintf(id, sizeof id, "p%zu", j + 1);
        prompt_open(p, id);
        prompt_field(p, "known claim", k->v[j].text, PROMPT_CLAIM_BYTES + PROMPT_USER_BYTES);
        prompt_field(p, "reasoning", k->v[j].reasoning, PROMPT_FIELD_BYTES);
        prompt_close(p);
    }
    for (size_t i = 0; i < c->n; i++) {
        if (k->shown[i] != 0)
            put_claim(p, c, k, i);
    }
}

/* ---- the answer -------------------------------------------------------------------------------------------
 */

static bool label_read(const cJSON *item, uint8_t *out)
{
    static const char *const names[] = {"unrelated", "identical", "similar", "contradicting"};
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(item, "label");
    for (uint8_t i = 0; cJSON_IsString(label) && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(label->valuestring, names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The very same sentence says the same, whatever a model makes of the pair. */
static void same_words_join(const struct proposals *c, const struct knowns *k, struct relations *out)
{
    for (size_t i = 0; i < c->n; i++) {
        for (size_t j = 0; j < k->n; j++) {
            if ((k->shown[i] >> j & 1) != 0 && bytes_ieq(c->v[i].text, k->v[j].text))
                out->v[i][j] = RELATION_IDENTICAL;
        }
    }
}

int relate_read(const struct proposals *c, const struct knowns *k, struct bytes answer, struct relations *out,
                struct err *e)
{
    cJSON *doc = NULL;
    const cJSON *items = NULL, *item = NULL;
    uint64_t named[PROPOSALS_MAX] = {0};
    memset(out, 0, sizeof *out);
    int rc = reply_open(answer, "pairs", (size_t)2 * PROPOSALS_MAX * KNOWN_MAX, &doc, &items, e);
    if (rc == 0) {
        cJSON_ArrayForEach(item, items)
        {
            uint8_t label = RELATION_UNRELATED;
            size_t i = reply_id(cJSON_GetObjectItemCaseSensitive(item, "new"), 'c', c->n);
            size_t j = reply_id(cJSON_GetObjectItemCaseSensitive(item, "old"), 'p', k->n);
            bool shown = i != SIZE_MAX && j != SIZE_MAX && (k->shown[i] >> j & 1) != 0;
            if (!shown || !label_read(item, &label)) {
                out->rejected++;
                continue;
            }
            bool twice = (named[i] >> j & 1) != 0;
            out->v[i][j] = twice && out->v[i][j] != label ? RELATION_UNRELATED : label;
            named[i] |= UINT64_C(1) << j;
        }
    }
    cJSON_Delete(doc);
    if (rc == 0)
        same_words_join(c, k, out);
    return rc;
}

size_t relation_identical(const struct relations *r, const struct knowns *k, size_t i)
{
    for (size_t j = 0; j < k->n; j++) {
        if (r->v[i][j] == RELATION_IDENTICAL)
            return j;
    }
    return SIZE_MAX;
}
