/* Ids and their base32 text. 26 characters carry 130 bits: the 128 of the id and two zero bits at the end. */
#include "base/id.h"

#include <string.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* The value 0..31 of a character, or -1. */
static int digit_value(uint8_t c)
{
    const char *hit;
    if (c >= 'A' && c <= 'Z')
        c = (uint8_t)(c + ('a' - 'A'));
    if (c == 'i' || c == 'l')
        c = '1';
    if (c == 'o')
        c = '0';
    hit = c ? strchr(alphabet, c) : NULL;
    return hit ? (int)(hit - alphabet) : -1;
}

/* Bit `at` (0 = most significant) of the 130 that the text stands for. */
static unsigned id_bit(const struct id *id, unsigned at)
{
    return at < 8 * ID_BYTES ? ((unsigned)id->b[at / 8] >> (7 - at % 8)) & 1u : 0;
}

static void id_bit_set(struct id *id, unsigned at, unsigned bit)
{
    uint8_t mask = (uint8_t)(0x80u >> (at % 8));
    id->b[at / 8] = (uint8_t)(bit ? id->b[at / 8] | mask : id->b[at / 8] & ~mask);
}

void id_text(const struct id *id, char out[ID_TEXT + 1])
{
    for (unsigned i = 0; i < ID_TEXT; i++) {
        unsigned v = 0;
        for (unsigned k = 0; k < 5; k++)
            v = v << 1 | id_bit(id, 5 * i + k);
        out[i] = alphabet[v];
    }
    out[ID_TEXT] = '\0';
}

/* Places the five bits of character number i; false if they would set one of the two spare bits. */
static bool place_digit(struct id *lo, struct id *hi, unsigned i, unsigned value)
{
    for (unsigned k = 0; k < 5; k++) {
        unsigned at = 5 * i + k;
        unsigned bit = value >> (4 - k) & 1u;
        if (at >= 8 * ID_BYTES && bit)
            return false;
        if (at < 8 * ID_BYTES) {
            id_bit_set(lo, at, bit);
            id_bit_set(hi, at, bit);
        }
    }
    return true;
}

/* Reads up to 26 characters into the range they span and counts them. */
static int read_digits(struct bytes text, struct id *lo, struct id *hi, unsigned *count)
{
    unsigned n = 0;
    memset(lo, 0x00, sizeof *lo);
    memset(hi, 0xff, sizeof *hi);
    for (size_t i = 0; i < text.n; i++) {
        int value = digit_value(text.p[i]);
        if (text.p[i] == '-')
            continue;
        if (value < 0 || n >= ID_TEXT || !place_digit(lo, hi, n, (unsigned)value))
            return ERR_FORMAT;
        n++;
    }
    *count = n;
    return 0;
}

int id_parse(struct bytes text, struct id *out)
{
    struct id lo, hi;
    unsigned n;
    if (read_digits(text, &lo, &hi, &n) || n != ID_TEXT)
        return ERR_FORMAT;
    *out = lo;
    return 0;
}

int id_prefix(struct bytes text, struct id *lo, struct id *hi)
{
    unsigned n;
    if (read_digits(text, lo, hi, &n) || n == 0)
        return ERR_FORMAT;
    return 0;
}

int id_cmp(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_BYTES);
}

bool id_eq(const struct id *a, const struct id *b)
{
    return id_cmp(a, b) == 0;
}

bool id_none(const struct id *id)
{
    return id_eq(id, &ID_NONE);
}
