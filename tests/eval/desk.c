#include "tests/eval/desk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void desk_ok(int rc, const struct err *e)
{
    if (rc == 0)
        return;
    fprintf(stderr, "error %d: %s\n", rc, e->text);
    exit(1);
}

void desk_open(struct desk *d, int64_t now_ms)
{
    struct err e = ERR_INIT;
    char path[TMP_PATH_BYTES];
    const struct id device = {{1}}, log = {{2}};
    memset(d, 0, sizeof *d);
    tmp_dir_make(&d->dir);
    test_clock_init(&d->test_clock, now_ms);
    test_rng_init(&d->test_rng, 1);
    d->clock = test_clock_iface(&d->test_clock);
    d->rng = test_rng_iface(&d->test_rng);
    const struct store_config cfg = {
        .path = tmp_path(&d->dir, "store.db", path), .clock = &d->clock, .rng = &d->rng};
    desk_ok(store_open(&d->s, &cfg, &e), &e);
    store_use_log(d->s, &log, &device);
    const struct infer_env env = {.store = d->s,
                                  .clock = &d->clock,
                                  .device = device,
                                  .device_name = "laptop",
                                  .claim_secret = DESK_SECRET};
    desk_ok(infer_open(&d->x, &env, &e), &e);
}

void desk_embed(struct desk *d, const char *table)
{
    struct err e = ERR_INIT;
    d->log = (struct log){.out = stderr, .level = LOG_WARN, .clock = &d->clock};
    const struct embed_config cfg = {
        .store = d->s, .clock = &d->clock, .log = &d->log, .table = table, .keeper = true};
    desk_ok(embed_open(&d->embed, &cfg, &e), &e);
    if (embed_source(d->embed) == NULL)
        exit(1);
    while (embed_step(d->embed) != TIME_NONE)
        ;
}

void desk_close(struct desk *d)
{
    embed_close(d->embed);
    infer_close(d->x);
    store_close(d->s);
    tmp_dir_remove(&d->dir);
}

void desk_tell(struct desk *d, uint32_t n, const struct desk_told *t)
{
    struct err e = ERR_INIT;
    struct draft draft;
    struct id id = ID_NONE;
    for (int i = 0; i < 4; i++)
        id.b[i] = (uint8_t)(n >> (24 - 8 * i));
    draft_init(&draft);
    draft_reset(&draft, SPACE_PROPOSITION, CLASS_EDIT, &id);
    draft_reg(&draft, REG_TEXT, t->text, NULL, 0);
    draft_reg_u8(&draft, REG_KIND, 1, NULL, 0);
    draft_reg_u8(&draft, REG_DECAY, 8, NULL, 0);
    if (t->scope.n > 0)
        draft_reg(&draft, REG_SCOPE, t->scope, NULL, 0);
    if (t->pinned)
        draft_reg_u8(&draft, REG_PINNED, 1, NULL, 0);
    desk_ok(store_write(d->s, &draft, &e), &e);
    draft_release(&draft);
}

uint32_t desk_number(const struct id *id)
{
    return (uint32_t)id->b[0] << 24 | (uint32_t)id->b[1] << 16 | (uint32_t)id->b[2] << 8 | id->b[3];
}

cJSON *desk_json(const char *folder, const char *name)
{
    char path[1024];
    struct buf b;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!tmp_exists(path))
        return NULL;
    buf_init(&b, (size_t)64 << 20);
    tmp_read(path, &b);
    cJSON *doc = cJSON_ParseWithLength((const char *)b.p, b.n);
    buf_release(&b);
    return doc;
}

const char *json_str(const cJSON *o, const char *key)
{
    const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
    return v == NULL ? "" : v;
}

static bool wants(const uint32_t *wanted, size_t n, uint32_t x)
{
    for (size_t i = 0; i < n; i++) {
        if (wanted[i] == x)
            return true;
    }
    return false;
}

static double ndcg_at_10(const uint32_t *found, size_t n_found, const uint32_t *wanted, size_t n_wanted)
{
    double got = 0, best = 0;
    for (size_t i = 0; i < 10; i++) {
        double worth = 1 / log2((double)i + 2);
        got += i < n_found && wants(wanted, n_wanted, found[i]) ? worth : 0;
        best += i < n_wanted ? worth : 0;
    }
    return best > 0 ? got / best : 0;
}

void tally_add(struct tally *t, const uint32_t *found, size_t n_found, const uint32_t *wanted,
               size_t n_wanted)
{
    unsigned hits[3] = {0};
    bool first = true;
    t->queries++;
    for (size_t i = 0; i < n_found && i < 10; i++) {
        if (!wants(wanted, n_wanted, found[i]))
            continue;
        hits[0] += i < 1;
        hits[1] += i < 3;
        hits[2]++;
        t->mrr += first ? 1.0 / (double)(i + 1) : 0;
        first = false;
    }
    t->ndcg += ndcg_at_10(found, n_found, wanted, n_wanted);
    t->recall1 += (double)hits[0] / (double)n_wanted;
    t->recall3 += (double)hits[1] / (double)n_wanted;
    t->recall10 += (double)hits[2] / (double)n_wanted;
}

void tally_print(const char *what, const struct tally *t)
{
    double n = t->queries > 0 ? t->queries : 1;
    printf("  %-34s recall@1 %.3f  @3 %.3f  @10 %.3f  MRR@10 %.3f  nDCG@10 %.3f  %.3f ms  (%u queries)\n",
           what, t->recall1 / n, t->recall3 / n, t->recall10 / n, t->mrr / n, t->ndcg / n, t->ms / n,
           t->queries);
}
