/* Joining a group with a model of one's own: nothing lost, nothing doubled.
 *
 * A device that was alone has a log that nobody else ever saw. When it joins, its observations stay, its log
 * and model are taken up into the group: claim ids are keyed by the group's secret, so the model is written
 * anew under a new log: what heuristics claimed is inferred again from the observations under the group's
 * ids; what the user said (told, edited, confirmed, rejected, pinned, forgotten, settings, blocks) is carried
 * over to those ids; claims that no observation supports any more keep their old ids. Done in one
 * transaction: a crash leaves either the device alone as it was, or joined.
 */
#ifndef NODE_JOIN_H
#define NODE_JOIN_H

#include "node/node.h"

struct join_summary {
    uint64_t carried, inferred;
};
/* Whether the model in the database is written under this secret already. */
int join_is_written(struct node *n, struct bytes secret, bool *written, struct err *e) MUST_CHECK;
/* Takes the group's secret into the key file, when it is not there. */
int join_keep_secret(struct node *n, struct bytes group_secret, struct err *e) MUST_CHECK;
/* The device has the group's records (sync/group.h) and with them its secret; rewrites the model as above,
 * and opens the new log in the group. */
int join_rebase(struct node *n, struct join_summary *out, struct err *e) MUST_CHECK;
/* The same for the device that begins a group: founds it in the same transaction. */
int join_found(struct node *n, struct join_summary *out, struct err *e) MUST_CHECK;

#endif
