/* Stand-ins for other people's names, in what is sent to an endpoint, and back in what it answers.
 *
 * A pure function of the text, a key and the names known so far. Known are the names that were added and, in
 * a text that is looked at: e-mail addresses; @handles; the name in front of an address in <>; what stands
 * before the @ of an address, alone and, cut at dots, as a name. A name is replaced as a whole and by its
 * parts of three letters and more, at word borders, written as it is known.
 *
 * What stands for a name is "Person-" and four letters of a keyed hash, with a letter more for a part of it:
 * the same person gets the same one at each request, and nobody without the key can tell who it is.
 *
 * Not found: names that nobody told, inflected, misspelt or in another case, nicknames, pictures, and what
 * tells who somebody is without a name. The user's own name and address are replaced as well where these
 * rules find them. */
#ifndef NODE_INFER_PSEUDONYM_H
#define NODE_INFER_PSEUDONYM_H

#include "base/bytes.h"

#define PSEUDONYMS_MAX 4096 /* names and addresses known at one time */
#define PSEUDONYM_NAME_BYTES 128

struct pseudonyms;
/* `key`: 32 bytes. NULL when out of memory. */
struct pseudonyms *pseudonyms_new(struct bytes key);
void pseudonyms_free(struct pseudonyms *p); /* NULL fine */
/* Another person's name. ERR_LIMIT: too many; one that is too short, too long, or has characters in it that
 * no name has is passed over. */
int pseudonyms_add(struct pseudonyms *p, struct bytes name) MUST_CHECK;
/* Appends text with names replaced. What it finds is added to p. */
int pseudonyms_hide(struct pseudonyms *p, struct bytes text, struct buf *out) MUST_CHECK;
/* Appends text with the stand-ins of p replaced by the names they stand for. Names hold nothing that JSON
 * would escape. */
int pseudonyms_show(const struct pseudonyms *p, struct bytes text, struct buf *out) MUST_CHECK;

#endif
