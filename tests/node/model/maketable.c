#include "tests/node/model/maketable.h"

#include "base/cursor.h"
#include "crypto/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_token(const struct made_token *k, size_t dims, struct buf *index, struct buf *strings,
                      struct buf *vectors)
{
    float top = 0, scale;
    uint32_t bits;
    for (size_t i = 0; i < dims; i++)
        top = fabsf(k->v[i]) > top ? fabsf(k->v[i]) : top;
    scale = (top > 0 ? top : 1) / 127;
    memcpy(&bits, &scale, sizeof bits);
    wr_u32(index, (uint32_t)strings->n);
    wr_u32(index, (uint32_t)strlen(k->text));
    wr_u32(index, bits);
    (void)buf_str(strings, k->text);
    for (size_t i = 0; i < dims; i++)
        wr_u8(vectors, (uint8_t)(int8_t)lrintf(k->v[i] / scale));
}

static void put_slot(uint32_t *slots, uint32_t n_slots, const char *text, uint32_t number)
{
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    while (slots[h & (n_slots - 1)] != 0)
        h++;
    slots[h & (n_slots - 1)] = number;
}

void make_table(const struct made_token *tokens, size_t dims, const char *about, struct buf *out)
{
    struct buf body, index, strings, vectors;
    uint32_t n = 0, n_slots = 2;
    struct hasher h;
    uint8_t key[16];
    struct buf *const all[] = {&body, &index, &strings, &vectors};
    for (size_t i = 0; i < 4; i++)
        buf_init(all[i], 1 << 20);
    while (tokens[n].text != NULL)
        put_token(&tokens[n++], dims, &index, &strings, &vectors);
    while (n_slots < 2 * n)
        n_slots *= 2;
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    for (uint32_t i = 0; i < n; i++)
        put_slot(slots, n_slots, tokens[i].text, i + 1);
    const uint32_t head[] = {(uint32_t)dims, n, n_slots, (uint32_t)strings.n, (uint32_t)strlen(about), 0};
    for (size_t i = 0; i < 6; i++)
        wr_u32(&body, head[i]);
    (void)buf_str(&body, about);
    for (uint32_t i = 0; i < n_slots; i++)
        wr_u32(&body, slots[i]);
    for (size_t i = 1; i < 4; i++)
        (void)buf_bytes(&body, buf_view(all[i]));
    hasher_init(&h, BYTES_NONE, sizeof key);
    hasher_update(&h, buf_view(&body));
    hasher_final(&h, key, sizeof key);
    (void)buf_str(out, "selftab1");
    (void)buf_append(out, key, sizeof key);
    (void)buf_bytes(out, buf_view(&body));
    free(slots);
    for (size_t i = 0; i < 4; i++)
        buf_release(all[i]);
}
