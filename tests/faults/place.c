#include "tests/faults/place.h"

#include "node/job.h"
#include "node/serve/api.h"
#include "tests/node/household.h"
#include "tests/store/faultvfs.h"
#include "tests/support/unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* All that a closed node leaves in its folder. */
static const char *const files[] = {"device", "keys", "selfsame.db", "selfsame.db-vectors", "share"};

static void ok(int rc, const struct err *e)
{
    if (rc != 0)
        fail_msg("%s: %s", err_name(rc), e->text);
}

const char *place_file(const struct place *p, const char *name, char out[TMP_PATH_BYTES])
{
    (void)snprintf(out, TMP_PATH_BYTES, "%s/%s", p->home, name);
    return out;
}

void place_make(struct place *p, void (*furnish)(struct node *n))
{
    memset(p, 0, sizeof *p);
    faultvfs_reset();
    assert_int_equal(sqlite3_vfs_register(sqlite3_vfs_find(FAULTVFS_NAME), 1), SQLITE_OK);
    tmp_dir_make(&p->dir);
    struct node *n = household_add(&p->dir, "first");
    if (furnish != NULL)
        furnish(n);
    test_clock_init(&p->clock, clock_wall_ms(&n->clock));
    node_close(n);
}

void place_remove(struct place *p)
{
    tmp_dir_remove(&p->dir);
}

/* ---- the folder that is worked in */

static void folder_remove(struct place *p)
{
    struct tmp_dir d;
    (void)snprintf(d.path, sizeof d.path, "%s/work", p->dir.path);
    if (tmp_exists(d.path))
        tmp_dir_remove(&d);
}

void place_start_bare(struct place *p)
{
    struct tmp_dir d;
    faultvfs_reset();
    folder_remove(p);
    (void)snprintf(d.path, sizeof d.path, "%s/work", p->dir.path);
    assert_int_equal(mkdir(d.path, 0700), 0);
    (void)snprintf(p->home, sizeof p->home, "%s/laptop", d.path);
    test_rng_init(&p->rng, 5);
}

void place_start_closed(struct place *p)
{
    char from[TMP_PATH_BYTES], to[TMP_PATH_BYTES];
    place_start_bare(p);
    assert_int_equal(mkdir(p->home, 0700), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(from, sizeof from, "%s/first/%s", p->dir.path, files[i]);
        if (tmp_exists(from))
            tmp_copy(from, place_file(p, files[i], to));
    }
}

void place_start_open(struct place *p)
{
    struct err e = ERR_INIT;
    place_start_closed(p);
    ok(place_open(p, &e), &e);
}

void place_end(struct place *p)
{
    place_close(p);
    cJSON_Delete(p->request);
    cJSON_Delete(p->answer);
    p->request = p->answer = NULL;
    folder_remove(p);
}

int place_open(struct place *p, struct err *e)
{
    struct node_options o = {.home = p->home};
    int rc = node_open(&p->n, &o, e);
    if (rc == 0) {
        p->n->clock = test_clock_iface(&p->clock);
        p->n->rng = test_rng_iface(&p->rng);
    }
    return rc;
}

void place_close(struct place *p)
{
    node_close(p->n);
    p->n = NULL;
}

void place_settle(struct place *p, bool again)
{
    struct err e = ERR_INIT;
    if (again)
        place_close(p);
    if (p->n == NULL)
        ok(place_open(p, &e), &e);
    ok(store_verify(p->n->store, &e), &e);
    ok(store_check(p->n->store, &e), &e);
}

/* ---- what is asked of it */

void place_request(struct place *p, const char *request)
{
    char text[2048];
    (void)snprintf(text, sizeof text, "%s", request);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    cJSON_Delete(p->request);
    p->request = cJSON_Parse(text);
    assert_non_null(p->request);
}

int place_ask(struct place *p, struct err *e)
{
    cJSON_Delete(p->answer);
    p->answer = NULL;
    return api_call(p->n, p->request, &p->answer, e);
}

int place_job(struct place *p, const char *source, const char *path, struct err *e)
{
    const struct job_spec spec = {.tell = source == NULL, .source = source, .path = path, .budget_ms = 1000};
    struct job *j = NULL;
    int rc = job_open(&j, p->n, &spec, e);
    rc = rc == 0 ? 1 : rc;
    while (rc == 1)
        rc = job_step(j, e);
    if (rc == 0 &&
        job_bad_count(j) > 0) /* a file that could not be read to its end: what came before stands */
        rc = err_set(e, ERR_IO, "%s", job_bad_at(j, 0)->record.reason);
    job_close(j);
    return rc;
}

/* ---- what came of it */

static void model_note(struct place *p, struct hasher *h)
{
    struct household_model m;
    uint64_t rows = household_observations(p->n);
    household_model(p->n, &m);
    for (size_t i = 0; i < m.n; i++)
        hasher_update(h, bytes_str(m.v[i]));
    household_model_free(&m);
    hasher_update(h, bytes_of(&rows, sizeof rows));
}

void place_finish(struct place *p, struct hasher *h)
{
    for (int round = 0; round < 2; round++) {
        place_settle(p, round > 0);
        model_note(p, h);
        hasher_update(h, bytes_of(&p->n->home.keys.grouped, sizeof(bool)));
    }
}
