/* One connection, from the first byte to the last. */
#include "node/net/net_int.h"

#include "base/check.h"
#include "base/time.h"
#include "crypto/label.h"

#include <stdio.h>
#include <string.h>

static bool is_stranger(const struct conn *c)
{
    return !c->dialed && (c->kind == CONN_WAITING || (c->kind == CONN_SESSION && !c->proved));
}

static void knock_make(const uint8_t *secret, const uint8_t head[KNOCK_HEAD_BYTES], uint8_t out[KNOCK_BYTES])
{
    uint8_t key[KEY_BYTES];
    key_derive(secret, LABEL_KNOCK, bytes_of(head, KNOCK_HEAD_BYTES), key);
    memcpy(out, key, KNOCK_BYTES);
    mem_wipe(key, sizeof(key));
}

/* ---- rows -------------------------------------------------------------------------------------------------
 */

static struct conn *row_free(struct net *t)
{
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        if (t->conns[i].kind == CONN_FREE) {
            return &t->conns[i];
        }
    }
    return NULL;
}

void conn_free(struct net *t, struct conn *c)
{
    session_free(c->session);
    stream_free(c->stream);
    pair_forget(t, c);
    *c = (struct conn){.kind = CONN_FREE};
}

static bool goes_before(const struct conn *a, const struct conn *b)
{
    return b == NULL || (a->over != b->over ? a->over : a->serial < b->serial);
}

/* The row that a newcomer replaces (net.h), or NULL. */
static struct conn *row_to_clear(struct net *t, const struct addr *from)
{
    struct conn *own = NULL;
    struct conn *any = NULL;
    size_t n_own = 0;
    size_t n_any = 0;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct conn *c = &t->conns[i];
        if (!is_stranger(c)) {
            continue;
        }
        bool same = addr_same_ip(stream_remote(c->stream), from);
        n_any++;
        n_own += same ? 1 : 0;
        own = same && goes_before(c, own) ? c : own;
        any = goes_before(c, any) ? c : any;
    }
    if (n_own >= NET_STRANGERS_EACH) {
        return own;
    }
    return n_any >= NET_STRANGERS_MAX || row_free(t) == NULL ? any : NULL;
}

void conn_accept(struct net *t, struct stream *s)
{
    struct bytes none;
    int64_t now = net_now(t);
    bool over = strangers_over(&t->strangers, stream_remote(s), now);
    struct conn *old = row_to_clear(t, stream_remote(s));
    if (old != NULL) {
        conn_free(t, old);
    }
    struct conn *c = row_free(t);
    if (c == NULL) {
        stream_free(s);
        return;
    }
    stream_limit(s, FIRST_MESSAGE_MAX);
    *c = (struct conn){.kind = CONN_WAITING, .stream = s, .over = over, .since_ms = now};
    c->serial = ++t->serial;
    c->deadline_ms = now + (over ? HURRIED_MS : SYNC_HANDSHAKE_MS);
    (void)stream_message(s, &none); /* starts reading */
}

bool conn_dial(struct net *t, const char *host, uint16_t port, const struct id *whom,
               struct dial_target *target)
{
    struct conn *c = row_free(t);
    struct stream *s = c != NULL ? stream_dial(t->streams, host, port, DIAL_TIMEOUT_MS) : NULL;
    if (s == NULL) {
        return false;
    }
    *c = (struct conn){.kind = CONN_DIALING, .dialed = true, .stream = s, .target = target};
    c->for_pairing = whom == NULL;
    (void)snprintf(c->host, sizeof(c->host), "%s", host);
    c->port = port;
    c->peer = whom != NULL ? *whom : ID_NONE;
    c->since_ms = net_now(t);
    c->deadline_ms = TIME_NONE;
    return true;
}

/* ---- endings ----------------------------------------------------------------------------------------------
 */

/* Tells the dialer how a connection for a session ended; once for each. */
static void account(struct net *t, struct conn *c)
{
    int64_t now = net_now(t);
    struct dial_target *target = c->target;
    bool proved = c->proved;
    c->target = NULL;
    c->proved = false;
    if (proved) {
        dial_ended(&t->dial, target, &c->peer, now - c->met_ms, now);
    } else if (target != NULL && c->kind == CONN_DIALING) {
        dial_unreachable(&t->dial, target, now);
    } else if (target != NULL) {
        c->peer = ID_NONE; /* missing again */
        net_missing(t);
        const struct dial_missing m = {t->missing, t->n_missing};
        dial_wrong(&t->dial, target, &m, now);
    }
}

void conn_close(struct net *t, struct conn *c)
{
    if (c->kind == CONN_FREE || c->kind == CONN_CLOSING) {
        return;
    }
    account(t, c);
    session_free(c->session);
    c->session = NULL;
    pair_forget(t, c);
    c->kind = CONN_CLOSING;
    c->deadline_ms = net_now(t) + CLOSING_MS;
    stream_push(c->stream);
}

/* The other side closed, or was never there. */
static void conn_lost(struct net *t, struct conn *c)
{
    bool pairing = c->kind == CONN_PAIRING || (c->kind == CONN_DIALING && c->for_pairing);
    if (c->proved) {
        log_line(&t->n->log, LOG_INFO, "net", "connection ended: %s", stream_reason(c->stream));
    }
    account(t, c);
    if (pairing) {
        pair_lost(t, c);
    }
    conn_free(t, c);
}

/* ---- sessions ---------------------------------------------------------------------------------------------
 */

/* The first message of a session we dialed goes out as two: the knock with its head, and the rest. */
static int send_knocking(struct net *t, struct conn *c, struct bytes message)
{
    const uint8_t *secret = net_secret(t);
    uint8_t knock[1 + KNOCK_BYTES] = {'S'};
    CHECK(secret != NULL && message.n > KNOCK_HEAD_BYTES);
    knock_make(secret, message.p, knock + 1);
    int rc =
        stream_send(c->stream, bytes_of(knock, sizeof(knock)), bytes_slice(message, 0, KNOCK_HEAD_BYTES));
    return rc != 0 ? rc
                   : stream_send(c->stream, bytes_slice(message, KNOCK_HEAD_BYTES, message.n), BYTES_NONE);
}

/* Queues what the session has to say, up to a bound. */
static void session_pump(struct net *t, struct conn *c)
{
    while (c->session != NULL && stream_waiting(c->stream) < QUEUE_BYTES) {
        buf_clear(&t->out);
        if (!session_output(c->session, &t->out)) {
            break;
        }
        struct bytes message = buf_view(&t->out);
        bool first = c->dialed && c->n_out == 0;
        int rc = t->out.err != 0 ? t->out.err
                 : first         ? send_knocking(t, c, message)
                                 : stream_send(c->stream, message, BYTES_NONE);
        if (rc != 0) {
            conn_close(t, c);
            return;
        }
        c->n_out++;
    }
    stream_push(c->stream);
}

/* The session is over: what it still says is sent. */
static void session_over(struct net *t, struct conn *c)
{
    session_pump(t, c);
    conn_close(t, c);
}

void conn_goodbye(struct net *t, struct conn *c)
{
    if (c->kind == CONN_SESSION) {
        session_end(c->session);
        session_over(t, c);
    }
}

/* Two connections with one peer are the protocol's to judge (crossed dials, an old run, a clone). */
static void met(struct net *t, struct conn *c)
{
    const struct member *m = group_find(t->n->group, &c->peer);
    c->proved = true;
    c->met_ms = net_now(t);
    c->deadline_ms = TIME_NONE;
    strangers_forgive(&t->strangers, stream_remote(c->stream));
    if (c->target != NULL) {
        dial_met(c->target, &c->peer);
        net_remember(t, &c->peer, c->host, c->port);
    }
    log_line(&t->n->log, LOG_INFO, "net", "connected with %s", m != NULL ? m->name : "another device");
}

static void session_message(struct net *t, struct conn *c, struct bytes message)
{
    struct err e = ERR_INIT;
    struct id peer;
    int rc = session_input(c->session, message, &e);
    if (rc != 0) {
        log_line(&t->n->log, c->proved ? LOG_WARN : LOG_DEBUG, "net", "%s", e.text);
        session_over(t, c);
        return;
    }
    /* A first message (knock and all) can be a replay; what answers ours cannot. */
    if (!c->proved && session_peer(c->session, &peer) && (c->dialed || c->n_in >= 3)) {
        c->peer = peer;
        met(t, c);
    }
}

static void session_start(struct net *t, struct conn *c)
{
    if (net_secret(t) == NULL) {
        conn_close(t, c);
        return;
    }
    stream_limit(c->stream, STREAM_MESSAGE_MAX);
    c->kind = CONN_SESSION; /* from now on a failure is a wrong guess, not an address without anybody */
    c->session = session_connect(t->n->sync, &c->peer);
    c->deadline_ms = net_now(t) + SYNC_HANDSHAKE_MS;
    if (c->session == NULL) {
        conn_close(t, c);
    }
}

/* ---- first messages ---------------------------------------------------------------------------------------
 */

static void member_knocks(struct net *t, struct conn *c, struct bytes rest)
{
    uint8_t knock[KNOCK_BYTES];
    const uint8_t *secret = net_secret(t);
    if (secret == NULL || rest.n != KNOCK_BYTES + KNOCK_HEAD_BYTES) {
        conn_close(t, c);
        return;
    }
    knock_make(secret, rest.p + KNOCK_BYTES, knock);
    if (!secret_eq(knock, rest.p, KNOCK_BYTES)) {
        conn_close(t, c);
        return;
    }
    stream_limit(c->stream, STREAM_MESSAGE_MAX);
    c->knocked = true;
    memcpy(c->head, rest.p + KNOCK_BYTES, KNOCK_HEAD_BYTES);
}

/* The rest of the session's first message. */
static void member_enters(struct net *t, struct conn *c, struct bytes rest)
{
    struct buf message;
    buf_init(&message, STREAM_MESSAGE_MAX);
    (void)buf_append(&message, c->head, KNOCK_HEAD_BYTES);
    (void)buf_bytes(&message, rest);
    c->session = message.err == 0 ? session_accept(t->n->sync) : NULL;
    if (c->session != NULL) {
        c->kind = CONN_SESSION;
        session_message(t, c, buf_view(&message));
    } else {
        conn_close(t, c);
    }
    buf_release(&message);
}

static void pairing_begins(struct net *t, struct conn *c, struct bytes hello)
{
    c->kind = CONN_PAIRING;
    pair_took(t, c);
    pair_message(t, c, hello);
}

static void first_message(struct net *t, struct conn *c, struct bytes message)
{
    struct bytes hello;
    struct bytes rest = bytes_slice(message, 1, message.n);
    if (c->knocked) {
        member_enters(t, c, message);
    } else if (message.p[0] == 'S') {
        member_knocks(t, c, rest);
    } else if (message.p[0] == 'P' && rest.n > 0 && !c->over && pair_may_answer(t)) {
        pairing_begins(t, c, rest);
    } else if (message.p[0] == 'R' && !c->over && recovery_may_answer(t, rest, &hello)) {
        c->recovering = true;
        pairing_begins(t, c, hello);
    } else {
        conn_close(t, c);
    }
}

/* ---- stepping ---------------------------------------------------------------------------------------------
 */

static void conn_opened(struct net *t, struct conn *c)
{
    if (c->for_pairing) {
        c->kind = CONN_PAIRING;
        pair_connected(t, c);
    } else {
        session_start(t, c);
    }
}

static void messages_take(struct net *t, struct conn *c)
{
    struct bytes message;
    for (int i = 0; i < MESSAGES_A_STEP; i++) {
        bool talking = c->kind == CONN_WAITING || c->kind == CONN_SESSION || c->kind == CONN_PAIRING;
        if (!talking || !stream_message(c->stream, &message)) {
            return;
        }
        c->n_in++;
        if (c->kind == CONN_WAITING) {
            first_message(t, c, message);
        } else if (c->kind == CONN_SESSION) {
            session_message(t, c, message);
        } else {
            pair_message(t, c, message);
        }
    }
    t->again = true;
}

/* The times that are up. */
static void conn_overdue(struct net *t, struct conn *c, int64_t now)
{
    struct err e = ERR_INIT;
    if (c->deadline_ms != TIME_NONE && c->deadline_ms <= now) {
        bool pairing = c->kind == CONN_PAIRING;
        if (pairing) {
            account(t, c);
            pair_lost(t, c);
        }
        if (c->kind == CONN_CLOSING || c->kind == CONN_WAITING || pairing) {
            conn_free(t, c);
        } else {
            conn_close(t, c);
        }
        return;
    }
    int64_t due = c->kind == CONN_SESSION ? session_deadline(c->session) : TIME_NONE;
    if (due != TIME_NONE && due <= now && session_tick(c->session, &e) != 0) {
        log_line(&t->n->log, c->proved ? LOG_INFO : LOG_DEBUG, "net", "%s", e.text);
        session_over(t, c);
    }
}

void conn_step(struct net *t, struct conn *c)
{
    enum stream_state s = stream_step(c->stream);
    if (c->kind == CONN_DIALING && s == STREAM_OPEN) {
        conn_opened(t, c);
    }
    messages_take(t, c);
    s = stream_step(c->stream);
    if (s == STREAM_DEAD || (c->kind == CONN_CLOSING && stream_waiting(c->stream) == 0)) {
        conn_lost(t, c);
    } else {
        conn_overdue(t, c, net_now(t));
    }
}

void conn_pump(struct net *t, struct conn *c)
{
    if (c->kind == CONN_SESSION) {
        session_pump(t, c);
    }
}

int64_t conn_deadline(const struct conn *c)
{
    int64_t due = c->kind == CONN_SESSION ? session_deadline(c->session) : TIME_NONE;
    return due == TIME_NONE || (c->deadline_ms != TIME_NONE && c->deadline_ms < due) ? c->deadline_ms : due;
}
