/* The asking end of the control socket. A request is sent once: nng's automatic resending is off, because
 * telling or forgetting twice is not the same as once. */
#include "node/serve/control.h"

#include "base/limits.h"
#include "node/serve/api.h"
#include "node/serve/control_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#define SEND_MS 5000 /* a request that nobody takes within this finds no node */

struct control_client {
    nng_socket sock;
    _Atomic bool gone;
};

static void pipe_gone(nng_pipe p, nng_pipe_ev ev, void *arg)
{
    struct control_client *c = arg;
    (void)p;
    (void)ev;
    atomic_store(&c->gone, true);
}

int control_connect(struct control_client **out, const char *home, struct err *e)
{
    char url[CONTROL_URL_BYTES];
    int rc = control_url(home, url, e);
    struct control_client *c = rc == 0 ? calloc(1, sizeof(*c)) : NULL;
    if (c == NULL) {
        return rc != 0 ? rc : err_set(e, ERR_NOMEM, "reaching the node");
    }
    int rv = nng_req0_open(&c->sock);
    if (rv != 0) {
        free(c);
        return control_nng_error(e, rv, "reaching the node");
    }
    (void)nng_socket_set_ms(c->sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    (void)nng_socket_set_ms(c->sock, NNG_OPT_SENDTIMEO, SEND_MS);
    (void)nng_socket_set_size(c->sock, NNG_OPT_RECVMAXSZ, LIMIT_MESSAGE_BYTES);
    rv = nng_pipe_notify(c->sock, NNG_PIPE_EV_REM_POST, pipe_gone, c);
    if (rv == 0) {
        rv = nng_dial(c->sock, url, NULL, 0);
    }
    if (rv != 0) {
        control_disconnect(c);
        return control_nng_error(e, rv, "reaching the node");
    }
    *out = c;
    return 0;
}

/* Waits as long as the node is there: a receive that timed out would give up the request. A node that goes
 * away resets the connection, since requests are not resent. */
static int answer_wait(struct control_client *c, nng_msg **msg, struct err *e)
{
    int rv = nng_recvmsg(c->sock, msg, 0);
    if (rv == NNG_ECONNRESET || (rv != 0 && atomic_load(&c->gone))) {
        return err_set(e, ERR_NOTRUNNING, "the node went away before it answered");
    }
    return rv == 0 ? 0 : control_nng_error(e, rv, "waiting for the node's answer");
}

int control_call(struct control_client *c, const cJSON *request, cJSON **answer, struct err *e)
{
    nng_msg *msg = NULL;
    char *text = cJSON_PrintUnformatted(request);
    *answer = NULL;
    if (text == NULL) {
        return err_set(e, ERR_NOMEM, "asking the node");
    }
    int rv = atomic_load(&c->gone) ? NNG_ECLOSED : nng_send(c->sock, text, strlen(text), 0);
    cJSON_free(text);
    if (rv == NNG_ETIMEDOUT || rv == NNG_ECLOSED) {
        return err_set(e, ERR_NOTRUNNING, "the node went away");
    }
    if (rv != 0) {
        return control_nng_error(e, rv, "asking the node");
    }
    int rc = answer_wait(c, &msg, e);
    if (rc != 0) {
        return rc;
    }
    cJSON *doc = cJSON_ParseWithLength(nng_msg_body(msg), nng_msg_len(msg));
    nng_msg_free(msg);
    if (doc == NULL) {
        return err_set(e, ERR_FORMAT, "the node's answer cannot be read");
    }
    rc = api_error_of(doc, e);
    if (rc != 0) {
        cJSON_Delete(doc);
        return rc;
    }
    *answer = doc;
    return 0;
}

void control_disconnect(struct control_client *c)
{
    if (c == NULL) {
        return;
    }
    (void)nng_close(c->sock);
    free(c);
}
