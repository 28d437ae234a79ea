#include "cli/session.h"

#include "base/check.h"
#include "node/file.h"
#include "node/serve/api.h"
#include "node/serve/control.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_NAME "control.sock"
#define LOCK_LOOK_MS 250 /* between two looks whether a node has come up */
#define LOCK_WAIT_MS 5000

void session_init(struct session *s, const char *home, bool read_only)
{
    memset(s, 0, sizeof(*s));
    s->given = home;
    s->read_only = read_only;
}

void session_rest(struct session *s)
{
    control_disconnect(s->client);
    node_close(s->node);
    s->client = NULL;
    s->node = NULL;
}

void session_close(struct session *s)
{
    session_rest(s);
}

int session_locate(struct session *s, struct err *e)
{
    return s->home[0] != '\0' ? 0 : home_locate(s->given, s->home, e);
}

/* The node's socket, when there is a file of that name in a folder that is the user's alone. */
static int socket_try(struct session *s, struct err *e)
{
    char path[LIMIT_PATH_BYTES];
    struct stat st;
    int rc = path_join(s->home, SOCKET_NAME, path, e);
    if (rc != 0) {
        return rc;
    }
    if (lstat(path, &st) != 0) {
        return ERR_NOTRUNNING;
    }
    rc = folder_private(s->home, e);
    return rc != 0 ? rc : control_connect(&s->client, s->home, e);
}

/* One attempt: the node, else the folder. */
static int way_try(struct session *s, int wait_ms, struct err *e)
{
    struct node_options o = {.home = s->home, .read_only = s->read_only, .lock_wait_ms = wait_ms};
    int rc = socket_try(s, e);
    if (rc != ERR_NOTRUNNING) {
        return rc;
    }
    *e = ERR_INIT;
    rc = node_open(&s->node, &o, e);
    if (rc == 0 && s->node->emptied) {
        (void)fprintf(stderr, "warning: %s\n", NODE_EMPTIED);
    }
    if (rc == 0 && s->node->share_narrowed) {
        (void)fprintf(stderr, "warning: %s\n", NODE_SHARE_NARROWED);
    }
    return rc;
}

/* A node that is just starting holds the lock before it listens: look for both until one is there. */
static int way_open(struct session *s, struct err *e)
{
    int rc = session_locate(s, e);
    for (int waited = 0; rc == 0; waited += LOCK_LOOK_MS) {
        *e = ERR_INIT;
        int got = way_try(s, LOCK_LOOK_MS, e);
        if (got != ERR_INUSE || waited >= LOCK_WAIT_MS) {
            return got;
        }
    }
    return rc;
}

int session_call(struct session *s, const cJSON *request, cJSON **answer, struct err *e)
{
    int rc = s->client != NULL || s->node != NULL ? 0 : way_open(s, e);
    *answer = NULL;
    if (rc != 0) {
        return rc;
    }
    return s->client != NULL ? control_call(s->client, request, answer, e)
                             : api_call(s->node, request, answer, e);
}

/* ---- requests --------------------------------------------------------------------------------------------
 */

cJSON *request_new(const char *cmd)
{
    cJSON *req = cJSON_CreateObject();
    CHECK(req != NULL);
    CHECK(cJSON_AddNumberToObject(req, "schema", 1) != NULL);
    request_text(req, "cmd", cmd);
    return req;
}

void request_text(cJSON *req, const char *key, const char *value)
{
    CHECK(value == NULL || cJSON_AddStringToObject(req, key, value) != NULL);
}

void request_number(cJSON *req, const char *key, double value)
{
    CHECK(value < 0 || cJSON_AddNumberToObject(req, key, value) != NULL);
}

void request_flag(cJSON *req, const char *key, bool value)
{
    CHECK(!value || cJSON_AddTrueToObject(req, key) != NULL);
}
