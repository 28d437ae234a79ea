/* Picture files: which of four formats a file is by its first bytes, how large the picture is, and the file
 * without what is not the picture: dates, places, comments, thumbnails, and whatever lies behind its end.
 * Nothing is decoded; the file is walked from its first part to its last, each length checked. Of an
 * animation the first picture is kept.
 *
 * What is left is what is sent to a model, and its hash is the identity of the picture: two files that show
 * the same and differ only in such extras are one. Page: node/observe/IMAGES.md. */
#ifndef NODE_OBSERVE_PICTURE_H
#define NODE_OBSERVE_PICTURE_H

#include "base/bytes.h"

#define PICTURE_BYTES_MAX (16u << 20) /* of a file: a 4K screen as PNG has about 10 MB at the very most */
#define PICTURE_SCRATCH_MAX (PICTURE_BYTES_MAX + (128u << 10)) /* what reading one takes */
#define PICTURE_SIDE_MAX 16384u                                /* pixels; a panorama */
#define PICTURE_PIXELS_MAX 100000000u                          /* what a decoder needs 400 MB for */
#define PICTURE_ID_BYTES 64                                    /* hexadecimal digits */

struct picture {
    const char *type; /* "image/png", "image/jpeg", "image/webp", "image/gif" */
    uint32_t width, height;
    bool cut;                      /* after ERR_FORMAT: the file ends too early; it may be being written */
    char id[PICTURE_ID_BYTES + 1]; /* BLAKE2b-256 of what is left */
};

/* Reads a whole file, appends the picture alone to *left. ERR_FORMAT (no picture, or a damaged one),
 * ERR_LIMIT (too large in bytes or pixels, or for *left), ERR_NOMEM. */
int picture_read(struct bytes file, struct picture *out, struct buf *left, struct err *e) MUST_CHECK;
/* The same of a regular file at a path, read into *scratch (max PICTURE_SCRATCH_MAX). ERR_NOTFOUND, ERR_PERM,
 * ERR_IO besides. */
int picture_load(const char *path, struct buf *scratch, struct picture *out, struct buf *left,
                 struct err *e) MUST_CHECK;
/* Whether a file is called like one: ".png", ".jpg", ".jpeg", ".webp", ".gif", not hidden. */
bool picture_named(const char *name);

#endif
