#include "node/net/strangers.h"

#include <string.h>

static void row_key(const struct addr *a, uint8_t key[16])
{
    memset(key, 0, 16);
    memcpy(key, a->ip, addr_is_v4(a) || addr_is_loopback(a) ? 16 : 8);
}

/* The row of the address, or else the one that was seen longest ago. */
static size_t row_of(const struct strangers *t, const uint8_t key[16], bool *found)
{
    size_t oldest = 0;
    for (size_t i = 0; i < STRANGERS_ADDRESSES; i++) {
        if (t->rows[i].seen_ms != 0 && memcmp(t->rows[i].ip, key, 16) == 0) {
            *found = true;
            return i;
        }
        oldest = t->rows[i].seen_ms < t->rows[oldest].seen_ms ? i : oldest;
    }
    *found = false;
    return oldest;
}

bool strangers_over(struct strangers *t, const struct addr *a, int64_t now_ms)
{
    uint8_t key[16];
    bool found = false;
    row_key(a, key);
    size_t i = row_of(t, key, &found);
    if (!found) {
        memcpy(t->rows[i].ip, key, 16);
        t->rows[i].tokens = STRANGERS_BURST;
        t->rows[i].filled_ms = now_ms;
    }
    int64_t more = (now_ms - t->rows[i].filled_ms) / STRANGERS_REFILL_MS;
    if (more > 0) {
        int64_t tokens = (int64_t)t->rows[i].tokens + more;
        t->rows[i].tokens = tokens > STRANGERS_BURST ? STRANGERS_BURST : (unsigned)tokens;
        t->rows[i].filled_ms += more * STRANGERS_REFILL_MS;
    }
    t->rows[i].seen_ms = now_ms;
    if (t->rows[i].tokens == 0) {
        return true;
    }
    t->rows[i].tokens--;
    return false;
}

void strangers_forgive(struct strangers *t, const struct addr *a)
{
    uint8_t key[16];
    bool found = false;
    row_key(a, key);
    size_t i = row_of(t, key, &found);
    if (found) {
        t->rows[i].tokens = STRANGERS_BURST;
    }
}
