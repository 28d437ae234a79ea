/* Messages of a session, in the clear: what decodes encodes to the same bytes. */
#include "sync/message.h"

#include "tests/sync/again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct msg m;
    struct buf out;
    if (msg_decode(in, &m, NULL) != 0 || m.kind >= MSG_SKIPPABLE)
        return 0;
    buf_init(&out, 2 * SYNC_PLAIN_MAX);
    again(&m, &out);
    bool later =
        m.kind == MSG_HELLO && (m.version != SYNC_VERSION || m.least != SYNC_VERSION_LEAST || out.n != in.n);
    CHECK(later || bytes_eq(buf_view(&out), in));
    buf_release(&out);
    return 0;
}
