/* Event keys: what makes two records the same event. Records with a time are the same when source, time and
 * content are; shared sources see one event at slightly different times, so notifications are bucketed by the
 * minute and other shared events by the second. Records without a time are told apart by their occurrence.
 * The end is left out: the last event of a window log grows in place. */
#include "base/cursor.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "node/infer/infer.h"
#include "node/observe/observe.h"

static int64_t bucket_ms(const struct observation *o)
{
    if (!o->shared_event)
        return 1;
    return bytes_starts(o->source, BYTES_LIT("notif")) ? MS_MINUTE : MS_SECOND;
}

static void put_normal(struct buf *out, struct bytes text)
{
    size_t before = out->n;
    wr_u32(out, 0);
    (void)text_normalise(text, out);
    if (out->err)
        return;
    size_t n = out->n - before - 4;
    for (int i = 0; i < 4; i++)
        out->p[before + (size_t)i] = (uint8_t)(n >> (24 - 8 * i));
}

static void put_content(struct buf *out, const struct observation *o)
{
    put_normal(out, o->app);
    put_normal(out, o->title);
    put_normal(out, o->text);
    const struct bytes exact[] = {o->url, o->command, o->cwd};
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++)
        wr_lenbytes(out, exact[i]);
    for (size_t i = 0; i < o->n_files; i++)
        wr_lenbytes(out, o->files[i]);
    /* Structured records (exercise logs) may differ in nothing but their other keys. */
    wr_lenbytes(out, o->data);
}

int event_key(struct bytes event_secret, const struct observation *o, uint8_t out[16])
{
    struct buf b;
    buf_init(&b, 1u << 20);
    wr_lenbytes(&b, BYTES_LIT("event"));
    wr_lenbytes(&b, o->source);
    /* A record without a time carries the time of its import by now: its occurrence is what stays. */
    bool timed = o->occurrence == 0 && o->time_ms != TIME_NONE;
    wr_u8(&b, timed);
    wr_svarint(&b, timed ? o->time_ms / bucket_ms(o) : (int64_t)o->occurrence);
    if (o->id.n > 0)
        wr_lenbytes(&b, o->id);
    else
        put_content(&b, o);
    struct hasher h;
    hasher_init(&h, event_secret, 16);
    hasher_update(&h, buf_view(&b));
    hasher_final(&h, out, 16);
    int rc = b.err == ERR_NOMEM ? ERR_NOMEM : 0; /* of one that is too long, what fits is keyed */
    buf_release(&b);
    return rc;
}
