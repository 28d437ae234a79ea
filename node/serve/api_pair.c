/* Pairing and meeting: the code, the question, and sync by hand. Only the running node has a network. */
#include "node/serve/api_int.h"

#include "crypto/words.h"
#include "node/identity.h"
#include "node/net/net.h"
#include "node/pairing.h"

#include <stdio.h>
#include <string.h>

static int pairing_of(struct node *n, struct pairing **out, struct err *e)
{
    *out = n->pairing;
    if (n->pairing != NULL) {
        return 0;
    }
    (void)err_set(e, ERR_NOTRUNNING, "devices meet through the running node, and it is not running");
    err_hint(e, "start it: selfsamed");
    return ERR_NOTRUNNING;
}

static int text_or_null(cJSON *o, const char *key, const char *text)
{
    if (text[0] == '\0') {
        return cJSON_AddNullToObject(o, key) != NULL ? 0 : ERR_NOMEM;
    }
    return put_str(o, key, text);
}

static int peer_put(cJSON *o, const struct pairing_view *v)
{
    if (v->peer_name[0] == '\0') {
        return cJSON_AddNullToObject(o, "peer") != NULL ? 0 : ERR_NOMEM;
    }
    cJSON *x = put_object(o, "peer");
    return x != NULL && put_str(x, "name", v->peer_name) == 0 && put_id(x, "id", &v->peer) == 0 ? 0
                                                                                                : ERR_NOMEM;
}

static int view_put(struct node *n, cJSON *o)
{
    struct pairing_view v;
    pairing_looked(n->pairing);
    pairing_view(n->pairing, &v);
    bool failed = v.phase == PAIRING_FAILED;
    bool ok = put_str(o, "phase", pairing_phase_name(v.phase)) == 0 && put_bool(o, "host", v.host) == 0 &&
              put_bool(o, "words", v.words) == 0 && text_or_null(o, "code", v.code) == 0 &&
              text_or_null(o, "qr", v.qr) == 0 && put_time(o, "expires", v.expires_ms) == 0 &&
              put_num(o, "tries_left", v.tries_left) == 0 && peer_put(o, &v) == 0 &&
              put_bool(o, "own_yes", v.own_yes) == 0 && put_bool(o, "other_yes", v.other_yes) == 0 &&
              put_str(o, "text", v.text) == 0 && put_str(o, "hint", v.hint) == 0 &&
              (!failed || put_str(o, "error", err_name(v.failure)) == 0);
    mem_wipe(&v, sizeof(v));
    return ok ? 0 : ERR_NOMEM;
}

static int history_arg(struct node *n, const cJSON *req, struct history_grant *out, struct err *e)
{
    struct bytes text = arg_text(req, "history");
    *out = (struct history_grant){.kind = HISTORY_ALL};
    if (text.p == NULL || bytes_eq(text, BYTES_LIT("all"))) {
        return 0;
    }
    if (bytes_eq(text, BYTES_LIT("none"))) {
        out->kind = HISTORY_NONE;
        return 0;
    }
    if (bytes_eq(text, BYTES_LIT("90d"))) {
        out->kind = HISTORY_SINCE;
        out->since_ms = clock_wall_ms(&n->clock) - 90 * MS_DAY;
        return 0;
    }
    return err_set(e, ERR_USAGE, "history is all, 90d or none");
}

int api_pair_open(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    struct history_grant history;
    int rc = pairing_of(n, &p, e);
    if (rc == 0) {
        rc = history_arg(n, req, &history, e);
    }
    if (rc == 0) {
        rc = pairing_host(p, &history, e);
    }
    return rc != 0 ? rc : view_put(n, doc);
}

int api_pair_join(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    int rc = pairing_of(n, &p, e);
    if (rc == 0) {
        const cJSON *address = cJSON_GetObjectItemCaseSensitive(req, "address");
        rc = pairing_join(p, arg_text(req, "code"), cJSON_GetStringValue(address), e);
    }
    return rc != 0 ? rc : view_put(n, doc);
}

int api_pair_recover(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    uint8_t secret[RECOVERY_BYTES];
    int rc = pairing_of(n, &p, e);
    if (rc == 0) {
        rc = recovery_parse(arg_text(req, "words"), secret, e);
    }
    if (rc == 0) {
        const cJSON *address = cJSON_GetObjectItemCaseSensitive(req, "address");
        rc = pairing_recover(p, secret, cJSON_GetStringValue(address), e);
    }
    arg_wipe(req, "words");
    mem_wipe(secret, sizeof(secret));
    return rc != 0 ? rc : view_put(n, doc);
}

int api_pair_state(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    (void)req;
    int rc = pairing_of(n, &p, e);
    return rc != 0 ? rc : view_put(n, doc);
}

int api_pair_answer(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    int rc = pairing_of(n, &p, e);
    if (rc == 0) {
        rc = pairing_answer(p, arg_bool(req, "yes"), e);
    }
    return rc != 0 ? rc : view_put(n, doc);
}

int api_pair_close(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    (void)req;
    int rc = pairing_of(n, &p, e);
    if (rc == 0) {
        pairing_cancel(p);
    }
    return rc != 0 ? rc : view_put(n, doc);
}

int api_sync(struct node *n, const cJSON *req, cJSON *doc, struct err *e)
{
    struct pairing *p;
    (void)req;
    int rc = pairing_of(n, &p, e);
    if (rc == 0) {
        rc = identity_not_removed(n, e);
    }
    if (rc == 0) {
        net_dial_all(n->net);
        rc = put_peers(n, doc, e);
    }
    return rc;
}
