/* Requests to the control interface, one a line, up to eight of them, to a device that was told three things
 * and read a history; '@0' to '@3' stand for ids of propositions (the last for one that nobody has). Every
 * answer is a document, an error has its text, and what the requests left in the store passes its check.
 * After a request that wrote, the next input finds the device as it was at first.
 *
 * Left out, because of what they do rather than what they read: `passphrase`, which takes half a second on
 * purpose; setting endpoint.*, which makes `think` send requests and start programs; paths, which are of this
 * machine. */
#include "node/serve/api.h"

#include "base/check.h"
#include "tests/support/tmp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUESTS_MAX 8
#define IDS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tmp_dir dir;
static char home[TMP_PATH_BYTES], kept[TMP_PATH_BYTES];
static char ids[IDS][ID_TEXT + 1];
static struct node *node;
static bool dirty;

static void copy_folder(const char *from, const char *to)
{
    DIR *d = opendir(from);
    CHECK(d && (access(to, F_OK) == 0 || mkdir(to, 0700) == 0));
    for (const struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        char a[TMP_PATH_BYTES + NAME_MAX], b[TMP_PATH_BYTES + NAME_MAX];
        (void)snprintf(a, sizeof a, "%s/%s", from, entry->d_name);
        (void)snprintf(b, sizeof b, "%s/%s", to, entry->d_name);
        if (entry->d_type == DT_REG)
            tmp_copy(a, b);
    }
    (void)closedir(d);
}

static void open_node(void)
{
    struct node_options o = {.home = home};
    CHECK(node_open(&node, &o, NULL) == 0);
}

/* The answer is the caller's. */
static cJSON *ask(struct bytes request)
{
    struct buf out;
    buf_init(&out, LIMIT_MESSAGE_BYTES);
    int rc = api_message(node, request, &out);
    CHECK(rc == 0 || rc == ERR_LIMIT);
    cJSON *answer = cJSON_ParseWithLength((const char *)out.p, out.n);
    CHECK(rc != 0 || cJSON_IsObject(answer));
    buf_release(&out);
    return answer;
}

static void tell(const char *request, char id[ID_TEXT + 1])
{
    cJSON *answer = ask(bytes_str(request));
    const cJSON *p = cJSON_GetObjectItemCaseSensitive(answer, "proposition");
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(p, "id"));
    CHECK(text != NULL && strlen(text) == ID_TEXT);
    (void)snprintf(id, ID_TEXT + 1, "%s", text);
    cJSON_Delete(answer);
}

static void remove_at_exit(void)
{
    node_close(node);
    tmp_dir_remove(&dir);
}

/* The data folder is in memory where there is such a place, and the home of the user is an empty one. */
static void first_time(void)
{
    char history[TMP_PATH_BYTES];
    if (access("/dev/shm", W_OK) == 0)
        CHECK(setenv("TMPDIR", "/dev/shm", 0) == 0);
    tmp_dir_make(&dir);
    CHECK(setenv("HOME", dir.path, 1) == 0);
    (void)tmp_path(&dir, "home", home);
    (void)tmp_path(&dir, "kept", kept);
    tmp_write(tmp_path(&dir, ".bash_history", history), BYTES_LIT("#1700000000\ngit status\nmake -j2\n"));
    CHECK(node_init(home, BYTES_LIT("laptop"), NULL) == 0);
    open_node();
    tell("{\"cmd\":\"tell\",\"text\":\"Works in Lisbon\",\"scope\":\"work\",\"pinned\":true}", ids[0]);
    tell("{\"cmd\":\"tell\",\"text\":\"Learns Dutch\",\"confidence\":4,\"decay\":7}", ids[1]);
    tell("{\"cmd\":\"tell\",\"text\":\"Prefers tea\"}", ids[2]);
    memset(ids[3], 'a', ID_TEXT);
    cJSON_Delete(ask(BYTES_LIT("{\"cmd\":\"job.start\",\"kind\":\"import\",\"source\":\"bash\"}")));
    cJSON_Delete(ask(BYTES_LIT("{\"cmd\":\"job.step\",\"job\":1}")));
    node_close(node);
    node = NULL;
    copy_folder(home, kept);
    open_node();
    CHECK(atexit(remove_at_exit) == 0);
}

static void as_at_first(void)
{
    struct tmp_dir old;
    struct err e = ERR_INIT;
    if (!dirty)
        return;
    CHECK(store_check(node->store, &e) == 0);
    node_close(node);
    (void)snprintf(old.path, sizeof old.path, "%s", home);
    tmp_dir_remove(&old);
    copy_folder(kept, home);
    open_node();
    dirty = false;
}

/* The line with ids put in. */
static void fill_in(struct bytes line, struct buf *out)
{
    for (size_t i = 0; i < line.n; i++) {
        bool is_id = line.p[i] == '@' && i + 1 < line.n && line.p[i + 1] >= '0' && line.p[i + 1] < '0' + IDS;
        int rc = is_id ? buf_str(out, ids[line.p[++i] - '0']) : buf_put(out, line.p[i]);
        CHECK(rc == 0);
    }
}

static bool starts(const cJSON *text, const char *with)
{
    return cJSON_IsString(text) && strncmp(text->valuestring, with, strlen(with)) == 0;
}

static bool left_out(const cJSON *request)
{
    const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(request, "cmd");
    const cJSON *key = cJSON_GetObjectItemCaseSensitive(request, "key");
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(request, "path");
    return starts(cmd, "passphrase") || (starts(cmd, "config") && starts(key, "endpoint.")) ||
           (starts(cmd, "job.start") && path != NULL && !starts(path, "-"));
}

static void run_line(struct bytes line)
{
    cJSON *request = cJSON_ParseWithLength((const char *)line.p, line.n);
    struct err e = ERR_INIT;
    if (!left_out(request)) {
        cJSON *answer = ask(line);
        int rc = api_error_of(answer, &e);
        CHECK(rc == 0 || e.text[0] != '\0');
        const cJSON *cmd = cJSON_GetObjectItemCaseSensitive(request, "cmd");
        dirty = dirty || (rc == 0 && cJSON_IsString(cmd) && !api_reads(cmd->valuestring));
        cJSON_Delete(answer);
    }
    cJSON_Delete(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct buf line;
    if (dir.path[0] == '\0')
        first_time();
    as_at_first();
    buf_init(&line, (size_t)1 << 20);
    for (int i = 0; i < REQUESTS_MAX && in.n > 0; i++) {
        size_t end = bytes_find(in, BYTES_LIT("\n"));
        buf_clear(&line);
        fill_in(bytes_slice(in, 0, end), &line);
        run_line(buf_view(&line));
        in = bytes_slice(in, end == SIZE_MAX ? in.n : end + 1, SIZE_MAX);
    }
    buf_release(&line);
    return 0;
}
