#include "node/recovery.h"

#include "base/text.h"
#include "base/time.h"
#include "node/handover.h"
#include "node/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recovery {
    struct node *n;
    struct net *net;
    struct buf cert;
    bool running; /* pair is in use */
    struct pair pair;
    struct handover hand;
};

static void run_end(struct recovery *r)
{
    if (r->running) {
        pair_wipe(&r->pair);
    }
    r->running = false;
    handover_clear(&r->hand);
}

static int run_start(struct recovery *r)
{
    struct node *n = r->n;
    struct pair_code code;
    const struct device_keys *own = &n->home.keys.device;
    const struct member *words = group_find(n->group, net_recovery_words(r->net));
    if (words == NULL) {
        return ERR_NOTFOUND;
    }
    buf_clear(&r->cert);
    int rc = device_cert_make(own, bytes_str(n->home.name), clock_wall_ms(&n->clock), &r->cert, NULL);
    if (rc != 0) {
        return rc;
    }
    const struct pair_self self = {.keys = own, .cert = buf_view(&r->cert)};
    pair_code_words(words->cert.sign_pk, &code);
    pair_host(&r->pair, &self, &code);
    pair_code_wipe(&code);
    r->running = true;
    return 0;
}

/* Words that are no member any more hear why. */
static int welcome(struct recovery *r, struct buf *out)
{
    char when[RFC3339_TEXT + 1], text[HANDOVER_TEXT_BYTES];
    struct node *n = r->n;
    const struct member *m = group_find(n->group, &r->pair.other.device);
    pair_take_session(&r->pair, &r->hand.session);
    r->hand.on = true;
    if (m != NULL && m->words && m->state != MEMBER_REMOVED) {
        log_line(&n->log, LOG_WARN, "recovery", "the recovery words are being used to make a device anew");
        return handover_begin(&r->hand, n->group, out);
    }
    rfc3339_print(m != NULL ? m->changed_ms : 0, when);
    (void)snprintf(text, sizeof(text),
                   "these recovery words no longer count: they were used, replaced or revoked at %s", when);
    log_line(&n->log, LOG_WARN, "recovery", "somebody tried recovery words that no longer count");
    int rc = handover_seal(&r->hand, HANDOVER_STOP, bytes_str(text), out);
    return rc != 0 ? rc : ERR_CANCELLED;
}

static int handshake_takes(struct recovery *r, struct bytes message, struct buf *out)
{
    struct err e = ERR_INIT;
    bool asked = r->pair.state == PAIR_CONFIRM;
    int rc = pair_step(&r->pair, &r->n->rng, message, out, &e);
    if (rc == 0 && !asked && r->pair.state == PAIR_CONFIRM) {
        rc = id_eq(&r->pair.other.device, net_recovery_words(r->net)) ? pair_answer(&r->pair, true, out, &e)
                                                                      : ERR_VERIFY;
    } else if (rc == 0 && r->pair.state == PAIR_DONE) {
        rc = welcome(r, out);
    }
    return rc;
}

static int session_takes(struct recovery *r, struct bytes message, struct buf *out)
{
    struct buf plain;
    struct bytes body;
    enum handover_step step;
    buf_init(&plain, 65536);
    int rc = handover_open(&r->hand, message, &plain, &step, &body);
    if (rc == 0 && step == HANDOVER_NEXT && !r->hand.ended) {
        rc = handover_next(&r->hand, out);
    } else if (rc == 0) {
        rc = ERR_CANCELLED; /* it is done, or cannot go on; what it became is told in a session */
    }
    secret_buf_release(&plain);
    return rc;
}

static int on_message(void *ctx, struct bytes message, struct buf *out)
{
    struct recovery *r = ctx;
    if (message.p == NULL) {
        run_end(r);
        return 0;
    }
    int rc = r->running ? 0 : run_start(r);
    if (rc == 0) {
        rc = r->hand.on ? session_takes(r, message, out) : handshake_takes(r, message, out);
    }
    if (rc != 0) {
        run_end(r);
    }
    return rc;
}

struct recovery *recovery_new(struct node *n, struct net *t)
{
    struct recovery *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    r->n = n;
    r->net = t;
    buf_init(&r->cert, DEVICE_CERT_BYTES_MAX);
    handover_init(&r->hand);
    const struct pairing_io io = {.on = on_message, .ctx = r};
    net_recovery(t, &io);
    return r;
}

void recovery_free(struct recovery *r)
{
    if (r == NULL) {
        return;
    }
    net_recovery(r->net, NULL);
    run_end(r);
    buf_release(&r->cert);
    handover_release(&r->hand);
    mem_wipe(r, sizeof(*r));
    free(r);
}
