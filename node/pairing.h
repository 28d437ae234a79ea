/* Pairing as a person meets it: a code is shown on one device and typed on the other, both show the other's
 * name and ask, then the joiner becomes a member (crypto/pair.h, sync/group.h, node/join.h). Three tries, ten
 * minutes, then a new code. One pairing at a time. The control interface polls the state; nothing here
 * blocks, but for the writing anew of a model.
 *
 * After both said yes the membership is handed over (node/handover.h).
 *
 * A new device that comes by recovery words takes the joiner's path: the words are the code and the proof, a
 * device of the group answers without its user (node/recovery.h), and what the joiner is added by is the
 * words themselves, which are used up by it (node/words.h).
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
    bool host, words; /* words: joins by recovery words, nobody is asked */
    char code[PAIR_DIGITS_TEXT + 1], qr[PAIR_QR_TEXT + 1]; /* host, while it waits; else "" */
    int64_t expires_ms;                                    /* wall */
    int tries_left;
    char peer_name[DEVICE_NAME_BYTES + 1]; /* from PAIRING_ASKING on */
    struct id peer;
    bool own_yes, other_yes;
    int failure;               /* error code, when it failed */
    char text[240], hint[240]; /* what happened and what to do */
};

/* Who drives a pairing through the control interface looks at it often. When nobody has for so long, the
 * command that began it is gone (its window was closed, it was killed), and a code that nobody sees any more
 * must not go on counting: it ends, unless this side's user has said yes. */
#define PAIRING_ABANDONED_MS 15000

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
/* Looks for any device of the group that these recovery words belong to, as pairing_join(). */
int pairing_recover(struct pairing *p, const uint8_t secret[RECOVERY_BYTES], const char *address,
                    struct err *e) MUST_CHECK;
/* The user's answer to "is this the other device?". ERR_USAGE: nothing is asked. */
int pairing_answer(struct pairing *p, bool yes, struct err *e) MUST_CHECK;
void pairing_cancel(struct pairing *p);
void pairing_view(const struct pairing *p, struct pairing_view *out);
/* Somebody looked through the control interface: from now on PAIRING_ABANDONED_MS holds. */
void pairing_looked(struct pairing *p);
/* To be called after events; the next deadline, monotonic ms, or TIME_NONE. */
int64_t pairing_step(struct pairing *p);

#endif
