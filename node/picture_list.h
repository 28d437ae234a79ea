/* The list of pictures that wait to be described (node/pictures.h): one local value for each,
 * "picture:" and the event's key in hexadecimal:
 *
 *     version u8 = 1 | source bytes | path bytes | time svarint | offset svarint | added svarint | failures
 * varint
 *
 * The key is that of the picture's identity alone, keyed with this device's secret like all event keys: so
 * the same picture is one event, wherever its file lies and whatever a model says about it. */
#ifndef NODE_PICTURE_LIST_H
#define NODE_PICTURE_LIST_H

#include "node/node.h"

#define PICTURE_LIST "picture:"

struct waiting {
    uint8_t key[16];
    char source[LIMIT_NAME_BYTES];
    char path[LIMIT_PATH_BYTES];
    int64_t time_ms, added_ms;
    int16_t offset_min;
    unsigned failures;
};

/* Of a picture of this source with this identity (node/observe/picture.h). ERR_NOMEM. */
int picture_list_key(struct node *n, struct bytes source, struct bytes id, uint8_t out[16],
                     struct err *e) MUST_CHECK;
/* A value as local_each() gives it; false: it is none of ours. */
bool picture_list_read(const char *name, struct bytes value, struct waiting *out);
int picture_list_save(struct store *s, const struct waiting *w, struct err *e) MUST_CHECK;
int picture_list_drop(struct store *s, const uint8_t key[16], struct err *e) MUST_CHECK;
int picture_list_there(struct store *s, const uint8_t key[16], bool *out, struct err *e) MUST_CHECK;

#endif
