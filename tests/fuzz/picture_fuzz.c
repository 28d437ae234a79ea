/* Picture files: what is left of one is a picture that reads as the same, of which all is left. */
#include "node/observe/picture.h"

#include "base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct picture p, again;
    struct buf left, twice;
    struct err e = ERR_INIT;
    buf_init(&left, PICTURE_BYTES_MAX);
    buf_init(&twice, PICTURE_BYTES_MAX);
    int rc = picture_read(bytes_of(data, size), &p, &left, &e);
    CHECK(rc == 0 || ((rc == ERR_FORMAT || rc == ERR_LIMIT) && e.code == rc && e.text[0] != '\0'));
    if (rc == 0) {
        CHECK(p.width > 0 && p.height > 0 && p.width <= PICTURE_SIDE_MAX && p.height <= PICTURE_SIDE_MAX);
        CHECK(left.n <= size + 1); /* a GIF without its end mark gets one */
        CHECK(picture_read(buf_view(&left), &again, &twice, &e) == 0);
        CHECK(bytes_eq(buf_view(&left), buf_view(&twice)) && strcmp(p.id, again.id) == 0);
        CHECK(p.width == again.width && p.height == again.height && strcmp(p.type, again.type) == 0);
    }
    buf_release(&left);
    buf_release(&twice);
    return 0;
}
