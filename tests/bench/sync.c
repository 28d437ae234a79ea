/* Three devices in one process, connected by byte-counted queues: first sync, rejoin, a meeting with nothing
 * to say, live edits.
 *
 *     sync_bench [RECORDS [RUNS [SEED]]]       (10000 3 1)
 *
 * Phases as the workload W(N, seed) has them: P0 create and pair, P1 A writes N, one durable commit each, P2
 * first sync to B and to C, P3 apart, P4 together again, P5 nothing to say, P6 200 live edits, P7 open again,
 * P8 bytes on disk. Full-text search is on, stores are files, commits are durable. All three share one core
 * here: the times of P2, P4 and P6 are what all of them took together, one after the other. Digests are
 * compared after each phase, or the row is void.
 */
#include "sync/sync.h"
#include "base/check.h"
#include "store/members.h"
#include "tests/bench/workload.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define DEVICES 3
#define LIVE 200
#define RUNS_MAX 15

struct device {
    char name[8], path[TMP_PATH_BYTES];
    struct store *store;
    struct device_keys keys;
    struct id id, log;
    struct group *group;
    struct sync *sync;
};

struct wire {
    size_t device[2];
    struct session *s[2];
    uint64_t bytes[2], messages;
};

enum figure {
    PAIR_MS,
    WRITE_P50,
    WRITE_P99,
    WRITE_CPU,
    FIRST_B_MS,
    FIRST_C_MS,
    FIRST_CPU,
    FIRST_BYTES,
    FIRST_BACK,
    REJOIN_MS,
    REJOIN_CPU,
    REJOIN_KB,
    REJOIN_ALL_KB,
    REJOIN_MESSAGES,
    NOOP_BYTES,
    NOOP_MESSAGES,
    NOOP_MS,
    LIVE_P50,
    LIVE_P99,
    LIVE_BYTES,
    OPEN_MS,
    DISK_BYTES,
    DISK_BARE_BYTES,
    RSS_MB,
    FIGURES
};

struct bench {
    struct tmp_dir dir;
    struct test_rng test_rng;
    struct rng rng;
    struct clock clock;
    struct device d[DEVICES];
    struct wire wire[DEVICES];
    struct workload work;
    size_t n;
    struct id *ids;
    double v[FIGURES];
};

/* ---- time */

static int64_t wall_ms(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What this process has used of the processor, the system's part included. */
static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int64_t mono_ms(void *ctx)
{
    (void)ctx;
    return (int64_t)(workload_us() / 1000);
}

static void must(int rc, const struct err *e, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "sync_bench: %s: %s\n", what, e->text);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double *v, size_t n, size_t percent)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n * percent / 100 < n ? n * percent / 100 : n - 1];
}

/* ---- devices */

static void device_open(struct bench *b, struct device *d)
{
    struct err e = ERR_INIT;
    struct store_config cfg = {.path = d->path, .clock = &b->clock, .rng = &b->rng};
    must(store_open(&d->store, &cfg, &e), &e, "opening a store");
    store_use_log(d->store, &d->log, &d->id);
    must(group_open(&d->group, d->store, &d->keys, &b->rng, &e), &e, "opening a group");
    struct sync_env env = {.store = d->store,
                           .group = d->group,
                           .keys = &d->keys,
                           .clock = &b->clock,
                           .rng = &b->rng,
                           .log = d->log};
    must(sync_open(&d->sync, &env, &e), &e, "opening sync");
}

static void device_close(struct device *d)
{
    sync_close(d->sync);
    group_close(d->group);
    store_close(d->store);
}

static int carry(void *ctx, struct bytes record)
{
    bool fresh;
    return group_receive(ctx, record, &fresh, NULL);
}

static void add(struct bench *b, struct device *d)
{
    struct history_grant grant = {HISTORY_ALL, 0};
    struct err e = ERR_INIT;
    struct buf cert;
    struct id group;
    int64_t now = wall_ms(NULL);
    buf_init(&cert, DEVICE_CERT_BYTES_MAX);
    must(device_cert_make(&d->keys, bytes_str(d->name), now, &cert, &e), &e, "certificate");
    must(group_add(b->d[0].group, buf_view(&cert), &grant, now, &e), &e, "adding");
    buf_release(&cert);
    group_id(b->d[0].group, &group);
    must(group_join(d->group, &group, &e), &e, "joining");
    must(group_records(b->d[0].group, NULL, 0, carry, d->group), &e, "joining");
    must(group_open_log(d->group, &d->log, now, &e), &e, "joining");
}

static void p0(struct bench *b)
{
    struct err e = ERR_INIT;
    double start = workload_us();
    for (size_t i = 0; i < DEVICES; i++) {
        struct device *d = &b->d[i];
        (void)snprintf(d->name, sizeof d->name, "%c", (char)('A' + i));
        tmp_path(&b->dir, d->name, d->path);
        device_keys_make(&d->keys, &b->rng);
        device_id_of(d->keys.sign.pk, &d->id);
        rng_fill(&b->rng, d->log.b, ID_BYTES);
        device_open(b, d);
    }
    must(group_found(b->d[0].group, BYTES_LIT("A"), &b->d[0].log, wall_ms(NULL), &e), &e, "founding");
    for (size_t i = 1; i < DEVICES; i++)
        add(b, &b->d[i]);
    b->v[PAIR_MS] = (workload_us() - start) / 1000;
}

/* ---- the workload */

static const char *const sources[] = {"shell", "git", "firefox", "calendar"};
static const char *const predicates[] = {"prefers", "works on", "uses", "plans"};

struct record {
    struct id id;
    char text[15 * 32 + 16];
    unsigned predicate, confidence, source;
    int64_t time_ms;
};

static void record_make(struct bench *b, struct record *r)
{
    for (size_t i = 0; i < ID_BYTES; i += 8) {
        uint64_t v = workload_next(&b->work);
        memcpy(r->id.b + i, &v, 8);
    }
    workload_sentence(&b->work, 8, 15, r->text);
    r->predicate = workload_below(&b->work, 4);
    r->confidence = 1 + workload_below(&b->work, 10);
    r->source = workload_below(&b->work, 4);
    r->time_ms = INT64_C(1690000000000) + (int64_t)workload_below(&b->work, 1000000000);
}

static void record_hash_in(crypto_hash_sha256_state *st, const struct record *r, uint64_t *bytes)
{
    char json[1024], id[ID_TEXT + 1];
    id_text(&r->id, id);
    int n = snprintf(
        json, sizeof json,
        "{\"id\":\"%s\",\"predicate\":\"%s\",\"text\":\"%s\",\"confidence\":%u,\"source\":\"%s\","
        "\"time\":%lld}\n",
        id, predicates[r->predicate], r->text, r->confidence, sources[r->source], (long long)r->time_ms);
    crypto_hash_sha256_update(st, (const uint8_t *)json, (unsigned long long)n);
    *bytes += (uint64_t)n;
}

static void record_write(struct device *d, const struct record *r)
{
    struct err e = ERR_INIT;
    struct draft w;
    uint8_t prior[2] = {(uint8_t)(r->confidence * 100 >> 8), (uint8_t)(r->confidence * 100)};
    struct buf created;
    buf_init(&created, 16);
    wr_svarint(&created, r->time_ms);
    draft_init(&w);
    draft_reset(&w, SPACE_PROPOSITION, CLASS_MODEL, &r->id);
    draft_reg(&w, REG_TEXT, bytes_str(r->text), NULL, 0);
    draft_reg_u8(&w, REG_KIND, (uint8_t)(1 + r->predicate), NULL, 0);
    draft_reg(&w, REG_PRIOR, bytes_of(prior, 2), NULL, 0);
    draft_reg(&w, REG_ORIGIN, bytes_str(sources[r->source]), NULL, 0);
    draft_reg(&w, REG_CREATED, buf_view(&created), NULL, 0);
    must(store_write(d->store, &w, &e), &e, "writing");
    draft_release(&w);
    buf_release(&created);
}

static void p1(struct bench *b, bool show)
{
    crypto_hash_sha256_state st;
    uint8_t digest[32];
    uint64_t bytes = 0;
    double *us = calloc(b->n, sizeof *us);
    struct record r;
    CHECK(us);
    crypto_hash_sha256_init(&st);
    for (size_t i = 0; i < b->n; i++) {
        record_make(b, &r);
        record_hash_in(&st, &r, &bytes);
        b->ids[i] = r.id;
        double start = workload_us(), cpu = cpu_ms();
        record_write(&b->d[0], &r);
        us[i] = workload_us() - start;
        b->v[WRITE_CPU] += (cpu_ms() - cpu) * 1000 / (double)b->n;
    }
    crypto_hash_sha256_final(&st, digest);
    if (show) {
        printf("W(%zu): %.1f B of JSON a record, SHA-256 ", b->n, (double)bytes / (double)b->n);
        for (size_t i = 0; i < 32; i++)
            printf("%02x", digest[i]);
        printf("\n");
    }
    b->v[WRITE_P50] = percentile(us, b->n, 50);
    b->v[WRITE_P99] = percentile(us, b->n, 99);
    free(us);
}

/* ---- the network */

static void connect_pair(struct bench *b, size_t at, size_t from, size_t to)
{
    struct wire *w = &b->wire[at];
    *w = (struct wire){.device = {from, to}};
    w->s[0] = session_connect(b->d[from].sync, &b->d[to].id);
    w->s[1] = session_accept(b->d[to].sync);
    CHECK(w->s[0] && w->s[1]);
}

static void cut(struct wire *w)
{
    for (size_t i = 0; i < 2; i++) {
        session_free(w->s[i]);
        w->s[i] = NULL;
    }
}

static bool pump_end(struct wire *w, size_t from, struct buf *out)
{
    struct err e = ERR_INIT;
    bool any = false;
    for (;;) {
        buf_clear(out);
        if (!w->s[from] || !session_output(w->s[from], out))
            return any;
        any = true;
        w->bytes[from] += out->n + 4; /* a length on the stream */
        w->messages++;
        must(session_input(w->s[1 - from], buf_view(out), &e), &e, "session");
    }
}

static void pump(struct bench *b)
{
    struct buf out;
    bool any;
    buf_init(&out, SYNC_MESSAGE_MAX);
    do {
        any = false;
        for (size_t i = 0; i < DEVICES; i++) {
            any = pump_end(&b->wire[i], 0, &out) || any;
            any = pump_end(&b->wire[i], 1, &out) || any;
        }
    } while (any);
    buf_release(&out);
}

static void changed(struct device *d)
{
    struct err e = ERR_INIT;
    must(sync_changed(d->sync, &e), &e, "after a change");
}

static void compare(struct bench *b, size_t n, const char *phase)
{
    struct hash first, other;
    struct err e = ERR_INIT;
    must(store_digest(b->d[0].store, &first, &e), &e, "digest");
    for (size_t i = 1; i < n; i++) {
        must(store_digest(b->d[i].store, &other, &e), &e, "digest");
        if (memcmp(first.b, other.b, HASH_BYTES) != 0) {
            fprintf(stderr, "sync_bench: %s: digests differ, the row is void\n", phase);
            exit(1);
        }
    }
}

static void p2(struct bench *b)
{
    double start = workload_us(), cpu = cpu_ms();
    connect_pair(b, 0, 0, 1);
    pump(b);
    b->v[FIRST_B_MS] = (workload_us() - start) / 1000;
    b->v[FIRST_CPU] = cpu_ms() - cpu;
    b->v[FIRST_BYTES] = (double)b->wire[0].bytes[0] / (double)b->n;
    b->v[FIRST_BACK] = (double)b->wire[0].bytes[1];
    cut(&b->wire[0]);
    start = workload_us();
    connect_pair(b, 1, 0, 2);
    pump(b);
    b->v[FIRST_C_MS] = (workload_us() - start) / 1000;
    cut(&b->wire[1]);
    compare(b, DEVICES, "P2");
}

/* ---- apart */

static void edit(struct bench *b, struct device *d, size_t at, unsigned extra)
{
    struct err e = ERR_INIT;
    struct draft w;
    struct entity *x = entity_new();
    uint8_t names[LIMIT_PRIOR_STAMPS][16];
    char text[15 * 32 + 16];
    CHECK(x);
    must(store_entity(d->store, SPACE_PROPOSITION, &b->ids[at], x, &e), &e, "reading");
    size_t n = entity_stamps(x, REG_TEXT, names, LIMIT_PRIOR_STAMPS);
    workload_sentence(&b->work, 8, 15, text);
    draft_init(&w);
    draft_reset(&w, SPACE_PROPOSITION, CLASS_EDIT, &b->ids[at]);
    draft_reg(&w, REG_TEXT, bytes_str(text), names, n);
    if (extra == 1)
        draft_set_add(&w, SET_TAG, BYTES_LIT("work"));
    if (extra == 2)
        draft_count(&w, &(struct count){.device = d->id,
                                        .source = BYTES_LIT("shell"),
                                        .support = at,
                                        .against = 1,
                                        .first_ms = INT64_C(1690000000000),
                                        .last_ms = INT64_C(1700000000000)});
    must(store_write(d->store, &w, &e), &e, "editing");
    draft_release(&w);
    entity_free(x);
}

static void p3(struct bench *b)
{
    struct err e = ERR_INIT;
    struct record r;
    size_t n = b->n;
    for (size_t i = 0; i < n / 50; i++) {
        record_make(b, &r);
        record_write(&b->d[0], &r);
    }
    for (size_t i = 0; i < n / 20; i++) {
        edit(b, &b->d[1], i, i % 10 == 0 ? 1 : i % 10 == 1 ? 2 : 0);
        /* The first N/100 collide with B's. */
        edit(b, &b->d[2], i < n / 100 ? i : n / 4 + i, i % 10 == 0 ? 1 : i % 10 == 1 ? 2 : 0);
    }
    for (size_t i = 0; i < n / 100; i++)
        must(store_forget(b->d[2].store, &b->ids[n / 2 + i], NULL, 0, &e), &e, "forgetting");
    for (size_t i = 0; i < DEVICES; i++)
        changed(&b->d[i]);
}

static void p4(struct bench *b)
{
    double start = workload_us(), cpu = cpu_ms();
    uint64_t all = 0, most = 0, messages = 0, in[DEVICES] = {0};
    connect_pair(b, 0, 0, 1);
    connect_pair(b, 1, 0, 2);
    connect_pair(b, 2, 1, 2);
    pump(b);
    b->v[REJOIN_MS] = (workload_us() - start) / 1000;
    b->v[REJOIN_CPU] = cpu_ms() - cpu;
    for (size_t i = 0; i < DEVICES; i++) {
        const struct wire *w = &b->wire[i];
        in[w->device[1]] += w->bytes[0];
        in[w->device[0]] += w->bytes[1];
        all += w->bytes[0] + w->bytes[1];
        messages += w->messages;
    }
    for (size_t i = 0; i < DEVICES; i++)
        most = in[i] > most ? in[i] : most;
    b->v[REJOIN_KB] = (double)most / 1000;
    b->v[REJOIN_ALL_KB] = (double)all / 1000;
    b->v[REJOIN_MESSAGES] = (double)messages;
    compare(b, DEVICES, "P4");
}

static void p5(struct bench *b)
{
    for (size_t i = 0; i < DEVICES; i++)
        cut(&b->wire[i]);
    double start = workload_us();
    connect_pair(b, 0, 0, 1);
    pump(b);
    b->v[NOOP_MS] = (workload_us() - start) / 1000;
    b->v[NOOP_BYTES] = (double)(b->wire[0].bytes[0] + b->wire[0].bytes[1]);
    b->v[NOOP_MESSAGES] = (double)b->wire[0].messages;
}

static void p6(struct bench *b)
{
    static double ms[LIVE];
    connect_pair(b, 1, 0, 2);
    connect_pair(b, 2, 1, 2);
    pump(b);
    uint64_t before = 0, after = 0;
    for (size_t i = 0; i < DEVICES; i++)
        before += b->wire[i].bytes[0] + b->wire[i].bytes[1];
    for (size_t i = 0; i < LIVE; i++) {
        double start = workload_us();
        edit(b, &b->d[i % DEVICES], b->n - LIVE + i, 0);
        changed(&b->d[i % DEVICES]);
        pump(b);
        ms[i] = (workload_us() - start) / 1000;
    }
    for (size_t i = 0; i < DEVICES; i++)
        after += b->wire[i].bytes[0] + b->wire[i].bytes[1];
    b->v[LIVE_BYTES] = (double)(after - before) / LIVE;
    b->v[LIVE_P50] = percentile(ms, LIVE, 50);
    b->v[LIVE_P99] = percentile(ms, LIVE, 99);
    compare(b, DEVICES, "P6");
}

/* Bytes of the pages that hold no full-text index. */
static double bare_bytes(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    CHECK(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db,
                             "SELECT sum(pgsize) FROM dbstat WHERE name NOT IN (SELECT t.name || x.part FROM"
                             " sqlite_schema t, (SELECT '_data' part UNION SELECT '_idx' UNION SELECT"
                             " '_docsize' UNION SELECT '_config' UNION SELECT '_content') x WHERE t.sql LIKE"
                             " '%USING fts5%')",
                             -1, &q, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(q) == SQLITE_ROW);
    double bytes = sqlite3_column_double(q, 0);
    (void)sqlite3_finalize(q);
    (void)sqlite3_close(db);
    return bytes;
}

static void p7_p8(struct bench *b)
{
    long now, high;
    struct stat st;
    workload_rss(&now, &high);
    b->v[RSS_MB] = (double)high / 1024 / DEVICES;
    for (size_t i = 0; i < DEVICES; i++)
        cut(&b->wire[i]);
    for (size_t i = 0; i < DEVICES; i++)
        device_close(&b->d[i]);
    double start = workload_us();
    device_open(b, &b->d[1]);
    b->v[OPEN_MS] = (workload_us() - start) / 1000;
    device_close(&b->d[1]);
    CHECK(stat(b->d[1].path, &st) == 0);
    b->v[DISK_BYTES] = (double)st.st_size / (double)(b->n + b->n / 50);
    b->v[DISK_BARE_BYTES] = bare_bytes(b->d[1].path) / (double)(b->n + b->n / 50);
}

static void run(struct bench *b, size_t n, uint64_t seed, bool show)
{
    memset(b, 0, sizeof *b);
    b->n = n;
    b->ids = calloc(n, sizeof *b->ids);
    CHECK(b->ids);
    tmp_dir_make(&b->dir);
    test_rng_init(&b->test_rng, seed);
    b->rng = test_rng_iface(&b->test_rng);
    b->clock = (struct clock){wall_ms, mono_ms, NULL};
    workload_init(&b->work, seed);
    p0(b);
    p1(b, show);
    p2(b);
    p3(b);
    p4(b);
    p5(b);
    p6(b);
    p7_p8(b);
    tmp_dir_remove(&b->dir);
    free(b->ids);
}

/* ---- the table */

static const struct {
    const char *name;
    double target; /* at 10 000 records; 0: none */
} rows[FIGURES] = {
    [PAIR_MS] = {"P0 create and pair, ms", 0},
    [WRITE_P50] = {"P1 write, p50 us", 60},
    [WRITE_P99] = {"P1 write, p99 us", 0},
    [WRITE_CPU] = {"P1 write, mean CPU us", 0},
    [FIRST_B_MS] = {"P2 first sync A to B, ms", 300},
    [FIRST_C_MS] = {"P2 first sync A to C, ms", 300},
    [FIRST_CPU] = {"P2 first sync A to B, CPU ms", 0},
    [FIRST_BYTES] = {"P2 wire, B a record", 140},
    [FIRST_BACK] = {"P2 wire back, B", 0},
    [REJOIN_MS] = {"P4 rejoin, ms", 100},
    [REJOIN_CPU] = {"P4 rejoin, CPU ms", 0},
    [REJOIN_KB] = {"P4 most that one receives, KB", 200},
    [REJOIN_ALL_KB] = {"P4 all three links, KB", 0},
    [REJOIN_MESSAGES] = {"P4 messages", 0},
    [NOOP_BYTES] = {"P5 nothing to say, B", 600},
    [NOOP_MESSAGES] = {"P5 messages", 0},
    [NOOP_MS] = {"P5 ms", 0},
    [LIVE_P50] = {"P6 live edit, p50 ms", 0},
    [LIVE_P99] = {"P6 live edit, p99 ms", 30},
    [LIVE_BYTES] = {"P6 all links, B an edit", 0},
    [OPEN_MS] = {"P7 cold open, ms", 50},
    [DISK_BYTES] = {"P8 disk with index, B a record", 0},
    [DISK_BARE_BYTES] = {"P8 disk without index, B a record", 400},
    [RSS_MB] = {"memory, MB a device", 40},
};

int main(int argc, char **argv)
{
    static struct bench b;
    static double v[FIGURES][RUNS_MAX];
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    size_t runs = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    if (n < 1000 || n > 1000000 || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: sync_bench [RECORDS 1000.. [RUNS 1..%d [SEED]]]\n", RUNS_MAX);
        return 2;
    }
    CHECK(crypt_start() == 0);
    for (size_t r = 0; r < runs; r++) {
        run(&b, n, seed, r == 0);
        for (size_t i = 0; i < FIGURES; i++)
            v[i][r] = b.v[i];
    }
    printf("%-32s %10s %21s %8s\n", "", "median", "(min - max)", "target");
    for (size_t i = 0; i < FIGURES; i++) {
        double median = percentile(v[i], runs, 50);
        printf("%-32s %10.2f %10.2f -%9.2f ", rows[i].name, median, v[i][0], v[i][runs - 1]);
        if (rows[i].target > 0)
            printf("%8.0f%s", rows[i].target, median <= rows[i].target || n != 10000 ? "" : "  MISSED");
        printf("\n");
    }
    return 0;
}
