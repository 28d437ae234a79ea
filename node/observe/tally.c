#include "node/observe/tally.h"

#include "node/observe/lines.h"

#include <stdlib.h>

void tally_release(struct tally *t)
{
    free(t->keys);
    free(t->counts);
    *t = (struct tally){0};
}

static size_t slot_of(const struct tally *t, uint64_t key)
{
    size_t mask = t->slots - 1;
    size_t i = (size_t)(key ^ key >> 32) & mask;
    while (t->keys[i] && t->keys[i] != key)
        i = (i + 1) & mask;
    return i;
}

static bool tally_grow(struct tally *t)
{
    struct tally n = {.slots = t->slots ? t->slots * 2 : 256, .used = t->used};
    n.keys = calloc(n.slots, sizeof *n.keys);
    n.counts = calloc(n.slots, sizeof *n.counts);
    if (!n.keys || !n.counts) {
        tally_release(&n);
        return false;
    }
    for (size_t i = 0; i < t->slots; i++) {
        if (!t->keys[i])
            continue;
        size_t to = slot_of(&n, t->keys[i]);
        n.keys[to] = t->keys[i];
        n.counts[to] = t->counts[i];
    }
    tally_release(t);
    *t = n;
    return true;
}

uint32_t tally_add(struct tally *t, struct bytes content)
{
    if (t->used * 2 >= t->slots && t->used < TALLY_MAX && !tally_grow(t))
        return 0;
    uint64_t key = hash64(content, HASH64_SEED);
    if (!key)
        key = 1;
    size_t i = slot_of(t, key);
    if (!t->keys[i]) {
        if (t->used >= TALLY_MAX)
            return 1;
        t->keys[i] = key;
        t->used++;
    }
    if (t->counts[i] < UINT32_MAX)
        t->counts[i]++;
    return t->counts[i];
}
