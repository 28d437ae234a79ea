#include "tests/crypto/kit.h"

#include "base/check.h"
#include "tests/support/rng.h"
#include "tests/support/tmp.h"

#include <string.h>

const char *const kit_low_points[KIT_LOW_POINTS] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static unsigned digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    CHECK(c >= 'a' && c <= 'f');
    return c - 'a' + 10u;
}

void kit_hex(struct bytes hex, struct buf *out)
{
    CHECK(hex.n % 2 == 0);
    for (size_t i = 0; i < hex.n; i += 2)
        CHECK(buf_put(out, (uint8_t)(digit(hex.p[i]) << 4 | digit(hex.p[i + 1]))) == 0);
}

void kit_hex_fixed(struct bytes hex, void *out, size_t n)
{
    struct buf b;
    buf_init(&b, n);
    kit_hex(hex, &b);
    CHECK(b.n == n);
    if (n > 0)
        memcpy(out, b.p, n);
    buf_release(&b);
}

void kit_hex_put(struct bytes b, struct buf *out)
{
    for (size_t i = 0; i < b.n; i++)
        CHECK(buf_printf(out, "%02x", b.p[i]) == 0);
}

void kit_lines_open(struct kit_lines *l, const char *path)
{
    buf_init(&l->file, (size_t)16 << 20);
    tmp_read(path, &l->file);
    l->rest = buf_view(&l->file);
}

void kit_lines_close(struct kit_lines *l)
{
    buf_release(&l->file);
}

static bool take_line(struct bytes *rest, struct bytes *line)
{
    size_t n = bytes_find(*rest, BYTES_LIT("\n"));
    if (rest->n == 0)
        return false;
    if (n == SIZE_MAX)
        n = rest->n;
    *line = bytes_slice(*rest, 0, n);
    *rest = bytes_slice(*rest, n + 1, SIZE_MAX);
    return true;
}

bool kit_lines_next(struct kit_lines *l, struct bytes *key, struct bytes *value)
{
    struct bytes line;
    size_t n;
    do {
        if (!take_line(&l->rest, &line))
            return false;
    } while (bytes_starts(line, BYTES_LIT("#")));
    /* The value is hex, so the last '=' is the one that separates. */
    for (n = line.n; n > 0 && line.p[n - 1] != '='; n--)
        ;
    *key = bytes_slice(line, 0, n > 0 ? n - 1 : 0);
    *value = bytes_slice(line, n, SIZE_MAX);
    return true;
}

static void fixed_fill(void *ctx, void *p, size_t n)
{
    struct kit_rng *r = ctx;
    size_t have = n < r->left.n ? n : r->left.n;
    memset(p, 0, n);
    if (have > 0)
        memcpy(p, r->left.p, have);
    r->left = bytes_slice(r->left, have, SIZE_MAX);
}

struct rng kit_rng_iface(struct kit_rng *r)
{
    return (struct rng){fixed_fill, r};
}

void kit_keys(struct device_keys *k, uint64_t seed)
{
    struct test_rng t;
    struct rng rng;
    test_rng_init(&t, seed);
    rng = test_rng_iface(&t);
    device_keys_make(k, &rng);
}
