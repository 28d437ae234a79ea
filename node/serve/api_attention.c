/* What the user should know: said by `status` in whole sentences, with what to do about it. */
#include "node/serve/api_int.h"

#include "node/identity.h"
#include "node/words.h"

#include <stdarg.h>
#include <stdio.h>

struct attention {
    struct node *n;
    cJSON *list;
};

static int say(const struct attention *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int say(const struct attention *a, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cJSON *s = cJSON_CreateString(text);
    return s != NULL && cJSON_AddItemToArray(a->list, s) ? 0 : ERR_NOMEM;
}

static int identity_say(const struct attention *a)
{
    const struct node *n = a->n;
    int rc = n->identity_note[0] != '\0' ? say(a, "%s", n->identity_note) : 0;
    if (rc == 0 && group_exists(n->group) && !identity_is_member(n)) {
        rc = say(
            a, "this device was removed from its group and learns nothing more from it; to start again as a "
               "new device: selfsame init --renew");
    }
    return rc;
}

static int words_say(const struct attention *a)
{
    if (!identity_is_member(a->n) || !words_are_ours_alone(a->n)) {
        return 0;
    }
    return say(
        a, "the recovery words that were made here open this device's key file, but make no new device: they "
           "do not belong to its group; make new ones: selfsame devices words");
}

static int quarantine_say(void *ctx, const struct quarantine *q)
{
    const struct attention *a = ctx;
    char name[LIMIT_NAME_BYTES + 1];
    device_name(a->n, &q->device, name);
    return say(a, "%llu changes of %s could not be taken (%s); what follows them waits",
               (unsigned long long)q->count, name, q->reason);
}

static int clock_say(void *ctx, const struct peer_status *p)
{
    const struct attention *a = ctx;
    char name[LIMIT_NAME_BYTES + 1];
    int64_t minutes = p->clock_offset_ms / MS_MINUTE;
    int64_t size = minutes < 0 ? -minutes : minutes;
    if (size < 10) {
        return 0;
    }
    device_name(a->n, &p->device, name);
    return say(a, "the clock of %s is %lld min %s ours", name, (long long)size,
               minutes > 0 ? "ahead of" : "behind");
}

static int epoch_say(const struct attention *a)
{
    struct epoch_ref ref;
    const uint8_t *key = NULL;
    struct err e = ERR_INIT;
    if (!identity_is_member(a->n) || group_epoch(a->n->group, &ref, &key, &e) == 0) {
        return 0;
    }
    return say(a, "there is no key that all devices share: %s (selfsame devices rotate)", e.text);
}

static int logs_say(const struct attention *a)
{
    size_t beyond = sync_logs_beyond(a->n->sync);
    if (beyond == 0) {
        return 0;
    }
    return say(
        a,
        "%zu of the logs here are beyond the %u that devices exchange: what was written in them reaches no "
        "other device, nor theirs this one; a log is opened at every restore: found a new group with fresh "
        "devices (selfsame init --renew)",
        beyond, SYNC_LOGS_MAX);
}

int put_attention(struct node *n, cJSON *list, struct err *e)
{
    struct attention a = {.n = n, .list = list};
    int rc = identity_say(&a);
    if (rc == 0 && n->share_narrowed) {
        rc = say(&a, "%s", NODE_SHARE_NARROWED);
    }
    if (rc == 0 && n->audit_broken) {
        rc = say(&a, "the audit rules cannot be read: nothing is observed until they are mended "
                     "(selfsame config audit.rules)");
    }
    if (rc == 0) {
        rc = words_say(&a);
    }
    if (rc == 0) {
        rc = epoch_say(&a);
    }
    if (rc == 0) {
        rc = logs_say(&a);
    }
    if (rc == 0) {
        rc = sync_quarantine(n->sync, quarantine_say, &a, e);
    }
    return rc != 0 ? rc : sync_peers(n->sync, clock_say, &a, e);
}
