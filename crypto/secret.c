#include "crypto/secret.h"

#include "crypto/hash.h"

#include <sodium.h>

bool secret_eq(const void *a, const void *b, size_t n)
{
    int differ = sodium_memcmp(a, b, n);
    SECRET_PUBLIC(&differ, sizeof differ); /* the verdict: whoever asks acts on it */
    return differ == 0;
}

bool secret_is_zero(const void *p, size_t n)
{
    int zero = sodium_is_zero(p, n);
    SECRET_PUBLIC(&zero, sizeof zero); /* the verdict */
    return zero == 1;
}

void key_derive(const uint8_t key[KEY_BYTES], const char *label, struct bytes context, uint8_t out[KEY_BYTES])
{
    struct hasher h;
    hasher_init(&h, bytes_of(key, KEY_BYTES), KEY_BYTES);
    hasher_update(&h, bytes_str(label));
    hasher_update(&h, context);
    hasher_final(&h, out, KEY_BYTES);
    mem_wipe(&h, sizeof h);
}

int secret_buf_init(struct buf *b, size_t n)
{
    buf_init(b, n);
    if (n > 0 && !buf_extend(b, n))
        return b->err;
    b->n = 0;
    return 0;
}

void secret_buf_release(struct buf *b)
{
    mem_wipe(b->p, b->cap);
    buf_release(b);
}
