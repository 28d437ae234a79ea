/* Handing a group's membership to a device that is let in: what is said in the encrypted session of a pairing
 * (node/pairing.h) or of a recovery (node/recovery.h), one byte of type first; each message is answered
 * before the next:
 *
 *   host   → joiner   BEGIN   group id 16
 *                     RECORDS a part of the membership records, each as length u32 ‖ bytes
 *                     END     all were sent
 *   joiner → host     NEXT    a message was taken
 *                     DONE    the joiner is a member, its model is written under the group's ids
 *   both              STOP    it cannot go on: UTF-8 text that says why
 */
#ifndef NODE_HANDOVER_H
#define NODE_HANDOVER_H

#include "crypto/noise.h"
#include "sync/group.h"

#define HANDOVER_PART_BYTES 32768u
#define HANDOVER_RECORDS_BYTES_MAX ((size_t)64 << 20)
#define HANDOVER_TEXT_BYTES 200u /* of STOP */

enum handover_step {
    HANDOVER_BEGIN = 1,
    HANDOVER_RECORDS,
    HANDOVER_END,
    HANDOVER_NEXT,
    HANDOVER_DONE,
    HANDOVER_STOP
};

struct handover {
    struct noise_session session;
    bool on;            /* the session is in use */
    bool ended;         /* host: END went out; joiner: DONE went out */
    struct buf records; /* host: what is still to be sent; joiner: what came */
    size_t sent;
};

void handover_init(struct handover *h);
void handover_release(struct handover *h);
/* Ends the session, forgets the records. */
void handover_clear(struct handover *h);
/* One message, appended to out. */
int handover_seal(struct handover *h, enum handover_step step, struct bytes body, struct buf *out) MUST_CHECK;
/* Opens one: `plain` holds it, *body is a view of that. ERR_VERIFY: altered on its way. */
int handover_open(struct handover *h, struct bytes message, struct buf *plain, enum handover_step *step,
                  struct bytes *body) MUST_CHECK;
/* Host: gets the records ready and appends BEGIN. */
int handover_begin(struct handover *h, const struct group *g, struct buf *out) MUST_CHECK;
/* Host: the next part, or END. */
int handover_next(struct handover *h, struct buf *out) MUST_CHECK;
/* Joiner, at END: takes what came into the group. ERR_FORMAT, or as group_receive(). */
int handover_take(struct handover *h, struct group *g, struct err *e) MUST_CHECK;

#endif
