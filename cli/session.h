/* The way to answers: the running node, through its control socket; without one, the data folder opened by
 * this process. Both run the same function (node/serve/api.h), so both give the same answers. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "base/bytes.h"
#include "base/limits.h"

#include <cjson/cJSON.h>

struct control_client;
struct node;

struct session {
    char home[LIMIT_PATH_BYTES]; /* the data folder; "" until it is located */
    const char *given;           /* --home, or NULL */
    bool read_only;              /* this command changes nothing */
    struct control_client *client;
    struct node *node;
};

/* Opens nothing yet. `home` is borrowed, may be NULL. */
void session_init(struct session *s, const char *home, bool read_only);
void session_close(struct session *s);
/* Finds the folder: fills s->home. */
int session_locate(struct session *s, struct err *e) MUST_CHECK;
/* One request, one answer, which the caller frees with cJSON_Delete(). Opens the way at the first call. */
int session_call(struct session *s, const cJSON *request, cJSON **answer, struct err *e) MUST_CHECK;
/* Lets go of the folder while a question is asked; the next call opens it again. */
void session_rest(struct session *s);

/* Requests; out of memory ends the program. Absent values (NULL text, negative number, false) are left out.
 */
cJSON *request_new(const char *cmd);
void request_text(cJSON *req, const char *key, const char *value);
void request_number(cJSON *req, const char *key, double value);
void request_flag(cJSON *req, const char *key, bool value);

#endif
