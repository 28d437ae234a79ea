#include "base/base64.h"

int base64_put(struct bytes b, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *p = buf_extend(out, (b.n / 3 + (b.n % 3 != 0)) * 4);
    if (p == NULL)
        return out->err;
    for (size_t i = 0; i < b.n; i += 3) {
        uint32_t v = (uint32_t)b.p[i] << 16;
        size_t left = b.n - i;
        v |= left > 1 ? (uint32_t)b.p[i + 1] << 8 : 0;
        v |= left > 2 ? b.p[i + 2] : 0u;
        *p++ = (uint8_t)digits[v >> 18];
        *p++ = (uint8_t)digits[v >> 12 & 63];
        *p++ = left > 1 ? (uint8_t)digits[v >> 6 & 63] : '=';
        *p++ = left > 2 ? (uint8_t)digits[v & 63] : '=';
    }
    return 0;
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_take(struct bytes text, struct buf *out)
{
    size_t n = text.n;
    uint32_t bits = 0;
    if (n % 4 == 0 && n > 0 && text.p[n - 1] == '=')
        n -= text.p[n - 2] == '=' ? 2 : 1;
    if (n % 4 == 1)
        return ERR_FORMAT;
    for (size_t i = 0; i < n; i++) {
        int v = value_of(text.p[i]);
        if (v < 0)
            return ERR_FORMAT;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 != 0)
            (void)buf_put(out, (uint8_t)(bits >> (6 - 2 * (i % 4))));
    }
    /* What is left over of the last digit is zero: one text a value. */
    unsigned spare = n % 4 == 2 ? 4 : n % 4 == 3 ? 2 : 0;
    return (bits & ((1u << spare) - 1)) != 0 ? ERR_FORMAT : out->err;
}
