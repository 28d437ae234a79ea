/* Whether a record may be: its author was a member in the state that the record itself names as seen, and
 * what it does could be done there. So every device comes to the same answer, whenever the record arrives. */
#include "sync/group_int.h"

#include "crypto/label.h"

#include <string.h>

static int refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_VERIFY, "membership record refused: %s", why);
}

static int check_signature(const struct record *r, const struct device_cert *author, struct err *e)
{
    if (sign_verify(author->sign_pk, LABEL_SIGN_MEMBER, &r->head.text, 1, r->head.signature.p))
        return refuse(e, "its signature is wrong");
    return 0;
}

static int check_genesis(const struct record *r, struct err *e)
{
    if (!id_eq(&r->cert.device, &r->head.author))
        return refuse(e, "a genesis for another device than its author");
    return check_signature(r, &r->cert, e);
}

static int check_keys(const struct state *st, const struct record *r, struct err *e)
{
    for (size_t i = 0; i < r->body.keys.n; i++) {
        struct id epoch;
        memcpy(epoch.b, list_at(&r->body.keys, i), ID_BYTES);
        if (state_epoch(st, &epoch) == NOWHERE)
            return refuse(e, "it hands over the key of an unknown epoch");
    }
    return 0;
}

static int check_add(const struct state *st, const struct record *r, struct err *e)
{
    uint32_t device = state_device(st, &r->body.device);
    if (device != NOWHERE && st->devices[device].removed)
        return refuse(e, "the device was removed for good");
    if (state_is_active(st, device))
        return refuse(e, "the device is a member already");
    if (st->n_active >= MEMBERS_MAX || (device == NOWHERE && st->n_devices >= MEMBERS_EVER_MAX))
        return err_set(e, ERR_LIMIT, "a group has at most %u devices", MEMBERS_MAX);
    return check_keys(st, r, e);
}

/* The recipients are the members, all of them, in order of their ids. */
static int check_sealed(const struct state *st, const struct record *r, struct err *e)
{
    if (r->body.sealed.n != st->n_active)
        return refuse(e, "an epoch is sealed to others than the members");
    for (size_t i = 0; i < r->body.sealed.n; i++) {
        struct id device;
        memcpy(device.b, list_at(&r->body.sealed, i), ID_BYTES);
        if (!state_is_active(st, state_device(st, &device)))
            return refuse(e, "an epoch is sealed to others than the members");
    }
    return 0;
}

static int check_epoch(const struct state *st, const struct record *r, struct err *e)
{
    if (state_epoch(st, &r->body.epoch) != NOWHERE)
        return refuse(e, "the epoch is known already");
    for (size_t i = 0; i < r->body.wraps.n; i++) {
        struct id epoch;
        memcpy(epoch.b, list_at(&r->body.wraps, i), ID_BYTES);
        if (state_epoch(st, &epoch) == NOWHERE)
            return refuse(e, "it wraps the key of an unknown epoch");
    }
    return check_sealed(st, r, e);
}

static int check_log(const struct state *st, const struct record *r, struct err *e)
{
    uint32_t log = state_log(st, &r->body.log);
    if (log != NOWHERE && st->logs[log].device != state_device(st, &r->head.author))
        return refuse(e, "the log is another device's");
    return 0;
}

/* Branches of a log that is known, and not too many of them. */
static int check_fork(const struct state *st, const struct record *r, struct err *e)
{
    uint32_t log = state_log(st, &r->body.log);
    if (log == NOWHERE || !id_eq(&st->logs[log].root, &r->body.log))
        return refuse(e, "it names branches of a log that is not known");
    if (st->logs[log].branches + r->body.branches.n > LOG_BRANCHES_MAX)
        return err_set(e, ERR_LIMIT, "a log has at most %u branches", LOG_BRANCHES_MAX);
    return 0;
}

static int check_subject(const struct state *st, const struct record *r, bool active, struct err *e)
{
    uint32_t device = state_device(st, &r->body.device);
    if (device == NOWHERE || (active && !state_is_active(st, device)))
        return refuse(e, "it is about a device that is no member");
    return 0;
}

int record_check(const struct state *st, const struct record *r, struct err *e)
{
    if (r->head.kind == MEMBER_GENESIS)
        return check_genesis(r, e);
    uint32_t author = state_device(st, &r->head.author);
    if (!state_is_active(st, author))
        return refuse(e, "its author was no member");
    int rc = check_signature(r, &st->devices[author].member.cert, e);
    if (rc)
        return rc;
    switch (r->head.kind) {
    case MEMBER_ADD:
        return check_add(st, r, e);
    case MEMBER_EPOCH:
        return check_epoch(st, r, e);
    case MEMBER_LOG_OPEN:
        return check_log(st, r, e);
    case MEMBER_REMOVE:
        return check_subject(st, r, false, e);
    case MEMBER_DORMANT:
    case MEMBER_WAKE:
    case MEMBER_NAME:
        return check_subject(st, r, true, e);
    case MEMBER_HAND:
        rc = check_subject(st, r, true, e);
        return rc ? rc : check_keys(st, r, e);
    case MEMBER_FORK:
        return check_fork(st, r, e);
    default: /* of a later version */
        return 0;
    }
}
