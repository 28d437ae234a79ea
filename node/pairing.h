/* Pairing as a person meets it: a code is shown on one device and typed on the other, both show the other's
 * name and ask, then the joiner becomes a member (crypto/pair.h, sync/group.h, node/join.h). Three tries, ten
 * minutes, then a new code. One pairing at a time. The control interface polls the state; nothing here
 * blocks, but for the writing anew of a model.
 *
 * After both said yes, sealed messages under the pairing's session, one byte of type first; each is answered
 * before the next:
 *
 *   host   → joiner   BEGIN   group id 16
 *                     RECORDS a part of the membership records, each as length u32 ‖ bytes
 *                     END     all were sent
 *   joiner → host     NEXT    a message was taken
 *                     DONE    the joiner is a member, its model is written under the group's ids
 *   both              STOP    it cannot go on: UTF-8 text that says why
 */
#ifndef NODE_PAIRING_H
#define NODE_PAIRING_H

#include "node/net/net.h"

enum pairing_phase {
    PAIRING_NONE,
    PAIRING_WAITING,
    PAIRING_CONNECTING,
    PAIRING_ASKING,
    PAIRING_JOINING,
    PAIRING_DONE,
    PAIRING_FAILED
};
const char *pairing_phase_name(enum pairing_phase p);

struct pairing_view {
    enum pairing_phase phase;
    bool host;
    char code[PAIR_DIGITS_TEXT + 1], qr[PAIR_QR_TEXT + 1]; /* host, while it waits; else "" */
    int64_t expires_ms;                                    /* wall */
    int tries_left;
    char peer_name[DEVICE_NAME_BYTES + 1]; /* from PAIRING_ASKING on */
    struct id peer;
    bool own_yes, other_yes;
    int failure;               /* error code, when it failed */
    char text[240], hint[240]; /* what happened and what to do */
};

struct pairing;
/* Borrows both. NULL when out of memory. */
struct pairing *pairing_new(struct node *n, struct net *t);
void pairing_free(struct pairing *p); /* NULL fine */
/* Shows a code; the joiner will be given this history. ERR_INUSE: a pairing is under way. */
int pairing_host(struct pairing *p, const struct history_grant *history, struct err *e) MUST_CHECK;
/* Looks for the device that shows the code; `address` "HOST:PORT", or NULL: on the network around. ERR_USAGE:
 * no code; ERR_EXISTS: this device has other devices already; ERR_ATTENTION: it was removed from its group.
 */
int pairing_join(struct pairing *p, struct bytes code, const char *address, struct err *e) MUST_CHECK;
/* The user's answer to "is this the other device?". ERR_USAGE: nothing is asked. */
int pairing_answer(struct pairing *p, bool yes, struct err *e) MUST_CHECK;
void pairing_cancel(struct pairing *p);
void pairing_view(const struct pairing *p, struct pairing_view *out);
/* To be called after events; the next deadline, monotonic ms, or TIME_NONE. */
int64_t pairing_step(struct pairing *p);

#endif
