/* Pairing as a person meets it: a code is shown on one device and typed on the other, both show the other's
 * name and ask, then the joiner becomes a member (crypto/pair.h, sync/group.h, node/join.h). Three tries, ten
 * minutes, then a new code. One pairing at a time. The control interface polls the state; nothing here
 * blocks.
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

enum pairing_history { HISTORY_ALL, HISTORY_90_DAYS, HISTORY_NONE };

struct pairing_view {
    enum pairing_phase phase;
    bool host;
    char code[PAIR_DIGITS_TEXT + 1], qr[PAIR_QR_TEXT + 1]; /* host, while it waits */
    int64_t expires_ms;
    int tries_left;
    char peer_name[DEVICE_NAME_BYTES + 1];
    struct id peer;
    bool own_yes, other_yes;
    char text[240], hint[240]; /* what happened and what to do */
};

struct pairing;
struct pairing *pairing_new(struct node *n, struct net *t); /* NULL when out of memory */
void pairing_free(struct pairing *p);
int pairing_host(struct pairing *p, enum pairing_history history, struct err *e) MUST_CHECK;
int pairing_join(struct pairing *p, struct bytes code, const char *address, struct err *e) MUST_CHECK;
int pairing_answer(struct pairing *p, bool yes, struct err *e) MUST_CHECK;
void pairing_cancel(struct pairing *p);
void pairing_view(const struct pairing *p, struct pairing_view *out);
int64_t pairing_step(struct pairing *p); /* next deadline, monotonic ms */

#endif
