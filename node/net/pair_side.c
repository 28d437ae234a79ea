/* The connection of a pairing (node/net/net.h). */
#include "node/net/net_int.h"

#include "base/time.h"

#include <stdio.h>
#include <string.h>

/* A part of the records of a membership, sealed; identity's messages are smaller. */
#define PAIR_OUT_MAX STREAM_MESSAGE_MAX

static struct pair_side *side_of(struct net *t, const struct conn *c)
{
    return c->recovering ? &t->recovery : &t->pair;
}

/* What the dialer's first message begins with. */
static struct bytes knock_make(struct net *t, struct bytes message, uint8_t room[1 + BEACON_BYTES])
{
    const uint8_t *secret = t->pair.io.knock;
    room[0] = secret != NULL ? 'R' : 'P';
    if (secret == NULL) {
        return bytes_of(room, 1);
    }
    beacon_make(secret, clock_wall_ms(&t->n->clock), &t->n->rng, message, room + 1);
    return bytes_of(room, 1 + BEACON_BYTES);
}

static void pair_queue(struct net *t, struct conn *c, struct bytes message)
{
    uint8_t room[1 + BEACON_BYTES];
    struct bytes first = c->dialed && c->n_out == 0 ? knock_make(t, message, room) : BYTES_NONE;
    if (message.n > 0 && message.n + first.n <= STREAM_MESSAGE_MAX &&
        stream_send(c->stream, first, message) == 0) {
        c->n_out++;
    }
    stream_push(c->stream);
}

/* Calls back, sends what that appended, closes when it says so. */
static void pair_call(struct net *t, struct conn *c, struct bytes message)
{
    struct buf out;
    buf_init(&out, PAIR_OUT_MAX);
    struct pair_side *side = side_of(t, c);
    int rc = side->io.on(side->io.ctx, message, &out);
    if (out.err == 0) {
        pair_queue(t, c, buf_view(&out));
    }
    if (rc != 0 || out.err != 0) {
        conn_close(t, c);
    }
    buf_release(&out);
}

bool pair_may_answer(const struct net *t)
{
    return t->pair.on && t->pair.host && t->pair.conn == NULL;
}

bool recovery_may_answer(struct net *t, struct bytes knocked, struct bytes *hello)
{
    uint8_t secret[KEY_BYTES];
    bool right = false;
    const struct group *g = t->n->group;
    *hello = bytes_slice(knocked, BEACON_BYTES, knocked.n);
    if (!t->recovery.on || t->recovery.conn != NULL || hello->n != PAIR_HELLO_BYTES ||
        !group_is_active(g, &t->n->home.device)) {
        return false;
    }
    for (size_t i = 0; i < group_members(g) && !right; i++) {
        const struct member *m = group_member_at(g, i);
        if (m->words) {
            pair_knock_words(m->cert.sign_pk, secret);
            right = beacon_check(secret, clock_wall_ms(&t->n->clock), *hello, knocked.p);
            t->recovery_words = m->device;
        }
    }
    mem_wipe(secret, sizeof(secret));
    return right;
}

void pair_forget(struct net *t, const struct conn *c)
{
    struct pair_side *side = side_of(t, c);
    if (side->conn == c) {
        side->conn = NULL;
    }
}

/* Both ends: from now on it is the pairing's connection. */
static bool pair_begin(struct net *t, struct conn *c)
{
    struct pair_side *side = side_of(t, c);
    if (!side->on || side->conn != NULL) {
        conn_close(t, c);
        return false;
    }
    stream_limit(c->stream, STREAM_MESSAGE_MAX);
    side->conn = c;
    c->since_ms = net_now(t);
    c->deadline_ms = c->since_ms + PAIR_START_MS;
    return true;
}

void pair_took(struct net *t, struct conn *c)
{
    (void)pair_begin(t, c);
}

void pair_connected(struct net *t, struct conn *c)
{
    static const uint8_t nothing;
    if (pair_begin(t, c)) {
        pair_call(t, c, bytes_of(&nothing, 0));
    }
}

void pair_message(struct net *t, struct conn *c, struct bytes message)
{
    if (side_of(t, c)->conn != c) {
        return;
    }
    side_of(t, c)->answered = true;
    if (c->dialed) {
        (void)snprintf(t->host_met, sizeof(t->host_met), "%s", c->host);
        t->port_met = c->port;
    }
    if (c->n_in >= PAIR_START_MESSAGES || (c->dialed && c->n_in + 1 >= PAIR_START_MESSAGES)) {
        c->deadline_ms = c->since_ms + (int64_t)PAIR_CODE_MS;
    }
    pair_call(t, c, message);
}

void pair_lost(struct net *t, struct conn *c)
{
    struct buf out;
    struct pair_side *side = side_of(t, c);
    bool its = side->conn == c || (side->on && c->kind == CONN_DIALING);
    if (!its || !side->on) {
        return;
    }
    side->conn = NULL;
    (void)snprintf(side->reason, sizeof(side->reason), "%s", stream_reason(c->stream));
    if (!side->host && !side->given && !side->answered) {
        return; /* the next host that is heard */
    }
    buf_init(&out, PAIR_OUT_MAX);
    (void)side->io.on(side->io.ctx, BYTES_NONE, &out);
    buf_release(&out);
}

/* Whether a connection of the joiner is being made or is up. */
static bool pair_dialing(const struct net *t)
{
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        if (t->conns[i].kind == CONN_DIALING && t->conns[i].for_pairing) {
            return true;
        }
    }
    return t->pair.conn != NULL;
}

/* The row of a host that was tried before, or one for a host that was not: a free one, else the oldest. */
static size_t tried_row(const struct net *t, const struct beacon *b)
{
    size_t oldest = 0;
    for (size_t i = 0; i < PAIR_HOSTS_MAX; i++) {
        const struct beacon *x = &t->pair.tried[i];
        if (memcmp(x->tag, b->tag, BEACON_BYTES) == 0 && addr_eq(&x->from, &b->from)) {
            return i;
        }
        oldest = t->pair.tried_ms[i] < t->pair.tried_ms[oldest] ? i : oldest;
    }
    return oldest;
}

void pair_heard(struct net *t, const struct beacon *b)
{
    char text[ADDR_TEXT];
    char host[ADDR_HOST_BYTES];
    uint16_t port = 0;
    bool by_words = t->pair.io.knock != NULL; /* any device may be one of the group: the handshake tells */
    if (!t->pair.on || t->pair.host || t->pair.given || by_words != (b->kind == BEACON_MEMBER)) {
        return;
    }
    int64_t now = net_now(t);
    size_t row = tried_row(t, b);
    bool same = addr_eq(&t->pair.tried[row].from, &b->from);
    if (t->pair.answered || pair_dialing(t) || (same && now < t->pair.tried_ms[row] + PAIR_AGAIN_MS)) {
        return;
    }
    t->pair.tried[row] = *b;
    t->pair.tried_ms[row] = now;
    addr_text(&b->from, text);
    if (addr_split(text, host, &port, NULL) == 0) {
        (void)conn_dial(t, host, port, NULL, NULL);
    }
}

/* ---- the contract -----------------------------------------------------------------------------------------
 */

static int pair_start(struct net *t, bool host, const struct pairing_io *io, struct err *e)
{
    if (t->pair.on) {
        return err_set(e, ERR_INUSE, "a pairing is under way");
    }
    t->pair = (struct pair_side){.on = true, .host = host, .io = *io};
    return 0;
}

int net_pair_host(struct net *t, const struct pairing_io *io, struct err *e)
{
    int rc = pair_start(t, true, io, e);
    if (rc == 0 && t->discover != NULL) {
        discover_pairing(t->discover, true);
    }
    return rc;
}

int net_pair_join(struct net *t, const char *address, const struct pairing_io *io, struct err *e)
{
    char host[ADDR_HOST_BYTES];
    uint16_t port = 0;
    if (address == NULL && t->discover == NULL) {
        (void)err_set(e, ERR_NOTFOUND, "discovery is off, so the other device cannot be looked for");
        err_hint(e, "give its address: selfsame %s --address HOST:PORT",
                 io->knock != NULL ? "recover" : "pair CODE");
        return ERR_NOTFOUND;
    }
    int rc = address != NULL ? addr_split(address, host, &port, e) : 0;
    if (rc == 0) {
        rc = pair_start(t, false, io, e);
    }
    if (rc == 0 && address != NULL) {
        t->pair.given = true;
        if (!conn_dial(t, host, port, NULL, NULL)) {
            t->pair.on = false;
            rc = err_set(e, ERR_NOMEM, "connecting to '%.80s'", address);
        }
    }
    return rc;
}

int net_pair_send(struct net *t, struct bytes message, struct err *e)
{
    struct conn *c = t->pair.conn;
    if (!t->pair.on || c == NULL) {
        return err_set(e, ERR_NOTFOUND, "the other device is not connected");
    }
    unsigned before = c->n_out;
    pair_queue(t, c, message);
    return c->n_out > before ? 0 : err_set(e, ERR_LIMIT, "the other device takes nothing");
}

void net_pair_stop(struct net *t)
{
    bool was_host = t->pair.on && t->pair.host;
    t->pair.on = false;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct conn *c = &t->conns[i];
        if ((c->kind == CONN_PAIRING && !c->recovering) || (c->kind == CONN_DIALING && c->for_pairing)) {
            conn_close(t, c);
        }
    }
    if (was_host && t->discover != NULL) {
        discover_pairing(t->discover, false);
    }
}

void net_recovery(struct net *t, const struct pairing_io *io)
{
    if (t->recovery.conn != NULL) {
        conn_close(t, t->recovery.conn);
    }
    t->recovery = (struct pair_side){.on = io != NULL, .host = true};
    if (io != NULL) {
        t->recovery.io = *io;
    }
}

const struct id *net_recovery_words(const struct net *t)
{
    return &t->recovery_words;
}

const char *net_pair_reason(const struct net *t)
{
    return t->pair.reason;
}
