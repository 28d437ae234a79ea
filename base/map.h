/* A hash map from byte strings to a pointer-sized value, with an arena for its keys; iteration is in
 * insertion order, so nothing that walks one depends on the hash. The map owns copies of its keys, never the
 * values. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/bytes.h"

struct map_slot {
    struct bytes key; /* borrowed from the map */
    union {
        void *ptr;
        uint64_t num;
    } v; /* zero when new */
};

struct map;

/* NULL when out of memory. */
struct map *map_new(void);
void map_free(struct map *m); /* free(NULL) fine; values are the caller's */
size_t map_count(const struct map *m);
/* The slot of key, or NULL. Slots are valid until the next map_add on the same map. */
struct map_slot *map_find(const struct map *m, struct bytes key);
/* The slot of key, made (value zero) if absent; *fresh (may be NULL) says so. NULL when out of memory. */
struct map_slot *map_add(struct map *m, struct bytes key, bool *fresh);
/* The i-th inserted slot, 0 <= i < map_count. */
struct map_slot *map_at(const struct map *m, size_t i);
/* Forgets all keys, keeps the allocation. */
void map_clear(struct map *m);

#endif
