#include "node/model/norms.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

const char norms_schema[] =
    "{\"type\":\"object\",\"properties\":{\"decisions\":{\"type\":\"array\",\"maxItems\":50,\"items\":{"
    "\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\",\"enum\":\"$o\"},\"reasoning\":{"
    "\"type\":\"string\"},"
    "\"new\":{\"type\":\"boolean\"},\"data\":{\"type\":\"string\",\"enum\":[\"activity\",\"personal\","
    "\"health\","
    "\"money\",\"location\",\"message\",\"credential\",\"work\",\"other\"]},"
    "\"whose\":{\"type\":\"string\",\"enum\":[\"user\",\"other\",\"both\",\"nobody\"]},"
    "\"to\":{\"type\":\"string\",\"enum\":[\"self\",\"other\",\"public\"]},"
    "\"norm\":{\"type\":\"integer\"},\"transmit\":{\"type\":\"boolean\"}},"
    "\"required\":[\"id\",\"reasoning\",\"new\",\"data\",\"whose\",\"to\",\"norm\",\"transmit\"],"
    "\"additionalProperties\":false}}},\"required\":[\"decisions\"],\"additionalProperties\":false}";

static const char *const data_words[] = {"activity", "personal",   "health", "money", "location",
                                         "message",  "credential", "work",   "other", NULL};
static const char *const whose_words[] = {"user", "other", "both", "nobody", NULL};
static const char *const to_words[] = {"self", "other", "public", NULL};

/* The next line that is not empty; false at the end. */
static bool norm_next(struct bytes *rest, struct bytes *line)
{
    while (rest->n > 0) {
        size_t end = bytes_find(*rest, BYTES_LIT("\n"));
        *line = bytes_trim(bytes_slice(*rest, 0, end == SIZE_MAX ? rest->n : end));
        *rest = end == SIZE_MAX ? BYTES_NONE : bytes_slice(*rest, end + 1, SIZE_MAX);
        if (line->n > 0)
            return true;
    }
    return false;
}

static size_t norms_count(struct bytes norms)
{
    struct bytes line;
    size_t n = 0;
    while (norm_next(&norms, &line))
        n++;
    return n;
}

int norms_check(struct bytes value, struct err *e)
{
    struct bytes line;
    if (norms_count(value) > NORMS_MAX)
        return err_set(e, ERR_LIMIT, "there are at most %u norms", NORMS_MAX);
    while (norm_next(&value, &line)) {
        if (line.n > LIMIT_NAME_BYTES * 2)
            return err_set(e, ERR_LIMIT, "a norm has at most %u bytes", LIMIT_NAME_BYTES * 2);
    }
    return 0;
}

void norms_ask(struct prompt *p, struct bytes norms, const struct stored_observation *v, size_t n)
{
    struct bytes line;
    unsigned number = 0;
    (void)buf_printf(
        &p->system,
        "You guard the privacy of %s and of the people around. For each record decide whether it may be "
        "passed "
        "on to a program that learns about %s. Be stricter than the place it comes from would ask for.\n"
        "For each record, in this order: \"id\"; \"reasoning\", in a few words, without repeating what the "
        "record says; \"new\", whether it tells anything new about %s; \"data\", the sort of data; \"whose\" "
        "it "
        "is; \"to\", whom it was meant for; \"norm\", the number of the norm of %s that decided, 0 if none "
        "did; "
        "\"transmit\", whether it may be passed on. A norm outranks your own judgement. When in doubt, it "
        "may "
        "not.\n"
        "As "
        "{\"decisions\":[{\"id\",\"reasoning\",\"new\",\"data\",\"whose\",\"to\",\"norm\",\"transmit\"}]}, "
        "one for every record.\n",
        p->user, p->user, p->user, p->user);
    prompt_rules(p);
    while (norm_next(&norms, &line)) {
        (void)buf_printf(&p->system, "Norm %u: ", ++number);
        (void)text_escape(line, true, &p->system);
        (void)buf_put(&p->system, '\n');
    }
    for (size_t i = 0; i < n; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "o%zu", i + 1);
        prompt_observation(p, id, &v[i]);
    }
}

/* The word of the list that the item has under key, or NULL. */
static const char *word_of(const cJSON *item, const char *key, const char *const *words)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(item, key);
    for (; cJSON_IsString(v) && *words != NULL; words++) {
        if (strcmp(v->valuestring, *words) == 0)
            return *words;
    }
    return NULL;
}

static void decision_read(const cJSON *item, size_t n_norms, struct norm_decision *d)
{
    const char *data = word_of(item, "data", data_words);
    const char *whose = word_of(item, "whose", whose_words);
    const char *to = word_of(item, "to", to_words);
    const cJSON *fresh = cJSON_GetObjectItemCaseSensitive(item, "new");
    const cJSON *transmit = cJSON_GetObjectItemCaseSensitive(item, "transmit");
    const cJSON *norm = cJSON_GetObjectItemCaseSensitive(item, "norm");
    bool whole = data != NULL && whose != NULL && to != NULL && cJSON_IsBool(fresh) &&
                 cJSON_IsBool(transmit) && cJSON_IsNumber(norm) && norm->valuedouble >= 0 &&
                 norm->valuedouble <= (double)n_norms;
    if (!whole)
        return;
    d->pass = cJSON_IsTrue(fresh) && cJSON_IsTrue(transmit);
    if (cJSON_IsFalse(fresh) && cJSON_IsTrue(transmit))
        (void)snprintf(d->rule, sizeof d->rule, "context: nothing new");
    else if (norm->valueint > 0)
        (void)snprintf(d->rule, sizeof d->rule, "norm %d", norm->valueint);
    else
        (void)snprintf(d->rule, sizeof d->rule, "context: %s of %s for %s", data, whose, to);
}

/* Two decisions about one record are none. */
static void decisions_take(const cJSON *items, size_t n_norms, struct norm_decision *out, size_t n)
{
    bool decided[BATCH_MAX] = {false};
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, items)
    {
        size_t i = reply_id(cJSON_GetObjectItemCaseSensitive(item, "id"), 'o', n);
        if (i == SIZE_MAX)
            continue;
        struct norm_decision d = {.rule = "context: unreadable"};
        if (!decided[i])
            decision_read(item, n_norms, &d);
        decided[i] = true;
        out[i] = d;
    }
}

void norms_read(struct bytes norms, struct bytes answer, struct norm_decision *out, size_t n)
{
    cJSON *doc = NULL;
    const cJSON *items = NULL;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct norm_decision){.rule = "context: unreadable"};
    if (answer.n > 0 && reply_open(answer, "decisions", 2 * BATCH_MAX, &doc, &items, NULL) == 0)
        decisions_take(items, norms_count(norms), out, n);
    cJSON_Delete(doc);
}
