/* The listening end of the control socket.
 *
 * Each slot is one nng context with one aio and goes round: receiving (nng's) → waiting (ours) → sending
 * (nng's) → receiving. The state is the only thing that both sides touch; the core thread owns the slot while
 * it is `waiting`, nng owns it otherwise. An eventfd wakes the core thread.
 */
#include "node/serve/control.h"

#include "base/check.h"
#include "base/limits.h"
#include "node/serve/api.h"
#include "node/serve/control_int.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/util/platform.h>
#include <nng/transport/ipc/ipc.h>

#define SLOTS 8

enum slot_state { SLOT_IDLE, SLOT_RECEIVING, SLOT_WAITING, SLOT_SENDING };

struct slot {
    struct control *owner;
    nng_ctx ctx;
    nng_aio *aio;
    nng_msg *msg; /* while waiting */
    _Atomic int state;
};

struct control {
    nng_socket sock;
    bool open;
    _Atomic bool closing;
    int event_fd;
    struct slot slots[SLOTS];
    struct buf answer;
};

int control_nng_error(struct err *e, int rv, const char *what)
{
    int code = rv == NNG_ENOMEM                                                  ? ERR_NOMEM
               : rv == NNG_ECONNREFUSED || rv == NNG_ENOENT || rv == NNG_ECLOSED ? ERR_NOTRUNNING
               : rv == NNG_EPERM                                                 ? ERR_PERM
               : rv == NNG_EADDRINUSE                                            ? ERR_INUSE
                                                                                 : ERR_IO;
    return err_set(e, code, "%s: %s", what, nng_strerror(rv));
}

int control_url(const char *home, char out[CONTROL_URL_BYTES], struct err *e)
{
    int n = snprintf(out, CONTROL_URL_BYTES, "ipc://%s/" CONTROL_SOCKET, home);
    if (n < 0 || n >= CONTROL_URL_BYTES) {
        (void)err_set(e, ERR_LIMIT, "the path of the data folder is too long for a socket");
        err_hint(e, "choose a shorter one, at most %d bytes",
                 CONTROL_URL_BYTES - 1 - (int)sizeof("ipc:///" CONTROL_SOCKET));
        return ERR_LIMIT;
    }
    return 0;
}

/* ---- nng's threads ---------------------------------------------------------------------------------------
 */

static void slot_receive(struct slot *s)
{
    atomic_store(&s->state, SLOT_RECEIVING);
    nng_ctx_recv(s->ctx, s->aio);
}

static void slot_done(void *arg)
{
    struct slot *s = arg;
    int rv = nng_aio_result(s->aio);
    bool sending = atomic_load(&s->state) == SLOT_SENDING;
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED || atomic_load(&s->owner->closing)) {
        atomic_store(&s->state, SLOT_IDLE);
        return;
    }
    if (sending && rv != 0) {
        nng_msg_free(nng_aio_get_msg(s->aio)); /* the asker went away */
    }
    if (sending || rv != 0) {
        slot_receive(s);
        return;
    }
    s->msg = nng_aio_get_msg(s->aio);
    nng_aio_set_msg(s->aio, NULL);
    atomic_store(&s->state, SLOT_WAITING);
    uint64_t one = 1;
    (void)!write(s->owner->event_fd, &one, sizeof(one));
}

/* Before a connection may say anything: is it the same user? */
static void peer_check(nng_pipe p, nng_pipe_ev ev, void *arg)
{
    uint64_t uid = UINT64_MAX;
    (void)ev;
    (void)arg;
    if (nng_pipe_get_uint64(p, NNG_OPT_IPC_PEER_UID, &uid) != 0 || uid != (uint64_t)geteuid()) {
        (void)nng_pipe_close(p);
    }
}

/* ---- the core thread -------------------------------------------------------------------------------------
 */

static int listener_start(struct control *c, const char *url, struct err *e)
{
    nng_listener l;
    int rv = nng_socket_set_size(c->sock, NNG_OPT_RECVMAXSZ, LIMIT_MESSAGE_BYTES);
    if (rv == 0) {
        rv = nng_pipe_notify(c->sock, NNG_PIPE_EV_ADD_PRE, peer_check, NULL);
    }
    if (rv == 0) {
        rv = nng_listener_create(&l, c->sock, url);
    }
    if (rv == 0) {
        rv = nng_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, 0600);
    }
    if (rv == 0) {
        rv = nng_listener_start(l, 0);
    }
    return rv == 0 ? 0 : control_nng_error(e, rv, "opening the control socket");
}

static int slots_start(struct control *c, struct err *e)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &c->slots[i];
        s->owner = c;
        int rv = nng_aio_alloc(&s->aio, slot_done, s);
        if (rv == 0) {
            rv = nng_ctx_open(&s->ctx, c->sock);
        }
        if (rv != 0) {
            return control_nng_error(e, rv, "opening the control socket");
        }
        slot_receive(s);
    }
    return 0;
}

int control_open(struct control **out, const struct node *n, struct err *e)
{
    char url[CONTROL_URL_BYTES];
    char path[LIMIT_PATH_BYTES];
    int rc = control_url(n->home.path, url, e);
    if (rc == 0) {
        rc = home_file(&n->home, CONTROL_SOCKET, path, e);
    }
    if (rc != 0) {
        return rc;
    }
    struct control *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return err_set(e, ERR_NOMEM, "opening the control socket");
    }
    buf_init(&c->answer, LIMIT_MESSAGE_BYTES);
    (void)unlink(path);
    c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rv = c->event_fd < 0 ? NNG_ENOMEM : nng_rep0_open(&c->sock);
    c->open = rv == 0;
    rc = rv != 0 ? control_nng_error(e, rv, "opening the control socket") : listener_start(c, url, e);
    if (rc == 0) {
        rc = slots_start(c, e);
    }
    if (rc != 0) {
        control_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

int control_fd(const struct control *c)
{
    return c->event_fd;
}

static int slot_answer(struct control *c, struct slot *s, struct node *n, struct err *e)
{
    buf_clear(&c->answer);
    int rc = api_message(n, bytes_of(nng_msg_body(s->msg), nng_msg_len(s->msg)), &c->answer);
    mem_wipe(nng_msg_body(s->msg), nng_msg_len(s->msg)); /* it may have held a passphrase */
    nng_msg_clear(s->msg);
    if (rc == 0) {
        rc = nng_msg_append(s->msg, c->answer.p, c->answer.n) != 0 ? ERR_NOMEM : 0;
    }
    if (rc != 0) {
        static const char sorry[] =
            "{\"schema\":1,\"error\":{\"code\":\"ERR_LIMIT\",\"text\":\"the answer is too large\"}}";
        nng_msg_clear(s->msg);
        if (nng_msg_append(s->msg, sorry, sizeof(sorry) - 1) != 0) {
            return err_set(e, ERR_NOMEM, "answering");
        }
    }
    nng_aio_set_msg(s->aio, s->msg);
    s->msg = NULL;
    atomic_store(&s->state, SLOT_SENDING);
    nng_ctx_send(s->ctx, s->aio);
    return 0;
}

int control_serve(struct control *c, struct node *n, struct err *e)
{
    uint64_t count = 0;
    (void)!read(c->event_fd, &count, sizeof(count));
    for (size_t i = 0; i < SLOTS; i++) {
        if (atomic_load(&c->slots[i].state) != SLOT_WAITING) {
            continue;
        }
        int rc = slot_answer(c, &c->slots[i], n, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* An answer that is on its way (to `stop`, say) gets a moment to leave. */
static void answers_drain(struct control *c)
{
    for (size_t i = 0; i < SLOTS; i++) {
        for (int tries = 0; tries < 100 && atomic_load(&c->slots[i].state) == SLOT_SENDING; tries++) {
            nng_msleep(2);
        }
    }
}

void control_close(struct control *c)
{
    if (c == NULL) {
        return;
    }
    answers_drain(c);
    atomic_store(&c->closing, true);
    if (c->open) {
        (void)nng_close(c->sock);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (c->slots[i].aio != NULL) {
            nng_aio_stop(c->slots[i].aio);
            nng_aio_free(c->slots[i].aio);
        }
        if (c->slots[i].msg != NULL) {
            nng_msg_free(c->slots[i].msg);
        }
    }
    if (c->event_fd >= 0) {
        (void)close(c->event_fd);
    }
    buf_release(&c->answer);
    free(c);
}
