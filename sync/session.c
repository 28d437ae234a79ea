/* Life of a session: the handshake with HELLO inside, deadlines, the end.
 *
 *   CALL → CALLED → OPEN        the side that connects
 *   LISTEN → REPLY → OPEN       the side that accepts; LISTEN → DEAD, silently, for a stranger
 *   OPEN → ENDING → DEAD        ENDING: a BYE is to be sent
 *
 * The first message of a handshake could be an old one, sent again by somebody else. So the side that accepts
 * takes what HELLO says for true (*confirmed*) only when the next message has opened, which needs the keys of
 * this handshake.
 */
#include "sync/sync_int.h"

#include "base/check.h"
#include "sync/group_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- making and freeing */

static struct session *session_new(struct sync *y, enum session_state state)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->y = y;
    s->state = state;
    s->initiator = state == SESSION_CALL;
    s->started_ms = s->heard_ms = sync_now(y);
    s->plan_ms = s->pinged_ms = TIME_NONE;
    buf_init(&s->inbox, SYNC_INBOX_BYTES + SYNC_PLAIN_MAX + 16);
    s->next = y->sessions;
    y->sessions = s;
    return s;
}

static void start_noise(struct session *s, const uint8_t *remote)
{
    struct buf prologue;
    struct id group;
    buf_init(&prologue, sizeof SYNC_PROLOGUE + ID_BYTES);
    group_id(s->y->env.group, &group);
    wr_bytes(&prologue, BYTES_LIT(SYNC_PROLOGUE));
    wr_bytes(&prologue, bytes_of(group.b, ID_BYTES));
    noise_init(&s->handshake, &(struct noise_setup){.protocol = &noise_ik,
                                                    .initiator = s->initiator,
                                                    .prologue = buf_view(&prologue),
                                                    .own = &s->y->env.keys->noise,
                                                    .remote = remote});
    buf_release(&prologue);
}

struct session *session_connect(struct sync *y, const struct id *peer)
{
    const struct member *m = group_find(y->env.group, peer);
    if (!m || !group_is_active(y->env.group, peer) || group_self(y->env.group) == NOWHERE)
        return NULL;
    struct session *s = session_new(y, SESSION_CALL);
    if (!s)
        return NULL;
    s->peer = *peer;
    s->has_peer = true;
    start_noise(s, m->cert.noise_pk);
    return s;
}

struct session *session_accept(struct sync *y)
{
    struct session *s = session_new(y, SESSION_LISTEN);
    if (s)
        start_noise(s, NULL);
    return s;
}

static void leave(struct session *s)
{
    struct peer *p = s->confirmed ? peers_get(s->y, &s->peer, false) : NULL;
    if (p)
        peers_save_quietly(s->y, p);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    leave(s);
    struct session **at = &s->y->sessions;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    noise_wipe(&s->handshake);
    noise_session_wipe(&s->noise);
    buf_release(&s->inbox);
    free(s->logs);
    free(s->known);
    free(s->queue);
    free(s);
}

/* ---- the end */

int session_fail(struct session *s, uint8_t bye, int rc, const char *why)
{
    if (s->state == SESSION_ENDING || s->state == SESSION_DEAD)
        return rc;
    s->bye = bye;
    err_set(&s->why, rc, "%s", why);
    if (s->state == SESSION_REPLY)
        s->refuse = true;
    else
        s->state = s->state == SESSION_OPEN ? SESSION_ENDING : SESSION_DEAD;
    return rc;
}

static int die(struct session *s, int rc, const char *why)
{
    if (s->state != SESSION_DEAD && s->why.code == 0)
        err_set(&s->why, rc, "%s", why);
    s->state = SESSION_DEAD;
    buf_clear(&s->inbox);
    return rc;
}

static int is_dead(const struct session *s, struct err *e)
{
    if (s->state != SESSION_ENDING && s->state != SESSION_DEAD)
        return 0;
    if (e)
        *e = s->why;
    return s->why.code;
}

void session_end(struct session *s)
{
    session_fail(s, BYE_DONE, ERR_CANCELLED, "the session was ended");
}

bool session_peer(const struct session *s, struct id *device)
{
    if (!s->has_peer || s->state < SESSION_OPEN)
        return false;
    *device = s->peer;
    return true;
}

/* ---- the peer is there */

static bool started_by_lower(const struct session *s)
{
    const struct id *initiator = s->initiator ? &s->y->device : &s->peer;
    const struct id *other = s->initiator ? &s->peer : &s->y->device;
    return id_cmp(initiator, other) < 0;
}

static void meet_other(struct session *s, struct session *o)
{
    if (memcmp(s->run, o->run, SYNC_RUN_BYTES) != 0) {
        o->suspect = o->ping_due = true; /* an old run that is gone, or a clone: who answers lives */
        return;
    }
    bool keep = s->initiator == o->initiator || started_by_lower(s);
    session_fail(keep ? o : s, BYE_DUPLICATE, ERR_CANCELLED, "another session with this peer goes on");
}

static int note_peer(struct session *s, struct err *e)
{
    struct peer *p = peers_get(s->y, &s->peer, true);
    int rc = p ? 0 : err_set(e, ERR_NOMEM, "noting a peer");
    if (p) { /* its HELLO named all that it holds: what is not among it went with an old database */
        p->n = 0;
        p->dirty = true;
    }
    for (size_t i = 0; rc == 0 && i < s->n_logs; i++) {
        if (s->logs[i].theirs > 0)
            rc = peers_note(s, &s->logs[i], e);
    }
    if (rc)
        return rc;
    p->last_seen_ms = clock_wall_ms(s->y->env.clock);
    p->clock_offset_ms = s->offset_ms;
    p->unanswered = false;
    return 0;
}

int session_confirm(struct session *s, struct err *e)
{
    s->confirmed = true;
    if (s->farewell)
        return 0;
    int rc = note_peer(s, e);
    for (struct session *o = s->y->sessions; rc == 0 && o && s->state == SESSION_OPEN; o = o->next) {
        if (o != s && o->confirmed && o->state == SESSION_OPEN && id_eq(&o->peer, &s->peer))
            meet_other(s, o);
    }
    return rc;
}

/* The peer knows the newest epoch when it has all records that we have. */
static void note_seen(struct session *s)
{
    struct peer *p = s->farewell || s->dismissed ? NULL : peers_get(s->y, &s->peer, false);
    struct epoch_ref ref;
    const uint8_t *key;
    if (!p)
        return;
    p->last_seen_ms = clock_wall_ms(s->y->env.clock);
    p->dirty = true;
    if (s->answered && s->settled && s->at_queue == s->n_queue && !s->end_due &&
        group_epoch(s->y->env.group, &ref, &key, NULL) == 0)
        p->epoch = ref.id;
}

/* ---- handshake, in */

/* Who it is by its static key: a member, one that was removed, or a machine with our own key. */
static bool identify(struct session *s)
{
    const struct group *g = s->y->env.group;
    const uint8_t *pk = noise_remote(&s->handshake);
    for (size_t i = 0; pk && i < group_members(g); i++) {
        const struct member *m = group_member_at(g, i);
        if (memcmp(m->cert.noise_pk, pk, KEY_BYTES) != 0)
            continue;
        s->peer = m->device;
        s->has_peer = true;
        s->farewell = !group_is_active(g, &m->device);
        return true;
    }
    return false;
}

static bool identify_member(struct session *s)
{
    return group_self(s->y->env.group) != NOWHERE && identify(s);
}

/* A session with our own key: with ourselves, or with another machine. */
static int meet_self(struct session *s, const struct msg *m)
{
    bool ourselves = memcmp(m->run, s->y->run, SYNC_RUN_BYTES) == 0;
    if (ourselves)
        return session_fail(s, BYE_DONE, ERR_CANCELLED, "connected to itself");
    sync_fault(s->y, IDENTITY_CLONED);
    return session_fail(s, BYE_CLONED, ERR_ATTENTION, "another machine uses the key of this device");
}

static int on_call(struct session *s, struct bytes payload, struct err *e)
{
    struct msg m;
    int rc = msg_decode(payload, &m, e);
    if (rc || m.kind != MSG_HELLO)
        return die(s, ERR_VERIFY, "a call without a hello");
    bool known = identify_member(s);
    /* One that was removed may know of a removal that makes its own void, and the caller one that makes ours
     * void. */
    if ((!known || s->farewell) && m.intro.n > 0)
        known = (exchange_introduced(s, m.intro, e) == 0 || known) && identify_member(s);
    if (!known)
        return die(s, ERR_VERIFY, "a stranger called");
    s->state = SESSION_REPLY;
    if (id_eq(&s->peer, &s->y->device)) {
        (void)meet_self(s, &m);
        return 0; /* the answer says so */
    }
    rc = session_hello(s, &m, e);
    if (rc)
        session_fail(s,
                     rc == ERR_VERSION     ? BYE_VERSION
                     : sync_is_storage(rc) ? BYE_STORAGE
                                           : BYE_PROTOCOL,
                     rc, e ? e->text : err_text(rc));
    return 0;
}

static int on_answer(struct session *s, struct bytes payload, struct err *e)
{
    struct msg m = {.kind = 0};
    s->state = SESSION_OPEN;
    s->confirmed = true;
    if (payload.n == 0) {
        s->dismissed = true;
        return 0;
    }
    int rc = msg_decode(payload, &m, e);
    if (rc == 0 && m.kind == MSG_BYE)
        return session_message(s, payload, e);
    if (rc == 0 && m.kind != MSG_HELLO)
        rc = err_set(e, ERR_FORMAT, "an answer without a hello");
    if (rc == 0 && id_eq(&s->peer, &s->y->device))
        return meet_self(s, &m);
    rc = rc ? rc : session_hello(s, &m, e);
    s->greet = true;
    return rc ? rc : session_confirm(s, e);
}

static int on_handshake(struct session *s, struct bytes message, struct err *e)
{
    struct buf payload;
    buf_init(&payload, SYNC_MESSAGE_MAX);
    int rc = noise_read(&s->handshake, message, &payload);
    if (rc)
        rc = die(s, ERR_VERIFY, "the handshake failed");
    else if (!s->initiator)
        rc = on_call(s, buf_view(&payload), e);
    else if ((rc = noise_split(&s->handshake, &s->noise)) == 0)
        rc = on_answer(s, buf_view(&payload), e);
    buf_release(&payload);
    return rc;
}

/* ---- messages, in */

static int on_sealed(struct session *s, struct bytes message, struct err *e)
{
    struct buf plain;
    buf_init(&plain, SYNC_MESSAGE_MAX);
    int rc = noise_open(&s->noise, BYTES_NONE, message, &plain);
    if (rc) {
        buf_release(&plain);
        return die(s, ERR_VERIFY, "a message does not open");
    }
    s->heard_ms = sync_now(s->y);
    if (!s->confirmed)
        rc = session_confirm(s, e);
    note_seen(s);
    if (rc == 0 && s->state == SESSION_OPEN)
        rc = session_message(s, buf_view(&plain), e);
    buf_release(&plain);
    return rc;
}

/* What the other side gets to hear of an error. */
static int settle_error(struct session *s, int rc, struct err *e)
{
    if (rc == 0 || s->state == SESSION_DEAD || s->state == SESSION_ENDING)
        return rc;
    if (rc == ERR_CANCELLED)
        return die(s, rc, e->text);
    uint8_t bye = sync_is_storage(rc) ? BYE_STORAGE : rc == ERR_VERSION ? BYE_VERSION : BYE_PROTOCOL;
    return session_fail(s, bye, rc, e->text);
}

int session_input(struct session *s, struct bytes message, struct err *e)
{
    struct err own = ERR_INIT;
    int rc = is_dead(s, e);
    if (rc)
        return rc;
    if (message.n == 0 || message.n > SYNC_MESSAGE_MAX)
        rc = die(s, ERR_VERIFY, "a message of a size that cannot be");
    else if (s->state == SESSION_OPEN)
        rc = on_sealed(s, message, &own);
    else if (s->state == SESSION_LISTEN || s->state == SESSION_CALLED)
        rc = on_handshake(s, message, &own);
    else
        rc = die(s, ERR_VERIFY, "a message out of turn");
    (void)settle_error(s, rc, &own);
    return is_dead(s, e);
}

/* ---- out */

static bool write_handshake(struct session *s, struct bytes payload, struct buf *out)
{
    if (noise_write(&s->handshake, s->y->env.rng, payload, out) == 0)
        return true;
    (void)die(s, ERR_NOMEM, "the handshake cannot be written");
    return false;
}

static bool put_call(struct session *s, struct buf *out)
{
    struct err e = ERR_INIT;
    int rc = sync_seal(s->y, &e);
    rc = rc == ERR_ATTENTION ? 0 : rc;
    rc = rc ? rc : sync_refresh(s->y, &e);
    buf_clear(&s->y->plain);
    session_put_hello(s, &s->y->plain);
    if (rc || s->y->plain.err) {
        (void)die(s, rc ? rc : s->y->plain.err, rc ? e.text : "a hello cannot be written");
        return false;
    }
    s->state = SESSION_CALLED;
    return write_handshake(s, buf_view(&s->y->plain), out);
}

static bool put_reply(struct session *s, struct buf *out)
{
    struct buf *plain = &s->y->plain;
    buf_clear(plain);
    if (s->refuse)
        put_bye(plain, s->bye, BYTES_NONE);
    else if (!s->farewell)
        session_put_hello(s, plain);
    if (plain->err || !write_handshake(s, buf_view(plain), out) || noise_split(&s->handshake, &s->noise)) {
        (void)die(s, ERR_NOMEM, "the handshake cannot be written");
        return false;
    }
    s->state = s->refuse ? SESSION_DEAD : SESSION_OPEN;
    s->heard_ms = sync_now(s->y);
    return true;
}

static bool put_last(struct session *s, struct buf *out)
{
    s->state = SESSION_DEAD;
    buf_clear(&s->y->plain);
    put_bye(&s->y->plain, s->bye, BYTES_NONE);
    return noise_seal(&s->noise, BYTES_NONE, buf_view(&s->y->plain), out) == 0;
}

static bool put_next(struct session *s, struct buf *out)
{
    struct err e = ERR_INIT;
    struct buf *plain = &s->y->plain;
    int rc = s->farewell ? 0 : session_apply(s, &e);
    if (rc)
        (void)settle_error(s, rc, &e);
    buf_clear(plain);
    if (s->state == SESSION_OPEN && session_next(s, plain)) {
        if (!plain->err && noise_seal(&s->noise, BYTES_NONE, buf_view(plain), out) == 0)
            return true;
        (void)die(s, plain->err ? plain->err : ERR_LIMIT, "a message cannot be written");
    }
    return s->state == SESSION_ENDING && put_last(s, out);
}

bool session_output(struct session *s, struct buf *out)
{
    switch (s->state) {
    case SESSION_CALL:
        return put_call(s, out);
    case SESSION_REPLY:
        return put_reply(s, out);
    case SESSION_OPEN:
        return put_next(s, out);
    case SESSION_ENDING:
        return put_last(s, out);
    case SESSION_CALLED:
    case SESSION_LISTEN:
    case SESSION_DEAD:
        break;
    }
    return false;
}

bool session_idle(const struct session *s)
{
    if (s->state != SESSION_OPEN || !s->confirmed || !s->answered || !s->settled || s->inbox.n > 0 ||
        s->sent_bytes != s->acked_bytes || s->taken_bytes != s->told_bytes || s->at_queue < s->n_queue)
        return false;
    for (size_t i = 0; i < s->n_logs; i++) {
        const struct slog *l = &s->logs[i];
        const struct ylog *our = sync_log_const(s->y, &l->log);
        uint64_t seq = our ? our->seq : 0;
        if (!l->forked && !l->stalled && !l->refused && (l->theirs != seq || l->told != seq))
            return false;
    }
    return true;
}

/* ---- time */

static int64_t earlier(int64_t a, int64_t b)
{
    return a == TIME_NONE || (b != TIME_NONE && b < a) ? b : a;
}

int64_t session_deadline(const struct session *s)
{
    int64_t at = s->started_ms + SYNC_HANDSHAKE_MS;
    if (s->state == SESSION_ENDING || s->state == SESSION_DEAD || s->inbox.n > 0)
        return sync_now(s->y);
    if (s->state != SESSION_OPEN)
        return at;
    at = earlier(s->heard_ms + SYNC_SILENCE_MS, s->started_ms + SYNC_RENEW_MS);
    if (s->suspect && s->pinged_ms != TIME_NONE)
        at = earlier(at, s->pinged_ms + SYNC_HANDSHAKE_MS);
    else if (s->pinged_ms == TIME_NONE)
        at = earlier(at, s->heard_ms + SYNC_SILENCE_MS / 3);
    if (!s->confirmed)
        at = earlier(at, s->started_ms + SYNC_HANDSHAKE_MS);
    return earlier(earlier(at, s->plan_ms), s->y->save_ms);
}

static void tick_open(struct session *s, int64_t now)
{
    bool silent = now - s->heard_ms >= SYNC_SILENCE_MS;
    bool gone = s->suspect && s->pinged_ms != TIME_NONE && now - s->pinged_ms >= SYNC_HANDSHAKE_MS;
    if (!s->confirmed && now - s->started_ms >= SYNC_HANDSHAKE_MS)
        (void)die(s, ERR_CANCELLED, "the caller did not go on");
    else if (silent || gone)
        (void)session_fail(s, BYE_SILENT, ERR_CANCELLED, "the peer has gone silent");
    else if (now - s->started_ms >= SYNC_RENEW_MS || noise_left(&s->noise) < 1024)
        (void)session_fail(s, BYE_RENEW, ERR_CANCELLED, "time for a new handshake");
    else if (s->pinged_ms == TIME_NONE && now - s->heard_ms >= SYNC_SILENCE_MS / 3)
        s->ping_due = true;
}

int session_tick(struct session *s, struct err *e)
{
    int64_t now = sync_now(s->y);
    if (s->state == SESSION_OPEN)
        tick_open(s, now);
    else if (s->state < SESSION_OPEN && now - s->started_ms >= SYNC_HANDSHAKE_MS)
        (void)die(s, ERR_CANCELLED, "the handshake took too long");
    if (s->y->save_ms != TIME_NONE && now >= s->y->save_ms)
        peers_save_quietly(s->y, NULL);
    return is_dead(s, e);
}
