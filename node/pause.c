/* Pauses, kept as one local setting: pairs of big-endian 64-bit milliseconds. */
#include "node/pause.h"

#include "base/check.h"
#include "base/cursor.h"

#include <string.h>

#define PAUSE_KEY "pause"

int pauses_load(struct store *s, struct pauses *p, struct err *e)
{
    struct buf v;
    bool found = false;
    buf_init(&v, sizeof(p->v));
    p->n = 0;
    int rc = local_get(s, PAUSE_KEY, &v, &found, e);
    if (rc == 0 && found) {
        struct rd r;
        rd_init(&r, buf_view(&v));
        while (rd_left(&r) >= 16 && p->n < PAUSE_SPANS_MAX) {
            p->v[p->n].from_ms = (int64_t)rd_u64(&r);
            p->v[p->n].until_ms = (int64_t)rd_u64(&r);
            p->n++;
        }
        rc = rd_end(&r) != 0 ? err_set(e, ERR_CORRUPT, "the list of pauses is damaged") : 0;
    }
    buf_release(&v);
    return rc;
}

static int pauses_save(struct store *s, const struct pauses *p, struct err *e)
{
    struct buf v;
    buf_init(&v, sizeof(p->v));
    for (size_t i = 0; i < p->n; i++) {
        wr_u64(&v, (uint64_t)p->v[i].from_ms);
        wr_u64(&v, (uint64_t)p->v[i].until_ms);
    }
    int rc = v.err != 0 ? err_set(e, v.err, "saving the pause") : local_set(s, PAUSE_KEY, buf_view(&v), e);
    buf_release(&v);
    return rc;
}

int pauses_start(struct store *s, struct pauses *p, int64_t now_ms, int64_t until_ms, struct err *e)
{
    CHECK(until_ms > now_ms);
    struct pause_span *last = p->n > 0 ? &p->v[p->n - 1] : NULL;
    if (last != NULL && last->until_ms >= now_ms) {
        last->until_ms = until_ms;
        return pauses_save(s, p, e);
    }
    if (p->n == PAUSE_SPANS_MAX) {
        /* Losing a span would let its records in: rather widen the oldest one. */
        p->v[1].from_ms = p->v[0].from_ms;
        memmove(&p->v[0], &p->v[1], (PAUSE_SPANS_MAX - 1) * sizeof(p->v[0]));
        p->n--;
    }
    p->v[p->n++] = (struct pause_span){now_ms, until_ms};
    return pauses_save(s, p, e);
}

int pauses_end(struct store *s, struct pauses *p, int64_t now_ms, struct err *e)
{
    if (p->n == 0 || p->v[p->n - 1].until_ms <= now_ms) {
        return 0;
    }
    p->v[p->n - 1].until_ms = now_ms > p->v[p->n - 1].from_ms ? now_ms : p->v[p->n - 1].from_ms;
    return pauses_save(s, p, e);
}

bool pauses_meet(const struct pauses *p, int64_t from_ms, int64_t until_ms)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].from_ms <= until_ms && p->v[i].until_ms > from_ms) {
            return true;
        }
    }
    return false;
}

int64_t pauses_at(const struct pauses *p, int64_t t_ms)
{
    for (size_t i = p->n; i > 0; i--) {
        if (t_ms >= p->v[i - 1].from_ms && t_ms < p->v[i - 1].until_ms) {
            return p->v[i - 1].until_ms;
        }
    }
    return 0;
}
