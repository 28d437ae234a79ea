/* What the tests of crypto/ share: hex, published vectors, randomness that is written down, wiped memory. */
#ifndef TESTS_CRYPTO_KIT_H
#define TESTS_CRYPTO_KIT_H

#include "base/clock.h"
#include "crypto/device.h"

/* Appends the bytes that hex digits stand for. Ends the test on anything else. */
void kit_hex(struct bytes hex, struct buf *out);
/* Exactly n bytes. */
void kit_hex_fixed(struct bytes hex, void *out, size_t n);
void kit_hex_put(struct bytes b, struct buf *out);

/* A file of lines KEY=VALUE, blank lines and lines that begin with '#'. */
struct kit_lines {
    struct buf file;
    struct bytes rest;
};
void kit_lines_open(struct kit_lines *l, const char *path);
/* The next line; a blank one has an empty key. False at the end. Comments are skipped. */
bool kit_lines_next(struct kit_lines *l, struct bytes *key, struct bytes *value);
void kit_lines_close(struct kit_lines *l);

/* Randomness that hands out these bytes, then zeros. */
struct kit_rng {
    struct bytes left;
};
struct rng kit_rng_iface(struct kit_rng *r);

/* Keys that depend on the seed alone. */
void kit_keys(struct device_keys *k, uint64_t seed);

/* The encodings of points of low order on Curve25519, without and with the bit that X25519 ignores (RFC
 * 7748). */
#define KIT_LOW_POINTS 14
extern const char *const kit_low_points[KIT_LOW_POINTS];

#endif
