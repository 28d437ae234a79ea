#include "node/model/propose.h"

#include <stdio.h>

const char propose_schema[] =
    "{\"type\":\"object\",\"properties\":{\"claims\":{\"type\":\"array\",\"maxItems\":\"$more\",\"items\":{"
    "\"type\":\"object\",\"properties\":{\"reasoning\":{\"type\":\"string\"},\"claim\":{\"type\":\"string\","
    "\"pattern\":\"$claim\"},"
    "\"confidence\":{\"type\":\"integer\",\"enum\":[1,2,3,4,5,6,7,8,9,10]},"
    "\"decay\":{\"type\":\"integer\",\"enum\":[1,2,3,4,5,6,7,8,9,10]},"
    "\"supports\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":\"$count\",\"items\":{\"type\":\"string\","
    "\"enum\":\"$o\"}},"
    "\"contradicts\":{\"type\":\"array\",\"maxItems\":\"$count\",\"items\":{\"type\":\"string\",\"enum\":\"$"
    "o\"}}},"
    "\"required\":[\"reasoning\",\"claim\",\"confidence\",\"decay\",\"supports\",\"contradicts\"],"
    "\"additionalProperties\":false}}},\"required\":[\"claims\"],\"additionalProperties\":false}";

void proposals_init(struct proposals *l)
{
    *l = (struct proposals){0};
    buf_init(&l->text, PROPOSALS_MAX * (PROMPT_CLAIM_BYTES + PROMPT_REASONING_BYTES + PROMPT_USER_BYTES));
}

void proposals_release(struct proposals *l)
{
    buf_release(&l->text);
    l->n = 0;
}

void propose_ask(struct prompt *p, const struct stored_observation *v, size_t n)
{
    (void)buf_printf(
        &p->system,
        "You read records of what one device saw and say what they show about %s: what %s does, uses, plans, "
        "prefers, works on, is busy with. Few claims that will matter later are worth more than many; none "
        "is "
        "a good answer to records that show nothing.\n"
        "Each claim: \"reasoning\", why the records show it; \"claim\", one sentence that begins with \"%s\" "
        "and names things as exactly as the records do; \"confidence\", 1 to 10, 8 and more only where a "
        "record says it outright; \"decay\", how long it stays true, 1 for hours, 3 for days, 5 for weeks, 7 "
        "for half a year, 10 for years; \"supports\", the ids of the records that show it; \"contradicts\", "
        "the ids of those that speak against it. A claim without a supporting record is worthless.\n"
        "At most %u claims, as {\"claims\":[{\"reasoning\",\"claim\",\"confidence\",\"decay\",\"supports\","
        "\"contradicts\"}]}.\n",
        p->user, p->user, p->user,
        (unsigned)(n + PROPOSALS_MORE < PROPOSALS_MAX ? n + PROPOSALS_MORE : PROPOSALS_MAX));
    prompt_rules(p);
    for (size_t i = 0; i < n; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "o%zu", i + 1);
        prompt_observation(p, id, &v[i]);
    }
}

/* The observations of a list as bits; false when it is no list or names one that was not shown. */
static bool cited(const cJSON *item, const char *key, size_t n, uint64_t *bits)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, key), *id = NULL;
    *bits = 0;
    if (!cJSON_IsArray(list))
        return list == NULL;
    cJSON_ArrayForEach(id, list)
    {
        size_t i = reply_id(id, 'o', n);
        if (i == SIZE_MAX)
            return false;
        *bits |= UINT64_C(1) << i;
    }
    return true;
}

/* Texts as offsets into the list's buffer for now: it may still move. */
static bool claim_read(const struct prompt *p, const cJSON *item, size_t n, struct proposals *out)
{
    struct proposal *c = &out->v[out->n];
    struct bytes reasoning = reply_text(p, item, "reasoning", PROMPT_REASONING_BYTES);
    size_t from = out->text.n;
    *c =
        (struct proposal){.confidence = reply_score(item, "confidence"), .decay = reply_score(item, "decay")};
    bool fits = reasoning.n > 0 && c->confidence > 0 && c->decay > 0 &&
                cited(item, "supports", n, &c->support) && cited(item, "contradicts", n, &c->against) &&
                c->support != 0 && (c->support & c->against) == 0;
    if (!fits || !reply_claim(p, item, &out->text))
        return false;
    c->text.n = out->text.n - from;
    c->reasoning.n = reasoning.n;
    return buf_bytes(&out->text, reasoning) == 0;
}

/* A small model says one thing several times: it is one claim, with the evidence of all. */
static void repeats_join(struct proposals *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        size_t j = 0;
        while (j < kept && !bytes_ieq(l->v[j].text, l->v[i].text))
            j++;
        if (j == kept) {
            l->v[kept++] = l->v[i];
            continue;
        }
        l->v[j].support |= l->v[i].support;
        l->v[j].against = (l->v[j].against | l->v[i].against) & ~l->v[j].support;
    }
    l->n = kept;
}

int propose_read(const struct prompt *p, size_t n, struct bytes answer, struct proposals *out, struct err *e)
{
    cJSON *doc = NULL;
    const cJSON *items = NULL, *item = NULL;
    buf_clear(&out->text);
    out->n = out->rejected = 0;
    int rc = reply_open(answer, "claims", PROPOSALS_MAX, &doc, &items, e);
    if (rc == 0) {
        cJSON_ArrayForEach(item, items)
        {
            if (claim_read(p, item, n, out))
                out->n++;
            else
                out->rejected++;
        }
    }
    cJSON_Delete(doc);
    const uint8_t *at = out->text.p;
    for (size_t i = 0; i < out->n; i++)
        texts_place(&at, &out->v[i].text, &out->v[i].reasoning);
    if (rc == 0 && out->text.err != 0)
        rc = err_set(e, out->text.err, "reading claims");
    if (rc != 0)
        out->n = 0;
    repeats_join(out);
    return rc;
}
