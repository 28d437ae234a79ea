/* The content of errands and of answers to them, as another device might have sealed it. The first byte
 * chooses (& 1) and, for an answer, how many observations the errand had. What is read is within bounds and
 * reads back the same after it was written anew. */
#include "node/infer/errand_body.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_errand(struct bytes in)
{
    static struct errand_items items, again;
    struct errand_head h, h2;
    struct work w;
    struct buf out;
    if (errand_read(in, &h, &items) != 0)
        return;
    CHECK(items.n > 0 && items.n <= BATCH_MAX);
    work_init(&w);
    buf_init(&out, ERRAND_SEALED_MAX);
    for (size_t i = 0; i < items.n; i++) {
        CHECK(items.v[i].source.n > 0 && utf8_valid(items.v[i].source) && utf8_valid(items.v[i].text));
        CHECK(work_add(&w, &items.v[i], &h.sender, items.guarded[i]) == 0);
    }
    work_finish(&w);
    CHECK(errand_put(&h, &w, items.remote, &out) == 0);
    CHECK(errand_read(buf_view(&out), &h2, &again) == 0 && again.n == items.n);
    for (size_t i = 0; i < items.n; i++)
        CHECK(bytes_eq(items.v[i].text, again.v[i].text) && items.v[i].time_ms == again.v[i].time_ms);
    buf_release(&out);
    work_release(&w);
}

static int check_claim(void *ctx, const struct answer_claim *c)
{
    const size_t *places = ctx;
    CHECK(c->n > 0 && c->n <= *places && c->place[c->n - 1] < *places);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct id errand = {{0}};
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    if ((data[0] & 1) == 0) {
        try_errand(in);
        return 0;
    }
    size_t places = 1 + (data[0] >> 1) % BATCH_MAX;
    if (in.n > ID_BYTES)
        memcpy(errand.b, in.p + 1, ID_BYTES);
    (void)!answer_read(in, &errand, places, check_claim, &places);
    return 0;
}
