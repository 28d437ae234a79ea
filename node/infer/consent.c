#include "node/infer/consent.h"

#include "base/limits.h"
#include "node/share.h"

static enum consent level_find(struct bytes name)
{
    return bytes_eq(name, BYTES_LIT("remote"))  ? CONSENT_REMOTE
           : bytes_eq(name, BYTES_LIT("local")) ? CONSENT_LOCAL
                                                : CONSENT_NONE;
}

int consent_check(struct bytes value, struct err *e)
{
    struct bytes source, level;
    while (share_line(&value, &source, &level)) {
        if (source.n > LIMIT_NAME_BYTES || level_find(level) == CONSENT_NONE) {
            (void)err_set(e, ERR_USAGE, "a line of 'think.share' is a source and one of local, remote");
            err_hint(e, "for example: selfsame config think.share --add \"firefox local\"");
            return ERR_USAGE;
        }
    }
    return 0;
}

enum consent consent_of(struct bytes setting, struct bytes source)
{
    struct bytes name, level;
    enum consent others = CONSENT_NONE, own = CONSENT_NONE;
    bool named = false;
    while (share_line(&setting, &name, &level)) {
        if (bytes_eq(name, source)) {
            own = level_find(level);
            named = true;
        } else if (bytes_eq(name, BYTES_LIT("*"))) {
            others = level_find(level);
        }
    }
    return named ? own : others;
}

bool consent_suits(enum consent c, bool remote)
{
    return c == CONSENT_REMOTE || (c == CONSENT_LOCAL && !remote);
}
