/* An identity that survives restores and clones.
 *
 *   - restored or copied database: the lease differs: a new log is opened (node.c), here made known to the
 * group
 *   - copied folder, older backup: found at a meeting: a peer knows our log further than we do, or
 * differently; our own ops have been pulled back by then, what was written on both sides is kept, a new log
 * is opened
 *   - cloned device, both running: both stop writing and say so, until one of them gets keys of its own
 *   - lost key file, reinstalled: `selfsame init --renew`: new keys and a new device id over the same
 * observations and words; the old device is to be removed by another one
 *   - interrupted joining: finished when the folder is opened
 *
 * Evidence is counted per device and source, and the latest count of a pair replaces the one before, in
 * whatever log. So a restored or cloned device does not count twice: its id is the same. A device that lost
 * its keys leaves what was counted under its former id as it is, and counts under the new one only what it
 * sees from then on: its observations are keyed anew (node/rekey.h), so a source that is imported again is
 * recognised. So does a device that was removed and starts again: the group kept what it had counted. A copy
 * with new keys counts all that it holds under its new id: it is another device, that saw the same. A device
 * without its keys and without its database cannot know what was counted: importing the same sources counts
 * them anew; its former self is then to be removed and what it counted is for the user to judge.
 *
 * What was done is kept in node.identity_note for `status`.
 */
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include "node/node.h"

/* Local value: the id that this device had before its keys were lost. */
#define IDENTITY_FORMER "identity:former"

/* When a folder was opened for writing: finishes a joining that was cut off, makes our log known to the
 * group. */
int identity_settle(struct node *n, struct err *e) MUST_CHECK;
/* After meetings: does what sync_identity() asks for. Cheap when that is nothing. */
int identity_step(struct node *n, struct err *e) MUST_CHECK;
/* Gives the device in a folder new keys and a new id; its name, observations and words stay. Without recovery
 * words the group's records go: it is to be paired again. With them (24 words as typed) it is in its group
 * again, the device that lost its keys is removed, and the words are used up. The folder must not be in use.
 * ERR_VERIFY: not the words of this group. */
int identity_renew(const char *home, struct bytes words, struct err *e) MUST_CHECK;
/* Whether this device is a member of the group it knows of. */
bool identity_is_member(const struct node *n);
/* ERR_ATTENTION, with what to do: its group has removed it. 0: it is a member, or was never of one. */
int identity_not_removed(const struct node *n, struct err *e) MUST_CHECK;
/* Whether it has other devices: active members besides itself and recovery words. */
bool identity_has_others(const struct node *n);

#endif
