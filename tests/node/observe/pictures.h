/* Picture files that tests make for themselves, of any size and with anything in them. Structure is real,
 * pixels are not: nothing in the product decodes them. */
#ifndef TESTS_NODE_OBSERVE_PICTURES_H
#define TESTS_NODE_OBSERVE_PICTURES_H

#include "base/bytes.h"

struct picture_spec {
    uint32_t width, height; /* 0: 8 */
    const char *pixels;     /* what stands for them; NULL: "pixels" */
    const char *extra;      /* a comment, a place; NULL: none */
    const char *behind;     /* after the end of the file; NULL: nothing */
};

void picture_png(const struct picture_spec *s, struct buf *out);
void picture_jpeg(const struct picture_spec *s, struct buf *out);
void picture_webp(const struct picture_spec *s, struct buf *out);
void picture_gif(const struct picture_spec *s, struct buf *out);
/* Writes a file; ends the test when that fails. */
void picture_write(const char *path, struct bytes file);

#endif
