/* Retrieval on public data, ours beside plain BM25 in one run:
 *
 *     retrieval_eval FOLDER [TABLE]    the folder that holds ikat/, precisionmembench/, proactivemembench/;
 *                                      a table of vectors (node/model/VECTORS.md)
 *
 * iKAT 2023 training topics: statements about a person, turns of a conversation, and which statements each
 * turn needs. PrecisionMemBench: beliefs with aliases and scopes, and for each query which may come up.
 * ProactiveMemBench: memories, and remarks that call for some of them mostly without sharing a word. Recall
 * is the mean over queries of the share of the needed ones. */
#include "node/model/retrieve.h"
#include "store/search.h"
#include "tests/eval/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW INT64_C(1790000000000)
#define FOUND_MAX 10
#define WANTED_MAX 64
#define CONTEXT_MAX 64

enum way { WAY_BM25, WAY_OURS, WAY_TABLE, WAY_CONTEXT, WAY_CONTEXT_TABLE, WAYS };
static const char *const way_names[WAYS] = {"plain BM25", "ours", "ours, with the table",
                                            "ours, earlier turns", "ours, earlier turns, table"};

static const char *table; /* NULL: ways without one only */

struct question {
    struct bytes text, scope;
    struct bytes context[CONTEXT_MAX];
    size_t n_context;
    uint32_t wanted[WANTED_MAX];
    size_t n_wanted;
    bool no_pinned; /* pinned ones stand above the rest by design: rank the rest */
};

static size_t plain(struct desk *d, const struct question *q, uint32_t *found)
{
    struct search_hit hits[FOUND_MAX];
    struct err e = ERR_INIT;
    size_t n;
    desk_ok(search_props(d->s, q->text, 0, hits, FOUND_MAX, &n, &e), &e);
    for (size_t i = 0; i < n; i++) {
        struct prop p;
        desk_ok(store_prop_row(d->s, hits[i].row, &p, &e), &e);
        found[i] = desk_number(&p.id);
    }
    return n;
}

static size_t ours(struct desk *d, const struct question *q, enum way way, uint32_t *found)
{
    bool context = way == WAY_CONTEXT || way == WAY_CONTEXT_TABLE;
    struct ranked_list l;
    struct err e = ERR_INIT;
    ranked_list_init(&l);
    struct retrieve_query query = {.text = q->text,
                                   .scope = q->scope,
                                   .context = q->context,
                                   .n_context = context ? q->n_context : 0,
                                   .max = FOUND_MAX,
                                   .at_ms = NOW};
    if (way == WAY_TABLE || way == WAY_CONTEXT_TABLE)
        query.vector = embed_question(d->embed, &query);
    desk_ok(retrieve(d->s, &query, &l, &e), &e);
    size_t n = l.n;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!q->no_pinned || !(l.v[i].p.flags & PROP_PINNED))
            found[kept++] = desk_number(&l.v[i].p.id);
    }
    ranked_list_release(&l);
    return kept;
}

static void ask(struct desk *d, const struct question *q, struct tally t[WAYS])
{
    uint32_t found[FOUND_MAX];
    if (table != NULL && d->embed == NULL)
        desk_embed(d, table);
    for (enum way way = 0; way < WAYS; way++) {
        if (table == NULL && (way == WAY_TABLE || way == WAY_CONTEXT_TABLE))
            continue;
        clock_t from = clock();
        size_t n = way == WAY_BM25 ? plain(d, q, found) : ours(d, q, way, found);
        t[way].ms += (double)(clock() - from) * 1000 / CLOCKS_PER_SEC;
        tally_add(&t[way], found, n, q->wanted, q->n_wanted);
    }
}

static void print_all(const struct tally t[WAYS])
{
    for (int way = 0; way < WAYS; way++) {
        if (t[way].queries > 0)
            tally_print(way_names[way], &t[way]);
    }
}

/* The data have none: nothing to show of those ways. */
static void no_turns(struct tally t[WAYS])
{
    t[WAY_CONTEXT].queries = t[WAY_CONTEXT_TABLE].queries = 0;
}

/* ---- iKAT ---- */

static void ikat_tell(struct desk *d, const cJSON *topic, uint32_t base)
{
    const cJSON *s = NULL;
    cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(topic, "ptkb"))
    {
        const struct desk_told told = {.text = bytes_str(s->valuestring)};
        desk_tell(d, base + (uint32_t)atoi(s->string), &told);
    }
}

static void ikat_ask(struct desk *d, const cJSON *topic, uint32_t base, struct tally t[WAYS])
{
    static struct question q;
    const cJSON *turn = NULL, *p = NULL;
    q.n_context = 0;
    cJSON_ArrayForEach(turn, cJSON_GetObjectItemCaseSensitive(topic, "turns"))
    {
        q.text = bytes_str(json_str(turn, "utterance"));
        q.n_wanted = 0;
        cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(turn, "ptkb_provenance"))
            q.wanted[q.n_wanted++] = base + (uint32_t)p->valueint;
        if (q.n_wanted > 0)
            ask(d, &q, t);
        if (q.n_context + 2 <= CONTEXT_MAX) {
            q.context[q.n_context++] = q.text;
            q.context[q.n_context++] = bytes_str(json_str(turn, "response"));
        }
    }
}

static void ikat(const char *folder)
{
    cJSON *doc = desk_json(folder, "ikat/2023_train_topics.json");
    struct tally alone[WAYS] = {{0}}, together[WAYS] = {{0}};
    struct desk all;
    const cJSON *topic = NULL;
    uint32_t n = 0;
    if (doc == NULL)
        return;
    desk_open(&all, NOW);
    cJSON_ArrayForEach(topic, doc)
    {
        struct desk one;
        desk_open(&one, NOW);
        ikat_tell(&one, topic, 0);
        ikat_ask(&one, topic, 0, alone);
        desk_close(&one);
        ikat_tell(&all, topic, 100 * ++n);
    }
    n = 0;
    cJSON_ArrayForEach(topic, doc) ikat_ask(&all, topic, 100 * ++n, together);
    printf("iKAT 2023 training topics, one person's statements at a time\n");
    print_all(alone);
    printf("iKAT 2023 training topics, all statements in one model\n");
    print_all(together);
    desk_close(&all);
    cJSON_Delete(doc);
}

/* ---- PrecisionMemBench ---- */

static uint32_t belief_number(const cJSON *beliefs, const char *id)
{
    uint32_t n = 1;
    const cJSON *b = NULL;
    cJSON_ArrayForEach(b, beliefs)
    {
        if (strcmp(json_str(b, "_id"), id) == 0)
            return n;
        n++;
    }
    return 0;
}

static struct bytes first_scope(const cJSON *o)
{
    const cJSON *s = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(o, "scope"), 0);
    const char *v = cJSON_GetStringValue(s);
    return v == NULL || strcmp(v, "user:universal") == 0 ? BYTES_NONE : bytes_str(v);
}

static void beliefs_tell(struct desk *d, const cJSON *beliefs)
{
    uint32_t n = 1;
    const cJSON *b = NULL, *a = NULL;
    cJSON_ArrayForEach(b, beliefs)
    {
        struct buf text;
        buf_init(&text, 4096);
        (void)buf_str(&text, json_str(b, "content"));
        cJSON_ArrayForEach(a, cJSON_GetObjectItemCaseSensitive(b, "aliases"))(void)
            buf_printf(&text, " (%s)", a->valuestring);
        const struct desk_told told = {.text = buf_view(&text),
                                       .scope = first_scope(b),
                                       .pinned = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(b, "pinned"))};
        if (strcmp(json_str(b, "epistemic_status"), "superseded") != 0 &&
            !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(b, "resolved_at")))
            desk_tell(d, n, &told);
        n++;
        buf_release(&text);
    }
}

static void precision(const char *folder)
{
    static struct question q;
    cJSON *beliefs = desk_json(folder, "precisionmembench/beliefs.seed.json"),
          *cases = desk_json(folder, "precisionmembench/retrieval.cases.json");
    struct tally words[WAYS] = {{0}}, pinned[WAYS] = {{0}};
    struct desk d;
    const cJSON *c = NULL, *b = NULL;
    if (beliefs == NULL || cases == NULL)
        return;
    desk_open(&d, NOW);
    beliefs_tell(&d, beliefs);
    cJSON_ArrayForEach(c, cases)
    {
        const cJSON *expect = cJSON_GetObjectItemCaseSensitive(c, "expect");
        q = (struct question){
            .text = bytes_str(json_str(c, "query")), .scope = first_scope(c), .no_pinned = true};
        cJSON_ArrayForEach(
            b, cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(expect, "relevantBeliefs"),
                                                "shouldOnlyInclude")) q.wanted[q.n_wanted++] =
            belief_number(beliefs, b->valuestring);
        if (q.n_wanted > 0)
            ask(&d, &q, words);
        q.n_wanted = 0;
        q.no_pinned = false;
        cJSON_ArrayForEach(b, cJSON_GetObjectItemCaseSensitive(
                                  cJSON_GetObjectItemCaseSensitive(expect, "pinnedFacts"), "mustInclude"))
            q.wanted[q.n_wanted++] = belief_number(beliefs, b->valuestring);
        if (q.n_wanted > 0)
            ask(&d, &q, pinned);
    }
    no_turns(words);
    no_turns(pinned);
    printf("PrecisionMemBench, what the query is about (among those not pinned)\n");
    print_all(words);
    printf("PrecisionMemBench, pinned facts that must be there\n");
    print_all(pinned);
    desk_close(&d);
    cJSON_Delete(beliefs);
    cJSON_Delete(cases);
}

/* ---- ProactiveMemBench ---- */

/* The two domains name it differently. */
static const char *memory_text(const cJSON *pair)
{
    const char *text = json_str(pair, "natural_expression");
    return text[0] != '\0' ? text : json_str(pair, "description");
}

static void proactive_ask(struct desk *d, const cJSON *pairs, const cJSON *question, struct tally t[WAYS])
{
    static struct question q;
    const cJSON *c = NULL, *p = NULL;
    q = (struct question){.text = bytes_str(json_str(question, "question"))};
    uint32_t n = 0;
    cJSON_ArrayForEach(p, pairs)
    {
        bool needed = false;
        cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(question, "candidate_set")) needed |=
            bytes_ifind(bytes_str(memory_text(p)), bytes_str(json_str(c, "concept"))) != SIZE_MAX;
        n++;
        if (needed && q.n_wanted < WANTED_MAX)
            q.wanted[q.n_wanted++] = n;
    }
    if (q.n_wanted > 0)
        ask(d, &q, t);
}

static void proactive(const char *folder, const char *domain)
{
    char name[128];
    (void)snprintf(name, sizeof name, "proactivemembench/%s/step1_concept_pairs.json", domain);
    cJSON *pairs = desk_json(folder, name);
    (void)snprintf(name, sizeof name, "proactivemembench/%s/step5_proactive_questions.json", domain);
    cJSON *questions = desk_json(folder, name);
    struct tally t[WAYS] = {{0}};
    struct desk d;
    const cJSON *p = NULL;
    uint32_t n = 0;
    if (pairs == NULL || questions == NULL)
        return;
    desk_open(&d, NOW);
    cJSON_ArrayForEach(p, pairs)
    {
        const struct desk_told told = {.text = bytes_str(memory_text(p))};
        n++;
        if (told.text.n > 0)
            desk_tell(&d, n, &told);
    }
    cJSON_ArrayForEach(p, questions) proactive_ask(&d, pairs, p, t);
    no_turns(t);
    printf("ProactiveMemBench, %s: memories that name what is called for\n", domain);
    print_all(t);
    desk_close(&d);
    cJSON_Delete(pairs);
    cJSON_Delete(questions);
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: retrieval_eval FOLDER [TABLE]\n");
        return 2;
    }
    table = argc > 2 ? argv[2] : NULL;
    ikat(argv[1]);
    precision(argv[1]);
    proactive(argv[1], "pet");
    proactive(argv[1], "travel");
    return 0;
}
