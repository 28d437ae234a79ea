#include "tests/node/household.h"

#include "crypto/hash.h"
#include "node/job.h"
#include "node/serve/api.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_done(int rc, const struct err *e)
{
    if (rc != 0) {
        print_message("%s\n", e->text);
    }
    assert_int_equal(rc, 0);
}

struct node *household_open(const struct tmp_dir *dir, const char *name)
{
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    struct node *n = NULL;
    struct node_options o = {.home = tmp_path(dir, name, path)};
    assert_done(node_open(&n, &o, &e), &e);
    return n;
}

struct node *household_add(const struct tmp_dir *dir, const char *name)
{
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    assert_int_equal(crypt_start(), 0);
    assert_done(node_init(tmp_path(dir, name, path), bytes_str(name), &e), &e);
    return household_open(dir, name);
}

void household_share_secret(const struct tmp_dir *dir, struct node *a, struct node **b, const char *b_name)
{
    struct err e = ERR_INIT;
    memcpy((*b)->home.keys.claim.p, a->home.keys.claim.p, KEY_BYTES);
    assert_done(home_save_keys(&(*b)->home, &(*b)->rng, &e), &e);
    node_close(*b);
    *b = household_open(dir, b_name);
}

cJSON *household_ask(struct node *n, const char *request)
{
    char text[2048];
    struct err e = ERR_INIT;
    cJSON *answer = NULL;
    snprintf(text, sizeof(text), "%s", request);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cJSON *req = cJSON_Parse(text);
    assert_non_null(req);
    int rc = api_call(n, req, &answer, &e);
    cJSON_Delete(req);
    assert_done(rc, &e);
    return answer;
}

bool household_find(struct node *n, const char *text, char id[64])
{
    cJSON *a = household_ask(n, "{'cmd':'show','all':true,'max':500}");
    const cJSON *p;
    id[0] = '\0';
    cJSON_ArrayForEach(p, cJSON_GetObjectItem(a, "propositions"))
    {
        if (strstr(cJSON_GetObjectItem(p, "text")->valuestring, text) != NULL) {
            snprintf(id, 64, "%s", cJSON_GetObjectItem(p, "id")->valuestring);
        }
    }
    cJSON_Delete(a);
    return id[0] != '\0';
}

void household_do(struct node *n, const char *cmd, const char *text, const char *rest)
{
    char id[64], req[512];
    assert_true(household_find(n, text, id));
    snprintf(req, sizeof(req), "{'cmd':'%s','id':'%s'%s}", cmd, id, rest);
    cJSON_Delete(household_ask(n, req));
}

uint64_t household_history(const struct tmp_dir *dir, struct node *n)
{
    char path[TMP_PATH_BYTES];
    struct err e = ERR_INIT;
    struct job *j = NULL;
    struct buf b;
    int64_t now = clock_wall_ms(&n->clock) / MS_DAY * 86400 + 36000;
    buf_init(&b, 1u << 20);
    for (int day = 56; day > 0; day--) {
        long long at = (long long)(now - (int64_t)day * 86400);
        (void)buf_printf(&b, "#%lld\ngit status\n#%lld\nvim notes.txt\n#%lld\nrg selfsame\n", at, at + 60,
                         at + 120);
    }
    tmp_write(tmp_path(dir, "history", path), buf_view(&b));
    buf_release(&b);
    /* Read from the start, whatever was read before. */
    char cursor[TMP_PATH_BYTES + 32];
    snprintf(cursor, sizeof(cursor), "cursor:bash:%s", path);
    assert_done(local_set(n->store, cursor, BYTES_NONE, &e), &e);
    struct job_spec spec = {.source = "bash", .path = path, .budget_ms = 1000};
    assert_done(job_open(&j, n, &spec, &e), &e);
    int rc = 1;
    while (rc == 1) {
        rc = job_step(j, &e);
    }
    assert_done(rc, &e);
    uint64_t added = job_counts(j)->added;
    job_close(j);
    return added;
}

/* ---- carrying ops -----------------------------------------------------------------------------------------
 */

struct carry {
    struct node *to;
    struct log_head heads[16];
    size_t n;
};

static int head_note(void *ctx, const struct log_head *h)
{
    struct carry *c = ctx;
    assert_true(c->n < 16);
    c->heads[c->n++] = *h;
    return 0;
}

static int op_give(void *ctx, const struct op_record *r)
{
    struct carry *c = ctx;
    struct err e = ERR_INIT;
    int rc = store_receive(c->to->store, r, &e);
    if (rc != 0 && rc != ERR_EXISTS) {
        print_message("%s\n", e.text);
    }
    assert_true(rc == 0 || rc == ERR_EXISTS);
    return 0;
}

void household_carry(struct node *a, struct node *b)
{
    struct err e = ERR_INIT;
    struct carry c = {.to = b};
    assert_done(store_logs(a->store, head_note, &c, &e), &e);
    assert_done(store_begin(b->store, &e), &e);
    for (size_t i = 0; i < c.n; i++) {
        assert_done(store_ops(a->store, &c.heads[i].log, 0, UINT64_MAX, op_give, &c, &e), &e);
    }
    assert_done(store_commit(b->store, &e), &e);
    b->merged_due = true;
}

static int source_add(void *ctx, const struct source_count *c)
{
    *(uint64_t *)ctx += c->n;
    return 0;
}

uint64_t household_observations(struct node *n)
{
    struct err e = ERR_INIT;
    uint64_t total = 0;
    assert_done(local_sources(n->store, source_add, &total, &e), &e);
    return total;
}

/* ---- models -----------------------------------------------------------------------------------------------
 */

static int line_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void household_model(struct node *n, struct household_model *out)
{
    cJSON *a = household_ask(n, "{'cmd':'show','all':true,'max':500}");
    const cJSON *p;
    out->n = 0;
    cJSON_ArrayForEach(p, cJSON_GetObjectItem(a, "propositions"))
    {
        char line[1024];
        snprintf(line, sizeof(line), "%s|%d|%d|%s|%s|%s|%s", cJSON_GetObjectItem(p, "text")->valuestring,
                 cJSON_GetObjectItem(p, "evidence")->valueint, cJSON_IsTrue(cJSON_GetObjectItem(p, "pinned")),
                 cJSON_GetObjectItem(p, "verdict")->valuestring, cJSON_GetObjectItem(p, "scope")->valuestring,
                 cJSON_GetObjectItem(p, "status")->valuestring,
                 cJSON_GetObjectItem(p, "created")->valuestring);
        assert_true(out->n < 512);
        out->v[out->n] = strdup(line);
        assert_non_null(out->v[out->n]);
        out->n++;
    }
    cJSON_Delete(a);
    qsort(out->v, out->n, sizeof(out->v[0]), line_order);
}

void household_model_free(struct household_model *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->v[i]);
    }
    m->n = 0;
}

void household_assert_model(struct node *n, const struct household_model *m)
{
    struct household_model now;
    struct err e = ERR_INIT;
    household_model(n, &now);
    for (size_t i = 0; i < m->n && i < now.n; i++) {
        assert_string_equal(now.v[i], m->v[i]);
    }
    assert_int_equal(now.n, m->n);
    household_model_free(&now);
    assert_done(store_check(n->store, &e), &e);
    assert_done(store_verify(n->store, &e), &e);
}
