/* What a model says of a picture: whatever it is, what is taken of it is plain text within limits. */
#include "node/model/describe.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seven(void *ctx, void *p, size_t n)
{
    (void)ctx;
    memset(p, 7, n);
}

static void check_plain(const struct prompt *p, struct bytes text, size_t max)
{
    struct buf escaped;
    CHECK(text.n <= max && bytes_ifind(text, bytes_of(p->fence, PROMPT_FENCE)) == SIZE_MAX);
    buf_init(&escaped, 1u << 16);
    CHECK(text_escape(text, true, &escaped) == 0 && bytes_eq(buf_view(&escaped), text));
    buf_release(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rng rng = {seven, NULL};
    struct prompt p;
    struct description d;
    struct observation o = {0};
    struct err e = ERR_INIT;
    if (size > 65536)
        return 0;
    prompt_init(&p, &rng, "Ana");
    description_init(&d);
    int rc = describe_read(&p, bytes_of(data, size), &d, &o, &e);
    CHECK(rc == 0 || rc == ERR_FORMAT);
    if (rc == 0) {
        CHECK(o.text.n > 0);
        check_plain(&p, o.text, DESCRIBE_SEEN_BYTES + DESCRIBE_DOING_BYTES + 32);
        check_plain(&p, o.app, DESCRIBE_FIELD_BYTES);
        check_plain(&p, o.title, DESCRIBE_FIELD_BYTES);
        check_plain(&p, o.url, DESCRIBE_URL_BYTES);
    }
    description_release(&d);
    prompt_release(&p);
    return 0;
}
