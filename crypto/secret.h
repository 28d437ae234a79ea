/* Keys and what is done with secret memory: compare in constant time, wipe at last use.
 *
 * Keys are plain arrays of KEY_BYTES in the structs that own them; each such struct has a wipe function, and
 * whoever fills one wipes it. Functions here wipe what they derive on every path, errors included.
 */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/id.h"

#define KEY_BYTES 32

/* Says that the n bytes at p, which were worked out of secrets, are public from here on; each use says why.
 * Does nothing, but for the constant-time check (tests/crypto/constant_time_run.c), which follows secrets
 * through memory and reports every branch and index that depends on one. */
#ifdef SELFSAME_CONSTANT_TIME
#include <valgrind/memcheck.h>
#define SECRET_PUBLIC(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED(p, n))
#else
#define SECRET_PUBLIC(p, n) ((void)0)
#endif

/* Constant-time equality of n bytes. */
bool secret_eq(const void *a, const void *b, size_t n);
/* Constant-time test that all n bytes are zero. */
bool secret_is_zero(const void *p, size_t n);
/* BLAKE2b-256 under `key` of label ‖ context: one more key from a key. `label` names the use and is ours. */
void key_derive(const uint8_t key[KEY_BYTES], const char *label, struct bytes context,
                uint8_t out[KEY_BYTES]);
/* Wipes all that a buffer has allocated, then releases it. Buffers that grow leave copies behind in freed
 * memory: give those that hold secrets their final size first, with secret_buf_init. */
void secret_buf_release(struct buf *b);
/* An empty buffer with n bytes allocated at once and n as its maximum, so that it never moves. ERR_NOMEM. */
int secret_buf_init(struct buf *b, size_t n) MUST_CHECK;

#endif
