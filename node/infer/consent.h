/* Consent: which sources' observations may travel, sealed, to the device that thinks for all
 * (node/infer/errand.h). The setting `think.share` of this device, a line "SOURCE local|remote" for each; "*"
 * names all others. Without a line nothing travels.
 *
 *   local    to another device of the user, whose model runs on that machine
 *   remote   also when that device's endpoint is another machine's */
#ifndef NODE_INFER_CONSENT_H
#define NODE_INFER_CONSENT_H

#include "base/bytes.h"
#include "base/err.h"

enum consent { CONSENT_NONE, CONSENT_LOCAL, CONSENT_REMOTE };

/* The value of the setting, as text. */
int consent_check(struct bytes value, struct err *e) MUST_CHECK;
enum consent consent_of(struct bytes setting, struct bytes source);
/* Whether it is enough for a device whose endpoint is remote. */
bool consent_suits(enum consent c, bool remote);

#endif
