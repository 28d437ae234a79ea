/* A hash map in insertion order: slots lie in one array, in the order they came; a table of slot numbers,
 * open addressing with linear probing and never more than half full, finds them. Keys lie in an arena of
 * blocks that never move, so a slot's key stays valid while the slot array grows. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384u
#define FIRST_SLOTS 16u
#define SLOTS_MAX (UINT32_MAX / 4)

struct block {
    struct block *next;
    size_t used, size;
    uint8_t data[];
};

struct cell {
    uint32_t hash;
    uint32_t slot; /* number + 1; 0 = empty */
};

struct map {
    struct map_slot *slots;
    struct cell *cells;
    size_t count, slot_cap;
    size_t cell_count; /* a power of two */
    struct block *blocks;
    struct block *block; /* the one being filled; those behind it are full, those ahead empty */
};

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint32_t hash_bytes(struct bytes key)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ key.n;
    size_t i = 0;
    uint64_t word;
    for (; i + sizeof word <= key.n; i += sizeof word) {
        memcpy(&word, key.p + i, sizeof word);
        h = mix(h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    if (i < key.n)
        memcpy(&word, key.p + i, key.n - i);
    return (uint32_t)mix(mix(h ^ word));
}

static void free_blocks(struct block *b)
{
    while (b) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
}

struct map *map_new(void)
{
    struct map *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->cell_count = (size_t)2 * FIRST_SLOTS;
    m->slot_cap = FIRST_SLOTS;
    m->cells = calloc(m->cell_count, sizeof *m->cells);
    m->slots = calloc(m->slot_cap, sizeof *m->slots);
    if (!m->cells || !m->slots) {
        map_free(m);
        return NULL;
    }
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    free_blocks(m->blocks);
    free(m->slots);
    free(m->cells);
    free(m);
}

size_t map_count(const struct map *m)
{
    return m->count;
}

/* The cell that holds key, or the empty one where it belongs. */
static struct cell *find_cell(const struct map *m, struct bytes key, uint32_t hash)
{
    size_t mask = m->cell_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct cell *c = &m->cells[i];
        if (c->slot == 0 || (c->hash == hash && bytes_eq(m->slots[c->slot - 1].key, key)))
            return c;
    }
}

struct map_slot *map_find(const struct map *m, struct bytes key)
{
    const struct cell *c = find_cell(m, key, hash_bytes(key));
    return c->slot ? &m->slots[c->slot - 1] : NULL;
}

static void rehash(struct cell *to, size_t to_count, const struct map *m)
{
    for (size_t i = 0; i < m->cell_count; i++) {
        size_t at = m->cells[i].hash & (to_count - 1);
        if (m->cells[i].slot == 0)
            continue;
        while (to[at].slot != 0)
            at = (at + 1) & (to_count - 1);
        to[at] = m->cells[i];
    }
}

/* Doubles slots and cells when the slots are full. */
static int grow(struct map *m)
{
    struct map_slot *slots;
    struct cell *cells;
    if (m->count < m->slot_cap)
        return 0;
    if (m->slot_cap >= SLOTS_MAX)
        return ERR_NOMEM;
    cells = calloc(m->cell_count * 2, sizeof *cells);
    slots = cells ? realloc(m->slots, m->slot_cap * 2 * sizeof *slots) : NULL;
    if (!slots) {
        free(cells);
        return ERR_NOMEM;
    }
    rehash(cells, m->cell_count * 2, m);
    free(m->cells);
    m->cells = cells;
    m->cell_count *= 2;
    m->slots = slots;
    m->slot_cap *= 2;
    return 0;
}

/* Appends an empty block that holds at least n bytes. */
static struct block *add_block(struct map *m, size_t n)
{
    size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    struct block *b = size < SIZE_MAX / 2 ? malloc(sizeof *b + size) : NULL;
    if (!b)
        return NULL;
    *b = (struct block){.size = size};
    if (m->block) {
        b->next = m->block->next;
        m->block->next = b;
    } else {
        m->blocks = b;
    }
    return b;
}

static uint8_t *arena_take(struct map *m, size_t n)
{
    struct block *b = m->block;
    while (b && b->size - b->used < n)
        b = b->next;
    if (!b)
        b = add_block(m, n);
    if (!b)
        return NULL;
    m->block = b;
    b->used += n;
    return b->data + (b->used - n);
}

struct map_slot *map_add(struct map *m, struct bytes key, bool *fresh)
{
    uint32_t hash = hash_bytes(key);
    struct cell *c = find_cell(m, key, hash);
    uint8_t *copy;
    if (fresh)
        *fresh = c->slot == 0;
    if (c->slot)
        return &m->slots[c->slot - 1];
    copy = grow(m) ? NULL : arena_take(m, key.n);
    if (!copy)
        return NULL;
    if (key.n > 0)
        memcpy(copy, key.p, key.n);
    c = find_cell(m, key, hash); /* growing moved it */
    *c = (struct cell){.hash = hash, .slot = (uint32_t)m->count + 1};
    m->slots[m->count] = (struct map_slot){.key = bytes_of(copy, key.n)};
    return &m->slots[m->count++];
}

struct map_slot *map_at(const struct map *m, size_t i)
{
    return &m->slots[i];
}

void map_clear(struct map *m)
{
    memset(m->cells, 0, m->cell_count * sizeof *m->cells);
    m->count = 0;
    for (struct block *b = m->blocks; b; b = b->next)
        b->used = 0;
    m->block = m->blocks;
}
