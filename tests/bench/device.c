/* One device under load: imports real-shaped observations (audit, inference and full-text indexing on), tells
 * a file of propositions, queries them. Prints rates, latencies and memory.
 *
 *     device_bench [OBSERVATIONS [PROPOSITIONS]]       (100000 100000)
 *
 * The workload comes from a fixed seed; the files are written to a temporary folder first, which is removed
 * at the end. The last part runs the command line itself when SELFSAME names it.
 */
#include "node/job.h"
#include "node/model/retrieve.h"
#include "tests/bench/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct workload work;
static char folder[64];

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "device_bench: %s: %s\n", what, e != NULL ? e->text : strerror(errno));
    exit(1);
}

static void path_of(const char *name, char out[LIMIT_PATH_BYTES])
{
    snprintf(out, LIMIT_PATH_BYTES, "%s/%s", folder, name);
}

/* ---- the workload ----------------------------------------------------------------------------------------
 */

static const char *const projects[] = {"atlas", "borealis", "cinder", "dunes", "ember", "fjord"};
static const char *const tools[] = {"git status", "rg -n",      "make -j2", "vim src/",
                                    "ssh host",   "cargo test", "ls -la",   "grep -r"};
static const char *const hosts[] = {"news.example.org", "docs.example.com", "forum.example.net",
                                    "mail.example.org"};

static void time_text(unsigned i, unsigned n, char out[32])
{
    int64_t start = INT64_C(1690000000000);
    rfc3339_print(start + (int64_t)i * (INT64_C(94000000000) / n), out);
}

static void observation_write(FILE *f, unsigned i, unsigned n)
{
    char when[32];
    char words[32 * 24];
    char file[32];
    time_text(i, n, when);
    workload_sentence(&work, 5, 12, words);
    workload_word(workload_rank(&work, 50), file);
    switch (workload_below(&work, 3)) {
    case 0:
        fprintf(
            f,
            "{\"time\":\"%s\",\"source\":\"git\",\"app\":\"%s\",\"title\":\"%s\",\"files\":[\"src/%s.c\"]}\n",
            when, projects[workload_below(&work, 6)], words, file);
        break;
    case 1:
        fprintf(f, "{\"time\":\"%s\",\"source\":\"bash\",\"command\":\"%s %s\",\"cwd\":\"/home/u/%s\"}\n",
                when, tools[workload_below(&work, 8)], file, projects[workload_below(&work, 6)]);
        break;
    default:
        fprintf(f, "{\"time\":\"%s\",\"source\":\"firefox\",\"title\":\"%s\",\"url\":\"https://%s/%s/%u\"}\n",
                when, words, hosts[workload_below(&work, 4)], file, i);
        break;
    }
}

static void files_write(unsigned observations, unsigned propositions)
{
    char path[LIMIT_PATH_BYTES];
    char words[32 * 24];
    path_of("observations.jsonl", path);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        die(path, NULL);
    }
    for (unsigned i = 0; i < observations; i++) {
        observation_write(f, i, observations);
    }
    fclose(f);
    path_of("told.jsonl", path);
    f = fopen(path, "w");
    if (f == NULL) {
        die(path, NULL);
    }
    for (unsigned i = 0; i < propositions; i++) {
        workload_sentence(&work, 8, 15, words);
        fprintf(f, "{\"text\":\"%s %u\",\"confidence\":%u,\"decay\":%u}\n", words, i,
                1 + workload_below(&work, 10), 1 + workload_below(&work, 10));
    }
    fclose(f);
}

/* ---- the phases ------------------------------------------------------------------------------------------
 */

static void memory_print(const char *phase)
{
    long now = 0;
    long high = 0;
    workload_rss(&now, &high);
    printf("%-14s resident %.1f MB, at most %.1f MB so far\n", phase, (double)now / 1024,
           (double)high / 1024);
}

/* CPU seconds of this process. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void job_run(struct node *n, bool tell, const char *name)
{
    struct err e = ERR_INIT;
    struct job *j = NULL;
    char path[LIMIT_PATH_BYTES];
    path_of(name, path);
    struct job_spec spec = {.tell = tell, .source = "jsonl", .path = path, .budget_ms = 250};
    double start = workload_us();
    double cpu = cpu_seconds();
    if (job_open(&j, n, &spec, &e) != 0) {
        die(name, &e);
    }
    int more = 1;
    while (more > 0) {
        more = job_step(j, &e);
    }
    if (more < 0) {
        die(name, &e);
    }
    double seconds = (workload_us() - start) / 1e6;
    cpu = cpu_seconds() - cpu;
    const struct job_counts *c = job_counts(j);
    printf("%-14s %llu records: %.0f a second (%.0f a CPU second; %llu added, %llu bad; %llu propositions "
           "learnt)\n",
           tell ? "tell --file" : "import", (unsigned long long)c->read, (double)c->read / seconds,
           (double)c->read / cpu, (unsigned long long)c->added, (unsigned long long)c->bad,
           (unsigned long long)c->props.added);
    job_close(j);
    memory_print(tell ? "tell --file" : "import");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void queries_run(struct node *n, unsigned count)
{
    double *us = calloc(count, sizeof(*us));
    char words[32 * 24];
    uint64_t found = 0;
    if (us == NULL) {
        die("queries", NULL);
    }
    for (unsigned i = 0; i < count; i++) {
        struct err e = ERR_INIT;
        struct ranked_list l;
        workload_sentence(&work, 1, 6, words);
        struct retrieve_query q = {.text = bytes_str(words), .max = 10, .at_ms = INT64_C(1784000000000)};
        ranked_list_init(&l);
        double start = workload_us();
        if (retrieve(n->store, &q, &l, &e) != 0) {
            die("query", &e);
        }
        us[i] = workload_us() - start;
        found += l.n;
        ranked_list_release(&l);
    }
    qsort(us, count, sizeof(*us), by_value);
    printf("query          %u queries, %llu results: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", count,
           (unsigned long long)found, us[count / 2] / 1e3, us[count * 99 / 100] / 1e3, us[count - 1] / 1e3);
    free(us);
    memory_print("query");
}

/* Whole processes: start, open, query, print, end. */
static void cold_run(const char *program, unsigned count)
{
    double *us = calloc(count, sizeof(*us));
    if (us == NULL) {
        die("cold", NULL);
    }
    for (unsigned i = 0; i < count; i++) {
        double start = workload_us();
        pid_t pid = fork();
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY);
            (void)dup2(null, 1);
            execl(program, program, "query", "kare moti with the", (char *)NULL);
            _exit(127);
        }
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            die("cold query failed", NULL);
        }
        us[i] = workload_us() - start;
    }
    qsort(us, count, sizeof(*us), by_value);
    printf("query, cold    %u runs of the command: p50 %.1f ms, max %.1f ms\n", count, us[count / 2] / 1e3,
           us[count - 1] / 1e3);
    free(us);
}

static void folder_remove(void)
{
    static const char *const names[] = {"observations.jsonl",
                                        "told.jsonl",
                                        "home/selfsame.db",
                                        "home/selfsame.db-wal",
                                        "home/selfsame.db-shm",
                                        "home/device",
                                        "home/keys",
                                        "home/lock",
                                        "home/tmp",
                                        "home",
                                        "."};
    char path[LIMIT_PATH_BYTES];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path_of(names[i], path);
        (void)remove(path);
    }
    (void)remove(folder);
}

static unsigned count_arg(int argc, char **argv, int i)
{
    return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : 100000u;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct node *n = NULL;
    char home[LIMIT_PATH_BYTES];
    unsigned observations = count_arg(argc, argv, 1);
    unsigned propositions = count_arg(argc, argv, 2);
    snprintf(folder, sizeof(folder), "/tmp/selfsame-bench-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        die("temporary folder", NULL);
    }
    workload_init(&work, 1);
    files_write(observations, propositions);
    path_of("home", home);
    if (node_init(home, BYTES_LIT("bench"), &e) != 0) {
        die("init", &e);
    }
    (void)setenv("SELFSAME_HOME", home, 1);
    struct node_options o = {.home = home};
    if (node_open(&n, &o, &e) != 0) {
        die("open", &e);
    }
    job_run(n, false, "observations.jsonl");
    job_run(n, true, "told.jsonl");
    queries_run(n, 1000);
    node_close(n);
    if (getenv("SELFSAME") != NULL) {
        cold_run(getenv("SELFSAME"), 20);
    }
    folder_remove();
    return 0;
}
