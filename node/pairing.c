/* The state machine between a person and crypto/pair.h. */
#include "node/pairing.h"

#include "base/text.h"
#include "node/handover.h"
#include "node/identity.h"
#include "node/join.h"
#include "node/recovery.h"
#include "node/words.h"
#include "sync/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIND_MS 30000 /* a joiner looks for the other device so long */
/* By recovery words: until one has announced itself, DISCOVER_EVERY_MS apart. */
#define FIND_MEMBER_MS 75000
#define ASK_MS (5 * 60 * 1000) /* the users may take so long to answer */
#define WRITE_MS (5 * 60 * 1000)
#define LINGER_MS 1000 /* the last message is given so long to leave */

struct pairing {
    struct node *n;
    struct net *net;
    struct pairing_view view;
    struct pair_code code;
    struct pair pair;
    bool running;   /* pair is in use */
    bool met;       /* the other side said something on this connection */
    bool connected; /* joiner: somebody took a connection */
    struct history_grant history;
    struct buf cert;
    struct handover hand;
    bool hand_over;            /* host: the joiner is to be added in the next step */
    struct recovery *recovery; /* our side of another device's recovery */
    struct device_keys words;  /* joiner by recovery words (view.words): their keys */
    uint8_t knock[KEY_BYTES];  /* the same: see net.h */
    int64_t deadline_ms;       /* monotonic; TIME_NONE */
    int64_t closing_ms;        /* monotonic: when a pairing that ended lets go of its connection; 0 */
    int64_t looked_ms;         /* monotonic: when somebody looked last; TIME_NONE: nobody ever did */
    bool given;                /* joiner: an address was given, which `address` shows */
    char address[128];
};

const char *pairing_phase_name(enum pairing_phase p)
{
    static const char *const names[] = {"none",    "waiting", "connecting", "asking",
                                        "joining", "done",    "failed"};
    return names[p];
}

static int64_t now_ms(const struct pairing *p)
{
    return clock_mono_ms(&p->n->clock);
}

struct pairing *pairing_new(struct node *n, struct net *t)
{
    struct pairing *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->n = n;
    p->net = t;
    p->deadline_ms = TIME_NONE;
    buf_init(&p->cert, DEVICE_CERT_BYTES_MAX);
    handover_init(&p->hand);
    p->recovery = recovery_new(n, t);
    if (p->recovery == NULL) {
        pairing_free(p);
        return NULL;
    }
    return p;
}

static void pair_end(struct pairing *p)
{
    if (p->running) {
        pair_wipe(&p->pair);
    }
    handover_clear(&p->hand);
    p->running = p->met = false;
}

/* Lets go of the network and of every secret; the view stays for whoever asks. */
static void all_end(struct pairing *p)
{
    pair_end(p);
    pair_code_wipe(&p->code);
    device_keys_wipe(&p->words);
    mem_wipe(p->knock, sizeof(p->knock));
    p->view.code[0] = p->view.qr[0] = '\0';
    p->hand_over = false;
    p->deadline_ms = TIME_NONE;
    p->closing_ms = 0;
    net_pair_stop(p->net);
}

void pairing_free(struct pairing *p)
{
    if (p == NULL) {
        return;
    }
    if (p->view.phase != PAIRING_NONE && p->view.phase < PAIRING_DONE) {
        all_end(p);
    }
    recovery_free(p->recovery);
    buf_release(&p->cert);
    handover_release(&p->hand);
    mem_wipe(p, sizeof(*p));
    free(p);
}

static void fail(struct pairing *p, int code, const char *text, const char *hint)
{
    p->view.phase = PAIRING_FAILED;
    p->view.failure = code;
    p->view.code[0] = p->view.qr[0] = '\0';
    p->closing_ms = now_ms(p) + LINGER_MS;
    (void)snprintf(p->view.text, sizeof(p->view.text), "%s", text);
    (void)snprintf(p->view.hint, sizeof(p->view.hint), "%s", hint);
    log_line(&p->n->log, LOG_WARN, "pair", "%s", p->view.text);
}

static void fail_err(struct pairing *p, const struct err *e)
{
    fail(p, e->code, e->text, e->hint);
}

static void done(struct pairing *p)
{
    p->view.phase = PAIRING_DONE;
    p->closing_ms = now_ms(p) + LINGER_MS;
    (void)snprintf(p->view.text, sizeof(p->view.text),
                   p->view.words ? "%s belongs to the group of %s now; the words are used up"
                                 : "%s and %s are one group now",
                   p->n->home.name, p->view.peer_name);
    (void)snprintf(p->view.hint, sizeof(p->view.hint), "%s",
                   p->view.words ? "write down new ones: selfsame devices words" : "");
    log_line(&p->n->log, LOG_INFO, "pair", "paired with %s", p->view.peer_name);
    p->n->regrouped = true;
    p->n->wrote = true;
}

void pairing_view(const struct pairing *p, struct pairing_view *out)
{
    *out = p->view;
}

void pairing_looked(struct pairing *p)
{
    p->looked_ms = now_ms(p);
}

/* ---- messages of the session ------------------------------------------------------------------------------
 */

static int text_seal(struct pairing *p, const struct err *e, struct buf *out)
{
    return handover_seal(&p->hand, HANDOVER_STOP, utf8_cut(bytes_str(e->text), HANDOVER_TEXT_BYTES), out);
}

static void session_start(struct pairing *p)
{
    pair_take_session(&p->pair, &p->hand.session);
    p->hand.on = true;
    p->view.phase = PAIRING_JOINING;
    p->deadline_ms = now_ms(p) + WRITE_MS;
    p->hand_over = p->view.host;
}

/* ---- host: adding the joiner ------------------------------------------------------------------------------
 */

/* What was written up to now goes under the epochs up to now, before a joiner who may not read them comes. */
static int history_close(struct pairing *p, int64_t wall_ms, struct err *e)
{
    struct node *n = p->n;
    const struct frames_env env = {
        .store = n->store, .group = n->group, .keys = &n->home.keys.device, .rng = &n->rng};
    return p->history.kind == HISTORY_ALL ? 0 : frames_seal(&env, wall_ms, e);
}

static int joiner_add(struct pairing *p, struct err *e)
{
    struct node *n = p->n;
    int64_t wall = clock_wall_ms(&n->clock);
    struct join_summary sum;
    int rc = group_exists(n->group) ? 0 : join_found(n, &sum, e);
    if (rc == 0 && group_is_active(n->group, &p->view.peer)) {
        return 0; /* an earlier pairing broke off after this point */
    }
    if (rc == 0) {
        rc = history_close(p, wall, e);
    }
    return rc != 0 ? rc : group_add(n->group, pair_other_cert(&p->pair), &p->history, wall, e);
}

static void joiner_take_in(struct pairing *p)
{
    struct err e = ERR_INIT;
    struct buf out;
    p->hand_over = false;
    buf_init(&out, HANDOVER_PART_BYTES + 64);
    int rc = joiner_add(p, &e);
    if (rc == 0) {
        rc = handover_begin(&p->hand, p->n->group, &out);
    }
    if (rc == 0) {
        rc = net_pair_send(p->net, buf_view(&out), &e);
    }
    if (rc != 0) {
        if (e.code == 0) {
            (void)err_set(&e, rc, "handing over the membership: %s", err_text(rc));
        }
        buf_clear(&out);
        if (text_seal(p, &e, &out) == 0) {
            (void)!net_pair_send(p->net, buf_view(&out), NULL); /* the other side may be gone */
        }
        fail_err(p, &e);
    }
    buf_release(&out);
}

/* ---- joiner: becoming a member ----------------------------------------------------------------------------
 */

static int group_begin(struct pairing *p, struct bytes body, struct err *e)
{
    struct id group;
    struct node *n = p->n;
    if (body.n != ID_BYTES) {
        return err_set(e, ERR_FORMAT, "the other device sent no group");
    }
    memcpy(group.b, body.p, ID_BYTES);
    int rc = group_mend(n->group, e);
    if (rc == 0 && group_exists(n->group)) {
        rc = group_leave(n->group, e); /* a group of this device alone */
    }
    return rc != 0 ? rc : group_join(n->group, &group, e);
}

static int group_enter(struct pairing *p, struct err *e)
{
    struct join_summary sum;
    int rc = handover_take(&p->hand, p->n->group, e);
    if (rc == 0 && p->view.words) {
        return words_enter(p->n, &p->words, e);
    }
    if (rc == 0 && !identity_is_member(p->n)) {
        rc = err_set(e, ERR_VERIFY, "the other device did not make this one a member");
    }
    return rc != 0 ? rc : join_rebase(p->n, &sum, e);
}

/* Whatever was taken of the group goes again: this device stays alone as it was. */
static void joiner_undo(struct pairing *p)
{
    struct err e = ERR_INIT;
    if (!p->view.host && p->view.phase == PAIRING_JOINING && !p->hand.ended &&
        group_leave(p->n->group, &e) != 0) {
        log_line(&p->n->log, LOG_ERROR, "pair", "%s", e.text);
    }
}

static int joiner_takes(struct pairing *p, enum handover_step step, struct bytes body, struct buf *out)
{
    struct err e = ERR_INIT;
    int rc = 0;
    if (step == HANDOVER_BEGIN) {
        rc = group_begin(p, body, &e);
    } else if (step == HANDOVER_RECORDS) {
        rc = buf_bytes(&p->hand.records, body);
    } else if (step == HANDOVER_END) {
        rc = group_enter(p, &e);
    } else {
        rc = err_set(&e, ERR_FORMAT, "the other device sent something unexpected");
    }
    if (rc == 0 && step == HANDOVER_END) {
        p->hand.ended = true;
        rc = handover_seal(&p->hand, HANDOVER_DONE, BYTES_NONE, out);
        done(p);
        return rc;
    }
    if (rc == 0) {
        return handover_seal(&p->hand, HANDOVER_NEXT, BYTES_NONE, out);
    }
    if (e.code == 0) {
        (void)err_set(&e, rc, "joining: %s", err_text(rc));
    }
    joiner_undo(p);
    fail_err(p, &e);
    (void)text_seal(p, &e, out);
    return 0;
}

static int host_takes(struct pairing *p, enum handover_step step, struct buf *out)
{
    if (step == HANDOVER_NEXT && !p->hand.ended) {
        return handover_next(&p->hand, out);
    }
    if (step == HANDOVER_DONE && p->hand.ended) {
        done(p);
        return 0;
    }
    fail(p, ERR_FORMAT, "the other device sent something unexpected", "try again");
    return ERR_FORMAT;
}

static int session_takes(struct pairing *p, struct bytes message, struct buf *out)
{
    struct buf plain;
    struct bytes body;
    enum handover_step step;
    buf_init(&plain, 65536);
    int rc = handover_open(&p->hand, message, &plain, &step, &body);
    if (rc != 0) {
        joiner_undo(p);
        fail(p, ERR_VERIFY, "a message of the other device was altered on its way", "try again");
    } else if (step == HANDOVER_STOP) {
        char text[240];
        joiner_undo(p);
        body = utf8_cut(body, 200);
        (void)snprintf(text, sizeof(text), "the other device stopped: %.*s", (int)body.n,
                       body.n > 0 ? (const char *)body.p : "");
        fail(p, ERR_CANCELLED, text, "");
        rc = ERR_CANCELLED;
    } else {
        rc = p->view.host ? host_takes(p, step, out) : joiner_takes(p, step, body, out);
    }
    secret_buf_release(&plain);
    return rc;
}

/* ---- the handshake ----------------------------------------------------------------------------------------
 */

/* By recovery words nobody is asked: they are the proof, and the certificate of a device of the group. */
static int words_answer(struct pairing *p, struct buf *out)
{
    struct err e = ERR_INIT;
    memcpy(p->view.peer_name, p->pair.other.name, sizeof(p->view.peer_name));
    p->view.peer = p->pair.other.device;
    if (p->pair.state != PAIR_CONFIRM || !p->pair.other_yes) {
        return 0; /* the other side speaks next */
    }
    int rc = pair_answer(&p->pair, true, out, &e);
    if (rc != 0) {
        fail_err(p, &e);
    }
    return rc;
}

/* A device that was removed comes back with new keys only. */
static bool peer_fits(struct pairing *p)
{
    const struct member *m = p->view.host ? group_find(p->n->group, &p->view.peer) : NULL;
    if (m == NULL || m->state != MEMBER_REMOVED) {
        return true;
    }
    fail(p, ERR_PERM, "that device was removed from the group, and its keys with it",
         "give it new keys (there: selfsame init --renew), then pair again");
    return false;
}

static int asking_begin(struct pairing *p)
{
    memcpy(p->view.peer_name, p->pair.other.name, sizeof(p->view.peer_name));
    p->view.peer = p->pair.other.device;
    if (!peer_fits(p)) {
        return ERR_PERM;
    }
    p->view.phase = PAIRING_ASKING;
    p->view.code[0] = p->view.qr[0] = '\0'; /* it has served */
    p->deadline_ms = now_ms(p) + ASK_MS;
    return 0;
}

static int code_was_wrong(struct pairing *p)
{
    p->view.tries_left--;
    pair_end(p); /* the next connection begins anew */
    if (p->view.tries_left > 0) {
        (void)snprintf(p->view.text, sizeof(p->view.text), "a wrong code was tried; %d of %d tries are left",
                       p->view.tries_left, PAIR_TRIES);
    } else {
        fail(p, ERR_VERIFY, "a wrong code was tried three times; this code is no longer valid",
             "show a new one: selfsame pair");
    }
    return ERR_VERIFY;
}

static const char words_hint[] =
    "newer words may have replaced them, or they were revoked; or that is no device of the group; or this "
    "device's clock is an hour off. On a device of the group: selfsame devices";

static int handshake_failed(struct pairing *p, int rc, const struct err *e)
{
    if (p->view.words) {
        fail(p, rc, "the device there does not know these recovery words", words_hint);
    } else if (rc == ERR_EXISTS) {
        fail(p, rc, "the other device uses the very keys of this one: it is a copy of it",
             "give the copy keys of its own (there: selfsame init --renew), then pair again");
    } else if (rc == ERR_VERSION) {
        fail(p, rc, e->text, "bring both devices to the same version");
    } else if (p->view.host && p->pair.state == PAIR_FAILED && rc == ERR_VERIFY) {
        return code_was_wrong(p);
    } else if (!p->view.host) {
        fail(p, rc, rc == ERR_VERIFY ? "the code is wrong" : e->text,
             "read the code on the other device again; after three wrong tries it shows a new one");
    } else {
        pair_end(p);
    }
    return rc;
}

static void answered(struct pairing *p)
{
    p->view.own_yes = p->pair.own_yes;
    p->view.other_yes = p->pair.other_yes;
    if (p->pair.state == PAIR_DONE) {
        session_start(p);
    } else if (p->pair.state == PAIR_REFUSED) {
        fail(p, ERR_CANCELLED, "the other device's user said no", "nothing was changed");
    }
}

static int handshake_takes(struct pairing *p, struct bytes message, struct buf *out)
{
    struct err e = ERR_INIT;
    bool asked = p->view.phase == PAIRING_ASKING;
    int rc = pair_step(&p->pair, &p->n->rng, message, out, &e);
    if (rc != 0) {
        return handshake_failed(p, rc, &e);
    }
    if (p->view.words && p->pair.state >= PAIR_CONFIRM) {
        rc = words_answer(p, out);
    } else if (!asked && p->pair.state == PAIR_CONFIRM) {
        rc = asking_begin(p);
    }
    if (rc == 0 && p->pair.state >= PAIR_CONFIRM) {
        answered(p);
    }
    return rc;
}

/* ---- the connection ---------------------------------------------------------------------------------------
 */

/* Somebody was reached at the address given and said nothing, or nobody was. */
static void given_lost(struct pairing *p)
{
    char text[240];
    if (p->connected) {
        (void)snprintf(text, sizeof(text), "the device at %s shows no code now", p->address);
        fail(p, ERR_NOTFOUND, text,
             "run selfsame pair there; a code lets one device in at a time, and ends with the third wrong "
             "try");
    } else {
        (void)snprintf(text, sizeof(text), "no device was reached at %s: %s", p->address,
                       net_pair_reason(p->net));
        fail(p, ERR_NOTFOUND, text,
             "start the node there (selfsamed); it says where it listens, and so does: selfsame status");
    }
}

static void words_lost(struct pairing *p)
{
    if (p->view.phase == PAIRING_JOINING) {
        fail(p, ERR_IO, "the connection ended before the recovery was finished; this device is as it was",
             "the words still count; try again");
    } else if (p->connected) {
        fail(p, ERR_VERIFY, "the device there does not know these recovery words", words_hint);
    } else if (p->given) {
        given_lost(p);
    } else {
        fail(p, ERR_NOTFOUND, "no device of a group was reached",
             "start the node (selfsamed) on another device of yours; on another network, or without "
             "discovery, give its address: selfsame recover --address HOST:PORT");
    }
}

static void joiner_lost(struct pairing *p)
{
    if (p->view.words) {
        words_lost(p);
    } else if (!p->met && p->given) {
        given_lost(p);
    } else if (!p->met) {
        fail(p, ERR_NOTFOUND, "no device that shows a code was reached",
             "run selfsame pair on the other device; on another network, or without discovery, give its "
             "address: "
             "selfsame pair CODE --address HOST:PORT");
    } else if (p->pair.state == PAIR_KNOCK) {
        fail(p, ERR_VERIFY, "the code was not accepted",
             "read it on the other device again; after three wrong tries it shows a new one");
    } else if (p->view.phase == PAIRING_JOINING) {
        fail(p, ERR_IO, "the connection ended before joining was finished; this device is as it was",
             "pair again with a new code");
    } else {
        fail(p, ERR_IO, "the connection ended before both had said yes", "pair again with a new code");
    }
}

static const char joined_hint[] =
    "if it does not show this group (there: selfsame devices), pair it again with a new code";

static void host_lost(struct pairing *p)
{
    if (p->view.phase == PAIRING_JOINING) {
        fail(p, ERR_IO, "the connection ended before the other device had finished joining", joined_hint);
    } else if (p->view.phase == PAIRING_ASKING) {
        fail(p, ERR_IO, "the other device went away before both had said yes", "pair again: selfsame pair");
    } else if (p->view.phase == PAIRING_WAITING) {
        pair_end(p); /* the code still counts, for whoever comes next */
    }
}

static int connection_ended(struct pairing *p)
{
    joiner_undo(p);
    if (p->view.phase == PAIRING_DONE || p->view.phase == PAIRING_FAILED) {
        pair_end(p);
    } else if (p->view.host) {
        host_lost(p);
    } else {
        joiner_lost(p);
    }
    return 0;
}

static void run_start(struct pairing *p)
{
    const struct device_keys *own = p->view.words ? &p->words : &p->n->home.keys.device;
    const struct pair_self self = {.keys = own, .cert = buf_view(&p->cert)};
    if (p->view.host) {
        pair_host(&p->pair, &self, &p->code);
    } else {
        pair_join(&p->pair, &self, &p->code);
    }
    p->running = true;
}

static int on_message(void *ctx, struct bytes message, struct buf *out)
{
    struct pairing *p = ctx;
    if (message.p == NULL) {
        return connection_ended(p);
    }
    if (p->view.phase == PAIRING_DONE || p->view.phase == PAIRING_FAILED) {
        return ERR_CANCELLED;
    }
    if (message.n == 0) {
        pair_end(p); /* the host before did not answer */
        p->connected = true;
    }
    if (!p->running) {
        run_start(p);
    }
    p->met = p->met || message.n > 0;
    return p->hand.on ? session_takes(p, message, out) : handshake_takes(p, message, out);
}

/* ---- what the user does -----------------------------------------------------------------------------------
 */

static bool busy(const struct pairing *p)
{
    return p->view.phase != PAIRING_NONE && p->view.phase != PAIRING_DONE && p->view.phase != PAIRING_FAILED;
}

static int begin(struct pairing *p, bool host, struct err *e)
{
    if (busy(p)) {
        (void)err_set(e, ERR_INUSE, "a pairing is under way on this device");
        err_hint(e, "end it with: selfsame pair --stop");
        return ERR_INUSE;
    }
    int rc = node_may_write(p->n, e);
    if (rc != 0) {
        return rc;
    }
    all_end(p);
    p->view = (struct pairing_view){.host = host, .tries_left = PAIR_TRIES};
    p->connected = p->given = false;
    p->looked_ms = TIME_NONE;
    buf_clear(&p->cert);
    return device_cert_make(&p->n->home.keys.device, bytes_str(p->n->home.name), clock_wall_ms(&p->n->clock),
                            &p->cert, e);
}

int pairing_host(struct pairing *p, const struct history_grant *history, struct err *e)
{
    const struct pairing_io io = {.on = on_message, .ctx = p};
    int rc = begin(p, true, e);
    if (rc == 0) {
        rc = identity_not_removed(p->n, e);
    }
    if (rc == 0) {
        rc = net_pair_host(p->net, &io, e);
    }
    if (rc != 0) {
        return rc;
    }
    p->history = *history;
    pair_code_make(&p->code, &p->n->rng);
    pair_code_digits(&p->code, p->view.code);
    pair_code_qr(&p->code, p->view.qr);
    p->view.phase = PAIRING_WAITING;
    p->view.expires_ms = clock_wall_ms(&p->n->clock) + PAIR_CODE_MS;
    p->deadline_ms = now_ms(p) + PAIR_CODE_MS;
    return 0;
}

static int may_join(const struct pairing *p, struct err *e)
{
    int rc = identity_not_removed(p->n, e);
    if (rc != 0) {
        return rc;
    }
    if (identity_has_others(p->n)) {
        (void)err_set(e, ERR_EXISTS, "this device already belongs to a group with other devices");
        err_hint(e, "to bring another device in, show the code here (selfsame pair) and type it there");
        return ERR_EXISTS;
    }
    return 0;
}

static void address_keep(struct pairing *p, const char *address)
{
    p->given = address != NULL;
    (void)snprintf(p->address, sizeof(p->address), "%s", p->given ? address : "");
}

int pairing_join(struct pairing *p, struct bytes code, const char *address, struct err *e)
{
    const struct pairing_io io = {.on = on_message, .ctx = p};
    int rc = begin(p, false, e);
    if (rc != 0) {
        return rc; /* a pairing that is under way goes on */
    }
    rc = may_join(p, e);
    if (rc == 0) {
        rc = pair_code_parse(code, &p->code, e);
    }
    if (rc == 0) {
        p->view.phase = PAIRING_CONNECTING; /* the dial may fail at once */
        p->deadline_ms = now_ms(p) + FIND_MS;
        address_keep(p, address);
        rc = net_pair_join(p->net, address, &io, e);
    }
    if (rc != 0) {
        p->view.phase = PAIRING_NONE;
        pair_code_wipe(&p->code);
    }
    return rc;
}

/* The keys of the words, their certificate in place of this device's, and what follows from them. */
static int words_ready(struct pairing *p, const uint8_t secret[RECOVERY_BYTES], struct err *e)
{
    p->view.words = true;
    device_keys_derive(&p->words, secret);
    pair_code_words(p->words.sign.pk, &p->code);
    pair_knock_words(p->words.sign.pk, p->knock);
    buf_clear(&p->cert);
    return words_cert(p->n, &p->words, &p->cert, e);
}

int pairing_recover(struct pairing *p, const uint8_t secret[RECOVERY_BYTES], const char *address,
                    struct err *e)
{
    const struct pairing_io io = {.on = on_message, .ctx = p, .knock = p->knock};
    int rc = begin(p, false, e);
    if (rc != 0) {
        return rc; /* a pairing that is under way goes on */
    }
    rc = may_join(p, e);
    if (rc == 0) {
        rc = words_ready(p, secret, e);
    }
    if (rc == 0) {
        p->view.phase = PAIRING_CONNECTING;
        p->deadline_ms = now_ms(p) + FIND_MEMBER_MS;
        address_keep(p, address);
        rc = net_pair_join(p->net, address, &io, e);
    }
    if (rc != 0) {
        p->view.phase = PAIRING_NONE;
        all_end(p);
    }
    return rc;
}

int pairing_answer(struct pairing *p, bool yes, struct err *e)
{
    struct buf out;
    if (p->view.phase != PAIRING_ASKING || p->view.own_yes) {
        return err_set(e, ERR_USAGE, "there is nothing to answer");
    }
    buf_init(&out, PAIR_MESSAGE_BYTES);
    int rc = pair_answer(&p->pair, yes, &out, e);
    if (rc == 0) {
        rc = net_pair_send(p->net, buf_view(&out), e);
    }
    buf_release(&out);
    if (rc != 0) {
        return rc;
    }
    if (!yes) {
        fail(p, ERR_CANCELLED, "you said no; nothing was changed", "");
        return 0;
    }
    answered(p);
    return 0;
}

void pairing_cancel(struct pairing *p)
{
    if (!busy(p)) {
        return;
    }
    joiner_undo(p);
    if (p->view.host && p->view.phase == PAIRING_JOINING) {
        fail(p, ERR_CANCELLED, "pairing was ended here before the other device had finished joining",
             joined_hint);
    } else {
        fail(p, ERR_CANCELLED, "pairing was ended here; nothing was changed", "");
    }
    all_end(p);
}

/* When it ends because nobody looks at it any more; TIME_NONE: somebody need not. */
static int64_t abandoned_at(const struct pairing *p)
{
    bool unattended = p->view.phase == PAIRING_JOINING || p->view.own_yes || p->looked_ms == TIME_NONE;
    return unattended ? TIME_NONE : p->looked_ms + PAIRING_ABANDONED_MS;
}

static void abandon(struct pairing *p)
{
    fail(p, ERR_CANCELLED, "the command that began this pairing is gone; nothing was changed",
         "pair again with a new code");
}

static void overdue(struct pairing *p)
{
    joiner_undo(p);
    if (p->view.phase == PAIRING_WAITING) {
        fail(p, ERR_CANCELLED, "the code has expired: nobody came in ten minutes",
             "show a new one: selfsame pair");
    } else if (p->view.phase == PAIRING_CONNECTING) {
        joiner_lost(p);
    } else if (p->view.phase == PAIRING_ASKING) {
        fail(p, ERR_CANCELLED, "nobody said yes in five minutes", "pair again with a new code");
    } else {
        fail(p, ERR_IO, "the other device no longer answers", "pair again with a new code");
    }
}

static int64_t closing(struct pairing *p)
{
    if (now_ms(p) < p->closing_ms) {
        return p->closing_ms;
    }
    p->closing_ms = 0;
    all_end(p);
    return now_ms(p); /* the network has a connection to close, and nothing else may wake it */
}

int64_t pairing_step(struct pairing *p)
{
    if (p->hand_over) {
        joiner_take_in(p);
    }
    if (busy(p) && p->deadline_ms != TIME_NONE && now_ms(p) >= p->deadline_ms) {
        overdue(p);
    }
    int64_t gone = abandoned_at(p);
    if (busy(p) && gone != TIME_NONE && now_ms(p) >= gone) {
        abandon(p);
    }
    if (busy(p)) {
        return gone == TIME_NONE || (p->deadline_ms != TIME_NONE && p->deadline_ms < gone) ? p->deadline_ms
                                                                                           : gone;
    }
    return p->closing_ms != 0 ? closing(p) : TIME_NONE;
}
