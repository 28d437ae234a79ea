/* What of a source leaves this device: the local setting `share`, a line "SOURCE LEVEL" for each source that
 * is not at the default; "*" names all others.
 *
 *   nothing   observations are kept and searchable here; nothing is learnt from them, so nothing of them
 *             replicates
 *   counts    the default: what was learnt replicates, with how often and when, never the content
 *   text      besides, up to SHARE_EXCERPTS of the newest observations behind a proposition travel with it,
 *             as excerpts of at most SHARE_EXCERPT_BYTES (redacted like everything that was observed)
 *
 * The setting is this device's alone: no other device can widen what this one shares. Nor can an older
 * database that is put back: the file `share` in the data folder keeps the setting as it was last applied,
 * and of the two the narrower holds for each source.
 *
 * An excerpt is an entity of SPACE_EXCERPT with a random id, one for each observation: REG_NAME the source,
 * REG_VALUE the text, REG_CREATED the time, SET_PARENT the ids of the propositions it stands behind. Taking
 * it back is forgetting it: its text leaves the logs of every device.
 */
#ifndef NODE_SHARE_H
#define NODE_SHARE_H

#include "node/node.h"

#define SHARE_EXCERPTS 3
#define SHARE_EXCERPT_BYTES 300

enum share_level { SHARE_NOTHING, SHARE_COUNTS, SHARE_TEXT };

/* The next line of such a setting that says something, as source and level; *rest moves behind it. */
bool share_line(struct bytes *rest, struct bytes *source, struct bytes *level);
/* The value of the setting, as text. */
int share_check(struct bytes value, struct err *e) MUST_CHECK;
enum share_level share_level_of(struct bytes setting, struct bytes source);
const char *share_level_name(enum share_level level);
/* Whether the setting has a line of this very source. */
bool share_is_set(struct bytes setting, struct bytes source);
/* The sources that it names, "*" among them. fn returns 0 to go on. */
int share_named(struct bytes setting, int (*fn)(void *ctx, struct bytes source), void *ctx) MUST_CHECK;
/* The setting with this source at `level` ("default": without a line of its own), appended to out. ERR_USAGE.
 */
int share_edit(struct bytes setting, struct bytes source, struct bytes level, struct buf *out,
               struct err *e) MUST_CHECK;
/* The setting of this device as the database has it, appended to out. */
int share_load(struct store *s, struct buf *out, struct err *e) MUST_CHECK;
/* What is in force, appended to out: for each source the narrower of the setting and of the file `share`. The
 * two are the same once the folder was opened for writing. */
int share_in_force(struct node *n, struct buf *out, struct err *e) MUST_CHECK;
/* At the opening: sets n->share_narrowed when what is in force is narrower than the database has it, and (not
 * when only read) stores it; share_apply() is due then. A file with loose permissions: ERR_PERM. */
int share_reconcile(struct node *n, struct err *e) MUST_CHECK;
/* After the setting changed: takes back what was learnt from sources that share nothing now, learns from
 * those that do again; in a transaction of its own. */
int share_apply(struct node *n, struct err *e) MUST_CHECK;
/* Writes the excerpts that are due and takes back those that are not. Cheap when no source shares its text.
 * A transaction must be open. */
int share_publish(struct node *n, struct err *e) MUST_CHECK;
/* Forgets which excerpts were written: the model is written anew, and they with it (node/join.h). */
int share_start_anew(struct node *n, struct err *e) MUST_CHECK;
/* Takes back every device's excerpts that stand behind a proposition: it is being forgotten. In a
 * transaction. */
int share_forget(struct node *n, const struct id *prop, struct err *e) MUST_CHECK;

struct excerpt {
    struct id log; /* whose */
    int64_t time_ms;
    struct bytes source, text; /* borrowed for the call */
};
/* The excerpts behind a proposition, this device's own among them. */
int share_excerpts(struct node *n, const struct id *prop, int (*fn)(void *ctx, const struct excerpt *x),
                   void *ctx, struct err *e) MUST_CHECK;

#endif
